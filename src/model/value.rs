//! A field's meaning once its column's type is known; what two sides are compared by.

use super::calendar::{TimeOfDay, Timestamp, format_date};
use super::decimal::Decimal;
use base64::Engine as _;
use std::fmt;

/// A value in canonical form: one meaning, one representation.
///
/// A value whose kind is not the column's own (text in an integer column) is a *misfit*: it compares as what it is
/// and can be written only where the engine stores any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Null.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// An exact decimal.
    Decimal(Decimal),
    /// A double; compared bit by bit, with NaN equal to NaN.
    Float(f64),
    /// Text.
    Text(String),
    /// Text that is not UTF-8.
    RawText(Vec<u8>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// JSON text, kept as written.
    Json(String),
    /// An instant or wall-clock reading.
    Timestamp(Timestamp),
    /// A date as days since 1970-01-01.
    Date(i64),
    /// A time of day.
    Time(TimeOfDay),
    /// A UUID.
    Uuid(u128),
}

impl Value {
    /// Returns the contract's JSON form: integers beyond 64 bits, decimals, floats and bytes as tagged objects.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::{Value as J, json};
        match self {
            Self::Null => J::Null,
            Self::Bool(b) => J::Bool(*b),
            Self::Integer(i) => match (i64::try_from(*i), u64::try_from(*i)) {
                (Ok(small), _) => J::from(small),
                (_, Ok(large)) => J::from(large),
                _ => json!({"decimal": i.to_string()}),
            },
            Self::Decimal(d) => json!({"decimal": d.to_string()}),
            Self::Float(f) if f.is_nan() => json!({"float": "NaN"}),
            Self::Float(f) if f.is_infinite() => json!({"float": if *f > 0.0 { "Infinity" } else { "-Infinity" }}),
            Self::Float(f) => json!({"decimal": f.to_string()}),
            Self::RawText(b) | Self::Bytes(b) => json!({"bytes": base64::engine::general_purpose::STANDARD.encode(b)}),
            Self::Json(text) => json!({"json": text}),
            Self::Text(_) | Self::Timestamp(_) | Self::Date(_) | Self::Time(_) | Self::Uuid(_) => {
                J::String(self.to_string())
            }
        }
    }

    /// Names the kind, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Decimal(_) => "a decimal",
            Self::Float(_) => "a floating-point number",
            Self::Text(_) => "text",
            Self::RawText(_) => "text that is not UTF-8",
            Self::Bytes(_) => "bytes",
            Self::Json(_) => "JSON",
            Self::Timestamp(_) => "a timestamp",
            Self::Date(_) => "a date",
            Self::Time(_) => "a time of day",
            Self::Uuid(_) => "a UUID",
        }
    }

    /// Returns the number it is, exactly, for comparisons across number kinds.
    pub fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Integer(i) => Some(Decimal::from_i128(*i)),
            Self::Decimal(d) => Some(d.clone()),
            Self::Float(f) => Decimal::from_f64(*f),
            _ => None,
        }
    }

    /// Tells whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl fmt::Display for Value {
    /// Writes the value for people: text as it is, bytes as hex, null as `NULL`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Integer(i) => write!(f, "{i}"),
            Self::Decimal(d) => write!(f, "{d}"),
            Self::Float(x) => write!(f, "{x}"),
            Self::Text(s) | Self::Json(s) => f.write_str(s),
            Self::RawText(b) | Self::Bytes(b) => {
                f.write_str("0x")?;
                b.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Timestamp(t) => write!(f, "{t}"),
            Self::Date(days) => f.write_str(&format_date(*days)),
            Self::Time(t) => write!(f, "{t}"),
            Self::Uuid(u) => {
                let hex = format!("{u:032x}");
                write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
            }
        }
    }
}

/// Parses a UUID in any usual spelling: with or without hyphens, braces, any case.
pub fn parse_uuid(text: &str) -> Option<u128> {
    let text = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let text = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
    let mut value: u128 = 0;
    let mut count = 0;
    for byte in text.bytes() {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'-' if count > 0 && count < 32 => continue,
            _ => return None,
        };
        count += 1;
        if count > 32 {
            return None;
        }
        value = value << 4 | u128::from(digit);
    }
    (count == 32).then_some(value)
}
