//! Writes Jarvis's archive of one user: a ZIP with `user_data.json` (FORMATS 5), without the user's files.
//!
//! It takes the tables `users` (one record), `preferences` and `settings` (one record each, whose column of the table's
//! name holds the JSON) and `history`, whose records become lists without column names.

use super::record::{Layout, RecordWriter};
use super::{AtomicFile, BackupWriter, IntoFile, TableOptions};
use crate::error::{Result, fail};
use crate::model::{Cell, Column, Table};
use std::io::{Seek, Write};

/// The tables of the archive.
const MEMBERS: [&str; 4] = ["users", "preferences", "settings", "history"];

/// Writes an archive of one user.
pub struct JarvisUserWriter<W: Write + Seek> {
    zip: zip::ZipWriter<W>,
    records: RecordWriter,
    /// JSON of each member, in the order of [`MEMBERS`]; of `history`, its elements.
    members: [String; 4],
    current: Option<(usize, Vec<Option<Column>>)>,
}

impl<W: Write + Seek> JarvisUserWriter<W> {
    /// Starts an archive.
    pub fn new(out: W) -> Self {
        let records = RecordWriter::new(Layout::Compact);
        Self { zip: zip::ZipWriter::new(out), records, members: Default::default(), current: None }
    }

    /// Ends the archive and returns the stream, flushed.
    ///
    /// # Errors
    /// `Usage` when no user was written; `OutOfSpace`, `Failed`.
    pub fn into_inner(mut self) -> Result<W> {
        let [user, preferences, settings, history] = &self.members;
        if user.is_empty() {
            return Err(fail!(Usage, "an archive of one user needs the record of that user"));
        }
        let or_empty = |text: &str| if text.is_empty() { "{}".to_owned() } else { text.to_owned() };
        let text = format!(
            "{{\"user\":{user},\"preferences\":{},\"settings\":{},\"history\":[{history}]}}",
            or_empty(preferences),
            or_empty(settings)
        );
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .unix_permissions(0o600);
        self.zip.start_file("user_data.json", options).map_err(super::zip_error)?;
        self.zip.write_all(text.as_bytes())?;
        let mut out = self.zip.finish().map_err(super::zip_error)?;
        out.flush()?;
        Ok(out)
    }
}

impl<W: Write + Seek> BackupWriter for JarvisUserWriter<W> {
    fn begin_table(&mut self, table: &Table, options: &TableOptions) -> Result<()> {
        let Some(member) = MEMBERS.iter().position(|name| *name == table.name) else {
            return Err(fail!(Usage, "the table {} has no place in Jarvis's archive of one user", table.label())
                .hint("it holds users, preferences, settings and history"));
        };
        self.records.begin(table, |position, column| options.name(position, column));
        let columns = table.columns.iter().enumerate();
        let kept = columns.map(|(position, column)| options.name(position, column).map(|_| column.clone()));
        self.current = Some((member, kept.collect()));
        Ok(())
    }

    fn record(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let Some((member, columns)) = &self.current else {
            return Err(fail!(Usage, "a record belongs to a table"));
        };
        self.records.check(cells)?;
        let table = MEMBERS[*member];
        let out = &mut self.members[*member];
        if table == "history" {
            out.push_str(if out.is_empty() { "[" } else { ",[" });
            let mut first = true;
            for (cell, column) in cells.iter().zip(columns) {
                let Some(column) = column else { continue };
                out.push_str(if std::mem::take(&mut first) { "" } else { "," });
                if !self.records.value(*cell, column, out) {
                    out.push_str("null");
                }
            }
            out.push(']');
            return Ok(());
        }
        if !out.is_empty() {
            return Err(fail!(Usage, "an archive of one user has one record of {table}"));
        }
        if table == "users" {
            self.records.write(cells, 0, out);
            return Ok(());
        }
        let value = columns.iter().zip(cells).find_map(|(column, cell)| {
            let column = column.as_ref().filter(|column| column.name == table)?;
            Some((column, *cell))
        });
        match value {
            Some((column, cell)) if self.records.value(cell, column, out) => Ok(()),
            _ => Err(fail!(Usage, "the record of {table} has no value in a column of that name")),
        }
    }

    fn attach(&mut self, path: &str, changed_at: Option<i64>, content: &mut dyn std::io::Read) -> Result<()> {
        super::attach_to(&mut self.zip, path, changed_at, content)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.into_inner().map(|_| ())
    }
}

impl IntoFile for JarvisUserWriter<AtomicFile> {
    fn into_file(self) -> Result<AtomicFile> {
        self.into_inner()
    }
}
