//! `show --stale`: which current records changed since the analysis, found without writing.

use super::context::Context;
use super::output::Done;
use super::signals::Working;
use crate::error::{ErrorKind, Result};
use crate::executor::{Ending, MergeOptions, OnBlocked, OnStale, Trust, merge};
use crate::plan::{Decision, Outcome, Plan, Selector};
use crate::report::text::shown;
use serde_json::json;

pub(super) fn run(context: &Context<'_>, plan: &Plan) -> Result<Done> {
    let target = context.target_of(&plan.meta().database)?;
    let home = context.home()?;
    let mut database = target.connect(context.out)?;
    // The check is the merge's own, rolled back; what nobody decided yet is left out in a copy of the plan.
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("copy.mplan");
    std::fs::copy(plan.path(), &copy)?;
    let mut plan = Plan::open(&copy)?;
    plan.settle(context.out)?;
    let selector = Selector { outcome: Some(Outcome::Undecided), ..Selector::default() };
    let undecided = plan.page(&selector, 0, usize::MAX)?.records;
    plan.together(|plan| undecided.iter().try_for_each(|r| plan.decide(r, Some(Decision::Skip), "", "")))?;
    let options = MergeOptions {
        ending: Ending::RollBack,
        on_stale: OnStale::Refuse,
        on_blocked: OnBlocked::Skip,
        trust: Trust::Anything,
        ..MergeOptions::default()
    };
    let _working = Working::begin();
    let stale = match merge(&mut plan, database.as_mut(), &home, &options, context.out) {
        Ok(_) => Vec::new(),
        Err(error) if error.kind() == ErrorKind::PlanStale => error.detail_lines().to_vec(),
        Err(error) => return Err(error),
    };
    for line in &stale {
        context.out.line(&format!("  {}", shown(line)));
    }
    context.out.line(&match stale.len() {
        0 => "Not stale: no record that a merge would write changed since the analysis.".to_owned(),
        count => format!("{count} current records changed since the analysis (at most 100 are listed)."),
    });
    Ok(Done::with(&json!({"stale": stale})))
}
