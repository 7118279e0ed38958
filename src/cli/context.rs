//! What commands share: the data folder, the target, the configuration, and asking people.

use super::args::Global;
use super::output::Output;
use crate::config::{Config, Target as Settings};
use crate::database::url::ConnectUrl;
use crate::database::{Database, Identity, connect};
use crate::error::{Error, Result, fail};
use crate::executor::Home;
use crate::model::schema::Engine;
use crate::plan::Plan;
use crate::report::secrets::{Secrets, Visible};
use std::cell::OnceCell;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

/// What commands share.
pub(super) struct Context<'a> {
    pub(super) global: &'a Global,
    pub(super) out: &'static Output,
    config: OnceCell<Config>,
}

/// A database that was chosen.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    /// Its name in the configuration.
    pub(super) name: Option<String>,
    /// Its URL; never printed.
    pub(super) url: String,
    /// What the configuration says of it.
    pub(super) settings: Settings,
}

impl Target {
    pub(super) fn connect(&self, out: &Output) -> Result<Box<dyn Database>> {
        if let Ok(url) = ConnectUrl::parse(&self.url) {
            url.warnings().iter().for_each(|w| out.warning(w));
        }
        connect(&self.url).map_err(|error| {
            let text = error.full_message();
            if !["file is not a database", "malformed"].iter().any(|mark| text.contains(mark)) {
                return error;
            }
            let name = ConnectUrl::parse(&self.url).map_or_else(|_| "the file".to_owned(), |u| u.display());
            fail!(Unreachable, "the current database {name} is not an SQLite database, or is damaged")
                .hint("Check the path; a backup is given as the first argument, the database with --to.")
        })
    }
}

impl<'a> Context<'a> {
    pub(super) fn new(global: &'a Global, out: &'static Output) -> Self {
        Self { global, out, config: OnceCell::new() }
    }

    /// Shares nothing but the output: no configuration file is read.
    pub(super) fn without_config(global: &'a Global, out: &'static Output) -> Self {
        Self { global, out, config: OnceCell::from(Config::default()) }
    }

    /// Returns the configuration, read at first use.
    pub(super) fn config(&self) -> Result<&Config> {
        if self.config.get().is_none() {
            let config = Config::load(self.global.config.as_deref(), self.global.profile.as_deref())?;
            // Set once: nothing else runs on this thread in between.
            let _ = self.config.set(config);
        }
        Ok(self.config.get().expect("set above"))
    }

    /// Returns where state is kept, and why there.
    pub(super) fn data_dir(&self) -> Result<(PathBuf, &'static str)> {
        let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some(folder) = &self.global.data_dir {
            return Ok((folder.clone(), "--data-dir"));
        }
        if let Some(folder) = variable("MERGANSER_DATA_DIR") {
            return Ok((folder, "MERGANSER_DATA_DIR"));
        }
        if let Some(folder) = &self.config()?.settings.data_dir {
            return Ok((folder.clone(), "configuration"));
        }
        if let Some(folder) = variable("STATE_DIRECTORY") {
            return Ok((folder, "STATE_DIRECTORY"));
        }
        if let Some(folder) = variable("XDG_STATE_HOME") {
            return Ok((folder.join("merganser"), "XDG_STATE_HOME"));
        }
        match variable("HOME") {
            Some(home) => Ok((home.join(".local/state/merganser"), "default")),
            None => Err(fail!(Usage, "there is no place for state").hint("Give one with --data-dir.")),
        }
    }

    /// Opens the data folder.
    pub(super) fn home(&self) -> Result<Home> {
        let (folder, _) = self.data_dir()?;
        // An empty folder that was made for this with the usual mode holds nothing yet that others could have read.
        if let Ok(mut entries) = std::fs::read_dir(&folder)
            && entries.next().is_none()
            && !folder.is_symlink()
        {
            use std::os::unix::fs::PermissionsExt;
            // Where this fails, opening says why the folder can't be used.
            let _ = std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700));
        }
        Home::open(&folder)
    }

    /// Returns the target that was asked for, if any.
    fn asked_target(&self) -> Option<String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        self.global.to.clone().or_else(|| variable("MERGANSER_TARGET")).or_else(|| variable("DATABASE_URL"))
    }

    /// Finds a target by its name in the configuration, else by its URL.
    pub(super) fn target_named(&self, text: &str) -> Result<Target> {
        let targets = &self.config()?.settings.targets;
        if let Some(settings) = targets.get(text) {
            let url = settings.address(text)?;
            return Ok(Target { name: Some(text.to_owned()), url, settings: settings.clone() });
        }
        let url = ConnectUrl::parse(text).map_err(|error| {
            let names: Vec<&str> = targets.keys().map(String::as_str).collect();
            match (text.contains([':', '/', '.']), names.is_empty()) {
                (true, _) if error.to_string().starts_with("this is neither") => {
                    fail!(Usage, "{:?} is neither a database URL nor the path of an SQLite file", scrubbed(text)).hint(
                        "Write sqlite:PATH, postgres://user@host/database, mysql://user@host/database, or the name of a target.",
                    )
                }
                (true, _) => error,
                (false, true) => fail!(Usage, "there is no target {text:?}, and the configuration names none")
                    .hint("Give a URL, such as sqlite:app.db, or add [targets.NAME] to merganser.toml."),
                (false, false) => {
                    fail!(Usage, "there is no target {text:?}").hint(format!("There are {}.", names.join(", ")))
                }
            }
        })?;
        // A database that has a name keeps its protection when it is given by its URL.
        for (name, settings) in targets {
            let same = settings.address(name).ok().and_then(|u| ConnectUrl::parse(&u).ok());
            if same.is_some_and(|other| same_place(&other, &url)) {
                return Ok(Target { name: Some(name.clone()), url: text.to_owned(), settings: settings.clone() });
            }
        }
        Ok(Target { name: None, url: text.to_owned(), settings: Settings::default() })
    }

    /// Returns the target for a command that needs one.
    pub(super) fn target(&self) -> Result<Target> {
        let Some(text) = self.asked_target() else {
            return Err(fail!(Usage, "no current database was given")
                .hint("Add --to URL, such as --to sqlite:app.db, or set DATABASE_URL."));
        };
        self.target_named(&text)
    }

    /// Returns the target that a plan or receipt is for, unless another was asked for on the command line.
    pub(super) fn target_of(&self, identity: &Identity) -> Result<Target> {
        if let Some(text) = &self.global.to {
            return self.target_named(text);
        }
        if identity.engine == Engine::Sqlite {
            return self.target_named(&format!("sqlite:{}", percent(&identity.id)));
        }
        let targets = &self.config()?.settings.targets;
        for name in targets.keys() {
            let target = self.target_named(name)?;
            if ConnectUrl::parse(&target.url).is_ok_and(|u| u.display() == identity.display) {
                return Ok(target);
            }
        }
        match self.asked_target() {
            Some(text) => self.target_named(&text),
            None => self.target_named(&identity.display),
        }
    }

    /// Opens a plan by id, beginning of an id, or path.
    pub(super) fn plan(&self, name: &str) -> Result<Plan> {
        let path = if Path::new(name).is_file() {
            PathBuf::from(name)
        } else {
            listed_in(self.home()?.plan_path(name), "status")?
        };
        Plan::open(&path)
    }

    /// Returns what is hidden: by name, and by what the configuration says of a database.
    pub(super) fn secrets(&self, settings: Option<&Settings>) -> Result<Secrets> {
        let columns = match settings {
            Some(settings) => settings.secret_columns(),
            None => self.config()?.settings.targets.values().flat_map(Settings::secret_columns).collect(),
        };
        let visible = if self.global.show_secrets { Visible::Yes } else { Visible::No };
        Ok(Secrets { columns, visible })
    }

    /// Returns who does it, for the audit log.
    pub(super) fn actor(&self) -> String {
        ["SUDO_USER", "USER", "LOGNAME"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
            .unwrap_or_else(|| {
                use std::os::unix::fs::MetadataExt;
                // The folder of a process belongs to who runs it.
                std::fs::metadata("/proc/self").map_or_else(|_| "unknown".to_owned(), |m| format!("uid {}", m.uid()))
            })
    }

    /// Tells whether somebody can be asked.
    pub(super) fn can_ask(&self) -> bool {
        !self.global.no_input
            && !self.out.is_json()
            && std::io::stdin().is_terminal()
            && std::io::stderr().is_terminal()
    }

    /// Fails at once where a question will come that nobody can answer.
    pub(super) fn must_be_answerable(&self, target: &Target, confirm: Option<&str>) -> Result<()> {
        if let Some(name) = target.name.as_deref().filter(|_| target.settings.protected) {
            if let Some(given) = confirm {
                if given != name {
                    return Err(fail!(ConfirmationNeeded, "--confirm {given:?} is not the name of the target"));
                }
            } else if !self.can_ask() {
                return Err(fail!(ConfirmationNeeded, "the target {name} is protected; nothing was changed")
                    .hint(format!("Add --confirm {name} to write to it.")));
            }
        }
        if self.global.yes || self.can_ask() {
            return Ok(());
        }
        Err(fail!(
            ConfirmationNeeded,
            "this needs a confirmation and there is no terminal to ask on; nothing was changed"
        )
        .hint("Add --yes to confirm beforehand, or --dry-run to only try."))
    }

    /// Asks whether to write to a target; a protected one by its name.
    pub(super) fn confirm(&self, target: &Target, question: &str, confirm: Option<&str>) -> Result<()> {
        self.must_be_answerable(target, confirm)?;
        let no = || fail!(Failed, "not confirmed; nothing was changed");
        if let Some(name) = target.name.as_deref().filter(|_| target.settings.protected && confirm.is_none()) {
            let answer =
                self.ask(&format!("{question}\nThe target is protected. Type its name ({name}) to go on: "))?;
            return if answer.trim() == name { Ok(()) } else { Err(no()) };
        }
        if self.global.yes {
            return Ok(());
        }
        let answer = self.ask(&format!("{question} [y/N] "))?;
        if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") { Ok(()) } else { Err(no()) }
    }

    /// Asks a question on stderr and reads a line.
    pub(super) fn ask(&self, question: &str) -> Result<String> {
        self.out.question(question);
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        Ok(answer)
    }
}

/// Adds where a plan or a merge is found that there is none of by the name that was given.
pub(super) fn listed_in<T>(found: Result<T>, command: &str) -> Result<T> {
    found.map_err(|error| listed(error, command))
}

/// Says where the things are listed that something was not found among.
pub(super) fn listed(error: Error, command: &str) -> Error {
    match error.hint_text() {
        Some(_) => error,
        None => error.hint(format!("'merganser {command}' lists them.")),
    }
}

/// Removes what may be a password from something that was meant as a URL.
fn scrubbed(text: &str) -> String {
    let text = text.split_once('?').map_or(text, |(place, _)| place);
    match (text.rsplit_once('@'), text.split_once("://")) {
        (Some((_, place)), Some((scheme, _))) => format!("{scheme}://***@{place}"),
        (Some((_, place)), None) => format!("***@{place}"),
        (None, _) => text.to_owned(),
    }
}

fn same_place(a: &ConnectUrl, b: &ConnectUrl) -> bool {
    match (a, b) {
        (ConnectUrl::Sqlite(a), ConnectUrl::Sqlite(b)) => match (a.canonicalize(), b.canonicalize()) {
            (Ok(a), Ok(b)) => a == b,
            _ => a == b,
        },
        (a, b) => a.display() == b.display(),
    }
}

/// Writes a path so that a URL means exactly it.
fn percent(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3F").replace('#', "%23")
}
