//! `status`: is the target reachable, is a merge running, how did an unfinished one end; which plans wait.

use super::context::{Context, Target};
use super::output::Done;
use crate::error::Result;
use crate::executor::{Receipt, State, receipt, recover};
use crate::plan::Plan;
use crate::report::text::{aligned, shown};
use clap::Args;
use serde_json::{Value as Json, json};

const EXAMPLES: &str = "Examples:
  merganser status
  merganser status --to prod --json
  merganser status --settle m-9c41=committed";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct StatusArgs {
    /// Say how a merge ended whose end the records don't tell: committed or rolled-back
    #[arg(long, value_name = "MERGE=END", value_parser = ended)]
    settle: Option<(String, State)>,
    /// The name of a protected target
    #[arg(long, value_name = "NAME", requires = "settle")]
    confirm: Option<String>,
}

fn ended(text: &str) -> std::result::Result<(String, State), String> {
    match text.split_once('=') {
        Some((merge, "committed")) if !merge.is_empty() => Ok((merge.to_owned(), State::Committed)),
        Some((merge, "rolled-back")) if !merge.is_empty() => Ok((merge.to_owned(), State::RolledBack)),
        _ => Err("write MERGE=committed or MERGE=rolled-back".to_owned()),
    }
}

/// Notes what a person found out about a merge whose end the records don't tell.
fn settle(context: &Context<'_>, merge: &str, state: State, confirm: Option<&str>) -> Result<Done> {
    let home = context.home()?;
    let path = super::context::listed_in(home.receipt_path(merge), "log")?;
    let meta = Receipt::open(&path)?.meta().clone();
    let target = context.target_of(&meta.database)?;
    let end = if state == State::Committed { "committed" } else { "not committed" };
    let question = format!(
        "Note that {} on {} was {end}? Look at its records first: undo and later merges believe it.",
        meta.id, meta.database.display
    );
    context.confirm(&target, &question, confirm)?;
    let mut database = target.connect(context.out)?;
    let settled = recover::declare(&home, database.as_mut(), &meta.id, state, &context.actor())?;
    context.out.line(&format!("{} is settled: it was {end}.", settled.id));
    settled.lines.iter().for_each(|line| context.out.line(&format!("    {}", shown(line))));
    Ok(Done::with(&json!({"settled": [settled], "target": database.identity().display})))
}

pub(super) fn run(context: &Context<'_>, args: &StatusArgs) -> Result<Done> {
    if let Some((merge, state)) = &args.settle {
        return settle(context, merge, *state, args.confirm.as_deref());
    }
    let out = context.out;
    let home = context.home()?;
    out.line(&format!("Data folder  {}", home.root().display()));
    let (receipts, unreadable) = receipt::list(&home)?;
    unreadable.iter().for_each(|line| out.warning(line));
    let mut targets: Vec<Target> = Vec::new();
    match context.target() {
        Ok(target) => targets.push(target),
        Err(error) if context.global.to.is_some() => return Err(error),
        Err(_) => {
            let mut ids: Vec<String> = Vec::new();
            for open in receipts.iter().filter(|r| matches!(r.state, State::Intent | State::Unknown)) {
                if !ids.contains(&open.database.id) {
                    ids.push(open.database.id.clone());
                    targets.push(context.target_of(&open.database)?);
                }
            }
        }
    }
    let mut reports = Vec::new();
    let mut unknown = false;
    for target in &targets {
        let mut database = target.connect(out).map_err(|error| {
            let open = receipts.iter().filter(|r| matches!(r.state, State::Intent | State::Unknown));
            let lines: Vec<String> = open
                .map(|r| {
                    format!("{} on {}: its end stays unknown until the target can be asked", r.id, r.database.display)
                })
                .collect();
            if lines.is_empty() { error } else { error.details(lines) }
        })?;
        let display = database.identity().display.clone();
        let (settled, holder) = recover::status(&home, database.as_mut())?;
        out.line(&format!("Current      {} reachable", shown(&display)));
        out.line(&format!("Lock         {}", holder.as_deref().map_or("free".to_owned(), |h| format!("held by {h}"))));
        for one in &settled {
            unknown |= one.state == State::Unknown;
            let found = match one.state {
                State::Committed => "was committed: its records are there",
                State::RolledBack => "was not committed: nothing of it is there",
                State::Intent | State::Unknown => "can't be told from the records: look at them",
            };
            out.line(&format!("Unfinished   {} {found}", one.id));
            one.lines.iter().for_each(|line| out.line(&format!("    {}", shown(line))));
            if one.state == State::Unknown {
                out.line(&format!(
                    "    When you know, say it: merganser status --settle {}=committed, or =rolled-back",
                    one.id
                ));
            }
        }
        let vanished = if holder.is_none() { recover::vanished(&home, database.as_mut())? } else { None };
        if let Some(gone) = &vanished {
            out.warning(&format!(
                "{} was committed at {}, and nothing of it is there any more: all its records are as before. The database was put back from an older copy, or another server took over that had not heard of it. Analyze the backup again to merge it once more.",
                gone.id,
                gone.committed_at.as_deref().unwrap_or(&gone.started_at)
            ));
        }
        reports.push(json!({
            "target": display, "reachable": true, "lock": holder, "settled": settled,
            "vanished": vanished.map(|gone| gone.id),
        }));
    }
    let finished = crate::files::recover(&home)?;
    if finished > 0 {
        out.line(&format!("Unfinished   the files of {finished} merges were put in their places"));
    }
    let plans = plans(context, &home)?;
    let last = receipts.iter().find(|r| r.state == State::Committed);
    if let Some(last) = last {
        out.line(&format!("Last         {} at {} on {}", last.id, last.started_at, shown(&last.database.display)));
    }
    let done = Done::with(&json!({
        "data_dir": home.root(), "targets": reports, "plans": plans,
        "last": last.map(|l| &l.id), "unreadable": unreadable,
    }));
    Ok(if unknown { done.exit(23) } else { done })
}

fn plans(context: &Context<'_>, home: &crate::executor::Home) -> Result<Vec<Json>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(home.plans())? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "mplan")
            && let Ok(plan) = Plan::open(&path)
        {
            let meta = plan.meta().clone();
            found.push((meta.created_at, meta.id, meta.database.display, meta.expires_at, path));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    if !found.is_empty() {
        let rows: Vec<Vec<String>> =
            found.iter().take(20).map(|p| vec![p.1.clone(), p.0.clone(), p.2.clone(), p.3.clone()]).collect();
        context.out.line("Plans");
        context.out.text(&aligned(&["id", "made", "for", "expires"], &rows, 4));
    }
    Ok(found
        .into_iter()
        .map(|(made, id, target, expires, path)| {
            json!({"id": id, "created_at": made, "target": target, "expires_at": expires, "path": path})
        })
        .collect())
}
