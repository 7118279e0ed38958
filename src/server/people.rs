//! People: users with roles, first-run set-up, logging in, sessions, tokens (INTERFACE 3.2; CHECKS T12, T13).

mod sessions;
mod tokens;

pub use sessions::{ABSOLUTE_SECONDS, IDLE_SECONDS, by_session, login, logout};
pub use tokens::{NewToken, Token, by_token, create_token, revoke_token, tokens};

use super::access::{Person, Role};
use super::app::App;
use super::problem::{Answer, Problem};
use super::state::{State, digest, now, secret};
use crate::error::{Result, fail};
use crate::executor::{Home, audit, home::fresh_id};
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// Characters that a password has at least (NIST SP 800-63B).
pub const LEAST_PASSWORD: usize = 10;
/// Characters that a password has at most: hashing costs time.
const MOST_PASSWORD: usize = 256;

/// A user who may back up and restore only their own records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Own {
    /// The only target.
    pub target: String,
    /// Which records are theirs: `users: id = 7`. Tables without a condition are not theirs.
    pub conditions: Vec<String>,
}

/// A user.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct User {
    /// Their id.
    pub id: String,
    /// Their name; distinct, whatever the case of its letters.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When they were added.
    pub created_at: String,
    /// Their own records, where they may reach only those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<Own>,
}

/// Hashes a password (argon2id, the crate's defaults: 19 MiB, two passes).
///
/// # Errors
/// `Usage` for one that is too short or too long.
pub fn hash(password: &str) -> Result<String> {
    let length = password.chars().count();
    if !(LEAST_PASSWORD..=MOST_PASSWORD).contains(&length) {
        return Err(fail!(Usage, "a password has {LEAST_PASSWORD} to {MOST_PASSWORD} characters"));
    }
    let hashed = Argon2::default().hash_password(password.as_bytes());
    hashed.map(|h| h.to_string()).map_err(|e| fail!(Failed, "the password can't be hashed: {e}"))
}

fn matches(password: &str, hash: &str) -> bool {
    Argon2::default().verify_password(password.as_bytes(), hash).is_ok()
}

/// Adds a user.
///
/// # Errors
/// `Usage` for a name that is taken or odd, or a password that is too short.
pub fn add(state: &State, name: &str, role: Role, password: &str, own: Option<&Own>) -> Result<User> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
        return Err(fail!(Usage, "a user's name has 1 to 64 characters, none of them a control character"));
    }
    let user = User { id: fresh_id('w'), name: name.to_owned(), role, created_at: now(), own: own.cloned() };
    let hashed = hash(password)?;
    let own = own.map(|o| serde_json::to_string(o).expect("always serialises"));
    let added = state.with(|c| {
        c.execute(
            "INSERT INTO users (id, name, folded, role, password, created_at, own) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
             WHERE NOT EXISTS (SELECT 1 FROM users WHERE folded = ?3)",
            (&user.id, &user.name, user.name.to_lowercase(), role.word(), hashed, &user.created_at, own),
        )
    })?;
    match added {
        0 => Err(fail!(Usage, "a user is called {name:?} already")),
        _ => Ok(user),
    }
}

fn user(row: &rusqlite::Row<'_>) -> rusqlite::Result<User> {
    let own: Option<String> = row.get(4)?;
    Ok(User {
        id: row.get(0)?,
        name: row.get(1)?,
        role: Role::from_word(&row.get::<_, String>(2)?).unwrap_or_default(),
        created_at: row.get(3)?,
        // A grant that can't be read any more grants nothing; it never becomes one without limits.
        own: own.map(|text| {
            serde_json::from_str(&text).unwrap_or_else(|_| Own { target: String::new(), conditions: Vec::new() })
        }),
    })
}

const USER: &str = "users.id, users.name, users.role, users.created_at, users.own";

/// Lists the users by name.
///
/// # Errors
/// `Failed`.
pub fn list(state: &State) -> Result<Vec<User>> {
    state.with(|c| c.prepare(&format!("SELECT {USER} FROM users ORDER BY folded"))?.query_map([], user)?.collect())
}

/// Finds a user by id or name.
///
/// # Errors
/// `Usage` when there is none.
pub fn find(state: &State, name: &str) -> Result<User> {
    let found = state.with(|c| {
        c.query_row(
            &format!("SELECT {USER} FROM users WHERE id = ?1 OR folded = ?2"),
            (name, name.to_lowercase()),
            user,
        )
        .optional()
    })?;
    found.ok_or_else(|| fail!(Usage, "there is no user {name:?}").hint("List them with 'merganser user list'."))
}

/// Gives a user another password and ends all their sessions.
///
/// # Errors
/// `Usage` for a password that is too short.
pub fn set_password(state: &State, user: &User, password: &str) -> Result<()> {
    let hashed = hash(password)?;
    state.with(|c| {
        c.execute("UPDATE users SET password = ? WHERE id = ?", (hashed, &user.id))?;
        c.execute("DELETE FROM sessions WHERE user_id = ?", [&user.id]).map(|_| ())
    })
}

/// Gives a user another role and ends all their sessions.
///
/// # Errors
/// `Usage` when nobody would be an administrator any more.
pub fn set_role(state: &State, user: &User, role: Role) -> Result<()> {
    keeps_an_admin(state, user, Some(role))?;
    state.with(|c| {
        c.execute("UPDATE users SET role = ? WHERE id = ?", (role.word(), &user.id))?;
        c.execute("DELETE FROM sessions WHERE user_id = ?", [&user.id]).map(|_| ())
    })
}

/// Grants a user only their own records, or takes that limit away.
///
/// # Errors
/// `Failed`.
pub fn set_own(state: &State, user: &User, own: Option<&Own>) -> Result<()> {
    let text = own.map(|o| serde_json::to_string(o).expect("always serialises"));
    state.with(|c| c.execute("UPDATE users SET own = ? WHERE id = ?", (text, &user.id)).map(|_| ()))
}

/// Removes a user with their sessions and tokens.
///
/// # Errors
/// `Usage` when nobody would be an administrator any more.
pub fn remove(state: &State, user: &User) -> Result<()> {
    keeps_an_admin(state, user, None)?;
    state.with(|c| c.execute("DELETE FROM users WHERE id = ?", [&user.id]).map(|_| ()))
}

fn keeps_an_admin(state: &State, user: &User, role: Option<Role>) -> Result<()> {
    let others = list(state)?.iter().any(|u| u.role == Role::Admin && u.id != user.id);
    if user.role == Role::Admin && role != Some(Role::Admin) && !others {
        return Err(
            fail!(Usage, "{} is the only administrator", user.name).hint("Make somebody else an administrator first.")
        );
    }
    Ok(())
}

/// Tells whether nobody is there yet, so that the first administrator has to be made.
///
/// # Errors
/// `Failed`.
pub fn needs_set_up(state: &State) -> Result<bool> {
    state.with(|c| c.query_row("SELECT NOT EXISTS (SELECT 1 FROM users)", [], |r| r.get(0)))
}

/// Makes the one-time secret of the set-up link; earlier ones stop working.
///
/// # Errors
/// `Failed`.
pub fn set_up_secret(state: &State) -> Result<String> {
    let secret = secret(24)?;
    let kept = digest(&secret);
    state.with(|c| {
        c.execute("DELETE FROM facts WHERE name = 'set_up'", [])?;
        c.execute("INSERT INTO facts (name, value) VALUES ('set_up', ?)", [kept])
    })?;
    Ok(secret)
}

/// Makes the first administrator, once, with the secret of the set-up link.
///
/// # Errors
/// `forbidden` for another secret, or when somebody is there already; what [`add`] finds.
pub fn set_up(app: &App, given: &str, name: &str, password: &str, address: &str) -> Answer<User> {
    let state = app.state();
    let kept: Option<String> =
        state.with(|c| c.query_row("SELECT value FROM facts WHERE name = 'set_up'", [], |r| r.get(0)).optional())?;
    let right = kept.is_some_and(|k| bool::from(k.as_bytes().ct_eq(digest(given).as_bytes())));
    if !right || !needs_set_up(state)? {
        return Err(Problem::forbidden("the set-up link is not valid, or was used already")
            .hint("A new one is printed when the service starts and nobody is there yet."));
    }
    let user = add(state, name, Role::Admin, password, None)?;
    state.with(|c| c.execute("DELETE FROM facts WHERE name = 'set_up'", []))?;
    note(app.home(), "set_up", &format!("{} ({address})", user.name), &format!("administrator {}", user.name))?;
    Ok(user)
}

/// Writes to the audit log what was done about people and access.
///
/// # Errors
/// `Failed`, `OutOfSpace`.
pub fn note(home: &Home, event: &str, actor: &str, what: &str) -> Result<()> {
    audit::note(home, event, actor, what)
}

fn person(user: User, address: &str) -> Person {
    Person {
        id: user.id,
        name: user.name,
        role: user.role,
        scopes: None,
        own: user.own,
        address: address.to_owned(),
        session: None,
    }
}
