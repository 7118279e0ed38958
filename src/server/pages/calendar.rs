//! Retention as a strip of days, newest first: what was kept on each, why it stays, and what would go.

use super::html::Html;
use super::words;
use crate::catalog::forget::Judged;
use crate::report::html::escape;
use chrono::{DateTime, Datelike, NaiveDate};
use std::fmt::Write as _;

/// What a retention would let go.
pub(super) struct Going {
    pub(super) sentence: String,
    pub(super) strip: Html,
    /// The button that lets it go, where there is anything and the person may.
    pub(super) button: Option<String>,
    pub(super) count: usize,
}

impl Going {
    /// Describes backups as a retention judged them; `can_remove` says whether the person may remove any.
    pub(super) fn of(judged: &[Judged], can_remove: bool) -> Self {
        let count = judged.iter().filter(|j| j.reasons.is_empty()).count();
        let gone = count as u64;
        Self {
            sentence: words::would_go(judged.len() as u64 - gone, gone),
            strip: Html::made(strip(judged)),
            button: (can_remove && gone > 0).then(|| words::remove_backups(gone)),
            count,
        }
    }
}

/// Days that are drawn; older ones are counted.
const MOST: usize = 90;

/// Draws the days on which backups were made.
fn strip(judged: &[Judged]) -> String {
    let day = |one: &Judged| DateTime::parse_from_rfc3339(&one.entry.created_at).ok().map(|t| t.to_utc().date_naive());
    let mut html = String::from("<ol class=\"days\">");
    let mut drawn = 0;
    let mut rest = judged;
    while let Some(first) = rest.first() {
        let date = day(first);
        let count = rest.iter().take_while(|one| day(one) == date).count();
        let (today, after) = rest.split_at(count);
        if drawn == MOST {
            let _ = write!(html, "<li class=\"gap\">{}</li>", words::older(rest.len() as u64));
            break;
        }
        let empty = match (date, after.first().and_then(day)) {
            (Some(date), Some(older)) => u64::try_from((date - older).num_days() - 1).unwrap_or(0),
            _ => 0,
        };
        one_day(&mut html, date, today, empty);
        (drawn, rest) = (drawn + 1, after);
    }
    html.push_str("</ol>");
    html
}

/// Draws a day, and how many days before it had no backup.
fn one_day(html: &mut String, date: Option<NaiveDate>, backups: &[Judged], empty: u64) {
    let name = date.map_or_else(|| words::NO_DATE.to_owned(), |d| d.format("%a %-d %b").to_string());
    let sunday = date.is_some_and(|d| d.weekday() == chrono::Weekday::Sun);
    let year = date.map(|d| d.format("%Y").to_string()).unwrap_or_default();
    let _ = write!(
        html,
        "<li class=\"day{}\"><strong>{}</strong> <span class=\"soft small\">{year}</span>",
        if sunday { " week" } else { "" },
        escape(&name)
    );
    for one in backups {
        let time = one.entry.created_at.get(11..16).unwrap_or_default();
        let name = escape(&super::html::safe(&one.entry.name));
        let _ = match one.reasons.is_empty() {
            true => write!(
                html,
                "<div class=\"goes\"><span>{}</span> <span class=\"small\">{time} <s>{name}</s></span></div>",
                words::GOES
            ),
            false => write!(
                html,
                "<div class=\"stays\"><span>{}</span> <span class=\"small\">{time} {name}</span><span class=\"small soft\">{}</span></div>",
                words::STAYS,
                escape(&super::html::safe(&super::backups::because(&one.reasons)))
            ),
        };
    }
    if empty > 0 {
        let _ = write!(html, "<p class=\"gap\">{}</p>", words::days_without(empty));
    }
    html.push_str("</li>");
}
