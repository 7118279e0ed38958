//! What the templates say, page by page.

// analyses.html
pub(in crate::server::pages) const ANALYSES: &str = "Analyses";
pub(in crate::server::pages) const COMPARISONS_THAT_ARE_SAVED_AND_CAN: &str =
    "Comparisons that were made, newest first. What is not merged yet still can be.";
pub(in crate::server::pages) const NO_OPEN_ANALYSIS: &str = "No open analysis";
pub(in crate::server::pages) const CHOOSE_A_BACKUP_AND_PRESS: &str = "Choose a backup and press “";
pub(in crate::server::pages) const CHOOSE_A_BACKUP: &str = "Choose a backup";
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
    "Press “Analyze for Merge” to compare one with a database. That changes nothing.";
pub(in crate::server::pages) const UPLOAD_A_BACKUP: &str = "Upload a backup";
pub(in crate::server::pages) const A_FILE_JSON_SQLITE_CSV: &str =
    "A file: JSON, NDJSON, CSV, SQLite, ZIP or TAR, also compressed";
pub(in crate::server::pages) const OR_DROP_IT_HERE: &str = "…or drop it here. Uploading changes no database.";
pub(in crate::server::pages) const UPLOAD: &str = "Upload";
pub(in crate::server::pages) const MAKE_ONE: &str = "Make one";
pub(in crate::server::pages) const NO_DATABASE_IS_NAMED_IN_THE: &str = "No database is named in the configuration.";
pub(in crate::server::pages) const OF_WHICH_DATABASE: &str = "Of which database";
pub(in crate::server::pages) const BACK_UP_NOW: &str = "Back up now";
pub(in crate::server::pages) const IT_ONLY_READS_THE_DATABASE: &str = "It only reads the database.";
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
pub(in crate::server::pages) const IT_MAY_BE_GONE: &str =
    "It may have been removed, or its time was over. The lists show what there is.";
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
pub(in crate::server::pages) const VERIFIED: &str = "verified";
pub(in crate::server::pages) const NOT_VERIFIED_YET: &str = "not verified yet";
pub(in crate::server::pages) const OPEN_ANALYSES: &str = "Open analyses";
pub(in crate::server::pages) const NONE_AN_ANALYSIS_COMPARES_A_BACKUP: &str =
    "None. An analysis compares a backup with a database and changes nothing.";
pub(in crate::server::pages) const INTO_2: &str = "into";
pub(in crate::server::pages) const NEXT_SCHEDULED_BACKUP: &str = "Next scheduled backup";
pub(in crate::server::pages) const NOTHING_IS_SCHEDULED: &str = "Nothing is scheduled.";
pub(in crate::server::pages) const SCHEDULES_AND_RETENTION: &str = "Schedules and retention";
pub(in crate::server::pages) const LAST_MERGES: &str = "Last merges";
pub(in crate::server::pages) const NOTHING_WAS_MERGED_YET: &str = "Nothing was merged yet.";
pub(in crate::server::pages) const OR_MAKE_ONE: &str = "…or make one";
pub(in crate::server::pages) const HOW_IT_GOES: &str = "How it goes";
pub(in crate::server::pages) const A_SCHEDULE_MAKES_BACKUPS_BY_ITSELF: &str = "A schedule makes backups by itself.";
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
pub(in crate::server::pages) const AS_IT_SAYS_ITSELF: &str = "Claimed";
pub(in crate::server::pages) const COLUMNS: &str = "Columns";
pub(in crate::server::pages) const THE_FIRST_RECORDS: &str = "The first records of each table";
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
pub(in crate::server::pages) const HOW_MANY_ARE_KEPT: &str = "How many are kept";
pub(in crate::server::pages) const NOTHING_GOES_BEFORE_IT_WAS_SHOWN: &str = "Nothing goes before it was shown here.";
// part_schedule.html
pub(in crate::server::pages) const ADD_ONE: &str = "Add one";
pub(in crate::server::pages) const WHEN_AS_CRON: &str = "When, as cron";
pub(in crate::server::pages) const CRON_IN_WORDS: &str =
    "Cron says minute, hour, day, month, weekday: “15 2 * * *” is every day at 02:15.";
pub(in crate::server::pages) const TIME_ZONE: &str = "Time zone";
pub(in crate::server::pages) const KEEP_DAYS: &str = "Days it is kept";
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
    "✓ Every conflict is decided. Next: look at what will be written.";
pub(in crate::server::pages) const CONFLICTS_BY_PATTERN: &str = "Conflicts by pattern";
pub(in crate::server::pages) const TABLE_AND_FIELDS: &str = "Table and fields";
pub(in crate::server::pages) const DECIDE_ALL: &str = "Decide all";
pub(in crate::server::pages) const A_BUTTON_ASKS_FIRST: &str =
    "Each button first shows how many records it decides, and asks.";
pub(in crate::server::pages) const DECIDED: &str = "decided";
pub(in crate::server::pages) const TAKE_BACKUP: &str = "Take Backup…";
pub(in crate::server::pages) const KEEP_CURRENT: &str = "Keep Current…";
pub(in crate::server::pages) const SKIP_2: &str = "Skip…";
pub(in crate::server::pages) const ONE_BY_ONE: &str = "One by one";
// record.html
pub(in crate::server::pages) const PREVIOUS: &str = "← Previous";
pub(in crate::server::pages) const NEXT_2: &str = "Next →";
pub(in crate::server::pages) const NEXT_UNDECIDED: &str = "Next undecided";
pub(in crate::server::pages) const BY: &str = "by";
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
pub(in crate::server::pages) const IS_WRITTEN: &str = "Is written:";
pub(in crate::server::pages) const DIFFERS: &str = "differs";
pub(in crate::server::pages) const MY_OWN: &str = "My own";
pub(in crate::server::pages) const MY_OWN_VALUE_FOR: &str = "My own value for";
pub(in crate::server::pages) const EQUAL_SHOW: &str = "equal on both sides";
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
pub(in crate::server::pages) const ANALYSIS: &str = "Analysis";
pub(in crate::server::pages) const COLUMNS_EXIST_ONLY_IN_CURRENT_THEY: &str =
    "columns exist only in current; they keep their values";
pub(in crate::server::pages) const ONE_NOTE: &str = "note";
// review.html
pub(in crate::server::pages) const EXACTLY_THIS_WILL_HAPPEN_IN: &str = "Exactly this will happen in";
pub(in crate::server::pages) const ALL_OF_IT_IN_ONE_TRANSACTION: &str = ": all of it in one transaction, or nothing.";
pub(in crate::server::pages) const SO_MUCH_IS_CLEAR_FOR: &str = "So much is clear for";
pub(in crate::server::pages) const THE_REST_FOLLOWS_YOUR_DECISIONS: &str = "; the rest waits for your decisions.";
pub(in crate::server::pages) const THE_DATABASE_CANT_BE_REACHED: &str = "The database can't be reached now";
pub(in crate::server::pages) const BEFORE_THAT: &str = "! Before you merge";
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
    "No record of this table is in this class, or none that differs so.";
pub(in crate::server::pages) const NONE_OF_THEM_HOLDS: &str = "None of them holds “";
pub(in crate::server::pages) const SHOW_ALL: &str = "Show all";
pub(in crate::server::pages) const THEY_ARE_COUNTED_NOT_LISTED: &str =
    "They are counted, not listed: the backup knows nothing of them, and a merge leaves them as they are.";
pub(in crate::server::pages) const BACK_TO_THE_ANALYSIS: &str = "Back to the analysis";
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
pub(in crate::server::pages) const IT_WAS_DONE: &str = "Done";
pub(in crate::server::pages) const WHAT_SOMEBODY_CHANGED_SINCE_STAYS: &str =
    "What somebody changed since stays as it is.";
pub(in crate::server::pages) const IN_THESE_TABLES: &str = "In these tables";
// wizard.html
pub(in crate::server::pages) const NAMES: &str = "Tables and columns";
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
pub(in crate::server::pages) const MATCHED_BY_NAME_SHOW: &str = "matched by name";
pub(in crate::server::pages) const EVERY_TABLE_HAS_ITS_PLACE: &str =
    "✓ Every table of the backup has its place in this database.";
pub(in crate::server::pages) const SEE_THAT_IT_CAN_BE_REACHED: &str =
    "See that the database can be reached, then load this page again.";
pub(in crate::server::pages) const NAMES_ARE_LOOKED_AT_ONCE_A: &str =
    "Names are looked at once a database is chosen; where one does not fit, this page comes back and asks.";
pub(in crate::server::pages) const LEAVE_OUT_TABLES_AND_COLUMNS_THAT: &str =
    "Leave out tables and columns that this database does not have (each is listed)";
pub(in crate::server::pages) const TABLES_STRATEGY_TIME_OF_CHANGE: &str = "How conflicts are decided";
pub(in crate::server::pages) const CONFLICTS_ARE_DECIDED_BY: &str = "Conflicts are decided by";
pub(in crate::server::pages) const THIS_CAN_STAY_AS_IT_IS: &str =
    "This can stay as it is: it follows from what you chose above.";
pub(in crate::server::pages) const WHAT_FITS_YOUR_WISH_ABOVE: &str = "what fits your wish above";
pub(in crate::server::pages) const KEEP_CURRENT_RECORDS_THAT_ARE_NEWER: &str =
    "Keep current records that are newer, whatever decides";
pub(in crate::server::pages) const ONLY_SOME_TABLES_ANOTHER_COLUMN_OF: &str =
    "More: only some tables, another time of change, deletions";
pub(in crate::server::pages) const ONLY_THESE_TABLES: &str = "Only these tables";
pub(in crate::server::pages) const NAMES_WITH_COMMAS_BETWEEN_EMPTY_ALL: &str =
    "Names with commas between; empty: all. Records they refer to are brought along.";
pub(in crate::server::pages) const NOT_THESE_COLUMNS: &str = "Not these columns";
pub(in crate::server::pages) const COLUMN_THAT_SAYS_WHEN_A_RECORD: &str =
    "Column that says when a record was last changed";
pub(in crate::server::pages) const FOUND_BY_ITSELF_SUCH_AS_UPDATED: &str = "found by itself, such as updated_at";
pub(in crate::server::pages) const NAME_OR_TABLE_NAME_A_TABLE: &str =
    "TABLE.COLUMN. A table without one: its conflicts are asked.";
pub(in crate::server::pages) const RECORDS_THAT_THE_BACKUP_NO_LONGER: &str = "Records that the backup no longer has";
pub(in crate::server::pages) const STAY_ALWAYS: &str = "stay, always";
pub(in crate::server::pages) const GO_WHERE_AN_EARLIER_COMMON_BACKUP: &str =
    "go, where an earlier common backup shows that they were deleted";
pub(in crate::server::pages) const GO_THE_TABLES_BECOME_EXACTLY_WHAT: &str =
    "go: the tables become exactly what the backup has (full restore)";
pub(in crate::server::pages) const HOW_MANY_WOULD_GO_IS_SAID: &str =
    "How many would go is said before anything happens.";
pub(in crate::server::pages) const LOOK_INTO_THE_BACKUP_FIRST: &str = "Look into the backup first";
