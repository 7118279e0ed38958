//! Hostile names and values on their way out, and records wider and longer than drivers like (CHECKS F82, F83).

use crate::cases::place::{Place, Records, backup, records};
use merganser::analyzer::Options;
use merganser::executor::{self, MergeOptions};
use merganser::model::schema::Engine;
use merganser::plan::{Plan, Preview};
use merganser::progress::Quiet;
use merganser::report::{Analyzed, Secrets, html, sql, text};
use serde_json::json;

const TABLE: &str = "we\"ird`'; DROP TABLE canary; --\n\\! x";
const COLUMN: &str = "co\"l`umn'); --\nx";
const VALUES: [&str; 7] = [
    "'; DROP TABLE canary; --",
    "\\'; DROP TABLE canary; --",
    "\\",
    "line\n\\! touch /tmp/x\n-- ",
    "$$; DROP TABLE canary; $$",
    "<script>alert(1)</script>\u{1b}]52;c;eA==\u{7}\u{202e}",
    "a\u{8}\"`%s${x}",
];

/// Makes a database in which everything has a hostile name, with a table that must outlive it.
fn hostile(engine: usize, content: &Records) -> Place {
    let quote = |name: &str| match engine {
        2 => format!("`{}`", name.replace('`', "``")),
        _ => format!("\"{}\"", name.replace('"', "\"\"")),
    };
    let schema = format!(
        "CREATE TABLE {} (id int PRIMARY KEY, {} varchar(200)); CREATE TABLE canary (id int PRIMARY KEY);",
        quote(TABLE),
        quote(COLUMN)
    );
    let place = Place::new(engine, &schema);
    backup(place.world(), "b.json", content, &[]);
    place
}

fn analyze(place: &Place) -> (Plan, Preview) {
    let analyzed =
        place.world().analyze_with(&mut *place.database(), "b.json", None, "backup-wins", Options::default());
    analyzed.unwrap_or_else(|e| panic!("{}", e.full_message()))
}

fn merge(place: &Place, plan: &mut Plan) {
    executor::merge(plan, &mut *place.database(), &place.world().home, &MergeOptions::default(), &Quiet)
        .unwrap_or_else(|e| panic!("{} {:?}", e.full_message(), e.detail_lines()));
}

#[test]
fn f81_f82_hostile_names_and_values_are_inert_in_statements_pages_and_on_the_terminal() {
    let content: Records = VALUES
        .iter()
        .enumerate()
        .map(|(id, value)| {
            let record = json!({"id": id, COLUMN: value});
            (TABLE.to_owned(), record.as_object().cloned().expect("an object"))
        })
        .collect();
    for engine in 0..3 {
        let place = hostile(engine, &content);
        let (mut plan, preview) = analyze(&place);
        let secrets = Secrets::default();
        let review = sql::review(&plan, &secrets).expect("writes");
        let analyzed = Analyzed::of(&plan, preview);
        let page = html::plan(&analyzed, &plan, &secrets).expect("writes");
        assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;"), "the page runs a script");
        let record = plan.record(&format!("{TABLE}/5")).expect("is there");
        let shown = text::record(&plan, &record, &secrets);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "control characters reach a terminal: {shown:?}");
        // Whoever runs the review on a copy gets what the merge writes, and nothing else happens.
        let copy = hostile(engine, &content);
        match &copy {
            Place::Sqlite(world) => world.sql(&review),
            Place::Server(live) => live.sql(&review),
        }
        assert_eq!(plan.meta().schema.engine, [Engine::Sqlite, Engine::Postgres, Engine::Mysql][engine]);
        merge(&place, &mut plan);
        assert_eq!(copy.content(), place.content(), "the review on engine {engine}:\n{review}");
        assert_eq!(place.content().len(), VALUES.len());
        assert!(place.read("canary", &["id".to_owned()]).is_empty());
    }
}

#[test]
fn f83_more_parameters_than_a_statement_may_have_are_written_in_parts() {
    // 1,500 records of 60 columns are 90,000 parameters.
    let columns: Vec<String> = (1..60).map(|n| format!("c{n}")).collect();
    let schema = format!(
        "CREATE TABLE wide (id int PRIMARY KEY, {});",
        columns.iter().map(|c| format!("{c} int")).collect::<Vec<_>>().join(", ")
    );
    let lines: String = (0..1_500)
        .map(|id| {
            let cells: String = columns.iter().enumerate().map(|(n, c)| format!(", \"{c}\": {}", id + n)).collect();
            format!("wide {{\"id\": {id}{cells}}}\n")
        })
        .collect();
    let content = records(&lines);
    for engine in 0..3 {
        let place = Place::new(engine, &schema);
        place.fill(&content[..10].to_vec());
        backup(place.world(), "b.json", &content, &[]);
        let (mut plan, preview) = analyze(&place);
        assert_eq!(preview.inserted, 1_490);
        merge(&place, &mut plan);
        let found = place.read("wide", &["id".to_owned(), "c59".to_owned()]);
        assert_eq!(found.len(), 1_500);
        assert!(found.contains(&vec![Some("1499".to_owned()), Some("1557".to_owned())]));
    }
}

#[test]
fn f83_a_value_beyond_the_servers_packet_is_blocked_by_name() {
    let place = Place::new(2, "CREATE TABLE t (id int PRIMARY KEY, a longtext);");
    let line = format!("t {{\"id\": 1, \"a\": \"{}\"}}\nt {{\"id\": 2, \"a\": \"small\"}}", "x".repeat(17 << 20));
    backup(place.world(), "b.json", &records(&line), &[]);
    let (plan, preview) = analyze(&place);
    assert_eq!((preview.inserted, preview.blocked), (1, 1));
    let blocked = plan.record("t/1").expect("is there");
    let note = blocked.finding.note.unwrap_or_default();
    assert!(note.starts_with("a: ") && note.contains("max_allowed_packet"), "{}", &note[..note.len().min(200)]);
}
