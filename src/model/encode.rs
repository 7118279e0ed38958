//! The canonical bytes of a value: what the join compares and what fingerprints digest.
//!
//! [`encode`] converts a [`Cell`] by its column's type and appends tag and content; equal bytes mean equal values.
//! Unequal bytes may still be equal in meaning (two spellings of a JSON document, two precisions of an instant):
//! `compare` settles those. This is the hot path of the analysis, so it makes no allocation for usual values.
//!
//! *Shape of an encoded value:* one tag byte, then a fixed-width content, or a 4-byte little-endian length and the bytes.

use super::calendar::{TimeOfDay, Timestamp, parse_date, parse_time, parse_timestamp};
use super::cell::Cell;
use super::decimal::Decimal;
use super::schema::{Column, ColumnType, Storage};
use super::value::{Value, parse_uuid};
use small::Small;

mod binary;
pub(crate) mod extended;
mod keys;
mod small;

use binary::buffer_bytes;
pub use binary::document_bytes;
pub use keys::{encode_key_bytes, encode_key_part};

const ABSENT: u8 = 0;
const NULL: u8 = 1;
const FALSE: u8 = 2;
const TRUE: u8 = 3;
const INTEGER: u8 = 4;
const WIDE_INTEGER: u8 = 5;
const FLOAT: u8 = 6;
const TIMESTAMP: u8 = 7;
const DATE: u8 = 8;
const TIME: u8 = 9;
const UUID: u8 = 10;
const DECIMAL: u8 = 11;
const TEXT: u8 = 12;
const RAW_TEXT: u8 = 13;
const BYTES: u8 = 14;
const JSON: u8 = 15;

/// Appends the canonical bytes of a cell, read by its column's type.
pub fn encode(cell: Cell<'_>, column: &Column, out: &mut Vec<u8>) {
    match cell {
        Cell::Absent => return out.push(ABSENT),
        Cell::Null => return out.push(NULL),
        Cell::String("[REDACTED]" | "***REDACTED***") => return out.push(ABSENT),
        _ => {}
    }
    if let (Cell::Json(text), false) = (cell, matches!(column.ty, ColumnType::Json | ColumnType::Any))
        && let Some(value) = extended::extended(text)
    {
        return encode(value.as_cell(), column, out);
    }
    match &column.ty {
        ColumnType::Integer { .. } => {
            if let Some(integer) = to_integer(cell) {
                return push_integer(integer, out);
            }
            // A column that counts units since 1970, given an ISO text by the backup.
            if let (Cell::String(text), Storage::Epoch { digits }) = (cell, column.storage)
                && let Some(count) = parse_timestamp(text).and_then(|t| t.to_epoch(digits))
            {
                return push_integer(i128::from(count), out);
            }
        }
        ColumnType::Text { .. } | ColumnType::Enum(_) | ColumnType::Other(_) => match cell {
            Cell::Text(text) | Cell::String(text) | Cell::Number(text) | Cell::Json(text) => {
                let padded = text.ends_with(' ') && column.is_padded();
                let text = if padded { text.trim_end_matches(' ') } else { text };
                return push_bytes(TEXT, text.as_bytes(), out);
            }
            Cell::Bool(b) => return push_bytes(TEXT, if b { b"true" } else { b"false" }, out),
            Cell::Int(i) => return push_bytes(TEXT, i.to_string().as_bytes(), out),
            Cell::UInt(u) => return push_bytes(TEXT, u.to_string().as_bytes(), out),
            _ => {}
        },
        ColumnType::Boolean => {
            if let Some(boolean) = to_boolean(cell) {
                return out.push(if boolean { TRUE } else { FALSE });
            }
        }
        ColumnType::Decimal { .. } => {
            if let Some(small) = to_small(cell) {
                return push_small(small, out);
            }
            if let Some(decimal) = to_decimal(cell) {
                return push_decimal(&decimal, out);
            }
        }
        ColumnType::Float { single } => {
            if let Some(float) = to_float(cell) {
                let float = if *single { narrow(float) } else { float };
                return push_float(float, out);
            }
        }
        ColumnType::Timestamp { zoned, .. } => {
            if let Some(mut stamp) = to_timestamp(cell, column.storage) {
                stamp.zoned = *zoned;
                return push_timestamp(stamp, out);
            }
        }
        ColumnType::Date => {
            if let Some(days) = to_date(cell, column.storage) {
                out.push(DATE);
                return out.extend_from_slice(&days.to_le_bytes());
            }
        }
        ColumnType::Time { .. } => {
            if let Cell::Text(text) | Cell::String(text) = cell
                && let Some(time) = parse_time(text)
            {
                out.push(TIME);
                out.extend_from_slice(&time.nanos.to_le_bytes());
                return out.push(time.digits);
            }
        }
        ColumnType::Uuid => {
            let uuid = match cell {
                Cell::Text(text) | Cell::String(text) => parse_uuid(text),
                Cell::Bytes(bytes) => <[u8; 16]>::try_from(bytes).ok().map(u128::from_be_bytes),
                _ => None,
            };
            if let Some(uuid) = uuid {
                out.push(UUID);
                return out.extend_from_slice(&uuid.to_be_bytes());
            }
        }
        ColumnType::Json => match cell {
            Cell::Text(text) | Cell::Json(text) | Cell::Number(text) => return push_bytes(JSON, text.as_bytes(), out),
            Cell::Bool(b) => return push_bytes(JSON, if b { b"true" } else { b"false" }, out),
            // SQLite stores a JSON number as a number where the column's affinity asks for it.
            Cell::Int(i) => return push_bytes(JSON, i.to_string().as_bytes(), out),
            Cell::UInt(u) => return push_bytes(JSON, u.to_string().as_bytes(), out),
            Cell::Real(r) if r.is_finite() => return push_bytes(JSON, format!("{r:?}").as_bytes(), out),
            // A document may carry a JSON column as nested JSON or, as many exports do, as a string holding the text.
            Cell::String(text)
                if matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'['))
                    && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() =>
            {
                return push_bytes(JSON, text.as_bytes(), out);
            }
            Cell::String(text) => {
                let quoted = serde_json::to_string(text).expect("a string always serialises");
                return push_bytes(JSON, quoted.as_bytes(), out);
            }
            _ => {}
        },
        ColumnType::Bytes { .. } => match cell {
            Cell::Bytes(bytes) => return push_bytes(BYTES, bytes, out),
            Cell::String(text) => {
                if let Some(bytes) = document_bytes(text) {
                    return push_bytes(BYTES, &bytes, out);
                }
            }
            Cell::Json(text) => {
                if let Some(bytes) = buffer_bytes(text) {
                    return push_bytes(BYTES, &bytes, out);
                }
            }
            _ => {}
        },
        ColumnType::Any => {}
    }
    encode_natural(cell, out);
}

/// Appends a cell as what it is by itself: for columns of any type, and for misfits.
fn encode_natural(cell: Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        Cell::Absent => out.push(ABSENT),
        Cell::Null => out.push(NULL),
        Cell::Bool(b) => out.push(if b { TRUE } else { FALSE }),
        Cell::Int(i) => push_integer(i128::from(i), out),
        Cell::UInt(u) => push_integer(i128::from(u), out),
        Cell::Real(r) => push_float(r, out),
        Cell::Number(text) => match (text.parse::<i128>(), text.parse::<f64>(), Decimal::parse(text)) {
            (Ok(integer), ..) => push_integer(integer, out),
            (_, Ok(float), Some(exact)) if Decimal::from_f64(float).as_ref() == Some(&exact) => push_float(float, out),
            (.., Some(exact)) => push_decimal(&exact, out),
            _ => push_bytes(TEXT, text.as_bytes(), out),
        },
        Cell::String(text) | Cell::Text(text) => push_bytes(TEXT, text.as_bytes(), out),
        Cell::RawText(bytes) => push_bytes(RAW_TEXT, bytes, out),
        Cell::Bytes(bytes) => push_bytes(BYTES, bytes, out),
        Cell::Json(text) => match buffer_bytes(text) {
            Some(bytes) => push_bytes(BYTES, &bytes, out),
            None => push_bytes(JSON, text.as_bytes(), out),
        },
    }
}

fn to_integer(cell: Cell<'_>) -> Option<i128> {
    match cell {
        Cell::Int(i) => Some(i128::from(i)),
        Cell::UInt(u) => Some(i128::from(u)),
        Cell::Bool(b) => Some(i128::from(b)),
        Cell::Real(r) => {
            (r.fract() == 0.0 && r.abs() <= 9_007_199_254_740_992.0).then(|| Decimal::from_f64(r)?.to_i128()).flatten()
        }
        Cell::Number(text) | Cell::String(text) | Cell::Text(text) => match text.parse::<i64>() {
            Ok(integer) => Some(i128::from(integer)),
            Err(_) => text.parse().ok().or_else(|| Decimal::parse(text)?.to_i128()),
        },
        _ => None,
    }
}

fn to_boolean(cell: Cell<'_>) -> Option<bool> {
    match cell {
        Cell::Bool(b) => Some(b),
        Cell::Int(i @ (0 | 1)) => Some(i == 1),
        Cell::UInt(u @ (0 | 1)) => Some(u == 1),
        Cell::Real(r) if r == 0.0 || r == 1.0 => Some(r == 1.0),
        Cell::Number(text) | Cell::String(text) | Cell::Text(text) => match text {
            "0" | "f" | "F" | "false" | "False" | "FALSE" | "no" | "off" => Some(false),
            "1" | "t" | "T" | "true" | "True" | "TRUE" | "yes" | "on" => Some(true),
            _ => None,
        },
        _ => None,
    }
}

fn to_decimal(cell: Cell<'_>) -> Option<Decimal> {
    match cell {
        Cell::Int(i) => Some(Decimal::from_i128(i128::from(i))),
        Cell::UInt(u) => Some(Decimal::from_i128(i128::from(u))),
        Cell::Real(r) => Decimal::from_f64(r),
        Cell::Number(text) | Cell::String(text) | Cell::Text(text) => Decimal::parse(text),
        _ => None,
    }
}

/// Reads a decimal of usual size; `None` where [`to_decimal`] has to look.
fn to_small(cell: Cell<'_>) -> Option<Small> {
    match cell {
        Cell::Int(i) => Some(Small::from_i64(i)),
        Cell::Real(r) => Small::from_f64(r),
        Cell::Number(text) | Cell::String(text) | Cell::Text(text) => Small::parse(text),
        _ => None,
    }
}

fn to_float(cell: Cell<'_>) -> Option<f64> {
    match cell {
        Cell::Real(r) => Some(r),
        // Exact up to 2^53; beyond, the neighbours differ and a whole number is not the double nearest to it.
        Cell::Int(i) if i.unsigned_abs() <= 1 << 53 => Some(i as f64),
        Cell::UInt(u) if u <= 1 << 53 => Some(u as f64),
        // A whole number that is no double would be rounded without a word.
        Cell::Number(text) => match text.parse::<i128>() {
            Ok(whole) if whole.unsigned_abs() > 1 << 53 => {
                let float = text.parse::<f64>().ok()?;
                (Decimal::from_f64(float)?.to_i128() == Some(whole)).then_some(float)
            }
            _ => text.parse::<f64>().ok().filter(|f| f.is_finite()),
        },
        Cell::String(text) | Cell::Text(text) => match text {
            "NaN" | "nan" => Some(f64::NAN),
            "Infinity" | "inf" | "+Infinity" => Some(f64::INFINITY),
            "-Infinity" | "-inf" => Some(f64::NEG_INFINITY),
            _ if Decimal::parse(text).is_some() => text.parse::<f64>().ok().filter(|f| f.is_finite()),
            _ => None,
        },
        _ => None,
    }
}

/// Rounds to single precision, keeping the value a double for comparison.
fn narrow(float: f64) -> f64 {
    f64::from(float as f32)
}

/// Reads an instant by the column's storage style; numbers of documents and of mixed columns by their size.
pub fn to_timestamp(cell: Cell<'_>, storage: Storage) -> Option<Timestamp> {
    let count = match cell {
        Cell::Text(text) | Cell::String(text) => {
            let mut stamp = parse_timestamp(text)?;
            if let Storage::IsoText { digits, .. } = storage
                && matches!(cell, Cell::Text(_))
            {
                // A column that writes microseconds writes none where they are zero: the value is that exact.
                stamp.digits = stamp.digits.max(digits);
            }
            return Some(stamp);
        }
        Cell::Int(i) => i,
        Cell::Number(text) => match text.parse::<i64>() {
            Ok(i) => i,
            Err(_) => return real_timestamp(text.parse().ok()?, storage),
        },
        Cell::Real(r) => return real_timestamp(r, storage),
        _ => return None,
    };
    match storage {
        Storage::Epoch { digits } => Some(Timestamp::from_epoch(count, digits)),
        Storage::EpochReal => Some(Timestamp::from_epoch(count, 0)),
        Storage::JulianDay => None,
        _ => Some(Timestamp::from_epoch(
            count,
            match count.unsigned_abs() {
                0..=99_999_999_999 => 0,
                100_000_000_000..=99_999_999_999_999 => 3,
                100_000_000_000_000..=99_999_999_999_999_999 => 6,
                _ => 9,
            },
        )),
    }
}

fn real_timestamp(value: f64, storage: Storage) -> Option<Timestamp> {
    if !value.is_finite() || value.abs() > 1e15 {
        return None;
    }
    let seconds = match storage {
        // Julian day 2440587.5 is 1970-01-01 00:00 UTC (https://sqlite.org/lang_datefunc.html); good to a millisecond.
        Storage::JulianDay => (value - 2_440_587.5) * 86_400.0,
        Storage::Epoch { digits } => value / 10f64.powi(i32::from(digits)),
        // Days of our centuries are millions; seconds since 1970 are more.
        _ if (1_000_000.0..4_000_000.0).contains(&value) => (value - 2_440_587.5) * 86_400.0,
        // Milliseconds since 1970, as JavaScript counts.
        _ if value.abs() > 1e11 => value / 1000.0,
        _ => value,
    };
    let millis = (seconds * 1000.0).round();
    (millis.abs() < 9e18).then(|| Timestamp::from_epoch(millis as i64, 3))
}

fn to_date(cell: Cell<'_>, storage: Storage) -> Option<i64> {
    match cell {
        Cell::Text(text) | Cell::String(text) => parse_date(text),
        Cell::Int(_) | Cell::Real(_) | Cell::Number(_) if storage != Storage::Native => {
            let stamp = to_timestamp(cell, storage)?;
            (stamp.seconds.rem_euclid(86_400) == 0 && stamp.nanos == 0).then(|| stamp.seconds.div_euclid(86_400))
        }
        _ => None,
    }
}

fn push_integer(integer: i128, out: &mut Vec<u8>) {
    match i64::try_from(integer) {
        Ok(small) => {
            out.push(INTEGER);
            out.extend_from_slice(&small.to_le_bytes());
        }
        Err(_) => {
            out.push(WIDE_INTEGER);
            out.extend_from_slice(&integer.to_le_bytes());
        }
    }
}

fn push_float(float: f64, out: &mut Vec<u8>) {
    let bits = if float.is_nan() { f64::NAN.to_bits() } else { float.to_bits() };
    out.push(FLOAT);
    out.extend_from_slice(&bits.to_le_bytes());
}

fn push_decimal(decimal: &Decimal, out: &mut Vec<u8>) {
    out.push(DECIMAL);
    push_length(5 + decimal.digits.len(), out);
    out.push(u8::from(decimal.negative));
    out.extend_from_slice(&decimal.exponent.to_le_bytes());
    out.extend_from_slice(decimal.digits.as_bytes());
}

fn push_small(small: Small, out: &mut Vec<u8>) {
    let mut buffer = [0; 20];
    let digits = small.text(&mut buffer);
    out.push(DECIMAL);
    push_length(5 + digits.len(), out);
    out.push(u8::from(small.negative));
    out.extend_from_slice(&small.exponent.to_le_bytes());
    out.extend_from_slice(digits);
}

fn push_timestamp(stamp: Timestamp, out: &mut Vec<u8>) {
    out.push(TIMESTAMP);
    out.extend_from_slice(&stamp.seconds.to_le_bytes());
    out.extend_from_slice(&stamp.nanos.to_le_bytes());
    out.push(stamp.digits);
    out.push(u8::from(stamp.zoned));
}

fn push_bytes(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    push_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Lengths fit 32 bits: readers refuse values beyond 256 MiB (CHECKS 4).
fn push_length(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(length).expect("readers bound the size of a value").to_le_bytes());
}

/// Returns how many bytes the first encoded value of a slice takes.
pub fn encoded_length(bytes: &[u8]) -> usize {
    match bytes[0] {
        ABSENT | NULL | FALSE | TRUE => 1,
        INTEGER | FLOAT | DATE => 9,
        WIDE_INTEGER | UUID => 17,
        TIMESTAMP => 15,
        TIME => 10,
        _ => 5 + u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]) as usize,
    }
}

/// Tells whether the first encoded value is an absent one.
pub fn is_absent(bytes: &[u8]) -> bool {
    bytes[0] == ABSENT
}

/// Tells whether the first encoded value is a null.
pub fn is_null(bytes: &[u8]) -> bool {
    bytes[0] == NULL
}

/// Reads the first encoded value back; `None` is an absent one.
///
/// The bytes come from [`encode`] or [`encode_value`]; anything else is a broken invariant.
pub fn decode(bytes: &[u8]) -> Option<Value> {
    let fixed = |from: usize| <[u8; 8]>::try_from(&bytes[from..from + 8]).expect("eight bytes");
    let content = || &bytes[5..encoded_length(bytes)];
    let text = |b: &[u8]| String::from_utf8(b.to_vec()).expect("encoded from UTF-8");
    Some(match bytes[0] {
        ABSENT => return None,
        NULL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        INTEGER => Value::Integer(i128::from(i64::from_le_bytes(fixed(1)))),
        WIDE_INTEGER => Value::Integer(i128::from_le_bytes(bytes[1..17].try_into().expect("sixteen bytes"))),
        FLOAT => Value::Float(f64::from_bits(u64::from_le_bytes(fixed(1)))),
        TIMESTAMP => Value::Timestamp(Timestamp {
            seconds: i64::from_le_bytes(fixed(1)),
            nanos: u32::from_le_bytes(bytes[9..13].try_into().expect("four bytes")),
            digits: bytes[13],
            zoned: bytes[14] == 1,
        }),
        DATE => Value::Date(i64::from_le_bytes(fixed(1))),
        TIME => Value::Time(TimeOfDay { nanos: i64::from_le_bytes(fixed(1)), digits: bytes[9] }),
        UUID => Value::Uuid(u128::from_be_bytes(bytes[1..17].try_into().expect("sixteen bytes"))),
        DECIMAL => {
            let content = content();
            Value::Decimal(Decimal {
                negative: content[0] == 1,
                exponent: i32::from_le_bytes(content[1..5].try_into().expect("four bytes")),
                digits: text(&content[5..]),
            })
        }
        TEXT => Value::Text(text(content())),
        RAW_TEXT => Value::RawText(content().to_vec()),
        BYTES => Value::Bytes(content().to_vec()),
        JSON => Value::Json(text(content())),
        tag => unreachable!("no value has the tag {tag}"),
    })
}

/// Reads the first encoded value of bytes that may be damaged; the outer `None`: they are.
pub fn try_decode(bytes: &[u8]) -> Option<Option<Value>> {
    let tag = *bytes.first()?;
    if tag > JSON || (tag >= DECIMAL && bytes.len() < 5) || bytes.len() < encoded_length(bytes) {
        return None;
    }
    let content = || &bytes[5..encoded_length(bytes)];
    let sound = match tag {
        TEXT | JSON => std::str::from_utf8(content()).is_ok(),
        DECIMAL => content().len() >= 5 && content()[5..].iter().all(u8::is_ascii_digit),
        _ => true,
    };
    sound.then(|| decode(bytes))
}

/// Appends the canonical bytes of a value; `None` is absent. The inverse of [`decode`].
pub fn encode_value(value: Option<&Value>, out: &mut Vec<u8>) {
    match value {
        None => out.push(ABSENT),
        Some(Value::Null) => out.push(NULL),
        Some(Value::Bool(b)) => out.push(if *b { TRUE } else { FALSE }),
        Some(Value::Integer(i)) => push_integer(*i, out),
        Some(Value::Decimal(d)) => push_decimal(d, out),
        Some(Value::Float(f)) => push_float(*f, out),
        Some(Value::Text(s)) => push_bytes(TEXT, s.as_bytes(), out),
        Some(Value::RawText(b)) => push_bytes(RAW_TEXT, b, out),
        Some(Value::Bytes(b)) => push_bytes(BYTES, b, out),
        Some(Value::Json(s)) => push_bytes(JSON, s.as_bytes(), out),
        Some(Value::Timestamp(t)) => push_timestamp(*t, out),
        Some(Value::Date(days)) => {
            out.push(DATE);
            out.extend_from_slice(&days.to_le_bytes());
        }
        Some(Value::Time(t)) => {
            out.push(TIME);
            out.extend_from_slice(&t.nanos.to_le_bytes());
            out.push(t.digits);
        }
        Some(Value::Uuid(u)) => {
            out.push(UUID);
            out.extend_from_slice(&u.to_be_bytes());
        }
    }
}

/// Reads a cell as its column's value; `None` is absent.
pub fn value_of(cell: Cell<'_>, column: &Column) -> Option<Value> {
    let mut bytes = Vec::new();
    encode(cell, column, &mut bytes);
    decode(&bytes)
}

/// Splits an encoded record body into its encoded values, one per column.
pub fn split(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (first, tail) = rest.split_at(encoded_length(rest));
        rest = tail;
        Some(first)
    })
}
