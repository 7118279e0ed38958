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

/// Bytes of waiting rows kept in memory while both sides come in one order.
const SIMILAR_BYTES: usize = 12 << 20;

/// How the rows of both sides have come so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Coming {
    /// Ascending on both.
    InOneOrder,
    /// In any other way.
    #[default]
    Otherwise,
}

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
    pub(crate) fn note_backup(&mut self, key: &[u8], last: &mut Vec<u8>) {
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
    #[cfg(test)]
    pub(crate) fn run(&self, table: &str, pull: &mut Pull<'_>, emit: &mut Emit<'_>) -> Result<Seen> {
        let mut joining = Joining::new(self, table);
        joining.fronts(pull, emit)?;
        joining.finish(emit)
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

/// A join on its way: what met is gone, what waits is here.
pub(crate) struct Joining<'j> {
    join: &'j Join,
    table: &'j str,
    waiting: Pending,
    /// Bytes of waiting rows kept in memory for now.
    budget_bytes: usize,
    spill: Option<Spill>,
    /// What was seen on the way.
    pub(crate) seen: Seen,
    last_key: Vec<u8>,
}

impl<'j> Joining<'j> {
    pub(crate) fn new(join: &'j Join, table: &'j str) -> Self {
        Self {
            join,
            table,
            waiting: Pending { table: HashTable::new(), bytes: 0, sides: join.sides.clone() },
            budget_bytes: join.budget_bytes,
            spill: None,
            seen: Seen { backup_ascending: true, current_rows: 0 },
            last_key: Vec::new(),
        }
    }

    /// Takes over from whoever brought rows together before: what it saw, and the backup's last key.
    pub(crate) fn go_on_from(&mut self, seen: Seen, last_key: Vec<u8>) {
        (self.seen, self.last_key) = (seen, last_key);
        self.budget_bytes = self.join.budget_bytes;
    }

    /// Takes note of how both sides have come so far. In one order, what found no partner hardly ever finds one later, and
    /// waits for the end as well on disk.
    pub(crate) fn coming(&mut self, coming: Coming) {
        let most = match coming {
            Coming::InOneOrder => SIMILAR_BYTES,
            Coming::Otherwise => usize::MAX,
        };
        self.budget_bytes = self.join.budget_bytes.min(most);
    }

    /// Lets rows of one key meet that stand at the front of both sides; counts nothing.
    pub(crate) fn pair(&mut self, current: RowRef<'_>, backup: RowRef<'_>, emit: &mut Emit<'_>) -> Result<()> {
        // A key that waits already has come twice on the side it waits for.
        if !self.waiting.table.is_empty() && self.waiting.holds(current.key) {
            self.alone(Side::Current, current, emit)?;
            return self.alone(Side::Backup, backup, emit);
        }
        emit(Met { rows: [None, Some(current), Some(backup)] })
    }

    /// Takes a row that has found no partner at the front; counts nothing.
    pub(crate) fn alone(&mut self, side: Side, row: RowRef<'_>, emit: &mut Emit<'_>) -> Result<()> {
        if row.key.is_empty() {
            let mut met = Met::default();
            met.rows[side as usize] = Some(row);
            return emit(met);
        }
        if let Some(spill) = &mut self.spill {
            // The disorder is larger than the memory: what does not meet at the front goes straight to disk.
            return spill.put(side, row);
        }
        self.join.take(self.table, side, row, &mut self.waiting, emit)?;
        if self.waiting.bytes > self.budget_bytes {
            self.waiting.flush(self.spill.insert(Spill::new()?))?;
            self.waiting.table = HashTable::new();
        }
        Ok(())
    }

    /// Reads every side to its end; what meets at the front meets, what does not waits.
    pub(crate) fn fronts(&mut self, pull: &mut Pull<'_>, emit: &mut Emit<'_>) -> Result<()> {
        let sides = &self.join.sides;
        let mut cursors = [(); 3].map(|()| Cursor { batch: Batch::default(), at: 0, done: true });
        for &side in sides {
            cursors[side as usize].done = false;
        }
        loop {
            for &side in sides {
                let cursor = &mut cursors[side as usize];
                while !cursor.done && cursor.at == cursor.batch.len() {
                    match pull(side)? {
                        Some(batch) => (cursor.batch, cursor.at) = (batch, 0),
                        None => cursor.done = true,
                    }
                }
            }
            // Most rows meet their partners at the front.
            if !self.join.keyless
                && self.waiting.table.is_empty()
                && let Some(met) = self.join.in_step(&cursors)
            {
                let key = met.rows[Side::Backup as usize].expect("every join has the backup").key;
                self.seen.note_backup(key, &mut self.last_key);
                emit(met)?;
                for &side in sides {
                    cursors[side as usize].at += 1;
                }
                self.seen.current_rows += 1;
                continue;
            }
            let front = |side: Side| {
                let cursor = &cursors[side as usize];
                (!cursor.done).then(|| cursor.batch.row(cursor.at))
            };
            let Some(smallest) =
                sides.iter().copied().filter(|&s| front(s).is_some()).min_by_key(|&s| front(s).map(|r| r.key))
            else {
                return Ok(());
            };
            let row = front(smallest).expect("filtered above");
            let together = sides.iter().all(|&s| front(s).is_some_and(|r| r.key == row.key)) && !row.key.is_empty();
            if together || smallest == Side::Backup {
                self.seen.note_backup(row.key, &mut self.last_key);
            }
            // A key that waits already has come twice on the side it waits for.
            let waits = || !self.join.keyless && !self.waiting.table.is_empty() && self.waiting.holds(row.key);
            if together && !waits() {
                emit(Met { rows: Side::ALL.map(|s| if sides.contains(&s) { front(s) } else { None }) })?;
                for &side in sides {
                    cursors[side as usize].at += 1;
                }
                self.seen.current_rows += 1;
                continue;
            }
            self.seen.current_rows += u64::from(smallest == Side::Current);
            self.alone(smallest, row, emit)?;
            cursors[smallest as usize].at += 1;
        }
    }

    /// Ends the join: what still waits stays alone, or meets on disk.
    pub(crate) fn finish(self, emit: &mut Emit<'_>) -> Result<Seen> {
        match self.spill {
            None => self.waiting.emit_rest(emit)?,
            Some(spill) => spill.join(self.join, self.table, emit)?,
        }
        Ok(self.seen)
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

#[cfg(test)]
mod tests;
