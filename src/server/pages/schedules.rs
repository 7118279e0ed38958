//! Schedules and retention: when backups are made, in words, and how long they are kept, shown before anything goes.

use super::chrome::{Desk, draw, go};
use super::html::Html;
use super::targets;
use super::upkeep::{Facts, Section};
use super::wizard::{Form, field};
use super::words;
use crate::catalog::Catalog;
use crate::catalog::forget::{Forgetting, Judged, Keep, Policy};
use crate::report::html::escape;
use crate::schedule::{Kept, Kept6, Schedule, store};
use crate::server::people;
use crate::server::problem::{Answer, Problem};
use axum::response::Response;
use std::fmt::Write as _;

/// The rules of retention: field, what it keeps.
const RULES: [(&str, &str); 6] = [
    ("last", "the newest"),
    ("hourly", "hours"),
    ("daily", "days"),
    ("weekly", "weeks"),
    ("monthly", "months"),
    ("yearly", "years"),
];

fn policy(form: &Form) -> Answer<Policy> {
    let keep = |name: &str| match field(form, name) {
        "" => Ok(Keep::Unset),
        text => text
            .parse()
            .map(Keep::Count)
            .map_err(|_| Problem::invalid(&format!("/{name}"), format!("{text:?} is no number"))),
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
    let mut html = String::from("<form method=\"get\" class=\"inline\">");
    for (name, what) in RULES {
        let _ = write!(
            html,
            "<div><label for=\"keep-{name}\">Keep {what}</label><input id=\"keep-{name}\" name=\"{name}\" inputmode=\"numeric\" pattern=\"[0-9]*\" value=\"{}\"></div>",
            escape(field(form, name))
        );
    }
    html.push_str("<button>Show what would go</button></form>");
    let asked = policy(form)?;
    if !asked.is_empty() {
        let judged = Catalog::open(desk.app.home())?.forget(&asked, Forgetting::DryRun)?;
        strip(&mut html, &judged, form, desk);
    }
    let retention = Section {
        title: "Retention",
        text: "Of each period the newest backup is kept. What another backup needs stays, and so does the newest that was found sound.".to_owned(),
        extra: Html::made(html),
        ..Section::default()
    };
    draw(&Facts {
        chrome: desk.chrome("schedules", "Schedules", "Schedules and retention"),
        title: "Schedules and retention",
        lead: "When backups are made, and how long they are kept.".to_owned(),
        sections: vec![timetable(desk)?, retention],
    })
}

/// Draws the backups as a strip with the reason that keeps each.
fn strip(html: &mut String, judged: &[Judged], form: &Form, desk: &Desk) {
    let gone: Vec<&Judged> = judged.iter().filter(|j| j.reasons.is_empty()).collect();
    let _ = write!(
        html,
        "<h3>{} kept, {} would go</h3><ul class=\"strip\">",
        words::grouped((judged.len() - gone.len()) as u64),
        words::grouped(gone.len() as u64)
    );
    for one in judged {
        let day = one.entry.created_at.get(..10).unwrap_or(&one.entry.created_at);
        let why = if one.reasons.is_empty() { "goes".to_owned() } else { one.reasons.join(", ") };
        let class = if one.reasons.is_empty() { " class=\"gone\"" } else { "" };
        let _ = write!(html, "<li{class}>{} <span class=\"soft\">{}</span></li>", escape(day), escape(&why));
    }
    html.push_str("</ul>");
    if desk.is_admin() && !gone.is_empty() {
        html.push_str("<form method=\"post\" action=\"/schedules/retention\">");
        for (name, _) in RULES {
            let _ = write!(html, "<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(field(form, name)));
        }
        let _ = write!(
            html,
            "<input type=\"hidden\" name=\"expect\" value=\"{0}\"><button class=\"danger\">Remove {1}</button></form>",
            gone.len(),
            words::plural(gone.len() as u64, "backup")
        );
    }
}

/// Removes what a policy lets go, if that is as many as was shown.
pub(super) fn retain(desk: &Desk, form: &Form) -> Answer<Response> {
    let asked = policy(form)?;
    let mut catalog = Catalog::open(desk.app.home())?;
    let gone = catalog.forget(&asked, Forgetting::DryRun)?.iter().filter(|j| j.reasons.is_empty()).count();
    if gone.to_string() != field(form, "expect") {
        return Err(Problem::own("precondition_failed", "other backups would go than were shown; none was removed"));
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
        let overdue = if one.is_overdue(now) { " ! overdue" } else { "" };
        let last = match (&one.state.last_error, &one.state.last_success_at, one.state.running) {
            (_, _, true) => "▸ running".to_owned(),
            (Some(error), ..) => format!("× {error}"),
            (None, Some(at), _) => format!("✓ {}, {}", clock.shown(*at), words::size(one.state.last_size_bytes)),
            (None, None, _) => "has not run yet".to_owned(),
        };
        let mut row = vec![
            text(&one.schedule.name),
            text(&clock.words()),
            text(&format!("{next}{overdue}")),
            text(&one.schedule.target),
            text(&last),
        ];
        if desk.is_admin() {
            row.push(Html::made(format!(
                "<form method=\"post\" action=\"/schedules/remove\"><input type=\"hidden\" name=\"name\" value=\"{0}\"><button class=\"slim danger\">Remove <span class=\"hidden\">{0}</span></button></form>",
                escape(&one.schedule.name)
            )));
        }
        rows.push(row);
    }
    let mut head = vec!["Name", "When", "Next", "Database", "Last run"];
    if desk.is_admin() {
        head.push("Remove");
    }
    Ok(Section {
        title: "Schedules",
        text: match rows.is_empty() {
            true => "Nothing is scheduled.".to_owned(),
            false => "Times are those of the schedule's own zone. An hour that daylight saving skips is caught up; one that comes twice runs once.".to_owned(),
        },
        head: if rows.is_empty() { Vec::new() } else { head },
        rows,
        extra: if desk.is_admin() { add_form(desk) } else { Html::default() },
        ..Section::default()
    })
}

fn add_form(desk: &Desk) -> Html {
    let mut html = String::from(
        "<h3>Add one</h3><form method=\"post\" action=\"/schedules\" class=\"inline\">\
<div><label for=\"s-name\">Name</label><input id=\"s-name\" name=\"name\" required maxlength=\"64\" value=\"nightly\"></div>\
<div><label for=\"s-cron\">When, as cron</label><input id=\"s-cron\" name=\"cron\" required value=\"15 2 * * *\"></div>\
<div><label for=\"s-zone\">Time zone</label><input id=\"s-zone\" name=\"zone\" required value=\"UTC\"></div>\
<div><label for=\"s-daily\">Keep days</label><input id=\"s-daily\" name=\"daily\" inputmode=\"numeric\" pattern=\"[0-9]*\" value=\"14\"></div>\
<div><label for=\"s-target\">Database</label><select id=\"s-target\" name=\"target\">",
    );
    for target in targets::list(&desk.app) {
        let _ = write!(html, "<option>{}</option>", escape(&target.name));
    }
    html.push_str("</select></div><button>Add</button></form>");
    Html::made(html)
}

/// Adds a schedule.
pub(super) fn add(desk: &Desk, form: &Form) -> Answer<Response> {
    let target = crate::server::service::targets::get(&desk.app, field(form, "target"))?;
    let daily = match field(form, "daily") {
        "" => None,
        text => Some(text.parse().map_err(|_| Problem::invalid("/daily", format!("{text:?} is no number")))?),
    };
    let schedule = Schedule {
        name: field(form, "name").to_owned(),
        cron: field(form, "cron").to_owned(),
        time_zone: field(form, "zone").to_owned(),
        target: target.name,
        keep: Kept6 { daily, ..Kept6::default() },
        created_at: chrono::Utc::now(),
        ..Schedule::default()
    };
    if schedule.clock()?.after(schedule.created_at).is_none() {
        return Err(Problem::invalid("/cron", format!("{:?} never comes", schedule.cron)));
    }
    let name = schedule.name.clone();
    store::add(desk.app.home(), &Kept::new(schedule))?;
    people::note(desk.app.home(), "schedule_added", &desk.person()?.actor(), &name)?;
    go("/schedules")
}

/// Removes a schedule; its backups stay.
pub(super) fn remove(desk: &Desk, form: &Form) -> Answer<Response> {
    let name = field(form, "name");
    store::remove(desk.app.home(), name)?;
    people::note(desk.app.home(), "schedule_removed", &desk.person()?.actor(), name)?;
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
