//! Tests of database URLs.

use super::*;

fn postgres(text: &str) -> ServerUrl {
    match ConnectUrl::parse(text) {
        Ok(ConnectUrl::Postgres(server)) => server,
        other => panic!("{text}: {other:?}"),
    }
}

fn mysql(text: &str) -> ServerUrl {
    match ConnectUrl::parse(text) {
        Ok(ConnectUrl::Mysql(server)) => server,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn sqlite_spellings_give_paths() {
    for (text, path) in [
        ("sqlite:app.db", "app.db"),
        ("sqlite:///var/app.db", "/var/app.db"),
        ("sqlite:////var/app.db", "/var/app.db"),
        ("sqlite://rel/app.db", "rel/app.db"),
        ("file:./prisma/dev.db?connection_limit=1", "./prisma/dev.db"),
        ("data/app.sqlite3", "data/app.sqlite3"),
        ("app.DB", "app.DB"),
        ("sqlite:with%20space.db", "with space.db"),
    ] {
        assert_eq!(ConnectUrl::parse(text).ok(), Some(ConnectUrl::Sqlite(PathBuf::from(path))), "{text}");
    }
}

#[test]
fn server_urls_are_split_into_parts() {
    let server = postgres(
        "postgresql+psycopg://us%40er:p%40ss%2Fw%23rd@db.example:6432/my%20app?schema=app&sslmode=verify-full&connection_limit=5&pgbouncer=true",
    );
    assert_eq!(server.host.as_deref(), Some("db.example"));
    assert_eq!(server.port, Some(6432));
    assert_eq!(server.user.as_deref(), Some("us@er"));
    assert_eq!(server.password.as_ref().map(Secret::expose), Some("p@ss/w#rd"));
    assert_eq!(server.database.as_deref(), Some("my app"));
    assert_eq!(server.schema.as_deref(), Some("app"));
    assert_eq!(server.tls, Tls::VerifyFull);
    assert_eq!(server.warnings, Vec::<String>::new());

    let server = mysql("mysql+pymysql://root@127.0.0.1/shop?charset=utf8mb4");
    assert_eq!((server.port, server.password), (Some(3306), None));
    assert_eq!(mysql("mariadb://h/d").database.as_deref(), Some("d"));
    assert_eq!(postgres("postgres://[::1]:5433/d").host.as_deref(), Some("::1"));
}

#[test]
fn sockets_are_recognised() {
    let expected = Some(PathBuf::from("/run/postgresql"));
    for text in [
        "postgres:///app?host=/run/postgresql",
        "postgres://me:secret@/app?host=/run/postgresql",
        "postgres://me@%2Frun%2Fpostgresql/app",
        "postgresql://me@localhost/app?host=%2Frun%2Fpostgresql",
    ] {
        assert_eq!(postgres(text).socket, expected, "{text}");
        assert_eq!(postgres(text).database.as_deref(), Some("app"), "{text}");
    }
    assert_eq!(mysql("mysql://root@localhost/d?socket=/run/my.sock").socket, Some(PathBuf::from("/run/my.sock")));
    assert_eq!(mysql("mysql://root@localhost/d?unix_socket=/run/my.sock").socket, Some(PathBuf::from("/run/my.sock")));
}

#[test]
fn unknown_options_and_missing_encryption_are_warned_about() {
    let server = postgres("postgres://u@db.example/d?colour=red");
    assert_eq!(server.warnings.len(), 2);
    assert!(server.warnings[0].contains("colour"), "{:?}", server.warnings);
    assert!(server.warnings[1].contains("encrypted"), "{:?}", server.warnings);
}

#[test]
fn a_password_is_never_shown() {
    let secret = "hunter2-canary";
    for text in [
        format!("postgres://u:{secret}@h/d"),
        format!("mysql://u@h/d?password={secret}"),
        format!("postgres://u:{secret}@h:99999/d"),
        format!("postgres://u:{secret}@h/d?sslmode=sometimes"),
        format!("oracle://u:{secret}@h/d"),
        format!("postgres://u:{secret}%@h/d"),
        format!("postgres://u:{secret}@a,b/d"),
    ] {
        let shown = match ConnectUrl::parse(&text) {
            Ok(url) => format!("{url:?} {} {:?}", url.display(), url.warnings()),
            Err(error) => format!("{error:?} {error} {:?}", error.hint_text()),
        };
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn what_is_no_address_is_refused() {
    for text in ["", "hello", "oracle://h/d", "postgres://h:x/d", "sqlite:", "sqlite::memory:", "mysql://h/d?port=x"] {
        assert!(ConnectUrl::parse(text).is_err(), "{text}");
    }
}

#[test]
fn t28_no_other_word_of_a_url_weakens_what_it_asks_for() {
    let tls = |query: &str| postgres(&format!("postgres://u@db.example/x?{query}")).tls;
    for query in [
        "sslmode=verify-full&ssl=true",
        "ssl=true&sslmode=verify-full",
        "sslmode=verify-full&sslaccept=accept_invalid_certs",
        "sslaccept=strict&ssl=1",
        "ssl=1&sslaccept=strict",
    ] {
        assert_eq!(tls(query), Tls::VerifyFull, "{query}");
    }
    assert_eq!(tls("sslmode=disable"), Tls::Disable);
}
