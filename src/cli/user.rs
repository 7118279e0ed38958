//! `user`: the people of the service. Passwords come from a terminal, a file or stdin, never from the command line itself.

use super::context::Context;
use super::output::Done;
use crate::error::{Result, fail};
use crate::report::text::{aligned, shown};
use crate::server::Role;
use crate::server::people::{self, Own};
use crate::server::state::State;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:
  merganser user add ada --role admin --password-file pw.txt
  merganser user list
  merganser user passwd ada --password-file -
  merganser user rm ada --yes";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add somebody
    #[command(after_help = EXAMPLES)]
    Add(AddArgs),
    /// List everybody
    #[command(after_help = EXAMPLES)]
    List,
    /// Give somebody another password; their sessions end
    #[command(after_help = EXAMPLES)]
    Passwd(PasswdArgs),
    /// Remove somebody with their sessions and tokens
    #[command(after_help = EXAMPLES)]
    Rm {
        /// The name
        name: String,
    },
}

#[derive(Debug, Args)]
struct AddArgs {
    /// The name
    name: String,
    /// viewer, operator or admin; also ROOT, SUPER_ADMIN, ADMIN, staff
    #[arg(long, default_value = "viewer")]
    role: String,
    /// File with the password; '-': stdin
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Only their own records, of this target
    #[arg(long, value_name = "TARGET", requires = "own")]
    own_target: Option<String>,
    /// Which records are theirs: 'users: id = 7' (may be repeated)
    #[arg(long, value_name = "TABLE: CONDITION", requires = "own_target")]
    own: Vec<String>,
}

#[derive(Debug, Args)]
struct PasswdArgs {
    /// The name
    name: String,
    /// File with the password; '-': stdin
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(super) fn run(context: &Context<'_>, args: &UserArgs) -> Result<Done> {
    let home = context.home()?;
    let state = State::open(&home)?;
    let out = context.out;
    let actor = context.actor();
    match &args.command {
        UserCommand::Add(args) => {
            let role = Role::from_word(&args.role).ok_or_else(|| {
                fail!(Usage, "there is no role {:?}", args.role).hint("There are viewer, operator and admin.")
            })?;
            let own = args.own_target.clone().map(|target| Own { target, conditions: args.own.clone() });
            let password = password(context, args.password_file.as_ref())?;
            let user = people::add(&state, &args.name, role, &password, own.as_ref())?;
            people::note(&home, "user_added", &actor, &format!("{} as {}", user.name, role.word()))?;
            out.line(&format!("Added: {} ({})", shown(&user.name), role.word()));
            Ok(Done::with(&json!({"user": user})))
        }
        UserCommand::List => {
            let users = people::list(&state)?;
            let rows: Vec<Vec<String>> =
                users.iter().map(|u| vec![u.name.clone(), u.role.word().to_owned(), u.created_at.clone()]).collect();
            match rows.is_empty() {
                true => {
                    out.line("Nobody is there yet; 'merganser serve' prints a link to make the first administrator.")
                }
                false => out.text(&aligned(&["name", "role", "added"], &rows, 3)),
            }
            Ok(Done::with(&json!({"users": users})))
        }
        UserCommand::Passwd(args) => {
            let user = people::find(&state, &args.name)?;
            people::set_password(&state, &user, &password(context, args.password_file.as_ref())?)?;
            people::note(&home, "password_changed", &actor, &user.name)?;
            out.line(&format!("{} has another password; their sessions ended.", shown(&user.name)));
            Ok(Done::default())
        }
        UserCommand::Rm { name } => {
            let user = people::find(&state, name)?;
            if !context.global.yes && !context.can_ask() {
                return Err(fail!(ConfirmationNeeded, "removing {} needs a confirmation", user.name).hint("Add --yes."));
            }
            if !context.global.yes && context.ask(&format!("Remove {}? [y/N] ", user.name))?.trim() != "y" {
                return Err(fail!(Failed, "not confirmed; nobody was removed"));
            }
            people::remove(&state, &user)?;
            people::note(&home, "user_removed", &actor, &user.name)?;
            out.line(&format!("Removed: {}", shown(&user.name)));
            Ok(Done::default())
        }
    }
}

fn password(context: &Context<'_>, file: Option<&PathBuf>) -> Result<String> {
    let text = match file {
        Some(path) if path.as_os_str() == "-" => std::io::read_to_string(std::io::stdin())?,
        Some(path) => std::fs::read_to_string(path)
            .map_err(|e| fail!(Usage, "the password can't be read from {}", path.display()).because(e))?,
        None if context.can_ask() => context.ask("Password (it is shown as you type): ")?,
        None => {
            return Err(fail!(ConfirmationNeeded, "a password is needed and there is no terminal to ask on")
                .hint("Give --password-file FILE, or '-' for stdin."));
        }
    };
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
