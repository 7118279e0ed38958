//! Reads the tables of an SQLite database file, which may be hostile or damaged (CHECKS T7, F20, F84).
//!
//! The file is opened read-only and immutable; with a `-wal` beside it, copies of both are opened so that the records
//! in the `-wal` count. Only stored columns of real tables are read: no views, no virtual tables, no generated columns.
//!
//! Header fields: <https://sqlite.org/fileformat2.html#the_database_header>; the `-wal` file: section 4 of that page.

mod files;

use self::files::{check_header, check_wal, refuse_hot_journal};
use super::digest::Watched;
use super::options::{Limits, ReadOptions, SqliteCheck};
use super::source::{beside, open_file};
use super::{Format, Place, Reader, RecordSink, Summary, TableHeader};
use crate::error::{Error, Result, fail};
use crate::model::Cell;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

/// The first bytes of every SQLite database file.
pub(crate) const MAGIC: &[u8; 16] = b"SQLite format 3\0";

const SMALL_FILE_BYTES: u64 = 64 << 20;
const STEPS_BETWEEN_CHECKS: i32 = 100_000;

/// Tells whether a file that begins like this is an SQLite database.
pub(crate) fn looks_like(head: &[u8]) -> bool {
    head.starts_with(&MAGIC[..head.len().clamp(8, 16)])
}

/// A table to read: its name, stored columns and key.
struct Listed {
    name: String,
    columns: Vec<String>,
    key: Vec<String>,
}

/// Reads an SQLite database file.
pub(crate) struct SqliteReader {
    watched: Watched,
    connection: Connection,
    /// Holds the copies that the connection reads, where there was a `-wal`.
    _copies: Option<tempfile::TempDir>,
    limits: Limits,
    tables: VecDeque<Listed>,
    current: Option<Listed>,
    notes: Vec<String>,
}

impl SqliteReader {
    /// Opens a database file and lists its tables.
    ///
    /// # Errors
    /// `BackupDamaged` for a file that is cut, has a hot journal or a broken `-wal`, or fails SQLite's own check.
    pub(crate) fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        let watched = Watched::new(path)?;
        let mut notes = Vec::new();
        let mut file = open_file(path)?;
        let length = file.metadata()?.len();
        check_header(&mut file, length)?;
        refuse_hot_journal(path)?;
        let wal = beside(path, "-wal");
        let has_wal = wal.metadata().is_ok_and(|m| m.len() > 0);
        let (connection, copies) = if has_wal {
            check_wal(&wal)?;
            let folder = tempfile::tempdir()?;
            let copy = folder.path().join("backup.db");
            std::fs::copy(path, &copy)?;
            std::fs::copy(&wal, beside(&copy, "-wal"))?;
            notes.push("the records in the `-wal` file beside the database were read too".to_owned());
            (Connection::open_with_flags(&copy, flags(OpenFlags::SQLITE_OPEN_READ_WRITE)), Some(folder))
        } else {
            let uri = format!("file:{}?mode=ro&immutable=1", percent_encoded(path)?);
            let flags = flags(OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI);
            (Connection::open_with_flags(uri, flags), None)
        };
        let connection = connection.map_err(|e| sqlite_error(e, "the database can't be opened"))?;
        harden(&connection, &options.limits).map_err(|e| sqlite_error(e, "the database can't be opened"))?;
        let mut reader = Self {
            watched,
            connection,
            _copies: copies,
            limits: options.limits.clone(),
            tables: VecDeque::new(),
            current: None,
            notes,
        };
        reader.set_deadline()?;
        if options.sqlite_check == SqliteCheck::Always || length <= SMALL_FILE_BYTES {
            reader.quick_check()?;
        }
        reader.list().map_err(|e| sqlite_error(e, "the schema can't be read"))?;
        if reader.tables.len() > options.limits.tables {
            return Err(fail!(LimitReached, "there are more than {} tables", options.limits.tables));
        }
        Ok(reader)
    }

    /// Stops statements that run longer than allowed; called again for each table.
    fn set_deadline(&mut self) -> Result<()> {
        let (start, allowed) = (Instant::now(), self.limits.wall_time);
        self.connection
            .progress_handler(STEPS_BETWEEN_CHECKS, Some(move || start.elapsed() > allowed))
            .map_err(|e| sqlite_error(e, "the database can't be read"))
    }

    fn quick_check(&self) -> Result<()> {
        let found: String = self
            .connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|e| sqlite_error(e, "SQLite's check of the database failed"))?;
        if found == "ok" {
            return Ok(());
        }
        Err(fail!(BackupDamaged, "the database is damaged: {found}").hint("get another copy of it"))
    }

    fn list(&mut self) -> rusqlite::Result<()> {
        let mut statement =
            self.connection.prepare("SELECT name, type FROM pragma_table_list WHERE schema = 'main' ORDER BY name")?;
        let all: Vec<(String, String)> =
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        for (name, kind) in all {
            if name.starts_with("sqlite_") {
                continue;
            }
            if kind != "table" {
                self.notes.push(format!("`{}` is a {kind} and was left out", name.escape_debug()));
                continue;
            }
            let mut columns =
                self.connection.prepare_cached("SELECT name, pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid")?;
            let columns: Vec<(String, i64, i64)> = columns
                .query_map([&name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<rusqlite::Result<_>>()?;
            let mut key: Vec<(i64, String)> =
                columns.iter().filter(|(_, pk, _)| *pk > 0).map(|(column, pk, _)| (*pk, column.clone())).collect();
            key.sort_unstable();
            let stored = columns.into_iter().filter(|(.., hidden)| *hidden == 0).map(|(column, ..)| column).collect();
            self.tables.push_back(Listed {
                name,
                columns: stored,
                key: key.into_iter().map(|(_, column)| column).collect(),
            });
        }
        Ok(())
    }
}

impl Reader for SqliteReader {
    fn format(&self) -> Format {
        Format::Sqlite
    }

    fn next_table(&mut self) -> Result<Option<TableHeader>> {
        self.current = self.tables.pop_front();
        Ok(self.current.as_ref().map(|table| TableHeader {
            name: table.name.clone(),
            columns: table.columns.clone(),
            claimed_key: (!table.key.is_empty()).then(|| table.key.join(",")),
            whole: true,
            ..TableHeader::default()
        }))
    }

    fn read_records(&mut self, sink: &mut dyn RecordSink) -> Result<u64> {
        let Some(table) = self.current.take() else { return Ok(0) };
        if table.columns.is_empty() {
            return Ok(0);
        }
        self.set_deadline()?;
        let name = table.name.escape_debug().to_string();
        let failed = |error, count: u64| sqlite_error(error, &format!("{name}, record {}", count + 1));
        let columns: Vec<String> = table.columns.iter().map(|column| quoted(column)).collect();
        // NOT INDEXED: otherwise SQLite may walk a covering index and hand out records in that index's order.
        let sql = format!("SELECT {} FROM main.{} NOT INDEXED", columns.join(","), quoted(&table.name));
        let mut statement = self.connection.prepare(&sql).map_err(|e| failed(e, 0))?;
        let mut rows = statement.query([]).map_err(|e| failed(e, 0))?;
        let mut count = 0;
        while let Some(row) = rows.next().map_err(|e| failed(e, count))? {
            for (position, column) in table.columns.iter().enumerate() {
                let value = row.get_ref(position).map_err(|e| failed(e, count))?;
                sink.field(column, cell_of(value))?;
            }
            count += 1;
            sink.end_record(Place { record: count, offset: None })?;
        }
        Ok(count)
    }

    fn finish(self: Box<Self>) -> Result<Summary> {
        let (digest, size_bytes) = self.watched.finish()?;
        Ok(Summary { digest, size_bytes, notes: self.notes, ..Summary::default() })
    }
}

fn cell_of(value: ValueRef<'_>) -> Cell<'_> {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(integer) => Cell::Int(integer),
        ValueRef::Real(real) => Cell::Real(real),
        ValueRef::Text(bytes) => match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => Cell::Text(text),
            Err(_) => Cell::RawText(bytes),
        },
        ValueRef::Blob(bytes) => Cell::Bytes(bytes),
    }
}

fn flags(own: OpenFlags) -> OpenFlags {
    own | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Switches off everything in the file that could act.
fn harden(connection: &Connection, limits: &Limits) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    // One row buffer holds all values of a record.
    let length = i32::try_from(limits.string_bytes).unwrap_or(i32::MAX);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, length)?;
    connection.set_limit(Limit::SQLITE_LIMIT_COLUMN, i32::try_from(limits.keys).unwrap_or(i32::MAX))?;
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, 4 << 20)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.execute_batch("PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA query_only = ON;")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Turns SQLite's error into ours, with its message.
fn sqlite_error(error: rusqlite::Error, place: &str) -> Error {
    use rusqlite::ErrorCode;
    let error = match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => fail!(LimitReached, "{place}: reading took too long").because(error),
        Some(ErrorCode::TooBig) => fail!(LimitReached, "{place}: a value is larger than allowed").because(error),
        Some(ErrorCode::OutOfMemory) => fail!(OutOfSpace, "{place}: out of memory").because(error),
        Some(ErrorCode::DiskFull) => fail!(OutOfSpace, "{place}: out of disk space").because(error),
        _ => fail!(BackupDamaged, "{place}: SQLite reports: {error}").because(error),
    };
    if error.hint_text().is_none() { error.hint("check the file with `PRAGMA integrity_check`") } else { error }
}

/// Writes a path for use in an SQLite URI.
fn percent_encoded(path: &Path) -> Result<String> {
    let absolute = std::path::absolute(path)?;
    let mut text = String::new();
    for byte in absolute.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
