//! `openapi`: prints the description of the HTTP API.

use super::context::Context;
use super::output::Done;
use crate::error::Result;
use clap::Args;
use serde_json::json;

const EXAMPLES: &str = "Examples:
  merganser openapi > openapi.json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct OpenapiArgs {}

pub(super) fn run(context: &Context<'_>) -> Result<Done> {
    let document = crate::server::api::document();
    if context.out.is_json() {
        return Ok(Done::with(&json!({"document": document})));
    }
    context.out.raw(&document);
    Ok(Done::default())
}
