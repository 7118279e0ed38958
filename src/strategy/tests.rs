//! Tests of parsing and deciding: a golden table of every reason under every built-in strategy, and laws.

use super::take::{MET, Sides, sides};
use super::*;
use crate::model::schema::{Collation, Column, ColumnType, Generated, Storage};
use std::fmt::Write as _;

const ID: usize = 0;
pub(crate) const EMAIL: usize = 1;
const PHONE: usize = 2;
pub(crate) const NOTE: usize = 3;
const VISITS: usize = 4;
const PASSWORD: usize = 5;
const UPDATED_AT: usize = 6;

pub(crate) fn column(name: &str, ty: ColumnType) -> Column {
    Column {
        name: name.to_owned(),
        ty,
        declared: "test".to_owned(),
        storage: Storage::Native,
        nullable: true,
        default: None,
        generated: Generated::No,
        collation: Collation::Binary,
        enforced: true,
    }
}

pub(crate) fn users() -> Table {
    let text = || ColumnType::Text { max_chars: None };
    let integer = || ColumnType::Integer { min: i64::MIN, max: u64::MAX };
    Table {
        schema: None,
        name: "users".to_owned(),
        columns: vec![
            column("id", integer()),
            column("email", text()),
            column("phone", text()),
            column("note", text()),
            column("visits", integer()),
            column("password_hash", text()),
            column("updated_at", ColumnType::Timestamp { zoned: true, digits: 3 }),
        ],
        key: vec![ID],
        key_is_primary: true,
        uniques: Vec::new(),
        opaque_uniques: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        triggers: Vec::new(),
        timestamp: Some(UPDATED_AT),
        refused: None,
        notes: Vec::new(),
        partitioned_by: Vec::new(),
        secret: Vec::new(),
        plain: false,
    }
}

fn text(value: &str) -> Value {
    if value == "-" { Value::Null } else { Value::Text(value.to_owned()) }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_epoch(seconds, 0)
}

/// A text field by base, current and backup; `-` is null.
fn based(column: usize, base: &str, current: &str, backup: &str) -> Field {
    let in_conflict = base != current && base != backup;
    Field { base: Some(Some(text(base))), in_conflict, ..two_way(column, current, backup) }
}

fn two_way(column: usize, current: &str, backup: &str) -> Field {
    Field {
        column,
        base: None,
        current: Some(text(current)),
        backup: Some(text(backup)),
        in_conflict: true,
        is_timestamp: false,
    }
}

fn stamp(current: i64, backup: i64) -> Field {
    Field {
        column: UPDATED_AT,
        base: None,
        current: Some(Value::Timestamp(at(current))),
        backup: Some(Value::Timestamp(at(backup))),
        in_conflict: true,
        is_timestamp: true,
    }
}

/// What a test varies of a conflict.
#[derive(Clone)]
struct Case {
    class: Class,
    reason: Reason,
    fields: Vec<Field>,
    kept: Vec<Field>,
    times: (Option<i64>, Option<i64>),
    has_base: bool,
}

impl Case {
    fn two_way(reason: Reason, current_at: i64, backup_at: i64, mut fields: Vec<Field>) -> Self {
        fields.push(stamp(current_at, backup_at));
        let class = if reason == Reason::BackupNewer { Class::Updated } else { Class::Conflict };
        Self { class, reason, fields, kept: Vec::new(), times: (Some(current_at), Some(backup_at)), has_base: false }
    }

    fn decide(&self, strategy: &Strategy, preserve_newer: PreserveNewer) -> Choice {
        strategy.decide(&Conflict {
            table: &users(),
            class: self.class,
            reason: self.reason,
            fields: &self.fields,
            kept: &self.kept,
            current_at: self.times.0.map(at),
            backup_at: self.times.1.map(at),
            has_base: self.has_base,
            preserve_newer,
            tolerance: Duration::from_secs(2),
        })
    }
}

/// One typical record for each reason.
fn typical(reason: Reason) -> Case {
    let both = || {
        vec![
            two_way(EMAIL, "c@x", "b@x"),
            two_way(PHONE, "-", "123"),
            two_way(NOTE, "kept?", "-"),
            two_way(PASSWORD, "c-hash", "b-hash"),
        ]
    };
    let three = |email_base: &str| {
        vec![
            based(EMAIL, email_base, "c@x", "b@x"),
            based(PHONE, "1", "1", "123"),
            based(NOTE, "old", "current's", "old"),
            based(PASSWORD, "hash", "hash", "b-hash"),
        ]
    };
    let without_times = |case: Case| {
        let fields = case.fields.into_iter().filter(|field| !field.is_timestamp).collect();
        Case { fields, times: (None, None), ..case }
    };
    let one_sided = |fields: Vec<Field>, class| Case {
        class,
        reason,
        fields,
        kept: Vec::new(),
        times: (None, None),
        has_base: false,
    };
    let backup_only = || both().into_iter().map(|field| Field { current: None, ..field }).collect::<Vec<_>>();
    match reason {
        Reason::BackupNewer => Case::two_way(reason, 100, 200, both()),
        Reason::CurrentNewer => Case::two_way(reason, 200, 100, both()),
        Reason::NoEvidenceEqual => Case::two_way(reason, 101, 100, both()),
        Reason::NoEvidenceFuture => Case::two_way(reason, 100, 99_999_999_999, both()),
        Reason::FillsEmpty => Case {
            class: Class::Updated,
            ..without_times(Case::two_way(reason, 0, 0, vec![two_way(PHONE, "-", "123")]))
        },
        Reason::NoEvidenceMissing | Reason::NoEvidenceUnreadable | Reason::BothDiffer => {
            without_times(Case::two_way(reason, 0, 0, both()))
        }
        Reason::BothChanged => Case { has_base: true, ..Case::two_way(reason, 200, 100, three("a@x")) },
        Reason::MergedFields => {
            Case { has_base: true, class: Class::Updated, ..Case::two_way(reason, 200, 100, three("c@x")) }
        }
        Reason::OnlyBackupChanged => {
            let fields = three("c@x").into_iter().filter(|field| field.column != NOTE).collect();
            Case { has_base: true, class: Class::Updated, ..Case::two_way(reason, 100, 200, fields) }
        }
        Reason::OnlyInBackup => one_sided(backup_only(), Class::New),
        Reason::DeletedInCurrent => Case { has_base: true, ..one_sided(backup_only(), Class::Conflict) },
        Reason::UniqueTaken => one_sided(backup_only(), Class::Conflict),
        Reason::ReusedKey => one_sided(both(), Class::Conflict),
        Reason::DeletedInBackup => Case { has_base: true, ..one_sided(Vec::new(), Class::Conflict) },
        Reason::NotInBackup => one_sided(Vec::new(), Class::CurrentOnly),
        settled => one_sided(both(), if settled == Reason::SameFields { Class::Unchanged } else { Class::Blocked }),
    }
}

fn show(choice: &Choice) -> String {
    match choice {
        Choice::Write(fields) => {
            let table = users();
            let one = |(column, value): &(usize, Value)| format!("{}={value}", table.columns[*column].name);
            format!("write {}", fields.iter().map(one).collect::<Vec<_>>().join(" "))
        }
        Choice::Delete => "delete".to_owned(),
        Choice::Keep(reason) => format!("keep {reason:?}"),
        Choice::Skip => "skip".to_owned(),
        Choice::IntoExisting => "into existing".to_owned(),
        Choice::NewKey => "new key".to_owned(),
        Choice::Ask(why) => format!("ask {why}"),
    }
}

fn built_in(name: &str) -> Strategy {
    Strategy::load(name).expect("a built-in strategy")
}

fn strategy(toml: &str) -> Strategy {
    Strategy::parse("test", &format!("summary = \"x\"\n{toml}")).expect("a strategy without mistakes")
}

#[test]
fn every_reason_under_every_built_in_strategy() {
    let mut golden = String::new();
    for (word, reason) in MET {
        let case = typical(reason);
        writeln!(golden, "{} / {word}", case.class).expect("writing to a string");
        for name in Strategy::BUILT_IN {
            let on = show(&case.decide(&built_in(name), PreserveNewer::On));
            let off = show(&case.decide(&built_in(name), PreserveNewer::Off));
            writeln!(golden, "  {name:<17}{on}").expect("writing to a string");
            if on != off {
                writeln!(golden, "  {:<17}{off}", "  gate off:").expect("writing to a string");
            }
        }
    }
    insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("strategy_decisions", golden);
    });
}

#[test]
fn words_of_the_met_reasons_are_theirs_and_no_other_reason_is_decided() {
    for (word, reason) in MET {
        assert_eq!(reason.word(), word);
        assert_ne!(sides(reason), Sides::Settled);
    }
    for reason in [Reason::SameFields, Reason::MissingParent, Reason::Filtered, Reason::OnlyCurrentChanged] {
        let choice = typical(reason).decide(&built_in("backup-wins"), PreserveNewer::Off);
        assert_eq!(choice, Choice::Keep(KeepReason::NothingToChange));
    }
}

#[test]
fn the_documented_table_of_legal_choices_is_the_code() {
    let mut table = String::from("| reason |");
    Take::ALL.iter().for_each(|take| table += &format!(" {} |", take.word()));
    table += "\n|---|";
    table += &"---|".repeat(Take::ALL.len());
    for (word, reason) in MET {
        table += &format!("\n| `{word}` |");
        for take in Take::ALL {
            table += if refusal(reason, take).is_none() { " yes |" } else { " – |" };
        }
    }
    let docs = include_str!("../../docs/strategies.md");
    assert!(docs.contains(&table), "docs/strategies.md must hold this table:\n{table}");
}

#[test]
fn an_impossible_answer_asks_and_a_possible_one_does_not() {
    for (_, reason) in MET {
        for take in Take::ALL.into_iter().filter(|take| !take.for_fields_only() && *take != Take::Ask) {
            let chosen = strategy(&format!("[[rule]]\nclass = \"*\"\ntake = \"{}\"", take.word()));
            let choice = typical(reason).decide(&chosen, PreserveNewer::Off);
            let undecidable = |why: &str| why.contains("timestamps don't tell");
            match (&choice, refusal(reason, take)) {
                (Choice::Ask(why), Some(refused)) => assert!(why.contains(refused), "{reason} {take:?}: {why}"),
                (Choice::Ask(why), None) => assert!(undecidable(why), "{reason} {take:?}: {why}"),
                // What only the backup changed is in no conflict, so nothing impossible was asked of the rule.
                (other, Some(_)) => panic!("{reason} {take:?} is impossible, yet it gives {other:?}"),
                (_, None) => {}
            }
        }
    }
}

#[test]
fn the_gate_keeps_a_newer_record_under_every_strategy_and_is_the_only_thing_that_does() {
    let case = Case::two_way(Reason::CurrentNewer, 200, 100, vec![two_way(EMAIL, "c@x", "b@x")]);
    for name in Strategy::BUILT_IN {
        let kept = case.decide(&built_in(name), PreserveNewer::On);
        assert_eq!(kept, Choice::Keep(KeepReason::NewerKept), "{name}");
        assert_ne!(case.decide(&built_in(name), PreserveNewer::Off), kept, "{name}");
    }
    let within = Case::two_way(Reason::NoEvidenceEqual, 102, 100, vec![two_way(EMAIL, "c@x", "b@x")]);
    let choice = within.decide(&built_in("backup-wins"), PreserveNewer::On);
    assert!(matches!(choice, Choice::Write(_)), "exactly the tolerance is not newer: {choice:?}");
}

#[test]
fn with_a_base_the_gate_keeps_conflicting_fields_and_merges_the_rest() {
    let case = typical(Reason::BothChanged);
    let written = case.decide(&built_in("backup-wins"), PreserveNewer::On);
    assert_eq!(show(&written), "write phone=123 password_hash=b-hash");
    let whole = strategy("granularity = \"record\"\n[[rule]]\ntake = \"backup\"");
    assert_eq!(case.decide(&whole, PreserveNewer::On), Choice::Keep(KeepReason::NewerKept));
    let all = case.decide(&whole, PreserveNewer::Off);
    assert_eq!(
        show(&all),
        "write email=b@x phone=123 note=old password_hash=b-hash updated_at=1970-01-01T00:01:40Z",
        "the whole record, and its timestamp with it"
    );
}

#[test]
fn without_a_base_merge_fields_never_erases_and_fills_only_empty_fields() {
    let values = ["-", "x", "y"];
    for reason in [Reason::BackupNewer, Reason::CurrentNewer, Reason::NoEvidenceEqual, Reason::BothDiffer] {
        for current in values {
            for backup in values.into_iter().filter(|backup| *backup != current) {
                let mut case = typical(reason);
                case.fields.retain(|field| field.is_timestamp);
                case.fields.push(two_way(PHONE, current, backup));
                let choice = case.decide(&built_in("merge-fields"), PreserveNewer::Off);
                let written = match &choice {
                    Choice::Write(fields) => fields.iter().find(|(column, _)| *column == PHONE).map(|(_, v)| v),
                    _ => None,
                };
                assert!(written.is_none_or(|value| !value.is_null()), "{reason} {current} {backup}: {choice:?}");
                let expected = current == "-" || (reason == Reason::BackupNewer && backup != "-");
                assert_eq!(written.is_some(), expected, "{reason} {current} {backup}: {choice:?}");
            }
        }
    }
}

#[test]
fn the_timestamp_follows_what_is_written() {
    let fields = || vec![two_way(EMAIL, "c@x", "b@x"), two_way(PHONE, "c", "b")];
    let older = Case::two_way(Reason::CurrentNewer, 200, 100, fields());
    let newer = Case::two_way(Reason::BackupNewer, 100, 200, fields());
    let whole = strategy("[[rule]]\ntake = \"backup\"");
    let mixed = strategy(
        "[[rule]]\nclass = \"*\"\nfield = \"phone\"\ntake = \"current\"\n[[rule]]\nclass = \"*\"\ntake = \"backup\"",
    );
    for (case, strategy, expected) in [
        (&older, &whole, "write email=b@x phone=b updated_at=1970-01-01T00:01:40Z"),
        (&newer, &whole, "write email=b@x phone=b updated_at=1970-01-01T00:03:20Z"),
        (&older, &mixed, "write email=b@x"),
        (&newer, &mixed, "write email=b@x updated_at=1970-01-01T00:03:20Z"),
    ] {
        assert_eq!(show(&case.decide(strategy, PreserveNewer::Off)), expected);
    }
    // What current alone changed makes it a record of both sides, unless it is decided as a whole.
    let kept = vec![based(NOTE, "old", "current's", "old")];
    let field = vec![based(EMAIL, "a@x", "c@x", "b@x")];
    let both = Case { kept, has_base: true, ..Case::two_way(Reason::BothChanged, 200, 100, field) };
    assert_eq!(show(&both.decide(&whole, PreserveNewer::Off)), "write email=b@x");
    let as_one = strategy("granularity = \"record\"\n[[rule]]\ntake = \"backup\"");
    assert_eq!(
        show(&both.decide(&as_one, PreserveNewer::Off)),
        "write email=b@x note=old updated_at=1970-01-01T00:01:40Z"
    );
    let only_the_time = Case::two_way(Reason::BackupNewer, 100, 200, Vec::new());
    assert_eq!(only_the_time.decide(&whole, PreserveNewer::On), Choice::Keep(KeepReason::NothingToChange));
}

#[test]
fn absent_fields_and_computed_columns_are_never_written() {
    let absent = Field { backup: None, ..two_way(PHONE, "c", "b") };
    let case = Case::two_way(Reason::BackupNewer, 100, 200, vec![two_way(EMAIL, "c@x", "b@x"), absent.clone()]);
    let choice = case.decide(&built_in("backup-wins"), PreserveNewer::On);
    assert_eq!(show(&choice), "write email=b@x updated_at=1970-01-01T00:03:20Z");
    let nothing = Case::two_way(Reason::CurrentNewer, 200, 100, vec![absent]);
    assert_eq!(nothing.decide(&built_in("backup-wins"), PreserveNewer::Off), Choice::Keep(KeepReason::NothingToChange));

    let mut table = users();
    table.columns[EMAIL].generated = Generated::Computed;
    let record = Conflict {
        table: &table,
        class: Class::New,
        reason: Reason::OnlyInBackup,
        fields: &[two_way(EMAIL, "-", "b@x"), two_way(PHONE, "-", "1")],
        kept: &[],
        backup_at: None,
        current_at: None,
        has_base: false,
        preserve_newer: PreserveNewer::On,
        tolerance: Duration::ZERO,
    };
    assert_eq!(show(&built_in("backup-wins").decide(&record)), "write phone=1");
}

#[test]
fn rules_are_tried_from_top_to_bottom_and_fields_by_their_names() {
    let two = strategy(
        "[[rule]]\ntable = \"other\"\ntake = \"skip\"\n[[rule]]\nfield = \"ema*\"\ntake = \"current\"\n[[rule]]\nfield = \"*\"\ntake = \"max\"\n[[rule]]\ntake = \"ask\"",
    );
    let case = Case::two_way(Reason::BothDiffer, 100, 100, vec![two_way(EMAIL, "a", "b"), two_way(PHONE, "1", "2")]);
    assert_eq!(show(&case.decide(&two, PreserveNewer::On)), "write phone=2");
    let asks = strategy("[[rule]]\nfield = \"email\"\ntake = \"backup\"\n[[rule]]\ntake = \"ask\"");
    assert_eq!(
        case.decide(&asks, PreserveNewer::On),
        Choice::Ask("phone: the strategy asks (both_differ)".to_owned()),
        "one question makes the whole record a question"
    );
    let skips = strategy("[[rule]]\nfield = \"email\"\ntake = \"backup\"\n[[rule]]\ntake = \"skip\"");
    assert_eq!(case.decide(&skips, PreserveNewer::On), Choice::Skip);
}

#[test]
fn what_is_said_of_a_field_holds_in_updated_records_without_a_base() {
    let rules = "[[rule]]\nfield = \"email\"\ntake = \"union\"\n[[rule]]\nfield = \"note\"\ntake = \"non-null\"\n";
    let said = strategy(&format!("{rules}[[rule]]\ntake = \"ask\""));
    let fields = || vec![two_way(EMAIL, "a,c", "a,b"), two_way(PHONE, "1", "-"), two_way(NOTE, "kept", "-")];
    let newer = Case::two_way(Reason::BackupNewer, 100, 200, fields());
    let expected = "write email=a,c,b phone=NULL updated_at=1970-01-01T00:03:20Z";
    assert_eq!(show(&newer.decide(&said, PreserveNewer::On)), expected, "the rest is the backup's");
    let fills = Case { reason: Reason::FillsEmpty, class: Class::Updated, ..newer.clone() };
    assert!(show(&fills.decide(&said, PreserveNewer::On)).starts_with("write email=a,c,b "));

    // With a base it is known that only the backup changed it.
    let base = |field: Field| Field { base: Some(field.current.clone()), in_conflict: false, ..field };
    let only = Case { reason: Reason::OnlyBackupChanged, has_base: true, ..newer.clone() };
    let only = Case { fields: only.fields.iter().cloned().map(base).collect(), ..only };
    assert!(show(&only.decide(&said, PreserveNewer::On)).starts_with("write email=a,b phone=NULL note=NULL "));

    // A rule may say of which reasons or classes it speaks.
    let conflicts =
        strategy(&format!("{}[[rule]]\ntake = \"ask\"", rules.replace("take", "class = \"conflict\"\ntake")));
    assert!(show(&newer.decide(&conflicts, PreserveNewer::On)).starts_with("write email=a,b phone=NULL note=NULL "));
    let impossible = strategy("[[rule]]\nfield = \"note\"\ntake = \"text-merge\"\n[[rule]]\ntake = \"backup\"");
    let choice = newer.decide(&impossible, PreserveNewer::On);
    assert!(matches!(&choice, Choice::Ask(why) if why.contains("note: text-merge is impossible")), "{choice:?}");
}

#[test]
fn deletions_are_carried_out_unless_the_strategy_says_otherwise() {
    for reason in [Reason::NotInBackup, Reason::DeletedInBackup] {
        let plain = Case { class: Class::CurrentOnly, ..typical(reason) };
        let chosen = |rules: &str| plain.decide(&strategy(rules), PreserveNewer::On);
        assert_eq!(chosen("[[rule]]\ntake = \"ask\""), Choice::Delete, "a rule without a class speaks of conflicts");
        let kept = "[[rule]]\nclass = \"current_only\"\ntake = \"current\"\n[[rule]]\ntake = \"backup\"";
        assert_eq!(chosen(kept), Choice::Keep(KeepReason::ByStrategy));
        assert_eq!(chosen("classes = [\"new\", \"conflict\"]\n[[rule]]\ntake = \"backup\""), Choice::Skip);
        assert_eq!(chosen("[[never]]\ntable = \"users\"\n[[rule]]\ntake = \"backup\""), Choice::Skip);
    }
    let there = Case { class: Class::CurrentOnly, ..typical(Reason::NotInBackup) };
    let stays = Case { reason: Reason::OnlyInCurrent, ..there };
    let choice = stays.decide(&built_in("backup-wins"), PreserveNewer::On);
    assert_eq!(choice, Choice::Keep(KeepReason::NothingToChange), "nobody asked for its deletion");
}

#[test]
fn a_sum_of_changes_counts_both_sides() {
    let rule = strategy("[[rule]]\nfield = \"visits\"\ntake = \"sum-of-changes\"\n[[rule]]\ntake = \"ask\"");
    let visits = |base: i128, current: i128, backup: i128| Field {
        base: Some(Some(Value::Integer(base))),
        current: Some(Value::Integer(current)),
        backup: Some(Value::Integer(backup)),
        ..based(VISITS, "-", "c", "b")
    };
    let case = Case { has_base: true, ..Case::two_way(Reason::BothChanged, 200, 100, vec![visits(10, 13, 8)]) };
    assert_eq!(show(&case.decide(&rule, PreserveNewer::Off)), "write visits=11");
    let two_way = Case { has_base: false, reason: Reason::BothDiffer, ..case };
    let choice = two_way.decide(&rule, PreserveNewer::Off);
    assert!(matches!(&choice, Choice::Ask(why) if why.contains("no base is known")), "{choice:?}");
}

#[test]
fn what_strictness_put_in_conflict_is_the_rules_to_decide() {
    // Only the backup changed the field; without strictness it would simply be taken.
    let case = Case {
        class: Class::Conflict,
        reason: Reason::MergedFields,
        fields: vec![Field { in_conflict: true, ..based(PHONE, "1", "1", "123") }],
        kept: vec![based(NOTE, "old", "current's", "old")],
        times: (None, None),
        has_base: true,
    };
    let decided = |toml| show(&case.decide(&strategy(toml), PreserveNewer::Off));
    assert_eq!(decided("[[rule]]\ntake = \"current\""), "keep ByStrategy");
    assert_eq!(decided("[[rule]]\ntake = \"backup\""), "write phone=123");
}

#[test]
fn fields_are_written_in_the_order_of_columns_the_timestamp_among_them() {
    let mut table = users();
    table.timestamp = Some(PHONE);
    let clock = Field { column: PHONE, ..stamp(100, 200) };
    let choice = built_in("backup-wins").decide(&Conflict {
        table: &table,
        class: Class::Updated,
        reason: Reason::BackupNewer,
        fields: &[two_way(EMAIL, "a", "b"), clock, two_way(NOTE, "c", "d")],
        kept: &[],
        current_at: Some(at(100)),
        backup_at: Some(at(200)),
        has_base: false,
        preserve_newer: PreserveNewer::On,
        tolerance: Duration::from_secs(2),
    });
    let Choice::Write(written) = choice else { panic!("{choice:?}") };
    assert_eq!(written.iter().map(|(column, _)| *column).collect::<Vec<_>>(), [EMAIL, PHONE, NOTE]);
}

#[test]
fn a_table_is_not_brought_where_any_part_of_its_key_is_not() {
    let brings = |field: &str| {
        let mut table = users();
        table.key = vec![ID, EMAIL];
        strategy(&format!("[[never]]\nfield = \"{field}\"\n[[rule]]\ntake = \"backup\"")).brings_table(&table)
    };
    assert!(!brings("id") && !brings("email") && brings("phone"));
    // A table that is never brought says nothing of the fields of others.
    let whole = strategy("[[never]]\ntable = \"posts\"\n[[rule]]\ntake = \"backup\"");
    assert!(whole.brings_table(&users()) && whole.brings_field(&users(), "email"));
    let never_users = strategy("[[never]]\ntable = \"users\"\n[[rule]]\ntake = \"backup\"");
    assert!(never_users.brings_field(&users(), "email"), "the table as a whole is another question");
}

#[test]
fn a_misspelt_strategy_is_told_the_one_that_is_nearly_spelled_so() {
    let told = |name: &str| unknown(name).hint_text().unwrap_or_default().to_owned();
    assert!(told("backup-win").starts_with("did you mean backup-wins?"), "{}", told("backup-win"));
    assert!(told("Curent-Wins").starts_with("did you mean current-wins?"), "{}", told("Curent-Wins"));
    assert!(told("manaul").starts_with("did you mean manual?"), "{}", told("manaul"));
    assert!(told("something-else-entirely").starts_with("built in are "), "{}", told("something-else-entirely"));
}

#[test]
fn what_is_never_brought_counts_as_absent() {
    let sync = built_in("environment-sync");
    let table = users();
    for (field, brought) in [
        ("email", true),
        ("Password_Hash", false),
        ("resetToken", false),
        ("client_secret", false),
        ("secretary_id", true),
        ("footprint", true),
        ("otp_seed", false),
    ] {
        assert_eq!(sync.brings_field(&table, field), brought, "{field}");
    }
    for (name, brought) in [("users", true), ("UserSessions", false), ("auth_token", false), ("secretaries", true)] {
        assert_eq!(sync.brings_table(&Table { name: name.to_owned(), ..users() }), brought, "{name}");
    }
    let mut keyed_by_token = users();
    keyed_by_token.columns[ID].name = "token".to_owned();
    assert!(!sync.brings_table(&keyed_by_token));
    let only_there = strategy("[[never]]\ntable = \"posts\"\nfield = \"email\"\n[[rule]]\ntake = \"ask\"");
    assert!(only_there.brings_field(&table, "email") && only_there.brings_table(&table));
}

#[test]
fn classes_that_are_not_carried_are_left_out() {
    let recover = built_in("recover-deleted");
    assert!(recover.carries(Class::New) && recover.carries(Class::Conflict) && !recover.carries(Class::Updated));
    assert_eq!(typical(Reason::BackupNewer).decide(&recover, PreserveNewer::Off), Choice::Skip);
    for (_, reason) in MET {
        let choice = typical(reason).decide(&recover, PreserveNewer::Off);
        let inserts = sides(reason) == Sides::BackupOnly;
        assert_eq!(matches!(choice, Choice::Write(_)), inserts, "{reason}: {choice:?}");
        assert_ne!(choice, Choice::Delete);
    }
}
