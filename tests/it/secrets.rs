//! What a secret column holds is in no message: of a database, of a trigger, of a strategy, about another record.

use crate::cases::place::{ENGINES, Place, backup, records};
use merganser::analyzer::Options;
use merganser::executor::{self, Ending, MergeOptions, OnBlocked};
use merganser::plan::{Plan, Selector};
use merganser::progress::Quiet;
use merganser::report::secrets::Visible;
use merganser::report::{Analyzed, RecordView, Secrets, clean, html, text};
use merganser::{Error, Result};

/// What must be in nothing that is said.
const SECRET: &str = "s3cret";

struct Told {
    place: Place,
    options: Options,
}

impl Told {
    fn new(engine: usize, schema: &str, current: &str, of_backup: &str) -> Self {
        let place = Place::new(engine, schema);
        place.fill(&records(current));
        backup(place.world(), "b.json", &records(of_backup), &[]);
        Self { place, options: Options::default() }
    }

    fn analyze(&self, strategy: &str, base: Option<&str>) -> Plan {
        let database = &mut *self.place.database();
        let made = self.place.world().analyze_with(database, "b.json", base, strategy, self.options.clone());
        made.unwrap_or_else(|e| panic!("{e:?}")).0
    }

    fn merge(&self, plan: &mut Plan) -> Result<executor::MergeReport> {
        let options = MergeOptions { ending: Ending::Commit, on_blocked: OnBlocked::Skip, ..MergeOptions::default() };
        executor::merge(plan, &mut *self.place.database(), &self.place.world().home, &options, &Quiet)
    }
}

/// Returns an error as a caller of the library sees it, and as people see it.
fn said(plan: &Plan, error: Error, visible: Visible) -> String {
    let raw = format!("{error:?} {} {:?}", error.hint_text().unwrap_or_default(), error.detail_lines());
    let secrets = Secrets { visible, ..Secrets::default() };
    let shown = clean::error(plan, &secrets, error);
    let shown = format!("{} {:?}", shown.full_message(), shown.detail_lines());
    if visible == Visible::Yes { shown } else { format!("{raw} {shown}") }
}

/// Everything that is said of a plan.
fn everything(plan: &mut Plan) -> String {
    let secrets = Secrets::default();
    let (preview, _) = plan.settle(&Quiet).expect("settles");
    let mut told = html::plan(&Analyzed::of(plan, preview), plan, &secrets).expect("a page");
    plan.each(&Selector::default(), &mut |record| {
        let view = RecordView::of(plan, &record, &secrets).with_consequences(plan, &record, &secrets)?;
        told.push_str(&serde_json::to_string(&view).expect("JSON"));
        told.push_str(&text::record(plan, &record, &secrets));
        told.push_str(&text::choices(&view.choices));
        Ok(())
    })
    .expect("reads");
    told
}

#[test]
fn a_trigger_that_says_a_secret_is_not_repeated_unless_that_is_asked_for() {
    let raises = |body: [&str; 3]| ENGINES.iter().zip(body).map(|(_, b)| b.to_owned()).collect::<Vec<String>>();
    let triggers = raises([
        "CREATE TRIGGER no BEFORE INSERT ON users BEGIN SELECT RAISE(ABORT, 'it was s3cret-b'); END;",
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'it was %', NEW.token USING ERRCODE = '23505'; END $$; \
         CREATE TRIGGER no BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION no();",
        "CREATE TRIGGER no BEFORE INSERT ON users FOR EACH ROW BEGIN SET @said = CONCAT('it was ', NEW.token); \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @said; END;",
    ]);
    for (engine, trigger) in triggers.iter().enumerate() {
        for visible in [Visible::No, Visible::Yes] {
            let schema = format!("CREATE TABLE users (id {{id}}, token varchar(20)); {trigger}");
            let told = Told::new(engine, &schema, "", r#"users {"id": 2, "token": "s3cret-b"}"#);
            let mut plan = told.analyze("backup-wins", None);
            let error = told.merge(&mut plan).expect_err("the trigger refuses");
            let said = said(&plan, error, visible);
            assert_eq!(said.contains(SECRET), visible == Visible::Yes, "{}: {said}", ENGINES[engine]);
            assert!(said.contains("nothing was changed"), "{}: {said}", ENGINES[engine]);
        }
    }
}

#[test]
fn what_a_database_says_of_a_value_is_said_where_it_is_no_secret() {
    // Two tables with a unique value that another session takes in the meantime: one of them has a secret.
    for (engine, name) in ENGINES.iter().enumerate() {
        for (column, is_secret) in [("token", true), ("email", false)] {
            let schema = format!(
                "CREATE TABLE t (id {{id}}, {column} varchar(20) UNIQUE, n int); \
                 CREATE TABLE o (id {{id}}, v varchar(20));"
            );
            let told = Told::new(engine, &schema, "", &format!(r#"t {{"id": 2, "{column}": "s3cret-b"}}"#));
            let mut plan = told.analyze("backup-wins", None);
            told.place.fill(&records(&format!(r#"t {{"id": 1, "{column}": "s3cret-b"}}"#)));
            let said = match told.merge(&mut plan) {
                Err(error) => said(&plan, error, Visible::No),
                Ok(report) => clean::report(&plan, &Secrets::default(), report).left_out.join(" "),
            };
            assert!(!is_secret || !said.contains(SECRET), "{}: {said}", name);
            assert!(!said.is_empty(), "{}", name);
        }
    }
}

#[test]
fn no_strategy_says_what_a_secret_field_holds() {
    let schema = "CREATE TABLE u (id {id}, token varchar(60), secret_doc varchar(60), password int, pin varchar(14));";
    let side = |s: &str, doc: &str, n: i64| {
        format!(r#"u {{"id": 1, "token": "a {s} z", "secret_doc": {doc:?}, "password": {n}, "pin": "{s},x"}}"#)
    };
    for (engine, name) in ENGINES.iter().enumerate() {
        let current = side("s3cret-c", r#"{"k":"s3cret-c"}"#, 2_147_483_647);
        let patch = r#"[{"op":"test","path":"/k","value":"s3cret-b"}]"#;
        let mut told = Told::new(engine, schema, &current, &side("s3cret-b", patch, 2));
        backup(told.place.world(), "o.json", &records(&side("s3cret-o", "{}", 1)), &[]);
        told.options.secret_columns = vec![("u".to_owned(), "pin".to_owned())];
        told.place.world().file(
            "rules.toml",
            "summary = \"x\"\n[[rule]]\nfield = \"token\"\ntake = \"text-merge\"\n[[rule]]\nfield = \"secret_doc\"\ntake = \"json-patch\"\n\
             [[rule]]\nfield = \"password\"\ntake = \"sum-of-changes\"\n[[rule]]\nfield = \"pin\"\ntake = \"union\"\n[[rule]]\ntake = \"backup\"\n",
        );
        let rules = told.place.world().path("rules.toml").to_string_lossy().into_owned();
        let mut plan = told.analyze(&rules, Some("o.json"));
        let secrets = Secrets { columns: vec![("u".to_owned(), "pin".to_owned())], ..Secrets::default() };
        let told_of_it = everything(&mut plan);
        let shown = text::record(&plan, &plan.record("u/1").expect("differs"), &secrets);
        assert!(shown.contains("not what the patch expects"), "{shown}");
        // SQLite's integers have room for the sum.
        assert!(engine == 0 || shown.contains("does not fit"), "{shown}");
        for text in [&told_of_it, &shown] {
            assert!(!text.contains(SECRET) && !text.contains("2147483648"), "{}: {text}", name);
        }
        let error = told.merge(&mut plan).expect_err("asks");
        let shown = clean::error(&plan, &secrets, error);
        let shown = format!("{} {:?}", shown.full_message(), shown.detail_lines());
        assert!(!shown.contains(SECRET) && !shown.contains("2147483648"), "{}: {shown}", name);
    }
}

#[test]
fn another_record_is_not_named_by_a_secret_key() {
    let schema = "CREATE TABLE s (id varchar(30) PRIMARY KEY, token varchar(30) UNIQUE, n int); \
                  CREATE TABLE c (id {id}, tk varchar(30) REFERENCES s (token));";
    for (engine, name) in ENGINES.iter().enumerate() {
        let mut told = Told::new(
            engine,
            schema,
            r#"s {"id": "s3cret-key", "token": "s3cret-token", "n": 1}"#,
            "s {\"id\": \"other\", \"token\": \"s3cret-token\", \"n\": 2}\nc {\"id\": 2, \"tk\": \"s3cret-none\"}",
        );
        let columns = [("s", "id"), ("c", "tk")].map(|(t, c)| (t.to_owned(), c.to_owned())).to_vec();
        told.options.secret_columns = columns;
        let mut plan = told.analyze("backup-wins", None);
        let text = everything(&mut plan);
        assert!(text.contains("is held by s/[secret "), "{text}");
        assert!(!text.contains(SECRET), "{}: {text}", name);
    }
}
