//! Which current records changed since an analysis, found without writing: the merge's own check, rolled back.

use super::{Ending, Home, MergeOptions, OnBlocked, OnStale, Trust, merge};
use crate::database::{Database, WriteOptions};
use crate::error::{ErrorKind, Result};
use crate::plan::{Decision, Outcome, Plan, Selector};
use crate::progress::Progress;
use std::time::Duration;

/// Whoever only looks waits for nobody who writes: they are told that somebody does.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lists the records that changed, at most a hundred: `users/41: email`.
///
/// # Errors
/// As a merge.
pub fn find(plan: &Plan, database: &mut dyn Database, home: &Home, progress: &dyn Progress) -> Result<Vec<String>> {
    // What nobody decided yet is left out, in a copy of the plan.
    let folder = tempfile::tempdir_in(home.plans())?;
    let copy = folder.path().join("copy.mplan");
    std::fs::copy(plan.path(), &copy)?;
    let mut plan = Plan::open(&copy)?;
    plan.settle(progress)?;
    let selector = Selector { outcome: Some(Outcome::Undecided), ..Selector::default() };
    let undecided = plan.page(&selector, 0, usize::MAX)?.records;
    plan.together(|plan| undecided.iter().try_for_each(|r| plan.decide(r, Some(Decision::Skip), "", "")))?;
    let options = MergeOptions {
        ending: Ending::RollBack,
        on_stale: OnStale::Refuse,
        on_blocked: OnBlocked::Skip,
        trust: Trust::Anything,
        write: WriteOptions { lock_timeout: PATIENCE, ..WriteOptions::default() },
        ..MergeOptions::default()
    };
    match merge(&mut plan, database, home, &options, progress) {
        Ok(_) => Ok(Vec::new()),
        Err(error) if error.kind() == ErrorKind::PlanStale => Ok(error.detail_lines().to_vec()),
        Err(error) => Err(error),
    }
}
