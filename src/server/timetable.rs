//! The schedules of a service: looked at every few seconds, on a thread of its own.

use super::app::App;
use super::service::targets;
use crate::error::{ErrorKind, Result};
use crate::progress::{Phase, Progress};
use crate::schedule::{self, Opened, Ran, Runner};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often is looked whether something is due.
const BEAT: Duration = Duration::from_secs(10);
/// How often the audit log's end is written to the service's own log, which is kept elsewhere (CHECKS T26).
const ANCHORS: Duration = Duration::from_secs(3600);
/// How soon an end is seen.
const STEP: Duration = Duration::from_millis(100);

/// The thread that runs what is due; dropping it stops it, and the backup that it is making.
pub(super) struct Timetable {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

/// Whether to end.
#[derive(Default)]
struct Stop(AtomicBool);

impl Progress for Stop {
    fn phase(&self, _: Phase) {}

    fn advance(&self, _: &str, _: u64, _: Option<u64>) {}

    fn stop(&self) -> Option<ErrorKind> {
        self.0.load(Ordering::SeqCst).then_some(ErrorKind::Terminated)
    }
}

impl Timetable {
    /// Starts to look.
    ///
    /// # Errors
    /// `Failed` when no thread can be had.
    pub(super) fn start(app: App) -> Result<Self> {
        let stop = Arc::new(Stop::default());
        let seen = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("schedules".to_owned()).spawn(move || {
            let mut anchored: Option<Instant> = None;
            while seen.stop().is_none() {
                if anchored.is_none_or(|at| at.elapsed() >= ANCHORS) {
                    anchored = Some(Instant::now());
                    anchor(&app);
                }
                look(&app, &seen);
                let begun = Instant::now();
                while begun.elapsed() < BEAT && seen.stop().is_none() {
                    std::thread::sleep(STEP);
                }
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Timetable {
    fn drop(&mut self) {
        self.stop.0.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has ended as well.
            let _ = thread.join();
        }
    }
}

/// Writes the audit log's end to the service's log.
fn anchor(app: &App) {
    match crate::executor::audit::anchor::get(app.home()) {
        Ok(Some(anchor)) => tracing::info!(entry = anchor.sequence, digest = anchor.digest, "audit anchor"),
        Ok(None) => {}
        Err(error) => tracing::error!("the audit log's anchor: {}", error.full_message()),
    }
}

/// Runs what is due, and says in the log how it ended.
fn look(app: &App, stop: &Stop) {
    let open = |name: &str| -> Result<Opened> { targets::opened(app, name) };
    let runner = Runner { open: &open, hooks: &app.config().settings.hooks };
    match schedule::tick(app.home(), chrono::Utc::now(), &runner, stop) {
        Err(error) => tracing::error!("the schedules can't be looked at: {}", error.full_message()),
        Ok(ran) => {
            for Ran { event, error, notes } in ran {
                match error {
                    None => tracing::info!(schedule = event.schedule, backup = event.backup, "{}", event.line()),
                    Some(_) => tracing::error!(schedule = event.schedule, "{}", event.line()),
                }
                notes.iter().for_each(|note| tracing::warn!(schedule = event.schedule, "{note}"));
            }
        }
    }
}
