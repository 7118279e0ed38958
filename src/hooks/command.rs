//! Runs a program as a hook: its own arguments, no shell, none of this process's secrets, and not for ever.

use super::{Event, Outcome};
use crate::error::{Result, fail};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a hook may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the program with the event on its standard input.
///
/// # Errors
/// `Failed` when it can't be run, ends with another code than 0, or does not end.
pub(super) fn run(command: &[String], event: &Event) -> Result<()> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(fail!(Usage, "the command of a hook is empty"));
    };
    let outcome = if event.outcome == Outcome::Success { "success" } else { "failure" };
    let kept = ["PATH", "HOME", "LANG", "TZ"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(kept)
        .env("MERGANSER_SCHEDULE", &event.schedule)
        .env("MERGANSER_MERGE", event.merge.as_ref().map_or("", |m| &m.id))
        .env("MERGANSER_TARGET", &event.target)
        .env("MERGANSER_OUTCOME", outcome)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| fail!(Failed, "the command {program} can't be run").because(e))?;
    if let Some(mut input) = child.stdin.take() {
        // A program that does not read its input is fine.
        let _ = input.write_all(event.json().as_bytes());
    }
    let begun = Instant::now();
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(fail!(Failed, "the command {program} ended with {status}")),
            None if begun.elapsed() > PATIENCE => {
                child.kill()?;
                child.wait()?;
                return Err(fail!(Failed, "the command {program} was stopped after {} s", PATIENCE.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
