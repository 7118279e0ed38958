//! Encrypted backups: one more layer around any format, undone while reading and added while writing.
//!
//! | form | recognised by | authenticated |
//! |---|---|---|
//! | age, to recipients or a passphrase, binary or armored | `age-encryption.org/v1`, `-----BEGIN AGE ENCRYPTED FILE-----` | yes, in chunks of 64 KiB |
//! | AES-256-CBC as `openssl enc -aes-256-cbc -pbkdf2` writes it | `Salted__` | by the `.hmac` file beside it, else not at all |
//! | RayERP's encrypted collections, inside its archive | hexadecimal digits where JSON should be | not at all |

mod agefile;
mod blocks;
mod keys;
mod legacy;
mod seal;
#[cfg(test)]
mod tests;

pub use blocks::hmac_file;
pub use keys::{Key, Keys, Passphrase, Secret, generate_identity, read_identity};
pub(crate) use legacy::unhex;
pub(crate) use seal::SealedWriter;
pub use seal::{Sealing, seal_into};

use super::source::{ByteStream, open_file};
use crate::error::{Result, fail};
use std::io::{BufReader, Read};
use std::path::Path;

/// How a file is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// age's binary form.
    Age,
    /// age's text form.
    Armored,
    /// AES-256-CBC with a salted passphrase.
    Cbc,
}

impl Encryption {
    /// Recognises an encrypted file by its first bytes.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        let text = head.trim_ascii_start();
        if head.starts_with(b"age-encryption.org/") {
            Some(Self::Age)
        } else if text.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----") {
            Some(Self::Armored)
        } else {
            head.starts_with(blocks::MAGIC).then_some(Self::Cbc)
        }
    }

    /// Returns the word that people and programs see.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Age | Self::Armored => "age",
            Self::Cbc => "aes-256-cbc",
        }
    }
}

/// Says how a file is encrypted, if it is: `age` or `aes-256-cbc`.
///
/// # Errors
/// `BackupNotFound`, `Failed`.
pub fn encryption(path: &Path) -> Result<Option<&'static str>> {
    if path.is_dir() {
        return Ok(None);
    }
    let mut head = Vec::new();
    open_file(path)?.take(64).read_to_end(&mut head)?;
    Ok(Encryption::of(&head).map(Encryption::word))
}

/// Checks that a file can be decrypted by the keys at hand, without reading its content; a plain file always can.
///
/// # Errors
/// `WrongKey` when no key fits or none was given; `BackupNotFound`, `BackupDamaged`.
pub fn unlock(path: &Path, keys: &Keys) -> Result<()> {
    if !path.is_file() {
        return Ok(());
    }
    let mut head = Vec::new();
    open_file(path)?.take(64).read_to_end(&mut head)?;
    let Some(encryption) = Encryption::of(&head) else { return Ok(()) };
    let unlocked = match encryption {
        Encryption::Cbc => blocks::check_key(path, keys),
        _ => decrypted(encryption, path, Box::new(open_file(path)?), keys).map(|_| ()),
    };
    unlocked.map_err(|error| error.at(path.display()))
}

/// Decrypts a stream over the file at `path`; returns it with what a person should know of it.
///
/// # Errors
/// `WrongKey`, `BackupDamaged`; later the stream ends with `BackupDamaged` where it is not what was written.
pub(crate) fn decrypted(
    encryption: Encryption,
    path: &Path,
    raw: ByteStream,
    keys: &Keys,
) -> Result<(ByteStream, Vec<String>)> {
    match encryption {
        Encryption::Age => Ok((agefile::open(BufReader::with_capacity(1 << 16, raw), keys)?, Vec::new())),
        Encryption::Armored => {
            let armored = age::armor::ArmoredReader::new(BufReader::with_capacity(1 << 16, raw));
            Ok((agefile::open(BufReader::with_capacity(1 << 16, armored), keys)?, Vec::new()))
        }
        Encryption::Cbc => blocks::open(path, raw, keys),
    }
}

/// The error for a file that needs a key when there is none.
fn no_key(what: &str) -> crate::error::Error {
    fail!(WrongKey, "the file is encrypted with {what}, and no key was given")
        .hint("Give --identity FILE, --passphrase-file FILE or --passphrase-command COMMAND.")
}
