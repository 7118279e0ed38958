//! Schedules in the data folder: `schedules/NAME.json`, what was asked and what became of it, written whole or not at all.

use super::{Schedule, State};
use crate::backup::AtomicFile;
use crate::error::{Result, fail};
use crate::executor::Home;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

/// A schedule with what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// What was asked.
    pub schedule: Schedule,
    /// What became of it.
    pub state: State,
}

fn folder(home: &Home) -> Result<PathBuf> {
    let folder = home.root().join("schedules");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    Ok(folder)
}

fn path(home: &Home, name: &str) -> Result<PathBuf> {
    let plain = !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    match plain {
        true => Ok(folder(home)?.join(format!("{name}.json"))),
        false => Err(fail!(Usage, "{name:?} can't be the name of a schedule").hint("Use letters, digits, - and _.")),
    }
}

/// Lists the schedules by name.
///
/// # Errors
/// `Failed` for a file that can't be read.
pub fn list(home: &Home) -> Result<Vec<Kept>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder(home)?)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".json").filter(|n| !n.starts_with('.')).map(str::to_owned));
    }
    names.sort();
    names.iter().map(|name| find(home, name)).collect()
}

/// Returns a schedule.
///
/// # Errors
/// `Usage` when there is none of the name, `Failed`.
pub fn find(home: &Home, name: &str) -> Result<Kept> {
    let path = path(home, name)?;
    let text = std::fs::read_to_string(&path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            fail!(Usage, "there is no schedule {name}").hint("'merganser schedule list' shows them.")
        }
        _ => e.into(),
    })?;
    serde_json::from_str(&text).map_err(|e| fail!(Failed, "the schedule {} can't be read", path.display()).because(e))
}

/// Adds a schedule.
///
/// # Errors
/// `Usage` when the name is taken or is none, `Failed`.
pub fn add(home: &Home, kept: &Kept) -> Result<()> {
    if path(home, &kept.schedule.name)?.exists() {
        return Err(fail!(Usage, "there is a schedule {} already", kept.schedule.name)
            .hint("Remove it first, or choose another name."));
    }
    save(home, kept)
}

/// Writes a schedule with its state.
///
/// # Errors
/// `Failed`, `OutOfSpace`.
pub fn save(home: &Home, kept: &Kept) -> Result<()> {
    let mut file = AtomicFile::create(&path(home, &kept.schedule.name)?)?;
    let text = serde_json::to_string_pretty(kept).expect("a schedule always serialises");
    file.write_all(text.as_bytes())?;
    file.commit()
}

/// Removes a schedule; its backups stay.
///
/// # Errors
/// `Usage` when there is none of the name, `Busy` while it runs.
pub fn remove(home: &Home, name: &str) -> Result<()> {
    find(home, name)?;
    let Some(_lock) = Lock::take(home, name)? else {
        return Err(fail!(Busy, "the schedule {name} is running").hint("Try again when it is done."));
    };
    std::fs::remove_file(path(home, name)?)?;
    Ok(())
}

/// Keeps a schedule from running twice at a time, also in two processes; it goes with the process that holds it.
pub(super) struct Lock(File);

impl Lock {
    /// Takes it; nothing when somebody else has it.
    pub(super) fn take(home: &Home, name: &str) -> Result<Option<Self>> {
        let path = home.locks().join(format!("schedule-{name}.lock"));
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Where this fails the lock goes with the file.
        let _ = self.0.unlock();
    }
}
