//! U43–U45: from the first run over upload, analysis and decisions to the merge.

use super::chromium::{Browser, Setup};
use super::site::{Engine, PASSWORD, Site};

/// Makes the administrator with the link of the first run.
pub(crate) fn set_up(site: &Site, browser: &Browser) {
    browser.open(&site.setup);
    browser.type_into("#user", "ada");
    browser.type_into("#password", PASSWORD);
    browser.press("Finish");
    browser.says("Nothing is here yet");
}

/// Uploads the backup and returns its page's path.
pub(crate) fn upload(site: &Site, browser: &Browser) -> String {
    browser.open("/backups");
    browser.type_into("#file", site.backup.to_str().expect("a path"));
    browser.press("Upload");
    browser.path_that("the backup's page", |p| p.starts_with("/backups/b-"))
}

/// Analyzes the backup with every conflict asked, and returns the analysis's path.
pub(crate) fn analyze(browser: &Browser) -> String {
    browser.press("Analyze for Merge");
    browser.at("/analyze");
    browser.click("input[name=intent][value=custom]");
    browser.press("Analyze for Merge");
    browser.path_that("the analysis", |p| p.starts_with("/analyses/p-"))
}

#[test]
fn u43_a_protected_database_is_merged_into_with_its_name_only() {
    let site = Site::start(Engine::Sqlite, true);
    let browser = Browser::start(&site.root, Setup::default());
    set_up(&site, &browser);
    upload(&site, &browser);
    browser.press("Analyze for Merge");
    browser.press("Analyze for Merge");
    let analysis = browser.path_that("the analysis", |p| p.starts_with("/analyses/p-"));
    browser.says("PROTECTED");
    browser.open(&format!("{analysis}/review"));
    browser.type_into("#confirm", "ap");
    browser.press("Perform Incremental Merge");
    browser.says("nothing was changed");
    assert_eq!(site.value("SELECT email FROM users WHERE id = 3"), "carl@example.com");
    browser.open(&format!("{analysis}/review"));
    browser.type_into("#confirm", "app");
    browser.press("Perform Incremental Merge");
    browser.at("/merges/m-");
    assert_eq!(site.value("SELECT email FROM users WHERE id = 3"), "carl@example.org");
}

#[test]
fn a_full_restore_asks_for_its_word_and_says_how_many_records_go() {
    let site = Site::start(Engine::Sqlite, false);
    let browser = Browser::start(&site.root, Setup::default());
    set_up(&site, &browser);
    upload(&site, &browser);
    browser.press("Analyze for Merge");
    browser.click("details summary");
    browser.click("#deletes option[value=mirror]");
    browser.press("Analyze for Merge");
    let analysis = browser.path_that("the analysis", |p| p.starts_with("/analyses/p-"));
    browser.open(&format!("{analysis}/review"));
    browser.says("1 record will be deleted");
    browser.type_into("#word", "restore");
    browser.press("Perform Incremental Merge");
    browser.says("nothing was changed");
    assert_eq!(site.value("SELECT name FROM users WHERE id = 9"), "Nora New");
    browser.open(&format!("{analysis}/review"));
    browser.type_into("#word", "RESTORE");
    browser.press("Perform Incremental Merge");
    browser.at("/merges/m-");
    assert_eq!(site.value("SELECT CAST(count(*) AS text) FROM users WHERE id = 9"), "0");
}

#[test]
fn u44_u45_a_second_person_sees_who_decided_and_a_session_that_ends_loses_nothing() {
    let site = Site::start(Engine::Sqlite, false);
    let first = Browser::start(&site.root, Setup::default());
    set_up(&site, &first);
    upload(&site, &first);
    let analysis = analyze(&first);
    first.press("Decide");
    first.press("One by one");
    let record = first.path_that("a record", |p| p.contains("/records/"));
    let second = Browser::start(&site.root, Setup::default());
    second.open(&record);
    second.at("/login");
    second.type_into("#user", "ada");
    second.type_into("#password", PASSWORD);
    second.press("Log in");
    second.at(&record);
    first.press("Take Backup");
    first.says("dora@example.com");
    second.press("Keep Current");
    second.says("Changed by ada in the meantime");
    second.says("Decided: take the Backup's record.");
    // The cookie goes, as it does when a session ends; the decision stays.
    first.click(".who button");
    first.at("/login");
    first.open(&analysis);
    first.at("/login");
    first.type_into("#user", "ada");
    first.type_into("#password", PASSWORD);
    first.press("Log in");
    first.says("2 conflicts to decide");
}
