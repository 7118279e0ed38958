//! What a person can answer to a record: which choice is possible for which reason, why another is not, and what each
//! would do. One table says it; `docs/choices.md` shows it.

mod resulting;

use super::decision::{Decision, FieldDecision};
use super::identity::{self, Followers, Hindered};
use super::settle::exists;
use super::store::Stored;
use super::{Plan, codec};
use crate::analyzer::Mixed;
use crate::error::Result;
use crate::model::change::{Class, Reason};
use crate::model::compare::same;
use crate::model::{Table, Value, names};
use serde::Serialize;
use std::collections::BTreeMap;

/// An answer to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// The backup's record.
    Backup,
    /// The current record.
    Current,
    /// Field by field.
    Fields,
    /// The backup's fields, into the current record that holds the unique key.
    IntoExisting,
    /// The backup's record beside the current one, under a new key.
    NewKey,
    /// Only what marks the current record as deleted is taken back.
    Undelete,
    /// Nothing is written for it.
    Skip,
}

impl Choice {
    /// Lists every answer.
    pub const ALL: [Self; 7] =
        [Self::Backup, Self::Current, Self::Fields, Self::IntoExisting, Self::NewKey, Self::Undelete, Self::Skip];

    /// Returns the word used on the command line and in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Current => "current",
            Self::Fields => "fields",
            Self::IntoExisting => "into-existing",
            Self::NewKey => "new-key",
            Self::Undelete => "undelete",
            Self::Skip => "skip",
        }
    }
}

/// A choice with what it would do, or why it is impossible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// The choice.
    pub choice: Choice,
    /// Whether it can be made.
    pub legal: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What it would do; only where one record is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consequence: Option<String>,
}

/// Says why a choice is impossible for every record of a reason; `None`: it is possible, as far as the reason goes.
pub const fn impossible(reason: Reason, choice: Choice) -> Option<&'static str> {
    const NOT_HELD: &str = "no other current record holds its unique key";
    const NOT_REUSED: &str = "its key belongs to no other record";
    const NOTHING: &str = "there is nothing to decide";
    const NOT_BOTH: &str = "the record is not on both sides";
    match reason {
        Reason::BackupNewer
        | Reason::CurrentNewer
        | Reason::NoEvidenceEqual
        | Reason::NoEvidenceMissing
        | Reason::NoEvidenceUnreadable
        | Reason::NoEvidenceFuture
        | Reason::FillsEmpty
        | Reason::BothDiffer
        | Reason::OnlyBackupChanged
        | Reason::MergedFields
        | Reason::BothChanged => match choice {
            Choice::Backup | Choice::Current | Choice::Fields | Choice::Undelete | Choice::Skip => None,
            Choice::IntoExisting => Some(NOT_HELD),
            Choice::NewKey => Some(NOT_REUSED),
        },
        Reason::OnlyInBackup | Reason::DeletedInCurrent | Reason::DeletedInBackup | Reason::NotInBackup => match choice
        {
            Choice::Backup | Choice::Current | Choice::Fields | Choice::Skip => None,
            Choice::IntoExisting => Some(NOT_HELD),
            Choice::NewKey => Some(NOT_REUSED),
            Choice::Undelete => Some(NOT_BOTH),
        },
        Reason::UniqueTaken => match choice {
            Choice::Current | Choice::Fields | Choice::IntoExisting | Choice::NewKey | Choice::Skip => None,
            Choice::Backup => Some("another current record holds its unique key; both can't be in the table"),
            Choice::Undelete => Some(NOT_BOTH),
        },
        Reason::ReusedKey => match choice {
            Choice::Backup | Choice::Current | Choice::Fields | Choice::NewKey | Choice::Skip => None,
            Choice::IntoExisting => Some("the current record has the same key already: 'backup' writes into it"),
            Choice::Undelete => Some("the two sides are different entities under one key"),
        },
        Reason::StillReferenced => match choice {
            Choice::Current | Choice::Fields | Choice::Skip => None,
            Choice::Backup => Some("records refer to it that would stay; nothing is deleted along with it"),
            Choice::IntoExisting => Some(NOT_HELD),
            Choice::NewKey => Some(NOT_REUSED),
            Choice::Undelete => Some(NOT_BOTH),
        },
        Reason::MissingParent
        | Reason::ValueNotStorable
        | Reason::NullNotAllowed
        | Reason::CheckFails
        | Reason::KeyMissing
        | Reason::UniqueTwiceInBackup
        | Reason::TableRefused => match choice {
            Choice::Current | Choice::Skip => None,
            Choice::Backup | Choice::Fields | Choice::IntoExisting | Choice::NewKey | Choice::Undelete => {
                Some("it can't be written")
            }
        },
        Reason::SameFields | Reason::OnlyCurrentChanged | Reason::Filtered | Reason::OnlyInCurrent => match choice {
            Choice::Backup
            | Choice::Current
            | Choice::Fields
            | Choice::IntoExisting
            | Choice::NewKey
            | Choice::Undelete
            | Choice::Skip => Some(NOTHING),
        },
    }
}

/// Says why a choice is impossible for one record; `None`: it can be made.
pub fn refusal(plan: &Plan, record: &Stored, choice: Choice) -> Option<String> {
    let finding = &record.finding;
    if let Some(why) = impossible(finding.reason, choice) {
        let known = finding.note.as_ref().filter(|_| finding.class == Class::Blocked);
        return Some(known.map_or_else(|| why.to_owned(), Clone::clone));
    }
    alone(plan, record, choice).or_else(|| resulting::held_for_good(plan, record, choice))
}

/// Says what stands in the way of a choice within the record itself.
fn alone(plan: &Plan, record: &Stored, choice: Choice) -> Option<String> {
    let finding = &record.finding;
    let table = &plan.meta().schema.tables[finding.table];
    let about_identity = matches!(choice, Choice::IntoExisting | Choice::NewKey);
    if about_identity && finding.reason == Reason::UniqueTaken && exists(record) {
        let own = table.named(&finding.key);
        return Some(format!(
            "current has {own} itself; give the unique value another one with --set, or keep current"
        ));
    }
    match choice {
        Choice::Current | Choice::Fields | Choice::Skip => None,
        Choice::Backup => {
            let unstorable = finding.limits.unstorable.first().map(|(_, why)| why.clone());
            let whole = finding.limits.mixes.iter().filter(|mix| mix.without.is_empty());
            let mut refused = whole.filter_map(|mix| match &mix.what {
                Mixed::Refused(why) => Some(why.clone()),
                Mixed::Needs { .. } | Mixed::Held(_) | Mixed::Claimed { .. } => None,
            });
            unstorable.or_else(|| finding.limits.refused.clone()).or_else(|| refused.next())
        }
        Choice::IntoExisting => match &finding.limits.identity {
            None => Some("the record that holds its unique key is not known".to_owned()),
            Some(identity) if identity.unique.iter().any(|c| table.key.contains(c)) && identity.unique == table.key => {
                Some("what it meets is another entity under its key".to_owned())
            }
            Some(_) => None,
        },
        Choice::NewKey => no_new_key(table, record),
        Choice::Undelete => match undeletion(plan, record) {
            Some(_) => None,
            None => Some("the current record is not marked as deleted, or the backup's is too".to_owned()),
        },
    }
}

/// Returns the answer that takes back what marks a current record as deleted, where the backup's is not marked.
pub fn undeletion(plan: &Plan, record: &Stored) -> Option<Decision> {
    let table = &plan.meta().schema.tables[record.finding.table];
    let unmarked = |v: &Value| matches!(v, Value::Null | Value::Bool(false) | Value::Integer(0));
    let marks = record.finding.fields.iter().filter(|f| {
        names::is_deleted_name(&table.columns[f.column].name)
            && f.backup.as_ref().is_some_and(unmarked)
            && f.current.as_ref().is_some_and(|v| !unmarked(v))
    });
    let fields: BTreeMap<String, FieldDecision> =
        marks.map(|f| (table.columns[f.column].name.clone(), FieldDecision::Backup)).collect();
    (!fields.is_empty()).then_some(Decision::Fields { fields })
}

fn no_new_key(table: &Table, record: &Stored) -> Option<String> {
    let finding = &record.finding;
    let Some(identity) = &finding.limits.identity else {
        return Some("the record that it meets is not known".to_owned());
    };
    let Some(column) = identity.generated else {
        return Some("its key consists of references, or is of a type for which none can be made".to_owned());
    };
    if finding.reason == Reason::UniqueTaken && !identity.unique.contains(&column) {
        let names = table.names(&identity.unique).join(" + ");
        return Some(format!("{names} itself is taken, whatever the key; give it another value with --set"));
    }
    if !identity::can_make(table, column, record, identity.highest) {
        let name = &table.columns[column].name;
        let numbers = finding.key.iter().zip(&table.key).any(|(v, &k)| k == column && matches!(v, Value::Integer(_)));
        return Some(match identity.highest.filter(|_| numbers) {
            Some(highest) => format!("{name} takes no number above {highest}, which is in use"),
            None => format!("no free value of {name} can be made"),
        });
    }
    let alike = |c: &usize| {
        finding.fields.iter().any(|f| {
            f.column == *c && f.current.as_ref().zip(f.backup.as_ref()).is_some_and(|(a, b)| !a.is_null() && same(a, b))
        })
    };
    let shared = table.uniques.iter().filter(|u| u.is_plain() && !u.columns.contains(&column));
    let shared = shared.filter(|_| finding.reason == Reason::ReusedKey).find(|u| u.columns.iter().all(alike))?;
    Some(format!("{} is the same in both, so both can't be in the table", table.names(&shared.columns).join(" + ")))
}

/// Lists every choice for a record, possible or not.
pub fn offers(plan: &Plan, record: &Stored) -> Vec<Offer> {
    let offer = |choice| {
        let why = refusal(plan, record, choice);
        Offer { choice, legal: why.is_none(), why, consequence: None }
    };
    Choice::ALL.into_iter().map(offer).collect()
}

/// Lists every choice for a record with what it would do.
///
/// # Errors
/// `PlanMismatch` for a damaged plan.
///
/// *Complexity:* one look at the plan's records of every table that refers to the record's.
pub fn consequences(plan: &Plan, record: &Stored) -> Result<Vec<Offer>> {
    consequences_among(plan, record, u64::MAX)
}

/// As [`consequences`], but counts those that refer to the record only where no more records than these have to be looked
/// through.
///
/// # Errors
/// `PlanMismatch` for a damaged plan.
pub fn consequences_among(plan: &Plan, record: &Stored, most: u64) -> Result<Vec<Offer>> {
    let followers = if plan.may_follow(record)? <= most { plan.followers(record)? } else { Followers::default() };
    let mut offers = offers(plan, record);
    for offer in offers.iter_mut().filter(|o| o.legal) {
        let said = consequence(plan, record, offer.choice, &followers);
        let held = resulting::held_for_now(plan, record, offer.choice)?;
        let held = held.map(|held| format!("; can't be written as it stands: {held}")).unwrap_or_default();
        offer.consequence = Some(said + &held);
    }
    Ok(offers)
}

fn listed(counts: &[(String, u64)]) -> String {
    counts.iter().map(|(table, count)| format!("{count} of {table}")).collect::<Vec<_>>().join(", ")
}

fn consequence(plan: &Plan, record: &Stored, choice: Choice, found: &Followers) -> String {
    let followers = &found.all;
    let finding = &record.finding;
    let table = &plan.meta().schema.tables[finding.table];
    let own = table.named(&finding.key);
    let identity = finding.limits.identity.as_deref();
    let existing = identity
        .and_then(|i| codec::values_from_bytes(&i.key).ok())
        .map_or_else(|| own.clone(), |key| table.named(&key));
    let kept = identity.map(|i| listed(&i.referrers)).filter(|text| !text.is_empty());
    let keeps = kept.map(|text| format!("; keeps {text} under {existing}")).unwrap_or_default();
    let points = if followers.is_empty() { String::new() } else { format!("; re-points {}", listed(followers)) };
    let cant = |h: &Hindered| format!("; blocks {} of {}: {}", h.count, h.table, h.why);
    let hindered: String = found.hindered.iter().map(cant).collect();
    let arrives = finding.current_digests.is_empty();
    let lost = if followers.is_empty() || !arrives {
        String::new()
    } else {
        format!("; blocks {} that refer to {own}", listed(followers))
    };
    // What it brings besides comes under the other one, which has its key.
    let adopts = match finding.reason {
        Reason::ReusedKey if !followers.is_empty() => {
            format!("; {} of the backup come under {own} of current", listed(followers))
        }
        _ => String::new(),
    };
    let told_by_it = |t: &&Table| t.foreign_keys.iter().any(|f| f.table == Some(finding.table) && f.is_within(&t.key));
    let told: Vec<String> = plan.meta().schema.tables.iter().filter(told_by_it).map(Table::label).collect();
    let alone = match finding.reason {
        Reason::ReusedKey if !told.is_empty() => {
            format!("; records of {} that both sides have alike stay with {own}", told.join(", "))
        }
        _ => String::new(),
    };
    let brought = finding.fields.iter().filter(|f| {
        let same = f.current.as_ref().zip(f.backup.as_ref()).is_some_and(|(a, b)| same(a, b));
        f.backup.is_some() && !same && !table.key.contains(&f.column)
    });
    let count = brought.count();
    let fields = if count == 1 { "1 field".to_owned() } else { format!("{count} fields") };
    let leaves = matches!(finding.reason, Reason::DeletedInBackup | Reason::NotInBackup);
    match choice {
        Choice::Backup if leaves => format!("deletes {own}"),
        Choice::Backup if arrives => format!("inserts {own}"),
        Choice::Backup if finding.reason == Reason::ReusedKey => {
            let belongs = identity.map(|i| listed(&i.referrers)).filter(|t| !t.is_empty());
            let belongs =
                belongs.map(|t| format!("; {t} that belong to the current record come under it")).unwrap_or_default();
            format!("changes {fields} of {own} into another entity{belongs}")
        }
        Choice::Backup => format!("changes {fields} of {own}"),
        Choice::Current if arrives => format!("{existing} stays as it is; {own} is not brought{lost}"),
        Choice::Current => format!("{own} stays as it is{adopts}"),
        Choice::Fields if arrives => format!("inserts {own} with the values given"),
        Choice::Fields => format!("changes of {own} what is taken from the backup or given; the rest stays"),
        Choice::IntoExisting => format!("changes {fields} of {existing}{keeps}{points}{hindered}"),
        Choice::NewKey => format!("inserts {own} of the backup under a new key{keeps}{points}{alone}"),
        Choice::Undelete => format!("takes back what marks {own} as deleted; the rest stays"),
        Choice::Skip => format!("writes nothing for {own}{lost}{adopts}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reason, found by its words so that a new one can't be forgotten: the match above is closed too.
    const REASONS: &str = "only_in_backup backup_newer current_newer no_evidence_equal no_evidence_missing \
        no_evidence_unreadable no_evidence_future fills_empty both_differ only_backup_changed merged_fields both_changed \
        deleted_in_current deleted_in_backup not_in_backup still_referenced unique_taken reused_key missing_parent \
        value_not_storable null_not_allowed check_fails key_missing unique_twice_in_backup table_refused same_fields \
        only_current_changed filtered only_in_current";

    #[test]
    fn the_documented_table_of_choices_is_the_code() {
        let mut table = String::from("| reason |");
        Choice::ALL.iter().for_each(|choice| table += &format!(" {} |", choice.word()));
        table += "\n|---|";
        table += &"---|".repeat(Choice::ALL.len());
        for word in REASONS.split_whitespace() {
            let reason = Reason::from_word(word).expect("a reason");
            table += &format!("\n| `{word}` |");
            for choice in Choice::ALL {
                table += if impossible(reason, choice).is_none() { " yes |" } else { " – |" };
            }
        }
        let docs = include_str!("../../docs/choices.md");
        assert!(docs.contains(&table), "docs/choices.md must hold this table:\n{table}");
    }

    #[test]
    fn a_strategy_can_say_what_a_person_can() {
        use crate::strategy::Take;
        for word in ["unique_taken", "reused_key"] {
            let reason = Reason::from_word(word).expect("a reason");
            for (choice, take) in [
                (Choice::Backup, Take::Backup),
                (Choice::Current, Take::Current),
                (Choice::IntoExisting, Take::IntoExisting),
                (Choice::NewKey, Take::NewKey),
                (Choice::Skip, Take::Skip),
            ] {
                let strategy = crate::strategy::refusal(reason, take).is_none();
                assert_eq!(impossible(reason, choice).is_none(), strategy, "{word} {choice:?}");
            }
        }
    }
}
