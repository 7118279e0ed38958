//! The kill matrix (CHECKS 6.1, F1): the process dies at the N-th step of a merge, for every N, as in a power cut.
//! Afterwards the database is as before or as after, the status says which, and the next merge and the undo work.

use super::{merganser, result, run};
use crate::world::World;
use merganser::analyzer::Options;
use merganser::executor::{State, audit, receipt, recover};
use serde_json::json;
use std::path::PathBuf;

/// A world in which a merge parks, inserts, updates and deletes, in parents and children.
fn world() -> World {
    let world = World::new(
        "CREATE TABLE roles (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
         CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, role_id INTEGER REFERENCES roles(id), boss INTEGER REFERENCES users(id));
         INSERT INTO roles VALUES (1, 'admin'), (2, 'guest'), (9, 'old');
         INSERT INTO users VALUES (1, 'a@x', 1, NULL), (2, 'b@x', 2, 1), (3, 'c@x', 2, 1), (8, 'z@x', 9, 1);",
    );
    world.backup(
        "b.json",
        &[
            (
                "users",
                json!([
                    {"id": 1, "email": "b@x", "role_id": 1, "boss": null}, {"id": 2, "email": "a@x", "role_id": 3, "boss": 1},
                    {"id": 3, "email": "c@x", "role_id": 2, "boss": 4}, {"id": 4, "email": "d@x", "role_id": 3, "boss": 2}]),
            ),
            ("roles", json!([{"id": 1, "name": "admin"}, {"id": 2, "name": "visitor"}, {"id": 3, "name": "new"}])),
        ],
    );
    world
}

fn mirror() -> Options {
    Options { deletes: merganser::analyzer::classify::Deletes::Mirror, ..Options::default() }
}

/// The data folder and the database as they were, to start from again and again.
struct Saved(Vec<(PathBuf, Vec<u8>)>);

impl Saved {
    fn of(world: &World) -> Self {
        let mut files = Vec::new();
        let mut open = vec![world.folder.path().to_owned()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    open.push(path)
                } else {
                    files.push((path.clone(), std::fs::read(&path).expect("reads")))
                }
            }
        }
        Self(files)
    }

    fn restore(&self, world: &World) {
        for folder in
            [world.folder.path().to_owned(), world.home.plans(), world.home.receipts(), world.home.root().to_owned()]
        {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_file() {
                    std::fs::remove_file(path).expect("removes");
                }
            }
        }
        for (path, bytes) in &self.0 {
            std::fs::write(path, bytes).expect("writes");
        }
    }
}

fn clean(world: &World) {
    let connection = world.connection();
    let integrity: String = connection.query_row("PRAGMA integrity_check", [], |r| r.get(0)).expect("checks");
    assert_eq!(integrity, "ok");
    let dangling: i64 =
        connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |r| r.get(0)).expect("checks");
    assert_eq!(dangling, 0);
}

/// Kills `args` at every step; `again` must bring the database to `after` whatever happened.
fn at_every_step(world: &World, args: &[&str], before: &[String], after: &[String], least: u64) {
    let saved = Saved::of(world);
    let entries = audit::read(&world.home).expect("reads").len();
    let mut seen = (0, 0);
    for step in 1.. {
        saved.restore(world);
        let output = merganser(world, args).env("MERGANSER_FAILPOINT", format!("any:{step}")).output().expect("starts");
        if output.status.success() {
            assert_eq!(world.content(), after, "completed");
            assert!(step > least, "only {step} steps were passed");
            assert!(seen.0 > 0 && seen.1 > 0, "killed before the commit {} times, after it {} times", seen.0, seen.1);
            return;
        }
        assert_eq!(output.status.code(), None, "step {step}: {}", String::from_utf8_lossy(&output.stderr));
        let now = world.content();
        clean(world);
        let committed = now == after;
        assert!(committed || now == before, "step {step}: neither before nor after:\n{now:#?}");
        let (settled, holder) = recover::status(&world.home, &mut world.database()).expect("a status");
        assert_eq!(holder, None, "step {step}: the lock is still held");
        assert!(settled.len() <= 1, "step {step}: {settled:?}");
        if let Some(one) = settled.first() {
            assert_eq!(one.state, if committed { State::Committed } else { State::RolledBack }, "step {step}: {one:?}");
        }
        // Nothing half-done is left behind, and what is noted is what happened.
        let (receipts, unreadable) = receipt::list(&world.home).expect("lists");
        assert!(unreadable.is_empty(), "step {step}: {unreadable:?}");
        assert!(receipts.iter().all(|r| matches!(r.state, State::Committed | State::RolledBack)), "step {step}");
        let noted = audit::read(&world.home).expect("reads").len();
        assert_eq!(noted, entries + usize::from(committed), "step {step}: entries in the audit log");
        let (code, _, stderr) = run(world, args);
        // A merge that was done says so; an undo that was done has nothing left to take back.
        if args[0] == "merge" || !committed {
            assert_eq!(code, 0, "step {step}: the next run: {stderr}");
            assert_eq!(world.content(), after, "step {step}: after the next run");
        }
        assert_eq!(
            audit::read(&world.home).expect("reads").len(),
            entries + 1,
            "step {step}: entries after the next run"
        );
        if committed {
            seen.1 += 1
        } else {
            seen.0 += 1
        }
        if args[0] == "merge" {
            let (code, stdout, stderr) = run(world, &["undo", "--yes", "--json"]);
            assert_eq!(code, 0, "step {step}: the undo: {stdout}{stderr}");
            assert_eq!(world.content(), before, "step {step}: after the undo");
        }
    }
}

fn plan(world: &World) -> String {
    let (plan, preview) = world.analyze("b.json", None, "backup-wins", mirror()).expect("analyzes");
    assert_eq!((preview.undecided, preview.blocked), (0, 0));
    plan.meta().id.clone()
}

#[test]
fn f1_a_merge_killed_at_any_step_is_before_or_after() {
    let world = world();
    let before = world.content();
    let id = plan(&world);
    let args = ["merge", id.as_str(), "--yes", "--json"];
    let saved = Saved::of(&world);
    let (code, stdout, stderr) = run(&world, &args);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let counts = &result(&stdout)["counts"];
    assert_eq!((&counts["inserted"], &counts["updated"], &counts["deleted"]), (&json!(2), &json!(4), &json!(2)));
    let after = world.content();
    saved.restore(&world);
    at_every_step(&world, &args, &before, &after, 15);
}

#[test]
fn f2_an_undo_killed_at_any_step_is_before_or_after() {
    let world = world();
    let before = world.content();
    let id = plan(&world);
    assert_eq!(run(&world, &["merge", &id, "--yes"]).0, 0);
    let merged = world.content();
    let (receipts, _) = receipt::list(&world.home).expect("lists");
    let merge = receipts[0].id.clone();
    at_every_step(&world, &["undo", &merge, "--yes", "--json"], &merged, &before, 15);
}

/// A trigger changes what is written: the images read back must be safe before the commit, or the truth can't be told.
#[test]
fn f1_f61_a_merge_into_a_table_with_a_trigger_is_settled_too() {
    let world = World::new(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, revision INTEGER DEFAULT 0);
         CREATE TRIGGER bump AFTER INSERT ON notes BEGIN UPDATE notes SET revision = revision + 10 WHERE id = NEW.id; END;
         CREATE TRIGGER bumped AFTER UPDATE OF body ON notes BEGIN UPDATE notes SET revision = revision + 1 WHERE id = NEW.id; END;
         INSERT INTO notes VALUES (1, 'a', 0);",
    );
    world.sql("UPDATE notes SET revision = 0");
    world.backup("b.json", &[("notes", json!([{"id": 1, "body": "b"}]))]);
    let before = world.content();
    let (plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let id = plan.meta().id.clone();
    drop(plan);
    let saved = Saved::of(&world);
    assert_eq!(run(&world, &["merge", &id, "--yes"]).0, 0);
    let after = world.content();
    assert_eq!(world.value("SELECT group_concat(id || ':' || revision) FROM notes"), "1:1");
    saved.restore(&world);
    for step in 1.. {
        saved.restore(&world);
        let output = merganser(&world, &["merge", &id, "--yes"])
            .env("MERGANSER_FAILPOINT", format!("any:{step}"))
            .output()
            .expect("starts");
        let now = world.content();
        if output.status.success() {
            break;
        }
        let (settled, _) = recover::status(&world.home, &mut world.database()).expect("a status");
        if let Some(one) = settled.first() {
            assert_eq!(
                one.state,
                if now == after { State::Committed } else { State::RolledBack },
                "step {step}: {one:?}"
            );
        }
        assert!(now == before || now == after, "step {step}");
        assert_eq!(run(&world, &["merge", &id, "--yes"]).0, 0, "step {step}");
        assert_eq!(world.content(), after, "step {step}");
    }
}

/// Records without a key can't be looked up one by one; still the next run must not insert them twice (F15, G7).
#[test]
fn f1_f43_a_killed_merge_of_keyless_records_is_never_done_twice() {
    let world = World::new(
        "CREATE TABLE links (a INTEGER, b TEXT);
         INSERT INTO links VALUES (1, 'x'), (1, 'x'), (2, NULL);",
    );
    world.backup(
        "b.json",
        &[("links", json!([{"a": 1, "b": "x"}, {"a": 3, "b": "y"}, {"a": 3, "b": "y"}, {"a": 4, "b": null}]))],
    );
    let before = world.content();
    let (plan, preview) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!(preview.inserted, 3);
    let id = plan.meta().id.clone();
    drop(plan);
    let saved = Saved::of(&world);
    assert_eq!(run(&world, &["merge", &id, "--yes"]).0, 0);
    let after = world.content();
    let mut ends = [0, 0];
    for step in 1.. {
        saved.restore(&world);
        let output = merganser(&world, &["merge", &id, "--yes"])
            .env("MERGANSER_FAILPOINT", format!("any:{step}"))
            .output()
            .expect("starts");
        let now = world.content();
        if output.status.success() {
            assert!(ends[0] > 0 && ends[1] > 0, "{ends:?}");
            break;
        }
        assert!(now == before || now == after, "step {step}");
        ends[usize::from(now == after)] += 1;
        assert_eq!(run(&world, &["merge", &id, "--yes"]).0, 0, "step {step}");
        assert_eq!(world.content(), after, "step {step}");
    }
}

/// SIGKILL from outside, at moments nobody chose.
#[test]
fn f1_a_merge_killed_from_outside_is_before_or_after() {
    let world = world();
    let before = world.content();
    let id = plan(&world);
    let args = ["merge", id.as_str(), "--yes"];
    let saved = Saved::of(&world);
    assert_eq!(run(&world, &args).0, 0);
    let after = world.content();
    for spin in 0..12u32 {
        saved.restore(&world);
        let mut child = merganser(&world, &args)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("starts");
        // Waits until the lock file names the child, then a little longer each time.
        let locked = || std::fs::read_dir(world.home.locks()).is_ok_and(|mut d| d.next().is_some());
        while !locked() && child.try_wait().expect("waits").is_none() {
            std::thread::yield_now();
        }
        let until = std::time::Instant::now() + std::time::Duration::from_micros(u64::from(spin) * 700);
        while std::time::Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().expect("kills");
        child.wait().expect("ends");
        let now = world.content();
        assert!(now == before || now == after, "{now:#?}");
        assert_eq!(run(&world, &args).0, 0);
        assert_eq!(world.content(), after);
    }
}

#[test]
fn f14_what_the_records_do_not_tell_a_person_can_say() {
    let world = World::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, NULL)");
    world.backup("b.json", &[("t", json!([{"id": 1, "a": "x"}]))]);
    let killed = merganser(&world, &["merge", "b.json", "--yes"])
        .env("MERGANSER_FAILPOINT", "after-commit:1")
        .output()
        .expect("starts");
    assert!(!killed.status.success());
    world.sql("UPDATE t SET a = 'other'");
    let (code, stdout, _) = run(&world, &["status"]);
    assert_eq!(code, 23, "{stdout}");
    assert!(stdout.contains("merganser status --settle m"), "{stdout}");
    let id = receipt::list(&world.home).expect("lists").0[0].id.clone();
    let said = format!("{id}=committed");
    let (code, _, stderr) = run(&world, &["status", "--settle", &said]);
    assert_eq!(code, 2, "a confirmation is wanted: {stderr}");
    assert!(stderr.contains("confirmation"), "{stderr}");
    let (code, stdout, stderr) = run(&world, &["status", "--settle", &said, "--yes"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let meta = receipt::list(&world.home).expect("lists").0.remove(0);
    assert_eq!(meta.state, State::Committed);
    assert!(meta.note.is_some_and(|n| n.contains("settled as committed by")));
    let (code, stdout, _) = run(&world, &["status"]);
    assert_eq!(code, 0, "{stdout}");
    // What is settled stays so.
    let (code, _, stderr) = run(&world, &["status", "--settle", &format!("{id}=rolled-back"), "--yes"]);
    assert_eq!(code, 2, "{stderr}");
    let (code, stdout, _) = run(&world, &["undo", "--yes"]);
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.contains("changed since"), "{stdout}");
}

/// Records without a key are counted; as many as the merge would have left may be others'.
#[test]
fn f14_records_without_a_key_that_others_added_are_not_taken_for_the_merges() {
    let world = World::new("CREATE TABLE links (a INTEGER, b TEXT); INSERT INTO links VALUES (1, 'x')");
    world.backup("b.json", &[("links", json!([{"a": 1, "b": "x"}, {"a": 2, "b": "ours"}]))]);
    let killed = merganser(&world, &["merge", "b.json", "--yes"]).env("MERGANSER_FAILPOINT", "intent:1").output();
    assert_eq!(killed.expect("starts").status.code(), None);
    world.sql("INSERT INTO links VALUES (2, 'theirs')");
    let (code, stdout, stderr) = run(&world, &["status"]);
    assert_eq!(code, 23, "{stdout}{stderr}");
    assert_eq!(receipt::list(&world.home).expect("lists").0[0].state, State::Unknown);
}
