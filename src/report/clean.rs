//! Errors and lines about a plan's records, made fit to be shown: without the values of secret columns.

use super::secrets::{Secrets, Visible};
use super::text;
use crate::error::Error;
use crate::executor::MergeReport;
use crate::plan::Plan;

/// Removes the secrets of the record that a line is about; such a line begins with its name: `users/41: …`.
pub fn line(plan: &Plan, secrets: &Secrets, line: &str) -> String {
    let name = line.split_once(": ").map_or(line, |(name, _)| name);
    let Ok(record) = plan.record(name) else { return line.to_owned() };
    let finding = &record.finding;
    if line.starts_with(&format!("{name}: {}, {}", finding.class, finding.reason)) {
        return text::line(plan, &record, secrets);
    }
    let table = &plan.meta().schema.tables[finding.table];
    let clean = secrets.scrub(table, &finding.fields, line);
    // The key itself may be a secret.
    match clean.strip_prefix(name) {
        Some(rest) => format!("{}{rest}", secrets.record_name(table, &finding.key)),
        None => clean,
    }
}

/// Stands for a database's own words.
pub const UNSAID: &str = "the database's own words are not shown, for they may quote secret fields";

/// Removes the secrets from an error; the database's own words are shown to whoever asked to see secrets.
pub fn error(plan: &Plan, secrets: &Secrets, error: Error) -> Error {
    let error = match error.quote() {
        Some(_) if secrets.visible == Visible::Yes => error.reveal(),
        Some(_) => error.and(UNSAID),
        None => error,
    };
    let message = line(plan, secrets, &error.full_message());
    let details: Vec<String> = error.detail_lines().iter().map(|l| line(plan, secrets, l)).collect();
    if message == error.full_message() && details == error.detail_lines() {
        return error;
    }
    let clean = Error::new(error.kind(), message).details(details);
    match error.hint_text() {
        Some(hint) => clean.hint(hint),
        None => clean,
    }
}

/// Removes the secrets from what a merge says of records.
pub fn report(plan: &Plan, secrets: &Secrets, mut report: MergeReport) -> MergeReport {
    for said in report.left_out.iter_mut().chain(&mut report.notes) {
        *said = line(plan, secrets, said);
    }
    report
}
