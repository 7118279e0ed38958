//! The pages' words, in one place, ready for translation: names of buttons, classes, keys, and what is said of states.

mod labels;
mod said;

pub(super) use labels::*;
pub(super) use said::*;

use super::chrome::Step;
use crate::plan::PlanKind;

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

/// The way from a backup to a merge, and its steps.
pub(super) const WAY: &str = "From a backup to a merge";
pub(super) const STEPS: [(Step, &str); 5] = [
    (Step::Backup, "Backup"),
    (Step::Analyze, "Analyze"),
    (Step::Decide, "Decide"),
    (Step::Review, "Review"),
    (Step::Merge, "Merge"),
];

/// The two buttons whose names are the project's own.
pub(super) const ANALYZE: &str = "Analyze for Merge";
pub(super) const MERGE: &str = "Perform Incremental Merge";

/// What pages say.
pub(super) const HOME_TITLE: &str = "Home";
pub(super) const NO_BACKUP: &str =
    "Upload a backup that you have, or let one be made of a database. Neither changes any data.";
pub(super) const CLOSE: &str = "You may close this page: what runs goes on, and this page finds it again.";
pub(super) const CANCEL: &str = "“Cancel” is possible until the commit; everything is rolled back then.";
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

/// What messages of the engine end with that a page says in another place: what a heading says, and that people are asked.
pub(super) const ALREADY_SAID: &str = "; nothing was changed";
pub(super) const ASKED: &str = ": the strategy asks";

/// What the script says, by the name that it knows it by; what stands in braces is filled in.
pub(super) const SCRIPT: &[(&str, &str)] = &[
    ("zone", "Times in {zone}; UTC on hover"),
    ("utc", ZONE),
    ("keys", KEYS),
    ("close", "Close"),
    ("sent", "{percent} % sent"),
    ("read", "All sent; it is being read."),
    ("lost", "The connection was lost; nothing was kept. Try again."),
    ("seconds", "{n} s"),
    ("minutes", "{n} min"),
    ("records", "{table}: {done} so far"),
    ("records-of", "{table}: {done} of {total}"),
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

/// How it goes, from a backup to the way back.
pub(super) const HOW: [(&str, &str); 4] = [
    ("Analyze", "The backup is compared with the database, record by record. Nothing is changed."),
    ("Decide", "Where both sides differ you choose: one by one, by field, or all of a kind at once."),
    ("Merge", "A review shows exactly what will be written. It happens in one transaction, or not at all."),
    ("Undo", "Every merge can be taken back; what somebody changed since stays."),
];

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
    ("g h", "go home"),
    ("g b", "go to the backups"),
    ("g a", "go to the analyses"),
    ("g l", "go to the history"),
    ("j", "next record"),
    ("k", "previous record"),
    ("]", "next undecided conflict"),
    ("b", "take the Backup's record"),
    ("c", "keep the Current record"),
    ("f", "choose by field: arrows move, space chooses, Enter uses the choice"),
    ("e", "give a value of your own"),
    ("s", "skip: write nothing for it"),
    ("u", "take the last decision back"),
    ("x", "tick a record"),
    ("Shift J", "tick the next one, too"),
    ("a", "decide all like this, or go to the ticked records' buttons"),
    ("Enter", "open"),
    ("Esc", "back"),
];

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
        "This was done, and taken back by {} since."
    };
    (IT_WAS_ROLLED_BACK) => {
        "It was rolled back. {}"
    };
    (PLANNED_AND_WRITTEN_ARE_THE_SAME_EACH) => {
        "{} — planned and written are the same, each was read back"
    };
    (RECORDS_CHANGED_SINCE_THE_ANALYSIS) => {
        "{} changed since the analysis, so it is no longer what you saw."
    };
    (CANT_BE_WRITTEN_BECAUSE) => {
        "{}: can't be written; {}"
    };
    (OF_RECORDS) => {
        "{table}: {} of {}"
    };
    (RECORDS_SO_FAR) => {
        "{table}: {} so far"
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
        "{} refers to this table: {} there"
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
    (AS_LONG_AS_ITS_DRY_RUN) => {
        "about {}, as its dry run took; the lock included"
    };
    (AT_THE_PACE_OF_THE_LAST_MERGE) => {
        "about {}, at the pace of the last merge here ({} records a second)"
    };
    (KEPT_IN_ENCRYPTED) => {
        "It is kept in {place}, encrypted."
    };
    (KEPT_IN_NOT_ENCRYPTED) => {
        "It is kept in {place}, not encrypted."
    };
    (AND_ARE_CHECKED) => {
        "{}, {} and {} are checked"
    };
    (MOVE_ON_BEHIND_THE_HIGHEST_KEY_NEVER) => {
        "move on behind the highest key, never back: {}"
    };
    (IS_NO_FORMAT) => {
        "{word:?} is no format of backups"
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

/// Writes what was written, with the signs of the classes.
pub(super) fn written(inserted: u64, updated: u64, deleted: u64) -> String {
    let parts = [("+", inserted, "inserted"), ("~", updated, "updated"), ("−", deleted, "deleted")];
    let said: Vec<String> =
        parts.iter().filter(|p| p.1 > 0).map(|(sign, n, what)| format!("{sign} {} {what}", grouped(n))).collect();
    if said.is_empty() { "none".to_owned() } else { said.join(", ") }
}

/// Says in a heading what was done, and where.
pub(super) fn done(kind: &PlanKind, database: &str) -> String {
    match kind {
        PlanKind::Merge => format!("Merged into {database}"),
        PlanKind::Undo { .. } => format!("Taken back in {database}"),
        PlanKind::Redo { .. } => format!("Put back in {database}"),
    }
}

/// Says in a heading what taking this back is about to do.
pub(super) fn undoing(kind: &PlanKind) -> &'static str {
    match kind {
        PlanKind::Undo { .. } => "Put back what was undone",
        PlanKind::Merge | PlanKind::Redo { .. } => "Undo a merge",
    }
}

/// Says how many analyses are decided and not merged yet.
pub(super) fn ready(count: u64) -> String {
    match count {
        1 => "1 analysis is ready to be merged.".to_owned(),
        n => format!("{} analyses are ready to be merged.", grouped(n)),
    }
}

/// Says how many records were written, or put back.
pub(super) fn wrote(kind: &PlanKind, count: u64, database: &str) -> String {
    let were = if count == 1 { "was" } else { "were" };
    let how = if matches!(kind, PlanKind::Undo { .. }) { "put back" } else { "written" };
    format!("{} {were} {how} in {database}.", plural(count, "record"))
}

/// Says how many records differ.
pub(super) fn differing(count: u64) -> String {
    format!("{} {}", plural(count, "record"), if count == 1 { "differs" } else { "differ" })
}

/// Says why a backup is kept, without the names of what needs it: those are nobody's but the machine's.
pub(super) fn kept_because(reason: &str) -> &str {
    match reason {
        _ if reason.starts_with("needed by the plan ") => "an analysis needs it",
        _ if reason.starts_with("needed by the merge ") => "a merge came from it",
        _ => reason,
    }
}

/// Says that records are only in current.
pub(super) fn only_in_current(count: u64) -> String {
    format!(
        "{} only in current",
        if count == 1 { "1 record is".to_owned() } else { format!("{} records are", grouped(count)) }
    )
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

/// Says how many tables a picture leaves out.
pub(super) fn not_drawn(count: u64) -> String {
    format!("{} in which nothing differs, or that there is no room for, not drawn.", plural(count, "table"))
}

/// Says how long ago something was.
pub(super) fn ago(age: &str) -> String {
    format!("{age} ago")
}

/// Says how many conflicts of a pattern have to be decided one by one.
pub(super) fn decided_alone(count: u64) -> String {
    format!(
        "{} would change who may do what, and each is decided by itself: open it under “One by one”.",
        plural(count, "conflict")
    )
}

/// Says how many conflicts of a pattern stay as they were decided.
pub(super) fn decided_before(count: u64) -> String {
    let stays = if count == 1 { "is decided already and stays so." } else { "are decided already and stay so." };
    format!("{} {stays}", plural(count, "conflict"))
}

/// Says for how many conflicts of a pattern an answer is impossible.
pub(super) fn impossible_for(count: u64) -> String {
    format!("For {} it is impossible: open one under “One by one” to see why.", plural(count, "conflict"))
}

/// Says how many records would change who may do what.
pub(super) fn power_needs(count: u64) -> String {
    format!("{} would change who may do what: roles, rights, passwords or tokens", plural(count, "record"))
}

/// Says how many are told.
pub(super) fn told(count: u64) -> String {
    if count == 0 { "nobody".to_owned() } else { plural(count, "receiver") }
}

/// Names the button that tells others of a merge.
pub(super) fn tell(count: u64) -> String {
    format!("{TELL_OF_IT} {}", plural(count, "receiver"))
}

/// Says that something is dated later than now.
pub(super) fn from_the_future(what: &str, at: &str) -> String {
    format!(
        "{what} is dated {at}, which is still to come: a clock is or was wrong. Newer and older are judged by such times; look at the clocks before you merge."
    )
}

/// Says how many tables refer to themselves around a circle.
pub(super) fn circles(count: u64) -> String {
    format!("{} in a circle of references", plural(count, "table"))
}

/// Says how many days had no backup.
pub(super) fn days_without(count: u64) -> String {
    format!("before it {} without", plural(count, "day"))
}

/// Says how long something lasts, in the unit that people would use.
pub(super) fn lasting(seconds: f64) -> String {
    match seconds {
        ..1.5 => "a second".to_owned(),
        ..90.0 => format!("{seconds:.0} seconds"),
        ..5_400.0 => format!("{:.0} minutes", seconds / 60.0),
        _ => format!("{:.1} hours", seconds / 3_600.0),
    }
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
