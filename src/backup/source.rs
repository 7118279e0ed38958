//! A backup file as a stream of bytes: digested while it is read, decompressed within limits, watched for changes.

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
        io::ErrorKind::UnexpectedEof => fail!(BackupDamaged, "the compressed data ends too early").because(error),
        _ => fail!(BackupDamaged, "the compressed data is damaged").because(error),
    }
}

/// Returns BLAKE3 (64 hexadecimal digits) and size of a backup's raw bytes.
///
/// For an SQLite database with a `-wal` file beside it, both count: the records are in both.
///
/// # Errors
/// `BackupNotFound`, `Failed`.
pub fn digest(path: &Path) -> Result<(String, u64)> {
    let mut file = open_file(path).map_err(|error| error.at(path.display()))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    let mut head = [0; 16];
    let mut bytes = 0;
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(fail!(Failed, "reading {} failed", path.display()).because(error)),
        };
        if bytes == 0 {
            let known = count.min(head.len());
            head[..known].copy_from_slice(&buffer[..known]);
        }
        hasher.update(&buffer[..count]);
        bytes += count as u64;
    }
    let wal = beside(path, "-wal");
    if &head == super::sqlite::MAGIC && wal.metadata().is_ok_and(|m| m.len() > 0) {
        let (wal_digest, wal_bytes) = digest_plain(&wal)?;
        hasher.update(b"-wal").update(wal_digest.as_bytes());
        bytes += wal_bytes;
    }
    Ok((hasher.finalize().to_hex().to_string(), bytes))
}

fn digest_plain(path: &Path) -> Result<(blake3::Hash, u64)> {
    let mut hasher = blake3::Hasher::new();
    let bytes = io::copy(&mut open_file(path)?, &mut hasher)?;
    Ok((hasher.finalize(), bytes))
}

/// Returns the path with a suffix appended to its file name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes UTF-8 of UTF-16, as Windows tools write it.
pub(crate) struct Utf16 {
    inner: ByteStream,
    big_endian: bool,
    /// Bytes that don't make a whole character yet.
    raw: Vec<u8>,
    /// Characters made and not handed out yet.
    ready: Vec<u8>,
    handed_out: usize,
}

impl Utf16 {
    /// Wraps a stream that stands after its byte order mark.
    pub(crate) fn new(inner: ByteStream, big_endian: bool) -> Self {
        Self { inner, big_endian, raw: Vec::new(), ready: Vec::new(), handed_out: 0 }
    }

    fn refill(&mut self) -> io::Result<()> {
        let kept = self.raw.len();
        self.raw.resize(kept + (1 << 16), 0);
        let count = self.inner.read(&mut self.raw[kept..])?;
        self.raw.truncate(kept + count);
        let units: Vec<u16> = self
            .raw
            .chunks_exact(2)
            .map(|pair| [pair[0], pair[1]])
            .map(|pair| if self.big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
            .collect();
        // The first half of a surrogate pair waits for its second half, unless the file ends here.
        let waits = count > 0 && units.last().is_some_and(|unit| (0xD800..0xDC00).contains(unit));
        let whole = units.len() - usize::from(waits);
        if count == 0 && !self.raw.len().is_multiple_of(2) {
            return Err(io::Error::other(fail!(BackupDamaged, "the UTF-16 text ends in the middle of a character")));
        }
        self.ready.clear();
        self.handed_out = 0;
        for character in char::decode_utf16(units[..whole].iter().copied()) {
            let character = character
                .map_err(|e| io::Error::other(fail!(BackupDamaged, "the UTF-16 text is not valid").because(e)))?;
            self.ready.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.raw.drain(..whole * 2);
        Ok(())
    }
}

impl Read for Utf16 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.handed_out == self.ready.len() {
            self.refill()?;
            if self.ready.is_empty() && self.raw.is_empty() {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.ready.len() - self.handed_out);
        buffer[..count].copy_from_slice(&self.ready[self.handed_out..self.handed_out + count]);
        self.handed_out += count;
        Ok(count)
    }
}
