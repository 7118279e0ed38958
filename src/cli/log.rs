//! `log`: what was done, by whom, when; and whether the log is as it was written.

use super::context::Context;
use super::output::Done;
use crate::error::Result;
use crate::executor::{Receipt, audit};
use crate::report::text::{aligned, place, plural, shown};
use crate::report::{html, view};
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

const EXAMPLES: &str = "Examples:
  merganser log --limit 20
  merganser log show m-9c41
  merganser log verify";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct LogArgs {
    /// At most so many entries, the newest first
    #[arg(long, default_value_t = 50)]
    limit: usize,
    #[command(subcommand)]
    command: Option<LogCommand>,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// One merge: who, when, what was written
    Show {
        /// The merge's id, or the beginning of it
        id: String,
        /// As one HTML file
        #[arg(long)]
        html: bool,
    },
    /// Check that no entry was changed, removed or reordered
    Verify,
}

pub(super) fn run(context: &Context<'_>, args: &LogArgs) -> Result<Done> {
    match &args.command {
        None => list(context, args.limit),
        Some(LogCommand::Show { id, html }) => show(context, id, *html),
        Some(LogCommand::Verify) => {
            let entries = audit::verify(&context.home()?)?;
            context.out.line(&format!(
                "The log is as it was written: {}.",
                if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") }
            ));
            Ok(Done::with(&json!({"entries": entries, "valid": true})))
        }
    }
}

fn list(context: &Context<'_>, limit: usize) -> Result<Done> {
    let mut entries = audit::read(&context.home()?)?;
    entries.reverse();
    entries.truncate(limit);
    let (receipts, _) = crate::executor::receipt::list(&context.home()?)?;
    let on = |e: &audit::Entry| {
        receipts.iter().find(|r| r.id == e.merge).map_or_else(|| e.database.clone(), |r| place(&r.database))
    };
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|e| {
            let counts = format!("+{} ~{} -{}", e.counts.inserted, e.counts.updated, e.counts.deleted);
            let note = e.note.clone().unwrap_or_default();
            vec![e.time.clone(), e.event.clone(), e.merge.clone(), counts, e.actor.clone(), on(e), note]
        })
        .collect();
    if rows.is_empty() {
        context.out.line("Nothing was done yet.");
    } else {
        context.out.text(&aligned(&["time", "event", "id", "records", "who", "database", "note"], &rows, 7));
    }
    Ok(Done::with(&json!({"entries": entries})))
}

fn show(context: &Context<'_>, id: &str, as_html: bool) -> Result<Done> {
    let receipt = Receipt::open(&super::context::listed_in(context.home()?.receipt_path(id), "log")?)?;
    let meta = receipt.meta().clone();
    let secrets = context.secrets(None)?;
    let written = view::written(&receipt, &secrets)?;
    if as_html {
        let document = html::receipt(&meta, &written);
        if context.out.is_json() {
            return Ok(Done::with(&json!({"document": document})));
        }
        context.out.raw(&document);
        return Ok(Done::default());
    }
    let out = context.out;
    out.line(&format!("{}  {:?}", meta.id, meta.state));
    out.line(&format!("  started   {}", meta.started_at));
    out.line(&format!("  committed {}", meta.committed_at.as_deref().unwrap_or("–")));
    out.line(&format!("  by        {}", shown(&meta.actor)));
    out.line(&format!("  on        {}", shown(&place(&meta.database))));
    if let Some((path, _)) = &meta.backup {
        out.line(&format!("  backup    {}", shown(path)));
    }
    if let Some(note) = &meta.note {
        out.line(&format!("  note      {}", shown(note)));
    }
    let c = meta.counts;
    out.line(&format!("  wrote     {} inserted, {} updated, {} deleted", c.inserted, c.updated, c.deleted));
    for (table, lines) in &written {
        out.line(&format!("  {}: {}", shown(table), plural(lines.len() as u64, "record")));
        let most = if out.verbose > 0 { usize::MAX } else { 20 };
        lines.iter().take(most).for_each(|line| out.line(&format!("    {}", shown(line))));
        if lines.len() > most {
            out.line("    … (-v lists all)");
        }
    }
    let tables: Vec<Json> = written.iter().map(|(t, lines)| json!({"name": t, "records": lines})).collect();
    Ok(Done::with(&json!({
        "merge": meta.id, "state": meta.state, "kind": meta.kind, "plan": meta.plan, "started_at": meta.started_at,
        "committed_at": meta.committed_at, "actor": meta.actor, "note": meta.note, "target": meta.database.display,
        "backup": meta.backup.as_ref().map(|b| &b.0), "counts": meta.counts, "tables": tables,
        "receipt": receipt.path(),
    })))
}
