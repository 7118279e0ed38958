//! One attempt at the transaction: prepare, note the intent, write, read back, check, end (CHECKS 2, S9–S21).

use super::prepare::{Parked, Prepare, Prepared, Refusal};
use super::receipt::{Counted, Image, Keyless, Receipt, ReceiptMeta, State};
use super::{Ending, Home, LISTED, MergeOptions, MergeReport, OnBlocked, OnStale, audit, home, nothing_changed};
use crate::database::{Database, RowUpdate, Transaction};
use crate::error::{Error, ErrorKind, Result, fail};
use crate::model::compare::same;
use crate::model::schema::Engine;
use crate::model::{OwnedCell, Table, encode};
use crate::plan::{ActionKind, Plan, PlanKind};
use crate::progress::{Phase, Progress, failpoint};
use std::collections::{BTreeMap, HashMap};

/// Records written in one go.
const BATCH: usize = 500;

pub(super) fn attempt(
    plan: &mut Plan,
    database: &mut dyn Database,
    home: &Home,
    options: &MergeOptions,
    progress: &dyn Progress,
) -> Result<MergeReport> {
    progress.phase(Phase::Lock);
    super::receipt::sweep(home)?;
    let mut transaction = database.begin(&options.write)?;
    failpoint("begun");
    // A dry run keeps its images in a folder that goes away with it.
    let scratch = if options.ending == Ending::RollBack { Some(tempfile::tempdir()?) } else { None };
    let receipts = scratch.as_ref().map_or_else(|| home.receipts(), |s| s.path().to_owned());
    let mut receipt = Receipt::create(&receipts, first_meta(plan, options, transaction.id()?))?;
    failpoint("receipt-started");
    progress.phase(Phase::Record);
    let prepared = match prepare(plan, database, transaction.as_mut(), &mut receipt, options, progress) {
        Ok(prepared) => prepared,
        Err(error) => {
            transaction.rollback()?;
            receipt.discard()?;
            return Err(nothing_changed(error));
        }
    };
    if prepared.counts.writes() == 0 {
        transaction.rollback()?;
        receipt.discard()?;
        return Ok(report(plan, &prepared, None, Vec::new()));
    }
    match keyless(plan, transaction.as_mut(), &prepared) {
        Ok(keyless) => receipt.set_counts(Counted::from(&prepared.counts), keyless),
        Err(error) => {
            transaction.rollback()?;
            receipt.discard()?;
            return Err(nothing_changed(error));
        }
    }
    failpoint("prepared");
    receipt.seal_intent()?;
    failpoint("intent");
    let mut writing =
        Writing { plan, transaction: transaction.as_mut(), receipt: &mut receipt, parked: &prepared.parked, progress };
    let notes = match writing.run() {
        Ok(notes) => notes,
        Err(error) => {
            // After an error nothing more is said on this connection but ROLLBACK (CHECKS 1.3).
            let _ = transaction.rollback();
            receipt.set_state(|m| m.state = State::RolledBack)?;
            return Err(nothing_changed(error));
        }
    };
    if options.ending == Ending::RollBack {
        transaction.rollback()?;
        return Ok(report(plan, &prepared, None, notes));
    }
    progress.phase(Phase::Commit);
    failpoint("before-commit");
    if let Err(error) = transaction.commit() {
        let state = if error.kind() == ErrorKind::OutcomeUnknown { State::Unknown } else { State::RolledBack };
        receipt.set_state(|m| m.state = state)?;
        return Err(match state {
            State::Unknown => error.hint("Run 'merganser status': it finds out whether the merge is there."),
            _ => nothing_changed(error),
        });
    }
    failpoint("after-commit");
    finish(plan, database, home, receipt, &prepared, notes)
}

/// Everything after the commit: nothing here may make the caller believe that nothing was written.
fn finish(
    plan: &Plan,
    database: &mut dyn Database,
    home: &Home,
    mut receipt: Receipt,
    prepared: &Prepared,
    mut notes: Vec<String>,
) -> Result<MergeReport> {
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let noted = receipt.set_state(|m| {
        m.state = State::Committed;
        m.committed_at = Some(now);
        m.unfinished = true;
    });
    if let Err(error) = noted {
        notes.push(format!(
            "the merge is done, but the receipt could not be completed ({}); run 'merganser status'",
            error.full_message()
        ));
    }
    failpoint("marked");
    let tables: Vec<&Table> = prepared
        .tables
        .iter()
        .filter(|(_, counts)| counts.inserted > 0)
        .map(|(t, _)| &plan.meta().schema.tables[*t])
        .collect();
    if let Err(error) = database.advance_counters(&tables) {
        notes.push(format!(
            "the merge is done, but counters could not be moved forward ({}); run 'merganser status'",
            error.full_message()
        ));
    }
    failpoint("counted");
    match audit::append(home, receipt.meta()) {
        Ok(()) => {
            failpoint("audited");
            // If this is lost, the last two steps are taken again, and find that they were taken.
            let _ = receipt.set_state(|m| m.unfinished = false);
        }
        Err(error) => {
            notes.push(format!("the merge is done, but the audit log could not be written ({})", error.full_message()));
        }
    }
    failpoint("finished");
    Ok(report(plan, prepared, Some(&receipt), notes))
}

fn first_meta(plan: &Plan, options: &MergeOptions, transaction: Option<String>) -> ReceiptMeta {
    let meta = plan.meta();
    let letter = if meta.kind == PlanKind::Merge { 'm' } else { 'u' };
    ReceiptMeta {
        id: home::fresh_id(letter),
        plan: meta.id.clone(),
        kind: meta.kind.clone(),
        state: State::Intent,
        started_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        committed_at: None,
        actor: options.actor.clone(),
        note: options.note.clone(),
        backup: meta.backup.as_ref().map(|b| (b.path.clone(), b.digest.clone())),
        database: meta.database.clone(),
        transaction,
        schema: meta.schema.clone(),
        counts: Counted::default(),
        unfinished: false,
        keyless: Vec::new(),
    }
}

/// Notes how the tables without a key are before records are added to them.
fn keyless(plan: &Plan, transaction: &mut dyn Transaction, prepared: &Prepared) -> Result<Vec<Keyless>> {
    let mut found = Vec::new();
    for (table, _) in prepared.tables.iter().filter(|(_, counts)| counts.inserted > 0) {
        let target = &plan.meta().schema.tables[*table];
        if target.key.is_empty() {
            found.push(super::recover::keyless(transaction, *table, target)?);
        }
    }
    Ok(found)
}

fn prepare(
    plan: &Plan,
    database: &dyn Database,
    transaction: &mut dyn Transaction,
    receipt: &mut Receipt,
    options: &MergeOptions,
    progress: &dyn Progress,
) -> Result<Prepared> {
    let prepared = Prepare { plan, database, transaction, receipt, progress }.run()?;
    let lines = |refusals: &[Refusal]| refusals.iter().take(LISTED).map(|r| r.line.clone()).collect::<Vec<_>>();
    if !prepared.stale.is_empty() && options.on_stale == OnStale::Refuse {
        let count = prepared.stale.len();
        return Err(fail!(
            PlanStale,
            "the plan {} is stale; nothing was changed: {count} current records changed since the analysis",
            plan.meta().id
        )
        .details(lines(&prepared.stale))
        .hint(format!("Analyze again, keeping your decisions: merganser analyze --refresh {}", plan.meta().id)));
    }
    if !prepared.blocked.is_empty() && options.on_blocked == OnBlocked::Refuse {
        return Err(fail!(
            NeedsDecision,
            "{} records can't be written as decided; nothing was changed",
            prepared.blocked.len()
        )
        .details(lines(&prepared.blocked))
        .hint("Decide them otherwise, or leave them out with --on-blocked skip."));
    }
    Ok(prepared)
}

fn report(plan: &Plan, prepared: &Prepared, receipt: Option<&Receipt>, notes: Vec<String>) -> MergeReport {
    let label = |table: usize| plan.meta().schema.tables[table].label();
    MergeReport {
        merge: receipt.map(|r| r.meta().id.clone()).unwrap_or_default(),
        receipt: receipt.map(|r| r.path().display().to_string()).unwrap_or_default(),
        changed: receipt.is_some(),
        counts: prepared.counts,
        tables: prepared.tables.iter().map(|(t, counts)| (label(*t), *counts)).collect(),
        left_out: prepared.stale.iter().chain(&prepared.blocked).map(|r| r.line.clone()).collect(),
        notes,
        already: None,
    }
}

struct Writing<'a> {
    plan: &'a Plan,
    transaction: &'a mut dyn Transaction,
    receipt: &'a mut Receipt,
    parked: &'a [Parked],
    progress: &'a dyn Progress,
}

impl Writing<'_> {
    /// Writes everything and reads it back; returns what should be told.
    fn run(&mut self) -> Result<Vec<String>> {
        self.progress.phase(Phase::Write);
        let order: Vec<usize> = self.plan.meta().tables.iter().map(|t| t.table).collect();
        let counts_before = self.receipt.meta().keyless.iter().map(|k| (k.table, k.count)).collect();
        self.park()?;
        failpoint("parked");
        for &table in &order {
            self.each(ActionKind::Insert, table, Self::insert)?;
        }
        for &table in &order {
            self.each(ActionKind::Update, table, Self::update)?;
        }
        for &table in order.iter().rev() {
            self.each(ActionKind::Delete, table, Self::delete)?;
        }
        failpoint("written");
        self.progress.phase(Phase::Verify);
        let notes = self.verify(&counts_before)?;
        self.receipt.keep_images()?;
        failpoint("verified");
        let tables: Vec<Table> = order.iter().map(|&t| self.table(t).clone()).collect();
        self.transaction.check(&tables.iter().collect::<Vec<_>>())?;
        // The last moment at which stopping costs nothing.
        self.progress.go_on()?;
        Ok(notes)
    }

    fn table(&self, table: usize) -> &Table {
        &self.plan.meta().schema.tables[table]
    }

    fn park(&mut self) -> Result<()> {
        for parked in self.parked {
            let target = &self.plan.meta().schema.tables[parked.table];
            let update = RowUpdate {
                key: parked.key.clone(),
                before: vec![parked.before.clone()],
                after: vec![parked.parked.clone()],
            };
            let missed = self.transaction.update(target, &[parked.column], &[update]).map_err(|error| {
                let column = &target.columns[parked.column].name;
                error.hint(format!("Values of {column} swap places and the column takes no passing value; leave one of the records out, or change one of them by hand first."))
            })?;
            if !missed.is_empty() {
                return Err(dropped(target, &parked.key, "update"));
            }
        }
        Ok(())
    }

    /// Runs a step over the images of a kind and table, in batches that write the same columns.
    fn each(
        &mut self,
        kind: ActionKind,
        table: usize,
        step: fn(&mut Self, &Table, &[Image]) -> Result<()>,
    ) -> Result<()> {
        let target = self.table(table).clone();
        let label = target.label();
        let mut after = (0, 0);
        let mut done = 0;
        loop {
            self.progress.go_on()?;
            let images = self.receipt.ordered(kind, table, after, BATCH)?;
            let Some(last) = images.last() else { return Ok(()) };
            after = (last.level, last.id);
            for batch in images.chunk_by(|a, b| a.columns == b.columns) {
                step(self, &target, batch)?;
                failpoint("between-statements");
            }
            done += images.len() as u64;
            self.progress.advance(&label, done, None);
        }
    }

    fn insert(&mut self, target: &Table, images: &[Image]) -> Result<()> {
        let columns = &images[0].columns;
        let rows: Vec<Vec<OwnedCell>> =
            images.iter().map(|image| columns.iter().map(|&c| image.after[c].clone()).collect()).collect();
        self.transaction.insert(target, columns, &rows)
    }

    fn update(&mut self, target: &Table, images: &[Image]) -> Result<()> {
        let columns = &images[0].columns;
        let parked = |image: &Image, column: usize| {
            let label = target.label();
            let same = |p: &&Parked| p.key == image.key && p.column == column && self.table(p.table).label() == label;
            self.parked.iter().find(same).map(|p| p.parked.clone())
        };
        let updates: Vec<RowUpdate> = images
            .iter()
            .map(|image| RowUpdate {
                key: image.key.clone(),
                before: columns.iter().map(|&c| parked(image, c).unwrap_or_else(|| image.before[c].clone())).collect(),
                after: columns.iter().map(|&c| image.after[c].clone()).collect(),
            })
            .collect();
        match self.transaction.update(target, columns, &updates)?.first() {
            Some(&missed) => Err(dropped(target, &images[missed].key, "update")),
            None => Ok(()),
        }
    }

    fn delete(&mut self, target: &Table, images: &[Image]) -> Result<()> {
        let keys: Vec<Vec<OwnedCell>> = images.iter().rev().map(|image| image.key.clone()).collect();
        match self.transaction.delete(target, &keys)?.first() {
            Some(&missed) => Err(dropped(target, &keys[missed], "deletion")),
            None => Ok(()),
        }
    }

    /// Reads every written record back and compares it with what was meant.
    fn verify(&mut self, counts_before: &HashMap<usize, u64>) -> Result<Vec<String>> {
        let mut changed_by_trigger: BTreeMap<String, u64> = BTreeMap::new();
        let mut inserted_keyless: HashMap<usize, u64> = HashMap::new();
        self.receipt.begin()?;
        let mut after = 0;
        loop {
            self.progress.go_on()?;
            let images = self.receipt.page(after, BATCH)?;
            let Some(last) = images.last() else { break };
            after = last.id;
            for batch in images.chunk_by(|a, b| a.table == b.table) {
                let target = self.table(batch[0].table).clone();
                if target.key.is_empty() {
                    *inserted_keyless.entry(batch[0].table).or_default() += batch.len() as u64;
                    continue;
                }
                self.verify_batch(&target, batch, &mut changed_by_trigger)?;
            }
        }
        for (table, inserted) in inserted_keyless {
            let target = self.table(table).clone();
            let now = self.transaction.count(&target)?;
            let expected = counts_before.get(&table).copied().unwrap_or(0) + inserted;
            if now != expected {
                return Err(fail!(
                    Refused,
                    "{}: {now} records after inserting {inserted}, {expected} were expected",
                    target.label()
                ));
            }
        }
        Ok(changed_by_trigger
            .into_iter()
            .map(|(column, count)| format!("{column}: changed by a trigger in {count} records"))
            .collect())
    }

    fn verify_batch(&mut self, target: &Table, images: &[Image], by_trigger: &mut BTreeMap<String, u64>) -> Result<()> {
        let wanted: Vec<Vec<OwnedCell>> = images.iter().map(|image| image.key.clone()).collect();
        let mut found: Vec<Option<Vec<OwnedCell>>> = vec![None; images.len()];
        self.transaction.fetch(target, &target.key, &wanted, &mut |position, cells| {
            found[position] = Some(cells.iter().map(|&c| OwnedCell::from(c)).collect());
            Ok(())
        })?;
        self.references_hold(target, images, &found)?;
        for (image, found) in images.iter().zip(found) {
            let name = || format!("{}/{}", target.label(), shown(target, &image.key));
            let Some(found) = found else {
                if image.kind == ActionKind::Delete {
                    continue;
                }
                return Err(fail!(Refused, "{}: the record is not there after it was written", name()));
            };
            if image.kind == ActionKind::Delete {
                return Err(fail!(Refused, "{}: the record is still there after it was deleted", name()));
            }
            let mut differs = false;
            for (column, (meant, is)) in image.after.iter().zip(&found).enumerate() {
                let definition = &target.columns[column];
                if meant == is || !definition.writable() {
                    continue;
                }
                differs = true;
                // What was left to the engine is what the engine made of it.
                let values =
                    (encode::value_of(meant.as_cell(), definition), encode::value_of(is.as_cell(), definition));
                let equal = match &values {
                    (None, _) => true,
                    (Some(meant), Some(is)) => same(meant, is),
                    (Some(_), None) => false,
                };
                if equal {
                    continue;
                }
                let event = if image.kind == ActionKind::Insert { "INSERT" } else { "UPDATE" };
                if target.triggers.iter().any(|t| t.event.contains(event)) {
                    *by_trigger.entry(format!("{}.{}", target.label(), definition.name)).or_default() += 1;
                    continue;
                }
                let text =
                    |v: &Option<crate::model::Value>| v.as_ref().map_or("nothing".to_owned(), ToString::to_string);
                return Err(fail!(
                    Refused,
                    "{}: {} reads back as {:?}, {:?} was written",
                    name(),
                    definition.name,
                    text(&values.1),
                    text(&values.0)
                )
                .hint(
                    "The database changes this value on its way in; correct it in the backup or keep the current one.",
                ));
            }
            if differs {
                self.receipt.set_after(image.id, &found)?;
            }
        }
        Ok(())
    }
}

impl Writing<'_> {
    /// Checks that what was written refers to something, and that nothing refers to what was deleted, where the engine
    /// itself says so only at the commit: a dry run would not see it.
    fn references_hold(&mut self, target: &Table, images: &[Image], found: &[Option<Vec<OwnedCell>>]) -> Result<()> {
        let schema = &self.plan.meta().schema;
        if schema.engine != Engine::Sqlite {
            return Ok(());
        }
        for foreign_key in target.foreign_keys.iter() {
            let Some(parent) = foreign_key.table.map(|p| &schema.tables[p]) else { continue };
            let mut asked: Vec<(usize, Vec<OwnedCell>)> = Vec::new();
            for (position, (image, found)) in images.iter().zip(found).enumerate() {
                let touched =
                    image.kind == ActionKind::Insert || foreign_key.columns.iter().any(|c| image.columns.contains(c));
                let Some(found) = found.as_ref().filter(|_| touched && image.kind != ActionKind::Delete) else {
                    continue;
                };
                let tuple: Vec<OwnedCell> = foreign_key.columns.iter().map(|&c| found[c].clone()).collect();
                if !tuple.contains(&OwnedCell::Null) {
                    asked.push((position, tuple));
                }
            }
            let wanted: Vec<Vec<OwnedCell>> = asked.iter().map(|(_, tuple)| tuple.clone()).collect();
            let mut present = vec![false; asked.len()];
            self.transaction.fetch(parent, &foreign_key.references, &wanted, &mut |position, _| {
                present[position] = true;
                Ok(())
            })?;
            if let Some(missing) = present.iter().position(|p| !p) {
                let (position, _) = asked[missing];
                return Err(fail!(
                    Refused,
                    "{}/{}: {} refers to no record of {}",
                    target.label(),
                    shown(target, &images[position].key),
                    target.names(&foreign_key.columns).join("+"),
                    parent.label()
                ));
            }
        }
        let deleted: Vec<&Image> = images.iter().filter(|i| i.kind == ActionKind::Delete).collect();
        for child in schema.tables.iter().filter(|_| !deleted.is_empty()) {
            for foreign_key in child
                .foreign_keys
                .iter()
                .filter(|f| f.table.is_some_and(|p| schema.tables[p].label() == target.label()))
            {
                let wanted: Vec<Vec<OwnedCell>> = deleted
                    .iter()
                    .map(|i| foreign_key.references.iter().map(|&c| i.before[c].clone()).collect())
                    .collect();
                let counts = self.transaction.referrers(child, foreign_key, &wanted)?;
                if let Some(left) = counts.iter().position(|&c| c > 0) {
                    return Err(fail!(
                        Refused,
                        "{}/{}: {} records of {} still refer to it",
                        target.label(),
                        shown(target, &deleted[left].key),
                        counts[left],
                        child.label()
                    ));
                }
            }
        }
        Ok(())
    }
}

fn shown(table: &Table, key: &[OwnedCell]) -> String {
    let values = table.key.iter().zip(key).filter_map(|(&c, cell)| encode::value_of(cell.as_cell(), &table.columns[c]));
    crate::model::Key(values.collect()).to_string()
}

fn dropped(table: &Table, key: &[OwnedCell], what: &str) -> Error {
    fail!(
        Refused,
        "{}/{}: the {what} changed no record, most likely because a trigger dropped it",
        table.label(),
        shown(table, key)
    )
}
