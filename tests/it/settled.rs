//! What becomes of single records: which fields are written, and which records are not.

use crate::world::World;
use merganser::analyzer::Options;
use merganser::plan::decision::{Decision, FieldDecision};
use merganser::plan::settle::{Strategies, settle};
use merganser::plan::{Outcome, Plan};
use merganser::progress::Quiet;
use serde_json::{Value as Json, json};

/// Decides a record, and returns what becomes of it: the outcome and what is written, by column.
fn decided(plan: &mut Plan, name: &str, decision: Option<Decision>) -> (Outcome, Vec<String>) {
    let record = plan.record(name).expect("is in the plan");
    plan.decide(&record, decision, "admin", "now").expect("is a possible answer");
    plan.settle(&Quiet).expect("settles");
    written(plan, name)
}

fn written(plan: &Plan, name: &str) -> (Outcome, Vec<String>) {
    let record = plan.record(name).expect("is in the plan");
    let table = &plan.meta().schema.tables[record.finding.table];
    let writes = settle(plan, &Strategies::of(plan).expect("parses"), &record).expect("settles").writes;
    let text = |(c, v): &(usize, merganser::model::Value)| format!("{}={v}", table.columns[*c].name);
    (record.outcome.expect("is settled"), writes.iter().map(text).collect())
}

fn fields(answers: &[(&str, FieldDecision)]) -> Option<Decision> {
    Some(Decision::Fields {
        fields: answers.iter().map(|(name, answer)| ((*name).to_owned(), answer.clone())).collect(),
    })
}

fn plan(world: &World, table: &str, records: Json, strategy: &str) -> Plan {
    world.backup("b.json", &[(table, records)]);
    world.analyze("b.json", None, strategy, Options::default()).expect("analyzes").0
}

#[test]
fn a_record_that_a_person_makes_of_both_sides_keeps_the_later_timestamp() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT, updated_at TEXT);
         INSERT INTO t VALUES (1, 'a', 'b', '2025-01-01T00:00:00Z'), (2, 'a', 'b', '2025-01-01T00:00:00Z'),
                              (3, 'a', 'b', '2025-01-01T00:00:00Z');",
    );
    let record = |id: i64, at: &str| json!({"id": id, "a": "A", "b": "B", "updated_at": at});
    let records = json!([
        record(1, "2026-01-01T00:00:00Z"),
        record(2, "2024-01-01T00:00:00Z"),
        record(3, "2026-01-01T00:00:00Z")
    ]);
    let mut plan = plan(&world, "t", records, "manual");
    let from_backup = || fields(&[("a", FieldDecision::Backup)]);
    // The backup's is later: it comes along. Current's is later: it stays.
    assert_eq!(
        decided(&mut plan, "t/1", from_backup()),
        (Outcome::Updated, vec!["a=A".into(), "updated_at=2026-01-01T00:00:00Z".into()])
    );
    assert_eq!(decided(&mut plan, "t/2", from_backup()), (Outcome::Updated, vec!["a=A".into()]));
    // Somebody said which timestamp it is to have.
    let own =
        fields(&[("b", FieldDecision::Backup), ("updated_at", FieldDecision::Value(json!("2020-01-01T00:00:00Z")))]);
    assert_eq!(
        decided(&mut plan, "t/3", own),
        (Outcome::Updated, vec!["b=B".into(), "updated_at=2020-01-01T00:00:00Z".into()])
    );
    // Nothing is made of both where all of current stays.
    let none = fields(&[("a", FieldDecision::Current)]);
    assert_eq!(decided(&mut plan, "t/1", none), (Outcome::Kept, vec![]));
}

#[test]
fn f44_of_two_entities_under_one_key_only_what_differs_is_written() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, city TEXT, born TEXT, created_at TEXT);
         INSERT INTO t VALUES (1, 'ada@x', 'Ulm', NULL, '2025-01-01T00:00:00Z');",
    );
    let records =
        json!([{"id": 1, "email": "bob@x", "city": "Ulm", "born": "1990", "created_at": "2024-01-01T00:00:00Z"}]);
    let mut plan = plan(&world, "t", records, "manual");
    let record = plan.record("t/1").expect("is in the plan");
    assert_eq!(record.finding.reason, merganser::model::change::Reason::ReusedKey);
    assert!(record.finding.fields.iter().any(|f| f.current == f.backup), "what is alike is shown");
    let (outcome, mut writes) = decided(&mut plan, "t/1", Some(Decision::Backup));
    writes.sort();
    assert_eq!(
        (outcome, writes),
        (Outcome::Updated, vec!["born=1990".into(), "created_at=2024-01-01T00:00:00Z".into(), "email=bob@x".into()])
    );
}

#[test]
fn f65_a_backup_that_a_check_refuses_is_blocked_as_a_whole_and_not_in_part() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, low INT, high INT, note TEXT, CHECK (low <= high));
         INSERT INTO t VALUES (1, 1, 9, 'n'), (2, 1, 9, 'n');",
    );
    let records = json!([{"id": 1, "low": 8, "high": 2, "note": "N"}, {"id": 2, "low": 2, "high": 8, "note": "N"}]);
    let mut plan = plan(&world, "t", records, "manual");
    let whole = plan.record("t/1").expect("is in the plan");
    let error = plan.decide(&whole, Some(Decision::Backup), "admin", "now").expect_err("it would be refused");
    assert!(error.full_message().contains("low <= high"), "{}", error.full_message());
    // Each of its values by itself is possible beside current's.
    for (field, value) in [("low", "low=8"), ("high", "high=2"), ("note", "note=N")] {
        let one = fields(&[(field, FieldDecision::Backup)]);
        assert_eq!(decided(&mut plan, "t/1", one), (Outcome::Updated, vec![value.into()]));
    }
    let (outcome, writes) = decided(&mut plan, "t/2", Some(Decision::Backup));
    assert_eq!((outcome, writes.len()), (Outcome::Updated, 3));
    // Under a strategy that takes it, it is blocked, and says why.
    let plan = self::plan(
        &world,
        "t",
        json!([{"id": 1, "low": 8, "high": 2, "note": "N"}, {"id": 2, "low": 2, "high": 8, "note": "N"}]),
        "backup-wins",
    );
    assert_eq!(written(&plan, "t/1").0, Outcome::Blocked);
    assert!(plan.record("t/1").expect("is there").why.is_some_and(|why| why.contains("low <= high")));
    assert_eq!(written(&plan, "t/2").0, Outcome::Updated);
}

#[test]
fn a_typed_value_has_to_be_of_the_columns_type() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, age INTEGER, name TEXT);
         INSERT INTO t VALUES (1, 30, 'c');",
    );
    let typed = || fields(&[("age", FieldDecision::Value(json!("about 31")))]);
    let mut strict = plan(&world, "t", json!([{"id": 1, "age": 31, "name": "b"}]), "manual");
    let record = strict.record("t/1").expect("is in the plan");
    let error = strict.decide(&record, typed(), "admin", "now").expect_err("a number is needed");
    assert!(error.full_message().contains("age"), "{}", error.full_message());
}

#[test]
fn f54_a_parent_that_is_pulled_in_has_to_pass_what_every_record_has_to_pass() {
    let world = World::new(
        "CREATE TABLE u (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, age INT CHECK (age >= 0));
         CREATE TABLE o (id INTEGER PRIMARY KEY, u_id INT NOT NULL REFERENCES u (id));
         INSERT INTO u VALUES (1, 'held@x', 1);",
    );
    world.backup(
        "b.json",
        &[
            ("u", json!([{"id": 2, "email": "held@x", "age": 1}, {"id": 3, "email": "c@x", "age": -1}, {"id": 4, "email": "d@x", "age": 1}])),
            ("o", json!([{"id": 2, "u_id": 2}, {"id": 3, "u_id": 3}, {"id": 4, "u_id": 4}])),
        ],
    );
    let options = Options { only_tables: vec!["o".to_owned()], ..Options::default() };
    let (plan, preview) = world.analyze("b.json", None, "backup-wins", options).expect("analyzes");
    let outcome = |name: &str| plan.record(name).expect("is in the plan").outcome;
    // One's e-mail is held, one's age is refused; what refers to them stays away as well.
    assert_eq!((outcome("u/4"), outcome("o/4")), (Some(Outcome::Inserted), Some(Outcome::Inserted)));
    assert_eq!((outcome("u/3"), outcome("o/3")), (Some(Outcome::Blocked), Some(Outcome::Blocked)));
    assert_eq!(plan.record("u/2").expect("is there").finding.reason, merganser::model::change::Reason::UniqueTaken);
    assert!(outcome("o/2") != Some(Outcome::Inserted), "{preview:?}");
}

#[test]
fn f47_who_holds_an_expressions_value_may_change_and_hold_it_still() {
    let world = World::new(
        "CREATE TABLE u (id INTEGER PRIMARY KEY, email TEXT NOT NULL);
         CREATE UNIQUE INDEX by_email ON u (lower(email));
         INSERT INTO u VALUES (1, 'ADA@x'), (2, 'bob@x');",
    );
    // One changes its spelling only, so that its e-mail is not free; two gives its own up.
    let records = json!([{"id": 1, "email": "Ada@X"}, {"id": 2, "email": "rob@x"}, {"id": 3, "email": "ada@x"}, {"id": 4, "email": "BOB@x"}]);
    let plan = plan(&world, "u", records, "backup-wins");
    let three = plan.record("u/3").expect("is in the plan");
    assert_eq!(three.finding.reason, merganser::model::change::Reason::UniqueTaken);
    assert!(three.finding.note.is_some_and(|note| note.contains("is held by u/1")));
    assert_eq!(written(&plan, "u/1").0, Outcome::Updated);
    assert_eq!(written(&plan, "u/4").0, Outcome::Inserted);
}

#[test]
fn f57_a_deletion_that_is_a_conflict_shows_all_that_would_go() {
    let world = World::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT, updated_at TEXT);
         CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INT REFERENCES p (id));
         INSERT INTO p VALUES (1, 'n', '2025-01-01T00:00:00Z'); INSERT INTO c VALUES (7, 1);",
    );
    world.backup("b.json", &[("p", json!([]))]);
    let options = Options { deletes: merganser::analyzer::classify::Deletes::Mirror, ..Options::default() };
    let (plan, _) = world.analyze("b.json", None, "backup-wins", options).expect("analyzes");
    let record = plan.record("p/1").expect("is in the plan");
    assert_eq!(record.finding.reason, merganser::model::change::Reason::StillReferenced);
    assert_eq!(record.finding.note.as_deref(), Some("records refer to it that would stay: 1 of c"));
    let shown = |timestamp: bool| record.finding.fields.iter().filter(move |f| f.is_timestamp == timestamp);
    assert!(shown(false).count() > 0 && shown(false).all(|f| f.in_conflict));
    assert!(shown(true).count() > 0 && shown(true).all(|f| !f.in_conflict));
}

#[test]
fn f46_a_record_in_conflict_gives_up_its_unique_value_unless_another_has_what_it_would_get() {
    let world = World::new(
        "CREATE TABLE u (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE);
         INSERT INTO u VALUES (1, 'a@x'), (2, 'b@x'), (3, 'c@x'), (9, 'held@x');",
    );
    // One can't have what nine holds, so two can't have what one has, and four not what two has; three swaps freely.
    let records = json!([{"id": 1, "email": "held@x"}, {"id": 2, "email": "a@x"}, {"id": 3, "email": "d@x"}, {"id": 4, "email": "b@x"}, {"id": 5, "email": "c@x"}]);
    let plan = plan(&world, "u", records, "backup-wins");
    let outcomes: Vec<Outcome> = (1..=5).map(|id| written(&plan, &format!("u/{id}")).0).collect();
    assert!(!outcomes[0].writes() && !outcomes[1].writes() && !outcomes[3].writes(), "{outcomes:?}");
    assert_eq!((outcomes[2], outcomes[4]), (Outcome::Updated, Outcome::Inserted));
}
