//! `analyze`: compares a backup with the current database and saves a plan.

use super::compare::{Compare, Deciding, Wanted, analyze};
use super::context::Context;
use super::output::Done;
use super::secret::KeyArgs;
use crate::error::{Result, fail};
use crate::executor::home::fresh_id;
use crate::plan::{Plan, Preview};
use crate::report::text::{Saved, summary};
use crate::report::{Analyzed, RecordView};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "Examples:
  merganser analyze backup.json --to sqlite:app.db
  merganser analyze backup.json --to prod -o friday.mplan --intent recover-deleted
  merganser analyze backup.json --only-tables users --where 'users: status = \"pending\"'
  merganser analyze --refresh p-9c41";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct AnalyzeArgs {
    /// The backup
    #[arg(required_unless_present = "refresh")]
    file: Option<PathBuf>,
    /// Where the plan is saved (default: the data folder)
    #[arg(short, long, value_name = "PLAN")]
    out: Option<PathBuf>,
    /// Analyze again as an earlier plan was made, and keep its decisions
    #[arg(long, value_name = "PLAN", conflicts_with = "file")]
    refresh: Option<String>,
    /// Exit 4 for differences, 5 for conflicts
    #[arg(long)]
    detailed_exitcode: bool,
    /// With --json: also a line for each record that is not unchanged
    #[arg(long)]
    records: bool,
    #[command(flatten)]
    deciding: Deciding,
    #[command(flatten)]
    compare: Compare,
}

pub(super) fn run(context: &Context<'_>, args: &AnalyzeArgs) -> Result<Done> {
    if args.out.as_deref() == Some(Path::new("-")) {
        return Err(
            fail!(Usage, "a plan can't be written to stdout: it is read in any order").hint("Give --out a file.")
        );
    }
    let (plan, preview, settings) = match &args.refresh {
        Some(name) => {
            let earlier = context.plan(name)?;
            let target = context.target_of(&earlier.meta().database)?;
            let (plan, preview, _) = refresh(context, &earlier, args.out.as_deref())?;
            (plan, preview, target.settings)
        }
        None => fresh(context, args)?,
    };
    let analyzed = Analyzed::of(&plan, preview);
    let secrets = context.secrets(Some(&settings))?;
    for table in &analyzed.tables {
        let mut event = json!(table);
        event["type"] = json!("table");
        context.out.event(&event);
    }
    if args.records && context.out.is_json() {
        let selector = crate::plan::Selector::default();
        plan.each(&selector, &mut |record| {
            context.out.event(&RecordView::of(&plan, &record, &secrets));
            Ok(())
        })?;
    }
    context.out.text(&summary(&analyzed, &plan, &secrets, Saved::Yes));
    let settled = crate::files::settle(plan.meta())?;
    super::files::say(context, &plan, &settled);
    let mut done = Done::with(&analyzed);
    if let Some(files) = super::files::as_json(&plan, &settled) {
        done.fields.insert("files".to_owned(), files);
    }
    done.fields.insert("changed".to_owned(), json!(false));
    Ok(done.exit(if args.detailed_exitcode { detailed(&analyzed) } else { 0 }))
}

fn detailed(analyzed: &Analyzed) -> u8 {
    let counts = &analyzed.counts;
    if counts.conflict > 0 {
        5
    } else if counts.new + counts.updated + counts.blocked + analyzed.preview.deleted > 0 {
        4
    } else {
        0
    }
}

fn fresh(context: &Context<'_>, args: &AnalyzeArgs) -> Result<(Plan, Preview, crate::config::Target)> {
    let file = args.file.as_deref().expect("required unless --refresh");
    let target = context.target()?;
    // A file that is not there is the likeliest mistake; it is told before the database is asked.
    must_exist(file)?;
    let read = args.compare.read.options(context);
    // A wrong key is told before anything else is done, too.
    crate::backup::unlock(file, &read.keys)?;
    let options = args.compare.options(&args.deciding, &target)?;
    let home = context.home()?;
    let id = fresh_id('p');
    if let Some(folder) = args.out.as_deref().and_then(Path::parent)
        && !folder.as_os_str().is_empty()
        && !folder.is_dir()
    {
        return Err(
            fail!(Usage, "--out: there is no folder {}", folder.display()).hint("Make it first, or choose another.")
        );
    }
    let out = args.out.clone().unwrap_or_else(|| home.plans().join(format!("{id}.mplan")));
    let configured = context.config()?.settings.strategy.clone();
    let strategy = args.deciding.name(args.compare.intent, configured.as_deref());
    let mut database = target.connect(context.out)?;
    let base = args.compare.base(context, &home, file, database.identity())?;
    let wanted = Wanted {
        backup: file,
        base: base.as_deref(),
        read,
        options,
        strategy: &strategy,
        table_strategies: args.deciding.tables()?,
        id,
        out: &out,
        files: args.compare.files.wanted(),
    };
    let (plan, preview) = analyze(context, &home, database.as_mut(), wanted)?;
    Ok((plan, preview, target.settings))
}

/// Fails for a backup that does not exist.
pub(super) fn must_exist(file: &Path) -> Result<()> {
    if file.exists() {
        return Ok(());
    }
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let near = std::fs::read_dir(folder).ok().and_then(|entries| {
        entries
            .filter_map(|e| e.ok().map(|e| e.file_name().to_string_lossy().into_owned()))
            .map(|n| (strsim::damerau_levenshtein(&n, &name), n))
            .filter(|(distance, _)| *distance <= 3)
            .min()
    });
    let error = fail!(BackupNotFound, "there is no backup {}", file.display());
    Err(match near {
        Some((_, near)) => error.hint(format!("Did you mean {}?", folder.join(near).display())),
        None => error.hint("Check the path; 'merganser backup list' shows kept backups."),
    })
}

/// Analyzes again as an earlier plan was made, and takes over its decisions; also returns what could not be taken over.
pub(super) fn refresh(
    context: &Context<'_>,
    earlier: &Plan,
    out: Option<&Path>,
) -> Result<(Plan, Preview, Vec<String>)> {
    let meta = earlier.meta();
    let Some(pin) = &meta.backup else {
        return Err(fail!(Usage, "the plan {} takes a merge back; make it again with 'merganser undo'", meta.id));
    };
    let home = context.home()?;
    let target = context.target_of(&meta.database)?;
    let mut database = target.connect(context.out)?;
    let id = fresh_id('p');
    let out = out.map_or_else(|| home.plans().join(format!("{id}.mplan")), Path::to_owned);
    let base = meta.base.as_ref().map(|b| PathBuf::from(&b.path));
    let wanted = Wanted {
        backup: Path::new(&pin.path),
        base: base.as_deref(),
        read: crate::backup::ReadOptions { keys: KeyArgs::default().keys(context), ..meta.read.options() },
        options: meta.options.clone(),
        strategy: "backup-wins",
        table_strategies: Vec::new(),
        id,
        out: &out,
        files: super::files::as_before(earlier),
    };
    let (mut plan, _) = analyze(context, &home, database.as_mut(), wanted)?;
    let key = home.key()?;
    // The strategies are the earlier plan's own texts: their files may have changed or gone since.
    let (strategy, tables) = (meta.strategy.clone(), meta.table_strategies.clone());
    plan.update_meta(&key, |m| (m.strategy, m.table_strategies) = (strategy, tables))?;
    let (taken, left) = plan.adopt(earlier)?;
    let (preview, _) = plan.settle(context.out)?;
    plan.write_seal(&key)?;
    if taken > 0 || !left.is_empty() {
        let kept = crate::report::text::plural(taken, "decision");
        context.out.chat(&format!("Kept {kept} of {}; not kept: {}.", meta.id, left.len()));
    }
    left.iter().take(20).for_each(|line| context.out.warning(line));
    Ok((plan, preview, left))
}
