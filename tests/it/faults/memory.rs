//! Too little memory (CHECKS F6): whatever ends an analysis or a merge there ends it with 24, the database is as before,
//! and the next run, with more, works.

use super::told;
use crate::live::{Kind, Live};
use crate::world::World;
use serde_json::json;
use std::process::Command;

/// Merges with ever more memory until it is enough; before that nothing may have changed.
fn grow(world: &World, url: &str, content: &dyn Fn() -> Vec<String>) {
    let records: Vec<_> = (1..3_000).map(|id| json!({"id": id, "a": "x".repeat(200)})).collect();
    world.backup("b.json", &[("t", json!(records))]);
    let before = content();
    let (mut short, mut done) = (0, false);
    for mebibytes in (4..64).map(|n| n * 2).chain((8..80).map(|n| n * 16)) {
        let script = format!(
            "ulimit -c 0; ulimit -v {}; exec {} merge b.json --strategy backup-wins --to {url} --data-dir state --yes --no-input --json",
            mebibytes * 1024,
            env!("CARGO_BIN_EXE_merganser")
        );
        let output = Command::new("sh").args(["-c", &script]).current_dir(world.folder.path()).output();
        let (code, stdout, stderr) = told(output.expect("starts"));
        let now = content();
        if code == 0 {
            assert_eq!(now.len(), 2_999, "{mebibytes} MiB");
            done = true;
            break;
        }
        assert_eq!(now, before, "{mebibytes} MiB: {stdout}{stderr}");
        // Where the program could not even be loaded it can't say anything either.
        if !stdout.is_empty() {
            assert_eq!(code, 24, "{mebibytes} MiB: {stdout}{stderr}");
            short += 1;
        }
        let status = Command::new(env!("CARGO_BIN_EXE_merganser"))
            .args(["status", "--no-input", "--to", url, "--data-dir", "state"])
            .current_dir(world.folder.path())
            .output();
        let (code, stdout, stderr) = told(status.expect("starts"));
        assert_eq!(code, 0, "{mebibytes} MiB: {stdout}{stderr}");
    }
    assert!(short > 0 && done, "{short} runs were short of memory, one worked: {done}");
}

#[test]
fn f6_a_merge_in_too_little_memory_changes_nothing() {
    let world = World::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x')");
    grow(&world, "sqlite:current.db", &|| world.content());
}

#[test]
fn f6_a_merge_into_a_server_in_too_little_memory_changes_nothing() {
    for kind in [Kind::Postgres, Kind::Mariadb] {
        let live =
            Live::new(kind, "CREATE TABLE t (id int PRIMARY KEY, a varchar(300)); INSERT INTO t VALUES (1, 'x')");
        grow(&live.world, &live.fresh.url, &|| live.content());
    }
}
