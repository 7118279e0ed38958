//! MariaDB, and by it MySQL's dialect.

use super::*;
use crate::servers;
use merganser::database::RowUpdate;
use merganser::database::mysql::Mysql;
use merganser::model::schema::{Collation, Generated};
use merganser::model::{ColumnType, Value};
use std::time::Duration;

fn connect(fresh: &servers::Fresh) -> Mysql {
    Mysql::connect(&ConnectUrl::parse(&fresh.url).expect("a URL")).expect("connected")
}

const TYPES: &str = r#"
SET sql_mode = '';
CREATE TABLE types (
  id int PRIMARY KEY, flag boolean, tiny tinyint, tinyu tinyint unsigned, small smallint, medium mediumint, mediumu mediumint unsigned,
  big bigint, bigu bigint unsigned, single float, dbl double, money decimal(10,2), wide decimal(65,30), bit1 bit(1), bit9 bit(9),
  bit64 bit(64), y year, plain text, cut varchar(5), fixed char(5), narrow varchar(10) character set latin1,
  old varchar(10) character set utf8mb3, long_text longtext, bytes varbinary(10), padded binary(3), big_bytes blob,
  doc json, at timestamp(6) NULL, at0 timestamp NULL, local datetime(3), local0 datetime, day date, clock time(1), clock0 time,
  mood enum('sad','it''s ok',''), tags set('a','b','c'), guid uuid, address inet6, place point) CHARACTER SET utf8mb4;
CREATE TABLE copy LIKE types;
SET time_zone = '+00:00';
INSERT INTO types VALUES
 (1, true, -128, 255, -32768, -8388608, 16777215, 9223372036854775807, 18446744073709551615, 0.1, 1e-300, 1.10,
  12345678901234567890123456789012345.123456789012345678901234567891, b'1', b'100000001', 18446744073709551615, 2155, 'a\nb\\"', '😀😀😀😀😀', 'ab', 'ä€',
  'äö', REPEAT('x', 70000), x'00ff', x'0102', x'', '{"b": 1.0, "a":12345678901234567890123}', '2024-01-15 10:30:00.123456', '2038-01-19 03:14:07',
  '2024-01-15 10:30:00.123', '9999-12-31 23:59:59', '2024-02-29', '-838:59:59.5', '838:59:59', 'it''s ok', 'a,c', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '::1', POINT(1.5, -2)),
 (2, false, 0, 0, 0, 0, 0, -9223372036854775808, 0, -0.0, -1.5, -99999999.99, 0, b'0', 0, 0, 0, '', '', '', '', '', '', '', '', '', '[]',
  '1970-01-01 00:00:01', '1970-01-01 00:00:01', '0001-01-01', '1000-01-01', '0001-01-01', '00:00:00', '24:00:00', 'sad', '', '00000000-0000-0000-0000-000000000000', '10::', POINT(0, 0)),
 (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
"#;

#[test]
fn f130_every_type_is_read_and_written_back_as_it_was() {
    let fresh = servers::mariadb(TYPES);
    let mut database = connect(&fresh);
    round_trip(&mut database, "types", "copy");
    assert_eq!(fresh.text("SELECT CAST(COUNT(*) AS CHAR) FROM (SELECT * FROM types EXCEPT SELECT * FROM copy) x"), "0");
}

#[test]
fn f122_values_are_read_in_their_documented_form() {
    let fresh = servers::mariadb(TYPES);
    fresh.execute("SET sql_mode = ''; INSERT INTO types (id, flag, local0, day, at0) VALUES (4, 2, '0000-00-00', '2024-00-10', '0000-00-00')");
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let types = table(&schema, "types");
    let records = scan(&mut *database.snapshot().expect("a snapshot"), types);
    let cell = |record: usize, name: &str| records[record][types.column(name).expect(name)].clone();
    assert_eq!(cell(0, "flag"), OwnedCell::Int(1));
    assert_eq!((cell(0, "bigu"), cell(0, "bit64")), (OwnedCell::UInt(u64::MAX), OwnedCell::UInt(u64::MAX)));
    assert_eq!((cell(0, "bit1"), cell(0, "bit9")), (OwnedCell::Int(1), OwnedCell::Int(257)));
    assert_eq!(cell(0, "money"), text("1.10"));
    assert_eq!(cell(0, "narrow"), text("ä€"));
    assert_eq!(cell(0, "padded"), OwnedCell::Bytes(vec![1, 2, 0]));
    assert_eq!(cell(0, "doc"), text(r#"{"b": 1.0, "a":12345678901234567890123}"#));
    assert_eq!(cell(0, "at"), text("2024-01-15 10:30:00.123456"));
    assert_eq!(cell(0, "local"), text("2024-01-15 10:30:00.123"));
    assert_eq!(cell(0, "clock"), text("-838:59:59.5"));
    assert_eq!((cell(0, "mood"), cell(0, "tags")), (text("it's ok"), text("a,c")));
    assert_eq!(cell(0, "guid"), text("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"));
    assert_eq!(cell(1, "day"), text("0001-01-01"));
    assert_eq!(cell(2, "day"), OwnedCell::Null);
    assert_eq!((cell(3, "local0"), cell(3, "day")), (text("0000-00-00 00:00:00"), text("2024-00-10")));
    assert_eq!(cell(3, "at0"), text("0000-00-00 00:00:00"));
    let flag = &types.columns[types.column("flag").expect("flag")];
    assert_eq!(value_of(cell(3, "flag").as_cell(), flag), Some(Value::Integer(2)), "2 is not true");
}

const FEATURES: &str = r#"
CREATE TABLE parent (a int, b varchar(20) COLLATE utf8mb4_bin, PRIMARY KEY (b, a));
CREATE TABLE users (
  id int unsigned AUTO_INCREMENT PRIMARY KEY, email varchar(50) COLLATE utf8mb4_general_ci UNIQUE,
  exact varchar(20) COLLATE utf8mb4_bin, strict varchar(20) COLLATE utf8mb4_nopad_bin,
  name varchar(20) NOT NULL DEFAULT 'it''s', flag tinyint(1) NOT NULL DEFAULT 0, age int CHECK (age >= 18), doc json,
  full_name varchar(30) AS (CONCAT(name, '!')) STORED, boss int unsigned, pa int, pb varchar(20) COLLATE utf8mb4_bin,
  changed timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(), about text,
  UNIQUE KEY pair (name, age), UNIQUE KEY prefix (about(10)),
  CONSTRAINT to_boss FOREIGN KEY (boss) REFERENCES users (id) ON DELETE SET NULL,
  CONSTRAINT to_parent FOREIGN KEY (pb, pa) REFERENCES parent (b, a) ON UPDATE CASCADE,
  CONSTRAINT grown CHECK (age < 150)) CHARACTER SET utf8mb4;
CREATE TABLE old (id int PRIMARY KEY) ENGINE=MyISAM;
CREATE TABLE keyed (note text, code varchar(10) NOT NULL UNIQUE);
CREATE TABLE `odd ``name` (`select` int PRIMARY KEY, `ä b` text);
CREATE VIEW everyone AS SELECT id FROM users; CREATE SEQUENCE counting;
CREATE TABLE counted (id bigint DEFAULT nextval(counting) PRIMARY KEY, n int);
CREATE TRIGGER touching BEFORE UPDATE ON users FOR EACH ROW SET NEW.about = NEW.about;
"#;

#[test]
fn the_schema_is_read_in_full() {
    let fresh = servers::mariadb(FEATURES);
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    assert_eq!(labels(&schema), ["counted", "keyed", "odd `name", "old", "parent", "users"]);
    assert_eq!(schema.left_out, ["counting: a sequence", "everyone: a view"]);

    let users = table(&schema, "users");
    let column = |name: &str| &users.columns[users.column(name).expect(name)];
    assert_eq!((users.key.clone(), users.key_is_primary), (vec![0], true));
    assert_eq!(column("id").generated, Generated::Counter);
    assert_eq!(column("id").ty, ColumnType::Integer { min: 0, max: 4_294_967_295 });
    assert_eq!(column("email").collation, Collation::Database);
    assert_eq!(column("exact").collation, Collation::RTrim);
    assert_eq!(column("strict").collation, Collation::Binary);
    assert_eq!(column("name").default.as_deref(), Some("'it''s'"));
    assert_eq!((&column("flag").ty, &column("doc").ty), (&ColumnType::Boolean, &ColumnType::Json));
    assert_eq!(column("full_name").generated, Generated::Computed);
    assert!(column("email").default.is_none() && column("email").nullable);
    assert_eq!(users.uniques.iter().map(|u| u.name.as_str()).collect::<Vec<_>>(), ["PRIMARY", "email", "pair"]);
    assert_eq!(users.opaque_uniques, ["prefix"]);
    let key = |name: &str| users.foreign_keys.iter().find(|f| f.name == name).expect(name);
    assert_eq!((key("to_boss").table, key("to_boss").on_delete.as_str()), (schema.table("users"), "SET NULL"));
    assert_eq!((key("to_parent").columns.clone(), key("to_parent").references.clone()), (vec![11, 10], vec![1, 0]));
    let checks: Vec<&str> = users.checks.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(checks, ["age", "doc", "grown"]);
    assert_eq!(users.triggers[0].event, "BEFORE UPDATE");
    assert!(users.notes[0].contains("changed"), "{:?}", users.notes);
    assert!(users.refused.is_none());
    assert!(table(&schema, "old").refused.as_deref().is_some_and(|why| why.contains("MyISAM")));
    let keyed = table(&schema, "keyed");
    assert_eq!((keyed.key.clone(), keyed.key_is_primary), (vec![1], false));
    assert_eq!(table(&schema, "counted").columns[0].generated, Generated::Counter);
}

#[test]
fn f116_keys_are_found_as_the_database_sees_equality() {
    let fresh = servers::mariadb(FEATURES);
    fresh.execute(
        "INSERT INTO users (email, exact, strict, name) VALUES ('Ann@x', 'Ann', 'Ann', 'a'), ('bob@x', 'bob', 'bob', 'b'), (NULL, NULL, NULL, 'c')",
    );
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let users = table(&schema, "users");
    let mut snapshot = database.snapshot().expect("a snapshot");
    let mut places = |column: &str, wanted: &[&str]| -> Vec<(usize, OwnedCell)> {
        let mut wanted: Vec<Vec<OwnedCell>> = wanted.iter().map(|w| vec![text(w)]).collect();
        wanted.push(vec![OwnedCell::Null]);
        let found = fetch(&mut *snapshot, users, &[users.column(column).expect(column)], &wanted);
        found.into_iter().map(|(place, cells)| (place, cells[0].clone())).collect()
    };
    let (one, two) = (OwnedCell::Int(1), OwnedCell::Int(2));
    assert_eq!(places("email", &["none", "ÁNN@X  ", "BOB@x"]), [(1, one.clone()), (2, two.clone())]);
    assert_eq!(places("exact", &["Ann ", "Bob"]), [(0, one.clone())]);
    assert_eq!(places("strict", &["Ann ", "bob"]), [(1, two)]);
    assert_eq!(places("id", &["1"]), [(0, one)]);
}

#[test]
fn f65_violations_are_predicted_without_writing() {
    let fresh = servers::mariadb(FEATURES);
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let users = table(&schema, "users");
    let user = |name: OwnedCell, age: OwnedCell, doc: OwnedCell| {
        let mut record = vec![OwnedCell::Absent; users.columns.len()];
        for (column, cell) in [("name", name), ("age", age), ("doc", doc)] {
            record[users.column(column).expect(column)] = cell;
        }
        record
    };
    let records = [
        user(text("a"), OwnedCell::Int(18), text("[]")),
        user(text("a"), OwnedCell::Int(17), OwnedCell::Null),
        user(OwnedCell::Null, OwnedCell::Int(20), OwnedCell::Null),
        user(OwnedCell::Absent, OwnedCell::Int(150), OwnedCell::Null),
        user(OwnedCell::Absent, OwnedCell::Null, text("{")),
    ];
    let mut snapshot = database.snapshot().expect("a snapshot");
    let found = snapshot.violations(users, &records).expect("answers");
    let names: Vec<Option<&str>> = found.iter().map(|v| v.as_ref().map(|v| v.constraint.as_str())).collect();
    assert_eq!(names, [None, Some("age"), Some("name not null"), Some("grown"), Some("doc")]);
    assert_eq!(snapshot.count(users).expect("a count"), 0);
}

const SHOP: &str = "
CREATE TABLE parent (id int AUTO_INCREMENT PRIMARY KEY, code varchar(20) UNIQUE, amount decimal(20,10), note json, at datetime(3),
  changed timestamp NOT NULL DEFAULT '2020-01-01 00:00:00' ON UPDATE current_timestamp());
CREATE TABLE child (id int AUTO_INCREMENT PRIMARY KEY, parent int, n int CHECK (n < 100), FOREIGN KEY (parent) REFERENCES parent (id));
INSERT INTO parent (code, amount, note, at) VALUES ('a', 1.1, '{\"x\":1}', '2024-01-15 10:30:00.123'), ('b', NULL, NULL, NULL), ('c', 0, '[]', NULL);
INSERT INTO child (parent, n) VALUES (1, 1), (1, 2), (2, 3);";

fn update(key: i64, before: OwnedCell, after: OwnedCell) -> RowUpdate {
    RowUpdate { key: vec![OwnedCell::Int(key)], before: vec![before], after: vec![after] }
}

#[test]
fn a_transaction_writes_all_or_nothing() {
    let fresh = servers::mariadb(SHOP);
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let (parent, child) = (table(&schema, "parent"), table(&schema, "child"));
    for commit in [false, true] {
        let mut t = database.begin(&WriteOptions::default()).expect("a transaction");
        assert_eq!(t.id().expect("no error"), None);
        t.insert(parent, &[0, 1], &[vec![OwnedCell::Int(50), text("z")], vec![OwnedCell::Int(0), text("zero")]])
            .expect("inserted");
        let children = [
            vec![OwnedCell::Int(70), OwnedCell::Int(50), OwnedCell::Int(7)],
            vec![OwnedCell::Absent, OwnedCell::Int(1), OwnedCell::Absent],
        ];
        t.insert(child, &[0, 1, 2], &children).expect("inserted");
        let codes = [
            update(1, text("a"), text("A")),
            update(2, text("B"), text("x")),
            update(3, text("c"), text("c")),
            update(99, text("a"), text("x")),
        ];
        assert_eq!(
            t.update(parent, &[1], &codes).expect("updated"),
            [1, 3],
            "the guard sees what the collation does not"
        );
        let amounts = [
            update(1, text("1.1"), text("2.5")),
            update(2, OwnedCell::Null, text("1")),
            update(3, text("0.0000000001"), text("3")),
        ];
        assert_eq!(t.update(parent, &[2], &amounts).expect("updated"), [2]);
        let notes = [update(1, text("{\"x\":1}"), text("{\"y\":[null]}")), update(3, text("{}"), OwnedCell::Null)];
        assert_eq!(t.update(parent, &[3], &notes).expect("updated"), [1]);
        let times = [
            update(1, text("2024-01-15 10:30:00.123"), text("2025-01-01 00:00:00.000")),
            update(2, text("2024-01-15 10:30:00.123"), OwnedCell::Null),
        ];
        assert_eq!(t.update(parent, &[4], &times).expect("updated"), [1]);
        assert_eq!(t.delete(parent, &[vec![OwnedCell::Int(3)], vec![OwnedCell::Int(4)]]).expect("deleted"), [1]);
        assert_eq!(t.count(parent).expect("a count"), 4);
        let foreign_key = &child.foreign_keys[0];
        let counts = t.referrers(
            child,
            foreign_key,
            &[vec![OwnedCell::Int(1)], vec![OwnedCell::Int(9)], vec![OwnedCell::Int(50)]],
        );
        assert_eq!(counts.expect("counts"), [3, 0, 1]);
        t.check(&[parent, child]).expect("checked");
        if commit {
            t.commit().expect("committed");
        } else {
            t.rollback().expect("rolled back");
        }
        let expected = if commit { "0zero,1A,2b,50z" } else { "1a,2b,3c" };
        assert_eq!(fresh.text("SELECT GROUP_CONCAT(id, code ORDER BY id) FROM parent"), expected);
    }
    assert_eq!(
        fresh.text("SELECT CAST(COUNT(*) AS CHAR) FROM parent WHERE id < 3 AND id > 0 AND YEAR(changed) = 2020"),
        "2"
    );
}

#[test]
fn f59_counters_only_move_forward() {
    let fresh =
        servers::mariadb(&format!("{FEATURES} INSERT INTO counted VALUES (7, 1); INSERT INTO users (id) VALUES (41)"));
    fresh.execute("ALTER TABLE users AUTO_INCREMENT = 1000");
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let tables: Vec<&Table> = schema.tables.iter().collect();
    let mut t = database.begin(&WriteOptions::default()).expect("a transaction");
    let keyed = table(&schema, "counted");
    t.insert(keyed, &[0, 1], &[vec![OwnedCell::Int(500), OwnedCell::Int(1)]]).expect("inserted");
    t.commit().expect("committed");
    database.advance_counters(&tables).expect("advanced");
    database.advance_counters(&tables).expect("advanced twice");
    fresh.execute("INSERT INTO counted (n) VALUES (2); INSERT INTO users (name) VALUES ('next')");
    assert!(fresh.text("SELECT CAST(MAX(id) AS CHAR) FROM counted").parse::<u64>().is_ok_and(|id| id > 500));
    assert_eq!(fresh.text("SELECT CAST(MAX(id) AS CHAR) FROM users"), "1000");
}

#[test]
fn f65_a_refusal_names_table_and_constraint() {
    let fresh = servers::mariadb(SHOP);
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let (parent, child) = (table(&schema, "parent"), table(&schema, "child"));
    for (table, columns, record, name) in [
        (parent, vec![1], vec![text("A")], "code"),
        (child, vec![1], vec![OwnedCell::Int(77)], "child_ibfk_1"),
        (child, vec![2], vec![OwnedCell::Int(100)], "n"),
        (parent, vec![4], vec![text("2024-02-30 00:00:00")], "at"),
    ] {
        let mut t = database.begin(&WriteOptions::default()).expect("a transaction");
        t.insert(parent, &[1], &[vec![text("new")]]).expect("inserted");
        let error = t.insert(table, &columns, &[record]).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains(name) && error.to_string().contains(&table.name), "{error}");
        assert!(t.count(parent).is_err(), "the transaction is over");
    }
    assert_eq!(fresh.text("SELECT CONCAT((SELECT COUNT(*) FROM parent), '/', (SELECT COUNT(*) FROM child))"), "3/3");
}

#[test]
fn f52_new_broken_references_are_found_and_old_ones_left_alone() {
    let fresh = servers::mariadb(SHOP);
    fresh.execute("SET foreign_key_checks = 0; INSERT INTO child (id, parent) VALUES (90, 900)");
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let child = table(&schema, "child");
    let mut t = database.begin(&WriteOptions::default()).expect("a transaction");
    t.insert(child, &[1], &[vec![OwnedCell::Int(1)], vec![OwnedCell::Null]]).expect("inserted");
    assert_eq!(
        t.update(child, &[2], &[update(90, OwnedCell::Null, OwnedCell::Int(5))]).expect("updated"),
        [] as [usize; 0]
    );
    t.check(&[child]).expect("nothing new is broken");
    t.commit().expect("committed");
}

#[test]
fn f36_a_second_merge_is_told_who_is_at_work() {
    let (fresh, other) = (servers::mariadb(SHOP), servers::mariadb(""));
    let (mut first, mut second) = (connect(&fresh), connect(&fresh));
    let open = first.begin(&WriteOptions::default()).expect("a transaction");
    let hurried = WriteOptions { lock_timeout: Duration::from_millis(1), ..WriteOptions::default() };
    let error = second.begin(&hurried).err().expect("busy");
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.to_string().contains("connection"), "{error}");
    drop(connect(&other).begin(&hurried).expect("another database has a lock of its own"));
    drop(open);
    drop(second.begin(&WriteOptions::default()).expect("free again"));
}

#[test]
fn f34_locks_of_others_are_reported_as_busy_and_end_the_transaction() {
    let fresh = servers::mariadb(SHOP);
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let parent = table(&schema, "parent");

    // What is fetched is locked, and is what others committed last, not what the snapshot shows.
    let hurried = WriteOptions { lock_timeout: Duration::from_secs(1), ..WriteOptions::default() };
    let mut t = database.begin(&hurried).expect("a transaction");
    assert_eq!(t.count(parent).expect("a count"), 3);
    fresh.execute("UPDATE parent SET code = 'changed' WHERE id = 1");
    let found = fetch(&mut *t, parent, &[0], &[vec![OwnedCell::Int(1)]]);
    assert_eq!(found[0].1[1], text("changed"));
    assert_eq!(t.update(parent, &[1], &[update(1, text("a"), text("x"))]).expect("guarded"), [0]);
    let blocked = fresh.try_execute("SET innodb_lock_wait_timeout = 0; UPDATE parent SET code = 'B' WHERE id = 1");
    assert!(blocked.is_err_and(|e| e.to_string().contains("Lock wait timeout")));

    drop(t);

    // The other way round: a program of somebody else holds the record.
    let held = fresh.hold("SELECT * FROM parent WHERE id = 2 FOR UPDATE");
    let mut t = database.begin(&hurried).expect("a transaction");
    t.insert(parent, &[1], &[vec![text("lost")]]).expect("inserted");
    let error = t.update(parent, &[1], &[update(2, text("b"), text("x"))]).expect_err("locked");
    assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
    assert!(t.commit().is_err(), "a transaction that timed out is never committed");
    drop(held);
    assert_eq!(fresh.text("SELECT CAST(COUNT(*) AS CHAR) FROM parent"), "3");
}

#[test]
fn the_session_is_set_as_the_protocol_says() {
    let fresh = servers::mariadb(
        "CREATE TABLE seen (name varchar(40) PRIMARY KEY, setting text);
         CREATE TRIGGER spying BEFORE INSERT ON seen FOR EACH ROW SET NEW.setting =
           CONCAT_WS('|', @@SESSION.time_zone, @@SESSION.foreign_key_checks + 0, @@SESSION.tx_isolation, @@SESSION.innodb_lock_wait_timeout,
             @@character_set_client);",
    );
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let seen = table(&schema, "seen");
    let mut t = database.begin(&WriteOptions::default()).expect("a transaction");
    t.insert(seen, &[0], &[vec![text("x")]]).expect("inserted");
    let found = fetch(&mut *t, seen, &[0], &[vec![text("x")]]);
    assert_eq!(found[0].1[1], text("+00:00|1|REPEATABLE-READ|10|utf8mb4"));
    let error = t.insert(seen, &[0], &[vec![text(&"long".repeat(20))]]).expect_err("strict");
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[test]
fn a_snapshot_does_not_move_and_can_change_threads() {
    let fresh = servers::mariadb(SHOP);
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let parent = table(&schema, "parent").clone();
    let mut snapshot = database.snapshot().expect("a snapshot");
    fresh.execute("DELETE FROM child; DELETE FROM parent");
    let read = std::thread::spawn(move || scan(&mut *snapshot, &parent).len()).join().expect("read");
    assert_eq!(read, 3);
    assert_eq!(database.snapshot().expect("a snapshot").count(table(&schema, "parent")).expect("a count"), 0);
}

#[test]
fn large_tables_are_streamed_and_written_in_many_batches() {
    let fresh = servers::mariadb(
        "CREATE TABLE big (id int PRIMARY KEY, body text); INSERT INTO big SELECT seq, CONCAT(REPEAT('x', 100), seq) FROM seq_1_to_20000;
         CREATE TABLE copy LIKE big",
    );
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let (big, copy) = (table(&schema, "big"), table(&schema, "copy"));
    let mut snapshot = database.snapshot().expect("a snapshot");
    let records = scan(&mut *snapshot, big);
    assert_eq!((records.len(), &records[19_999][0]), (20_000, &OwnedCell::Int(20_000)));
    assert_eq!(scan(&mut *snapshot, copy).len(), 0);
    let wanted: Vec<Vec<OwnedCell>> = (1..=5000).map(|i| vec![OwnedCell::Int(i * 5)]).collect();
    let found = fetch(&mut *snapshot, big, &[0], &wanted);
    assert_eq!(found.len(), 4000);
    assert!(found.iter().all(|(place, cells)| wanted[*place][0] == cells[0]));
    let stop = snapshot.scan(big, &mut |_| Err(merganser::Error::new(ErrorKind::Interrupted, "stop")));
    assert_eq!(stop.expect_err("stopped").kind(), ErrorKind::Interrupted);
    let mut t = database.begin(&WriteOptions::default()).expect("a transaction");
    t.insert(copy, &[0, 1], &records).expect("inserted");
    t.commit().expect("committed");
    assert_eq!(fresh.text("SELECT CAST(COUNT(*) AS CHAR) FROM copy"), "20000");
}

#[test]
fn what_can_not_be_reached_or_read_is_said_so() {
    let fresh = servers::mariadb(
        "CREATE TABLE hidden (id int PRIMARY KEY); CREATE TABLE shown (id int PRIMARY KEY);
         CREATE USER IF NOT EXISTS 'reader'@'%';",
    );
    for url in [
        "mysql://tester@127.0.0.1:1/none".to_owned(),
        fresh.url.replace("/test_", "/no_such_"),
        fresh.url.replace("tester@", "tester:wrong@"),
    ] {
        let error = Mysql::connect(&ConnectUrl::parse(&url).expect("a URL")).err().expect("unreachable");
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{url}: {error:?}");
    }
    let (server, _) = fresh.url.rsplit_once('/').expect("a URL");
    let error = Mysql::connect(&ConnectUrl::parse(server).expect("a URL")).err().expect("no database");
    assert_eq!(error.kind(), ErrorKind::Usage);

    let schema = connect(&fresh).schema().expect("the schema");
    fresh.execute("GRANT SELECT ON shown TO 'reader'@'%'");
    let url = ConnectUrl::parse(&fresh.url.replace("tester@", "reader@")).expect("a URL");
    let mut database = Mysql::connect(&url).expect("connected");
    assert_eq!(labels(&database.schema().expect("the schema")), ["shown"]);
    let mut snapshot = database.snapshot().expect("a snapshot");
    let error = snapshot.scan(table(&schema, "hidden"), &mut |_| Ok(())).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "{error:?}");
}

#[test]
fn f9_f10_a_lost_connection_is_told_from_an_unknown_outcome() {
    let fresh = servers::mariadb("CREATE TABLE t (id int PRIMARY KEY)");
    let connect = |url: &ConnectUrl| -> Box<dyn Database> { Box::new(Mysql::connect(url).expect("connected")) };
    lost_write(&fresh, connect);
    lost_commit(&fresh, connect);
}

#[test]
fn f51_references_are_asked_for_again_before_the_commit() {
    let fresh = servers::mariadb(SHOP);
    // The engine lets no broken reference in, so a record that a trigger mends stands for one.
    fresh.execute("CREATE TRIGGER mending BEFORE INSERT ON child FOR EACH ROW SET NEW.parent = 1");
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let known = table(&schema, "child").clone();
    let mut unknown = known.clone();
    unknown.triggers.clear();
    for (child, expected) in [(known, None), (unknown, Some("there is no 77"))] {
        let mut t = database.begin(&WriteOptions::default()).expect("a transaction");
        let records = [vec![OwnedCell::Int(1)], vec![OwnedCell::Int(77)], vec![OwnedCell::Int(2)]];
        t.insert(&child, &[1], &records).expect("inserted");
        let error = t.check(&[&child]).err();
        assert!(!error.as_ref().is_some_and(|error| error.to_string().contains("77")), "values are quoted apart");
        let error = error.map(|error| error.reveal().to_string());
        assert_eq!(error.is_some(), expected.is_some(), "{error:?}");
        assert!(error.unwrap_or_default().contains(expected.unwrap_or_default()));
    }
    assert_eq!(fresh.text("SELECT CAST(COUNT(*) AS CHAR) FROM child"), "3");
}
