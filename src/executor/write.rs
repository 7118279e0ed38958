//! One attempt at the transaction: prepare, note the intent, write, read back, check, end (CHECKS 2, S9–S21).

mod mixed;
mod verify;

pub use verify::BY_A_TRIGGER;

use super::order::{self, Order};
use super::prepare::{AllParked, Parked, Prepare, Prepared, Refusal};
use super::receipt::{Counted, Image, Keyless, Receipt, ReceiptMeta, State};
use super::{
    Ending, Home, LISTED, MergeOptions, MergeReport, OnBlocked, OnStale, audit, home, lock_time, nothing_changed,
};
use crate::database::{Database, RowUpdate, Transaction};
use crate::error::{Error, ErrorKind, Result, fail};
use crate::model::{OwnedCell, Table, encode};
use crate::plan::{ActionKind, Plan, PlanKind};
use crate::progress::{Phase, Progress, failpoint};
use std::ops::RangeInclusive;

pub(super) fn attempt(
    plan: &mut Plan,
    database: &mut dyn Database,
    home: &Home,
    options: &MergeOptions,
    progress: &dyn Progress,
) -> Result<MergeReport> {
    progress.phase(Phase::Lock);
    super::receipt::sweep(home)?;
    let mut transaction = database.begin(&lock_time::write_options(options))?;
    let progress = &lock_time::Limited::new(progress, options);
    failpoint("begun");
    // A dry run keeps its images in a folder that goes away with it.
    let scratch = if options.ending == Ending::RollBack { Some(tempfile::tempdir()?) } else { None };
    let receipts = scratch.as_ref().map_or_else(|| home.receipts(), |s| s.path().to_owned());
    let id = transaction.id().map_err(nothing_changed)?;
    let mut receipt = Receipt::create(&receipts, first_meta(plan, options, id))?;
    failpoint("receipt-started");
    progress.phase(Phase::Record);
    let planned: Vec<usize> = plan.meta().tables.iter().map(|t| t.table).collect();
    let capabilities = database.capabilities();
    let ordered = prepare(plan, database, transaction.as_mut(), &mut receipt, options, progress).and_then(|prepared| {
        let order = order::order(&plan.meta().schema, &planned, capabilities, &prepared.parked, &mut receipt)?;
        Ok((prepared, order))
    });
    let (prepared, order) = match ordered {
        Ok(ordered) => ordered,
        Err(error) => {
            // The first error is the one to report; dropping the transaction rolls back as well.
            let _ = transaction.rollback();
            let _ = receipt.discard();
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
            let _ = transaction.rollback();
            let _ = receipt.discard();
            return Err(nothing_changed(error));
        }
    }
    failpoint("prepared");
    receipt.seal_intent()?;
    failpoint("intent");
    let mut writing = Writing {
        plan,
        transaction: transaction.as_mut(),
        receipt: &mut receipt,
        parked: &prepared.parked,
        order: &order,
        batch: if options.batch == 0 { USUAL_BATCH } else { options.batch.min(LARGEST_BATCH) },
        progress,
    };
    let notes = match writing.run() {
        Ok(notes) => notes,
        Err(error) => {
            // After an error nothing more is said on this connection but ROLLBACK (CHECKS 1.3).
            let _ = transaction.rollback();
            // Where this can't be noted either (a full disk), recovery finds the records as they were.
            let _ = receipt.set_state(|m| m.state = State::RolledBack);
            return Err(nothing_changed(explained(&plan.meta().schema.tables, error)));
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
        let _ = receipt.set_state(|m| m.state = state);
        return Err(match state {
            State::Unknown => error.hint("Run 'merganser status': it finds out whether the merge is there."),
            _ => nothing_changed(explained(&plan.meta().schema.tables, error)),
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

pub(super) fn first_meta(plan: &Plan, options: &MergeOptions, transaction: Option<String>) -> ReceiptMeta {
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
        images: None,
    }
}

/// Notes how the tables without a key are before records are added to them.
fn keyless(plan: &Plan, transaction: &mut dyn Transaction, prepared: &Prepared) -> Result<Vec<Keyless>> {
    let mut found = Vec::new();
    for (table, _) in prepared.tables.iter().filter(|(_, counts)| counts.writes() > 0) {
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
    let prepared = Prepare { plan, database, view: transaction, receipt, progress }.run()?;
    let lines = |refusals: &[Refusal]| refusals.iter().take(LISTED).map(Refusal::line).collect::<Vec<_>>();
    if !prepared.stale.is_empty() && options.on_stale == OnStale::Refuse {
        let count = prepared.stale.len();
        return Err(fail!(
            PlanStale,
            "the plan {} is stale; nothing was changed; current records that changed since the analysis: {count}",
            plan.meta().id
        )
        .details(lines(&prepared.stale))
        .hint(format!("Analyze again, keeping your decisions: merganser analyze --refresh {}", plan.meta().id)));
    }
    // What an undo leaves out was said before; anything more would not be what was seen.
    if !prepared.blocked.is_empty() && plan.meta().kind != PlanKind::Merge {
        return Err(fail!(PlanStale, "what can be taken back has changed since it was listed; nothing was changed")
            .details(lines(&prepared.blocked))
            .hint("Do it again: what can't be taken back is listed then."));
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
        left_out: prepared.stale.iter().chain(&prepared.blocked).map(Refusal::line).collect(),
        notes,
        already: None,
    }
}

struct Writing<'a> {
    plan: &'a Plan,
    transaction: &'a mut dyn Transaction,
    receipt: &'a mut Receipt,
    parked: &'a AllParked,
    order: &'a Order,
    batch: usize,
    progress: &'a dyn Progress,
}

/// Records written in one go where nothing else is asked for.
const USUAL_BATCH: usize = 500;
/// The most records held in memory to be written in one go.
const LARGEST_BATCH: usize = 10_000;
/// Every level of a table's records.
const ALL_LEVELS: RangeInclusive<usize> = 0..=usize::MAX;

impl Writing<'_> {
    /// Writes everything and reads it back; returns what should be told.
    fn run(&mut self) -> Result<Vec<String>> {
        self.progress.phase(Phase::Write);
        let groups = &self.order.groups;
        let mixed = self.order.mixed.iter().flat_map(|m| &m.tables);
        let order: Vec<usize> = groups.iter().flat_map(|g| &g.tables).chain(mixed).copied().collect();
        let counts_before = self.receipt.meta().keyless.iter().map(|k| (k.table, k.count)).collect();
        let alone = |p: &&Parked| !self.order.mixed.iter().any(|m| m.tables.contains(&p.table));
        let parked: Vec<&Parked> = self.parked.as_slice().iter().filter(alone).collect();
        self.park(&parked)?;
        failpoint("parked");
        for group in groups {
            self.levels(ActionKind::Insert, &group.tables, group.last_insert, Self::insert)?;
            for &table in group.tables.iter().filter(|_| !self.order.opened.is_empty()) {
                self.each(ActionKind::Insert, table, ALL_LEVELS, Self::close)?;
            }
        }
        for &table in groups.iter().flat_map(|g| &g.tables) {
            self.each(ActionKind::Update, table, ALL_LEVELS, Self::update)?;
        }
        for group in groups.iter().rev() {
            for &table in group.tables.iter().filter(|_| !self.order.opened.is_empty()) {
                self.each(ActionKind::Delete, table, ALL_LEVELS, Self::open)?;
            }
            self.levels(ActionKind::Delete, &group.tables, group.last_delete, Self::delete)?;
        }
        self.order.mixed.iter().try_for_each(|mixed| self.mixed(mixed))?;
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

    /// Moves unique values out of the way: nobody has, or takes, what stands in for them.
    fn park(&mut self, parked: &[&Parked]) -> Result<()> {
        for alike in parked.chunk_by(|a, b| (a.table, a.column) == (b.table, b.column)) {
            let (target, column) = (&self.plan.meta().schema.tables[alike[0].table], alike[0].column);
            for batch in alike.chunks(self.batch) {
                self.progress.go_on()?;
                let update = |p: &&Parked| RowUpdate {
                    key: p.key.clone(),
                    before: vec![p.before.clone()],
                    after: vec![p.parked.clone()],
                };
                let updates: Vec<RowUpdate> = batch.iter().map(update).collect();
                let missed = self.transaction.update(target, &[column], &updates).map_err(|error| {
                    let column = &target.columns[column].name;
                    error.about(&target.label()).hint(format!("Values of {column} swap places and the column takes no passing value; leave one of the records out, or change one of them by hand first."))
                })?;
                if let Some(&missed) = missed.first() {
                    return Err(dropped(target, &batch[missed].key, "update"));
                }
            }
        }
        Ok(())
    }

    /// Runs a step over the images of a group of tables, level by level where there is more than one table.
    fn levels(
        &mut self,
        kind: ActionKind,
        tables: &[usize],
        last: usize,
        step: fn(&mut Self, &Table, &[Image]) -> Result<()>,
    ) -> Result<()> {
        if let [table] = tables {
            return self.each(kind, *table, ALL_LEVELS, step);
        }
        for level in 0..=last {
            for &table in tables {
                self.each(kind, table, level..=level, step)?;
            }
        }
        Ok(())
    }

    /// Runs a step over the images of a kind and table, in batches that write the same columns.
    fn each(
        &mut self,
        kind: ActionKind,
        table: usize,
        levels: RangeInclusive<usize>,
        step: fn(&mut Self, &Table, &[Image]) -> Result<()>,
    ) -> Result<()> {
        let target = self.table(table).clone();
        let label = target.label();
        let mut after = (*levels.start(), 0);
        let mut done = 0;
        loop {
            self.progress.go_on()?;
            let mut images = self.receipt.ordered(kind, table, after, self.batch)?;
            images.retain(|image| image.level <= *levels.end());
            let Some(last) = images.last() else { return Ok(()) };
            after = (last.level, last.id);
            for batch in images.chunk_by(|a, b| a.columns == b.columns) {
                step(self, &target, batch).map_err(|error| error.about(&label))?;
                failpoint("between-statements");
            }
            done += images.len() as u64;
            self.progress.advance(&label, done, None);
        }
    }

    fn insert(&mut self, target: &Table, images: &[Image]) -> Result<()> {
        let columns = &images[0].columns;
        let cell = |image: &Image, column: usize| {
            if self.order.opened(image).contains(&column) { OwnedCell::Null } else { image.after[column].clone() }
        };
        let rows: Vec<Vec<OwnedCell>> =
            images.iter().map(|image| columns.iter().map(|&c| cell(image, c)).collect()).collect();
        self.transaction.insert(target, columns, &rows)
    }

    /// Sets the references that were null for a while.
    fn close(&mut self, target: &Table, images: &[Image]) -> Result<()> {
        self.turn(target, images, |_, image, column| (OwnedCell::Null, image.after[column].clone()))
    }

    /// Takes references away for a while, or from records that are deleted.
    fn open(&mut self, target: &Table, images: &[Image]) -> Result<()> {
        self.turn(target, images, |writing, image, column| (writing.held(image, column), OwnedCell::Null))
    }

    fn turn(
        &mut self,
        target: &Table,
        images: &[Image],
        change: fn(&Self, &Image, usize) -> (OwnedCell, OwnedCell),
    ) -> Result<()> {
        let order = self.order;
        let opened: Vec<&Image> = images.iter().filter(|image| !order.opened(image).is_empty()).collect();
        for batch in opened.chunk_by(|a, b| order.opened(a) == order.opened(b)) {
            let columns = order.opened(batch[0]).to_vec();
            let update = |image: &&Image| {
                let (before, after) = columns.iter().map(|&c| change(self, image, c)).unzip();
                RowUpdate { key: image.key.clone(), before, after }
            };
            let updates: Vec<RowUpdate> = batch.iter().map(update).collect();
            if let Some(&missed) = self.transaction.update(target, &columns, &updates)?.first() {
                return Err(dropped(target, &batch[missed].key, "update"));
            }
        }
        Ok(())
    }

    /// Returns what a column of a record holds until it is written: where it is parked, not what it had.
    fn held(&self, image: &Image, column: usize) -> OwnedCell {
        let mut parked = self.parked.of_image(image.id).map(|(_, parked)| parked);
        parked.find(|p| p.column == column).map_or_else(|| image.before[column].clone(), |p| p.parked.clone())
    }

    /// Changes records, but for the references that are set afterwards.
    fn update(&mut self, target: &Table, images: &[Image]) -> Result<()> {
        let order = self.order;
        for batch in images.chunk_by(|a, b| order.opened(a) == order.opened(b)) {
            let opened = order.opened(&batch[0]);
            let columns: Vec<usize> = batch[0].columns.iter().copied().filter(|c| !opened.contains(c)).collect();
            if columns.is_empty() {
                continue;
            }
            let update = |image: &Image| RowUpdate {
                key: image.key.clone(),
                before: columns.iter().map(|&c| self.held(image, c)).collect(),
                after: columns.iter().map(|&c| image.after[c].clone()).collect(),
            };
            let updates: Vec<RowUpdate> = batch.iter().map(update).collect();
            if let Some(&missed) = self.transaction.update(target, &columns, &updates)?.first() {
                return Err(dropped(target, &batch[missed].key, "update"));
            }
        }
        Ok(())
    }

    fn delete(&mut self, target: &Table, images: &[Image]) -> Result<()> {
        let keyless = target.key.is_empty();
        let key = |image: &Image| if keyless { image.before.clone() } else { image.key.clone() };
        let keys: Vec<Vec<OwnedCell>> = images.iter().map(key).collect();
        match self.transaction.delete(target, &keys)?.first() {
            Some(&missed) => Err(dropped(target, &keys[missed], "deletion")),
            None => Ok(()),
        }
    }
}

/// Adds the database's own words to an error, unless they may quote what is secret.
fn explained(tables: &[Table], error: Error) -> Error {
    let harmless = error.quote().is_some_and(|quote| {
        let about = |t: &&Table| quote.table.as_ref().is_some_and(|name| *name == t.name || *name == t.label());
        let quoted = |name: &String| quote.columns.as_ref().is_none_or(|columns| columns.contains(name));
        let secret =
            |t: &Table| (0..t.columns.len()).any(|column| quoted(&t.columns[column].name) && t.is_secret(column));
        let mut about = tables.iter().filter(about).peekable();
        about.peek().is_some() && !about.any(secret)
    });
    if harmless { error.reveal() } else { error }
}

/// Names a record by its key.
pub(super) fn shown(table: &Table, key: &[OwnedCell]) -> String {
    let values = table.key.iter().zip(key).filter_map(|(&c, cell)| encode::value_of(cell.as_cell(), &table.columns[c]));
    table.named(&values.collect::<Vec<_>>())
}

fn dropped(table: &Table, key: &[OwnedCell], what: &str) -> Error {
    fail!(Refused, "{}: the {what} changed no record, most likely because a trigger dropped it", shown(table, key))
}
