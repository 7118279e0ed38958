//! Schedules and retention: when backups are made, in words, and how long they are kept, shown before anything goes.

use super::calendar::Going;
use super::chrome::{Desk, draw, go};
use super::html::Html;
use super::parts::{NewSchedule, Remove, Retention, part};
use super::targets;
use super::upkeep::{Facts, Section};
use super::wizard::{Form, field};
use super::words;
use crate::catalog::Catalog;
use crate::catalog::forget::{Forgetting, Keep, Policy};
use crate::catalog::make::Chosen;
use crate::schedule::store;
use crate::server::people;
use crate::server::problem::{Answer, Problem};
use crate::server::service;
use axum::response::Response;

/// The rules of retention: field, what it keeps.
const RULES: [(&str, &str); 6] = [
    ("last", words::THE_NEWEST),
    ("hourly", "Hourly"),
    ("daily", "Daily"),
    ("weekly", "Weekly"),
    ("monthly", "Monthly"),
    ("yearly", "Yearly"),
];

fn policy(form: &Form) -> Answer<Policy> {
    let keep = |name: &str| match field(form, name) {
        "" => Ok(Keep::Unset),
        text => text
            .parse()
            .map(Keep::Count)
            .map_err(|_| Problem::invalid(&format!("/{name}"), format!(words::phrase!(IS_NO_NUMBER), text = text))),
    };
    Ok(Policy {
        last: keep("last")?,
        hourly: keep("hourly")?,
        daily: keep("daily")?,
        weekly: keep("weekly")?,
        monthly: keep("monthly")?,
        yearly: keep("yearly")?,
        tags: Vec::new(),
    })
}

/// Draws schedules and retention; a policy that was asked about is shown before anything goes.
pub(super) fn schedules(desk: &Desk, form: &Form) -> Answer<Response> {
    let asked = policy(form)?;
    let going = match asked.is_empty() {
        true => None,
        false => {
            let judged = Catalog::open(desk.app.home())?.forget(&asked, Forgetting::DryRun)?;
            Some(Going::of(&judged, desk.is_admin()))
        }
    };
    let rules = RULES.map(|(name, what)| (name, what, field(form, name).to_owned()));
    let retention = Section {
        title: words::RETENTION,
        text: words::OF_EACH_PERIOD_THE_NEWEST_BACKUP_IS.to_owned(),
        extra: part(&Retention { rules: rules.to_vec(), going })?,
        ..Section::default()
    };
    draw(&Facts {
        chrome: desk.chrome("schedules", words::SCHEDULES, words::SCHEDULES_AND_RETENTION),
        title: words::SCHEDULES_AND_RETENTION,
        lead: words::WHEN_BACKUPS_ARE_MADE_AND_HOW_LONG.to_owned(),
        sections: vec![timetable(desk)?, retention],
    })
}

/// Removes what a policy lets go, if that is as many as was shown.
pub(super) fn retain(desk: &Desk, form: &Form) -> Answer<Response> {
    let asked = policy(form)?;
    let mut catalog = Catalog::open(desk.app.home())?;
    let gone = catalog.forget(&asked, Forgetting::DryRun)?.iter().filter(|j| j.reasons.is_empty()).count();
    if gone.to_string() != field(form, "expect") {
        return Err(Problem::own("precondition_failed", words::OTHER_BACKUPS_WOULD_GO_THAN_WERE_SHOWN));
    }
    catalog.forget(&asked, Forgetting::Remove)?;
    people::note(desk.app.home(), "backups_forgotten", &desk.person()?.actor(), &words::plural(gone as u64, "backup"))?;
    go("/schedules")
}

/// Lists the schedules, with a form for another one.
fn timetable(desk: &Desk) -> Answer<Section> {
    let kept = store::list(desk.app.home())?;
    let now = chrono::Utc::now();
    let text = |text: &str| Html::text(text);
    let mut rows = Vec::new();
    for one in &kept {
        let clock = one.schedule.clock()?;
        let next = one.next(now)?.map_or_else(|| "never".to_owned(), |at| clock.shown(at));
        let overdue = if one.is_overdue(now) { words::OVERDUE } else { "" };
        let last = match (&one.state.last_error, &one.state.last_success_at, one.state.running) {
            (_, _, true) => words::RUNNING.to_owned(),
            (Some(error), ..) => format!("× {error}"),
            (None, Some(at), _) => format!("✓ {}, {}", clock.shown(*at), words::size(one.state.last_size_bytes)),
            (None, None, _) => words::HAS_NOT_RUN_YET.to_owned(),
        };
        let mut row = vec![
            text(&one.schedule.name),
            text(&clock.words()),
            text(&format!("{next}{overdue}")),
            text(&one.schedule.target),
            text(&last),
        ];
        if desk.is_admin() {
            let name = &one.schedule.name;
            let button = Remove { action: "/schedules/remove", field: "name", value: name, name, verb: words::REMOVE };
            row.push(part(&button)?);
        }
        rows.push(row);
    }
    let mut head = vec![words::NAME, words::WHEN, words::NEXT_3, words::DATABASE, words::LAST_RUN];
    if desk.is_admin() {
        head.push(words::REMOVE);
    }
    Ok(Section {
        title: words::SCHEDULES,
        text: match rows.is_empty() {
            true => words::NOTHING_IS_SCHEDULED.to_owned(),
            false => words::TIMES_ARE_THOSE_OF_THE_SCHEDULES_OWN.to_owned(),
        },
        head: if rows.is_empty() { Vec::new() } else { head },
        rows,
        extra: if desk.is_admin() {
            part(&NewSchedule { targets: targets::list(&desk.app) })?
        } else {
            Html::default()
        },
        ..Section::default()
    })
}

/// Adds a schedule.
pub(super) fn add(desk: &Desk, form: &Form) -> Answer<Response> {
    let keep_daily = match field(form, "daily") {
        "" => None,
        text => Some(
            text.parse().map_err(|_| Problem::invalid("/daily", format!(words::phrase!(IS_NO_NUMBER), text = text)))?,
        ),
    };
    let format = match field(form, "format") {
        "" => Chosen::default(),
        word => serde_json::from_value(word.into())
            .map_err(|_| Problem::invalid("/format", format!(words::phrase!(IS_NO_FORMAT), word = word)))?,
    };
    let asked = service::schedules::NewSchedule {
        format,
        name: field(form, "name").to_owned(),
        cron: field(form, "cron").to_owned(),
        time_zone: Some(field(form, "zone").to_owned()),
        target: field(form, "target").to_owned(),
        keep_daily,
        ..service::schedules::NewSchedule::default()
    };
    service::schedules::add(&desk.app, desk.person()?, &asked)?;
    go("/schedules")
}

/// Removes a schedule; its backups stay.
pub(super) fn remove(desk: &Desk, form: &Form) -> Answer<Response> {
    service::schedules::remove(&desk.app, desk.person()?, field(form, "name"))?;
    go("/schedules")
}

/// Returns when the next backup is due, where one is scheduled.
pub(super) fn next_run(desk: &Desk) -> Answer<Option<(String, Html)>> {
    let now = chrono::Utc::now();
    let mut next = None;
    for one in store::list(desk.app.home())? {
        if let Some(at) = one.next(now)?
            && next.as_ref().is_none_or(|(earliest, _)| at < *earliest)
        {
            let clock = one.schedule.clock()?;
            let when = format!("{} of {}, {}", one.schedule.name, one.schedule.target, clock.words());
            next = Some((at, (clock.shown(at), Html::text(&when))));
        }
    }
    Ok(next.map(|(_, shown)| shown))
}
