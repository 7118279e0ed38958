//! What a merge does with a record, and what it is said to have done.

use crate::model::OwnedCell;
use serde::{Deserialize, Serialize};

/// What becomes of a record when the plan is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is inserted.
    Inserted,
    /// It is updated.
    Updated,
    /// It is deleted.
    Deleted,
    /// The current record stays: it is newer.
    KeptNewer,
    /// The current record stays: by the strategy or a decision.
    Kept,
    /// It is left out: by the strategy or a decision.
    Skipped,
    /// Nobody has decided.
    Undecided,
    /// It can't be written.
    Blocked,
    /// The current record changed since the analysis and was left out on request.
    Stale,
}

impl Outcome {
    /// Returns the word used in files and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Inserted => "inserted",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::KeptNewer => "kept_newer",
            Self::Kept => "kept",
            Self::Skipped => "skipped",
            Self::Undecided => "undecided",
            Self::Blocked => "blocked",
            Self::Stale => "stale",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Inserted,
            Self::Updated,
            Self::Deleted,
            Self::KeptNewer,
            Self::Kept,
            Self::Skipped,
            Self::Undecided,
            Self::Blocked,
            Self::Stale,
        ]
        .into_iter()
        .find(|o| o.word() == word)
    }

    /// Tells whether the record is written.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Inserted | Self::Updated | Self::Deleted)
    }
}

/// A statement's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Inserts a record.
    Insert,
    /// Changes fields of a record.
    Update,
    /// Deletes a record.
    Delete,
}

impl ActionKind {
    /// Returns the word used in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Insert, Self::Update, Self::Delete].into_iter().find(|k| k.word() == word)
    }
}

/// How a record of an undo is carried out: the exact cells it had.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// The record it carries out.
    pub record: i64,
    /// The statement.
    pub kind: ActionKind,
    /// The columns written.
    pub columns: Vec<usize>,
    /// Their cells.
    pub cells: Vec<OwnedCell>,
}
