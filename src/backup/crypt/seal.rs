//! Writes encrypted files: age by default, AES-256-CBC on request, with its authentication beside it.

use super::super::write::AtomicFile;
use super::blocks::{Derived, MAGIC, hmac_file};
use super::keys::{Secret, read_identity};
use crate::error::{Result, fail};
use aes::Aes256;
use age::secrecy::zeroize::Zeroizing;
use cbc::cipher::{Array, BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::io::{self, Read, Write};
use std::path::Path;

/// The work that opening a file with a passphrase takes: 2^16 rounds of scrypt, 64 MiB and a fraction of a second.
///
/// The usual 2^18 takes longer on a small server than the two seconds within which a wrong passphrase must be known.
const WORK: u8 = 16;

/// How a file is to be encrypted.
#[derive(Clone)]
pub enum Sealing {
    /// age, to recipients: whoever holds the identity of one of them can read it.
    Recipients(Vec<String>),
    /// age, with a passphrase.
    Passphrase(Secret),
    /// AES-256-CBC with a passphrase, as openssl reads it.
    Cbc(Secret),
}

impl Sealing {
    /// Encrypts to recipients, written as `age1…` or as the path of an identity file.
    ///
    /// # Errors
    /// `Usage` for one that is neither; `WrongKey` for an identity file that can't be read.
    pub fn to_recipients(names: &[String]) -> Result<Self> {
        let mut recipients = Vec::new();
        for name in names {
            if name.parse::<age::x25519::Recipient>().is_ok() {
                recipients.push(name.clone());
            } else if Path::new(name).is_file() {
                recipients.extend(read_identity(Path::new(name))?.iter().map(super::Key::recipient));
            } else {
                return Err(fail!(Usage, "{name:?} is no recipient of age")
                    .hint("A recipient begins with age1; 'merganser key list' shows yours."));
            }
        }
        match recipients.is_empty() {
            true => {
                Err(fail!(Usage, "there is no recipient to encrypt to")
                    .hint("Make a key with 'merganser key generate'."))
            }
            false => Ok(Self::Recipients(recipients)),
        }
    }

    /// Returns the encryption's word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Recipients(_) | Self::Passphrase(_) => "age",
            Self::Cbc(_) => "aes-256-cbc",
        }
    }

    /// Returns what is appended to a file's name.
    pub fn suffix(&self) -> &'static str {
        match self {
            Self::Recipients(_) | Self::Passphrase(_) => ".age",
            Self::Cbc(_) => ".enc",
        }
    }

    /// Starts to encrypt.
    pub(crate) fn writer<W: Write>(&self, mut out: W) -> Result<SealedWriter<W>> {
        let encryptor = match self {
            Self::Recipients(names) => {
                let parsed = names.iter().map(|name| name.parse::<age::x25519::Recipient>());
                let recipients: Vec<_> =
                    parsed.collect::<Result<_, _>>().map_err(|why| fail!(Usage, "a recipient is not one: {why}"))?;
                age::Encryptor::with_recipients(recipients.iter().map(|r| r as &dyn age::Recipient))
            }
            Self::Passphrase(secret) => {
                let mut recipient = age::scrypt::Recipient::new(secret.exposed().clone());
                recipient.set_work_factor(WORK);
                age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
            }
            Self::Cbc(secret) => {
                let mut salt = [0; 8];
                std::fs::File::open("/dev/urandom")?.read_exact(&mut salt)?;
                let derived = Derived::new(secret, &salt);
                let mut mac = derived.mac();
                for part in [MAGIC, &salt] {
                    out.write_all(part)?;
                    mac.update(part);
                }
                let cipher = cbc::Encryptor::new(derived.key().into(), derived.vector().into());
                return Ok(SealedWriter::Cbc(Box::new(CbcWriter {
                    out,
                    cipher,
                    mac,
                    derived,
                    pending: Zeroizing::new(Vec::new()),
                })));
            }
        };
        let encryptor =
            encryptor.map_err(|e| fail!(Failed, "encrypting failed").because(io::Error::other(e.to_string())))?;
        Ok(SealedWriter::Age(encryptor.wrap_output(out)?))
    }
}

/// Encrypts what is written to it.
pub(crate) enum SealedWriter<W: Write> {
    /// By age.
    Age(age::stream::StreamWriter<W>),
    /// By AES-256-CBC.
    Cbc(Box<CbcWriter<W>>),
}

/// What encrypting leaves: the stream, and the text that must stand beside the file.
pub(crate) type Sealed<W> = (W, Option<String>);

impl<W: Write> SealedWriter<W> {
    /// Ends the encrypted content.
    pub(crate) fn finish(self) -> Result<Sealed<W>> {
        match self {
            Self::Age(writer) => Ok((writer.finish()?, None)),
            Self::Cbc(writer) => writer.finish(),
        }
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Age(writer) => writer.write(bytes),
            Self::Cbc(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Age(writer) => writer.flush(),
            Self::Cbc(writer) => writer.out.flush(),
        }
    }
}

/// Encrypts block by block; what fills no block waits for more.
pub(crate) struct CbcWriter<W: Write> {
    out: W,
    cipher: cbc::Encryptor<Aes256>,
    mac: Hmac<Sha256>,
    derived: Derived,
    pending: Zeroizing<Vec<u8>>,
}

impl<W: Write> CbcWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(1 << 16);
        self.pending.extend_from_slice(&bytes[..count]);
        self.whole_blocks()?;
        Ok(count)
    }

    fn whole_blocks(&mut self) -> io::Result<()> {
        let ready = self.pending.len() / 16 * 16;
        let (blocks, _) = Array::slice_as_chunks_mut(&mut self.pending[..ready]);
        self.cipher.encrypt_blocks(blocks);
        self.mac.update(&self.pending[..ready]);
        self.out.write_all(&self.pending[..ready])?;
        self.pending.drain(..ready);
        Ok(())
    }

    fn finish(mut self) -> Result<Sealed<W>> {
        let padding = 16 - self.pending.len() % 16;
        let padded = self.pending.len() + padding;
        self.pending.resize(padded, u8::try_from(padding).expect("at most 16"));
        self.whole_blocks()?;
        self.out.flush()?;
        Ok((self.out, Some(self.derived.beside(self.mac))))
    }
}

/// Encrypts a file that is there into another one, which appears when it is complete.
///
/// # Errors
/// `Usage` when something has that name, `OutOfSpace`, `Failed`.
pub fn seal_into(path: &Path, to: &Path, sealing: &Sealing) -> Result<()> {
    if to.exists() || hmac_file(to).exists() {
        return Err(fail!(Usage, "{} exists already; it was not touched", to.display()));
    }
    let mut file = AtomicFile::sealed(to, sealing)?;
    io::copy(&mut std::fs::File::open(path)?, &mut file)?;
    file.commit()
}
