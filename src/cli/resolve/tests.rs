//! Keys and what they do, without a terminal.

use super::edit::Key;
use super::session::{Flow, Mode, Session};
use crate::analyzer::Options;
use crate::database::sqlite::Sqlite;
use crate::plan::make::{Request, make};
use crate::plan::{Decision, FieldDecision, Plan, Selector};
use crate::progress::Quiet;
use crate::report::Secrets;

const SEAL: [u8; 32] = [7; 32];

/// Makes a plan of three conflicts on one field each, the first two alike.
fn plan(folder: &std::path::Path) -> Plan {
    let connection = rusqlite::Connection::open(folder.join("c.db")).expect("opens");
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, s TEXT); INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')";
    connection.execute_batch(sql).expect("the database");
    let backup = r#"{"tables":[{"tableName":"t","records":[{"id":1,"n":10},{"id":2,"n":20},{"id":3,"s":"x"}]}],"metadata":{"version":"1.0"}}"#;
    std::fs::write(folder.join("b.json"), backup).expect("writes");
    let out = folder.join("p.mplan");
    let request = Request {
        backup: &folder.join("b.json"),
        base: None,
        read: Default::default(),
        options: Options::default(),
        strategy: "manual",
        table_strategies: Vec::new(),
        id: "p-test".to_owned(),
        out: &out,
        state_key: SEAL,
    };
    make(&request, &mut Sqlite::open(&folder.join("c.db")).expect("opens"), &Quiet).expect("analyzes").0
}

/// Presses keys one after the other: letters, `<` for Enter, `^` for Escape, `~` for Backspace.
fn press(session: &mut Session<'_>, keys: &str) -> Flow {
    keys.chars().fold(Flow::Go, |_, c| {
        let key = match c {
            '<' => Key::Enter,
            '^' => Key::Escape,
            '~' => Key::Backspace,
            other => Key::Char(other),
        };
        session.press(key).expect("the plan is written")
    })
}

/// Runs keys on a fresh plan; returns the answers as they are in the file, and what the session says last.
fn run(keys: &str) -> (Vec<Option<Decision>>, Option<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut plan = plan(folder.path());
    let secrets = Secrets::default();
    let mut session = Session::begin(&mut plan, &secrets, SEAL, "tester").expect("begins").expect("conflicts");
    press(&mut session, keys);
    let message = session.message.clone();
    drop(session);
    drop(plan);
    let plan = Plan::open(&folder.path().join("p.mplan")).expect("opens");
    plan.verify_seal(&SEAL).expect("sealed at every step");
    let records = plan.page(&Selector::default(), 0, 10).expect("reads").records;
    (records.into_iter().map(|r| r.decision).collect(), message)
}

fn field(name: &str, answer: FieldDecision) -> Option<Decision> {
    Some(Decision::Fields { fields: [(name.to_owned(), answer)].into() })
}

#[test]
fn keys_answer_and_take_back() {
    use Decision::{Backup, Current, Skip};
    let check = |keys: &str, expected: [Option<Decision>; 3]| assert_eq!(run(keys).0, expected, "{keys}");
    check("", [None, None, None]);
    check("bcs", [Some(Backup), Some(Current), Some(Skip)]);
    check("bcsuu", [Some(Backup), None, None]);
    check("nb", [None, Some(Backup), None]);
    check("nbb", [None, Some(Backup), Some(Backup)]);
    check("]pb", [Some(Backup), None, None]);
    // Alike are the first two; the third waits on.
    check("ac", [Some(Current), Some(Current), None]);
    check("acu", [None, None, None]);
    check("a^", [None, None, None]);
    // An answer that was given before comes back, not an empty one.
    check("bpcu", [Some(Backup), None, None]);
    check("nnfb", [None, None, field("s", FieldDecision::Backup)]);
    check("f ", [field("n", FieldDecision::Backup), None, None]);
    check("f  ", [field("n", FieldDecision::Current), None, None]);
    check("e~55<", [field("n", FieldDecision::Value(55.into())), None, None]);
    check("e~55^", [None, None, None]);
    check("nne~~~null<", [None, None, field("s", FieldDecision::Value(serde_json::Value::Null))]);
}

#[test]
fn what_does_not_fit_is_said_and_not_kept() {
    for (keys, says) in [
        ("e~x<", "does not fit"),
        ("e~null<", "needs a value"),
        ("u", "nothing was answered"),
        ("p", "this is the first"),
        ("nnn", "this is the last"),
        ("z", "none of the keys"),
        ("bcs]", "every conflict is answered"),
        ("bcsa", "no record like this one"),
    ] {
        let message = run(keys).1.unwrap_or_default();
        assert!(message.contains(says), "{keys}: {message}");
    }
    assert_eq!(run("e~x<").0, [None, None, None]);
}

#[test]
fn it_ends_by_a_key_and_by_ctrl_c() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut plan = plan(folder.path());
    let secrets = Secrets::default();
    let mut session = Session::begin(&mut plan, &secrets, SEAL, "tester").expect("begins").expect("conflicts");
    assert_eq!(press(&mut session, "?"), Flow::Go);
    assert_eq!(session.mode, Mode::Help);
    assert_eq!(press(&mut session, "q"), Flow::Go, "the first key ends the help only");
    assert_eq!(press(&mut session, "q"), Flow::Quit);
    let stopped = session.press(Key::Interrupt).expect_err("stops");
    assert_eq!(stopped.kind(), crate::ErrorKind::Interrupted);
}
