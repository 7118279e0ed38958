//! What is kept beside databases and shown to people: receipts, configuration, schedules, text on a terminal.

use super::file;
use merganser::ErrorKind;
use merganser::analyzer::Options;
use merganser::config::Config;
use merganser::executor::Receipt;
use merganser::plan::ActionKind;
use merganser::report::text;
use merganser::schedule::clock::Clock;

/// Receipts: refused as damaged, or read.
pub fn receipt(data: &[u8]) {
    let file = file("m-1.mreceipt", data);
    let damaged = |error: merganser::Error| {
        assert!(matches!(error.kind(), ErrorKind::PlanMismatch | ErrorKind::Failed), "{}", error.full_message());
    };
    let receipt = match Receipt::open(&file.1) {
        Ok(receipt) => receipt,
        Err(error) => return damaged(error),
    };
    let _ = receipt.page(0, 100).map_err(damaged);
    let _ = receipt.ordered(ActionKind::Insert, 0, (0, 0), 100).map_err(damaged);
    let _ = receipt.find(0, &[]).map_err(damaged);
    let _ = receipt.wrote(0).map_err(damaged);
}

/// Configuration files; an error never repeats what may be a password.
pub fn config(data: &[u8]) {
    let file = file("merganser.toml", data);
    match Config::load(Some(&file.1), None) {
        Ok(config) => {
            let _ = config.unknown_keys();
            let _ = config.settings.backup.sealing();
            for (name, target) in &config.settings.targets {
                let _ = (target.apply(&mut Options::default()), target.secret_columns(), &target.url, name);
            }
        }
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Usage), "{:?}", error.full_message()),
    }
    // A sound line with a password before whatever comes.
    let Ok(text) = std::str::from_utf8(data) else { return };
    let secret = format!("[targets.app]\nurl = \"postgres://u:c4n4ry@h/d\"\n{text}");
    std::fs::write(&file.1, secret).expect("writes");
    if let Err(error) = Config::load(Some(&file.1), None)
        && !text.contains("c4n4ry")
    {
        assert!(!error.full_message().contains("c4n4ry"), "{}", error.full_message());
    }
}

/// Cron expressions and names of time zones, a line each.
pub fn cron(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (cron, zone) = text.split_once('\n').unwrap_or((text, "Europe/London"));
    let Ok(clock) = Clock::new(cron, zone) else { return };
    let now = chrono::DateTime::from_timestamp(1_774_747_800, 0).expect("2026-03-29, when the clock goes forward");
    assert!(!clock.words().is_empty());
    let Some(next) = clock.after(now) else { return };
    assert!(next > now, "{cron:?}: {next} is not after {now}");
    assert!(!clock.shown(next).is_empty());
    if next - now < chrono::TimeDelta::days(400) {
        let latest = clock.latest(now, next).expect("at least that one");
        assert_eq!(latest, next, "{cron:?} in {zone}");
    }
}

/// What data may do to a terminal: nothing.
pub fn terminal(data: &[u8]) {
    let given = String::from_utf8_lossy(data);
    let shown = text::shown(&given);
    let risky =
        |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
    assert!(!shown.contains(risky), "{shown:?}");
    assert_eq!(text::shown(&shown), shown, "what is safe is left as it is");
    assert!(text::short(&shown, 20).chars().count() <= 20);
    let table = text::aligned(&["a", "b"], &[vec![shown.clone(), text::short(&shown, 5)]], 1);
    assert!(!table.contains(|c: char| c.is_control() && c != '\n'), "{table:?}");
}
