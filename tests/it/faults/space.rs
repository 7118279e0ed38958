//! Disks that are full (CHECKS F7, F8): in a small file system of its own where the system lets the test make one, else
//! under a limit on the size of files.

use super::{result, run, told};
use crate::world::World;
use serde_json::json;
use std::process::Command;

const SCHEMA: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, NULL)";

fn world() -> World {
    let world = World::new(SCHEMA);
    let long = "x".repeat(3000);
    let rows: Vec<_> = (1..600).map(|id| json!({"id": id, "a": long})).collect();
    world.backup("b.json", &[("t", json!(rows))]);
    world
}

/// Runs `merge` in a mount namespace whose `folder` is a file system of 600 KiB; `None` where that is not allowed.
fn in_small_disk(world: &World, small_is: &str) -> Option<(i32, String, String)> {
    let folder = world.path("small");
    std::fs::create_dir(&folder).expect("makes");
    let program = env!("CARGO_BIN_EXE_merganser");
    let (database, state) = match small_is {
        "target" => ("small/current.db", "state"),
        _ => ("current.db", "small/state"),
    };
    let script = format!(
        "mount -t tmpfs -o size=600k,mode=700 none small || exit 77
         [ {small_is} = target ] && cp current.db small/
         {program} merge b.json --to sqlite:{database} --data-dir {state} --yes --no-input --json
         code=$?; [ {small_is} = target ] && cp small/current.db after.db
         exit $code"
    );
    let start = |flags: &str| {
        Command::new("unshare")
            .args([flags, "sh", "-c", &script])
            .current_dir(world.folder.path())
            .env_remove("DATABASE_URL")
            .output()
            .map(told)
            .ok()
            .filter(|(code, _, stderr)| *code != 77 && !stderr.contains("unshare:"))
    };
    start("-m").or_else(|| start("-rm"))
}

/// Runs `merge` with files limited to so many blocks of 512 bytes; writing beyond fails instead of killing the process.
fn with_small_files(world: &World, blocks: u32) -> (i32, String, String) {
    let script = format!(
        "trap '' XFSZ; ulimit -f {blocks}; exec {} merge b.json --to sqlite:current.db --data-dir state --yes --no-input --json",
        env!("CARGO_BIN_EXE_merganser")
    );
    let output = Command::new("sh").args(["-c", &script]).current_dir(world.folder.path()).output();
    told(output.expect("starts"))
}

/// What takes the place of a small disk where the system makes none: files that can't grow.
#[allow(clippy::print_stderr)] // Which way was looked is worth knowing.
fn limited(world: &World) {
    eprintln!("no file system of its own is allowed here (unshare, mount): files are limited in its place");
    let (code, stdout, stderr) = with_small_files(world, 256);
    assert!([1, 21, 22, 24].contains(&code), "{code}: {stdout}{stderr}");
    assert_ne!(result(&stdout)["changed"], json!(true), "{stdout}");
}

#[test]
fn f8_a_full_disk_under_the_database_leaves_it_as_it_was() {
    let world = world();
    let before = world.content();
    match in_small_disk(&world, "target") {
        Some((code, stdout, stderr)) => {
            assert_eq!(code, 24, "{stdout}{stderr}");
            assert_eq!(result(&stdout)["changed"], json!(false), "{stdout}");
            let after = rusqlite::Connection::open(world.path("after.db")).expect("opens");
            assert_eq!(crate::world::dump(&after), before);
        }
        None => limited(&world),
    }
    assert_eq!(world.content(), before);
}

#[test]
fn f7_a_full_disk_under_the_data_folder_stops_before_the_first_write() {
    let world = world();
    let before = world.content();
    match in_small_disk(&world, "state") {
        Some((code, stdout, stderr)) => assert_eq!(code, 24, "{stdout}{stderr}"),
        None => limited(&world),
    }
    assert_eq!(world.content(), before);
}

/// Whatever can't be written at whatever moment: before or after, and the next run works.
#[test]
fn f7_f8_files_that_may_not_grow_leave_the_database_before_or_after() {
    let world = world();
    let before = world.content();
    let mut seen = [false; 2];
    for blocks in [8, 16, 64, 256, 1024, 2048, 4096, 16384] {
        let (code, stdout, stderr) = with_small_files(&world, blocks);
        let now = world.content();
        seen[usize::from(code == 0)] = true;
        if code == 0 {
            assert_eq!(now.len(), 599);
            let (code, stdout, stderr) = run(&world, &["undo", "--yes", "--json"]);
            assert_eq!(code, 0, "{stdout}{stderr}");
            assert_eq!(world.content(), before);
        } else {
            assert_eq!(now, before, "{blocks} blocks: {stdout}{stderr}");
            assert!([1, 21, 22, 24].contains(&code), "{blocks} blocks: {code}: {stdout}{stderr}");
        }
    }
    assert_eq!(seen, [true, true]);
}
