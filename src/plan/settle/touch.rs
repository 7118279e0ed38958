//! The timestamps of what is written, where they are to say when the merge was planned (`--touch`).

use super::Settled;
use crate::analyzer::options::Touch;
use crate::model::calendar::parse_timestamp;
use crate::model::change::Field;
use crate::model::schema::Storage;
use crate::model::{Cell, Column, ColumnType, Table, Value, encode};
use crate::plan::store::Stored;
use crate::plan::{Outcome, Plan};

/// Sets the timestamp of a record that is written to the moment of the analysis, where that was asked.
pub(super) fn touched(plan: &Plan, record: &Stored, mut settled: Settled) -> Settled {
    let meta = plan.meta();
    let table = &meta.schema.tables[record.finding.table];
    let never = table.timestamp.is_some_and(|c| meta.options.never_writes(table, c));
    if meta.options.touch == Touch::Analysis && !never {
        // To the second: whatever holds instants can hold that.
        let moment = format!("{}Z", meta.created_at.get(..19).unwrap_or(&meta.created_at));
        stamp(table, &record.finding.fields, &moment, &mut settled);
    }
    settled
}

/// Puts an instant among the fields written, in the place of the record's timestamp.
fn stamp(table: &Table, fields: &[Field], moment: &str, settled: &mut Settled) {
    let is_written = matches!(settled.outcome, Outcome::Inserted | Outcome::Updated) && !settled.writes.is_empty();
    let Some(column) = table.timestamp.filter(|&c| is_written && table.columns[c].writable()) else { return };
    let clock = fields.iter().find(|f| f.column == column);
    let like = clock.and_then(|f| f.current.as_ref().or(f.backup.as_ref()));
    match moment_as(moment, &table.columns[column], like) {
        Some(value) => {
            settled.writes.retain(|(c, _)| *c != column);
            settled.writes.push((column, value));
            settled.writes.sort_by_key(|(c, _)| *c);
        }
        None => {
            let why = format!("{} stays: it is not known in what unit it counts", table.columns[column].name);
            settled.why.get_or_insert(why);
        }
    }
}

/// Writes an instant as a column has it; a number in the unit of another one there.
fn moment_as(moment: &str, column: &Column, like: Option<&Value>) -> Option<Value> {
    let number = !matches!(column.ty, ColumnType::Timestamp { .. } | ColumnType::Date | ColumnType::Text { .. });
    let epoch = |digits: u8| Some(Value::Integer(parse_timestamp(moment)?.to_epoch(digits)?.into()));
    match (like, column.storage) {
        (_, Storage::Epoch { digits }) if number => epoch(digits),
        (Some(Value::Integer(count)), _) if number => epoch(match count.unsigned_abs() {
            0..=99_999_999_999 => 0,
            100_000_000_000..=99_999_999_999_999 => 3,
            _ => 6,
        }),
        _ if number => None,
        _ => encode::value_of(Cell::Text(moment), column),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schema::Generated;
    use crate::plan::settle::Target;
    use crate::strategy::tests::{EMAIL, NOTE, column, users};

    const MOMENT: &str = "2026-01-02T03:04:05Z";
    const SECONDS: i128 = 1_767_323_045;

    /// A table whose time of change is of any kind.
    fn table(clock: Column) -> Table {
        let mut table = users();
        (table.columns[EMAIL], table.timestamp) = (clock, Some(EMAIL));
        table
    }

    fn field(column: usize, current: Option<Value>, backup: Option<Value>) -> Field {
        Field { column, base: None, current, backup, in_conflict: false, is_timestamp: column == EMAIL }
    }

    fn settled(outcome: Outcome, writes: &[(usize, Value)]) -> Settled {
        Settled { outcome, writes: writes.to_vec(), why: None, target: Target::Own }
    }

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    #[test]
    fn the_moment_is_written_once_in_its_place_and_only_where_something_is_written() {
        let table_of = |generated| table(Column { generated, ..column("at", ColumnType::Text { max_chars: None }) });
        let fields = [field(EMAIL, Some(text("2025-01-01")), Some(text("2025-02-02")))];
        let stamped = |table: &Table, outcome, writes: &[(usize, Value)]| {
            let mut settled = settled(outcome, writes);
            stamp(table, &fields, MOMENT, &mut settled);
            settled
        };
        let name = [(NOTE, text("n"))];
        let plain = table_of(Generated::No);
        let clock = (EMAIL, text(MOMENT));
        for outcome in [Outcome::Inserted, Outcome::Updated] {
            let both = [clock.clone(), name[0].clone()];
            assert_eq!(stamped(&plain, outcome, &name).writes, both);
            assert_eq!(stamped(&plain, outcome, &[(EMAIL, text("2025-02-02")), name[0].clone()]).writes, both);
            assert_eq!(stamped(&plain, outcome, &[]).writes, []);
        }
        assert_eq!(stamped(&plain, Outcome::Kept, &name).writes, name);
        assert_eq!(stamped(&plain, Outcome::Deleted, &[]).writes, []);
        assert_eq!(stamped(&table_of(Generated::Computed), Outcome::Updated, &name).writes, name);
    }

    #[test]
    fn a_number_is_written_in_the_unit_of_the_one_there_or_stays_and_says_so() {
        let integer = || column("at", ColumnType::Integer { min: i64::MIN, max: u64::MAX });
        let stamped = |clock: Column, like: Option<Value>| {
            let mut settled = settled(Outcome::Updated, &[(NOTE, text("n"))]);
            // Another field's numbers say nothing about the unit.
            let fields =
                [field(NOTE, Some(Value::Integer(1)), None), field(EMAIL, like, Some(Value::Integer(1_700_000_000)))];
            stamp(&table(clock), &fields, MOMENT, &mut settled);
            (settled.writes.iter().find(|(c, _)| *c == EMAIL).map(|(_, v)| v.clone()), settled.why)
        };
        let unit = |like: i128| stamped(integer(), Some(Value::Integer(like))).0;
        assert_eq!(unit(99_999_999_999), Some(Value::Integer(SECONDS)));
        assert_eq!(unit(100_000_000_000), Some(Value::Integer(SECONDS * 1_000)));
        assert_eq!(unit(99_999_999_999_999), Some(Value::Integer(SECONDS * 1_000)));
        assert_eq!(unit(100_000_000_000_000), Some(Value::Integer(SECONDS * 1_000_000)));
        // What the backup has is looked at where current has nothing.
        assert_eq!(stamped(integer(), None).0, Some(Value::Integer(SECONDS)));
        let known = Column { storage: Storage::Epoch { digits: 3 }, ..integer() };
        assert_eq!(stamped(known, Some(Value::Integer(1))).0, Some(Value::Integer(SECONDS * 1_000)));
        let (written, why) = stamped(integer(), Some(text("yesterday")));
        assert_eq!((written, why.as_deref()), (None, Some("at stays: it is not known in what unit it counts")));
    }
}
