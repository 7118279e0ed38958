//! What current holds beside what a plan keeps: a plan has only the fields that differ, while people know a record by its name
//! and want to see the columns that are equal. Read when a page is drawn, and left out where the database can't be asked.

use super::chrome::Desk;
use crate::model::{Table, Value, encode};
use crate::plan::{Plan, Stored};
use crate::server::service::targets;

/// A current record, a value per column of the plan's table.
pub(super) type Now = Vec<Option<Value>>;

/// Reads the current records of some that are all in one table, in their order.
pub(super) fn now(desk: &Desk, plan: &Plan, records: &[Stored]) -> Vec<Option<Now>> {
    read(desk, plan, records).unwrap_or_else(|| vec![None; records.len()])
}

fn read(desk: &Desk, plan: &Plan, records: &[Stored]) -> Option<Vec<Option<Now>>> {
    let meta = plan.meta();
    let table: &Table = &meta.schema.tables[records.first()?.finding.table];
    if table.key.is_empty() {
        return None;
    }
    let mut database = targets::of(&desk.app, &meta.database).ok()?.connect().ok()?;
    let schema = database.schema().ok()?;
    let live = schema.table(&table.label()).map(|t| &schema.tables[t]).filter(|t| t.digest() == table.digest())?;
    let wanted: Vec<_> = records
        .iter()
        .map(|r| {
            let cells = live.key.iter().zip(&r.finding.key);
            cells.map(|(&c, v)| database.store_any(&live.columns[c], v).ok()).collect::<Option<Vec<_>>>()
        })
        .collect::<Option<_>>()?;
    let mut found = vec![None; records.len()];
    let mut snapshot = database.snapshot().ok()?;
    let mut take = |position: usize, row: &[crate::model::Cell<'_>]| {
        let values = row.iter().zip(&live.columns).map(|(cell, column)| encode::value_of(*cell, column));
        found[position] = Some(values.collect());
        Ok(())
    };
    snapshot.fetch(live, &live.key, &wanted, &mut take).ok()?;
    Some(found)
}
