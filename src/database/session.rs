//! One connection to a server, and how long the server may keep silent on it.
//!
//! After an error it is closed and nothing more is ever sent on it: a deadlock on MySQL ends the transaction without a
//! word, and what came next would be committed by itself. How to connect and what an error means is each adapter's.

use super::blocking::{self, Patient};
use super::url::ServerUrl;
use crate::error::{Error, ErrorKind, Result, fail};
use sqlx::database::HasStatementCache;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Database, Executor, IntoArguments};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long connecting may take where the URL doesn't say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a server may say nothing where neither the URL nor a limit of ours says.
const SILENCE: Duration = Duration::from_secs(3600);
/// How long the answer to the first question may take: what is asked then costs nothing.
const FIRST_ANSWER: Duration = Duration::from_secs(60);

/// What one kind of server has of its own.
pub(crate) trait Server {
    /// The driver.
    type Driver: Database + HasStatementCache;
    /// Whether the driver keeps prepared statements: between here and PostgreSQL a pooler may stand that loses them.
    const KEEPS_STATEMENTS: bool;
    /// How `status` finds out what became of a commit.
    const SETTLES: &'static str;

    /// Says what an error means, and what was being done to what.
    fn explain(&self, error: sqlx::Error, doing: &str) -> Error;

    /// Tells whether the connection ended, so that a commit's outcome is not known.
    fn lost(error: &sqlx::Error) -> bool;

    /// Returns how many records a statement touched.
    fn touched(done: &<Self::Driver as Database>::QueryResult) -> u64;

    /// Returns about how many bytes a row's values take.
    fn weight(row: &<Self::Driver as Database>::Row) -> usize;
}

type ConnectionOf<S> = <<S as Server>::Driver as Database>::Connection;
type ArgumentsOf<S> = <<S as Server>::Driver as Database>::Arguments;
type RowsOf<S> = Vec<<<S as Server>::Driver as Database>::Row>;

/// A connection.
pub(crate) struct Session<S: Server> {
    // The connection goes before the runtime that it lives on.
    connection: Option<ConnectionOf<S>>,
    runtime: Runtime,
    patience: Duration,
    pub(super) server: S,
}

impl<S> Session<S>
where
    S: Server,
    for<'c> &'c mut ConnectionOf<S>: Executor<'c, Database = S::Driver>,
    ArgumentsOf<S>: IntoArguments<S::Driver>,
{
    /// Connects; `place` says to what.
    ///
    /// # Errors
    /// `Unreachable`.
    pub(super) fn connect(
        options: &<ConnectionOf<S> as Connection>::Options,
        url: &ServerUrl,
        server: S,
        place: &str,
    ) -> Result<Self> {
        let runtime = blocking::runtime()?;
        let limit = url.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        let connected = Patient { runtime: &runtime, limit }.wait(options.connect());
        let connection = connected.map_err(|error| server.explain(error, place))?;
        let patience = url.socket_timeout.unwrap_or(SILENCE);
        Ok(Self { connection: Some(connection), runtime, patience, server })
    }

    /// Waits no longer than a server takes that means to answer: for the questions that say who it is.
    pub(super) fn hurry(&mut self) {
        self.patience = self.patience.min(FIRST_ANSWER);
    }

    /// Lends the connection, and what to wait with for what it says.
    ///
    /// # Errors
    /// `Failed` after an earlier error: the transaction is over.
    pub(super) fn parts(&mut self) -> Result<(Patient<'_>, &mut ConnectionOf<S>)> {
        match &mut self.connection {
            Some(connection) => Ok((Patient { runtime: &self.runtime, limit: self.patience }, connection)),
            None => Err(fail!(Failed, "the database connection was closed after an earlier error")),
        }
    }

    /// Runs statements that take no values and whose rows don't matter.
    ///
    /// # Errors
    /// As the server says; the connection is closed then.
    pub(super) fn run(&mut self, sql: &str, doing: &str) -> Result<()> {
        let (patient, connection) = self.parts()?;
        let done = patient.wait(connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))));
        done.map(drop).map_err(|error| self.fail(error, doing))
    }

    /// Runs one statement and returns its rows, which are few.
    ///
    /// # Errors
    /// As the server says; the connection is closed then.
    pub(super) fn rows(&mut self, sql: &str, arguments: ArgumentsOf<S>, doing: &str) -> Result<RowsOf<S>> {
        self.try_rows(sql, arguments)?.map_err(|error| self.fail(error, doing))
    }

    /// As [`Session::rows`], but leaves the connection open: for errors that are an answer, or that a savepoint undoes.
    ///
    /// # Errors
    /// `Failed` after an earlier error.
    pub(super) fn try_rows(
        &mut self,
        sql: &str,
        arguments: ArgumentsOf<S>,
    ) -> Result<std::result::Result<RowsOf<S>, sqlx::Error>> {
        let (patient, connection) = self.parts()?;
        let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments).persistent(S::KEEPS_STATEMENTS);
        Ok(patient.wait(blocking::collect(query.fetch(connection), S::weight)))
    }

    /// Runs one statement and returns how many records it touched.
    ///
    /// # Errors
    /// As the server says; the connection is closed then.
    pub(super) fn affect(&mut self, sql: &str, arguments: ArgumentsOf<S>, doing: &str) -> Result<u64> {
        let (patient, connection) = self.parts()?;
        let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments).persistent(S::KEEPS_STATEMENTS);
        let done = patient.wait(query.execute(connection));
        done.map(|done| S::touched(&done)).map_err(|error| self.fail(error, doing))
    }

    /// Commits the transaction and closes the connection.
    ///
    /// # Errors
    /// `OutcomeUnknown` when the connection is lost before the answer; else as the server says.
    pub(super) fn commit(&mut self) -> Result<()> {
        let (patient, connection) = self.parts()?;
        match patient.wait(connection.execute(sqlx::raw_sql("COMMIT"))) {
            Ok(_) => {
                self.close();
                Ok(())
            }
            Err(error) if S::lost(&error) => {
                self.abandon();
                Err(fail!(OutcomeUnknown, "the connection was lost while committing; the merge may be there or not")
                    .hint(format!("run `merganser status`, which {}", S::SETTLES))
                    .because(error))
            }
            Err(error) => Err(self.fail(error, "committing")),
        }
    }

    /// Takes the transaction back and closes the connection.
    ///
    /// # Errors
    /// As the server says; the server rolls back by itself then.
    pub(super) fn rollback(&mut self) -> Result<()> {
        let done = self.run("ROLLBACK", "rolling back");
        self.close();
        done
    }

    /// Closes the connection and says why.
    pub(super) fn fail(&mut self, error: sqlx::Error, doing: &str) -> Error {
        self.connection = None;
        let lost = S::lost(&error);
        let error = self.server.explain(error, doing);
        // It answered before, so address and name are right.
        if lost && error.kind() == ErrorKind::Unreachable {
            return error.hint(
                "the server ended, or ended the connection; its own log says why: a restart, a full disk, too little memory",
            );
        }
        error
    }

    /// Closes the connection at once, without a farewell: a stream on it was not read to its end.
    pub(super) fn abandon(&mut self) {
        self.connection = None;
    }

    /// Closes the connection; the server rolls back what is open.
    pub(super) fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            let patient = Patient { runtime: &self.runtime, limit: FIRST_ANSWER };
            // A failed farewell changes nothing: the socket is closed either way.
            let _ = patient.wait(connection.close());
        }
    }
}
