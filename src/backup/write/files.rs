//! Writes ZIP archives with a file for each table: NDJSON, RayERP's and Django's (Baby Buddy's) layouts.
//!
//! `metadata.json` (`backup-info.json` in RayERP's layout) comes last and names counts; `"format":"merganser/1"` in it
//! lets a reader undo the tags of values that JSON can't hold plainly.

use super::record::{Layout, RecordWriter};
use super::value::push_string;
use super::{AtomicFile, BackupWriter, IntoFile, TableOptions};
use crate::error::{Result, fail};
use crate::model::{Cell, Column, Table};
use serde_json::json;
use std::io::{Seek, Write};

/// Layouts of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilesFormat {
    /// `TABLE.ndjson`, a record a line.
    NdJson,
    /// `<collection>.json` and `backup-info.json`.
    RayErp,
    /// `app/model.json` with `{"model","pk","fields"}`, as Django's `loaddata` and Baby Buddy read them.
    ///
    /// The table `core_child` is the model `core.child`; a foreign key's column `child_id` is the field `child`.
    /// Tables without records have no file, as in Baby Buddy's own archives.
    Django,
}

/// The table being written.
struct Current {
    name: String,
    /// Django: the model's name as JSON, and the key column.
    model: String,
    key: Option<(usize, Column)>,
    started: bool,
    records: u64,
}

/// Writes an archive with a file for each table.
pub struct FilesWriter<W: Write + Seek> {
    zip: zip::ZipWriter<W>,
    format: FilesFormat,
    exported_at: String,
    records: RecordWriter,
    text: String,
    current: Option<Current>,
    counts: Vec<(String, u64)>,
    partial: Vec<String>,
}

impl<W: Write + Seek> FilesWriter<W> {
    /// Starts an archive.
    pub fn new(out: W, format: FilesFormat, exported_at: &str) -> Self {
        let layout = if format == FilesFormat::RayErp { Layout::Pretty } else { Layout::Compact };
        Self {
            zip: zip::ZipWriter::new(out),
            format,
            exported_at: exported_at.to_owned(),
            records: RecordWriter::new(layout),
            text: String::new(),
            current: None,
            counts: Vec::new(),
            partial: Vec::new(),
        }
    }

    /// Ends the archive with its metadata and returns the stream, flushed.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    pub fn into_inner(mut self) -> Result<W> {
        self.end_table()?;
        let counts: serde_json::Map<String, serde_json::Value> =
            self.counts.iter().map(|(name, count)| (name.clone(), json!(count))).collect();
        let counted: serde_json::Map<String, serde_json::Value> =
            self.counts.iter().map(|(name, count)| (counted_as(name), json!(count))).collect();
        let kind = if self.counts.is_empty() { "files" } else { "full" };
        let total: u64 = self.counts.iter().map(|(_, count)| count).sum();
        let generator = concat!("merganser ", env!("CARGO_PKG_VERSION"));
        let (name, metadata) = match self.format {
            FilesFormat::NdJson => (
                "metadata.json",
                json!({"format": "merganser/1", "exportedAt": self.exported_at, "version": "1.0",
                    "recordCounts": counts, "partialTables": self.partial, "generator": generator}),
            ),
            FilesFormat::RayErp => (
                "backup-info.json",
                json!({"format": "merganser/1", "backupDate": self.exported_at, "version": "1.0.0",
                    "backupType": kind, "isEncrypted": false, "createdBy": generator, "totalRecords": counted,
                    "partialTables": self.partial}),
            ),
            FilesFormat::Django => (
                "metadata.json",
                json!({"format": "merganser/1", "version": "1.0", "timestamp": self.exported_at,
                    "database_engine": generator, "models_count": self.counts.len(), "total_records": total,
                    "includes_media": false, "created_by": generator, "timezone": "UTC",
                    "partialTables": self.partial}),
            ),
        };
        self.start_file(name)?;
        let text = serde_json::to_string_pretty(&metadata).expect("metadata always serialises");
        self.zip.write_all(text.as_bytes())?;
        let mut out = self.zip.finish().map_err(super::zip_error)?;
        out.flush()?;
        Ok(out)
    }

    fn start_file(&mut self, name: &str) -> Result<()> {
        // Tables may be of any size; a file beyond 4 GiB needs the large form from its start.
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .unix_permissions(0o600)
            .large_file(true)
            // RayERP's guide promises the best compression.
            .compression_level((self.format == FilesFormat::RayErp).then_some(9));
        self.zip.start_file(name, options).map_err(super::zip_error)
    }

    /// Begins the file of the current table.
    fn open_table(&mut self, current: &Current) -> Result<()> {
        match self.format {
            FilesFormat::NdJson => self.start_file(&format!("{}.ndjson", current.name)),
            FilesFormat::RayErp => {
                self.text.push('[');
                self.start_file(&format!("{}.json", current.name))
            }
            FilesFormat::Django => {
                self.text.push_str("[\n");
                self.start_file(&format!("{}.json", model_of(&current.name).replacen('.', "/", 1)))
            }
        }
    }

    fn end_table(&mut self) -> Result<()> {
        let Some(current) = self.current.take() else { return Ok(()) };
        if current.started {
            match self.format {
                FilesFormat::NdJson => {}
                FilesFormat::RayErp if current.records > 0 => self.text.push_str("\n]"),
                FilesFormat::RayErp => self.text.push(']'),
                FilesFormat::Django => self.text.push_str("\n]\n"),
            }
            self.hand_on(0)?;
        }
        self.counts.push((current.name, current.records));
        Ok(())
    }

    fn hand_on(&mut self, more_than_bytes: usize) -> Result<()> {
        if self.text.len() > more_than_bytes {
            self.zip.write_all(self.text.as_bytes())?;
            self.text.clear();
        }
        Ok(())
    }
}

/// Returns the collection of a table as RayERP names its files: `activity-logs` of `activity_logs`.
fn collection_of(table: &str) -> String {
    let plain = table.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if plain && !table.starts_with('_') && !table.ends_with('_') { table.replace('_', "-") } else { table.to_owned() }
}

/// Returns the name that RayERP counts a collection under: `activityLogs` of `activity-logs`.
fn counted_as(collection: &str) -> String {
    let mut parts = collection.split('-');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| {
        let mut letters = part.chars();
        name + &letters.next().map(|c| c.to_ascii_uppercase().to_string()).unwrap_or_default() + letters.as_str()
    })
}

/// Returns the model of a table as Django names tables: the app comes before the first underscore.
fn model_of(table: &str) -> String {
    table.replacen('_', ".", 1)
}

impl<W: Write + Seek> BackupWriter for FilesWriter<W> {
    fn begin_table(&mut self, table: &Table, options: &TableOptions) -> Result<()> {
        self.end_table()?;
        let mut name = table.label();
        if self.format == FilesFormat::RayErp {
            name = collection_of(&name);
        }
        if self.counts.iter().any(|(known, _)| *known == name) {
            return Err(fail!(Usage, "the table {name} can be written only once"));
        }
        if crate::backup::zip::check_name(&name).is_err() || name.contains('/') {
            return Err(fail!(Usage, "the table `{}` can't be the name of a file", name.escape_debug())
                .hint("write a Smart Backup instead"));
        }
        let mut key = None;
        if self.format == FilesFormat::Django {
            if let [only] = table.key[..] {
                key = Some((only, table.columns[only].clone()));
            }
            let refers = |position: usize| table.foreign_keys.iter().any(|foreign| foreign.columns == [position]);
            self.records.begin(table, |position, column| {
                let name = options.name(position, column)?;
                let is_key = table.key[..] == [position];
                match name.strip_suffix("_id") {
                    _ if is_key => None,
                    Some(field) if refers(position) => Some(field.to_owned()),
                    _ => Some(name),
                }
            });
        } else {
            self.records.begin(table, |position, column| options.name(position, column));
        }
        let mut model = String::new();
        push_string(&model_of(&name), &mut model);
        if options.partial {
            self.partial.push(name.clone());
        }
        let mut current = Current { name, model, key, started: false, records: 0 };
        if self.format != FilesFormat::Django {
            current.started = true;
            self.open_table(&current)?;
        }
        self.current = Some(current);
        Ok(())
    }

    fn record(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        self.records.check(cells)?;
        let Some(mut current) = self.current.take() else {
            return Err(fail!(Usage, "a record belongs to a table"));
        };
        if !std::mem::replace(&mut current.started, true) {
            self.open_table(&current)?;
        }
        match self.format {
            FilesFormat::NdJson => {
                let start = self.text.len();
                self.records.write(cells, 0, &mut self.text);
                // The text of a JSON column may span lines; between values, a line end means nothing.
                if memchr::memchr(b'\n', &self.text.as_bytes()[start..]).is_some() {
                    let one_line = self.text[start..].replace('\n', " ");
                    self.text.replace_range(start.., &one_line);
                }
                self.text.push('\n');
            }
            FilesFormat::RayErp => {
                self.text.push_str(if current.records > 0 { ",\n  " } else { "\n  " });
                self.records.write(cells, 2, &mut self.text);
            }
            FilesFormat::Django => {
                self.text.push_str(if current.records > 0 { ",\n{\"model\": " } else { "{\"model\": " });
                self.text.push_str(&current.model);
                if let Some((position, column)) = &current.key {
                    let before = self.text.len();
                    self.text.push_str(", \"pk\": ");
                    let cell = cells.get(*position).copied().unwrap_or(Cell::Absent);
                    if !self.records.value(cell, column, &mut self.text) {
                        self.text.truncate(before);
                    }
                }
                self.text.push_str(", \"fields\": ");
                self.records.write(cells, 0, &mut self.text);
                self.text.push('}');
            }
        }
        current.records += 1;
        self.current = Some(current);
        self.hand_on(1 << 16)
    }

    fn attach(&mut self, path: &str, changed_at: Option<i64>, content: &mut dyn std::io::Read) -> Result<()> {
        if self.format != FilesFormat::RayErp {
            return Err(fail!(Usage, "{path}: no files travel with a backup of this format")
                .hint("Choose --format rayerp, jarvis-user or baluhost."));
        }
        self.end_table()?;
        super::attach_to(&mut self.zip, path, changed_at, content)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.into_inner().map(|_| ())
    }
}

impl IntoFile for FilesWriter<AtomicFile> {
    fn into_file(self) -> Result<AtomicFile> {
        self.into_inner()
    }
}
