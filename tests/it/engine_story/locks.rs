//! What a merge keeps others from doing (CHECKS F35): nobody waits who writes what the merge does not, and who writes
//! what it does waits for no longer than its transaction.

use super::paused::{Paused, run};
use crate::live::{Kind, Live, both};
use serde_json::{Value as Json, json};

const SCHEMA: &str = "CREATE TABLE roles (id int PRIMARY KEY, name varchar(20));
     CREATE TABLE items (id {id}, code varchar(20) UNIQUE, name varchar(20), role_id int NOT NULL REFERENCES roles (id), n int NOT NULL DEFAULT 0);
     CREATE TABLE bare (a int, b varchar(20));
     INSERT INTO roles VALUES (1, 'user'), (2, 'guest');
     INSERT INTO bare VALUES (1, 'x')";

/// Records that the merge writes: two are updated, one goes, two come.
const TOUCHED: [u32; 3] = [1, 2, 5];

fn item(id: u32, name: &str) -> Json {
    json!({"id": id, "code": format!("c{id}"), "name": name, "role_id": 1, "n": 0})
}

fn begin(live: &Live) {
    let rows: Vec<String> = (1..=60).map(|id| format!("('c{id}', 'old', 1)")).collect();
    live.sql(&format!("INSERT INTO items (code, name, role_id) VALUES {}", rows.join(", ")));
    let base: Vec<Json> = (1..=60).map(|id| item(id, "old")).collect();
    let mut backup: Vec<Json> = base.iter().filter(|item| item["id"] != 5).cloned().collect();
    backup[0]["name"] = json!("A");
    backup[1]["code"] = json!("c2-new");
    backup.extend([item(1001, "new"), item(1003, "new")]);
    live.world.backup("base.json", &[("items", json!(base))]);
    live.world.backup("b.json", &[("items", json!(backup)), ("bare", json!([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]))]);
}

/// Statements of others that touch nothing of the merge's; `n` makes them new each time.
fn unrelated(n: u32) -> Vec<String> {
    vec![
        format!("UPDATE items SET n = n + 1 WHERE id = {}", 20 + n),
        format!("UPDATE items SET code = 'other-{n}' WHERE id = {}", 30 + n),
        format!("DELETE FROM items WHERE id = {}", 40 + n),
        // Beside, between and behind the records that come, with numbers of their own and counted ones.
        format!("INSERT INTO items (id, code, name, role_id) VALUES ({}, 'between-{n}', 'x', 1)", 900 + n),
        format!("INSERT INTO items (id, code, name, role_id) VALUES ({}, 'c100{n}-x', 'x', 2)", 3000 - n),
        if n == 0 {
            "INSERT INTO items (id, code, name, role_id) VALUES (1002, 'c1002', 'x', 1)".to_owned()
        } else {
            "SELECT 1".to_owned()
        },
        format!("INSERT INTO items (code, name, role_id) VALUES ('c3-{n}', 'x', 1)"),
        format!("INSERT INTO roles VALUES ({}, 'x')", 10 + n),
        "UPDATE roles SET name = 'visitor' WHERE id = 2".to_owned(),
        // Once a merge is on the way, what others add to a table without a key keeps its end from being found out.
        if n < 3 { format!("INSERT INTO bare VALUES ({}, 'theirs')", 100 + n) } else { "SELECT 1".to_owned() },
        // Who reads never waits.
        "SELECT name FROM items WHERE id = 1".to_owned(),
    ]
}

#[test]
fn f35_only_the_records_that_a_merge_writes_are_locked_and_only_during_its_transaction() {
    for live in both(SCHEMA) {
        begin(&live);
        let args = ["merge", "b.json", "--base", "base.json", "--deletes", "apply", "--yes"];
        for (n, step) in (0..).zip(["locked", "begun", "prepared", "intent", "written", "verified", "before-commit"]) {
            let merge = Paused::at(step, &live, &args);
            let mut other = live.fresh.session();
            // A wait would have no end: the merge stands still. This makes it an error.
            other
                .execute(match live.kind {
                    Kind::Postgres => "SET lock_timeout = '2s'",
                    Kind::Mariadb => "SET SESSION innodb_lock_wait_timeout = 2, lock_wait_timeout = 2",
                })
                .expect("sets");
            for sql in unrelated(n) {
                other.execute(&sql).unwrap_or_else(|error| panic!("{:?} at {step}: {sql}: {error}", live.kind));
            }
            let locked = n >= 2;
            for id in TOUCHED {
                let look = other.execute(&format!("SELECT id FROM items WHERE id = {id} FOR UPDATE NOWAIT"));
                assert_eq!(look.is_err(), locked, "{:?} at {step}: items/{id}: {look:?}", live.kind);
            }
            drop(merge); // Killed: what it had locked is free for the next one.
            let (code, stdout, stderr) = run(&live, &["status"]);
            assert_eq!(code, 0, "{:?} at {step}: {stdout}{stderr}", live.kind);
        }
        // Who writes a record that is being merged waits, and goes on where the merge ends.
        let merge = Paused::at("before-commit", &live, &args);
        let ended = std::thread::scope(|scope| {
            let writer = scope.spawn(|| live.fresh.session().execute("UPDATE items SET n = n + 7 WHERE id = 1"));
            super::faults::wait_for_waiting(&live);
            let ended = merge.resume();
            writer.join().expect("no panic").expect("goes on");
            ended
        });
        assert_eq!(ended.0, 0, "{:?}: {ended:?}", live.kind);
        assert_eq!(live.value("SELECT n FROM items WHERE id = 1 AND name = 'A'"), "7", "{:?}", live.kind);
        assert_eq!(live.value("SELECT count(*) FROM items WHERE id IN (5, 1001, 1003)"), "2", "{:?}", live.kind);
    }
}

/// After the commit a counter is moved forward, which wants the table for a moment: nobody queues up behind that either.
#[test]
fn f35_nobody_waits_for_a_counter_that_is_moved_forward() {
    let live = Live::new(Kind::Postgres, "CREATE TABLE items (id {id}, name varchar(20))");
    live.world.backup("b.json", &[("items", json!([{"id": 5_000_000, "name": "new"}]))]);
    let merge = Paused::at("marked", &live, &["merge", "b.json", "--yes"]);
    let mut holder = live.fresh.session();
    holder.execute("BEGIN; INSERT INTO items (name) VALUES ('open')").expect("writes");
    let mut other = live.fresh.session();
    other.execute("SET lock_timeout = '50ms'").expect("sets");
    std::thread::scope(|scope| {
        let merge = scope.spawn(|| merge.resume());
        while !merge.is_finished() {
            other.execute("INSERT INTO items (name) VALUES ('x')").expect("does not wait");
        }
        let (code, stdout, stderr) = merge.join().expect("no panic");
        assert_eq!(code, 0, "{stdout}{stderr}");
    });
    holder.execute("COMMIT").expect("commits");
    live.sql("INSERT INTO items (name) VALUES ('behind')");
    assert_eq!(live.value("SELECT id > 5000000 FROM items WHERE name = 'behind'"), "true");
}
