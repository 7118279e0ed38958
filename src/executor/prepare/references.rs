//! What one record's change asks of others, looked at when all images are there: what something still refers to neither
//! goes nor changes, and what is referred to is there in the end.

use super::room::{Refused, name};
use super::{Image, Prepare, Prepared};
use crate::error::Result;
use crate::executor::names;
use crate::model::change::Reason;
use crate::model::schema::Collation;
use crate::model::{ForeignKey, OwnedCell, Schema, Table, Value, encode};
use crate::plan::ActionKind;
use std::collections::{BTreeSet, HashMap, HashSet};

/// What arrives and leaves of the values that others refer to: by the table and its columns, where these are not its key.
#[derive(Default)]
pub(super) struct Moves {
    of: HashMap<(usize, Vec<usize>), Moved>,
    /// The tables of which records are deleted.
    shrinking: BTreeSet<usize>,
}

#[derive(Default)]
struct Moved {
    arrives: HashSet<u128>,
    leaves: HashSet<u128>,
}

impl Prepare<'_> {
    /// Finds what arrives and leaves.
    pub(super) fn moves(&mut self, order: &[usize]) -> Result<Moves> {
        let schema = self.plan.meta().schema.clone();
        let mut moves = Moves::default();
        for &table in order {
            if !self.receipt.ordered(ActionKind::Delete, table, (0, 0), 1)?.is_empty() {
                moves.shrinking.insert(table);
            }
            for columns in others(&schema, table) {
                let mut moved = Moved::default();
                let own = (table, columns.as_slice());
                for kind in [ActionKind::Insert, ActionKind::Update, ActionKind::Delete] {
                    self.images(kind, table, &mut |_, image| {
                        let of = |cells: &[OwnedCell]| names::name(&schema, cells, own, own);
                        let (before, after) = (of(&image.before), of(&image.after));
                        if before != after {
                            moved.leaves.extend(before);
                            moved.arrives.extend(after);
                        }
                        Ok(())
                    })?;
                }
                moves.of.insert((table, columns), moved);
            }
        }
        Ok(moves)
    }

    /// Finds deletions of records, and changes of values, that others would still refer to: what the engine then does to
    /// those would be unseen, and so would be that they refer to another record from then on.
    pub(super) fn still_referenced(&mut self, order: &[usize]) -> Result<Vec<Refused>> {
        let schema = self.plan.meta().schema.clone();
        let mut refused = Vec::new();
        for &table in order {
            let children = schema.tables.iter().enumerate();
            let references = children.flat_map(|(child, t)| t.foreign_keys.iter().map(move |f| (child, f)));
            let referring: Vec<(usize, &ForeignKey)> = references.filter(|(_, f)| f.table == Some(table)).collect();
            let own = &schema.tables[table];
            let by_value = |f: &ForeignKey| f.references.iter().any(|c| !own.key.contains(c));
            for kind in [ActionKind::Delete, ActionKind::Update] {
                let referring: Vec<(usize, &ForeignKey)> =
                    referring.iter().copied().filter(|(_, f)| kind == ActionKind::Delete || by_value(f)).collect();
                if referring.is_empty() {
                    continue;
                }
                self.pages(kind, table, &mut |prepare, images| {
                    let mut left = vec![Vec::new(); images.len()];
                    for &(child, foreign_key) in &referring {
                        let gives_up = |p: &usize| {
                            kind == ActionKind::Delete || changes(own, &foreign_key.references, &images[*p])
                        };
                        let asked: Vec<usize> = (0..images.len()).filter(gives_up).collect();
                        let had = |image: &Image| {
                            foreign_key.references.iter().map(|&c| image.before[c].clone()).collect::<Vec<_>>()
                        };
                        let tuples: Vec<Vec<OwnedCell>> = asked.iter().map(|&p| had(&images[p])).collect();
                        let counts = prepare.staying(&schema.tables[child], child, foreign_key, &tuples)?;
                        for (position, count) in asked.into_iter().zip(counts).filter(|(_, count)| *count > 0) {
                            left[position].push(lists(count, &schema.tables[child], foreign_key, kind));
                        }
                    }
                    for (image, left) in images.iter().zip(left).filter(|(_, left)| !left.is_empty()) {
                        let why = match kind {
                            ActionKind::Delete => "can't be deleted, records refer to it that stay",
                            _ => "can't be changed, records refer to what it had and stay",
                        };
                        let why = format!("{why}: {}", left.join(", "));
                        refused.push(Refused { image: image.clone(), reason: Reason::StillReferenced, why });
                    }
                    Ok(())
                })?;
            }
        }
        Ok(refused)
    }

    /// Counts the records that refer to each of some records that go, and neither go themselves nor are turned elsewhere.
    fn staying(
        &mut self,
        children: &Table,
        child: usize,
        foreign_key: &ForeignKey,
        tuples: &[Vec<OwnedCell>],
    ) -> Result<Vec<u64>> {
        let columns = foreign_key.columns.as_slice();
        let mut counts = vec![0u64; tuples.len()];
        let asked: Vec<usize> = (0..tuples.len()).filter(|&p| !tuples[p].contains(&OwnedCell::Null)).collect();
        let wanted: Vec<Vec<OwnedCell>> = asked.iter().map(|&p| tuples[p].clone()).collect();
        if wanted.is_empty() {
            return Ok(counts);
        }
        let receipt = &*self.receipt;
        self.view.fetch(children, columns, &wanted, &mut |position, cells| {
            let kind = foreign_key.when.as_ref();
            let kind = kind.and_then(|(c, _)| encode::value_of(cells[*c], &children.columns[*c]));
            if !foreign_key.applies(|_| kind.as_ref()) {
                return Ok(());
            }
            let key: Vec<OwnedCell> = children.key.iter().map(|&c| OwnedCell::from(cells[c])).collect();
            let image = if key.is_empty() { None } else { receipt.find(child, &key)? };
            let leaves = image.is_some_and(|image| match image.kind {
                ActionKind::Delete => true,
                ActionKind::Update => {
                    columns.iter().any(|&c| image.columns.contains(&c) && image.after[c] != image.before[c])
                }
                ActionKind::Insert => false,
            });
            counts[asked[position]] += u64::from(!leaves);
            Ok(())
        })?;
        if children.key.is_empty() && counts.iter().any(|&count| count > 0) {
            // Without a key they are told by what they refer to.
            self.images(ActionKind::Delete, child, &mut |_, image| {
                let refers = |p: &usize| columns.iter().zip(&tuples[*p]).all(|(&c, cell)| image.before[c] == *cell);
                for &position in asked.iter().filter(|p| refers(p)) {
                    counts[position] = counts[position].saturating_sub(1);
                }
                Ok(())
            })?;
        }
        Ok(counts)
    }

    /// Finds records that would refer to a record that is not there in the end: its insert was refused, it goes, or it has
    /// another value. By keys it looks only where some record is refused or goes.
    pub(super) fn orphans(&mut self, order: &[usize], moves: &Moves, prepared: &Prepared) -> Result<Vec<Refused>> {
        let mut refused: Vec<Refused> = Vec::new();
        let dropped = !prepared.blocked.is_empty() || !prepared.stale.is_empty();
        let schema = self.plan.meta().schema.clone();
        for &table in order {
            let own = &schema.tables[table];
            for foreign_key in own.foreign_keys.iter().filter(|f| f.declared) {
                let Some(parent) = foreign_key.table else { continue };
                let moved = moves.of.get(&(parent, foreign_key.references.clone()));
                let leaves = moves.shrinking.contains(&parent) || moved.is_some_and(|m| !m.leaves.is_empty());
                let by_key = foreign_key.references == schema.tables[parent].key;
                if by_key && !dropped && !leaves {
                    continue;
                }
                for kind in [ActionKind::Insert, ActionKind::Update] {
                    self.pages(kind, table, &mut |prepare, images| {
                        let missing = prepare.missing(&schema, (table, foreign_key), moved, images)?;
                        // One reason is enough for each.
                        let new = missing.into_iter().filter(|(i, _)| !refused.iter().any(|r| r.image.id == i.id));
                        let new = new.map(|(image, why)| Refused { image, reason: Reason::MissingParent, why });
                        let new: Vec<Refused> = new.collect();
                        refused.extend(new);
                        Ok(())
                    })?;
                }
            }
        }
        Ok(refused)
    }

    /// Finds the images whose reference leads nowhere in the end.
    fn missing(
        &mut self,
        schema: &Schema,
        (table, foreign_key): (usize, &ForeignKey),
        moved: Option<&Moved>,
        images: &[Image],
    ) -> Result<Vec<(Image, String)>> {
        let own = &schema.tables[table];
        let Some(parent) = foreign_key.table else { return Ok(Vec::new()) };
        let target = &schema.tables[parent];
        let by_key = foreign_key.references == target.key;
        let mut asked: Vec<(&Image, Vec<OwnedCell>)> = Vec::new();
        for image in images {
            let touched = foreign_key.columns.iter().any(|c| image.columns.contains(c));
            let tuple: Vec<OwnedCell> = foreign_key.columns.iter().map(|&c| image.after[c].clone()).collect();
            if !touched || tuple.iter().any(|c| matches!(c, OwnedCell::Null | OwnedCell::Absent)) {
                continue;
            }
            let named = (parent, foreign_key.references.as_slice());
            let named = names::name(schema, &image.after, (table, &foreign_key.columns), named);
            let arrives = match by_key {
                true => self.receipt.find(parent, &tuple)?.map(|found| found.kind != ActionKind::Delete),
                false => named.zip(moved).and_then(|(name, moved)| {
                    let leaves = || moved.leaves.contains(&name).then_some(false);
                    if moved.arrives.contains(&name) { Some(true) } else { leaves() }
                }),
            };
            match arrives {
                Some(true) => {}
                None => asked.push((image, tuple)),
                Some(false) => asked.push((image, Vec::new())),
            }
        }
        let known: Vec<usize> = (0..asked.len()).filter(|&p| !asked[p].1.is_empty()).collect();
        let wanted: Vec<Vec<OwnedCell>> = known.iter().map(|&p| asked[p].1.clone()).collect();
        let mut present = vec![false; asked.len()];
        if !wanted.is_empty() {
            self.view.fetch(target, &foreign_key.references, &wanted, &mut |position, _| {
                present[known[position]] = true;
                Ok(())
            })?;
        }
        let columns = own.names(&foreign_key.columns).join("+");
        let missing = asked.into_iter().zip(present).filter(|(_, present)| !present).map(|((image, _), _)| {
            let cells: Vec<OwnedCell> = foreign_key.columns.iter().map(|&c| image.after[c].clone()).collect();
            let what = if by_key { name(target, &cells) } else { called(target, &foreign_key.references, &cells) };
            (image.clone(), format!("{columns} → {what} is not brought"))
        });
        Ok(missing.collect())
    }
}

/// Lists the columns of a table that others refer to, where they are not its key.
fn others(schema: &Schema, table: usize) -> BTreeSet<Vec<usize>> {
    let references = schema.tables.iter().flat_map(|t| &t.foreign_keys).filter(|f| f.table == Some(table));
    let by_value = |f: &&ForeignKey| f.references.iter().any(|c| !schema.tables[table].key.contains(c));
    references.filter(by_value).map(|f| f.references.clone()).collect()
}

/// Tells whether an image changes some of the columns so that what referred to them no longer does.
fn changes(table: &Table, columns: &[usize], image: &Image) -> bool {
    columns.iter().any(|&c| {
        let column = &table.columns[c];
        let part = |cell: &OwnedCell| {
            let mut bytes = Vec::new();
            let value = encode::value_of(cell.as_cell(), column).unwrap_or(Value::Null);
            encode::encode_key_part(&value, column.collation, &mut bytes);
            bytes
        };
        let (before, after) = (&image.before[c], &image.after[c]);
        before != after && (column.collation == Collation::Database || part(before) != part(after))
    })
}

/// Writes `2 of orders`, with what the engine would do to them.
fn lists(count: u64, children: &Table, foreign_key: &ForeignKey, kind: ActionKind) -> String {
    let label = children.label();
    match kind {
        ActionKind::Update if foreign_key.reaches_on_update() => {
            format!("{count} of {label} (ON UPDATE {})", foreign_key.on_update)
        }
        _ => format!("{count} of {label}"),
    }
}

/// Writes `users with code = B`.
fn called(table: &Table, columns: &[usize], cells: &[OwnedCell]) -> String {
    let part = |(&c, cell): (&usize, &OwnedCell)| {
        let value = encode::value_of(cell.as_cell(), &table.columns[c])?;
        Some(format!("{} = {value}", table.columns[c].name))
    };
    let parts: Vec<String> = columns.iter().zip(cells).filter_map(part).collect();
    format!("{} with {}", table.label(), parts.join(", "))
}
