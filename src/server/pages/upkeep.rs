//! Settings and system: what the service reaches, who reaches it, and how it is.

use super::chrome::{Chrome, Desk, draw, go};
use super::html::{Html, safe, time};
use super::targets;
use super::wizard::{Form, field};
use super::words;
use crate::report::html::escape;
use crate::server::access::{Role, Scope};
use crate::server::people::{self, NewToken};
use crate::server::problem::{Answer, Problem};
use crate::server::service::backups;
use askama::Template;
use axum::response::Response;
use std::fmt::Write as _;

/// A part of a page of facts.
#[derive(Default)]
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) text: String,
    pub(super) facts: Vec<(&'static str, Html)>,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Html>>,
    pub(super) extra: Html,
}

#[derive(Template)]
#[template(path = "facts.html")]
pub(super) struct Facts {
    pub(super) chrome: Chrome,
    pub(super) title: &'static str,
    pub(super) lead: String,
    pub(super) sections: Vec<Section>,
}

fn text(text: &str) -> Html {
    Html::text(text)
}

/// Draws the settings; a token that was just made is shown this once.
pub(super) fn settings(desk: &Desk, made: Option<&str>) -> Answer<Response> {
    let mut chrome = desk.chrome("settings", "Settings", "Settings");
    if let Some(token) = made {
        chrome.notice =
            Some(super::chrome::Notice { kind: "good", text: format!("The new token, shown only now: {token}") });
    }
    let rows = targets::list(&desk.app).into_iter().map(|t| {
        let state = if t.protected { "▲ asks for its name" } else { "no" };
        vec![text(&t.name), text(t.engine), Html::made(format!("<code>{}</code>", escape(&t.display))), text(state)]
    });
    let mut sections = vec![Section {
        title: "Databases",
        text:
            "They are named in merganser.toml, under [targets.NAME], and never over the web. Passwords are not shown."
                .to_owned(),
        head: vec!["Name", "Engine", "Address", "Protected"],
        rows: rows.collect(),
        ..Section::default()
    }];
    let secret: Vec<Vec<Html>> = desk
        .app
        .config()
        .settings
        .targets
        .iter()
        .flat_map(|(name, target)| target.tables.iter().map(move |(table, s)| (name, table, s)))
        .map(|(name, table, s)| {
            vec![
                text(&format!("{name}: {table}")),
                text(&s.secret_columns.join(", ")),
                text(&s.never_write.join(", ")),
                text(&s.ignore_columns.join(", ")),
            ]
        })
        .collect();
    if !secret.is_empty() {
        sections.push(Section {
            title: "Columns with a role",
            text: "Columns whose name says password, token or secret are hidden without being named here.".to_owned(),
            head: vec!["Table", "Hidden", "Never written", "Not compared"],
            rows: secret,
            ..Section::default()
        });
    }
    if desk.is_admin() {
        sections.push(users(desk)?);
        sections.push(tokens(desk)?);
    }
    sections.push(Section {
        title: "Limits",
        facts: vec![
            ("Largest upload", text(&words::size(desk.app.options().largest_upload_bytes))),
            ("Stays free on the disk", text(&words::size(desk.app.options().least_free_bytes))),
            ("Session", text("30 minutes without a request, 12 hours at most")),
        ],
        ..Section::default()
    });
    // A table without a row says nothing.
    sections.iter_mut().filter(|s| s.rows.is_empty()).for_each(|s| s.head.clear());
    draw(&Facts {
        chrome,
        title: "Settings",
        lead: "What this service reaches, and who reaches it.".to_owned(),
        sections,
    })
}

fn users(desk: &Desk) -> Answer<Section> {
    let rows = people::list(desk.app.state())?.into_iter().map(|user| {
        let own = user.own.as_ref().map(|o| format!(" · only own records in {}", o.target)).unwrap_or_default();
        let button = format!(
            "<form method=\"post\" action=\"/settings/users/remove\"><input type=\"hidden\" name=\"id\" value=\"{}\"><button class=\"slim danger\">Remove <span class=\"hidden\">{}</span></button></form>",
            escape(&user.id),
            escape(&user.name)
        );
        vec![text(&user.name), text(&format!("{}{own}", user.role.word())), time(&user.created_at), Html::made(button)]
    });
    Ok(Section {
        title: "People",
        head: vec!["Name", "Role", "Since", "Remove"],
        rows: rows.collect(),
        extra: Html::made("<h3>Add somebody</h3><form method=\"post\" action=\"/settings/users\" class=\"inline\">\
<div><label for=\"u-name\">Name</label><input id=\"u-name\" name=\"name\" required maxlength=\"64\" autocomplete=\"off\"></div>\
<div><label for=\"u-password\">Password</label><input id=\"u-password\" name=\"password\" type=\"password\" required minlength=\"10\" autocomplete=\"new-password\"></div>\
<div><label for=\"u-role\">Role</label><select id=\"u-role\" name=\"role\"><option value=\"viewer\">viewer: looks</option><option value=\"operator\">operator: merges, not into protected databases</option><option value=\"admin\">admin: everything</option></select></div><button>Add</button></form>".to_owned()),
        ..Section::default()
    })
}

fn tokens(desk: &Desk) -> Answer<Section> {
    let rows = people::tokens(desk.app.state())?.into_iter().map(|token| {
        let scopes: Vec<String> = token.scopes.iter().map(|s| format!("{s:?}").to_lowercase()).collect();
        let button = format!(
            "<form method=\"post\" action=\"/settings/tokens/revoke\"><input type=\"hidden\" name=\"id\" value=\"{}\"><button class=\"slim danger\">Revoke <span class=\"hidden\">{}</span></button></form>",
            escape(&token.id),
            escape(&token.name)
        );
        let used = token.used_at.as_deref().map_or_else(|| text("never"), time);
        vec![text(&token.name), text(&token.user), text(&scopes.join(", ")), time(&token.expires_at), used, Html::made(button)]
    });
    let mut scopes = String::new();
    for scope in Scope::ALL {
        let word = format!("{scope:?}").to_lowercase();
        let _ = write!(
            scopes,
            "<label class=\"check\"><input type=\"checkbox\" name=\"scope\" value=\"{word}\"> <span>{word}</span></label>"
        );
    }
    Ok(Section {
        title: "Tokens for programs",
        text: "Sent as Authorization: Bearer …; shown once when made, kept as a digest only.".to_owned(),
        head: vec!["Name", "Whose", "For", "Ends", "Used", "Revoke"],
        rows: rows.collect(),
        extra: Html::made(format!(
            "<h3>Make one</h3><form method=\"post\" action=\"/settings/tokens\">\
<div class=\"field\"><label for=\"t-name\">What it is for</label><input id=\"t-name\" name=\"name\" required maxlength=\"64\"></div>\
<fieldset><legend>It may be used for</legend>{scopes}</fieldset>\
<div class=\"field\"><label for=\"t-days\">Days until it ends</label><input id=\"t-days\" name=\"days\" value=\"90\" inputmode=\"numeric\" required></div><button>Make</button></form>"
        )),
        ..Section::default()
    })
}

/// Adds a user.
pub(super) fn add_user(desk: &Desk, form: &Form) -> Answer<Response> {
    let role =
        Role::from_word(field(form, "role")).ok_or_else(|| Problem::invalid("/role", "there is no such role"))?;
    let password = form.iter().find(|(n, _)| n == "password").map_or("", |(_, v)| v.as_str());
    let user = people::add(desk.app.state(), field(form, "name"), role, password, None)?;
    people::note(desk.app.home(), "user_added", &desk.person()?.actor(), &format!("{} ({})", user.name, role.word()))?;
    go("/settings")
}

/// Removes a user.
pub(super) fn remove_user(desk: &Desk, form: &Form) -> Answer<Response> {
    let user = people::find(desk.app.state(), field(form, "id"))?;
    people::remove(desk.app.state(), &user)?;
    people::note(desk.app.home(), "user_removed", &desk.person()?.actor(), &user.name)?;
    go("/settings")
}

/// Makes a token and shows it once: the answer is not a redirection, for the token is kept nowhere.
pub(super) fn add_token(desk: &Desk, form: &Form) -> Answer<Response> {
    let person = desk.person()?;
    let chosen = |scope: &Scope| form.iter().any(|(n, v)| n == "scope" && *v == format!("{scope:?}").to_lowercase());
    let scopes: Vec<Scope> = Scope::ALL.into_iter().filter(chosen).collect();
    let days = field(form, "days").parse().map_err(|_| Problem::invalid("/days", "write a number of days"))?;
    let user = people::find(desk.app.state(), &person.id)?;
    let new = NewToken { name: field(form, "name"), scopes: &scopes, days };
    let (_, token) = people::create_token(desk.app.state(), desk.app.home(), &user, &new, &person.actor())?;
    settings(desk, Some(&token))
}

/// Revokes a token.
pub(super) fn revoke_token(desk: &Desk, form: &Form) -> Answer<Response> {
    people::revoke_token(desk.app.state(), desk.app.home(), field(form, "id"), &desk.person()?.actor())?;
    go("/settings")
}

/// Draws how the service is.
pub(super) fn system(desk: &Desk) -> Answer<Response> {
    let app = &desk.app;
    let seconds = app.uptime().as_secs().cast_signed();
    let free = backups::free_bytes(app).map_or_else(|| "not known".to_owned(), words::size);
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let service = Section {
        title: "Service",
        facts: vec![
            ("Version", text(env!("CARGO_PKG_VERSION"))),
            ("Running for", text(&crate::report::text::age(seconds))),
            ("Clock", time(&now)),
            ("Data folder", text(&app.home().root().display().to_string())),
            ("Free on its disk", text(&free)),
            (
                "Connection",
                text(if app.options().tls.is_some() {
                    "✓ encrypted (TLS)"
                } else {
                    "not encrypted: for this machine, or behind a proxy"
                }),
            ),
        ],
        ..Section::default()
    };
    let rows = targets::list(app)
        .into_iter()
        .map(|t| vec![text(&t.name), text(t.engine), text(&targets::tried(app, &t.name))]);
    let databases = Section {
        title: "Databases",
        text: "Tried just now.".to_owned(),
        head: vec!["Name", "Engine", "State"],
        rows: rows.collect(),
        ..Section::default()
    };
    let running = app.jobs().running();
    let rows = running.iter().map(|o| {
        vec![
            Html::made(format!("<a href=\"/operations/{0}\"><code>{0}</code></a>", escape(&o.id))),
            text(o.kind.word()),
            text(&safe(&o.user)),
            time(&o.started_at),
        ]
    });
    let operations = Section {
        title: "Running now",
        text: if running.is_empty() { "Nothing.".to_owned() } else { String::new() },
        head: if running.is_empty() { Vec::new() } else { vec!["Operation", "What", "Who", "Since"] },
        rows: rows.collect(),
        ..Section::default()
    };
    draw(&Facts {
        chrome: desk.chrome("system", "System", "System"),
        title: "System",
        lead: "How the service is, and what it reaches.".to_owned(),
        sections: vec![service, databases, operations],
    })
}
