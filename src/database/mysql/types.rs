//! Which comparison type a MySQL or MariaDB type has, and how its values travel.
//!
//! *Source:* MariaDB knowledge base, "Data Types"; MySQL manual, chapter "Data Types".

use super::catalog::CatalogColumn;
use crate::model::ColumnType;
use crate::model::schema::Collation;

/// How a value travels in the binary protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// One to eight bytes, little-endian.
    Integer {
        /// Whether there is no sign.
        unsigned: bool,
    },
    /// `tinyint(1)`: a boolean by convention, which may hold other numbers.
    Flag,
    /// Two bytes.
    Year,
    /// Big-endian bytes.
    Bits,
    /// `bit(1)`.
    BitFlag,
    /// Four or eight bytes.
    Float,
    /// Digits as text.
    Decimal,
    /// Text.
    Text,
    /// MySQL's JSON, as text.
    Json,
    /// Types that are printed and read as text: `uuid`, `inet6`.
    Printed,
    /// Bytes.
    Bytes,
    /// Geometry in the engine's binary form.
    Geometry,
    /// A packed date.
    Date,
    /// A packed date and time; fraction digits.
    DateTime(u8),
    /// A packed time; fraction digits.
    Time(u8),
}

fn digits(column: &CatalogColumn) -> u8 {
    u8::try_from(column.precision).unwrap_or(6).min(6)
}

/// Returns how a column's values travel.
pub(super) fn wire(column: &CatalogColumn) -> Wire {
    let unsigned = column.column_type.contains("unsigned");
    match column.data_type.as_str() {
        "tinyint" if column.column_type.starts_with("tinyint(1)") && !unsigned => Wire::Flag,
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => Wire::Integer { unsigned },
        "year" => Wire::Year,
        "bit" if column.precision == 1 => Wire::BitFlag,
        "bit" => Wire::Bits,
        "float" | "double" => Wire::Float,
        "decimal" => Wire::Decimal,
        "json" => Wire::Json,
        "uuid" | "inet4" | "inet6" => Wire::Printed,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Wire::Bytes,
        "date" => Wire::Date,
        "datetime" | "timestamp" => Wire::DateTime(digits(column)),
        "time" => Wire::Time(digits(column)),
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon"
        | "geometrycollection" | "geomcollection" | "vector" => Wire::Geometry,
        _ => Wire::Text,
    }
}

/// Returns a column's comparison type; a `longtext` that only takes JSON is told by the caller.
pub(super) fn of(column: &CatalogColumn) -> ColumnType {
    let unsigned = column.column_type.contains("unsigned");
    let integer = |bits: u32| {
        if unsigned {
            ColumnType::Integer { min: 0, max: u64::MAX >> (64 - bits) }
        } else {
            ColumnType::Integer { min: i64::MIN >> (64 - bits), max: (i64::MAX >> (64 - bits)).unsigned_abs() }
        }
    };
    match (wire(column), column.data_type.as_str()) {
        (Wire::Flag | Wire::BitFlag, _) => ColumnType::Boolean,
        (Wire::Bits, _) => ColumnType::Integer { min: 0, max: u64::MAX >> (64 - column.precision.clamp(1, 64)) },
        (_, "tinyint") => integer(8),
        (_, "smallint") => integer(16),
        (_, "mediumint") => integer(24),
        (_, "int") => integer(32),
        (_, "bigint") => integer(64),
        (Wire::Year, _) => ColumnType::Integer { min: 0, max: 2155 },
        (Wire::Float, kind) => ColumnType::Float { single: kind == "float" },
        (Wire::Decimal, _) => ColumnType::Decimal { precision: Some(column.precision), scale: Some(column.scale) },
        (Wire::Json, _) => ColumnType::Json,
        (_, "uuid") => ColumnType::Uuid,
        (Wire::Bytes, _) => ColumnType::Bytes { max_bytes: column.characters },
        (Wire::Geometry, _) => ColumnType::Bytes { max_bytes: None },
        (Wire::Date, _) => ColumnType::Date,
        (Wire::DateTime(digits), kind) => ColumnType::Timestamp { zoned: kind == "timestamp", digits },
        (Wire::Time(digits), _) => ColumnType::Time { digits },
        (_, "enum") => ColumnType::Enum(labels(&column.column_type)),
        (_, "char" | "varchar") => ColumnType::Text { max_chars: column.characters },
        (_, "tinytext" | "text" | "mediumtext" | "longtext") => ColumnType::Text { max_chars: None },
        (_, other) => ColumnType::Other(other.to_owned()),
    }
}

/// Reads the labels of `enum('a','it''s')`.
fn labels(column_type: &str) -> Vec<String> {
    let inside = column_type.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or_default();
    let mut labels = Vec::new();
    let mut rest = inside;
    while let Some(start) = rest.strip_prefix('\'') {
        let mut label = String::new();
        let mut characters = start.char_indices().peekable();
        let mut end = start.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '\'' if characters.peek().is_some_and(|(_, next)| *next == '\'') => {
                    characters.next();
                    label.push('\'');
                }
                '\'' => {
                    end = at + 1;
                    break;
                }
                other => label.push(other),
            }
        }
        labels.push(label);
        rest = start[end..].trim_start_matches(',');
    }
    labels
}

/// Returns when two texts of a column are equal: `_bin` collations compare code points, most of them without spaces
/// at the end.
pub(super) fn collation(column: &CatalogColumn) -> Collation {
    let kind = column.data_type.as_str();
    match column.collation.as_deref() {
        Some(_) if matches!(kind, "enum" | "set") => Collation::Binary,
        Some(name) if name.ends_with("_nopad_bin") || name.ends_with("_0900_bin") => Collation::Binary,
        Some(name) if name.ends_with("_bin") => Collation::RTrim,
        Some(_) => Collation::Database,
        None => Collation::Binary,
    }
}

#[cfg(test)]
mod tests {
    use super::labels;

    #[test]
    fn enum_labels_are_unquoted() {
        assert_eq!(labels("enum('a','it''s','x,y','','ü')"), ["a", "it's", "x,y", "", "ü"]);
        assert_eq!(labels("enum()"), Vec::<String>::new());
    }
}
