//! Making a new SQLite database from a backup: an SQLite backup is copied, anything else gets tables guessed from its
//! records.
//!
//! Guessed tables have the backup's names, the types its values allow, and a primary key where the file claims one, or
//! has a field `id` or `pk`, and its values are there and distinct. There are no foreign keys, checks or defaults: a file
//! does not know them. An existing database is never touched; merging into one is what plans are for.

mod guess;
mod shaped;

pub use shaped::ShapedWriter;

use crate::backup::{self, Format, Place, ReadOptions, Reader, RecordSink, TableHeader};
use crate::database::sqlite::error;
use crate::error::{Result, fail};
use crate::model::{Cell, OwnedCell};
use guess::Guess;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

/// What is restored, and where to.
pub struct Request<'a> {
    /// The backup.
    pub backup: &'a Path,
    /// The database file to be made; nothing may be there yet.
    pub into: &'a Path,
    /// How the backup is read.
    pub read: &'a ReadOptions,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Restored {
    /// Tables and how many records each got, in the backup's order.
    pub tables: Vec<RestoredTable>,
    /// Things a person should know.
    pub notes: Vec<String>,
}

/// A table that was made.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RestoredTable {
    /// Its name.
    pub name: String,
    /// Its records.
    pub records: u64,
    /// Its primary key, where one was found.
    pub key: Option<String>,
}

/// Makes a new SQLite database from a backup; the file appears when it is complete and on disk.
///
/// *Complexity:* two passes over the backup; memory for its columns and a digest of each key.
///
/// # Errors
/// `Usage` when the file exists already; `SchemaMismatch` for names that SQLite can't tell apart; what reading meets.
pub fn create(request: &Request<'_>) -> Result<Restored> {
    let into = request.into;
    if into.exists() {
        return Err(fail!(Usage, "{} exists already; it was not touched", into.display())
            .hint("Name a file that is not there yet, or merge the backup into the database with 'merganser merge'."));
    }
    let folder = into.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let temporary = tempfile::Builder::new()
        .prefix(".merganser-")
        .tempfile_in(folder)
        .map_err(|e| fail!(Failed, "{} can't be written", into.display()).because(e))?;
    let reader = backup::open(request.backup, request.read)?;
    let restored = if reader.format() == Format::Sqlite {
        // Reading it checks it.
        copy(reader, request.backup, temporary.path())?
    } else {
        load(reader, request, temporary.path())?
    };
    temporary.as_file().sync_all()?;
    temporary
        .persist_noclobber(into)
        .map_err(|e| fail!(Failed, "{} can't be written", into.display()).because(e.error))?;
    if cfg!(unix) {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(restored)
}

fn copy(mut reader: Box<dyn Reader>, from: &Path, to: &Path) -> Result<Restored> {
    let mut tables = Vec::new();
    while let Some(header) = reader.next_table()? {
        let records = reader.read_records(&mut backup::Ignore)?;
        tables.push(RestoredTable { name: header.name, records, key: header.claimed_key });
    }
    let summary = reader.finish()?;
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(error)?;
    let mut target = Connection::open(to).map_err(error)?;
    let copying = rusqlite::backup::Backup::new(&source, &mut target).map_err(error)?;
    copying.run_to_completion(1_000, Duration::ZERO, None).map_err(error)?;
    Ok(Restored { tables, notes: summary.notes })
}

fn load(mut first: Box<dyn Reader>, request: &Request<'_>, to: &Path) -> Result<Restored> {
    let mut guesses: Vec<(TableHeader, Guess)> = Vec::new();
    while let Some(header) = first.next_table()? {
        let mut guess = Guess::new(&header);
        first.read_records(&mut guess).map_err(|e| e.at(&header.name))?;
        guesses.push((header, guess));
    }
    let summary = first.finish()?;
    for (name, key) in &summary.claimed_keys {
        if let Some((_, guess)) = guesses.iter_mut().find(|(header, _)| header.name == *name) {
            guess.claim(key);
        }
    }
    let mut notes = summary.notes;
    let mut connection = Connection::open(to).map_err(error)?;
    // The file is made whole or thrown away: nothing has to survive a crash half-way.
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;").map_err(error)?;
    let transaction = connection.transaction().map_err(error)?;
    let mut shapes: HashMap<String, guess::Shape> = HashMap::new();
    let mut folded: HashMap<String, String> = HashMap::new();
    for (header, guess) in guesses {
        if let Some(other) = folded.insert(header.name.to_ascii_lowercase(), header.name.clone()) {
            return Err(fail!(
                SchemaMismatch,
                "SQLite can't tell the tables {other:?} and {:?} of the backup apart",
                header.name
            ));
        }
        let shape = guess.shape(&header.name)?;
        if shape.columns.is_empty() {
            notes.push(format!(
                "{}: no records, so that its columns are not known; it was made with an id only",
                header.name
            ));
        }
        transaction.execute_batch(&shape.create).map_err(|e| error(e).at(&header.name))?;
        shapes.insert(header.name, shape);
    }
    let mut tables = Vec::new();
    let mut second = backup::open(request.backup, request.read)?;
    while let Some(header) = second.next_table()? {
        let Some(shape) = shapes.get(&header.name) else { continue };
        let statement = transaction.prepare(&shape.insert).map_err(error)?;
        let mut load = Load { shape, statement, at: vec![0; shape.columns.len()], records: 0 };
        let records = second.read_records(&mut load).map_err(|e| e.at(&header.name))?;
        tables.push(RestoredTable { name: header.name, records, key: shape.key.clone() });
    }
    second.finish()?;
    transaction.commit().map_err(error)?;
    // Databases are opened by applications that may write: leave the usual journal.
    connection.execute_batch("PRAGMA journal_mode = DELETE;").map_err(error)?;
    Ok(Restored { tables, notes })
}

/// Inserts records as they come.
struct Load<'a> {
    shape: &'a guess::Shape,
    statement: Statement<'a>,
    /// The record in which each column was bound last; columns that a record lacks are null.
    at: Vec<u64>,
    records: u64,
}

impl RecordSink for Load<'_> {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()> {
        let position = *self
            .shape
            .positions
            .get(name)
            .ok_or_else(|| fail!(BackupDamaged, "the backup changed while it was read: field {name:?} is new"))?;
        self.at[position] = self.records + 1;
        let plain = guess::plain(cell);
        let cell = plain.as_ref().map_or(cell, OwnedCell::as_cell);
        let as_text = self.shape.columns[position].1.is_text();
        let number = |text: &str| match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(i), _) => ToSqlOutput::Owned(i.into()),
            (_, Ok(x)) => ToSqlOutput::Owned(x.into()),
            _ => ToSqlOutput::Owned(text.to_owned().into()),
        };
        let value = match cell {
            Cell::Absent | Cell::Null => ToSqlOutput::Owned(rusqlite::types::Value::Null),
            Cell::Bool(b) if as_text => ToSqlOutput::Owned(b.to_string().into()),
            Cell::Bool(b) => ToSqlOutput::Owned(i64::from(b).into()),
            Cell::Int(i) => ToSqlOutput::Owned(i.into()),
            Cell::UInt(u) => number(&u.to_string()),
            Cell::Real(x) => ToSqlOutput::Owned(x.into()),
            Cell::Number(text) if !as_text => number(text),
            Cell::Number(text) | Cell::String(text) | Cell::Text(text) | Cell::Json(text) => {
                ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
            }
            Cell::RawText(bytes) => ToSqlOutput::Borrowed(ValueRef::Text(bytes)),
            Cell::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        };
        self.statement.raw_bind_parameter(position + 1, value).map_err(error)
    }

    fn end_record(&mut self, place: Place) -> Result<()> {
        self.records += 1;
        for (position, at) in self.at.iter().enumerate() {
            if *at != self.records {
                self.statement.raw_bind_parameter(position + 1, rusqlite::types::Null).map_err(error)?;
            }
        }
        self.statement.raw_execute().map(|_| ()).map_err(|e| error(e).at(place))
    }
}
