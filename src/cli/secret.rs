//! Keys and passphrases on the command line: where they come from is said by an option, a variable or a person; a secret
//! itself is never an argument, which other users of the machine could read.

use super::context::Context;
use crate::backup::{Keys, Passphrase, Sealing, Secret};
use crate::error::{Result, fail};
use clap::Args;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Where the keys of encrypted backups come from.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Encrypted backups")]
pub(super) struct KeyArgs {
    /// File whose first line is the passphrase [env: MERGANSER_PASSPHRASE_FILE]
    #[arg(long, value_name = "FILE")]
    pub(super) passphrase_file: Option<PathBuf>,
    /// Command that prints the passphrase [env: MERGANSER_PASSPHRASE_COMMAND]
    #[arg(long, value_name = "COMMAND", conflicts_with = "passphrase_file")]
    pub(super) passphrase_command: Option<String>,
    /// Identity file of age (may be repeated) [env: MERGANSER_IDENTITY]
    #[arg(long, value_name = "FILE")]
    pub(super) identity: Vec<PathBuf>,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl KeyArgs {
    /// Returns where a passphrase comes from that was given, by option before variable.
    fn given(&self, context: &Context<'_>) -> Option<Passphrase> {
        if let Some(path) = &self.passphrase_file {
            return Some(Passphrase::File(path.clone()));
        }
        if let Some(command) = &self.passphrase_command {
            return Some(Passphrase::Command(command.clone()));
        }
        if let Some(path) = variable("MERGANSER_PASSPHRASE_FILE") {
            return Some(Passphrase::File(path.into()));
        }
        if let Some(command) = variable("MERGANSER_PASSPHRASE_COMMAND") {
            return Some(Passphrase::Command(command));
        }
        let text = variable("MERGANSER_PASSPHRASE")?;
        context.out.warning(
            "MERGANSER_PASSPHRASE can be read by other programs of this user; MERGANSER_PASSPHRASE_FILE is safer",
        );
        Some(Passphrase::Given(Secret::from_text(text)))
    }

    /// Returns the keys that encrypted backups are read with; a person is asked only when one is needed.
    pub(super) fn keys(&self, context: &Context<'_>) -> Keys {
        let ask = || -> Option<Passphrase> {
            context.can_ask().then(|| Passphrase::Ask(Box::new(|| ask_hidden("Passphrase of the backup: "))))
        };
        let mut identities = self.identity.clone();
        if identities.is_empty() {
            identities.extend(variable("MERGANSER_IDENTITY").map(PathBuf::from));
        }
        // Where the data folder is matters only when there is one; a broken configuration is told by what needs it.
        let folder = context.data_dir().ok().map(|(folder, _)| folder.join("keys"));
        Keys::new(self.given(context).or_else(ask), identities, folder)
    }

    /// Returns the passphrase that something is to be encrypted with; a person types it twice.
    ///
    /// # Errors
    /// `WrongKey` when there is none.
    pub(super) fn new_passphrase(&self, context: &Context<'_>) -> Result<Secret> {
        if let Some(passphrase) = self.given(context) {
            return passphrase.get();
        }
        if !context.can_ask() {
            return Err(fail!(WrongKey, "a passphrase is needed and there is no terminal to ask on")
                .hint("Give --passphrase-file FILE or --passphrase-command COMMAND."));
        }
        let first = ask_hidden("New passphrase: ")?;
        match first.expose() == ask_hidden("Once more: ")?.expose() {
            true if first.expose().is_empty() => Err(fail!(WrongKey, "the passphrase is empty")),
            true => Ok(first),
            false => Err(fail!(WrongKey, "the two passphrases differ").hint("Try again.")),
        }
    }
}

/// How a backup is to be encrypted.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Encryption")]
pub(super) struct SealArgs {
    /// Encrypt with age: to the recipients of the configuration, else to your keys, else with a passphrase
    #[arg(long)]
    pub(super) encrypt: bool,
    /// Encrypt to this recipient: age1… (may be repeated)
    #[arg(long, value_name = "RECIPIENT")]
    pub(super) encrypt_to: Vec<String>,
    /// Encrypt with a passphrase by AES-256-CBC, as 'openssl enc -d -aes-256-cbc -pbkdf2' reads it
    #[arg(long, conflicts_with_all = ["encrypt_to", "no_encrypt"])]
    pub(super) aes_256_cbc: bool,
    /// Don't encrypt, although the configuration says to whom
    #[arg(long, conflicts_with_all = ["encrypt", "encrypt_to"])]
    pub(super) no_encrypt: bool,
    #[command(flatten)]
    pub(super) keys: KeyArgs,
}

impl SealArgs {
    /// Returns how to encrypt, if at all.
    ///
    /// # Errors
    /// `Usage` for a recipient that is none; `WrongKey` when a passphrase is needed and can't be had.
    pub(super) fn sealing(&self, context: &Context<'_>) -> Result<Option<Sealing>> {
        if self.aes_256_cbc {
            return Ok(Some(Sealing::Cbc(self.keys.new_passphrase(context)?)));
        }
        if self.no_encrypt {
            return Ok(None);
        }
        let configured = &context.config()?.settings.backup.encrypt_to;
        let names = if self.encrypt_to.is_empty() { configured } else { &self.encrypt_to };
        if !names.is_empty() {
            return Sealing::to_recipients(names).map(Some);
        }
        if !self.encrypt {
            return Ok(None);
        }
        let phrase_given = self.keys.given(context).is_some();
        let own = super::key::own_recipients(context)?;
        if !own.is_empty() && !phrase_given {
            return Sealing::to_recipients(&own).map(Some);
        }
        Ok(Some(Sealing::Passphrase(self.keys.new_passphrase(context)?)))
    }
}

/// Asks for a secret on the terminal, which does not show what is typed.
fn ask_hidden(question: &str) -> Result<Secret> {
    if !std::io::stdin().is_terminal() {
        return Err(fail!(WrongKey, "a passphrase is needed and there is no terminal to ask on")
            .hint("Give --passphrase-file FILE or --passphrase-command COMMAND."));
    }
    anstream::eprint!("{question}");
    let failed = |e: std::io::Error| fail!(WrongKey, "the passphrase could not be read").because(e);
    terminal::enable_raw_mode().map_err(failed)?;
    let typed = typed();
    terminal::disable_raw_mode().map_err(failed)?;
    anstream::eprintln!();
    typed
}

fn typed() -> Result<Secret> {
    let mut text = String::with_capacity(256);
    loop {
        let event = event::read().map_err(|e| fail!(WrongKey, "the passphrase could not be read").because(e))?;
        let Event::Key(key) = event else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        match key.code {
            KeyCode::Enter => return Ok(Secret::from_text(text)),
            KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return Err(fail!(Interrupted, "stopped on request; nothing was read"));
            }
            KeyCode::Backspace => {
                text.pop();
            }
            KeyCode::Char(letter) => text.push(letter),
            _ => {}
        }
    }
}
