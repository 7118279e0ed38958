//! What records would be once their references follow records that meet existing ones: whether current has them already, and
//! whether a unique key that they would have then is another's.

use super::identity::MEETS_ANOTHER;
use super::{Check, tuple, tuple_text};
use crate::analyzer::{Alike, Already, Finding, Holder, Turned};
use crate::error::Result;
use crate::model::change::{Class, Reason};
use crate::model::compare::same;
use crate::model::{ForeignKey, Table, Value, encode};

/// How many references deep a key may consist of keys.
const DEPTH: usize = 16;

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
        self.alike(table)
    }

    /// Notes on records of both sides what is alike there, where a reference of theirs names a record that meets another: a
    /// record that becomes the backup's refers to the backup's, also where both sides spell the reference alike.
    fn alike(&mut self, table: usize) -> Result<()> {
        let target = &self.mapping.schema.tables[table];
        let mut of_meeting = Vec::new();
        for foreign_key in &target.foreign_keys {
            if self.any_meets(foreign_key, 0)? {
                of_meeting.push(foreign_key);
            }
        }
        let carried = self.result(table).map(|r| r.carried.clone()).unwrap_or_default();
        if of_meeting.is_empty() || carried.is_empty() {
            return Ok(());
        }
        let carried: Vec<usize> = carried
            .into_iter()
            .filter(|&c| self.mapping.compared[table][c] && target.columns[c].writable() && !target.key.contains(&c))
            .collect();
        self.each(table, &[Class::Updated, Class::Conflict], &mut |check, page| {
            let page: Vec<Finding> = page.into_iter().filter(|f| !f.current_digests.is_empty()).collect();
            let records = check.complete(table, &page)?;
            for (mut finding, record) in page.into_iter().zip(records) {
                let mut meets = false;
                for foreign_key in &of_meeting {
                    let values = tuple(&record, &foreign_key.columns);
                    let Some(values) = values.filter(|_| foreign_key.applies(|c| record[c].as_ref())) else { continue };
                    meets = meets || check.names_a_meeting(foreign_key, &values, 0)?;
                }
                if !meets {
                    continue;
                }
                let differs = |c: &usize| finding.fields.iter().chain(&finding.kept).any(|f| f.column == *c);
                let alike = carried.iter().copied().filter(|c| !differs(c) && record[*c].is_some());
                let columns: Vec<usize> = alike.collect();
                let mut values = Vec::new();
                columns.iter().for_each(|&c| encode::encode_value(record[c].as_ref(), &mut values));
                finding.limits.alike = Some(Box::new(Alike { columns, values }));
                check.findings.revise(&finding)?;
            }
            Ok(())
        })
    }

    /// Tells whether any record that a reference may name meets another, or is told by a reference to one that does.
    fn any_meets(&mut self, foreign_key: &ForeignKey, depth: usize) -> Result<bool> {
        let Some(parent) = foreign_key.table.filter(|_| depth < DEPTH) else { return Ok(false) };
        let named = &self.mapping.schema.tables[parent];
        if foreign_key.references != named.key {
            return Ok(false);
        }
        let conflicts = self.result(parent).is_some_and(|r| r.counts.conflict > 0);
        if conflicts && !self.findings.conflicts(parent, &MEETS_ANOTHER, 0, 1)?.is_empty() {
            return Ok(true);
        }
        for of_key in named.foreign_keys.iter().filter(|f| f.table.is_some() && f.is_within(&named.key)) {
            if self.any_meets(of_key, depth + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells whether a reference names a record that meets another, or one that is told by a reference to such a one.
    fn names_a_meeting(&mut self, foreign_key: &ForeignKey, values: &[Value], depth: usize) -> Result<bool> {
        let Some(parent) = foreign_key.table.filter(|_| depth < DEPTH) else { return Ok(false) };
        let named = &self.mapping.schema.tables[parent];
        if foreign_key.references != named.key {
            return Ok(false);
        }
        let bytes = self.tuple_bytes(parent, &named.key, values)?;
        if self.findings.find(parent, &bytes)?.is_some_and(|f| MEETS_ANOTHER.contains(&f.reason)) {
            return Ok(true);
        }
        for of_key in named.foreign_keys.iter().filter(|f| f.table.is_some() && f.is_within(&named.key)) {
            let Some(values) = of_key.within(&named.key, values) else { continue };
            if self.names_a_meeting(of_key, &values, depth + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
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
            let bytes = self.tuple_bytes(*parent, &named.key, &values)?;
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
                let key_bytes = check.tuple_bytes(table, &target.key, &key)?;
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
                let key_bytes = check.tuple_bytes(table, &target.key, &key)?;
                // Its own key may turn as well.
                if key_bytes == finding.key_bytes || tuple(&record, &target.key).as_ref() == Some(&key) {
                    continue;
                }
                let what = tuple_text(target, columns, &values);
                let text = format!("once its references follow: {what} is held by {}", target.named(&key));
                let holder = Holder { columns: columns.to_vec(), stays: false, key_bytes, text };
                let turned = Turned { tuple: check.tuple_bytes(table, columns, &values)?, holder };
                if !finding.limits.turned.contains(&turned) {
                    finding.limits.turned.push(turned);
                    check.findings.revise(&finding)?;
                }
            }
            Ok(())
        })
    }
}
