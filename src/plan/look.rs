//! Looking into a plan without settling it again: what the pages count and walk through.

use super::{Outcome, Plan, Selector, Stored, lost};
use crate::error::Result;
use crate::model::Table;
use crate::model::change::Class;
use rusqlite::{OptionalExtension, params};

impl Plan {
    /// Notes that outcomes no longer follow from the answers.
    pub(super) fn unsettle(&self) -> Result<()> {
        if self.is_unsettled()? {
            return Ok(());
        }
        self.sql("CREATE TABLE IF NOT EXISTS unsettled (mark INTEGER PRIMARY KEY); INSERT INTO unsettled VALUES (1)")
    }

    /// Notes that all outcomes follow from the answers again.
    pub(super) fn outcomes_hold(&self) -> Result<()> {
        if self.is_unsettled()? { self.sql("DELETE FROM unsettled") } else { Ok(()) }
    }

    /// Tells whether answers were given since the plan was settled last: whoever gave them was stopped.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn is_unsettled(&self) -> Result<bool> {
        let there = self.connection.table_exists(None, "unsettled").map_err(|e| lost(&self.path, e))?;
        let marked = || self.connection.query_row("SELECT count(*) FROM unsettled", [], |r| r.get::<_, i64>(0));
        Ok(there && marked().map_err(|e| lost(&self.path, e))? > 0)
    }

    /// Counts records by table and outcome, as the plan was settled last.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn outcome_counts(&self) -> Result<Vec<(usize, Outcome, u64)>> {
        let rows: Vec<(i64, String, i64)> = self
            .connection
            .prepare_cached("SELECT table_id, outcome, count(*) FROM records WHERE outcome IS NOT NULL GROUP BY 1, 2")
            .and_then(|mut s| s.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?.collect())
            .map_err(|e| lost(&self.path, e))?;
        let read = |(table, word, count): (i64, String, i64)| {
            Some((usize::try_from(table).ok()?, Outcome::from_word(&word)?, u64::try_from(count).ok()?))
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// Returns the conflict id of the nearest record before another in the same table and class.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn before(&self, table: usize, class: Class, id: i64) -> Result<Option<String>> {
        self.connection
            .prepare_cached(
                "SELECT conflict_id FROM records WHERE table_id = ?1 AND class = ?2 AND id < ?3 ORDER BY id DESC LIMIT 1",
            )
            .and_then(|mut s| s.query_row(params![table as i64, class.word(), id], |r| r.get(0)).optional())
            .map_err(|e| lost(&self.path, e))
    }

    /// Counts the records of the plan in tables that refer to a record's.
    pub(super) fn may_follow(&self, record: &Stored) -> Result<u64> {
        let table = record.finding.table;
        let refers = |child: &Table| child.foreign_keys.iter().any(|f| f.table == Some(table));
        let tables = self.meta().schema.tables.iter().enumerate().filter(|(_, child)| refers(child));
        tables.map(|(child, _)| self.count(&Selector { table: Some(child), ..Selector::default() })).sum()
    }

    /// Counts the conflicts that wait for a decision, by pattern; patterns of which none waits are not listed.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn waiting(&self) -> Result<std::collections::BTreeMap<String, u64>> {
        let sql = "SELECT pattern, count(*) FROM records WHERE class = 'conflict' AND outcome = 'undecided' GROUP BY 1";
        self.connection
            .prepare_cached(sql)
            .and_then(|mut s| s.query_map([], |r| Ok((r.get(0)?, r.get::<_, i64>(1)?.unsigned_abs())))?.collect())
            .map_err(|e| lost(&self.path, e))
    }

    /// Counts the records of a pattern, and returns the first of them.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn pattern_size(&self, pattern: &str) -> Result<(u64, Option<String>)> {
        self.connection
            .prepare_cached(
                "SELECT count(*), (SELECT conflict_id FROM records WHERE pattern = ?1 ORDER BY id LIMIT 1)
                 FROM records WHERE pattern = ?1",
            )
            .and_then(|mut s| s.query_row([pattern], |r| Ok((r.get::<_, i64>(0)?.unsigned_abs(), r.get(1)?))))
            .map_err(|e| lost(&self.path, e))
    }
}
