//! What can be foreseen about the records that differ: values that don't fit, constraints, unique keys that are held,
//! parents that are missing, references that a deletion would leave dangling.
//!
//! Runs after the join, over the findings only, so that its cost follows what differs and not what there is.

mod cascades;
mod constraints;
mod deletions;
mod follow;
mod identity;
mod mixed;
mod parents;
mod spellings;
mod storing;
mod twice;

use super::mapping::Mapping;
use super::options::{Options, Parents};
use super::rounds::{Look, Rounds};
use super::run::Repeats;
use super::{Finding, Findings, TableResult, graph};
use crate::database::{Database, Snapshot};
use crate::error::Result;
use crate::model::change::{Class, Reason};
use crate::model::{Cell, OwnedCell, Table, Value, encode};
use crate::progress::Progress;
pub(super) use spellings::{Spellings, by_database, forms};
use std::collections::{BTreeSet, HashMap};
pub(super) use storing::{Native, Storing};

/// Findings looked at in one go.
const PAGE: usize = 500;

/// A record as far as it is known: one value per column.
type Record = Vec<Option<Value>>;

/// Looks at findings; told whether to note who waits for whom.
type LookAt<'f, C> = dyn FnMut(&mut C, Vec<Finding>, bool) -> Result<()> + 'f;

/// The pass over what differs.
pub(super) struct Check<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) options: &'a Options,
    pub(super) database: &'a dyn Database,
    /// What the database can hold of the backup's values.
    pub(super) storing: &'a Storing<'a>,
    /// Tables of which the pass has not seen that all their values can be stored.
    pub(super) unproven: BTreeSet<usize>,
    pub(super) snapshot: &'a mut dyn Snapshot,
    pub(super) findings: &'a mut dyn Findings,
    pub(super) tables: &'a mut [TableResult],
    /// Tables in which a new record may be the second of its key, with what the backup had of records left as they are.
    pub(super) doubtful: Vec<(usize, Repeats)>,
    /// Tables of which a record was pulled in as a parent since they were checked.
    pub(super) pulled_in: BTreeSet<usize>,
    /// Which spelling stands for texts that the database holds equal.
    pub(super) spelled: Spellings,
    /// Tables and columns by whose values their findings are found.
    pub(super) named: BTreeSet<(usize, Vec<usize>)>,
    /// Which records got another class, and who has to be looked at again for it.
    pub(super) rounds: Rounds,
    /// How many changes there were in what refers to a table when it was last looked at.
    pub(super) cascaded: HashMap<usize, usize>,
    pub(super) progress: &'a dyn Progress,
}

/// What is looked at in rounds, table by table.
#[derive(Clone, Copy)]
enum Step {
    Deletions,
    Held,
    Parents,
}

impl Step {
    fn of(self, table: usize) -> usize {
        table * 3 + self as usize
    }
}

impl Check<'_> {
    pub(super) fn run(&mut self) -> Result<()> {
        let order: Vec<usize> =
            graph::order(&self.mapping.schema).tables.into_iter().filter(|t| self.result(*t).is_some()).collect();
        for &table in &order {
            if let Some(at) = self.doubtful.iter().position(|(t, _)| *t == table) {
                let (_, repeats) = self.doubtful.swap_remove(at);
                self.twice(table, repeats)?;
            }
        }
        self.spellings(&order)?;
        for &table in &order {
            if self.unproven.contains(&table) {
                self.storable(table)?;
            }
            self.cascades(table)?;
        }
        for &table in &order {
            self.claims(table)?;
        }
        self.deletions(&order)?;
        // Records only ever leave the set of those that arrive, so that this ends, and ends alike in any order.
        loop {
            let mut changed = false;
            for &table in &order {
                changed |= self.cascades(table)?;
                // To its end before parents are looked at, so that the reason does not depend on the records' order.
                while self.held(table)? {
                    changed = true;
                }
                if self.options.parents != Parents::None {
                    changed |= self.parents(table)?;
                }
            }
            // A parent that was pulled in has to meet what every arriving record has to meet.
            for table in std::mem::take(&mut self.pulled_in) {
                self.storable(table)?;
                self.claims(table)?;
                self.cascaded.remove(&table);
                [Step::Held, Step::Parents].iter().for_each(|step| self.rounds.forget(step.of(table)));
            }
            if !changed {
                break;
            }
        }
        for &table in &order {
            self.identities(table)?;
        }
        for &table in &order {
            self.follow(table)?;
        }
        Ok(())
    }

    /// Visits the findings of a table that a step has to look at, of those that have one of the classes; the function is told
    /// whether to note who waits for whom.
    fn round(&mut self, (step, table): (Step, usize), classes: &[Class], look: &mut LookAt<'_, Self>) -> Result<()> {
        let which = self.rounds.look(step.of(table));
        self.visit((step, table), &which, classes, look)
    }

    /// As [`Check::round`], for a look that has begun.
    fn visit(
        &mut self,
        (step, table): (Step, usize),
        which: &Look,
        classes: &[Class],
        look: &mut LookAt<'_, Self>,
    ) -> Result<()> {
        match which {
            Look::Nothing => Ok(()),
            Look::All { note } => self.each(table, classes, &mut |check, page| look(check, page, *note)),
            Look::Waiters(awaited) => {
                let mut waiters = self.findings.waiters(step.of(table), awaited)?;
                waiters.retain(|finding| classes.contains(&finding.class));
                waiters.chunks(PAGE).try_for_each(|page| look(self, page.to_vec(), true))
            }
        }
    }

    fn result(&mut self, table: usize) -> Option<&mut TableResult> {
        self.tables.iter_mut().find(|t| t.table == table)
    }

    /// Visits every finding of a table that has one of the classes.
    fn each(
        &mut self,
        table: usize,
        classes: &[Class],
        visit: &mut dyn FnMut(&mut Self, Vec<Finding>) -> Result<()>,
    ) -> Result<()> {
        let label = self.mapping.schema.tables[table].label();
        let (mut after, mut done) = (0, 0);
        loop {
            self.progress.go_on()?;
            let page = self.findings.page(table, classes, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            done += page.len() as u64;
            visit(self, page)?;
            self.progress.advance(&label, done, None);
        }
    }

    /// Gives a finding another class, keeping the counts true.
    fn reclass(&mut self, finding: &mut Finding, class: Class, reason: Reason, note: Option<String>) -> Result<()> {
        let before = finding.class;
        (finding.class, finding.reason, finding.note) = (class, reason, note);
        self.findings.revise(finding)?;
        let is_awaited = self.findings.is_awaited(finding.id)?;
        self.rounds.changed(finding.table, finding.id, is_awaited);
        let result = self.result(finding.table).expect("a finding's table has a result");
        *result.counts.of(before) -= 1;
        *result.counts.of(class) += 1;
        Ok(())
    }

    /// Turns values read from the current database back into its cells.
    fn stored(&self, table: &Table, columns: &[usize], values: &[Value]) -> Option<Vec<OwnedCell>> {
        columns.iter().zip(values).map(|(&c, v)| self.database.store_any(&table.columns[c], v).ok()).collect()
    }

    /// Returns the whole record as it would be with everything taken from the backup: one value per column.
    ///
    /// A record that changed so that it is no longer found keeps what the finding says; the merge will see it stale.
    fn complete(&mut self, table: usize, page: &[Finding]) -> Result<Vec<Vec<Option<Value>>>> {
        let target = &self.mapping.schema.tables[table];
        let mut records: Vec<Vec<Option<Value>>> = vec![vec![None; target.columns.len()]; page.len()];
        let existing: Vec<usize> = (0..page.len()).filter(|&p| !page[p].current_digests.is_empty()).collect();
        let wanted: Vec<Vec<OwnedCell>> = existing
            .iter()
            .map(|&p| {
                self.stored(target, &target.key, &page[p].key)
                    .unwrap_or_else(|| vec![OwnedCell::Null; target.key.len()])
            })
            .collect();
        if !wanted.is_empty() {
            self.snapshot.fetch(target, &target.key, &wanted, &mut |position, cells| {
                records[existing[position]] = values(target, cells);
                Ok(())
            })?;
        }
        overlay(&mut records, page);
        Ok(records)
    }

    /// Returns of each record what the backup brings: one value per column, none where current keeps its own.
    fn brought(&self, table: usize, page: &[Finding]) -> Vec<Vec<Option<Value>>> {
        let mut records = vec![vec![None; self.mapping.schema.tables[table].columns.len()]; page.len()];
        overlay(&mut records, page);
        records
    }
}

/// Lays what the backup brings over records.
fn overlay(records: &mut [Vec<Option<Value>>], page: &[Finding]) {
    for (record, finding) in records.iter_mut().zip(page) {
        for field in finding.fields.iter().filter(|f| f.backup.is_some()) {
            record[field.column].clone_from(&field.backup);
        }
    }
}

/// Reads one record's cells as values.
fn values(table: &Table, cells: &[Cell<'_>]) -> Vec<Option<Value>> {
    cells.iter().zip(&table.columns).map(|(cell, column)| encode::value_of(*cell, column)).collect()
}

/// Returns the values of some columns of a record, if all are there and none is null.
fn tuple(record: &[Option<Value>], columns: &[usize]) -> Option<Vec<Value>> {
    columns.iter().map(|&c| record[c].clone().filter(|v| !v.is_null())).collect()
}

/// Encodes a tuple as the join encodes keys: by its spelling, where only the database knows what is equal.
fn tuple_bytes(table: &Table, columns: &[usize], values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (&column, value) in columns.iter().zip(values) {
        encode::encode_key_part(value, table.columns[column].collation, &mut bytes);
    }
    bytes
}

/// Writes `email = a@x` or `category = a, key = b`.
fn tuple_text(table: &Table, columns: &[usize], values: &[Value]) -> String {
    let parts: Vec<String> = columns
        .iter()
        .zip(values)
        .map(|(&c, v)| format!("{} = {}", table.columns[c].name, table.shown(c, v)))
        .collect();
    parts.join(", ")
}
