//! Tests of what a classification lists: which fields, from which side, which of them are in conflict; and of the findings
//! that need more than two words of a record: reused keys, deletions, clocks.

use super::*;
use crate::analyzer::classify::instant;
use crate::model::Value;
use crate::model::change::Field;
use crate::model::decimal::Decimal;

/// `id`, `updated_at`, `a`, `b`, `c`: the clock stands between the others, so that the order of fields shows.
fn clocked() -> Table {
    let mut table = table("t", &[("id", text()), ("updated_at", text()), ("a", text()), ("b", text()), ("c", text())]);
    table.timestamp = Some(1);
    table
}

/// Judges records written as words; columns in `left_out` take no part.
fn judge(
    table: &Table,
    left_out: &[usize],
    base: Option<&str>,
    current: Option<&str>,
    backup: Option<&str>,
    rules: &Rules,
) -> Verdict {
    let encoded = |words: Option<&str>| words.map(|w| body(table, w));
    let (base, current, backup) = (encoded(base), encoded(current), encoded(backup));
    let sides = Sides {
        base: base.as_deref().map(Some),
        current: current.as_deref(),
        backup: backup.as_deref(),
        backup_whole: true,
        backup_deleted: false,
    };
    let compared: Vec<bool> = (0..table.columns.len()).map(|c| !left_out.contains(&c)).collect();
    classify(table, &compared, &sides, rules)
}

/// Writes fields as `column base current backup`, marked `!` in conflict and `@` where it is the record's timestamp.
fn listed(fields: &[Field]) -> Vec<String> {
    let word = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), ToString::to_string);
    let one = |f: &Field| {
        let base = f.base.as_ref().map_or("·".to_owned(), word);
        let marks = format!("{}{}", if f.in_conflict { "!" } else { "" }, if f.is_timestamp { "@" } else { "" });
        format!("{}{marks} {base} {} {}", f.column, word(&f.current), word(&f.backup))
    };
    fields.iter().map(one).collect()
}

const OLD: &str = "2024-01-01T00:00:00Z";
const NEW: &str = "2024-06-01T00:00:00Z";

#[test]
fn a_new_record_lists_what_the_backup_carries_of_the_columns_that_take_part() {
    let verdict = judge(&clocked(), &[3], None, None, Some(&format!("1 {NEW} x y -")), &rules());
    assert_eq!(word(&verdict), "new only_in_backup");
    assert_eq!(listed(&verdict.fields), ["0 · - 1", &format!("1@ · - {NEW}"), "2 · - x"]);
}

#[test]
fn a_differing_clock_is_listed_in_its_place_and_never_in_conflict() {
    let table = clocked();
    let (old, new) = (format!("1 {OLD} x y z"), format!("1 {NEW} X y Z"));
    let updated = judge(&table, &[], None, Some(&old), Some(&new), &rules());
    assert_eq!(listed(&updated.fields), [format!("1@ · {OLD} {NEW}"), "2 · x X".into(), "4 · z Z".into()]);
    let conflict = judge(&table, &[], None, Some(&new), Some(&old), &rules());
    assert_eq!(listed(&conflict.fields), [format!("1@ · {NEW} {OLD}"), "2! · X x".into(), "4! · Z z".into()]);
    assert_eq!((conflict.backup_at, conflict.current_at), (parse_timestamp(OLD), parse_timestamp(NEW)));
    // Behind another field it stands behind it.
    let mut last = clocked();
    last.timestamp = Some(3);
    let verdict = judge(&last, &[], None, Some(&format!("1 p x {OLD} z")), Some(&format!("1 p X {NEW} Z")), &rules());
    assert_eq!(verdict.fields.iter().map(|f| f.column).collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn a_field_that_current_lacks_is_no_gap_to_fill() {
    let table = records(Clock::No);
    assert_eq!(word(&judged(&table, None, Some("1 - y"), Some("1 x y"), &rules())), "conflict both_differ");
}

#[test]
fn instants_of_other_precision_are_the_same_value() {
    let mut table = records(Clock::No);
    table.columns[1].ty = ColumnType::Timestamp { zoned: true, digits: 6 };
    let (fine, coarse) = ("1 2024-01-01T00:00:00.123Z y", "1 2024-01-01T00:00:00Z y");
    assert_eq!(word(&judged(&table, None, Some(fine), Some(coarse), &rules())), "unchanged same_fields");
    assert_eq!(word(&judged(&table, Some(Some(fine)), Some(coarse), Some(fine), &rules())), "unchanged same_fields");
}

#[test]
fn with_a_base_columns_that_take_no_part_change_nothing() {
    let table = records(Clock::No);
    let (base, current, backup) = (Some("1 x y"), Some("1 X y"), Some("1 Z y"));
    assert_eq!(word(&judge(&table, &[1], base, current, backup, &rules())), "unchanged same_fields");
    assert_eq!(word(&judge(&table, &[1], base, None, backup, &rules())), "unchanged deleted_in_current");
}

#[test]
fn two_changes_of_current_are_still_a_change_of_current() {
    let table = table("t", &[("id", text()), ("a", text()), ("b", text()), ("c", text())]);
    let verdict = judge(&table, &[], Some("1 x y z"), Some("1 X Y z"), Some("1 x y Z"), &rules());
    assert_eq!(word(&verdict), "updated merged_fields");
    assert_eq!(listed(&verdict.fields), ["3 z z Z"]);
    assert_eq!(listed(&verdict.kept), ["1 x X x", "2 y Y y"]);
}

#[test]
fn strictly_a_mixture_of_both_sides_is_in_conflict_but_for_its_clock() {
    let table = clocked();
    let strict = Rules { strict: true, ..rules() };
    let (base, current, backup) = (format!("1 {OLD} x y z"), format!("1 {OLD} X y z"), format!("1 {NEW} x Y z"));
    let run = |current: &str, rules: &Rules| judge(&table, &[], Some(&base), Some(current), Some(&backup), rules);
    let clock = |mark| format!("1{mark}@ {OLD} {OLD} {NEW}");
    let mixed = run(&current, &strict);
    assert_eq!(
        (word(&mixed).as_str(), listed(&mixed.fields)),
        ("conflict merged_fields", vec![clock(""), "3! y y Y".into()])
    );
    let lenient = run(&current, &rules());
    assert_eq!(
        (word(&lenient).as_str(), listed(&lenient.fields)),
        ("updated merged_fields", vec![clock(""), "3 y y Y".into()])
    );
    // Nothing is mixed where only the backup changed.
    let backup_only = run(&base, &strict);
    assert_eq!(word(&backup_only), "updated only_backup_changed");
    assert_eq!(listed(&backup_only.fields), [clock(""), "3 y y Y".into()]);
}

#[test]
fn with_a_base_a_backup_from_the_future_has_no_clock() {
    let table = clocked();
    let at = |backup: &str| {
        let base = format!("1 {OLD} x y z");
        judge(&table, &[], Some(&base), Some(&base), Some(&format!("1 {backup} X y z")), &rules()).backup_at
    };
    assert_eq!(at(NEW), parse_timestamp(NEW));
    // The analysis is made at the first second of 2025, with two seconds of tolerance.
    assert_eq!(at("2025-01-01T00:00:02Z"), parse_timestamp("2025-01-01T00:00:02Z"));
    assert_eq!(at("2025-01-01T00:00:03Z"), None);
}

#[test]
fn a_record_deleted_in_current_and_changed_in_the_backup_lists_all_of_it() {
    let table = clocked();
    let (base, backup) = (format!("1 {OLD} x y z"), format!("1 {NEW} X y z"));
    let verdict = judge(&table, &[4], Some(&base), None, Some(&backup), &rules());
    assert_eq!(word(&verdict), "conflict deleted_in_current");
    let clock = format!("1@ {OLD} - {NEW}");
    assert_eq!(listed(&verdict.fields), ["0! 1 - 1", &clock, "2! x - X", "3! y - y"]);
    // A clock that went on by itself is no change.
    let touched = format!("1 {NEW} x y z");
    assert_eq!(word(&judge(&table, &[], Some(&base), None, Some(&touched), &rules())), "unchanged deleted_in_current");
}

#[test]
fn a_record_that_is_to_go_lists_what_goes_with_it() {
    let table = clocked();
    let with = |deletes| Rules { deletes, ..rules() };
    let (base, changed) = (format!("1 {OLD} x y z"), format!("1 {NEW} X y z"));
    let run =
        |base: Option<&str>, current: &str, deletes| judge(&table, &[4], base, Some(current), None, &with(deletes));
    let same = run(Some(&base), &base, Deletes::Apply);
    assert_eq!(word(&same), "current_only deleted_in_backup");
    assert_eq!(listed(&same.fields), ["0 1 1 -", &format!("1@ {OLD} {OLD} -"), "2 x x -", "3 y y -"]);
    let conflict = run(Some(&base), &changed, Deletes::Apply);
    assert_eq!(word(&conflict), "conflict deleted_in_backup");
    assert_eq!(listed(&conflict.fields), ["0! 1 1 -", &format!("1@ {OLD} {NEW} -"), "2! x X -", "3! y y -"]);
    let mirrored = run(Some(&base), &changed, Deletes::Mirror);
    assert_eq!(word(&mirrored), "current_only not_in_backup");
    assert_eq!(listed(&mirrored.fields), ["0 · 1 -", &format!("1@ · {NEW} -"), "2 · X -", "3 · y -"]);
}

#[test]
fn only_a_whole_table_or_a_named_record_is_evidence_of_deletion() {
    let table = records(Clock::No);
    let record = body(&table, "1 x y");
    let run = |based: bool, backup_whole, backup_deleted, deletes| {
        let base = based.then_some(Some(record.as_slice()));
        let sides = Sides { base, current: Some(&record), backup: None, backup_whole, backup_deleted };
        classify(&table, &[true; 3], &sides, &Rules { deletes, ..rules() })
    };
    for based in [true, false] {
        for deletes in [Deletes::Keep, Deletes::Apply, Deletes::Mirror] {
            let part = run(based, false, false, deletes);
            assert_eq!(
                (word(&part).as_str(), part.fields.len()),
                ("current_only only_in_current", 0),
                "{based} {deletes:?}"
            );
        }
        assert_eq!(word(&run(based, false, true, Deletes::Keep)), "current_only only_in_current");
    }
    assert_eq!(word(&run(true, false, true, Deletes::Apply)), "current_only deleted_in_backup");
    // Named as deleted, but not as what: a person has to look, at all of it.
    let named = run(false, false, true, Deletes::Apply);
    assert_eq!(word(&named), "conflict deleted_in_backup");
    assert_eq!(listed(&named.fields), ["0! · 1 -", "1! · x -", "2! · y -"]);
    assert_eq!(word(&run(false, true, false, Deletes::Apply)), "current_only only_in_current");
}

/// `id`, `code` (a natural key: unique and never null), `a`, `b`, `c`, `made`.
fn coded() -> Table {
    let columns = ["id", "code", "a", "b", "c", "made"].map(|n| (n, text()));
    let mut table = table("t", &columns);
    table.columns[1].nullable = false;
    table.uniques.push(unique(&[1]));
    table
}

#[test]
fn a_key_is_reused_where_the_natural_key_and_most_other_fields_differ() {
    let own = coded();
    let judge = |table: &Table, left_out: &[usize], backup: &str| {
        word(&judge(table, left_out, None, Some("1 k x y z m"), Some(backup), &rules()))
    };
    let (reused, differ) = ("conflict reused_key", "conflict both_differ");
    assert_eq!(judge(&own, &[], "1 K X Y Z m"), reused);
    // Half of the four is not most of them.
    assert_eq!(judge(&own, &[], "1 K X Y z m"), differ);
    // The same natural key: the same entity, however different.
    assert_eq!(judge(&own, &[], "1 k X Y Z M"), differ);
    // Only fields count that take part and that the backup carries; of one alone nothing is concluded.
    assert_eq!(judge(&own, &[4, 5], "1 K X Y z m"), reused);
    assert_eq!(judge(&own, &[4, 5], "1 K X y z m"), differ);
    assert_eq!(judge(&own, &[], "1 K X Y - -"), reused);
    assert_eq!(judge(&own, &[3, 4, 5], "1 K X Y Z M"), differ);
    // A unique key that may be null is no natural key, nor is the key itself, nor what an expression makes unique.
    let changed = |change: &dyn Fn(&mut Table)| {
        let mut table = coded();
        change(&mut table);
        judge(&table, &[], "1 K X Y Z m")
    };
    assert_eq!(changed(&|t| t.columns[1].nullable = true), differ);
    assert_eq!(changed(&|t| t.uniques.truncate(1)), differ);
    assert_eq!(changed(&|t| t.uniques[1].reads = vec![1]), differ);
    // Of a natural key of two columns neither may be null, and one that differs is enough.
    assert_eq!(changed(&|t| t.uniques[1] = unique(&[1, 5])), differ);
    let both = |t: &mut Table| {
        t.uniques[1] = unique(&[1, 5]);
        t.columns[5].nullable = false;
    };
    assert_eq!(changed(&both), reused);
    // What is unique is not among the others.
    assert_eq!(changed(&|t| t.uniques.push(unique(&[2]))), reused);
    let uniquely = |backup: &str| {
        let mut table = coded();
        table.uniques.push(unique(&[4]));
        judge(&table, &[], backup)
    };
    assert_eq!(uniquely("1 K X y Z m"), differ);
}

#[test]
fn a_key_is_reused_where_the_records_were_made_at_different_times() {
    let table = coded();
    let created = Rules { created: Some(5), ..rules() };
    let current = "1 k x y z 2024-01-01T00:00:00.0Z";
    let run =
        |left_out: &[usize], backup: &str| word(&judge(&table, left_out, None, Some(current), Some(backup), &created));
    let (reused, differ) = ("conflict reused_key", "conflict both_differ");
    assert_eq!(run(&[], "1 k X y z 2024-01-01T00:00:02.1Z"), reused);
    assert_eq!(run(&[], "1 k X y z 2023-12-31T23:59:57.9Z"), reused);
    assert_eq!(run(&[], "1 k X y z 2024-01-01T00:00:02.0Z"), differ, "within the tolerance");
    // Where it is known that both were made at one time, nothing else is evidence.
    assert_eq!(run(&[], "1 K X Y Z 2024-01-01T00:00:00.0Z"), differ);
    // Not known: the natural key decides.
    assert_eq!(run(&[], "1 K X Y Z -"), reused);
    assert_eq!(run(&[5], "1 k X y z 2024-06-01T00:00:00.0Z"), differ, "the column takes no part");
    // Times of different precision are compared at the coarser one, whatever the tolerance.
    let mut dated = coded();
    dated.columns[5].ty = ColumnType::Timestamp { zoned: true, digits: 6 };
    let exact = Rules { tolerance_nanos: 0, ..created };
    let fine = "1 k x y z 2024-01-01T00:00:00.5Z";
    let coarse = judge(&dated, &[], None, Some(fine), Some("1 k X y z 2024-01-01T00:00:00Z"), &exact);
    assert_eq!(word(&coarse), differ);
}

#[test]
fn two_entities_under_one_key_are_listed_whole() {
    let mut table = coded();
    table.timestamp = Some(5);
    let current = format!("1 k x y z {OLD}");
    let verdict = judge(&table, &[4], None, Some(&current), Some(&format!("1 K X Y z {OLD}")), &rules());
    assert_eq!(word(&verdict), "conflict reused_key");
    assert_eq!(listed(&verdict.fields), ["1! · k K", "2! · x X", "3! · y Y", &format!("5@ · {OLD} {OLD}")]);
    let alike = judge(&table, &[], None, Some(&current), Some("1 K X Y z -"), &rules());
    assert_eq!(listed(&alike.fields), ["1! · k K", "2! · x X", "3! · y Y", "4 · z z"]);
    // In the order of columns, also where what is alike comes first.
    table.timestamp = None;
    let verdict = judge(&table, &[], None, Some("1 k x y z m"), Some("1 K x Y Z M"), &rules());
    assert_eq!(listed(&verdict.fields), ["1! · k K", "2 · x x", "3! · y Y", "4! · z Z", "5! · m M"]);
}

#[test]
fn instants_are_read_from_every_kind_of_value() {
    let seconds = |value: Value, storage: Storage| {
        let column = Column { storage, ..column("at", ColumnType::Any) };
        instant(&value, &column).map(|at| at.seconds)
    };
    let native = |value| seconds(value, Storage::Native);
    let new_year = parse_timestamp(OLD).expect("an instant");
    let epoch = new_year.seconds;
    assert_eq!(native(Value::Timestamp(new_year)), Some(epoch));
    assert_eq!(native(Value::Date(epoch / 86_400)), Some(epoch));
    assert_eq!(native(Value::Text(format!(" {OLD} "))), Some(epoch));
    assert_eq!(native(Value::Integer(epoch.into())), Some(epoch));
    assert_eq!(native(Value::Integer(i128::from(epoch) * 1_000)), Some(epoch), "milliseconds, by their size");
    assert_eq!(native(Value::Float(epoch as f64)), Some(epoch));
    assert_eq!(native(Value::Decimal(Decimal::parse(&epoch.to_string()).expect("a decimal"))), Some(epoch));
    assert_eq!(seconds(Value::Integer(1_000_000), Storage::Epoch { digits: 3 }), Some(1_000), "the column's unit");
    for nothing in [Value::Null, Value::Bool(true), Value::Text("soon".to_owned())] {
        assert_eq!(native(nothing.clone()), None, "{nothing:?}");
    }
}

#[test]
fn circles_of_tables_are_named_as_a_path_and_listed_in_the_order_of_writing() {
    let make = |edges: &[(usize, usize)]| {
        let mut tables: Vec<Table> =
            (0..3).map(|i| table(&format!("t{i}"), &[("id", text()), ("r", text())])).collect();
        edges.iter().for_each(|&(child, parent)| tables[child].foreign_keys.push(refers(1, parent)));
        Schema { engine: Engine::Sqlite, tables, left_out: Vec::new() }
    };
    for (edges, path) in [
        (vec![(0, 1), (1, 2), (2, 0)], "t0.r → t1.r → t2.r → t0"),
        (vec![(0, 2), (2, 1), (1, 0)], "t0.r → t2.r → t1.r → t0"),
        // A reference to itself is passed over; the path ends where it comes round, which need not be its start.
        (vec![(0, 0), (0, 1), (1, 2), (2, 1), (2, 0)], "t0.r → t1.r → t2.r → t1"),
    ] {
        let schema = make(&edges);
        let order = graph::order(&schema);
        assert_eq!((order.tables, order.cycles), (vec![0, 1, 2], vec![vec![0, 1, 2]]), "{edges:?}");
        assert_eq!(graph::describe_cycle(&schema, &[0, 1, 2]), path);
    }
}
