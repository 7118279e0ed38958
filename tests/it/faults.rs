//! What can go wrong on the way (CHECKS 5): processes that die, records that change, hostile schemas, full disks.

mod kill;

use crate::world::World;
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
