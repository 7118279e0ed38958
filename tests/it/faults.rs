//! What can go wrong on the way (CHECKS 5): processes that die, records that change, hostile schemas, full disks.

mod chains;
mod decide;
mod features;
mod keys;
mod kill;
mod lists;
mod memory;
mod receipts;
mod space;
mod stale;
mod stops;
mod undo;
mod values;

use crate::world::World;
use merganser::analyzer::Options;
use merganser::database::WriteOptions;
use merganser::executor::{self, Ending, MergeOptions, MergeReport, OnBlocked, OnStale};
use merganser::plan::Plan;
use merganser::progress::Quiet;
use merganser::{Error, Result};
use std::process::{Command, Output};

/// Prepares a call of the binary on a world's database and data folder; nobody is asked anything.
pub fn merganser(world: &World, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_merganser"));
    command.args(args).arg("--no-input").arg("--data-dir").arg(world.home.root());
    command.arg("--to").arg(format!("sqlite:{}", world.path("current.db").display()));
    command.current_dir(world.folder.path()).env_remove("MERGANSER_FAILPOINT").env("NO_COLOR", "1");
    for name in ["MERGANSER_TARGET", "DATABASE_URL", "MERGANSER_CONFIG", "MERGANSER_PROFILE", "MERGANSER_LOG"] {
        command.env_remove(name);
    }
    command
}

/// Runs the binary and returns exit code, standard output and standard error.
pub fn run(world: &World, args: &[&str]) -> (i32, String, String) {
    told(merganser(world, args).output().expect("starts"))
}

/// Splits what a process said; a process that was killed has the exit code -1.
pub fn told(output: Output) -> (i32, String, String) {
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// Returns the last line of standard output as JSON: the result.
pub fn result(stdout: &str) -> serde_json::Value {
    stdout.lines().last().and_then(|l| serde_json::from_str(l).ok()).unwrap_or_else(|| panic!("no result: {stdout}"))
}

/// Merges, leaving out what changed since.
fn merge_rest(world: &World, plan: &mut Plan) -> Result<MergeReport> {
    let options = MergeOptions {
        on_stale: OnStale::Skip,
        on_blocked: OnBlocked::Skip,
        actor: "test".to_owned(),
        ..MergeOptions::default()
    };
    executor::merge(plan, &mut world.database(), &world.home, &options, &Quiet)
}

/// Merges without waiting for locks.
fn merge_at_once(world: &World, plan: &mut Plan) -> Result<MergeReport> {
    let lock_timeout = std::time::Duration::from_millis(1);
    let options =
        MergeOptions { write: WriteOptions { lock_timeout, ..WriteOptions::default() }, ..MergeOptions::default() };
    executor::merge(plan, &mut world.database(), &world.home, &options, &Quiet)
}

/// Everything an error tells a person.
fn whole(error: &Error) -> String {
    format!("{}\n{}\n{}", error.full_message(), error.detail_lines().join("\n"), error.hint_text().unwrap_or_default())
}

/// Merges under the laws: preview = dry run = merge, references clean, nothing left to do, undo gives back what was.
/// Returns the content after the merge. Counters of AUTOINCREMENT only go forward (F59) and are left out.
fn lawful(world: &World, backup: &str, strategy: &str, options: Options) -> Vec<String> {
    let content = || world.content().into_iter().filter(|l| !l.starts_with("sqlite_sequence")).collect::<Vec<_>>();
    let before = content();
    let dangling = orphans(world);
    let (mut plan, preview) = world.analyze(backup, None, strategy, options.clone()).expect("analyzes");
    assert_eq!(content(), before, "the analysis changed something");
    let dry = world.merge(&mut plan, Ending::RollBack, OnBlocked::Skip).expect("runs dry");
    assert_eq!(content(), before, "the dry run changed something");
    assert_eq!(dry.counts, preview, "dry run and preview");
    let merged = world.merge(&mut plan, Ending::Commit, OnBlocked::Skip).expect("merges");
    assert_eq!(merged.counts, preview, "merge and preview");
    assert_eq!(orphans(world), dangling, "references");
    let after = content();
    let (_, again) = world.analyze(backup, None, strategy, options).expect("analyzes again");
    assert_eq!(again.writes(), 0, "a second analysis finds something to do: {again:?}");
    if merged.changed {
        world.undo(&merged.merge).expect("undoes");
        assert_eq!(content(), before, "the undo did not give back what was");
        let redone = redo(world);
        assert_eq!(redone.counts.writes(), merged.counts.writes(), "redo");
        assert_eq!(content(), after, "the redo did not give back the merge");
    }
    after
}

/// Takes the latest undo back.
fn redo(world: &World) -> MergeReport {
    let (receipts, _) = executor::receipt::list(&world.home).expect("lists");
    let latest = receipts.iter().find(|r| r.id.starts_with('u')).expect("an undo").id.clone();
    world.undo(&latest).expect("redoes")
}

fn orphans(world: &World) -> i64 {
    world.connection().query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |r| r.get(0)).expect("counts")
}
