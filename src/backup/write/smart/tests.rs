//! Tests of the Smart Backup writer: what is written reads back equal, whatever it is.

use super::*;
use crate::backup::testing::{Content, read_bytes};
use crate::backup::{AtomicFile, ReadOptions};
use crate::error::ErrorKind;
use crate::model::encode::encode;
use crate::model::schema::{Collation, ColumnType, Generated, IsoSuffix, Storage, WholeSeconds};
use crate::model::{Column, OwnedCell};
use proptest::prelude::*;

fn column(name: &str, ty: ColumnType, storage: Storage) -> Column {
    Column {
        name: name.to_owned(),
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
    let integer = ColumnType::Integer { min: i64::MIN, max: u64::MAX };
    let iso = Storage::IsoText { separator: ' ', digits: 6, suffix: IsoSuffix::None, whole: WholeSeconds::Padded };
    let decimal = ColumnType::Decimal { precision: None, scale: None };
    vec![
        column("id", integer, Storage::Native),
        column("flag", ColumnType::Boolean, Storage::Native),
        column("price \"q\"", decimal, Storage::Native),
        column("ratio", ColumnType::Float { single: false }, Storage::Native),
        column("single", ColumnType::Float { single: true }, Storage::Native),
        column("name", ColumnType::Text { max_chars: None }, Storage::Native),
        column("blob", ColumnType::Bytes { max_bytes: None }, Storage::Native),
        column("doc", ColumnType::Json, Storage::Native),
        column("at", ColumnType::Timestamp { zoned: true, digits: 6 }, Storage::Native),
        column("at_text", ColumnType::Timestamp { zoned: false, digits: 6 }, iso),
        column("at_millis", ColumnType::Timestamp { zoned: true, digits: 3 }, Storage::Epoch { digits: 3 }),
        column("day", ColumnType::Date, Storage::Native),
        column("clock", ColumnType::Time { digits: 6 }, Storage::Native),
        column("uuid", ColumnType::Uuid, Storage::HexText),
        column("kind", ColumnType::Enum(vec!["a".into(), "b".into()]), Storage::Native),
        column("any", ColumnType::Any, Storage::Native),
        column("other", ColumnType::Other("inet".into()), Storage::Native),
    ]
}

fn table(name: &str, columns: Vec<Column>) -> Table {
    Table {
        schema: None,
        name: name.to_owned(),
        columns,
        key: vec![0],
        key_is_primary: true,
        uniques: Vec::new(),
        opaque_uniques: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        triggers: Vec::new(),
        timestamp: None,
        refused: None,
        notes: Vec::new(),
        partitioned_by: Vec::new(),
        secret: Vec::new(),
        plain: false,
    }
}

fn options(compression: Compression, layout: Layout) -> SmartOptions {
    SmartOptions { compression, layout, exported_at: "2026-11-21T01:00:00.000Z".to_owned(), ..Default::default() }
}

fn written(table: &Table, records: &[Vec<OwnedCell>], options: &SmartOptions) -> Vec<u8> {
    let mut writer = SmartBackupWriter::new(Vec::new(), options).unwrap();
    writer.begin_table(table, &TableOptions::default()).unwrap();
    for record in records {
        let cells: Vec<Cell<'_>> = record.iter().map(OwnedCell::as_cell).collect();
        writer.record(&cells).unwrap();
    }
    writer.into_inner().unwrap()
}

fn read(bytes: &[u8]) -> Result<Content> {
    read_bytes(bytes, &ReadOptions::default(), 100)
}

fn canonical(cell: Cell<'_>, column: &Column) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(cell, column, &mut bytes);
    bytes
}

/// Holds every written cell against what is read back, by its column's type.
fn assert_equal(columns: &[Column], records: &[Vec<OwnedCell>], content: &Content, name: &str) {
    for (written, found) in records.iter().zip(content.records(name)) {
        let mut found = found.iter();
        for (cell, column) in written.iter().zip(columns) {
            if *cell == OwnedCell::Absent {
                continue;
            }
            let (name, back) = found.next().expect("a field for each cell");
            assert_eq!(*name, column.name);
            let (expected, got) = (canonical(cell.as_cell(), column), canonical(back.as_cell(), column));
            assert_eq!(expected, got, "{}: {cell:?} came back as {back:?}", column.name);
        }
        assert!(found.next().is_none());
    }
}

fn sample_cells() -> Vec<OwnedCell> {
    let mut cells = vec![OwnedCell::Absent, OwnedCell::Null, OwnedCell::Bool(true), OwnedCell::Bool(false)];
    cells.extend([0, 1, 2, -1, i64::MAX, i64::MIN, (1 << 53) - 1, 1 << 53, 1_700_000_000_123].map(OwnedCell::Int));
    cells.extend([0, u64::MAX].map(OwnedCell::UInt));
    let floats = [0.0, -0.0, 1.0, 1.5, 1e16, 1e300, -5e-324, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1];
    cells.extend(floats.map(OwnedCell::Real));
    cells.extend(
        [
            "",
            "x",
            "[REDACTED]",
            "***REDACTED***",
            "true",
            "1",
            "1.10",
            "0.000000000000000000000000000001",
            "NaN",
            "Infinity",
            "2024-01-15T10:30:00.123456Z",
            "2024-01-15 10:30:00",
            "2024-01-15",
            "10:30:00.5",
            "infinity",
            "9999-12-31 23:59:59.999999+00",
            "0044-03-15 BC",
            "0xAB",
            "\\xAB",
            "YWJj",
            "null",
            "\"s\"",
            "[1, 2.50]",
            "{\"text\":\"x\"}",
            "{\"bytes\":\"YWJj\"}",
            "{\"a\":1,\"a\":2}",
            "{bad",
            " {\"a\":\n1} ",
            "12345678901234567890",
            "0123456789abcdef0123456789ABCDEF",
            "01234567-89ab-cdef-0123-456789abcdef",
            "a\u{0}b\"\\\n😀\u{2028}",
        ]
        .map(|text| OwnedCell::Text(text.to_owned())),
    );
    cells.extend([vec![], vec![0, 255], vec![0xd3, 0x1a, 0x01], vec![7; 16]].map(OwnedCell::Bytes));
    cells.push(OwnedCell::RawText(vec![0xff, b'a']));
    cells.push(OwnedCell::Json("{\"float\":\"NaN\"}".to_owned()));
    cells.push(OwnedCell::Json("[1,{\"x\":null}]".to_owned()));
    cells
}

#[test]
fn every_kind_of_value_comes_back_in_every_type_of_column() {
    let columns = columns();
    let table = table("every \"kind\"", columns.clone());
    let records: Vec<Vec<OwnedCell>> =
        sample_cells().into_iter().map(|cell| columns.iter().map(|_| cell.clone()).collect()).collect();
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        for layout in [Layout::Compact, Layout::Pretty] {
            let bytes = written(&table, &records, &options(compression, layout));
            let content = read(&bytes).unwrap();
            assert_eq!(content.counts(), [("every \"kind\"", records.len())]);
            assert_equal(&columns, &records, &content, "every \"kind\"");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back_equal(
        records in proptest::collection::vec(proptest::collection::vec(cell(), 17), 0..4),
    ) {
        let columns = columns();
        let bytes = written(&table("t", columns.clone()), &records, &options(Compression::None, Layout::Compact));
        let content = read(&bytes).unwrap();
        prop_assert_eq!(content.counts(), vec![("t", records.len())]);
        assert_equal(&columns, &records, &content, "t");
    }
}

fn cell() -> impl Strategy<Value = OwnedCell> {
    prop_oneof![
        Just(OwnedCell::Absent),
        Just(OwnedCell::Null),
        any::<bool>().prop_map(OwnedCell::Bool),
        any::<i64>().prop_map(OwnedCell::Int),
        any::<u64>().prop_map(OwnedCell::UInt),
        proptest::num::f64::ANY.prop_map(OwnedCell::Real),
        any::<String>().prop_map(OwnedCell::Text),
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?".prop_map(OwnedCell::Text),
        "[0-9]{4}-[01][0-9]-[0-3][0-9][ T][0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|\\+02)?"
            .prop_map(OwnedCell::Text),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(OwnedCell::Bytes),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => OwnedCell::Text(text),
            Err(error) => OwnedCell::RawText(error.into_bytes()),
        }),
        sample_cells().prop_map_select(),
    ]
}

trait Select {
    fn prop_map_select(self) -> proptest::sample::Select<OwnedCell>;
}

impl Select for Vec<OwnedCell> {
    fn prop_map_select(self) -> proptest::sample::Select<OwnedCell> {
        proptest::sample::select(self)
    }
}

#[test]
fn the_layout_is_that_of_a_smart_backup() {
    let integer = ColumnType::Integer { min: i64::MIN, max: i64::MAX as u64 };
    let columns = vec![
        column("id", integer, Storage::Native),
        column("secret", ColumnType::Text { max_chars: None }, Storage::Native),
        column("at", ColumnType::Timestamp { zoned: true, digits: 3 }, Storage::Native),
    ];
    let user = table("User", columns.clone());
    let mut link = table("Link", columns);
    link.key = vec![0, 1];
    let mut writer = SmartBackupWriter::new(Vec::new(), &options(Compression::None, Layout::Pretty)).unwrap();
    writer.begin_table(&user, &TableOptions { excluded: vec![1], partial: true, ..Default::default() }).unwrap();
    let at = Cell::Text("2024-01-15 10:30:00.000+00");
    writer.record(&[Cell::Int(1), Cell::Text("hash"), at]).unwrap();
    writer.record(&[Cell::Absent, Cell::Text("hash"), Cell::Absent]).unwrap();
    assert_eq!(writer.record(&[Cell::Int(1)]).expect_err("too few cells").kind(), ErrorKind::Usage);
    writer.begin_table(&link, &TableOptions::default()).unwrap();
    assert_eq!(writer.begin_table(&user, &TableOptions::default()).expect_err("twice").kind(), ErrorKind::Usage);
    let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    let head = text.split("\"checksum\"").next().unwrap();
    assert_eq!(
        head.replace(env!("CARGO_PKG_VERSION"), "VERSION"),
        r#"{
  "format": "merganser/1",
  "tables": [
    {
      "tableName": "User",
      "whole": false,
      "records": [
        {
          "id": 1,
          "at": "2024-01-15T10:30:00.000Z"
        },
        {}
      ],
      "primaryKey": "id"
    },
    {
      "tableName": "Link",
      "records": [],
      "primaryKey": ["id","secret"]
    }
  ],
  "metadata": {
    "exportedAt": "2026-11-21T01:00:00.000Z",
    "version": "1.0",
    "recordCounts": {
      "User": 2,
      "Link": 0
    },
    "generator": "merganser VERSION",
    "#
    );
    let content = read(text.as_bytes()).unwrap();
    assert!(!content.tables[0].0.whole && content.tables[1].0.whole);
    assert!(!text.contains("hash"));
}

#[test]
fn f18_any_changed_byte_of_an_own_backup_is_found() {
    let record = vec![OwnedCell::Int(1), OwnedCell::Text("some text, and more".to_owned())];
    let columns = vec![
        column("id", ColumnType::Integer { min: 0, max: 9 }, Storage::Native),
        column("name", ColumnType::Text { max_chars: None }, Storage::Native),
    ];
    let whole = written(&table("t", columns), &[record.clone(), record], &options(Compression::None, Layout::Pretty));
    assert!(read(&whole).is_ok());
    for at in 0..whole.len() {
        for flip in [4, 0x20] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            assert!(read(&bytes).is_err(), "byte {at} with {flip:#x}: {:?}", String::from_utf8_lossy(&bytes));
        }
        assert!(read(&whole[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn a_file_appears_only_when_it_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.json");
    let mut file = AtomicFile::create(&path).unwrap();
    file.write_all(b"half").unwrap();
    assert!(!path.exists());
    drop(file);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let mut file = AtomicFile::create(&path).unwrap();
    file.write_all(b"whole").unwrap();
    file.commit().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"whole");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(AtomicFile::create(&folder.path().join("no/such/folder.json")).is_err());
}
