//! What records would be once their references follow records that meet existing ones: whether current has them already, and
//! whether a unique key that they would have then is another's.

use super::{Check, tuple, tuple_bytes, tuple_text};
use crate::analyzer::{Already, Finding, Holder, Turned};
use crate::error::Result;
use crate::model::change::{Class, Reason};
use crate::model::compare::same;
use crate::model::{ForeignKey, Table, Value, encode};

/// A reference to a table some of whose records meet others, by the table's key.
type Meeting<'a> = (usize, &'a ForeignKey);

impl Check<'_> {
    /// Notes what becomes of a table's records once their references follow.
    pub(super) fn follow(&mut self, table: usize) -> Result<()> {
        let target = &self.mapping.schema.tables[table];
        let mut meeting: Vec<Meeting<'_>> = Vec::new();
        for foreign_key in &target.foreign_keys {
            let Some(parent) = foreign_key.table else { continue };
            let meets = self.result(parent).is_some_and(|r| r.counts.conflict > 0);
            if meets && foreign_key.references == self.mapping.schema.tables[parent].key {
                meeting.push((parent, foreign_key));
            }
        }
        let in_key = |(_, f): &Meeting<'_>| f.columns.iter().any(|c| target.key.contains(c));
        let of_key: Vec<Meeting<'_>> = meeting.iter().copied().filter(in_key).collect();
        if !of_key.is_empty() {
            self.already(table, &of_key)?;
        }
        let shared = |unique: &&crate::model::Unique| {
            unique.is_plain()
                && unique.columns != target.key
                && meeting.iter().any(|(_, f)| f.columns.iter().any(|c| unique.columns.contains(c)))
        };
        for unique in target.uniques.iter().filter(shared) {
            self.turned(table, &unique.columns, &meeting)?;
        }
        Ok(())
    }

    /// Turns a record's references to those whom the records that they name meet; tells whether any turned.
    fn turn(&mut self, meeting: &[Meeting<'_>], record: &mut [Option<Value>]) -> Result<bool> {
        let mut turned = false;
        for (parent, foreign_key) in meeting {
            let Some(values) = tuple(record, &foreign_key.columns) else { continue };
            if !foreign_key.applies(|c| record[c].as_ref()) {
                continue;
            }
            let named = &self.mapping.schema.tables[*parent];
            let bytes = tuple_bytes(named, &named.key, &values);
            let met = self.findings.find(*parent, &bytes)?.filter(|f| f.reason == Reason::UniqueTaken);
            let Some(identity) = met.and_then(|f| f.limits.identity) else { continue };
            for (&column, value) in foreign_key.columns.iter().zip(encode::split(&identity.key)) {
                record[column] = encode::decode(value);
            }
            turned = true;
        }
        Ok(turned)
    }

    /// Finds the current record that has these values.
    fn there(&mut self, target: &Table, columns: &[usize], values: &[Value]) -> Result<Option<Vec<Option<Value>>>> {
        let Some(cells) = self.stored(target, columns, values) else { return Ok(None) };
        let mut there = None;
        self.snapshot.fetch(target, columns, &[cells], &mut |_, row| {
            there = Some(super::values(target, row));
            Ok(())
        })?;
        Ok(there)
    }

    /// Finds new records that current has already once their keys' references follow.
    fn already(&mut self, table: usize, meeting: &[Meeting<'_>]) -> Result<()> {
        let target = &self.mapping.schema.tables[table];
        self.each(table, &[Class::New], &mut |check, page| {
            for mut finding in page {
                let mut record: Vec<Option<Value>> = vec![None; target.columns.len()];
                finding.fields.iter().for_each(|f| record[f.column].clone_from(&f.backup));
                let before = tuple(&record, &target.key);
                check.turn(meeting, &mut record)?;
                let Some(key) = tuple(&record, &target.key).filter(|key| Some(key) != before.as_ref()) else {
                    continue;
                };
                let Some(there) = check.there(target, &target.key, &key)? else { continue };
                let differs = |c: &usize| match (&record[*c], &there[*c]) {
                    (Some(brought), Some(current)) => !same(brought, current),
                    (brought, _) => brought.is_some(),
                };
                let differs =
                    finding.fields.iter().map(|f| f.column).filter(|c| !target.key.contains(c)).filter(differs);
                let key_bytes = tuple_bytes(target, &target.key, &key);
                finding.limits.already = Some(Box::new(Already { key_bytes, differs: differs.collect() }));
                check.findings.revise(&finding)?;
            }
            Ok(())
        })
    }

    /// Finds records that would take a unique key from a current one once their references follow.
    fn turned(&mut self, table: usize, columns: &[usize], meeting: &[Meeting<'_>]) -> Result<()> {
        let target = &self.mapping.schema.tables[table];
        let names = |f: &Finding| {
            let brings = |c: &usize| f.fields.iter().any(|x| x.column == *c && x.backup.is_some());
            meeting.iter().any(|(_, f)| f.columns.iter().any(brings))
        };
        self.each(table, &[Class::New, Class::Updated, Class::Conflict], &mut |check, page| {
            let page: Vec<Finding> = page.into_iter().filter(names).collect();
            let records = check.complete(table, &page)?;
            for (mut finding, mut record) in page.into_iter().zip(records) {
                if !check.turn(meeting, &mut record)? {
                    continue;
                }
                let Some(values) = tuple(&record, columns) else { continue };
                let Some(key) = check.there(target, columns, &values)?.and_then(|there| tuple(&there, &target.key))
                else {
                    continue;
                };
                let key_bytes = tuple_bytes(target, &target.key, &key);
                // Its own key may turn as well.
                if key_bytes == finding.key_bytes || tuple(&record, &target.key).as_ref() == Some(&key) {
                    continue;
                }
                let what = tuple_text(target, columns, &values);
                let text = format!("once its references follow: {what} is held by {}", target.named(&key));
                let holder = Holder { columns: columns.to_vec(), stays: false, key_bytes, text };
                let turned = Turned { tuple: tuple_bytes(target, columns, &values), holder };
                if !finding.limits.turned.contains(&turned) {
                    finding.limits.turned.push(turned);
                    check.findings.revise(&finding)?;
                }
            }
            Ok(())
        })
    }
}
