//! When a schedule is due: cron expressions in a named time zone.
//!
//! Daylight saving: a time that the clock skips (02:30 on the day it goes forward) runs at the first moment after the gap; a
//! time that comes twice runs once, the first time. Expressions with steps or wildcards in hours or minutes follow the
//! wall clock and simply have fewer, or repeat, moments in that hour. The time zone is that of the schedule, not the machine's.

use crate::error::{Result, fail};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

/// A cron expression of five fields in a time zone.
#[derive(Clone, Debug)]
pub struct Clock {
    cron: Cron,
    zone: Tz,
}

impl Clock {
    /// Reads an expression and the name of a time zone.
    ///
    /// # Errors
    /// `Usage` for either.
    pub fn new(cron: &str, zone: &str) -> Result<Self> {
        let zone = zone.parse().map_err(|_| {
            fail!(Usage, "{zone:?} is no time zone")
                .hint("Names are those of the tz database, such as Europe/London or UTC.")
        })?;
        // The parser takes `,` for a list of nothing, and would look for a moment that never comes for half a minute.
        if cron.split_whitespace().any(|field| field.split(',').any(str::is_empty)) {
            return Err(fail!(Usage, "{cron:?} is no cron expression: a list in it has an empty item"));
        }
        let cron = CronParser::builder().seconds(Seconds::Disallowed).build().parse(cron).map_err(|e| {
            fail!(Usage, "{cron:?} is no cron expression").because(std::io::Error::other(e.to_string())).hint(
                "Five fields: minute, hour, day of month, month, day of week; '15 2 * * *' is every day at 02:15.",
            )
        })?;
        Ok(Self { cron, zone })
    }

    /// Returns the first moment after another one; none where there is none within what a calendar knows.
    pub fn after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self.cron.find_next_occurrence(&moment.with_timezone(&self.zone), false).ok()?;
        Some(next.with_timezone(&Utc))
    }

    /// Returns the last moment up to and including another one.
    pub fn latest(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // What was missed may be much; only the last counts, so that the way to it goes in long steps first.
        let mut from = since;
        let mut step = until - since;
        while step > TimeDelta::hours(2) {
            step = step / 2;
            let middle = from + step;
            if self.after(middle).is_some_and(|next| next <= until) {
                from = middle;
            }
        }
        let mut found = None;
        while let Some(next) = self.after(from).filter(|next| *next <= until) {
            (found, from) = (Some(next), next);
        }
        found
    }

    /// Returns the time zone.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// Describes the expression in words.
    pub fn words(&self) -> String {
        format!("{} ({})", self.cron.describe(), self.zone)
    }

    /// Writes a moment as the clock on the wall there shows it.
    pub fn shown(&self, moment: DateTime<Utc>) -> String {
        moment.with_timezone(&self.zone).format("%a %Y-%m-%d %H:%M %Z").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn times(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let clock = Clock::new(cron, zone).unwrap();
        let mut now = at(from);
        (0..count)
            .map(|_| {
                now = clock.after(now).unwrap();
                now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
            })
            .collect()
    }

    #[test]
    fn u52_a_skipped_hour_runs_once_after_it() {
        // London goes from 01:00 GMT to 02:00 BST on 29 March 2026.
        assert_eq!(
            times("30 1 * * *", "Europe/London", "2026-03-28T00:00:00Z", 3),
            ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        // New York goes from 02:00 EST to 03:00 EDT on 8 March 2026.
        assert_eq!(
            times("15 2 * * *", "America/New_York", "2026-03-07T00:00:00Z", 3),
            ["2026-03-07T07:15:00Z", "2026-03-08T07:00:00Z", "2026-03-09T06:15:00Z"]
        );
    }

    #[test]
    fn u52_a_repeated_hour_runs_once() {
        // London goes from 02:00 BST back to 01:00 GMT on 25 October 2026.
        assert_eq!(
            times("30 1 * * *", "Europe/London", "2026-10-24T00:00:00Z", 3),
            ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
    }

    #[test]
    fn every_hour_is_every_hour_of_the_day_that_has_25() {
        let found = times("0 * * * *", "Europe/London", "2026-10-24T23:00:00Z", 4);
        assert_eq!(
            found,
            ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z", "2026-10-25T03:00:00Z"]
        );
    }

    #[test]
    fn the_latest_moment_is_found_over_years() {
        let clock = Clock::new("*/5 * * * *", "UTC").unwrap();
        let found = clock.latest(at("2020-01-01T00:00:00Z"), at("2026-11-20T10:03:00Z"));
        assert_eq!(found, Some(at("2026-11-20T10:00:00Z")));
        assert_eq!(clock.latest(at("2026-11-20T10:00:00Z"), at("2026-11-20T10:04:59Z")), None);
        let yearly = Clock::new("0 3 1 1 *", "UTC").unwrap();
        assert_eq!(
            yearly.latest(at("2020-06-01T00:00:00Z"), at("2026-11-20T00:00:00Z")),
            Some(at("2026-01-01T03:00:00Z"))
        );
    }

    #[test]
    fn what_is_no_expression_or_zone_is_refused() {
        for (cron, zone) in
            [("", "UTC"), ("* * * *", "UTC"), ("61 * * * *", "UTC"), ("* * * * * *", "UTC"), ("0 0 * * *", "Mars/Base")]
        {
            assert_eq!(Clock::new(cron, zone).unwrap_err().kind(), crate::ErrorKind::Usage, "{cron} {zone}");
        }
        // Found by fuzzing: lists of nothing were searched for a moment for half a minute.
        for cron in [", * L * 0", "5 , * * *", "0 0 1,,2 * *", "0 0 * * 1,"] {
            assert_eq!(Clock::new(cron, "UTC").unwrap_err().kind(), crate::ErrorKind::Usage, "{cron}");
        }
    }
}
