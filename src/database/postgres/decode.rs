//! PostgreSQL's binary values as cells.
//!
//! *Source:* the `…send` functions of PostgreSQL: `int8send`, `numeric_send` (base 10,000, weight, sign, display scale),
//! `timestamptz_send` (microseconds since 2000-01-01, the extremes are ±infinity), `uuid_send`, `jsonb_send`.
//! A typed decoder of the driver is not used: infinity, 24:00, NaN and long decimals are values here, not errors.

use super::types::Wire;
use crate::error::{Result, fail};
use crate::model::Cell;
use crate::model::calendar::civil_from_days;
use std::fmt::Write;

/// Days from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i64 = 10_957;
const DAY_MICROS: i64 = 86_400_000_000;

/// Decodes the fields of one record after another, reusing one buffer for values that have to be spelled out.
pub(super) struct Decoder {
    wires: Vec<Wire>,
    scratch: String,
    spelled: Vec<(usize, usize)>,
}

impl Decoder {
    /// Makes a decoder for columns that travel so.
    pub(super) fn new(wires: Vec<Wire>) -> Self {
        Self { wires, scratch: String::new(), spelled: Vec::new() }
    }

    /// Appends one cell a field.
    ///
    /// # Errors
    /// `Failed` when bytes are not what the type's documentation says.
    pub(super) fn record<'a>(&'a mut self, fields: &[Option<&'a [u8]>], cells: &mut Vec<Cell<'a>>) -> Result<()> {
        self.scratch.clear();
        self.spelled.clear();
        let bad = |wire: Wire| fail!(Failed, "the server sent a value of an unexpected form ({wire:?})");
        for (&field, &wire) in fields.iter().zip(&self.wires) {
            let start = self.scratch.len();
            if let Some(bytes) = field {
                spell(bytes, wire, &mut self.scratch).ok_or_else(|| bad(wire))?;
            }
            self.spelled.push((start, self.scratch.len()));
        }
        for ((&field, &wire), &(start, end)) in fields.iter().zip(&self.wires).zip(&self.spelled) {
            let Some(bytes) = field else {
                cells.push(Cell::Null);
                continue;
            };
            cells.push(match wire {
                Wire::Bool => Cell::Bool(*bytes.first().ok_or_else(|| bad(wire))? != 0),
                Wire::Int => Cell::Int(integer(bytes).ok_or_else(|| bad(wire))?),
                Wire::Float => Cell::Real(match bytes.len() {
                    4 => f64::from(f32::from_be_bytes(bytes.try_into().map_err(|_| bad(wire))?)),
                    _ => f64::from_be_bytes(bytes.try_into().map_err(|_| bad(wire))?),
                }),
                Wire::Text | Wire::Printed | Wire::Array => text(bytes),
                Wire::Jsonb => text(bytes.get(1..).ok_or_else(|| bad(wire))?),
                Wire::Bytes | Wire::Uuid => Cell::Bytes(bytes),
                Wire::Numeric | Wire::Timestamp(..) | Wire::Date | Wire::Time(_) => {
                    Cell::Text(&self.scratch[start..end])
                }
            });
        }
        Ok(())
    }
}

/// Text, or the raw bytes where a database without an encoding holds something else.
fn text(bytes: &[u8]) -> Cell<'_> {
    match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => Cell::Text(text),
        Err(_) => Cell::RawText(bytes),
    }
}

fn integer(bytes: &[u8]) -> Option<i64> {
    Some(match bytes.len() {
        2 => i64::from(i16::from_be_bytes(bytes.try_into().ok()?)),
        4 => i64::from(i32::from_be_bytes(bytes.try_into().ok()?)),
        _ => i64::from_be_bytes(bytes.try_into().ok()?),
    })
}

/// Spells out a value that has no cell of its own; other kinds are left to the caller.
fn spell(bytes: &[u8], wire: Wire, out: &mut String) -> Option<()> {
    match wire {
        Wire::Numeric => numeric(bytes, out),
        Wire::Timestamp(digits, zoned) => {
            timestamp(integer(bytes)?, digits, zoned, out);
            Some(())
        }
        Wire::Date => {
            date(integer(bytes)?, out);
            Some(())
        }
        Wire::Time(digits) => {
            clock(integer(bytes)?, digits, out);
            Some(())
        }
        _ => Some(()),
    }
}

fn digit(value: i64) -> char {
    char::from(b'0' + u8::try_from(value % 10).unwrap_or(0))
}

fn two(value: i64, out: &mut String) {
    out.push(digit(value / 10));
    out.push(digit(value));
}

/// Writes 0 to 9,999 without zeros before it.
fn first_group(value: i64, out: &mut String) {
    match value {
        0..=9 => out.push(digit(value)),
        10..=99 => two(value, out),
        100..=999 => {
            out.push(digit(value / 100));
            two(value, out);
        }
        _ => {
            two(value / 100, out);
            two(value, out);
        }
    }
}

fn civil(days: i64, out: &mut String) -> bool {
    let (year, month, day) = civil_from_days(days);
    let before = year <= 0;
    let shown = if before { 1 - year } else { year };
    if shown < 10_000 {
        two(shown / 100, out);
        two(shown, out);
    } else {
        // Writing to a string can't fail.
        let _ = write!(out, "{shown}");
    }
    out.push('-');
    two(i64::from(month), out);
    out.push('-');
    two(i64::from(day), out);
    before
}

fn date(days: i64, out: &mut String) {
    if days == i64::from(i32::MAX) {
        return out.push_str("infinity");
    }
    if days == i64::from(i32::MIN) {
        return out.push_str("-infinity");
    }
    if civil(days + EPOCH_DAYS, out) {
        out.push_str(" BC");
    }
}

fn timestamp(micros: i64, digits: u8, zoned: bool, out: &mut String) {
    if micros == i64::MAX {
        return out.push_str("infinity");
    }
    if micros == i64::MIN {
        return out.push_str("-infinity");
    }
    let before = civil(micros.div_euclid(DAY_MICROS) + EPOCH_DAYS, out);
    out.push(' ');
    clock(micros.rem_euclid(DAY_MICROS), digits, out);
    if zoned {
        out.push_str("+00");
    }
    if before {
        out.push_str(" BC");
    }
}

fn clock(micros: i64, digits: u8, out: &mut String) {
    let seconds = micros / 1_000_000;
    two(seconds / 3600, out);
    out.push(':');
    two(seconds / 60 % 60, out);
    out.push(':');
    two(seconds % 60, out);
    if digits > 0 {
        out.push('.');
        let fraction = micros % 1_000_000;
        let start = out.len();
        two(fraction / 10_000, out);
        two(fraction / 100, out);
        two(fraction, out);
        out.truncate(start + usize::from(digits));
    }
}

fn numeric(bytes: &[u8], out: &mut String) -> Option<()> {
    let word = |at: usize| Some(i64::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?)));
    let (count, weight, sign, scale) = (word(0)?, word(2)? as u16 as i16, word(4)?, usize::try_from(word(6)?).ok()?);
    match sign {
        0x0000 => {}
        0x4000 => out.push('-'),
        0xC000 => {
            out.push_str("NaN");
            return Some(());
        }
        0xD000 => {
            out.push_str("Infinity");
            return Some(());
        }
        0xF000 => {
            out.push_str("-Infinity");
            return Some(());
        }
        _ => return None,
    }
    let group = |position: i64| -> Option<i64> {
        if (0..count).contains(&position) { word(8 + usize::try_from(position).ok()? * 2) } else { Some(0) }
    };
    if weight < 0 {
        out.push('0');
    }
    for position in 0..=i64::from(weight) {
        let value = group(position)?;
        if position > 0 {
            two(value / 100, out);
            two(value, out);
        } else {
            first_group(value, out);
        }
    }
    if scale > 0 {
        out.push('.');
        let start = out.len();
        let mut position = i64::from(weight) + 1;
        while out.len() - start < scale {
            let value = group(position)?;
            two(value / 100, out);
            two(value, out);
            position += 1;
        }
        out.truncate(start + scale);
    }
    Some(())
}

/// Splits the stream of `COPY … (FORMAT binary)` into records.
///
/// *Source:* PostgreSQL manual, `COPY`, section "Binary Format": signature, flags, extension; per record a count and
/// per field a length and bytes, -1 for null; a count of -1 at the end.
#[derive(Default)]
pub(super) struct CopySplitter {
    header_read: bool,
}

/// What the front of the buffered stream is.
pub(super) enum Front<'a> {
    /// A record of so many bytes; its fields were pushed.
    Record(&'a [u8]),
    /// The rest of a record is still to come.
    Incomplete,
    /// The end.
    End,
}

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

impl CopySplitter {
    /// Takes the first record off the front; returns what stands behind it.
    ///
    /// # Errors
    /// `Failed` when the stream is no COPY data.
    pub(super) fn next<'a>(&mut self, mut data: &'a [u8], fields: &mut Vec<Option<&'a [u8]>>) -> Result<Front<'a>> {
        let bad = || fail!(Failed, "the server's COPY stream is not in the documented form");
        fields.clear();
        if !self.header_read {
            let Some(extension) = data.get(15..19) else { return Ok(Front::Incomplete) };
            let extension = u32::from_be_bytes(extension.try_into().map_err(|_| bad())?) as usize;
            if !data.starts_with(SIGNATURE) {
                return Err(bad());
            }
            let Some(rest) = data.get(19 + extension..) else { return Ok(Front::Incomplete) };
            data = rest;
        }
        let Some((count, mut rest)) = data.split_first_chunk::<2>() else { return Ok(Front::Incomplete) };
        let count = i16::from_be_bytes(*count);
        if count < 0 {
            return Ok(Front::End);
        }
        for _ in 0..count {
            let Some((length, tail)) = rest.split_first_chunk::<4>() else { return Ok(Front::Incomplete) };
            let length = i32::from_be_bytes(*length);
            if length < 0 {
                fields.push(None);
                rest = tail;
                continue;
            }
            let Some((field, tail)) = tail.split_at_checked(usize::try_from(length).map_err(|_| bad())?) else {
                return Ok(Front::Incomplete);
            };
            fields.push(Some(field));
            rest = tail;
        }
        self.header_read = true;
        Ok(Front::Record(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(bytes: &[u8], wire: Wire) -> String {
        let mut out = String::new();
        spell(bytes, wire, &mut out).expect("a value");
        out
    }

    #[test]
    fn instants_keep_their_extremes() {
        let at = |micros: i64| spelled(&micros.to_be_bytes(), Wire::Timestamp(6, true));
        assert_eq!(at(0), "2000-01-01 00:00:00.000000+00");
        assert_eq!(at(i64::MAX), "infinity");
        assert_eq!(at(i64::MIN), "-infinity");
        assert_eq!(at(-1), "1999-12-31 23:59:59.999999+00");
        assert_eq!(at(-211_813_488_000_000_000), "4714-11-24 00:00:00.000000+00 BC");
        assert_eq!(spelled(&86_400_000_000i64.to_be_bytes(), Wire::Time(3)), "24:00:00.000");
        assert_eq!(spelled(&1_500_000i64.to_be_bytes(), Wire::Timestamp(0, false)), "2000-01-01 00:00:01");
    }

    #[test]
    fn decimals_are_spelled_digit_by_digit() {
        let make = |words: &[u16]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
        for (words, text) in [
            (vec![2, 0, 0, 2, 1, 1000], "1.10"),
            (vec![0, 0, 0, 0], "0"),
            (vec![0, 0, 0, 3], "0.000"),
            (vec![1, 0xffff, 0x4000, 4, 42], "-0.0042"),
            (vec![1, 0xfffe, 0, 8, 42], "0.00000042"),
            (vec![1, 2, 0, 0, 5], "500000000"),
            (vec![3, 1, 0, 2, 12, 3456, 7800], "123456.78"),
            (vec![0, 0, 0xC000, 0], "NaN"),
        ] {
            assert_eq!(spelled(&make(&words), Wire::Numeric), text);
        }
    }

    #[test]
    fn a_copy_stream_cut_anywhere_is_incomplete() {
        let mut stream = SIGNATURE.to_vec();
        stream.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, b'x', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        let record_end = stream.len() - 2;
        for length in 0..record_end {
            let mut fields = Vec::new();
            let front = CopySplitter::default().next(&stream[..length], &mut fields);
            assert!(matches!(front, Ok(Front::Incomplete)), "{length}");
        }
        let mut splitter = CopySplitter::default();
        let mut fields = Vec::new();
        let Ok(Front::Record(rest)) = splitter.next(&stream, &mut fields) else { panic!("no record") };
        assert_eq!(fields, [Some(&b"x"[..]), None]);
        assert!(matches!(splitter.next(rest, &mut fields), Ok(Front::End)));
        assert!(CopySplitter::default().next(&[0; 40], &mut fields).is_err());
    }
}
