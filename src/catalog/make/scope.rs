//! One person's data (or one thing's): the records that a condition chooses, all that refer to them, and what those need.
//!
//! Down: records that refer to a chosen one through a foreign key are chosen too, and so on. Up: what a chosen record
//! refers to is carried, so that the backup's references are closed, but not what else refers to that: a person's order
//! brings its shop, not the shop's other customers.

use crate::analyzer::filter::{self, Filter};
use crate::database::Snapshot;
use crate::error::{Result, fail};
use crate::model::{OwnedCell, Schema, Table, encode};
use crate::progress::Progress;
use std::collections::{BTreeMap, HashSet};

/// Records of one person; beyond it is no person but a table.
const MOST_RECORDS: usize = 1_000_000;

/// Keys asked for at once.
const AT_ONCE: usize = 500;

/// A record with all its cells.
pub(super) type Record = Vec<OwnedCell>;

/// The records of a scope, by table.
#[derive(Default)]
pub(super) struct Scoped {
    /// Records by table position, in the order in which they were found.
    pub(super) records: BTreeMap<usize, Vec<Record>>,
    /// How each table was reached: `orders (person_id → people)`.
    pub(super) followed: Vec<String>,
    seen: HashSet<(usize, u128)>,
}

impl Scoped {
    /// Takes a record; false where it is there already.
    fn take(&mut self, table: usize, record: &Record) -> Result<bool> {
        let bytes = serde_json::to_vec(record).expect("cells always serialise");
        if !self.seen.insert((table, xxhash_rust::xxh3::xxh3_128(&bytes))) {
            return Ok(false);
        }
        if self.seen.len() > MOST_RECORDS {
            return Err(fail!(LimitReached, "the scope reaches more than {MOST_RECORDS} records")
                .hint("Name fewer records, or leave tables out with --skip-tables."));
        }
        self.records.entry(table).or_default().push(record.clone());
        Ok(true)
    }

    fn follow(&mut self, line: String) {
        if !self.followed.contains(&line) {
            self.followed.push(line);
        }
    }
}

/// Gathers the records of a scope `table:condition` among the chosen tables.
///
/// *Complexity:* a scan of the first table, then one look-up for each 500 records and foreign key.
///
/// # Errors
/// `Usage` for a condition that can't be read or chooses nothing, `LimitReached`; what the database reports.
pub(super) fn gather(
    text: &str,
    schema: &Schema,
    chosen: &[usize],
    snapshot: &mut dyn Snapshot,
    progress: &dyn Progress,
) -> Result<Scoped> {
    let (name, condition) = filter::split(text)?;
    let start = schema
        .table(name)
        .filter(|table| chosen.contains(table))
        .ok_or_else(|| fail!(Usage, "--scope: the current database has no table {name:?} to be backed up"))?;
    let table = &schema.tables[start];
    let condition = Filter::parse(table, condition)?;
    let mut scoped = Scoped::default();
    let mut open: Vec<(usize, Record)> = Vec::new();
    each_meeting(table, &[condition], snapshot, &mut |record| {
        if scoped.take(start, &record)? {
            open.push((start, record));
        }
        Ok(())
    })?;
    if open.is_empty() {
        return Err(fail!(Usage, "--scope {text:?} chooses no record"));
    }
    scoped.follow(table.label());
    // Down: what refers to the chosen records.
    while !open.is_empty() {
        progress.go_on()?;
        let found = std::mem::take(&mut open);
        for &child in chosen {
            for key in schema.tables[child].foreign_keys.iter().filter(|key| key.table.is_some()) {
                let parent = key.table.expect("filtered above");
                let wanted = values(found.iter().filter(|(t, _)| *t == parent).map(|(_, r)| r), &key.references);
                for record in fetch(snapshot, schema, child, &key.columns, &wanted)? {
                    if scoped.take(child, &record)? {
                        let names = schema.tables[child].names(&key.columns).join(", ");
                        let (label, to) = (schema.tables[child].label(), schema.tables[parent].label());
                        scoped.follow(format!("{label} ({names} refers to {to})"));
                        open.push((child, record));
                    }
                }
            }
        }
    }
    // Up: what they all refer to.
    let mut open: Vec<(usize, Record)> =
        scoped.records.iter().flat_map(|(t, records)| records.iter().map(|r| (*t, r.clone()))).collect();
    while !open.is_empty() {
        progress.go_on()?;
        let found = std::mem::take(&mut open);
        for &child in chosen {
            for key in &schema.tables[child].foreign_keys {
                let Some(parent) = key.table.filter(|parent| chosen.contains(parent)) else { continue };
                let wanted = values(found.iter().filter(|(t, _)| *t == child).map(|(_, r)| r), &key.columns);
                for record in fetch(snapshot, schema, parent, &key.references, &wanted)? {
                    if scoped.take(parent, &record)? {
                        let names = schema.tables[child].names(&key.columns).join(", ");
                        let (label, from) = (schema.tables[parent].label(), schema.tables[child].label());
                        scoped.follow(format!("{label} (needed by {from}.{names})"));
                        open.push((parent, record));
                    }
                }
            }
        }
    }
    Ok(scoped)
}

/// Gathers the records that meet all conditions `table: condition` of their table, of the tables that have one.
///
/// *Complexity:* a scan of each of these tables.
///
/// # Errors
/// As [`gather`]; that nothing meets them is none.
pub(super) fn meeting(
    conditions: &[String],
    schema: &Schema,
    chosen: &[usize],
    snapshot: &mut dyn Snapshot,
) -> Result<Scoped> {
    let mut tables: BTreeMap<usize, Vec<Filter>> = BTreeMap::new();
    for text in conditions {
        let (name, condition) = filter::split(text)?;
        let table =
            schema.table(name).ok_or_else(|| fail!(Usage, "the current database has no table {name:?}: {text:?}"))?;
        tables.entry(table).or_default().push(Filter::parse(&schema.tables[table], condition)?);
    }
    let mut scoped = Scoped::default();
    for (table, conditions) in tables.into_iter().filter(|(table, _)| chosen.contains(table)) {
        let mut found = Vec::new();
        each_meeting(&schema.tables[table], &conditions, snapshot, &mut |record| {
            found.push(record);
            if found.len() > MOST_RECORDS {
                return Err(fail!(LimitReached, "the conditions are met by more than {MOST_RECORDS} records"));
            }
            Ok(())
        })?;
        scoped.records.insert(table, found);
    }
    Ok(scoped)
}

/// Calls a function with every record of a table that meets all conditions.
fn each_meeting(
    table: &Table,
    conditions: &[Filter],
    snapshot: &mut dyn Snapshot,
    take: &mut dyn FnMut(Record) -> Result<()>,
) -> Result<()> {
    let mut bytes: Vec<Vec<u8>> = vec![Vec::new(); table.columns.len()];
    snapshot.scan(table, &mut |cells| {
        for ((cell, column), bytes) in cells.iter().zip(&table.columns).zip(&mut bytes) {
            bytes.clear();
            encode::encode(*cell, column, bytes);
        }
        if conditions.iter().all(|condition| condition.meets(|column| bytes[column].as_slice())) {
            take(cells.iter().map(|cell| OwnedCell::from(*cell)).collect())?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Lists the distinct values that records have in some columns; a null refers to nothing.
fn values<'r>(records: impl Iterator<Item = &'r Record>, columns: &[usize]) -> Vec<Record> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for record in records {
        let value: Record = columns.iter().map(|&c| record[c].clone()).collect();
        if value.iter().any(|cell| matches!(cell, OwnedCell::Null | OwnedCell::Absent)) {
            continue;
        }
        if seen.insert(serde_json::to_vec(&value).expect("cells always serialise")) {
            found.push(value);
        }
    }
    found
}

/// Fetches the records whose columns hold one of the wanted values.
pub(super) fn fetch(
    snapshot: &mut dyn Snapshot,
    schema: &Schema,
    table: usize,
    columns: &[usize],
    wanted: &[Record],
) -> Result<Vec<Record>> {
    let mut found = Vec::new();
    for some in wanted.chunks(AT_ONCE) {
        snapshot.fetch(&schema.tables[table], columns, some, &mut |_, cells| {
            found.push(cells.iter().map(|cell| OwnedCell::from(*cell)).collect());
            Ok(())
        })?;
    }
    Ok(found)
}
