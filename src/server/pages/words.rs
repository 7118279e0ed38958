//! The pages' words, in one place, ready for translation: names of buttons, classes, keys, and what is said of states.

/// Names of the header and the footer.
pub(super) const SKIP: &str = "Skip to the content";
pub(super) const NAV: &str = "Places";
pub(super) const CRUMBS: &str = "Where you are";
pub(super) const TARGET_TITLE: &str = "The database that this page is about";
pub(super) const PROTECTED: &str = "PROTECTED";
pub(super) const LOG_OUT: &str = "Log out";
pub(super) const KEYS: &str = "Keyboard";
pub(super) const SYSTEM: &str = "System";
pub(super) const ZONE: &str = "Times are in UTC";

/// The two buttons whose names are the project's own.
pub(super) const ANALYZE: &str = "Analyze for Merge";
pub(super) const MERGE: &str = "Perform Incremental Merge";

/// What pages say.
pub(super) const HOME_TITLE: &str = "Home";
pub(super) const NO_BACKUP: &str =
    "Upload a backup that you have, or let one be made of a database. Neither changes any data.";
pub(super) const CLOSE: &str = "You may close this page: what runs goes on, and this page finds it again.";
pub(super) const CANCEL: &str = "Possible until the commit; everything is rolled back then.";
pub(super) const WORKING: &str = "Working.";
pub(super) const DECIDE: &str = "Decide";
pub(super) const NOT_ENCRYPTED: &str = "Backups made here are not encrypted. Make a key with 'merganser key generate', and name it under [backup] encrypt_to.";
pub(super) const ENCRYPTED_ELSEWHERE: &str = "Backups are encrypted to keys that are kept elsewhere.";
pub(super) const KEYS_KEPT: &str = "Lose the key, lose the backup. All of these were put in a safe place.";
pub(super) const NO_NOTICES: &str =
    "Nobody is told of scheduled runs. Name commands, addresses or mails under [hooks] in merganser.toml.";
pub(super) const NOTICES: &str = "Who is told of scheduled runs is named under [hooks] in merganser.toml.";
pub(super) const NOTICE_SENT: &str = "✓ The test notice was taken by all.";
pub(super) const KEY_WAITS: &str =
    "A recovery key waits to be confirmed at /recovery; until then backups are not encrypted.";
pub(super) const REMOVE: &str = "Remove";
pub(super) const REVOKE: &str = "Revoke";
pub(super) const JUST_NOW: &str = "just now";
pub(super) const REACHABLE: &str = "reachable";
pub(super) const NO_CIRCLES: &str = "none in a circle";
pub(super) const MAY_WRITE: &str = "reading and writing allowed";
pub(super) const LACKS: &str = "Not allowed:";
pub(super) const RECOVERY: &str = "Your recovery key";
pub(super) const NO_CLOCK: &str = "none: conflicts are asked";
pub(super) const NO_DATE: &str = "no date";
pub(super) const GOES: &str = "✗ would go";
pub(super) const STAYS: &str = "✓ stays";
pub(super) const UNCHANGED: &str = "Nothing was changed.";

/// What the script says, by the name that it knows it by; what stands in braces is filled in.
pub(super) const SCRIPT: &[(&str, &str)] = &[
    ("zone", "Times in {zone}; UTC on hover"),
    ("keys", KEYS),
    ("close", "Close"),
    ("sent", "{percent} % sent"),
    ("read", "All sent; it is being read."),
    ("lost", "The connection was lost; nothing was kept. Try again."),
    ("seconds", "{n} s"),
    ("minutes", "{n} min"),
    ("records", "{table}: {done} records"),
    ("records-of", "{table}: {done} of {total} records"),
    ("speed", "{n} a second"),
];

/// The places of the header: address and name.
pub(super) const PLACES: &[(&str, &str)] = &[
    ("/", "Home"),
    ("/backups", "Backups"),
    ("/analyses", "Analyses"),
    ("/history", "History"),
    ("/schedules", "Schedules"),
    ("/settings", "Settings"),
];

/// The classes in the order of columns.
pub(super) const CLASSES: &[&str] = &["new", "updated", "conflict", "unchanged", "blocked", "excluded", "current_only"];

/// What a person may want: word, name, example, strategy.
pub(super) const INTENTS: &[(&str, &str, &str, &str)] = &[
    (
        "recover-deleted",
        "Bring back deleted records",
        "Somebody deleted customers by mistake. Only inserts; nothing that exists is touched.",
        "recover-deleted",
    ),
    (
        "put-back",
        "Put records back as they were",
        "A script changed prices wrongly. The backup's values return where current is not newer.",
        "backup-wins",
    ),
    (
        "environment-sync",
        "Sync from another environment",
        "Production into staging, without password hashes, sessions and tokens.",
        "environment-sync",
    ),
    (
        "combine",
        "Combine two copies",
        "Both were worked on. Empty fields are filled, nothing is erased, the rest is asked.",
        "merge-fields",
    ),
    ("custom", "Decide it all myself", "Every conflict waits for you.", "manual"),
];

/// The keys and what they do.
pub(super) const KEY_LIST: &[(&str, &str)] = &[
    ("?", "this list"),
    ("/", "search"),
    ("g h", "go home; g b backups, g a analyses, g l history"),
    ("j  k", "next, previous record"),
    ("]", "next undecided conflict"),
    ("b", "take the Backup's record"),
    ("c", "keep the Current record"),
    ("f", "choose by field: arrows move, space chooses, Enter uses the choice"),
    ("e", "give a value of your own"),
    ("s", "skip: write nothing for it"),
    ("u", "take the last decision back"),
    ("x", "tick a record; Shift+J extends to the next"),
    ("a", "decide all like this, or go to the ticked records' buttons"),
    ("Enter", "open"),
    ("Esc", "back"),
];

/// What the templates say, page by page.
// analyses.html
pub(super) const ANALYSES: &str = "Analyses";
pub(super) const COMPARISONS_THAT_ARE_SAVED_AND_CAN: &str = "Comparisons that are saved and can still be merged.";
pub(super) const NO_OPEN_ANALYSIS: &str = "No open analysis";
pub(super) const CHOOSE_A_BACKUP_AND_PRESS: &str = "Choose a backup and press “";
pub(super) const NOTHING_IS_CHANGED_BY_IT: &str = "”. Nothing is changed by it.";
pub(super) const BACKUPS: &str = "Backups";
pub(super) const SAVED: &str = "saved";
pub(super) const BACKUP: &str = "Backup";
pub(super) const INTO: &str = "Into";
pub(super) const MADE: &str = "Made";
pub(super) const RECORDS: &str = "Records";
pub(super) const STATE: &str = "State";
pub(super) const TO_DECIDE: &str = "to decide";
pub(super) const READY: &str = "ready";
// backups.html
pub(super) const BACKUPS_THAT_ARE_KEPT_HERE_LOOKING: &str =
    "Backups that are kept here. Looking at one or analyzing it changes nothing.";
pub(super) const UPLOAD_A_BACKUP: &str = "Upload a backup";
pub(super) const A_FILE_JSON_SQL_SQLITE_CSV: &str = "A file: JSON, SQL, SQLite, CSV, ZIP, TAR, also compressed";
pub(super) const OR_DROP_IT_HERE: &str = "…or drop it here.";
pub(super) const UPLOAD: &str = "Upload";
pub(super) const MAKE_ONE: &str = "Make one";
pub(super) const NO_DATABASE_IS_NAMED_IN_THE: &str = "No database is named in the configuration.";
pub(super) const OF_WHICH_DATABASE: &str = "Of which database";
pub(super) const BACK_UP_NOW: &str = "Back up now";
pub(super) const NO_BACKUPS_YET: &str = "No backups yet";
pub(super) const KEPT: &str = "kept";
pub(super) const NEWEST_FIRST: &str = "· newest first";
pub(super) const WHEN: &str = "When";
pub(super) const OF: &str = "Of";
pub(super) const SIZE: &str = "Size";
pub(super) const CHECKED: &str = "Checked";
pub(super) const ACTIONS: &str = "Actions";
pub(super) const ENCRYPTED: &str = "· encrypted";
pub(super) const NOT_YET: &str = "not yet";
// error.html
pub(super) const NEXT: &str = "Next:";
// history.html
pub(super) const HISTORY: &str = "History";
pub(super) const WHAT_WAS_DONE_BY_WHOM_WHEN: &str =
    "What was done, by whom, when. Each entry carries the digest of the one before.";
pub(super) const EXPORT_JSONL: &str = "Export JSONL";
pub(super) const EXPORT_CSV: &str = "Export CSV";
pub(super) const UNBROKEN: &str = "unbroken";
pub(super) const THE_LOG_IS_AS_IT_WAS: &str = "The log is as it was written:";
pub(super) const ENTRY: &str = "entry";
pub(super) const ENTRIES: &str = "entries";
pub(super) const CHECKED_JUST_NOW: &str = ", checked just now.";
pub(super) const THE_LOG_IS_NOT_AS_IT: &str = "× The log is not as it was written";
pub(super) const WHO_WHAT_OR_WHICH_DATABASE: &str = "Who, what or which database";
pub(super) const FILTER: &str = "Filter";
pub(super) const NOTHING_HERE: &str = "Nothing here";
pub(super) const NOTHING_WAS_DONE_YET: &str = "Nothing was done yet.";
pub(super) const NO_ENTRY_HOLDS: &str = "No entry holds “";
pub(super) const WHAT: &str = "What";
pub(super) const WHO: &str = "Who";
pub(super) const DATABASE: &str = "Database";
pub(super) const NOTE: &str = "Note";
pub(super) const PAGES: &str = "Pages";
pub(super) const OLDER: &str = "Older";
// home.html
pub(super) const BRING_BACK_DATA_FROM_A_BACKUP: &str = "Bring back data from a backup";
pub(super) const BACK_UP: &str = "Back up";
pub(super) const NOW: &str = "now";
pub(super) const WORTH_A_LOOK: &str = "! Worth a look";
pub(super) const LAST_BACKUP: &str = "Last backup";
pub(super) const RECORDS_2: &str = "records,";
pub(super) const VERIFIED: &str = "✓ verified";
pub(super) const NOT_VERIFIED_YET: &str = "! not verified yet";
pub(super) const OPEN_ANALYSES: &str = "Open analyses";
pub(super) const NONE_AN_ANALYSIS_COMPARES_A_BACKUP: &str =
    "None. An analysis compares a backup with a database and changes nothing.";
pub(super) const INTO_2: &str = "into";
pub(super) const NEXT_SCHEDULED_BACKUP: &str = "Next scheduled backup";
pub(super) const NOTHING_IS_SCHEDULED: &str = "Nothing is scheduled.";
pub(super) const SCHEDULES_AND_RETENTION: &str = "Schedules and retention";
pub(super) const LAST_MERGES: &str = "Last merges";
pub(super) const NOTHING_WAS_MERGED_YET: &str = "Nothing was merged yet.";
// inspect.html
pub(super) const VERIFY: &str = "Verify";
pub(super) const DOWNLOAD: &str = "Download";
pub(super) const TAKEN: &str = "Taken";
pub(super) const KIND: &str = "Kind";
pub(super) const RECORDS_3: &str = "records";
pub(super) const BLAKE3: &str = "BLAKE3";
pub(super) const THIS_BACKUP_CANT_BE_READ_TO: &str = "× This backup can't be read to its end";
pub(super) const NOTHING_WAS_CHANGED_THE_PART_BEFORE: &str =
    "Nothing was changed. The part before that place is shown below where it could be read.";
pub(super) const FOUND_WHILE_READING: &str = "! Found while reading";
pub(super) const SEARCH_A_RECORD_BY_KEY_OR: &str = "Search a record by key or text";
pub(super) const SEARCH: &str = "Search";
pub(super) const FOUND: &str = "Found “";
pub(super) const THE_FIRST_OF_MORE: &str = ", the first of more";
pub(super) const TABLE: &str = "Table";
pub(super) const RECORD: &str = "Record";
pub(super) const NO_RECORD_HOLDS_IT: &str = "No record holds it.";
pub(super) const TABLES: &str = "Tables";
pub(super) const AS_IT_SAYS_ITSELF: &str = "As it says itself";
pub(super) const COLUMNS: &str = "Columns";
pub(super) const THE_FIRST_RECORDS: &str = ": the first records";
pub(super) const REMOVE_THIS_BACKUP: &str = "Remove this backup";
pub(super) const THE_FILE_AND_ITS_ENTRY_GO: &str = "The file and its entry go. Merges that were made from it can still be undone: what they need is in their receipts.";
pub(super) const TYPE_ITS_NAME: &str = "Type its name,";
// keys.html
pub(super) const EVERYTHING_WORKS_WITHOUT_THEM_TOO: &str = "Everything works without them, too.";
pub(super) const SWITCH_SINGLE_LETTER_KEYS_OFF_IN: &str = "Switch single-letter keys off in this browser";
// layout.html
pub(super) const MERGANSER: &str = "· merganser";
pub(super) const MERGANSER_2: &str = "merganser";
// login.html
pub(super) const LOG_IN: &str = "Log in";
pub(super) const BRING_RECORDS_FROM_A_BACKUP_INTO: &str =
    "Bring records from a backup into a current database, and take it back if you like.";
pub(super) const NAME: &str = "Name";
pub(super) const PASSWORD: &str = "Password";
pub(super) const WHAT_YOU_DECIDED_BEFORE_IS_KEPT: &str =
    "What you decided before is kept: a session that ends loses no decision.";
// outcome.html
pub(super) const FIND_OUT: &str = "Find out";
pub(super) const WHAT_WAS_WRITTEN: &str = "What was written";
pub(super) const INSERTED: &str = "Inserted";
pub(super) const UPDATED: &str = "Updated";
pub(super) const DELETED: &str = "Deleted";
// part_log.html
pub(super) const DOWNLOAD_THE_LOG: &str = "Download the log";
pub(super) const ITS_LAST_2_000_LINES_WITHOUT: &str = "its last 2,000 lines, without passwords and secrets";
// part_notice.html
pub(super) const SEND_A_TEST_NOTICE: &str = "Send a test notice";
// part_person.html
pub(super) const ADD_SOMEBODY: &str = "Add somebody";
pub(super) const ROLE: &str = "Role";
pub(super) const VIEWER_LOOKS: &str = "viewer: looks";
pub(super) const OPERATOR_MERGES_NOT_INTO_PROTECTED_DATABASES: &str = "operator: merges, not into protected databases";
pub(super) const ADMIN_EVERYTHING: &str = "admin: everything";
pub(super) const ADD: &str = "Add";
// part_retention.html
pub(super) const SHOW_WHAT_WOULD_GO: &str = "Show what would go";
// part_schedule.html
pub(super) const ADD_ONE: &str = "Add one";
pub(super) const WHEN_AS_CRON: &str = "When, as cron";
pub(super) const TIME_ZONE: &str = "Time zone";
pub(super) const KEEP_DAYS: &str = "Keep days";
// part_token.html
pub(super) const WHAT_IT_IS_FOR: &str = "What it is for";
pub(super) const IT_MAY_BE_USED_FOR: &str = "It may be used for";
pub(super) const DAYS_UNTIL_IT_ENDS: &str = "Days until it ends";
pub(super) const MAKE: &str = "Make";
// patterns.html
pub(super) const CONFLICTS: &str = "Conflicts";
pub(super) const IN: &str = "in";
pub(super) const PATTERN: &str = "pattern";
pub(super) const PATTERNS: &str = "patterns";
pub(super) const CONFLICTS_OF_ONE_PATTERN_DIFFER_IN: &str =
    "Conflicts of one pattern differ in the same fields, for the same reason. Decide them together, or one by one.";
pub(super) const REVIEW: &str = "Review";
pub(super) const NOT_NOW: &str = "Not now";
pub(super) const NO_CONFLICTS: &str = "No conflicts";
pub(super) const EVERY_RECORD_THAT_DIFFERS_HAS_A: &str = "Every record that differs has a clear side.";
pub(super) const EVERY_CONFLICT_IS_DECIDED_NEXT_REVIEW: &str = "✓ Every conflict is decided. Next: Review.";
pub(super) const CONFLICTS_BY_PATTERN: &str = "Conflicts by pattern";
pub(super) const TABLE_AND_FIELDS: &str = "Table and fields";
pub(super) const WHY: &str = "Why";
pub(super) const DECIDE_ALL: &str = "Decide all";
pub(super) const DECIDED: &str = "decided";
pub(super) const TAKE_BACKUP: &str = "Take Backup…";
pub(super) const KEEP_CURRENT: &str = "Keep Current…";
pub(super) const SKIP_2: &str = "Skip…";
pub(super) const ONE_BY_ONE: &str = "One by one";
// record.html
pub(super) const PREVIOUS: &str = "← Previous";
pub(super) const NEXT_2: &str = "Next →";
pub(super) const NEXT_UNDECIDED: &str = "Next undecided";
pub(super) const CHANGED_BY: &str = "! Changed by";
pub(super) const IN_THE_MEANTIME: &str = "in the meantime";
pub(super) const WHAT_YOU_CHOSE_WAS_NOT_SAVED: &str = "What you chose was not saved over it. The record is shown as it is decided now; choose again if you still want to.";
pub(super) const TAKE_BACKUP_2: &str = "Take Backup";
pub(super) const KEEP_CURRENT_2: &str = "Keep Current";
pub(super) const USE_THE_FIELDS_AS_CHOSEN_BELOW: &str = "Use the fields as chosen below";
pub(super) const INTO_THE_RECORD_THAT_EXISTS: &str = "Into the record that exists";
pub(super) const INSERT_UNDER_A_NEW_KEY: &str = "Insert under a new key";
pub(super) const SKIP_3: &str = "Skip";
pub(super) const TAKE_THE_DECISION_BACK: &str = "Take the decision back";
pub(super) const THEN_TO_THE_NEXT_UNDECIDED: &str = "then to the next undecided";
pub(super) const FIELD_BY_FIELD: &str = "Field by field";
pub(super) const FIELD: &str = "Field";
pub(super) const BASE: &str = "Base";
pub(super) const CURRENT: &str = "Current";
pub(super) const CHANGED: &str = "changed";
pub(super) const OF_2: &str = "of";
pub(super) const RESULT: &str = "Result";
pub(super) const DIFFERS: &str = "differs";
pub(super) const MY_OWN: &str = "My own";
pub(super) const MY_OWN_VALUE_FOR: &str = "My own value for";
pub(super) const EQUAL_SHOW: &str = "equal, show";
pub(super) const LINE_BY_LINE: &str = ", line by line";
pub(super) const LINKED_RECORDS: &str = "Linked records";
pub(super) const NONE_IN_THIS_ANALYSIS: &str = "None in this analysis.";
pub(super) const OPEN: &str = "Open";
pub(super) const CONFLICTS_ARE_LIKE_THIS_ONE: &str = "conflicts are like this one";
pub(super) const DECIDE_ALL_LIKE_THIS: &str = "Decide all like this";
// recovery.html
pub(super) const BACKUPS_MADE_HERE_ARE_ENCRYPTED_TO: &str =
    "Backups made here are encrypted to this key. Who loses it, and this machine, can read them no more.";
pub(super) const WRITE_IT_DOWN_OR_KEEP_IT: &str =
    "Write it down, or keep it in a password manager. It is shown on this page only, until you confirm it.";
pub(super) const ITS_LAST_FOUR_CHARACTERS: &str = "Its last four characters";
pub(super) const I_HAVE_KEPT_IT: &str = "I have kept it";
pub(super) const GO_ON_WITHOUT_ENCRYPTION: &str = "Go on without encryption";
// result.html
pub(super) const AGAINST_CURRENT: &str = "against Current";
pub(super) const READ: &str = ", read";
pub(super) const BACK_TO_THE_BACKUPS: &str = "Back to the backups";
pub(super) const REPORT: &str = "Report";
pub(super) const RECORDS_PER_TABLE_AND_CLASS: &str = "Records per table and class";
pub(super) const PARENTS_BEFORE_CHILDREN: &str = "· parents before children";
pub(super) const SHARE: &str = "Share";
pub(super) const IN_THE_BACKUP: &str = "in the backup";
pub(super) const TOTAL: &str = "Total";
pub(super) const HOW_THE_TABLES_REFER_TO_EACH: &str = "How the tables refer to each other";
pub(super) const A_LINE_LEADS_FROM_A_TABLE: &str =
    "A line leads from a table to the one it refers to. Parents are written first.";
pub(super) const WHAT_BECOMES_OF_IT: &str = "What becomes of it";
pub(super) const WITH_THE_STRATEGY: &str = "With the strategy";
pub(super) const A_MERGE_WOULD_WRITE: &str = "a merge would write:";
pub(super) const ANOTHER_STRATEGY: &str = "Another strategy";
pub(super) const KEEP_NEWER_CURRENT_RECORDS: &str = "keep newer current records";
pub(super) const USE_IT: &str = "Use it";
pub(super) const THE_CLASSES_ABOVE_STAY_AS_THEY: &str =
    "The classes above stay as they are whatever strategy is chosen; your own decisions go before it.";
pub(super) const HOW_IT_WAS_COMPARED: &str = "How it was compared";
pub(super) const SIDES: &str = "Sides";
pub(super) const KEPT_UNTIL: &str = "Kept until";
pub(super) const COLUMNS_EXIST_ONLY_IN_CURRENT_THEY: &str = "columns exist only in current; they keep their values";
pub(super) const NOTES: &str = "notes";
// review.html
pub(super) const EXACTLY_THIS_WILL_HAPPEN_IN: &str = "Exactly this will happen in";
pub(super) const ALL_OF_IT_IN_ONE_TRANSACTION: &str = ": all of it in one transaction, or nothing.";
pub(super) const BEFORE_THAT: &str = "! Before that";
pub(super) const WHAT_WILL_BE_WRITTEN_IN_THIS: &str = "What will be written, in this order";
pub(super) const NOT_WRITTEN: &str = "Not written";
pub(super) const MERGE_2: &str = "Merge";
pub(super) const LEAVE_OUT: &str = "Leave out";
pub(super) const BLOCKED: &str = "blocked";
pub(super) const RECORD_2: &str = "record";
pub(super) const EACH_IS_LISTED_AFTERWARDS: &str = "; each is listed afterwards";
pub(super) const MAKE_A_WHOLE_BACKUP_OF: &str = "Make a whole backup of";
pub(super) const FIRST_UNDO_WORKS_WITHOUT_IT_TOO: &str = "first (undo works without it, too)";
pub(super) const WILL_BE_DELETED: &str = "will be deleted";
pub(super) const THEY_ARE_IN: &str = "They are in";
pub(super) const NOW_AND_NOT_IN_THE_BACKUP: &str = "now and not in the backup. An undo brings them back.";
pub(super) const TYPE: &str = "Type";
pub(super) const TO_DELETE_THEM: &str = "to delete them";
pub(super) const IS_PROTECTED_TYPE_ITS_NAME: &str = "is protected. Type its name,";
pub(super) const NOTE_FOR_THE_HISTORY: &str = "Note for the history";
pub(super) const IF_YOU_LIKE: &str = "(if you like)";
pub(super) const DRY_RUN: &str = "Dry run";
pub(super) const APPROVAL: &str = "Another user approves this merge";
pub(super) const NOBODY_APPROVED: &str = "Nobody approved it as it is now.";
pub(super) const APPROVED_BY: &str = "Approved as it is now by";
pub(super) const APPROVAL_RULE: &str =
    "Whoever merges needs somebody else's approval; a change of any decision takes it away.";
pub(super) const APPROVE: &str = "Approve";
pub(super) const POWER: &str = "! This changes who may do what";
pub(super) const POWER_TEXT: &str =
    "A backup can make somebody an administrator, reset a password or plant a token. Look at";
pub(super) const POWER_SEEN: &str = "I looked at them; write them";
pub(super) const WHAT_IS_MADE_SURE: &str = "What is made sure";
pub(super) const SINCE_THE_ANALYSIS: &str = "Since the analysis";
// running.html
pub(super) const NOW_2: &str = "(now)";
pub(super) const SINCE: &str = "Since";
pub(super) const CANCEL_2: &str = "Cancel";
pub(super) const LOOK_AGAIN: &str = "Look again";
// setup.html
pub(super) const WELCOME: &str = "Welcome";
pub(super) const THREE_SHORT_STEPS_ABOUT_A_MINUTE: &str = "Three short steps, about a minute. There is no default password: this page opens once, with the link from the terminal.";
pub(super) const YOU_THE_ADMINISTRATOR: &str = "You, the administrator";
pub(super) const AT_LEAST_10_CHARACTERS_A_SENTENCE: &str = "At least 10 characters. A sentence is fine.";
pub(super) const YOUR_DATABASES: &str = "Your databases";
pub(super) const NO_DATABASE_IS_NAMED_YET_NAME: &str = "No database is named yet. Name one in";
pub(super) const AND_START_THE_SERVICE_AGAIN: &str = "and start the service again:";
pub(super) const DATABASES_ARE_NEVER_CONNECTED_OVER_THE: &str =
    "Databases are never connected over the web: what this service can reach is decided where it runs.";
pub(super) const CONNECTED: &str = "Connected";
pub(super) const TRIED_JUST_NOW: &str = "· tried just now";
pub(super) const FOUND_2: &str = "Found";
pub(super) const WHERE_BACKUPS_ARE_KEPT: &str = "Where backups are kept";
pub(super) const IN_2: &str = "In";
pub(super) const READABLE_BY_THIS_SERVICE_ONLY: &str = ", readable by this service only.";
pub(super) const THEY_ARE_ENCRYPTED_AS_THE_CONFIGURATION: &str = "They are encrypted, as the configuration says.";
pub(super) const ENCRYPT_BACKUPS_THAT_ARE_MADE_HERE: &str =
    "Encrypt backups that are made here. The recovery key is shown once, on the next page.";
pub(super) const FINISH: &str = "Finish";
// table.html
pub(super) const SEARCH_IN_THESE_RECORDS: &str = "Search in these records";
pub(super) const THAT_DIFFER_IN: &str = "That differ in";
pub(super) const ANY_COLUMN: &str = "any column";
pub(super) const ON_A_PAGE: &str = "On a page";
pub(super) const SHOW: &str = "Show";
pub(super) const ANALYZE_AGAIN_WITHOUT: &str = "Analyze again without";
pub(super) const NO_RECORD_HERE: &str = "No record here";
pub(super) const THIS_TABLE_HAS_NONE_OF_THIS: &str = "This table has none of this class that differs so.";
pub(super) const NONE_OF_THEM_HOLDS: &str = "None of them holds “";
pub(super) const SHOW_ALL: &str = "Show all";
pub(super) const WHAT_DIFFERS: &str = "· what differs;";
pub(super) const TICK: &str = "Tick";
pub(super) const CURRENT_AND_BACKUP_BELOW_IT: &str = "Current, and Backup below it";
pub(super) const BECOMES: &str = "Becomes";
pub(super) const TICKED_RECORDS: &str = "Ticked records:";
pub(super) const TICK_WITH: &str = "Tick with";
pub(super) const MOVE_WITH: &str = ", move with";
pub(super) const FIRST_PAGE: &str = "First page";
pub(super) const NEXT_PAGE: &str = "Next page";
pub(super) const IN_ALL: &str = "in all";
// undo.html
pub(super) const WILL_BE: &str = "✓ will be";
pub(super) const STAY_CHANGED_SINCE: &str = "= stay: changed since";
pub(super) const CANT_BE: &str = "× can't be";
pub(super) const THE_RECORDS: &str = "The records";
pub(super) const AND: &str = "and";
pub(super) const MORE: &str = "more.";
pub(super) const THERE_IS_NOTHING_LEFT_TO_TAKE: &str = "There is nothing left to take back.";
pub(super) const LEAVE_IT_AS_IT_IS: &str = "Leave it as it is";
// wizard.html
pub(super) const NAMES: &str = "Names";
pub(super) const IN_THE_BACKUP_2: &str = "In the backup";
pub(super) const IN_THE_DATABASE: &str = "In the database";
pub(super) const TIME_OF_CHANGE: &str = "Time of change";
pub(super) const CHOOSE: &str = "choose…";
pub(super) const NOT_IN_THIS_DATABASE_LEAVE_IT: &str = "not in this database: leave it out";
pub(super) const COMPARES: &str = "Compares";
pub(super) const WITH_A_CURRENT_DATABASE_RECORD_BY: &str =
    "with a current database, record by record. Nothing is changed by it.";
pub(super) const WHAT_DO_YOU_WANT: &str = "What do you want?";
pub(super) const INTO_WHICH_DATABASE: &str = "Into which database?";
pub(super) const NO_DATABASE_IS_NAMED_NAME_ONE: &str = "No database is named. Name one in";
pub(super) const UNDER: &str = ", under";
pub(super) const AND_START_THE_SERVICE_AGAIN_2: &str = ", and start the service again.";
pub(super) const PROTECTED_2: &str = "protected";
pub(super) const NAMES_ARE_MATCHED_EXACTLY_THEN_AFTER: &str =
    "Names are matched exactly, then after folding case, underscores and plural (";
pub(super) const WHERE_THAT_IS_NOT_UNIQUE_YOU: &str = "). Where that is not unique you are asked.";
pub(super) const MATCHED_BY_NAME_SHOW: &str = "matched by name, show";
pub(super) const NAMES_ARE_LOOKED_AT_ONCE_A: &str =
    "Names are looked at once a database is chosen; where one does not fit, this page comes back and asks.";
pub(super) const LEAVE_OUT_TABLES_AND_COLUMNS_THAT: &str =
    "Leave out tables and columns that this database does not have (each is listed)";
pub(super) const TABLES_STRATEGY_TIME_OF_CHANGE: &str = "Tables, strategy, time of change";
pub(super) const CONFLICTS_ARE_DECIDED_BY: &str = "Conflicts are decided by";
pub(super) const WHAT_FITS_YOUR_WISH_ABOVE: &str = "what fits your wish above";
pub(super) const KEEP_CURRENT_RECORDS_THAT_ARE_NEWER: &str = "Keep current records that are newer, whatever decides";
pub(super) const ONLY_SOME_TABLES_ANOTHER_COLUMN_OF: &str = "Only some tables, another column of change, deletions";
pub(super) const ONLY_THESE_TABLES: &str = "Only these tables";
pub(super) const NAMES_WITH_COMMAS_BETWEEN_EMPTY_ALL: &str =
    "Names with commas between; empty: all. Records they refer to are brought along.";
pub(super) const NOT_THESE_COLUMNS: &str = "Not these columns";
pub(super) const COLUMN_THAT_SAYS_WHEN_A_RECORD: &str = "Column that says when a record was last changed";
pub(super) const FOUND_BY_ITSELF_SUCH_AS_UPDATED: &str = "found by itself, such as updated_at";
pub(super) const NAME_OR_TABLE_NAME_A_TABLE: &str = "NAME or TABLE.NAME. A table without one: its conflicts are asked.";
pub(super) const RECORDS_THAT_THE_BACKUP_NO_LONGER: &str = "Records that the backup no longer has";
pub(super) const STAY_ALWAYS: &str = "stay, always";
pub(super) const GO_WHERE_AN_EARLIER_COMMON_BACKUP: &str =
    "go, where an earlier common backup shows that they were deleted";
pub(super) const GO_THE_TABLES_BECOME_EXACTLY_WHAT: &str =
    "go: the tables become exactly what the backup has (full restore)";
pub(super) const HOW_MANY_WOULD_GO_IS_SAID: &str = "How many would go is said before anything happens.";
pub(super) const LOOK_INTO_THE_BACKUP_FIRST: &str = "Look into the backup first";

// What the code behind the pages says, module by module.
// analysis.rs
pub(super) const NOTHING_DIFFERS: &str = "= nothing differs";
pub(super) const CURRENT_ALREADY_HAS_EVERYTHING_IN_THIS_BACKUP: &str = "Current already has everything in this backup";
pub(super) const A_MERGE_WOULD_WRITE_NOTHING: &str = "A merge would write nothing";
pub(super) const N_1_CONFLICT_WAITS: &str = "1 conflict waits";
pub(super) const LOOK: &str = "Look";
pub(super) const LIST: &str = "List";
pub(super) const TWO_WAY_NO_COMMON_BASE_IS_KNOWN: &str = "two-way: no common base is known";
pub(super) const ONE_THING_NEEDS_YOU: &str = "One thing needs you";
// backups.rs
pub(super) const NOT_KNOWN: &str = "not known";
pub(super) const SOME_TABLES: &str = "some tables";
pub(super) const NO_FILE_WAS_CHOSEN: &str = "no file was chosen";
pub(super) const CHOOSE_A_FILE_AND_UPLOAD_IT: &str = "Choose a file and upload it.";
pub(super) const THE_FORM_HOLDS_NO_FILE: &str = "the form holds no file";
// chrome.rs
pub(super) const NOBODY_IS_LOGGED_IN: &str = "nobody is logged in";
// deciding.rs
pub(super) const SOMEBODY_ELSE: &str = "somebody else";
pub(super) const NO_RECORD_WAS_TICKED: &str = "no record was ticked";
pub(super) const GO_BACK_AND_TICK_THE_RECORDS_THAT: &str = "Go back and tick the records that are meant.";
pub(super) const TYPE_RESTORE_ON_THE_REVIEW_PAGE_TO: &str = "Type RESTORE on the review page to go on.";
pub(super) const NO_TABLE_WAS_TICKED_NOTHING_WAS_TAKEN: &str = "no table was ticked; nothing was taken back";
// entry.rs
pub(super) const NOBODY_CAN_LOG_IN_YET_THE_FIRST: &str =
    "Nobody can log in yet: the first administrator has not been made.";
pub(super) const OPEN_THE_SET_UP_LINK_THAT_THE: &str = "Open the set-up link that the service printed when it started.";
pub(super) const THE_NAME_OR_THE_PASSWORD_IS_NOT: &str = "The name or the password is not right.";
pub(super) const THE_SET_UP_PAGE_OPENS_WITH_THE: &str = "The set-up page opens with the link that the service printed.";
pub(super) const LOOK_AT_THE_TERMINAL_OR_THE_LOG: &str = "Look at the terminal or the log of the service.";
// home.rs
pub(super) const NO_DATABASE_IS_NAMED_IN_THE_CONFIGURATION: &str =
    "No database is named in the configuration: add [targets.NAME] to merganser.toml.";
pub(super) const NO_BACKUP_WAS_VERIFIED_YET_VERIFYING_READS: &str =
    "No backup was verified yet. Verifying reads one to its end and compares its digest.";
pub(super) const THE_OUTCOME_OF_A_MERGE_IS_NOT: &str = "The outcome of a merge is not known; open it to find out.";
pub(super) const NOTHING_IS_HERE_YET_A_BACKUP_IS: &str = "Nothing is here yet. A backup is the first step.";
pub(super) const EVERYTHING_IS_DECIDED_NOTHING_WAITS_FOR_YOU: &str = "Everything is decided. Nothing waits for you.";
pub(super) const N_1_ANALYSIS_WAITS: &str = "1 analysis waits";
// html.rs
pub(super) const EMPTY_TEXT: &str = "empty text";
pub(super) const NO_RECORD_IN_CURRENT: &str = "no record in current";
pub(super) const NOT_CARRIED_BY_THE_BACKUP: &str = "not carried by the backup";
pub(super) const ONLY_HERE: &str = "only here";
pub(super) const NO_RECORDS: &str = "no records";
// merges.rs
pub(super) const UNDO: &str = "Undo";
pub(super) const REDO: &str = "Redo";
pub(super) const TAKEN_BACK: &str = "taken back";
pub(super) const ROLLED_BACK: &str = "rolled back";
pub(super) const RUNNING_OR_ENDED_WITHOUT_A_WORD: &str = "running, or ended without a word";
pub(super) const OUTCOME_NOT_KNOWN: &str = "outcome not known";
pub(super) const WAS_WRITTEN: &str = " was written";
pub(super) const WERE_WRITTEN: &str = " were written";
pub(super) const IT_IS_NOT_KNOWN_YET_HOW_THIS: &str = "It is not known yet how this ended.";
pub(super) const BEGAN: &str = "Began";
pub(super) const COMMITTED: &str = "Committed";
pub(super) const OPEN_WHAT_TOOK_IT_BACK: &str = "Open what took it back";
pub(super) const INSERTED_2: &str = "+ inserted";
pub(super) const UPDATED_2: &str = "~ updated";
pub(super) const DELETED_2: &str = "− deleted";
pub(super) const PUT_BACK: &str = "put back";
pub(super) const WILL_BE_PUT_BACK: &str = "Will be put back";
pub(super) const WILL_BE_TAKEN_BACK: &str = "Will be taken back";
pub(super) const EACH_RETURNS_TO_EXACTLY_WHAT_IT_WAS: &str = "Each returns to exactly what it was.";
pub(super) const STAYS_BECAUSE_IT_WAS_CHANGED_SINCE: &str = "Stays, because it was changed since";
pub(super) const YOUR_LATER_WORK_IS_NOT_OVERWRITTEN: &str = "Your later work is not overwritten.";
pub(super) const CANT_BE_TAKEN_BACK: &str = "Can't be taken back";
pub(super) const OTHER_RECORDS_REFER_TO_THESE_NOW: &str = "Other records refer to these now.";
pub(super) const PUT_BACK_2: &str = "Put back";
pub(super) const TAKE_BACK: &str = "Take back";
// operations.rs
pub(super) const ROLL_BACK: &str = "Roll back";
pub(super) const MAKING_A_BACKUP: &str = "Making a backup";
pub(super) const VERIFYING_A_BACKUP: &str = "Verifying a backup";
pub(super) const ANALYZING: &str = "Analyzing";
pub(super) const MERGING: &str = "Merging";
pub(super) const TRYING_WITHOUT_KEEPING_ANYTHING: &str = "Trying, without keeping anything";
pub(super) const TAKING_BACK: &str = "Taking back";
pub(super) const NOTHING_HAD_TO_BE_WRITTEN: &str = "Nothing had to be written";
pub(super) const GO_BACK: &str = "Go back";
pub(super) const IT_ENDED_WITHOUT_SAYING_WHY: &str = "it ended without saying why";
pub(super) const THE_OUTCOME_IS_NOT_KNOWN: &str = "The outcome is not known";
pub(super) const IT_WAS_NOT_DONE: &str = "It was not done";
pub(super) const THE_CONNECTION_WAS_LOST_WHILE_THE_CHANGES: &str =
    "The connection was lost while the changes were being committed. They are either all there or not at all.";
pub(super) const WHAT_IT_CHANGED_IS_NOT_KNOWN_LOOK: &str =
    "What it changed is not known; look at the database's state below.";
pub(super) const STOPPED: &str = "Stopped";
pub(super) const OPEN_THE_ANALYSIS: &str = "Open the analysis";
pub(super) const ANALYZE_THE_BACKUP_AGAIN_THE_DATABASE_CHANGED: &str =
    "Analyze the backup again; the database changed since.";
// patterns.rs
pub(super) const THE_WHOLE_RECORD: &str = "the whole record";
pub(super) const THE_BACKUPS_RECORDS_REPLACE_THE_CURRENT_ONES: &str =
    "The Backup's records replace the Current ones, except where a newer Current record is kept.";
pub(super) const THE_CURRENT_RECORDS_STAY_AS_THEY_ARE: &str =
    "The Current records stay as they are; nothing is written for these.";
pub(super) const NOTHING_IS_WRITTEN_FOR_THESE_AND_THEY: &str =
    "Nothing is written for these, and they count as left out.";
// record.rs
pub(super) const EVERY_COLUMN: &str = "every column";
pub(super) const N_1_COLUMN_IS_EQUAL_ON_BOTH_SIDES: &str = "1 column is equal on both sides";
pub(super) const NOT_THERE: &str = "not there";
pub(super) const NOT_IN_THE_BASE: &str = "not in the base";
pub(super) const PART_OF_THE_KEY_OR_COMPUTED: &str = "part of the key, or computed";
pub(super) const STAYS_THE_BACKUP_DOES_NOT_CARRY_IT: &str = "stays: the backup does not carry it";
pub(super) const DECIDED_TAKE_THE_BACKUPS_RECORD: &str = "Decided: take the Backup's record.";
pub(super) const DECIDED_KEEP_THE_CURRENT_RECORD: &str = "Decided: keep the Current record.";
pub(super) const DECIDED_WRITE_NOTHING_FOR_IT: &str = "Decided: write nothing for it.";
pub(super) const DECIDED_ITS_FIELDS_GO_INTO_THE_RECORD: &str = "Decided: its fields go into the record that exists.";
pub(super) const DECIDED_INSERT_IT_UNDER_A_NEW_KEY: &str = "Decided: insert it under a new key.";
// review.rs
pub(super) const CURRENT_IS_NEWER: &str = "current is newer";
pub(super) const CURRENT_STAYS: &str = "current stays";
pub(super) const LEFT_OUT: &str = "left out";
pub(super) const WAITING_FOR_YOU: &str = "waiting for you";
pub(super) const CANT_BE_WRITTEN: &str = "can't be written";
pub(super) const CHANGED_SINCE: &str = "changed since";
pub(super) const N_1_CONFLICT_WAITS_FOR_A_DECISION: &str = "1 conflict waits for a decision";
pub(super) const YOUR_ROLE_LOOKS_ONLY_AN_OPERATOR_OR: &str =
    "Your role looks only; an operator or an administrator merges.";
pub(super) const THIS_DATABASE_IS_NO_LONGER_IN_THE: &str = "This database is no longer in the configuration.";
pub(super) const IT_CAN_BE_MERGED_ONCE_EVERY_CONFLICT: &str = "It can be merged once every conflict is decided.";
pub(super) const NOTHING_WOULD_BE_WRITTEN_SO_THERE_IS: &str = "Nothing would be written, so there is nothing to merge.";
pub(super) const ONLY_AN_ADMINISTRATOR_WRITES_TO_A_PROTECTED: &str =
    "Only an administrator writes to a protected database.";
pub(super) const DRY_RUN_OF_THIS_ANALYSIS: &str = "dry run of this analysis";
pub(super) const THE_TABLES_ARE_AS_THEY_WERE_SEEN: &str =
    "✓ the tables are as they were, seen just now; each record is compared again under lock";
pub(super) const THE_TABLES_CHANGED_SINCE_ANALYZE_AGAIN: &str = "! the tables changed since; analyze again";
pub(super) const ABOUT_A_SECOND_THE_LOCK_INCLUDED: &str = "about a second, the lock included";
pub(super) const CONSTRAINTS: &str = "Constraints";
pub(super) const UNIQUE_KEY: &str = "unique key";
pub(super) const TRIGGERS: &str = "Triggers";
pub(super) const NONE_FIRE: &str = "none fire";
pub(super) const COUNTERS: &str = "Counters";
pub(super) const NONE_TO_MOVE_NO_TABLE_THAT_IS: &str = "none to move: no table that is written to counts its keys";
pub(super) const EXPECTED: &str = "Expected";
pub(super) const READING_BACK: &str = "Reading back";
pub(super) const EVERY_WRITTEN_RECORD_IS_READ_AGAIN_AND: &str =
    "every written record is read again and compared before the commit";
pub(super) const LOCK: &str = "Lock";
pub(super) const ONE_WRITER_OTHER_WRITERS_WAIT_UNTIL_THE: &str = "one writer: other writers wait until the commit";
pub(super) const THE_WRITTEN_RECORDS_ONLY_READING_GOES_ON: &str = "the written records only; reading goes on";
pub(super) const WAY_BACK: &str = "Way back";
pub(super) const WHAT_UNDO_NEEDS_IS_ON_DISK_BEFORE: &str = "what undo needs is on disk before the first write";
// schedules.rs
pub(super) const THE_NEWEST: &str = "the newest";
pub(super) const RETENTION: &str = "Retention";
pub(super) const OF_EACH_PERIOD_THE_NEWEST_BACKUP_IS: &str = "Of each period the newest backup is kept. What another backup needs stays, and so does the newest that was found sound.";
pub(super) const SCHEDULES: &str = "Schedules";
pub(super) const WHEN_BACKUPS_ARE_MADE_AND_HOW_LONG: &str = "When backups are made, and how long they are kept.";
pub(super) const OTHER_BACKUPS_WOULD_GO_THAN_WERE_SHOWN: &str =
    "other backups would go than were shown; none was removed";
pub(super) const OVERDUE: &str = " ! overdue";
pub(super) const RUNNING: &str = "▸ running";
pub(super) const HAS_NOT_RUN_YET: &str = "has not run yet";
pub(super) const NEXT_3: &str = "Next";
pub(super) const LAST_RUN: &str = "Last run";
pub(super) const TIMES_ARE_THOSE_OF_THE_SCHEDULES_OWN: &str = "Times are those of the schedule's own zone. An hour that daylight saving skips is caught up; one that comes twice runs once.";
// table.rs
pub(super) const UP_TO_8_FIELDS_EACH_OPEN_A: &str = "up to 8 fields each; open a record for all";
pub(super) const NO_COLUMN_IS_EQUAL: &str = "no column is equal";
// targets.rs
pub(super) const ITS_ADDRESS_CANT_BE_READ: &str = "its address can't be read";
pub(super) const MYSQL_OR_MARIADB: &str = "MySQL or MariaDB";
// upkeep.rs
pub(super) const SETTINGS: &str = "Settings";
pub(super) const ASKS_FOR_ITS_NAME: &str = "▲ asks for its name";
pub(super) const DATABASES: &str = "Databases";
pub(super) const THEY_ARE_NAMED_IN_MERGANSER_TOML_UNDER: &str =
    "They are named in merganser.toml, under [targets.NAME], and never over the web. Passwords are not shown.";
pub(super) const ENGINE: &str = "Engine";
pub(super) const ADDRESS: &str = "Address";
pub(super) const PROTECTED_3: &str = "Protected";
pub(super) const COLUMNS_WITH_A_ROLE: &str = "Columns with a role";
pub(super) const COLUMNS_WHOSE_NAME_SAYS_PASSWORD_TOKEN_OR: &str =
    "Columns whose name says password, token or secret are hidden without being named here.";
pub(super) const HIDDEN: &str = "Hidden";
pub(super) const NEVER_WRITTEN: &str = "Never written";
pub(super) const NOT_COMPARED: &str = "Not compared";
pub(super) const LIMITS: &str = "Limits";
pub(super) const LARGEST_UPLOAD: &str = "Largest upload";
pub(super) const STAYS_FREE_ON_THE_DISK: &str = "Stays free on the disk";
pub(super) const SESSION: &str = "Session";
pub(super) const N_30_MINUTES_WITHOUT_A_REQUEST_12_HOURS: &str = "30 minutes without a request, 12 hours at most";
pub(super) const WHAT_THIS_SERVICE_REACHES_AND_WHO_REACHES: &str = "What this service reaches, and who reaches it.";
pub(super) const NEW_BACKUPS: &str = "✓ new backups";
pub(super) const READING_ONLY: &str = "reading only";
pub(super) const YES: &str = "✓ yes";
pub(super) const NOT_YET_2: &str = "! not yet";
pub(super) const KEYS_2: &str = "Keys";
pub(super) const FINGERPRINT: &str = "Fingerprint";
pub(super) const USED_FOR: &str = "Used for";
pub(super) const IN_A_SAFE_PLACE: &str = "In a safe place";
pub(super) const NOTICES_2: &str = "Notices";
pub(super) const AFTER_A_SUCCESS: &str = "After a success";
pub(super) const AFTER_A_FAILURE: &str = "After a failure";
pub(super) const PEOPLE: &str = "People";
pub(super) const TOKENS_FOR_PROGRAMS: &str = "Tokens for programs";
pub(super) const SENT_AS_AUTHORIZATION_BEARER_SHOWN_ONCE_WHEN: &str =
    "Sent as Authorization: Bearer …; shown once when made, kept as a digest only.";
pub(super) const WHOSE: &str = "Whose";
pub(super) const FOR: &str = "For";
pub(super) const ENDS: &str = "Ends";
pub(super) const USED: &str = "Used";
pub(super) const THERE_IS_NO_SUCH_ROLE: &str = "there is no such role";
pub(super) const WRITE_A_NUMBER_OF_DAYS: &str = "write a number of days";
pub(super) const SERVICE: &str = "Service";
pub(super) const VERSION: &str = "Version";
pub(super) const RUNNING_FOR: &str = "Running for";
pub(super) const CLOCK: &str = "Clock";
pub(super) const DATA_FOLDER: &str = "Data folder";
pub(super) const FREE_ON_ITS_DISK: &str = "Free on its disk";
pub(super) const CONNECTION: &str = "Connection";
pub(super) const ENCRYPTED_TLS: &str = "✓ encrypted (TLS)";
pub(super) const NOT_ENCRYPTED_FOR_THIS_MACHINE_OR_BEHIND: &str = "not encrypted: for this machine, or behind a proxy";
pub(super) const LONGEST_VALUE: &str = "Longest value";
pub(super) const LONGEST_RECORD: &str = "Longest record";
pub(super) const UNPACKED_SIZE_OF_A_BACKUP: &str = "Unpacked size of a backup";
pub(super) const TABLES_OF_A_BACKUP: &str = "Tables of a backup";
pub(super) const TRIED_JUST_NOW_2: &str = "Tried just now.";
pub(super) const RUNNING_NOW: &str = "Running now";
pub(super) const NOTHING: &str = "Nothing.";
pub(super) const OPERATION: &str = "Operation";
pub(super) const HOW_THE_SERVICE_IS_AND_WHAT_IT: &str = "How the service is, and what it reaches.";
// wizard.rs
pub(super) const NO_DATABASE_WAS_CHOSEN: &str = "no database was chosen";
pub(super) const WRITE_THE_COLUMN_OF_CHANGE_AS_TABLE: &str = "write the column of change as TABLE.COLUMN";

/// The sentences with holes; `format!` fills them.
macro_rules! phrase {
    (READY_TO_BE_MERGED) => {
        "{} ready to be merged"
    };
    (TO_DECIDE_2) => {
        "{} to decide"
    };
    (WAIT_FOR_A_DECISION_OF_THE_CONFLICTS) => {
        "{} wait for a decision; {} of the conflicts differ in the same way"
    };
    (FOR_A_DECISION) => {
        "{} for a decision"
    };
    (CONFLICTS_WAIT) => {
        "{} conflicts wait"
    };
    (CANT_BE_WRITTEN_IN_ALL) => {
        "{} can't be written in all"
    };
    (WITH_THE_BASE) => {
        "{}, with the base {}"
    };
    (THINGS_NEED_YOU) => {
        "{} things need you"
    };
    (NEW_UPDATED_CONFLICT_UNCHANGED_BLOCKED_LEFT_OUT) => {
        "new + updated + conflict + unchanged + blocked + left out = {} in the backup. What is only in current is never touched unless deletions were asked for."
    };
    (THE_UPLOAD_CANT_BE_READ_NOTHING_WAS) => {
        "the upload can't be read: {}; nothing was kept"
    };
    (IS_NOT_THE_NAME_OF_THE_BACKUP) => {
        "{confirm:?} is not the name of the backup; it was not removed"
    };
    (TYPE_2) => {
        "Type {}."
    };
    (IS_RUNNING) => {
        "{} is running"
    };
    (IS_NONE_OF_BACKUP_CURRENT_SKIP_INTO) => {
        "{other:?} is none of backup, current, skip, into-existing, new-key, fields and clear"
    };
    (WERE_SHOWN_NOW_THERE_ARE_NOTHING_WAS) => {
        "{} were shown, now there are {}; nothing was decided"
    };
    (TO_WAIT) => {
        "{}: {} to wait."
    };
    (FOR_YOUR_DECISIONS) => {
        "{} for your decisions."
    };
    (ANALYSES_WAIT) => {
        "{n} analyses wait"
    };
    (NOTHING_ELSE) => {
        "{}, nothing else"
    };
    (THIS_WAS_DONE_AND_TAKEN_BACK_BY) => {
        "This was done, and taken back by {}."
    };
    (IT_WAS_ROLLED_BACK) => {
        "It was rolled back. {}"
    };
    (PLANNED_AND_WRITTEN_ARE_THE_SAME_EACH) => {
        "{} — planned and written are the same, each was read back"
    };
    (OF_BY_IN_WHAT_SOMEBODY_CHANGED_SINCE) => {
        "Of {} by {}, in {}. What somebody changed since stays as it is."
    };
    (OF_RECORDS) => {
        "{table}: {} of {} records"
    };
    (RECORDS_SO_FAR) => {
        "{table}: {} records so far"
    };
    (IN_IN_ONE_TRANSACTION) => {
        "In {target}, in one transaction."
    };
    (AGAINST_NOTHING_IS_CHANGED_BY_IT) => {
        "Against {target}. Nothing is changed by it."
    };
    (OF_3) => {
        "Of {target}."
    };
    (OF_THIS_TABLE) => {
        "{p} % of this table"
    };
    (EVERYTHING_WAS_AS_IT_SHOULD_BE_ALREADY) => {
        "{} Everything was as it should be already."
    };
    (IN_DIFFER_ONLY_IN_IGNORE_THIS_COLUMN) => {
        "{} in {} differ only in {}: ignore this column?"
    };
    (LEAVE_AS_IT_IS_IN_CURRENT) => {
        "Leave {} as it is in Current…"
    };
    (IS_NONE_OF_BACKUP_CURRENT_AND_SKIP) => {
        "{take:?} is none of backup, current and skip"
    };
    (COLUMNS_ARE_EQUAL_ON_BOTH_SIDES) => {
        "{n} columns are equal on both sides"
    };
    (ALL_IN_FOR_THE_SAME_REASON_DIFFERING) => {
        "All in {}, for the same reason, differing in {}."
    };
    (DECIDED_BY_FIELD) => {
        "Decided by field: {}."
    };
    (AS_THE_STRATEGY_HAS_IT) => {
        "As the strategy has it: {}"
    };
    (REFERS_TO) => {
        "refers to {}"
    };
    (REFERS_TO_THIS_TABLE_THERE_DIFFER) => {
        "{} refers to this table: {} there differ"
    };
    (CONFLICTS_WAIT_FOR_A_DECISION) => {
        "{} conflicts wait for a decision"
    };
    (CANT_BE_WRITTEN_2) => {
        "{} can't be written"
    };
    (IT_WAS_MERGED_ALREADY_AS) => {
        "It was merged already, as {done}"
    };
    (DRY_RUN_INSERTED_UPDATED_DELETED_READ_BACK) => {
        "Dry run: {} inserted, {} updated, {} deleted, read back, checked and rolled back. {}"
    };
    (ABOUT_SECONDS_THE_LOCK_INCLUDED) => {
        "about {seconds} seconds, the lock included"
    };
    (ABOUT_MINUTES_THE_LOCK_INCLUDED) => {
        "about {} minutes, the lock included"
    };
    (AND_ARE_CHECKED) => {
        "{}, {} and {} are checked"
    };
    (MOVE_ON_BEHIND_THE_HIGHEST_KEY_NEVER) => {
        "move on behind the highest key, never back: {}"
    };
    (IS_NO_NUMBER) => {
        "{text:?} is no number"
    };
    (EQUAL_COLUMNS_IN_THE_FIRST_RECORD_ARE) => {
        "equal columns ({n} in the first record) are on the record's own page"
    };
    (THE_NEW_TOKEN_SHOWN_ONLY_NOW) => {
        "The new token, shown only now: {token}"
    };
    (ONLY_OWN_RECORDS_IN) => {
        " · only own records in {}"
    };
}
pub(super) use phrase;

/// Returns the name of a class.
pub(super) fn class(word: &str) -> &'static str {
    match word {
        "new" => "new",
        "updated" => "updated",
        "conflict" => "conflict",
        "unchanged" => "unchanged",
        "blocked" => "blocked",
        "excluded" => "left out",
        _ => "only in current",
    }
}

/// Returns the sign of a class, so that none is only a colour.
pub(super) fn sign(word: &str) -> &'static str {
    match word {
        "new" => "+",
        "updated" => "~",
        "conflict" => "!",
        "unchanged" => "=",
        "blocked" => "×",
        "excluded" => "–",
        _ => "·",
    }
}

/// Explains a class in a sentence.
pub(super) fn class_explained(word: &str) -> &'static str {
    match word {
        "new" => "In the backup only. A merge inserts them, if the strategy brings them.",
        "updated" => "The backup's record completes or replaces the current one.",
        "conflict" => "Both sides hold something else, and nothing but a strategy or you can say which is right.",
        "blocked" => "They can't be written as they are; each says why.",
        "excluded" => "Left out by a filter.",
        _ => "Only in the current database. They are never touched unless deletions were asked for.",
    }
}

/// Returns what became or becomes of a record, in words.
pub(super) fn outcome(word: &str) -> &'static str {
    match word {
        "inserted" => "+ inserted",
        "updated" => "~ updated",
        "deleted" => "− deleted",
        "kept_newer" => "= current stays: it is newer",
        "kept" => "= current stays",
        "skipped" => "– left out",
        "undecided" => "? waits for you",
        "blocked" => "× can't be written",
        "stale" => "! changed since",
        _ => "not settled",
    }
}

/// Returns a phase in words.
pub(super) fn phase(word: &str) -> &'static str {
    match word {
        "queued" => "Wait for a place",
        "upload" => "Take the file",
        "schema" => "Read the shape of the database",
        "compare" => "Read and compare records",
        "check" => "Check references and constraints",
        "settle" => "Decide",
        "lock" => "Lock, and look for changes since the analysis",
        "record" => "Write down what undo needs",
        "write" => "Write",
        "verify" => "Read back what was written",
        "commit" => "Commit",
        _ => "Work",
    }
}

/// Writes a number with thin groups, so that large ones can be read.
pub(super) fn grouped(number: impl std::borrow::Borrow<u64>) -> String {
    let digits = number.borrow().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Writes a count with its noun.
pub(super) fn plural(count: impl std::borrow::Borrow<u64>, noun: &str) -> String {
    let count = *count.borrow();
    if count == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(count)) }
}

/// Writes a count of records.
pub(super) fn records(count: impl std::borrow::Borrow<usize>) -> String {
    plural(*count.borrow() as u64, "record")
}

/// Writes a count of columns.
pub(super) fn columns(count: impl std::borrow::Borrow<usize>) -> String {
    plural(*count.borrow() as u64, "column")
}

/// Says how many backups are older than those that are shown.
pub(super) fn older(count: u64) -> String {
    format!("… and {} older", plural(count, "backup"))
}

/// Reminds of a key that is in one place only.
pub(super) fn export_reminder(name: &str) -> String {
    format!(
        "! The key {name} is on this machine only. Lose it, lose the backups: run 'merganser key export {name} --out FILE' and keep the file elsewhere."
    )
}

/// Says what a retention keeps and lets go.
pub(super) fn would_go(kept: u64, gone: u64) -> String {
    format!("{} kept, {} would go", grouped(kept), grouped(gone))
}

/// Names the button that lets backups go.
pub(super) fn remove_backups(count: u64) -> String {
    format!("Remove {}", plural(count, "backup"))
}

/// Labels a rule of retention.
pub(super) fn keep(what: &str) -> String {
    format!("Keep {what}")
}

/// Says how many tables a picture leaves out.
pub(super) fn not_drawn(count: u64) -> String {
    format!("{} in which nothing differs, or that there is no room for, not drawn.", plural(count, "table"))
}

/// Says how long ago something was.
pub(super) fn ago(age: &str) -> String {
    format!("{age} ago")
}

/// Says how many records would change who may do what.
pub(super) fn power_needs(count: u64) -> String {
    format!("{} would change who may do what: roles, rights, passwords or tokens", plural(count, "record"))
}

/// Says how many are told.
pub(super) fn told(count: u64) -> String {
    if count == 0 { "nobody".to_owned() } else { plural(count, "receiver") }
}

/// Says how many tables refer to themselves around a circle.
pub(super) fn circles(count: u64) -> String {
    format!("{} in a circle of references", plural(count, "table"))
}

/// Says how many days had no backup.
pub(super) fn days_without(count: u64) -> String {
    format!("{} without", plural(count, "day"))
}

/// Writes a size in bytes for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => plural(bytes, "byte"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests;
