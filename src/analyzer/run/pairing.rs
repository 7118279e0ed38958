//! The short way of most records: where current is read, each of its records is held against the backup's next one, and
//! what is spelled alike is counted and gone before anything is encoded.
//!
//! Records of which that is not certain go on to the join, in canonical bytes and in the order in which a merge join
//! takes them. Where the two sides turn out to come in different orders, both go on to the join by themselves.

mod order;

use super::readers::{FromSide, Role, Steps};
use crate::analyzer::check;
use crate::analyzer::join::{Coming, Seen};
use crate::analyzer::mapping::{Mapping, Part};
use crate::analyzer::rows::{Batch, Form, RowEncoder};
use crate::analyzer::sides::stopped;
use crate::backup::Place;
use crate::error::Result;
use crate::model::agree::{Likeness, agree};
use crate::model::raw::{self, Raw};
use crate::model::{Cell, Table, encode};
use order::Order;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicBool};
use std::sync::mpsc::{Receiver, SyncSender};
use xxhash_rust::xxh3::xxh3_64;

/// Records of the backup without a partner that are remembered while its keys don't come ascending.
const ASIDE: usize = 1 << 16;
/// Batches of the backup between two words to the join: it shows progress and is where a stop is noticed.
const SILENCE: u32 = 16;

/// A backup's rows of one table as they were read.
pub(super) struct Pairs {
    pub(super) rows: Receiver<Batch>,
    /// Set where no more such rows are wanted.
    pub(super) apart: Arc<AtomicBool>,
}

/// What is compared of a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Key,
    Field,
    /// Nothing: it is not compared, or is the record's timestamp, which alone makes no difference.
    Nothing,
}

/// Both sides of one table, side by side.
pub(super) struct Pairing<'a> {
    table: &'a Table,
    /// Whether only the database knows which keys are equal.
    by_database: bool,
    /// For each column what is compared of it, and how.
    rules: Vec<(Rule, Likeness)>,
    pairs: Pairs,
    to: &'a SyncSender<FromSide>,
    batch: Batch,
    at: usize,
    silence: u32,
    encoder: RowEncoder<'a>,
    steps: Steps,
    seen: Seen,
    order: Order<'a>,
    /// Digests of the backup's keys that went on without a partner: one that comes again must not meet here.
    aside: HashSet<u64>,
    keys: [Vec<u8>; 2],
    scratch: Vec<u8>,
}

impl Mapping {
    /// Tells whether the records of a table may be compared by their spelling.
    ///
    /// Not where filters look at values, where records have no key, or where a key may stand twice in current.
    pub(super) fn pairs(&self, table: usize) -> bool {
        self.parts[table] == Part::Chosen && self.filters[table].is_empty() && self.proven(table)
    }

    /// Tells whether the database itself keeps the key of a table from standing twice.
    pub(in crate::analyzer) fn proven(&self, table: usize) -> bool {
        let target = &self.schema.tables[table];
        !target.key.is_empty() && target.uniques.iter().any(|u| u.columns == target.key && u.is_plain())
    }
}

impl<'a> Pairing<'a> {
    pub(super) fn new(mapping: &'a Mapping, table: usize, pairs: Pairs, to: &'a SyncSender<FromSide>) -> Self {
        let target = &mapping.schema.tables[table];
        let rule = |column| match column {
            key if target.key.contains(&key) => Rule::Key,
            clock if target.timestamp == Some(clock) => Rule::Nothing,
            field if mapping.compared[table][field] => Rule::Field,
            _ => Rule::Nothing,
        };
        Self {
            table: target,
            by_database: target.key.iter().any(|&c| check::by_database(target, c)),
            rules: target.columns.iter().enumerate().map(|(at, column)| (rule(at), (&column.ty).into())).collect(),
            pairs,
            to,
            batch: Batch::default(),
            at: 0,
            silence: 0,
            encoder: RowEncoder::new(target, Form::Canonical),
            steps: Steps::default(),
            seen: Seen { backup_ascending: true, current_rows: 0 },
            order: Order::new(target),
            aside: HashSet::new(),
            keys: Default::default(),
            scratch: Vec::new(),
        }
    }

    /// Takes the next record of current; false: it was not taken, nor will any other be.
    pub(super) fn current(&mut self, cells: &[Raw<'_>]) -> Result<bool> {
        loop {
            let disordered = !self.seen.backup_ascending && self.aside.len() >= ASIDE;
            if disordered || !self.front()? {
                self.part()?;
                return Ok(false);
            }
            if self.alike(cells) && self.may_meet(cells) {
                self.at += 1;
                self.steps.unchanged += 1;
                if self.by_database {
                    self.current_key(cells);
                    self.steps.met.push(xxh3_64(&self.keys[0]));
                }
                self.steps.read += 1;
                self.seen.current_rows += 1;
                return Ok(true);
            }
            self.backup_key();
            self.current_key(cells);
            let [current, backup] = &self.keys;
            let order = if backup.is_empty() { Ordering::Less } else { backup.cmp(current) };
            if order == Ordering::Less {
                self.put_backup(Role::Backup);
                self.hand_on()?;
                continue;
            }
            let role = if order == Ordering::Equal { Role::Pair } else { Role::Current };
            self.steps.roles.push(role);
            let whole: Vec<Cell<'_>> = cells.iter().map(|cell| cell.cell()).collect();
            self.encoder.put_all(&whole);
            self.encoder.close(Place::default(), false);
            self.seen.current_rows += 1;
            if role == Role::Pair {
                self.put_backup(role);
            }
            self.hand_on()?;
            return Ok(true);
        }
    }

    /// Ends the comparing when current has been read to its end.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.part()
    }

    /// Gets the backup's next row; false when there is none.
    fn front(&mut self) -> Result<bool> {
        while self.at == self.batch.len() {
            let Ok(batch) = self.pairs.rows.recv() else { return Ok(false) };
            (self.batch, self.at) = (batch, 0);
            self.silence += 1;
            if self.silence >= SILENCE {
                self.say()?;
            }
        }
        Ok(true)
    }

    /// Tells whether the records at the front are certainly the same.
    fn alike(&self, cells: &[Raw<'_>]) -> bool {
        let mut rest = self.batch.row(self.at).body;
        for (cell, &(rule, like)) in cells.iter().zip(&self.rules) {
            let backup = raw::take(&mut rest);
            let same = match rule {
                Rule::Nothing => true,
                Rule::Field => agree(backup, *cell, like),
                // Without a value in its key a record has no other to be the same as.
                Rule::Key => !matches!(backup, Raw::Absent | Raw::Null) && agree(backup, *cell, like),
            };
            if !same {
                return false;
            }
        }
        true
    }

    /// Notes the key of records that are alike; tells whether the backup certainly has it for the first time.
    fn may_meet(&mut self, cells: &[Raw<'_>]) -> bool {
        match self.order.integer(cells) {
            Some(key) => self.order.note_integer(key, &mut self.seen),
            None => {
                self.current_key(cells);
                self.order.note(&self.keys[0], &mut self.seen);
            }
        }
        if self.seen.backup_ascending || self.aside.is_empty() {
            return true;
        }
        self.current_key(cells);
        self.aside.len() < ASIDE && !self.aside.contains(&xxh3_64(&self.keys[0]))
    }

    fn current_key(&mut self, cells: &[Raw<'_>]) {
        key_of(self.table, |column| cells[column].cell(), &mut self.keys[0], &mut self.scratch);
    }

    fn backup_key(&mut self) {
        let body = self.batch.row(self.at).body;
        let cell = |column| raw::cells(body).nth(column).map_or(Cell::Absent, Raw::cell);
        key_of(self.table, cell, &mut self.keys[1], &mut self.scratch);
    }

    /// Puts the backup's row at the front among those that go on; its key has been read.
    fn put_backup(&mut self, role: Role) {
        let row = self.batch.row(self.at);
        for (column, cell) in raw::cells(row.body).enumerate() {
            self.encoder.put(column, cell.cell());
        }
        self.encoder.close(row.place, row.excluded);
        self.at += 1;
        self.steps.read += 1;
        let key = &self.keys[1];
        if !key.is_empty() {
            self.order.note(key, &mut self.seen);
        }
        if role == Role::Backup {
            self.steps.roles.push(role);
            if !key.is_empty() && self.aside.len() < ASIDE {
                self.aside.insert(xxh3_64(key));
            }
        }
    }

    /// Lets the two sides go on by themselves, after what the backup's reader has read already.
    fn part(&mut self) -> Result<()> {
        self.pairs.apart.store(true, atomic::Ordering::Relaxed);
        while self.front()? {
            self.backup_key();
            self.put_backup(Role::Backup);
            self.hand_on()?;
        }
        self.say()?;
        let last_key = std::mem::replace(&mut self.order, Order::new(self.table)).into_last();
        self.to.send(FromSide::Apart(self.seen, last_key)).map_err(|_| stopped())
    }

    /// Sends what goes on, where there is enough of it.
    fn hand_on(&mut self) -> Result<()> {
        match self.encoder.full() {
            Some(rows) => self.send(rows),
            None => Ok(()),
        }
    }

    /// Sends what there is.
    fn say(&mut self) -> Result<()> {
        self.silence = 0;
        let rows = self.encoder.finish().unwrap_or_default();
        self.send(rows)
    }

    fn send(&mut self, rows: Batch) -> Result<()> {
        let coming = if self.seen.backup_ascending { Coming::InOneOrder } else { Coming::Otherwise };
        let steps = Steps { rows, coming, ..std::mem::take(&mut self.steps) };
        self.to.send(FromSide::Steps(steps)).map_err(|_| stopped())
    }
}

/// Writes the key of a record as the join knows it; nothing where a value is missing.
fn key_of<'c>(table: &Table, cell: impl Fn(usize) -> Cell<'c>, key: &mut Vec<u8>, scratch: &mut Vec<u8>) {
    key.clear();
    for &column in &table.key {
        let target = &table.columns[column];
        scratch.clear();
        encode::encode(cell(column), target, scratch);
        if encode::is_absent(scratch) || encode::is_null(scratch) {
            return key.clear();
        }
        encode::encode_key_bytes(scratch, target.collation, key);
    }
}

#[cfg(test)]
mod tests;
