//! Tagged values of merganser's own backups: what plain JSON would not give back as it was.

use crate::error::{Result, fail};
use crate::model::OwnedCell;
use base64::Engine as _;

/// A value of merganser's own backups whose plain JSON form would read back as something else: `{"bytes":"…"}`.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Tag {
    /// Bytes, as base64.
    Bytes(String),
    /// A database's text that is not UTF-8, as base64.
    RawText(String),
    /// A database's text.
    Text(String),
    /// A double, as Rust writes it: `NaN`, `-inf`, `1.0`.
    Float(String),
    /// A signed integer.
    Integer(i64),
    /// An unsigned integer.
    Unsigned(u64),
    /// A number as a document spelled it.
    Number(String),
    /// JSON text.
    Json(String),
}

/// Reads a tagged value; `None` when the object is an ordinary one.
pub(super) fn tagged(raw: &str) -> Result<Option<OwnedCell>> {
    let Ok(tag) = serde_json::from_str::<Tag>(raw) else { return Ok(None) };
    let decode = |text: &str| {
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|e| fail!(BackupDamaged, "a tagged value is not base64").because(e))
    };
    Ok(Some(match tag {
        Tag::Bytes(text) => OwnedCell::Bytes(decode(&text)?),
        Tag::RawText(text) => OwnedCell::RawText(decode(&text)?),
        Tag::Text(text) => OwnedCell::Text(text),
        Tag::Integer(value) => OwnedCell::Int(value),
        Tag::Unsigned(value) => OwnedCell::UInt(value),
        Tag::Number(text) => OwnedCell::Number(text),
        Tag::Json(text) => OwnedCell::Json(text),
        Tag::Float(text) => {
            OwnedCell::Real(text.parse().map_err(|e| fail!(BackupDamaged, "a tagged value is no number").because(e))?)
        }
    }))
}
