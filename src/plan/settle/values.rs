//! References to another value of a record than its key: the value comes, or stays away, with the record that gets it.

use super::{Strategies, exists, settle};
use crate::error::Result;
use crate::model::Value;
use crate::model::change::Class;
use crate::model::compare::same;
use crate::plan::store::Stored;
use crate::plan::{Outcome, Plan};
use std::collections::HashMap;

/// Records looked at in one go.
const PAGE: usize = 1_000;

/// The classes of records of which the analysis has looked who holds their values.
const ARRIVING: [Class; 3] = [Class::New, Class::Updated, Class::Conflict];

/// The values that records of the plan do not get after all, each with the record; nobody else has them.
pub(super) type StayingAway = HashMap<Vec<u8>, String>;

impl Plan {
    /// Finds which values of some columns that the backup brings do not arrive; none for the columns of a key, whose
    /// records are told by it.
    pub(super) fn staying_away(&self, strategies: &Strategies, table: usize, columns: &[usize]) -> Result<StayingAway> {
        let target = &self.meta().schema.tables[table];
        let (mut away, mut arriving) = (StayingAway::new(), Vec::new());
        if columns.iter().all(|c| target.key.contains(c)) {
            return Ok(away);
        }
        let mut after = 0;
        loop {
            let page = self.stored_page(table, &ARRIVING, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.finding.id;
            // Where another holds the value, it is there whatever becomes of these.
            for record in page.iter().filter(|r| r.finding.limits.holders.is_empty()) {
                let Some(values) = self.brought(record, columns) else { continue };
                let bytes = self.tuple_bytes(table, columns, &values)?;
                if self.gets(strategies, record, columns, &values)? {
                    arriving.push(bytes);
                } else {
                    away.insert(bytes, target.named(&record.finding.key));
                }
            }
        }
        arriving.iter().for_each(|bytes| drop(away.remove(bytes)));
        Ok(away)
    }

    /// Returns what a record has in some columns with the backup's side of it, if it has something else now.
    fn brought(&self, record: &Stored, columns: &[usize]) -> Option<Vec<Value>> {
        let fields = &record.finding.fields;
        let key = &self.meta().schema.tables[record.finding.table].key;
        let value = |c: &usize| {
            let field = fields.iter().find(|f| f.column == *c);
            let of_key = || record.finding.key.get(key.iter().position(|k| k == c)?).cloned();
            field.map_or_else(of_key, |f| f.backup.clone().or_else(|| f.current.clone()))
        };
        let values: Vec<Value> = columns.iter().map(value).collect::<Option<_>>()?;
        let differs = |c: &usize| fields.iter().any(|f| f.column == *c && f.backup.is_some() && f.backup != f.current);
        let comes = !exists(record) || columns.iter().any(differs);
        (comes && !values.iter().any(Value::is_null)).then_some(values)
    }

    /// Tells whether a record gets values in some columns.
    fn gets(&self, strategies: &Strategies, record: &Stored, columns: &[usize], values: &[Value]) -> Result<bool> {
        Ok(match record.outcome {
            Some(Outcome::Inserted) => true,
            Some(Outcome::Updated) => {
                let writes = settle(self, strategies, record)?.writes;
                let stays =
                    |c: usize| record.finding.fields.iter().find(|f| f.column == c).and_then(|f| f.current.as_ref());
                columns.iter().zip(values).all(|(&c, value)| {
                    let written = writes.iter().find(|(w, _)| *w == c).map(|(_, v)| v);
                    written.or_else(|| stays(c)).is_none_or(|v| same(v, value))
                })
            }
            _ => false,
        })
    }
}
