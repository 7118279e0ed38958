//! Metrics in the text format of Prometheus: for node_exporter's textfile collector, and for a service's `/metrics`.

use super::store;
use crate::catalog::Catalog;
use crate::error::Result;
use crate::executor::{Home, State as Ended, receipt};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// A metric with its samples.
struct Metric {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: Vec<(String, f64)>,
}

/// Writes a label's value as the format wants it.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn labels(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", quoted(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

/// Returns all metrics of a data folder.
///
/// # Errors
/// `Failed` when schedules, receipts or the catalog can't be read.
pub fn render(home: &Home, now: DateTime<Utc>) -> Result<String> {
    Ok(written(schedules(home, now)?.into_iter().chain(merges(home)?).chain(verified(home)?).chain(build())))
}

/// Returns the metrics that a service has not itself: of schedules, and of backups that were verified.
///
/// # Errors
/// As [`render`].
pub fn of_schedules(home: &Home, now: DateTime<Utc>) -> Result<String> {
    let own = [
        "merganser_backup_last_success_timestamp_seconds",
        "merganser_backup_last_size_bytes",
        "merganser_backup_last_rows",
    ];
    let schedules = schedules(home, now)?.into_iter().filter(|metric| !own.contains(&metric.name));
    Ok(written(schedules.chain(verified(home)?)))
}

fn written(metrics: impl Iterator<Item = Metric>) -> String {
    let mut text = String::new();
    for metric in metrics {
        if metric.samples.is_empty() {
            continue;
        }
        let Metric { name, kind, help, samples } = metric;
        // Writing to a string can't fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    }
    text
}

/// Writes all metrics to a file, which a collector sees whole or not at all.
///
/// # Errors
/// As [`render`]; `OutOfSpace`.
pub fn write(home: &Home, now: DateTime<Utc>, path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let text = render(home, now)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    // The collector is another user.
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

fn schedules(home: &Home, now: DateTime<Utc>) -> Result<Vec<Metric>> {
    let metric = |name, help| Metric { name, kind: "gauge", help, samples: Vec::new() };
    let mut success =
        metric("merganser_backup_last_success_timestamp_seconds", "When the last run that succeeded began.");
    let mut run = metric("merganser_backup_last_run_timestamp_seconds", "When the last run began.");
    let mut duration = metric("merganser_backup_last_duration_seconds", "How long the last run took.");
    let mut size = metric("merganser_backup_last_size_bytes", "Bytes of the last backup.");
    let mut rows = metric("merganser_backup_last_rows", "Records of the last backup.");
    let mut overdue = metric("merganser_schedule_overdue", "1 when a run should have succeeded and did not.");
    for kept in store::list(home)? {
        let (name, state) = (&kept.schedule.name, &kept.state);
        let both = labels(&[("target", &kept.schedule.target), ("plan", name)]);
        let stamp = |time: DateTime<Utc>| time.timestamp_millis() as f64 / 1000.0;
        success.samples.extend(state.last_success_at.map(|at| (both.clone(), stamp(at))));
        if let Some(at) = state.last_run_at {
            run.samples.push((both.clone(), stamp(at)));
            duration.samples.push((both.clone(), state.last_duration_seconds));
        }
        if state.last_success_at.is_some() {
            size.samples.push((both.clone(), state.last_size_bytes as f64));
            rows.samples.push((both, state.last_records as f64));
        }
        overdue.samples.push((labels(&[("plan", name)]), f64::from(u8::from(kept.is_overdue(now)))));
    }
    Ok(vec![success, run, duration, size, rows, overdue])
}

fn merges(home: &Home) -> Result<Vec<Metric>> {
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    let mut rows: BTreeMap<String, u64> = BTreeMap::new();
    let mut unknown: BTreeMap<String, u64> = BTreeMap::new();
    for merge in receipt::list(home)?.0 {
        let target = &merge.database.display;
        let outcome = match merge.state {
            Ended::Committed => "committed",
            Ended::RolledBack => "rolled_back",
            Ended::Unknown => "unknown",
            Ended::Intent => "intent",
        };
        *outcomes.entry(labels(&[("target", target), ("outcome", outcome)])).or_default() += 1;
        *unknown.entry(labels(&[("target", target)])).or_default() += u64::from(merge.state == Ended::Unknown);
        if merge.state == Ended::Committed {
            let counts = merge.counts;
            for (class, count) in
                [("inserted", counts.inserted), ("updated", counts.updated), ("deleted", counts.deleted)]
            {
                *rows.entry(labels(&[("target", target), ("class", class)])).or_default() += count;
            }
        }
    }
    let samples = |found: BTreeMap<String, u64>| found.into_iter().map(|(labels, n)| (labels, n as f64)).collect();
    Ok(vec![
        Metric {
            name: "merganser_merges_total",
            kind: "counter",
            help: "Merges by how they ended.",
            samples: samples(outcomes),
        },
        Metric {
            name: "merganser_merge_rows_total",
            kind: "counter",
            help: "Records written by merges.",
            samples: samples(rows),
        },
        Metric {
            name: "merganser_merge_unknown_outcome",
            kind: "gauge",
            help: "Merges of which nobody knows yet whether they were committed.",
            samples: samples(unknown),
        },
    ])
}

fn verified(home: &Home) -> Result<Vec<Metric>> {
    let mut verified: BTreeMap<String, f64> = BTreeMap::new();
    for entry in Catalog::open(home)?.list()? {
        let Some((at, _)) = &entry.verified else { continue };
        let Ok(at) = DateTime::parse_from_rfc3339(at) else { continue };
        let target = entry.database.as_ref().map_or("", |database| &database.display);
        let newest = verified.entry(labels(&[("target", target)])).or_default();
        *newest = newest.max(at.timestamp() as f64);
    }
    Ok(vec![Metric {
        name: "merganser_verify_last_success_timestamp_seconds",
        kind: "gauge",
        help: "When a backup was last found sound.",
        samples: verified.into_iter().collect(),
    }])
}

fn build() -> Option<Metric> {
    Some(Metric {
        name: "merganser_build_info",
        kind: "gauge",
        help: "The version that wrote this.",
        samples: vec![(labels(&[("version", env!("CARGO_PKG_VERSION"))]), 1.0)],
    })
}
