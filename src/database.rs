//! Databases: one trait, one adapter a folder. Adapters read schema and records, and write what an executor tells them.
//!
//! Everything that enters or leaves a database is a [`Cell`] in that database's own terms;
//! [`Database::store`] turns a canonical value into such a cell or says why it can't be held.

mod blocking;
pub(crate) mod claims;
mod fit;
pub mod mysql;
pub mod postgres;
mod present;
mod session;
pub mod url;

use crate::error::Result;
use crate::model::raw::Raw;
use crate::model::schema::Engine;
use crate::model::{Cell, Column, OwnedCell, Schema, Table, Unique, Value, emptied};
use std::time::Duration;

mod connect;
pub mod sqlite;

pub use connect::connect;

/// Quotes a name as an engine's statements do; nothing in it can end the quotes (CHECKS T4).
pub fn quoted(engine: Engine, name: &str) -> String {
    match engine {
        Engine::Sqlite => sqlite::quote(name),
        Engine::Postgres => postgres::quote(name),
        Engine::Mysql => mysql::quote(name),
    }
}

/// Turns a value into a column's cell as [`Database::store`] does, as far as the engine alone decides.
///
/// # Errors
/// As [`Database::store`].
pub(crate) fn store(engine: Engine, column: &Column, value: &Value) -> std::result::Result<OwnedCell, String> {
    match engine {
        Engine::Sqlite => sqlite::store(column, value),
        Engine::Postgres => postgres::store(column, value),
        Engine::Mysql => mysql::store(column, value, u64::MAX),
    }
}

/// As [`Database::store_any`], as far as the engine alone decides.
///
/// # Errors
/// As [`Database::store`].
pub(crate) fn store_any(engine: Engine, column: &Column, value: &Value) -> std::result::Result<OwnedCell, String> {
    match engine {
        Engine::Sqlite => sqlite::store_any(column, value),
        Engine::Postgres | Engine::Mysql => store(engine, column, value),
    }
}

/// What tells one database from another.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// The engine.
    pub engine: Engine,
    /// What stays the same for one database and differs between two: a canonical path, or server and database ids.
    pub id: String,
    /// What people see: never holds a password.
    pub display: String,
}

/// What an engine can do; the executor plans by it and refuses where nothing fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Foreign keys of every kind can wait for the end of the transaction (SQLite's `defer_foreign_keys`).
    pub defers_all_foreign_keys: bool,
    /// Constraints declared deferrable can wait for the end of the transaction.
    pub defers_declared: bool,
    /// A record that refers to itself can be deleted as it is (InnoDB takes it for its own child).
    pub deletes_self_references: bool,
    /// The outcome of a transaction can be asked for by its id after the connection is gone.
    pub knows_transaction_outcome: bool,
    /// Any column holds any kind of value (SQLite tables that are not STRICT).
    pub dynamic_types: bool,
}

/// How a write transaction is to behave.
#[derive(Clone, Copy, Debug)]
pub struct WriteOptions {
    /// How long to wait for a lock.
    pub lock_timeout: Duration,
    /// How long one statement may take; zero: no limit.
    pub statement_timeout: Duration,
    /// What the transaction may see of others.
    pub isolation: Isolation,
}

/// How much a write transaction sees of what others do meanwhile; SQLite knows only the stricter one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// One consistent view; what is written is locked and compared again.
    #[default]
    RepeatableRead,
    /// As if nobody else was there: the server refuses what can't be put in an order.
    Serializable,
}

impl Isolation {
    /// Returns the level's name in SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Self::RepeatableRead => "REPEATABLE READ",
            Self::Serializable => "SERIALIZABLE",
        }
    }
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            lock_timeout: Duration::from_secs(10),
            statement_timeout: Duration::ZERO,
            isolation: Isolation::default(),
        }
    }
}

/// What the connected user may not do with a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The table's schema, where the engine has such.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
    /// The privileges: `INSERT, UPDATE`.
    pub privileges: String,
    /// The statement that gives them.
    pub grant: String,
}

impl Lacking {
    /// Tells whether it is about a table.
    pub fn is_about(&self, table: &Table) -> bool {
        self.table == table.name && (self.schema.is_none() || table.schema.is_none() || self.schema == table.schema)
    }
}

/// What the connected user needs for each use, and what they hold far beyond that (CHECKS T23).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// The statements that give what backing up and analyzing need.
    pub reading: Vec<String>,
    /// The statements that give what merging and undoing need besides.
    pub writing: Vec<String>,
    /// What they may do that nothing here needs: `is a superuser`.
    pub excess: Vec<String>,
}

/// The first values of a backup's table, by its own names.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// The table.
    pub table: String,
    /// Each column with its values.
    pub columns: Vec<(String, Vec<OwnedCell>)>,
}

/// A record that a constraint refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The constraint's name, or its expression.
    pub constraint: String,
    /// What is wrong, in one sentence.
    pub message: String,
}

/// A change of one record by its key.
#[derive(Clone, Debug)]
pub struct RowUpdate {
    /// The key's cells, in the order of [`Table::key`].
    pub key: Vec<OwnedCell>,
    /// The cells that the written columns must hold now, as a guard.
    pub before: Vec<OwnedCell>,
    /// The cells to write.
    pub after: Vec<OwnedCell>,
}

/// A sink for records read from a database: one cell per column of the table, in the table's order.
pub type RowSink<'a> = dyn FnMut(&[Cell<'_>]) -> Result<()> + 'a;

/// Takes one record as it was read, one cell per column; the cells are gone after the call.
pub type RawSink<'a> = dyn FnMut(&[Raw<'_>]) -> Result<()> + 'a;

/// A sink for records fetched by key: which of the wanted keys it answers, then one cell per column.
pub type FetchSink<'a> = dyn FnMut(usize, &[Cell<'_>]) -> Result<()> + 'a;

/// A database that can be read and written.
pub trait Database: Send {
    /// Returns what tells this database from another.
    fn identity(&self) -> &Identity;

    /// Returns what the engine can do.
    fn capabilities(&self) -> Capabilities;

    /// Reads the schema; storage styles of loosely typed columns are found from samples.
    ///
    /// # Errors
    /// `Unreachable`, or `Refused` naming the missing privilege.
    fn schema(&mut self) -> Result<Schema>;

    /// Opens one consistent, read-only view on a connection of its own.
    ///
    /// # Errors
    /// `Unreachable`, `Refused`.
    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>>;

    /// Opens the write transaction on a fresh connection with the session settings of CHECKS 2, taking the merge lock.
    ///
    /// # Errors
    /// `Busy` when another merge or writer holds the lock, `Unreachable`, `Refused`.
    fn begin(&mut self, options: &WriteOptions) -> Result<Box<dyn Transaction>>;

    /// Lists what the connected user may not do with which table; empty where the engine knows no users.
    ///
    /// # Errors
    /// As [`Database::schema`].
    fn lacking(&mut self, _schema: &Schema) -> Result<Vec<Lacking>> {
        Ok(Vec::new())
    }

    /// Says why the database takes no writes, where that is known before trying: a standby, a server set to read only.
    ///
    /// # Errors
    /// As [`Database::schema`].
    fn read_only(&mut self) -> Result<Option<String>> {
        Ok(None)
    }

    /// Says which rights suffice, and which the user has beyond; `None` where the engine knows no users.
    ///
    /// # Errors
    /// As [`Database::schema`].
    fn rights(&mut self, _schema: &Schema) -> Result<Option<Rights>> {
        Ok(None)
    }

    /// Takes over how a backup of the same engine stores dates and the like, for columns that hold nothing here yet.
    ///
    /// # Errors
    /// As [`Database::schema`].
    fn adopt_styles(&mut self, _schema: &mut Schema, _samples: &[Sample]) -> Result<()> {
        Ok(())
    }

    /// Turns a canonical value into the column's own cell.
    ///
    /// # Errors
    /// A sentence that says why the column can't hold the value exactly.
    fn store(&self, column: &Column, value: &Value) -> std::result::Result<OwnedCell, String>;

    /// Turns a value that was read from this database, or from one of the same engine, back into its cell, whatever
    /// its kind: engines with dynamic types hold values that do not fit the declared type.
    ///
    /// # Errors
    /// As [`Database::store`].
    fn store_any(&self, column: &Column, value: &Value) -> std::result::Result<OwnedCell, String> {
        self.store(column, value)
    }

    /// Moves the counters of a table's columns forward to what its records hold; never back. Called after a commit.
    ///
    /// # Errors
    /// `Refused`, `Unreachable`; the merge itself is already safe then.
    fn advance_counters(&mut self, tables: &[&Table]) -> Result<()>;

    /// Says whether a transaction was committed, by the id that [`Transaction::id`] gave; `None` when it can't be known.
    ///
    /// # Errors
    /// `Unreachable`.
    fn transaction_outcome(&mut self, id: &str) -> Result<Option<bool>>;
}

/// Returns a number, or the outermost one of 64 bits where it is beyond that.
pub(crate) fn whole(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

/// A consistent view of a database.
pub trait Snapshot: Send {
    /// Streams every record of a table, in the order that is cheapest for the engine; primary-key order where that costs nothing.
    ///
    /// # Errors
    /// `Unreachable`, `Refused`, or what the sink returns.
    fn scan(&mut self, table: &Table, sink: &mut RowSink<'_>) -> Result<()>;

    /// As [`Snapshot::scan`], for whoever compares before asking whether a text is one.
    ///
    /// # Errors
    /// As `scan`.
    fn scan_raw(&mut self, table: &Table, sink: &mut RawSink<'_>) -> Result<()> {
        let mut room = Vec::with_capacity(table.columns.len());
        self.scan(table, &mut |cells| {
            let mut raw = emptied(std::mem::take(&mut room), Raw::Absent);
            raw.extend(cells.iter().map(|cell| Raw::from(*cell)));
            sink(&raw)?;
            room = emptied(raw, Raw::Absent);
            Ok(())
        })
    }

    /// Fetches the records whose `columns` equal one of the wanted tuples, as the database's collation sees equality.
    ///
    /// A tuple with a null in it finds nothing. In a [`Transaction`] the records found are locked until its end.
    ///
    /// # Errors
    /// As `scan`.
    fn fetch(
        &mut self,
        table: &Table,
        columns: &[usize],
        wanted: &[Vec<OwnedCell>],
        sink: &mut FetchSink<'_>,
    ) -> Result<()>;

    /// Returns how many records a table has.
    ///
    /// # Errors
    /// As `scan`.
    fn count(&mut self, table: &Table) -> Result<u64>;

    /// Returns the largest whole number in a column, `i64::MAX` where it is larger; none where there is no number.
    ///
    /// # Errors
    /// As `scan`.
    fn highest(&mut self, table: &Table, column: usize) -> Result<Option<i64>> {
        let mut highest: Option<i64> = None;
        self.scan(table, &mut |cells| {
            let found = match cells[column] {
                Cell::Int(number) => Some(number),
                Cell::UInt(number) => Some(whole(number.into())),
                Cell::Number(text) | Cell::Text(text) => text.parse().ok().map(whole),
                _ => None,
            };
            highest = highest.max(found);
            Ok(())
        })?;
        Ok(highest)
    }

    /// Asks the engine which records its check constraints, not-null rules and types would refuse, without writing.
    ///
    /// *Shape:* one cell per column for each record (`Absent`: the default applies); one answer per record.
    ///
    /// # Errors
    /// As `scan`.
    fn violations(&mut self, table: &Table, records: &[Vec<OwnedCell>]) -> Result<Vec<Option<Violation>>>;

    /// Asks the engine what records would claim of a unique key that only it can tell ([`crate::model::Unique::reads`]).
    ///
    /// *Shape:* records as for `violations`; one answer per record, none where it claims nothing: outside a predicate, or
    /// with a null that collides with nothing.
    ///
    /// # Errors
    /// As `scan`.
    fn claims(
        &mut self,
        table: &Table,
        unique: &Unique,
        records: &[Vec<OwnedCell>],
    ) -> Result<Vec<Option<Vec<OwnedCell>>>>;

    /// Fetches the records that hold one of these claims, as `fetch` does.
    ///
    /// # Errors
    /// As `scan`.
    fn claimants(
        &mut self,
        table: &Table,
        unique: &Unique,
        claims: &[Vec<OwnedCell>],
        sink: &mut FetchSink<'_>,
    ) -> Result<()>;

    /// Returns for each text a form that is the same exactly where the database holds texts of a column equal; for columns
    /// of which only it can tell ([`crate::model::schema::Collation::Database`]).
    ///
    /// *Shape:* cells as [`Database::store`] made them; as many forms.
    ///
    /// # Errors
    /// As `scan`.
    fn forms(&mut self, _table: &Table, _column: usize, texts: &[OwnedCell]) -> Result<Vec<String>> {
        Ok(texts.iter().map(|text| format!("{text:?}")).collect())
    }

    /// Returns how many records refer to each of the wanted keys of a table through a foreign key.
    ///
    /// # Errors
    /// As `scan`.
    fn referrers(
        &mut self,
        table: &Table,
        foreign_key: &crate::model::ForeignKey,
        wanted: &[Vec<OwnedCell>],
    ) -> Result<Vec<u64>>;
}

/// An open write transaction. Dropping it rolls back.
///
/// After any error the transaction is over: the executor drops it and never issues another statement on it.
pub trait Transaction: Snapshot {
    /// Returns an id by which [`Database::transaction_outcome`] can answer later, where the engine has one.
    ///
    /// # Errors
    /// As [`Snapshot::scan`].
    fn id(&mut self) -> Result<Option<String>>;

    /// Inserts records: one cell for each of `columns`.
    ///
    /// # Errors
    /// `Refused` naming the record and the constraint.
    fn insert(&mut self, table: &Table, columns: &[usize], records: &[Vec<OwnedCell>]) -> Result<()>;

    /// Updates records by key, guarded by what the written columns must hold now; returns the positions that found no such record.
    ///
    /// # Errors
    /// `Refused` naming the record and the constraint.
    fn update(&mut self, table: &Table, columns: &[usize], updates: &[RowUpdate]) -> Result<Vec<usize>>;

    /// Deletes records by key; returns the positions that found no record.
    ///
    /// In a table without a key each of `keys` is a whole record, one cell per column, and one record equal to it goes.
    ///
    /// # Errors
    /// `Refused` naming the record and the constraint.
    fn delete(&mut self, table: &Table, keys: &[Vec<OwnedCell>]) -> Result<Vec<usize>>;

    /// Checks every foreign key of the tables written, and everything deferred, now.
    ///
    /// # Errors
    /// `Refused` naming tables, records and constraint.
    fn check(&mut self, tables: &[&Table]) -> Result<()>;

    /// Commits.
    ///
    /// # Errors
    /// `OutcomeUnknown` when the connection was lost while committing; anything else means that nothing was written.
    fn commit(self: Box<Self>) -> Result<()>;

    /// Rolls back and closes the connection.
    ///
    /// # Errors
    /// `Unreachable`; the engine rolls back by itself then.
    fn rollback(self: Box<Self>) -> Result<()>;
}
