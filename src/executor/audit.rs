//! The audit log: one line of JSON per change of a database, each chained to the one before by its digest, so that a line
//! that was removed, edited or reordered is noticed, and by its anchor that it was cut short (CHECKS F100).

pub mod anchor;

use super::receipt::{Counted, ReceiptMeta};
use super::{Home, verb};
use crate::error::{Result, fail};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Bytes that the last entry is looked for in at a time.
const TAIL_BYTES: u64 = 64 * 1024;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1.
    pub sequence: u64,
    /// When (RFC 3339, UTC).
    pub time: String,
    /// `merge`, `undo`, `redo`; others with [`note`].
    pub event: String,
    /// The merge's id; empty for what is no merge.
    pub merge: String,
    /// The database, without secrets.
    pub database: String,
    /// Who.
    pub actor: String,
    /// What they noted.
    pub note: Option<String>,
    /// What was written.
    pub counts: Counted,
    /// The digest of the line before; zeros for the first.
    pub previous: String,
    /// The digest of this line without this field.
    pub digest: String,
}

impl Entry {
    fn digested(mut self) -> Self {
        self.digest = String::new();
        let text = serde_json::to_vec(&self).expect("an entry always serialises");
        self.digest = blake3::hash(&text).to_hex().to_string();
        self
    }
}

/// Appends what a receipt says of its merge, durably; once, however often it is called.
///
/// # Errors
/// `Failed`, `OutOfSpace`.
pub fn append(home: &Home, meta: &ReceiptMeta) -> Result<()> {
    add(
        home,
        Entry {
            sequence: 0,
            time: meta.committed_at.clone().unwrap_or_else(|| meta.started_at.clone()),
            event: verb(&meta.kind).to_owned(),
            merge: meta.id.clone(),
            database: meta.database.display.clone(),
            actor: meta.actor.clone(),
            note: meta.note.clone(),
            counts: meta.counts,
            previous: String::new(),
            digest: String::new(),
        },
    )
}

/// Appends something else that was done: a login, a download, a change of people.
///
/// # Errors
/// `Failed`, `OutOfSpace`.
pub fn note(home: &Home, event: &str, actor: &str, what: &str) -> Result<()> {
    add(
        home,
        Entry {
            sequence: 0,
            time: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            event: event.to_owned(),
            merge: String::new(),
            database: String::new(),
            actor: actor.to_owned(),
            note: Some(what.to_owned()),
            counts: Counted::default(),
            previous: String::new(),
            digest: String::new(),
        },
    )
}

fn add(home: &Home, entry: Entry) -> Result<()> {
    let path = home.audit();
    let mut file = std::fs::OpenOptions::new().append(true).read(true).create(true).mode(0o600).open(&path)?;
    file.lock()?;
    let last = last(&mut file, &path)?;
    // A merge that was killed right here comes again when it is settled.
    if !entry.merge.is_empty() && read(home)?.iter().any(|e| e.merge == entry.merge) {
        return Ok(());
    }
    let entry = Entry {
        sequence: last.as_ref().map_or(1, |e| e.sequence + 1),
        previous: last.map_or_else(|| "0".repeat(64), |e| e.digest),
        ..entry
    }
    .digested();
    let mut line = serde_json::to_vec(&entry).expect("an entry always serialises");
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_all()?;
    anchor::set(home, entry.sequence, &entry.digest)
}

/// Reads the last entry from the end of the log, so that adding one takes as long however many there are. A line that a
/// crash left unfinished was never reported as written, and is cut off.
fn last(file: &mut std::fs::File, path: &Path) -> Result<Option<Entry>> {
    let length = file.metadata()?.len();
    let mut tail = Vec::new();
    let mut from = length;
    while from > 0 {
        let step = from.min(TAIL_BYTES);
        from -= step;
        let mut piece = vec![0; usize::try_from(step).unwrap_or(0)];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut piece)?;
        piece.append(&mut tail);
        tail = piece;
        let Some(end) = tail.iter().rposition(|b| *b == b'\n') else { continue };
        let start = tail[..end].iter().rposition(|b| *b == b'\n');
        if start.is_none() && from > 0 {
            continue;
        }
        if end + 1 < tail.len() {
            file.set_len(from + end as u64 + 1)?;
        }
        let line = &tail[start.map_or(0, |s| s + 1)..end];
        return serde_json::from_slice(line)
            .map(Some)
            .map_err(|e| fail!(Failed, "the audit log {}: its last line is not an entry", path.display()).because(e));
    }
    file.set_len(0)?;
    Ok(None)
}

/// Reads all entries.
///
/// # Errors
/// `Failed` naming the line that can't be read.
pub fn read(home: &Home) -> Result<Vec<Entry>> {
    let file = match std::fs::File::open(home.audit()) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut entries = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let entry = serde_json::from_str(&line?).map_err(|e| {
            fail!(Failed, "the audit log {}, line {}: not an entry", home.audit().display(), number + 1).because(e)
        })?;
        entries.push(entry);
    }
    Ok(entries)
}

/// Checks the chain and returns how many entries it has.
///
/// # Errors
/// `Failed` naming the first entry that is not as it was written.
pub fn verify(home: &Home) -> Result<u64> {
    let anchor = anchor::get(home)?;
    let mut previous = "0".repeat(64);
    let mut count = 0;
    for entry in read(home)? {
        count += 1;
        if entry.sequence != count || entry.previous != previous || entry.clone().digested().digest != entry.digest {
            return Err(fail!(
                Failed,
                "the audit log is not as it was written: entry {count} ({} {}) does not follow from the one before",
                entry.event,
                entry.merge
            ));
        }
        if anchor.as_ref().is_some_and(|a| a.sequence == count && a.digest != entry.digest) {
            return Err(fail!(Failed, "the audit log is not as it was written: entry {count} is another one"));
        }
        previous = entry.digest;
    }
    match anchor {
        Some(anchor) if anchor.sequence > count => Err(fail!(
            Failed,
            "the audit log is not as it was written: it ends after entry {count}, and {} were written",
            anchor.sequence
        )),
        _ => Ok(count),
    }
}
