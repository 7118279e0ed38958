//! SQLite as a live database, by rusqlite with a bundled SQLite.
//!
//! A database is opened only if it exists; journal mode and every other lasting setting stay as they are.

mod claims;
mod lookup;
mod read;
mod sample;
mod schema;
mod sql;
mod values;
mod write;

use crate::database::{Capabilities, Database, Identity, Sample, Snapshot, Transaction, WriteOptions};
use crate::error::{Error, ErrorKind, Quote, Result, fail};
use crate::model::schema::Engine;
use crate::model::{Column, OwnedCell, Schema, Table, Value};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) use sql::quote;
pub(super) use values::{natural as store_any, store};

/// An SQLite database file.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    identity: Identity,
}

impl Sqlite {
    /// Opens an existing database file.
    ///
    /// # Errors
    /// `Unreachable` when there is no such file or it is not an SQLite database.
    pub fn open(path: &Path) -> Result<Self> {
        let unreachable = |why: String| {
            fail!(Unreachable, "the current database {} can't be opened: {why}", path.display())
                .hint("Check the path; merganser never creates a database by itself.")
        };
        let canonical = path.canonicalize().map_err(|e| unreachable(e.to_string()))?;
        if canonical.is_dir() {
            return Err(unreachable("it is a folder".to_owned()));
        }
        let identity = Identity {
            engine: Engine::Sqlite,
            id: canonical.to_string_lossy().into_owned(),
            display: format!("sqlite:{}", path.display()),
        };
        let database = Self { path: canonical, identity };
        let probe = database.connect(Duration::from_secs(10))?;
        probe
            .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))
            .map_err(|e| unreachable(e.to_string()))?;
        Ok(database)
    }

    /// Returns the file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies the database, consistent while others write, by the online backup API.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`; the destination is incomplete then.
    pub fn copy_to(&self, destination: &Path) -> Result<()> {
        let source = self.connect(Duration::from_secs(10))?;
        let mut copy = Connection::open(destination).map_err(error)?;
        let backup = rusqlite::backup::Backup::new(&source, &mut copy).map_err(error)?;
        backup.run_to_completion(1_000, Duration::ZERO, None).map_err(error)
    }

    fn connect(&self, busy: Duration) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
        let connection = Connection::open_with_flags(&self.path, flags | OpenFlags::SQLITE_OPEN_READ_WRITE)
            .or_else(|_| Connection::open_with_flags(&self.path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY))
            .map_err(|e| {
                fail!(Unreachable, "the current database {} can't be opened", self.path.display()).because(e)
            })?;
        connection.busy_timeout(busy).map_err(error)?;
        plan_once(&connection).map_err(error)?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(connection)
    }
}

impl Database for Sqlite {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            defers_all_foreign_keys: true,
            defers_declared: true,
            deletes_self_references: true,
            knows_transaction_outcome: false,
            dynamic_types: true,
        }
    }

    fn schema(&mut self) -> Result<Schema> {
        schema::read(&self.connect(Duration::from_secs(10))?)
    }

    fn adopt_styles(&mut self, schema: &mut Schema, samples: &[Sample]) -> Result<()> {
        let connection = self.connect(Duration::from_secs(10))?;
        schema.tables.iter_mut().try_for_each(|table| sample::adopt(&connection, table, samples))
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(read::View::open(self.connect(Duration::from_secs(10))?)?))
    }

    fn begin(&mut self, options: &WriteOptions) -> Result<Box<dyn Transaction>> {
        Ok(Box::new(read::View::begin(self.connect(options.lock_timeout)?)?))
    }

    fn store(&self, column: &Column, value: &Value) -> Result<OwnedCell, String> {
        values::store(column, value)
    }

    fn store_any(&self, column: &Column, value: &Value) -> Result<OwnedCell, String> {
        values::natural(column, value)
    }

    /// AUTOINCREMENT counters move with explicit inserts; ordinary rowids are one more than the largest.
    fn advance_counters(&mut self, _tables: &[&Table]) -> Result<()> {
        Ok(())
    }

    fn transaction_outcome(&mut self, _id: &str) -> Result<Option<bool>> {
        Ok(None)
    }
}

/// Lets a statement that is kept be planned once, and not anew for every value: where SQLite has looked at values that are
/// bound, the statement is prepared again each time it comes from the cache.
pub(crate) fn plan_once(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Tells whether disk, memory or quota did not suffice.
pub(crate) fn is_out_of_space(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode as Code;
    matches!(error.sqlite_error_code(), Some(Code::DiskFull | Code::OutOfMemory)) || is_refused_write(error)
}

/// Tells whether the system refused a write for another reason than a full disk: SQLite does not tell quotas and limits on
/// the size of files from disks that fail.
fn is_refused_write(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_IOERR_WRITE)
}

/// Turns an SQLite error into ours, by what the caller can do about it.
pub(crate) fn error(error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode as Code;
    let kind = match error.sqlite_error_code() {
        _ if is_out_of_space(&error) => ErrorKind::OutOfSpace,
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => ErrorKind::Busy,
        Some(
            Code::ConstraintViolation | Code::ReadOnly | Code::TypeMismatch | Code::AuthorizationForStatementDenied,
        ) => ErrorKind::Refused,
        Some(Code::CannotOpen | Code::NotADatabase | Code::DatabaseCorrupt | Code::PermissionDenied) => {
            ErrorKind::Unreachable
        }
        _ => ErrorKind::Failed,
    };
    let message = match &error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    if is_refused_write(&error) {
        return Error::new(kind, format!("SQLite: {message}: the disk took no more"))
            .hint("It is full, over a quota, or failing: make room, or look at the system's log.");
    }
    // What a trigger raises may be made of values.
    if error.sqlite_error().is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER) {
        let quote = Quote { table: None, columns: None, text: message };
        return Error::new(kind, "SQLite: a trigger refused it").quoting(quote);
    }
    Error::new(kind, format!("SQLite: {message}"))
}
