//! The threats of CHECKS 3, each with the number it holds.

use super::{CANARY, PASSWORD, SQL, Site, request};
use axum::http::StatusCode;
use merganser::server::access::{Access, rules};
use merganser::server::{Role, people};
use serde_json::json;

const JSON_KIND: (&str, &str) = ("content-type", "application/json");

fn cookie(reply: &super::Reply) -> String {
    reply.headers["set-cookie"].to_str().expect("text").split(';').next().expect("a cookie").to_owned()
}

fn log_in(site: &Site, name: &str, password: &str) -> super::Reply {
    let body = json!({"name": name, "password": password}).to_string();
    site.ask_with("POST", "/api/v1/session", &[JSON_KIND], body)
}

#[test]
fn f86_t9_nothing_is_fetched_and_no_database_is_chosen_by_url() {
    let site = Site::new();
    let token = site.token(Role::Admin);
    for (backup, target) in [
        ("http://127.0.0.1:1/x.json", "main"),
        ("/etc/passwd", "main"),
        ("../state.db", "main"),
        ("x", "postgres://evil.example/app"),
        ("x", "sqlite:/etc/passwd"),
    ] {
        let reply = site.ask(&token, "POST", "/api/v1/analyses", &[], &json!({"backup": backup, "target": target}));
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{backup} {target}: {}", reply.text);
    }
    let posts = rules().any(|(method, path, _)| *path == "/api/v1/targets" && *method != "GET");
    assert!(!posts, "targets can't be made over HTTP");
    site.upload(&token, "x.json", &super::friday());
    let file = json!({"backup": "x.json", "target": "main", "strategy": "/etc/passwd"});
    assert_eq!(site.ask(&token, "POST", "/api/v1/analyses", &[], &file).code(), "invalid");
}

#[test]
fn t10_uploads_are_kept_under_names_of_ours_and_need_room() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let bearer = format!("Bearer {token}");
    for name in ["..%2f..%2fx.json", ".hidden", "a%00b", "a%0ab", "%2fetc%2fx", "a%3cscript%3e", "a%5cb"] {
        let reply = site.ask_with("PUT", &format!("/api/v1/uploads/{name}"), &[("authorization", &bearer)], "{}");
        assert!(matches!(reply.status.as_u16(), 400 | 404 | 422), "{name}: {}", reply.text);
    }
    site.upload(&token, "good.json", &super::friday());
    for entry in std::fs::read_dir(site.app.home().backups()).unwrap() {
        let entry = entry.unwrap();
        assert!(entry.file_name().to_string_lossy().starts_with("b-"), "{:?}", entry.file_name());
        let mode = std::os::unix::fs::PermissionsExt::mode(&entry.metadata().unwrap().permissions());
        assert_eq!(mode & 0o077, 0);
    }
    // What it says of itself does not matter; what is in it does.
    let kind = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    assert_eq!(site.ask_with("PUT", "/api/v1/uploads/x.zip", &kind, "MZ").status, StatusCode::UNPROCESSABLE_ENTITY);
    let full = Site::with(SQL, |o| o.least_free_bytes = u64::MAX / 4, |_| {});
    let token = full.token(Role::Operator);
    let reply = full.ask_with("PUT", "/api/v1/uploads/x.json", &[("authorization", &format!("Bearer {token}"))], "{}");
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (507, "out_of_space"));
}

#[test]
fn t11_other_hosts_and_other_origins_are_refused() {
    let site = Site::new();
    site.token(Role::Admin);
    for host in ["evil.example", "evil.example:7878", "localhost.evil.example", "127.0.0.1.nip.io"] {
        let reply = site.ask_with("GET", "/healthz", &[("host", host)], "");
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{host}");
    }
    for host in ["localhost:7878", "127.0.0.1:7878", "[::1]:7878"] {
        assert_eq!(site.ask_with("GET", "/healthz", &[("host", host)], "").status, StatusCode::OK, "{host}");
    }
    let cookie = cookie(&log_in(&site, "admin", PASSWORD));
    let logout = |headers: &[(&str, &str)]| {
        let all: Vec<(&str, &str)> = headers.iter().copied().chain([("cookie", cookie.as_str())]).collect();
        site.ask_with("DELETE", "/api/v1/session", &all, "").status
    };
    for bad in [
        &[][..],
        &[("origin", "null")],
        &[("origin", "http://evil.example")],
        &[("origin", "http://localhost:9999")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", "http://localhost:7878")],
        &[("sec-fetch-site", "same-origin"), ("origin", "http://evil.example")],
    ] {
        assert_eq!(logout(bad), StatusCode::FORBIDDEN, "{bad:?}");
    }
    // A form of another page can't say that it is JSON, and no header changes the method.
    let form = [("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin"), ("content-type", "text/plain")];
    assert_eq!(site.ask_with("POST", "/api/v1/users", &form, "{}").status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let over = [("cookie", cookie.as_str()), ("x-http-method-override", "DELETE")];
    assert_eq!(site.ask_with("GET", "/api/v1/session", &over, "").status, StatusCode::OK);
    assert_eq!(
        logout(&[("origin", "http://localhost:7878"), ("sec-fetch-site", "same-origin")]),
        StatusCode::NO_CONTENT
    );
    let reply = site.ask_with("OPTIONS", "/api/v1/backups", &[("origin", "http://evil.example")], "");
    assert!(!reply.headers.contains_key("access-control-allow-origin"));
}

#[test]
fn t12_sessions_are_new_at_login_and_end() {
    let site = Site::new();
    site.token(Role::Admin);
    let reply = log_in(&site, "admin", PASSWORD);
    let set = reply.headers["set-cookie"].to_str().unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict") && set.contains("Path=/"), "{set}");
    assert!(!set.contains("Secure"), "plain HTTP on loopback: {set}");
    let (first, second) = (cookie(&reply), cookie(&log_in(&site, "ADMIN", PASSWORD)));
    assert_ne!(first, second);
    let who = |cookie: &str| site.ask_with("GET", "/api/v1/session", &[("cookie", cookie)], "").status;
    assert_eq!((who(&first), who(&second)), (StatusCode::OK, StatusCode::OK));
    let out = [("cookie", first.as_str()), ("sec-fetch-site", "same-origin")];
    assert_eq!(site.ask_with("DELETE", "/api/v1/session", &out, "").status, StatusCode::NO_CONTENT);
    assert_eq!((who(&first), who(&second)), (StatusCode::UNAUTHORIZED, StatusCode::OK));
    let user = people::find(site.app.state(), "admin").unwrap();
    people::set_password(site.app.state(), &user, "another long password").unwrap();
    assert_eq!(who(&second), StatusCode::UNAUTHORIZED);
    let third = cookie(&log_in(&site, "admin", "another long password"));
    let old = chrono::Utc::now().timestamp() - people::ABSOLUTE_SECONDS - 1;
    site.app.state().with(|c| c.execute("UPDATE sessions SET made_at = ?", [old])).unwrap();
    assert_eq!(who(&third), StatusCode::UNAUTHORIZED);
    assert_eq!(who("merganser=0123456789abcdef"), StatusCode::UNAUTHORIZED);
    // Nothing that opens a session is kept as it is.
    let state = std::fs::read(site.app.home().root().join("state.db")).unwrap();
    let secret = third.split('=').nth(1).unwrap();
    assert!(!state.windows(secret.len()).any(|w| w == secret.as_bytes()));
    assert!(!state.windows(PASSWORD.len()).any(|w| w == PASSWORD.as_bytes()));
    // Over TLS the cookie is bound to the host.
    let tls = Site::with(SQL, |o| o.tls = Some(("cert.pem".into(), "key.pem".into())), |_| {});
    tls.token(Role::Admin);
    let reply = log_in(&tls, "admin", PASSWORD);
    let set = reply.headers["set-cookie"].to_str().unwrap();
    assert!(set.starts_with("__Host-merganser=") && set.contains("Secure"), "{set}");
}

#[test]
fn t13_who_guesses_waits_and_learns_nothing() {
    let site = Site::new();
    site.token(Role::Viewer);
    let (wrong, nobody) = (log_in(&site, "viewer", "wrong password"), log_in(&site, "nobody", "wrong password"));
    assert_eq!((wrong.status, nobody.status), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
    assert_eq!(wrong.text, nobody.text);
    for _ in 0..3 {
        log_in(&site, "viewer", "wrong password");
    }
    let waits = log_in(&site, "viewer", PASSWORD);
    assert_eq!(waits.status, StatusCode::TOO_MANY_REQUESTS, "{}", waits.text);
    assert!(waits.headers.contains_key("retry-after"));
    let token = site.token(Role::Viewer);
    let (mut other, last) = (token.clone(), token.chars().last().unwrap());
    other.pop();
    other.push(if last == '0' { '1' } else { '0' });
    for guess in [other.as_str(), "mgs_x_y", "mgs_", "", "mgs_é_é"] {
        let headers = [("authorization", format!("Bearer {guess}"))];
        let asked = request("GET", "/api/v1/session", &[], "");
        let (mut parts, body) = asked.into_parts();
        parts.headers.insert("authorization", axum::http::HeaderValue::from_bytes(headers[0].1.as_bytes()).unwrap());
        let reply = site.runtime.block_on(Site::send(site.app.clone(), axum::http::Request::from_parts(parts, body)));
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{guess}");
    }
    let short = people::add(site.app.state(), "short", Role::Viewer, "123456789", None);
    assert!(short.is_err());
}

#[test]
fn t13_the_set_up_link_works_once() {
    let site = Site::new();
    let secret = people::set_up_secret(site.app.state()).unwrap();
    let ask = |secret: &str| {
        let body = json!({"secret": secret, "name": "ada", "password": PASSWORD}).to_string();
        site.ask_with("POST", "/api/v1/setup", &[JSON_KIND], body).status
    };
    assert_eq!(ask("0000"), StatusCode::FORBIDDEN);
    assert_eq!(ask(&secret), StatusCode::CREATED);
    assert_eq!(ask(&secret), StatusCode::FORBIDDEN);
    let again = people::set_up_secret(site.app.state()).unwrap();
    assert_eq!(ask(&again), StatusCode::FORBIDDEN, "somebody is there already");
    assert_eq!(log_in(&site, "ada", PASSWORD).json()["role"], "admin");
}

#[test]
fn t14_every_answer_is_guarded_and_files_are_never_shown() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let id = site.analyzed(&token);
    for path in ["/healthz", "/nothing", "/api/v1/backups", "/api/v1/session"] {
        let reply = site.get(&token, path);
        let policy = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff");
        assert_eq!(reply.headers["cache-control"], "no-store");
    }
    let content = site.get(&token, "/api/v1/backups/friday.json/content");
    assert!(content.headers["content-disposition"].to_str().unwrap().starts_with("attachment; filename=\"b-"));
    assert!(content.headers["content-security-policy"].to_str().unwrap().contains("sandbox"));
    let report = site.get(&token, &format!("/api/v1/analyses/{id}/report.html"));
    let policy = report.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("sandbox") && !policy.contains("script"), "{policy}");
}

#[test]
fn t16_a_backup_is_fetched_by_who_may_and_it_is_written_down() {
    let site = Site::new();
    let (viewer, operator, admin) = (site.token(Role::Viewer), site.token(Role::Operator), site.token(Role::Admin));
    site.upload(&operator, "friday.json", &super::friday());
    let path = "/api/v1/backups/friday.json/content";
    assert_eq!(site.get(&viewer, path).status, StatusCode::FORBIDDEN);
    assert_eq!(site.get(&operator, path).status, StatusCode::OK);
    let audit = site.get(&admin, "/api/v1/audit?action=backup_fetched").json();
    assert_eq!(audit["items"].as_array().unwrap().len(), 1);
    assert_eq!(audit["items"][0]["actor"], "operator (local)");
    assert_eq!(site.get(&admin, "/api/v1/audit/verify").json()["sound"], true);
    for path in ["/undo/", "/plans/", "/backups/b-1.json", "/.well-known/x"] {
        assert_ne!(site.get(&admin, path).status, StatusCode::OK, "{path}");
    }
}

#[test]
fn t21_no_answer_tells_a_secret() {
    let site = Site::with(
        SQL,
        |o| o.target = Some(("far".to_owned(), format!("postgres://u:{CANARY}@127.0.0.1:1/x"))),
        |_| {},
    );
    let token = site.token(Role::Admin);
    let id = site.analyzed(&token);
    let mut looked = 0;
    for (method, path, access) in rules() {
        let sent = path.ends_with("/content") || path.contains("download");
        if *method != "GET" || sent || *access == Access::Public {
            continue;
        }
        for (of, name) in [("users", "3"), ("rooms", "4")] {
            let id = if path.contains("analyses") {
                id.as_str()
            } else if path.contains("targets") {
                "far"
            } else {
                "friday.json"
            };
            let path = path.replace("{id}", id).replace("{table}", of).replace("{key}", name);
            let reply = site.get(&token, &path);
            assert!(!reply.text.contains(CANARY), "{path}: {}", reply.text);
            looked += 1;
        }
    }
    assert!(looked > 40);
    for text in [
        site.ask(&token, "POST", "/api/v1/targets/far/test", &[], &json!({})).text,
        site.ask_with("GET", "/metrics", &[], "").text,
    ] {
        assert!(!text.contains(CANARY), "{text}");
    }
    let audit = std::fs::read_to_string(site.app.home().audit()).unwrap();
    assert!(!audit.contains(CANARY) && !audit.contains(&token));
}

#[test]
fn t22_the_state_is_private_and_one_service_uses_it() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new();
    let mode = std::fs::metadata(site.app.home().root().join("state.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = merganser::server::App::open(
        site.world.home.clone(),
        merganser::config::Config::default(),
        merganser::server::Options::at(super::address()),
    );
    let error = second.err().expect("a second service is refused");
    assert_eq!(error.kind(), merganser::ErrorKind::Busy, "{error}");
}

#[test]
fn t24_a_policy_that_keeps_nothing_is_refused() {
    let site = Site::new();
    let token = site.token(Role::Admin);
    site.upload(&token, "friday.json", &super::friday());
    let empty = site.ask(&token, "POST", "/api/v1/retention/apply", &[], &json!({}));
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", empty.text);
    let preview = site.ask(&token, "POST", "/api/v1/retention/preview", &[], &json!({"keep_last": 1})).json();
    assert_eq!(preview["backups"][0]["keep"], true);
    assert_eq!(site.get(&token, "/api/v1/backups").json()["total"], 1);
}

#[test]
fn t25_large_bodies_and_odd_limits_are_refused() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    let bearer = format!("Bearer {token}");
    let huge = [("authorization", bearer.as_str()), JSON_KIND];
    let reply = site.ask_with("POST", "/api/v1/analyses", &huge, vec![b' '; 65 * 1024 * 1024]);
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (413, "too_large"));
    for limit in ["0", "1001", "-1", "x"] {
        let reply = site.get(&token, &format!("/api/v1/backups?limit={limit}"));
        assert!(matches!(reply.status.as_u16(), 400 | 422), "{limit}");
    }
}

#[test]
fn a_user_with_records_of_their_own_reaches_no_others() {
    let site = Site::new();
    let operator = site.token(Role::Operator);
    site.upload(&operator, "friday.json", &super::friday());
    let user = people::find(site.app.state(), "operator").unwrap();
    let own = people::Own { target: "main".to_owned(), conditions: vec!["users: id = 4".to_owned()] };
    people::set_own(site.app.state(), &user, Some(&own)).unwrap();
    let found = site.analyze(&operator, "friday.json");
    let records = site.get(&operator, &format!("/api/v1/analyses/{found}/records")).json();
    let names: Vec<&str> = records["items"].as_array().unwrap().iter().map(|r| r["record"].as_str().unwrap()).collect();
    assert!(
        records["items"].as_array().unwrap().iter().all(|r| r["class"] == "excluded" || r["record"] == "4"),
        "{names:?}"
    );
    let mirror = json!({"backup": "friday.json", "target": "main", "deletes": "mirror"});
    assert_eq!(site.ask(&operator, "POST", "/api/v1/analyses", &[], &mirror).status, StatusCode::FORBIDDEN);
    people::set_own(site.app.state(), &user, None).unwrap();
    let wide = site.analyze(&operator, "friday.json");
    people::set_own(site.app.state(), &user, Some(&own)).unwrap();
    let merge = site.ask(&operator, "POST", "/api/v1/merges", &[("idempotency-key", "w")], &json!({"analysis": wide}));
    assert_eq!(merge.status, StatusCode::FORBIDDEN);
}

#[test]
fn f88_no_trick_makes_another_page_ask_in_ones_name() {
    let site = Site::new();
    let token = site.token(Role::Admin);
    let cookie = cookie(&log_in(&site, "admin", PASSWORD));
    let new_user = json!({"name": "mallory", "role": "admin", "password": PASSWORD}).to_string();
    let send = |headers: &[(&str, &str)], path: &str, body: &str| {
        let all: Vec<(&str, &str)> = headers.iter().copied().chain([("cookie", cookie.as_str())]).collect();
        site.ask_with("POST", path, &all, body.to_owned()).status.as_u16()
    };
    let own = ("sec-fetch-site", "same-origin");
    for kind in [
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json",
        "application/jsonp",
        "text/json",
        "",
    ] {
        // From outside it is refused for where it comes from; even from inside a form can't speak JSON.
        let outside = send(&[("content-type", kind), ("origin", "http://evil.example")], "/api/v1/users", &new_user);
        assert_eq!(outside, 403, "{kind}");
        assert_eq!(send(&[("content-type", kind), own], "/api/v1/users", &new_user), 415, "{kind}");
    }
    // Rebinding: the page's own name is both host and origin.
    let rebound = [("host", "evil.example"), ("origin", "http://evil.example"), JSON_KIND];
    assert_eq!(send(&rebound, "/api/v1/users", &new_user), 403);
    for forged in
        [("x-forwarded-host", "localhost:7878"), ("x-original-host", "localhost"), ("forwarded", "host=localhost")]
    {
        assert_eq!(send(&[("host", "evil.example"), own, forged, JSON_KIND], "/api/v1/users", &new_user), 403);
    }
    for origin in
        ["null", "", "http://localhost:7878.evil.example", "http://localhost:7878@evil.example", "https://localhost"]
    {
        assert_eq!(send(&[("origin", origin), JSON_KIND], "/api/v1/users", &new_user), 403, "{origin:?}");
    }
    // Neither a header, a parameter nor a field makes a method of another one.
    for over in [("x-http-method-override", "DELETE"), ("x-method-override", "DELETE"), ("x-http-method", "DELETE")] {
        let headers = [("authorization", format!("Bearer {token}"))];
        let all = [(headers[0].0, headers[0].1.as_str()), over, JSON_KIND];
        assert_eq!(site.ask_with("POST", "/api/v1/session", &all, "{}").status, 422, "{over:?} logs in, not out");
        assert_eq!(site.ask_with("GET", "/api/v1/users?_method=DELETE", &all, "").status, 200);
    }
    // Logging somebody in as another is a request like others.
    let body = json!({"name": "admin", "password": PASSWORD}).to_string();
    let cross = [("origin", "http://evil.example"), JSON_KIND];
    assert_eq!(site.ask_with("POST", "/api/v1/session", &cross, body).status, 403);
    // Reading changes nothing, whoever reads.
    let before = site.world.content();
    let users = people::list(site.app.state()).unwrap().len();
    for (method, path, _) in rules().filter(|r| r.0 == "GET" && !r.1.contains("download")) {
        let at = path.replace("{id}", "x").replace("{table}", "users").replace("{key}", "1");
        site.ask_with(method, &at, &[("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")], "");
    }
    assert_eq!((site.world.content(), people::list(site.app.state()).unwrap().len()), (before, users));
    assert_eq!(site.ask_with("GET", "/api/v1/session", &[("cookie", &cookie)], "").status, 200, "still logged in");
}

#[test]
fn f89_sessions_outlive_a_restart_and_end_with_the_password() {
    let site = Site::new();
    site.token(Role::Admin);
    let cookie = cookie(&log_in(&site, "admin", PASSWORD));
    let super::Site { world, app, runtime } = site;
    let config = app.config().clone();
    drop(app);
    let app =
        merganser::server::App::open(world.home.clone(), config, merganser::server::Options::at(super::address()));
    let site = super::Site { world, app: app.expect("opens again"), runtime };
    let who = || site.ask_with("GET", "/api/v1/session", &[("cookie", &cookie)], "").status;
    assert_eq!(who(), StatusCode::OK);
    let user = people::find(site.app.state(), "admin").unwrap();
    people::set_password(site.app.state(), &user, "another long password").unwrap();
    assert_eq!(who(), StatusCode::UNAUTHORIZED);
    let fresh = self::cookie(&log_in(&site, "admin", "another long password"));
    let idle = chrono::Utc::now().timestamp() - people::IDLE_SECONDS - 1;
    site.app.state().with(|c| c.execute("UPDATE sessions SET seen_at = ?", [idle])).unwrap();
    assert_eq!(site.ask_with("GET", "/api/v1/session", &[("cookie", &fresh)], "").status, StatusCode::UNAUTHORIZED);
}

#[test]
fn f89_a_running_merge_goes_on_under_the_authority_it_was_begun_with() {
    let site = Site::new();
    let (operator, viewer) = (site.token(Role::Operator), site.token(Role::Viewer));
    let id = site.analyzed(&operator);
    let all = json!({"decision": {"action": "backup"}});
    site.ask(&operator, "POST", &format!("/api/v1/analyses/{id}/decisions"), &[("if-match", "*")], &all);
    let application = site.world.connection();
    application.execute_batch("BEGIN IMMEDIATE").unwrap();
    let merge = site.ask(&operator, "POST", "/api/v1/merges", &[("idempotency-key", "m")], &json!({"analysis": id}));
    assert_eq!(merge.status, StatusCode::ACCEPTED, "{}", merge.text);
    let user = people::find(site.app.state(), "operator").unwrap();
    people::set_role(site.app.state(), &user, Role::Viewer).unwrap();
    let second = site.ask(&operator, "POST", "/api/v1/merges", &[("idempotency-key", "n")], &json!({"analysis": id}));
    assert_eq!(second.status, StatusCode::FORBIDDEN, "nothing new is begun");
    let place = merge.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(site.ask(&operator, "POST", &format!("{place}/cancel"), &[], &json!({})).status, StatusCode::FORBIDDEN);
    application.execute_batch("ROLLBACK").unwrap();
    let done = site.end(&viewer, &merge);
    assert_eq!(done["state"], "done", "{done}");
    let merges = site.get(&viewer, "/api/v1/merges").json();
    assert_eq!(merges["items"][0]["actor"], "operator (local)");
}

#[test]
fn f90_a_name_that_nobody_has_takes_as_long_as_a_wrong_password() {
    let site = Site::new();
    site.token(Role::Viewer);
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..9 {
        for (which, name) in ["viewer", "nobody"].into_iter().enumerate() {
            // Nobody waits: each guess comes from elsewhere, and a right one in between forgives the name.
            let address = format!("10.0.{which}.{round}");
            let begun = std::time::Instant::now();
            let refused = people::login(&site.app, name, "wrong password", &address).unwrap_err();
            times[which].push(begun.elapsed());
            assert_eq!(refused.code, "unauthenticated");
            people::login(&site.app, "viewer", PASSWORD, &format!("10.1.{which}.{round}")).unwrap();
            if which == 1 && round % 4 == 3 {
                // The name itself waits after five.
                break;
            }
        }
        if times[1].len() >= 4 {
            break;
        }
    }
    let median = |mut all: Vec<std::time::Duration>| {
        all.sort_unstable();
        all[all.len() / 2].as_secs_f64()
    };
    let [known, unknown] = times.map(median);
    assert!(known / unknown < 2.0 && unknown / known < 2.0, "known {known} s, unknown {unknown} s");
}

#[test]
fn f90_guessing_one_name_from_many_places_waits_too() {
    let site = Site::new();
    site.token(Role::Viewer);
    for place in 0..5 {
        let refused = people::login(&site.app, "Viewer", "wrong password", &format!("10.0.0.{place}")).unwrap_err();
        assert_eq!(refused.code, "unauthenticated");
    }
    let waits = people::login(&site.app, "viewer", PASSWORD, "10.0.0.99").unwrap_err();
    assert_eq!((waits.code.as_str(), waits.status), ("too_many_requests", 429));
    assert!(waits.retry_after_seconds.is_some());
    let audit = merganser::executor::audit::read(site.app.home()).unwrap();
    assert_eq!(audit.iter().filter(|e| e.event == "login_refused").count(), 5);
}

#[test]
fn f93_a_thousand_at_once_are_answered_and_followers_come_and_go() {
    let site = Site::new();
    let token = site.token(Role::Operator);
    site.upload(&token, "friday.json", &super::friday());
    let asked = json!({"backup": "friday.json", "target": "main"});
    let started = site.ask(&token, "POST", "/api/v1/analyses", &[], &asked);
    let done = site.end(&token, &started);
    let bearer = format!("Bearer {token}");
    let memory = || {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4
    };
    let ask = |path: &str| {
        let all: Vec<_> = (0..1000)
            .map(|_| {
                let asked = request("GET", path, &[("authorization", &bearer)], "");
                site.runtime.spawn(Site::send(site.app.clone(), asked))
            })
            .collect();
        all.into_iter().map(|one| site.runtime.block_on(one).unwrap()).collect::<Vec<_>>()
    };
    let before = memory();
    for path in
        ["/api/v1/session", "/api/v1/backups", &format!("/api/v1/analyses/{}", done["subject"].as_str().unwrap())]
    {
        for reply in ask(path) {
            assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text);
        }
    }
    // Who follows again and again takes nobody's place.
    let place = format!("{}/events", started.headers["location"].to_str().unwrap());
    for _ in 0..3 {
        for reply in ask(&place) {
            assert!(matches!(reply.status.as_u16(), 200 | 429), "{}", reply.text);
        }
    }
    assert_eq!(site.get(&token, &place).status, StatusCode::OK);
    assert!(memory() < before + 256 * 1024, "{before} kB, then {} kB", memory());
}

#[test]
fn f100_an_audit_log_that_was_touched_names_its_first_bad_entry() {
    let site = Site::new();
    let token = site.token(Role::Admin);
    for n in 0..4 {
        people::note(site.app.home(), "test", "ada (local)", &format!("entry {n}")).unwrap();
    }
    let path = site.app.home().audit();
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let check = || site.get(&token, "/api/v1/audit/verify").json();
    assert_eq!((&check()["sound"], &check()["entries"]), (&json!(true), &json!(lines.len())));
    let written = |lines: &[&str]| lines.iter().map(|l| format!("{l}\n")).collect::<String>();
    let with = |text: String| {
        std::fs::write(&path, text).unwrap();
        let found = check();
        assert_eq!(found["sound"], false, "{found}");
        found["problem"].as_str().unwrap().to_owned()
    };
    let mut removed = lines.clone();
    removed.remove(1);
    assert!(with(written(&removed)).contains("entry 2"));
    assert!(with(whole.replacen("entry 1", "entry X", 1)).contains("entry 3"));
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    assert!(with(written(&swapped)).contains("entry 3"));
    let cut = with(written(&lines[..lines.len() - 2]));
    assert!(cut.contains("ends after entry 3") && cut.contains("5 were written"), "{cut}");
    assert!(with(String::new()).contains("ends after entry 0"));
    // Whoever writes a whole new chain does not have the key of its anchor.
    std::fs::write(&path, &whole).unwrap();
    let anchor = site.app.home().root().join("audit.anchor");
    let kept = std::fs::read_to_string(&anchor).unwrap();
    std::fs::write(&anchor, kept.replacen('5', "3", 1)).unwrap();
    assert!(check()["problem"].as_str().unwrap().contains("anchor"));
    std::fs::write(&anchor, &kept).unwrap();
    // What a crash left of a line was never reported as written: it goes, and the chain goes on.
    std::fs::write(&path, format!("{whole}{{\"sequence\":6,\"time\"")).unwrap();
    people::note(site.app.home(), "test", "ada (local)", "after a crash").unwrap();
    assert_eq!((&check()["sound"], &check()["entries"]), (&json!(true), &json!(lines.len() + 1)));
}

#[test]
fn t21_what_came_in_a_header_or_a_body_is_in_no_answer_to_it() {
    let site = Site::new();
    let token = site.token(Role::Admin);
    for (path, body) in [
        ("/api/v1/users", json!({"name": "x", "role": "admin", "password": "c4n4ry"})),
        ("/api/v1/session", json!({"name": "x", "password": "c4n4ry-wrong"})),
        ("/api/v1/setup", json!({"secret": "c4n4ry", "name": "x", "password": "c4n4ry-c4n4ry"})),
    ] {
        let reply = site.ask(&token, "POST", path, &[("merganser-passphrase", "c4n4ry")], &body);
        assert!(reply.status.is_client_error() && !reply.text.contains("c4n4ry"), "{path}: {}", reply.text);
    }
}
