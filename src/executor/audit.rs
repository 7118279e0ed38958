//! The audit log: one line of JSON per change of a database, each chained to the one before by its digest, so that a line
//! that was removed, edited or reordered is noticed (CHECKS F100).

use super::receipt::{Counted, ReceiptMeta};
use super::{Home, verb};
use crate::error::{Result, fail};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;

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
    let mut entries = read(home)?;
    // A merge that was killed right here comes again when it is settled.
    if !entry.merge.is_empty() && entries.iter().any(|e| e.merge == entry.merge) {
        return Ok(());
    }
    let last = entries.pop();
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
    Ok(())
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
        previous = entry.digest;
    }
    Ok(count)
}
