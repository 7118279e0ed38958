//! What answers are worth: which are taken and which refused at once, what happens to them when many are answered, when
//! the plan is made anew, and when they meet what another record has.

use crate::cli::World as Desk;
use crate::live::both;
use crate::world::{World, listed};
use merganser::analyzer::Options;
use merganser::executor::{Ending, OnBlocked};
use merganser::plan::answer::{Answered, Given};
use merganser::plan::choices::{Choice, consequences, refusal};
use merganser::plan::{Decision, FieldDecision, Outcome, Plan, decision};
use merganser::progress::Quiet;
use merganser::{ErrorKind, Result};
use serde_json::{Value as Json, json};

/// Answers a record as a person does.
fn answer(plan: &mut Plan, record: &str, decision: Decision) -> Result<()> {
    let record = plan.record(record)?;
    plan.decide(&record, Some(decision), "me", "now")
}

fn fields(answers: &[(&str, FieldDecision)]) -> Decision {
    Decision::Fields { fields: answers.iter().map(|(name, answer)| ((*name).to_owned(), answer.clone())).collect() }
}

fn typed(name: &str, value: Json) -> Decision {
    fields(&[(name, FieldDecision::Value(value))])
}

fn outcome(plan: &Plan, record: &str) -> (Option<Outcome>, Option<String>) {
    let record = plan.record(record).expect("is there");
    (record.outcome, record.why)
}

const PEOPLE: &str = "CREATE TABLE users (id int PRIMARY KEY, email varchar(20) UNIQUE, name varchar(20), password_hash varchar(20) NOT NULL DEFAULT 'x', age int);
     INSERT INTO users VALUES (1, 'a@x', 'Ada', 'h1', 1), (2, 'b@x', 'Bob', 'h2', 2), (3, 'c@x', 'Cy', 'h3', 3);";

fn people() -> Json {
    json!([{"id": 1, "email": "a@x", "name": "Ada L", "password_hash": "b1", "age": 1}, {"id": 2, "email": "b@x", "name": "Bo", "password_hash": "b2", "age": 2},
        {"id": 3, "email": "c@x", "name": "Cyril", "password_hash": "b3", "age": 3}, {"id": 9, "email": "n@x", "name": "New", "password_hash": "b9", "age": 9}])
}

fn guarded() -> Options {
    let column = || vec!["users.password_hash".to_owned()];
    Options { skip_columns: column(), never_write: column(), ..Options::default() }
}

/// Checks that an error is a usage error that says something.
fn refused<T: std::fmt::Debug>(result: Result<T>, says: &[&str]) {
    let error = result.expect_err("is refused");
    assert_eq!(error.kind(), ErrorKind::Usage);
    let text = format!("{} {}", error.full_message(), error.hint_text().unwrap_or_default());
    says.iter().for_each(|word| assert!(text.contains(word), "{word}: {text}"));
}

/// What is never written takes no typed value and not the backup's, one by one or from a file.
fn never_written(plan: &mut Plan) {
    refused(
        answer(plan, "users/1", typed("password_hash", json!("z"))),
        &["users.password_hash is never written", "never_write"],
    );
    refused(answer(plan, "users/1", fields(&[("password_hash", FieldDecision::Backup)])), &["never written"]);
    refused(answer(plan, "users/9", typed("password_hash", json!("z"))), &["never written"]);
    let file = |text: Json| decision::from_json(&text.to_string(), &|t| t == "users").expect("reads");
    let ours = json!({"schema": "merganser.decisions/1", "decisions":
        [{"table": "users", "key": "2", "action": "current"}, {"table": "users", "key": "1", "action": "fields", "fields": {"password_hash": {"value": "z"}}}]});
    refused(plan.import(file(ours), "me"), &["never written"]);
    let theirs = json!({"users_1": {"action": "use_custom", "customData": {"password_hash": "z"}}});
    refused(plan.import(file(theirs), "me"), &["never written"]);
    assert!(plan.decisions().expect("reads").is_empty(), "nothing of a file that is refused is kept");
    // The current value is what it keeps anyway.
    answer(plan, "users/1", fields(&[("password_hash", FieldDecision::Current), ("name", FieldDecision::Backup)]))
        .expect("is taken");
}

#[test]
fn what_is_never_written_is_never_answered() {
    let world = World::new(PEOPLE);
    world.backup("b.json", &[("users", people())]);
    let (mut plan, _) = world.analyze("b.json", None, "manual", guarded()).expect("analyzes");
    never_written(&mut plan);
    for live in both(PEOPLE) {
        live.world.backup("b.json", &[("users", people())]);
        let (mut plan, _) = live.analyze("b.json", None, "manual", guarded()).expect("analyzes");
        never_written(&mut plan);
    }
    // A strategy that withholds a column leaves nothing of it to take.
    let (mut plan, _) = world.analyze("b.json", None, "environment-sync", Options::default()).expect("analyzes");
    assert!(plan.meta().withheld.contains(&"users.password_hash".to_owned()), "{:?}", plan.meta().withheld);
    refused(
        answer(&mut plan, "users/1", fields(&[("password_hash", FieldDecision::Backup)])),
        &["the strategy never brings it"],
    );
}

#[test]
fn nothing_else_writes_what_is_never_written() {
    let world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT, updated_at TEXT); INSERT INTO t VALUES (1, 'a', '2024-01-01T00:00:00Z')",
    );
    world.backup("b.json", &[("t", json!([{"id": 1, "n": "b", "updated_at": "2025-01-01T00:00:00Z"}]))]);
    let clock = || vec!["t.updated_at".to_owned()];
    let options = Options {
        skip_columns: clock(),
        never_write: clock(),
        touch: merganser::analyzer::options::Touch::Analysis,
        ..Options::default()
    };
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", options).expect("analyzes");
    let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Refuse).expect("merges");
    assert_eq!(merged.counts.updated, 1, "{:?}", listed(&plan));
    assert_eq!(world.value("SELECT n || updated_at FROM t"), "b2024-01-01T00:00:00Z");
}

#[test]
fn u11_a_record_that_was_left_out_is_never_written_unasked() {
    let sql = "CREATE TABLE u (id int PRIMARY KEY, n varchar(9), m varchar(9)); INSERT INTO u VALUES (1, 'c', 'c'), (2, 'c', 'c'), (3, 'c', 'c'), (4, 'c', 'c'), (5, 'c', 'c');";
    let check = |world: &World, execute: &dyn Fn(&str), analyze: &dyn Fn() -> Plan| {
        world.backup("b.json", &[("u", json!([1, 2, 3, 4, 5].map(|id| json!({"id": id, "n": "b", "m": "b"}))))]);
        let mut earlier = analyze();
        answer(&mut earlier, "u/1", Decision::Skip).expect("answers");
        answer(&mut earlier, "u/2", Decision::Current).expect("answers");
        answer(&mut earlier, "u/3", fields(&[("n", FieldDecision::Backup)])).expect("answers");
        answer(&mut earlier, "u/4", Decision::Current).expect("answers");
        // Three of them are other questions now; u/5 was never answered.
        execute("DELETE FROM u WHERE id IN (1, 2)");
        execute("UPDATE u SET m = 'd' WHERE id = 3");
        let mut plan = analyze();
        let (taken, left) = plan.adopt(&earlier).expect("adopts");
        assert_eq!((taken, left.len()), (2, 2), "{left:?}");
        assert!(left.iter().all(|line| line.contains("it is asked again")), "{left:?}");
        let (preview, _) = plan.settle(&Quiet).expect("settles");
        assert_eq!(
            (preview.skipped, preview.kept, preview.undecided, preview.updated, preview.inserted),
            (1, 1, 2, 1, 0)
        );
        assert_eq!(outcome(&plan, "u/2").0, Some(Outcome::Undecided));
        // What waits is no answer: it is not exported, and an answer in bulk finds it.
        assert_eq!(plan.decisions().expect("reads").len(), 2);
        let again = plan.record("u/2").expect("is there");
        assert_eq!(again.answer(), None);
        assert!(matches!(plan.given(&again, &Decision::Skip, Answered::Stays), Ok(Given::Answer(_))));
        // It is asked in every plan that follows, until it is answered.
        let mut third = analyze();
        assert_eq!(third.adopt(&plan).expect("adopts").0, 2);
        assert_eq!(third.settle(&Quiet).expect("settles").0.undecided, 2);
        answer(&mut third, "u/2", Decision::Backup).expect("answers");
        assert_eq!(third.settle(&Quiet).expect("settles").0.inserted, 1);
    };
    let world = World::new(sql);
    check(&world, &|sql| world.sql(sql), &|| {
        world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes").0
    });
    for live in both(sql) {
        check(&live.world, &|sql| live.sql(sql), &|| {
            live.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes").0
        });
    }
}

#[test]
fn an_answer_from_a_file_that_is_to_another_question_leaves_it_open() {
    let world = World::new(PEOPLE);
    world.backup("b.json", &[("users", people())]);
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    answer(&mut plan, "users/1", Decision::Current).expect("answers");
    let file = decision::to_json(plan.decisions().expect("reads"));
    world.sql("UPDATE users SET name = 'Other' WHERE id = 1");
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", Options::default()).expect("analyzes");
    let entries = decision::from_json(&file, &|_| true).expect("reads");
    let (taken, left) = plan.import(entries, "me").expect("imports");
    assert_eq!((taken, left.len()), (0, 1), "{left:?}");
    assert_eq!(plan.settle(&Quiet).expect("settles").0.undecided, 1);
}

#[test]
fn an_answer_to_many_leaves_what_was_answered() {
    let world = World::new(PEOPLE);
    world.backup("b.json", &[("users", people())]);
    let (mut plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    let mine = typed("name", json!("carefully typed"));
    answer(&mut plan, "users/1", mine.clone()).expect("answers");
    let record = plan.record("users/1").expect("is there");
    let given = |decision: &Decision, answered| plan.given(&record, decision, answered).expect("fits");
    assert_eq!(given(&Decision::Current, Answered::Stays), Given::Before);
    assert_eq!(given(&Decision::Current, Answered::Replaced), Given::Answer(Decision::Current));
    // A field that nobody answered is added; one that was answered is not answered anew.
    let more = fields(&[("age", FieldDecision::Current)]);
    let Given::Answer(Decision::Fields { fields: both }) = given(&more, Answered::Stays) else { panic!("is added") };
    assert_eq!(both.len(), 2);
    assert_eq!(given(&fields(&[("name", FieldDecision::Backup)]), Answered::Stays), Given::Before);
}

/// A plan of conflicts under the data folder of the program.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.sql("INSERT INTO users VALUES (7, 'taken@x', 'g', 'h', '2026-11-01T00:00:00Z')");
    let user = |id: u32, email: &str| json!({"id": id, "email": email, "name": format!("new {id}"), "updated_at": "2026-11-01T00:00:00Z"});
    let users = json!([user(1, "a@x"), user(3, "c@x"), user(9, "z@x"), user(20, "taken@x")]);
    let backup = json!({"tables": [{"tableName": "users", "records": users}], "metadata": {"version": "1.0"}});
    desk.write("b.json", &backup.to_string());
    desk.text(0, &["analyze", "b.json", "-o", "p.mplan", "--strategy", "manual"]);
    desk
}

#[test]
fn bulk_answers_are_counted_before_and_leave_what_is_answered_or_impossible() {
    let desk = desk();
    desk.text(0, &["resolve", "p.mplan", "--record", "users/1", "--set", "name=carefully typed"]);
    let before = std::fs::read(desk.path("p.mplan")).expect("reads");
    let told = desk.text(0, &["resolve", "p.mplan", "--take", "backup", "--dry-run"]);
    for says in [
        "2 records would be answered.",
        "1 record stays as it is answered already; --replace answers anew.",
        "backup is impossible for 1 record:",
        "not taken: users/20: another current record holds its unique key",
        "A merge would then write: 3 updated, 1 undecided. Nothing was answered.",
    ] {
        assert!(told.contains(says), "{says}: {told}");
    }
    assert!(std::fs::read(desk.path("p.mplan")).expect("reads") == before, "a preview leaves the plan alone");
    let dry = desk.result(0, &["resolve", "p.mplan", "--take", "backup", "--dry-run"]);
    let done = desk.result(0, &["resolve", "p.mplan", "--take", "backup"]);
    for name in ["decided", "answered_before", "impossible", "preview"] {
        assert_eq!(dry[name], done[name], "{name}");
    }
    assert_eq!((&done["decided"], &done["answered_before"], &done["impossible"]), (&json!(2), &json!(1), &json!(1)));
    let kept = desk.text(0, &["show", "p.mplan", "record", "users/1"]);
    assert!(kept.contains("name = \"carefully typed\""), "{kept}");
    let anew = desk.result(0, &["resolve", "p.mplan", "--take", "current", "--replace"]);
    assert_eq!((&anew["decided"], &anew["answered_before"]), (&json!(4), &json!(0)));
    desk.text(2, &["resolve", "p.mplan", "--dry-run"]);
}

#[test]
fn impossible_answers_are_refused_at_once_with_their_reason() {
    let desk = desk();
    let told = desk.text(2, &["resolve", "p.mplan", "--record", "users/20", "--take", "backup"]);
    assert!(
        told.contains("users/20: backup is impossible here: another current record holds its unique key"),
        "{told}"
    );
    assert!(
        desk.text(2, &["resolve", "p.mplan", "--record", "users/1", "--take", "undelete"])
            .contains("undelete is impossible")
    );
    assert!(
        desk.text(2, &["resolve", "p.mplan", "--record", "users/1", "--take", "new-key"])
            .contains("new-key is impossible")
    );
    // Where none of many can be answered so, that is what is said.
    let told = desk.text(0, &["resolve", "p.mplan", "--take", "new-key"]);
    assert!(told.contains("Nothing was answered: new-key is possible for none of 4 records."), "{told}");
    assert!(told.contains("not taken: users/20: email itself is taken"), "{told}");
    assert!(!told.contains("the plan has no conflict"), "{told}");
}

#[test]
fn choices_look_at_the_unique_keys_of_the_record_that_they_make() {
    let sql = "CREATE TABLE users (id int PRIMARY KEY, email varchar(20) UNIQUE NOT NULL, phone varchar(20) UNIQUE, name varchar(20), created_at varchar(30));
         INSERT INTO users VALUES (57, 'a@x', '111', 'Cur', '2024-01-01T00:00:00Z'), (58, 'c@x', '222', 'Third', '2024-01-01T00:00:00Z'),
            (41, 'z@x', '444', 'Other', '2025-01-01T00:00:00Z'), (61, 'q@x', '661', 'S', '2024-01-01T00:00:00Z'), (62, 'r@x', '662', 'T', '2024-01-01T00:00:00Z');";
    let user = |id: u32, email: &str, phone: &str, at: &str| json!({"id": id, "email": email, "phone": phone, "name": "B", "created_at": at});
    let users = json!([
        user(90, "a@x", "222", "2024-01-01T00:00:00Z"),
        user(41, "y@x", "222", "2023-01-01T00:00:00Z"),
        user(61, "q@x", "662", "2024-01-01T00:00:00Z"),
        user(62, "r@x", "661", "2024-01-01T00:00:00Z")
    ]);
    let check = |plan: &mut Plan| {
        let record = plan.record("users/90").expect("is there");
        let held = "phone = 222 is held by users/58";
        assert_eq!(refusal(plan, &record, Choice::IntoExisting).as_deref(), Some(held), "{:?}", listed(plan));
        refused(answer(plan, "users/90", Decision::IntoExisting), &[held]);
        let record = plan.record("users/41").expect("is there");
        assert_eq!(refusal(plan, &record, Choice::Backup).as_deref(), Some(held));
        assert_eq!(refusal(plan, &record, Choice::NewKey).as_deref(), Some(held));
        // What another answer may free is possible, and it is said what it waits for.
        let record = plan.record("users/61").expect("is there");
        assert_eq!(refusal(plan, &record, Choice::Backup), None);
        let told = |plan: &Plan| {
            let offers = consequences(plan, &record).expect("a readable plan");
            offers.into_iter().find(|o| o.choice == Choice::Backup).and_then(|o| o.consequence).expect("is legal")
        };
        assert!(
            told(plan).ends_with("; can't be written as it stands: phone = 662 is held by users/62"),
            "{}",
            told(plan)
        );
        answer(plan, "users/62", Decision::Backup).expect("is taken");
        answer(plan, "users/61", Decision::Backup).expect("is taken");
        plan.settle(&Quiet).expect("settles");
        assert_eq!(outcome(plan, "users/61").0, Some(Outcome::Updated), "{:?}", listed(plan));
        assert!(!told(plan).contains("can't be written"), "{}", told(plan));
    };
    let world = World::new(sql);
    world.backup("b.json", &[("users", users.clone())]);
    check(&mut world.analyze("b.json", None, "manual", Options::default()).expect("analyzes").0);
    for live in both(sql) {
        live.world.backup("b.json", &[("users", users.clone())]);
        check(&mut live.analyze("b.json", None, "manual", Options::default()).expect("analyzes").0);
    }
    // A part of the table, too: the record that is brought back meets the one that took its place.
    let world = World::new(
        "CREATE TABLE u (id INTEGER PRIMARY KEY, e TEXT, deleted_at TEXT); CREATE UNIQUE INDEX x ON u (e) WHERE deleted_at IS NULL;
         INSERT INTO u VALUES (1, 'e', '2025-01-01'), (2, 'e', NULL);",
    );
    world.backup("b.json", &[("u", json!([{"id": 1, "e": "e", "deleted_at": null}]))]);
    let (plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    let record = plan.record("u/1").expect("is there");
    let why = refusal(&plan, &record, Choice::Undelete).expect("is impossible");
    assert!(why.contains("is held by u/2"), "{why}");
}

#[test]
fn typed_values_are_held_against_what_the_column_and_the_plan_hold() {
    let check = |plan: &mut Plan| {
        refused(answer(plan, "users/1", typed("name", json!("longer than twenty characters"))), &["users.name"]);
        refused(answer(plan, "users/1", typed("age", json!(99_999_999_999_i64))), &["users.age"]);
        refused(answer(plan, "users/1", typed("age", json!("old"))), &["does not fit"]);
        refused(answer(plan, "users/1", typed("password_hash", json!(null))), &["needs a value"]);
    };
    for live in both(PEOPLE) {
        live.world.backup("b.json", &[("users", people())]);
        let (mut plan, _) = live.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
        check(&mut plan);
    }
    let world = World::new(PEOPLE);
    let mut people = people();
    people[2]["email"] = json!("new@x");
    world.backup("b.json", &[("users", people)]);
    let (mut plan, _) = world.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
    refused(answer(&mut plan, "users/1", typed("age", json!("old"))), &["does not fit"]);
    // users/3 has c@x now, users/9 brings n@x.
    let mut told = |email: &str| {
        answer(&mut plan, "users/1", typed("email", json!(email))).expect("may become free");
        plan.settle(&Quiet).expect("settles");
        outcome(&plan, "users/1")
    };
    assert_eq!(told("c@x"), (Some(Outcome::Blocked), Some("users/3 has the same email".to_owned())));
    assert_eq!(told("n@x"), (Some(Outcome::Blocked), Some("users/9 gets the same email".to_owned())));
    assert_eq!(told("free@x").0, Some(Outcome::Updated));
    // Where the other one lets go of it, it is free.
    answer(&mut plan, "users/3", Decision::Backup).expect("answers");
    answer(&mut plan, "users/1", typed("email", json!("c@x"))).expect("answers");
    plan.settle(&Quiet).expect("settles");
    assert_eq!(outcome(&plan, "users/1").0, Some(Outcome::Updated));
    // Two that are typed alike are in each other's way.
    answer(&mut plan, "users/1", typed("email", json!("t@x"))).expect("answers");
    answer(&mut plan, "users/2", typed("email", json!("t@x"))).expect("answers");
    let (preview, _) = plan.settle(&Quiet).expect("settles");
    assert_eq!(preview.blocked, 2, "{:?}", listed(&plan));
}

#[test]
fn a_typed_value_that_an_unchanged_record_has_is_refused_at_once() {
    let desk = desk();
    // Only current has users/2, and the plan holds nothing of it.
    let told = desk.text(2, &["resolve", "p.mplan", "--record", "users/20", "--set", "email=b@x"]);
    assert!(told.contains("users/20: the value can't be taken: users/2 has the same email"), "{told}");
    desk.text(0, &["resolve", "p.mplan", "--record", "users/20", "--set", "email=free@x"]);
    // One's own value is no other's; and what another record of the plan has is seen when it is settled.
    desk.text(0, &["resolve", "p.mplan", "--record", "users/1", "--set", "email=a@x"]);
    let told =
        desk.text(0, &["resolve", "p.mplan", "--record", "users/20", "--set", "email=free@x", "--set", "name=x"]);
    assert!(told.contains("1 record answered."), "{told}");
    // Where the database is away the merge finds it.
    std::fs::rename(desk.path("app.db"), desk.path("away.db")).expect("moves");
    let told = desk.text(0, &["resolve", "p.mplan", "--record", "users/20", "--set", "email=b@x"]);
    assert!(told.contains("was not asked"), "{told}");
    std::fs::rename(desk.path("away.db"), desk.path("app.db")).expect("moves");
    desk.text(0, &["resolve", "p.mplan", "--take", "skip"]);
    desk.text(3, &["merge", "p.mplan", "--dry-run"]);
}

#[test]
fn a_typed_value_that_a_server_has_is_known() {
    for live in both(PEOPLE) {
        live.sql("INSERT INTO users VALUES (50, 'only@x', 'Only', 'h', 5)");
        live.world.backup("b.json", &[("users", people())]);
        let (plan, _) = live.analyze("b.json", None, "manual", Options::default()).expect("analyzes");
        let record = plan.record("users/1").expect("is there");
        let held = |email: &str| {
            let decision = typed("email", json!(email));
            assert!(plan.types_unique(&record, &decision));
            plan.held_in(live.database().as_mut(), &record, &decision)
                .expect("asks")
                .map(|held| (held.key, held.columns))
        };
        let wanted = (Some(vec![merganser::model::Value::Integer(50)]), "email".to_owned());
        assert_eq!(held("only@x"), Some(wanted), "{:?}", live.kind);
        assert_eq!((held("free@x"), held("a@x")), (None, None));
        assert!(!plan.types_unique(&record, &typed("name", json!("x"))));
    }
}

#[test]
fn what_is_written_is_shown_where_it_is_neither_sides() {
    let desk = Desk::new();
    desk.sql(
        "INSERT INTO users VALUES (57, 'm@x', 'Mia', 'h', '2026-11-01T00:00:00Z');
         CREATE TABLE tags (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO tags VALUES (1, 5)",
    );
    let user = json!([{"id": 41, "email": "m@x", "name": "Mia B", "updated_at": "2026-10-01T00:00:00Z"}]);
    let rooms = json!([{"id": 5, "name": "five", "user_id": 41}]);
    let table = |name: &str, records: Json| json!({"tableName": name, "records": records});
    let backup = |n: u32| {
        let tables =
            [table("users", user.clone()), table("rooms", rooms.clone()), table("tags", json!([{"id": 1, "n": n}]))];
        json!({"tables": tables, "metadata": {"version": "1.0"}}).to_string()
    };
    desk.write("b.json", &backup(7));
    desk.write(
        "base.json",
        &json!({"tables": [table("tags", json!([{"id": 1, "n": 1}]))], "metadata": {"version": "1.0"}}).to_string(),
    );
    desk.write(
        "sum.toml",
        "summary = \"x\"\n[[rule]]\nfield = \"n\"\ntake = \"sum-of-changes\"\n[[rule]]\ntake = \"backup\"\n",
    );
    desk.text(0, &["analyze", "b.json", "--base", "base.json", "-o", "p.mplan", "--strategy", "sum.toml"]);
    desk.text(0, &["resolve", "p.mplan", "--take", "into-existing"]);
    let rooms = desk.text(0, &["show", "p.mplan", "record", "rooms/5"]);
    let line = rooms.lines().find(|l| l.contains("user_id")).expect("the field");
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["user_id", "—", "41", "57"], "{rooms}");
    let tags = desk.text(0, &["show", "p.mplan", "record", "tags/1"]);
    assert!(
        tags.lines().any(|l| l.split_whitespace().collect::<Vec<_>>()[..].starts_with(&["n", "1", "5", "7", "11"])),
        "{tags}"
    );
    let lines = desk.lines(0, &["show", "p.mplan", "records", "--table", "rooms"]);
    let field = lines.iter().filter_map(|l| l["fields"].as_array()).flatten().find(|f| f["name"] == "user_id").cloned();
    assert_eq!(field.expect("the field")["written"], 57);
    let html = desk.text(0, &["show", "p.mplan", "--html"]);
    assert!(html.contains("<td><code>41</code></td><td><code>57</code></td>"), "{html}");
}
