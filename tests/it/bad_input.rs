//! Input that is broken or hostile (CHECKS 5.5), through the library and the binary: its own exit code, a message that
//! names the place, and the database byte for byte as it was.

use crate::faults::{result, run};
use crate::world::World;
use merganser::analyzer::Options;
use merganser::{Error, ErrorKind};
use serde_json::json;

const SCHEMA: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, score REAL, born DATETIME, raw BLOB);
     INSERT INTO users VALUES (1, 'Ada', 1.5, '2024-01-01', x'00')";

fn world() -> World {
    World::new(SCHEMA)
}

fn bytes(world: &World) -> Vec<u8> {
    std::fs::read(world.path("current.db")).expect("reads")
}

fn refused(world: &World, name: &str) -> Error {
    let before = bytes(world);
    let error = world.analyze(name, None, "backup-wins", Options::default()).map(|_| ()).expect_err(name);
    assert!(bytes(world) == before, "{name}: the database changed");
    error
}

/// Runs `merge FILE` and checks the exit code, that the message names what it must, and that the database is the same.
fn check(world: &World, name: &str, code: i32, named: &[&str]) {
    let before = bytes(world);
    let (found, stdout, stderr) = run(world, &["merge", name, "--yes", "--json"]);
    assert_eq!(found, code, "{name}: {stdout}{stderr}");
    let result = result(&stdout);
    assert_eq!((&result["ok"], &result["changed"]), (&json!(false), &json!(false)), "{name}: {result}");
    let text = result.to_string();
    assert!(named.iter().all(|n| text.contains(n)), "{name}: {named:?} not in {text}");
    assert!(bytes(world) == before, "{name}: the database changed");
    let (found, _, stderr) = run(world, &["analyze", name]);
    assert_eq!(found, code, "{name}: {stderr}");
    assert!(!stderr.contains("panicked") && !stderr.trim().is_empty(), "{name}: {stderr}");
}

fn one(records: &str) -> String {
    format!(r#"{{"tables":[{{"tableName":"users","records":{records}}}],"metadata":{{"version":"1.0"}}}}"#)
}

#[test]
fn f80_each_kind_of_bad_file_has_its_exit_code_and_place() {
    let world = world();
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let cases: Vec<(&str, String, i32, Vec<&str>)> = vec![
        ("empty.json", String::new(), 13, vec!["empty.json"]),
        ("words.txt", "these are just words".to_owned(), 10, vec!["words.txt"]),
        ("null.json", "null".to_owned(), 10, vec!["null.json"]),
        ("braces.json", "{}".to_owned(), 10, vec!["braces.json"]),
        ("cut.json", one(r#"[{"id":2,"name":"B"#)[..75].to_owned(), 13, vec!["users"]),
        ("comma.json", one(r#"[{"id":2,}]"#), 13, vec!["users"]),
        ("garbage.json", format!("{} x", one("[]")), 13, vec!["byte"]),
        ("twice.json", one(r#"[{"id":2,"name":"a"},{"id":2,"name":"b"}]"#), 13, vec!["users", "record 1", "record 2"]),
        ("field.json", one(r#"[{"id":2,"name":"a","name":"b"}]"#), 13, vec!["name"]),
        ("nan.json", one(r#"[{"id":2,"score":NaN}]"#), 13, vec!["users", "lenient"]),
        ("infinity.json", one(r#"[{"id":2,"score":-Infinity}]"#), 13, vec!["users"]),
        ("deep.json", one(&format!(r#"[{{"id":2,"name":{deep}}}]"#)), 25, vec!["users"]),
        ("table.json", one("[]").replace("users", "userz"), 14, vec!["userz", "users"]),
        ("column.json", one(r#"[{"id":2,"nam":"x"}]"#), 14, vec!["nam", "name"]),
        (
            "counts.json",
            one("[]").replace(r#""version":"1.0""#, r#""recordCounts":{"users":7}"#),
            13,
            vec!["users", "7"],
        ),
        ("record.json", one("[7]"), 13, vec!["users"]),
        ("records.json", one("{}"), 13, vec!["records", "byte"]),
    ];
    for (name, content, code, named) in cases {
        world.file(name, &content);
        check(&world, name, code, &named);
    }
    check(&world, "nowhere.json", 10, &["nowhere.json"]);
}

/// What is well formed but does not fit its column is blocked, named, and keeps everything from being written (exit 3).
#[test]
fn f42_values_of_the_wrong_type_are_blocked_with_their_place() {
    let world = world();
    for (record, named) in [
        (r#"{"id":"two","name":"x"}"#, "two"),
        (r#"{"id":2.5,"name":"x"}"#, "2.5"),
        (r#"{"id":99999999999999999999,"name":"x"}"#, "99999999999999999999"),
        (r#"{"id":null,"name":"x"}"#, "users"),
        (r#"{"name":"x"}"#, "id"),
        (r#"{"id":[1],"name":"x"}"#, "users"),
    ] {
        world.file("b.json", &one(&format!("[{record}]")));
        check_blocked(&world, record, named);
    }
}

fn check_blocked(world: &World, record: &str, named: &str) {
    let before = bytes(world);
    let (code, stdout, stderr) = run(world, &["merge", "b.json", "--yes", "--json"]);
    assert_eq!(code, 3, "{record}: {stdout}{stderr}");
    assert!(result(&stdout).to_string().contains(named), "{record}: {stdout}");
    assert!(bytes(world) == before, "{record}");
}

#[test]
fn f17_a_json_backup_cut_at_any_byte_is_refused() {
    let world = world();
    let whole = one(r#"[{"id":2,"name":"B\u00e9\\","score":1.25},{"id":3,"name":null}]"#);
    for length in 0..whole.len() {
        world.file("b.json", &whole[..length]);
        let error = refused(&world, "b.json");
        assert!(matches!(error.kind(), ErrorKind::BackupDamaged | ErrorKind::UnknownFormat), "{length}: {error:?}");
    }
    for length in [0, 1, 10, whole.len() / 2, whole.len() - 1] {
        world.file("b.json", &whole[..length]);
        let (code, stdout, _) = run(&world, &["merge", "b.json", "--yes", "--json"]);
        assert!([10, 13].contains(&code), "{length}: {stdout}");
    }
}

#[test]
fn f17_f20_an_sqlite_backup_cut_or_scribbled_on_is_refused() {
    let world = world();
    let path = world.sqlite_backup("b.db", "PRAGMA page_size = 512; CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (2, 'B'), (3, 'C')");
    let whole = std::fs::read(&path).expect("reads");
    for length in (0..whole.len()).step_by(13).chain([whole.len() - 1, 15, 16, 99, 100]) {
        std::fs::write(&path, &whole[..length]).expect("writes");
        let error = refused(&world, "b.db");
        assert!(matches!(error.kind(), ErrorKind::BackupDamaged | ErrorKind::UnknownFormat), "{length}: {error:?}");
    }
    for at in (0..whole.len()).step_by(37) {
        let mut scribbled = whole.clone();
        scribbled[at] ^= 0x55;
        std::fs::write(&path, &scribbled).expect("writes");
        let before = bytes(&world);
        // Detected, or simply other data (F18); never a panic, never a change.
        let _ = world.analyze("b.db", None, "backup-wins", Options::default()).map(|_| ());
        assert!(bytes(&world) == before, "byte {at}");
    }
}

/// Names as people who mean harm would choose them.
const NAUGHTY: [&str; 24] = [
    "x\"; DROP TABLE users; --",
    "x'; DROP TABLE users; --",
    "users\"--",
    "a`b",
    "a]b",
    "[users]",
    "main.users; --",
    "sqlite_master",
    "sqlite_sequence",
    "__proto__",
    "constructor",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "%s%n%d{}{0}",
    "${jndi:ldap://x}",
    "$(touch x)",
    "a\nb",
    "a\tb\u{1b}[31mred",
    "a\u{0}b",
    "\u{202e}evil\u{202c}",
    "田中さん",
    "👩‍👩‍👧",
    "ﷺ\u{feff}\u{200b}",
    " ",
];

#[test]
fn f81_hostile_names_in_a_backup_reach_nothing() {
    let world = world();
    for name in NAUGHTY.iter().copied().chain(["", &"n".repeat(1 << 20)]) {
        world.file(
            "b.json",
            &json!({"tables": [{"tableName": name, "records": [{"id": 2}]}], "metadata": {}}).to_string(),
        );
        let error = refused(&world, "b.json");
        assert!(
            matches!(error.kind(), ErrorKind::SchemaMismatch | ErrorKind::LimitReached | ErrorKind::BackupDamaged),
            "{name:.60}: {error:?}"
        );
        world.file(
            "b.json",
            &json!({"tables": [{"tableName": "users", "records": [{"id": 2, name: 1}]}], "metadata": {}}).to_string(),
        );
        let error = refused(&world, "b.json");
        assert!(
            matches!(error.kind(), ErrorKind::SchemaMismatch | ErrorKind::LimitReached | ErrorKind::BackupDamaged),
            "{name:.60}: {error:?}"
        );
    }
    // Through the binary nothing reaches the terminal that could steer it.
    for name in [NAUGHTY[0], NAUGHTY[17], NAUGHTY[19]] {
        world.file(
            "b.json",
            &json!({"tables": [{"tableName": name, "records": [{"id": 2}]}], "metadata": {}}).to_string(),
        );
        let (code, stdout, stderr) = run(&world, &["analyze", "b.json"]);
        assert_eq!(code, 14, "{stdout}{stderr}");
        assert!(
            ![stdout, stderr].iter().any(|t| t.contains('\u{1b}') || t.contains('\u{202e}')),
            "{name:?} steers the terminal"
        );
    }
}

#[test]
fn f81_hostile_values_and_keys_arrive_as_they_are() {
    let world = World::new("CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT); INSERT INTO t VALUES ('x', 'y')");
    let before = world.content();
    let records: Vec<_> = NAUGHTY.iter().map(|n| json!({"k": n, "v": n})).collect();
    world.backup("b.json", &[("t", json!(records))]);
    let (mut plan, preview) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!(preview.inserted, NAUGHTY.len() as u64);
    let merged = world.merge(&mut plan, Default::default(), Default::default()).expect("merges");
    let connection = world.connection();
    for name in NAUGHTY {
        let value: String =
            connection.query_row("SELECT v FROM t WHERE k = ?", [name], |r| r.get(0)).expect("is there");
        assert_eq!(value, name);
    }
    drop(connection);
    let (code, stdout, stderr) = run(&world, &["show", &plan.meta().id, "records"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(!stdout.contains('\u{1b}') && !stdout.contains('\u{202e}'), "{stdout:?}");
    world.undo(&merged.merge).expect("undoes");
    assert_eq!(world.content(), before);
}

/// A current database that really has such names works: whatever its names, they are quoted.
#[test]
fn f81_a_current_database_with_hostile_names_works() {
    let usable = |n: &&&str| !n.contains('\u{0}') && !n.starts_with("sqlite_");
    for name in NAUGHTY.iter().filter(usable) {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let key = format!("\"{}\"", format!("{name}key").replace('"', "\"\""));
        let sql = format!(
            "CREATE TABLE {quoted} ({key} INTEGER PRIMARY KEY, {quoted} TEXT UNIQUE, up INTEGER REFERENCES {quoted}({key}));
             INSERT INTO {quoted} VALUES (1, 'a', NULL), (2, 'b', 1);"
        );
        let world = World::new(&sql);
        let before = world.content();
        let key_name = format!("{name}key");
        world.backup(
            "b.json",
            &[(name, json!([{key_name.as_str(): 1, *name: "b", "up": null}, {key_name.as_str(): 2, *name: "a", "up": 3}, {key_name.as_str(): 3, *name: "c", "up": 1}]))],
        );
        let (mut plan, preview) = world
            .analyze("b.json", None, "backup-wins", Options::default())
            .unwrap_or_else(|e| panic!("{name:?}: {e:?} {:?}", e.detail_lines()));
        assert_eq!((preview.inserted, preview.updated), (1, 2), "{name:?}");
        let merged = world
            .merge(&mut plan, Default::default(), Default::default())
            .unwrap_or_else(|e| panic!("{name:?}: {e:?}"));
        assert_eq!(
            world.value(&format!("SELECT group_concat({quoted}) FROM (SELECT * FROM {quoted} ORDER BY {key})")),
            "b,a,c"
        );
        world.undo(&merged.merge).unwrap_or_else(|e| panic!("{name:?}: {e:?}"));
        assert_eq!(world.content(), before, "{name:?}");
    }
}
