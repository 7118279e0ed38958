//! Reads a BaluHost archive: `backup/{database,files,config}` as tar in gzip or zstd (FORMATS 4).
//!
//! The SQLite database in it, with its `-wal`, is copied to a private folder under names of our own and read from there.
//! Files and configuration are counted, not read. Plain tar is not accepted: a cut one can't be told from a whole one.

use super::options::ReadOptions;
use super::source::{ByteStream, Source, beside, stream_error};
use super::sqlite::SqliteReader;
use super::zip::check_name;
use super::{Format, Reader, RecordSink, Summary, TableHeader};
use crate::error::{Result, fail};
use std::collections::HashSet;
use std::io::Read;

/// Tells whether decompressed data is a tar archive.
pub(crate) fn looks_like(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar")
}

/// Reads the database of a BaluHost archive.
pub(crate) struct BaluHostReader {
    source: Source,
    /// None where the archive holds files alone.
    database: Option<Box<SqliteReader>>,
    _folder: tempfile::TempDir,
    notes: Vec<String>,
}

impl BaluHostReader {
    /// Reads the archive through and opens the database in it.
    ///
    /// # Errors
    /// `UnknownFormat` when there is no SQLite database in it, `BackupDamaged`, `LimitReached`.
    pub(crate) fn open(source: Source, stream: ByteStream, options: &ReadOptions) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let database = folder.path().join("database.db");
        let (mut names, mut others, mut files, mut found, mut dump) = (HashSet::new(), 0u64, 0u64, false, false);
        let mut archive = tar::Archive::new(stream);
        for entry in archive.entries().map_err(stream_error)? {
            let mut entry = entry.map_err(stream_error)?;
            let path = entry.path_bytes().into_owned();
            let Ok(name) = String::from_utf8(path) else {
                return Err(fail!(BackupDamaged, "the archive has a name that is not UTF-8"));
            };
            check_name(&name)?;
            let shown = name.escape_debug().to_string();
            let kind = entry.header().entry_type();
            if kind.is_dir() || kind.is_pax_global_extensions() {
                continue;
            }
            if !kind.is_file() {
                return Err(fail!(BackupDamaged, "the entry `{shown}` is a link or a device, not a file"));
            }
            if !names.insert(name.clone()) {
                return Err(fail!(BackupDamaged, "the archive has two entries named `{shown}`"));
            }
            if names.len() > options.limits.entries {
                return Err(fail!(LimitReached, "the archive has more than {} entries", options.limits.entries));
            }
            if entry.size() > options.limits.entry_bytes {
                return Err(fail!(LimitReached, "the entry `{shown}` has {} bytes", entry.size()));
            }
            let target = match name.rsplit_once("database/").map(|(_, file)| file) {
                Some(file) if file.contains('/') => None,
                Some(file) if file.ends_with(".db-wal") => Some(beside(&database, "-wal")),
                Some(file) if file.ends_with(".db-journal") => Some(beside(&database, "-journal")),
                Some(file) if file.ends_with(".db") => {
                    if std::mem::replace(&mut found, true) {
                        return Err(fail!(BackupDamaged, "the archive holds more than one database"));
                    }
                    Some(database.clone())
                }
                Some(file) if file.contains(".sql") => {
                    dump = true;
                    None
                }
                _ => None,
            };
            match target {
                Some(target) => {
                    let mut file = std::fs::File::create_new(target)?;
                    std::io::copy(&mut entry, &mut file).map_err(stream_error)?;
                }
                None if name.starts_with("backup/files/") => files += 1,
                None => others += u64::from(!name.ends_with(".db-shm")),
            }
        }
        // What follows the archive's end is padding; reading it shows whether the compressed stream is whole.
        let mut rest = archive.into_inner();
        let mut buffer = [0; 4096];
        loop {
            match rest.read(&mut buffer).map_err(stream_error)? {
                0 => break,
                count if buffer[..count].iter().all(|byte| *byte == 0) => {}
                _ => return Err(fail!(BackupDamaged, "there is more after the end of the archive")),
            }
        }
        if !found && dump {
            return Err(fail!(UnknownFormat, "the archive holds an SQL dump; SQL from a file is never executed")
                .hint("load it into a scratch database and give that file"));
        }
        if !found && files == 0 {
            return Err(fail!(UnknownFormat, "the archive holds no database (`backup/database/NAME.db`) and no files"));
        }
        let mut notes = Vec::new();
        if others > 0 {
            notes.push(format!(
                "{others} entries of the archive are no records and no files, such as configuration: left out"
            ));
        }
        if files > 0 {
            notes.push(format!("{files} files travel with the records: --files FOLDER merges them, too"));
        }
        let database = found.then(|| SqliteReader::open(&database, options).map(Box::new)).transpose()?;
        Ok(Self { source, database, _folder: folder, notes })
    }
}

impl Reader for BaluHostReader {
    fn format(&self) -> Format {
        Format::BaluHost
    }

    fn next_table(&mut self) -> Result<Option<TableHeader>> {
        self.database.as_mut().map_or(Ok(None), |database| database.next_table())
    }

    fn read_records(&mut self, sink: &mut dyn RecordSink) -> Result<u64> {
        self.database.as_mut().map_or(Ok(0), |database| database.read_records(sink))
    }

    fn finish(self: Box<Self>) -> Result<Summary> {
        let mut summary = self.database.map_or(Ok(Summary::default()), |database| database.finish())?;
        (summary.digest, summary.size_bytes) = self.source.finish()?;
        summary.notes.extend(self.notes);
        Ok(summary)
    }
}

#[cfg(test)]
mod tests;
