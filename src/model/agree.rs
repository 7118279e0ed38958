//! Whether a field of a backup is the same as current's by its spelling alone, without giving either a canonical form.
//!
//! Where it says yes, `encode` and `compare` would say so too; where it says no, they have to be asked. Only pairs that
//! formats and databases produce every day are known here: it is the way of nearly all records of an analysis.

use super::calendar::parse_timestamp;
use super::plain::Plain;
use super::raw::Raw;
use super::schema::ColumnType;
use super::value::parse_uuid;

/// Whole numbers up to here are the same as integers and as doubles.
const EXACT: u64 = 1 << 53;

/// What a column's type lets two spellings be; asked once for a column, not for each record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Likeness {
    /// A document's string is read as text is.
    verbatim: bool,
    decimal: bool,
    /// A number is the double nearest to it.
    real: bool,
    instant: bool,
    uuid: bool,
    boolean: bool,
}

impl From<&ColumnType> for Likeness {
    fn from(ty: &ColumnType) -> Self {
        let decimal = matches!(ty, ColumnType::Decimal { .. });
        Self {
            verbatim: !matches!(ty, ColumnType::Integer { .. } | ColumnType::Json | ColumnType::Bytes { .. }),
            decimal,
            real: decimal || matches!(ty, ColumnType::Float { .. }),
            instant: matches!(ty, ColumnType::Timestamp { .. }),
            uuid: matches!(ty, ColumnType::Uuid),
            boolean: matches!(ty, ColumnType::Boolean),
        }
    }
}

/// Tells that two fields are certainly the same; false: nobody knows yet. An absent one of the backup has no opinion.
#[inline]
pub(crate) fn agree(backup: Raw<'_>, current: Raw<'_>, like: Likeness) -> bool {
    match (backup, current) {
        (Raw::Absent, _) | (Raw::Null, Raw::Null) => true,
        // One spelling of one kind has one canonical form, whatever the column.
        (Raw::Int(a), Raw::Int(b)) => a == b,
        (Raw::UInt(a), Raw::UInt(b)) => a == b,
        (Raw::Bool(a), Raw::Bool(b)) => a == b,
        (Raw::Real(a), Raw::Real(b)) => a.to_bits() == b.to_bits(),
        (Raw::Plain(spelled), Raw::Int(b)) => {
            let number = spelled.number();
            number.digits <= EXACT && number.is_integer(b)
        }
        (Raw::Plain(spelled), Raw::Real(b)) => like.real && spelled.number().is_double(b),
        (Raw::Plain(a), Raw::Number(b)) => a.text() == b,
        (Raw::Number(a), Raw::Number(b))
        | (Raw::String(a), Raw::String(b))
        | (Raw::Json(a), Raw::Json(b))
        | (Raw::BrokenText(a), Raw::BrokenText(b))
        | (Raw::Bytes(a), Raw::Bytes(b)) => a == b,
        (Raw::Text(a), Raw::Text(b)) if a == b => true,
        (Raw::String(a), Raw::Text(b)) if like.verbatim && a == b => true,
        // Servers spell out what is a number of a document, and write `2024-01-15 10:30:00.120000+00`.
        (Raw::Plain(a), Raw::Text(b)) => like.decimal && Plain::read(b).is_some_and(|b| a.number().is(&b)),
        (Raw::String(a) | Raw::Text(a), Raw::Text(b)) if like.decimal => {
            matches!((Plain::read(a), Plain::read(b)), (Some(a), Some(b)) if a.is(&b))
        }
        (Raw::String(a) | Raw::Text(a), Raw::Text(b)) => like.instant && is_instant(a, b),
        (Raw::String(a) | Raw::Text(a), Raw::Bytes(b)) => like.uuid && a.len() == 36 && is_uuid(a, b),
        (Raw::Bool(a), Raw::Int(b)) => like.boolean && i64::from(a) == b,
        _ => false,
    }
}

/// An instant as texts spell it: to the second, the digits of its fraction without zeros at the end, and the offset.
struct Spelled<'a> {
    second: (&'a [u8], &'a [u8]),
    fraction: &'a [u8],
    offset: &'a [u8],
}

/// Takes `YYYY-MM-DD`, `T` or a space, `HH:MM:SS`, a fraction and an offset apart.
fn spelled(text: &[u8]) -> Option<Spelled<'_>> {
    let (date, rest) = text.split_at_checked(10)?;
    let (clock, rest) = rest.strip_prefix(b"T").or_else(|| rest.strip_prefix(b" "))?.split_at_checked(8)?;
    let (mut fraction, offset) = match rest.strip_prefix(b".") {
        Some(rest) => {
            let digits = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
            if !(1..=9).contains(&digits) {
                return None;
            }
            rest.split_at(digits)
        }
        None => (&[][..], rest),
    };
    while let Some(shorter) = fraction.strip_suffix(b"0") {
        fraction = shorter;
    }
    Some(Spelled { second: (date, clock), fraction, offset })
}

/// Tells whether two texts are one reading of the clock, each in UTC or without an offset, which is read as that.
fn is_instant(backup: &[u8], current: &[u8]) -> bool {
    let (Some(a), Some(b)) = (spelled(backup), spelled(current)) else { return false };
    let utc = |offset: &[u8]| matches!(offset, b"" | b"Z" | b"+00" | b"+00:00");
    // What is no instant at all is compared as text elsewhere.
    a.second == b.second
        && a.fraction == b.fraction
        && utc(a.offset)
        && utc(b.offset)
        && std::str::from_utf8(current).ok().and_then(parse_timestamp).is_some()
}

fn is_uuid(backup: &[u8], current: &[u8]) -> bool {
    let text = std::str::from_utf8(backup).ok().and_then(parse_uuid);
    matches!((text, <[u8; 16]>::try_from(current)), (Some(a), Ok(b)) if a == u128::from_be_bytes(b))
}

#[cfg(test)]
mod tests;
