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

fn select(
    context: &mut Context<'_>,
    wanted: &Wanted,
    vf: Option<Address>,
    on: Option<Address>,
    request: Request<'_>,
) -> Result {
    let sysfs = context.sysfs;
    let pf = match vf {
        Some(vf) => gpu::vf_at(sysfs, vf)?.0.address,
        None => gpu::chosen(sysfs, on)?.address,
    };
    // Whatever is chosen is still so when it is written.
    let _lock = sysfs.lock(pf)?;
    let (gpu, position) = match vf {
        Some(vf) => gpu::vf_at(sysfs, vf)?,
        None => {
            let gpu = gpu::at(sysfs, pf)?;
            gpu.require_driver()?;
            let free = select::first_free(&gpu)?.address;
            let position = gpu.vfs.iter().position(|vf| vf.address == free);
            (gpu, position.unwrap_or_default())
        }
    };
    let vf = vf_in(&gpu, position)?;
    let (outcome, selected) = match select::select(sysfs, &gpu, vf, wanted, request)? {
        Outcome::Selected(selected) => ("selected", selected),
        Outcome::Unchanged(selected) => ("unchanged", selected),
    };
    print(context, &format!("{}: {outcome}: {selected}\n", vf.address))
}

fn vf_in(gpu: &Gpu, position: usize) -> Result<&Vf> {
    let vf = gpu.vfs.get(position);
    vf.ok_or_else(|| Error::new(format!("{}: there is no VF {position}", gpu.address)))
}

fn clear(context: &mut Context<'_>, address: Address, only: Option<&Wanted>) -> Result {
    let (gpu, _) = gpu::vf_at(context.sysfs, address)?;
    let _lock = context.sysfs.lock(gpu.address)?;
    let (gpu, position) = gpu::vf_at(context.sysfs, address)?;
    let cleared = select::clear(context.sysfs, vf_in(&gpu, position)?, only)?;
    match cleared {
        Some(old) => print(context, &format!("{address}: cleared: {old}\n")),
        None => print(context, &format!("{address}: unchanged: no type\n")),
    }
}

fn enable(sysfs: &Sysfs, gpu: Option<Address>, number: Option<u16>, bind: bool) -> Vec<Error> {
    let enabled = (|| {
        let address = gpu::chosen(sysfs, gpu)?.address;
        let lock = sysfs.lock(address)?;
        vfs::enable(sysfs, &gpu::at(sysfs, address)?, number)?;
        Ok((lock, gpu::at(sysfs, address)?))
    })();
    match enabled {
        Ok((_lock, gpu)) if bind => failures(&gpu.vfs, |vf| vfs::bind(sysfs, vf)),
        Ok(_) => Vec::new(),
        Err(e) => vec![e],
    }
}

fn disable(sysfs: &Sysfs, gpu: Option<Address>, force: bool) -> Result {
    let address = gpu::chosen(sysfs, gpu)?.address;
    let _lock = sysfs.lock(address)?;
    vfs::disable(sysfs, &gpu::at(sysfs, address)?, force)
}

fn for_vfs(sysfs: &Sysfs, which: &Vfs, action: fn(&Sysfs, &Vf) -> Result) -> Vec<Error> {
    let all = match which.gpu.map(|address| gpu::at(sysfs, address)) {
        None => Vec::new(),
        Some(Ok(gpu)) => gpu.vfs.iter().map(|vf| vf.address).collect(),
        Some(Err(e)) => return vec![e],
    };
    let addresses: Vec<Address> = which.vfs.iter().copied().chain(all).collect();
    failures(&addresses, |address| {
        let (gpu, _) = gpu::vf_at(sysfs, *address)?;
        let _lock = sysfs.lock(gpu.address)?;
        let (gpu, position) = gpu::vf_at(sysfs, *address)?;
        action(sysfs, vf_in(&gpu, position)?)
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
