//! U41, U42, F91: whatever stands in names and values is shown on every screen, and nothing of it runs; long values stay short,
//! and what looks alike elsewhere looks different here.

use super::chromium::{Browser, Setup};
use super::flow::{analyze, set_up, ticks, upload};
use super::site::Site;
use serde_json::json;

/// Texts that run where a page forgets to escape one of its places.
const CORPUS: [&str; 12] = [
    "<script>window.hacked=1</script>",
    "\"><img src=x onerror=window.hacked=1>",
    "'><svg onload=window.hacked=1>",
    "javascript:window.hacked=1",
    "</textarea><script>window.hacked=1</script>",
    "</title><script>window.hacked=1</script>",
    "<iframe srcdoc='<script>parent.hacked=1</script>'>",
    "<a href=javascript:window.hacked=1>x</a>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "\" autofocus onfocus=window.hacked=1 x=\"",
    "<style>@import 'http://evil.example/x.css'</style>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=window.hacked=1>",
];

/// A table and a column whose names run, too.
const TABLE: &str = "a<img src=x onerror=window.hacked=1>b";
const COLUMN: &str = "c'\"><script>window.hacked=1</script>";

fn site() -> Site {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let table = quoted(TABLE);
    let column = quoted(COLUMN);
    let mut sql = format!(
        "CREATE TABLE {table} (id INTEGER PRIMARY KEY, name TEXT, {column} TEXT, long TEXT, n INTEGER, yes BOOLEAN);"
    );
    let mut rows = Vec::new();
    let long = "x".repeat(1_000_000);
    for (position, text) in CORPUS.iter().enumerate() {
        let escaped = text.replace('\'', "''");
        sql.push_str(&format!(
            "INSERT INTO {table} VALUES ({position}, 'current {escaped}', '{escaped}', '{long}a', 0, 0);"
        ));
        rows.push(json!({"id": position, "name": format!("backup {text}"), COLUMN: format!("{text}!"), "long": format!("{long}b"), "n": 1, "yes": true}));
    }
    let odd = [json!(null), json!(""), json!(" "), json!("\u{200b}👩‍👩‍👧 \u{202e}gnp\u{7}")];
    for (position, value) in odd.iter().enumerate() {
        rows.push(json!({"id": 100 + position, "name": value, COLUMN: value, "long": value, "n": 0, "yes": false}));
    }
    Site::apart(&sql, &json!({"metadata": {"version": "1"}, "data": {TABLE: rows}}).to_string(), "")
}

/// Looks at the page that is open.
fn harmless(browser: &Browser, what: &str) {
    let found = browser.script(
        "return {hacked: window.hacked ?? null, csp: window.refusals ?? [],
           odd: [...document.querySelectorAll('main script, main img, main iframe, main style, main math, [onerror], [onload], [onfocus], a[href^=javascript]')].map((e) => e.outerHTML.slice(0, 80)),
           size: document.documentElement.outerHTML.length};",
    );
    assert!(found["hacked"].is_null(), "{what}: something ran");
    assert_eq!(found["csp"], json!([]), "{what}");
    assert_eq!(found["odd"], json!([]), "{what}");
    assert!(found["size"].as_u64() < Some(600_000), "{what}: {} characters", found["size"]);
}

#[test]
fn f91_u41_u42_nothing_from_data_runs_on_any_screen_and_all_of_it_is_seen() {
    let site = site();
    let browser = Browser::start(&site.root, Setup::default());
    browser.at_every_page("addEventListener('securitypolicyviolation', (e) => { (window.refusals ??= []).push(e.violatedDirective + ' ' + e.blockedURI); });");
    set_up(&site, &browser);
    let backup = upload(&site, &browser);
    harmless(&browser, "inspect");
    let script = "return [...document.querySelectorAll('tbody tr')].slice(-4).map((r) => r.cells[1].innerText.trim());";
    browser.open(&format!("{backup}?q=backup+%3Cscript"));
    harmless(&browser, "search");
    browser.says("<script>window.hacked=1</script>");
    browser.open(&backup);
    let analysis = analyze(&browser);
    let table: String = url::form_urlencoded::byte_serialize(TABLE.as_bytes()).collect::<String>().replace('+', "%20");
    for page in [
        String::new(),
        format!("/tables/{table}?class=conflict"),
        format!("/tables/{table}?class=new"),
        format!("/tables/{table}?class=conflict&q=%3Cscript"),
        format!("/tables/{table}?class=conflict&column=name"),
        "/conflicts".to_owned(),
        "/review".to_owned(),
    ] {
        browser.open(&format!("{analysis}{page}"));
        browser.element("main h1");
        harmless(&browser, &page);
    }
    browser.open(&format!("{analysis}/tables/{table}?class=new"));
    let text = browser.text();
    for shown in ["empty text", "1 space, nothing else", "\\u{200b}", "\\u{202e}", "\\u{7}", "0", "false"] {
        assert!(text.contains(shown), "{shown} is not seen in {text}");
    }
    browser.open(&format!("{analysis}/tables/{table}?class=conflict"));
    browser.click("tbody th a");
    browser.element("form[data-conflict]");
    harmless(&browser, "record");
    browser.says("more");
    browser.click_through("main form button[value=backup]");
    browser.open(&format!("{analysis}/conflicts"));
    browser.click("button[value=backup]");
    browser.says("Take Backup for ");
    harmless(&browser, "preview");
    browser.click("[data-preview] button.primary");
    browser.says("Every conflict is decided");
    browser.open(&format!("{analysis}/review"));
    for tick in ticks(&browser) {
        browser.click(&tick);
    }
    browser.type_into("#note", CORPUS[1]);
    browser.press("Perform Incremental Merge");
    browser.at("/merges/m-");
    harmless(&browser, "done");
    browser.press("Undo");
    browser.says("will be taken back");
    harmless(&browser, "undo");
    for page in [
        "/",
        "/backups",
        "/analyses",
        "/history",
        "/history?q=%22%3E%3Cimg%20src%3Dx%20onerror%3Dwindow.hacked%3D1%3E",
        "/schedules?last=1",
        "/settings",
        "/system",
        "/login?next=javascript:alert(1)",
        "/analyses/%3Cscript%3E",
    ] {
        browser.open(page);
        browser.element("main h1");
        harmless(&browser, page);
    }
    browser.open(&backup);
    browser.click("details summary");
    let cells = browser.script(script);
    assert_eq!(cells.as_array().map(Vec::len), Some(4), "{cells}");
}
