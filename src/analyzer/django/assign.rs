//! Asking the current database, and the backup itself, which records natural keys name.
//!
//! A natural key is matched with the unique key of the table referred to that has as many parts; a part that is itself
//! a reference stands for the parts of *its* natural key (`["add_child", "core", "child"]` names a permission by code
//! name and content type). Where several unique keys have as many parts, the one that finds most records is taken.

use super::super::mapping::Mapping;
use super::lookup::{Lookups, bytes_of, candidates, row_bytes};
use super::values::{cell_of, compact, elements};
use super::{Ids, reference, single_key};
use crate::database::{Database, Snapshot};
use crate::error::Result;
use crate::model::{ColumnType, OwnedCell, Table, Value, encode};
use std::collections::{HashMap, HashSet};

/// Records fetched by one statement.
const FETCHED: usize = 500;

/// References within natural keys within natural keys that are followed.
const DEPTH: usize = 4;

/// Finds the ids of everything that is called by a natural key.
pub(super) fn resolve(
    mapping: &Mapping,
    lookups: &mut Lookups,
    database: &dyn Database,
    snapshot: &mut dyn Snapshot,
) -> Result<()> {
    let tables = &mapping.schema.tables;
    let mut work = Work { tables, lookups, database, snapshot, assigned: HashSet::new() };
    let natural: Vec<usize> = work.lookups.natural.keys().copied().collect();
    for table in natural {
        work.assign(table, 0)?;
    }
    let referred: Vec<usize> = work.lookups.referred.keys().copied().collect();
    for table in referred {
        let texts = work.lookups.referred[&table].keys().cloned().collect();
        work.name(table, texts, 0)?;
    }
    // What is left to do needs only the answers.
    work.lookups.kept.clear();
    work.lookups.rows.clear();
    Ok(())
}

struct Work<'a> {
    tables: &'a [Table],
    lookups: &'a mut Lookups,
    database: &'a dyn Database,
    snapshot: &'a mut dyn Snapshot,
    assigned: HashSet<usize>,
}

impl Work<'_> {
    /// Gives the backup's records of a table that is found by natural keys their ids in the current database.
    fn assign(&mut self, table: usize, depth: usize) -> Result<()> {
        let Some(columns) = self.lookups.natural.get(&table).cloned() else { return Ok(()) };
        if depth > DEPTH || !self.assigned.insert(table) {
            return Ok(());
        }
        let target = &self.tables[table];
        let Some(key) = single_key(target) else { return Ok(()) };
        let rows = self.backup_rows(table, &columns, depth)?;
        let current = self.fetch(table, &columns, &rows.iter().map(|row| row.cells.clone()).collect::<Vec<_>>())?;
        let unplaced: Vec<Vec<OwnedCell>> = rows
            .iter()
            .filter(|row| !current.contains_key(&row_bytes(row.cells.iter().map(OwnedCell::as_cell), target, &columns)))
            .filter_map(|row| Some(vec![row.pk.clone()?]))
            .collect();
        let mut taken: HashSet<Vec<u8>> = self.fetch(table, &[key], &unplaced)?.into_keys().collect();
        taken.extend(current.values().map(|id| bytes_of(id.as_cell(), target, key)));
        let mut next = None;
        let mut ids = current;
        for row in &rows {
            let bytes = row_bytes(row.cells.iter().map(OwnedCell::as_cell), target, &columns);
            if !ids.contains_key(&bytes) {
                let own = row.pk.clone().filter(|pk| taken.insert(bytes_of(pk.as_cell(), target, key)));
                let id = match own {
                    Some(pk) => Some(pk),
                    None => self.free_id(table, key, &rows, &mut next)?,
                };
                // A key that is no number can't be made up: the analysis says that the record lacks it.
                let Some(id) = id else { continue };
                ids.insert(bytes.clone(), id);
            }
            let id = ids[&bytes].clone();
            if let Some(pk) = &row.pk {
                let translated = self.lookups.translated[row.source].entry(table).or_default();
                translated.insert(bytes_of(pk.as_cell(), target, key), id.clone());
            }
            self.lookups.ids[row.source].entry(table).or_default().insert(row.raw.clone(), id);
        }
        self.lookups.rows.insert((table, columns), ids);
        Ok(())
    }

    /// Returns an id that no record of either side has.
    fn free_id(
        &mut self,
        table: usize,
        key: usize,
        rows: &[Row],
        next: &mut Option<i128>,
    ) -> Result<Option<OwnedCell>> {
        let target = &self.tables[table];
        let ColumnType::Integer { max, .. } = target.columns[key].ty else { return Ok(None) };
        let id = match *next {
            Some(id) => id,
            None => {
                let number = |cell: crate::model::Cell<'_>| match encode::value_of(cell, &target.columns[key]) {
                    Some(Value::Integer(i)) => i,
                    _ => 0,
                };
                let mut largest = rows.iter().filter_map(|r| r.pk.as_ref()).map(|pk| number(pk.as_cell())).max();
                self.snapshot.scan(target, &mut |cells| {
                    largest = largest.max(Some(number(cells[key])));
                    Ok(())
                })?;
                largest.unwrap_or(0).max(0) + 1
            }
        };
        *next = Some(id + 1);
        Ok((id <= i128::from(max)).then(|| OwnedCell::Number(id.to_string())))
    }

    /// Returns what the backups have for some columns of a table, references turned into ids.
    fn backup_rows(&mut self, table: usize, columns: &[usize], depth: usize) -> Result<Vec<Row>> {
        let Some(kept) = self.lookups.kept.get(&table) else { return Ok(Vec::new()) };
        let Some(slots) =
            columns.iter().map(|c| kept.columns.iter().position(|k| k == c)).collect::<Option<Vec<usize>>>()
        else {
            return Ok(Vec::new());
        };
        let target = &self.tables[table];
        let mut rows: Vec<Row> = kept
            .records
            .iter()
            .map(|record| {
                let cells: Vec<OwnedCell> = slots.iter().map(|&slot| record.cells[slot].clone()).collect();
                let raw = row_bytes(cells.iter().map(OwnedCell::as_cell), target, columns);
                Row { source: record.source, pk: record.pk.clone(), cells, raw }
            })
            .collect();
        for (position, &column) in columns.iter().enumerate() {
            let Some(refers) = reference(self.tables, target, column) else { continue };
            let natural: Vec<String> = rows
                .iter()
                .filter_map(|row| match &row.cells[position] {
                    OwnedCell::Json(text) => Some(text.clone()),
                    _ => None,
                })
                .collect();
            self.name(refers, natural, depth + 1)?;
            self.assign(refers, depth + 1)?;
            for row in &mut rows {
                let found = match &row.cells[position] {
                    OwnedCell::Json(text) => self.lookups.named(refers, text),
                    cell => self.lookups.translated(row.source, refers, &self.tables[refers], cell.as_cell()),
                };
                if let Some(id) = found {
                    row.cells[position] = id.clone();
                }
            }
        }
        Ok(rows)
    }

    /// Finds the records that natural keys of a table name.
    fn name(&mut self, table: usize, texts: Vec<String>, depth: usize) -> Result<()> {
        let known = self.lookups.referred.entry(table).or_default();
        let mut wanted: Vec<String> =
            texts.into_iter().filter(|text| known.get(text).is_none_or(Option::is_none)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() || depth > DEPTH || single_key(&self.tables[table]).is_none() {
            return Ok(());
        }
        self.assign(table, depth)?;
        let mut by_parts: HashMap<usize, Vec<(String, Vec<OwnedCell>)>> = HashMap::new();
        for text in wanted {
            let parts: Vec<OwnedCell> = elements(&text).unwrap_or_default().into_iter().map(cell_of).collect();
            by_parts.entry(parts.len()).or_default().push((text, parts));
        }
        for (count, keys) in by_parts {
            let mut best: Vec<Option<OwnedCell>> = vec![None; keys.len()];
            let mut most = 0;
            for spelling in self.spellings(table, count) {
                let found = self.try_spelling(table, &spelling, &keys, depth)?;
                let hits = found.iter().flatten().count();
                if hits > most {
                    (best, most) = (found, hits);
                }
                if most == keys.len() {
                    break;
                }
            }
            let known = self.lookups.referred.entry(table).or_default();
            known.extend(keys.into_iter().zip(best).map(|((text, _), id)| (text, id)));
        }
        Ok(())
    }

    /// Lists the ways in which a natural key of so many parts may be one of a table's unique keys.
    fn spellings(&self, table: usize, count: usize) -> Vec<Spelling> {
        let target = &self.tables[table];
        let mut found: Vec<Spelling> = Vec::new();
        for columns in candidates(target) {
            let refers: Vec<usize> =
                columns.iter().copied().filter(|&c| reference(self.tables, target, c).is_some()).collect();
            let plain = columns.len() - refers.len();
            let each = match refers.len() {
                0 if plain == count => 0,
                0 => continue,
                references => match count.checked_sub(plain) {
                    Some(rest) if rest >= references && rest % references == 0 => rest / references,
                    _ => continue,
                },
            };
            let width = |column: &usize| if refers.contains(column) { each } else { 1 };
            // Django's documentation puts what a record has of its own first.
            let mut own_first = columns.clone();
            own_first.sort_by_key(|c| refers.contains(c));
            for order in [own_first, columns.clone()] {
                let parts = order.iter().map(|c| (*c, width(c))).collect();
                let spelling = Spelling { columns: columns.clone(), parts };
                if !found.contains(&spelling) {
                    found.push(spelling);
                }
            }
        }
        found
    }

    fn try_spelling(
        &mut self,
        table: usize,
        spelling: &Spelling,
        keys: &[(String, Vec<OwnedCell>)],
        depth: usize,
    ) -> Result<Vec<Option<OwnedCell>>> {
        let target = &self.tables[table];
        let mut rows: Vec<HashMap<usize, OwnedCell>> = vec![HashMap::new(); keys.len()];
        let mut at = 0;
        for &(column, width) in &spelling.parts {
            let slice = |parts: &[OwnedCell]| parts[at..at + width].to_vec();
            match reference(self.tables, target, column) {
                None => {
                    for (row, (_, parts)) in rows.iter_mut().zip(keys) {
                        row.insert(column, parts[at].clone());
                    }
                }
                Some(refers) => {
                    let texts: Vec<String> = keys.iter().map(|(_, parts)| text_of(&slice(parts))).collect();
                    self.name(refers, texts.clone(), depth + 1)?;
                    for (row, text) in rows.iter_mut().zip(&texts) {
                        if let Some(id) = self.lookups.named(refers, text) {
                            row.insert(column, id.clone());
                        }
                    }
                }
            }
            at += width;
        }
        let cells = |row: &HashMap<usize, OwnedCell>| {
            spelling.columns.iter().map(|c| row.get(c).cloned().unwrap_or(OwnedCell::Null)).collect::<Vec<_>>()
        };
        let rows: Vec<Vec<OwnedCell>> = rows.iter().map(cells).collect();
        let place = (table, spelling.columns.clone());
        if !self.lookups.rows.contains_key(&place) {
            let of_backup = self.backup_rows(table, &spelling.columns, depth)?;
            let by_row = of_backup.into_iter().filter_map(|row| {
                let bytes = row_bytes(row.cells.iter().map(OwnedCell::as_cell), target, &spelling.columns);
                Some((bytes, row.pk?))
            });
            let ids: Ids = by_row.collect();
            self.lookups.rows.insert(place.clone(), ids);
        }
        let current = self.fetch(table, &spelling.columns, &rows)?;
        let backup = &self.lookups.rows[&place];
        Ok(rows
            .iter()
            .map(|row| {
                if row.iter().any(|cell| matches!(cell, OwnedCell::Null | OwnedCell::Absent)) {
                    return None;
                }
                let bytes = row_bytes(row.iter().map(OwnedCell::as_cell), target, &spelling.columns);
                current.get(&bytes).or_else(|| backup.get(&bytes)).cloned()
            })
            .collect())
    }

    /// Asks the current database for the ids of records; the answer is by the bytes of the row asked for.
    fn fetch(&mut self, table: usize, columns: &[usize], rows: &[Vec<OwnedCell>]) -> Result<Ids> {
        let target = &self.tables[table];
        let mut ids = Ids::new();
        let Some(key) = single_key(target) else { return Ok(ids) };
        let mut wanted: Vec<Vec<OwnedCell>> = Vec::new();
        let mut bytes: Vec<Vec<u8>> = Vec::new();
        let mut asked: HashSet<Vec<u8>> = HashSet::new();
        for row in rows {
            let own = row_bytes(row.iter().map(OwnedCell::as_cell), target, columns);
            // A value that the column can't hold names no record of it.
            let stored: Option<Vec<OwnedCell>> = row
                .iter()
                .zip(columns)
                .map(|(cell, &column)| {
                    let value = encode::value_of(cell.as_cell(), &target.columns[column]).filter(|v| !v.is_null())?;
                    self.database.store(&target.columns[column], &value).ok()
                })
                .collect();
            if let Some(stored) = stored
                && asked.insert(own.clone())
            {
                wanted.push(stored);
                bytes.push(own);
            }
        }
        for (wanted, bytes) in wanted.chunks(FETCHED).zip(bytes.chunks(FETCHED)) {
            self.snapshot.fetch(target, columns, wanted, &mut |position, cells| {
                ids.insert(bytes[position].clone(), cells[key].into());
                Ok(())
            })?;
        }
        Ok(ids)
    }
}

/// A backup's record, by the columns of one unique key.
struct Row {
    source: usize,
    pk: Option<OwnedCell>,
    /// References turned into ids where those are known.
    cells: Vec<OwnedCell>,
    /// The bytes of the cells as the backup has them.
    raw: Vec<u8>,
}

/// A way to read a natural key: the unique key's columns in its order, and the columns in the natural key's order with
/// how many parts each takes.
#[derive(PartialEq)]
struct Spelling {
    columns: Vec<usize>,
    parts: Vec<(usize, usize)>,
}

/// Writes parts as the compact JSON of a natural key.
fn text_of(parts: &[OwnedCell]) -> String {
    let part = |cell: &OwnedCell| match cell {
        OwnedCell::String(s) => serde_json::Value::String(s.clone()).to_string(),
        OwnedCell::Number(s) | OwnedCell::Json(s) => s.clone(),
        OwnedCell::Bool(b) => b.to_string(),
        _ => "null".to_owned(),
    };
    compact(&format!("[{}]", parts.iter().map(part).collect::<Vec<_>>().join(",")))
}
