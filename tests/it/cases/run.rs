//! One case on one engine, through all laws of STYLE.md.

use super::Case;
use super::place::{Place, Records, backup, records};
use crate::laws::{Fault, failing};
use merganser::analyzer::Options;
use merganser::analyzer::classify::Deletes;
use merganser::analyzer::options::OnUnknown;
use merganser::executor::{self, Ending, MergeOptions, MergeReport, OnBlocked, Receipt, home::fresh_id};
use merganser::model::change::Class;
use merganser::plan::{Decision, Outcome, Plan, Preview, Selector, Stored};
use merganser::progress::Quiet;
use merganser::{Error, ErrorKind, Result};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

struct Runner<'a> {
    case: &'a Case,
    place: Place,
}

pub(super) fn run(engine: usize, case: &Case) {
    let current = records(case.current.as_deref().unwrap_or_default());
    let of_backup = records(case.backup.as_deref().unwrap_or_default());
    let runner = Runner::new(engine, case, &current, &of_backup);
    let before = runner.place.content();
    if let Some(text) = &case.error {
        let error = runner.analyze().map(drop).expect_err("the analysis is refused");
        assert!(explained(&error).contains(text), "{}", explained(&error));
        assert_eq!(runner.place.content(), before);
        return;
    }
    let (mut plan, _) = runner.analyze().unwrap_or_else(|e| panic!("{}", explained(&e)));
    runner.as_expected(&plan, of_backup.len());
    let listed: Vec<String> = lines(&plan).into_iter().map(|(line, _)| line).collect();

    let preview = runner.decide(&mut plan, &before);
    if let Some(text) = &case.refused {
        let error = runner.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect_err("the merge is refused");
        assert!(explained(&error).contains(text), "{}", explained(&error));
        assert_eq!(runner.place.content(), before, "a refused merge writes nothing");
        return;
    }
    // Preview = dry run = merge, whichever call fails first.
    let dry =
        runner.merge(&mut plan, Ending::RollBack, OnBlocked::Skip).unwrap_or_else(|e| panic!("{}", explained(&e)));
    assert_eq!(runner.place.content(), before, "a dry run changes nothing");
    assert_eq!(dry.counts, preview, "preview and dry run");
    let merged = runner.merge_through_faults(engine, &mut plan, &before);
    assert_eq!(merged.counts, preview, "preview and merge");
    let after = runner.place.content();
    match &case.merged {
        Some(text) => runner.holds(&records(text)),
        None => assert_eq!(after, before, "nothing is written"),
    }
    // Analyzing again finds nothing of what was written.
    let written: BTreeSet<String> =
        stored(&plan).into_iter().filter(|r| r.outcome.is_some_and(Outcome::writes)).map(|r| name(&plan, &r)).collect();
    let left: Vec<String> =
        listed.into_iter().filter(|line| !written.contains(line.split(' ').next().expect("a name"))).collect();
    let (again, _) = runner.analyze().unwrap_or_else(|e| panic!("again: {}", explained(&e)));
    let again: Vec<String> = lines(&again).into_iter().map(|(line, _)| line).collect();
    assert_eq!(again, *case.again.as_ref().unwrap_or(&left), "what a second analysis finds");
    // Undo gives everything back byte for byte, and its undo what was merged.
    if merged.changed {
        let undone = runner.undo(&merged.merge);
        assert_eq!(undone.left_out, [""; 0]);
        assert_eq!(
            runner.without_triggers(runner.place.content()),
            runner.without_triggers(before),
            "undo gives everything back"
        );
        runner.undo(&undone.merge);
        assert_eq!(runner.without_triggers(runner.place.content()), runner.without_triggers(after), "redo");
    }
    if case.mirror.is_none() {
        mirrored(engine, case, &plan, &current, &of_backup);
    }
}

/// Says an error with its details.
fn explained(error: &Error) -> String {
    format!("{} {} {:?}", error.full_message(), error.hint_text().unwrap_or_default(), error.detail_lines())
}

fn name(plan: &Plan, record: &Stored) -> String {
    let table = plan.meta().schema.tables[record.finding.table].label();
    format!("{table}/{}", merganser::model::Key(record.finding.key.clone()))
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

/// Lists what a plan holds as `table/key class reason`, sorted, each with all that is said of it.
fn lines(plan: &Plan) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = stored(plan)
        .into_iter()
        .map(|record| {
            let line = format!("{} {} {}", name(plan, &record), record.finding.class, record.finding.reason);
            let finding = &record.finding;
            let columns: Vec<usize> = finding.fields.iter().filter(|f| f.in_conflict).map(|f| f.column).collect();
            let columns = plan.meta().schema.tables[finding.table].names(&columns).join(", ");
            let holders: Vec<&str> =
                finding.limits.holders.iter().chain(&finding.limits.rivals).map(|h| h.text.as_str()).collect();
            let note = finding.note.clone().unwrap_or_default();
            let refused = finding.limits.refused.clone().unwrap_or_default();
            let why = record.why.unwrap_or_default();
            (line, format!("{note}; {why}; {refused}; fields {columns}; {}", holders.join("; ")))
        })
        .collect();
    lines.sort();
    lines
}

impl<'a> Runner<'a> {
    fn new(engine: usize, case: &'a Case, current: &Records, of_backup: &Records) -> Self {
        let place = Place::new(engine, case.schema.as_deref().expect("a schema"));
        place.fill(current);
        let base = case.base.as_deref().map(records);
        // A table that is empty in the backup is carried all the same, where another side shows that it exists.
        let mut tables: Vec<String> = of_backup.iter().map(|(t, _)| t.clone()).collect();
        tables.extend(base.iter().flatten().map(|(t, _)| t.clone()));
        backup(place.world(), "b.json", of_backup, &tables);
        if let Some(base) = &base {
            backup(place.world(), "o.json", base, &tables);
        }
        if let Some(rules) = &case.rules {
            place.world().file("rules.toml", rules);
        }
        Self { case, place }
    }

    fn on_unknown(&self) -> OnUnknown {
        if self.case.skip_unknown.unwrap_or_default() { OnUnknown::Skip } else { OnUnknown::Error }
    }

    fn analyze(&self) -> Result<(Plan, Preview)> {
        let options = Options {
            deletes: match self.case.deletes.as_deref() {
                None => Deletes::Keep,
                Some("apply") => Deletes::Apply,
                Some("mirror") => Deletes::Mirror,
                Some(other) => panic!("no such deletes: {other}"),
            },
            strict: self.case.strict.unwrap_or_default(),
            preserve_newer: self.case.preserve_newer.unwrap_or(true),
            keys: self.case.keys.clone().unwrap_or_default().into_iter().collect(),
            map_tables: self.case.tables.clone().unwrap_or_default().into_iter().collect(),
            map_columns: self.case.columns.clone().unwrap_or_default().into_iter().collect(),
            on_unknown_table: self.on_unknown(),
            on_unknown_column: self.on_unknown(),
            ..Options::default()
        };
        let rules = self.place.world().path("rules.toml").to_string_lossy().into_owned();
        let strategy = match &self.case.rules {
            Some(_) => rules.as_str(),
            None => self.case.strategy.as_deref().unwrap_or("backup-wins"),
        };
        let base = self.case.base.as_ref().map(|_| "o.json");
        self.place.world().analyze_with(&mut *self.place.database(), "b.json", base, strategy, options)
    }

    /// Compares the classes, and sees that no record of the backup is passed over in silence.
    fn as_expected(&self, plan: &Plan, of_backup: usize) {
        let found = lines(plan);
        let expected: Vec<&str> = self.case.expect.iter().flatten().map(String::as_str).collect();
        let mut wanted: Vec<Vec<&str>> = expected.iter().map(|l| l.split('|').map(str::trim).collect()).collect();
        wanted.sort();
        let plain: Vec<&str> = found.iter().map(|(line, _)| line.as_str()).collect();
        assert_eq!(plain, wanted.iter().map(|w| w[0]).collect::<Vec<_>>(), "classes; said of them: {found:#?}");
        for ((line, said), parts) in found.iter().zip(&wanted) {
            for part in &parts[1..] {
                assert!(said.contains(part), "{line} does not name {part:?}: {said}");
            }
        }
        // A conflict about a deletion is one about a record that the backup lacks.
        let lacking = |r: &&Stored| {
            let reason = r.finding.reason.word();
            r.finding.class == Class::Conflict && matches!(&*reason, "deleted_in_backup" | "still_referenced")
        };
        let all = of_backup - self.case.folded.unwrap_or(0) + stored(plan).iter().filter(lacking).count();
        assert_eq!(plan.meta().counts().backup_records(), all as u64, "every record of the backup is counted");
        for note in self.case.notes.iter().flatten() {
            assert!(plan.meta().notes.iter().any(|n| n.contains(note)), "not noted: {note}: {:?}", plan.meta().notes);
        }
        for column in self.case.not_carried.iter().flatten() {
            assert!(plan.meta().not_carried.contains(column), "not listed: {column}: {:?}", plan.meta().not_carried);
        }
        let repeated = plan.meta().notes.iter().any(|n| n.contains("repeat an identical one"));
        assert_eq!(repeated, self.case.folded.is_some(), "what repeats is noted: {:?}", plan.meta().notes);
        for record in stored(plan).iter().filter(|r| matches!(r.finding.class, Class::Conflict | Class::Blocked)) {
            let named = record.finding.note.is_some() || record.finding.fields.iter().any(|f| f.in_conflict);
            assert!(named, "{} has a class and no explanation", name(plan, record));
        }
    }

    /// Gives the case's answers; what nobody decided is refused first, and skipped then.
    fn decide(&self, plan: &mut Plan, before: &[String]) -> Preview {
        for line in self.case.decide.iter().flatten() {
            let (record, answer) = line.split_once(' ').expect("table/key {answer}");
            let decision: Decision = serde_json::from_str(answer).unwrap_or_else(|e| panic!("{e}: {line}"));
            let record = plan.record(record).unwrap_or_else(|e| panic!("{e}"));
            plan.decide(&record, Some(decision), "case", "now").unwrap_or_else(|e| panic!("{e}"));
        }
        self.seal(plan);
        let (preview, _) = plan.settle(&Quiet).expect("settles");
        if preview.undecided > 0 {
            let refused = self.merge(plan, Ending::Commit, OnBlocked::Skip).expect_err("a conflict is undecided");
            assert_eq!(refused.kind(), ErrorKind::NeedsDecision, "{}", explained(&refused));
            assert_eq!(self.place.content(), before);
        } else if preview.blocked > 0 {
            let refused = self.merge(plan, Ending::Commit, OnBlocked::Refuse).expect_err("a record is blocked");
            assert_eq!(refused.kind(), ErrorKind::NeedsDecision, "{}", explained(&refused));
            assert_eq!(self.place.content(), before);
        }
        for record in stored(plan).iter().filter(|r| r.outcome == Some(Outcome::Undecided)) {
            assert!(record.why.is_some(), "{} is undecided and nobody says why", name(plan, record));
            plan.decide(record, Some(Decision::Skip), "case", "now").expect("decides");
        }
        self.seal(plan);
        let (preview, _) = plan.settle(&Quiet).expect("settles");
        self.seal(plan);
        preview
    }

    fn seal(&self, plan: &mut Plan) {
        plan.update_meta(&self.place.world().home.key().expect("a key"), |_| {}).expect("seals");
    }

    fn merge(&self, plan: &mut Plan, ending: Ending, on_blocked: OnBlocked) -> Result<MergeReport> {
        let options = MergeOptions { ending, on_blocked, ..MergeOptions::default() };
        executor::merge(plan, &mut *self.place.database(), &self.place.world().home, &options, &Quiet)
    }

    /// Merges with the first call failing, then the second, until a merge comes through; on servers fewer of them.
    fn merge_through_faults(&self, engine: usize, plan: &mut Plan, before: &[String]) -> MergeReport {
        let options = MergeOptions { on_blocked: OnBlocked::Skip, ..MergeOptions::default() };
        let (mut n, mut step) = (1, 1);
        loop {
            assert!(n < 2_000, "the merge never comes through");
            let (mut database, fuse) = failing(self.place.database(), n, Fault::Refused);
            let outcome = executor::merge(plan, &mut database, &self.place.world().home, &options, &Quiet);
            match outcome {
                Ok(report) => return report,
                Err(error) => {
                    assert!(fuse.burnt(), "call {n} was not reached, and yet: {}", explained(&error));
                    assert_eq!(self.place.content(), before, "call {n} failed: {}", explained(&error));
                }
            }
            if engine > 0 {
                step += 3;
            }
            n += step;
        }
    }

    fn undo(&self, merge: &str) -> MergeReport {
        let home = &self.place.world().home;
        let receipt = home.receipt_path(merge).and_then(|p| Receipt::open(&p)).unwrap_or_else(|e| panic!("{e}"));
        let out = home.plans().join(format!("{}.mplan", fresh_id('p')));
        let plan = executor::undo::plan(home, &receipt, &mut *self.place.database(), &[], &out);
        let mut plan = plan.unwrap_or_else(|e| panic!("undo: {}", explained(&e)));
        self.merge(&mut plan, Ending::Commit, OnBlocked::Skip).unwrap_or_else(|e| panic!("undo: {}", explained(&e)))
    }

    /// Leaves out what triggers wrote elsewhere.
    fn without_triggers(&self, mut content: Vec<String>) -> Vec<String> {
        let leaves = self.case.undo_leaves.iter().flatten();
        leaves.for_each(|table| content.retain(|line| !line.starts_with(&format!("{table}: "))));
        content
    }

    /// Compares the content with what the case says.
    fn holds(&self, expected: &Records) {
        let mut tables: BTreeMap<&str, Vec<&serde_json::Map<String, Json>>> = BTreeMap::new();
        expected.iter().for_each(|(table, record)| tables.entry(table).or_default().push(record));
        for (table, wanted) in tables {
            let columns: Vec<String> = wanted[0].keys().cloned().collect();
            let text = |value: &Json| match value {
                Json::Null => None,
                Json::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            let mut rows: Vec<Vec<Option<String>>> =
                wanted.iter().map(|r| columns.iter().map(|c| text(&r[c])).collect()).collect();
            let mut found = self.place.read(table, &columns);
            rows.sort();
            found.sort();
            assert_eq!(found, rows, "{table} {columns:?} after the merge (left: found)");
        }
    }
}

/// Swaps the sides: what is in both is a conflict on both sides, or one side's update is the other's newer record.
fn mirrored(engine: usize, case: &Case, plan: &Plan, current: &Records, of_backup: &Records) {
    let runner = Runner::new(engine, case, of_backup, current);
    let (other, _) = runner.analyze().unwrap_or_else(|e| panic!("mirrored: {}", explained(&e)));
    let class_of = |plan: &Plan| -> BTreeMap<String, (Class, String)> {
        stored(plan).into_iter().map(|r| (name(plan, &r), (r.finding.class, r.finding.reason.word()))).collect()
    };
    let (here, there) = (class_of(plan), class_of(&other));
    for (name, (class, reason)) in &here {
        let back = there.get(name).map(|(class, reason)| (*class, reason.as_str()));
        let fits = match (class, reason.as_str()) {
            // Only in the backup is only in current, which stays unlisted.
            (Class::New, _) => back.is_none(),
            (Class::Updated, "backup_newer") => back == Some((Class::Conflict, "current_newer")),
            (Class::Conflict, "current_newer") => back == Some((Class::Updated, "backup_newer")),
            (Class::Updated, "only_backup_changed") => back.is_none(),
            (Class::Updated, "fills_empty") => back == Some((Class::Conflict, "both_differ")),
            (Class::Conflict, "both_differ") => matches!(back, Some((_, "both_differ" | "fills_empty"))),
            // The other record, the holder of the unique key, is then the one in question.
            (Class::Conflict, "unique_taken") => there.values().any(|(_, r)| r == "unique_taken"),
            (class, reason) => back == Some((*class, reason)),
        };
        assert!(fits, "mirrored: {name} is {class} {reason} here and {back:?} there");
    }
    for (name, (class, _)) in there.iter().filter(|(name, _)| !here.contains_key(*name)) {
        let unlisted = matches!(class, Class::New | Class::Updated) || here.values().any(|(_, r)| r == "unique_taken");
        assert!(unlisted, "mirrored: {name} is {class} there and nothing here");
    }
}
