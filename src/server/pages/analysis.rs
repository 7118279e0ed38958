//! Analyses: the list of them, and one's result with its counts, its graph and what needs a person.

use super::chrome::{Chrome, Desk, Step, draw, encoded, way};
use super::graph::graph;
use super::html::{Html, bar, instant, safe, time};
use super::words;
use crate::error::Result;
use crate::model::change::{Class, Counts};
use crate::plan::{Outcome, Plan, PlanKind, Selector};
use crate::report::text;
use crate::server::problem::Answer;
use crate::strategy::Strategy;
use askama::Template;
use axum::response::Response;

/// An analysis, as lists and headings show it.
pub(super) struct Head {
    pub(super) id: String,
    pub(super) backup: String,
    pub(super) exported: Option<Html>,
    pub(super) database: String,
    pub(super) created: Html,
    pub(super) waiting: String,
    pub(super) waiting_count: u64,
    /// Whether it was carried out, and stands.
    pub(super) merged: bool,
    pub(super) bar: Html,
    pub(super) words: String,
}

impl Head {
    /// Describes an analysis.
    pub(super) fn of(desk: &Desk, plan: &Plan) -> Answer<Self> {
        let kept = crate::catalog::Catalog::open(desk.app.home())?.list()?;
        Ok(Self::named(plan, &kept)?)
    }

    /// Describes an analysis whose backup is called as the catalog has it, else as its file.
    fn named(plan: &Plan, kept: &[crate::catalog::Entry]) -> Result<Self> {
        let meta = plan.meta();
        let backup = meta.backup.as_ref();
        let path = backup.map_or("–", |b| b.path.as_str());
        let file = std::path::Path::new(path).file_name().map_or(path.into(), |n| n.to_string_lossy());
        let known = backup.and_then(|b| kept.iter().find(|e| e.digest == b.digest));
        let name = known.map_or(file, |e| e.name.as_str().into());
        let counts = meta.counts();
        let waiting_count = plan.settled()?.undecided;
        let parts = [
            ("new", counts.new),
            ("updated", counts.updated),
            ("conflict", counts.conflict),
            ("blocked", counts.blocked),
        ];
        let said: Vec<String> = parts
            .iter()
            .filter(|p| p.1 > 0)
            .map(|(word, n)| format!("{} {} {}", words::sign(word), words::grouped(*n), words::class(word)))
            .collect();
        Ok(Self {
            id: meta.id.clone(),
            backup: safe(&name),
            exported: backup.and_then(|b| b.exported_at.as_deref()).map(time),
            database: safe(&meta.database.display),
            created: time(&meta.created_at),
            waiting: words::grouped(waiting_count),
            waiting_count,
            merged: false,
            bar: bar(&counts, 0),
            words: if said.is_empty() { words::NOTHING_DIFFERS.to_owned() } else { said.join(", ") },
        })
    }
}

/// Lists the analyses that can still be merged, newest first.
pub(super) fn open(desk: &Desk, most: usize) -> Answer<Vec<Head>> {
    listed(desk, most, Which::Open)
}

/// Which analyses are listed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Those that can still be merged.
    Open,
    /// All that are kept.
    Kept,
}

/// Lists the analyses that are kept, newest first; files that are none are passed over, for others may be writing them at
/// this moment.
fn listed(desk: &Desk, most: usize, which: Which) -> Answer<Vec<Head>> {
    let merged = crate::executor::receipt::merged(desk.app.home())?;
    let kept = crate::catalog::Catalog::open(desk.app.home())?.list()?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(desk.app.home().plans())? {
        let path = entry?.path();
        if path.extension().is_none_or(|e| e != "mplan") {
            continue;
        }
        if let Ok(plan) = Plan::open(&path)
            && plan.meta().kind == PlanKind::Merge
            && (which == Which::Kept || !merged.contains_key(&plan.meta().id))
        {
            found.push((plan.meta().created_at.clone(), plan));
        }
    }
    found.sort_by(|a, b| b.0.cmp(&a.0));
    let head = |plan: &Plan| Ok(Head { merged: merged.contains_key(&plan.meta().id), ..Head::named(plan, &kept)? });
    Ok(found.iter().take(most).map(|(_, plan)| head(plan)).collect::<Result<_>>()?)
}

#[derive(Template)]
#[template(path = "analyses.html")]
struct List {
    chrome: Chrome,
    analyses: Vec<Head>,
}

/// Draws the list.
pub(super) fn list(desk: &Desk) -> Answer<Response> {
    draw(&List {
        chrome: desk.chrome("analyses", words::ANALYSES, words::ANALYSES),
        analyses: listed(desk, 200, Which::Kept)?,
    })
}

/// A cell with a count.
pub(super) struct CountCell {
    pub(super) class: &'static str,
    pub(super) text: String,
}

impl CountCell {
    fn of(count: u64) -> Self {
        Self { class: if count == 0 { " zero" } else { "" }, text: words::grouped(count) }
    }
}

struct TableRow {
    name: String,
    link: String,
    from: Option<String>,
    bar: Html,
    counts: Vec<CountCell>,
}

#[derive(Template)]
#[template(path = "result.html")]
struct ResultPage {
    chrome: Chrome,
    a: Head,
    headline: String,
    nothing: bool,
    waiting: u64,
    needs_title: String,
    needs: Vec<(String, String, &'static str)>,
    tiles: Vec<(&'static str, String)>,
    tables: Vec<TableRow>,
    total_bar: Html,
    sum: String,
    graph: Option<Html>,
    strategy: String,
    strategies: Vec<(String, String)>,
    preserve_newer: bool,
    writes: String,
    can_write: bool,
    compared: String,
    expires: Html,
    not_carried: Vec<String>,
    notes: Vec<String>,
}

/// Returns the counts in the order of [`words::CLASSES`].
fn ordered(c: &Counts) -> [u64; 7] {
    [c.new, c.updated, c.conflict, c.unchanged, c.blocked, c.excluded, c.current_only]
}

/// Lists the built-in strategies with what they do.
pub(super) fn strategies() -> Vec<(String, String)> {
    Strategy::BUILT_IN
        .iter()
        .filter_map(|name| Strategy::load(name).ok())
        .map(|s| (s.name.clone(), s.summary.clone()))
        .collect()
}

/// Draws one analysis.
pub(super) fn result(desk: &Desk, id: &str) -> Answer<Response> {
    let plan = desk.app.plan(id)?;
    let meta = plan.meta();
    let (counts, preview) = (meta.counts(), plan.settled()?);
    let nothing = counts.new + counts.updated + counts.conflict + counts.blocked + preview.writes() == 0;
    let headline = match (nothing, preview.undecided, preview.writes()) {
        (true, ..) => words::CURRENT_ALREADY_HAS_EVERYTHING_IN_THIS_BACKUP.to_owned(),
        (_, 0, 0) => words::A_MERGE_WOULD_WRITE_NOTHING.to_owned(),
        (_, 0, n) => format!(words::phrase!(READY_TO_BE_MERGED), words::plural(n, "change")),
        (_, n, _) => format!(words::phrase!(TO_DECIDE_2), words::plural(n, "conflict")),
    };
    let link = |name: &str| format!("/analyses/{id}/tables/{}", encoded(name));
    let tables = meta.tables.iter().map(|t| TableRow {
        name: safe(&t.name),
        link: encoded(&t.name),
        from: Some(safe(&t.backup_name)).filter(|n| *n != t.name),
        bar: bar(&t.counts, 0),
        counts: ordered(&t.counts).into_iter().map(CountCell::of).collect(),
    });
    let mut needs = Vec::new();
    if preview.undecided > 0 {
        let patterns = plan.patterns(None)?;
        let text = match patterns.first() {
            Some((_, n)) if counts.conflict >= 20 && *n * 2 > counts.conflict => format!(
                words::phrase!(WAIT_FOR_A_DECISION_OF_THE_CONFLICTS),
                words::plural(preview.undecided, "conflict"),
                words::grouped(*n)
            ),
            _ => format!(
                words::phrase!(FOR_A_DECISION),
                if preview.undecided == 1 {
                    words::N_1_CONFLICT_WAITS.to_owned()
                } else {
                    format!(words::phrase!(CONFLICTS_WAIT), words::grouped(preview.undecided))
                }
            ),
        };
        needs.push((text, format!("/analyses/{id}/conflicts"), words::DECIDE));
    }
    if preview.blocked > 0 {
        let secrets = desk.app.secrets();
        let selector = Selector { outcome: Some(Outcome::Blocked), ..Selector::default() };
        for record in plan.page(&selector, 0, 3)?.records {
            let table = &meta.schema.tables[record.finding.table];
            let name = secrets.record_name(table, &record.finding.key);
            let why = text::because(&record).map(|w| secrets.scrub(table, &record.finding.fields, &w));
            let why = why.unwrap_or_else(|| text::explained(record.finding.reason).to_owned());
            let text = safe(&format!(words::phrase!(CANT_BE_WRITTEN_BECAUSE), name, why));
            needs.push((text, format!("/analyses/{id}/records/{}", record.conflict_id), words::LOOK));
        }
        if preview.blocked > 3 {
            let name = meta.tables.iter().find(|t| t.counts.blocked > 0).map_or("", |t| t.name.as_str());
            let text = format!(words::phrase!(CANT_BE_WRITTEN_IN_ALL), words::plural(preview.blocked, "record"));
            needs.push((text, format!("{}?class=blocked", link(name)), words::LIST));
        }
    }
    let powers = desk.app.power(&plan)?.total;
    if powers > 0 {
        needs.push((words::power_needs(powers), format!("/analyses/{id}/review"), words::LOOK));
    }
    let compared = match &meta.base {
        Some(base) => format!(words::phrase!(WITH_THE_BASE), meta.compared_word(), safe(&base.path)),
        None => words::TWO_WAY_NO_COMMON_BASE_IS_KNOWN.to_owned(),
    };
    let mut chrome = desk.chrome("result", words::ANALYSES, headline.clone());
    chrome.target = Some(desk.badge(&meta.database));
    chrome.way = way(Step::Analyze, Some(id));
    let page = ResultPage {
        chrome,
        a: Head::of(desk, &plan)?,
        headline,
        nothing,
        waiting: preview.undecided,
        needs_title: if needs.len() == 1 {
            words::ONE_THING_NEEDS_YOU.to_owned()
        } else {
            format!(words::phrase!(THINGS_NEED_YOU), needs.len())
        },
        needs,
        tiles: words::CLASSES.iter().copied().zip(ordered(&counts).map(words::grouped)).collect(),
        tables: tables.collect(),
        total_bar: bar(&counts, 0),
        sum: format!(
            words::phrase!(NEW_UPDATED_CONFLICT_UNCHANGED_BLOCKED_LEFT_OUT),
            words::plural(counts.backup_records(), "record")
        ),
        graph: graph(&plan, &link),
        strategy: safe(&meta.strategy.0),
        strategies: strategies(),
        preserve_newer: meta.options.preserve_newer,
        writes: text::writes(&preview),
        can_write: desk.can_write(),
        compared,
        expires: instant(&meta.expires_at),
        not_carried: meta.not_carried.iter().map(|c| safe(c)).collect(),
        notes: meta.notes.iter().map(|n| safe(n)).collect(),
    };
    draw(&page)
}

/// Reads a class's word, as addresses have it.
pub(super) fn class(word: Option<&str>) -> Option<Class> {
    Class::from_word(word?)
}
