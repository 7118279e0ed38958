//! Runs against SQLite databases, with a clock of the test's own.

use super::*;
use crate::catalog::Catalog;
use crate::database::sqlite::Sqlite;
use crate::error::ErrorKind;
use crate::hooks::{Hooks, Outcome};
use crate::progress::Quiet;
use std::cell::Cell;

struct World {
    folder: tempfile::TempDir,
    home: Home,
    opened: Cell<u32>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = rusqlite::Connection::open(folder.path().join("app.db")).unwrap();
        connection.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2);").unwrap();
        let home = Home::open(&folder.path().join("data")).unwrap();
        Self { folder, home, opened: Cell::new(0) }
    }

    fn add(&self, cron: &str, change: impl FnOnce(&mut Schedule)) {
        let mut schedule = Schedule {
            name: "nightly".to_owned(),
            cron: cron.to_owned(),
            time_zone: "Europe/London".to_owned(),
            target: "app.db".to_owned(),
            created_at: at("2026-10-20T00:00:00Z"),
            ..Schedule::default()
        };
        change(&mut schedule);
        store::add(&self.home, &Kept::new(schedule)).unwrap();
    }

    fn tick(&self, now: &str) -> Vec<Ran> {
        let open = |target: &str| -> Result<Opened> {
            self.opened.set(self.opened.get() + 1);
            Ok((Box::new(Sqlite::open(&self.folder.path().join(target))?), Vec::new()))
        };
        let hooks = Hooks::default();
        tick(&self.home, at(now), &Runner { open: &open, hooks: &hooks }, &Quiet).unwrap()
    }

    fn backups(&self) -> usize {
        Catalog::open(&self.home).unwrap().list().unwrap().len()
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn f106_what_is_due_runs_once_and_what_was_missed_is_caught_up_once() {
    let world = World::new();
    world.add("15 2 * * *", |_| {});
    assert_eq!(world.tick("2026-10-20T01:00:00Z").len(), 0, "not yet");
    let ran = world.tick("2026-10-20T01:15:00Z");
    assert_eq!((ran.len(), ran[0].event.outcome, ran[0].event.records), (1, Outcome::Success, Some(2)));
    for now in ["2026-10-20T01:15:00Z", "2026-10-20T01:15:30Z", "2026-10-20T23:00:00Z"] {
        assert_eq!(world.tick(now).len(), 0, "{now}");
    }
    // Five nights without a process: one run.
    assert_eq!(world.tick("2026-10-25T12:00:00Z").len(), 1);
    assert_eq!(world.tick("2026-10-25T12:00:10Z").len(), 0);
    assert_eq!((world.backups(), world.opened.get()), (2, 2));
}

#[test]
fn u52_clock_jumps_neither_skip_nor_double_a_run() {
    let world = World::new();
    world.add("30 1 * * *", |_| {});
    // Every minute of the days on which London's clock goes back and forward: one run a day.
    for (day, count) in [("2026-10-24T00:00:00Z", 3), ("2027-03-27T00:00:00Z", 3)] {
        world.tick(day);
        let before = world.backups();
        for minute in 0..3 * 24 * 60 / 10 {
            let now = at(day) + TimeDelta::minutes(10 * minute);
            world.tick(&now.to_rfc3339());
        }
        assert_eq!(world.backups() - before, count, "{day}");
    }
    // The clock is set back by an hour, as NTP does after a battery died: nothing is done again.
    assert_eq!(world.tick("2027-03-30T00:31:00Z").len(), 1);
    assert_eq!(world.tick("2027-03-29T23:31:00Z").len(), 0);
    assert_eq!(world.tick("2027-03-30T00:32:00Z").len(), 0);
    assert_eq!(world.tick("2027-03-31T00:30:00Z").len(), 1);
    // The clock was years ahead once: that does not keep a schedule from running when it is right again.
    assert_eq!(world.tick("2040-01-01T12:00:00Z").len(), 1);
    assert_eq!(world.tick("2027-04-01T00:29:50Z").len(), 0);
    assert_eq!(world.tick("2027-04-01T00:30:00Z").len(), 1);
    assert_eq!(world.tick("2027-04-01T00:30:10Z").len(), 0);
}

#[test]
fn f106_runs_never_overlap() {
    let world = World::new();
    world.add("15 2 * * *", |_| {});
    let lock = Lock::take(&world.home, "nightly").unwrap().expect("is free");
    assert_eq!(world.tick("2026-10-21T03:00:00Z").len(), 0);
    assert_eq!(store::remove(&world.home, "nightly").unwrap_err().kind(), ErrorKind::Busy);
    drop(lock);
    assert_eq!(world.tick("2026-10-21T03:00:00Z").len(), 1);
    store::remove(&world.home, "nightly").unwrap();
    assert_eq!(world.backups(), 1, "the backups stay");
}

#[test]
fn u48_a_schedule_that_cannot_run_is_overdue() {
    let world = World::new();
    world.add("0 * * * *", |schedule| schedule.target = "missing.db".to_owned());
    let overdue = |now: &str| {
        let text = metrics::render(&world.home, at(now)).unwrap();
        text.lines()
            .find_map(|line| line.strip_prefix("merganser_schedule_overdue{plan=\"nightly\"} "))
            .unwrap()
            .to_owned()
    };
    assert_eq!(overdue("2026-10-20T00:30:00Z"), "0");
    let ran = world.tick("2026-10-20T01:00:00Z");
    assert_eq!(ran[0].event.outcome, Outcome::Failure);
    assert!(store::find(&world.home, "nightly").unwrap().state.last_error.is_some());
    assert_eq!(overdue("2026-10-20T01:10:00Z"), "0", "it may still be running");
    assert_eq!(overdue("2026-10-20T01:20:00Z"), "1");
    std::fs::copy(world.folder.path().join("app.db"), world.folder.path().join("missing.db")).unwrap();
    assert_eq!(world.tick("2026-10-20T02:00:00Z")[0].event.outcome, Outcome::Success);
    assert_eq!(overdue("2026-10-20T02:20:00Z"), "0");
    // Nobody calls: that shows as well.
    assert_eq!(overdue("2026-10-20T03:20:00Z"), "1");
}

#[test]
fn only_its_own_backups_are_removed_and_the_newest_stays() {
    let world = World::new();
    world.add("15 2 * * *", |schedule| schedule.keep.last = Some(2));
    let mut catalog = Catalog::open(&world.home).unwrap();
    let mut database = Sqlite::open(&world.folder.path().join("app.db")).unwrap();
    catalog.create(&mut database, &crate::catalog::make::Create::default(), &Quiet).unwrap();
    for day in 20..25 {
        assert_eq!(world.tick(&format!("2026-10-{day}T12:00:00Z")).len(), 1);
    }
    let tagged = Catalog::open(&world.home).unwrap().list().unwrap();
    let own = tagged.iter().filter(|e| e.tags.contains(&"schedule:nightly".to_owned())).count();
    assert_eq!((own, tagged.len()), (2, 3), "the two newest of its own, and the one that is not its own");
}

#[test]
fn metrics_are_as_prometheus_reads_them() {
    let world = World::new();
    world.add("15 2 * * *", |_| {});
    world.tick("2026-10-20T12:00:00Z");
    let file = world.folder.path().join("merganser.prom");
    metrics::write(&world.home, at("2026-10-20T12:00:00Z"), &file).unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    for line in [
        "# TYPE merganser_backup_last_success_timestamp_seconds gauge",
        "merganser_backup_last_success_timestamp_seconds{target=\"app.db\",plan=\"nightly\"} 1792497600",
        "merganser_backup_last_rows{target=\"app.db\",plan=\"nightly\"} 2",
        "merganser_schedule_overdue{plan=\"nightly\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.contains("merganser_build_info{version="));
}

#[test]
fn t24_f104_a_clock_that_jumped_removes_nothing() {
    let world = World::new();
    world.add("15 2 * * *", |schedule| schedule.keep.last = Some(1));
    assert_eq!(world.tick("2026-10-20T03:00:00Z").len(), 1);
    assert_eq!(world.tick("2026-10-21T03:00:00Z").len(), 1);
    assert_eq!(world.backups(), 1, "the rule is kept");
    // Three weeks on, or a clock that says so.
    let ran = world.tick("2026-11-12T03:00:00Z");
    assert!(ran[0].notes[0].contains("no backup was removed: the clock is"), "{:?}", ran[0].notes);
    assert_eq!(world.backups(), 2);
    // Back again: what was handled in the time that never was is not done twice, and nothing goes.
    let back = world.tick("2026-10-22T03:00:00Z");
    assert!(back.iter().all(|ran| ran.notes.iter().any(|n| n.contains("no backup was removed"))), "{back:?}");
    let kept = world.backups();
    assert!(kept >= 2);
    // The run after it still sees the one that never was.
    world.tick("2026-10-23T03:00:00Z");
    assert_eq!(world.tick("2026-10-24T03:00:00Z").len(), 1);
    assert_eq!(world.backups(), 1, "once the clock goes on as it should, so does retention");
}
