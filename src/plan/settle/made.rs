//! Values that neither side has, because a person typed them or a strategy made them: whether another record of the plan
//! has them in a unique key, or gets them.
//!
//! The analysis has looked at what the sides have. What a current record holds that is not in the plan is seen when the
//! merge begins, before it writes.

use super::{Preview, Settled, Strategies, Target, arrives, exists, settle};
use crate::error::Result;
use crate::model::{Key, Table, Value};
use crate::plan::identity::{known, tuple_bytes};
use crate::plan::store::Stored;
use crate::plan::{Outcome, Plan};
use std::collections::HashMap;

/// Records looked at in one go.
const PAGE: usize = 1_000;

/// Who would have which values of which unique key: by its place in the table and the values' bytes.
type Claims = HashMap<(usize, Vec<u8>), Vec<i64>>;

/// Lists the unique keys of a record into which a value goes that neither side has, by their place in the table.
pub(in crate::plan) fn made(table: &Table, record: &Stored, settled: &Settled) -> Vec<usize> {
    if !matches!(settled.outcome, Outcome::Inserted | Outcome::Updated) {
        return Vec::new();
    }
    let sides = |column: usize, value: &Value| {
        let field = record.finding.fields.iter().find(|f| f.column == column);
        field.is_some_and(|f| {
            // Beside a record that is not there stand the values of the one that it meets.
            f.backup.as_ref() == Some(value) || (exists(record) && f.current.as_ref() == Some(value))
        })
    };
    // Keys that are made for records are made so that nobody has them.
    let own: Vec<usize> =
        settled.writes.iter().filter(|(c, v)| !table.key.contains(c) && !sides(*c, v)).map(|(c, _)| *c).collect();
    let plain = table.uniques.iter().enumerate().filter(|(_, unique)| unique.is_plain());
    plain.filter(|(_, unique)| unique.columns.iter().any(|c| own.contains(c))).map(|(at, _)| at).collect()
}

/// Encodes what a record would have of a unique key; none where it is not known, or where it may stand twice.
fn tuple(table: &Table, unique: usize, value: impl Fn(usize) -> Option<Value>) -> Option<Vec<u8>> {
    let columns = &table.uniques[unique].columns;
    let values: Option<Vec<Value>> = columns.iter().map(|&c| value(c).filter(|v| !v.is_null())).collect();
    values.map(|values| tuple_bytes(table, columns, &values))
}

impl Plan {
    /// Blocks records with made values that another record of the plan has or gets; returns whether there were any.
    pub(super) fn taken_by_made(
        &mut self,
        table: usize,
        strategies: &Strategies,
        dropped: &mut [bool],
        preview: &mut Preview,
    ) -> Result<bool> {
        let own = self.meta().schema.tables[table].clone();
        let mut claims = Claims::new();
        self.each_settled(table, strategies, &mut |record, settled| {
            for unique in made(&own, record, settled) {
                if let Some(bytes) = tuple(&own, unique, |c| known(&own, record, settled, c)) {
                    claims.entry((unique, bytes)).or_default().push(record.finding.id);
                }
            }
            Ok(())
        })?;
        let uniques: std::collections::BTreeSet<usize> = claims.keys().map(|(unique, _)| *unique).collect();
        let mut taken: HashMap<i64, String> = HashMap::new();
        self.each_settled(table, strategies, &mut |record, settled| {
            for &unique in &uniques {
                for (bytes, key, word) in self.has_and_gets(&own, unique, record, settled)? {
                    let claimants = claims.get(&(unique, bytes)).into_iter().flatten();
                    for id in claimants.filter(|id| **id != record.finding.id) {
                        let names = own.names(&own.uniques[unique].columns).join(" + ");
                        taken.entry(*id).or_insert(format!(
                            "{}/{} {word} the same {names}",
                            own.label(),
                            Key(key.clone())
                        ));
                    }
                }
            }
            Ok(())
        })?;
        for (id, why) in &taken {
            let Some(record) = self.page(&crate::plan::Selector::default(), id - 1, 1)?.records.pop() else { continue };
            *preview.of(record.outcome.unwrap_or(Outcome::Inserted)) -= 1;
            *preview.of(Outcome::Blocked) += 1;
            dropped[table] |= !exists(&record);
            self.set_outcome(*id, Outcome::Blocked, Some(why))?;
        }
        Ok(!taken.is_empty())
    }

    /// Returns what a record of the plan has of a unique key and keeps, and what it gets: with whose key, and the word for it.
    fn has_and_gets(
        &self,
        table: &Table,
        unique: usize,
        record: &Stored,
        settled: &Settled,
    ) -> Result<Vec<(Vec<u8>, Vec<Value>, &'static str)>> {
        let finding = &record.finding;
        let columns = &table.uniques[unique].columns;
        let mut found = Vec::new();
        let writes = arrives(record) && settled.writes.iter().any(|(c, _)| columns.contains(c));
        if writes && let Some(bytes) = tuple(table, unique, |c| known(table, record, settled, c)) {
            found.push((bytes, finding.key.clone(), "gets"));
        }
        let current = |column: usize| finding.fields.iter().find(|f| f.column == column)?.current.clone();
        let Some(bytes) = tuple(table, unique, current) else { return Ok(found) };
        // The current values beside a record that is not there are those of the record that it meets.
        let holder = match (exists(record), &finding.limits.identity) {
            (true, _) => Some((finding.key.clone(), matches!(settled.target, Target::Own))),
            (false, Some(met)) => {
                Some((crate::plan::codec::values_from_bytes(&met.key)?, matches!(settled.target, Target::Existing(..))))
            }
            (false, None) => None,
        };
        if let Some((key, is_written)) = holder {
            let goes = record.outcome == Some(Outcome::Deleted) || (writes && is_written);
            let own = finding.limits.identity.as_ref().filter(|_| !exists(record));
            let elsewhere = match own {
                Some(met) => self
                    .stored_by_key(finding.table, &met.key_bytes)?
                    .is_some_and(|r| r.outcome.is_some_and(Outcome::writes)),
                None => false,
            };
            if !goes && !elsewhere {
                found.push((bytes, key, "has"));
            }
        }
        Ok(found)
    }

    /// Visits every record of a table's, with what becomes of it by itself.
    fn each_settled(
        &self,
        table: usize,
        strategies: &Strategies,
        visit: &mut dyn FnMut(&Stored, &Settled) -> Result<()>,
    ) -> Result<()> {
        let mut after = 0;
        loop {
            let page = self.stored_page(table, &super::together::DECIDABLE, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.finding.id;
            for record in &page {
                let settled = match arrives(record) {
                    true => settle(self, strategies, record)?,
                    false => Settled::plain(record.outcome.unwrap_or(Outcome::Kept), None),
                };
                visit(record, &settled)?;
            }
        }
    }
}
