//! The pass itself: a thread per side reads and encodes, the calling thread joins, classifies and stores.

mod pairing;
mod readers;
mod visit;

use super::check::{self, Check, Native, Storing};
use super::join::{self, Join, Joining, Side};
use super::mapping::{Mapping, Part};
use super::matching::Matched;
use super::options::Options;
use super::rows::{Batch, Form};
use super::sides::{self, Learned};
use super::{Analysis, Findings, TableResult, graph};
use crate::backup::{Format, Reader, TableHeader};
use crate::database::{Database, Snapshot};
use crate::error::{Error, Result, fail};
use crate::model::Schema;
use crate::model::change::Counts;
use crate::model::schema::Engine;
use crate::progress::{Phase, Progress};
use readers::{
    Begun, Finished, FromBackup, FromSide, InBase, QUEUE, Request, Role, Steps, read_backup, read_base, read_current,
};
use std::collections::{BTreeSet, HashSet};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use visit::Visit;
pub(super) use visit::{Repeats, key_values, rules};

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
    let storing = Storing::new(&mapping, database, native);
    findings.about(&mapping.schema);
    progress.phase(Phase::Compare);
    let (mut tables, finished, Seen { doubtful, unproven, read }, base_summary) = std::thread::scope(|scope| {
        let (to_backup, from_backup) = sync_channel(QUEUE);
        let (to_current, from_current) = sync_channel(QUEUE);
        let (to_base, from_base) = sync_channel(QUEUE);
        let (ask_current, current_requests) = sync_channel::<Request>(1);
        let (ask_base, base_requests) = sync_channel::<usize>(1);
        let mapping = &mapping;
        // A base is joined as a third side, for which every row is needed; ids are replaced in canonical rows.
        let form = if base.is_some() || matched.is_some() { Form::Canonical } else { Form::Raw };
        let ids = matched.map(Matched::backup);
        scope.spawn(move || read_backup((mapping, ids), backup, form, &to_backup));
        let snapshot = &mut *snapshot;
        scope.spawn(move || read_current(mapping, snapshot, &current_requests, &to_current));
        let base_reader = base.map(|base| {
            let ids = matched.map(Matched::base);
            scope.spawn(move || read_base((mapping, ids), base, &base_requests, &to_base))
        });
        let findings = &mut *findings;
        let (storing, seen) = (&storing, Seen::default());
        let mut run = Run { mapping, options, storing, findings, progress, from_backup, from_current, from_base, seen };
        let outcome = run.tables(&ask_current, base.map(|_| &ask_base));
        let seen = std::mem::take(&mut run.seen);
        // Dropping the channels ends readers that still want to send.
        drop((run, ask_current, ask_base));
        let base_summary = match base_reader.map(std::thread::ScopedJoinHandle::join) {
            Some(Ok(read)) => read,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => (None, Vec::new()),
        };
        outcome.map(|(tables, finished)| (tables, finished, seen, base_summary))
    })?;
    let Finished { summary, unknown, skipped, computed, seen } = *finished;
    let (base_summary, base_known) = base_summary;
    // A name of the base's own may be meant as well.
    let all: Vec<_> = seen.iter().chain(base_known.iter().map(|known| &known.seen)).cloned().collect();
    mapping.check_asked(&all)?;
    if !unknown.is_empty() {
        return Err(fail!(SchemaMismatch, "the backup does not fit the current database; nothing was changed")
            .details(unknown)
            .hint("Map names with --map-table A=b or --map-column A.x=b.y, or leave them out with --on-unknown-table skip or --on-unknown-column skip."));
    }
    let order = graph::order(&mapping.schema);
    tables.sort_by_key(|t| order.tables.iter().position(|&p| p == t.table));
    let mut notes: Vec<String> = skipped.into_iter().map(|name| format!("left out on request: {name}")).collect();
    notes.extend(
        computed
            .into_iter()
            .map(|name| format!("{name} is computed by the database; the backup's values are not read")),
    );
    notes.extend(summary.notes.iter().cloned());
    notes.extend(base_notes(&mapping, &tables, &base_known));
    let not_in_base = |r: &&TableResult| {
        base.is_some()
            && mapping.parts[r.table] == Part::Chosen
            && !base_known.iter().any(|known| known.seen.table == Some(r.table))
    };
    notes.extend(
        tables
            .iter()
            .filter(not_in_base)
            .map(|r| format!("{}: the base does not have it; it is compared two-way", r.name)),
    );
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
        storing: &storing,
        unproven,
        snapshot,
        findings,
        tables: &mut tables,
        doubtful,
        pulled_in: Default::default(),
        spelled: Default::default(),
        named: Default::default(),
        rounds: Default::default(),
        cascaded: Default::default(),
        progress,
    };
    check.run()?;
    notes.extend(
        storing
            .cut()
            .into_iter()
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
        // What is left out on request is noted as such.
        let compared = |c: &usize| table.columns[*c].writable() && mapping.compared[result.table][*c];
        let missing = (0..table.columns.len()).filter(compared).filter(|c| !result.carried.contains(c));
        names.extend(missing.map(|c| format!("{}.{}", result.name, table.columns[c].name)));
    }
    names
}

/// Says where the base's columns are not those of the backup or of current: what that means for a three-way comparison.
fn base_notes(mapping: &Mapping, tables: &[TableResult], base: &[InBase]) -> Vec<String> {
    let mut notes = Vec::new();
    for InBase { seen, learned } in base {
        let found = tables.iter().find(|r| Some(r.table) == seen.table && r.three_way);
        let Some(result) = found else { continue };
        // A table without records says nothing about its columns.
        if result.carried.is_empty() || !learned.carried.contains(&true) {
            notes.extend(learned.unknown.iter().map(|sentence| format!("{}: in the base, {sentence}", result.name)));
            continue;
        }
        let table = &result.table;
        let target = &mapping.schema.tables[*table];
        let compared = |c: &usize| mapping.compared[*table][*c] && target.columns[*c].writable();
        let missing: Vec<usize> =
            result.carried.iter().copied().filter(|c| compared(c) && !learned.carried[*c]).collect();
        if !missing.is_empty() {
            notes.push(format!(
                "{}: the base has no {}; whose change a difference there is can't be told, so it is a conflict",
                result.name,
                target.names(&missing).join(", ")
            ));
        }
        let only_base: Vec<usize> = (0..target.columns.len())
            .filter(|c| compared(c) && learned.carried[*c] && !result.carried.contains(c))
            .collect();
        if !only_base.is_empty() {
            let names = target.names(&only_base).join(", ");
            notes.push(format!("{}: the base has {names}, the backup does not; it is not compared", result.name));
        }
        notes.extend(learned.unknown.iter().map(|sentence| format!("{}: in the base, {sentence}", result.name)));
    }
    notes
}

/// How the rows of a table come in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// Compared already where current is read, as far as both sides come in one order.
    Together,
    /// Each side for itself.
    Apart,
    /// Each side for itself, and a base.
    WithBase,
}

/// The joining side of the pipeline.
struct Run<'a> {
    mapping: &'a Mapping,
    options: &'a Options,
    storing: &'a Storing<'a>,
    findings: &'a mut dyn Findings,
    progress: &'a dyn Progress,
    from_backup: Receiver<FromBackup>,
    from_current: Receiver<FromSide>,
    from_base: Receiver<FromSide>,
    seen: Seen,
}

/// What the pass has seen besides the findings.
#[derive(Default)]
struct Seen {
    /// Tables in which a new record may be the second of its key, with what the backup had of records left as they are.
    doubtful: Vec<(usize, Repeats)>,
    /// Tables of which it is not certain that all their values can be stored.
    unproven: BTreeSet<usize>,
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
                FromBackup::Table(begun) => {
                    let Begun { table, header, columns, pairs } = *begun;
                    let sides = match (&pairs, ask_base) {
                        (Some(_), _) => Rows::Together,
                        (None, Some(_)) => Rows::WithBase,
                        (None, None) => Rows::Apart,
                    };
                    ask_current.send(Request { table, columns, pairs }).map_err(|_| gone())?;
                    if let Some(ask) = ask_base {
                        ask.send(table).map_err(|_| gone())?;
                    }
                    results.push(self.table(table, &header, sides)?);
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

    fn table(&mut self, table: usize, header: &TableHeader, rows: Rows) -> Result<TableResult> {
        let target = &self.mapping.schema.tables[table];
        let label = target.label();
        let mut learned = Learned::default();
        let mut pending_base: Option<Batch> = None;
        let mut base_ended = rows != Rows::WithBase;
        // Whether the base has the table is known from its first message.
        let three_way = rows == Rows::WithBase && !target.key.is_empty() && {
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
                FromSide::Steps(_) | FromSide::Apart(..) => unreachable!("a base is compared with nothing"),
            }
        };
        let mut sides = vec![Side::Current, Side::Backup];
        if three_way {
            sides.insert(0, Side::Base);
        }
        let join = Join { sides, keyless: target.key.is_empty(), budget_bytes: self.options.budget_bytes };
        let by_database = target.key.iter().any(|&c| check::by_database(target, c));
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
            rules: rules(self.options, target),
            counts: Counts::default(),
            by_database,
            repeats: Repeats::default(),
            storing: self.storing,
            proven: true,
        };
        let mut done = 0;
        // A key that the user named may stand twice in current; one that the database declares can't.
        let mut keys = (!self.mapping.proven(table) && !target.key.is_empty()).then(HashSet::new);
        let (from_backup, from_current, from_base) = (&self.from_backup, &self.from_current, &self.from_base);
        let progress = self.progress;
        let mut backup_ended = false;
        let mut joining = Joining::new(&join, &label);
        let mut together = rows == Rows::Together;
        while together {
            progress.go_on()?;
            match from_current.recv().map_err(|_| gone())? {
                FromSide::Steps(steps) => {
                    done += steps.read;
                    progress.advance(&label, done, None);
                    visit.counts.unchanged += steps.unchanged;
                    steps.met.iter().for_each(|key| visit.repeats.meet(*key));
                    take_steps(&steps, &mut joining, &mut |met| visit.met(&met))?;
                }
                FromSide::Apart(seen, last_key) => {
                    joining.go_on_from(seen, last_key);
                    together = false;
                }
                FromSide::Failed(error) => return Err(error),
                FromSide::Rows(_) | FromSide::End(_) => unreachable!("rows are apart only after it was said"),
            }
        }
        joining.fronts(
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
        let seen = joining.finish(&mut |met| visit.met(&met))?;
        debug_assert!(backup_ended, "the join reads every side to its end");
        // A base that takes no part still has to be read past.
        while !base_ended {
            base_ended = side_batch(&self.from_base)?.is_none();
        }
        let (counts, repeats, proven) = (visit.counts, visit.repeats, visit.proven);
        self.seen.read.push((table, done));
        if !proven {
            self.seen.unproven.insert(table);
        }
        if seen.current_rows > 0 && (by_database || !seen.backup_ascending) {
            self.seen.doubtful.push((table, repeats));
        }
        Ok(self.result(table, header, counts, &learned, three_way))
    }
}

/// Lets rows that were held against each other meet or wait.
fn take_steps(steps: &Steps, joining: &mut Joining<'_>, emit: &mut join::Emit<'_>) -> Result<()> {
    joining.coming(steps.coming);
    let mut rows = (0..steps.rows.len()).map(|row| steps.rows.row(row));
    for role in &steps.roles {
        let row = rows.next().expect("a row for each role");
        match role {
            Role::Pair => joining.pair(row, rows.next().expect("two rows for a pair"), emit)?,
            Role::Current => joining.alone(Side::Current, row, emit)?,
            Role::Backup => joining.alone(Side::Backup, row, emit)?,
        }
    }
    Ok(())
}

fn side_batch(from: &Receiver<FromSide>) -> Result<Option<Batch>> {
    match from.recv().map_err(|_| gone())? {
        FromSide::Rows(batch) => Ok(Some(batch)),
        FromSide::End(_) => Ok(None),
        FromSide::Failed(error) => Err(error),
        FromSide::Steps(_) | FromSide::Apart(..) => unreachable!("only current is compared where it is read"),
    }
}

/// A reader that ended without a word has panicked; the panic itself is reported when its thread is joined.
fn gone() -> Error {
    fail!(Failed, "a reader ended unexpectedly; nothing was changed")
}
