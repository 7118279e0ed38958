//! Private database servers for the tests: own data folders, loopback ports, no durability, gone with the process.
//!
//! One server of each engine a process, started when first needed; each test gets a fresh database. A server that
//! can't be started fails the test: it is never skipped. A shell waits at a pipe for the end of this process, whatever
//! way it ends, then stops the server and removes its folder.

mod pooler;
mod private;

pub(crate) use pooler::Pooler;
pub(crate) use private::{End, Private};

use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to answer.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Keeps the server alive; the pipe closes with this process.
struct Server {
    port: u16,
    _shell: Child,
}

static POSTGRES: LazyLock<Server> = LazyLock::new(start_postgres);
static MARIADB: LazyLock<Server> = LazyLock::new(start_mariadb);
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A database that only one test uses.
#[derive(Clone)]
pub(crate) struct Fresh {
    /// Its address for the adapter under test.
    pub(crate) url: String,
    engine: Engine,
}

/// Somebody else's open transaction.
pub(crate) struct Held {
    _connection: sqlx::MySqlConnection,
    _runtime: tokio::runtime::Runtime,
}

/// A connection of somebody else's.
pub(crate) struct Session {
    client: Client,
    runtime: tokio::runtime::Runtime,
}

enum Client {
    Postgres(sqlx::PgConnection),
    Mysql(sqlx::MySqlConnection),
}

impl Session {
    /// Runs statements and returns what the server says.
    pub(crate) fn execute(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match &mut self.client {
            Client::Postgres(client) => self.runtime.block_on(client.execute(sql)).map(|done| done.rows_affected()),
            Client::Mysql(client) => self.runtime.block_on(client.execute(sql)).map(|done| done.rows_affected()),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Engine {
    Postgres,
    Mysql,
}

/// Makes a fresh PostgreSQL database with these statements run in it.
pub(crate) fn postgres(sql: &str) -> Fresh {
    fresh(Engine::Postgres, POSTGRES.port, "postgres", sql)
}

/// Makes a fresh MariaDB database with these statements run in it.
pub(crate) fn mariadb(sql: &str) -> Fresh {
    fresh(Engine::Mysql, MARIADB.port, "mysql", sql)
}

fn fresh(engine: Engine, port: u16, scheme: &str, sql: &str) -> Fresh {
    let admin = if engine == Engine::Postgres { "postgres" } else { "mysql" };
    database(&Fresh { url: format!("{scheme}://tester@127.0.0.1:{port}/{admin}"), engine }, sql)
}

/// Makes a fresh database on a server that is reached by another one of its databases.
fn database(server: &Fresh, sql: &str) -> Fresh {
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    server.execute(&format!("CREATE DATABASE {name}"));
    let (front, _) = server.url.rsplit_once('/').expect("a database");
    let database = Fresh { url: format!("{front}/{name}"), engine: server.engine };
    if !sql.is_empty() {
        database.execute(sql);
    }
    database
}

impl Fresh {
    /// Returns the same database as another user reaches it.
    pub(crate) fn as_user(&self, user: &str) -> Self {
        Self { url: self.url.replace("//tester@", &format!("//{user}@")), engine: self.engine }
    }

    /// Runs statements on a connection of their own.
    pub(crate) fn execute(&self, sql: &str) {
        self.try_execute(sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
    }

    /// Runs statements on a connection of their own and returns what the server says.
    pub(crate) fn try_execute(&self, sql: &str) -> Result<(), sqlx::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let sql = AssertSqlSafe(sql.to_owned());
        runtime.block_on(async {
            match self.engine {
                Engine::Postgres => {
                    let options: sqlx::postgres::PgConnectOptions = self.url.parse()?;
                    options.connect().await?.execute(sqlx::raw_sql(sql)).await.map(drop)
                }
                Engine::Mysql => {
                    let options: sqlx::mysql::MySqlConnectOptions = self.url.parse()?;
                    options.connect().await?.execute(sqlx::raw_sql(sql)).await.map(drop)
                }
            }
        })
    }

    /// Runs a statement in a MariaDB transaction that stays open until the answer is dropped.
    pub(crate) fn hold(&self, sql: &str) -> Held {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let begin = format!("START TRANSACTION; {sql}");
        let connection = runtime.block_on(async {
            let options: sqlx::mysql::MySqlConnectOptions = self.url.parse()?;
            let mut connection = options.connect().await?;
            connection.execute(sqlx::raw_sql(AssertSqlSafe(begin))).await?;
            Ok::<_, sqlx::Error>(connection)
        });
        Held { _connection: connection.unwrap_or_else(|error| panic!("{error}\n{sql}")), _runtime: runtime }
    }

    /// Opens a connection that keeps its transaction between statements.
    pub(crate) fn session(&self) -> Session {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let connection = runtime.block_on(async {
            Ok::<_, sqlx::Error>(match self.engine {
                Engine::Postgres => {
                    Client::Postgres(self.url.parse::<sqlx::postgres::PgConnectOptions>()?.connect().await?)
                }
                Engine::Mysql => Client::Mysql(self.url.parse::<sqlx::mysql::MySqlConnectOptions>()?.connect().await?),
            })
        });
        Session { client: connection.unwrap_or_else(|error| panic!("{error}")), runtime }
    }

    /// Returns the first column of a query as texts; the query casts it.
    pub(crate) fn texts(&self, sql: &str) -> Vec<Option<String>> {
        use sqlx::Row;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let text = AssertSqlSafe(sql.to_owned());
        let rows = runtime.block_on(async {
            match self.engine {
                Engine::Postgres => {
                    let options: sqlx::postgres::PgConnectOptions = self.url.parse()?;
                    let rows = options.connect().await?.fetch_all(sqlx::raw_sql(text)).await?;
                    rows.iter().map(|row| row.try_get_unchecked(0)).collect::<Result<Vec<_>, sqlx::Error>>()
                }
                Engine::Mysql => {
                    let options: sqlx::mysql::MySqlConnectOptions = self.url.parse()?;
                    let rows = options.connect().await?.fetch_all(sqlx::raw_sql(text)).await?;
                    rows.iter().map(|row| row.try_get_unchecked(0)).collect::<Result<Vec<_>, sqlx::Error>>()
                }
            }
        });
        rows.unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    /// Returns the one text that a query gives.
    pub(crate) fn text(&self, sql: &str) -> String {
        self.texts(sql).into_iter().next().flatten().unwrap_or_else(|| panic!("no value from {sql}"))
    }
}

/// Finds a program in the folders given, then in the path.
fn program(name: &str, folders: &[PathBuf], package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = folders.iter().cloned().chain(std::env::split_paths(&path)).chain([PathBuf::from("/usr/sbin")]);
    places.find_map(|folder| Some(folder.join(name)).filter(|file| file.is_file())).unwrap_or_else(|| {
        panic!("`{name}` is missing: these tests need real servers; install them with `apt-get install {package}`")
    })
}

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|s| s.lines().any(|l| l.starts_with("Uid:") && l.split_whitespace().nth(2) == Some("0")))
}

/// Makes the server's folder; servers refuse to run as root, so root lends them their own system user.
fn folder(user: &str) -> (PathBuf, Vec<String>) {
    let folder = tempfile::Builder::new().prefix("merganser-").tempdir().expect("a temporary folder").keep();
    if !is_root() {
        return (folder, Vec::new());
    }
    let passwd = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let ids = passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields[0] == user).then(|| Some((fields[2].parse().ok()?, fields[3].parse().ok()?)))?
    });
    let (uid, gid): (u32, u32) =
        ids.unwrap_or_else(|| panic!("the system user `{user}` of the server package is missing"));
    std::os::unix::fs::chown(&folder, Some(uid), Some(gid)).expect("the folder's owner");
    let lend = ["setpriv", &format!("--reuid={uid}"), &format!("--regid={gid}"), "--clear-groups", "--"];
    (folder, lend.map(str::to_owned).to_vec())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port()
}

fn command(lend: &[String], program: &Path, arguments: &[String]) -> Vec<String> {
    let own = [program.to_string_lossy().into_owned()];
    lend.iter().chain(&own).chain(arguments).cloned().collect()
}

/// Runs a program to its end.
fn run(command: &[String], folder: &Path) {
    let output = Command::new(&command[0]).args(&command[1..]).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", command[0]));
    let said = || String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned();
    assert!(output.status.success(), "{command:?} failed:\n{}", said());
}

/// Starts a server under a shell that stops it when this process has ended.
fn serve(command: &[String], folder: &Path, port: u16) -> Server {
    let script = r#"folder=$1; shift; "$@" >"$folder/log" 2>&1 & server=$!
        read -r _ || true
        kill -QUIT "$server" 2>/dev/null; ( sleep 5; kill -KILL "$server" 2>/dev/null ) & killer=$!
        wait "$server"; kill "$killer" 2>/dev/null; rm -rf "$folder""#;
    let shell = Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg("sh")
        .arg(folder)
        .args(command)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a shell");
    let end = Instant::now() + START_LIMIT;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(Instant::now() < end, "the server did not answer within {START_LIMIT:?}:\n{}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
    Server { port, _shell: shell }
}

/// Waits until statements are answered: a port may be open before the server is ready.
fn ready(server: &Fresh, sql: &str) {
    let end = Instant::now() + START_LIMIT;
    while let Err(error) = server.try_execute(sql) {
        assert!(Instant::now() < end, "the server is not ready: {error}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Finds `initdb` and `postgres` of the newest version that is there.
fn postgres_programs() -> (PathBuf, PathBuf) {
    let mut folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    folders.sort();
    folders.reverse();
    let package = "postgresql (on Debian)";
    (program("initdb", &folders, package), program("postgres", &folders, package))
}

/// Makes the files of a PostgreSQL server; returns their folder, and whom the server runs as.
fn make_postgres() -> (PathBuf, Vec<String>) {
    let (initdb, _) = postgres_programs();
    let (folder, lend) = folder("postgres");
    let data = folder.join("data").to_string_lossy().into_owned();
    let make = ["-D", &data, "-A", "trust", "-U", "tester", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
    run(&command(&lend, &initdb, &make.map(str::to_owned)), &folder);
    (folder, lend)
}

/// Returns the command that serves such files.
fn serve_postgres(folder: &Path, lend: &[String], port: u16, settings: &[&str]) -> Vec<String> {
    let data = folder.join("data").to_string_lossy().into_owned();
    let mut arguments = vec!["-D".to_owned(), data, "-p".to_owned(), port.to_string()];
    // A process that ends loses nothing that the system has taken, so that waiting for the disk would show no more.
    let usual = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"];
    for setting in usual.iter().chain(settings) {
        arguments.extend(["-c".to_owned(), (*setting).to_owned()]);
    }
    command(lend, &postgres_programs().1, &arguments)
}

fn start_postgres() -> Server {
    let (folder, lend) = make_postgres();
    let port = free_port();
    let settings = [
        "synchronous_commit=off",
        "full_page_writes=off",
        "shared_buffers=32MB",
        "max_connections=200",
        "timezone=Asia/Kathmandu",
        "datestyle=German",
    ];
    let server = serve(&serve_postgres(&folder, &lend, port, &settings), &folder, port);
    let url = format!("postgres://tester@127.0.0.1:{port}/postgres");
    ready(&Fresh { url, engine: Engine::Postgres }, "SELECT 1");
    server
}

/// Makes the files of a MariaDB server; returns their folder, and whom the server runs as.
fn make_mariadb() -> (PathBuf, Vec<String>) {
    let install = program("mariadb-install-db", &[], "mariadb-server (on Debian)");
    let (folder, lend) = folder("mysql");
    // Two servers that are made at once may give their temporary tables one name.
    let (data, tmp) = (format!("--datadir={}/data", folder.display()), format!("--tmpdir={}", folder.display()));
    run(&command(&lend, &install, &["--no-defaults", &data, "--skip-test-db", &tmp].map(str::to_owned)), &folder);
    let grants = "CREATE USER IF NOT EXISTS 'tester'@'%';\nGRANT ALL ON *.* TO 'tester'@'%' WITH GRANT OPTION;\n";
    std::fs::write(folder.join("init.sql"), grants).expect("the grants");
    (folder, lend)
}

/// Returns the command that serves such files.
fn serve_mariadb(folder: &Path, lend: &[String], port: u16, options: &[&str]) -> Vec<String> {
    let at = |option: &str, name: &str| format!("--{option}={}", folder.join(name).display());
    let mut arguments = vec![
        "--no-defaults".to_owned(),
        at("datadir", "data"),
        at("socket", "sock"),
        at("pid-file", "pid"),
        at("init-file", "init.sql"),
        format!("--tmpdir={}", folder.display()),
        format!("--port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--skip-name-resolve".to_owned(),
        "--innodb-flush-method=nosync".to_owned(),
        "--character-set-server=utf8mb4".to_owned(),
    ];
    arguments.extend(options.iter().map(|option| (*option).to_owned()));
    command(lend, &program("mariadbd", &[], "mariadb-server (on Debian)"), &arguments)
}

fn start_mariadb() -> Server {
    let (folder, lend) = make_mariadb();
    let port = free_port();
    let options = ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--default-time-zone=+05:45"];
    let server = serve(&serve_mariadb(&folder, &lend, port, &options), &folder, port);
    let url = format!("mysql://tester@127.0.0.1:{port}/mysql");
    ready(&Fresh { url, engine: Engine::Mysql }, "SELECT 1");
    server
}
