//! Records settled as they are found.
//!
//! While the two sides are read, the thread that stores the findings has time; afterwards everybody waits for it. What
//! becomes of a record by itself is known when it is found, so it is noted there and then, and the first settling reads
//! only tables of which something turned out otherwise: a record that was looked at more closely, another schema.

use super::settle::{Preview, Settled, Strategies, exists, made, settle};
use super::store::Stored;
use super::{Outcome, Plan};
use crate::error::Result;
use crate::model::Table;
use crate::model::change::{Class, Reason};
use std::collections::BTreeMap;

/// What is known so far.
pub(super) struct Early {
    strategies: Strategies,
    tables: BTreeMap<usize, Tally>,
}

/// What became of a table's records.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) preview: Preview,
    /// Whether a record that others may refer to does not arrive.
    pub(super) drops: bool,
    /// Whether a record is left out whose key current uses for another one.
    pub(super) strangers: bool,
    /// Whether a record gets a value in a unique key that neither side has.
    pub(super) makes: bool,
    /// Whether it has to be looked at again.
    stale: bool,
}

impl Tally {
    /// Counts a record.
    pub(super) fn count(&mut self, table: &Table, record: &Stored, settled: &Settled) {
        *self.preview.of(settled.outcome) += 1;
        let arrives = settled.outcome == Outcome::Inserted;
        self.strangers |= record.finding.reason == Reason::ReusedKey && !settled.outcome.writes();
        self.makes |= !made(table, record, settled).is_empty();
        self.drops |= settled.outcome == Outcome::Deleted || (!exists(record) && !arrives);
    }
}

impl Early {
    /// Returns what became of a table's records, where nothing has changed since.
    pub(super) fn of(&self, table: usize) -> Option<Tally> {
        let tally = self.tables.get(&table).copied().unwrap_or_default();
        (!tally.stale).then_some(tally)
    }

    /// Notes that a table has to be looked at again.
    pub(super) fn forget(&mut self, table: usize) {
        self.tables.entry(table).or_default().stale = true;
    }
}

impl Plan {
    /// Settles records as they are stored, from now on until the plan is settled as a whole.
    ///
    /// # Errors
    /// `Usage`: a strategy that can't be parsed.
    pub(super) fn settle_as_found(&mut self) -> Result<()> {
        self.early = Some(Early { strategies: Strategies::of(self)?, tables: BTreeMap::new() });
        Ok(())
    }

    /// Settles a record that has just been found.
    pub(super) fn settle_found(&mut self, record: &Stored) -> Result<Option<Settled>> {
        let Some(mut early) = self.early.take() else { return Ok(None) };
        let finding = &record.finding;
        let settled = match (finding.class, finding.reason) {
            (Class::Unchanged | Class::Excluded, _) => None,
            // Under which key it is written is found out for all of them together.
            (_, Reason::ReusedKey | Reason::UniqueTaken) => {
                early.forget(finding.table);
                None
            }
            _ => Some(settle(self, &early.strategies, record)?),
        };
        if let Some(settled) = &settled {
            let table = &self.meta().schema.tables[finding.table];
            early.tables.entry(finding.table).or_default().count(table, record, settled);
        }
        self.early = Some(early);
        Ok(settled)
    }
}
