//! Django's records put into the shape of the schema, before the analyzer sees them.
//!
//! [`prepare`] looks through the fixture once (twice where natural keys are used) and asks the current database for what
//! they stand for; [`Django::wrap`] then makes a [`Reader`] of a [`Reader`]: `pk` becomes the table's key column, `child`
//! becomes `child_id`, natural keys become ids, many-to-many lists become records of their junction tables, durations
//! become what the engine keeps. The analyzer itself knows nothing of Django.
//!
//! *Memory:* the natural keys that are referred to, and those of the records whose tables are referred to by them or
//! come without ids; together at most `KEYS_MOST`, beyond which the backup is refused. Lists go through temporary files.

mod assign;
mod fields;
mod links;
mod lookup;
mod read;
mod scan;
mod values;

use super::mapping::Mapping;
use super::options::Options;
use crate::backup::{Format, Reader};
use crate::database::{Database, Snapshot};
use crate::error::Result;
use crate::model::{OwnedCell, Schema, Table};
use lookup::Lookups;
use std::collections::HashMap;
use std::sync::Arc;

/// Natural keys that are kept in memory.
const KEYS_MOST: usize = 4_000_000;

/// A backup that may hold Django's records: its format, and how it is opened from its beginning.
pub struct Source<'a> {
    /// The format that was recognised.
    pub format: Format,
    /// Opens it.
    pub open: &'a dyn Fn() -> Result<Box<dyn Reader>>,
}

/// What is known of Django backups once they have been looked through.
#[derive(Clone)]
pub struct Django {
    shared: Arc<Shared>,
    /// Junction tables without a usable key of their own, with the columns that identify their records here.
    keys: Vec<(String, Vec<String>)>,
}

/// What every reader of an analysis shares.
struct Shared {
    mapping: Mapping,
    lookups: Lookups,
}

/// Looks through the backups of an analysis; nothing when none of them holds Django's records.
///
/// *Complexity:* one pass over each Django backup, a second one where natural keys are used, and a fetch of what they name.
///
/// # Errors
/// What reading and asking the database meets; `LimitReached` for too many natural keys.
pub fn prepare(
    sources: &[Source<'_>],
    database: &dyn Database,
    snapshot: &mut dyn Snapshot,
    schema: &Schema,
    options: &Options,
) -> Result<Option<Django>> {
    let django = sources.iter().map(is_django).collect::<Result<Vec<bool>>>()?;
    if !django.contains(&true) {
        return Ok(None);
    }
    let mapping = Mapping::new(schema.clone(), options)?;
    let mut found = scan::Found::default();
    for (source, _) in sources.iter().zip(&django).filter(|(_, django)| **django) {
        scan::structure(&mapping, (source.open)()?.as_mut(), &mut found)?;
    }
    let keys = junction_keys(&mapping, &found, options);
    let mut link_ids = HashMap::new();
    for junction in &found.junctions {
        if let Some(ids) = links::LinkIds::read(&mapping.schema, junction, snapshot)? {
            link_ids.insert(junction.table, ids);
        }
    }
    let mut lookups = Lookups::new(&mapping, found, sources.len());
    lookups.link_ids = link_ids;
    if lookups.needs_records() {
        for (position, source) in sources.iter().enumerate().filter(|(position, _)| django[*position]) {
            scan::collect(&mapping, (source.open)()?.as_mut(), position, &mut lookups)?;
        }
    }
    assign::resolve(&mapping, &mut lookups, database, snapshot)?;
    Ok(Some(Django { shared: Arc::new(Shared { mapping, lookups }), keys }))
}

/// Tells whether a backup holds Django's records. A map of tables shows it only once a list has a record: the dot in the
/// name of its first one says so too.
fn is_django(source: &Source<'_>) -> Result<bool> {
    Ok(match source.format {
        Format::Django => true,
        Format::TableMap => (source.open)()?.next_table()?.is_some_and(|header| header.name.contains('.')),
        _ => false,
    })
}

impl Django {
    /// Puts the records of a backup into the schema's shape; `source` is its position among those that were prepared.
    ///
    /// Tables that are no models' pass as they are.
    pub fn wrap(&self, reader: Box<dyn Reader>, source: usize) -> Box<dyn Reader> {
        Box::new(read::InSchema::new(reader, Arc::clone(&self.shared), source))
    }

    /// Returns the options with what identifies the records of junction tables, where the user said nothing of them.
    #[must_use]
    pub fn options(&self, options: &Options) -> Options {
        let mut options = options.clone();
        for (table, columns) in &self.keys {
            if !options.keys.iter().any(|(named, _)| named == table) {
                options.keys.push((table.clone(), columns.clone()));
            }
        }
        options
    }
}

/// A link has no id in a fixture: the two records that it joins identify it.
fn junction_keys(mapping: &Mapping, found: &scan::Found, options: &Options) -> Vec<(String, Vec<String>)> {
    let mut keys: Vec<(String, Vec<String>)> = Vec::new();
    for junction in &found.junctions {
        let table = &mapping.schema.tables[junction.table];
        let mut pair = vec![junction.from, junction.to];
        pair.sort_unstable();
        let mut own = table.key.clone();
        own.sort_unstable();
        let label = table.label();
        if own != pair && !options.keys.iter().any(|(named, _)| *named == label) {
            let names = [junction.from, junction.to].map(|c| table.columns[c].name.clone());
            keys.push((label, names.to_vec()));
        }
    }
    keys.sort();
    keys.dedup();
    keys
}

/// Returns the table that a column alone refers to, by that table's primary key.
fn reference(tables: &[Table], table: &Table, column: usize) -> Option<usize> {
    let refers = |key: &&crate::model::ForeignKey| {
        key.columns == [column]
            && key.table.is_some_and(|t| single_key(&tables[t]).is_some_and(|c| key.references == [c]))
    };
    table.foreign_keys.iter().find(refers).and_then(|key| key.table)
}

/// Returns the column that alone is a table's primary key.
fn single_key(table: &Table) -> Option<usize> {
    match table.key.as_slice() {
        [only] if table.key_is_primary => Some(*only),
        _ => None,
    }
}

/// Ids by what they were called in one backup.
type Ids = HashMap<Vec<u8>, OwnedCell>;
