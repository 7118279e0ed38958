//! The terminal under the resolver: raw and on its alternate screen while it runs, given back however it ends.

use super::draw::{Palette, draw};
use super::edit::Key;
use super::session::{Flow, Session};
use crate::cli::signals;
use crate::error::{Error, Result, fail};
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::crossterm::{cursor, execute};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether the terminal is ours at the moment.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();
/// How long a signal may wait.
const BEAT: Duration = Duration::from_millis(100);

/// Gives the terminal back when it is dropped.
struct Taken;

impl Taken {
    fn begin() -> Result<Self> {
        HOOK.call_once(|| {
            let usual = std::panic::take_hook();
            // Before the message, which would be lost with the alternate screen.
            std::panic::set_hook(Box::new(move |info| {
                give_back();
                usual(info);
            }));
        });
        enable_raw_mode().map_err(unusable)?;
        TAKEN.store(true, Ordering::SeqCst);
        let taken = Self;
        execute!(std::io::stderr(), EnterAlternateScreen).map_err(unusable)?;
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // Where the terminal is gone there is nothing left to restore.
        let _ = execute!(std::io::stderr(), LeaveAlternateScreen, cursor::Show);
        let _ = disable_raw_mode();
    }
}

fn unusable(error: std::io::Error) -> Error {
    fail!(Failed, "the terminal can't be used for deciding one by one")
        .because(error)
        .hint("Use --take, --record or --import; 'show PLAN conflicts' lists what waits.")
}

/// Runs a session on the terminal until the person ends it.
///
/// # Errors
/// `Interrupted`, `Terminated` on a signal; what the session returns.
pub(super) fn run(session: &mut Session<'_>, palette: Palette) -> Result<()> {
    // A signal then asks this loop to end instead of ending the process with the terminal in our hands.
    let _working = signals::Working::begin();
    let _taken = Taken::begin()?;
    let mut terminal =
        ratatui::Terminal::new(CrosstermBackend::new(std::io::BufWriter::new(std::io::stderr()))).map_err(unusable)?;
    loop {
        let mut scroll = Ok(0);
        terminal.draw(|frame| scroll = draw(frame, session, palette)).map_err(unusable)?;
        session.scroll = session.scroll.min(scroll?);
        let key = loop {
            if let Some(kind) = signals::asked() {
                return Err(Error::new(
                    kind,
                    "stopped on request; the answers so far are kept, and nothing was changed",
                ));
            }
            if !event::poll(BEAT).map_err(unusable)? {
                continue;
            }
            match event::read().map_err(unusable)? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    if let Some(key) = meant(key) {
                        break Some(key);
                    }
                }
                Event::Resize(..) => break None,
                _ => {}
            }
        };
        if let Some(key) = key
            && session.press(key)? == Flow::Quit
        {
            return Ok(());
        }
    }
}

/// Translates what a terminal sends.
fn meant(key: KeyEvent) -> Option<Key> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if control => Key::Interrupt,
        KeyCode::Char(_) if control || key.modifiers.contains(KeyModifiers::ALT) => return None,
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        _ => return None,
    })
}
