// SPDX-License-Identifier: GPL-2.0

//! A QMP client over a port that others used before.
//!
//! ```text
//!   open port (busy: again, until the timeout)
//!   --> {"execute": "qmp_capabilities", "id": I}     the greeting may be there,
//!   <-- greeting | old answers | events              or was read long ago
//!   <-- {"return": {}, "id": I}, or an error that says: negotiated already
//!   --> {"execute": C, "arguments": …, "id": I + 1}
//!   <-- {"return": …, "id": I + 1}
//! ```
//!
//! Whatever does not carry our id is skipped. A thread reads, so that a silent
//! monitor ends in a timeout and not in a hang.

use serde_json::{json, Value};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Interval between attempts to open a port that another program holds.
const BUSY_POLL: Duration = Duration::from_millis(20);
/// Opening a virtio port somebody has open.
const EBUSY: i32 = 16;

/// Why there is no answer.
#[derive(Debug)]
pub enum Error {
    /// The port cannot be opened.
    Open(String, io::Error),
    /// The port failed or was closed.
    Io(io::Error),
    /// Nobody answered in time.
    Timeout(Duration),
    /// QEMU refused the command; its own words.
    Refused(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Open(port, e) => write!(f, "{port}: {e}"),
            Error::Io(e) => write!(f, "QMP: {e}"),
            Error::Timeout(t) => write!(f, "QMP: no answer within {} s", t.as_secs()),
            Error::Refused(why) => f.write_str(why),
        }
    }
}

/// A connection in command mode.
pub struct Client {
    port: Box<dyn Write>,
    lines: Receiver<io::Result<String>>,
    timeout: Duration,
    session: String,
    next: u32,
}

fn open_port(path: &Path, timeout: Duration) -> Result<File, Error> {
    let end = Instant::now() + timeout;
    loop {
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(port) => return Ok(port),
            Err(e) if e.raw_os_error() == Some(EBUSY) && Instant::now() < end => {
                thread::sleep(BUSY_POLL);
            }
            Err(e) => return Err(Error::Open(path.display().to_string(), e)),
        }
    }
}

impl Client {
    /// Opens the port and negotiates.
    pub fn open(path: &Path, timeout: Duration) -> Result<Client, Error> {
        let port = open_port(path, timeout)?;
        let reader = port.try_clone().map_err(Error::Io)?;
        Client::negotiate(reader, Box::new(port), timeout)
    }

    fn negotiate(
        reader: impl Read + Send + 'static,
        port: Box<dyn Write>,
        timeout: Duration,
    ) -> Result<Client, Error> {
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(reader).lines() {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        // Old answers may still be in the port: ids must differ between runs.
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut client = Client {
            port,
            lines,
            timeout,
            session: format!("{}-{}", process::id(), now.as_nanos()),
            next: 0,
        };
        match client.execute("qmp_capabilities", json!({})) {
            // Refused means: an earlier client negotiated on this monitor.
            Ok(_) | Err(Error::Refused(_)) => Ok(client),
            Err(e) => Err(e),
        }
    }

    /// Runs `command` and gives back its return value.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, Error> {
        let id = format!("{}-{}", self.session, self.next);
        self.next += 1;
        let request = json!({ "execute": command, "arguments": arguments, "id": id });
        self.port
            .write_all(format!("{request}\n").as_bytes())
            .and_then(|()| self.port.flush())
            .map_err(Error::Io)?;
        self.answer(&id)
    }

    fn answer(&mut self, id: &str) -> Result<Value, Error> {
        let end = Instant::now() + self.timeout;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = match self.lines.recv_timeout(left) {
                Ok(line) => line.map_err(Error::Io)?,
                Err(RecvTimeoutError::Timeout) => return Err(Error::Timeout(self.timeout)),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Io(io::ErrorKind::UnexpectedEof.into()))
                }
            };
            // The tail of a line somebody else did not read to its end is no JSON.
            let Ok(mut message) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            if message["id"] != id {
                continue;
            }
            if let Some(why) = message["error"]["desc"].as_str() {
                return Err(Error::Refused(why.to_owned()));
            }
            return Ok(message["return"].take());
        }
    }
}

#[cfg(test)]
mod tests;
