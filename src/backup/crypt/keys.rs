//! Secrets and where they come from: files, commands, a person. Looked up when a file needs one, and then kept.

use crate::error::{Result, fail};
use age::secrecy::zeroize::Zeroizing;
use age::secrecy::{ExposeSecret, SecretString};
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

/// A text that is never shown and is wiped when it goes.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a text; its line end, if it has one, is no part of the secret.
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// Takes a text that is to be a secret from here on.
    pub fn from_text(text: String) -> Self {
        Self::new(Zeroizing::new(text))
    }

    /// Returns the text, for the few who need it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn exposed(&self) -> &SecretString {
        &self.0
    }
}

/// Where a passphrase comes from.
pub enum Passphrase {
    /// The first line of a file.
    File(PathBuf),
    /// What a command prints; it is run by the shell.
    Command(String),
    /// It is known already.
    Given(Secret),
    /// A person is asked.
    Ask(Box<dyn Fn() -> Result<Secret> + Send + Sync>),
}

impl Passphrase {
    /// Gets the passphrase.
    ///
    /// # Errors
    /// `WrongKey` when there is none there.
    pub fn get(&self) -> Result<Secret> {
        let secret = match self {
            Self::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|e| fail!(WrongKey, "the passphrase can't be read from {}", path.display()).because(e))?;
                let text = Zeroizing::new(text);
                Secret::new(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
            }
            Self::Command(command) => from_command(command)?,
            Self::Given(secret) => secret.clone(),
            Self::Ask(ask) => ask()?,
        };
        match secret.expose().is_empty() {
            true => Err(fail!(WrongKey, "the passphrase is empty").hint("Look at where it comes from.")),
            false => Ok(secret),
        }
    }
}

fn from_command(command: &str) -> Result<Secret> {
    let failed = || fail!(WrongKey, "the command for the passphrase failed").hint("Run it yourself to see why.");
    let output = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| failed().because(e))?;
    let bytes = Zeroizing::new(output.stdout);
    if !output.status.success() {
        return Err(failed());
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| fail!(WrongKey, "the passphrase is not UTF-8"))?;
    Ok(Secret::new(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())))
}

/// The keys that files are decrypted with, each looked up at first use.
#[derive(Clone, Default)]
pub struct Keys(Arc<Sources>);

#[derive(Default)]
struct Sources {
    passphrase: Option<Passphrase>,
    identities: Vec<PathBuf>,
    folder: Option<PathBuf>,
    found: Mutex<Option<Secret>>,
    unwrapped: Mutex<Vec<Unwrapped>>,
}

/// The key of a file that a passphrase opened, by the digest of what it was wrapped in.
type Unwrapped = (blake3::Hash, Zeroizing<[u8; FILE_KEY_BYTES]>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// Takes where a passphrase comes from, identity files, and a folder whose `*.identity` files are tried too.
    pub fn new(passphrase: Option<Passphrase>, identities: Vec<PathBuf>, folder: Option<PathBuf>) -> Self {
        Self(Arc::new(Sources { passphrase, identities, folder, ..Sources::default() }))
    }

    /// Returns the passphrase, asked for once; nothing when there is no place to get it from.
    ///
    /// # Errors
    /// `WrongKey` when it can't be had.
    pub fn passphrase(&self) -> Result<Option<Secret>> {
        let mut found = self.0.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.is_none() {
            *found = self.0.passphrase.as_ref().map(Passphrase::get).transpose()?;
        }
        Ok(found.clone())
    }

    /// Returns the identity that a passphrase is; what it opened once it opens again without work.
    ///
    /// # Errors
    /// As [`Keys::passphrase`].
    pub(super) fn phrase(&self, most_work: u8) -> Result<Option<Phrase<'_>>> {
        Ok(self.passphrase()?.map(|passphrase| {
            let mut identity = age::scrypt::Identity::new(passphrase.0);
            identity.set_max_work_factor(most_work);
            Phrase { identity, keys: self }
        }))
    }

    /// Returns the identities of age, those asked for first.
    pub(super) fn identities(&self) -> Result<Vec<age::x25519::Identity>> {
        let mut found = Vec::new();
        for path in &self.0.identities {
            found.extend(read_identity(path)?.into_iter().map(|key| key.0));
        }
        if let Some(entries) = self.0.folder.as_ref().and_then(|folder| std::fs::read_dir(folder).ok()) {
            let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
            paths.retain(|path| path.extension().is_some_and(|e| e == "identity"));
            paths.sort();
            for path in paths {
                found.extend(read_identity(&path)?.into_iter().map(|key| key.0));
            }
        }
        Ok(found)
    }
}

/// A passphrase as an identity of age: a backup is opened several times, and the work is wanted once.
pub(super) struct Phrase<'a> {
    identity: age::scrypt::Identity,
    keys: &'a Keys,
}

impl age::Identity for Phrase<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        let mut hasher = blake3::Hasher::new();
        for part in stanza.args.iter().map(String::as_bytes).chain([stanza.body.as_slice()]) {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let digest = hasher.finalize();
        let mut known = self.keys.0.unwrapped.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = known.iter().find(|(of, _)| *of == digest) {
            return Some(Ok(FileKey::init_with_mut(|bytes| bytes.copy_from_slice(key.as_slice()))));
        }
        let unwrapped = self.identity.unwrap_stanza(stanza)?;
        if let Ok(key) = &unwrapped {
            known.push((digest, Zeroizing::new(*key.expose_secret())));
        }
        Some(unwrapped)
    }
}

/// An identity of age: a secret key and the recipient that belongs to it.
pub struct Key(age::x25519::Identity);

impl Key {
    /// Returns the recipient: `age1…`, which may be known to all.
    pub fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }

    /// Returns the secret key as an identity file holds it: `AGE-SECRET-KEY-1…`.
    pub fn secret(&self) -> Secret {
        Secret(self.0.to_string())
    }
}

/// Makes a new identity.
pub fn generate_identity() -> Key {
    Key(age::x25519::Identity::generate())
}

/// Reads the identities of a file: one a line, as `age-keygen` writes them.
///
/// # Errors
/// `WrongKey` when the file can't be read or holds something else; its lines are never shown.
pub fn read_identity(path: &Path) -> Result<Vec<Key>> {
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|e| fail!(WrongKey, "the identity {} can't be read", path.display()).because(e))?;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = line.parse().map_err(|_| {
            fail!(WrongKey, "{}, line {}: this is no identity of age", path.display(), number + 1)
                .hint("An identity file has lines that begin with AGE-SECRET-KEY-1.")
        })?;
        found.push(Key(key));
    }
    match found.is_empty() {
        true => Err(fail!(WrongKey, "the identity file {} holds no identity", path.display())),
        false => Ok(found),
    }
}
