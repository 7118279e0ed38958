//! Dates, times and instants with the precision they were written in.
//!
//! The parser reads what databases and exports really write (ISO 8601 and SQL forms, any offset, `infinity`,
//! years beyond four digits) at memory speed; the proleptic Gregorian arithmetic follows Howard Hinnant,
//! "chrono-Compatible Low-Level Date Algorithms" (2013).

use std::fmt;

/// Seconds of `infinity`, which PostgreSQL stores as a date.
pub const INFINITY: i64 = i64::MAX;
/// Seconds of `-infinity`.
pub const NEG_INFINITY: i64 = i64::MIN;

/// An instant, or a wall-clock reading where `zoned` is false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01 00:00 (UTC where zoned).
    pub seconds: i64,
    /// Nanoseconds within the second, 0–999,999,999.
    pub nanos: u32,
    /// Digits of the fraction that the writer could express, 0–9.
    pub digits: u8,
    /// Whether an offset was given.
    pub zoned: bool,
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeOfDay {
    /// Nanoseconds since midnight; 24:00 is allowed, and so are MariaDB's times beyond a day and below zero.
    pub nanos: i64,
    /// Digits of the fraction that the writer could express.
    pub digits: u8,
}

/// Returns the days since 1970-01-01 of a proleptic Gregorian date.
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_index = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_index + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Returns year, month and day of a number of days since 1970-01-01.
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
}

fn month_length(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        _ => 31,
    }
}

/// A position in ASCII text; every step returns `None` where the text is something else.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn two(&mut self) -> Option<u32> {
        let pair = self.bytes.get(self.at..self.at + 2)?;
        if !pair[0].is_ascii_digit() || !pair[1].is_ascii_digit() {
            return None;
        }
        self.at += 2;
        Some(u32::from(pair[0] - b'0') * 10 + u32::from(pair[1] - b'0'))
    }

    fn date(&mut self) -> Option<i64> {
        let negative = match self.peek()? {
            b'-' => {
                self.at += 1;
                true
            }
            b'+' => {
                self.at += 1;
                false
            }
            _ => false,
        };
        let start = self.at;
        let mut year: i64 = 0;
        while let Some(byte @ b'0'..=b'9') = self.peek() {
            if self.at - start >= 7 {
                return None;
            }
            year = year * 10 + i64::from(byte - b'0');
            self.at += 1;
        }
        if self.at - start < 4 || !self.eat(b'-') {
            return None;
        }
        let year = if negative { -year } else { year };
        let month = self.two()?;
        if !self.eat(b'-') {
            return None;
        }
        let day = self.two()?;
        if !(1..=12).contains(&month) || day == 0 || day > month_length(year, month) {
            return None;
        }
        Some(days_from_civil(year, month, day))
    }

    /// Reads `HH:MM[:SS[.fraction]]` as seconds, nanoseconds and digits; 24:00:00 and the leap second :60 are read.
    fn clock(&mut self) -> Option<(i64, u32, u8)> {
        let hour = self.two()?;
        if !self.eat(b':') {
            return None;
        }
        let minute = self.two()?;
        let mut second = 0;
        let (mut nanos, mut digits) = (0u32, 0u8);
        if self.eat(b':') {
            second = self.two()?;
            if self.peek() == Some(b'.') || self.peek() == Some(b',') {
                self.at += 1;
                let start = self.at;
                let mut scale = 100_000_000u32;
                while let Some(byte @ b'0'..=b'9') = self.peek() {
                    nanos += u32::from(byte - b'0') * scale;
                    scale /= 10;
                    self.at += 1;
                }
                if self.at == start {
                    return None;
                }
                digits = u8::try_from((self.at - start).min(9)).ok()?;
            }
        }
        let midnight_end = hour == 24 && minute == 0 && second == 0 && nanos == 0;
        if !(hour < 24 || midnight_end) || minute > 59 || second > 60 {
            return None;
        }
        Some((i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second), nanos, digits))
    }

    /// Reads `Z` or `±HH[[:]MM[:SS]]` as seconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        if self.eat(b'Z') || self.eat(b'z') {
            return Some(0);
        }
        let sign = if self.eat(b'+') {
            1
        } else if self.eat(b'-') {
            -1
        } else {
            return None;
        };
        let mut total = i64::from(self.two()?) * 3600;
        if self.at < self.bytes.len() {
            self.eat(b':');
            total += i64::from(self.two()?) * 60;
        }
        if self.eat(b':') {
            total += i64::from(self.two()?);
        }
        Some(sign * total)
    }
}

/// Reads a timestamp: `2024-01-15T10:30:00.123Z`, `2024-01-15 10:30:00+02`, `2024-01-15`, `infinity`, `0044-03-15 BC`.
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    match bytes.first()? {
        b'i' | b'I' if text.eq_ignore_ascii_case("infinity") => {
            return Some(Timestamp { seconds: INFINITY, nanos: 0, digits: 9, zoned: true });
        }
        b'-' if text.eq_ignore_ascii_case("-infinity") => {
            return Some(Timestamp { seconds: NEG_INFINITY, nanos: 0, digits: 9, zoned: true });
        }
        _ => {}
    }
    if let Some(rest) = text.strip_suffix(" BC") {
        let (year, tail) = rest.split_at_checked(rest.find('-')?)?;
        let before: i64 = year.parse::<i64>().ok()?.checked_sub(1)?;
        return parse_timestamp(&format!("-{before:04}{tail}"));
    }
    let mut scan = Scanner { bytes, at: 0 };
    let days = scan.date()?;
    let (mut seconds, mut nanos, mut digits, mut zoned) = (0, 0, 0, false);
    if scan.at < bytes.len() {
        if !(scan.eat(b'T') || scan.eat(b' ') || scan.eat(b't')) {
            return None;
        }
        (seconds, nanos, digits) = scan.clock()?;
        scan.eat(b' ');
        if scan.at < bytes.len() {
            seconds -= scan.offset()?;
            zoned = true;
        }
    }
    (scan.at == bytes.len()).then(|| Timestamp { seconds: days * 86_400 + seconds, nanos, digits, zoned })
}

/// Reads a date as days since 1970-01-01; a timestamp at midnight is a date too.
pub fn parse_date(text: &str) -> Option<i64> {
    let stamp = parse_timestamp(text)?;
    if matches!(stamp.seconds, INFINITY | NEG_INFINITY) {
        return Some(stamp.seconds);
    }
    (stamp.seconds.rem_euclid(86_400) == 0 && stamp.nanos == 0).then(|| stamp.seconds.div_euclid(86_400))
}

/// Reads a time of day `HH:MM[:SS[.fraction]]`.
pub fn parse_time(text: &str) -> Option<TimeOfDay> {
    let mut scan = Scanner { bytes: text.as_bytes(), at: 0 };
    let (seconds, nanos, digits) = scan.clock()?;
    (scan.at == text.len()).then(|| TimeOfDay { nanos: seconds * 1_000_000_000 + i64::from(nanos), digits })
}

impl Timestamp {
    /// Makes an instant from a count of units since 1970, `digits` fraction digits each (3: milliseconds).
    pub fn from_epoch(count: i64, digits: u8) -> Self {
        let per_second = 10i64.pow(u32::from(digits.min(9)));
        let part = count.rem_euclid(per_second) * 10i64.pow(u32::from(9 - digits.min(9)));
        Self { seconds: count.div_euclid(per_second), nanos: u32::try_from(part).unwrap_or(0), digits, zoned: true }
    }

    /// Returns the count of units since 1970, `digits` fraction digits each, cutting what is finer.
    pub fn to_epoch(self, digits: u8) -> Option<i64> {
        let per_second = 10i64.pow(u32::from(digits.min(9)));
        let part = i64::from(self.nanos) / 10i64.pow(u32::from(9 - digits.min(9)));
        self.seconds.checked_mul(per_second)?.checked_add(part)
    }

    /// Returns the distance to another instant in nanoseconds.
    pub fn nanos_since(self, other: Self) -> i128 {
        (i128::from(self.seconds) - i128::from(other.seconds)) * 1_000_000_000 + i128::from(self.nanos)
            - i128::from(other.nanos)
    }

    /// Tells whether two instants are one at the coarser of their precisions.
    pub fn same_at_coarser(self, other: Self) -> bool {
        if self.digits == other.digits {
            return self.seconds == other.seconds && self.nanos == other.nanos;
        }
        let unit = 10i128.pow(u32::from(9 - self.digits.min(other.digits)));
        self.nanos_since(other).abs() < unit
    }

    /// Writes the instant with a separator, a number of fraction digits and a suffix: the forms that columns use.
    pub fn format(self, separator: char, digits: u8, suffix: &str) -> String {
        match self.seconds {
            INFINITY => return "infinity".to_owned(),
            NEG_INFINITY => return "-infinity".to_owned(),
            _ => {}
        }
        let date = format_date(self.seconds.div_euclid(86_400));
        let day = self.seconds.rem_euclid(86_400);
        let mut text = format!("{date}{separator}{:02}:{:02}:{:02}", day / 3600, day / 60 % 60, day % 60);
        push_fraction(&mut text, self.nanos, digits);
        text.push_str(suffix);
        text
    }
}

fn push_fraction(text: &mut String, nanos: u32, digits: u8) {
    if digits > 0 {
        let all = format!("{nanos:09}");
        text.push('.');
        text.push_str(&all[..usize::from(digits.min(9))]);
    }
}

/// Writes a date as `YYYY-MM-DD`.
pub fn format_date(days: i64) -> String {
    match days {
        INFINITY => return "infinity".to_owned(),
        NEG_INFINITY => return "-infinity".to_owned(),
        _ => {}
    }
    let (year, month, day) = civil_from_days(days);
    if year < 0 { format!("-{:04}-{month:02}-{day:02}", -year) } else { format!("{year:04}-{month:02}-{day:02}") }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format('T', self.digits, if self.zoned { "Z" } else { "" }))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let total = self.nanos.unsigned_abs();
        let seconds = total / 1_000_000_000;
        let mut text = format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        push_fraction(&mut text, u32::try_from(total % 1_000_000_000).unwrap_or(0), self.digits);
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_round_trip_over_four_millennia() {
        for days in (-800_000..1_000_000).step_by(37) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
            assert_eq!(parse_date(&format_date(days)), Some(days), "{}", format_date(days));
        }
    }

    #[test]
    fn spellings_of_one_instant_agree() {
        let reference = parse_timestamp("2024-01-15T10:30:00.000Z").map(|t| (t.seconds, t.nanos));
        for text in [
            "2024-01-15T10:30:00Z",
            "2024-01-15 10:30:00+00:00",
            "2024-01-15T12:30:00+02",
            "2024-01-15T05:00:00-0530",
            "2024-01-15 10:30:00",
        ] {
            assert_eq!(parse_timestamp(text).map(|t| (t.seconds, t.nanos)), reference, "{text}");
        }
        assert_eq!(Timestamp::from_epoch(1_705_314_600_000, 3).to_string(), "2024-01-15T10:30:00.000Z");
        assert_eq!(Timestamp::from_epoch(-1, 3).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "2024-02-30",
            "2024-13-01",
            "0000-00-00",
            "2024-01-15T25:00:00Z",
            "2024-01-15T10:30:00Zjunk",
            "x",
            "24-01-15",
            "2024-1-5",
            "2024-01-15T",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
        assert!(parse_timestamp("infinity").is_some_and(|t| t.seconds == INFINITY));
        assert!(parse_timestamp("0044-03-15 BC").is_some_and(|t| civil_from_days(t.seconds / 86_400).0 == -43));
        assert!(parse_timestamp("9999-12-31T23:59:59.999999Z").is_some());
    }

    #[test]
    fn the_coarser_precision_decides() {
        let at = |s: &str| parse_timestamp(s).expect("a timestamp");
        assert!(at("2024-01-15T10:30:00.789123Z").same_at_coarser(at("2024-01-15T10:30:00.789Z")));
        assert!(!at("2024-01-15T10:30:00.789Z").same_at_coarser(at("2024-01-15T10:30:00.788Z")));
        assert!(!at("2024-01-15T10:30:00.790Z").same_at_coarser(at("2024-01-15T10:30:00.788123Z")));
    }
}
