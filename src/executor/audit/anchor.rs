//! The anchor of the audit log: the number and digest of its last entry, kept beside it under the data folder's key, so that
//! a log which was cut short is known (CHECKS F100). A service also writes it to its own log, which is kept elsewhere.
//!
//! Logs that were written before there were anchors have none until their next entry.

use crate::error::{Result, fail};
use crate::executor::Home;
use std::io::Write;
use std::path::PathBuf;

/// The last entry that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Its number.
    pub sequence: u64,
    /// Its digest.
    pub digest: String,
}

fn path(home: &Home) -> PathBuf {
    home.root().join("audit.anchor")
}

fn sealed(home: &Home, sequence: u64, digest: &str) -> Result<String> {
    Ok(blake3::keyed_hash(&home.key()?, format!("audit {sequence} {digest}").as_bytes()).to_hex().to_string())
}

/// Notes the last entry; whole or not at all.
///
/// # Errors
/// `Failed`, `OutOfSpace`.
pub(super) fn set(home: &Home, sequence: u64, digest: &str) -> Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(home.root())?;
    writeln!(file, "{sequence} {digest} {}", sealed(home, sequence, digest)?)?;
    file.as_file().sync_all()?;
    file.persist(path(home)).map_err(|e| e.error)?;
    Ok(())
}

/// Returns the last entry that was written, where that is known.
///
/// # Errors
/// `Failed` for an anchor that nobody with the data folder's key wrote.
pub fn get(home: &Home) -> Result<Option<Anchor>> {
    let text = match std::fs::read_to_string(path(home)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut words = text.split_whitespace();
    let parts = (words.next().and_then(|n| n.parse::<u64>().ok()), words.next(), words.next());
    match parts {
        (Some(sequence), Some(digest), Some(seal)) if sealed(home, sequence, digest)? == seal => {
            Ok(Some(Anchor { sequence, digest: digest.to_owned() }))
        }
        _ => Err(fail!(Failed, "the audit log's anchor {} is not as it was written", path(home).display())),
    }
}
