//! Who may do what: the matrix of roles and routes, made from the table of rules itself.

use super::{Site, request};
use axum::http::StatusCode;
use merganser::server::Role;
use merganser::server::access::{Access, Scope, rules};
use merganser::server::people;
use serde_json::json;
use std::collections::BTreeSet;

/// A path with something in the place of its parameters.
fn filled(path: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in path.chars() {
        match c {
            '{' => {
                inside = true;
                text.push_str("nothing-here");
            }
            '}' => inside = false,
            _ if inside => {}
            other => text.push(other),
        }
    }
    text
}

#[test]
fn u35_every_role_on_every_route() {
    let site = Site::new();
    let tokens = [Role::Viewer, Role::Operator, Role::Admin].map(|role| (role, site.token(role)));
    let expired = site.token(Role::Admin);
    let id = expired.split('_').nth(1).expect("an id").to_owned();
    site.app
        .state()
        .with(|c| c.execute("UPDATE tokens SET expires_at = '2020-01-01T00:00:00.000Z' WHERE id = ?", [id]))
        .expect("expired");
    let mut checked = 0;
    for (method, path, access) in rules() {
        let at = filled(path);
        let Access::Needs(need) = access else { continue };
        let page = !path.starts_with("/api/") && *method == "GET";
        let nobody = site.ask_with(method, &at, &[], "");
        let refused = if page { StatusCode::SEE_OTHER } else { StatusCode::UNAUTHORIZED };
        assert_eq!(nobody.status, refused, "{method} {path} for nobody");
        let gone = site.ask_with(method, &at, &[("authorization", &format!("Bearer {expired}"))], "");
        assert_eq!(gone.status, StatusCode::UNAUTHORIZED, "{method} {path} with a token that ended");
        for (role, token) in &tokens {
            let reply = site.ask_with(method, &at, &[("authorization", &format!("Bearer {token}"))], "");
            let denied = matches!(reply.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            assert_eq!(denied, *role < need.role, "{method} {path} for {role:?}: {} {}", reply.status, reply.text);
            checked += 1;
        }
    }
    assert!(checked > 180, "only {checked} pairs were checked");
}

#[test]
fn u35_scopes_narrow_what_a_token_may_do() {
    let site = Site::new();
    let token = site.token_for(Role::Admin, &[Scope::Read]);
    assert_eq!(site.get(&token, "/api/v1/backups").status, StatusCode::OK);
    for (method, path, access) in rules() {
        let Access::Needs(need) = access else { continue };
        if need.scope == Scope::Read {
            continue;
        }
        let reply = site.ask_with(method, &filled(path), &[("authorization", &format!("Token {token}"))], "");
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{method} {path}");
    }
}

#[test]
fn t17_the_public_routes_are_these_and_every_documented_route_has_a_rule() {
    let public: Vec<(&str, &str)> =
        rules().filter(|r| r.2 == Access::Public && !r.1.starts_with("/assets")).map(|r| (r.0, r.1)).collect();
    let allowed = [
        ("POST", "/api/v1/setup"),
        ("POST", "/api/v1/session"),
        ("GET", "/login"),
        ("POST", "/login"),
        ("GET", "/setup"),
        ("POST", "/setup"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
    ];
    for route in &public {
        assert!(allowed.contains(route), "{route:?} is open to everybody");
    }
    let (_, document) = merganser::server::api::router();
    let document = serde_json::to_value(&document).expect("JSON");
    let mut documented = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            documented.insert((method.to_uppercase(), path.clone()));
        }
    }
    // The matrix goes through the rules: each route of the document has exactly one, and no rule is of a route that is not there.
    let ruled: Vec<(String, String)> =
        merganser::server::api::ACCESS.iter().map(|(m, p, _)| ((*m).to_owned(), (*p).to_owned())).collect();
    let once: BTreeSet<_> = ruled.iter().cloned().collect();
    assert_eq!(once.len(), ruled.len(), "a route has two rules");
    assert_eq!(once, documented);
}

#[test]
fn u35_nobody_reaches_what_has_no_route() {
    let site = Site::new();
    for path in ["/api/v1/nothing", "/..%2f..%2fetc/passwd", "/assets/..%2fstate.db", "/state.db"] {
        let reply = site.runtime.block_on(Site::send(site.app.clone(), request("GET", path, &[], "")));
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(reply.code(), "not_found");
    }
}

#[test]
fn u35_a_person_with_their_own_records_reaches_nothing_else() {
    let site = Site::new();
    let operator = site.token(Role::Operator);
    let others = site.analyzed(&operator);
    let backups = site.get(&operator, "/api/v1/backups").json();
    let own = people::Own { target: "main".to_owned(), conditions: vec!["users: id = 1".to_owned()] };
    let user = people::add(site.app.state(), "ada", Role::Operator, super::PASSWORD, Some(&own)).expect("a user");
    let new = people::NewToken { name: "test", scopes: &Scope::ALL, days: 1 };
    let ada = people::create_token(site.app.state(), &site.world.home, &user, &new, "test").expect("a token").1;
    let id = backups["items"][0]["id"].as_str().expect("an id");
    for path in [
        "/api/v1/backups".to_owned(),
        format!("/api/v1/backups/{id}/content"),
        "/api/v1/analyses".to_owned(),
        format!("/api/v1/analyses/{others}"),
        format!("/api/v1/analyses/{others}/records"),
        "/api/v1/operations".to_owned(),
        "/api/v1/merges".to_owned(),
        "/backups".to_owned(),
        "/api/admin/backup/download?action=create-and-download&type=incremental".to_owned(),
    ] {
        assert_eq!(site.get(&ada, &path).status, 403, "{path}");
    }
    let refused = site.ask(&ada, "POST", "/api/v1/merges", &[("idempotency-key", "1")], &json!({"analysis": others}));
    assert_eq!(refused.status, 403, "{}", refused.text);
    // The very file that somebody else brought: whoever has it knows what is in it, and takes only what is theirs.
    let bytes = std::fs::read(site.world.path("friday.json.tmp")).expect("read");
    let put = site.ask_with("PUT", "/api/v1/uploads/mine.json", &[("authorization", &format!("Bearer {ada}"))], bytes);
    assert_eq!(put.status, 201, "{}", put.text);
    let mine = site.analyze(&ada, put.json()["id"].as_str().expect("an id"));
    let records = site.get(&ada, &format!("/api/v1/analyses/{mine}/records")).json();
    let keys: Vec<_> = records["items"].as_array().expect("items").iter().map(|r| r["id"].clone()).collect();
    assert!(!keys.is_empty(), "{records}");
    let tables: Vec<_> =
        records["items"].as_array().expect("items").iter().map(|r| (r["table"].clone(), r["key"].clone())).collect();
    assert!(tables.iter().all(|(table, key)| table == "users" && *key == json!({"id": 1})), "{tables:?}");
}
