//! Typed values in unique keys, held against the current database: what of them the plan can't know.

use super::Plan;
use super::decision::{Decision, FieldDecision};
use super::identity::known;
use super::settle::{exists, made, settle};
use super::store::Stored;
use crate::analyzer::options::Reach;
use crate::database::{Database, Snapshot};
use crate::error::Result;
use crate::model::change::Class;
use crate::model::{OwnedCell, Table, Value, encode};

/// A current record that has what an answer types.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Its key; none where it is not to be known.
    pub key: Option<Vec<Value>>,
    /// The columns of the unique key: `email`, `slug + lang`.
    pub columns: String,
}

impl Plan {
    /// Tells whether an answer types a value into a unique key, so that the current database has to be asked who has it.
    pub fn types_unique(&self, record: &Stored, decision: &Decision) -> bool {
        let table = &self.meta().schema.tables[record.finding.table];
        let Decision::Fields { fields } = decision else { return false };
        let typed = fields.iter().filter(|(_, answer)| matches!(answer, FieldDecision::Value(_)));
        let mut columns = typed.filter_map(|(name, _)| table.column(name));
        columns.any(|c| table.uniques.iter().any(|unique| unique.is_plain() && unique.columns.contains(&c)))
    }

    /// Says which current record has what an answer types into a unique key, and keeps it whatever is answered to others.
    /// Of another database than the plan's nothing is said.
    ///
    /// # Errors
    /// As reading the database.
    pub fn held_in(&self, database: &mut dyn Database, record: &Stored, decision: &Decision) -> Result<Option<Held>> {
        if database.identity().id != self.meta().database.id {
            return Ok(None);
        }
        let table = &self.meta().schema.tables[record.finding.table];
        let answered = Stored { decision: Some(decision.clone()), ..record.clone() };
        let settled = settle(self, self.strategies()?, &answered)?;
        let mut snapshot = database.snapshot()?;
        for unique in made(table, record, &settled) {
            let columns = &table.uniques[unique].columns;
            let value = |c: &usize| known(table, record, &settled, *c).filter(|v| !v.is_null());
            let Some(values) = columns.iter().map(value).collect::<Option<Vec<Value>>>() else { continue };
            let cells = columns.iter().zip(&values).map(|(&c, v)| database.store_any(&table.columns[c], v).ok());
            let Some(cells) = cells.collect::<Option<Vec<OwnedCell>>>() else { continue };
            let Some(holder) = holder(snapshot.as_mut(), table, columns, cells)? else { continue };
            let bytes = self.tuple_bytes(record.finding.table, &table.key, &holder)?;
            let own = exists(record) && bytes == record.finding.key_bytes;
            let planned = self.by_key(record.finding.table, &bytes)?.map(|found| found.finding.class);
            // One that the plan knows may give it up; that is seen when the plan is settled.
            if own || planned.is_some_and(|c| matches!(c, Class::Updated | Class::Conflict | Class::CurrentOnly)) {
                continue;
            }
            let key = Some(holder).filter(|_| self.meta().options.reach == Reach::Backup);
            return Ok(Some(Held { key, columns: table.names(columns).join(" + ") }));
        }
        Ok(None)
    }
}

/// Finds the key of the current record that has some values.
fn holder(
    snapshot: &mut dyn Snapshot,
    table: &Table,
    columns: &[usize],
    cells: Vec<OwnedCell>,
) -> Result<Option<Vec<Value>>> {
    let mut found = None;
    snapshot.fetch(table, columns, &[cells], &mut |_, row| {
        found = table.key.iter().map(|&c| encode::value_of(row[c], &table.columns[c])).collect();
        Ok(())
    })?;
    Ok(found)
}
