//! What becomes of records because of what becomes of others: parents that don't arrive, unique keys that stay with their
//! holder or are claimed twice, mixtures that collide.

use super::rounds::Settling;
use super::values::StayingAway;
use super::{Origin, Preview, Settled, Strategies, Target, arrives, is_gone, is_mixed, mixes, origin, settle};
use crate::analyzer::{Holder, Mixed, graph};
use crate::error::Result;
use crate::model::change::{Class, Reason};
use crate::model::{ForeignKey, Key, Value};
use crate::plan::early::Tally;
use crate::plan::store::Stored;
use crate::plan::{Outcome, Plan, PlanKind, identity};
use crate::progress::Progress;

/// Records settled in one go.
const PAGE: usize = 1_000;

/// The classes whose records a merge may write.
pub(super) const DECIDABLE: [Class; 5] =
    [Class::New, Class::Updated, Class::Conflict, Class::Blocked, Class::CurrentOnly];

/// Tells whether a record, as it would be written, wants what another has: only with the backup's values in it.
fn touches(record: &Stored, settled: &Settled, other: &Holder) -> bool {
    let own = match settled.target {
        Target::Existing(..) => record.finding.limits.identity.as_ref().map(|i| &i.key_bytes),
        Target::Own | Target::New => None,
    };
    let origins: Vec<Origin> = other.columns.iter().map(|&c| origin(record, &settled.writes, c)).collect();
    origins.contains(&Origin::Backup) && !origins.contains(&Origin::Elsewhere) && own != Some(&other.key_bytes)
}

impl Plan {
    /// Settles every record and stores the outcomes; returns the counts per table, in the plan's order, and in all.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`, `Usage` for a strategy or decision that does not fit any more.
    pub fn settle(&mut self, progress: &dyn Progress) -> Result<(Preview, Vec<(usize, Preview)>)> {
        if self.meta().kind != PlanKind::Merge {
            return self.outcomes();
        }
        let strategies = Strategies::of(self)?;
        let early = self.early.take();
        let order = graph::order(&self.meta().schema).tables;
        self.sql("SAVEPOINT settle")?;
        self.assign_keys(&strategies)?;
        let early = early.filter(|_| !self.has_remaps());
        let mut settling = Settling::new(&strategies, self.meta().schema.tables.len());
        // Tables of which some record is left out whose key current uses for another one.
        let mut strangers = settling.dropped.clone();
        let planned: Vec<usize> =
            order.into_iter().filter(|t| self.meta().tables.iter().any(|r| r.table == *t)).collect();
        for &table in &planned {
            let tally = match early.as_ref().and_then(|early| early.of(table)) {
                Some(tally) => tally,
                None => self.settle_table(table, &strategies, progress)?,
            };
            settling.dropped[table] = tally.drops;
            strangers[table] = tally.strangers;
            settling.making.extend(tally.makes.then_some(table));
            settling.previews.push((table, tally.preview));
        }
        self.go_round(&mut settling, progress)?;
        let previews = settling.previews;
        for &table in &planned {
            self.adopted(table, &strategies, &strangers)?;
        }
        self.outcomes_hold()?;
        self.sql("RELEASE settle")?;
        let mut total = Preview::default();
        for (_, preview) in &previews {
            total.inserted += preview.inserted;
            total.updated += preview.updated;
            total.deleted += preview.deleted;
            total.kept_newer += preview.kept_newer;
            total.kept += preview.kept;
            total.skipped += preview.skipped;
            total.undecided += preview.undecided;
            total.blocked += preview.blocked;
        }
        Ok((total, previews))
    }

    /// Counts the outcomes of an undo: they were settled when it was made.
    fn outcomes(&self) -> Result<(Preview, Vec<(usize, Preview)>)> {
        let mut previews: Vec<(usize, Preview)> =
            self.meta().tables.iter().map(|t| (t.table, Preview::default())).collect();
        let mut total = Preview::default();
        for (table, outcome, count) in self.outcome_counts()? {
            *total.of(outcome) += count;
            if let Some((_, preview)) = previews.iter_mut().find(|(t, _)| *t == table) {
                *preview.of(outcome) += count;
            }
        }
        Ok((total, previews))
    }

    fn settle_table(&mut self, table: usize, strategies: &Strategies, progress: &dyn Progress) -> Result<Tally> {
        let mut tally = Tally::default();
        let label = self.meta().schema.tables[table].label();
        let (mut after, mut done) = (0, 0);
        loop {
            progress.go_on()?;
            let page = self.stored_page(table, &DECIDABLE, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(tally) };
            after = last.finding.id;
            done += page.len() as u64;
            for record in &page {
                let settled = settle(self, strategies, record)?;
                tally.count(&self.meta().schema.tables[table], record, &settled);
                // Under its old key is another one.
                tally.drops |= settled.outcome != Outcome::Inserted && identity::moved(self, record)?.is_some();
                if record.outcome != Some(settled.outcome) || record.why != settled.why {
                    self.set_outcome(record.finding.id, settled.outcome, settled.why.as_deref())?;
                }
            }
            progress.advance(&label, done, None);
        }
    }

    /// Says of records that are written with a reference to one that is left out, and whose key current uses for another one,
    /// under whom they come.
    fn adopted(&mut self, table: usize, strategies: &Strategies, strangers: &[bool]) -> Result<()> {
        let schema = self.meta().schema.clone();
        let own = &schema.tables[table];
        let of_strangers =
            |f: &&ForeignKey| f.table.is_some_and(|p| strangers[p] && f.references == schema.tables[p].key);
        for foreign_key in own.foreign_keys.iter().filter(of_strangers) {
            let parent = foreign_key.table.expect("filtered above");
            let target = &schema.tables[parent];
            let mut after = 0;
            loop {
                let page = self.stored_page(table, &DECIDABLE, after, PAGE)?;
                let Some(last) = page.last() else { break };
                after = last.finding.id;
                for record in page.iter().filter(|r| arrives(r)) {
                    let writes = settle(self, strategies, record)?.writes;
                    // A value that a person gave is meant as current has it.
                    let brought = |c: &usize| {
                        let (_, value) = writes.iter().find(|(w, _)| w == c)?;
                        (origin(record, &writes, *c) == Origin::Backup).then(|| value.clone())
                    };
                    let tuple: Option<Vec<Value>> = foreign_key.columns.iter().map(brought).collect();
                    let kind = |c: usize| writes.iter().find(|(w, _)| *w == c).map(|(_, v)| v);
                    let Some(tuple) = tuple.filter(|_| foreign_key.applies(kind)) else { continue };
                    let bytes = self.tuple_bytes(parent, &foreign_key.references, &tuple)?;
                    let stranger = |r: &Stored| r.finding.reason == Reason::ReusedKey && !arrives(r);
                    if self.stored_by_key(parent, &bytes)?.as_ref().is_some_and(stranger) {
                        let (names, name) = (own.names(&foreign_key.columns).join("+"), Key(tuple));
                        let why =
                            format!("{names} → {}/{name}: current has another record under that key", target.label());
                        self.set_outcome(record.finding.id, record.outcome.expect("it arrives"), Some(&why))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Says what has a unique key of a record as it would be written, if anything keeps it or claims it too.
    pub(in crate::plan) fn in_the_way(
        &self,
        table: usize,
        strategies: &Strategies,
        record: &Stored,
        settled: &Settled,
    ) -> Result<Option<String>> {
        let limits = &record.finding.limits;
        let mut in_the_way = self.met_twice(record, settled)?;
        for holder in limits.holders.iter().filter(|h| touches(record, settled, h)) {
            if !self.gives_up(table, strategies, holder)? {
                in_the_way = Some(holder.text.clone());
            }
        }
        for mixed in mixes(record, &settled.writes) {
            in_the_way = self.collides(table, strategies, mixed)?.or(in_the_way);
        }
        for turned in &limits.turned {
            if identity::claims(self, record, settled, turned)? && !self.gives_up(table, strategies, &turned.holder)? {
                in_the_way = Some(turned.holder.text.clone());
            }
        }
        for rival in limits.rivals.iter().filter(|r| touches(record, settled, r)) {
            if self.claims(table, strategies, rival)? {
                in_the_way = Some(rival.text.clone());
            }
        }
        Ok(in_the_way)
    }

    /// Says what keeps a unique key of a record as it would be written, whatever is answered to others: a current record
    /// that this merge can't change.
    pub(in crate::plan) fn in_the_way_for_good(&self, record: &Stored, settled: &Settled) -> Result<Option<String>> {
        let limits = &record.finding.limits;
        let mixed = mixes(record, &settled.writes).filter_map(|mixed| match mixed {
            Mixed::Held(holder) => Some(holder),
            Mixed::Refused(_) | Mixed::Needs { .. } | Mixed::Claimed { .. } => None,
        });
        for holder in limits.holders.iter().filter(|h| touches(record, settled, h)).chain(mixed) {
            let found = self.stored_by_key(record.finding.table, &holder.key_bytes)?;
            let changeable = |class| matches!(class, Class::Updated | Class::Conflict | Class::CurrentOnly);
            if !found.is_some_and(|found| changeable(found.finding.class)) {
                return Ok(Some(holder.text.clone()));
            }
        }
        Ok(None)
    }

    /// Says which record a mixture of both sides refers to that is not there after the merge.
    pub(super) fn lacks(&self, record: &Stored, writes: &[(usize, Value)], dropped: &[bool]) -> Result<Option<String>> {
        for mixed in mixes(record, writes) {
            let Mixed::Needs { table, key_bytes, text } = mixed else { continue };
            let found = if dropped[*table] { self.stored_by_key(*table, key_bytes)? } else { None };
            if found.is_some_and(|parent| is_gone(&parent)) {
                return Ok(Some(format!("{text} is not there after this merge")));
            }
        }
        Ok(None)
    }

    /// Says what has the unique key of a mixture of both sides, if anything has it after the merge.
    fn collides(&self, table: usize, strategies: &Strategies, mixed: &Mixed) -> Result<Option<String>> {
        match mixed {
            Mixed::Held(holder) => Ok((!self.gives_up(table, strategies, holder)?).then(|| holder.text.clone())),
            Mixed::Claimed { key_bytes, with, without, text } => {
                let Some(found) = self.stored_by_key(table, key_bytes)?.filter(arrives) else { return Ok(None) };
                let writes = settle(self, strategies, &found)?.writes;
                Ok(is_mixed(&found, &writes, with, without).then(|| text.clone()))
            }
            Mixed::Refused(_) | Mixed::Needs { .. } => Ok(None),
        }
    }

    /// Tells whether a rival takes the unique key in this merge.
    fn claims(&self, table: usize, strategies: &Strategies, rival: &Holder) -> Result<bool> {
        let Some(found) = self.stored_by_key(table, &rival.key_bytes)?.filter(arrives) else { return Ok(false) };
        let writes = settle(self, strategies, &found)?.writes;
        Ok(writes.iter().any(|(c, _)| rival.columns.contains(c)))
    }

    /// Tells whether the holder of a unique key lets go of it in this merge.
    fn gives_up(&self, table: usize, strategies: &Strategies, holder: &Holder) -> Result<bool> {
        let Some(found) = self.stored_by_key(table, &holder.key_bytes)? else { return Ok(false) };
        Ok(match found.outcome {
            Some(Outcome::Deleted) => true,
            Some(Outcome::Updated) => {
                let writes = settle(self, strategies, &found)?.writes;
                let changes = |column: usize, value: &Value| {
                    found.finding.fields.iter().any(|f| f.column == column && f.current.as_ref() != Some(value))
                };
                !holder.stays && writes.iter().any(|(c, v)| holder.columns.contains(c) && changes(*c, v))
            }
            _ => false,
        })
    }

    /// Says which parent is missing after the merge, if the plan knows of it that it is.
    pub(super) fn absent_parent(
        &self,
        parent: usize,
        references: &[usize],
        tuple: &[Value],
        away: &StayingAway,
    ) -> Result<Option<String>> {
        let target = &self.meta().schema.tables[parent];
        let bytes = self.tuple_bytes(parent, references, tuple)?;
        if references != target.key {
            return Ok(away.get(&bytes).map(|record| {
                let columns = target.names(references).join("+");
                format!("{record} does not get this {columns} in this merge")
            }));
        }
        let mut found = self.stored_by_key(parent, &bytes)?;
        if found.is_none() {
            let there = |r: &Stored| {
                let already = r.finding.limits.already.as_ref().is_some_and(|a| a.key_bytes == bytes);
                arrives(r) || already || r.finding.reason == Reason::UniqueTaken
            };
            let missing = |r: &Stored| r.outcome == Some(Outcome::Blocked) || !there(r);
            found = self.under_new_key(parent, references, &bytes)?.filter(missing);
            return Ok(found.map(|record| {
                let how = if record.outcome == Some(Outcome::Blocked) { "blocked" } else { "not brought" };
                format!("{} is {how}", target.named(&record.finding.key))
            }));
        }
        Ok(found.and_then(|record| {
            is_gone(&record).then(|| format!("{} is not there after this merge", target.named(&record.finding.key)))
        }))
    }
}
