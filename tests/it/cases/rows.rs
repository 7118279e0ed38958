//! Every row of the two tables by which records are classified (DESIGN 4), as one world each, under every way of deleting,
//! strict or not, with the newer side preserved or not, on every engine: what is said, and what is left after the merge.

use super::place::{ENGINES, Place, backup, records};
use merganser::analyzer::Options;
use merganser::analyzer::classify::Deletes;
use merganser::executor::{self, Ending, MergeOptions, OnBlocked};
use merganser::plan::{Decision, Outcome, Plan, Selector, Stored};
use merganser::progress::Quiet;
use std::collections::BTreeMap;

/// When a row of the table says what it says.
#[derive(Clone, Copy, PartialEq)]
enum When {
    Always,
    Deleting(Deletes),
    Strict,
}

/// One row: the sides' texts of a record (none: no such record), and the classes that it may get.
struct Row {
    key: u32,
    /// The fields besides the key, as JSON without its braces; the base's is none where nothing is known.
    sides: [Option<&'static str>; 3],
    said: &'static [(When, &'static str)],
}

/// The first that fits the options is what is said; none: unchanged, not listed.
fn said(row: &Row, options: &Options) -> Option<&'static str> {
    let fits = |when: When| match when {
        When::Always => true,
        When::Deleting(deletes) => options.deletes == deletes,
        When::Strict => options.strict,
    };
    row.said.iter().find(|(when, _)| fits(*when)).map(|(_, text)| *text)
}

const OLD: &str = r#""a": "x", "b": "p", "updated_at": "2024-01-01T00:00:00Z""#;
const NEW: &str = r#""a": "y", "b": "p", "updated_at": "2024-02-01T00:00:00Z""#;

/// Presence, and times of change: no base.
const TWO_WAY: &[Row] = &[
    Row { key: 1, sides: [None, None, Some(OLD)], said: &[(When::Always, "new only_in_backup")] },
    Row {
        key: 2,
        sides: [None, Some(OLD), None],
        said: &[(When::Deleting(Deletes::Mirror), "current_only not_in_backup")],
    },
    Row { key: 3, sides: [None, Some(OLD), Some(OLD)], said: &[] },
    // Only the time of change differs.
    Row {
        key: 4,
        sides: [None, Some(OLD), Some(r#""a": "x", "b": "p", "updated_at": "2024-03-01T00:00:00Z""#)],
        said: &[],
    },
    Row { key: 5, sides: [None, Some(OLD), Some(NEW)], said: &[(When::Always, "updated backup_newer")] },
    Row { key: 6, sides: [None, Some(NEW), Some(OLD)], said: &[(When::Always, "conflict current_newer")] },
    // Two seconds apart are equal, three are not.
    Row {
        key: 7,
        sides: [None, Some(OLD), Some(r#""a": "y", "b": "p", "updated_at": "2024-01-01T00:00:02Z""#)],
        said: &[(When::Always, "conflict no_evidence_equal")],
    },
    Row {
        key: 8,
        sides: [None, Some(OLD), Some(r#""a": "y", "b": "p", "updated_at": "2024-01-01T00:00:03Z""#)],
        said: &[(When::Always, "updated backup_newer")],
    },
    Row {
        key: 9,
        sides: [None, Some(OLD), Some(r#""a": "y", "b": "p", "updated_at": null"#)],
        said: &[(When::Always, "conflict no_evidence_missing")],
    },
    Row {
        key: 10,
        sides: [None, Some(r#""a": "x", "b": "p", "updated_at": null"#), Some(NEW)],
        said: &[(When::Always, "conflict no_evidence_missing")],
    },
    Row {
        key: 11,
        sides: [None, Some(OLD), Some(r#""a": "y", "b": "p""#)],
        said: &[(When::Always, "conflict no_evidence_missing")],
    },
    Row {
        key: 12,
        sides: [None, Some(OLD), Some(r#""a": "y", "b": "p", "updated_at": "9000-01-01T00:00:00Z""#)],
        said: &[(When::Always, "conflict no_evidence_future")],
    },
    // What is absent has no opinion; null has one.
    Row { key: 13, sides: [None, Some(OLD), Some(r#""a": "x", "updated_at": "2024-02-01T00:00:00Z""#)], said: &[] },
    Row {
        key: 14,
        sides: [None, Some(OLD), Some(r#""a": "x", "b": null, "updated_at": "2024-02-01T00:00:00Z""#)],
        said: &[(When::Always, "updated backup_newer")],
    },
    // A redaction mark is absent.
    Row {
        key: 15,
        sides: [
            None,
            Some(OLD),
            Some(r#""a": "[REDACTED]", "b": "***REDACTED***", "updated_at": "2024-02-01T00:00:00Z""#),
        ],
        said: &[],
    },
];

/// No base and no time of change.
const TIMELESS: &[Row] = &[
    Row { key: 1, sides: [None, None, Some(r#""a": "x", "b": "p""#)], said: &[(When::Always, "new only_in_backup")] },
    Row {
        key: 2,
        sides: [None, Some(r#""a": "x", "b": null"#), Some(r#""a": "x", "b": "p""#)],
        said: &[(When::Always, "updated fills_empty")],
    },
    Row {
        key: 3,
        sides: [None, Some(r#""a": "x", "b": null"#), Some(r#""a": "y", "b": "p""#)],
        said: &[(When::Always, "conflict both_differ")],
    },
    Row {
        key: 4,
        sides: [None, Some(r#""a": "x", "b": "p""#), Some(r#""a": "x", "b": null"#)],
        said: &[(When::Always, "conflict both_differ")],
    },
    Row { key: 5, sides: [None, Some(r#""a": "x", "b": "p""#), Some(r#""a": "x""#)], said: &[] },
    // An empty text is not null.
    Row {
        key: 6,
        sides: [None, Some(r#""a": "x", "b": """#), Some(r#""a": "x", "b": "p""#)],
        said: &[(When::Always, "conflict both_differ")],
    },
];

const X: Option<&str> = Some(r#""a": "x", "b": "p""#);
const A: Option<&str> = Some(r#""a": "y", "b": "p""#);
const B: Option<&str> = Some(r#""a": "x", "b": "q""#);
const BOTH: Option<&str> = Some(r#""a": "z", "b": "q""#);

/// Against a base: base, current, backup.
const THREE_WAY: &[Row] = &[
    Row { key: 1, sides: [X, X, X], said: &[] },
    Row { key: 2, sides: [X, X, A], said: &[(When::Always, "updated only_backup_changed")] },
    Row { key: 3, sides: [X, A, X], said: &[] },
    Row { key: 4, sides: [X, A, A], said: &[] },
    Row {
        key: 5,
        sides: [X, A, B],
        said: &[(When::Strict, "conflict merged_fields"), (When::Always, "updated merged_fields")],
    },
    Row { key: 6, sides: [X, A, BOTH], said: &[(When::Always, "conflict both_changed")] },
    Row { key: 7, sides: [X, None, X], said: &[] },
    Row { key: 8, sides: [X, None, A], said: &[(When::Always, "conflict deleted_in_current")] },
    Row {
        key: 9,
        sides: [X, X, None],
        said: &[
            (When::Deleting(Deletes::Apply), "current_only deleted_in_backup"),
            (When::Deleting(Deletes::Mirror), "current_only not_in_backup"),
        ],
    },
    Row {
        key: 10,
        sides: [X, A, None],
        said: &[
            (When::Deleting(Deletes::Apply), "conflict deleted_in_backup"),
            (When::Deleting(Deletes::Mirror), "current_only not_in_backup"),
        ],
    },
    Row { key: 11, sides: [None, X, X], said: &[] },
    Row { key: 12, sides: [None, X, A], said: &[(When::Always, "conflict both_differ")] },
    Row { key: 13, sides: [None, Some(r#""a": "x", "b": null"#), X], said: &[(When::Always, "updated fills_empty")] },
    Row { key: 14, sides: [None, None, X], said: &[(When::Always, "new only_in_backup")] },
    Row { key: 15, sides: [None, X, None], said: &[(When::Deleting(Deletes::Mirror), "current_only not_in_backup")] },
    Row { key: 16, sides: [X, None, None], said: &[] },
    // An absent field has no opinion, whatever the base has.
    Row { key: 17, sides: [X, A, Some(r#""b": "p""#)], said: &[] },
    Row {
        key: 18,
        sides: [X, X, Some(r#""a": null, "b": "p""#)],
        said: &[(When::Always, "updated only_backup_changed")],
    },
    Row { key: 19, sides: [X, A, Some(r#""a": null, "b": "p""#)], said: &[(When::Always, "conflict both_changed")] },
];

/// Records of one side.
fn side(rows: &[Row], side: usize) -> String {
    let line = |row: &Row| row.sides[side].map(|fields| format!("t {{\"id\": {}, {fields}}}\n", row.key));
    rows.iter().filter_map(line).collect()
}

fn stored(plan: &Plan) -> Vec<Stored> {
    let mut all = Vec::new();
    plan.each(&Selector::default(), &mut |record| {
        all.push(record);
        Ok(())
    })
    .expect("a readable plan");
    all
}

/// What a record is like after a merge under `backup-wins`, by its sides and its outcome.
fn after(row: &Row, outcome: Option<Outcome>) -> Option<BTreeMap<String, String>> {
    let fields = |side: usize| -> Option<BTreeMap<String, String>> {
        let text = row.sides[side]?;
        let json: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&format!("{{{text}}}")).expect("a record");
        let text = |v: &serde_json::Value| v.as_str().map_or_else(String::new, |t| format!("={t}"));
        let kept = json.iter().filter(|(n, _)| *n != "updated_at");
        Some(kept.map(|(n, v)| (n.clone(), text(v))).collect())
    };
    match outcome {
        Some(Outcome::Deleted) => None,
        Some(Outcome::Inserted) => fields(2),
        Some(Outcome::Updated) => {
            let mut record = fields(1)?;
            let base = fields(0);
            for (name, value) in fields(2)? {
                // What only current changed since the base stays.
                if base.as_ref().is_none_or(|base| base.get(&name) != Some(&value)) {
                    record.insert(name, value);
                }
            }
            Some(record)
        }
        _ => fields(1),
    }
}

/// Runs a table's rows on an engine under one set of options.
fn check(engine: usize, rows: &[Row], columns: &str, options: &Options) {
    let place = Place::new(engine, &format!("CREATE TABLE t (id {{id}}, {columns});"));
    place.fill(&records(&side(rows, 1)));
    backup(place.world(), "b.json", &records(&side(rows, 2)), &["t".to_owned()]);
    let base = rows.iter().any(|r| r.sides[0].is_some()).then_some("o.json");
    if base.is_some() {
        backup(place.world(), "o.json", &records(&side(rows, 0)), &["t".to_owned()]);
    }
    let name =
        format!("{} {:?} strict {} newer {}", ENGINES[engine], options.deletes, options.strict, options.preserve_newer);
    let analyzed = place.world().analyze_with(&mut *place.database(), "b.json", base, "backup-wins", options.clone());
    let (mut plan, _) = analyzed.unwrap_or_else(|e| panic!("{name}: {}", e.full_message()));
    let key = |r: &Stored| merganser::model::Key(r.finding.key.clone()).to_string().parse::<u32>().expect("a number");
    let found: BTreeMap<u32, String> =
        stored(&plan).iter().map(|r| (key(r), format!("{} {}", r.finding.class, r.finding.reason))).collect();
    let wanted: BTreeMap<u32, String> =
        rows.iter().filter_map(|r| Some((r.key, said(r, options)?.to_owned()))).collect();
    assert_eq!(found, wanted, "{name}");
    // The classes add up to the records of the backup, besides conflicts about records that it lacks.
    let lacking = wanted.values().filter(|w| w.as_str() == "conflict deleted_in_backup").count();
    let in_backup = rows.iter().filter(|r| r.sides[2].is_some()).count();
    assert_eq!(plan.meta().counts().backup_records() as usize, in_backup + lacking, "{name}");

    for record in stored(&plan).iter().filter(|r| r.outcome == Some(Outcome::Undecided)) {
        plan.decide(record, Some(Decision::Skip), "t", "t").expect("decides");
    }
    let (preview, _) = plan.settle(&Quiet).expect("settles");
    plan.update_meta(&place.world().home.key().expect("a key"), |_| {}).expect("seals");
    let merging = MergeOptions { ending: Ending::Commit, on_blocked: OnBlocked::Skip, ..MergeOptions::default() };
    let merged = executor::merge(&mut plan, &mut *place.database(), &place.world().home, &merging, &Quiet);
    let merged = merged.unwrap_or_else(|e| panic!("{name}: {} {:?}", e.full_message(), e.detail_lines()));
    assert_eq!(merged.counts, preview, "{name}");
    let outcomes: BTreeMap<u32, Option<Outcome>> = stored(&plan).iter().map(|r| (key(r), r.outcome)).collect();
    if options.preserve_newer
        && let Some(outcome) = outcomes.get(&6).filter(|_| base.is_none() && wanted.contains_key(&6))
    {
        let newer = wanted[&6] == "conflict current_newer";
        assert_eq!(*outcome == Some(Outcome::KeptNewer), newer, "{name}: current is newer and stays");
    }
    let expected: BTreeMap<String, Vec<Option<String>>> = rows
        .iter()
        .filter_map(|row| {
            let record = after(row, outcomes.get(&row.key).copied().flatten())?;
            let cell = |n: &str| record.get(n).and_then(|v| v.strip_prefix('=')).map(str::to_owned);
            Some((row.key.to_string(), vec![cell("a"), cell("b")]))
        })
        .collect();
    let read = place.read("t", &["id".to_owned(), "a".to_owned(), "b".to_owned()]);
    let is: BTreeMap<String, Vec<Option<String>>> =
        read.into_iter().map(|mut row| (row.remove(0).expect("a key"), row)).collect();
    assert_eq!(is, expected, "{name}: after the merge (left: found)");
    place.remove();
}

/// Every set of options, on one engine.
fn every_option(engine: usize) {
    for deletes in [Deletes::Keep, Deletes::Apply, Deletes::Mirror] {
        for strict in [false, true] {
            for preserve_newer in [true, false] {
                let options = Options { deletes, strict, preserve_newer, ..Options::default() };
                let fields = "a varchar(40), b varchar(40)";
                check(engine, THREE_WAY, fields, &options);
                if deletes == Deletes::Apply {
                    // Deletions are known from a base only.
                    continue;
                }
                check(engine, TWO_WAY, &format!("{fields}, updated_at {{at}}"), &options);
                check(engine, TIMELESS, fields, &options);
            }
        }
    }
}

#[test]
fn every_row_of_the_tables_under_every_option_on_sqlite() {
    every_option(0);
}

#[test]
fn every_row_of_the_tables_under_every_option_on_postgres() {
    every_option(1);
}

#[test]
fn every_row_of_the_tables_under_every_option_on_mariadb() {
    every_option(2);
}
