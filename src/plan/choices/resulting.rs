//! The record that a choice would make, and whether its unique keys are another's.

use super::{Choice, undeletion};
use crate::analyzer::{Mix, Mixed};
use crate::error::Result;
use crate::plan::Plan;
use crate::plan::decision::Decision;
use crate::plan::identity;
use crate::plan::settle::{Settled, Strategies, settle};
use crate::plan::store::Stored;

/// Says which unique key of the resulting record a current one keeps, whatever is answered to others.
pub(super) fn held_for_good(plan: &Plan, record: &Stored, choice: Choice) -> Option<String> {
    if !is_near_others(record, choice) {
        return None;
    }
    // What can't be read of the plan is told by whoever settles it.
    let settled = resulting(plan, plan.strategies().ok()?, record, choice).ok()??;
    plan.in_the_way_for_good(record, &settled).ok()?
}

/// Says which unique key of the resulting record is another's under the answers as they are.
///
/// # Errors
/// `PlanMismatch` for a damaged plan.
pub(super) fn held_for_now(plan: &Plan, record: &Stored, choice: Choice) -> Result<Option<String>> {
    let limits = &record.finding.limits;
    if !is_near_others(record, choice) && limits.rivals.is_empty() && limits.turned.is_empty() {
        return Ok(None);
    }
    let strategies = plan.strategies()?;
    match resulting(plan, strategies, record, choice)? {
        Some(settled) => plan.in_the_way(record.finding.table, strategies, record, &settled),
        None => Ok(None),
    }
}

/// Tells whether another current record may have a unique key of what a choice would make.
fn is_near_others(record: &Stored, choice: Choice) -> bool {
    let limits = &record.finding.limits;
    let own = limits.identity.as_ref().map(|i| &i.key_bytes).filter(|_| choice == Choice::IntoExisting);
    let held = |mix: &Mix| matches!(mix.what, Mixed::Held(_));
    limits.holders.iter().any(|h| Some(&h.key_bytes) != own) || limits.mixes.iter().any(held)
}

/// Returns what would be written, where the choice takes the backup's values.
fn resulting(plan: &Plan, strategies: &Strategies, record: &Stored, choice: Choice) -> Result<Option<Settled>> {
    let decision = match choice {
        Choice::Backup => Some(Decision::Backup),
        Choice::Undelete => undeletion(plan, record),
        Choice::IntoExisting => {
            let table = &plan.meta().schema.tables[record.finding.table];
            return Ok(Some(identity::into_existing(plan, strategies.of_table(table), record)));
        }
        Choice::NewKey => return Ok(identity::under_another_key(plan, strategies, record)),
        Choice::Current | Choice::Fields | Choice::Skip => None,
    };
    let Some(decision) = decision else { return Ok(None) };
    let settled = settle(plan, strategies, &Stored { decision: Some(decision), ..record.clone() })?;
    Ok(Some(settled).filter(|s| s.outcome.writes()))
}
