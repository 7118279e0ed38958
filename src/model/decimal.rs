//! Exact decimals of any size in one canonical form, for comparing. Arithmetic is left to `bigdecimal`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A decimal number: `±digits × 10^exponent`, digits without leading or trailing zeros; zero has no digits.
///
/// Two spellings of one number (`1.10`, `1.1`, `11e-1`) have one form, so equality is equality of the fields.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// Whether it is below zero.
    pub negative: bool,
    /// ASCII digits, most significant first.
    pub digits: String,
    /// The power of ten of the last digit.
    pub exponent: i32,
}

impl Decimal {
    /// Parses an optional sign, digits with at most one point, and an optional exponent.
    ///
    /// Returns `None` for anything else, and for exponents beyond ±1,000,000.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (negative, rest) = match bytes.first()? {
            b'-' => (true, &bytes[1..]),
            b'+' => (false, &bytes[1..]),
            _ => (false, bytes),
        };
        let (mantissa, exponent) = match rest.iter().position(|b| matches!(b, b'e' | b'E')) {
            Some(at) => {
                let power: i32 = std::str::from_utf8(&rest[at + 1..]).ok()?.parse().ok()?;
                (&rest[..at], power)
            }
            None => (rest, 0),
        };
        if exponent.abs() > 1_000_000 {
            return None;
        }
        let mut digits = String::with_capacity(mantissa.len());
        let mut after_point = 0;
        let mut seen_point = false;
        let mut any = false;
        for &byte in mantissa {
            match byte {
                b'0'..=b'9' => {
                    any = true;
                    if seen_point {
                        after_point += 1;
                    }
                    if byte != b'0' || !digits.is_empty() {
                        digits.push(char::from(byte));
                    }
                }
                b'.' if !seen_point => seen_point = true,
                _ => return None,
            }
        }
        if !any {
            return None;
        }
        Some(Self::normal(negative, digits, exponent.checked_sub(after_point)?))
    }

    fn normal(negative: bool, mut digits: String, mut exponent: i32) -> Self {
        let kept = digits.trim_end_matches('0').len();
        exponent += i32::try_from(digits.len() - kept).unwrap_or(i32::MAX);
        digits.truncate(kept);
        if digits.is_empty() {
            return Self { negative: false, digits, exponent: 0 };
        }
        Self { negative, digits, exponent }
    }

    /// Makes a decimal from an integer.
    pub fn from_i128(value: i128) -> Self {
        Self::normal(value < 0, value.unsigned_abs().to_string(), 0)
    }

    /// Makes a decimal from a finite double by its shortest spelling that reads back as the same double.
    pub fn from_f64(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        Self::parse(&format!("{value:e}"))
    }

    /// Returns the integer it is, if it is one and fits.
    pub fn to_i128(&self) -> Option<i128> {
        if self.exponent < 0 {
            return None;
        }
        if self.digits.is_empty() {
            return Some(0);
        }
        if self.exponent > 40 {
            return None;
        }
        let zeros = usize::try_from(self.exponent).ok()?;
        let text = format!("{}{}{}", if self.negative { "-" } else { "" }, self.digits, "0".repeat(zeros));
        text.parse().ok()
    }

    /// Returns the nearest double.
    pub fn to_f64(&self) -> f64 {
        f64::from_str(&format!(
            "{}{}e{}",
            if self.negative { "-" } else { "" },
            if self.digits.is_empty() { "0" } else { &self.digits },
            self.exponent
        ))
        .unwrap_or(f64::NAN)
    }

    /// Returns how many digits stand before and after the point: what `numeric(precision, scale)` counts.
    pub fn extent(&self) -> (i64, i64) {
        let length = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        let exponent = i64::from(self.exponent);
        ((length + exponent).max(0), (-exponent).max(0))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |d: &Self| {
            if d.digits.is_empty() {
                0
            } else if d.negative {
                -1
            } else {
                1
            }
        };
        let by_sign = sign(self).cmp(&sign(other));
        if by_sign != Ordering::Equal || sign(self) == 0 {
            return by_sign;
        }
        let magnitude = |d: &Self| i64::try_from(d.digits.len()).unwrap_or(i64::MAX) + i64::from(d.exponent);
        let order = magnitude(self).cmp(&magnitude(other)).then_with(|| self.digits.cmp(&other.digits));
        if self.negative { order.reverse() } else { order }
    }
}

impl fmt::Display for Decimal {
    /// Writes plain digits; beyond 1,000 zeros the scientific form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        let length = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        let exponent = i64::from(self.exponent);
        if exponent.abs() > 1_000 {
            return write!(f, "{}e{}", self.digits, self.exponent);
        }
        if exponent >= 0 {
            return write!(f, "{}{}", self.digits, "0".repeat(usize::try_from(exponent).unwrap_or(0)));
        }
        let point = length + exponent;
        if point > 0 {
            let (whole, part) = self.digits.split_at(usize::try_from(point).unwrap_or(0));
            write!(f, "{whole}.{part}")
        } else {
            write!(f, "0.{}{}", "0".repeat(usize::try_from(-point).unwrap_or(0)), self.digits)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn spellings_of_one_number_have_one_form() {
        let check = |text: &str, plain: &str| {
            assert_eq!(Decimal::parse(text).map(|d| d.to_string()).as_deref(), Some(plain), "{text}")
        };
        check("1.10", "1.1");
        check("+01.1000", "1.1");
        check("11e-1", "1.1");
        check("-0.000", "0");
        check("1e3", "1000");
        check("0.001", "0.001");
        check("123456789012345678901234567890.5", "123456789012345678901234567890.5");
        for bad in ["", "-", ".", "1.2.3", "1e", "abc", "1 ", "0x10", "NaN", "1e99999999"] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn order_is_numeric() {
        let sorted = ["-100", "-2", "-1.5", "0", "0.09", "0.1", "1", "1.5", "9", "10", "1e30"];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(Decimal::parse(a).cmp(&Decimal::parse(b)), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn doubles_become_their_shortest_decimal() {
        assert_eq!(Decimal::from_f64(0.1).map(|d| d.to_string()).as_deref(), Some("0.1"));
        assert_eq!(Decimal::from_f64(f64::NAN), None);
        assert_eq!(Decimal::parse("9007199254740993").and_then(|d| d.to_i128()), Some(9_007_199_254_740_993));
    }
}
