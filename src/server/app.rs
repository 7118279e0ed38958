//! What all requests share: the data folder, the targets, the state database, the jobs.

use super::health::Counters;
use super::jobs::Jobs;
use super::problem::Answer;
use super::state::State;
use crate::config::Config;
use crate::error::{Result, fail};
use crate::executor::Home;
use crate::plan::{Plan, PlanKind};
use crate::report::secrets::Visible;
use crate::report::{Power, Secrets};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Analyses of which is remembered what they change about who may do what.
const MOST_POWERS: usize = 64;

/// How the service is to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Certificate and key, PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The hosts that it answers for, without ports.
    pub hosts: Vec<String>,
    /// The largest upload, in bytes.
    pub largest_upload_bytes: u64,
    /// Bytes that stay free on the disk of the data folder.
    pub least_free_bytes: u64,
    /// A target that the configuration does not have: name and URL.
    pub target: Option<(String, String)>,
    /// Whether anybody who reaches it may read the metrics.
    pub open_metrics: bool,
}

impl Options {
    /// Returns the usual options for an address.
    pub fn at(listen: SocketAddr) -> Self {
        let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        if !listen.ip().is_unspecified() {
            hosts.push(listen.ip().to_string());
        }
        Self {
            listen,
            tls: None,
            hosts,
            largest_upload_bytes: 64 * 1024 * 1024 * 1024,
            least_free_bytes: 256 * 1024 * 1024,
            target: None,
            open_metrics: listen.ip().is_loopback(),
        }
    }
}

/// What all requests share; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    home: Home,
    config: Config,
    options: Options,
    state: State,
    jobs: Jobs,
    counters: Counters,
    /// What analyses change about who may do what, by id, as of a revision.
    powers: Mutex<HashMap<String, (String, Arc<Power>)>>,
    /// One writer at a time per analysis.
    plans: Mutex<HashMap<String, Arc<Mutex<()>>>>,
    started: std::time::Instant,
    /// Held while the service runs: two services never share a folder (CHECKS F101).
    _lock: std::fs::File,
}

impl App {
    /// Opens the state and finds out how operations ended that a service before this one left running.
    ///
    /// # Errors
    /// `Busy` when another service runs on the data folder, `Failed`.
    pub fn open(home: Home, config: Config, options: Options) -> Result<Self> {
        let lock = lock(&home)?;
        let state = State::open(&home)?;
        let app = Self(Arc::new(Inner {
            jobs: Jobs::default(),
            counters: Counters::default(),
            powers: Mutex::default(),
            plans: Mutex::default(),
            started: std::time::Instant::now(),
            home,
            config,
            options,
            state,
            _lock: lock,
        }));
        super::service::operations::settle_left(&app)?;
        Ok(app)
    }

    /// Returns the data folder.
    pub fn home(&self) -> &Home {
        &self.0.home
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Returns how the service runs.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Returns the state database.
    pub fn state(&self) -> &State {
        &self.0.state
    }

    /// Returns the jobs.
    pub fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    /// Returns the counters.
    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Returns how long the service has been running.
    pub fn uptime(&self) -> std::time::Duration {
        self.0.started.elapsed()
    }

    /// Opens the analysis of exactly this id; never a path.
    ///
    /// # Errors
    /// `not_found`; what opening a plan meets.
    pub fn plan(&self, id: &str) -> Answer<Plan> {
        Ok(Plan::open(&self.plan_path(id)?)?)
    }

    /// Returns where the analysis of exactly this id is.
    ///
    /// # Errors
    /// `not_found`.
    pub fn plan_path(&self, id: &str) -> Answer<PathBuf> {
        let path = self.home().plans().join(format!("{id}.mplan"));
        match is_id(id) && path.is_file() {
            true => Ok(path),
            false => Err(super::Problem::not_found("analysis", id)),
        }
    }

    /// Returns the lock that a change of an analysis holds.
    pub fn writing(&self, plan: &str) -> Arc<Mutex<()>> {
        let mut plans = self.0.plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.retain(|_, lock| Arc::strong_count(lock) > 1);
        plans.entry(plan.to_owned()).or_default().clone()
    }

    /// Returns what an analysis would change about who may do what; looked up once for each of its revisions.
    ///
    /// # Errors
    /// What reading the plan meets.
    pub fn power(&self, plan: &Plan) -> Result<Arc<Power>> {
        let (id, revision) = (plan.meta().id.clone(), plan.revision()?);
        let known = |powers: &HashMap<String, (String, Arc<Power>)>| {
            powers.get(&id).filter(|(of, _)| *of == revision).map(|(_, power)| power.clone())
        };
        if let Some(power) = known(&self.0.powers.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(power);
        }
        let power = Arc::new(match plan.meta().kind {
            PlanKind::Merge => Power::of(plan, &self.secrets())?,
            // What an undo brings was there before.
            PlanKind::Undo { .. } | PlanKind::Redo { .. } => Power::default(),
        });
        let mut powers = self.0.powers.lock().unwrap_or_else(PoisonError::into_inner);
        if powers.len() >= MOST_POWERS {
            powers.clear();
        }
        powers.insert(id, (revision, power.clone()));
        Ok(power)
    }

    /// Returns what is hidden; the service never shows secrets.
    pub fn secrets(&self) -> Secrets {
        let targets = self.config().settings.targets.values();
        Secrets { columns: targets.flat_map(crate::config::Target::secret_columns).collect(), visible: Visible::No }
    }
}

/// Tells whether a text can be one of our ids: it then never leads out of its folder.
pub fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn lock(home: &Home) -> Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = home.locks().join("serve.lock");
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(fail!(Busy, "another service runs on the data folder {}", home.root().display())
                .hint("Stop it, or choose another folder with --data-dir."))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Runs what may wait for a disk or a database on a thread that may.
///
/// # Errors
/// What it returns; `failed` when it broke.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Answer<T> + Send + 'static) -> Answer<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(_) => Err(fail!(Failed, "the service met an error of its own; it is in its log").into()),
    }
}
