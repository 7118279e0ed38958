//! One run of a schedule: the backup, what is kept of the earlier ones, its state, and whom to tell.

use super::store::{Kept, save};
use super::{Ran, Schedule};
use crate::catalog::forget::judge;
use crate::catalog::make::{Create, Rule};
use crate::catalog::storage::Storage;
use crate::catalog::{Catalog, Entry};
use crate::database::Database;
use crate::error::{Error, Result};
use crate::executor::Home;
use crate::hooks::{Event, Hooks, Outcome};
use crate::progress::Progress;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::time::Instant;

/// A database, with the configured rules for its columns.
pub type Opened = (Box<dyn Database>, Vec<(String, Rule)>);

/// Beyond it the clock, or the machine, was away.
const JUMP: TimeDelta = TimeDelta::days(1);

/// What a run needs of its surroundings.
pub struct Runner<'a> {
    /// Opens a target by its name or URL.
    pub open: &'a dyn Fn(&str) -> Result<Opened>,
    /// Whom to tell.
    pub hooks: &'a Hooks,
}

/// Runs a schedule under its lock. That it began is on disk before it does anything: a run that dies is not begun again.
pub(super) fn run(
    home: &Home,
    mut kept: Kept,
    now: DateTime<Utc>,
    runner: &Runner<'_>,
    progress: &dyn Progress,
) -> Result<Ran> {
    let begun = Instant::now();
    kept.state.running = true;
    let jumped = jumped(&kept, now)?;
    kept.state.last_run_at = Some(now);
    kept.state.handled_at = now;
    save(home, &kept)?;
    let mut notes = Vec::new();
    let made = make(home, &kept.schedule, runner, progress).and_then(|(mut catalog, entry)| {
        notes = forget(&mut catalog, &kept.schedule, jumped)?;
        Ok(entry)
    });
    let schedule = &kept.schedule;
    let state = &mut kept.state;
    state.running = false;
    state.last_duration_seconds = begun.elapsed().as_secs_f64();
    let mut event = Event {
        schedule: schedule.name.clone(),
        target: schedule.target.clone(),
        outcome: Outcome::Failure,
        started_at: now.to_rfc3339_opts(SecondsFormat::Secs, true),
        duration_seconds: state.last_duration_seconds,
        backup: None,
        size_bytes: None,
        records: None,
        error: None,
        merge: None,
    };
    let error = match made {
        Ok(entry) => {
            let records = entry.tables.iter().map(|table| table.records).sum();
            state.last_success_at = Some(now);
            (state.last_size_bytes, state.last_records) = (entry.size_bytes, records);
            (state.last_backup, state.last_error) = (Some(entry.name.clone()), None);
            event.outcome = Outcome::Success;
            (event.backup, event.size_bytes, event.records) = (Some(entry.name), Some(entry.size_bytes), Some(records));
            None
        }
        Err(error) => {
            state.last_error = Some(error.full_message());
            event.error = Some(error.full_message());
            Some(error)
        }
    };
    save(home, &kept)?;
    notes.extend(runner.hooks.tell(&event));
    Ok(Ran { event, error, notes })
}

fn make(home: &Home, schedule: &Schedule, runner: &Runner<'_>, progress: &dyn Progress) -> Result<(Catalog, Entry)> {
    let sealing = schedule.sealing()?;
    let storage = schedule.storage.as_deref().map(Storage::open).transpose()?;
    let (mut database, rules) = (runner.open)(&schedule.target)?;
    let mut catalog = Catalog::open(home)?;
    let tags: Vec<String> = std::iter::once(schedule.tag()).chain(schedule.tags.iter().cloned()).collect();
    let request = Create {
        only_tables: &schedule.only_tables,
        skip_tables: &schedule.skip_tables,
        format: schedule.format.format(),
        secrets: schedule.format.secrets(),
        rules: &rules,
        files: schedule.files.as_deref(),
        zone: schedule.clock()?.zone(),
        tags: &tags,
        sealing: sealing.as_ref(),
        ..Create::default()
    };
    let (mut entry, _) = catalog.create(database.as_mut(), &request, progress)?;
    if let Some(storage) = storage {
        entry = catalog.keep_at(&entry, &storage, progress)?;
    }
    Ok((catalog, entry))
}

/// Returns by how much the clock jumped since the last run, where it did: no backup is removed by a clock that may be wrong
/// (CHECKS T24). A machine that was off for days looks the same; the run after this one removes what is to go.
fn jumped(kept: &Kept, now: DateTime<Utc>) -> Result<Option<TimeDelta>> {
    let Some(last) = kept.state.last_run_at else { return Ok(None) };
    let due = kept.schedule.clock()?.after(last).unwrap_or(now);
    let jump = if now < last { last - now } else { now - due };
    Ok(Some(jump).filter(|jump| *jump > JUMP))
}

/// Removes this schedule's backups that its rules don't keep, where it has rules; what others need stays.
fn forget(catalog: &mut Catalog, schedule: &Schedule, jumped: Option<TimeDelta>) -> Result<Vec<String>> {
    let policy = schedule.keep.policy();
    if policy.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(jump) = jumped {
        return Ok(vec![format!(
            "no backup was removed: the clock is {} hours away from where the last run leaves it, and may be wrong; the next run looks again",
            jump.num_hours()
        )]);
    }
    let (tag, mut entries) = (schedule.tag(), catalog.list()?);
    entries.retain(|entry| entry.tags.contains(&tag));
    let mut notes = Vec::new();
    for one in judge(entries, &policy, Utc::now())?.iter().filter(|one| one.reasons.is_empty()) {
        let name = &one.entry.name;
        notes.push(match catalog.remove(&one.entry) {
            Ok(()) => format!("{name} was removed: no rule keeps it"),
            Err(error) => kept_for(name, &error),
        });
    }
    Ok(notes)
}

fn kept_for(name: &str, error: &Error) -> String {
    format!("{name} is not kept by any rule, but stays: {}", error.full_message())
}
