//! Records as canonical bytes, in batches: what the two readers hand to the join.
//!
//! *Shape of a row:* the key's bytes (empty: the record has no key), then one encoded value per column of the table.

use crate::backup::Place;
use crate::model::schema::Collation;
use crate::model::{Cell, Table, encode};

/// A batch is handed over when it holds this many bytes.
const BATCH_BYTES: usize = 128 * 1024;

/// Rows of one table, one after another in one buffer.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    rows: Vec<Row>,
}

#[derive(Clone, Copy)]
struct Row {
    start: u32,
    body: u32,
    end: u32,
    place: Place,
    excluded: bool,
}

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
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn row(&self, position: usize) -> RowRef<'_> {
        let row = self.rows[position];
        RowRef {
            key: &self.bytes[row.start as usize..row.body as usize],
            body: &self.bytes[row.body as usize..row.end as usize],
            place: row.place,
            excluded: row.excluded,
        }
    }

    /// Starts a batch that reserves as much as a full one needs.
    pub(crate) fn with_room() -> Self {
        Self { bytes: Vec::with_capacity(BATCH_BYTES + BATCH_BYTES / 8), rows: Vec::with_capacity(1024) }
    }
}

/// Turns cells into rows of one table.
pub(crate) struct RowEncoder<'t> {
    table: &'t Table,
    /// The values of the record being made, in the order they came.
    scratch: Vec<u8>,
    /// Where in `scratch` each column's value is; empty where it has not come.
    slots: Vec<(u32, u32)>,
}

impl<'t> RowEncoder<'t> {
    pub(crate) fn new(table: &'t Table) -> Self {
        Self { table, scratch: Vec::new(), slots: vec![(0, 0); table.columns.len()] }
    }

    /// Takes one column's cell; returns false where the record has it already.
    pub(crate) fn put(&mut self, column: usize, cell: Cell<'_>) -> bool {
        let start = self.scratch.len() as u32;
        if self.slots[column] != (0, 0) {
            return false;
        }
        encode::encode(cell, &self.table.columns[column], &mut self.scratch);
        self.slots[column] = (start, self.scratch.len() as u32);
        true
    }

    /// Returns the encoded value of a column of the record being made.
    pub(crate) fn value(&self, column: usize) -> &[u8] {
        match self.slots[column] {
            (0, 0) => &[0],
            (start, end) => &self.scratch[start as usize..end as usize],
        }
    }

    /// Forgets the record being made.
    pub(crate) fn clear(&mut self) {
        self.scratch.clear();
        self.slots.fill((0, 0));
    }

    /// Ends the record and appends it to a batch.
    pub(crate) fn end(&mut self, place: Place, excluded: bool, batch: &mut Batch) {
        let start = batch.bytes.len() as u32;
        self.push_key(&mut batch.bytes);
        let body = batch.bytes.len() as u32;
        for column in 0..self.slots.len() {
            let value = match self.slots[column] {
                (0, 0) => &[0][..],
                (from, to) => &self.scratch[from as usize..to as usize],
            };
            batch.bytes.extend_from_slice(value);
        }
        batch.rows.push(Row { start, body, end: batch.bytes.len() as u32, place, excluded });
        self.clear();
    }

    /// Encodes a whole record given as one cell per column.
    pub(crate) fn push(&mut self, cells: &[Cell<'_>], place: Place, batch: &mut Batch) {
        for (column, cell) in cells.iter().enumerate() {
            self.put(column, *cell);
        }
        self.end(place, false, batch);
    }

    fn push_key(&self, out: &mut Vec<u8>) {
        let start = out.len();
        if self.table.key.is_empty() {
            // No key: the whole record is its own key, an absent value counting as null.
            for column in 0..self.slots.len() {
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
                out.truncate(start);
                return;
            }
            encode::encode_key_bytes(value, self.table.columns[column].collation, out);
        }
    }
}
