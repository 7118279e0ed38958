//! The records that a receipt is about, held against what the database has now: which are as the merge left them, which
//! as they were before it, and which neither.

use super::Settlement;
use crate::database::{Database, Snapshot, WriteOptions};
use crate::error::Result;
use crate::executor::receipt::{Keyless, Receipt, State};
use crate::model::schema::Engine;
use crate::model::{Cell, OwnedCell, encode};
use crate::plan::ActionKind;

/// Images compared in one go.
const PAGE: usize = 500;

/// Counts and digests the records of a table without a key.
///
/// *Complexity:* one scan of the table.
pub(in crate::executor) fn keyless(
    view: &mut (impl Snapshot + ?Sized),
    position: usize,
    table: &crate::model::Table,
) -> Result<Keyless> {
    let mut found = Keyless { table: position, count: 0, digest: 0 };
    let mut bytes = Vec::new();
    view.scan(table, &mut |cells| {
        found.count += 1;
        found.digest = found.digest.wrapping_add(record_digest(table, cells.iter().copied(), &mut bytes));
        Ok(())
    })?;
    Ok(found)
}

/// Finds out by the records how a merge ended.
///
/// # Errors
/// `Busy` while the server still works on it; as reading.
pub(super) fn compare(database: &mut dyn Database, receipt: &Receipt) -> Result<Settlement> {
    // A server may not have noticed yet that the merge's connection is gone: its lock is free once the outcome stands.
    let mut snapshot: Box<dyn Snapshot> = match database.identity().engine {
        Engine::Sqlite => database.snapshot()?,
        Engine::Postgres | Engine::Mysql => database.begin(&WriteOptions::default())?,
    };
    let meta = receipt.meta();
    let mut found = Settlement::of(meta, State::Unknown);
    for was in &meta.keyless {
        let table = &meta.schema.tables[was.table];
        let now = keyless(snapshot.as_mut(), was.table, table)?;
        let Moved { added, taken, digest } = moved(receipt, was.table)?;
        let then = (was.count + added).saturating_sub(taken);
        // As many records as the merge leaves may be others': where its own are known whole, all of them are.
        let as_left = digest.is_none_or(|moved| now.digest == was.digest.wrapping_add(moved));
        if now == *was {
            found.before += added + taken;
        } else if now.count == then && as_left {
            found.after += added + taken;
        } else {
            found.neither += added + taken;
            found.lines.push(format!("{}: {} records, neither {} nor {}", table.label(), now.count, was.count, then));
        }
    }
    hold(snapshot.as_mut(), receipt, usize::MAX, &mut found)?;
    found.state = match (found.after, found.before, found.neither) {
        (0, 0, _) => State::Unknown,
        // All or nothing was written, so a single record that only the merge can have made so tells of all.
        (_, 0, _) => State::Committed,
        (0, _, 0) => State::RolledBack,
        _ => State::Unknown,
    };
    Ok(found)
}

/// Tells whether all records of a merge that are looked at are as they were before it.
pub(super) fn shows_nothing(database: &mut dyn Database, receipt: &Receipt) -> Result<bool> {
    let mut found = Settlement::of(receipt.meta(), State::Committed);
    hold(database.snapshot()?.as_mut(), receipt, PAGE, &mut found)?;
    Ok((found.after, found.neither) == (0, 0) && found.before > 0)
}

/// Holds the records of a receipt, no more than so many, against the database, and counts them as what they are.
fn hold(snapshot: &mut dyn Snapshot, receipt: &Receipt, most: usize, found: &mut Settlement) -> Result<()> {
    let meta = receipt.meta();
    let (mut position, mut seen) = (0, 0);
    while seen < most {
        let images = receipt.page(position, PAGE)?;
        let Some(last) = images.last() else { break };
        (position, seen) = (last.id, seen + images.len());
        for batch in images.chunk_by(|a, b| a.table == b.table) {
            let table = &meta.schema.tables[batch[0].table];
            if table.key.is_empty() {
                continue;
            }
            let wanted: Vec<Vec<OwnedCell>> = batch.iter().map(|i| i.key.clone()).collect();
            let mut now: Vec<Option<Vec<OwnedCell>>> = vec![None; batch.len()];
            snapshot.fetch(table, &table.key, &wanted, &mut |p, cells| {
                now[p] = Some(cells.iter().map(|&c| OwnedCell::from(c)).collect());
                Ok(())
            })?;
            for (image, now) in batch.iter().zip(now) {
                let is = |cells: &[OwnedCell]| match (&now, cells.is_empty()) {
                    (None, empty) => empty,
                    (Some(_), true) => false,
                    (Some(now), false) => alike(table, cells, now),
                };
                if is(&image.after) {
                    found.after += 1;
                } else if is(&image.before) {
                    found.before += 1;
                } else {
                    found.neither += 1;
                    let key = table
                        .key
                        .iter()
                        .zip(&image.key)
                        .filter_map(|(&c, k)| encode::value_of(k.as_cell(), &table.columns[c]));
                    let verb = if image.kind == ActionKind::Delete { "deleted" } else { "written" };
                    found
                        .lines
                        .push(format!("{}: neither as it was nor as {verb}", table.named(&key.collect::<Vec<_>>())));
                }
            }
        }
    }
    Ok(())
}

/// What a receipt adds to a table without a key and takes from it.
struct Moved {
    added: u64,
    taken: u64,
    /// By how much the digest of its records changes; none where the database fills in a part of a record itself.
    digest: Option<u64>,
}

fn moved(receipt: &Receipt, position: usize) -> Result<Moved> {
    let table = &receipt.meta().schema.tables[position];
    let whole = |cells: &[OwnedCell]| {
        let given = cells.len() == table.columns.len() && !cells.contains(&OwnedCell::Absent);
        given.then(|| record_digest(table, cells.iter().map(OwnedCell::as_cell), &mut Vec::new()))
    };
    let mut digest = Some(0u64);
    let mut counts = [0, 0];
    for (count, kind) in counts.iter_mut().zip([ActionKind::Insert, ActionKind::Delete]) {
        let mut after = (0, 0);
        loop {
            let images = receipt.ordered(kind, position, after, PAGE)?;
            let Some(last) = images.last() else { break };
            after = (last.level, last.id);
            *count += images.len() as u64;
            for image in &images {
                digest = digest.zip(whole(if kind == ActionKind::Insert { &image.after } else { &image.before })).map(
                    |(sum, one)| if kind == ActionKind::Insert { sum.wrapping_add(one) } else { sum.wrapping_sub(one) },
                );
            }
        }
    }
    Ok(Moved { added: counts[0], taken: counts[1], digest })
}

/// Digests one record of a table without a key; the digests of records are added up.
fn record_digest<'a>(table: &crate::model::Table, cells: impl Iterator<Item = Cell<'a>>, bytes: &mut Vec<u8>) -> u64 {
    bytes.clear();
    for (cell, column) in cells.zip(&table.columns) {
        encode::encode(cell, column, bytes);
    }
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// Tells whether a record is as an image says; what the image left to the engine may be anything.
fn alike(table: &crate::model::Table, image: &[OwnedCell], now: &[OwnedCell]) -> bool {
    differing(table, image, now).is_empty()
}

/// Lists the columns in which a record is not as an image says.
pub(in crate::executor) fn differing(
    table: &crate::model::Table,
    image: &[OwnedCell],
    now: &[OwnedCell],
) -> Vec<usize> {
    (0..table.columns.len())
        .filter(|&c| {
            let column = &table.columns[c];
            column.writable()
                && image[c] != OwnedCell::Absent
                && image[c] != now[c]
                && match (encode::value_of(image[c].as_cell(), column), encode::value_of(now[c].as_cell(), column)) {
                    (Some(a), Some(b)) => !crate::model::compare::same(&a, &b),
                    _ => true,
                }
        })
        .collect()
}
