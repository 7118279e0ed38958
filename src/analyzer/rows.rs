//! Records as bytes, in batches: what the readers hand on.
//!
//! *Shape of a row:* one encoded value per column of the table, then the key's bytes (none: the record has no key).
//! *Shape of a raw row:* one cell per column as it was read (`model::raw`), and no key.

use crate::backup::Place;
use crate::model::schema::Collation;
use crate::model::{Cell, Table, encode, raw};

/// A batch is handed over when it holds this many bytes: large enough that handing over costs nothing, small enough
/// to stay in the processor's cache and in the allocator's own memory.
const BATCH_BYTES: usize = 192 * 1024;

/// How the values of a batch stand in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// As canonical bytes.
    #[default]
    Canonical,
    /// As they were read.
    Raw,
}

/// Rows of one table, one after another in one buffer.
#[derive(Default)]
pub(crate) struct Batch {
    /// How the values stand in it.
    pub(crate) form: Form,
    bytes: Vec<u8>,
    rows: Vec<Row>,
    /// Positions of the rows that a filter leaves out, ascending.
    excluded: Vec<usize>,
}

/// Where a row stands: it begins where the one before ends. Kept small, since all of it goes from one core to another.
#[derive(Clone, Copy)]
struct Row {
    key: u32,
    end: u32,
    record: u64,
    /// [`NOWHERE`] where the backup has no offsets.
    offset: u64,
}

/// No file is that long.
const NOWHERE: u64 = u64::MAX;

/// One row of a batch.
#[derive(Clone, Copy)]
pub(crate) struct RowRef<'a> {
    /// The key's bytes.
    pub(crate) key: &'a [u8],
    /// One encoded value per column.
    pub(crate) body: &'a [u8],
    /// Where the backup has it.
    pub(crate) place: Place,
    /// Whether a filter leaves it out.
    pub(crate) excluded: bool,
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn row(&self, position: usize) -> RowRef<'_> {
        let row = self.rows[position];
        let start = if position == 0 { 0 } else { self.rows[position - 1].end };
        RowRef {
            key: &self.bytes[row.key as usize..row.end as usize],
            body: &self.bytes[start as usize..row.key as usize],
            place: Place { record: row.record, offset: Some(row.offset).filter(|&offset| offset != NOWHERE) },
            excluded: self.excluded.binary_search(&position).is_ok(),
        }
    }

    /// Ends a row with all bytes that came after the one before; its key's are the last, from `key` on.
    fn end_row(&mut self, key: usize, place: Place, excluded: bool) {
        if excluded {
            self.excluded.push(self.rows.len());
        }
        let (record, offset) = (place.record, place.offset.unwrap_or(NOWHERE));
        self.rows.push(Row { key: key as u32, end: self.bytes.len() as u32, record, offset });
    }

    /// Starts a batch that reserves as much as a full one needs.
    fn with_room(form: Form) -> Self {
        // Another core has read this memory before. To fill it at once takes it back faster than to write it bit by bit.
        let mut bytes = vec![0; BATCH_BYTES + BATCH_BYTES / 8];
        bytes.clear();
        Self { form, bytes, rows: Vec::with_capacity(2048), excluded: Vec::new() }
    }
}

/// Turns cells into rows of one table, in batches.
pub(crate) struct RowEncoder<'t> {
    table: &'t Table,
    batch: Batch,
    /// Where in the batch the record being made begins.
    start: usize,
    /// Where in the batch each column's value is; empty where it has not come.
    slots: Vec<(u32, u32)>,
    /// How many values have come, as long as they came in the order of the columns.
    in_order: Option<usize>,
    scratch: Vec<u8>,
    /// In a table without a key: the columns that tell its records apart; all where none are named.
    told_apart_by: Option<Vec<bool>>,
}

impl<'t> RowEncoder<'t> {
    pub(crate) fn new(table: &'t Table, form: Form) -> Self {
        Self {
            table,
            batch: Batch::with_room(form),
            start: 0,
            slots: vec![(0, 0); table.columns.len()],
            in_order: Some(0),
            scratch: Vec::new(),
            told_apart_by: None,
        }
    }

    /// Returns the form in which values stand in the batch.
    pub(crate) fn form(&self) -> Form {
        self.batch.form
    }

    /// Lets what follows stand in a form; no record has been put into the batch yet.
    pub(crate) fn turn(&mut self, form: Form) {
        debug_assert!(self.batch.bytes.is_empty(), "a batch has one form");
        self.batch.form = form;
    }

    /// Tells the records of a table without a key apart by these columns only: those that the backup carries.
    pub(crate) fn told_apart_by(&mut self, columns: Vec<bool>) {
        self.told_apart_by = Some(columns);
    }

    /// Tells whether the record being made has no value for a column that tells no record apart.
    pub(crate) fn only_known_columns(&self) -> bool {
        let known = |columns: &Vec<bool>| (0..columns.len()).all(|c| columns[c] || encode::is_absent(self.value(c)));
        self.told_apart_by.as_ref().is_none_or(known)
    }

    /// Returns the columns that tell the records apart, once a record has come.
    pub(crate) fn columns(&self) -> Option<Vec<bool>> {
        self.told_apart_by.clone()
    }

    /// Takes one column's cell; returns false where the record has it already.
    pub(crate) fn put(&mut self, column: usize, cell: Cell<'_>) -> bool {
        if self.slots[column] != (0, 0) {
            return false;
        }
        let from = self.batch.bytes.len() as u32;
        match self.batch.form {
            Form::Canonical => encode::encode(cell, &self.table.columns[column], &mut self.batch.bytes),
            Form::Raw => raw::push(cell, &mut self.batch.bytes),
        }
        self.slots[column] = (from, self.batch.bytes.len() as u32);
        self.in_order = self.in_order.filter(|&count| count == column).map(|count| count + 1);
        true
    }

    /// Returns the encoded value of a column of the record being made.
    pub(crate) fn value(&self, column: usize) -> &[u8] {
        match self.slots[column] {
            (0, 0) => &[0],
            (from, to) => &self.batch.bytes[from as usize..to as usize],
        }
    }

    /// Replaces the values of some columns of the record being made by encoded ones.
    pub(crate) fn replace(&mut self, columns: &[usize], values: &[Vec<u8>]) {
        for (&column, value) in columns.iter().zip(values) {
            let from = self.batch.bytes.len() as u32;
            self.batch.bytes.extend_from_slice(value);
            self.slots[column] = (from, self.batch.bytes.len() as u32);
        }
        self.in_order = None;
    }

    /// Ends the record; returns a batch that has become full.
    pub(crate) fn end(&mut self, place: Place, excluded: bool) -> Option<Batch> {
        self.close(place, excluded);
        self.full()
    }

    /// Ends the record, however full the batch is.
    pub(crate) fn close(&mut self, place: Place, excluded: bool) {
        if self.in_order != Some(self.slots.len()) {
            self.arrange();
        }
        let key = self.batch.bytes.len();
        if self.batch.form == Form::Canonical {
            self.push_key();
        }
        self.batch.end_row(key, place, excluded);
        self.slots.fill((0, 0));
        self.in_order = Some(0);
        self.start = self.batch.bytes.len();
    }

    fn hand_over(&mut self) -> Batch {
        self.start = 0;
        let next = Batch::with_room(self.batch.form);
        std::mem::replace(&mut self.batch, next)
    }

    /// Returns the batch if it has become full.
    pub(crate) fn full(&mut self) -> Option<Batch> {
        (self.start >= BATCH_BYTES).then(|| self.hand_over())
    }

    /// Encodes a whole record given as one cell per column; returns a batch that has become full.
    pub(crate) fn push(&mut self, cells: &[Cell<'_>], place: Place) -> Option<Batch> {
        self.put_all(cells);
        self.end(place, false)
    }

    /// Takes a whole record as it was read, one cell per column; returns a batch that has become full.
    pub(crate) fn push_as_read<'c>(&mut self, cells: impl Iterator<Item = Cell<'c>>, place: Place) -> Option<Batch> {
        debug_assert!(self.batch.form == Form::Raw && self.in_order == Some(0), "no record has been begun");
        cells.for_each(|cell| raw::push(cell, &mut self.batch.bytes));
        self.start = self.batch.bytes.len();
        self.batch.end_row(self.start, place, false);
        self.full()
    }

    /// Takes a whole record of a database, one cell per column.
    pub(crate) fn put_all(&mut self, cells: &[Cell<'_>]) {
        for (column, cell) in cells.iter().enumerate() {
            // What the engine computes follows the other fields; an engine may read it all the same.
            let table = self.table;
            let counts = table.columns[column].writable() || table.key.contains(&column);
            self.put(column, if counts { *cell } else { Cell::Absent });
        }
    }

    /// Returns the last batch, if there is anything in it.
    pub(crate) fn finish(&mut self) -> Option<Batch> {
        self.start = 0;
        let empty = Batch { form: self.batch.form, ..Batch::default() };
        Some(std::mem::replace(&mut self.batch, empty)).filter(|batch| batch.len() > 0)
    }

    /// Brings the values of the record being made into the order of the columns.
    fn arrange(&mut self) {
        self.scratch.clear();
        self.scratch.extend_from_slice(&self.batch.bytes[self.start..]);
        self.batch.bytes.truncate(self.start);
        for slot in &mut self.slots {
            let from = self.batch.bytes.len() as u32;
            match *slot {
                (0, 0) => self.batch.bytes.push(0),
                (old, to) => self
                    .batch
                    .bytes
                    .extend_from_slice(&self.scratch[old as usize - self.start..to as usize - self.start]),
            }
            *slot = (from, self.batch.bytes.len() as u32);
        }
    }

    fn push_key(&mut self) {
        // Values are read from the batch that the key is appended to.
        let mut key = std::mem::take(&mut self.scratch);
        key.clear();
        self.key_into(&mut key);
        self.batch.bytes.extend_from_slice(&key);
        self.scratch = key;
    }

    fn key_into(&self, out: &mut Vec<u8>) {
        if self.table.key.is_empty() {
            // No key: the record is its own key, as far as the backup carries it.
            let counts = |c: &usize| self.told_apart_by.as_ref().is_none_or(|columns| columns[*c]);
            for column in (0..self.slots.len()).filter(counts) {
                let value = self.value(column);
                if encode::is_absent(value) || encode::is_null(value) {
                    out.push(1);
                } else {
                    encode::encode_key_bytes(value, Collation::Binary, out);
                }
            }
            return;
        }
        for &column in &self.table.key {
            let value = self.value(column);
            if encode::is_absent(value) || encode::is_null(value) {
                return out.clear();
            }
            encode::encode_key_bytes(value, self.table.columns[column].collation, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Database;

    fn table() -> Table {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c BOOLEAN)")
            .unwrap();
        let mut database = crate::database::sqlite::Sqlite::open(&path).unwrap();
        database.schema().unwrap().tables.remove(0)
    }

    #[test]
    fn rows_are_alike_whatever_order_their_values_come_in() {
        let table = table();
        let cells = [Cell::Int(7), Cell::Text("x"), Cell::Bool(true)];
        let made = |order: &[usize]| {
            let mut encoder = RowEncoder::new(&table, Form::Canonical);
            // A record before it, so that offsets matter.
            assert!(encoder.push(&cells, Place::default()).is_none());
            for &column in order {
                assert!(encoder.put(column, cells[column]));
                assert!(!encoder.put(column, cells[column]), "a value comes once");
                assert!(!encode::is_absent(encoder.value(column)));
            }
            assert!(encoder.end(Place::default(), false).is_none());
            let batch = encoder.finish().unwrap();
            let row = batch.row(1);
            (row.key.to_vec(), row.body.to_vec())
        };
        let usual = made(&[0, 1, 2]);
        assert_eq!(usual.1, {
            let mut body = Vec::new();
            cells.iter().zip(&table.columns).for_each(|(cell, column)| encode::encode(*cell, column, &mut body));
            body
        });
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(made(&order), usual, "{order:?}");
        }
        let partial = made(&[2, 0]);
        assert_eq!((partial.0, encode::split(&partial.1).nth(1)), (usual.0, Some(&[0][..])));
        assert!(made(&[1]).0.is_empty(), "no key value, no key");
    }

    #[test]
    fn a_full_batch_is_handed_over_once() {
        let table = table();
        let mut encoder = RowEncoder::new(&table, Form::Canonical);
        let text = "x".repeat(1000);
        let mut rows = 0;
        for id in 0..200 {
            let batch = encoder.push(&[Cell::Int(id), Cell::Text(&text), Cell::Null], Place::default());
            rows += batch.map_or(0, |b| b.len());
        }
        assert!(rows > 0 && rows < 200);
        rows += encoder.finish().map_or(0, |b| b.len());
        assert_eq!(rows, 200);
        assert!(encoder.finish().is_none());
    }
}
