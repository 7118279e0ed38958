//! Baby Buddy's routes: a backup archive made and sent, and one taken and merged.

use super::super::backups::store;
use super::{made, put_back, sent};
use crate::backup::{FilesFormat, WriteFormat};
use crate::catalog::make::Format;
use crate::executor::home::fresh_id;
use crate::server::access::{Person, Role};
use crate::server::app::{App, blocking};
use crate::server::problem::{Answer, Problem};
use crate::server::service::analyses::Hidden;
use crate::server::service::backups;
use crate::server::service::merges::NewMerge;
use axum::Json;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{DefaultBodyLimit, Multipart, State};
use axum::response::Response;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Bytes of a field of the form that is no file.
const LONGEST_FIELD: usize = 4096;

pub(super) fn router() -> OpenApiRouter<App> {
    let restoring = OpenApiRouter::new().routes(routes!(restore)).layer(DefaultBodyLimit::disable());
    OpenApiRouter::new().routes(routes!(download)).merge(restoring)
}

/// Baby Buddy's route: makes a backup archive and sends it.
#[utoipa::path(get, path = "/backup/download/", tag = "guides",
    responses((status = 200, content_type = "application/zip", body = Vec<u8>)))]
async fn download(State(app): State<App>, person: Person) -> Answer<Response> {
    let (entry, path) = blocking(move || {
        let view = made(&app, &person, Format::Records(WriteFormat::Files(FilesFormat::Django)))?;
        backups::fetch(&app, &person, &view.id)
    })
    .await?;
    sent(&entry.file, &path).await
}

#[derive(utoipa::ToSchema)]
#[allow(dead_code)] // Only described: the form is read field by field.
struct RestoreForm {
    /// The archive.
    #[schema(value_type = String, format = Binary)]
    backup_file: Vec<u8>,
    /// Whether what is only in current is deleted; asks for RESTORE in `confirm`.
    clear_existing_data: Option<String>,
    /// RESTORE, where data is cleared.
    confirm: Option<String>,
    /// `true`: what the archive changes about who may do what has been looked at.
    confirm_security: Option<String>,
}

fn is_yes(text: &str) -> bool {
    matches!(text, "true" | "True" | "on" | "1")
}

/// Baby Buddy's route: takes an archive and merges it, the backup's values winning.
#[utoipa::path(post, path = "/backup/restore/confirm/", tag = "guides",
    request_body(content_type = "multipart/form-data", content = RestoreForm), responses((status = 200, body = Object)))]
async fn restore(
    State(app): State<App>,
    person: Person,
    form: Result<Multipart, MultipartRejection>,
) -> Answer<Json<Value>> {
    let mut form =
        form.map_err(|_| Problem::own("unsupported_media_type", "send the archive as multipart/form-data"))?;
    let broken = |_| Problem::own("malformed", "the form can't be read");
    let (mut stored, mut deletes, mut merge) = (None, "keep", NewMerge::default());
    // An administrator could give the same power without a backup; of anybody else it is asked for.
    merge.confirm_security = person.role == Role::Admin;
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "backup_file" && stored.is_none() {
            let name = format!("restore-{}.zip", fresh_id('x'));
            let begun = {
                let app = app.clone();
                blocking(move || backups::begin_upload(&app, &name, None)).await?
            };
            stored = Some(store(begun, Box::pin(field), false).await?.0);
            continue;
        }
        let mut bytes = Vec::new();
        while let Some(piece) = field.chunk().await.map_err(broken)? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > LONGEST_FIELD {
                return Err(Problem::own("too_large", format!("the form's field {name:?} is too long")));
            }
        }
        let text = String::from_utf8(bytes).map_err(|_| Problem::own("malformed", "the form can't be read"))?;
        match name.as_str() {
            "clear_existing_data" if is_yes(&text) => deletes = "mirror",
            "confirm" => merge.confirm = Some(text),
            "confirm_security" => merge.confirm_security |= is_yes(&text),
            _ => {}
        }
    }
    let Some(stored) = stored else { return Err(Problem::own("malformed", "No backup file provided.")) };
    blocking(move || {
        let view = stored.finish_or_find(&app, &person, &Hidden::default())?;
        let result = put_back(&app, &person, &view, deletes, merge)?;
        let count = |name: &str| result["counts"][name].as_u64().unwrap_or(0);
        Ok(json!({"success": true, "models_restored": view.tables.len(),
            "records_restored": count("inserted") + count("updated"), "errors": [], "merge": result["merge"]}))
    })
    .await
    .map(Json)
}
