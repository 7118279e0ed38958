//! Small forms that stand in pages of facts.

use super::calendar::Going;
use super::html::Html;
use super::targets::TargetView;
use super::words;
use crate::error::fail;
use crate::server::problem::Answer;
use askama::Template;

/// Draws a part of a page.
pub(super) fn part(part: &impl Template) -> Answer<Html> {
    Ok(Html::made(part.render().map_err(|e| fail!(Failed, "a part of the page can't be drawn: {e}"))?))
}

/// A button that takes something away.
#[derive(Template)]
#[template(path = "part_remove.html")]
pub(super) struct Remove<'a> {
    pub(super) action: &'a str,
    pub(super) field: &'a str,
    pub(super) value: &'a str,
    pub(super) name: &'a str,
    pub(super) verb: &'a str,
}

/// The form for a new person.
#[derive(Template)]
#[template(path = "part_person.html")]
pub(super) struct NewPerson;

/// The form for a new token.
#[derive(Template)]
#[template(path = "part_token.html")]
pub(super) struct NewToken {
    pub(super) scopes: Vec<String>,
}

/// The button that tests notices.
#[derive(Template)]
#[template(path = "part_notice.html")]
pub(super) struct TestNotice;

/// Where the log is had.
#[derive(Template)]
#[template(path = "part_log.html")]
pub(super) struct LogLink;

/// The form for a new schedule.
#[derive(Template)]
#[template(path = "part_schedule.html")]
pub(super) struct NewSchedule {
    pub(super) targets: Vec<TargetView>,
}

/// The form for a retention, and what it would let go.
#[derive(Template)]
#[template(path = "part_retention.html")]
pub(super) struct Retention {
    /// Name, label, what was asked.
    pub(super) rules: Vec<(&'static str, &'static str, String)>,
    pub(super) going: Option<Going>,
}
