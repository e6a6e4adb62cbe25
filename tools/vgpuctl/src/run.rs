// SPDX-License-Identifier: GPL-2.0

//! What each command does.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::address::Address;
use crate::cli::{Command, Vfs, Wait, What};
use crate::config;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::gpu::{self, Gpu, Vf};
use crate::report;
use crate::restore::{self, Step};
use crate::select::{self, Outcome, Request};
use crate::sysfs::Sysfs;
use crate::types::Wanted;
use crate::vfs;
use crate::wait::{self, Condition};

/// What a command works on.
pub struct Context<'a> {
    pub sysfs: &'a Sysfs,
    /// Listens for changes; called when a command has to wait.
    pub events: &'a dyn Fn() -> Result<Box<dyn Events>>,
    pub out: &'a mut dyn Write,
}

/// Runs `command`; all failures of it, none if it is done.
pub fn run(context: &mut Context<'_>, command: Command) -> Vec<Error> {
    let result = match command {
        Command::List { what, gpu, json } => list(context, what, gpu, json),
        Command::Select {
            wanted,
            vf,
            gpu,
            replace,
            uuid,
            placement,
        } => {
            let request = Request {
                replace,
                uuid: uuid.as_deref(),
                placement,
            };
            select(context, &wanted, vf, gpu, request)
        }
        Command::Clear { vfs, only } => {
            return failures(&vfs, |vf| clear(context, *vf, only.as_ref()));
        }
        Command::Enable {
            gpu,
            number,
            no_bind,
        } => return enable(context.sysfs, gpu, number, !no_bind),
        Command::Disable { gpu, force } => disable(context.sysfs, gpu, force),
        Command::Bind(which) => return for_vfs(context.sysfs, &which, vfs::bind),
        Command::Unbind(which) => return for_vfs(context.sysfs, &which, vfs::unbind),
        Command::Wait { what, timeout } => wait_for(context, what, timeout),
        Command::Save { output } => save(context, &output),
        Command::Restore {
            config,
            gpu,
            dry_run,
            replace,
            timeout,
        } => {
            let options = RestoreOptions {
                dry_run,
                replace,
                timeout: Duration::from_secs(timeout),
            };
            return restore_all(context, &config, gpu, options);
        }
    };
    result.err().into_iter().collect()
}

/// Goes on after a failure.
fn failures<T>(items: &[T], action: impl FnMut(&T) -> Result) -> Vec<Error> {
    items.iter().map(action).filter_map(Result::err).collect()
}

fn print(context: &mut Context<'_>, text: &str) -> Result {
    context
        .out
        .write_all(text.as_bytes())
        .map_err(|e| Error::new(format!("cannot write: {e}")))
}

fn list(
    context: &mut Context<'_>,
    what: Option<What>,
    only: Option<Address>,
    json: bool,
) -> Result {
    let gpus = match only {
        Some(address) => vec![gpu::at(context.sysfs, address)?],
        None => gpu::all(context.sysfs)?,
    };
    if json {
        let json = report::json(&gpus)?;
        return print(context, &format!("{json}\n"));
    }
    if gpus.is_empty() {
        return Err(gpu::no_gpu());
    }
    let text = match what {
        Some(What::Gpus) => report::gpus(&gpus),
        Some(What::Vfs) => report::vfs(&gpus),
        Some(What::Types) => report::types(&gpus),
        None => [
            report::gpus(&gpus),
            report::vfs(&gpus),
            report::types(&gpus),
        ]
        .join("\n"),
    };
    print(context, &text)
}

/// Does `action` to the GPU that is meant when at most one is named, while no other instance of this
/// program changes it: whatever is chosen is still so when it is written.
fn with_gpu<T>(
    sysfs: &Sysfs,
    address: Option<Address>,
    action: impl FnOnce(&Gpu) -> Result<T>,
) -> Result<T> {
    let address = gpu::chosen(sysfs, address)?.address;
    let _lock = sysfs.lock(address)?;
    action(&gpu::at(sysfs, address)?)
}

/// The same for the VF at `address`, and its GPU.
fn with_vf<T>(
    sysfs: &Sysfs,
    address: Address,
    action: impl FnOnce(&Gpu, &Vf) -> Result<T>,
) -> Result<T> {
    let (gpu, _) = gpu::vf_at(sysfs, address)?;
    let _lock = sysfs.lock(gpu.address)?;
    let (gpu, position) = gpu::vf_at(sysfs, address)?;
    action(&gpu, &gpu.vfs[position])
}

fn select(
    context: &mut Context<'_>,
    wanted: &Wanted,
    vf: Option<Address>,
    on: Option<Address>,
    request: Request<'_>,
) -> Result {
    let sysfs = context.sysfs;
    let select = |gpu: &Gpu, vf: &Vf| {
        let outcome = select::select(sysfs, gpu, vf, wanted, request)?;
        Ok((vf.address, outcome))
    };
    let (address, outcome) = match vf {
        Some(vf) => with_vf(sysfs, vf, select)?,
        None => with_gpu(sysfs, on, |gpu| {
            gpu.require_driver()?;
            select(gpu, select::first_free(gpu)?)
        })?,
    };
    let (outcome, selected) = match outcome {
        Outcome::Selected(selected) => ("selected", selected),
        Outcome::Unchanged(selected) => ("unchanged", selected),
    };
    print(context, &format!("{address}: {outcome}: {selected}\n"))
}

fn clear(context: &mut Context<'_>, address: Address, only: Option<&Wanted>) -> Result {
    let sysfs = context.sysfs;
    match with_vf(sysfs, address, |_, vf| select::clear(sysfs, vf, only))? {
        Some(old) => print(context, &format!("{address}: cleared: {old}\n")),
        None => print(context, &format!("{address}: unchanged: no type\n")),
    }
}

fn enable(sysfs: &Sysfs, gpu: Option<Address>, number: Option<u16>, bind: bool) -> Vec<Error> {
    let failed = with_gpu(sysfs, gpu, |gpu| {
        vfs::enable(sysfs, gpu, number)?;
        if !bind {
            return Ok(Vec::new());
        }
        let gpu = gpu::at(sysfs, gpu.address)?;
        Ok(failures(&gpu.vfs, |vf| vfs::bind(sysfs, vf)))
    });
    failed.unwrap_or_else(|e| vec![e])
}

fn disable(sysfs: &Sysfs, gpu: Option<Address>, force: bool) -> Result {
    with_gpu(sysfs, gpu, |gpu| vfs::disable(sysfs, gpu, force))
}

fn for_vfs(sysfs: &Sysfs, which: &Vfs, action: fn(&Sysfs, &Vf) -> Result) -> Vec<Error> {
    let all = match which.gpu.map(|address| gpu::at(sysfs, address)) {
        None => Vec::new(),
        Some(Ok(gpu)) => gpu.vfs.iter().map(|vf| vf.address).collect(),
        Some(Err(e)) => return vec![e],
    };
    let addresses: Vec<Address> = which.vfs.iter().copied().chain(all).collect();
    failures(&addresses, |address| {
        with_vf(sysfs, *address, |_, vf| action(sysfs, vf))
    })
}

fn wait_for(context: &mut Context<'_>, what: Wait, timeout: Option<u64>) -> Result {
    let condition = match what {
        Wait::Gpu { gpu } => Condition::Gpu(gpu),
        Wait::Vfs { gpu, number } => Condition::Vfs(gpu, number),
        Wait::Creatable { vf, wanted } => Condition::Creatable(vf, wanted),
        Wait::Type { vf, wanted } => Condition::Type(vf, wanted),
        Wait::State { vf, state } => Condition::State(vf, state),
    };
    // Before looking for the first time, so that nothing is missed in between.
    let mut events = (context.events)()?;
    let timeout = timeout.map(Duration::from_secs);
    wait::wait(context.sysfs, events.as_mut(), &condition, timeout)
}

fn save(context: &mut Context<'_>, output: &Path) -> Result {
    let text = config::text_of(&gpu::all(context.sysfs)?);
    if output == Path::new("-") {
        return print(context, &text);
    }
    config::store(output, &text)
}

#[derive(Clone, Copy)]
struct RestoreOptions {
    dry_run: bool,
    replace: bool,
    timeout: Duration,
}

fn restore_all(
    context: &mut Context<'_>,
    path: &Path,
    only: Option<Address>,
    options: RestoreOptions,
) -> Vec<Error> {
    let config = match config::load(path) {
        Ok(config) => config,
        Err(e) => return vec![e],
    };
    let gpus = config.gpus.iter();
    let gpus = gpus.filter(|gpu| only.is_none_or(|only| only == gpu.address));
    gpus.flat_map(|gpu| restore_gpu(context, gpu, options).unwrap_or_else(|e| vec![e]))
        .collect()
}

/// The failures of single steps; as an error, what makes all of it impossible.
fn restore_gpu(
    context: &mut Context<'_>,
    wanted: &config::Gpu,
    options: RestoreOptions,
) -> Result<Vec<Error>> {
    let sysfs = context.sysfs;
    if !options.timeout.is_zero() && !options.dry_run {
        let mut events = (context.events)()?;
        let condition = Condition::Gpu(wanted.address);
        wait::wait(sysfs, events.as_mut(), &condition, Some(options.timeout))?;
    }
    let gpu = gpu::at(sysfs, wanted.address)?;
    gpu.require_driver()?;
    let plan = restore::plan(&gpu, wanted, options.replace);
    let mut errors = plan.conflicts;
    for step in &plan.steps {
        if !options.dry_run {
            if let Err(e) = restore::apply(sysfs, step, options.replace) {
                errors.push(e);
                // Nothing that follows could work.
                if matches!(step.change, restore::Change::Enable(_)) {
                    break;
                }
                continue;
            }
        }
        print_step(context, step)?;
    }
    Ok(errors)
}

fn print_step(context: &mut Context<'_>, step: &Step) -> Result {
    print(context, &format!("{step}\n"))
}
