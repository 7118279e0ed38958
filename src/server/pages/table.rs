//! The records of one table and class: what differs, both sides in one row, and ticking many at once.

use super::analysis::{Head, class};
use super::beside::{Now, now};
use super::chrome::{Chrome, Desk, Step, draw, encoded, way};
use super::html::{Html, IN_LIST, pair, safe, value};
use super::words;
use crate::model::Table;
use crate::model::change::Class;
use crate::plan::{Outcome, Plan, Selector, Stored};
use crate::report::text;
use crate::report::{RecordView, Secrets};
use crate::server::problem::Answer;
use askama::Template;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value as Json;

/// What a page of records is asked for by.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Query {
    class: Option<String>,
    #[serde(default)]
    q: String,
    #[serde(default)]
    column: String,
    after: Option<i64>,
    size: Option<usize>,
}

struct Tab {
    word: &'static str,
    count: String,
    link: String,
    on: bool,
}

struct FieldRow {
    name: String,
    conflict: bool,
    current: Option<Html>,
    backup: Option<Html>,
}

struct Row {
    id: String,
    link: String,
    name: String,
    key: String,
    fields: Vec<FieldRow>,
    outcome: &'static str,
    why: Option<String>,
}

#[derive(Template)]
#[template(path = "table.html")]
struct TablePage {
    chrome: Chrome,
    a: Head,
    table: String,
    tabs: Vec<Tab>,
    explained: &'static str,
    class: String,
    query: String,
    sizes: Vec<usize>,
    size: usize,
    column: String,
    columns: Vec<String>,
    leave_out: Option<String>,
    rows: Vec<Row>,
    /// Says how many there are where an analysis keeps no more than their number.
    only_counted: Option<String>,
    decidable: bool,
    here: String,
    caption: String,
    hidden_note: String,
    first: Option<String>,
    next: Option<String>,
    total: String,
}

/// Records looked through for a search on one page: a search that finds nothing ends.
const LOOKED_THROUGH: usize = 50_000;
/// Fields shown of a record in the list.
const FIELDS: usize = 8;

/// Draws a page of records.
pub(super) fn table(desk: &Desk, id: &str, name: &str, query: &Query) -> Answer<Response> {
    let plan = desk.app.plan(id)?;
    let position = plan.table(name)?;
    let meta = plan.meta();
    let schema = &meta.schema.tables[position];
    let mut counts = meta.tables.iter().find(|t| t.table == position).map(|t| t.counts).unwrap_or_default();
    let listed = [Class::Conflict, Class::New, Class::Updated, Class::Blocked, Class::Excluded, Class::CurrentOnly];
    let wanted =
        class(query.class.as_deref()).or_else(|| listed.into_iter().find(|c| *counts.of(*c) > 0)).unwrap_or(Class::New);
    let word = wanted.word();
    let size = query.size.unwrap_or(50).clamp(10, 200);
    let base = format!(
        "/analyses/{id}/tables/{}?class={word}&size={size}&q={}&column={}",
        encoded(name),
        encoded(&query.q),
        encoded(&query.column)
    );
    let secrets = desk.app.secrets();
    let after = query.after.unwrap_or(0);
    let sought =
        Sought { text: query.q.to_lowercase(), column: schema.columns.iter().position(|c| c.name == query.column) };
    let (records, next) = found(&plan, position, wanted, &sought, after, size, &secrets)?;
    let now = if matches!(wanted, Class::New) { vec![None; records.len()] } else { now(desk, &plan, &records) };
    let tabs = listed.into_iter().filter(|c| *counts.clone().of(*c) > 0 || *c == wanted);
    let tabs = tabs
        .map(|c| Tab {
            word: words::CLASSES.iter().find(|w| **w == c.word()).copied().unwrap_or("new"),
            count: words::grouped(*counts.clone().of(c)),
            link: format!("/analyses/{id}/tables/{}?class={}", encoded(name), c.word()),
            on: c == wanted,
        })
        .collect();
    let total = *counts.of(wanted);
    let mut chrome = desk.chrome("table", words::ANALYSES, schema.label());
    chrome.title = safe(&chrome.title);
    chrome.target = Some(desk.badge(&meta.database));
    chrome.way = way(Step::Decide, Some(id));
    let equal = schema.columns.len().saturating_sub(records.first().map_or(0, |r| r.finding.fields.len()));
    let page = TablePage {
        a: Head::of(desk, &plan)?,
        table: safe(&schema.label()),
        tabs,
        explained: words::class_explained(&word),
        decidable: desk.can_write() && matches!(wanted, Class::Conflict | Class::New | Class::Updated | Class::Blocked),
        class: word,
        query: query.q.clone(),
        sizes: vec![20, 50, 100, 200],
        size,
        only_counted: (wanted == Class::CurrentOnly && records.is_empty() && sought.is_nothing())
            .then(|| words::only_in_current(total)),
        rows: records.iter().zip(&now).map(|(r, n)| row(&plan, schema, r, n.as_ref(), id, &secrets)).collect(),
        column: query.column.clone(),
        columns: schema.columns.iter().map(|c| c.name.clone()).collect(),
        leave_out: leave_out(&plan, &query.column, schema),
        here: if after > 0 { format!("{base}&after={after}") } else { base.clone() },
        caption: format!("{}: {}", words::plural(total, "record"), words::class(&wanted.word())),
        hidden_note: match (wanted, equal) {
            (Class::New, _) => words::UP_TO_8_FIELDS_EACH_OPEN_A.to_owned(),
            (_, 0) => words::NO_COLUMN_IS_EQUAL.to_owned(),
            (_, n) => format!(words::phrase!(EQUAL_COLUMNS_IN_THE_FIRST_RECORD_ARE), n = n),
        },
        first: (after > 0).then(|| base.clone()),
        next: next.map(|n| format!("{base}&after={n}")),
        total: words::grouped(total),
        chrome,
    };
    draw(&page)
}

/// What records are looked for by.
struct Sought {
    /// A text that they hold, in small letters; empty: any.
    text: String,
    /// A column in which they differ.
    column: Option<usize>,
}

impl Sought {
    /// Whether all records are shown.
    fn is_nothing(&self) -> bool {
        self.text.is_empty() && self.column.is_none()
    }
}

/// Returns where the analysis can be made again without a column, if one is looked at.
fn leave_out(plan: &Plan, column: &str, table: &Table) -> Option<String> {
    let known = table.columns.iter().any(|c| c.name == column);
    known.then(|| {
        format!("/analyze?again={}&skip_columns={}", plan.meta().id, encoded(&format!("{}.{column}", table.label())))
    })
}

/// Returns the records of a page that hold a text.
fn found(
    plan: &Plan,
    table: usize,
    class: Class,
    sought: &Sought,
    mut after: i64,
    size: usize,
    secrets: &Secrets,
) -> crate::error::Result<(Vec<Stored>, Option<i64>)> {
    let selector = Selector { table: Some(table), classes: vec![class], ..Selector::default() };
    if sought.is_nothing() {
        let page = plan.page(&selector, after, size)?;
        return Ok((page.records, page.next));
    }
    let (mut records, mut looked) = (Vec::new(), 0);
    loop {
        let page = plan.page(&selector, after, 500)?;
        for record in page.records {
            after = record.finding.id;
            looked += 1;
            let differs = |c| record.finding.fields.iter().any(|f| f.column == c && f.current != f.backup);
            if sought.column.is_none_or(differs) && holds(plan, &record, &sought.text, secrets) {
                records.push(record);
                if records.len() == size {
                    return Ok((records, Some(after)));
                }
            }
        }
        if page.next.is_none() || looked >= LOOKED_THROUGH {
            return Ok((records, page.next));
        }
    }
}

/// Tells whether a record shows a text; what is hidden is not found either.
fn holds(plan: &Plan, record: &Stored, needle: &str, secrets: &Secrets) -> bool {
    let table = &plan.meta().schema.tables[record.finding.table];
    let has = |text: String| text.to_lowercase().contains(needle);
    has(secrets.key_text(table, &record.finding.key))
        || record.finding.fields.iter().any(|f| {
            [f.current.as_ref(), f.backup.as_ref()].into_iter().flatten().any(|v| has(secrets.text(table, f.column, v)))
        })
}

/// Names a record by what people know it by: a name, a title, an address; else by its key.
pub(super) fn title(table: &Table, record: &Stored, now: Option<&Now>, secrets: &Secrets) -> String {
    let known = ["name", "full_name", "fullname", "title", "username", "email", "label", "subject", "slug"];
    let fold = |name: &str| crate::model::names::fold(name);
    let held = |column: usize| {
        let field = record.finding.fields.iter().find(|f| f.column == column);
        let now = now.and_then(|n| n.get(column)?.as_ref());
        field.and_then(|f| f.current.as_ref().or(f.backup.as_ref())).or(now).filter(|v| !v.is_null())
    };
    let named = |k: &str| {
        let fits = |c: &usize| {
            let name = fold(&table.columns[*c].name);
            (name == fold(k) || name.ends_with(&fold(k))) && !secrets.hides(&table.label(), &table.columns[*c].name)
        };
        (0..table.columns.len()).filter(fits).find_map(held)
    };
    let text = known.iter().find_map(|k| named(k));
    match text.map(ToString::to_string).filter(|t| !t.trim().is_empty()) {
        Some(text) => safe(&text::short(&text, 60)),
        None => safe(&secrets.record_name(table, &record.finding.key)),
    }
}

fn row(plan: &Plan, table: &Table, record: &Stored, now: Option<&Now>, id: &str, secrets: &Secrets) -> Row {
    let view = RecordView::of(plan, record, secrets);
    let one_sided = matches!(record.finding.class, Class::New | Class::CurrentOnly);
    let mut fields: Vec<_> = view
        .fields
        .iter()
        .filter(|f| f.backup.is_some() || f.current.is_some())
        .filter(|f| !one_sided || !is_null(f.backup.as_ref().or(f.current.as_ref())))
        .collect();
    fields.sort_by_key(|f| !f.conflict);
    let mut shown: Vec<FieldRow> = fields
        .into_iter()
        .take(FIELDS)
        .map(|f| {
            let (current, backup) = if one_sided {
                let side = |v: Option<&Json>| v.map(|v| value(Some(v), "", IN_LIST));
                (side(f.current.as_ref()), side(f.backup.as_ref()))
            } else {
                let (current, backup) = pair(f.current.as_ref(), f.backup.as_ref(), IN_LIST);
                (Some(current), Some(backup))
            };
            FieldRow { name: safe(&f.name), conflict: f.conflict, current, backup }
        })
        .collect();
    if shown.is_empty() {
        shown.push(FieldRow { name: "–".to_owned(), conflict: false, current: None, backup: None });
    }
    Row {
        id: record.conflict_id.clone(),
        link: format!("/analyses/{id}/records/{}", record.conflict_id),
        name: title(table, record, now, secrets),
        key: safe(&secrets.record_name(table, &record.finding.key)),
        fields: shown,
        outcome: words::outcome(record.outcome.map_or("", crate::plan::Outcome::word)),
        why: because(record).map(|w| safe(&secrets.scrub(table, &record.finding.fields, &w))),
    }
}

/// Says what a reason alone does not: nothing where it is only that a person is asked, which the outcome says.
pub(super) fn because(record: &Stored) -> Option<String> {
    text::because(record).filter(|why| record.outcome != Some(Outcome::Undecided) || !why.ends_with(words::ASKED))
}

fn is_null(value: Option<&Json>) -> bool {
    value.is_none_or(Json::is_null)
}
