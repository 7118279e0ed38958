//! Whether what a receipt holds is what was written down: its content by tallies, its order and shape wherever it is read.

use super::{Image, Receipt, Tally, damaged, unusable};
use crate::error::Result;
use crate::plan::ActionKind;

/// Images checked in one go.
const PAGE: usize = 500;

impl Receipt {
    /// Checks that all that was written down of these tables is there as it was written down, by their tallies. Of a
    /// receipt without tallies only the file's structure can be checked.
    ///
    /// *Complexity:* one reading of these tables' images, in the order in which they are read to be taken back.
    ///
    /// # Errors
    /// `PlanMismatch` (CHECKS F98).
    pub fn check(&self, tables: &[usize]) -> Result<()> {
        let Some(images) = &self.meta.images else { return self.check_structure() };
        for &table in tables {
            let (written, mut read) = (images.get(&table).copied().unwrap_or_default(), Tally::default());
            for kind in [ActionKind::Insert, ActionKind::Update, ActionKind::Delete] {
                let mut after = (0, 0);
                loop {
                    let page = self.ordered(kind, table, after, PAGE)?;
                    let Some(last) = page.last() else { break };
                    after = (last.level, last.id);
                    page.iter().for_each(|image| read.add(image));
                }
            }
            if read != written {
                let name = self.meta.schema.tables[table].label();
                let what = match read.count == written.count {
                    true => format!("what it holds of {name} is not what was written down"),
                    false => format!("it holds {} records of {name}, {} were written down", read.count, written.count),
                };
                return Err(damaged(&self.path, &what));
            }
        }
        Ok(())
    }

    fn check_structure(&self) -> Result<()> {
        let found: String = self
            .connection
            .query_row("PRAGMA integrity_check(1)", [], |r| r.get(0))
            .map_err(|e| unusable(&self.path, e))?;
        if found == "ok" { Ok(()) } else { Err(damaged(&self.path, &found)) }
    }

    /// Checks that each image comes after the one before it: whoever reads on from the last one comes to an end.
    pub(super) fn goes_on<P: Ord + Copy>(
        &self,
        images: Vec<Image>,
        after: P,
        place: impl Fn(&Image) -> P,
    ) -> Result<Vec<Image>> {
        let places: Vec<P> = std::iter::once(after).chain(images.iter().map(place)).collect();
        if places.is_sorted_by(|a, b| a < b) { Ok(images) } else { Err(damaged(&self.path, "its order is broken")) }
    }

    /// Tells whether an image is one of a table of the schema.
    pub(super) fn fits(&self, image: &Image) -> bool {
        self.meta.schema.tables.get(image.table).is_some_and(|table| {
            let columns = table.columns.len();
            image.columns.iter().all(|&c| c < columns)
                && [&image.before, &image.after].iter().all(|cells| cells.is_empty() || cells.len() == columns)
        })
    }
}
