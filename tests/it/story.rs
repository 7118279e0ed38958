//! The main job on SQLite, as stories.

use crate::world::{World, listed};
use merganser::analyzer::Options;
use merganser::executor::{Ending, OnBlocked};
use serde_json::json;

const USERS: &str = "CREATE TABLE roles (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
     CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL, name TEXT, phone TEXT, role_id INTEGER REFERENCES roles(id), updated_at TEXT);
     INSERT INTO roles VALUES (1, 'admin'), (2, 'guest');
     INSERT INTO users VALUES (1, 'a@x', 'Ada', '555', 1, '2024-01-01T00:00:00Z'), (2, 'b@x', 'Bob', NULL, 2, '2024-06-01T00:00:00Z'),
         (3, 'c@x', 'Cy', NULL, 2, '2024-01-01T00:00:00Z');";

#[test]
fn records_are_classified_merged_and_taken_back() {
    let world = World::new(USERS);
    world.backup(
        "b.json",
        &[
            ("User", json!([
                {"id": 1, "email": "a@x", "name": "Ada L", "phone": null, "roleId": 1, "updatedAt": "2024-02-01T00:00:00.000Z"},
                {"id": 2, "email": "b@x", "name": "Bobby", "phone": "1", "roleId": 2, "updatedAt": "2024-01-01T00:00:00.000Z"},
                {"id": 4, "email": "d@x", "name": "Dee", "phone": null, "roleId": 3, "updatedAt": "2024-01-01T00:00:00.000Z"},
                {"id": 5, "email": "c@x", "name": "Cyril", "phone": null, "roleId": 2, "updatedAt": "2024-01-01T00:00:00.000Z"},
                {"id": 6, "email": "f@x", "name": "Eve", "phone": null, "roleId": 99, "updatedAt": "2024-01-01T00:00:00.000Z"}])),
            ("Role", json!([{"id": 1, "name": "admin"}, {"id": 3, "name": "new"}])),
        ],
    );
    let before = world.content();
    let (mut plan, preview) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
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
    let refused = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("a conflict is undecided");
    assert_eq!(refused.kind(), merganser::ErrorKind::NeedsDecision);
    let record = plan.record("users/5").expect("is there");
    plan.together(|p| p.decide(&record, Some(merganser::plan::Decision::Skip), "me", "now")).expect("decides");
    plan.update_meta(&world.home.key().expect("a key"), |_| {}).expect("seals");
    assert_eq!(world.content(), before);
    let dry = world.merge(&mut plan, Ending::RollBack, OnBlocked::Skip).expect("runs dry");
    assert_eq!(world.content(), before);
    let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect("merges");
    assert_eq!(dry.counts, merged.counts);
    assert!(merged.changed);
    assert_eq!(
        world.value("SELECT name || coalesce(phone, '-') || updated_at FROM users WHERE id = 1"),
        "Ada L-2024-02-01T00:00:00Z"
    );
    assert_eq!(world.value("SELECT role_id FROM users WHERE id = 4"), "3");
    let again = world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect("is done already");
    assert_eq!(again.already.as_deref(), Some(merged.merge.as_str()));
    let undone = world.undo(&merged.merge).expect("undoes");
    assert_eq!(world.content(), before);
    let redone = world.undo(&undone.merge).expect("redoes");
    assert_eq!(redone.counts.writes(), merged.counts.writes());
    assert_eq!(world.value("SELECT count(*) FROM users"), "4");
}
