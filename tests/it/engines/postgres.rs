//! PostgreSQL.

use super::*;
use crate::servers;
use merganser::database::RowUpdate;
use merganser::database::postgres::Postgres;
use merganser::model::ColumnType;
use merganser::model::schema::{Collation, Generated};
use std::time::Duration;

fn connect(fresh: &servers::Fresh) -> Postgres {
    Postgres::connect(&ConnectUrl::parse(&fresh.url).expect("a URL")).expect("connected")
}

const TYPES: &str = r#"
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine"');
CREATE DOMAIN short AS varchar(5) CHECK (VALUE <> 'never');
CREATE DOMAIN shorter AS short NOT NULL CHECK (length(VALUE) < 5);
CREATE TYPE pair AS (a int, b text);
CREATE TABLE types (
  id int PRIMARY KEY, flag bool, tiny int2, big int8, object oid, single float4, double float8,
  free numeric, money10 numeric(10,2), plain text, cut varchar(5), fixed char(5), bytes bytea,
  doc json, docb jsonb, at timestamptz, at3 timestamptz(3), local timestamp, local0 timestamp(0),
  day date, clock time, clock3 time(3), clockz timetz, guid uuid, mood mood, domained short, span interval,
  ints int[], texts text[], moods mood[], nested int[][], range int4range, address inet, cash money, xml xml,
  vector tsvector, bits bit(3), vbits bit varying(8), place point, pair pair, letter "char", ranges tsrange);
CREATE TABLE copy (LIKE types INCLUDING ALL);
INSERT INTO types VALUES
 (1, true, -32768, 9223372036854775807, 4294967295, 0.1, 'NaN', 12345678901234567890.0123456789, 1.10, E'a\nb"\\', 'abcde', 'ab', '\x00ff',
  '{"b": 1.0,  "a":12345678901234567890123}', '{"b": 1.0, "a":12345678901234567890123}',
  '2024-01-15 10:30:00.123456+00', '2024-01-15 10:30:00.123+00', '2024-01-15 10:30:00.5', '2024-01-15 10:30:00',
  '2024-02-29', '24:00', '10:30:00.123', '10:30:00+05:45', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'it''s "fine"', 'short', '1 year 2 days 03:04:05.6',
  '{1,NULL,3}', '{"a b",NULL,"NULL","x\"y\\z",""}', '{sad,ok}', '{{1,2},{3,4}}', '[1,5)', '192.168.0.1/24', '12.34', '<a>1</a>',
  '''fat'':2 ''cat'':1A', '101', '1010', '(1.5,-2)', '(1,"a,b")', 'x', '[2024-01-01 00:00:00,infinity)'),
 (2, false, 0, -9223372036854775808, 0, 'Infinity', '-Infinity', 'NaN', 'NaN', '', '', '', '', '[]', '[]', 'infinity', '-infinity', 'infinity', '-infinity',
  'infinity', '00:00', '00:00', '00:00+00', '00000000-0000-0000-0000-000000000000', 'sad', '', '0', '{}', '{}', '{}', '{}', 'empty', '::1', '-0.01', '', '', '000', '', '(0,0)', '(,)', '', 'empty'),
 (3, NULL, 1, 1, 1, '-0', 2.2250738585072014e-308, 'Infinity', -99999999.99, '😀 Ünï', '😀😀😀😀😀', 'ab c', '\x', 'null', 'null', '4713-01-01 00:00:00+00 BC', '294276-12-31 23:59:59.999+00',
  '0044-03-15 12:00 BC', '12345-01-01', '4713-01-01 BC', '23:59:59.999999', '23:59:59.999', '23:59:59-15:59', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'ok', NULL, '-1 mon', '{2147483647}', '{NULL}', NULL, '{{1},{2}}', '(,)', '10.0.0.0/8', '0', 'text',
  'a', '111', '1', '(0,0)', '(2,)', 'z', '(,)'),
 (4, NULL, NULL, NULL, NULL, NULL, NULL, 1e-20, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
"#;

#[test]
fn f130_every_type_is_read_and_written_back_as_it_was() {
    let fresh = servers::postgres(TYPES);
    let mut database = connect(&fresh);
    round_trip(&mut database, "types", "copy");
    assert_eq!(
        fresh.text("SELECT count(*)::text FROM (SELECT t::text FROM types t EXCEPT SELECT c::text FROM copy c) x"),
        "0"
    );
}

#[test]
fn f122_values_are_read_in_their_documented_form() {
    let fresh = servers::postgres(TYPES);
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let types = table(&schema, "types");
    let records = scan(&mut *database.snapshot().expect("a snapshot"), types);
    let cell = |record: usize, name: &str| records[record][types.column(name).expect(name)].clone();
    assert_eq!(cell(0, "flag"), OwnedCell::Bool(true));
    assert_eq!(cell(0, "big"), OwnedCell::Int(i64::MAX));
    assert_eq!(cell(0, "object"), OwnedCell::Int(4_294_967_295));
    assert_eq!(cell(0, "free"), text("12345678901234567890.0123456789"));
    assert_eq!(cell(0, "money10"), text("1.10"));
    assert_eq!(cell(0, "fixed"), text("ab   "));
    assert_eq!(cell(0, "bytes"), OwnedCell::Bytes(vec![0, 255]));
    assert_eq!(cell(0, "doc"), text("{\"b\": 1.0,  \"a\":12345678901234567890123}"));
    assert_eq!(cell(0, "at"), text("2024-01-15 10:30:00.123456+00"));
    assert_eq!(cell(0, "at3"), text("2024-01-15 10:30:00.123+00"));
    assert_eq!(cell(0, "local"), text("2024-01-15 10:30:00.500000"));
    assert_eq!(cell(0, "clock"), text("24:00:00.000000"));
    assert_eq!(cell(0, "mood"), text("it's \"fine\""));
    assert_eq!(cell(0, "texts"), text(r#"["a b",null,"NULL","x\"y\\z",""]"#));
    assert_eq!(cell(0, "nested"), text("[[1,2],[3,4]]"));
    assert_eq!(cell(0, "range"), text("[1,5)"));
    assert_eq!(cell(0, "pair"), text("(1,\"a,b\")"));
    assert_eq!(cell(0, "xml"), text("<a>1</a>"));
    assert_eq!(cell(1, "free"), text("NaN"));
    assert_eq!(cell(1, "at"), text("infinity"));
    assert_eq!(cell(2, "at"), text("4713-01-01 00:00:00.000000+00 BC"));
    assert_eq!(cell(2, "at3"), text("294276-12-31 23:59:59.999+00"));
    assert_eq!(cell(2, "local0"), text("12345-01-01 00:00:00"));
    assert_eq!(cell(3, "free"), text("0.00000000000000000001"));
    assert_eq!(cell(3, "day"), OwnedCell::Null);
    assert!(matches!(cell(1, "double"), OwnedCell::Real(r) if r == f64::NEG_INFINITY));
    assert!(matches!(cell(2, "single"), OwnedCell::Real(r) if r == 0.0 && r.is_sign_negative()));
}

const FEATURES: &str = r#"
CREATE SCHEMA app; CREATE SCHEMA empty;
CREATE EXTENSION IF NOT EXISTS citext SCHEMA app;
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE app.parent (a int, b text, PRIMARY KEY (b, a));
CREATE TABLE users (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, serial serial, second int GENERATED BY DEFAULT AS IDENTITY,
  email text COLLATE nocase UNIQUE, handle app.citext NOT NULL, name varchar(20) NOT NULL DEFAULT 'x',
  full_name text GENERATED ALWAYS AS (name || '!') STORED, age int CONSTRAINT adult CHECK (age >= 18),
  boss int REFERENCES users ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED, pa int, pb text, deleted bool,
  CONSTRAINT to_parent FOREIGN KEY (pa, pb) REFERENCES app.parent (a, b) ON UPDATE CASCADE,
  CONSTRAINT age_once UNIQUE NULLS NOT DISTINCT (age) INCLUDE (name));
CREATE UNIQUE INDEX active_name ON users (name) WHERE deleted IS NULL;
CREATE UNIQUE INDEX lower_name ON users (lower(name));
CREATE TABLE booking (room int, during int4range, EXCLUDE USING gist (during WITH &&));
CREATE TABLE keyed (code text NOT NULL UNIQUE, note text);
CREATE TABLE measure (id int, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE measure_2024 PARTITION OF measure FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE base (id int PRIMARY KEY); CREATE TABLE derived (extra text) INHERITS (base);
INSERT INTO base VALUES (1); INSERT INTO derived VALUES (2, 'x');
CREATE TABLE orphan (id int PRIMARY KEY, base int);
INSERT INTO orphan VALUES (1, 99);
ALTER TABLE orphan ADD CONSTRAINT late FOREIGN KEY (base) REFERENCES base NOT VALID;
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE domained (id int PRIMARY KEY, n positive NOT NULL);
CREATE VIEW everyone AS SELECT id FROM users; CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM users;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touching BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TABLE guarded (id int PRIMARY KEY); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE TABLE "Odd ""Name" ("select" int PRIMARY KEY, "ä b" text);
"#;

#[test]
fn the_schema_is_read_in_full() {
    let fresh = servers::postgres(FEATURES);
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let expected = [
        "Odd \"Name",
        "base",
        "booking",
        "derived",
        "domained",
        "guarded",
        "keyed",
        "measure",
        "orphan",
        "users",
        "app.parent",
    ];
    assert_eq!(labels(&schema), expected);
    assert_eq!(schema.left_out, ["counted: a materialized view", "everyone: a view"]);

    let users = table(&schema, "users");
    let column = |name: &str| &users.columns[users.column(name).expect(name)];
    assert_eq!((users.key.clone(), users.key_is_primary), (vec![0], true));
    assert_eq!(column("id").generated, Generated::IdentityAlways);
    assert_eq!(column("serial").generated, Generated::Counter);
    assert_eq!(column("second").generated, Generated::Counter);
    assert_eq!(column("full_name").generated, Generated::Computed);
    assert_eq!(column("email").collation, Collation::Database);
    assert_eq!(column("handle").collation, Collation::Database);
    assert_eq!(column("name").ty, ColumnType::Text { max_chars: Some(20) });
    assert_eq!(column("name").default.as_deref(), Some("'x'::character varying"));
    assert!(!column("name").nullable && !column("name").required() && column("handle").required());
    let unique = |name: &str| users.uniques.iter().find(|u| u.name == name).expect(name);
    assert_eq!(users.uniques[0].name, "users_pkey");
    assert_eq!((unique("age_once").columns.clone(), unique("age_once").nulls_equal), (vec![7], true));
    assert_eq!(unique("active_name").predicate.as_deref(), Some("(deleted IS NULL)"));
    // What only the database can evaluate is known with the columns that it reads.
    let reads = |name: &str| users.names(&unique(name).reads);
    assert_eq!((unique("lower_name").columns.len(), reads("lower_name")), (0, vec!["name"]));
    assert_eq!(reads("active_name"), ["name", "deleted"]);
    assert!(users.opaque_uniques.is_empty() && unique("age_once").reads == [7], "{:?}", users.uniques);
    assert_eq!(table(&schema, "booking").opaque_uniques, ["booking_during_excl"]);
    let key = |name: &str| users.foreign_keys.iter().find(|f| f.name == name).expect(name);
    let boss = key("users_boss_fkey");
    assert_eq!((boss.deferrable, boss.on_delete.as_str(), boss.table), (true, "SET NULL", schema.table("users")));
    let parent = key("to_parent");
    assert_eq!((parent.table, parent.table_name.as_str()), (schema.table("app.parent"), "app.parent"));
    assert_eq!((parent.columns.clone(), parent.references.clone()), (vec![9, 10], vec![0, 1]));
    assert_eq!(parent.on_update, "CASCADE");
    assert_eq!(table(&schema, "app.parent").key, [1, 0]);
    assert_eq!((users.checks[0].name.as_str(), users.checks[0].expression.as_str()), ("adult", "(age >= 18)"));
    assert_eq!(users.triggers[0].event, "BEFORE INSERT OR UPDATE");

    let keyed = table(&schema, "keyed");
    assert_eq!((keyed.key.clone(), keyed.key_is_primary), (vec![0], false));
    assert!(table(&schema, "booking").key.is_empty());
    assert!(table(&schema, "measure").notes[0].starts_with("partitioned into 1"));
    assert!(table(&schema, "base").notes[0].contains("inherit"));
    assert!(table(&schema, "orphan").notes[0].contains("late"));
    assert!(table(&schema, "guarded").notes[0].contains("row security"));
    let domained = table(&schema, "domained");
    assert_eq!(domained.columns[1].declared, "positive");
    assert!(matches!(domained.columns[1].ty, ColumnType::Integer { max: 2_147_483_647, .. }));
    assert_eq!(domained.checks[0].expression, "CHECK ((VALUE > 0))");

    let mut snapshot = database.snapshot().expect("a snapshot");
    assert_eq!(snapshot.count(table(&schema, "base")).expect("a count"), 1);
    assert_eq!(scan(&mut *snapshot, table(&schema, "base")).len(), 1);
}

#[test]
fn one_schema_can_be_chosen() {
    let fresh = servers::postgres(FEATURES);
    let url = ConnectUrl::parse(&format!("{}?schema=app", fresh.url)).expect("a URL");
    let mut database = Postgres::connect(&url).expect("connected");
    assert_eq!(labels(&database.schema().expect("the schema")), ["app.parent"]);
    assert!(database.identity().display.ends_with("?schema=app"), "{}", database.identity().display);
}

#[test]
fn two_addresses_of_one_database_have_one_identity() {
    let (fresh, other) = (servers::postgres(""), servers::postgres(""));
    let again = fresh.url.replace("postgres://tester@127.0.0.1", "postgresql+psycopg://tester@localhost");
    let again = Postgres::connect(&ConnectUrl::parse(&again).expect("a URL")).expect("connected");
    assert_eq!(connect(&fresh).identity().id, again.identity().id);
    assert_ne!(connect(&fresh).identity().id, connect(&other).identity().id);
}

#[test]
fn f116_keys_are_found_as_the_database_sees_equality() {
    let fresh = servers::postgres(FEATURES);
    fresh.execute(
        "INSERT INTO users (email, handle, name, age) VALUES ('Ann@x', 'Ann', 'a', 20), ('bob@x', 'BOB', 'b', 21), ('c@x', 'c', 'c', NULL)",
    );
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let users = table(&schema, "users");
    let mut snapshot = database.snapshot().expect("a snapshot");
    let mut places = |column: &str, wanted: &[OwnedCell]| -> Vec<(usize, OwnedCell)> {
        let wanted: Vec<Vec<OwnedCell>> = wanted.iter().map(|w| vec![w.clone()]).collect();
        let found = fetch(&mut *snapshot, users, &[users.column(column).expect(column)], &wanted);
        found.into_iter().map(|(place, cells)| (place, cells[0].clone())).collect()
    };
    let (one, two) = (OwnedCell::Int(1), OwnedCell::Int(2));
    assert_eq!(places("email", &[text("ANN@X"), text("none")]), [(0, one.clone())]);
    assert_eq!(places("handle", &[text("x"), text("bob"), text("aNN")]), [(1, two.clone()), (2, one.clone())]);
    assert_eq!(places("name", &[text("A"), text("b")]), [(1, two.clone())]);
    assert_eq!(places("age", &[OwnedCell::Null, OwnedCell::Int(20)]), [(1, one)]);
}

#[test]
fn f65_violations_are_predicted_without_writing() {
    let fresh = servers::postgres(&format!("{TYPES} {FEATURES}"));
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let users = table(&schema, "users");
    let user = |name: OwnedCell, age: OwnedCell| {
        let mut record = vec![OwnedCell::Absent; users.columns.len()];
        record[users.column("handle").expect("handle")] = text("h");
        record[users.column("name").expect("name")] = name;
        record[users.column("age").expect("age")] = age;
        record
    };
    let records = [
        user(text("a"), OwnedCell::Int(18)),
        user(text("a"), OwnedCell::Int(17)),
        user(OwnedCell::Null, OwnedCell::Int(20)),
        user(OwnedCell::Absent, OwnedCell::Null),
        vec![OwnedCell::Absent; users.columns.len()],
    ];
    let mut snapshot = database.snapshot().expect("a snapshot");
    let found = snapshot.violations(users, &records).expect("answers");
    let names: Vec<Option<&str>> = found.iter().map(|v| v.as_ref().map(|v| v.constraint.as_str())).collect();
    assert_eq!(names, [None, Some("adult"), Some("name not null"), None, Some("handle not null")]);

    let domained = table(&schema, "domained");
    let record = |n: OwnedCell| vec![OwnedCell::Int(1), n];
    let records = [record(OwnedCell::Int(5)), record(OwnedCell::Int(0)), record(OwnedCell::Int(7)), record(text("x"))];
    let found = snapshot.violations(domained, &records).expect("answers");
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false, true]);
    assert_eq!(found[1].as_ref().map(|v| v.constraint.as_str()), Some("positive_check"));

    let measure = table(&schema, "measure");
    let found = snapshot.violations(
        measure,
        &[vec![OwnedCell::Int(1), text("2024-05-05")], vec![OwnedCell::Int(1), text("2025-05-05")]],
    );
    let found = found.expect("answers");
    assert_eq!(found[0], None);
    assert_eq!(found[1].as_ref().map(|v| v.constraint.as_str()), Some("partition"));
    assert_eq!(snapshot.count(users).expect("still usable"), 0);
}

const SHOP: &str = "
CREATE TABLE parent (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text UNIQUE, note json);
CREATE TABLE child (id serial PRIMARY KEY, parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED, n int CHECK (n < 100));
INSERT INTO parent (code, note) VALUES ('a', '{\"x\":1}'), ('b', NULL), ('c', '[]');
INSERT INTO child (parent, n) VALUES (1, 1), (1, 2), (2, 3);";

fn update(key: i64, before: OwnedCell, after: OwnedCell) -> RowUpdate {
    RowUpdate { key: vec![OwnedCell::Int(key)], before: vec![before], after: vec![after] }
}

#[test]
fn a_transaction_writes_all_or_nothing() {
    let fresh = servers::postgres(SHOP);
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let (parent, child) = (table(&schema, "parent"), table(&schema, "child"));
    for commit in [false, true] {
        let mut t = database.begin(&WriteOptions::default()).expect("a transaction");
        let id = t.id().expect("an id").expect("an id");
        t.insert(
            child,
            &[0, 1, 2],
            &[
                vec![OwnedCell::Int(70), OwnedCell::Int(50), OwnedCell::Int(7)],
                vec![OwnedCell::Absent, OwnedCell::Int(1), OwnedCell::Absent],
            ],
        )
        .expect("children before parents");
        t.insert(parent, &[0, 1], &[vec![OwnedCell::Int(50), text("z")]]).expect("an identity of its own");
        let missed = t.update(
            parent,
            &[1],
            &[update(1, text("a"), text("A")), update(2, text("stale"), text("B")), update(99, text("a"), text("x"))],
        );
        assert_eq!(missed.expect("updated"), [1, 2]);
        let note = [update(1, text("{\"x\":1}"), text("{\"y\":[null]}")), update(3, text("{}"), OwnedCell::Null)];
        assert_eq!(t.update(parent, &[2], &note).expect("updated"), [1]);
        assert_eq!(t.delete(parent, &[vec![OwnedCell::Int(3)], vec![OwnedCell::Int(4)]]).expect("deleted"), [1]);
        assert_eq!(t.count(parent).expect("a count"), 3);
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
        assert_eq!(database.transaction_outcome(&id).expect("an answer"), Some(commit));
        let expected = if commit { "1A,2b,50z" } else { "1a,2b,3c" };
        assert_eq!(fresh.text("SELECT string_agg(id || code, ',' ORDER BY id) FROM parent"), expected);
    }
    assert_eq!(database.transaction_outcome("99999999").unwrap_or(None), None);
}

#[test]
fn f59_sequences_only_move_forward() {
    let fresh = servers::postgres(SHOP);
    fresh.execute("SELECT setval('parent_id_seq', 1000); INSERT INTO child (id, n) VALUES (500, 1)");
    fresh.execute("CREATE SEQUENCE loose; CREATE TABLE lone (id int PRIMARY KEY DEFAULT nextval('loose')); INSERT INTO lone VALUES (5)");
    fresh.execute("CREATE TABLE empty (id serial PRIMARY KEY)");
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let tables: Vec<&Table> = schema.tables.iter().collect();
    database.advance_counters(&tables).expect("advanced");
    database.advance_counters(&tables).expect("advanced twice");
    let next = |sequence: &str| fresh.text(&format!("SELECT nextval('{sequence}')::text"));
    assert_eq!((next("parent_id_seq"), next("child_id_seq")), ("1001".to_owned(), "501".to_owned()));
    assert_eq!((next("loose"), next("empty_id_seq")), ("6".to_owned(), "1".to_owned()));
}

#[test]
fn f65_a_refusal_names_table_and_constraint() {
    let fresh = servers::postgres(SHOP);
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let (parent, child) = (table(&schema, "parent"), table(&schema, "child"));
    let mut t = database.begin(&WriteOptions::default()).expect("a transaction");
    let error = t.insert(parent, &[1], &[vec![text("new")], vec![text("a")]]).expect_err("taken");
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("parent_code_key") && !error.to_string().contains("(a)"), "{error}");
    assert!(error.reveal().to_string().contains("(a)"), "values are quoted apart");
    assert!(t.count(parent).is_err(), "the transaction is over");
    drop(t);

    let mut t = database.begin(&WriteOptions::default()).expect("a transaction");
    t.insert(child, &[1], &[vec![OwnedCell::Int(77)]]).expect("deferred");
    let error = t.check(&[child]).expect_err("no parent");
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("child_parent_fkey") && !error.to_string().contains("77"), "{error}");
    assert!(error.reveal().to_string().contains("77"), "values are quoted apart");
    drop(t);
    assert_eq!(fresh.text("SELECT (SELECT count(*) FROM parent) || '/' || (SELECT count(*) FROM child)"), "3/3");
}

#[test]
fn f61_a_trigger_that_drops_records_is_noticed() {
    let fresh = servers::postgres(SHOP);
    fresh.execute(
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.n = 13 THEN RETURN NULL; END IF; RETURN NEW; END';
         CREATE TRIGGER dropping BEFORE INSERT OR UPDATE ON child FOR EACH ROW EXECUTE FUNCTION nothing()",
    );
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let child = table(&schema, "child");
    let mut t = database.begin(&WriteOptions::default()).expect("a transaction");
    let missed = t.update(child, &[2], &[update(1, OwnedCell::Int(1), OwnedCell::Int(13))]);
    assert_eq!(missed.expect("updated"), [0]);
    let error = t.insert(child, &[2], &[vec![OwnedCell::Int(13)], vec![OwnedCell::Int(1)]]).expect_err("dropped");
    assert!(error.kind() == ErrorKind::Refused && error.to_string().contains("1 of 2"), "{error}");
}

#[test]
fn f36_a_second_merge_is_told_who_is_at_work() {
    let fresh = servers::postgres(SHOP);
    let (mut first, mut second) = (connect(&fresh), connect(&fresh));
    let open = first.begin(&WriteOptions::default()).expect("a transaction");
    let hurried = WriteOptions { lock_timeout: Duration::from_millis(1), ..WriteOptions::default() };
    let error = second.begin(&hurried).err().expect("busy");
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.to_string().contains("process"), "{error}");
    drop(open);
    second.begin(&WriteOptions::default()).expect("free again");
}

#[test]
fn f34_locks_and_changes_of_others_are_reported_as_busy() {
    let fresh = servers::postgres(SHOP);
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let parent = table(&schema, "parent");
    let hurried = WriteOptions { lock_timeout: Duration::from_millis(50), ..WriteOptions::default() };

    // A record changed after the transaction began.
    let mut t = database.begin(&hurried).expect("a transaction");
    assert_eq!(t.count(parent).expect("a count"), 3);
    fresh.execute("UPDATE parent SET code = 'A' WHERE id = 1");
    let error = t.update(parent, &[1], &[update(1, text("a"), text("x"))]).expect_err("changed");
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.hint_text().is_some_and(|h| h.contains("serialization")), "{error:?}");
    drop(t);

    // Fetched records are locked until the end.
    let mut t = database.begin(&hurried).expect("a transaction");
    assert_eq!(fetch(&mut *t, parent, &[0], &[vec![OwnedCell::Int(2)]]).len(), 1);
    let blocked = fresh.try_execute("SET lock_timeout = '50ms'; UPDATE parent SET code = 'B' WHERE id = 2");
    assert!(blocked.is_err_and(|e| e.to_string().contains("lock timeout")));
    drop(t);
    fresh.execute("SET lock_timeout = '20s'; UPDATE parent SET code = 'B' WHERE id = 2");
}

#[test]
fn the_session_is_set_as_the_protocol_says() {
    let fresh = servers::postgres(
        "CREATE VIEW never AS SELECT 1; CREATE TABLE seen (name text PRIMARY KEY, setting text);
         CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.setting := current_setting(NEW.name); RETURN NEW; END';
         CREATE TRIGGER spying BEFORE INSERT ON seen FOR EACH ROW EXECUTE FUNCTION spy()",
    );
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let expected = [
        ("transaction_isolation", "repeatable read"),
        ("lock_timeout", "10s"),
        ("search_path", "\"$user\", public"),
        ("row_security", "off"),
        ("client_encoding", "UTF8"),
        ("TimeZone", "UTC"),
        ("DateStyle", "ISO, MDY"),
        ("extra_float_digits", "1"),
        ("application_name", "merganser"),
        ("session_replication_role", "origin"),
    ];
    let names: Vec<Vec<OwnedCell>> = expected.iter().map(|(name, _)| vec![text(name)]).collect();
    let mut t = database.begin(&WriteOptions::default()).expect("a transaction");
    t.insert(table(&schema, "seen"), &[0], &names).expect("inserted");
    for (place, cells) in fetch(&mut *t, table(&schema, "seen"), &[0], &names) {
        assert_eq!(cells[1], text(expected[place].1), "{}", expected[place].0);
    }
}

#[test]
fn a_snapshot_does_not_move_and_can_change_threads() {
    let fresh = servers::postgres(SHOP);
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
fn large_tables_are_streamed_in_many_batches() {
    let fresh = servers::postgres(
        "CREATE TABLE big (id int PRIMARY KEY, body text); INSERT INTO big SELECT g, repeat('x', 100) || g FROM generate_series(1, 20000) g;
         CREATE TABLE void (id int PRIMARY KEY)",
    );
    let mut database = connect(&fresh);
    let schema = database.schema().expect("the schema");
    let big = table(&schema, "big");
    let mut snapshot = database.snapshot().expect("a snapshot");
    let records = scan(&mut *snapshot, big);
    assert_eq!(records.len(), 20_000);
    assert_eq!(records[19_999][0], OwnedCell::Int(20_000));
    assert_eq!(scan(&mut *snapshot, table(&schema, "void")).len(), 0);
    let wanted: Vec<Vec<OwnedCell>> = (1..=5000).map(|i| vec![OwnedCell::Int(i * 5)]).collect();
    let found = fetch(&mut *snapshot, big, &[0], &wanted);
    assert_eq!(found.len(), 4000);
    assert!(found.iter().all(|(place, cells)| wanted[*place][0] == cells[0]));
    let stop = snapshot.scan(big, &mut |_| Err(merganser::Error::new(ErrorKind::Interrupted, "stop")));
    assert_eq!(stop.expect_err("stopped").kind(), ErrorKind::Interrupted);
}

#[test]
fn f69_f70_missing_rights_are_refused_and_never_filter() {
    let fresh = servers::postgres(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2); CREATE TABLE hidden (id int PRIMARY KEY);
         DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         GRANT SELECT ON t TO reader; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id = 1);",
    );
    let url = ConnectUrl::parse(&fresh.url.replace("tester@", "reader@")).expect("a URL");
    let mut database = Postgres::connect(&url).expect("connected");
    let schema = database.schema().expect("the schema");
    for name in ["t", "hidden"] {
        let mut snapshot = database.snapshot().expect("a snapshot");
        let error = snapshot.scan(table(&schema, name), &mut |_| Ok(())).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Refused, "{name}");
        assert!(
            error.to_string().contains(name) && error.hint_text().is_some_and(|h| h.contains("GRANT")),
            "{error:?}"
        );
    }
}

#[test]
fn what_can_not_be_reached_is_said_so() {
    let fresh = servers::postgres("");
    for url in [
        "postgres://tester@127.0.0.1:1/none".to_owned(),
        fresh.url.replace("/test_", "/no_such_"),
        fresh.url.replace("tester@", "nobody@"),
    ] {
        let error = Postgres::connect(&ConnectUrl::parse(&url).expect("a URL")).err().expect("unreachable");
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{url}: {error:?}");
    }
}

#[test]
fn f9_f10_a_lost_connection_is_told_from_an_unknown_outcome() {
    let fresh = servers::postgres("CREATE TABLE t (id int PRIMARY KEY)");
    let connect = |url: &ConnectUrl| -> Box<dyn Database> { Box::new(Postgres::connect(url).expect("connected")) };
    lost_write(&fresh, connect);
    lost_commit(&fresh, connect);
}
