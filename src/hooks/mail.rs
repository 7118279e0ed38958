//! Sends an event as a mail by SMTP.

use super::{Event, Outcome};
use crate::catalog::storage::ready_tls;
use crate::error::{Error, Result, fail};
use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{Message, SmtpTransport, Transport};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// TLS begins after the greeting, and must.
    #[default]
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// None: for a server on this machine.
    None,
}

/// Whom a mail goes to, and through what.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    /// Its receivers.
    pub to: Vec<String>,
    /// Its sender.
    pub from: String,
    /// The mail server.
    pub server: String,
    /// Its port, where it is not the usual one.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub tls: Protection,
    /// The name to log in with.
    pub user: Option<String>,
    /// A file with the password.
    pub password_file: Option<PathBuf>,
}

impl Mail {
    /// Sends the event.
    ///
    /// # Errors
    /// `Usage` for addresses that are none; `Failed`.
    pub(super) fn send(&self, event: &Event) -> Result<()> {
        ready_tls();
        let address = |text: &str| -> Result<Mailbox> {
            text.parse()
                .map_err(|e: lettre::address::AddressError| fail!(Usage, "{text:?} is no mail address").because(e))
        };
        let outcome = if event.outcome == Outcome::Success { "done" } else { "FAILED" };
        let mut message = Message::builder()
            .from(address(&self.from)?)
            .subject(format!("[merganser] {} {outcome}", event.subject()))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            message = message.to(address(to)?);
        }
        let run = format!(
            "\nschedule  {}\ntarget    {}\nbegan     {}\ntook      {:.1} s\nbackup    {}\nbytes     {}\n",
            event.schedule,
            event.target,
            event.started_at,
            event.duration_seconds,
            event.backup.as_deref().unwrap_or("-"),
            event.size_bytes.unwrap_or(0),
        );
        let text = format!("{}\n{}", event.line(), if event.merge.is_none() { run.as_str() } else { "" });
        let message = message.body(text).map_err(|e| fail!(Usage, "the mail has no receiver").because(e))?;
        self.transport()?.send(&message).map(|_| ()).map_err(|e| self.failed(e))
    }

    fn failed(&self, why: lettre::transport::smtp::Error) -> Error {
        fail!(Failed, "the mail could not be sent through {}", self.server).because(why)
    }

    fn transport(&self) -> Result<SmtpTransport> {
        let builder = match self.tls {
            Protection::StartTls => SmtpTransport::starttls_relay(&self.server).map_err(|e| self.failed(e))?,
            Protection::Tls => SmtpTransport::relay(&self.server).map_err(|e| self.failed(e))?,
            Protection::None => SmtpTransport::builder_dangerous(&self.server),
        };
        let builder = builder.timeout(Some(Duration::from_secs(20)));
        let builder = match self.port {
            Some(port) => builder.port(port),
            None => builder,
        };
        let Some(user) = &self.user else { return Ok(builder.build()) };
        let path =
            self.password_file.as_ref().ok_or_else(|| fail!(Usage, "the mail has a user and no password_file"))?;
        if self.tls == Protection::None {
            return Err(fail!(Usage, "a password is not sent without TLS").hint("Set tls to starttls or tls."));
        }
        let password = std::fs::read_to_string(path)
            .map_err(|e| fail!(Failed, "the mail's password can't be read from {}", path.display()).because(e))?;
        Ok(builder.credentials(Credentials::new(user.clone(), password.trim_end().to_owned())).build())
    }
}
