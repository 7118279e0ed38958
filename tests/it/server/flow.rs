//! The whole way over HTTP: upload, Analyze for Merge, decide, Perform Incremental Merge, undo; and what may go wrong.

use super::{PASSWORD, SQL, Site};
use axum::http::StatusCode;
use merganser::server::Role;
use serde_json::json;

#[test]
fn u38_upload_analyze_decide_merge_undo() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let before = site.world.content();
    let id = site.analyzed(&token);
    let view = site.get(&token, &format!("/api/v1/analyses/{id}")).json();
    assert_eq!(view["counts"]["new"], 2, "{view}");
    assert_eq!((&view["counts"]["updated"], &view["counts"]["conflict"]), (&json!(1), &json!(2)));
    let early = site.ask(&token, "POST", "/api/v1/merges", &[("idempotency-key", "early")], &json!({"analysis": id}));
    let early = site.end(&token, &early);
    assert_eq!(early["problem"]["code"], "needs_decision", "{early}");
    assert_eq!(site.world.content(), before);
    let all = json!({"decision": {"action": "backup"}, "dry_run": true});
    let path = format!("/api/v1/analyses/{id}/decisions");
    let etag = view["etag"].as_str().unwrap();
    let counted = site.ask(&token, "POST", &path, &[("if-match", etag)], &all).json();
    assert_eq!((&counted["matched"], &counted["decided"]), (&json!(2), &json!(false)));
    let all = json!({"decision": {"action": "backup"}});
    let decided = site.ask(&token, "POST", &path, &[("if-match", etag)], &all);
    assert_eq!(decided.json()["undecided"], 0, "{}", decided.text);
    let stale = site.ask(&token, "POST", &path, &[("if-match", etag)], &all);
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    let etag = decided.json()["etag"].as_str().unwrap().to_owned();
    let merge = json!({"analysis": id, "etag": etag, "note": "from a test"});
    let dry = json!({"analysis": id, "dry_run": true});
    let tried = site.end(&token, &site.ask(&token, "POST", "/api/v1/merges", &[("idempotency-key", "dry")], &dry));
    assert_eq!((&tried["state"], &tried["result"]["changed"]), (&json!("done"), &json!(false)), "{tried}");
    assert_eq!(site.world.content(), before);
    // U32: the same key again gives the same answer; with another request it is refused.
    let started = site.ask(&token, "POST", "/api/v1/merges", &[("idempotency-key", "k1")], &merge);
    let done = site.end(&token, &started);
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(tried["result"]["counts"], done["result"]["counts"]);
    let again = site.ask(&token, "POST", "/api/v1/merges", &[("idempotency-key", "k1")], &merge);
    assert_eq!(again.json()["id"], done["id"]);
    let other = site.ask(&token, "POST", "/api/v1/merges", &[("idempotency-key", "k1")], &dry);
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fresh = site.ask(&token, "POST", "/api/v1/merges", &[("idempotency-key", "k2")], &merge);
    assert_eq!((fresh.status.as_u16(), fresh.code().as_str()), (409, "already_merged"));
    assert_eq!(site.world.value("SELECT name FROM users WHERE id = 2"), "older");
    let merge = done["result"]["merge"].as_str().unwrap().to_owned();
    let listed = site.get(&token, "/api/v1/merges").json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert!(listed["items"][0]["actor"].as_str().unwrap().starts_with("operator ("), "{listed}");
    let preview = site.ask(&token, "POST", &format!("/api/v1/merges/{merge}/undo-analysis"), &[], &json!({})).json();
    assert_eq!(preview["counts"], json!({"reversed": 5, "kept": 0, "blocked": 0}), "{preview}");
    let undo =
        site.ask(&token, "POST", &format!("/api/v1/merges/{merge}/undo"), &[("idempotency-key", "u")], &json!({}));
    let undone = site.end(&token, &undo);
    assert_eq!(undone["state"], "done", "{undone}");
    assert_eq!(site.world.content(), before);
    for (path, what) in [("report.html", "<html"), ("sql", "UPDATE")] {
        let reply = site.get(&token, &format!("/api/v1/analyses/{id}/{path}"));
        assert!(reply.status == StatusCode::OK && reply.text.contains(what), "{path}: {}", reply.text);
    }
}

#[test]
fn u43_a_protected_target_asks_for_its_name_and_an_administrator() {
    let site = Site::with(SQL, |_| {}, |t| t.protected = true);
    let (operator, admin) = (site.token(Role::Operator), site.token(Role::Admin));
    let before = site.world.content();
    let id = site.analyzed(&operator);
    let path = format!("/api/v1/analyses/{id}/decisions");
    let skip = json!({"decision": {"action": "skip"}});
    site.ask(&operator, "POST", &path, &[("if-match", "*")], &skip);
    let merge = |token: &str, key: &str, confirm: Option<&str>| {
        let asked = json!({"analysis": id, "confirm": confirm});
        site.ask(token, "POST", "/api/v1/merges", &[("idempotency-key", key)], &asked)
    };
    assert_eq!(merge(&operator, "a", Some("main")).status, StatusCode::FORBIDDEN);
    assert_eq!(merge(&admin, "b", None).code(), "confirmation_needed");
    assert_eq!(merge(&admin, "c", Some("Main")).code(), "confirmation_needed");
    assert_eq!(site.world.content(), before);
    assert_eq!(site.end(&admin, &merge(&admin, "d", Some("main")))["state"], "done");
    assert_ne!(site.world.content(), before);
}

#[test]
fn u43_a_merge_that_deletes_asks_for_the_word() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    site.upload(&token, "part.json", &[("rooms", json!([])), ("users", json!([]))]);
    let asked = json!({"backup": "part.json", "target": "main", "deletes": "mirror"});
    let found = site.end(&token, &site.ask(&token, "POST", "/api/v1/analyses", &[], &asked));
    let id = found["subject"].as_str().unwrap();
    let deleted = found["result"]["preview"]["deleted"].as_u64().unwrap_or_default();
    assert_eq!(deleted, 4, "{found}");
    let refused = site.ask(&token, "POST", "/api/v1/merges", &[("idempotency-key", "a")], &json!({"analysis": id}));
    assert_eq!(refused.code(), "confirmation_needed");
    assert!(refused.text.contains("deletes 4 records"), "{}", refused.text);
    let word = json!({"analysis": id, "confirm": "RESTORE"});
    let done = site.end(&token, &site.ask(&token, "POST", "/api/v1/merges", &[("idempotency-key", "b")], &word));
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(site.world.value("SELECT count(*) FROM users"), "0");
}

#[test]
fn u45_decisions_stay_when_the_session_ends() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let id = site.analyzed(&token);
    let login = json!({"name": "operator", "password": PASSWORD}).to_string();
    let json_kind = ("content-type", "application/json");
    let log_in = || {
        let reply = site.ask_with("POST", "/api/v1/session", &[json_kind], login.clone());
        reply.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
    };
    let cookie = log_in();
    let path = format!("/api/v1/analyses/{id}/records/users/3");
    let own = ("sec-fetch-site", "same-origin");
    let decide = |cookie: &str| {
        let headers = [("cookie", cookie), json_kind, own, ("if-match", "*")];
        site.ask_with("PATCH", &path, &headers, r#"{"action":"fields","fields":{"name":{"value":"typed"}}}"#)
    };
    assert_eq!(decide(&cookie).status, StatusCode::OK);
    site.app.state().with(|c| c.execute("UPDATE sessions SET seen_at = 0", [])).unwrap();
    assert_eq!(decide(&cookie).status, StatusCode::UNAUTHORIZED);
    let cookie = log_in();
    let record = site.ask_with("GET", &path, &[("cookie", &cookie)], "").json();
    assert_eq!(record["decision"]["fields"]["name"], json!({"value": "typed"}), "{record}");
}

#[test]
fn u37_both_see_each_others_merges_and_locks() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    site.world.backup("other.json", &[("users", json!([{"id": 8, "email": "h@x"}]))]);
    let (plan, _) = site.world.analyze("other.json", None, "backup-wins", Default::default()).expect("analyzed");
    // As the command line does, which ends between analyzing and merging.
    let path = plan.path().to_owned();
    drop(plan);
    let mut plan = merganser::plan::Plan::open(&path).expect("opens");
    assert_eq!(site.get(&token, "/api/v1/analyses").json()["items"][0]["id"], plan.meta().id.as_str());
    let report = site
        .world
        .merge(&mut plan, merganser::executor::Ending::Commit, merganser::executor::OnBlocked::Refuse)
        .expect("merged");
    let listed = site.get(&token, "/api/v1/merges").json();
    assert_eq!(listed["items"][0]["id"], report.merge.as_str());
    assert_eq!(listed["items"][0]["target"], "main");
    assert_eq!(merganser::executor::audit::verify(site.app.home()).expect("sound"), 2, "the token and the merge");
}

#[test]
fn u47_ready_turns_red_when_a_target_is_down() {
    let site = Site::new();
    assert_eq!(site.ask_with("GET", "/readyz", &[], "").status, StatusCode::OK);
    std::fs::remove_file(site.world.path("current.db")).unwrap();
    let red = site.ask_with("GET", "/readyz", &[], "");
    assert_eq!(red.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!red.text.contains("current.db"), "strangers are not told where: {}", red.text);
    assert_eq!(site.ask_with("GET", "/healthz", &[], "").status, StatusCode::OK);
    let full = Site::with(SQL, |o| o.least_free_bytes = u64::MAX / 2, |_| {});
    assert_eq!(full.ask_with("GET", "/readyz", &[], "").status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(full.ask_with("GET", "/healthz", &[], "").status, StatusCode::OK);
    let metrics = site.ask_with("GET", "/metrics", &[], "").text;
    assert!(metrics.contains("merganser_build_info{version="), "{metrics}");
}

#[test]
fn fifty_readers_while_a_merge_runs() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let id = site.analyzed(&token);
    let path = format!("/api/v1/analyses/{id}/decisions");
    site.ask(&token, "POST", &path, &[("if-match", "*")], &json!({"decision": {"action": "backup"}}));
    // The application holds the database for a moment, so that the merge is still there while others read.
    let application = site.world.connection();
    application.execute_batch("BEGIN IMMEDIATE").unwrap();
    let merge = site.ask(&token, "POST", "/api/v1/merges", &[("idempotency-key", "m")], &json!({"analysis": id}));
    assert_eq!(merge.status, StatusCode::ACCEPTED, "{}", merge.text);
    let bearer = format!("Bearer {token}");
    let readers: Vec<_> = (0..50)
        .map(|n| {
            let path = match n % 5 {
                0 => "/api/v1/backups".to_owned(),
                1 => format!("/api/v1/analyses/{id}"),
                2 => format!("/api/v1/analyses/{id}/records"),
                3 => "/api/v1/operations".to_owned(),
                _ => format!("/api/v1/analyses/{id}/patterns"),
            };
            let asked = super::request("GET", &path, &[("authorization", &bearer)], "");
            site.runtime.spawn(Site::send(site.app.clone(), asked))
        })
        .collect();
    for reader in readers {
        let reply = site.runtime.block_on(reader).unwrap();
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    }
    // T25: who has a job running gets no second one; nobody merges into the same database meanwhile.
    let second = site.ask(&token, "POST", "/api/v1/merges", &[("idempotency-key", "n")], &json!({"analysis": id}));
    assert_eq!((second.status.as_u16(), second.code().as_str()), (409, "merge_running"));
    let more = json!({"backup": "friday.json", "target": "main"});
    let more = site.ask(&token, "POST", "/api/v1/analyses", &[], &more);
    assert_eq!((more.status.as_u16(), more.headers.contains_key("retry-after")), (429, true), "{}", more.text);
    let same = site.ask(&token, "POST", "/api/v1/merges", &[("idempotency-key", "m")], &json!({"analysis": id}));
    assert_eq!((same.status.as_u16(), same.code().as_str()), (409, "still_running"));
    application.execute_batch("ROLLBACK").unwrap();
    assert_eq!(site.end(&token, &merge)["state"], "done");
}

#[test]
fn u48_a_schedule_that_can_not_run_is_overdue_within_a_period() {
    let site = Site::new();
    let token = site.token(Role::Admin);
    let asked = json!({"name": "nightly", "cron": "*/10 * * * *", "target": "main"});
    let added = site.ask(&token, "POST", "/api/v1/schedules", &[], &asked);
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    let metric = || {
        let text = site.ask_with("GET", "/metrics", &[], "").text;
        let line =
            text.lines().find(|l| l.starts_with("merganser_schedule_overdue{plan=\"nightly\"}")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{text}")).rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(metric(), "0");
    // Its database goes away, and so does time: two of its periods.
    std::fs::rename(site.world.path("current.db"), site.world.path("gone.db")).unwrap();
    let home = site.app.home();
    let mut kept = merganser::schedule::store::find(home, "nightly").unwrap();
    let past = chrono::Utc::now() - chrono::TimeDelta::minutes(20);
    (kept.schedule.created_at, kept.state.handled_at) = (past, past);
    merganser::schedule::store::save(home, &kept).unwrap();
    assert_eq!(metric(), "1", "the scheduler itself may be stuck");
    let run = site.ask(&token, "POST", "/api/v1/schedules/nightly/run", &[("idempotency-key", "r")], &json!({}));
    assert_eq!(site.end(&token, &run)["state"], "failed");
    assert_eq!(metric(), "1", "a run that failed is none");
    assert_eq!(site.get(&token, "/api/v1/schedules/nightly").json()["overdue"], true);
    std::fs::rename(site.world.path("gone.db"), site.world.path("current.db")).unwrap();
    let run = site.ask(&token, "POST", "/api/v1/schedules/nightly/run", &[("idempotency-key", "s")], &json!({}));
    assert_eq!(site.end(&token, &run)["state"], "done");
    assert_eq!(metric(), "0");
}
