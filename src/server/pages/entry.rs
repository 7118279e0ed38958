//! Coming in: logging in and out, the first run, and the list of keys.

use super::chrome::{Chrome, Desk, draw, draw_with, go};
use super::html::safe;
use super::targets;
use super::wizard::{Form, field};
use super::words;
use crate::server::access::{Address, cookie_name};
use crate::server::app::App;
use crate::server::people;
use crate::server::problem::{Answer, Problem};
use crate::server::service::keys;
use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

#[derive(Template)]
#[template(path = "login.html")]
struct Login {
    chrome: Chrome,
    error: Option<String>,
    name: String,
    next: String,
}

/// Keeps only places of this service: what comes after logging in never leads elsewhere.
fn inside(next: &str) -> String {
    let own = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if own { next.to_owned() } else { "/".to_owned() }
}

fn chrome(desk: &Desk, page: &'static str, title: &str) -> Chrome {
    Chrome { user: None, running: None, ..desk.chrome(page, "", title) }
}

/// Draws the form.
pub(super) fn login_form(desk: &Desk, next: &str) -> Answer<Response> {
    if people::needs_set_up(desk.app.state())? {
        let problem = Problem::own("forbidden", words::NOBODY_CAN_LOG_IN_YET_THE_FIRST);
        return Err(problem.hint(words::OPEN_THE_SET_UP_LINK_THAT_THE));
    }
    draw(&Login { chrome: chrome(desk, "login", words::LOG_IN), error: None, name: String::new(), next: inside(next) })
}

/// Logs in.
pub(super) fn login(desk: &Desk, form: &Form, address: &Address) -> Answer<Response> {
    let name = field(form, "user");
    let next = inside(field(form, "next"));
    let password = form.iter().find(|(n, _)| n == "password").map_or("", |(_, v)| v.as_str());
    match people::login(&desk.app, name, password, &address.0) {
        Ok((secret, _)) => with_cookie(&desk.app, go(&next)?, &secret),
        Err(problem) if problem.status < 500 => {
            let error = Some(match problem.retry_after_seconds {
                Some(seconds) => {
                    format!(words::phrase!(TO_WAIT), safe(&problem.detail), words::plural(seconds, "second"))
                }
                None => words::THE_NAME_OR_THE_PASSWORD_IS_NOT.to_owned(),
            });
            let page = Login { chrome: chrome(desk, "login", words::LOG_IN), error, name: safe(name), next };
            draw_with(problem.status(), &page)
        }
        Err(problem) => Err(problem),
    }
}

fn with_cookie(app: &App, mut response: Response, secret: &str) -> Answer<Response> {
    let safe = if app.options().tls.is_some() { "; Secure" } else { "" };
    let age = if secret.is_empty() { "; Max-Age=0" } else { "" };
    let cookie = format!("{}={secret}; Path=/; HttpOnly; SameSite=Strict{safe}{age}", cookie_name(app));
    let value = HeaderValue::from_str(&cookie)
        .map_err(|e| crate::error::fail!(Failed, "the session's cookie can't be written: {e}"))?;
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(response)
}

/// Logs out.
pub(super) fn logout(desk: &Desk) -> Answer<Response> {
    people::logout(&desk.app, desk.person()?)?;
    with_cookie(&desk.app, go("/login")?, "")
}

/// A configured database and what was found there.
struct Tried {
    name: String,
    display: String,
    state: String,
}

#[derive(Template)]
#[template(path = "setup.html")]
struct Setup {
    chrome: Chrome,
    error: Option<String>,
    name: String,
    token: String,
    targets: Vec<Tried>,
    folder: String,
    encrypted: bool,
}

fn setup_page(desk: &Desk, secret: &str, name: &str, error: Option<String>) -> Setup {
    let tried = targets::list(&desk.app).into_iter().map(|t| Tried {
        state: targets::tried(&desk.app, &t.name),
        name: t.name,
        display: t.display,
    });
    Setup {
        chrome: chrome(desk, "setup", words::WELCOME),
        error,
        name: safe(name),
        token: secret.to_owned(),
        targets: tried.collect(),
        folder: safe(&desk.app.home().backups().display().to_string()),
        encrypted: !desk.app.config().settings.backup.encrypt_to.is_empty(),
    }
}

/// Draws the first run; afterwards there is nothing to set up.
pub(super) fn setup_form(desk: &Desk, secret: &str) -> Answer<Response> {
    if !people::needs_set_up(desk.app.state())? {
        return go("/login");
    }
    if secret.is_empty() {
        return Err(
            Problem::forbidden(words::THE_SET_UP_PAGE_OPENS_WITH_THE).hint(words::LOOK_AT_THE_TERMINAL_OR_THE_LOG)
        );
    }
    draw(&setup_page(desk, secret, "", None))
}

/// Makes the first administrator and logs them in.
pub(super) fn setup(desk: &Desk, form: &Form, address: &Address) -> Answer<Response> {
    let (secret, name) = (field(form, "token"), field(form, "user"));
    let password = form.iter().find(|(n, _)| n == "password").map_or("", |(_, v)| v.as_str());
    match people::set_up(&desk.app, secret, name, password, &address.0) {
        Ok(user) => {
            let (session, _) = people::login(&desk.app, &user.name, password, &address.0)?;
            let encrypt = !field(form, "encrypt").is_empty();
            if encrypt {
                keys::offer(&desk.app)?;
            }
            with_cookie(&desk.app, go(if encrypt { "/recovery" } else { "/" })?, &session)
        }
        Err(problem) if problem.code == "usage" => {
            let page = setup_page(desk, secret, name, Some(safe(&problem.detail)));
            draw_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(problem) => Err(problem),
    }
}

#[derive(Template)]
#[template(path = "recovery.html")]
struct Recovery {
    chrome: Chrome,
    error: Option<String>,
    secret: String,
}

/// Shows the recovery key until somebody shows that they wrote it down, and never afterwards.
pub(super) fn recovery(desk: &Desk, error: Option<String>) -> Answer<Response> {
    let Some(secret) = keys::unconfirmed(&desk.app)? else { return go("/settings") };
    draw(&Recovery { chrome: desk.chrome("recovery", "", words::RECOVERY), error, secret: secret.expose().to_owned() })
}

/// Takes the proof, or goes on without encryption.
pub(super) fn recover(desk: &Desk, form: &Form) -> Answer<Response> {
    if !field(form, "without").is_empty() {
        keys::decline(&desk.app)?;
        return go("/");
    }
    match keys::confirm(&desk.app, desk.person()?, field(form, "proof")) {
        Ok(()) => go("/"),
        Err(problem) if problem.status < 500 => recovery(desk, Some(safe(&problem.detail))),
        Err(problem) => Err(problem),
    }
}

#[derive(Template)]
#[template(path = "keys.html")]
struct Keys {
    chrome: Chrome,
}

/// Draws the list of keys.
pub(super) fn keys(desk: &Desk) -> Answer<Response> {
    draw(&Keys { chrome: desk.chrome("keys", "", words::KEYS) })
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn t14_logging_in_leads_nowhere_else() {
        assert_eq!(inside("/analyses/p-1?x=y"), "/analyses/p-1?x=y");
        for outside in ["https://evil.example", "//evil.example", "/\\evil.example", "", "javascript:alert(1)"] {
            assert_eq!(inside(outside), "/", "{outside}");
        }
    }
}
