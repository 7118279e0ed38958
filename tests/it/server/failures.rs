//! U46: a page says "Nothing was changed" where the database's content proves it, and only there.

use super::{SQL, Site};
use axum::http::StatusCode;
use merganser::server::Role;
use serde_json::{Value as Json, json};

const SAID: &str = "Nothing was changed.";

/// The page of an operation as it ended.
fn page(site: &Site, token: &str, operation: &Json) -> String {
    let reply = site.get(token, &format!("/operations/{}", operation["id"].as_str().expect("an id")));
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    reply.text
}

fn begin(site: &Site, token: &str, id: &str, key: &str, more: &Json) -> super::Reply {
    let mut body = json!({"analysis": id});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    site.ask(token, "POST", "/api/v1/merges", &[("idempotency-key", key)], &body)
}

/// Lets a merge fail for a reason, and compares what its page says with what the database holds.
fn fails(what: &str, sql: &str, more: &Json, change: impl Fn(&Site, &str, &str)) {
    let site = Site::with(&format!("{SQL}{sql}"), |_| {}, |_| {});
    let token = site.token(Role::Admin);
    let id = site.analyzed(&token);
    let all = json!({"decision": {"action": "backup"}});
    site.ask(&token, "POST", &format!("/api/v1/analyses/{id}/decisions"), &[("if-match", "*")], &all);
    change(&site, &token, &id);
    let before = site.world.content();
    let ended = site.end(&token, &begin(&site, &token, &id, "m", more));
    assert_eq!(ended["state"], "failed", "{what}: {ended}");
    assert_eq!(site.world.content(), before, "{what}");
    assert!(page(&site, &token, &ended).contains(SAID), "{what}");
}

#[test]
fn u46_every_way_to_fail_says_it_and_the_content_is_the_same() {
    let clear = |site: &Site, token: &str, id: &str| {
        let all = json!({"decision": {"action": "clear"}});
        site.ask(token, "POST", &format!("/api/v1/analyses/{id}/decisions"), &[("if-match", "*")], &all);
    };
    fails("undecided", "", &json!({}), clear);
    fails("stale", "", &json!({}), |site, _, _| site.world.sql("UPDATE users SET name = 'late' WHERE id = 2"));
    fails("another schema", "", &json!({}), |site, _, _| site.world.sql("ALTER TABLE users ADD COLUMN late TEXT"));
    let refuses =
        "CREATE TRIGGER no BEFORE INSERT ON rooms WHEN new.name = 'four' BEGIN SELECT RAISE(ABORT, 'not here'); END;";
    fails("refused by the database", refuses, &json!({}), |_, _, _| {});
    fails("refused in a dry run", refuses, &json!({"dry_run": true}), |_, _, _| {});
    let drops = "CREATE TRIGGER ignores BEFORE INSERT ON rooms BEGIN SELECT RAISE(IGNORE); END;";
    fails("dropped by a trigger", drops, &json!({}), |_, _, _| {});
    let rewrites = "CREATE TRIGGER rewrites AFTER UPDATE ON users WHEN new.name = 'older' BEGIN UPDATE users SET name = 'rewritten' WHERE id = new.id; END;";
    fails("another value than was meant", rewrites, &json!({}), |_, _, _| {});
    fails("more than was allowed", "", &json!({"max_changes": 1}), |_, _, _| {});
}

#[test]
fn u46_what_is_stopped_or_can_not_be_reached_changed_nothing() {
    let site = Site::new();
    let token = site.token(Role::Admin);
    let id = site.analyzed(&token);
    let all = json!({"decision": {"action": "backup"}});
    site.ask(&token, "POST", &format!("/api/v1/analyses/{id}/decisions"), &[("if-match", "*")], &all);
    let before = site.world.content();
    let application = site.world.connection();
    application.execute_batch("BEGIN IMMEDIATE").expect("held");
    let merge = begin(&site, &token, &id, "c", &json!({}));
    let place = merge.headers["location"].to_str().expect("a location").to_owned();
    assert_eq!(site.ask(&token, "POST", &format!("{place}/cancel"), &[], &json!({})).status, StatusCode::ACCEPTED);
    application.execute_batch("ROLLBACK").expect("let go");
    let ended = site.end(&token, &merge);
    assert_eq!(ended["state"], "cancelled", "{ended}");
    assert!(page(&site, &token, &ended).contains(SAID));
    assert_eq!(site.world.content(), before);
    drop(application);
    std::fs::rename(site.world.path("current.db"), site.world.path("away.db")).expect("moved");
    let gone = begin(&site, &token, &id, "g", &json!({}));
    let said = match gone.status {
        StatusCode::ACCEPTED => page(&site, &token, &site.end(&token, &gone)),
        _ => gone.text,
    };
    assert!(said.to_lowercase().contains("nothing was changed") || !said.contains("changed"), "{said}");
    std::fs::rename(site.world.path("away.db"), site.world.path("current.db")).expect("moved back");
    assert_eq!(site.world.content(), before);
}

#[test]
fn u46_it_is_not_said_where_something_was_changed_or_nobody_knows() {
    let site = Site::new();
    let token = site.token(Role::Admin);
    let id = site.analyzed(&token);
    let all = json!({"decision": {"action": "backup"}});
    site.ask(&token, "POST", &format!("/api/v1/analyses/{id}/decisions"), &[("if-match", "*")], &all);
    let before = site.world.content();
    let done = site.end(&token, &begin(&site, &token, &id, "m", &json!({})));
    assert_eq!(done["state"], "done", "{done}");
    assert_ne!(site.world.content(), before);
    // However its end was noted: the receipt knows that it was carried out.
    for state in ["failed", "cancelled", "unknown"] {
        let mut noted = done.clone();
        noted["id"] = json!(format!("o-{state}"));
        noted["state"] = json!(state);
        let text = noted.to_string();
        site.app
            .state()
            .with(|c| {
                let sql =
                    "INSERT INTO operations (id, kind, state, started_at, operation) VALUES (?1, 'merge', ?2, ?3, ?4)";
                c.execute(sql, [&format!("o-{state}"), state, "2026-01-01T00:00:00.000Z", &text])
            })
            .expect("noted");
        let page = page(&site, &token, &noted);
        assert!(!page.contains(SAID), "{state}: {page}");
    }
}
