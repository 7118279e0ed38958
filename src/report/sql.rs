//! Review SQL: what a merge amounts to, for people to read. merganser itself never executes it.

use super::Secrets;
use crate::error::Result;
use crate::plan::Plan;

/// Writes the statements of a plan.
///
/// # Errors
/// `PlanMismatch` for a damaged plan.
pub fn review(_plan: &Plan, _secrets: &Secrets) -> Result<String> {
    Ok(String::new())
}
