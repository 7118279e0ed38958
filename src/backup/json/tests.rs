//! Tests of the JSON readers: shapes, exactness, damage, hostile input, and equality with a plain parse.

use crate::backup::testing::{Content, Fields, gzip, read_bytes};
use crate::backup::{Format, ReadOptions, open};
use crate::error::{Error, ErrorKind, Result};
use crate::model::OwnedCell;
use proptest::prelude::*;
use std::io::Write;

const SMALL: &str = r#"{
  "tables": [
    { "tableName": "User",
      "records": [
        { "id": "u1", "name": "J\u00f6rg \"x\" 😀", "age": 9007199254740993, "ok": true, "phone": null },
        { "id": "u2", "name": "", "age": -0, "ok": false, "roles": [1, {"a": "]}"}] }
      ],
      "primaryKey": "id" },
    { "tableName": "Empty", "records": [], "primaryKey": "id" }
  ],
  "metadata": { "exportedAt": "2024-01-15T12:00:00.000Z", "version": "1.0", "recordCounts": { "User": 2, "Empty": 0 } }
}"#;

fn small(window: usize) -> Result<Content> {
    read_bytes(SMALL.as_bytes(), &ReadOptions::default(), window)
}

fn read(text: &str) -> Result<Content> {
    read_bytes(text.as_bytes(), &ReadOptions::default(), 16)
}

fn refused(text: &str) -> Error {
    match read(text) {
        Ok(content) => panic!("{text} was read as {content:?}"),
        Err(error) => error,
    }
}

fn number(text: &str) -> OwnedCell {
    OwnedCell::Number(text.to_owned())
}

fn string(text: &str) -> OwnedCell {
    OwnedCell::String(text.to_owned())
}

fn fields(pairs: &[(&str, OwnedCell)]) -> Fields {
    pairs.iter().map(|(name, cell)| ((*name).to_owned(), cell.clone())).collect()
}

#[test]
fn records_of_other_names_or_another_order_are_not_taken_for_those_before() {
    let records =
        r#"{"a":1,"b":2},{"a":3,"b":4},{"b":5,"a":6},{"a":7},{"a":8},{"a":9,"b":1},{"\u0061":2,"b":3},{"a":4,"b":5}"#;
    let content = read(&format!(r#"{{"t":[{records}],"u":[{{"b":1,"a":2}},{{"b":3,"a":4}}]}}"#)).unwrap();
    assert_eq!(content.counts(), [("t", 8), ("u", 2)]);
    let pair = |a, x, b, y| fields(&[(a, number(x)), (b, number(y))]);
    assert_eq!(content.records("t")[2], pair("b", "5", "a", "6"));
    assert_eq!(content.records("t")[6], pair("a", "2", "b", "3"));
    assert_eq!(content.records("u")[1], pair("b", "3", "a", "4"));
}

#[test]
fn a_smart_backup_is_read_cell_by_cell_through_any_window() {
    for window in [1, 2, 3, 7, 16, 61, 1 << 16] {
        let content = small(window).unwrap();
        assert_eq!(content.counts(), [("User", 2), ("Empty", 0)]);
        assert_eq!(
            content.records("User"),
            [
                fields(&[
                    ("id", string("u1")),
                    ("name", string("Jörg \"x\" 😀")),
                    ("age", number("9007199254740993")),
                    ("ok", OwnedCell::Bool(true)),
                    ("phone", OwnedCell::Null),
                ]),
                fields(&[
                    ("id", string("u2")),
                    ("name", string("")),
                    ("age", number("-0")),
                    ("ok", OwnedCell::Bool(false)),
                    ("roles", OwnedCell::Json(r#"[1, {"a": "]}"}]"#.to_owned())),
                ]),
            ]
        );
        let summary = content.summary;
        assert_eq!(summary.digest, blake3::hash(SMALL.as_bytes()).to_hex().to_string());
        assert_eq!(summary.size_bytes, SMALL.len() as u64);
        assert_eq!(summary.exported_at.as_deref(), Some("2024-01-15T12:00:00.000Z"));
        assert_eq!(summary.claimed_counts, [("User".to_owned(), 2), ("Empty".to_owned(), 0)]);
        assert_eq!(summary.claimed_keys[0], ("User".to_owned(), "id".to_owned()));
    }
}

#[test]
fn keys_may_come_in_any_order() {
    let metadata = r#""metadata":{"recordCounts":{"A":2}}"#;
    let parts = [r#""tableName":"A""#, r#""records":[{"id":1},{"id":2}]"#, r#""primaryKey":["id","x"]"#];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let table: Vec<&str> = order.iter().map(|&i| parts[i]).collect();
        let tables = format!(r#""tables":[{{{}}}]"#, table.join(","));
        for text in [format!("{{{metadata},{tables}}}"), format!("{{{tables} , {metadata}}}\n")] {
            let content = read(&text).unwrap();
            assert_eq!(content.records("A"), [fields(&[("id", number("1"))]), fields(&[("id", number("2"))])]);
            let claimed = content.tables[0].0.claimed_key.clone();
            let later = content.summary.claimed_keys.first().map(|(_, key)| key.clone());
            assert_eq!(claimed.or(later).as_deref(), Some("id,x"), "{text}");
        }
    }
}

#[test]
fn table_maps_and_their_envelopes_are_recognised() {
    let path = |text: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    };
    for (text, format) in [
        (r#"{"a":[{"x":1}],"b":[]}"#, Format::TableMap),
        (r#"{"metadata":{"version":"1"},"data":{"a":[{"x":1}],"b":[]}}"#, Format::TableMap),
        (r#"{"timestamp":"t","data":{"a":[{"x":1}],"b":[]}}"#, Format::TableMap),
        (
            r#"{"db":[{"meta":{"version":"2.0.0","exported_on":1775409738177},"data":{"a":[{"x":1}],"b":[]}}]}"#,
            Format::Ghost,
        ),
        (r#"{"tables":{"a":[{"x":1}],"b":[]}}"#, Format::TableMap),
        (r#"{"tables":[{"x":1}],"a":[{"x":1}],"b":[]}"#, Format::TableMap),
    ] {
        let file = path(text);
        assert_eq!(open(file.path(), &ReadOptions::default()).unwrap().format(), format, "{text}");
        let content = read(text).unwrap();
        assert_eq!(content.records("a"), [fields(&[("x", number("1"))])], "{text}");
        assert!(content.records("b").is_empty(), "{text}");
    }
    let ghost = read(r#"{"db":[{"meta":{"version":"2.0.0","exported_on":1775409738177},"data":{"a":[]}}]}"#).unwrap();
    assert_eq!(ghost.summary.exported_at.as_deref(), Some("2026-04-05T17:22:18.177Z"));
    assert_eq!(ghost.summary.version.as_deref(), Some("2.0.0"));
    assert!(read(r#"{"tables":[]}"#).unwrap().tables.is_empty());
    assert!(read(r#"{"data":{}}"#).unwrap().tables.is_empty());
    let noted = read(r#"{"data":{"a":[],"b":{"x":[1]},"c":5}}"#).unwrap();
    assert_eq!(noted.summary.notes.len(), 2);
}

#[test]
fn numbers_keep_their_spelling() {
    let spelled = ["18446744073709551616", "1.10", "-0", "1e400", "0.1e-7", "123456789012345678901234567890.000000001"];
    let records: Vec<String> = spelled.iter().map(|n| format!("{{\"n\":{n}}}")).collect();
    let content = read(&format!("{{\"t\":[{}]}}", records.join(","))).unwrap();
    let found: Vec<_> = content.records("t").iter().map(|record| record[0].1.clone()).collect();
    assert_eq!(found, spelled.map(number));
}

#[test]
fn encodings_and_compressions_are_undone() {
    let expected = small(1 << 16).unwrap().tables;
    let utf16: Vec<u16> = SMALL.encode_utf16().collect();
    let little: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let two_members = [gzip(&SMALL.as_bytes()[..100]), gzip(&SMALL.as_bytes()[100..])].concat();
    for (name, bytes) in [
        ("bom", [b"\xef\xbb\xbf", SMALL.as_bytes()].concat()),
        ("crlf", SMALL.replace('\n', "\r\n").into_bytes()),
        ("utf-16le bom", [b"\xff\xfe".as_slice(), &little].concat()),
        ("utf-16be bom", [b"\xfe\xff".as_slice(), &big].concat()),
        ("utf-16le", little),
        ("utf-16be", big),
        ("gzip", gzip(SMALL.as_bytes())),
        ("two gzip members", two_members),
        ("zstd", zstd::encode_all(SMALL.as_bytes(), 3).unwrap()),
    ] {
        let content = read_bytes(&bytes, &ReadOptions::default(), 16).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        assert_eq!(content.tables, expected, "{name}");
        assert_eq!(content.summary.digest, blake3::hash(&bytes).to_hex().to_string(), "{name}");
    }
}

#[test]
fn f17_a_file_cut_at_any_byte_is_refused() {
    let ghost = r#"{"db":[{"meta":{"version":"2"},"data":{"a":[{"x":1}]}}]}"#;
    let spooled = r#"{"tables":[{"records":[{"id":1}],"tableName":"A"}],"metadata":{}}"#;
    for whole in [
        SMALL.as_bytes().to_vec(),
        gzip(SMALL.as_bytes()),
        zstd::encode_all(SMALL.as_bytes(), 3).unwrap(),
        ghost.into(),
        spooled.into(),
        r#"{"a":[{"x":"é"}]}"#.into(),
    ] {
        assert!(read_bytes(&whole, &ReadOptions::default(), 16).is_ok());
        for length in 0..whole.len() {
            let error = read_bytes(&whole[..length], &ReadOptions::default(), 16).expect_err("a cut file");
            let first_bytes = length < 5 && error.kind() == ErrorKind::UnknownFormat;
            assert!(error.kind() == ErrorKind::BackupDamaged || first_bytes, "{length}: {error:?}");
        }
    }
}

#[test]
fn f19_claimed_counts_are_held_against_the_records() {
    let text = r#"{"metadata":{"recordCounts":{"A":2,"B":1}},"tables":[{"tableName":"A","records":[{"id":1}]}]}"#;
    let error = refused(text);
    assert_eq!(error.kind(), ErrorKind::BackupDamaged);
    assert_eq!(error.detail_lines().len(), 2, "{error:?}");
    let options = ReadOptions { accept_count_mismatch: true, ..ReadOptions::default() };
    let content = read_bytes(text.as_bytes(), &options, 16).unwrap();
    assert_eq!(content.summary.mismatches.len(), 2);
    let other_spelling = r#"{"metadata":{"totalRecords":{"activityLogs":1}},"data":{"activity-logs":[{"id":1}]}}"#;
    assert!(read(other_spelling).is_ok());
}

#[test]
fn f79_repeated_keys_are_refused_everywhere() {
    for text in [
        r#"{"a":[{"x":1,"x":1}]}"#,
        r#"{"a":[{"x":1,"\u0078":2}]}"#,
        r#"{"a":[{"x":1},{"x":1,"y":2,"x":3}]}"#,
        r#"{"a":[],"a":[]}"#,
        r#"{"tables":[],"tables":[]}"#,
        r#"{"tables":[{"tableName":"A","tableName":"A","records":[]}]}"#,
        r#"{"tables":[{"tableName":"A","records":[]},{"tableName":"A","records":[]}]}"#,
        r#"{"a":[{"x":1}],"metadata":{"version":"1","version":"2"}}"#,
        r#"{"a":[{"x":1}],"metadata":{"recordCounts":{"a":1,"a":1}}}"#,
        r#"{"db":[{"data":{"a":[]}},{"data":{"a":[]}}]}"#,
    ] {
        assert_eq!(refused(text).kind(), ErrorKind::BackupDamaged, "{text}");
    }
    assert!(read(r#"{"a":[{"x":{"y":1,"y":2}}]}"#).is_ok(), "a JSON column keeps its text");
}

#[test]
fn f78_deep_nesting_is_refused_without_deep_recursion() {
    for depth in [65, 10_000, 10_000_000] {
        let bomb = "[".repeat(depth);
        for text in [
            format!("{{\"a\":[{{\"x\":{bomb}"),
            format!("{{\"a\":[{{\"x\":{bomb}{}}}]}}", "]".repeat(depth)),
            format!("{{\"a\":[{{\"x\":{}1", "{\"x\":".repeat(depth.min(100_000))),
            format!("{{\"metadata\":{{\"x\":{bomb}"),
            format!("{{\"tables\":[{{\"records\":[{{\"x\":{bomb}"),
            format!("{{\"data\":{{\"x\":{{\"y\":{bomb}"),
        ] {
            let options = ReadOptions::default();
            let error = read_bytes(text.as_bytes(), &options, 1 << 16).expect_err("a bomb");
            assert_eq!(error.kind(), ErrorKind::LimitReached, "{depth}: {error:?}");
        }
    }
    let fits = format!("{{\"a\":[{{\"x\":{}1{}}}]}}", "[".repeat(63), "]".repeat(63));
    assert!(read(&fits).is_ok());
}

#[test]
fn f80_what_is_not_json_is_refused_with_its_place() {
    for (text, place) in [
        ("{\"a\":[{\"x\":01}]}", "byte 11, line 1, column 12"),
        ("{\"a\":[\n{\"x\":1},\n{\"x\":1,}]}", "line 3, column 8"),
        ("{\"a\":[{\"x\":1},]}", "line 1, column 15"),
        ("{\"a\":[{\"x\":tru}]}", "record 1"),
        ("{\"a\":[{\"x\":\"\u{1}\"}]}", "record 1"),
        ("{\"a\":[{\"x\":1}]}{\"a\":[]}", "byte 15"),
        ("{\"a\":[{\"x\":1}]} x", "byte 16"),
        ("{\"a\":[{\"x\":1}]]", "byte 14"),
        ("{\"a\":[1,2]}", "element 1 of `a` is not a record"),
        ("{\"a\":[{\"x\":1} {\"x\":2}]}", "`,` or `]`"),
        ("{\"a\":[{\"x\":1}] \"b\":[]}", "`,` or `}`"),
        ("{\"a\":[{\"x\":NaN}]}", "record 1"),
        ("{\"a\":[{\"x\":\"\\ud800\"}]}", "surrogate"),
        ("{\"a\":[{\"x\":\"\\q\"}]}", "record 1"),
        ("{,\"a\":[]}", "a string was expected"),
        ("{\"tables\":[{\"tableName\":\"A\"}]}", "no `records`"),
        ("{\"tables\":[{\"records\":[]}]}", "no `tableName`"),
        ("{\"tables\":[{\"tableName\":1,\"records\":[]}]}", "wrong kind"),
    ] {
        let error = refused(text);
        assert_eq!(error.kind(), ErrorKind::BackupDamaged, "{text}: {error:?}");
        assert!(error.full_message().contains(place), "{text}: {error:?}");
    }
    let invalid = read_bytes(b"{\"a\":[{\"x\":\"\xff\"}]}", &ReadOptions::default(), 16).expect_err("not UTF-8");
    assert!(invalid.full_message().contains("byte 12"), "{invalid:?}");
    for text in ["null", "1", "\"x\"", "{}", "{\"x\":1}", "hello", "-- PostgreSQL database dump\n", "[1]"] {
        assert_eq!(refused(text).kind(), ErrorKind::UnknownFormat, "{text}");
    }
    assert_eq!(refused("").kind(), ErrorKind::BackupDamaged);
    assert_eq!(refused(" \n").kind(), ErrorKind::BackupDamaged);
}

#[test]
fn f80_special_floats_are_typed_when_asked_for() {
    let text =
        r#"{"a":[{"x":NaN,"s":"NaN, \"-Infinity"},{"x":-Infinity,"s":"é"},{"x":Infinity,"s":""},{"x":-1,"s":""}]}"#;
    let options = ReadOptions { lenient_json: true, ..ReadOptions::default() };
    for window in [3, 16, 1000] {
        let content = read_bytes(text.as_bytes(), &options, window).unwrap();
        let values: Vec<String> = content.records("a").iter().map(|r| format!("{:?}", r[0].1)).collect();
        assert_eq!(values, ["Real(NaN)", "Real(-inf)", "Real(inf)", "Number(\"-1\")"]);
        assert_eq!(content.records("a")[0][1].1, string("NaN, \"-Infinity"));
    }
    for text in [r#"{"a":[{"x":[NaN]}]}"#, r#"{"a":[{"x":Nan}]}"#, r#"{"a":[{"x":NaNa}]}"#] {
        let error = read_bytes(text.as_bytes(), &options, 16).expect_err("not even leniently");
        assert_eq!(error.kind(), ErrorKind::BackupDamaged, "{text}");
    }
}

#[test]
fn limits_are_held() {
    let mut options = ReadOptions::default();
    options.limits.string_bytes = 100;
    options.limits.keys = 5;
    options.limits.number_digits = 10;
    options.limits.record_bytes = 300;
    options.limits.tables = 3;
    for text in [
        format!("{{\"a\":[{{\"x\":\"{}\"}}]}}", "x".repeat(101)),
        format!("{{\"a\":[{{\"x\":[\"{}\"]}}]}}", "x".repeat(101)),
        format!("{{\"a\":[{{\"x\":\"{}\"}}]}}", "x".repeat(1000)),
        format!("{{\"a\":[{{\"x\":\"{}", "x".repeat(1000)),
        format!("{{\"a\":[{{\"x\":{}}}]}}", "1".repeat(11)),
        format!("{{\"a\":[{{\"{}\":1}}]}}", "k".repeat(600)),
        r#"{"a":[{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1}]}"#.to_owned(),
        r#"{"a":[],"b":[],"c":[],"d":[]}"#.to_owned(),
        format!("{{\"{}\":[]}}", "t".repeat(600)),
    ] {
        let error = read_bytes(text.as_bytes(), &options, 16).expect_err("over a limit");
        assert_eq!(error.kind(), ErrorKind::LimitReached, "{text}: {error:?}");
    }
}

#[test]
fn f77_a_compressed_bomb_is_refused() {
    let mut options = ReadOptions::default();
    options.limits.ratio_from_bytes = 1 << 20;
    let bomb = format!("{{\"a\":[{{\"x\":\"{}\"}}]}}", " ".repeat(4 << 20));
    for bytes in [gzip(bomb.as_bytes()), zstd::encode_all(bomb.as_bytes(), 3).unwrap()] {
        let error = read_bytes(&bytes, &options, 1 << 16).expect_err("a bomb");
        assert_eq!(error.kind(), ErrorKind::LimitReached, "{error:?}");
    }
}

#[test]
fn f22_a_file_that_grows_while_it_is_read_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), SMALL).unwrap();
    let mut reader = open(file.path(), &ReadOptions::default()).unwrap();
    assert!(reader.next_table().unwrap().is_some());
    std::fs::OpenOptions::new().append(true).open(file.path()).unwrap().write_all(b" ").unwrap();
    assert_eq!(reader.finish().expect_err("changed").kind(), ErrorKind::BackupDamaged);
}

#[test]
fn f81_hostile_names_are_only_names() {
    for name in ["x\"; DROP TABLE users; --", "__proto__", "constructor", "", "sqlite_master", "a\nb", "\u{0}", "Ünï"]
    {
        let quoted = serde_json::to_string(name).unwrap();
        let content = read(&format!("{{{quoted}:[{{{quoted}:1}}]}}")).unwrap();
        assert_eq!(content.records(name), [fields(&[(name, number("1"))])]);
    }
}

#[test]
fn tables_that_nobody_reads_are_checked_and_skipped() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), SMALL).unwrap();
    let reader = open(file.path(), &ReadOptions::default()).unwrap();
    assert!(reader.finish().is_ok());
    std::fs::write(file.path(), SMALL.replace("-0", "-")).unwrap();
    let reader = open(file.path(), &ReadOptions::default()).unwrap();
    assert_eq!(reader.finish().expect_err("damaged").kind(), ErrorKind::BackupDamaged);
}

/// A JSON value whose text is chosen, so that spellings vary.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
        "[ -!#-\\[\\]-~]{0,40}".prop_map(|s| format!("\"{s}\"")),
        Just("\"\\ud83d\\ude00\\u0041\\n\\/\"".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(" , "))),
            proptest::collection::vec(inner, 0..4).prop_map(|v| {
                let members: Vec<String> = v.iter().enumerate().map(|(i, v)| format!("\"k{i}\" : {v}")).collect();
                format!("{{{}}}", members.join(",\n"))
            }),
        ]
    })
}

fn matches(cell: &OwnedCell, expected: &serde_json::value::RawValue) -> bool {
    let raw = expected.get();
    match cell {
        OwnedCell::Null => raw == "null",
        OwnedCell::Bool(b) => raw == b.to_string(),
        OwnedCell::Number(text) => raw == text,
        OwnedCell::String(text) => serde_json::from_str::<String>(raw).is_ok_and(|expected| expected == *text),
        OwnedCell::Json(text) => raw == text && matches!(raw.as_bytes()[0], b'{' | b'['),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Reading through windows of any size equals parsing the whole text at once.
    #[test]
    fn any_window_gives_what_a_plain_parse_gives(
        records in proptest::collection::vec(proptest::collection::vec(("[a-zé\"\\\\]{0,5}", value()), 0..6), 0..8),
        window in 1usize..80,
    ) {
        let mut text = String::from("{ \"data\" : { \"t\" : [");
        for (i, record) in records.iter().enumerate() {
            let members: Vec<String> = record
                .iter()
                .enumerate()
                .map(|(i, (key, value))| format!("{} :\t{value}", serde_json::to_string(&format!("{i}{key}")).unwrap()))
                .collect();
            text.push_str(if i > 0 { " ,\n{" } else { "{ " });
            text.push_str(&members.join(" , "));
            text.push('}');
        }
        text.push_str("]\n}}");
        let content = read_bytes(text.as_bytes(), &ReadOptions::default(), window).unwrap();
        prop_assert_eq!(content.counts(), vec![("t", records.len())]);
        for (found, written) in content.records("t").iter().zip(&records) {
            prop_assert_eq!(found.len(), written.len());
            for (i, ((name, cell), (key, raw))) in found.iter().zip(written).enumerate() {
                prop_assert_eq!(name, &format!("{i}{key}"));
                let raw: Box<serde_json::value::RawValue> = serde_json::from_str(raw).unwrap();
                prop_assert!(matches(cell, &raw), "{:?} is not {}", cell, raw);
            }
        }
    }

    /// Whatever the bytes, reading ends with a result.
    #[test]
    fn mutated_documents_never_panic(at in 0usize..600, byte in any::<u8>(), window in 1usize..40) {
        let mut bytes = SMALL.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = read_bytes(&bytes, &ReadOptions { lenient_json: true, ..ReadOptions::default() }, window);
    }
}
