//! Django's fixtures against databases with Django's schema: small worlds, Baby Buddy, NetBox.

use crate::data::real;
use crate::world::{World, listed};
use merganser::analyzer::Options;
use merganser::executor::{Ending, OnBlocked};
use merganser::plan::{Plan, Selector};
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
        record(
            "auth.user",
            json!(null),
            json!({"username": "ada", "boss": null, "user_permissions": [["add", "core", "place"]]}),
        ),
        record("auth.permission", json!(1), json!({"name": "Can add tag", "codename": "add", "content_type": 70})),
        record(
            "auth.permission",
            json!(21),
            json!({"name": "Can add place", "codename": "add", "content_type": ["core", "place"]}),
        ),
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
    // Counters only ever go forward.
    let content =
        || world.content().into_iter().filter(|line| !line.starts_with("sqlite_sequence")).collect::<Vec<_>>();
    let before = content();
    let merged = world.merge(plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    let (again, _) = world.analyze(backup, None, "backup-wins", options.clone()).expect("analyzes again");
    let left: Vec<String> = listed(&again).into_iter().filter(|line| !line.contains("current_only")).collect();
    assert_eq!(left, [""; 0], "after the merge");
    if merged.changed {
        world.undo(&merged.merge).expect("undoes");
        assert!(content() == before, "the undo gives back what was there");
    }
}

#[test]
fn a_fixture_of_what_is_there_is_unchanged() {
    let (world, plan) = check(|_| {}, &[]);
    assert_eq!(plan.meta().counts().unchanged, 14, "11 records and 3 links");
    // As Baby Buddy's second format has it.
    let mut data = serde_json::Map::new();
    for record in same() {
        let model = record["model"].as_str().expect("a model").to_owned();
        data.entry(model).or_insert_with(|| json!([])).as_array_mut().expect("a list").push(record);
    }
    let data = serde_json::Value::from(data).to_string();
    // Its first list may be empty, so that nothing says yet that it is Django's.
    for first in ["{", "{\"sites.site\":[],"] {
        let data = data.replacen('{', first, 1);
        world.file("export.json", &format!("{{\"metadata\":{{\"version\":\"1.0\"}},\"data\":{data}}}"));
        let named = first.contains("sites.site");
        let skip_tables = if named { vec!["sites.site".to_owned()] } else { Vec::new() };
        let options = Options { skip_tables, ..Options::default() };
        assert_eq!(unchanged(&world, "export.json", options), 14);
    }
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
            records.push(record(
                "auth.permission",
                json!(40),
                json!({"name": "x", "codename": "add", "content_type": 7}),
            ));
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
    world
        .merge(
            &mut world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes").0,
            Ending::Commit,
            OnBlocked::Refuse,
        )
        .expect("merges");
    assert_eq!(world.value("SELECT open_for || '/' || u.username || '/' || b.username FROM core_restaurant r JOIN auth_user u ON u.id = r.owner_id JOIN auth_user b ON b.id = u.boss_id"), "1000000/cy/dee");
    assert_eq!(
        world.value("SELECT group_concat(id || model) FROM (SELECT * FROM django_content_type ORDER BY id)"),
        "7place,8tag,71room"
    );
}

#[test]
fn a_backup_in_djangos_format_finds_its_database_unchanged() {
    use merganser::backup::{FilesFormat, WriteFormat};
    let world = World::new(SCHEMA);
    let mut catalog = merganser::catalog::Catalog::open(&world.home).expect("opens");
    let format = merganser::catalog::make::Format::Records(WriteFormat::Files(FilesFormat::Django));
    let create = merganser::catalog::make::Create { format, ..Default::default() };
    let (made, _) = catalog.create(&mut world.database(), &create, &merganser::progress::Quiet).expect("makes");
    std::fs::copy(catalog.path(&made), world.path("b.zip")).expect("copies");
    assert_eq!(unchanged(&world, "b.zip", Options::default()), 14);
}

#[test]
fn records_that_only_the_fixture_names_twice_are_refused() {
    let world = World::new(SCHEMA);
    let mut records = same();
    records.push(record("auth.user", json!(null), json!({"username": "ada", "boss": ["bob"]})));
    world.file("b.json", &json!(records).to_string());
    let error = world.analyze("b.json", None, "backup-wins", Options::default()).err().expect("ada is there twice");
    assert_eq!(error.kind(), merganser::ErrorKind::BackupDamaged);
}

#[test]
fn a_link_that_went_is_a_deletion_only_where_asked() {
    use merganser::analyzer::classify::Deletes;
    let (world, plan) = check(|records| records[1]["fields"]["tags"] = json!([]), &[]);
    drop(plan);
    world.file("base.json", &json!(same()).to_string());
    let options = Options { deletes: Deletes::Apply, ..Options::default() };
    let (mut plan, _) = world.analyze("b.json", Some("base.json"), "backup-wins", options).expect("analyzes");
    assert_eq!(listed(&plan), ["core_place_tags/1,1 current_only deleted_in_backup"]);
    let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!(world.value("SELECT count(*) FROM core_place_tags"), "0");
    world.undo(&merged.merge).expect("undoes");
    assert_eq!(world.value("SELECT id FROM core_place_tags"), "50");
}

#[test]
fn a_name_that_nobody_has_is_never_written() {
    let (world, mut plan) = check(
        |records| {
            records[0]["fields"]["owner"] = json!(["nobody"]);
            records[1]["fields"]["tags"] = json!([["none"]]);
        },
        &["core_place_tags/1,[\"none\"] blocked value_not_storable", "core_restaurant/1 conflict both_differ"],
    );
    let before = world.content();
    let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("is refused");
    assert_eq!(error.kind(), merganser::ErrorKind::NeedsDecision);
    let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect("leaves it out");
    assert!(!merged.changed);
    assert_eq!(world.content(), before);
}

fn real_world(database: &str) -> World {
    let world = World::new("");
    std::fs::copy(real(database), world.path("current.db")).expect("copies");
    let mut permissions = std::fs::metadata(world.path("current.db")).expect("is there").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    std::fs::set_permissions(world.path("current.db"), permissions).expect("sets");
    world
}

fn unchanged(world: &World, backup: &str, options: Options) -> u64 {
    let (plan, _) = world.analyze(backup, None, "backup-wins", options).expect("analyzes");
    assert_eq!(listed(&plan), [""; 0], "{backup}");
    let counts = plan.meta().counts();
    assert_eq!(counts.backup_records(), counts.unchanged + counts.excluded);
    counts.unchanged
}

#[test]
fn real_data_baby_buddy_finds_its_own_backups_unchanged_and_takes_an_edited_one() {
    let world = real_world("exports/babybuddy/base.sqlite3");
    let folder = real("exports/babybuddy");
    for name in ["base.zip", "base.dumpdata.json"] {
        std::fs::copy(folder.join(name), world.path(name)).expect("copies");
        assert!(unchanged(&world, name, Options::default()) > 10_000);
    }
    let edited = world.path("edited");
    let mut archive =
        zip::ZipArchive::new(std::fs::File::open(folder.join("base.zip")).expect("opens")).expect("a zip");
    archive.extract(&edited).expect("extracts");
    let edit = |name: &str, change: &dyn Fn(&mut Vec<serde_json::Value>)| {
        let path = edited.join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "[]".to_owned());
        let mut records: Vec<serde_json::Value> = serde_json::from_str(&text).expect("records");
        change(&mut records);
        std::fs::write(path, serde_json::to_string_pretty(&records).expect("text")).expect("writes");
    };
    edit("core/sleep.json", &|records| records[0]["fields"]["duration"] = json!("1 00:00:00.000001"));
    edit("core/tagged.json", &|records| records[0]["fields"]["tag"] = json!(["brand new"]));
    edit("core/tag.json", &|records| {
        let mut tag = records[0].clone();
        tag["pk"] = json!(900);
        tag["fields"]["name"] = json!("brand new");
        tag["fields"]["slug"] = json!("brand-new");
        records.push(tag);
    });
    edit("auth/user.json", &|records| {
        let mut user = records[0].clone();
        user["pk"] = json!(77);
        user["fields"]["username"] = json!("nanny");
        user["fields"]["user_permissions"] = json!([["add_child", "core", "child"]]);
        records.push(user);
    });
    edit("core/timer.json", &|records| {
        let fields =
            json!({"name": null, "active": true, "start": "2024-02-03T04:05:06.789Z", "child": 1, "user": ["nanny"]});
        records.push(record("core.timer", json!(1), fields));
    });
    // The archive says how many records it has.
    edit_count(&edited.join("metadata.json"));
    let (mut plan, _) = world.analyze("edited", None, "backup-wins", Options::default()).expect("analyzes");
    let lines: Vec<String> = listed(&plan);
    let permission = world.value(
        "SELECT p.id FROM auth_permission p JOIN django_content_type c ON c.id = content_type_id WHERE codename = 'add_child' AND model = 'child'",
    );
    for expected in [
        format!("auth_user_user_permissions/77,{permission} new only_in_backup"),
        "auth_user/77 new only_in_backup".to_owned(),
        "core_tag/900 new only_in_backup".to_owned(),
        "core_timer/1 new only_in_backup".to_owned(),
    ] {
        assert!(lines.contains(&expected), "{expected} in {lines:?}");
    }
    assert_eq!(lines.len(), 6, "{lines:?}");
    round(&world, &mut plan, "edited", &Options::default());
}

fn edit_count(path: &std::path::Path) {
    let mut metadata: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("is there")).expect("an object");
    metadata["total_records"] = json!(metadata["total_records"].as_u64().expect("a count") + 3);
    std::fs::write(path, metadata.to_string()).expect("writes");
}

/// Cable paths that the fixture has as inactive and NetBox, tracing them again as it loaded them, made active.
const TRACED: usize = 13;

#[test]
fn real_data_netbox_finds_its_own_fixture_unchanged_and_takes_an_edited_one() {
    let world = real_world("netbox/netbox-v3.4.sqlite");
    let text = std::fs::read_to_string(real("netbox/netbox-demo-v3.4.json")).expect("text");
    world.file("b.json", &text);
    let (plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let traced = |line: &&String| line.starts_with("dcim_cablepath/") && line.ends_with("conflict both_differ");
    let lines = listed(&plan);
    assert_eq!((lines.len(), lines.iter().filter(traced).count()), (TRACED, TRACED), "{lines:?}");
    for line in &lines {
        let record = plan.record(line.split(' ').next().expect("a name")).expect("is there");
        let table = &plan.meta().schema.tables[record.finding.table];
        let differing: Vec<&str> = table.names(&record.finding.fields.iter().map(|f| f.column).collect::<Vec<_>>());
        assert_eq!(differing, ["is_active"], "{line}");
    }
    let counts = plan.meta().counts();
    assert_eq!(counts.backup_records(), counts.unchanged + TRACED as u64);
    assert!(counts.unchanged > 6_000);

    let mut records: Vec<serde_json::Value> = serde_json::from_str(&text).expect("records");
    records.retain(|r| r["model"] != "dcim.cablepath");
    let pick = |records: &[serde_json::Value], model: &str| -> serde_json::Value {
        records.iter().find(|r| r["model"] == model).unwrap_or_else(|| panic!("{model}")).clone()
    };
    // Two records that need each other, a link each way to what is new, and a user without an id.
    let mut device = pick(&records, "dcim.device");
    let mut address = pick(&records, "ipam.ipaddress");
    device["pk"] = json!(90_001);
    device["fields"]["name"] = json!("brand new");
    device["fields"]["asset_tag"] = json!(null);
    device["fields"]["position"] = json!(null);
    device["fields"]["rack"] = json!(null);
    device["fields"]["primary_ip4"] = json!(90_002);
    address["pk"] = json!(90_002);
    address["fields"]["address"] = json!("198.51.100.77/24");
    let mut user = pick(&records, "auth.user");
    user["fields"]["username"] = json!("brand-new");
    user["fields"]["groups"] =
        json!([pick(&records, "auth.group")["fields"]["name"].clone()].map(|name| json!([name])));
    let mut config = pick(&records, "users.userconfig");
    config["pk"] = json!(90_003);
    config["fields"]["user"] = json!(["brand-new"]);
    let vrf = records.iter_mut().find(|r| r["model"] == "ipam.vrf").expect("a vrf");
    let vrf_id = vrf["pk"].clone();
    let targets = vrf["fields"]["import_targets"].as_array_mut().expect("a list");
    let known: Vec<i64> = targets.iter().filter_map(serde_json::Value::as_i64).collect();
    let target = records_target(&text, &known);
    targets.push(json!(target));
    let field = records.iter_mut().find(|r| r["model"] == "extras.customfield").expect("a custom field");
    let field_id = field["pk"].clone();
    field["fields"]["content_types"].as_array_mut().expect("a list").push(json!(["dcim", "rack"]));
    records.extend([config, user, device, address]);
    world.file("edited.json", &json!(records).to_string());
    let (mut plan, _) = world.analyze("edited.json", None, "backup-wins", Options::default()).expect("analyzes");
    let rack = world.value("SELECT id FROM django_content_type WHERE app_label = 'dcim' AND model = 'rack'");
    let user = world.value("SELECT max(id) + 1 FROM auth_user");
    let group = world.value("SELECT id FROM auth_group");
    let mut expected = vec![
        format!("auth_user/{user} new only_in_backup"),
        format!("auth_user_groups/{user},{group} new only_in_backup"),
        "dcim_device/90001 new only_in_backup".to_owned(),
        format!("extras_customfield_content_types/{field_id},{rack} new only_in_backup"),
        "ipam_ipaddress/90002 new only_in_backup".to_owned(),
        format!("ipam_vrf_import_targets/{vrf_id},{target} new only_in_backup"),
        "users_userconfig/90003 new only_in_backup".to_owned(),
    ];
    expected.sort();
    assert_eq!(listed(&plan), expected);
    round(&world, &mut plan, "edited.json", &Options::default());
}

/// Finds a route target that is not among those known.
fn records_target(text: &str, known: &[i64]) -> i64 {
    let records: Vec<serde_json::Value> = serde_json::from_str(text).expect("records");
    let targets = records.iter().filter(|r| r["model"] == "ipam.routetarget").filter_map(|r| r["pk"].as_i64());
    targets.into_iter().find(|id| !known.contains(id)).expect("another one")
}

#[test]
fn a_natural_key_that_nothing_unique_answers_is_said_to_be_one() {
    let world = World::new(
        "CREATE TABLE app_page (id INTEGER PRIMARY KEY, path TEXT NOT NULL);
         CREATE TABLE app_site (id INTEGER PRIMARY KEY, page_id INTEGER NOT NULL REFERENCES app_page (id));
         INSERT INTO app_page VALUES (1, '/start/'); INSERT INTO app_site VALUES (1, 1);",
    );
    let page = record("app.page", json!(1), json!({"path": "/start/"}));
    let site = record("app.site", json!(2), json!({"page": ["/start/"]}));
    world.file("b.json", &json!([page, site]).to_string());
    let (plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let found = plan.page(&Selector::default(), 0, 10).expect("pages");
    let notes: Vec<String> = found.records.iter().filter_map(|r| r.finding.note.clone()).collect();
    let why = "is a natural key, and no unique constraint of app_page tells which record it names";
    assert!(notes.len() == 1 && notes[0].starts_with("page_id: ") && notes[0].contains(why), "{notes:?}");
}
