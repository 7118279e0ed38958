//! What the guides of the five applications promise their users, from the command line: `docs/guides.md` lists each promise
//! with its command; here are those that no other test holds.

use crate::cli::World;
use rusqlite::Connection;
use std::io::{Read, Write};

/// Makes Jarvis's tables for two users in the world's database file `name`.
fn jarvis(world: &World, name: &str) {
    let connection = Connection::open(world.path(name)).expect("opens");
    connection
        .execute_batch(
            "CREATE TABLE users (username TEXT PRIMARY KEY, name TEXT, email TEXT, hashed_password TEXT, is_active BOOLEAN);
             CREATE TABLE preferences (username TEXT PRIMARY KEY REFERENCES users (username), preferences JSON);
             CREATE TABLE settings (username TEXT PRIMARY KEY REFERENCES users (username), settings JSON);
             CREATE TABLE history (id INTEGER PRIMARY KEY, username TEXT REFERENCES users (username), said_at TEXT, text TEXT);
             INSERT INTO users VALUES ('ana', 'Ana', 'a@x', 'h4sh-of-ana', 1), ('bob', 'Bob', 'b@x', 'h4sh-of-bob', 0);
             INSERT INTO preferences VALUES ('ana', '{\"theme\":\"dark\"}'), ('bob', '{\"theme\":\"light\"}');
             INSERT INTO settings VALUES ('ana', '{\"max_tokens\":4000}');
             INSERT INTO history VALUES (1, 'ana', '2025-08-19 09:24:04', 'hello'), (2, 'bob', '2025-08-20 10:00:00', 'hi'),
                 (3, 'ana', '2025-08-21 11:00:00', 'again');",
        )
        .expect("makes");
}

fn rows(world: &World, name: &str, sql: &str) -> Vec<String> {
    let connection = Connection::open(world.path(name)).expect("opens");
    let mut statement = connection.prepare(sql).expect("prepares");
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cells: Vec<String> = (0..columns).map(|c| format!("{:?}", row.get_ref(c).expect("a cell"))).collect();
        Ok(cells.join("|"))
    });
    rows.expect("queries").map(|row| row.expect("a row")).collect()
}

fn all(world: &World, name: &str) -> Vec<String> {
    let tables = ["users", "preferences", "settings", "history"];
    tables.iter().flat_map(|table| rows(world, name, &format!("SELECT * FROM {table} ORDER BY 1"))).collect()
}

fn write(world: &World, path: &str, text: &str) {
    let path = world.path(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
    std::fs::write(&path, text).expect("writes");
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_793_491_200);
    std::fs::File::options().write(true).open(&path).and_then(|f| f.set_modified(at)).expect("dates");
}

fn text(world: &World, path: &str) -> String {
    std::fs::read_to_string(world.path(path)).unwrap_or_default()
}

/// Replaces digits by `0`: how a name is made up, whenever it was made.
fn shape(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

#[test]
fn jarvis_a_user_backs_up_their_data_with_files_and_restores_it() {
    let world = World::new();
    jarvis(&world, "jarvis.db");
    write(&world, "files/ana/notes/a.txt", "Ana's");
    write(&world, "files/ana/b.txt", "more");
    write(&world, "files/bob/secret.txt", "Bob's");
    let before = all(&world, "jarvis.db");
    let create =
        ["backup", "create", "--to", "sqlite:jarvis.db", "--format", "jarvis-user", "--scope", "users:username=ana"];
    let made = world.result(0, &[&create[..], &["--files", "files", "--time-zone", "Asia/Tokyo"]].concat());
    let path = made["backup"].as_str().expect("a path");
    assert_eq!(shape(path), "user_backup_ana_00000000_000000.zip");
    assert_eq!((made["files"].clone(), made["records"].clone()), (2.into(), 5.into()), "{made}");
    let inspected = world.result(0, &["inspect", path]);
    assert_eq!(inspected["files"], serde_json::json!({"files": 2, "size_bytes": 9}));
    assert!(!String::from_utf8_lossy(&unzipped(path, "user_data.json")).contains("h4sh"), "hashes never leave");
    // Her data and files change, Bob's too.
    let change = "UPDATE users SET name = 'Changed' WHERE username = 'ana'; DELETE FROM history WHERE id = 3;
        UPDATE history SET text = 'edited' WHERE id = 1; UPDATE users SET name = 'Robert' WHERE username = 'bob';";
    Connection::open(world.path("jarvis.db")).and_then(|c| c.execute_batch(change)).expect("changes");
    std::fs::remove_file(world.path("files/ana/b.txt")).expect("removes");
    std::fs::write(world.path("files/ana/notes/a.txt"), "edited").expect("writes");
    std::fs::write(world.path("files/bob/secret.txt"), "Bob's own").expect("writes");
    let changed = all(&world, "jarvis.db");
    // Left unchecked, "overwrite" keeps the current data where it doesn't conflict.
    let restore = ["restore", path, "--into", "sqlite:jarvis.db", "--files", "files", "--yes", "--existing"];
    let kept = world.result(0, &[&restore[..], &["keep"]].concat());
    assert_eq!(rows(&world, "jarvis.db", "SELECT id, text FROM history WHERE username = 'ana'").len(), 2);
    assert_eq!(rows(&world, "jarvis.db", "SELECT 1 FROM users WHERE name = 'Changed'").len(), 1);
    assert_eq!(
        (text(&world, "files/ana/b.txt"), text(&world, "files/ana/notes/a.txt")),
        ("more".into(), "edited".into())
    );
    let merge = kept["merge"].as_str().expect("an id").to_owned();
    world.result(0, &["undo", &merge, "--to", "sqlite:jarvis.db", "--yes"]);
    assert_eq!(all(&world, "jarvis.db"), changed);
    assert!(!world.path("files/ana/b.txt").exists());
    // Checked, her data is what it was; nothing of Bob's is touched.
    let overwritten = world.result(0, &[&restore[..], &["overwrite", "--no-preserve-newer"]].concat());
    let bob = "UPDATE users SET name = 'Bob' WHERE username = 'bob'";
    assert_eq!(rows(&world, "jarvis.db", "SELECT 1 FROM users WHERE name = 'Robert'").len(), 1);
    Connection::open(world.path("jarvis.db")).and_then(|c| c.execute_batch(bob)).expect("changes");
    assert_eq!(all(&world, "jarvis.db"), before, "the hash that was not in the backup stays");
    assert_eq!(text(&world, "files/ana/notes/a.txt"), "Ana's");
    assert_eq!(text(&world, "files/bob/secret.txt"), "Bob's own");
    assert_eq!(overwritten["files"]["written"], 2);
    let again = world.result(0, &["analyze", path, "--to", "sqlite:jarvis.db", "--files", "files"]);
    assert_eq!(
        (again["counts"]["unchanged"].clone(), again["files"]["counts"]["unchanged"].clone()),
        (5.into(), 2.into())
    );
}

fn unzipped(path: &str, name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).expect("opens")).expect("an archive");
    let mut content = Vec::new();
    archive.by_name(name).expect("is there").read_to_end(&mut content).expect("reads");
    content
}

#[test]
fn jarvis_lists_without_names_fill_columns_by_position_only_where_there_are_as_many() {
    let world = World::new();
    jarvis(&world, "jarvis.db");
    let archive = |name: &str, history: &str| {
        let mut zip = zip::ZipWriter::new(std::fs::File::create(world.path(name)).expect("makes"));
        zip.start_file("user_data.json", zip::write::SimpleFileOptions::default()).expect("starts");
        let user = r#"{"username":"ana","name":"Ana","email":"a@x","is_active":1}"#;
        write!(
            zip,
            r#"{{"user":{user},"preferences":{{"theme":"dark"}},"settings":{{"max_tokens":4000}},"history":{history}}}"#
        )
        .expect("writes");
        zip.finish().expect("ends");
    };
    archive("user.zip", r#"[[1,"ana","2025-08-19 09:24:04","hello"],[7,"ana","2025-09-01 00:00:00","new"]]"#);
    let analyzed = world.result(0, &["analyze", "user.zip", "--to", "sqlite:jarvis.db"]);
    assert_eq!((analyzed["counts"]["unchanged"].clone(), analyzed["counts"]["new"].clone()), (4.into(), 1.into()));
    world.result(0, &["merge", "user.zip", "--to", "sqlite:jarvis.db", "--yes"]);
    assert_eq!(rows(&world, "jarvis.db", "SELECT id FROM history WHERE text = 'new' AND username = 'ana'").len(), 1);
    // The application's own table has another name, and may have another column since.
    archive("other.zip", r#"[[1,"ana","2025-08-19 09:24:04","hello",null]]"#);
    let text = world.text(14, &["analyze", "other.zip", "--to", "sqlite:jarvis.db"]);
    assert!(text.contains("column1"), "{text}");
    let rename = "ALTER TABLE history RENAME TO conversation_history";
    Connection::open(world.path("jarvis.db")).and_then(|c| c.execute_batch(rename)).expect("renames");
    let mapped = ["analyze", "user.zip", "--to", "sqlite:jarvis.db", "--map-table", "history=conversation_history"];
    assert_eq!(world.result(0, &mapped)["counts"]["unchanged"], 5);
}

#[test]
fn jarvis_an_administrator_backs_up_all_users_without_hashes() {
    let world = World::new();
    jarvis(&world, "jarvis.db");
    let before = all(&world, "jarvis.db");
    let create = ["backup", "create", "--to", "sqlite:jarvis.db", "--format", "jarvis-system"];
    let made = world.result(0, &[&create[..], &["--only-tables", "users,preferences,settings"]].concat());
    let path = made["backup"].as_str().expect("a path");
    assert_eq!(shape(path), "jarvis_backup_00000000_000000.json");
    let text = std::fs::read_to_string(path).expect("text");
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["users"].as_array().map(Vec::len), Some(2));
    assert_eq!(document["preferences"][0], serde_json::json!({"username": "ana", "preferences": {"theme": "dark"}}));
    assert!(!text.contains("h4sh"), "{text}");
    Connection::open(world.path("jarvis.db"))
        .and_then(|c| c.execute_batch("UPDATE preferences SET preferences = '{}'; UPDATE users SET name = 'x'"))
        .expect("changes");
    world.result(0, &["restore", path, "--into", "sqlite:jarvis.db", "--existing", "overwrite", "--yes"]);
    assert_eq!(all(&world, "jarvis.db"), before);
}

#[test]
fn baluhost_backs_up_the_database_the_files_or_both_and_restores_either() {
    let world = World::new();
    write(&world, "nas/docs/a.txt", "a");
    write(&world, "nas/b.txt", "b");
    let records = world.content();
    let create = |more: &[&str]| world.result(0, &[&["backup", "create", "--format", "baluhost"], more].concat());
    let full = create(&["--files", "nas", "--time-zone", "Europe/Berlin"]);
    let database = create(&[]);
    let files = create(&["--files", "nas", "--files-only"]);
    for (made, counts) in [(&full, (6, 2)), (&database, (6, 0)), (&files, (0, 2))] {
        let path = made["backup"].as_str().expect("a path");
        assert!(shape(path).starts_with("backup_00000000_000000") && path.ends_with(".tar.gz"), "{path}");
        let found = world.result(0, &["inspect", path]);
        assert_eq!((found["records"].clone(), found["files"]["files"].clone()), (counts.0.into(), counts.1.into()));
        world.result(0, &["backup", "verify", made["id"].as_str().expect("an id"), "--deep"]);
    }
    let lose = || {
        world.sql("DELETE FROM rooms; UPDATE users SET name = 'lost'");
        std::fs::write(world.path("nas/docs/a.txt"), "lost").expect("writes");
        std::fs::remove_file(world.path("nas/b.txt")).expect("removes");
        world.content()
    };
    let path = full["backup"].as_str().expect("a path");
    let restore =
        ["restore", path, "--into", "sqlite:app.db", "--existing", "overwrite", "--no-preserve-newer", "--yes"];
    // The files alone …
    let lost = lose();
    world.result(0, &[&restore[..], &["--files", "nas", "--files-only"]].concat());
    assert_eq!((text(&world, "nas/docs/a.txt"), text(&world, "nas/b.txt")), ("a".into(), "b".into()));
    assert_eq!(world.content(), lost, "no record was touched");
    // … the database alone …
    lose();
    world.result(0, &restore);
    assert_eq!(world.content(), records);
    assert_eq!(text(&world, "nas/docs/a.txt"), "lost");
    // … and an archive of files alone, which says nothing of records.
    let path = files["backup"].as_str().expect("a path");
    world.result(
        0,
        &[
            "restore",
            path,
            "--into",
            "sqlite:app.db",
            "--existing",
            "overwrite",
            "--files",
            "nas",
            "--yes",
            "--no-preserve-newer",
        ],
    );
    assert_eq!((text(&world, "nas/docs/a.txt"), world.content()), ("a".to_owned(), records));
    world.result(2, &["backup", "create", "--format", "baluhost", "--files-only"]);
}

#[test]
fn rayerp_collections_are_named_and_counted_as_its_guide_says() {
    let world = World::new();
    let connection = Connection::open(world.path("erp.db")).expect("opens");
    connection
        .execute_batch(
            "CREATE TABLE users (_id TEXT PRIMARY KEY, email TEXT UNIQUE, password TEXT);
             CREATE TABLE activity_logs (_id TEXT PRIMARY KEY, user TEXT REFERENCES users (_id), action TEXT);
             INSERT INTO users VALUES ('65f0', 'a@x', 'h4sh');
             INSERT INTO activity_logs VALUES ('65f1', '65f0', 'login'), ('65f2', NULL, 'cron');",
        )
        .expect("makes");
    write(&world, "app/uploads/a.png", "a");
    write(&world, "app/public-uploads/b.png", "bb");
    write(&world, "app/.env", "SECRET");
    let create = ["backup", "create", "--to", "sqlite:erp.db", "--format", "rayerp", "--files", "app"];
    let made = world.result(0, &create);
    let path = made["backup"].as_str().expect("a path");
    assert_eq!(shape(path), "erp-backup-0000-00-00T00-00-00.zip");
    let info: serde_json::Value = serde_json::from_slice(&unzipped(path, "backup-info.json")).expect("JSON");
    assert_eq!(info["totalRecords"], serde_json::json!({"users": 1, "activityLogs": 2}));
    let logs: serde_json::Value = serde_json::from_slice(&unzipped(path, "activity-logs.json")).expect("JSON");
    assert_eq!(logs.as_array().map(Vec::len), Some(2));
    assert!(!String::from_utf8_lossy(&unzipped(path, "users.json")).contains("h4sh"));
    let archive = zip::ZipArchive::new(std::fs::File::open(path).expect("opens")).expect("an archive");
    let names: Vec<String> = archive.file_names().map(|name| name.expect("a name").into_owned()).collect();
    let has = |name: &str| names.iter().any(|other| other == name);
    assert!(has("uploads/a.png") && has("public-uploads/b.png") && !has(".env"));
    let analyzed = world.result(0, &["analyze", path, "--to", "sqlite:erp.db", "--files", "app"]);
    assert_eq!(
        (analyzed["counts"]["unchanged"].clone(), analyzed["files"]["counts"]["unchanged"].clone()),
        (3.into(), 2.into())
    );
    let id = made["id"].as_str().expect("an id");
    world.result(0, &["backup", "verify", id, "--deep"]);
    world.result(0, &["backup", "verify", id, "--restore-test"]);
    let files = world.result(0, &[&create[..], &["--files-only"]].concat());
    let found = world.result(0, &["inspect", files["backup"].as_str().expect("a path")]);
    assert_eq!((found["records"].clone(), found["says"]["backupType"].clone()), (0.into(), "files".into()));
}

#[test]
fn baby_buddys_page_of_confirmation_is_what_inspect_says() {
    let world = World::new();
    let mut zip = zip::ZipWriter::new(std::fs::File::create(world.path("backup_122023_143022.zip")).expect("makes"));
    for (name, text) in [
        (
            "metadata.json",
            r#"{"version":"1.0","timestamp":"2023-12-20T14:30:22-05:00","database_engine":"django.db.backends.sqlite3",
            "babybuddy_version":"2.7.1","models_count":27,"total_records":1,"includes_media":false,"created_by":"admin"}"#,
        ),
        ("core/tag.json", r#"[{"model":"core.tag","pk":1,"fields":{"name":"night"}}]"#),
    ] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("starts");
        zip.write_all(text.as_bytes()).expect("writes");
    }
    zip.finish().expect("ends");
    let found = world.result(0, &["inspect", "backup_122023_143022.zip"]);
    assert_eq!((found["version"].clone(), found["records"].clone()), ("1.0".into(), 1.into()));
    assert_eq!(found["says"]["database_engine"], "django.db.backends.sqlite3");
    assert_eq!(found["says"]["babybuddy_version"], "2.7.1");
    let text = world.text(0, &["inspect", "backup_122023_143022.zip"]);
    assert!(text.contains("2023-12-20") && text.contains("babybuddy_version 2.7.1"), "{text}");
    let made = world.result(0, &["backup", "create", "--format", "django", "--time-zone", "America/New_York"]);
    assert_eq!(shape(made["backup"].as_str().expect("a path")), "backup_000000_000000.zip");
}

/// A row of the list must name a test that is there.
#[test]
fn every_promise_of_the_list_names_a_test() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(root.join("docs/guides.md")).expect("reads");
    let mut checked = 0;
    for row in list.lines().filter(|line| line.starts_with("| ")) {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        for name in tests.split('`').filter(|name| name.contains("::")) {
            let (module, test) = name.split_once("::").expect("just seen");
            let file = root.join("tests/it").join(format!("{module}.rs"));
            let text =
                std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{row}: there is no {}", file.display()));
            let test = test.trim_end_matches('…');
            assert!(text.contains(&format!("fn {test}")) || test.is_empty(), "{row}: {module} has no test {test}");
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked}");
}

/// Tells which files below a folder hold a text.
fn holding(folder: &std::path::Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if memchr::memmem::find(&std::fs::read(&path).expect("reads"), text.as_bytes()).is_some() {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn f103_values_that_a_rule_keeps_back_appear_nowhere() {
    let world = World::new();
    let tables =
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT, token TEXT, updated_at TEXT);";
    let make = |name: &str, records: &str| {
        let connection = Connection::open(world.path(name)).expect("opens");
        connection.execute_batch(&format!("{tables}{records}")).expect("makes");
    };
    make(
        "prod.db",
        "INSERT INTO users VALUES (1, 'k3pt-mail-1', 'new', 'k3pt-token-1', '2026-11-09T00:00:00Z'),
            (2, 'k3pt-mail-2', 'two', 'k3pt-token-2', '2026-11-09T00:00:00Z');",
    );
    make("dev.db", "INSERT INTO users VALUES (1, 'dev@x', 'old', 'dev', '2026-11-01T00:00:00Z');");
    // Left out while the backup is made …
    let create = ["backup", "create", "--to", "sqlite:prod.db", "--compress", "none"];
    let made = world.result(0, &[&create[..], &["--drop", "token", "--hash", "users.email"]].concat());
    let path = made["backup"].as_str().expect("a path");
    let merge = |file: &str, more: &[&str]| {
        let all = [&["merge", file, "--to", "sqlite:dev.db", "--yes"], more].concat();
        let mut command = world.command(&all);
        std::fs::create_dir_all(world.path("scratch")).expect("makes");
        let output = command.env("TMPDIR", world.path("scratch")).output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!String::from_utf8_lossy(&output.stdout).contains("k3pt"));
    };
    world.result(0, &["analyze", path, "--to", "sqlite:dev.db", "-o", "state/a.mplan"]);
    assert!(!world.text(0, &["show", "state/a.mplan", "--html"]).contains("k3pt"));
    merge(path, &[]);
    assert_eq!(rows(&world, "dev.db", "SELECT name, token FROM users WHERE id = 1").len(), 1);
    world.result(0, &["undo", "--to", "sqlite:dev.db", "--yes"]);
    assert_eq!(holding(&world.path("state"), "k3pt"), [""; 0]);
    assert_eq!(holding(&world.path("scratch"), "k3pt"), [""; 0]);
    // … or while a whole one is analysed.
    world.result(0, &[&create[..], &["-o", "whole.json"]].concat());
    merge("whole.json", &["--skip-columns", "token,email"]);
    world.result(0, &["undo", "--to", "sqlite:dev.db", "--yes"]);
    assert_eq!(holding(&world.path("state"), "k3pt"), [""; 0]);
    assert_eq!(holding(&world.path("scratch"), "k3pt"), [""; 0]);
}

#[test]
fn f108_a_database_without_tables_or_with_only_views_is_backed_up_and_said_so() {
    let world = World::new();
    for (name, sql) in [("none.db", "PRAGMA user_version = 1"), ("views.db", "CREATE VIEW v AS SELECT 1 AS one")] {
        Connection::open(world.path(name)).and_then(|c| c.execute_batch(sql)).expect("makes");
        let to = format!("sqlite:{name}");
        let refused = world.text(2, &["backup", "create", "--to", &to, "--format", "table-map"]);
        assert!(refused.contains("no tables"), "{refused}");
        for format in ["smart-backup", "ndjson", "rayerp", "django", "sqlite", "baluhost"] {
            let made = world.result(0, &["backup", "create", "--to", &to, "--format", format]);
            assert_eq!(
                (made["records"].clone(), made["tables"].clone()),
                (0.into(), serde_json::json!([])),
                "{name} {format}"
            );
            world.result(0, &["backup", "verify", made["id"].as_str().expect("an id"), "--deep"]);
        }
    }
}

/// Copies a data folder, readable by its owner only, as a checkout does not keep it.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let only_mine = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("closes");
    };
    std::fs::create_dir_all(to).expect("makes");
    only_mine(to, 0o700);
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).expect("copies");
            only_mine(&to, 0o600);
        }
    }
}

#[test]
fn f109_u51_what_release_0_1_left_is_opened_and_what_is_newer_is_refused() {
    let world = World::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    copy(&root.join("tests/fixtures/0.1"), &world.path("state"));
    let kept = world.result(0, &["backup", "list"])["backups"].as_array().map(Vec::len);
    assert_eq!(kept, Some(5));
    world.result(0, &["backup", "verify", "--all", "--deep"]);
    world.result(0, &["backup", "verify", "since", "--restore-test"]);
    world.result(0, &["restore", "since", "--into", "sqlite:old.db", "--create-tables"]);
    assert_eq!(rows(&world, "old.db", "SELECT id FROM visits ORDER BY id"), ["Integer(1)", "Integer(2)", "Integer(4)"]);
    assert_eq!(world.result(0, &["log", "verify"])["entries"], 1);
    let plan = world.result(0, &["show", "state/plans/kept.mplan"]);
    assert_eq!(
        (plan["counts"]["conflict"].clone(), plan["counts"]["unchanged"].clone()),
        (1.into(), 5.into()),
        "{plan}"
    );
    // What a later release made is refused with its name, and nothing becomes of it.
    let newer = |file: &str| {
        Connection::open(world.path(file)).and_then(|c| c.execute_batch("PRAGMA user_version = 99")).expect("changes");
    };
    newer("state/plans/kept.mplan");
    let text = world.text(20, &["show", "state/plans/kept.mplan"]);
    assert!(text.contains("99"), "{text}");
    newer("state/catalog.db");
    let text = world.text(1, &["backup", "list"]);
    assert!(text.contains("99") && text.contains("version of merganser that made it"), "{text}");
    world.write("newer.json", r#"{"format":"merganser/2","tables":[],"metadata":{"checksum":"x"}}"#);
    let mut zip = zip::ZipWriter::new(std::fs::File::create(world.path("newer.zip")).expect("makes"));
    for (name, text) in [("metadata.json", r#"{"format":"merganser/2"}"#), ("users.ndjson", "{\"id\":1}\n")] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("starts");
        zip.write_all(text.as_bytes()).expect("writes");
    }
    zip.finish().expect("ends");
    for file in ["newer.json", "newer.zip"] {
        let text = world.text(10, &["inspect", file]);
        assert!(text.contains("newer merganser"), "{file}: {text}");
    }
}
