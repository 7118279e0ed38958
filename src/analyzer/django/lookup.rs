//! What natural keys stand for, and the ids of records that come without one.

use super::super::mapping::Mapping;
use super::links::LinkIds;
use super::scan::Found;
use super::values::compact;
use super::{Ids, KEYS_MOST, reference, single_key};
use crate::model::{Cell, OwnedCell, Table, encode};
use std::collections::{BTreeMap, HashMap};

/// Models that are the same on both sides when their natural keys are, whatever their ids: Django makes their records
/// by itself, in an order that differs between installations.
const BY_NATURAL_KEY: [(&str, &[&str]); 2] =
    [("django_content_type", &["app_label", "model"]), ("auth_permission", &["content_type_id", "codename"])];

/// Columns that applications use as natural keys before others.
const FAVOURITES: [&str; 4] = ["username", "name", "slug", "code"];

/// A record of which the natural key is kept.
pub(super) struct Record {
    /// Which backup it is in.
    pub(super) source: usize,
    /// Its id in the backup.
    pub(super) pk: Option<OwnedCell>,
    /// The cells of the columns kept, in their order.
    pub(super) cells: Vec<OwnedCell>,
}

/// What is kept of one table's records.
pub(super) struct Kept {
    pub(super) columns: Vec<usize>,
    pub(super) records: Vec<Record>,
}

/// Everything that was looked up.
pub(super) struct Lookups {
    /// Natural keys as compact JSON, by table, and the id of the record they name once it is known.
    pub(super) referred: HashMap<usize, HashMap<String, Option<OwnedCell>>>,
    /// Tables whose records are found by these columns instead of by their ids.
    pub(super) natural: BTreeMap<usize, Vec<usize>>,
    /// For those tables, per backup: ids by the natural key's cells as the backup has them.
    pub(super) ids: Vec<HashMap<usize, Ids>>,
    /// For those tables, per backup: ids by the backup's ids.
    pub(super) translated: Vec<HashMap<usize, Ids>>,
    /// Tables of links whose ids the engine does not make.
    pub(super) link_ids: HashMap<usize, LinkIds>,
    pub(super) kept: BTreeMap<usize, Kept>,
    /// Cells that are fetched by rows of columns, by table and columns: ids by the canonical bytes of the row.
    pub(super) rows: HashMap<(usize, Vec<usize>), Ids>,
}

impl Lookups {
    pub(super) fn new(mapping: &Mapping, found: Found, sources: usize) -> Self {
        let tables = &mapping.schema.tables;
        let mut natural = BTreeMap::new();
        for (&table, always) in &found.always {
            let known = BY_NATURAL_KEY.iter().find(|(name, _)| tables[table].name == *name);
            let columns = match known {
                Some((_, names)) => names.iter().map(|n| tables[table].column(n)).collect::<Option<Vec<_>>>(),
                None if found.without_id.contains(&table) => own_key(&tables[table], |c| always.contains(&c)),
                None => None,
            };
            if let Some(columns) = columns.filter(|columns| columns.iter().all(|c| always.contains(c)))
                && single_key(&tables[table]).is_some()
            {
                natural.insert(table, columns);
            }
        }
        let mut kept: BTreeMap<usize, Kept> = BTreeMap::new();
        for (&table, columns) in &natural {
            kept.insert(table, Kept { columns: columns.clone(), records: Vec::new() });
        }
        // A natural key may go through others: those of the tables that its columns refer to.
        let mut reached: Vec<usize> = found.referred.keys().copied().chain(natural.keys().copied()).collect();
        let mut seen = Vec::new();
        while let Some(table) = reached.pop() {
            if seen.contains(&table) {
                continue;
            }
            seen.push(table);
            for columns in candidates(&tables[table]) {
                reached.extend(columns.iter().filter_map(|&c| reference(tables, &tables[table], c)));
                let kept = kept.entry(table).or_insert_with(|| Kept { columns: Vec::new(), records: Vec::new() });
                for column in columns {
                    if !kept.columns.contains(&column) {
                        kept.columns.push(column);
                    }
                }
            }
        }
        let referred = found
            .referred
            .into_iter()
            .map(|(table, keys)| (table, keys.into_iter().map(|key| (key, None)).collect()))
            .collect();
        Self {
            referred,
            natural,
            ids: (0..sources).map(|_| HashMap::new()).collect(),
            translated: (0..sources).map(|_| HashMap::new()).collect(),
            link_ids: HashMap::new(),
            kept,
            rows: HashMap::new(),
        }
    }

    /// Tells whether a second pass over the backups is needed.
    pub(super) fn needs_records(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Returns the columns of a table that are kept.
    pub(super) fn kept_columns(&self, table: usize) -> Option<Vec<usize>> {
        self.kept.get(&table).map(|kept| kept.columns.clone())
    }

    /// Returns how many more records may be kept.
    pub(super) fn room(&self) -> usize {
        KEYS_MOST.saturating_sub(self.kept.values().map(|kept| kept.records.len()).sum())
    }

    pub(super) fn keep(&mut self, table: usize, records: Vec<Record>) {
        if let Some(kept) = self.kept.get_mut(&table) {
            kept.records.extend(records);
        }
    }

    /// Returns the id of the record that a natural key names.
    pub(super) fn named(&self, table: usize, text: &str) -> Option<&OwnedCell> {
        self.referred.get(&table)?.get(&compact(text))?.as_ref()
    }

    /// Returns the id that a record goes by here, given its id in a backup; `None` where that is the same.
    pub(super) fn translated(&self, source: usize, table: usize, table_of: &Table, pk: Cell<'_>) -> Option<&OwnedCell> {
        let ids = self.translated[source].get(&table)?;
        ids.get(&bytes_of(pk, table_of, single_key(table_of)?))
    }
}

/// Lists the unique keys that a natural key may be, favourites first; the id itself last.
pub(super) fn candidates(table: &Table) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = table.uniques.iter().filter(|u| u.is_plain()).map(|u| u.columns.clone()).collect();
    let rank = |columns: &Vec<usize>| {
        let favourite = match columns.as_slice() {
            [only] => FAVOURITES.iter().position(|name| *name == table.columns[*only].name),
            _ => None,
        };
        let nullable = columns.iter().any(|&c| table.columns[c].nullable);
        (*columns == table.key && table.key_is_primary, nullable, favourite.unwrap_or(FAVOURITES.len()))
    };
    found.sort_by_key(rank);
    found
}

/// Returns the unique key by which records without an id are found.
fn own_key(table: &Table, present: impl Fn(usize) -> bool) -> Option<Vec<usize>> {
    candidates(table)
        .into_iter()
        .find(|columns| *columns != table.key && columns.iter().all(|&c| present(c) && !table.columns[c].nullable))
}

/// Returns the bytes of a cell by which equal ones are equal.
pub(super) fn bytes_of(cell: Cell<'_>, table: &Table, column: usize) -> Vec<u8> {
    let mut encoded = Vec::new();
    encode::encode(cell, &table.columns[column], &mut encoded);
    let mut bytes = Vec::new();
    encode::encode_key_bytes(&encoded, table.columns[column].collation, &mut bytes);
    bytes
}

/// Returns the bytes of several cells.
pub(super) fn row_bytes<'c>(cells: impl Iterator<Item = Cell<'c>>, table: &Table, columns: &[usize]) -> Vec<u8> {
    cells.zip(columns).flat_map(|(cell, &column)| bytes_of(cell, table, column)).collect()
}
