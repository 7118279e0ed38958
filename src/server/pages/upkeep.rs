//! Settings and system: what the service reaches, who reaches it, and how it is.

use super::chrome::{Chrome, Desk, draw, go};
use super::html::{Html, safe, time};
use super::parts::{self, LogLink, NewPerson, Remove, TestNotice, part};
use super::targets;
use super::wizard::{Form, field};
use super::words;
use crate::report::html::escape;
use crate::server::access::{Role, Scope};
use crate::server::people::{self, NewToken};
use crate::server::problem::{Answer, Problem};
use crate::server::service::{self, backups};
use askama::Template;
use axum::response::Response;

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
    let shown = |token| super::chrome::Notice {
        kind: "good",
        text: format!(words::phrase!(THE_NEW_TOKEN_SHOWN_ONLY_NOW), token = token),
    };
    settings_with(desk, made.map(shown))
}

fn settings_with(desk: &Desk, notice: Option<super::chrome::Notice>) -> Answer<Response> {
    let mut chrome = desk.chrome("settings", words::SETTINGS, words::SETTINGS);
    chrome.notice = notice;
    let rows = targets::list(&desk.app).into_iter().map(|t| {
        let state = if t.protected { words::ASKS_FOR_ITS_NAME } else { "no" };
        vec![text(&t.name), text(t.engine), Html::made(format!("<code>{}</code>", escape(&t.display))), text(state)]
    });
    let mut sections = vec![Section {
        title: words::DATABASES,
        text: words::THEY_ARE_NAMED_IN_MERGANSER_TOML_UNDER.to_owned(),
        head: vec![words::NAME, words::ENGINE, words::ADDRESS, words::PROTECTED_3],
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
            title: words::COLUMNS_WITH_A_ROLE,
            text: words::COLUMNS_WHOSE_NAME_SAYS_PASSWORD_TOKEN_OR.to_owned(),
            head: vec![words::TABLE, words::HIDDEN, words::NEVER_WRITTEN, words::NOT_COMPARED],
            rows: secret,
            ..Section::default()
        });
    }
    if desk.is_admin() {
        sections.push(users(desk)?);
        sections.push(tokens(desk)?);
    }
    sections.push(keys(desk)?);
    sections.push(notices(desk)?);
    sections.push(Section {
        title: words::LIMITS,
        facts: vec![
            (words::LARGEST_UPLOAD, text(&words::size(desk.app.options().largest_upload_bytes))),
            (words::STAYS_FREE_ON_THE_DISK, text(&words::size(desk.app.options().least_free_bytes))),
            (words::SESSION, text(words::N_30_MINUTES_WITHOUT_A_REQUEST_12_HOURS)),
        ],
        ..Section::default()
    });
    // A table without a row says nothing.
    sections.iter_mut().filter(|s| s.rows.is_empty()).for_each(|s| s.head.clear());
    draw(&Facts {
        chrome,
        title: words::SETTINGS,
        lead: words::WHAT_THIS_SERVICE_REACHES_AND_WHO_REACHES.to_owned(),
        sections,
    })
}

fn keys(desk: &Desk) -> Answer<Section> {
    let found = service::keys::list(&desk.app)?;
    let configured = &desk.app.config().settings.backup.encrypt_to;
    let mark = |yes: bool, good: &str, other: &str| text(if yes { good } else { other });
    let rows = found.iter().map(|k| {
        vec![
            text(&k.name),
            Html::made(format!("<code>{}</code>", escape(&k.recipient))),
            mark(k.used, words::NEW_BACKUPS, words::READING_ONLY),
            mark(k.exported, words::YES, words::NOT_YET_2),
        ]
    });
    let waits = found.iter().find(|k| !k.exported).map(|k| words::export_reminder(&k.name));
    let lead = match (found.is_empty(), configured.is_empty()) {
        (true, true) => words::NOT_ENCRYPTED.to_owned(),
        (true, false) => words::ENCRYPTED_ELSEWHERE.to_owned(),
        _ => waits.unwrap_or_else(|| words::KEYS_KEPT.to_owned()),
    };
    Ok(Section {
        title: words::KEYS_2,
        text: lead,
        head: vec![words::NAME, words::FINGERPRINT, words::USED_FOR, words::IN_A_SAFE_PLACE],
        rows: rows.collect(),
        ..Section::default()
    })
}

fn notices(desk: &Desk) -> Answer<Section> {
    let hooks = &desk.app.config().settings.hooks;
    let (good, bad) = (hooks.on_success.count() as u64, hooks.on_failure.count() as u64);
    Ok(Section {
        title: words::NOTICES_2,
        text: if good + bad == 0 { words::NO_NOTICES.to_owned() } else { words::NOTICES.to_owned() },
        facts: vec![
            (words::AFTER_A_SUCCESS, text(&words::told(good))),
            (words::AFTER_A_FAILURE, text(&words::told(bad))),
        ],
        extra: if desk.is_admin() && good + bad > 0 { part(&TestNotice)? } else { Html::default() },
        ..Section::default()
    })
}

/// Tells all that are told of scheduled runs, and says who could not be told.
pub(super) fn test_notice(desk: &Desk) -> Answer<Response> {
    let hooks = &desk.app.config().settings.hooks;
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let mut failed = Vec::new();
    for outcome in [crate::hooks::Outcome::Success, crate::hooks::Outcome::Failure] {
        failed.extend(hooks.tell(&crate::hooks::Event::test(outcome, &now)));
    }
    people::note(
        desk.app.home(),
        "notice_tested",
        &desk.person()?.actor(),
        &words::plural(failed.len() as u64, "failure"),
    )?;
    let notice = match failed.is_empty() {
        true => super::chrome::Notice { kind: "good", text: words::NOTICE_SENT.to_owned() },
        false => super::chrome::Notice { kind: "bad", text: safe(&failed.join(" ")) },
    };
    settings_with(desk, Some(notice))
}

fn users(desk: &Desk) -> Answer<Section> {
    let rows = people::list(desk.app.state())?.into_iter().map(|user| -> Answer<Vec<Html>> {
        let own = user.own.as_ref().map(|o| format!(words::phrase!(ONLY_OWN_RECORDS_IN), o.target)).unwrap_or_default();
        let (value, name) = (user.id.as_str(), user.name.as_str());
        let button = part(&Remove { action: "/settings/users/remove", field: "id", value, name, verb: words::REMOVE })?;
        Ok(vec![text(&user.name), text(&format!("{}{own}", user.role.word())), time(&user.created_at), button])
    });
    Ok(Section {
        title: words::PEOPLE,
        head: vec![words::NAME, words::ROLE, words::SINCE, words::REMOVE],
        rows: rows.collect::<Answer<_>>()?,
        extra: part(&NewPerson)?,
        ..Section::default()
    })
}

fn tokens(desk: &Desk) -> Answer<Section> {
    let rows = people::tokens(desk.app.state())?.into_iter().map(|token| -> Answer<Vec<Html>> {
        let scopes: Vec<String> = token.scopes.iter().map(|s| format!("{s:?}").to_lowercase()).collect();
        let (value, name) = (token.id.as_str(), token.name.as_str());
        let button =
            part(&Remove { action: "/settings/tokens/revoke", field: "id", value, name, verb: words::REVOKE })?;
        let used = token.used_at.as_deref().map_or_else(|| text("never"), time);
        Ok(vec![text(&token.name), text(&token.user), text(&scopes.join(", ")), time(&token.expires_at), used, button])
    });
    let scopes = Scope::ALL.into_iter().map(|s| format!("{s:?}").to_lowercase()).collect();
    Ok(Section {
        title: words::TOKENS_FOR_PROGRAMS,
        text: words::SENT_AS_AUTHORIZATION_BEARER_SHOWN_ONCE_WHEN.to_owned(),
        head: vec![words::NAME, words::WHOSE, words::FOR, words::ENDS, words::USED, words::REVOKE],
        rows: rows.collect::<Answer<_>>()?,
        extra: part(&parts::NewToken { scopes })?,
        ..Section::default()
    })
}

/// Adds a user.
pub(super) fn add_user(desk: &Desk, form: &Form) -> Answer<Response> {
    let role =
        Role::from_word(field(form, "role")).ok_or_else(|| Problem::invalid("/role", words::THERE_IS_NO_SUCH_ROLE))?;
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
    let days = field(form, "days").parse().map_err(|_| Problem::invalid("/days", words::WRITE_A_NUMBER_OF_DAYS))?;
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
    let free = backups::free_bytes(app).map_or_else(|| words::NOT_KNOWN.to_owned(), words::size);
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let service = Section {
        title: words::SERVICE,
        facts: vec![
            (words::VERSION, text(env!("CARGO_PKG_VERSION"))),
            (words::RUNNING_FOR, text(&crate::report::text::age(seconds))),
            (words::CLOCK, time(&now)),
            (words::DATA_FOLDER, text(&app.home().root().display().to_string())),
            (words::FREE_ON_ITS_DISK, text(&free)),
            (
                words::CONNECTION,
                text(if app.options().tls.is_some() {
                    words::ENCRYPTED_TLS
                } else {
                    words::NOT_ENCRYPTED_FOR_THIS_MACHINE_OR_BEHIND
                }),
            ),
        ],
        ..Section::default()
    };
    let extra = if desk.is_admin() { part(&LogLink)? } else { Html::default() };
    let service = Section { extra, ..service };
    let limits = crate::backup::Limits::default();
    let limits = Section {
        title: words::LIMITS,
        facts: vec![
            (words::LARGEST_UPLOAD, text(&words::size(app.options().largest_upload_bytes))),
            (words::STAYS_FREE_ON_THE_DISK, text(&words::size(app.options().least_free_bytes))),
            (words::LONGEST_VALUE, text(&words::size(limits.string_bytes as u64))),
            (words::LONGEST_RECORD, text(&words::size(limits.record_bytes as u64))),
            (words::UNPACKED_SIZE_OF_A_BACKUP, text(&words::size(limits.expanded_bytes))),
            (words::TABLES_OF_A_BACKUP, text(&words::grouped(limits.tables as u64))),
        ],
        ..Section::default()
    };
    let rows = targets::list(app)
        .into_iter()
        .map(|t| vec![text(&t.name), text(t.engine), text(&targets::tried(app, &t.name))]);
    let databases = Section {
        title: words::DATABASES,
        text: words::TRIED_JUST_NOW_2.to_owned(),
        head: vec![words::NAME, words::ENGINE, words::STATE],
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
        title: words::RUNNING_NOW,
        text: if running.is_empty() { words::NOTHING.to_owned() } else { String::new() },
        head: if running.is_empty() {
            Vec::new()
        } else {
            vec![words::OPERATION, words::WHAT, words::WHO, words::SINCE]
        },
        rows: rows.collect(),
        ..Section::default()
    };
    draw(&Facts {
        chrome: desk.chrome("system", words::SYSTEM, words::SYSTEM),
        title: words::SYSTEM,
        lead: words::HOW_THE_SERVICE_IS_AND_WHAT_IT.to_owned(),
        sections: vec![service, databases, operations, limits],
    })
}
