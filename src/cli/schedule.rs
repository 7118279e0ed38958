//! `schedule`: backups on a timetable, run by `merganser serve`, or by `schedule run` from cron or a systemd timer.

use super::backup::FormatArg;
use super::context::Context;
use super::output::Done;
use super::signals::Working;
use crate::error::{Result, fail};
use crate::report::text::{aligned, plural, shown};
use crate::schedule::{self, Kept, Kept6, Opened, Ran, Runner, Schedule, metrics, store};
use chrono::Utc;
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:
  merganser schedule add nightly --cron '15 2 * * *' --to prod --keep-daily 14 --encrypt
  merganser schedule next
  merganser schedule run --metrics-textfile /var/lib/node_exporter/merganser.prom";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ScheduleArgs {
    #[command(subcommand)]
    command: ScheduleCommand,
}

#[derive(Debug, Subcommand)]
enum ScheduleCommand {
    /// Add a schedule
    #[command(after_help = EXAMPLES)]
    Add(Box<AddArgs>),
    /// List the schedules and how their last runs ended
    #[command(after_help = EXAMPLES)]
    List,
    /// Remove a schedule; its backups stay
    #[command(after_help = EXAMPLES)]
    Rm {
        /// Its name
        name: String,
    },
    /// Run what is due, or one schedule now
    #[command(after_help = EXAMPLES)]
    Run {
        /// This one, whether it is due or not
        name: Option<String>,
        /// Also write metrics for Prometheus to this file
        #[arg(long, value_name = "FILE")]
        metrics_textfile: Option<PathBuf>,
    },
    /// Show when schedules are due next
    #[command(after_help = EXAMPLES)]
    Next {
        /// Only this one
        name: Option<String>,
        /// So many times of each
        #[arg(short = 'n', long, default_value_t = 3)]
        count: usize,
    },
}

#[derive(Debug, Args)]
struct AddArgs {
    /// Its name
    name: String,
    /// When: minute, hour, day of month, month, day of week
    #[arg(long, value_name = "EXPRESSION")]
    cron: String,
    /// The time zone of these times
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
    /// Only these tables
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    only_tables: Vec<String>,
    /// Not these tables
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    skip_tables: Vec<String>,
    /// The format of its backups
    #[arg(long, value_enum, default_value_t)]
    format: FormatArg,
    /// Also the files below a folder, with rayerp its uploads/ and public-uploads/, with baluhost all
    #[arg(long, value_name = "FOLDER")]
    files: Option<PathBuf>,
    /// Tag of its backups (may be repeated)
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Encrypt with age: to the recipients of the configuration, else to your keys
    #[arg(long)]
    encrypt: bool,
    /// Encrypt to this recipient: age1… (may be repeated)
    #[arg(long, value_name = "RECIPIENT")]
    encrypt_to: Vec<String>,
    /// Encrypt with the passphrase in this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["encrypt", "encrypt_to"])]
    passphrase_file: Option<PathBuf>,
    /// Keep its backups elsewhere: s3://…, az://…, gs://…, file:///…
    #[arg(long, value_name = "URL")]
    storage: Option<String>,
    /// Keep the newest N of its backups
    #[arg(long, value_name = "N")]
    keep_last: Option<u32>,
    /// Keep the newest of each of N hours
    #[arg(long, value_name = "N")]
    keep_hourly: Option<u32>,
    /// Keep the newest of each of N days
    #[arg(long, value_name = "N")]
    keep_daily: Option<u32>,
    /// Keep the newest of each of N weeks
    #[arg(long, value_name = "N")]
    keep_weekly: Option<u32>,
    /// Keep the newest of each of N months
    #[arg(long, value_name = "N")]
    keep_monthly: Option<u32>,
    /// Keep the newest of each of N years
    #[arg(long, value_name = "N")]
    keep_yearly: Option<u32>,
}

pub(super) fn run(context: &Context<'_>, args: &ScheduleArgs) -> Result<Done> {
    match &args.command {
        ScheduleCommand::Add(args) => add(context, args),
        ScheduleCommand::List => list(context),
        ScheduleCommand::Rm { name } => {
            store::remove(&context.home()?, name)?;
            context.out.line(&format!("Schedule {name} removed; its backups stay."));
            Ok(Done::with(&json!({"removed": name, "changed": false})))
        }
        ScheduleCommand::Run { name, metrics_textfile } => {
            let ended = perform(context, name.as_deref());
            if let Some(path) = metrics_textfile {
                // Metrics are wanted most where a run failed.
                metrics::write(&context.home()?, Utc::now(), path)?;
            }
            ended
        }
        ScheduleCommand::Next { name, count } => next(context, name.as_deref(), *count),
    }
}

fn add(context: &Context<'_>, args: &AddArgs) -> Result<Done> {
    let target = context.target()?;
    let secret = url::Url::parse(&target.url).is_ok_and(|url| url.password().is_some());
    let name = match &target.name {
        Some(name) => name.clone(),
        None if secret => {
            return Err(fail!(Usage, "the target's URL holds a password, which a schedule does not keep")
                .hint("Add [targets.NAME] with url_file to the configuration, and give --to NAME."));
        }
        None => target.url.clone(),
    };
    let configured = &context.config()?.settings.backup.encrypt_to;
    let encrypt_to = match (&args.encrypt_to, args.passphrase_file.is_some()) {
        (given, _) if !given.is_empty() => given.clone(),
        (_, true) => Vec::new(),
        _ if !configured.is_empty() => configured.clone(),
        _ if args.encrypt => super::key::own_recipients(context)?,
        _ => Vec::new(),
    };
    if args.encrypt && encrypt_to.is_empty() {
        return Err(fail!(Usage, "there is no key to encrypt to").hint("Make one with 'merganser key generate'."));
    }
    if !encrypt_to.is_empty() {
        crate::backup::Sealing::to_recipients(&encrypt_to)?;
    }
    let storage = args.storage.clone().or_else(|| context.config().ok()?.settings.backup.storage.clone());
    if let Some(url) = &storage {
        crate::catalog::storage::Storage::open(url)?;
    }
    let schedule = Schedule {
        name: args.name.clone(),
        cron: args.cron.clone(),
        time_zone: args.time_zone.clone(),
        target: name,
        only_tables: args.only_tables.clone(),
        skip_tables: args.skip_tables.clone(),
        format: args.format.into(),
        files: args.files.as_deref().map(std::path::absolute).transpose()?,
        tags: args.tag.clone(),
        encrypt_to,
        passphrase_file: args.passphrase_file.as_deref().map(std::path::absolute).transpose()?,
        storage,
        keep: Kept6 {
            last: args.keep_last,
            hourly: args.keep_hourly,
            daily: args.keep_daily,
            weekly: args.keep_weekly,
            monthly: args.keep_monthly,
            yearly: args.keep_yearly,
        },
        created_at: Utc::now(),
    };
    schedule.check_format()?;
    if let Some(folder) = schedule.files.as_deref().filter(|folder| !folder.is_dir()) {
        return Err(fail!(Usage, "--files: there is no folder {}", folder.display()));
    }
    let clock = schedule.clock()?;
    let Some(first) = clock.after(schedule.created_at) else {
        return Err(fail!(Usage, "{:?} never comes", args.cron).hint("Look at the day and the month."));
    };
    let home = context.home()?;
    store::add(&home, &Kept::new(schedule))?;
    context.out.line(&format!("Schedule {}: {}", args.name, clock.words()));
    context.out.line(&format!("First run: {}", clock.shown(first)));
    context.out.chat(
        "It runs under 'merganser serve', or whenever 'merganser schedule run' is called (packaging/ has a timer).",
    );
    Ok(Done::with(&json!({"schedule": args.name, "next": first, "changed": false})))
}

fn list(context: &Context<'_>) -> Result<Done> {
    let now = Utc::now();
    let (mut rows, mut list) = (Vec::new(), Vec::new());
    for kept in store::list(&context.home()?)? {
        let next = kept.next(now)?;
        let (schedule, state) = (&kept.schedule, &kept.state);
        let clock = schedule.clock()?;
        let last = match (&state.last_error, state.last_run_at) {
            (Some(error), Some(at)) => format!("FAILED {}: {}", clock.shown(at), shown(error)),
            (None, Some(at)) => format!("done {}", clock.shown(at)),
            (_, None) => "never ran".to_owned(),
        };
        let next_shown = next.map_or_else(|| "never".to_owned(), |at| clock.shown(at));
        rows.push(vec![schedule.name.clone(), shown(&schedule.target).clone(), clock.words(), next_shown, last]);
        list.push(json!({"schedule": schedule, "state": state, "next": next, "overdue": kept.is_overdue(now)}));
    }
    match rows.is_empty() {
        true => context.out.line("No schedules. Add one with 'merganser schedule add'."),
        false => context.out.text(&aligned(&["name", "target", "when", "next", "last run"], &rows, 5)),
    }
    Ok(Done::with(&json!({"schedules": list})))
}

fn next(context: &Context<'_>, name: Option<&str>, count: usize) -> Result<Done> {
    let home = context.home()?;
    let found = match name {
        Some(name) => vec![store::find(&home, name)?],
        None => store::list(&home)?,
    };
    let now = Utc::now();
    let mut times = Vec::new();
    for kept in &found {
        let clock = kept.schedule.clock()?;
        let mut at = kept.next(now)?;
        for _ in 0..count {
            let Some(time) = at else { break };
            times.push((time, kept.schedule.name.clone(), clock.shown(time)));
            at = clock.after(time.max(now));
        }
    }
    times.sort();
    let rows: Vec<Vec<String>> = times.iter().map(|(_, name, shown)| vec![shown.clone(), name.clone()]).collect();
    match rows.is_empty() {
        true => context.out.line("Nothing is due."),
        false => context.out.text(&aligned(&["when", "schedule"], &rows, 2)),
    }
    let list: Vec<Json> = times.iter().map(|(at, name, _)| json!({"at": at, "schedule": name})).collect();
    Ok(Done::with(&json!({"next": list})))
}

fn perform(context: &Context<'_>, name: Option<&str>) -> Result<Done> {
    let home = context.home()?;
    let open = |name: &str| -> Result<Opened> {
        let target = context.target_named(name)?;
        Ok((target.connect(context.out)?, target.settings.columns.rules()))
    };
    let runner = Runner { open: &open, hooks: &context.config()?.settings.hooks };
    let working = Working::begin();
    let ran = match name {
        Some(name) => vec![schedule::run_now(&home, name, Utc::now(), &runner, context.out)?],
        None => schedule::tick(&home, Utc::now(), &runner, context.out)?,
    };
    drop(working);
    let mut failed = Vec::new();
    let mut runs = Vec::new();
    for Ran { event, error, notes } in ran {
        runs.push(json!(event));
        context.out.line(&shown(&event.line()));
        notes.iter().for_each(|note| context.out.warning(note));
        failed.extend(error);
    }
    if runs.is_empty() {
        context.out.line("Nothing is due.");
    }
    let count = failed.len() as u64;
    match failed.into_iter().next() {
        None => Ok(Done::with(&json!({"runs": runs, "changed": false}))),
        Some(error) => Err(error.at(format!("{} failed", plural(count, "scheduled backup")))),
    }
}
