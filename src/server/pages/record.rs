//! One record: why it is what it is, field by field, and the decision about it.

use super::analysis::Head;
use super::chrome::{Chrome, Desk, Step, draw, encoded, way};
use super::html::{ALONE, Html, lines, pair, safe, time, value};
use super::table::{because, title};
use super::words;
use crate::model::change::{Class, Field, Reason};
use crate::model::{Key, Table, Value};
use crate::plan::{Decision, FieldDecision, Outcome, Plan, Selector, Stored};
use crate::report::{RecordView, Secrets, text};
use crate::server::problem::Answer;
use crate::server::service::analyses::record_etag;
use askama::Template;
use axum::response::Response;
use serde_json::Value as Json;

pub(super) struct FieldView {
    name: String,
    name_raw: String,
    conflict: bool,
    base: Option<Html>,
    current: Html,
    backup: Html,
    decidable: bool,
    editable: bool,
    choice: &'static str,
    /// What is written, where that is neither side's.
    written: Option<Html>,
    own: String,
    why_not: &'static str,
}

/// What stood in the way of a decision, or came in between.
#[derive(Clone, Debug, Default)]
pub(super) struct Hitch {
    /// Who decided in the meantime.
    pub(super) changed_by: Option<String>,
    /// What is wrong with what was chosen.
    pub(super) error: Option<String>,
}

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    chrome: Chrome,
    a: Head,
    id: String,
    table: String,
    table_link: String,
    key: String,
    name: String,
    class: String,
    previous: Option<String>,
    next: Option<String>,
    unresolved: Option<String>,
    changed_by: Option<String>,
    error: Option<String>,
    reason: &'static str,
    note: Option<String>,
    /// What was decided; by whom, and when.
    decided: Option<(String, Option<(String, Html)>)>,
    /// Whether this was the last conflict that waited.
    all_decided: bool,
    /// Whether it is shown under a name, not its key.
    named: bool,
    can_clear: bool,
    seen: String,
    /// What was noted beside the decision.
    noted: String,
    decidable: bool,
    by_field: bool,
    /// Whether another record stands where the backup's would go.
    identity: bool,
    lean: &'static str,
    has_base: bool,
    current_at: Option<Html>,
    backup_at: Option<Html>,
    hidden_note: String,
    equal: Vec<(String, Html)>,
    fields: Vec<FieldView>,
    line_diffs: Vec<(String, Html)>,
    like_this: u64,
    pattern_text: String,
    pattern_link: String,
    linked: Vec<(String, Option<String>)>,
}

/// Finds the next record that waits for a decision, after another and then from the beginning.
pub(super) fn next_undecided(plan: &Plan, after: i64) -> crate::error::Result<Option<Stored>> {
    let selector = Selector { outcome: Some(Outcome::Undecided), ..Selector::default() };
    let found = plan.page(&selector, after, 1)?.records.pop();
    let found = match found {
        None if after > 0 => plan.page(&selector, 0, 1)?.records.pop(),
        found => found,
    };
    Ok(found.filter(|r| r.finding.id != after))
}

/// Draws one record.
pub(super) fn record(desk: &Desk, id: &str, name: &str, hitch: &Hitch) -> Answer<Response> {
    let plan = desk.app.plan(id)?;
    let found = plan.record(name)?;
    let (meta, finding) = (plan.meta(), &found.finding);
    let table = &meta.schema.tables[finding.table];
    let secrets = desk.app.secrets();
    let view = RecordView::of(&plan, &found, &secrets);
    let link = |conflict: &str| format!("/analyses/{id}/records/{conflict}");
    let same = Selector { table: Some(finding.table), classes: vec![finding.class], ..Selector::default() };
    let next = plan.page(&same, finding.id, 1)?.records.pop().map(|r| link(&r.conflict_id));
    let unresolved = next_undecided(&plan, finding.id)?.map(|r| link(&r.conflict_id));
    let pattern = if finding.class == Class::Conflict { plan.pattern_of(&found) } else { String::new() };
    let answered = plan.decided(finding.id)?;
    let like_this = if pattern.is_empty() { 0 } else { plan.pattern_size(&pattern)?.0 };
    let decidable =
        desk.can_write() && matches!(finding.class, Class::Conflict | Class::New | Class::Updated | Class::Blocked);
    let by_field = decidable && finding.class != Class::Blocked;
    let fields: Vec<FieldView> = finding
        .fields
        .iter()
        .zip(&view.fields)
        .map(|(field, shown)| field_view(table, field, shown, &found, by_field, &secrets))
        .collect();
    let by_field = by_field && fields.iter().any(|f| f.decidable);
    let decided = decided(&found, &answered);
    let shown_key = secrets.key_text(table, &finding.key);
    let clock = |at: Option<crate::model::calendar::Timestamp>| at.map(|t| time(&Value::Timestamp(t).to_string()));
    let now = super::beside::now(desk, &plan, std::slice::from_ref(&found)).pop().flatten();
    let mut chrome = desk.chrome("conflict", words::ANALYSES, title(table, &found, now.as_ref(), &secrets));
    chrome.target = Some(desk.badge(&meta.database));
    chrome.way = way(Step::Decide, Some(id));
    let equal = unlisted(table, finding).count();
    let page = RecordPage {
        a: Head::of(desk, &plan)?,
        id: found.conflict_id.clone(),
        table: safe(&table.label()),
        table_link: format!("/analyses/{id}/tables/{}?class={}", encoded(&table.label()), finding.class),
        key: safe(&shown_key),
        name: chrome.title.clone(),
        class: finding.class.word(),
        previous: plan.before(finding.table, finding.class, finding.id)?.map(|c| link(&c)),
        next,
        unresolved,
        changed_by: hitch.changed_by.as_deref().map(safe),
        error: hitch.error.as_deref().map(safe),
        reason: text::explained(finding.reason),
        note: because(&found).map(|n| safe(&secrets.scrub(table, &finding.fields, &n))),
        all_decided: found.answer().is_some() && finding.class == Class::Conflict && plan.settled()?.undecided == 0,
        named: chrome.title != safe(&secrets.record_name(table, &finding.key)),
        can_clear: found.answer().is_some(),
        decided,
        seen: record_etag(&plan, &found)?,
        noted: plan.decision_note(finding.id)?.unwrap_or_default(),
        by_field,
        identity: matches!(finding.reason, Reason::UniqueTaken | Reason::ReusedKey),
        decidable,
        lean: if found.decision == Some(Decision::Backup) { "backup" } else { "" },
        has_base: finding.fields.iter().any(|f| f.base.is_some()),
        current_at: clock(finding.current_at),
        backup_at: clock(finding.backup_at),
        hidden_note: match equal {
            0 => words::EVERY_COLUMN.to_owned(),
            1 => words::N_1_COLUMN_IS_EQUAL_ON_BOTH_SIDES.to_owned(),
            n => format!(words::phrase!(COLUMNS_ARE_EQUAL_ON_BOTH_SIDES), n = n),
        },
        equal: now.iter().flat_map(|now| equal_columns(table, finding, now, &secrets)).collect(),
        line_diffs: view
            .fields
            .iter()
            .filter_map(|f| Some((safe(&f.name), lines(f.current.as_ref(), f.backup.as_ref())?)))
            .collect(),
        fields,
        like_this,
        pattern_text: format!(
            words::phrase!(ALL_IN_FOR_THE_SAME_REASON_DIFFERING),
            safe(&table.label()),
            safe(pattern.rsplit_once(": ").map_or(words::THE_WHOLE_RECORD, |p| p.1))
        ),
        pattern_link: format!("/analyses/{id}/conflicts?pattern={}&take=backup", encoded(&pattern)),
        linked: linked(&plan, &found, &secrets, &link)?,
        chrome,
    };
    draw(&page)
}

/// Lists the columns that are neither the key nor among the fields that differ.
fn unlisted<'a>(table: &'a Table, finding: &'a crate::analyzer::Finding) -> impl Iterator<Item = usize> + 'a {
    let listed = |c: usize| table.key.contains(&c) || finding.fields.iter().any(|f| f.column == c);
    (0..table.columns.len()).filter(move |c| !listed(*c))
}

/// Draws the columns that both sides have alike, as current holds them.
fn equal_columns(
    table: &Table,
    finding: &crate::analyzer::Finding,
    now: &super::beside::Now,
    secrets: &Secrets,
) -> Vec<(String, Html)> {
    let columns = unlisted(table, finding).filter(|_| finding.class != Class::New);
    let drawn = |c: usize| {
        let held = now.get(c).and_then(Option::as_ref).map(|v| secrets.json(table, c, v));
        (safe(&table.columns[c].name), value(held.as_ref(), words::NOT_THERE, ALONE))
    };
    columns.map(drawn).collect()
}

fn field_view(
    table: &Table,
    field: &Field,
    shown: &crate::report::FieldView,
    record: &Stored,
    decidable: bool,
    secrets: &Secrets,
) -> FieldView {
    let column = &table.columns[field.column];
    let fixed = table.key.contains(&field.column) || !column.writable();
    let hidden = secrets.hides(&table.label(), &column.name);
    let (current, backup) = pair(shown.current.as_ref(), shown.backup.as_ref(), ALONE);
    let answer = match &record.decision {
        Some(Decision::Fields { fields }) => fields.get(&column.name),
        _ => None,
    };
    let choice = match (&record.decision, answer) {
        (Some(Decision::Backup), _) | (_, Some(FieldDecision::Backup)) => "backup",
        (_, Some(FieldDecision::Value(_))) => "value",
        _ => "current",
    };
    let own = match answer {
        Some(FieldDecision::Value(Json::String(text))) if !hidden => text.clone(),
        Some(FieldDecision::Value(other)) if !hidden => other.to_string(),
        _ => String::new(),
    };
    FieldView {
        name: safe(&column.name),
        name_raw: column.name.clone(),
        conflict: field.in_conflict,
        base: field.base.as_ref().map(|_| value(shown.base.as_ref(), words::NOT_IN_THE_BASE, ALONE)),
        current,
        backup,
        decidable: decidable && !fixed && field.backup.is_some(),
        editable: decidable && !fixed,
        choice,
        written: shown.written.as_ref().map(|v| value(Some(v), words::NOT_THERE, ALONE)),
        own,
        why_not: match (fixed, field.backup.is_some()) {
            (true, _) => words::PART_OF_THE_KEY_OR_COMPUTED,
            (_, false) => words::STAYS_THE_BACKUP_DOES_NOT_CARRY_IT,
            _ => "",
        },
    }
}

/// Says in words what was decided, and by whom.
fn decided(record: &Stored, answered: &(Option<String>, Option<String>)) -> Option<(String, Option<(String, Html)>)> {
    let outcome = record.outcome.map_or("", Outcome::word);
    let what = match record.answer() {
        Some(Decision::Backup) => words::DECIDED_TAKE_THE_BACKUPS_RECORD.to_owned(),
        Some(Decision::Current) => words::DECIDED_KEEP_THE_CURRENT_RECORD.to_owned(),
        Some(Decision::Skip) => words::DECIDED_WRITE_NOTHING_FOR_IT.to_owned(),
        Some(Decision::IntoExisting) => words::DECIDED_ITS_FIELDS_GO_INTO_THE_RECORD.to_owned(),
        Some(Decision::NewKey) => words::DECIDED_INSERT_IT_UNDER_A_NEW_KEY.to_owned(),
        Some(Decision::Fields { fields }) => {
            format!(words::phrase!(DECIDED_BY_FIELD), fields.keys().map(|k| safe(k)).collect::<Vec<_>>().join(", "))
        }
        Some(Decision::Ask) | None if outcome.is_empty() || outcome == "undecided" => return None,
        Some(Decision::Ask) | None => {
            return Some((format!(words::phrase!(AS_THE_STRATEGY_HAS_IT), words::outcome(outcome)), None));
        }
    };
    let by = answered.0.as_deref().zip(answered.1.as_deref()).map(|(by, at)| (safe(by), time(at)));
    Some((what, by))
}

/// Lists the records of this analysis that a record refers to, and counts those that refer to it.
fn linked(
    plan: &Plan,
    record: &Stored,
    secrets: &Secrets,
    link: &dyn Fn(&str) -> String,
) -> crate::error::Result<Vec<(String, Option<String>)>> {
    let meta = plan.meta();
    let finding = &record.finding;
    let table = &meta.schema.tables[finding.table];
    let value = |column: usize| {
        let field = finding.fields.iter().find(|f| f.column == column);
        let own = field.and_then(|f| f.backup.as_ref().or(f.current.as_ref()));
        own.or_else(|| table.key.iter().position(|k| *k == column).and_then(|p| finding.key.get(p)))
    };
    let mut found = Vec::new();
    for key in &table.foreign_keys {
        let Some(parent) = key.table else { continue };
        let values: Option<Vec<Value>> = key.columns.iter().map(|&c| value(c).cloned()).collect();
        let Some(values) = values.filter(|v| !v.iter().any(Value::is_null)) else { continue };
        let parent_table = &meta.schema.tables[parent];
        let name = secrets.record_name(parent_table, &values);
        let text = format!(words::phrase!(REFERS_TO), safe(&name));
        let target = plan.record(&format!("{}/{}", parent_table.label(), Key(values))).ok();
        found.push((text, target.map(|t| link(&t.conflict_id))));
    }
    for result in &meta.tables {
        let child = &meta.schema.tables[result.table];
        if child.foreign_keys.iter().any(|k| k.table == Some(finding.table)) && result.table != finding.table {
            let differing = result.counts.new + result.counts.updated + result.counts.conflict + result.counts.blocked;
            if differing > 0 {
                let text = format!(
                    words::phrase!(REFERS_TO_THIS_TABLE_THERE_DIFFER),
                    safe(&result.name),
                    words::differing(differing)
                );
                let to = format!("/analyses/{}/tables/{}", meta.id, encoded(&result.name));
                found.push((text, Some(to)));
            }
        }
    }
    Ok(found)
}
