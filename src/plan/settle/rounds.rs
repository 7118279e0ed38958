//! What one record's staying away asks of others: its children stay away too, what wanted its unique key is in the way of its
//! holder again, and its parent can't go. Found in rounds, until nothing changes any more.
//!
//! The first rounds look at all; later ones only at those that wait for a record that changed (`analyzer::rounds`).

use super::values::StayingAway;
use super::{Preview, Settled, Strategies, arrives, exists, settle};
use crate::analyzer::rounds::{Look, Rounds};
use crate::analyzer::{Holder, Mixed};
use crate::error::Result;
use crate::model::{ForeignKey, Table, Value};
use crate::plan::store::Stored;
use crate::plan::{Outcome, Plan};
use crate::progress::Progress;
use std::collections::{BTreeMap, BTreeSet};

/// Records looked at in one go.
const PAGE: usize = 1_000;

/// What is looked at in a round, table by table.
#[derive(Clone, Copy)]
pub(in crate::plan) enum Step {
    /// Unique keys that somebody else has.
    Crowded,
    /// Parents that are not there.
    Orphans,
    /// Deletions of what others refer to.
    Held,
}

impl Step {
    pub(in crate::plan) fn of(self, table: usize) -> usize {
        table * 3 + self as usize
    }
}

/// A foreign key of a table, its position there, and which values of others do not arrive.
type Reference<'a> = (usize, &'a ForeignKey, StayingAway);

/// The state of settling between rounds.
pub(in crate::plan) struct Settling<'a> {
    pub(in crate::plan) strategies: &'a Strategies,
    /// Tables of which some record that others may refer to does not arrive.
    pub(super) dropped: Vec<bool>,
    /// Tables of which some record gets a value in a unique key that neither side has.
    pub(super) making: Vec<usize>,
    /// The counts per table.
    pub(super) previews: Vec<(usize, Preview)>,
    /// Which records turned out not to be written.
    rounds: Rounds,
    /// How many of a table did when it was last looked at for values that neither side has.
    made: BTreeMap<usize, usize>,
    /// Foreign keys, by table and position, whose children wait for their parents.
    watched: BTreeSet<(usize, usize)>,
}

impl<'a> Settling<'a> {
    pub(super) fn new(strategies: &'a Strategies, tables: usize) -> Self {
        Self {
            strategies,
            dropped: vec![false; tables],
            making: Vec::new(),
            previews: Vec::new(),
            rounds: Rounds::default(),
            made: BTreeMap::new(),
            watched: BTreeSet::new(),
        }
    }

    /// Begins a look at a table.
    pub(in crate::plan) fn look(&mut self, step: Step, table: usize) -> Look {
        self.rounds.look(step.of(table))
    }

    /// Tells whether a table has to be looked at for values that neither side has.
    pub(super) fn looks_at_made(&mut self, table: usize) -> bool {
        let known = self.rounds.changes_in([table]);
        self.making.contains(&table) && self.made.insert(table, known) != Some(known)
    }

    /// Returns a table's counts.
    pub(in crate::plan) fn preview(&mut self, table: usize) -> Option<&mut Preview> {
        self.previews.iter_mut().find(|(t, _)| *t == table).map(|(_, preview)| preview)
    }
}

impl Plan {
    /// Goes round until nothing changes any more.
    pub(super) fn go_round(&self, settling: &mut Settling<'_>, progress: &dyn Progress) -> Result<()> {
        self.stop_waiting()?;
        loop {
            let known = settling.rounds.changes();
            for table in settling.previews.iter().map(|(table, _)| *table).collect::<Vec<_>>() {
                progress.go_on()?;
                self.crowded(table, settling)?;
                if settling.looks_at_made(table) {
                    self.taken_by_made(table, settling)?;
                }
                self.orphans(table, settling)?;
                self.held(table, settling)?;
            }
            if settling.rounds.changes() == known {
                return self.stop_waiting();
            }
        }
    }

    /// Blocks a record that was to be written.
    pub(in crate::plan) fn block(&self, settling: &mut Settling<'_>, record: &Stored, why: &str) -> Result<()> {
        let (table, id) = (record.finding.table, record.finding.id);
        if let (Some(outcome), Some(preview)) = (record.outcome, settling.preview(table)) {
            *preview.of(outcome) -= 1;
            *preview.of(Outcome::Blocked) += 1;
        }
        settling.dropped[table] |= !exists(record);
        settling.rounds.changed(table, id, self.is_awaited(id)?);
        self.set_outcome(id, Outcome::Blocked, Some(why))
    }

    /// Lets a record wait for another in a step, if the plan has that one.
    fn await_record(&self, step: Step, record: &Stored, table: usize, key_bytes: &[u8]) -> Result<()> {
        match self.number_of(table, key_bytes)? {
            Some(awaited) => self.wait(step.of(record.finding.table), awaited, record.finding.id),
            None => Ok(()),
        }
    }

    /// Blocks records that are to be written with a unique key whose holder keeps it, or that another written record
    /// claims too.
    fn crowded(&self, table: usize, settling: &mut Settling<'_>) -> Result<()> {
        let (strategies, which) = (settling.strategies, settling.look(Step::Crowded, table));
        let mut crowded = Vec::new();
        let mut look = |record: Stored, note: bool| -> Result<()> {
            let limits = &record.finding.limits;
            let alone = limits.holders.is_empty()
                && limits.rivals.is_empty()
                && limits.turned.is_empty()
                && limits.mixes.is_empty()
                && limits.identity.is_none();
            if alone || !arrives(&record) {
                return Ok(());
            }
            let settled = settle(self, strategies, &record)?;
            match self.in_the_way(table, strategies, &record, &settled)? {
                Some(why) => crowded.push((record, why)),
                None if note => self.await_holders(table, &record)?,
                None => {}
            }
            Ok(())
        };
        match which {
            Look::Nothing => {}
            Look::All { note } => {
                let mut after = 0;
                loop {
                    let page = self.hindered_page(table, &super::together::DECIDABLE, after, PAGE)?;
                    let Some(last) = page.last() else { break };
                    after = last.finding.id;
                    page.into_iter().try_for_each(|record| look(record, note))?;
                }
            }
            Look::Waiters(awaited) => {
                for id in self.waiters(Step::Crowded.of(table), &awaited)? {
                    self.stored(id)?.map_or(Ok(()), |record| look(record, false))?;
                }
            }
        }
        // Only now, so that of two rivals neither wins by being looked at first.
        crowded.iter().try_for_each(|(record, why)| self.block(settling, record, why))
    }

    /// Lets a record wait for all that may have, or keep, a unique key of its.
    fn await_holders(&self, table: usize, record: &Stored) -> Result<()> {
        let limits = &record.finding.limits;
        let turned = limits.turned.iter().map(|t| &t.holder);
        let holders = limits.holders.iter().chain(&limits.rivals).chain(turned).map(|h: &Holder| &h.key_bytes);
        let mixes = limits.mixes.iter().filter_map(|mix| match &mix.what {
            Mixed::Held(holder) => Some(&holder.key_bytes),
            Mixed::Claimed { key_bytes, .. } => Some(key_bytes),
            Mixed::Refused(_) | Mixed::Needs { .. } => None,
        });
        let met = limits.identity.iter().map(|identity| &identity.key_bytes);
        for key_bytes in holders.chain(mixes).chain(met) {
            self.await_record(Step::Crowded, record, table, key_bytes)?;
        }
        Ok(())
    }

    /// Blocks records that are to be written but refer to one that does not arrive.
    fn orphans(&self, table: usize, settling: &mut Settling<'_>) -> Result<()> {
        let tables = &self.meta().schema.tables;
        let own = &tables[table];
        let which = settling.look(Step::Orphans, table);
        if which == Look::Nothing {
            return Ok(());
        }
        let mut references: Vec<Reference<'_>> = Vec::new();
        for (position, foreign_key) in own.foreign_keys.iter().enumerate() {
            let Some(parent) = foreign_key.table else { continue };
            let away = self.staying_away(settling.strategies, parent, &foreign_key.references)?;
            if settling.dropped[parent] || !away.is_empty() {
                references.push((position, foreign_key, away));
            }
        }
        if references.is_empty() {
            return Ok(());
        }
        // Others than by key may be to any record.
        let by_key = |f: &ForeignKey| f.table.is_some_and(|parent| f.references == tables[parent].key);
        let is_watched = |(position, f, _): &Reference<'_>| by_key(f) && settling.watched.contains(&(table, *position));
        let note = match which {
            Look::Waiters(awaited) if references.iter().all(is_watched) => {
                for id in self.waiters(Step::Orphans.of(table), &awaited)? {
                    if let Some(record) = self.stored(id)?.filter(arrives) {
                        self.orphan(own, &record, &references, settling, false)?;
                    }
                }
                return Ok(());
            }
            Look::Waiters(_) => true,
            Look::All { note } => note,
            Look::Nothing => return Ok(()),
        };
        let mut after = 0;
        loop {
            let page = self.stored_page(table, &super::together::DECIDABLE, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.finding.id;
            for record in page.iter().filter(|r| arrives(r)) {
                self.orphan(own, record, &references, settling, note)?;
            }
        }
        if note {
            settling.watched.extend(references.iter().map(|(position, ..)| (table, *position)));
        }
        Ok(())
    }

    /// Blocks a record if it refers to one that does not arrive; else it waits, where that is noted, for those that it
    /// refers to.
    fn orphan(
        &self,
        own: &Table,
        record: &Stored,
        references: &[Reference<'_>],
        settling: &mut Settling<'_>,
        note: bool,
    ) -> Result<()> {
        let settled = settle(self, settling.strategies, record)?;
        if let Some(why) = self.lacks(record, &settled.writes, &settling.dropped)? {
            return self.block(settling, record, &why);
        }
        for (_, foreign_key, away) in references {
            let Some((parent, tuple)) = brought(record, &settled, foreign_key) else { continue };
            if let Some(why) = self.absent_parent(parent, &foreign_key.references, &tuple, away)? {
                let why = format!("{} → {why}", own.names(&foreign_key.columns).join("+"));
                return self.block(settling, record, &why);
            }
            if note && foreign_key.references == self.meta().schema.tables[parent].key {
                let bytes = self.tuple_bytes(parent, &foreign_key.references, &tuple)?;
                self.await_record(Step::Orphans, record, parent, &bytes)?;
                if let Some(renamed) = self.under_new_key(parent, &foreign_key.references, &bytes)? {
                    self.wait(Step::Orphans.of(record.finding.table), renamed.finding.id, record.finding.id)?;
                }
            }
        }
        if note {
            for mix in &record.finding.limits.mixes {
                if let Mixed::Needs { table, key_bytes, .. } = &mix.what {
                    self.await_record(Step::Orphans, record, *table, key_bytes)?;
                }
            }
        }
        Ok(())
    }
}

/// Returns the table that a record refers to with what is written, and by which values.
fn brought(record: &Stored, settled: &Settled, foreign_key: &ForeignKey) -> Option<(usize, Vec<Value>)> {
    let value = |c: &usize| settled.writes.iter().find(|(w, _)| w == c).map(|(_, v)| v.clone());
    let tuple: Option<Vec<Value>> = foreign_key.columns.iter().map(value).collect();
    let tuple = tuple.filter(|t| !t.iter().any(Value::is_null))?;
    let kind = foreign_key.when.as_ref().and_then(|(c, _)| {
        let current = || record.finding.fields.iter().find(|f| f.column == *c)?.current.clone();
        value(c).or_else(current)
    });
    foreign_key.applies(|_| kind.as_ref()).then_some((foreign_key.table?, tuple))
}
