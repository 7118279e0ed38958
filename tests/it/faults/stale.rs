//! What others did between analysis and merge (CHECKS 5.2), and plans that are not what they were.

use super::{merganser, merge_at_once, merge_rest, told, whole};
use crate::world::World;
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::database::sqlite::Sqlite;
use merganser::executor::{self, Ending, MergeOptions, OnBlocked, Trust, receipt};
use merganser::plan::Plan;
use merganser::progress::Quiet;
use serde_json::json;

fn world() -> World {
    let world = World::new(
        "CREATE TABLE roles (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT, age INTEGER, role_id INTEGER REFERENCES roles(id));
         CREATE TABLE log (line TEXT);
         INSERT INTO roles VALUES (1, 'admin');
         INSERT INTO users VALUES (1, 'a', NULL, 7, 1), (2, 'b', NULL, 8, 1), (3, 'c', 'Cy', 9, 1);",
    );
    world.backup(
        "b.json",
        &[(
            "users",
            json!([{"id": 1, "email": "a", "name": "Ada", "role_id": 1}, {"id": 2, "email": "b", "name": "Bob", "role_id": 1},
                   {"id": 4, "email": "d", "name": "Dee", "role_id": 1}]),
        )],
    );
    world
}

fn plan(world: &World) -> Plan {
    let (plan, preview) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!((preview.inserted, preview.updated), (1, 2));
    plan
}

/// What others wrote makes the merge refuse, names the record, and stays as they wrote it.
fn check(sql: &str, kinds: &[ErrorKind], named: &[&str]) -> World {
    let world = world();
    let mut plan = plan(&world);
    world.sql(sql);
    let now = world.content();
    let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err(sql);
    assert!(kinds.contains(&error.kind()), "{sql}: {error:?}");
    let text = whole(&error);
    assert!(named.iter().all(|n| text.contains(n)), "{sql}: {text}");
    assert!(text.contains("nothing was changed"), "{sql}: {text}");
    assert_eq!(world.content(), now, "{sql}");
    world
}

#[test]
fn f25_edited_since_the_analysis_is_refused() {
    check("UPDATE users SET name = 'Mine' WHERE id = 1", &[ErrorKind::PlanStale], &["users/1", "name"]);
    // A field that the backup does not even carry counts too: the person saw another record.
    check("UPDATE users SET age = 70 WHERE id = 1", &[ErrorKind::PlanStale], &["users/1", "age"]);
    check("UPDATE users SET id = 10 WHERE id = 1", &[ErrorKind::PlanStale], &["users/1"]);
}

#[test]
fn f26_deleted_since_the_analysis_is_refused() {
    check("DELETE FROM users WHERE id = 2", &[ErrorKind::PlanStale], &["users/2"]);
}

#[test]
fn f27_a_key_taken_since_the_analysis_is_refused() {
    check("INSERT INTO users VALUES (4, 'x', 'Other', 1, 1)", &[ErrorKind::PlanStale], &["users/4"]);
    // Even if the same record: somebody else made it, and it would be undone with the merge.
    check("INSERT INTO users VALUES (4, 'd', 'Dee', NULL, 1)", &[ErrorKind::PlanStale], &["users/4"]);
}

#[test]
fn f28_a_parent_gone_or_a_unique_value_taken_is_refused() {
    let refused = [ErrorKind::PlanStale, ErrorKind::Refused, ErrorKind::NeedsDecision];
    check("PRAGMA foreign_keys = OFF; DELETE FROM roles", &refused, &["users/"]);
    check("INSERT INTO users VALUES (9, 'd', 'Thief', 1, 1)", &refused, &["users/4", "users/9"]);
}

#[test]
fn f29_a_changed_schema_is_refused_with_the_difference() {
    let kinds = [ErrorKind::PlanStale];
    check("ALTER TABLE users ADD COLUMN extra TEXT", &kinds, &["users", "extra"]);
    check("ALTER TABLE users RENAME COLUMN age TO years", &kinds, &["users", "years"]);
    check("ALTER TABLE users RENAME TO people", &kinds, &["users is gone"]);
    check("CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT 1; END", &kinds, &["users", "triggers"]);
    check("CREATE UNIQUE INDEX i ON users (name)", &kinds, &["users", "constraints"]);
}

#[test]
fn f30_unrelated_writes_do_not_matter() {
    let world = world();
    let mut plan = plan(&world);
    world.sql("UPDATE users SET name = 'Cyd' WHERE id = 3; INSERT INTO log VALUES ('x'); INSERT INTO users VALUES (7, 'q', 'Q', 1, 1)");
    let before = world.content();
    let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!(world.value("SELECT group_concat(name) FROM users"), "Ada,Bob,Cyd,Dee,Q");
    world.undo(&merged.merge).expect("undoes");
    assert_eq!(world.content(), before);
}

#[test]
fn f31_changed_and_changed_back_proceeds() {
    let world = world();
    let mut plan = plan(&world);
    world.sql("UPDATE users SET name = 'x' WHERE id = 1; UPDATE users SET name = NULL WHERE id = 1; DELETE FROM users WHERE id = 2; INSERT INTO users VALUES (2, 'b', NULL, 8, 1)");
    assert!(world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges").changed);
}

#[test]
fn stale_records_can_be_left_out() {
    let world = world();
    let mut plan = plan(&world);
    world.sql("UPDATE users SET name = 'Mine' WHERE id = 1; INSERT INTO users VALUES (4, 'x', 'Other', 1, 1)");
    let before = world.content();
    let report = merge_rest(&world, &mut plan).expect("merges the rest");
    assert_eq!((report.counts.updated, report.counts.inserted, report.counts.stale), (1, 0, 2));
    assert_eq!(report.left_out.len(), 2, "{:?}", report.left_out);
    assert_eq!(world.value("SELECT group_concat(name) FROM users"), "Mine,Bob,Cy,Other");
    world.undo(&report.merge).expect("undoes");
    assert_eq!(world.content(), before);
}

#[test]
fn f29_a_plan_edited_by_hand_is_refused() {
    for edit in [
        "DELETE FROM records WHERE id = 1",
        "UPDATE records SET decision = '{\"action\":\"skip\"}'",
        "UPDATE meta SET value = replace(value, 'backup-wins', 'current-wins')",
        "DELETE FROM meta WHERE key = 'seal'",
    ] {
        let world = world();
        let made = plan(&world);
        let path = made.path().to_owned();
        drop(made);
        rusqlite::Connection::open(&path).and_then(|c| c.execute_batch(edit)).unwrap_or_else(|e| panic!("{edit}: {e}"));
        let now = world.content();
        let outcome = Plan::open(&path)
            .and_then(|mut plan| world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).map(|_| ()));
        let error = outcome.expect_err(edit);
        assert_eq!(error.kind(), ErrorKind::PlanMismatch, "{edit}: {error:?}");
        assert_eq!(world.content(), now);
    }
}

#[test]
fn f29_a_plan_from_another_data_folder_needs_trust() {
    let (here, other) = (world(), world());
    let mut plan = plan(&here);
    let untrusted = executor::merge(&mut plan, &mut here.database(), &other.home, &MergeOptions::default(), &Quiet)
        .expect_err("refuses");
    assert_eq!(untrusted.kind(), ErrorKind::PlanMismatch);
    assert!(whole(&untrusted).contains("--trust-plan"));
    let options = MergeOptions { trust: Trust::Anything, ..MergeOptions::default() };
    executor::merge(&mut plan, &mut here.database(), &other.home, &options, &Quiet).expect("merges");
}

#[test]
fn f29_a_plan_for_another_database_is_refused() {
    let (here, other) = (world(), world());
    let mut plan = plan(&here);
    let mut database = Sqlite::open(&other.path("current.db")).expect("opens");
    let before = other.content();
    let options = MergeOptions { trust: Trust::Anything, ..MergeOptions::default() };
    let error = executor::merge(&mut plan, &mut database, &here.home, &options, &Quiet).expect_err("refuses");
    assert_eq!(error.kind(), ErrorKind::PlanMismatch);
    assert_eq!(other.content(), before);
}

#[test]
fn a_plan_that_expired_is_refused() {
    let world = world();
    let mut plan = plan(&world);
    plan.update_meta(&world.home.key().expect("a key"), |m| m.expires_at = "2020-01-01T00:00:00.000Z".to_owned())
        .expect("seals");
    let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("refuses");
    assert_eq!(error.kind(), ErrorKind::PlanMismatch);
    assert!(whole(&error).contains("expired"), "{error:?}");
}

#[test]
fn f22_a_backup_that_changed_or_went_since_is_refused() {
    for change in [Some("{\"tables\":[{\"tableName\":\"users\",\"records\":[]}],\"metadata\":{}}"), None] {
        let world = world();
        let mut plan = plan(&world);
        let before = world.content();
        match change {
            Some(text) => std::fs::write(world.path("b.json"), text).expect("writes"),
            None => std::fs::remove_file(world.path("b.json")).expect("removes"),
        }
        let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("refuses");
        assert_eq!(error.kind(), ErrorKind::PlanMismatch, "{error:?}");
        assert!(whole(&error).contains("b.json"), "{error:?}");
        assert_eq!(world.content(), before);
    }
}

#[test]
fn f15_one_plan_in_two_processes_is_carried_out_once() {
    let world = world();
    let id = plan(&world).meta().id.clone();
    let start = || {
        merganser(&world, &["merge", &id, "--yes", "--json"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("starts")
    };
    let children = [start(), start(), start()];
    let ends: Vec<_> = children.into_iter().map(|c| told(c.wait_with_output().expect("ends"))).collect();
    for (code, stdout, stderr) in &ends {
        assert!([0, 11].contains(code), "{code}: {stdout}{stderr}");
    }
    assert!(ends.iter().any(|e| e.0 == 0));
    let (receipts, _) = receipt::list(&world.home).expect("lists");
    assert_eq!(receipts.len(), 1, "{receipts:?}");
    assert_eq!(world.value("SELECT count(*) FROM users"), "4");
    let mut again = Plan::open(&world.home.plan_path(&id).expect("a plan")).expect("opens");
    let report = world.merge(&mut again, Ending::Commit, OnBlocked::Refuse).expect("is done");
    assert_eq!(report.already.as_deref(), Some(receipts[0].id.as_str()));
    assert!(!report.changed);
}

#[test]
fn f34_a_writer_that_holds_the_database_makes_it_busy() {
    let world = world();
    let mut plan = plan(&world);
    let before = world.content();
    let holder = world.connection();
    holder.execute_batch("BEGIN IMMEDIATE; UPDATE users SET age = 1").expect("holds");
    let error = merge_at_once(&world, &mut plan).expect_err("is busy");
    assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
    holder.execute_batch("ROLLBACK").expect("lets go");
    assert_eq!(world.content(), before);
    merge_at_once(&world, &mut plan).expect("merges once it is free");
}

/// A reader does not hold up the writing, but the commit.
#[test]
fn f34_a_reader_that_stays_makes_the_commit_busy() {
    let world = world();
    let mut plan = plan(&world);
    let before = world.content();
    let reader = world.connection();
    let mut statement = reader.prepare("SELECT * FROM users").expect("prepares");
    let mut rows = statement.query([]).expect("reads");
    rows.next().expect("steps");
    let error = merge_at_once(&world, &mut plan).expect_err("is busy");
    assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
    drop(rows);
    assert_eq!(world.content(), before);
    merge_at_once(&world, &mut plan).expect("merges once nobody reads");
}

#[test]
fn f36_a_second_merge_is_told_who_holds_the_lock() {
    let world = world();
    let mut plan = plan(&world);
    world.merge(&mut plan, Ending::RollBack, OnBlocked::Refuse).expect("runs dry");
    let locks: Vec<_> =
        std::fs::read_dir(world.home.locks()).expect("locks").map(|e| e.expect("a lock").path()).collect();
    assert_eq!(locks.len(), 1);
    let held = std::fs::OpenOptions::new().write(true).open(&locks[0]).expect("opens");
    held.lock().expect("locks");
    std::fs::write(&locks[0], "process 4711 since 2026-01-01T00:00:00Z\n").expect("writes");
    let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("is busy");
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(whole(&error).contains("process 4711"), "{error:?}");
    let (_, holder) = executor::recover::status(&world.home, &mut world.database()).expect("a status");
    assert!(holder.is_some_and(|h| h.contains("4711")));
    // The holder's end frees the lock: no stale lock can be left behind.
    drop(held);
    world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
}
