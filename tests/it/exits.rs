//! Every exit code of INTERFACE 1.4, made by a command that writes, with the target's content beside it (U5): all but 0, 3
//! and 23 mean that it is as it was. 23, 130 and 143 are made where connections and processes are cut (`faults`).

use crate::cli::World;
use std::fmt::Write as _;

/// A digest of all that the target holds: its records, its schema and the bytes of its file.
fn digest(world: &World) -> String {
    let bytes = std::fs::read(world.path("app.db")).expect("read");
    let mut all = world.content().join("\n");
    write!(all, "\n{}", blake3::hash(&bytes)).expect("written");
    all
}

/// Runs a command that has to end with a code and without a change.
fn ends(world: &World, code: i32, arguments: &[&str]) {
    let before = digest(world);
    let result = world.result(code, arguments);
    assert_eq!(digest(world), before, "{arguments:?} ended with {code} and changed the target");
    assert_ne!(result["changed"], true, "{arguments:?}: {result}");
}

const MERGE: [&str; 3] = ["merge", "backup.json", "--yes"];

fn merge<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&MERGE, more].concat()
}

#[test]
fn u5_codes_about_what_was_asked_leave_the_target_as_it_was() {
    let world = World::new();
    world.write("a-file", "");
    ends(&world, 1, &merge(&["--data-dir", "a-file/state"]));
    ends(&world, 2, &merge(&["--no-such-flag"]));
    ends(&world, 2, &["merge", "backup.json"]);
    ends(&world, 2, &["undo", "m-none", "--yes"]);
    ends(&world, 3, &merge(&["--strategy", "manual"]));
    ends(&world, 5, &["analyze", "backup.json", "--detailed-exitcode"]);
    world.write("one.json", r#"{"users":[{"id":7,"email":"g@x","name":"g"}]}"#);
    ends(&world, 4, &["analyze", "one.json", "--detailed-exitcode"]);
    ends(&world, 25, &merge(&["--max-changes", "0"]));
}

#[test]
fn u5_codes_about_the_backup_leave_the_target_as_it_was() {
    let world = World::new();
    let whole = std::fs::read_to_string(world.path("backup.json")).expect("read");
    world.write("words.json", "no backup");
    world.write("cut.json", &whole[..whole.len() / 2]);
    world.write("other.json", &whole.replace("\"email\"", "\"telephone\""));
    ends(&world, 10, &["merge", "absent.json", "--yes"]);
    ends(&world, 10, &["merge", "words.json", "--yes"]);
    ends(&world, 13, &["merge", "cut.json", "--yes"]);
    ends(&world, 14, &["merge", "other.json", "--yes"]);
    let key = age::x25519::Identity::generate().to_public().to_string();
    world.result(0, &["backup", "create", "-o", "sealed.json.age", "--encrypt-to", &key]);
    ends(&world, 12, &["merge", "sealed.json.age", "--yes"]);
}

#[test]
fn u5_codes_about_the_target_leave_it_as_it_was() {
    let world = World::new();
    world.result(0, &["analyze", "backup.json", "-o", "a.mplan"]);
    world.sql("UPDATE users SET name = 'meanwhile' WHERE id = 1");
    ends(&world, 20, &["merge", "a.mplan", "--yes"]);
    ends(&world, 21, &merge(&["--to", "postgres://nobody@127.0.0.1:1/nothing"]));
    let before = digest(&world);
    let other = rusqlite::Connection::open(world.path("app.db")).expect("opened");
    // Nobody reads the file in this process meanwhile: closing it would let the lock go.
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    world.result(11, &merge(&["--lock-timeout", "1s"]));
    other.execute_batch("ROLLBACK").expect("let go");
    assert_eq!(digest(&world), before);
    world.sql("CREATE TRIGGER never BEFORE UPDATE ON users BEGIN SELECT raise(ABORT, 'never'); END");
    ends(&world, 22, &MERGE);
}

#[test]
fn u5_a_disk_without_room_leaves_the_target_as_it_was() {
    let world = World::new();
    let before = digest(&world);
    // Blocks of 512 bytes; no file grows beyond them.
    let script = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} merge backup.json --yes --no-input --json",
        env!("CARGO_BIN_EXE_merganser")
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(world.path(""))
        .env("DATABASE_URL", "sqlite:app.db")
        .env("MERGANSER_DATA_DIR", world.path("state"))
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(24), "{output:?}");
    assert_eq!(digest(&world), before);
}
