//! Identity, keys and references (CHECKS 5.3).

use super::{lawful, whole};
use crate::world::{World, listed};
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::executor::{Ending, OnBlocked};
use serde_json::{Value as Json, json};

fn classes(world: &World, options: Options) -> Vec<String> {
    listed(&world.analyze("b.json", None, "backup-wins", options).expect("analyzes").0)
}

#[test]
fn f37_f38_f39_what_the_backup_does_not_carry_stays() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT, c TEXT DEFAULT 'dflt');
         INSERT INTO t VALUES (1, 'a', 'b', 'c'), (2, 'a', 'b', 'c'), (3, 'only', 'in', 'current');",
    );
    // 1: b absent, a changed; 2: b explicitly null; 4: new without c and with an absent b.
    world.backup(
        "b.json",
        &[("t", json!([{"id": 1, "a": "A"}, {"id": 2, "a": "a", "b": null}, {"id": 4, "a": "new"}]))],
    );
    lawful(&world, "b.json", "backup-wins", Options::default());
    assert_eq!(
        world.value("SELECT group_concat(id || a || ifnull(b, '-') || c) FROM t"),
        "1Abc,2a-c,3onlyincurrent,4new-dflt"
    );
}

/// No statement of a merge sets off a cascade: updated parents keep their children (F40).
#[test]
fn f40_cascades_never_fire() {
    let world = World::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, a TEXT);
         CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id) ON DELETE CASCADE ON UPDATE CASCADE);
         INSERT INTO p VALUES (1, 'x'), (2, 'y'); INSERT INTO c VALUES (1, 1), (2, 2);",
    );
    world.backup("b.json", &[("p", json!([{"id": 1, "a": "z"}]))]);
    let options = Options { deletes: merganser::analyzer::classify::Deletes::Mirror, ..Options::default() };
    // p/2 is only in current and its child is not to go: it stays.
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", options).expect("analyzes");
    let _ = world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect("merges");
    assert_eq!(world.value("SELECT count(*) FROM c"), "2");
    assert_eq!(world.value("SELECT group_concat(a) FROM p"), "z,y");
}

#[test]
fn f41_the_same_key_twice_is_refused_or_folded() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE n (k TEXT PRIMARY KEY COLLATE NOCASE, a TEXT)",
    );
    for (table, records) in [
        ("t", json!([{"id": 1, "a": "x"}, {"id": 2, "a": "x"}, {"id": 1, "a": "y"}])),
        ("t", json!([{"id": 1, "a": "x"}, {"id": "1", "a": "y"}])),
        ("t", json!([{"id": 1, "a": "x"}, {"id": 1.0, "a": "y"}])),
        ("n", json!([{"k": "abc", "a": "x"}, {"k": "ABC", "a": "y"}])),
    ] {
        world.backup("b.json", &[(table, records.clone())]);
        let error = world.analyze("b.json", None, "backup-wins", Options::default()).map(|_| ()).expect_err("refuses");
        assert_eq!(error.kind(), ErrorKind::BackupDamaged, "{records}");
        let text = whole(&error);
        assert!(text.contains("record 1") && text.contains("record "), "{text}");
    }
    world.backup("b.json", &[("t", json!([{"id": 1, "a": "x"}, {"id": 1, "a": "x"}]))]);
    let (plan, preview) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("folds");
    assert_eq!(preview.inserted, 1);
    assert!(plan.meta().notes.iter().any(|n| n.contains('t')), "{:?}", plan.meta().notes);
}

#[test]
fn f42_keys_are_compared_by_the_current_type() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE s (k TEXT PRIMARY KEY, a TEXT);
         CREATE TABLE c (x INTEGER, y TEXT, a TEXT, PRIMARY KEY (x, y));
         INSERT INTO t VALUES (1, 'a'); INSERT INTO s VALUES ('1', 'a'), (NULL, 'n1'), (NULL, 'n2'); INSERT INTO c VALUES (1, 'p', 'a');",
    );
    world.backup(
        "b.json",
        &[
            ("t", json!([{"id": "1", "a": "a"}, {"id": null, "a": "b"}, {"a": "c"}])),
            ("s", json!([{"k": "1", "a": "a"}, {"k": null, "a": "n1"}])),
            ("c", json!([{"x": "1", "y": "p", "a": "a"}, {"x": 2, "a": "b"}, {"x": 2, "y": "q", "a": "b"}])),
        ],
    );
    let lines = classes(&world, Options::default());
    assert_eq!(lines.iter().filter(|l| l.contains("blocked key_missing")).count(), 4, "{lines:?}");
    assert!(lines.iter().any(|l| l.starts_with("c/2,q new")), "{lines:?}");
    assert_eq!(lines.len(), 5, "{lines:?}");
    let before = world.content();
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect("merges");
    assert_eq!(merged.counts.inserted, 1);
    world.undo(&merged.merge).expect("undoes");
    assert_eq!(world.content(), before);
}

#[test]
fn f43_a_table_without_a_key_is_a_multiset() {
    let world = World::new(
        "CREATE TABLE \"_PermissionToRole\" (\"A\" TEXT NOT NULL, \"B\" TEXT NOT NULL);
         INSERT INTO \"_PermissionToRole\" VALUES ('p1', 'r1'), ('p1', 'r1'), ('p2', 'r1');",
    );
    world.backup(
        "b.json",
        &[("_PermissionToRole", json!([{"A": "p1", "B": "r1"}, {"A": "p3", "B": "r1"}, {"A": "p3", "B": "r1"}]))],
    );
    let (mut plan, preview) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!((preview.inserted, plan.meta().counts().unchanged, plan.meta().counts().current_only), (2, 1, 2));
    world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!(world.value("SELECT count(*) FROM _PermissionToRole"), "5");
    let (_, again) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!(again.writes(), 0);
    // With a key named by the user it is a set like any other.
    let keyed =
        Options { keys: vec![("_PermissionToRole".into(), vec!["A".into(), "B".into()])], ..Options::default() };
    assert!(world.analyze("b.json", None, "backup-wins", keyed).is_err(), "the named key is not unique in current");
}

#[test]
fn f44_a_key_given_to_another_entity_is_a_conflict() {
    let world = World::new(
        "CREATE TABLE u (id INTEGER PRIMARY KEY, email TEXT, created_at TEXT, updated_at TEXT);
         INSERT INTO u VALUES (7, 'old@x', '2020-01-01T00:00:00Z', '2020-01-01T00:00:00Z');
         CREATE TABLE v (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, a TEXT, b TEXT, updated_at TEXT);
         INSERT INTO v VALUES (7, 'old@x', 'a', 'b', '2020-01-01T00:00:00Z');",
    );
    world.backup(
        "b.json",
        &[
            ("u", json!([{"id": 7, "email": "new@x", "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z"}])),
            ("v", json!([{"id": 7, "email": "new@x", "a": "x", "b": "y", "updated_at": "2024-01-01T00:00:00Z"}])),
        ],
    );
    assert_eq!(classes(&world, Options::default()), ["u/7 conflict reused_key", "v/7 conflict reused_key"]);
}

#[test]
fn f45_a_unique_value_held_by_another_record_is_a_conflict_that_shows_both() {
    let world = World::new(
        "CREATE TABLE s (id INTEGER PRIMARY KEY, category TEXT, key TEXT, value TEXT, UNIQUE (category, key));
         CREATE TABLE n (id INTEGER PRIMARY KEY, mail TEXT COLLATE NOCASE UNIQUE);
         CREATE TABLE c (id INTEGER PRIMARY KEY, s INTEGER REFERENCES s(id));
         INSERT INTO s VALUES (1, 'a', 'b', 'x'); INSERT INTO n VALUES (1, 'Me@X');",
    );
    world.backup(
        "b.json",
        &[
            ("s", json!([{"id": 2, "category": "a", "key": "b", "value": "y"}, {"id": 3, "category": "a", "key": null, "value": "y"}])),
            ("n", json!([{"id": 2, "mail": "me@x"}])),
            ("c", json!([{"id": 1, "s": 2}])),
        ],
    );
    let (plan, preview) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let lines = listed(&plan);
    assert!(lines.contains(&"s/2 conflict unique_taken".to_owned()), "{lines:?}");
    assert!(lines.contains(&"n/2 conflict unique_taken".to_owned()), "{lines:?}");
    assert!(lines.contains(&"s/3 new only_in_backup".to_owned()), "{lines:?}");
    assert_eq!(preview.undecided, 2);
    let holders = &plan.record("s/2").expect("is there").finding.limits.holders;
    assert_eq!(holders.len(), 1);
}

/// All permutations of `0..n`.
fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(n - 1);
    shorter.iter().flat_map(|p| (0..n).map(move |at| [&p[..at], &[n - 1], &p[at..]].concat())).collect()
}

#[test]
fn f46_unique_values_may_change_places_in_any_way() {
    let columns = [
        "u TEXT UNIQUE",
        "u TEXT NOT NULL UNIQUE",
        "u INTEGER NOT NULL UNIQUE",
        "u TEXT NOT NULL, w INTEGER NOT NULL DEFAULT 5, UNIQUE (u, w)",
        "u BLOB NOT NULL UNIQUE",
    ];
    for n in 2..=4usize {
        for columns in columns.iter().take(if n == 4 { 2 } else { 5 }) {
            for permutation in permutations(n) {
                let number = columns.contains("INTEGER NOT NULL UNIQUE");
                let blob = columns.contains("BLOB");
                let value = |i: usize| if number { json!(i) } else { json!(format!("v{i}")) };
                let sql = |i: usize| {
                    if number {
                        i.to_string()
                    } else if blob {
                        format!("CAST('v{i}' AS BLOB)")
                    } else {
                        format!("'v{i}'")
                    }
                };
                let rows: Vec<String> =
                    (0..n).map(|i| format!("INSERT INTO t (id, u) VALUES ({i}, {});", sql(i))).collect();
                let world =
                    World::new(&format!("CREATE TABLE t (id INTEGER PRIMARY KEY, {columns}); {}", rows.join("")));
                let mut records: Vec<Json> =
                    permutation.iter().enumerate().map(|(i, &p)| json!({"id": i, "u": value(p)})).collect();
                if blob {
                    let moved: Vec<String> = permutation
                        .iter()
                        .enumerate()
                        .map(|(i, &p)| format!("INSERT INTO t VALUES ({i}, {});", sql(p)))
                        .collect();
                    world.sqlite_backup(
                        "b.json",
                        &format!("CREATE TABLE t (id INTEGER PRIMARY KEY, u BLOB NOT NULL); {}", moved.join("")),
                    );
                } else {
                    records.reverse();
                    world.backup("b.json", &[("t", Json::Array(records))]);
                }
                lawful(&world, "b.json", "backup-wins", Options::default());
                let now = world.value("SELECT group_concat(CAST(u AS TEXT)) FROM (SELECT u FROM t ORDER BY id)");
                let meant: Vec<String> =
                    permutation.iter().map(|p| if number { p.to_string() } else { format!("v{p}") }).collect();
                assert_eq!(now, meant.join(","), "{columns} {permutation:?}");
            }
        }
    }
}

/// A chain that ends in a new record: 1 gives its value to 2 (new), and takes another.
#[test]
fn f46_a_value_handed_on_to_a_new_record() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT NOT NULL UNIQUE); INSERT INTO t VALUES (1, 'a'), (3, 'c')",
    );
    world.backup("b.json", &[("t", json!([{"id": 2, "u": "a"}, {"id": 1, "u": "c"}, {"id": 3, "u": "d"}]))]);
    lawful(&world, "b.json", "backup-wins", Options::default());
    assert_eq!(world.value("SELECT group_concat(u) FROM (SELECT u FROM t ORDER BY id)"), "c,a,d");
}

#[test]
fn f46_a_check_that_forbids_parking_refuses_and_explains() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT NOT NULL UNIQUE CHECK (u IN ('a', 'b')));
         INSERT INTO t VALUES (1, 'a'), (2, 'b');",
    );
    world.backup("b.json", &[("t", json!([{"id": 1, "u": "b"}, {"id": 2, "u": "a"}]))]);
    let before = world.content();
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("refuses");
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    let text = whole(&error);
    assert!(text.contains("swap") && text.contains('u'), "{text}");
    assert_eq!(world.content(), before);
}

#[test]
fn f47_partial_and_expression_indexes_are_caught() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT, live INTEGER); CREATE UNIQUE INDEX i ON t (u) WHERE live = 1;
         CREATE TABLE e (id INTEGER PRIMARY KEY, m TEXT); CREATE UNIQUE INDEX j ON e (lower(m));
         INSERT INTO t VALUES (1, 'a', 1); INSERT INTO e VALUES (1, 'A');",
    );
    let before = world.content();
    for (table, record, index) in
        [("t", json!({"id": 2, "u": "a", "live": 1}), "t.u"), ("e", json!({"id": 2, "m": "a"}), "j")]
    {
        world.backup("b.json", &[(table, json!([record]))]);
        let (mut plan, preview) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
        if preview.undecided + preview.blocked == 0 {
            let error = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect_err("refuses");
            assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
            assert!(whole(&error).contains(index), "{}", whole(&error));
        }
        assert_eq!(world.content(), before);
    }
    world.backup("b.json", &[("t", json!([{"id": 2, "u": "a", "live": 0}]))]);
    lawful(&world, "b.json", "backup-wins", Options::default());
}

#[test]
fn f49_f50_chains_diamonds_self_references_and_cycles() {
    let world = World::new(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, d INTEGER REFERENCES d(id));
         CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER NOT NULL REFERENCES a(id));
         CREATE TABLE c (id INTEGER PRIMARY KEY, a INTEGER NOT NULL REFERENCES a(id), boss INTEGER REFERENCES c(id));
         CREATE TABLE d (id INTEGER PRIMARY KEY, b INTEGER NOT NULL REFERENCES b(id), c INTEGER NOT NULL REFERENCES c(id));",
    );
    world.backup(
        "b.json",
        &[
            ("d", json!([{"id": 1, "b": 1, "c": 2}])),
            ("c", json!([{"id": 1, "a": 1, "boss": 2}, {"id": 2, "a": 1, "boss": 3}, {"id": 3, "a": 1, "boss": 1}])),
            ("b", json!([{"id": 1, "a": 1}])),
            ("a", json!([{"id": 1, "d": 1}])),
        ],
    );
    let after = lawful(&world, "b.json", "backup-wins", Options::default());
    assert_eq!(after.len(), 6, "{after:?}");
}

/// Two hundred tables in a chain: the order follows the references, not the names or the file (F49).
#[test]
fn f49_a_chain_of_many_tables() {
    let n = 60;
    let sql: Vec<String> = (0..n)
        .map(|i| match i {
            0 => "CREATE TABLE t0 (id INTEGER PRIMARY KEY);".to_owned(),
            _ => format!("CREATE TABLE t{i} (id INTEGER PRIMARY KEY REFERENCES t{}(id));", i - 1),
        })
        .collect();
    let world = World::new(&sql.join(""));
    let names: Vec<String> = (0..n).rev().map(|i| format!("t{i}")).collect();
    let tables: Vec<(&str, Json)> = names.iter().map(|n| (n.as_str(), json!([{"id": 1}]))).collect();
    world.backup("b.json", &tables);
    lawful(&world, "b.json", "backup-wins", Options::default());
}

#[test]
fn f52_orphans_that_are_there_already_are_left_alone() {
    let world = World::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id), a TEXT);
         INSERT INTO p VALUES (1);",
    );
    world.sql("PRAGMA foreign_keys = OFF; INSERT INTO c VALUES (1, 99, 'orphan'), (2, 1, NULL)");
    world.backup("b.json", &[("c", json!([{"id": 2, "p": 1, "a": "x"}, {"id": 3, "p": 1, "a": "y"}]))]);
    lawful(&world, "b.json", "backup-wins", Options::default());
    assert_eq!(world.value("SELECT count(*) FROM c"), "3");
    // A new orphan is never added, nor an old one touched without need.
    world.backup("c.json", &[("c", json!([{"id": 4, "p": 98, "a": "x"}, {"id": 1, "p": 99, "a": "orphan"}]))]);
    let (plan, _) = world.analyze("c.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert_eq!(listed(&plan), ["c/4 blocked missing_parent"]);
}

#[test]
fn f55_parents_that_a_filter_leaves_out_are_pulled_in_or_block() {
    use merganser::analyzer::options::Parents;
    let world = World::new(
        "CREATE TABLE g (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE p (id INTEGER PRIMARY KEY, g INTEGER REFERENCES g(id));
         CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id));",
    );
    world.backup(
        "b.json",
        &[
            ("g", json!([{"id": 1, "name": "needed"}, {"id": 2, "name": "not"}])),
            ("p", json!([{"id": 1, "g": 1}, {"id": 2, "g": 2}])),
            ("c", json!([{"id": 1, "p": 1}])),
        ],
    );
    let only = |parents| Options { only_tables: vec!["c".into()], parents, ..Options::default() };
    let lines = classes(&world, only(Parents::Auto));
    assert!(
        ["c/1 new only_in_backup", "p/1 new only_in_backup", "g/1 new only_in_backup"]
            .iter()
            .all(|l| lines.contains(&(*l).to_owned())),
        "{lines:?}"
    );
    let lines = classes(&world, only(Parents::Require));
    assert!(lines.contains(&"c/1 blocked missing_parent".to_owned()), "{lines:?}");
    lawful(&world, "b.json", "backup-wins", only(Parents::Auto));
    assert_eq!(
        world.value("SELECT (SELECT count(*) FROM g) || (SELECT count(*) FROM p) || (SELECT count(*) FROM c)"),
        "111"
    );
}
