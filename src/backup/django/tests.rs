//! Tests of the Django fixture reader.

use crate::backup::testing::{gzip, read_bytes, shown, zipped};
use crate::backup::{ReadOptions, open};
use crate::error::ErrorKind;

const FIXTURE: &str = r#"[
{"model": "core.child", "pk": 1, "fields": {"name": "Ä \"x\"", "user": ["admin"], "tags": [1, 2]}},
{"model": "auth.user", "pk": "a", "fields": {"username": "admin"}},
{"pk": 2, "fields": {"name": "B", "amount": 12345678901234567890.10}, "model": "core.child"},
{"model": "core.child", "pk": null, "fields": {}},
{"fields": {"username": "b"}, "model": "auth.user"}
]
"#;

fn check_fixture(bytes: &[u8], name: &str) {
    for window in [1, 16, 1 << 16] {
        let content = read_bytes(bytes, &ReadOptions::default(), window).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        assert_eq!(content.counts(), [("core_child", 3), ("auth_user", 2)], "{name}");
        let header = &content.tables[0].0;
        assert_eq!(header.pk_field.as_deref(), Some("pk"));
        assert_eq!(header.origin.as_deref(), Some("core.child"));
        let records: Vec<String> = content.tables.iter().flat_map(|(_, records)| records.iter().map(shown)).collect();
        assert_eq!(
            records,
            [
                "pk=1 name='Ä \"x\"' user=[\"admin\"] tags=[1, 2]",
                "pk=2 name='B' amount=12345678901234567890.10",
                "pk=null",
                "pk='a' username='admin'",
                "username='b'",
            ],
            "{name}"
        );
        assert_eq!(content.summary.digest, blake3::hash(bytes).to_hex().to_string());
    }
}

#[test]
fn f131_interleaved_models_come_out_once_each() {
    check_fixture(FIXTURE.as_bytes(), "plain");
    check_fixture(&[b"\xef\xbb\xbf", FIXTURE.as_bytes()].concat(), "bom");
    check_fixture(&gzip(FIXTURE.as_bytes()), "gzip");
    check_fixture(&gzip(&[b"\xef\xbb\xbf", FIXTURE.as_bytes()].concat()), "gzip and bom");
    check_fixture(&FIXTURE.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(), "utf-16");
    check_fixture(&zipped(&[("fixture5.json", FIXTURE.as_bytes())]), "zip");
    assert!(read_bytes(b"[]", &ReadOptions::default(), 16).unwrap().tables.is_empty());
}

#[test]
fn an_export_by_models_is_read_as_django() {
    let text = r#"{"metadata":{"version":"1.0"},"data":{"core.child":[{"model":"core.child","pk":1,"fields":{"a":1}}],
        "core.tag":[]}}"#;
    let content = read_bytes(text.as_bytes(), &ReadOptions::default(), 16).unwrap();
    assert_eq!(content.counts(), [("core_child", 1), ("core.tag", 0)]);
    assert_eq!(shown(&content.records("core_child")[0]), "pk=1 a=1");
    let mixed = text.replace(r#""fields":{"a":1}}]"#, r#""fields":{}},{"model":"core.x","pk":1,"fields":{}}]"#);
    let error = read_bytes(mixed.as_bytes(), &ReadOptions::default(), 16).expect_err("another model");
    assert_eq!(error.kind(), ErrorKind::BackupDamaged);
}

#[test]
fn damaged_fixtures_are_refused() {
    for (from, to) in [
        ("\"pk\": 1", "\"pk\": 1, \"pk\": 1"),
        ("\"name\": \"B\"", "\"name\": \"B\", \"name\": \"B\""),
        ("\"name\": \"B\"", "\"name\": \"\\ud800\""),
        ("]\n", "] x"),
        ("]\n", ",]"),
        ("{}}", "{}} {}"),
        ("12345678901234567890.10", "NaN"),
    ] {
        let text = FIXTURE.replacen(from, to, 1);
        assert_ne!(text, FIXTURE);
        let error = read_bytes(text.as_bytes(), &ReadOptions::default(), 16).expect_err(to);
        assert_eq!(error.kind(), ErrorKind::BackupDamaged, "{to}: {error:?}");
    }
    for (from, to) in [("\"model\": \"core.child\", \"pk\": 1", "\"pk\": 1"), ("\"fields\": {}", "\"fields\": []")] {
        let error = read_bytes(FIXTURE.replacen(from, to, 1).as_bytes(), &ReadOptions::default(), 16).expect_err(to);
        assert_eq!(error.kind(), ErrorKind::UnknownFormat, "{to}: {error:?}");
    }
    let end = FIXTURE.trim_end().len();
    for length in 1..end {
        let error = read_bytes(&FIXTURE.as_bytes()[..length], &ReadOptions::default(), 16).expect_err("cut");
        assert_eq!(error.kind(), ErrorKind::BackupDamaged, "{length}: {error:?}");
    }
    let lenient = ReadOptions { lenient_json: true, ..ReadOptions::default() };
    let special = FIXTURE.replace("12345678901234567890.10", "NaN");
    let content = read_bytes(special.as_bytes(), &lenient, 16).unwrap();
    assert_eq!(shown(&content.records("core_child")[1]), "pk=2 name='B' amount=Real(NaN)");
}

#[test]
fn skipped_models_do_not_disturb_the_others() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), FIXTURE).unwrap();
    let mut reader = open(file.path(), &ReadOptions::default()).unwrap();
    assert_eq!(reader.next_table().unwrap().unwrap().name, "core_child");
    assert_eq!(reader.next_table().unwrap().unwrap().name, "auth_user");
    assert_eq!(reader.read_records(&mut crate::backup::Ignore).unwrap(), 2);
    assert!(reader.next_table().unwrap().is_none());
    std::fs::write(file.path(), format!("{FIXTURE} ")).unwrap();
    assert_eq!(reader.finish().expect_err("changed").kind(), ErrorKind::BackupDamaged);
}
