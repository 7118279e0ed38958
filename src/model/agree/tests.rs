//! Where the spelling says that two fields are the same, the canonical forms say so too.

use super::agree;
use crate::model::schema::{Collation, Column, ColumnType, Generated, IsoSuffix, Storage, WholeSeconds};
use crate::model::{Cell, OwnedCell, compare, encode, raw};
use proptest::prelude::*;

fn column(ty: ColumnType, storage: Storage) -> Column {
    Column {
        name: "c".to_owned(),
        ty,
        declared: String::new(),
        storage,
        nullable: true,
        default: None,
        generated: Generated::No,
        collation: Collation::Binary,
        enforced: false,
    }
}

fn columns() -> Vec<Column> {
    let epoch = Storage::Epoch { digits: 3 };
    let iso = Storage::IsoText { separator: 'T', digits: 6, suffix: IsoSuffix::Z, whole: WholeSeconds::Padded };
    let stamp = ColumnType::Timestamp { zoned: true, digits: 6 };
    let mut all: Vec<Column> = [
        ColumnType::Boolean,
        ColumnType::Integer { min: i64::MIN, max: i64::MAX as u64 },
        ColumnType::Decimal { precision: None, scale: None },
        ColumnType::Float { single: false },
        ColumnType::Float { single: true },
        ColumnType::Text { max_chars: None },
        ColumnType::Bytes { max_bytes: None },
        ColumnType::Json,
        ColumnType::Date,
        ColumnType::Time { digits: 6 },
        ColumnType::Uuid,
        ColumnType::Any,
        stamp.clone(),
    ]
    .map(|ty| column(ty, Storage::Native))
    .into();
    all.push(column(ColumnType::Timestamp { zoned: false, digits: 6 }, Storage::Native));
    all.push(column(ColumnType::Integer { min: i64::MIN, max: i64::MAX as u64 }, epoch));
    all.extend([epoch, Storage::EpochReal, Storage::JulianDay, iso].map(|s| column(stamp.clone(), s)));
    all.extend([epoch, iso].map(|s| column(ColumnType::Date, s)));
    all
}

/// Spellings that look alike across kinds.
const TEXTS: [&str; 42] = [
    "",
    "0",
    "1",
    "-1",
    "-0",
    "0.0",
    "1.0",
    "1.5",
    "-1.50",
    "15",
    "01",
    "5093.28",
    "0.1",
    "9007199254740993",
    "9007199254740992",
    "123456789012345.6",
    "99999999999999999",
    "true",
    "null",
    "NaN",
    "[REDACTED]",
    "{\"a\":1}",
    "2025-03-19T22:03:26.565Z",
    "2025-03-19 22:03:26.565000+00",
    "2025-03-19 22:03:26.565",
    "2025-03-19T22:03:26.565",
    "2025-03-19T22:03:26.565000000000Z",
    "2025-03-19 22:03:26+00:00",
    "2025-03-19T22:03:26Z",
    "2025-03-19T22:03:26.Z",
    "2025-03-19T22:03:26.0Z",
    "2025-02-30T22:03:26Z",
    "2025-02-30 22:03:26.00Z",
    "5093.280",
    "-0.00",
    ".5",
    "5.",
    "1.50",
    "6FA459EA-EE8A-3CA4-894E-DB77E160355E",
    "2025-03-19",
    "00:01:02",
    "6fa459ea-ee8a-3ca4-894e-db77e160355e",
];

/// The bytes of the UUID among the texts.
const UUID: [u8; 16] = [0x6f, 0xa4, 0x59, 0xea, 0xee, 0x8a, 0x3c, 0xa4, 0x89, 0x4e, 0xdb, 0x77, 0xe1, 0x60, 0x35, 0x5e];

fn cell() -> impl Strategy<Value = OwnedCell> {
    let text = || prop::sample::select(TEXTS.to_vec()).prop_map(str::to_owned);
    let number = prop_oneof![
        prop::sample::select(vec!["0", "1", "-1", "-0", "0.0", "1.0", "1.5", "-1.50", "15", "5093.28", "0.1", "1e0"])
            .prop_map(str::to_owned),
        (-2_000_000i64..2_000_000, 0usize..8).prop_map(|(n, places)| format!("{:.places$}", n as f64 / 100.0)),
        any::<i64>().prop_map(|n| n.to_string()),
    ];
    prop_oneof![
        Just(OwnedCell::Absent),
        Just(OwnedCell::Null),
        any::<bool>().prop_map(OwnedCell::Bool),
        prop_oneof![-2i64..20, any::<i64>(), Just(1 << 53), Just((1 << 53) + 1)].prop_map(OwnedCell::Int),
        (0u64..3).prop_map(OwnedCell::UInt),
        prop_oneof![
            prop::sample::select(vec![0.0, -0.0, 1.0, 1.5, -1.5, 5093.28, 0.1, 9007199254740993.0, f64::NAN, 1e300]),
            (-2_000_000i64..2_000_000).prop_map(|n| n as f64 / 100.0),
        ]
        .prop_map(OwnedCell::Real),
        number.prop_map(OwnedCell::Number),
        text().prop_map(OwnedCell::String),
        text().prop_map(OwnedCell::Text),
        text().prop_map(|t| OwnedCell::RawText(t.into_bytes())),
        text().prop_map(|t| OwnedCell::Bytes(t.into_bytes())),
        prop::sample::select(vec!["{\"a\":1}", "[1]"]).prop_map(|t| OwnedCell::Json(t.to_owned())),
    ]
}

fn agreed(backup: Cell<'_>, current: Cell<'_>, ty: &ColumnType) -> bool {
    let mut bytes = Vec::new();
    raw::push(backup, &mut bytes);
    agree(raw::take(&mut bytes.as_slice()), current.into(), ty.into())
}

fn check(backup: Cell<'_>, current: Cell<'_>) {
    for column in columns() {
        if !agreed(backup, current, &column.ty) {
            continue;
        }
        let Some(b) = encode::value_of(backup, &column) else { continue };
        let c = encode::value_of(current, &column);
        assert!(
            c.as_ref().is_some_and(|c| compare::same(&b, c)),
            "{backup:?} and {current:?} in {:?} ({:?}): {b:?} and {c:?}",
            column.ty,
            column.storage
        );
    }
}

#[test]
fn every_pair_of_spellings_agrees_only_where_the_values_do() {
    let kinds: [fn(&str) -> OwnedCell; 3] =
        [|t| OwnedCell::String(t.into()), |t| OwnedCell::Text(t.into()), |t| OwnedCell::Number(t.into())];
    let integers = [0, 1, -1, 15, 1 << 53, (1 << 53) + 1].map(OwnedCell::Int);
    let reals = [0.0, -0.0, 1.0, -1.5, 5093.28, 0.1, 9007199254740993.0, 123456789012345.6].map(OwnedCell::Real);
    let bools = [true, false].map(OwnedCell::Bool);
    let number = |t: &str| t.parse::<f64>().is_ok_and(f64::is_finite);
    let mut all: Vec<OwnedCell> = Vec::new();
    for (position, kind) in kinds.iter().enumerate() {
        all.extend(TEXTS.iter().filter(|t| position < 2 || number(t)).map(|t| kind(t)));
    }
    all.push(OwnedCell::Bytes(UUID.to_vec()));
    all.extend(integers.into_iter().chain(reals).chain(bools));
    for backup in &all {
        for current in &all {
            check(backup.as_cell(), current.as_cell());
        }
    }
}

#[test]
fn what_comes_every_day_is_told_by_its_spelling() {
    let decimal = ColumnType::Decimal { precision: None, scale: None };
    let text = ColumnType::Text { max_chars: None };
    let integer = ColumnType::Integer { min: i64::MIN, max: i64::MAX as u64 };
    let stamp = ColumnType::Timestamp { zoned: true, digits: 3 };
    let now = "2025-03-19T22:03:26.565Z";
    assert!(agreed(Cell::Number("41"), Cell::Int(41), &integer));
    assert!(agreed(Cell::Number("-1742421806565"), Cell::Int(-1_742_421_806_565), &stamp));
    assert!(agreed(Cell::String("zephyr"), Cell::Text("zephyr"), &text));
    assert!(agreed(Cell::Number("5093.28"), Cell::Real(5093.28), &decimal));
    assert!(agreed(Cell::Number("5093.20"), Cell::Real(5093.2), &decimal));
    assert!(agreed(Cell::Bool(false), Cell::Int(0), &ColumnType::Boolean));
    assert!(agreed(Cell::String(now), Cell::Text(now), &stamp));
    // As PostgreSQL and MariaDB spell them.
    assert!(agreed(Cell::Number("5093.2"), Cell::Text("5093.20"), &decimal));
    assert!(agreed(Cell::Number("-7"), Cell::Text("-7.00"), &decimal));
    assert!(agreed(Cell::String("5093.20"), Cell::Text("5093.2"), &decimal));
    assert!(agreed(Cell::String(now), Cell::Text("2025-03-19 22:03:26.565000+00"), &stamp));
    let clock = ColumnType::Timestamp { zoned: false, digits: 3 };
    assert!(agreed(Cell::String(now), Cell::Text("2025-03-19 22:03:26.565"), &clock));
    assert!(agreed(Cell::String("6fa459ea-ee8a-3ca4-894e-db77e160355e"), Cell::Bytes(&UUID), &ColumnType::Uuid));
    assert!(!agreed(Cell::Number("5093.28"), Cell::Text("5093.29"), &decimal));
    assert!(!agreed(Cell::Number("50932.8"), Cell::Text("5093.28"), &decimal));
    assert!(!agreed(Cell::String(now), Cell::Text("2025-03-19 22:03:26.566000+00"), &stamp));
    assert!(!agreed(Cell::String(now), Cell::Text("2025-03-19 22:03:26.565000+01"), &stamp));
    assert!(!agreed(Cell::Number("5093.28"), Cell::Real(5093.29), &decimal));
    assert!(!agreed(Cell::String("zephyr"), Cell::Text("Zephyr"), &text));
    assert!(!agreed(Cell::Null, Cell::Text(""), &text));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_agrees_is_the_same(backup in cell(), current in cell()) {
        check(backup.as_cell(), current.as_cell());
    }
}
