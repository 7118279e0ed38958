//! What a strategy never brings is not in the plan either: production's secrets stay in production.

use crate::world::World;
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::executor::{Ending, OnBlocked};
use serde_json::json;

const CURRENT: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, password TEXT, api_key TEXT UNIQUE);
     CREATE TABLE sessions (session_key TEXT PRIMARY KEY, user_id INTEGER REFERENCES users(id), data TEXT);
     CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users(id), text TEXT);
     INSERT INTO users VALUES (1, 'Ada', 'dev-pw-1', 'dev-key-1'), (2, 'Bob', 'dev-pw-2', 'dev-key-2');
     INSERT INTO sessions VALUES ('dev-session', 1, 'dev-data');";

/// What must be nowhere in the plan's file.
const SECRET: &str = "c4n4ry";

fn world() -> World {
    let world = World::new(CURRENT);
    let secret = |n: u32| format!("{SECRET}-{n}");
    let user =
        |id: u32, name: &str| json!({"id": id, "name": name, "password": secret(id), "api_key": secret(id + 10)});
    let session = |n: u32, user: u32| json!({"session_key": secret(n), "user_id": user, "data": secret(n + 1)});
    world.backup(
        "base.json",
        &[("users", json!([{"id": 1, "name": "Ada", "password": secret(50), "api_key": secret(51)}, user(2, "Bo")]))],
    );
    world.backup(
        "b.json",
        &[
            ("users", json!([user(1, "Ada L"), user(2, "Bob"), user(3, "Cy")])),
            ("sessions", json!([session(20, 1), session(30, 3)])),
            ("notes", json!([{"id": 1, "user_id": 3, "text": "hello"}])),
        ],
    );
    world
}

#[test]
fn a_plan_of_environment_sync_holds_no_secret_and_merges_as_before() {
    for base in [None, Some("base.json")] {
        let world = world();
        let (mut plan, preview) =
            world.analyze("b.json", base, "environment-sync", Options::default()).expect("analyzes");
        assert_eq!((preview.inserted, preview.updated, preview.blocked), (2, 1, 0), "{base:?}");
        assert_eq!(plan.meta().withheld, ["sessions", "users.password", "users.api_key"]);
        assert!(plan.meta().notes.iter().any(|n| n.contains("never brings") && n.contains("users.password")));
        let file = std::fs::read(plan.path()).expect("reads");
        assert!(!file.windows(SECRET.len()).any(|w| w == SECRET.as_bytes()), "{base:?}: a secret is in the plan");
        assert!(file.windows(5).any(|w| w == b"Ada L"), "what is brought is there");
        let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
        assert_eq!((merged.counts.inserted, merged.counts.updated), (2, 1), "{base:?}");
        let users =
            "SELECT group_concat(name || '/' || ifnull(password, '-') || '/' || ifnull(api_key, '-'), ' ') FROM users";
        assert_eq!(world.value(users), "Ada L/dev-pw-1/dev-key-1 Bob/dev-pw-2/dev-key-2 Cy/-/-", "{base:?}");
        assert_eq!(world.value("SELECT group_concat(session_key) FROM sessions"), "dev-session");
        let receipt = std::fs::read(world.home.receipt_path(&merged.merge).expect("a receipt")).expect("reads");
        assert!(!receipt.windows(SECRET.len()).any(|w| w == SECRET.as_bytes()), "a secret is in the receipt");
        let (_, again) = world.analyze("b.json", base, "environment-sync", Options::default()).expect("analyzes");
        assert_eq!(again.writes(), 0, "{base:?}: nothing is left to do");
        world.undo(&merged.merge).expect("undoes");
        assert_eq!(world.value("SELECT group_concat(name) FROM users"), "Ada,Bob");
    }
}

#[test]
fn a_strategy_that_would_bring_what_the_plan_does_not_hold_is_refused() {
    let world = world();
    let (mut plan, _) = world.analyze("b.json", None, "environment-sync", Options::default()).expect("analyzes");
    let key = world.home.key().expect("a key");
    let error = plan.take_strategy(&key, Some("backup-wins"), &[], None).expect_err("would lose passwords silently");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.full_message().contains("users.password"), "{}", error.full_message());
    let error = plan.take_strategy(&key, None, &[("users".to_owned(), "backup-wins".to_owned())], None);
    assert!(error.expect_err("the same of one table").full_message().contains("users.api_key"));
    // One that asks for nothing of it is taken.
    plan.take_strategy(&key, None, &[("notes".to_owned(), "current-wins".to_owned())], None).expect("takes it");
    plan.verify_seal(&key).expect("is sealed again");
    assert_eq!(plan.meta().strategy.0, "environment-sync");
    // A plan that was made under the other strategy holds all of it.
    let (plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    assert!(plan.meta().withheld.is_empty());
}
