//! pgbouncer between a test and the PostgreSQL server.

use super::{command, folder, free_port, program};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running pooler; gone when dropped.
pub(crate) struct Pooler {
    /// The address of the database through the pooler.
    pub(crate) url: String,
    folder: PathBuf,
    process: Child,
}

impl Pooler {
    /// Starts a pooler of a mode (`transaction`, `statement`) before the server of a database.
    pub(crate) fn new(url: &str, mode: &str) -> Self {
        let program = program("pgbouncer", &[], "pgbouncer");
        let (folder, lend) = folder("postgres");
        let (front, rest) = url.split_once("127.0.0.1:").expect("a loopback URL");
        let (server, database) = rest.split_once('/').expect("a database");
        let port = free_port();
        let at = |name: &str| folder.join(name).display().to_string();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = 5\n\
             ignore_startup_parameters = extra_float_digits\n",
            at("users")
        );
        std::fs::write(at("users"), "\"tester\" \"\"\n").expect("the users");
        std::fs::write(at("settings.ini"), settings).expect("the settings");
        let command = command(&lend, &program, &[at("settings.ini")]);
        let mut start = Command::new(&command[0]);
        start.args(&command[1..]).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = start.spawn().expect("the pooler");
        let pooler = Self { url: format!("{front}127.0.0.1:{port}/{database}?pgbouncer=true"), folder, process };
        let end = Instant::now() + super::START_LIMIT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "the pooler does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        pooler
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = (self.process.kill(), self.process.wait(), std::fs::remove_dir_all(&self.folder));
    }
}
