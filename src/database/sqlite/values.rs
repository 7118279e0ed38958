//! Values to SQLite's five storage classes and back.

use crate::model::calendar::{Timestamp, format_date};
use crate::model::raw::Raw;
use crate::model::schema::{IsoSuffix, Storage, WholeSeconds};
use crate::model::{Cell, Column, OwnedCell, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};

/// Reads what SQLite hands out, losing nothing.
pub(crate) fn cell_of(value: ValueRef<'_>) -> Cell<'_> {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(i) => Cell::Int(i),
        ValueRef::Real(r) => Cell::Real(r),
        ValueRef::Text(bytes) => simdutf8::basic::from_utf8(bytes).map_or(Cell::RawText(bytes), Cell::Text),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes),
    }
}

/// As [`cell_of`], without asking whether a text is UTF-8.
pub(crate) fn raw_of(value: ValueRef<'_>) -> Raw<'_> {
    match value {
        ValueRef::Null => Raw::Null,
        ValueRef::Integer(i) => Raw::Int(i),
        ValueRef::Real(r) => Raw::Real(r),
        ValueRef::Text(bytes) => Raw::Text(bytes),
        ValueRef::Blob(bytes) => Raw::Bytes(bytes),
    }
}

/// Binds a cell as its own storage class.
pub(crate) fn bound(cell: &OwnedCell) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match cell {
        OwnedCell::Absent | OwnedCell::Null => ValueRef::Null,
        OwnedCell::Bool(b) => ValueRef::Integer(i64::from(*b)),
        OwnedCell::Int(i) => ValueRef::Integer(*i),
        // `store` never makes an unsigned cell; an image read elsewhere would be kept as text rather than wrapped.
        OwnedCell::UInt(u) => match i64::try_from(*u) {
            Ok(i) => ValueRef::Integer(i),
            Err(_) => return ToSqlOutput::Owned(rusqlite::types::Value::Text(u.to_string())),
        },
        OwnedCell::Real(r) => ValueRef::Real(*r),
        OwnedCell::Number(s) | OwnedCell::String(s) | OwnedCell::Text(s) | OwnedCell::Json(s) => {
            ValueRef::Text(s.as_bytes())
        }
        OwnedCell::RawText(b) => ValueRef::Text(b),
        OwnedCell::Bytes(b) => ValueRef::Blob(b),
    })
}

/// Turns a canonical value into what the column stores, in the column's own style, or says why it can't be held.
pub(crate) fn store(column: &Column, value: &Value) -> Result<OwnedCell, String> {
    let cell = natural(column, value)?;
    // A text column that holds instants is still a text column.
    let text = column.declared.to_ascii_uppercase();
    let any_text =
        matches!(value, Value::Text(_)) && (text.contains("CHAR") || text.contains("TEXT") || text.contains("CLOB"));
    if !column.ty.holds(value) && !any_text {
        return Err(format!("{} does not fit a column of type {}", value.kind(), shown(&column.declared)));
    }
    Ok(cell)
}

fn shown(declared: &str) -> &str {
    if declared.is_empty() { "(none)" } else { declared }
}

/// Turns a value into the storage class of its kind, whatever the column's type.
pub(crate) fn natural(column: &Column, value: &Value) -> Result<OwnedCell, String> {
    Ok(match value {
        Value::Null => OwnedCell::Null,
        Value::Bool(b) => OwnedCell::Int(i64::from(*b)),
        Value::Integer(i) => OwnedCell::Int(
            i64::try_from(*i)
                .map_err(|_| format!("the integer {i} is beyond 64 bits signed; SQLite would round it"))?,
        ),
        Value::Decimal(exact) => match exact.to_i128().map(i64::try_from) {
            Some(Ok(i)) => OwnedCell::Int(i),
            _ => {
                let float = exact.to_f64();
                if crate::model::decimal::Decimal::from_f64(float).as_ref() != Some(exact) {
                    return Err(format!("the decimal {exact} has more digits than SQLite keeps in a number"));
                }
                OwnedCell::Real(float)
            }
        },
        Value::Float(f) if f.is_nan() => return Err("NaN: SQLite would store null".to_owned()),
        Value::Float(f) => OwnedCell::Real(*f),
        Value::Text(s) | Value::Json(s) => OwnedCell::Text(s.clone()),
        Value::RawText(b) => OwnedCell::RawText(b.clone()),
        Value::Bytes(b) => OwnedCell::Bytes(b.clone()),
        Value::Timestamp(t) => timestamp(*t, column.storage)?,
        Value::Date(days) => date(*days, column.storage)?,
        Value::Time(t) => OwnedCell::Text(t.to_string()),
        Value::Uuid(u) => match column.storage {
            Storage::HexText => OwnedCell::Text(format!("{u:032x}")),
            Storage::Binary => OwnedCell::Bytes(u.to_be_bytes().to_vec()),
            _ => OwnedCell::Text(value.to_string()),
        },
    })
}

fn timestamp(stamp: Timestamp, storage: Storage) -> Result<OwnedCell, String> {
    let beyond = || format!("the timestamp {stamp} is beyond what the column's numbers hold");
    Ok(match storage {
        Storage::Epoch { digits } => OwnedCell::Int(stamp.to_epoch(digits).ok_or_else(beyond)?),
        Storage::EpochReal => OwnedCell::Real(stamp.to_epoch(6).ok_or_else(beyond)? as f64 / 1e6),
        Storage::JulianDay => {
            OwnedCell::Real(stamp.to_epoch(3).ok_or_else(beyond)? as f64 / 86_400_000.0 + 2_440_587.5)
        }
        Storage::IsoText { .. } | Storage::Native | Storage::HexText | Storage::Binary => {
            OwnedCell::Text(iso_text(stamp, storage))
        }
    })
}

/// Spells an instant in a column's own style of ISO text; in SQLite's, where it has none.
pub(super) fn iso_text(stamp: Timestamp, storage: Storage) -> String {
    let Storage::IsoText { separator, digits, suffix, whole } = storage else {
        return stamp.format(' ', stamp.digits, IsoSuffix::None.text());
    };
    let bare = whole == WholeSeconds::Bare && stamp.nanos == 0;
    let digits = if bare { 0 } else { digits.max(stamp.digits) };
    stamp.format(separator, digits, suffix.text())
}

fn date(days: i64, storage: Storage) -> Result<OwnedCell, String> {
    let midnight = Timestamp { seconds: days.saturating_mul(86_400), nanos: 0, digits: 0, zoned: true };
    match storage {
        Storage::Native | Storage::HexText | Storage::Binary => Ok(OwnedCell::Text(format_date(days))),
        _ => timestamp(midnight, storage),
    }
}
