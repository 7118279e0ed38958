//! The symmetric streaming join: brings together the rows of one key from two or three sides, in one pass over each.
//!
//! Neither side needs to be sorted. While the sides come in a similar order, rows meet at the front and nothing is kept;
//! a row whose partner has not come yet waits in memory, so memory follows the disorder between the sides. Past the
//! budget everything that waits goes to disk, partitioned by key, and so does what comes after and finds no partner at
//! the front; it is joined partition by partition at the end.
//! *Complexity:* linear in the rows of all sides.

use super::rows::{Batch, RowRef};
use super::spill::Spill;
use crate::backup::Place;
use crate::error::{Result, fail};
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// The sides of a comparison, in the order of their slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Base = 0,
    Current = 1,
    Backup = 2,
}

impl Side {
    pub(crate) const ALL: [Self; 3] = [Self::Base, Self::Current, Self::Backup];
}

/// The rows of one key.
#[derive(Clone, Copy, Default)]
pub(crate) struct Met<'a> {
    /// One slot per side; none where the side has no such record.
    pub(crate) rows: [Option<RowRef<'a>>; 3],
}

/// A row's content besides its key.
pub(super) struct Kept {
    body: Box<[u8]>,
    place: Place,
    excluded: bool,
}

impl Kept {
    fn of(row: RowRef<'_>) -> Self {
        Self { body: row.body.into(), place: row.place, excluded: row.excluded }
    }

    fn row<'a>(&'a self, key: &'a [u8]) -> RowRef<'a> {
        RowRef { key, body: &self.body, place: self.place, excluded: self.excluded }
    }
}

/// A row that waits for its partners.
pub(super) struct Waiting {
    pub(super) key: Box<[u8]>,
    pub(super) rows: [Option<Kept>; 3],
    /// How many equal rows wait, for tables without a key.
    pub(super) count: u32,
}

impl Waiting {
    pub(super) fn met(&self) -> Met<'_> {
        let row = |slot: usize| self.rows[slot].as_ref().map(|kept: &Kept| kept.row(&self.key));
        Met { rows: [row(0), row(1), row(2)] }
    }

    fn bytes(&self) -> usize {
        self.key.len() + self.rows.iter().flatten().map(|kept| kept.body.len()).sum::<usize>() + ENTRY_BYTES
    }
}

/// What a waiting entry costs besides its bytes: the entry, its table slot, allocator rounding.
const ENTRY_BYTES: usize = 160;

/// Gives the next batch of a side; `None` at its end.
pub(crate) type Pull<'a> = dyn FnMut(Side) -> Result<Option<Batch>> + 'a;

/// Takes a row of a partition.
pub(super) type TakeRow<'a> = dyn FnMut(Side, RowRef<'_>) -> Result<()> + 'a;

/// Takes what met, or what stayed alone at the end.
pub(crate) type Emit<'a> = dyn FnMut(Met<'_>) -> Result<()> + 'a;

/// How one table is joined.
pub(crate) struct Join {
    /// Which sides take part.
    pub(crate) sides: Vec<Side>,
    /// Whether rows are told apart by their whole content (a table without a key).
    pub(crate) keyless: bool,
    /// Bytes of waiting rows kept in memory.
    pub(crate) budget_bytes: usize,
}

/// What the join saw on the way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Whether the backup's keys came strictly ascending: then none came twice.
    pub(crate) backup_ascending: bool,
    /// Rows of the current side.
    pub(crate) current_rows: u64,
}

impl Seen {
    /// Notes the backup's next key; the one before is kept as long as it matters.
    fn note_backup(&mut self, key: &[u8], last: &mut Vec<u8>) {
        if self.backup_ascending {
            self.backup_ascending = last.is_empty() || last.as_slice() < key;
            last.clear();
            last.extend_from_slice(key);
        }
    }
}

struct Cursor {
    batch: Batch,
    at: usize,
    done: bool,
}

impl Join {
    /// Runs the join.
    pub(crate) fn run(&self, table: &str, pull: &mut Pull<'_>, emit: &mut Emit<'_>) -> Result<Seen> {
        let mut cursors = [(); 3].map(|()| Cursor { batch: Batch::default(), at: 0, done: true });
        for &side in &self.sides {
            cursors[side as usize].done = false;
        }
        let mut waiting = Pending { table: HashTable::new(), bytes: 0, sides: self.sides.clone() };
        let mut spill: Option<Spill> = None;
        let mut seen = Seen { backup_ascending: true, current_rows: 0 };
        let mut last_key: Vec<u8> = Vec::new();
        loop {
            for &side in &self.sides {
                let cursor = &mut cursors[side as usize];
                while !cursor.done && cursor.at == cursor.batch.len() {
                    match pull(side)? {
                        Some(batch) => (cursor.batch, cursor.at) = (batch, 0),
                        None => cursor.done = true,
                    }
                }
            }
            // Most rows meet their partners at the front.
            if !self.keyless
                && waiting.table.is_empty()
                && let Some(met) = self.in_step(&cursors)
            {
                let key = met.rows[Side::Backup as usize].expect("every join has the backup").key;
                seen.note_backup(key, &mut last_key);
                emit(met)?;
                for &side in &self.sides {
                    cursors[side as usize].at += 1;
                }
                seen.current_rows += 1;
                continue;
            }
            let front = |side: Side| {
                let cursor = &cursors[side as usize];
                (!cursor.done).then(|| cursor.batch.row(cursor.at))
            };
            let Some(smallest) =
                self.sides.iter().copied().filter(|&s| front(s).is_some()).min_by_key(|&s| front(s).map(|r| r.key))
            else {
                break;
            };
            let row = front(smallest).expect("filtered above");
            let together = self.sides.iter().all(|&s| front(s).is_some_and(|r| r.key == row.key));
            if together || smallest == Side::Backup {
                seen.note_backup(row.key, &mut last_key);
            }
            if together && !row.key.is_empty() {
                let met = Met { rows: Side::ALL.map(|s| if self.sides.contains(&s) { front(s) } else { None }) };
                // A key that waits already has come twice on the side it waits for.
                if !self.keyless && !waiting.table.is_empty() && waiting.holds(row.key) {
                    self.take(table, smallest, row, &mut waiting, emit)?;
                    seen.current_rows += u64::from(smallest == Side::Current);
                    cursors[smallest as usize].at += 1;
                    continue;
                }
                emit(met)?;
                for &side in &self.sides {
                    cursors[side as usize].at += 1;
                }
                seen.current_rows += 1;
                continue;
            }
            seen.current_rows += u64::from(smallest == Side::Current);
            if row.key.is_empty() {
                let mut met = Met::default();
                met.rows[smallest as usize] = Some(row);
                emit(met)?;
            } else if let Some(spill) = &mut spill {
                // The disorder is larger than the memory: what does not meet at the front goes straight to disk.
                spill.put(smallest, row)?;
            } else {
                self.take(table, smallest, row, &mut waiting, emit)?;
            }
            cursors[smallest as usize].at += 1;
            if waiting.bytes > self.budget_bytes {
                waiting.flush(spill.insert(Spill::new()?))?;
                waiting.table = HashTable::new();
            }
        }
        match spill {
            None => waiting.emit_rest(emit)?,
            Some(spill) => spill.join(self, table, emit)?,
        }
        Ok(seen)
    }

    /// Returns the rows at the front of all sides if they have one key.
    fn in_step<'c>(&self, cursors: &'c [Cursor; 3]) -> Option<Met<'c>> {
        let mut met = Met::default();
        let mut key: &[u8] = &[];
        for &side in &self.sides {
            let cursor = &cursors[side as usize];
            if cursor.done {
                return None;
            }
            let row = cursor.batch.row(cursor.at);
            if row.key.is_empty() || (!key.is_empty() && key != row.key) {
                return None;
            }
            key = row.key;
            met.rows[side as usize] = Some(row);
        }
        Some(met)
    }

    /// Adds a row to those waiting, or lets it meet its partners.
    fn take(&self, table: &str, side: Side, row: RowRef<'_>, waiting: &mut Pending, emit: &mut Emit<'_>) -> Result<()> {
        if self.keyless { waiting.take_keyless(side, row, emit) } else { waiting.take_keyed(table, side, row, emit) }
    }

    /// Joins the rows of one partition, which fit in memory.
    pub(super) fn join_partition(
        &self,
        table: &str,
        rows: impl FnOnce(&mut TakeRow<'_>) -> Result<()>,
        emit: &mut Emit<'_>,
    ) -> Result<()> {
        let mut waiting = Pending { table: HashTable::new(), bytes: 0, sides: self.sides.clone() };
        rows(&mut |side, row| self.take(table, side, row, &mut waiting, emit))?;
        waiting.emit_rest(emit)
    }
}

fn emit_alone(entry: &Waiting, emit: &mut Emit<'_>) -> Result<()> {
    (0..entry.count).try_for_each(|_| emit(entry.met()))
}

/// The rows that wait.
struct Pending {
    table: HashTable<Waiting>,
    bytes: usize,
    sides: Vec<Side>,
}

impl Pending {
    /// Emits what stayed alone: the backup's records in its order, then the others by key.
    fn emit_rest(&self, emit: &mut Emit<'_>) -> Result<()> {
        let mut rest: Vec<&Waiting> = self.table.iter().collect();
        let backup = |w: &Waiting| w.rows[Side::Backup as usize].as_ref().map_or(u64::MAX, |kept| kept.place.record);
        rest.sort_unstable_by(|a, b| backup(a).cmp(&backup(b)).then_with(|| a.key.cmp(&b.key)));
        rest.into_iter().try_for_each(|entry| emit_alone(entry, emit))
    }

    fn holds(&self, key: &[u8]) -> bool {
        self.table.find(xxh3_64(key), |w| *w.key == *key).is_some()
    }

    fn take_keyed(&mut self, table: &str, side: Side, row: RowRef<'_>, emit: &mut Emit<'_>) -> Result<()> {
        let hash = xxh3_64(row.key);
        let Some(entry) = self.table.find_mut(hash, |w| *w.key == *row.key) else {
            let mut rows = [const { None }; 3];
            rows[side as usize] = Some(Kept::of(row));
            let entry = Waiting { key: row.key.into(), rows, count: 1 };
            self.bytes += entry.bytes();
            self.table.insert_unique(hash, entry, |w| xxh3_64(&w.key));
            return Ok(());
        };
        if let Some(kept) = &entry.rows[side as usize] {
            return if *kept.body == *row.body { Ok(()) } else { Err(twice(table, side, kept.place, row.place)) };
        }
        let complete = self.sides.iter().all(|&s| s == side || entry.rows[s as usize].is_some());
        if complete {
            let mut met = entry.met();
            met.rows[side as usize] = Some(row);
            emit(met)?;
            if let Ok(found) = self.table.find_entry(hash, |w| *w.key == *row.key) {
                let (gone, _) = found.remove();
                self.bytes -= gone.bytes();
            }
        } else {
            entry.rows[side as usize] = Some(Kept::of(row));
            self.bytes += row.body.len();
        }
        Ok(())
    }

    fn take_keyless(&mut self, side: Side, row: RowRef<'_>, emit: &mut Emit<'_>) -> Result<()> {
        let hash = xxh3_64(row.key);
        let Some(entry) = self.table.find_mut(hash, |w| *w.key == *row.key) else {
            let mut rows = [const { None }; 3];
            rows[side as usize] = Some(Kept::of(row));
            let entry = Waiting { key: row.key.into(), rows, count: 1 };
            self.bytes += entry.bytes();
            self.table.insert_unique(hash, entry, |w| xxh3_64(&w.key));
            return Ok(());
        };
        if entry.rows[side as usize].is_some() {
            entry.count += 1;
            return Ok(());
        }
        let mut met = entry.met();
        met.rows[side as usize] = Some(row);
        emit(met)?;
        entry.count -= 1;
        if entry.count == 0
            && let Ok(found) = self.table.find_entry(hash, |w| *w.key == *row.key)
        {
            let (gone, _) = found.remove();
            self.bytes -= gone.bytes();
        }
        Ok(())
    }

    fn flush(&mut self, spill: &mut Spill) -> Result<()> {
        for entry in self.table.drain() {
            for _ in 0..entry.count {
                for side in Side::ALL {
                    if let Some(kept) = &entry.rows[side as usize] {
                        spill.put(side, kept.row(&entry.key))?;
                    }
                }
            }
        }
        self.bytes = 0;
        Ok(())
    }
}

/// Tells of a key that one side has twice with different content (CHECKS F41).
pub(crate) fn twice(table: &str, side: Side, first: Place, second: Place) -> crate::error::Error {
    match side {
        Side::Current => fail!(Refused, "{table}: two current records have the same key")
            .hint("Name columns that are unique with --key TABLE=col,col."),
        Side::Base => fail!(BackupDamaged, "{table}: the base has the same key twice, {first} and {second}"),
        Side::Backup => fail!(
            BackupDamaged,
            "{table}: the backup has the same key twice, {first} and {second}, with different fields"
        )
        .hint("Remove one of the two from the backup, or leave the table out with --skip-tables."),
    }
}
