//! The API's manners: problems, ETags, keys, cursors, events, uploads.

use super::{CANARY, SQL, Site};
use axum::body::Body;
use axum::http::StatusCode;
use merganser::ErrorKind;
use merganser::server::Role;
use merganser::server::access::{Access, rules};
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn u29_the_openapi_document_is_the_golden_file() {
    let made = merganser::server::api::document();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots/openapi.json");
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        made == golden,
        "the API changed: look at the difference, then 'merganser openapi > snapshots/openapi.json'"
    );
}

#[test]
fn u30_every_error_is_a_problem_document_with_a_known_code() {
    let site = Site::new();
    let token = site.token(Role::Admin);
    let known: BTreeSet<&str> =
        ErrorKind::ALL.iter().map(|k| k.code()).chain(merganser::server::problem::OWN.iter().map(|o| o.0)).collect();
    let mut seen = BTreeSet::new();
    for (method, path, access) in rules() {
        if *access == Access::Public || !path.starts_with("/api/v1/") {
            continue;
        }
        let path =
            path.replace("{id}", "none").replace("{table}", "none").replace("{key}", "1").replace("{name}", "x.json");
        for (kind, body) in [
            ("text/plain", "x"),
            ("application/json", "{"),
            ("application/json", "[]"),
            ("application/json", "{\"a\":1}"),
        ] {
            let headers = [
                ("authorization", format!("Bearer {token}")),
                ("content-type", kind.to_owned()),
                ("if-match", "x".to_owned()),
                ("idempotency-key", "k".to_owned()),
            ];
            let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let reply = site.ask_with(method, &path, &headers, body.to_owned());
            if reply.status.is_success() {
                continue;
            }
            assert!(!reply.status.is_server_error(), "{method} {path} {body}: {}", reply.text);
            assert_eq!(reply.headers["content-type"], "application/problem+json", "{method} {path}: {}", reply.text);
            let code = reply.code();
            assert!(known.contains(code.as_str()), "{method} {path}: {code}");
            assert_eq!(reply.json()["status"], reply.status.as_u16());
            seen.insert(code);
        }
    }
    for code in ["not_found", "malformed", "invalid", "unsupported_media_type"] {
        assert!(seen.contains(code), "{code} was never seen in {seen:?}");
    }
}

#[test]
fn u31_a_decision_needs_the_etag_and_of_two_exactly_one_wins() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let id = site.analyzed(&token);
    let path = format!("/api/v1/analyses/{id}/records/users/2");
    let record = site.get(&token, &path);
    let etag = record.headers["etag"].to_str().unwrap().to_owned();
    let answer = json!({"action": "backup"});
    let missing = site.ask(&token, "PATCH", &path, &[], &answer);
    assert_eq!((missing.status.as_u16(), missing.code().as_str()), (428, "precondition_required"));
    let same =
        site.ask_with("GET", &path, &[("authorization", &format!("Bearer {token}")), ("if-none-match", &etag)], "");
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    let bearer = format!("Bearer {token}");
    let both: Vec<_> = ["backup", "current"]
        .into_iter()
        .map(|action| {
            let headers =
                [("authorization", bearer.as_str()), ("content-type", "application/json"), ("if-match", etag.as_str())];
            let asked = super::request("PATCH", &path, &headers, json!({"action": action}).to_string());
            site.runtime.spawn(Site::send(site.app.clone(), asked))
        })
        .collect();
    let both: Vec<_> = both.into_iter().map(|one| site.runtime.block_on(one).expect("an answer")).collect();
    let mut statuses: Vec<u16> = both.iter().map(|r| r.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    // U44: who comes second is told by whom it was decided, and what was decided stays.
    let second = both.iter().find(|r| r.status.as_u16() == 412).unwrap();
    assert!(second.text.contains("decided by operator"), "{}", second.text);
    let first = both.iter().find(|r| r.status.as_u16() == 200).unwrap().json();
    assert_eq!(site.get(&token, &path).json()["decision"], first["decision"]);
}

#[test]
fn u33_paging_visits_each_record_once_while_decisions_change() {
    let rows: Vec<String> = (1..=57).map(|i| format!("({i}, 'r{i}', '2026-11-02T00:00:00Z')")).collect();
    let sql = format!(
        "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, updated_at TEXT); INSERT INTO items VALUES {}",
        rows.join(", ")
    );
    let site = Site::with(&sql, |_| {}, |_| {});
    let token = site.token(Role::Operator);
    let records: Vec<_> =
        (1..=57).map(|i| json!({"id": i, "name": "x", "updated_at": "2026-11-01T00:00:00Z"})).collect();
    site.upload(&token, "items.json", &[("items", json!(records))]);
    let id = site.analyze(&token, "items.json");
    let mut seen = BTreeSet::new();
    let mut next = Some(format!("/api/v1/analyses/{id}/records?class=conflict&limit=10"));
    let mut pages = 0;
    while let Some(path) = next {
        let reply = site.get(&token, &path);
        let page = reply.json();
        assert_eq!(page["total"], 57);
        for item in page["items"].as_array().unwrap() {
            assert!(seen.insert(item["record"].as_str().unwrap().to_owned()), "{} came twice", item["record"]);
        }
        let first = page["items"][0].clone();
        let place = format!("/api/v1/analyses/{id}/records/items/{}", first["record"].as_str().unwrap());
        let etag = first["etag"].as_str().unwrap();
        let decided = site.ask(&token, "PATCH", &place, &[("if-match", etag)], &json!({"action": "skip"}));
        assert_eq!(decided.status, StatusCode::OK, "{}", decided.text);
        pages += 1;
        next = page["next_cursor"]
            .as_str()
            .map(|c| format!("/api/v1/analyses/{id}/records?class=conflict&limit=10&cursor={c}"));
        assert_eq!(next.is_some(), reply.headers.contains_key("link"));
    }
    assert_eq!((seen.len(), pages), (57, 6));
    let wrong = site.get(&token, &format!("/api/v1/analyses/{id}/records?cursor=1;drop"));
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[test]
fn u33_a_list_that_grows_and_shrinks_in_front_shows_each_once() {
    let site = Site::new();
    let token = site.token(Role::Admin);
    let upload = |name: &str| site.upload(&token, name, &[("users", json!([{"id": name.len(), "name": name}]))]);
    (1..=5).for_each(|n| drop(upload(&format!("{}.json", "x".repeat(n)))));
    let (mut seen, mut next, mut pages) = (Vec::new(), Some("/api/v1/backups?limit=2".to_owned()), 0);
    while let Some(path) = next {
        let page = site.get(&token, &path).json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|b| b["name"].as_str().unwrap().to_owned()));
        pages += 1;
        // Meanwhile one comes; later the newest that was seen goes.
        if pages == 1 {
            upload("late.json");
        } else if pages == 2 {
            let gone = site.ask(&token, "DELETE", "/api/v1/backups/late.json", &[], &json!({}));
            assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
        }
        next = page["next_cursor"].as_str().map(|c| format!("/api/v1/backups?limit=2&cursor={c}"));
    }
    let expected: Vec<String> = (1..=5).rev().map(|n| format!("{}.json", "x".repeat(n))).collect();
    assert_eq!((seen, pages), (expected, 3));
}

#[test]
fn u34_events_go_on_where_one_left_off() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    site.upload(&token, "friday.json", &super::friday());
    let asked = json!({"backup": "friday.json", "target": "main"});
    let started = site.ask(&token, "POST", "/api/v1/analyses", &[], &asked);
    let place = format!("{}/events", started.headers["location"].to_str().unwrap());
    let whole = site.get(&token, &place);
    assert_eq!(whole.headers["content-type"], "text/event-stream");
    let ids = |text: &str| {
        text.lines().filter_map(|l| l.strip_prefix("id: ").map(|n| n.parse::<u64>().unwrap())).collect::<Vec<_>>()
    };
    let all = ids(&whole.text);
    assert_eq!(all, (1..=all.len() as u64).collect::<Vec<_>>());
    assert!(whole.text.contains("event: phase") && whole.text.trim_end().contains("event: result"), "{}", whole.text);
    assert!(whole.text.contains("retry: 2000"));
    let bearer = format!("Bearer {token}");
    let rest = site.ask_with("GET", &place, &[("authorization", &bearer), ("last-event-id", "2")], "");
    assert_eq!(ids(&rest.text), (3..=all.len() as u64).collect::<Vec<_>>());
    assert!(!whole.text.contains(CANARY));
    // Who has seen the end, or says so, is told that nothing comes any more, and waits for nothing.
    for seen in [all.len() as u64, 999_999, u64::MAX] {
        let seen = seen.to_string();
        let none = site.ask_with("GET", &place, &[("authorization", &bearer), ("last-event-id", &seen)], "");
        assert_eq!((none.status, none.text.as_str()), (StatusCode::NO_CONTENT, ""));
    }
}

#[test]
fn u36_an_upload_that_is_too_large_or_breaks_off_leaves_nothing() {
    let site = Site::with(SQL, |o| o.largest_upload_bytes = 1000, |_| {});
    let token = site.token(Role::Operator);
    let bearer = format!("Bearer {token}");
    let uploads = || std::fs::read_dir(site.app.home().root().join("uploads")).map_or(0, Iterator::count);
    let said =
        site.ask_with("PUT", "/api/v1/uploads/a.json", &[("authorization", &bearer), ("content-length", "1001")], "x");
    assert_eq!((said.status.as_u16(), said.code().as_str()), (413, "too_large"));
    let pieces = |count: usize, broken: bool| {
        let whole = (0..count).map(|_| Ok::<_, std::io::Error>(vec![b' '; 400]));
        let end = broken.then(|| Err(std::io::Error::other("gone")));
        Body::from_stream(tokio_stream::iter(whole.chain(end).collect::<Vec<_>>()))
    };
    let unsaid = site.ask_with("PUT", "/api/v1/uploads/a.json", &[("authorization", &bearer)], pieces(4, false));
    assert_eq!(unsaid.status, StatusCode::PAYLOAD_TOO_LARGE);
    let broken = site.ask_with("PUT", "/api/v1/uploads/a.json", &[("authorization", &bearer)], pieces(1, true));
    assert_eq!((broken.status.as_u16(), broken.code().as_str()), (400, "malformed"));
    let nonsense = site.ask_with("PUT", "/api/v1/uploads/a.json", &[("authorization", &bearer)], "no backup");
    assert_eq!(nonsense.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", nonsense.text);
    assert!(!nonsense.text.contains("uploads/"), "{}", nonsense.text);
    let text = r#"{"tables":[{"tableName":"users","records":[]}],"metadata":{"version":"1.0"}}"#;
    let wrong = [("authorization", bearer.as_str()), ("content-digest", "sha-256=:AAAA:")];
    assert_eq!(site.ask_with("PUT", "/api/v1/uploads/a.json", &wrong, text).status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(uploads(), 0);
    assert_eq!(site.get(&token, "/api/v1/backups").json()["total"], 0);
    let kept = site.ask_with("PUT", "/api/v1/uploads/a.json", &[("authorization", &bearer)], text);
    assert_eq!(kept.status, StatusCode::CREATED, "{}", kept.text);
    assert_eq!(uploads(), 0);
}
