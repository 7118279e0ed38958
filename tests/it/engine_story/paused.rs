//! Merges by the binary that stand still at a step until the test lets them go on.

use crate::faults::told;
use crate::live::Live;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Prepares a call of the binary on a database, reached by this address.
pub(super) fn merganser(live: &Live, url: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_merganser"));
    command.args(args).args(["--no-input", "--json", "--to", url, "--data-dir"]).arg(live.world.home.root());
    command.current_dir(live.world.folder.path()).env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the binary on a database and returns exit code, standard output and standard error.
pub(super) fn run(live: &Live, args: &[&str]) -> (i32, String, String) {
    told(merganser(live, &live.fresh.url, args).output().expect("starts"))
}

/// Waits for something that comes to be by itself.
pub(super) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < end, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A process that stands still.
pub(super) struct Paused(Option<Child>);

impl Paused {
    /// Starts a command, which comes to stand still at a step.
    pub(super) fn at(step: &str, live: &Live, args: &[&str]) -> Self {
        let mut command = merganser(live, &live.fresh.url, args);
        let mut child = command.env("MERGANSER_FAILPOINT", format!("{step}:1:stop")).spawn().expect("starts");
        let path = format!("/proc/{}/stat", child.id());
        let mut stands = false;
        until("standing still", || {
            // The state follows the name, which stands in parentheses.
            let stat = std::fs::read_to_string(&path).unwrap_or_default();
            stands = stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'));
            stands || child.try_wait().expect("waits").is_some()
        });
        let mut paused = Self(Some(child));
        if !stands {
            panic!("does not pass at {step}: {:?}", paused.0.take().map(Child::wait_with_output));
        }
        paused
    }

    /// Lets it go on, and returns exit code, standard output and standard error.
    pub(super) fn resume(mut self) -> (i32, String, String) {
        let child = self.0.take().expect("is there until the end");
        let sent = Command::new("kill").args(["-CONT", &child.id().to_string()]).status().expect("a signal");
        assert!(sent.success());
        told(child.wait_with_output().expect("ends"))
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = (child.kill(), child.wait());
        }
    }
}
