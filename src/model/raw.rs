//! A cell as it was read, in bytes: what one thread hands to another before anybody asks what it means.
//!
//! Most records are the same on both sides, and most of those are spelled alike; they are told equal by these bytes
//! (`agree`) and never get their canonical form.
//!
//! *Shape:* one tag byte, then 8 bytes, or a 4-byte little-endian length and the content, or nothing.

use super::cell::Cell;

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

/// A [`Cell`] whose texts are not known to be UTF-8 again until somebody asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Raw<'a> {
    Absent,
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Real(f64),
    Number(&'a [u8]),
    String(&'a [u8]),
    Text(&'a [u8]),
    /// Text that is not UTF-8.
    BrokenText(&'a [u8]),
    Bytes(&'a [u8]),
    Json(&'a [u8]),
}

/// Appends a cell.
pub(crate) fn push(cell: Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        Cell::Absent => out.push(ABSENT),
        Cell::Null => out.push(NULL),
        Cell::Bool(b) => out.push(if b { TRUE } else { FALSE }),
        Cell::Int(i) => push_fixed(INT, i.to_le_bytes(), out),
        Cell::UInt(u) => push_fixed(UINT, u.to_le_bytes(), out),
        Cell::Real(r) => push_fixed(REAL, r.to_bits().to_le_bytes(), out),
        Cell::Number(text) => push_bytes(NUMBER, text.as_bytes(), out),
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

fn push_bytes(tag: u8, content: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(content.len()).expect("readers bound the size of a value");
    let [a, b, c, d] = length.to_le_bytes();
    out.extend_from_slice(&[tag, a, b, c, d]);
    out.extend_from_slice(content);
}

/// Reads the first cell of a sequence; returns it and the rest.
pub(crate) fn first(bytes: &[u8]) -> (Raw<'_>, &[u8]) {
    let (tag, rest) = bytes.split_first().expect("one cell per column");
    let fixed = || rest.split_first_chunk::<8>().map(|(content, rest)| (u64::from_le_bytes(*content), rest));
    let sized = || {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        rest.split_at_checked(u32::from_le_bytes(*length) as usize)
    };
    let number = || fixed().expect("eight bytes follow");
    let content = || sized().expect("the content follows its length");
    match *tag {
        ABSENT => (Raw::Absent, rest),
        NULL => (Raw::Null, rest),
        FALSE => (Raw::Bool(false), rest),
        TRUE => (Raw::Bool(true), rest),
        INT => {
            let (bits, rest) = number();
            (Raw::Int(bits.cast_signed()), rest)
        }
        UINT => {
            let (bits, rest) = number();
            (Raw::UInt(bits), rest)
        }
        REAL => {
            let (bits, rest) = number();
            (Raw::Real(f64::from_bits(bits)), rest)
        }
        tag => {
            let (content, rest) = content();
            let cell = match tag {
                NUMBER => Raw::Number(content),
                STRING => Raw::String(content),
                TEXT => Raw::Text(content),
                RAW_TEXT => Raw::BrokenText(content),
                BYTES => Raw::Bytes(content),
                JSON => Raw::Json(content),
                tag => unreachable!("no cell has the tag {tag}"),
            };
            (cell, rest)
        }
    }
}

/// Reads the cells of a sequence one after another.
pub(crate) fn cells(bytes: &[u8]) -> impl Iterator<Item = Raw<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        (!rest.is_empty()).then(|| {
            let (cell, tail) = first(rest);
            rest = tail;
            cell
        })
    })
}

impl<'a> Raw<'a> {
    /// Returns the cell that was pushed.
    pub(crate) fn cell(self) -> Cell<'a> {
        let text = |bytes| std::str::from_utf8(bytes).expect("pushed from UTF-8");
        match self {
            Self::Absent => Cell::Absent,
            Self::Null => Cell::Null,
            Self::Bool(b) => Cell::Bool(b),
            Self::Int(i) => Cell::Int(i),
            Self::UInt(u) => Cell::UInt(u),
            Self::Real(r) => Cell::Real(r),
            Self::Number(bytes) => Cell::Number(text(bytes)),
            Self::String(bytes) => Cell::String(text(bytes)),
            Self::Text(bytes) => Cell::Text(text(bytes)),
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
        let all = [
            Cell::Absent,
            Cell::Null,
            Cell::Bool(true),
            Cell::Bool(false),
            Cell::Int(i64::MIN),
            Cell::UInt(u64::MAX),
            Cell::Real(-0.5),
            Cell::Number("1.10"),
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
