//! `token`: what programs log in to the service with.

use super::context::Context;
use super::output::Done;
use crate::error::{Result, fail};
use crate::report::text::{aligned, plural, shown};
use crate::server::access::Scope;
use crate::server::people::{self, NewToken};
use crate::server::state::State;
use clap::{Args, Subcommand};
use serde_json::json;

const EXAMPLES: &str = "Examples:
  merganser token create nightly --user ada --scopes read,backup --days 90
  merganser token list
  merganser token revoke 5f0c2a91b3d4";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a token; its text is shown this once
    #[command(after_help = EXAMPLES)]
    Create(CreateArgs),
    /// List the tokens
    #[command(after_help = EXAMPLES)]
    List,
    /// End a token
    #[command(after_help = EXAMPLES)]
    Revoke {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// What it is for
    name: String,
    /// Whose it is
    #[arg(long)]
    user: String,
    /// read, backup, analyze, resolve, merge, admin
    #[arg(long, value_delimiter = ',', default_value = "read")]
    scopes: Vec<String>,
    /// Days until it ends
    #[arg(long, default_value_t = 90)]
    days: u32,
}

pub(super) fn run(context: &Context<'_>, args: &TokenArgs) -> Result<Done> {
    let home = context.home()?;
    let state = State::open(&home)?;
    let out = context.out;
    match &args.command {
        TokenCommand::Create(args) => {
            let user = people::find(&state, &args.user)?;
            let scopes = args.scopes.iter().map(|word| scope(word)).collect::<Result<Vec<_>>>()?;
            let new = NewToken { name: &args.name, scopes: &scopes, days: args.days };
            let (token, text) = people::create_token(&state, &home, &user, &new, &context.actor())?;
            out.chat("This is the only time that it is shown:");
            out.line(&text);
            Ok(Done::with(&json!({"token": text, "about": token})))
        }
        TokenCommand::List => {
            let tokens = people::tokens(&state)?;
            let rows: Vec<Vec<String>> = tokens
                .iter()
                .map(|t| {
                    vec![
                        t.id.clone(),
                        t.name.clone(),
                        t.user.clone(),
                        plural(t.scopes.len() as u64, "scope"),
                        t.expires_at.clone(),
                    ]
                })
                .collect();
            match rows.is_empty() {
                true => out.line("There are no tokens."),
                false => out.text(&aligned(&["id", "name", "user", "scopes", "ends"], &rows, 5)),
            }
            Ok(Done::with(&json!({"tokens": tokens})))
        }
        TokenCommand::Revoke { id } => {
            people::revoke_token(&state, &home, id, &context.actor())?;
            out.line(&format!("Ended: {}", shown(id)));
            Ok(Done::default())
        }
    }
}

fn scope(word: &str) -> Result<Scope> {
    serde_json::from_value(json!(word)).map_err(|_| {
        fail!(Usage, "there is no scope {word:?}").hint("There are read, backup, analyze, resolve, merge and admin.")
    })
}
