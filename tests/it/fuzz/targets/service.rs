//! Requests to the service: paths, queries, cookies, tags and tokens that people make up.

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use merganser::config::Config;
use merganser::executor::Home;
use merganser::server::access::{Role, Scope};
use merganser::server::people::{NewToken, add, create_token};
use merganser::server::{App, Options, router};
use std::net::SocketAddr;
use std::sync::OnceLock;
use tower::ServiceExt;

struct Service {
    routes: axum::Router,
    token: String,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

/// A service with an administrator, made once; it never listens.
fn service() -> &'static Service {
    static SERVICE: OnceLock<Service> = OnceLock::new();
    SERVICE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::open(folder.path()).expect("a data folder");
        let listen: SocketAddr = "127.0.0.1:7878".parse().expect("an address");
        let app = App::open(home, Config::default(), Options::at(listen)).expect("opens");
        let user = add(app.state(), "ada", Role::Admin, "a long password", None).expect("added");
        let scopes = [Scope::Read, Scope::Admin];
        let new = NewToken { name: "fuzz", scopes: &scopes, days: 1 };
        let (_, token) = create_token(app.state(), app.home(), &user, &new, "test").expect("made");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Service { routes: router(&app), token, runtime, _folder: folder }
    })
}

/// Lines: path and query, cookies, If-None-Match, a token (empty: a good one). Never answered with a failure of ours.
pub fn request(data: &[u8]) {
    let mut lines = data.split(|b| *b == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (path, cookies, tag, token) = (line(), line(), line(), line());
    let service = service();
    let good = format!("Bearer {}", service.token);
    let token = if token.is_empty() { good.as_bytes() } else { token };
    let request = Request::get(path)
        .header(header::HOST, "localhost:7878")
        .header(header::COOKIE, cookies)
        .header(header::IF_NONE_MATCH, tag)
        .header(header::AUTHORIZATION, token)
        .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))))
        .body(Body::empty());
    // What HTTP itself does not allow never arrives.
    let Ok(request) = request else { return };
    let answer = service.runtime.block_on(service.routes.clone().oneshot(request)).expect("always answers");
    let status = answer.status().as_u16();
    // 501, 503 and 507 say what can't be done here.
    assert!(status < 500 || [501, 503, 507].contains(&status), "{status}");
    assert!(answer.headers().contains_key("content-security-policy"));
}
