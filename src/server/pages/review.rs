//! The review: exactly what a merge would do, what stands in its way, and the button.

use super::analysis::Head;
use super::chrome::{Chrome, Desk, Step, draw, encoded, way};
use super::html::{Html, amounts, safe, sentence};
use super::words;
use crate::executor::BY_A_TRIGGER;
use crate::model::schema::{Engine, Generated};
use crate::plan::{Outcome, Plan, Preview};
use crate::report::power::Change;
use crate::server::problem::Answer;
use crate::server::service::approvals;
use crate::server::service::operations::{self, About, Kind, Operation, OperationState};
use crate::server::service::{backups, keys, targets};
use askama::Template;
use axum::response::Response;

/// What is written to a table.
pub(super) struct Written {
    pub(super) name: String,
    pub(super) inserted: u64,
    pub(super) updated: u64,
    pub(super) deleted: u64,
    pub(super) rest: String,
    /// How much that is beside the other tables.
    pub(super) bar: Html,
}

impl Written {
    pub(super) fn of(name: String, p: &Preview) -> Self {
        let parts = [
            (words::CURRENT_IS_NEWER, p.kept_newer),
            (words::CURRENT_STAYS, p.kept),
            (words::LEFT_OUT, p.skipped),
            (words::WAITING_FOR_YOU, p.undecided),
            (words::CANT_BE_WRITTEN, p.blocked),
            (words::CHANGED_SINCE, p.stale),
        ];
        let rest: Vec<String> =
            parts.iter().filter(|(_, n)| *n > 0).map(|(w, n)| format!("{} {w}", words::grouped(n))).collect();
        Self {
            name,
            inserted: p.inserted,
            updated: p.updated,
            deleted: p.deleted,
            rest: rest.join(", "),
            bar: Html::default(),
        }
    }

    /// Draws each table's part beside the others'.
    pub(super) fn beside(mut tables: Vec<Self>) -> Vec<Self> {
        let all = |t: &Self| t.inserted + t.updated + t.deleted;
        let most = tables.iter().map(all).max().unwrap_or(0);
        tables.iter_mut().for_each(|t| t.bar = amounts(t.inserted, t.updated, t.deleted, most));
        tables
    }
}

#[derive(Template)]
#[template(path = "review.html")]
struct Review {
    chrome: Chrome,
    a: Head,
    headline: String,
    /// Whether conflicts wait for a decision.
    waiting: bool,
    /// Why the database can't be looked at.
    unreached: Option<String>,
    stands: Vec<(String, String, &'static str)>,
    dry_run: Option<String>,
    tables: Vec<Written>,
    total: Written,
    cannot: Option<String>,
    etag: String,
    once: String,
    blocked: u64,
    deletes: u64,
    /// Whether another user has to approve it, and who did.
    needs_approval: bool,
    approvers: Vec<String>,
    /// Records that change who may do what, the first of them.
    powers: Vec<String>,
    powers_total: u64,
    protected: bool,
    target_name: String,
    staleness: String,
    /// Where a backup that is made before is kept.
    backup_first: String,
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
            words::N_1_CONFLICT_WAITS_FOR_A_DECISION.to_owned()
        } else {
            format!(words::phrase!(CONFLICTS_WAIT_FOR_A_DECISION), words::grouped(total.undecided))
        };
        stands.push((text, format!("/analyses/{id}/conflicts"), words::DECIDE));
    }
    if total.blocked > 0 {
        let table = plan.outcome_counts()?.into_iter().find(|o| o.1 == Outcome::Blocked).map(|o| o.0);
        let name = table.map(|t| meta.schema.tables[t].label()).unwrap_or_default();
        let text = format!(words::phrase!(CANT_BE_WRITTEN_2), words::plural(total.blocked, "record"));
        stands.push((text, format!("/analyses/{id}/tables/{}?class=blocked", encoded(&name)), words::LOOK));
    }
    if let Some(done) = crate::executor::receipt::merged_by(desk.app.home(), id)? {
        stands.push((
            format!(words::phrase!(IT_WAS_MERGED_ALREADY_AS), done = done),
            format!("/merges/{done}"),
            words::OPEN,
        ));
    }
    let target = targets::of(&desk.app, &meta.database).ok();
    let target_name = target.as_ref().map_or_else(|| meta.database.display.clone(), |t| t.name.clone());
    let protected = target.as_ref().is_some_and(|t| t.settings.protected);
    let cannot = match (desk.can_write(), &target, total.undecided, total.writes()) {
        (false, ..) => Some(words::YOUR_ROLE_LOOKS_ONLY_AN_OPERATOR_OR.to_owned()),
        (_, None, ..) => Some(words::THIS_DATABASE_IS_NO_LONGER_IN_THE.to_owned()),
        (.., 1.., _) => Some(words::IT_CAN_BE_MERGED_ONCE_EVERY_CONFLICT.to_owned()),
        (.., 0) => Some(words::NOTHING_WOULD_BE_WRITTEN_SO_THERE_IS.to_owned()),
        _ if protected && !desk.is_admin() => Some(words::ONLY_AN_ADMINISTRATOR_WRITES_TO_A_PROTECTED.to_owned()),
        _ => None,
    };
    let tables = per_table(&plan)?;
    let written = tables.iter().filter(|(_, p)| *p != Preview::default());
    let touched: Vec<usize> = tables.iter().filter(|(_, p)| p.writes() > 0).map(|(t, _)| *t).collect();
    let powers = desk.app.power(&plan)?;
    let measured = Measured::of(desk, id, target.as_ref().map_or("", |t| &t.name), &total)?;
    let mut chrome = desk.chrome("review", words::ANALYSES, words::REVIEW);
    chrome.target = Some(desk.badge(&meta.database));
    chrome.way = way(if total.undecided > 0 { Step::Decide } else { Step::Review }, Some(id));
    let (staleness, unreached) = staleness(desk, &plan);
    let page = Review {
        headline: match total.writes() {
            0 => words::A_MERGE_WOULD_WRITE_NOTHING.to_owned(),
            n => format!("{} into {}", words::plural(n, "change"), safe(&target_name)),
        },
        a: Head::of(desk, &plan)?,
        waiting: total.undecided > 0,
        unreached,
        stands,
        dry_run: tried.map(|operation| dry_run(desk, id, operation)).transpose()?,
        tables: Written::beside(written.map(|(t, p)| Written::of(safe(&meta.schema.tables[*t].label()), p)).collect()),
        total: Written::of(String::new(), &total),
        cannot,
        etag: plan.revision()?,
        once: crate::executor::home::fresh_id('k'),
        blocked: total.blocked,
        deletes: total.deleted,
        needs_approval: target.as_ref().is_some_and(|t| t.settings.approval),
        approvers: approvals::of(&desk.app, id, &plan.revision()?)?.iter().map(|a| safe(&a.user)).collect(),
        powers: powers.changes.iter().map(power).collect(),
        powers_total: powers.total,
        protected,
        target_name: safe(&target_name),
        staleness,
        checks: checks(&plan, &touched, total.writes(), &measured),
        backup_first: backup_first(desk)?,
        chrome,
    };
    draw(&page)
}

/// Names a record that would change who may do what, and how.
fn power(change: &Change) -> String {
    let what = if change.outcome == "inserted" { "new" } else { "updated" };
    safe(&format!("{}/{}: {} ({what})", change.table, change.record, change.fields.join(", ")))
}

/// Says what a dry run of this analysis found.
fn dry_run(desk: &Desk, id: &str, operation: &str) -> Answer<String> {
    let operation = operations::get(&desk.app, operation)?;
    if operation.subject.as_deref() != Some(id) || operation.state != OperationState::Done {
        return Err(crate::server::Problem::not_found(words::DRY_RUN_OF_THIS_ANALYSIS, &operation.id));
    }
    let count = |name: &str| operation.result["counts"][name].as_u64().unwrap_or(0);
    let (inserted, updated, deleted) = (count("inserted"), count("updated"), count("deleted"));
    Ok(format!(
        words::phrase!(DRY_RUN_INSERTED_UPDATED_DELETED_READ_BACK),
        words::grouped(inserted),
        words::grouped(updated),
        words::grouped(deleted),
        words::UNCHANGED
    ))
}

/// Says what is known of the tables since the analysis, and why nothing is where the database can't be asked.
fn staleness(desk: &Desk, plan: &Plan) -> (String, Option<String>) {
    let current = targets::of(&desk.app, &plan.meta().database).and_then(|t| Ok(t.connect()?.schema()?));
    match current {
        Ok(schema) => {
            let same = plan.meta().tables.iter().all(|t| {
                let before = &plan.meta().schema.tables[t.table];
                schema.table(&before.label()).is_some_and(|now| schema.tables[now].digest() == before.digest())
            });
            let said = if same {
                words::THE_TABLES_ARE_AS_THEY_WERE_SEEN
            } else {
                words::THE_TABLES_CHANGED_SINCE_ANALYZE_AGAIN
            };
            (said.to_owned(), None)
        }
        Err(problem) => (words::NOT_KNOWN_NOW.to_owned(), Some(sentence(&safe(&problem.detail)))),
    }
}

/// Records that a merge has to have written before its pace says anything about another.
const ENOUGH: u64 = 500;

/// What was measured in this database before, by a dry run of the very analysis or by merges.
struct Measured {
    /// The dry run of the analysis as it is now.
    dry: Option<Operation>,
    /// Records a second, of the last merge that wrote enough of them.
    pace: Option<f64>,
}

impl Measured {
    fn of(desk: &Desk, analysis: &str, target: &str, total: &Preview) -> Answer<Self> {
        let now = [total.inserted, total.updated, total.deleted];
        let dry = operations::carried_out(&desk.app, Kind::DryRun, About::Analysis(analysis), 1)?;
        let merges = operations::carried_out(&desk.app, Kind::Merge, About::Target(target), 10)?;
        let pace = merges.iter().filter(|m| m.result["backup"].is_null()).find_map(|merge| {
            let count = merge.written().iter().sum::<u64>();
            let seconds = merge.took()?.as_secs_f64();
            (count >= ENOUGH && seconds > 0.0).then(|| count as f64 / seconds)
        });
        Ok(Self { dry: dry.into_iter().find(|dry| dry.written() == now), pace })
    }

    /// Says how long the merge takes, where anything is known of it.
    fn expected(&self, writes: u64) -> String {
        match (self.dry.as_ref().and_then(Operation::took), self.pace) {
            (Some(took), _) => format!(words::phrase!(AS_LONG_AS_ITS_DRY_RUN), words::lasting(took.as_secs_f64())),
            (None, Some(pace)) => format!(
                words::phrase!(AT_THE_PACE_OF_THE_LAST_MERGE),
                words::lasting(writes as f64 / pace),
                words::grouped(pace as u64)
            ),
            (None, None) => words::A_DRY_RUN_MEASURES_IT.to_owned(),
        }
    }

    /// Says which columns triggers change: what a dry run has seen.
    fn by_triggers(&self) -> String {
        let Some(dry) = &self.dry else { return words::A_DRY_RUN_FINDS_THEM.to_owned() };
        let notes = dry.notes();
        let columns: Vec<&str> = notes.iter().filter(|n| n.contains(BY_A_TRIGGER)).map(String::as_str).collect();
        match columns.is_empty() {
            true => words::NONE_AS_THE_DRY_RUN_SAW.to_owned(),
            false => safe(&columns.join("; ")),
        }
    }
}

fn checks(plan: &Plan, touched: &[usize], writes: u64, measured: &Measured) -> Vec<(&'static str, String)> {
    let tables: Vec<_> = touched.iter().map(|t| &plan.meta().schema.tables[*t]).collect();
    let count = |f: &dyn Fn(&crate::model::Table) -> usize| tables.iter().map(|t| f(t)).sum::<usize>() as u64;
    let triggers: Vec<String> = tables
        .iter()
        .flat_map(|t| t.triggers.iter().map(|trigger| safe(&format!("{} ({})", trigger.name, t.label()))))
        .collect();
    let counts = |t: &&&crate::model::Table| {
        t.columns.iter().any(|c| matches!(c.generated, Generated::Counter | Generated::IdentityAlways))
    };
    let counters: Vec<String> = tables.iter().filter(counts).map(|t| safe(&t.label())).collect();
    let fires = !triggers.is_empty();
    let mut lines = vec![
        (
            words::CONSTRAINTS,
            format!(
                words::phrase!(AND_ARE_CHECKED),
                words::plural(count(&|t| t.foreign_keys.len()), "reference"),
                words::plural(count(&|t| t.uniques.len()), words::UNIQUE_KEY),
                words::plural(count(&|t| t.checks.len()), "check")
            ),
        ),
        (
            words::TRIGGERS,
            if triggers.is_empty() { words::NONE_FIRE.to_owned() } else { format!("fire: {}", triggers.join(", ")) },
        ),
        (
            words::COUNTERS,
            match counters.is_empty() {
                true => words::NONE_TO_MOVE_NO_TABLE_THAT_IS.to_owned(),
                false => format!(words::phrase!(MOVE_ON_BEHIND_THE_HIGHEST_KEY_NEVER), counters.join(", ")),
            },
        ),
        (words::EXPECTED, measured.expected(writes)),
        (words::READING_BACK, words::EVERY_WRITTEN_RECORD_IS_READ_AGAIN_AND.to_owned()),
        (
            words::LOCK,
            match plan.meta().database.engine {
                Engine::Sqlite => words::ONE_WRITER_OTHER_WRITERS_WAIT_UNTIL_THE.to_owned(),
                _ => words::THE_WRITTEN_RECORDS_ONLY_READING_GOES_ON.to_owned(),
            },
        ),
        (words::WAY_BACK, words::WHAT_UNDO_NEEDS_IS_ON_DISK_BEFORE.to_owned()),
    ];
    if fires {
        lines.insert(2, (words::CHANGED_BY_TRIGGERS, measured.by_triggers()));
    }
    lines
}

/// Says where the backup goes that can be made before, and whether it is encrypted.
fn backup_first(desk: &Desk) -> Answer<String> {
    let place = safe(&backups::place(&desk.app));
    Ok(match keys::sealing(&desk.app)? {
        Some(_) => format!(words::phrase!(KEPT_IN_ENCRYPTED), place = place),
        None => format!(words::phrase!(KEPT_IN_NOT_ENCRYPTED), place = place),
    })
}
