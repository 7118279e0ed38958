//! The data folder: where plans, receipts, kept backups and the audit log are.
//!
//! *Shape:* `plans/`, `undo/`, `backups/`, `locks/`, `keys/state.key`, `audit.jsonl`; folders 0700, files 0600.

use crate::error::{Result, fail};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// An open data folder.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// Opens the folder, making what is missing.
    ///
    /// # Errors
    /// `Failed` when it can't be made, is a symbolic link, or can be read by others (CHECKS T22).
    pub fn open(root: &Path) -> Result<Self> {
        let failed = |why: String| {
            fail!(Failed, "the data folder {} can't be used: {why}", root.display())
                .hint("Choose another one with --data-dir.")
        };
        if root.is_symlink() {
            return Err(failed("it is a symbolic link".to_owned()));
        }
        if root.exists() {
            let mode = std::fs::metadata(root).map_err(|e| failed(e.to_string()))?.mode();
            let empty = std::fs::read_dir(root).map_err(|e| failed(e.to_string()))?.next().is_none();
            if mode & 0o077 != 0 && empty {
                // Nothing in it can have been read yet.
                std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o700))
                    .map_err(|e| failed(e.to_string()))?;
            } else if mode & 0o077 != 0 {
                return Err(failed(format!("others can read it (mode {:o})", mode & 0o777))
                    .hint(format!("Run 'chmod 700 {}', or choose another folder with --data-dir.", root.display())));
            }
        }
        for folder in ["", "plans", "undo", "backups", "locks", "keys"] {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(root.join(folder))
                .map_err(|e| failed(e.to_string()))?;
        }
        Ok(Self { root: root.to_owned() })
    }

    /// Returns the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns where plans are.
    pub fn plans(&self) -> PathBuf {
        self.root.join("plans")
    }

    /// Returns where receipts are.
    pub fn receipts(&self) -> PathBuf {
        self.root.join("undo")
    }

    /// Returns where kept backups are.
    pub fn backups(&self) -> PathBuf {
        self.root.join("backups")
    }

    /// Returns where locks are.
    pub fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    /// Returns the path of the audit log.
    pub fn audit(&self) -> PathBuf {
        self.root.join("audit.jsonl")
    }

    /// Returns the key that seals plans, made at first use.
    ///
    /// # Errors
    /// `Failed`, `OutOfSpace`.
    pub fn key(&self) -> Result<[u8; 32]> {
        let path = self.root.join("keys").join("state.key");
        if !path.exists() {
            let mut fresh = [0u8; 32];
            std::fs::File::open("/dev/urandom").and_then(|mut f| std::io::Read::read_exact(&mut f, &mut fresh))?;
            let temporary = path.with_extension(format!("{}", std::process::id()));
            let mut file =
                std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
            std::io::Write::write_all(&mut file, &fresh)?;
            file.sync_all()?;
            // The first of two that make one at the same time wins.
            let linked = std::fs::hard_link(&temporary, &path);
            std::fs::remove_file(&temporary)?;
            if let Err(error) = linked
                && error.kind() != std::io::ErrorKind::AlreadyExists
            {
                return Err(error.into());
            }
        }
        let bytes = std::fs::read(&path)?;
        <[u8; 32]>::try_from(bytes.as_slice())
            .map_err(|_| fail!(Failed, "the key {} is damaged: it has {} bytes, not 32", path.display(), bytes.len()))
    }

    /// Finds a plan by id, by a unique beginning of one, or by path.
    ///
    /// # Errors
    /// `Usage` when there is none, or several.
    pub fn plan_path(&self, name: &str) -> Result<PathBuf> {
        let path = Path::new(name);
        if path.is_file() {
            return Ok(path.to_owned());
        }
        find(&self.plans(), name, "mplan", "plan")
    }

    /// Finds a receipt by id or by a unique beginning of one; letters of any case.
    ///
    /// # Errors
    /// `Usage` when there is none, or several.
    pub fn receipt_path(&self, name: &str) -> Result<PathBuf> {
        find(&self.receipts(), &name.to_lowercase(), "receipt", "merge")
    }
}

fn find(folder: &Path, name: &str, extension: &str, what: &str) -> Result<PathBuf> {
    let prefixes = [name.to_owned(), format!("m-{name}"), format!("u-{name}"), format!("p-{name}")];
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        if path.extension().is_some_and(|e| e == extension) && prefixes.iter().any(|p| stem.starts_with(p.as_str())) {
            if stem == name {
                return Ok(path);
            }
            found.push(path);
        }
    }
    found.sort();
    match found.as_slice() {
        [only] if name.len() >= 3 => Ok(only.clone()),
        [] | [_] => Err(fail!(Usage, "there is no {what} {name:?} in {}", folder.display())),
        several => Err(fail!(Usage, "{} {what}s begin with {name:?}; write more of it", several.len())),
    }
}

/// Makes a fresh id: a letter, a dash, and letters and digits that sort by time.
pub fn fresh_id(letter: char) -> String {
    let now = chrono::Utc::now();
    let mut random = [0u8; 4];
    // Without randomness the time alone keeps ids apart well enough for one folder.
    let _ = std::fs::File::open("/dev/urandom").and_then(|mut f| std::io::Read::read_exact(&mut f, &mut random));
    let stamp = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    format!("{letter}-{}{:04x}", base36(stamp), u32::from_le_bytes(random) & 0xffff)
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    while number > 0 {
        digits.push(char::from_digit((number % 36) as u32, 36).unwrap_or('0'));
        number /= 36;
    }
    digits.iter().rev().collect()
}
