//! From settled records to images: inside the transaction, under lock, every record is read again and compared with what
//! the plan saw; what is to be written becomes cells of this database; unique values in the way are parked.

mod parked;
mod parking;
mod references;
mod room;

use super::receipt::{Image, Receipt};
use crate::analyzer::digests;
use crate::database::{Database, Snapshot};
use crate::error::{Result, fail};
use crate::model::change::{Class, Reason};
use crate::model::{Cell, Key, OwnedCell, Table, Value, encode};
use crate::plan::settle::{Strategies, Target, settle};
use crate::plan::{ActionKind, Outcome, Plan, PlanKind, Preview, Selector, Stored};
use crate::progress::Progress;
pub(super) use parked::{AllParked, Parked};

/// Records prepared in one go.
const PAGE: usize = 500;

/// A record that can't be written as planned.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// The record's number in the plan.
    pub(super) record: i64,
    /// The word for it.
    pub(super) reason: Reason,
    /// What it is: `users/41`.
    name: String,
    /// Why: `email, updated_at`.
    pub(super) why: String,
}

impl Refusal {
    /// Writes `users/41: email, updated_at`.
    pub(super) fn line(&self) -> String {
        format!("{}: {}", self.name, self.why)
    }
}

/// What preparing found.
#[derive(Default)]
pub(super) struct Prepared {
    pub(super) counts: Preview,
    pub(super) tables: Vec<(usize, Preview)>,
    pub(super) parked: AllParked,
    pub(super) stale: Vec<Refusal>,
    pub(super) blocked: Vec<Refusal>,
    /// The number in the plan of each image's record, in the order of the images.
    records: Vec<i64>,
}

pub(super) struct Prepare<'a> {
    pub(super) plan: &'a Plan,
    pub(super) database: &'a dyn Database,
    /// The records as they are now: locked once they are read, where it is a transaction's.
    pub(super) view: &'a mut dyn Snapshot,
    pub(super) receipt: &'a mut Receipt,
    pub(super) progress: &'a dyn Progress,
}

/// A record with what is to be done with it.
struct Intended {
    record: Stored,
    kind: ActionKind,
    columns: Vec<usize>,
    cells: Vec<OwnedCell>,
    key: Vec<OwnedCell>,
    /// A digest per column of the record that is written, as the plan saw it; empty where there is none.
    seen: Vec<u64>,
    /// Whether the key is the record's own.
    own_key: OwnKey,
}

/// Whether a record is written under the key that it has in the backup.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OwnKey {
    Yes,
    /// A reference that is part of it followed another record.
    No,
}

impl Prepare<'_> {
    pub(super) fn run(self) -> Result<Prepared> {
        let plan = self.plan;
        plan.reading(|| self.prepare())
    }

    fn prepare(mut self) -> Result<Prepared> {
        let strategies = Strategies::of(self.plan)?;
        let mut prepared = Prepared::default();
        let order: Vec<usize> = self.plan.meta().tables.iter().map(|t| t.table).collect();
        for &table in &order {
            let preview = self.table(table, &strategies, &mut prepared)?;
            prepared.tables.push((table, preview));
        }
        // What one refusal takes along is found until nothing changes any more.
        loop {
            let mut refused = self.still_referenced(&order)?;
            let moves = self.moves(&order)?;
            refused.extend(self.orphans(&order, &moves, &prepared)?);
            for &table in &order {
                refused.extend(self.make_room(table, &mut prepared)?);
            }
            if refused.is_empty() {
                break;
            }
            for refusal in refused {
                self.take_back(refusal, &mut prepared)?;
            }
        }
        for (_, preview) in &prepared.tables {
            let total = &mut prepared.counts;
            for outcome in ALL {
                *total.of(outcome) += *preview.clone().of(outcome);
            }
        }
        Ok(prepared)
    }

    fn table(&mut self, table: usize, strategies: &Strategies, prepared: &mut Prepared) -> Result<Preview> {
        let label = self.plan.meta().schema.tables[table].label();
        let mut preview = Preview::default();
        let (mut after, mut done) = (0, 0);
        let selector = Selector { table: Some(table), ..Selector::default() };
        loop {
            self.progress.go_on()?;
            let page = self.plan.page(&selector, after, PAGE)?;
            let Some(last) = page.records.last() else { return Ok(preview) };
            after = last.finding.id;
            done += page.records.len() as u64;
            let mut intended = Vec::new();
            for record in page.records {
                match record.outcome {
                    Some(outcome) if outcome.writes() => match self.intend(table, strategies, record)? {
                        Ok(one) => intended.push(one),
                        Err(refusal) => {
                            *preview.of(Outcome::Blocked) += 1;
                            prepared.blocked.push(refusal);
                        }
                    },
                    Some(outcome) if record.finding.class != Class::Excluded => *preview.of(outcome) += 1,
                    _ => {}
                }
            }
            self.page(table, intended, &mut preview, prepared)?;
            self.progress.advance(&label, done, None);
        }
    }

    /// Turns a settled record into cells of this database.
    fn intend(
        &self,
        table: usize,
        strategies: &Strategies,
        record: Stored,
    ) -> Result<std::result::Result<Intended, Refusal>> {
        let target = &self.plan.meta().schema.tables[table];
        let kind = match record.outcome {
            Some(Outcome::Inserted) => ActionKind::Insert,
            Some(Outcome::Updated) => ActionKind::Update,
            _ => ActionKind::Delete,
        };
        let mut existing = None;
        let mut seen = record.finding.current_digests.clone();
        let (columns, cells) = if self.plan.meta().kind == PlanKind::Merge {
            let settled = settle(self.plan, strategies, &record)?;
            match settled.target {
                Target::Own => {}
                Target::New => seen.clear(),
                Target::Existing(key, digests) => {
                    seen = digests;
                    existing = Some(key);
                }
            }
            let writes = settled.writes;
            let mut columns = Vec::new();
            let mut cells = Vec::new();
            for (column, value) in &writes {
                match self.store(&target.columns[*column], value) {
                    Ok(cell) => {
                        columns.push(*column);
                        cells.push(cell);
                    }
                    Err(why) => {
                        let why = format!("{}: {why}", target.columns[*column].name);
                        return Ok(Err(refusal(target, &record, Reason::ValueNotStorable, why)));
                    }
                }
            }
            (columns, cells)
        } else {
            let action = self.plan.action(record.finding.id)?;
            (action.columns, action.cells)
        };
        let key = match kind {
            ActionKind::Insert => {
                let part = |k: &usize| columns.iter().position(|c| c == k).map(|p| cells[p].clone());
                target.key.iter().map(part).collect::<Option<Vec<_>>>().unwrap_or_default()
            }
            ActionKind::Update | ActionKind::Delete => {
                self.key_cells(target, existing.as_deref().unwrap_or(&record.finding.key))?
            }
        };
        let follows = kind == ActionKind::Insert
            && !target.key.is_empty()
            && record.finding.current_digests.is_empty()
            && self.plan.meta().kind == PlanKind::Merge
            && self.key_cells(target, &record.finding.key).is_ok_and(|own| own != key);
        let own_key = if follows { OwnKey::No } else { OwnKey::Yes };
        Ok(Ok(Intended { record, kind, columns, cells, key, seen, own_key }))
    }

    fn store(&self, column: &crate::model::Column, value: &Value) -> std::result::Result<OwnedCell, String> {
        if self.plan.is_native() && !column.enforced {
            self.database.store_any(column, value)
        } else {
            self.database.store(column, value)
        }
    }

    fn key_cells(&self, table: &Table, key: &[Value]) -> Result<Vec<OwnedCell>> {
        table
            .key
            .iter()
            .zip(key)
            .map(|(&c, value)| {
                self.database
                    .store_any(&table.columns[c], value)
                    .map_err(|why| fail!(Refused, "{}: the key can't be looked up: {why}", table.named(key)))
            })
            .collect()
    }

    fn page(
        &mut self,
        table: usize,
        intended: Vec<Intended>,
        preview: &mut Preview,
        prepared: &mut Prepared,
    ) -> Result<()> {
        let target = &self.plan.meta().schema.tables[table];
        let now = self.current(target, &intended)?;
        let mut images = Vec::new();
        for (one, now) in intended.into_iter().zip(now) {
            if let (OwnKey::No, Some(there)) = (one.own_key, &now) {
                // What it is once its references follow may be there already.
                if one.columns.iter().zip(&one.cells).all(|(&c, cell)| there[c] == *cell) {
                    *preview.of(Outcome::Kept) += 1;
                } else {
                    *preview.of(Outcome::Blocked) += 1;
                    let name = target.named(&key_values(target, there));
                    let why = format!("{name} is there already, with other fields");
                    prepared.blocked.push(refusal(target, &one.record, Reason::UniqueTaken, why));
                }
                continue;
            }
            if let Some(stale) = stale(target, &one, now.as_deref()) {
                *preview.of(Outcome::Stale) += 1;
                prepared.stale.push(stale);
                continue;
            }
            let keyless_goes = target.key.is_empty() && one.kind == ActionKind::Delete;
            let before = if keyless_goes { one.cells.clone() } else { now.unwrap_or_default() };
            let after = match one.kind {
                ActionKind::Delete => Vec::new(),
                ActionKind::Insert | ActionKind::Update => {
                    let mut after =
                        if before.is_empty() { vec![OwnedCell::Absent; target.columns.len()] } else { before.clone() };
                    one.columns.iter().zip(&one.cells).for_each(|(&c, cell)| after[c] = cell.clone());
                    after
                }
            };
            images.push((one, before, after));
        }
        let refused = self.refused(target, &images)?;
        for ((one, before, after), refused) in images.iter().zip(refused) {
            if let Some(why) = refused {
                *preview.of(Outcome::Blocked) += 1;
                prepared.blocked.push(refusal(target, &one.record, Reason::CheckFails, why));
                continue;
            }
            *preview.of(one.record.outcome.expect("only settled records are intended")) += 1;
            prepared.records.push(one.record.finding.id);
            self.receipt.add(&Image {
                id: 0,
                table,
                kind: one.kind,
                // An existing record is found by its key as the database spells it.
                key: if before.is_empty() {
                    one.key.clone()
                } else {
                    target.key.iter().map(|&c| before[c].clone()).collect()
                },
                before: before.clone(),
                after: after.clone(),
                columns: one.columns.clone(),
                level: 0,
            })?;
        }
        Ok(())
    }

    /// Reads the records as they are now, locked until the end of the transaction.
    fn current(&mut self, target: &Table, intended: &[Intended]) -> Result<Vec<Option<Vec<OwnedCell>>>> {
        let mut found: Vec<Option<Vec<OwnedCell>>> = vec![None; intended.len()];
        if target.key.is_empty() {
            return Ok(found);
        }
        let asked: Vec<usize> = (0..intended.len()).filter(|&p| !intended[p].key.is_empty()).collect();
        let wanted: Vec<Vec<OwnedCell>> = asked.iter().map(|&p| intended[p].key.clone()).collect();
        if !wanted.is_empty() {
            self.view.fetch(target, &target.key, &wanted, &mut |position, cells| {
                found[asked[position]] = Some(cells.iter().map(|&c| OwnedCell::from(c)).collect());
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// Says which records the engine's constraints would refuse; those written as the analysis checked them are skipped.
    fn refused(
        &mut self,
        target: &Table,
        images: &[(Intended, Vec<OwnedCell>, Vec<OwnedCell>)],
    ) -> Result<Vec<Option<String>>> {
        let mut refused = vec![None; images.len()];
        let unchecked: Vec<usize> = (0..images.len())
            .filter(|&p| {
                let (one, _, after) = &images[p];
                !after.is_empty() && (one.record.finding.class == Class::Conflict || one.record.decision.is_some())
            })
            .collect();
        if unchecked.is_empty() {
            return Ok(refused);
        }
        let rows: Vec<Vec<OwnedCell>> = unchecked.iter().map(|&p| images[p].2.clone()).collect();
        for (position, violation) in unchecked.into_iter().zip(self.view.violations(target, &rows)?) {
            refused[position] = violation.map(|v| format!("{} ({})", v.message, v.constraint));
        }
        Ok(refused)
    }
}

const ALL: [Outcome; 9] = [
    Outcome::Inserted,
    Outcome::Updated,
    Outcome::Deleted,
    Outcome::KeptNewer,
    Outcome::Kept,
    Outcome::Skipped,
    Outcome::Undecided,
    Outcome::Blocked,
    Outcome::Stale,
];

fn key_values(table: &Table, cells: &[OwnedCell]) -> Vec<Value> {
    table.key.iter().filter_map(|&c| encode::value_of(cells[c].as_cell(), &table.columns[c])).collect()
}

/// Encodes a record's cells as the analysis did.
pub(super) fn body(table: &Table, cells: &[OwnedCell]) -> Vec<u8> {
    let mut body = Vec::new();
    for (position, (cell, column)) in cells.iter().zip(&table.columns).enumerate() {
        let counts = column.writable() || table.key.contains(&position);
        encode::encode(if counts { cell.as_cell() } else { Cell::Absent }, column, &mut body);
    }
    body
}

/// Says how a record differs from what the plan saw, if it does.
fn stale(table: &Table, one: &Intended, now: Option<&[OwnedCell]>) -> Option<Refusal> {
    let why = match (one.seen.is_empty(), now) {
        (true, None) => return None,
        (true, Some(_)) => "a record with this key was added".to_owned(),
        (false, None) => "deleted".to_owned(),
        (false, Some(cells)) => {
            let digests = digests(&body(table, cells));
            let changed: Vec<usize> = (0..digests.len()).filter(|&c| one.seen.get(c) != Some(&digests[c])).collect();
            if changed.is_empty() {
                return None;
            }
            table.names(&changed).join(", ")
        }
    };
    Some(refusal(table, &one.record, Reason::BothChanged, why))
}

fn refusal(table: &Table, record: &Stored, reason: Reason, why: String) -> Refusal {
    let name = format!("{}/{}", table.label(), Key(record.finding.key.clone()));
    Refusal { record: record.finding.id, reason, name, why }
}
