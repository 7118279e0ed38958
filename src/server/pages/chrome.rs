//! What every page has around it, how it is answered, and how a refusal looks.

use super::html::{Html, safe, sentence};
use super::words;
use crate::error::fail;
use crate::report::html::escape;
use crate::server::access::{Person, Role};
use crate::server::app::{App, blocking};
use crate::server::problem::{Answer, Problem};
use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html as Body, IntoResponse, Redirect, Response};

/// The database that a page is about.
#[derive(Clone, Debug)]
pub(super) struct TargetBadge {
    pub(super) name: String,
    pub(super) protected: bool,
}

/// Who is logged in.
#[derive(Clone, Debug)]
pub(super) struct UserBadge {
    pub(super) name: String,
    pub(super) role: &'static str,
}

/// What is running.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) id: String,
    pub(super) label: String,
}

/// Something that was just done, or not.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) kind: &'static str,
    pub(super) text: String,
}

/// What is around a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Chrome {
    pub(super) title: String,
    pub(super) page: &'static str,
    pub(super) place: &'static str,
    pub(super) user: Option<UserBadge>,
    pub(super) target: Option<TargetBadge>,
    pub(super) running: Option<Running>,
    pub(super) refresh: Option<u64>,
    pub(super) notice: Option<Notice>,
    pub(super) version: &'static str,
    /// Where this page stands on the way from a backup to a merge, where it is on it.
    pub(super) way: Html,
}

/// What a page's work has at hand.
pub(super) struct Desk {
    pub(super) app: App,
    pub(super) person: Option<Person>,
}

#[derive(Template)]
#[template(path = "error.html")]
struct Refused {
    chrome: Chrome,
    title: String,
    kind: &'static str,
    message: String,
    lines: Vec<String>,
    hint: String,
}

impl Desk {
    /// Makes what is around a page.
    pub(super) fn chrome(&self, page: &'static str, place: &'static str, title: impl Into<String>) -> Chrome {
        let user = self.person.as_ref().map(|p| UserBadge { name: safe(&p.name), role: p.role.word() });
        let running = self.person.as_ref().and_then(|_| self.app.jobs().running().into_iter().next());
        Chrome {
            title: title.into(),
            page,
            place,
            user,
            running: running.map(|o| Running { label: format!(words::phrase!(IS_RUNNING), o.kind.word()), id: o.id }),
            version: env!("CARGO_PKG_VERSION"),
            ..Chrome::default()
        }
    }

    /// Returns the person, whom the access table has made sure of.
    pub(super) fn person(&self) -> Answer<&Person> {
        self.person.as_ref().ok_or_else(|| Problem::own("unauthenticated", words::NOBODY_IS_LOGGED_IN))
    }

    /// Tells whether the person may do what operators do.
    pub(super) fn can_write(&self) -> bool {
        self.person.as_ref().is_some_and(|p| p.role >= Role::Operator)
    }

    /// Tells whether the person is an administrator.
    pub(super) fn is_admin(&self) -> bool {
        self.person.as_ref().is_some_and(|p| p.role >= Role::Admin)
    }

    /// Returns the badge of the configured database that something was done on; by its display where it has no name.
    pub(super) fn badge(&self, database: &crate::database::Identity) -> TargetBadge {
        match crate::server::service::targets::of(&self.app, database) {
            Ok(target) => TargetBadge { name: safe(&target.name), protected: target.settings.protected },
            Err(_) => TargetBadge { name: safe(&database.display), protected: false },
        }
    }

    /// Draws a refusal.
    pub(super) fn refused(&self, problem: &Problem) -> Response {
        let mut chrome = self.chrome("error", "", problem.title.clone());
        if problem.status == 401 {
            chrome.user = None;
        }
        let line = |row: &serde_json::Value| {
            let part = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let name = [part("table"), part("key")].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("/");
            safe(&[name, part("detail")].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(": "))
        };
        let page = Refused {
            title: problem.title.clone(),
            kind: if problem.status >= 500 { "bad" } else { "warn" },
            message: sentence(&safe(&problem.detail)),
            lines: problem.rows.iter().take(100).map(line).collect(),
            hint: match &problem.hint {
                Some(hint) => sentence(&safe(hint)),
                None if problem.status == 404 => words::IT_MAY_BE_GONE.to_owned(),
                None => String::new(),
            },
            chrome,
        };
        let mut response = draw(&page).unwrap_or_else(IntoResponse::into_response);
        *response.status_mut() = problem.status();
        if let Some(seconds) = problem.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The steps from a backup to a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Backup,
    Analyze,
    Decide,
    Review,
    Merge,
}

/// Draws the way from a backup to a merge, with links to the steps of an analysis.
pub(super) fn way(at: Step, analysis: Option<&str>) -> Html {
    use std::fmt::Write as _;
    let mut html = format!("<nav class=\"way\" aria-label=\"{}\"><ol>", words::WAY);
    let mut class = " class=\"past\"";
    for (step, name) in words::STEPS {
        let link = analysis.map(escape).and_then(|id| match step {
            Step::Backup | Step::Merge => None,
            Step::Analyze => Some(format!("/analyses/{id}")),
            Step::Decide => Some(format!("/analyses/{id}/conflicts")),
            Step::Review => Some(format!("/analyses/{id}/review")),
        });
        let _ = match (step == at, link) {
            (true, _) => {
                class = "";
                write!(html, "<li aria-current=\"step\">{name}</li>")
            }
            (false, Some(link)) => write!(html, "<li{class}><a href=\"{link}\">{name}</a></li>"),
            (false, None) => write!(html, "<li{class}>{name}</li>"),
        };
    }
    html.push_str("</ol></nav>");
    Html::made(html)
}

/// Draws a page.
pub(super) fn draw(page: &impl Template) -> Answer<Response> {
    let text = page.render().map_err(|e| fail!(Failed, "the page can't be drawn: {e}"))?;
    Ok(Body(text).into_response())
}

/// Draws a page with another status.
pub(super) fn draw_with(status: StatusCode, page: &impl Template) -> Answer<Response> {
    let mut response = draw(page)?;
    *response.status_mut() = status;
    Ok(response)
}

/// Answers a form: the browser goes on with a page of its own, so that Back and reload do nothing twice.
pub(super) fn go(to: &str) -> Answer<Response> {
    Ok(Redirect::to(to).into_response())
}

/// Does a page's work on a thread that may wait, and draws what stands in the way as a page, too.
pub(super) async fn run(
    app: App,
    person: Option<Person>,
    work: impl FnOnce(&Desk) -> Answer<Response> + Send + 'static,
) -> Response {
    let desk = Desk { app, person };
    let drawn = blocking(move || {
        Ok(match work(&desk) {
            Ok(response) => response,
            Err(problem) => desk.refused(&problem),
        })
    });
    drawn.await.unwrap_or_else(IntoResponse::into_response)
}

/// Encodes text for a part of an address.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            use std::fmt::Write as _;
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
