//! A person who may reach only their own records, as an attacker: what they write into a backup, how they decide, what they
//! began before, and under whose name.

use super::{CANARY, PASSWORD, SQL, Site};
use merganser::server::Role;
use merganser::server::access::{Access, Scope, rules};
use merganser::server::people::{self, NewToken, Own, User};
use serde_json::{Value as Json, json};

fn person(site: &Site, name: &str, conditions: &[&str]) -> (User, String) {
    let own = Own { target: "main".to_owned(), conditions: conditions.iter().map(|c| (*c).to_owned()).collect() };
    let user = people::add(site.app.state(), name, Role::Operator, PASSWORD, Some(&own)).expect("a user");
    (user.clone(), token(site, &user))
}

fn token(site: &Site, user: &User) -> String {
    let new = NewToken { name: "test", scopes: &Scope::ALL, days: 1 };
    people::create_token(site.app.state(), &site.world.home, user, &new, "test").expect("a token").1
}

fn operation(site: &Site, token: &str, body: &Json) -> Json {
    site.end(token, &site.ask(token, "POST", "/api/v1/analyses", &[], body))
}

#[test]
fn u35_a_backup_can_not_claim_anothers_record() {
    let site = Site::new();
    let before = site.world.content();
    // Whose record it is says a field that the backup brings itself.
    let (_, eve) = person(&site, "eve", &["users: email = 'c@x'", "rooms: user_id = 3"]);
    let claimed = json!([{"id": 2, "email": "c@x", "name": "mine now", "updated_at": "2026-11-20T00:00:00Z"},
        {"id": 1, "email": "c@x", "name": "mine too", "password_hash": "x", "updated_at": "2026-10-01T00:00:00Z"}]);
    let rooms = json!([{"id": 1, "name": "stolen", "user_id": 3}]);
    site.upload(&eve, "claim.json", &[("users", claimed), ("rooms", rooms)]);
    for strategy in ["manual", "backup-wins", "merge-fields", "current-wins"] {
        let asked = json!({"backup": "claim.json", "target": "main", "strategy": strategy, "preserve_newer": false});
        let found = operation(&site, &eve, &asked);
        assert_eq!(found["state"], "done", "{found}");
        let id = found["subject"].as_str().unwrap();
        let records = site.get(&eve, &format!("/api/v1/analyses/{id}/records")).text;
        for value in ["b@x", "a@x", "\"one\"", "stolen", CANARY] {
            assert!(!records.contains(value), "{strategy}: {value} in {records}");
        }
        assert_eq!(found["result"]["counts"]["excluded"], 3, "{found}");
        assert_eq!(found["result"]["counts"]["current_only"], 1, "only their own record is counted: {found}");
        let merge =
            site.ask(&eve, "POST", "/api/v1/merges", &[("idempotency-key", strategy)], &json!({"analysis": id}));
        site.end(&eve, &merge);
        assert_eq!(site.world.content(), before, "{strategy}");
    }
}

#[test]
fn u35_a_unique_value_of_another_is_neither_shown_nor_taken() {
    let site = Site::new();
    let (_, ada) = person(&site, "ada", &["users: id = 9"]);
    let taken = json!([{"id": 9, "email": "b@x", "name": "ada", "updated_at": "2026-11-20T00:00:00Z"}]);
    site.upload(&ada, "taken.json", &[("users", taken)]);
    let found = operation(&site, &ada, &json!({"backup": "taken.json", "target": "main", "strategy": "manual"}));
    let id = found["subject"].as_str().unwrap();
    let records = site.get(&ada, &format!("/api/v1/analyses/{id}/records")).text;
    assert!(records.contains("unique_taken") && !records.contains("users/2"), "{records}");
    assert!(!records.contains("2026-11-02"), "the holder's fields are not shown: {records}");
    let before = site.world.content();
    let path = format!("/api/v1/analyses/{id}/records/users/9");
    for action in ["into-existing", "new-key"] {
        let refused = site.ask(&ada, "PATCH", &path, &[("if-match", "*")], &json!({"action": action}));
        assert!(matches!(refused.status.as_u16(), 403 | 422), "{action}: {}", refused.text);
        let all = json!({"decision": {"action": action}});
        let many = site.ask(&ada, "POST", &format!("/api/v1/analyses/{id}/decisions"), &[("if-match", "*")], &all);
        assert!(matches!(many.status.as_u16(), 403 | 422), "{action}: {}", many.text);
        let file =
            json!({"schema": "merganser.decisions/1", "decisions": [{"table": "users", "key": "9", "action": action}]});
        let import = site.ask(&ada, "PUT", &format!("/api/v1/analyses/{id}/decisions"), &[("if-match", "*")], &file);
        assert!(import.status.as_u16() == 403 || import.json()["taken"] == 0, "{action}: {}", import.text);
    }
    let key = json!({"action": "fields", "fields": {"id": {"value": 2}}});
    assert_eq!(site.ask(&ada, "PATCH", &path, &[("if-match", "*")], &key).status, 403);
    assert_eq!(site.world.content(), before);
}

#[test]
fn u35_no_typed_value_gives_a_record_away() {
    let site = Site::new();
    let (_, ada) = person(&site, "ada", &["rooms: user_id = 1"]);
    site.upload(&ada, "rooms.json", &[("rooms", json!([{"id": 1, "name": "renamed", "user_id": 1}]))]);
    let found = operation(&site, &ada, &json!({"backup": "rooms.json", "target": "main", "strategy": "manual"}));
    let id = found["subject"].as_str().unwrap();
    let path = format!("/api/v1/analyses/{id}/records/rooms/1");
    let away = json!({"action": "fields", "fields": {"user_id": {"value": 2}}});
    assert_eq!(site.ask(&ada, "PATCH", &path, &[("if-match", "*")], &away).status, 403);
    let name = json!({"action": "fields", "fields": {"name": {"value": "typed"}}});
    assert_eq!(site.ask(&ada, "PATCH", &path, &[("if-match", "*")], &name).status, 200);
    let merge = site.ask(&ada, "POST", "/api/v1/merges", &[("idempotency-key", "m")], &json!({"analysis": id}));
    assert_eq!(site.end(&ada, &merge)["state"], "done");
    assert_eq!(site.world.value("SELECT name || user_id FROM rooms"), "typed1");
}

#[test]
fn u35_what_was_begun_with_more_rights_or_by_a_namesake_is_closed() {
    let site = Site::new();
    let operator = site.token(Role::Operator);
    let wide = site.analyzed(&operator);
    let operations = site.get(&operator, "/api/v1/operations").json();
    let operation_id = operations["items"][0]["id"].as_str().unwrap().to_owned();
    let user = people::find(site.app.state(), "operator").unwrap();
    let own = Own { target: "main".to_owned(), conditions: vec!["users: id = 1".to_owned()] };
    people::set_own(site.app.state(), &user, Some(&own)).unwrap();
    let paths = [
        format!("/api/v1/analyses/{wide}"),
        format!("/api/v1/analyses/{wide}/records"),
        format!("/api/v1/analyses/{wide}/records/users/3"),
        format!("/api/v1/analyses/{wide}/decisions"),
        format!("/api/v1/analyses/{wide}/patterns"),
        format!("/api/v1/operations/{operation_id}"),
        format!("/api/v1/operations/{operation_id}/events"),
    ];
    for path in &paths {
        assert_eq!(site.get(&operator, path).status, 403, "{path}");
    }
    // What is theirs now stays so until the grant becomes another one.
    site.upload(&operator, "own.json", &[("users", json!([{"id": 1, "email": "a@x", "name": "x"}]))]);
    let found = operation(&site, &operator, &json!({"backup": "own.json", "target": "main"}));
    let mine = found["subject"].as_str().unwrap().to_owned();
    assert_eq!(site.get(&operator, &format!("/api/v1/analyses/{mine}")).status, 200);
    let other = Own { conditions: vec!["users: id = 2".to_owned()], ..own.clone() };
    people::set_own(site.app.state(), &user, Some(&other)).unwrap();
    assert_eq!(site.get(&operator, &format!("/api/v1/analyses/{mine}")).status, 403);
    // Somebody who is given the name of one who left has nothing of theirs.
    people::set_own(site.app.state(), &user, Some(&own)).unwrap();
    people::remove(site.app.state(), &user).unwrap();
    let namesake = people::add(site.app.state(), "operator", Role::Operator, PASSWORD, Some(&own)).unwrap();
    let namesake = token(&site, &namesake);
    assert_eq!(site.get(&namesake, &format!("/api/v1/analyses/{mine}")).status, 403);
}

#[test]
fn u35_backups_bases_and_secrets_beyond_the_grant_are_closed() {
    let site = Site::new();
    let operator = site.token(Role::Operator);
    site.upload(&operator, "elsewhere.json", &super::friday());
    let made = json!({"target": "main", "name": "nightly"});
    let made = site.end(&operator, &site.ask(&operator, "POST", "/api/v1/backups", &[("idempotency-key", "b")], &made));
    assert_eq!(made["state"], "done", "{made}");
    let (_, ada) = person(&site, "ada", &["users: id = 1"]);
    let ask = |body: Json| site.ask(&ada, "POST", "/api/v1/analyses", &[], &body);
    // In a file from elsewhere the same key may be another person.
    assert_eq!(ask(json!({"backup": "elsewhere.json", "target": "main"})).status, 404);
    let found = site.end(&ada, &ask(json!({"backup": "nightly", "target": "main"})));
    assert_eq!(found["state"], "done", "a backup of the very database: {found}");
    for more in [json!({"base": "nightly"}), json!({"base": "auto"}), json!({"deletes": "mirror"})] {
        let mut body = json!({"backup": "nightly", "target": "main"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(ask(body).status, 403, "{more}");
    }
    // Conditions of their own take the place of nothing.
    let wider =
        json!({"backup": "nightly", "target": "main", "conditions": ["users: id > 0"], "only_tables": ["rooms"]});
    let found = site.end(&ada, &ask(wider));
    assert_eq!(found["result"]["counts"]["excluded"], 3, "{found}");
    let id = found["subject"].as_str().unwrap();
    let first = json!({"analysis": id, "backup_first": true});
    assert_eq!(site.ask(&ada, "POST", "/api/v1/merges", &[("idempotency-key", "f")], &first).status, 403);
    // A grant that can't be read grants nothing.
    site.app.state().with(|c| c.execute("UPDATE users SET own = 'broken' WHERE name = 'ada'", [])).unwrap();
    assert_eq!(ask(json!({"backup": "nightly", "target": "main"})).status, 403);
    assert_eq!(site.get(&ada, "/api/v1/backups").status, 403);
}

#[test]
fn u35_every_route_is_closed_to_who_has_only_their_own_records() {
    let site = Site::new();
    let operator = site.token(Role::Operator);
    let id = site.analyzed(&operator);
    let (_, ada) = person(&site, "ada", &["users: id = 1"]);
    let bearer = format!("Bearer {ada}");
    let mut checked = 0;
    for (method, path, access) in rules() {
        if *access == Access::Public {
            continue;
        }
        let free = matches!(
            (*method, *path),
            ("GET" | "DELETE", "/api/v1/session")
                | ("PUT", "/api/v1/uploads/{name}")
                | ("POST", "/api/v1/analyses" | "/api/v1/merges" | "/api/v1/backups")
                | ("GET", "/api/v1/openapi.json")
        );
        if free {
            continue;
        }
        let at = path.replace("{id}", &id).replace("{table}", "users").replace("{key}", "3").replace("{name}", "x");
        let reply = site.ask_with(method, &at, &[("authorization", &bearer)], "");
        assert_eq!(reply.status, 403, "{method} {path}: {}", reply.text);
        checked += 1;
    }
    assert!(checked > 90, "only {checked}");
}

#[test]
fn u35_nobody_searches_by_a_secret() {
    let site = Site::with(SQL, |_| {}, |_| {});
    let operator = site.token(Role::Operator);
    let id = site.analyzed(&operator);
    let viewer = site.token(Role::Viewer);
    let asked = format!("/api/v1/analyses/{id}/records?q=users:%20password_hash%20%3E%20'c'");
    let refused = site.get(&viewer, &asked);
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains("secret"), "{}", refused.text);
}

#[test]
fn u35_a_person_backs_up_and_fetches_their_own_records_and_no_others() {
    let site = Site::new();
    let operator = site.token(Role::Operator);
    let (user, ada) = person(&site, "ada", &["users: id = 1", "rooms: user_id = 1"]);
    let make = |token: &str, key: &str, body: Json| {
        site.ask(token, "POST", "/api/v1/backups", &[("idempotency-key", key)], &body)
    };
    let made = site.end(&ada, &make(&ada, "a", json!({"target": "main"})));
    assert_eq!(made["state"], "done", "{made}");
    let id = made["result"]["id"].as_str().expect("an id");
    let view = site.get(&ada, &format!("/api/v1/backups/{id}")).json();
    assert_eq!((&view["records"], &view["kind"]), (&json!(2), &json!("selected")), "{view}");
    let plain = site.end(&operator, &make(&operator, "o", json!({"target": "main"})));
    let theirs = plain["result"]["id"].as_str().expect("an id");
    let fetched = site.runtime.block_on(async {
        let asked = super::request(
            "GET",
            &format!("/api/v1/backups/{id}/content"),
            &[("authorization", &format!("Bearer {ada}"))],
            "",
        );
        let response =
            tower::ServiceExt::oneshot(merganser::server::router(&site.app), asked).await.expect("an answer");
        assert_eq!(response.status(), 200);
        axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body")
    });
    let file = site.world.path("mine.json.zst");
    std::fs::write(&file, &fetched).expect("written");
    let text = String::from_utf8(zstd::decode_all(fetched.as_ref()).expect("zstd")).expect("text");
    assert!(text.contains("a@x"), "{text}");
    for other in ["b@x", "c@x", CANARY] {
        assert!(!text.contains(other), "{other} is in {text}");
    }
    // What others made is closed, by id and by name, and so is another database or a grant without conditions.
    for path in
        [format!("/api/v1/backups/{theirs}"), format!("/api/v1/backups/{theirs}/content"), "/api/v1/backups".to_owned()]
    {
        assert_eq!(site.get(&ada, &path).status, 403, "{path}");
    }
    let named = json!({"target": "main", "name": id});
    assert!(!site.end(&operator, &make(&operator, "n", named))["state"].is_null());
    assert_eq!(site.get(&ada, &format!("/api/v1/backups/{id}")).json()["records"], 2, "still her own");
    assert_eq!(make(&ada, "b", json!({"target": "other"})).status, 403);
    let (_, bare) = person(&site, "bea", &[]);
    assert_eq!(make(&bare, "c", json!({"target": "main"})).status, 403);
    // It comes back as a backup of hers; under another grant it is closed.
    site.world.sql("UPDATE users SET name = 'changed' WHERE id = 1");
    let found = operation(&site, &ada, &json!({"backup": id, "target": "main"}));
    assert_eq!(found["state"], "done", "{found}");
    let own = serde_json::to_string(&Own { target: "main".to_owned(), conditions: vec!["users: id = 2".to_owned()] })
        .unwrap();
    site.app.state().with(|c| c.execute("UPDATE users SET own = ?1 WHERE id = ?2", [&own, &user.id])).unwrap();
    assert_eq!(site.get(&ada, &format!("/api/v1/backups/{id}/content")).status, 403);
}
