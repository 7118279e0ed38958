//! Recognises a backup's format by its content and opens the reader for it.

use super::json::document::DocumentReader;
use super::json::window::{WINDOW_BYTES, Window};
use super::options::ReadOptions;
use super::source::{ByteStream, Source, Utf16, open_file};
use super::{Reader, sqlite};
use crate::error::{Error, Result, fail};
use std::io::Read;
use std::path::Path;

/// The formats that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `{"tables":[…],"metadata":{…}}`.
    SmartBackup,
    /// An object of lists of records.
    TableMap,
    /// A table map in Ghost's envelope.
    Ghost,
    /// An SQLite database file.
    Sqlite,
}

impl Format {
    /// Returns the word that people and programs see.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SmartBackup => "smart-backup",
            Self::TableMap => "table-map",
            Self::Ghost => "ghost",
            Self::Sqlite => "sqlite",
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// Opens a backup of any format that can be read.
///
/// # Errors
/// `BackupNotFound`; `UnknownFormat` with what the file looks like; `BackupDamaged`, `LimitReached`.
pub fn open(path: &Path, options: &ReadOptions) -> Result<Box<dyn Reader>> {
    open_with_window(path, options, WINDOW_BYTES)
}

/// Opens a backup with a window of a given size: tests make it tiny.
pub(crate) fn open_with_window(path: &Path, options: &ReadOptions, window_bytes: usize) -> Result<Box<dyn Reader>> {
    open_inner(path, options, window_bytes).map_err(|error| error.at(path.display()))
}

fn open_inner(path: &Path, options: &ReadOptions, window_bytes: usize) -> Result<Box<dyn Reader>> {
    if path.is_dir() {
        return Err(fail!(UnknownFormat, "this is a folder"));
    }
    let head = head_of(open_file(path)?)?;
    if head.is_empty() {
        return Err(fail!(BackupDamaged, "the file is empty (0 bytes)").hint("get a complete copy"));
    }
    if sqlite::looks_like(&head) {
        return Ok(Box::new(sqlite::SqliteReader::open(path, options)?));
    }
    let (source, raw) = Source::open(path)?;
    let mut notes = Vec::new();
    let (stream, head) = match head.as_slice() {
        [0x1f, 0x8b, ..] => {
            let stream: ByteStream = Box::new(flate2::read::MultiGzDecoder::new(raw));
            peeked(source.expanded(stream, &options.limits))?
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = zstd::stream::read::Decoder::new(raw)
                .map_err(|e| fail!(BackupDamaged, "the zstd data can't be read").because(e))?;
            peeked(source.expanded(Box::new(decoder), &options.limits))?
        }
        _ => (raw, head),
    };
    let (stream, head, start): (ByteStream, Vec<u8>, u64) = match head.as_slice() {
        [0xef, 0xbb, 0xbf, ..] => {
            let mut stream = stream;
            std::io::copy(&mut stream.by_ref().take(3), &mut std::io::sink())?;
            (stream, head[3..].to_vec(), 3)
        }
        [first @ (0xff | 0xfe), second, ..] if *first ^ *second == 1 => {
            let mut stream = stream;
            std::io::copy(&mut stream.by_ref().take(2), &mut std::io::sink())?;
            notes.push("the file is UTF-16; offsets count its UTF-8 form".to_owned());
            let (stream, head) = peeked(Box::new(Utf16::new(stream, *first == 0xfe)))?;
            (stream, head, 0)
        }
        [b'{' | b'[', 0, ..] | [0, b'{' | b'[', ..] => {
            notes.push("the file is UTF-16; offsets count its UTF-8 form".to_owned());
            let (stream, head) = peeked(Box::new(Utf16::new(stream, head[0] == 0)))?;
            (stream, head, 0)
        }
        _ => (stream, head, 0),
    };
    match head.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => {
            let window = Window::new(stream, window_bytes, start);
            Ok(Box::new(DocumentReader::open(source, window, window_bytes, options, notes)?))
        }
        None => Err(fail!(BackupDamaged, "the file holds nothing but white space").hint("get a complete copy")),
        Some(_) => Err(unknown(&head)),
    }
}

/// Returns the first bytes of a stream, enough to recognise what it is.
fn head_of(mut stream: impl Read) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    stream.by_ref().take(4096).read_to_end(&mut head).map_err(super::source::stream_error)?;
    Ok(head)
}

/// Reads the first bytes of a stream and puts them back in front.
fn peeked(mut stream: ByteStream) -> Result<(ByteStream, Vec<u8>)> {
    let head = head_of(&mut stream)?;
    if head.is_empty() {
        return Err(fail!(BackupDamaged, "the file expands to nothing").hint("get a complete copy"));
    }
    Ok((Box::new(std::io::Cursor::new(head.clone()).chain(stream)), head))
}

/// Says what a file that can't be read looks like.
fn unknown(head: &[u8]) -> Error {
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let upper = text.get(..text.len().min(2048)).unwrap_or(text).to_ascii_uppercase();
    let sql = ["-- POSTGRESQL DATABASE DUMP", "-- MYSQL DUMP", "-- MARIADB DUMP", "PRAGMA FOREIGN_KEYS", "/*!", "--"]
        .iter()
        .any(|start| upper.starts_with(start))
        || ["CREATE TABLE", "INSERT INTO", "BEGIN TRANSACTION", "SET STATEMENT_TIMEOUT", "DROP TABLE"]
            .iter()
            .any(|word| upper.contains(word));
    if head.starts_with(b"PGDMP") {
        fail!(UnknownFormat, "this is an archive of pg_dump, which can't be read yet")
            .hint("restore it into a scratch database and export that")
    } else if sql {
        fail!(UnknownFormat, "this is an SQL dump; SQL from a file is never executed, and can't be read as data yet")
            .hint("load it into a scratch SQLite database and give that file")
    } else if head.starts_with(b"PK") {
        fail!(UnknownFormat, "this is a ZIP archive that holds no backup that is known")
    } else if head.starts_with(b"age-encryption.org") {
        fail!(UnknownFormat, "the file is encrypted with age").hint("decrypt it first")
    } else if head.iter().take(512).any(|byte| *byte == 0) {
        fail!(UnknownFormat, "the file is binary data of no known format")
    } else {
        let start: String = text.chars().take(20).collect();
        fail!(UnknownFormat, "the file is of no known format; it begins with `{}`", start.escape_debug())
    }
    .hint_if_none("known are Smart Backup JSON, table maps, Django fixtures, SQLite files and archives of them")
}

trait HintIfNone {
    fn hint_if_none(self, hint: &str) -> Error;
}

impl HintIfNone for Error {
    fn hint_if_none(self, hint: &str) -> Error {
        if self.hint_text().is_some() { self } else { self.hint(hint) }
    }
}
