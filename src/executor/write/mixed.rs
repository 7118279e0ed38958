//! Writing records level by level, whatever is done with each: where updates change what others refer to.

use super::{Image, Parked, Writing};
use crate::error::Result;
use crate::executor::order::Mixed;
use crate::model::Table;
use crate::plan::ActionKind;

impl Writing<'_> {
    /// Writes the records of connected tables; what happens at one level is independent of each other.
    pub(super) fn mixed(&mut self, mixed: &Mixed) -> Result<()> {
        for level in 0..=mixed.last {
            let besides = mixed.besides.get(&level);
            let parks = besides.iter().flat_map(|b| &b.parks);
            let parks: Vec<&Parked> = parks.map(|&park| &self.parked.as_slice()[park]).collect();
            self.park(&parks)?;
            for &image in besides.iter().flat_map(|b| &b.opens) {
                self.with(image, Self::open)?;
            }
            for &table in &mixed.tables {
                self.each(ActionKind::Insert, table, level..=level, Self::insert)?;
                self.each(ActionKind::Update, table, level..=level, Self::update)?;
                self.each(ActionKind::Delete, table, level..=level, Self::delete)?;
            }
            for &image in besides.iter().flat_map(|b| &b.closes) {
                self.with(image, Self::close)?;
            }
        }
        Ok(())
    }

    /// Runs a step over one image.
    fn with(&mut self, id: i64, step: fn(&mut Self, &Table, &[Image]) -> Result<()>) -> Result<()> {
        let images = self.receipt.page(id - 1, 1)?;
        let Some(image) = images.first().filter(|image| image.id == id) else { return Ok(()) };
        let target = self.table(image.table).clone();
        step(self, &target, &images)
    }
}
