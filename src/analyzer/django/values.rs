//! Django's spellings: lists in JSON, durations.

use crate::model::schema::{Column, ColumnType};
use crate::model::{Cell, OwnedCell};
use serde_json::value::RawValue;
use std::fmt::Write as _;

/// Splits the text of a JSON array into the texts of its elements; `None` where it is no array.
pub(super) fn elements(text: &str) -> Option<Vec<&str>> {
    let raw: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(raw.into_iter().map(RawValue::get).collect())
}

/// Reads a JSON scalar or keeps a nested value as its text.
pub(super) fn cell_of(raw: &str) -> OwnedCell {
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw).map_or_else(|_| OwnedCell::Json(raw.to_owned()), OwnedCell::String),
        Some(b'{' | b'[') => OwnedCell::Json(compact(raw)),
        Some(b't') => OwnedCell::Bool(true),
        Some(b'f') => OwnedCell::Bool(false),
        Some(b'n') => OwnedCell::Null,
        _ => OwnedCell::Number(raw.to_owned()),
    }
}

/// Writes a natural key without white space between its parts, so that equal ones are equal texts.
pub(super) fn compact(text: &str) -> String {
    match elements(text) {
        None => text.to_owned(),
        Some(parts) => {
            let mut out = String::with_capacity(text.len());
            out.push('[');
            for (position, part) in parts.into_iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                // Strings may be escaped in more than one way.
                match serde_json::from_str::<String>(part) {
                    Ok(string) => out.push_str(&serde_json::Value::String(string).to_string()),
                    Err(_) if part.starts_with('[') => out.push_str(&compact(part)),
                    Err(_) => out.push_str(part),
                }
            }
            out.push(']');
            out
        }
    }
}

/// Writes JSON as Python's `json.dumps` does, which is how Django keeps documents and lists in text columns.
pub(super) fn python_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            ',' | ':' => out.extend([c, ' ']),
            '"' => {
                taken = string_end(rest);
                match serde_json::from_str::<String>(&rest[..taken]) {
                    Ok(string) => push_ascii(&string, &mut out),
                    Err(_) => out.push_str(&rest[..taken]),
                }
            }
            _ if c.is_ascii_whitespace() => {}
            _ => out.push(c),
        }
        rest = &rest[taken..];
    }
    out
}

/// Returns where the string that a text begins with ends.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

fn push_ascii(string: &str, out: &mut String) {
    for c in serde_json::Value::from(string).to_string().chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

/// Turns a duration (`1 02:00:00.000005`) into what the column keeps: microseconds in an integer column, PostgreSQL's
/// own spelling in an interval; `None` where it is none or the column is another.
pub(super) fn duration(cell: Cell<'_>, column: &Column) -> Option<OwnedCell> {
    let Cell::String(text) = cell else { return None };
    match &column.ty {
        ColumnType::Integer { .. } => {
            let (days, micros) = parse_duration(text)?;
            Some(OwnedCell::Number((i128::from(days) * 86_400_000_000 + i128::from(micros)).to_string()))
        }
        ColumnType::Other(_) if column.declared.starts_with("interval") => {
            let (days, micros) = parse_duration(text)?;
            Some(OwnedCell::String(interval(days, micros)))
        }
        _ => None,
    }
}

/// Reads `[-][DAYS ]HH:MM:SS[.ffffff]`: days, which carry the sign, and microseconds within the day
/// (Django's `duration_string`, django/utils/duration.py).
fn parse_duration(text: &str) -> Option<(i64, i64)> {
    let (days, clock) = match text.split_once(' ') {
        Some((days, clock)) => (days.parse::<i64>().ok()?, clock),
        None => (0, text),
    };
    let mut parts = clock.splitn(3, ':');
    let two = |part: Option<&str>| -> Option<i64> {
        part.filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
    };
    let (hours, minutes) = (two(parts.next())?, two(parts.next())?);
    let seconds = parts.next()?;
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    if fraction.len() > 6 || !fraction.bytes().all(|b| b.is_ascii_digit()) || hours > 23 || minutes > 59 {
        return None;
    }
    let whole = two(Some(whole)).filter(|s| *s < 60)?;
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
    Some((days, ((hours * 60 + minutes) * 60 + whole) * 1_000_000 + micros))
}

/// Writes an interval as PostgreSQL does by default (`IntervalStyle` postgres).
fn interval(days: i64, micros: i64) -> String {
    let mut out = String::new();
    if days != 0 {
        let _ = write!(out, "{days} day{}", if days == 1 { "" } else { "s" });
    }
    if micros != 0 || days == 0 {
        if days != 0 {
            out.push_str(if days < 0 { " +" } else { " " });
        }
        let seconds = micros / 1_000_000;
        let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        if micros % 1_000_000 != 0 {
            let fraction = format!(".{:06}", micros % 1_000_000);
            out.push_str(fraction.trim_end_matches('0'));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_become_microseconds_or_intervals() {
        for (text, micros, shown) in [
            ("00:30:01.000500", 1_801_000_500, "00:30:01.0005"),
            ("1 02:00:00.000005", 93_600_000_005, "1 day 02:00:00.000005"),
            ("-1 23:00:00", -3_600_000_000, "-1 days +23:00:00"),
            ("00:00:00", 0, "00:00:00"),
            ("400 00:00:00", 34_560_000_000_000, "400 days"),
        ] {
            let (days, within) = parse_duration(text).expect(text);
            assert_eq!(days * 86_400_000_000 + within, micros, "{text}");
            assert_eq!(interval(days, within), shown);
        }
        for text in ["", "12", "1:00:00", "24:00:00", "00:60:00", "00:00:60", "x 00:00:00", "00:00:00.1234567"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn documents_are_written_as_python_does() {
        let text = "{ \"a\\\"b\" : [1,2.50 , \"x, y: ä\\u00e4😀\"],\"c\":{}}";
        let python = "{\"a\\\"b\": [1, 2.50, \"x, y: \\u00e4\\u00e4\\ud83d\\ude00\"], \"c\": {}}";
        assert_eq!(python_json(text), python);
        assert_eq!(python_json("[]"), "[]");
    }

    #[test]
    fn equal_natural_keys_are_equal_texts() {
        assert_eq!(compact("[ \"\\u00e4\" ,\n 1, [\"x\" ] ]"), compact("[\"ä\",1,[\"x\"]]"));
        assert_eq!(cell_of("[ 1 ]"), OwnedCell::Json("[1]".to_owned()));
        assert_eq!(cell_of("1.50"), OwnedCell::Number("1.50".to_owned()));
    }
}
