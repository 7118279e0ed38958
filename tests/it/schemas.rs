//! Random schemas with random edits on every engine: what the plan says of each record agrees with plain rules over maps,
//! what a merge leaves behind is what they give, and the laws hold.
//!
//! `MERGANSER_CASES=2000 cargo test --test it schemas` runs longer, `MERGANSER_FIRST=500` from there on,
//! `MERGANSER_SEED=17` one world.

pub(crate) mod model;
mod oracle;

use crate::cases::place::{ENGINES, Place, Records, backup};
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::analyzer::classify::Deletes;
use merganser::executor::{self, Ending, MergeOptions, MergeReport, OnBlocked, Receipt, home::fresh_id};
use merganser::plan::{Decision, Outcome, Plan, Selector, Stored};
use merganser::progress::Quiet;
use model::{Dice, State, Table};
use std::collections::BTreeSet;

const STRATEGIES: [&str; 5] = ["backup-wins", "backup-wins", "current-wins", "merge-fields", "recover-deleted"];

/// One generated world.
struct World {
    tables: Vec<Table>,
    base: Option<State>,
    current: State,
    backup: State,
    strategy: &'static str,
    deletes: Deletes,
}

fn world(seed: u64) -> World {
    let mut dice = Dice(seed.wrapping_mul(0x1_0000_0001));
    let tables = model::schema(&mut dice);
    let start = model::fill(&mut dice, &tables);
    let (mut current, mut backup) = (start.clone(), start.clone());
    model::edit(&mut dice, &tables, &mut current);
    model::edit(&mut dice, &tables, &mut backup);
    if dice.often(40) {
        model::damage(&mut dice, &tables, &mut backup);
    }
    let base = dice.often(60).then_some(start);
    let strategy = STRATEGIES[dice.below(STRATEGIES.len())];
    let deletes = match (dice.below(4), &base) {
        (0, Some(_)) => Deletes::Apply,
        (0, None) => Deletes::Mirror,
        _ => Deletes::Keep,
    };
    World { tables, base, current, backup, strategy, deletes }
}

fn records(tables: &[Table], state: &State) -> Records {
    let of_table = |(table, records): (&Table, &std::collections::BTreeMap<String, model::Record>)| {
        records.values().map(|r| (table.name.clone(), r.clone())).collect::<Vec<_>>()
    };
    tables.iter().zip(state).flat_map(of_table).collect()
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

fn merge(place: &Place, plan: &mut Plan, ending: Ending) -> merganser::Result<MergeReport> {
    let options = MergeOptions { ending, on_blocked: OnBlocked::Skip, ..MergeOptions::default() };
    executor::merge(plan, &mut *place.database(), &place.world().home, &options, &Quiet)
}

/// What became of a world.
#[derive(PartialEq)]
enum End {
    Merged,
    /// The engine can't do it, and said so before anything was written.
    Refused,
}

fn run(engine: usize, world: &World) -> End {
    let names: Vec<String> = world.tables.iter().map(|t| t.name.clone()).collect();
    let place = Place::new(engine, &model::ddl(&world.tables, ENGINES[engine]));
    place.fill(&records(&world.tables, &world.current));
    backup(place.world(), "b.json", &records(&world.tables, &world.backup), &names);
    if let Some(base) = &world.base {
        backup(place.world(), "o.json", &records(&world.tables, base), &names);
    }
    let end = through(&place, world);
    place.remove();
    end
}

/// The whole content but for what triggers wrote, which nobody takes back.
fn content(place: &Place) -> Vec<String> {
    let mut content = place.content();
    content.retain(|line| !line.starts_with("audit: "));
    content
}

/// Analyzes, merges, takes back, and compares each step.
fn through(place: &Place, world: &World) -> End {
    let before = content(place);
    let options = Options { deletes: world.deletes, ..Options::default() };
    let base = world.base.as_ref().map(|_| "o.json");
    let analyze = |strategy: &str| {
        let analyzed = place.world().analyze_with(&mut *place.database(), "b.json", base, strategy, options.clone());
        analyzed.unwrap_or_else(|e| panic!("{} {:?}", e.full_message(), e.detail_lines())).0
    };
    let mut plan = analyze(world.strategy);
    oracle::classes(world, &plan, &stored(&plan));

    let open: Vec<Stored> = stored(&plan).into_iter().filter(|r| r.outcome == Some(Outcome::Undecided)).collect();
    plan.together(|p| open.iter().try_for_each(|r| p.decide(r, Some(Decision::Skip), "t", "t"))).expect("decides");
    let (preview, _) = plan.settle(&Quiet).expect("settles");
    plan.update_meta(&place.world().home.key().expect("a key"), |_| {}).expect("seals");
    let dry = match merge(place, &mut plan, Ending::RollBack) {
        Ok(dry) => dry,
        Err(error) => {
            let text = format!("{} {:?}", error.full_message(), error.detail_lines());
            assert!(error.kind() == ErrorKind::Refused && text.contains("swap places"), "{text}");
            assert_eq!(content(place), before, "a refused merge changes nothing");
            return End::Refused;
        }
    };
    assert_eq!(content(place), before, "a dry run changes nothing");
    assert_eq!(preview, dry.counts, "preview and dry run: {:?}", dry.left_out);
    let merged = merge(place, &mut plan, Ending::Commit).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(dry.counts, merged.counts, "dry run and merge");
    let settled = stored(&plan);
    oracle::content(world, place, &plan, &settled);
    if world.strategy == "backup-wins" {
        let written: BTreeSet<&str> =
            settled.iter().filter(|r| r.outcome.is_some_and(Outcome::writes)).map(|r| r.conflict_id.as_str()).collect();
        let again = stored(&analyze(world.strategy));
        let left: Vec<_> = again.iter().filter(|r| written.contains(r.conflict_id.as_str())).collect();
        assert!(left.is_empty(), "written, and found again: {left:?}");
    }
    if merged.changed {
        let home = &place.world().home;
        let receipt = Receipt::open(&home.receipt_path(&merged.merge).expect("a receipt")).expect("opens");
        let out = home.plans().join(format!("{}.mplan", fresh_id('p')));
        let mut undo = executor::undo::plan(home, &receipt, &mut *place.database(), &[], &out).expect("plans the undo");
        let undone = merge(place, &mut undo, Ending::Commit).unwrap_or_else(|e| panic!("undo: {e}"));
        assert_eq!(undone.counts.writes(), merged.counts.writes(), "undo: {:?}", undone.left_out);
    }
    assert_eq!(content(place), before, "undo gives everything back");
    End::Merged
}

/// Runs worlds on an engine; the usual number, or as many as the environment asks for.
fn check(engine: usize, usual: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let seeds = match number("MERGANSER_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = number("MERGANSER_FIRST").unwrap_or(0);
            first..first + number("MERGANSER_CASES").unwrap_or(usual)
        }
    };
    let count = seeds.end - seeds.start;
    let (mut wrong, mut refused) = (Vec::new(), 0);
    for seed in seeds {
        let made = world(seed);
        match std::panic::catch_unwind(|| run(engine, &made)) {
            Ok(end) => refused += u64::from(end == End::Refused),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned())).unwrap_or_default();
                wrong.push(format!("== MERGANSER_SEED={seed} on {} ==\n{text}", ENGINES[engine]));
                if wrong.len() == 10 {
                    break;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} worlds are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count < 20 || refused * 5 < count, "{refused} of {count} worlds were refused");
}

#[test]
fn random_schemas_agree_on_sqlite() {
    check(0, 120);
}

#[test]
fn random_schemas_agree_on_postgres() {
    check(1, 20);
}

#[test]
fn random_schemas_agree_on_mariadb() {
    check(2, 20);
}
