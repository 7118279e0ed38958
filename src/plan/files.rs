//! The files of a plan: what was found of each file that travels with the backup, beside the records.

use crate::backup::Changed;
use crate::model::change::{Class, Reason};
use serde::{Deserialize, Serialize};

/// A file as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// BLAKE3 of its bytes.
    pub digest: String,
    /// Its size.
    pub size_bytes: u64,
    /// When it was changed last, where that is known.
    pub changed: Option<Changed>,
}

/// A file that is not unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFinding {
    /// Its path below the folder, with slashes.
    pub path: String,
    /// The class, as of a record.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// What else a person should know.
    pub note: Option<String>,
    /// The file in the folder.
    pub current: Option<Stamp>,
    /// The file in the backup.
    pub backup: Option<Stamp>,
}

/// What an analysis found of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesPlan {
    /// The folder, as a path without links.
    pub root: String,
    /// Files that are not unchanged, by path.
    pub findings: Vec<FileFinding>,
    /// Files that are the same on both sides.
    pub unchanged: u64,
    /// Files that are only in the folder and stay.
    pub current_only: u64,
}

impl FilesPlan {
    /// Counts the findings of a class.
    pub fn count(&self, class: Class) -> u64 {
        self.findings.iter().filter(|finding| finding.class == class).count() as u64
    }
}
