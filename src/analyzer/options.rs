//! What a user can ask of an analysis; pinned in the plan, so that a refreshed analysis asks the same.

use super::classify::Deletes;
use serde::{Deserialize, Serialize};

/// What to do with a table or column of the backup that the current database does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUnknown {
    /// Refuse, with suggestions.
    #[default]
    Error,
    /// Leave it out, and say so.
    Skip,
}

/// How records are found that a chosen record refers to but a filter leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parents {
    /// They are pulled in.
    #[default]
    Auto,
    /// A record that needs one is blocked.
    Require,
    /// Nothing is looked up; the database decides at the merge.
    None,
}

/// A reference that the database does not declare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualKey {
    /// The referring table.
    pub table: String,
    /// Its referring columns.
    pub columns: Vec<String>,
    /// The referenced table.
    pub parent: String,
    /// The referenced columns, as many.
    pub references: Vec<String>,
    /// The column and the text in it that make it this reference.
    pub when: Option<(String, String)>,
}

/// Which side of a record has to meet the conditions that were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// The backup's: a person chooses what they bring.
    #[default]
    Backup,
    /// Both: a person may reach certain records only, and who writes the backup says what is in it. A current record
    /// beyond the conditions is neither shown nor written, whatever the backup says of its key, and no record that holds a
    /// unique value is.
    Both,
}

/// What a record's timestamp becomes when the record is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Touch {
    /// What the sides have: the record's own history.
    #[default]
    Keep,
    /// The moment of the analysis, as the application would set it that the merge goes around: whoever asks the database
    /// for what changed since then finds the record.
    Analysis,
}

/// The settings of an analysis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Only these tables.
    pub only_tables: Vec<String>,
    /// Not these tables.
    ///
    /// `*` stands for every table.
    pub skip_tables: Vec<String>,
    /// Only these columns, `table.column` or `column`; keys and timestamps are always read.
    pub only_columns: Vec<String>,
    /// Not these columns.
    pub skip_columns: Vec<String>,
    /// Columns `table.column` into which nothing is ever written, whoever asks for it.
    pub never_write: Vec<String>,
    /// Conditions `table: column = value and …`.
    pub conditions: Vec<String>,
    /// Backup table → current table.
    pub map_tables: Vec<(String, String)>,
    /// `Table.column` of the backup → `table.column` or `column` of the current database.
    pub map_columns: Vec<(String, String)>,
    /// What to do with unknown tables.
    pub on_unknown_table: OnUnknown,
    /// What to do with unknown columns.
    pub on_unknown_column: OnUnknown,
    /// Tables, and columns as table NUL column, that the configuration describes: each must be there.
    pub declared: Vec<String>,
    /// Columns that hold secrets though their names do not say so: table, column.
    pub secret_columns: Vec<(String, String)>,
    /// Keys named by the user: table, columns.
    pub keys: Vec<(String, Vec<String>)>,
    /// Tables whose records are matched by a natural key, whatever their ids: table, columns.
    pub matches: Vec<(String, Vec<String>)>,
    /// References that the database does not declare.
    pub virtual_keys: Vec<VirtualKey>,
    /// Timestamp columns: table (none: every table), column (none: off).
    pub timestamps: Vec<(Option<String>, Option<String>)>,
    /// Instants no further apart than this count as equal, in milliseconds.
    pub tolerance_millis: u64,
    /// What is done about records that the backup no longer has.
    pub deletes: Deletes,
    /// Whether fields changed on different sides make a conflict.
    pub strict: bool,
    /// How parents that a filter leaves out are found.
    pub parents: Parents,
    /// Which side of a record has to meet the conditions.
    pub reach: Reach,
    /// Whether a newer current record stays under every strategy.
    pub preserve_newer: bool,
    /// What the timestamps of written records become.
    pub touch: Touch,
    /// Memory for records that wait for their partner, in bytes.
    pub budget_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            only_tables: Vec::new(),
            skip_tables: Vec::new(),
            only_columns: Vec::new(),
            skip_columns: Vec::new(),
            never_write: Vec::new(),
            conditions: Vec::new(),
            map_tables: Vec::new(),
            map_columns: Vec::new(),
            on_unknown_table: OnUnknown::Error,
            on_unknown_column: OnUnknown::Error,
            declared: Vec::new(),
            secret_columns: Vec::new(),
            keys: Vec::new(),
            matches: Vec::new(),
            virtual_keys: Vec::new(),
            timestamps: Vec::new(),
            tolerance_millis: 2_000,
            deletes: Deletes::Keep,
            strict: false,
            parents: Parents::Auto,
            reach: Reach::Backup,
            preserve_newer: true,
            touch: Touch::Keep,
            budget_bytes: 96 * 1024 * 1024,
        }
    }
}
