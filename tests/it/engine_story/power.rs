//! The power fails when the server has committed and before this side could note it (CHECKS F3): of the data folder only
//! that is left which was synced. `status` knows of the merge, and the undo has its images.

use super::paused::{merganser, run};
use crate::faults::told;
use crate::live::{Live, both};
use merganser::executor::{State, receipt};
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

/// Triggers, so that what is read back differs from what was written and has to be kept too.
const ITEMS: &str = "CREATE TABLE items (id {id}, name varchar(20), n int NOT NULL DEFAULT 0);
     INSERT INTO items (id, name) VALUES (1, NULL), (2, 'b'), (3, 'c')";

/// Puts the data folder back as it was, and gives it what was synced since.
fn fail(folder: &Path, saved: &HashMap<u64, Vec<u8>>, kept: &Path) {
    let mut folders = 0;
    for entry in std::fs::read_dir(kept).expect("a folder").flatten() {
        if entry.path().extension().is_none_or(|e| e != "folder") {
            continue;
        }
        let told = std::fs::read_to_string(entry.path()).expect("a list");
        let mut lines = told.lines();
        let place = Path::new(lines.next().expect("a path")).to_owned();
        if !place.starts_with(folder) {
            continue;
        }
        folders += 1;
        for file in std::fs::read_dir(&place).expect("a folder").flatten().filter(|f| f.path().is_file()) {
            std::fs::remove_file(file.path()).expect("removes");
        }
        for line in lines {
            let (inode, name) = line.split_once(' ').expect("a number and a name");
            let synced = std::fs::read(kept.join(format!("{inode}.file"))).ok();
            let before = inode.parse().ok().and_then(|inode: u64| saved.get(&inode).cloned());
            // A name whose content was never synced is an empty file.
            std::fs::write(place.join(name), synced.or(before).unwrap_or_default()).expect("writes");
        }
    }
    assert!(folders > 0, "no folder was synced: {}", kept.display());
}

/// What the files of a folder hold, by their numbers.
fn save(folder: &Path, files: &mut HashMap<u64, Vec<u8>>) {
    use std::os::unix::fs::DirEntryExt;
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        match entry.path().is_dir() {
            true => save(&entry.path(), files),
            false => drop(files.insert(entry.ino(), std::fs::read(entry.path()).expect("reads"))),
        }
    }
}

#[test]
fn f3_the_undo_images_are_on_disk_before_the_server_can_have_committed() {
    let folder = tempfile::tempdir().expect("a folder");
    let library = folder.path().join("power.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/engine_story/power.c");
    let made = Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(made.expect("a C compiler").success());
    for live in both(ITEMS) {
        let trigger = match live.kind {
            crate::live::Kind::Postgres => {
                "CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.n := NEW.n + 10; RETURN NEW; END';
                 CREATE TRIGGER bump BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION bump()"
            }
            crate::live::Kind::Mariadb => {
                "CREATE TRIGGER bump BEFORE INSERT ON items FOR EACH ROW SET NEW.n = NEW.n + 10"
            }
        };
        live.sql(trigger);
        live.world.backup("b.json", &[("items", json!([{"id": 1, "name": "A"}, {"id": 9, "name": "new"}]))]);
        let before = live.content();
        let kept = folder.path().join(format!("{:?}", live.kind));
        std::fs::create_dir(&kept).expect("a folder");
        let mut saved = HashMap::new();
        save(live.world.home.root(), &mut saved);
        let mut merge = merganser(&live, &live.fresh.url, &["merge", "b.json", "--yes"]);
        merge.env("LD_PRELOAD", &library).env("POWER_KEPT", &kept);
        let (code, stdout, stderr) = told(merge.output().expect("starts"));
        assert_eq!(code, 137, "{:?}: the power fails at the commit: {stdout}{stderr}", live.kind);
        let after = live.content();
        assert_ne!(after, before, "{:?}: the server has committed", live.kind);
        fail(live.world.home.root(), &saved, &kept);
        recovers(&live, &before, &after);
    }
}

fn recovers(live: &Live, before: &[String], after: &[String]) {
    let (code, stdout, stderr) = run(live, &["status"]);
    assert_eq!(code, 0, "{:?}: {stdout}{stderr}", live.kind);
    let (receipts, unreadable) = receipt::list(&live.world.home).expect("lists");
    assert!(unreadable.is_empty(), "{:?}: {unreadable:?}", live.kind);
    assert_eq!(receipts.iter().map(|r| r.state).collect::<Vec<_>>(), [State::Committed], "{:?}", live.kind);
    assert_eq!(live.content(), after);
    let (code, stdout, stderr) = run(live, &["undo", "--yes"]);
    assert_eq!(code, 0, "{:?}: {stdout}{stderr}", live.kind);
    assert_eq!(live.content(), before, "{:?}: {stdout}", live.kind);
}
