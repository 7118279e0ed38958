//! Backups: recognising a file's format, streaming its records, writing new ones. Never touches a database.
//!
//! Every format is one file (or folder) with the same shape: a reader that yields tables one after another and pushes
//! each record's fields into a [`RecordSink`]. Nothing in a file is trusted: not its key names, counts, sizes or order.

mod ahead;
mod archive;
mod attached;
mod baluhost;
mod crypt;
mod csv;
mod digest;
mod django;
mod inspect;
mod json;
mod lineage;
mod metadata;
mod named;
mod nul;
mod open;
mod options;
mod source;
mod sqlite;
#[cfg(test)]
mod testing;
mod utf16;
mod write;
mod zip;

pub use attached::{Attached, Changed, attached};
pub use crypt::{
    Key, Keys, Passphrase, Sealing, Secret, encryption, generate_identity, hmac_file, read_identity, seal_into, unlock,
};
pub use digest::digest;
pub use inspect::{InspectedColumn, InspectedTable, Inspection, inspect};
pub use lineage::{Lineage, lineage};
pub use open::{Format, open};
pub use options::{Limits, LoneSurrogates, Nul, ReadOptions, SqliteCheck};
pub(crate) use source::stream_error as content_error;
pub use write::{
    AtomicFile, BackupWriter, Compression, FilesFormat, FilesWriter, JarvisUserWriter, Layout, SmartBackupWriter,
    SmartOptions, TableMapWriter, TableOptions, WriteFormat, create, create_of, write_baluhost,
};

use crate::error::Result;
use crate::model::{Cell, OwnedCell};

/// Deleted records that a backup may name in one table: they are kept in memory.
pub const MOST_DELETED: usize = 100_000;

/// Where in a backup something stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The record's number within its table, from 1.
    pub record: u64,
    /// The byte offset of the record in the decompressed stream, where the format has one.
    pub offset: Option<u64>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.offset {
            Some(offset) => write!(f, "record {} (byte {offset})", self.record),
            None => write!(f, "record {}", self.record),
        }
    }
}

/// Takes records as a reader meets them: the fields of one, then its end.
///
/// *Shape:* fields come in the file's order, each name at most once (the sink refuses a repeated name).
pub trait RecordSink {
    /// Takes one field. The cell borrows the reader's buffer and is gone after the call.
    ///
    /// # Errors
    /// Whatever makes the sink want to stop: an unknown column, a repeated field.
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()>;

    /// Ends the record that the fields since the last call belong to.
    ///
    /// # Errors
    /// Whatever makes the sink want to stop: a missing key, a cancelled run.
    fn end_record(&mut self, place: Place) -> Result<()>;

    /// Takes a whole record whose fields have the names of the record before, in the same order: one cell per name.
    ///
    /// # Errors
    /// As for a field and for the end of a record.
    fn record_as_before(&mut self, names: &[String], cells: &[Cell<'_>], place: Place) -> Result<()> {
        names.iter().zip(cells).try_for_each(|(name, cell)| self.field(name, *cell))?;
        self.end_record(place)
    }
}

/// What a backup says of a table before its records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableHeader {
    /// The backup's name for it.
    pub name: String,
    /// The columns, where the format lists them (SQLite, CSV); JSON formats leave it empty.
    pub columns: Vec<String>,
    /// The key that the file claims; never believed, shown by `inspect`.
    pub claimed_key: Option<String>,
    /// Whether the backup carries every record that the table had, so that an absent one was deleted.
    pub whole: bool,
    /// The field that stands for the key, whatever its column is called (`pk` of Django records).
    pub pk_field: Option<String>,
    /// Keys of records that were deleted since the backup that this one builds on: fields by the file's names.
    pub deleted: Vec<Vec<(String, OwnedCell)>>,
    /// Whether `columns` only count: the file's records are lists, whose values stand in the order of the table's columns.
    pub positional: bool,
    /// The file's own spelling where `name` was derived from it: `core.child` of `core_child`.
    pub origin: Option<String>,
}

/// What a backup said of itself, known when it has been read to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// BLAKE3 of the file's bytes, 64 hexadecimal digits.
    pub digest: String,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// When it was exported, as the file says it.
    pub exported_at: Option<String>,
    /// Its format's version, as the file says it.
    pub version: Option<String>,
    /// Records per table as the file claims, in the backup's names.
    pub claimed_counts: Vec<(String, u64)>,
    /// The key that the file claims for a table, where it stands after the records; never believed.
    pub claimed_keys: Vec<(String, String)>,
    /// Where the records found differ from what the file claims, when [`ReadOptions::accept_count_mismatch`] let it pass.
    pub mismatches: Vec<String>,
    /// What else it says of itself: the application's version, the database's engine, by the file's own words.
    pub says: Vec<(String, String)>,
    /// Things a person should know.
    pub notes: Vec<String>,
}

/// A sink that takes everything and keeps nothing: reading checks what it reads.
pub struct Ignore;

impl RecordSink for Ignore {
    fn field(&mut self, _name: &str, _cell: Cell<'_>) -> Result<()> {
        Ok(())
    }

    fn end_record(&mut self, _place: Place) -> Result<()> {
        Ok(())
    }
}

/// A backup being read, table after table.
pub trait Reader: Send {
    /// Returns the format that was recognised.
    fn format(&self) -> Format;

    /// Goes to the next table; records of the one before that were not read are skipped.
    ///
    /// A table is named once: formats whose files interleave tables group them first.
    ///
    /// # Errors
    /// `BackupDamaged` with the place, for anything that is not as the format says.
    fn next_table(&mut self) -> Result<Option<TableHeader>>;

    /// Pushes all records of the table into the sink and returns how many there were.
    ///
    /// # Errors
    /// `BackupDamaged` with the place, or what the sink returns.
    fn read_records(&mut self, sink: &mut dyn RecordSink) -> Result<u64>;

    /// Reads to the end, checks what the file claims, and returns what it said of itself.
    ///
    /// # Errors
    /// `BackupDamaged` when counts or checksums do not hold, or when there is more data than the format allows.
    fn finish(self: Box<Self>) -> Result<Summary>;
}
