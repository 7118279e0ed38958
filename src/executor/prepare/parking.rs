//! Where a unique value can stay for a moment while its holder lets another record have it: a value that the column, the
//! table's checks and what is computed from it allow, and that nobody holds or takes.

use super::{Image, Parked, Prepare};
use crate::error::Result;
use crate::model::{Column, ColumnType, OwnedCell, Table};
use crate::plan::ActionKind;

/// A value below this may well be one that a record takes; those above are made so that none does.
const COMMON: i64 = 1 << 12;

impl Prepare<'_> {
    /// Finds a column of a record and a value that can stand in it for a moment.
    pub(super) fn passing(
        &mut self,
        table: usize,
        target: &Table,
        holder: &[OwnedCell],
        columns: &[usize],
        parked: &[Parked],
    ) -> Result<Option<(usize, OwnedCell)>> {
        let candidates = columns.iter().flat_map(|&c| values(&target.columns[c], parked.len()).map(move |v| (c, v)));
        let mut candidates: Vec<(usize, OwnedCell)> = candidates.collect();
        // Null is the only value that is in nobody's way for certain.
        candidates.sort_by_key(|(_, value)| *value != OwnedCell::Null);
        // A few at a time: mostly one of the first will do.
        for candidates in candidates.chunks(4) {
            let with = |(column, value): &(usize, OwnedCell)| {
                let mut record = holder.to_vec();
                record[*column] = value.clone();
                record
            };
            let records: Vec<Vec<OwnedCell>> = candidates.iter().map(with).collect();
            let refused = self.transaction.violations(target, &records)?;
            for (((column, value), record), refused) in candidates.iter().zip(&records).zip(refused) {
                let passes = |p: &Parked| p.table == table && p.column == *column && p.parked == *value;
                if refused.is_none() && !parked.iter().any(passes) && self.nobody_has(table, target, *column, record)? {
                    return Ok(Some((*column, value.clone())));
                }
            }
        }
        Ok(None)
    }

    /// Tells whether no record has, and none of this merge takes, a unique key that a record would have.
    fn nobody_has(&mut self, table: usize, target: &Table, column: usize, record: &[OwnedCell]) -> Result<bool> {
        for unique in target.uniques.iter().filter(|u| u.columns.contains(&column) && u.predicate.is_none()) {
            let tuple: Vec<OwnedCell> = unique.columns.iter().map(|&c| record[c].clone()).collect();
            let mut free = true;
            self.transaction.fetch(target, &unique.columns, std::slice::from_ref(&tuple), &mut |_, _| {
                free = false;
                Ok(())
            })?;
            if !free {
                return Ok(false);
            }
        }
        match &record[column] {
            OwnedCell::Int(number) if (-COMMON..COMMON).contains(number) => self.nobody_takes(table, column, *number),
            _ => Ok(true),
        }
    }

    fn nobody_takes(&mut self, table: usize, column: usize, number: i64) -> Result<bool> {
        let mut taken = false;
        for kind in [ActionKind::Insert, ActionKind::Update] {
            self.images(kind, table, &mut |_, image: &Image| {
                taken |= image.after.get(column) == Some(&OwnedCell::Int(number));
                Ok(())
            })?;
        }
        Ok(!taken)
    }
}

/// Lists values that hardly any record has, to stand in for a unique value for a moment.
fn values(column: &Column, number: usize) -> impl Iterator<Item = OwnedCell> + use<> {
    let text = format!("\u{1}parked {number}");
    // A control character and a number fit almost any code.
    let short = format!("\u{1}{number}");
    let fits = |most: &Option<u64>, text: &str| most.is_none_or(|most| text.len() as u64 <= most);
    let mut values = Vec::new();
    match &column.ty {
        ColumnType::Text { max_chars: most } | ColumnType::Bytes { max_bytes: most } => {
            let made = [text, short].into_iter().find(|t| fits(most, t));
            let bytes = matches!(column.ty, ColumnType::Bytes { .. });
            values.extend(made.map(|t| if bytes { OwnedCell::Bytes(t.into_bytes()) } else { OwnedCell::Text(t) }));
        }
        ColumnType::Any => values.push(OwnedCell::Text(text)),
        ColumnType::Integer { min, max } => {
            values.extend(numbers(*min, i64::try_from(*max).unwrap_or(i64::MAX), number).map(OwnedCell::Int));
        }
        _ => {}
    }
    if column.nullable {
        values.push(OwnedCell::Null);
    }
    values.into_iter()
}

/// Lists numbers from the ends of a range inwards: checks forbid what is large or below zero, and what is computed from a
/// number overflows long before the number itself does.
fn numbers(min: i64, max: i64, number: usize) -> impl Iterator<Item = i64> {
    let number = i64::try_from(number).unwrap_or_default();
    let inwards = (0..62).step_by(3).flat_map(move |shift| {
        let (high, low) = (max >> shift, min >> shift);
        [high.checked_sub(number), low.checked_add(number)]
    });
    let small = (0..32).map(move |n| Some(n + number));
    inwards.chain(small).flatten().filter(move |n| (min..=max).contains(n))
}
