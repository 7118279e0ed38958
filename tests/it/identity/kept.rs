//! Both records of one key are kept, or one of them is not: what becomes of the records that are told by it or refer to it.

use super::{decide, there_and_back};
use crate::world::{World, listed};
use merganser::analyzer::Options;
use merganser::plan::choices::{Choice, Offer, consequences, offers};
use merganser::plan::{Decision, Outcome, Plan};
use merganser::progress::Quiet;
use serde_json::json;

const ORDERS: &str = "CREATE TABLE orders (id INTEGER PRIMARY KEY, no TEXT NOT NULL UNIQUE, created_at TEXT);
    CREATE TABLE line (order_id INT NOT NULL REFERENCES orders (id), n INT NOT NULL, item TEXT, PRIMARY KEY (order_id, n));
    CREATE TABLE remark (id INTEGER PRIMARY KEY, order_id INT, n INT, said TEXT,
        FOREIGN KEY (order_id, n) REFERENCES line (order_id, n));
    INSERT INTO orders VALUES (7, 'C-7', '2025-01-01T00:00:00Z');
    INSERT INTO line VALUES (7, 1, 'gold'), (7, 2, 'same');";

fn analyzed(world: &World, strategy: &str) -> Plan {
    world.backup(
        "b.json",
        &[
            ("orders", json!([{"id": 7, "no": "B-7", "created_at": "2024-01-01T00:00:00Z"}])),
            (
                "line",
                json!([{"order_id": 7, "n": 1, "item": "lead"}, {"order_id": 7, "n": 2, "item": "same"},
                       {"order_id": 7, "n": 3, "item": "new"}]),
            ),
            (
                "remark",
                json!([{"id": 1, "order_id": 7, "n": 1, "said": "on lead"}, {"id": 2, "order_id": 7, "n": 2, "said": "on same"},
                       {"id": 3, "order_id": 7, "n": 3, "said": "on new"}]),
            ),
        ],
    );
    world.analyze("b.json", None, strategy, Options::default()).expect("analyzes").0
}

fn settle(world: &World, plan: &mut Plan) -> merganser::plan::Preview {
    let (preview, _) = plan.settle(&Quiet).expect("settles");
    plan.update_meta(&world.home.key().expect("a key"), |_| {}).expect("seals");
    preview
}

fn said(plan: &Plan, record: &str, choice: Choice) -> Offer {
    let record = plan.record(record).expect("is there");
    consequences(plan, &record).expect("a readable plan").into_iter().find(|o| o.choice == choice).expect("is listed")
}

#[test]
fn f44_lines_of_an_order_that_is_kept_beside_another_are_new_ones() {
    let world = World::new(ORDERS);
    let mut plan = analyzed(&world, "manual");
    let new = said(&plan, "orders/7", Choice::NewKey).consequence.expect("is possible");
    assert_eq!(
        new,
        "inserts orders/7 of the backup under a new key; keeps 2 of line under orders/7; re-points 2 of line; \
         records of line that both sides have alike stay with orders/7"
    );
    decide(&world, &mut plan, "orders/7", Decision::NewKey);
    decide(&world, &mut plan, "line/7,1", Decision::Backup);
    let preview = settle(&world, &mut plan);
    // The second remark is on a line that both sides have alike: that line stays with current's order.
    assert_eq!((preview.inserted, preview.updated, preview.blocked), (5, 0, 1), "{:?}", listed(&plan));
    let why = plan.record("remark/2").expect("is there").why.expect("says why");
    assert_eq!(
        why,
        "order_id+n → line/7,2 is not brought: it stays with the current one of two records that are both kept"
    );
    decide(&world, &mut plan, "remark/2", Decision::Skip);
    settle(&world, &mut plan);
    there_and_back(&world, &mut plan);
    let lines =
        "SELECT group_concat(order_id || ',' || n || ' ' || item, '; ') FROM (SELECT * FROM line ORDER BY 1, 2)";
    assert_eq!(world.value(lines), "7,1 gold; 7,2 same; 8,1 lead; 8,3 new");
    let remarks = "SELECT group_concat(id || ' ' || order_id || ',' || n, '; ') FROM (SELECT * FROM remark ORDER BY 1)";
    assert_eq!(world.value(remarks), "1 8,1; 3 8,3");
}

#[test]
fn f44_a_line_that_is_not_brought_leaves_what_refers_to_it_behind() {
    let world = World::new(ORDERS);
    let mut plan = analyzed(&world, "manual");
    decide(&world, &mut plan, "orders/7", Decision::NewKey);
    decide(&world, &mut plan, "line/7,1", Decision::Current);
    settle(&world, &mut plan);
    assert_eq!(plan.record("line/7,1").expect("is there").outcome, Some(Outcome::Kept));
    let remark = plan.record("remark/1").expect("is there");
    assert_eq!(remark.outcome, Some(Outcome::Blocked), "{remark:?}");
}

#[test]
fn f44_what_comes_under_another_record_of_the_same_key_is_said() {
    let world = World::new(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, created_at TEXT);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id));
         INSERT INTO users VALUES (41, 'c@x', '2025-01-01T00:00:00Z');
         INSERT INTO orders VALUES (1, 41);",
    );
    world.backup(
        "b.json",
        &[
            ("users", json!([{"id": 41, "email": "b@x", "created_at": "2024-01-01T00:00:00Z"}])),
            ("orders", json!([{"id": 2, "user_id": 41}])),
        ],
    );
    let (mut plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    let comes = "1 of orders of the backup come under users/41 of current";
    for choice in [Choice::Current, Choice::Skip] {
        let consequence = said(&plan, "users/41", choice).consequence.expect("is possible");
        assert!(consequence.ends_with(comes), "{consequence}");
    }
    for decision in [Decision::Skip, Decision::Current] {
        decide(&world, &mut plan, "users/41", decision);
        settle(&world, &mut plan);
        let order = plan.record("orders/2").expect("is there");
        assert_eq!(order.outcome, Some(Outcome::Inserted));
        assert_eq!(order.why.as_deref(), Some("user_id → users/41: current has another record under that key"));
    }
    decide(&world, &mut plan, "users/41", Decision::Backup);
    settle(&world, &mut plan);
    assert_eq!(plan.record("orders/2").expect("is there").why, None);
}

#[test]
fn f45_a_record_that_is_there_does_not_go_into_another() {
    for unique in ["lower(email)", "email"] {
        let world = World::new(&format!(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, name TEXT, updated_at TEXT);
             CREATE UNIQUE INDEX one ON users ({unique});
             INSERT INTO users VALUES (1, 'one@x', 'One', '2024-01-01T00:00:00Z'), (2, 'two@x', 'Two', '2024-01-01T00:00:00Z');",
        ));
        let one = json!([{"id": 1, "email": "two@x", "name": "Eins", "updated_at": "2025-01-01T00:00:00Z"}]);
        world.backup("b.json", &[("users", one)]);
        let (plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
        let record = plan.record("users/1").expect("is there");
        let current = record.finding.fields.iter().find(|f| f.column == 2).and_then(|f| f.current.clone());
        assert_eq!(current, Some(merganser::model::Value::Text("One".to_owned())), "its own value is shown");
        for offer in offers(&plan, &record) {
            let possible = matches!(offer.choice, Choice::Current | Choice::Fields | Choice::Skip);
            assert_eq!(offer.legal, possible, "{unique}: {offer:?}");
            if matches!(offer.choice, Choice::IntoExisting | Choice::NewKey) {
                let why = "current has users/1 itself; give the unique value another one with --set, or keep current";
                assert_eq!(offer.why.as_deref(), Some(why));
            }
        }
    }
}

#[test]
fn f45_a_newer_existing_record_keeps_its_values_and_references_follow() {
    let sql = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT, updated_at TEXT);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id));
        INSERT INTO users VALUES (57, 'a@x', 'newer', '2025-06-01T00:00:00Z');";
    let strategy = "summary = \"Into the existing one\"
        [[rule]]\nreason = \"unique_taken\"\ntake = \"into-existing\"\n[[rule]]\ntake = \"backup\"\n";
    for (preserve_newer, name) in [(true, "newer"), (false, "older")] {
        let world = World::new(sql);
        let older = json!([{"id": 41, "email": "a@x", "name": "older", "updated_at": "2024-01-01T00:00:00Z"}]);
        world.backup("b.json", &[("users", older), ("orders", json!([{"id": 1, "user_id": 41}]))]);
        let file = world.file("into.toml", strategy);
        let options = Options { preserve_newer, ..Options::default() };
        let (mut plan, _) = world.analyze("b.json", None, file.to_str().expect("a path"), options).expect("analyzes");
        there_and_back(&world, &mut plan);
        assert_eq!(world.value("SELECT group_concat(id || name) FROM users"), format!("57{name}"));
        assert_eq!(world.value("SELECT user_id FROM orders"), "57");
    }
}

#[test]
fn f44_a_newer_line_of_the_current_order_keeps_no_line_of_the_other_away() {
    let world = World::new(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, no TEXT NOT NULL UNIQUE, created_at TEXT);
         CREATE TABLE line (order_id INT NOT NULL REFERENCES orders (id), n INT NOT NULL, item TEXT, updated_at TEXT,
             PRIMARY KEY (order_id, n));
         INSERT INTO orders VALUES (7, 'C-7', '2025-01-01T00:00:00Z');
         INSERT INTO line VALUES (7, 1, 'gold', '2025-06-01T00:00:00Z');",
    );
    world.backup(
        "b.json",
        &[
            ("orders", json!([{"id": 7, "no": "B-7", "created_at": "2024-01-01T00:00:00Z"}])),
            ("line", json!([{"order_id": 7, "n": 1, "item": "lead", "updated_at": "2024-06-01T00:00:00Z"}])),
        ],
    );
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    decide(&world, &mut plan, "orders/7", Decision::NewKey);
    settle(&world, &mut plan);
    there_and_back(&world, &mut plan);
    let lines = "SELECT group_concat(order_id || ' ' || item, '; ') FROM (SELECT * FROM line ORDER BY 1)";
    assert_eq!(world.value(lines), "7 gold; 8 lead");
}
