//! The review: exactly what a merge would do, what stands in its way, and the button.

use super::analysis::Head;
use super::chrome::{Chrome, Desk, draw, encoded};
use super::html::safe;
use super::words;
use crate::model::schema::Engine;
use crate::plan::{Outcome, Plan, Preview};
use crate::server::problem::Answer;
use crate::server::service::operations::{self, OperationState};
use crate::server::service::targets;
use askama::Template;
use axum::response::Response;

/// What is written to a table.
pub(super) struct Written {
    pub(super) name: String,
    pub(super) inserted: u64,
    pub(super) updated: u64,
    pub(super) deleted: u64,
    pub(super) rest: String,
}

impl Written {
    pub(super) fn of(name: String, p: &Preview) -> Self {
        let parts = [
            ("current is newer", p.kept_newer),
            ("current stays", p.kept),
            ("left out", p.skipped),
            ("waiting for you", p.undecided),
            ("can't be written", p.blocked),
            ("changed since", p.stale),
        ];
        let rest: Vec<String> =
            parts.iter().filter(|(_, n)| *n > 0).map(|(w, n)| format!("{} {w}", words::grouped(n))).collect();
        Self { name, inserted: p.inserted, updated: p.updated, deleted: p.deleted, rest: rest.join(", ") }
    }
}

#[derive(Template)]
#[template(path = "review.html")]
struct Review {
    chrome: Chrome,
    a: Head,
    headline: String,
    stands: Vec<(String, String, &'static str)>,
    dry_run: Option<String>,
    tables: Vec<Written>,
    total: Written,
    cannot: Option<String>,
    etag: String,
    once: String,
    blocked: u64,
    deletes: u64,
    protected: bool,
    target_name: String,
    staleness: String,
    checks: Vec<(&'static str, String)>,
}

/// Adds up what is written per table, in the order of writing.
pub(super) fn per_table(plan: &Plan) -> crate::error::Result<Vec<(usize, Preview)>> {
    let outcomes = plan.outcome_counts()?;
    let tables = plan.meta().tables.iter().map(|t| {
        let mut sum = Preview::default();
        outcomes.iter().filter(|o| o.0 == t.table).for_each(|(_, outcome, n)| *sum.of(*outcome) += n);
        (t.table, sum)
    });
    Ok(tables.collect())
}

/// Draws the review.
pub(super) fn review(desk: &Desk, id: &str, tried: Option<&str>) -> Answer<Response> {
    let plan = desk.app.plan(id)?;
    let meta = plan.meta();
    let total = plan.settled()?;
    let mut stands = Vec::new();
    if total.undecided > 0 {
        let text = if total.undecided == 1 {
            "1 conflict waits for a decision".to_owned()
        } else {
            format!("{} conflicts wait for a decision", words::grouped(total.undecided))
        };
        stands.push((text, format!("/analyses/{id}/conflicts"), "Decide"));
    }
    if total.blocked > 0 {
        let table = plan.outcome_counts()?.into_iter().find(|o| o.1 == Outcome::Blocked).map(|o| o.0);
        let name = table.map(|t| meta.schema.tables[t].label()).unwrap_or_default();
        let text = format!("{} can't be written", words::plural(total.blocked, "record"));
        stands.push((text, format!("/analyses/{id}/tables/{}?class=blocked", encoded(&name)), "Look"));
    }
    if let Some(done) = crate::executor::receipt::merged_by(desk.app.home(), id)? {
        stands.push((format!("It was merged already, as {done}"), format!("/merges/{done}"), "Open"));
    }
    let target = targets::of(&desk.app, &meta.database).ok();
    let target_name = target.as_ref().map_or_else(|| meta.database.display.clone(), |t| t.name.clone());
    let protected = target.as_ref().is_some_and(|t| t.settings.protected);
    let cannot = match (desk.can_write(), &target, total.undecided, total.writes()) {
        (false, ..) => Some("Your role looks only; an operator or an administrator merges.".to_owned()),
        (_, None, ..) => Some("This database is no longer in the configuration.".to_owned()),
        (.., 1.., _) => Some("It can be merged once every conflict is decided.".to_owned()),
        (.., 0) => Some("Nothing would be written, so there is nothing to merge.".to_owned()),
        _ if protected && !desk.is_admin() => Some("Only an administrator writes to a protected database.".to_owned()),
        _ => None,
    };
    let tables = per_table(&plan)?;
    let written = tables.iter().filter(|(_, p)| *p != Preview::default());
    let touched: Vec<usize> = tables.iter().filter(|(_, p)| p.writes() > 0).map(|(t, _)| *t).collect();
    let mut chrome = desk.chrome("review", "Analyses", "Review");
    chrome.target = Some(desk.badge(&meta.database));
    let page = Review {
        headline: match total.writes() {
            0 => "A merge would write nothing".to_owned(),
            n => format!("{} into {}", words::plural(n, "change"), safe(&target_name)),
        },
        a: Head::of(desk, &plan)?,
        stands,
        dry_run: tried.map(|operation| dry_run(desk, id, operation)).transpose()?,
        tables: written.map(|(t, p)| Written::of(safe(&meta.schema.tables[*t].label()), p)).collect(),
        total: Written::of(String::new(), &total),
        cannot,
        etag: plan.revision()?,
        once: crate::executor::home::fresh_id('k'),
        blocked: total.blocked,
        deletes: total.deleted,
        protected,
        target_name: safe(&target_name),
        staleness: staleness(desk, &plan),
        checks: checks(&plan, &touched),
        chrome,
    };
    draw(&page)
}

/// Says what a dry run of this analysis found.
fn dry_run(desk: &Desk, id: &str, operation: &str) -> Answer<String> {
    let operation = operations::get(&desk.app, operation)?;
    if operation.subject.as_deref() != Some(id) || operation.state != OperationState::Done {
        return Err(crate::server::Problem::not_found("dry run of this analysis", &operation.id));
    }
    let count = |name: &str| operation.result["counts"][name].as_u64().unwrap_or(0);
    let (inserted, updated, deleted) = (count("inserted"), count("updated"), count("deleted"));
    Ok(format!(
        "Dry run: {} inserted, {} updated, {} deleted, read back, checked and rolled back. {}",
        words::grouped(inserted),
        words::grouped(updated),
        words::grouped(deleted),
        words::UNCHANGED
    ))
}

fn staleness(desk: &Desk, plan: &Plan) -> String {
    let current = targets::of(&desk.app, &plan.meta().database).and_then(|t| Ok(t.connect()?.schema()?));
    match current {
        Ok(schema) => {
            let same = plan.meta().tables.iter().all(|t| {
                let before = &plan.meta().schema.tables[t.table];
                schema.table(&before.label()).is_some_and(|now| schema.tables[now].digest() == before.digest())
            });
            if same {
                "✓ the tables are as they were, seen just now; each record is compared again under lock".to_owned()
            } else {
                "! the tables changed since; analyze again".to_owned()
            }
        }
        Err(problem) => safe(&format!("× {}", problem.detail)),
    }
}

fn checks(plan: &Plan, touched: &[usize]) -> Vec<(&'static str, String)> {
    let tables: Vec<_> = touched.iter().map(|t| &plan.meta().schema.tables[*t]).collect();
    let count = |f: &dyn Fn(&crate::model::Table) -> usize| tables.iter().map(|t| f(t)).sum::<usize>() as u64;
    let triggers: Vec<String> = tables
        .iter()
        .flat_map(|t| t.triggers.iter().map(|trigger| safe(&format!("{} ({})", trigger.name, t.label()))))
        .collect();
    vec![
        (
            "Constraints",
            format!(
                "{}, {} and {} are checked",
                words::plural(count(&|t| t.foreign_keys.len()), "reference"),
                words::plural(count(&|t| t.uniques.len()), "unique key"),
                words::plural(count(&|t| t.checks.len()), "check")
            ),
        ),
        (
            "Triggers",
            if triggers.is_empty() { "none fire".to_owned() } else { format!("fire: {}", triggers.join(", ")) },
        ),
        ("Reading back", "every written record is read again and compared before the commit".to_owned()),
        (
            "Lock",
            match plan.meta().database.engine {
                Engine::Sqlite => "one writer: other writers wait until the commit".to_owned(),
                _ => "the written records only; reading goes on".to_owned(),
            },
        ),
        ("Way back", "what undo needs is on disk before the first write".to_owned()),
    ]
}
