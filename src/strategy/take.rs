//! What a rule can take, and which of it makes sense for which reason: the table in `docs/strategies.md`.

use crate::model::change::Reason;

/// The answer of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Take {
    /// The backup's values.
    Backup,
    /// The current values.
    Current,
    /// The side with the later timestamp, else ask.
    Newest,
    /// The side with the earlier timestamp, else ask.
    Oldest,
    /// Fill what is empty, never erase, and leave the rest to the file's `tie`.
    MergeFields,
    /// A person decides.
    Ask,
    /// Leave the record out (for a field: leave the field as it is).
    Skip,
    /// The backup's fields, into the current record that holds the unique key.
    IntoExisting,
    /// The backup's record beside the current one, under a new key.
    NewKey,
    /// The value that is not null; `tie` where neither is.
    NonNull,
    /// The greater value; null is no value.
    Max,
    /// The smaller value; null is no value.
    Min,
    /// Both sides' changes added up: `current + backup - base`.
    SumOfChanges,
    /// All members of both lists.
    Union,
    /// A three-way merge of text by lines, then words.
    TextMerge,
    /// A three-way merge of JSON by path.
    JsonMerge,
    /// The backup's value is a change (RFC 6902, RFC 7396) that is applied to the current one.
    JsonPatch,
}

impl Take {
    /// Lists every answer, those for records first.
    pub const ALL: [Self; 17] = [
        Self::Backup,
        Self::Current,
        Self::Newest,
        Self::Oldest,
        Self::MergeFields,
        Self::Ask,
        Self::Skip,
        Self::IntoExisting,
        Self::NewKey,
        Self::NonNull,
        Self::Max,
        Self::Min,
        Self::SumOfChanges,
        Self::Union,
        Self::TextMerge,
        Self::JsonMerge,
        Self::JsonPatch,
    ];

    /// Returns the word used in strategy files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Current => "current",
            Self::Newest => "newest",
            Self::Oldest => "oldest",
            Self::MergeFields => "merge-fields",
            Self::Ask => "ask",
            Self::Skip => "skip",
            Self::IntoExisting => "into-existing",
            Self::NewKey => "new-key",
            Self::NonNull => "non-null",
            Self::Max => "max",
            Self::Min => "min",
            Self::SumOfChanges => "sum-of-changes",
            Self::Union => "union",
            Self::TextMerge => "text-merge",
            Self::JsonMerge => "json-merge",
            Self::JsonPatch => "json-patch",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|take| take.word() == word)
    }

    /// Tells whether only a rule with `field` can say it.
    pub const fn for_fields_only(self) -> bool {
        match self {
            Self::Backup
            | Self::Current
            | Self::Newest
            | Self::Oldest
            | Self::MergeFields
            | Self::Ask
            | Self::Skip
            | Self::IntoExisting
            | Self::NewKey => false,
            Self::NonNull
            | Self::Max
            | Self::Min
            | Self::SumOfChanges
            | Self::Union
            | Self::TextMerge
            | Self::JsonMerge
            | Self::JsonPatch => true,
        }
    }

    /// Tells whether it compares each side with the base.
    pub const fn needs_base(self) -> bool {
        matches!(self, Self::SumOfChanges | Self::TextMerge | Self::JsonMerge)
    }
}

/// What a reason says about the two sides, as far as a choice depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sides {
    /// One record on both sides; timestamps can tell which is newer.
    Dated,
    /// One record on both sides, without evidence of which is newer.
    Undated,
    /// One record on both sides and in the base.
    Based,
    /// The backup's alone.
    BackupOnly,
    /// The current one alone; taking the backup means deleting it.
    CurrentOnly,
    /// Two records that claim one unique key.
    Rivals,
    /// Two entities under one key.
    Strangers,
    /// Nothing that a strategy decides.
    Settled,
}

/// Returns what a reason says about the sides.
pub(super) const fn sides(reason: Reason) -> Sides {
    match reason {
        Reason::BackupNewer | Reason::CurrentNewer => Sides::Dated,
        Reason::NoEvidenceEqual
        | Reason::NoEvidenceMissing
        | Reason::NoEvidenceUnreadable
        | Reason::NoEvidenceFuture
        | Reason::FillsEmpty
        | Reason::BothDiffer => Sides::Undated,
        Reason::OnlyBackupChanged | Reason::MergedFields | Reason::BothChanged => Sides::Based,
        Reason::OnlyInBackup | Reason::DeletedInCurrent => Sides::BackupOnly,
        Reason::DeletedInBackup | Reason::NotInBackup => Sides::CurrentOnly,
        Reason::UniqueTaken => Sides::Rivals,
        Reason::ReusedKey => Sides::Strangers,
        Reason::SameFields
        | Reason::MissingParent
        | Reason::ValueNotStorable
        | Reason::NullNotAllowed
        | Reason::CheckFails
        | Reason::KeyMissing
        | Reason::UniqueTwiceInBackup
        | Reason::TableRefused
        | Reason::OnlyCurrentChanged
        | Reason::StillReferenced
        | Reason::Filtered
        | Reason::OnlyInCurrent => Sides::Settled,
    }
}

/// The reasons that a strategy meets with their words, in the order of the table in `docs/strategies.md`.
pub(super) const MET: [(&str, Reason); 17] = [
    ("only_in_backup", Reason::OnlyInBackup),
    ("backup_newer", Reason::BackupNewer),
    ("fills_empty", Reason::FillsEmpty),
    ("only_backup_changed", Reason::OnlyBackupChanged),
    ("merged_fields", Reason::MergedFields),
    ("both_changed", Reason::BothChanged),
    ("current_newer", Reason::CurrentNewer),
    ("no_evidence_equal", Reason::NoEvidenceEqual),
    ("no_evidence_missing", Reason::NoEvidenceMissing),
    ("no_evidence_unreadable", Reason::NoEvidenceUnreadable),
    ("no_evidence_future", Reason::NoEvidenceFuture),
    ("both_differ", Reason::BothDiffer),
    ("deleted_in_current", Reason::DeletedInCurrent),
    ("deleted_in_backup", Reason::DeletedInBackup),
    ("not_in_backup", Reason::NotInBackup),
    ("unique_taken", Reason::UniqueTaken),
    ("reused_key", Reason::ReusedKey),
];

/// Returns why a choice is impossible for a reason; `None`: it is possible.
///
/// A strategy whose rule says something impossible asks instead; a page shows the choice as impossible, with this.
pub fn refusal(reason: Reason, take: Take) -> Option<&'static str> {
    if matches!(take, Take::Current | Take::Ask | Take::Skip) {
        return None;
    }
    match (take, reason) {
        (Take::IntoExisting, Reason::UniqueTaken) | (Take::NewKey, Reason::UniqueTaken | Reason::ReusedKey) => {
            return None;
        }
        (Take::IntoExisting, _) => return Some("no other current record holds its unique key"),
        (Take::NewKey, _) => return Some("its key belongs to no other record"),
        _ => {}
    }
    match sides(reason) {
        Sides::Based => None,
        Sides::Dated | Sides::Undated if take.needs_base() => Some("no base is known, so nobody's changes are"),
        Sides::Dated => None,
        Sides::Undated => {
            matches!(take, Take::Newest | Take::Oldest).then_some("the timestamps don't tell which side is newer")
        }
        Sides::Rivals => Some("another current record holds its unique key; both can't be in the table"),
        Sides::BackupOnly if take != Take::Backup => Some("there is no current record to compare or merge with"),
        Sides::CurrentOnly if take != Take::Backup => Some("the backup has no such record to compare or merge with"),
        Sides::Strangers if take != Take::Backup => {
            Some("the two sides are different entities under one key; mixing or dating them means nothing")
        }
        Sides::BackupOnly | Sides::CurrentOnly | Sides::Strangers => None,
        Sides::Settled => Some("there is nothing to decide"),
    }
}
