//! Schedules: the same as the command line's; where backups go and how they are encrypted comes from the configuration only.

use super::operations::{Kind, Operation};
use crate::catalog::make::Chosen;
use crate::error::{Result, fail};
use crate::schedule::{self, Kept, Kept6, Opened, Runner, Schedule, store};
use crate::server::access::Person;
use crate::server::app::App;
use crate::server::jobs::Spec;
use crate::server::people;
use crate::server::problem::{Answer, Problem};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What a schedule is to be.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewSchedule {
    /// What it is called.
    pub name: String,
    /// When, as a cron expression of five fields.
    pub cron: String,
    /// In which time zone; UTC where nothing is said.
    pub time_zone: Option<String>,
    /// The target's name.
    pub target: String,
    /// Only these tables; empty: all.
    pub only_tables: Vec<String>,
    /// Not these tables.
    pub skip_tables: Vec<String>,
    /// The format of its backups.
    #[schema(value_type = String, example = "smart-backup")]
    pub format: Chosen,
    /// Tags of its backups.
    pub tags: Vec<String>,
    /// Keeps the newest so many of its backups; without any of these nothing is removed.
    pub keep_last: Option<u32>,
    /// Keeps the newest of so many days.
    pub keep_daily: Option<u32>,
    /// Keeps the newest of so many weeks.
    pub keep_weekly: Option<u32>,
    /// Keeps the newest of so many months.
    pub keep_monthly: Option<u32>,
}

/// A schedule as it is shown.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ScheduleView {
    /// Its name; also its id.
    pub name: String,
    /// When, as a cron expression.
    pub cron: String,
    /// When, in words.
    pub words: String,
    /// In which time zone.
    pub time_zone: String,
    /// The target's name.
    pub target: String,
    /// The format of its backups.
    #[schema(value_type = String, example = "smart-backup")]
    pub format: Chosen,
    /// When it runs next.
    pub next: Option<DateTime<Utc>>,
    /// Whether a run should have succeeded by now and did not.
    pub overdue: bool,
    /// Whether it runs.
    pub running: bool,
    /// When its last run that succeeded began.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Why the last run failed.
    pub last_error: Option<String>,
    /// The last backup's name.
    pub last_backup: Option<String>,
}

fn view(kept: &Kept) -> Result<ScheduleView> {
    let (asked, state, now) = (&kept.schedule, &kept.state, Utc::now());
    Ok(ScheduleView {
        name: asked.name.clone(),
        cron: asked.cron.clone(),
        words: asked.clock()?.words(),
        time_zone: asked.time_zone.clone(),
        target: asked.target.clone(),
        format: asked.format,
        next: kept.next(now)?,
        overdue: kept.is_overdue(now),
        running: state.running,
        last_success_at: state.last_success_at,
        last_error: state.last_error.clone(),
        last_backup: state.last_backup.clone(),
    })
}

/// Lists the schedules by name.
///
/// # Errors
/// `Failed`.
pub fn list(app: &App) -> Answer<Vec<ScheduleView>> {
    Ok(store::list(app.home())?.iter().map(view).collect::<Result<_>>()?)
}

fn known(app: &App, name: &str) -> Answer<Kept> {
    let all = store::list(app.home())?;
    all.into_iter().find(|k| k.schedule.name == name).ok_or_else(|| Problem::not_found("schedule", name))
}

/// Describes a schedule.
///
/// # Errors
/// `not_found`.
pub fn get(app: &App, name: &str) -> Answer<ScheduleView> {
    Ok(view(&known(app, name)?)?)
}

/// Adds a schedule.
///
/// # Errors
/// `not_found` for a target, `usage` for a name that is taken or a time that never comes.
pub fn add(app: &App, person: &Person, asked: &NewSchedule) -> Answer<ScheduleView> {
    let target = super::targets::get(app, &asked.target)?;
    let settings = &app.config().settings.backup;
    let schedule = Schedule {
        name: asked.name.clone(),
        cron: asked.cron.clone(),
        time_zone: asked.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
        target: target.name,
        only_tables: asked.only_tables.clone(),
        skip_tables: asked.skip_tables.clone(),
        format: asked.format,
        // A folder of this machine is chosen where this machine is administered.
        files: None,
        tags: asked.tags.clone(),
        encrypt_to: super::keys::recipients(app)?,
        passphrase_file: None,
        storage: settings.storage.clone(),
        keep: Kept6 {
            last: asked.keep_last,
            daily: asked.keep_daily,
            weekly: asked.keep_weekly,
            monthly: asked.keep_monthly,
            ..Kept6::default()
        },
        created_at: Utc::now(),
    };
    schedule.check_format()?;
    if schedule.clock()?.after(schedule.created_at).is_none() {
        return Err(fail!(Usage, "{:?} never comes", asked.cron).hint("Look at the day and the month.").into());
    }
    store::add(app.home(), &Kept::new(schedule))?;
    people::note(app.home(), "schedule_added", &person.actor(), &asked.name)?;
    get(app, &asked.name)
}

/// Removes a schedule; its backups stay.
///
/// # Errors
/// `not_found`; `busy` while it runs.
pub fn remove(app: &App, person: &Person, name: &str) -> Answer<()> {
    known(app, name)?;
    store::remove(app.home(), name)?;
    Ok(people::note(app.home(), "schedule_removed", &person.actor(), name)?)
}

/// Runs a schedule now, as a job.
///
/// # Errors
/// `not_found`, `too_many_requests`.
pub fn start_run(app: &App, person: &Person, id: String, name: &str) -> Answer<Operation> {
    let kept = known(app, name)?;
    let target = Some(kept.schedule.target.clone());
    let spec = Spec { id, kind: Kind::Backup, target, subject: Some(name.to_owned()), plan: None, asked: None };
    let name = name.to_owned();
    app.jobs().start(app, person, spec, move |app, job| {
        let open = |name: &str| -> Result<Opened> { super::targets::opened(app, name) };
        let runner = Runner { open: &open, hooks: &app.config().settings.hooks };
        let ran = schedule::run_now(app.home(), &name, Utc::now(), &runner, job)?;
        ran.notes.iter().for_each(|note| job.warn(note));
        match ran.error {
            Some(error) => Err(error.into()),
            None => Ok(json!({"schedule": name, "backup": ran.event.backup})),
        }
    })
}
