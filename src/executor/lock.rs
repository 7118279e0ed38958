//! One merge at a time per database and data folder: a file lock that vanishes with the process that holds it.

use super::Home;
use crate::error::{Result, fail};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;

/// A held lock; dropping it releases it.
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Unlocks instead of only closing: a process that another thread starts at this moment has the file open too.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Takes the lock of a database.
    pub(super) fn take(home: &Home, database_id: &str) -> Result<Self> {
        let name = &blake3::hash(database_id.as_bytes()).to_hex()[..16];
        let path = home.locks().join(format!("{name}.lock"));
        let mut file =
            std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                return Err(fail!(Busy, "another merge is running on this database ({})", holder.trim())
                    .hint("Wait until it is done; 'merganser status' shows it."));
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
        }
        file.set_len(0)?;
        file.rewind()?;
        let since = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ");
        writeln!(file, "process {} since {since}", std::process::id())?;
        Ok(Self { file })
    }

    /// Says who holds the lock of a database, if anybody does.
    pub(super) fn holder(home: &Home, database_id: &str) -> Option<String> {
        let name = &blake3::hash(database_id.as_bytes()).to_hex()[..16];
        let mut file = File::open(home.locks().join(format!("{name}.lock"))).ok()?;
        match file.try_lock_shared() {
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).ok()?;
                Some(holder.trim().to_owned())
            }
            _ => None,
        }
    }
}
