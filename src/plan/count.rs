//! Counting in a plan without reading its records, and telling whether it changed.

use super::{Plan, Preview, Selector, lost};
use crate::error::Result;
use crate::plan::Outcome;

impl Plan {
    /// Counts the outcomes as the plan was settled last; an undo's too.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn settled(&self) -> Result<Preview> {
        let mut preview = Preview::default();
        let mut statement = self
            .connection
            .prepare_cached("SELECT outcome, count(*) FROM records WHERE outcome IS NOT NULL GROUP BY outcome")
            .map_err(|e| lost(&self.path, e))?;
        let rows = statement
            .query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?.unsigned_abs())))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
            .map_err(|e| lost(&self.path, e))?;
        for (word, count) in rows {
            if let Some(outcome) = Outcome::from_word(&word) {
                *preview.of(outcome) += count;
            }
        }
        Ok(preview)
    }

    /// Counts the records that are meant; a selector's filter is applied to each.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn count(&self, selector: &Selector) -> Result<u64> {
        let mut count = 0;
        if selector.filter.is_some() {
            self.each(selector, &mut |_| {
                count += 1;
                Ok(())
            })?;
            return Ok(count);
        }
        let text = super::store::counting_text(selector);
        self.connection
            .prepare_cached(&text)
            .and_then(|mut s| s.query_row([&selector.pattern], |r| r.get::<_, i64>(0)))
            .map(i64::unsigned_abs)
            .map_err(|e| lost(&self.path, e))
    }

    /// Returns what changes whenever a decision or the strategy does: the seal.
    ///
    /// # Errors
    /// `PlanMismatch` for a plan that was never sealed.
    pub fn revision(&self) -> Result<String> {
        self.connection
            .query_row("SELECT value FROM meta WHERE key = 'seal'", [], |r| r.get::<_, String>(0))
            .map(|seal| seal[..seal.len().min(32)].to_owned())
            .map_err(|e| lost(&self.path, e))
    }

    /// Returns who decided a record last, and when.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn decided(&self, id: i64) -> Result<(Option<String>, Option<String>)> {
        self.connection
            .query_row("SELECT decided_by, decided_at FROM records WHERE id = ?", [id], |r| Ok((r.get(0)?, r.get(1)?)))
            .map_err(|e| lost(&self.path, e))
    }
}
