//! Calling asynchronous drivers from synchronous code: one small runtime a connection.
//!
//! A sink never runs inside the runtime: it may itself use another database. Callers in turn must not be asynchronous
//! tasks: a server calls the adapters, and drops what they gave, on threads made for blocking.

use crate::error::{Result, fail};
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::runtime::Runtime;

/// How many items are taken from a stream before the sink sees them.
const BATCH: usize = 256;

/// The most rows of an answer that is held whole: questions have fewer, a server that means no good may have no end.
const ANSWER: usize = 1 << 20;

/// Takes a whole answer.
///
/// # Errors
/// What the stream says, or that it does not end.
pub(crate) async fn collect<T, S>(mut stream: S) -> std::result::Result<Vec<T>, sqlx::Error>
where
    S: Stream<Item = std::result::Result<T, sqlx::Error>> + Unpin,
{
    let mut rows = Vec::new();
    while let Some(row) = stream.next().await {
        if rows.len() == ANSWER {
            return Err(sqlx::Error::Protocol(format!("the server's answer has more than {ANSWER} rows")));
        }
        rows.push(row?);
    }
    Ok(rows)
}

/// Starts the runtime that one connection lives on.
///
/// # Errors
/// `Failed` when the system gives no event queue.
pub(crate) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| fail!(Failed, "the database connection's event loop can't be started").because(error))
}

/// Waits for the next items of a stream and takes those that are there; leaves `items` empty at the end.
pub(crate) fn pull<T, E, S>(runtime: &Runtime, stream: &mut S, items: &mut Vec<T>) -> Result<(), E>
where
    S: Stream<Item = Result<T, E>> + Unpin,
{
    items.clear();
    runtime.block_on(async {
        let mut next = stream.next().await;
        loop {
            match next {
                None => return Ok(()),
                Some(item) => items.push(item?),
            }
            if items.len() >= BATCH {
                return Ok(());
            }
            match stream.next().now_or_never() {
                Some(ready) => next = ready,
                None => return Ok(()),
            }
        }
    })
}
