//! Decimals of usual size without an allocation: what prices and amounts are, in documents and in SQLite's doubles.
//!
//! Every function returns `None` where [`Decimal`](super::Decimal) has to look; where it answers, it answers alike.

/// A decimal `±digits × 10^exponent` whose digits end in no zero; zero has exponent 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Small {
    pub(super) negative: bool,
    pub(super) digits: u64,
    pub(super) exponent: i32,
}

/// Powers of ten that a double holds exactly; amounts have few places.
const POWERS: [f64; 7] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
/// Decimals of up to 15 digits survive the way through a double, so each double has at most one of them.
const EXACT: f64 = 1e15;
/// Longer texts may not fit 64 bits.
const MAX_DIGITS: usize = 18;

impl Small {
    fn normal(negative: bool, mut digits: u64, mut exponent: i32) -> Self {
        if digits == 0 {
            return Self { negative: false, digits, exponent: 0 };
        }
        while digits.is_multiple_of(10) {
            digits /= 10;
            exponent += 1;
        }
        Self { negative, digits, exponent }
    }

    pub(super) fn from_i64(value: i64) -> Self {
        Self::normal(value < 0, value.unsigned_abs(), 0)
    }

    /// Finds the decimal of at most 15 digits and six places that reads back as the same double.
    pub(super) fn from_f64(value: f64) -> Option<Self> {
        let size = value.abs();
        POWERS.iter().zip(0..).find_map(|(&power, places)| {
            let digits = (size * power).round();
            // Both are whole numbers that a double holds, so the division rounds as reading the decimal would.
            (digits < EXACT && digits / power == size).then(|| Self::normal(value < 0.0, digits as u64, -places))
        })
    }

    /// Parses a sign, digits with at most one point, and no exponent.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (negative, rest) = match bytes.first()? {
            b'-' => (true, &bytes[1..]),
            _ => (false, bytes),
        };
        if rest.len() > MAX_DIGITS {
            return None;
        }
        let (mut digits, mut places, mut point, mut any) = (0u64, 0, false, false);
        for &byte in rest {
            match byte {
                b'0'..=b'9' => {
                    any = true;
                    digits = digits * 10 + u64::from(byte - b'0');
                    places += i32::from(point);
                }
                b'.' if !point => point = true,
                _ => return None,
            }
        }
        any.then(|| Self::normal(negative, digits, -places))
    }

    /// Writes the digits, most significant first, into the end of a buffer; zero has none.
    pub(super) fn text(self, buffer: &mut [u8; 20]) -> &[u8] {
        let (mut rest, mut at) = (self.digits, buffer.len());
        while rest > 0 {
            at -= 1;
            buffer[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        &buffer[at..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::decimal::Decimal;
    use proptest::prelude::*;

    fn check(small: Option<Small>, exact: Option<Decimal>) {
        let Some(small) = small else { return };
        let exact = exact.expect("what the fast way reads, the exact way reads");
        let mut buffer = [0; 20];
        let digits = String::from_utf8(small.text(&mut buffer).to_vec()).expect("digits are ASCII");
        assert_eq!(Decimal { negative: small.negative, digits, exponent: small.exponent }, exact);
    }

    #[test]
    fn edges_are_as_the_exact_way_has_them() {
        for value in [0.0, -0.0, 0.1, 0.30000000000000004, 1e15, 999_999_999_999_999.0, 1e-7, 2.5, f64::MAX, 5e-324] {
            check(Small::from_f64(value), Decimal::from_f64(value));
            check(Small::from_f64(-value), Decimal::from_f64(-value));
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Small::from_f64(value), None);
        }
        for text in ["", "-", ".", "-.", "1.", ".5", "-0.00", "000", "1.2.3", "1e3", "+1", "999999999999999999"] {
            check(Small::parse(text), Decimal::parse(text));
        }
        for value in [0, 10, -100, i64::MIN, i64::MAX] {
            check(Some(Small::from_i64(value)), Some(Decimal::from_i128(value.into())));
        }
        assert!(Small::from_f64(1234.56).is_some() && Small::parse("1234.50").is_some(), "usual amounts are small");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn doubles_are_as_the_exact_way_has_them(value: f64, amount in -10_000_000_000_000i64..10_000_000_000_000, places in 0..9) {
            check(Small::from_f64(value), Decimal::from_f64(value));
            let amount = amount as f64 / 10f64.powi(places);
            check(Small::from_f64(amount), Decimal::from_f64(amount));
        }

        #[test]
        fn texts_are_as_the_exact_way_has_them(text in "-?[0-9]{0,12}[.]?[0-9]{0,12}") {
            check(Small::parse(&text), Decimal::parse(&text));
        }
    }
}
