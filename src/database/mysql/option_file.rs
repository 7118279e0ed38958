//! User and password from `~/.my.cnf`, group `[client]`, as the server's own clients take them where none are given.
//!
//! *Source:* MariaDB manual, "Configuring MariaDB with Option Files". Includes and other groups are not read.

use crate::database::url::Secret;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What the file says of the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
}

/// Reads the file of this person's home; a file that others may write to is not used, as by the clients.
pub(super) fn client() -> Client {
    std::env::home_dir().map(|home| read(&home.join(".my.cnf"))).unwrap_or_default()
}

fn read(path: &Path) -> Client {
    let writable = std::fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o002 != 0);
    match std::fs::read_to_string(path) {
        Ok(text) if !writable => parse(&text),
        _ => Client::default(),
    }
}

fn parse(text: &str) -> Client {
    let mut client = Client::default();
    let mut here = false;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(group) = line.strip_prefix('[') {
            here = group.trim_end_matches(']') == "client";
        } else if let Some((name, value)) = line.split_once('=').filter(|_| here) {
            let value = value.trim();
            let quoted = ['"', '\''].iter().find_map(|q| value.strip_prefix(*q).and_then(|v| v.strip_suffix(*q)));
            let value = quoted.unwrap_or(value).to_owned();
            match name.trim() {
                "user" => client.user = Some(value),
                "password" => client.password = Some(Secret::new(value)),
                _ => {}
            }
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::{Client, parse};
    use crate::database::url::Secret;

    #[test]
    fn only_the_group_of_clients_counts() {
        let text =
            "[mysqld]\nuser=mysql\n[client]\n# a comment\nuser = me\npassword=\"p=a#ss\"\n[mysqldump]\npassword=no\n";
        let expected = Client { user: Some("me".to_owned()), password: Some(Secret::new("p=a#ss")) };
        assert_eq!(parse(text), expected);
        assert_eq!(parse(""), Client::default());
    }
}
