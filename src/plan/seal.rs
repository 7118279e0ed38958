//! The seal: a keyed digest (BLAKE3) over everything in a plan that decides what a merge writes, so that a plan edited by
//! other hands, or brought from another machine, is noticed before it is carried out (CHECKS T29, F29).

use super::{Plan, PlanKind, lost};
use crate::error::{Result, fail};
use rusqlite::types::ValueRef;

impl Plan {
    /// Tells whether the plan is as it was last written with this key.
    ///
    /// # Errors
    /// `PlanMismatch` when it is not.
    pub fn verify_seal(&self, state_key: &[u8; 32]) -> Result<()> {
        let found: Option<String> =
            self.connection.query_row("SELECT value FROM meta WHERE key = 'seal'", [], |r| r.get(0)).ok();
        if found.as_deref() == Some(&self.seal(state_key)?) {
            return Ok(());
        }
        Err(fail!(
            PlanMismatch,
            "the plan {} was changed by something else, or made with another data folder",
            self.path.display()
        )
        .hint("Analyze again; or, if you trust where the plan comes from, add --trust-plan."))
    }

    /// Seals the plan as it is now.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    pub fn write_seal(&self, state_key: &[u8; 32]) -> Result<()> {
        let seal = self.seal(state_key)?;
        self.connection
            .execute("INSERT INTO meta VALUES ('seal', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1", [seal])
            .map_err(|e| lost(&self.path, e))?;
        Ok(())
    }

    fn seal(&self, state_key: &[u8; 32]) -> Result<String> {
        let mut hasher = blake3::Hasher::new_keyed(state_key);
        let mut feed = |sql: &str, columns: usize| -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    let (tag, bytes): (u8, &[u8]) = match row.get_ref(column)? {
                        ValueRef::Null => (0, &[]),
                        ValueRef::Integer(i) => {
                            hasher.update(&[1]).update(&i.to_le_bytes());
                            continue;
                        }
                        ValueRef::Real(r) => {
                            hasher.update(&[2]).update(&r.to_bits().to_le_bytes());
                            continue;
                        }
                        ValueRef::Text(t) => (3, t),
                        ValueRef::Blob(b) => (4, b),
                    };
                    hasher.update(&[tag]).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
                }
            }
            Ok(())
        };
        feed("SELECT key, value FROM meta WHERE key <> 'seal' ORDER BY key", 2)
            .and_then(|()| {
                // A merge's outcomes follow from the rest; those of taking one back are what it does.
                let outcome = if self.meta.kind == PlanKind::Merge { "NULL" } else { "outcome" };
                feed(
                    &format!(
                        "SELECT id, table_id, key_bytes, class, reason, key, fields, digests, clocks, decision, {outcome}, limits FROM records ORDER BY id"
                    ),
                    12,
                )
            })
            .and_then(|()| feed("SELECT record_id, kind, columns, cells FROM actions ORDER BY record_id", 4))
            .map_err(|e| lost(&self.path, e))?;
        Ok(hasher.finalize().to_hex().to_string())
    }
}
