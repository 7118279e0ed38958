//! Settling: what becomes of every record under the strategy and the decisions, and the counts that are shown for it.
//!
//! Preview, dry run and merge all use these outcomes; nothing else decides.

mod fits;
mod made;
pub(in crate::plan) mod rounds;
mod together;
mod touch;
mod values;

pub(super) use made::made;

use super::decision::{Decision, FieldDecision, typed};
use super::store::Stored;
use super::{Outcome, Plan, identity};
use crate::analyzer::Mixed;
use crate::error::Result;
use crate::model::change::{Class, Field, Reason};
use crate::model::compare::same;
use crate::model::{Table, Value};
use crate::strategy::{Choice, Conflict, KeepReason, PreserveNewer, Strategy};
use serde::Serialize;
use std::time::Duration;

/// How many records have each outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// See [`Outcome::Inserted`].
    pub inserted: u64,
    /// See [`Outcome::Updated`].
    pub updated: u64,
    /// See [`Outcome::Deleted`].
    pub deleted: u64,
    /// See [`Outcome::KeptNewer`].
    pub kept_newer: u64,
    /// See [`Outcome::Kept`].
    pub kept: u64,
    /// See [`Outcome::Skipped`].
    pub skipped: u64,
    /// See [`Outcome::Undecided`].
    pub undecided: u64,
    /// See [`Outcome::Blocked`].
    pub blocked: u64,
    /// See [`Outcome::Stale`].
    pub stale: u64,
}

impl Preview {
    /// Returns the counter of an outcome.
    pub fn of(&mut self, outcome: Outcome) -> &mut u64 {
        match outcome {
            Outcome::Inserted => &mut self.inserted,
            Outcome::Updated => &mut self.updated,
            Outcome::Deleted => &mut self.deleted,
            Outcome::KeptNewer => &mut self.kept_newer,
            Outcome::Kept => &mut self.kept,
            Outcome::Skipped => &mut self.skipped,
            Outcome::Undecided => &mut self.undecided,
            Outcome::Blocked => &mut self.blocked,
            Outcome::Stale => &mut self.stale,
        }
    }

    /// Returns how many records are written.
    pub fn writes(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }
}

/// What becomes of one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// The outcome.
    pub outcome: Outcome,
    /// The fields written; empty unless inserted or updated.
    pub writes: Vec<(usize, Value)>,
    /// Why, where a person should know.
    pub why: Option<String>,
    /// Which record is written.
    pub target: Target,
}

/// Which record a merge writes for a record of the backup.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Target {
    /// The one with its key.
    #[default]
    Own,
    /// A new one, whose key is among the fields written.
    New,
    /// Another current record: its key, and a digest per column of it as it was seen.
    Existing(Vec<Value>, Vec<u64>),
}

impl Settled {
    pub(super) fn plain(outcome: Outcome, why: Option<String>) -> Self {
        Self { outcome, writes: Vec::new(), why, target: Target::Own }
    }
}

/// The strategies of a plan, parsed.
pub struct Strategies {
    usual: Strategy,
    tables: Vec<(String, Strategy)>,
}

impl Strategies {
    /// Parses the strategies that a plan holds.
    ///
    /// # Errors
    /// `Usage`: a strategy that can't be parsed any more.
    pub fn of(plan: &Plan) -> Result<Self> {
        Self::of_meta(plan.meta())
    }

    pub(super) fn of_meta(meta: &super::Meta) -> Result<Self> {
        let parse = |(table, name, text): &(String, String, String)| Ok((table.clone(), Strategy::parse(name, text)?));
        let tables = meta.table_strategies.iter().map(parse).collect::<Result<_>>()?;
        Ok(Self { usual: Strategy::parse(&meta.strategy.0, &meta.strategy.1)?, tables })
    }

    pub(super) fn of_table(&self, table: &Table) -> &Strategy {
        self.tables.iter().find(|(name, _)| *name == table.label()).map_or(&self.usual, |(_, strategy)| strategy)
    }
}

/// Says what becomes of a record, before it is known what becomes of its parents. References to records that the merge
/// writes under another key follow them.
///
/// # Errors
/// `Usage` for a decision whose value no longer fits.
pub fn settle(plan: &Plan, strategies: &Strategies, record: &Stored) -> Result<Settled> {
    Ok(allowed(plan, record, followed(plan, strategies, record)?))
}

/// Says what becomes of a record once its references have followed.
fn followed(plan: &Plan, strategies: &Strategies, record: &Stored) -> Result<Settled> {
    match identity::moved(plan, record)? {
        None => {
            let settled = alone(plan, strategies, record)?;
            Ok(touch::touched(plan, record, identity::follow(plan, record, settled)?))
        }
        Some(Err(why)) => Ok(Settled::plain(Outcome::Blocked, Some(why))),
        Some(Ok(moved)) => {
            let settled = alone(plan, strategies, &moved)?;
            let mut settled = touch::touched(plan, &moved, identity::follow(plan, &moved, settled)?);
            if settled.outcome == Outcome::Inserted {
                settled.target = Target::New;
            }
            Ok(settled)
        }
    }
}

/// Blocks a record of which a column would be written that is never written, whatever would write it.
fn allowed(plan: &Plan, record: &Stored, settled: Settled) -> Settled {
    let meta = plan.meta();
    let table = &meta.schema.tables[record.finding.table];
    let never = settled.writes.iter().find(|(column, _)| meta.options.never_writes(table, *column));
    match never.map(|(column, _)| &table.columns[*column].name) {
        Some(name) => Settled::plain(Outcome::Blocked, Some(format!("{name} would be written, which never is"))),
        None => settled,
    }
}

/// Says what becomes of a record as if no other got another key.
fn alone(plan: &Plan, strategies: &Strategies, record: &Stored) -> Result<Settled> {
    let finding = &record.finding;
    let table = &plan.meta().schema.tables[finding.table];
    if finding.class == Class::Blocked {
        return Ok(match record.decision {
            Some(Decision::Skip | Decision::Current) => Settled::plain(Outcome::Skipped, None),
            _ => match freed(plan, strategies, record)? {
                Some(freed) => return alone(plan, strategies, &freed),
                None => Settled::plain(Outcome::Blocked, finding.note.clone()),
            },
        });
    }
    if matches!(finding.class, Class::Unchanged | Class::Excluded) {
        return Ok(Settled::plain(Outcome::Skipped, None));
    }
    match identity::chosen(plan, strategies, record) {
        Some(identity::Chosen::IntoExisting) => {
            return Ok(identity::into_existing(plan, strategies.of_table(table), record));
        }
        Some(identity::Chosen::NewKey) => return identity::new_key(plan, strategies.of_table(table), record),
        None => {}
    }
    if let Some(decision) = &record.decision {
        return decided(plan, strategies.of_table(table), record, decision);
    }
    let strategy = strategies.of_table(table);
    if finding.class == Class::CurrentOnly && !strategy.carries(Class::CurrentOnly) {
        let why = format!("the strategy {} deletes nothing", strategy.name);
        return Ok(Settled::plain(Outcome::Skipped, Some(why)));
    }
    if finding.reason == Reason::StillReferenced {
        return Ok(Settled::plain(Outcome::Kept, finding.note.clone()));
    }
    Ok(match by_strategy(plan, strategy, record) {
        Choice::Write(writes) => written(plan, record, writes),
        Choice::Delete => Settled::plain(Outcome::Deleted, None),
        Choice::Keep(KeepReason::NewerKept) => Settled::plain(Outcome::KeptNewer, None),
        Choice::Keep(KeepReason::ByStrategy | KeepReason::NothingToChange) => Settled::plain(Outcome::Kept, None),
        Choice::Skip => Settled::plain(Outcome::Skipped, None),
        Choice::Ask(why) => Settled::plain(Outcome::Undecided, Some(why)),
        Choice::IntoExisting | Choice::NewKey => Settled::plain(Outcome::Undecided, finding.note.clone()),
    })
}

/// Returns a record that others of the backup blocked as it is without them, once none of those would take what it claims.
fn freed(plan: &Plan, strategies: &Strategies, record: &Stored) -> Result<Option<Stored>> {
    let Some(freed) = unblocked(record) else { return Ok(None) };
    for rival in &record.finding.limits.rivals {
        let Some(other) = plan.by_key(record.finding.table, &rival.key_bytes)? else { return Ok(None) };
        // Of those that are not blocked it is seen later which is written.
        let Some(other) = unblocked(&other) else { continue };
        let settled = alone(plan, strategies, &other)?;
        let claims = match settled.outcome {
            Outcome::Inserted | Outcome::Updated => settled.writes.iter().any(|(c, _)| rival.columns.contains(c)),
            Outcome::Undecided => true,
            Outcome::Deleted
            | Outcome::KeptNewer
            | Outcome::Kept
            | Outcome::Skipped
            | Outcome::Blocked
            | Outcome::Stale => false,
        };
        if claims {
            return Ok(None);
        }
    }
    Ok(Some(freed))
}

/// Returns a record that others of the backup block as it would be alone.
fn unblocked(record: &Stored) -> Option<Stored> {
    let (class, reason) = record.finding.limits.otherwise.filter(|_| record.finding.class == Class::Blocked)?;
    let mut alone = record.clone();
    (alone.finding.class, alone.finding.reason, alone.finding.note) = (class, reason, None);
    (class != Class::Blocked).then_some(alone)
}

/// Asks the strategy.
pub(super) fn by_strategy(plan: &Plan, strategy: &Strategy, record: &Stored) -> Choice {
    let finding = &record.finding;
    let table = &plan.meta().schema.tables[finding.table];
    let options = &plan.meta().options;
    let has_base = finding.fields.iter().any(|f| f.base.is_some());
    let choice = strategy.decide(&Conflict {
        table,
        class: finding.class,
        reason: finding.reason,
        fields: &finding.fields,
        kept: &finding.kept,
        backup_at: finding.backup_at,
        current_at: finding.current_at,
        has_base,
        preserve_newer: if options.preserve_newer { PreserveNewer::On } else { PreserveNewer::Off },
        tolerance: Duration::from_millis(options.tolerance_millis),
    });
    plan.held_or_asked(table, &finding.fields, choice)
}

fn arrives(record: &Stored) -> bool {
    matches!(record.outcome, Some(Outcome::Inserted | Outcome::Updated))
}

/// Tells whether a record of the plan is not in the database after the merge.
fn is_gone(record: &Stored) -> bool {
    record.outcome == Some(Outcome::Deleted) || (!exists(record) && record.outcome != Some(Outcome::Inserted))
}

pub(super) fn exists(record: &Stored) -> bool {
    !record.finding.current_digests.is_empty()
}

/// Finds the outcome of writing some fields: an insert needs every column that has no default.
fn written(plan: &Plan, record: &Stored, mut writes: Vec<(usize, Value)>) -> Settled {
    let table = &plan.meta().schema.tables[record.finding.table];
    if let Some(why) = refused(plan, record, &writes) {
        return Settled::plain(Outcome::Blocked, Some(why));
    }
    if exists(record) {
        if record.finding.reason == Reason::ReusedKey {
            // Both records are listed whole; what is alike is not written.
            let alike = |f: &Field, v: &Value| f.current.as_ref().is_some_and(|c| same(c, v));
            writes.retain(|(c, v)| !record.finding.fields.iter().any(|f| f.column == *c && alike(f, v)));
        }
        return Settled { outcome: Outcome::Updated, writes, why: None, target: Target::Own };
    }
    inserted(table, writes, Target::Own)
}

/// Finds the outcome of a new record.
pub(super) fn inserted(table: &Table, writes: Vec<(usize, Value)>, target: Target) -> Settled {
    let given = |column: usize| writes.iter().any(|(c, _)| *c == column);
    let missing = (0..table.columns.len()).find(|&c| table.columns[c].required() && !given(c));
    match missing {
        Some(column) => {
            let why = format!("{} needs a value, and the strategy brings none", table.columns[column].name);
            Settled::plain(Outcome::Blocked, Some(why))
        }
        None => Settled { outcome: Outcome::Inserted, writes, why: None, target },
    }
}

/// Says why some fields can't be written, as far as the analysis has seen it.
pub(super) fn refused(plan: &Plan, record: &Stored, writes: &[(usize, Value)]) -> Option<String> {
    let finding = &record.finding;
    let table = &plan.meta().schema.tables[finding.table];
    let from_backup = |column: usize, value: &Value| {
        finding.fields.iter().any(|f| f.column == column && f.backup.as_ref() == Some(value))
    };
    for (column, value) in writes {
        let target = &table.columns[*column];
        if value.is_null() && !target.nullable {
            return Some(format!("{} must not be null", target.name));
        }
        let unstorable = finding.limits.unstorable.iter().find(|(c, _)| c == column);
        if let Some((_, why)) = unstorable.filter(|_| from_backup(*column, value)) {
            return Some(why.clone());
        }
    }
    if let Some(why) = plan.unheld(table, &finding.fields, writes) {
        return Some(why);
    }
    let refused = |mixed: &Mixed| match mixed {
        Mixed::Refused(why) => Some(why.clone()),
        Mixed::Needs { .. } | Mixed::Held(_) | Mixed::Claimed { .. } => None,
    };
    if let Some(why) = mixes(record, writes).find_map(refused) {
        return Some(why);
    }
    let all = finding
        .fields
        .iter()
        .filter(|f| f.backup.is_some())
        .all(|f| writes.iter().any(|(c, v)| *c == f.column && from_backup(*c, v)));
    finding.limits.refused.clone().filter(|_| all)
}

/// Where a field's value comes from once a record is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Backup,
    /// Both sides have it.
    Alike,
    /// The current record, where the backup has another; or a person.
    Elsewhere,
}

fn origin(record: &Stored, writes: &[(usize, Value)], column: usize) -> Origin {
    let field = record.finding.fields.iter().find(|f| f.column == column);
    let backup = field.and_then(|f| f.backup.as_ref());
    match writes.iter().find(|(c, _)| *c == column) {
        Some((_, value)) if backup == Some(value) => Origin::Backup,
        Some(_) => Origin::Elsewhere,
        None => match (backup, field.and_then(|f| f.current.as_ref())) {
            (Some(backup), Some(current)) if !same(backup, current) => Origin::Elsewhere,
            _ => Origin::Alike,
        },
    }
}

/// Lists what the analysis foresaw of the very mixture of both sides that is written.
fn mixes<'a>(record: &'a Stored, writes: &'a [(usize, Value)]) -> impl Iterator<Item = &'a Mixed> + 'a {
    let mixes = record.finding.limits.mixes.iter();
    mixes.filter(|mix| is_mixed(record, writes, &mix.with, &mix.without)).map(|mix| &mix.what)
}

/// Tells whether a record is written with some of the backup's fields and without others.
fn is_mixed(record: &Stored, writes: &[(usize, Value)], with: &[usize], without: &[usize]) -> bool {
    with.iter().all(|&c| origin(record, writes, c) == Origin::Backup)
        && !writes.iter().any(|(column, _)| without.contains(column))
}

fn decided(plan: &Plan, strategy: &Strategy, record: &Stored, decision: &Decision) -> Result<Settled> {
    let table = &plan.meta().schema.tables[record.finding.table];
    let fields: &[Field] = &record.finding.fields;
    let all_from_backup = || fields.iter().filter_map(|f| Some((f.column, f.backup.clone()?))).collect::<Vec<_>>();
    let leaves =
        matches!(record.finding.reason, Reason::DeletedInBackup | Reason::NotInBackup | Reason::StillReferenced);
    let unholdable = record.finding.reason == Reason::UniqueTaken
        || (record.finding.reason == Reason::StillReferenced && *decision == Decision::Backup);
    Ok(match decision {
        Decision::Skip => Settled::plain(Outcome::Skipped, None),
        Decision::Current => Settled::plain(Outcome::Kept, None),
        Decision::Ask => {
            let why = "it was decided before, and looks different by now: it is asked again";
            Settled::plain(Outcome::Undecided, Some(why.to_owned()))
        }
        // Only where they are possible do they come before this.
        Decision::IntoExisting | Decision::NewKey => Settled::plain(Outcome::Undecided, record.finding.note.clone()),
        Decision::Backup if unholdable => Settled::plain(Outcome::Undecided, record.finding.note.clone()),
        Decision::Backup if leaves => Settled::plain(Outcome::Deleted, None),
        Decision::Backup => {
            let mut writes = all_from_backup();
            // What current alone changed stays, so the record is one of both sides, and keeps the later timestamp.
            if !record.finding.kept.is_empty() {
                writes.retain(|(c, _)| table.timestamp != Some(*c));
                writes.extend(later_clock(table, fields, &writes));
            }
            written(plan, record, writes)
        }
        Decision::Fields { fields: answers } => {
            let mut writes = Vec::new();
            for (name, answer) in answers {
                let Some(column) = table.column(name) else { continue };
                match answer {
                    FieldDecision::Current => {}
                    FieldDecision::Backup => {
                        let value = fields.iter().find(|f| f.column == column).and_then(|f| f.backup.clone());
                        writes.extend(value.map(|v| (column, v)));
                    }
                    FieldDecision::Value(json) => writes.push((column, typed(json, table, column)?)),
                }
            }
            if !exists(record) {
                // What nobody answered comes from the backup, there being no current record to keep it from; but not what
                // the strategy never brings.
                let open = |c: usize| {
                    !writes.iter().any(|(w, _)| *w == c) && strategy.brings_field(table, &table.columns[c].name)
                };
                let rest: Vec<_> = all_from_backup().into_iter().filter(|(c, _)| open(*c)).collect();
                writes.extend(rest);
            } else if !writes.is_empty() {
                writes.extend(later_clock(table, fields, &writes));
            }
            if writes.is_empty() { Settled::plain(Outcome::Kept, None) } else { written(plan, record, writes) }
        }
    })
}

/// A record made of both sides carries the later of the two timestamps.
fn later_clock(table: &Table, fields: &[Field], writes: &[(usize, Value)]) -> Option<(usize, Value)> {
    let clock = fields.iter().find(|f| f.is_timestamp && !writes.iter().any(|(c, _)| *c == f.column))?;
    let at = |v: &Option<Value>| crate::analyzer::classify::instant(v.as_ref()?, &table.columns[clock.column]);
    match (at(&clock.backup), at(&clock.current)) {
        (Some(backup), Some(current)) if backup.nanos_since(current) > 0 => Some((clock.column, clock.backup.clone()?)),
        _ => None,
    }
}
