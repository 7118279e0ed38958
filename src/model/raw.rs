//! A cell as it was read, in bytes: what one thread hands to another before anybody asks what it means.
//!
//! Most records are the same on both sides, and most of those are spelled alike; they are told equal by these bytes
//! (`agree`) and never get their canonical form.
//!
//! *Shape:* one tag byte, then 8 bytes, or a length and the content, or nothing. A length is one byte, or `LONG` and
//! four, little-endian: all of it goes from one core to another, so that every byte counts. A plain number is read where
//! there is time for it: one byte of signs and places, its digits in 8, and then its spelling like other content.

use super::cell::Cell;
use super::plain::Plain;

const ABSENT: u8 = 0;
const NULL: u8 = 1;
const FALSE: u8 = 2;
const TRUE: u8 = 3;
const INT: u8 = 4;
const UINT: u8 = 5;
const REAL: u8 = 6;
const NUMBER: u8 = 7;
const STRING: u8 = 8;
const TEXT: u8 = 9;
const RAW_TEXT: u8 = 10;
const BYTES: u8 = 11;
const JSON: u8 = 12;
const PLAIN: u8 = 13;
/// The length is more than a byte can say.
const LONG: u8 = u8::MAX;

/// A [`Cell`] whose text is not known to be UTF-8 until somebody asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Raw<'a> {
    /// As in [`Cell`].
    Absent,
    /// As in [`Cell`].
    Null,
    /// As in [`Cell`].
    Bool(bool),
    /// As in [`Cell`].
    Int(i64),
    /// As in [`Cell`].
    UInt(u64),
    /// As in [`Cell`].
    Real(f64),
    /// A number of a document that has no exponent, and how it is spelled.
    Plain(Spelled<'a>),
    /// Any other number of a document.
    Number(&'a [u8]),
    /// A string of a document.
    String(&'a [u8]),
    /// Text of a database.
    Text(&'a [u8]),
    /// Text that is known not to be UTF-8.
    BrokenText(&'a [u8]),
    /// As in [`Cell`].
    Bytes(&'a [u8]),
    /// As in [`Cell`].
    Json(&'a [u8]),
}

/// A plain number as it was pushed: taken apart where it is asked for, so that a cell stays small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spelled<'a>(&'a [u8]);

/// Bytes of a plain number before its spelling: what it is like, its digits, the length of the spelling.
const HEAD: usize = 10;
const NEGATIVE: u8 = 0x80;
const CANONICAL: u8 = 0x40;

impl<'a> Spelled<'a> {
    /// Returns the number.
    #[inline(always)]
    pub fn number(self) -> Plain {
        let mut rest = self.0;
        let [like] = take_fixed(&mut rest);
        let digits = u64::from_le_bytes(take_fixed(&mut rest));
        let places = like & !(NEGATIVE | CANONICAL);
        Plain { negative: like & NEGATIVE != 0, digits, places, canonical: like & CANONICAL != 0 }
    }

    /// Returns its spelling.
    pub fn text(self) -> &'a [u8] {
        &self.0[HEAD..]
    }
}

impl<'a> From<Cell<'a>> for Raw<'a> {
    fn from(cell: Cell<'a>) -> Self {
        match cell {
            Cell::Absent => Self::Absent,
            Cell::Null => Self::Null,
            Cell::Bool(b) => Self::Bool(b),
            Cell::Int(i) => Self::Int(i),
            Cell::UInt(u) => Self::UInt(u),
            Cell::Real(r) => Self::Real(r),
            Cell::Number(text) => Self::Number(text.as_bytes()),
            Cell::String(text) => Self::String(text.as_bytes()),
            Cell::Text(text) => Self::Text(text.as_bytes()),
            Cell::RawText(bytes) => Self::BrokenText(bytes),
            Cell::Bytes(bytes) => Self::Bytes(bytes),
            Cell::Json(text) => Self::Json(text.as_bytes()),
        }
    }
}

/// Appends a cell.
#[inline]
pub(crate) fn push(cell: Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        Cell::Absent => out.push(ABSENT),
        Cell::Null => out.push(NULL),
        Cell::Bool(b) => out.push(if b { TRUE } else { FALSE }),
        Cell::Int(i) => push_fixed(INT, i.to_le_bytes(), out),
        Cell::UInt(u) => push_fixed(UINT, u.to_le_bytes(), out),
        Cell::Real(r) => push_fixed(REAL, r.to_bits().to_le_bytes(), out),
        Cell::Number(text) => match Plain::read(text.as_bytes()) {
            Some(plain) => push_plain(plain, text.as_bytes(), out),
            None => push_bytes(NUMBER, text.as_bytes(), out),
        },
        Cell::String(text) => push_bytes(STRING, text.as_bytes(), out),
        Cell::Text(text) => push_bytes(TEXT, text.as_bytes(), out),
        Cell::RawText(bytes) => push_bytes(RAW_TEXT, bytes, out),
        Cell::Bytes(bytes) => push_bytes(BYTES, bytes, out),
        Cell::Json(text) => push_bytes(JSON, text.as_bytes(), out),
    }
}

fn push_fixed(tag: u8, content: [u8; 8], out: &mut Vec<u8>) {
    let [a, b, c, d, e, f, g, h] = content;
    out.extend_from_slice(&[tag, a, b, c, d, e, f, g, h]);
}

fn push_plain(plain: Plain, spelled: &[u8], out: &mut Vec<u8>) {
    let Plain { negative, digits, places, canonical } = plain;
    let like = places | if negative { NEGATIVE } else { 0 } | if canonical { CANONICAL } else { 0 };
    let [a, b, c, d, e, f, g, h] = digits.to_le_bytes();
    let length = u8::try_from(spelled.len()).expect("a sign, a point and 18 digits at most");
    out.extend_from_slice(&[PLAIN, like, a, b, c, d, e, f, g, h, length]);
    out.extend_from_slice(spelled);
}

#[inline]
fn push_bytes(tag: u8, content: &[u8], out: &mut Vec<u8>) {
    match u8::try_from(content.len()) {
        Ok(length) if length != LONG => out.extend_from_slice(&[tag, length]),
        _ => {
            let length = u32::try_from(content.len()).expect("readers bound the size of a value");
            let [a, b, c, d] = length.to_le_bytes();
            out.extend_from_slice(&[tag, LONG, a, b, c, d]);
        }
    }
    out.extend_from_slice(content);
}

/// Takes the first cell off a sequence.
///
/// Inlined where it is called: a cell handed over in registers is compared in half the time of one in memory.
#[inline(always)]
pub(crate) fn take<'a>(rest: &mut &'a [u8]) -> Raw<'a> {
    let (tag, after) = rest.split_first().expect("one cell per column");
    *rest = after;
    match *tag {
        ABSENT => Raw::Absent,
        NULL => Raw::Null,
        FALSE => Raw::Bool(false),
        TRUE => Raw::Bool(true),
        INT => Raw::Int(u64::from_le_bytes(take_fixed(rest)).cast_signed()),
        UINT => Raw::UInt(u64::from_le_bytes(take_fixed(rest))),
        REAL => Raw::Real(f64::from_bits(u64::from_le_bytes(take_fixed(rest)))),
        PLAIN => {
            let length = usize::from(rest[HEAD - 1]);
            Raw::Plain(Spelled(take_bytes(rest, HEAD + length)))
        }
        tag => {
            let length = match take_fixed(rest) {
                [LONG] => u32::from_le_bytes(take_fixed(rest)) as usize,
                [length] => usize::from(length),
            };
            let content = take_bytes(rest, length);
            match tag {
                NUMBER => Raw::Number(content),
                STRING => Raw::String(content),
                TEXT => Raw::Text(content),
                RAW_TEXT => Raw::BrokenText(content),
                BYTES => Raw::Bytes(content),
                JSON => Raw::Json(content),
                tag => unreachable!("no cell has the tag {tag}"),
            }
        }
    }
}

#[inline(always)]
fn take_fixed<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (content, after) = rest.split_first_chunk::<N>().expect("a cell is whole");
    *rest = after;
    *content
}

#[inline(always)]
fn take_bytes<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (content, after) = rest.split_at(length);
    *rest = after;
    content
}

/// Reads the cells of a sequence one after another.
pub(crate) fn cells(bytes: &[u8]) -> impl Iterator<Item = Raw<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || (!rest.is_empty()).then(|| take(&mut rest)))
}

impl<'a> Raw<'a> {
    /// Returns the cell that it is.
    pub fn cell(self) -> Cell<'a> {
        let text = |bytes| std::str::from_utf8(bytes).expect("made from UTF-8");
        match self {
            Self::Absent => Cell::Absent,
            Self::Null => Cell::Null,
            Self::Bool(b) => Cell::Bool(b),
            Self::Int(i) => Cell::Int(i),
            Self::UInt(u) => Cell::UInt(u),
            Self::Real(r) => Cell::Real(r),
            Self::Plain(spelled) => Cell::Number(text(spelled.text())),
            Self::Number(bytes) => Cell::Number(text(bytes)),
            Self::String(bytes) => Cell::String(text(bytes)),
            Self::Text(bytes) => match simdutf8::basic::from_utf8(bytes) {
                Ok(text) => Cell::Text(text),
                Err(_) => Cell::RawText(bytes),
            },
            Self::BrokenText(bytes) => Cell::RawText(bytes),
            Self::Bytes(bytes) => Cell::Bytes(bytes),
            Self::Json(bytes) => Cell::Json(text(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_back_as_they_were() {
        let long = ["a", "b"].map(|text| text.repeat(255));
        let all = [
            Cell::String(&long[0]),
            Cell::String(&long[1][..254]),
            Cell::Absent,
            Cell::Null,
            Cell::Bool(true),
            Cell::Bool(false),
            Cell::Int(i64::MIN),
            Cell::UInt(u64::MAX),
            Cell::Real(-0.5),
            Cell::Number("1.10"),
            Cell::Number("-999999999999999999"),
            Cell::Number("1e5"),
            Cell::Number("0.00000000000000000000000000000000000000000000000001"),
            Cell::String("é"),
            Cell::Text(""),
            Cell::RawText(&[0xff]),
            Cell::Bytes(&[0, 1]),
            Cell::Json("{}"),
        ];
        let mut bytes = Vec::new();
        all.iter().for_each(|cell| push(*cell, &mut bytes));
        let back: Vec<Cell<'_>> = cells(&bytes).map(Raw::cell).collect();
        assert_eq!(back, all);
    }
}
