//! What one record's change asks of others, looked at when all images are there: unique values that have to be parked
//! because their holder gives them up only later, deletions that something still refers to, children whose parent was refused.

use super::{Image, PAGE, Parked, Prepare, Prepared, Refusal, key_values};
use crate::error::{Result, fail};
use crate::model::{Key, OwnedCell, Table};
use crate::plan::{ActionKind, Outcome};
use std::collections::HashSet;

/// An image that can't be carried out after all.
pub(super) struct Refused {
    image: Image,
    why: String,
}

impl Prepare<'_> {
    /// Visits every image of a kind and table.
    pub(super) fn images(
        &mut self,
        kind: ActionKind,
        table: usize,
        visit: &mut dyn FnMut(&mut Self, &Image) -> Result<()>,
    ) -> Result<()> {
        let mut after = (0, 0);
        loop {
            self.progress.go_on()?;
            let images = self.receipt.ordered(kind, table, after, PAGE)?;
            let Some(last) = images.last() else { return Ok(()) };
            after = (last.level, last.id);
            images.iter().try_for_each(|image| visit(self, image))?;
        }
    }

    /// Removes an image and counts its record as blocked.
    pub(super) fn take_back(&mut self, refused: Refused, prepared: &mut Prepared) -> Result<()> {
        let Refused { image, why } = refused;
        if !self.receipt.remove(image.id)? {
            return Ok(());
        }
        let outcome = match image.kind {
            ActionKind::Insert => Outcome::Inserted,
            ActionKind::Update => Outcome::Updated,
            ActionKind::Delete => Outcome::Deleted,
        };
        if let Some((_, preview)) = prepared.tables.iter_mut().find(|(t, _)| *t == image.table) {
            *preview.of(outcome) -= 1;
            *preview.of(Outcome::Blocked) += 1;
        }
        let target = &self.plan.meta().schema.tables[image.table];
        prepared.blocked.push(Refusal { line: format!("{}: {why}", name(target, &image.key)) });
        Ok(())
    }

    /// Parks the holders of unique values that others take and that they give up; returns who takes one that is kept.
    pub(super) fn make_room(&mut self, table: usize, prepared: &mut Prepared) -> Result<Vec<Refused>> {
        prepared.parked.retain(|p| p.table != table);
        let target = self.plan.meta().schema.tables[table].clone();
        let mut refused = Vec::new();
        if target.uniques.iter().all(|u| u.columns == target.key) {
            return Ok(refused);
        }
        let mut parked: HashSet<(String, usize)> = HashSet::new();
        for kind in [ActionKind::Insert, ActionKind::Update] {
            self.images(kind, table, &mut |prepare, image| {
                if let Some(why) = prepare.room_for(&target, image, prepared, &mut parked)? {
                    refused.push(Refused { image: image.clone(), why });
                }
                Ok(())
            })?;
        }
        Ok(refused)
    }

    fn room_for(
        &mut self,
        target: &Table,
        image: &Image,
        prepared: &mut Prepared,
        parked: &mut HashSet<(String, usize)>,
    ) -> Result<Option<String>> {
        for unique in target.uniques.iter().filter(|u| u.columns != target.key && u.predicate.is_none()) {
            let takes = unique.columns.iter().any(|&c| image.before.get(c) != Some(&image.after[c]));
            let tuple: Vec<OwnedCell> = unique.columns.iter().map(|&c| image.after[c].clone()).collect();
            if !takes || tuple.iter().any(|c| matches!(c, OwnedCell::Null | OwnedCell::Absent)) {
                continue;
            }
            let mut holder: Option<Vec<OwnedCell>> = None;
            self.transaction.fetch(target, &unique.columns, std::slice::from_ref(&tuple), &mut |_, cells| {
                holder = Some(cells.iter().map(|&c| OwnedCell::from(c)).collect());
                Ok(())
            })?;
            let Some(holder) = holder else { continue };
            let key: Vec<OwnedCell> = target.key.iter().map(|&c| holder[c].clone()).collect();
            if key == image.key {
                continue;
            }
            // Only what the holder's own image writes again, or deletes, may be taken from it for a moment.
            let mover = self.receipt.find(image.table, &key)?;
            let given_up: Vec<usize> = match &mover {
                Some(mover) if mover.kind == ActionKind::Delete => unique.columns.clone(),
                Some(mover) if mover.kind == ActionKind::Update => {
                    let changes = |c: &usize| mover.columns.contains(c) && mover.after[*c] != mover.before[*c];
                    unique.columns.iter().copied().filter(changes).collect()
                }
                _ => Vec::new(),
            };
            if given_up.is_empty() {
                let names = target.names(&unique.columns).join(", ");
                let holder = Key(key_values(target, &holder));
                return Ok(Some(format!("{names}: held by {}/{holder} ({})", target.label(), unique.name)));
            }
            let spoken_for = format!("{key:?}");
            let waits = unique.deferrable && self.database.capabilities().defers_declared;
            if waits || unique.columns.iter().any(|&c| parked.contains(&(spoken_for.clone(), c))) {
                continue;
            }
            let free: Vec<usize> = given_up.into_iter().filter(|c| !target.key.contains(c)).collect();
            let value = self.passing(image.table, target, &holder, &free, &prepared.parked)?;
            let Some((column, value)) = value else {
                let names = target.names(&unique.columns).join(", ");
                return Err(fail!(
                    Refused,
                    "{}: values of {names} swap places and none of the columns can hold a passing value",
                    target.label()
                )
                .hint("Leave one of the records out, or change one of them by hand first."));
            };
            parked.insert((spoken_for, column));
            prepared.parked.push(Parked {
                table: image.table,
                key,
                column,
                before: holder[column].clone(),
                parked: value,
            });
        }
        Ok(None)
    }

    /// Finds deletions of records that others would still refer to: a cascade would take those along unseen.
    pub(super) fn still_referenced(&mut self, order: &[usize]) -> Result<Vec<Refused>> {
        let schema = self.plan.meta().schema.clone();
        let mut refused = Vec::new();
        for &table in order {
            let referring: Vec<(usize, &crate::model::ForeignKey)> = schema
                .tables
                .iter()
                .enumerate()
                .flat_map(|(child, t)| t.foreign_keys.iter().map(move |f| (child, f)))
                .filter(|(_, f)| f.table == Some(table))
                .collect();
            if referring.is_empty() {
                continue;
            }
            self.images(ActionKind::Delete, table, &mut |prepare, image| {
                let mut left = Vec::new();
                for (child, foreign_key) in &referring {
                    let tuple: Vec<OwnedCell> =
                        foreign_key.references.iter().map(|&c| image.before[c].clone()).collect();
                    let count = prepare.staying(&schema.tables[*child], *child, foreign_key, tuple)?;
                    if count > 0 {
                        left.push(format!("{count} of {}", schema.tables[*child].label()));
                    }
                }
                if !left.is_empty() {
                    let why = format!("can't be deleted, records refer to it that stay: {}", left.join(", "));
                    refused.push(Refused { image: image.clone(), why });
                }
                Ok(())
            })?;
        }
        Ok(refused)
    }

    /// Counts the records that refer to a record that goes, and neither go themselves nor are turned elsewhere.
    fn staying(
        &mut self,
        children: &Table,
        child: usize,
        foreign_key: &crate::model::ForeignKey,
        tuple: Vec<OwnedCell>,
    ) -> Result<u64> {
        let columns = foreign_key.columns.as_slice();
        if tuple.contains(&OwnedCell::Null) {
            return Ok(0);
        }
        let mut keys: Vec<Vec<OwnedCell>> = Vec::new();
        self.transaction.fetch(children, columns, std::slice::from_ref(&tuple), &mut |_, cells| {
            let kind = foreign_key.when.as_ref();
            let kind = kind.and_then(|(c, _)| crate::model::encode::value_of(cells[*c], &children.columns[*c]));
            if !foreign_key.applies(|_| kind.as_ref()) {
                return Ok(());
            }
            keys.push(children.key.iter().map(|&c| OwnedCell::from(cells[c])).collect());
            Ok(())
        })?;
        if children.key.is_empty() {
            // Without a key they are told by what they refer to.
            let mut leaving = 0;
            self.images(ActionKind::Delete, child, &mut |_, image| {
                let refers = columns.iter().zip(&tuple).all(|(&c, cell)| image.before[c] == *cell);
                leaving += u64::from(refers);
                Ok(())
            })?;
            return Ok((keys.len() as u64).saturating_sub(leaving));
        }
        let mut count = 0;
        for key in keys {
            let leaves = self.receipt.find(child, &key)?.is_some_and(|image| match image.kind {
                ActionKind::Delete => true,
                ActionKind::Update => {
                    columns.iter().any(|&c| image.columns.contains(&c) && image.after[c] != image.before[c])
                }
                ActionKind::Insert => false,
            });
            count += u64::from(!leaves);
        }
        Ok(count)
    }

    /// Finds records that would refer to a record whose insert was refused; looks only where something was refused.
    pub(super) fn orphans(&mut self, order: &[usize], prepared: &Prepared) -> Result<Vec<Refused>> {
        let mut refused = Vec::new();
        if prepared.blocked.is_empty() && prepared.stale.is_empty() {
            return Ok(refused);
        }
        let schema = self.plan.meta().schema.clone();
        for &table in order {
            let own = &schema.tables[table];
            for kind in [ActionKind::Insert, ActionKind::Update] {
                self.images(kind, table, &mut |prepare, image| {
                    for foreign_key in own.foreign_keys.iter().filter(|f| f.declared) {
                        let Some(parent) = foreign_key.table else { continue };
                        let touched = foreign_key.columns.iter().any(|c| image.columns.contains(c));
                        let tuple: Vec<OwnedCell> =
                            foreign_key.columns.iter().map(|&c| image.after[c].clone()).collect();
                        if !touched || tuple.iter().any(|c| matches!(c, OwnedCell::Null | OwnedCell::Absent)) {
                            continue;
                        }
                        let target = &schema.tables[parent];
                        let mut present =
                            foreign_key.references == target.key && prepare.receipt.find(parent, &tuple)?.is_some();
                        if !present {
                            let wanted = std::slice::from_ref(&tuple);
                            prepare.transaction.fetch(target, &foreign_key.references, wanted, &mut |_, _| {
                                present = true;
                                Ok(())
                            })?;
                        }
                        // A reference to another unique key of a record that arrives too is left to the database.
                        if !present && foreign_key.references == target.key {
                            let columns = own.names(&foreign_key.columns).join("+");
                            let why = format!("{columns} → {} is not brought", name(target, &tuple));
                            refused.push(Refused { image: image.clone(), why });
                            break;
                        }
                    }
                    Ok(())
                })?;
            }
        }
        Ok(refused)
    }
}

fn name(table: &Table, key: &[OwnedCell]) -> String {
    let value = |(&c, cell): (&usize, &OwnedCell)| crate::model::encode::value_of(cell.as_cell(), &table.columns[c]);
    format!("{}/{}", table.label(), Key(table.key.iter().zip(key).filter_map(value).collect()))
}
