//! Tests of the ZIP reader: hostile and damaged archives (F21, F76, F77).

use crate::backup::ReadOptions;
use crate::backup::testing::{read_bytes, zipped};
use crate::error::{Error, ErrorKind};
use std::io::Write as _;
use zip::write::SimpleFileOptions;

const RECORDS: &[u8] = br#"[{"id":1,"name":"some text that is longer"}]"#;

fn refused(bytes: &[u8]) -> Error {
    match read_bytes(bytes, &ReadOptions::default(), 1 << 16) {
        Ok(content) => panic!("{content:?} was read"),
        Err(error) => error,
    }
}

fn archive(fill: impl FnOnce(&mut zip::ZipWriter<std::io::Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    fill(&mut writer);
    writer.finish().unwrap().into_inner()
}

#[test]
fn stored_deflated_and_zip64_entries_are_read() {
    for options in [
        SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored),
        SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated),
        SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored).large_file(true),
    ] {
        let bytes = archive(|writer| {
            writer.add_directory("folder/", options).unwrap();
            for name in ["users.json", "folder/rooms.json"] {
                writer.start_file(name, options).unwrap();
                writer.write_all(RECORDS).unwrap();
            }
        });
        let content = read_bytes(&bytes, &ReadOptions::default(), 16).unwrap();
        assert_eq!(content.counts(), [("users", 1), ("rooms", 1)]);
        assert_eq!(content.summary.digest, blake3::hash(&bytes).to_hex().to_string());
    }
}

#[test]
fn f76_hostile_names_and_links_are_refused() {
    // The writer mends some names by itself, so they are put in after it.
    for name in
        ["../../evil.json", "/etc/users.json", "C:\\users.jsonx", "a\\..\\users.json", "a\0user.json", "a:b/user.json"]
    {
        let innocent = "x".repeat(name.len());
        let mut bytes = zipped(&[(&innocent, RECORDS)]);
        let places: Vec<usize> = memchr::memmem::find_iter(&bytes, innocent.as_bytes()).collect();
        assert_eq!(places.len(), 2, "once in the entry, once in the directory");
        for at in places {
            bytes[at..at + name.len()].copy_from_slice(name.as_bytes());
        }
        assert_eq!(refused(&bytes).kind(), ErrorKind::BackupDamaged, "{name}");
    }
    let link = archive(|writer| {
        writer.start_file("users.json", SimpleFileOptions::default()).unwrap();
        writer.write_all(RECORDS).unwrap();
        writer.add_symlink("link.json", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    });
    assert!(refused(&link).full_message().contains("symbolic link"));
}

#[test]
fn f21_damaged_archives_are_refused() {
    let whole = zipped(&[("users.json", RECORDS), ("rooms.json", RECORDS)]);
    assert!(read_bytes(&whole, &ReadOptions::default(), 16).is_ok());
    for length in 0..whole.len() {
        let error = read_bytes(&whole[..length], &ReadOptions::default(), 16).expect_err("cut");
        let no_magic = length < 5 && error.kind() == ErrorKind::UnknownFormat;
        assert!(error.kind() == ErrorKind::BackupDamaged || no_magic, "{length}: {error:?}");
    }
    let content = read_bytes(&whole, &ReadOptions::default(), 16).unwrap();
    let mut differing = 0;
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        if let Ok(found) = read_bytes(&bytes, &ReadOptions::default(), 16) {
            // Dates, attributes and names aren't covered by any check; the records are.
            let records =
                |c: &crate::backup::testing::Content| c.tables.iter().map(|t| t.1.clone()).collect::<Vec<_>>();
            differing += u32::from(records(&found) != records(&content));
        }
    }
    assert!(differing <= 2, "an entry's name may lose its extension; nothing else may change: {differing}");
    let same_name = |first: &str, second: &str| {
        let mut bytes = zipped(&[(first, RECORDS), (second, RECORDS)]);
        for at in memchr::memmem::find_iter(&bytes.clone(), second.as_bytes()) {
            bytes[at..at + first.len()].copy_from_slice(first.as_bytes());
        }
        bytes
    };
    assert_eq!(refused(&same_name("users.json", "xsers.json")).kind(), ErrorKind::BackupDamaged);
    // Found by fuzzing: an entry whose content ends too early was not named.
    let mut short = zipped(&[("users.json", RECORDS)]);
    let central = memchr::memmem::find(&short, b"PK\x01\x02").unwrap();
    short[central + 20..central + 24].fill(0);
    let error = refused(&short);
    assert!(
        error.kind() == ErrorKind::BackupDamaged && error.full_message().contains("entry `users.json`"),
        "{error:?}"
    );
    let one_table = zipped(&[("a/users.json", RECORDS), ("b/users.json", RECORDS)]);
    assert!(refused(&one_table).full_message().contains("twice"));
    let mut encrypted = zipped(&[("users.json", RECORDS)]);
    let central = memchr::memmem::find(&encrypted, b"PK\x01\x02").unwrap();
    encrypted[6] |= 1;
    encrypted[central + 8] |= 1;
    assert!(refused(&encrypted).full_message().contains("encrypted"));
    assert_eq!(refused(&zipped(&[])).kind(), ErrorKind::UnknownFormat);
    assert_eq!(refused(&zipped(&[("notes.txt", b"x")])).kind(), ErrorKind::UnknownFormat);
}

#[test]
fn f77_bombs_are_refused() {
    let spaces = vec![b' '; 3 << 20];
    let bomb = zipped(&[("users.json", &spaces)]);
    let mut options = ReadOptions::default();
    options.limits.ratio_from_bytes = 1 << 20;
    let error = read_bytes(&bomb, &options, 1 << 16).expect_err("a bomb");
    assert_eq!(error.kind(), ErrorKind::LimitReached, "{error:?}");
    // A lied size: the directory says 100 bytes.
    let mut lied = bomb.clone();
    let central = memchr::memmem::find(&lied, b"PK\x01\x02").unwrap();
    lied[central + 24..central + 28].copy_from_slice(&100u32.to_le_bytes());
    let error = read_bytes(&lied, &options, 1 << 16).expect_err("a lie");
    assert_eq!(error.kind(), ErrorKind::BackupDamaged, "{error:?}");
    // Two entries over the same bytes.
    let mut overlapped = zipped(&[("users.json", RECORDS), ("rooms.json", RECORDS)]);
    let first = memchr::memmem::find(&overlapped, b"PK\x01\x02").unwrap();
    let second = first + 4 + memchr::memmem::find(&overlapped[first + 4..], b"PK\x01\x02").unwrap();
    overlapped[second + 42..second + 46].copy_from_slice(&0u32.to_le_bytes());
    assert!(matches!(refused(&overlapped).kind(), ErrorKind::LimitReached | ErrorKind::BackupDamaged));
    let mut options = ReadOptions::default();
    options.limits.entries = 1;
    let many = zipped(&[("users.json", RECORDS), ("rooms.json", RECORDS)]);
    assert_eq!(read_bytes(&many, &options, 16).expect_err("many").kind(), ErrorKind::LimitReached);
}
