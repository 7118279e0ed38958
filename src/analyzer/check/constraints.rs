//! Values that don't fit, nulls where none may be, checks that refuse, unique keys that another record holds.

use super::{Check, tuple, tuple_bytes, tuple_text};
use crate::analyzer::Finding;
use crate::error::Result;
use crate::model::change::{Class, Reason};
use crate::model::schema::Engine;
use crate::model::{Key, OwnedCell, Table, Value};
use std::collections::HashMap;

/// Why a record can't be written, in the words of the analysis.
type Refusal = Option<(Reason, String)>;

impl Check<'_> {
    pub(super) fn constraints(&mut self, table: usize) -> Result<()> {
        // The unique keys that arriving records claim: per constraint, from the key's bytes to the record's own.
        let target = &self.mapping.schema.tables[table];
        let uniques: Vec<usize> =
            (0..target.uniques.len()).filter(|&u| target.uniques[u].columns != target.key).collect();
        let mut claimed: Vec<HashMap<u128, Vec<u8>>> = vec![HashMap::new(); uniques.len()];
        self.each(table, &[Class::New, Class::Updated], &mut |check, page| {
            let target = &check.mapping.schema.tables[table];
            let records = check.complete(table, &page)?;
            let mut refusals = check.storable(target, &page, &records)?;
            for (position, &unique) in uniques.iter().enumerate() {
                check.held(table, unique, &page, &records, &mut claimed[position], &mut refusals)?;
            }
            for (mut finding, refusal) in page.into_iter().zip(refusals) {
                let Some((reason, note)) = refusal else { continue };
                let class = if reason == Reason::UniqueTaken { Class::Conflict } else { Class::Blocked };
                if class == Class::Conflict {
                    finding.fields.iter_mut().for_each(|f| f.in_conflict = !f.is_timestamp);
                }
                check.reclass(&mut finding, class, reason, Some(note))?;
            }
            Ok(())
        })
    }

    /// Says for each record why its values can't be stored, if so.
    fn storable(&mut self, target: &Table, page: &[Finding], records: &[Vec<Option<Value>>]) -> Result<Vec<Refusal>> {
        let mut refusals: Vec<Refusal> = vec![None; page.len()];
        if let Some(why) = &target.refused {
            return Ok(vec![Some((Reason::TableRefused, why.clone())); page.len()]);
        }
        let mut probes = Vec::new();
        for (position, (finding, record)) in page.iter().zip(records).enumerate() {
            match self.cells(target, finding, record) {
                Ok(cells) => probes.push((position, cells)),
                Err(refusal) => refusals[position] = Some(refusal),
            }
        }
        // SQLite checks nothing but what `cells` has seen, unless the table has checks or strict types.
        let asks = !target.checks.is_empty()
            || self.mapping.schema.engine != Engine::Sqlite
            || target.columns.iter().any(|c| c.enforced);
        if asks {
            let rows: Vec<Vec<OwnedCell>> = probes.iter().map(|(_, cells)| cells.clone()).collect();
            let violations = self.snapshot.violations(target, &rows)?;
            for ((position, _), violation) in probes.iter().zip(violations) {
                if let Some(violation) = violation {
                    refusals[*position] =
                        Some((Reason::CheckFails, format!("{} ({})", violation.message, violation.constraint)));
                }
            }
        }
        Ok(refusals)
    }

    /// Turns a whole record into cells, or says which value does not fit.
    fn cells(
        &self,
        target: &Table,
        finding: &Finding,
        record: &[Option<Value>],
    ) -> std::result::Result<Vec<OwnedCell>, (Reason, String)> {
        let is_new = finding.current_digests.is_empty();
        let mut cells = Vec::with_capacity(record.len());
        for (column, value) in target.columns.iter().zip(record) {
            let position = cells.len();
            let changed = is_new || finding.fields.iter().any(|f| f.column == position && f.backup.is_some());
            cells.push(match value {
                Some(Value::Null) if !column.nullable && changed && column.writable() => {
                    return Err((Reason::NullNotAllowed, format!("{} must not be null", column.name)));
                }
                None if is_new && column.required() => {
                    let why = format!("{} has no default and the backup has no value for it", column.name);
                    return Err((Reason::NullNotAllowed, why));
                }
                None => OwnedCell::Absent,
                // What the current record holds already is not judged.
                Some(value) if !changed => self.database.store_any(column, value).unwrap_or(OwnedCell::Absent),
                Some(value) => self
                    .store(column, value)
                    .map_err(|why| (Reason::ValueNotStorable, format!("{}: {why}", column.name)))?,
            });
        }
        Ok(cells)
    }

    /// Finds records whose unique key another record holds: in current, or among those that arrive.
    fn held(
        &mut self,
        table: usize,
        unique: usize,
        page: &[Finding],
        records: &[Vec<Option<Value>>],
        claimed: &mut HashMap<u128, Vec<u8>>,
        refusals: &mut [Refusal],
    ) -> Result<()> {
        let target = &self.mapping.schema.tables[table];
        let columns = &target.uniques[unique].columns;
        let mut asked = Vec::new();
        for (position, finding) in page.iter().enumerate() {
            let arrives =
                finding.current_digests.is_empty() || finding.fields.iter().any(|f| columns.contains(&f.column));
            let Some(values) = tuple(&records[position], columns) else { continue };
            if refusals[position].is_some() || !arrives {
                continue;
            }
            let bytes = tuple_bytes(target, columns, &values);
            let hash = xxhash_rust::xxh3::xxh3_128(&bytes);
            if let Some(other) =
                claimed.insert(hash, finding.key_bytes.clone()).filter(|other| *other != finding.key_bytes)
            {
                let what = tuple_text(target, columns, &values);
                claimed.insert(hash, other);
                let why = format!("another record of the backup has {what} too");
                refusals[position] = Some((Reason::UniqueTwiceInBackup, why));
                continue;
            }
            let cells: Option<Vec<OwnedCell>> =
                columns.iter().zip(&values).map(|(&c, v)| self.store(&target.columns[c], v).ok()).collect();
            if let Some(cells) = cells {
                asked.push((position, values, cells));
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        let wanted: Vec<Vec<OwnedCell>> = asked.iter().map(|(_, _, cells)| cells.clone()).collect();
        let mut holders: Vec<Option<Vec<Option<Value>>>> = vec![None; asked.len()];
        self.snapshot.fetch(target, columns, &wanted, &mut |position, cells| {
            holders[position] = Some(super::values(target, cells));
            Ok(())
        })?;
        for ((position, values, _), holder) in asked.iter().zip(holders) {
            let Some(holder) = holder else { continue };
            let Some(key) = tuple(&holder, &target.key) else { continue };
            let key_bytes = tuple_bytes(target, &target.key, &key);
            if key_bytes == page[*position].key_bytes || self.moves_away(table, &key_bytes, columns)? {
                continue;
            }
            let what = tuple_text(target, columns, values);
            let why = format!("{what} is held by {}/{}", target.label(), Key(key));
            refusals[*position] = Some((Reason::UniqueTaken, why));
        }
        Ok(())
    }

    /// Tells whether the plan itself takes a unique key away from its holder: swaps and rotations.
    fn moves_away(&mut self, table: usize, key_bytes: &[u8], columns: &[usize]) -> Result<bool> {
        let Some(holder) = self.findings.find(table, key_bytes)? else { return Ok(false) };
        Ok(match holder.class {
            Class::Updated | Class::Conflict => {
                holder.fields.iter().any(|f| columns.contains(&f.column) && f.backup.is_some() && f.current != f.backup)
            }
            Class::CurrentOnly => matches!(holder.reason, Reason::DeletedInBackup | Reason::NotInBackup),
            Class::New | Class::Unchanged | Class::Blocked | Class::Excluded => false,
        })
    }
}
