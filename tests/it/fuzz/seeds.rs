//! Small good inputs of every kind, to be mutated.

use super::targets::PASSPHRASE;
use merganser::backup::{Sealing, Secret, seal_into};
use std::io::Write;
use std::path::Path;

const SMART: &str = r#"{"metadata":{"version":"1.0","exportDate":"2026-01-01T00:00:00.000Z","recordCounts":{"User":2}},"tables":[
 {"tableName":"User","primaryKey":"id","records":[{"id":1,"email":"a@x","n":1.50,"ok":true,"doc":{"a":[1,2,{"b":null}]},"at":"2026-01-01T00:00:00Z"},
 {"id":9007199254740993,"email":"\u00e9\ud83d\ude00","n":-0.0,"ok":null,"doc":[],"raw":{"type":"Buffer","data":[1,2,255]}}]}]}"#;

pub(super) fn texts() -> Vec<Vec<u8>> {
    let texts = [
        SMART,
        r#"{"users":[{"id":1,"name":"a"},{"id":2,"name":null}],"roles":[]}"#,
        r#"[{"model":"app.user","pk":1,"fields":{"name":"a","groups":[1,2],"owner":["a@x"]}},{"model":"app.group","pk":1,"fields":{}}]"#,
        r#"{"db":[{"meta":{"exported_on":1700000000000,"version":"5.0"},"data":{"posts":[{"id":"1","title":"a"}],"tags":[]}}]}"#,
        r#"{"backup_info":{"version":"1","timestamp":"2026-01-01"},"data":{"users":[{"id":1}]}}"#,
        "{\"table\":\"users\",\"id\":1}\n{\"table\":\"users\",\"id\":2}\n",
        "{\"_table\":\"users\",\"id\":1,\"name\":\"x\"}\r\n{\"_table\":\"users\",\"id\":2}\r\n",
        "id,name,note\r\n1,\"a, b\",\"say \"\"hi\"\"\"\r\n2,,\"two\nlines\"\r\n",
        "\u{feff}id;name\n1;a\n",
    ];
    texts.iter().map(|t| t.as_bytes().to_vec()).collect()
}

fn sqlite() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.db");
    let connection = rusqlite::Connection::open(&path).expect("opens");
    let sql = "PRAGMA page_size = 512; CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, raw BLOB, n REAL);
        INSERT INTO users VALUES (1, 'a', x'00ff', 1.5), (2, NULL, NULL, -1); CREATE VIEW v AS SELECT * FROM users;
        CREATE TABLE links (a INT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO links VALUES (1, 2);";
    connection.execute_batch(sql).expect("made");
    drop(connection);
    std::fs::read(path).expect("reads")
}

fn zip() -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, text) in [("users.json", r#"[{"id":1,"name":"a"}]"#), ("roles.csv", "id,name\n1,a\n")] {
        archive.start_file(name, options).and_then(|()| Ok(archive.write_all(text.as_bytes())?)).expect("an entry");
    }
    archive.finish().expect("an archive").into_inner()
}

fn tar() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in [("backup/metadata.json", "{}"), ("backup/database.json", SMART)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_cksum();
        archive.append_data(&mut header, name, text.as_bytes()).expect("an entry");
    }
    archive.into_inner().expect("an archive")
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).and_then(|()| encoder.finish()).expect("compresses")
}

pub(super) fn backups() -> Vec<Vec<u8>> {
    let mut all = texts();
    let packed = zstd::encode_all(SMART.as_bytes(), 1).expect("compresses");
    let utf16: Vec<u8> = SMART.encode_utf16().flat_map(u16::to_le_bytes).collect();
    all.extend([
        sqlite(),
        zip(),
        tar(),
        gzip(SMART.as_bytes()),
        gzip(&tar()),
        packed,
        [&[0xff, 0xfe][..], &utf16].concat(),
    ]);
    all
}

pub(super) fn encrypted() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = folder.path().join("plain.json");
    std::fs::write(&plain, SMART).expect("writes");
    let sealed = |name: &str, sealing: &Sealing| {
        let to = folder.path().join(name);
        seal_into(&plain, &to, sealing).expect("encrypts");
        std::fs::read(to).expect("reads")
    };
    let secret = || Secret::from_text(PASSPHRASE.to_owned());
    vec![sealed("a.age", &Sealing::Passphrase(secret())), sealed("c.enc", &Sealing::Cbc(secret()))]
}

/// A real plan, sealed with the key that the target tries.
pub(super) fn plans() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let connection = rusqlite::Connection::open(at("c.db")).expect("opens");
    let sql =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT UNIQUE, n INT); INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2);";
    connection.execute_batch(sql).expect("made");
    let backup = r#"{"tables":[{"tableName":"t","records":[{"id":1,"u":"x","n":5},{"id":3,"u":"b"},{"id":4,"u":"new","n":null}]}],"metadata":{"version":"1.0"}}"#;
    std::fs::write(at("b.json"), backup).expect("writes");
    made(&at("c.db"), &at("b.json"), &at("p.mplan"));
    vec![std::fs::read(at("p.mplan")).expect("reads")]
}

fn made(database: &Path, backup: &Path, out: &Path) {
    let request = merganser::plan::make::Request {
        backup,
        base: None,
        read: Default::default(),
        options: Default::default(),
        strategy: "manual",
        table_strategies: Vec::new(),
        id: "p-fuzz".to_owned(),
        out,
        state_key: [7; 32],
    };
    let mut current = merganser::database::sqlite::Sqlite::open(database).expect("opens");
    merganser::plan::make::make(&request, &mut current, &merganser::progress::Quiet).expect("analyzes");
}

pub(super) fn decisions() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"schema":"merganser.decisions/1","decisions":[{"id":"a","table":"users","key":"1","action":"fields","fields":{"n":{"value":{"decimal":"1.5"}},"m":"backup"}},{"id":"b","action":"skip"}]}"#,
        r#"{"User_41":{"action":"skip"},"User_4_2":{"action":"use_custom","customData":{"a":null}}}"#,
    ];
    texts.iter().map(|t| t.as_bytes().to_vec()).collect()
}

pub(super) fn strategies() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("strategies");
    let files = std::fs::read_dir(folder).expect("the built-in strategies");
    files.map(|f| std::fs::read(f.expect("an entry").path()).expect("reads")).collect()
}

pub(super) fn urls() -> Vec<Vec<u8>> {
    let texts = [
        "postgres://user:pa%20ss@host:5432/db?sslmode=verify-full&schema=app&connection_limit=5",
        "postgresql+psycopg://user@[::1]/db?host=/var/run",
        "mysql://u@h:3306/db?ssl-mode=REQUIRED",
        "file:./dev.db?mode=ro",
        "sqlite:///abs/path%20x.db",
        "./app.sqlite3",
    ];
    texts.iter().map(|t| t.as_bytes().to_vec()).collect()
}

pub(super) fn names() -> Vec<Vec<u8>> {
    let texts = [
        "RoomAllocation",
        "x\"; DROP TABLE canary; --",
        "a`b]c[d'e",
        "__proto__",
        "naïve ñame\u{202e}",
        "select",
        "a.b.c",
        "line\nbreak",
        "%s%n",
        "\u{1F426}\u{200d}",
        "users\\",
        "'",
        "\"",
        "?1",
        ":name",
        "$1",
        "COLUMN1--",
    ];
    texts.iter().map(|t| t.as_bytes().to_vec()).collect()
}

pub(super) fn conditions() -> Vec<Vec<u8>> {
    let texts = [
        "users: name = \"a\" and n >= 1.5",
        "users: at < 2026-01-01T00:00:00Z or id != 3",
        "users: name is null",
        "users: not (id = 1) and name in (\"a\", \"b\")",
    ];
    texts.iter().map(|t| t.as_bytes().to_vec()).collect()
}

pub(super) fn databases() -> Vec<Vec<u8>> {
    vec![sqlite()]
}

pub(super) fn documents() -> Vec<Vec<u8>> {
    texts().into_iter().filter(|t| t[0] == b'{' || t[0] == b'[').collect()
}

pub(super) fn tables() -> Vec<Vec<u8>> {
    texts().into_iter().filter(|t| t[0] == b'i' || t[0] == 0xef).collect()
}

pub(super) fn lines() -> Vec<Vec<u8>> {
    vec![b"{\"id\":1,\"a\":\"x\"}\n{\"id\":2,\"a\":null}\r\n".to_vec(), b"\xef\xbb\xbf{\"id\":-0.0}".to_vec()]
}

/// As [`archive`](super::targets::archive) reads them: RayERP, Jarvis, Django, tables by name, BaluHost.
pub(super) fn archives() -> Vec<Vec<u8>> {
    let texts: [&[(&str, &str)]; 4] = [
        &[
            (
                "employees.json",
                r#"[{"_id":"5f","pay":{"$numberDecimal":"12.30"},"n":{"$numberLong":"7"},"at":"2025-11-19T08:46:25.000Z"}]"#,
            ),
            (
                "backup-info.json",
                r#"{"backupId":"u","backupDate":"2025-11-19T08:46:25.000Z","version":"1.0.0","isEncrypted":false,"totalRecords":{"employees":1}}"#,
            ),
            ("uploads/a.txt", "a file"),
        ],
        &[
            (
                "user_data.json",
                r#"{"user":{"username":"u","is_active":1},"preferences":{"theme":"dark"},"settings":{"max_tokens":4000},"history":[[1,7,"2025-08-19 09:24:04","text"]]}"#,
            ),
            ("u/file.txt", "x"),
        ],
        &[
            ("metadata.json", r#"{"version":"1.0","timestamp":"2026-11-20T23:57:18.552289+00:00","total_records":1}"#),
            ("core/tag.json", r#"[{"model":"core.tag","pk":7,"fields":{"name":"x"}}]"#),
        ],
        &[("a.csv", "id,name\n1,x\n"), ("b.ndjson", "{\"id\":1}\n"), ("c.json", "[{\"id\":1}]")],
    ];
    let joined = |kind: u8, entries: &[(&str, &[u8])]| {
        let parts: Vec<Vec<u8>> = entries.iter().map(|(name, text)| [name.as_bytes(), b"\n", text].concat()).collect();
        [vec![kind], parts.join(&255)].concat()
    };
    let mut all: Vec<Vec<u8>> = texts
        .iter()
        .enumerate()
        .map(|(n, entries)| {
            let entries: Vec<(&str, &[u8])> = entries.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
            joined(n as u8 % 2, &entries)
        })
        .collect();
    all.push(joined(
        2,
        &[
            ("backup/metadata.json", b"{}"),
            ("backup/database/baluhost.db", b"SQLite format 3"),
            ("backup/files/a.txt", b"x"),
        ],
    ));
    all
}

/// Headers without the line that tells the kind; the first byte chooses it.
pub(super) fn envelopes() -> Vec<Vec<u8>> {
    let x25519 = "-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\nEmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7U\n--- Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI0\n0123456789abcdef";
    let scrypt = "-> scrypt bBjlhJVYZeE4aqUdmtRHfw 15\nxmvzr0zXcVHnLsuUEqPRNWdXKkBNtRmUCTQWhbvHtcs\n--- Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI0\n";
    let armored = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOQ==\n-----END AGE ENCRYPTED FILE-----\n";
    [(0, x25519), (0, scrypt), (1, armored), (2, "saltsalt0123456789abcdef")]
        .map(|(kind, text)| [&[kind], text.as_bytes()].concat())
        .to_vec()
}

/// A receipt with a record of each kind.
pub(super) fn receipts() -> Vec<Vec<u8>> {
    let world =
        crate::world::World::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'a');");
    world.backup("b.json", &[("t", serde_json::json!([{"id": 1, "a": "b"}, {"id": 2, "a": null}]))]);
    let (mut plan, _) = world.analyze("b.json", None, "backup-wins", Default::default()).expect("analyzes");
    let ending = merganser::executor::Ending::Commit;
    world.merge(&mut plan, ending, merganser::executor::OnBlocked::Skip).expect("merges");
    let receipts = std::fs::read_dir(world.home.receipts()).expect("a folder").map(|e| e.expect("an entry").path());
    receipts.map(|path| std::fs::read(path).expect("reads")).collect()
}

pub(super) fn configs() -> Vec<Vec<u8>> {
    let texts = [
        "strategy = \"manual\"\n[targets.app]\nurl = \"sqlite:app.db\"\nprotected = true\n[targets.app.tables.users]\nkey = [\"id\"]\nmatch = [\"email\"]\ntimestamp = \"at\"\nsecret_columns = [\"p\"]\n",
        "[profiles.x]\nstrategy = \"\"\n[backup]\nencrypt_to = [\"age1qqq\"]\nstorage = \"s3://b\"\n[[hooks.webhook]]\nurl = \"https://h\"\n",
        "[[targets.app.tables.notes.virtual_fks]]\ncolumns = [\"a\"]\nreferences = \"users\"\n",
    ];
    texts.iter().map(|t| t.as_bytes().to_vec()).collect()
}

pub(super) fn crons() -> Vec<Vec<u8>> {
    [
        "15 2 * * *\nEurope/London",
        "*/5 1-3 1,15 JAN-MAR MON#2\nAsia/Kolkata",
        "0 0 L * 5L\nUTC",
        "30 1 29 2 *\nAmerica/New_York",
        "@daily",
    ]
    .iter()
    .map(|t| t.as_bytes().to_vec())
    .collect()
}

pub(super) fn terminals() -> Vec<Vec<u8>> {
    ["a\u{1b}]52;c;eA==\u{7}b\u{9b}31m", "\u{202e}abc\u{2066}\u{200b}\u{feff}", "e\u{301}\u{1f426}\u{200d}\r\n\t\u{7f}"]
        .iter()
        .map(|t| t.as_bytes().to_vec())
        .collect()
}

pub(super) fn requests() -> Vec<Vec<u8>> {
    [
        "/api/v1/backups?limit=10&cursor=MTA\nmerganser=abc; other=1\n\"x\"\n",
        "/api/v1/analyses?limit=0&cursor=%00\n\nW/\"1\", *\n",
        "/api/v1/audit?cursor=-1\n\n\nBearer mgs_a_b",
        "/login?next=//evil\nmerganser=;;=\n\nToken x",
        "/analyses/p-1/records?table=%ff&page=99999999999999999999\n\n\n",
        "/api/v1/operations/o-1/events?last=1\n\n\n",
        "/static/../../etc/passwd\n\n\n",
    ]
    .iter()
    .map(|t| t.as_bytes().to_vec())
    .collect()
}
