//! Django's fixtures against databases with Django's schema: small worlds, Baby Buddy, NetBox.

use crate::data::real;
use crate::world::{World, listed};
use merganser::analyzer::Options;
use merganser::analyzer::options::OnUnknown;
use merganser::executor::{Ending, OnBlocked};
use merganser::plan::Plan;
use serde_json::json;

const SCHEMA: &str = "
CREATE TABLE django_content_type (id integer PRIMARY KEY AUTOINCREMENT, app_label varchar(100) NOT NULL, model varchar(100) NOT NULL, UNIQUE (app_label, model));
CREATE TABLE auth_permission (id integer PRIMARY KEY AUTOINCREMENT, content_type_id integer NOT NULL REFERENCES django_content_type (id) DEFERRABLE INITIALLY DEFERRED, codename varchar(100) NOT NULL, name varchar(255) NOT NULL, UNIQUE (content_type_id, codename));
CREATE TABLE auth_user (id integer PRIMARY KEY AUTOINCREMENT, username varchar(150) NOT NULL UNIQUE, boss_id integer NULL REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE auth_user_user_permissions (id integer PRIMARY KEY AUTOINCREMENT, user_id integer NOT NULL REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED, permission_id integer NOT NULL REFERENCES auth_permission (id) DEFERRABLE INITIALLY DEFERRED, UNIQUE (user_id, permission_id));
CREATE TABLE core_place (id integer PRIMARY KEY AUTOINCREMENT, name varchar(50) NOT NULL);
CREATE TABLE core_restaurant (place_ptr_id integer PRIMARY KEY REFERENCES core_place (id) DEFERRABLE INITIALLY DEFERRED, owner_id integer NULL REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED, open_for bigint NULL);
CREATE TABLE core_tag (id integer PRIMARY KEY AUTOINCREMENT, name varchar(50) NOT NULL UNIQUE, slug varchar(50) NOT NULL UNIQUE);
CREATE TABLE core_place_tags (id integer PRIMARY KEY AUTOINCREMENT, place_id integer NOT NULL REFERENCES core_place (id) DEFERRABLE INITIALLY DEFERRED, tag_id integer NOT NULL REFERENCES core_tag (id) DEFERRABLE INITIALLY DEFERRED, UNIQUE (place_id, tag_id));
CREATE TABLE core_place_near (id integer PRIMARY KEY AUTOINCREMENT, from_place_id integer NOT NULL REFERENCES core_place (id) DEFERRABLE INITIALLY DEFERRED, to_place_id integer NOT NULL REFERENCES core_place (id) DEFERRABLE INITIALLY DEFERRED, UNIQUE (from_place_id, to_place_id));
INSERT INTO django_content_type VALUES (7, 'core', 'place'), (8, 'core', 'tag');
INSERT INTO auth_permission VALUES (21, 7, 'add', 'Can add place'), (22, 8, 'add', 'Can add tag');
INSERT INTO auth_user VALUES (3, 'ada', NULL), (4, 'bob', 3);
INSERT INTO auth_user_user_permissions VALUES (100, 3, 21);
INSERT INTO core_place VALUES (1, 'Inn'), (2, 'Bar');
INSERT INTO core_restaurant VALUES (1, 3, 93600000005);
INSERT INTO core_tag VALUES (1, 'warm', 'cold'), (2, 'cold', 'warm');
INSERT INTO core_place_tags VALUES (50, 1, 1);
INSERT INTO core_place_near VALUES (60, 1, 2);";

fn record(model: &str, pk: serde_json::Value, fields: serde_json::Value) -> serde_json::Value {
    json!({"model": model, "pk": pk, "fields": fields})
}

/// What the schema above holds, as Django exports it with natural keys; ids of content types and permissions are another
/// installation's.
fn same() -> Vec<serde_json::Value> {
    vec![
        record("core.restaurant", json!(1), json!({"owner": ["ada"], "open_for": "1 02:00:00.000005"})),
        record("core.place", json!(1), json!({"name": "Inn", "tags": [["warm"]], "near": [2]})),
        record("core.place", json!(2), json!({"name": "Bar", "tags": [], "near": []})),
        record("auth.user", json!(null), json!({"username": "bob", "boss": ["ada"], "user_permissions": []})),
        record("auth.user", json!(null), json!({"username": "ada", "boss": null, "user_permissions": [["add", "core", "place"]]})),
        record("auth.permission", json!(1), json!({"name": "Can add tag", "codename": "add", "content_type": 70})),
        record("auth.permission", json!(21), json!({"name": "Can add place", "codename": "add", "content_type": ["core", "place"]})),
        record("contenttypes.contenttype", json!(70), json!({"app_label": "core", "model": "tag"})),
        record("contenttypes.contenttype", json!(8), json!({"app_label": "core", "model": "place"})),
        record("core.tag", json!(1), json!({"name": "warm", "slug": "cold"})),
        record("core.tag", json!(2), json!({"name": "cold", "slug": "warm"})),
    ]
}

fn check(edit: impl FnOnce(&mut Vec<serde_json::Value>), expected: &[&str]) -> (World, Plan) {
    let world = World::new(SCHEMA);
    let mut records = same();
    edit(&mut records);
    world.file("b.json", &json!(records).to_string());
    let (plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!(listed(&plan), expected);
    (world, plan)
}

/// Merges, finds nothing more to do, and takes it back.
fn round(world: &World, plan: &mut Plan, backup: &str, options: &Options) {
    let before = world.content();
    let merged = world.merge(plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    let (again, _) = world.analyze(backup, None, "backup-wins", options.clone()).expect("analyzes again");
    let left: Vec<String> = listed(&again).into_iter().filter(|line| !line.contains("current_only")).collect();
    assert_eq!(left, [""; 0], "after the merge");
    if merged.changed {
        world.undo(&merged.merge).expect("undoes");
        assert_eq!(world.content(), before);
    }
}

#[test]
fn a_fixture_of_what_is_there_is_unchanged() {
    let (world, plan) = check(|_| {}, &[]);
    assert_eq!(plan.meta().counts().unchanged, 14, "11 records and 3 links");
    // The same as the base too.
    world.file("base.json", &json!(same()).to_string());
    let (plan, _) = world.analyze("b.json", Some("base.json"), "backup-wins", Options::default()).expect("analyzes");
    assert_eq!(listed(&plan), [""; 0]);
    assert_eq!(plan.meta().counts().unchanged, 14);
}

#[test]
fn new_records_links_and_those_they_name_find_each_other() {
    let (world, mut plan) = check(
        |records| {
            records[0]["fields"]["owner"] = json!(["cy"]);
            records[0]["fields"]["open_for"] = json!("00:00:01");
            records[2]["fields"]["tags"] = json!([["new"], ["cold"]]);
            records[2]["fields"]["near"] = json!([1]);
            records.push(record("core.tag", json!(3), json!({"name": "new", "slug": "new"})));
            records.push(record(
                "auth.user",
                json!(null),
                json!({"username": "cy", "boss": ["dee"], "user_permissions": [["add", "core", "room"]]}),
            ));
            records.push(record("auth.user", json!(null), json!({"username": "dee", "boss": ["cy"]})));
            // Its id is taken here by another.
            records.push(record("contenttypes.contenttype", json!(7), json!({"app_label": "core", "model": "room"})));
            records.push(record("auth.permission", json!(40), json!({"name": "x", "codename": "add", "content_type": 7})));
        },
        &[
            "auth_permission/40 new only_in_backup",
            "auth_user/5 new only_in_backup",
            "auth_user/6 new only_in_backup",
            "auth_user_user_permissions/5,40 new only_in_backup",
            "core_place_near/2,1 new only_in_backup",
            "core_place_tags/2,2 new only_in_backup",
            "core_place_tags/2,3 new only_in_backup",
            "core_restaurant/1 conflict both_differ",
            "core_tag/3 new only_in_backup",
            "django_content_type/71 new only_in_backup",
        ],
    );
    round(&world, &mut plan, "b.json", &Options::default());
    world.merge(&mut world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes").0, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!(world.value("SELECT open_for || '/' || u.username || '/' || b.username FROM core_restaurant r JOIN auth_user u ON u.id = r.owner_id JOIN auth_user b ON b.id = u.boss_id"), "1000000/cy/dee");
    assert_eq!(world.value("SELECT group_concat(id || model) FROM (SELECT * FROM django_content_type ORDER BY id)"), "7place,8tag,71room");
}

#[test]
fn a_name_that_nobody_has_is_blocked() {
    let (_, plan) = check(
        |records| {
            records[0]["fields"]["owner"] = json!(["nobody"]);
            records[1]["fields"]["tags"] = json!([["none"]]);
        },
        &[
            "core_place_tags/1,[\"none\"] blocked value_not_storable",
            "core_place_tags/1,1 current_only only_in_current",
            "core_restaurant/1 blocked value_not_storable",
        ][..0],
    );
    drop(plan);
}

fn real_world(database: &str) -> Option<World> {
    let world = World::new("");
    std::fs::copy(real(database)?, world.path("current.db")).expect("copies");
    let mut permissions = std::fs::metadata(world.path("current.db")).expect("is there").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    std::fs::set_permissions(world.path("current.db"), permissions).expect("sets");
    Some(world)
}

fn skipping() -> Options {
    Options { on_unknown_table: OnUnknown::Skip, ..Options::default() }
}

fn unchanged(world: &World, backup: &str, options: Options) -> u64 {
    let (plan, _) = world.analyze(backup, None, "backup-wins", options).expect("analyzes");
    assert_eq!(listed(&plan), [""; 0], "{backup}");
    let counts = plan.meta().counts();
    assert_eq!(counts.backup_records(), counts.unchanged + counts.excluded);
    counts.unchanged
}

#[test]
fn baby_buddy_finds_its_own_backups_unchanged() {
    let Some(world) = real_world("exports/babybuddy/base.sqlite3") else { return };
    for name in ["base.zip", "base.dumpdata.json"] {
        std::fs::copy(real("exports/babybuddy").expect("is there").join(name), world.path(name)).expect("copies");
        assert!(unchanged(&world, name, Options::default()) > 10_000);
    }
}

#[test]
fn netbox_finds_its_own_fixture_unchanged() {
    let Some(world) = real_world("netbox/netbox-v3.4.sqlite") else { return };
    std::fs::copy(real("netbox/netbox-demo-v3.4.json").expect("is there"), world.path("b.json")).expect("copies");
    assert!(unchanged(&world, "b.json", skipping()) > 6_000);
}
