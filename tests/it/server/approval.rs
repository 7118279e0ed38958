//! Two people: where a target asks for it, nobody merges alone.

use super::{SQL, Site};
use merganser::server::{Role, people};
use serde_json::json;

#[test]
fn a_target_that_asks_for_it_is_merged_into_by_two() {
    let site = Site::with(SQL, |_| {}, |t| t.approval = true);
    let (viewer, operator, admin) = (site.token(Role::Viewer), site.token(Role::Operator), site.token(Role::Admin));
    let before = site.world.content();
    let id = site.analyzed(&operator);
    let all = json!({"decision": {"action": "backup"}});
    site.ask(&operator, "POST", &format!("/api/v1/analyses/{id}/decisions"), &[("if-match", "*")], &all);
    let view = || site.get(&operator, &format!("/api/v1/analyses/{id}"));
    assert_eq!((&view().json()["needs_approval"], &view().json()["approvals"]), (&json!(true), &json!([])));
    let merge = |token: &str, key: &str| {
        site.ask(token, "POST", "/api/v1/merges", &[("idempotency-key", key)], &json!({"analysis": id}))
    };
    let alone = merge(&operator, "a");
    assert_eq!((alone.status.as_u16(), alone.code().as_str()), (409, "approval_needed"), "{}", alone.text);
    let path = format!("/api/v1/analyses/{id}/approval");
    let etag = view().headers["etag"].to_str().unwrap().to_owned();
    let approve = |token: &str, etag: &str| site.ask(token, "POST", &path, &[("if-match", etag)], &json!({}));
    assert_eq!(approve(&viewer, &etag).status, 403);
    assert_eq!(site.ask(&admin, "POST", &path, &[], &json!({})).status, 428);
    assert_eq!(approve(&admin, "\"older\"").status, 412);
    assert_eq!(approve(&admin, "*").status, 412, "what is approved has to be looked at");
    // One's own approval is none.
    assert_eq!(approve(&operator, &etag).status, 200);
    assert_eq!(merge(&operator, "b").code(), "approval_needed");
    assert_eq!(approve(&admin, &etag).json().as_array().unwrap().len(), 2);
    // A dry run needs nobody; whatever is decided afterwards was not approved.
    let other = json!({"action": "current"});
    let record = format!("/api/v1/analyses/{id}/records/users/2");
    assert_eq!(site.ask(&operator, "PATCH", &record, &[("if-match", "*")], &other).status, 200);
    assert_eq!(merge(&operator, "c").code(), "approval_needed");
    assert_eq!(view().json()["approvals"], json!([]));
    let etag = view().headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(approve(&admin, &etag).status, 200);
    assert_eq!(site.ask(&admin, "DELETE", &path, &[], &json!({})).status, 204);
    assert_eq!(site.ask(&admin, "DELETE", &path, &[], &json!({})).status, 404);
    assert_eq!(merge(&operator, "d").code(), "approval_needed");
    // Who may no longer merge no longer approves either.
    assert_eq!(approve(&admin, &etag).status, 200);
    let second = people::add(site.app.state(), "second", Role::Admin, super::PASSWORD, None).unwrap();
    let user = people::find(site.app.state(), "admin").unwrap();
    people::set_role(site.app.state(), &user, Role::Viewer).unwrap();
    assert_eq!(merge(&operator, "e").code(), "approval_needed");
    people::set_role(site.app.state(), &user, Role::Admin).unwrap();
    assert_eq!(site.world.content(), before);
    let done = site.end(&operator, &merge(&operator, "f"));
    assert_eq!(done["state"], "done", "{done}");
    // Taking it back writes as well.
    let merged = done["result"]["merge"].as_str().unwrap().to_owned();
    let undo = |key: &str| {
        site.ask(&operator, "POST", &format!("/api/v1/merges/{merged}/undo"), &[("idempotency-key", key)], &json!({}))
    };
    assert_eq!(undo("u1").code(), "approval_needed");
    let approved = site.ask(&admin, "POST", &format!("/api/v1/merges/{merged}/approval"), &[], &json!({}));
    assert_eq!(approved.status, 200, "{}", approved.text);
    let undone = site.end(&operator, &undo("u2"));
    assert_eq!(undone["state"], "done", "{undone}");
    assert_eq!(site.world.content(), before);
    let again = undone["result"]["merge"].as_str().unwrap();
    let redo =
        site.ask(&operator, "POST", &format!("/api/v1/merges/{again}/undo"), &[("idempotency-key", "r")], &json!({}));
    assert_eq!(redo.code(), "approval_needed", "an approval is used once");
    let audit = site.get(&admin, "/api/v1/audit?action=approved").json();
    assert_eq!(audit["items"].as_array().unwrap().len(), 5, "{audit}");
    drop(second);
}

#[test]
fn an_approval_binds_the_guides_routes_too() {
    let site = Site::with(SQL, |_| {}, |t| t.approval = true);
    let admin = site.token(Role::Admin);
    let before = site.world.content();
    site.upload(&admin, "b.json", &super::friday());
    let asked = json!({"action": "merge", "filename": "b.json"});
    let refused = site.ask(&admin, "POST", "/api/admin/backup/merge", &[], &asked);
    assert_eq!(refused.json()["code"], "approval_needed", "{}", refused.text);
    let made = site.ask(&admin, "POST", "/api/backups", &[], &json!({})).json();
    site.world.sql("UPDATE users SET name = 'x'");
    let path = format!("/api/backups/{}/restore", made["id"]);
    let refused = site.ask(&admin, "POST", &path, &[], &json!({"confirm": true}));
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["code"]),
        (409, &json!("approval_needed")),
        "{}",
        refused.text
    );
    site.world.sql("UPDATE users SET name = substr(email, 1, 1)");
    assert_eq!(site.world.content(), before);
}
