//! Kept backups and restoring from the command line: made, listed, checked, forgotten, put back, and found as a base.

use crate::cli::World;
use rusqlite::Connection;
use serde_json::Value as Json;

fn kept(world: &World) -> Vec<Json> {
    world.result(0, &["backup", "list"])["backups"].as_array().expect("a list").clone()
}

fn id(made: &Json) -> String {
    made["id"].as_str().expect("an id").to_owned()
}

fn all(world: &World, file: &str, sql: &str) -> Vec<String> {
    let connection = Connection::open(world.path(file)).expect("opens");
    let mut statement = connection.prepare(sql).expect("prepares");
    let columns = statement.column_count();
    let rows = statement
        .query_map([], |row| {
            let cells: Vec<String> = (0..columns).map(|c| format!("{:?}", row.get_ref(c).expect("a cell"))).collect();
            Ok(cells.join("|"))
        })
        .expect("queries");
    rows.map(|row| row.expect("a row")).collect()
}

#[test]
fn f72_a_kept_backup_lives_and_goes() {
    let world = World::new();
    let first = world.result(0, &["backup", "create", "--name", "first", "--tag", "nightly"]);
    assert!(first["backup"].as_str().expect("a path").contains("incremental-backup-"), "{first}");
    let second = world.result(0, &["backup", "create", "--format", "ndjson"]);
    assert_eq!(kept(&world).len(), 2);
    assert_eq!(world.result(0, &["backup", "list", "--tag", "nightly"])["backups"].as_array().map(Vec::len), Some(1));
    assert_eq!(world.result(0, &["backup", "show", "first"])["records"], 6);
    for depth in [&["backup", "verify", "--all"][..], &["backup", "verify", "first", "--deep"]] {
        assert_eq!(world.result(0, depth)["ok"], true);
    }
    let tested = world.result(0, &["backup", "verify", "--all", "--restore-test"]);
    assert_eq!(tested["backups"].as_array().map(Vec::len), Some(2));
    world.result(0, &["backup", "export", "first", "out.json.zst"]);
    world.result(2, &["backup", "export", "first", "out.json.zst"]);
    world.result(2, &["backup", "import", "out.json.zst"]);
    // Removing asks; the only verified one of a database stays.
    world.result(2, &["backup", "rm", "first"]);
    world.result(0, &["backup", "rm", "first", "--yes"]);
    let text = world.text(2, &["backup", "rm", &id(&second), "--yes"]);
    assert!(text.contains("only verified"), "{text}");
    world.result(0, &["backup", "import", "out.json.zst", "--name", "again", "--of-target"]);
    assert_eq!(kept(&world).len(), 2);
    // A flipped byte is told, with the code for damage.
    let path =
        kept(&world).iter().find(|e| e["name"] == "again").expect("kept")["path"].as_str().expect("a path").to_owned();
    let mut bytes = std::fs::read(&path).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("writes");
    let text = world.text(13, &["backup", "verify", "--all"]);
    assert!(text.contains("again") && text.contains("1 of 2"), "{text}");
}

#[test]
fn u18_forgetting_gives_reasons_and_asks() {
    let world = World::new();
    for _ in 0..4 {
        world.result(0, &["backup", "create"]);
    }
    world.result(2, &["backup", "forget", "--yes"]);
    let tried = world.result(0, &["backup", "forget", "--keep-last", "2", "--dry-run"]);
    let reasons: Vec<String> =
        tried["backups"].as_array().expect("a list").iter().map(|b| b["reasons"].to_string()).collect();
    assert_eq!(reasons.iter().filter(|r| *r == "[]").count(), 2, "{reasons:?}");
    assert!(reasons[0].contains("last") && reasons[0].contains("none is verified"), "{reasons:?}");
    world.result(2, &["backup", "forget", "--keep-last", "2"]);
    assert_eq!(kept(&world).len(), 4);
    assert_eq!(world.result(0, &["backup", "forget", "--keep-last", "2", "--yes"])["removed"], 2);
    assert_eq!(kept(&world).len(), 2);
    // What a plan or a young merge was made of stays.
    world.sql("DELETE FROM rooms");
    let oldest = kept(&world).last().expect("one")["path"].as_str().expect("a path").to_owned();
    world.result(0, &["merge", &oldest, "--yes"]);
    let judged = world.result(0, &["backup", "forget", "--keep-last", "1", "--yes"]);
    assert_eq!((judged["removed"].clone(), kept(&world).len()), (0.into(), 2));
    assert!(judged.to_string().contains("needed by the merge"), "{judged}");
}

#[test]
fn a_restore_makes_fills_and_clears() {
    let world = World::new();
    world.result(0, &["backup", "create", "--name", "b"]);
    let made = world.result(0, &["restore", "b", "--into", "sqlite:new.db", "--create-tables"]);
    assert_eq!(made["records"], 6);
    assert_eq!(all(&world, "new.db", "SELECT id, name FROM users ORDER BY id").len(), 4);
    world.result(2, &["restore", "b", "--into", "sqlite:new.db", "--create-tables"]);
    world.result(2, &["restore", "b", "--into", "sqlite:none.db"]);
    assert!(!world.path("none.db").exists());
    // The tables of an application, empty: all of it comes, references hold.
    let schema: Vec<String> = all(&world, "app.db", "SELECT sql FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    assert_eq!(schema.len(), 2);
    let empty = Connection::open(world.path("empty.db")).expect("opens");
    empty
        .execute_batch(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT, password_hash TEXT, updated_at TEXT);
             CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT NOT NULL, user_id INTEGER REFERENCES users (id));",
        )
        .expect("makes");
    world.result(2, &["restore", "b", "--into", "sqlite:empty.db"]);
    world.result(0, &["restore", "b", "--into", "sqlite:empty.db", "--yes"]);
    let content = |file: &str| {
        let users = all(&world, file, "SELECT * FROM users ORDER BY id");
        [users, all(&world, file, "SELECT * FROM rooms ORDER BY id")].concat()
    };
    assert_eq!(content("empty.db"), content("app.db"));
    // What is there is touched only in the way that was said.
    let text = world.text(2, &["restore", "b", "--into", "sqlite:empty.db", "--yes"]);
    assert!(text.contains("not empty") && text.contains("--existing"), "{text}");
    empty
        .execute_batch(
            "UPDATE users SET name = 'changed', updated_at = '2027-01-01T00:00:00Z' WHERE id = 1;
             INSERT INTO users (id, email) VALUES (77, 'new@x'); DELETE FROM rooms WHERE id = 9;",
        )
        .expect("changes");
    world.result(0, &["restore", "b", "--into", "sqlite:empty.db", "--existing", "keep", "--yes"]);
    assert_eq!(
        all(&world, "empty.db", "SELECT name FROM users WHERE id = 1"),
        ["Text([99, 104, 97, 110, 103, 101, 100])"]
    );
    assert_eq!(all(&world, "empty.db", "SELECT id FROM rooms").len(), 2);
    world.result(0, &["restore", "b", "--into", "sqlite:empty.db", "--existing", "clear", "--yes"]);
    assert_eq!(content("empty.db"), content("app.db"));
    assert_eq!(std::fs::read_dir(world.path("state").join("plans")).expect("a folder").count(), 0, "no plan is left");
}

#[test]
fn an_incremental_backup_says_what_changed_and_what_went() {
    let world = World::new();
    world.result(0, &["backup", "create", "--name", "full"]);
    world.sql("UPDATE users SET name = 'other' WHERE id = 2; INSERT INTO rooms VALUES (10, 'ten', 2); DELETE FROM rooms WHERE id = 9");
    let one = world.result(0, &["backup", "create", "--name", "one", "--incremental-from", "full"]);
    assert_eq!((one["records"].clone(), one["kind"].clone()), (2.into(), "incremental".into()));
    world.sql("DELETE FROM rooms WHERE id = 1; UPDATE rooms SET name = 'TEN' WHERE id = 10");
    let two = world.result(0, &["backup", "create", "--name", "two", "--incremental-from", "one"]);
    assert_eq!(two["records"], 1);
    let after = world.content();
    assert_eq!(world.result(0, &["backup", "verify", "--all", "--restore-test"])["ok"], true);
    // Put together, the chain is the database as it was.
    world.result(0, &["restore", "two", "--into", "sqlite:again.db", "--create-tables"]);
    assert_eq!(
        all(&world, "again.db", "SELECT id, name FROM rooms"),
        all(&world, "app.db", "SELECT id, name FROM rooms")
    );
    assert_eq!(
        all(&world, "again.db", "SELECT * FROM users ORDER BY id"),
        all(&world, "app.db", "SELECT * FROM users ORDER BY id")
    );
    // Alone it is no database.
    world.result(0, &["backup", "export", "two", "two.json.zst"]);
    std::fs::create_dir(world.path("elsewhere")).expect("makes");
    let lonely = world
        .text(2, &["restore", "two.json.zst", "--into", "sqlite:x.db", "--create-tables", "--data-dir", "elsewhere"]);
    assert!(lonely.contains("incremental"), "{lonely}");
    world.result(2, &["backup", "import", "two.json.zst", "--data-dir", "elsewhere"]);
    // What it builds on can't go.
    world.result(2, &["backup", "rm", "full", "--yes"]);
    world.result(0, &["backup", "forget", "--keep-last", "1", "--yes"]);
    assert_eq!(kept(&world).len(), 3);
    // Merged into its own database nothing changes; a tombstone deletes only where that is asked for.
    world.result(0, &["merge", "two.json.zst", "--yes"]);
    assert_eq!(world.content(), after);
    world.sql("INSERT INTO rooms VALUES (1, 'one', 1)");
    let analyzed = world.result(0, &["analyze", "two.json.zst"]);
    assert_eq!(analyzed["compared"], "three-way");
    world.result(0, &["merge", "two.json.zst", "--yes"]);
    assert_eq!(all(&world, "app.db", "SELECT id FROM rooms").len(), 2);
    world.result(0, &["merge", "two.json.zst", "--yes", "--deletes", "apply", "--base", "none"]);
    assert_eq!(world.content(), after);
}

#[test]
fn one_persons_data_is_closed_and_bare_of_secrets() {
    let world = World::new();
    let made = world.result(0, &["backup", "create", "-o", "one.json", "--scope", "users:id = 9"]);
    assert_eq!(made["records"], 2);
    assert_eq!(made["followed"], serde_json::json!(["users", "rooms (user_id refers to users)"]));
    let text = std::fs::read_to_string(world.path("one.json")).expect("text");
    assert!(!text.contains("password_hash") && !text.contains("a@x"), "{text}");
    // What is not carried stays, and nothing that is not theirs is touched.
    let before = world.content();
    assert_eq!(world.result(0, &["merge", "one.json", "--yes", "--deletes", "mirror"])["changed"], false);
    assert_eq!(world.content(), before);
    world.sql("UPDATE users SET name = 'x' WHERE id = 9; DELETE FROM rooms WHERE id = 9");
    world.result(0, &["merge", "one.json", "--yes"]);
    assert_eq!(world.content(), before);
    world.result(2, &["backup", "create", "-o", "two.json", "--scope", "users:id = 12345"]);
    assert!(!world.path("two.json").exists());
}

#[test]
fn a_base_is_found_by_lineage() {
    let world = World::new();
    // Production is app.db; development is made of its backup, and both move on.
    world.result(0, &["backup", "create", "--name", "friday"]);
    world.result(0, &["restore", "friday", "--into", "sqlite:dev.db", "--create-tables"]);
    let dev = Connection::open(world.path("dev.db")).expect("opens");
    dev.execute_batch("UPDATE users SET name = 'dev' WHERE id = 1; DELETE FROM users WHERE id = 3").expect("changes");
    world.sql("UPDATE users SET name = 'prod' WHERE id = 2");
    let monday = world.result(0, &["backup", "create", "-o", "monday.json"]);
    assert_eq!(monday["id"], Json::Null);
    let analyzed = world.result(0, &["analyze", "monday.json", "--to", "sqlite:dev.db"]);
    assert_eq!(analyzed["compared"], "three-way");
    let counts = &analyzed["counts"];
    // Only what production changed comes; what development changed or deleted stays.
    assert_eq!(
        (counts["updated"].clone(), counts["new"].clone(), counts["conflict"].clone()),
        (1.into(), 0.into(), 0.into()),
        "{counts}"
    );
    assert_eq!(
        world.result(0, &["analyze", "monday.json", "--to", "sqlite:dev.db", "--base", "none"])["compared"],
        "two-way"
    );
    // A backup of the database itself is not compared three-way: whoever merges it wants to go back.
    assert_eq!(world.result(0, &["analyze", "monday.json"])["compared"], "two-way");
}
