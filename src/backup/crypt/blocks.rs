//! AES-256-CBC in the form of `openssl enc -aes-256-cbc -pbkdf2`: `Salted__`, eight bytes of salt, ciphertext with
//! PKCS#7 padding; key and initial vector by PBKDF2-HMAC-SHA256 with 10,000 rounds, openssl's own default.
//!
//! The form has no authentication. What merganser writes has a file beside it, `FILE.hmac`, of three lines:
//! `merganser-aes-256-cbc/1`, `key-check <32 digits>`, `hmac-sha256 <64 digits>`. The code is over the whole encrypted file;
//! its key and the check are further bytes of the same derivation (encrypt-then-MAC, verified before anything is used).

use super::super::ahead::Ahead;
use super::super::source::{ByteStream, beside, open_file};
use super::keys::{Keys, Secret};
use super::no_key;
use crate::error::{Error, Result, fail};
use aes::Aes256;
use age::secrecy::zeroize::Zeroizing;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

pub(super) const MAGIC: &[u8] = b"Salted__";
const ROUNDS: u32 = 10_000;
const HEADER: &str = "merganser-aes-256-cbc/1";

/// What is derived of a passphrase and a salt.
///
/// *Shape:* key 32, initial vector 16, 16 unused, key of the HMAC 32, key check 16; the first 48 bytes are openssl's.
pub(super) struct Derived(Zeroizing<[u8; 112]>);

impl Derived {
    pub(super) fn new(passphrase: &Secret, salt: &[u8]) -> Self {
        let mut bytes = Zeroizing::new([0; 112]);
        pbkdf2::pbkdf2_hmac::<Sha256>(passphrase.expose().as_bytes(), salt, ROUNDS, bytes.as_mut_slice());
        Self(bytes)
    }

    pub(super) fn key(&self) -> &[u8; 32] {
        self.0[..32].try_into().expect("32 bytes")
    }

    pub(super) fn vector(&self) -> &[u8; 16] {
        self.0[32..48].try_into().expect("16 bytes")
    }

    pub(super) fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0[64..96]).expect("a key of any length")
    }

    fn check(&self) -> &[u8] {
        &self.0[96..112]
    }

    /// Returns the text of the file beside an encrypted one.
    pub(super) fn beside(&self, mac: Hmac<Sha256>) -> String {
        format!("{HEADER}\nkey-check {}\nhmac-sha256 {}\n", hex(self.check()), hex(&mac.finalize().into_bytes()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns where the authentication of an AES-256-CBC file is.
pub fn hmac_file(path: &Path) -> PathBuf {
    beside(path, ".hmac")
}

/// The authentication that stands beside a file.
struct Beside {
    check: String,
    mac: String,
}

impl Beside {
    fn read(path: &Path) -> Result<Option<Self>> {
        let path = hmac_file(path);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let damaged = || fail!(BackupDamaged, "{} is not as it should be", path.display());
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Err(damaged());
        }
        let mut line =
            |name: &str| lines.next().and_then(|l| l.strip_prefix(name)).map(str::to_owned).ok_or_else(damaged);
        Ok(Some(Self { check: line("key-check ")?, mac: line("hmac-sha256 ")? }))
    }
}

/// What is known of a file whose key fits.
struct Unlocked {
    derived: Derived,
    beside: Option<Beside>,
}

/// Checks the passphrase by what stands beside the file, else by the padding at its end.
fn unlocked(path: &Path, keys: &Keys) -> Result<Unlocked> {
    let mut file = open_file(path)?;
    let length = file.metadata()?.len();
    if length < 32 || !length.is_multiple_of(16) {
        return Err(fail!(BackupDamaged, "the encrypted file has {length} bytes, which is no whole number of blocks")
            .hint("It was cut off; get a complete copy."));
    }
    let mut head = [0; 16];
    file.read_exact(&mut head)?;
    let beside = Beside::read(path)?;
    let passphrase = keys.passphrase()?.ok_or_else(|| no_key("AES-256-CBC and a passphrase"))?;
    let derived = Derived::new(&passphrase, &head[8..]);
    let wrong = || fail!(WrongKey, "the passphrase is wrong").hint("Nothing was read; try again with the right one.");
    match &beside {
        Some(beside) if !same(beside.check.as_bytes(), hex(derived.check()).as_bytes()) => return Err(wrong()),
        Some(_) => {}
        None => {
            // Of a wrong key one in 256 passes here; what it decrypts to is then no format that is known.
            let mut end = [0; 32];
            file.seek(SeekFrom::End(-32))?;
            file.read_exact(&mut end)?;
            let vector: &[u8; 16] =
                if length == 32 { derived.vector() } else { end[..16].try_into().expect("16 bytes") };
            let mut last = cbc::cipher::Array::from(<[u8; 16]>::try_from(&end[16..]).expect("16 bytes"));
            cbc::Decryptor::<Aes256>::new(derived.key().into(), vector.into()).decrypt_block(&mut last);
            if padding(&last).is_none() {
                return Err(fail!(WrongKey, "the passphrase is wrong, or the end of the file is damaged").hint(
                    "Nothing in the file tells the two apart; try again with the right one, or get another copy.",
                ));
            }
        }
    }
    Ok(Unlocked { derived, beside })
}

fn same(a: &[u8], b: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    a.ct_eq(b).into()
}

/// Returns the number of padding bytes at the end of the last block.
fn padding(block: &[u8]) -> Option<usize> {
    let count = *block.last()?;
    let valid = (1..=16).contains(&count) && block.ends_with(&vec![count; usize::from(count)]);
    valid.then_some(usize::from(count))
}

/// Checks the passphrase without reading the content.
///
/// # Errors
/// `WrongKey`, `BackupDamaged`.
pub(super) fn check_key(path: &Path, keys: &Keys) -> Result<()> {
    unlocked(path, keys).map(|_| ())
}

/// Starts to decrypt; a file with authentication is read and checked to its end before.
///
/// # Errors
/// `WrongKey`, `BackupDamaged`.
pub(super) fn open(path: &Path, mut raw: ByteStream, keys: &Keys) -> Result<(ByteStream, Vec<String>)> {
    let Unlocked { derived, beside } = unlocked(path, keys)?;
    let mut notes = Vec::new();
    if let Some(beside) = &beside {
        let mut mac = derived.mac();
        let mut file = open_file(path)?;
        let mut buffer = vec![0; 1 << 18];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => mac.update(&buffer[..count]),
            }
        }
        let found = hex(&mac.finalize().into_bytes());
        if !same(beside.mac.as_bytes(), found.as_bytes()) {
            return Err(fail!(
                BackupDamaged,
                "the encrypted file is not what its authentication in {} says",
                hmac_file(path).display()
            )
            .hint("It was changed or cut off; get another copy of both files."));
        }
    } else {
        notes.push(
            "the encryption (AES-256-CBC) is not authenticated: nobody can tell whether the file was changed"
                .to_owned(),
        );
    }
    let mut header = [0; 16];
    raw.read_exact(&mut header)?;
    let mut mac = derived.mac();
    mac.update(&header);
    let cipher = cbc::Decryptor::<Aes256>::new(derived.key().into(), derived.vector().into());
    let beside = beside.map(|beside| (mac, beside.mac));
    Ok((Ahead::start(Box::new(Reader { cipher, raw, beside, ..Reader::empty() }))?, notes))
}

/// Decrypts blocks; the last one is held back until it is known to be that.
pub(super) struct Reader {
    cipher: cbc::Decryptor<Aes256>,
    raw: ByteStream,
    /// The code over what was read so far, and what it should be at the end.
    beside: Option<(Hmac<Sha256>, String)>,
    /// Ciphertext that is not decrypted yet.
    pending: Vec<u8>,
    plain: Zeroizing<Vec<u8>>,
    position: usize,
    ended: bool,
}

impl Reader {
    /// Decrypts a bare stream of blocks, as older programs wrote it.
    pub(super) fn bare(key: &[u8; 32], vector: &[u8; 16], raw: ByteStream) -> Self {
        Self { cipher: cbc::Decryptor::new(key.into(), vector.into()), raw, ..Self::empty() }
    }

    fn empty() -> Self {
        Self {
            cipher: cbc::Decryptor::new(&[0; 32].into(), &[0; 16].into()),
            raw: Box::new(io::empty()),
            beside: None,
            pending: Vec::new(),
            plain: Zeroizing::new(Vec::new()),
            position: 0,
            ended: false,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let before = self.pending.len();
        let count = self.raw.by_ref().take(1 << 16).read_to_end(&mut self.pending)?;
        if let Some((mac, _)) = &mut self.beside {
            mac.update(&self.pending[before..]);
        }
        self.ended = count == 0;
        if self.ended && self.pending.len() != 16 {
            return Err(damaged("the encrypted content is no whole number of blocks; it was cut off"));
        }
        let keep = if self.ended { 0 } else { (self.pending.len() - 1) % 16 + 1 };
        let ready = self.pending.len() - keep;
        self.plain.clear();
        self.plain.extend_from_slice(&self.pending[..ready]);
        self.pending.drain(..ready);
        let (blocks, _) = cbc::cipher::Array::slice_as_chunks_mut(&mut self.plain);
        self.cipher.decrypt_blocks(blocks);
        self.position = 0;
        if self.ended {
            let Some(padding) = padding(&self.plain) else {
                return Err(damaged("the encrypted content does not end as it should; it was changed or cut off"));
            };
            let length = self.plain.len() - padding;
            self.plain.truncate(length);
            if let Some((mac, expected)) = self.beside.take()
                && !same(hex(&mac.finalize().into_bytes()).as_bytes(), expected.as_bytes())
            {
                return Err(damaged("the encrypted content changed while it was read"));
            }
        }
        Ok(())
    }
}

fn damaged(why: &str) -> io::Error {
    let error: Error = fail!(BackupDamaged, "{why}").hint("Get another copy of the file.");
    io::Error::other(error)
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.position == self.plain.len() {
            if self.ended || buffer.is_empty() {
                return Ok(0);
            }
            self.fill()?;
        }
        let count = buffer.len().min(self.plain.len() - self.position);
        buffer[..count].copy_from_slice(&self.plain[self.position..self.position + count]);
        self.position += count;
        Ok(count)
    }
}
