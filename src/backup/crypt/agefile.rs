//! Reads files encrypted by age (age-encryption.org/v1), whose chunks are authenticated one by one and the last as such.

use super::super::ahead::Ahead;
use super::super::source::ByteStream;
use super::keys::Keys;
use super::no_key;
use crate::error::{Error, Result, fail};
use age::DecryptError;
use std::io::{self, BufRead, Read};

/// The most work that a passphrase may ask for: 2^20 rounds of scrypt are about four seconds and a gigabyte.
const MOST_WORK: u8 = 20;

/// Finds the key and starts to decrypt.
///
/// # Errors
/// `WrongKey`, `BackupDamaged`, `LimitReached`.
pub(super) fn open(input: impl BufRead + Send + 'static, keys: &Keys) -> Result<ByteStream> {
    let decryptor = age::Decryptor::new_buffered(input).map_err(|e| refused(e, "header"))?;
    let stream = if decryptor.is_scrypt() {
        let identity = keys.phrase(MOST_WORK)?.ok_or_else(|| no_key("an age passphrase"))?;
        decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).map_err(|e| refused(e, "passphrase"))?
    } else {
        let identities = keys.identities()?;
        if identities.is_empty() {
            return Err(
                no_key("age to a recipient").hint("Give the identity file (AGE-SECRET-KEY-…) with --identity FILE.")
            );
        }
        let identities = identities.iter().map(|key| key as &dyn age::Identity);
        decryptor.decrypt(identities).map_err(|e| refused(e, "identities"))?
    };
    Ahead::start(Box::new(Authentic(stream)))
}

fn refused(error: DecryptError, what: &str) -> Error {
    match error {
        DecryptError::NoMatchingKeys if what == "identities" => {
            fail!(WrongKey, "the file is encrypted to recipients of which none is one of the identities at hand")
                .hint("Give the identity file of one of its recipients with --identity FILE.")
        }
        DecryptError::NoMatchingKeys | DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            fail!(WrongKey, "the passphrase is wrong").hint("Nothing was read; try again with the right one.")
        }
        DecryptError::ExcessiveWork { required, .. } => {
            fail!(LimitReached, "the passphrase asks for 2^{required} rounds of work, more than 2^{MOST_WORK}")
                .hint("Decrypt it with 'age -d' if you trust where it comes from.")
        }
        DecryptError::UnknownFormat => {
            fail!(UnknownFormat, "the file is of a version of age that is not known").hint("Decrypt it with 'age -d'.")
        }
        other => fail!(BackupDamaged, "the header of the age file is damaged")
            .because(io::Error::other(other.to_string()))
            .hint("Get another copy of the file."),
    }
}

/// Says of content that fails its check that it is damaged, rather than how.
struct Authentic<R>(age::stream::StreamReader<R>);

impl<R: Read> Read for Authentic<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ if error.get_ref().is_some_and(|inner| inner.is::<Error>()) => error,
            _ => io::Error::other(
                fail!(BackupDamaged, "the encrypted content is damaged or cut off")
                    .because(error)
                    .hint("Get another copy of the file."),
            ),
        })
    }
}
