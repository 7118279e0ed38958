//! How a column stores dates, UUIDs and counts of seconds, found from a sample of its values (CHECKS F125).
//!
//! SQLite has no date type: Prisma writes milliseconds since 1970, Django writes text, others seconds or Julian days.

use super::sql::quote;
use super::values::iso_text;
use crate::database::Sample;
use crate::error::Result;
use crate::model::calendar::{Timestamp, parse_timestamp};
use crate::model::names::{self, Match};
use crate::model::schema::{IsoSuffix, Storage, WholeSeconds};
use crate::model::value::parse_uuid;
use crate::model::{ColumnType, OwnedCell, Table};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// Values looked at per column.
const SAMPLE: usize = 200;

/// Sets the storage styles of a table's columns; returns what should be told.
pub(super) fn find_styles(connection: &Connection, table: &mut Table) -> Result<()> {
    let candidates: Vec<usize> = (0..table.columns.len()).filter(|&c| is_candidate(table, c)).collect();
    if candidates.is_empty() {
        return Ok(());
    }
    let columns = candidates.iter().map(|&c| quote(&table.columns[c].name)).collect::<Vec<_>>().join(", ");
    let mut statement = connection
        .prepare(&format!("SELECT {columns} FROM {} LIMIT {SAMPLE}", quote(&table.name)))
        .map_err(super::error)?;
    let mut samples: Vec<Vec<rusqlite::types::Value>> = vec![Vec::new(); candidates.len()];
    let mut rows = statement.query([]).map_err(super::error)?;
    while let Some(row) = rows.next().map_err(super::error)? {
        for (position, sample) in samples.iter_mut().enumerate() {
            match row.get_ref(position).map_err(super::error)? {
                ValueRef::Null => {}
                // Bytes that are not UTF-8 say nothing about a style.
                other => sample.extend(rusqlite::types::Value::try_from(other).ok()),
            }
        }
    }
    for (&column, sample) in candidates.iter().zip(&samples) {
        apply(table, column, sample);
        spelled_alike(table, column, sample);
    }
    Ok(())
}

/// Gives columns without any value here the style in which a backup stores the same column.
pub(super) fn adopt(connection: &Connection, table: &mut Table, samples: &[Sample]) -> Result<()> {
    let found = match names::find(&table.name, samples.iter().map(|s| s.table.as_str())) {
        Match::Exact(position) | Match::Folded(position) => &samples[position],
        _ => return Ok(()),
    };
    let stored =
        |c: &usize| matches!(table.columns[*c].ty, ColumnType::Timestamp { .. } | ColumnType::Date | ColumnType::Uuid);
    let candidates: Vec<usize> = (0..table.columns.len()).filter(|c| is_candidate(table, *c) && stored(c)).collect();
    for column in candidates {
        let own = &table.columns[column].name;
        let values = match names::find(own, found.columns.iter().map(|(name, _)| name.as_str())) {
            Match::Exact(position) | Match::Folded(position) => &found.columns[position].1,
            _ => continue,
        };
        let sql = format!(
            "SELECT count(c) FROM (SELECT {} AS c FROM {} LIMIT {SAMPLE})",
            quote(&table.columns[column].name),
            quote(&table.name)
        );
        let held: i64 = connection.query_row(&sql, [], |row| row.get(0)).map_err(super::error)?;
        if held > 0 {
            continue;
        }
        let sample: Vec<rusqlite::types::Value> = values.iter().filter_map(plain).collect();
        let mut styled = table.clone();
        apply(&mut styled, column, &sample);
        if styled.columns[column].ty == table.columns[column].ty && !sample.is_empty() {
            table.columns[column].storage = styled.columns[column].storage;
        }
    }
    Ok(())
}

fn plain(cell: &OwnedCell) -> Option<rusqlite::types::Value> {
    use rusqlite::types::Value as V;
    Some(match cell {
        OwnedCell::Int(i) => V::Integer(*i),
        OwnedCell::Real(r) => V::Real(*r),
        OwnedCell::Text(text) | OwnedCell::String(text) => V::Text(text.clone()),
        OwnedCell::Bytes(bytes) => V::Blob(bytes.clone()),
        _ => return None,
    })
}

fn is_candidate(table: &Table, position: usize) -> bool {
    let column = &table.columns[position];
    column.writable()
        && match &column.ty {
            ColumnType::Timestamp { .. } | ColumnType::Date | ColumnType::Uuid => true,
            ColumnType::Integer { .. } => looks_like_time(&column.name),
            ColumnType::Text { .. } => {
                column.declared.eq_ignore_ascii_case("char(32)")
                    || (looks_like_time(&column.name) && !table.key.contains(&position))
            }
            _ => false,
        }
}

/// Tells whether a name is one that applications give to instants: `created_at`, `updatedAt`, `lastLogin`, `timestamp`.
fn looks_like_time(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    name.ends_with("At")
        || ["_at", "_on", "_time", "_date", "_ts"].iter().any(|end| lower.ends_with(end))
        || ["date", "time", "timestamp", "created", "modified", "updated", "lastlogin", "last_login", "last_modified"]
            .iter()
            .any(|whole| lower.ends_with(whole))
}

fn apply(table: &mut Table, column: usize, sample: &[rusqlite::types::Value]) {
    use rusqlite::types::Value as V;
    let integers: Vec<i64> =
        sample.iter().filter_map(|v| if let V::Integer(i) = v { Some(*i) } else { None }).collect();
    let reals: Vec<f64> = sample.iter().filter_map(|v| if let V::Real(r) = v { Some(*r) } else { None }).collect();
    let texts: Vec<&str> =
        sample.iter().filter_map(|v| if let V::Text(t) = v { Some(t.as_str()) } else { None }).collect();
    let name = table.columns[column].name.clone();
    let target = &mut table.columns[column];
    match &target.ty {
        ColumnType::Uuid | ColumnType::Text { .. } => {
            let char32 = target.declared.eq_ignore_ascii_case("char(32)");
            let all_hex = !texts.is_empty() && texts.iter().all(|t| t.len() == 32 && parse_uuid(t).is_some());
            let instants = |t: &&str| t.len() >= 16 && parse_timestamp(t).is_some();
            if !char32 && matches!(target.ty, ColumnType::Text { .. }) {
                // A text column of instants: compared as instants, written in its own form.
                if texts.len() == sample.len() && !texts.is_empty() && texts.iter().all(instants) {
                    target.ty = ColumnType::Timestamp { zoned: true, digits: 9 };
                    target.storage = iso_style(&texts).unwrap_or_default();
                }
                return;
            }
            let canonical = |t: &&str| parse_uuid(t).is_some_and(|u| crate::model::Value::Uuid(u).to_string() == **t);
            if target.ty == ColumnType::Uuid && !all_hex && !texts.iter().all(canonical) {
                // Spelled otherwise than they would be looked up: as text every record is found again.
                target.ty = ColumnType::Text { max_chars: None };
                return;
            }
            if char32 && all_hex {
                target.ty = ColumnType::Uuid;
            }
            if all_hex || (char32 && texts.is_empty()) {
                target.storage = Storage::HexText;
            } else if texts.is_empty() && sample.iter().any(|v| matches!(v, V::Blob(b) if b.len() == 16)) {
                target.storage = Storage::Binary;
            }
        }
        ColumnType::Integer { .. } => {
            if integers.len() == sample.len()
                && let Some(digits) = epoch_unit(&integers)
            {
                target.storage = Storage::Epoch { digits };
            }
        }
        _ => {
            let kinds =
                usize::from(!integers.is_empty()) + usize::from(!reals.is_empty()) + usize::from(!texts.is_empty());
            if !integers.is_empty() && integers.len() >= texts.len() {
                target.storage = Storage::Epoch { digits: epoch_unit(&integers).unwrap_or(0) };
            } else if !reals.is_empty() && texts.is_empty() {
                let julian = reals.iter().all(|r| (1_000_000.0..4_000_000.0).contains(r));
                target.storage = if julian { Storage::JulianDay } else { Storage::EpochReal };
            } else if let Some(style) = iso_style(&texts)
                && target.ty != ColumnType::Date
            {
                target.storage = style;
            }
            if kinds > 1 {
                table
                    .notes
                    .push(format!("{name} stores dates in more than one way; new values follow the most common"));
            }
        }
    }
}

/// Takes a key column of instants that are not all spelled as they would be looked up for the text that it is.
fn spelled_alike(table: &mut Table, column: usize, sample: &[rusqlite::types::Value]) {
    let target = &table.columns[column];
    if !matches!(target.storage, Storage::IsoText { .. }) {
        return;
    }
    let alike = |v: &rusqlite::types::Value| match v {
        rusqlite::types::Value::Text(t) => parse_timestamp(t).is_some_and(|s| iso_text(s, target.storage) == *t),
        _ => true,
    };
    if table.key.contains(&column) && !sample.iter().all(alike) {
        table.columns[column].ty = ColumnType::Text { max_chars: None };
        table.columns[column].storage = Storage::Native;
    }
}

/// Finds the unit of counts since 1970 by their size, where all agree: between 1973 and 2286.
fn epoch_unit(integers: &[i64]) -> Option<u8> {
    let unit = |i: i64| match i.unsigned_abs() {
        100_000_000..=9_999_999_999 => Some(0),
        100_000_000_000..=9_999_999_999_999 => Some(3),
        100_000_000_000_000..=9_999_999_999_999_999 => Some(6),
        _ => None,
    };
    let first = unit(*integers.first()?)?;
    integers.iter().all(|&i| unit(i) == Some(first)).then_some(first)
}

fn iso_style(texts: &[&str]) -> Option<Storage> {
    let first = texts.iter().find(|t| parse_timestamp(t).is_some())?;
    let separator = if first.contains('T') { 'T' } else { ' ' };
    let suffix = if first.ends_with('Z') {
        IsoSuffix::Z
    } else if first.get(10..).is_some_and(|clock| clock.contains(['+', '-'])) {
        IsoSuffix::Offset
    } else {
        IsoSuffix::None
    };
    let stamps: Vec<_> = texts.iter().filter_map(|t| parse_timestamp(t)).collect();
    let digits = stamps.iter().map(|t| t.digits).max().unwrap_or(0);
    let is_bare = |t: &&Timestamp| t.digits == 0;
    let is_padded = |t: &&Timestamp| t.digits > 0 && t.nanos == 0;
    // Where no whole second is there to look at: microseconds after a space are Python's.
    let whole = match (stamps.iter().any(|t| is_bare(&t)), stamps.iter().any(|t| is_padded(&t))) {
        (true, false) => WholeSeconds::Bare,
        (false, false) if digits == 6 && separator == ' ' => WholeSeconds::Bare,
        (_, true) | (false, false) => WholeSeconds::Padded,
    };
    Some(Storage::IsoText { separator, digits, suffix, whole })
}

/// Gives a referring column without any value the type and style of the column it refers to.
pub(super) fn follow_references(tables: &mut [Table]) {
    for child in 0..tables.len() {
        for foreign_key in tables[child].foreign_keys.clone() {
            let Some(parent) = foreign_key.table else { continue };
            for (&own, &referenced) in foreign_key.columns.iter().zip(&foreign_key.references) {
                let from = tables[parent].columns[referenced].clone();
                let target = &mut tables[child].columns[own];
                if from.ty == ColumnType::Uuid && target.ty != ColumnType::Uuid && target.declared == from.declared {
                    (target.ty, target.storage) = (from.ty, from.storage);
                }
            }
        }
    }
}

/// Gives columns without any value the style that the rest of the database uses.
pub(super) fn fill_empty_styles(tables: &mut [Table], prisma: bool) {
    let is_stamp = |c: &&crate::model::Column| matches!(c.ty, ColumnType::Timestamp { .. });
    let known: Vec<Storage> = tables
        .iter()
        .flat_map(|t| t.columns.iter().filter(is_stamp).map(|c| c.storage))
        .filter(|s| *s != Storage::Native)
        .collect();
    let usual = known.iter().copied().max_by_key(|s| known.iter().filter(|k| *k == s).count());
    let style = usual.unwrap_or(if prisma {
        Storage::Epoch { digits: 3 }
    } else {
        Storage::IsoText { separator: ' ', digits: 0, suffix: IsoSuffix::None, whole: WholeSeconds::Padded }
    });
    for column in tables.iter_mut().flat_map(|t| &mut t.columns) {
        if matches!(column.ty, ColumnType::Timestamp { .. }) && column.storage == Storage::Native {
            column.storage = style;
        }
    }
}
