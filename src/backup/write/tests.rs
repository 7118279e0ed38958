//! Tests of all writers together: whatever the format, what is written reads back equal.

use super::*;
use crate::backup::testing::{Content, read_path, shown};
use crate::backup::{Format, ReadOptions, open};
use crate::error::ErrorKind;
use crate::model::ForeignKey;
use crate::model::schema::{Collation, ColumnType, Generated, Storage};

fn column(name: &str, ty: ColumnType) -> Column {
    Column {
        name: name.to_owned(),
        ty,
        declared: String::new(),
        storage: Storage::Native,
        nullable: true,
        default: None,
        generated: Generated::No,
        collation: Collation::Binary,
        enforced: false,
    }
}

fn child() -> Table {
    Table {
        schema: None,
        name: "core_child".to_owned(),
        columns: vec![
            column("id", ColumnType::Integer { min: i64::MIN, max: i64::MAX as u64 }),
            column("parent_id", ColumnType::Integer { min: i64::MIN, max: i64::MAX as u64 }),
            column("name", ColumnType::Text { max_chars: None }),
            column("photo", ColumnType::Bytes { max_bytes: None }),
            column("data", ColumnType::Json),
            column("secret", ColumnType::Text { max_chars: None }),
        ],
        key: vec![0],
        key_is_primary: true,
        uniques: Vec::new(),
        opaque_uniques: Vec::new(),
        foreign_keys: vec![ForeignKey {
            name: "f".to_owned(),
            columns: vec![1],
            table: None,
            table_name: "core_parent".to_owned(),
            references: vec![0],
            deferrable: false,
            on_delete: String::new(),
            on_update: String::new(),
            declared: true,
            when: None,
        }],
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

fn written(format: WriteFormat) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup");
    let mut writer = create(&path, format, "2026-11-21T01:00:00.000Z").unwrap();
    assert_eq!(writer.record(&[]).expect_err("no table").kind(), ErrorKind::Usage);
    let table = child();
    writer.begin_table(&table, &TableOptions { excluded: vec![5], ..Default::default() }).unwrap();
    let hash = Cell::Text("hash");
    writer
        .record(&[
            Cell::Int(1),
            Cell::Int(9),
            Cell::Text("A \"b\"\nc"),
            Cell::Bytes(b"\x00\xff"),
            Cell::Json("{\"x\":\n1}"),
            hash,
        ])
        .unwrap();
    writer.record(&[Cell::Int(2), Cell::Null, Cell::RawText(b"\xff"), Cell::Null, Cell::Absent, hash]).unwrap();
    let mut empty = table;
    empty.name = "core_empty".to_owned();
    writer.begin_table(&empty, &TableOptions { partial: true, ..Default::default() }).unwrap();
    assert!(!path.exists(), "the file appears at the end");
    writer.finish().unwrap();
    (folder, path)
}

fn check(format: WriteFormat, expected: Format, tables: &[(&str, usize)], records: &[&str]) -> Content {
    let (_folder, path) = written(format);
    assert_eq!(open(&path, &ReadOptions::default()).unwrap().format(), expected);
    let content = read_path(&path, &ReadOptions::default()).unwrap_or_else(|e| panic!("{format:?}: {e:?}"));
    assert_eq!(content.counts(), tables, "{format:?}");
    let found: Vec<String> = content.tables[0].1.iter().map(shown).collect();
    assert_eq!(found, records, "{format:?}");
    let text = std::fs::read(&path).unwrap();
    assert!(memchr::memmem::find(&text, b"hash").is_none());
    content
}

#[test]
fn every_format_reads_back_what_was_written() {
    let both = [("core_child", 2), ("core_empty", 0)];
    let first = "id=1 parent_id=9 name='A \"b\"\nc' photo='AP8=' data={\"x\":\n1}";
    let second = "id=2 parent_id=null name=RawText([255]) photo=null";
    let smart = WriteFormat::SmartBackup(Compression::Zstd, Layout::Pretty);
    let content = check(smart, Format::SmartBackup, &both, &[first, second]);
    assert_eq!(content.summary.exported_at.as_deref(), Some("2026-11-21T01:00:00.000Z"));
    let untagged = "id=2 parent_id=null name={\"rawText\":\"/w==\"} photo=null";
    check(WriteFormat::TableMap, Format::TableMap, &both, &[first, untagged]);
    let one_line = first.replace("{\"x\":\n1}", "{\"x\": 1}");
    let content = check(WriteFormat::Files(FilesFormat::NdJson), Format::NdJson, &both, &[&one_line, second]);
    assert!(content.tables[0].0.whole && !content.tables[1].0.whole);
    assert_eq!(content.summary.claimed_counts.len(), 2);
    let collections = [("core-child", 2), ("core-empty", 0)];
    let content = check(WriteFormat::Files(FilesFormat::RayErp), Format::RayErp, &collections, &[first, second]);
    assert_eq!(content.summary.claimed_counts, [("coreChild".to_owned(), 2), ("coreEmpty".to_owned(), 0)]);
    assert!(content.tables[0].0.whole && !content.tables[1].0.whole);
    let django = [
        "pk=1 parent=9 name='A \"b\"\nc' photo='AP8=' data={\"x\":\n1}",
        "pk=2 parent=null name=RawText([255]) photo=null",
    ];
    let content = check(WriteFormat::Files(FilesFormat::Django), Format::Django, &[("core_child", 2)], &django);
    assert_eq!(content.tables[0].0.origin.as_deref(), Some("core.child"));
}

#[test]
fn an_archive_of_one_jarvis_user_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("user.zip");
    let mut writer = create(&path, WriteFormat::JarvisUser, "").unwrap();
    let text = |name| column(name, ColumnType::Text { max_chars: None });
    let table = |name: &str, columns| Table { name: name.to_owned(), columns, foreign_keys: Vec::new(), ..child() };
    let none = TableOptions::default();
    writer.begin_table(&table("users", vec![text("username"), text("email")]), &none).unwrap();
    writer.record(&[Cell::Text("u"), Cell::Null]).unwrap();
    assert_eq!(writer.record(&[Cell::Text("v"), Cell::Null]).expect_err("a second user").kind(), ErrorKind::Usage);
    writer
        .begin_table(&table("preferences", vec![text("username"), column("preferences", ColumnType::Json)]), &none)
        .unwrap();
    writer.record(&[Cell::Text("u"), Cell::Text("{\"theme\":\"dark\"}")]).unwrap();
    writer.begin_table(&table("history", vec![text("at"), text("text")]), &none).unwrap();
    writer.record(&[Cell::Text("1"), Cell::Text("a")]).unwrap();
    writer.record(&[Cell::Text("2"), Cell::Null]).unwrap();
    assert_eq!(writer.begin_table(&table("rooms", vec![]), &none).expect_err("no place").kind(), ErrorKind::Usage);
    writer.finish().unwrap();
    let content = read_path(&path, &ReadOptions::default()).unwrap();
    assert_eq!(content.counts(), [("users", 1), ("preferences", 1), ("settings", 1), ("history", 2)]);
    assert_eq!(shown(&content.records("preferences")[0]), "username='u' preferences={\"theme\":\"dark\"}");
    assert_eq!(shown(&content.records("history")[1]), "column1='2' column2=null");
}

#[test]
fn a_baluhost_archive_holds_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let (database, path) = (folder.path().join("copy.db"), folder.path().join("b.tar.gz"));
    rusqlite::Connection::open(&database)
        .unwrap()
        .execute_batch("CREATE TABLE t(id); INSERT INTO t VALUES (1)")
        .unwrap();
    write_baluhost(&path, Some(&database), &[]).unwrap();
    assert_eq!(read_path(&path, &ReadOptions::default()).unwrap().counts(), [("t", 1)]);
    std::fs::write(folder.path().join("copy.db-wal"), b"x").unwrap();
    assert!(write_baluhost(&path, Some(&database), &[]).is_err());
    assert!(write_baluhost(&path, Some(&folder.path().join("none")), &[]).is_err());
}
