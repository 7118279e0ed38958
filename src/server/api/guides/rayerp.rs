//! RayERP's route: a backup archive, made and sent.

use super::{made, sent};
use crate::backup::{FilesFormat, WriteFormat};
use crate::catalog::make::Format;
use crate::server::access::Person;
use crate::server::app::{App, blocking};
use crate::server::problem::Answer;
use crate::server::service::backups;
use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(download))
}

/// RayERP's route: makes a backup archive and sends it.
#[utoipa::path(get, path = "/api/backup/download", tag = "guides",
    responses((status = 200, content_type = "application/zip", body = Vec<u8>)))]
async fn download(State(app): State<App>, person: Person) -> Answer<Response> {
    let (entry, path) = blocking(move || {
        let view = made(&app, &person, Format::Records(WriteFormat::Files(FilesFormat::RayErp)))?;
        backups::fetch(&app, &person, &view.id)
    })
    .await?;
    sent(&entry.file, &path).await
}
