//! Writes a database's cell as JSON so that it reads back as the same value, in the form that applications expect.
//!
//! | value | written as |
//! |---|---|
//! | null, boolean (also stored as 0 and 1), text, UUID, date, time | `null`, `true`, string |
//! | timestamp | ISO 8601 with `T`, the fraction digits it has, and `Z` where it is an instant |
//! | integer | number; beyond ±(2⁵³−1), where JavaScript would round it, a string |
//! | decimal | string, as Prisma and Django write it |
//! | float | shortest number that reads back; `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | bytes | base64 string |
//! | JSON | nested |
//! | anything that would read back as something else | tagged: `{"text":…}`, `{"bytes":…}`, `{"float":…}` … |
//!
//! Whether a value needs a tag is not guessed: its plain form is read back and compared.

use crate::backup::ReadOptions;
use crate::backup::json::record::{RecordParser, Shape};
use crate::backup::json::tag::Tag;
use crate::model::encode::{decode, encode};
use crate::model::{Cell, Column, ColumnType, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;

/// The largest whole number that a JavaScript number holds exactly together with its neighbours.
const SAFE_INTEGER: i128 = (1 << 53) - 1;

/// Writes cells as JSON; keeps its buffers.
pub(crate) struct ValueWriter {
    reader: RecordParser,
    encoded: Vec<u8>,
    again: Vec<u8>,
}

impl ValueWriter {
    pub(crate) fn new() -> Self {
        let mut reader = RecordParser::new(&ReadOptions::default(), Shape::Plain);
        reader.tagged = true;
        Self { reader, encoded: Vec::new(), again: Vec::new() }
    }

    /// Appends a cell's JSON; false when the cell is absent and nothing was written.
    pub(crate) fn write(&mut self, cell: Cell<'_>, column: &Column, out: &mut String) -> bool {
        match (cell, &column.ty) {
            (Cell::Absent, _) => return false,
            (Cell::Null, _) => out.push_str("null"),
            (Cell::Int(i), ColumnType::Integer { .. }) if i128::from(i).abs() <= SAFE_INTEGER => push(out, i),
            (Cell::Int(i @ (0 | 1)), ColumnType::Boolean) => push(out, i == 1),
            (Cell::Bool(b), ColumnType::Boolean) => push(out, b),
            (Cell::Text(text), ColumnType::Text { .. } | ColumnType::Enum(_))
                if !text.ends_with(']') && !text.ends_with('*') =>
            {
                push_string(text, out);
            }
            _ => self.write_checked(cell, column, out),
        }
        true
    }

    fn write_checked(&mut self, cell: Cell<'_>, column: &Column, out: &mut String) {
        self.encoded.clear();
        encode(cell, column, &mut self.encoded);
        let start = out.len();
        let plain = match (cell, &column.ty) {
            // With its zeros at the end, which the canonical form lacks.
            (Cell::Text(text) | Cell::Number(text), ColumnType::Decimal { .. }) => {
                push_string(text, out);
                true
            }
            _ => decode(&self.encoded).is_some_and(|value| plain(&value, &column.ty, out)),
        };
        if plain {
            self.again.clear();
            if let Ok(found) = self.reader.read_back(&out[start..]) {
                encode(found.as_cell(), column, &mut self.again);
            }
            if self.again == self.encoded {
                return;
            }
        }
        out.truncate(start);
        let tag = match cell {
            Cell::Absent | Cell::Null => return out.push_str("null"),
            Cell::Bool(value) => return push(out, value),
            Cell::Int(value) => Tag::Integer(value),
            Cell::UInt(value) => Tag::Unsigned(value),
            Cell::Real(value) => Tag::Float(format!("{value:?}")),
            Cell::Number(text) => Tag::Number(text.to_owned()),
            Cell::String(text) | Cell::Text(text) => Tag::Text(text.to_owned()),
            Cell::RawText(bytes) => Tag::RawText(STANDARD.encode(bytes)),
            Cell::Bytes(bytes) => Tag::Bytes(STANDARD.encode(bytes)),
            Cell::Json(text) => Tag::Json(text.to_owned()),
        };
        out.push_str(&serde_json::to_string(&tag).expect("strings and numbers always serialise"));
    }
}

/// Appends the plain form; false when a value has none.
fn plain(value: &Value, ty: &ColumnType, out: &mut String) -> bool {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => push(out, b),
        Value::Integer(i) if i.abs() > SAFE_INTEGER && *ty != ColumnType::Any => push_string(&i.to_string(), out),
        Value::Integer(i) => push(out, i),
        Value::Decimal(d) if *ty != ColumnType::Any => push_string(&d.to_string(), out),
        Value::Decimal(d) => push(out, d),
        Value::Float(f) if f.is_nan() => push_string("NaN", out),
        Value::Float(f) if f.is_infinite() => push_string(if *f > 0.0 { "Infinity" } else { "-Infinity" }, out),
        // The debug form always has a point or an exponent, so that it reads back as a float.
        Value::Float(f) => {
            let _ = write!(out, "{f:?}");
        }
        Value::RawText(_) => return false,
        Value::Bytes(bytes) => push_string(&STANDARD.encode(bytes), out),
        Value::Json(text) => {
            if serde_json::from_str::<&serde_json::value::RawValue>(text).is_err() {
                return false;
            }
            out.push_str(text.trim());
        }
        Value::Text(_) | Value::Timestamp(_) | Value::Date(_) | Value::Time(_) | Value::Uuid(_) => {
            push_string(&value.to_string(), out);
        }
    }
    true
}

fn push(out: &mut String, value: impl std::fmt::Display) {
    write!(out, "{value}").expect("a string takes everything");
}

/// Appends a text as a JSON string.
pub(crate) fn push_string(text: &str, out: &mut String) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::to_string(text).expect("a text always serialises"));
    }
}
