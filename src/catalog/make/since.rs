//! What changed in a database since an earlier backup of it: an analysis of that backup, read the other way round.

use super::scope::{Record, fetch};
use crate::analyzer::classify::Deletes;
use crate::analyzer::options::{OnUnknown, Parents};
use crate::analyzer::{self, Current, Finding, Findings, Options, django};
use crate::backup::{self, ReadOptions};
use crate::database::{Database, Snapshot};
use crate::error::{Result, fail};
use crate::model::change::{Class, Reason};
use crate::model::{OwnedCell, Schema, Value};
use crate::progress::Progress;
use std::collections::BTreeMap;
use std::path::Path;

/// Deleted records of one table; a backup that lacks more is better made whole.
const MOST_DELETED: usize = backup::MOST_DELETED;

/// What changed in one table.
#[derive(Default)]
pub(super) struct Change {
    /// Records that are new or other than they were.
    pub(super) records: Vec<Record>,
    /// Keys of records that are gone, in the order of the table's key.
    pub(super) deleted: Vec<Record>,
}

/// What changed, by table; a table that is not listed was not in the earlier backup, or can't be compared by key.
pub(super) type Changes = BTreeMap<usize, Change>;

/// Compares the database with an earlier backup of it, in one and the same view that the new backup is made of.
///
/// *Shape:* memory follows the number of changes.
///
/// # Errors
/// As an analysis; `LimitReached` where too much is gone.
pub(super) fn changes(
    earlier: &Path,
    read: &ReadOptions,
    database: &mut dyn Database,
    schema: &Schema,
    snapshot: &mut dyn Snapshot,
    progress: &dyn Progress,
) -> Result<Changes> {
    let options = Options {
        deletes: Deletes::Mirror,
        parents: Parents::None,
        on_unknown_table: OnUnknown::Skip,
        on_unknown_column: OnUnknown::Skip,
        // A record of which only the time of change differs is another one for who restores it.
        timestamps: vec![(None, None)],
        ..Options::default()
    };
    let open = || backup::open(earlier, read);
    let reader = open()?;
    let sources = [django::Source { format: reader.format(), open: &open }];
    let django = django::prepare(&sources, database, snapshot, schema, &options)?;
    let (reader, options) = match &django {
        Some(django) => (django.wrap(reader, 0), django.options(&options)),
        None => (reader, options),
    };
    let mut found = Collected::default();
    let current = Current { database, snapshot, schema: schema.clone(), matched: None };
    let analysis = analyzer::analyze(reader, None, current, &options, &mut found, progress)?;
    let mut changes = Changes::new();
    for result in &analysis.tables {
        let table = &schema.tables[result.table];
        // Without a key, or without all its records in the earlier backup, nothing says what changed.
        if table.key.is_empty() || !result.whole {
            continue;
        }
        let Keys { changed, gone } = found.0.remove(&result.table).unwrap_or_default();
        if gone.len() > MOST_DELETED {
            return Err(fail!(LimitReached, "{}: {} records are gone since", result.name, gone.len())
                .hint("Make a full backup."));
        }
        let store = |key: &Vec<Value>| -> Result<Record> {
            let cell = |(&column, value): (&usize, &Value)| -> Result<OwnedCell> {
                let column = &table.columns[column];
                database
                    .store_any(column, value)
                    .map_err(|why| fail!(Failed, "{}: a key can't be asked for: {why}", table.label()))
            };
            table.key.iter().zip(key).map(cell).collect()
        };
        let wanted = changed.iter().map(store).collect::<Result<Vec<_>>>()?;
        let deleted = gone.iter().map(store).collect::<Result<Vec<_>>>()?;
        let records = fetch(snapshot, schema, result.table, &table.key, &wanted)?;
        if records.len() != wanted.len() {
            return Err(fail!(
                Failed,
                "{}: {} records changed, but {} were found",
                table.label(),
                wanted.len(),
                records.len()
            )
            .hint("Make a full backup."));
        }
        changes.insert(result.table, Change { records, deleted });
    }
    Ok(changes)
}

/// Keys of what differs in one table.
#[derive(Default)]
struct Keys {
    changed: Vec<Vec<Value>>,
    gone: Vec<Vec<Value>>,
}

/// Collects keys only: an incremental backup carries what is there now, whatever a merge would say of it.
#[derive(Default)]
struct Collected(BTreeMap<usize, Keys>);

impl Findings for Collected {
    fn about(&mut self, _: &Schema) {}

    fn add(&mut self, finding: Finding) -> Result<()> {
        let keys = self.0.entry(finding.table).or_default();
        match (finding.class, finding.reason) {
            (Class::New, _) | (Class::Blocked, Reason::MissingParent) => keys.gone.push(finding.key.clone()),
            (Class::Updated | Class::Conflict | Class::CurrentOnly, _) => keys.changed.push(finding.key.clone()),
            (Class::Blocked | Class::Unchanged | Class::Excluded, _) => {}
        }
        Ok(())
    }

    fn page(&mut self, _: usize, _: &[Class], _: i64, _: usize) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }

    fn conflicts(&mut self, _: usize, _: &[Reason], _: i64, _: usize) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }

    fn find(&mut self, _: usize, _: &[u8]) -> Result<Option<Finding>> {
        Ok(None)
    }

    fn revise(&mut self, _: &Finding) -> Result<()> {
        Ok(())
    }

    fn remove(&mut self, _: i64) -> Result<()> {
        Ok(())
    }
}
