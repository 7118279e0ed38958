//! Who waits for whom: of records that can be written only if something becomes of others, those are looked at again of
//! which one that they wait for has changed, and not all of them for every step of a chain.
//!
//! *Shape:* a temporary table of steps, numbers of records and numbers of those that wait for them.

use super::store::Stored;
use super::{Plan, lost};
use crate::error::Result;
use rusqlite::params;
use std::collections::BTreeSet;

const TABLE: &str = "CREATE TEMP TABLE IF NOT EXISTS waiting (step INTEGER, awaited INTEGER, id INTEGER,
    PRIMARY KEY (step, awaited, id)) WITHOUT ROWID";

impl Plan {
    /// Notes that a record waits for another in a step.
    pub(super) fn wait(&self, step: usize, awaited: i64, id: i64) -> Result<()> {
        if !self.waits.replace(true) {
            self.sql(TABLE)?;
        }
        self.connection
            .prepare_cached("INSERT INTO temp.waiting VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")
            .and_then(|mut s| s.execute(params![step as i64, awaited, id]))
            .map_err(|e| lost(&self.path, e))?;
        Ok(())
    }

    /// Returns the records that wait for one of some others in a step.
    pub(super) fn waiters(&self, step: usize, awaited: &[i64]) -> Result<BTreeSet<i64>> {
        let mut found = BTreeSet::new();
        if !self.waits.get() {
            return Ok(found);
        }
        let read = |found: &mut BTreeSet<i64>| -> rusqlite::Result<()> {
            let mut statement =
                self.connection.prepare_cached("SELECT id FROM temp.waiting WHERE step = ?1 AND awaited = ?2")?;
            for id in awaited {
                let mut rows = statement.query(params![step as i64, id])?;
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
