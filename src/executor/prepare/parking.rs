//! Unique values that one record takes while another still holds them: the holder is parked, moved for a moment to a value
//! that the column, the table's checks and what is computed from it allow, and that nobody holds or takes.

use super::parked::{AllParked, Parked};
use super::room::{Refused, name};
use super::{Image, Prepare, Prepared, key_values};
use crate::error::{Result, fail};
use crate::executor::order::is_deferred;
use crate::model::calendar::Timestamp;
use crate::model::change::Reason;
use crate::model::{Column, ColumnType, ForeignKey, OwnedCell, Table, Unique, Value};
use crate::plan::ActionKind;

/// A value below this may well be one that a record takes; those above are made so that none does.
const COMMON: i64 = 1 << 12;

/// What a record has of a unique key; nothing where it claims nothing.
type Claim = Option<Vec<OwnedCell>>;

impl Prepare<'_> {
    /// Parks the holders of unique values that others take and that they give up; returns who takes one that is kept.
    pub(super) fn make_room(&mut self, table: usize, prepared: &mut Prepared) -> Result<Vec<Refused>> {
        prepared.parked.forget(table);
        let target = self.plan.meta().schema.tables[table].clone();
        let mut refused = Vec::new();
        let told = |u: &&Unique| if u.is_plain() { u.columns != target.key } else { !target.key.is_empty() };
        for unique in target.uniques.iter().filter(told) {
            for kind in [ActionKind::Insert, ActionKind::Update] {
                self.pages(kind, table, &mut |prepare, images| {
                    let taking = prepare.taking(&target, unique, images)?;
                    let claims: Vec<Vec<OwnedCell>> = taking.iter().map(|(_, claim)| claim.clone()).collect();
                    let mut holders: Vec<Option<Vec<OwnedCell>>> = vec![None; claims.len()];
                    prepare
                        .holding(&target, unique, &claims, &mut |position, holder| holders[position] = Some(holder))?;
                    for ((image, claim), holder) in taking.iter().zip(holders) {
                        let Some(holder) = holder else { continue };
                        let taken = Taken { table, unique, claim, holder };
                        if let Some(why) = prepare.room_for(&target, image, &taken, prepared)? {
                            refused.push(Refused { image: (*image).clone(), reason: Reason::UniqueTaken, why });
                        }
                    }
                    Ok(())
                })?;
            }
        }
        Ok(refused)
    }

    /// Returns the images that claim something of a unique key that they did not have, each with its claim.
    fn taking<'i>(
        &mut self,
        target: &Table,
        unique: &Unique,
        images: &'i [Image],
    ) -> Result<Vec<(&'i Image, Vec<OwnedCell>)>> {
        let differs = |i: &&Image| unique.decided_by().iter().any(|&c| i.before.get(c) != Some(&i.after[c]));
        let changed: Vec<&Image> = images.iter().filter(differs).collect();
        let rows: Vec<Vec<OwnedCell>> = changed.iter().map(|i| i.after.clone()).collect();
        let after = self.claims(target, unique, &rows)?;
        let before = if unique.is_plain() {
            vec![None; changed.len()]
        } else {
            let known: Vec<usize> = (0..changed.len()).filter(|&p| !changed[p].before.is_empty()).collect();
            let rows: Vec<Vec<OwnedCell>> = known.iter().map(|&p| changed[p].before.clone()).collect();
            let mut before = vec![None; changed.len()];
            for (position, claim) in known.into_iter().zip(self.claims(target, unique, &rows)?) {
                before[position] = claim;
            }
            before
        };
        let taken = changed.into_iter().zip(after).zip(before);
        Ok(taken
            .filter_map(|((image, after), before)| Some((image, after.filter(|a| Some(a) != before.as_ref())?)))
            .collect())
    }

    /// Returns what records claim of a unique key.
    fn claims(&mut self, target: &Table, unique: &Unique, records: &[Vec<OwnedCell>]) -> Result<Vec<Claim>> {
        if !unique.is_plain() {
            return if records.is_empty() { Ok(Vec::new()) } else { self.view.claims(target, unique, records) };
        }
        let tuple = |record: &Vec<OwnedCell>| -> Claim {
            let cells: Vec<OwnedCell> = unique.columns.iter().map(|&c| record[c].clone()).collect();
            Some(cells).filter(|cells| !cells.iter().any(|c| matches!(c, OwnedCell::Null | OwnedCell::Absent)))
        };
        Ok(records.iter().map(tuple).collect())
    }

    /// Finds the records that hold claims now.
    fn holding(
        &mut self,
        target: &Table,
        unique: &Unique,
        claims: &[Vec<OwnedCell>],
        found: &mut dyn FnMut(usize, Vec<OwnedCell>),
    ) -> Result<()> {
        if claims.is_empty() {
            return Ok(());
        }
        let mut sink = |position: usize, cells: &[crate::model::Cell<'_>]| {
            found(position, cells.iter().map(|&c| OwnedCell::from(c)).collect());
            Ok(())
        };
        match unique.is_plain() {
            true => self.view.fetch(target, &unique.columns, claims, &mut sink),
            false => self.view.claimants(target, unique, claims, &mut sink),
        }
    }

    /// Parks the holder of what an image takes; says why where it keeps it.
    fn room_for(
        &mut self,
        target: &Table,
        image: &Image,
        taken: &Taken<'_>,
        prepared: &mut Prepared,
    ) -> Result<Option<String>> {
        let (unique, holder) = (taken.unique, &taken.holder);
        let key: Vec<OwnedCell> = target.key.iter().map(|&c| holder[c].clone()).collect();
        if key == image.key {
            return Ok(None);
        }
        // Only what the holder's own image writes again, or deletes, may be taken from it for a moment.
        let mover = self.receipt.find(image.table, &key)?;
        let given_up = match &mover {
            Some(mover) if mover.kind == ActionKind::Delete => unique.decided_by().to_vec(),
            Some(mover) if mover.kind == ActionKind::Update => {
                let changes = |c: &usize| mover.columns.contains(c) && mover.after[*c] != mover.before[*c];
                unique.decided_by().iter().copied().filter(changes).collect()
            }
            _ => Vec::new(),
        };
        let keeps = match &mover {
            Some(mover) if mover.kind == ActionKind::Update && !unique.is_plain() && !given_up.is_empty() => {
                self.claims(target, unique, std::slice::from_ref(&mover.after))?[0].as_ref() == Some(taken.claim)
            }
            _ => given_up.is_empty(),
        };
        let names = target.names(unique.decided_by()).join(", ");
        if keeps {
            let holder = target.named(&key_values(target, holder));
            return Ok(Some(format!("{names}: held by {holder} ({})", unique.name)));
        }
        let waits = unique.deferrable && self.database.capabilities().defers_declared;
        if waits {
            return Ok(None);
        }
        if self.is_parked(target, taken, &key, &prepared.parked)? {
            prepared.parked.wait(image.table, &key, unique.decided_by(), image.id);
            return Ok(None);
        }
        let holder_image = mover.as_ref().map_or(0, |m| m.id);
        let free: Vec<usize> = given_up.into_iter().filter(|c| !target.key.contains(c)).collect();
        let after = mover.filter(|m| m.kind == ActionKind::Update).map(|m| m.after);
        let Some((column, value)) = self.passing(target, taken, after.as_deref(), &free, &prepared.parked)? else {
            let label = target.label();
            let what = "swap places and none of the columns can hold a passing value";
            let (holder, taker) = (name(target, &key), name(target, &image.key));
            return Err(fail!(Refused, "{label}: values of {names} {what}")
                .details(vec![format!("{holder}: has what {taker} gets, and no other value is free for it meanwhile")])
                .hint("Leave one of the records out, or change one of them by hand first."));
        };
        prepared.parked.add(Parked {
            image: holder_image,
            takers: vec![image.id],
            table: image.table,
            key,
            column,
            before: holder[column].clone(),
            parked: value,
        });
        Ok(None)
    }

    /// Tells whether a holder is parked already so that it has given up what is taken.
    fn is_parked(&mut self, target: &Table, taken: &Taken<'_>, key: &[OwnedCell], parked: &AllParked) -> Result<bool> {
        let decides = |p: &&Parked| taken.unique.decided_by().contains(&p.column);
        let mut by = parked.of_record(taken.table, key).filter(decides).peekable();
        if by.peek().is_none() || taken.unique.is_plain() {
            return Ok(by.peek().is_some());
        }
        let mut record = taken.holder.clone();
        by.for_each(|one| record[one.column] = one.parked.clone());
        Ok(self.claims(target, taken.unique, &[record])?[0].as_ref() != Some(taken.claim))
    }

    /// Finds a column of a record and a value that can stand in it for a moment.
    fn passing(
        &mut self,
        target: &Table,
        taken: &Taken<'_>,
        after: Option<&[OwnedCell]>,
        columns: &[usize],
        parked: &AllParked,
    ) -> Result<Option<(usize, OwnedCell)>> {
        // Null is the only value that is in nobody's way for certain.
        let nullable = columns.iter().filter(|&&c| target.columns[c].nullable);
        let mut candidates: Vec<(usize, OwnedCell)> = nullable.map(|&c| (c, OwnedCell::Null)).collect();
        for &c in columns {
            let column = &target.columns[c];
            let stored = values(column, &taken.holder[c], parked.as_slice().len())
                .into_iter()
                .filter_map(|v| self.database.store(column, &v).ok());
            candidates.extend(stored.map(|cell| (c, cell)));
        }
        // What it will be in the end may be possible at once: it is no longer active, say.
        candidates.extend(columns.iter().filter_map(|&c| Some((c, after?[c].clone()))));
        candidates.retain(|(column, value)| taken.holder[*column] != *value);
        // A few at a time: mostly one of the first will do.
        for candidates in candidates.chunks(4) {
            let with = |(column, value): &(usize, OwnedCell)| {
                let mut record = taken.holder.clone();
                record[*column] = value.clone();
                record
            };
            let records: Vec<Vec<OwnedCell>> = candidates.iter().map(with).collect();
            let refused = self.view.violations(target, &records)?;
            for (((column, value), record), refused) in candidates.iter().zip(&records).zip(refused) {
                let own = after.is_some_and(|after| after[*column] == *value);
                if refused.is_some() || !self.leads_somewhere(target, *column, record)? {
                    continue;
                }
                let passes = match self.nobody_has(target, taken, *column, record)? {
                    Room::None => false,
                    Room::Any => true,
                    Room::Free if own => true,
                    Room::Free if parked.stands(taken.table, *column, value) => false,
                    Room::Free => !is_common(value) || self.nobody_takes(taken.table, *column, value)?,
                };
                if passes {
                    return Ok(Some((*column, value.clone())));
                }
            }
        }
        Ok(None)
    }

    /// Tells whether a record gives up what is taken from it, and no other has, or takes in this merge, what it has then.
    fn nobody_has(
        &mut self,
        target: &Table,
        taken: &Taken<'_>,
        column: usize,
        record: &Vec<OwnedCell>,
    ) -> Result<Room> {
        let mut claims = 0;
        for unique in target.uniques.iter().filter(|u| u.decided_by().contains(&column)) {
            let Some(claim) = self.claims(target, unique, std::slice::from_ref(record))?.remove(0) else { continue };
            claims += 1;
            let same = unique.name == taken.unique.name && claim == *taken.claim;
            // Nulls that collide are as common as nulls.
            let collides = unique.nulls_equal && record[column] == OwnedCell::Null;
            let mut free = !(same || collides);
            let own = |other: &[OwnedCell]| target.key.iter().all(|&c| other[c] == record[c]);
            self.holding(target, unique, &[claim], &mut |_, other| free &= own(&other))?;
            if !free {
                return Ok(Room::None);
            }
        }
        Ok(if claims == 0 { Room::Any } else { Room::Free })
    }

    /// Tells whether a value that stands in refers to a record, where the engine asks for one at once.
    fn leads_somewhere(&mut self, target: &Table, column: usize, record: &[OwnedCell]) -> Result<bool> {
        for foreign_key in self.asked_at_once(target, column) {
            let tuple: Vec<OwnedCell> = foreign_key.columns.iter().map(|&c| record[c].clone()).collect();
            let Some(parent) = foreign_key.table.filter(|_| !tuple.contains(&OwnedCell::Null)) else { continue };
            let parent = self.plan.meta().schema.tables[parent].clone();
            let mut present = false;
            self.view.fetch(&parent, &foreign_key.references, &[tuple], &mut |_, _| {
                present = true;
                Ok(())
            })?;
            if !present {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lists the references of a column that have to lead somewhere at any time.
    fn asked_at_once(&self, target: &Table, column: usize) -> Vec<ForeignKey> {
        let capabilities = self.database.capabilities();
        let at_once = |f: &&ForeignKey| f.declared && f.columns.contains(&column) && !is_deferred(f, capabilities);
        target.foreign_keys.iter().filter(at_once).cloned().collect()
    }

    fn nobody_takes(&mut self, table: usize, column: usize, value: &OwnedCell) -> Result<bool> {
        let (mut taken, folded_value) = (false, folded(value));
        for kind in [ActionKind::Insert, ActionKind::Update] {
            self.images(kind, table, &mut |_, image: &Image| {
                taken |= image.after.get(column).is_some_and(|after| folded(after) == folded_value);
                Ok(())
            })?;
        }
        Ok(!taken)
    }
}

/// Tells whether a value is one that a record may well take: it was not made so that none does.
fn is_common(value: &OwnedCell) -> bool {
    match value {
        OwnedCell::Int(number) => (-COMMON..COMMON).contains(number),
        OwnedCell::Text(text) => !text.starts_with(MADE),
        _ => false,
    }
}

/// Returns what values have in common that some collation might hold equal.
pub(super) fn folded(value: &OwnedCell) -> String {
    match value {
        OwnedCell::Text(text) => format!("text {}", text.trim_end().to_lowercase()),
        other => format!("{other:?}"),
    }
}

/// What a value leaves of unique keys.
enum Room {
    /// Somebody has what the record would have with it.
    None,
    /// Nobody has it now.
    Free,
    /// The record claims nothing with it.
    Any,
}

/// A unique key that a record takes and another holds.
struct Taken<'a> {
    table: usize,
    unique: &'a Unique,
    claim: &'a Vec<OwnedCell>,
    /// The record that holds it, as it is now.
    holder: Vec<OwnedCell>,
}

/// Lists values that hardly any record has, to stand in for a unique value for a moment.
fn values(column: &Column, held: &OwnedCell, number: usize) -> Vec<Value> {
    let far = i64::try_from(number).unwrap_or_default();
    match &column.ty {
        ColumnType::Text { .. } | ColumnType::Any => texts(held, number).map(Value::Text).collect(),
        ColumnType::Bytes { .. } => vec![Value::Bytes(format!("\u{1}{number}").into_bytes())],
        ColumnType::Integer { min, max } => numbers(*min, i64::try_from(*max).unwrap_or(i64::MAX), number)
            .map(|n| Value::Integer(i128::from(n)))
            .collect(),
        ColumnType::Decimal { precision, scale } => {
            let digits = precision.unwrap_or(12).saturating_sub(scale.unwrap_or(0)).min(15);
            numbers(0, 10i64.pow(digits) - 1, number).map(|n| Value::Integer(i128::from(n))).collect()
        }
        ColumnType::Float { .. } => [1e30, -1e30].map(|n| Value::Float(n / (number + 1) as f64)).to_vec(),
        ColumnType::Boolean => [true, false].map(Value::Bool).to_vec(),
        ColumnType::Enum(words) => words.iter().cloned().map(Value::Text).collect(),
        // Days and instants of the eighty-first century.
        ColumnType::Date => vec![Value::Date(DAYS + far)],
        ColumnType::Timestamp { zoned, digits } => {
            let at = |seconds| Timestamp { seconds, nanos: 0, digits: *digits, zoned: *zoned };
            [(DAYS + far) * 86_400, i64::from(i32::MAX) - 1 - far].map(at).map(Value::Timestamp).to_vec()
        }
        ColumnType::Uuid => vec![Value::Uuid(u128::MAX - number as u128)],
        ColumnType::Json | ColumnType::Time { .. } | ColumnType::Other(_) => Vec::new(),
    }
}

/// Lists texts that hardly any record has: a control character and a number fit almost any code; a short one may have to be
/// of letters or digits, and as long as the one that is held.
fn texts(held: &OwnedCell, number: usize) -> impl Iterator<Item = String> {
    let made = [format!("{MADE}parked {number}"), format!("{MADE}{number}")];
    let length = match held {
        OwnedCell::Text(text) => Some(text.trim_end().chars().count()).filter(|n| *n <= SHORT).unwrap_or(0),
        _ => 0,
    };
    let codes = ('!'..='~').rev().filter(move |_| length > 0).map(move |c| c.to_string().repeat(length));
    made.into_iter().chain(codes)
}

/// The most characters of a text for which others of its length are tried.
const SHORT: usize = 8;

/// What a text that was made to stand in begins with.
const MADE: char = '\u{1}';

/// Days from 1970 to about the year 8000.
const DAYS: i64 = 2_200_000;

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
