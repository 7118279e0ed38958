//! What the templates say, page by page.

// analyses.html
pub(in crate::server::pages) const ANALYSES: &str = "Analyses";
pub(in crate::server::pages) const COMPARISONS_THAT_ARE_SAVED_AND_CAN: &str =
    "Comparisons that are saved and can still be merged.";
pub(in crate::server::pages) const NO_OPEN_ANALYSIS: &str = "No open analysis";
pub(in crate::server::pages) const CHOOSE_A_BACKUP_AND_PRESS: &str = "Choose a backup and press “";
pub(in crate::server::pages) const NOTHING_IS_CHANGED_BY_IT: &str = "”. Nothing is changed by it.";
pub(in crate::server::pages) const BACKUPS: &str = "Backups";
pub(in crate::server::pages) const SAVED: &str = "saved";
pub(in crate::server::pages) const BACKUP: &str = "Backup";
pub(in crate::server::pages) const INTO: &str = "Into";
pub(in crate::server::pages) const MADE: &str = "Made";
pub(in crate::server::pages) const RECORDS: &str = "Records";
pub(in crate::server::pages) const STATE: &str = "State";
pub(in crate::server::pages) const TO_DECIDE: &str = "to decide";
pub(in crate::server::pages) const MERGED: &str = "merged";
pub(in crate::server::pages) const READY: &str = "ready";
// backups.html
pub(in crate::server::pages) const BACKUPS_THAT_ARE_KEPT_HERE_LOOKING: &str =
    "Backups that are kept here. Looking at one or analyzing it changes nothing.";
pub(in crate::server::pages) const UPLOAD_A_BACKUP: &str = "Upload a backup";
pub(in crate::server::pages) const A_FILE_JSON_SQL_SQLITE_CSV: &str =
    "A file: JSON, SQL, SQLite, CSV, ZIP, TAR, also compressed";
pub(in crate::server::pages) const OR_DROP_IT_HERE: &str = "…or drop it here.";
pub(in crate::server::pages) const UPLOAD: &str = "Upload";
pub(in crate::server::pages) const MAKE_ONE: &str = "Make one";
pub(in crate::server::pages) const NO_DATABASE_IS_NAMED_IN_THE: &str = "No database is named in the configuration.";
pub(in crate::server::pages) const OF_WHICH_DATABASE: &str = "Of which database";
pub(in crate::server::pages) const BACK_UP_NOW: &str = "Back up now";
pub(in crate::server::pages) const NO_BACKUPS_YET: &str = "No backups yet";
pub(in crate::server::pages) const KEPT: &str = "kept";
pub(in crate::server::pages) const NEWEST_FIRST: &str = "· newest first";
pub(in crate::server::pages) const WHEN: &str = "When";
pub(in crate::server::pages) const OF: &str = "Of";
pub(in crate::server::pages) const SIZE: &str = "Size";
pub(in crate::server::pages) const CHECKED: &str = "Checked";
pub(in crate::server::pages) const ACTIONS: &str = "Actions";
pub(in crate::server::pages) const ENCRYPTED: &str = "· encrypted";
pub(in crate::server::pages) const NOT_YET: &str = "not yet";
// error.html
pub(in crate::server::pages) const NEXT: &str = "Next:";
// history.html
pub(in crate::server::pages) const HISTORY: &str = "History";
pub(in crate::server::pages) const WHAT_WAS_DONE_BY_WHOM_WHEN: &str =
    "What was done, by whom, when. Each entry carries the digest of the one before.";
pub(in crate::server::pages) const EXPORT_JSONL: &str = "Export JSONL";
pub(in crate::server::pages) const EXPORT_CSV: &str = "Export CSV";
pub(in crate::server::pages) const UNBROKEN: &str = "unbroken";
pub(in crate::server::pages) const THE_LOG_IS_AS_IT_WAS: &str = "The log is as it was written:";
pub(in crate::server::pages) const ENTRY: &str = "entry";
pub(in crate::server::pages) const ENTRIES: &str = "entries";
pub(in crate::server::pages) const CHECKED_JUST_NOW: &str = ", checked just now.";
pub(in crate::server::pages) const THE_LOG_IS_NOT_AS_IT: &str = "× The log is not as it was written";
pub(in crate::server::pages) const WHO_WHAT_OR_WHICH_DATABASE: &str = "Who, what or which database";
pub(in crate::server::pages) const FILTER: &str = "Filter";
pub(in crate::server::pages) const NOTHING_HERE: &str = "Nothing here";
pub(in crate::server::pages) const NOTHING_WAS_DONE_YET: &str = "Nothing was done yet.";
pub(in crate::server::pages) const NO_ENTRY_HOLDS: &str = "No entry holds “";
pub(in crate::server::pages) const WHAT: &str = "What";
pub(in crate::server::pages) const WHO: &str = "Who";
pub(in crate::server::pages) const DATABASE: &str = "Database";
pub(in crate::server::pages) const NOTE: &str = "Note";
pub(in crate::server::pages) const PAGES: &str = "Pages";
pub(in crate::server::pages) const OLDER: &str = "Older";
// home.html
pub(in crate::server::pages) const BRING_BACK_DATA_FROM_A_BACKUP: &str = "Bring back data from a backup";
pub(in crate::server::pages) const BACK_UP: &str = "Back up";
pub(in crate::server::pages) const NOW: &str = "now";
pub(in crate::server::pages) const WORTH_A_LOOK: &str = "! Worth a look";
pub(in crate::server::pages) const LAST_BACKUP: &str = "Last backup";
pub(in crate::server::pages) const RECORDS_2: &str = "records,";
pub(in crate::server::pages) const VERIFIED: &str = "✓ verified";
pub(in crate::server::pages) const NOT_VERIFIED_YET: &str = "! not verified yet";
pub(in crate::server::pages) const OPEN_ANALYSES: &str = "Open analyses";
pub(in crate::server::pages) const NONE_AN_ANALYSIS_COMPARES_A_BACKUP: &str =
    "None. An analysis compares a backup with a database and changes nothing.";
pub(in crate::server::pages) const INTO_2: &str = "into";
pub(in crate::server::pages) const NEXT_SCHEDULED_BACKUP: &str = "Next scheduled backup";
pub(in crate::server::pages) const NOTHING_IS_SCHEDULED: &str = "Nothing is scheduled.";
pub(in crate::server::pages) const SCHEDULES_AND_RETENTION: &str = "Schedules and retention";
pub(in crate::server::pages) const LAST_MERGES: &str = "Last merges";
pub(in crate::server::pages) const NOTHING_WAS_MERGED_YET: &str = "Nothing was merged yet.";
// inspect.html
pub(in crate::server::pages) const VERIFY: &str = "Verify";
pub(in crate::server::pages) const DOWNLOAD: &str = "Download";
pub(in crate::server::pages) const TAKEN: &str = "Taken";
pub(in crate::server::pages) const KIND: &str = "Kind";
pub(in crate::server::pages) const RECORDS_3: &str = "records";
pub(in crate::server::pages) const BLAKE3: &str = "BLAKE3";
pub(in crate::server::pages) const THIS_BACKUP_CANT_BE_READ_TO: &str = "× This backup can't be read to its end";
pub(in crate::server::pages) const NOTHING_WAS_CHANGED_THE_PART_BEFORE: &str =
    "Nothing was changed. The part before that place is shown below where it could be read.";
pub(in crate::server::pages) const FOUND_WHILE_READING: &str = "! Found while reading";
pub(in crate::server::pages) const SEARCH_A_RECORD_BY_KEY_OR: &str = "Search a record by key or text";
pub(in crate::server::pages) const SEARCH: &str = "Search";
pub(in crate::server::pages) const FOUND: &str = "Found “";
pub(in crate::server::pages) const THE_FIRST_OF_MORE: &str = ", the first of more";
pub(in crate::server::pages) const TABLE: &str = "Table";
pub(in crate::server::pages) const RECORD: &str = "Record";
pub(in crate::server::pages) const NO_RECORD_HOLDS_IT: &str = "No record holds it.";
pub(in crate::server::pages) const TABLES: &str = "Tables";
pub(in crate::server::pages) const AS_IT_SAYS_ITSELF: &str = "As it says itself";
pub(in crate::server::pages) const COLUMNS: &str = "Columns";
pub(in crate::server::pages) const THE_FIRST_RECORDS: &str = ": the first records";
pub(in crate::server::pages) const REMOVE_THIS_BACKUP: &str = "Remove this backup";
pub(in crate::server::pages) const THE_FILE_AND_ITS_ENTRY_GO: &str = "The file and its entry go. Merges that were made from it can still be undone: what they need is in their receipts.";
pub(in crate::server::pages) const TYPE_ITS_NAME: &str = "Type its name,";
// keys.html
pub(in crate::server::pages) const EVERYTHING_WORKS_WITHOUT_THEM_TOO: &str = "Everything works without them, too.";
pub(in crate::server::pages) const SWITCH_SINGLE_LETTER_KEYS_OFF_IN: &str =
    "Switch single-letter keys off in this browser";
// layout.html
pub(in crate::server::pages) const MERGANSER: &str = "· merganser";
pub(in crate::server::pages) const MERGANSER_2: &str = "merganser";
// login.html
pub(in crate::server::pages) const LOG_IN: &str = "Log in";
pub(in crate::server::pages) const BRING_RECORDS_FROM_A_BACKUP_INTO: &str =
    "Bring records from a backup into a current database, and take it back if you like.";
pub(in crate::server::pages) const NAME: &str = "Name";
pub(in crate::server::pages) const PASSWORD: &str = "Password";
pub(in crate::server::pages) const WHAT_YOU_DECIDED_BEFORE_IS_KEPT: &str =
    "What you decided before is kept: a session that ends loses no decision.";
// outcome.html
pub(in crate::server::pages) const FIND_OUT: &str = "Find out";
pub(in crate::server::pages) const WHAT_WAS_WRITTEN: &str = "What was written";
pub(in crate::server::pages) const INSERTED: &str = "Inserted";
pub(in crate::server::pages) const UPDATED: &str = "Updated";
pub(in crate::server::pages) const DELETED: &str = "Deleted";
// part_log.html
pub(in crate::server::pages) const DOWNLOAD_THE_LOG: &str = "Download the log";
pub(in crate::server::pages) const ITS_LAST_2_000_LINES_WITHOUT: &str =
    "its last 2,000 lines, without passwords and secrets";
// part_notice.html
pub(in crate::server::pages) const SEND_A_TEST_NOTICE: &str = "Send a test notice";
// part_person.html
pub(in crate::server::pages) const ADD_SOMEBODY: &str = "Add somebody";
pub(in crate::server::pages) const ROLE: &str = "Role";
pub(in crate::server::pages) const VIEWER_LOOKS: &str = "viewer: looks";
pub(in crate::server::pages) const OPERATOR_MERGES_NOT_INTO_PROTECTED_DATABASES: &str =
    "operator: merges, not into protected databases";
pub(in crate::server::pages) const ADMIN_EVERYTHING: &str = "admin: everything";
pub(in crate::server::pages) const ADD: &str = "Add";
// part_retention.html
pub(in crate::server::pages) const SHOW_WHAT_WOULD_GO: &str = "Show what would go";
// part_schedule.html
pub(in crate::server::pages) const ADD_ONE: &str = "Add one";
pub(in crate::server::pages) const WHEN_AS_CRON: &str = "When, as cron";
pub(in crate::server::pages) const TIME_ZONE: &str = "Time zone";
pub(in crate::server::pages) const KEEP_DAYS: &str = "Keep days";
pub(in crate::server::pages) const FORMAT: &str = "Format";
pub(in crate::server::pages) const SCHEDULED_FORMATS: [(&str, &str); 8] = [
    ("smart-backup", "Smart Backup"),
    ("table-map", "Map of tables"),
    ("ndjson", "ZIP of NDJSON"),
    ("rayerp", "RayERP"),
    ("django", "Django, Baby Buddy"),
    ("jarvis-system", "Jarvis, all users"),
    ("baluhost", "BaluHost"),
    ("sqlite", "SQLite file"),
];
// part_token.html
pub(in crate::server::pages) const WHAT_IT_IS_FOR: &str = "What it is for";
pub(in crate::server::pages) const IT_MAY_BE_USED_FOR: &str = "It may be used for";
pub(in crate::server::pages) const DAYS_UNTIL_IT_ENDS: &str = "Days until it ends";
pub(in crate::server::pages) const MAKE: &str = "Make";
// patterns.html
pub(in crate::server::pages) const CONFLICTS: &str = "Conflicts";
pub(in crate::server::pages) const IN: &str = "in";
pub(in crate::server::pages) const PATTERN: &str = "pattern";
pub(in crate::server::pages) const PATTERNS: &str = "patterns";
pub(in crate::server::pages) const CONFLICTS_OF_ONE_PATTERN_DIFFER_IN: &str =
    "Conflicts of one pattern differ in the same fields, for the same reason. Decide them together, or one by one.";
pub(in crate::server::pages) const REVIEW: &str = "Review";
pub(in crate::server::pages) const NOT_NOW: &str = "Not now";
pub(in crate::server::pages) const NO_CONFLICTS: &str = "No conflicts";
pub(in crate::server::pages) const EVERY_RECORD_THAT_DIFFERS_HAS_A: &str =
    "Every record that differs has a clear side.";
pub(in crate::server::pages) const EVERY_CONFLICT_IS_DECIDED_NEXT_REVIEW: &str =
    "✓ Every conflict is decided. Next: Review.";
pub(in crate::server::pages) const CONFLICTS_BY_PATTERN: &str = "Conflicts by pattern";
pub(in crate::server::pages) const TABLE_AND_FIELDS: &str = "Table and fields";
pub(in crate::server::pages) const WHY: &str = "Why";
pub(in crate::server::pages) const DECIDE_ALL: &str = "Decide all";
pub(in crate::server::pages) const DECIDED: &str = "decided";
pub(in crate::server::pages) const TAKE_BACKUP: &str = "Take Backup…";
pub(in crate::server::pages) const KEEP_CURRENT: &str = "Keep Current…";
pub(in crate::server::pages) const SKIP_2: &str = "Skip…";
pub(in crate::server::pages) const ONE_BY_ONE: &str = "One by one";
// record.html
pub(in crate::server::pages) const PREVIOUS: &str = "← Previous";
pub(in crate::server::pages) const NEXT_2: &str = "Next →";
pub(in crate::server::pages) const NEXT_UNDECIDED: &str = "Next undecided";
pub(in crate::server::pages) const CHANGED_BY: &str = "! Changed by";
pub(in crate::server::pages) const IN_THE_MEANTIME: &str = "in the meantime";
pub(in crate::server::pages) const WHAT_YOU_CHOSE_WAS_NOT_SAVED: &str = "What you chose was not saved over it. The record is shown as it is decided now; choose again if you still want to.";
pub(in crate::server::pages) const TAKE_BACKUP_2: &str = "Take Backup";
pub(in crate::server::pages) const KEEP_CURRENT_2: &str = "Keep Current";
pub(in crate::server::pages) const USE_THE_FIELDS_AS_CHOSEN_BELOW: &str = "Use the fields as chosen below";
pub(in crate::server::pages) const INTO_THE_RECORD_THAT_EXISTS: &str = "Into the record that exists";
pub(in crate::server::pages) const INSERT_UNDER_A_NEW_KEY: &str = "Insert under a new key";
pub(in crate::server::pages) const SKIP_3: &str = "Skip";
pub(in crate::server::pages) const TAKE_THE_DECISION_BACK: &str = "Take the decision back";
pub(in crate::server::pages) const THEN_TO_THE_NEXT_UNDECIDED: &str = "then to the next undecided";
pub(in crate::server::pages) const FIELD_BY_FIELD: &str = "Field by field";
pub(in crate::server::pages) const FIELD: &str = "Field";
pub(in crate::server::pages) const BASE: &str = "Base";
pub(in crate::server::pages) const CURRENT: &str = "Current";
pub(in crate::server::pages) const CHANGED: &str = "changed";
pub(in crate::server::pages) const OF_2: &str = "of";
pub(in crate::server::pages) const RESULT: &str = "Result";
pub(in crate::server::pages) const DIFFERS: &str = "differs";
pub(in crate::server::pages) const MY_OWN: &str = "My own";
pub(in crate::server::pages) const MY_OWN_VALUE_FOR: &str = "My own value for";
pub(in crate::server::pages) const EQUAL_SHOW: &str = "equal, show";
pub(in crate::server::pages) const LINE_BY_LINE: &str = ", line by line";
pub(in crate::server::pages) const LINKED_RECORDS: &str = "Linked records";
pub(in crate::server::pages) const NONE_IN_THIS_ANALYSIS: &str = "None in this analysis.";
pub(in crate::server::pages) const OPEN: &str = "Open";
pub(in crate::server::pages) const CONFLICTS_ARE_LIKE_THIS_ONE: &str = "conflicts are like this one";
pub(in crate::server::pages) const DECIDE_ALL_LIKE_THIS: &str = "Decide all like this";
// recovery.html
pub(in crate::server::pages) const BACKUPS_MADE_HERE_ARE_ENCRYPTED_TO: &str =
    "Backups made here are encrypted to this key. Who loses it, and this machine, can read them no more.";
pub(in crate::server::pages) const WRITE_IT_DOWN_OR_KEEP_IT: &str =
    "Write it down, or keep it in a password manager. It is shown on this page only, until you confirm it.";
pub(in crate::server::pages) const ITS_LAST_FOUR_CHARACTERS: &str = "Its last four characters";
pub(in crate::server::pages) const I_HAVE_KEPT_IT: &str = "I have kept it";
pub(in crate::server::pages) const GO_ON_WITHOUT_ENCRYPTION: &str = "Go on without encryption";
// result.html
pub(in crate::server::pages) const AGAINST_CURRENT: &str = "against Current";
pub(in crate::server::pages) const READ: &str = ", read";
pub(in crate::server::pages) const BACK_TO_THE_BACKUPS: &str = "Back to the backups";
pub(in crate::server::pages) const REPORT: &str = "Report";
pub(in crate::server::pages) const RECORDS_PER_TABLE_AND_CLASS: &str = "Records per table and class";
pub(in crate::server::pages) const PARENTS_BEFORE_CHILDREN: &str = "· parents before children";
pub(in crate::server::pages) const SHARE: &str = "Share";
pub(in crate::server::pages) const IN_THE_BACKUP: &str = "in the backup";
pub(in crate::server::pages) const TOTAL: &str = "Total";
pub(in crate::server::pages) const HOW_THE_TABLES_REFER_TO_EACH: &str = "How the tables refer to each other";
pub(in crate::server::pages) const A_LINE_LEADS_FROM_A_TABLE: &str =
    "A line leads from a table to the one it refers to. Parents are written first.";
pub(in crate::server::pages) const WHAT_BECOMES_OF_IT: &str = "What becomes of it";
pub(in crate::server::pages) const WITH_THE_STRATEGY: &str = "With the strategy";
pub(in crate::server::pages) const A_MERGE_WOULD_WRITE: &str = "a merge would write:";
pub(in crate::server::pages) const ANOTHER_STRATEGY: &str = "Another strategy";
pub(in crate::server::pages) const KEEP_NEWER_CURRENT_RECORDS: &str = "keep newer current records";
pub(in crate::server::pages) const USE_IT: &str = "Use it";
pub(in crate::server::pages) const THE_CLASSES_ABOVE_STAY_AS_THEY: &str =
    "The classes above stay as they are whatever strategy is chosen; your own decisions go before it.";
pub(in crate::server::pages) const HOW_IT_WAS_COMPARED: &str = "How it was compared";
pub(in crate::server::pages) const SIDES: &str = "Sides";
pub(in crate::server::pages) const KEPT_UNTIL: &str = "Kept until";
pub(in crate::server::pages) const COLUMNS_EXIST_ONLY_IN_CURRENT_THEY: &str =
    "columns exist only in current; they keep their values";
pub(in crate::server::pages) const ONE_NOTE: &str = "note";
// review.html
pub(in crate::server::pages) const EXACTLY_THIS_WILL_HAPPEN_IN: &str = "Exactly this will happen in";
pub(in crate::server::pages) const ALL_OF_IT_IN_ONE_TRANSACTION: &str = ": all of it in one transaction, or nothing.";
pub(in crate::server::pages) const BEFORE_THAT: &str = "! Before that";
pub(in crate::server::pages) const WHAT_WILL_BE_WRITTEN_IN_THIS: &str = "What will be written, in this order";
pub(in crate::server::pages) const NOT_WRITTEN: &str = "Not written";
pub(in crate::server::pages) const MERGE_2: &str = "Merge";
pub(in crate::server::pages) const LEAVE_OUT: &str = "Leave out";
pub(in crate::server::pages) const BLOCKED: &str = "blocked";
pub(in crate::server::pages) const RECORD_2: &str = "record";
pub(in crate::server::pages) const EACH_IS_LISTED_AFTERWARDS: &str = "; each is listed afterwards";
pub(in crate::server::pages) const MAKE_A_WHOLE_BACKUP_OF: &str = "Make a whole backup of";
pub(in crate::server::pages) const FIRST_UNDO_WORKS_WITHOUT_IT_TOO: &str = "first (undo works without it, too)";
pub(in crate::server::pages) const WILL_BE_DELETED: &str = "will be deleted";
pub(in crate::server::pages) const THEY_ARE_IN: &str = "They are in";
pub(in crate::server::pages) const NOW_AND_NOT_IN_THE_BACKUP: &str =
    "now and not in the backup. An undo brings them back.";
pub(in crate::server::pages) const TYPE: &str = "Type";
pub(in crate::server::pages) const TO_DELETE_THEM: &str = "to delete them";
pub(in crate::server::pages) const IS_PROTECTED_TYPE_ITS_NAME: &str = "is protected. Type its name,";
pub(in crate::server::pages) const NOTE_FOR_THE_HISTORY: &str = "Note for the history";
pub(in crate::server::pages) const KEPT_BECAUSE: &str = "Kept because";
pub(in crate::server::pages) const NO_RULE_REMOVES_IT: &str = "no rule removes it";
pub(in crate::server::pages) const TELL_OF_IT: &str = "Notify";
pub(in crate::server::pages) const NOTHING_TO_TELL: &str = "it was not carried out, so there is nothing to tell of it";
pub(in crate::server::pages) const TOLD_OF_IT: &str = "✓ All were told.";
pub(in crate::server::pages) const BACKUP_BEFORE: &str = "Backup made before";
pub(in crate::server::pages) const SEEN: &str = "Seen";
pub(in crate::server::pages) const MAP_THE_NAMES: &str = "Map the names";
pub(in crate::server::pages) const COLUMNS_TO_MAP: &str = "Columns that the tables don't have";
pub(in crate::server::pages) const COLUMN_OF_THE_BACKUP: &str = "Column of the backup";
pub(in crate::server::pages) const COLUMN_OF_THE_DATABASE: &str = "Column of the database";
pub(in crate::server::pages) const LEAVE_THIS_COLUMN_OUT: &str = "leave it out: what it holds is not merged";
pub(in crate::server::pages) const AND_MORE: &str = "and more:";
pub(in crate::server::pages) const SAY_WHERE_THEY_GO: &str = "Say for each where it goes, then analyze again.";
pub(in crate::server::pages) const NOTE_BESIDE_IT: &str = "Note beside the decision";
pub(in crate::server::pages) const IF_YOU_LIKE: &str = "(if you like)";
pub(in crate::server::pages) const DRY_RUN: &str = "Dry run";
pub(in crate::server::pages) const APPROVAL: &str = "Another user approves this merge";
pub(in crate::server::pages) const NOBODY_APPROVED: &str = "Nobody approved it as it is now.";
pub(in crate::server::pages) const APPROVED_BY: &str = "Approved as it is now by";
pub(in crate::server::pages) const APPROVAL_RULE: &str =
    "Whoever merges needs somebody else's approval; a change of any decision takes it away.";
pub(in crate::server::pages) const APPROVE: &str = "Approve";
pub(in crate::server::pages) const POWER: &str = "! This changes who may do what";
pub(in crate::server::pages) const POWER_TEXT: &str =
    "A backup can make somebody an administrator, reset a password or plant a token. Look at";
pub(in crate::server::pages) const POWER_SEEN: &str = "I looked at them; write them";
pub(in crate::server::pages) const WHAT_IS_MADE_SURE: &str = "What is made sure";
pub(in crate::server::pages) const SINCE_THE_ANALYSIS: &str = "Since the analysis";
// running.html
pub(in crate::server::pages) const NOW_2: &str = "(now)";
pub(in crate::server::pages) const SINCE: &str = "Since";
pub(in crate::server::pages) const CANCEL_2: &str = "Cancel";
pub(in crate::server::pages) const LOOK_AGAIN: &str = "Look again";
// setup.html
pub(in crate::server::pages) const WELCOME: &str = "Welcome";
pub(in crate::server::pages) const THREE_SHORT_STEPS_ABOUT_A_MINUTE: &str = "Three short steps, about a minute. There is no default password: this page opens once, with the link from the terminal.";
pub(in crate::server::pages) const YOU_THE_ADMINISTRATOR: &str = "You, the administrator";
pub(in crate::server::pages) const AT_LEAST_10_CHARACTERS_A_SENTENCE: &str =
    "At least 10 characters. A sentence is fine.";
pub(in crate::server::pages) const YOUR_DATABASES: &str = "Your databases";
pub(in crate::server::pages) const NO_DATABASE_IS_NAMED_YET_NAME: &str = "No database is named yet. Name one in";
pub(in crate::server::pages) const AND_START_THE_SERVICE_AGAIN: &str = "and start the service again:";
pub(in crate::server::pages) const DATABASES_ARE_NEVER_CONNECTED_OVER_THE: &str =
    "Databases are never connected over the web: what this service can reach is decided where it runs.";
pub(in crate::server::pages) const CONNECTED: &str = "Connected";
pub(in crate::server::pages) const TRIED_JUST_NOW: &str = "· tried just now";
pub(in crate::server::pages) const FOUND_2: &str = "Found";
pub(in crate::server::pages) const WHERE_BACKUPS_ARE_KEPT: &str = "Where backups are kept";
pub(in crate::server::pages) const IN_2: &str = "In";
pub(in crate::server::pages) const READABLE_BY_THIS_SERVICE_ONLY: &str = ", readable by this service only.";
pub(in crate::server::pages) const THEY_ARE_ENCRYPTED_AS_THE_CONFIGURATION: &str =
    "They are encrypted, as the configuration says.";
pub(in crate::server::pages) const ENCRYPT_BACKUPS_THAT_ARE_MADE_HERE: &str =
    "Encrypt backups that are made here. The recovery key is shown once, on the next page.";
pub(in crate::server::pages) const FINISH: &str = "Finish";
// table.html
pub(in crate::server::pages) const SEARCH_IN_THESE_RECORDS: &str = "Search in these records";
pub(in crate::server::pages) const THAT_DIFFER_IN: &str = "That differ in";
pub(in crate::server::pages) const ANY_COLUMN: &str = "any column";
pub(in crate::server::pages) const ON_A_PAGE: &str = "On a page";
pub(in crate::server::pages) const SHOW: &str = "Show";
pub(in crate::server::pages) const ANALYZE_AGAIN_WITHOUT: &str = "Analyze again without";
pub(in crate::server::pages) const NO_RECORD_HERE: &str = "No record here";
pub(in crate::server::pages) const THIS_TABLE_HAS_NONE_OF_THIS: &str =
    "This table has none of this class that differs so.";
pub(in crate::server::pages) const NONE_OF_THEM_HOLDS: &str = "None of them holds “";
pub(in crate::server::pages) const SHOW_ALL: &str = "Show all";
pub(in crate::server::pages) const WHAT_DIFFERS: &str = "· what differs;";
pub(in crate::server::pages) const TICK: &str = "Tick";
pub(in crate::server::pages) const CURRENT_AND_BACKUP_BELOW_IT: &str = "Current, and Backup below it";
pub(in crate::server::pages) const BECOMES: &str = "Becomes";
pub(in crate::server::pages) const TICKED_RECORDS: &str = "Ticked records:";
pub(in crate::server::pages) const TICK_WITH: &str = "Tick with";
pub(in crate::server::pages) const MOVE_WITH: &str = ", move with";
pub(in crate::server::pages) const FIRST_PAGE: &str = "First page";
pub(in crate::server::pages) const NEXT_PAGE: &str = "Next page";
pub(in crate::server::pages) const IN_ALL: &str = "in all";
// undo.html
pub(in crate::server::pages) const WILL_BE: &str = "✓ will be";
pub(in crate::server::pages) const STAY_CHANGED_SINCE: &str = "= stay: changed since";
pub(in crate::server::pages) const CANT_BE: &str = "× can't be";
pub(in crate::server::pages) const THE_RECORDS: &str = "The records";
pub(in crate::server::pages) const AND: &str = "and";
pub(in crate::server::pages) const MORE: &str = "more.";
pub(in crate::server::pages) const THERE_IS_NOTHING_LEFT_TO_TAKE: &str = "There is nothing left to take back.";
pub(in crate::server::pages) const LEAVE_IT_AS_IT_IS: &str = "Leave it as it is";
// wizard.html
pub(in crate::server::pages) const NAMES: &str = "Names";
pub(in crate::server::pages) const IN_THE_BACKUP_2: &str = "In the backup";
pub(in crate::server::pages) const IN_THE_DATABASE: &str = "In the database";
pub(in crate::server::pages) const TIME_OF_CHANGE: &str = "Time of change";
pub(in crate::server::pages) const CHOOSE: &str = "choose…";
pub(in crate::server::pages) const NOT_IN_THIS_DATABASE_LEAVE_IT: &str = "not in this database: leave it out";
pub(in crate::server::pages) const COMPARES: &str = "Compares";
pub(in crate::server::pages) const WITH_A_CURRENT_DATABASE_RECORD_BY: &str =
    "with a current database, record by record. Nothing is changed by it.";
pub(in crate::server::pages) const WHAT_DO_YOU_WANT: &str = "What do you want?";
pub(in crate::server::pages) const INTO_WHICH_DATABASE: &str = "Into which database?";
pub(in crate::server::pages) const NO_DATABASE_IS_NAMED_NAME_ONE: &str = "No database is named. Name one in";
pub(in crate::server::pages) const UNDER: &str = ", under";
pub(in crate::server::pages) const AND_START_THE_SERVICE_AGAIN_2: &str = ", and start the service again.";
pub(in crate::server::pages) const PROTECTED_2: &str = "protected";
pub(in crate::server::pages) const NAMES_ARE_MATCHED_EXACTLY_THEN_AFTER: &str =
    "Names are matched exactly, then after folding case, underscores and plural (";
pub(in crate::server::pages) const WHERE_THAT_IS_NOT_UNIQUE_YOU: &str = "). Where that is not unique you are asked.";
pub(in crate::server::pages) const MATCHED_BY_NAME_SHOW: &str = "matched by name, show";
pub(in crate::server::pages) const NAMES_ARE_LOOKED_AT_ONCE_A: &str =
    "Names are looked at once a database is chosen; where one does not fit, this page comes back and asks.";
pub(in crate::server::pages) const LEAVE_OUT_TABLES_AND_COLUMNS_THAT: &str =
    "Leave out tables and columns that this database does not have (each is listed)";
pub(in crate::server::pages) const TABLES_STRATEGY_TIME_OF_CHANGE: &str = "Tables, strategy, time of change";
pub(in crate::server::pages) const CONFLICTS_ARE_DECIDED_BY: &str = "Conflicts are decided by";
pub(in crate::server::pages) const WHAT_FITS_YOUR_WISH_ABOVE: &str = "what fits your wish above";
pub(in crate::server::pages) const KEEP_CURRENT_RECORDS_THAT_ARE_NEWER: &str =
    "Keep current records that are newer, whatever decides";
pub(in crate::server::pages) const ONLY_SOME_TABLES_ANOTHER_COLUMN_OF: &str =
    "Only some tables, another column of change, deletions";
pub(in crate::server::pages) const ONLY_THESE_TABLES: &str = "Only these tables";
pub(in crate::server::pages) const NAMES_WITH_COMMAS_BETWEEN_EMPTY_ALL: &str =
    "Names with commas between; empty: all. Records they refer to are brought along.";
pub(in crate::server::pages) const NOT_THESE_COLUMNS: &str = "Not these columns";
pub(in crate::server::pages) const COLUMN_THAT_SAYS_WHEN_A_RECORD: &str =
    "Column that says when a record was last changed";
pub(in crate::server::pages) const FOUND_BY_ITSELF_SUCH_AS_UPDATED: &str = "found by itself, such as updated_at";
pub(in crate::server::pages) const NAME_OR_TABLE_NAME_A_TABLE: &str =
    "NAME or TABLE.NAME. A table without one: its conflicts are asked.";
pub(in crate::server::pages) const RECORDS_THAT_THE_BACKUP_NO_LONGER: &str = "Records that the backup no longer has";
pub(in crate::server::pages) const STAY_ALWAYS: &str = "stay, always";
pub(in crate::server::pages) const GO_WHERE_AN_EARLIER_COMMON_BACKUP: &str =
    "go, where an earlier common backup shows that they were deleted";
pub(in crate::server::pages) const GO_THE_TABLES_BECOME_EXACTLY_WHAT: &str =
    "go: the tables become exactly what the backup has (full restore)";
pub(in crate::server::pages) const HOW_MANY_WOULD_GO_IS_SAID: &str =
    "How many would go is said before anything happens.";
pub(in crate::server::pages) const LOOK_INTO_THE_BACKUP_FIRST: &str = "Look into the backup first";

// What the code behind the pages says, module by module.
// analysis.rs
pub(in crate::server::pages) const NOTHING_DIFFERS: &str = "= nothing differs";
pub(in crate::server::pages) const CURRENT_ALREADY_HAS_EVERYTHING_IN_THIS_BACKUP: &str =
    "Current already has everything in this backup";
pub(in crate::server::pages) const A_MERGE_WOULD_WRITE_NOTHING: &str = "A merge would write nothing";
pub(in crate::server::pages) const N_1_CONFLICT_WAITS: &str = "1 conflict waits";
pub(in crate::server::pages) const LOOK: &str = "Look";
pub(in crate::server::pages) const LIST: &str = "List";
pub(in crate::server::pages) const TWO_WAY_NO_COMMON_BASE_IS_KNOWN: &str = "two-way: no common base is known";
pub(in crate::server::pages) const ONE_THING_NEEDS_YOU: &str = "One thing needs you";
// backups.rs
pub(in crate::server::pages) const NOT_KNOWN: &str = "not known";
pub(in crate::server::pages) const SOME_TABLES: &str = "some tables";
pub(in crate::server::pages) const NO_FILE_WAS_CHOSEN: &str = "no file was chosen";
pub(in crate::server::pages) const CHOOSE_A_FILE_AND_UPLOAD_IT: &str = "Choose a file and upload it.";
pub(in crate::server::pages) const THE_FORM_HOLDS_NO_FILE: &str = "the form holds no file";
// chrome.rs
pub(in crate::server::pages) const NOBODY_IS_LOGGED_IN: &str = "nobody is logged in";
// deciding.rs
pub(in crate::server::pages) const SOMEBODY_ELSE: &str = "somebody else";
pub(in crate::server::pages) const NO_RECORD_WAS_TICKED: &str = "no record was ticked";
pub(in crate::server::pages) const GO_BACK_AND_TICK_THE_RECORDS_THAT: &str =
    "Go back and tick the records that are meant.";
pub(in crate::server::pages) const TYPE_RESTORE_ON_THE_REVIEW_PAGE_TO: &str =
    "Type RESTORE on the review page to go on.";
pub(in crate::server::pages) const NO_TABLE_WAS_TICKED_NOTHING_WAS_TAKEN: &str =
    "no table was ticked; nothing was taken back";
// entry.rs
pub(in crate::server::pages) const NOBODY_CAN_LOG_IN_YET_THE_FIRST: &str =
    "Nobody can log in yet: the first administrator has not been made.";
pub(in crate::server::pages) const OPEN_THE_SET_UP_LINK_THAT_THE: &str =
    "Open the set-up link that the service printed when it started.";
pub(in crate::server::pages) const THE_NAME_OR_THE_PASSWORD_IS_NOT: &str = "The name or the password is not right.";
pub(in crate::server::pages) const THE_SET_UP_PAGE_OPENS_WITH_THE: &str =
    "The set-up page opens with the link that the service printed.";
pub(in crate::server::pages) const LOOK_AT_THE_TERMINAL_OR_THE_LOG: &str =
    "Look at the terminal or the log of the service.";
// home.rs
pub(in crate::server::pages) const NO_DATABASE_IS_NAMED_IN_THE_CONFIGURATION: &str =
    "No database is named in the configuration: add [targets.NAME] to merganser.toml.";
pub(in crate::server::pages) const NO_BACKUP_WAS_VERIFIED_YET_VERIFYING_READS: &str =
    "No backup was verified yet. Verifying reads one to its end and compares its digest.";
pub(in crate::server::pages) const THE_OUTCOME_OF_A_MERGE_IS_NOT: &str =
    "The outcome of a merge is not known; open it to find out.";
pub(in crate::server::pages) const NOTHING_IS_HERE_YET_A_BACKUP_IS: &str =
    "Nothing is here yet. A backup is the first step.";
pub(in crate::server::pages) const EVERYTHING_IS_DECIDED_NOTHING_WAITS_FOR_YOU: &str =
    "Everything is decided. Nothing waits for you.";
pub(in crate::server::pages) const N_1_ANALYSIS_WAITS: &str = "1 analysis waits";
// html.rs
pub(in crate::server::pages) const EMPTY_TEXT: &str = "empty text";
pub(in crate::server::pages) const NO_RECORD_IN_CURRENT: &str = "no record in current";
pub(in crate::server::pages) const NOT_CARRIED_BY_THE_BACKUP: &str = "not carried by the backup";
pub(in crate::server::pages) const ONLY_HERE: &str = "only here";
pub(in crate::server::pages) const NO_RECORDS: &str = "no records";
// merges.rs
pub(in crate::server::pages) const UNDO: &str = "Undo";
pub(in crate::server::pages) const REDO: &str = "Redo";
pub(in crate::server::pages) const TAKEN_BACK: &str = "taken back";
pub(in crate::server::pages) const ROLLED_BACK: &str = "rolled back";
pub(in crate::server::pages) const RUNNING_OR_ENDED_WITHOUT_A_WORD: &str = "running, or ended without a word";
pub(in crate::server::pages) const OUTCOME_NOT_KNOWN: &str = "outcome not known";
pub(in crate::server::pages) const WAS_WRITTEN: &str = " was written";
pub(in crate::server::pages) const WERE_WRITTEN: &str = " were written";
pub(in crate::server::pages) const IT_IS_NOT_KNOWN_YET_HOW_THIS: &str = "It is not known yet how this ended.";
pub(in crate::server::pages) const BEGAN: &str = "Began";
pub(in crate::server::pages) const COMMITTED: &str = "Committed";
pub(in crate::server::pages) const OPEN_WHAT_TOOK_IT_BACK: &str = "Open what took it back";
pub(in crate::server::pages) const INSERTED_2: &str = "+ inserted";
pub(in crate::server::pages) const UPDATED_2: &str = "~ updated";
pub(in crate::server::pages) const DELETED_2: &str = "− deleted";
pub(in crate::server::pages) const PUT_BACK: &str = "put back";
pub(in crate::server::pages) const WILL_BE_PUT_BACK: &str = "Will be put back";
pub(in crate::server::pages) const WILL_BE_TAKEN_BACK: &str = "Will be taken back";
pub(in crate::server::pages) const EACH_RETURNS_TO_EXACTLY_WHAT_IT_WAS: &str = "Each returns to exactly what it was.";
pub(in crate::server::pages) const STAYS_BECAUSE_IT_WAS_CHANGED_SINCE: &str = "Stays, because it was changed since";
pub(in crate::server::pages) const YOUR_LATER_WORK_IS_NOT_OVERWRITTEN: &str = "Your later work is not overwritten.";
pub(in crate::server::pages) const CANT_BE_TAKEN_BACK: &str = "Can't be taken back";
pub(in crate::server::pages) const OTHER_RECORDS_REFER_TO_THESE_NOW: &str = "Other records refer to these now.";
pub(in crate::server::pages) const PUT_BACK_2: &str = "Put back";
pub(in crate::server::pages) const TAKE_BACK: &str = "Take back";
// operations.rs
pub(in crate::server::pages) const ROLL_BACK: &str = "Roll back";
pub(in crate::server::pages) const MAKING_A_BACKUP: &str = "Making a backup";
pub(in crate::server::pages) const VERIFYING_A_BACKUP: &str = "Verifying a backup";
pub(in crate::server::pages) const ANALYZING: &str = "Analyzing";
pub(in crate::server::pages) const MERGING: &str = "Merging";
pub(in crate::server::pages) const TRYING_WITHOUT_KEEPING_ANYTHING: &str = "Trying, without keeping anything";
pub(in crate::server::pages) const TAKING_BACK: &str = "Taking back";
pub(in crate::server::pages) const NOTHING_HAD_TO_BE_WRITTEN: &str = "Nothing had to be written";
pub(in crate::server::pages) const GO_BACK: &str = "Go back";
pub(in crate::server::pages) const IT_ENDED_WITHOUT_SAYING_WHY: &str = "it ended without saying why";
pub(in crate::server::pages) const THE_OUTCOME_IS_NOT_KNOWN: &str = "The outcome is not known";
pub(in crate::server::pages) const IT_WAS_NOT_DONE: &str = "It was not done";
pub(in crate::server::pages) const THE_CONNECTION_WAS_LOST_WHILE_THE_CHANGES: &str =
    "The connection was lost while the changes were being committed. They are either all there or not at all.";
pub(in crate::server::pages) const WHAT_IT_CHANGED_IS_NOT_KNOWN_LOOK: &str =
    "What it changed is not known; look at the database's state below.";
pub(in crate::server::pages) const STOPPED: &str = "Stopped";
pub(in crate::server::pages) const OPEN_THE_ANALYSIS: &str = "Open the analysis";
pub(in crate::server::pages) const ANALYZE_THE_BACKUP_AGAIN_THE_DATABASE_CHANGED: &str =
    "Analyze the backup again; the database changed since.";
// patterns.rs
pub(in crate::server::pages) const THE_WHOLE_RECORD: &str = "the whole record";
pub(in crate::server::pages) const THE_BACKUPS_RECORDS_REPLACE_THE_CURRENT_ONES: &str =
    "The Backup's records replace the Current ones, except where a newer Current record is kept.";
pub(in crate::server::pages) const THE_CURRENT_RECORDS_STAY_AS_THEY_ARE: &str =
    "The Current records stay as they are; nothing is written for these.";
pub(in crate::server::pages) const NOTHING_IS_WRITTEN_FOR_THESE_AND_THEY: &str =
    "Nothing is written for these, and they count as left out.";
// record.rs
pub(in crate::server::pages) const EVERY_COLUMN: &str = "every column";
pub(in crate::server::pages) const N_1_COLUMN_IS_EQUAL_ON_BOTH_SIDES: &str = "1 column is equal on both sides";
pub(in crate::server::pages) const NOT_THERE: &str = "not there";
pub(in crate::server::pages) const NOT_IN_THE_BASE: &str = "not in the base";
pub(in crate::server::pages) const PART_OF_THE_KEY_OR_COMPUTED: &str = "part of the key, or computed";
pub(in crate::server::pages) const STAYS_THE_BACKUP_DOES_NOT_CARRY_IT: &str = "stays: the backup does not carry it";
pub(in crate::server::pages) const DECIDED_TAKE_THE_BACKUPS_RECORD: &str = "Decided: take the Backup's record.";
pub(in crate::server::pages) const DECIDED_KEEP_THE_CURRENT_RECORD: &str = "Decided: keep the Current record.";
pub(in crate::server::pages) const DECIDED_WRITE_NOTHING_FOR_IT: &str = "Decided: write nothing for it.";
pub(in crate::server::pages) const DECIDED_ITS_FIELDS_GO_INTO_THE_RECORD: &str =
    "Decided: its fields go into the record that exists.";
pub(in crate::server::pages) const DECIDED_INSERT_IT_UNDER_A_NEW_KEY: &str = "Decided: insert it under a new key.";
// review.rs
pub(in crate::server::pages) const CURRENT_IS_NEWER: &str = "current is newer";
pub(in crate::server::pages) const CURRENT_STAYS: &str = "current stays";
pub(in crate::server::pages) const LEFT_OUT: &str = "left out";
pub(in crate::server::pages) const WAITING_FOR_YOU: &str = "waiting for you";
pub(in crate::server::pages) const CANT_BE_WRITTEN: &str = "can't be written";
pub(in crate::server::pages) const CHANGED_SINCE: &str = "changed since";
pub(in crate::server::pages) const N_1_CONFLICT_WAITS_FOR_A_DECISION: &str = "1 conflict waits for a decision";
pub(in crate::server::pages) const YOUR_ROLE_LOOKS_ONLY_AN_OPERATOR_OR: &str =
    "Your role looks only; an operator or an administrator merges.";
pub(in crate::server::pages) const THIS_DATABASE_IS_NO_LONGER_IN_THE: &str =
    "This database is no longer in the configuration.";
pub(in crate::server::pages) const IT_CAN_BE_MERGED_ONCE_EVERY_CONFLICT: &str =
    "It can be merged once every conflict is decided.";
pub(in crate::server::pages) const NOTHING_WOULD_BE_WRITTEN_SO_THERE_IS: &str =
    "Nothing would be written, so there is nothing to merge.";
pub(in crate::server::pages) const ONLY_AN_ADMINISTRATOR_WRITES_TO_A_PROTECTED: &str =
    "Only an administrator writes to a protected database.";
pub(in crate::server::pages) const DRY_RUN_OF_THIS_ANALYSIS: &str = "dry run of this analysis";
pub(in crate::server::pages) const THE_TABLES_ARE_AS_THEY_WERE_SEEN: &str =
    "✓ the tables are as they were, seen just now; each record is compared again under lock";
pub(in crate::server::pages) const THE_TABLES_CHANGED_SINCE_ANALYZE_AGAIN: &str =
    "! the tables changed since; analyze again";
pub(in crate::server::pages) const A_DRY_RUN_MEASURES_IT: &str = "not measured here yet; a dry run takes as long";
pub(in crate::server::pages) const CHANGED_BY_TRIGGERS: &str = "Changed by triggers";
pub(in crate::server::pages) const A_DRY_RUN_FINDS_THEM: &str = "a dry run finds out which columns";
pub(in crate::server::pages) const NONE_AS_THE_DRY_RUN_SAW: &str = "no column that is written, as the dry run saw";
pub(in crate::server::pages) const CONSTRAINTS: &str = "Constraints";
pub(in crate::server::pages) const UNIQUE_KEY: &str = "unique key";
pub(in crate::server::pages) const TRIGGERS: &str = "Triggers";
pub(in crate::server::pages) const NONE_FIRE: &str = "none fire";
pub(in crate::server::pages) const COUNTERS: &str = "Counters";
pub(in crate::server::pages) const NONE_TO_MOVE_NO_TABLE_THAT_IS: &str =
    "none to move: no table that is written to counts its keys";
pub(in crate::server::pages) const EXPECTED: &str = "Expected";
pub(in crate::server::pages) const READING_BACK: &str = "Reading back";
pub(in crate::server::pages) const EVERY_WRITTEN_RECORD_IS_READ_AGAIN_AND: &str =
    "every written record is read again and compared before the commit";
pub(in crate::server::pages) const LOCK: &str = "Lock";
pub(in crate::server::pages) const ONE_WRITER_OTHER_WRITERS_WAIT_UNTIL_THE: &str =
    "one writer: other writers wait until the commit";
pub(in crate::server::pages) const THE_WRITTEN_RECORDS_ONLY_READING_GOES_ON: &str =
    "the written records only; reading goes on";
pub(in crate::server::pages) const WAY_BACK: &str = "Way back";
pub(in crate::server::pages) const WHAT_UNDO_NEEDS_IS_ON_DISK_BEFORE: &str =
    "what undo needs is on disk before the first write";
// schedules.rs
pub(in crate::server::pages) const THE_NEWEST: &str = "the newest";
pub(in crate::server::pages) const RETENTION: &str = "Retention";
pub(in crate::server::pages) const OF_EACH_PERIOD_THE_NEWEST_BACKUP_IS: &str = "Of each period the newest backup is kept. What another backup needs stays, and so does the newest that was found sound.";
pub(in crate::server::pages) const SCHEDULES: &str = "Schedules";
pub(in crate::server::pages) const WHEN_BACKUPS_ARE_MADE_AND_HOW_LONG: &str =
    "When backups are made, and how long they are kept.";
pub(in crate::server::pages) const OTHER_BACKUPS_WOULD_GO_THAN_WERE_SHOWN: &str =
    "other backups would go than were shown; none was removed";
pub(in crate::server::pages) const OVERDUE: &str = " ! overdue";
pub(in crate::server::pages) const RUNNING: &str = "▸ running";
pub(in crate::server::pages) const HAS_NOT_RUN_YET: &str = "has not run yet";
pub(in crate::server::pages) const NEXT_3: &str = "Next";
pub(in crate::server::pages) const LAST_RUN: &str = "Last run";
pub(in crate::server::pages) const TIMES_ARE_THOSE_OF_THE_SCHEDULES_OWN: &str = "Times are those of the schedule's own zone. An hour that daylight saving skips is caught up; one that comes twice runs once.";
// table.rs
pub(in crate::server::pages) const UP_TO_8_FIELDS_EACH_OPEN_A: &str = "up to 8 fields each; open a record for all";
pub(in crate::server::pages) const NO_COLUMN_IS_EQUAL: &str = "no column is equal";
// targets.rs
pub(in crate::server::pages) const ITS_ADDRESS_CANT_BE_READ: &str = "its address can't be read";
pub(in crate::server::pages) const MYSQL_OR_MARIADB: &str = "MySQL or MariaDB";
// upkeep.rs
pub(in crate::server::pages) const SETTINGS: &str = "Settings";
pub(in crate::server::pages) const ASKS_FOR_ITS_NAME: &str = "▲ asks for its name";
pub(in crate::server::pages) const DATABASES: &str = "Databases";
pub(in crate::server::pages) const THEY_ARE_NAMED_IN_MERGANSER_TOML_UNDER: &str =
    "They are named in merganser.toml, under [targets.NAME], and never over the web. Passwords are not shown.";
pub(in crate::server::pages) const ENGINE: &str = "Engine";
pub(in crate::server::pages) const ADDRESS: &str = "Address";
pub(in crate::server::pages) const PROTECTED_3: &str = "Protected";
pub(in crate::server::pages) const COLUMNS_WITH_A_ROLE: &str = "Columns with a role";
pub(in crate::server::pages) const COLUMNS_WHOSE_NAME_SAYS_PASSWORD_TOKEN_OR: &str =
    "Columns whose name says password, token or secret are hidden without being named here.";
pub(in crate::server::pages) const HIDDEN: &str = "Hidden";
pub(in crate::server::pages) const NEVER_WRITTEN: &str = "Never written";
pub(in crate::server::pages) const NOT_COMPARED: &str = "Not compared";
pub(in crate::server::pages) const LIMITS: &str = "Limits";
pub(in crate::server::pages) const LARGEST_UPLOAD: &str = "Largest upload";
pub(in crate::server::pages) const STAYS_FREE_ON_THE_DISK: &str = "Stays free on the disk";
pub(in crate::server::pages) const SESSION: &str = "Session";
pub(in crate::server::pages) const N_30_MINUTES_WITHOUT_A_REQUEST_12_HOURS: &str =
    "30 minutes without a request, 12 hours at most";
pub(in crate::server::pages) const WHAT_THIS_SERVICE_REACHES_AND_WHO_REACHES: &str =
    "What this service reaches, and who reaches it.";
pub(in crate::server::pages) const NEW_BACKUPS: &str = "✓ new backups";
pub(in crate::server::pages) const READING_ONLY: &str = "reading only";
pub(in crate::server::pages) const YES: &str = "✓ yes";
pub(in crate::server::pages) const NOT_YET_2: &str = "! not yet";
pub(in crate::server::pages) const KEYS_2: &str = "Keys";
pub(in crate::server::pages) const FINGERPRINT: &str = "Fingerprint";
pub(in crate::server::pages) const USED_FOR: &str = "Used for";
pub(in crate::server::pages) const IN_A_SAFE_PLACE: &str = "In a safe place";
pub(in crate::server::pages) const NOTICES_2: &str = "Notices";
pub(in crate::server::pages) const AFTER_A_SUCCESS: &str = "After a success";
pub(in crate::server::pages) const AFTER_A_FAILURE: &str = "After a failure";
pub(in crate::server::pages) const PEOPLE: &str = "People";
pub(in crate::server::pages) const TOKENS_FOR_PROGRAMS: &str = "Tokens for programs";
pub(in crate::server::pages) const SENT_AS_AUTHORIZATION_BEARER_SHOWN_ONCE_WHEN: &str =
    "Sent as Authorization: Bearer …; shown once when made, kept as a digest only.";
pub(in crate::server::pages) const WHOSE: &str = "Whose";
pub(in crate::server::pages) const FOR: &str = "For";
pub(in crate::server::pages) const ENDS: &str = "Ends";
pub(in crate::server::pages) const USED: &str = "Used";
pub(in crate::server::pages) const THERE_IS_NO_SUCH_ROLE: &str = "there is no such role";
pub(in crate::server::pages) const WRITE_A_NUMBER_OF_DAYS: &str = "write a number of days";
pub(in crate::server::pages) const SERVICE: &str = "Service";
pub(in crate::server::pages) const VERSION: &str = "Version";
pub(in crate::server::pages) const RUNNING_FOR: &str = "Running for";
pub(in crate::server::pages) const CLOCK: &str = "Clock";
pub(in crate::server::pages) const DATA_FOLDER: &str = "Data folder";
pub(in crate::server::pages) const FREE_ON_ITS_DISK: &str = "Free on its disk";
pub(in crate::server::pages) const CONNECTION: &str = "Connection";
pub(in crate::server::pages) const ENCRYPTED_TLS: &str = "✓ encrypted (TLS)";
pub(in crate::server::pages) const NOT_ENCRYPTED_FOR_THIS_MACHINE_OR_BEHIND: &str =
    "not encrypted: for this machine, or behind a proxy";
pub(in crate::server::pages) const LONGEST_VALUE: &str = "Longest value";
pub(in crate::server::pages) const LONGEST_RECORD: &str = "Longest record";
pub(in crate::server::pages) const UNPACKED_SIZE_OF_A_BACKUP: &str = "Unpacked size of a backup";
pub(in crate::server::pages) const TABLES_OF_A_BACKUP: &str = "Tables of a backup";
pub(in crate::server::pages) const TRIED_JUST_NOW_2: &str = "Tried just now.";
pub(in crate::server::pages) const RUNNING_NOW: &str = "Running now";
pub(in crate::server::pages) const NOTHING: &str = "Nothing.";
pub(in crate::server::pages) const OPERATION: &str = "Operation";
pub(in crate::server::pages) const HOW_THE_SERVICE_IS_AND_WHAT_IT: &str = "How the service is, and what it reaches.";
// wizard.rs
pub(in crate::server::pages) const NO_DATABASE_WAS_CHOSEN: &str = "no database was chosen";
pub(in crate::server::pages) const WRITE_THE_COLUMN_OF_CHANGE_AS_TABLE: &str =
    "write the column of change as TABLE.COLUMN";
