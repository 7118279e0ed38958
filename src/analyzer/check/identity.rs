//! What the choices about identity need to know: the record that stands in the way, who refers to it, and from where on
//! keys are free.
//!
//! Looked up once all classes are known, for conflicts of `unique_taken` and `reused_key` only.

use super::{Check, PAGE, tuple};
use crate::analyzer::keys::generated;
use crate::analyzer::options::Reach;
use crate::analyzer::{Finding, Identity, digests};
use crate::database::whole;
use crate::error::Result;
use crate::model::change::{Class, Reason};
use crate::model::{Cell, ColumnType, OwnedCell, Value, encode};

/// The reasons of conflicts that are about which entity a record is.
pub(super) const MEETS_ANOTHER: [Reason; 2] = [Reason::UniqueTaken, Reason::ReusedKey];

impl Check<'_> {
    /// Notes on a table's records that meet another entity which record that is.
    pub(super) fn identities(&mut self, table: usize) -> Result<()> {
        // Who may reach certain records only is not shown the one that holds a value, and can't take their own into it.
        if self.options.reach == Reach::Both || self.result(table).is_none_or(|r| r.counts.conflict == 0) {
            return Ok(());
        }
        let generated = generated(&self.mapping.schema, table);
        let mut highest: Option<Option<i64>> = None;
        let mut after = 0;
        loop {
            self.progress.go_on()?;
            let page = self.findings.conflicts(table, &MEETS_ANOTHER, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            if highest.is_none() {
                highest = Some(match generated {
                    Some(column) => self.highest(table, column)?,
                    None => None,
                });
            }
            self.existing(table, page, generated, highest.flatten())?;
        }
    }

    /// Finds the existing records of a page of conflicts.
    fn existing(
        &mut self,
        table: usize,
        page: Vec<Finding>,
        generated: Option<usize>,
        highest: Option<i64>,
    ) -> Result<()> {
        let target = &self.mapping.schema.tables[table];
        let (mut met, mut records) = (Vec::new(), Vec::new());
        for finding in page {
            // A record that current has under its own key is that one: it neither goes into another nor gets a new key.
            if finding.reason == Reason::UniqueTaken && !finding.current_digests.is_empty() {
                continue;
            }
            let found = match finding.reason {
                Reason::ReusedKey => self.held_by(table, &target.key, &finding)?.map(|row| (target.key.clone(), row)),
                _ => self.in_the_way(table, &finding)?,
            };
            let Some((columns, row)) = found else { continue };
            let cells: Vec<Cell<'_>> = row.iter().map(OwnedCell::as_cell).collect();
            records.push(super::values(target, &cells));
            met.push((finding, columns, row));
        }
        let referrers = self.referrers(table, &records)?;
        for (((mut finding, columns, row), record), referrers) in met.into_iter().zip(records).zip(referrers) {
            let Some(key) = tuple(&record, &target.key) else { continue };
            let mut body = Vec::new();
            for (cell, column) in row.iter().zip(&target.columns) {
                let cell = if column.writable() { cell.as_cell() } else { Cell::Absent };
                encode::encode(cell, column, &mut body);
            }
            let mut encoded = Vec::new();
            key.iter().for_each(|value| encode::encode_value(Some(value), &mut encoded));
            if finding.reason == Reason::UniqueTaken {
                // Both records are shown.
                finding.fields.iter_mut().for_each(|f| f.current.clone_from(&record[f.column]));
            }
            finding.limits.identity = Some(Box::new(Identity {
                key: encoded,
                key_bytes: self.tuple_bytes(table, &target.key, &key)?,
                digests: digests(&body),
                unique: if finding.reason == Reason::ReusedKey { Vec::new() } else { columns },
                referrers,
                generated,
                highest,
            }));
            self.findings.revise(&finding)?;
        }
        Ok(())
    }

    /// Finds the record that a conflict is about, and the columns by which it holds what the other wants.
    fn in_the_way(&mut self, table: usize, finding: &Finding) -> Result<Option<(Vec<usize>, Vec<OwnedCell>)>> {
        let target = &self.mapping.schema.tables[table];
        // Not one that gives its key up.
        let about = |h: &&crate::analyzer::Holder| Some(&h.text) == finding.note.as_ref();
        let held: Vec<Vec<usize>> = finding.limits.holders.iter().filter(about).map(|h| h.columns.clone()).collect();
        for columns in held {
            let derived = target.uniques.iter().find(|u| !u.is_plain() && u.reads == columns);
            let row = match derived {
                Some(unique) => self.claimant(table, unique, finding)?,
                None => self.held_by(table, &columns, finding)?,
            };
            if let Some(row) = row {
                return Ok(Some((columns, row)));
            }
        }
        Ok(None)
    }

    /// Finds the current record that has a finding's values in some columns.
    fn held_by(&mut self, table: usize, columns: &[usize], finding: &Finding) -> Result<Option<Vec<OwnedCell>>> {
        let target = &self.mapping.schema.tables[table];
        let value = |c: &usize| match finding.fields.iter().find(|f| f.column == *c) {
            Some(field) => field.backup.clone(),
            None => target.key.iter().position(|k| k == c).and_then(|at| finding.key.get(at).cloned()),
        };
        let values: Option<Vec<Value>> = columns.iter().map(value).collect();
        let mut found = None;
        if let Some(cells) = values.and_then(|values| self.stored(target, columns, &values)) {
            self.snapshot.fetch(target, columns, &[cells], &mut |_, row| {
                found = Some(row.iter().map(|&c| OwnedCell::from(c)).collect());
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// Counts the current records that refer to each of some records, by table.
    fn referrers(&mut self, table: usize, records: &[Vec<Option<Value>>]) -> Result<Vec<Vec<(String, u64)>>> {
        let schema = &self.mapping.schema;
        let target = &schema.tables[table];
        let mut counted: Vec<Vec<(String, u64)>> = vec![Vec::new(); records.len()];
        for child in &schema.tables {
            for foreign_key in child.foreign_keys.iter().filter(|f| f.table == Some(table)) {
                let (mut asked, mut wanted) = (Vec::new(), Vec::new());
                for (position, record) in records.iter().enumerate() {
                    let values = tuple(record, &foreign_key.references);
                    if let Some(cells) = values.and_then(|v| self.stored(target, &foreign_key.references, &v)) {
                        asked.push(position);
                        wanted.push(cells);
                    }
                }
                if wanted.is_empty() {
                    continue;
                }
                let counts = if foreign_key.when.is_none() {
                    self.snapshot.referrers(child, foreign_key, &wanted)?
                } else {
                    let mut counts = vec![0; wanted.len()];
                    self.snapshot.fetch(child, &foreign_key.columns, &wanted, &mut |position, row| {
                        let record = super::values(child, row);
                        counts[position] += u64::from(foreign_key.applies(|c| record[c].as_ref()));
                        Ok(())
                    })?;
                    counts
                };
                for (position, count) in asked.into_iter().zip(counts).filter(|(_, count)| *count > 0) {
                    match counted[position].iter_mut().find(|(label, _)| *label == child.label()) {
                        Some((_, total)) => *total += count,
                        None => counted[position].push((child.label(), count)),
                    }
                }
            }
        }
        Ok(counted)
    }

    /// Finds the highest number in a key column on either side; none where the column holds other keys.
    fn highest(&mut self, table: usize, column: usize) -> Result<Option<i64>> {
        let target = &self.mapping.schema.tables[table];
        if !matches!(target.columns[column].ty, ColumnType::Integer { .. } | ColumnType::Any) {
            return Ok(None);
        }
        let mut highest = self.snapshot.highest(target, column)?;
        let Some(part) = target.key.iter().position(|&k| k == column) else { return Ok(highest) };
        let classes = [Class::New, Class::Conflict, Class::Blocked, Class::Excluded];
        self.each(table, &classes, &mut |_, page| {
            for finding in page {
                if let Some(Value::Integer(number)) = finding.key.get(part) {
                    highest = highest.max(Some(whole(*number)));
                }
            }
            Ok(())
        })?;
        Ok(highest)
    }
}
