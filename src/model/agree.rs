//! Whether a field of a backup is the same as current's by its spelling alone, without giving either a canonical form.
//!
//! Where it says yes, `encode` and `compare` would say so too; where it says no, they have to be asked. Only pairs that
//! formats and databases produce every day are known here: it is the way of nearly all records of an analysis.

use super::calendar::parse_timestamp;
use super::cell::Cell;
use super::raw::Raw;
use super::schema::ColumnType;
use super::value::parse_uuid;

/// Whole numbers up to here are the same as integers and as doubles.
const EXACT: u64 = 1 << 53;
/// Decimals of up to 15 digits survive the way through a double, so each double is at most one of them.
const DIGITS: u64 = 1_000_000_000_000_000;
/// Powers of ten that a double holds exactly.
const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Tells that two fields are certainly the same; false: nobody knows yet. An absent one of the backup has no opinion.
pub(crate) fn agree(backup: Raw<'_>, current: Cell<'_>, ty: &ColumnType) -> bool {
    match (backup, current) {
        (Raw::Absent, _) | (Raw::Null, Cell::Null) => true,
        // One spelling of one kind has one canonical form, whatever the column.
        (Raw::Int(a), Cell::Int(b)) => a == b,
        (Raw::UInt(a), Cell::UInt(b)) => a == b,
        (Raw::Bool(a), Cell::Bool(b)) => a == b,
        (Raw::Real(a), Cell::Real(b)) => a.to_bits() == b.to_bits(),
        (Raw::Number(a), Cell::Number(b)) | (Raw::String(a), Cell::String(b)) | (Raw::Json(a), Cell::Json(b)) => {
            a == b.as_bytes()
        }
        (Raw::BrokenText(a), Cell::RawText(b)) | (Raw::Bytes(a), Cell::Bytes(b)) => a == b,
        (Raw::Text(a), Cell::Text(b)) if a == b.as_bytes() => true,
        // A document's string is read as its column's type is; in these types it is read otherwise than text.
        (Raw::String(a), Cell::Text(b))
            if a == b.as_bytes()
                && !matches!(ty, ColumnType::Integer { .. } | ColumnType::Json | ColumnType::Bytes { .. }) =>
        {
            true
        }
        // Servers spell out what is a number of a document, and write `2024-01-15 10:30:00.120000+00`.
        (Raw::Number(a) | Raw::String(a) | Raw::Text(a), Cell::Text(b)) if matches!(ty, ColumnType::Decimal { .. }) => {
            matches!((plain(a), plain(b.as_bytes())), (Some(a), Some(b)) if a.is(&b))
        }
        (Raw::String(a) | Raw::Text(a), Cell::Text(b)) => {
            matches!(ty, ColumnType::Timestamp { .. }) && is_instant(a, b)
        }
        (Raw::String(a) | Raw::Text(a), Cell::Bytes(b)) => {
            matches!(ty, ColumnType::Uuid) && a.len() == 36 && is_uuid(a, b)
        }
        (Raw::Bool(a), Cell::Int(b)) => matches!(ty, ColumnType::Boolean) && i64::from(a) == b,
        (Raw::Number(a), Cell::Int(b)) => {
            plain(a).is_some_and(|n| n.places == 0 && n.canonical && n.digits <= EXACT && n.signed() == b)
        }
        (Raw::Number(a), Cell::Real(b)) => {
            matches!(ty, ColumnType::Decimal { .. } | ColumnType::Float { .. })
                && plain(a).is_some_and(|n| n.is_double(b))
        }
        _ => false,
    }
}

/// A number without an exponent: `±digits × 10^-places`.
struct Plain {
    negative: bool,
    digits: u64,
    places: usize,
    /// Whether it is spelled as an integer is written.
    canonical: bool,
}

impl Plain {
    fn signed(&self) -> i64 {
        let size = self.digits.cast_signed();
        if self.negative { -size } else { size }
    }

    /// Tells whether two numbers are the same, however many zeros end them.
    fn is(&self, other: &Self) -> bool {
        let (short, long) = if self.places <= other.places { (self, other) } else { (other, self) };
        let zeros = u32::try_from(long.places - short.places).unwrap_or(u32::MAX);
        let scaled = 10u64.checked_pow(zeros).and_then(|power| short.digits.checked_mul(power));
        scaled == Some(long.digits) && self.negative == other.negative
    }

    /// Digits and power are exact, so that the one rounding of the division is that of reading the number.
    fn is_double(&self, double: f64) -> bool {
        let Some(power) = POWERS.get(self.places) else { return false };
        let size = self.digits as f64 / power;
        self.digits > 0 && self.digits < DIGITS && (if self.negative { -size } else { size }) == double
    }
}

/// Reads a sign and up to 18 digits with at most one point.
fn plain(text: &[u8]) -> Option<Plain> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if rest.len() > 18 || !rest.first()?.is_ascii_digit() || !rest.last()?.is_ascii_digit() {
        return None;
    }
    // An integer is spelled without zeros before it; anything else is looked at more closely elsewhere.
    if rest[0] == b'0' && rest.len() > 1 && rest[1] != b'.' {
        return None;
    }
    let (mut digits, mut point) = (0u64, None);
    for (at, &byte) in rest.iter().enumerate() {
        match byte {
            b'0'..=b'9' => digits = digits * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let canonical = if rest[0] == b'0' { text.len() == 1 } else { true };
    Some(Plain {
        negative,
        digits,
        places: point.map_or(0, |at| rest.len() - at - 1),
        canonical: canonical && point.is_none(),
    })
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
fn is_instant(backup: &[u8], current: &str) -> bool {
    let (Some(a), Some(b)) = (spelled(backup), spelled(current.as_bytes())) else { return false };
    let utc = |offset: &[u8]| matches!(offset, b"" | b"Z" | b"+00" | b"+00:00");
    // What is no instant at all is compared as text elsewhere.
    a.second == b.second
        && a.fraction == b.fraction
        && utc(a.offset)
        && utc(b.offset)
        && parse_timestamp(current).is_some()
}

fn is_uuid(backup: &[u8], current: &[u8]) -> bool {
    let text = std::str::from_utf8(backup).ok().and_then(parse_uuid);
    matches!((text, <[u8; 16]>::try_from(current)), (Some(a), Ok(b)) if a == u128::from_be_bytes(b))
}

#[cfg(test)]
mod tests;
