//! Records matched by natural keys, and references that the database does not declare.

use super::{decide, there_and_back};
use crate::world::{World, listed};
use merganser::ErrorKind;
use merganser::analyzer::classify::Deletes;
use merganser::analyzer::{Options, VirtualKey};
use merganser::executor::{Ending, OnBlocked};
use merganser::plan::Decision;
use serde_json::json;

const SHOP: &str =
    "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL, name TEXT, nick TEXT UNIQUE);
     CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users(id), total INTEGER);
     CREATE TABLE roles (user_id INTEGER REFERENCES users(id), role TEXT, PRIMARY KEY (user_id, role));
     INSERT INTO users VALUES (1, 'a@x', 'Ada', NULL), (2, 'b@x', 'Bob', NULL), (3, 'c@x', 'Cy', NULL);
     INSERT INTO orders VALUES (1, 1, 10), (2, 2, 20);
     INSERT INTO roles VALUES (1, 'admin');";

fn by_email() -> Options {
    Options { matches: vec![("users".to_owned(), vec!["email".to_owned()])], ..Options::default() }
}

#[test]
fn f45_records_are_matched_by_a_natural_key_and_an_equal_child_is_unchanged() {
    let world = World::new(SHOP);
    // Ada and Bob have changed places; Dee has the id that Cy has here; orders come before users.
    world.backup(
        "b.json",
        &[
            ("orders", json!([{"id": 1, "user_id": 2, "total": 10}, {"id": 2, "user_id": 1, "total": 21}, {"id": 9, "user_id": 3, "total": 90}])),
            ("users", json!([{"id": 2, "email": "a@x", "name": "Ada"}, {"id": 1, "email": "b@x", "name": "Bobby"}, {"id": 3, "email": "d@x", "name": "Dee"}, {"id": 7, "email": "e@x", "name": "Eve"}])),
            ("roles", json!([{"user_id": 2, "role": "admin"}, {"user_id": 3, "role": "staff"}])),
        ],
    );
    let (mut plan, preview) = world.analyze("b.json", None, "backup-wins", by_email()).expect("analyzes");
    assert_eq!(
        listed(&plan),
        [
            "orders/2 conflict both_differ",
            "orders/9 new only_in_backup",
            "roles/8,staff new only_in_backup",
            "users/2 conflict both_differ",
            "users/7 new only_in_backup",
            "users/8 new only_in_backup",
        ]
    );
    assert_eq!((preview.inserted, preview.updated), (4, 2));
    let notes = plan.meta().notes.join("\n");
    assert!(notes.contains("users: 2 records are matched by email under another id"), "{notes}");
    assert!(notes.contains("users: 1 records get a new id"), "{notes}");
    there_and_back(&world, &mut plan);
    assert_eq!(
        world.value("SELECT group_concat(id || name) FROM (SELECT * FROM users ORDER BY id)"),
        "1Ada,2Bobby,3Cy,7Eve,8Dee"
    );
    assert_eq!(
        world.value("SELECT group_concat(id || ':' || user_id) FROM (SELECT * FROM orders ORDER BY id)"),
        "1:1,2:2,9:8"
    );
    let (again, _) = world.analyze("b.json", None, "backup-wins", by_email()).expect("analyzes");
    assert_eq!(listed(&again), [""; 0], "nothing is left to do");
}

#[test]
fn f45_a_base_is_matched_alike() {
    let world = World::new(SHOP);
    world.backup("base.json", &[("users", json!([{"id": 11, "email": "a@x", "name": "Ada"}, {"id": 12, "email": "b@x", "name": "Old"}, {"id": 13, "email": "d@x", "name": "Dee"}]))]);
    world.backup("b.json", &[("users", json!([{"id": 11, "email": "a@x", "name": "Ada L"}, {"id": 12, "email": "b@x", "name": "Old"}, {"id": 13, "email": "d@x", "name": "Dee"}]))]);
    let (plan, _) = world.analyze("b.json", Some("base.json"), "backup-wins", by_email()).expect("analyzes");
    // Ada changed in the backup alone, Bob in current alone; Dee was deleted here.
    assert_eq!(listed(&plan), ["users/1 updated only_backup_changed"]);
}

#[test]
fn only_unique_keys_that_are_never_null_are_natural() {
    let world = World::new(SHOP);
    world.backup("b.json", &[("users", json!([{"id": 2, "email": "a@x"}]))]);
    for (columns, why) in [("name", "no unique constraint"), ("nick", "can be null"), ("id", "part of the key")] {
        let options = Options { matches: vec![("users".to_owned(), vec![columns.to_owned()])], ..Options::default() };
        let error = world.analyze("b.json", None, "backup-wins", options).err().expect("is refused");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.full_message().contains(why), "{}", error.full_message());
    }
}

#[test]
fn f54_djangos_content_types_and_permissions_are_matched_by_what_they_stand_for() {
    let world = World::new(
        "CREATE TABLE django_content_type (id INTEGER PRIMARY KEY, app_label TEXT NOT NULL, model TEXT NOT NULL, UNIQUE (app_label, model));
         CREATE TABLE auth_permission (id INTEGER PRIMARY KEY, name TEXT NOT NULL, content_type_id INTEGER NOT NULL REFERENCES django_content_type(id), codename TEXT NOT NULL, UNIQUE (content_type_id, codename));
         CREATE TABLE auth_group (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
         CREATE TABLE auth_group_permissions (id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL REFERENCES auth_group(id), permission_id INTEGER NOT NULL REFERENCES auth_permission(id), UNIQUE (group_id, permission_id));
         INSERT INTO django_content_type VALUES (1, 'auth', 'user'), (2, 'auth', 'group');
         INSERT INTO auth_permission VALUES (1, 'Can add user', 1, 'add_user'), (2, 'Can add group', 2, 'add_group');",
    );
    world.file(
        "f.json",
        r#"[{"model": "contenttypes.contenttype", "pk": 2, "fields": {"app_label": "auth", "model": "user"}},
            {"model": "contenttypes.contenttype", "pk": 1, "fields": {"app_label": "auth", "model": "group"}},
            {"model": "auth.permission", "pk": 5, "fields": {"name": "Can add user", "content_type": 2, "codename": "add_user"}},
            {"model": "auth.permission", "pk": 6, "fields": {"name": "Can add group", "content_type": 1, "codename": "add_group"}},
            {"model": "auth.group", "pk": 1, "fields": {"name": "staff", "permissions": [5]}}]"#,
    );
    let options = Options { on_unknown_table: merganser::analyzer::options::OnUnknown::Skip, ..Options::default() };
    let (mut plan, _) = world.analyze("f.json", None, "backup-wins", options).expect("analyzes");
    let found = listed(&plan);
    assert!(!found.iter().any(|l| l.contains("content_type") || l.contains("auth_permission")), "{found:?}");
    let merged =
        world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).unwrap_or_else(|e| panic!("{e:?} {found:?}"));
    assert_eq!(merged.counts.inserted, 2, "{found:?}");
    assert_eq!(world.value("SELECT permission_id FROM auth_group_permissions"), "1", "the permission to add users");
}

fn virtual_key(table: &str, column: &str, parent: &str, when: Option<(&str, &str)>) -> VirtualKey {
    VirtualKey {
        table: table.to_owned(),
        columns: vec![column.to_owned()],
        parent: parent.to_owned(),
        references: vec!["id".to_owned()],
        when: when.map(|(c, v)| (c.to_owned(), v.to_owned())),
    }
}

const NOTES: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL, name TEXT);
     CREATE TABLE teams (id INTEGER PRIMARY KEY, name TEXT);
     CREATE TABLE notes (id INTEGER PRIMARY KEY, owner_type TEXT, owner_id INTEGER, created_by INTEGER, text TEXT);
     INSERT INTO users VALUES (5, 'a@x', 'Ada'); INSERT INTO teams VALUES (90, 'Red'), (4, 'Blue');
     INSERT INTO notes VALUES (1, 'user', 5, 5, 'x'), (2, 'team', 4, 5, 'y');";

fn undeclared() -> Options {
    Options {
        virtual_keys: vec![
            virtual_key("notes", "owner_id", "users", Some(("owner_type", "user"))),
            virtual_key("notes", "owner_id", "teams", Some(("owner_type", "team"))),
            virtual_key("notes", "created_by", "users", None),
        ],
        ..Options::default()
    }
}

#[test]
fn f54_undeclared_references_are_followed_ordered_and_found_missing() {
    let world = World::new(NOTES);
    world.backup(
        "b.json",
        &[
            (
                "notes",
                json!([
                {"id": 10, "owner_type": "user", "owner_id": 90, "created_by": 90, "text": "of a user"},
                {"id": 11, "owner_type": "team", "owner_id": 90, "created_by": 5, "text": "of a team"},
                {"id": 12, "owner_type": "team", "owner_id": 77, "created_by": 5, "text": "of nobody"},
                {"id": 13, "owner_type": "page", "owner_id": 77, "created_by": null, "text": "of something else"}]),
            ),
            ("users", json!([{"id": 90, "email": "a@x", "name": "Ada L"}])),
        ],
    );
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", undeclared()).expect("analyzes");
    assert_eq!(
        listed(&plan),
        [
            "notes/10 new only_in_backup",
            "notes/11 new only_in_backup",
            "notes/12 blocked missing_parent",
            "notes/13 new only_in_backup",
            "users/90 conflict unique_taken",
        ]
    );
    decide(&world, &mut plan, "users/90", Decision::IntoExisting);
    decide(&world, &mut plan, "notes/12", Decision::Skip);
    there_and_back(&world, &mut plan);
    assert_eq!(
        world.value("SELECT group_concat(id || ':' || owner_id || ':' || coalesce(created_by, '-')) FROM (SELECT * FROM notes WHERE id > 9 ORDER BY id)"),
        "10:5:5,11:90:5,13:77:-"
    );
}

#[test]
fn f54_a_deletion_that_would_leave_an_undeclared_reference_is_a_conflict_with_its_count() {
    let world = World::new(NOTES);
    world.backup("base.json", &[("teams", json!([{"id": 4, "name": "Blue"}, {"id": 90, "name": "Red"}]))]);
    world.backup("b.json", &[("teams", json!([]))]);
    let options = Options { deletes: Deletes::Apply, ..undeclared() };
    let (plan, preview) = world.analyze("b.json", Some("base.json"), "backup-wins", options).expect("analyzes");
    assert_eq!(listed(&plan), ["teams/4 conflict still_referenced", "teams/90 current_only deleted_in_backup"]);
    assert_eq!(preview.deleted, 1);
    let note = plan.record("teams/4").expect("is there").finding.note;
    assert_eq!(note.as_deref(), Some("records refer to it that would stay: 1 of notes"));
}

#[test]
fn f45_two_records_of_the_backup_that_match_one_are_named_by_their_own_ids() {
    let world = World::new(SHOP);
    let user = |id: i64, name: &str| json!({"id": id, "email": "a@x", "name": name});
    // Ada has the id 1 here; which of them comes first makes no difference.
    for (one, other) in [(2, 3), (3, 2), (1, 3), (3, 1)] {
        world.backup("b.json", &[("users", json!([user(one, "A"), user(other, "B")]))]);
        let refused = world.analyze("b.json", None, "backup-wins", by_email()).map(|(plan, _)| listed(&plan));
        let told = refused.expect_err("two are one").full_message();
        for name in
            [format!("users/{one}"), format!("users/{other}"), "the same email; both would be users/1".to_owned()]
        {
            assert!(told.contains(&name), "{told}");
        }
    }
    // One that comes twice as it is counts once.
    world.backup("b.json", &[("users", json!([user(7, "A"), user(7, "A")]))]);
    let (plan, _) = world.analyze("b.json", None, "backup-wins", by_email()).expect("analyzes");
    assert_eq!(listed(&plan), ["users/1 conflict both_differ"]);
}
