//! Setting up, logging in and out, users, tokens.

use super::parts::{At, Body};
use crate::server::access::{Address, Person, Role, Scope, cookie_name};
use crate::server::app::{App, blocking};
use crate::server::people::{self, NewToken, Own, Token, User};
use crate::server::problem::{Answer, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetUp {
    /// The secret of the link that the service printed.
    secret: String,
    /// The administrator's name.
    name: String,
    /// Their password.
    password: String,
}

/// Makes the first administrator.
#[utoipa::path(post, path = "/api/v1/setup", tag = "people", request_body = SetUp, responses((status = 201, body = User)))]
pub(super) async fn set_up(
    State(app): State<App>,
    Address(from): Address,
    Body(asked, _): Body<SetUp>,
) -> Answer<Response> {
    let user = blocking(move || people::set_up(&app, &asked.secret, &asked.name, &asked.password, &from)).await?;
    Ok((StatusCode::CREATED, Json(user)).into_response())
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    /// The user's name.
    name: String,
    /// Their password.
    password: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Who {
    /// The user's name.
    name: String,
    /// What they may do.
    role: Role,
    /// What their token may be used for; null with a session.
    scopes: Option<Vec<Scope>>,
    /// Their own records, where they may reach only those.
    own: Option<Own>,
}

impl From<Person> for Who {
    fn from(person: Person) -> Self {
        Self { name: person.name, role: person.role, scopes: person.scopes, own: person.own }
    }
}

/// Logs in; the answer sets the session's cookie.
#[utoipa::path(post, path = "/api/v1/session", tag = "people", request_body = Login, responses((status = 200, body = Who)))]
pub(super) async fn log_in(
    State(app): State<App>,
    Address(from): Address,
    Body(asked, _): Body<Login>,
) -> Answer<Response> {
    let (secret, person) = {
        let app = app.clone();
        blocking(move || people::login(&app, &asked.name, &asked.password, &from)).await?
    };
    let mut response = Json(Who::from(person)).into_response();
    response.headers_mut().insert(header::SET_COOKIE, session_cookie(&app, Some(&secret))?);
    Ok(response)
}

/// Writes the cookie of a session, or what removes it.
///
/// # Errors
/// `failed` for a secret that is no header value; ours always are.
pub(crate) fn session_cookie(app: &App, secret: Option<&str>) -> Answer<HeaderValue> {
    let secure = if app.options().tls.is_some() { "; Secure" } else { "" };
    let life = if secret.is_some() { people::ABSOLUTE_SECONDS } else { 0 };
    let text = format!(
        "{}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={life}{secure}",
        cookie_name(app),
        secret.unwrap_or_default()
    );
    HeaderValue::from_str(&text).map_err(|_| Problem::own("malformed", "the session can't be written as a cookie"))
}

/// Says who is logged in.
#[utoipa::path(get, path = "/api/v1/session", tag = "people", responses((status = 200, body = Who)))]
pub(super) async fn who(person: Person) -> Json<Who> {
    Json(person.into())
}

/// Logs out.
#[utoipa::path(delete, path = "/api/v1/session", tag = "people", responses((status = 204)))]
pub(super) async fn log_out(State(app): State<App>, person: Person) -> Answer<Response> {
    let cookie = session_cookie(&app, None)?;
    blocking(move || people::logout(&app, &person)).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Lists the tokens.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "people", responses((status = 200, body = Vec<Token>)))]
pub(super) async fn tokens(State(app): State<App>) -> Answer<Json<Vec<Token>>> {
    blocking(move || Ok(people::tokens(app.state())?)).await.map(Json)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedToken {
    /// What it is for.
    name: String,
    /// Whose it is: a user's name or id; oneself where it is left out.
    #[serde(default)]
    user: Option<String>,
    /// What it may be used for.
    scopes: Vec<Scope>,
    /// Days until it ends (90).
    #[serde(default)]
    days: Option<u32>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct MadeToken {
    /// The token's text; it is shown this once.
    token: String,
    /// What it is.
    #[serde(flatten)]
    about: Token,
}

/// Makes a token.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "people", request_body = AskedToken, responses((status = 201, body = MadeToken)))]
pub(super) async fn create_token(
    State(app): State<App>,
    person: Person,
    Body(asked, _): Body<AskedToken>,
) -> Answer<Response> {
    let made = blocking(move || {
        let of = people::find(app.state(), asked.user.as_deref().unwrap_or(&person.id))?;
        let new = NewToken { name: &asked.name, scopes: &asked.scopes, days: asked.days.unwrap_or(90) };
        Ok(people::create_token(app.state(), app.home(), &of, &new, &person.actor())?)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(MadeToken { token: made.1, about: made.0 })).into_response())
}

/// Ends a token.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "people", params(("id" = String, Path)), responses((status = 204)))]
pub(super) async fn revoke_token(State(app): State<App>, person: Person, At(id): At<String>) -> Answer<StatusCode> {
    blocking(move || {
        if !people::tokens(app.state())?.iter().any(|t| t.id == id) {
            return Err(Problem::not_found("token", &id));
        }
        Ok(people::revoke_token(app.state(), app.home(), &id, &person.actor())?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the users.
#[utoipa::path(get, path = "/api/v1/users", tag = "people", responses((status = 200, body = Vec<User>)))]
pub(super) async fn users(State(app): State<App>) -> Answer<Json<Vec<User>>> {
    blocking(move || Ok(people::list(app.state())?)).await.map(Json)
}

fn role(word: &str) -> Answer<Role> {
    Role::from_word(word).ok_or_else(|| {
        Problem::invalid("/role", format!("there is no role {word:?}")).hint("There are viewer, operator and admin.")
    })
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    /// Their name.
    name: String,
    /// viewer, operator or admin; also ROOT, SUPER_ADMIN, ADMIN, staff.
    role: String,
    /// Their password.
    password: String,
    /// Their own records, where they may reach only those.
    #[serde(default)]
    own: Option<Own>,
}

/// Adds a user.
#[utoipa::path(post, path = "/api/v1/users", tag = "people", request_body = NewUser, responses((status = 201, body = User)))]
pub(super) async fn add_user(
    State(app): State<App>,
    person: Person,
    Body(asked, _): Body<NewUser>,
) -> Answer<Response> {
    let user = blocking(move || {
        let user = people::add(app.state(), &asked.name, role(&asked.role)?, &asked.password, asked.own.as_ref())?;
        people::note(app.home(), "user_added", &person.actor(), &format!("{} as {}", user.name, user.role.word()))?;
        Ok(user)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(user)).into_response())
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedUser {
    /// Another role.
    #[serde(default)]
    role: Option<String>,
    /// Another password.
    #[serde(default)]
    password: Option<String>,
    /// Other records of their own.
    #[serde(default)]
    own: Option<Own>,
}

fn found(app: &App, id: &str) -> Answer<User> {
    people::list(app.state())?.into_iter().find(|u| u.id == id).ok_or_else(|| Problem::not_found("user", id))
}

/// Changes a user; their sessions end.
#[utoipa::path(patch, path = "/api/v1/users/{id}", tag = "people", params(("id" = String, Path)), request_body = ChangedUser, responses((status = 200, body = User)))]
pub(super) async fn change_user(
    State(app): State<App>,
    person: Person,
    At(id): At<String>,
    Body(asked, _): Body<ChangedUser>,
) -> Answer<Json<User>> {
    blocking(move || {
        let user = found(&app, &id)?;
        if let Some(word) = &asked.role {
            people::set_role(app.state(), &user, role(word)?)?;
        }
        if let Some(password) = &asked.password {
            people::set_password(app.state(), &user, password)?;
        }
        if asked.own.is_some() {
            people::set_own(app.state(), &user, asked.own.as_ref())?;
        }
        people::note(app.home(), "user_changed", &person.actor(), &user.name)?;
        found(&app, &id)
    })
    .await
    .map(Json)
}

/// Removes a user with their sessions and tokens.
#[utoipa::path(delete, path = "/api/v1/users/{id}", tag = "people", params(("id" = String, Path)), responses((status = 204)))]
pub(super) async fn remove_user(State(app): State<App>, person: Person, At(id): At<String>) -> Answer<StatusCode> {
    blocking(move || {
        let user = found(&app, &id)?;
        people::remove(app.state(), &user)?;
        Ok(people::note(app.home(), "user_removed", &person.actor(), &user.name)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
