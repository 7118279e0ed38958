//! A backup file as a stream of bytes: digested while it is read, decompressed within limits, watched for changes.

use super::digest::Watched;
use super::options::Limits;
use crate::error::{Error, Result, fail};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// A stream that a reader can take to another thread.
pub(crate) type ByteStream = Box<dyn Read + Send>;

/// Opens a backup file.
///
/// # Errors
/// `BackupNotFound` when there is none, `Failed` when it can't be opened.
pub(crate) fn open_file(path: &Path) -> Result<File> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => fail!(BackupNotFound, "there is no such file"),
        _ => fail!(Failed, "the file can't be opened").because(error),
    };
    File::open(path).map_err(failed)
}

/// What was read of a file so far.
#[derive(Default)]
struct Progress {
    hasher: blake3::Hasher,
    bytes: u64,
}

/// Knows what a file was when reading began, and what was read of it.
pub(crate) struct Source {
    path: PathBuf,
    file: File,
    length: u64,
    modified: Option<SystemTime>,
    progress: Arc<Mutex<Progress>>,
}

impl Source {
    /// Starts to read a file from its beginning.
    ///
    /// # Errors
    /// `BackupNotFound`, `Failed`.
    pub(crate) fn open(path: &Path) -> Result<(Self, ByteStream)> {
        let file = open_file(path)?;
        let metadata = file.metadata()?;
        let progress = Arc::new(Mutex::new(Progress::default()));
        let stream = Hashing { file: file.try_clone()?, path: path.to_owned(), progress: Arc::clone(&progress) };
        let source =
            Self { path: path.to_owned(), file, length: metadata.len(), modified: metadata.modified().ok(), progress };
        Ok((source, Box::new(stream)))
    }

    /// Limits what a decompressor makes of this file.
    pub(crate) fn expanded(&self, inner: ByteStream, limits: &Limits) -> ByteStream {
        Box::new(Expanded { inner, produced: 0, progress: Arc::clone(&self.progress), limits: limits.clone() })
    }

    /// Returns the digest and size of the whole file once it has been read to its end.
    ///
    /// # Errors
    /// `BackupDamaged` when the file changed while it was read, or has bytes that nothing read.
    pub(crate) fn finish(&self) -> Result<(String, u64)> {
        let metadata = self.file.metadata()?;
        let progress = lock(&self.progress);
        let same_time = metadata.modified().ok() == self.modified;
        if metadata.len() != self.length || !same_time || progress.bytes > self.length {
            return Err(fail!(BackupDamaged, "{} changed while it was read", self.path.display())
                .hint("wait until the file is complete, then try again"));
        }
        if progress.bytes < self.length {
            return Err(fail!(
                BackupDamaged,
                "{} has {} bytes after the end of its content",
                self.path.display(),
                self.length - progress.bytes
            ));
        }
        Ok((progress.hasher.finalize().to_hex().to_string(), progress.bytes))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Hashing {
    file: File,
    path: PathBuf,
    progress: Arc<Mutex<Progress>>,
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => io::Error::other(fail!(Failed, "reading {} failed", self.path.display()).because(error)),
        })?;
        let mut progress = lock(&self.progress);
        progress.hasher.update(&buffer[..count]);
        progress.bytes += count as u64;
        Ok(count)
    }
}

struct Expanded {
    inner: ByteStream,
    produced: u64,
    progress: Arc<Mutex<Progress>>,
    limits: Limits,
}

impl Read for Expanded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.produced += count as u64;
        let read = lock(&self.progress).bytes;
        check_expansion(self.produced, read, &self.limits).map_err(io::Error::other)?;
        Ok(count)
    }
}

/// Refuses content that is implausibly larger than the file it comes from.
///
/// # Errors
/// `LimitReached`.
pub(crate) fn check_expansion(produced: u64, read: u64, limits: &Limits) -> Result<()> {
    let too_dense = produced > limits.ratio_from_bytes && produced / limits.ratio > read;
    if produced > limits.expanded_bytes || too_dense {
        return Err(fail!(LimitReached, "the file expands to more than {produced} bytes from {read}")
            .hint("a backup of this kind is usually an attack; unpack it yourself if it is not"));
    }
    Ok(())
}

/// Turns an error of a stream into ours: what is not a failing disk is damaged content.
pub(crate) fn stream_error(error: io::Error) -> Error {
    if error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
        return *error
            .into_inner()
            .and_then(|inner| inner.downcast::<Error>().ok())
            .expect("the inner error was just seen to be ours");
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => fail!(BackupDamaged, "the compressed data ends too early")
            .hint("The file was not copied to its end: copy it again, or make the backup again.")
            .because(error),
        _ => fail!(BackupDamaged, "the compressed data is damaged").because(error),
    }
}

/// What a reader's bytes come from, and what vouches for them at the end.
pub(crate) enum Origin {
    /// One stream over the whole file.
    Stream(Source),
    /// Parts of a file.
    Watched(Watched),
}

impl Origin {
    /// Returns digest and size once reading is done.
    ///
    /// # Errors
    /// As [`Source::finish`] and [`Watched::finish`].
    pub(crate) fn finish(self) -> Result<(String, u64)> {
        match self {
            Self::Stream(source) => source.finish(),
            Self::Watched(watched) => watched.finish(),
        }
    }
}

/// Returns the path with a suffix appended to its file name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
