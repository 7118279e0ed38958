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
pub(super) const UNCHANGED: &str = "Nothing was changed.";

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
pub(super) fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(count)) }
}

/// Writes a count of records.
pub(super) fn records(count: impl std::borrow::Borrow<usize>) -> String {
    plural(*count.borrow() as u64, "record")
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
