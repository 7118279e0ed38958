//! New values for key columns, for records that can't keep their own.

use crate::model::schema::Generated;
use crate::model::{Column, ColumnType, Schema, Value};

/// Returns the number after the highest in use; none where no number is higher.
pub fn next_number(highest: Option<i64>) -> Option<i64> {
    highest.unwrap_or(0).checked_add(1)
}

/// Makes a new value for a key column: the next number, or a text or UUID that follows from the record itself, so that
/// settling the plan again makes the same one.
pub fn made_key(column: &Column, old: &Value, seed: &str, next: Option<i64>) -> Option<Value> {
    let digest = blake3::hash(format!("new key:{seed}").as_bytes());
    let uuid = || {
        let mut bytes: [u8; 16] = digest.as_bytes()[..16].try_into().expect("a digest has 32 bytes");
        // Version 8, made by the application (RFC 9562, 5.8).
        bytes[6] = (bytes[6] & 0x0f) | 0x80;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        bytes
    };
    match (&column.ty, old) {
        (ColumnType::Integer { max, .. }, Value::Integer(_)) => {
            let fits = |n: &i64| u64::try_from(*n).is_ok_and(|n| n <= *max);
            next.filter(fits).map(|n| Value::Integer(n.into()))
        }
        (ColumnType::Any, Value::Integer(_)) => next.map(|n| Value::Integer(n.into())),
        (_, Value::Uuid(_)) => Some(Value::Uuid(u128::from_be_bytes(uuid()))),
        (ColumnType::Text { max_chars }, Value::Text(old)) => {
            let new = if old.len() == 36 && old.bytes().filter(|b| *b == b'-').count() == 4 {
                hyphened(&uuid())
            } else {
                format!("{old}-{}", &digest.to_hex()[..8])
            };
            max_chars.is_none_or(|most| new.chars().count() as u64 <= most).then_some(Value::Text(new))
        }
        (ColumnType::Bytes { .. }, Value::Bytes(old)) if old.len() == 16 => Some(Value::Bytes(uuid().to_vec())),
        _ => None,
    }
}

/// Writes a UUID as text.
fn hyphened(bytes: &[u8; 16]) -> String {
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Finds the column of a table's key for which a new value can be made: one that the database counts itself, else the last
/// one that is no reference. One that says into which partition a record goes comes last: a new value may have none.
pub(super) fn generated(schema: &Schema, table: usize) -> Option<usize> {
    let target = &schema.tables[table];
    let refers = |column: usize| target.foreign_keys.iter().any(|f| f.columns.contains(&column));
    let makes = |column: usize| {
        let column = &target.columns[column];
        let kind = matches!(
            column.ty,
            ColumnType::Integer { .. }
                | ColumnType::Any
                | ColumnType::Uuid
                | ColumnType::Text { .. }
                | ColumnType::Bytes { .. }
        );
        kind && column.writable()
    };
    let counts =
        |column: usize| matches!(target.columns[column].generated, Generated::Counter | Generated::IdentityAlways);
    let free: Vec<usize> = target.key.iter().rev().copied().filter(|&c| !refers(c) && makes(c)).collect();
    let best = |c: &usize| (target.partitioned_by.contains(c), !counts(*c));
    free.into_iter().min_by_key(best)
}
