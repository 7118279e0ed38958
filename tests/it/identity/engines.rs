//! The same choices on PostgreSQL and MariaDB.

use crate::live::{Live, both};
use crate::world::listed;
use merganser::analyzer::{Options, VirtualKey};
use merganser::executor::{Ending, OnBlocked};
use merganser::plan::{Decision, Plan};
use serde_json::json;

const SHOP: &str = "CREATE TABLE users (id {id}, email varchar(50) UNIQUE NOT NULL, name varchar(50), created_at {at});
     CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL, total int, FOREIGN KEY (user_id) REFERENCES users (id));
     CREATE TABLE roles (user_id int, role varchar(20), PRIMARY KEY (user_id, role), FOREIGN KEY (user_id) REFERENCES users (id));
     CREATE TABLE notes (id int PRIMARY KEY, owner_type varchar(20), owner_id int);
     INSERT INTO users VALUES (41, 'x@x', 'Xen', '2024-05-05 00:00:00'), (57, 'a@x', 'Ada', '2024-01-01 00:00:00');
     INSERT INTO orders VALUES (1, 57, 10), (2, 57, 20), (4, 41, 40);
     INSERT INTO roles VALUES (57, 'admin');";

pub(super) fn there_and_back(live: &Live, plan: &mut Plan) {
    let before = live.content();
    let dry = live
        .merge_with(plan, Ending::RollBack, OnBlocked::Refuse)
        .unwrap_or_else(|e| panic!("{:?}: {e:?} {:?} {:?}", live.kind, e.detail_lines(), listed(plan)));
    assert_eq!(live.content(), before);
    let merged = live.merge(plan).expect("merges");
    assert_eq!(dry.counts, merged.counts);
    let after = live.content();
    let undone = live.undo(&merged.merge).expect("undoes");
    assert_eq!(undone.left_out, [""; 0]);
    assert_eq!(live.content(), before, "{:?}", live.kind);
    live.undo(&undone.merge).expect("redoes");
    assert_eq!(live.content(), after);
}

#[test]
fn f44_f45_records_that_meet_are_brought_and_references_follow() {
    for live in both(SHOP) {
        live.world.backup(
            "b.json",
            &[
                ("orders", json!([{"id": 7, "user_id": 90, "total": 70}, {"id": 1, "user_id": 90, "total": 10}, {"id": 8, "user_id": 41, "total": 80}])),
                ("roles", json!([{"user_id": 90, "role": "admin"}, {"user_id": 90, "role": "staff"}, {"user_id": 41, "role": "guest"}])),
                ("notes", json!([{"id": 1, "owner_type": "user", "owner_id": 90}, {"id": 2, "owner_type": "user", "owner_id": 41}, {"id": 3, "owner_type": "page", "owner_id": 90}])),
                ("users", json!([
                    {"id": 90, "email": "a@x", "name": "Ada L", "created_at": "2024-01-01T00:00:00Z"},
                    {"id": 41, "email": "y@x", "name": "Yan", "created_at": "2023-01-01T00:00:00Z"}])),
            ],
        );
        let owner = VirtualKey {
            table: "notes".to_owned(),
            columns: vec!["owner_id".to_owned()],
            parent: "users".to_owned(),
            references: vec!["id".to_owned()],
            when: Some(("owner_type".to_owned(), "user".to_owned())),
        };
        let options = Options { virtual_keys: vec![owner], ..Options::default() };
        let (mut plan, _) = live.analyze("b.json", None, "manual", options).expect("analyzes");
        live.decide(&mut plan, "users/90", Decision::IntoExisting);
        live.decide(&mut plan, "users/41", Decision::NewKey);
        live.decide(&mut plan, "orders/1", Decision::Backup);
        there_and_back(&live, &mut plan);
        assert_eq!(live.value("SELECT name FROM users WHERE id = 57"), "Ada L");
        assert_eq!(live.value("SELECT name FROM users WHERE id = 91"), "Yan");
        assert_eq!(live.value("SELECT user_id FROM orders WHERE id = 7"), "57");
        assert_eq!(live.value("SELECT user_id FROM orders WHERE id = 8"), "91");
        assert_eq!(live.value("SELECT user_id FROM orders WHERE id = 4"), "41");
        assert_eq!(live.value("SELECT count(*) FROM roles WHERE user_id = 57"), "2");
        assert_eq!(live.value("SELECT role FROM roles WHERE user_id = 91"), "guest");
        assert_eq!(live.value("SELECT sum(owner_id) FROM notes"), (57 + 91 + 90).to_string());
        // The application's next record gets a number of its own.
        live.sql("INSERT INTO users (email) VALUES ('next')");
        assert_eq!(live.value("SELECT max(id) FROM users"), "92");
    }
}

#[test]
fn f45_records_are_matched_by_a_natural_key() {
    for live in both(SHOP) {
        live.world.backup(
            "b.json",
            &[
                ("orders", json!([{"id": 1, "user_id": 41, "total": 10}, {"id": 9, "user_id": 57, "total": 90}])),
                (
                    "users",
                    json!([
                    {"id": 41, "email": "a@x", "name": "Ada L", "created_at": "2024-01-01T00:00:00Z"},
                    {"id": 57, "email": "z@x", "name": "Zoe", "created_at": "2024-01-01T00:00:00Z"}]),
                ),
            ],
        );
        let options = Options { matches: vec![("users".to_owned(), vec!["email".to_owned()])], ..Options::default() };
        let (mut plan, _) = live.analyze("b.json", None, "backup-wins", options.clone()).expect("analyzes");
        assert_eq!(
            listed(&plan),
            ["orders/9 new only_in_backup", "users/57 conflict both_differ", "users/58 new only_in_backup"]
        );
        there_and_back(&live, &mut plan);
        assert_eq!(live.value("SELECT user_id FROM orders WHERE id = 9"), "58");
        let (again, _) = live.analyze("b.json", None, "backup-wins", options).expect("analyzes");
        assert_eq!(listed(&again), [""; 0]);
    }
}
