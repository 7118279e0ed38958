//! Logging in and sessions: a random secret in a cookie, its digest in the state, idle and absolute limits, and longer and
//! longer waits for who guesses passwords.

use super::{User, digest, matches, note, now, person, secret, user};
use crate::server::access::{Person, Role};
use crate::server::app::App;
use crate::server::problem::{Answer, Problem};
use rusqlite::OptionalExtension;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Seconds after which a session ends in which nothing was asked.
pub const IDLE_SECONDS: i64 = 30 * 60;
/// Seconds after which a session ends in any case.
pub const ABSOLUTE_SECONDS: i64 = 12 * 3600;
/// Wrong passwords that cost nothing.
const FREE: u32 = 5;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Names and addresses that waits are kept of.
const MOST_WAITS: usize = 10_000;

#[derive(Default)]
struct Waits(HashMap<String, (u32, Instant)>);

/// Waits of one process: a restart forgets them, which costs a guesser more than it gives.
static WAITS: LazyLock<Mutex<Waits>> = LazyLock::new(Mutex::default);

impl Waits {
    fn left(&self, key: &str) -> Option<Duration> {
        let (failures, last) = self.0.get(key)?;
        let wait = wait(*failures);
        wait.checked_sub(last.elapsed()).filter(|left| !left.is_zero())
    }

    fn failed(&mut self, key: &str) {
        if self.0.len() >= MOST_WAITS {
            self.0.retain(|_, (failures, last)| last.elapsed() < wait(*failures).max(Duration::from_secs(60)));
        }
        let entry = self.0.entry(key.to_owned()).or_insert((0, Instant::now()));
        *entry = (entry.0.saturating_add(1), Instant::now());
    }
}

fn wait(failures: u32) -> Duration {
    match failures.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1u64 << over.min(10)).min(LONGEST),
    }
}

/// Checks name and password and begins a session; returns the cookie's secret. The answer is the same, and takes as long,
/// for a wrong password and for a name that nobody has.
///
/// # Errors
/// `unauthenticated`; `too_many_requests` after many wrong passwords for the name or from the address.
pub fn login(app: &App, name: &str, password: &str, address: &str) -> Answer<(String, Person)> {
    let keys = [
        format!("{}\u{0}{}", app.home().root().display(), name.to_lowercase()),
        format!("{}\u{1}{address}", app.home().root().display()),
    ];
    let waiting = {
        let waits = WAITS.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().filter_map(|k| waits.left(k)).max()
    };
    if let Some(left) = waiting {
        return Err(Problem::own("too_many_requests", "too many wrong passwords; wait before the next one")
            .retry_after(left.as_secs() + 1));
    }
    let found: Option<(User, String)> = app.state().with(|c| {
        c.query_row(
            &format!("SELECT {}, users.password FROM users WHERE folded = ?", super::USER),
            [name.to_lowercase()],
            |row| Ok((user(row)?, row.get(5)?)),
        )
        .optional()
    })?;
    let right = match &found {
        Some((_, hash)) => matches(password, hash),
        None => {
            // As much work as for a name that exists.
            matches(password, DUMMY.as_str());
            false
        }
    };
    let Some((user, _)) = found.filter(|_| right) else {
        let mut waits = WAITS.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().for_each(|k| waits.failed(k));
        drop(waits);
        note(
            app.home(),
            "login_refused",
            &format!("{} ({address})", crate::report::text::short(name, 64)),
            "wrong name or password",
        )?;
        return Err(Problem::own("unauthenticated", "the name or the password is wrong"));
    };
    {
        let mut waits = WAITS.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().for_each(|k| {
            waits.0.remove(k);
        });
    }
    let secret = secret(32)?;
    let at = chrono::Utc::now().timestamp();
    app.state().with(|c| {
        c.execute("DELETE FROM sessions WHERE seen_at < ? OR made_at < ?", (at - IDLE_SECONDS, at - ABSOLUTE_SECONDS))?;
        c.execute(
            "INSERT INTO sessions (digest, user_id, made_at, seen_at, address) VALUES (?, ?, ?, ?, ?)",
            (digest(&secret), &user.id, at, at, address),
        )
    })?;
    note(app.home(), "login", &format!("{} ({address})", user.name), user.role.word())?;
    let mut person = person(user, address);
    person.session = Some(digest(&secret));
    Ok((secret, person))
}

/// The hash of no password that can be given: it is longer than any.
static DUMMY: LazyLock<String> = LazyLock::new(|| super::hash(&now()).unwrap_or_default());

/// Finds who has a session, if it is still valid.
///
/// # Errors
/// `Failed`.
pub fn by_session(app: &App, secret: &str, address: &str) -> Answer<Option<Person>> {
    let (at, kept) = (chrono::Utc::now().timestamp(), digest(secret));
    let found = app.state().with(|c| {
        let found = c
            .query_row(
                &format!("SELECT {}, sessions.seen_at FROM sessions JOIN users ON users.id = user_id WHERE digest = ? AND seen_at >= ? AND made_at >= ?", super::USER),
                (&kept, at - IDLE_SECONDS, at - ABSOLUTE_SECONDS),
                |row| Ok((user(row)?, row.get::<_, i64>(5)?)),
            )
            .optional()?;
        // Once a minute is precise enough, and spares a write for every request.
        if found.as_ref().is_some_and(|(_, seen)| at - seen >= 60) {
            c.execute("UPDATE sessions SET seen_at = ? WHERE digest = ?", (at, &kept))?;
        }
        Ok(found)
    })?;
    Ok(found.map(|(user, _)| {
        let mut person = person(user, address);
        person.session = Some(kept);
        person
    }))
}

/// Ends a person's session.
///
/// # Errors
/// `Failed`.
pub fn logout(app: &App, person: &Person) -> Answer<()> {
    if let Some(session) = &person.session {
        app.state().with(|c| c.execute("DELETE FROM sessions WHERE digest = ?", [session]))?;
        note(app.home(), "logout", &person.actor(), Role::word(person.role))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        assert_eq!(wait(FREE - 1), Duration::ZERO);
        assert_eq!(wait(FREE), Duration::from_secs(1));
        assert_eq!(wait(FREE + 3), Duration::from_secs(8));
        assert_eq!(wait(FREE + 40), LONGEST);
    }
}
