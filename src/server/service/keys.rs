//! The keys of the data folder: what backups made here are encrypted to, and whether their secret half was put in a safe
//! place. A key that the first run makes is used only once its reader has shown that they wrote it down.

use crate::backup::{Sealing, Secret, generate_identity, read_identity};
use crate::error::{Result, fail};
use crate::executor::audit;
use crate::server::access::Person;
use crate::server::app::App;
use crate::server::people;
use crate::server::problem::{Answer, Problem};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What the first run's key is called.
pub const FIRST: &str = "main";
/// Characters of the key that show that it was written down.
pub const PROOF: usize = 4;
/// The event of the history that says that a key is in a safe place.
const EXPORTED: &str = "key_exported";

/// A key, without its secret half.
#[derive(Clone, Debug)]
pub struct KeyView {
    /// Its name.
    pub name: String,
    /// What is encrypted to it: `age1…`.
    pub recipient: String,
    /// Whether the history says that it was put in a safe place.
    pub exported: bool,
    /// Whether backups made here are encrypted to it.
    pub used: bool,
}

fn folder(app: &App) -> PathBuf {
    app.home().root().join("keys")
}

fn first(app: &App) -> PathBuf {
    folder(app).join(format!("{FIRST}.identity"))
}

/// Where the recipients are written that backups made here are encrypted to.
fn chosen(app: &App) -> PathBuf {
    folder(app).join("encrypt_to")
}

/// Returns what backups made here are encrypted to; empty: they are not.
///
/// # Errors
/// `Failed`.
pub fn recipients(app: &App) -> Result<Vec<String>> {
    let configured = &app.config().settings.backup.encrypt_to;
    if !configured.is_empty() {
        return Ok(configured.clone());
    }
    match std::fs::read_to_string(chosen(app)) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e.into()),
    }
}

/// Returns how backups made here are encrypted: as the configuration says, else as the first run chose.
///
/// # Errors
/// `Usage` for a recipient that is none.
pub fn sealing(app: &App) -> Result<Option<Sealing>> {
    let to = recipients(app)?;
    match to.is_empty() {
        true => Ok(None),
        false => Sealing::to_recipients(&to).map(Some),
    }
}

/// Lists the keys in use; those that were replaced only read.
///
/// # Errors
/// `WrongKey` for a file that holds none.
pub fn list(app: &App) -> Answer<Vec<KeyView>> {
    let used = recipients(app)?;
    let history = audit::read(app.home())?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder(app))? {
        let path = entry?.path();
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        if path.extension().is_none_or(|e| e != "identity") || name.contains('.') {
            continue;
        }
        for key in read_identity(&path)? {
            let recipient = key.recipient();
            let told =
                |e: &audit::Entry| e.event == EXPORTED && e.note.as_deref().is_some_and(|n| n.contains(&recipient));
            found.push(KeyView {
                exported: history.iter().any(told),
                used: used.contains(&recipient),
                name: name.clone(),
                recipient,
            });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Makes the first run's key.
fn make_first(app: &App) -> Result<()> {
    let path = first(app);
    let key = generate_identity();
    let created = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let text = format!("# created: {created}\n# public key: {}\n{}\n", key.recipient(), key.secret().expose());
    keep(app, &path, crate::backup::Secret::from_text(text).expose())
}

/// Puts a file into the folder of the keys, whole or not at all, readable by the service only.
fn keep(app: &App, path: &Path, text: &str) -> Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder(app))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| fail!(Failed, "{} can't be written", path.display()).because(e.error))?;
    Ok(std::fs::File::open(folder(app))?.sync_all()?)
}

/// Returns the first run's key while nobody has shown that they wrote it down; afterwards it is shown to nobody.
///
/// # Errors
/// `WrongKey`.
pub fn unconfirmed(app: &App) -> Result<Option<Secret>> {
    let path = first(app);
    if !path.exists() || chosen(app).exists() {
        return Ok(None);
    }
    // A key that the command line made was never offered here.
    let waiting = folder(app).join("unconfirmed");
    match waiting.exists() {
        true => Ok(read_identity(&path)?.first().map(crate::backup::Key::secret)),
        false => Ok(None),
    }
}

/// Offers a new key: it is shown until somebody confirms it.
///
/// # Errors
/// `Failed`.
pub fn offer(app: &App) -> Result<()> {
    if first(app).exists() {
        return Ok(());
    }
    std::fs::write(folder(app).join("unconfirmed"), "")?;
    make_first(app)
}

/// Takes the last characters of the key as proof that it was written down; from now on backups are encrypted to it.
///
/// # Errors
/// `invalid` where they are others.
pub fn confirm(app: &App, person: &Person, typed: &str) -> Answer<()> {
    let Some(secret) = unconfirmed(app)? else { return Err(Problem::own("conflict", "no key waits to be confirmed")) };
    let end = &secret.expose()[secret.expose().len().saturating_sub(PROOF)..];
    if !typed.trim().eq_ignore_ascii_case(end) {
        return Err(Problem::invalid("/proof", "these are not the last four characters of the key"));
    }
    let recipient = read_identity(&first(app))?.first().map(crate::backup::Key::recipient).unwrap_or_default();
    keep(app, &chosen(app), &recipient)?;
    std::fs::remove_file(folder(app).join("unconfirmed"))?;
    Ok(people::note(app.home(), EXPORTED, &person.actor(), &format!("{FIRST} ({recipient})"))?)
}

/// Goes on without encryption: the offered key goes, for nothing was encrypted to it.
///
/// # Errors
/// `Failed`.
pub fn decline(app: &App) -> Answer<()> {
    if unconfirmed(app)?.is_some() {
        std::fs::remove_file(first(app))?;
        std::fs::remove_file(folder(app).join("unconfirmed"))?;
    }
    Ok(())
}
