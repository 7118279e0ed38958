//! Checking a kept backup: its digest, its content, or a whole restore.

use super::{Catalog, Entry, now};
use crate::analyzer::Options;
use crate::backup::{self, Place, ReadOptions, RecordSink};
use crate::database::sqlite::Sqlite;
use crate::error::{Result, fail};
use crate::model::schema::Collation;
use crate::model::{Cell, ColumnType, Schema, Table, encode, names};
use crate::plan::make;
use crate::progress::Progress;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_128;

/// How deeply a backup is checked; each includes the ones before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// The file's digest.
    #[default]
    Digest,
    /// It is read to its end, recounted, and every reference leads to a record in it.
    Deep,
    /// It is restored into a scratch database, in which an analysis finds every record unchanged.
    RestoreTest,
}

impl Catalog {
    /// Checks a backup and notes that it was found sound.
    ///
    /// *Complexity:* deeply, two passes and a digest of every key that is referred to.
    ///
    /// # Errors
    /// `BackupDamaged` saying what does not hold, with a line for each table or reference.
    pub fn verify(&mut self, entry: &Entry, depth: Depth, progress: &dyn Progress) -> Result<Entry> {
        // An incremental backup is worth nothing without what it builds on.
        let chain = self.chain(entry)?;
        for one in &chain {
            // What is kept elsewhere is looked at there, not in a copy.
            self.download(one, progress)?;
            self.sound(one)?;
        }
        if depth >= Depth::Deep {
            self.recount(entry)?;
            // What changed refers to what did not: only the records put together are closed.
            if let Some(schema) = self.schema(entry)?.filter(|_| entry.base.is_none()) {
                self.closed(entry, &schema)?;
            }
        }
        if depth >= Depth::RestoreTest {
            self.restore_test(entry, progress)?;
        }
        chain.iter().try_for_each(|one| self.release(one))?;
        let mut entry = entry.clone();
        let depth = entry.verified.as_ref().map_or(depth, |(_, before)| depth.max(*before));
        entry.verified = Some((now(), depth));
        self.update(&entry)?;
        Ok(entry)
    }

    /// Returns how kept backups are read.
    pub fn read(&self) -> ReadOptions {
        ReadOptions { keys: self.keys.clone(), ..ReadOptions::default() }
    }

    fn recount(&self, entry: &Entry) -> Result<()> {
        let found = backup::inspect(&self.path(entry), &self.read())?;
        let mut wrong = found.problems;
        let counts: HashMap<&str, u64> = found.tables.iter().map(|t| (t.name.as_str(), t.records)).collect();
        for table in &entry.tables {
            // Some formats have no file for a table without records.
            // Others spell their names otherwise: `activity-logs` of `activity_logs`.
            let folded = names::fold(&table.name);
            let other = || counts.iter().find(|(name, _)| names::fold(name) == folded).map(|(_, count)| *count);
            let count = counts.get(table.name.as_str()).copied().or_else(other).unwrap_or(0);
            if count != table.records {
                wrong.push(format!("{}: {count} records, but {} were written", table.name, table.records));
            }
        }
        not_sound(entry, "does not hold what was written", wrong)
    }

    /// Checks that every reference leads to a record of the backup, where it carries the table referred to.
    fn closed(&self, entry: &Entry, schema: &Schema) -> Result<()> {
        let carried = |table: &Table| entry.tables.iter().any(|t| t.name == table.label());
        let mut wanted: HashMap<(usize, Vec<usize>), HashSet<u128>> = HashMap::new();
        for key in schema.tables.iter().filter(|t| carried(t)).flat_map(|t| &t.foreign_keys) {
            if let Some(table) = key.table.filter(|&t| carried(&schema.tables[t])) {
                wanted.entry((table, key.references.clone())).or_default();
            }
        }
        self.each_table(entry, schema, &mut |table, cells| {
            for ((_, columns), known) in wanted.iter_mut().filter(|((t, _), _)| *t == table) {
                known.extend(digest_of(cells, columns, columns, &schema.tables[table]));
            }
        })?;
        let mut broken: HashMap<String, u64> = HashMap::new();
        self.each_table(entry, schema, &mut |table, cells| {
            let of = &schema.tables[table];
            for key in &of.foreign_keys {
                let Some(refers) = key.table else { continue };
                let Some(known) = wanted.get(&(refers, key.references.clone())) else { continue };
                let digest = digest_of(cells, &key.columns, &key.references, &schema.tables[refers]);
                if digest.is_some_and(|digest| !known.contains(&digest)) {
                    *broken.entry(key.name.clone()).or_default() += 1;
                }
            }
        })?;
        let mut lines: Vec<String> =
            broken.into_iter().map(|(key, count)| format!("{key}: {count} records refer to none")).collect();
        lines.sort();
        not_sound(entry, "has references that lead nowhere", lines)
    }

    fn each_table(&self, entry: &Entry, schema: &Schema, visit: &mut Visit<'_>) -> Result<()> {
        let mut reader = backup::open(&self.path(entry), &self.read())?;
        while let Some(header) = reader.next_table()? {
            let folded = names::fold(&header.name);
            let spelled = || schema.tables.iter().position(|table| names::fold(&table.label()) == folded);
            let Some(table) = schema.table(&header.name).or_else(spelled) else { continue };
            let cells = vec![None; schema.tables[table].columns.len()];
            let key = header.pk_field;
            reader.read_records(&mut Cells { table: &schema.tables[table], position: table, key, cells, visit })?;
        }
        reader.finish().map(|_| ())
    }

    fn restore_test(&self, entry: &Entry, progress: &dyn Progress) -> Result<()> {
        let scratch = tempfile::tempdir()?;
        let into = scratch.path().join("restored.db");
        let backup = self.path(entry);
        let read = self.read();
        self.restore(entry, &into, &read, progress)?;
        let request = make::Request {
            backup: &backup,
            base: None,
            read,
            options: Options::default(),
            strategy: "manual",
            table_strategies: Vec::new(),
            id: "restore-test".to_owned(),
            out: &scratch.path().join("restored.mplan"),
            state_key: [0; 32],
        };
        let (plan, _) = make::make(&request, &mut Sqlite::open(&into)?, progress)?;
        let counts = plan.meta().counts();
        // Beside what changed there is what did not.
        let extra = if entry.base.is_some() { 0 } else { counts.current_only };
        let differing = counts.backup_records() - counts.unchanged - counts.excluded + extra;
        let lines = if differing == 0 { Vec::new() } else { vec![format!("{differing} records differ once restored")] };
        not_sound(entry, "does not come back as it is", lines)
    }
}

fn not_sound(entry: &Entry, what: &str, lines: Vec<String>) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    Err(fail!(BackupDamaged, "the backup {} {what}: {}", entry.name, lines[0])
        .details(lines)
        .hint("Make a new one, and keep this one until that is verified."))
}

/// Digests the cells of a reference, or of what is referred to, alike; none where one of them is null, or where only the
/// database it came from could tell which are equal.
fn digest_of(cells: &[Option<Vec<u8>>], columns: &[usize], references: &[usize], referred: &Table) -> Option<u128> {
    let mut bytes = Vec::new();
    for (&column, &reference) in columns.iter().zip(references) {
        let encoded = cells[column].as_deref().filter(|cell| !encode::is_null(cell) && !encode::is_absent(cell))?;
        let collation = referred.columns[reference].collation;
        if collation == Collation::Database {
            return None;
        }
        encode::encode_key_bytes(encoded, collation, &mut bytes);
    }
    Some(xxh3_128(&bytes))
}

/// Takes a table's position and a record's cells, encoded, by column.
type Visit<'a> = dyn FnMut(usize, &[Option<Vec<u8>>]) + 'a;

/// Gathers each record's cells, encoded, by column.
struct Cells<'a, 'v> {
    table: &'a Table,
    position: usize,
    /// The field that stands for the key, whatever its column is called.
    key: Option<String>,
    cells: Vec<Option<Vec<u8>>>,
    visit: &'a mut Visit<'v>,
}

impl RecordSink for Cells<'_, '_> {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()> {
        let key = || self.table.key.first().copied().filter(|_| self.key.as_deref() == Some(name));
        // Django's files name the field `child` of the column `child_id`.
        let column = self.table.column(name).or_else(key).or_else(|| self.table.column(&format!("{name}_id")));
        // A natural key names a record otherwise than by its key: nothing is said of it here.
        let natural =
            |column: usize| matches!(cell, Cell::Json(_)) && self.table.columns[column].ty != ColumnType::Json;
        if let Some(column) = column.filter(|&column| !natural(column)) {
            let mut bytes = Vec::new();
            encode::encode(cell, &self.table.columns[column], &mut bytes);
            self.cells[column] = Some(bytes);
        }
        Ok(())
    }

    fn end_record(&mut self, _place: Place) -> Result<()> {
        (self.visit)(self.position, &self.cells);
        self.cells.fill(None);
        Ok(())
    }
}
