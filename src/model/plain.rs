//! Numbers without an exponent, as nearly all are written: `±digits × 10^-places`, exact in a machine word.

/// Decimals of up to 15 digits survive the way through a double, so each double is at most one of them.
const DIGITS: u64 = 1_000_000_000_000_000;
/// Powers of ten that a double holds exactly.
const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Such a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    /// Whether a minus stands before it.
    pub negative: bool,
    /// All its digits as one number.
    pub digits: u64,
    /// Digits behind the point.
    pub places: u8,
    /// Whether it is spelled as an integer is written.
    pub canonical: bool,
}

impl Plain {
    /// Reads a sign and up to 18 digits with at most one point; nothing where it is spelled in another way.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
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
        Some(Self {
            negative,
            digits,
            places: point.map_or(0, |at| (rest.len() - at - 1) as u8),
            canonical: canonical && point.is_none(),
        })
    }

    /// Tells whether it is an integer, spelled as one.
    #[inline]
    pub(crate) fn is_integer(&self, integer: i64) -> bool {
        let size = self.digits.cast_signed();
        self.canonical && (if self.negative { -size } else { size }) == integer
    }

    /// Tells whether two numbers are the same, however many zeros end them.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let (short, long) = if self.places <= other.places { (self, other) } else { (other, self) };
        let zeros = u32::from(long.places - short.places);
        let scaled = 10u64.checked_pow(zeros).and_then(|power| short.digits.checked_mul(power));
        scaled == Some(long.digits) && self.negative == other.negative
    }

    /// Tells whether it is what a double says; both have at most one spelling there.
    ///
    /// Digits and power are exact, so that the one rounding of the division is that of reading the number.
    #[inline]
    pub(crate) fn is_double(&self, double: f64) -> bool {
        let Some(power) = POWERS.get(usize::from(self.places)) else { return false };
        let size = self.digits as f64 / power;
        self.digits > 0 && self.digits < DIGITS && (if self.negative { -size } else { size }) == double
    }
}
