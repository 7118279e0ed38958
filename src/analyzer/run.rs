//! The pass itself: a thread per side reads and encodes, the calling thread joins, classifies and stores.

mod base;

use self::base::{base_notes, read_base};
use super::check::{Check, Native};
use super::classify::{Rules, Sides, classify};
use super::join::{self, Join, Met, Side};
use super::mapping::{Found, Mapping, Part, Seen};
use super::matching::{Ids, Matched};
use super::options::{OnUnknown, Options, Parents};
use super::rows::{Batch, RowEncoder, RowRef};
use super::sides::{self, BackupSink, Learned, stopped};
use super::{Analysis, Finding, Findings, Limits, TableResult, digests, graph};
use crate::backup::{Format, Ignore, Place, Reader, Summary, TableHeader};
use crate::database::{Database, Snapshot};
use crate::error::{Error, Result, fail};
use crate::model::calendar::Timestamp;
use crate::model::change::{Class, Counts, Reason};
use crate::model::schema::{Collation, Engine};
use crate::model::{Schema, Table, encode};
use crate::progress::{Phase, Progress};
use std::collections::HashSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Batches that wait between a reader and the join.
const QUEUE: usize = 8;

/// An earlier common state, opened as often as its order of tables asks for.
pub struct Base<'a> {
    /// Opens the base from its beginning.
    pub open: &'a (dyn Fn() -> Result<Box<dyn Reader>> + Sync),
}

/// The current database, as an analysis sees it.
pub struct Current<'a> {
    /// The adapter: turns values into cells.
    pub database: &'a dyn Database,
    /// One consistent view, for the scan and every look-up after it.
    pub snapshot: &'a mut dyn Snapshot,
    /// Its schema.
    pub schema: Schema,
    /// Which ids of the backup stand for which of it, where records are matched by natural keys.
    pub matched: Option<&'a Matched>,
}

enum FromBackup {
    /// A table begins; for one without a key, with the columns that tell its records apart.
    Table(usize, TableHeader, Option<Vec<bool>>),
    Excluded(usize, TableHeader, u64),
    Rows(Batch),
    End(Learned),
    Done(Box<Finished>),
    Failed(Error),
}

/// What is known when the backup has been read to its end.
struct Finished {
    summary: Summary,
    unknown: Vec<String>,
    skipped: Vec<String>,
    seen: Vec<Seen>,
}

/// A table to read, and the columns that tell its records apart where it has no key.
type Request = (usize, Option<Vec<bool>>);

enum FromSide {
    Rows(Batch),
    /// The end of the table; false: the side does not have the table at all.
    End(bool),
    Failed(Error),
}

/// Compares a backup with the current database in one pass over each.
///
/// # Errors
/// `SchemaMismatch` listing every unknown table and column; `BackupDamaged` with the place; what the database reports.
pub fn analyze(
    backup: Box<dyn Reader>,
    base: Option<&Base<'_>>,
    current: Current<'_>,
    options: &Options,
    findings: &mut dyn Findings,
    progress: &dyn Progress,
) -> Result<Analysis> {
    let Current { database, snapshot, schema, matched } = current;
    let from_sqlite = backup.format() == Format::Sqlite;
    let native = if from_sqlite && schema.engine == Engine::Sqlite { Native::Yes } else { Native::No };
    let mapping = Mapping::new(schema, options)?;
    progress.phase(Phase::Compare);
    let (mut tables, finished, doubtful, read, base_summary) = std::thread::scope(|scope| {
        let (to_backup, from_backup) = sync_channel(QUEUE);
        let (to_current, from_current) = sync_channel(QUEUE);
        let (to_base, from_base) = sync_channel(QUEUE);
        let (ask_current, current_requests) = sync_channel::<Request>(1);
        let (ask_base, base_requests) = sync_channel::<usize>(1);
        let mapping = &mapping;
        let ids = matched.map(Matched::backup);
        scope.spawn(move || read_backup(mapping, ids, backup, &to_backup));
        let snapshot = &mut *snapshot;
        scope.spawn(move || read_current(mapping, snapshot, &current_requests, &to_current));
        let base_reader = base.map(|base| {
            let ids = matched.map(Matched::base);
            scope.spawn(move || read_base((mapping, ids), base, &base_requests, &to_base))
        });
        let findings = &mut *findings;
        let (doubtful, read) = (Vec::new(), Vec::new());
        let mut run =
            Run { mapping, options, findings, progress, from_backup, from_current, from_base, doubtful, read };
        let outcome = run.tables(&ask_current, base.map(|_| &ask_base));
        let (doubtful, read) = (std::mem::take(&mut run.doubtful), std::mem::take(&mut run.read));
        // Dropping the channels ends readers that still want to send.
        drop((run, ask_current, ask_base));
        let base_summary = match base_reader.map(std::thread::ScopedJoinHandle::join) {
            Some(Ok(read)) => read,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => (None, Vec::new()),
        };
        outcome.map(|(tables, finished)| (tables, finished, doubtful, read, base_summary))
    })?;
    let Finished { summary, unknown, skipped, seen } = *finished;
    mapping.check_asked(&seen)?;
    if !unknown.is_empty() {
        return Err(fail!(SchemaMismatch, "the backup does not fit the current database; nothing was changed")
            .details(unknown)
            .hint("Map names with --map-table A=b or --map-column A.x=b.y, or leave them out with --on-unknown-table skip or --on-unknown-column skip."));
    }
    let order = graph::order(&mapping.schema);
    tables.sort_by_key(|t| order.tables.iter().position(|&p| p == t.table));
    let mut notes: Vec<String> = skipped.into_iter().map(|name| format!("left out on request: {name}")).collect();
    notes.extend(summary.notes.iter().cloned());
    let (base_summary, base_known) = base_summary;
    notes.extend(base_notes(&mapping, &tables, &base_known));
    notes.extend(matched.iter().flat_map(|m| m.notes.iter().cloned()));
    for result in &tables {
        let table = &mapping.schema.tables[result.table];
        notes.extend(table.notes.iter().map(|note| format!("{}: {note}", result.name)));
        notes.extend(table.triggers.iter().map(|trigger| {
            let (name, event) = (&trigger.name, &trigger.event);
            format!("{}: trigger {name} runs {event}; what it writes elsewhere is not taken back by undo", result.name)
        }));
    }
    let not_carried = not_carried(&mapping, &tables);
    progress.phase(Phase::Check);
    let mut check = Check {
        mapping: &mapping,
        options,
        database,
        native,
        snapshot,
        findings,
        tables: &mut tables,
        doubtful,
        pulled_in: Default::default(),
        progress,
        cut: Default::default(),
    };
    check.run()?;
    let cut = check.cut.take();
    notes.extend(
        cut.into_iter()
            .map(|column| format!("{column}: instants are held less finely than in the backup; finer digits are cut")),
    );
    for result in &tables {
        let read = read.iter().filter(|(table, _)| *table == result.table).map(|(_, read)| read).sum::<u64>();
        let folded = read.saturating_sub(result.counts.backup_records());
        if folded > 0 {
            notes.push(format!(
                "{}: {folded} records of the backup repeat an identical one and count once",
                result.name
            ));
        }
    }
    Ok(Analysis {
        schema: mapping.schema,
        compared: mapping.compared,
        tables,
        not_carried,
        backup: summary,
        base: base_summary,
        notes,
    })
}

fn not_carried(mapping: &Mapping, tables: &[TableResult]) -> Vec<String> {
    let mut names = Vec::new();
    for result in tables.iter().filter(|r| mapping.parts[r.table] == Part::Chosen && !r.carried.is_empty()) {
        let table = &mapping.schema.tables[result.table];
        let missing = (0..table.columns.len()).filter(|c| table.columns[*c].writable() && !result.carried.contains(c));
        names.extend(missing.map(|c| format!("{}.{}", result.name, table.columns[c].name)));
    }
    names
}

fn read_backup(mapping: &Mapping, ids: Option<&Ids>, mut backup: Box<dyn Reader>, to: &SyncSender<FromBackup>) {
    let mut read = || -> Result<Finished> {
        let mut unknown = Vec::new();
        let mut skipped = Vec::new();
        let mut seen: Vec<Seen> = Vec::new();
        let mut taken: Vec<Option<String>> = vec![None; mapping.schema.tables.len()];
        while let Some(header) = backup.next_table()? {
            let found = mapping.table(&header.name);
            let table = if let Found::At(table) = &found { Some(*table) } else { None };
            seen.push(Seen { name: header.name.clone(), origin: header.origin.clone(), table, columns: None });
            match found {
                Found::Skipped => skipped.push(header.name),
                Found::Unknown(_) if mapping.on_unknown_table() == OnUnknown::Skip => skipped.push(header.name),
                Found::Unknown(sentence) => unknown.push(sentence),
                Found::At(table) => {
                    if let Some(other) = taken[table].replace(header.name.clone()) {
                        let label = mapping.schema.tables[table].label();
                        unknown.push(format!(
                            "tables {other:?} and {:?} of the backup both stand for {label}",
                            header.name
                        ));
                    } else if mapping.parts[table] == Part::Excluded {
                        let records = backup.read_records(&mut Ignore)?;
                        to.send(FromBackup::Excluded(table, header, records)).map_err(|_| stopped())?;
                    } else {
                        let learned = read_table((mapping, ids), backup.as_mut(), table, header, to)?;
                        unknown.extend(learned.unknown);
                        skipped.extend(learned.skipped);
                        if let Some(last) = seen.last_mut().filter(|_| !learned.names.is_empty()) {
                            last.columns = Some(learned.names);
                        }
                    }
                }
            }
        }
        Ok(Finished { summary: Summary::default(), unknown, skipped, seen })
    };
    let outcome = match read() {
        Err(error) => Err(error),
        Ok(finished) => backup.finish().map(|summary| Finished { summary, ..finished }),
    };
    // A failed send means that the join has failed already and reports its own cause.
    let _ = to.send(match outcome {
        Ok(finished) => FromBackup::Done(Box::new(finished)),
        Err(error) => FromBackup::Failed(error),
    });
}

fn read_table(
    (mapping, ids): (&Mapping, Option<&Ids>),
    backup: &mut dyn Reader,
    table: usize,
    header: TableHeader,
    to: &SyncSender<FromBackup>,
) -> Result<Learned> {
    let keyless = mapping.schema.tables[table].key.is_empty();
    let mut announced = !keyless;
    if announced {
        to.send(FromBackup::Table(table, header.clone(), None)).map_err(|_| stopped())?;
    }
    // What tells records without a key apart is known from the first one, before the current side is read.
    let mut send = |batch, columns| {
        let begun = std::mem::replace(&mut announced, true)
            || to.send(FromBackup::Table(table, header.clone(), columns)).is_ok();
        begun && to.send(FromBackup::Rows(batch)).is_ok()
    };
    let mut sink = BackupSink::new(mapping, table, &header, &mut send);
    sink.follow(ids);
    ids.map_or(Ok(()), |ids| ids.tell_deletions(&mapping.schema, table, header.deleted.len()))?;
    backup.read_records(&mut sink).map_err(|e| e.at(&header.name))?;
    sink.finish()?;
    let learned = std::mem::take(&mut sink.learned);
    drop(sink);
    if !announced {
        to.send(FromBackup::Table(table, header, None)).map_err(|_| stopped())?;
    }
    to.send(FromBackup::End(learned.clone())).map_err(|_| stopped())?;
    Ok(learned)
}

fn read_current(
    mapping: &Mapping,
    snapshot: &mut dyn Snapshot,
    requests: &Receiver<Request>,
    to: &SyncSender<FromSide>,
) {
    for (table, columns) in requests {
        let target = &mapping.schema.tables[table];
        let mut encoder = RowEncoder::new(target);
        columns.into_iter().for_each(|columns| encoder.told_apart_by(columns));
        let outcome = snapshot.scan(target, &mut |cells| match encoder.push(cells, Place::default()) {
            Some(full) => to.send(FromSide::Rows(full)).map_err(|_| stopped()),
            None => Ok(()),
        });
        let last = match outcome.map(|()| encoder.finish()) {
            Ok(None) => Ok(()),
            Ok(Some(rest)) => to.send(FromSide::Rows(rest)),
            Err(error) => to.send(FromSide::Failed(error)),
        };
        if last.is_err() || to.send(FromSide::End(true)).is_err() {
            return;
        }
    }
}

/// The joining side of the pipeline.
struct Run<'a> {
    mapping: &'a Mapping,
    options: &'a Options,
    findings: &'a mut dyn Findings,
    progress: &'a dyn Progress,
    from_backup: Receiver<FromBackup>,
    from_current: Receiver<FromSide>,
    from_base: Receiver<FromSide>,
    /// Tables in which a new record may be the second of its key.
    doubtful: Vec<usize>,
    /// How many records the backup had of each table joined.
    read: Vec<(usize, u64)>,
}

impl Run<'_> {
    fn tables(
        &mut self,
        ask_current: &SyncSender<Request>,
        ask_base: Option<&SyncSender<usize>>,
    ) -> Result<(Vec<TableResult>, Box<Finished>)> {
        let mut results = Vec::new();
        loop {
            match self.from_backup.recv().map_err(|_| gone())? {
                FromBackup::Done(finished) => return Ok((results, finished)),
                FromBackup::Failed(error) => return Err(error),
                FromBackup::Excluded(table, header, records) => {
                    let counts = Counts { excluded: records, ..Counts::default() };
                    results.push(self.result(table, &header, counts, &Learned::default(), false));
                }
                FromBackup::Table(table, header, columns) => {
                    ask_current.send((table, columns)).map_err(|_| gone())?;
                    if let Some(ask) = ask_base {
                        ask.send(table).map_err(|_| gone())?;
                    }
                    results.push(self.table(table, &header, ask_base.is_some())?);
                }
                FromBackup::Rows(_) | FromBackup::End(_) => unreachable!("rows come between a table and its end"),
            }
        }
    }

    fn result(
        &self,
        table: usize,
        header: &TableHeader,
        counts: Counts,
        learned: &Learned,
        three_way: bool,
    ) -> TableResult {
        TableResult {
            table,
            name: self.mapping.schema.tables[table].label(),
            backup_name: header.name.clone(),
            counts,
            carried: (0..learned.carried.len()).filter(|&c| learned.carried[c]).collect(),
            three_way,
            whole: header.whole && self.mapping.filters[table].is_empty(),
        }
    }

    fn table(&mut self, table: usize, header: &TableHeader, with_base: bool) -> Result<TableResult> {
        let target = &self.mapping.schema.tables[table];
        let label = target.label();
        let mut learned = Learned::default();
        let mut pending_base: Option<Batch> = None;
        let mut base_ended = !with_base;
        // Whether the base has the table is known from its first message.
        let three_way = with_base && !target.key.is_empty() && {
            match self.from_base.recv().map_err(|_| gone())? {
                FromSide::Rows(batch) => {
                    pending_base = Some(batch);
                    true
                }
                FromSide::End(found) => {
                    base_ended = true;
                    found
                }
                FromSide::Failed(error) => return Err(error),
            }
        };
        let mut sides = vec![Side::Current, Side::Backup];
        if three_way {
            sides.insert(0, Side::Base);
        }
        let join = Join { sides, keyless: target.key.is_empty(), budget_bytes: self.options.budget_bytes };
        let mut visit = Visit {
            mapping: self.mapping,
            options: self.options,
            findings: &mut *self.findings,
            table,
            target,
            whole: header.whole && self.mapping.filters[table].is_empty(),
            deleted: sides::deleted_keys(self.mapping, table, header)?,
            chosen: self.mapping.parts[table] == Part::Chosen,
            three_way,
            rules: rules(self.options),
            counts: Counts::default(),
        };
        let mut done = 0;
        // A key that the user named may stand twice in current; one that the database declares can't.
        let proven = target.uniques.iter().any(|u| u.columns == target.key && u.predicate.is_none());
        let mut keys = (!proven && !target.key.is_empty()).then(HashSet::new);
        let (from_backup, from_current, from_base) = (&self.from_backup, &self.from_current, &self.from_base);
        let progress = self.progress;
        let mut backup_ended = false;
        let seen = join.run(
            &label,
            &mut |side| {
                progress.go_on()?;
                match side {
                    Side::Backup => match from_backup.recv().map_err(|_| gone())? {
                        FromBackup::Rows(batch) => {
                            done += batch.len() as u64;
                            progress.advance(&label, done, None);
                            Ok(Some(batch))
                        }
                        FromBackup::End(what) => {
                            learned = what;
                            backup_ended = true;
                            Ok(None)
                        }
                        FromBackup::Failed(error) => Err(error),
                        _ => unreachable!("a table ends before the next begins"),
                    },
                    Side::Current => {
                        let batch = side_batch(from_current)?;
                        if let (Some(keys), Some(batch)) = (&mut keys, &batch) {
                            for row in (0..batch.len()).map(|r| batch.row(r)).filter(|r| !r.key.is_empty()) {
                                if !keys.insert(xxhash_rust::xxh3::xxh3_128(row.key)) {
                                    return Err(join::twice(&label, Side::Current, row.place, row.place));
                                }
                            }
                        }
                        Ok(batch)
                    }
                    Side::Base => match pending_base.take() {
                        Some(batch) => Ok(Some(batch)),
                        None if base_ended => Ok(None),
                        None => {
                            let batch = side_batch(from_base)?;
                            base_ended = batch.is_none();
                            Ok(batch)
                        }
                    },
                }
            },
            &mut |met| visit.met(&met),
        )?;
        debug_assert!(backup_ended, "the join reads every side to its end");
        // A base that takes no part still has to be read past.
        while !base_ended {
            base_ended = side_batch(&self.from_base)?.is_none();
        }
        let counts = visit.counts;
        self.read.push((table, done));
        let by_database = target.key.iter().any(|&c| target.columns[c].collation == Collation::Database);
        if seen.current_rows > 0 && (by_database || !seen.backup_ascending) {
            self.doubtful.push(table);
        }
        Ok(self.result(table, header, counts, &learned, three_way))
    }
}

fn side_batch(from: &Receiver<FromSide>) -> Result<Option<Batch>> {
    match from.recv().map_err(|_| gone())? {
        FromSide::Rows(batch) => Ok(Some(batch)),
        FromSide::End(_) => Ok(None),
        FromSide::Failed(error) => Err(error),
    }
}

/// A reader that ended without a word has panicked; the panic itself is reported when its thread is joined.
fn gone() -> Error {
    fail!(Failed, "a reader ended unexpectedly; nothing was changed")
}

pub(super) fn rules(options: &Options) -> Rules {
    let tolerance_nanos = i128::from(options.tolerance_millis) * 1_000_000;
    let now = chrono::Utc::now();
    Rules {
        tolerance_nanos,
        now: Timestamp { seconds: now.timestamp(), nanos: now.timestamp_subsec_nanos(), digits: 9, zoned: true },
        strict: options.strict,
        deletes: options.deletes,
    }
}

/// Classifies what met and stores what is not unchanged.
struct Visit<'a> {
    mapping: &'a Mapping,
    options: &'a Options,
    findings: &'a mut dyn Findings,
    table: usize,
    target: &'a Table,
    whole: bool,
    /// Keys of records that the backup names as deleted.
    deleted: HashSet<Vec<u8>>,
    chosen: bool,
    three_way: bool,
    rules: Rules,
    counts: Counts,
}

impl Visit<'_> {
    fn met(&mut self, met: &Met<'_>) -> Result<()> {
        let [base, current, backup] = met.rows;
        match (current, backup) {
            (None, None) => Ok(()),
            (_, Some(backup)) if backup.excluded => self.excluded(current, backup),
            (None, Some(backup)) if backup.key.is_empty() && !self.target.key.is_empty() => self.keyless(backup),
            (Some(current), Some(backup)) if self.same(base, current, backup) => {
                self.counts.unchanged += 1;
                Ok(())
            }
            (Some(_), None) if !self.chosen => Ok(()),
            // Without a key there is nothing by which a record could be deleted.
            (Some(current), None) if current.key.is_empty() || self.target.key.is_empty() => {
                self.counts.current_only += 1;
                Ok(())
            }
            _ => self.differing(base, current, backup),
        }
    }

    /// Tells by bytes alone that nothing differs; what it does not see as equal is looked at closely.
    fn same(&self, base: Option<RowRef<'_>>, current: RowRef<'_>, backup: RowRef<'_>) -> bool {
        if self.target.key.is_empty() || current.body == backup.body {
            return true;
        }
        // With a base, fields that differ from it decide; equal sides are settled above.
        if self.three_way && base.is_some() {
            return false;
        }
        let compared = &self.mapping.compared[self.table];
        encode::split(current.body).zip(encode::split(backup.body)).enumerate().all(|(column, (c, b))| {
            c == b || encode::is_absent(b) || !compared[column] || self.target.timestamp == Some(column)
        })
    }

    fn differing(
        &mut self,
        base: Option<RowRef<'_>>,
        current: Option<RowRef<'_>>,
        backup: Option<RowRef<'_>>,
    ) -> Result<()> {
        let sides = Sides {
            base: self.three_way.then_some(base.map(|r| r.body)),
            current: current.map(|r| r.body),
            backup: backup.map(|r| r.body),
            backup_whole: self.whole,
            backup_deleted: backup.is_none() && current.is_some_and(|r| self.deleted.contains(r.key)),
        };
        let mut verdict = classify(self.target, &self.mapping.compared[self.table], &sides, &self.rules);
        if current.is_some() && !self.mapping.primary_stays.is_empty() {
            verdict.fields.retain(|f| !self.mapping.primary_stays.contains(&(self.table, f.column)));
            let compares = matches!(verdict.class, Class::Updated | Class::Conflict) && backup.is_some();
            if compares && verdict.fields.iter().all(|f| f.is_timestamp) {
                (verdict.class, verdict.reason) = (Class::Unchanged, Reason::SameFields);
            }
        }
        *self.counts.of(verdict.class) += 1;
        let stays = verdict.class == Class::CurrentOnly && verdict.reason == Reason::OnlyInCurrent;
        if verdict.class == Class::Unchanged || stays {
            return Ok(());
        }
        let row = current.or(backup).expect("a record on one side at least");
        self.findings.add(&Finding {
            id: 0,
            table: self.table,
            key: key_values(self.target, row.body),
            key_bytes: row.key.to_vec(),
            class: verdict.class,
            reason: verdict.reason,
            note: None,
            fields: verdict.fields,
            current_digests: current.map(|r| digests(r.body)).unwrap_or_default(),
            backup_at: verdict.backup_at,
            current_at: verdict.current_at,
            place: backup.map(|r| r.place).unwrap_or_default(),
            limits: Limits::default(),
        })
    }

    /// A record that a filter leaves out is kept only where a chosen one may need it as a parent.
    fn excluded(&mut self, current: Option<RowRef<'_>>, backup: RowRef<'_>) -> Result<()> {
        self.counts.excluded += 1;
        if current.is_some() || self.options.parents != Parents::Auto || backup.key.is_empty() {
            return Ok(());
        }
        self.one_sided(backup, Class::Excluded, Reason::Filtered, None)
    }

    fn keyless(&mut self, backup: RowRef<'_>) -> Result<()> {
        self.counts.blocked += 1;
        let names = self.target.names(&self.target.key).join(", ");
        let note = format!("{} has no value for its key ({names})", backup.place);
        self.one_sided(backup, Class::Blocked, Reason::KeyMissing, Some(note))
    }

    fn one_sided(&mut self, backup: RowRef<'_>, class: Class, reason: Reason, note: Option<String>) -> Result<()> {
        let sides = Sides {
            base: None,
            current: None,
            backup: Some(backup.body),
            backup_whole: self.whole,
            backup_deleted: false,
        };
        let verdict = classify(self.target, &self.mapping.compared[self.table], &sides, &self.rules);
        self.findings.add(&Finding {
            id: 0,
            table: self.table,
            key: key_values(self.target, backup.body),
            key_bytes: backup.key.to_vec(),
            class,
            reason,
            note,
            fields: verdict.fields,
            current_digests: Vec::new(),
            backup_at: None,
            current_at: None,
            place: backup.place,
            limits: Limits::default(),
        })
    }
}

/// Reads the key's values out of a record's body; empty where one is missing.
pub(super) fn key_values(table: &Table, body: &[u8]) -> Vec<crate::model::Value> {
    let values: Vec<&[u8]> = encode::split(body).collect();
    let key: Option<Vec<_>> = table.key.iter().map(|&c| encode::decode(values[c]).filter(|v| !v.is_null())).collect();
    key.unwrap_or_default()
}
