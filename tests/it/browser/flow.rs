//! U38, U41–U46: from the first run over upload, analysis, decisions and merge to undo, in each way a person may take it.

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

/// Analyzes the backup as the page offers it, and returns the analysis's path.
fn analyze_as_offered(browser: &Browser) -> String {
    browser.press("Analyze for Merge");
    browser.at("/analyze");
    browser.press("Analyze for Merge");
    browser.path_that("the analysis", |p| p.starts_with("/analyses/p-"))
}

/// Returns what has to be ticked on a review before it can be merged.
pub(crate) fn ticks(browser: &Browser) -> Vec<String> {
    let found = browser.script(
        "return [...document.querySelectorAll('main form input[type=checkbox][required]')].map((e) => `input[name='${e.name}']`);",
    );
    serde_json::from_value(found).expect("names")
}

fn merged(site: &Site) {
    assert_eq!(site.value("SELECT email FROM users WHERE id = 3"), "carl@example.org", "decided: the backup");
    assert_eq!(site.value("SELECT email FROM users WHERE id = 4"), "dora@example.com", "decided: current");
    assert_eq!(site.value("SELECT email FROM users WHERE id = 5"), "own@example.org", "decided: a value of one's own");
    assert_eq!(site.value("SELECT name FROM users WHERE id = 2"), "Bea <b>Bold</b> \u{202e}gnp", "brought back");
    assert_eq!(site.value("SELECT name FROM users WHERE id = 9"), "Nora New", "never touched");
}

fn undone(site: &Site) {
    assert_eq!(site.value("SELECT email FROM users WHERE id = 3"), "carl@example.com");
    assert_eq!(site.value("SELECT email FROM users WHERE id = 5"), "emil@example.com");
    assert_eq!(site.value("SELECT CAST(count(*) AS text) FROM users WHERE id = 2"), "0");
}

fn undo(browser: &Browser) {
    browser.says("records were written");
    browser.press("Undo");
    browser.says("will be taken back");
    browser.press("Take back");
    browser.path_that("the undo", |p| p.starts_with("/merges/u-"));
}

fn by_mouse(engine: Engine, setup: Setup) {
    let site = Site::start(engine, false);
    let browser = Browser::start(&site.root, setup);
    set_up(&site, &browser);
    upload(&site, &browser);
    let analysis = analyze(&browser);
    // U41: names from data are shown and do nothing.
    browser.open(&format!("{analysis}/tables/users?class=new"));
    browser.says("Bea <b>Bold</b> \\u{202e}gnp");
    browser.open(&analysis);
    browser.says("3 conflicts to decide");
    browser.press("Decide");
    browser.press("One by one");
    browser.says("Carl Fischer");
    browser.press("Take Backup");
    browser.says("Dora Lang");
    browser.press("Keep Current");
    browser.says("Emil Kaya");
    browser.click("input[name='f-email'][value=value]");
    browser.type_into("input[name='v-email']", "own@example.org");
    browser.press("Use the fields as chosen below");
    browser.says("Decided by field: email");
    browser.open(&format!("{analysis}/review"));
    browser.says("5 changes into app");
    browser.press("Dry run");
    browser.says("rolled back. Nothing was changed.");
    assert_eq!(site.value("SELECT email FROM users WHERE id = 3"), "carl@example.com", "a dry run keeps nothing");
    browser.press("Perform Incremental Merge");
    browser.at("/merges/m-");
    merged(&site);
    undo(&browser);
    undone(&site);
    browser.open("/history");
    browser.says("unbroken");
}

#[test]
fn u38_the_whole_flow_by_mouse_on_sqlite() {
    by_mouse(Engine::Sqlite, Setup::default());
}

#[test]
fn u38_the_whole_flow_by_mouse_on_postgres() {
    by_mouse(Engine::Postgres, Setup::default());
}

#[test]
fn u38_the_whole_flow_with_script_off() {
    by_mouse(Engine::Sqlite, Setup { no_script: true, ..Setup::default() });
}

#[test]
fn u38_the_whole_flow_by_keyboard_alone() {
    let site = Site::start(Engine::Sqlite, false);
    let browser = Browser::start(&site.root, Setup::default());
    browser.open(&site.setup);
    let (tab, enter, space) = ("\u{e004}", "\u{e007}", " ");
    browser.element("#user");
    browser.keys("ada");
    browser.keys(tab);
    browser.keys(PASSWORD);
    browser.keys(enter);
    browser.says("Nothing is here yet");
    browser.keys("gb");
    browser.at("/backups");
    // The file itself is chosen in a window of the system's, which no page sees.
    browser.type_into("#file", site.backup.to_str().expect("a path"));
    let focus = |css: &str| {
        for _ in 0..60 {
            browser.keys(tab);
            if browser.script(&format!("return document.activeElement.matches({css:?});")) == true {
                return;
            }
        }
        panic!("{css} can't be reached with Tab");
    };
    focus("form[data-upload] button");
    browser.keys(enter);
    browser.at("/backups/b-");
    focus("main a.primary");
    browser.keys(enter);
    browser.at("/analyze");
    focus("input[name=intent]");
    // Arrows choose among the intents; the last one asks about everything.
    browser.keys("\u{e015}\u{e015}\u{e015}");
    focus("form button.primary");
    browser.keys(enter);
    let analysis = browser.path_that("the analysis", |p| p.starts_with("/analyses/p-"));
    focus(".needs a");
    browser.keys(enter);
    browser.at(&format!("{analysis}/conflicts"));
    focus("a.button[href*='/records/']");
    browser.keys(enter);
    browser.says("Carl Fischer");
    browser.keys("b");
    browser.says("Dora Lang");
    browser.keys("c");
    browser.says("Emil Kaya");
    browser.keys("e");
    browser.keys("own@example.org");
    focus("[data-key]");
    browser.keys("f");
    browser.keys(space);
    browser.keys(enter);
    browser.says("Decided by field: email");
    browser.open(&format!("{analysis}/review"));
    focus("form button.primary");
    browser.keys(enter);
    browser.at("/merges/m-");
    merged(&site);
    focus("main a[href$='/undo']");
    browser.keys(enter);
    browser.says("will be taken back");
    focus("form button.primary");
    browser.keys(enter);
    browser.at("/merges/u-");
    undone(&site);
    browser.keys("?");
    browser.element("dialog[open] dl.keys");
}

#[test]
fn single_letter_keys_can_be_switched_off() {
    let site = Site::start(Engine::Sqlite, false);
    let browser = Browser::start(&site.root, Setup::default());
    set_up(&site, &browser);
    upload(&site, &browser);
    let analysis = analyze(&browser);
    browser.open("/keys");
    browser.click("[data-keys-off]");
    browser.open(&format!("{analysis}/tables/users?class=conflict"));
    browser.click("tbody th a");
    browser.element("form[data-conflict]");
    let record = browser.path();
    browser.keys("b");
    browser.keys("gb");
    browser.keys("?");
    assert_eq!(browser.path(), record);
    assert_eq!(browser.script("return document.querySelector('dialog[open]') === null;"), true);
    browser.open(&analysis);
    browser.says("3 conflicts to decide");
}

#[test]
fn the_first_run_can_encrypt_backups_once_the_recovery_key_was_kept() {
    let site = Site::start(Engine::Sqlite, false);
    let browser = Browser::start(&site.root, Setup::default());
    browser.open(&site.setup);
    browser.says("none in a circle");
    browser.type_into("#user", "ada");
    browser.type_into("#password", PASSWORD);
    browser.click("input[name=encrypt]");
    browser.press("Finish");
    browser.at("/recovery");
    let secret = browser.script("return document.querySelector('pre.key').innerText.trim();");
    let secret = secret.as_str().expect("a key").to_owned();
    assert!(secret.starts_with("AGE-SECRET-KEY-1"));
    browser.type_into("#proof", "none");
    browser.press("I have kept it");
    browser.says("not the last four characters");
    browser.type_into("#proof", &secret[secret.len() - 4..]);
    browser.press("I have kept it");
    browser.says("Nothing is here yet");
    browser.open("/recovery");
    browser.at("/settings");
    browser.says("✓ new backups");
    assert!(!browser.text().contains(&secret), "it is shown to nobody any more");
    browser.open("/backups");
    browser.press("Back up now");
    let backup = browser.path_that("the new backup", |p| p.starts_with("/backups/b-"));
    browser.says("age");
    browser.open(&backup);
    let analysis = analyze(&browser);
    browser.open(&analysis);
    browser.says("Current already has everything in this backup");
}

#[test]
fn u46_nothing_was_changed_is_said_where_it_is_so() {
    let site = Site::start(Engine::Sqlite, false);
    let browser = Browser::start(&site.root, Setup::default());
    set_up(&site, &browser);
    upload(&site, &browser);
    let analysis = analyze_as_offered(&browser);
    site.run("UPDATE users SET email = 'late@example.org' WHERE id = 4");
    browser.open(&format!("{analysis}/review"));
    browser.press("Perform Incremental Merge");
    browser.says("Nothing was changed.");
    browser.says("users/4");
    assert_eq!(site.value("SELECT email FROM users WHERE id = 3"), "carl@example.com");
    assert_eq!(site.value("SELECT email FROM users WHERE id = 4"), "late@example.org");
}

#[test]
fn u43_a_protected_database_is_merged_into_with_its_name_only() {
    let site = Site::start(Engine::Sqlite, true);
    let browser = Browser::start(&site.root, Setup::default());
    set_up(&site, &browser);
    upload(&site, &browser);
    let analysis = analyze_as_offered(&browser);
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
    browser.at("/analyze");
    browser.click("details:has(#deletes) summary");
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
    first.says("Dora Lang");
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
