//! Deletions that the analysis allowed because every record that refers goes too, or turns elsewhere; and that can't be
//! done after all because one of those stays, by the strategy, a decision, or something that stands in its way.

use super::Outcome;
use super::Plan;
use super::settle::rounds::{Settling, Step};
use super::settle::{Strategies, settle};
use super::store::Stored;
use crate::analyzer::rounds::Look;
use crate::error::Result;
use crate::model::change::Class;
use crate::model::{ForeignKey, Table, Value};

/// Records looked at in one go.
const PAGE: usize = 1_000;

/// The classes whose records refer to something now and may not do so after the merge.
const LEAVING: [Class; 4] = [Class::Updated, Class::Conflict, Class::Blocked, Class::CurrentOnly];

impl Plan {
    /// Blocks deletions of a table's records that a record of the plan still refers to.
    pub(super) fn held(&self, table: usize, settling: &mut Settling<'_>) -> Result<()> {
        if settling.preview(table).is_none_or(|preview| preview.deleted == 0) {
            return Ok(());
        }
        let schema = &self.meta().schema;
        let own = &schema.tables[table];
        // What goes is held by one that stays: later only those need a look that turned out to stay.
        let (strategies, which) = (settling.strategies, settling.look(Step::Held, table));
        let (stay, note) = match which {
            Look::Nothing => return Ok(()),
            Look::All { note } => (None, note),
            Look::Waiters(awaited) => {
                let records = awaited.into_iter().map(|id| self.stored(id)).collect::<Result<Vec<_>>>()?;
                (Some(records.into_iter().flatten().collect::<Vec<Stored>>()), false)
            }
        };
        let mut held: Vec<(i64, String)> = Vec::new();
        for (child, children) in schema.tables.iter().enumerate() {
            // Other references, to another unique key or by condition, are found when the records are locked.
            let refers = |f: &&ForeignKey| f.table == Some(table) && f.references == own.key && f.when.is_none();
            for foreign_key in children.foreign_keys.iter().filter(refers) {
                let mut look = |record: &Stored| -> Result<()> {
                    if let Some(parent) = self.deleted_parent(table, children, foreign_key, record)?
                        && parent != record.finding.id
                    {
                        if !self.leaves(strategies, foreign_key, record)? {
                            let why = format!("{} refers to it and stays", children.named(&record.finding.key));
                            held.push((parent, why));
                        } else if note {
                            self.wait(Step::Held.of(table), record.finding.id, parent)?;
                        }
                    }
                    Ok(())
                };
                let mut after = 0;
                match &stay {
                    Some(records) => {
                        let of_child = |r: &&Stored| r.finding.table == child && LEAVING.contains(&r.finding.class);
                        records.iter().filter(of_child).try_for_each(look)?;
                    }
                    None => loop {
                        let page = self.stored_page(child, &LEAVING, after, PAGE)?;
                        let Some(last) = page.last() else { break };
                        after = last.finding.id;
                        page.iter().try_for_each(&mut look)?;
                    },
                }
            }
        }
        for (id, why) in held {
            // Several may refer to one; the first is named.
            if let Some(record) = self.stored(id)?.filter(|r| r.outcome == Some(Outcome::Deleted)) {
                self.block(settling, &record, &why)?;
            }
        }
        Ok(())
    }

    /// Returns the number of the record that a current record refers to, if that one is to be deleted.
    fn deleted_parent(
        &self,
        table: usize,
        children: &Table,
        foreign_key: &ForeignKey,
        record: &Stored,
    ) -> Result<Option<i64>> {
        let current = |c: &usize| -> Option<Value> {
            let field = record.finding.fields.iter().find(|f| f.column == *c);
            let of_key = || children.key.iter().position(|k| k == c).and_then(|at| record.finding.key.get(at));
            field.map_or_else(|| of_key().cloned(), |f| f.current.clone())
        };
        let tuple: Option<Vec<Value>> = foreign_key.columns.iter().map(current).collect();
        let Some(tuple) = tuple.filter(|t| !t.iter().any(Value::is_null)) else { return Ok(None) };
        let bytes = self.tuple_bytes(table, &foreign_key.references, &tuple)?;
        let found = self.stored_by_key(table, &bytes)?;
        Ok(found.filter(|r| r.outcome == Some(Outcome::Deleted)).map(|r| r.finding.id))
    }

    /// Tells whether a record goes, or refers to something else after the merge.
    fn leaves(&self, strategies: &Strategies, foreign_key: &ForeignKey, record: &Stored) -> Result<bool> {
        Ok(match record.outcome {
            Some(Outcome::Deleted) => true,
            Some(Outcome::Updated) => {
                let writes = settle(self, strategies, record)?.writes;
                let changes = |column: usize, value: &Value| {
                    record.finding.fields.iter().any(|f| f.column == column && f.current.as_ref() != Some(value))
                };
                writes.iter().any(|(c, v)| foreign_key.columns.contains(c) && changes(*c, v))
            }
            _ => false,
        })
    }
}
