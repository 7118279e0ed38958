//! One open transaction as a [`Snapshot`]: scanning, fetching by key, counting.

use super::catalog::{Shape, ShapeColumn, text};
use super::decode::Decoder;
use super::params::{batches, equal, extent, keys};
use super::session::{Session, User};
use super::{claims, violations};
use crate::database::blocking::pull;
use crate::database::session::Server as _;
use crate::database::{FetchSink, RowSink, Snapshot, Violation, whole};
use crate::error::{Error, Result};
use crate::model::{Cell, ForeignKey, OwnedCell, Table, Unique};
use futures_util::StreamExt;
use sqlx::AssertSqlSafe;
use sqlx::mysql::{MySqlArguments, MySqlRow};
use std::collections::HashMap;
use std::sync::Arc;

/// How many keys one statement asks for: each is a part of a `UNION`.
pub(super) const KEYS: usize = 256;

/// Whether what is fetched is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    None,
    Rows,
}

/// A transaction: read-only for a snapshot, writing for a merge.
pub(super) struct View {
    pub(super) session: Session,
    lock: Lock,
    shapes: HashMap<String, Arc<Shape>>,
    /// What written records refer to, per table and foreign key.
    pub(super) references: HashMap<(String, String), HashMap<String, Vec<OwnedCell>>>,
}

enum Stop {
    Server(sqlx::Error),
    Sink(Error),
}

impl View {
    pub(super) fn new(session: Session, lock: Lock) -> Self {
        Self { session, lock, shapes: HashMap::new(), references: HashMap::new() }
    }

    /// Returns the table's shape, read once a transaction.
    pub(super) fn shape(&mut self, table: &Table) -> Result<Arc<Shape>> {
        // Two calls may name different columns of one table (a plan's and today's): the columns are part of the key.
        let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        let key = format!("{}({names:?})", table.name);
        if let Some(shape) = self.shapes.get(&key) {
            return Ok(shape.clone());
        }
        let shape = Arc::new(Shape::read(&mut self.session, table)?);
        self.shapes.insert(key, shape.clone());
        Ok(shape)
    }

    /// Runs a query and hands over its rows as they come.
    fn stream(
        &mut self,
        sql: String,
        arguments: MySqlArguments,
        doing: &str,
        mut each: impl FnMut(&MySqlRow) -> Result<()>,
    ) -> Result<()> {
        let (patient, connection) = self.session.parts()?;
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
        let outcome = (|| {
            let mut stream = query.fetch(connection).fuse();
            let mut rows: Vec<MySqlRow> = Vec::new();
            loop {
                pull(patient, &mut stream, &mut rows, User::weight).map_err(Stop::Server)?;
                if rows.is_empty() {
                    return Ok(());
                }
                for row in &rows {
                    each(row).map_err(Stop::Sink)?;
                }
            }
        })();
        match outcome {
            Ok(()) => Ok(()),
            Err(Stop::Server(error)) => Err(self.session.fail(error, doing)),
            Err(Stop::Sink(error)) => {
                self.session.abandon();
                Err(error)
            }
        }
    }
}

/// Picks columns of a shape.
pub(super) fn pick<'a>(shape: &'a Shape, columns: &[usize]) -> Vec<&'a ShapeColumn> {
    columns.iter().map(|&c| &shape.columns[c]).collect()
}

fn select(shape: &Shape) -> String {
    shape.columns.iter().map(|c| format!("t.{}", c.quoted)).collect::<Vec<_>>().join(", ")
}

/// Gives a vector's memory to cells of another lifetime.
fn recycle<'b>(mut cells: Vec<Cell<'_>>) -> Vec<Cell<'b>> {
    cells.clear();
    cells.into_iter().map(|_| Cell::Absent).collect()
}

impl View {
    /// Fetches the records of one batch of keys; locked, where the view locks.
    ///
    /// The tables are joined as they stand there, and by the index that was forced: a server that reads the whole table
    /// for it, because that is small, would lock all of it.
    fn select(
        &mut self,
        table: &Table,
        columns: &[usize],
        batch: &[Vec<OwnedCell>],
        force: &str,
        sink: &mut FetchSink<'_>,
    ) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let shape = self.shape(table)?;
        let key = pick(&shape, columns);
        let (join, lock) = match self.lock {
            Lock::None => ("JOIN", ""),
            Lock::Rows => ("STRAIGHT_JOIN", " FOR UPDATE"),
        };
        let mut arguments = MySqlArguments::default();
        let source = keys(&key, batch, &mut arguments)?;
        let sql = format!(
            "SELECT w.place, {} FROM {source} {join} {} t{force} ON {}{lock}",
            select(&shape),
            shape.name,
            equal(&key)
        );
        let mut decoder = Decoder::new(shape.columns.iter().map(|c| c.wire).collect());
        let mut place = Decoder::new(vec![super::types::Wire::Integer { unsigned: false }]);
        self.stream(sql, arguments, &format!("reading records of {}", table.label()), |row| {
            let mut record = Vec::with_capacity(shape.columns.len());
            let mut position = Vec::with_capacity(1);
            place.record(row, 0, &mut position)?;
            let Some(Cell::Int(position)) = position.first() else { return Ok(()) };
            decoder.record(row, 1, &mut record)?;
            sink(usize::try_from(position - 1).unwrap_or(0), &record)
        })
    }

    /// Says which keys of a batch have records, as this transaction sees it; nothing is locked.
    fn present(&mut self, table: &Table, columns: &[usize], batch: &[Vec<OwnedCell>]) -> Result<Vec<usize>> {
        let shape = self.shape(table)?;
        let key = pick(&shape, columns);
        let mut arguments = MySqlArguments::default();
        let source = keys(&key, batch, &mut arguments)?;
        let sql = format!(
            "SELECT CAST(w.place AS CHAR) FROM {source} WHERE EXISTS (SELECT 1 FROM {} t WHERE {}) ORDER BY w.place",
            shape.name,
            equal(&key)
        );
        let doing = format!("looking for records of {}", table.label());
        let rows = self.session.rows(&sql, arguments, &doing)?;
        let place = |row| text(row, 0)?.parse::<usize>().ok()?.checked_sub(1).filter(|place| *place < batch.len());
        Ok(rows.iter().filter_map(place).collect())
    }
}

impl Snapshot for View {
    fn scan(&mut self, table: &Table, sink: &mut RowSink<'_>) -> Result<()> {
        let shape = self.shape(table)?;
        // InnoDB keeps records in the order of the primary key, so asking for it costs nothing.
        let key: Vec<&str> = table.key.iter().map(|&c| shape.columns[c].quoted.as_str()).collect();
        let order = if table.key_is_primary { format!(" ORDER BY {}", key.join(", ")) } else { String::new() };
        let sql = format!("SELECT {} FROM {} t{order}", select(&shape), shape.name);
        let mut decoder = Decoder::new(shape.columns.iter().map(|c| c.wire).collect());
        let mut cells: Vec<Cell<'static>> = Vec::new();
        self.stream(sql, MySqlArguments::default(), &format!("reading {}", table.label()), |row| {
            let mut record = recycle(std::mem::take(&mut cells));
            decoder.record(row, 0, &mut record)?;
            sink(&record)?;
            cells = recycle(record);
            Ok(())
        })
    }

    fn fetch(
        &mut self,
        table: &Table,
        columns: &[usize],
        wanted: &[Vec<OwnedCell>],
        sink: &mut FetchSink<'_>,
    ) -> Result<()> {
        let shape = self.shape(table)?;
        for (start, batch) in batches(wanted, KEYS, |key| extent(key)) {
            match self.lock {
                Lock::None => self.select(table, columns, batch, "", &mut |place, cells| sink(start + place, cells))?,
                Lock::Rows => {
                    // Looking for a record under lock locks the gap where it is not, and nobody could insert there; so
                    // only those that are there are looked for so. What comes meanwhile is found when it is inserted.
                    let places = self.present(table, columns, batch)?;
                    let there: Vec<Vec<OwnedCell>> = places.iter().map(|&place| batch[place].clone()).collect();
                    let force = shape.unique_among(columns).map(|name| format!(" FORCE INDEX ({name})"));
                    let force = force.unwrap_or_default();
                    self.select(table, columns, &there, &force, &mut |at, cells| sink(start + places[at], cells))?;
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, table: &Table) -> Result<u64> {
        let shape = self.shape(table)?;
        let sql = format!("SELECT CAST(COUNT(*) AS CHAR) FROM {}", shape.name);
        let rows = self.session.rows(&sql, MySqlArguments::default(), &format!("counting {}", table.label()))?;
        Ok(rows.first().and_then(|row| text(row, 0)?.parse().ok()).unwrap_or(0))
    }

    fn highest(&mut self, table: &Table, column: usize) -> Result<Option<i64>> {
        let shape = self.shape(table)?;
        let sql = format!("SELECT CAST(MAX({}) AS CHAR) FROM {}", shape.columns[column].quoted, shape.name);
        let doing = format!("looking for the highest number in {}", table.label());
        let rows = self.session.rows(&sql, MySqlArguments::default(), &doing)?;
        Ok(rows.first().and_then(|row| text(row, 0)?.parse().ok()).map(whole))
    }

    fn violations(&mut self, table: &Table, records: &[Vec<OwnedCell>]) -> Result<Vec<Option<Violation>>> {
        violations::find(self, table, records)
    }

    fn forms(&mut self, table: &Table, column: usize, texts: &[OwnedCell]) -> Result<Vec<String>> {
        let shape = self.shape(table)?;
        let own = [&shape.columns[column]];
        let form = own[0].form.replace("{}", "w.k0");
        let doing = format!("comparing values of {}", table.label());
        let wanted: Vec<Vec<OwnedCell>> = texts.iter().map(|text| vec![text.clone()]).collect();
        let mut forms = Vec::with_capacity(texts.len());
        for (_, batch) in batches(&wanted, KEYS, |key| extent(key)) {
            let mut arguments = MySqlArguments::default();
            let source = keys(&own, batch, &mut arguments)?;
            let sql = format!("SELECT {form} FROM {source} ORDER BY w.place");
            let rows = self.session.rows(&sql, arguments, &doing)?;
            forms.extend(rows.iter().take(batch.len()).map(|row| text(row, 0).unwrap_or_default()));
        }
        Ok(forms)
    }

    fn claims(
        &mut self,
        table: &Table,
        unique: &Unique,
        records: &[Vec<OwnedCell>],
    ) -> Result<Vec<Option<Vec<OwnedCell>>>> {
        claims::claims(self, table, unique, records)
    }

    fn claimants(
        &mut self,
        table: &Table,
        unique: &Unique,
        claims: &[Vec<OwnedCell>],
        sink: &mut FetchSink<'_>,
    ) -> Result<()> {
        self.fetch(table, &unique.columns, claims, sink)
    }

    fn referrers(&mut self, table: &Table, foreign_key: &ForeignKey, wanted: &[Vec<OwnedCell>]) -> Result<Vec<u64>> {
        let shape = self.shape(table)?;
        let doing = format!("counting the records of {} that refer to others", table.label());
        let key = pick(&shape, &foreign_key.columns);
        let mut counts = Vec::with_capacity(wanted.len());
        for (_, batch) in batches(wanted, KEYS, |key| extent(key)) {
            let mut arguments = MySqlArguments::default();
            let source = keys(&key, batch, &mut arguments)?;
            let sql = format!(
                "SELECT CAST((SELECT COUNT(*) FROM {} t WHERE {}) AS CHAR) FROM {source} ORDER BY w.place",
                shape.name,
                equal(&key)
            );
            let rows = self.session.rows(&sql, arguments, &doing)?;
            counts.extend(
                rows.iter().take(batch.len()).map(|row| text(row, 0).and_then(|c| c.parse().ok()).unwrap_or(0u64)),
            );
        }
        Ok(counts)
    }
}
