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
        Self::serve(world, failpoint, &[])
    }

    fn serve(world: &World, failpoint: Option<&str>, more: &[&str]) -> Self {
        Self::over(world, &format!("sqlite:{}", world.path("current.db").display()), failpoint, more)
    }

    fn over(world: &World, database: &str, failpoint: Option<&str>, more: &[&str]) -> Self {
        let mut command = command(world, &["serve", "--listen", "127.0.0.1:0", "--to", database]);
        command.args(more);
        command.envs(failpoint.map(|f| ("MERGANSER_FAILPOINT", f)));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let place = lines
            .find_map(|line| {
                let line = line.expect("a line");
                let place = line.strip_prefix("Listening on ")?;
                Some(place.trim_start_matches("https://").trim_start_matches("http://").to_owned())
            })
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
    let database = format!("sqlite:{}", world.path("current.db").display());
    killed(&world, &database, failpoint, committed, &|| world.content().join("\n"));
}

/// Kills a service in the middle of a merge, starts another one, and asks again with the same key.
fn killed(world: &World, database: &str, failpoint: &str, committed: bool, content: &dyn Fn() -> String) {
    let before = content();
    let token = token(world);
    let first = Service::over(world, database, Some(failpoint), &[]);
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
    let second = Service::over(world, database, None, &[]);
    let (_, listed) = second.json(&token, "GET", "/api/v1/operations", "", &json!({}));
    let known = listed["items"].as_array().and_then(|all| all.iter().find(|o| o["kind"] == "merge")).cloned();
    let known = known.unwrap_or_else(|| panic!("the merge is known: {listed}"));
    assert_eq!(known["state"], if committed { "done" } else { "failed" }, "{known}");
    let after = content();
    assert_eq!(after == before, !committed);
    let (status, again) = second.json(&token, "POST", "/api/v1/merges", key, &merge);
    assert_eq!((status, &again["id"]), (202, &known["id"]), "{again}");
    assert_eq!(content(), after, "the same key does nothing twice");
    let (_, merges) = second.json(&token, "GET", "/api/v1/merges", "", &json!({}));
    let done = merges["items"].as_array().map_or(0, |all| all.iter().filter(|m| m["state"] == "committed").count());
    assert_eq!(done, usize::from(committed), "{merges}");
}

/// The same story over the servers' databases.
fn on_servers(failpoint: &str, committed: bool) {
    use crate::servers::{mariadb, postgres};
    let sql = SQL
        .replace("email TEXT NOT NULL UNIQUE", "email VARCHAR(100) NOT NULL UNIQUE")
        .replace("updated_at TEXT", "updated_at VARCHAR(40)");
    for fresh in [postgres(&sql), mariadb(&sql)] {
        let world = World::new("CREATE TABLE unused (id INTEGER PRIMARY KEY)");
        let content = || {
            let users = fresh.texts("SELECT concat(id, ' ', email, ' ', name, ' ', updated_at) FROM users ORDER BY id");
            let rooms = fresh.texts("SELECT concat(id, ' ', name) FROM rooms ORDER BY id");
            format!("{users:?} {rooms:?}")
        };
        killed(&world, &fresh.url, failpoint, committed, &content);
    }
}

#[test]
fn u32_killed_on_the_servers_before_and_after_the_commit() {
    on_servers("before-commit:1", false);
    on_servers("after-commit:1", true);
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
fn t28_with_a_certificate_all_goes_over_tls() {
    let world = World::new(SQL);
    let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            names,
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ])
        .current_dir(world.folder.path())
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let token = token(&world);
    let tls = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let service = Service::serve(&world, None, &tls);
    let certificate = std::fs::read(world.path("cert.pem")).expect("read");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let root = reqwest::Certificate::from_pem(&certificate).expect("a certificate");
        let client = reqwest::Client::builder().tls_certs_only([root]).build().expect("a client");
        let port = service.place.rsplit_once(':').expect("a port").1.to_owned();
        let at = |path: &str| format!("https://localhost:{port}{path}");
        let who = client.get(at("/api/v1/session")).bearer_auth(&token).send().await.expect("an answer");
        assert_eq!(who.status(), 200);
        assert!(who.headers()["strict-transport-security"].to_str().expect("text").starts_with("max-age="));
        let body = r#"{"name":"ada","password":"correct horse battery"}"#;
        let login = client.post(at("/api/v1/session")).header("content-type", "application/json").body(body);
        let login = login.send().await.expect("an answer");
        assert_eq!(login.status(), 200);
        let cookie = login.headers()["set-cookie"].to_str().expect("text").to_owned();
        assert!(cookie.starts_with("__Host-merganser=") && cookie.contains("; Secure"), "{cookie}");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains("Domain"));
        let cookie = cookie.split(';').next().expect("a cookie").to_owned();
        let out = |origin: String| {
            let asked = client.delete(at("/api/v1/session")).header("cookie", &cookie).header("origin", origin);
            async { asked.send().await.expect("an answer").status().as_u16() }
        };
        assert_eq!(out(format!("http://localhost:{port}")).await, 403, "a page without TLS is another origin");
        assert_eq!(out(format!("https://localhost:{port}")).await, 204);
        // A certificate that nobody vouches for is not taken, and nothing is said in the clear.
        let strict = reqwest::Client::builder().tls_certs_only(std::iter::empty()).build().expect("a client");
        assert!(strict.get(at("/healthz")).send().await.is_err());
    });
    let mut clear = TcpStream::connect(&service.place).expect("connected");
    clear.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    clear.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("written");
    let mut answer = Vec::new();
    let _ = clear.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn f93_who_never_finishes_asking_keeps_nobody_waiting() {
    let world = World::new(SQL);
    let token = token(&world);
    let service = Service::start(&world, None);
    let memory = || {
        let text = std::fs::read_to_string(format!("/proc/{}/status", service.child.id())).expect("read");
        let line = text.lines().find(|l| l.starts_with("VmRSS")).expect("a line").to_owned();
        line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number")
    };
    let before = memory();
    let mut slow: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(&service.place).expect("connected");
            stream.write_all(b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").expect("written");
            stream
        })
        .collect();
    for stream in &mut slow {
        stream.write_all(b"a").expect("written");
    }
    let begun = Instant::now();
    for _ in 0..20 {
        let (status, _) = service.ask(&token, "GET", "/api/v1/session", "", "").expect("an answer");
        assert_eq!(status, 200);
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    // A header that never ends is refused rather than kept.
    let mut endless = TcpStream::connect(&service.place).expect("connected");
    endless.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    let _ = endless.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: ");
    for _ in 0..64 {
        if endless.write_all(&[b'a'; 16 * 1024]).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = endless.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    assert!(memory() < before + 64 * 1024, "{before} kB, then {} kB", memory());
    drop(slow);
}

#[test]
fn f101_a_data_folder_that_is_open_linked_or_read_only_is_refused_with_the_reason() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new(SQL);
    let folder = |name: &str| {
        let path = world.path(name);
        std::fs::create_dir(&path).expect("made");
        std::fs::write(path.join("x"), "x").expect("written");
        path
    };
    let mode = |path: &std::path::Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
    };
    let serve = |path: &std::path::Path, through: &[&str]| {
        let program = env!("CARGO_BIN_EXE_merganser");
        let mut command = match through.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(path).current_dir("/");
        let output = command.env_clear().env("HOME", "/").output().expect("run");
        assert!(!output.status.success(), "{}", path.display());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let open = folder("open");
    mode(&open, 0o755);
    let said = serve(&open, &[]);
    assert!(said.contains("others can read it") && said.contains("chmod 700"), "{said}");
    let private = folder("private");
    mode(&private, 0o700);
    let link = world.path("link");
    std::os::unix::fs::symlink(&private, &link).expect("linked");
    let said = serve(&link, &[]);
    assert!(said.contains("symbolic link"), "{said}");
    let file = world.file("file", "x");
    let said = serve(&file, &[]);
    assert!(said.contains("can't be used"), "{said}");
    // An administrator may write anywhere; anybody else is stopped by the folder's mode.
    let closed = folder("closed");
    let root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("known")) == 0;
    let through: &[&str] = if root { &["setpriv", "--reuid=65534", "--clear-groups"] } else { &[] };
    if root {
        std::os::unix::fs::chown(&closed, Some(65534), None).expect("given");
        mode(world.folder.path(), 0o755);
    }
    mode(&closed, 0o500);
    let said = serve(&closed, through);
    assert!(said.contains("can't be used") || said.contains("ermission denied"), "{said}");
    mode(&closed, 0o700);
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

/// The service on a database with a backup uploaded and analyzed, everything decided; with a token.
fn ready(world: &World) -> (Service, String, String) {
    let token = token(world);
    let service = Service::start(world, None);
    let backup = std::fs::read_to_string(world.backup("b.json", &friday())).expect("read");
    assert_eq!(service.ask(&token, "PUT", "/api/v1/uploads/b.json", "", &backup).expect("an answer").0, 201);
    let asked = json!({"backup": "b.json", "target": "current", "preserve_newer": false});
    let (_, analysis) = service.json(&token, "POST", "/api/v1/analyses", "", &asked);
    let found = service.end(&token, analysis["id"].as_str().expect("an id"));
    let id = found["subject"].as_str().expect("an analysis").to_owned();
    (service, token, id)
}

/// Waits until somebody holds merganser's lock on the database.
fn held(world: &World) {
    let begun = Instant::now();
    loop {
        let status = command(world, &["status", "--json", "--to", "current.db"]).output().expect("run");
        let text = String::from_utf8_lossy(&status.stdout).into_owned();
        let line: Json = serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_default();
        if !line["targets"][0]["lock"].is_null() {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody holds it: {text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn u37_command_line_and_service_respect_each_others_locks() {
    let world = World::new(SQL);
    let (service, token, id) = ready(&world);
    // The application writes: whoever merges holds merganser's lock and waits for the database.
    let application = world.connection();
    application.execute_batch("BEGIN IMMEDIATE").expect("held");
    let (status, merge) =
        service.json(&token, "POST", "/api/v1/merges", "Idempotency-Key: a\r\n", &json!({"analysis": id}));
    assert_eq!(status, 202, "{merge}");
    held(&world);
    let other =
        command(&world, &["merge", "b.json", "--to", "current.db", "--yes", "--strategy", "backup-wins"]).output();
    let other = other.expect("run");
    assert_eq!(other.status.code(), Some(11), "{}", String::from_utf8_lossy(&other.stderr));
    application.execute_batch("ROLLBACK").expect("let go");
    assert_eq!(service.end(&token, merge["id"].as_str().expect("an id"))["state"], "done");
    // The other way round; the service finds the lock taken, and says so.
    world.sql("UPDATE users SET name = 'since' WHERE id = 1");
    let (_, again) = service.json(
        &token,
        "POST",
        "/api/v1/analyses",
        "",
        &json!({"backup": "b.json", "target": "current", "preserve_newer": false}),
    );
    let again = service.end(&token, again["id"].as_str().expect("an id"));
    application.execute_batch("BEGIN IMMEDIATE").expect("held");
    let mut first = command(&world, &["merge", "b.json", "--to", "current.db", "--yes", "--strategy", "backup-wins"]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("run");
    held(&world);
    let (_, second) = service.json(
        &token,
        "POST",
        "/api/v1/merges",
        "Idempotency-Key: b\r\n",
        &json!({"analysis": again["subject"]}),
    );
    let problem = match second["id"].as_str().filter(|id| id.starts_with("o-")) {
        Some(id) => service.end(&token, id)["problem"].clone(),
        None => second,
    };
    assert!(matches!(problem["code"].as_str(), Some("busy" | "merge_running")), "{problem}");
    application.execute_batch("ROLLBACK").expect("let go");
    assert!(first.wait().expect("it ends").success());
    let (_, merges) = service.json(&token, "GET", "/api/v1/merges", "", &json!({}));
    let done = merges["items"].as_array().map_or(0, |all| all.iter().filter(|m| m["state"] == "committed").count());
    assert_eq!(done, 2, "{merges}");
}

#[test]
fn u34_a_merge_goes_on_when_who_follows_it_goes_away() {
    let world = World::new(SQL);
    let (service, token, id) = ready(&world);
    let application = world.connection();
    application.execute_batch("BEGIN IMMEDIATE").expect("held");
    let (_, merge) = service.json(&token, "POST", "/api/v1/merges", "Idempotency-Key: a\r\n", &json!({"analysis": id}));
    let operation = merge["id"].as_str().expect("an id");
    let mut stream = TcpStream::connect(&service.place).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    let asked = format!(
        "GET /api/v1/operations/{operation}/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n",
        service.place
    );
    stream.write_all(asked.as_bytes()).expect("asked");
    let mut some = [0; 64];
    assert!(stream.read(&mut some).expect("the events begin") > 0);
    stream.shutdown(std::net::Shutdown::Both).expect("gone");
    drop(stream);
    application.execute_batch("ROLLBACK").expect("let go");
    assert_eq!(service.end(&token, operation)["state"], "done");
}

#[test]
fn u36_memory_stays_flat_while_a_large_file_comes() {
    let world = World::new(SQL);
    let token = token(&world);
    let service = Service::start(&world, None);
    let peak = || {
        let text = std::fs::read_to_string(format!("/proc/{}/status", service.child.id())).expect("its state");
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("its peak").trim().to_owned();
        line.trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    };
    let before = peak();
    let size: u64 = 512 * 1024 * 1024;
    let mut stream = TcpStream::connect(&service.place).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(120))).expect("set");
    let head = format!(
        "PUT /api/v1/uploads/large.bin HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Length: {size}\r\n\r\n",
        service.place
    );
    stream.write_all(head.as_bytes()).expect("asked");
    let piece = vec![7; 1024 * 1024];
    for _ in 0..size / piece.len() as u64 {
        stream.write_all(&piece).expect("sent");
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains("422"), "{answer}");
    let grown = peak() - before;
    assert!(grown < 64 * 1024 * 1024, "{grown} bytes more for a file of {size}");
    let left = std::fs::read_dir(world.home.root().join("uploads")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "what is no backup is not kept");
}
