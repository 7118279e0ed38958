//! What backups share: the base of a merge by lineage, and incremental backups put back together with what they build on.
//!
//! A database holds a backup's content when the backup was made of it, restored to it or merged into it whole; a backup
//! holds that of the earlier ones of its database. What both hold, newest first, is the base. A backup is never its own
//! base, and one of the same database has none: whoever merges it wants to go back, not to hear that it is old.

use super::{Catalog, Entry, make};
use crate::analyzer::Options;
use crate::analyzer::classify::Deletes;
use crate::backup::{self, Lineage, ReadOptions};
use crate::database::Identity;
use crate::database::sqlite::{Sqlite, error};
use crate::error::{Result, fail};
use crate::executor::receipt::{self, State};
use crate::executor::{self, Home, MergeOptions, MergeReport};
use crate::plan::make as plan;
use crate::plan::{Plan, PlanKind};
use crate::progress::Progress;
use crate::restore;
use rusqlite::params;
use std::path::{Path, PathBuf};

/// Ancestors that a backup names.
const MOST_ANCESTORS: usize = 32;

/// A chain of incremental backups longer than this is damaged or a joke.
const LONGEST_CHAIN: usize = 1_000;

/// A digest of what tells a database from another: says nothing of where it is.
fn source_of(database: &Identity) -> String {
    blake3::hash(format!("{} {}", database.engine, database.id).as_bytes()).to_hex().to_string()
}

impl Catalog {
    /// Notes that a database holds the content of a backup: it was restored to it, or merged into it whole by a merge.
    ///
    /// # Errors
    /// `Failed`.
    pub fn share(&mut self, database: &Identity, digest: &str, merge: Option<&str>) -> Result<()> {
        self.connection
            .execute(
                "INSERT INTO shared (engine, id, digest, merge, at) VALUES (?, ?, ?, ?, ?)",
                params![database.engine.to_string(), database.id, digest, merge, super::now()],
            )
            .map(|_| ())
            .map_err(error)
    }

    /// Notes that a database holds a backup's content now, where a merge brought all of it: a later backup of the same origin
    /// then finds its base.
    ///
    /// # Errors
    /// `Failed`.
    pub fn share_merged(&mut self, plan: &Plan, report: &MergeReport, database: &Identity) -> Result<()> {
        let (options, Some(pin)) = (&plan.meta().options, &plan.meta().backup) else { return Ok(()) };
        let whole = options.only_tables.is_empty() && options.skip_tables.is_empty() && options.conditions.is_empty();
        let counts = &report.counts;
        if !whole || report.merge.is_empty() || !report.left_out.is_empty() || counts.blocked + counts.stale > 0 {
            return Ok(());
        }
        match self.list()?.iter().any(|entry| entry.digest == pin.digest) {
            true => self.share(database, &pin.digest, Some(&report.merge)),
            false => Ok(()),
        }
    }

    /// Lists the digests of the backups whose content a database holds, newest first.
    fn held_by(&self, database: &Identity) -> Result<Vec<String>> {
        let mut found: Vec<(String, String)> = self
            .list()?
            .into_iter()
            .filter(|e| e.database.as_ref().is_some_and(|d| is_same(d, database)) && holds_all(e))
            .map(|e| (e.created_at, e.digest))
            .collect();
        let mut statement = self
            .connection
            .prepare("SELECT at, digest, merge FROM shared WHERE engine = ? AND id = ?")
            .map_err(error)?;
        let rows = statement
            .query_map(params![database.engine.to_string(), database.id], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
            })
            .map_err(error)?;
        let shared = rows.collect::<std::result::Result<Vec<_>, _>>().map_err(error)?;
        let undone = match shared.iter().any(|(_, _, merge)| merge.is_some()) {
            true => undone(&self.home)?,
            false => Vec::new(),
        };
        let stands = |merge: &Option<String>| merge.as_ref().is_none_or(|merge| !undone.contains(merge));
        found.extend(shared.into_iter().filter(|(_, _, merge)| stands(merge)).map(|(at, digest, _)| (at, digest)));
        found.sort_by(|a, b| b.cmp(a));
        Ok(found.into_iter().map(|(_, digest)| digest).collect())
    }

    /// Returns what a backup of a database made now says of where it comes from.
    ///
    /// # Errors
    /// `Failed`.
    pub fn lineage(&self, database: &Identity) -> Result<Lineage> {
        let mut ancestors = self.held_by(database)?;
        ancestors.truncate(MOST_ANCESTORS);
        Ok(Lineage { source: Some(source_of(database)), base: None, ancestors })
    }

    /// Finds the base of merging a backup's file into a database; none where nothing is known to be shared.
    ///
    /// # Errors
    /// `Failed`; what is wrong with the file itself is left for reading it.
    pub fn base_of(&self, file: &Path, database: &Identity, read: &ReadOptions) -> Result<Option<Entry>> {
        let entries = self.list()?;
        if entries.is_empty() || file.is_dir() {
            return Ok(None);
        }
        let said = backup::lineage(file, read).ok().flatten().unwrap_or_default();
        let size = file.metadata().map(|m| m.len()).unwrap_or_default();
        let known = match entries.iter().any(|e| e.size_bytes == size) {
            true => backup::digest(file).ok().and_then(|(digest, _)| entries.iter().find(|e| e.digest == digest)),
            false => None,
        };
        let is_here = |e: &&Entry| e.storage.is_some() || self.path(e).exists();
        let on = known.and_then(|e| e.base.as_deref());
        let on = entries.iter().find(|e| Some(e.id.as_str()) == on || Some(&e.digest) == said.base.as_ref());
        if on.is_some() || said.base.is_some() {
            return Ok(on.filter(is_here).cloned());
        }
        let from = known.and_then(|e| e.database.as_ref());
        if from.is_some_and(|d| is_same(d, database)) || said.source == Some(source_of(database)) {
            return Ok(None);
        }
        let mut shares = said.ancestors;
        if let (Some(known), Some(from)) = (known, from) {
            let earlier =
                |e: &&Entry| e.created_at < known.created_at && e.database.as_ref().is_some_and(|d| is_same(d, from));
            shares.extend(entries.iter().filter(earlier).map(|e| e.digest.clone()));
        }
        let held = self.held_by(database)?;
        let newest = held.iter().filter(|digest| shares.contains(digest));
        let entry = |digest: &String| entries.iter().find(|e| e.digest == *digest && holds_all(e)).filter(is_here);
        Ok(newest.filter_map(entry).next().cloned())
    }

    /// Lists a backup and what it builds on, the whole one first.
    ///
    /// # Errors
    /// `BackupNotFound` when a link is missing.
    pub fn chain(&self, entry: &Entry) -> Result<Vec<Entry>> {
        let entries = self.list()?;
        let mut chain = vec![entry.clone()];
        while let Some(base) = chain.last().and_then(|e| e.base.clone()) {
            let Some(found) =
                entries.iter().find(|e| e.id == base).filter(|e| e.storage.is_some() || self.path(e).exists())
            else {
                let last = chain.last().expect("begins with one");
                return Err(fail!(BackupNotFound, "{} builds on {base}, which is not in the catalog", last.name)
                    .hint("Import the backup that it builds on, or restore an earlier one."));
            };
            chain.push(found.clone());
            if chain.len() > LONGEST_CHAIN {
                return Err(fail!(BackupDamaged, "the chain of {} never ends", entry.name));
            }
        }
        chain.reverse();
        Ok(chain)
    }

    /// Makes a new SQLite database of a backup; of an incremental one, by restoring what it builds on and merging each.
    ///
    /// # Errors
    /// As [`restore::create`] and a merge.
    pub fn restore(
        &self,
        entry: &Entry,
        into: &Path,
        read: &ReadOptions,
        progress: &dyn Progress,
    ) -> Result<restore::Restored> {
        let chain = self.chain(entry)?;
        chain.iter().try_for_each(|one| self.fetch(one, progress))?;
        let (first, rest) = chain.split_first().expect("begins with one");
        if rest.is_empty() {
            return restore::create(&restore::Request { backup: &self.path(first), into, read });
        }
        if into.exists() {
            return Err(fail!(Usage, "{} exists already; it was not touched", into.display()));
        }
        let folder = into.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new("."));
        let scratch = tempfile::Builder::new().prefix(".merganser-").tempdir_in(folder)?;
        let copy = scratch.path().join("restored.db");
        restore::create(&restore::Request { backup: &self.path(first), into: &copy, read })?;
        let mut before = self.path(first);
        for (number, next) in rest.iter().enumerate() {
            let home = Home::open(&scratch.path().join(format!("home-{number}")))?;
            let backup = self.path(next);
            self.merge_into(&home, &copy, &backup, &before, read, progress).map_err(|e| e.at(&next.name))?;
            before = backup;
        }
        let mut reader = backup::open(&copy, &ReadOptions::default())?;
        let mut tables = Vec::new();
        while let Some(header) = reader.next_table()? {
            let records = reader.read_records(&mut backup::Ignore)?;
            tables.push(restore::RestoredTable { name: header.name, records, key: header.claimed_key });
        }
        reader.finish()?;
        std::fs::hard_link(&copy, into).map_err(|e| fail!(Failed, "{} can't be written", into.display()).because(e))?;
        std::fs::File::open(into)?.sync_all()?;
        let names: Vec<&str> = chain.iter().map(|e| e.name.as_str()).collect();
        Ok(restore::Restored { tables, notes: vec![format!("put together from {}", names.join(", "))] })
    }

    /// Merges an incremental backup into a scratch database, deletions included.
    fn merge_into(
        &self,
        home: &Home,
        database: &Path,
        backup: &Path,
        base: &Path,
        read: &ReadOptions,
        progress: &dyn Progress,
    ) -> Result<()> {
        let mut database = Sqlite::open(database)?;
        let options = Options { deletes: Deletes::Apply, preserve_newer: false, ..Options::default() };
        let out: PathBuf = home.plans().join("chain.mplan");
        let request = plan::Request {
            backup,
            base: Some(base),
            read: read.clone(),
            options,
            strategy: "backup-wins",
            table_strategies: Vec::new(),
            id: "chain".to_owned(),
            out: &out,
            state_key: home.key()?,
        };
        let (mut plan, preview) = plan::make(&request, &mut database, progress)?;
        if preview.writes() > 0 {
            executor::merge(&mut plan, &mut database, home, &MergeOptions::default(), progress)?;
        }
        Ok(())
    }

    /// Returns what a new incremental backup is compared with: the earlier backup's file, or, where that is incremental
    /// itself, the state it stands for, put together in a folder.
    ///
    /// # Errors
    /// As [`Catalog::restore`]; `BackupDamaged` for a file that is not what it was.
    pub fn state(&self, entry: &Entry, folder: &Path, progress: &dyn Progress) -> Result<PathBuf> {
        self.sound(entry)?;
        if entry.base.is_none() {
            return Ok(self.path(entry));
        }
        let path = folder.join("state.db");
        self.restore(entry, &path, &self.read(), progress)?;
        Ok(path)
    }

    /// Makes an incremental backup on a kept one.
    ///
    /// # Errors
    /// As [`Catalog::create`] and [`Catalog::state`].
    pub fn create_since(
        &mut self,
        base: &Entry,
        database: &mut dyn crate::database::Database,
        request: &make::Create<'_>,
        progress: &dyn Progress,
    ) -> Result<(Entry, make::Made)> {
        if base.database.as_ref().is_some_and(|d| !is_same(d, database.identity())) {
            return Err(fail!(Usage, "{} is of another database", base.name)
                .hint("An incremental backup builds on one of the same database."));
        }
        let scratch = tempfile::tempdir()?;
        let file = self.state(base, scratch.path(), progress)?;
        let read = self.read();
        let since = make::Since { file: &file, digest: &base.digest, id: Some(&base.id), read: &read };
        self.create(database, &make::Create { since: Some(since), ..*request }, progress)
    }
}

fn is_same(a: &Identity, b: &Identity) -> bool {
    a.engine == b.engine && a.id == b.id
}

/// Tells whether a backup holds every record that its database had.
fn holds_all(entry: &Entry) -> bool {
    matches!(entry.kind, super::Kind::Full | super::Kind::Imported)
}

/// Lists the merges that were taken back.
fn undone(home: &Home) -> Result<Vec<String>> {
    let (receipts, _) = receipt::list(home)?;
    let undone = receipts.into_iter().filter(|r| r.state == State::Committed).filter_map(|r| match r.kind {
        PlanKind::Undo { merge } => Some(merge),
        _ => None,
    });
    Ok(undone.collect())
}
