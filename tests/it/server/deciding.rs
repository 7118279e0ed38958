//! Deciding: notes beside decisions, seals that are renewed a piece at a time, and decisions files over HTTP.

use super::Site;
use merganser::plan::Plan;
use merganser::server::Role;
use rusqlite::Connection;
use serde_json::json;

#[test]
fn a_note_stays_beside_its_decision_and_goes_with_it() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let id = site.analyzed(&token);
    let path = format!("/api/v1/analyses/{id}/records/users/2");
    let before = site.get(&token, &path).json();
    assert_eq!(before["decision_note"], json!(null));
    let noted = json!({"action": "backup", "note": "  asked Ana: the older name is right "});
    let reply = site.ask(&token, "PATCH", &path, &[("if-match", before["etag"].as_str().unwrap())], &noted);
    assert_eq!(reply.json()["decision_note"], "asked Ana: the older name is right", "{}", reply.text);
    // Who saw the decision without the note is told that something changed.
    let other = json!({"action": "backup", "note": "no"});
    let decided = site.ask(&token, "PATCH", &path, &[("if-match", before["etag"].as_str().unwrap())], &other);
    assert_eq!(decided.status, 412, "{}", decided.text);
    // It travels in the decisions file, into another analysis of the same backup.
    let file = site.get(&token, &format!("/api/v1/analyses/{id}/decisions")).json();
    assert_eq!(file["decisions"][0]["note"], "asked Ana: the older name is right", "{file}");
    let again = site.analyze(&token, "friday.json");
    let place = format!("/api/v1/analyses/{again}/decisions");
    let taken = site.ask(&token, "PUT", &place, &[("if-match", "*")], &file);
    assert_eq!(taken.json()["taken"], 1, "{}", taken.text);
    let there = format!("/api/v1/analyses/{again}/records/users/2");
    assert_eq!(site.get(&token, &there).json()["decision_note"], "asked Ana: the older name is right");
    let long = json!({"action": "backup", "note": "x".repeat(1001)});
    assert_eq!(site.ask(&token, "PATCH", &path, &[("if-match", "*")], &long).status, 422);
    assert_eq!(site.get(&token, &path).json()["decision_note"], "asked Ana: the older name is right");
    let other = site.ask(&token, "PATCH", &path, &[("if-match", "*")], &json!({"action": "skip"}));
    assert_eq!(other.json()["decision_note"], json!(null), "another decision has no note of the one before");
    let pattern = json!({"decision": {"action": "current", "note": "all of them"}, "replace": true});
    site.ask(&token, "POST", &format!("/api/v1/analyses/{id}/decisions"), &[("if-match", "*")], &pattern);
    assert_eq!(site.get(&token, &path).json()["decision_note"], "all of them");
    let cleared = site.ask(&token, "PATCH", &path, &[("if-match", "*")], &json!({"action": "clear"}));
    assert_eq!((&cleared.json()["decision"], &cleared.json()["decision_note"]), (&json!(null), &json!(null)));
}

#[test]
fn a_decisions_file_is_taken_as_the_command_line_takes_it() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let id = site.analyzed(&token);
    let place = format!("/api/v1/analyses/{id}/decisions");
    // What was decided about a record that looked different is asked again.
    let other = json!({"schema": "merganser.decisions/1", "decisions": [
        {"id": "", "table": "users", "key": "2", "seen": "0000000000000000", "action": "backup"}]});
    let taken = site.ask(&token, "PUT", &place, &[("if-match", "*")], &other).json();
    assert_eq!(taken["taken"], 0, "{taken}");
    assert!(taken["not_taken"][0].as_str().unwrap().contains("looks different"), "{taken}");
    // AccoReg's own values lie over the backup's record.
    let custom = json!({"User_2": {"action": "use_custom", "customData": {"email": "typed@x"}}});
    let taken = site.ask(&token, "PUT", &place, &[("if-match", "*")], &custom).json();
    assert_eq!(taken["taken"], 1, "{taken}");
    let record = site.get(&token, &format!("/api/v1/analyses/{id}/records/users/2")).json();
    let fields = &record["decision"]["fields"];
    assert_eq!((&fields["email"], &fields["name"]), (&json!({"value": "typed@x"}), &json!("backup")), "{record}");
}

/// A site with an analysis of so many conflicts.
fn many(count: usize) -> (Site, String, String) {
    let rows: Vec<String> = (1..=count).map(|i| format!("({i}, 'here')")).collect();
    let sql =
        format!("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO items VALUES {}", rows.join(","));
    let site = Site::with(&sql, |_| {}, |_| {});
    let token = site.token(Role::Operator);
    let records: Vec<_> = (1..=count).map(|i| json!({"id": i, "name": "there"})).collect();
    site.upload(&token, "items.json", &[("items", json!(records))]);
    let id = site.analyze(&token, "items.json");
    (site, token, id)
}

#[test]
fn f29_what_other_hands_changed_is_found_wherever_it_is() {
    for (statement, at_once) in [
        // Beside the record that is decided next, which is sealed with it.
        ("UPDATE records SET decision = '{\"action\":\"backup\"}' WHERE record = '3'", true),
        ("UPDATE records SET fields = x'00' WHERE record = '2'", true),
        ("DELETE FROM records WHERE record = '4'", true),
        ("INSERT INTO notes VALUES (3, 'forged')", true),
        ("UPDATE seals SET digest = zeroblob(32) WHERE chunk = 0", true),
        ("UPDATE meta SET value = replace(value, 'manual', 'backup-wins') WHERE key = 'plan'", true),
        ("DROP TABLE seals", true),
        // Far from it: nothing reads it before the plan is carried out.
        ("UPDATE records SET decision = '{\"action\":\"backup\"}' WHERE record = '599'", false),
        ("DELETE FROM records WHERE record = '600'", false),
    ] {
        let (site, token, id) = many(600);
        let first = format!("/api/v1/analyses/{id}/records/items/1");
        let noted = json!({"action": "current", "note": "mine"});
        assert_eq!(site.ask(&token, "PATCH", &first, &[("if-match", "*")], &noted).status, 200);
        let path = site.app.plan_path(&id).expect("a plan");
        Plan::open(&path).expect("opens").verify_seal(&site.app.home().key().expect("a key")).expect("sealed");
        let before = site.world.content();
        let connection = Connection::open(&path).expect("opens");
        connection.execute_batch(statement).unwrap_or_else(|e| panic!("{statement}: {e}"));
        drop(connection);
        let second = format!("/api/v1/analyses/{id}/records/items/2");
        let decided = site.ask(&token, "PATCH", &second, &[("if-match", "*")], &json!({"action": "current"}));
        assert_eq!(decided.status.is_success(), !at_once, "{statement}: {}", decided.text);
        let all = json!({"decision": {"action": "current"}});
        let place = format!("/api/v1/analyses/{id}/decisions");
        let bulk = site.ask(&token, "POST", &place, &[("if-match", "*")], &all);
        assert!(!bulk.status.is_success(), "{statement}: a decision about all reads all");
        let merge = site.ask(&token, "POST", "/api/v1/merges", &[("idempotency-key", "m")], &json!({"analysis": id}));
        let problem = match merge.status.as_u16() {
            202 => site.end(&token, &merge)["problem"].clone(),
            _ => merge.json(),
        };
        // The seals of pieces alone decide nothing: all that is sealed is as it was.
        let expected = if statement.starts_with("UPDATE seals") { "needs_decision" } else { "plan_mismatch" };
        assert_eq!(problem["code"], expected, "{statement}: {problem}");
        assert_eq!(site.world.content(), before);
    }
}

#[test]
fn another_strategy_never_blesses_what_other_hands_changed() {
    let (site, token, id) = many(600);
    let connection = Connection::open(site.app.plan_path(&id).expect("a plan")).expect("opens");
    connection
        .execute("UPDATE records SET decision = '{\"action\":\"backup\"}' WHERE record = '600'", [])
        .expect("changed");
    drop(connection);
    let asked = json!({"strategy": "current-wins"});
    let refused = site.ask(&token, "PATCH", &format!("/api/v1/analyses/{id}"), &[("if-match", "*")], &asked);
    assert_eq!(refused.code(), "plan_mismatch", "{}", refused.text);
}

#[test]
fn a_plan_of_before_there_were_pieces_is_decided_on() {
    let (site, token, id) = many(300);
    let key = site.app.home().key().expect("a key");
    let path = site.app.plan_path(&id).expect("a plan");
    // As an earlier version left it: one digest over everything, no table of pieces.
    let connection = Connection::open(&path).expect("opens");
    let mut hasher = blake3::Hasher::new_keyed(&key);
    for (text, columns) in [
        ("SELECT key, value FROM meta WHERE key <> 'seal' ORDER BY key", 2),
        (
            "SELECT id, table_id, key_bytes, class, reason, key, fields, digests, clocks, decision, NULL, limits FROM records ORDER BY id",
            12,
        ),
    ] {
        let mut statement = connection.prepare(text).expect("a query");
        let mut rows = statement.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            for column in 0..columns {
                use rusqlite::types::ValueRef;
                let (tag, bytes): (u8, &[u8]) = match row.get_ref(column).expect("a value") {
                    ValueRef::Null => (0, &[]),
                    ValueRef::Integer(i) => {
                        hasher.update(&[1]).update(&i.to_le_bytes());
                        continue;
                    }
                    ValueRef::Real(_) => panic!("no reals"),
                    ValueRef::Text(t) => (3, t),
                    ValueRef::Blob(b) => (4, b),
                };
                hasher.update(&[tag]).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
            }
        }
    }
    let seal = hasher.finalize().to_hex().to_string();
    connection.execute_batch("DROP TABLE seals").expect("dropped");
    connection.execute("UPDATE meta SET value = ? WHERE key = 'seal'", [seal]).expect("sealed");
    drop(connection);
    Plan::open(&path).expect("opens").verify_seal(&key).expect("sealed as before");
    let record = format!("/api/v1/analyses/{id}/records/items/1");
    let decided = site.ask(&token, "PATCH", &record, &[("if-match", "*")], &json!({"action": "backup", "note": "x"}));
    assert_eq!(decided.status, 200, "{}", decided.text);
    Plan::open(&path).expect("opens").verify_seal(&key).expect("sealed in pieces");
}

#[test]
fn many_are_decided_without_replacing_what_was_decided_and_counted_alike_before() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let id = site.analyzed(&token);
    let path = format!("/api/v1/analyses/{id}/records/users/2");
    let typed = json!({"action": "fields", "fields": {"name": {"value": "carefully typed"}}});
    assert_eq!(site.ask(&token, "PATCH", &path, &[("if-match", "*")], &typed).status, 200);
    let many = |more: serde_json::Value| {
        let mut body = json!({"decision": {"action": "current"}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        site.ask(&token, "POST", &format!("/api/v1/analyses/{id}/decisions"), &[("if-match", "*")], &body).json()
    };
    let dry = many(json!({"dry_run": true}));
    let done = many(json!({}));
    assert_eq!((&dry["decided"], &done["decided"]), (&json!(false), &json!(true)));
    for name in ["matched", "answered", "impossible", "left_out"] {
        assert_eq!(dry[name], done[name], "{name}: {dry} {done}");
    }
    assert_eq!(done["answered"], 1, "{done}");
    let kept = site.get(&token, &path).json();
    assert_eq!(kept["decision"]["fields"]["name"], json!({"value": "carefully typed"}), "{kept}");
    let anew = many(json!({"replace": true}));
    assert_eq!(anew["matched"].as_u64().unwrap(), done["matched"].as_u64().unwrap() + 1, "{anew}");
    assert_eq!(site.get(&token, &path).json()["decision"], "current");
    // What is impossible for a record is refused with its reason.
    let refused = site.ask(&token, "PATCH", &path, &[("if-match", "*")], &json!({"action": "new-key"}));
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains("new-key is impossible here"), "{}", refused.text);
    let none = site.ask(
        &token,
        "POST",
        &format!("/api/v1/analyses/{id}/decisions"),
        &[("if-match", "*")],
        &json!({"decision": {"action": "new-key"}, "replace": true}),
    );
    let none = none.json();
    assert_eq!((&none["matched"], none["impossible"].as_u64() > Some(0)), (&json!(0), true), "{none}");
}

#[test]
fn an_analysis_that_is_made_again_leaves_out_what_was_left_out() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let id = site.analyzed(&token);
    let path = |id: &str, key: u32| format!("/api/v1/analyses/{id}/records/users/{key}");
    let answer = |key: u32, action: &str| {
        let said = site.ask(&token, "PATCH", &path(&id, key), &[("if-match", "*")], &json!({"action": action}));
        assert_eq!(said.status, 200, "{}", said.text);
    };
    answer(2, "skip");
    answer(3, "current");
    site.world.sql("UPDATE users SET name = 'changed since' WHERE id IN (2, 3)");
    let asked = json!({"backup": "friday.json", "target": "main", "strategy": "backup-wins", "preserve_newer": false, "again": id});
    let operation = site.end(&token, &site.ask(&token, "POST", "/api/v1/analyses", &[], &asked));
    assert_eq!(operation["state"], "done", "{operation}");
    let again = operation["subject"].as_str().expect("an id");
    let left_out = site.get(&token, &path(again, 2)).json();
    assert_eq!((&left_out["decision"], &left_out["outcome"]), (&json!("skip"), &json!("skipped")), "{left_out}");
    let open = site.get(&token, &path(again, 3)).json();
    assert_eq!((&open["decision"], &open["outcome"]), (&json!(null), &json!("undecided")), "{open}");
    let unknown = json!({"backup": "friday.json", "target": "main", "again": "p-nothing"});
    assert_eq!(site.ask(&token, "POST", "/api/v1/analyses", &[], &unknown).status, 404);
}
