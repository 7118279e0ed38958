//! Analyses: "Analyze for Merge" as a job, then looking into what was found, page by page.

use super::approvals::{self, Approval};
use super::operations::{Kind, Operation};
use super::targets;
use crate::analyzer::classify::Deletes;
use crate::analyzer::options::{OnUnknown, Parents, Reach};
use crate::analyzer::{Options, filter};
use crate::backup::{Keys, Passphrase, Secret};
use crate::catalog::Catalog;
use crate::error::{Result, fail};
use crate::executor::home::fresh_id;
use crate::model::change::{Class, Counts};
use crate::plan::make::{Request, make};
use crate::plan::{Outcome, Plan, PlanKind, Selector, Stored};
use crate::report::{Analyzed, RecordView, Secrets, html, sql};
use crate::server::access::Person;
use crate::server::app::App;
use crate::server::jobs::Spec;
use crate::server::problem::{Answer, Problem};
use crate::strategy::Strategy;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// What is to be compared, and how.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewAnalysis {
    /// The backup's id or name.
    pub backup: String,
    /// The target's name.
    pub target: String,
    /// A preset of strategies: `recover-deleted`, `put-back`, `environment-sync`, `combine`.
    pub intent: Option<String>,
    /// The strategy's name.
    pub strategy: Option<String>,
    /// Strategies of single tables: table to name.
    pub table_strategies: std::collections::BTreeMap<String, String>,
    /// Whether newer current records stay under every strategy (default: yes).
    pub preserve_newer: Option<bool>,
    /// A backup that both sides come from: its id, or `auto`.
    pub base: Option<String>,
    /// What is done about records that the backup no longer has: `keep`, `apply`, `mirror`.
    pub deletes: Option<String>,
    /// Whether changes of different fields of one record are a conflict.
    pub strict: bool,
    /// Only these tables.
    pub only_tables: Vec<String>,
    /// Not these tables.
    pub skip_tables: Vec<String>,
    /// Only these columns.
    pub only_columns: Vec<String>,
    /// Not these columns.
    pub skip_columns: Vec<String>,
    /// Only records that meet a condition: `users: status = "pending"`.
    pub conditions: Vec<String>,
    /// Tables of the backup to current ones.
    pub map_tables: std::collections::BTreeMap<String, String>,
    /// Columns of the backup to current ones.
    pub map_columns: std::collections::BTreeMap<String, String>,
    /// Whether tables and columns that current does not have are left out instead of refused.
    pub skip_unknown: bool,
    /// Columns that say when a record was last changed: table to column, or to `none`.
    pub timestamps: std::collections::BTreeMap<String, String>,
    /// An earlier analysis whose decisions are taken over: those to questions that are still the same, and every `skip`; the
    /// others are asked again.
    pub again: Option<String>,
    /// What opens the backup and its base, where they are encrypted; never written anywhere.
    #[serde(skip)]
    #[schema(ignore)]
    pub passphrase: Hidden,
}

/// A passphrase that came with a request: kept as long as the request and its job, shown by nothing.
#[derive(Clone, Default)]
pub struct Hidden(pub Option<Secret>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden")
    }
}

impl Hidden {
    /// Opens the catalog with it; without one, with the keys of the data folder alone.
    ///
    /// # Errors
    /// As [`Catalog::open`].
    pub fn catalog(&self, app: &App) -> Result<Catalog> {
        let catalog = Catalog::open(app.home())?;
        Ok(match &self.0 {
            None => catalog,
            Some(secret) => {
                let given = Passphrase::Given(secret.clone());
                catalog.with_keys(Keys::new(Some(given), Vec::new(), Some(app.home().root().join("keys"))))
            }
        })
    }
}

/// Finds a built-in strategy; files are never read on behalf of the network.
///
/// # Errors
/// `invalid`.
pub fn strategy(name: &str) -> Answer<&'static str> {
    Strategy::BUILT_IN.into_iter().find(|known| *known == name).ok_or_else(|| {
        Problem::invalid("/strategy", format!("there is no strategy {name:?}"))
            .hint(format!("There are {}.", Strategy::BUILT_IN.join(", ")))
    })
}

fn preset(intent: &str) -> Answer<&'static str> {
    match intent {
        "recover-deleted" => Ok("recover-deleted"),
        "put-back" => Ok("backup-wins"),
        "environment-sync" | "sync" => Ok("environment-sync"),
        "combine" => Ok("merge-fields"),
        other => Err(Problem::invalid("/intent", format!("there is no intent {other:?}"))
            .hint("There are recover-deleted, put-back, environment-sync and combine.")),
    }
}

impl NewAnalysis {
    fn options(&self, target: &targets::Target) -> Answer<Options> {
        let deletes = match self.deletes.as_deref() {
            None | Some("keep") => Deletes::Keep,
            Some("apply") => Deletes::Apply,
            Some("mirror") => Deletes::Mirror,
            Some(other) => {
                return Err(Problem::invalid("/deletes", format!("{other:?} is none of keep, apply and mirror")));
            }
        };
        let unknown = if self.skip_unknown { OnUnknown::Skip } else { OnUnknown::Error };
        let column =
            |(table, column): (&String, &String)| (Some(table.clone()), Some(column.clone()).filter(|c| c != "none"));
        let mut options = Options {
            only_tables: self.only_tables.clone(),
            skip_tables: self.skip_tables.clone(),
            only_columns: self.only_columns.clone(),
            skip_columns: self.skip_columns.clone(),
            conditions: self.conditions.clone(),
            map_tables: self.map_tables.clone().into_iter().collect(),
            map_columns: self.map_columns.clone().into_iter().collect(),
            on_unknown_table: unknown,
            on_unknown_column: unknown,
            timestamps: self.timestamps.iter().map(column).collect(),
            strict: self.strict,
            preserve_newer: self.preserve_newer.unwrap_or(true),
            deletes,
            ..Options::default()
        };
        target.settings.apply(&mut options)?;
        Ok(options)
    }

    fn strategy(&self, app: &App) -> Answer<String> {
        if let Some(name) = &self.strategy {
            return Ok(strategy(name)?.to_owned());
        }
        if let Some(intent) = &self.intent {
            return Ok(preset(intent)?.to_owned());
        }
        // What the configuration names may be a file: whoever wrote it can read files here anyway.
        Ok(app.config().settings.strategy.clone().unwrap_or_else(|| "backup-wins".to_owned()))
    }
}

/// Compares a backup with a target, as a job; the analysis has the operation's `subject` as its id.
///
/// # Errors
/// `not_found`, `invalid`, `too_many_requests`; `forbidden` beyond a person's own records.
pub fn start(app: &App, person: &Person, id: String, request: &NewAnalysis) -> Answer<Operation> {
    let mut request = request.clone();
    if let Some(own) = &person.own {
        if own.target != request.target {
            return Err(Problem::forbidden(format!("your own records are in the target {}", own.target)));
        }
        limit_to(&mut request, &own.conditions)?;
    }
    let target = targets::get(app, &request.target)?;
    let entry = super::backups::entry(app, &request.backup)?;
    if person.own.is_some() && !super::backups::may_reach(app, person, &entry, &target)? {
        return Err(Problem::not_found("backup", &request.backup));
    }
    let mut options = request.options(&target)?;
    if person.own.is_some() {
        // Not even as a possible parent may another's record be looked at, nor under a key that the backup gives it.
        (options.parents, options.reach) = (Parents::Require, Reach::Both);
        if request.again.is_some() {
            return Err(Problem::forbidden("another analysis's decisions may be about more than your own records"));
        }
    }
    if let Some(again) = &request.again {
        app.plan(again)?;
    }
    let chosen = request.strategy(app)?;
    let tables = request
        .table_strategies
        .iter()
        .map(|(table, name)| Ok((table.clone(), strategy(name)?.to_owned())))
        .collect::<Answer<Vec<_>>>()?;
    let plan_id = fresh_id('p');
    let spec = Spec {
        id,
        kind: Kind::Analysis,
        target: Some(target.name.clone()),
        subject: Some(plan_id.clone()),
        plan: None,
        asked: Some(json!(request)),
    };
    app.jobs().start(app, person, spec, move |app, job| {
        let catalog = request.passphrase.catalog(app)?;
        let mut database = target.connect()?;
        let base = match request.base.as_deref() {
            None | Some("none") => None,
            Some("auto") => catalog.base_of(&catalog.file(&entry)?, database.identity(), &catalog.read())?,
            Some(name) => Some(super::backups::entry(app, name)?),
        };
        let base = base.map(|b| catalog.file(&b)).transpose()?;
        let out = app.home().plans().join(format!("{plan_id}.mplan"));
        let wanted = Request {
            backup: &catalog.file(&entry)?,
            base: base.as_deref(),
            read: catalog.read(),
            options,
            strategy: &chosen,
            table_strategies: tables,
            id: plan_id,
            out: &out,
            state_key: app.home().key()?,
        };
        let (mut plan, _) = make(&wanted, database.as_mut(), job)?;
        if let Some(again) = &request.again {
            plan.adopt(&app.plan(again)?)?;
            plan.settle(job)?;
            plan.write_seal(&app.home().key()?)?;
        }
        Ok(json!(view(app, &plan)?))
    })
}

/// Lets a request see only what the conditions name: tables without one are left out.
fn limit_to(request: &mut NewAnalysis, conditions: &[String]) -> Answer<()> {
    if request.deletes.as_deref().is_some_and(|d| d != "keep") {
        return Err(Problem::forbidden("only an administrator's analysis deletes"));
    }
    if request.base.as_deref().is_some_and(|b| b != "none") {
        return Err(Problem::forbidden("a base holds records that are not yours"));
    }
    if conditions.is_empty() {
        return Err(Problem::forbidden("no records are yours"));
    }
    let mut tables = Vec::new();
    for condition in conditions {
        tables.push(filter::split(condition)?.0.to_owned());
    }
    request.only_tables = tables;
    request.conditions = conditions.to_vec();
    Ok(())
}

/// An analysis as it is shown.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct AnalysisView {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created_at: String,
    /// When it becomes too old to be merged.
    pub expires_at: String,
    /// The target's name, where one is known for the database.
    pub target: Option<String>,
    /// The database's address, without a password.
    pub database: String,
    /// Whether the target asks for its name before it is written to.
    pub protected: bool,
    /// What the backup is called; none for an undo.
    pub backup: Option<String>,
    /// What was found and what a merge would do: the command line's own document.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub analyzed: Json,
    /// What changes whenever a decision does.
    pub etag: String,
    /// The merge that carried it out, if one did.
    pub merged_by: Option<String>,
    /// What it would change about who may do what: `total`, and the first `changes`. A merge asks for a tick of its own then.
    #[schema(value_type = Object)]
    pub security: Json,
    /// Whether another user has to approve a merge of it.
    pub needs_approval: bool,
    /// Who approved it as it is now.
    pub approvals: Vec<Approval>,
}

/// Describes an open analysis.
///
/// # Errors
/// `PlanMismatch` for a damaged plan.
pub fn view(app: &App, plan: &Plan) -> Answer<AnalysisView> {
    let meta = plan.meta();
    let target = targets::of(app, &meta.database).ok();
    let analyzed = Analyzed::of(plan, plan.settled()?);
    let mut analyzed = serde_json::to_value(&analyzed).expect("always serialises");
    let own = ["plan", "id", "target", "backup", "base", "expires_at"];
    if let Some(map) = analyzed.as_object_mut() {
        own.iter().for_each(|name| {
            map.remove(*name);
        });
        map.insert("three_way".to_owned(), json!(meta.base.is_some()));
    }
    Ok(AnalysisView {
        id: meta.id.clone(),
        created_at: meta.created_at.clone(),
        expires_at: meta.expires_at.clone(),
        target: target.as_ref().map(|t| t.name.clone()),
        database: meta.database.display.clone(),
        protected: target.as_ref().is_some_and(|t| t.settings.protected),
        backup: meta.backup.as_ref().map(|pin| backup_name(app, pin)),
        analyzed,
        etag: plan.revision()?,
        merged_by: crate::executor::receipt::merged_by(app.home(), &meta.id)?,
        security: json!(*app.power(plan)?),
        needs_approval: target.is_some_and(|t| t.settings.approval),
        approvals: approvals::of(app, &meta.id, &plan.revision()?)?,
    })
}

/// Names a backup as people do: as the catalog does, else by its file.
fn backup_name(app: &App, pin: &crate::plan::BackupPin) -> String {
    let listed = Catalog::open(app.home()).and_then(|c| c.list()).unwrap_or_default();
    let named = listed.into_iter().find(|e| e.digest == pin.digest).map(|e| e.name);
    let file = std::path::Path::new(&pin.path).file_name().map(|n| n.to_string_lossy().into_owned());
    named.or(file).unwrap_or_default()
}

/// Lists the analyses, newest first; those that can't be read are left out.
///
/// # Errors
/// `Failed`.
pub fn list(app: &App) -> Answer<Vec<AnalysisView>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(app.home().plans())? {
        let path = entry?.path();
        let whole = path.extension().is_some_and(|e| e == "mplan");
        if whole
            && let Ok(plan) = Plan::open(&path)
            && plan.meta().kind == PlanKind::Merge
        {
            // One that is still being written has no seal yet.
            found.extend(view(app, &plan).ok());
        }
    }
    found.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| b.id.cmp(&a.id)));
    Ok(found)
}

/// Describes one analysis.
///
/// # Errors
/// `not_found`.
pub fn get(app: &App, id: &str) -> Answer<AnalysisView> {
    view(app, &app.plan(id)?)
}

/// Removes an analysis with its decisions.
///
/// # Errors
/// `not_found`; `merge_running` while it is carried out.
pub fn remove(app: &App, id: &str) -> Answer<()> {
    let path = app.plan_path(id)?;
    if let Some(running) = app.jobs().running().into_iter().find(|o| o.plan.as_deref() == Some(id)) {
        return Err(Problem::own("merge_running", format!("{} carries this analysis out", running.id)));
    }
    Ok(std::fs::remove_file(path)?)
}

/// Which records of an analysis are meant.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Which {
    /// Only this table.
    pub table: Option<String>,
    /// Only this class.
    pub class: Option<String>,
    /// Only records with this outcome.
    pub outcome: Option<String>,
    /// Only conflicts of this pattern.
    pub pattern: Option<String>,
    /// Only records of the table that meet a condition: `users: status = "pending"`.
    pub condition: Option<String>,
    /// With a decision: also records whose backup side changes who may do what; otherwise those are left out.
    pub security: bool,
}

impl Which {
    /// Finds what is meant in a plan.
    ///
    /// # Errors
    /// `Usage` naming what there is.
    pub fn selector(&self, plan: &Plan, secrets: &Secrets) -> Result<Selector> {
        let mut selector = Selector { pattern: self.pattern.clone(), ..Selector::default() };
        selector.table = self.table.as_deref().map(|t| plan.table(t)).transpose()?;
        if let Some(word) = &self.class {
            let class = Class::from_word(word).ok_or_else(|| fail!(Usage, "there is no class {word:?}"))?;
            selector.classes = vec![class];
        }
        if let Some(word) = &self.outcome {
            let outcome = Outcome::from_word(word).ok_or_else(|| fail!(Usage, "there is no outcome {word:?}"))?;
            selector.outcome = Some(outcome);
        }
        if let Some(text) = &self.condition {
            let (name, condition) = filter::split(text)?;
            let position = plan.table(name)?;
            if selector.table.is_some_and(|t| t != position) {
                return Err(fail!(Usage, "the table and the condition name different tables"));
            }
            selector.table = Some(position);
            let table = &plan.meta().schema.tables[position];
            let parsed = filter::Filter::parse(table, condition)?;
            // Which records meet it would tell the value, one comparison after the other.
            if let Some(c) = parsed.columns().find(|&c| secrets.hides(&table.label(), &table.columns[c].name)) {
                return Err(fail!(Usage, "{} is secret; nobody searches by it", table.columns[c].name));
            }
            selector.filter = Some(parsed);
        }
        Ok(selector)
    }
}

/// A page of records.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct RecordPage {
    /// The records, each with its `etag` and who decided it.
    #[schema(value_type = Vec<Object>)]
    pub items: Vec<Json>,
    /// The number to ask after for the next page; none at the end.
    pub next: Option<i64>,
    /// How many records are meant in all.
    pub total: u64,
}

/// Returns records of an analysis after a number.
///
/// # Errors
/// `not_found`, `usage`.
pub fn records(app: &App, id: &str, which: &Which, after: i64, limit: usize) -> Answer<RecordPage> {
    let plan = app.plan(id)?;
    let selector = which.selector(&plan, &app.secrets())?;
    let page = plan.page(&selector, after, limit.clamp(1, 1000))?;
    let more = match page.next {
        Some(next) => !plan.page(&selector, next, 1)?.records.is_empty(),
        None => false,
    };
    let items = page.records.iter().map(|r| record_json(app, &plan, r)).collect::<Answer<Vec<_>>>()?;
    Ok(RecordPage { items, next: page.next.filter(|_| more), total: plan.count(&selector)? })
}

/// Finds one record of an analysis, by table and key or by its id.
///
/// # Errors
/// `not_found`.
pub fn stored(plan: &Plan, table: &str, key: &str) -> Answer<Stored> {
    plan.record(&format!("{table}/{key}")).map_err(|e| Problem {
        status: 404,
        code: "not_found".to_owned(),
        ..Problem::from(e)
    })
}

/// Describes one record, field by field.
///
/// # Errors
/// `not_found`.
pub fn record(app: &App, id: &str, table: &str, key: &str) -> Answer<Json> {
    let plan = app.plan(id)?;
    record_json(app, &plan, &stored(&plan, table, key)?)
}

/// Describes a record with its ETag and who decided it.
///
/// # Errors
/// `PlanMismatch` for a damaged plan.
pub fn record_json(app: &App, plan: &Plan, record: &Stored) -> Answer<Json> {
    let mut json = serde_json::to_value(RecordView::of(plan, record, &app.secrets())).expect("always serialises");
    let (by, at) = plan.decided(record.finding.id)?;
    json["number"] = json!(record.finding.id);
    json["record"] = json!(crate::model::Key(record.finding.key.clone()).to_string());
    json["etag"] = json!(record_etag(plan, record)?);
    json["decided_by"] = json!(by);
    json["decided_at"] = json!(at);
    json["decision_note"] = json!(plan.decision_note(record.finding.id)?);
    Ok(json)
}

/// Returns what changes whenever a decision about a record, or the note beside it, does.
///
/// # Errors
/// `PlanMismatch` for a damaged plan.
pub fn record_etag(plan: &Plan, record: &Stored) -> crate::error::Result<String> {
    let decision = serde_json::to_string(&record.decision).expect("a decision always serialises");
    let mut text = format!("{} {} {}", record.conflict_id, record.finding.class.word(), decision);
    text.extend(plan.decision_note(record.finding.id)?.map(|note| format!(" {note}")));
    Ok(blake3::hash(text.as_bytes()).to_hex()[..16].to_owned())
}

/// A pattern of conflicts.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PatternView {
    /// Table, reason and fields in question.
    pub pattern: String,
    /// How many conflicts are like this.
    pub records: u64,
    /// How many of them nobody decided yet.
    pub undecided: u64,
}

/// Groups the conflicts of an analysis by pattern, most frequent first.
///
/// # Errors
/// `not_found`, `usage`.
pub fn patterns(app: &App, id: &str, table: Option<&str>) -> Answer<Vec<PatternView>> {
    let plan = app.plan(id)?;
    let table = table.map(|t| plan.table(t)).transpose()?;
    let mut views = Vec::new();
    for (pattern, records) in plan.patterns(table)? {
        let selector = Selector {
            table,
            pattern: Some(pattern.clone()),
            outcome: Some(Outcome::Undecided),
            ..Selector::default()
        };
        views.push(PatternView { undecided: plan.count(&selector)?, pattern, records });
    }
    Ok(views)
}

/// Lists which current records changed since the analysis.
///
/// # Errors
/// `not_found`, `unreachable`, `busy`.
pub fn stale(app: &App, id: &str) -> Answer<Vec<String>> {
    let plan = app.plan(id)?;
    let mut database = targets::of(app, &plan.meta().database)?.connect()?;
    let quiet = crate::progress::Quiet;
    Ok(crate::executor::stale::find(&plan, database.as_mut(), app.home(), &quiet)?)
}

/// Writes the report of an analysis: one HTML file, without script or outside reference.
///
/// # Errors
/// `not_found`.
pub fn report_html(app: &App, id: &str) -> Answer<String> {
    let plan = app.plan(id)?;
    Ok(html::plan(&Analyzed::of(&plan, plan.settled()?), &plan, &app.secrets())?)
}

/// Writes the statements that a merge would amount to, for review only.
///
/// # Errors
/// `not_found`.
pub fn review_sql(app: &App, id: &str) -> Answer<String> {
    Ok(sql::review(&app.plan(id)?, &app.secrets())?)
}

/// Returns the counts of all classes.
pub fn counts(plan: &Plan) -> Counts {
    plan.meta().counts()
}
