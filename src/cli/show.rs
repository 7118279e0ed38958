//! `show`: looks into a plan, without a database.

use super::context::Context;
use super::output::{Done, Shape};
use crate::analyzer::filter;
use crate::error::{Result, fail};
use crate::model::change::Class;
use crate::plan::{Plan, Selector};
use crate::report::text::{self, Saved, summary};
use crate::report::{Analyzed, RecordView, Secrets, html, sql};
use clap::{Args, ValueEnum};
use serde_json::json;

const EXAMPLES: &str = "Examples:
  merganser show p-9c41
  merganser show p-9c41 conflicts --table users --limit 50
  merganser show p-9c41 record users/41
  merganser show p-9c41 records --json
  merganser show p-9c41 --html > report.html";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Counts per table, what needs a person.
    Summary,
    /// Records that are not unchanged.
    Records,
    /// Conflicts.
    Conflicts,
    /// One record, field by field.
    Record,
    /// Conflicts grouped by reason and fields.
    Patterns,
    /// Tables with their counts.
    Tables,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ShowArgs {
    /// The plan: an id, its beginning, or a file
    plan: String,
    /// What to show
    #[arg(value_enum, default_value = "summary")]
    what: What,
    /// The record: TABLE/KEY or its id
    name: Option<String>,
    /// Only this table
    #[arg(long)]
    table: Option<String>,
    /// Only this class (may be repeated)
    #[arg(long, value_name = "CLASS", value_delimiter = ',')]
    class: Vec<String>,
    /// Only records with this outcome
    #[arg(long)]
    outcome: Option<String>,
    /// Only records that meet a condition: 'users: status = "pending"'
    #[arg(long = "where", value_name = "TABLE: CONDITION")]
    condition: Option<String>,
    /// At most so many records (default: 50; with --json all)
    #[arg(long)]
    limit: Option<usize>,
    /// Start after this record number, as the page before said
    #[arg(long, default_value_t = 0)]
    after: i64,
    /// The statements a merge would amount to, for review only
    #[arg(long, conflicts_with_all = ["html", "stale"])]
    sql: bool,
    /// A report as one HTML file
    #[arg(long, conflicts_with = "stale")]
    html: bool,
    /// Which current records changed since the analysis
    #[arg(long)]
    stale: bool,
}

impl ShowArgs {
    pub(super) fn shape(&self) -> Shape {
        match self.what {
            What::Records | What::Conflicts => Shape::Lines,
            _ => Shape::Document,
        }
    }
}

pub(super) fn run(context: &Context<'_>, args: &ShowArgs) -> Result<Done> {
    let mut plan = context.plan(&args.plan)?;
    let secrets = context.secrets(None)?;
    if args.stale {
        return super::stale::run(context, &plan);
    }
    if args.html || args.sql {
        let (preview, _) = plan.settle(context.out)?;
        let analyzed = Analyzed::of(&plan, preview);
        let document = if args.html { html::plan(&analyzed, &plan, &secrets)? } else { sql::review(&plan, &secrets)? };
        if context.out.is_json() {
            return Ok(Done::with(&json!({"document": document})));
        }
        context.out.raw(&document);
        return Ok(Done::default());
    }
    if plan.is_unsettled()? {
        // Whoever answered last was stopped before the outcomes followed.
        plan.settle(context.out)?;
    }
    match args.what {
        What::Summary | What::Tables => {
            let (preview, _) = plan.settle(context.out)?;
            let analyzed = Analyzed::of(&plan, preview);
            context.out.text(&summary(&analyzed, &plan, &secrets, Saved::No));
            Ok(Done::with(&analyzed))
        }
        What::Records | What::Conflicts => records(context, args, &plan, &secrets),
        What::Record => {
            let name = args.name.as_deref().or(args.table.as_deref()).ok_or_else(|| {
                fail!(Usage, "which record?").hint(format!("merganser show {} record TABLE/KEY", args.plan))
            })?;
            let record = plan.record(name)?;
            let view = RecordView::of(&plan, &record, &secrets).with_consequences(&plan, &record, &secrets)?;
            let choices = text::choices(&view.choices);
            context.out.text(&format!("{}{choices}", text::record(&plan, &record, &secrets)));
            Ok(Done::with(&json!({"record": view})))
        }
        What::Patterns => {
            let table = args.table.as_deref().map(|t| plan.table(t)).transpose()?;
            let patterns = plan.patterns(table)?;
            for (pattern, count) in &patterns {
                context.out.line(&format!("{count:>8}  {}", text::shown(pattern)));
            }
            let list: Vec<_> = patterns.iter().map(|(p, n)| json!({"pattern": p, "records": n})).collect();
            Ok(Done::with(&json!({"patterns": list})))
        }
    }
}

/// Reads which records are meant.
pub(super) fn selector(
    plan: &Plan,
    table: Option<&str>,
    classes: &[String],
    condition: Option<&str>,
) -> Result<Selector> {
    let mut selector = Selector { table: table.map(|t| plan.table(t)).transpose()?, ..Selector::default() };
    for word in classes {
        let class = Class::from_word(&word.replace('-', "_")).ok_or_else(|| {
            fail!(Usage, "there is no class {word:?}")
                .hint("Classes are new, updated, conflict, unchanged, blocked, excluded and current_only.")
        })?;
        selector.classes.push(class);
    }
    if let Some(text) = condition {
        let (name, condition) = filter::split(text)?;
        let position = plan.table(name)?;
        if selector.table.is_some_and(|t| t != position) {
            return Err(fail!(Usage, "--table and --where name different tables"));
        }
        selector.table = Some(position);
        selector.filter = Some(filter::Filter::parse(&plan.meta().schema.tables[position], condition)?);
    }
    Ok(selector)
}

fn records(context: &Context<'_>, args: &ShowArgs, plan: &Plan, secrets: &Secrets) -> Result<Done> {
    let mut selector = selector(plan, args.table.as_deref(), &args.class, args.condition.as_deref())?;
    if args.what == What::Conflicts {
        selector.classes = vec![Class::Conflict];
    } else if selector.classes.is_empty() {
        // Unchanged records are not in a plan; excluded ones are only kept for their children.
        selector.classes = text::LISTED.to_vec();
    }
    if let Some(word) = &args.outcome {
        let outcome = crate::plan::Outcome::from_word(word).ok_or_else(|| {
            fail!(Usage, "there is no outcome {word:?}").hint(
                "Outcomes are inserted, updated, deleted, kept_newer, kept, skipped, undecided, blocked and stale.",
            )
        })?;
        selector.outcome = Some(outcome);
    }
    let limit = args.limit.unwrap_or(if context.out.is_json() { usize::MAX } else { 50 });
    let (mut shown, mut after, mut next) = (0, args.after, None);
    while shown < limit {
        let page = plan.page(&selector, after, 500.min(limit - shown))?;
        for record in &page.records {
            if context.out.is_json() {
                context.out.event(&RecordView::of(plan, record, secrets));
            } else {
                context.out.text(&text::record(plan, record, secrets));
            }
        }
        shown += page.records.len();
        next = page.next;
        match page.next {
            Some(position) => after = position,
            None => break,
        }
    }
    // The last page may have ended exactly with the last record.
    let more = match next {
        Some(position) => !plan.page(&selector, position, 1)?.records.is_empty(),
        None => false,
    };
    if shown == 0 {
        context.out.line("No such records.");
    } else if more {
        context.out.line(&format!("… there are more: add --after {after}, or a larger --limit"));
    }
    Ok(Done::with(&json!({"records": shown, "next": more.then_some(after)})))
}
