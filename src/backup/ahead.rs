//! Decrypts and decompresses on a thread of its own, a little ahead of who reads: comparing records then does not wait
//! for it.

use super::source::ByteStream;
use crate::error::{Result, fail};
use age::secrecy::zeroize::Zeroizing;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Bytes handed over at a time.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces that wait to be read.
const PIECES: usize = 4;

/// Content that nobody finds in memory afterwards: what it is may have been encrypted.
type Content = Zeroizing<Vec<u8>>;
/// A piece of the content, or why there is none.
type Piece = io::Result<Content>;

/// The reader's end; the thread ends when this goes or the content does.
pub(crate) struct Ahead {
    pieces: Receiver<Piece>,
    /// Where pieces go that were read: they are filled again, since to wipe each of them takes longer than to read it.
    read: SyncSender<Content>,
    piece: Content,
    position: usize,
    ended: bool,
}

impl Ahead {
    /// Starts to read a stream whose reading is work.
    ///
    /// # Errors
    /// `Failed` when no thread can be had.
    pub(crate) fn start(mut inner: ByteStream) -> Result<ByteStream> {
        let (sender, pieces) = sync_channel::<Piece>(PIECES);
        let (read, again) = sync_channel::<Content>(PIECES);
        std::thread::Builder::new().name("unpacking".to_owned()).spawn(move || {
            loop {
                let fresh = || Zeroizing::new(Vec::with_capacity(PIECE_BYTES));
                let mut piece = again.try_recv().unwrap_or_else(|_| fresh());
                piece.clear();
                let read = inner.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece);
                let ended = matches!(read, Ok(0));
                // What was read before an error is content as well; the end is a piece without any.
                if (ended || !piece.is_empty()) && sender.send(Ok(piece)).is_err() {
                    return;
                }
                match read {
                    Ok(_) if ended => return,
                    Ok(_) => {}
                    Err(error) => {
                        // Nobody may be left to be told.
                        let _ = sender.send(Err(error));
                        return;
                    }
                }
            }
        })?;
        Ok(Box::new(Self { pieces, read, piece: Zeroizing::new(Vec::new()), position: 0, ended: false }))
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position == self.piece.len() && !self.ended {
            let failed = |_| io::Error::other(fail!(Failed, "unpacking the backup stopped without an end"));
            let next = self.pieces.recv().map_err(failed)??;
            // Where there is no room, or nobody left, it is wiped here.
            let _ = self.read.try_send(std::mem::replace(&mut self.piece, next));
            self.position = 0;
            self.ended = self.piece.is_empty();
        }
        let count = buffer.len().min(self.piece.len() - self.position);
        buffer[..count].copy_from_slice(&self.piece[self.position..self.position + count]);
        self.position += count;
        Ok(count)
    }
}
