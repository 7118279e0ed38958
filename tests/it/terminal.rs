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

/// Runs a program in a folder; returns what it said on both streams. Programs are put there by `.ci/shells.sh`.
fn told(folder: &std::path::Path, program: &str, arguments: &[&str]) -> (String, String) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .env("LC_ALL", "C.UTF-8")
        .env("MANPAGER", "cat")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("{program} is needed here (see .ci/shells.sh): {e}"));
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {said}{errors}");
    (said, errors)
}

#[test]
fn u21_completions_are_loaded_by_the_shells_and_complete_commands_and_options() {
    let world = World::new();
    let folder = world.path(".");
    for shell in ["bash", "zsh", "fish"] {
        world.write(&format!("_merganser.{shell}"), &world.text(0, &["completions", shell]));
    }
    let bash = |words: &str, last: &str, count: usize| {
        let script = format!(
            "set -e; source ./_merganser.bash; COMP_WORDS=({words}); COMP_CWORD={count}; \
             _merganser merganser '{last}' merganser; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        told(&folder, "bash", &["--norc", "-c", &script])
    };
    // fish asks for completions by itself; zsh calls the function by the name that compdef noted.
    let fish = |line: &str| {
        told(&folder, "fish", &["--no-config", "-c", &format!("source ./_merganser.fish; complete -C '{line}'")])
    };
    let zsh = "autoload -Uz compinit; compinit -u -D; source ./_merganser.zsh; print -r -- $_comps[merganser]; \
               functions _merganser _merganser_commands";
    for (shell, (said, errors), words) in [
        ("bash", bash("merganser anal", "anal", 1), vec!["analyze"]),
        ("bash", bash("merganser merge --on", "--on", 2), vec!["--on-stale", "--on-blocked"]),
        ("bash", bash("merganser backup ver", "ver", 2), vec!["verify"]),
        ("fish", fish("merganser anal"), vec!["analyze"]),
        ("fish", fish("merganser merge --on"), vec!["--on-stale", "--on-blocked"]),
        ("fish", fish("merganser backup ver"), vec!["verify"]),
        ("zsh", told(&folder, "zsh", &["-f", "-c", zsh]), vec!["_merganser", "analyze", "--on-stale", "verify"]),
    ] {
        assert_eq!(errors, "", "{shell}: {said}");
        for word in words {
            assert!(said.contains(word), "{shell}: {word} is not in {said}");
        }
    }
}

#[test]
fn u21_every_manual_page_is_rendered_by_man_without_a_warning() {
    let world = World::new();
    let written = world.result(0, &["man", "pages"]);
    let pages = written["pages"].as_array().expect("a list");
    let commands = world.text(0, &["--help"]);
    assert!(pages.len() > 20 && commands.contains("analyze"), "{written}");
    for page in pages {
        let path = page.as_str().expect("a path");
        let (said, warnings) = told(&world.path("."), "man", &["--warnings", "-l", path]);
        assert_eq!(warnings, "", "{path}");
        assert!(said.contains("NAME") && said.contains("SYNOPSIS"), "{path}: {said}");
    }
    let (said, _) = told(&world.path("."), "man", &["-l", "pages/merganser-merge.1"]);
    assert!(said.contains("--on-stale"), "{said}");
}
