//! The routes that the guides document, with the shapes that they document.

use super::{Site, friday};
use axum::http::StatusCode;
use merganser::server::Role;
use serde_json::json;

#[test]
fn accoregs_route_analyzes_and_merges_with_its_own_decisions() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    site.upload(&token, "backup.json", &friday());
    let path = "/api/admin/backup/merge";
    let options = json!({"conflictResolution": "manual", "preserveNewer": true});
    let asked = json!({"action": "analyze", "filename": "backup.json", "options": options});
    let found = site.ask(&token, "POST", path, &[], &asked);
    assert_eq!(found.status, StatusCode::OK, "{}", found.text);
    let conflicts = found.json()["analysis"]["conflicts"].clone();
    let second = conflicts.as_array().unwrap().iter().find(|c| c["id"] == "2").unwrap().clone();
    assert_eq!((&second["table"], &second["action"]), (&json!("users"), &json!("update")));
    assert_eq!((&second["current"]["name"], &second["backup"]["name"]), (&json!("b"), &json!("older")));
    assert_eq!((&second["current"]["id"], &second["conflictFields"]), (&json!(2), &json!(["name"])));
    let summary = found.json()["analysis"]["summary"].clone();
    assert_eq!(summary["totalRecords"], 6);
    assert_eq!(summary["estimatedChanges"], json!({"newRecords": 2, "updatedRecords": 1, "conflicts": 2}));
    let merge = json!({"action": "merge", "filename": "backup.json", "options": options,
        "conflictResolutions": {"users_2": {"action": "skip"}, "users_3": {"action": "use_backup"}}});
    let done = site.ask(&token, "POST", path, &[], &merge);
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    let summary = done.json()["result"]["summary"].clone();
    assert_eq!((&summary["recordsAdded"], &summary["recordsUpdated"]), (&json!(2), &json!(2)), "{summary}");
    assert_eq!(site.world.value("SELECT name FROM users WHERE id = 2"), "b");
    assert_eq!(site.world.value("SELECT name FROM users WHERE id = 3"), "other");
    for (asked, words) in [
        (json!({"action": "merge"}), "Filename is required for merge operation"),
        (json!({"action": "analyze"}), "Filename is required for analysis"),
        (json!({"action": "analyze", "filename": "../x"}), "Invalid filename"),
        (json!({"action": "explode"}), "Invalid action. Supported actions: analyze, merge, create-incremental-backup"),
    ] {
        let refused = site.ask(&token, "POST", path, &[], &asked);
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(refused.json()["error"], words);
        assert_eq!(refused.headers["content-type"], "application/json");
    }
    let config = site.get(&token, path).json();
    assert_eq!(config["config"]["conflictResolutionOptions"].as_array().unwrap().len(), 4);
}

#[test]
fn downloads_make_a_backup_and_send_it() {
    let site = Site::new();
    let token = site.token(Role::Admin);
    let smart = site.get(&token, "/api/admin/backup/download?action=create-and-download&type=incremental");
    assert_eq!(smart.status, StatusCode::OK, "{}", smart.text);
    let about: serde_json::Value = serde_json::from_str(smart.headers["x-backup-info"].to_str().unwrap()).unwrap();
    assert_eq!(about["recordCounts"], json!({"users": 3, "rooms": 1}));
    assert_eq!(smart.json()["tables"].as_array().unwrap().len(), 2);
    for path in ["/api/backup/download", "/backup/download/"] {
        let archive = site.get(&token, path);
        assert_eq!(archive.status, StatusCode::OK, "{path}: {}", archive.text);
        assert!(archive.text.starts_with("PK"), "{path}");
        assert!(archive.headers["content-disposition"].to_str().unwrap().starts_with("attachment"));
    }
    let wrong = site.get(&token, "/api/admin/backup/download?action=delete");
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

#[test]
fn baluhosts_routes_make_list_restore_send_and_remove() {
    let site = Site::new();
    let token = site.token(Role::Admin);
    let made = site.ask(&token, "POST", "/api/backups", &[], &json!({"backup_type": "database_only"}));
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let id = made.json()["id"].as_u64().unwrap();
    assert_eq!(made.json()["status"], "completed");
    let name = made.json()["filename"].as_str().unwrap().to_owned();
    assert!(name.starts_with("backup_") && name.ends_with(".tar.gz"), "{name}");
    let listed = site.get(&token, "/api/backups").json();
    assert_eq!(listed["backups"][0]["id"], id);
    assert_eq!(listed["total_size_bytes"], listed["backups"][0]["size_bytes"]);
    site.world.sql("UPDATE users SET name = 'mistake' WHERE id = 1; DELETE FROM rooms");
    let restore = format!("/api/backups/{id}/restore");
    let none = json!({"backup_id": id, "restore_database": false, "confirm": true});
    assert_eq!(site.ask(&token, "POST", &restore, &[], &none).status, StatusCode::UNPROCESSABLE_ENTITY);
    let unsure = site.ask(&token, "POST", &restore, &[], &json!({"backup_id": id}));
    let other = site.ask(&token, "POST", &restore, &[], &json!({"backup_id": 7, "confirm": true}));
    assert_eq!((unsure.status.as_u16(), other.status.as_u16()), (400, 400));
    assert_eq!(other.json()["detail"], "Backup ID mismatch");
    // As the guide has it, word by word.
    let asked = json!({"backup_id": id, "restore_database": true, "restore_files": true, "restore_config": false, "confirm": true});
    let done = site.ask(&token, "POST", &restore, &[], &asked);
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    assert_eq!((&done.json()["success"], &done.json()["backup_id"]), (&json!(true), &json!(id)));
    assert_eq!(done.json()["message"], "Backup restored successfully. Please restart the application.");
    assert!(done.text.contains("files are not part"), "what is not done is said: {}", done.text);
    assert_eq!(site.world.value("SELECT count(*) FROM rooms"), "1");
    let sent = site.get(&token, &format!("/api/backups/{id}/download"));
    assert_eq!(sent.headers["content-type"], "application/gzip");
    assert_eq!(sent.headers["content-disposition"], format!("attachment; filename=\"{name}\""));
    let remove = |id: u64| site.ask(&token, "DELETE", &format!("/api/backups/{id}"), &[], &json!({}));
    let needed = remove(id);
    assert!(needed.text.contains("needed by the"), "somebody may take the merge back: {}", needed.text);
    let whole =
        json!({"backup_type": "full", "includes_database": true, "includes_files": true, "includes_config": false});
    let other = site.ask(&token, "POST", "/api/backups", &[], &whole);
    assert_eq!((other.status, &other.json()["includes_files"]), (StatusCode::CREATED, &json!(false)), "{}", other.text);
    let other = other.json()["id"].as_u64().unwrap();
    assert_eq!(remove(other).status, StatusCode::NO_CONTENT);
    let gone = site.get(&token, &format!("/api/backups/{other}"));
    assert_eq!((gone.status, gone.json()["detail"].clone()), (StatusCode::NOT_FOUND, json!("Backup not found")));
}

#[test]
fn every_guide_hears_no_in_its_own_words() {
    let site = Site::new();
    let (viewer, admin) = (site.token(Role::Viewer), site.token(Role::Admin));
    let merge = "/api/admin/backup/merge";
    let json_kind = ("content-type", "application/json");
    let nobody = site.ask_with("POST", merge, &[json_kind], "{}");
    assert_eq!((nobody.status.as_u16(), nobody.json()["error"].clone()), (401, json!("Unauthorized")));
    assert!(nobody.headers.contains_key("www-authenticate"));
    let wrong = site.ask_with("POST", merge, &[json_kind, ("authorization", "Bearer mgs_x_y")], "{}");
    assert_eq!((wrong.status.as_u16(), wrong.json()["error"].clone()), (401, json!("Invalid token")));
    let low = site.ask(&viewer, "POST", merge, &[], &json!({"action": "analyze"}));
    assert_eq!((low.status.as_u16(), low.json()["error"].clone()), (403, json!("Insufficient permissions")));
    let none = site.ask(&admin, "POST", merge, &[], &json!({"action": "analyze", "filename": "none.json"}));
    assert_eq!((none.status.as_u16(), none.json()["code"].clone()), (404, json!("not_found")));
    assert!(none.json()["error"].is_string(), "{}", none.text);
    let nobody = site.ask_with("GET", "/api/backup/download", &[], "");
    assert_eq!((nobody.status.as_u16(), nobody.json()["message"].clone()), (401, json!("Authentication required")));
    let low = site.get(&viewer, "/api/backup/download");
    assert_eq!((low.status.as_u16(), low.json()["message"].clone()), (403, json!("Access denied")));
    let nobody = site.ask_with("GET", "/api/backups", &[], "");
    assert_eq!((nobody.status.as_u16(), nobody.json()["detail"].clone()), (401, json!("Not authenticated")));
    let empty = site.ask(&admin, "POST", "/api/backups/7/restore", &[], &json!({"confirm": true}));
    assert_eq!((empty.status.as_u16(), empty.json()["detail"].clone()), (404, json!("Backup not found")));
    // The pages of Baby Buddy send a browser to log in; a program that sends no file is told so.
    let bearer = format!("Bearer {admin}");
    let form = [("authorization", bearer.as_str()), ("content-type", "multipart/form-data; boundary=x")];
    let none = site.ask_with("POST", "/backup/restore/confirm/", &form, "--x--\r\n");
    assert_eq!(none.status, StatusCode::BAD_REQUEST, "{}", none.text);
    assert_eq!(
        (&none.json()["success"], &none.json()["errors"]),
        (&json!(false), &json!(["No backup file provided."]))
    );
    // Whoever is refused before the route is reached hears it in its words, too.
    for (path, word) in [(merge, "error"), ("/api/backups", "detail"), ("/backup/restore/confirm/", "errors")] {
        let elsewhere = [("origin", "https://elsewhere.example"), json_kind, ("authorization", bearer.as_str())];
        let reply = site.ask_with("POST", path, &elsewhere, "{}");
        assert_eq!(
            (reply.status, &reply.headers["content-type"]),
            (StatusCode::FORBIDDEN, &"application/json".parse().unwrap())
        );
        assert!(!reply.json()[word].is_null(), "{path}: {}", reply.text);
        assert!(reply.headers.contains_key("content-security-policy"), "{path}");
    }
    for path in [merge, "/api/backup/download", "/api/backups", "/backup/restore/confirm/"] {
        let method = site.ask(&admin, "PATCH", path, &[], &json!({}));
        assert_eq!(method.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(method.json()["code"], "method_not_allowed", "{path}");
    }
}

#[test]
fn accoregs_merge_that_does_not_happen_says_so_with_its_details() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let before = site.world.content();
    site.upload(&token, "backup.json", &friday());
    let asked = json!({"action": "merge", "filename": "backup.json", "options": {"conflictResolution": "manual"}});
    let failed = site.ask(&token, "POST", "/api/admin/backup/merge", &[], &asked);
    assert_eq!(failed.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", failed.text);
    let body = failed.json();
    assert_eq!((&body["error"], &body["code"]), (&json!("Incremental merge failed"), &json!("needs_decision")));
    assert_eq!(body["partialResult"]["recordsAdded"], 0);
    assert!(!body["details"].as_array().unwrap().is_empty(), "{body}");
    assert_eq!(site.world.content(), before);
    // What it made can be analyzed by the name that it gave.
    let made =
        site.ask(&token, "POST", "/api/admin/backup/merge", &[], &json!({"action": "create-incremental-backup"}));
    let name = made.json()["backup"]["filename"].as_str().unwrap().to_owned();
    assert!(name.starts_with("incremental-backup-") && name.ends_with(".json"), "{name}");
    let again = json!({"action": "analyze", "filename": name});
    let found = site.ask(&token, "POST", "/api/admin/backup/merge", &[], &again);
    assert_eq!((found.status, found.json()["success"].clone()), (StatusCode::OK, json!(true)), "{}", found.text);
    let dry = json!({"action": "merge", "filename": name, "options": {"dryRun": true}});
    let dry = site.ask(&token, "POST", "/api/admin/backup/merge", &[], &dry);
    assert_eq!(dry.status, StatusCode::OK, "{}", dry.text);
    assert_eq!(site.world.content(), before);
}

#[test]
fn baby_buddys_archive_goes_out_and_comes_back() {
    let sql = "CREATE TABLE core_child (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
        CREATE TABLE core_feeding (id INTEGER PRIMARY KEY, amount REAL, child_id INTEGER NOT NULL REFERENCES core_child (id));
        INSERT INTO core_child VALUES (1, 'Fred'); INSERT INTO core_feeding VALUES (1, 4.5, 1);";
    let site = Site::with(sql, |_| {}, |_| {});
    let token = site.token(Role::Operator);
    let bearer = format!("Bearer {token}");
    let token_of_django = format!("Token {token}");
    let sent = site.runtime.block_on(async {
        use tower::ServiceExt;
        let asked = super::request("GET", "/backup/download/", &[("authorization", &token_of_django)], "");
        let answer = merganser::server::router(&site.app).oneshot(asked).await.unwrap();
        let name = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(name.starts_with("attachment; filename=\"backup_") && name.ends_with(".zip\""), "{name}");
        axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap()
    });
    let before = site.world.content();
    site.world.sql(
        "UPDATE core_child SET name = 'mistake'; DELETE FROM core_feeding; INSERT INTO core_child VALUES (2, 'New')",
    );
    let post = |fields: &[(&str, &str)]| {
        let mut body =
            b"--x\r\nContent-Disposition: form-data; name=\"backup_file\"; filename=\"../b.zip\"\r\n\r\n".to_vec();
        body.extend_from_slice(&sent);
        for (name, value) in fields {
            body.extend(format!("\r\n--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}").bytes());
        }
        body.extend(b"\r\n--x--\r\n");
        let headers = [("authorization", bearer.as_str()), ("content-type", "multipart/form-data; boundary=x")];
        site.ask_with("POST", "/backup/restore/confirm/", &headers, body)
    };
    // The very archive is in the catalog already, under the name that it was sent with.
    let kept = site.world.content();
    let done = post(&[("clear_existing_data", "false")]);
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    assert_eq!((&done.json()["success"], &done.json()["errors"]), (&json!(true), &json!([])));
    assert_ne!(site.world.content(), kept);
    assert_eq!(site.world.value("SELECT name FROM core_child WHERE id = 1"), "Fred");
    assert_eq!(site.world.value("SELECT count(*) FROM core_child"), "2", "nothing is deleted unasked");
    let refused = post(&[("clear_existing_data", "true")]);
    assert_eq!(refused.json()["code"], "confirmation_needed", "{}", refused.text);
    let cleared = post(&[("clear_existing_data", "true"), ("confirm", "RESTORE")]);
    assert_eq!(cleared.status, StatusCode::OK, "{}", cleared.text);
    assert_eq!(site.world.content(), before);
}
