//! Forms that change an analysis: decisions on one record, on ticked ones, on a whole pattern; another strategy; the merge.

use super::chrome::{Desk, go};
use super::record::{Hitch, next_undecided, record};
use super::wizard::{Form, field};
use super::words;
use crate::model::Key;
use crate::plan::{Decision, FieldDecision, Plan};
use crate::server::problem::{Answer, Problem};
use crate::server::service::analyses::{Which, record_etag};
use crate::server::service::decisions::{self, Doing, Restrategy, Said};
use crate::server::service::merges::{self, NewMerge, NewUndo};
use crate::server::service::operations::{self, Once};
use axum::response::Response;
use std::collections::BTreeMap;

/// Reads a decision on whole records; `None` takes one back.
pub(super) fn whole(take: &str) -> Answer<Option<Decision>> {
    match take {
        "backup" => Ok(Some(Decision::Backup)),
        "current" => Ok(Some(Decision::Current)),
        "skip" => Ok(Some(Decision::Skip)),
        "into-existing" => Ok(Some(Decision::IntoExisting)),
        "new-key" => Ok(Some(Decision::NewKey)),
        "clear" => Ok(None),
        other => {
            Err(Problem::invalid("/take", format!(words::phrase!(IS_NONE_OF_BACKUP_CURRENT_SKIP_INTO), other = other)))
        }
    }
}

/// Names a record as the service's functions take it.
fn named(plan: &Plan, found: &crate::plan::Stored) -> (String, String) {
    (plan.meta().schema.tables[found.finding.table].label(), Key(found.finding.key.clone()).to_string())
}

/// Decides one record and goes on to the next that waits, or shows what stood in the way with nothing lost.
pub(super) fn one(desk: &Desk, id: &str, conflict: &str, form: &Form) -> Answer<Response> {
    let plan = desk.app.plan(id)?;
    let found = plan.record(conflict)?;
    let answer = match field(form, "take") {
        "fields" => Some(Decision::Fields { fields: by_field(&plan, &found, form) }),
        take => whole(take)?,
    };
    let (table, key) = named(&plan, &found);
    // What the page showed is compared with what is decided now: another's decision is never lost unseen.
    let etag = field(form, "seen");
    let said = Said { answer, note: noted(form) };
    let decided = decisions::decide(&desk.app, desk.person()?, id, (&table, &key), &said, etag);
    match decided {
        Ok(_) => {
            let next = if field(form, "onward").is_empty() || field(form, "take") == "clear" {
                None
            } else {
                next_undecided(&desk.app.plan(id)?, found.finding.id)?
            };
            match next {
                Some(next) => go(&format!("/analyses/{id}/records/{}", next.conflict_id)),
                None => go(&format!("/analyses/{id}/records/{conflict}")),
            }
        }
        Err(problem) if problem.code == "precondition_failed" => {
            let (by, _) = plan.decided(found.finding.id)?;
            let changed_by = Some(by.unwrap_or_else(|| words::SOMEBODY_ELSE.to_owned()));
            let mut response = record(desk, id, conflict, &Hitch { changed_by, error: None })?;
            *response.status_mut() = problem.status();
            Ok(response)
        }
        Err(problem) if problem.status < 500 => {
            let error = match &problem.hint {
                Some(hint) => format!("{} {hint}", problem.detail),
                None => problem.detail.clone(),
            };
            let mut response = record(desk, id, conflict, &Hitch { changed_by: None, error: Some(error) })?;
            *response.status_mut() = problem.status();
            Ok(response)
        }
        Err(problem) => Err(problem),
    }
}

/// Reads what was noted beside a decision.
fn noted(form: &Form) -> Option<String> {
    Some(field(form, "note").to_owned()).filter(|note| !note.is_empty())
}

/// Reads the answers by field: `f-NAME` says which side, `v-NAME` a value of one's own.
fn by_field(plan: &Plan, record: &crate::plan::Stored, form: &Form) -> BTreeMap<String, FieldDecision> {
    let table = &plan.meta().schema.tables[record.finding.table];
    let mut fields = BTreeMap::new();
    for (name, side) in form.iter().filter_map(|(n, v)| Some((n.strip_prefix("f-")?, v.as_str()))) {
        let answer = match side {
            "backup" => FieldDecision::Backup,
            "value" => {
                // Not trimmed: spaces may be meant.
                let given = format!("v-{name}");
                let text = form.iter().find(|(n, _)| *n == given).map_or("", |(_, v)| v.as_str());
                let column = table.columns.iter().find(|c| c.name == name);
                FieldDecision::Value(typed(text, column))
            }
            _ => FieldDecision::Current,
        };
        fields.insert(name.to_owned(), answer);
    }
    fields
}

/// Reads what was typed as the column's kind of JSON: text stays text, `NULL` is null where the column allows it.
fn typed(text: &str, column: Option<&crate::model::Column>) -> serde_json::Value {
    use crate::model::schema::ColumnType as T;
    let Some(column) = column else { return text.into() };
    if text == "NULL" && column.nullable {
        return serde_json::Value::Null;
    }
    match &column.ty {
        T::Text { .. } | T::Enum(_) | T::Other(_) | T::Uuid | T::Date | T::Time { .. } | T::Timestamp { .. } => {
            text.into()
        }
        T::Json => serde_json::json!({"json": text}),
        T::Decimal { .. } => serde_json::json!({"decimal": text}),
        _ => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
    }
}

/// Decides the ticked records.
pub(super) fn ticked(desk: &Desk, id: &str, form: &Form) -> Answer<Response> {
    let said = Said { answer: whole(field(form, "take"))?, note: noted(form) };
    let back = Some(field(form, "back")).filter(|b| b.starts_with(&format!("/analyses/{id}/"))).map(str::to_owned);
    let plan = desk.app.plan(id)?;
    let records = form.iter().filter(|(n, _)| n == "id").map(|(_, conflict)| plan.record(conflict));
    let records = records.collect::<crate::error::Result<Vec<_>>>()?;
    // Before the first is decided: all of them or none.
    let secrets = desk.app.secrets();
    records.iter().try_for_each(|r| decisions::possible(&secrets, &plan, r, said.answer.as_ref()))?;
    let mut count = 0;
    for found in records {
        let (table, key) = named(&plan, &found);
        decisions::decide(&desk.app, desk.person()?, id, (&table, &key), &said, &record_etag(&plan, &found)?)?;
        count += 1;
    }
    if count == 0 {
        return Err(Problem::invalid("/id", words::NO_RECORD_WAS_TICKED).hint(words::GO_BACK_AND_TICK_THE_RECORDS_THAT));
    }
    go(&back.unwrap_or_else(|| format!("/analyses/{id}")))
}

/// Decides all conflicts of a pattern, if they are still as many as were shown.
pub(super) fn pattern(desk: &Desk, id: &str, form: &Form) -> Answer<Response> {
    let said = Said { answer: whole(field(form, "take"))?, note: noted(form) };
    let which = Which { pattern: Some(field(form, "pattern").to_owned()), ..Which::default() };
    let shown = field(form, "expect");
    let answered = super::patterns::answered(Some(field(form, "replace")));
    let count = Doing { answered, ..Doing::COUNTED };
    let now = decisions::bulk(&desk.app, desk.person()?, id, &which, &said, ("*", count))?;
    if now.matched.to_string() != shown {
        return Err(Problem::own(
            "precondition_failed",
            format!(
                words::phrase!(WERE_SHOWN_NOW_THERE_ARE_NOTHING_WAS),
                shown,
                words::plural(now.matched, "conflict")
            ),
        ));
    }
    decisions::bulk(&desk.app, desk.person()?, id, &which, &said, (&now.etag, Doing { answered, ..Doing::DONE }))?;
    go(&format!("/analyses/{id}/conflicts"))
}

/// Gives the analysis another strategy.
pub(super) fn strategy(desk: &Desk, id: &str, form: &Form) -> Answer<Response> {
    let wanted = Restrategy {
        strategy: Some(field(form, "strategy").to_owned()),
        preserve_newer: Some(!field(form, "preserve_newer").is_empty()),
        ..Restrategy::default()
    };
    decisions::restrategy(&desk.app, id, &wanted, "*")?;
    go(&format!("/analyses/{id}"))
}

/// Approves the analysis as the review showed it.
pub(super) fn approve(desk: &Desk, id: &str, form: &Form) -> Answer<Response> {
    crate::server::service::approvals::approve(&desk.app, desk.person()?, id, field(form, "etag"))?;
    go(&format!("/analyses/{id}/review"))
}

/// "Perform Incremental Merge", or its dry run: once, however often the form is sent.
pub(super) fn merge(desk: &Desk, id: &str, form: &Form) -> Answer<Response> {
    let dry_run = !field(form, "dry_run").is_empty();
    let plan = desk.app.plan(id)?;
    let deletes = plan.settled()?.deleted;
    if deletes > 0 && !dry_run && field(form, "word") != "RESTORE" {
        let why = crate::error::fail!(
            ConfirmationNeeded,
            "this merge deletes {}; nothing was changed",
            words::plural(deletes, "record")
        );
        return Err(why.hint(words::TYPE_RESTORE_ON_THE_REVIEW_PAGE_TO).into());
    }
    let target = crate::server::service::targets::of(&desk.app, &plan.meta().database)?;
    let confirm = match (target.settings.protected, deletes > 0) {
        (true, _) => Some(field(form, "confirm").to_owned()).filter(|c| !c.is_empty()),
        (false, true) => Some("RESTORE".to_owned()),
        (false, false) => None,
    };
    let request = NewMerge {
        analysis: id.to_owned(),
        etag: Some(field(form, "etag").to_owned()),
        confirm,
        confirm_security: !field(form, "confirm_security").is_empty(),
        note: Some(field(form, "note").to_owned()).filter(|n| !n.is_empty()),
        dry_run,
        skip_stale: false,
        skip_blocked: !field(form, "skip_blocked").is_empty() || dry_run,
        backup_first: !field(form, "backup_first").is_empty(),
        max_changes: None,
    };
    let body = serde_json::to_string(&request).map_err(|e| crate::error::fail!(Failed, "{e}"))?;
    let key = format!("{}{}", field(form, "once"), if dry_run { "-dry" } else { "" });
    start_once(desk, "/analyses/merge", &key, &body, |operation| {
        merges::start(&desk.app, desk.person()?, operation, &request)
    })
}

/// Takes a merge back.
pub(super) fn undo(desk: &Desk, id: &str, form: &Form) -> Answer<Response> {
    let ticked: Vec<String> = form.iter().filter(|(n, _)| n == "table").map(|(_, v)| v.clone()).collect();
    let all = ticked.len().to_string() == field(form, "tables");
    if ticked.is_empty() && field(form, "tables") > "1" {
        return Err(Problem::invalid("/table", words::NO_TABLE_WAS_TICKED_NOTHING_WAS_TAKEN));
    }
    let request = NewUndo {
        only_tables: if all { Vec::new() } else { ticked },
        confirm: Some(field(form, "confirm").to_owned()).filter(|c| !c.is_empty()),
        note: None,
        dry_run: false,
    };
    let body = format!("{id} {}", serde_json::to_string(&request).map_err(|e| crate::error::fail!(Failed, "{e}"))?);
    start_once(desk, "/merges/undo", field(form, "once"), &body, |operation| {
        merges::start_undo(&desk.app, desk.person()?, operation, id, &request)
    })
}

fn start_once(
    desk: &Desk,
    route: &str,
    key: &str,
    body: &str,
    start: impl FnOnce(String) -> Answer<operations::Operation>,
) -> Answer<Response> {
    let once = Once { route, key, body };
    match operations::once(&desk.app, desk.person()?, &once, start) {
        Ok(operation) => go(&format!("/operations/{}", operation.id)),
        // A form that was sent twice goes where the first one went.
        Err(Problem { code, instance: Some(place), .. }) if code == "still_running" => {
            go(&place.replace("/api/v1/operations/", "/operations/"))
        }
        Err(problem) => Err(problem),
    }
}
