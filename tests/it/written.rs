//! What a merge writes that neither side has is shown before it is written.

use crate::world::World;
use merganser::analyzer::Options;
use merganser::executor::{Ending, OnBlocked};
use merganser::plan::Outcome;
use merganser::report::{Analyzed, RecordView, Secrets, html, text};
use serde_json::{Value as Json, json};

const RULES: &str = "summary = \"Both\"\n[[rule]]\nfield = \"tags\"\ntake = \"union\"\n[[rule]]\nfield = \"tokens\"\ntake = \"union\"\n\
     [[rule]]\ntake = \"backup\"\n";

/// Returns what a record's fields will hold, where that is neither side's.
fn written(view: &RecordView) -> Vec<(String, Json)> {
    view.fields.iter().filter_map(|f| Some((f.name.clone(), f.written.clone()?))).collect()
}

#[test]
fn a_value_made_of_both_sides_is_shown_in_text_json_and_html() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, tags TEXT, tokens TEXT, note TEXT);
         INSERT INTO t VALUES (1, 'a,bb', 'cur-1', 'x'), (2, 'a', 'b', 'x');",
    );
    world.backup(
        "b.json",
        &[("t", json!([{"id": 1, "tags": "a,cc", "tokens": "bak-1", "note": "y"}, {"id": 2, "note": "z"}]))],
    );
    world.file("rules.toml", RULES);
    let rules = world.path("rules.toml").to_string_lossy().into_owned();
    let (mut plan, preview) = world.analyze("b.json", None, &rules, Options::default()).expect("analyzes");
    let secrets = Secrets::default();
    let (one, two) = (plan.record("t/1").expect("differs"), plan.record("t/2").expect("differs"));

    let view = RecordView::of(&plan, &one, &secrets);
    let [(tags, value), (tokens, hidden)] = written(&view).try_into().expect("two fields");
    assert_eq!((tags.as_str(), &value, tokens.as_str()), ("tags", &json!("a,bb,cc"), "tokens"));
    assert!(hidden["redacted"].is_string(), "a secret stays one: {hidden}");
    assert_eq!(written(&RecordView::of(&plan, &two, &secrets)), [], "the backup's own value is beside it already");

    let shown = text::record(&plan, &one, &secrets);
    assert!(shown.contains("written") && shown.contains("\"a,bb,cc\"") && !shown.contains("cur-1"), "{shown}");
    assert!(!text::record(&plan, &two, &secrets).contains("written"));
    let page = html::plan(&Analyzed::of(&plan, preview), &plan, &secrets).expect("a page");
    assert!(page.contains(">Written</th>") && page.contains("a,bb,cc") && !page.contains("cur-1"), "{page}");

    world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!(world.value("SELECT tags || ' ' || tokens FROM t WHERE id = 1"), "a,bb,cc cur-1,bak-1");
}

#[test]
fn a_reference_that_follows_its_record_is_shown_as_it_is_written() {
    let world = World::new(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id));
         INSERT INTO users VALUES (57, 'a@x');",
    );
    world.backup(
        "b.json",
        &[("users", json!([{"id": 41, "email": "a@x"}])), ("orders", json!([{"id": 5, "user_id": 41}]))],
    );
    world.file(
        "rules.toml",
        "summary = \"One\"\n[[rule]]\nreason = \"unique_taken\"\ntake = \"into-existing\"\n[[rule]]\ntake = \"backup\"\n",
    );
    let rules = world.path("rules.toml").to_string_lossy().into_owned();
    let (plan, _) = world.analyze("b.json", None, &rules, Options::default()).expect("analyzes");
    let order = plan.record("orders/5").expect("is new");
    assert_eq!(order.outcome, Some(Outcome::Inserted));
    let view = RecordView::of(&plan, &order, &Secrets::default());
    assert_eq!(written(&view), [("user_id".to_owned(), json!(57))]);
}
