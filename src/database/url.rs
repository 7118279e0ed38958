//! What people put into `DATABASE_URL`, split into parts: Prisma, Django, SQLAlchemy, libpq and plain spellings.
//!
//! Parts stay parts: an adapter sets its driver's options field by field, so no character in a database name or
//! password can become another option. A password is held by a type that never prints it.

use crate::error::{Error, Result, fail};
use std::path::PathBuf;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// A password; printed as `***` everywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the password for the driver that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tls {
    /// Never.
    Disable,
    /// Where the server offers it.
    #[default]
    Prefer,
    /// Always, without checking who the server is.
    Require,
    /// Always, with a certificate that a known authority signed.
    VerifyCa,
    /// Always, with a certificate for this very host name.
    VerifyFull,
}

/// A server and a database on it; what is `None` is the driver's or the environment's to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerUrl {
    /// Host name or address.
    pub host: Option<String>,
    /// TCP port.
    pub port: Option<u16>,
    /// Unix socket: a folder (PostgreSQL) or the socket file (MySQL).
    pub socket: Option<PathBuf>,
    /// Role or user name.
    pub user: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Database name.
    pub database: Option<String>,
    /// The only schema to use (PostgreSQL, `?schema=`).
    pub schema: Option<String>,
    /// Encryption.
    pub tls: Tls,
    /// Certificate of the authority that signs the server's.
    pub tls_root: Option<PathBuf>,
    /// The client's own certificate.
    pub tls_certificate: Option<PathBuf>,
    /// The key of the client's own certificate.
    pub tls_key: Option<PathBuf>,
    /// How long connecting may take.
    pub connect_timeout: Option<Duration>,
    /// How long the server may say nothing.
    pub socket_timeout: Option<Duration>,
    /// What a person should know about the URL: keys that mean nothing here, missing encryption.
    pub warnings: Vec<String>,
}

/// A database's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(ServerUrl),
    /// A MySQL or MariaDB database.
    Mysql(ServerUrl),
}

impl ConnectUrl {
    /// Parses a URL or a path that ends in `.db`, `.sqlite` or `.sqlite3`.
    ///
    /// # Errors
    /// `Usage`; the message never repeats the URL, which may hold a password.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim().trim_matches(['"', '\'']);
        let Some((scheme, _)) = text.split_once(':').filter(|(scheme, _)| scheme.len() > 1) else {
            return path_only(text);
        };
        let scheme = scheme.to_ascii_lowercase();
        match scheme.split('+').next().unwrap_or_default() {
            "sqlite" | "sqlite3" | "file" => sqlite(text),
            "postgres" | "postgresql" | "psql" | "pgsql" | "postgis" => server(text, 5432).map(Self::Postgres),
            "mysql" | "mariadb" | "mysql2" => server(text, 3306).map(Self::Mysql),
            _ if !text.contains("://") => path_only(text),
            _ => Err(fail!(Usage, "no adapter for databases of the kind `{}`", scheme.escape_debug())
                .hint("use sqlite:, postgres:// or mysql://")),
        }
    }

    /// Returns the address for people: never holds a password.
    pub fn display(&self) -> String {
        let (scheme, server) = match self {
            Self::Sqlite(path) => return format!("sqlite:{}", path.display()),
            Self::Postgres(server) => ("postgres", server),
            Self::Mysql(server) => ("mysql", server),
        };
        let user = server.user.as_deref().map(|u| format!("{u}@")).unwrap_or_default();
        let place = match (&server.socket, &server.host) {
            (Some(socket), _) => format!("[{}]", socket.display()),
            (None, Some(host)) if host.contains(':') => format!("[{host}]"),
            (None, Some(host)) => host.clone(),
            (None, None) => String::new(),
        };
        let port = server.port.map(|p| format!(":{p}")).unwrap_or_default();
        let schema = server.schema.as_deref().map(|s| format!("?schema={s}")).unwrap_or_default();
        format!("{scheme}://{user}{place}{port}/{}{schema}", server.database.as_deref().unwrap_or_default())
    }

    /// Returns what a person should know about the URL.
    pub fn warnings(&self) -> &[String] {
        match self {
            Self::Sqlite(_) => &[],
            Self::Postgres(server) | Self::Mysql(server) => &server.warnings,
        }
    }
}

impl std::str::FromStr for ConnectUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

fn path_only(text: &str) -> Result<ConnectUrl> {
    let known = [".db", ".sqlite", ".sqlite3", ".db3"];
    if known.iter().any(|end| text.to_ascii_lowercase().ends_with(end)) {
        return Ok(ConnectUrl::Sqlite(PathBuf::from(text)));
    }
    Err(fail!(Usage, "this is neither a database URL nor the path of a SQLite file")
        .hint("write sqlite:PATH, postgres://user@host/database or mysql://user@host/database"))
}

/// Reads `sqlite:app.db`, `sqlite://rel/app.db`, `sqlite:///abs/app.db`, `file:./dev.db?connection_limit=1`.
fn sqlite(text: &str) -> Result<ConnectUrl> {
    let (_, rest) = text.split_once(':').unwrap_or_default();
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let path = match rest.strip_prefix("//") {
        // SQLAlchemy writes four slashes for an absolute path, everyone else three.
        Some(path) => path.strip_prefix("//").map_or_else(|| path.to_owned(), |p| format!("/{p}")),
        None => rest.to_owned(),
    };
    let path = decode(&path)?;
    if path.is_empty() || path == ":memory:" {
        return Err(fail!(Usage, "the SQLite URL names no file").hint("write sqlite:PATH"));
    }
    Ok(ConnectUrl::Sqlite(PathBuf::from(path)))
}

fn server(text: &str, default_port: u16) -> Result<ServerUrl> {
    let bad = |why: String| {
        fail!(Usage, "the database URL can't be read: {why}")
            .hint("write scheme://user:password@host:port/database; special characters in a password as %XX")
    };
    // The parser wants a host after a user name; sockets are given as `user@/database?host=/run/postgresql`.
    let filled = text.replacen("@/", "@%00/", 1);
    let url = url::Url::parse(&filled).map_err(|error| bad(error.to_string()))?;
    let mut server = ServerUrl::default();
    if let Some(host) = url.host_str().map(decode).transpose()?.filter(|h| !h.is_empty() && h != "\0") {
        if host.contains(',') {
            return Err(bad("several hosts in one URL are not supported".to_owned()));
        }
        match host.strip_prefix('/') {
            Some(_) => server.socket = Some(PathBuf::from(host)),
            None => server.host = Some(host.trim_matches(['[', ']']).to_owned()),
        }
    }
    server.port = url.port();
    server.user = Some(decode(url.username())?).filter(|u| !u.is_empty());
    server.password = url.password().map(decode).transpose()?.map(Secret);
    server.database = Some(decode(url.path().trim_start_matches('/'))?).filter(|d| !d.is_empty());
    // The mode first: what other keys say of encryption can only make it stricter, wherever they stand.
    let is_mode = |key: &str| matches!(key, "sslmode" | "ssl-mode" | "ssl_mode" | "tls");
    for modes in [true, false] {
        for (key, value) in url.query_pairs().filter(|(key, _)| is_mode(key) == modes) {
            option(&mut server, &key, &value)?;
        }
    }
    if server.host.is_none() && server.socket.is_none() && server.port.is_some() {
        server.host = Some("localhost".to_owned());
    }
    if server.host.is_some() && server.port.is_none() {
        server.port = Some(default_port);
    }
    if let Some(host) = server.host.as_deref()
        && matches!(server.tls, Tls::Disable | Tls::Prefer)
        && !is_loopback(host)
    {
        server.warnings.push(format!(
            "the connection to {host} is not required to be encrypted; add ?sslmode=verify-full where the server has a certificate"
        ));
    }
    Ok(server)
}

fn option(server: &mut ServerUrl, key: &str, value: &str) -> Result<()> {
    let text = || Some(value.to_owned()).filter(|v| !v.is_empty());
    match key {
        "host" | "hostaddr" if value.starts_with('/') => server.socket = Some(PathBuf::from(value)),
        "host" | "hostaddr" => server.host = text(),
        "socket" | "unix_socket" | "unixSocket" => server.socket = text().map(PathBuf::from),
        "port" => {
            server.port = Some(value.parse().map_err(|_| fail!(Usage, "the database URL's port is not a number"))?);
        }
        "user" => server.user = text(),
        "password" => server.password = text().map(Secret),
        "dbname" | "database" => server.database = text(),
        "schema" | "currentSchema" => server.schema = text(),
        "sslmode" | "ssl-mode" | "ssl_mode" | "tls" => server.tls = tls(value)?,
        // Prisma's words for whether the certificate is checked.
        "sslaccept" if value == "strict" => server.tls = Tls::VerifyFull,
        "sslaccept" => server.tls = server.tls.max(Tls::Require),
        "ssl" if matches!(value, "true" | "1" | "require") => server.tls = server.tls.max(Tls::Require),
        "sslrootcert" | "ssl-ca" | "ssl_ca" => server.tls_root = text().map(PathBuf::from),
        "sslcert" | "ssl-cert" | "ssl_cert" => server.tls_certificate = text().map(PathBuf::from),
        "sslkey" | "ssl-key" | "ssl_key" => server.tls_key = text().map(PathBuf::from),
        "connect_timeout" | "connectTimeout" => {
            server.connect_timeout = value.parse().ok().filter(|s| *s > 0).map(Duration::from_secs);
        }
        "socket_timeout" | "socketTimeout" => {
            server.socket_timeout = value.parse().ok().filter(|s| *s > 0).map(Duration::from_secs);
        }
        "service" | "servicefile" => {
            return Err(fail!(Usage, "the database URL names a service of libpq; pg_service.conf is not read")
                .hint("write host, port and database into the URL"));
        }
        // About pools and sessions of the application: nothing to say for one connection with its own settings.
        "connection_limit"
        | "pool_timeout"
        | "pgbouncer"
        | "statement_cache_size"
        | "charset"
        | "application_name"
        | "conn_max_age"
        | "ssl" => {}
        _ => {
            server.warnings.push(format!("the database URL's option `{}` is not known and ignored", key.escape_debug()))
        }
    }
    Ok(())
}

fn tls(value: &str) -> Result<Tls> {
    Ok(match value.to_ascii_lowercase().replace('-', "_").as_str() {
        "disable" | "disabled" | "false" => Tls::Disable,
        "allow" | "prefer" | "preferred" => Tls::Prefer,
        "require" | "required" | "true" => Tls::Require,
        "verify_ca" => Tls::VerifyCa,
        "verify_full" | "verify_identity" => Tls::VerifyFull,
        _ => {
            return Err(fail!(Usage, "the database URL's sslmode is not known")
                .hint("use disable, prefer, require, verify-ca or verify-full"));
        }
    })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Decodes `%XX`.
fn decode(text: &str) -> Result<String> {
    let bad =
        || fail!(Usage, "the database URL has a `%` that is not followed by two hexadecimal digits of UTF-8 text");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (pair, tail) = rest.split_at_checked(2).ok_or_else(bad)?;
        let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
        bytes.push(u8::from_str_radix(pair, 16).map_err(|_| bad())?);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| bad())
}
