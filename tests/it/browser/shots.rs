//! U39: every page, in light and dark, without serious findings of axe and without scrolling sideways at 320 pixels; with
//! `MERGANSER_SHOTS=FOLDER` a picture of each goes there, which is what `tests/screenshots.sh` asks for.

use super::chromium::{Browser, Setup};
use super::flow::{analyze, set_up, upload};
use super::site::{Engine, PASSWORD, Site};

fn look(browser: &Browser, name: &str, theme: &str, wrong: &mut Vec<String>) {
    browser.size(1280, 900);
    wrong.extend(browser.axe().into_iter().map(|line| format!("{name}, {theme}: {line}")));
    if let Some(folder) = std::env::var_os("MERGANSER_SHOTS") {
        let height = browser.script("return document.documentElement.scrollHeight;").as_u64().unwrap_or(900);
        browser.size(1280, u32::try_from(height.clamp(600, 3_000)).unwrap_or(900));
        let path = std::path::Path::new(&folder).join(format!("{name}-{theme}.png"));
        std::fs::write(&path, browser.picture()).expect("a picture is written");
    }
    // Chromium has no narrower window than 500 pixels, so that 320 are given to the page by zooming.
    browser.size(640, 900);
    browser.script("document.documentElement.style.zoom = '2';");
    let over = browser.overflow();
    if over > 0 {
        wrong.push(format!("{name}, {theme}: {over} pixels wider than 320"));
    }
    browser.size(1280, 900);
}

fn every_page(dark: bool) {
    let theme = if dark { "dark" } else { "light" };
    let site = Site::start(Engine::Sqlite, false);
    let browser = Browser::start(&site.root, Setup { dark, ..Setup::default() });
    let mut wrong = Vec::new();
    browser.open(&site.setup);
    assert_eq!(browser.script("return matchMedia('(prefers-color-scheme: dark)').matches;"), dark);
    look(&browser, "01-first-run", theme, &mut wrong);
    set_up(&site, &browser);
    look(&browser, "02-home-empty", theme, &mut wrong);
    browser.open("/backups");
    look(&browser, "03-backups-empty", theme, &mut wrong);
    let backup = upload(&site, &browser);
    look(&browser, "04-inspect", theme, &mut wrong);
    browser.press("Analyze for Merge");
    browser.at("/analyze");
    look(&browser, "05-wizard", theme, &mut wrong);
    browser.open(&backup);
    let analysis = analyze(&browser);
    look(&browser, "06-result", theme, &mut wrong);
    browser.open(&format!("{analysis}/tables/users?class=conflict"));
    look(&browser, "07-table", theme, &mut wrong);
    browser.open(&format!("{analysis}/tables/users?class=new"));
    look(&browser, "07-table-new", theme, &mut wrong);
    browser.open(&format!("{analysis}/tables/users?class=conflict"));
    browser.click("tbody th a");
    look(&browser, "08-conflict", theme, &mut wrong);
    browser.open(&format!("{analysis}/conflicts"));
    look(&browser, "08-patterns", theme, &mut wrong);
    browser.click("button[value=backup]");
    browser.says("Take Backup for 3 conflicts");
    look(&browser, "08-pattern-preview", theme, &mut wrong);
    browser.press("Take Backup for 3 conflicts");
    browser.open(&format!("{analysis}/review"));
    look(&browser, "09-review", theme, &mut wrong);
    browser.press("Perform Incremental Merge");
    browser.at("/merges/m-");
    look(&browser, "11-done", theme, &mut wrong);
    browser.press("Undo");
    browser.says("will be taken back");
    look(&browser, "12-undo", theme, &mut wrong);
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
        browser.open(path);
        browser.element("main");
        look(&browser, name, theme, &mut wrong);
    }
    browser.click(".who button");
    browser.at("/login");
    look(&browser, "00-login", theme, &mut wrong);
    browser.type_into("#user", "ada");
    browser.type_into("#password", "not it at all");
    browser.press("Log in");
    browser.says("not right");
    look(&browser, "00-login-refused", theme, &mut wrong);
    assert!(!browser.text().contains(PASSWORD));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn u39_every_page_in_light() {
    every_page(false);
}

#[test]
fn u39_every_page_in_dark() {
    every_page(true);
}
