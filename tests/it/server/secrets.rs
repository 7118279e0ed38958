//! Passphrases over HTTP: they open what is encrypted, and are written nowhere.

use super::{SQL, Site};
use merganser::server::Role;
use serde_json::json;
use std::path::Path;

/// A passphrase with what has to be encoded in a header.
const PASSPHRASE: &str = "c4n4ry gehört niemandem 100%";
const ENCODED: &str = "c4n4ry%20geh%C3%B6rt%20niemandem%20100%25";

fn files_hold(folder: &Path, needle: &[u8]) -> Option<std::path::PathBuf> {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let found = match path.is_dir() {
            true => files_hold(&path, needle),
            false => {
                let bytes = std::fs::read(&path).unwrap_or_default();
                bytes.windows(needle.len()).any(|w| w == needle).then_some(path)
            }
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

#[test]
fn a_passphrase_makes_reads_and_merges_and_is_kept_nowhere() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let before = site.world.content();
    let given = ("merganser-passphrase", ENCODED);
    let asked = json!({"target": "main", "name": "sealed"});
    let made = site.ask(&token, "POST", "/api/v1/backups", &[("idempotency-key", "b"), given], &asked);
    let made = site.end(&token, &made);
    assert_eq!(made["state"], "done", "{made}");
    assert!(made["result"]["file"].as_str().unwrap().ends_with(".age"), "{made}");
    site.world.sql("DELETE FROM rooms; UPDATE users SET name = 'mistake' WHERE id = 1");
    let analyze = |headers: &[(&str, &str)]| {
        let asked = json!({"backup": "sealed", "target": "main", "preserve_newer": false});
        site.end(&token, &site.ask(&token, "POST", "/api/v1/analyses", headers, &asked))
    };
    assert_eq!(analyze(&[])["problem"]["code"], "wrong_key");
    assert_eq!(analyze(&[("merganser-passphrase", "another")])["problem"]["code"], "wrong_key");
    let bad = site.ask(
        &token,
        "POST",
        "/api/v1/analyses",
        &[("merganser-passphrase", "%zz")],
        &json!({"backup": "sealed", "target": "main"}),
    );
    assert_eq!((bad.status.as_u16(), bad.code().as_str()), (400, "malformed"));
    let found = analyze(&[given]);
    assert_eq!(found["state"], "done", "{found}");
    let merge = json!({"analysis": found["subject"]});
    let done = site.end(&token, &site.ask(&token, "POST", "/api/v1/merges", &[("idempotency-key", "m")], &merge));
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(site.world.content(), before);
    let bearer = format!("Bearer {token}");
    let read = |path: &str| {
        let closed = site.get(&token, path);
        assert_eq!(closed.code(), "wrong_key", "{path}: {}", closed.text);
        let open = site.ask_with("GET", path, &[("authorization", &bearer), given], "");
        assert_eq!(open.status, 200, "{path}: {}", open.text);
    };
    read("/api/v1/backups/sealed/tables");
    read("/api/v1/backups/sealed/tables/users/records");
    let verify = |headers: &[(&str, &str)]| {
        site.end(&token, &site.ask(&token, "POST", "/api/v1/backups/sealed/verify", headers, &json!({})))["state"]
            .clone()
    };
    assert_eq!((verify(&[]), verify(&[given])), (json!("failed"), json!("done")));
    // The same file to another service, which only whoever knows the passphrase can bring.
    let path = site.app.home().backups().join(made["result"]["file"].as_str().unwrap());
    let bytes = std::fs::read(path).unwrap();
    let other = Site::with(SQL, |_| {}, |_| {});
    let there = other.token(Role::Operator);
    let bearer = format!("Bearer {there}");
    let upload = |headers: &[(&str, &str)]| {
        let all: Vec<(&str, &str)> = headers.iter().copied().chain([("authorization", bearer.as_str())]).collect();
        other.ask_with("PUT", "/api/v1/uploads/sealed.age", &all, bytes.clone())
    };
    assert_eq!(upload(&[]).code(), "wrong_key");
    assert_eq!(upload(&[given]).status, 201);
    for site in [&site, &other] {
        for needle in [PASSPHRASE.as_bytes(), ENCODED.as_bytes()] {
            assert_eq!(files_hold(site.app.home().root(), needle), None);
        }
        let operations = site.get(&site.token(Role::Admin), "/api/v1/operations").text;
        assert!(!operations.contains("c4n4ry"), "{operations}");
    }
}

#[test]
fn what_was_merged_over_http_is_a_base_later() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    // Two backups of another database, the second made after the first.
    let other = crate::world::World::new(SQL);
    let backup = |name: &str| {
        let mut database =
            merganser::database::connect(&format!("sqlite:{}", other.path("current.db").display())).unwrap();
        let mut catalog = merganser::catalog::Catalog::open(&other.home).unwrap();
        let wanted = merganser::catalog::make::Create { name: Some(name), ..Default::default() };
        let (entry, _) = catalog.create(database.as_mut(), &wanted, &merganser::progress::Quiet).unwrap();
        std::fs::read(catalog.path(&entry)).unwrap()
    };
    let first = backup("first");
    other.sql("UPDATE users SET name = 'changed there' WHERE id = 1");
    let second = backup("second");
    let bearer = format!("Bearer {token}");
    let run = |name: &str, bytes: Vec<u8>, more: serde_json::Value| {
        let reply = site.ask_with("PUT", &format!("/api/v1/uploads/{name}"), &[("authorization", &bearer)], bytes);
        assert_eq!(reply.status, 201, "{}", reply.text);
        let mut asked = json!({"backup": name, "target": "main"});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let found = site.end(&token, &site.ask(&token, "POST", "/api/v1/analyses", &[], &asked));
        assert_eq!(found["state"], "done", "{found}");
        found
    };
    site.world.sql("DELETE FROM rooms");
    let found = run("first.json.zst", first, json!({}));
    let merge = json!({"analysis": found["subject"]});
    let done = site.end(&token, &site.ask(&token, "POST", "/api/v1/merges", &[("idempotency-key", "m")], &merge));
    assert_eq!(done["state"], "done", "{done}");
    site.world.sql("UPDATE users SET name = 'changed here' WHERE id = 2");
    let found = run("second.json.zst", second, json!({"base": "auto"}));
    assert_eq!(found["result"]["compared"], "three-way", "{found}");
    assert_eq!((&found["result"]["counts"]["updated"], &found["result"]["counts"]["conflict"]), (&json!(1), &json!(0)));
}
