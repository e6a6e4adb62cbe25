// SPDX-License-Identifier: GPL-2.0

//! One GPU, from the chip check to a running GSP.
//!
//! ```text
//!  Spec::read ─▶ GFW boot done ─▶ sysmem flush page ─▶ vGPU mode ─▶ Gsp ─▶ static info
//!      ─▶ interrupt table ─▶ notifiers ─▶ interrupts; until then the queues of GSP are polled
//!  drop: notifiers ─▶ Gsp (stops it) ─▶ interrupts ─▶ sysmem flush page
//! ```

pub(crate) mod dump;
pub(crate) mod gate;
pub(crate) mod health;
pub(crate) mod life;
pub(crate) mod loss;
pub(crate) mod phase;
pub(crate) mod slot;
pub(crate) mod spec;
pub(crate) mod vgpu_mode;

use kernel::{
    device,
    dma::{
        Device as _,
        DmaMask, //
    },
    pci,
    prelude::*,
    sync::Arc, //
};

use kernel_ext::pci::DeviceExt as _;

use crate::{
    driver::Bar0,
    fb::SysmemFlush,
    gsp::{
        cmdq::Cmdq,
        events::Router,
        fw::r570_144::{
            static_info::StaticInfo,
            VERSION_CSTR, //
        },
        interrupt::Interrupt,
        rm::{
            queries,
            Notifiers,
            Target, //
        },
        Gsp,
        Params, //
    },
    irq::{
        Irq,
        Table, //
    },
};

use life::Life;
use loss::Loss;
pub(crate) use spec::Spec;
pub(crate) use vgpu_mode::VgpuMode;

/// Bits of a DMA address that the GPU can drive.
const DMA_BITS: u32 = 47;

/// A GPU whose GSP runs.
#[pin_data]
pub(crate) struct Gpu<'gpu> {
    /// Before `gsp`, which takes them back. `None`: firmware refused them.
    _notifiers: Option<Notifiers<'gpu>>,
    #[pin]
    gsp: Gsp<'gpu>,
    /// After `gsp`: it is told to stop, and says that it will.
    _interrupt: Interrupt<'gpu>,
    #[pin]
    irq: Irq<'gpu>,
    irq_table: Table,
    /// After `gsp`: stopping GSP resets falcons, which need the page.
    _sysmem_flush: SysmemFlush<'gpu>,
    pdev: &'gpu pci::Device<device::Bound>,
    bar: Bar0<'gpu>,
    spec: Spec,
    vgpu_mode: VgpuMode,
    static_info: StaticInfo,
    life: Arc<Life>,
}

/// Sets up how the PF addresses memory: once, before anything is allocated for it.
///
/// # Errors
///
/// `EIO` when the system cannot do DMA at all.
pub(crate) fn set_dma_limits(pdev: &pci::Device<device::Core<'_>>) -> Result {
    // The radix-3 page table is made of pages, however many of them a segment has.
    //
    // SAFETY: The device is being probed, so nobody allocates or maps DMA memory for it yet.
    unsafe {
        pdev.dma_set_mask_and_coherent(DmaMask::new::<DMA_BITS>())?;
        pdev.dma_set_max_seg_size(u32::MAX);
    }
    Ok(())
}

impl<'gpu> Gpu<'gpu> {
    /// Brings the GPU up.
    ///
    /// # Errors
    ///
    /// `ENODEV` for a chip that is not Ada, and those of [`Gsp::new`]; reported.
    pub(crate) fn new(
        pdev: &'gpu pci::Device<device::Bound>,
        bar: Bar0<'gpu>,
        life: Arc<Life>,
    ) -> impl PinInit<Self, Error> + use<'gpu> {
        pin_init::pin_init_scope(move || {
            let dev = pdev.as_ref();
            let spec = Spec::read(dev, bar)?;
            dev_info!(
                dev,
                "NVIDIA {} revision {:x}.{:x}\n",
                spec.chipset.name(),
                spec.revision.0,
                spec.revision.1
            );

            spec::wait_gfw_boot(dev, bar)?;

            let sriov = pdev.sriov().ok();
            let mode = VgpuMode::before_boot(pdev, sriov.as_ref());
            let params = Params { vgpu: mode.is_on() };

            Ok(try_pin_init!(Self {
                _sysmem_flush: SysmemFlush::new(dev, bar)?,
                gsp <- Gsp::new(pdev, bar, params, life.clone()),
                pdev,
                bar,
                spec,
                static_info: gsp.as_ref().get_ref().static_info()?,
                vgpu_mode: mode.after_boot(static_info),
                _: {
                    dev_info!(
                        dev,
                        "GSP 570.144 runs on {}, {} MiB of FB, {} MiB for GSP\n",
                        static_info.gpu_name(),
                        gsp.layout().fb_size >> 20,
                        gsp.layout().reserved() >> 20
                    );
                },
                irq_table: irq_table(dev, gsp.cmdq(), static_info),
                // While the queues are polled: an interrupt for each reply would take longer.
                _notifiers: notifiers(dev, gsp.as_ref().get_ref()),
                irq <- Irq::new(pdev, bar),
                _interrupt: gsp.enable_interrupt(irq.as_ref().get_ref(), irq_table.gsp(dev)?)?,
                life,
            }))
        })
    }

    /// The PF.
    pub(crate) fn pdev(&self) -> &'gpu pci::Device<device::Bound> {
        self.pdev
    }

    /// Registers.
    pub(crate) fn bar(&self) -> Bar0<'gpu> {
        self.bar
    }

    /// Chip and revision.
    pub(crate) fn spec(&self) -> &Spec {
        &self.spec
    }

    /// vGPU or not.
    pub(crate) fn vgpu_mode(&self) -> &VgpuMode {
        &self.vgpu_mode
    }

    /// Facts from GSP.
    pub(crate) fn static_info(&self) -> &StaticInfo {
        &self.static_info
    }

    /// Interrupts.
    pub(crate) fn irq(&self) -> &Irq<'gpu> {
        &self.irq
    }

    /// Which engine has which interrupt vector.
    pub(crate) fn irq_table(&self) -> &Table {
        &self.irq_table
    }

    /// GSP.
    pub(crate) fn gsp(&self) -> &Gsp<'gpu> {
        &self.gsp
    }

    /// The queues.
    pub(crate) fn cmdq(&self) -> &Cmdq<'gpu> {
        self.gsp.cmdq()
    }

    /// Where events go.
    pub(crate) fn events(&self) -> &Arc<Router> {
        self.cmdq().router()
    }

    /// Phase and history.
    pub(crate) fn life(&self) -> &Life {
        &self.life
    }

    /// Notes that the GPU is of no use any more, fails everything that waits for GSP, and has
    /// everybody told. May be called by any task; only the first call does something.
    pub(crate) fn lost(&self, loss: Loss) {
        if self.life.lost(loss) {
            self.cmdq().abandon();
        }
    }

    /// Version of GSP-RM.
    pub(crate) fn firmware_version(&self) -> &'static CStr {
        VERSION_CSTR
    }
}

/// Registers notifiers. A GPU without them works; that data were lost is then told by nobody.
fn notifiers<'gpu>(dev: &device::Device, gsp: &Gsp<'gpu>) -> Option<Notifiers<'gpu>> {
    gsp.register_notifiers()
        .inspect_err(|e| dev_warn!(dev, "GSP: no notifications of ECC errors: {}\n", e))
        .ok()
}

/// Asks for the interrupt vectors. A GPU without the answer works: only GSP's own vector is needed,
/// and that one is known.
fn irq_table(dev: &device::Device, cmdq: &Cmdq<'_>, info: &StaticInfo) -> Table {
    let internal = Target {
        client: info.h_client,
        object: info.h_subdevice,
    };

    queries::interrupts(cmdq, internal).unwrap_or_else(|e| {
        dev_warn!(dev, "interrupt: no table of vectors: {}\n", e);
        Table::empty()
    })
}
