//! T15 and F92: a backup that makes somebody an administrator is warned of, listed, and needs a tick; no decision about many
//! takes it along.

use super::{PASSWORD, Site};
use merganser::server::Role;
use merganser::server::access::Scope;
use merganser::server::people::{self, NewToken, Own};
use serde_json::{Value as Json, json};

const SQL: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, role TEXT, is_superuser INTEGER, password_hash TEXT, updated_at TEXT);
    CREATE TABLE api_tokens (token TEXT PRIMARY KEY, user_id INTEGER);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);
    INSERT INTO users VALUES (1, 'ann', 'user', 0, 'h1', '2026-11-01T00:00:00Z'), (2, 'bob', 'user', 0, 'h2', '2026-11-02T00:00:00Z'),
        (3, 'cy', 'user', 0, 'h3', '2026-11-02T00:00:00Z'), (5, 'eve', 'admin', 1, 'h5', '2026-11-01T00:00:00Z');
    INSERT INTO notes VALUES (1, 'x');";

fn user(id: u32, name: &str, role: &str, superuser: u32, hash: &str, day: &str) -> Json {
    json!({"id": id, "name": name, "role": role, "is_superuser": superuser, "password_hash": hash, "updated_at": format!("2026-11-{day}T00:00:00Z")})
}

fn analyzed(site: &Site, token: &str, tables: &[(&str, Json)], strategy: &str) -> (String, Json) {
    site.upload(token, "b.json", tables);
    let asked = json!({"backup": "b.json", "target": "main", "strategy": strategy, "preserve_newer": false});
    let found = site.end(token, &site.ask(token, "POST", "/api/v1/analyses", &[], &asked));
    let id = found["subject"].as_str().expect("an id").to_owned();
    let view = site.get(token, &format!("/api/v1/analyses/{id}")).json();
    (id, view)
}

fn merge(site: &Site, token: &str, key: &str, body: &Json) -> super::Reply {
    site.ask(token, "POST", "/api/v1/merges", &[("idempotency-key", key)], body)
}

#[test]
fn f92_what_makes_an_administrator_is_listed_and_needs_a_tick() {
    let site = Site::with(SQL, |_| {}, |_| {});
    let token = site.token(Role::Operator);
    let before = site.world.content();
    let users = json!([
        user(1, "ann", "admin", 1, "h1", "20"),
        user(2, "bobby", "user", 0, "h2", "20"),
        user(3, "cy", "user", 0, "planted", "20"),
        user(4, "new", "user", 0, "h4", "20"),
        user(6, "root", "superadmin", 0, "h6", "20")
    ]);
    let tokens = json!([{"token": "c4n4ry-token", "user_id": 5}]);
    let (id, view) = analyzed(&site, &token, &[("users", users), ("api_tokens", tokens)], "backup-wins");
    let listed: Vec<(String, String, Json)> = view["security"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| {
            (c["table"].as_str().unwrap().to_owned(), c["record"].as_str().unwrap().to_owned(), c["fields"].clone())
        })
        .collect();
    let of = |table: &str, key: &str| listed.iter().find(|l| l.0 == table && l.1 == key).map(|l| l.2.clone());
    assert_eq!(of("users", "1"), Some(json!(["role", "is_superuser"])), "{view}");
    assert_eq!(of("users", "3"), Some(json!(["password_hash"])));
    assert_eq!(of("users", "6"), Some(json!(["role"])));
    assert_eq!((of("users", "2"), of("users", "4")), (None, None), "a new name and an ordinary new person are none");
    assert!(listed.iter().any(|l| l.0 == "api_tokens"), "{listed:?}");
    assert_eq!(view["security"]["total"], 4);
    assert!(!view.to_string().contains("c4n4ry") && !view.to_string().contains("planted"), "{view}");
    let refused = merge(&site, &token, "a", &json!({"analysis": id}));
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "confirmation_needed"), "{}", refused.text);
    assert_eq!(refused.json()["rows"].as_array().unwrap().len(), 4, "{}", refused.text);
    let word = merge(&site, &token, "b", &json!({"analysis": id, "confirm": "RESTORE"}));
    assert_eq!(word.code(), "confirmation_needed", "another confirmation is none");
    assert_eq!(site.world.content(), before);
    let dry = site.end(&token, &merge(&site, &token, "d", &json!({"analysis": id, "dry_run": true})));
    assert_eq!(dry["state"], "done", "{dry}");
    let done = site.end(&token, &merge(&site, &token, "c", &json!({"analysis": id, "confirm_security": true})));
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(site.world.value("SELECT role FROM users WHERE id = 1"), "admin");
}

#[test]
fn f92_no_decision_about_many_takes_it_along() {
    let site = Site::with(SQL, |_| {}, |_| {});
    let token = site.token(Role::Operator);
    let users = json!([
        user(1, "anna", "admin", 0, "h1", "01"),
        user(2, "bobby", "user", 0, "h2", "01"),
        user(3, "cyd", "user", 0, "reset", "01")
    ]);
    let (id, _) = analyzed(&site, &token, &[("users", users)], "manual");
    let path = format!("/api/v1/analyses/{id}/decisions");
    let many = |body: &Json| site.ask(&token, "POST", &path, &[("if-match", "*")], body).json();
    let counted = many(&json!({"decision": {"action": "backup"}, "dry_run": true}));
    assert_eq!((&counted["matched"], &counted["left_out"]), (&json!(1), &json!(2)), "{counted}");
    let decided = many(&json!({"decision": {"action": "backup"}}));
    assert_eq!((&decided["matched"], &decided["left_out"], &decided["undecided"]), (&json!(1), &json!(2), &json!(2)));
    let view = site.get(&token, &format!("/api/v1/analyses/{id}")).json();
    assert_eq!(view["security"]["total"], 0, "{view}");
    // Keeping what is there is harmless, and whoever means them says so.
    let kept = many(&json!({"decision": {"action": "current"}, "dry_run": true}));
    assert_eq!((&kept["matched"], &kept["left_out"], &kept["answered"]), (&json!(2), &json!(0), &json!(1)));
    let meant = many(&json!({"decision": {"action": "backup"}, "selector": {"security": true}}));
    assert_eq!((&meant["matched"], &meant["undecided"]), (&json!(2), &json!(0)), "{meant}");
    let view = site.get(&token, &format!("/api/v1/analyses/{id}")).json();
    assert_eq!(view["security"]["total"], 2, "{view}");
    assert_eq!(merge(&site, &token, "a", &json!({"analysis": id})).code(), "confirmation_needed");
}

#[test]
fn t15_who_reaches_only_their_own_records_makes_nobody_an_administrator() {
    let site = Site::with(SQL, |_| {}, |_| {});
    let before = site.world.content();
    let own = Own { target: "main".to_owned(), conditions: vec!["users: id = 2".to_owned()] };
    let user_of = people::add(site.app.state(), "bob", Role::Operator, PASSWORD, Some(&own)).unwrap();
    let new = NewToken { name: "test", scopes: &Scope::ALL, days: 1 };
    let bob = people::create_token(site.app.state(), &site.world.home, &user_of, &new, "test").unwrap().1;
    let (id, _) = analyzed(&site, &bob, &[("users", json!([user(2, "bob", "admin", 1, "h2", "20")]))], "backup-wins");
    let refused = merge(&site, &bob, "a", &json!({"analysis": id, "confirm_security": true}));
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert_eq!(site.world.content(), before);
}

#[test]
fn t15_the_guides_routes_ask_an_operator_too() {
    let site = Site::with(SQL, |_| {}, |_| {});
    let (operator, admin) = (site.token(Role::Operator), site.token(Role::Admin));
    site.upload(&operator, "b.json", &[("users", json!([user(1, "ann", "admin", 1, "h1", "20")]))]);
    let asked = |more: Json| json!({"action": "merge", "filename": "b.json", "options": more});
    let path = "/api/admin/backup/merge";
    let refused = site.ask(&operator, "POST", path, &[], &asked(json!({})));
    assert_eq!(refused.json()["code"], "confirmation_needed", "{}", refused.text);
    let ticked = site.ask(&operator, "POST", path, &[], &asked(json!({"confirmSecurity": true, "dryRun": true})));
    assert_eq!(ticked.status, 200, "{}", ticked.text);
    let done = site.ask(&admin, "POST", path, &[], &asked(json!({})));
    assert_eq!((done.status.as_u16(), &done.json()["security"]["total"]), (200, &json!(1)), "{}", done.text);
}
