//! Cells as parameters: one array of texts a column, whatever the number of records.
//!
//! Text is the one form that every type reads exactly; bytes alone travel as bytes.

use super::catalog::ShapeColumn;
use super::types::Wire;
use crate::error::{Result, fail};
use crate::model::OwnedCell;
use sqlx::Arguments;
use sqlx::postgres::PgArguments;
use std::borrow::Cow;
use std::fmt::Write;

/// Columns of parameters for `unnest($1::text[], $2::bytea[], …) WITH ORDINALITY AS u(a0, a1, …, place)`.
#[derive(Default)]
pub(super) struct Params {
    arguments: PgArguments,
    unnested: Vec<String>,
}

impl Params {
    /// Adds a column of cells and returns the expression that is the typed value, `u.a0::integer`.
    ///
    /// # Errors
    /// `Failed` for a cell that the column's type can't be made from.
    pub(super) fn column<'a>(
        &mut self,
        column: &ShapeColumn,
        cells: impl Iterator<Item = &'a OwnedCell>,
    ) -> Result<String> {
        let position = self.unnested.len();
        let added = if column.wire == Wire::Bytes {
            self.unnested.push(format!("${}::bytea[]", position + 1));
            self.arguments.add(cells.map(bytes).collect::<Vec<Option<&[u8]>>>())
        } else {
            self.unnested.push(format!("${}::text[]", position + 1));
            let texts = cells.map(|cell| text(cell, column)).collect::<Result<Vec<Option<Cow<'_, str>>>>>()?;
            self.arguments.add(texts)
        };
        added.map_err(|error| fail!(Failed, "the values of {} can't be sent", column.quoted).because(error))?;
        Ok(format!("u.a{position}::{}", column.cast))
    }

    /// Tells whether nothing was added.
    pub(super) fn is_empty(&self) -> bool {
        self.unnested.is_empty()
    }

    /// Adds a column that only counts records.
    ///
    /// # Errors
    /// `Failed`, as [`Params::column`].
    pub(super) fn places(&mut self, count: usize) -> Result<()> {
        self.unnested.push(format!("${}::text[]", self.unnested.len() + 1));
        let added = self.arguments.add(vec![""; count]);
        added.map_err(|error| fail!(Failed, "the values can't be sent").because(error))
    }

    /// Returns the `FROM` item `u` with the columns added and `place`, the position from 1.
    pub(super) fn source(&self) -> String {
        let names: Vec<String> = (0..self.unnested.len()).map(|p| format!("a{p}")).collect();
        format!("unnest({}) WITH ORDINALITY AS u({}, place)", self.unnested.join(", "), names.join(", "))
    }

    /// Returns the parameters.
    pub(super) fn into_arguments(self) -> PgArguments {
        self.arguments
    }
}

fn bytes(cell: &OwnedCell) -> Option<&[u8]> {
    match cell {
        OwnedCell::Bytes(bytes) | OwnedCell::RawText(bytes) => Some(bytes),
        OwnedCell::Text(text) | OwnedCell::String(text) => Some(text.as_bytes()),
        _ => None,
    }
}

/// Returns a cell as text that the column's type reads; `None` is null.
fn text<'a>(cell: &'a OwnedCell, column: &ShapeColumn) -> Result<Option<Cow<'a, str>>> {
    Ok(Some(match cell {
        OwnedCell::Absent | OwnedCell::Null => return Ok(None),
        OwnedCell::Bool(b) => Cow::Borrowed(if *b { "true" } else { "false" }),
        OwnedCell::Int(i) => Cow::Owned(i.to_string()),
        OwnedCell::UInt(u) => Cow::Owned(u.to_string()),
        OwnedCell::Real(r) => real(*r),
        OwnedCell::Number(s) | OwnedCell::String(s) | OwnedCell::Text(s) | OwnedCell::Json(s) => {
            if column.wire == Wire::Array {
                let literal = array_literal(s);
                Cow::Owned(literal.ok_or_else(|| fail!(Failed, "{}: `{s}` is no JSON array", column.quoted))?)
            } else {
                Cow::Borrowed(s)
            }
        }
        OwnedCell::Bytes(bytes) if column.wire == Wire::Uuid => Cow::Owned(hexadecimal(bytes)),
        OwnedCell::Bytes(_) | OwnedCell::RawText(_) => {
            return Err(fail!(Failed, "{} takes no bytes", column.quoted));
        }
    }))
}

fn real(value: f64) -> Cow<'static, str> {
    if value.is_nan() {
        Cow::Borrowed("NaN")
    } else if value.is_infinite() {
        Cow::Borrowed(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        Cow::Owned(format!("{value:e}"))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Turns a JSON array into PostgreSQL's literal: `[1,null,"a b"]` into `{1,NULL,"a b"}`.
pub(super) fn array_literal(json: &str) -> Option<String> {
    let elements: Vec<&serde_json::value::RawValue> = serde_json::from_str(json).ok()?;
    let mut out = String::from("{");
    for (position, element) in elements.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        let raw = element.get().trim();
        match raw.as_bytes().first()? {
            b'n' => out.push_str("NULL"),
            b'[' => out.push_str(&array_literal(raw)?),
            b'{' => quoted(raw, &mut out),
            b'"' => quoted(&serde_json::from_str::<String>(raw).ok()?, &mut out),
            _ => out.push_str(raw),
        }
    }
    out.push('}');
    Some(out)
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::array_literal;

    #[test]
    fn json_arrays_become_array_literals() {
        for (json, literal) in [
            ("[]", "{}"),
            ("[1, -2.50,null]", "{1,-2.50,NULL}"),
            (r#"["a","b c","d\"e\\f","",null,"NULL","{x}"]"#, r#"{"a","b c","d\"e\\f","",NULL,"NULL","{x}"}"#),
            ("[[1,2],[3,4]]", "{{1,2},{3,4}}"),
            ("[true,false]", "{true,false}"),
        ] {
            assert_eq!(array_literal(json).as_deref(), Some(literal), "{json}");
        }
        assert_eq!(array_literal("{}"), None);
        assert_eq!(array_literal("x"), None);
    }
}
