//! Tests of the layouts of many files.

use crate::backup::testing::{Content, read_bytes, read_path, shown, zipped};
use crate::backup::{Format, ReadOptions, digest, open};
use crate::error::ErrorKind;

fn read(files: &[(&str, &str)]) -> Content {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let bytes = zipped(&files);
    read_bytes(&bytes, &ReadOptions::default(), 16).unwrap_or_else(|e| panic!("{files:?}: {e:?}"))
}

fn format_of(files: &[(&str, &str)]) -> Format {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), zipped(&files)).unwrap();
    open(file.path(), &ReadOptions::default()).unwrap().format()
}

fn named(name: &str, text: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn a_baby_buddy_archive_is_read_model_by_model() {
    let files = [
        ("metadata.json", r#"{"version":"1.0","timestamp":"2026-11-20T23:57:18.552289+00:00","total_records":3}"#),
        ("core/tag.json", r#"[{"model":"core.tag","pk":7,"fields":{"name":"x"}}]"#),
        ("core/child.json", "[]"),
        ("mixed.json", r#"[{"model":"a.b","pk":1,"fields":{}},{"model":"c.d","pk":1,"fields":{}}]"#),
    ];
    assert_eq!(format_of(&files), Format::Django);
    let content = read(&files);
    assert_eq!(content.counts(), [("core_tag", 1), ("core_child", 0), ("a_b", 1), ("c_d", 1)]);
    assert_eq!(content.tables[0].0.origin.as_deref(), Some("core.tag"));
    assert_eq!(content.summary.exported_at.as_deref(), Some("2026-11-20T23:57:18.552289+00:00"));
    let wrong = files.map(|(name, text)| (name, text.replace("total_records\":3", "total_records\":4")));
    let wrong: Vec<(&str, &[u8])> = wrong.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let error = read_bytes(&zipped(&wrong), &ReadOptions::default(), 16).expect_err("a wrong total");
    assert_eq!(error.kind(), ErrorKind::BackupDamaged);
}

#[test]
fn a_rayerp_archive_is_read_collection_by_collection() {
    let info = r#"{"backupId":"u","backupDate":"2025-11-19T08:46:25.000Z","version":"1.0.0","backupType":"full",
        "isEncrypted":false,"totalRecords":{"employees":1,"activityLogs":1}}"#;
    let files = [
        (
            "employees.json",
            r#"[{"_id":"5f","pay":{"$numberDecimal":"12.30"},"at":"2025-11-19T08:46:25.000Z","__v":0}]"#,
        ),
        ("activity-logs.json", r#"[{"_id":"6f"}]"#),
        ("backup-info.json", info),
        ("uploads/a.json", "not ours"),
    ];
    assert_eq!(format_of(&files), Format::RayErp);
    let content = read(&files);
    assert_eq!(content.counts(), [("employees", 1), ("activity-logs", 1)]);
    assert!(shown(&content.records("employees")[0]).contains("pay={\"$numberDecimal\":\"12.30\"}"));
    assert_eq!(content.summary.version.as_deref(), Some("1.0.0"));
    assert_eq!(content.summary.notes.len(), 1);
    let encrypted = zipped(&[("backup-info.json", br#"{"isEncrypted":true}"#), ("a.json", b"[]")]);
    let error = read_bytes(&encrypted, &ReadOptions::default(), 16).expect_err("encrypted");
    assert_eq!(error.kind(), ErrorKind::WrongKey);
}

#[test]
fn a_jarvis_archive_becomes_the_tables_of_its_system_export() {
    let data = r#"{"user":{"username":"u","is_active":1,"last_login":null},"preferences":{"theme":"dark"},
        "settings":{"max_tokens":4000},"history":[[1,7,"2025-08-19 09:24:04","te\"xt"]]}"#;
    let files = [("user_data.json", data), ("u/file.txt", "x")];
    assert_eq!(format_of(&files), Format::Jarvis);
    let content = read(&files);
    assert_eq!(content.counts(), [("users", 1), ("preferences", 1), ("settings", 1), ("history", 1)]);
    let shown: Vec<String> = content.tables.iter().map(|(_, records)| shown(&records[0])).collect();
    assert_eq!(
        shown,
        [
            "username='u' is_active=1 last_login=null",
            "username='u' preferences={\"theme\":\"dark\"}",
            "username='u' settings={\"max_tokens\":4000}",
            "column1=1 column2=7 column3='2025-08-19 09:24:04' column4='te\"xt'",
        ]
    );
    assert!(content.tables.iter().all(|(header, _)| !header.whole));
}

#[test]
fn lines_and_csv_are_read_from_files_folders_and_archives() {
    let lines = "{\"id\":1,\"s\":\"a\"}\n{\"id\":2,\"s\":null}\r\n\n{\"id\":3}";
    let csv = "id,name,\"no\"\"te\"\r\n1,\"a, \"\"b\"\"\n c\",\n2,\"\",\\N\n3,ü,x";
    let content = read(&[("users.ndjson", lines), ("rooms.csv", csv)]);
    assert_eq!(content.counts(), [("users", 3), ("rooms", 3)]);
    assert_eq!(content.tables[1].0.columns, ["id", "name", "no\"te"]);
    let rooms: Vec<String> = content.records("rooms").iter().map(shown).collect();
    assert_eq!(
        rooms,
        ["id='1' name='a, \"b\"\n c' no\"te=null", "id='2' name='' no\"te=null", "id='3' name='ü' no\"te='x'"]
    );

    let (folder, path) = named("users.jsonl", lines.as_bytes());
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::write(folder.path().join("sub/rooms.csv"), csv).unwrap();
    let single = read_path(&path, &ReadOptions::default()).unwrap();
    assert_eq!(single.counts(), [("users", 3)]);
    let both = read_path(folder.path(), &ReadOptions::default()).unwrap();
    assert_eq!(both.counts(), [("rooms", 3), ("users", 3)]);
    assert_eq!((both.summary.digest, both.summary.size_bytes), digest(folder.path()).unwrap());

    let (_folder, tabs) = named("t.tsv", b"\xef\xbb\xbfa\tb\n1\t2\n");
    assert_eq!(shown(&read_path(&tabs, &ReadOptions::default()).unwrap().records("t")[0]), "a='1' b='2'");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("x.csv")).unwrap();
        assert!(read_path(folder.path(), &ReadOptions::default()).is_err());
    }
}

#[test]
fn damaged_tables_are_refused_with_their_place() {
    for (name, text, part) in [
        ("t.csv", "", "empty"),
        ("t.csv", "a,b\n1\n", "record 1 has 1 fields"),
        ("t.csv", "a,b\n1,\"x\n", "a quote is open"),
        ("t.csv", "a,b\n1,\"x\"y\n", "follows a closing quote"),
        ("t.csv", "a,a\n1,2\n", "twice"),
        ("t.ndjson", "{\"a\":1}\n[1]\n", "every line is one record"),
        ("t.ndjson", "{\"a\":1}\n{\"a\":", "ends in the middle"),
        ("t.ndjson", "{\"a\":1,\"a\":2}\n", "twice"),
    ] {
        let (_folder, path) = named(name, text.as_bytes());
        let error = read_path(&path, &ReadOptions::default()).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::BackupDamaged, "{text:?}: {error:?}");
        assert!(error.full_message().contains(part), "{text:?}: {error:?}");
    }
}

#[test]
fn a_document_in_an_archive_is_read_as_if_it_were_not_packed() {
    let files = [("backup.json", r#"{"tables":[{"tableName":"A","records":[{"id":1}]}]}"#)];
    assert_eq!(format_of(&files), Format::SmartBackup);
    assert_eq!(read(&files).counts(), [("A", 1)]);
}

#[test]
fn a_list_of_records_is_of_the_table_that_its_file_is_named_for_packed_or_not() {
    let list = r#" [{"id":1,"name":"Ada"},{"id":2}]"#;
    assert_eq!(format_of(&[("users.json", list)]), Format::JsonFiles);
    assert_eq!(read(&[("users.json", list)]).counts(), [("users", 2)]);
    assert_eq!(read(&[("data/users.json", list)]).counts(), [("users", 2)]);
    let (folder, path) = named("users.json", list.as_bytes());
    assert_eq!(read_path(&path, &ReadOptions::default()).unwrap().counts(), [("users", 2)]);
    assert_eq!(read_path(folder.path(), &ReadOptions::default()).unwrap().counts(), [("users", 2)]);
    // Django's own are what they say, whatever the file is called.
    let fixture = r#"[{"model":"core.tag","pk":1,"fields":{"name":"a"}}]"#;
    assert_eq!(read(&[("users.json", fixture)]).counts(), [("core_tag", 1)]);
    let (_folder, path) = named("users.json", fixture.as_bytes());
    assert_eq!(read_path(&path, &ReadOptions::default()).unwrap().counts(), [("core_tag", 1)]);
    for (text, kind) in [("[1]", ErrorKind::UnknownFormat), (r#"[{"id":1},{"id":1"#, ErrorKind::BackupDamaged)] {
        let (_folder, path) = named("users.json", text.as_bytes());
        assert_eq!(read_path(&path, &ReadOptions::default()).unwrap_err().kind(), kind, "{text}");
    }
}

#[test]
fn what_is_wrong_names_file_table_and_place() {
    let nested = format!("{{\"users\":[{{\"id\":1,\"x\":{}1{}}}]}}", "[".repeat(70), "]".repeat(70));
    for (name, text, parts) in [
        ("a.json", r#"{"users":[{"id":1}]} x"#, ["byte 21", "line 1", "more after the end"]),
        ("b.json", r#"{"users":[{"id":1,"id":2}]}"#, ["users, record 1", "byte 10", "`id` is there twice"]),
        ("c.json", r#"{"users":[],"users":[]}"#, ["byte 20", "line 1", "`users` is there twice"]),
        ("d.json", nested.as_str(), ["users, record 1", "byte 10", "deeper"]),
        ("users.csv", "id,name\n1,Ada\n2,\"Bo\n", ["users:", "byte 14", "quote is open"]),
        ("users.csv", "id,name\n1,Ada,3\n", ["users:", "byte 8", "record 1 has 3 fields"]),
        ("users.csv", "id,id\n", ["users:", "byte 0", "twice"]),
        ("users.ndjson", "{\"id\":1}\n{\"id\":2} x\n", ["users:", "byte 18", "line 2"]),
        ("users.ndjson", "{\"id\":1}\n{\"id\":2,\"id\":3}\n", ["users, record 2", "byte 9", "twice"]),
        ("users.json", r#"[{"id":1}] x"#, ["users:", "byte 11", "more after the end"]),
        ("e.json", r#"[{"model":"a.b","pk":1,"fields":{}}] y"#, ["byte 37", "line 1", "more after the end"]),
        ("f.json", r#"{"users":[{"id":1}"#, ["users, record 2", "byte 18", "ends in the middle"]),
    ] {
        let (_folder, path) = named(name, text.as_bytes());
        let message = read_path(&path, &ReadOptions::default()).expect_err(text).full_message();
        assert!(message.starts_with(&format!("{}: ", path.display())), "{name}: {message}");
        assert!(parts.iter().all(|part| message.contains(part)), "{name}: {message}");
    }
}

#[test]
fn csv_reads_the_same_through_any_window() {
    let text = "a;b\n\"x;\"\"y\"\"\";1\r\n\"é\n\n\";\n;\"\"\n";
    let expected = {
        let (_folder, path) = named("t.csv", text.as_bytes());
        read_path(&path, &ReadOptions::default()).unwrap().tables
    };
    for window in 1..12 {
        let (_folder, path) = named("t.csv", text.as_bytes());
        let content = crate::backup::testing::read(
            crate::backup::open::open_with_window(&path, &ReadOptions::default(), window).unwrap(),
        );
        assert_eq!(content.unwrap().tables, expected, "{window}");
    }
    let shown: Vec<String> = expected[0].1.iter().map(shown).collect();
    assert_eq!(shown, ["a='x;\"y\"' b='1'", "a='é\n\n' b=null", "a=null b=''"]);
}
