// SPDX-License-Identifier: GPL-2.0

//! `ada-gpu-ctl`: reads and changes the emulated GPU from inside its VM.
//!
//! ```text
//!   ada-gpu-ctl ── virtio port "org.qemu.qmp" ── QMP monitor of the QEMU that
//!                                                runs this VM
//!     fault SPEC      qom-set /machine/peripheral/gpu0 fault SPEC
//!     event SPEC      qom-set /machine/peripheral/gpu0 event SPEC
//!     stats live      qom-get /machine/peripheral/gpu0 stats
//!     unplug          device_del gpu0
//! ```
//!
//! Exit status: 0 done, 1 refused or not possible (one line on stderr), 2 usage.

mod port;
mod qmp;
mod stats;

use clap::{Parser, Subcommand};
use serde_json::{json, Value};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Reads and changes the emulated Ada GPU from inside its VM.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Device node that leads to QEMU's QMP monitor (default: the virtio port
    /// named org.qemu.qmp).
    #[arg(long)]
    port: Option<PathBuf>,
    /// Id of the GPU on QEMU's command line.
    #[arg(long, default_value = "gpu0")]
    device: String,
    /// Seconds to wait for the port and for each answer.
    #[arg(long, default_value_t = 10)]
    timeout: u64,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Inject faults; "clear" ends all, "help" lists what there is.
    Fault { spec: String },
    /// Let GSP send a message; "help" lists what there is.
    Event { spec: String },
    /// Show counts: all as JSON, one group as "key value" lines, or one number.
    Stats { key: Option<String> },
    /// Show a property.
    Get { property: String },
    /// Set a property that can be changed while running.
    Set { property: String, value: String },
    /// Press the button of the GPU's slot: hot plug takes it away when its driver has let go of it.
    Unplug,
}

fn run(cli: Cli) -> Result<String, String> {
    let timeout = Duration::from_secs(cli.timeout);
    let path = format!("/machine/peripheral/{}", cli.device);
    let port = cli.port.map_or_else(port::find, Ok)?;
    let mut qmp = qmp::Client::open(&port, timeout).map_err(|e| e.to_string())?;
    let mut get = |property: &str| -> Result<Value, String> {
        qmp.execute("qom-get", json!({ "path": path, "property": property }))
            .map_err(|e| e.to_string())
    };
    let set = |property: &str, value: &str| {
        let arguments = json!({ "path": path, "property": property, "value": value });
        ("qom-set", arguments)
    };
    let (command, arguments) = match cli.command {
        Command::Stats { key } => {
            let text = get("stats")?;
            let counts = text
                .as_str()
                .and_then(|t| serde_json::from_str(t).ok())
                .ok_or("the device's stats are not JSON")?;
            return stats::select(&counts, key.as_deref());
        }
        Command::Get { property } => return Ok(plain(&get(&property)?)),
        Command::Fault { spec } if spec == "help" => return Ok(plain(&get("fault-help")?)),
        Command::Fault { spec } if spec == "clear" => set("fault", ""),
        Command::Fault { spec } => set("fault", &spec),
        Command::Event { spec } if spec == "help" => return Ok(plain(&get("event-help")?)),
        Command::Event { spec } => set("event", &spec),
        Command::Set { property, value } => set(&property, &value),
        Command::Unplug => ("device_del", json!({ "id": cli.device })),
    };
    qmp.execute(command, arguments).map_err(|e| e.to_string())?;
    Ok(String::new())
}

/// A string without quotes, anything else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(s) => s.trim_end().to_owned(),
        other => other.to_string(),
    }
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(text) => {
            // Without a panic when the reader has seen enough.
            if !text.is_empty() && writeln!(io::stdout(), "{text}").is_err() {
                return ExitCode::FAILURE;
            }
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("ada-gpu-ctl: {why}");
            ExitCode::FAILURE
        }
    }
}
