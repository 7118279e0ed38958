//! Positions in a plan file: every table and column that it names by number must be one that it has.
//!
//! A plan is sealed, but it is read before the seal can be looked at, and some of it is shown without; so nothing may
//! rely on numbers that only the file vouches for.

use super::Meta;
use crate::analyzer::{Finding, Mixed};
use crate::error::{Result, fail};
use crate::model::{Schema, Table};

/// Says which table's description names something that is not there.
pub(super) fn unsound(meta: &Meta) -> Option<String> {
    let schema = &meta.schema;
    let table = schema.tables.iter().find(|t| !is_sound(t, schema)).map(Table::label);
    let result = meta.tables.iter().find(|r| schema.tables.get(r.table).is_none_or(|t| !within(&r.carried, t)));
    table.or_else(|| result.map(|r| r.name.clone()))
}

fn within(columns: &[usize], table: &Table) -> bool {
    columns.iter().all(|&c| c < table.columns.len())
}

fn is_sound(table: &Table, schema: &Schema) -> bool {
    let uniques = table.uniques.iter().all(|u| within(&u.columns, table) && within(&u.reads, table));
    let references = table.foreign_keys.iter().all(|f| {
        let kind = f.when.as_ref().is_none_or(|(c, _)| *c < table.columns.len());
        let parent = match f.table {
            None => true,
            Some(parent) => schema.tables.get(parent).is_some_and(|p| within(&f.references, p)),
        };
        within(&f.columns, table) && f.columns.len() == f.references.len() && kind && parent
    });
    within(&table.key, table)
        && within(&table.partitioned_by, table)
        && table.timestamp.is_none_or(|c| c < table.columns.len())
        && uniques
        && references
}

/// Returns a page whose numbers follow on from the one before: where an index of the file is damaged, pages may never end.
///
/// # Errors
/// `PlanMismatch` where they don't.
pub(super) fn goes_on<T>(page: Vec<T>, after: i64, number: impl Fn(&T) -> i64) -> Result<Vec<T>> {
    if std::iter::once(after).chain(page.iter().map(number)).is_sorted_by(|a, b| a < b) {
        return Ok(page);
    }
    Err(fail!(PlanMismatch, "the plan is damaged: the order of its records is broken")
        .hint("Make a new one with 'merganser analyze'."))
}

/// Tells whether a finding names tables and columns that the schema has.
pub(super) fn is_finding_sound(finding: &Finding, schema: &Schema) -> bool {
    let Some(table) = schema.tables.get(finding.table) else { return false };
    let limits = &finding.limits;
    let turned = limits.turned.iter().map(|t| &t.holder);
    let holders = limits.holders.iter().chain(&limits.rivals).chain(turned).all(|h| within(&h.columns, table));
    let identity = limits
        .identity
        .as_ref()
        .is_none_or(|i| within(&i.unique, table) && i.generated.is_none_or(|c| c < table.columns.len()));
    let already = limits.already.as_ref().is_none_or(|a| within(&a.differs, table));
    let mixes = limits.mixes.iter().all(|mix| {
        let what = match &mix.what {
            Mixed::Refused(_) => true,
            Mixed::Needs { table, .. } => *table < schema.tables.len(),
            Mixed::Held(holder) => within(&holder.columns, table),
            Mixed::Claimed { with, without, .. } => within(with, table) && within(without, table),
        };
        within(&mix.with, table) && within(&mix.without, table) && what
    });
    let fields = finding.fields.iter().chain(&finding.kept).all(|f| f.column < table.columns.len());
    let unstorable = limits.unstorable.iter().all(|(c, _)| *c < table.columns.len());
    fields && unstorable && holders && identity && already && mixes
}
