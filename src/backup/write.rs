//! Writing backups: what all formats share. A file appears under its name only when it is complete and on disk.

mod baluhost;
mod files;
mod jarvis;
mod map;
mod record;
mod smart;
#[cfg(test)]
mod tests;
mod value;

pub use baluhost::write_baluhost;
pub use files::{FilesFormat, FilesWriter};
pub use jarvis::JarvisUserWriter;
pub use map::TableMapWriter;
pub use record::Layout;
pub use smart::{SmartBackupWriter, SmartOptions};

use super::Lineage;
use super::crypt::{SealedWriter, Sealing, hmac_file};
use crate::error::{Result, fail};
use crate::model::{Cell, Column, OwnedCell, Table};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// How a backup is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip, which everything reads.
    Gzip,
    /// zstd, smaller and faster.
    Zstd,
    /// gzip at a level, 0–9.
    GzipAt(u32),
    /// zstd at a level, 1–22.
    ZstdAt(i32),
}

/// What of a table is written.
#[derive(Clone, Debug, Default)]
pub struct TableOptions {
    /// Positions of columns that are left out of every record.
    pub excluded: Vec<usize>,
    /// Whether some of the table's records are left out, so that an absent record says nothing.
    pub partial: bool,
    /// Keys of records that were deleted since the backup that this one builds on, in the order of the table's key.
    pub deleted: Vec<Vec<OwnedCell>>,
}

impl TableOptions {
    /// Names a column's field; nothing when the column is left out.
    fn name(&self, position: usize, column: &Column) -> Option<String> {
        (!self.excluded.contains(&position)).then(|| column.name.clone())
    }
}

/// Writes a backup table by table.
pub trait BackupWriter {
    /// Begins a table, ending the one before.
    ///
    /// # Errors
    /// `Usage` when the table was written already; `OutOfSpace`, `Failed`.
    fn begin_table(&mut self, table: &Table, options: &TableOptions) -> Result<()>;

    /// Writes a record of the table: one cell per column of it, in its order; absent cells are left out.
    ///
    /// # Errors
    /// `Usage` when no table was begun or the number of cells is another; `OutOfSpace`, `Failed`.
    fn record(&mut self, cells: &[Cell<'_>]) -> Result<()>;

    /// Adds a file that travels with the backup, after its last table; `changed_at` counts seconds since 1970.
    ///
    /// # Errors
    /// `Usage` for a format that has no place for files; `OutOfSpace`, `Failed`.
    fn attach(&mut self, path: &str, changed_at: Option<i64>, content: &mut dyn io::Read) -> Result<()> {
        let _ = (changed_at, content);
        Err(fail!(Usage, "{path}: no files travel with a backup of this format")
            .hint("Choose --format rayerp, jarvis-user or baluhost."))
    }

    /// Ends the backup; a file appears in its place.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// The formats that can be written record by record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFormat {
    /// The default: one JSON document with counts and checksum.
    SmartBackup(Compression, Layout),
    /// `{"name":[…]}`: Jarvis's system export, and what scripts like best.
    TableMap,
    /// A ZIP archive of files.
    Files(FilesFormat),
    /// Jarvis's archive of one user.
    JarvisUser,
}

/// Starts a backup file, which appears when it is finished.
///
/// `exported_at` is when the records were read, ISO 8601 in UTC.
///
/// # Errors
/// `Failed` when the folder can't be written to.
pub fn create(path: &Path, format: WriteFormat, exported_at: &str) -> Result<Box<dyn BackupWriter>> {
    create_of(path, format, exported_at, &Lineage::default(), None)
}

/// Starts a backup file that says where it comes from, where its format has a place for that, and is encrypted where
/// asked; it appears when it is finished.
///
/// # Errors
/// As [`create`].
pub fn create_of(
    path: &Path,
    format: WriteFormat,
    exported_at: &str,
    lineage: &Lineage,
    sealing: Option<&Sealing>,
) -> Result<Box<dyn BackupWriter>> {
    let file = match (sealing, format) {
        (None, _) => AtomicFile::create(path)?,
        (Some(sealing), WriteFormat::SmartBackup(..) | WriteFormat::TableMap) => AtomicFile::sealed(path, sealing)?,
        (Some(sealing), WriteFormat::JarvisUser | WriteFormat::Files(_)) => AtomicFile::sealed_later(path, sealing)?,
    };
    Ok(match format {
        WriteFormat::SmartBackup(compression, layout) => {
            let options =
                SmartOptions { compression, layout, exported_at: exported_at.to_owned(), lineage: lineage.clone() };
            Box::new(Committing(SmartBackupWriter::new(file, &options)?))
        }
        WriteFormat::TableMap => Box::new(Committing(TableMapWriter::new(file))),
        WriteFormat::JarvisUser => Box::new(Committing(JarvisUserWriter::new(file))),
        WriteFormat::Files(format) => Box::new(Committing(FilesWriter::new(file, format, exported_at))),
    })
}

/// A writer to an atomic file, which it commits at the end.
struct Committing<T>(T);

/// A writer that gives its stream back.
trait IntoFile: BackupWriter {
    fn into_file(self) -> Result<AtomicFile>;
}

impl<T: IntoFile> BackupWriter for Committing<T> {
    fn begin_table(&mut self, table: &Table, options: &TableOptions) -> Result<()> {
        self.0.begin_table(table, options)
    }

    fn record(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        self.0.record(cells)
    }

    fn attach(&mut self, path: &str, changed_at: Option<i64>, content: &mut dyn io::Read) -> Result<()> {
        self.0.attach(path, changed_at, content)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.0.into_file()?.commit()
    }
}

/// A file that appears under its name when it is committed, and not at all when it is dropped before.
///
/// It is written beside its final place, readable by its owner only.
pub struct AtomicFile {
    out: Out,
    path: PathBuf,
}

/// What is written to before a file appears.
enum Out {
    Plain(NamedTempFile),
    Sealed(Box<SealedWriter<NamedTempFile>>),
    /// An archive goes back in its file while it is written: it is encrypted when it is whole. Its file has no name.
    Later(std::fs::File, Sealing, NamedTempFile),
}

impl AtomicFile {
    /// Starts a file that will have a path; a file that is there stays until the new one is complete.
    ///
    /// # Errors
    /// `Failed` when the folder can't be written to.
    pub fn create(path: &Path) -> Result<Self> {
        Ok(Self { out: Out::Plain(temporary(path)?), path: path.to_owned() })
    }

    /// Starts a file that is encrypted while it is written; it can only be written from its beginning to its end.
    ///
    /// # Errors
    /// `Failed` when the folder can't be written to.
    pub(crate) fn sealed(path: &Path, sealing: &Sealing) -> Result<Self> {
        Ok(Self { out: Out::Sealed(Box::new(sealing.writer(temporary(path)?)?)), path: path.to_owned() })
    }

    /// Starts a file that is encrypted when it is whole.
    ///
    /// # Errors
    /// `Failed` when the folder can't be written to.
    pub(crate) fn sealed_later(path: &Path, sealing: &Sealing) -> Result<Self> {
        let nameless = tempfile::tempfile_in(folder_of(path))?;
        Ok(Self { out: Out::Later(nameless, sealing.clone(), temporary(path)?), path: path.to_owned() })
    }

    /// Puts the file in its place once everything is on disk.
    ///
    /// # Errors
    /// `Failed`, `OutOfSpace`; the file isn't there then.
    pub fn commit(self) -> Result<()> {
        let path = self.path;
        let (temp, beside) = match self.out {
            Out::Plain(temp) => (temp, None),
            Out::Sealed(writer) => writer.finish()?,
            Out::Later(mut plain, sealing, temp) => {
                plain.rewind()?;
                let mut writer = sealing.writer(temp)?;
                io::copy(&mut plain, &mut writer)?;
                writer.finish()?
            }
        };
        // Without what stands beside it a file would pass for one that nobody can vouch for: that comes first.
        let hmac = hmac_file(&path);
        if let Some(text) = beside {
            let mut file = temporary(&hmac)?;
            file.write_all(text.as_bytes())?;
            put(file, &hmac)?;
        }
        put(temp, &path)?;
        // The new name is only safe when its folder is on disk too; other systems than Unix can't open folders.
        if cfg!(unix) {
            std::fs::File::open(folder_of(&path))?.sync_all()?;
        }
        Ok(())
    }
}

fn temporary(path: &Path) -> Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".merganser-")
        .tempfile_in(folder_of(path))
        .map_err(|e| fail!(Failed, "{} can't be written", path.display()).because(e))
}

fn put(temp: NamedTempFile, path: &Path) -> Result<()> {
    temp.as_file().sync_all()?;
    temp.persist(path).map_err(|e| fail!(Failed, "{} can't be written", path.display()).because(e.error))?;
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.out {
            Out::Plain(temp) => temp.write(bytes),
            Out::Sealed(writer) => writer.write(bytes),
            Out::Later(file, ..) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.out {
            Out::Plain(temp) => temp.flush(),
            Out::Sealed(writer) => writer.flush(),
            Out::Later(file, ..) => file.flush(),
        }
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.out {
            Out::Plain(temp) => temp.seek(to),
            Out::Sealed(_) => {
                Err(io::Error::new(io::ErrorKind::NotSeekable, "encrypted content has no places to go to"))
            }
            Out::Later(file, ..) => file.seek(to),
        }
    }
}

fn zip_error(error: zip::result::ZipError) -> crate::error::Error {
    match error {
        zip::result::ZipError::Io(error) => error.into(),
        other => fail!(Failed, "the archive can't be written").because(other),
    }
}

/// Adds a file to an archive of the ZIP kind.
fn attach_to<W: Write + Seek>(
    zip: &mut zip::ZipWriter<W>,
    path: &str,
    changed_at: Option<i64>,
    content: &mut dyn io::Read,
) -> Result<()> {
    use chrono::{Datelike, Timelike};
    let at = changed_at.and_then(|at| chrono::DateTime::from_timestamp(at, 0)).and_then(|at| {
        let part = |number: u32| u8::try_from(number).ok();
        let year = u16::try_from(at.year()).ok()?;
        let (month, day) = (part(at.month())?, part(at.day())?);
        zip::DateTime::from_date_and_time(year, month, day, part(at.hour())?, part(at.minute())?, part(at.second())?)
            .ok()
    });
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(9))
        .unix_permissions(0o600)
        .large_file(true)
        .last_modified_time(at.unwrap_or_default());
    zip.start_file(path, options).map_err(zip_error)?;
    io::copy(content, zip)?;
    Ok(())
}

/// A stream that compresses what is written to it.
enum Encoder<W: Write> {
    Plain(W),
    Gzip(flate2::write::GzEncoder<W>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> Encoder<W> {
    fn new(out: W, compression: Compression) -> Result<Self> {
        Ok(match compression {
            Compression::None => Self::Plain(out),
            Compression::Gzip => Self::Gzip(flate2::write::GzEncoder::new(out, flate2::Compression::default())),
            Compression::GzipAt(level) => {
                Self::Gzip(flate2::write::GzEncoder::new(out, flate2::Compression::new(level)))
            }
            Compression::Zstd => Self::zstd(out, zstd::DEFAULT_COMPRESSION_LEVEL)?,
            Compression::ZstdAt(level) => Self::zstd(out, level)?,
        })
    }

    fn zstd(out: W, level: i32) -> Result<Self> {
        let mut encoder = zstd::stream::write::Encoder::new(out, level)?;
        encoder.include_checksum(true)?;
        Ok(Self::Zstd(encoder))
    }

    fn finish(self) -> Result<W> {
        let mut out = match self {
            Self::Plain(out) => out,
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
        };
        out.flush()?;
        Ok(out)
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}
