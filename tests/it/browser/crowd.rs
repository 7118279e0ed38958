//! U40: ten thousand conflicts: quickly there, and decided by pattern in one action.

use super::chromium::{Browser, Setup};
use super::flow::{analyze, set_up, upload};
use super::site::{Engine, Site};
use std::fmt::Write as _;

/// The records that differ in one field, and those that differ in another.
const ALIKE: usize = 9_990;
const OTHERS: usize = 10;

#[test]
fn u40_ten_thousand_conflicts_are_there_at_once_and_decided_by_pattern() {
    let (mut current, mut backup) = (String::new(), String::new());
    for id in 1..=ALIKE + OTHERS {
        let (phone, name) = if id <= ALIKE { (2, "same") } else { (1, "changed") };
        let comma = if id == 1 { "" } else { "," };
        let _ = write!(current, "INSERT INTO users VALUES ({id}, 'same', NULL, '1', '2026-11-01T10:00:00.000Z');");
        let _ = write!(
            backup,
            "{comma}{{\"id\":{id},\"name\":\"{name}\",\"email\":null,\"phone\":\"{phone}\",\"updated_at\":\"2026-11-01T10:00:00.000Z\"}}"
        );
    }
    let backup = format!("{{\"metadata\":{{\"version\":\"1\"}},\"data\":{{\"users\":[{backup}]}}}}");
    let site = Site::with(Engine::Sqlite, false, &current, &backup);
    let browser = Browser::start(&site.root, Setup::default());
    set_up(&site, &browser);
    upload(&site, &browser);
    let analysis = analyze(&browser);
    browser.says("10,000 conflicts to decide");
    for page in ["", "/conflicts", "/tables/users?class=conflict"] {
        // The quickest of three: what else the machine does at that moment is not the page's.
        let painted = |_| {
            browser.open(&format!("{analysis}{page}"));
            browser.first_paint()
        };
        let paint = (0..3).map(painted).fold(f64::INFINITY, f64::min);
        assert!(paint < 1_000.0, "{page:?} was first painted after {paint} ms");
    }
    browser.open(&format!("{analysis}/conflicts"));
    browser.says("10,000 conflicts in 2 patterns");
    browser.says("9,990 conflicts in users differ only in phone: ignore this column?");
    browser.click("button[value=backup]");
    browser.says("Take Backup for 9,990 conflicts");
    browser.press("Take Backup for 9,990 conflicts");
    browser.path_that("the decided patterns", |p| p.ends_with("/conflicts"));
    browser.open(&analysis);
    browser.says("10 conflicts to decide");
    browser.says("9990 updated");
}
