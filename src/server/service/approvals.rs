//! Approvals: where a target asks for it, nobody merges alone (INTERFACE 3.2, ASVS 2.3.5).
//!
//! An approval is of an analysis exactly as it is: its revision. Whatever is decided afterwards needs a new one. An undo is
//! approved on its merge.

use super::merges;
use super::targets::Target;
use crate::server::access::{Person, Role};
use crate::server::app::App;
use crate::server::people;
use crate::server::problem::{Answer, Problem};
use crate::server::state::now;
use serde::Serialize;

/// What stands for the revision of an approved undo: what it does is made when it is done.
pub const UNDO: &str = "undo";

/// An approval.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Approval {
    /// Who approved.
    pub user: String,
    /// When.
    pub at: String,
    #[serde(skip)]
    user_id: String,
}

/// Lists who approved something as it is now, and may still do so.
///
/// # Errors
/// `Failed`.
pub fn of(app: &App, subject: &str, revision: &str) -> Answer<Vec<Approval>> {
    let sql = "SELECT users.name, at, users.id, users.role, users.own FROM approvals JOIN users ON users.id = user_id
               WHERE subject = ? AND revision = ? ORDER BY at, users.id";
    let found = app.state().with(|c| {
        c.prepare(sql)?
            .query_map((subject, revision), |row| {
                let approval = Approval { user: row.get(0)?, at: row.get(1)?, user_id: row.get(2)? };
                Ok((approval, row.get::<_, String>(3)?, row.get::<_, Option<String>>(4)?))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()
    })?;
    let may = |(_, role, own): &(Approval, String, Option<String>)| {
        own.is_none() && Role::from_word(role).is_some_and(|role| role >= Role::Operator)
    };
    Ok(found.into_iter().filter(may).map(|(approval, ..)| approval).collect())
}

/// Checks that somebody else approved what a person is about to do, where the target asks for it.
///
/// # Errors
/// `approval_needed`.
pub fn check(app: &App, person: &Person, target: &Target, subject: &str, revision: &str) -> Answer<()> {
    if !target.settings.approval || of(app, subject, revision)?.iter().any(|a| a.user_id != person.id) {
        return Ok(());
    }
    let route = if revision == UNDO { "merges" } else { "analyses" };
    Err(Problem::own(
        "approval_needed",
        format!("{} asks for another user's approval; nothing was changed", target.name),
    )
    .hint(format!("Somebody else approves it as it is now: POST /api/v1/{route}/{subject}/approval.")))
}

/// Forgets the approvals of what is being done: none is used twice.
///
/// # Errors
/// `Failed`.
pub fn spend(app: &App, subject: &str) -> Answer<()> {
    Ok(app.state().with(|c| c.execute("DELETE FROM approvals WHERE subject = ?", [subject]).map(|_| ()))?)
}

fn give(app: &App, person: &Person, subject: &str, revision: &str) -> Answer<Vec<Approval>> {
    if person.own.is_some() {
        return Err(Problem::forbidden("who reaches only their own records approves nothing"));
    }
    app.state().with(|c| {
        c.execute("DELETE FROM approvals WHERE subject = ? AND user_id = ?", (subject, &person.id))?;
        let sql = "INSERT INTO approvals (subject, user_id, revision, at) VALUES (?, ?, ?, ?)";
        c.execute(sql, (subject, &person.id, revision, now()))
    })?;
    people::note(app.home(), "approved", &person.actor(), &format!("{subject} as {revision}"))?;
    of(app, subject, revision)
}

/// Approves an analysis as it is; `etag` is what was looked at.
///
/// # Errors
/// `not_found`; `precondition_failed` when it was changed since; `already_merged`.
pub fn approve(app: &App, person: &Person, id: &str, etag: &str) -> Answer<Vec<Approval>> {
    let revision = app.plan(id)?.revision()?;
    if etag != revision {
        return Err(Problem::own("precondition_failed", "the analysis was changed since it was looked at")
            .hint("Look at it again, then approve."));
    }
    if let Some(merge) = crate::executor::receipt::merged_by(app.home(), id)? {
        return Err(Problem::own("already_merged", format!("it was merged by {merge}")));
    }
    give(app, person, id, &revision)
}

/// Approves that a merge is taken back.
///
/// # Errors
/// `not_found`.
pub fn approve_undo(app: &App, person: &Person, merge: &str) -> Answer<Vec<Approval>> {
    let view = merges::get(app, merge)?;
    give(app, person, &view.id, UNDO)
}

/// Takes one's own approval back.
///
/// # Errors
/// `not_found` without one.
pub fn withdraw(app: &App, person: &Person, subject: &str) -> Answer<()> {
    let sql = "DELETE FROM approvals WHERE subject = ? AND user_id = ?";
    match app.state().with(|c| c.execute(sql, (subject, &person.id)))? {
        0 => Err(Problem::own("not_found", format!("you have not approved {subject:?}"))),
        _ => Ok(people::note(app.home(), "approval_withdrawn", &person.actor(), subject)?),
    }
}
