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
        (json!({"action": "analyze", "filename": "../x"}), "Invalid filename"),
        (json!({"action": "explode"}), "Invalid action. Supported actions: analyze, merge, create-incremental-backup"),
    ] {
        let refused = site.ask(&token, "POST", path, &[], &asked);
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(refused.json()["detail"], words);
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
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(made.json()["status"], "completed");
    let listed = site.get(&token, "/api/backups").json();
    assert_eq!(listed["backups"][0]["id"], id.as_str());
    assert_eq!(listed["total_size_bytes"], listed["backups"][0]["size_bytes"]);
    site.world.sql("UPDATE users SET name = 'mistake' WHERE id = 1; DELETE FROM rooms");
    let restore = format!("/api/backups/{id}/restore");
    let files = json!({"backup_id": id, "restore_files": true, "confirm": true});
    assert_eq!(site.ask(&token, "POST", &restore, &[], &files).status, StatusCode::UNPROCESSABLE_ENTITY);
    let unsure = site.ask(&token, "POST", &restore, &[], &json!({"backup_id": id}));
    let other = site.ask(&token, "POST", &restore, &[], &json!({"backup_id": 7, "confirm": true}));
    assert_eq!((unsure.status.as_u16(), other.status.as_u16()), (400, 400));
    assert_eq!(other.json()["detail"], "Backup ID mismatch");
    let done = site.ask(&token, "POST", &restore, &[], &json!({"backup_id": id, "confirm": true}));
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    assert_eq!(done.json()["success"], true);
    assert_eq!(site.world.value("SELECT count(*) FROM rooms"), "1");
    assert_eq!(site.get(&token, &format!("/api/backups/{id}/download")).headers["content-type"], "application/gzip");
    let remove = |id: &str| site.ask(&token, "DELETE", &format!("/api/backups/{id}"), &[], &json!({}));
    let needed = remove(&id);
    assert!(needed.text.contains("needed by the"), "somebody may take the merge back: {}", needed.text);
    let other = site.ask(&token, "POST", "/api/backups", &[], &json!({})).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(remove(&other).status, StatusCode::NO_CONTENT);
    assert_eq!(site.get(&token, &format!("/api/backups/{other}")).status, StatusCode::NOT_FOUND);
}
