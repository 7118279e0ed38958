//! What databases can do by themselves (CHECKS 5.4): generated columns, triggers, constraints, odd tables, odd settings.

use super::{lawful, whole};
use crate::world::{World, listed};
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::analyzer::options::Touch;
use merganser::executor::{Ending, Home, OnBlocked};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

fn refused(world: &World, backup: &str) -> String {
    let before = world.content();
    let (mut plan, preview) = world.analyze(backup, None, "backup-wins", Options::default()).expect("analyzes");
    assert!(preview.writes() > 0);
    let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("refuses");
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert_eq!(world.content(), before);
    let text = whole(&error);
    assert!(text.contains("nothing was changed"), "{text}");
    text
}

#[test]
fn f58_generated_columns_are_never_written() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, s INTEGER GENERATED ALWAYS AS (a * 2) STORED, v INTEGER AS (a * 3) VIRTUAL);
         INSERT INTO t (id, a) VALUES (1, 1), (2, 2);",
    );
    world.backup(
        "b.json",
        &[("t", json!([{"id": 1, "a": 1, "s": 999, "v": 999}, {"id": 2, "a": 5, "s": 4, "v": 6}, {"id": 3, "a": 7, "s": 0, "v": 0}]))],
    );
    lawful(&world, "b.json", "backup-wins", Options::default());
    assert_eq!(world.value("SELECT group_concat(a || '/' || s || '/' || v) FROM t"), "1/2/3,5/10/15,7/14/21");
}

#[test]
fn f60_the_id_0_and_negative_ids_stay() {
    let world = World::new("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT)");
    world.backup(
        "b.json",
        &[(
            "t",
            json!([{"id": 0, "a": "zero"}, {"id": -5, "a": "minus"}, {"id": 9_007_199_254_740_993_i64, "a": "big"}]),
        )],
    );
    lawful(&world, "b.json", "backup-wins", Options { skip_tables: Vec::new(), ..Options::default() });
    assert_eq!(world.value("SELECT group_concat(id) FROM (SELECT id FROM t ORDER BY id)"), "-5,0,9007199254740993");
    world.sql("INSERT INTO t (a) VALUES ('next')");
    assert_eq!(world.value("SELECT max(id) FROM t"), "9007199254740994");
}

#[test]
fn f61_a_trigger_that_changes_a_record_is_told() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, updated_at TEXT);
         CREATE TRIGGER touch AFTER UPDATE ON t WHEN NEW.updated_at <> 'touched' BEGIN UPDATE t SET updated_at = 'touched' WHERE id = NEW.id; END;
         INSERT INTO t VALUES (1, 'x', '2020-01-01');",
    );
    world.backup("b.json", &[("t", json!([{"id": 1, "a": "y", "updated_at": "2021-01-01"}]))]);
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let report = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert!(report.notes.iter().any(|n| n.contains("t.updated_at") && n.contains("trigger")), "{:?}", report.notes);
    assert_eq!(world.value("SELECT a || updated_at FROM t"), "ytouched");
}

#[test]
fn f61_a_trigger_that_drops_or_refuses_rolls_everything_back() {
    for (trigger, named) in [
        ("CREATE TRIGGER d BEFORE INSERT ON t WHEN NEW.id = 3 BEGIN SELECT RAISE(IGNORE); END", "t/3"),
        ("CREATE TRIGGER d BEFORE UPDATE ON t WHEN NEW.id = 1 BEGIN SELECT RAISE(IGNORE); END", "t/1"),
        ("CREATE TRIGGER d BEFORE UPDATE ON t WHEN NEW.id = 1 BEGIN SELECT RAISE(ABORT, 'not you'); END", "not you"),
        ("CREATE TRIGGER d AFTER INSERT ON t BEGIN SELECT RAISE(ROLLBACK, 'go away'); END", "go away"),
        ("CREATE TRIGGER d AFTER INSERT ON t BEGIN SELECT RAISE(FAIL, 'half done'); END", "half done"),
        ("CREATE TRIGGER d AFTER INSERT ON t BEGIN DELETE FROM t WHERE id = 2; END", "t/2"),
        ("CREATE TRIGGER d AFTER UPDATE ON t BEGIN DELETE FROM t WHERE id = NEW.id; END", "t/1"),
    ] {
        let world = World::new(&format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, NULL); {trigger};"
        ));
        world.backup("b.json", &[("t", json!([{"id": 1, "a": "x"}, {"id": 2, "a": "y"}, {"id": 3, "a": "z"}]))]);
        let text = refused(&world, "b.json");
        assert!(text.contains(named), "{trigger}: {text}");
    }
}

/// A trigger that writes elsewhere: the plan says that there is one, and the foreign keys are checked all the same.
#[test]
fn f61_a_trigger_that_makes_orphans_is_found_before_the_commit() {
    let world = World::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id));
         CREATE TABLE other (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id));
         CREATE TRIGGER d AFTER INSERT ON t BEGIN INSERT INTO other VALUES (NEW.id, 77); END;
         INSERT INTO p VALUES (1);",
    );
    world.backup("b.json", &[("t", json!([{"id": 1, "p": 1}]))]);
    let text = refused(&world, "b.json");
    assert!(text.contains("other"), "{text}");
}

#[test]
fn f64_deferred_constraints_are_named_before_the_commit() {
    let world = World::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY);
         CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED);",
    );
    world.backup("b.json", &[("c", json!([{"id": 1, "p": 1}]))]);
    let options = Options { parents: merganser::analyzer::options::Parents::None, ..Options::default() };
    let (mut plan, preview) = world.analyze("b.json", None, "backup-wins", options).expect("analyzes");
    assert_eq!(preview.inserted, 1);
    for ending in [Ending::RollBack, Ending::Commit] {
        let error = world.merge(&mut plan, ending, OnBlocked::Refuse).expect_err("refuses");
        assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
        assert!(whole(&error).contains("c/1"), "{}", whole(&error));
    }
    assert!(world.content().is_empty());
}

#[test]
fn f65_what_a_column_or_check_refuses_is_blocked_at_the_analysis() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, age INTEGER CHECK (age >= 0), d TEXT NOT NULL DEFAULT 'x');
         CREATE TABLE s (id INTEGER PRIMARY KEY, i INTEGER, r REAL, x TEXT, b BLOB) STRICT;
         INSERT INTO t VALUES (1, 1, 1, 'x');",
    );
    world.backup(
        "b.json",
        &[
            ("t", json!([{"id": 1, "n": null}, {"id": 2, "age": 3}, {"id": 3, "n": 1, "age": -1}, {"id": 4, "n": 1, "age": 1}, {"id": 5, "n": 1, "d": null}])),
            ("s", json!([{"id": 1, "i": "12abc"}, {"id": 2, "i": 12, "r": 1.5, "x": "t"}, {"id": 3, "i": 1.5}])),
        ],
    );
    let (mut plan, preview) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let lines = listed(&plan);
    let blocked: Vec<&str> =
        lines.iter().filter(|l| l.contains("blocked")).map(|l| l.split(' ').next().expect("a name")).collect();
    let undecided_or_blocked = preview.undecided + preview.blocked;
    assert_eq!(blocked, ["s/1", "s/3", "t/2", "t/3", "t/5"], "{lines:?}");
    // For a record on both sides there is a choice, one of whose answers is impossible and said to be.
    assert!(lines.contains(&"t/1 conflict both_differ".to_owned()), "{lines:?}");
    assert_eq!((preview.inserted, undecided_or_blocked), (2, 6));
    let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("refuses");
    assert_eq!(error.kind(), ErrorKind::NeedsDecision);
    assert_eq!(error.detail_lines().len(), 6);
    world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect("merges the rest");
    assert_eq!(world.value("SELECT group_concat(id) FROM t"), "1,4");
}

#[test]
fn f66_views_virtual_internal_and_migration_tables_are_not_merged() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT); CREATE VIEW v AS SELECT * FROM t;
         CREATE TRIGGER vi INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES (NEW.id, 'through the view'); END;
         CREATE VIRTUAL TABLE f USING fts5(a); CREATE TABLE _prisma_migrations (id TEXT PRIMARY KEY, checksum TEXT);",
    );
    let before = world.content();
    let connection = world.connection();
    drop(connection);
    for table in ["v", "f", "f_data", "sqlite_master", "sqlite_sequence"] {
        world.backup("b.json", &[(table, json!([{"id": 1, "a": "x"}]))]);
        let error =
            world.analyze("b.json", None, "backup-wins", Options::default()).map(|(p, _)| listed(&p)).expect_err(table);
        assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "{table}: {error:?}");
        assert!(whole(&error).contains(table), "{table}: {}", whole(&error));
    }
    world.backup(
        "b.json",
        &[("t", json!([{"id": 1, "a": "x"}])), ("_prisma_migrations", json!([{"id": "m1", "checksum": "c"}]))],
    );
    let (_, preview) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!(preview.inserted, 1, "migration tables stay out by default");
    assert_eq!(world.content(), before);
}

/// A constraint may be declared to replace or skip what collides; a merge still never does either (fact 6, F51).
#[test]
fn f51_conflict_clauses_of_the_schema_have_no_say() {
    for clause in ["REPLACE", "IGNORE", "FAIL", "ROLLBACK"] {
        let world = World::new(&format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY ON CONFLICT {clause}, u TEXT UNIQUE ON CONFLICT {clause}, n TEXT NOT NULL ON CONFLICT {clause} DEFAULT 'd');
             CREATE UNIQUE INDEX i ON t (lower(u));
             INSERT INTO t VALUES (1, 'a', 'x'), (2, 'b', 'y');"
        ));
        // What the expression index holds equal is a conflict, whatever the schema says.
        world.backup("b.json", &[("t", json!([{"id": 3, "u": "A", "n": "z"}]))]);
        let before = world.content();
        let (mut plan, preview) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        assert_eq!(preview.undecided, 1, "{:?}", listed(&plan));
        world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("somebody has to decide");
        assert_eq!(world.content(), before);
        world.backup(
            "b.json",
            &[("t", json!([{"id": 1, "u": "b"}, {"id": 2, "u": "a"}, {"id": 4, "u": "d", "n": "q"}]))],
        );
        lawful(&world, "b.json", "backup-wins", Options::default());
        assert_eq!(world.value("SELECT group_concat(u || n) FROM (SELECT * FROM t ORDER BY id)"), "bx,ay,dq");
    }
}

#[test]
fn tables_of_every_shape_are_merged_and_taken_back() {
    let schema = "CREATE TABLE w (a TEXT, b INTEGER, c TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
         CREATE TABLE s (id TEXT PRIMARY KEY, i INTEGER, r REAL, b BLOB, x ANY) STRICT;
         CREATE TABLE n (k TEXT PRIMARY KEY COLLATE NOCASE, a TEXT);
         CREATE TABLE q (\"order\" INTEGER PRIMARY KEY, \"a\"\"b\" TEXT, \"c d\" TEXT, \"sélect\" TEXT);
         CREATE TABLE u (code TEXT NOT NULL UNIQUE, a TEXT);
         CREATE TABLE z (id, a);
         CREATE TABLE bk (k BLOB PRIMARY KEY, a TEXT);";
    let world = World::new(&format!(
        "{schema} INSERT INTO w VALUES ('k', 1, 'x'), ('k', 2, 'y'); INSERT INTO s VALUES ('a', 1, 1.5, x'00ff', 'any'), ('b', 2, NULL, NULL, 7);
         INSERT INTO n VALUES ('Abc', NULL); INSERT INTO q VALUES (1, 'x', 'y', 'z'); INSERT INTO u VALUES ('one', NULL);
         INSERT INTO z VALUES (1, 'a'), ('1', 'a'), (x'31', 'a'); INSERT INTO bk VALUES (x'01', 'a');"
    ));
    world.sqlite_backup(
        "b.db",
        &format!(
            "{schema} INSERT INTO w VALUES ('k', 1, 'X'), ('k', 3, 'z'); INSERT INTO s VALUES ('a', 9223372036854775807, -0.5, x'', 3), ('c', -9223372036854775808, 1e308, x'01', 'q');
             INSERT INTO n VALUES ('ABC', 'filled'); INSERT INTO q VALUES (1, 'X', NULL, 'Z'), (2, '\"', '''', ';'); INSERT INTO u VALUES ('one', 'x'), ('two', 'y');
             INSERT INTO z VALUES (1, 'a'), (2, 'b'); INSERT INTO bk VALUES (x'01', 'b'), (x'02', 'c');"
        ),
    );
    let before = world.content();
    let (mut plan, preview) = world.analyze("b.db", None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!((preview.undecided, preview.blocked), (0, 0), "{:?}", listed(&plan));
    let dry = world.merge(&mut plan, Ending::RollBack, OnBlocked::Refuse).expect("runs dry");
    let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!((dry.counts, merged.counts), (preview, preview));
    assert_eq!(world.value("SELECT k || a FROM n"), "Abcfilled");
    assert_eq!(world.value("SELECT group_concat(i) FROM s"), "9223372036854775807,2,-9223372036854775808");
    assert_eq!(world.value("SELECT count(*) FROM z"), "4");
    let undone = world.undo(&merged.merge).expect("undoes");
    assert_eq!(undone.counts.blocked, 0, "records without a key are found by all they hold");
    assert_eq!(world.content(), before);
}

#[test]
fn f112_text_that_is_not_utf8_and_zero_bytes_come_through() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB); INSERT INTO t VALUES (1, CAST(x'61ff' AS TEXT), x'ff'), (2, 'ok', NULL)",
    );
    world.sqlite_backup(
        "b.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB);
         INSERT INTO t VALUES (1, CAST(x'61ff' AS TEXT), x'ff'), (2, CAST(x'61fe62' AS TEXT), x'00'), (3, 'a' || char(0) || 'b', x'');",
    );
    lawful(&world, "b.db", "backup-wins", Options::default());
    assert_eq!(world.value("SELECT hex(a) FROM t WHERE id = 2"), "61FE62");
    assert_eq!(world.value("SELECT hex(a) || typeof(b) || length(b) FROM t WHERE id = 3"), "610062blob0");
}

#[test]
fn a_current_database_in_wal_mode_with_open_readers_works_and_stays_in_it() {
    let world = World::new(
        "PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, NULL)",
    );
    let reader = world.connection();
    let writer = world.connection();
    writer.execute_batch("INSERT INTO t VALUES (5, 'in the wal')").expect("writes");
    reader.execute_batch("BEGIN; SELECT * FROM t").expect("reads");
    world.backup("b.json", &[("t", json!([{"id": 1, "a": "x"}, {"id": 2, "a": "y"}, {"id": 5, "a": "in the wal"}]))]);
    let after = lawful(&world, "b.json", "backup-wins", Options::default());
    assert_eq!(after.len(), 3);
    assert_eq!(world.value("PRAGMA journal_mode"), "wal");
}

/// The foreign keys of the application's connections are off by default; the merge's are on, and no setting stays.
#[test]
fn lasting_settings_of_the_database_stay_as_they_are() {
    let world = World::new(
        "PRAGMA user_version = 42; PRAGMA application_id = 7; CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)",
    );
    world.backup("b.json", &[("t", json!([{"id": 1, "a": "x"}]))]);
    let schema = world.value("SELECT group_concat(name || sql) FROM sqlite_master");
    lawful(&world, "b.json", "backup-wins", Options::default());
    assert_eq!(world.value("SELECT group_concat(name || sql) FROM sqlite_master"), schema);
    assert_eq!((world.value("PRAGMA user_version"), world.value("PRAGMA application_id")), ("42".into(), "7".into()));
    assert_eq!(world.value("PRAGMA journal_mode"), "delete");
}

#[test]
fn f101_a_data_folder_that_others_can_read_is_refused() {
    let world = World::new("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let loose = world.path("loose");
    std::fs::create_dir(&loose).expect("makes");
    world.file("loose/something", "");
    std::fs::set_permissions(&loose, std::fs::Permissions::from_mode(0o755)).expect("sets");
    let error = Home::open(&loose).map(|_| ()).expect_err("refuses");
    assert!(whole(&error).contains("chmod 700"), "{}", whole(&error));
    let link = world.path("link");
    std::os::unix::fs::symlink(world.home.root(), &link).expect("links");
    assert!(whole(&Home::open(&link).map(|_| ()).expect_err("refuses")).contains("symbolic link"));
    let file = world.file("file", "");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("sets");
    assert!(Home::open(&file).is_err());
    // What is made in it is for its owner alone.
    world.backup("b.json", &[("t", json!([{"id": 1}]))]);
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    let mut open = vec![world.home.root().to_owned()];
    while let Some(path) = open.pop() {
        let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} {mode:o}", path.display());
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).expect("a folder").map(|e| e.expect("an entry").path()));
        }
    }
}

#[test]
fn f95_f96_what_people_did_since_survives_the_undo() {
    let world = World::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id) ON DELETE CASCADE);
         INSERT INTO p VALUES (1, 'x'), (2, 'y');",
    );
    world.backup(
        "b.json",
        &[("p", json!([{"id": 1, "a": "X"}, {"id": 2, "a": "Y"}, {"id": 3, "a": "new"}, {"id": 4, "a": "new"}]))],
    );
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    world.sql(
        "UPDATE p SET a = 'mine' WHERE id = 1; INSERT INTO c VALUES (1, 3); UPDATE p SET a = 'edited' WHERE id = 4",
    );
    let undone = world.undo(&merged.merge).expect("undoes");
    assert_eq!((undone.counts.updated, undone.counts.deleted, undone.counts.kept, undone.counts.blocked), (1, 0, 2, 1));
    assert_eq!(world.value("SELECT group_concat(a) FROM p"), "mine,y,new,edited");
    assert_eq!(world.value("SELECT count(*) FROM c"), "1");
}

#[test]
fn f63_timestamps_are_the_records_own_or_with_touch_the_moment_of_the_analysis() {
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, updated_at TEXT);
        CREATE TABLE n (id INTEGER PRIMARY KEY, a TEXT, updated_at INTEGER NOT NULL);
        INSERT INTO t VALUES (1, 'x', '2024-01-01T00:00:00Z'), (2, 'same', '2024-01-01T00:00:00Z');
        INSERT INTO n VALUES (1, 'x', 1704067200000), (2, 'y', 1704067200000);";
    let record = |id: u8, a: &str| json!({"id": id, "a": a, "updated_at": "2024-02-01T00:00:00Z"});
    let merged = |touch: Touch| {
        let world = World::new(sql);
        let t = json!([record(1, "new"), record(2, "same"), record(3, "more")]);
        world.backup("b.json", &[("t", t), ("n", json!([{"id": 1, "a": "new", "updated_at": 1706745600000u64}]))]);
        let before = world.content();
        let options = Options { touch, ..Options::default() };
        let (mut plan, _) = world.analyze("b.json", None, "backup-wins", options).expect("analyzes");
        let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
        let times =
            world.value("SELECT group_concat(id || ' ' || updated_at, ', ') FROM (SELECT * FROM t ORDER BY id)");
        let number = world.value("SELECT updated_at FROM n WHERE id = 1");
        world.undo(&merged.merge).expect("undoes");
        assert_eq!(world.content(), before);
        (times, number, plan.meta().created_at.clone())
    };
    // No hook of an application runs, so that nothing becomes newer than it is.
    let (times, number, _) = merged(Touch::Keep);
    assert_eq!(times, "1 2024-02-01T00:00:00Z, 2 2024-01-01T00:00:00Z, 3 2024-02-01T00:00:00Z");
    assert_eq!(number, "1706745600000");
    let (times, number, moment) = merged(Touch::Analysis);
    let moment = &moment[..19];
    assert_eq!(times, format!("1 {moment}Z, 2 2024-01-01T00:00:00Z, 3 {moment}Z"), "what is not written stays");
    let millis = chrono::DateTime::parse_from_rfc3339(&format!("{moment}Z")).expect("a moment").timestamp_millis();
    assert_eq!(number, millis.to_string());
}
