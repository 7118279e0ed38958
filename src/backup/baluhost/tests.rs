//! Tests of the BaluHost reader.

use crate::backup::testing::{Content, gzip, read_bytes};
use crate::backup::{Format, ReadOptions, open};
use crate::error::{ErrorKind, Result};
use std::io::Write as _;

/// Database and `-wal` with a record in each.
fn database() -> (Vec<u8>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baluhost.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE users(id INTEGER PRIMARY KEY);
             INSERT INTO users VALUES (1); PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO users VALUES (2);",
        )
        .unwrap();
    (std::fs::read(&path).unwrap(), std::fs::read(folder.path().join("baluhost.db-wal")).unwrap())
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        let field = &mut header.as_gnu_mut().unwrap().name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn read(bytes: &[u8]) -> Result<Content> {
    read_bytes(bytes, &ReadOptions::default(), 1 << 16)
}

#[test]
fn the_database_and_its_wal_are_read() {
    let (db, wal) = database();
    let files: [(&str, &[u8]); 4] = [
        ("backup/database/baluhost.db", &db),
        ("backup/database/baluhost.db-wal", &wal),
        ("backup/files/a.txt", b"x"),
        ("backup/config/settings.snapshot.json", b"{}"),
    ];
    let bytes = gzip(&archive(&files));
    let content = read(&bytes).unwrap();
    assert_eq!(content.counts(), [("users", 2)]);
    assert_eq!(content.summary.digest, blake3::hash(&bytes).to_hex().to_string());
    assert!(content.summary.notes.iter().any(|note| note.starts_with("1 files travel")), "{:?}", content.summary.notes);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    assert_eq!(open(file.path(), &ReadOptions::default()).unwrap().format(), Format::BaluHost);
    for length in (3..bytes.len()).step_by(61).chain(bytes.len() - 20..bytes.len()) {
        assert_eq!(read(&bytes[..length]).expect_err("cut").kind(), ErrorKind::BackupDamaged, "{length}");
    }
}

#[test]
fn f76_hostile_archives_are_refused() {
    let (db, _) = database();
    for files in [
        vec![("../../backup/database/x.db", db.as_slice())],
        vec![("/backup/database/x.db", db.as_slice())],
        vec![("backup/database/x.db", db.as_slice()), ("backup/database/x.db", db.as_slice())],
        vec![("backup/database/x.db", db.as_slice()), ("backup/database/y.db", db.as_slice())],
    ] {
        assert_eq!(read(&gzip(&archive(&files))).expect_err("hostile").kind(), ErrorKind::BackupDamaged);
    }
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "backup/database/x.db", "/etc/passwd").unwrap();
    let link = builder.into_inner().unwrap();
    assert!(read(&gzip(&link)).expect_err("a link").full_message().contains("link"));
    let dump = gzip(&archive(&[("backup/database/postgres_backup.sql.gz", b"x")]));
    assert_eq!(read(&dump).expect_err("SQL").kind(), ErrorKind::UnknownFormat);
    let mut trailing = archive(&[("backup/database/x.db", &db)]);
    trailing.write_all(b"more").unwrap();
    assert_eq!(read(&gzip(&trailing)).expect_err("more").kind(), ErrorKind::BackupDamaged);
}
