//! Which cell holds a value exactly in a PostgreSQL column, or why none does.

use crate::database::fit::{self, Fit};
use crate::model::calendar::{INFINITY, NEG_INFINITY, Timestamp};
use crate::model::schema::Collation;
use crate::model::value::Value;
use crate::model::{Column, ColumnType, OwnedCell};

#[cfg(test)]
mod tests;

/// Digits that `numeric` keeps before and after the point when none are declared.
const NUMERIC_DIGITS: (i64, i64) = (131_072, 16_383);
/// Julian day 0, 4714-11-24 BC in the Gregorian calendar: the first that dates and timestamps keep.
const FIRST_DAY: i64 = -2_440_588;
/// The years that they end with.
const LAST_DATE_YEAR: i64 = 5_874_897;
const LAST_TIMESTAMP_YEAR: i64 = 294_276;

/// Turns a value into the column's cell.
pub(in crate::database) fn store(column: &Column, value: &Value) -> Fit {
    let wrong = || fit::wrong_kind(column, value);
    match (&column.ty, value) {
        (_, Value::Null) => fit::null(column),
        (ColumnType::Boolean, Value::Bool(b)) => Ok(OwnedCell::Bool(*b)),
        (ColumnType::Integer { min, max }, Value::Integer(i)) => fit::integer(*i, *min, *max),
        (ColumnType::Decimal { precision, scale }, _) => {
            let (before, after) = match (precision, scale) {
                (Some(p), Some(s)) => (i64::from(*p) - i64::from(*s), i64::from(*s)),
                _ => NUMERIC_DIGITS,
            };
            match value {
                Value::Text(text) if text == "NaN" => Ok(OwnedCell::Text(text.clone())),
                Value::Text(text) if matches!(text.as_str(), "Infinity" | "-Infinity") && precision.is_none() => {
                    Ok(OwnedCell::Text(text.clone()))
                }
                _ => fit::decimal(&value.as_decimal().ok_or_else(wrong)?, before, after),
            }
        }
        (ColumnType::Float { single }, Value::Float(f)) => {
            let kept = if *single { f64::from(*f as f32) } else { *f };
            if kept.is_finite() == f.is_finite() { Ok(OwnedCell::Real(kept)) } else { Err(format!("{f} is too large")) }
        }
        (ColumnType::Text { max_chars }, Value::Text(text)) => text_cell(column, text, *max_chars),
        (ColumnType::Bytes { .. }, Value::Bytes(bytes)) => Ok(OwnedCell::Bytes(bytes.clone())),
        (ColumnType::Json, Value::Json(json)) => json_cell(column, json),
        (ColumnType::Timestamp { zoned, digits }, Value::Timestamp(stamp)) => timestamp_cell(*stamp, *zoned, *digits),
        (ColumnType::Date, Value::Date(days)) => date_cell(*days),
        (ColumnType::Time { digits }, Value::Time(time)) => {
            if !(0..=86_400_000_000_000).contains(&time.nanos) {
                return Err(format!("{time} is outside 00:00:00 to 24:00:00"));
            }
            let seconds = time.nanos / 1_000_000_000;
            let nanos = fit::cut(u32::try_from(time.nanos % 1_000_000_000).unwrap_or(0), (*digits).min(6));
            let kept = crate::model::calendar::TimeOfDay {
                nanos: seconds * 1_000_000_000 + i64::from(nanos),
                digits: *digits,
            };
            Ok(OwnedCell::Text(kept.to_string()))
        }
        (ColumnType::Uuid, Value::Uuid(_)) => Ok(OwnedCell::Text(value.to_string())),
        (ColumnType::Enum(labels), Value::Text(text)) => {
            if labels.contains(text) {
                Ok(OwnedCell::Text(text.clone()))
            } else {
                Err(format!("`{text}` is none of the values of {}", column.declared))
            }
        }
        (ColumnType::Other(_), Value::Text(text)) => without_nul(text).map(|()| OwnedCell::Text(text.clone())),
        _ => Err(wrong()),
    }
}

fn without_nul(text: &str) -> Fit<()> {
    if text.contains('\0') {
        Err("the text holds a NUL, which PostgreSQL can't store (--nul strip or replace takes it out)".to_owned())
    } else {
        Ok(())
    }
}

fn text_cell(column: &Column, text: &str, max_chars: Option<u64>) -> Fit {
    without_nul(text)?;
    if column.declared == "name" && text.len() > 63 {
        return Err(format!("the text has {} bytes, 63 are kept", text.len()));
    }
    // `character(n)` is read back padded, and spaces at its end have no meaning.
    if column.collation == Collation::RTrim {
        let text = text.trim_end_matches(' ');
        fit::characters(text, max_chars)?;
        return Ok(OwnedCell::Text(max_chars.map_or_else(|| text.to_owned(), |n| fit::padded(text, n))));
    }
    fit::characters(text, max_chars)?;
    Ok(OwnedCell::Text(text.to_owned()))
}

fn json_cell(column: &Column, json: &str) -> Fit {
    if serde_json::from_str::<serde::de::IgnoredAny>(json).is_err() {
        return Err("the text is no valid JSON, or it is nested too deeply".to_owned());
    }
    if column.declared != "json" {
        if column.declared.ends_with("[]") && !json.trim_start().starts_with('[') {
            return Err("the column holds an array, the value is none".to_owned());
        }
        // `json` keeps text as it is; `jsonb` and arrays have to make real text of every string.
        if let Some(escape) = unstorable_escape(json) {
            return Err(format!("the JSON holds {escape}, which PostgreSQL can't store"));
        }
    }
    without_nul(json)?;
    Ok(OwnedCell::Text(json.to_owned()))
}

/// Finds `\u0000` and halves of surrogate pairs.
fn unstorable_escape(json: &str) -> Option<&str> {
    let bytes = json.as_bytes();
    let unit = |at: usize| {
        let escape = bytes.get(at..at + 6).filter(|e| e.starts_with(b"\\u"))?;
        u16::from_str_radix(std::str::from_utf8(&escape[2..]).ok()?, 16).ok()
    };
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        at += found;
        match unit(at) {
            Some(0) | Some(0xdc00..=0xdfff) => return json.get(at..at + 6),
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdbff) => return json.get(at..at + 6),
            Some(_) => at += 6,
            None => at += 2,
        }
        if at >= bytes.len() {
            break;
        }
    }
    None
}

/// Writes a day as PostgreSQL does: years before Christ counted from 1, with `BC`.
fn day(days: i64) -> (String, &'static str) {
    let year = fit::year(days);
    if year > 0 {
        return (crate::model::calendar::format_date(days), "");
    }
    let (_, month, day) = crate::model::calendar::civil_from_days(days);
    (format!("{:04}-{month:02}-{day:02}", 1 - year), " BC")
}

fn date_cell(days: i64) -> Fit {
    match days {
        INFINITY => return Ok(OwnedCell::Text("infinity".to_owned())),
        NEG_INFINITY => return Ok(OwnedCell::Text("-infinity".to_owned())),
        _ => {}
    }
    if days < FIRST_DAY || fit::year(days) > LAST_DATE_YEAR {
        return Err("the date is outside what PostgreSQL keeps (4714 BC to 5874897)".to_owned());
    }
    let (text, era) = day(days);
    Ok(OwnedCell::Text(format!("{text}{era}")))
}

fn timestamp_cell(stamp: Timestamp, zoned: bool, digits: u8) -> Fit {
    match stamp.seconds {
        INFINITY => return Ok(OwnedCell::Text("infinity".to_owned())),
        NEG_INFINITY => return Ok(OwnedCell::Text("-infinity".to_owned())),
        _ => {}
    }
    let days = stamp.seconds.div_euclid(86_400);
    if days < FIRST_DAY || fit::year(days) > LAST_TIMESTAMP_YEAR {
        return Err("the timestamp is outside what PostgreSQL keeps (4714 BC to 294276)".to_owned());
    }
    let digits = digits.min(6);
    let clock = Timestamp { seconds: stamp.seconds.rem_euclid(86_400), nanos: fit::cut(stamp.nanos, digits), ..stamp };
    let clock = clock.format(' ', digits, if zoned { "+00" } else { "" });
    let (date, era) = day(days);
    Ok(OwnedCell::Text(format!("{date}{}{era}", &clock["1970-01-01".len()..])))
}
