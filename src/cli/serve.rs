//! `serve`: runs the web pages and the HTTP API until it is asked to stop.

use super::context::Context;
use super::output::Done;
use super::signals::{Working, asked};
use crate::error::{Result, fail};
use crate::server::{self, Options};
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:
  merganser serve
  merganser serve --listen 127.0.0.1:8080 --to sqlite:app.db
  merganser serve --listen 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem --host merge.example.org";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeArgs {
    /// Where to listen
    #[arg(long, env = "MERGANSER_LISTEN", default_value = "127.0.0.1:7878", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A name that people reach the service by, besides localhost (may be repeated)
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Plain HTTP beyond this machine: only where something in front of it adds TLS
    #[arg(long)]
    plain_http: bool,
    /// The largest upload, in bytes
    #[arg(long, value_name = "BYTES")]
    max_upload_bytes: Option<u64>,
}

pub(super) fn run(context: &Context<'_>, args: &ServeArgs) -> Result<Done> {
    if !args.listen.ip().is_loopback() && args.tls_cert.is_none() && !args.plain_http {
        return Err(fail!(
            Usage,
            "{} can be reached from other machines, and passwords would pass in the clear",
            args.listen
        )
        .hint("Add --tls-cert and --tls-key, or --plain-http where a proxy in front of it adds TLS."));
    }
    let home = context.home()?;
    let config = context.config()?.clone();
    let usual = Options::at(args.listen);
    let mut hosts = usual.hosts.clone();
    hosts.extend(args.hosts.iter().cloned());
    // A database that was asked for on the command line is there without any configuration.
    let target = match context.target() {
        Ok(target) => Some((target.name.clone().unwrap_or_else(|| "current".to_owned()), target.url)),
        Err(error) if context.global.to.is_some() => return Err(error),
        Err(_) => None,
    };
    let options = Options {
        hosts,
        target,
        tls: args.tls_cert.clone().zip(args.tls_key.clone()),
        largest_upload_bytes: args.max_upload_bytes.unwrap_or(usual.largest_upload_bytes),
        ..usual
    };
    let _working = Working::begin();
    server::run(home, config, options, &|line| context.out.line(line), || asked().is_some())?;
    Ok(Done::default())
}
