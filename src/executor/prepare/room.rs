//! What one record's change asks of others, looked at when all images are there: deletions that something still refers to,
//! children whose parent was refused.

use super::{Image, PAGE, Prepare, Prepared, Refusal};
use crate::error::Result;
use crate::model::{OwnedCell, Table};
use crate::plan::{ActionKind, Outcome};

/// An image that can't be carried out after all.
pub(super) struct Refused {
    pub(super) image: Image,
    pub(super) why: String,
}

impl Prepare<'_> {
    /// Visits every image of a kind and table.
    pub(super) fn images(
        &mut self,
        kind: ActionKind,
        table: usize,
        visit: &mut dyn FnMut(&mut Self, &Image) -> Result<()>,
    ) -> Result<()> {
        self.pages(kind, table, &mut |prepare, images| images.iter().try_for_each(|image| visit(prepare, image)))
    }

    /// Visits the images of a kind and table, many at a time.
    pub(super) fn pages(
        &mut self,
        kind: ActionKind,
        table: usize,
        visit: &mut dyn FnMut(&mut Self, &[Image]) -> Result<()>,
    ) -> Result<()> {
        let mut after = (0, 0);
        loop {
            self.progress.go_on()?;
            let images = self.receipt.ordered(kind, table, after, PAGE)?;
            let Some(last) = images.last() else { return Ok(()) };
            after = (last.level, last.id);
            visit(self, &images)?;
        }
    }

    /// Removes an image and counts its record as blocked.
    pub(super) fn take_back(&mut self, refused: Refused, prepared: &mut Prepared) -> Result<()> {
        let Refused { image, why } = refused;
        if !self.receipt.remove(&image)? {
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
    table.named(&table.key.iter().zip(key).filter_map(value).collect::<Vec<_>>())
}
