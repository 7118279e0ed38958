//! U39: every page and state, in light and dark, without serious findings of axe and without scrolling sideways at 320 pixels
//! and at 400 %; with `MERGANSER_SHOTS=FOLDER` pictures of each go there, which is what `tests/screenshots.sh` asks for.

use super::chromium::{Browser, Setup};
use super::flow::{analyze, set_up, upload};
use super::site::{PASSWORD, Site};
use serde_json::json;

/// Who looks, and what was found.
struct Look<'a> {
    browser: &'a Browser,
    theme: &'static str,
    wrong: Vec<String>,
}

impl Look<'_> {
    fn picture(&self, name: &str, width: u32, most: u64) {
        let Some(folder) = std::env::var_os("MERGANSER_SHOTS") else { return };
        let height = self.browser.script("return document.documentElement.scrollHeight;").as_u64().unwrap_or(900);
        self.browser.screen(width, u32::try_from(height.clamp(600, most)).unwrap_or(900));
        let path = std::path::Path::new(&folder).join(format!("{name}-{}.png", self.theme));
        std::fs::write(&path, self.browser.picture()).expect("a picture is written");
    }

    /// Looks at the page that is open.
    fn at(&mut self, name: &str) {
        let theme = self.theme;
        self.browser.screen(1280, 900);
        self.wrong.extend(self.browser.axe().into_iter().map(|line| format!("{name}, {theme}: {line}")));
        self.picture(name, 1280, 2_400);
        // 1280 pixels at 400 % are a page of 320 by 225.
        for (size, width, height) in [("320 pixels", 320, 700), ("400 %", 320, 225)] {
            self.browser.screen(width, height);
            let over = self.browser.overflow();
            if over > 0 {
                let who = self.browser.script(
                    "return [...document.querySelectorAll('main *, header *, footer *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll')).slice(0, 4).map((e) => e.tagName + '.' + e.className).join(' ');",
                );
                self.wrong.push(format!("{name}, {theme}: {over} pixels wider than {size}: {who}"));
            }
        }
        if theme == "light" {
            self.picture(&format!("{name}-320"), 320, 3_000);
        }
        self.browser.screen(1280, 900);
    }

    fn open(&mut self, name: &str, path: &str) {
        self.browser.open(path);
        self.browser.element("main");
        self.at(name);
    }
}

fn every_page(dark: bool) {
    let theme = if dark { "dark" } else { "light" };
    let site = Site::shop();
    let browser = Browser::start(&site.root, Setup { dark, ..Setup::default() });
    let mut look = Look { browser: &browser, theme, wrong: Vec::new() };
    browser.open(&site.setup);
    assert_eq!(browser.script("return matchMedia('(prefers-color-scheme: dark)').matches;"), dark);
    look.at("01-first-run");
    set_up(&site, &browser);
    look.at("02-home-empty");
    for (name, path) in
        [("03-backups-empty", "/backups"), ("06-analyses-empty", "/analyses"), ("14-schedules-empty", "/schedules")]
    {
        look.open(name, path);
    }
    let broken = site.backup.with_file_name("broken.json");
    let whole = std::fs::read(&site.backup).expect("the backup");
    std::fs::write(&broken, &whole[..whole.len() / 2]).expect("a broken backup");
    browser.open("/backups");
    browser.type_into("#file", broken.to_str().expect("a path"));
    browser.press("Upload");
    browser.element("[role=alert]");
    look.at("03-upload-broken");
    let backup = upload(&site, &browser);
    look.at("04-inspect");
    look.open("04-inspect-search", &format!("{backup}?q=Harbour"));
    browser.open(&backup);
    browser.press("Analyze for Merge");
    browser.at("/analyze");
    look.at("05-wizard");
    browser.open(&backup);
    let analysis = analyze(&browser);
    look.at("06-result");
    look.open("07-table", &format!("{analysis}/tables/customers?class=conflict"));
    look.open("07-table-new", &format!("{analysis}/tables/customers?class=new"));
    look.open("07-table-nothing", &format!("{analysis}/tables/customers?class=conflict&q=nobody"));
    look.open("07-table-only-current", &format!("{analysis}/tables/customers?class=current_only"));
    for (name, table) in
        [("08-conflict", "customers"), ("08-conflict-lines", "products"), ("08-conflict-text", "reviews")]
    {
        browser.open(&format!(
            "{analysis}/tables/{table}?class=conflict&q={}",
            match table {
                "customers" => "Mill",
                "products" => "Dishwasher",
                _ => "nothing",
            }
        ));
        browser.click("tbody th a");
        browser.element("form[data-conflict]");
        look.at(name);
    }
    browser.open(&format!("{analysis}/tables/reviews?class=blocked"));
    browser.click("tbody th a");
    look.at("08-blocked");
    look.open("08-patterns", &format!("{analysis}/conflicts"));
    browser.click("button[value=backup]");
    browser.says("Take Backup for ");
    look.at("08-pattern-preview");
    look.open("09-review-waiting", &format!("{analysis}/review"));
    decide_all(&browser, &analysis);
    look.open("06-result-decided", &analysis);
    browser.says("1 record would change who may do what");
    look.open("09-review", &format!("{analysis}/review"));
    browser.says("staff/3: role, is_superuser");
    for selector in super::flow::ticks(&browser) {
        browser.click(&selector);
    }
    browser.press("Perform Incremental Merge");
    browser.at("/merges/m-");
    look.at("11-done");
    browser.press("Undo");
    browser.says("will be taken back");
    look.at("12-undo");
    browser.open("/backups");
    browser.press("Back up now");
    browser.path_that("the new backup", |p| p.starts_with("/backups/b-"));
    for (name, path) in [
        ("02-home", "/"),
        ("03-backups", "/backups"),
        ("06-analyses", "/analyses"),
        ("13-history", "/history"),
        ("14-schedules", "/schedules?last=1&daily=7"),
        ("15-settings", "/settings"),
        ("16-system", "/system"),
        ("17-keys", "/keys"),
        ("18-not-found", "/analyses/p-none"),
    ] {
        look.open(name, path);
    }
    browser.click(".who button");
    browser.at("/login");
    look.at("00-login");
    browser.type_into("#user", "ada");
    browser.type_into("#password", "not it at all");
    browser.press("Log in");
    browser.says("not right");
    look.at("00-login-refused");
    assert!(!browser.text().contains(PASSWORD));
    assert!(look.wrong.is_empty(), "{}", look.wrong.join("\n"));
}

/// What is seen only when something runs, fails, is away, waits or has grown old.
fn every_state(dark: bool) {
    let theme = if dark { "dark" } else { "light" };
    let (current, backup) = super::shop::now_and_then();
    let config = format!("protected = true\n{}", super::shop::CONFIG);
    let site = Site::apart(&format!("{} BEGIN; {current} COMMIT;", super::shop::TABLES), &backup, &config);
    let browser = Browser::start(&site.root, Setup { dark, ..Setup::default() });
    let mut look = Look { browser: &browser, theme, wrong: Vec::new() };
    // The first run with a recovery key.
    browser.open(&site.setup);
    browser.type_into("#user", "ada");
    browser.type_into("#password", PASSWORD);
    browser.click("input[name=encrypt]");
    browser.press("Finish");
    browser.at("/recovery");
    look.at("01-recovery");
    let secret = browser.script("return document.querySelector('pre.key').innerText.trim();");
    let secret = secret.as_str().expect("a key").to_owned();
    browser.type_into("#proof", &secret[secret.len() - 4..]);
    browser.press("I have kept it");
    browser.says("Nothing is here yet");
    // A backup whose columns are called otherwise.
    let renamed = site.backup.with_file_name("renamed.json");
    let text = std::fs::read_to_string(&site.backup).expect("the backup").replace("\"city\"", "\"town\"");
    std::fs::write(&renamed, text).expect("written");
    browser.open("/backups");
    browser.type_into("#file", renamed.to_str().expect("a path"));
    browser.press("Upload");
    browser.press("Analyze for Merge");
    browser.at("/analyze");
    browser.press("Analyze for Merge");
    browser.says("Map the names");
    look.at("11-names-do-not-fit");
    browser.press("Map the names");
    browser.says("town");
    look.at("05-wizard-columns");
    // A note beside a decision.
    let backup = upload(&site, &browser);
    let analysis = analyze(&browser);
    browser.open(&format!("{analysis}/tables/customers?class=conflict"));
    browser.click("tbody th a");
    let record = browser.path_that("a record", |p| p.contains("/records/"));
    browser.type_into("textarea[name=note]", "asked the branch: the old address is right");
    browser.click("input[name=onward]");
    browser.press("Take Backup");
    browser.says("asked the branch");
    look.open("08-conflict-noted", &record);
    decide_all(&browser, &analysis);
    look.open("09-review-protected", &format!("{analysis}/review"));
    // The application holds the database: the merge waits for it, and is stopped.
    let merge = || {
        browser.open(&format!("{analysis}/review"));
        for selector in super::flow::ticks(&browser) {
            browser.click(&selector);
        }
        browser.type_into("#confirm", "shop");
        browser.press("Perform Incremental Merge");
    };
    let application = site.application();
    application.execute_batch("BEGIN IMMEDIATE").expect("held");
    merge();
    browser.at("/operations/o-");
    look.at("10-running");
    look.open("02-home-running", "/");
    browser.script("history.back();");
    browser.press("Cancel");
    application.execute_batch("ROLLBACK").expect("let go");
    browser.says("Nothing was changed.");
    look.at("11-stopped");
    // What it was analyzed for is changed: stale.
    site.run("UPDATE customers SET notes = coalesce(notes, '') || ' late'");
    merge();
    browser.says("Nothing was changed.");
    look.at("11-stale");
    // Nobody knows how one ended.
    let state = site.data("state.db");
    let operation = browser.path_that("an operation", |p| p.starts_with("/operations/o-"));
    let id = operation.rsplit('/').next().expect("an id").to_owned();
    let problem = json!({"type": "https://merganser.dev/problems/outcome_unknown", "title": "", "status": 500, "code": "outcome_unknown",
        "detail": "the connection was lost while the merge was being committed", "hint": "Find it out once the database can be reached."});
    let sql = "INSERT INTO operations SELECT 'o-unknown', kind, 'unknown', started_at, json_set(operation, '$.id', 'o-unknown', '$.state', 'unknown', '$.problem', json(?1)) FROM operations WHERE id = ?2";
    state.execute(sql, [&problem.to_string(), &id]).expect("noted");
    look.open("11-unknown", "/operations/o-unknown");
    // A year of backups, and its retention.
    browser.open(&backup);
    let name = browser.path();
    let of = name.rsplit('/').next().expect("an id").to_owned();
    let catalog = site.data("catalog.db");
    for day in 1..=120 {
        let at = (chrono::Utc::now() - chrono::TimeDelta::days(day * 2))
            .to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let id = format!("b-day{day}");
        let sql = "INSERT INTO backups (id, name, created_at, digest, entry, schema) SELECT ?1, ?1, ?2, ?1,
                   json_set(entry, '$.id', ?1, '$.name', ?1, '$.created_at', ?2, '$.digest', ?1, '$.file', ?1), schema FROM backups WHERE id = ?3";
        catalog.execute(sql, [&id, &at, &of]).expect("an old backup");
    }
    look.open("14-schedules-many", "/schedules?last=3&daily=7&weekly=8&monthly=6");
    look.open("03-backups-many", "/backups");
    // The database is away.
    std::fs::rename(site.file(), site.file().with_extension("away")).expect("moved");
    look.open("16-system-down", "/system");
    look.open("09-review-down", &format!("{analysis}/review"));
    browser.open(&format!("/analyze?backup={of}"));
    look.at("05-wizard-down");
    look.open("18-no-such-backup", "/backups/b-none");
    std::fs::rename(site.file().with_extension("away"), site.file()).expect("moved back");
    assert!(look.wrong.is_empty(), "{}", look.wrong.join("\n"));
}

/// Takes the backup's records for every pattern of conflicts.
fn decide_all(browser: &Browser, analysis: &str) {
    loop {
        browser.open(&format!("{analysis}/review"));
        if !browser.text().contains("for a decision") {
            return;
        }
        browser.open(&format!("{analysis}/conflicts"));
        let asked = "return [...document.querySelectorAll('tr[data-undecided] button[value=backup]')].length;";
        assert!(browser.script(asked).as_u64() > Some(0), "{}", browser.text());
        browser.click("tr[data-undecided] button[value=backup]");
        browser.says("Take Backup for ");
        let together = "return document.querySelector('[data-preview] button.primary') !== null;";
        if browser.script(together).as_bool() == Some(true) {
            browser.click("[data-preview] button.primary");
            let conflicts = format!("{analysis}/conflicts");
            browser.path_that("the conflicts without the question", |path| path == conflicts);
        } else {
            // What changes who may do what is never decided together.
            browser.says("decided by itself");
            browser.click("tr[data-undecided] a");
            browser.path_that("the record", |path| path.contains("/records/"));
            browser.click("main form button[value=backup]");
            browser.says("Decided");
        }
    }
}

#[test]
fn u39_every_page_in_light() {
    every_page(false);
}

#[test]
fn u39_every_page_in_dark() {
    every_page(true);
}

#[test]
fn u39_every_state_in_light() {
    every_state(false);
}

#[test]
fn u39_every_state_in_dark() {
    every_state(true);
}
