//! A real process: killed in the middle of a merge, and ended while it works.

use super::{SQL, friday};
use crate::world::World;
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running service; it ends with the test.
struct Service {
    child: Child,
    place: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(world: &World, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_merganser"));
    command.args(args).arg("--data-dir").arg(world.home.root());
    command.current_dir(world.folder.path()).env_clear().env("HOME", world.folder.path());
    command
}

impl Service {
    fn start(world: &World, failpoint: Option<&str>) -> Self {
        let database = format!("sqlite:{}", world.path("current.db").display());
        let mut command = command(world, &["serve", "--listen", "127.0.0.1:0", "--to", &database]);
        command.envs(failpoint.map(|f| ("MERGANSER_FAILPOINT", f)));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let place = lines
            .find_map(|line| line.expect("a line").strip_prefix("Listening on http://").map(str::to_owned))
            .expect("where it listens");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, place }
    }

    fn ask(&self, token: &str, method: &str, path: &str, more: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.place).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{more}\r\n{body}",
            self.place,
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    fn json(&self, token: &str, method: &str, path: &str, more: &str, body: &Json) -> (u16, Json) {
        let (status, text) = self.ask(token, method, path, more, &body.to_string()).expect("an answer");
        let text = text.split_once('{').map_or(text.clone(), |(_, rest)| format!("{{{rest}"));
        (status, serde_json::from_str(text.trim_end_matches(['\r', '\n', '0'])).unwrap_or(Json::Null))
    }

    fn end(&self, token: &str, id: &str) -> Json {
        let begun = Instant::now();
        loop {
            let (_, operation) = self.json(token, "GET", &format!("/api/v1/operations/{id}"), "", &json!({}));
            if operation["state"] != "running" {
                return operation;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{operation}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn token(world: &World) -> String {
    world.file("pw.txt", "correct horse battery");
    let added = command(world, &["user", "add", "ada", "--role", "SUPER_ADMIN", "--password-file", "pw.txt"]).output();
    assert!(added.expect("run").status.success());
    let scopes = "read,backup,analyze,resolve,merge,admin";
    let made = command(world, &["token", "create", "test", "--user", "ada", "--scopes", scopes]).output().expect("run");
    let text = String::from_utf8(made.stdout).expect("text");
    text.lines().find(|l| l.starts_with("mgs_")).expect("a token").to_owned()
}

fn killed_at(failpoint: &str, committed: bool) {
    let world = World::new(SQL);
    let before = world.content();
    let token = token(&world);
    let first = Service::start(&world, Some(failpoint));
    let backup = std::fs::read_to_string(world.backup("b.json", &friday())).expect("read");
    assert_eq!(first.ask(&token, "PUT", "/api/v1/uploads/b.json", "", &backup).expect("an answer").0, 201);
    let asked = json!({"backup": "b.json", "target": "current", "preserve_newer": false});
    let (_, analysis) = first.json(&token, "POST", "/api/v1/analyses", "", &asked);
    let found = first.end(&token, analysis["id"].as_str().expect("an id"));
    let merge = json!({"analysis": found["subject"]});
    let key = "Idempotency-Key: once\r\n";
    // It may be killed before it answers; what counts is what is known afterwards.
    let _ = first.ask(&token, "POST", "/api/v1/merges", key, &merge.to_string());
    let mut first = first;
    assert!(!first.child.wait().expect("it ends").success(), "killed at {failpoint}");
    drop(first);
    let second = Service::start(&world, None);
    let (_, listed) = second.json(&token, "GET", "/api/v1/operations", "", &json!({}));
    let known = listed["items"].as_array().and_then(|all| all.iter().find(|o| o["kind"] == "merge")).cloned();
    let known = known.unwrap_or_else(|| panic!("the merge is known: {listed}"));
    assert_eq!(known["state"], if committed { "done" } else { "failed" }, "{known}");
    let after = world.content();
    assert_eq!(after == before, !committed);
    let (status, again) = second.json(&token, "POST", "/api/v1/merges", key, &merge);
    assert_eq!((status, &again["id"]), (202, &known["id"]), "{again}");
    assert_eq!(world.content(), after, "the same key does nothing twice");
    let (_, merges) = second.json(&token, "GET", "/api/v1/merges", "", &json!({}));
    let done = merges["items"].as_array().map_or(0, |all| all.iter().filter(|m| m["state"] == "committed").count());
    assert_eq!(done, usize::from(committed), "{merges}");
}

#[test]
fn u32_killed_before_the_commit_nothing_happened_and_it_is_known() {
    killed_at("before-commit:1", false);
}

#[test]
fn u32_killed_after_the_commit_it_is_done_and_known() {
    killed_at("after-commit:1", true);
}

#[test]
fn a_service_that_is_asked_to_end_ends_and_frees_its_folder() {
    let world = World::new(SQL);
    let mut service = Service::start(&world, None);
    let ended = Command::new("kill").args(["-TERM", &service.child.id().to_string()]).status().expect("run");
    assert!(ended.success());
    let begun = Instant::now();
    while service.child.try_wait().expect("asked").is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(service);
    drop(Service::start(&world, None));
}

#[test]
fn t28_the_service_is_not_served_in_the_clear_beyond_this_machine() {
    let world = World::new(SQL);
    let output = command(&world, &["serve", "--listen", "0.0.0.0:0"]).output().expect("run");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("--tls-cert"), "{text}");
}
