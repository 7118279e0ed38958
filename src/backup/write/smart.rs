//! Writes a Smart Backup: `{"format":"merganser/1","tables":[…],"metadata":{…}}`.
//!
//! `format` comes first and tells a reader to follow the checksum; `checksum` is the very last member, XXH3-128 of all
//! text before its key. Both are keys that readers of the original format ignore. `"whole":false` before a table's
//! records says that not every record is carried; `deleted` beside it lists the keys of records that are gone since the
//! backup that `lineage.base` names.

use super::record::{Layout, RecordWriter};
use super::value::push_string;
use super::{BackupWriter, Compression, Encoder, TableOptions};
use crate::error::{Result, fail};
use crate::model::{Cell, OwnedCell, Table};
use std::io::Write;
use xxhash_rust::xxh3::Xxh3;

/// Text is handed on in pieces of about this size.
const PIECE_BYTES: usize = 1 << 16;

/// How a Smart Backup is written.
#[derive(Clone, Debug, Default)]
pub struct SmartOptions {
    /// How the file is compressed.
    pub compression: Compression,
    /// How the JSON is laid out.
    pub layout: Layout,
    /// When the records were read, ISO 8601 in UTC.
    pub exported_at: String,
    /// Where it comes from.
    pub lineage: crate::backup::Lineage,
}

/// A table being written.
struct Current {
    name: String,
    key: Vec<String>,
    records: u64,
}

/// Writes a Smart Backup table by table to any stream.
pub struct SmartBackupWriter<W: Write> {
    out: Encoder<W>,
    options: SmartOptions,
    text: String,
    checksum: Xxh3,
    records: RecordWriter,
    current: Option<Current>,
    counts: Vec<(String, u64)>,
}

impl<W: Write> SmartBackupWriter<W> {
    /// Starts a backup.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    pub fn new(out: W, options: &SmartOptions) -> Result<Self> {
        let mut writer = Self {
            out: Encoder::new(out, options.compression)?,
            options: options.clone(),
            text: String::with_capacity(PIECE_BYTES * 2),
            checksum: Xxh3::new(),
            records: RecordWriter::new(options.layout),
            current: None,
            counts: Vec::new(),
        };
        writer.text.push('{');
        writer.member(1, "format", "\"merganser/1\",");
        if options.lineage != crate::backup::Lineage::default() {
            let lineage = serde_json::to_string(&options.lineage).expect("a lineage always serialises");
            writer.member(1, "lineage", &format!("{lineage},"));
        }
        writer.member(1, "tables", "[");
        Ok(writer)
    }

    /// Ends the backup with its metadata and returns the stream, flushed.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    pub fn into_inner(mut self) -> Result<W> {
        self.end_table();
        if !self.counts.is_empty() {
            self.line(1);
        }
        self.text.push_str("],");
        self.member(1, "metadata", "{");
        let exported_at = std::mem::take(&mut self.options.exported_at);
        self.string_member(2, "exportedAt", &exported_at);
        self.text.push(',');
        self.string_member(2, "version", "1.0");
        self.text.push(',');
        self.member(2, "recordCounts", "{");
        let counts = std::mem::take(&mut self.counts);
        for (position, (name, count)) in counts.iter().enumerate() {
            let comma = if position + 1 < counts.len() { "," } else { "" };
            self.member(3, name, &format!("{count}{comma}"));
        }
        if !counts.is_empty() {
            self.line(2);
        }
        self.text.push_str("},");
        self.string_member(2, "generator", concat!("merganser ", env!("CARGO_PKG_VERSION")));
        self.text.push(',');
        self.line(2);
        self.hand_on(0)?;
        // Nothing but the checksum and the two braces follows, so that no byte goes unchecked.
        let checksum = format!("\"checksum\":\"xxh3-128:{:032x}\"}}}}", self.checksum.digest128());
        self.out.write_all(checksum.as_bytes())?;
        self.out.finish()
    }

    fn end_table(&mut self) {
        let Some(current) = self.current.take() else { return };
        if current.records > 0 {
            self.line(3);
        }
        self.text.push(']');
        match current.key.as_slice() {
            [] => {}
            [only] => {
                self.text.push(',');
                self.string_member(3, "primaryKey", only);
            }
            several => {
                let names = serde_json::to_string(several).expect("names always serialise");
                self.text.push(',');
                self.member(3, "primaryKey", &names);
            }
        }
        self.line(2);
        self.text.push('}');
        self.counts.push((current.name, current.records));
    }

    /// Lists the keys of records that are gone.
    fn deleted(&mut self, table: &Table, keys: &[Vec<OwnedCell>]) -> Result<()> {
        self.member(3, "deleted", "[");
        for (position, key) in keys.iter().enumerate() {
            if position > 0 {
                self.text.push(',');
            }
            let mut cells = vec![Cell::Absent; table.columns.len()];
            for (&column, cell) in table.key.iter().zip(key) {
                cells[column] = cell.as_cell();
            }
            self.options.layout.line(4, &mut self.text);
            self.records.write(&cells, 5, &mut self.text);
            self.hand_on(PIECE_BYTES)?;
        }
        self.line(3);
        self.text.push_str("],");
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        self.options.layout.line(depth, &mut self.text);
    }

    fn member(&mut self, depth: usize, key: &str, json: &str) {
        self.options.layout.key(depth, key, &mut self.text);
        self.text.push_str(json);
    }

    fn string_member(&mut self, depth: usize, key: &str, value: &str) {
        let mut json = String::new();
        push_string(value, &mut json);
        self.member(depth, key, &json);
    }

    /// Hands the text on once there is more of it than so many bytes.
    fn hand_on(&mut self, more_than_bytes: usize) -> Result<()> {
        if self.text.len() > more_than_bytes {
            self.checksum.update(self.text.as_bytes());
            self.out.write_all(self.text.as_bytes())?;
            self.text.clear();
        }
        Ok(())
    }
}

impl super::IntoFile for SmartBackupWriter<super::AtomicFile> {
    fn into_file(self) -> Result<super::AtomicFile> {
        self.into_inner()
    }
}

impl<W: Write> BackupWriter for SmartBackupWriter<W> {
    fn begin_table(&mut self, table: &Table, options: &TableOptions) -> Result<()> {
        self.end_table();
        let name = table.label();
        if self.counts.iter().any(|(known, _)| *known == name) {
            return Err(fail!(Usage, "the table {name} can be written only once"));
        }
        if !self.counts.is_empty() {
            self.text.push(',');
        }
        self.line(2);
        self.text.push('{');
        self.string_member(3, "tableName", &name);
        self.text.push(',');
        if options.partial {
            self.member(3, "whole", "false,");
        }
        self.records.begin(table, |position, column| options.name(position, column));
        if !options.deleted.is_empty() {
            self.deleted(table, &options.deleted)?;
        }
        self.member(3, "records", "[");
        let key = table.names(&table.key).into_iter().map(str::to_owned).collect();
        self.current = Some(Current { name, key, records: 0 });
        self.hand_on(PIECE_BYTES)
    }

    fn record(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let Some(current) = &mut self.current else {
            return Err(fail!(Usage, "a record belongs to a table"));
        };
        self.records.check(cells)?;
        if current.records > 0 {
            self.text.push(',');
        }
        self.options.layout.line(4, &mut self.text);
        self.records.write(cells, 5, &mut self.text);
        current.records += 1;
        self.hand_on(PIECE_BYTES)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.into_inner().map(|_| ())
    }
}

#[cfg(test)]
mod tests;
