//! What a reader accepts: the safety limits of CHECKS 4 and the few choices a person has.

use super::crypt::Keys;
use std::time::Duration;

/// How a backup is read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The safety limits.
    pub limits: Limits,
    /// Whether the tokens `NaN`, `Infinity` and `-Infinity`, which are not JSON, are read as floating-point numbers.
    pub lenient_json: bool,
    /// What is done about NUL characters in text.
    pub nul: Nul,
    /// What is done about halves of surrogate pairs in JSON.
    pub lone_surrogates: LoneSurrogates,
    /// Whether a backup is read although it claims other record counts than it has; the summary lists the differences then.
    pub accept_count_mismatch: bool,
    /// Whether SQLite's own check runs over a database file before it is read.
    pub sqlite_check: SqliteCheck,
    /// The keys of encrypted backups.
    pub keys: Keys,
}

/// What is done about NUL characters in text, which PostgreSQL can't hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nul {
    /// They are text like any other; what the database can't hold is blocked.
    #[default]
    Keep,
    /// They are taken out.
    Strip,
    /// Each becomes U+FFFD.
    Replace,
}

/// What is done about halves of surrogate pairs (`\ud800`), which are no characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoneSurrogates {
    /// The backup is refused, with the place.
    #[default]
    Refuse,
    /// Each becomes U+FFFD.
    Replace,
}

/// When `PRAGMA quick_check` runs before an SQLite file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SqliteCheck {
    /// For files up to 64 MiB, where it costs nothing that anybody would notice.
    #[default]
    SmallFiles,
    /// Always.
    Always,
}

/// Sizes beyond which a file is refused with `LimitReached`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Nesting of JSON values within a record.
    pub depth: usize,
    /// Bytes of an object key, a table name or a column name.
    pub key_bytes: usize,
    /// Keys of one object, columns of one table.
    pub keys: usize,
    /// Bytes of one string or binary value.
    pub string_bytes: usize,
    /// Characters of one number.
    pub number_digits: usize,
    /// Bytes of one record as it is written.
    pub record_bytes: usize,
    /// Bytes of what a file says of itself (`metadata`).
    pub metadata_bytes: usize,
    /// Tables of one backup.
    pub tables: usize,
    /// Entries of one archive.
    pub entries: usize,
    /// Expanded bytes of one archive entry.
    pub entry_bytes: u64,
    /// Expanded bytes of everything in a file.
    pub expanded_bytes: u64,
    /// How many times larger than the file its expanded content may be, once over `ratio_from_bytes`.
    pub ratio: u64,
    /// Expanded bytes below which the ratio doesn't matter.
    pub ratio_from_bytes: u64,
    /// How long one table of an SQLite file may take.
    pub wall_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 64,
            key_bytes: 512,
            keys: 4096,
            string_bytes: 256 << 20,
            number_digits: 10_000,
            record_bytes: 512 << 20,
            metadata_bytes: 16 << 20,
            tables: 10_000,
            entries: 10_000,
            entry_bytes: 16 << 30,
            expanded_bytes: 64 << 30,
            ratio: 200,
            ratio_from_bytes: 64 << 20,
            wall_time: Duration::from_secs(3600),
        }
    }
}
