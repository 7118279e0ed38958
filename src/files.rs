//! Files that travel with a backup, merged beside its records: the same classes and reasons, by digest and time of
//! change; the same strategies; staged before the records are committed, put in place after, and taken back by undo.
//!
//! Nothing is written outside the folder that was given; a link on the way is refused. The order of events: before-images
//! and new content are on disk and the journal says *intent*; the records are committed; each file is renamed into its
//! place; the journal says *committed*. What is found in between later is finished if the records were committed, else
//! thrown away.

mod decide;
mod journal;

pub use decide::{FileOutcome, Settled, settle};
pub use journal::{Carried, Change, Journal, Prepared, prepare, recover, touched, undo};

use crate::backup::{self, Changed, ReadOptions};
use crate::error::{Result, fail};
use crate::model::change::{Class, Reason};
use crate::plan::{FileFinding, FilesPlan, Stamp};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

/// What becomes of files that only the folder has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// They stay: a backup that lacks a file may never have had it.
    #[default]
    Stays,
    /// They go, where the backup is whole.
    Goes,
}

/// Names that begin so are the program's own while it works.
const OWN: &str = ".merganser-";

/// Compares the files of a backup with a folder.
///
/// # Errors
/// `Usage` for a folder that is not there, or files that may be missing of a backup that holds only changes; what reading
/// the backup meets.
pub fn analyze(backup: &Path, root: &Path, missing: Missing, read: &ReadOptions) -> Result<FilesPlan> {
    let root = root
        .canonicalize()
        .ok()
        .filter(|root| root.is_dir())
        .ok_or_else(|| fail!(Usage, "--files: there is no folder {}", root.display()))?;
    let mut carried: BTreeMap<String, Stamp> = BTreeMap::new();
    let incremental = backup::attached(backup, read, &mut |file, content| {
        let (digest, size_bytes) = digest(content)?;
        carried.insert(file.path.clone(), Stamp { digest, size_bytes, changed: file.changed });
        Ok(())
    })?;
    if incremental && missing == Missing::Goes {
        return Err(fail!(Usage, "the backup holds only files that changed; what it lacks was not deleted")
            .hint("Leave --files-mirror out."));
    }
    let mut plan = FilesPlan { root: root.display().to_string(), findings: Vec::new(), unchanged: 0, current_only: 0 };
    // Jarvis's archive speaks of one user's folder only, RayERP's of two.
    let areas: Vec<String> =
        carried.keys().filter_map(|path| path.split_once('/')).map(|(area, _)| area.to_owned()).collect();
    for (path, found) in &carried {
        let (class, reason, note, current) = match place(&root, path).and_then(|place| stamp(&place)) {
            Err(error) => (Class::Blocked, Reason::TableRefused, Some(error.full_message()), None),
            Ok(None) => (Class::New, Reason::OnlyInBackup, None, None),
            Ok(Some(current)) if current.digest == found.digest => {
                plan.unchanged += 1;
                continue;
            }
            Ok(Some(current)) => {
                let (class, reason) = newer(current.changed, found.changed);
                (class, reason, None, Some(current))
            }
        };
        plan.findings.push(FileFinding {
            path: path.clone(),
            class,
            reason,
            note,
            current,
            backup: Some(found.clone()),
        });
    }
    for path in below(&root)? {
        let in_area = areas.is_empty() || path.split_once('/').is_some_and(|(area, _)| areas.iter().any(|a| a == area));
        if carried.contains_key(&path) {
            continue;
        }
        if missing == Missing::Stays || !(in_area || is_flat(&carried)) {
            plan.current_only += 1;
            continue;
        }
        let current = stamp(&place(&root, &path)?)?;
        let (class, reason) = (Class::CurrentOnly, Reason::NotInBackup);
        plan.findings.push(FileFinding { path, class, reason, note: None, current, backup: None });
    }
    plan.findings.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(plan)
}

/// Tells whether the backup has files right below the folder, so that it speaks of all of it.
fn is_flat(carried: &BTreeMap<String, Stamp>) -> bool {
    carried.keys().any(|path| !path.contains('/'))
}

/// Says which of two files is newer, as far as their clocks tell.
fn newer(current: Option<Changed>, backup: Option<Changed>) -> (Class, Reason) {
    let (Some(current), Some(backup)) = (current, backup) else {
        return (Class::Conflict, Reason::NoEvidenceMissing);
    };
    // Archives and file systems note whole or even seconds.
    let doubt = current.doubt_seconds + backup.doubt_seconds + 2;
    match backup.at - current.at {
        ahead if ahead > doubt => (Class::Updated, Reason::BackupNewer),
        behind if behind < -doubt => (Class::Conflict, Reason::CurrentNewer),
        _ => (Class::Conflict, Reason::NoEvidenceEqual),
    }
}

/// Returns where a file is in the folder; nothing on the way may be a link.
///
/// # Errors
/// `Refused` for a link, or something that is no folder, on the way; for a path that leads elsewhere.
pub(crate) fn place(root: &Path, path: &str) -> Result<PathBuf> {
    let mut at = root.to_owned();
    let parts: Vec<Component<'_>> = Path::new(path).components().collect();
    if parts.is_empty() || !parts.iter().all(|part| matches!(part, Component::Normal(_))) {
        return Err(fail!(Refused, "{path:?} is no path below the folder"));
    }
    let last = parts.len() - 1;
    for (position, part) in parts.iter().enumerate() {
        at.push(part);
        match std::fs::symlink_metadata(&at) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(fail!(Refused, "{} can't be looked at", at.display()).because(e)),
            Ok(found) if found.is_symlink() => {
                return Err(fail!(Refused, "{} is a link; what is behind it is not touched", at.display()));
            }
            Ok(found) if position < last && !found.is_dir() => {
                return Err(fail!(Refused, "{} is no folder", at.display()));
            }
            Ok(found) if position == last && !found.is_file() => {
                return Err(fail!(Refused, "{} is no file", at.display()));
            }
            Ok(_) => {}
        }
    }
    Ok(at)
}

/// Looks at a file; none where there is none.
pub(crate) fn stamp(place: &Path) -> Result<Option<Stamp>> {
    let mut file = match File::open(place) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|e| fail!(Refused, "{} can't be read", place.display()).because(e))?,
    };
    let at = file.metadata()?.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let changed = at.and_then(|at| i64::try_from(at.as_secs()).ok()).map(|at| Changed { at, doubt_seconds: 0 });
    let (digest, size_bytes) = digest(&mut file)?;
    Ok(Some(Stamp { digest, size_bytes, changed }))
}

fn digest(content: &mut dyn Read) -> Result<(String, u64)> {
    let mut sink = Digest(blake3::Hasher::new());
    let size = std::io::copy(content, &mut sink).map_err(crate::backup::content_error)?;
    Ok((sink.0.finalize().to_hex().to_string(), size))
}

struct Digest(blake3::Hasher);

impl Write for Digest {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Lists the files below a folder, sorted; links are passed over.
pub(crate) fn below(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = open.pop() {
        let failed = |e| fail!(Refused, "{} can't be read", folder.display()).because(e);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry?;
            let (Ok(name), kind) = (entry.file_name().into_string(), entry.file_type()?) else { continue };
            if name.starts_with(OWN) {
                continue;
            }
            let path = format!("{prefix}{name}");
            if kind.is_dir() {
                open.push((entry.path(), format!("{path}/")));
            } else if kind.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
