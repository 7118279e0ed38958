//! Calling asynchronous drivers from synchronous code: one small runtime a connection.
//!
//! A sink never runs inside the runtime: it may itself use another database. Callers in turn must not be asynchronous
//! tasks: a server calls the adapters, and drops what they gave, on threads made for blocking.

use crate::error::fail;
use futures_util::{FutureExt, Stream, StreamExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How many items are taken from a stream before the sink sees them.
const BATCH: usize = 256;
/// How many bytes these may take, but for the last of them.
const BATCH_BYTES: usize = 4 << 20;

/// The most rows of an answer that is held whole: questions have fewer, a server that means no good may have no end.
const ANSWER: usize = 1 << 20;
/// The most bytes of such an answer.
const ANSWER_BYTES: usize = 256 << 20;

/// Where a connection's work is waited for, and how long the server may say nothing.
#[derive(Clone, Copy)]
pub(crate) struct Patient<'a> {
    pub(crate) runtime: &'a Runtime,
    pub(crate) limit: Duration,
}

impl Patient<'_> {
    /// Waits for something that the server says.
    ///
    /// # Errors
    /// As the server says; that it said nothing; that the driver made no sense of it: it takes some lengths at their
    /// word and panics, which is no reason for this program to end.
    pub(crate) fn wait<T>(self, said: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
        let timed = async { tokio::time::timeout(self.limit, said).await.unwrap_or_else(|_| Err(self.silence())) };
        catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(timed)))
            .unwrap_or_else(|_| Err(sqlx::Error::Protocol("what the server sent makes no sense".to_owned())))
    }

    fn silence(self) -> sqlx::Error {
        let told = format!("no answer within {} s", self.limit.as_secs_f64());
        sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, told))
    }
}

/// Takes a whole answer.
///
/// # Errors
/// What the stream says, or that it does not end.
pub(crate) async fn collect<T, S>(mut stream: S, weight: fn(&T) -> usize) -> Result<Vec<T>, sqlx::Error>
where
    S: Stream<Item = Result<T, sqlx::Error>> + Unpin,
{
    let mut rows = Vec::new();
    let mut bytes = 0;
    while let Some(row) = stream.next().await {
        let row = row?;
        bytes += weight(&row);
        if rows.len() == ANSWER || bytes > ANSWER_BYTES {
            let most = format!("{ANSWER} rows or {} MiB", ANSWER_BYTES >> 20);
            return Err(sqlx::Error::Protocol(format!("the server's answer to a small question has more than {most}")));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Starts the runtime that one connection lives on.
///
/// # Errors
/// `Failed` when the system gives no event queue.
pub(crate) fn runtime() -> crate::error::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| fail!(Failed, "the database connection's event loop can't be started").because(error))
}

/// Waits for the next items of a stream and takes those that are there, as long as they are small together; leaves
/// `items` empty at the end.
pub(crate) fn pull<T, S>(
    patient: Patient<'_>,
    stream: &mut S,
    items: &mut Vec<T>,
    weight: fn(&T) -> usize,
) -> Result<(), sqlx::Error>
where
    S: Stream<Item = Result<T, sqlx::Error>> + Unpin,
{
    items.clear();
    let mut bytes = 0;
    patient.wait(async {
        let mut next = stream.next().await;
        loop {
            match next {
                None => return Ok(()),
                Some(item) => items.push(item?),
            }
            bytes += items.last().map_or(0, weight);
            if items.len() >= BATCH || bytes >= BATCH_BYTES {
                return Ok(());
            }
            match stream.next().now_or_never() {
                Some(ready) => next = ready,
                None => return Ok(()),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_large_items_are_taken_at_a_time_and_many_small_ones() {
        let runtime = runtime().expect("a runtime");
        let patient = Patient { runtime: &runtime, limit: Duration::from_secs(9) };
        let sizes = |item: usize| {
            let mut stream = futures_util::stream::iter((0..600).map(|_| Ok(item))).fuse();
            let (mut items, mut taken) = (Vec::new(), Vec::new());
            loop {
                pull(patient, &mut stream, &mut items, |item| *item).expect("nothing fails");
                if items.is_empty() {
                    return taken;
                }
                taken.push(items.len());
            }
        };
        assert_eq!(sizes(1), [256, 256, 88]);
        assert_eq!(sizes(3 << 20), [2; 300]);
        assert_eq!(sizes(1 << 30), [1; 600]);
    }
}
