//! The service: requests through its routes without a network, and a real process where a process has to die.

mod access;
mod api;
mod approval;
mod deciding;
mod failures;
mod flow;
mod guides;
mod own;
mod pages;
mod power;
mod process;
mod secrets;
mod threats;

use crate::world::World;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use merganser::config::{Config, Target};
use merganser::server::access::Scope;
use merganser::server::people::{self, NewToken};
use merganser::server::{App, Options, Role, router};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};
use tower::ServiceExt;

/// A password hash in the data that must never be told.
const CANARY: &str = "c4n4ry-93b1";
/// Every user's password in these tests.
const PASSWORD: &str = "correct horse battery";

const SQL: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT, password_hash TEXT, updated_at TEXT);
    CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT NOT NULL, user_id INTEGER REFERENCES users (id));
    INSERT INTO users VALUES (1, 'a@x', 'a', 'c4n4ry-93b1', '2026-11-01T00:00:00Z'), (2, 'b@x', 'b', 'c4n4ry-93b1', '2026-11-02T00:00:00Z'),
        (3, 'c@x', 'c', 'c4n4ry-93b1', '2026-11-01T00:00:00Z');
    INSERT INTO rooms VALUES (1, 'one', 1);";

/// A service over a small world, with a token for each role.
struct Site {
    world: World,
    app: App,
    runtime: tokio::runtime::Runtime,
}

/// What was answered.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Reply {
    fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {} {}", self.status, self.text))
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

fn address() -> std::net::SocketAddr {
    "127.0.0.1:7878".parse().expect("an address")
}

impl Site {
    fn new() -> Self {
        Self::with(SQL, |_| {}, |_| {})
    }

    /// A service with more in its configuration than its target.
    fn configured(sql: &str, configure: impl FnOnce(&mut Config)) -> Self {
        Self::made(sql, |_| {}, |_| {}, configure)
    }

    fn with(sql: &str, change: impl FnOnce(&mut Options), target: impl FnOnce(&mut Target)) -> Self {
        Self::made(sql, change, target, |_| {})
    }

    fn made(
        sql: &str,
        change: impl FnOnce(&mut Options),
        target: impl FnOnce(&mut Target),
        configure: impl FnOnce(&mut Config),
    ) -> Self {
        let world = World::new(sql);
        let mut options = Options::at(address());
        change(&mut options);
        let mut config = Config::default();
        configure(&mut config);
        let mut named =
            Target { url: Some(format!("sqlite:{}", world.path("current.db").display())), ..Target::default() };
        target(&mut named);
        config.settings.targets.insert("main".to_owned(), named);
        let app = App::open(world.home.clone(), config, options).expect("the service opens");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        Self { world, app, runtime }
    }

    /// Makes a user of a role, named after it, and a token with all scopes.
    fn token(&self, role: Role) -> String {
        self.token_for(role, &Scope::ALL)
    }

    fn token_for(&self, role: Role, scopes: &[Scope]) -> String {
        let state = self.app.state();
        let user = people::find(state, role.word())
            .or_else(|_| people::add(state, role.word(), role, PASSWORD, None))
            .expect("a user");
        let new = NewToken { name: "test", scopes, days: 1 };
        people::create_token(state, self.app.home(), &user, &new, "test").expect("a token").1
    }

    async fn send(app: App, request: Request<Body>) -> Reply {
        let response = router(&app).oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Reply { status: parts.status, headers: parts.headers, text }
    }

    fn ask_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        self.runtime.block_on(Self::send(self.app.clone(), request(method, path, headers, body)))
    }

    fn get(&self, token: &str, path: &str) -> Reply {
        self.ask_with("GET", path, &[("authorization", &format!("Bearer {token}"))], "")
    }

    fn ask(&self, token: &str, method: &str, path: &str, more: &[(&str, &str)], body: &Json) -> Reply {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
        headers.extend_from_slice(more);
        self.ask_with(method, path, &headers, body.to_string())
    }

    /// Follows an operation to its end.
    fn end(&self, token: &str, reply: &Reply) -> Json {
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text);
        let place = reply.headers["location"].to_str().expect("a location").to_owned();
        let begun = Instant::now();
        loop {
            let operation = self.get(token, &place).json();
            if operation["state"] != "running" {
                return operation;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{operation}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Uploads a Smart Backup under a name.
    fn upload(&self, token: &str, name: &str, tables: &[(&str, Json)]) -> Json {
        let path = self.world.backup(&format!("{name}.tmp"), tables);
        let bytes = std::fs::read(path).expect("read");
        let bearer = format!("Bearer {token}");
        let reply = self.ask_with("PUT", &format!("/api/v1/uploads/{name}"), &[("authorization", &bearer)], bytes);
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
        reply.json()
    }

    /// Analyzes a backup with the strategy `manual` and returns the analysis's id.
    fn analyze(&self, token: &str, backup: &str) -> String {
        let asked = json!({"backup": backup, "target": "main", "strategy": "manual"});
        let operation = self.end(token, &self.ask(token, "POST", "/api/v1/analyses", &[], &asked));
        assert_eq!(operation["state"], "done", "{operation}");
        operation["subject"].as_str().expect("an id").to_owned()
    }

    /// The usual story so far: a backup with one new, one updated and two conflicting records, analyzed.
    fn analyzed(&self, token: &str) -> String {
        let backup = self.upload(token, "friday.json", &friday());
        self.analyze(token, backup["id"].as_str().expect("an id"))
    }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).expect("a method")).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost:7878");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).expect("a request")
}

fn friday() -> [(&'static str, Json); 2] {
    let user = |id: u32, email: &str, name: &str, day: &str| json!({"id": id, "email": email, "name": name, "password_hash": CANARY, "updated_at": format!("2026-11-{day}T00:00:00Z")});
    [
        (
            "users",
            json!([
                user(1, "a@x", "new name", "09"),
                user(2, "b@x", "older", "01"),
                user(3, "c@x", "other", "01"),
                user(4, "d@x", "deleted", "01")
            ]),
        ),
        ("rooms", json!([{"id": 1, "name": "one", "user_id": 1}, {"id": 4, "name": "four", "user_id": 4}])),
    ]
}
