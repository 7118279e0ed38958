//! Writing files so that they are all there or taken back: staged content, before-images and a journal in the data folder.
//!
//! *Shape:* `undo/files-ID/` holds `journal.json` and the files as they were, by number; new content waits in
//! `.merganser-ID/` in the folder itself, so that a rename is enough to put it in its place.

use super::{FileOutcome, OWN, Settled, place, stamp};
use crate::backup::{self, ReadOptions};
use crate::error::{Result, fail};
use crate::executor::home::fresh_id;
use crate::executor::{Home, receipt};
use crate::plan::{FilesPlan, Stamp};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// A change of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its path below the folder.
    pub path: String,
    /// The file as it was; none: there was none.
    pub before: Option<Stamp>,
    /// The file as it is to be; none: it goes.
    pub after: Option<Stamp>,
    /// Whether it was carried out: what changed meanwhile is left alone.
    pub done: bool,
}

/// How far the changes got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Intent,
    Committed,
}

/// What a merge does to files, and how to take it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    id: String,
    /// The plan whose records are committed with the files.
    plan: String,
    /// The merge, once it has an id.
    merge: Option<String>,
    state: State,
    /// Who is at it: as long as that process lives, nobody else goes on with it.
    process: u32,
    root: String,
    /// The changes, by path.
    pub changes: Vec<Change>,
}

/// What was done to files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// Files written.
    pub written: u64,
    /// Files deleted.
    pub deleted: u64,
    /// Files that were changed by somebody else meanwhile and stay.
    pub kept: Vec<String>,
}

/// Changes that are staged and wait for the records.
pub struct Prepared {
    journal: Journal,
    folder: PathBuf,
}

fn folder_of(home: &Home, id: &str) -> PathBuf {
    home.receipts().join(format!("files-{id}"))
}

/// Stages what a plan does to files: content and before-images are on disk when it returns.
///
/// # Errors
/// `PlanStale` when a file is not as the plan saw it; `BackupDamaged` when the backup is not; `OutOfSpace`, `Refused`.
pub fn prepare(
    plan: &str,
    files: &FilesPlan,
    settled: &Settled,
    backup: &Path,
    read: &ReadOptions,
    home: &Home,
) -> Result<Prepared> {
    let mut changes = Vec::new();
    for (finding, outcome) in files.findings.iter().zip(&settled.outcomes) {
        let after = match outcome {
            FileOutcome::Write => finding.backup.clone(),
            FileOutcome::Delete => None,
            FileOutcome::Keep(_) | FileOutcome::Blocked(_) | FileOutcome::Undecided(_) => continue,
        };
        changes.push(Change { path: finding.path.clone(), before: finding.current.clone(), after, done: false });
    }
    stage(plan, Path::new(&files.root), changes, home, &mut |staged, changes| {
        backup::attached(backup, read, &mut |file, content| {
            let wanted = changes.iter().position(|c| c.path == file.path && c.after.is_some());
            match wanted {
                Some(position) => write(&staged(position), content),
                None => Ok(()),
            }
        })
        .map(|_| ())
    })
}

/// Names the staged file of a change.
type Staged<'a> = dyn Fn(usize) -> PathBuf + 'a;

/// Fills staged files.
type Fill<'a> = dyn FnMut(&Staged<'_>, &[Change]) -> Result<()> + 'a;

fn stage(plan: &str, root: &Path, changes: Vec<Change>, home: &Home, fill: &mut Fill<'_>) -> Result<Prepared> {
    let id = fresh_id('f');
    let folder = folder_of(home, &id);
    let waiting = root.join(format!("{OWN}{id}"));
    let journal = Journal {
        id,
        plan: plan.to_owned(),
        merge: None,
        state: State::Intent,
        process: std::process::id(),
        root: root.display().to_string(),
        changes,
    };
    let prepared = Prepared { journal, folder };
    let outcome = (|| -> Result<()> {
        private_folder(&prepared.folder)?;
        private_folder(&waiting)?;
        fresh(root, &prepared.journal.changes)?;
        for (position, change) in prepared.journal.changes.iter().enumerate() {
            if change.before.is_some() {
                let mut current = File::open(place(root, &change.path)?)?;
                write(&prepared.folder.join(position.to_string()), &mut current)?;
            }
        }
        fill(&|position| waiting.join(position.to_string()), &prepared.journal.changes)?;
        for (position, change) in prepared.journal.changes.iter().enumerate() {
            let Some(after) = &change.after else { continue };
            let staged = waiting.join(position.to_string());
            let found = stamp(&staged)?.map(|stamp| stamp.digest);
            if found.as_ref() != Some(&after.digest) {
                return Err(fail!(BackupDamaged, "{} is not in the backup as the plan saw it", change.path));
            }
            // A time that is known to the second goes with the content; one of an unknown zone would mislead.
            if let Some(changed) = after.changed.filter(|changed| changed.doubt_seconds == 0 && changed.at >= 0) {
                let at = UNIX_EPOCH + Duration::from_secs(changed.at.unsigned_abs());
                File::options().write(true).open(&staged)?.set_modified(at)?;
            }
        }
        prepared.save()
    })();
    match outcome {
        Ok(()) => Ok(prepared),
        Err(error) => {
            // The first error is the one to report.
            let _ = prepared.clear();
            Err(error)
        }
    }
}

/// Fails where a file is not as the plan saw it.
fn fresh(root: &Path, changes: &[Change]) -> Result<()> {
    let mut stale = Vec::new();
    for change in changes {
        let now = stamp(&place(root, &change.path)?)?.map(|stamp| stamp.digest);
        if now != change.before.as_ref().map(|stamp| stamp.digest.clone()) {
            stale.push(change.path.clone());
        }
    }
    match stale.is_empty() {
        true => Ok(()),
        false => Err(fail!(PlanStale, "{} files changed since the analysis; nothing was changed", stale.len())
            .details(stale)
            .hint("Analyze again.")),
    }
}

fn private_folder(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(path)
        .map_err(|e| fail!(Refused, "{} can't be made", path.display()).because(e))
}

fn write(path: &Path, content: &mut dyn std::io::Read) -> Result<()> {
    let mut file = File::create_new(path).map_err(|e| fail!(Refused, "{} can't be made", path.display()).because(e))?;
    std::io::copy(content, &mut file).map_err(backup::content_error)?;
    file.sync_all()?;
    Ok(())
}

impl Prepared {
    fn waiting(&self) -> PathBuf {
        Path::new(&self.journal.root).join(format!("{OWN}{}", self.journal.id))
    }

    /// Writes the journal, whole or not at all.
    fn save(&self) -> Result<()> {
        let text = serde_json::to_vec(&self.journal).expect("a journal always serialises");
        let mut file = backup::AtomicFile::create(&self.folder.join("journal.json"))?;
        file.write_all(&text)?;
        file.commit()
    }

    /// Removes what was staged.
    fn clear(&self) -> Result<()> {
        for folder in [self.waiting(), self.folder.clone()] {
            if folder.exists() {
                std::fs::remove_dir_all(folder)?;
            }
        }
        Ok(())
    }

    /// Throws everything away: the records were not committed.
    ///
    /// # Errors
    /// `Failed`; nothing of it is in a file's place.
    pub fn abandon(self) -> Result<()> {
        self.clear()
    }

    /// Puts every file in its place; what somebody changed meanwhile stays and is named.
    ///
    /// # Errors
    /// `Failed`; [`recover`] goes on where it stopped.
    pub fn commit(mut self, merge: &str) -> Result<Carried> {
        self.journal.merge = Some(merge.to_owned());
        self.save()?;
        let root = PathBuf::from(&self.journal.root);
        let mut carried = Carried::default();
        for position in 0..self.journal.changes.len() {
            let change = self.journal.changes[position].clone();
            let staged = self.waiting().join(position.to_string());
            let to = match place(&root, &change.path) {
                Ok(to) => to,
                Err(_) => {
                    carried.kept.push(change.path);
                    continue;
                }
            };
            let digest = |stamp: Option<Stamp>| stamp.map(|stamp| stamp.digest);
            let now = digest(stamp(&to)?);
            let done = now == digest(change.after.clone()) && !staged.exists();
            if !done && now != digest(change.before.clone()) {
                carried.kept.push(change.path);
                continue;
            }
            match &change.after {
                Some(_) => {
                    let folder = to.parent().unwrap_or(&root).to_owned();
                    std::fs::create_dir_all(&folder)?;
                    if !done {
                        if let Ok(before) = std::fs::metadata(&to) {
                            std::fs::set_permissions(&staged, before.permissions())?;
                        }
                        std::fs::rename(&staged, &to)?;
                        File::open(&folder)?.sync_all()?;
                    }
                    carried.written += 1;
                }
                None => {
                    if !done {
                        std::fs::remove_file(&to)?;
                    }
                    carried.deleted += 1;
                }
            }
            self.journal.changes[position].done = true;
        }
        self.journal.state = State::Committed;
        self.save()?;
        let waiting = self.waiting();
        if waiting.exists() {
            std::fs::remove_dir_all(waiting)?;
        }
        Ok(carried)
    }
}

/// Opens all journals of a data folder.
fn all(home: &Home) -> Result<Vec<Prepared>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(home.receipts())? {
        let folder = entry?.path();
        let journal = folder.join("journal.json");
        if folder.is_dir() && journal.is_file() {
            let journal = serde_json::from_slice(&std::fs::read(&journal)?)
                .map_err(|e| fail!(Failed, "{} can't be read", journal.display()).because(e))?;
            found.push(Prepared { journal, folder });
        }
    }
    Ok(found)
}

/// Finishes what a merge began that was cut off: files follow the records. Returns how many merges were finished.
///
/// # Errors
/// `Failed`.
pub fn recover(home: &Home) -> Result<u64> {
    let mut finished = 0;
    let (receipts, _) = receipt::list(home)?;
    // Where it is not known how the records ended, the files wait until it is.
    let open = |plan: &str| {
        receipts.iter().any(|r| r.plan == plan && matches!(r.state, receipt::State::Intent | receipt::State::Unknown))
    };
    let is_left = |p: &Prepared| {
        let process = p.journal.process;
        p.journal.state == State::Intent
            && !open(&p.journal.plan)
            && (process == std::process::id() || !Path::new(&format!("/proc/{process}")).exists())
    };
    for prepared in all(home)?.into_iter().filter(is_left) {
        let known = match &prepared.journal.merge {
            Some(merge) => Some(merge.clone()),
            None => receipt::merged_by(home, &prepared.journal.plan)?,
        };
        match known {
            Some(merge) => {
                prepared.commit(&merge)?;
                finished += 1;
            }
            None => prepared.abandon()?,
        }
    }
    Ok(finished)
}

/// Takes back what a merge, or an undo, did to files; what was changed since stays and is named. None where it did nothing.
///
/// # Errors
/// `Failed`, `OutOfSpace`, `Refused`.
pub fn undo(home: &Home, merge: &str, by: &str) -> Result<Option<Carried>> {
    let Some(past) = all(home)?.into_iter().find(|p| p.journal.merge.as_deref() == Some(merge)) else {
        return Ok(None);
    };
    let root = PathBuf::from(&past.journal.root);
    let (mut changes, mut images, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for (position, change) in past.journal.changes.iter().enumerate().filter(|(_, change)| change.done) {
        let now = place(&root, &change.path).ok().map(|to| stamp(&to)).transpose()?.flatten();
        if now.as_ref().map(|s| &s.digest) != change.after.as_ref().map(|s| &s.digest) {
            kept.push(change.path.clone());
            continue;
        }
        images.push(past.folder.join(position.to_string()));
        changes.push(Change { path: change.path.clone(), before: now, after: change.before.clone(), done: false });
    }
    let prepared = stage(by, &root, changes, home, &mut |staged, changes| {
        for (position, image) in images.iter().enumerate().filter(|(p, _)| changes[*p].after.is_some()) {
            let mut image = File::open(image)?;
            write(&staged(position), &mut image)?;
        }
        Ok(())
    })?;
    let mut carried = prepared.commit(by)?;
    carried.kept.extend(kept);
    Ok(Some(carried))
}

/// Tells whether a merge did something to files.
///
/// # Errors
/// `Failed`.
pub fn touched(home: &Home, merge: &str) -> Result<bool> {
    Ok(all(home)?.iter().any(|p| p.journal.merge.as_deref() == Some(merge)))
}
