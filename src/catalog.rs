//! The catalog: which backups are kept, of which database, how they were checked, and which may go.
//!
//! *Shape:* `catalog.db` in the data folder, one row for each backup; the files are in `backups/`. A row is written after
//! its file is complete and on disk, and removed before its file goes: what is listed is there.

pub mod chain;
pub mod forget;
pub mod make;
pub mod storage;
pub mod verify;

use crate::backup::{self, AtomicFile, Keys, ReadOptions};
use crate::database::Identity;
use crate::database::sqlite::error;
use crate::error::{Result, fail};
use crate::executor::Home;
use crate::executor::home::fresh_id;
use crate::executor::local;
use crate::executor::receipt;
use crate::model::Schema;
use crate::plan::Plan;
use crate::progress::Quiet;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What tells a catalog from other files; its mark is `mgct`.
const KIND: local::Kind = local::Kind {
    file: "catalog.db",
    name: "catalog",
    application_id: 0x6d67_6374,
    version: 1,
    without: "the backups beside it stay",
    tables: "CREATE TABLE IF NOT EXISTS backups (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE,
        created_at TEXT NOT NULL, digest TEXT NOT NULL, entry TEXT NOT NULL, schema TEXT) STRICT;
        CREATE INDEX IF NOT EXISTS backups_by_time ON backups (created_at);
        CREATE INDEX IF NOT EXISTS backups_by_digest ON backups (digest);
        CREATE TABLE IF NOT EXISTS shared (engine TEXT NOT NULL, id TEXT NOT NULL, digest TEXT NOT NULL,
        merge TEXT, at TEXT NOT NULL) STRICT;",
};

/// For how long a merge keeps the backup that it was made of.
const NEEDED_DAYS: i64 = 7;

/// What a backup holds of its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Every table, whole.
    Full,
    /// Some tables, or tables without some of their columns.
    Selected,
    /// What changed since another backup, which it needs.
    Incremental,
    /// A file that came from elsewhere.
    Imported,
}

/// A table in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// Its name there.
    pub name: String,
    /// Its records.
    pub records: u64,
}

/// One kept backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id: `b-…`.
    pub id: String,
    /// What people call it; distinct.
    pub name: String,
    /// When its records were read (RFC 3339, UTC).
    pub created_at: String,
    /// The database that it is of; none for a file from elsewhere whose database was not said.
    pub database: Option<Identity>,
    /// What it holds.
    pub kind: Kind,
    /// Its format's word.
    pub format: String,
    /// Its file's name in `backups/`.
    pub file: String,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// BLAKE3 of the file, 64 hexadecimal digits.
    pub digest: String,
    /// Its tables, parents first.
    pub tables: Vec<Carried>,
    /// What people say of it.
    pub tags: Vec<String>,
    /// How it is encrypted: `age` or `aes-256-cbc`; none for a plain file.
    #[serde(default)]
    pub encryption: Option<String>,
    /// Where its file is kept, as a URL; none: in `backups/`.
    #[serde(default)]
    pub storage: Option<String>,
    /// The backup without which this one is of no use, by id.
    pub base: Option<String>,
    /// When it was last found sound, and how deeply.
    pub verified: Option<(String, verify::Depth)>,
}

/// An open catalog.
pub struct Catalog {
    home: Home,
    connection: Connection,
    keys: Keys,
}

impl Catalog {
    /// Opens the catalog of a data folder, making it at first use.
    ///
    /// # Errors
    /// `Failed` when it is damaged or was made by a newer version.
    pub fn open(home: &Home) -> Result<Self> {
        let connection = local::open(home, KIND)?;
        Ok(Self { home: home.clone(), connection, keys: Keys::new(None, Vec::new(), Some(home.root().join("keys"))) })
    }

    /// Takes the keys that encrypted backups are read with; without this, those of the data folder.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// Lists all backups, newest first.
    ///
    /// # Errors
    /// `Failed`.
    pub fn list(&self) -> Result<Vec<Entry>> {
        let mut statement =
            self.connection.prepare("SELECT entry FROM backups ORDER BY created_at DESC, id DESC").map_err(error)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(error)?;
        rows.map(|text| read(&text.map_err(error)?)).collect()
    }

    /// Finds a backup by its id, its name, or the beginning of one of them where that is enough.
    ///
    /// # Errors
    /// `Usage` when there is none or several.
    pub fn find(&self, name: &str) -> Result<Entry> {
        let entries = self.list()?;
        if let Some(exact) = entries.iter().find(|e| e.id == name || e.name == name) {
            return Ok(exact.clone());
        }
        let mut begin = entries.iter().filter(|e| e.id.starts_with(name) || e.name.starts_with(name));
        match (begin.next(), begin.next()) {
            (Some(only), None) if !name.is_empty() => Ok(only.clone()),
            (Some(first), Some(second)) => Err(fail!(Usage, "{name:?} could be {} or {}", first.name, second.name)),
            _ => Err(fail!(Usage, "no backup is called {name:?}").hint("See 'merganser backup list'.")),
        }
    }

    /// Returns where a backup's file is.
    pub fn path(&self, entry: &Entry) -> PathBuf {
        self.home.backups().join(&entry.file)
    }

    /// Returns the schema of the database that a backup was made of, where it was made here.
    ///
    /// # Errors
    /// `Failed`.
    pub fn schema(&self, entry: &Entry) -> Result<Option<Schema>> {
        let text: Option<Option<String>> = self
            .connection
            .query_row("SELECT schema FROM backups WHERE id = ?", [&entry.id], |row| row.get(0))
            .optional()
            .map_err(error)?;
        text.flatten().map(|text| serde_json::from_str(&text).map_err(|e| damaged(&e))).transpose()
    }

    /// Copies a backup's file to a place outside, whole or not at all; its digest is checked on the way.
    ///
    /// # Errors
    /// `Usage` when something is there already, `BackupDamaged`, `OutOfSpace`, `Failed`.
    pub fn export(&self, entry: &Entry, to: &Path) -> Result<()> {
        if to.exists() {
            return Err(fail!(Usage, "{} exists already; it was not touched", to.display()));
        }
        self.sound(entry)?;
        copy_hmac(&self.path(entry), to)?;
        copy(&self.path(entry), to)
    }

    /// Takes a file from elsewhere into the catalog: it is read to its end first and copied.
    ///
    /// # Errors
    /// What reading it meets; `Usage` for a name that is taken or a file that is here already.
    pub fn import(&mut self, file: &Path, request: &Import<'_>) -> Result<Entry> {
        let found = backup::inspect(file, request.read)?;
        if file.is_dir() {
            return Err(fail!(Usage, "{} is a folder; pack it into a ZIP archive to keep it", file.display()));
        }
        if let Some(same) = self.list()?.into_iter().find(|e| e.digest == found.digest) {
            return Err(fail!(Usage, "{} is in the catalog already, as {}", file.display(), same.name));
        }
        let said = backup::lineage(file, request.read)?.and_then(|lineage| lineage.base);
        let base = match &said {
            Some(digest) => self.list()?.into_iter().find(|e| e.digest == *digest).map(|e| e.id),
            None => None,
        };
        if said.is_some() && base.is_none() {
            return Err(fail!(Usage, "{} is incremental, and what it builds on is not in the catalog", file.display())
                .hint("Import that first."));
        }
        let id = fresh_id('b');
        let extension =
            file.file_name().and_then(|n| n.to_str()).and_then(|n| n.split_once('.')).map_or("", |(_, e)| e);
        let extension: String = extension.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').take(20).collect();
        let entry = Entry {
            name: request.name.map_or_else(|| id.clone(), str::to_owned),
            created_at: now(),
            database: request.database.cloned(),
            kind: Kind::Imported,
            format: found.format.word().to_owned(),
            file: format!("{id}.{extension}"),
            size_bytes: found.size_bytes,
            digest: found.digest,
            tables: found.tables.into_iter().map(|t| Carried { name: t.name, records: t.records }).collect(),
            tags: request.tags.to_vec(),
            encryption: backup::encryption(file)?.map(str::to_owned),
            storage: None,
            base,
            verified: None,
            id,
        };
        self.free(&entry.name)?;
        copy_hmac(file, &self.path(&entry))?;
        copy(file, &self.path(&entry))?;
        self.sound(&entry)?;
        self.add(&entry, None)?;
        Ok(entry)
    }

    /// Says why a backup can't be removed, if so.
    ///
    /// # Errors
    /// `Usage` when another backup, a plan or a merge needs it, or it is the last one of its database that was found sound.
    pub fn removable(&self, entry: &Entry) -> Result<()> {
        let entries = self.list()?;
        let stays = |why: String| Err(fail!(Usage, "{} {why}; it was not removed", entry.name));
        if let Some(other) = entries.iter().find(|e| e.base.as_deref() == Some(&entry.id)) {
            return stays(format!("is needed by {}", other.name));
        }
        if let Some((_, why)) = self.needed()?.into_iter().find(|(file, _)| *file == self.place(entry)) {
            return stays(format!("stays: {why}"));
        }
        let of = |e: &Entry| e.database.as_ref().map(|d| (d.engine, d.id.clone()));
        let others = entries.iter().any(|e| e.id != entry.id && of(e) == of(entry) && e.verified.is_some());
        if entry.verified.is_some() && !others {
            return stays("is the only verified backup of its database".to_owned());
        }
        Ok(())
    }

    /// Removes a backup that nothing needs.
    ///
    /// # Errors
    /// As [`Catalog::removable`]; `Failed`.
    pub fn remove(&mut self, entry: &Entry) -> Result<()> {
        self.removable(entry)?;
        self.drop_entry(entry)
    }

    /// Returns a backup's file as plans and receipts name it.
    fn place(&self, entry: &Entry) -> String {
        let path = self.path(entry);
        path.canonicalize().unwrap_or(path).display().to_string()
    }

    /// Lists files that something else than a backup needs, each with what: plans that can still be merged, and merges
    /// young enough that somebody may take them back or do them again.
    fn needed(&self) -> Result<Vec<(String, String)>> {
        let mut needed = Vec::new();
        for file in std::fs::read_dir(self.home.plans())? {
            let path = file?.path();
            // A plan that can't be read can't be merged either.
            let Some(plan) = Some(&path).filter(|p| p.extension().is_some_and(|e| e == "mplan")) else { continue };
            let Ok(plan) = Plan::open(plan) else { continue };
            let meta = plan.meta();
            let open = chrono::DateTime::parse_from_rfc3339(&meta.expires_at).is_ok_and(|t| t > chrono::Utc::now());
            for pin in meta.backup.iter().chain(&meta.base).filter(|_| open) {
                needed.push((pin.path.clone(), format!("needed by the plan {}", meta.id)));
            }
        }
        for merge in receipt::list(&self.home)?.0 {
            let at = chrono::DateTime::parse_from_rfc3339(&merge.started_at);
            let young = at.is_ok_and(|t| chrono::Utc::now().signed_duration_since(t).num_days() < NEEDED_DAYS);
            if let Some((file, _)) = merge.backup.filter(|_| young) {
                needed.push((file, format!("needed by the merge {}", merge.id)));
            }
        }
        Ok(needed)
    }

    /// Takes a backup off the list, then its file.
    fn drop_entry(&mut self, entry: &Entry) -> Result<()> {
        self.connection.execute("DELETE FROM backups WHERE id = ?", [&entry.id]).map_err(error)?;
        self.remove_here(entry)?;
        self.remove_elsewhere(entry)
    }

    fn remove_here(&self, entry: &Entry) -> Result<()> {
        let path = self.path(entry);
        for file in [backup::hmac_file(&path), path] {
            match std::fs::remove_file(file) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks that a backup's file is what it was.
    fn sound(&self, entry: &Entry) -> Result<()> {
        self.fetch(entry, &Quiet)?;
        let path = self.path(entry);
        let (digest, _) = backup::digest(&path).map_err(|e| {
            fail!(BackupDamaged, "the file of {} ({}) can't be read", entry.name, path.display()).because(e)
        })?;
        if digest != entry.digest {
            return Err(fail!(BackupDamaged, "the file of {} ({}) is not what it was", entry.name, path.display())
                .hint("It was changed or damaged since it was kept; get another copy, or remove it."));
        }
        Ok(())
    }

    fn free(&self, name: &str) -> Result<()> {
        match self.list()?.iter().any(|e| e.name == name || e.id == name) {
            true => Err(fail!(Usage, "a backup is called {name:?} already")),
            false => Ok(()),
        }
    }

    fn add(&mut self, entry: &Entry, schema: Option<&Schema>) -> Result<()> {
        let text = serde_json::to_string(entry).expect("an entry always serialises");
        let schema = schema.map(|schema| serde_json::to_string(schema).expect("a schema always serialises"));
        self.connection
            .execute(
                "INSERT INTO backups (id, name, created_at, digest, entry, schema) VALUES (?, ?, ?, ?, ?, ?)",
                params![entry.id, entry.name, entry.created_at, entry.digest, text, schema],
            )
            .map(|_| ())
            .map_err(error)
    }

    fn update(&mut self, entry: &Entry) -> Result<()> {
        let text = serde_json::to_string(entry).expect("an entry always serialises");
        self.connection
            .execute("UPDATE backups SET entry = ? WHERE id = ?", params![text, entry.id])
            .map(|_| ())
            .map_err(error)
    }
}

/// How a file is taken into the catalog.
#[derive(Clone, Copy)]
pub struct Import<'a> {
    /// What it is called; none: its id.
    pub name: Option<&'a str>,
    /// The database that it is of, where that is known.
    pub database: Option<&'a Identity>,
    /// Tags.
    pub tags: &'a [String],
    /// How it is read.
    pub read: &'a ReadOptions,
}

fn read(text: &str) -> Result<Entry> {
    serde_json::from_str(text).map_err(|e| damaged(&e))
}

fn damaged(why: &serde_json::Error) -> crate::error::Error {
    fail!(Failed, "the catalog is damaged: {why}").hint("Move catalog.db away and import the backups beside it again.")
}

/// Copies the authentication that stands beside an encrypted file, if there is one.
fn copy_hmac(from: &Path, to: &Path) -> Result<()> {
    let beside = backup::hmac_file(from);
    if !beside.exists() || backup::encryption(from)? != Some("aes-256-cbc") {
        return Ok(());
    }
    copy(&beside, &backup::hmac_file(to))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut file = AtomicFile::create(to)?;
    std::io::copy(&mut std::fs::File::open(from)?, &mut file)?;
    file.commit()
}

fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
