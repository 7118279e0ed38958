//! One field's content as a backup or a database holds it, before anything is known about its column's type.

/// A field as it was read, borrowed from the reader's buffer.
///
/// The variants keep apart what later rules need apart: `Absent` from `Null`, a document's string (which may stand
/// for a date, bytes or a number) from a database's text, and a number's exact spelling from a machine float.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// The record has no such field: no opinion.
    Absent,
    /// An explicit null.
    Null,
    /// A boolean of a document or of a database that has the type.
    Bool(bool),
    /// A database's signed integer.
    Int(i64),
    /// A database's unsigned integer.
    UInt(u64),
    /// A database's double.
    Real(f64),
    /// A number as a document spells it, exact: `9007199254740993`, `1.10`, `1e400`.
    Number(&'a str),
    /// A string of a document (JSON, CSV), unescaped.
    String(&'a str),
    /// A database's text.
    Text(&'a str),
    /// A database's text whose bytes are not UTF-8 (SQLite stores any bytes).
    RawText(&'a [u8]),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A nested object or array of a document, as its JSON text.
    Json(&'a str),
}

/// A [`Cell`] that owns its content: what a statement binds, what an undo image keeps.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum OwnedCell {
    /// See [`Cell::Absent`].
    Absent,
    /// See [`Cell::Null`].
    Null,
    /// See [`Cell::Bool`].
    Bool(bool),
    /// See [`Cell::Int`].
    Int(i64),
    /// See [`Cell::UInt`].
    UInt(u64),
    /// See [`Cell::Real`]; kept by its bits so that NaN and -0 survive being written down.
    Real(#[serde(with = "bits")] f64),
    /// See [`Cell::Number`].
    Number(String),
    /// See [`Cell::String`].
    String(String),
    /// See [`Cell::Text`].
    Text(String),
    /// See [`Cell::RawText`].
    RawText(Vec<u8>),
    /// See [`Cell::Bytes`].
    Bytes(Vec<u8>),
    /// See [`Cell::Json`].
    Json(String),
}

impl OwnedCell {
    /// Borrows the cell.
    pub fn as_cell(&self) -> Cell<'_> {
        match self {
            Self::Absent => Cell::Absent,
            Self::Null => Cell::Null,
            Self::Bool(b) => Cell::Bool(*b),
            Self::Int(i) => Cell::Int(*i),
            Self::UInt(u) => Cell::UInt(*u),
            Self::Real(r) => Cell::Real(*r),
            Self::Number(s) => Cell::Number(s),
            Self::String(s) => Cell::String(s),
            Self::Text(s) => Cell::Text(s),
            Self::RawText(b) => Cell::RawText(b),
            Self::Bytes(b) => Cell::Bytes(b),
            Self::Json(s) => Cell::Json(s),
        }
    }
}

impl From<Cell<'_>> for OwnedCell {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Absent => Self::Absent,
            Cell::Null => Self::Null,
            Cell::Bool(b) => Self::Bool(b),
            Cell::Int(i) => Self::Int(i),
            Cell::UInt(u) => Self::UInt(u),
            Cell::Real(r) => Self::Real(r),
            Cell::Number(s) => Self::Number(s.to_owned()),
            Cell::String(s) => Self::String(s.to_owned()),
            Cell::Text(s) => Self::Text(s.to_owned()),
            Cell::RawText(b) => Self::RawText(b.to_vec()),
            Cell::Bytes(b) => Self::Bytes(b.to_vec()),
            Cell::Json(s) => Self::Json(s.to_owned()),
        }
    }
}

mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(value.to_bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(f64::from_bits(u64::deserialize(deserializer)?))
    }
}

/// Empties a vector of borrowed cells so that its allocation serves for cells that borrow from elsewhere.
pub(crate) fn emptied<A, B: Copy>(mut cells: Vec<A>, any: B) -> Vec<B> {
    cells.clear();
    // Collecting into the same layout keeps the allocation; there is nothing to convert.
    cells.into_iter().map(|_| any).collect()
}
