//! Whether a value fits a column exactly: the rules that strictly typed engines share.

use crate::model::calendar::civil_from_days;
use crate::model::decimal::Decimal;
use crate::model::value::Value;
use crate::model::{Column, OwnedCell};

/// A cell, or a sentence that says why the column can't hold the value.
pub(super) type Fit<T = OwnedCell> = Result<T, String>;

/// Says that a value is of another kind than the column.
pub(super) fn wrong_kind(column: &Column, value: &Value) -> String {
    let shown: String = value.to_string().chars().take(40).collect();
    format!("{} ({shown}) does not fit the type {}", value.kind(), column.declared)
}

/// Fits a null.
pub(super) fn null(column: &Column) -> Fit {
    if column.nullable { Ok(OwnedCell::Null) } else { Err(format!("{} must not be null", column.name)) }
}

/// Fits a whole number into a range.
pub(super) fn integer(value: i128, min: i64, max: u64) -> Fit {
    if value < i128::from(min) || value > i128::from(max) {
        return Err(format!("{value} is outside {min} to {max}"));
    }
    Ok(match (i64::try_from(value), u64::try_from(value)) {
        (Ok(small), _) => OwnedCell::Int(small),
        (_, Ok(large)) => OwnedCell::UInt(large),
        _ => return Err(format!("{value} is outside {min} to {max}")),
    })
}

/// Fits a decimal into so many digits before and after the point; engines would round silently.
pub(super) fn decimal(value: &Decimal, before: i64, after: i64) -> Fit {
    let (whole, fraction) = value.extent();
    if fraction > after {
        return Err(format!("{value} has {fraction} digits after the point, {after} are kept"));
    }
    if whole > before {
        return Err(format!("{value} has {whole} digits before the point, {before} are kept"));
    }
    Ok(OwnedCell::Text(value.to_string()))
}

/// Fits text into a number of characters.
pub(super) fn characters(text: &str, max: Option<u64>) -> Fit<()> {
    match max {
        Some(max) if text.len() as u64 > max => match text.chars().count() as u64 {
            count if count > max => Err(format!("the text has {count} characters, {max} are kept")),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Returns the year of a day.
pub(super) fn year(days: i64) -> i64 {
    civil_from_days(days).0
}

/// Cuts nanoseconds to a number of fraction digits.
pub(super) fn cut(nanos: u32, digits: u8) -> u32 {
    let unit = 10u32.pow(u32::from(9 - digits.min(9)));
    nanos - nanos % unit
}

/// Pads text with spaces to a number of characters, cutting spaces beyond it.
pub(super) fn padded(text: &str, length: u64) -> String {
    let mut text = text.trim_end_matches(' ').to_owned();
    let missing = usize::try_from(length).unwrap_or(0).saturating_sub(text.chars().count());
    text.extend(std::iter::repeat_n(' ', missing));
    text
}
