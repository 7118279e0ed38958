//! Tests of the SQLite reader: kinds of values, what is left out, `-wal`, damage, hostile schemas.

use super::files::HOT_JOURNAL;
use super::*;
use crate::backup::digest;
use crate::backup::testing::{Content, read, read_path};
use crate::error::ErrorKind;
use crate::model::OwnedCell;
use std::path::PathBuf;

fn made(sql: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd name?#%41.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(sql).unwrap();
    (folder, path)
}

fn content(path: &Path) -> Result<Content> {
    read_path(path, &ReadOptions::default())
}

#[test]
fn every_kind_of_value_is_read_in_key_order() {
    let (_folder, path) = made(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v, g AS (id + 1), s AS (id + 2) STORED, UNIQUE(v));
         CREATE INDEX covering ON t(v, id);
         INSERT INTO t(id, v) VALUES (5, NULL), (1, 9223372036854775807), (2, 1.5), (3, 'text'), (4, x'00ff'),
             (6, CAST(x'ff61' AS TEXT)), (7, 'nul' || char(0) || 'in'), (8, 9e999), (9, '');
         CREATE TABLE w(b TEXT, a INTEGER, PRIMARY KEY(a, b)) WITHOUT ROWID;
         INSERT INTO w VALUES ('x', 2), ('y', 1);
         CREATE TABLE \"odd \"\" name\"(\"sel\"\"ect\" TEXT);
         INSERT INTO \"odd \"\" name\" VALUES ('v');",
    );
    let content = content(&path).unwrap();
    assert_eq!(content.counts(), [("odd \" name", 1), ("t", 9), ("w", 2)]);
    let header = &content.tables[1].0;
    assert_eq!(
        (header.columns.as_slice(), header.claimed_key.as_deref()),
        (&["id".into(), "v".into()][..], Some("id"))
    );
    assert_eq!(content.tables[2].0.claimed_key.as_deref(), Some("a,b"));
    let values: Vec<OwnedCell> = content.records("t").iter().map(|record| record[1].1.clone()).collect();
    assert_eq!(
        values,
        [
            OwnedCell::Int(i64::MAX),
            OwnedCell::Real(1.5),
            OwnedCell::Text("text".into()),
            OwnedCell::Bytes(vec![0, 255]),
            OwnedCell::Null,
            OwnedCell::RawText(vec![255, b'a']),
            OwnedCell::Text("nul\0in".into()),
            OwnedCell::Real(f64::INFINITY),
            OwnedCell::Text(String::new()),
        ]
    );
    assert_eq!(content.records("w")[0][1].1, OwnedCell::Int(1));
    assert_eq!((content.summary.digest, content.summary.size_bytes), digest(&path).unwrap());
}

#[test]
fn f84_views_virtual_and_internal_tables_are_left_out() {
    let (_folder, path) = made(
        "CREATE TABLE real(id INTEGER PRIMARY KEY AUTOINCREMENT);
         INSERT INTO real VALUES (1);
         CREATE VIEW users AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;
         CREATE VIRTUAL TABLE search USING fts5(body);
         CREATE TABLE big(id INTEGER PRIMARY KEY, huge AS (zeroblob(200000000)));
         INSERT INTO big VALUES (1);
         CREATE TRIGGER evil AFTER INSERT ON real BEGIN INSERT INTO real SELECT NULL FROM real; END;",
    );
    let content = content(&path).unwrap();
    assert_eq!(content.counts(), [("big", 1), ("real", 1)]);
    let notes = content.summary.notes.join("\n");
    assert!(notes.contains("`users` is a view") && notes.contains("`search` is a virtual"), "{notes}");
    assert!(notes.contains("`search_data` is a shadow"), "{notes}");
}

#[test]
fn f20_records_in_the_wal_are_read_from_a_copy() {
    let (folder, path) =
        made("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(id INTEGER PRIMARY KEY);");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES (1), (2)").unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(beside(&path, "-wal"), beside(&copy, "-wal")).unwrap();
    let before: Vec<_> = [copy.clone(), beside(&copy, "-wal")].iter().map(|p| std::fs::read(p).unwrap()).collect();
    let whole = content(&copy).unwrap();
    assert_eq!(whole.counts(), [("t", 2)]);
    assert_eq!((whole.summary.digest, whole.summary.size_bytes), digest(&copy).unwrap());
    let after: Vec<_> = [copy.clone(), beside(&copy, "-wal")].iter().map(|p| std::fs::read(p).unwrap()).collect();
    assert!(before == after && !beside(&copy, "-shm").exists(), "the backup itself is untouched");
    for (length, flip) in [(before[1].len() - 1, None), (40, None), (20, None), (before[1].len(), Some(100))] {
        let mut wal = before[1][..length].to_vec();
        if let Some(at) = flip {
            wal[at] ^= 1;
        }
        std::fs::write(beside(&copy, "-wal"), &wal).unwrap();
        let error = content(&copy).expect_err("a damaged -wal");
        assert_eq!(error.kind(), ErrorKind::BackupDamaged, "{error:?}");
    }
}

#[test]
fn f17_f20_damaged_files_are_refused() {
    let (_folder, path) = made(
        "PRAGMA page_size = 512; CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
         INSERT INTO t SELECT value, hex(randomblob(30)) FROM generate_series(1, 50);"
            .replace("FROM generate_series(1, 50)", "FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 50) SELECT value FROM n)")
            .as_str(),
    );
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(content(&path).unwrap().counts(), [("t", 50)]);
    for length in (1..whole.len()).step_by(13).chain([512, 1024, whole.len() - 512]) {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = content(&path).expect_err("a cut file");
        let no_magic = length < 16 && error.kind() == ErrorKind::UnknownFormat;
        assert!(error.kind() == ErrorKind::BackupDamaged || no_magic, "{length}: {error:?}");
    }
    let mut broken = whole.clone();
    broken[512 + 3..512 + 40].fill(0xee);
    std::fs::write(&path, &broken).unwrap();
    let error = content(&path).expect_err("a broken page");
    assert_eq!(error.kind(), ErrorKind::BackupDamaged);
    assert!(error.full_message().contains("SQLite") || error.full_message().contains("damaged"), "{error:?}");
    std::fs::write(&path, &whole).unwrap();
    std::fs::write(beside(&path, "-journal"), [&HOT_JOURNAL[..], &[0; 600]].concat()).unwrap();
    assert_eq!(content(&path).expect_err("a hot journal").kind(), ErrorKind::BackupDamaged);
    std::fs::write(beside(&path, "-journal"), [0; 600]).unwrap();
    assert!(content(&path).is_ok(), "a journal that was finished is harmless");
}

#[test]
fn limits_are_held_and_changes_are_seen() {
    let (_folder, path) = made("CREATE TABLE t(v); INSERT INTO t VALUES (zeroblob(100000)), (1);");
    let mut options = ReadOptions::default();
    options.limits.string_bytes = 50_000;
    let error = read_path(&path, &options).expect_err("a large value");
    assert_eq!(error.kind(), ErrorKind::LimitReached, "{error:?}");
    let mut reader: Box<dyn Reader> = Box::new(SqliteReader::open(&path, &ReadOptions::default()).unwrap());
    assert!(reader.next_table().unwrap().is_some());
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE later(x)").unwrap();
    assert_eq!(read(reader).expect_err("changed").kind(), ErrorKind::BackupDamaged);
}

#[test]
fn f84_files_with_changed_bytes_are_read_or_refused_and_never_more() {
    let (_folder, path) = made(
        "PRAGMA page_size = 512; CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT UNIQUE) STRICT;
         INSERT INTO t SELECT n, hex(randomblob(20)) FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 60) SELECT n FROM c);
         CREATE TABLE w(a TEXT PRIMARY KEY, b BLOB) WITHOUT ROWID; INSERT INTO w VALUES ('k', zeroblob(2000));",
    );
    let whole = std::fs::read(&path).unwrap();
    let mut options = ReadOptions::default();
    options.limits.wall_time = std::time::Duration::from_secs(5);
    // A small generator of our own: the same bytes change in every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % (1 << 31)).unwrap()
    };
    let mut refused = 0;
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..4 {
            let (at, value) = (16 + next() % (bytes.len() - 16), next());
            bytes[at] = u8::try_from(value & 0xff).unwrap();
        }
        std::fs::write(&path, &bytes).unwrap();
        if let Err(error) = read_path(&path, &options) {
            assert!(matches!(error.kind(), ErrorKind::BackupDamaged | ErrorKind::LimitReached), "{error:?}");
            refused += 1;
        }
    }
    assert!(refused > 50, "{refused}");
}
