//! The pages: HTML over [`super::service`], the same functions as the API (INTERFACE 4).
//!
//! Every page works without script as links and plain forms; a form answers with a redirection. What people read is in
//! `words` and the templates, what they see in `assets/`.

mod analysis;
mod backups;
mod beside;
mod calendar;
mod chrome;
mod deciding;
mod entry;
mod graph;
mod home;
mod html;
mod merges;
mod operations;
mod parts;
mod patterns;
mod record;
mod review;
mod schedules;
mod table;
mod targets;
mod upkeep;
mod wizard;
mod words;

use super::access::{Access, Address, Person, Rule, Scope, admin, operator, viewer};
use super::app::App;
use super::problem::Answer;
use super::service;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Form as Fields, FromRequest, Multipart, Path, Query, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use chrome::{Desk, run};
use wizard::Form;

/// Who each page is for.
pub const ACCESS: &[Rule] = &[
    ("GET", "/login", Access::Public),
    ("POST", "/login", Access::Public),
    ("GET", "/setup", Access::Public),
    ("POST", "/setup", Access::Public),
    ("POST", "/logout", viewer(Scope::Read)),
    ("GET", "/recovery", admin()),
    ("POST", "/recovery", admin()),
    ("GET", "/system/log.jsonl", admin()),
    ("POST", "/settings/notice", admin()),
    ("GET", "/", viewer(Scope::Read)),
    ("GET", "/keys", viewer(Scope::Read)),
    ("GET", "/backups", viewer(Scope::Read)),
    ("POST", "/backups/upload", operator(Scope::Backup)),
    ("POST", "/backups/create", operator(Scope::Backup)),
    ("GET", "/backups/{id}", operator(Scope::Read)),
    ("GET", "/backups/{id}/content", operator(Scope::Backup)),
    ("POST", "/backups/{id}/verify", operator(Scope::Backup)),
    ("POST", "/backups/{id}/delete", admin()),
    ("GET", "/analyze", operator(Scope::Analyze)),
    ("POST", "/analyze", operator(Scope::Analyze)),
    ("GET", "/analyses", viewer(Scope::Read)),
    ("GET", "/analyses/{id}", viewer(Scope::Read)),
    ("GET", "/analyses/{id}/report.html", viewer(Scope::Read)),
    ("POST", "/analyses/{id}/strategy", operator(Scope::Resolve)),
    ("GET", "/analyses/{id}/tables/{table}", viewer(Scope::Read)),
    ("GET", "/analyses/{id}/records/{record}", viewer(Scope::Read)),
    ("POST", "/analyses/{id}/records/{record}", operator(Scope::Resolve)),
    ("POST", "/analyses/{id}/decisions", operator(Scope::Resolve)),
    ("GET", "/analyses/{id}/conflicts", viewer(Scope::Read)),
    ("POST", "/analyses/{id}/patterns", operator(Scope::Resolve)),
    ("GET", "/analyses/{id}/review", viewer(Scope::Read)),
    ("POST", "/analyses/{id}/merge", operator(Scope::Merge)),
    ("POST", "/analyses/{id}/approve", operator(Scope::Merge)),
    ("GET", "/operations/{id}", viewer(Scope::Read)),
    ("POST", "/operations/{id}/cancel", operator(Scope::Merge)),
    ("POST", "/operations/{id}/find-out", operator(Scope::Merge)),
    ("GET", "/merges/{id}", viewer(Scope::Read)),
    ("GET", "/merges/{id}/report.html", viewer(Scope::Read)),
    ("GET", "/merges/{id}/undo", operator(Scope::Merge)),
    ("POST", "/merges/{id}/undo", operator(Scope::Merge)),
    ("POST", "/merges/{id}/notify", operator(Scope::Merge)),
    ("GET", "/history", viewer(Scope::Read)),
    ("GET", "/history.jsonl", viewer(Scope::Read)),
    ("GET", "/history.csv", viewer(Scope::Read)),
    ("GET", "/schedules", viewer(Scope::Read)),
    ("POST", "/schedules", admin()),
    ("POST", "/schedules/remove", admin()),
    ("POST", "/schedules/retention", admin()),
    ("GET", "/settings", viewer(Scope::Read)),
    ("POST", "/settings/users", admin()),
    ("POST", "/settings/users/remove", admin()),
    ("POST", "/settings/tokens", admin()),
    ("POST", "/settings/tokens/revoke", admin()),
    ("GET", "/system", viewer(Scope::Read)),
];

/// The files that pages use: name, content type, content.
pub const ASSETS: &[(&str, &str, &[u8])] = &[
    ("merganser.css", "text/css; charset=utf-8", include_bytes!("../../assets/merganser.css")),
    ("merganser.js", "text/javascript; charset=utf-8", include_bytes!("../../assets/merganser.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../assets/icon.svg")),
];

/// Returns the routes of the pages.
pub fn router() -> Router<App> {
    Router::new()
        .route("/login", get(login_form).post(login))
        .route("/setup", get(setup_form).post(setup))
        .route("/logout", post(|s, p| page(s, p, entry::logout)))
        .route(
            "/recovery",
            get(|s, p| page(s, p, |desk| entry::recovery(desk, None)))
                .merge(form(|desk, _, form| entry::recover(desk, form))),
        )
        .route("/", get(|s, p| page(s, p, home::home)))
        .route("/keys", get(|s, p| page(s, p, entry::keys)))
        .route("/backups", get(|s, p| page(s, p, backups::list)))
        .route("/backups/upload", post(upload).layer(DefaultBodyLimit::disable()))
        .route(
            "/backups/create",
            form(|desk, _, form| {
                let target = wizard::field(form, "target").to_owned();
                let name = Some(backups::fresh_name(&target));
                let wanted = service::backups::NewBackup { target, name, ..Default::default() };
                let id = crate::executor::home::fresh_id('o');
                let operation = service::backups::start_create(&desk.app, desk.person()?, id, &wanted)?;
                chrome::go(&format!("/operations/{}", operation.id))
            }),
        )
        .route("/backups/{id}", get(inspect))
        .route("/backups/{id}/content", get(content))
        .route(
            "/backups/{id}/verify",
            form(|desk, path, _| {
                let operation = service::backups::start_verify(&desk.app, desk.person()?, &path[0])?;
                chrome::go(&format!("/operations/{}", operation.id))
            }),
        )
        .route(
            "/backups/{id}/delete",
            form(|desk, path, form| backups::delete(desk, &path[0], wizard::field(form, "confirm"))),
        )
        .route("/analyze", get(analyze_form).merge(form(|desk, _, form| wizard::analyze(desk, form))))
        .route("/analyses", get(|s, p| page(s, p, analysis::list)))
        .route("/analyses/{id}", of(|desk, path| analysis::result(desk, &path[0])))
        .route(
            "/analyses/{id}/report.html",
            of(|desk, path| report(service::analyses::report_html(&desk.app, &path[0])?)),
        )
        .route("/analyses/{id}/strategy", form(|desk, path, form| deciding::strategy(desk, &path[0], form)))
        .route("/analyses/{id}/tables/{table}", get(table_page))
        .route(
            "/analyses/{id}/records/{record}",
            of(|desk, path| record::record(desk, &path[0], &path[1], &record::Hitch::default()))
                .merge(form(|desk, path, form| deciding::one(desk, &path[0], &path[1], form))),
        )
        .route("/analyses/{id}/decisions", form(|desk, path, form| deciding::ticked(desk, &path[0], form)))
        .route("/analyses/{id}/conflicts", get(conflicts))
        .route("/analyses/{id}/patterns", form(|desk, path, form| deciding::pattern(desk, &path[0], form)))
        .route("/analyses/{id}/review", get(review_page))
        .route("/analyses/{id}/approve", form(|desk, path, form| deciding::approve(desk, &path[0], form)))
        .route("/analyses/{id}/merge", form(|desk, path, form| deciding::merge(desk, &path[0], form)))
        .route("/operations/{id}", of(|desk, path| operations::operation(desk, &path[0])))
        .route("/operations/{id}/cancel", form(|desk, path, _| operations::cancel(desk, &path[0])))
        .route("/operations/{id}/find-out", form(|desk, path, _| operations::find_out(desk, &path[0])))
        .route("/merges/{id}", of(|desk, path| merges::merge(desk, &path[0])))
        .route("/merges/{id}/report.html", of(|desk, path| report(service::merges::report_html(&desk.app, &path[0])?)))
        .route(
            "/merges/{id}/undo",
            of(|desk, path| merges::undo(desk, &path[0]))
                .merge(form(|desk, path, form| deciding::undo(desk, &path[0], form))),
        )
        .route("/merges/{id}/notify", form(|desk, path, _| merges::notify(desk, &path[0])))
        .route("/history", get(history))
        .route("/history.jsonl", get(|s, p| page(s, p, |desk| export(desk, merges::Csv::No))))
        .route("/history.csv", get(|s, p| page(s, p, |desk| export(desk, merges::Csv::Yes))))
        .route("/schedules", get(schedules_page).merge(form(|desk, _, form| schedules::add(desk, form))))
        .route("/schedules/remove", form(|desk, _, form| schedules::remove(desk, form)))
        .route("/schedules/retention", form(|desk, _, form| schedules::retain(desk, form)))
        .route("/settings", get(|s, p| page(s, p, |desk| upkeep::settings(desk, None))))
        .route("/settings/users", form(|desk, _, form| upkeep::add_user(desk, form)))
        .route("/settings/users/remove", form(|desk, _, form| upkeep::remove_user(desk, form)))
        .route("/settings/tokens", form(|desk, _, form| upkeep::add_token(desk, form)))
        .route("/settings/tokens/revoke", form(|desk, _, form| upkeep::revoke_token(desk, form)))
        .route("/settings/notice", form(|desk, _, _| upkeep::test_notice(desk)))
        .route("/system", get(|s, p| page(s, p, upkeep::system)))
        .route("/system/log.jsonl", get(|s, p| page(s, p, |_| log())))
}

/// Answers with a page that needs nothing but who asks.
async fn page(State(app): State<App>, person: Person, work: fn(&Desk) -> Answer<Response>) -> Response {
    run(app, Some(person), work).await
}

/// Answers with a page about what its address names.
fn of(work: fn(&Desk, &[String]) -> Answer<Response>) -> MethodRouter<App> {
    get(move |State(app): State<App>, person: Person, Path(path): Path<Vec<String>>| async move {
        run(app, Some(person), move |desk| work(desk, &path)).await
    })
}

/// Takes a form.
fn form(work: fn(&Desk, &[String], &Form) -> Answer<Response>) -> MethodRouter<App> {
    post(
        move |State(app): State<App>, person: Person, path: Option<Path<Vec<String>>>, Fields(form): Fields<Form>| async move {
            let path = path.map(|p| p.0).unwrap_or_default();
            run(app, Some(person), move |desk| work(desk, &path, &form)).await
        },
    )
}

/// What comes after logging in.
#[derive(serde::Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

async fn login_form(State(app): State<App>, Query(query): Query<Next>) -> Response {
    run(app, None, move |desk| entry::login_form(desk, &query.next)).await
}

async fn login(State(app): State<App>, address: Address, Fields(form): Fields<Form>) -> Response {
    run(app, None, move |desk| entry::login(desk, &form, &address)).await
}

/// The secret of the set-up link.
#[derive(serde::Deserialize)]
struct Secret {
    #[serde(default)]
    secret: String,
}

async fn setup_form(State(app): State<App>, Query(query): Query<Secret>) -> Response {
    run(app, None, move |desk| entry::setup_form(desk, &query.secret)).await
}

async fn setup(State(app): State<App>, address: Address, Fields(form): Fields<Form>) -> Response {
    run(app, None, move |desk| entry::setup(desk, &form, &address)).await
}

/// Takes an upload: the body is read as it comes, however large it is.
async fn upload(State(app): State<App>, person: Person, request: Request) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    let taken = match Multipart::from_request(request, &()).await {
        Ok(form) => backups::upload(app.clone(), person.clone(), form, length).await,
        Err(refused) => Err(super::Problem::own("malformed", refused.body_text())),
    };
    match taken {
        Ok(response) => response,
        Err(problem) => run(app, Some(person), move |_| Err(problem)).await,
    }
}

async fn inspect(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Query(query): Query<backups::Query>,
) -> Response {
    run(app, Some(person), move |desk| backups::inspect(desk, &id, &query)).await
}

/// Hands a backup's file out, as a file and never as a page (CHECKS T14, T16).
async fn content(State(app): State<App>, person: Person, Path(id): Path<String>) -> Response {
    let found = {
        let (app, person) = (app.clone(), person.clone());
        super::app::blocking(move || service::backups::fetch(&app, &person, &id)).await
    };
    let opened = match found {
        Ok((entry, path)) => tokio::fs::File::open(path).await.map(|file| (entry, file)).map_err(Into::into),
        Err(problem) => Err(problem),
    };
    match opened {
        Ok((entry, file)) => {
            let extension = entry.file.split_once('.').map_or("", |(_, e)| e);
            let named = entry.name.ends_with(extension);
            let name = if named { entry.name.clone() } else { format!("{}.{extension}", entry.name) };
            let fit = |c: char| if c.is_ascii_alphanumeric() || ".-_ ".contains(c) { c } else { '-' };
            let name: String = name.chars().map(fit).collect();
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
                (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
                (header::CONTENT_LENGTH, entry.size_bytes.to_string()),
                (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
            ];
            let body = axum::body::Body::from_stream(tokio_util::io::ReaderStream::new(file));
            (headers, body).into_response()
        }
        Err(problem) => run(app, Some(person), move |_| Err(problem)).await,
    }
}

async fn analyze_form(State(app): State<App>, person: Person, Query(form): Query<Form>) -> Response {
    run(app, Some(person), move |desk| wizard::wizard(desk, &form, None)).await
}

async fn table_page(
    State(app): State<App>,
    person: Person,
    Path((id, table)): Path<(String, String)>,
    Query(query): Query<table::Query>,
) -> Response {
    run(app, Some(person), move |desk| table::table(desk, &id, &table, &query)).await
}

async fn conflicts(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Query(query): Query<patterns::Query>,
) -> Response {
    run(app, Some(person), move |desk| patterns::patterns(desk, &id, &query)).await
}

/// The dry run that was just carried out.
#[derive(serde::Deserialize)]
struct Tried {
    tried: Option<String>,
}

async fn review_page(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Query(query): Query<Tried>,
) -> Response {
    run(app, Some(person), move |desk| review::review(desk, &id, query.tried.as_deref())).await
}

async fn history(State(app): State<App>, person: Person, Query(query): Query<merges::Query>) -> Response {
    run(app, Some(person), move |desk| merges::history(desk, &query)).await
}

async fn schedules_page(State(app): State<App>, person: Person, Query(form): Query<Form>) -> Response {
    run(app, Some(person), move |desk| schedules::schedules(desk, &form)).await
}

/// A report is a page of its own whose style is inside it; nothing in it runs.
fn report(document: String) -> Answer<Response> {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
    Ok(([(header::CONTENT_SECURITY_POLICY, policy)], axum::response::Html(document)).into_response())
}

/// Hands out the last lines of the log, scrubbed, as a file.
fn log() -> Answer<Response> {
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"merganser-log.jsonl\""),
    ];
    Ok((headers, super::logs::tail()).into_response())
}

fn export(desk: &Desk, csv: merges::Csv) -> Answer<Response> {
    let (kind, name) = match csv {
        merges::Csv::Yes => ("text/csv; charset=utf-8", "attachment; filename=\"history.csv\""),
        merges::Csv::No => ("application/jsonl; charset=utf-8", "attachment; filename=\"history.jsonl\""),
    };
    let text = merges::export(desk, csv)?;
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], text).into_response())
}
