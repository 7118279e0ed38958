//! A backup file as a stream of bytes: digested while it is read, decompressed within limits, watched for changes.

use super::options::Limits;
use super::sqlite::MAGIC;
use crate::error::{Error, Result, fail};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
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

/// Files that are read in no particular order: digested on the side, watched for changes.
pub(crate) struct Watched {
    path: PathBuf,
    before: Vec<Stamp>,
    digest: JoinHandle<Result<(String, u64)>>,
}

/// A file with its size and the time of its last change.
type Stamp = (PathBuf, u64, Option<SystemTime>);

/// Returns the stamps of a file and its `-wal`, or of the files in a folder.
fn stamps(path: &Path) -> Result<Vec<Stamp>> {
    let files = match path.is_dir() {
        true => files_below(path)?.into_iter().map(|(_, file)| file).collect(),
        false => vec![path.to_owned(), beside(path, "-wal")],
    };
    let stamp = |file: PathBuf| file.metadata().ok().map(|m| (file, m.len(), m.modified().ok()));
    Ok(files.into_iter().filter_map(stamp).collect())
}

impl Watched {
    /// Begins to watch and digest a file or folder.
    ///
    /// # Errors
    /// `Failed`.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let before = stamps(path)?;
        let copy = path.to_owned();
        // Both the digest and the reader touch every byte once; side by side they share the page cache.
        let digest = std::thread::spawn(move || digest(&copy));
        Ok(Self { path: path.to_owned(), before, digest })
    }

    /// Returns digest and size once reading is done.
    ///
    /// # Errors
    /// `BackupDamaged` when the files changed meanwhile.
    pub(crate) fn finish(self) -> Result<(String, u64)> {
        let digest = self.digest.join().map_err(|_| fail!(Failed, "digesting {} failed", self.path.display()))??;
        if stamps(&self.path)? != self.before {
            return Err(fail!(BackupDamaged, "{} changed while it was read", self.path.display())
                .hint("wait until the file is complete, then try again"));
        }
        Ok(digest)
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

/// Returns BLAKE3 (64 hexadecimal digits) and size of a backup's raw bytes.
///
/// *Shape:* for an SQLite database with a `-wal` file beside it, both count: the records are in both. For a folder, the
/// digest is over names and digests of its files in name order.
///
/// # Errors
/// `BackupNotFound`, `Failed`.
pub fn digest(path: &Path) -> Result<(String, u64)> {
    if path.is_dir() {
        let mut hasher = blake3::Hasher::new();
        let mut total = 0;
        for (name, file) in files_below(path)? {
            let (digest, bytes) = digest_plain(&file)?;
            hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes()).update(digest.as_bytes());
            total += bytes;
        }
        return Ok((hasher.finalize().to_hex().to_string(), total));
    }
    let mut head = Vec::new();
    let file = open_file(path).map_err(|error| error.at(path.display()))?;
    file.take(MAGIC.len() as u64).read_to_end(&mut head)?;
    let (digest, bytes) = digest_plain(path)?;
    let wal = beside(path, "-wal");
    if head == MAGIC && wal.metadata().is_ok_and(|m| m.len() > 0) {
        let (wal_digest, wal_bytes) = digest_plain(&wal)?;
        let mut both = blake3::Hasher::new();
        both.update(digest.as_bytes()).update(b"-wal").update(wal_digest.as_bytes());
        return Ok((both.finalize().to_hex().to_string(), bytes + wal_bytes));
    }
    Ok((digest.to_hex().to_string(), bytes))
}

fn digest_plain(path: &Path) -> Result<(blake3::Hash, u64)> {
    let mut file = open_file(path).map_err(|error| error.at(path.display()))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((hasher.finalize(), bytes)),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                bytes += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(fail!(Failed, "reading {} failed", path.display()).because(error)),
        }
    }
}

/// Lists the files of a folder and of the folders in it, one level down, by name with `/`, in name order.
///
/// # Errors
/// `Failed`; `BackupDamaged` for symbolic links, which may lead anywhere.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let add = |folder: &Path, prefix: &str, found: &mut Vec<(String, PathBuf)>| -> Result<Vec<(String, PathBuf)>> {
        let mut folders = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let kind = entry.file_type()?;
            if kind.is_symlink() {
                return Err(fail!(BackupDamaged, "{} is a symbolic link", entry.path().display()));
            }
            let name = format!("{prefix}{name}");
            if kind.is_dir() { folders.push((name, entry.path())) } else { found.push((name, entry.path())) }
        }
        Ok(folders)
    };
    for (name, path) in add(folder, "", &mut found)? {
        add(&path, &format!("{name}/"), &mut found)?;
    }
    found.sort();
    Ok(found)
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
