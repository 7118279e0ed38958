//! Tests of what PostgreSQL can hold.

use super::*;
use crate::model::Cell;
use crate::model::encode::value_of;
use crate::model::schema::{Generated, Storage};

fn column(ty: ColumnType, declared: &str) -> Column {
    Column {
        name: "c".to_owned(),
        ty,
        declared: declared.to_owned(),
        storage: Storage::Native,
        nullable: true,
        default: None,
        generated: Generated::No,
        collation: Collation::Binary,
        enforced: true,
    }
}

/// Stores what a document's text means in the column.
fn stored(column: &Column, text: &str) -> Fit {
    store(column, &value_of(Cell::String(text), column).expect("a value"))
}

fn text(cell: &str) -> Fit {
    Ok(OwnedCell::Text(cell.to_owned()))
}

#[test]
fn numbers_fit_exactly_or_not_at_all() {
    let small = column(ColumnType::Integer { min: -32_768, max: 32_767 }, "smallint");
    assert_eq!(stored(&small, "32767"), Ok(OwnedCell::Int(32_767)));
    assert!(stored(&small, "32768").is_err());
    assert!(stored(&small, "abc").is_err());
    let money = column(ColumnType::Decimal { precision: Some(10), scale: Some(2) }, "numeric(10,2)");
    assert_eq!(stored(&money, "1.10"), text("1.1"));
    assert_eq!(stored(&money, "12345678.9"), text("12345678.9"));
    assert!(stored(&money, "123.456").is_err());
    assert!(stored(&money, "123456789").is_err());
    assert_eq!(stored(&money, "NaN"), text("NaN"));
    assert!(stored(&money, "Infinity").is_err());
    let free = column(ColumnType::Decimal { precision: None, scale: None }, "numeric");
    assert_eq!(stored(&free, "Infinity"), text("Infinity"));
    assert_eq!(
        stored(&free, "123456789012345678901234567890.1234567890"),
        text("123456789012345678901234567890.123456789")
    );
    let single = column(ColumnType::Float { single: true }, "real");
    assert_eq!(store(&single, &Value::Float(0.1)), Ok(OwnedCell::Real(f64::from(0.1f32))));
    assert!(store(&single, &Value::Float(1e300)).is_err());
    assert_eq!(store(&single, &Value::Float(f64::INFINITY)), Ok(OwnedCell::Real(f64::INFINITY)));
}

#[test]
fn text_fits_by_characters() {
    let short = column(ColumnType::Text { max_chars: Some(3) }, "character varying(3)");
    assert_eq!(stored(&short, "äöü"), text("äöü"));
    assert!(stored(&short, "abcd").is_err());
    assert!(stored(&short, "abc ").is_err());
    assert!(stored(&short, "a\0b").is_err());
    let mut fixed = column(ColumnType::Text { max_chars: Some(3) }, "character(3)");
    fixed.collation = Collation::RTrim;
    assert_eq!(stored(&fixed, "a"), text("a  "));
    assert_eq!(stored(&fixed, "abc  "), text("abc"));
    assert!(stored(&fixed, "abcd").is_err());
}

#[test]
fn instants_are_cut_to_what_the_column_keeps() {
    let micro = column(ColumnType::Timestamp { zoned: true, digits: 6 }, "timestamp with time zone");
    assert_eq!(stored(&micro, "2024-01-15T12:30:00.123456789+02:00"), text("2024-01-15 10:30:00.123456+00"));
    assert_eq!(stored(&micro, "infinity"), text("infinity"));
    assert_eq!(stored(&micro, "0044-03-15 BC"), text("0044-03-15 00:00:00.000000+00 BC"));
    assert!(stored(&micro, "-5000-01-01T00:00:00Z").is_err());
    assert!(stored(&micro, "2024-13-01").is_err());
    let whole = column(ColumnType::Timestamp { zoned: false, digits: 0 }, "timestamp(0) without time zone");
    assert_eq!(stored(&whole, "1969-12-31T23:59:59.999Z"), text("1969-12-31 23:59:59"));
    let date = column(ColumnType::Date, "date");
    assert_eq!(stored(&date, "2024-02-29"), text("2024-02-29"));
    assert_eq!(stored(&date, "0001-01-01 BC"), text("0001-01-01 BC"));
    let time = column(ColumnType::Time { digits: 3 }, "time(3) without time zone");
    assert_eq!(stored(&time, "24:00"), text("24:00:00.000"));
    assert_eq!(stored(&time, "10:30:00.1239"), text("10:30:00.123"));
}

#[test]
fn json_that_jsonb_can_not_hold_is_refused() {
    let jsonb = column(ColumnType::Json, "jsonb");
    let json = column(ColumnType::Json, "json");
    for (document, in_jsonb) in [
        (r#"{"a":1}"#, true),
        (r#"{"a":"\u0000"}"#, false),
        (r#"{"a":"\\u0000"}"#, true),
        (r#"["\ud83d\ude00"]"#, true),
        (r#"["x\\"]"#, true),
    ] {
        let value = Value::Json(document.to_owned());
        assert_eq!(store(&jsonb, &value).is_ok(), in_jsonb, "{document}");
        assert!(store(&json, &value).is_ok(), "{document}");
    }
    assert!(store(&json, &Value::Json("{".to_owned())).is_err());
    let array = column(ColumnType::Json, "integer[]");
    assert!(store(&array, &Value::Json("[1,2]".to_owned())).is_ok());
    assert!(store(&array, &Value::Json("{\"a\":1}".to_owned())).is_err());
}

#[test]
fn an_enum_takes_its_labels_only_and_null_needs_permission() {
    let mood = column(ColumnType::Enum(vec!["sad".to_owned(), "ok".to_owned()]), "mood");
    assert_eq!(stored(&mood, "ok"), text("ok"));
    assert!(stored(&mood, "OK").is_err());
    let mut required = mood.clone();
    required.nullable = false;
    assert_eq!(store(&mood, &Value::Null), Ok(OwnedCell::Null));
    assert!(store(&required, &Value::Null).is_err());
}
