//! Jobs: long work on threads of its own, with progress that can be followed from any point, and cancelled.
//!
//! One merge at a time per database, one job per person, two in all (CHECKS T25). Every operation is in the state database
//! before its thread starts, so that a service that comes back knows what was going on.

use super::access::Person;
use super::app::App;
use super::problem::{Answer, Problem};
use super::service::operations::{self, Kind, Operation, OperationState};
use super::state::now;
use crate::error::ErrorKind;
use crate::progress::{Phase, Progress};
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Jobs at the same time.
const MOST: usize = 2;
/// Jobs of one person at the same time.
const MOST_OF_ONE: usize = 1;
/// How often progress is told.
const BETWEEN: Duration = Duration::from_millis(250);
/// Finished jobs whose events are still there to be followed.
const KEPT: usize = 50;

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Its number within the operation, from 1.
    pub sequence: u64,
    /// `phase`, `progress`, `warning`, `result`.
    pub event: &'static str,
    /// What happened.
    pub data: Json,
}

/// A job that runs, or has run lately.
pub struct Job {
    app: App,
    operation: Mutex<Operation>,
    events: Mutex<Vec<Event>>,
    told: Mutex<Option<Instant>>,
    last: watch::Sender<u64>,
    stop: Mutex<Option<ErrorKind>>,
}

/// All jobs of the service.
#[derive(Default)]
pub struct Jobs {
    jobs: Mutex<Vec<(String, Arc<Job>)>>,
}

/// What a job is to be.
pub struct Spec {
    /// The operation's id.
    pub id: String,
    /// What it does.
    pub kind: Kind,
    /// The target's name.
    pub target: Option<String>,
    /// What it makes or works on: an analysis, a merge, a backup.
    pub subject: Option<String>,
    /// The plan that it carries out, where it writes to a database.
    pub plan: Option<String>,
    /// What an analysis was asked for.
    pub asked: Option<Json>,
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Jobs {
    /// Starts a job; the operation is in the state database before this returns.
    ///
    /// # Errors
    /// `merge_running`, `too_many_requests`, `Failed`.
    pub fn start(
        &self,
        app: &App,
        person: &Person,
        spec: Spec,
        work: impl FnOnce(&App, &Job) -> Answer<Json> + Send + 'static,
    ) -> Answer<Operation> {
        let mut jobs = held(&self.jobs);
        let running: Vec<Operation> = jobs.iter().filter(|(_, j)| j.runs()).map(|(_, j)| j.operation()).collect();
        if spec.kind.writes()
            && let Some(other) = running.iter().find(|o| o.kind.writes() && o.target == spec.target)
        {
            return Err(Problem::own(
                "merge_running",
                format!("{} {} is running on this database", other.kind.word(), other.id),
            )
            .about(format!("/api/v1/operations/{}", other.id)));
        }
        if running.iter().filter(|o| o.user_id == person.id).count() >= MOST_OF_ONE || running.len() >= MOST {
            return Err(Problem::own(
                "too_many_requests",
                "too many operations are running; wait until one of them is done",
            )
            .retry_after(2));
        }
        let operation = Operation {
            id: spec.id.clone(),
            kind: spec.kind,
            state: OperationState::Running,
            user: person.name.clone(),
            user_id: person.id.clone(),
            grant: person.grant(),
            address: person.address.clone(),
            target: spec.target,
            subject: spec.subject,
            plan: spec.plan,
            asked: spec.asked,
            started_at: now(),
            ended_at: None,
            phase: None,
            table: None,
            done: 0,
            total: None,
            cancellable: true,
            result: Json::Null,
            problem: None,
        };
        operations::store(app, &operation)?;
        let job = Arc::new(Job {
            app: app.clone(),
            operation: Mutex::new(operation.clone()),
            events: Mutex::default(),
            told: Mutex::default(),
            last: watch::Sender::new(0),
            stop: Mutex::default(),
        });
        let excess = jobs.len().saturating_sub(KEPT);
        let mut dropped = 0;
        jobs.retain(|(_, j)| {
            let drop = dropped < excess && !j.runs();
            dropped += usize::from(drop);
            !drop
        });
        jobs.push((spec.id, job.clone()));
        drop(jobs);
        let thread = {
            let (app, job) = (app.clone(), job.clone());
            std::thread::Builder::new().name("job".to_owned()).spawn(move || {
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&app, &job)));
                job.end(outcome.unwrap_or_else(|_| {
                    Err(crate::error::fail!(Failed, "the service met an error of its own; it is in its log").into())
                }));
            })
        };
        if let Err(error) = thread {
            let problem = Problem::from(error);
            job.end(Err(problem.clone()));
            return Err(problem);
        }
        Ok(operation)
    }

    /// Finds a job that runs or has run lately.
    pub fn find(&self, id: &str) -> Option<Arc<Job>> {
        held(&self.jobs).iter().find(|(known, _)| known == id).map(|(_, job)| job.clone())
    }

    /// Lists the operations that are running.
    pub fn running(&self) -> Vec<Operation> {
        let jobs = held(&self.jobs);
        jobs.iter().filter(|(_, j)| j.runs()).map(|(_, j)| j.operation()).collect()
    }

    /// Asks all jobs to stop where they still can.
    pub fn stop_all(&self) {
        for (_, job) in held(&self.jobs).iter() {
            job.ask_to_stop(ErrorKind::Terminated);
        }
    }
}

impl Job {
    /// Returns the operation as it is now.
    pub fn operation(&self) -> Operation {
        held(&self.operation).clone()
    }

    /// Returns the events after a number.
    pub fn events_after(&self, sequence: u64) -> Vec<Event> {
        let events = held(&self.events);
        let from = events.partition_point(|e| e.sequence <= sequence);
        events[from..].to_vec()
    }

    /// Returns the number of the newest event, and whether it is the end.
    pub fn newest(&self) -> (u64, bool) {
        held(&self.events).last().map_or((0, false), |e| (e.sequence, e.event == "result"))
    }

    /// Returns what tells when there are new events.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Asks the job to stop and roll back, as long as it can.
    pub fn ask_to_stop(&self, kind: ErrorKind) {
        held(&self.stop).get_or_insert(kind);
    }

    /// Notes which plan is carried out, so that its outcome is found should the service be killed.
    pub fn carries_out(&self, plan: &str) {
        let operation = {
            let mut operation = held(&self.operation);
            operation.plan = Some(plan.to_owned());
            operation.clone()
        };
        if let Err(error) = operations::store(&self.app, &operation) {
            tracing::error!(operation = operation.id, error = error.full_message(), "its plan could not be kept");
        }
    }

    /// Tells a person who follows something they should know.
    pub fn warn(&self, text: &str) {
        self.tell("warning", json!({"message": text}));
    }

    fn tell(&self, event: &'static str, data: Json) {
        let mut events = held(&self.events);
        let sequence = events.last().map_or(1, |e| e.sequence + 1);
        events.push(Event { sequence, event, data });
        drop(events);
        self.last.send_replace(sequence);
    }

    /// Notes how it ended: on disk first, so that what is told is also known after a restart.
    fn end(&self, outcome: Answer<Json>) {
        let mut operation = self.operation();
        operation.ended_at = Some(now());
        operation.cancellable = false;
        match outcome {
            Ok(result) => (operation.state, operation.result) = (OperationState::Done, result),
            Err(problem) => {
                operation.state = match problem.code.as_str() {
                    "interrupted" | "terminated" => OperationState::Cancelled,
                    "outcome_unknown" => OperationState::Unknown,
                    _ => OperationState::Failed,
                };
                operation.problem = Some(problem.about(format!("/api/v1/operations/{}", operation.id)));
            }
        }
        if let Err(error) = operations::store(&self.app, &operation) {
            tracing::error!(operation = operation.id, error = error.full_message(), "its end could not be kept");
        }
        tracing::info!(operation = operation.id, kind = operation.kind.word(), state = ?operation.state, user = operation.user, "ended");
        held(&self.operation).clone_from(&operation);
        self.tell("result", serde_json::to_value(&operation).expect("an operation always serialises"));
    }

    fn runs(&self) -> bool {
        held(&self.operation).state == OperationState::Running
    }
}

impl Progress for Job {
    fn phase(&self, phase: Phase) {
        let operation = {
            let mut operation = held(&self.operation);
            operation.phase = Some(phase.word().to_owned());
            (operation.table, operation.done, operation.total) = (None, 0, None);
            operation.cancellable = phase < Phase::Commit;
            operation.clone()
        };
        *held(&self.told) = None;
        if let Err(error) = operations::store(&self.app, &operation) {
            tracing::error!(operation = operation.id, error = error.full_message(), "its phase could not be kept");
        }
        self.tell("phase", json!({"phase": phase.word(), "cancellable": operation.cancellable}));
    }

    fn advance(&self, table: &str, done: u64, total: Option<u64>) {
        let phase = {
            let mut operation = held(&self.operation);
            operation.table = Some(table.to_owned());
            // A total that turned out too small would make a bar that lies.
            let total = total.filter(|t| *t >= done);
            (operation.done, operation.total) = (done, total);
            operation.phase.clone()
        };
        let mut told = held(&self.told);
        if told.is_some_and(|at| at.elapsed() < BETWEEN) {
            return;
        }
        *told = Some(Instant::now());
        drop(told);
        self.tell(
            "progress",
            json!({"phase": phase, "table": table, "done": done, "total": total.filter(|t| *t >= done)}),
        );
    }

    fn stop(&self) -> Option<ErrorKind> {
        *held(&self.stop)
    }
}
