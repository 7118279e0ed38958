//! Tokens for programs: `mgs_ID_SECRET`, found by the id, compared by digest in constant time, shown once.

use super::{User, digest, note, now, person, secret, user};
use crate::error::{Result, fail};
use crate::executor::Home;
use crate::server::access::{Person, Scope};
use crate::server::app::App;
use crate::server::problem::{Answer, Problem};
use crate::server::state::State;
use rusqlite::OptionalExtension;
use serde::Serialize;
use subtle::ConstantTimeEq;

/// The longest life of a token, in days.
const MOST_DAYS: u32 = 3_650;

/// A token as it is listed: never its secret.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    pub expires_at: String,
    /// When it was used last.
    pub used_at: Option<String>,
}

/// What a new token is to be.
#[derive(Clone, Debug)]
pub struct NewToken<'a> {
    /// What it is for.
    pub name: &'a str,
    /// What it may be used for.
    pub scopes: &'a [Scope],
    /// Days until it ends.
    pub days: u32,
}

/// Makes a token of a user; returns it and its text, which is kept nowhere.
///
/// # Errors
/// `Usage` for no scope, an odd name, or a life that is too long.
pub fn create_token(state: &State, home: &Home, of: &User, new: &NewToken<'_>, actor: &str) -> Result<(Token, String)> {
    let odd = new.name.trim().is_empty() || new.name.chars().count() > 64 || new.name.chars().any(char::is_control);
    if odd || new.scopes.is_empty() || !(1..=MOST_DAYS).contains(&new.days) {
        return Err(fail!(
            Usage,
            "a token has a name of 1 to 64 characters, at least one scope and 1 to {MOST_DAYS} days"
        )
        .hint("Scopes are read, backup, analyze, resolve, merge and admin."));
    }
    let (id, hidden) = (secret(6)?, secret(24)?);
    let expires = chrono::Utc::now() + chrono::Duration::days(i64::from(new.days));
    let token = Token {
        id: id.clone(),
        name: new.name.trim().to_owned(),
        user: of.name.clone(),
        scopes: new.scopes.to_vec(),
        created_at: now(),
        expires_at: expires.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        used_at: None,
    };
    let scopes = serde_json::to_string(&token.scopes).expect("always serialises");
    state.with(|c| {
        c.execute(
            "INSERT INTO tokens (id, user_id, name, digest, scopes, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (&id, &of.id, &token.name, digest(&hidden), scopes, &token.created_at, &token.expires_at),
        )
    })?;
    note(home, "token_created", actor, &format!("{} ({}) of {}", token.name, token.id, of.name))?;
    Ok((token, format!("mgs_{id}_{hidden}")))
}

/// Lists the tokens, newest first.
///
/// # Errors
/// `Failed`.
pub fn tokens(state: &State) -> Result<Vec<Token>> {
    state.with(|c| {
        c.prepare(
            "SELECT tokens.id, tokens.name, users.name, scopes, tokens.created_at, expires_at, used_at FROM tokens
             JOIN users ON users.id = user_id ORDER BY tokens.created_at DESC, tokens.id",
        )?
        .query_map([], |row| {
            Ok(Token {
                id: row.get(0)?,
                name: row.get(1)?,
                user: row.get(2)?,
                scopes: serde_json::from_str(&row.get::<_, String>(3)?).unwrap_or_default(),
                created_at: row.get(4)?,
                expires_at: row.get(5)?,
                used_at: row.get(6)?,
            })
        })?
        .collect()
    })
}

/// Ends a token.
///
/// # Errors
/// `Usage` when there is none of this id.
pub fn revoke_token(state: &State, home: &Home, id: &str, actor: &str) -> Result<()> {
    match state.with(|c| c.execute("DELETE FROM tokens WHERE id = ?", [id]))? {
        0 => Err(fail!(Usage, "there is no token {id:?}").hint("List them with 'merganser token list'.")),
        _ => note(home, "token_revoked", actor, id),
    }
}

/// Finds whose a token is; scopes narrow what the user's role allows.
///
/// # Errors
/// `unauthenticated` for one that is not known, or has ended.
pub fn by_token(app: &App, text: &str, address: &str) -> Answer<Person> {
    let wrong = || Problem::own("unauthenticated", "the token is not known, or has ended");
    let (id, hidden) = text.strip_prefix("mgs_").and_then(|rest| rest.split_once('_')).ok_or_else(wrong)?;
    let found: Option<(User, String, String, String)> = app.state().with(|c| {
        c.query_row(
            &format!("SELECT {}, digest, scopes, expires_at FROM tokens JOIN users ON users.id = user_id WHERE tokens.id = ?", super::USER),
            [id],
            |row| Ok((user(row)?, row.get(5)?, row.get(6)?, row.get(7)?)),
        )
        .optional()
    })?;
    let (kept, rest) = match found {
        Some((user, kept, scopes, expires)) => (kept, Some((user, scopes, expires))),
        // Compared all the same, so that an id that exists can't be told by the time it takes.
        None => (digest("nobody"), None),
    };
    let right = bool::from(kept.as_bytes().ct_eq(digest(hidden).as_bytes()));
    let (user, scopes, expires) = rest.filter(|_| right).ok_or_else(wrong)?;
    let ended = chrono::DateTime::parse_from_rfc3339(&expires).map_or(true, |at| at < chrono::Utc::now());
    if ended {
        return Err(wrong());
    }
    let minute = now()[..16].to_owned();
    app.state().with(|c| {
        c.execute("UPDATE tokens SET used_at = ?1 WHERE id = ?2 AND (used_at IS NULL OR used_at < ?1)", (minute, id))
    })?;
    let mut person = person(user, address);
    person.scopes = Some(serde_json::from_str(&scopes).unwrap_or_default());
    Ok(person)
}
