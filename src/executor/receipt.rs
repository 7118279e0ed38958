//! The receipt: what a merge wrote, with each record as it was before and after. On disk before the first write.
//!
//! *Shape:* an SQLite file (application id `MRGR`); `meta` holds JSON with its BLAKE3 digest and a tally of each table's
//! images, `records` the images, one cell per column. SQLite does not see changed bytes; digest and tallies do.

mod check;
mod tally;

pub use tally::Tally;

use super::Home;
use crate::database::Identity;
use crate::database::sqlite::plan_once;
use crate::error::{Error, ErrorKind, Result, fail};
use crate::model::{OwnedCell, Schema};
use crate::plan::{ActionKind, PlanKind, Preview};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const APPLICATION_ID: i32 = 0x4d52_4752;
const FORMAT: i32 = 1;

/// How far a merge has come, as far as this side knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Writing may have begun; nothing says yet how it ended.
    Intent,
    /// Committed.
    Committed,
    /// Rolled back, or never written.
    RolledBack,
    /// The connection was lost during the commit and the records do not tell.
    Unknown,
}

/// What a receipt says of its merge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiptMeta {
    /// The merge's id: `m-…`, `u-…` for an undo.
    pub id: String,
    /// The plan it carried out.
    pub plan: String,
    /// What it was.
    pub kind: PlanKind,
    /// How it ended.
    pub state: State,
    /// When it began (RFC 3339, UTC).
    pub started_at: String,
    /// When it was committed.
    pub committed_at: Option<String>,
    /// Who did it.
    pub actor: String,
    /// What they noted.
    pub note: Option<String>,
    /// The backup's path and digest.
    pub backup: Option<(String, String)>,
    /// The database.
    pub database: Identity,
    /// The engine's id of the transaction, where it has one.
    pub transaction: Option<String>,
    /// The schema it wrote by.
    pub schema: Schema,
    /// Records per outcome.
    pub counts: Counted,
    /// Whether counters and the audit log still have to follow the commit.
    #[serde(default)]
    pub unfinished: bool,
    /// The tables without a key that it adds records to, as they were before.
    #[serde(default)]
    pub keyless: Vec<Keyless>,
    /// The tally of each table's images, by the table's position; absent in receipts of release 0.1.
    #[serde(default)]
    pub images: Option<BTreeMap<usize, Tally>>,
}

/// A table whose records can't be looked up one by one, as it was before a merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyless {
    /// The table's position in the schema.
    pub table: usize,
    /// How many records it had.
    pub count: u64,
    /// The sum of their digests: the same for the same records in any order.
    pub digest: u64,
}

/// The counts that are kept of a merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Records inserted.
    pub inserted: u64,
    /// Records updated.
    pub updated: u64,
    /// Records deleted.
    pub deleted: u64,
}

impl From<&Preview> for Counted {
    fn from(preview: &Preview) -> Self {
        Self { inserted: preview.inserted, updated: preview.updated, deleted: preview.deleted }
    }
}

/// A record that was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Its number in the receipt; the order of writing.
    pub id: i64,
    /// Position of its table in the receipt's schema.
    pub table: usize,
    /// What was done.
    pub kind: ActionKind,
    /// The key's cells.
    pub key: Vec<OwnedCell>,
    /// One cell per column before; empty for an insert.
    pub before: Vec<OwnedCell>,
    /// One cell per column after; empty for a deletion.
    pub after: Vec<OwnedCell>,
    /// The columns that were written.
    pub columns: Vec<usize>,
    /// How many steps of records must come before it among those of tables that refer to it or to each other.
    pub level: usize,
}

/// An open receipt.
pub struct Receipt {
    connection: Connection,
    path: PathBuf,
    meta: ReceiptMeta,
}

const TABLES: &str = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE records (id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,
    before TEXT NOT NULL, after TEXT NOT NULL, columns TEXT NOT NULL, level INTEGER NOT NULL);
    CREATE INDEX records_key ON records (table_id, key); CREATE INDEX records_order ON records (kind, table_id, level, id)";
/// The images of one level after a number. Together with those of the next levels in one comparison SQLite would go through
/// the whole level for every page.
const REST_OF_LEVEL: &str = "kind = ?1 AND table_id = ?2 AND level = ?3 AND id > ?4 ORDER BY id LIMIT ?5";
/// The images of the levels after one.
const NEXT_LEVELS: &str = "kind = ?1 AND table_id = ?2 AND level > ?3 ORDER BY level, id LIMIT ?4";

impl Receipt {
    /// Starts a receipt; it counts only once [`Receipt::seal_intent`] has returned.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    pub fn create(folder: &Path, meta: ReceiptMeta) -> Result<Self> {
        Self::begun(folder, meta, "synchronous = FULL")
    }

    /// Starts a receipt of what is only tried on paper: it is never sealed, and no disk is waited for.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    pub(super) fn scratch(folder: &Path, meta: ReceiptMeta) -> Result<Self> {
        Self::begun(folder, meta, "synchronous = OFF; PRAGMA journal_mode = MEMORY")
    }

    fn begun(folder: &Path, mut meta: ReceiptMeta, durability: &str) -> Result<Self> {
        meta.images = Some(BTreeMap::new());
        let path = folder.join(format!("{}.preparing", meta.id));
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let connection = Connection::open(&path).map_err(|e| unusable(&path, e))?;
        plan_once(&connection).map_err(|e| unusable(&path, e))?;
        connection
            .execute_batch(&format!(
                "PRAGMA {durability}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};
                 BEGIN;
                 {TABLES}"
            ))
            .map_err(|e| unusable(&path, e))?;
        Ok(Self { connection, path, meta })
    }

    /// Adds a record's images.
    ///
    /// # Errors
    /// `OutOfSpace`.
    pub fn add(&mut self, image: &Image) -> Result<()> {
        let json = |cells: &[OwnedCell]| serde_json::to_string(cells).expect("cells always serialise");
        let columns = serde_json::to_string(&image.columns).expect("numbers always serialise");
        self.connection
            .prepare_cached(
                "INSERT INTO records (table_id, kind, key, before, after, columns, level) VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .and_then(|mut s| {
                s.execute(params![
                    image.table as i64,
                    image.kind.word(),
                    json(&image.key),
                    json(&image.before),
                    json(&image.after),
                    columns,
                    image.level as i64
                ])
            })
            .map_err(|e| unusable(&self.path, e))?;
        self.tally(image.table).add(image);
        Ok(())
    }

    fn tally(&mut self, table: usize) -> &mut Tally {
        self.meta.images.get_or_insert_default().entry(table).or_default()
    }

    /// Removes an image as it was read; says whether it was there.
    ///
    /// # Errors
    /// `OutOfSpace`.
    pub fn remove(&mut self, image: &Image) -> Result<bool> {
        let removed = self
            .connection
            .execute("DELETE FROM records WHERE id = ?", [image.id])
            .map_err(|e| unusable(&self.path, e))?;
        if removed > 0 {
            self.tally(image.table).remove(image);
        }
        Ok(removed > 0)
    }

    /// Replaces the after image of a record, as it was read, by what was read back.
    ///
    /// # Errors
    /// `OutOfSpace`.
    pub fn set_after(&mut self, image: &Image, after: Vec<OwnedCell>) -> Result<()> {
        let json = serde_json::to_string(&after).expect("cells always serialise");
        self.connection
            .prepare_cached("UPDATE records SET after = ?2 WHERE id = ?1")
            .and_then(|mut s| s.execute(params![image.id, json]))
            .map_err(|e| unusable(&self.path, e))?;
        let tally = self.tally(image.table);
        tally.remove(image);
        tally.add(&Image { after, ..image.clone() });
        Ok(())
    }

    /// Sets how many steps of records come before an image's.
    ///
    /// # Errors
    /// `OutOfSpace`.
    pub fn set_level(&mut self, id: i64, level: usize) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE records SET level = ?2 WHERE id = ?1")
            .and_then(|mut s| s.execute(params![id, level as i64]))
            .map_err(|e| unusable(&self.path, e))?;
        Ok(())
    }

    /// Sets the counts and how tables without a key were; written down with the intent.
    pub fn set_counts(&mut self, counts: Counted, keyless: Vec<Keyless>) {
        self.meta.counts = counts;
        self.meta.keyless = keyless;
    }

    /// Makes the intent and all images durable: after this, and only after this, the database may be written to.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    pub fn seal_intent(&mut self) -> Result<()> {
        self.write_meta()?;
        self.connection.execute_batch("COMMIT").map_err(|e| unusable(&self.path, e))?;
        // Only a receipt that is whole gets its name. SQLite must not hold the file while that changes.
        let sealed = self.path.with_extension("receipt");
        self.connection = Connection::open_in_memory().map_err(|e| unusable(&self.path, e))?;
        std::fs::File::open(&self.path).and_then(|f| f.sync_all())?;
        std::fs::rename(&self.path, &sealed)?;
        std::fs::File::open(sealed.parent().unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())?;
        *self = Self::open(&sealed)?;
        Ok(())
    }

    /// Begins a change of images that [`Receipt::keep_images`] ends.
    ///
    /// # Errors
    /// `OutOfSpace`.
    pub fn begin(&mut self) -> Result<()> {
        self.connection.execute_batch("BEGIN").map_err(|e| unusable(&self.path, e))
    }

    /// Makes the images as they were read back durable: before the commit, since afterwards they may have to tell whether
    /// it took place.
    ///
    /// # Errors
    /// `OutOfSpace`.
    pub fn keep_images(&mut self) -> Result<()> {
        self.write_meta()?;
        self.connection.execute_batch("COMMIT").map_err(|e| unusable(&self.path, e))
    }

    /// Notes how the merge stands, durably.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    pub fn set_state(&mut self, change: impl FnOnce(&mut ReceiptMeta)) -> Result<()> {
        change(&mut self.meta);
        self.write_meta()?;
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("COMMIT").map_err(|e| unusable(&self.path, e))?;
        }
        Ok(())
    }

    fn write_meta(&self) -> Result<()> {
        let text = serde_json::to_string(&self.meta).expect("meta data always serialises");
        let digest = blake3::hash(text.as_bytes()).to_hex();
        // One statement: both or neither.
        self.connection
            .execute(
                "INSERT INTO meta VALUES ('receipt', ?1), ('digest', ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [&text, digest.as_str()],
            )
            .map_err(|e| unusable(&self.path, e))?;
        Ok(())
    }

    /// Opens a receipt.
    ///
    /// # Errors
    /// `PlanMismatch` for a file that is none or is damaged (CHECKS F98).
    pub fn open(path: &Path) -> Result<Self> {
        let damaged = |why: String| damaged(path, &why);
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
                .map_err(|e| damaged(e.to_string()))?;
        connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(|e| damaged(e.to_string()))?;
        plan_once(&connection).map_err(|e| damaged(e.to_string()))?;
        // The journal of a change must not come back with a power cut: it would take the change with it.
        connection.execute_batch("PRAGMA synchronous = EXTRA").map_err(|e| damaged(e.to_string()))?;
        let number = |pragma: &str| {
            connection
                .query_row(&format!("PRAGMA {pragma}"), [], |r| r.get::<_, i32>(0))
                .map_err(|e| damaged(e.to_string()))
        };
        if number("application_id")? != APPLICATION_ID || number("user_version")? != FORMAT {
            return Err(damaged("it is another kind of file or another format".to_owned()));
        }
        let value = |key: &str| {
            connection.query_row("SELECT value FROM meta WHERE key = ?", [key], |r| r.get::<_, String>(0)).optional()
        };
        let text = value("receipt")
            .map_err(|e| damaged(e.to_string()))?
            .ok_or_else(|| damaged("it says nothing of its merge".to_owned()))?;
        let digest = value("digest").map_err(|e| damaged(e.to_string()))?;
        let meta: ReceiptMeta = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
        // Release 0.1 wrote neither digest nor tallies.
        let is_whole = match &digest {
            Some(digest) => *digest == blake3::hash(text.as_bytes()).to_hex().as_str(),
            None => meta.images.is_none(),
        };
        if !is_whole {
            return Err(damaged("what it says of its merge is not what was written down".to_owned()));
        }
        Ok(Self { connection, path: path.to_owned(), meta })
    }

    /// Returns what the receipt says of its merge.
    pub fn meta(&self) -> &ReceiptMeta {
        &self.meta
    }

    /// Returns the file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns up to `limit` images after a number.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged receipt.
    pub fn page(&self, after: i64, limit: usize) -> Result<Vec<Image>> {
        let images = self.images("id > ?1 ORDER BY id LIMIT ?2", params![after, limit as i64])?;
        self.goes_on(images, after, |image| image.id)
    }

    /// Returns up to `limit` images of a kind and table after a level and number, in that order.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged receipt.
    pub fn ordered(&self, kind: ActionKind, table: usize, after: (usize, i64), limit: usize) -> Result<Vec<Image>> {
        let (kind, table, level) = (kind.word(), table as i64, after.0 as i64);
        let mut images = self.images(REST_OF_LEVEL, params![kind, table, level, after.1, limit as i64])?;
        if images.len() < limit {
            images.extend(self.images(NEXT_LEVELS, params![kind, table, level, (limit - images.len()) as i64])?);
        }
        self.goes_on(images, after, |image| (image.level, image.id))
    }

    /// Tells whether anything was written to a table.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged receipt.
    pub fn wrote(&self, table: usize) -> Result<bool> {
        if let Some(images) = &self.meta.images {
            return Ok(images.get(&table).is_some_and(|tally| tally.count > 0));
        }
        self.connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM records WHERE table_id = ?)")
            .and_then(|mut s| s.query_row([table as i64], |r| r.get(0)))
            .map_err(|e| unusable(&self.path, e))
    }

    /// Finds the image of a record by its table and key.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged receipt.
    pub fn find(&self, table: usize, key: &[OwnedCell]) -> Result<Option<Image>> {
        let key = serde_json::to_string(key).expect("cells always serialise");
        Ok(self.images("table_id = ?1 AND key = ?2", params![table as i64, key])?.into_iter().next())
    }

    fn images(&self, condition: &str, params: impl rusqlite::Params) -> Result<Vec<Image>> {
        let text =
            format!("SELECT id, table_id, kind, key, before, after, columns, level FROM records WHERE {condition}");
        let mut statement = self.connection.prepare_cached(&text).map_err(|e| unusable(&self.path, e))?;
        let mut rows = statement.query(params).map_err(|e| unusable(&self.path, e))?;
        let mut images = Vec::new();
        while let Some(row) = rows.next().map_err(|e| unusable(&self.path, e))? {
            let image = image(row)?;
            if !self.fits(&image) {
                return Err(damaged(&self.path, &format!("its record {} is none of its schema", image.id)));
            }
            images.push(image);
        }
        Ok(images)
    }

    /// Removes a receipt of something that never happened.
    ///
    /// # Errors
    /// `Failed`.
    pub fn discard(self) -> Result<()> {
        let Self { connection, path, .. } = self;
        drop(connection);
        std::fs::remove_file(path).map_err(Error::from)
    }
}

fn damaged(path: &Path, why: &str) -> Error {
    fail!(PlanMismatch, "the receipt {} is damaged: {why}", path.display())
        .hint("Without it the merge can't be undone; a whole backup made before the merge can still be merged.")
}

/// Reads one row as an image.
fn image(row: &rusqlite::Row<'_>) -> Result<Image> {
    let id: i64 = row.get(0).map_err(|e| fail!(PlanMismatch, "the receipt is damaged").because(e))?;
    let damaged = || fail!(PlanMismatch, "the receipt is damaged at record {id}");
    let number = |at: usize| row.get::<_, i64>(at).map_err(|e| damaged().because(e));
    let text = |at: usize| row.get_ref(at).map_err(|e| damaged().because(e));
    let cells = |at: usize| -> Result<Vec<OwnedCell>> {
        let text = text(at)?.as_str().map_err(|e| damaged().because(e))?;
        serde_json::from_str(text).map_err(|e| damaged().because(e))
    };
    let kind = text(2)?.as_str().map_err(|e| damaged().because(e))?;
    let columns = text(6)?.as_str().map_err(|e| damaged().because(e))?;
    Ok(Image {
        id,
        table: usize::try_from(number(1)?).unwrap_or(usize::MAX),
        kind: ActionKind::from_word(kind)
            .ok_or_else(|| fail!(PlanMismatch, "the receipt is damaged at record {id}: {kind:?}"))?,
        key: cells(3)?,
        before: cells(4)?,
        after: cells(5)?,
        columns: serde_json::from_str(columns).map_err(|e| damaged().because(e))?,
        level: usize::try_from(number(7)?).unwrap_or(0),
    })
}

fn unusable(path: &Path, error: rusqlite::Error) -> Error {
    let kind = match error.sqlite_error_code() {
        _ if crate::database::sqlite::is_out_of_space(&error) => ErrorKind::OutOfSpace,
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => ErrorKind::PlanMismatch,
        _ => ErrorKind::Failed,
    };
    Error::new(kind, format!("the receipt {} can't be used", path.display())).because(error)
}

/// Lists the receipts of a data folder, newest first; those that can't be read are named.
///
/// # Errors
/// `Failed` when the folder can't be read.
pub fn list(home: &Home) -> Result<(Vec<ReceiptMeta>, Vec<String>)> {
    let mut found = Vec::new();
    let mut unreadable = Vec::new();
    for entry in std::fs::read_dir(home.receipts())? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "receipt") {
            match Receipt::open(&path) {
                Ok(receipt) => found.push(receipt.meta.clone()),
                Err(error) => unreadable.push(error.full_message()),
            }
        }
    }
    found.sort_by(|a, b| b.started_at.cmp(&a.started_at).then_with(|| b.id.cmp(&a.id)));
    Ok((found, unreadable))
}

/// Lists what the audit log has written records for and whose receipt is missing or damaged, newest first: it can't be
/// taken back any more (CHECKS F98).
///
/// # Errors
/// `Failed` when the audit log can't be read.
pub fn lost(home: &Home) -> Result<Vec<super::audit::Entry>> {
    let gone = |e: &super::audit::Entry| Receipt::open(&home.receipts().join(format!("{}.receipt", e.merge))).is_err();
    let written =
        super::audit::read(home)?.into_iter().filter(|e| !e.merge.is_empty() && e.counts != Counted::default());
    Ok(written.rev().filter(gone).collect())
}

/// Removes receipts that were never sealed: their merges had not begun to write. Called under the lock.
///
/// # Errors
/// `Failed`.
pub(super) fn sweep(home: &Home) -> Result<()> {
    for entry in std::fs::read_dir(home.receipts())? {
        let path = entry?.path();
        let name = path.to_string_lossy();
        if name.ends_with(".preparing") || name.ends_with(".preparing-journal") {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Says which merge has carried out a plan already.
///
/// # Errors
/// As [`list`].
pub fn merged_by(home: &Home, plan: &str) -> Result<Option<String>> {
    Ok(merged(home)?.remove(plan))
}

/// Lists the plans that were carried out and not taken back, each with its merge.
///
/// # Errors
/// As [`list`].
pub fn merged(home: &Home) -> Result<std::collections::HashMap<String, String>> {
    let (receipts, _) = list(home)?;
    let committed = |r: &&ReceiptMeta| r.state == State::Committed;
    let taken_back = |id: &str| {
        let undoes = |r: &&ReceiptMeta| matches!(&r.kind, PlanKind::Undo { merge } if merge == id);
        receipts.iter().filter(committed).any(|r| undoes(&r))
    };
    let stands = receipts.iter().filter(committed).filter(|r| !taken_back(&r.id));
    // Of several the newest is named, which the list has first.
    Ok(stands.rev().map(|r| (r.plan.clone(), r.id.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_images_begins_where_the_one_before_ended() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLES).unwrap();
        for (condition, search) in [
            (REST_OF_LEVEL, "records_order (kind=? AND table_id=? AND level=? AND id>?)"),
            (NEXT_LEVELS, "records_order (kind=? AND table_id=? AND level>?)"),
        ] {
            let mut statement = connection
                .prepare(&format!("EXPLAIN QUERY PLAN SELECT before FROM records WHERE {condition}"))
                .unwrap();
            let mut steps = statement.raw_query();
            let mut told = Vec::new();
            while let Some(step) = steps.next().unwrap() {
                told.push(step.get::<_, String>(3).unwrap());
            }
            assert!(told.len() == 1 && told[0].ends_with(search), "{condition}: {told:?}");
        }
    }
}
