//! Records that are told by a reference to one that is kept under another key: the lines of an order of which both are kept.
//!
//! Under their old key current has something else, however alike: the line of the order that keeps the key. So the backup's
//! is a new record, brought whole under the key that follows, and current's is not touched.

use super::super::decision::Decision;
use super::super::settle::exists;
use super::super::store::Stored;
use super::super::{Plan, codec};
use crate::analyzer::Finding;
use crate::error::Result;
use crate::model::change::{Class, Field, Reason};
use crate::model::{ForeignKey, Value};

/// How many references deep a key may consist of keys.
const DEPTH: usize = 16;

/// Returns what both sides of a record have alike in a column, where the analysis noted it.
pub(super) fn alike(finding: &Finding, column: usize) -> Option<Value> {
    let alike = finding.limits.alike.as_ref()?;
    let at = alike.columns.iter().position(|&c| c == column)?;
    codec::values_from_bytes(&alike.values).ok()?.into_iter().nth(at)
}

/// Returns a record of both sides as the new one that it is once its own key has followed; `None`: its key stays. The inner
/// error says why it can't be brought.
///
/// # Errors
/// `PlanMismatch` for a damaged plan.
pub(in crate::plan) fn moved(plan: &Plan, record: &Stored) -> Result<Option<std::result::Result<Stored, String>>> {
    let finding = &record.finding;
    if !plan.has_remaps() || !exists(record) || !matches!(finding.class, Class::Updated | Class::Conflict) {
        return Ok(None);
    }
    let table = &plan.meta().schema.tables[finding.table];
    if !table.foreign_keys.iter().any(|f| f.is_within(&table.key)) || !plan.follows(finding.table, &finding.key, 0)? {
        return Ok(None);
    }
    let name = table.named(&finding.key);
    let Some(alike) = &finding.limits.alike else {
        return Ok(Some(Err(format!(
            "{name} belongs to a record that is kept under two keys; analyze again to bring it"
        ))));
    };
    if !finding.kept.is_empty() {
        let names = table.names(&finding.kept.iter().map(|f| f.column).collect::<Vec<_>>()).join(", ");
        let why = format!(
            "{name} belongs to a record that is kept under two keys, and of its {names} only current's is known"
        );
        return Ok(Some(Err(why)));
    }
    let from_backup = |column: usize, value: Value| Field {
        column,
        base: None,
        current: None,
        backup: Some(value),
        in_conflict: false,
        is_timestamp: table.timestamp == Some(column),
    };
    let mut fields: Vec<Field> = finding
        .fields
        .iter()
        .filter(|f| !table.key.contains(&f.column))
        .filter_map(|f| Some(from_backup(f.column, f.backup.clone()?)))
        .collect();
    let values = codec::values_from_bytes(&alike.values)?;
    let rest =
        alike.columns.iter().copied().zip(values).chain(table.key.iter().copied().zip(finding.key.iter().cloned()));
    for (column, value) in rest {
        if !fields.iter().any(|f| f.column == column) {
            fields.push(from_backup(column, value));
        }
    }
    fields.sort_by_key(|f| f.column);
    let mut moved = record.clone();
    moved.finding.fields = fields;
    moved.finding.current_digests.clear();
    (moved.finding.class, moved.finding.reason) = (Class::New, Reason::OnlyInBackup);
    // How new the one under the old key is says nothing about this one.
    moved.finding.current_at = None;
    // Whatever was asked about the two of one key: here is only one.
    if matches!(moved.decision, Some(Decision::NewKey | Decision::IntoExisting)) {
        moved.decision = Some(Decision::Backup);
    }
    Ok(Some(Ok(moved)))
}

impl Plan {
    /// Tells whether the key of a table's record holds, at any depth, a reference to one that is written under another key.
    pub(super) fn follows(&self, table: usize, key: &[Value], depth: usize) -> Result<bool> {
        let own = &self.meta().schema.tables[table];
        for foreign_key in own.foreign_keys.iter().filter(|_| depth < DEPTH) {
            let (Some(parent), Some(tuple)) = (foreign_key.table, foreign_key.within(&own.key, key)) else { continue };
            if self.turns(parent, foreign_key, &tuple)?
                || (foreign_key.references == self.meta().schema.tables[parent].key
                    && self.follows(parent, &tuple, depth + 1)?)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn turns(&self, parent: usize, foreign_key: &ForeignKey, tuple: &[Value]) -> Result<bool> {
        if !self.remapped(parent) {
            return Ok(false);
        }
        let Some(new) = self.renamed(parent, foreign_key, tuple)? else { return Ok(false) };
        let bytes = |values: &[Value]| self.tuple_bytes(parent, &foreign_key.references, values);
        Ok(bytes(&new)? != bytes(tuple)?)
    }

    /// Says why a reference can't follow: it names a record that both sides have alike, and that stays with the current one of
    /// two that are both kept.
    pub(super) fn stays_behind(
        &self,
        parent: usize,
        foreign_key: &ForeignKey,
        tuple: &[Value],
    ) -> Result<Option<String>> {
        let target = &self.meta().schema.tables[parent];
        if foreign_key.references != target.key || !self.follows(parent, tuple, 0)? {
            return Ok(None);
        }
        let name = target.named(tuple);
        Ok(Some(format!("{name} is not brought: it stays with the current one of two records that are both kept")))
    }
}
