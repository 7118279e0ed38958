//! The HTTP API: `/api/v1` (INTERFACE 3.1) and the guides' own routes. Handlers read the request, call [`super::service`],
//! and write the answer; nothing else. The OpenAPI document is made from them.

mod analyses;
mod backups;
mod guides;
mod merges;
mod parts;
mod people;
mod schedules;
mod system;
mod targets;

pub(super) use guides::words::translate;

use super::access::{Access, Rule, Scope, admin, operator, viewer};
use super::app::App;
use super::problem::Problem;
use axum::Router;
use axum::http::StatusCode;
use utoipa::openapi::{ContentBuilder, Object, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Who each route is for.
pub const ACCESS: &[Rule] = &[
    ("POST", "/api/v1/setup", Access::Public),
    ("POST", "/api/v1/session", Access::Public),
    ("GET", "/api/v1/session", viewer(Scope::Read)),
    ("DELETE", "/api/v1/session", viewer(Scope::Read)),
    ("GET", "/api/v1/tokens", admin()),
    ("POST", "/api/v1/tokens", admin()),
    ("DELETE", "/api/v1/tokens/{id}", admin()),
    ("GET", "/api/v1/users", admin()),
    ("POST", "/api/v1/users", admin()),
    ("PATCH", "/api/v1/users/{id}", admin()),
    ("DELETE", "/api/v1/users/{id}", admin()),
    ("GET", "/api/v1/targets", viewer(Scope::Read)),
    ("GET", "/api/v1/targets/{id}", viewer(Scope::Read)),
    ("POST", "/api/v1/targets/{id}/test", operator(Scope::Read)),
    ("GET", "/api/v1/targets/{id}/schema", viewer(Scope::Read)),
    ("POST", "/api/v1/backups", operator(Scope::Backup)),
    ("PUT", "/api/v1/uploads/{name}", operator(Scope::Backup)),
    ("GET", "/api/v1/backups", viewer(Scope::Read)),
    ("GET", "/api/v1/backups/{id}", viewer(Scope::Read)),
    ("DELETE", "/api/v1/backups/{id}", operator(Scope::Backup)),
    ("GET", "/api/v1/backups/{id}/content", operator(Scope::Backup)),
    ("POST", "/api/v1/backups/{id}/verify", operator(Scope::Backup)),
    ("GET", "/api/v1/backups/{id}/tables", viewer(Scope::Read)),
    ("GET", "/api/v1/backups/{id}/tables/{table}/records", viewer(Scope::Read)),
    ("POST", "/api/v1/analyses", operator(Scope::Analyze)),
    ("GET", "/api/v1/analyses", viewer(Scope::Read)),
    ("GET", "/api/v1/analyses/{id}", viewer(Scope::Read)),
    ("PATCH", "/api/v1/analyses/{id}", operator(Scope::Resolve)),
    ("DELETE", "/api/v1/analyses/{id}", operator(Scope::Analyze)),
    ("GET", "/api/v1/analyses/{id}/records", viewer(Scope::Read)),
    ("GET", "/api/v1/analyses/{id}/patterns", viewer(Scope::Read)),
    ("GET", "/api/v1/analyses/{id}/records/{table}/{key}", viewer(Scope::Read)),
    ("PATCH", "/api/v1/analyses/{id}/records/{table}/{key}", operator(Scope::Resolve)),
    ("POST", "/api/v1/analyses/{id}/decisions", operator(Scope::Resolve)),
    ("GET", "/api/v1/analyses/{id}/decisions", viewer(Scope::Read)),
    ("PUT", "/api/v1/analyses/{id}/decisions", operator(Scope::Resolve)),
    ("POST", "/api/v1/analyses/{id}/approval", operator(Scope::Merge)),
    ("DELETE", "/api/v1/analyses/{id}/approval", operator(Scope::Merge)),
    ("GET", "/api/v1/analyses/{id}/staleness", operator(Scope::Analyze)),
    ("GET", "/api/v1/analyses/{id}/report.html", viewer(Scope::Read)),
    ("GET", "/api/v1/analyses/{id}/sql", viewer(Scope::Read)),
    ("POST", "/api/v1/merges", operator(Scope::Merge)),
    ("GET", "/api/v1/merges", viewer(Scope::Read)),
    ("GET", "/api/v1/merges/{id}", viewer(Scope::Read)),
    ("GET", "/api/v1/merges/{id}/report.html", viewer(Scope::Read)),
    ("POST", "/api/v1/merges/{id}/undo-analysis", operator(Scope::Analyze)),
    ("POST", "/api/v1/merges/{id}/undo", operator(Scope::Merge)),
    ("POST", "/api/v1/merges/{id}/approval", operator(Scope::Merge)),
    ("DELETE", "/api/v1/merges/{id}/approval", operator(Scope::Merge)),
    ("GET", "/api/v1/operations", viewer(Scope::Read)),
    ("GET", "/api/v1/operations/{id}", viewer(Scope::Read)),
    ("GET", "/api/v1/operations/{id}/events", viewer(Scope::Read)),
    ("POST", "/api/v1/operations/{id}/cancel", operator(Scope::Merge)),
    ("POST", "/api/v1/operations/{id}/find-out", operator(Scope::Merge)),
    ("GET", "/api/v1/schedules", viewer(Scope::Read)),
    ("POST", "/api/v1/schedules", admin()),
    ("GET", "/api/v1/schedules/{id}", viewer(Scope::Read)),
    ("DELETE", "/api/v1/schedules/{id}", admin()),
    ("POST", "/api/v1/schedules/{id}/run", operator(Scope::Backup)),
    ("POST", "/api/v1/retention/preview", operator(Scope::Backup)),
    ("POST", "/api/v1/retention/apply", admin()),
    ("GET", "/api/v1/audit", admin()),
    ("GET", "/api/v1/audit/verify", admin()),
    ("GET", "/api/v1/status", viewer(Scope::Read)),
    ("GET", "/api/v1/openapi.json", viewer(Scope::Read)),
    ("POST", "/api/admin/backup/merge", operator(Scope::Merge)),
    ("GET", "/api/admin/backup/merge", viewer(Scope::Read)),
    ("GET", "/api/admin/backup/download", operator(Scope::Backup)),
    ("GET", "/api/backup/download", admin()),
    ("GET", "/backup/download/", operator(Scope::Backup)),
    ("POST", "/backup/restore/confirm/", operator(Scope::Merge)),
    ("POST", "/api/backups", admin()),
    ("GET", "/api/backups", admin()),
    ("GET", "/api/backups/{id}", admin()),
    ("DELETE", "/api/backups/{id}", admin()),
    ("POST", "/api/backups/{id}/restore", admin()),
    ("GET", "/api/backups/{id}/download", admin()),
];

/// Returns the routes and their description.
pub fn router() -> (Router<App>, OpenApi) {
    let (router, mut document) = OpenApiRouter::new()
        .routes(routes!(people::set_up))
        .routes(routes!(people::log_in, people::who, people::log_out))
        .routes(routes!(people::tokens, people::create_token))
        .routes(routes!(people::revoke_token))
        .routes(routes!(people::users, people::add_user))
        .routes(routes!(people::change_user, people::remove_user))
        .routes(routes!(targets::list))
        .routes(routes!(targets::get))
        .routes(routes!(targets::test))
        .routes(routes!(targets::schema))
        .routes(routes!(backups::create, backups::list))
        .merge(backups::uploads())
        .routes(routes!(backups::get, backups::remove))
        .routes(routes!(backups::content))
        .routes(routes!(backups::verify))
        .routes(routes!(backups::tables))
        .routes(routes!(backups::records))
        .routes(routes!(analyses::start, analyses::list))
        .routes(routes!(analyses::get, analyses::restrategy, analyses::remove))
        .routes(routes!(analyses::records))
        .routes(routes!(analyses::patterns))
        .routes(routes!(analyses::record, analyses::decide))
        .routes(routes!(analyses::bulk, analyses::export, analyses::import))
        .routes(routes!(analyses::approve, analyses::withdraw))
        .routes(routes!(analyses::staleness))
        .routes(routes!(analyses::report))
        .routes(routes!(analyses::sql))
        .routes(routes!(merges::start, merges::list))
        .routes(routes!(merges::get))
        .routes(routes!(merges::report))
        .routes(routes!(merges::undo_preview))
        .routes(routes!(merges::undo))
        .routes(routes!(merges::approve_undo, merges::withdraw))
        .routes(routes!(merges::operations))
        .routes(routes!(merges::operation))
        .routes(routes!(merges::events))
        .routes(routes!(merges::cancel))
        .routes(routes!(merges::find_out))
        .routes(routes!(schedules::list, schedules::add))
        .routes(routes!(schedules::get, schedules::remove))
        .routes(routes!(schedules::run))
        .routes(routes!(system::preview))
        .routes(routes!(system::apply))
        .routes(routes!(system::audit))
        .routes(routes!(system::verify))
        .routes(routes!(system::status))
        .routes(routes!(system::openapi))
        .merge(guides::router())
        .split_for_parts();
    describe(&mut document);
    (router, document)
}

/// Returns the OpenAPI document as text: the golden file, and what `merganser openapi` prints.
pub fn document() -> String {
    let (_, document) = router();
    document.to_pretty_json().expect("the document always serialises") + "\n"
}

/// Names an operation after its method and path: `get_api_v1_backups_id`.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

/// Adds what all routes have: the problem document, and how one logs in.
fn describe(document: &mut OpenApi) {
    use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
    use utoipa::{PartialSchema, ToSchema};
    document.info.title = "merganser".to_owned();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.info.description = Some("Brings records from a backup into a current database, safely.".to_owned());
    document.info.license = None;
    document.info.contact = None;
    let components = document.components.get_or_insert_default();
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    components.schemas.extend(schemas);
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("merganser")));
    components.add_security_scheme("token", bearer);
    components.add_security_scheme("session", cookie);
    for (path, item) in &mut document.paths.paths {
        let all = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        let named = all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)));
        for (method, operation) in named {
            // Handlers of different modules may have one name; what is described may not.
            operation.operation_id = Some(operation_id(method, path));
            let guide = operation.tags.as_ref().is_some_and(|tags| tags.iter().any(|tag| tag == "guides"));
            let problem = match guide {
                // In the words of each guide.
                true => ResponseBuilder::new()
                    .description("Why it was not done, as its guide says it")
                    .content("application/json", ContentBuilder::new().schema(Some(Object::new())).build()),
                false => ResponseBuilder::new().description("Why it was not done (RFC 9457)").content(
                    "application/problem+json",
                    ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build(),
                ),
            };
            let problem = problem.build();
            for (status, response) in &mut operation.responses.responses {
                let RefOr::T(response) = response else { continue };
                // An encrypted archive is sent as what it is.
                let archive =
                    ["application/zip", "application/gzip"].iter().find_map(|kind| response.content.get(*kind));
                if let Some(archive) = archive.cloned() {
                    response.content.insert("application/octet-stream".to_owned(), archive);
                }
                if response.description.is_empty() {
                    let known = status.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
                    response.description = known.and_then(|s| s.canonical_reason()).unwrap_or("Answered").to_owned();
                }
            }
            operation.responses.responses.insert("default".to_owned(), RefOr::T(problem));
        }
    }
    document.security = Some(vec![
        utoipa::openapi::security::SecurityRequirement::new("token", Vec::<String>::new()),
        utoipa::openapi::security::SecurityRequirement::new("session", Vec::<String>::new()),
    ]);
}
