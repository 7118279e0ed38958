//! Hooks against a program, a web server and a mail server of this test's own.

use super::*;
use crate::error::ErrorKind;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

fn event(outcome: Outcome) -> Event {
    Event {
        schedule: "nightly".to_owned(),
        target: "prod".to_owned(),
        outcome,
        started_at: "2026-11-20T02:15:00Z".to_owned(),
        duration_seconds: 1.5,
        backup: Some("b-1".to_owned()),
        size_bytes: Some(10),
        records: Some(3),
        error: (outcome == Outcome::Failure).then(|| "the target is down".to_owned()),
        merge: None,
    }
}

/// Answers one connection and returns what came.
fn server(answer: impl FnOnce(TcpStream) -> String + Send + 'static) -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, std::thread::spawn(move || answer(listener.accept().unwrap().0)))
}

/// Reads a request with a body and answers it.
fn http(mut stream: TcpStream, answer: &str) -> String {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        text.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    stream.write_all(answer.as_bytes()).unwrap();
    text + &String::from_utf8(body).unwrap()
}

fn webhook(port: u16) -> Hook {
    Hook { url: Some(format!("http://127.0.0.1:{port}/x")), allow_private: true, ..Hook::default() }
}

#[test]
fn a_webhook_is_posted_and_signed() {
    let (port, came) = server(|stream| http(stream, "HTTP/1.1 204 No Content\r\n\r\n"));
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    secret.write_all(b"s3cret\n").unwrap();
    let hook = Hook { secret_file: Some(secret.path().to_owned()), ..webhook(port) };
    hook.tell(&event(Outcome::Success)).unwrap();
    let text = came.join().unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let signed = head.lines().find_map(|line| line.strip_prefix("x-merganser-signature: ")).unwrap();
    let at = signed.split(['=', ',']).nth(1).unwrap().parse().unwrap();
    assert_eq!(signed, signature(b"s3cret", at, body));
    assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap()["outcome"], "success");
}

#[test]
fn the_signature_is_the_documented_one() {
    // printf '1.{}' | openssl dgst -sha256 -hmac key
    assert_eq!(signature(b"key", 1, "{}"), "t=1,v1=1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224");
}

#[test]
fn f86_redirects_and_refusals_are_failures() {
    for answer in [
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n",
    ] {
        let (port, came) = server(move |stream| http(stream, answer));
        let error = webhook(port).tell(&event(Outcome::Failure)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed);
        assert!(error.full_message().contains("answered"), "{error:?}");
        assert!(came.join().unwrap().contains("the target is down"));
    }
}

#[test]
fn f86_private_addresses_are_refused_unless_they_are_meant() {
    for url in [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fd00::1]/",
        "http://0/",
        "http://2130706433/",
        "http://[64:ff9b::7f00:1]/",
    ] {
        let hook = Hook { url: Some(url.to_owned()), ..Hook::default() };
        let error = hook.tell(&event(Outcome::Success)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{url}: {error:?}");
    }
    for ip in ["8.8.8.8", "2606:4700::1111", "172.15.0.1", "100.63.0.1"] {
        assert!(!webhook::is_private(ip.parse().unwrap()), "{ip}");
    }
    let hook = Hook { url: Some("file:///etc/passwd".to_owned()), ..Hook::default() };
    assert_eq!(hook.tell(&event(Outcome::Success)).unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn a_command_gets_the_event_and_no_shell() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out file; touch x");
    let script = "cat > \"$1\"; printf '%s' \"$MERGANSER_OUTCOME\" >> \"$1\"";
    let command: Vec<String> =
        ["sh", "-c", script, "hook", out.to_str().unwrap()].iter().map(|s| (*s).to_owned()).collect();
    let hook = Hook { command: Some(command), ..Hook::default() };
    hook.tell(&event(Outcome::Failure)).unwrap();
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(text.contains("\"schedule\":\"nightly\"") && text.ends_with("}failure"), "{text}");
    let failing = Hook { command: Some(vec!["false".to_owned()]), ..Hook::default() };
    assert!(failing.tell(&event(Outcome::Success)).unwrap_err().full_message().contains("false ended with"));
    let hooks = Hooks { on_failure: Several::One(Box::new(failing)), ..Hooks::default() };
    assert_eq!(hooks.tell(&event(Outcome::Failure)).len(), 1);
    assert!(hooks.tell(&event(Outcome::Success)).is_empty());
}

#[test]
fn a_mail_is_sent() {
    let (port, came) = server(|mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut text, mut in_data) = (String::new(), false);
        stream.write_all(b"220 test\r\n").unwrap();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap() == 0 {
                return text;
            }
            let answer: &[u8] = match line.as_str() {
                ".\r\n" => b"250 taken\r\n",
                _ if in_data => b"",
                "DATA\r\n" => b"354 go on\r\n",
                "QUIT\r\n" => b"221 bye\r\n",
                _ => b"250 fine\r\n",
            };
            in_data = (in_data || line == "DATA\r\n") && line != ".\r\n";
            text.push_str(&line);
            stream.write_all(answer).unwrap();
        }
    });
    let mail = Mail {
        to: vec!["ops@example.org".to_owned(), "Ada <ada@example.org>".to_owned()],
        from: "merganser@example.org".to_owned(),
        server: "127.0.0.1".to_owned(),
        port: Some(port),
        tls: mail::Protection::None,
        ..Mail::default()
    };
    Hook { mail: Some(mail.clone()), ..Hook::default() }.tell(&event(Outcome::Failure)).unwrap();
    let text = came.join().unwrap();
    for part in [
        "RCPT TO:<ada@example.org>",
        "RCPT TO:<ops@example.org>",
        "[merganser] backup nightly FAILED",
        "the target is down",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let open = Mail { user: Some("me".to_owned()), password_file: Some("/nowhere".into()), ..mail };
    assert_eq!(open.send(&event(Outcome::Success)).unwrap_err().kind(), ErrorKind::Usage);
}
