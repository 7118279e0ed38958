//! Targets: the databases that are named in the configuration. None can be added over HTTP (CHECKS T9).

use crate::config::Target as Settings;
use crate::database::url::ConnectUrl;
use crate::database::{Database, Identity, connect};
use crate::error::Result;
use crate::model::Schema;
use crate::schedule::Opened;
use crate::server::app::App;
use crate::server::problem::{Answer, Problem};
use serde::Serialize;
use serde_json::{Value as Json, json};

/// A database that can be written to.
#[derive(Clone)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Its URL; never shown.
    url: String,
    /// What the configuration says of it.
    pub settings: Settings,
}

/// A target as it is shown.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct TargetView {
    /// Its name; also its id.
    pub name: String,
    /// Its address, without a password; none where it can't be read.
    pub display: Option<String>,
    /// The engine's word.
    pub engine: Option<String>,
    /// Whether its name is asked for before it is written to.
    pub protected: bool,
}

/// Opens the target of a schedule, by its name or its URL, with the rules for its columns.
///
/// # Errors
/// `Unreachable`, `Usage`.
pub fn opened(app: &App, name: &str) -> Result<Opened> {
    match list(app).into_iter().find(|target| target.name == name) {
        Some(target) => Ok((target.connect()?, target.settings.columns.rules())),
        None => Ok((connect(name)?, Vec::new())),
    }
}

impl Target {
    /// Connects.
    ///
    /// # Errors
    /// `Unreachable`, `Usage`.
    pub fn connect(&self) -> Result<Box<dyn Database>> {
        connect(&self.url)
    }

    /// Describes it, without secrets.
    pub fn view(&self) -> TargetView {
        let url = ConnectUrl::parse(&self.url).ok();
        let engine = url.as_ref().map(|u| match u {
            ConnectUrl::Sqlite(_) => "sqlite",
            ConnectUrl::Postgres(_) => "postgres",
            ConnectUrl::Mysql(_) => "mysql",
        });
        TargetView {
            name: self.name.clone(),
            display: url.map(|u| u.display()),
            engine: engine.map(str::to_owned),
            protected: self.settings.protected,
        }
    }

    /// Checks that a protected target was named by who is about to write to it.
    ///
    /// # Errors
    /// `confirmation_needed`; `forbidden` for who may not write to protected targets.
    pub fn confirm(&self, person: &crate::server::Person, given: Option<&str>) -> Answer<()> {
        if !self.settings.protected {
            return Ok(());
        }
        if person.role < crate::server::Role::Admin {
            return Err(Problem::forbidden(format!(
                "only an administrator writes to the protected target {}",
                self.name
            )));
        }
        if given == Some(&self.name) {
            return Ok(());
        }
        let why = crate::error::fail!(ConfirmationNeeded, "the target {} is protected; nothing was changed", self.name);
        Err(why.hint(format!("Send its name as \"confirm\": \"{}\".", self.name)).into())
    }
}

/// Lists the targets by name.
pub fn list(app: &App) -> Vec<Target> {
    let named = app.config().settings.targets.iter().map(|(name, settings)| Target {
        name: name.clone(),
        url: settings.address(name).unwrap_or_default(),
        settings: settings.clone(),
    });
    let given = app.options().target.iter().map(|(name, url)| Target {
        name: name.clone(),
        url: url.clone(),
        settings: Settings::default(),
    });
    let mut all: Vec<Target> = named.collect();
    let fresh: Vec<Target> = given.filter(|t| all.iter().all(|a| a.name != t.name && !same(&a.url, &t.url))).collect();
    all.extend(fresh);
    all
}

fn same(a: &str, b: &str) -> bool {
    match (ConnectUrl::parse(a), ConnectUrl::parse(b)) {
        (Ok(a), Ok(b)) => a.display() == b.display(),
        _ => false,
    }
}

/// Finds a target by its name.
///
/// # Errors
/// `not_found`.
pub fn get(app: &App, name: &str) -> Answer<Target> {
    list(app).into_iter().find(|t| t.name == name).ok_or_else(|| {
        Problem::not_found("target", name).hint("Targets are named in merganser.toml, under [targets.NAME].")
    })
}

/// Returns a file's whole path; of one that is away at the moment, the path that it had.
fn whole(path: &std::path::Path) -> Option<std::path::PathBuf> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
    path.canonicalize().ok().or_else(|| Some(folder.canonicalize().ok()?.join(path.file_name()?)))
}

/// Finds the target that an analysis or a merge is of.
///
/// # Errors
/// `not_found` when none is of this database.
pub fn of(app: &App, identity: &Identity) -> Answer<Target> {
    let is = |target: &Target| match ConnectUrl::parse(&target.url) {
        Ok(ConnectUrl::Sqlite(path)) => whole(&path).is_some_and(|p| p.display().to_string() == identity.id),
        Ok(url) => url.display() == identity.display,
        Err(_) => false,
    };
    list(app).into_iter().find(is).ok_or_else(|| {
        Problem::own("not_found", format!("no target is the database {}", identity.display))
            .hint("Add it to merganser.toml, under [targets.NAME].")
    })
}

/// Connects to a target and says what is there.
///
/// # Errors
/// `not_found`, `unreachable`.
pub fn test(app: &App, name: &str) -> Answer<Json> {
    let target = get(app, name)?;
    let mut database = target.connect()?;
    let schema = database.schema()?;
    Ok(json!({"reachable": true, "display": database.identity().display, "tables": schema.tables.len(),
        "holder": crate::executor::lock_holder(app.home(), &database.identity().id)}))
}

/// Reads a target's schema.
///
/// # Errors
/// `not_found`, `unreachable`.
pub fn schema(app: &App, name: &str) -> Answer<Schema> {
    Ok(get(app, name)?.connect()?.schema()?)
}

/// Describes a schema: tables parents first, columns, keys, foreign keys.
pub fn schema_json(schema: &Schema) -> Json {
    let order = crate::analyzer::graph::order(schema).tables;
    let tables: Vec<Json> = order
        .iter()
        .map(|&position| {
            let table = &schema.tables[position];
            let columns: Vec<Json> = table
                .columns
                .iter()
                .map(|c| json!({"name": c.name, "type": c.declared, "nullable": c.nullable, "writable": c.writable()}))
                .collect();
            let keys: Vec<Json> = table
                .foreign_keys
                .iter()
                .map(|f| json!({"columns": table.names(&f.columns), "references": f.table_name}))
                .collect();
            json!({"name": table.label(), "key": table.names(&table.key), "columns": columns, "foreign_keys": keys})
        })
        .collect();
    json!({"tables": tables})
}
