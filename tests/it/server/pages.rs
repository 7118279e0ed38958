//! What pages say: why a backup is kept, what a review knows and from where, names that have to be mapped, whom a merge is
//! told to, clocks that are wrong.

use super::{SQL, Site};
use axum::http::StatusCode;
use merganser::server::Role;
use serde_json::{Value as Json, json};

/// Sends a form as a page's.
fn form(site: &Site, token: &str, path: &str, fields: &[(&str, &str)]) -> super::Reply {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    site.ask_with("POST", path, &headers, body)
}

fn page(site: &Site, token: &str, path: &str) -> String {
    let reply = site.get(token, path);
    assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text);
    reply.text
}

/// Waits for the operation that a form began.
fn ended(site: &Site, token: &str, reply: &super::Reply) -> Json {
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text);
    let id = reply.headers["location"].to_str().expect("a location").rsplit('/').next().expect("an id").to_owned();
    loop {
        let operation = site.get(token, &format!("/api/v1/operations/{id}")).json();
        if operation["state"] != "running" {
            return operation;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn merged(site: &Site, token: &str, id: &str, key: &str, more: &Json) -> Json {
    let mut body = json!({"analysis": id});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let done = site.end(token, &site.ask(token, "POST", "/api/v1/merges", &[("idempotency-key", key)], &body));
    assert_eq!(done["state"], "done", "{done}");
    done
}

#[test]
fn the_list_of_backups_says_why_each_is_kept() {
    let site = Site::new();
    let token = site.token(Role::Admin);
    let asked = json!({"name": "nightly", "cron": "15 2 * * *", "target": "main", "keep_last": 1});
    assert_eq!(site.ask(&token, "POST", "/api/v1/schedules", &[], &asked).status, StatusCode::CREATED);
    let by_hand = json!({"target": "main", "name": "by hand"});
    site.end(&token, &site.ask(&token, "POST", "/api/v1/backups", &[("idempotency-key", "h")], &by_hand));
    let tagged = |name: &str| json!({"target": "main", "name": name, "tags": ["schedule:nightly"]});
    for name in ["first", "second"] {
        site.end(&token, &site.ask(&token, "POST", "/api/v1/backups", &[("idempotency-key", name)], &tagged(name)));
    }
    let because = |name: &str| {
        let all = site.get(&token, "/api/v1/backups").json();
        let one = all["items"].as_array().unwrap().iter().find(|b| b["name"] == name).cloned().unwrap();
        one["kept_because"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(because("by hand"), "");
    assert!(because("second").contains("last"), "{}", because("second"));
    assert_eq!(because("first"), "goes at the next run");
    let shown = page(&site, &token, "/backups");
    assert!(shown.contains("no rule removes it") && shown.contains("goes at the next run"), "{shown}");
    // A plan that can still be merged needs its backup, whatever the rules say.
    let id = site.analyze(&token, "first");
    assert_eq!(because("first"), format!("needed by the plan {id}"));
    let run = site.ask(&token, "POST", "/api/v1/schedules/nightly/run", &[("idempotency-key", "r")], &json!({}));
    assert_eq!(site.end(&token, &run)["state"], "done");
    let names = site.get(&token, "/api/v1/backups").text;
    assert!(names.contains("\"first\"") && !names.contains("\"second\""), "what was said is what was done: {names}");
}

#[test]
fn the_review_says_what_was_measured_and_nothing_else() {
    let sql = format!(
        "{SQL} CREATE TABLE log (what TEXT); CREATE TRIGGER touch AFTER UPDATE ON users BEGIN
         UPDATE users SET updated_at = '2026-12-24T00:00:00Z' WHERE id = new.id; END;"
    );
    let site = Site::with(&sql, |_| {}, |_| {});
    let token = site.token(Role::Admin);
    let id = site.analyzed(&token);
    let skip = json!({"decision": {"action": "current"}});
    site.ask(&token, "POST", &format!("/api/v1/analyses/{id}/decisions"), &[("if-match", "*")], &skip);
    let review = format!("/analyses/{id}/review");
    let before = page(&site, &token, &review);
    assert!(before.contains("not measured here yet"), "{before}");
    assert!(before.contains("a dry run finds out which columns"), "{before}");
    let place = site.app.home().backups().display().to_string();
    assert!(before.contains(&format!("It is kept in {place}, not encrypted.")), "{before}");
    merged(&site, &token, &id, "dry", &json!({"dry_run": true}));
    let after = page(&site, &token, &review);
    assert!(after.contains("as its dry run took"), "{after}");
    assert!(after.contains("users.updated_at: changed by a trigger in 1 records"), "{after}");
    // Another decision is another merge: what was measured says nothing of it.
    let other = json!({"action": "backup"});
    site.ask(&token, "PATCH", &format!("/api/v1/analyses/{id}/records/users/2"), &[("if-match", "*")], &other);
    assert!(page(&site, &token, &review).contains("not measured here yet"));
    let done = merged(&site, &token, &id, "m", &json!({"backup_first": true}));
    let shown = page(&site, &token, &format!("/merges/{}", done["result"]["merge"].as_str().unwrap()));
    let backup = done["result"]["backup"].as_str().expect("a backup");
    assert!(shown.contains(&format!("/backups/{backup}")) && shown.contains("Backup made before"), "{shown}");
    assert!(shown.contains("changed by a trigger"), "{shown}");
    assert_eq!(site.get(&token, &format!("/api/v1/backups/{backup}")).json()["tags"], json!(["before-merge"]));
}

#[test]
fn a_large_merge_tells_the_pace_of_the_next() {
    let site = Site::with("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT)", |_| {}, |_| {});
    let token = site.token(Role::Operator);
    let items = |from: u32, to: u32| json!((from..to).map(|i| json!({"id": i, "name": "x"})).collect::<Vec<_>>());
    site.upload(&token, "one.json", &[("items", items(1, 700))]);
    site.upload(&token, "two.json", &[("items", items(1, 900))]);
    let first = site.analyze(&token, "one.json");
    merged(&site, &token, &first, "1", &json!({}));
    let second = site.analyze(&token, "two.json");
    let review = page(&site, &token, &format!("/analyses/{second}/review"));
    assert!(review.contains("at the pace of the last merge here ("), "{review}");
}

#[test]
fn columns_that_are_not_there_are_mapped_on_the_page() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let users =
        json!([{"id": 1, "email": "a@x", "full_title": "new name", "shoe": 43, "updated_at": "2026-11-09T00:00:00Z"}]);
    let backup = site.upload(&token, "other.json", &[("users", users)])["id"].as_str().unwrap().to_owned();
    let chosen = [("backup", backup.as_str()), ("target", "main"), ("intent", "put-back"), ("deletes", "keep")];
    let failed = ended(&site, &token, &form(&site, &token, "/analyze", &chosen));
    assert_eq!(
        (&failed["state"], &failed["problem"]["code"]),
        (&json!("failed"), &json!("schema_mismatch")),
        "{failed}"
    );
    let shown = page(&site, &token, &format!("/operations/{}", failed["id"].as_str().unwrap()));
    let link = format!("/analyze?fix={}", failed["id"].as_str().unwrap());
    assert!(shown.contains(&link) && shown.contains("Map the names") && !shown.contains("--map-column"), "{shown}");
    let wizard = page(&site, &token, &link);
    for (raw, choice) in [("users.full_title", "users.name"), ("users.shoe", "users.email")] {
        assert!(wizard.contains(&format!("name=\"column_from\" value=\"{raw}\"")), "{raw}: {wizard}");
        assert!(wizard.contains(&format!("<option value=\"{choice}\"")), "{choice}: {wizard}");
    }
    assert!(wizard.contains("value=\"put-back\" checked"), "what was asked for stays: {wizard}");
    let mut mapped = chosen.to_vec();
    mapped.extend([
        ("column_from", "users.full_title"),
        ("column_to", "users.name"),
        ("column_from", "users.shoe"),
        ("column_to", "-"),
    ]);
    let done = ended(&site, &token, &form(&site, &token, "/analyze", &mapped));
    assert_eq!(done["state"], "done", "{done}");
    let id = done["subject"].as_str().unwrap();
    let record = site.get(&token, &format!("/api/v1/analyses/{id}/records/users/1")).json();
    assert!(record.to_string().contains("new name"), "{record}");
    // Made again, it begins with the same answers.
    let again = page(&site, &token, &format!("/analyze?again={id}"));
    assert!(again.contains("<option value=\"users.name\" selected"), "{again}");
}

#[test]
fn a_merge_is_told_to_those_who_are_told_of_runs() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let id = site.analyzed(&token);
    let all = json!({"decision": {"action": "backup"}});
    site.ask(&token, "POST", &format!("/api/v1/analyses/{id}/decisions"), &[("if-match", "*")], &all);
    let done = merged(&site, &token, &id, "m", &json!({}));
    let place = format!("/merges/{}", done["result"]["merge"].as_str().unwrap());
    assert!(!page(&site, &token, &place).contains("Notify"), "nobody is named who could be told");
    drop(site);
    let told = tempfile::tempdir().expect("a folder");
    let file = told.path().join("told.json");
    let hook: merganser::hooks::Hooks = serde_json::from_value(json!({
        "on_success": {"command": ["/bin/sh", "-c", "cat > \"$1\"", "sh", file.display().to_string()]}
    }))
    .expect("hooks");
    let site = Site::configured(SQL, |config| config.settings.hooks = hook);
    let token = site.token(Role::Operator);
    let id = site.analyzed(&token);
    site.ask(&token, "POST", &format!("/api/v1/analyses/{id}/decisions"), &[("if-match", "*")], &all);
    let done = merged(&site, &token, &id, "m", &json!({}));
    let place = format!("/merges/{}", done["result"]["merge"].as_str().unwrap());
    assert!(page(&site, &token, &place).contains("Notify 1 receiver"));
    let said = form(&site, &token, &format!("{place}/notify"), &[]);
    assert!(said.status == StatusCode::OK && said.text.contains("All were told"), "{}", said.text);
    let event: Json = serde_json::from_str(&std::fs::read_to_string(&file).expect("told")).expect("JSON");
    assert_eq!(event["merge"]["id"], done["result"]["merge"]);
    assert_eq!((&event["merge"]["inserted"], &event["merge"]["updated"]), (&json!(2), &json!(3)), "{event}");
    let viewer = site.token(Role::Viewer);
    assert!(!page(&site, &viewer, &place).contains("Notify"));
}

#[test]
fn home_says_that_a_clock_is_wrong() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    site.upload(&token, "friday.json", &super::friday());
    assert!(!page(&site, &token, "/").contains("a clock is or was wrong"));
    let later = (chrono::Utc::now() + chrono::TimeDelta::days(2)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let catalog = rusqlite::Connection::open(site.app.home().root().join("catalog.db")).expect("opens");
    let changed =
        catalog.execute("UPDATE backups SET entry = json_set(entry, '$.created_at', ?)", [&later]).expect("changed");
    assert_eq!(changed, 1);
    let home = page(&site, &token, "/");
    assert!(home.contains("friday.json is dated") && home.contains("a clock is or was wrong"), "{home}");
}

#[test]
fn a_value_that_was_typed_is_not_lost_to_the_return_key() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let id = site.analyzed(&token);
    let record = site.get(&token, &format!("/api/v1/analyses/{id}/records/users/2")).json();
    let shown = page(&site, &token, &format!("/analyses/{id}/records/{}", record["id"].as_str().unwrap()));
    // The first button of a form is what Return in a field presses.
    let first = shown.split("data-conflict").nth(1).unwrap().split("<button").nth(1).unwrap();
    assert!(first.starts_with(" class=\"hidden\" name=\"take\" value=\"fields\""), "{first}");
    assert!(shown.contains("<textarea name=\"note\""), "a note never sends the form by itself");
}

#[test]
fn a_database_that_is_away_is_said_to_be_away() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let id = site.analyzed(&token);
    let backup = site.get(&token, "/api/v1/backups").json()["items"][0]["id"].as_str().unwrap().to_owned();
    std::fs::rename(site.world.path("current.db"), site.world.path("away.db")).expect("moved");
    let review = page(&site, &token, &format!("/analyses/{id}/review"));
    assert!(!review.contains("no longer in the configuration") && review.contains("can&#39;t be opened"), "{review}");
    let wizard = page(&site, &token, &format!("/analyze?backup={backup}&target=main"));
    assert!(wizard.contains("can&#39;t be opened"), "{wizard}");
}

#[test]
fn what_was_merged_waits_for_nobody() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let id = site.analyzed(&token);
    let link = format!("href=\"/analyses/{id}\"");
    assert!(page(&site, &token, "/").contains(&link));
    let all = json!({"decision": {"action": "backup"}});
    site.ask(&token, "POST", &format!("/api/v1/analyses/{id}/decisions"), &[("if-match", "*")], &all);
    let done = merged(&site, &token, &id, "m", &json!({}));
    assert!(!page(&site, &token, "/").contains(&link), "it is not open any more");
    let listed = page(&site, &token, "/analyses");
    assert!(listed.contains(&link) && listed.contains("✓ merged"), "{listed}");
    // Taken back it can be merged again.
    let merge = done["result"]["merge"].as_str().unwrap();
    let undo =
        site.ask(&token, "POST", &format!("/api/v1/merges/{merge}/undo"), &[("idempotency-key", "u")], &json!({}));
    assert_eq!(site.end(&token, &undo)["state"], "done");
    assert!(page(&site, &token, "/").contains(&link));
}

#[test]
fn pages_lead_on_to_the_next_step() {
    let site = Site::with(&format!("{SQL} INSERT INTO rooms VALUES (9, 'nine', NULL);"), |_| {}, |_| {});
    let token = site.token(Role::Operator);
    let first = page(&site, &token, "/");
    assert!(first.contains("Nothing is here yet") && first.contains("action=\"/backups/upload\""), "{first}");
    let id = site.analyzed(&token);
    assert!(page(&site, &token, "/").contains("1 analysis waits for your decisions."));
    let only = page(&site, &token, &format!("/analyses/{id}/tables/rooms?class=current_only"));
    assert!(only.contains("1 record is only in current") && only.contains("counted, not listed"), "{only}");
    let waiting = page(&site, &token, &format!("/analyses/{id}/review"));
    assert!(waiting.contains("waits for your decisions") && !waiting.contains("Exactly this will happen"), "{waiting}");
    let conflicts = site.get(&token, &format!("/api/v1/analyses/{id}/records?class=conflict")).json();
    let record = format!("/analyses/{id}/records/{}", conflicts["items"][0]["id"].as_str().expect("an id"));
    let decided = "Every conflict is decided. Next: look at what will be written.";
    assert!(!page(&site, &token, &record).contains(decided));
    let all = json!({"decision": {"action": "backup"}});
    site.ask(&token, "POST", &format!("/api/v1/analyses/{id}/decisions"), &[("if-match", "*")], &all);
    assert!(page(&site, &token, &record).contains(decided));
    assert!(page(&site, &token, "/").contains("1 analysis is ready to be merged."));
    let current = rusqlite::Connection::open(site.world.path("current.db")).expect("opens");
    current.execute("UPDATE users SET name = 'later' WHERE id = 3", []).expect("changed");
    let asked = json!({"analysis": id});
    let merge = site.ask(&token, "POST", "/api/v1/merges", &[("idempotency-key", "m")], &asked);
    let failed = site.end(&token, &merge);
    assert_eq!(failed["problem"]["code"], "plan_stale", "{failed}");
    let stale = page(&site, &token, &format!("/operations/{}", failed["id"].as_str().expect("an id")));
    assert!(stale.contains("1 record changed since the analysis"), "{stale}");
    assert!(stale.contains(&format!("/analyze?again={id}")) && stale.contains("Nothing was changed."), "{stale}");
}
