//! Who may do what: one table of all routes, looked at before any handler runs. A route that is not in it is denied.

use super::app::App;
use super::problem::Problem;
use super::service::operations;
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What a person may do; each may also do what those before it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    #[default]
    Viewer,
    /// Backs up, analyzes, decides and merges; not into protected databases.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// Reads a role, by our name or one of the guides'.
    pub fn from_word(word: &str) -> Option<Self> {
        let folded: String = word.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        match folded.as_str() {
            "viewer" | "user" => Some(Self::Viewer),
            "operator" | "staff" => Some(Self::Operator),
            "admin" | "root" | "superadmin" | "superuser" => Some(Self::Admin),
            _ => None,
        }
    }

    /// Returns the word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// What a token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Looking.
    Read,
    /// Making, bringing, fetching and removing backups.
    Backup,
    /// Analyzing.
    Analyze,
    /// Deciding.
    Resolve,
    /// Merging and undoing.
    Merge,
    /// People, tokens, settings.
    Admin,
}

impl Scope {
    /// Lists all.
    pub const ALL: [Self; 6] = [Self::Read, Self::Backup, Self::Analyze, Self::Resolve, Self::Merge, Self::Admin];
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user's id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// What their token may be used for; a session: everything that the role may.
    pub scopes: Option<Vec<Scope>>,
    /// What they may reach of it where an administrator grants only their own records.
    pub own: Option<super::people::Own>,
    /// Where they ask from.
    pub address: String,
    /// The digest of their session's secret, where they have one.
    pub session: Option<String>,
}

impl Person {
    /// Returns who it was, for the audit log: name and address.
    pub fn actor(&self) -> String {
        format!("{} ({})", self.name, self.address)
    }

    /// Returns a digest of what they are granted, where they may reach only their own records.
    pub fn grant(&self) -> Option<String> {
        let text = self.own.as_ref().map(|own| serde_json::to_string(own).expect("always serialises"));
        text.map(|text| super::state::digest(&text))
    }

    fn may(&self, need: Need) -> bool {
        self.role >= need.role && self.scopes.as_ref().is_none_or(|s| s.contains(&need.scope))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::own("unauthenticated", "nobody is logged in"))
    }
}

/// Where a request comes from; known only where it came over the network.
#[derive(Clone, Debug)]
pub struct Address(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Address {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(address(&parts.extensions)))
    }
}

fn address(extensions: &axum::http::Extensions) -> String {
    extensions.get::<ConnectInfo<SocketAddr>>().map_or_else(|| "local".to_owned(), |info| info.0.ip().to_string())
}

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// The least role.
    pub role: Role,
    /// The scope that a token needs.
    pub scope: Scope,
}

/// Who a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody, also who is not logged in.
    Public,
    /// Who has a role, and with a token a scope.
    Needs(Need),
}

/// One route: method, path as the router has it, who it is for.
pub type Rule = (&'static str, &'static str, Access);

/// Shortens the table.
pub const fn viewer(scope: Scope) -> Access {
    Access::Needs(Need { role: Role::Viewer, scope })
}

/// Shortens the table.
pub const fn operator(scope: Scope) -> Access {
    Access::Needs(Need { role: Role::Operator, scope })
}

/// Shortens the table.
pub const fn admin() -> Access {
    Access::Needs(Need { role: Role::Admin, scope: Scope::Admin })
}

/// The routes of a person who is granted only their own records; all others, the pages too, are closed to them. What
/// carries an id must come from an operation that they began.
const OWN: &[(&str, &str)] = &[
    ("GET", "/api/v1/session"),
    ("DELETE", "/api/v1/session"),
    ("PUT", "/api/v1/uploads/{name}"),
    // Made with the conditions of their grant.
    ("POST", "/api/v1/backups"),
    ("GET", "/api/v1/backups/{id}"),
    ("GET", "/api/v1/backups/{id}/content"),
    ("POST", "/api/v1/analyses"),
    ("GET", "/api/v1/analyses/{id}"),
    ("PATCH", "/api/v1/analyses/{id}"),
    ("DELETE", "/api/v1/analyses/{id}"),
    ("GET", "/api/v1/analyses/{id}/records"),
    ("GET", "/api/v1/analyses/{id}/patterns"),
    ("GET", "/api/v1/analyses/{id}/records/{table}/{key}"),
    ("PATCH", "/api/v1/analyses/{id}/records/{table}/{key}"),
    ("POST", "/api/v1/analyses/{id}/decisions"),
    ("GET", "/api/v1/analyses/{id}/decisions"),
    ("PUT", "/api/v1/analyses/{id}/decisions"),
    // The analysis that is merged is looked at where the merge begins.
    ("POST", "/api/v1/merges"),
    ("GET", "/api/v1/operations/{id}"),
    ("GET", "/api/v1/operations/{id}/events"),
    ("POST", "/api/v1/operations/{id}/cancel"),
    ("GET", "/api/v1/openapi.json"),
];

/// Tells whether a route, and what its path names, is within a person's own records.
fn within_own(app: &App, person: &Person, method: &Method, pattern: &str, path: &str) -> bool {
    OWN.contains(&(method.as_str(), pattern)) && {
        let id = pattern.split('/').zip(path.split('/')).find(|(part, _)| *part == "{id}").map(|(_, id)| id);
        id.is_none_or(|id| operations::began(app.state(), person, id).unwrap_or(false))
    }
}

/// Lists the rules of all routes.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    super::api::ACCESS.iter().chain(super::pages::ACCESS).chain(super::assets::ACCESS).chain(super::health::ACCESS)
}

fn access_to(method: &Method, path: &str) -> Option<Access> {
    let method = if method == Method::HEAD { Method::GET } else { method.clone() };
    rules().find(|(m, p, _)| *m == method.as_str() && *p == path).map(|rule| rule.2)
}

/// Finds out who asks and whether they may; handlers find the [`Person`] in the request.
pub(super) async fn check(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let Some(path) = request.extensions().get::<MatchedPath>().map(|p| p.as_str().to_owned()) else {
        return next.run(request).await;
    };
    let from = address(request.extensions());
    let person = match identify(&app, request.headers(), &from).await {
        Ok(person) => person,
        Err(problem) => return problem.into_response(),
    };
    let known = rules().any(|(_, p, _)| *p == path);
    let access = access_to(request.method(), &path);
    let page = !path.starts_with("/api/") && request.method() == Method::GET;
    match (access, &person) {
        // The router answers 405 for a path that is known with other methods.
        (None, _) if known => {}
        (None, _) => return Problem::forbidden(format!("{path} is open to nobody")).into_response(),
        (Some(Access::Public), _) => {}
        (Some(Access::Needs(_)), None) if page => {
            let from = request.uri().path_and_query().map_or("/", |p| p.as_str());
            let next: String = url::form_urlencoded::byte_serialize(from.as_bytes()).collect();
            return Redirect::to(&format!("/login?next={next}")).into_response();
        }
        (Some(Access::Needs(_)), None) => {
            return Problem::own("unauthenticated", "log in, or send a token: 'Authorization: Bearer mgs_…'")
                .into_response();
        }
        (Some(Access::Needs(need)), Some(person)) if !person.may(need) => {
            tracing::warn!(user = person.name, path, "denied");
            return Problem::forbidden(format!(
                "this needs the role {} (yours is {}) and, with a token, the scope {:?}",
                need.role.word(),
                person.role.word(),
                need.scope
            ))
            .into_response();
        }
        (Some(Access::Needs(_)), Some(person))
            if person.own.is_some() && !within_own(&app, person, request.method(), &path, request.uri().path()) =>
        {
            tracing::warn!(user = person.name, path, "denied: beyond their own records");
            return Problem::forbidden("this reaches further than your own records").into_response();
        }
        (Some(Access::Needs(_)), Some(_)) => {}
    }
    if let Some(person) = person {
        request.extensions_mut().insert(person);
    }
    next.run(request).await
}

/// The cookie's name: `__Host-` keeps it to this host over TLS; plain HTTP on loopback has one of its own.
pub fn cookie_name(app: &App) -> &'static str {
    if app.options().tls.is_some() { "__Host-merganser" } else { "merganser" }
}

async fn identify(app: &App, headers: &HeaderMap, from: &str) -> Result<Option<Person>, Problem> {
    let text = |name| headers.get(name).and_then(|v: &axum::http::HeaderValue| v.to_str().ok());
    if let Some(given) = text(header::AUTHORIZATION) {
        let token = given.strip_prefix("Bearer ").or_else(|| given.strip_prefix("Token ")).map(str::trim);
        let token = token.unwrap_or_default().to_owned();
        let (app, from) = (app.clone(), from.to_owned());
        return super::app::blocking(move || super::people::by_token(&app, &token, &from)).await.map(Some);
    }
    let cookie = text(header::COOKIE).and_then(|all| {
        all.split(';').filter_map(|one| one.trim().split_once('=')).find(|(n, _)| *n == cookie_name(app)).map(|c| c.1)
    });
    match cookie {
        Some(secret) => {
            let (app, from, secret) = (app.clone(), from.to_owned(), secret.to_owned());
            super::app::blocking(move || super::people::by_session(&app, &secret, &from)).await
        }
        None => Ok(None),
    }
}
