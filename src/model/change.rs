//! The classes and reasons of the analysis: closed sets, one word each (DESIGN 2 and 4).

use super::value::Value;
use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};

/// What the comparison says of a record; independent of any strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Only in the backup; can be inserted.
    New,
    /// The backup's record replaces or completes the current one.
    Updated,
    /// A choice has to be made.
    Conflict,
    /// Nothing to do.
    Unchanged,
    /// Can't be written as it is.
    Blocked,
    /// Left out by a filter.
    Excluded,
    /// Only in the current database.
    CurrentOnly,
}

/// Why a record has its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// In the backup only.
    OnlyInBackup,
    /// No compared field differs.
    SameFields,
    /// The backup's timestamp is later.
    BackupNewer,
    /// The current timestamp is later.
    CurrentNewer,
    /// Fields differ though the timestamps are equal within the tolerance.
    NoEvidenceEqual,
    /// Fields differ and a timestamp is missing on one side.
    NoEvidenceMissing,
    /// Fields differ and a timestamp can't be read.
    NoEvidenceUnreadable,
    /// Fields differ and a timestamp lies in the future.
    NoEvidenceFuture,
    /// No timestamp; every differing field is null in current.
    FillsEmpty,
    /// No timestamp; fields differ.
    BothDiffer,
    /// The key is free but a unique key is held by another current record.
    UniqueTaken,
    /// The key is the same but evidently another entity's.
    ReusedKey,
    /// A referenced record is on neither side.
    MissingParent,
    /// A value does not fit its column.
    ValueNotStorable,
    /// Null, or no value, for a column that needs one.
    NullNotAllowed,
    /// A check constraint refuses the record.
    CheckFails,
    /// The record's key is missing or null.
    KeyMissing,
    /// Two records of the backup claim one unique key.
    UniqueTwiceInBackup,
    /// The table refuses writes.
    TableRefused,
    /// Since the base only current changed.
    OnlyCurrentChanged,
    /// Since the base only the backup changed.
    OnlyBackupChanged,
    /// Since the base both changed, other fields each.
    MergedFields,
    /// Since the base both changed the same fields.
    BothChanged,
    /// Deleted in current since the base.
    DeletedInCurrent,
    /// Deleted in the backup since the base.
    DeletedInBackup,
    /// Only in current, and a mirror was asked for.
    NotInBackup,
    /// Deleting it would leave records that refer to it.
    StillReferenced,
    /// Left out by a filter.
    Filtered,
    /// Only in current.
    OnlyInCurrent,
}

/// Gives an enum of unit variants its snake-case word, by the same rule that serde uses.
macro_rules! words {
    ($type:ident) => {
        impl $type {
            /// Returns the word used in JSON, on the command line and in documents.
            pub fn word(self) -> String {
                match serde_json::to_value(self) {
                    Ok(serde_json::Value::String(word)) => word,
                    _ => unreachable!("unit variants serialise as strings"),
                }
            }

            /// Reads the word.
            pub fn from_word(word: &str) -> Option<Self> {
                let word: StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
                Self::deserialize(word).ok()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.word())
            }
        }
    };
}
words!(Class);
words!(Reason);

/// How many records have each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// See [`Class::New`].
    pub new: u64,
    /// See [`Class::Updated`].
    pub updated: u64,
    /// See [`Class::Conflict`].
    pub conflict: u64,
    /// See [`Class::Unchanged`].
    pub unchanged: u64,
    /// See [`Class::Blocked`].
    pub blocked: u64,
    /// See [`Class::Excluded`].
    pub excluded: u64,
    /// See [`Class::CurrentOnly`].
    pub current_only: u64,
}

impl Counts {
    /// Returns the counter of a class.
    pub fn of(&mut self, class: Class) -> &mut u64 {
        match class {
            Class::New => &mut self.new,
            Class::Updated => &mut self.updated,
            Class::Conflict => &mut self.conflict,
            Class::Unchanged => &mut self.unchanged,
            Class::Blocked => &mut self.blocked,
            Class::Excluded => &mut self.excluded,
            Class::CurrentOnly => &mut self.current_only,
        }
    }

    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.new += other.new;
        self.updated += other.updated;
        self.conflict += other.conflict;
        self.unchanged += other.unchanged;
        self.blocked += other.blocked;
        self.excluded += other.excluded;
        self.current_only += other.current_only;
    }

    /// Returns how many records of the backup are counted.
    pub fn backup_records(&self) -> u64 {
        self.new + self.updated + self.conflict + self.unchanged + self.blocked + self.excluded
    }
}

/// A field in which the sides differ; for a record on one side only, a field of that side.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The column's position in the table.
    pub column: usize,
    /// The base's value: `None` without a base, `Some(None)` where the base's record lacks the field.
    pub base: Option<Option<Value>>,
    /// The current value; `None` where there is no current record.
    pub current: Option<Value>,
    /// The backup's value; `None` where the field is absent: no opinion.
    pub backup: Option<Value>,
    /// With a base: whether both sides changed it. Without: true for every differing field of a conflict.
    pub in_conflict: bool,
    /// Whether it is the record's timestamp, which follows the other fields instead of being decided.
    pub is_timestamp: bool,
}
