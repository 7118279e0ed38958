//! What the code behind the pages says, module by module.

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
// patterns.rs
pub(in crate::server::pages) const DECIDE_THOSE_ANEW_TOO: &str = "Decide those anew, too";
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
    "No backup was verified yet. “Verify” on its page reads it to its end and compares its digest.";
pub(in crate::server::pages) const THE_OUTCOME_OF_A_MERGE_IS_NOT: &str =
    "The outcome of a merge is not known; open it to find out.";
pub(in crate::server::pages) const NOTHING_IS_HERE_YET_A_BACKUP_IS: &str =
    "Nothing is here yet. A backup is the first step: upload one, or make one of a database.";
pub(in crate::server::pages) const NOTHING_WAITS_FOR_YOU: &str = "Nothing waits for you.";
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
pub(in crate::server::pages) const IT_IS_NOT_KNOWN_YET_HOW_THIS: &str = "It is not known yet how this ended.";
pub(in crate::server::pages) const BEGAN: &str = "Began";
pub(in crate::server::pages) const COMMITTED: &str = "Committed";
pub(in crate::server::pages) const ID: &str = "Id";
pub(in crate::server::pages) const LOOK_AT_YOUR_APPLICATION: &str =
    "Look at your application. If it is not what you wanted, “Undo” takes it back.";
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
pub(in crate::server::pages) const BACK_TO_THE_REVIEW: &str = "Back to the review";
pub(in crate::server::pages) const BACK_TO_THE_MERGE: &str = "Back to the merge";
pub(in crate::server::pages) const BACK_TO_THE_BACKUP: &str = "Back to the backup";
pub(in crate::server::pages) const IT_ENDED_WITHOUT_SAYING_WHY: &str = "it ended without saying why";
pub(in crate::server::pages) const THE_OUTCOME_IS_NOT_KNOWN: &str = "The outcome is not known";
pub(in crate::server::pages) const IT_WAS_NOT_DONE: &str = "It was not done";
pub(in crate::server::pages) const THE_CONNECTION_WAS_LOST_WHILE_THE_CHANGES: &str =
    "The connection was lost while the changes were being committed. They are either all there or not at all.";
pub(in crate::server::pages) const WHAT_IT_CHANGED_IS_NOT_KNOWN_LOOK: &str =
    "What it changed is not known; look at the database's state below.";
pub(in crate::server::pages) const STOPPED: &str = "Stopped";
pub(in crate::server::pages) const IT_WAS_STOPPED_ON_REQUEST: &str = "It was stopped on request, and rolled back.";
pub(in crate::server::pages) const ANALYZE_AGAIN: &str = "Analyze again";
pub(in crate::server::pages) const OPEN_THE_ANALYSIS: &str = "Open the analysis";
pub(in crate::server::pages) const ANALYZE_THE_BACKUP_AGAIN_THE_DATABASE_CHANGED: &str =
    "Analyze the backup again: then the records are shown as they are now.";
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
pub(in crate::server::pages) const NOT_KNOWN_NOW: &str = "× not known: the database can't be asked";
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
pub(in crate::server::pages) const THE_NEWEST: &str = "Newest";
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
