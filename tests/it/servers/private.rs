//! A server of a test's own, which it may stop and start again. What was committed outlives that, as in production.

use super::{Engine, Fresh, command, database, folder, free_port, postgres_programs, ready, run};
use super::{make_mariadb, make_postgres, serve_mariadb, serve_postgres};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    /// As at `pg_ctl stop -m fast` and `systemctl stop mariadb`: sessions are ended, files are closed.
    Orderly,
    /// As at `pg_ctl stop -m immediate` and SIGKILL: what is on disk is all that is left.
    Sudden,
}

/// A running server; gone with its folder when dropped.
pub(crate) struct Private {
    engine: Engine,
    port: u16,
    folder: PathBuf,
    serve: Vec<String>,
    running: Option<Child>,
    /// A shell that stops the server and removes its folder when this process has ended, whatever way.
    _guard: Child,
}

impl Private {
    /// Starts a PostgreSQL server with these settings more.
    pub(crate) fn postgres(settings: &[&str]) -> Self {
        let (folder, lend) = make_postgres();
        Self::postgres_in(folder, &lend, settings)
    }

    /// Starts a PostgreSQL server that follows this one and takes no writes.
    pub(crate) fn standby(&self) -> Self {
        let base_backup = postgres_programs().0.with_file_name("pg_basebackup");
        let (folder, lend) = folder("postgres");
        let (port, data) = (self.port.to_string(), folder.join("data").to_string_lossy().into_owned());
        let copy = ["-h", "127.0.0.1", "-p", &port, "-U", "tester", "-D", &data, "-R", "-c", "fast", "--no-sync"];
        run(&command(&lend, &base_backup, &copy.map(str::to_owned)), &folder);
        Self::postgres_in(folder, &lend, &[])
    }

    fn postgres_in(folder: PathBuf, lend: &[String], settings: &[&str]) -> Self {
        let port = free_port();
        let settings = [&["shared_buffers=16MB"], settings].concat();
        let serve = serve_postgres(&folder, lend, port, &settings);
        Self::begin(Engine::Postgres, port, folder, serve)
    }

    /// Starts a MariaDB server with these options more.
    pub(crate) fn mariadb(options: &[&str]) -> Self {
        let (folder, lend) = make_mariadb();
        let port = free_port();
        let usual = ["--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=16M"];
        let serve = serve_mariadb(&folder, &lend, port, &[&usual, options].concat());
        Self::begin(Engine::Mysql, port, folder, serve)
    }

    fn begin(engine: Engine, port: u16, folder: PathBuf, serve: Vec<String>) -> Self {
        let number = if engine == Engine::Postgres { "data/postmaster.pid" } else { "pid" };
        let script = r#"read -r _ || true
            server=$(head -n 1 "$1/$2" 2>/dev/null) && kill -QUIT "$server" 2>/dev/null
            for _ in 1 2 3 4 5; do kill -0 "$server" 2>/dev/null || break; sleep 1; done
            kill -KILL "$server" 2>/dev/null; rm -rf "$1""#;
        let guard = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(&folder)
            .arg(number)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("a shell");
        let mut server = Self { engine, port, folder, serve, running: None, _guard: guard };
        server.start();
        server
    }

    /// Starts the server where it was stopped, and waits until it answers.
    pub(crate) fn start(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("log")).expect("a log");
        let said = log.try_clone().expect("a log");
        let mut start = Command::new(&self.serve[0]);
        start.args(&self.serve[1..]).current_dir("/").stdin(Stdio::null()).stdout(log).stderr(said).process_group(0);
        self.running = Some(start.spawn().expect("the server"));
        ready(&self.admin(), "SELECT 1");
    }

    /// Stops the server and waits until it is gone.
    pub(crate) fn stop(&mut self, end: End) {
        let Some(mut server) = self.running.take() else { panic!("the server was stopped already") };
        let signal = match (self.engine, end) {
            (Engine::Postgres, End::Orderly) => "-INT",
            (Engine::Postgres, End::Sudden) => "-QUIT",
            (Engine::Mysql, End::Orderly) => "-TERM",
            (Engine::Mysql, End::Sudden) => "-KILL",
        };
        let sent = Command::new("kill").args([signal, &server.id().to_string()]).status().expect("a signal");
        assert!(sent.success(), "the server had ended by itself: {}", self.log());
        server.wait().expect("the server's end");
    }

    /// Adds a setting that a PostgreSQL server has from its next start on.
    pub(crate) fn set(&self, setting: &str) {
        let place = self.folder.join("data/postgresql.auto.conf");
        let mut settings = std::fs::File::options().append(true).open(place).expect("the settings");
        std::io::Write::write_all(&mut settings, format!("{setting}\n").as_bytes()).expect("writes");
    }

    /// Copies the files of a server that was stopped.
    pub(crate) fn save(&self) -> PathBuf {
        assert!(self.running.is_none(), "the server is running");
        let copy = self.folder.join("copy");
        self.copy("data", "copy");
        copy
    }

    /// Puts the files of a running server back as they were copied.
    pub(crate) fn put_back(&mut self, copy: &std::path::Path) {
        self.stop(End::Orderly);
        std::fs::remove_dir_all(self.folder.join("data")).expect("removes");
        self.copy(copy.file_name().and_then(|name| name.to_str()).expect("a name"), "data");
        self.start();
    }

    fn copy(&self, from: &str, to: &str) {
        let done = Command::new("cp").arg("-a").arg(self.folder.join(from)).arg(self.folder.join(to)).status();
        assert!(done.expect("starts").success());
    }

    /// Waits for the end of a server that ends by itself, and returns what it wrote down.
    pub(crate) fn ended(&mut self) -> String {
        let Some(mut server) = self.running.take() else { panic!("the server was stopped already") };
        server.wait().expect("the server's end");
        self.log()
    }

    /// Stops the server and starts it again.
    pub(crate) fn restart(&mut self, end: End) {
        self.stop(end);
        self.start();
    }

    /// Makes a fresh database with these statements run in it.
    pub(crate) fn fresh(&self, sql: &str) -> Fresh {
        database(&self.admin(), sql)
    }

    /// Returns the same database as it is on this server.
    pub(crate) fn same(&self, other: &Fresh) -> Fresh {
        let name = other.url.rsplit('/').next().expect("a database");
        Fresh { url: self.admin().url.replace("/postgres", &format!("/{name}")), engine: self.engine }
    }

    /// Returns what the server wrote down.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn admin(&self) -> Fresh {
        let (scheme, name) =
            if self.engine == Engine::Postgres { ("postgres", "postgres") } else { ("mysql", "mysql") };
        Fresh { url: format!("{scheme}://tester@127.0.0.1:{}/{name}", self.port), engine: self.engine }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if let Some(mut server) = self.running.take() {
            // The guard does it otherwise; here the test waits, so that the next one has the machine for itself.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
