//! Too little memory (CHECKS F6): whatever ends an analysis or a merge there, the database is as before, and the next run,
//! with more, works.

use super::run;
use crate::world::World;
use serde_json::json;
use std::process::Command;

#[test]
fn f6_a_merge_in_too_little_memory_changes_nothing() {
    let world = World::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x')");
    let records: Vec<_> = (1..3_000).map(|id| json!({"id": id, "a": "x".repeat(200)})).collect();
    world.backup("b.json", &[("t", json!(records))]);
    let before = world.content();
    let (mut failed, mut done) = (0, false);
    for mebibytes in [8, 64, 96, 128, 160, 192, 224, 256, 320, 400, 600, 1200] {
        let script = format!(
            "ulimit -c 0; ulimit -v {}; exec {} merge b.json --strategy backup-wins --to sqlite:current.db --data-dir state --yes --no-input --json",
            mebibytes * 1024,
            env!("CARGO_BIN_EXE_merganser")
        );
        let output =
            Command::new("sh").args(["-c", &script]).current_dir(world.folder.path()).output().expect("starts");
        let now = world.content();
        if output.status.success() {
            assert_eq!(now.len(), 2_999, "{mebibytes} MiB");
            done = true;
            break;
        }
        failed += 1;
        assert_eq!(now, before, "{mebibytes} MiB: {output:?}");
        let (code, stdout, stderr) = run(&world, &["status"]);
        assert_eq!(code, 0, "{mebibytes} MiB: {stdout}{stderr}");
    }
    assert!(failed > 0 && done, "{failed} runs failed, one worked: {done}");
}
