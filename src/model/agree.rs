//! Whether a field of a backup is the same as current's by its spelling alone, without giving either a canonical form.
//!
//! Where it says yes, `encode` and `compare` would say so too; where it says no, they have to be asked. Only pairs that
//! formats and databases produce every day are known here: it is the way of nearly all records of an analysis.

use super::cell::Cell;
use super::raw::Raw;
use super::schema::ColumnType;

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
        (Raw::Number(a), Cell::Number(b))
        | (Raw::String(a), Cell::String(b))
        | (Raw::Text(a), Cell::Text(b))
        | (Raw::Json(a), Cell::Json(b)) => a == b.as_bytes(),
        (Raw::BrokenText(a), Cell::RawText(b)) | (Raw::Bytes(a), Cell::Bytes(b)) => a == b,
        // A document's string is read as its column's type is; in these types it is read otherwise than text.
        (Raw::String(a), Cell::Text(b)) => {
            !matches!(ty, ColumnType::Integer { .. } | ColumnType::Json | ColumnType::Bytes { .. }) && a == b.as_bytes()
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
    if rest.is_empty() || rest.len() > 18 {
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

#[cfg(test)]
mod tests;
