//! The seal: keyed digests (BLAKE3) over everything in a plan that decides what a merge writes, so that a plan edited by
//! other hands, or brought from another machine, is noticed before it is carried out (CHECKS T29, F29).
//!
//! *Shape:* `seals` holds a digest per [`CHUNK`] records; the seal in `meta` is one over those and the meta data. An answer to
//! one conflict reads and seals its own chunk only; whoever carries the plan out checks them all. A plan of before
//! there were chunks has one digest over everything, and gets chunks when it is sealed the next time.

use super::{Plan, PlanKind, lost};
use crate::error::{Result, fail};
use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension, Row, params};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};

/// Records of one digest.
const CHUNK: i64 = 256;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS seals (chunk INTEGER PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;";

/// What is sealed of a record, but for its outcome.
const SEALED: &str = "id, table_id, key_bytes, class, reason, key, fields, digests, clocks, decision";

type Key = [u8; 32];
type Digest = [u8; 32];

/// The changes of a plan that are sealed together: the key, and the chunks that hold them.
#[derive(Default)]
pub(super) struct Changes {
    key: Option<Key>,
    chunks: BTreeSet<i64>,
}

fn chunk_of(id: i64) -> i64 {
    id.div_euclid(CHUNK)
}

impl Plan {
    /// Tells whether the plan is as it was last written with this key.
    ///
    /// # Errors
    /// `PlanMismatch` when it is not.
    pub fn verify_seal(&self, state_key: &Key) -> Result<()> {
        let seal = match self.has_seals()? {
            true => self.head(state_key, &self.chunks(state_key)?)?,
            false => self.whole(state_key)?,
        };
        if self.written_seal()? == Some(seal) { Ok(()) } else { Err(self.broken()) }
    }

    /// Seals the plan as it is now.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    pub fn write_seal(&self, state_key: &Key) -> Result<()> {
        let chunks = self.chunks(state_key)?;
        self.sql(&format!("SAVEPOINT seal; {TABLE} DELETE FROM seals"))?;
        let kept = self.keep(&chunks).and_then(|()| self.write_head(state_key, &chunks));
        self.sql(if kept.is_ok() { "RELEASE seal" } else { "ROLLBACK TO seal; RELEASE seal" })?;
        kept
    }

    /// Makes ready for answers that [`Plan::seal_changes`] will seal: what each of them touches is checked before.
    ///
    /// # Errors
    /// `PlanMismatch` when the plan is not as it was sealed.
    pub fn begin_changes(&mut self, state_key: &Key) -> Result<()> {
        if self.has_seals()? {
            let kept = self.kept()?;
            if self.written_seal()? != Some(self.head(state_key, &kept)?) {
                return Err(self.broken());
            }
        } else {
            self.verify_seal(state_key)?;
            self.write_seal(state_key)?;
        }
        self.changes = Changes { key: Some(*state_key), chunks: BTreeSet::new() };
        Ok(())
    }

    /// Seals what was changed since [`Plan::begin_changes`]; nothing else is read.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    pub fn seal_changes(&mut self) -> Result<()> {
        let changes = std::mem::take(&mut self.changes);
        let Some(key) = changes.key else { return Err(fail!(Failed, "no changes of the plan were begun")) };
        let fresh = changes
            .chunks
            .into_iter()
            .map(|chunk| Ok((chunk, self.chunk(&key, chunk)?)))
            .collect::<Result<BTreeMap<i64, Digest>>>()?;
        self.keep(&fresh)?;
        self.write_head(&key, &self.kept()?)
    }

    /// Notes that a record is about to be changed; its chunk has to be as it was sealed.
    pub(super) fn touch(&mut self, id: i64) -> Result<()> {
        let (Some(key), chunk) = (self.changes.key, chunk_of(id)) else { return Ok(()) };
        if self.changes.chunks.contains(&chunk) {
            return Ok(());
        }
        let kept: Option<Digest> = self
            .connection
            .prepare_cached("SELECT digest FROM seals WHERE chunk = ?")
            .and_then(|mut s| s.query_row([chunk], |r| r.get(0)).optional())
            .map_err(|e| lost(&self.path, e))?;
        if kept != Some(self.chunk(&key, chunk)?) {
            return Err(self.broken());
        }
        self.changes.chunks.insert(chunk);
        Ok(())
    }

    fn broken(&self) -> crate::error::Error {
        fail!(
            PlanMismatch,
            "the plan {} was changed by something else, or made with another data folder",
            self.path.display()
        )
        .hint("Analyze again; or, if you trust where the plan comes from, add --trust-plan.")
    }

    fn has_seals(&self) -> Result<bool> {
        self.connection.table_exists(None, "seals").map_err(|e| lost(&self.path, e))
    }

    fn written_seal(&self) -> Result<Option<String>> {
        self.connection
            .query_row("SELECT value FROM meta WHERE key = 'seal'", [], |r| r.get(0))
            .optional()
            .map_err(|e| lost(&self.path, e))
    }

    fn write_head(&self, key: &Key, chunks: &BTreeMap<i64, Digest>) -> Result<()> {
        let seal = self.head(key, chunks)?;
        self.connection
            .execute("INSERT INTO meta VALUES ('seal', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1", [seal])
            .map(|_| ())
            .map_err(|e| lost(&self.path, e))
    }

    fn keep(&self, chunks: &BTreeMap<i64, Digest>) -> Result<()> {
        let mut kept = self
            .connection
            .prepare_cached("INSERT INTO seals VALUES (?1, ?2) ON CONFLICT (chunk) DO UPDATE SET digest = ?2")
            .map_err(|e| lost(&self.path, e))?;
        chunks
            .iter()
            .try_for_each(|(chunk, digest)| kept.execute(params![chunk, digest]).map(|_| ()))
            .map_err(|e| lost(&self.path, e))
    }

    /// Reads the digests of all chunks as they were written.
    fn kept(&self) -> Result<BTreeMap<i64, Digest>> {
        self.connection
            .prepare_cached("SELECT chunk, digest FROM seals")
            .and_then(|mut s| s.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect())
            .map_err(|e| lost(&self.path, e))
    }

    /// Digests the meta data, the chunks, and what an undo carries out.
    fn head(&self, key: &Key, chunks: &BTreeMap<i64, Digest>) -> Result<String> {
        let mut hasher = Gathering::new(key);
        hasher.put(b"merganser seal of chunks");
        self.meta_and_actions(&mut hasher, |hasher| {
            chunks.iter().for_each(|(chunk, digest)| {
                hasher.put(&chunk.to_le_bytes());
                hasher.put(digest);
            });
            Ok(())
        })?;
        Ok(hasher.end().to_hex().to_string())
    }

    /// Digests everything at once, as plans were sealed before there were chunks.
    fn whole(&self, key: &Key) -> Result<String> {
        let mut hasher = Gathering::new(key);
        let text = format!("SELECT {SEALED}, {}, limits FROM records ORDER BY id", self.sealed_outcome());
        self.meta_and_actions(&mut hasher, |hasher| self.feed(&text, 12, hasher))?;
        Ok(hasher.end().to_hex().to_string())
    }

    fn meta_and_actions(
        &self,
        hasher: &mut Gathering,
        records: impl FnOnce(&mut Gathering) -> Result<()>,
    ) -> Result<()> {
        self.feed("SELECT key, value FROM meta WHERE key <> 'seal' ORDER BY key", 2, hasher)?;
        records(hasher)?;
        if self.has_spellings().map_err(|e| lost(&self.path, e))? {
            let text = "SELECT table_id, column_id, text, stands FROM spellings ORDER BY table_id, column_id, text";
            self.feed(text, 4, hasher)?;
        }
        self.feed("SELECT record_id, kind, columns, cells FROM actions ORDER BY record_id", 4, hasher)
    }

    /// A merge's outcomes follow from the rest; those of taking one back are what it does.
    fn sealed_outcome(&self) -> &'static str {
        if self.meta.kind == PlanKind::Merge { "NULL" } else { "outcome" }
    }

    /// Writes the query for what is sealed of records, with the notes beside their decisions.
    fn sealed_text(&self, condition: &str) -> Result<String> {
        let (note, join) = match self.has_notes()? {
            true => ("note_beside", "LEFT JOIN (SELECT record_id, note AS note_beside FROM notes) ON record_id = id"),
            false => ("NULL", ""),
        };
        let outcome = self.sealed_outcome();
        Ok(format!("SELECT {SEALED}, {outcome}, limits, {note} FROM records {join} {condition} ORDER BY id"))
    }

    /// Digests the records of one chunk.
    fn chunk(&self, key: &Key, chunk: i64) -> Result<Digest> {
        let mut hasher = Gathering::new(key);
        let (first, last) = (chunk * CHUNK, chunk * CHUNK + CHUNK - 1);
        let text = self.sealed_text(&format!("WHERE id BETWEEN {first} AND {last}"))?;
        self.feed(&text, 13, &mut hasher)?;
        Ok(hasher.end().into())
    }

    /// Digests the records of all chunks, in one pass.
    fn chunks(&self, key: &Key) -> Result<BTreeMap<i64, Digest>> {
        let text = self.sealed_text("")?;
        let digests = || -> rusqlite::Result<BTreeMap<i64, Digest>> {
            let mut statement = self.connection.prepare(&text)?;
            let mut rows = statement.query([])?;
            let mut hashers: BTreeMap<i64, Digest> = BTreeMap::new();
            let mut open: Option<(i64, Gathering)> = None;
            while let Some(row) = rows.next()? {
                let chunk = chunk_of(row.get(0)?);
                if open.as_ref().is_none_or(|(at, _)| *at != chunk) {
                    hashers.extend(open.take().map(|(at, hasher)| (at, hasher.end().into())));
                    open = Some((chunk, Gathering::new(key)));
                }
                if let Some((_, hasher)) = &mut open {
                    feed_row(row, 13, hasher)?;
                }
            }
            hashers.extend(open.map(|(at, hasher)| (at, hasher.end().into())));
            Ok(hashers)
        };
        digests().map_err(|e| lost(&self.path, e))
    }

    fn feed(&self, text: &str, columns: usize, hasher: &mut Gathering) -> Result<()> {
        let mut fed = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare(text)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                feed_row(row, columns, hasher)?;
            }
            Ok(())
        };
        fed().map_err(|e| lost(&self.path, e))
    }
}

fn feed_row(row: &Row<'_>, columns: usize, hasher: &mut Gathering) -> rusqlite::Result<()> {
    for column in 0..columns {
        let (tag, bytes): (u8, &[u8]) = match row.get_ref(column)? {
            ValueRef::Null => (0, &[]),
            ValueRef::Integer(i) => {
                hasher.put(&[1]);
                hasher.put(&i.to_le_bytes());
                continue;
            }
            ValueRef::Real(r) => {
                hasher.put(&[2]);
                hasher.put(&r.to_bits().to_le_bytes());
                continue;
            }
            ValueRef::Text(t) => (3, t),
            ValueRef::Blob(b) => (4, b),
        };
        hasher.put(&[tag]);
        hasher.put(&(bytes.len() as u64).to_le_bytes());
        hasher.put(bytes);
    }
    Ok(())
}

/// A digest over many small pieces, gathered first: BLAKE3 is several times faster over what comes at once.
struct Gathering(BufWriter<blake3::Hasher>);

/// As many bytes as BLAKE3 works on side by side.
const GATHERED: usize = 32 << 10;

impl Gathering {
    fn new(key: &Key) -> Self {
        Self(BufWriter::with_capacity(GATHERED, blake3::Hasher::new_keyed(key)))
    }

    fn put(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("a digest takes everything");
    }

    fn end(self) -> blake3::Hash {
        self.0.into_inner().expect("a digest takes everything").finalize()
    }
}
