// SPDX-License-Identifier: GPL-2.0

//! The client against a monitor played by a thread, over a socket pair.

use super::*;
use std::os::unix::net::UnixStream;

/// What the monitor does with each request line: the lines it sends back.
type Script = fn(usize, &Value) -> Vec<String>;

fn monitor(first: &'static str, script: Script) -> UnixStream {
    let (ours, theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || {
        let mut out = theirs.try_clone().unwrap();
        out.write_all(first.as_bytes()).unwrap();
        for (n, line) in BufReader::new(theirs)
            .lines()
            .map_while(Result::ok)
            .enumerate()
        {
            let request = serde_json::from_str(&line).unwrap();
            for answer in script(n, &request) {
                out.write_all(answer.as_bytes()).unwrap();
                out.write_all(b"\n").unwrap();
            }
        }
    });
    ours
}

fn connect(stream: &UnixStream, timeout: Duration) -> Result<Client, Error> {
    let port = Box::new(stream.try_clone().unwrap());
    Client::negotiate(stream.try_clone().unwrap(), port, timeout)
}

fn ok(request: &Value, value: Value) -> String {
    json!({ "return": value, "id": request["id"] }).to_string()
}

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);

#[test]
fn skips_greeting_events_and_foreign_answers() {
    let stream = monitor("{\"QMP\": {}}\nrest of a line\"}\n", |n, request| {
        vec![
            json!({ "event": "RTC_CHANGE" }).to_string(),
            json!({ "return": 1, "id": "older-0" }).to_string(),
            ok(request, json!(n)),
        ]
    });
    let mut client = connect(&stream, LONG).unwrap();
    assert_eq!(client.execute("a", json!({})).unwrap(), 1);
    assert_eq!(client.execute("b", json!({})).unwrap(), 2);
}

#[test]
fn negotiated_earlier_is_fine_but_a_refused_command_is_not() {
    let stream = monitor("", |_, request| {
        let error = json!({ "class": "GenericError", "desc": "no fault named 'x'" });
        vec![json!({ "error": error, "id": request["id"] }).to_string()]
    });
    let mut client = connect(&stream, LONG).unwrap();
    let why = client.execute("qom-set", json!({})).unwrap_err();
    assert_eq!(why.to_string(), "no fault named 'x'");
}

#[test]
fn silence_is_a_timeout_and_a_closed_port_an_error() {
    let stream = monitor("", |_, _| Vec::new());
    assert!(matches!(connect(&stream, SHORT), Err(Error::Timeout(_))));

    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(matches!(connect(&ours, LONG), Err(Error::Io(_))));
}

#[test]
fn no_port_names_the_reason() {
    let path = Path::new("/nonexistent/port");
    let text = Client::open(path, SHORT).err().map(|e| e.to_string());
    assert!(text.is_some_and(|t| t.contains("/nonexistent/port") && t.contains("No such file")));
}
