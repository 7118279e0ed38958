//! A loopback proxy that loses a connection at a chosen word of the client's.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    /// Lost before the server sees the COMMIT.
    Swallowed,
    /// Lost after the server has answered the COMMIT, before the client sees the answer.
    Carried,
    /// The server sees the COMMIT; the client hears nothing more until the server hangs up.
    Withheld,
    /// Lost before the server sees this word.
    CutAt(&'static str),
    /// Lost before the server sees what the client says for the so-manieth time, on whichever connection.
    Unheard(usize),
    /// Lost after the server has answered it, before the client sees the answer.
    Unanswered(usize),
}

/// Starts a proxy before the server of a URL; returns the URL that goes through it.
pub(crate) fn proxy(url: &str, fate: Fate) -> String {
    counting(url, fate).0
}

/// As [`proxy`], and counts how often the client says something.
pub(crate) fn counting(url: &str, fate: Fate) -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let own = listener.local_addr().expect("an address");
    let (front, rest) = url.split_once("127.0.0.1:").expect("a loopback URL");
    let (port, database) = rest.split_once('/').expect("a database");
    let server = format!("127.0.0.1:{port}");
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&server).expect("the server");
            carry(client, server, fate, counter.clone());
        }
    });
    (format!("{front}{own}/{database}?sslmode=disable"), count)
}

fn carry(client: TcpStream, server: TcpStream, fate: Fate, counter: Arc<AtomicUsize>) {
    let cut = Arc::new(AtomicBool::new(false));
    let (mut from, mut to) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
    let seen = cut.clone();
    std::thread::spawn(move || {
        let has = |data: &[u8], word: &str| data.windows(word.len()).any(|w| w == word.as_bytes());
        pump(&mut from, &mut to, |data| {
            let said = counter.fetch_add(1, Ordering::SeqCst) + 1;
            let now = match fate {
                Fate::CutAt(word) => has(data, word),
                Fate::Swallowed | Fate::Carried | Fate::Withheld => has(data, "COMMIT"),
                Fate::Unheard(number) | Fate::Unanswered(number) => said == number,
            };
            if !now {
                return true;
            }
            seen.store(true, Ordering::SeqCst);
            matches!(fate, Fate::Carried | Fate::Withheld | Fate::Unanswered(_))
        });
    });
    std::thread::spawn(move || {
        let mut heard = server.try_clone().expect("a socket");
        let (mut from, mut to) = (server, client);
        pump(&mut from, &mut to, |_| {
            if fate == Fate::Withheld && cut.load(Ordering::SeqCst) {
                // What the server says goes nowhere until it hangs up.
                let _ = std::io::copy(&mut heard, &mut std::io::sink());
            }
            !cut.load(Ordering::SeqCst)
        });
    });
}

/// Passes data on while it may, then ends both directions.
fn pump(from: &mut TcpStream, to: &mut TcpStream, mut may_pass: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !may_pass(&buffer[..length]) || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // Either end may be gone already.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
