//! Filters, deletions, and decisions that travel in files.

use super::{lawful, whole};
use crate::world::{World, listed};
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::analyzer::classify::Deletes;
use merganser::executor::{Ending, OnBlocked};
use merganser::plan::{Plan, decision};
use serde_json::json;

const BASE: &str = "CREATE TABLE p (id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER NOT NULL REFERENCES p(id) ON DELETE CASCADE);
     INSERT INTO p VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'); INSERT INTO c VALUES (1, 1), (2, 2), (3, 3);";

#[test]
fn deletes_apply_follows_the_base_and_looks_at_children_first() {
    let world = World::new(BASE);
    world.sqlite_backup("base.db", BASE);
    // The backup deleted p/2 with c/2, p/3 without c/3 (there), and p/4; current changed p/4 and gave p/2 another child.
    world.sqlite_backup(
        "b.db",
        &format!(
            "{BASE} PRAGMA foreign_keys = OFF; DELETE FROM c WHERE id IN (2, 3); DELETE FROM p WHERE id IN (2, 3, 4);"
        ),
    );
    world.sql("UPDATE p SET a = 'D' WHERE id = 4; INSERT INTO c VALUES (9, 2)");
    let before = world.content();
    let options = |deletes| Options { deletes, ..Options::default() };
    let (plan, preview) =
        world.analyze("b.db", Some("base.db"), "backup-wins", options(Deletes::Keep)).expect("analyzes");
    assert_eq!(preview.writes(), 0, "{:?}", listed(&plan));
    let (mut plan, preview) =
        world.analyze("b.db", Some("base.db"), "backup-wins", options(Deletes::Apply)).expect("analyzes");
    let lines = listed(&plan);
    assert!(lines.contains(&"p/3 current_only deleted_in_backup".to_owned()), "{lines:?}");
    assert!(lines.contains(&"p/4 conflict deleted_in_backup".to_owned()), "{lines:?}");
    assert!(lines.iter().any(|l| l.starts_with("p/2 ") && l.contains("still_referenced")), "{lines:?}");
    let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect("merges");
    assert_eq!(merged.counts.deleted, preview.deleted);
    // c/9 lives, though its parent's deletion would have cascaded to it.
    assert_eq!(world.value("SELECT group_concat(id) FROM c"), "1,9");
    assert_eq!(world.value("SELECT group_concat(id) FROM p"), "1,2");
    world.undo(&merged.merge).expect("undoes");
    assert_eq!(world.content(), before);
}

#[test]
fn deletes_mirror_only_touches_tables_that_are_carried_whole() {
    let world = World::new(BASE);
    world.sql("CREATE TABLE other (id INTEGER PRIMARY KEY); INSERT INTO other VALUES (1)");
    world.backup(
        "b.json",
        &[("c", json!([{"id": 1, "p": 1}])), ("p", json!([{"id": 1, "a": "a"}, {"id": 5, "a": "e"}]))],
    );
    let mirror = Options { deletes: Deletes::Mirror, ..Options::default() };
    lawful(&world, "b.json", "backup-wins", mirror);
    assert_eq!(world.value("SELECT group_concat(id) FROM p"), "1,5");
    assert_eq!(world.value("SELECT count(*) FROM other"), "1");
    // A filter makes the backup's table less than whole: nothing is deleted by it.
    let world = World::new(BASE);
    world.backup("b.json", &[("c", json!([{"id": 1, "p": 1}])), ("p", json!([{"id": 1, "a": "a"}]))]);
    let filtered = Options {
        deletes: Deletes::Mirror,
        conditions: vec!["p: id = 1".into()],
        only_tables: vec!["p".into()],
        ..Options::default()
    };
    let (_, preview) = world.analyze("b.json", None, "backup-wins", filtered).expect("analyzes");
    assert_eq!(preview.deleted, 0, "a filtered table was mirrored");
}

#[test]
fn filters_choose_tables_columns_and_records() {
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT, n INTEGER); CREATE TABLE u (id INTEGER PRIMARY KEY, a TEXT);
         INSERT INTO t VALUES (1, 'a', 'b', 1), (2, 'a', 'b', 2);";
    let backup = |world: &World| {
        world.backup(
            "b.json",
            &[("t", json!([{"id": 1, "a": "A", "b": "B", "n": 1}, {"id": 2, "a": "A", "b": "B", "n": 2}, {"id": 3, "a": "A", "b": "B", "n": 3}])), ("u", json!([{"id": 1, "a": "x"}]))],
        );
    };
    let list = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    let cases = [
        (Options { only_tables: list(&["u"]), ..Options::default() }, "1ab,2ab/1"),
        (Options { skip_tables: list(&["u"]), ..Options::default() }, "1AB,2AB,3AB/0"),
        (Options { only_columns: list(&["t.a"]), only_tables: list(&["t"]), ..Options::default() }, "1Ab,2Ab,3A-/0"),
        (Options { skip_columns: list(&["b"]), ..Options::default() }, "1Ab,2Ab,3A-/1"),
        (Options { conditions: list(&["t: n >= 2 and n != 3"]), ..Options::default() }, "1ab,2AB/1"),
        (Options { conditions: list(&["t: id in (1, 3)", "u: id = 7"]), ..Options::default() }, "1AB,2ab,3AB/0"),
    ];
    for (options, meant) in cases {
        let world = World::new(sql);
        backup(&world);
        lawful(&world, "b.json", "backup-wins", options.clone());
        let now = world.value("SELECT (SELECT group_concat(id || ifnull(a, '-') || ifnull(b, '-')) FROM t) || '/' || (SELECT count(*) FROM u)");
        assert_eq!(now, meant, "{options:?}");
    }
    let world = World::new(sql);
    backup(&world);
    for (options, named) in [
        (Options { only_tables: list(&["nosuch"]), ..Options::default() }, "nosuch"),
        (Options { conditions: list(&["t: nosuch = 1"]), ..Options::default() }, "nosuch"),
        (Options { conditions: list(&["t: a ="]), ..Options::default() }, "a ="),
        (Options { conditions: list(&["t: a = 'x' or 1 = 1"]), ..Options::default() }, "or"),
        (Options { conditions: list(&["t: a = 'x'; DROP TABLE t"]), ..Options::default() }, ";"),
    ] {
        let error = world.analyze("b.json", None, "backup-wins", options.clone()).map(|_| ()).expect_err("refuses");
        assert!(matches!(error.kind(), ErrorKind::Usage | ErrorKind::SchemaMismatch), "{options:?}: {error:?}");
        assert!(whole(&error).contains(named), "{options:?}: {}", whole(&error));
    }
}

fn manual() -> (World, Plan) {
    let world = World::new(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, phone TEXT, age INTEGER);
         INSERT INTO users VALUES (41, 'Ada', '1', 30), (42, 'Bob', '2', 31), (43, 'Cy', '3', 32), (44, 'Di', '4', 33);",
    );
    let rows: Vec<_> =
        (41..45).map(|id| json!({"id": id, "name": format!("N{id}"), "phone": null, "age": id})).collect();
    world.backup("b.json", &[("User", json!(rows))]);
    let (plan, preview) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    assert_eq!(preview.undecided, 4);
    (world, plan)
}

const DECIDED: &str = "41Ada130,42N42-42,43Custom-43,44N4433";

#[test]
fn decisions_in_accoregs_form_are_taken() {
    let (world, mut plan) = manual();
    let text = json!({
        "User_41": {"action": "skip"}, "User_42": {"action": "use_backup"},
        "User_43": {"action": "use_custom", "customData": {"id": 43, "name": "Custom"}},
        "User_44": {"action": "use_custom", "customData": {"phone": "4", "age": 33}},
    });
    let entries = decision::from_json(&text.to_string(), &|name| plan.table(name).is_ok()).expect("reads");
    let (taken, left) = plan.import(entries, "test").expect("imports");
    assert_eq!((taken, left), (4, Vec::new()));
    decided(&world, &mut plan, DECIDED.replace("44N4433", "44N44433").as_str());
}

fn decided(world: &World, plan: &mut Plan, meant: &str) {
    plan.update_meta(&world.home.key().expect("a key"), |_| {}).expect("seals");
    let before = world.content();
    let dry = world.merge(plan, Ending::RollBack, OnBlocked::Refuse).expect("runs dry");
    let merged = world.merge(plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!(dry.counts, merged.counts);
    assert_eq!(merged.counts.skipped, 1);
    assert_eq!(world.value("SELECT group_concat(id || name || ifnull(phone, '-') || age) FROM users"), meant);
    world.undo(&merged.merge).expect("undoes");
    assert_eq!(world.content(), before);
}

#[test]
fn decisions_are_exported_and_replayed_elsewhere() {
    let (world, mut plan) = manual();
    let ours = json!({"schema": "merganser.decisions/1", "decisions": [
        {"table": "users", "key": "41", "action": "skip"}, {"table": "User", "key": "42", "action": "backup"},
        {"table": "users", "key": "43", "action": "fields", "fields": {"name": {"value": "Custom"}, "phone": "backup", "age": "backup"}},
        {"table": "users", "key": "44", "action": "fields", "fields": {"name": "backup", "phone": "current", "age": "current"}}]});
    let entries = decision::from_json(&ours.to_string(), &|_| true).expect("reads");
    assert_eq!(plan.import(entries, "test").expect("imports").0, 4);
    let exported = decision::to_json(plan.decisions().expect("lists"));
    // The same question elsewhere: every answer is taken.
    let (staging, mut second) = manual();
    let entries = decision::from_json(&exported, &|_| true).expect("reads");
    let (taken, left) = second.import(entries.clone(), "test").expect("imports");
    assert_eq!((taken, left), (4, Vec::new()));
    decided(&staging, &mut second, "41Ada130,42N42-42,43Custom-43,44N44433");
    // Another question: the answer does not fit and is left, with the reason.
    staging.sql("UPDATE users SET name = 'Changed' WHERE id = 42; DELETE FROM users WHERE id = 41");
    let (mut third, _) = staging.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    let (taken, left) = third.import(entries, "test").expect("imports");
    assert_eq!(taken, 2, "{left:?}");
    assert!(left.iter().any(|l| l.contains("users/42") && l.contains("different")), "{left:?}");
    drop((world, plan));
}

#[test]
fn decisions_that_do_not_fit_are_refused() {
    let (_world, mut plan) = manual();
    for (text, named) in [
        ("nonsense", "not JSON"),
        ("[]", "neither"),
        (r#"{"User_41":{"action":"explode"}}"#, "explode"),
        (r#"{"Nobody_41":{"action":"skip"}}"#, "Nobody_41"),
        (r#"{"schema":"merganser.decisions/9","decisions":[]}"#, "decisions/9"),
        (r#"{"User_41":{"action":"use_custom","customData":{"nosuch":1}}}"#, "nosuch"),
        (r#"{"User_41":{"action":"use_custom","customData":{"age":"old"}}}"#, "age"),
    ] {
        let outcome = decision::from_json(text, &|name| plan.table(name).is_ok()).and_then(|e| plan.import(e, "test"));
        let error = outcome.expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Usage, "{text}");
        assert!(whole(&error).contains(named), "{text}: {}", whole(&error));
    }
    assert!(plan.decisions().expect("lists").is_empty(), "a refused file decided something");
}
