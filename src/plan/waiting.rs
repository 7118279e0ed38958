//! Who waits for whom, for rounds (`analyzer::rounds`) in which only those are looked at again of which one that they wait
//! for has changed.
//!
//! *Shape:* a temporary table of numbers of records, steps, and numbers of the records that wait for them.

use super::store::Stored;
use super::{Plan, lost};
use crate::error::Result;
use rusqlite::params;
use std::collections::BTreeSet;

const TABLE: &str = "CREATE TEMP TABLE IF NOT EXISTS waiting (awaited INTEGER, step INTEGER, id INTEGER,
    PRIMARY KEY (awaited, step, id)) WITHOUT ROWID";

impl Plan {
    /// Notes that a record waits for another in a step.
    pub(super) fn wait(&self, step: usize, awaited: i64, id: i64) -> Result<()> {
        if !self.waits.replace(true) {
            self.sql(TABLE)?;
        }
        self.connection
            .prepare_cached("INSERT INTO temp.waiting VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")
            .and_then(|mut s| s.execute(params![awaited, step as i64, id]))
            .map_err(|e| lost(&self.path, e))?;
        Ok(())
    }

    /// Tells whether any record waits for one.
    pub(super) fn is_awaited(&self, id: i64) -> Result<bool> {
        if !self.waits.get() {
            return Ok(false);
        }
        self.connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM temp.waiting WHERE awaited = ?1)")
            .and_then(|mut s| s.query_row([id], |r| r.get(0)))
            .map_err(|e| lost(&self.path, e))
    }

    /// Returns the records that wait for one of some others in a step.
    pub(super) fn waiters(&self, step: usize, awaited: &[i64]) -> Result<BTreeSet<i64>> {
        let mut found = BTreeSet::new();
        if !self.waits.get() {
            return Ok(found);
        }
        let read = |found: &mut BTreeSet<i64>| -> rusqlite::Result<()> {
            let mut statement =
                self.connection.prepare_cached("SELECT id FROM temp.waiting WHERE awaited = ?1 AND step = ?2")?;
            for id in awaited {
                let mut rows = statement.query(params![id, step as i64])?;
                while let Some(row) = rows.next()? {
                    found.insert(row.get(0)?);
                }
            }
            Ok(())
        };
        read(&mut found).map_err(|e| lost(&self.path, e))?;
        Ok(found)
    }

    /// Forgets who waits for whom.
    pub(super) fn stop_waiting(&self) -> Result<()> {
        if self.waits.replace(false) { self.sql("DROP TABLE IF EXISTS temp.waiting") } else { Ok(()) }
    }

    /// Returns a record by its number.
    pub(super) fn stored(&self, id: i64) -> Result<Option<Stored>> {
        let found = self.page(&super::Selector::default(), id - 1, 1)?.records.pop();
        Ok(found.filter(|record| record.finding.id == id))
    }

    /// Returns the number of a record by its key.
    pub(super) fn number_of(&self, table: usize, key_bytes: &[u8]) -> Result<Option<i64>> {
        use rusqlite::OptionalExtension;
        self.connection
            .prepare_cached("SELECT id FROM records WHERE table_id = ?1 AND key_bytes = ?2 ORDER BY id LIMIT 1")
            .and_then(|mut s| s.query_row(params![table as i64, key_bytes], |r| r.get(0)).optional())
            .map_err(|e| lost(&self.path, e))
    }
}
