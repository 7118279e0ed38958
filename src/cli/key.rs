//! `key`: making, listing, exporting and replacing the keys that backups are encrypted to.

use super::context::Context;
use super::output::Done;
use crate::backup::{generate_identity, read_identity};
use crate::error::{Result, fail};
use crate::report::text::aligned;
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "Examples:
  merganser key generate
  merganser key list
  merganser key export main --out /media/usb/main.identity
  merganser key rotate main

Lose the key, lose the backup: export it to a safe place.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct KeyCommandArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key; prints the recipient that backups are encrypted to
    #[command(after_help = EXAMPLES)]
    Generate {
        /// What it is called
        #[arg(default_value = "main")]
        name: String,
    },
    /// List the keys with their recipients
    #[command(after_help = EXAMPLES)]
    List,
    /// Make a new key of a name; the old one stays, to read what was encrypted to it
    #[command(after_help = EXAMPLES)]
    Rotate {
        /// What it is called
        #[arg(default_value = "main")]
        name: String,
    },
    /// Copy a key to a file, to be kept in a safe place
    #[command(after_help = EXAMPLES)]
    Export {
        /// What it is called
        #[arg(default_value = "main")]
        name: String,
        /// The file, which must not exist
        #[arg(short, long, value_name = "FILE")]
        out: PathBuf,
    },
}

pub(super) fn run(context: &Context<'_>, args: &KeyCommandArgs) -> Result<Done> {
    let folder = folder(context)?;
    match &args.command {
        KeyCommand::Generate { name } => {
            let path = path_of(&folder, name)?;
            if path.exists() {
                return Err(fail!(Usage, "there is a key {name} already; it was not touched")
                    .hint(format!("Choose another name, or run 'merganser key rotate {name}'.")));
            }
            generate(context, name, &path, &[])
        }
        KeyCommand::List => list(context, &folder),
        KeyCommand::Rotate { name } => {
            let path = existing(&folder, name)?;
            let stamp = chrono::Utc::now().format("%Y%m%dT%H%M%S%3f");
            let old = format!("{name}.{stamp}");
            // The old key has its new name before the new one has its: at every moment both can be found.
            let kept = path_of(&folder, &old)?;
            std::fs::hard_link(&path, &kept)?;
            generate(context, name, &path, &[("replaced", json!(old))])
        }
        KeyCommand::Export { name, out } => {
            let path = existing(&folder, name)?;
            let text = age_text(&path)?;
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(out)
                .map_err(|e| fail!(Usage, "{} can't be written", out.display()).because(e))?;
            file.write_all(text.expose().as_bytes())?;
            file.sync_all()?;
            let recipients: Vec<String> = read_identity(&path)?.iter().map(crate::backup::Key::recipient).collect();
            let home = context.home()?;
            let actor = context.actor();
            crate::executor::audit::note(
                &home,
                "key_exported",
                &actor,
                &format!("{name} ({})", recipients.join(", ")),
            )?;
            context
                .out
                .line(&format!("Key {name} copied to {}. Whoever has this file can read the backups.", out.display()));
            Ok(Done::with(&json!({"name": name, "path": out, "changed": false})))
        }
    }
}

fn age_text(path: &Path) -> Result<crate::backup::Secret> {
    Ok(crate::backup::Secret::from_text(std::fs::read_to_string(path)?))
}

fn generate(context: &Context<'_>, name: &str, path: &Path, more: &[(&str, Json)]) -> Result<Done> {
    let key = generate_identity();
    let recipient = key.recipient();
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let created = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    writeln!(file, "# created: {created}\n# public key: {recipient}\n{}", key.secret().expose())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| fail!(Failed, "{} can't be written", path.display()).because(e.error))?;
    std::fs::File::open(folder)?.sync_all()?;
    context.out.line(&format!("Key {name}: {}", path.display()));
    context.out.line(&format!("Recipient: {recipient}"));
    context.out.chat("Lose the key, lose the backup: copy it to a safe place with 'merganser key export'.");
    let mut done = Done::with(&json!({"name": name, "recipient": recipient, "path": path, "changed": false}));
    done.fields.extend(more.iter().map(|(field, value)| ((*field).to_owned(), value.clone())));
    Ok(done)
}

/// A key of the data folder: name, recipient, file.
type Listed = (String, String, PathBuf);

fn keys(folder: &Path) -> Result<Vec<Listed>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|e| e != "identity") {
            continue;
        }
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        for key in read_identity(&path)? {
            found.push((name.clone(), key.recipient(), path.clone()));
        }
    }
    found.sort();
    Ok(found)
}

/// Lists the recipients of the keys in use; those that were replaced only read.
pub(super) fn own_recipients(context: &Context<'_>) -> Result<Vec<String>> {
    let keys = keys(&folder(context)?)?;
    Ok(keys.into_iter().filter(|(name, ..)| !name.contains('.')).map(|(_, recipient, _)| recipient).collect())
}

fn list(context: &Context<'_>, folder: &Path) -> Result<Done> {
    let keys = keys(folder)?;
    if keys.is_empty() {
        context.out.line(&format!("No keys in {}. Make one with 'merganser key generate'.", folder.display()));
    } else {
        let rows: Vec<Vec<String>> = keys.iter().map(|(name, key, _)| vec![name.clone(), key.clone()]).collect();
        context.out.text(&aligned(&["name", "recipient"], &rows, 2));
    }
    let list: Vec<Json> =
        keys.iter().map(|(name, key, path)| json!({"name": name, "recipient": key, "path": path})).collect();
    Ok(Done::with(&json!({"keys": list})))
}

fn folder(context: &Context<'_>) -> Result<PathBuf> {
    Ok(context.home()?.root().join("keys"))
}

fn path_of(folder: &Path, name: &str) -> Result<PathBuf> {
    let plain = !name.is_empty()
        && !name.starts_with('.')
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    match plain {
        true => Ok(folder.join(format!("{name}.identity"))),
        false => Err(fail!(Usage, "{name:?} can't be the name of a key").hint("Use letters, digits, - and _.")),
    }
}

fn existing(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = path_of(folder, name)?;
    match path.is_file() {
        true => Ok(path),
        false => Err(fail!(Usage, "there is no key {name}").hint("'merganser key list' shows them.")),
    }
}
