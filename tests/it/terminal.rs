//! The program on a terminal, and what shells and `man` make of its completions and manual pages (INTERFACE U4, U21, U26).

use crate::cli::World;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A program on a terminal of its own.
struct Session {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    said: Receiver<Vec<u8>>,
    text: String,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Session {
    fn start(world: &World, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let pair =
            native_pty_system().openpty(PtySize { rows: 40, cols: 120, ..PtySize::default() }).expect("a terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_merganser"));
        command.args(arguments);
        command.cwd(world.path("."));
        command.env_clear();
        let own = [("DATABASE_URL", "sqlite:app.db"), ("USER", "tester"), ("TERM", "xterm-256color")];
        for (name, value) in own.iter().chain(environment) {
            command.env(name, value);
        }
        command.env("MERGANSER_DATA_DIR", world.path("state"));
        let child = pair.slave.spawn_command(command).expect("starts");
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let (to, said) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read) = reader.read(&mut buffer) {
                if read == 0 || to.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, writer, said, text: String::new(), _master: pair.master }
    }

    /// Reads until a text was said.
    fn wait_for(&mut self, text: &str) {
        let end = Instant::now() + LIMIT;
        while !self.text.contains(text) {
            let left = end.saturating_duration_since(Instant::now());
            let more = self.said.recv_timeout(left).unwrap_or_else(|_| panic!("{text:?} is not in {:?}", self.text));
            self.text.push_str(&String::from_utf8_lossy(&more));
        }
    }

    fn type_in(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).expect("types");
        self.writer.flush().expect("types");
    }

    /// Waits for the end; returns the exit code and everything that was said.
    fn end(mut self) -> (u32, String) {
        let end = Instant::now() + LIMIT;
        while let Ok(more) = self.said.recv_timeout(end.saturating_duration_since(Instant::now())) {
            self.text.push_str(&String::from_utf8_lossy(&more));
        }
        let code = self.child.wait().expect("ends").exit_code();
        (code, self.text)
    }
}

#[test]
fn u4_a_merge_asks_on_a_terminal_and_takes_no_for_an_answer() {
    let world = World::new();
    let before = world.content();
    for (answer, code) in [("n\r", 1), ("\r", 1), ("y\r", 0)] {
        let mut session = Session::start(&world, &["merge", "backup.json"], &[]);
        session.wait_for("[y/N]");
        assert_eq!(world.content(), before, "nothing is written before the answer");
        session.type_in(answer);
        let (ended, text) = session.end();
        assert_eq!(ended, code, "{text}");
        assert_eq!(world.content() == before, code != 0, "{text}");
        assert!(text.contains('\u{1b}'), "a terminal gets colours: {text}");
    }
}

#[test]
fn u4_no_color_and_color_never_are_heard_on_a_terminal() {
    let world = World::new();
    let coloured = |text: &str| text.contains("\u{1b}[3") || text.contains("\u{1b}[1m") || text.contains("\u{1b}[9");
    for (arguments, environment, colours) in [
        (&["inspect", "nosuch.json"][..], &[][..], true),
        (&["inspect", "nosuch.json"], &[("NO_COLOR", "1")], false),
        (&["inspect", "nosuch.json", "--color", "never"], &[], false),
        (&["inspect", "nosuch.json", "--color", "always"], &[("NO_COLOR", "1")], true),
    ] {
        let (code, text) = Session::start(&world, arguments, environment).end();
        assert_ne!(code, 0, "{text}");
        assert_eq!(coloured(&text), colours, "{arguments:?} {environment:?}: {text:?}");
    }
}

#[test]
fn u26_ctrl_c_at_the_question_ends_it_and_changes_nothing() {
    let world = World::new();
    let before = world.content();
    let mut session = Session::start(&world, &["merge", "backup.json"], &[]);
    session.wait_for("[y/N]");
    session.type_in("\u{3}");
    let (code, text) = session.end();
    assert_eq!(code, 130, "{text}");
    assert_eq!(world.content(), before);
    world.text(0, &["merge", "backup.json", "--yes"]);
}

/// Feeds a text to a program; `None` where there is no such program here.
fn fed(program: &str, arguments: &[&str], text: &str) -> Option<(bool, String)> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take().expect("piped");
    let text = text.to_owned();
    let feeder = std::thread::spawn(move || {
        // A program may have read enough.
        let _ = input.write_all(text.as_bytes());
    });
    let output = child.wait_with_output().expect("ends");
    feeder.join().expect("fed");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Some((output.status.success(), said))
}

#[test]
fn u21_completions_are_read_by_the_shells_and_name_every_command() {
    let world = World::new();
    for (shell, check) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["-n"])] {
        let script = world.text(0, &["completions", shell]);
        for word in ["analyze", "merge", "undo", "status", "--skip-columns", "skip-columns"] {
            assert!(script.contains(word) || (shell == "fish" && word.starts_with('-')), "{shell}: {word}");
        }
        if let Some((fine, said)) = fed(shell, check, &script) {
            assert!(fine, "{shell}: {said}");
        }
    }
    // bash is everywhere that these tests run: it loads them and completes a command.
    let script = world.text(0, &["completions", "bash"]);
    let asked = format!(
        "{script}\nCOMP_WORDS=(merganser anal) COMP_CWORD=1; _merganser merganser anal merganser; echo \"${{COMPREPLY[@]}}\""
    );
    let (fine, said) = fed("bash", &["--norc"], &asked).expect("bash is there");
    assert!(fine && said.split_whitespace().any(|word| word == "analyze"), "{said}");
}

#[test]
fn u21_manual_pages_are_read_by_man() {
    let world = World::new();
    let page = world.text(0, &["man"]);
    assert!(page.contains(".TH merganser 1"), "{page}");
    for (program, arguments) in [("mandoc", &["-T", "lint", "-W", "error"][..]), ("man", &["--warnings", "-l", "-"])] {
        if let Some((fine, said)) = fed(program, arguments, &page)
            && !said.contains("minimized")
        {
            assert!(fine && (program == "mandoc" || said.to_lowercase().contains("merganser")), "{program}: {said}");
        }
    }
}
