//! Servers that mean no good (CHECKS F85): they speak nonsense, announce sizes without end, never stop, never answer, ask
//! for files and for the password in clear. Each time: an error that says where, soon, in little memory, and nothing
//! given away.

use crate::faults::told;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PASSWORD: &str = "canary-in-the-mine";
/// What lies in the folder that the client works in, for a server that asks for it.
const FILE: &str = "content-of-a-local-file";
/// More than any of these conversations takes: an answer that is held whole has its limit.
const MEMORY_KIB: u64 = 640 << 10;
const LIMIT: Duration = Duration::from_secs(60);

/// Starts a server that treats each connection so; returns its port and everything that clients said.
fn serve(talk: fn(&mut Client)) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let all = heard.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let mut client = Client { socket, heard: all.clone() };
            std::thread::spawn(move || talk(&mut client));
        }
    });
    (port, heard)
}

struct Client {
    socket: TcpStream,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Client {
    /// Hears what comes next, whatever it is; says no at the end.
    fn hear(&mut self) -> bool {
        let mut buffer = [0; 1 << 16];
        let length = self.socket.read(&mut buffer).unwrap_or(0);
        self.heard.lock().expect("no panic").extend(&buffer[..length]);
        length > 0
    }

    /// Says something; says no when nobody listens.
    fn say(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).is_ok()
    }

    /// Keeps the connection open and says nothing more.
    fn wait(&mut self) {
        while self.hear() {}
    }

    /// PostgreSQL: declines encryption, and lets the client in.
    fn let_in(&mut self) {
        self.refuse_tls();
        self.say(&[message(b'R', &0u32.to_be_bytes()), message(b'Z', b"I")].concat());
    }

    /// PostgreSQL: hears the client's greeting; encryption is not offered.
    fn refuse_tls(&mut self) {
        let before = self.heard.lock().expect("no panic").len();
        self.hear();
        let asked = self.heard.lock().expect("no panic")[before..] == [0, 0, 0, 8, 4, 210, 22, 47];
        if asked {
            self.say(b"N");
            self.hear();
        }
    }

    /// MySQL: lets the client in, and takes the settings that it begins with.
    fn accept(&mut self) {
        let fine = b"\0\0\0\x02\0\0\0";
        self.greet("mysql_native_password");
        self.say(&packet(2, fine));
        self.hear();
        self.say(&packet(1, fine));
    }

    /// MySQL: greets with this way of authentication.
    fn greet(&mut self, plugin: &str) {
        let mut greeting = b"\x0a8.0.36\0\x01\0\0\0abcdefgh\0".to_vec();
        greeting.extend(b"\xff\xf7\x2d\x02\0\xff\xc7\x15"); // Everything but encryption.
        greeting.extend([0; 10]);
        greeting.extend(b"ijklmnopqrst\0");
        greeting.extend(plugin.as_bytes());
        greeting.push(0);
        self.say(&packet(0, &greeting));
        self.hear();
    }
}

/// A message of PostgreSQL's.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a length").to_be_bytes();
    [&[kind], &length[..], body].concat()
}

/// A packet of MySQL's.
fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a length").to_le_bytes();
    [&length[..3], &[number], body].concat()
}

/// Runs an analysis against a server, and says how it ended and what the server heard.
fn meet(scheme: &str, options: &str, talk: fn(&mut Client)) -> (String, Vec<u8>) {
    let (port, heard) = serve(talk);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("b.json"), r#"{"items": [{"id": 1}]}"#).expect("writes");
    std::fs::write(folder.path().join("secret.txt"), FILE).expect("writes");
    let url = format!("{scheme}://app:{PASSWORD}@127.0.0.1:{port}/shop?{options}");
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_merganser"))
        .args(["analyze", "b.json", "--no-input", "--to", &url, "--data-dir", "state"])
        .current_dir(folder.path())
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut peak = 0;
    while child.try_wait().expect("waits").is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        // Until the program has taken its place the new process is this one, with all that its tests hold.
        let begun = status.starts_with("Name:\tmerganser");
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).filter(|_| begun);
        peak = line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(peak);
        if started.elapsed() > LIMIT || peak > MEMORY_KIB {
            let _ = child.kill();
            panic!("{scheme} {options}: {:?}, {peak} KiB", started.elapsed());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let (code, stdout, stderr) = told(child.wait_with_output().expect("ends"));
    assert_eq!(code, 21, "{scheme} {options}: {stdout}{stderr}");
    // An error that says what was being done, and never the password.
    assert!(stderr.contains("connecting to ") || stderr.contains("asking the database who it is"), "{stderr}");
    assert!(!format!("{stdout}{stderr}").contains(PASSWORD), "{stderr}");
    let heard = heard.lock().expect("no panic").clone();
    (stderr, heard)
}

fn has(heard: &[u8], text: &str) -> bool {
    heard.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn f85_nonsense_is_an_error_with_its_place() {
    for scheme in ["postgres", "mysql"] {
        // At once, in place of a greeting, and as the answer to the first question.
        meet(scheme, "connect_timeout=2", |client| {
            client.say(&[0xa5; 4096]);
            client.wait();
        });
        meet(scheme, "connect_timeout=2", |client| {
            client.hear();
            client.say(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        });
        // A greeting that is shorter than what it announces.
        meet(scheme, "connect_timeout=2", |client| {
            client.say(b"\x03\0\0\0\x0a8.");
            client.wait();
        });
    }
    meet("postgres", "socket_timeout=2", |client| {
        client.let_in();
        client.hear();
        client.say(&[0x54; 4096]);
        client.wait();
    });
    meet("mysql", "socket_timeout=2", |client| {
        client.accept();
        client.hear();
        client.say(&packet(1, &[0x54; 4096]));
        client.wait();
    });
}

#[test]
fn f85_a_server_that_says_nothing_is_not_waited_for_without_end() {
    for scheme in ["postgres", "mysql"] {
        let (told, _) = meet(scheme, "connect_timeout=1", Client::wait);
        assert!(told.contains("no answer within 1 s"), "{told}");
    }
    let (told, _) = meet("postgres", "socket_timeout=1", |client| {
        client.let_in();
        client.wait();
    });
    assert!(told.contains("no answer within 1 s"), "{told}");
    let (told, _) = meet("mysql", "socket_timeout=1", |client| {
        client.accept();
        client.wait();
    });
    assert!(told.contains("no answer within 1 s"), "{told}");
}

#[test]
fn f85_sizes_beyond_measure_take_no_memory() {
    for length in [u32::MAX, i32::MAX as u32, 0, 3] {
        let say: fn(&mut Client) = match length {
            u32::MAX => |client| {
                client.refuse_tls();
                client.say(b"R\xff\xff\xff\xff\0\0\0\0");
                client.wait();
            },
            0 => |client| {
                client.refuse_tls();
                client.say(b"R\0\0\0\0\0\0\0\0");
                client.wait();
            },
            3 => |client| {
                client.let_in();
                client.hear();
                client.say(b"C\0\0\0\x03");
                client.wait();
            },
            _ => |client| {
                client.let_in();
                client.hear();
                client.say(b"T\x7f\xff\xff\xff\xff\xff");
                client.wait();
            },
        };
        meet("postgres", "connect_timeout=1&socket_timeout=1", say);
    }
    meet("mysql", "connect_timeout=1", |client| {
        client.say(b"\xff\xff\xff\0\x0a");
        client.wait();
    });
    meet("mysql", "socket_timeout=1", |client| {
        client.accept();
        client.hear();
        // So many columns, and one whose name is as long as numbers go.
        client.say(&packet(1, b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"));
        client.say(&packet(2, b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"));
        client.wait();
    });
}

#[test]
fn f85_rows_without_end_are_cut_off() {
    let (told, _) = meet("postgres", "", |client| {
        client.let_in();
        client.hear(); // BEGIN
        client.say(&[message(b'C', b"BEGIN\0"), message(b'Z', b"T")].concat());
        client.hear(); // The question is prepared: no parameters, one column of text.
        let column = b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";
        client.say(&[message(b'1', b""), message(b't', b"\0\0"), message(b'T', column), message(b'Z', b"T")].concat());
        client.hear();
        client.say(&message(b'2', b""));
        let row = message(b'D', &[&b"\0\x01\0\0\x10\0"[..], &[b'x'; 4096]].concat());
        while client.say(&row) {}
    });
    assert!(told.contains("more than"), "{told}");
    let (told, _) = meet("mysql", "", |client| {
        client.accept();
        client.hear(); // The question is prepared: no parameters, one column of text.
        let column = b"\x03def\0\0\0\x01a\0\x0c\x2d\0\xff\xff\0\0\xfd\0\0\0\0\0";
        client.say(&[packet(1, b"\0\x01\0\0\0\x01\0\0\0\0\0\0"), packet(2, column)].concat());
        client.hear();
        client.say(&[packet(1, b"\x01"), packet(2, column)].concat());
        let row = packet(3, &[&b"\0\0\xfc\0\x10"[..], &[b'x'; 4096]].concat());
        while client.say(&row) {}
    });
    assert!(told.contains("more than"), "{told}");
}

#[test]
fn f85_no_password_goes_out_in_clear_where_encryption_is_demanded() {
    for mode in ["require", "verify-ca", "verify-full"] {
        // Encryption is not offered, and the password asked for all the same.
        let (_, heard) = meet("postgres", &format!("sslmode={mode}"), |client| {
            client.refuse_tls();
            client.say(&message(b'R', &3u32.to_be_bytes()));
            client.wait();
        });
        assert!(!has(&heard, PASSWORD) && !has(&heard, "app"), "{mode}");
        let (_, heard) = meet("mysql", &format!("sslmode={mode}"), |client| {
            client.greet("mysql_clear_password");
            client.wait();
        });
        assert!(!has(&heard, PASSWORD) && !has(&heard, "app"), "{mode}");
    }
    // Without any demand: a server that wants another way of authentication does not get the password so.
    let (told, heard) = meet("mysql", "", |client| {
        client.greet("mysql_native_password");
        client.say(&packet(2, b"\xfemysql_clear_password\0"));
        client.wait();
    });
    assert!(!has(&heard, PASSWORD), "{told}");
}

#[test]
fn f85_a_server_that_asks_for_a_local_file_gets_none() {
    let (_, heard) = meet("mysql", "socket_timeout=2", |client| {
        client.accept();
        client.hear();
        client.say(&packet(1, b"\xfbsecret.txt"));
        client.wait();
    });
    assert!(!has(&heard, FILE));
}
