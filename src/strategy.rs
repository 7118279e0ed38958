//! Strategies: files of rules that decide what a merge writes where backup and current differ.
//!
//! Pure: nothing is read but the strategy file itself, and nothing is written. A person's decisions are applied by
//! the plan, which asks a strategy only for records that nobody decided. `docs/strategies.md` describes the format.

mod decide;
mod field;
mod glob;
mod json;
mod parse;
mod patch;
mod take;
#[cfg(test)]
pub(crate) mod tests;
mod text;

pub use take::{Take, refusal};

use crate::error::{Result, fail};
use crate::model::calendar::Timestamp;
pub use crate::model::change::Field;
use crate::model::change::{Class, Reason};
use crate::model::{Table, Value};
use glob::Glob;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The built-in strategies: name and text.
const BUILT_IN: [(&str, &str); 7] = [
    ("backup-wins", include_str!("../strategies/backup-wins.toml")),
    ("current-wins", include_str!("../strategies/current-wins.toml")),
    ("merge-fields", include_str!("../strategies/merge-fields.toml")),
    ("manual", include_str!("../strategies/manual.toml")),
    ("newest-wins", include_str!("../strategies/newest-wins.toml")),
    ("recover-deleted", include_str!("../strategies/recover-deleted.toml")),
    ("environment-sync", include_str!("../strategies/environment-sync.toml")),
];

/// The largest strategy file that is read, in bytes; a larger one is something else.
const LARGEST_BYTES: u64 = 1 << 20;

/// What a strategy decides over where a base is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// The conflicting fields; what only one side changed is merged.
    #[default]
    Field,
    /// The whole record, fields that only one side changed included.
    Record,
}

/// Whether a current record that is newer than the backup's stays under any strategy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreserveNewer {
    /// It stays.
    #[default]
    On,
    /// The strategy alone decides.
    Off,
}

/// A parsed strategy file.
#[derive(Clone, Debug)]
pub struct Strategy {
    /// The built-in's name, or the file's name without its ending.
    pub name: String,
    /// One line that says what it does.
    pub summary: String,
    /// What it decides over where a base is known.
    pub granularity: Granularity,
    classes: Vec<Class>,
    tie: Take,
    never: Vec<Never>,
    rules: Vec<Rule>,
    text: String,
}

/// What is never brought from the backup: a table's records, a field, or a field of a table.
#[derive(Clone, Debug)]
struct Never {
    table: Option<Glob>,
    field: Option<Glob>,
}

/// One rule; the patterns of the file over closed sets are kept as what they match.
#[derive(Clone, Debug)]
struct Rule {
    reasons: Vec<Reason>,
    /// `None`: conflicts, and, for a rule with a field, whatever else leaves it open which side's value is meant.
    classes: Option<Vec<Class>>,
    table: Option<Glob>,
    field: Option<Glob>,
    take: Take,
}

/// One record that differs, as a strategy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Conflict<'a> {
    /// Its table.
    pub table: &'a Table,
    /// Its class; `new`, `updated` and `conflict` can lead to a write, `current_only` to a deletion.
    pub class: Class,
    /// Why it has the class.
    pub reason: Reason,
    /// The fields in which the sides differ; for a record on one side only, that side's fields.
    pub fields: &'a [Field],
    /// With a base: the fields that current alone changed.
    pub kept: &'a [Field],
    /// The backup record's timestamp, where there is one that can be read.
    pub backup_at: Option<Timestamp>,
    /// The current record's timestamp, where there is one that can be read.
    pub current_at: Option<Timestamp>,
    /// Whether the base holds this record, so that each side's changes are known.
    pub has_base: bool,
    /// Whether a newer current record stays.
    pub preserve_newer: PreserveNewer,
    /// The distance up to which two timestamps count as one.
    pub tolerance: Duration,
}

/// What a strategy makes of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// Write these fields: into the current record, or as a new one where there is none. Never empty.
    Write(Vec<(usize, Value)>),
    /// Delete the current record: the backup's answer where the backup deleted it.
    Delete,
    /// Leave the current record as it is.
    Keep(KeepReason),
    /// Write the backup's fields into the current record that holds the unique key.
    IntoExisting,
    /// Insert the backup's record beside the current one, under a new key.
    NewKey,
    /// Leave the record out of the merge.
    Skip,
    /// A person has to decide; why, for that person.
    Ask(String),
}

/// Why a current record stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepReason {
    /// It is newer than the backup's, and newer records are preserved.
    NewerKept,
    /// A rule took its values.
    ByStrategy,
    /// The backup has nothing to write.
    NothingToChange,
}

impl Strategy {
    /// The names of the built-in strategies; the first is the default.
    pub const BUILT_IN: [&'static str; 7] = {
        let mut names = [""; 7];
        let mut i = 0;
        while i < names.len() {
            names[i] = BUILT_IN[i].0;
            i += 1;
        }
        names
    };

    /// Loads a built-in strategy by name, else a strategy file by path.
    ///
    /// # Errors
    /// `Usage` for a name that is neither, an unreadable file, or a file with a mistake (with line and column).
    pub fn load(name_or_path: &str) -> Result<Self> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(name, _)| *name == name_or_path) {
            return Self::parse(name, text);
        }
        let path = std::path::Path::new(name_or_path);
        let about = match std::fs::metadata(path) {
            Ok(about) => about,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(unknown(name_or_path)),
            Err(error) => return Err(fail!(Usage, "the strategy file {name_or_path} can't be read").because(error)),
        };
        if !about.is_file() || about.len() > LARGEST_BYTES {
            return Err(fail!(
                Usage,
                "{name_or_path} is not a strategy file: a text file of at most 1 MiB is expected"
            ));
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| fail!(Usage, "the strategy file {name_or_path} can't be read").because(error))?;
        let stem = path.file_stem().map_or_else(|| name_or_path.into(), |stem| stem.to_string_lossy());
        Self::parse(&stem, &text).map_err(|error| error.at(name_or_path))
    }

    /// Parses the text of a strategy file.
    ///
    /// # Errors
    /// `Usage` with line and column: not TOML, an unknown key or word, a rule that can't work or can't be reached,
    /// or a last rule that does not match everything.
    pub fn parse(name: &str, toml: &str) -> Result<Self> {
        parse::parse(name, toml)
    }

    /// Returns the file's text, which [`Strategy::parse`] reads again.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the BLAKE3 digest of the text, in hexadecimal.
    pub fn digest(&self) -> String {
        blake3::hash(self.text.as_bytes()).to_hex().to_string()
    }

    /// Decides one record.
    pub fn decide(&self, record: &Conflict<'_>) -> Choice {
        decide::decide(self, record)
    }

    /// Tells whether records of a class are carried out at all.
    pub fn carries(&self, class: Class) -> bool {
        self.classes.contains(&class)
    }

    /// Tells whether records of a table are brought from the backup.
    ///
    /// A table whose key holds a field that is never brought is not brought either: without that field its records
    /// could not be told apart.
    pub fn brings_table(&self, table: &Table) -> bool {
        let whole = |never: &Never| never.field.is_none() && never.matches_table(table);
        !self.never.iter().any(whole) && table.names(&table.key).iter().all(|name| self.brings_field(table, name))
    }

    /// Tells whether a field is brought from the backup; where not, the backup's value counts as absent.
    pub fn brings_field(&self, table: &Table, field: &str) -> bool {
        !self
            .never
            .iter()
            .any(|never| never.field.as_ref().is_some_and(|glob| glob.matches(field)) && never.matches_table(table))
    }
}

impl Never {
    fn matches_table(&self, table: &Table) -> bool {
        self.table.as_ref().is_none_or(|glob| glob.matches_table(table))
    }
}

fn unknown(name: &str) -> crate::Error {
    let near = nearest(name, Strategy::BUILT_IN.into_iter());
    let list = Strategy::BUILT_IN.join(", ");
    fail!(Usage, "there is no strategy {name:?}, built in or as a file").hint(match near {
        Some(near) => format!("did you mean {near}? Built in are {list}; anything else is the path of a strategy file"),
        None => format!("built in are {list}; anything else is the path of a strategy file"),
    })
}

/// Returns the candidate that is spelled most alike, where one is near enough to be meant.
fn nearest(word: &str, candidates: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let word = word.to_lowercase();
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(candidate, &word), candidate))
        .filter(|(distance, _)| *distance <= 2.max(word.chars().count() / 3))
        .min()
        .map(|(_, candidate)| candidate)
}
