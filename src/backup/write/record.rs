//! Writes records as JSON objects: what the JSON formats share.

use super::value::{ValueWriter, push_string};
use crate::error::{Result, fail};
use crate::model::{Cell, Column, Table};

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// One line.
    #[default]
    Compact,
    /// Indented by two spaces, as `JSON.stringify(…, null, 2)` does; nested values of JSON columns stay on a line.
    Pretty,
}

impl Layout {
    /// Begins a new line at a depth, where lines are made.
    pub(super) fn line(self, depth: usize, out: &mut String) {
        if self == Self::Pretty {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth));
        }
    }

    /// Begins a member on a line of its own: its key and the colon.
    pub(super) fn key(self, depth: usize, key: &str, out: &mut String) {
        self.line(depth, out);
        push_string(key, out);
        out.push_str(if self == Self::Pretty { ": " } else { ":" });
    }
}

/// Writes the records of one table after another.
pub(super) struct RecordWriter {
    layout: Layout,
    values: ValueWriter,
    /// Columns with their keys as JSON; `None` where a column is left out.
    columns: Vec<Option<(Column, String)>>,
}

impl RecordWriter {
    pub(super) fn new(layout: Layout) -> Self {
        Self { layout, values: ValueWriter::new(), columns: Vec::new() }
    }

    /// Turns to a table; `name` gives the key of a column's field, or nothing to leave the column out.
    pub(super) fn begin(&mut self, table: &Table, name: impl Fn(usize, &Column) -> Option<String>) {
        let key = |(position, column): (usize, &Column)| {
            let mut key = String::new();
            push_string(&name(position, column)?, &mut key);
            key.push_str(if self.layout == Layout::Pretty { ": " } else { ":" });
            Some((column.clone(), key))
        };
        self.columns = table.columns.iter().enumerate().map(key).collect();
    }

    /// Checks that there is one cell for each column.
    ///
    /// # Errors
    /// `Usage`.
    pub(super) fn check(&self, cells: &[Cell<'_>]) -> Result<()> {
        match (cells.len(), self.columns.len()) {
            (cells, columns) if cells == columns => Ok(()),
            (cells, columns) => Err(fail!(Usage, "a record of {cells} cells in a table of {columns} columns")),
        }
    }

    /// Appends a record's object, whose members stand at a depth; absent cells are left out.
    pub(super) fn write(&mut self, cells: &[Cell<'_>], depth: usize, out: &mut String) {
        out.push('{');
        let mut empty = true;
        for (cell, column) in cells.iter().zip(&self.columns) {
            let Some((column, key)) = column else { continue };
            let before = out.len();
            if !empty {
                out.push(',');
            }
            self.layout.line(depth, out);
            out.push_str(key);
            if self.values.write(*cell, column, out) {
                empty = false;
            } else {
                out.truncate(before);
            }
        }
        if !empty {
            self.layout.line(depth.saturating_sub(1), out);
        }
        out.push('}');
    }

    /// Appends one cell's value; false when it is absent.
    pub(super) fn value(&mut self, cell: Cell<'_>, column: &Column, out: &mut String) -> bool {
        self.values.write(cell, column, out)
    }
}
