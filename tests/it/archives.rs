//! Hostile and damaged archives, through the binary with little memory and a scratch folder of its own (CHECKS F17–F22,
//! F76–F80, F84, F112, F113): refused by code or read right, never more; nothing stays or appears anywhere.

mod made;

use crate::faults::{merganser, result, told};
use crate::world::World;
use made::{Tar, central, gzip, put, tar, zip};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const USERS: &[u8] = br#"[{"id":2,"name":"B"}]"#;
/// A whole document, which an archive may hold as its only entry.
const MAP: &[u8] = br#"{"users":[{"id":2,"name":"B"}]}"#;
/// What a process may map, code and stacks of a debug build included.
const MEMORY_KIB: u64 = 1_500_000;

fn world() -> World {
    World::new("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (1, 'A')")
}

/// Every file below a folder with its content.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path)
            } else {
                found.insert(path.clone(), std::fs::read(&path).unwrap_or_default());
            }
        }
    }
    found
}

/// Runs a command with bounded memory; returns its code and result. Its scratch folder is empty afterwards, no file
/// has changed or appeared but plans, and no file of the system that a hostile name means was written.
fn bounded(world: &World, arguments: &[&str]) -> (i32, serde_json::Value) {
    let scratch = world.path("scratch");
    std::fs::create_dir_all(&scratch).expect("a folder");
    let plain = merganser(world, arguments);
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -v {MEMORY_KIB}; exec \"$@\"")).arg("sh").arg(plain.get_program());
    command.args(plain.get_args()).arg("--json").current_dir(world.folder.path());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let before = tree(world.folder.path());
    let (code, stdout, stderr) = told(command.env("TMPDIR", &scratch).output().expect("starts"));
    assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
    let after = tree(world.folder.path());
    let state = |files: &BTreeMap<PathBuf, Vec<u8>>| {
        files
            .iter()
            .filter(|(p, _)| !p.starts_with(world.home.root()))
            .map(|(p, c)| (p.clone(), c.clone()))
            .collect::<Vec<_>>()
    };
    assert!(state(&before) == state(&after), "{arguments:?}: files appeared or changed");
    for place in ["/evil.json", "/tmp/evil.json"] {
        assert!(!Path::new(place).exists(), "{arguments:?}: {place} was written");
    }
    (code, result(&stdout))
}

/// Inspects, analyzes and merges a file: each time the code is one of these, and the database stays as it is.
fn refused(world: &World, name: &str, bytes: &[u8], codes: &[i32]) -> String {
    std::fs::write(world.path(name), bytes).expect("writes");
    let mut said = String::new();
    for arguments in [&["inspect", name][..], &["analyze", name], &["merge", name, "--yes"]] {
        let (code, result) = bounded(world, arguments);
        assert!(codes.contains(&code), "{name}: {arguments:?} ends with {code}: {result}");
        assert_eq!(result["ok"], false, "{name}: {result}");
        said = result["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(!said.is_empty(), "{name}: {result}");
    }
    std::fs::remove_file(world.path(name)).expect("removes");
    said
}

/// A file that is odd but sound: one new record is found.
fn read(world: &World, name: &str, bytes: &[u8]) {
    std::fs::write(world.path(name), bytes).expect("writes");
    let (code, result) = bounded(world, &["analyze", name]);
    assert_eq!((code, &result["counts"]["new"]), (0, &1.into()), "{name}: {result}");
    std::fs::remove_file(world.path(name)).expect("removes");
}

#[test]
fn f76_names_that_lead_elsewhere_are_refused_in_zip_archives() {
    let world = world();
    let names = [
        "../evil.json",
        "../../tmp/evil.json",
        "/evil.json",
        "/tmp/evil.json",
        "C:\\evil.json",
        "a\\..\\evil.json",
        "u\0sers.json",
    ];
    for (number, name) in names.iter().enumerate() {
        // The writer mends some names by itself, so they are put in after it.
        let innocent = "x".repeat(name.len());
        let bytes = put(&zip(&[("users.json", USERS), (&innocent, USERS)]), &innocent, name);
        let said = refused(&world, &format!("slip{number}.zip"), &bytes, &[13]);
        assert!(said.contains("entry"), "{name:?}: {said}");
    }
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.add_symlink("users.json", "/etc/passwd", zip::write::SimpleFileOptions::default()).expect("added");
    let link = writer.finish().expect("an archive").into_inner();
    assert!(refused(&world, "link.zip", &link, &[13]).contains("symbolic link"));
}

#[test]
fn f76_names_links_and_devices_in_tar_archives_are_refused() {
    let world = world();
    let path = world.sqlite_backup(
        "s.db",
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (2, 'B')",
    );
    let database = std::fs::read(&path).expect("reads");
    std::fs::remove_file(path).expect("removes");
    let sound = Tar::File("backup/database/a.db", &database);
    read(&world, "sound.tar.gz", &gzip(&tar(&[sound])));
    let evil: [(&str, Tar<'_>); 9] = [
        ("absolute", Tar::File("/tmp/evil.json", b"x")),
        ("above", Tar::File("../../tmp/evil.json", b"x")),
        ("inside", Tar::File("backup/../../evil.json", b"x")),
        ("symlink", Tar::Special(tar::EntryType::Symlink, "backup/files/a", "/etc/passwd")),
        ("hardlink", Tar::Special(tar::EntryType::Link, "backup/files/a", "/etc/passwd")),
        ("device", Tar::Special(tar::EntryType::Char, "backup/files/a", "")),
        ("block", Tar::Special(tar::EntryType::Block, "backup/files/a", "")),
        ("pipe", Tar::Special(tar::EntryType::Fifo, "backup/files/a", "")),
        ("twice", Tar::File("backup/database/a.db", &database)),
    ];
    for (name, entry) in evil {
        for entries in [[sound, entry], [entry, sound]] {
            refused(&world, &format!("{name}.tar.gz"), &gzip(&tar(&entries)), &[13]);
        }
    }
}

#[test]
fn f77_bombs_are_refused_soon_and_in_little_memory() {
    let world = world();
    let spaces = [&b"{\"users\":["[..], &vec![b' '; 96 << 20]].concat();
    let begun = std::time::Instant::now();
    refused(&world, "bomb.json.gz", &gzip(&spaces), &[25]);
    refused(&world, "bomb.zip", &zip(&[("backup.json", &spaces)]), &[25]);
    refused(&world, "tar.tar.gz", &gzip(&tar(&[Tar::File("backup/database/a.db", &spaces)])), &[25]);
    // A database claims the bytes that only a bomb has.
    let huge = vec![0; 96 << 20];
    refused(&world, "zeros.tar.gz", &gzip(&tar(&[Tar::File("backup/files/a", &huge)])), &[10, 25]);
    let inner = zip(&[("users.json", USERS)]);
    refused(&world, "nested.zip", &zip(&[("inner.zip", &inner), ("more.zip", &inner)]), &[10]);
    // Making them takes its time in a debug build, too; being stuck takes forever.
    assert!(begun.elapsed().as_secs() < 400, "{:?}", begun.elapsed());
}

#[test]
fn f77_sizes_counts_and_places_that_lie_are_refused() {
    let world = world();
    let whole = zip(&[("users.json", USERS), ("rooms.json", USERS)]);
    let first = central(&whole, 0);
    let second = central(&whole, 1);
    let patched = |at: usize, bytes: &[u8]| {
        let mut lied = whole.clone();
        lied[at..at + bytes.len()].copy_from_slice(bytes);
        lied
    };
    for (name, bytes, codes) in [
        ("smaller.zip", patched(first + 24, &3u32.to_le_bytes()), &[13][..]),
        ("larger.zip", patched(first + 24, &4_000_000_000u32.to_le_bytes()), &[13, 25]),
        ("packed.zip", patched(first + 20, &1_000_000u32.to_le_bytes()), &[13]),
        ("nothing.zip", patched(first + 20, &0u32.to_le_bytes()), &[13]),
        ("overlap.zip", patched(second + 42, &0u32.to_le_bytes()), &[13, 25]),
        ("beyond.zip", patched(first + 42, &0xffff_fff0u32.to_le_bytes()), &[13]),
    ] {
        refused(&world, name, &bytes, codes);
    }
    let end = memchr::memmem::rfind(&whole, b"PK\x05\x06").expect("an end");
    refused(&world, "counted.zip", &patched(end + 8, &[9, 0, 9, 0]), &[13]);
    refused(&world, "directory.zip", &patched(end + 16, &0u32.to_le_bytes()), &[13]);
    let names: Vec<String> = (0..10_001).map(|n| format!("t{n}.json")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), &b"[]"[..])).collect();
    refused(&world, "many.zip", &zip(&many), &[25]);
}

#[test]
fn f21_zip_archives_with_bad_sums_keys_or_repeats_are_refused() {
    let world = world();
    let whole = zip(&[("users.json", USERS)]);
    let at = central(&whole, 0);
    let mut sum = whole.clone();
    sum[at + 16] ^= 1;
    refused(&world, "sum.zip", &sum, &[13]);
    refused(&world, "cut.zip", &whole[..at], &[13]);
    let mut secret = whole.clone();
    secret[6] |= 1;
    secret[at + 8] |= 1;
    assert!(refused(&world, "secret.zip", &secret, &[13]).contains("encrypted"));
    let twice = put(&zip(&[("users.json", USERS), ("xsers.json", USERS)]), "xsers.json", "users.json");
    refused(&world, "twice.zip", &twice, &[13]);
    let folders = zip(&[("a/users.json", USERS), ("b/users.json", USERS)]);
    refused(&world, "folders.zip", &folders, &[13]);
    let mut bzip = whole.clone();
    (bzip[8], bzip[at + 10]) = (12, 12);
    refused(&world, "bzip.zip", &bzip, &[13]);
}

#[test]
fn f21_odd_zip_archives_are_read_right() {
    let world = world();
    let whole = zip(&[("backup.json", MAP)]);
    read(&world, "whole.zip", &whole);
    read(&world, "streamed.zip", &made::streamed("backup.json", MAP));
    read(&world, "zip64.zip", &made::zip64("backup.json", MAP));
    // What stands behind the directory is no part of any entry: read right, or refused.
    let junk = [&whole[..], b"junk behind the end"].concat();
    std::fs::write(world.path("junk.zip"), junk).expect("writes");
    let (code, result) = bounded(&world, &["analyze", "junk.zip"]);
    assert!(code == 13 || (code == 0 && result["counts"]["new"] == 1), "{result}");
}

#[test]
fn f17_small_archives_cut_at_every_byte_are_refused() {
    let world = world();
    let path = world.sqlite_backup(
        "s.db",
        "PRAGMA page_size = 512; CREATE TABLE users (id INTEGER PRIMARY KEY); INSERT INTO users VALUES (2)",
    );
    let database = std::fs::read(path).expect("reads");
    let packed = gzip(&tar(&[Tar::File("backup/database/a.db", &database)]));
    let text = gzip(br#"{"tables":[{"tableName":"users","records":[{"id":2}]}],"metadata":{"version":"1.0"}}"#);
    for (name, whole) in [("a.zip", zip(&[("backup.json", MAP)])), ("a.tar.gz", packed), ("a.json.gz", text)] {
        let file = world.path(name);
        for length in 0..whole.len() {
            std::fs::write(&file, &whole[..length]).expect("writes");
            let error = world.analyze(name, None, "backup-wins", Default::default()).map(|_| ()).expect_err(name);
            use merganser::ErrorKind::{BackupDamaged, UnknownFormat};
            let recognised = length > 4;
            assert!(
                error.kind() == BackupDamaged || (!recognised && error.kind() == UnknownFormat),
                "{name} cut after {length} bytes: {:?}: {}",
                error.kind(),
                error.full_message()
            );
        }
        std::fs::write(&file, &whole).expect("writes");
        world.analyze(name, None, "backup-wins", Default::default()).expect("the whole file is read");
    }
}

#[test]
fn f78_documents_ten_million_deep_are_refused() {
    let world = world();
    for (name, open) in [("lists.json", "["), ("objects.json", "{\"a\":")] {
        let deep = open.repeat(10_000_000);
        let record = format!(r#"{{"tables":[{{"tableName":"users","records":[{{"id":2,"name":{deep}"#);
        refused(&world, name, record.as_bytes(), &[25]);
        refused(&world, &format!("bare-{name}"), deep.as_bytes(), &[10, 13, 25]);
    }
}

#[test]
fn f84_a_database_of_endless_views_and_huge_computed_values_gives_only_its_tables() {
    let world = world();
    world.sqlite_backup(
        "evil.db",
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, big TEXT AS (printf('%.*c', 200000000, 'x')) VIRTUAL);
         CREATE TABLE other (a); CREATE TRIGGER t AFTER INSERT ON other BEGIN INSERT INTO other VALUES (new.a + 1); END;
         CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;
         INSERT INTO users (id, name) VALUES (2, 'B')",
    );
    let (code, inspected) = bounded(&world, &["inspect", "evil.db"]);
    assert_eq!(code, 0, "{inspected}");
    let text = inspected.to_string();
    assert!(text.contains("users") && !text.contains("\"endless\""), "{text}");
    let (code, analyzed) = bounded(&world, &["analyze", "evil.db", "--only-tables", "users"]);
    assert!([0, 14].contains(&code), "{analyzed}");
    assert!(code != 0 || analyzed["counts"]["new"] == 1, "{analyzed}");
}

#[test]
fn f112_f113_bytes_that_are_no_text_are_told_with_their_place() {
    let world = world();
    let one =
        |name: &[u8]| [br#"{"tables":[{"tableName":"users","records":[{"id":2,"name":""#, name, br#""}]}]}"#].concat();
    let said = refused(&world, "bytes.json", &one(b"a\xff\xfeb"), &[13]);
    assert!(said.contains("users") || said.contains("byte"), "{said}");
    let said = refused(&world, "half.json", &one(br"a\ud800b"), &[13]);
    assert!(said.contains("users") || said.contains("byte"), "{said}");
    let name = put(&zip(&[("users.json", USERS), ("xxxx.json", USERS)]), "xxxx", "yyyy");
    let raw: Vec<u8> = memchr::memmem::find_iter(&name, b"yyyy").fold(name.clone(), |mut bytes, at| {
        bytes[at..at + 4].copy_from_slice(b"\xff\xfe\xfd\xfc");
        bytes
    });
    refused(&world, "name.zip", &raw, &[13]);
}
