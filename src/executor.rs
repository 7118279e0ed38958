//! Carrying out a plan: the only module that writes to a current database.
//!
//! One transaction on one fresh connection (CHECKS 2): what was seen is compared again under lock, undo images are on
//! disk before the first write, every written record is read back, and an error anywhere leaves the database as it was.

pub mod audit;
pub mod home;
pub mod receipt;
pub mod recover;
pub mod stale;
pub mod undo;

pub mod local;
mod lock;
mod lock_time;
mod names;
mod order;
mod prepare;
mod write;

pub use home::Home;
pub use receipt::{Receipt, State};
pub use write::BY_A_TRIGGER;

use crate::database::{Database, WriteOptions};
use crate::error::{Error, ErrorKind, Result, fail};
use crate::model::Schema;
use crate::plan::{BackupPin, Meta, Outcome, Plan, PlanKind, Preview, Selector};
use crate::progress::{Phase, Progress, failpoint};
use serde::{Deserialize, Serialize};

/// What to do when current records changed since the analysis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnStale {
    /// Nothing is written; each is listed.
    #[default]
    Refuse,
    /// They are left out and listed.
    Skip,
}

/// What to do with records that can't be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnBlocked {
    /// Nothing is written; each is listed.
    #[default]
    Refuse,
    /// They are left out and listed.
    Skip,
}

/// Whether what was written is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// Committed.
    #[default]
    Commit,
    /// Rolled back: a dry run.
    RollBack,
}

/// Whether a plan's seal is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// A plan made or changed elsewhere is refused.
    #[default]
    SealedOnly,
    /// The user vouches for the plan.
    Anything,
}

/// A limit on how many records may change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxChanges {
    /// So many.
    Records(u64),
    /// So many in a hundred of the records that the backup has.
    Percent(f64),
}

/// How a plan is carried out.
#[derive(Clone, Debug, Default)]
pub struct MergeOptions {
    /// Whether it is kept.
    pub ending: Ending,
    /// Stale records.
    pub on_stale: OnStale,
    /// Blocked records.
    pub on_blocked: OnBlocked,
    /// The seal.
    pub trust: Trust,
    /// The largest number of changes.
    pub max_changes: Option<MaxChanges>,
    /// Lock and statement limits.
    pub write: WriteOptions,
    /// How long records may stay locked, from the first one to the commit; then everything is rolled back.
    pub max_lock_time: Option<std::time::Duration>,
    /// How many records are written and read back in one go; 0: as many as is usual.
    pub batch: usize,
    /// Who does it, for the audit log.
    pub actor: String,
    /// What the audit log should say of it.
    pub note: Option<String>,
}

/// What a merge did, or would do.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MergeReport {
    /// The merge's id; empty for a dry run.
    pub merge: String,
    /// Where the receipt is; empty for a dry run.
    pub receipt: String,
    /// Whether the database was changed.
    pub changed: bool,
    /// Records per outcome.
    pub counts: Preview,
    /// The same per table, in writing order.
    pub tables: Vec<(String, Preview)>,
    /// Records left out: `users/41: why`.
    pub left_out: Vec<String>,
    /// Things a person should know: columns that triggers changed, counters.
    pub notes: Vec<String>,
    /// When the plan had been carried out already: by which merge.
    pub already: Option<String>,
}

/// Times a transaction is tried again after the database gave it up for another one's sake (CHECKS F32, F33).
const RETRIES: usize = 5;

/// Carries out a plan.
///
/// # Errors
/// `NeedsDecision` for undecided or blocked records, `PlanStale` listing what changed, `PlanMismatch` for another
/// database, backup or schema, `Busy`, `Refused`, `OutOfSpace`, `Unreachable`, `LimitReached`: nothing was written.
/// `OutcomeUnknown`: the connection was lost during the commit; [`recover::settle_all`] finds the truth.
pub fn merge(
    plan: &mut Plan,
    database: &mut dyn Database,
    home: &Home,
    options: &MergeOptions,
    progress: &dyn Progress,
) -> Result<MergeReport> {
    if options.trust == Trust::SealedOnly {
        plan.verify_seal(&home.key()?)?;
    }
    pinned(plan, database)?;
    writable(database)?;
    let _lock = lock::Lock::take(home, &plan.meta().database.id)?;
    failpoint("locked");
    let unsettled = recover::settle_all(home, database)?;
    if let Some(done) = receipt::merged_by(home, &plan.meta().id)? {
        return Ok(MergeReport { already: Some(done), ..MergeReport::default() });
    }
    if let Some(open) = unsettled.into_iter().find(|s| s.state == State::Unknown) {
        return Err(fail!(OutcomeUnknown, "the outcome of {} on this database is not known yet", open.id)
            .hint("Run 'merganser status' to find it out before merging again."));
    }
    let backup = plan.meta().backup.clone();
    let (unchanged, ready) = std::thread::scope(|scope| {
        // Digesting a large backup takes its time, and nothing before the transaction depends on what comes of it.
        let unchanged = scope.spawn(|| backup.as_ref().map_or(Ok(()), unchanged_backup));
        let ready = ready(plan, database, options, progress);
        (unchanged.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), ready)
    });
    unchanged.and(ready)?;
    let mut tries = 0;
    loop {
        match write::attempt(plan, database, home, options, progress) {
            // The database gave this transaction up for another one's sake: all of it again, on a new connection.
            Err(error) if is_worth_another_try(&error, tries) => {
                tries += 1;
                std::thread::sleep(std::time::Duration::from_millis(20 << tries));
            }
            outcome => return outcome,
        }
    }
}

fn is_worth_another_try(error: &Error, tries: usize) -> bool {
    error.kind() == ErrorKind::Busy && error.is_retryable() && tries < RETRIES
}

/// Checks that the schema is as it was, settles the plan, and checks that what comes of it may be written.
fn ready(plan: &mut Plan, database: &mut dyn Database, options: &MergeOptions, progress: &dyn Progress) -> Result<()> {
    let schema = database.schema()?;
    same_schema(plan, &schema)?;
    progress.phase(Phase::Settle);
    let (preview, _) = plan.settle(progress)?;
    needs_nobody(plan, &preview, options)?;
    limit(plan, &preview, options)
}

/// Says who is merging into a database right now, if anybody is.
pub fn lock_holder(home: &Home, database_id: &str) -> Option<String> {
    lock::Lock::holder(home, database_id)
}

/// Takes the lock that a merge takes, and gives it back: says whether a write transaction can be opened now.
///
/// # Errors
/// As beginning a merge.
pub fn can_write(database: &mut dyn Database, options: &WriteOptions) -> Result<()> {
    database.begin(options)?.rollback()
}

/// Makes sure that the database takes writes, as far as that is known before trying.
///
/// # Errors
/// `Refused` with the reason; as asking the database.
pub fn writable(database: &mut dyn Database) -> Result<()> {
    match database.read_only()? {
        None => Ok(()),
        Some(why) => Err(fail!(Refused, "{} takes no writes: {why}; nothing was changed", database.identity().display)
            .hint("Give the address of the server that takes writes; an analysis works here as well.")),
    }
}

/// Checks that the plan is for this database and not too old.
fn pinned(plan: &Plan, database: &dyn Database) -> Result<()> {
    let meta = plan.meta();
    let identity = database.identity();
    if meta.database.engine != identity.engine || meta.database.id != identity.id {
        return Err(fail!(
            PlanMismatch,
            "the plan {} is for {}, not for {}",
            meta.id,
            meta.database.display,
            identity.display
        )
        .hint("Analyze the backup against this database."));
    }
    let expired = chrono::DateTime::parse_from_rfc3339(&meta.expires_at).is_ok_and(|at| at < chrono::Utc::now());
    if expired {
        return Err(fail!(PlanMismatch, "the plan {} expired at {}", meta.id, meta.expires_at)
            .hint(format!("Analyze again: merganser analyze --refresh {}", meta.id)));
    }
    Ok(())
}

fn unchanged_backup(pin: &BackupPin) -> Result<()> {
    let (digest, _) = crate::backup::digest(std::path::Path::new(&pin.path)).map_err(|e| {
        fail!(PlanMismatch, "the backup {} that the plan was made from can't be read", pin.path)
            .because(e)
            .hint("Put it back, or analyze again.")
    })?;
    if digest != pin.digest {
        return Err(fail!(
            PlanMismatch,
            "the backup {} is not the one that was analyzed: its content changed",
            pin.path
        )
        .hint("Analyze again."));
    }
    Ok(())
}

/// Checks that every table of the plan is as it was.
fn same_schema(plan: &Plan, schema: &Schema) -> Result<()> {
    let meta = plan.meta();
    let mut differences = Vec::new();
    for result in &meta.tables {
        let before = &meta.schema.tables[result.table];
        match schema.table(&before.label()) {
            None => differences.push(format!("table {} is gone", before.label())),
            Some(now) => {
                let now = &schema.tables[now];
                if before.digest() == now.digest() {
                    continue;
                }
                let describe = |t: &crate::model::Table| {
                    t.columns.iter().map(|c| (c.name.clone(), c.declared.clone())).collect::<Vec<_>>()
                };
                let (old, new) = (describe(before), describe(now));
                let names = |from: &[(String, String)], not_in: &[(String, String)]| {
                    from.iter()
                        .filter(|c| !not_in.contains(c))
                        .map(|(n, d)| format!("{n} {d}"))
                        .collect::<Vec<_>>()
                        .join(", ")
                };
                let (gone, come) = (names(&old, &new), names(&new, &old));
                let what = match (gone.is_empty(), come.is_empty()) {
                    (true, true) => "its constraints, defaults or triggers changed".to_owned(),
                    _ => format!("was [{gone}], is [{come}]"),
                };
                differences.push(format!("table {}: {what}", before.label()));
            }
        }
    }
    differences.extend(referring_since(meta, schema));
    if differences.is_empty() {
        return Ok(());
    }
    Err(fail!(PlanStale, "the schema of {} changed since the analysis; nothing was changed", meta.database.display)
        .details(differences)
        .hint(format!("Analyze again: merganser analyze --refresh {}", meta.id)))
}

/// Names tables that came since and refer to one of the plan's: a deletion could reach into them unseen.
fn referring_since<'a>(meta: &'a Meta, schema: &'a Schema) -> impl Iterator<Item = String> + 'a {
    let new = schema.tables.iter().filter(|t| meta.schema.table(&t.label()).is_none());
    new.flat_map(move |table| {
        let planned = |t: &usize| meta.tables.iter().any(|r| r.name == schema.tables[*t].label());
        let targets = table.foreign_keys.iter().filter_map(|f| f.table).filter(planned);
        targets.map(|t| format!("table {} is new and refers to {}", table.label(), schema.tables[t].label()))
    })
}

/// The largest number of records listed in an error.
const LISTED: usize = 100;

fn needs_nobody(plan: &Plan, preview: &Preview, options: &MergeOptions) -> Result<()> {
    let list = |outcome| -> Result<Vec<String>> {
        let selector = Selector { outcome: Some(outcome), ..Selector::default() };
        let page = plan.page(&selector, 0, LISTED)?;
        Ok(page.records.iter().map(|r| describe(plan, r)).collect())
    };
    if preview.undecided > 0 {
        return Err(fail!(NeedsDecision, "undecided conflicts: {}; nothing was changed", preview.undecided)
            .details(list(Outcome::Undecided)?)
            .hint(format!("Decide them with 'merganser resolve {}', or choose another strategy.", plan.meta().id)));
    }
    if preview.blocked > 0 && options.on_blocked == OnBlocked::Refuse {
        return Err(fail!(NeedsDecision, "blocked records: {}; nothing was changed", preview.blocked)
            .details(list(Outcome::Blocked)?)
            .hint(
                "Mend them, leave them out with --on-blocked skip, or skip them one by one with 'merganser resolve'.",
            ));
    }
    Ok(())
}

/// Writes `users/41: conflict, current_newer: why`.
pub fn describe(plan: &Plan, record: &crate::plan::Stored) -> String {
    let table = plan.meta().schema.tables[record.finding.table].label();
    let key = crate::model::Key(record.finding.key.clone());
    let why = record.why.as_deref().or(record.finding.note.as_deref()).unwrap_or_default();
    let colon = if why.is_empty() { "" } else { ": " };
    format!("{table}/{key}: {}, {}{colon}{why}", record.finding.class, record.finding.reason)
}

fn limit(plan: &Plan, preview: &Preview, options: &MergeOptions) -> Result<()> {
    let writes = preview.writes();
    let most = match options.max_changes {
        None => return Ok(()),
        Some(MaxChanges::Records(most)) => most,
        Some(MaxChanges::Percent(percent)) => {
            let records = plan.meta().counts().backup_records();
            (records as f64 * percent / 100.0).floor() as u64
        }
    };
    if writes > most {
        return Err(fail!(
            LimitReached,
            "the merge would change {writes} records, more than the {most} allowed by --max-changes; nothing was changed"
        )
        .hint("Look at what would change with 'merganser show PLAN records', then raise --max-changes or leave it out."));
    }
    Ok(())
}

/// Says in one word what a plan's merge is, for ids and the audit log.
pub(crate) fn verb(kind: &PlanKind) -> &'static str {
    match kind {
        PlanKind::Merge => "merge",
        PlanKind::Undo { .. } => "undo",
        PlanKind::Redo { .. } => "redo",
    }
}

/// Makes an error say that nothing was changed, once.
pub(crate) fn nothing_changed(error: Error) -> Error {
    if error.to_string().contains("nothing was") || error.kind() == ErrorKind::OutcomeUnknown {
        return error;
    }
    error.and("nothing was changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given_up_for_another_transaction_is_tried_again_and_five_times_at_most() {
        let given_up = || fail!(Busy, "a deadlock").retryable();
        assert!((0..5).all(|tries| is_worth_another_try(&given_up(), tries)));
        assert!(!is_worth_another_try(&given_up(), 5));
        assert!(!is_worth_another_try(&fail!(Busy, "somebody holds the lock"), 0));
        assert!(!is_worth_another_try(&fail!(Refused, "a constraint").retryable(), 0));
        assert!(!is_worth_another_try(&fail!(OutcomeUnknown, "the connection was lost"), 0));
    }
}
