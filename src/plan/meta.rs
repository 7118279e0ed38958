//! What a plan pins and how it was made.

use crate::analyzer::{Options, TableResult};
use crate::backup::{Limits, LoneSurrogates, Nul, ReadOptions};
use crate::database::Identity;
use crate::model::Schema;
use crate::model::change::Counts;
use serde::{Deserialize, Serialize};

/// What carrying out the plan is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanKind {
    /// A merge of a backup.
    Merge,
    /// Taking a merge back.
    Undo {
        /// The merge's id.
        merge: String,
    },
    /// Taking an undo back.
    Redo {
        /// The undo's id.
        undo: String,
    },
}

/// A backup as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPin {
    /// The path it was read from.
    pub path: String,
    /// BLAKE3 of its bytes.
    pub digest: String,
    /// Its size.
    pub size_bytes: u64,
    /// Its format's word.
    pub format: String,
    /// When it was exported, as it says.
    pub exported_at: Option<String>,
}

/// How the files of an analysis were read, so that analyzing again reads them alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadPin {
    /// The safety limits.
    pub limits: Limits,
    /// Whether tokens were read that are not JSON.
    pub lenient_json: bool,
    /// What was done about NUL characters.
    #[serde(default)]
    pub nul: Nul,
    /// What was done about halves of surrogate pairs.
    #[serde(default)]
    pub lone_surrogates: LoneSurrogates,
    /// Whether other record counts than claimed were accepted.
    pub accept_count_mismatch: bool,
}

impl ReadPin {
    /// Keeps what decides how a file is understood.
    pub fn of(read: &ReadOptions) -> Self {
        Self {
            limits: read.limits.clone(),
            lenient_json: read.lenient_json,
            nul: read.nul,
            lone_surrogates: read.lone_surrogates,
            accept_count_mismatch: read.accept_count_mismatch,
        }
    }

    /// Returns the options to read by.
    pub fn options(&self) -> ReadOptions {
        ReadOptions {
            limits: self.limits.clone(),
            lenient_json: self.lenient_json,
            nul: self.nul,
            lone_surrogates: self.lone_surrogates,
            accept_count_mismatch: self.accept_count_mismatch,
            ..ReadOptions::default()
        }
    }
}

/// The plan's meta data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// The plan's id: `p-9c41…`.
    pub id: String,
    /// What carrying it out is.
    pub kind: PlanKind,
    /// When it was made (RFC 3339, UTC).
    pub created_at: String,
    /// When it becomes too old to be merged.
    pub expires_at: String,
    /// The version that made it.
    pub version: String,
    /// The backup; none for an undo.
    pub backup: Option<BackupPin>,
    /// The base, where one was compared with.
    pub base: Option<BackupPin>,
    /// The database it is for.
    pub database: Identity,
    /// What was asked.
    pub options: Options,
    /// How the files were read.
    #[serde(default)]
    pub read: ReadPin,
    /// The schema as it was read and set up.
    pub schema: Schema,
    /// Which columns were compared: per table, per column.
    pub compared: Vec<Vec<bool>>,
    /// What was found per table, parents first.
    pub tables: Vec<TableResult>,
    /// Columns that the backup does not carry.
    pub not_carried: Vec<String>,
    /// What the strategies never bring, so that no value of it is in the plan: tables, and columns as `table.column`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
    /// Things a person should know.
    pub notes: Vec<String>,
    /// The strategy: name and text.
    pub strategy: (String, String),
    /// Strategies of single tables: table label, name, text.
    pub table_strategies: Vec<(String, String, String)>,
    /// The files that travel with the backup, where a folder for them was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<super::FilesPlan>,
}

impl Meta {
    /// Adds the counts of all tables.
    pub fn counts(&self) -> Counts {
        let mut total = Counts::default();
        self.tables.iter().for_each(|t| total.add(&t.counts));
        total
    }

    /// Returns "two-way" or "three-way".
    pub fn compared_word(&self) -> &'static str {
        if self.tables.iter().any(|t| t.three_way) { "three-way" } else { "two-way" }
    }
}
