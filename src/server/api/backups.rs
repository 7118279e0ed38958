//! Backups: making, uploading, listing, checking, looking into, fetching, removing.

use super::parts::{Asked, At, Body, Listed, Paging, accepted, attachment, cursor, idempotency_key, page, passphrase};
use crate::server::access::Person;
use crate::server::app::{App, blocking};
use crate::server::problem::{Answer, Problem};
use crate::server::service::backups::{self, BackupView, NewBackup, Upload};
use crate::server::service::operations::{Once, Operation, once};
use axum::Json;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::time::Duration;
use tokio_stream::StreamExt;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How long an upload may stand still (CHECKS T25).
const STANDSTILL: Duration = Duration::from_secs(60);

/// Makes a backup of a target.
#[utoipa::path(post, path = "/api/v1/backups", tag = "backups", request_body = NewBackup,
    params(("Idempotency-Key" = String, Header), ("Merganser-Passphrase" = Option<String>, Header)), responses((status = 202, body = Operation)))]
pub(super) async fn create(
    State(app): State<App>,
    person: Person,
    headers: HeaderMap,
    Body(mut asked, text): Body<NewBackup>,
) -> Answer<Response> {
    let key = idempotency_key(&headers)?;
    asked.passphrase = passphrase(&headers)?;
    let operation = blocking(move || {
        let same = Once { route: "POST /backups", key: &key, body: &text };
        once(&app, &person, &same, |id| backups::start_create(&app, &person, id, &asked))
    })
    .await?;
    Ok(accepted(&operation))
}

/// Lists the backups, newest first.
#[utoipa::path(get, path = "/api/v1/backups", tag = "backups", params(Paging), responses((status = 200, body = Listed<BackupView>)))]
pub(super) async fn list(State(app): State<App>, uri: Uri, Asked(paging): Asked<Paging>) -> Answer<Response> {
    let (limit, left) = (paging.limit()?, paging.position(u64::MAX)?);
    let all = blocking(move || backups::list(&app)).await?;
    Ok(page(&uri, cut(all, left, limit)))
}

/// Cuts a page out of a list, newest first: its cursor says how many are left, so that what comes in front meanwhile, or goes
/// there, moves nothing.
pub(super) fn cut<T>(all: Vec<T>, left: u64, limit: usize) -> Listed<T> {
    let total = all.len();
    let start = total.saturating_sub(usize::try_from(left).unwrap_or(usize::MAX));
    let end = start.saturating_add(limit).min(total);
    Listed {
        items: all.into_iter().skip(start).take(limit).collect(),
        next_cursor: (end < total).then(|| cursor((total - end) as u64)),
        total: total as u64,
        total_is_estimate: false,
    }
}

/// The route that takes files: the only one without the usual limit of bodies; it has its own.
pub(super) fn uploads() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(upload)).layer(DefaultBodyLimit::disable())
}

/// Takes a file as a backup, streaming.
#[utoipa::path(put, path = "/api/v1/uploads/{name}", tag = "backups",
    params(("name" = String, Path), ("Content-Digest" = Option<String>, Header), ("Merganser-Passphrase" = Option<String>, Header)),
    request_body(content_type = "application/octet-stream", content = Vec<u8>), responses((status = 201, body = BackupView)))]
pub(super) async fn upload(
    State(app): State<App>,
    person: Person,
    At(name): At<String>,
    request: Request,
) -> Answer<Response> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let digest = request.headers().get("content-digest").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let passphrase = passphrase(request.headers())?;
    let begun = {
        let (app, name) = (app.clone(), name.clone());
        blocking(move || backups::begin_upload(&app, &name, length)).await?
    };
    let stored = store(begun, request.into_body().into_data_stream(), digest.is_some()).await?;
    if let Some(wanted) = digest {
        check_digest(&wanted, stored.1.as_deref())?;
    }
    let view = blocking(move || match person.own {
        // Nobody tells them whose file it is.
        Some(_) => stored.0.finish_or_find(&app, &person, &passphrase),
        None => stored.0.finish_with(&app, &person, &passphrase),
    })
    .await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/api/v1/backups/{}", view.id))], Json(view)).into_response())
}

/// Checks the digest that the caller sent (RFC 9530).
fn check_digest(wanted: &str, found: Option<&[u8]>) -> Answer<()> {
    use base64::Engine;
    let sha = wanted.split(',').find_map(|one| one.trim().strip_prefix("sha-256=:")?.strip_suffix(':'));
    let Some(sha) = sha else {
        return Err(Problem::invalid("/headers/Content-Digest", "only sha-256 is known: sha-256=:BASE64:"));
    };
    let given = base64::engine::general_purpose::STANDARD.decode(sha).unwrap_or_default();
    match found == Some(given.as_slice()) {
        true => Ok(()),
        false => {
            Err(Problem::invalid("/headers/Content-Digest", "what came is not what its digest says; nothing was kept"))
        }
    }
}

/// Writes a stream to a file of ours, piece by piece; dropping it half-way leaves nothing behind.
pub(super) async fn store<B, E>(
    mut upload: Upload,
    mut body: impl tokio_stream::Stream<Item = Result<B, E>> + Unpin,
    digesting: bool,
) -> Answer<(Upload, Option<Vec<u8>>)>
where
    B: AsRef<[u8]> + Send + 'static,
{
    use sha2::Digest;
    let mut sha = digesting.then(sha2::Sha256::new);
    loop {
        let piece = match tokio::time::timeout(STANDSTILL, body.next()).await {
            Err(_) => return Err(Problem::own("malformed", "the upload stood still for too long; nothing was kept")),
            Ok(None) => return Ok((upload, sha.map(|s| s.finalize().to_vec()))),
            Ok(Some(Err(_))) => return Err(Problem::own("malformed", "the upload broke off; nothing was kept")),
            Ok(Some(Ok(piece))) => piece,
        };
        if let Some(sha) = &mut sha {
            sha.update(piece.as_ref());
        }
        upload = blocking(move || {
            upload.add(piece.as_ref())?;
            Ok(upload)
        })
        .await?;
    }
}

/// Describes a backup.
#[utoipa::path(get, path = "/api/v1/backups/{id}", tag = "backups", params(("id" = String, Path)), responses((status = 200, body = BackupView)))]
pub(super) async fn get(State(app): State<App>, At(id): At<String>) -> Answer<Json<BackupView>> {
    blocking(move || backups::get(&app, &id)).await.map(Json)
}

/// Removes a backup.
#[utoipa::path(delete, path = "/api/v1/backups/{id}", tag = "backups", params(("id" = String, Path)), responses((status = 204)))]
pub(super) async fn remove(State(app): State<App>, person: Person, At(id): At<String>) -> Answer<StatusCode> {
    blocking(move || backups::remove(&app, &person, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Fetches a backup's file.
#[utoipa::path(get, path = "/api/v1/backups/{id}/content", tag = "backups", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)))]
pub(super) async fn content(State(app): State<App>, person: Person, At(id): At<String>) -> Answer<Response> {
    let (entry, path) = blocking(move || backups::fetch(&app, &person, &id)).await?;
    file(&entry.file, "application/octet-stream", &path).await
}

/// Streams a file.
pub(super) async fn file(name: &str, kind: &'static str, path: &std::path::Path) -> Answer<Response> {
    let file = tokio::fs::File::open(path).await?;
    let length = file.metadata().await?.len();
    let body = axum::body::Body::from_stream(tokio_util::io::ReaderStream::new(file));
    let mut response = attachment(name, kind, body);
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    Ok(response)
}

/// Checks a backup to its end.
#[utoipa::path(post, path = "/api/v1/backups/{id}/verify", tag = "backups",
    params(("id" = String, Path), ("Merganser-Passphrase" = Option<String>, Header)), responses((status = 202, body = Operation)))]
pub(super) async fn verify(
    State(app): State<App>,
    person: Person,
    headers: HeaderMap,
    At(id): At<String>,
) -> Answer<Response> {
    let passphrase = passphrase(&headers)?;
    let operation = blocking(move || backups::start_verify_with(&app, &person, &id, passphrase)).await?;
    Ok(accepted(&operation))
}

/// Says what a backup holds: tables, columns, counts, problems.
#[utoipa::path(get, path = "/api/v1/backups/{id}/tables", tag = "backups",
    params(("id" = String, Path), ("Merganser-Passphrase" = Option<String>, Header)), responses((status = 200, body = Object)))]
pub(super) async fn tables(State(app): State<App>, headers: HeaderMap, At(id): At<String>) -> Answer<Response> {
    let passphrase = passphrase(&headers)?;
    let found = blocking(move || backups::inspection_with(&app, &id, &passphrase)).await?;
    Ok(Json(found).into_response())
}

#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Only records that hold this text.
    q: Option<String>,
    /// How many at most, up to 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Where to go on, as the page before said.
    cursor: Option<String>,
}

/// Returns records of a backup's table.
#[utoipa::path(get, path = "/api/v1/backups/{id}/tables/{table}/records", tag = "backups",
    params(("id" = String, Path), ("table" = String, Path), Search, ("Merganser-Passphrase" = Option<String>, Header)), responses((status = 200, body = Listed<Object>)))]
pub(super) async fn records(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    At((id, table)): At<(String, String)>,
    Asked(asked): Asked<Search>,
) -> Answer<Response> {
    let passphrase = passphrase(&headers)?;
    let paging = Paging { limit: asked.limit, cursor: asked.cursor.clone() };
    let (limit, after) = (paging.limit()?, paging.position(0)?);
    let (found, total) = blocking(move || {
        let entry = backups::entry(&app, &id)?;
        let total = entry.tables.iter().find(|t| t.name == table).map_or(0, |t| t.records);
        Ok((backups::records_with(&app, &id, &table, (after, limit), asked.q.as_deref(), &passphrase)?, total))
    })
    .await?;
    let searched = uri.query().is_some_and(|q| q.contains("q="));
    let listed = Listed { next_cursor: found.next.map(cursor), items: found.items, total, total_is_estimate: searched };
    Ok(page(&uri, listed))
}
