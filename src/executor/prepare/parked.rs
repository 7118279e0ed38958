//! The unique values that are moved out of the way, found by their image, their record and what stands in for them.

use super::parking::folded;
use crate::model::OwnedCell;
use std::collections::{HashMap, HashSet};

/// A unique value that is moved out of the way before anything else is written.
#[derive(Clone, Debug)]
pub(in crate::executor) struct Parked {
    /// The image that writes the record again.
    pub(in crate::executor) image: i64,
    /// The images that wait for what it gives up.
    pub(in crate::executor) takers: Vec<i64>,
    pub(in crate::executor) table: usize,
    pub(in crate::executor) key: Vec<OwnedCell>,
    pub(in crate::executor) column: usize,
    pub(in crate::executor) before: OwnedCell,
    pub(in crate::executor) parked: OwnedCell,
}

/// All of them: every record of a table may take the value of the next.
#[derive(Debug, Default)]
pub(in crate::executor) struct AllParked {
    all: Vec<Parked>,
    of_image: HashMap<i64, Vec<usize>>,
    of_record: HashMap<(usize, String), Vec<usize>>,
    standing: HashSet<(usize, usize, String)>,
}

impl AllParked {
    /// Adds one.
    pub(in crate::executor) fn add(&mut self, parked: Parked) {
        let position = self.all.len();
        self.of_image.entry(parked.image).or_default().push(position);
        self.of_record.entry((parked.table, record(&parked.key))).or_default().push(position);
        self.standing.insert((parked.table, parked.column, folded(&parked.parked)));
        self.all.push(parked);
    }

    /// Forgets those of a table; positions change.
    pub(super) fn forget(&mut self, table: usize) {
        if self.all.iter().any(|p| p.table == table) {
            let all = std::mem::take(self).all;
            all.into_iter().filter(|p| p.table != table).for_each(|parked| self.add(parked));
        }
    }

    /// Returns all, in the order in which they were added.
    pub(in crate::executor) fn as_slice(&self) -> &[Parked] {
        &self.all
    }

    /// Returns what an image's record parks, with the positions among all.
    pub(in crate::executor) fn of_image(&self, image: i64) -> impl Iterator<Item = (usize, &Parked)> {
        self.of_image.get(&image).into_iter().flatten().map(|&position| (position, &self.all[position]))
    }

    /// Returns what the record with a key parks.
    pub(super) fn of_record(&self, table: usize, key: &[OwnedCell]) -> impl Iterator<Item = &Parked> {
        let positions = self.of_record.get(&(table, record(key)));
        positions.into_iter().flatten().map(|&position| &self.all[position])
    }

    /// Lets an image wait for what the record with a key parks in some columns.
    pub(super) fn wait(&mut self, table: usize, key: &[OwnedCell], columns: &[usize], taker: i64) {
        for &position in self.of_record.get(&(table, record(key))).into_iter().flatten() {
            let parked = &mut self.all[position];
            if columns.contains(&parked.column) {
                parked.takers.push(taker);
            }
        }
    }

    /// Tells whether a value stands in for another in a column.
    pub(super) fn stands(&self, table: usize, column: usize, value: &OwnedCell) -> bool {
        self.standing.contains(&(table, column, folded(value)))
    }
}

fn record(key: &[OwnedCell]) -> String {
    format!("{key:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parked(image: i64, table: usize, column: usize, value: &str) -> Parked {
        let text = |t: &str| OwnedCell::Text(t.to_owned());
        let key = vec![OwnedCell::Int(image)];
        Parked { image, takers: vec![], table, key, column, before: text("held"), parked: text(value) }
    }

    #[test]
    fn what_is_parked_is_found_by_image_record_and_value() {
        let mut all = AllParked::default();
        for one in [parked(1, 0, 1, "x"), parked(1, 0, 2, "y"), parked(2, 4, 1, "z")] {
            all.add(one);
        }
        let columns = |image| all.of_image(image).map(|(at, p)| (at, p.column)).collect::<Vec<_>>();
        assert_eq!((columns(1), columns(2), columns(3)), (vec![(0, 1), (1, 2)], vec![(2, 1)], vec![]));
        let key = [OwnedCell::Int(1)];
        assert_eq!(all.of_record(0, &key).count(), 2);
        assert_eq!(all.of_record(4, &key).count(), 0);
        // What a collation may hold equal stands there as well; in another column it does not.
        let stands = |table, column, text: &str| all.stands(table, column, &OwnedCell::Text(text.to_owned()));
        assert!(stands(0, 1, "x") && stands(0, 1, "X "));
        assert!(!stands(0, 1, "y") && !stands(4, 1, "x"));
        all.wait(0, &key, &[2], 9);
        assert_eq!(all.as_slice().iter().map(|p| p.takers.len()).collect::<Vec<_>>(), [0, 1, 0]);
    }

    #[test]
    fn a_table_is_forgotten_and_the_others_are_found_where_they_are_then() {
        let mut all = AllParked::default();
        for one in [parked(1, 0, 1, "x"), parked(2, 4, 1, "z")] {
            all.add(one);
        }
        all.forget(7);
        assert_eq!(all.as_slice().len(), 2);
        all.forget(0);
        assert_eq!(all.as_slice().len(), 1);
        assert_eq!(all.of_image(1).count(), 0);
        assert_eq!(all.of_image(2).map(|(at, _)| at).collect::<Vec<_>>(), [0]);
        assert!(!all.stands(0, 1, &OwnedCell::Text("x".to_owned())));
    }
}
