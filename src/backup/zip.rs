//! Reads ZIP archives as data: entries are streams, checked by size and CRC, and never written under their own names.
//!
//! The directory is read by the `zip` crate; everything in it is held against the file (CHECKS T1, T2, F21, F76, F77):
//! hostile and repeated names, links, encryption, overlapping entries, more entries or bytes than allowed are refused.

use super::ahead::Ahead;
use super::options::Limits;
use super::source::{ByteStream, check_expansion, open_file, stream_error};
use crate::error::{Result, fail};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The first bytes of a ZIP archive, and of one without entries.
pub(crate) const MAGIC: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// Entries larger than this are decompressed ahead of who reads them.
const AHEAD_FROM_BYTES: u64 = 1 << 20;

/// A file in an archive.
struct Entry {
    name: String,
    start: u64,
    compressed: u64,
    size: u64,
    crc: u32,
    deflated: bool,
    /// When it was changed: seconds since 1970, and whether they are of UTC rather than of a zone that is not named.
    changed: Option<(i64, bool)>,
}

/// An archive whose directory was read and checked.
pub(crate) struct Zip {
    path: PathBuf,
    length: u64,
    limits: Limits,
    entries: Vec<Entry>,
    /// Bytes that all entries together have expanded to.
    produced: Arc<AtomicU64>,
}

impl Zip {
    /// Opens an archive and checks its directory.
    ///
    /// # Errors
    /// `BackupDamaged`, `LimitReached`.
    pub(crate) fn open(path: &Path, limits: &Limits) -> Result<Self> {
        let mut file = open_file(path)?;
        let length = file.metadata()?.len();
        let claimed = claimed_entries(&mut file, length)?;
        if claimed > limits.entries as u64 {
            return Err(fail!(LimitReached, "the archive has {claimed} entries, more than {}", limits.entries));
        }
        let damaged = |e: zip::result::ZipError| fail!(BackupDamaged, "the ZIP archive can't be read").because(e);
        let mut archive = zip::ZipArchive::new(file).map_err(damaged)?;
        if archive.len() as u64 != claimed {
            return Err(fail!(BackupDamaged, "the archive claims {claimed} entries, but has {} names", archive.len())
                .hint("two entries may have the same name; nobody can tell which one was meant"));
        }
        let mut headers = open_file(path)?;
        let (mut entries, mut extents) = (Vec::new(), Vec::new());
        for position in 0..archive.len() {
            let entry = archive.by_index_raw(position).map_err(damaged)?;
            let Ok(name) = std::str::from_utf8(entry.name_raw()) else {
                return Err(fail!(BackupDamaged, "the name of entry {} is not UTF-8", position + 1));
            };
            check_name(name)?;
            let shown = name.escape_debug();
            if entry.is_symlink() {
                return Err(fail!(BackupDamaged, "the entry `{shown}` is a symbolic link"));
            }
            if entry.encrypted() {
                return Err(fail!(BackupDamaged, "the entry `{shown}` is encrypted")
                    .hint("unpack the archive with its password, and give the folder"));
            }
            let start = entry.data_start().unwrap_or(u64::MAX);
            let end = start.saturating_add(entry.compressed_size());
            if end > length {
                return Err(fail!(BackupDamaged, "the entry `{shown}` reaches beyond the end of the file"));
            }
            extents.push((entry.header_start(), end));
            // No checksum covers a name; that it stands twice in the archive is what tells a damaged one.
            if !named_alike(&mut headers, entry.header_start(), name)? {
                return Err(fail!(BackupDamaged, "the entry `{shown}` has another name where its content stands"));
            }
            if name.ends_with('/') {
                continue;
            }
            if entry.size() > limits.entry_bytes {
                return Err(fail!(LimitReached, "the entry `{shown}` claims {} bytes", entry.size()));
            }
            let deflated = match entry.compression() {
                zip::CompressionMethod::Stored => false,
                zip::CompressionMethod::Deflated => true,
                other => return Err(fail!(BackupDamaged, "the entry `{shown}` is compressed by {other}, not deflate")),
            };
            entries.push(Entry {
                name: name.to_owned(),
                start,
                compressed: entry.compressed_size(),
                size: entry.size(),
                crc: entry.crc32(),
                deflated,
                changed: changed(&entry),
            });
        }
        extents.sort_unstable();
        if extents.windows(2).any(|pair| pair[1].0 < pair[0].1) {
            return Err(fail!(LimitReached, "entries of the archive overlap")
                .hint("such an archive expands without end; it is not a backup"));
        }
        let total: u64 = entries.iter().map(|entry| entry.size).sum();
        check_expansion(total, length, limits)?;
        Ok(Self {
            path: path.to_owned(),
            length,
            limits: limits.clone(),
            entries,
            produced: Arc::new(AtomicU64::new(0)),
        })
    }

    /// Lists the names of the files in it.
    pub(crate) fn names(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.name.clone()).collect()
    }

    /// Returns when a file was changed: seconds since 1970, and whether they are of UTC.
    pub(crate) fn changed(&self, position: usize) -> Option<(i64, bool)> {
        self.entries[position].changed
    }

    /// Opens a file in it as a stream that ends with an error when size or CRC don't hold.
    ///
    /// # Errors
    /// `Failed` when the archive can't be opened any more.
    pub(crate) fn stream(&self, position: usize) -> Result<ByteStream> {
        let entry = &self.entries[position];
        let mut file = open_file(&self.path)?;
        file.seek(SeekFrom::Start(entry.start))?;
        let raw = file.take(entry.compressed);
        let inner: ByteStream =
            if entry.deflated { Box::new(flate2::read::DeflateDecoder::new(raw)) } else { Box::new(raw) };
        let checked: ByteStream = Box::new(Checked {
            inner,
            name: entry.name.clone(),
            size: entry.size,
            expected: entry.crc,
            found: flate2::Crc::new(),
            bytes: 0,
            produced: Arc::clone(&self.produced),
            archive_bytes: self.length,
            limits: self.limits.clone(),
        });
        // A thread for each of many small files would cost more than it saves.
        if entry.deflated && entry.size > AHEAD_FROM_BYTES { Ahead::start(checked) } else { Ok(checked) }
    }
}

/// Tells whether the header before an entry's content has the name that the directory gives it (APPNOTE.TXT 4.3.7).
fn named_alike(file: &mut File, at: u64, name: &str) -> Result<bool> {
    let mut head = [0; 30];
    let mut found = vec![0; name.len()];
    file.seek(SeekFrom::Start(at))?;
    let read = file.read_exact(&mut head).and_then(|()| file.read_exact(&mut found));
    let length = usize::from(u16::from_le_bytes([head[26], head[27]]));
    Ok(read.is_ok() && length == name.len() && found == name.as_bytes())
}

/// Reads when an entry was changed: from the extended timestamp, else from the time of day of an unnamed zone.
fn changed<R: Read>(entry: &zip::read::ZipFile<'_, R>) -> Option<(i64, bool)> {
    let exact = entry.extra_data_fields().find_map(|field| match field {
        zip::ExtraField::ExtendedTimestamp(times) => times.mod_time(),
        _ => None,
    });
    if let Some(at) = exact {
        return Some((i64::from(at), true));
    }
    let at = entry.last_modified()?;
    let day = chrono::NaiveDate::from_ymd_opt(at.year().into(), at.month().into(), at.day().into())?;
    let time = day.and_hms_opt(at.hour().into(), at.minute().into(), at.second().into())?;
    // 1980-01-01 is what is written where no time is known.
    (at.year() > 1980).then(|| (time.and_utc().timestamp(), false))
}

/// Counts and checks what an entry expands to.
struct Checked {
    inner: ByteStream,
    name: String,
    size: u64,
    expected: u32,
    found: flate2::Crc,
    bytes: u64,
    produced: Arc<AtomicU64>,
    archive_bytes: u64,
    limits: Limits,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let name = self.name.escape_debug();
        let count = match self.inner.read(buffer) {
            // Whoever reads the stream starts again by itself.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            read => read.map_err(|e| io::Error::other(stream_error(e).at(format!("the entry `{name}`"))))?,
        };
        self.bytes += count as u64;
        if self.bytes > self.size {
            let error = fail!(BackupDamaged, "the entry `{name}` is larger than the {} bytes it claims", self.size);
            return Err(io::Error::other(error));
        }
        let produced = self.produced.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
        check_expansion(produced, self.archive_bytes, &self.limits).map_err(io::Error::other)?;
        self.found.update(&buffer[..count]);
        if count == 0 && (self.bytes != self.size || self.found.sum() != self.expected) {
            let error = fail!(BackupDamaged, "the entry `{name}` does not have the size or CRC that the archive says");
            return Err(io::Error::other(error));
        }
        Ok(count)
    }
}

/// Refuses names that could mean a place outside a folder, or another place on another system.
///
/// # Errors
/// `BackupDamaged`.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let hostile = name.is_empty()
        || name.len() > 4096
        || name.starts_with('/')
        || name.contains('\\')
        || name.chars().any(char::is_control)
        || name.split('/').any(|part| part == ".." || is_drive(part));
    if hostile {
        return Err(fail!(BackupDamaged, "the archive has an entry named `{}`", name.escape_debug())
            .hint("such a name could reach outside a folder; a backup has none"));
    }
    Ok(())
}

/// Tells whether a part of a name begins with a drive, as in `C:users.json`.
fn is_drive(part: &str) -> bool {
    matches!(part.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

/// Reads how many entries the end of the directory claims: before anything of that size is made.
///
/// Layout: APPNOTE.TXT 4.3.14–4.3.16.
fn claimed_entries(file: &mut File, length: u64) -> Result<u64> {
    let tail_length = length.min(22 + 65_535 + 20);
    file.seek(SeekFrom::Start(length - tail_length))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    file.rewind()?;
    let Some(at) = memchr::memmem::rfind(&tail, b"PK\x05\x06").filter(|at| tail.len() - at >= 22) else {
        return Err(fail!(BackupDamaged, "the ZIP archive has no directory at its end")
            .hint("it was cut off; get a complete copy"));
    };
    let claimed = u64::from(u16::from_le_bytes([tail[at + 10], tail[at + 11]]));
    if claimed < 0xffff {
        return Ok(claimed);
    }
    // 65,535 or more: the count stands in the ZIP64 record, which the limit on entries refuses by default anyway.
    let mut head = [0; 40];
    let found = at.checked_sub(20).filter(|&locator| tail[locator..].starts_with(b"PK\x06\x07")).and_then(|locator| {
        let offset = u64::from_le_bytes(tail[locator + 8..locator + 16].try_into().ok()?);
        file.seek(SeekFrom::Start(offset)).ok()?;
        file.read_exact(&mut head).ok()?;
        head.starts_with(b"PK\x06\x06").then(|| u64::from_le_bytes(head[32..40].try_into().unwrap_or([0xff; 8])))
    });
    file.rewind()?;
    Ok(found.unwrap_or(claimed))
}

#[cfg(test)]
mod tests;
