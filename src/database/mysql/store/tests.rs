//! Tests of what MySQL and MariaDB can hold.

use super::*;
use crate::model::Cell;
use crate::model::encode::value_of;
use crate::model::schema::{Collation, Generated, Storage};

fn column(ty: ColumnType, declared: &str) -> Column {
    Column {
        name: "c".to_owned(),
        ty,
        declared: declared.to_owned(),
        storage: Storage::Native,
        nullable: true,
        default: None,
        generated: Generated::No,
        collation: Collation::Database,
        enforced: true,
    }
}

/// Stores what a document's text means in the column.
fn stored(column: &Column, text: &str) -> Fit {
    store(column, &value_of(Cell::String(text), column).expect("a value"), 16 << 20)
}

fn text(cell: &str) -> Fit {
    Ok(OwnedCell::Text(cell.to_owned()))
}

#[test]
fn numbers_fit_exactly_or_not_at_all() {
    let big = column(ColumnType::Integer { min: 0, max: u64::MAX }, "bigint(20) unsigned");
    assert_eq!(stored(&big, "18446744073709551615"), Ok(OwnedCell::UInt(u64::MAX)));
    assert!(stored(&big, "18446744073709551616").is_err());
    assert!(stored(&big, "-1").is_err());
    let flag = column(ColumnType::Boolean, "tinyint(1)");
    assert_eq!(stored(&flag, "true"), Ok(OwnedCell::Int(1)));
    assert_eq!(store(&flag, &Value::Integer(2), 1 << 20), Ok(OwnedCell::Int(2)));
    assert!(store(&flag, &Value::Integer(128), 1 << 20).is_err());
    let price = column(ColumnType::Decimal { precision: Some(10), scale: Some(2) }, "decimal(10,2) unsigned");
    assert_eq!(stored(&price, "1.10"), text("1.1"));
    assert!(stored(&price, "1.101").is_err() && stored(&price, "-1").is_err() && stored(&price, "NaN").is_err());
    let float = column(ColumnType::Float { single: false }, "double");
    assert!(store(&float, &Value::Float(f64::NAN), 1 << 20).is_err());
    let year = column(ColumnType::Integer { min: 0, max: 2155 }, "year(4)");
    assert!(stored(&year, "2155").is_ok() && stored(&year, "0").is_ok() && stored(&year, "70").is_err());
}

#[test]
fn f115_text_fits_its_character_set() {
    let make = |declared: &str| column(ColumnType::Text { max_chars: Some(5) }, declared);
    for (declared, fits, not) in [
        ("varchar(5) character set utf8mb3", "äöü", "😀"),
        ("varchar(5) character set latin1", "ä€", "ł"),
        ("varchar(5) character set ascii", "a", "ä"),
        ("varchar(5)", "😀😀😀😀😀", "abcdef"),
    ] {
        assert!(stored(&make(declared), fits).is_ok(), "{declared}");
        assert!(stored(&make(declared), not).is_err(), "{declared}");
    }
    assert_eq!(stored(&make("char(5)"), "a  "), text("a"));
    assert_eq!(stored(&make("varchar(5)"), "a  "), text("a  "));
    let tiny = column(ColumnType::Text { max_chars: None }, "tinytext");
    assert!(stored(&tiny, &"x".repeat(255)).is_ok() && stored(&tiny, &"x".repeat(256)).is_err());
    let long = column(ColumnType::Text { max_chars: None }, "longtext");
    assert!(store(&long, &Value::Text("x".repeat(1 << 20)), 1 << 20).is_err());
}

#[test]
fn f122_dates_and_times_stay_in_range() {
    let stamp = column(ColumnType::Timestamp { zoned: true, digits: 3 }, "timestamp(3)");
    assert_eq!(stored(&stamp, "2024-01-15T12:30:00.1239+02:00"), text("2024-01-15 10:30:00.123"));
    assert!(stored(&stamp, "2038-01-19T03:14:08Z").is_err() && stored(&stamp, "1970-01-01T00:00:00Z").is_err());
    let local = column(ColumnType::Timestamp { zoned: false, digits: 0 }, "datetime");
    assert_eq!(stored(&local, "9999-12-31 23:59:59.9"), text("9999-12-31 23:59:59"));
    assert!(stored(&local, "infinity").is_err() && stored(&local, "10000-01-01").is_err());
    let date = column(ColumnType::Date, "date");
    assert!(stored(&date, "0000-00-00").is_err() && stored(&date, "2024-02-29").is_ok());
    let time = column(ColumnType::Time { digits: 1 }, "time(1)");
    assert_eq!(stored(&time, "-838:59:59.0"), text("-838:59:59.0"));
    assert_eq!(stored(&time, "100:00:00"), text("100:00:00.0"));
    assert!(stored(&time, "839:00:00").is_err() && stored(&time, "soon").is_err());
}

#[test]
fn bytes_are_filled_up_as_they_are_read_back() {
    let fixed = column(ColumnType::Bytes { max_bytes: Some(3) }, "binary(3)");
    assert_eq!(store(&fixed, &Value::Bytes(vec![1]), 1 << 20), Ok(OwnedCell::Bytes(vec![1, 0, 0])));
    assert!(store(&fixed, &Value::Bytes(vec![1; 4]), 1 << 20).is_err());
}
