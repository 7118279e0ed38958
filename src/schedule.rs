//! Backups on a timetable: what is due is run once, never twice at a time, and what was missed is caught up once.
//!
//! [`tick`] does what is due at a moment. A service calls it every few seconds; `merganser schedule run` calls it once, from
//! cron or a systemd timer. What was done is kept in the data folder, so that both, and several of them, agree.

pub mod clock;
pub mod metrics;
mod run;
pub mod store;
#[cfg(test)]
mod tests;

pub use clock::Clock;
pub use run::{Opened, Runner};
pub use store::Kept;

use crate::backup::{Passphrase, Sealing};
use crate::catalog::forget::{Keep, Policy};
use crate::catalog::make::Chosen;
use crate::error::{Result, fail};
use crate::executor::Home;
use crate::hooks::Event;
use crate::progress::Progress;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use store::Lock;

/// How far a clock may have been set back without what was done then being done again.
const SET_BACK: TimeDelta = TimeDelta::hours(25);

/// A backup that is made at given times.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Schedule {
    /// What it is called.
    pub name: String,
    /// When, as a cron expression of five fields.
    pub cron: String,
    /// In which time zone.
    pub time_zone: String,
    /// The target's name in the configuration, or a URL without a password.
    pub target: String,
    /// Only these tables; empty: all.
    pub only_tables: Vec<String>,
    /// Not these tables.
    pub skip_tables: Vec<String>,
    /// The format of its backups.
    pub format: Chosen,
    /// The folder whose files travel with them, if any.
    pub files: Option<PathBuf>,
    /// Tags of its backups, besides its own.
    pub tags: Vec<String>,
    /// Recipients that its backups are encrypted to.
    pub encrypt_to: Vec<String>,
    /// The file with the passphrase that its backups are encrypted with.
    pub passphrase_file: Option<PathBuf>,
    /// Where its backups are kept, as a URL; none: in the data folder.
    pub storage: Option<String>,
    /// What is kept of its backups; without any of them nothing is ever removed.
    pub keep: Kept6,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// How many backups of a schedule are kept, as restic's rules have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept6 {
    /// The newest.
    pub last: Option<u32>,
    /// The newest of so many hours.
    pub hourly: Option<u32>,
    /// The newest of so many days.
    pub daily: Option<u32>,
    /// The newest of so many weeks.
    pub weekly: Option<u32>,
    /// The newest of so many months.
    pub monthly: Option<u32>,
    /// The newest of so many years.
    pub yearly: Option<u32>,
}

impl Kept6 {
    /// Returns them as rules.
    pub fn policy(self) -> Policy {
        let keep = |count: Option<u32>| count.map_or(Keep::Unset, Keep::Count);
        Policy {
            last: keep(self.last),
            hourly: keep(self.hourly),
            daily: keep(self.daily),
            weekly: keep(self.weekly),
            monthly: keep(self.monthly),
            yearly: keep(self.yearly),
            tags: Vec::new(),
        }
    }
}

impl Schedule {
    /// Checks that it makes sense and returns its clock.
    ///
    /// # Errors
    /// `Usage`.
    pub fn clock(&self) -> Result<Clock> {
        Clock::new(&self.cron, &self.time_zone)
    }

    /// Checks that its backups can be made as it asks for them.
    ///
    /// # Errors
    /// `Usage`.
    pub fn check_format(&self) -> Result<()> {
        let holds_files = matches!(self.format, Chosen::Rayerp | Chosen::Baluhost);
        if self.format == Chosen::JarvisUser {
            return Err(fail!(Usage, "jarvis-user holds one user; a schedule backs up all of them")
                .hint("Choose jarvis-system, or make it with 'merganser backup create --scope'."));
        }
        if self.files.is_some() && !holds_files {
            return Err(fail!(Usage, "no files travel with a backup of this format")
                .hint("Choose rayerp or baluhost, or leave --files out."));
        }
        Ok(())
    }

    /// Returns the tag of its backups.
    pub fn tag(&self) -> String {
        format!("schedule:{}", self.name)
    }

    fn sealing(&self) -> Result<Option<Sealing>> {
        match &self.passphrase_file {
            Some(path) => Ok(Some(Sealing::Passphrase(Passphrase::File(path.clone()).get()?))),
            None if self.encrypt_to.is_empty() => Ok(None),
            None => Sealing::to_recipients(&self.encrypt_to).map(Some),
        }
    }
}

/// What became of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Up to when it was done: what was due before needs no run.
    pub handled_at: DateTime<Utc>,
    /// When its last run began.
    pub last_run_at: Option<DateTime<Utc>>,
    /// When its last run that succeeded began.
    pub last_success_at: Option<DateTime<Utc>>,
    /// How long the last run took.
    pub last_duration_seconds: f64,
    /// Bytes of the last backup.
    pub last_size_bytes: u64,
    /// Records of the last backup.
    pub last_records: u64,
    /// The last backup's name.
    pub last_backup: Option<String>,
    /// Why the last run failed; none where it succeeded.
    pub last_error: Option<String>,
    /// Whether a run began and has not ended.
    pub running: bool,
}

impl Kept {
    /// Makes a schedule's first state.
    pub fn new(schedule: Schedule) -> Self {
        let state = State { handled_at: schedule.created_at, ..State::default() };
        Self { schedule, state }
    }

    /// Returns the time that it is due at since it was done last, if that has come.
    ///
    /// # Errors
    /// `Usage` for an expression that makes no sense.
    pub fn due(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        Ok(self.schedule.clock()?.latest(self.state.handled_at, now))
    }

    /// Returns when it is due next.
    ///
    /// # Errors
    /// `Usage` for an expression that makes no sense.
    pub fn next(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        match self.due(now)? {
            Some(due) => Ok(Some(due)),
            None => Ok(self.schedule.clock()?.after(now.max(self.state.handled_at))),
        }
    }

    /// Tells whether a run should have succeeded by now and did not.
    pub fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        let Ok(clock) = self.schedule.clock() else { return true };
        let since = self.state.last_success_at.unwrap_or(self.schedule.created_at);
        // A run needs its time; no more than half of what lies between two.
        let Some(first) = clock.after(since) else { return false };
        let period = clock.after(first).map_or(TimeDelta::hours(1), |second| second - first);
        now > first + (period / 2).min(TimeDelta::minutes(15))
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    /// What hooks were told.
    pub event: Event,
    /// What went wrong, where it failed.
    pub error: Option<crate::Error>,
    /// Things a person should know: hooks that failed, what was removed.
    pub notes: Vec<String>,
}

/// Runs what is due; returns how each ended. One that is still running, here or elsewhere, is left alone.
///
/// # Errors
/// `Failed` when the schedules can't be read; a run that fails is no error.
pub fn tick(home: &Home, now: DateTime<Utc>, runner: &Runner<'_>, progress: &dyn Progress) -> Result<Vec<Ran>> {
    let mut ran = Vec::new();
    for mut kept in store::list(home)? {
        // The clock was wrong by much when this was written: what it says counts for nothing.
        if kept.state.handled_at > now + SET_BACK {
            kept.state.handled_at = now;
            store::save(home, &kept)?;
        }
        if kept.due(now)?.is_none() {
            continue;
        }
        progress.go_on()?;
        let Some(_lock) = Lock::take(home, &kept.schedule.name)? else { continue };
        // Another process may have done it while this one waited for nothing.
        let kept = store::find(home, &kept.schedule.name)?;
        if kept.due(now)?.is_some() {
            ran.push(run::run(home, kept, now, runner, progress)?);
        }
    }
    Ok(ran)
}

/// Runs one schedule now, whether it is due or not.
///
/// # Errors
/// `Usage` when there is none of the name, `Busy` when it is running.
pub fn run_now(
    home: &Home,
    name: &str,
    now: DateTime<Utc>,
    runner: &Runner<'_>,
    progress: &dyn Progress,
) -> Result<Ran> {
    store::find(home, name)?;
    let Some(_lock) = Lock::take(home, name)? else {
        return Err(fail!(Busy, "the schedule {name} is running").hint("Wait until it is done; runs never overlap."));
    };
    run::run(home, store::find(home, name)?, now, runner, progress)
}
