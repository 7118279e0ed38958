//! Merges one field: what each answer of a rule makes of its base, current and backup values.

use super::{json, take::Take, text};
use crate::model::decimal::Decimal;
use crate::model::{Column, ColumnType, Value};
use bigdecimal::BigDecimal;
use std::cmp::Ordering;
use std::str::FromStr;

/// Which side's record is newer, as far as timestamps tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    BackupNewer,
    CurrentNewer,
    None,
}

/// What to do where both sides hold different values: the file's `tie` with what it goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tie {
    pub(super) take: Take,
    pub(super) evidence: Evidence,
}

/// The values of one field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sides<'a> {
    pub(super) base: Option<&'a Value>,
    pub(super) current: &'a Value,
    pub(super) backup: &'a Value,
    pub(super) column: &'a Column,
}

/// What becomes of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Merged {
    Backup,
    Current,
    /// A value made of both sides.
    Value(Value),
    /// A rule asks; the caller knows the reason.
    Ask,
}

/// Merges one field; the error says why a person has to decide.
pub(super) fn merge(take: Take, sides: &Sides<'_>, tie: Tie, has_base: bool) -> Result<Merged, String> {
    match take {
        Take::Backup => Ok(Merged::Backup),
        Take::Current | Take::Skip => Ok(Merged::Current),
        Take::Ask => Ok(Merged::Ask),
        Take::Newest | Take::Oldest => by_time(take, tie.evidence),
        // With a base a null is a change like any other; without one it may be a gap in the backup.
        Take::MergeFields if has_base => break_tie(tie),
        Take::MergeFields | Take::NonNull => filled(sides, tie),
        Take::Max => extreme(sides, Ordering::Greater),
        Take::Min => extreme(sides, Ordering::Less),
        Take::SumOfChanges => sum_of_changes(sides).map(Merged::Value),
        Take::Union => union(sides).map(Merged::Value),
        Take::TextMerge => text_merge(sides).map(Merged::Value),
        Take::JsonMerge => json_merge(sides).map(Merged::Value),
    }
}

fn break_tie(tie: Tie) -> Result<Merged, String> {
    match tie.take {
        Take::Backup => Ok(Merged::Backup),
        Take::Current => Ok(Merged::Current),
        Take::Oldest => by_time(Take::Oldest, tie.evidence),
        Take::Newest => by_time(Take::Newest, tie.evidence),
        _ => Err("both sides hold a value".to_owned()),
    }
}

fn by_time(take: Take, evidence: Evidence) -> Result<Merged, String> {
    match (take, evidence) {
        (_, Evidence::None) => Err("both sides hold a value and the timestamps don't tell which is newer".to_owned()),
        (Take::Oldest, Evidence::CurrentNewer) | (Take::Newest, Evidence::BackupNewer) => Ok(Merged::Backup),
        _ => Ok(Merged::Current),
    }
}

fn filled(sides: &Sides<'_>, tie: Tie) -> Result<Merged, String> {
    match (sides.current.is_null(), sides.backup.is_null()) {
        (_, true) => Ok(Merged::Current),
        (true, false) => Ok(Merged::Backup),
        (false, false) => break_tie(tie),
    }
}

fn extreme(sides: &Sides<'_>, wanted: Ordering) -> Result<Merged, String> {
    match (sides.current.is_null(), sides.backup.is_null()) {
        (_, true) => return Ok(Merged::Current),
        (true, false) => return Ok(Merged::Backup),
        (false, false) => {}
    }
    let order = order(sides.backup, sides.current)
        .ok_or_else(|| format!("{} and {} have no order between them", sides.current.kind(), sides.backup.kind()))?;
    Ok(if order == wanted { Merged::Backup } else { Merged::Current })
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(x), Value::Bool(y)) => Some(x.cmp(y)),
        (Value::Float(x), Value::Float(y)) => x.partial_cmp(y),
        (Value::Text(x), Value::Text(y)) => Some(x.cmp(y)),
        (Value::Timestamp(x), Value::Timestamp(y)) if x.zoned == y.zoned => Some(x.nanos_since(*y).cmp(&0)),
        (Value::Date(x), Value::Date(y)) => Some(x.cmp(y)),
        (Value::Time(x), Value::Time(y)) => Some(x.nanos.cmp(&y.nanos)),
        _ => Some(a.as_decimal()?.cmp(&b.as_decimal()?)),
    }
}

fn sum_of_changes(sides: &Sides<'_>) -> Result<Value, String> {
    let number = |value: Option<&Value>, side: &str| {
        let value = value.ok_or_else(|| "no base value is known to count the changes from".to_owned())?;
        let exact =
            value.as_decimal().ok_or_else(|| format!("changes can't be added up: {side} holds {}", value.kind()))?;
        BigDecimal::from_str(&exact.to_string()).map_err(|error| error.to_string())
    };
    let base = number(sides.base, "the base")?;
    let sum = number(Some(sides.current), "current")? + number(Some(sides.backup), "the backup")? - base;
    let sum = Decimal::parse(&sum.to_plain_string()).ok_or("the sum is too large to be written out")?;
    let no_room = || format!("the sum {sum} does not fit {} {}", sides.column.name, sides.column.declared);
    match &sides.column.ty {
        ColumnType::Integer { min, max } => {
            let whole = sum.to_i128().filter(|n| *n >= i128::from(*min) && *n <= i128::from(*max));
            whole.map(Value::Integer).ok_or_else(no_room)
        }
        ColumnType::Decimal { precision, scale } => {
            let (before, after) = sum.extent();
            let scale_fits = scale.is_none_or(|scale| after <= i64::from(scale));
            let whole_digits = precision.map(|p| i64::from(p) - i64::from(scale.unwrap_or(0)));
            if scale_fits && whole_digits.is_none_or(|digits| before <= digits) {
                Ok(Value::Decimal(sum))
            } else {
                Err(no_room())
            }
        }
        ColumnType::Float { .. } => Ok(Value::Float(sum.to_f64())),
        _ if matches!((sides.current, sides.backup), (Value::Integer(_), Value::Integer(_))) => {
            sum.to_i128().map(Value::Integer).ok_or_else(no_room)
        }
        _ if matches!(sides.current, Value::Float(_)) => Ok(Value::Float(sum.to_f64())),
        _ => Ok(Value::Decimal(sum)),
    }
}

fn union(sides: &Sides<'_>) -> Result<Value, String> {
    match (sides.current, sides.backup) {
        (value, Value::Null) | (Value::Null, value) => Ok(value.clone()),
        (Value::Json(current), Value::Json(backup)) => json::union(current, backup).map(Value::Json),
        (Value::Text(current), Value::Text(backup)) if [current, backup].iter().all(|t| t.trim().starts_with('[')) => {
            json::union(current, backup).map(Value::Text)
        }
        (Value::Text(current), Value::Text(backup))
            if matches!(sides.column.ty, ColumnType::Text { .. } | ColumnType::Any) =>
        {
            text::union(current, backup).map(Value::Text)
        }
        (current, _) => Err(format!("{} is no list that can be united", current.kind())),
    }
}

fn text_merge(sides: &Sides<'_>) -> Result<Value, String> {
    match (sides.base, sides.current, sides.backup) {
        (Some(Value::Text(base)), Value::Text(current), Value::Text(backup)) => {
            text::merge(base, current, backup).map(Value::Text)
        }
        (None, ..) => Err("no base text is known to merge from".to_owned()),
        (Some(base), current, backup) => Err(not_all("text", base, current, backup)),
    }
}

fn json_merge(sides: &Sides<'_>) -> Result<Value, String> {
    match (sides.base, sides.current, sides.backup) {
        (Some(Value::Json(base)), Value::Json(current), Value::Json(backup)) => {
            json::merge(base, current, backup).map(Value::Json)
        }
        (Some(Value::Text(base)), Value::Text(current), Value::Text(backup)) => {
            json::merge(base, current, backup).map(Value::Text)
        }
        (None, ..) => Err("no base document is known to merge from".to_owned()),
        (Some(base), current, backup) => Err(not_all("JSON", base, current, backup)),
    }
}

fn not_all(what: &str, base: &Value, current: &Value, backup: &Value) -> String {
    format!("not {what} on all sides: base {}, current {}, backup {}", base.kind(), current.kind(), backup.kind())
}
