//! Which comparison type a PostgreSQL type has, and how its values travel.
//!
//! *Source:* PostgreSQL manual, chapter "Data Types"; type ids from `pg_type.dat`, which never change.

use super::catalog::CatalogColumn;
use crate::model::ColumnType;
use crate::model::schema::Collation;

/// How a value travels in binary form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// One byte.
    Bool,
    /// Two, four or eight bytes, signed.
    Int,
    /// Four or eight bytes.
    Float,
    /// Digits to the base of 10,000.
    Numeric,
    /// The text itself.
    Text,
    /// The text of a type that the server reads from text; compared as the server prints it.
    Printed,
    /// JSON of an array, written as an array literal.
    Array,
    /// Raw bytes.
    Bytes,
    /// A version byte and the text.
    Jsonb,
    /// Microseconds since 2000; fraction digits; whether `+00` follows.
    Timestamp(u8, bool),
    /// Days since 2000.
    Date,
    /// Microseconds since midnight; fraction digits.
    Time(u8),
    /// Sixteen bytes.
    Uuid,
}

/// A column's type in our terms.
pub(super) struct Typed {
    pub(super) ty: ColumnType,
    pub(super) wire: Wire,
    /// The expression that reads it, with `{}` for the column.
    pub(super) read: &'static str,
    pub(super) collation: Collation,
}

/// Types an array of which is compared as a JSON array: their elements survive the way there and back.
const ARRAY_ELEMENTS: [&str; 15] = [
    "bool",
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "numeric",
    "text",
    "varchar",
    "bpchar",
    "citext",
    "uuid",
    "date",
    "timestamp",
    "timestamptz",
];

/// Returns a column's type; an enum's labels are filled in by the caller.
pub(super) fn of(column: &CatalogColumn) -> Typed {
    let modifier = column.modifier;
    let length = u64::try_from(modifier - 4).ok().filter(|n| *n > 0);
    let digits = u8::try_from(modifier).unwrap_or(6).min(6);
    let text = if column.deterministic { Collation::Binary } else { Collation::Database };
    let plain = |ty, wire| Typed { ty, wire, read: "{}", collation: Collation::Binary };
    let integer = |min: i64, max: i64| plain(ColumnType::Integer { min, max: max.unsigned_abs() }, Wire::Int);
    match column.base {
        16 => plain(ColumnType::Boolean, Wire::Bool),
        21 => integer(i64::from(i16::MIN), i64::from(i16::MAX)),
        23 => integer(i64::from(i32::MIN), i64::from(i32::MAX)),
        20 => integer(i64::MIN, i64::MAX),
        26 => Typed { read: "{}::int8", ..integer(0, i64::from(u32::MAX)) },
        700 => plain(ColumnType::Float { single: true }, Wire::Float),
        701 => plain(ColumnType::Float { single: false }, Wire::Float),
        1700 => {
            let packed = u32::try_from(modifier - 4).ok();
            // Eleven bits with a sign since PostgreSQL 15; a scale below zero rounds before the point.
            let scale = packed.map(|p| p & 0x7ff).filter(|s| *s < 1024);
            let precision = packed.map(|p| p >> 16).filter(|_| scale.is_some());
            plain(ColumnType::Decimal { precision, scale }, Wire::Numeric)
        }
        25 => Typed { collation: text, ..plain(ColumnType::Text { max_chars: None }, Wire::Text) },
        1043 => Typed { collation: text, ..plain(ColumnType::Text { max_chars: length }, Wire::Text) },
        1042 => {
            let padded = if column.deterministic { Collation::RTrim } else { Collation::Database };
            Typed { collation: padded, ..plain(ColumnType::Text { max_chars: length }, Wire::Text) }
        }
        19 => plain(ColumnType::Text { max_chars: Some(63) }, Wire::Text),
        17 => plain(ColumnType::Bytes { max_bytes: None }, Wire::Bytes),
        114 => plain(ColumnType::Json, Wire::Printed),
        3802 => plain(ColumnType::Json, Wire::Jsonb),
        1114 => plain(ColumnType::Timestamp { zoned: false, digits }, Wire::Timestamp(digits, false)),
        1184 => plain(ColumnType::Timestamp { zoned: true, digits }, Wire::Timestamp(digits, true)),
        1082 => plain(ColumnType::Date, Wire::Date),
        1083 => plain(ColumnType::Time { digits }, Wire::Time(digits)),
        2950 => plain(ColumnType::Uuid, Wire::Uuid),
        _ => other(column),
    }
}

/// Tells whether every value that such a column refuses is refused here already.
pub(super) fn is_plain(column: &CatalogColumn) -> bool {
    match of(column).ty {
        // A scale that rounds before the point is left to the server.
        ColumnType::Decimal { precision, .. } => precision.is_some() || column.modifier < 0,
        ColumnType::Boolean
        | ColumnType::Integer { .. }
        | ColumnType::Float { .. }
        | ColumnType::Bytes { .. }
        | ColumnType::Timestamp { .. }
        | ColumnType::Date
        | ColumnType::Time { .. }
        | ColumnType::Uuid => {
            matches!(column.base, 16 | 17 | 20 | 21 | 23 | 700 | 701 | 1082 | 1083 | 1114 | 1184 | 2950)
        }
        ColumnType::Text { .. } => matches!(column.base, 25 | 1042 | 1043),
        _ => false,
    }
}

fn other(column: &CatalogColumn) -> Typed {
    let printed = |ty, collation| Typed { ty, wire: Wire::Printed, read: "{}::text", collation };
    if column.base_kind == "e" {
        return printed(ColumnType::Enum(Vec::new()), Collation::Binary);
    }
    if column.base_name == "citext" {
        return printed(ColumnType::Text { max_chars: None }, Collation::Database);
    }
    match &column.element {
        Some((name, kind)) if kind == "e" || ARRAY_ELEMENTS.contains(&name.as_str()) => Typed {
            ty: ColumnType::Json,
            wire: Wire::Array,
            read: "pg_catalog.array_to_json({})::text",
            collation: Collation::Binary,
        },
        _ => printed(ColumnType::Other(column.base_name.clone()), Collation::Binary),
    }
}
