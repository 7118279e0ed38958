//! Recognises a backup's format by its content and opens the reader for it.

mod sealed;

use super::ahead::Ahead;
use super::baluhost::{self, BaluHostReader};
use super::crypt::Encryption;
use super::django::{DjangoReader, Fixture, Tee};
use super::json::document::DocumentReader;
use super::json::window::{WINDOW_BYTES, Window};
use super::named::Named;
use super::nul::WithoutNul;
use super::options::ReadOptions;
use super::source::{ByteStream, Origin, Source, open_file, stream_error};
use super::utf16::Utf16;
use super::{Reader, archive, sqlite, zip};
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
    /// Records of Django's serializers: a fixture, or an archive of `app/model.json` files.
    Django,
    /// RayERP's archive.
    #[serde(rename = "rayerp")]
    RayErp,
    /// Jarvis's archive of one user.
    Jarvis,
    /// BaluHost's archive with an SQLite database.
    #[serde(rename = "baluhost")]
    BaluHost,
    /// A record a line, a file for each table.
    #[serde(rename = "ndjson")]
    NdJson,
    /// Comma-separated values, a file for each table.
    Csv,
    /// A list of records for each table, in files of their own.
    JsonFiles,
}

impl Format {
    /// Returns the word that people and programs see.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SmartBackup => "smart-backup",
            Self::TableMap => "table-map",
            Self::Ghost => "ghost",
            Self::Sqlite => "sqlite",
            Self::Django => "django",
            Self::RayErp => "rayerp",
            Self::Jarvis => "jarvis",
            Self::BaluHost => "baluhost",
            Self::NdJson => "ndjson",
            Self::Csv => "csv",
            Self::JsonFiles => "json-files",
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
    let reader = open_inner(path, options, window_bytes).map_err(|error| error.at(path.display()))?;
    let reader = Named::over(reader, path);
    Ok(WithoutNul::over(reader, options.nul))
}

fn open_inner(path: &Path, options: &ReadOptions, window_bytes: usize) -> Result<Box<dyn Reader>> {
    if path.is_dir() {
        return archive::open(path, options, window_bytes);
    }
    let head = head_of(open_file(path)?)?;
    if head.is_empty() {
        return Err(fail!(BackupDamaged, "the file is empty (0 bytes)").hint("get a complete copy"));
    }
    if sqlite::looks_like(&head) {
        return Ok(Box::new(sqlite::SqliteReader::open(path, options)?));
    }
    if zip::MAGIC.iter().any(|magic| head.starts_with(magic)) {
        return archive::open(path, options, window_bytes);
    }
    if let Some(encryption) = Encryption::of(&head) {
        return sealed::open(path, encryption, options, window_bytes);
    }
    let (source, raw) = Source::open(path)?;
    open_stream(path, Plain { source, raw, head, notes: Vec::new(), copied: false }, options, window_bytes)
}

/// A stream of what is no longer encrypted.
struct Plain {
    source: Source,
    raw: ByteStream,
    head: Vec<u8>,
    notes: Vec<String>,
    /// Whether the stream is another one than the file's own bytes.
    copied: bool,
}

/// Opens the formats that are one stream, compressed or not.
fn open_stream(path: &Path, plain: Plain, options: &ReadOptions, window_bytes: usize) -> Result<Box<dyn Reader>> {
    let Plain { source, raw, head, notes: mut known, copied } = plain;
    let (stream, compressed) = decompressed(raw, &head, &source, options)?;
    let (stream, head) = peeked(stream)?;
    if compressed && baluhost::looks_like(&head) {
        return Ok(Box::new(BaluHostReader::open(source, stream, options)?));
    }
    let Text { stream, first, start, notes } = text_of(stream)?;
    let copied = copied || compressed || !notes.is_empty();
    known.extend(notes);
    let notes = known;
    match first {
        _ if !copied && archive::is_table_file(path) => archive::open(path, options, window_bytes),
        Some(b'{') => {
            let window = Window::new(stream, window_bytes, start);
            Ok(Box::new(DocumentReader::open(Origin::Stream(source), window, window_bytes, options, notes)?))
        }
        Some(b'[') if !copied && archive::is_table_list(path, options, window_bytes)? => {
            archive::open(path, options, window_bytes)
        }
        Some(b'[') => {
            // The text is read twice: from the file itself where it is that text, else from a copy.
            let fixture = if copied {
                let (tee, file) = Tee::new(stream)?;
                Fixture::index(Window::new(Box::new(tee), window_bytes, 0), file, options, window_bytes)?
            } else {
                Fixture::index(Window::new(stream, window_bytes, start), open_file(path)?, options, window_bytes)?
            };
            Ok(Box::new(DjangoReader::new(fixture, Origin::Stream(source), notes)))
        }
        None => Err(fail!(BackupDamaged, "the file holds nothing but white space").hint("get a complete copy")),
        Some(_) => Err(unknown(&head)),
    }
}

/// Reads the beginning of a file, decompressed where it is compressed; empty where that fails.
///
/// # Errors
/// `BackupNotFound`, `Failed`.
pub(crate) fn peek(path: &Path, options: &ReadOptions, bytes: u64) -> Result<Vec<u8>> {
    let head = head_of(open_file(path)?)?;
    let (source, raw) = Source::open(path)?;
    let (stream, head) = match Encryption::of(&head) {
        Some(encryption) => peeked(super::crypt::decrypted(encryption, path, raw, &options.keys)?.0)?,
        None => (raw, head),
    };
    let (stream, _) = decompressed(stream, &head, &source, options)?;
    let mut found = Vec::new();
    // What can't be read is reported by whoever reads it all.
    let _ = stream.take(bytes).read_to_end(&mut found);
    Ok(found)
}

/// Undoes gzip and zstd, within limits; says whether there was any.
pub(crate) fn decompressed(
    raw: ByteStream,
    head: &[u8],
    source: &Source,
    options: &ReadOptions,
) -> Result<(ByteStream, bool)> {
    Ok(match head {
        [0x1f, 0x8b, ..] => {
            let decoder: ByteStream = Box::new(flate2::read::MultiGzDecoder::new(raw));
            (Ahead::start(source.expanded(decoder, &options.limits))?, true)
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = zstd::stream::read::Decoder::new(raw)
                .map_err(|e| fail!(BackupDamaged, "the zstd data can't be read").because(e))?;
            (Ahead::start(source.expanded(Box::new(decoder), &options.limits))?, true)
        }
        _ => (raw, false),
    })
}

/// A stream of UTF-8 text, of which the beginning has been looked at.
pub(crate) struct Text {
    /// The text, without a byte order mark.
    pub(crate) stream: ByteStream,
    /// Its first byte that is not white space.
    pub(crate) first: Option<u8>,
    /// How many bytes of the stream given precede the text.
    pub(crate) start: u64,
    /// Things a person should know.
    pub(crate) notes: Vec<String>,
}

/// Makes UTF-8 without a byte order mark of a stream of text.
///
/// # Errors
/// `BackupDamaged` when the stream can't be read.
pub(crate) fn text_of(stream: ByteStream) -> Result<Text> {
    let (mut stream, head) = peeked(stream)?;
    let skip = |bytes: u64, stream: &mut ByteStream| {
        std::io::copy(&mut stream.take(bytes), &mut std::io::sink()).map_err(stream_error)
    };
    let (big_endian, mark) = match head.as_slice() {
        [0xef, 0xbb, 0xbf, ..] => {
            skip(3, &mut stream)?;
            let first = head[3..].iter().copied().find(|byte| !byte.is_ascii_whitespace());
            return Ok(Text { stream, first, start: 3, notes: Vec::new() });
        }
        [0xff, 0xfe, ..] => (false, 2),
        [0xfe, 0xff, ..] => (true, 2),
        [b'{' | b'[', 0, ..] => (false, 0),
        [0, b'{' | b'[', ..] => (true, 0),
        _ => {
            let first = head.iter().copied().find(|byte| !byte.is_ascii_whitespace());
            return Ok(Text { stream, first, start: 0, notes: Vec::new() });
        }
    };
    skip(mark, &mut stream)?;
    let (stream, head) = peeked(Box::new(Utf16::new(stream, big_endian)))?;
    let first = head.iter().copied().find(|byte| !byte.is_ascii_whitespace());
    let notes = vec!["the text is UTF-16; offsets count its UTF-8 form".to_owned()];
    Ok(Text { stream, first, start: 0, notes })
}

/// Returns the first bytes of a stream, enough to recognise what it is.
pub(crate) fn head_of(mut stream: impl Read) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    stream.by_ref().take(4096).read_to_end(&mut head).map_err(super::source::stream_error)?;
    Ok(head)
}

/// Reads the first bytes of a stream and puts them back in front.
fn peeked(mut stream: ByteStream) -> Result<(ByteStream, Vec<u8>)> {
    let head = head_of(&mut stream)?;
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
    } else if Encryption::of(head).is_some() {
        fail!(UnknownFormat, "the file is encrypted twice").hint("decrypt it once first")
    } else if head.iter().take(512).any(|byte| *byte == 0) {
        fail!(UnknownFormat, "the file is binary data of no known format")
    } else {
        // What it begins with is not repeated: it may be anything, a password too.
        let kind = if text.starts_with(['{', '[']) { "JSON of another shape" } else { "text, but no JSON" };
        fail!(UnknownFormat, "the file is of no known format; it is {kind}")
            .hint("known are Smart Backup JSON, table maps, Django fixtures, SQLite files and archives of them")
    }
}
