//! Digests of backup files, and files that are watched for changes while they are read.

use super::source::{beside, open_file};
use super::sqlite::MAGIC;
use crate::error::{Result, fail};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::SystemTime;

/// Files that are read in no particular order: digested on the side, watched for changes.
pub(crate) struct Watched {
    path: PathBuf,
    before: Vec<Stamp>,
    digest: JoinHandle<Result<(String, u64)>>,
}

/// A file with its size and the time of its last change.
type Stamp = (PathBuf, u64, Option<SystemTime>);

/// Returns the stamps of a file and its `-wal`, or of the files in a folder.
fn stamps(path: &Path) -> Result<Vec<Stamp>> {
    let files = match path.is_dir() {
        true => files_below(path)?.into_iter().map(|(_, file)| file).collect(),
        false => vec![path.to_owned(), beside(path, "-wal")],
    };
    let stamp = |file: PathBuf| file.metadata().ok().map(|m| (file, m.len(), m.modified().ok()));
    Ok(files.into_iter().filter_map(stamp).collect())
}

impl Watched {
    /// Begins to watch and digest a file or folder.
    ///
    /// # Errors
    /// `Failed`.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let before = stamps(path)?;
        let copy = path.to_owned();
        // Both the digest and the reader touch every byte once; side by side they share the page cache.
        let digest = std::thread::spawn(move || digest(&copy));
        Ok(Self { path: path.to_owned(), before, digest })
    }

    /// Returns digest and size once reading is done.
    ///
    /// # Errors
    /// `BackupDamaged` when the files changed meanwhile.
    pub(crate) fn finish(self) -> Result<(String, u64)> {
        let digest = self.digest.join().map_err(|_| fail!(Failed, "digesting {} failed", self.path.display()))??;
        if stamps(&self.path)? != self.before {
            return Err(fail!(BackupDamaged, "{} changed while it was read", self.path.display())
                .hint("wait until the file is complete, then try again"));
        }
        Ok(digest)
    }
}

/// Returns BLAKE3 (64 hexadecimal digits) and size of a backup's raw bytes.
///
/// *Shape:* for an SQLite database with a `-wal` file beside it, both count: the records are in both. For a folder, the
/// digest is over names and digests of its files in name order.
///
/// # Errors
/// `BackupNotFound`, `Failed`.
pub fn digest(path: &Path) -> Result<(String, u64)> {
    if path.is_dir() {
        let mut hasher = blake3::Hasher::new();
        let mut total = 0;
        for (name, file) in files_below(path)? {
            let (digest, bytes) = digest_plain(&file)?;
            hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes()).update(digest.as_bytes());
            total += bytes;
        }
        return Ok((hasher.finalize().to_hex().to_string(), total));
    }
    let mut head = Vec::new();
    let file = open_file(path).map_err(|error| error.at(path.display()))?;
    file.take(MAGIC.len() as u64).read_to_end(&mut head)?;
    let (digest, bytes) = digest_plain(path)?;
    let wal = beside(path, "-wal");
    if head == MAGIC && wal.metadata().is_ok_and(|m| m.len() > 0) {
        let (wal_digest, wal_bytes) = digest_plain(&wal)?;
        let mut both = blake3::Hasher::new();
        both.update(digest.as_bytes()).update(b"-wal").update(wal_digest.as_bytes());
        return Ok((both.finalize().to_hex().to_string(), bytes + wal_bytes));
    }
    Ok((digest.to_hex().to_string(), bytes))
}

fn digest_plain(path: &Path) -> Result<(blake3::Hash, u64)> {
    let mut file = open_file(path).map_err(|error| error.at(path.display()))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((hasher.finalize(), bytes)),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                bytes += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(fail!(Failed, "reading {} failed", path.display()).because(error)),
        }
    }
}

/// Lists the files of a folder and of the folders in it, one level down, by name with `/`, in name order.
///
/// # Errors
/// `Failed`; `BackupDamaged` for symbolic links, which may lead anywhere.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let add = |folder: &Path, prefix: &str, found: &mut Vec<(String, PathBuf)>| -> Result<Vec<(String, PathBuf)>> {
        let mut folders = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let kind = entry.file_type()?;
            if kind.is_symlink() {
                return Err(fail!(BackupDamaged, "{} is a symbolic link", entry.path().display()));
            }
            let name = format!("{prefix}{name}");
            if kind.is_dir() { folders.push((name, entry.path())) } else { found.push((name, entry.path())) }
        }
        Ok(folders)
    };
    for (name, path) in add(folder, "", &mut found)? {
        add(&path, &format!("{name}/"), &mut found)?;
    }
    found.sort();
    Ok(found)
}
