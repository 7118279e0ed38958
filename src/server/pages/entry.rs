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
        let problem = Problem::own("forbidden", "Nobody can log in yet: the first administrator has not been made.");
        return Err(problem.hint("Open the set-up link that the service printed when it started."));
    }
    draw(&Login { chrome: chrome(desk, "login", "Log in"), error: None, name: String::new(), next: inside(next) })
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
                Some(seconds) => format!("{}: {} to wait.", safe(&problem.detail), words::plural(seconds, "second")),
                None => "The name or the password is not right.".to_owned(),
            });
            let page = Login { chrome: chrome(desk, "login", "Log in"), error, name: safe(name), next };
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
}

fn setup_page(desk: &Desk, secret: &str, name: &str, error: Option<String>) -> Setup {
    let tried = targets::list(&desk.app).into_iter().map(|t| Tried {
        state: targets::tried(&desk.app, &t.name),
        name: t.name,
        display: t.display,
    });
    Setup {
        chrome: chrome(desk, "setup", "Welcome"),
        error,
        name: safe(name),
        token: secret.to_owned(),
        targets: tried.collect(),
        folder: safe(&desk.app.home().backups().display().to_string()),
    }
}

/// Draws the first run; afterwards there is nothing to set up.
pub(super) fn setup_form(desk: &Desk, secret: &str) -> Answer<Response> {
    if !people::needs_set_up(desk.app.state())? {
        return go("/login");
    }
    if secret.is_empty() {
        return Err(Problem::forbidden("The set-up page opens with the link that the service printed.")
            .hint("Look at the terminal or the log of the service."));
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
            with_cookie(&desk.app, go("/")?, &session)
        }
        Err(problem) if problem.code == "usage" => {
            let page = setup_page(desk, secret, name, Some(safe(&problem.detail)));
            draw_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
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
