//! Which cell holds a value exactly in a MySQL or MariaDB column, or why none does.

use crate::database::fit::{self, Fit};
use crate::model::calendar::{INFINITY, NEG_INFINITY, TimeOfDay, Timestamp, format_date, parse_timestamp};
use crate::model::value::Value;
use crate::model::{Column, ColumnType, OwnedCell};

#[cfg(test)]
mod tests;

/// The seconds that a `TIMESTAMP` column keeps: 1970-01-01 00:00:01 to 2038-01-19 03:14:07, and to 2106 in newer servers;
/// the older end holds everywhere.
const TIMESTAMP_SECONDS: std::ops::RangeInclusive<i64> = 1..=2_147_483_647;
/// `TIME` goes from -838:59:59 to 838:59:59.
const TIME_SECONDS: i64 = 838 * 3600 + 59 * 60 + 59;
/// What one statement carries besides the value.
const PACKET_REST: u64 = 64 << 10;

/// Turns a value into the column's cell; `packet` is the server's largest message.
pub(in crate::database) fn store(column: &Column, value: &Value, packet: u64) -> Fit {
    let wrong = || fit::wrong_kind(column, value);
    let unsigned = column.declared.contains("unsigned");
    let cell = match (&column.ty, value) {
        (_, Value::Null) => return fit::null(column),
        (ColumnType::Boolean, Value::Bool(b)) => OwnedCell::Int(i64::from(*b)),
        // `tinyint(1)` is a boolean by convention only: another number is kept as it is.
        (ColumnType::Boolean, Value::Integer(i)) if column.declared.starts_with("tinyint") => {
            fit::integer(*i, -128, 127)?
        }
        (ColumnType::Integer { .. }, Value::Integer(i)) if column.declared.starts_with("year") => {
            if *i == 0 {
                OwnedCell::Int(0)
            } else {
                fit::integer(*i, 1901, 2155)?
            }
        }
        (ColumnType::Integer { min, max }, Value::Integer(i)) => fit::integer(*i, *min, *max)?,
        (ColumnType::Decimal { precision, scale }, _) => {
            let decimal = value.as_decimal().ok_or_else(wrong)?;
            if unsigned && decimal.negative {
                return Err(format!("{decimal} is below zero"));
            }
            let (precision, scale) = (i64::from(precision.unwrap_or(65)), i64::from(scale.unwrap_or(30)));
            fit::decimal(&decimal, precision - scale, scale)?
        }
        (ColumnType::Float { single }, Value::Float(f)) => {
            let kept = if *single { f64::from(*f as f32) } else { *f };
            if !kept.is_finite() || (unsigned && *f < 0.0) {
                return Err(format!("{f} is no number that {} keeps", column.declared));
            }
            OwnedCell::Real(kept)
        }
        (ColumnType::Text { max_chars }, Value::Text(text)) => text_cell(column, text, *max_chars)?,
        (ColumnType::Enum(labels), Value::Text(text)) => {
            if !labels.contains(text) {
                return Err(format!("`{text}` is none of the values of {}", column.declared));
            }
            OwnedCell::Text(text.clone())
        }
        (ColumnType::Bytes { max_bytes }, Value::Bytes(bytes)) => bytes_cell(column, bytes, *max_bytes)?,
        (ColumnType::Json, Value::Json(json)) => {
            if serde_json::from_str::<serde::de::IgnoredAny>(json).is_err() {
                return Err("the text is no valid JSON, or it is nested too deeply".to_owned());
            }
            OwnedCell::Text(json.clone())
        }
        (ColumnType::Timestamp { zoned, digits }, Value::Timestamp(stamp)) => timestamp_cell(*stamp, *zoned, *digits)?,
        (ColumnType::Date, Value::Date(days)) => {
            if matches!(*days, INFINITY | NEG_INFINITY) || !(1..=9999).contains(&fit::year(*days)) {
                return Err("the date is outside the years 1 to 9999".to_owned());
            }
            OwnedCell::Text(format_date(*days))
        }
        (ColumnType::Time { digits }, Value::Time(time)) => time_cell(*time, *digits)?,
        (ColumnType::Time { digits }, Value::Text(text)) => time_cell(long_time(text).ok_or_else(wrong)?, *digits)?,
        (ColumnType::Uuid, Value::Uuid(_)) => OwnedCell::Text(value.to_string()),
        (ColumnType::Other(_), Value::Text(text)) => {
            charset(column, text)?;
            OwnedCell::Text(text.clone())
        }
        _ => return Err(wrong()),
    };
    let size = match &cell {
        OwnedCell::Text(text) => text.len() as u64,
        OwnedCell::Bytes(bytes) => bytes.len() as u64,
        _ => 0,
    };
    if size + PACKET_REST > packet {
        return Err(format!("the value has {size} bytes, the server's max_allowed_packet is {packet}"));
    }
    Ok(cell)
}

fn text_cell(column: &Column, text: &str, max_chars: Option<u64>) -> Fit {
    charset(column, text)?;
    let kind = column.declared.split([' ', '(']).next().unwrap_or_default();
    // `CHAR` is read back without spaces at its end.
    let text = if kind == "char" { text.trim_end_matches(' ') } else { text };
    fit::characters(text, max_chars)?;
    let max_bytes = match kind {
        "tinytext" => 255,
        "text" => 65_535,
        "mediumtext" => 16_777_215,
        _ => usize::MAX,
    };
    if text.len() > max_bytes {
        return Err(format!("the text has {} bytes, {max_bytes} are kept", text.len()));
    }
    Ok(OwnedCell::Text(text.to_owned()))
}

/// Refuses characters that the column's character set does not have; `declared` names it where it is not utf8mb4.
fn charset(column: &Column, text: &str) -> Fit<()> {
    let Some(name) = column.declared.split_once(" character set ").map(|(_, name)| name) else { return Ok(()) };
    /// What Windows-1252, which MySQL calls latin1, has beyond ISO 8859-1.
    const WINDOWS: &str = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ";
    let known = |c: char| match name {
        "utf8mb3" | "utf8" | "ucs2" => u32::from(c) <= 0xffff,
        "ascii" => c.is_ascii(),
        "latin1" => c.is_ascii() || (0xa0..=0xff).contains(&u32::from(c)) || WINDOWS.contains(c),
        _ => true,
    };
    match text.chars().find(|c| !known(*c)) {
        Some(character) => {
            Err(format!("the character {} is not in the column's character set {name}", character.escape_unicode()))
        }
        None => Ok(()),
    }
}

fn bytes_cell(column: &Column, bytes: &[u8], max_bytes: Option<u64>) -> Fit {
    if max_bytes.is_some_and(|max| bytes.len() as u64 > max) {
        return Err(format!("the value has {} bytes, {} are kept", bytes.len(), max_bytes.unwrap_or(0)));
    }
    let mut bytes = bytes.to_vec();
    // `BINARY(n)` is read back filled up with zero bytes.
    if column.declared.starts_with("binary") {
        bytes.resize(max_bytes.and_then(|max| usize::try_from(max).ok()).unwrap_or(bytes.len()), 0);
    }
    Ok(OwnedCell::Bytes(bytes))
}

fn timestamp_cell(stamp: Timestamp, zoned: bool, digits: u8) -> Fit {
    let infinite = matches!(stamp.seconds, INFINITY | NEG_INFINITY);
    if zoned && !TIMESTAMP_SECONDS.contains(&stamp.seconds) {
        return Err(
            "the timestamp is outside what TIMESTAMP keeps (1970-01-01 00:00:01 to 2038-01-19 03:14:07 UTC)".to_owned()
        );
    }
    if infinite || !(1..=9999).contains(&fit::year(stamp.seconds.div_euclid(86_400))) {
        return Err("the timestamp is outside the years 1 to 9999".to_owned());
    }
    Ok(OwnedCell::Text(stamp.format(' ', digits, "")))
}

fn time_cell(time: TimeOfDay, digits: u8) -> Fit {
    let unit = 10i64.pow(u32::from(9 - digits.min(9)));
    let nanos = time.nanos - time.nanos % unit;
    if nanos.abs() / 1_000_000_000 > TIME_SECONDS {
        return Err("the time is outside -838:59:59 to 838:59:59".to_owned());
    }
    Ok(OwnedCell::Text(TimeOfDay { nanos, digits }.to_string()))
}

/// Reads a time beyond a day or below zero, as the server prints it: `-838:59:59.5`.
fn long_time(text: &str) -> Option<TimeOfDay> {
    let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (hours, rest) = rest.split_once(':')?;
    if !(2..=3).contains(&hours.len()) || !hours.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = hours.parse().ok()?;
    let rest = parse_timestamp(&format!("1970-01-01 00:{rest}"))?;
    let nanos = (hours * 3600 + rest.seconds) * 1_000_000_000 + i64::from(rest.nanos);
    Some(TimeOfDay { nanos: sign * nanos, digits: rest.digits })
}
