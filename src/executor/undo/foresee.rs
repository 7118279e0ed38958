//! What can't be taken back, known before anybody is asked: the lists of an undo are what will happen.
//!
//! What comes back may refer only to the records that it referred to. Where one of those does not come back, because
//! another has its key or its value by now, those that refer to it stay away too. Everything else that would be refused
//! is found by preparing the undo as the merge prepares it.

use super::{Making, PAGE, key_bytes, key_values};
use crate::analyzer::Findings;
use crate::error::Result;
use crate::executor::MergeOptions;
use crate::executor::names::name;
use crate::executor::order;
use crate::executor::prepare::Prepare;
use crate::executor::receipt::{Image, Receipt};
use crate::executor::recover::differing;
use crate::executor::write::first_meta;
use crate::model::change::{Class, Reason};
use crate::model::{ForeignKey, Key, OwnedCell, encode};
use crate::plan::{ActionKind, Outcome, Selector, Stored};
use crate::progress::Quiet;
use std::collections::{BTreeSet, HashMap};

/// What records named before the merge, and do not name again after the undo; each with the record.
type Lost = HashMap<u128, String>;

impl Making<'_> {
    /// Blocks what would be refused, and what would refer to another record than it did, until nothing changes any more.
    pub(super) fn foresee(&mut self, chosen: &[usize]) -> Result<()> {
        loop {
            let changed = self.block_referenced(chosen)? || self.block_misled(chosen)? || self.block_refused(chosen)?;
            if !changed {
                return Ok(());
            }
        }
    }

    /// Blocks a record that was to be taken back.
    pub(super) fn block(&mut self, id: i64, reason: Reason, why: &str) -> Result<()> {
        let found = self.plan.page(&Selector::default(), id - 1, 1)?.records.pop();
        let Some(Stored { mut finding, .. }) = found.filter(|r| r.finding.id == id) else { return Ok(()) };
        (finding.class, finding.reason, finding.note) = (Class::Blocked, reason, Some(why.to_owned()));
        self.plan.revise(&finding)?;
        self.plan.mark(id, Outcome::Blocked, Some(why))
    }

    /// Prepares the undo as it will be prepared, on paper; blocks what that refuses, and says whether there was any.
    ///
    /// # Errors
    /// `Refused` for records that can't be written in any order.
    fn block_refused(&mut self, chosen: &[usize]) -> Result<bool> {
        let scratch = tempfile::tempdir()?;
        let mut receipt = Receipt::scratch(scratch.path(), first_meta(&self.plan, &MergeOptions::default(), None))?;
        let view = self.snapshot.as_mut();
        let (plan, database) = (&self.plan, self.database);
        let prepared = Prepare { plan, database, view, receipt: &mut receipt, progress: &Quiet }.run()?;
        let refused: Vec<_> = prepared.stale.into_iter().chain(prepared.blocked).collect();
        if refused.is_empty() {
            let (schema, parked) = (&self.plan.meta().schema, &prepared.parked);
            order::order(schema, chosen, self.database.capabilities(), parked, &mut receipt)?;
        }
        for refusal in &refused {
            self.block(refusal.record, refusal.reason, &refusal.why)?;
        }
        Ok(!refused.is_empty())
    }

    /// Finds what records of the receipt named before and do not name afterwards: they stay deleted, or keep a new value.
    fn lost(&mut self, chosen: &[usize]) -> Result<Lost> {
        let mut lost = Lost::new();
        let tables = 0..self.receipt.meta().schema.tables.len();
        let mut wrote = Vec::new();
        for table in tables {
            if self.receipt.wrote(table)? {
                wrote.push(table);
            }
        }
        let comes_back = self.plan.outcome_counts()?.iter().all(|(_, outcome, _)| outcome.writes());
        if comes_back && wrote.iter().all(|t| chosen.contains(t)) {
            return Ok(lost);
        }
        let fitted = self.fitted;
        for table in wrote.into_iter().filter(|t| fitted.there(*t, "").is_ok()) {
            let to = |f: &ForeignKey| (f.table == Some(table)).then(|| f.references.clone());
            let named: BTreeSet<Vec<usize>> =
                fitted.schema.tables.iter().flat_map(|t| t.foreign_keys.iter().filter_map(to)).collect();
            for kind in [ActionKind::Update, ActionKind::Delete] {
                let mut after = (0, 0);
                while !named.is_empty() {
                    let images = self.receipt.ordered(kind, table, after, PAGE)?;
                    let Some(last) = images.last() else { break };
                    after = (last.level, last.id);
                    self.lost_of(table, &named, images, &mut lost)?;
                }
            }
        }
        Ok(lost)
    }

    /// Adds what some records of a table named and do not name again.
    fn lost_of(
        &mut self,
        table: usize,
        named: &BTreeSet<Vec<usize>>,
        images: Vec<Image>,
        lost: &mut Lost,
    ) -> Result<()> {
        let fitted = self.fitted;
        let (then, target) = (&self.receipt.meta().schema.tables[table], &fitted.schema.tables[table]);
        let mut stays = Vec::new();
        for image in images {
            match fitted.image(then, image, self.database) {
                Ok(image) => {
                    let found = self.plan.by_key(table, &key_bytes(target, &image.key))?;
                    if !found.and_then(|r| r.outcome).is_some_and(Outcome::writes) {
                        stays.push(image);
                    }
                }
                Err((image, _)) => {
                    let before = fitted.carried(&image);
                    let called = format!("{}/{}", target.label(), Key(key_values(then, &image.key)));
                    for columns in named {
                        let own = name(&fitted.schema, &before, (table, columns), (table, columns));
                        lost.extend(own.map(|own| (own, called.clone())));
                    }
                }
            }
        }
        let now = if target.key.is_empty() { vec![None; stays.len()] } else { self.now(target, &stays)? };
        for (image, now) in stays.iter().zip(now) {
            // Whoever brought back the very record, or its value, brought back what was referred to.
            let same = |columns: &[usize]| {
                now.as_deref().is_some_and(|now| match image.kind {
                    ActionKind::Delete => differing(target, &image.before, now).is_empty(),
                    ActionKind::Insert | ActionKind::Update => columns.iter().all(|&c| image.before[c] == now[c]),
                })
            };
            let called = format!("{}/{}", target.label(), Key(key_values(target, &image.key)));
            for columns in named.iter().filter(|columns| !same(columns)) {
                let own = name(&fitted.schema, &image.before, (table, columns), (table, columns));
                lost.extend(own.map(|own| (own, called.clone())));
            }
        }
        Ok(())
    }

    /// Blocks records that would come back and refer to another record than they did.
    fn block_misled(&mut self, chosen: &[usize]) -> Result<bool> {
        let lost = self.lost(chosen)?;
        if lost.is_empty() {
            return Ok(false);
        }
        let mut misled: Vec<(i64, String)> = Vec::new();
        for &table in chosen {
            let own = &self.fitted.schema.tables[table];
            if own.foreign_keys.iter().all(|f| f.table.is_none()) {
                continue;
            }
            for outcome in [Outcome::Inserted, Outcome::Updated] {
                let selector = Selector { table: Some(table), outcome: Some(outcome), ..Selector::default() };
                let mut after = 0;
                loop {
                    let page = self.plan.page(&selector, after, PAGE)?.records;
                    let Some(last) = page.last() else { break };
                    after = last.finding.id;
                    for record in page {
                        if let Some(why) = self.misled(table, &record, &lost)? {
                            misled.push((record.finding.id, why));
                        }
                    }
                }
            }
        }
        for (id, why) in &misled {
            self.block(*id, Reason::MissingParent, why)?;
        }
        Ok(!misled.is_empty())
    }

    /// Says which reference of a record would lead to another one than it did, if one would.
    fn misled(&mut self, table: usize, record: &Stored, lost: &Lost) -> Result<Option<String>> {
        let fitted = self.fitted;
        let own = &fitted.schema.tables[table];
        let action = self.plan.action(record.finding.id)?;
        let mut cells = vec![OwnedCell::Absent; own.columns.len()];
        if record.outcome == Some(Outcome::Updated) {
            let key = own.key.iter().zip(&record.finding.key);
            let key = key.map(|(&c, v)| self.database.store_any(&own.columns[c], v).unwrap_or(OwnedCell::Null));
            self.snapshot.fetch(own, &own.key, &[key.collect()], &mut |_, now| {
                cells = now.iter().map(|&c| OwnedCell::from(c)).collect();
                Ok(())
            })?;
        }
        action.columns.iter().zip(action.cells).for_each(|(&c, cell)| cells[c] = cell);
        let comes = |f: &&ForeignKey| f.columns.iter().any(|c| action.columns.contains(c));
        for foreign_key in own.foreign_keys.iter().filter(comes) {
            let Some(parent) = foreign_key.table else { continue };
            let kind = foreign_key.when.as_ref();
            let kind = kind.and_then(|(c, _)| encode::value_of(cells[*c].as_cell(), &own.columns[*c]));
            if !foreign_key.applies(|_| kind.as_ref()) {
                continue;
            }
            let names = name(&fitted.schema, &cells, (table, &foreign_key.columns), (parent, &foreign_key.references));
            if let Some(was) = names.and_then(|n| lost.get(&n)) {
                let columns = own.names(&foreign_key.columns).join("+");
                return Ok(Some(format!("{columns} → {was}, which does not come back")));
            }
        }
        Ok(None)
    }
}
