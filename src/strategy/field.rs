//! Merges one field: what each answer of a rule makes of its base, current and backup values.

use super::{json, patch, take::Take, text};
use crate::model::decimal::Decimal;
use crate::model::{Column, ColumnType, Value};
use bigdecimal::BigDecimal;
use std::cmp::Ordering;
use std::str::FromStr;

/// Which side's record is newer, as far as timestamps tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    BackupNewer,
    CurrentNewer,
    None,
}

/// What to do where both sides hold different values: the file's `tie` with what it goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tie {
    pub(super) take: Take,
    pub(super) evidence: Evidence,
}

/// The values of one field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sides<'a> {
    pub(super) base: Option<&'a Value>,
    pub(super) current: &'a Value,
    pub(super) backup: &'a Value,
    pub(super) column: &'a Column,
}

/// What becomes of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Merged {
    Backup,
    Current,
    /// A value made of both sides.
    Value(Value),
    /// A rule asks; the caller knows the reason.
    Ask,
}

/// Merges one field; the error says why a person has to decide.
pub(super) fn merge(take: Take, sides: &Sides<'_>, tie: Tie) -> Result<Merged, String> {
    match take {
        Take::Backup => Ok(Merged::Backup),
        Take::Current | Take::Skip => Ok(Merged::Current),
        // Answers for whole records; a rule that says one of them asks before it comes here.
        Take::IntoExisting | Take::NewKey => Ok(Merged::Ask),
        Take::Ask => Ok(Merged::Ask),
        Take::Newest | Take::Oldest => by_time(take, tie.evidence),
        // Against a base a null is a change like any other; without one it may be a gap in the backup.
        Take::MergeFields if sides.base.is_some() => break_tie(tie),
        Take::MergeFields | Take::NonNull => filled(sides, tie),
        Take::Max => extreme(sides, Ordering::Greater),
        Take::Min => extreme(sides, Ordering::Less),
        Take::SumOfChanges => sum_of_changes(sides).map(Merged::Value),
        Take::Union => union(sides).map(Merged::Value),
        Take::TextMerge => text_merge(sides).map(Merged::Value),
        Take::JsonMerge => json_merge(sides).map(Merged::Value),
        Take::JsonPatch => json_patch(sides).map(Merged::Value),
    }
}

fn break_tie(tie: Tie) -> Result<Merged, String> {
    match tie.take {
        Take::Backup => Ok(Merged::Backup),
        Take::Current => Ok(Merged::Current),
        Take::Oldest => by_time(Take::Oldest, tie.evidence),
        Take::Newest => by_time(Take::Newest, tie.evidence),
        _ => Err("both sides hold a value".to_owned()),
    }
}

fn by_time(take: Take, evidence: Evidence) -> Result<Merged, String> {
    match (take, evidence) {
        (_, Evidence::None) => Err("both sides hold a value and the timestamps don't tell which is newer".to_owned()),
        (Take::Oldest, Evidence::CurrentNewer) | (Take::Newest, Evidence::BackupNewer) => Ok(Merged::Backup),
        _ => Ok(Merged::Current),
    }
}

fn filled(sides: &Sides<'_>, tie: Tie) -> Result<Merged, String> {
    match (sides.current.is_null(), sides.backup.is_null()) {
        (_, true) => Ok(Merged::Current),
        (true, false) => Ok(Merged::Backup),
        (false, false) => break_tie(tie),
    }
}

fn extreme(sides: &Sides<'_>, wanted: Ordering) -> Result<Merged, String> {
    match (sides.current.is_null(), sides.backup.is_null()) {
        (_, true) => return Ok(Merged::Current),
        (true, false) => return Ok(Merged::Backup),
        (false, false) => {}
    }
    let order = order(sides.backup, sides.current)
        .ok_or_else(|| format!("{} and {} have no order between them", sides.current.kind(), sides.backup.kind()))?;
    Ok(if order == wanted { Merged::Backup } else { Merged::Current })
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(x), Value::Bool(y)) => Some(x.cmp(y)),
        (Value::Float(x), Value::Float(y)) => x.partial_cmp(y),
        (Value::Text(x), Value::Text(y)) => Some(x.cmp(y)),
        (Value::Timestamp(x), Value::Timestamp(y)) if x.zoned == y.zoned => Some(x.nanos_since(*y).cmp(&0)),
        (Value::Date(x), Value::Date(y)) => Some(x.cmp(y)),
        (Value::Time(x), Value::Time(y)) => Some(x.nanos.cmp(&y.nanos)),
        _ => Some(a.as_decimal()?.cmp(&b.as_decimal()?)),
    }
}

fn sum_of_changes(sides: &Sides<'_>) -> Result<Value, String> {
    let ty = &sides.column.ty;
    let number = |value: Option<&Value>, side: &str| {
        let value = value.ok_or_else(|| "no base value is known to count the changes from".to_owned())?;
        let exact =
            counted(ty, value).ok_or_else(|| format!("changes can't be added up: {side} holds {}", unsummed(value)))?;
        BigDecimal::from_str(&exact.to_string()).map_err(|error| error.to_string())
    };
    let base = number(sides.base, "the base")?;
    let sum = number(Some(sides.current), "current")? + number(Some(sides.backup), "the backup")? - base;
    let sum = Decimal::parse(&sum.to_plain_string()).ok_or("the sum is too large to be written out")?;
    // Which sum it is would tell what a secret field holds.
    let no_room = || format!("the sum of the changes does not fit {} {}", sides.column.name, sides.column.declared);
    match ty {
        ColumnType::Integer { min, max } => {
            let whole = sum.to_i128().filter(|n| *n >= i128::from(*min) && *n <= i128::from(*max));
            whole.map(Value::Integer).ok_or_else(no_room)
        }
        ColumnType::Decimal { precision, scale } => {
            let (before, after) = sum.extent();
            let scale_fits = scale.is_none_or(|scale| after <= i64::from(scale));
            let whole_digits = precision.map(|p| i64::from(p) - i64::from(scale.unwrap_or(0)));
            if scale_fits && whole_digits.is_none_or(|digits| before <= digits) {
                Ok(Value::Decimal(sum))
            } else {
                Err(no_room())
            }
        }
        ColumnType::Float { .. } => float(ty, &sum).ok_or_else(no_room),
        _ if matches!((sides.current, sides.backup), (Value::Integer(_), Value::Integer(_))) => {
            sum.to_i128().map(Value::Integer).ok_or_else(no_room)
        }
        _ if matches!(sides.current, Value::Float(_)) => float(ty, &sum).ok_or_else(no_room),
        _ => Ok(Value::Decimal(sum)),
    }
}

/// Returns a number as people count: a floating-point number by the shortest spelling that its column reads back.
fn counted(ty: &ColumnType, value: &Value) -> Option<Decimal> {
    match value {
        Value::Float(number) if is_single(ty) && number.is_finite() => Decimal::parse(&format!("{:e}", *number as f32)),
        _ => value.as_decimal(),
    }
}

/// Returns the floating-point number that is a sum; none where the column has none: rounded, or beyond its largest.
fn float(ty: &ColumnType, sum: &Decimal) -> Option<Value> {
    let number = if is_single(ty) { f64::from(sum.to_f64() as f32) } else { sum.to_f64() };
    let value = Value::Float(number);
    (counted(ty, &value)? == *sum).then_some(value)
}

fn is_single(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::Float { single: true })
}

/// Names what can't be added up.
fn unsummed(value: &Value) -> &'static str {
    match value {
        Value::Float(_) => "a number that is not finite",
        other => other.kind(),
    }
}

fn union(sides: &Sides<'_>) -> Result<Value, String> {
    match (sides.current, sides.backup) {
        (value, Value::Null) | (Value::Null, value) => Ok(value.clone()),
        (Value::Json(current), Value::Json(backup)) => json::union(current, backup).map(Value::Json),
        (Value::Text(current), Value::Text(backup)) if [current, backup].iter().all(|t| t.trim().starts_with('[')) => {
            json::union(current, backup).map(Value::Text)
        }
        (Value::Text(current), Value::Text(backup))
            if matches!(sides.column.ty, ColumnType::Text { .. } | ColumnType::Any) =>
        {
            text::union(current, backup).map(Value::Text)
        }
        (current, _) => Err(format!("{} is no list that can be united", current.kind())),
    }
}

fn text_merge(sides: &Sides<'_>) -> Result<Value, String> {
    match (sides.base, sides.current, sides.backup) {
        (Some(Value::Text(base)), Value::Text(current), Value::Text(backup)) => {
            text::merge(base, current, backup).map(Value::Text)
        }
        (None, ..) => Err("no base text is known to merge from".to_owned()),
        (Some(base), current, backup) => Err(not_all("text", base, current, backup)),
    }
}

fn json_merge(sides: &Sides<'_>) -> Result<Value, String> {
    match (sides.base, sides.current, sides.backup) {
        (Some(Value::Json(base)), Value::Json(current), Value::Json(backup)) => {
            json::merge(base, current, backup).map(Value::Json)
        }
        (Some(Value::Text(base)), Value::Text(current), Value::Text(backup)) => {
            json::merge(base, current, backup).map(Value::Text)
        }
        (None, ..) => Err("no base document is known to merge from".to_owned()),
        (Some(base), current, backup) => Err(not_all("JSON", base, current, backup)),
    }
}

fn json_patch(sides: &Sides<'_>) -> Result<Value, String> {
    match (sides.current, sides.backup) {
        (Value::Json(current), Value::Json(change)) => patch::apply(current, change).map(Value::Json),
        (Value::Text(current), Value::Text(change)) => patch::apply(current, change).map(Value::Text),
        (current, backup) => {
            Err(format!("not JSON on both sides: current {}, backup {}", current.kind(), backup.kind()))
        }
    }
}

fn not_all(what: &str, base: &Value, current: &Value, backup: &Value) -> String {
    format!("not {what} on all sides: base {}, current {}, backup {}", base.kind(), current.kind(), backup.kind())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schema::{Collation, Generated, Storage};

    fn column(ty: ColumnType) -> Column {
        Column {
            name: "c".to_owned(),
            ty,
            declared: "t".to_owned(),
            storage: Storage::Native,
            nullable: true,
            default: None,
            generated: Generated::No,
            collation: Collation::Binary,
            enforced: true,
        }
    }

    fn decimal(text: &str) -> Value {
        Value::Decimal(Decimal::parse(text).expect("a decimal"))
    }

    fn run(take: Take, ty: ColumnType, base: Option<Value>, current: Value, backup: Value) -> Result<Merged, String> {
        let column = column(ty);
        let sides = Sides { base: base.as_ref(), current: &current, backup: &backup, column: &column };
        merge(take, &sides, Tie { take: Take::Newest, evidence: Evidence::None })
    }

    #[test]
    fn sums_are_exact_and_stay_inside_the_column() {
        let small = || ColumnType::Integer { min: -128, max: 127 };
        let int = Value::Integer;
        let sum = |ty, base, current, backup| run(Take::SumOfChanges, ty, Some(base), current, backup);
        assert_eq!(sum(small(), int(10), int(13), int(8)), Ok(Merged::Value(int(11))));
        let error = sum(small(), int(0), int(100), int(100)).expect_err("no room");
        assert!(error.contains("does not fit") && !error.contains("200"), "{error}");

        let money = || ColumnType::Decimal { precision: Some(30), scale: Some(2) };
        let sum_of_money = sum(money(), decimal("0.10"), decimal("99999999999999999999.10"), decimal("0.30"));
        assert_eq!(sum_of_money, Ok(Merged::Value(decimal("99999999999999999999.3"))));
        let narrow = ColumnType::Decimal { precision: Some(3), scale: Some(1) };
        assert!(sum(narrow, decimal("0"), decimal("99"), decimal("1")).is_err());

        let float = ColumnType::Float { single: false };
        let floats = sum(float, Value::Float(0.0), Value::Float(0.1), Value::Float(0.2));
        assert_eq!(floats, Ok(Merged::Value(Value::Float(0.3))), "as people count, not as doubles do");
        assert!(sum(small(), Value::Null, int(1), int(2)).is_err());
        assert!(sum(small(), int(1), int(1), Value::Text("2".to_owned())).is_err());
        assert!(run(Take::SumOfChanges, small(), None, int(1), int(2)).is_err());
    }

    #[test]
    fn a_sum_that_a_floating_point_column_would_round_is_asked() {
        let float = Value::Float;
        let added = |single, base, current, backup| {
            run(Take::SumOfChanges, ColumnType::Float { single }, Some(float(base)), float(current), float(backup))
        };
        for [base, current, backup] in [
            [1e308, 1.5e308, 1.6e308],
            [-1e308, -1.5e308, -1.6e308],
            [0.0, 9_007_199_254_740_992.0, 1.0],
            [0.0, f64::INFINITY, 1.0],
            [f64::NEG_INFINITY, 1.0, 2.0],
            [0.0, 1.0, f64::NAN],
        ] {
            let answer = added(false, base, current, backup);
            assert!(answer.is_err(), "{base} {current} {backup}: {answer:?}");
        }
        assert_eq!(added(false, 0.0, f64::MAX, 0.0), Ok(Merged::Value(float(f64::MAX))));

        // A column of single precision reads its own spelling back.
        let single = |text: &str| f64::from(text.parse::<f32>().expect("a number"));
        let sum = added(true, 0.0, single("0.1"), single("0.2"));
        assert_eq!(sum, Ok(Merged::Value(float(single("0.3")))));
        assert!(added(true, 0.0, f64::from(f32::MAX), f64::from(f32::MAX)).is_err());
        assert!(added(true, 0.0, 16_777_216.0, 1.0).is_err());
        let any = run(Take::SumOfChanges, ColumnType::Any, Some(float(0.0)), float(f64::MAX), float(f64::MAX));
        assert!(any.is_err());
    }

    #[test]
    fn a_sum_may_be_the_last_that_the_column_holds() {
        let int = Value::Integer;
        let added = |ty, current, backup| run(Take::SumOfChanges, ty, Some(int(0)), current, backup);
        let small = || ColumnType::Integer { min: -128, max: 127 };
        assert_eq!(added(small(), int(100), int(27)), Ok(Merged::Value(int(127))));
        assert_eq!(added(small(), int(-100), int(-28)), Ok(Merged::Value(int(-128))));
        assert!(added(small(), int(100), int(28)).is_err() && added(small(), int(-100), int(-29)).is_err());

        let sum = |precision, scale| added(ColumnType::Decimal { precision, scale }, decimal("90.25"), decimal("9.50"));
        let whole = Ok(Merged::Value(decimal("99.75")));
        assert_eq!(sum(Some(4), Some(2)), whole);
        assert_eq!(sum(None, None), whole, "a column without limits");
        assert!(sum(Some(4), Some(1)).is_err() && sum(Some(3), Some(2)).is_err());
        // A column of any type holds the sum as current is held.
        let any = |current, backup| added(ColumnType::Any, current, backup);
        assert_eq!(any(int(1), int(2)), Ok(Merged::Value(int(3))));
        assert_eq!(any(Value::Float(0.5), Value::Float(0.25)), Ok(Merged::Value(Value::Float(0.75))));
        assert_eq!(any(decimal("0.5"), int(1)), Ok(Merged::Value(decimal("1.5"))));
        // A whole sum in a column of floats is a float.
        let float = added(ColumnType::Float { single: false }, int(1), int(2));
        assert_eq!(float, Ok(Merged::Value(Value::Float(3.0))));
    }

    #[test]
    fn a_tie_goes_where_its_rule_says() {
        let (one, other, column) = (Value::Integer(1), Value::Integer(2), column(ColumnType::Any));
        for (rule, evidence, expected) in [
            (Take::Backup, Evidence::None, Some(Merged::Backup)),
            (Take::Current, Evidence::None, Some(Merged::Current)),
            (Take::Newest, Evidence::BackupNewer, Some(Merged::Backup)),
            (Take::Newest, Evidence::CurrentNewer, Some(Merged::Current)),
            (Take::Oldest, Evidence::BackupNewer, Some(Merged::Current)),
            (Take::Oldest, Evidence::CurrentNewer, Some(Merged::Backup)),
            (Take::Newest, Evidence::None, None),
            (Take::Oldest, Evidence::None, None),
            (Take::Ask, Evidence::BackupNewer, None),
        ] {
            let tie = || Tie { take: rule, evidence };
            let plain = Sides { base: None, current: &one, backup: &other, column: &column };
            let based = Sides { base: Some(&Value::Null), ..plain };
            assert_eq!(merge(Take::NonNull, &plain, tie()).ok(), expected, "{rule:?} {evidence:?}");
            assert_eq!(merge(Take::MergeFields, &plain, tie()).ok(), expected, "{rule:?} {evidence:?}");
            assert_eq!(merge(Take::MergeFields, &based, tie()).ok(), expected, "{rule:?} {evidence:?}");
        }
        // Against a base a null is a change like any other; without one it is a gap.
        let gap = Sides { base: None, current: &one, backup: &Value::Null, column: &column };
        let tie = || Tie { take: Take::Backup, evidence: Evidence::None };
        assert_eq!(merge(Take::MergeFields, &gap, tie()), Ok(Merged::Current));
        assert_eq!(merge(Take::MergeFields, &Sides { base: Some(&other), ..gap }, tie()), Ok(Merged::Backup));
    }

    #[test]
    fn instants_have_an_order_where_both_or_neither_know_their_zone() {
        let at = |text| Value::Timestamp(crate::model::calendar::parse_timestamp(text).expect("an instant"));
        let later = |current, backup| run(Take::Max, ColumnType::Any, None, at(current), at(backup));
        assert_eq!(later("2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z"), Ok(Merged::Backup));
        assert_eq!(later("2024-01-01T00:00:00Z", "2024-01-01T00:30:00+01:00"), Ok(Merged::Current));
        assert_eq!(later("2024-01-01T00:00:01", "2024-01-01T00:00:00"), Ok(Merged::Current));
        assert!(later("2024-01-01T00:00:00", "2024-06-01T00:00:00Z").is_err());
    }

    #[test]
    fn max_and_min_mirror_each_other_and_prefer_any_value_to_null() {
        let any = || ColumnType::Any;
        let values = [
            (Value::Integer(2), decimal("10.5")),
            (Value::Float(-1.0), Value::Integer(0)),
            (Value::Text("a".to_owned()), Value::Text("b".to_owned())),
            (Value::Bool(false), Value::Bool(true)),
            (Value::Date(1), Value::Date(2)),
        ];
        for (low, high) in values {
            let run = |take, current: &Value, backup: &Value| run(take, any(), None, current.clone(), backup.clone());
            assert_eq!(run(Take::Max, &low, &high), Ok(Merged::Backup));
            assert_eq!(run(Take::Max, &high, &low), Ok(Merged::Current));
            assert_eq!(run(Take::Min, &low, &high), Ok(Merged::Current));
            assert_eq!(run(Take::Min, &high, &low), Ok(Merged::Backup));
            for take in [Take::Max, Take::Min, Take::NonNull, Take::MergeFields] {
                assert_eq!(run(take, &low, &Value::Null), Ok(Merged::Current));
                assert_eq!(run(take, &Value::Null, &low), Ok(Merged::Backup));
            }
        }
        let mixed = run(Take::Max, any(), None, Value::Integer(1), Value::Text("2".to_owned()));
        assert!(mixed.is_err_and(|why| why.contains("no order")));
        assert!(run(Take::Max, any(), None, Value::Float(f64::NAN), Value::Float(1.0)).is_err());
    }

    #[test]
    fn unions_and_merges_need_values_of_their_kind() {
        let text = |value: &str| Value::Text(value.to_owned());
        let json = |value: &str| Value::Json(value.to_owned());
        let plain = || ColumnType::Text { max_chars: None };
        assert_eq!(run(Take::Union, plain(), None, text("a,b"), text("b,c")), Ok(Merged::Value(text("a,b,c"))));
        assert_eq!(run(Take::Union, plain(), None, text("[1]"), text("[2]")), Ok(Merged::Value(text("[1,2]"))));
        assert_eq!(
            run(Take::Union, ColumnType::Json, None, json("[1]"), json("[2]")),
            Ok(Merged::Value(json("[1,2]")))
        );
        assert_eq!(run(Take::Union, plain(), None, Value::Null, text("a")), Ok(Merged::Value(text("a"))));
        let postgres_array = ColumnType::Other("text[]".to_owned());
        assert!(run(Take::Union, postgres_array, None, text("{a}"), text("{b}")).is_err());

        let merged = run(Take::TextMerge, plain(), Some(text("a b c")), text("A b c"), text("a b C"));
        assert_eq!(merged, Ok(Merged::Value(text("A b C"))));
        assert!(run(Take::TextMerge, plain(), Some(text("a")), Value::Null, text("b")).is_err());
        assert!(run(Take::TextMerge, plain(), None, text("a"), text("b")).is_err());
        let merged = run(Take::JsonMerge, ColumnType::Json, Some(json("{}")), json(r#"{"a":1}"#), json(r#"{"b":1}"#));
        assert_eq!(merged, Ok(Merged::Value(json(r#"{"a":1,"b":1}"#))));
    }
}
