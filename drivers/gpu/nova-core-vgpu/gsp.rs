// SPDX-License-Identifier: GPL-2.0

//! The GPU System Processor: everything between the falcon it runs on and the requests it serves.
//!
//! ```text
//!  Gsp::new   memory (queues, logs, arguments) -> boot: firmware, WPR2, booter, INIT_DONE
//!  Gsp        cmdq: requests and events
//!  drop       UNLOADING_GUEST_DRIVER -> FWSEC-SB, booter-unload -> memory
//! ```
//!
//! Fields are dropped in order of declaration, after GSP has stopped; what GSP can write to is
//! freed only then.

mod boot;
pub(crate) mod cmdq;
mod commands;
pub(crate) mod events;
pub(crate) mod fw;
pub(crate) mod interrupt;
pub(crate) mod logs;
pub(crate) mod nv_status;
pub(crate) mod rm;
mod sequencer;
pub(crate) mod stats;
mod unload;

use kernel::{
    device,
    dma::Coherent,
    io::{
        io_project,
        Io, //
    },
    pci,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

use crate::{
    driver::Bar0,
    falcon::{
        gsp::Gsp as GspEngine,
        sec2::Sec2,
        Falcon, //
    },
    fb::layout::Layout,
    gpu::life::Life,
    irq::{
        Irq,
        Vector, //
    },
};

use cmdq::{
    CallError,
    Cmdq, //
};
use fw::r570_144::{
    libos::{
        InitArg,
        Name, //
    },
    rm_args::RmArgs,
    rpc::SLOT_SIZE,
    static_info::StaticInfo, //
};
use interrupt::Interrupt;
use logs::Logs;
use nv_status::NvStatus;
use rm::{
    Notifiers,
    RmError, //
};
use unload::Teardown;

/// What boot needs to know beyond the device.
#[derive(Clone, Copy)]
pub(crate) struct Params {
    /// Boot with vGPU enabled.
    pub(crate) vgpu: bool,
}

/// Both engines that take part in booting GSP.
pub(crate) struct Engines<'gpu> {
    pdev: &'gpu pci::Device<device::Bound>,
    bar: Bar0<'gpu>,
    gsp: Falcon<'gpu, GspEngine>,
    sec2: Falcon<'gpu, Sec2>,
}

impl<'gpu> Engines<'gpu> {
    fn new(pdev: &'gpu pci::Device<device::Bound>, bar: Bar0<'gpu>) -> Self {
        Self {
            pdev,
            bar,
            gsp: Falcon::new(pdev.as_ref(), bar),
            sec2: Falcon::new(pdev.as_ref(), bar),
        }
    }

    fn dev(&self) -> &'gpu device::Device<device::Bound> {
        self.pdev.as_ref()
    }
}

/// What a boot that succeeded leaves behind.
struct Booted {
    layout: Layout,
    teardown: Teardown,
}

/// A running GSP.
#[pin_data(PinnedDrop)]
pub(crate) struct Gsp<'gpu> {
    engines: Engines<'gpu>,
    cmdq: Arc<Cmdq<'gpu>>,
    logs: Logs,
    _rm_args: Coherent<[u8]>,
    libos: Coherent<[u8]>,
    stopped: Atomic<bool>,
    booted: Booted,
}

impl<'gpu> Gsp<'gpu> {
    /// Boots GSP.
    ///
    /// # Errors
    ///
    /// `EBUSY` when WPR2 is up already, `ENOENT` for a missing firmware file, `EINVAL` for a bad
    /// VBIOS or file, `EIO`, `ETIMEDOUT` and `ENODEV` when the GPU does not do its part. Reported.
    /// GSP and WPR2 are down again then.
    pub(crate) fn new(
        pdev: &'gpu pci::Device<device::Bound>,
        bar: Bar0<'gpu>,
        params: Params,
        life: Arc<Life>,
    ) -> impl PinInit<Self, Error> + use<'gpu> {
        let dev: &'gpu device::Device<device::Bound> = pdev.as_ref();

        try_pin_init!(Self {
            engines: Engines::new(pdev, bar),
            cmdq: Arc::pin_init(Cmdq::new(dev, bar, life), GFP_KERNEL)?,
            logs: Logs::new(dev)?,
            _rm_args: rm_args(dev, cmdq)?,
            libos: libos_args(dev, logs, _rm_args)?,
            stopped: Atomic::new(false),
            // Last: when it fails, the fields above are dropped one by one, without the drop of
            // the whole, and GSP has been stopped before.
            booted: boot::Boot::new(engines, cmdq, libos, &params).run()?,
        })
    }

    /// The queues.
    pub(crate) fn cmdq(&self) -> &Cmdq<'gpu> {
        &self.cmdq
    }

    /// Lets GSP announce its messages by `vector`, until what this returns is dropped.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn enable_interrupt(
        &self,
        irq: &Irq<'gpu>,
        vector: Vector,
    ) -> Result<Interrupt<'gpu>> {
        let Engines { pdev, bar, .. } = self.engines;

        Interrupt::enable(pdev.as_ref(), bar, &self.cmdq, irq, vector)
    }

    /// Has GSP-RM tell of what it does not tell unasked, until what this returns is dropped.
    ///
    /// # Errors
    ///
    /// What firmware says.
    pub(crate) fn register_notifiers(&self) -> Result<Notifiers<'gpu>, RmError> {
        Notifiers::register(&self.cmdq)
    }

    /// Log buffers that GSP writes to.
    pub(crate) fn logs(&self) -> &Logs {
        &self.logs
    }

    /// The falcon that GSP-RM runs on.
    pub(crate) fn falcon(&self) -> &Falcon<'gpu, GspEngine> {
        &self.engines.gsp
    }

    /// Where GSP's parts of FB are.
    pub(crate) fn layout(&self) -> &Layout {
        &self.booted.layout
    }

    /// Stops GSP, which then no longer writes to system memory. Requests fail with `ENODEV` from
    /// then on. Does nothing the second time.
    pub(crate) fn stop(&self) {
        if self.stopped.xchg(true, Relaxed) {
            return;
        }
        unload::shut_down(&self.engines, &self.cmdq, &self.booted.teardown);
    }

    /// Leaves GSP as it is: nobody can be asked to stop it, and it cannot do DMA. Requests fail with
    /// `ENODEV` from then on.
    pub(crate) fn leave(&self) {
        self.stopped.store(true, Relaxed);
        self.cmdq.close();
    }

    /// Asks for the facts about the GPU.
    ///
    /// # Errors
    ///
    /// Those of [`Cmdq::call`]; reported.
    pub(crate) fn static_info(&self) -> Result<StaticInfo> {
        let command = commands::GetStaticInfo {
            fb_size: self.booted.layout.fb_size,
        };

        self.cmdq
            .call(&command, Cmdq::DEFAULT_TIMEOUT)
            .map_err(|e| {
                let dev = self.engines.dev();
                match e {
                    CallError::Transport(_) => (),
                    CallError::Status(raw) => dev_err!(
                        dev,
                        "GSP: no static information: {}; reload the driver\n",
                        NvStatus(raw)
                    ),
                    CallError::Malformed(field) => dev_err!(
                        dev,
                        "GSP: bad {} in the static information; check that the firmware is 570.144\n",
                        field
                    ),
                }
                e.into()
            })
    }
}

#[pinned_drop]
impl PinnedDrop for Gsp<'_> {
    fn drop(self: Pin<&mut Self>) {
        self.as_ref().get_ref().stop();
    }
}

/// Arguments of GSP-RM in a page of their own.
fn rm_args(dev: &device::Device<device::Bound>, cmdq: &Cmdq<'_>) -> Result<Coherent<[u8]>> {
    let args = RmArgs::new(cmdq.dma_address());
    let page = Coherent::<u8>::zeroed_slice(dev, SLOT_SIZE, GFP_KERNEL)?;

    io_project!(page, [try: ..size_of::<RmArgs>()]).copy_from_slice(args.as_bytes());
    Ok(page)
}

/// The page of memory regions for libos.
fn libos_args(
    dev: &device::Device<device::Bound>,
    logs: &Logs,
    rm_args: &Coherent<[u8]>,
) -> Result<Coherent<[u8]>> {
    let page = Coherent::<u8>::zeroed_slice(dev, SLOT_SIZE, GFP_KERNEL)?;
    let [init, intr, rm] = logs.buffers();

    for (i, (name, buffer)) in [
        (Name::LogInit, init),
        (Name::LogIntr, intr),
        (Name::LogRm, rm),
        (Name::RmArgs, rm_args),
    ]
    .into_iter()
    .enumerate()
    {
        // CAST: `usize` is 64 bits wide here.
        let arg = InitArg::new(name, buffer.dma_address(), buffer.size() as u64);
        let at = i * size_of::<InitArg>();
        io_project!(page, [try: at..at + size_of::<InitArg>()]).copy_from_slice(arg.as_bytes());
    }
    Ok(page)
}
