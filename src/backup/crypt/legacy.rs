//! RayERP's encrypted collections: JSON by `crypto.createCipher('aes-256-cbc', key)` of older Node.js, in hexadecimal digits.
//!
//! Key and initial vector are EVP_BytesToKey with MD5, one round and no salt (OpenSSL, `EVP_BytesToKey(3)`): weak, and
//! not authenticated. It is read, never written.

use super::super::source::ByteStream;
use super::blocks;
use super::keys::Keys;
use super::no_key;
use crate::error::{Result, fail};
use age::secrecy::zeroize::Zeroizing;
use md5::{Digest, Md5};
use std::io::{self, BufReader, Read};

/// Decrypts an entry of an archive that is hexadecimal digits; any other stream comes back as it was.
///
/// # Errors
/// `WrongKey` when it is encrypted and no passphrase was given, or the passphrase is wrong.
pub(crate) fn unhex(mut stream: ByteStream, keys: &Keys) -> Result<(ByteStream, bool)> {
    let mut head = Vec::new();
    stream.by_ref().take(32).read_to_end(&mut head)?;
    let encrypted = head.len() == 32 && head.iter().all(u8::is_ascii_hexdigit);
    let stream = std::io::Cursor::new(head).chain(stream);
    if !encrypted {
        return Ok((Box::new(stream), false));
    }
    let passphrase = keys.passphrase()?.ok_or_else(|| no_key("AES-256-CBC and a passphrase"))?;
    let mut bytes = Zeroizing::new(Vec::new());
    while bytes.len() < 48 {
        let last = bytes.len().saturating_sub(16);
        let round = Md5::new().chain_update(&bytes[last..]).chain_update(passphrase.expose()).finalize();
        bytes.extend_from_slice(&round);
    }
    let key = bytes[..32].try_into().expect("32 bytes");
    let vector = bytes[32..48].try_into().expect("16 bytes");
    let mut plain = blocks::Reader::bare(key, vector, Box::new(Digits(BufReader::new(stream))));
    let mut first = [0; 1];
    let wrong = |_| fail!(WrongKey, "the passphrase is wrong, or the content is damaged");
    let count = plain.read(&mut first).map_err(wrong)?;
    // A collection is a JSON array, whatever else it holds.
    if first[..count] != *b"[" && first[..count] != *b"{" {
        return Err(wrong(io::Error::other("")).hint("Nothing was read; try again with the right one."));
    }
    Ok((Box::new(io::Cursor::new(first).chain(plain)), true))
}

/// Turns hexadecimal digits into bytes.
struct Digits<R>(R);

impl<R: Read> Read for Digits<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut text = Vec::new();
        self.0.by_ref().take(2 * buffer.len().min(1 << 14) as u64).read_to_end(&mut text)?;
        if text.len() % 2 == 1 && text.last().is_some_and(u8::is_ascii_whitespace) {
            text.pop();
        }
        let bad =
            || io::Error::other(fail!(BackupDamaged, "encrypted content has something else than hexadecimal digits"));
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let pairs = text.chunks(2);
        let count = pairs.len();
        for (slot, pair) in buffer.iter_mut().zip(pairs) {
            let [high, low] = pair else { return Err(bad()) };
            *slot = digit(*high).zip(digit(*low)).map(|(h, l)| h << 4 | l).ok_or_else(bad)?;
        }
        Ok(count)
    }
}
