//! The images of what is to be written, and taking back those that can't be.

use super::{Image, PAGE, Prepare, Prepared, Refusal};
use crate::error::Result;
use crate::model::change::Reason;
use crate::model::{OwnedCell, Table};
use crate::plan::{ActionKind, Outcome};

/// An image that can't be carried out after all.
pub(super) struct Refused {
    pub(super) image: Image,
    pub(super) reason: Reason,
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
        let Refused { image, reason, why } = refused;
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
        let place = usize::try_from(image.id - 1).expect("images are numbered from one");
        prepared.blocked.push(Refusal { record: prepared.records[place], reason, name: name(target, &image.key), why });
        Ok(())
    }
}

pub(super) fn name(table: &Table, key: &[OwnedCell]) -> String {
    let value = |(&c, cell): (&usize, &OwnedCell)| crate::model::encode::value_of(cell.as_cell(), &table.columns[c]);
    table.named(&table.key.iter().zip(key).filter_map(value).collect::<Vec<_>>())
}
