//! The three lists of an undo are what happens (CHECKS F94–F97): what can't be taken back is known, with its cause, before
//! anybody is asked, and what comes back refers to the records that it referred to.

use crate::cases::place::{ENGINES, Place};
use merganser::analyzer::Options;
use merganser::analyzer::classify::Deletes;
use merganser::executor::{self, Ending, MergeOptions, MergeReport, OnBlocked, Receipt, home::fresh_id};
use merganser::plan::{Plan, Selector};
use merganser::progress::Quiet;
use serde_json::{Value, json};

const SCHEMA: &str = "CREATE TABLE u (id int PRIMARY KEY, e varchar(20) UNIQUE, n varchar(9));
     CREATE TABLE o (id int PRIMARY KEY, u int, FOREIGN KEY (u) REFERENCES u (id));
     CREATE TABLE k (id int PRIMARY KEY, e varchar(20), FOREIGN KEY (e) REFERENCES u (e));";

fn sql(place: &Place, sql: &str) {
    match place {
        Place::Sqlite(world) => world.sql(sql),
        Place::Server(live) => live.sql(sql),
    }
}

fn carry_out(place: &Place, plan: &mut Plan, ending: Ending) -> MergeReport {
    let options = MergeOptions { ending, on_blocked: OnBlocked::Skip, ..MergeOptions::default() };
    let done = executor::merge(plan, &mut *place.database(), &place.world().home, &options, &Quiet);
    done.unwrap_or_else(|e| panic!("{e} {:?}", e.detail_lines()))
}

/// Merges a backup of the tables given, everything as the backup has it; returns the merge's id.
fn merged(place: &Place, records: &[(&str, Value)], deletes: Deletes) -> String {
    place.world().backup("b.json", records);
    let options = Options { deletes, ..Options::default() };
    let analyzed = place.world().analyze_with(&mut *place.database(), "b.json", None, "backup-wins", options);
    let (mut plan, preview) = analyzed.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((preview.undecided, preview.blocked), (0, 0), "{:?}", crate::world::listed(&plan));
    let dry = carry_out(place, &mut plan, Ending::RollBack);
    let merged = carry_out(place, &mut plan, Ending::Commit);
    assert_eq!((dry.counts, merged.counts), (preview, preview));
    merged.merge
}

/// Plans the undo of a merge, and carries it out: the lists are what happens. Returns them, a line for each record.
fn undone(place: &Place, merge: &str) -> (Vec<String>, MergeReport) {
    let home = &place.world().home;
    let receipt = Receipt::open(&home.receipt_path(merge).expect("a receipt")).expect("opens");
    let out = home.plans().join(format!("{}.mplan", fresh_id('p')));
    let mut plan = executor::undo::plan(home, &receipt, &mut *place.database(), &[], &out).expect("plans");
    let mut lines = Vec::new();
    plan.each(&Selector::default(), &mut |record| {
        let outcome = record.outcome.expect("settled");
        let word = if outcome.writes() { "reversed" } else { outcome.word() };
        let name = merganser::model::Key(record.finding.key.clone());
        let label = plan.meta().schema.tables[record.finding.table].label();
        lines.push(format!("{word} {label}/{name} {}", record.why.unwrap_or_default()).trim_end().to_owned());
        Ok(())
    })
    .expect("a readable plan");
    lines.sort();
    let before = place.content();
    let dry = carry_out(place, &mut plan, Ending::RollBack);
    assert_eq!(place.content(), before);
    let done = carry_out(place, &mut plan, Ending::Commit);
    let reversed = lines.iter().filter(|l| l.starts_with("reversed")).count() as u64;
    assert_eq!((dry.counts, done.counts.writes()), (done.counts, reversed), "{lines:?}");
    assert_eq!(done.left_out, [""; 0], "nothing is left out that was not listed");
    (lines, done)
}

fn place(engine: usize, records: &str) -> Place {
    let place = Place::new(engine, SCHEMA);
    sql(&place, records);
    place
}

fn each(check: impl Fn(usize)) {
    (0..ENGINES.len()).for_each(check);
}

#[test]
fn f95_a_value_that_another_record_has_by_now_is_listed_as_such() {
    each(|engine| {
        let place = place(engine, "INSERT INTO u VALUES (1, 'a', ''), (2, 'x', '')");
        let merge = merged(&place, &[("u", json!([{"id": 1, "e": "b"}, {"id": 2, "e": "y"}]))], Deletes::Keep);
        sql(&place, "INSERT INTO u VALUES (9, 'a', 'later')");
        let (lines, done) = undone(&place, &merge);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("blocked u/1 e: held by u/9"), "{lines:?}");
        assert_eq!((lines[1].as_str(), done.changed), ("reversed u/2", true));
        place.remove();
    });
}

#[test]
fn f95_what_waits_for_a_record_that_is_kept_is_blocked_too() {
    each(|engine| {
        let place = place(engine, "INSERT INTO u VALUES (1, 'a', ''), (2, 'b', ''), (3, 'c', '')");
        let turned = json!([{"id": 1, "e": "b"}, {"id": 2, "e": "c"}, {"id": 3, "e": "a"}]);
        let merge = merged(&place, &[("u", turned)], Deletes::Keep);
        sql(&place, "UPDATE u SET n = 'ed' WHERE id = 1");
        let (lines, done) = undone(&place, &merge);
        assert!(!done.changed);
        let cause = ["blocked u/2 e: held by u/1", "blocked u/3 e: held by u/2", "kept u/1 changed since: n"];
        assert!(lines.iter().zip(cause).all(|(line, cause)| line.starts_with(cause)), "{lines:?}");
        place.remove();
    });
}

#[test]
fn f96_what_comes_back_refers_to_the_records_that_it_referred_to() {
    each(|engine| {
        let records = "INSERT INTO u VALUES (1, 'a', ''), (2, 'x', ''), (3, 'c', ''), (4, 'd', ''); \
             INSERT INTO o VALUES (1, 2), (3, 3), (4, 1), (5, 4); INSERT INTO k VALUES (1, 'c'), (2, 'd')";
        let place = place(engine, records);
        let merge = merged(
            &place,
            &[("u", json!([{"id": 1, "e": "a", "n": ""}])), ("o", json!([])), ("k", json!([]))],
            Deletes::Mirror,
        );
        // Another has the key, or the value, of what was deleted; one is put back as it was.
        sql(&place, "INSERT INTO u VALUES (3, 'other', 'later'), (10, 'x', 'later'), (4, 'd', ''), (11, 'c', '')");
        let (lines, _) = undone(&place, &merge);
        assert_eq!(
            lines.iter().map(|l| l.split(" (").next().unwrap_or(l)).collect::<Vec<_>>(),
            [
                "blocked k/1 e → u/3, which does not come back",
                "blocked o/1 u → u/2 is not brought",
                "blocked o/3 u → u/3, which does not come back",
                "blocked u/2 e: held by u/10",
                "kept u/3 added again since",
                "kept u/4 added again since",
                "reversed k/2",
                "reversed o/4",
                "reversed o/5",
            ]
        );
        let own = |id: &str, u: &str| vec![Some(id.to_owned()), Some(u.to_owned())];
        assert_eq!(place.read("o", &["id".to_owned(), "u".to_owned()]), [own("4", "1"), own("5", "4")]);
        place.remove();
    });
}

#[test]
fn f96_a_value_that_stays_changed_takes_back_nobody_who_referred_to_it() {
    each(|engine| {
        let place = place(engine, "INSERT INTO u VALUES (1, 'c', ''), (2, 'd', ''); INSERT INTO k VALUES (1, 'c')");
        let records = [("u", json!([{"id": 1, "e": "b"}, {"id": 2, "e": "d"}])), ("k", json!([{"id": 1, "e": "d"}]))];
        let merge = merged(&place, &records, Deletes::Keep);
        sql(&place, "UPDATE u SET n = 'ed' WHERE id = 1; INSERT INTO u VALUES (9, 'c', 'another')");
        let (lines, done) = undone(&place, &merge);
        assert_eq!(lines, ["blocked k/1 e → u/1, which does not come back", "kept u/1 changed since: n"]);
        assert!(!done.changed);
        place.remove();
    });
}
