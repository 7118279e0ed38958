//! Where a connection goes: exactly to the host that the address names, whatever stands in its other parts (CHECKS F86, T9).

use crate::servers::{self, Fresh};
use merganser::database::connect;
use std::net::TcpListener;

/// Names of databases that would be another host, or an option, to whoever joins strings.
const NAMES: [&str; 4] =
    ["a host=127.0.0.2 port={port}", "a;host=127.0.0.2;port={port}", "a?host=127.0.0.2&port={port}", "a' b=c --"];

fn encoded(name: &str) -> String {
    name.bytes().map(|b| format!("%{b:02x}")).collect()
}

fn check(fresh: &Fresh, quote: char) {
    // Whoever is led astray arrives here.
    let elsewhere = TcpListener::bind("127.0.0.2:0").expect("listens");
    elsewhere.set_nonblocking(true).expect("sets");
    let port = elsewhere.local_addr().expect("an address").port().to_string();
    let (server, _) = fresh.url.rsplit_once('/').expect("a path");
    for name in NAMES {
        let name = name.replace("{port}", &port);
        fresh.execute(&format!("CREATE DATABASE {quote}{name}{quote}"));
        let opened = connect(&format!("{server}/{}", encoded(&name))).expect("is that very database");
        assert!(opened.identity().display.contains('/'), "{}", opened.identity().display);
        // One that is not there is asked for by its whole name, of that server.
        let error = connect(&format!("{server}/{}", encoded(&format!("{name}!")))).err().expect("is not there");
        assert!(error.full_message().contains('!'), "{}", error.full_message());
    }
    assert!(elsewhere.accept().is_err(), "a connection went to another host");
}

#[test]
fn f86_a_name_of_a_postgres_database_is_never_another_host() {
    check(&servers::postgres(""), '"');
}

#[test]
fn f86_a_name_of_a_mariadb_database_is_never_another_host() {
    check(&servers::mariadb(""), '`');
}
