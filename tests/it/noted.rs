//! What an analysis says of columns and tables that one side lacks is true.

use crate::world::World;
use merganser::analyzer::Options;
use serde_json::json;

const CURRENT: &str = "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT, w TEXT);
     CREATE TABLE b (id INTEGER PRIMARY KEY, v TEXT);
     INSERT INTO a VALUES (1, 'x', 'y'); INSERT INTO b VALUES (1, 'x');";

#[test]
fn f74_a_table_without_records_says_nothing_about_its_columns() {
    let some = json!([{"id": 1, "v": "x", "w": "y"}]);
    for (base, of_backup) in [(some.clone(), json!([])), (json!([]), some)] {
        let world = World::new(CURRENT);
        world.backup("o.json", &[("a", base)]);
        world.backup("b.json", &[("a", of_backup)]);
        let (plan, _) = world.analyze("b.json", Some("o.json"), "backup-wins", Options::default()).expect("analyzes");
        let notes = &plan.meta().notes;
        assert!(!notes.iter().any(|n| n.contains("the base has")), "{notes:?}");
        assert_eq!(plan.meta().not_carried, [""; 0]);
    }
}

#[test]
fn f74_columns_that_differ_are_noted_where_records_show_them() {
    let world = World::new(CURRENT);
    world.backup("o.json", &[("a", json!([{"id": 1, "w": "y"}]))]);
    world.backup("b.json", &[("a", json!([{"id": 1, "v": "x"}]))]);
    let (plan, _) = world.analyze("b.json", Some("o.json"), "backup-wins", Options::default()).expect("analyzes");
    let notes = plan.meta().notes.join("\n");
    assert!(
        notes.contains("a: the base has no v") && notes.contains("a: the base has w, the backup does not"),
        "{notes}"
    );
    assert_eq!(plan.meta().not_carried, ["a.w"]);
}

#[test]
fn f74_a_column_that_is_left_out_on_request_is_noted_as_that() {
    let world = World::new(CURRENT);
    world.backup("b.json", &[("a", json!([{"id": 1, "v": "x", "w": "z"}]))]);
    let options = Options { skip_columns: vec!["a.w".to_owned()], ..Options::default() };
    let (plan, _) = world.analyze("b.json", None, "backup-wins", options).expect("analyzes");
    assert_eq!(plan.meta().not_carried, [""; 0], "the backup has it");
    assert!(plan.meta().notes.contains(&"left out on request: a.w".to_owned()), "{:?}", plan.meta().notes);
}

#[test]
fn f74_a_table_that_the_base_lacks_is_noted() {
    let world = World::new(CURRENT);
    world.backup("o.json", &[("a", json!([{"id": 1, "v": "x", "w": "y"}]))]);
    world.backup("b.json", &[("a", json!([{"id": 1, "v": "x", "w": "z"}])), ("b", json!([{"id": 1, "v": "z"}]))]);
    let (plan, _) = world.analyze("b.json", Some("o.json"), "backup-wins", Options::default()).expect("analyzes");
    let about: Vec<&String> = plan.meta().notes.iter().filter(|n| n.contains("the base does not have it")).collect();
    assert_eq!(about, ["b: the base does not have it; it is compared two-way"]);
}

#[test]
fn f47_a_unique_constraint_over_a_computed_column_is_named_by_that_column() {
    let world = World::new(
        "CREATE TABLE g (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, n TEXT,
             s INTEGER GENERATED ALWAYS AS (a + b) STORED UNIQUE);
         INSERT INTO g (id, a, b, n) VALUES (1, 1, 2, 'x');",
    );
    world.backup("b.json", &[("g", json!([{"id": 2, "a": 3, "b": 0, "n": "y"}]))]);
    let (plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let record = plan.record("g/2").expect("is there");
    assert_eq!(record.finding.note.as_deref(), Some("s = 3 (unique in g) is held by g/1"));
}
