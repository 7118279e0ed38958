//! Finding out how a merge ended of which nobody knows: its process was killed, or its connection lost (CHECKS F10–F14).
//!
//! PostgreSQL is asked for the transaction by its id. Elsewhere the records tell, compared with the receipt's images.

mod records;

pub(super) use records::{differing, keyless};

use super::receipt::ReceiptMeta;
use super::{Home, Receipt, State, audit, lock, receipt};
use crate::database::Database;
use crate::error::{Result, fail};
use records::{compare, shows_nothing};

/// Records listed of an outcome that stays unknown.
const LISTED: usize = 100;

/// What was found out about one merge.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Settlement {
    /// The merge.
    pub id: String,
    /// How it ended.
    pub state: State,
    /// Records that are as the merge left them.
    pub after: u64,
    /// Records that are as they were before.
    pub before: u64,
    /// Records that are neither: changed by others since.
    pub neither: u64,
    /// Records that are not as most others, for a person to look at.
    pub lines: Vec<String>,
}

impl Settlement {
    fn of(meta: &ReceiptMeta, state: State) -> Self {
        Self { id: meta.id.clone(), state, after: 0, before: 0, neither: 0, lines: Vec::new() }
    }
}

/// Settles every merge of this database whose end is not known. Call it under the lock.
///
/// # Errors
/// `Unreachable`, or `Busy` while the server still works on it; the receipts keep saying that the outcome is unknown.
pub fn settle_all(home: &Home, database: &mut dyn Database) -> Result<Vec<Settlement>> {
    let (receipts, _) = receipt::list(home)?;
    let id = database.identity().id.clone();
    let mut settled = Vec::new();
    for meta in receipts {
        if meta.database.id != id {
            continue;
        }
        let path = home.receipts().join(format!("{}.receipt", meta.id));
        if matches!(meta.state, State::Intent | State::Unknown) {
            settled.push(settle(home, database, Receipt::open(&path)?)?);
        } else if meta.unfinished
            && let Err(error) = finish(home, database, &mut Receipt::open(&path)?)
        {
            settled.push(Settlement { lines: vec![error.full_message()], ..Settlement::of(&meta, State::Committed) });
        }
    }
    Ok(settled)
}

/// Settles as [`settle_all`] does unless a merge is running, and says who holds the lock then.
///
/// # Errors
/// As [`settle_all`].
pub fn status(home: &Home, database: &mut dyn Database) -> Result<(Vec<Settlement>, Option<String>)> {
    let id = database.identity().id.clone();
    if let Some(holder) = lock::Lock::holder(home, &id) {
        return Ok((Vec::new(), Some(holder)));
    }
    let _lock = lock::Lock::take(home, &id)?;
    receipt::sweep(home)?;
    Ok((settle_all(home, database)?, None))
}

/// Notes how a merge ended where the records don't tell and a person has looked.
///
/// What the records or the server do tell goes before what the person says.
///
/// # Errors
/// `Usage` for a merge whose end is known, or known by now to be another; as [`settle_all`] otherwise.
pub fn declare(home: &Home, database: &mut dyn Database, id: &str, state: State, actor: &str) -> Result<Settlement> {
    let _lock = lock::Lock::take(home, &database.identity().id)?;
    let path = home.receipt_path(id)?;
    let receipt = Receipt::open(&path)?;
    let meta = receipt.meta().clone();
    if meta.database.id != database.identity().id {
        return Err(fail!(PlanMismatch, "{} belongs to {}", meta.id, meta.database.display));
    }
    if !matches!(meta.state, State::Intent | State::Unknown) {
        return Err(fail!(Usage, "the end of {} is known: {}", meta.id, word(meta.state))
            .hint("Only a merge whose end is unknown can be settled by hand."));
    }
    let found = settle(home, database, receipt)?;
    if found.state == state {
        return Ok(found);
    }
    if found.state != State::Unknown {
        return Err(fail!(Usage, "{} was found out to be {}; nothing was settled by hand", meta.id, word(found.state)));
    }
    let mut receipt = Receipt::open(&path)?;
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    receipt.set_state(|m| {
        m.state = state;
        let said = format!("settled as {} by {actor} at {now}", word(state));
        m.note = Some(m.note.take().map_or(said.clone(), |note| format!("{note}; {said}")));
        if state == State::Committed {
            m.committed_at = Some(now);
            m.unfinished = true;
        }
    })?;
    let mut found = Settlement { state, ..found };
    if state == State::Committed
        && let Err(error) = finish(home, database, &mut receipt)
    {
        found.lines.push(error.full_message());
    }
    Ok(found)
}

fn word(state: State) -> &'static str {
    match state {
        State::Intent | State::Unknown => "unknown",
        State::Committed => "committed",
        State::RolledBack => "rolled back",
    }
}

fn settle(home: &Home, database: &mut dyn Database, mut receipt: Receipt) -> Result<Settlement> {
    let told = match &receipt.meta().transaction {
        Some(id) => database.transaction_outcome(id)?,
        None => None,
    };
    let mut found = match told {
        // A number of a transaction may have been given again, on a server that was put back from an older copy.
        Some(true) if shows_nothing(database, &receipt)? => {
            let line = "the server knows the transaction as committed, and its records are as before it";
            Settlement { lines: vec![line.to_owned()], ..Settlement::of(receipt.meta(), State::Unknown) }
        }
        Some(committed) => Settlement::of(receipt.meta(), if committed { State::Committed } else { State::RolledBack }),
        None => match receipt.check(&(0..receipt.meta().schema.tables.len()).collect::<Vec<_>>()) {
            Ok(()) => compare(database, &receipt)?,
            // By images that are not what was written down nothing can be told: a person has to look.
            Err(damaged) => {
                Settlement { lines: vec![damaged.full_message()], ..Settlement::of(receipt.meta(), State::Unknown) }
            }
        },
    };
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    receipt.set_state(|m| {
        m.state = found.state;
        if found.state == State::Committed {
            m.committed_at = Some(now);
            m.unfinished = true;
        }
    })?;
    found.lines.truncate(LISTED);
    if found.state == State::Committed
        && let Err(error) = finish(home, database, &mut receipt)
    {
        found.lines.push(error.full_message());
    }
    Ok(found)
}

/// Takes the steps that follow a commit; taking them twice does no harm.
fn finish(home: &Home, database: &mut dyn Database, receipt: &mut Receipt) -> Result<()> {
    let tables: Vec<crate::model::Table> = receipt.meta().schema.tables.clone();
    database.advance_counters(&tables.iter().filter(|t| !t.key.is_empty()).collect::<Vec<_>>())?;
    audit::append(home, receipt.meta())?;
    receipt.set_state(|m| m.unfinished = false)
}

/// Says what became of the newest merge that is known to be committed, where the database shows nothing of it: it was put
/// back from an older copy, or a server took over that had not heard of the merge yet (CHECKS F12).
///
/// *Complexity:* the first page of its records.
///
/// # Errors
/// As [`settle_all`].
pub fn vanished(home: &Home, database: &mut dyn Database) -> Result<Option<ReceiptMeta>> {
    let (receipts, _) = receipt::list(home)?;
    let id = database.identity().id.clone();
    let newest = receipts.into_iter().find(|meta| meta.database.id == id && meta.state == State::Committed);
    let Some(meta) = newest else { return Ok(None) };
    let receipt = Receipt::open(&home.receipts().join(format!("{}.receipt", meta.id)))?;
    Ok(shows_nothing(database, &receipt)?.then_some(meta))
}
