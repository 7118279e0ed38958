//! What becomes of each file: the plan's strategies decide as they do of records, a file being a record of a table `files`
//! with the columns `path`, `digest` and `changed`.

use crate::error::Result;
use crate::model::calendar::Timestamp;
use crate::model::change::Class;
use crate::model::schema::{Collation, Generated, Storage};
use crate::model::{Column, ColumnType, Table, Value};
use crate::plan::{FileFinding, Meta, Stamp};
use crate::strategy::{Choice, Conflict, Field, KeepReason, PreserveNewer, Strategy};
use std::time::Duration;

/// What becomes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOutcome {
    /// The backup's file is written.
    Write,
    /// The file in the folder is deleted.
    Delete,
    /// It stays as it is, with the reason.
    Keep(&'static str),
    /// It can't be written, with the reason.
    Blocked(String),
    /// A person has to decide, with the reason.
    Undecided(String),
}

/// A plan's files with what becomes of them.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// Positions in the plan's findings.
    pub outcomes: Vec<FileOutcome>,
}

impl Settled {
    /// Counts the files with an outcome.
    pub fn count(&self, is: impl Fn(&FileOutcome) -> bool) -> u64 {
        self.outcomes.iter().filter(|outcome| is(outcome)).count() as u64
    }

    /// Counts the files that are written or deleted.
    pub fn writes(&self) -> u64 {
        self.count(|outcome| matches!(outcome, FileOutcome::Write | FileOutcome::Delete))
    }
}

/// Settles the files of a plan.
///
/// # Errors
/// `Usage` when the plan's strategy can't be read.
pub fn settle(meta: &Meta) -> Result<Settled> {
    let Some(files) = &meta.files else { return Ok(Settled::default()) };
    let own = meta.table_strategies.iter().find(|(table, ..)| table == "files");
    let (name, text) = own.map_or((&meta.strategy.0, &meta.strategy.1), |(_, name, text)| (name, text));
    let strategy = Strategy::parse(name, text)?;
    let table = table();
    let preserve_newer = if meta.options.preserve_newer { PreserveNewer::On } else { PreserveNewer::Off };
    let outcomes = files.findings.iter().map(|finding| outcome(finding, &strategy, &table, preserve_newer)).collect();
    Ok(Settled { outcomes })
}

fn outcome(finding: &FileFinding, strategy: &Strategy, table: &Table, preserve_newer: PreserveNewer) -> FileOutcome {
    if let (Class::Blocked, note) = (finding.class, &finding.note) {
        return FileOutcome::Blocked(note.clone().unwrap_or_default());
    }
    if !strategy.carries(finding.class) || !strategy.brings_table(table) {
        return FileOutcome::Keep("the strategy brings no such file");
    }
    let fields = [field(1, finding, digest_of, false), field(2, finding, changed_of, true)];
    let at = |stamp: &Option<Stamp>| stamp.as_ref().and_then(|s| s.changed).map(|c| Timestamp::from_epoch(c.at, 0));
    let conflict = Conflict {
        table,
        class: finding.class,
        reason: finding.reason,
        fields: &fields,
        kept: &[],
        backup_at: at(&finding.backup),
        current_at: at(&finding.current),
        has_base: false,
        preserve_newer,
        tolerance: Duration::from_secs(2),
    };
    match strategy.decide(&conflict) {
        // The content comes as one: the time alone is no file.
        Choice::Write(values) if values.iter().any(|(column, _)| *column == 1) => FileOutcome::Write,
        Choice::Write(_) | Choice::Keep(KeepReason::NothingToChange) => FileOutcome::Keep("there is nothing to change"),
        Choice::Delete => FileOutcome::Delete,
        Choice::Keep(KeepReason::NewerKept) => FileOutcome::Keep("it is newer than the backup's"),
        Choice::Keep(KeepReason::ByStrategy) => FileOutcome::Keep("the strategy keeps it"),
        Choice::Skip => FileOutcome::Keep("the strategy leaves it out"),
        Choice::Ask(why) => FileOutcome::Undecided(why),
        // A file's name is its key, and nothing else is unique about it.
        Choice::IntoExisting | Choice::NewKey => FileOutcome::Keep("it has no other name to go by"),
    }
}

fn digest_of(stamp: &Stamp) -> Option<Value> {
    Some(Value::Text(stamp.digest.clone()))
}

fn changed_of(stamp: &Stamp) -> Option<Value> {
    stamp.changed.map(|changed| Value::Timestamp(Timestamp::from_epoch(changed.at, 0)))
}

fn field(column: usize, finding: &FileFinding, value: fn(&Stamp) -> Option<Value>, is_timestamp: bool) -> Field {
    Field {
        column,
        base: None,
        current: finding.current.as_ref().and_then(value),
        backup: finding.backup.as_ref().and_then(value),
        in_conflict: finding.class == Class::Conflict && !is_timestamp,
        is_timestamp,
    }
}

fn table() -> Table {
    let column = |name: &str, ty: ColumnType| Column {
        name: name.to_owned(),
        ty,
        declared: String::new(),
        storage: Storage::Native,
        nullable: true,
        default: None,
        generated: Generated::No,
        collation: Collation::Binary,
        enforced: true,
    };
    Table {
        schema: None,
        name: "files".to_owned(),
        columns: vec![
            column("path", ColumnType::Text { max_chars: None }),
            column("digest", ColumnType::Text { max_chars: None }),
            column("changed", ColumnType::Timestamp { zoned: true, digits: 0 }),
        ],
        key: vec![0],
        key_is_primary: true,
        uniques: Vec::new(),
        opaque_uniques: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        triggers: Vec::new(),
        timestamp: Some(2),
        refused: None,
        notes: Vec::new(),
        partitioned_by: Vec::new(),
        secret: Vec::new(),
        plain: false,
    }
}
