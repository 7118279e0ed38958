//! Merges, undo, and operations with their events.

use super::backups::cut;
use super::parts::{Asked, At, Body, Listed, Paging, accepted, idempotency_key, page, report as html};
use crate::server::access::Person;
use crate::server::app::{App, blocking};
use crate::server::jobs::{Event, Job};
use crate::server::problem::{Answer, Problem};
use crate::server::service::approvals::{self, Approval};
use crate::server::service::merges::{self, MergeView, NewMerge, NewUndo};
use crate::server::service::operations::{self, Once, Operation, OperationState, once};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Followers of events at the same time (CHECKS T25).
const MOST_FOLLOWERS: usize = 200;
static FOLLOWERS: AtomicUsize = AtomicUsize::new(0);

/// Merges an analysis: "Perform Incremental Merge".
#[utoipa::path(post, path = "/api/v1/merges", tag = "merges", request_body = NewMerge,
    params(("Idempotency-Key" = String, Header)), responses((status = 202, body = Operation)))]
pub(super) async fn start(
    State(app): State<App>,
    person: Person,
    headers: HeaderMap,
    Body(asked, text): Body<NewMerge>,
) -> Answer<Response> {
    let key = idempotency_key(&headers)?;
    let operation = blocking(move || {
        let same = Once { route: "POST /merges", key: &key, body: &text };
        once(&app, &person, &same, |id| merges::start(&app, &person, id, &asked))
    })
    .await?;
    Ok(accepted(&operation))
}

/// Lists merges and undos, newest first, also the command line's.
#[utoipa::path(get, path = "/api/v1/merges", tag = "merges", params(Paging), responses((status = 200, body = Listed<MergeView>)))]
pub(super) async fn list(State(app): State<App>, uri: Uri, Asked(paging): Asked<Paging>) -> Answer<Response> {
    let (limit, left) = (paging.limit()?, paging.position(u64::MAX)?);
    let all = blocking(move || merges::list(&app)).await?;
    Ok(page(&uri, cut(all, left, limit)))
}

/// Describes a merge.
#[utoipa::path(get, path = "/api/v1/merges/{id}", tag = "merges", params(("id" = String, Path)), responses((status = 200, body = MergeView)))]
pub(super) async fn get(State(app): State<App>, At(id): At<String>) -> Answer<Json<MergeView>> {
    blocking(move || merges::get(&app, &id)).await.map(Json)
}

/// Returns the report of a merge as one HTML file.
#[utoipa::path(get, path = "/api/v1/merges/{id}/report.html", tag = "merges", params(("id" = String, Path)),
    responses((status = 200, content_type = "text/html", body = String)))]
pub(super) async fn report(State(app): State<App>, At(id): At<String>) -> Answer<Response> {
    blocking(move || merges::report_html(&app, &id)).await.map(html)
}

/// Says what an undo would do: reversed, kept, blocked.
#[utoipa::path(post, path = "/api/v1/merges/{id}/undo-analysis", tag = "merges", request_body = NewUndo,
    params(("id" = String, Path)), responses((status = 200, body = Object)))]
pub(super) async fn undo_preview(
    State(app): State<App>,
    At(id): At<String>,
    Body(asked, _): Body<NewUndo>,
) -> Answer<Json<Value>> {
    blocking(move || merges::undo_preview(&app, &id, &asked.only_tables)).await.map(Json)
}

/// Takes a merge back, or an undo.
#[utoipa::path(post, path = "/api/v1/merges/{id}/undo", tag = "merges", request_body = NewUndo,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)), responses((status = 202, body = Operation)))]
pub(super) async fn undo(
    State(app): State<App>,
    person: Person,
    headers: HeaderMap,
    At(id): At<String>,
    Body(asked, text): Body<NewUndo>,
) -> Answer<Response> {
    let key = idempotency_key(&headers)?;
    let operation = blocking(move || {
        let route = format!("POST /merges/{id}/undo");
        let same = Once { route: &route, key: &key, body: &text };
        once(&app, &person, &same, |operation| merges::start_undo(&app, &person, operation, &id, &asked))
    })
    .await?;
    Ok(accepted(&operation))
}

/// Approves that a merge is taken back; for a target that asks for another user's approval.
#[utoipa::path(post, path = "/api/v1/merges/{id}/approval", tag = "merges", params(("id" = String, Path)), responses((status = 200, body = Vec<Approval>)))]
pub(super) async fn approve_undo(
    State(app): State<App>,
    person: Person,
    At(id): At<String>,
) -> Answer<Json<Vec<Approval>>> {
    blocking(move || approvals::approve_undo(&app, &person, &id)).await.map(Json)
}

/// Takes one's own approval of an undo back.
#[utoipa::path(delete, path = "/api/v1/merges/{id}/approval", tag = "merges", params(("id" = String, Path)), responses((status = 204)))]
pub(super) async fn withdraw(State(app): State<App>, person: Person, At(id): At<String>) -> Answer<StatusCode> {
    blocking(move || approvals::withdraw(&app, &person, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists operations, newest first.
#[utoipa::path(get, path = "/api/v1/operations", tag = "operations", params(Paging), responses((status = 200, body = Listed<Operation>)))]
pub(super) async fn operations(State(app): State<App>, uri: Uri, Asked(paging): Asked<Paging>) -> Answer<Response> {
    let (limit, left) = (paging.limit()?, paging.position(u64::MAX)?);
    let all = blocking(move || operations::list(&app, 10_000)).await?;
    Ok(page(&uri, cut(all, left, limit)))
}

/// Describes an operation as it is now.
#[utoipa::path(get, path = "/api/v1/operations/{id}", tag = "operations", params(("id" = String, Path)), responses((status = 200, body = Operation)))]
pub(super) async fn operation(State(app): State<App>, At(id): At<String>) -> Answer<Json<Operation>> {
    blocking(move || operations::get(&app, &id)).await.map(Json)
}

/// Asks an operation to stop and roll back.
#[utoipa::path(post, path = "/api/v1/operations/{id}/cancel", tag = "operations", params(("id" = String, Path)), responses((status = 202, body = Operation)))]
pub(super) async fn cancel(State(app): State<App>, person: Person, At(id): At<String>) -> Answer<Response> {
    let operation = blocking(move || operations::cancel(&app, &person, &id)).await?;
    Ok(accepted(&operation))
}

/// Finds out how an operation ended of which that is not known.
#[utoipa::path(post, path = "/api/v1/operations/{id}/find-out", tag = "operations", params(("id" = String, Path)), responses((status = 200, body = Operation)))]
pub(super) async fn find_out(State(app): State<App>, At(id): At<String>) -> Answer<Json<Operation>> {
    blocking(move || operations::find_out(&app, &id)).await.map(Json)
}

/// Counts who follows; dropping it takes one away.
struct Follower;

impl Follower {
    fn new() -> Answer<Self> {
        if FOLLOWERS.fetch_add(1, Ordering::SeqCst) >= MOST_FOLLOWERS {
            FOLLOWERS.fetch_sub(1, Ordering::SeqCst);
            return Err(Problem::own("too_many_requests", "too many follow operations; poll instead").retry_after(5));
        }
        Ok(Self)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        FOLLOWERS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Where somebody is who follows a job's events.
struct Following {
    job: Arc<Job>,
    told: watch::Receiver<u64>,
    waiting: VecDeque<Event>,
    last: u64,
    ended: bool,
    _one: Follower,
}

impl Following {
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        loop {
            if self.ended {
                return None;
            }
            if let Some(event) = self.waiting.pop_front() {
                self.last = event.sequence;
                self.ended = event.event == "result";
                return Some((Ok(written(&event)), self));
            }
            self.told.borrow_and_update();
            self.waiting.extend(self.job.events_after(self.last));
            if self.waiting.is_empty() && self.told.changed().await.is_err() {
                return None;
            }
        }
    }
}

fn written(event: &Event) -> sse::Event {
    sse::Event::default()
        .id(event.sequence.to_string())
        .event(event.event)
        .retry(Duration::from_millis(2000))
        .data(event.data.to_string())
}

/// Follows an operation: phases, progress, warnings, and at last its result. `Last-Event-ID` goes on where one left off.
#[utoipa::path(get, path = "/api/v1/operations/{id}/events", tag = "operations", params(("id" = String, Path)),
    responses((status = 200, content_type = "text/event-stream", body = Object), (status = 204)))]
pub(super) async fn events(State(app): State<App>, headers: HeaderMap, At(id): At<String>) -> Answer<Response> {
    let seen = headers.get("last-event-id").and_then(|v| v.to_str().ok()?.parse().ok()).unwrap_or(0);
    let one = Follower::new()?;
    let Some(job) = app.jobs().find(&id) else {
        let operation = blocking(move || operations::get(&app, &id)).await?;
        // Only its end is known of an operation that a service before this one ran.
        let event = Event {
            sequence: seen.max(1),
            event: "result",
            data: serde_json::to_value(&operation).expect("an operation always serialises"),
        };
        let ended = operation.state != OperationState::Running;
        let events = ended.then(|| Ok::<_, Infallible>(written(&event)));
        return Ok(Sse::new(tokio_stream::iter(events)).into_response());
    };
    // Nothing comes after the end: 204 tells a browser not to ask again, as it otherwise does whenever a stream ends.
    let (newest, ended) = job.newest();
    let seen = seen.min(newest);
    if ended && seen == newest {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let following =
        Following { told: job.follow(), job, waiting: VecDeque::new(), last: seen, ended: false, _one: one };
    let stream = futures_util::stream::unfold(following, Following::next);
    let beat = KeepAlive::new().interval(Duration::from_secs(15)).text("still here");
    Ok(Sse::new(stream).keep_alive(beat).into_response())
}
