//! Writing backups: what all formats share. A file appears under its name only when it is complete and on disk.

mod smart;
mod value;

pub use smart::{SmartBackupWriter, SmartOptions, TableOptions};

use crate::error::{Result, fail};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
}

/// A file that appears under its name when it is committed, and not at all when it is dropped before.
///
/// It is written beside its final place, readable by its owner only.
pub struct AtomicFile {
    temp: tempfile::NamedTempFile,
    path: PathBuf,
}

impl AtomicFile {
    /// Starts a file that will have a path; a file that is there stays until the new one is complete.
    ///
    /// # Errors
    /// `Failed` when the folder can't be written to.
    pub fn create(path: &Path) -> Result<Self> {
        let temp = tempfile::Builder::new()
            .prefix(".merganser-")
            .tempfile_in(folder_of(path))
            .map_err(|e| fail!(Failed, "{} can't be written", path.display()).because(e))?;
        Ok(Self { temp, path: path.to_owned() })
    }

    /// Puts the file in its place once everything is on disk.
    ///
    /// # Errors
    /// `Failed`, `OutOfSpace`; the file isn't there then.
    pub fn commit(self) -> Result<()> {
        self.temp.as_file().sync_all()?;
        let path = self.path;
        self.temp.persist(&path).map_err(|e| fail!(Failed, "{} can't be written", path.display()).because(e.error))?;
        // The new name is only safe when its folder is on disk too; other systems than Unix can't open folders.
        if cfg!(unix) {
            std::fs::File::open(folder_of(&path))?.sync_all()?;
        }
        Ok(())
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temp.flush()
    }
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
            Compression::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(out, zstd::DEFAULT_COMPRESSION_LEVEL)?;
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
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
