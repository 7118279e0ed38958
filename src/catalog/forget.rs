//! Which backups may go: restic's rules (`ApplyPolicy` in restic's internal/data/snapshot_policy.go), each with its reason.
//!
//! A rule that keeps the last N of a period keeps the newest backup of each of the N latest periods that have one; the
//! oldest backup of all counts for every rule that has not used up its number. Beyond restic: the newest backup that
//! was found sound always stays (the newest at all where none was), what another kept backup needs stays, and a backup
//! dated in the future is kept and counts for nothing. Periods are those of UTC. Each database is judged by itself.

use super::{Catalog, Entry};
use crate::error::{Result, fail};
use chrono::{DateTime, Datelike, Timelike, Utc};
use std::collections::BTreeMap;

/// How many to keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// The rule says nothing.
    #[default]
    Unset,
    /// So many.
    Count(u32),
    /// All.
    All,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The newest.
    pub last: Keep,
    /// The newest of an hour.
    pub hourly: Keep,
    /// The newest of a day.
    pub daily: Keep,
    /// The newest of an ISO week.
    pub weekly: Keep,
    /// The newest of a month.
    pub monthly: Keep,
    /// The newest of a year.
    pub yearly: Keep,
    /// Those that have all tags of one of these lists.
    pub tags: Vec<Vec<String>>,
}

impl Policy {
    /// Tells whether it would keep nothing.
    pub fn is_empty(&self) -> bool {
        let counts = [self.last, self.hourly, self.daily, self.weekly, self.monthly, self.yearly];
        self.tags.is_empty() && counts.iter().all(|keep| matches!(keep, Keep::Unset | Keep::Count(0)))
    }
}

/// What is said of a backup that its rules let go.
pub const GOES: &str = "goes at the next run";

/// What was decided about a backup.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The backup.
    pub entry: Entry,
    /// Why it stays; empty: it goes.
    pub reasons: Vec<String>,
}

/// Whether backups are removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forgetting {
    /// It is only said what would go.
    #[default]
    DryRun,
    /// They go.
    Remove,
}

impl Catalog {
    /// Judges all backups by a policy, newest first, and removes those that nothing keeps.
    ///
    /// # Errors
    /// `Usage` for an empty policy, `Failed`.
    pub fn forget(&mut self, policy: &Policy, forgetting: Forgetting) -> Result<Vec<Judged>> {
        let mut judged = judge(self.list()?, policy, Utc::now())?;
        for (file, why) in self.needed()? {
            if let Some(one) = judged.iter_mut().find(|one| self.place(&one.entry) == file) {
                one.reasons.push(why);
            }
        }
        keep_needed(&mut judged);
        if forgetting == Forgetting::Remove {
            self.remove_judged(&judged)?;
        }
        Ok(judged)
    }

    /// Says why each backup is kept, by its id: by the rules of those that have a tag, and what else needs it. What no rule
    /// judges and nothing needs has no reasons: it stays until somebody removes it. What goes by its rules when they are
    /// looked at the next time is [`GOES`].
    ///
    /// # Errors
    /// `Failed`.
    pub fn reasons(&self, rules: &[(String, Policy)]) -> Result<BTreeMap<String, Vec<String>>> {
        let all = self.list()?;
        let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (tag, policy) in rules.iter().filter(|(_, policy)| !policy.is_empty()) {
            let entries = all.iter().filter(|e| e.tags.contains(tag)).cloned().collect();
            for mut one in judge(entries, policy, Utc::now())? {
                if one.reasons.is_empty() {
                    one.reasons.push(GOES.to_owned());
                }
                reasons.entry(one.entry.id).or_default().append(&mut one.reasons);
            }
        }
        let mut add = |id: &str, why: String| {
            let known = reasons.entry(id.to_owned()).or_default();
            known.retain(|reason| reason != GOES);
            known.push(why);
        };
        for (file, why) in self.needed()? {
            all.iter().filter(|e| self.place(e) == file).for_each(|e| add(&e.id, why.clone()));
        }
        for entry in &all {
            if let Some(base) = &entry.base {
                add(base, format!("needed by {}", entry.name));
            }
        }
        Ok(reasons)
    }

    /// Removes what nothing keeps, as it was judged: what goes is needed by nothing that stays.
    ///
    /// # Errors
    /// `Failed`.
    pub fn remove_judged(&mut self, judged: &[Judged]) -> Result<()> {
        judged.iter().filter(|one| one.reasons.is_empty()).try_for_each(|one| self.drop_entry(&one.entry))
    }
}

/// Judges backups by a policy; the answer is newest first.
///
/// # Errors
/// `Usage` for an empty policy.
pub fn judge(mut entries: Vec<Entry>, policy: &Policy, now: DateTime<Utc>) -> Result<Vec<Judged>> {
    if policy.is_empty() {
        return Err(fail!(Usage, "the policy keeps nothing; no backup was removed")
            .hint("Say what to keep: --keep-last, --keep-hourly, --keep-daily, --keep-weekly, --keep-monthly, --keep-yearly or --keep-tag."));
    }
    entries.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| b.id.cmp(&a.id)));
    let mut judged: Vec<Judged> = entries.into_iter().map(|entry| Judged { entry, reasons: Vec::new() }).collect();
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (position, one) in judged.iter_mut().enumerate() {
        match time_of(&one.entry) {
            Some(time) if time <= now => {
                let database = one.entry.database.as_ref();
                let group = database.map(|d| format!("{} {}", d.engine, d.id)).unwrap_or_default();
                groups.entry(group).or_default().push(position);
            }
            Some(_) => one.reasons.push("dated in the future".to_owned()),
            None => one.reasons.push("its time can't be read".to_owned()),
        }
    }
    for group in groups.values() {
        by_rules(&mut judged, group, policy);
        let sound = group.iter().copied().find(|&p| judged[p].entry.verified.is_some());
        match (sound, group.first()) {
            (Some(position), _) => judged[position].reasons.push("last verified".to_owned()),
            (None, Some(&newest)) => judged[newest].reasons.push("newest; none is verified".to_owned()),
            (None, None) => {}
        }
    }
    keep_needed(&mut judged);
    Ok(judged)
}

/// Keeps what a kept backup needs, and what that one needs.
fn keep_needed(judged: &mut [Judged]) {
    let mut kept: Vec<usize> = (0..judged.len()).filter(|&p| !judged[p].reasons.is_empty()).collect();
    while let Some(position) = kept.pop() {
        let (needs, by) = (judged[position].entry.base.clone(), judged[position].entry.name.clone());
        let needed = needs.and_then(|id| judged.iter().position(|one| one.entry.id == id));
        if let Some(needed) = needed {
            let reason = format!("needed by {by}");
            if judged[needed].reasons.is_empty() {
                kept.push(needed);
            }
            if !judged[needed].reasons.contains(&reason) {
                judged[needed].reasons.push(reason);
            }
        }
    }
}

fn time_of(entry: &Entry) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(&entry.created_at).ok().map(|time| time.with_timezone(&Utc))
}

/// A rule with what it has left.
struct Bucket {
    keep: Keep,
    period: fn(DateTime<Utc>, usize) -> i64,
    last: Option<i64>,
    word: &'static str,
}

fn by_rules(judged: &mut [Judged], group: &[usize], policy: &Policy) {
    let bucket = |keep, word, period| Bucket { keep, period, last: None, word };
    let mut buckets = [
        bucket(policy.last, "last", |_, number| number as i64),
        bucket(policy.hourly, "hourly", |t, _| day(t) * 100 + i64::from(t.hour())),
        bucket(policy.daily, "daily", |t, _| day(t)),
        bucket(policy.weekly, "weekly", |t, _| i64::from(t.iso_week().year()) * 100 + i64::from(t.iso_week().week())),
        bucket(policy.monthly, "monthly", |t, _| i64::from(t.year()) * 100 + i64::from(t.month())),
        bucket(policy.yearly, "yearly", |t, _| i64::from(t.year())),
    ];
    for (number, &position) in group.iter().enumerate() {
        let one = &mut judged[position];
        let Some(time) = time_of(&one.entry) else { continue };
        for tags in policy.tags.iter().filter(|tags| tags.iter().all(|tag| one.entry.tags.contains(tag))) {
            one.reasons.push(format!("tagged {}", tags.join(",")));
        }
        let oldest = number + 1 == group.len();
        for bucket in &mut buckets {
            if matches!(bucket.keep, Keep::Unset | Keep::Count(0)) {
                continue;
            }
            let period = Some((bucket.period)(time, number));
            let same = period == bucket.last;
            if same && !oldest {
                continue;
            }
            one.reasons.push(if same { format!("oldest {}", bucket.word) } else { bucket.word.to_owned() });
            bucket.last = period;
            if let Keep::Count(left) = &mut bucket.keep {
                *left -= 1;
            }
        }
    }
}

fn day(time: DateTime<Utc>) -> i64 {
    i64::from(time.year()) * 10_000 + i64::from(time.month()) * 100 + i64::from(time.day())
}
