//! Deletions never leave a reference dangling and never rely on cascades: who still refers to a record is found first.

use super::parents::is_deletion;
use super::{Check, Record, Step, tuple};
use crate::analyzer::Finding;
use crate::analyzer::classify::Deletes;
use crate::error::Result;
use crate::model::{ForeignKey, OwnedCell, Value};
use std::ops::Range;

/// The most records whose keys are held in one go, unless one record alone has more that refer to it.
const REFERRING: u64 = 10_000;
use crate::model::change::{Class, Field, Reason};

/// Tells whether a record that current changed is deleted if somebody says so.
fn is_asked(finding: &Finding) -> bool {
    finding.class == Class::Conflict && finding.reason == Reason::DeletedInBackup
}

impl Check<'_> {
    /// Turns deletions that others still refer to into conflicts, until nothing changes any more.
    pub(super) fn deletions(&mut self, order: &[usize]) -> Result<()> {
        if self.options.deletes == Deletes::Keep {
            return Ok(());
        }
        loop {
            let mut changed = false;
            for &table in order.iter().rev() {
                changed |= self.deletions_of(table)?;
            }
            if !changed {
                return Ok(());
            }
        }
    }

    fn deletions_of(&mut self, table: usize) -> Result<bool> {
        let mut changed = false;
        let referring: Vec<(usize, usize)> = (0..self.mapping.schema.tables.len())
            .flat_map(|child| (0..self.mapping.schema.tables[child].foreign_keys.len()).map(move |f| (child, f)))
            .filter(|&(child, f)| self.mapping.schema.tables[child].foreign_keys[f].table == Some(table))
            .collect();
        if referring.is_empty() {
            return Ok(false);
        }
        let mut look = |check: &mut Self, page: Vec<Finding>, note: bool| -> Result<()> {
            let page: Vec<Finding> = page.into_iter().filter(|f| is_deletion(f) || is_asked(f)).collect();
            let records: Vec<Option<Record>> = page.iter().map(|finding| Some(check.as_it_is(finding))).collect();
            for group in check.groups(table, &referring, &records)? {
                let keys =
                    |check: &mut Self, &of: &(usize, usize)| check.referring_keys(table, of, &records[group.clone()]);
                let referrers = referring.iter().map(|of| keys(check, of)).collect::<Result<Vec<_>>>()?;
                for (position, finding) in page[group.clone()].iter().enumerate() {
                    let mut left = Vec::new();
                    for (&(child, foreign_key), keys) in referring.iter().zip(&referrers) {
                        let count = check.dangling((child, foreign_key), finding, &keys[position], note)?;
                        if count > 0 {
                            left.push(format!("{count} of {}", check.mapping.schema.tables[child].label()));
                        }
                    }
                    if !left.is_empty() {
                        let mut finding = finding.clone();
                        finding.fields.iter_mut().for_each(|f| f.in_conflict = !f.is_timestamp);
                        let note = format!("records refer to it that would stay: {}", left.join(", "));
                        check.reclass(&mut finding, Class::Conflict, Reason::StillReferenced, Some(note))?;
                        changed = true;
                    }
                }
            }
            Ok(())
        };
        // Whether what is deleted only if somebody says so could be is known now.
        self.round((Step::Deletions, table), &[Class::CurrentOnly, Class::Conflict], &mut look)?;
        Ok(changed)
    }

    /// Returns a current record as far as its finding says what it holds.
    fn as_it_is(&self, finding: &Finding) -> Record {
        let target = &self.mapping.schema.tables[finding.table];
        let mut record = vec![None; target.columns.len()];
        target.key.iter().zip(&finding.key).for_each(|(&c, v)| record[c] = Some(v.clone()));
        finding.fields.iter().for_each(|f| record[f.column].clone_from(&f.current));
        record
    }

    /// Returns by what a foreign key names each of some records of its parent, with their positions; none for those that have
    /// nothing to be named by.
    fn named_by(
        &self,
        table: usize,
        foreign_key: &ForeignKey,
        records: &[Option<Record>],
    ) -> (Vec<usize>, Vec<Vec<OwnedCell>>) {
        let target = &self.mapping.schema.tables[table];
        let name = |record: &Option<Record>| {
            let values = tuple(record.as_ref()?, &foreign_key.references)?;
            self.stored(target, &foreign_key.references, &values)
        };
        records.iter().enumerate().filter_map(|(position, record)| Some((position, name(record)?))).unzip()
    }

    /// Parts records so that not too many refer to those of one part.
    pub(super) fn groups(
        &mut self,
        table: usize,
        referring: &[(usize, usize)],
        records: &[Option<Record>],
    ) -> Result<Vec<Range<usize>>> {
        let mut counts = vec![0; records.len()];
        for &(child, foreign_key) in referring {
            let children = &self.mapping.schema.tables[child];
            let foreign_key = &children.foreign_keys[foreign_key];
            let (asked, wanted) = self.named_by(table, foreign_key, records);
            if !wanted.is_empty() {
                let referrers = self.snapshot.referrers(children, foreign_key, &wanted)?;
                asked.into_iter().zip(referrers).for_each(|(position, count)| counts[position] += count);
            }
        }
        let (mut groups, mut start, mut sum) = (Vec::new(), 0, 0);
        for (position, count) in counts.into_iter().enumerate() {
            if sum + count > REFERRING && position > start {
                groups.push(start..position);
                (start, sum) = (position, 0);
            }
            sum += count;
        }
        groups.push(start..records.len());
        Ok(groups)
    }

    /// Lists the keys of the current records of a child table that refer to each of some records, in one look; none for
    /// a child without a key.
    pub(super) fn referring_keys(
        &mut self,
        table: usize,
        (child, foreign_key): (usize, usize),
        records: &[Option<Record>],
    ) -> Result<Vec<Vec<Option<Vec<Value>>>>> {
        let children = &self.mapping.schema.tables[child];
        let foreign_key = &children.foreign_keys[foreign_key];
        let (asked, wanted) = self.named_by(table, foreign_key, records);
        let mut keys = vec![Vec::new(); records.len()];
        if !wanted.is_empty() {
            self.snapshot.fetch(children, &foreign_key.columns, &wanted, &mut |position, row| {
                let record = super::values(children, row);
                if foreign_key.applies(|c| record[c].as_ref()) {
                    keys[asked[position]].push(tuple(&record, &children.key));
                }
                Ok(())
            })?;
        }
        Ok(keys)
    }

    /// Counts the records, of those of a child table that refer to a record, that would refer to nothing if it went;
    /// notes where asked that it waits for those that go too.
    fn dangling(
        &mut self,
        (child, foreign_key): (usize, usize),
        finding: &Finding,
        referrers: &[Option<Vec<Value>>],
        note: bool,
    ) -> Result<u64> {
        let (table, mapping) = (finding.table, self.mapping);
        let children = &mapping.schema.tables[child];
        let foreign_key = &children.foreign_keys[foreign_key];
        // Of such references it is known before the merge what becomes of them: a deletion that somebody still has to
        // decide may leave, and if it does not, the record that it refers to stays as well.
        let is_settled = foreign_key.references == mapping.schema.tables[table].key && foreign_key.when.is_none();
        let mut count = 0;
        for key in referrers {
            let key = key.as_ref().map(|key| self.tuple_bytes(child, &children.key, key)).transpose()?;
            let goes = match key {
                None => false,
                // A record that refers to itself goes with itself.
                Some(key) if child == table && key == finding.key_bytes => true,
                Some(key) => {
                    let goes = |f: &Finding| {
                        let turns = |x: &Field| foreign_key.columns.contains(&x.column) && x.backup.is_some();
                        is_deletion(f)
                            || (is_settled && is_asked(f))
                            || (f.class == Class::Updated && f.fields.iter().any(turns))
                    };
                    let found = self.findings.find(child, &key)?.filter(goes);
                    if let Some(found) = found.as_ref().filter(|_| note) {
                        self.findings.wait(Step::Deletions.of(table), found.id, finding.id)?;
                    }
                    found.is_some()
                }
            };
            count += u64::from(!goes);
        }
        Ok(count)
    }
}
