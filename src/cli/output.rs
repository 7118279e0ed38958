//! Everything that is printed goes through here: text for people, or one JSON object a line for programs.
//!
//! In JSON the last line is always one `result`, whatever happens; nothing but JSON reaches stdout then.

use super::args::{ColorChoice, Global};
use super::{memory, signals};
use crate::error::{Error, ErrorKind, Result, fail};
use crate::progress::{Phase, Progress};
use crate::report::{ErrorView, text::shown};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Whether a command prints one JSON document or a line per event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One `result`.
    Document,
    /// `start`, events, `result`.
    Lines,
}

/// How a command ended that did what it was asked to.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) exit: u8,
    pub(super) fields: Map<String, Json>,
}

impl Done {
    /// Ends with what a value says.
    pub(super) fn with(value: &impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(Json::Object(fields)) => Self { exit: 0, fields },
            _ => Self::default(),
        }
    }

    /// Ends with another exit code.
    pub(super) fn exit(mut self, code: u8) -> Self {
        self.exit = code;
        self
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Text,
    Json,
}

/// How often progress is reported.
const BEAT: Duration = Duration::from_millis(500);

/// Where output goes and in which form.
pub(super) struct Output {
    mode: Mode,
    quiet: bool,
    pub(super) verbose: u8,
    color: bool,
    stdout: Mutex<anstream::AutoStream<std::io::Stdout>>,
    log: Option<Mutex<std::fs::File>>,
    /// Whether the command answers with one document: only its result is printed, after an error if there was one.
    document: AtomicBool,
    ended: AtomicBool,
    lost: AtomicBool,
    state: Mutex<State>,
    bar: Option<ProgressBar>,
    deadline: Option<Instant>,
}

struct State {
    phase: Option<Phase>,
    told: Instant,
    begun: Instant,
}

impl Output {
    /// Prepares output as the global options say. It lives as long as the process: signals report through it too.
    pub(super) fn new(global: &Global) -> Result<&'static Self> {
        let mut output = Self::make(if global.json { Mode::Json } else { Mode::Text });
        let tty = std::io::stderr().is_terminal();
        output.quiet = global.quiet;
        output.verbose = global.verbose;
        let choice = match global.color {
            ColorChoice::Auto => anstream::AutoStream::choice(&std::io::stdout()),
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
        };
        output.stdout = Mutex::new(anstream::AutoStream::new(std::io::stdout(), choice));
        output.color = match global.color {
            ColorChoice::Auto => anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        if tty && !global.quiet && !global.no_progress && !global.json {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            output.bar = Some(bar);
        }
        if let Some(path) = &global.log_file {
            let file = std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .map_err(|e| fail!(Usage, "the log file {} can't be opened", path.display()).because(e))?;
            output.log = Some(Mutex::new(file));
        }
        output.deadline = global.timeout.map(|limit| Instant::now() + limit);
        Ok(Box::leak(Box::new(output)))
    }

    /// Text output with no options, for errors before there are any.
    pub(super) fn plain() -> Self {
        Self::make(Mode::Text)
    }

    /// JSON output with no options.
    pub(super) fn json() -> Self {
        Self::make(Mode::Json)
    }

    fn make(mode: Mode) -> Self {
        Self {
            mode,
            quiet: false,
            verbose: 0,
            color: false,
            stdout: Mutex::new(anstream::AutoStream::auto(std::io::stdout())),
            log: None,
            document: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            state: Mutex::new(State { phase: None, told: Instant::now(), begun: Instant::now() }),
            bar: None,
            deadline: None,
        }
    }

    /// Tells whether the terminal may be coloured.
    pub(super) fn colors(&self) -> bool {
        self.color
    }

    /// Tells whether programs read the output.
    pub(super) fn is_json(&self) -> bool {
        self.mode == Mode::Json
    }

    /// Prints text for people; nothing in JSON.
    pub(super) fn text(&self, text: &str) {
        if self.mode == Mode::Text {
            self.raw(text);
        }
    }

    /// Prints a line for people; nothing in JSON.
    pub(super) fn line(&self, text: &str) {
        self.text(&format!("{text}\n"));
    }

    /// Prints a line for people unless they want quiet.
    pub(super) fn chat(&self, text: &str) {
        if !self.quiet {
            self.line(text);
        }
    }

    /// Prints text as it is, in either mode: a document that was asked for.
    pub(super) fn raw(&self, text: &str) {
        let mut out = self.stdout.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Err(error) = out.write_all(text.as_bytes())
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            self.lost.store(true, Ordering::Relaxed);
        }
    }

    /// Prints a remark to stderr, where people read it.
    pub(super) fn remark(&self, text: &str) {
        if !self.quiet {
            self.stderr(&format!("{text}\n"));
        }
    }

    /// Prints to stderr whatever the options.
    pub(super) fn stderr(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.suspend(|| write_stderr(text));
        } else {
            write_stderr(text);
        }
    }

    /// Prints a question; nothing is drawn over it while it waits for its answer.
    pub(super) fn question(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.disable_steady_tick();
            bar.set_message("");
            bar.finish_and_clear();
        }
        write_stderr(text);
    }

    /// Prints one event for programs.
    pub(super) fn event(&self, value: &impl Serialize) {
        let Ok(value) = serde_json::to_value(value) else { return };
        let answers = matches!(value["type"].as_str(), Some("result" | "error"));
        let text = line_of(value);
        if let Some(log) = &self.log {
            // A log that can't be written must not stop the work it is about.
            let _ = log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).write_all(text.as_bytes());
        }
        let silent = self.document.load(Ordering::SeqCst) && !answers;
        if self.mode == Mode::Json && !silent && !self.ended.load(Ordering::SeqCst) {
            self.raw(&text);
        }
    }

    /// Prints the first line of a command that reports events.
    pub(super) fn start(&self, command: &str, shape: Shape) {
        self.document.store(shape == Shape::Document, Ordering::SeqCst);
        if shape == Shape::Lines {
            self.event(&json!({
                "type": "start", "schema": "merganser.events/1", "version": env!("CARGO_PKG_VERSION"),
                "command": command, "run": crate::executor::home::fresh_id('r'), "time": now(),
            }));
        }
    }

    /// Prints a warning: an event for programs, a remark for people.
    pub(super) fn warning(&self, text: &str) {
        self.event(&json!({"type": "warning", "message": text}));
        if self.mode == Mode::Text {
            self.remark(&format!("warning: {}", shown(text)));
        }
    }

    /// Prints how a command ended and returns the process's exit code.
    pub(super) fn end(&self, command: Option<&str>, outcome: Result<Done>) -> ExitCode {
        let changed = |done: &Done| done.fields.get("changed") == Some(&Json::Bool(true));
        let outcome = match outcome {
            Ok(done) if self.lost.load(Ordering::Relaxed) && !changed(&done) => {
                Err(fail!(OutOfSpace, "the output could not be written completely"))
            }
            other => other,
        };
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        match outcome {
            Ok(done) => {
                self.result(done.exit, command, done.fields);
                ExitCode::from(done.exit)
            }
            Err(error) => {
                self.fail(command, &error);
                ExitCode::from(error.kind().exit_code())
            }
        }
    }

    /// Prints an error and the result that follows from it.
    pub(super) fn fail(&self, command: Option<&str>, error: &Error) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let view = ErrorView::of(error);
        let mut event = json!(view);
        event["type"] = json!("error");
        self.event(&event);
        if self.mode == Mode::Text {
            write_stderr(&self.error_text(error));
        }
        let mut fields = Map::new();
        fields.insert("error".to_owned(), json!(view));
        let unknown = error.kind() == ErrorKind::OutcomeUnknown;
        fields.insert("changed".to_owned(), if unknown { Json::Null } else { Json::Bool(false) });
        self.result(error.kind().exit_code(), command, fields);
    }

    fn result(&self, exit: u8, command: Option<&str>, fields: Map<String, Json>) {
        let mut line = Map::new();
        line.insert("type".to_owned(), json!("result"));
        line.insert("ok".to_owned(), json!(matches!(exit, 0 | 4 | 5)));
        line.insert("exit_code".to_owned(), json!(exit));
        if let Some(command) = command {
            line.insert("command".to_owned(), json!(command));
        }
        line.extend(fields);
        self.event(&line);
        self.ended.store(true, Ordering::SeqCst);
        let _ = self.stdout.lock().unwrap_or_else(std::sync::PoisonError::into_inner).flush();
    }

    fn error_text(&self, error: &Error) -> String {
        let paint = |text: &str, style: anstyle::Style| match self.color {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        };
        let red = anstyle::AnsiColor::Red.on_default().bold();
        let mut text =
            format!("{} {}   [{}]\n", paint("error:", red), shown(&error.full_message()), error.kind().code());
        let most = if self.verbose > 0 { 100 } else { 20 };
        for line in error.detail_lines().iter().take(most) {
            text.push_str(&format!("    {}\n", shown(line)));
        }
        if error.detail_lines().len() > most {
            text.push_str(&format!("    … and {} more (-v lists 100)\n", error.detail_lines().len() - most));
        }
        if let Some(hint) = error.hint_text().or_else(|| usual_hint(error)) {
            text.push_str(&format!("  {} {}\n", paint("hint:", anstyle::Style::new().bold()), shown(hint)));
        }
        text
    }
}

/// Says what to do about a kind of error where nothing more particular is known.
pub(super) fn usual_hint(error: &Error) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::LimitReached => Some(
            "The limits guard against hostile files; for a backup that you trust raise them: --max-record-bytes, --max-string-bytes, --max-depth, --max-tables, --max-expanded-bytes, --max-ratio.",
        ),
        ErrorKind::BackupDamaged => {
            Some("The backup is not whole, or was changed: copy it again, make it again, or correct the place named.")
        }
        _ => None,
    }
}

/// Writes an event as one line; what readers look for first comes first.
fn line_of(value: Json) -> String {
    let Json::Object(mut members) = value else { return format!("{value}\n") };
    let mut parts = Vec::with_capacity(members.len());
    for name in ["type", "ok", "exit_code", "id", "table", "key"] {
        if let Some(value) = members.remove(name) {
            parts.push(format!("{}:{value}", json!(name)));
        }
    }
    parts.extend(members.into_iter().map(|(name, value)| format!("{}:{value}", json!(name))));
    format!("{{{}}}\n", parts.join(","))
}

/// Returns the time as JSON lines have it.
pub(super) fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn write_stderr(text: &str) {
    // Nobody is left to be told when this fails.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

impl Progress for Output {
    fn phase(&self, phase: Phase) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.phase == Some(phase) {
            return;
        }
        (state.phase, state.begun) = (Some(phase), Instant::now());
        drop(state);
        if let Some(bar) = &self.bar {
            if bar.is_finished() {
                bar.reset();
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar.set_message(phase.word());
        }
        if phase == Phase::Commit {
            memory::commit_begins();
        }
        self.event(&json!({"type": "phase", "phase": phase.word()}));
    }

    fn advance(&self, table: &str, done: u64, total: Option<u64>) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.told.elapsed() < BEAT {
            return;
        }
        state.told = Instant::now();
        let phase = state.phase.map_or("", Phase::word);
        let rate = done as f64 / state.begun.elapsed().as_secs_f64().max(0.001);
        drop(state);
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{phase} {}: {done}", shown(table)));
        }
        self.event(&json!({
            "type": "progress", "phase": phase, "table": table, "done": done, "total": total, "rate": rate.round() as u64,
        }));
    }

    fn stop(&self) -> Option<ErrorKind> {
        let late = self.deadline.is_some_and(|at| Instant::now() > at);
        signals::asked().or(late.then_some(ErrorKind::LimitReached))
    }
}
