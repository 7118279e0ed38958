//! One open transaction as a [`Snapshot`]: scanning, fetching by key, counting.

use super::catalog::{Shape, bind, quote};
use super::decode::{CopySplitter, Decoder, Front};
use super::params::Params;
use super::session::{Role, Session};
use super::{claims, forms, violations};
use crate::database::blocking::pull;
use crate::database::session::Server as _;
use crate::database::{FetchSink, RowSink, Snapshot, Violation, whole};
use crate::error::{Error, Result};
use crate::model::{Cell, ForeignKey, OwnedCell, Table, Unique};
use futures_util::StreamExt;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{AssertSqlSafe, Row, ValueRef};
use std::collections::HashMap;

/// How many records one statement handles.
pub(super) const BATCH: usize = 2_000;
/// How many bytes of values one statement carries, so that memory stays small with long values.
pub(super) const BATCH_BYTES: usize = 8 << 20;

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
    shapes: HashMap<String, std::sync::Arc<Shape>>,
}

impl View {
    pub(super) fn new(session: Session, lock: Lock) -> Self {
        Self { session, lock, shapes: HashMap::new() }
    }

    /// Returns the table's shape, read once a transaction.
    pub(super) fn shape(&mut self, table: &Table) -> Result<std::sync::Arc<Shape>> {
        // Two calls may name different columns of one table (a plan's and today's): the columns are part of the key.
        let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        let key = format!("{:?}.{}({names:?})", table.schema, table.name);
        if let Some(shape) = self.shapes.get(&key) {
            return Ok(shape.clone());
        }
        let shape = std::sync::Arc::new(Shape::read(&mut self.session, table)?);
        self.shapes.insert(key, shape.clone());
        Ok(shape)
    }
}

/// Splits records into batches by number and size.
pub(super) fn batches<T>(records: &[T], size: impl Fn(&T) -> usize) -> Vec<(usize, &[T])> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (position, record) in records.iter().enumerate() {
        let next = size(record);
        if position > start && (position - start >= BATCH || bytes + next > BATCH_BYTES) {
            batches.push((start, &records[start..position]));
            (start, bytes) = (position, 0);
        }
        bytes += next;
    }
    if start < records.len() {
        batches.push((start, &records[start..]));
    }
    batches
}

/// Returns about how many bytes cells take.
pub(super) fn weight(cells: &[OwnedCell]) -> usize {
    let one = |cell: &OwnedCell| match cell {
        OwnedCell::Number(s) | OwnedCell::String(s) | OwnedCell::Text(s) | OwnedCell::Json(s) => s.len(),
        OwnedCell::RawText(b) | OwnedCell::Bytes(b) => b.len(),
        _ => 8,
    };
    cells.iter().map(one).sum()
}

/// Gives a vector's memory to cells of another lifetime.
pub(super) fn recycle<'b>(mut cells: Vec<Cell<'_>>) -> Vec<Cell<'b>> {
    cells.clear();
    cells.into_iter().map(|_| Cell::Absent).collect()
}

/// Returns the condition that columns of `t` equal typed values, as the columns' own collations see it.
pub(super) fn equal(shape: &Shape, columns: &[usize], values: &[String]) -> String {
    let parts = columns.iter().zip(values).map(|(&c, value)| {
        let column = &shape.columns[c];
        match &column.equality {
            Some(operator) => format!("t.{} {operator} {value}", column.quoted),
            None => format!("t.{}::text = ({value})::text", column.quoted),
        }
    });
    parts.collect::<Vec<_>>().join(" AND ")
}

/// Adds key columns to the parameters and returns the typed values.
pub(super) fn key_values<'a, T: 'a>(
    params: &mut Params,
    shape: &Shape,
    columns: &[usize],
    records: &'a [T],
    key: impl Fn(&'a T) -> &'a [OwnedCell] + Copy,
) -> Result<Vec<String>> {
    let one = |(part, &c): (usize, &usize)| params.column(&shape.columns[c], records.iter().map(|r| &key(r)[part]));
    columns.iter().enumerate().map(one).collect()
}

enum Stop {
    Server(sqlx::Error),
    Sink(Error),
}

impl Snapshot for View {
    fn scan(&mut self, table: &Table, sink: &mut RowSink<'_>) -> Result<()> {
        let shape = self.shape(table)?;
        let doing = format!("reading {}", table.label());
        self.session.needs("SELECT", table);
        let reads: Vec<&str> = shape.columns.iter().map(|c| c.read.as_str()).collect();
        let sql = format!("COPY (SELECT {} FROM {} t) TO STDOUT (FORMAT binary)", reads.join(", "), shape.from);
        let mut decoder = Decoder::new(shape.columns.iter().map(|c| c.wire).collect());
        let (patient, connection) = self.session.parts()?;
        let outcome = (|| {
            let mut stream = patient.wait(connection.copy_out_raw(&sql)).map_err(Stop::Server)?.fuse();
            let mut chunks = Vec::new();
            let mut splitter = CopySplitter::default();
            // A message is a record in practice, but the protocol doesn't promise it: the rest waits for the next one.
            let mut rest: Vec<u8> = Vec::new();
            let mut cells: Vec<Cell<'static>> = Vec::new();
            loop {
                pull(patient, &mut stream, &mut chunks, |chunk| chunk.len()).map_err(Stop::Server)?;
                if chunks.is_empty() {
                    return Ok(());
                }
                for chunk in &chunks {
                    let joined;
                    let mut data: &[u8] = if rest.is_empty() {
                        chunk
                    } else {
                        rest.extend_from_slice(chunk);
                        joined = std::mem::take(&mut rest);
                        &joined
                    };
                    let mut fields = Vec::with_capacity(shape.columns.len());
                    while let Front::Record(tail) = splitter.next(data, &mut fields).map_err(Stop::Sink)? {
                        let mut record = recycle(std::mem::take(&mut cells));
                        decoder.record(&fields, &mut record).map_err(Stop::Sink)?;
                        sink(&record).map_err(Stop::Sink)?;
                        cells = recycle(record);
                        data = tail;
                    }
                    if data.starts_with(&[0xff, 0xff]) {
                        continue;
                    }
                    rest.extend_from_slice(data);
                }
            }
        })();
        self.settle(outcome, &doing)
    }

    fn fetch(
        &mut self,
        table: &Table,
        columns: &[usize],
        wanted: &[Vec<OwnedCell>],
        sink: &mut FetchSink<'_>,
    ) -> Result<()> {
        let shape = self.shape(table)?;
        for (start, batch) in batches(wanted, |key| weight(key)) {
            let mut params = Params::default();
            let values = key_values(&mut params, &shape, columns, batch, |key| key.as_slice())?;
            let (source, condition) = (params.source(), equal(&shape, columns, &values));
            let mut sink = |place, cells: &[Cell<'_>]| sink(start + place, cells);
            self.placed(table, "u.place", &source, &condition, params.into_arguments(), &mut sink)?;
        }
        Ok(())
    }

    fn count(&mut self, table: &Table) -> Result<u64> {
        let shape = self.shape(table)?;
        let doing = format!("counting {}", table.label());
        self.session.needs("SELECT", table);
        let rows = self.session.rows(&format!("SELECT count(*) FROM {}", shape.from), bind::<i64, _>([]), &doing)?;
        let count: i64 = rows.first().map_or(0, |row| row.get(0));
        Ok(count.unsigned_abs())
    }

    fn highest(&mut self, table: &Table, column: usize) -> Result<Option<i64>> {
        let shape = self.shape(table)?;
        let doing = format!("looking for the highest number in {}", table.label());
        self.session.needs("SELECT", table);
        let name = quote(&table.columns[column].name);
        let sql = format!("SELECT max({name})::text FROM {}", shape.from);
        let rows = self.session.rows(&sql, bind::<i64, _>([]), &doing)?;
        Ok(rows.first().and_then(|row| row.get::<Option<String>, _>(0)).and_then(|text| text.parse().ok()).map(whole))
    }

    fn violations(&mut self, table: &Table, records: &[Vec<OwnedCell>]) -> Result<Vec<Option<Violation>>> {
        violations::find(self, table, records)
    }

    fn forms(&mut self, table: &Table, column: usize, texts: &[OwnedCell]) -> Result<Vec<String>> {
        forms::forms(self, table, column, texts)
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
        claims::claimants(self, table, unique, claims, sink)
    }

    fn referrers(&mut self, table: &Table, foreign_key: &ForeignKey, wanted: &[Vec<OwnedCell>]) -> Result<Vec<u64>> {
        let shape = self.shape(table)?;
        let doing = format!("counting the records of {} that refer to others", table.label());
        self.session.needs("SELECT", table);
        let mut counts = Vec::with_capacity(wanted.len());
        for (_, batch) in batches(wanted, |key| weight(key)) {
            let mut params = Params::default();
            let values = key_values(&mut params, &shape, &foreign_key.columns, batch, |key| key.as_slice())?;
            let sql = format!(
                "SELECT (SELECT count(*) FROM {} t WHERE {}) FROM {} ORDER BY u.place",
                shape.from,
                equal(&shape, &foreign_key.columns, &values),
                params.source()
            );
            let rows = self.session.rows(&sql, params.into_arguments(), &doing)?;
            counts.extend(rows.iter().map(|row| row.get::<i64, _>(0).unsigned_abs()));
        }
        Ok(counts)
    }
}

impl View {
    /// Reads the records that meet a condition with what is asked for, each with the place of what it answers.
    pub(super) fn placed(
        &mut self,
        table: &Table,
        place: &str,
        source: &str,
        condition: &str,
        arguments: PgArguments,
        sink: &mut FetchSink<'_>,
    ) -> Result<()> {
        let shape = self.shape(table)?;
        let doing = format!("reading records of {}", table.label());
        // Locking a record is a matter of UPDATE.
        self.session.needs(if self.lock == Lock::Rows { "SELECT, UPDATE" } else { "SELECT" }, table);
        let reads: Vec<&str> = shape.columns.iter().map(|c| c.read.as_str()).collect();
        let lock = if self.lock == Lock::Rows { " FOR UPDATE OF t" } else { "" };
        // Records are locked in the caller's order, so that two merges never wait for each other crosswise.
        let sql = format!(
            "SELECT {place}::int8, {} FROM {source} JOIN {} t ON {condition} ORDER BY {place}{lock}",
            reads.join(", "),
            shape.from,
        );
        let mut decoder = Decoder::new(shape.columns.iter().map(|c| c.wire).collect());
        let (patient, connection) = self.session.parts()?;
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(false);
        let outcome = (|| {
            let mut stream = query.fetch(connection).fuse();
            let mut rows: Vec<PgRow> = Vec::new();
            loop {
                pull(patient, &mut stream, &mut rows, Role::weight).map_err(Stop::Server)?;
                if rows.is_empty() {
                    return Ok(());
                }
                for row in &rows {
                    let (place, fields) = split_row(row, shape.columns.len()).map_err(Stop::Server)?;
                    let mut record = Vec::with_capacity(fields.len());
                    decoder.record(&fields, &mut record).map_err(Stop::Sink)?;
                    sink(place, &record).map_err(Stop::Sink)?;
                }
            }
        })();
        self.settle(outcome, &doing)
    }

    /// Closes the connection where a stream did not come to its end.
    fn settle(&mut self, outcome: std::result::Result<(), Stop>, doing: &str) -> Result<()> {
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

/// The position of what was wanted, and the fields' bytes.
type Fetched<'a> = (usize, Vec<Option<&'a [u8]>>);

/// Takes a row apart: the position from 0, then the fields' bytes.
fn split_row(row: &PgRow, fields: usize) -> std::result::Result<Fetched<'_>, sqlx::Error> {
    let place: i64 = row.try_get(0)?;
    let field = |position: usize| {
        let value = row.try_get_raw(position + 1)?;
        if value.is_null() { Ok(None) } else { value.as_bytes().map(Some).map_err(sqlx::Error::Decode) }
    };
    Ok((usize::try_from(place - 1).unwrap_or(0), (0..fields).map(field).collect::<Result<_, _>>()?))
}
