//! References follow the records that they name, where those are written under another key.

use super::super::settle::{Settled, Target, exists};
use super::super::store::Stored;
use super::super::{Outcome, Plan};
use super::{moved, referred};
use crate::analyzer::{Finding, Turned};
use crate::error::Result;
use crate::model::change::Field;
use crate::model::compare::same;
use crate::model::{Table, Value};

/// Turns references to records that are written under another key to that key.
///
/// # Errors
/// `PlanMismatch` for a damaged plan.
pub(in crate::plan) fn follow(plan: &Plan, record: &Stored, mut settled: Settled) -> Result<Settled> {
    if !matches!(settled.outcome, Outcome::Inserted | Outcome::Updated) || !plan.has_remaps() {
        return Ok(settled);
    }
    let table = &plan.meta().schema.tables[record.finding.table];
    let turned = match turn(plan, record, &mut settled)? {
        Ok(turned) => turned,
        Err(why) => return Ok(Settled::plain(Outcome::Blocked, Some(why))),
    };
    if turned && !exists(record) {
        let key: Option<Vec<Value>> = table.key.iter().map(|&c| known(table, record, &settled, c)).collect();
        let own = record.finding.table;
        let bytes = key.as_ref().map(|key| plan.tuple_bytes(own, &table.key, key)).transpose()?;
        if let (Some(already), Some(key)) = (&record.finding.limits.already, key)
            && bytes.as_ref() == Some(&already.key_bytes)
        {
            let name = table.named(&key);
            if already.differs.is_empty() {
                return Ok(Settled::plain(Outcome::Kept, Some(format!("{name} is there already"))));
            }
            let fields = table.names(&already.differs).join(", ");
            let why = format!("{name} is there already, with other values of {fields}");
            return Ok(Settled::plain(Outcome::Blocked, Some(why)));
        }
    }
    let written_over = match settled.target {
        Target::Own => exists(record),
        Target::New => false,
        Target::Existing(..) => true,
    };
    if turned && written_over {
        let current = |c: usize| record.finding.fields.iter().find(|f| f.column == c).and_then(|f| f.current.as_ref());
        settled.writes.retain(|(c, v)| !current(*c).is_some_and(|now| same(now, v)));
        if settled.writes.iter().all(|(c, _)| table.timestamp == Some(*c)) {
            return Ok(Settled::plain(Outcome::Kept, Some("nothing differs once its references follow".to_owned())));
        }
    }
    Ok(settled)
}

/// Turns the references among what is written; says whether any turned, or why it can't be told.
pub(super) fn turn(plan: &Plan, record: &Stored, settled: &mut Settled) -> Result<std::result::Result<bool, String>> {
    let table = &plan.meta().schema.tables[record.finding.table];
    let mut turned = false;
    let whole = becomes_the_backups(record, settled);
    let stays = match settled.target {
        Target::Existing(..) => referred(plan, record.finding.table).concat(),
        Target::Own | Target::New => table.key.clone(),
    };
    for foreign_key in &table.foreign_keys {
        let Some(parent) = foreign_key.table else { continue };
        let is_written = |c: &usize| settled.writes.iter().any(|(w, _)| w == c);
        let is_alike = |c: &usize| !stays.contains(c) && is_alike(&record.finding, *c);
        if !(foreign_key.columns.iter().any(is_written) || whole && foreign_key.columns.iter().all(is_alike)) {
            continue;
        }
        let value = |column: usize| known(table, record, settled, column);
        let parts: Vec<Option<Value>> = foreign_key.columns.iter().map(|&c| value(c)).collect();
        let Some(tuple) = parts.into_iter().collect::<Option<Vec<_>>>() else { continue };
        if tuple.iter().any(Value::is_null) {
            continue;
        }
        let new = if plan.remapped(parent) { plan.renamed(parent, foreign_key, &tuple)? } else { None };
        let Some(new) = new else {
            if let Some(why) = plan.stays_behind(parent, foreign_key, &tuple)? {
                return Ok(Err(format!("{} → {why}", table.names(&foreign_key.columns).join("+"))));
            }
            continue;
        };
        if let Some((column, text)) = &foreign_key.when {
            match value(*column) {
                Some(kind) if kind.to_string() == *text => {}
                Some(_) => continue,
                None => {
                    let names = table.names(&foreign_key.columns).join("+");
                    let why = format!("{names} may refer to a record that gets another key; decide it by field");
                    return Ok(Err(why));
                }
            }
        }
        for ((&column, old), new) in foreign_key.columns.iter().zip(&tuple).zip(new) {
            if same(old, &new) {
                continue;
            }
            turned = true;
            match settled.writes.iter_mut().find(|(c, _)| *c == column) {
                Some((_, value)) => *value = new,
                None => settled.writes.push((column, new)),
            }
        }
    }
    Ok(Ok(turned))
}

/// Returns what a column will hold, as far as the plan knows.
pub(in crate::plan) fn known(table: &Table, record: &Stored, settled: &Settled, column: usize) -> Option<Value> {
    let finding = &record.finding;
    let written = settled.writes.iter().find(|(c, _)| *c == column).map(|(_, v)| v.clone());
    written
        .or_else(|| finding.fields.iter().find(|f| f.column == column).and_then(|f| f.current.clone()))
        .or_else(|| table.key.iter().position(|&k| k == column).and_then(|at| finding.key.get(at).cloned()))
        .or_else(|| moved::alike(finding, column))
}

/// Tells whether both sides have the same in a column, as far as the plan knows.
fn is_alike(finding: &Finding, column: usize) -> bool {
    let alike = |f: &Field| f.current.as_ref().zip(f.backup.as_ref()).is_some_and(|(a, b)| same(a, b));
    match finding.fields.iter().find(|f| f.column == column) {
        Some(field) => alike(field),
        None => finding.limits.alike.as_ref().is_some_and(|a| a.columns.contains(&column)),
    }
}

/// Tells whether a record that is there holds all that the backup's has once it is written. One of both sides keeps what it
/// refers to where both spell it alike.
fn becomes_the_backups(record: &Stored, settled: &Settled) -> bool {
    let finding = &record.finding;
    let written = |f: &Field| {
        f.backup.as_ref().is_none_or(|backup| {
            let alike = f.current.as_ref().is_some_and(|c| same(c, backup));
            f.is_timestamp || alike || settled.writes.iter().any(|(c, v)| *c == f.column && v == backup)
        })
    };
    match settled.target {
        Target::Existing(..) => true,
        Target::Own | Target::New => finding.kept.is_empty() && finding.fields.iter().all(written),
    }
}

/// Tells whether a record claims what it was foreseen to claim once its references follow.
pub(in crate::plan) fn claims(plan: &Plan, record: &Stored, settled: &Settled, turned: &Turned) -> Result<bool> {
    let table = &plan.meta().schema.tables[record.finding.table];
    let columns = &turned.holder.columns;
    let values: Option<Vec<Value>> = columns.iter().map(|&c| known(table, record, settled, c)).collect();
    let bytes = values.map(|values| plan.tuple_bytes(record.finding.table, columns, &values)).transpose()?;
    Ok(bytes.as_ref() == Some(&turned.tuple))
}
