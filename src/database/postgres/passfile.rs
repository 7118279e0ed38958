//! The password file of libpq: `host:port:database:user:password` a line, `*` matches anything, `\` escapes.
//!
//! *Source:* PostgreSQL manual, section "The Password File". The driver has a reader of its own, which only looks
//! before the address is known.

use sqlx::postgres::PgConnectOptions;
use std::path::PathBuf;

/// Finds the password for an address in `PGPASSFILE` or `~/.pgpass`.
pub(super) fn password(options: &PgConnectOptions) -> Option<String> {
    let path = match std::env::var_os("PGPASSFILE") {
        Some(path) => PathBuf::from(path),
        None => std::env::home_dir()?.join(".pgpass"),
    };
    if readable_by_others(&path) {
        return None;
    }
    let host = options.get_host();
    let host = if host.starts_with('/') { "localhost" } else { host };
    let database = options.get_database().unwrap_or(options.get_username());
    let wanted = [host, &options.get_port().to_string(), database, options.get_username()].map(str::to_owned);
    find(&std::fs::read_to_string(path).ok()?, &wanted)
}

/// As libpq, a file that others can read is not used.
fn readable_by_others(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o077 != 0)
}

fn find(content: &str, wanted: &[String; 4]) -> Option<String> {
    content.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = split(line);
        let matches = fields.len() == 5 && fields.iter().zip(wanted).all(|(field, w)| field == "*" || field == w);
        matches.then(|| fields[4].clone())
    })
}

fn split(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let last = fields.len() - 1;
        match character {
            ':' if last < 4 => fields.push(String::new()),
            '\\' => fields[last].extend(characters.next()),
            other => fields[last].push(other),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn the_first_matching_line_gives_the_password() {
        let file = "# comment\nother:5432:*:me:no\n*:5432:app:me:pa\\:ss:word\n*:*:*:*:last\n";
        let wanted = |database: &str| ["h", "5432", database, "me"].map(str::to_owned);
        assert_eq!(find(file, &wanted("app")).as_deref(), Some("pa:ss:word"));
        assert_eq!(find(file, &wanted("else")).as_deref(), Some("last"));
        assert_eq!(find("a:b", &wanted("app")), None);
    }
}
