//! The analyzer: every record of a backup compared with the current database and classified, with the reason.
//!
//! No I/O of its own: it pulls from a backup's `Reader` and a database's `Snapshot`, and hands what it finds to a
//! [`Findings`] store. The classes do not depend on any strategy.

pub mod classify;
pub mod django;
pub mod filter;
pub mod graph;
pub mod options;

mod check;
mod join;
mod keys;
mod mapping;
pub mod matching;
pub(crate) mod rounds;
mod rows;
mod run;
mod sides;
mod spill;
#[cfg(test)]
mod tests;

pub use keys::{made_key, next_number};
pub(crate) use mapping::column_of;
pub use matching::Matched;
pub use options::{Options, VirtualKey};
pub use run::{Base, Current, analyze};

use crate::backup::{Place, Summary};
use crate::error::Result;
use crate::model::calendar::Timestamp;
use crate::model::change::{Class, Counts, Field, Reason};
use crate::model::{Schema, Value};

/// One record that is not unchanged.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The store's number for it; 0 before it is stored.
    pub id: i64,
    /// Position of its table in the schema.
    pub table: usize,
    /// The key's values; empty for a table without a key or a record without one.
    pub key: Vec<Value>,
    /// The key's canonical bytes.
    pub key_bytes: Vec<u8>,
    /// The class.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// What else a person should know: which record holds the unique key, which parent is missing.
    pub note: Option<String>,
    /// The fields in which the sides differ; all fields for a record on one side only.
    pub fields: Vec<Field>,
    /// With a base: the fields that current alone changed. They stay, unless the record is decided as a whole.
    pub kept: Vec<Field>,
    /// A digest per column of the current record as it was seen; empty where there is none.
    pub current_digests: Vec<u64>,
    /// The backup record's timestamp.
    pub backup_at: Option<Timestamp>,
    /// The current record's timestamp.
    pub current_at: Option<Timestamp>,
    /// Where the backup has the record.
    pub place: Place,
    /// What stands in the way of taking the backup's side, or depends on others.
    pub limits: Limits,
}

/// What stands in the way of writing the backup's values of a record; found by the analysis, used when settling.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Current records that hold a unique key which the backup's values claim: possible only if those give it up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<Holder>,
    /// Records of the backup that claim the same unique key: at most one of them can be written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rivals: Vec<Holder>,
    /// For a record that others of the backup block: class and reason that it has once none of those claims what it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<(Class, Reason)>,
    /// Columns whose backup value can't be stored, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unstorable: Vec<(usize, String)>,
    /// Why the engine refuses the record with all of the backup's values, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What comes of taking some of the backup's fields and not others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mixes: Vec<Mix>,
    /// For a record that meets another entity: what the choices about its identity need to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Box<Identity>>,
    /// For a new record whose key holds a reference that may follow another record: who has that key by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub already: Option<Box<Already>>,
    /// Unique keys that the record would take from a current one once its references follow: a second profile of one user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turned: Vec<Turned>,
    /// For a record on both sides, one of whose references names a record that meets another: what both sides have alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alike: Option<Box<Alike>>,
}

/// What a record has alike on both sides, besides its key, of the columns that the backup carries.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Alike {
    /// The columns.
    pub columns: Vec<usize>,
    /// Their values, as encoded values.
    pub values: Vec<u8>,
}

/// A unique key that a record would claim once its references follow, and the current record that holds it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Turned {
    /// What it would claim, as canonical bytes.
    pub tuple: Vec<u8>,
    /// Who holds it.
    pub holder: Holder,
}

/// A current record that a new one would become once its references follow.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Already {
    /// Its key, as canonical bytes.
    pub key_bytes: Vec<u8>,
    /// The fields in which it differs; none: it is the same record.
    pub differs: Vec<usize>,
}

/// The current record that a backup's record meets: the holder of its unique key, or another entity under its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// The existing record's key, as encoded values.
    pub key: Vec<u8>,
    /// The existing record's key, as canonical bytes.
    pub key_bytes: Vec<u8>,
    /// A digest per column of the existing record as it was seen.
    pub digests: Vec<u64>,
    /// The columns of the unique key that it holds; empty where it holds the key itself.
    pub unique: Vec<usize>,
    /// How many current records refer to the existing record: by table.
    pub referrers: Vec<(String, u64)>,
    /// The key column for which a new value can be made, if there is one.
    pub generated: Option<usize>,
    /// The highest number that either side has in that column.
    pub highest: Option<i64>,
}

/// Some of a constraint's differing fields from the backup beside the others of the current record.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mix {
    /// The columns whose values are the backup's.
    pub with: Vec<usize>,
    /// The columns that stay as they are.
    pub without: Vec<usize>,
    /// What comes of it.
    pub what: Mixed,
}

/// What comes of a record that is made of both sides.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mixed {
    /// It can't be in the database; why.
    Refused(String),
    /// It refers to a record that is only there if the merge brings it, or does not delete it.
    Needs {
        /// That record's table.
        table: usize,
        /// Its key, as canonical bytes.
        key_bytes: Vec<u8>,
        /// As people see it: `a+b → t/1,x`.
        text: String,
    },
    /// A unique key of it is held by a current record.
    Held(Holder),
    /// Another arriving record claims a unique key of it, if that one is written as here.
    Claimed {
        /// That record's key, as canonical bytes.
        key_bytes: Vec<u8>,
        /// The columns whose values are the backup's there.
        with: Vec<usize>,
        /// The columns that stay as they are there.
        without: Vec<usize>,
        /// As people see it.
        text: String,
    },
}

/// Another record that holds or claims a unique key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holder {
    /// The columns that decide what a record claims of the unique key.
    pub columns: Vec<usize>,
    /// Whether the other record goes on holding it even with everything that the backup brings for it, though some of the
    /// columns change: what an expression or a predicate makes of them stays.
    #[serde(default)]
    pub stays: bool,
    /// The other record's key, as canonical bytes.
    pub key_bytes: Vec<u8>,
    /// What it does, as people see it: `email = a@x is held by users/57`.
    pub text: String,
}

/// Keeps what an analysis finds; the plan file implements it.
pub trait Findings {
    /// Says which schema the findings will be of: current's, with the keys and timestamps that were asked for.
    fn about(&mut self, schema: &Schema);

    /// Stores a finding.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    fn add(&mut self, finding: Finding) -> Result<()>;

    /// Visits up to `limit` findings of a table that have one of the classes, after the given number, in number order.
    ///
    /// # Errors
    /// As `add`.
    fn page(&mut self, table: usize, classes: &[Class], after: i64, limit: usize) -> Result<Vec<Finding>>;

    /// As [`Findings::page`], for conflicts that have one of the reasons: few among many, usually.
    ///
    /// # Errors
    /// As `add`.
    fn conflicts(&mut self, table: usize, reasons: &[Reason], after: i64, limit: usize) -> Result<Vec<Finding>>;

    /// Finds the record of a table by its key's canonical bytes.
    ///
    /// # Errors
    /// As `add`.
    fn find(&mut self, table: usize, key_bytes: &[u8]) -> Result<Option<Finding>>;

    /// Replaces class, reason, note and fields of a finding.
    ///
    /// # Errors
    /// As `add`.
    fn revise(&mut self, finding: &Finding) -> Result<()>;

    /// Removes a finding.
    ///
    /// # Errors
    /// As `add`.
    fn remove(&mut self, id: i64) -> Result<()>;

    /// Puts a finding under a key, and under the canonical bytes by which that key is found.
    ///
    /// # Errors
    /// As `add`.
    fn rename(&mut self, _id: i64, _key: &[Value], _key_bytes: &[u8]) -> Result<()> {
        Ok(())
    }

    /// Returns the text that stands for a text of a column: the first one with the same form. It is remembered which
    /// texts are not their own.
    ///
    /// # Errors
    /// As `add`.
    fn spelling(&mut self, _table: usize, _column: usize, _form: &str, text: &str) -> Result<String> {
        Ok(text.to_owned())
    }

    /// Notes a name by which a finding is found besides its key; the first finding that has it keeps it.
    ///
    /// # Errors
    /// As `add`.
    fn name(&mut self, _name: [u8; 16], _id: i64) -> Result<()> {
        Ok(())
    }

    /// Finds a finding by a name that was noted.
    ///
    /// # Errors
    /// As `add`.
    fn named(&mut self, _name: [u8; 16]) -> Result<Option<Finding>> {
        Ok(None)
    }

    /// Notes that a finding waits for what becomes of another in a step; both are numbers.
    ///
    /// # Errors
    /// As `add`.
    fn wait(&mut self, _step: usize, _awaited: i64, _id: i64) -> Result<()> {
        Ok(())
    }

    /// Tells whether any finding waits for one.
    ///
    /// # Errors
    /// As `add`.
    fn is_awaited(&mut self, _id: i64) -> Result<bool> {
        Ok(false)
    }

    /// Returns the findings that wait for one of some others in a step, in number order.
    ///
    /// # Errors
    /// As `add`.
    fn waiters(&mut self, _step: usize, _awaited: &[i64]) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }

    /// Tells whether values of a column are taken out of what is stored: they are never brought, and not missed.
    fn withholds(&self, _table: usize, _column: usize) -> bool {
        false
    }
}

/// What an analysis says of one table.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TableResult {
    /// Position in the schema.
    pub table: usize,
    /// The table's label.
    pub name: String,
    /// The backup's name for it.
    pub backup_name: String,
    /// Records per class.
    pub counts: Counts,
    /// Columns that the backup carries, by position.
    pub carried: Vec<usize>,
    /// Whether a base was compared with.
    pub three_way: bool,
    /// Whether the backup carries the table whole.
    pub whole: bool,
}

/// The result of an analysis besides its findings.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The current schema with keys and timestamp columns as they were used.
    pub schema: Schema,
    /// Which columns were compared: per table, per column.
    pub compared: Vec<Vec<bool>>,
    /// The tables that the backup carries, parents first.
    pub tables: Vec<TableResult>,
    /// Columns of those tables that the backup does not carry: `table.column`.
    pub not_carried: Vec<String>,
    /// What the backup said of itself.
    pub backup: Summary,
    /// What the base said of itself.
    pub base: Option<Summary>,
    /// Things a person should know.
    pub notes: Vec<String>,
}

impl Analysis {
    /// Adds the counts of all tables.
    pub fn counts(&self) -> Counts {
        let mut total = Counts::default();
        self.tables.iter().for_each(|t| total.add(&t.counts));
        total
    }
}

/// Digests the encoded values of a record, one digest a column.
pub fn digests(body: &[u8]) -> Vec<u64> {
    crate::model::encode::split(body).map(xxhash_rust::xxh3::xxh3_64).collect()
}
