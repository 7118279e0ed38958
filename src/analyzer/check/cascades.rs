//! Changes of what others refer to: a record's new value must not reach into other tables unseen, nor leave them behind.

use super::parents::is_deletion;
use super::{Check, Record};
use crate::analyzer::Finding;
use crate::error::Result;
use crate::model::change::{Class, Field, Reason};
use crate::model::{ForeignKey, Value};
use std::collections::BTreeSet;

impl Check<'_> {
    /// Blocks changes of values that records refer to which keep the reference, and that an engine would change too where
    /// it is one with ON UPDATE CASCADE, SET NULL or SET DEFAULT; returns whether there were any.
    pub(super) fn cascades(&mut self, table: usize) -> Result<bool> {
        let schema = &self.mapping.schema;
        let target = &schema.tables[table];
        let referring: Vec<(usize, usize)> = (0..schema.tables.len())
            .flat_map(|child| (0..schema.tables[child].foreign_keys.len()).map(move |f| (child, f)))
            .filter(|&(child, f)| {
                let foreign_key = &schema.tables[child].foreign_keys[f];
                foreign_key.table == Some(table) && foreign_key.references.iter().any(|c| !target.key.contains(c))
            })
            .collect();
        if referring.is_empty() {
            return Ok(false);
        }
        // It depends on what becomes of those that refer.
        let known = self.rounds.changes_in(referring.iter().map(|(child, _)| *child));
        if self.cascaded.insert(table, known) == Some(known) {
            return Ok(false);
        }
        let mut changed = false;
        self.each(table, &[Class::Updated, Class::Conflict], &mut |check, page| {
            let page: Vec<_> = page.into_iter().filter(|f| !f.current_digests.is_empty()).collect();
            let records = check.complete(table, &page)?;
            let mut counts = Vec::new();
            for &(child, position) in &referring {
                let references = &check.mapping.schema.tables[child].foreign_keys[position].references;
                let as_it_is = |(finding, record): (&Finding, &Record)| {
                    let changes = |f: &Field| references.contains(&f.column) && f.backup.is_some();
                    finding.fields.iter().any(changes).then(|| {
                        let mut record = record.clone();
                        finding.fields.iter().for_each(|f| record[f.column].clone_from(&f.current));
                        record
                    })
                };
                let had: Vec<Option<Record>> = page.iter().zip(&records).map(as_it_is).collect();
                let mut keeping = Vec::new();
                for group in check.groups(table, &[(child, position)], &had)? {
                    for keys in check.referring_keys(table, (child, position), &had[group])? {
                        keeping.push(check.keeping((child, position), &keys)?);
                    }
                }
                counts.push(keeping);
            }
            for (at, mut finding) in page.into_iter().enumerate() {
                let (mut reached, mut left) = (Vec::new(), Vec::new());
                for (&(child, position), counts) in referring.iter().zip(&counts) {
                    let count = counts[at];
                    let children = &check.mapping.schema.tables[child];
                    let foreign_key = &children.foreign_keys[position];
                    match count {
                        0 => {}
                        _ if foreign_key.reaches_on_update() => {
                            reached.push(format!(
                                "{count} of {} (ON UPDATE {})",
                                children.label(),
                                foreign_key.on_update
                            ));
                        }
                        _ => left.push(format!("{count} of {}", children.label())),
                    }
                }
                let note = if !reached.is_empty() {
                    format!("its new value would also change records that refer to it: {}", reached.join(", "))
                } else if !left.is_empty() {
                    format!("records refer to what it has now and would stay: {}", left.join(", "))
                } else {
                    continue;
                };
                if finding.class == Class::Conflict {
                    check.refuse(&mut finding, &referring, &note)?;
                } else {
                    check.reclass(&mut finding, Class::Blocked, Reason::CheckFails, Some(note))?;
                    changed = true;
                }
            }
            Ok(())
        })?;
        Ok(changed)
    }

    /// Notes on a conflict that the backup's values of what others refer to can't be taken; the rest can.
    fn refuse(&mut self, finding: &mut Finding, referring: &[(usize, usize)], note: &str) -> Result<()> {
        let key = |&(child, position): &(usize, usize)| &self.mapping.schema.tables[child].foreign_keys[position];
        let referred: BTreeSet<usize> = referring.iter().flat_map(|r| key(r).references.iter().copied()).collect();
        let changed = finding.fields.iter().filter(|f| f.backup.is_some() && referred.contains(&f.column));
        let columns: Vec<usize> = changed.map(|f| f.column).collect();
        let known = finding.limits.unstorable.len();
        for column in columns {
            if !finding.limits.unstorable.iter().any(|(c, _)| *c == column) {
                finding.limits.unstorable.push((column, note.to_owned()));
            }
        }
        if finding.limits.unstorable.len() > known { self.findings.revise(finding) } else { Ok(()) }
    }

    /// Counts the records of a child table, of those that refer to what a record would no longer have, that nothing turns away.
    fn keeping(&mut self, (child, position): (usize, usize), referring: &[Option<Vec<Value>>]) -> Result<u64> {
        let children = &self.mapping.schema.tables[child];
        let foreign_key = &children.foreign_keys[position];
        let mut count = 0;
        for key in referring {
            let found = match key {
                Some(key) if !key.is_empty() => {
                    let bytes = self.tuple_bytes(child, &children.key, key)?;
                    self.findings.find(child, &bytes)?
                }
                _ => None,
            };
            count += u64::from(!found.is_some_and(|f| may_turn(&f, foreign_key)));
        }
        Ok(count)
    }
}

/// Tells whether a record of a child table goes, or refers to something else where the backup's side of it is taken: whether
/// it is, is known only when everything is decided.
fn may_turn(finding: &Finding, foreign_key: &ForeignKey) -> bool {
    let turns = || finding.fields.iter().any(|f| foreign_key.columns.contains(&f.column) && f.backup.is_some());
    match finding.class {
        Class::CurrentOnly => is_deletion(finding),
        Class::Updated | Class::Conflict => turns(),
        Class::New | Class::Unchanged | Class::Blocked | Class::Excluded => false,
    }
}
