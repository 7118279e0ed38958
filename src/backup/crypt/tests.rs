//! Encrypted files: what other programs wrote, what is written here, and every way of damaging both.

use super::*;
use crate::backup::testing::{Content, read_bytes, read_path, zipped};
use crate::backup::{Format, ReadOptions};
use crate::error::ErrorKind;
use base64::Engine as _;
use std::io::Write as _;
use std::path::PathBuf;

/// Written by `age -a` of age 1.1 to the recipient of [`IDENTITY`].
const ARMORED: &str = "\
-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBNQnhkQng3V0ZRY000K3BY
OUdHeVliZURkQndkbU41VkJWTFI1YUlocjJZClNvOW0yRTB6VUVkQ3NITHRwU3Q1
MWFGRTU5YWRwalVlTmYzeXdkM2lmTUEKLS0tIEhUMmhuTWJockxzY3BhdTVtU2pq
akg4RmxjV2VUaVhSc1RFNCsrcHF2MmMKY/4GS83pJ++dJZC6cOd7FeJYsRg/eRuX
unWe5uyL3vI0Kf+y4J+56WxdlZelmx9whpLLZDUGbCK5EkgaXKXvKvaHe6rcQ7cr
LICHhhPSbqZjCVFU38WiE7TpZn3CkkGnU/2Nz8Xvr8Ql1buycV9C13DfOhCYfPA+
lAjjwXg=
-----END AGE ENCRYPTED FILE-----
";
/// Made by age-keygen for this test only.
const IDENTITY: &str =
    "# public key: unused\nAGE-SECRET-KEY-1LD5RCG59MAMCZUMD62Z7P0DXGMS3NG9Y2SYFER3L5F6LJE4CDJSSTL8DZQ\n";
/// Written by `openssl enc -aes-256-cbc -pbkdf2 -salt` of OpenSSL 3 with the passphrase `hunter2`.
const OPENSSL: &str = "U2FsdGVkX1/Ma0e0M+tf0JPbC6tAFvhoobKyEHtnfSbWUkpyPQl3LauiJkfP13EqrsF+ecxOh9/KjsZYgCgvy9ct8YE4EqGAnY+5\
     b9BPSYRo4EuPKgt+DQg66UNEHaNJyrqG6/Uo+22X5bb9dvW5PA==";
/// Two records as RayERP encrypts a collection: `openssl enc -aes-256-cbc -md md5 -nosalt`, passphrase `hunter2`.
const COLLECTION: &str = "eb830312be37af7b88b1851a9f875c143750896d63b5cd370de1f6c4f4a1e5f987ea263d025d1efba51d3690b419a606b25b\
     7f41e3b86d610fcb5290004533315b7c9d1abe61a0938853aafd1090e6fc7a5fcb3934980926a86f8d0d6fa3eb2c3f88c6a7\
     05a792094232b7f0b9a32cf7";
const DOCUMENT: &str =
    r#"{"tables":[{"tableName":"t","records":[{"id":1,"name":"Ada"}]}],"metadata":{"version":"1.0"}}"#;

fn phrase(text: &str) -> ReadOptions {
    let keys = Keys::new(Some(Passphrase::Given(Secret::from_text(text.to_owned()))), Vec::new(), None);
    ReadOptions { keys, ..ReadOptions::default() }
}

fn identity(folder: &Path) -> ReadOptions {
    std::fs::write(folder.join("main.identity"), IDENTITY).unwrap();
    ReadOptions { keys: Keys::new(None, Vec::new(), Some(folder.to_owned())), ..ReadOptions::default() }
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.err().expect("is refused").kind()
}

fn openssl_bytes() -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(OPENSSL).unwrap()
}

/// Encrypts content into a file named `name` with the encryption's suffix.
fn sealed(folder: &Path, name: &str, content: &[u8], sealing: &Sealing) -> PathBuf {
    let path = folder.join(format!("{name}{}", sealing.suffix()));
    let plain = folder.join("plain");
    std::fs::write(&plain, content).unwrap();
    seal_into(&plain, &path, sealing).unwrap();
    path
}

fn recipient() -> Sealing {
    let key = IDENTITY.lines().nth(1).unwrap().parse::<::age::x25519::Identity>().unwrap();
    Sealing::to_recipients(&[key.to_public().to_string()]).unwrap()
}

#[test]
fn what_age_and_openssl_wrote_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let content = read_bytes(ARMORED.as_bytes(), &identity(folder.path()), 1 << 16).unwrap();
    assert_eq!(content.counts(), [("t", 1)]);
    assert_eq!(content.summary.digest, blake3::hash(ARMORED.as_bytes()).to_hex().to_string());
    assert_eq!(content.summary.notes, ["the file is encrypted (age)"]);
    let content = read_bytes(&openssl_bytes(), &phrase("hunter2"), 1 << 16).unwrap();
    assert_eq!(content.counts(), [("t", 1)]);
    assert!(content.summary.notes[1].contains("not authenticated"), "{:?}", content.summary.notes);
}

#[test]
fn f23_a_wrong_key_or_none_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = ReadOptions::default();
    for bytes in [ARMORED.as_bytes().to_vec(), openssl_bytes()] {
        assert_eq!(kind(read_bytes(&bytes, &nothing, 1 << 16)), ErrorKind::WrongKey);
    }
    assert_eq!(kind(read_bytes(&openssl_bytes(), &phrase("hunter3"), 1 << 16)), ErrorKind::WrongKey);
    for sealing in [Sealing::Passphrase(Secret::from_text("right".to_owned())), recipient()] {
        let path = sealed(folder.path(), "a.json", DOCUMENT.as_bytes(), &sealing);
        assert_eq!(kind(unlock(&path, &phrase("wrong").keys)), ErrorKind::WrongKey);
        assert_eq!(kind(read_path(&path, &phrase("wrong"))), ErrorKind::WrongKey);
        std::fs::remove_file(path).unwrap();
    }
    let other = generate_identity();
    std::fs::write(folder.path().join("other"), other.secret().expose()).unwrap();
    let keys = Keys::new(None, vec![folder.path().join("other")], None);
    let path = sealed(folder.path(), "b.json", DOCUMENT.as_bytes(), &recipient());
    assert_eq!(kind(unlock(&path, &keys)), ErrorKind::WrongKey);
    assert!(unlock(&path, &identity(folder.path()).keys).is_ok());
}

#[test]
fn the_work_that_a_passphrase_asks_for_stays_below_two_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let sealing = Sealing::Passphrase(Secret::from_text("right".to_owned()));
    let path = sealed(folder.path(), "a.json", DOCUMENT.as_bytes(), &sealing);
    let text = std::fs::read(&path).unwrap();
    let line = text.split(|byte| *byte == b'\n').nth(1).unwrap();
    // One unit more doubles the time; 2^16 is a quarter of a second on a small server.
    assert!(line.starts_with(b"-> scrypt ") && line.ends_with(b" 16"), "{}", String::from_utf8_lossy(line));
    let content = read_path(&path, &phrase("right")).unwrap();
    assert_eq!(content.counts(), [("t", 1)]);
}

fn every_format() -> Vec<(&'static str, Vec<u8>, Format)> {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("a.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection
        .execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES (1, 'Ada');")
        .unwrap();
    drop(connection);
    let records = br#"{"id":1,"name":"Ada"}"#;
    let django = br#"[{"model":"a.t","pk":1,"fields":{"name":"Ada"}}]"#;
    vec![
        ("a.json", DOCUMENT.as_bytes().to_vec(), Format::SmartBackup),
        ("a.json.gz", crate::backup::testing::gzip(DOCUMENT.as_bytes()), Format::SmartBackup),
        ("map.json", br#"{"t":[{"id":1,"name":"Ada"}]}"#.to_vec(), Format::TableMap),
        ("fixture.json", django.to_vec(), Format::Django),
        ("t.ndjson", records.to_vec(), Format::NdJson),
        ("a.zip", zipped(&[("t.ndjson", records)]), Format::NdJson),
        ("a.sqlite3", std::fs::read(database).unwrap(), Format::Sqlite),
    ]
}

#[test]
fn every_format_reads_the_same_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let options = ReadOptions {
        keys: Keys::new(
            Some(Passphrase::Given(Secret::from_text("right".to_owned()))),
            Vec::new(),
            Some(folder.path().to_owned()),
        ),
        ..ReadOptions::default()
    };
    identity(folder.path());
    for (name, content, format) in every_format() {
        let plain = folder.path().join(name);
        std::fs::write(&plain, &content).unwrap();
        let expected = read_path(&plain, &options).unwrap();
        for sealing in [recipient(), Sealing::Cbc(Secret::from_text("right".to_owned()))] {
            let path = sealed(folder.path(), name, &content, &sealing);
            let reader = crate::backup::open(&path, &options).unwrap_or_else(|e| panic!("{name}: {e:?}"));
            assert_eq!(reader.format(), format, "{name}");
            let found = crate::backup::testing::read(reader).unwrap_or_else(|e| panic!("{name}: {e:?}"));
            assert_eq!(found.tables, expected.tables, "{name}");
            assert_eq!(found.summary.digest, crate::backup::digest(&path).unwrap().0, "{name}");
            assert_eq!(found.summary.notes[0], format!("the file is encrypted ({})", sealing.word()));
            assert!(!found.summary.notes.iter().any(|note| note.contains("not authenticated")), "{name}");
        }
    }
}

#[test]
fn what_is_written_needs_its_key_and_openssl_would_open_it() {
    let folder = tempfile::tempdir().unwrap();
    let path =
        sealed(folder.path(), "a.json", DOCUMENT.as_bytes(), &Sealing::Cbc(Secret::from_text("hunter2".to_owned())));
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.starts_with(b"Salted__") && bytes.len().is_multiple_of(16));
    assert_eq!(kind(unlock(&path, &phrase("hunter3").keys)), ErrorKind::WrongKey);
    // Without what stands beside it, it is the form that openssl's own files have; those are read by the same code.
    std::fs::remove_file(hmac_file(&path)).unwrap();
    assert_eq!(read_path(&path, &phrase("hunter2")).unwrap().counts(), [("t", 1)]);
}

/// Damages a file in every way and expects that nobody takes it for what it was.
fn every_damage(path: &Path, options: &ReadOptions, step: usize) {
    let whole = std::fs::read(path).unwrap();
    let expected = read_path(path, options).unwrap();
    let refused = |bytes: &[u8], what: &str| {
        std::fs::write(path, bytes).unwrap();
        let found: Result<Content> = read_path(path, options);
        let error = found.expect_err(what);
        let known = [ErrorKind::BackupDamaged, ErrorKind::WrongKey, ErrorKind::UnknownFormat, ErrorKind::LimitReached];
        assert!(known.contains(&error.kind()), "{what}: {error:?}");
    };
    for length in (0..whole.len()).step_by(step) {
        refused(&whole[..length], &format!("cut to {length} bytes"));
    }
    for position in (0..whole.len()).step_by(step) {
        let mut bytes = whole.clone();
        bytes[position] ^= 1 << (position % 8);
        refused(&bytes, &format!("byte {position}"));
    }
    refused(&[whole.as_slice(), b"x"].concat(), "a byte more");
    std::fs::write(path, &whole).unwrap();
    assert_eq!(read_path(path, options).unwrap(), expected);
}

#[test]
fn every_cut_and_every_flipped_byte_is_detected() {
    let folder = tempfile::tempdir().unwrap();
    let options = identity(folder.path());
    every_damage(&sealed(folder.path(), "a.json", DOCUMENT.as_bytes(), &recipient()), &options, 1);
    let path =
        sealed(folder.path(), "a.json", DOCUMENT.as_bytes(), &Sealing::Cbc(Secret::from_text("hunter2".to_owned())));
    // A passphrase is work for every try; seven is prime to the length of a block.
    every_damage(&path, &phrase("hunter2"), 7);
    // The authentication itself, too.
    let beside = hmac_file(&path);
    let text = std::fs::read_to_string(&beside).unwrap();
    for (old, new) in [("merganser", "merganzer"), ("hmac-sha256 ", "hmac-sha256 0"), ("key-check ", "key-check 0")] {
        std::fs::write(&beside, text.replace(old, new)).unwrap();
        assert!(read_path(&path, &phrase("hunter2")).is_err(), "{new}");
    }
}

#[test]
fn a_large_file_is_streamed_and_its_end_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let mut document = String::from(r#"{"tables":[{"tableName":"t","records":["#);
    for id in 0..20_000 {
        document.push_str(&format!("{}{{\"id\":{id},\"name\":\"name of {id}\"}}", if id == 0 { "" } else { "," }));
    }
    document.push_str("]}]}");
    for (sealing, options) in [
        (recipient(), identity(folder.path())),
        (Sealing::Cbc(Secret::from_text("hunter2".to_owned())), phrase("hunter2")),
    ] {
        let path = sealed(folder.path(), "large.json", document.as_bytes(), &sealing);
        assert_eq!(read_path(&path, &options).unwrap().counts(), [("t", 20_000)]);
        let whole = std::fs::read(&path).unwrap();
        for keep in [65_536, whole.len() - 65_536, whole.len() - 16, whole.len() - 1] {
            std::fs::write(&path, &whole[..keep]).unwrap();
            assert_eq!(kind(read_path(&path, &options)), ErrorKind::BackupDamaged, "{keep}");
        }
    }
}

#[test]
fn rayerps_encrypted_collections_are_read_with_a_warning() {
    let info = br#"{"version":"2.0.0","isEncrypted":true,"totalRecords":{"employees":2}}"#;
    let archive = zipped(&[("backup-info.json", info), ("employees.json", COLLECTION.as_bytes())]);
    let content = read_bytes(&archive, &phrase("hunter2"), 1 << 16).unwrap();
    assert_eq!(content.counts(), [("employees", 2)]);
    assert!(
        content.summary.notes.iter().any(|note| note.contains("without authentication")),
        "{:?}",
        content.summary.notes
    );
    assert_eq!(kind(read_bytes(&archive, &phrase("hunter3"), 1 << 16)), ErrorKind::WrongKey);
    assert_eq!(kind(read_bytes(&archive, &ReadOptions::default(), 1 << 16)), ErrorKind::WrongKey);
}

#[test]
fn secrets_come_from_files_and_commands_and_are_not_shown() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"hunter2\nnot this\n").unwrap();
    assert_eq!(Passphrase::File(file.path().to_owned()).get().unwrap().expose(), "hunter2");
    assert_eq!(Passphrase::Command("printf 'hunter2\n'".to_owned()).get().unwrap().expose(), "hunter2");
    assert_eq!(kind(Passphrase::Command("exit 3".to_owned()).get()), ErrorKind::WrongKey);
    assert_eq!(kind(Passphrase::Command("true".to_owned()).get()), ErrorKind::WrongKey);
    assert_eq!(format!("{:?}", phrase("hunter2").keys), "Keys");
}
