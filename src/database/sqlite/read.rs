//! A consistent view of an SQLite database: one connection inside one transaction, which only reads unless it was begun to write.

use super::values::{bound, cell_of, raw_of};
use super::{claims, error, lookup, sql};
use crate::database::{FetchSink, RawSink, RowSink, Snapshot, Violation};
use crate::error::Result;
use crate::model::raw::Raw;
use crate::model::{Cell, Column, ForeignKey, OwnedCell, Table, Unique, emptied};
use rusqlite::{Connection, params_from_iter};
use std::collections::HashMap;

/// The view.
pub(super) struct View {
    pub(super) connection: Connection,
    scratch: Scratch,
}

impl View {
    pub(super) fn open(connection: Connection) -> Result<Self> {
        connection.execute_batch("BEGIN").map_err(error)?;
        // The read lock is taken by the first read, so that everything after sees one state.
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(())).map_err(error)?;
        Ok(Self::new(connection))
    }

    /// Takes a connection on which the transaction has begun.
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, scratch: Scratch::default() }
    }
}

impl Snapshot for View {
    fn scan(&mut self, table: &Table, sink: &mut RowSink<'_>) -> Result<()> {
        scan(&self.connection, table, sink)
    }

    fn scan_raw(&mut self, table: &Table, sink: &mut RawSink<'_>) -> Result<()> {
        scan_raw(&self.connection, table, sink)
    }

    fn fetch(
        &mut self,
        table: &Table,
        columns: &[usize],
        wanted: &[Vec<OwnedCell>],
        sink: &mut FetchSink<'_>,
    ) -> Result<()> {
        lookup::fetch(&self.connection, table, columns, wanted, sink)
    }

    fn count(&mut self, table: &Table) -> Result<u64> {
        count(&self.connection, table)
    }

    fn highest(&mut self, table: &Table, column: usize) -> Result<Option<i64>> {
        highest(&self.connection, table, column)
    }

    fn violations(&mut self, table: &Table, records: &[Vec<OwnedCell>]) -> Result<Vec<Option<Violation>>> {
        self.scratch.violations(&self.connection, table, records)
    }

    fn claims(
        &mut self,
        table: &Table,
        unique: &Unique,
        records: &[Vec<OwnedCell>],
    ) -> Result<Vec<Option<Vec<OwnedCell>>>> {
        claims::claims(&mut self.scratch, &self.connection, table, unique, records)
    }

    fn claimants(
        &mut self,
        table: &Table,
        unique: &Unique,
        claims: &[Vec<OwnedCell>],
        sink: &mut FetchSink<'_>,
    ) -> Result<()> {
        claims::claimants(&self.connection, table, unique, claims, sink)
    }

    fn referrers(&mut self, table: &Table, foreign_key: &ForeignKey, wanted: &[Vec<OwnedCell>]) -> Result<Vec<u64>> {
        lookup::referrers(&self.connection, table, foreign_key, wanted)
    }
}

pub(super) fn select_list(table: &Table) -> String {
    table.columns.iter().map(sql::selected).collect::<Vec<_>>().join(", ")
}

fn select(table: &Table) -> String {
    format!("SELECT {} FROM {}", select_list(table), sql::quote(&table.name))
}

/// Reads one row's cells; computed columns are absent.
pub(super) fn read_row<'a>(row: &'a rusqlite::Row<'_>, table: &Table, cells: &mut Vec<Cell<'a>>) -> Result<()> {
    for (position, column) in table.columns.iter().enumerate() {
        cells.push(if column.writable() { cell_of(row.get_ref(position).map_err(error)?) } else { Cell::Absent });
    }
    Ok(())
}

fn scan(connection: &Connection, table: &Table, sink: &mut RowSink<'_>) -> Result<()> {
    let mut statement = connection.prepare(&select(table)).map_err(error)?;
    let mut rows = statement.query([]).map_err(error)?;
    let mut room = Vec::with_capacity(table.columns.len());
    while let Some(row) = rows.next().map_err(error)? {
        let mut cells = emptied(room, Cell::Absent);
        read_row(row, table, &mut cells)?;
        sink(&cells)?;
        room = emptied(cells, Cell::Absent);
    }
    Ok(())
}

fn scan_raw(connection: &Connection, table: &Table, sink: &mut RawSink<'_>) -> Result<()> {
    let writable: Vec<bool> = table.columns.iter().map(Column::writable).collect();
    let mut statement = connection.prepare(&select(table)).map_err(error)?;
    let mut rows = statement.query([]).map_err(error)?;
    let mut room = Vec::with_capacity(writable.len());
    while let Some(row) = rows.next().map_err(error)? {
        let mut cells = emptied(room, Raw::Absent);
        for (position, writable) in writable.iter().enumerate() {
            cells.push(if *writable { raw_of(row.get_ref(position).map_err(error)?) } else { Raw::Absent });
        }
        sink(&cells)?;
        room = emptied(cells, Raw::Absent);
    }
    Ok(())
}

fn count(connection: &Connection, table: &Table) -> Result<u64> {
    let text = format!("SELECT count(*) FROM {}", sql::quote(&table.name));
    let count: i64 = connection.query_row(&text, [], |r| r.get(0)).map_err(error)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

fn highest(connection: &Connection, table: &Table, column: usize) -> Result<Option<i64>> {
    // Texts and blobs sort behind numbers, so that only numbers may be asked for.
    let name = sql::quote(&table.columns[column].name);
    let text = format!("SELECT max({name}) FROM {} WHERE typeof({name}) = 'integer'", sql::quote(&table.name));
    connection.query_row(&text, [], |r| r.get(0)).map_err(error)
}

/// An empty in-memory database with the tables' own CREATE statements: it refuses a record exactly as the real one
/// would, without a write to the real one. Foreign keys are not enforced there.
#[derive(Default)]
pub(super) struct Scratch {
    connection: Option<Connection>,
    /// Whether a table could be made; one that uses a function or collation of the application's can't.
    made: HashMap<String, bool>,
}

impl Scratch {
    pub(super) fn violations(
        &mut self,
        source: &Connection,
        table: &Table,
        records: &[Vec<OwnedCell>],
    ) -> Result<Vec<Option<Violation>>> {
        match self.table(source, table)? {
            Some(memory) => records.iter().map(|record| probe(memory, table, record)).collect(),
            None => Ok(vec![None; records.len()]),
        }
    }

    /// Makes the table where it can be made, and returns the database that it is in.
    pub(super) fn table(&mut self, source: &Connection, table: &Table) -> Result<Option<&Connection>> {
        if self.connection.is_none() {
            let memory = Connection::open_in_memory().map_err(error)?;
            memory.execute_batch("PRAGMA foreign_keys = OFF").map_err(error)?;
            self.connection = Some(memory);
        }
        let memory = self.connection.as_ref().expect("opened above");
        if !self.made.contains_key(&table.name) {
            let create: Option<String> = source
                .query_row("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", [&table.name], |r| {
                    r.get(0)
                })
                .map_err(error)?;
            let made = create.is_some_and(|sql| memory.execute_batch(&sql).is_ok());
            self.made.insert(table.name.clone(), made);
        }
        Ok(self.made[&table.name].then_some(memory))
    }
}

/// Inserts a record: what is absent is left to the table.
pub(super) fn insert(memory: &Connection, table: &Table, record: &[OwnedCell]) -> rusqlite::Result<()> {
    let given: Vec<usize> =
        (0..table.columns.len()).filter(|&c| table.columns[c].writable() && record[c] != OwnedCell::Absent).collect();
    let name = sql::quote(&table.name);
    let text = if given.is_empty() {
        format!("INSERT OR ABORT INTO {name} DEFAULT VALUES")
    } else {
        let marks = vec!["?"; given.len()].join(", ");
        format!("INSERT OR ABORT INTO {name} ({}) VALUES ({marks})", sql::list(table, &given))
    };
    memory.prepare_cached(&text)?.execute(params_from_iter(given.iter().map(|&c| bound(&record[c])))).map(drop)
}

fn probe(memory: &Connection, table: &Table, record: &[OwnedCell]) -> Result<Option<Violation>> {
    memory.execute_batch("SAVEPOINT probe").map_err(error)?;
    let outcome = insert(memory, table, record);
    memory.execute_batch("ROLLBACK TO probe; RELEASE probe").map_err(error)?;
    match outcome {
        Ok(()) => Ok(None),
        Err(rusqlite::Error::SqliteFailure(failure, message))
            if failure.code == rusqlite::ErrorCode::ConstraintViolation
                || failure.code == rusqlite::ErrorCode::TypeMismatch =>
        {
            let message = message.unwrap_or_else(|| failure.to_string());
            let constraint = message.rsplit_once(": ").map_or(message.as_str(), |(_, name)| name).to_owned();
            Ok(Some(Violation { constraint, message }))
        }
        // A check that calls a function of the application's can't be foreseen here; the database will say at the merge.
        Err(_) => Ok(None),
    }
}
