//! `show --stale`: which current records changed since the analysis, found without writing.

use super::context::Context;
use super::output::Done;
use super::signals::Working;
use crate::error::Result;
use crate::executor::stale;
use crate::plan::Plan;
use crate::report::clean;
use crate::report::text::shown;
use serde_json::json;

pub(super) fn run(context: &Context<'_>, plan: &Plan) -> Result<Done> {
    let target = context.target_of(&plan.meta().database)?;
    let home = context.home()?;
    let mut database = target.connect(context.out)?;
    let _working = Working::begin();
    let secrets = context.secrets(Some(&target.settings))?;
    let mut stale = stale::find(plan, database.as_mut(), &home, context.out)?;
    stale.iter_mut().for_each(|line| *line = clean::line(plan, &secrets, line));
    for line in &stale {
        context.out.line(&format!("  {}", shown(line)));
    }
    context.out.line(&match stale.len() {
        0 => "Not stale: no record that a merge would write changed since the analysis.".to_owned(),
        count => format!("{count} current records changed since the analysis (at most 100 are listed)."),
    });
    Ok(Done::with(&json!({"stale": stale})))
}
