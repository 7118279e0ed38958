//! The readers' threads: each reads one side and hands on its rows in batches.

use super::Base;
use super::pairing::{Pairing, Pairs};
use crate::analyzer::join::{Coming, Seen};
use crate::analyzer::mapping::{self, Found, Mapping, Part};
use crate::analyzer::matching::Ids;
use crate::analyzer::options::OnUnknown;
use crate::analyzer::rows::{Batch, Form, RowEncoder};
use crate::analyzer::sides::{BackupSink, Learned, Wanted, stopped};
use crate::backup::{Ignore, Place, Reader, Summary, TableHeader};
use crate::database::Snapshot;
use crate::error::{Error, Result};
use crate::model::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Batches that wait between one thread and the next.
pub(super) const QUEUE: usize = 8;

pub(super) enum FromBackup {
    /// A table begins.
    Table(Box<Begun>),
    Excluded(usize, TableHeader, u64),
    Rows(Batch),
    End(Learned),
    Done(Box<Finished>),
    Failed(Error),
}

/// A table of the backup that begins.
pub(super) struct Begun {
    pub(super) table: usize,
    pub(super) header: TableHeader,
    /// For a table without a key, the columns that tell its records apart.
    pub(super) columns: Option<Vec<bool>>,
    /// Its rows as they were read, to be compared where current is read.
    pub(super) pairs: Option<Pairs>,
}

/// What is known when the backup has been read to its end.
pub(super) struct Finished {
    pub(super) summary: Summary,
    pub(super) unknown: Vec<String>,
    pub(super) skipped: Vec<String>,
    pub(super) computed: Vec<String>,
    pub(super) seen: Vec<mapping::Seen>,
}

/// A table to read, the columns that tell its records apart where it has no key, and what it is compared with.
pub(super) struct Request {
    pub(super) table: usize,
    pub(super) columns: Option<Vec<bool>>,
    pub(super) pairs: Option<Pairs>,
}

pub(super) enum FromSide {
    Rows(Batch),
    /// Rows of current and backup in the order in which they have to be taken.
    Steps(Steps),
    /// Whoever compared has ended: what comes now are rows of one side. What it saw, and the backup's last key.
    Apart(Seen, Vec<u8>),
    /// The end of the table; false: the side does not have the table at all.
    End(bool),
    Failed(Error),
}

/// What came of comparing a stretch of both sides.
#[derive(Default)]
pub(super) struct Steps {
    pub(super) rows: Batch,
    /// What the rows are, in their order.
    pub(super) roles: Vec<Role>,
    /// Records that are the same on both sides and are not among the rows.
    pub(super) unchanged: u64,
    /// Digests of their keys, where only the database knows which keys are equal.
    pub(super) met: Vec<u64>,
    /// Records of the backup in all.
    pub(super) read: u64,
    /// How the two sides have come until now.
    pub(super) coming: Coming,
}

/// What rows of [`Steps`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Two rows: a record of current and the backup's of the same key.
    Pair,
    /// A record of current that has found no partner yet.
    Current,
    /// A record of the backup that has found no partner yet.
    Backup,
}

pub(super) fn read_backup(
    (mapping, ids): (&Mapping, Option<&Ids>),
    mut backup: Box<dyn Reader>,
    form: Form,
    to: &SyncSender<FromBackup>,
) {
    let mut read = || -> Result<Finished> {
        let mut unknown = Vec::new();
        let (mut skipped, mut computed) = (Vec::new(), Vec::new());
        let mut seen: Vec<mapping::Seen> = Vec::new();
        let mut taken: Vec<Option<String>> = vec![None; mapping.schema.tables.len()];
        while let Some(header) = backup.next_table()? {
            let found = mapping.table(&header.name);
            let table = if let Found::At(table) = &found { Some(*table) } else { None };
            seen.push(mapping::Seen { name: header.name.clone(), origin: header.origin.clone(), table, columns: None });
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
                        let learned = read_table((mapping, ids), backup.as_mut(), table, header, form, to)?;
                        unknown.extend(learned.unknown);
                        skipped.extend(learned.skipped);
                        computed.extend(learned.computed);
                        if let Some(last) = seen.last_mut().filter(|_| !learned.names.is_empty()) {
                            last.columns = Some(learned.names);
                        }
                    }
                }
            }
        }
        Ok(Finished { summary: Summary::default(), unknown, skipped, computed, seen })
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
    form: Form,
    to: &SyncSender<FromBackup>,
) -> Result<Learned> {
    let form = if mapping.pairs(table) { form } else { Form::Canonical };
    let (mut to_pairing, pairs) = match form {
        Form::Canonical => (None, None),
        Form::Raw => {
            let (to, rows) = sync_channel(QUEUE);
            let apart = Arc::new(AtomicBool::new(false));
            (Some((to, Arc::clone(&apart))), Some(Pairs { rows, apart }))
        }
    };
    let begin = |columns, pairs| {
        let begun = Begun { table, header: header.clone(), columns, pairs };
        to.send(FromBackup::Table(Box::new(begun))).map_err(|_| stopped())
    };
    let keyless = mapping.schema.tables[table].key.is_empty();
    let mut announced = !keyless;
    if announced {
        begin(None, pairs)?;
    }
    // What tells records without a key apart is known from the first one, before the current side is read.
    let mut send = |batch: Batch, columns| {
        if !std::mem::replace(&mut announced, true) && begin(columns, None).is_err() {
            return Wanted::Nothing;
        }
        if batch.form == Form::Canonical {
            // Whoever compared is waiting for the end of what it asked for.
            to_pairing = None;
            let sent = to.send(FromBackup::Rows(batch));
            return if sent.is_ok() { Wanted::More(Form::Canonical) } else { Wanted::Nothing };
        }
        match &to_pairing {
            Some((rows, apart)) if rows.send(batch).is_ok() => {
                Wanted::More(if apart.load(Ordering::Relaxed) { Form::Canonical } else { Form::Raw })
            }
            _ => Wanted::Nothing,
        }
    };
    let mut sink = BackupSink::new(mapping, table, &header, form, &mut send);
    sink.follow(ids);
    ids.map_or(Ok(()), |ids| ids.tell_deletions(&mapping.schema, table, header.deleted.len()))?;
    backup.read_records(&mut sink).map_err(|e| e.at(&header.name))?;
    sink.finish()?;
    let learned = std::mem::take(&mut sink.learned);
    drop(sink);
    if !announced {
        begin(None, None)?;
    }
    to.send(FromBackup::End(learned.clone())).map_err(|_| stopped())?;
    Ok(learned)
}

pub(super) fn read_current(
    mapping: &Mapping,
    snapshot: &mut dyn Snapshot,
    requests: &Receiver<Request>,
    to: &SyncSender<FromSide>,
) {
    for Request { table, columns, pairs } in requests {
        let target = &mapping.schema.tables[table];
        let mut encoder = RowEncoder::new(target, Form::Canonical);
        columns.into_iter().for_each(|columns| encoder.told_apart_by(columns));
        let mut pairing = pairs.map(|pairs| Pairing::new(mapping, table, pairs, to));
        let mut alone = |cells: &[Cell<'_>]| match encoder.push(cells, Place::default()) {
            Some(full) => to.send(FromSide::Rows(full)).map_err(|_| stopped()),
            None => Ok(()),
        };
        let outcome = if pairing.is_some() {
            snapshot.scan_raw(target, &mut |raw| {
                if let Some(open) = &mut pairing {
                    if open.current(raw)? {
                        return Ok(());
                    }
                    pairing = None;
                }
                let cells: Vec<Cell<'_>> = raw.iter().map(|cell| cell.cell()).collect();
                alone(&cells)
            })
        } else {
            snapshot.scan(target, &mut alone)
        };
        let outcome = outcome.and_then(|()| pairing.as_mut().map_or(Ok(()), Pairing::finish));
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

/// A table of the base, as it was met and read.
pub(super) struct InBase {
    pub(super) seen: mapping::Seen,
    pub(super) learned: Learned,
}

/// Reads the tables of the base in the order asked for; a base in another order is opened again from its beginning.
pub(super) fn read_base(
    (mapping, ids): (&Mapping, Option<&Ids>),
    base: &Base<'_>,
    requests: &Receiver<usize>,
    to: &SyncSender<FromSide>,
) -> (Option<Summary>, Vec<InBase>) {
    let mut reader: Option<Box<dyn Reader>> = None;
    let mut known = Vec::new();
    for table in requests {
        let mut read = || -> Result<bool> {
            for fresh in [reader.is_none(), true] {
                if fresh {
                    reader = Some((base.open)()?);
                }
                let current = reader.as_mut().expect("opened above");
                while let Some(header) = current.next_table()? {
                    if mapping.table(&header.name) == Found::At(table) {
                        let mut send = |batch, _| match to.send(FromSide::Rows(batch)) {
                            Ok(()) => Wanted::More(Form::Canonical),
                            Err(_) => Wanted::Nothing,
                        };
                        let mut sink = BackupSink::new(mapping, table, &header, Form::Canonical, &mut send);
                        sink.follow(ids);
                        current.read_records(&mut sink).map_err(|e| e.at(format_args!("base, {}", header.name)))?;
                        sink.finish()?;
                        let learned = sink.learned;
                        let columns = Some(learned.names.clone()).filter(|names| !names.is_empty());
                        let (name, origin) = (header.name.clone(), header.origin.clone());
                        known.push(InBase {
                            seen: mapping::Seen { name, origin, table: Some(table), columns },
                            learned,
                        });
                        return Ok(true);
                    }
                }
                if fresh {
                    break;
                }
            }
            Ok(false)
        };
        let message = match read() {
            Ok(found) => FromSide::End(found),
            Err(error) => FromSide::Failed(error),
        };
        if to.send(message).is_err() {
            return (None, known);
        }
    }
    // Reading on to the end checks what the base claims of itself.
    let Some(mut reader) = reader else { return (None, known) };
    while let Ok(Some(_)) = reader.next_table() {}
    (reader.finish().ok(), known)
}
