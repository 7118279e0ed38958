//! Writes a table map: `{"name":[{…},…]}`, indented by two spaces.
//!
//! Nothing but the records: no counts, no checksum, no tags for values that JSON can't hold plainly. It is what Jarvis's
//! system restore reads (`users`, `preferences`, `settings`).

use super::record::{Layout, RecordWriter};
use super::{AtomicFile, BackupWriter, IntoFile, TableOptions};
use crate::error::{Result, fail};
use crate::model::{Cell, Table};
use std::io::Write;

/// Writes a table map to any stream.
pub struct TableMapWriter<W: Write> {
    out: W,
    text: String,
    records: RecordWriter,
    tables: Vec<String>,
    /// Records of the table being written.
    written: u64,
}

impl<W: Write> TableMapWriter<W> {
    /// Starts a document.
    pub fn new(out: W) -> Self {
        let records = RecordWriter::new(Layout::Pretty);
        Self { out, text: "{".to_owned(), records, tables: Vec::new(), written: 0 }
    }

    /// Ends the document and returns the stream, flushed.
    ///
    /// # Errors
    /// `Usage` when no table was written: `{}` could be anything, and nothing would read it as a backup; `OutOfSpace`, `Failed`.
    pub fn into_inner(mut self) -> Result<W> {
        if self.tables.is_empty() {
            return Err(fail!(
                Usage,
                "there are no tables, and a table map without any is no backup that could be told as one"
            )
            .hint("Choose another --format; a Smart Backup says that there were no tables."));
        }
        self.end_table();
        Layout::Pretty.line(0, &mut self.text);
        self.text.push_str("}\n");
        self.out.write_all(self.text.as_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn end_table(&mut self) {
        if !self.tables.is_empty() {
            if self.written > 0 {
                Layout::Pretty.line(1, &mut self.text);
            }
            self.text.push(']');
        }
    }

    fn hand_on(&mut self) -> Result<()> {
        if self.text.len() > 1 << 16 {
            self.out.write_all(self.text.as_bytes())?;
            self.text.clear();
        }
        Ok(())
    }
}

impl<W: Write> BackupWriter for TableMapWriter<W> {
    fn begin_table(&mut self, table: &Table, options: &TableOptions) -> Result<()> {
        let name = table.label();
        if self.tables.contains(&name) {
            return Err(fail!(Usage, "the table {name} can be written only once"));
        }
        self.end_table();
        if !self.tables.is_empty() {
            self.text.push(',');
        }
        Layout::Pretty.key(1, &name, &mut self.text);
        self.text.push('[');
        self.records.begin(table, |position, column| options.name(position, column));
        self.tables.push(name);
        self.written = 0;
        self.hand_on()
    }

    fn record(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        if self.tables.is_empty() {
            return Err(fail!(Usage, "a record belongs to a table"));
        }
        self.records.check(cells)?;
        if self.written > 0 {
            self.text.push(',');
        }
        Layout::Pretty.line(2, &mut self.text);
        self.records.write(cells, 3, &mut self.text);
        self.written += 1;
        self.hand_on()
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.into_inner().map(|_| ())
    }
}

impl IntoFile for TableMapWriter<AtomicFile> {
    fn into_file(self) -> Result<AtomicFile> {
        self.into_inner()
    }
}
