//! MySQL's binary values as cells.
//!
//! *Source:* MySQL source documentation, "Binary Protocol Resultset": little-endian numbers; a date has a length byte
//! (0, 4, 7 or 11), year, month, day, hour, minute, second, microseconds; a time has a sign, days and the rest.
//! The driver shows a zero date as null, so the bytes are looked at here.

use super::types::Wire;
use crate::error::{Result, fail};
use crate::model::Cell;
use sqlx::mysql::{MySql, MySqlRow, MySqlValueRef};
use sqlx::{Decode, Row, ValueRef};
use std::fmt::Write;

/// Decodes one row after another, reusing one buffer for values that have to be spelled out.
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

    /// Appends one cell for each column from `first` on.
    ///
    /// # Errors
    /// `Failed` when bytes are not what the protocol says.
    pub(super) fn record<'a>(&'a mut self, row: &'a MySqlRow, first: usize, cells: &mut Vec<Cell<'a>>) -> Result<()> {
        self.scratch.clear();
        self.spelled.clear();
        let bad = |wire: Wire| fail!(Failed, "the server sent a value of an unexpected form ({wire:?})");
        for (position, &wire) in self.wires.iter().enumerate() {
            let start = self.scratch.len();
            if matches!(wire, Wire::Date | Wire::DateTime(_) | Wire::Time(_))
                && let Some(bytes) = bytes(row, first + position, wire)?
            {
                spell(bytes, wire, &mut self.scratch).ok_or_else(|| bad(wire))?;
            }
            self.spelled.push((start, self.scratch.len()));
        }
        for ((position, &wire), &(start, end)) in self.wires.iter().enumerate().zip(&self.spelled) {
            let Some(bytes) = bytes(row, first + position, wire)? else {
                cells.push(Cell::Null);
                continue;
            };
            cells.push(match wire {
                Wire::Integer { unsigned: false } | Wire::Flag => Cell::Int(signed(bytes).ok_or_else(|| bad(wire))?),
                Wire::Integer { unsigned: true } | Wire::Year => number(little(bytes).ok_or_else(|| bad(wire))?),
                Wire::Bits | Wire::BitFlag => number(big(bytes).ok_or_else(|| bad(wire))?),
                Wire::Float => Cell::Real(match bytes.len() {
                    4 => f64::from(f32::from_le_bytes(bytes.try_into().map_err(|_| bad(wire))?)),
                    _ => f64::from_le_bytes(bytes.try_into().map_err(|_| bad(wire))?),
                }),
                Wire::Decimal | Wire::Text | Wire::Json | Wire::Printed => match simdutf8::basic::from_utf8(bytes) {
                    Ok(text) => Cell::Text(text),
                    Err(_) => Cell::RawText(bytes),
                },
                Wire::Bytes | Wire::Geometry => Cell::Bytes(bytes),
                Wire::Date | Wire::DateTime(_) | Wire::Time(_) => Cell::Text(&self.scratch[start..end]),
            });
        }
        Ok(())
    }
}

/// Returns a field's bytes; the driver's own test calls a zero date null.
fn bytes<'a>(row: &'a MySqlRow, position: usize, wire: Wire) -> Result<Option<&'a [u8]>> {
    let failed = |error| fail!(Failed, "the server's answer has fewer columns than asked for").because(error);
    let value: MySqlValueRef<'a> = row.try_get_raw(position).map_err(failed)?;
    let dated = matches!(wire, Wire::Date | Wire::DateTime(_));
    if value.is_null() && !dated {
        return Ok(None);
    }
    Ok(<&[u8] as Decode<MySql>>::decode(value).ok())
}

fn number<'a>(value: u64) -> Cell<'a> {
    match i64::try_from(value) {
        Ok(small) => Cell::Int(small),
        Err(_) => Cell::UInt(value),
    }
}

fn signed(bytes: &[u8]) -> Option<i64> {
    let value = little(bytes)?;
    let shift = 64 - 8 * u32::try_from(bytes.len()).ok()?;
    Some((value << shift).cast_signed() >> shift)
}

fn little(bytes: &[u8]) -> Option<u64> {
    ((1..=8).contains(&bytes.len())).then(|| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn big(bytes: &[u8]) -> Option<u64> {
    ((1..=8).contains(&bytes.len())).then(|| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn spell(bytes: &[u8], wire: Wire, out: &mut String) -> Option<()> {
    let (&length, rest) = bytes.split_first()?;
    let rest = rest.get(..usize::from(length))?;
    let at = |position: usize| u32::from(rest.get(position).copied().unwrap_or(0));
    let wide = |position: usize| {
        rest.get(position..position + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
    };
    // Writing to a string can't fail.
    let _ = match wire {
        Wire::Time(digits) => {
            let sign = if at(0) == 1 { "-" } else { "" };
            let hours = u64::from(wide(1)) * 24 + u64::from(at(5));
            let _ = write!(out, "{sign}{hours:02}:{:02}:{:02}", at(6), at(7));
            fraction(wide(8), digits, out)
        }
        _ => {
            let written = write!(out, "{:04}-{:02}-{:02}", at(0) | at(1) << 8, at(2), at(3));
            match wire {
                Wire::DateTime(digits) => {
                    let _ = write!(out, " {:02}:{:02}:{:02}", at(4), at(5), at(6));
                    fraction(wide(7), digits, out)
                }
                _ => written,
            }
        }
    };
    Some(())
}

fn fraction(micros: u32, digits: u8, out: &mut String) -> std::fmt::Result {
    if digits == 0 {
        return Ok(());
    }
    write!(out, ".{:0width$}", micros / 10u32.pow(u32::from(6 - digits)), width = usize::from(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_times_are_spelled_out() {
        let spelled = |bytes: &[u8], wire| {
            let mut out = String::new();
            spell(bytes, wire, &mut out).map(|()| out)
        };
        let whole = [11, 0xe8, 0x07, 1, 15, 10, 30, 0, 0x40, 0xe2, 0x01, 0x00];
        assert_eq!(spelled(&whole, Wire::DateTime(6)).as_deref(), Some("2024-01-15 10:30:00.123456"));
        assert_eq!(spelled(&whole, Wire::DateTime(3)).as_deref(), Some("2024-01-15 10:30:00.123"));
        assert_eq!(spelled(&[4, 0xe8, 0x07, 1, 15], Wire::DateTime(0)).as_deref(), Some("2024-01-15 00:00:00"));
        assert_eq!(spelled(&[0], Wire::DateTime(0)).as_deref(), Some("0000-00-00 00:00:00"));
        assert_eq!(spelled(&[0], Wire::Date).as_deref(), Some("0000-00-00"));
        assert_eq!(spelled(&[4, 0xe8, 0x07, 0, 10], Wire::Date).as_deref(), Some("2024-00-10"));
        assert_eq!(spelled(&[0], Wire::Time(1)).as_deref(), Some("00:00:00.0"));
        let long = [12, 1, 34, 0, 0, 0, 22, 59, 59, 0x20, 0xa1, 0x07, 0x00];
        assert_eq!(spelled(&long, Wire::Time(1)).as_deref(), Some("-838:59:59.5"));
        assert_eq!(spelled(&[4, 1], Wire::Date), None);
        assert_eq!((signed(&[0xff]), signed(&[0, 0x80]), big(&[1, 0])), (Some(-1), Some(-32_768), Some(256)));
    }
}
