//! What people note beside their decisions: why, whom they asked. Shown and exported; a merge never looks at it.

use super::{Plan, lost};
use crate::error::{Result, fail};
use rusqlite::{OptionalExtension, params};

/// Characters of a note (CHECKS 4).
pub const LONGEST: usize = 1_000;

/// Plans of before there were notes get the table with their first one.
pub(super) const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS notes (record_id INTEGER PRIMARY KEY, note TEXT NOT NULL) WITHOUT ROWID;";

impl Plan {
    /// Tells whether the plan can hold notes yet.
    pub(super) fn has_notes(&self) -> Result<bool> {
        self.connection.table_exists(None, "notes").map_err(|e| lost(&self.path, e))
    }

    /// Returns the note beside the decision on a record.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn decision_note(&self, id: i64) -> Result<Option<String>> {
        if !self.has_notes()? {
            return Ok(None);
        }
        self.connection
            .prepare_cached("SELECT note FROM notes WHERE record_id = ?")
            .and_then(|mut s| s.query_row([id], |r| r.get(0)).optional())
            .map_err(|e| lost(&self.path, e))
    }

    /// Puts a note beside the decision on a record, or takes it away.
    ///
    /// # Errors
    /// `Usage` for one that is too long; `OutOfSpace`.
    pub fn annotate(&mut self, id: i64, note: Option<&str>) -> Result<()> {
        let note = note.map(str::trim).filter(|n| !n.is_empty());
        if note.is_some_and(|n| n.chars().count() > LONGEST) {
            return Err(fail!(Usage, "a note has at most {LONGEST} characters"));
        }
        self.touch(id)?;
        match note {
            None if !self.has_notes()? => Ok(()),
            None => self.connection.execute("DELETE FROM notes WHERE record_id = ?", [id]).map(|_| ()),
            Some(note) => self.connection.execute_batch(TABLE).and_then(|()| {
                self.connection
                    .prepare_cached("INSERT INTO notes VALUES (?1, ?2) ON CONFLICT (record_id) DO UPDATE SET note = ?2")
                    .and_then(|mut s| s.execute(params![id, note]))
                    .map(|_| ())
            }),
        }
        .map_err(|e| lost(&self.path, e))
    }
}
