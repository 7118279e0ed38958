//! The main job on PostgreSQL and MariaDB, as stories.

mod faults;
mod locks;
mod outage;
mod paused;
mod power;
mod readers;
mod restart;
mod rights;
mod rogue;
mod undone;

use crate::live::{Kind, Live, both};
use crate::world::listed;
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::analyzer::classify::Deletes;
use merganser::executor::{Ending, OnBlocked};
use merganser::plan::Decision;
use serde_json::{Value, json};

const USERS: &str = "CREATE TABLE roles (id {id}, name varchar(50) NOT NULL);
     CREATE TABLE users (id {id}, email varchar(50) UNIQUE NOT NULL, name varchar(50), phone varchar(50),
         role_id int, updated_at {at}, FOREIGN KEY (role_id) REFERENCES roles (id));
     INSERT INTO roles VALUES (1, 'admin'), (2, 'guest');
     INSERT INTO users VALUES (1, 'a@x', 'Ada', '555', 1, '2024-01-01 00:00:00'), (2, 'b@x', 'Bob', NULL, 2, '2024-06-01 00:00:00'),
         (3, 'c@x', 'Cy', NULL, 2, '2024-01-01 00:00:00');";

/// The story of one current database and a backup of either format.
fn story(live: &Live, backup: &str) {
    let before = live.content();
    let (mut plan, preview) = live.analyze(backup, None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!(
        listed(&plan),
        [
            "roles/3 new only_in_backup",
            "users/1 updated backup_newer",
            "users/2 conflict current_newer",
            "users/4 new only_in_backup",
            "users/5 conflict unique_taken",
            "users/6 blocked missing_parent",
        ]
    );
    assert_eq!(
        (preview.inserted, preview.updated, preview.kept_newer, preview.undecided, preview.blocked),
        (2, 1, 1, 1, 1)
    );
    let refused = live.merge(&mut plan).expect_err("a conflict is undecided");
    assert_eq!(refused.kind(), ErrorKind::NeedsDecision);
    live.decide(&mut plan, "users/5", Decision::Skip);
    let dry = live.merge_with(&mut plan, Ending::RollBack, OnBlocked::Skip).expect("runs dry");
    assert_eq!(live.content(), before);
    let merged = live.merge_with(&mut plan, Ending::Commit, OnBlocked::Skip).expect("merges");
    assert_eq!((dry.counts, &merged.notes[..]), (merged.counts, &[][..]));
    assert_eq!(live.value("SELECT concat(name, coalesce(phone, '-')) FROM users WHERE id = 1"), "Ada L-");
    assert_eq!(live.value("SELECT role_id FROM users WHERE id = 4"), "3");
    assert_eq!(live.value("SELECT count(*) FROM users WHERE updated_at = '2024-02-01 00:00:00+00:00'"), "1");
    let after = live.content();
    let again = live.merge_with(&mut plan, Ending::Commit, OnBlocked::Skip).expect("is done already");
    assert_eq!(again.already.as_deref(), Some(merged.merge.as_str()));
    let undone = live.undo(&merged.merge).expect("undoes");
    assert_eq!(live.content(), before);
    let redone = live.undo(&undone.merge).expect("redoes");
    assert_eq!((redone.counts.writes(), live.content()), (merged.counts.writes(), after));
    // The application's next record gets a number of its own.
    live.sql("INSERT INTO roles (name) VALUES ('next'); INSERT INTO users (email) VALUES ('next')");
    assert_eq!(live.value("SELECT max(id) FROM roles"), "4");
}

#[test]
fn records_are_classified_merged_and_taken_back() {
    for live in both(USERS) {
        let at = |text: &str| json!(text);
        live.world.backup(
            "b.json",
            &[
                ("User", json!([
                    {"id": 1, "email": "a@x", "name": "Ada L", "phone": null, "roleId": 1, "updatedAt": at("2024-02-01T00:00:00.000Z")},
                    {"id": 2, "email": "b@x", "name": "Bobby", "phone": "1", "roleId": 2, "updatedAt": at("2024-01-01T00:00:00.000Z")},
                    {"id": 4, "email": "d@x", "name": "Dee", "phone": null, "roleId": 3, "updatedAt": at("2024-01-01T00:00:00.000Z")},
                    {"id": 5, "email": "c@x", "name": "Cyril", "phone": null, "roleId": 2, "updatedAt": at("2024-01-01T00:00:00.000Z")},
                    {"id": 6, "email": "f@x", "name": "Eve", "phone": null, "roleId": 99, "updatedAt": at("2024-01-01T00:00:00.000Z")}])),
                ("Role", json!([{"id": 1, "name": "admin"}, {"id": 3, "name": "new"}])),
            ],
        );
        story(&live, "b.json");
    }
}

#[test]
fn a_sqlite_backup_is_merged_alike() {
    for live in both(USERS) {
        live.world.sqlite_backup(
            "b.db",
            "CREATE TABLE roles (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
             CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, name TEXT, phone TEXT, role_id INTEGER, updated_at TEXT);
             INSERT INTO roles VALUES (1, 'admin'), (3, 'new');
             INSERT INTO users VALUES (1, 'a@x', 'Ada L', NULL, 1, '2024-02-01T00:00:00.000Z'), (2, 'b@x', 'Bobby', '1', 2, '2024-01-01T00:00:00.000Z'),
                 (4, 'd@x', 'Dee', NULL, 3, '2024-01-01T00:00:00.000Z'), (5, 'c@x', 'Cyril', NULL, 2, '2024-01-01T00:00:00.000Z'),
                 (6, 'f@x', 'Eve', NULL, 99, '2024-01-01T00:00:00.000Z');",
        );
        story(&live, "b.db");
    }
}

/// Merges a backup of JSON tables, takes it back, and checks that the content is as before; returns what was merged.
fn there_and_back(live: &Live, tables: &[(&str, Value)], base: Option<&str>, options: Options) -> Vec<String> {
    live.world.backup("b.json", tables);
    let before = live.content();
    let (mut plan, preview) = live.analyze("b.json", base, "backup-wins", options.clone()).expect("analyzes");
    live.decide_all(&mut plan, &Decision::Backup);
    assert_eq!(preview.blocked, 0, "{:?}: {:?}", live.kind, listed(&plan));
    let dry = live.merge_with(&mut plan, Ending::RollBack, OnBlocked::Refuse).expect("runs dry");
    assert_eq!(live.content(), before);
    let merged = live.merge(&mut plan).unwrap_or_else(|e| panic!("{:?}: {e:?} {:?}", live.kind, e.detail_lines()));
    assert_eq!(dry.counts, merged.counts);
    let after = live.content();
    let (again, _) = live.analyze("b.json", base, "backup-wins", options).expect("analyzes");
    assert_eq!(listed(&again), [""; 0], "{:?}: nothing is left to do", live.kind);
    let undone = live.undo(&merged.merge).expect("undoes");
    assert!(undone.left_out.is_empty(), "{:?}", undone.left_out);
    assert_eq!(live.content(), before, "{:?}", live.kind);
    live.undo(&undone.merge).expect("redoes");
    assert_eq!(live.content(), after);
    after
}

#[test]
fn f50_records_that_refer_to_their_own_table_are_written_parents_first() {
    let sql = "CREATE TABLE nodes (id int PRIMARY KEY, parent_id int, boss_id int,
         FOREIGN KEY (parent_id) REFERENCES nodes (id) ON DELETE CASCADE, FOREIGN KEY (boss_id) REFERENCES nodes (id));
         INSERT INTO nodes VALUES (1, NULL, 1)";
    for live in both(sql) {
        // Children come first in the file and by their keys, over more than one batch; some are their own boss.
        let chain = (2..=700).map(|id| json!({"id": id, "parent_id": if id < 700 { id + 1 } else { 1 }, "boss_id": if id % 3 == 0 { id } else { 1 }}));
        // And a circle that a null opens.
        let circle = [(801, 802), (802, 803), (803, 801)]
            .map(|(id, parent)| json!({"id": id, "parent_id": parent, "boss_id": 1}));
        let nodes: Vec<Value> = chain.chain(circle).collect();
        there_and_back(&live, &[("nodes", json!(nodes))], None, Options::default());
        assert_eq!(live.value("SELECT parent_id FROM nodes WHERE id = 802"), "803");
    }
}

#[test]
fn f50_a_record_that_is_its_own_parent_for_good_stays_where_the_engine_can_not_delete_it() {
    let sql =
        "CREATE TABLE nodes (id int PRIMARY KEY, boss_id int NOT NULL, FOREIGN KEY (boss_id) REFERENCES nodes (id))";
    for live in both(sql) {
        let before = live.content();
        live.world.backup("b.json", &[("nodes", json!([{"id": 2, "boss_id": 1}, {"id": 1, "boss_id": 1}]))]);
        let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        let merged = live.merge(&mut plan).expect("merges");
        assert_eq!(merged.counts.inserted, 2);
        match (live.kind, live.undo(&merged.merge)) {
            (Kind::Postgres, undone) => {
                assert_eq!((undone.expect("undoes").counts.deleted, live.content()), (2, before))
            }
            (Kind::Mariadb, refused) => {
                let refused = refused.expect_err("MariaDB deletes no record that refers to itself");
                assert_eq!(refused.kind(), ErrorKind::Refused);
                assert!(refused.to_string().contains("nodes.boss_id → nodes"), "{refused}");
                assert_eq!(live.content().len(), 2);
            }
        }
    }
}

const STAFF: &str = "CREATE TABLE departments (id int PRIMARY KEY, name varchar(20), head_id int);
     CREATE TABLE people (id int PRIMARY KEY, name varchar(20), department_id int NOT NULL, mentor_id int,
         FOREIGN KEY (department_id) REFERENCES departments (id), FOREIGN KEY (mentor_id) REFERENCES people (id));
     ALTER TABLE departments ADD CONSTRAINT heads FOREIGN KEY (head_id) REFERENCES people (id);
     INSERT INTO departments VALUES (1, 'old', NULL); INSERT INTO people VALUES (1, 'Ada', 1, NULL);
     UPDATE departments SET head_id = 1";

#[test]
fn f50_tables_that_refer_to_each_other_are_opened_at_a_nullable_reference() {
    for live in both(STAFF) {
        let tables = [
            (
                "people",
                json!([{"id": 2, "name": "Bob", "department_id": 2, "mentor_id": 3}, {"id": 3, "name": "Cy", "department_id": 3, "mentor_id": 1}]),
            ),
            ("departments", json!([{"id": 2, "name": "new", "head_id": 3}, {"id": 3, "name": "other", "head_id": 2}])),
        ];
        there_and_back(&live, &tables, None, Options::default());
        assert_eq!(live.value("SELECT head_id FROM departments WHERE id = 3"), "2");
        assert_eq!(live.value("SELECT mentor_id FROM people WHERE id = 2"), "3");
    }
}

const PAIR: &str = "CREATE TABLE a (id int PRIMARY KEY, b_id int NOT NULL);
     CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL, CONSTRAINT b_a FOREIGN KEY (a_id) REFERENCES a (id) {wait});
     ALTER TABLE a ADD CONSTRAINT a_b FOREIGN KEY (b_id) REFERENCES b (id)";

#[test]
fn f50_a_circle_that_nothing_opens_is_refused_before_anything_is_written() {
    for live in both(&PAIR.replace("{wait}", "")) {
        live.world.backup("b.json", &[("a", json!([{"id": 1, "b_id": 2}])), ("b", json!([{"id": 2, "a_id": 1}]))]);
        let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        let refused = live.merge(&mut plan).expect_err("nothing opens it");
        assert_eq!(refused.kind(), ErrorKind::Refused);
        let told = refused.to_string();
        assert!(told.contains("a.b_id → b.a_id → a") || told.contains("b.a_id → a.b_id → b"), "{told}");
        assert!(told.ends_with("nothing was changed"), "{told}");
        assert_eq!(live.content(), [""; 0]);
    }
}

#[test]
fn f50_a_deferrable_reference_opens_a_circle() {
    let live = Live::new(Kind::Postgres, &PAIR.replace("{wait}", "DEFERRABLE"));
    let tables = [("a", json!([{"id": 1, "b_id": 2}])), ("b", json!([{"id": 2, "a_id": 1}]))];
    there_and_back(&live, &tables, None, Options::default());
}

#[test]
fn f46_unique_values_that_swap_or_rotate_are_written() {
    let sql = "CREATE TABLE seats (id int PRIMARY KEY, code varchar(30) NOT NULL UNIQUE, place int UNIQUE);
         INSERT INTO seats VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (4, 'd', NULL)";
    for live in both(sql) {
        let seats = json!([{"id": 1, "code": "b", "place": 3}, {"id": 2, "code": "c", "place": 1}, {"id": 3, "code": "a", "place": 2}, {"id": 5, "code": "e", "place": 5}]);
        there_and_back(&live, &[("seats", seats)], None, Options::default());
        assert_eq!(live.value("SELECT code FROM seats WHERE place = 1"), "c");
    }
}

#[test]
fn deletions_with_a_base_go_children_first() {
    let sql = "CREATE TABLE nodes (id int PRIMARY KEY, parent_id int, FOREIGN KEY (parent_id) REFERENCES nodes (id) ON DELETE CASCADE);
         CREATE TABLE notes (id int PRIMARY KEY, node_id int NOT NULL, FOREIGN KEY (node_id) REFERENCES nodes (id));
         INSERT INTO nodes VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (9, NULL); UPDATE nodes SET parent_id = 9 WHERE id = 9;
         INSERT INTO notes VALUES (1, 2), (2, 4), (3, 1)";
    for live in both(sql) {
        let node = |id: i32, parent: Option<i32>| json!({"id": id, "parent_id": parent});
        let all = json!([node(1, None), node(2, Some(1)), node(3, Some(2)), node(4, Some(3)), node(9, Some(9))]);
        let notes = json!([{"id": 1, "node_id": 2}, {"id": 2, "node_id": 4}, {"id": 3, "node_id": 1}]);
        live.world.backup("base.json", &[("nodes", all), ("notes", notes)]);
        let options = Options { deletes: Deletes::Apply, ..Options::default() };
        let after = there_and_back(
            &live,
            &[("nodes", json!([node(1, None)])), ("notes", json!([{"id": 3, "node_id": 1}]))],
            Some("base.json"),
            options,
        );
        assert_eq!(after.len(), 2, "{after:?}");
    }
}

#[test]
fn deletions_in_sqlite_do_not_rely_on_cascades_either() {
    let world = crate::world::World::new(
        "CREATE TABLE nodes (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES nodes (id) ON DELETE CASCADE);
         INSERT INTO nodes VALUES (1, NULL), (2, 1), (3, 2), (4, 3)",
    );
    let node = |id: i32, parent: Option<i32>| json!({"id": id, "parent_id": parent});
    world.backup(
        "base.json",
        &[("nodes", json!([node(1, None), node(2, Some(1)), node(3, Some(2)), node(4, Some(3))]))],
    );
    world.backup("b.json", &[("nodes", json!([node(1, None)]))]);
    let before = world.content();
    let options = Options { deletes: Deletes::Apply, ..Options::default() };
    let (mut plan, _) = world.analyze("b.json", Some("base.json"), "backup-wins", options).expect("analyzes");
    let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!((merged.counts.deleted, world.value("SELECT count(*) FROM nodes")), (3, "1".to_owned()));
    world.undo(&merged.merge).expect("undoes");
    assert_eq!(world.content(), before);
}

#[test]
fn f25_f26_f27_a_stale_plan_is_refused_and_an_unrelated_write_is_not_in_the_way() {
    for live in both(USERS) {
        live.world.backup("b.json", &[
            ("users", json!([{"id": 1, "email": "a@x", "name": "Ada L", "updated_at": "2024-02-01T00:00:00Z"}, {"id": 7, "email": "g@x", "name": "Gus"}]))]);
        let changes = [
            ("UPDATE users SET phone = '0' WHERE id = 1", "users/1: phone"),
            ("DELETE FROM users WHERE id = 1", "users/1: deleted"),
            ("INSERT INTO users (id, email) VALUES (7, 'other@x')", "users/7: a record with this key was added"),
        ];
        for (change, told) in changes {
            let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
            let kept = live.fresh.texts("SELECT email FROM users ORDER BY id");
            live.sql(change);
            let changed = live.content();
            let stale = live.merge(&mut plan).expect_err("is stale");
            assert_eq!((stale.kind(), stale.detail_lines()), (ErrorKind::PlanStale, &[told.to_owned()][..]));
            assert_eq!(live.content(), changed);
            live.sql("DELETE FROM users WHERE id IN (1, 7)");
            live.sql("INSERT INTO users VALUES (1, 'a@x', 'Ada', '555', 1, '2024-01-01 00:00:00')");
            assert_eq!(live.fresh.texts("SELECT email FROM users ORDER BY id"), kept);
        }
        let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        // F30 other records, F31 there and back again.
        live.sql("UPDATE users SET name = 'Robert' WHERE id = 2; UPDATE users SET name = 'X' WHERE id = 1; UPDATE users SET name = 'Ada' WHERE id = 1");
        assert_eq!(live.merge(&mut plan).expect("merges").counts.writes(), 2);
        assert_eq!(live.value("SELECT name FROM users WHERE id = 2"), "Robert");
    }
}

#[test]
fn f28_a_parent_or_a_unique_value_gone_since_is_refused() {
    for live in both(USERS) {
        live.world.backup("b.json", &[("users", json!([{"id": 7, "email": "g@x", "name": "Gus", "role_id": 2}]))]);
        let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        live.sql("UPDATE users SET role_id = 1; DELETE FROM roles WHERE id = 2");
        let changed = live.content();
        let refused = live.merge(&mut plan).expect_err("the role is gone");
        assert_eq!(refused.kind(), ErrorKind::Refused, "{refused:?}");
        live.sql("INSERT INTO roles VALUES (2, 'guest'); UPDATE users SET email = 'g@x' WHERE id = 3");
        let refused = live.merge(&mut plan).expect_err("the address is taken");
        assert!(refused.detail_lines().iter().any(|l| l.contains("held by users/3")), "{:?}", refused.detail_lines());
        assert_ne!(live.content(), changed);
        assert_eq!(live.value("SELECT count(*) FROM users"), "3");
    }
}

#[test]
fn f29_a_changed_schema_and_another_database_are_refused() {
    let [one, two] = both(USERS);
    for (live, other) in [(&one, &two), (&two, &one)] {
        live.world.backup("b.json", &[("users", json!([{"id": 7, "email": "g@x", "name": "Gus", "role_id": 2}]))]);
        let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        let elsewhere = Live { kind: other.kind, fresh: other.fresh.clone(), world: crate::world::World::new("") };
        let refused = merganser::executor::merge(
            &mut plan,
            &mut *elsewhere.database(),
            &live.world.home,
            &Default::default(),
            &merganser::progress::Quiet,
        );
        assert_eq!(refused.expect_err("another database").kind(), ErrorKind::PlanMismatch);
        live.sql("ALTER TABLE users ADD extra int");
        let stale = live.merge(&mut plan).expect_err("the schema changed");
        assert_eq!(stale.kind(), ErrorKind::PlanStale);
        assert!(stale.detail_lines()[0].contains("extra"), "{:?}", stale.detail_lines());
    }
}

#[test]
fn f36_a_merge_from_elsewhere_finds_the_lock_taken() {
    for live in both(USERS) {
        live.world.backup("b.json", &[("users", json!([{"id": 7, "email": "g@x", "name": "Gus", "role_id": 2}]))]);
        let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        let mut other = live.database();
        let held = other.begin(&Default::default()).expect("a transaction");
        let mut options = merganser::executor::MergeOptions::default();
        options.write.lock_timeout = std::time::Duration::from_millis(100);
        let merge = |plan: &mut _| {
            merganser::executor::merge(
                plan,
                &mut *live.database(),
                &live.world.home,
                &options,
                &merganser::progress::Quiet,
            )
        };
        let busy = merge(&mut plan).expect_err("is busy");
        assert_eq!(busy.kind(), ErrorKind::Busy);
        assert!(busy.to_string().contains("another merge is at work on this database"), "{busy}");
        held.rollback().expect("rolled back");
        assert!(merge(&mut plan).expect("merges").changed);
    }
}

#[test]
fn f116_keys_meet_as_the_database_sees_them() {
    let mariadb = "CREATE TABLE codes (code varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY, note varchar(20)); INSERT INTO codes VALUES ('abc', 'x'), ('b', 'y')";
    let postgres = "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE codes (code text COLLATE nocase PRIMARY KEY, note text); INSERT INTO codes VALUES ('abc', 'x'), ('b', 'y')";
    for live in [Live::new(Kind::Mariadb, mariadb), Live::new(Kind::Postgres, postgres)] {
        let codes = json!([{"code": "ABC", "note": "x2"}, {"code": "b", "note": "y"}, {"code": "new", "note": "z"}]);
        live.world.backup("b.json", &[("codes", codes)]);
        let (mut plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        live.decide_all(&mut plan, &Decision::Backup);
        let before = live.content();
        let merged = live.merge(&mut plan).expect("merges");
        assert_eq!((merged.counts.inserted, merged.counts.updated), (1, 1), "{:?} {:?}", live.kind, listed(&plan));
        assert_eq!(live.value("SELECT count(*) FROM codes"), "3");
        assert_eq!(live.value("SELECT note FROM codes WHERE code = 'abc'"), "x2");
        live.undo(&merged.merge).expect("undoes");
        assert_eq!(live.content(), before);
    }
}

#[test]
fn f124_instants_are_compared_at_the_coarser_precision_and_written_as_meant() {
    let postgres = "CREATE TABLE t (id int PRIMARY KEY, fine timestamptz, plain timestamp, day date);
        INSERT INTO t VALUES (1, '2024-01-15 10:30:00.123456+00', '2024-01-15 10:30:00.5', '2024-02-29')";
    let mariadb = "CREATE TABLE t (id int PRIMARY KEY, fine datetime(6), plain datetime(1), day date);
        INSERT INTO t VALUES (1, '2024-01-15 10:30:00.123456', '2024-01-15 10:30:00.5', '2024-02-29')";
    for live in [Live::new(Kind::Postgres, postgres), Live::new(Kind::Mariadb, mariadb)] {
        let same = json!({"id": 1, "fine": "2024-01-15T16:15:00.123+05:45", "plain": "2024-01-15T10:30:00.500", "day": "2024-02-29"});
        live.world.backup("b.json", &[("t", json!([same]))]);
        let (plan, _) = live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        assert_eq!((listed(&plan), plan.meta().counts().unchanged), (vec![], 1), "{:?}", live.kind);
        let more = json!([same, {"id": 2, "fine": "2024-07-01T00:00:00.000001Z", "plain": "2024-07-01T12:00:00.5", "day": "0001-01-01"}]);
        there_and_back(&live, &[("t", more)], None, Options::default());
        assert_eq!(live.value("SELECT count(*) FROM t WHERE fine = '2024-07-01 00:00:00.000001+00:00'"), "1");
    }
}

#[test]
fn f70_a_missing_privilege_is_named_with_its_grant() {
    for live in both(USERS) {
        let (create, reads, role) = match live.kind {
            Kind::Postgres => ("CREATE ROLE f70 LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO f70", "f70"),
            Kind::Mariadb => {
                ("CREATE USER f70@'%'", "GRANT SELECT ON roles TO f70@'%'; GRANT SELECT ON users TO f70@'%'", "f70@'%'")
            }
        };
        live.sql(create);
        let poor = live.as_user("f70");
        poor.world.backup("b.json", &[("roles", json!([{"id": 7, "name": "new"}]))]);
        if live.kind == Kind::Postgres {
            let refused =
                poor.analyze("b.json", None, "backup-wins", Options::default()).map(drop).expect_err("reads nothing");
            let told = refused.hint_text().unwrap_or_default();
            assert!(told.contains(r#"GRANT SELECT ON "public"."roles" TO "f70";"#), "{refused:?} {told}");
        }
        live.sql(reads);
        // Reading is enough for an analysis.
        let (mut plan, _) = poor.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        for _ in 0..3 {
            let Err(refused) = poor.merge(&mut plan) else { break };
            assert_eq!(refused.kind(), ErrorKind::Refused, "{refused:?}");
            let told = refused.hint_text().unwrap_or_default().to_owned();
            let grant = told.rsplit(": ").next().expect("a statement");
            assert!(grant.starts_with("GRANT "), "{refused:?} {told}");
            // What it says helps; MariaDB names the host that the user came from.
            let grant = grant.trim_end_matches(';');
            live.sql(&match live.kind {
                Kind::Postgres => grant.to_owned(),
                Kind::Mariadb => format!("{} TO {role}", grant.split(" TO ").next().expect("a user")),
            });
        }
        assert_eq!(live.value("SELECT name FROM roles WHERE id = 7"), "new");
    }
}
