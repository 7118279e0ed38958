//! Opens an encrypted backup: as a stream where the format is one, else from a decrypted copy that nobody else can read.

use super::{Plain, open_inner, open_stream, peeked};
use crate::backup::baluhost;
use crate::backup::crypt::{self, Encryption};
use crate::backup::options::ReadOptions;
use crate::backup::source::{Source, stream_error};
use crate::backup::{Format, Reader, RecordSink, Summary, TableHeader, archive, sqlite, zip};
use crate::error::{Error, ErrorKind, Result, fail};
use std::io::{Read, Write};
use std::path::Path;

/// Opens what an encrypted file holds.
///
/// # Errors
/// `WrongKey` before anything else is read; then as for the same backup unencrypted.
pub(super) fn open(
    path: &Path,
    encryption: Encryption,
    options: &ReadOptions,
    window_bytes: usize,
) -> Result<Box<dyn Reader>> {
    let (source, raw) = Source::open(path)?;
    let (stream, mut notes) = crypt::decrypted(encryption, path, raw, &options.keys)?;
    let (mut stream, head) = peeked(stream)?;
    notes.insert(0, format!("the file is encrypted ({})", encryption.word()));
    if head.is_empty() {
        return Err(fail!(BackupDamaged, "the encrypted file holds nothing (0 bytes)").hint("get a complete copy"));
    }
    let inner = path.file_stem().map(Path::new).unwrap_or(path);
    let whole_file = sqlite::looks_like(&head)
        || zip::MAGIC.iter().any(|magic| head.starts_with(magic))
        || (archive::is_table_file(inner) && !baluhost::looks_like(&head));
    if !whole_file {
        let plain = Plain { source, raw: stream, head, notes, copied: true };
        // Without authentication a wrong key shows in that what it decrypts to is nothing.
        return open_stream(path, plain, options, window_bytes).map_err(|error| unauthentic(encryption, error));
    }
    let scratch = tempfile::tempdir()?;
    let copy = scratch.path().join(inner.file_name().unwrap_or("backup".as_ref()));
    let mut file = std::fs::File::create_new(&copy)?;
    let limit = options.limits.expanded_bytes;
    if std::io::copy(&mut stream.by_ref().take(limit), &mut file).map_err(stream_error)? == limit {
        return Err(fail!(LimitReached, "the file holds more than {limit} bytes"));
    }
    file.flush()?;
    let reader = open_inner(&copy, options, window_bytes)?;
    Ok(Box::new(Unsealed { reader, source, notes, _scratch: scratch }))
}

fn unauthentic(encryption: Encryption, error: Error) -> Error {
    match (encryption, error.kind()) {
        (Encryption::Cbc, ErrorKind::UnknownFormat) => {
            fail!(WrongKey, "the passphrase is wrong, or the file holds no backup that is known").because(error)
        }
        _ => error,
    }
}

/// Reads from a decrypted copy; answers for the encrypted file.
struct Unsealed {
    reader: Box<dyn Reader>,
    source: Source,
    notes: Vec<String>,
    /// Goes with the reader, and the copy with it.
    _scratch: tempfile::TempDir,
}

impl Reader for Unsealed {
    fn format(&self) -> Format {
        self.reader.format()
    }

    fn next_table(&mut self) -> Result<Option<TableHeader>> {
        self.reader.next_table()
    }

    fn read_records(&mut self, sink: &mut dyn RecordSink) -> Result<u64> {
        self.reader.read_records(sink)
    }

    fn finish(self: Box<Self>) -> Result<Summary> {
        let mut summary = self.reader.finish()?;
        (summary.digest, summary.size_bytes) = self.source.finish()?;
        summary.notes.splice(0..0, self.notes);
        Ok(summary)
    }
}
