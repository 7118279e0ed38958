//! AccoReg's Smart Backup against a Prisma-style SQLite database: folding of names, epoch-millisecond dates, and one test
//! for each defect of the original engine (FORMATS 1.4), which shows that merganser does not have it.

use crate::world::{World, listed};
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::executor::{Ending, MergeReport, OnBlocked};
use merganser::plan::{Plan, Preview};
use serde_json::{Value as Json, json};

/// 2024-01-15T10:30:00Z in milliseconds.
const JAN: i64 = 1_705_314_600_000;
const DAY: i64 = 86_400_000;

/// The database as Prisma makes it on SQLite: half the tables mapped to snake case.
fn world() -> World {
    World::new(&format!(
        "CREATE TABLE roles (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, \"createdAt\" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, \"updatedAt\" DATETIME NOT NULL);
         CREATE UNIQUE INDEX roles_name_key ON roles(name);
         CREATE TABLE permissions (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL);
         CREATE TABLE \"_PermissionToRole\" (\"A\" TEXT NOT NULL REFERENCES permissions(id) ON DELETE CASCADE, \"B\" TEXT NOT NULL REFERENCES roles(id) ON DELETE CASCADE);
         CREATE TABLE users (id TEXT NOT NULL PRIMARY KEY, email TEXT NOT NULL, name TEXT, password TEXT NOT NULL, phone_number TEXT, phone_verified BOOLEAN NOT NULL DEFAULT false,
             role_id TEXT REFERENCES roles(id), is_active BOOLEAN NOT NULL DEFAULT true, created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, updated_at DATETIME NOT NULL,
             last_login DATETIME, created_by TEXT);
         CREATE UNIQUE INDEX users_email_key ON users(email); CREATE UNIQUE INDEX users_phone_key ON users(phone_number);
         CREATE TABLE rooms (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE, capacity INTEGER NOT NULL, \"updatedAt\" DATETIME NOT NULL);
         CREATE TABLE registrations (id TEXT NOT NULL PRIMARY KEY, full_name TEXT NOT NULL, date_of_birth DATETIME, medical TEXT, updated_at DATETIME NOT NULL);
         CREATE TABLE room_allocations (id TEXT NOT NULL PRIMARY KEY, registration_id TEXT NOT NULL UNIQUE REFERENCES registrations(id), room_id TEXT NOT NULL REFERENCES rooms(id), allocated_at DATETIME NOT NULL);
         CREATE TABLE system_configs (id TEXT NOT NULL PRIMARY KEY, key TEXT NOT NULL UNIQUE, value TEXT NOT NULL, updated_at DATETIME NOT NULL);
         CREATE TABLE sms_verifications (id TEXT NOT NULL PRIMARY KEY, code TEXT NOT NULL, updated_at DATETIME NOT NULL);
         INSERT INTO roles VALUES ('clr0', 'Admin', {JAN}, {JAN});
         INSERT INTO permissions VALUES ('clp0', 'read'); INSERT INTO \"_PermissionToRole\" VALUES ('clp0', 'clr0');
         INSERT INTO users VALUES ('clu1', 'john@example.com', 'John', '$2a$1', '555', 0, 'clr0', 1, {JAN}, {JAN}, {JAN}, NULL),
             ('clu2', 'mary@example.com', 'Mary', '$2a$2', NULL, 0, 'clr0', 1, {JAN}, {newer}, NULL, NULL);
         INSERT INTO registrations VALUES ('clg1', 'Child One', {JAN}, '{{\"a\": 1, \"b\": [1.0, 2]}}', {JAN});
         INSERT INTO rooms VALUES ('clm1', 'Blue', 4, {JAN});
         INSERT INTO system_configs VALUES ('cls1', 'theme', 'dark', {JAN});",
        newer = JAN + 30 * DAY
    ))
}

fn user(id: &str, email: &str, name: &str, updated: &str) -> Json {
    json!({"id": id, "email": email, "name": name, "password": "$2a$1", "phoneNumber": "555", "phoneVerified": false, "roleId": "clr0", "isActive": true,
           "createdAt": "2024-01-15T10:30:00.000Z", "updatedAt": updated, "lastLogin": "2024-01-15T10:30:00.000Z", "createdBy": null})
}

fn john(change: impl FnOnce(&mut Json)) -> Json {
    let mut record = user("clu1", "john@example.com", "John", "2024-01-15T10:30:00.000Z");
    change(&mut record);
    record
}

const OLD: &str = "2024-01-16T00:00:00.000Z";
const LATER: &str = "2024-03-01T00:00:00.000Z";

fn backup(world: &World, tables: &[(&str, Json)]) {
    // As AccoReg writes it: name, records, key, in this order; the metadata last.
    let tables: Vec<Json> = tables
        .iter()
        .map(|(name, records)| json!({"tableName": name, "records": records, "primaryKey": "id"}))
        .collect();
    let text = json!({"tables": tables, "metadata": {"exportedAt": "2024-01-15T12:00:00.000Z", "version": "1.0"}});
    world.file("b.json", &serde_json::to_string_pretty(&text).expect("JSON"));
}

fn analyze(world: &World, strategy: &str) -> (Plan, Preview) {
    world
        .analyze("b.json", None, strategy, Options::default())
        .unwrap_or_else(|e| panic!("{e:?} {:?}", e.detail_lines()))
}

fn merge(world: &World, strategy: &str) -> MergeReport {
    let before = world.content();
    let (mut plan, preview) = analyze(world, strategy);
    let dry = world.merge(&mut plan, Ending::RollBack, OnBlocked::Refuse).expect("runs dry");
    assert_eq!((dry.counts, world.content() == before), (preview, true));
    let report = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!(report.counts, preview);
    report
}

fn everything() -> Vec<(&'static str, Json)> {
    vec![
        (
            "User",
            json!([
                user("clu1", "john@example.com", "John", "2024-01-15T10:30:00.000Z"),
                user("clu3", "new@example.com", "New", OLD).as_object_mut().map(|u| {
                    u["phoneNumber"] = json!("777");
                    u["roleId"] = json!("clr1");
                    Json::Object(u.clone())
                })
            ]),
        ),
        (
            "Registration",
            json!([{"id": "clg1", "fullName": "Child One", "dateOfBirth": "2024-01-15T10:30:00.000Z", "medical": "{\"a\": 1, \"b\": [1.0, 2]}", "updatedAt": "2024-01-15T10:30:00.000Z"},
                                {"id": "clg2", "fullName": "Child Two", "medical": null, "updatedAt": OLD}]),
        ),
        ("RoomAllocation", json!([{"id": "cla1", "registrationId": "clg2", "roomId": "clm2", "allocatedAt": OLD}])),
        (
            "Room",
            json!([{"id": "clm1", "name": "Blue", "capacity": 4, "updatedAt": "2024-01-15T10:30:00Z"}, {"id": "clm2", "name": "Red", "capacity": 2, "updatedAt": OLD}]),
        ),
        (
            "Role",
            json!([{"id": "clr0", "name": "Admin", "createdAt": "2024-01-15T10:30:00.000Z", "updatedAt": "2024-01-15T11:30:00.000+01:00"}, {"id": "clr1", "name": "Guest", "createdAt": OLD, "updatedAt": OLD}]),
        ),
        ("Permission", json!([{"id": "clp0", "name": "read"}])),
        ("SystemConfig", json!([{"id": "cls1", "key": "theme", "value": "dark", "updatedAt": OLD}])),
        ("SMSVerification", json!([{"id": "clv1", "code": "1234", "updatedAt": OLD}])),
        ("_PermissionToRole", json!([{"A": "clp0", "B": "clr0"}, {"A": "clp0", "B": "clr1"}])),
    ]
}

#[test]
fn the_sample_analyzes_by_folded_names_and_merges() {
    let world = world();
    backup(&world, &everything());
    let before = world.content();
    let (plan, preview) = analyze(&world, "backup-wins");
    let mut lines = listed(&plan);
    lines.retain(|l| !l.starts_with("_PermissionToRole"));
    assert_eq!(
        lines,
        ["clg2", "clr1", "cla1", "clm2", "clv1", "clu3"]
            .map(|id| {
                let table = match &id[..3] {
                    "clg" => "registrations",
                    "clr" => "roles",
                    "cla" => "room_allocations",
                    "clm" => "rooms",
                    "clv" => "sms_verifications",
                    _ => "users",
                };
                format!("{table}/{id} new only_in_backup")
            })
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
    assert_eq!((preview.inserted, preview.writes()), (7, 7));
    drop(plan);
    let report = merge(&world, "backup-wins");
    // Dates are written in the columns' own style.
    assert_eq!(
        world.value("SELECT typeof(allocated_at) || allocated_at FROM room_allocations"),
        format!("integer{}", JAN + 48_600_000)
    );
    assert_eq!(
        world.value("SELECT typeof(updated_at) || phone_verified || is_active FROM users WHERE id = 'clu3'"),
        "integer01"
    );
    let undone = world.undo(&report.merge).expect("undoes");
    assert_eq!(
        (undone.counts.deleted, undone.counts.blocked),
        (7, 0),
        "the link without a key goes, and so does its role"
    );
    assert_eq!(world.content(), before);
}

#[test]
fn defect_1_preserve_newer_works_under_every_strategy() {
    for strategy in ["backup-wins", "merge-fields", "newest-wins", "current-wins"] {
        let world = world();
        backup(&world, &[("User", json!([user("clu2", "mary@example.com", "Older", OLD)]))]);
        world.sql("UPDATE users SET phone_number = NULL WHERE id = 'clu1'");
        let on = Options::default();
        let (_, preview) = world.analyze("b.json", None, strategy, on).expect("analyzes");
        assert_eq!((preview.writes(), preview.kept_newer + preview.kept), (0, 1), "{strategy}: {preview:?}");
    }
    let world = world();
    world.sql("UPDATE users SET phone_number = NULL WHERE id = 'clu1'");
    backup(&world, &[("User", json!([user("clu2", "mary@example.com", "Older", OLD)]))]);
    let off = Options { preserve_newer: false, ..Options::default() };
    let (_, preview) = world.analyze("b.json", None, "backup-wins", off).expect("analyzes");
    assert_eq!(preview.updated, 1, "switched off, the strategy alone decides");
    let error = world.analyze("b.json", None, "nonsense", Options::default()).map(|_| ()).expect_err("is no strategy");
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn defect_2_conflicts_are_counted_under_every_strategy() {
    let world = world();
    world.sql("UPDATE users SET phone_number = NULL WHERE id = 'clu1'");
    backup(&world, &[("User", json!([user("clu2", "mary@example.com", "Older", OLD)]))]);
    for strategy in ["backup-wins", "current-wins", "merge-fields", "manual"] {
        let (plan, _) = analyze(&world, strategy);
        assert_eq!((plan.meta().counts().conflict, plan.meta().counts().updated), (1, 0), "{strategy}");
    }
}

#[test]
fn defect_3_manual_decisions_are_written_and_nothing_before_them() {
    let world = world();
    backup(
        &world,
        &[
            ("User", json!([john(|u| u["name"] = json!("Johnny"))])),
            ("Room", json!([{"id": "clm9", "name": "New", "capacity": 1, "updatedAt": OLD}])),
        ],
    );
    let before = world.content();
    let (mut plan, preview) = analyze(&world, "manual");
    assert_eq!((preview.undecided, preview.inserted), (1, 1));
    let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect_err("asks");
    assert_eq!((error.kind(), world.content() == before), (ErrorKind::NeedsDecision, true));
    let text = r#"{"User_clu1": {"action": "use_custom", "customData": {"name": "Jonathan"}}}"#;
    let entries = merganser::plan::decision::from_json(text, &|n| plan.table(n).is_ok()).expect("reads");
    assert_eq!(plan.import(entries, "test").expect("imports").0, 1);
    plan.update_meta(&world.home.key().expect("a key"), |_| {}).expect("seals");
    world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!(world.value("SELECT name FROM users WHERE id = 'clu1'"), "Jonathan");
    assert_eq!(world.value("SELECT count(*) FROM rooms"), "2");
}

#[test]
fn defect_4_merge_fields_never_lets_a_null_erase_a_value() {
    let world = world();
    backup(
        &world,
        &[(
            "User",
            json!([john(|u| {
                u["phoneNumber"] = json!(null);
                u["createdBy"] = json!("clu2");
                u["updatedAt"] = json!(LATER);
            })]),
        )],
    );
    merge(&world, "merge-fields");
    assert_eq!(world.value("SELECT phone_number || created_by FROM users WHERE id = 'clu1'"), "555clu2");
    assert_ne!(
        world.value("SELECT updated_at FROM users WHERE id = 'clu1'"),
        JAN.to_string(),
        "a merged record looks untouched"
    );
}

#[test]
fn defect_5_no_table_is_skipped_silently() {
    let world = world();
    backup(&world, &everything());
    let (plan, _) = analyze(&world, "backup-wins");
    assert_eq!(plan.meta().tables.len(), 9);
    for (name, records) in [("Setting", json!([{"id": "x"}])), ("User", json!([{"id": "clu1", "nickname": "J"}]))] {
        backup(&world, &[(name, records)]);
        let error =
            world.analyze("b.json", None, "backup-wins", Options::default()).map(|_| ()).expect_err("is unknown");
        assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
        let details = error.detail_lines().join("\n");
        assert!(details.contains("Setting") || details.contains("nickname"), "{details}");
    }
}

#[test]
fn defect_6_preview_dry_run_and_merge_count_the_same() {
    let world = world();
    backup(&world, &everything());
    merge(&world, "backup-wins");
}

#[test]
fn defect_7_all_or_nothing_is_true() {
    let world = world();
    world.sql("CREATE TRIGGER no BEFORE INSERT ON sms_verifications BEGIN SELECT RAISE(ABORT, 'not today'); END");
    backup(&world, &everything());
    let before = world.content();
    let (mut plan, _) = analyze(&world, "backup-wins");
    let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect_err("fails");
    assert!(error.to_string().contains("not today") && error.to_string().contains("nothing was changed"), "{error:?}");
    assert_eq!(world.content(), before);
}

#[test]
fn defect_8_parents_are_written_before_children() {
    let world = world();
    backup(&world, &everything());
    let report = merge(&world, "backup-wins");
    let order: Vec<&str> = report.tables.iter().map(|(t, _)| t.as_str()).collect();
    let at = |name: &str| order.iter().position(|t| *t == name).expect("is there");
    assert!(
        at("roles") < at("users")
            && at("rooms") < at("room_allocations")
            && at("registrations") < at("room_allocations")
    );
    assert_eq!(world.value("SELECT count(*) FROM pragma_foreign_key_check"), "0");
}

#[test]
fn defect_9_unique_collisions_are_found_at_the_analysis() {
    let world = world();
    backup(
        &world,
        &[(
            "User",
            json!([{"id": "clu9", "email": "john@example.com", "name": "Other", "password": "x", "updatedAt": OLD}]),
        )],
    );
    let (plan, preview) = analyze(&world, "backup-wins");
    assert_eq!(
        (listed(&plan).as_slice(), preview.undecided),
        (["users/clu9 conflict unique_taken".to_owned()].as_slice(), 1)
    );
}

#[test]
fn defect_10_what_changed_since_the_analysis_is_noticed() {
    let world = world();
    backup(
        &world,
        &[(
            "User",
            json!([john(|u| {
                u["name"] = json!("Johnny");
                u["updatedAt"] = json!(LATER);
            })]),
        )],
    );
    let (mut plan, preview) = analyze(&world, "backup-wins");
    assert_eq!(preview.updated, 1);
    world.sql("UPDATE users SET name = 'Changed meanwhile' WHERE id = 'clu1'");
    let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("is stale");
    assert_eq!(error.kind(), ErrorKind::PlanStale);
    assert_eq!(world.value("SELECT name FROM users WHERE id = 'clu1'"), "Changed meanwhile");
}

#[test]
fn defect_11_deleted_records_stay_deleted_and_current_ones_are_reported() {
    let world = world();
    let tables = [(
        "Room",
        json!([{"id": "clm1", "name": "Blue", "capacity": 4, "updatedAt": OLD}, {"id": "clm7", "name": "Gone", "capacity": 4, "updatedAt": OLD}]),
    )];
    backup(&world, &tables);
    std::fs::copy(world.path("b.json"), world.path("base.json")).expect("copies");
    world.sql(&format!("INSERT INTO rooms VALUES ('clm8', 'Only here', 1, {JAN})"));
    let (plan, preview) =
        world.analyze("b.json", Some("base.json"), "backup-wins", Options::default()).expect("analyzes");
    assert_eq!((preview.writes(), plan.meta().counts().current_only), (0, 1));
}

#[test]
fn defect_12_only_changed_fields_are_written() {
    let world = world();
    world.sql(
        "CREATE TABLE written (what TEXT);
         CREATE TRIGGER mail AFTER UPDATE OF email, password, role_id, phone_number ON users BEGIN INSERT INTO written VALUES ('too much'); END",
    );
    backup(
        &world,
        &[(
            "User",
            json!([john(|u| {
                u["name"] = json!("Johnny");
                u["updatedAt"] = json!(LATER);
            })]),
        )],
    );
    merge(&world, "backup-wins");
    assert_eq!(world.value("SELECT name FROM users WHERE id = 'clu1'"), "Johnny");
    assert_eq!(world.value("SELECT count(*) FROM written"), "0");
}

#[test]
fn defect_13_spelling_is_no_change() {
    let world = world();
    world.sql("CREATE TABLE settings (id TEXT PRIMARY KEY, value JSON); INSERT INTO settings VALUES ('s', '{\"a\": 1, \"b\": [1.0, 2]}')");
    for stamp in
        ["2024-01-15T10:30:00Z", "2024-01-15T10:30:00.000Z", "2024-01-15T11:30:00+01:00", "2024-01-15 10:30:00"]
    {
        backup(
            &world,
            &[
                (
                    "User",
                    json!([john(|u| {
                        u["lastLogin"] = json!(stamp);
                        u["isActive"] = json!(1);
                        u["phoneVerified"] = json!("false");
                    })]),
                ),
                ("Room", json!([{"id": "clm1", "name": "Blue", "capacity": 4.0, "updatedAt": stamp}])),
                ("Setting", json!([{"id": "s", "value": {"b": [1, 2.0], "a": 1.0}}])),
            ],
        );
        let (plan, preview) = analyze(&world, "backup-wins");
        assert_eq!((preview.writes(), plan.meta().counts().unchanged), (0, 3), "{stamp}: {:?}", listed(&plan));
    }
}

#[test]
fn defect_14_duplicates_missing_keys_and_other_shapes_are_refused() {
    let world = world();
    let room = |id: Json, name: &str| json!({"id": id, "name": name, "capacity": 1, "updatedAt": OLD});
    backup(&world, &[("Room", json!([room(json!("x"), "A"), room(json!("x"), "B")]))]);
    let refused = |world: &World| {
        world.analyze("b.json", None, "backup-wins", Options::default()).map(|_| ()).expect_err("refuses").kind()
    };
    assert_eq!(refused(&world), ErrorKind::BackupDamaged);
    backup(&world, &[("Room", json!([{"name": "A", "capacity": 1, "updatedAt": OLD}]))]);
    let (plan, _) = analyze(&world, "backup-wins");
    assert!(listed(&plan)[0].ends_with("blocked key_missing"), "{:?}", listed(&plan));
    world.file("b.json", "{}");
    assert_eq!(refused(&world), ErrorKind::UnknownFormat);
    world.file("b.json", r#"{"tables":[{"tableName":"Room","records":[]}],"metadata":{"recordCounts":{"Room":150}}}"#);
    assert_eq!(refused(&world), ErrorKind::BackupDamaged);
}

#[test]
fn defect_15_the_files_key_name_is_not_believed() {
    let world = world();
    let text = json!({"tables": [{"tableName": "Room", "primaryKey": "capacity", "records": [{"id": "clm1", "name": "Blue", "capacity": 4, "updatedAt": OLD}]}], "metadata": {}});
    world.file("b.json", &text.to_string());
    let (plan, _) = analyze(&world, "backup-wins");
    assert_eq!((plan.meta().counts().unchanged, plan.meta().counts().new), (1, 0));
}

/// The file that the export writes is what the analysis takes, under the very name it has, compressed or not.
#[test]
fn defect_16_what_was_exported_can_be_fed_back() {
    let world = world();
    backup(&world, &everything());
    let name = "incremental-backup-2025-07-17T12-50-09-123Z.json";
    std::fs::copy(world.path("b.json"), world.path(name)).expect("copies");
    let (code, stdout, stderr) = crate::faults::run(&world, &["analyze", name, "--json"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(crate::faults::result(&stdout)["counts"]["new"], json!(7));
    let (code, stdout, stderr) = crate::faults::run(&world, &["inspect", name]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("RoomAllocation"), "{stdout}");
}

#[test]
fn defect_17_invalid_dates_are_not_written() {
    let world = world();
    for bad in ["x", "2024-02-30T00:00:00Z", "Invalid Date", ""] {
        backup(
            &world,
            &[
                (
                    "User",
                    json!([john(|u| {
                        u["lastLogin"] = json!(bad);
                        u["updatedAt"] = json!(LATER);
                    })]),
                ),
                ("Room", json!([{"id": "clm5", "name": "New", "capacity": 1, "updatedAt": bad}])),
            ],
        );
        let before = world.content();
        let (mut plan, _) = analyze(&world, "backup-wins");
        let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).map(|_| ()).expect_err(bad);
        assert!(matches!(error.kind(), ErrorKind::NeedsDecision | ErrorKind::Refused), "{bad}: {error:?}");
        assert_eq!(world.content(), before, "{bad}");
        let lines = listed(&plan);
        assert!(lines.contains(&"rooms/clm5 blocked value_not_storable".to_owned()), "{bad}: {lines:?}");
    }
}

/// `[REDACTED]` is no opinion: it never overwrites a password (FORMATS 1.5).
#[test]
fn a_redacted_password_overwrites_nothing() {
    let world = world();
    backup(
        &world,
        &[(
            "User",
            json!([john(|u| {
                u["password"] = json!("[REDACTED]");
                u["name"] = json!("J");
                u["updatedAt"] = json!(LATER);
            })]),
        )],
    );
    merge(&world, "backup-wins");
    assert_eq!(world.value("SELECT name || password FROM users WHERE id = 'clu1'"), "J$2a$1");
}
