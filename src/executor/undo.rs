//! Undo: a plan made from a receipt. Every record the merge wrote is *reversed*, *kept* because somebody changed it since,
//! or *blocked* because others refer to it; nothing relies on cascades (CHECKS F94–F99).

mod drift;
mod foresee;

use super::recover::differing;
use super::{Home, Receipt, State, home};
use crate::analyzer::{Finding, Findings, Options, TableResult, digests, graph};
use crate::database::{Database, Snapshot};
use crate::error::{Result, fail};
use crate::model::change::{Class, Counts, Field, Reason};
use crate::model::{Cell, ColumnType, OwnedCell, Table, Value, encode};
use crate::plan::{Action, ActionKind, Meta, Outcome, Plan, PlanKind};
use drift::Fitted;
use std::path::Path;

/// Images looked at in one go.
const PAGE: usize = 500;
/// How long an undo plan may wait before it is carried out, in days.
const KEPT_DAYS: i64 = 7;

/// What is said of a receipt that a release made which kept no tallies.
const UNCHECKED: &str = "the receipt was made by release 0.1, which wrote down nothing by which a value that was changed in it since could be told";

/// What becomes of records that somebody changed since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnKept {
    /// They stay, and are listed.
    #[default]
    Report,
    /// They are put back as well.
    Force,
}

/// What is to be taken back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Only these tables; empty: all.
    pub only_tables: &'a [String],
    /// Records that were changed since.
    pub on_kept: OnKept,
}

/// Makes the plan that takes a merge back, or an undo; what was changed since stays.
///
/// # Errors
/// As [`plan_with`].
pub fn plan(
    home: &Home,
    receipt: &Receipt,
    database: &mut dyn Database,
    only_tables: &[String],
    to: &Path,
) -> Result<Plan> {
    plan_with(home, receipt, database, &Wanted { only_tables, on_kept: OnKept::Report }, to)
}

/// Makes the plan that takes a merge back, or an undo.
///
/// # Errors
/// `Usage` for a merge that was not committed; `PlanMismatch` for another database; `SchemaMismatch` where a table that
/// it wrote to is gone.
pub fn plan_with(
    home: &Home,
    receipt: &Receipt,
    database: &mut dyn Database,
    wanted: &Wanted<'_>,
    to: &Path,
) -> Result<Plan> {
    let only_tables = wanted.only_tables;
    let from = receipt.meta();
    if from.state != State::Committed {
        return Err(fail!(Usage, "{} was not carried out, so there is nothing to take back", from.id)
            .hint("List what was done with 'merganser log'."));
    }
    if from.database.id != database.identity().id {
        return Err(fail!(
            PlanMismatch,
            "{} was carried out on {}, not on {}",
            from.id,
            from.database.display,
            database.identity().display
        ));
    }
    let now = chrono::Utc::now();
    let time = |t: chrono::DateTime<chrono::Utc>| t.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let fitted = Fitted::new(&from.schema, database.schema()?);
    let order = graph::order(&fitted.schema).tables;
    let wanted_table = |t: &usize| {
        let table = &fitted.schema.tables[*t];
        only_tables.is_empty() || only_tables.iter().any(|n| *n == table.label() || *n == table.name)
    };
    let known = |t: &usize| *t < from.schema.tables.len();
    let mut chosen = Vec::new();
    for table in order.into_iter().filter(known).filter(wanted_table) {
        if receipt.wrote(table)? {
            fitted.there(table, &from.id)?;
            chosen.push(table);
        }
    }
    receipt.check(&chosen)?;
    let strategy = crate::strategy::Strategy::load("backup-wins")?;
    let meta = Meta {
        id: home::fresh_id('p'),
        kind: match &from.kind {
            PlanKind::Undo { .. } => PlanKind::Redo { undo: from.id.clone() },
            PlanKind::Merge | PlanKind::Redo { .. } => PlanKind::Undo { merge: from.id.clone() },
        },
        created_at: time(now),
        expires_at: time(now + chrono::Duration::days(KEPT_DAYS)),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        backup: None,
        base: None,
        database: from.database.clone(),
        options: Options::default(),
        read: Default::default(),
        schema: fitted.schema.clone(),
        compared: fitted.schema.tables.iter().map(|t| vec![true; t.columns.len()]).collect(),
        tables: chosen
            .iter()
            .map(|&table| TableResult {
                table,
                name: fitted.schema.tables[table].label(),
                backup_name: fitted.schema.tables[table].label(),
                counts: Counts::default(),
                carried: Vec::new(),
                three_way: false,
                whole: false,
            })
            .collect(),
        not_carried: Vec::new(),
        withheld: Vec::new(),
        notes: from.images.is_none().then(|| UNCHECKED.to_owned()).into_iter().collect(),
        strategy: (strategy.name.clone(), strategy.text().to_owned()),
        table_strategies: Vec::new(),
        files: None,
    };
    let plan = Plan::create(to, meta.clone())?;
    let snapshot = database.snapshot()?;
    let on_kept = wanted.on_kept;
    let mut making = Making { database, receipt, fitted: &fitted, plan, snapshot, on_kept, taken: Default::default() };
    for &table in &chosen {
        making.table(table)?;
    }
    making.plan.complete(meta)?;
    making.foresee(&chosen)?;
    let Making { mut plan, .. } = making;
    plan.finish(&home.key()?)?;
    Ok(plan)
}

struct Making<'a> {
    database: &'a dyn Database,
    receipt: &'a Receipt,
    fitted: &'a Fitted,
    plan: Plan,
    snapshot: Box<dyn Snapshot>,
    on_kept: OnKept,
    /// How many equal records of tables without a key are spoken for.
    taken: std::collections::HashMap<String, usize>,
}

impl Making<'_> {
    fn table(&mut self, table: usize) -> Result<()> {
        let fitted = self.fitted;
        let (then, target) = (&self.receipt.meta().schema.tables[table], &fitted.schema.tables[table]);
        for kind in [ActionKind::Insert, ActionKind::Update, ActionKind::Delete] {
            let mut after = (0, 0);
            loop {
                let images = self.receipt.ordered(kind, table, after, PAGE)?;
                let Some(last) = images.last() else { break };
                after = (last.level, last.id);
                let mut found = Vec::new();
                for image in images {
                    match fitted.image(then, image, self.database) {
                        Ok(image) => found.push(image),
                        Err((image, why)) => self.unfit(then, &image, &why)?,
                    }
                }
                let now = if target.key.is_empty() { vec![None; found.len()] } else { self.now(target, &found)? };
                for (image, now) in found.iter().zip(now) {
                    self.record(table, image, now)?;
                }
            }
        }
        Ok(())
    }

    /// Adds a record to the list of those that can't be taken back.
    fn unfit(&mut self, then: &Table, image: &super::receipt::Image, why: &str) -> Result<()> {
        let key = key_values(then, &image.key);
        self.plan.add(Finding {
            id: 0,
            table: image.table,
            // Nothing looks it up: the key may be of columns that are gone.
            key_bytes: Vec::new(),
            key,
            class: Class::Blocked,
            reason: Reason::TableRefused,
            note: Some(why.to_owned()),
            fields: Vec::new(),
            kept: Vec::new(),
            current_digests: Vec::new(),
            backup_at: None,
            current_at: None,
            place: Default::default(),
            limits: Default::default(),
        })?;
        let record = self.plan.last_id();
        self.plan.mark(record, Outcome::Blocked, Some(why))
    }

    fn now(&mut self, target: &Table, images: &[super::receipt::Image]) -> Result<Vec<Option<Vec<OwnedCell>>>> {
        let wanted: Vec<Vec<OwnedCell>> = images.iter().map(|i| i.key.clone()).collect();
        let mut now = vec![None; images.len()];
        self.snapshot.fetch(target, &target.key, &wanted, &mut |position, cells| {
            now[position] = Some(cells.iter().map(|&c| OwnedCell::from(c)).collect());
            Ok(())
        })?;
        Ok(now)
    }

    /// Finds a record of a table without a key that equals an image and that no other image has found before.
    fn equal_record(&mut self, target: &Table, wanted: &[OwnedCell]) -> Result<Option<Vec<OwnedCell>>> {
        // What an engine compares by its own lights, or not at all, is compared afterwards.
        let plain = |c: &usize| {
            target.columns[*c].writable()
                && !matches!(target.columns[*c].ty, ColumnType::Json | ColumnType::Float { .. })
        };
        let known = |c: &usize| !matches!(wanted[*c], OwnedCell::Null | OwnedCell::Absent) && plain(c);
        let columns: Vec<usize> = (0..wanted.len()).filter(known).collect();
        let tuple: Vec<OwnedCell> = columns.iter().map(|&c| wanted[c].clone()).collect();
        let mut found: Vec<Vec<OwnedCell>> = Vec::new();
        let mut look = |cells: &[Cell<'_>]| {
            let now: Vec<OwnedCell> = cells.iter().map(|&c| OwnedCell::from(c)).collect();
            if differing(target, wanted, &now).is_empty() {
                found.push(now);
            }
            Ok(())
        };
        if columns.is_empty() {
            self.snapshot.scan(target, &mut look)?;
        } else {
            self.snapshot.fetch(target, &columns, &[tuple], &mut |_, cells| look(cells))?;
        }
        let name = format!("{}: {wanted:?}", target.label());
        let taken = self.taken.entry(name).or_default();
        let next = found.into_iter().nth(*taken);
        *taken += usize::from(next.is_some());
        Ok(next)
    }

    /// Adds one record to one of the three lists.
    fn record(&mut self, table: usize, image: &super::receipt::Image, now: Option<Vec<OwnedCell>>) -> Result<()> {
        let target = &self.fitted.schema.tables[table];
        let keyless = target.key.is_empty() && image.kind == ActionKind::Insert;
        let equal = if keyless { self.equal_record(target, &image.after)? } else { None };
        let edited = |now: &[OwnedCell]| target.names(&differing(target, &image.after, now)).join(", ");
        let (outcome, why) = match (image.kind, &now) {
            (ActionKind::Insert, None) if target.key.is_empty() => match &equal {
                None => (Outcome::Kept, "changed or deleted since".to_owned()),
                Some(_) => (Outcome::Deleted, String::new()),
            },
            (ActionKind::Insert, None) => (Outcome::Kept, "deleted since".to_owned()),
            (ActionKind::Update, None) => (Outcome::Kept, "deleted since".to_owned()),
            (ActionKind::Delete, Some(_)) => (Outcome::Kept, "added again since".to_owned()),
            (ActionKind::Delete, None) => (Outcome::Inserted, String::new()),
            (ActionKind::Insert | ActionKind::Update, Some(now)) => match edited(now) {
                names if !names.is_empty() && self.on_kept == OnKept::Report => {
                    (Outcome::Kept, format!("changed since: {names}"))
                }
                names if !names.is_empty() && image.kind == ActionKind::Update => {
                    (Outcome::Updated, format!("changed since, put back all the same: {names}"))
                }
                names if !names.is_empty() => {
                    (Outcome::Deleted, format!("changed since, deleted all the same: {names}"))
                }
                _ if image.kind == ActionKind::Insert => (Outcome::Deleted, String::new()),
                _ => (Outcome::Updated, String::new()),
            },
        };
        let (class, reason) = match outcome {
            Outcome::Inserted => (Class::New, Reason::OnlyInBackup),
            Outcome::Updated => (Class::Updated, Reason::OnlyBackupChanged),
            Outcome::Deleted => (Class::CurrentOnly, Reason::DeletedInBackup),
            Outcome::Blocked => (Class::Blocked, Reason::TableRefused),
            _ => (Class::Conflict, Reason::BothChanged),
        };
        let value = |cells: &[OwnedCell], c: usize| {
            cells.get(c).and_then(|x| encode::value_of(x.as_cell(), &target.columns[c]))
        };
        let shown: Vec<usize> =
            if image.kind == ActionKind::Update { image.columns.clone() } else { (0..target.columns.len()).collect() };
        let fields: Vec<Field> = shown
            .iter()
            .map(|&column| Field {
                column,
                base: None,
                current: now.as_deref().and_then(|n| value(n, column)),
                backup: value(&image.before, column),
                in_conflict: outcome == Outcome::Kept,
                is_timestamp: target.timestamp == Some(column),
            })
            .collect();
        let key = key_values(target, &image.key);
        let key_bytes = key_bytes(target, &image.key);
        let note = (!why.is_empty()).then_some(why);
        self.plan.add(Finding {
            id: 0,
            table,
            key,
            key_bytes,
            class,
            reason,
            note: note.clone(),
            fields,
            kept: Vec::new(),
            current_digests: now.as_deref().map(|n| digests(&super::prepare::body(target, n))).unwrap_or_default(),
            backup_at: None,
            current_at: None,
            place: Default::default(),
            limits: Default::default(),
        })?;
        let record = self.plan.last_id();
        self.plan.mark(record, outcome, note.as_deref())?;
        if outcome.writes() {
            let columns: Vec<usize> = match outcome {
                Outcome::Inserted => (0..target.columns.len())
                    .filter(|&c| target.columns[c].writable() && image.before[c] != OwnedCell::Absent)
                    .collect(),
                // What is computed from others comes back with them.
                Outcome::Updated => {
                    let mut columns = differing_exactly(&image.before, &image.after);
                    columns.retain(|&c| target.columns[c].writable());
                    columns
                }
                Outcome::Deleted if keyless => (0..target.columns.len()).collect(),
                _ => Vec::new(),
            };
            // A record without a key is found by all that it holds.
            let from = equal.as_ref().unwrap_or(&image.before);
            let cells = columns.iter().filter_map(|&c| from.get(c).cloned()).collect();
            let kind = match outcome {
                Outcome::Inserted => ActionKind::Insert,
                Outcome::Updated => ActionKind::Update,
                _ => ActionKind::Delete,
            };
            self.plan.add_action(&Action { record, kind, columns, cells })?;
        }
        Ok(())
    }

    /// Blocks deletions of records that others would still refer to; returns whether there were any.
    fn block_referenced(&mut self, chosen: &[usize]) -> Result<bool> {
        let schema = &self.fitted.schema;
        let mut changed = false;
        for &table in chosen.iter().rev() {
            let target = &schema.tables[table];
            let referring: Vec<(usize, &crate::model::ForeignKey)> = schema
                .tables
                .iter()
                .enumerate()
                .flat_map(|(child, t)| t.foreign_keys.iter().map(move |f| (child, f)))
                .filter(|(_, f)| f.table == Some(table))
                .collect();
            if referring.is_empty() {
                continue;
            }
            let mut after = 0;
            loop {
                let page = Findings::page(&mut self.plan, table, &[Class::CurrentOnly], after, PAGE)?;
                let Some(last) = page.last() else { break };
                after = last.id;
                let mut left = vec![Vec::new(); page.len()];
                for &(child, foreign_key) in &referring {
                    let had = |finding: &Finding| -> Option<Vec<OwnedCell>> {
                        let value = |c: &usize| finding.fields.iter().find(|f| f.column == *c)?.current.clone();
                        let cell = |c: &usize| {
                            let stored = self.database.store_any(&target.columns[*c], &value(c)?);
                            Some(stored.unwrap_or(OwnedCell::Null))
                        };
                        foreign_key.references.iter().map(cell).collect()
                    };
                    let tuples: Vec<Option<Vec<OwnedCell>>> = page.iter().map(had).collect();
                    let asked: Vec<usize> = (0..page.len()).filter(|&p| tuples[p].is_some()).collect();
                    let tuples: Vec<Vec<OwnedCell>> = tuples.into_iter().flatten().collect();
                    let counts =
                        staying(&mut self.plan, self.snapshot.as_mut(), (schema, child, foreign_key), &tuples)?;
                    for (position, count) in asked.into_iter().zip(counts).filter(|(_, count)| *count > 0) {
                        left[position].push(format!("{count} of {}", schema.tables[child].label()));
                    }
                }
                for (finding, left) in page.iter().zip(left).filter(|(_, left)| !left.is_empty()) {
                    let why = format!("records refer to it that this undo does not remove: {}", left.join(", "));
                    self.block(finding.id, Reason::StillReferenced, &why)?;
                    changed = true;
                }
            }
        }
        Ok(changed)
    }
}

fn key_values(table: &Table, key: &[OwnedCell]) -> Vec<Value> {
    table.key.iter().zip(key).filter_map(|(&c, k)| encode::value_of(k.as_cell(), &table.columns[c])).collect()
}

fn key_bytes(table: &Table, key: &[OwnedCell]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (&column, part) in table.key.iter().zip(key_values(table, key)) {
        encode::encode_key_part(&part, table.columns[column].collation, &mut bytes);
    }
    bytes
}

/// Counts the records that refer to each of some that go, and that stay themselves.
fn staying(
    plan: &mut Plan,
    snapshot: &mut dyn Snapshot,
    (schema, child, foreign_key): (&crate::model::Schema, usize, &crate::model::ForeignKey),
    wanted: &[Vec<OwnedCell>],
) -> Result<Vec<u64>> {
    let children = &schema.tables[child];
    let mut counts = vec![0; wanted.len()];
    // Without a key they are counted when the undo is carried out, by what they refer to.
    if children.key.is_empty() || wanted.is_empty() {
        return Ok(counts);
    }
    snapshot.fetch(children, &foreign_key.columns, wanted, &mut |position, row| {
        let kind = foreign_key.when.as_ref().and_then(|(c, _)| encode::value_of(row[*c], &children.columns[*c]));
        if !foreign_key.applies(|_| kind.as_ref()) {
            return Ok(());
        }
        let mut key = Vec::new();
        for &c in &children.key {
            if let Some(value) = encode::value_of(row[c], &children.columns[c]) {
                encode::encode_key_part(&value, children.columns[c].collation, &mut key);
            }
        }
        let goes = plan.find(child, &key)?.is_some_and(|f| {
            f.class == Class::CurrentOnly
                || (f.class == Class::Updated && f.fields.iter().any(|x| foreign_key.columns.contains(&x.column)))
        });
        counts[position] += u64::from(!goes);
        Ok(())
    })?;
    Ok(counts)
}

fn differing_exactly(before: &[OwnedCell], after: &[OwnedCell]) -> Vec<usize> {
    (0..before.len()).filter(|&c| before[c] != after[c]).collect()
}
