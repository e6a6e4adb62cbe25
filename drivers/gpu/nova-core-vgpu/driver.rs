// SPDX-License-Identifier: GPL-2.0

//! The PCI driver of the PF.
//!
//! ```text
//!  probe            BAR0 ─▶ Slot with a Gpu ─▶ vgpu::Registration
//!  sriov_configure  VFs come and go
//!  reset            VF driver told ─▶ Slot emptied ─▶ [reset] ─▶ Slot filled ─▶ VF driver told
//!  sleep            no VF open? ─▶ the same
//!  error            link frozen: the same, but GSP is not asked; else only if GSP is dead
//!  shutdown         Slot emptied
//!  unbind           VFs gone ─▶ Slot emptied ─▶ no more DMA ─▶ vgpu::Registration ─▶ BAR0
//! ```
//!
//! All of them run with the device lock held, one at a time.

use kernel::{
    device::{
        Bound,
        Core, //
    },
    pci,
    prelude::*,
    sizes::SZ_16M,
    sync::Arc, //
};

use kernel_ext::pci::{
    self as pci_ext,
    Channel,
    CoreExt as _,
    DeviceExt as _,
    Recovery, //
};

use crate::{
    gpu::{
        self,
        loss::Loss,
        phase::{
            Phase,
            Step, //
        },
        slot::Slot, //
    },
    vgpu, //
};

/// Size of the register BAR in bytes.
pub(crate) const BAR0_SIZE: usize = SZ_16M;

/// Registers.
pub(crate) type Bar0<'a> = &'a pci::Bar<'a, BAR0_SIZE>;

/// The driver's data of one PF. Fields are dropped in order of declaration.
#[pin_data]
pub(crate) struct NovaCoreVgpu<'bound> {
    /// What a VF driver sees.
    vgpu: Pin<KBox<vgpu::Registration<'bound>>>,
    /// Keeps everybody out of the GPU once it is dropped.
    #[pin]
    slot: Slot<'bound>,
    /// Last: everything above uses it.
    bar: pci::Bar<'bound, BAR0_SIZE>,
}

impl<'bound> NovaCoreVgpu<'bound> {
    /// Takes `step`, which leads to a phase without a GPU, and stops it: vGPUs are dead, GSP is
    /// stopped as far as it listens, WPR2 is down.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the step is not possible now, as while an earlier one is going on.
    fn stop(&self, step: Step) -> Result {
        self.vacate(step, Slot::stop)
    }

    /// Lets go of the GPU without asking it, because of an error of the link: vGPUs are dead, and
    /// the GPU cannot reach memory any more. Does nothing when that is done already.
    fn cut_off(&self, pdev: &pci::Device<Core<'_>>) {
        if self.slot.life().phase() == Phase::Resetting {
            return;
        }
        self.vgpu.handle().begin_reset();
        // Instead of GSP being stopped: nobody must write to memory that is freed.
        pdev.clear_master();
        self.slot.lost(Loss::Link);
        // Not possible when there is no GPU, and then this is all there is to do.
        let _ = self.vacate(Step::Reset, Slot::cut_off);
    }

    /// Ends everything that uses the GPU, takes `step`, and has `empty` empty the slot.
    fn vacate(&self, step: Step, empty: impl FnOnce(&Slot<'bound>)) -> Result {
        // First, so that the client can end its vGPUs while GSP listens, if it does.
        self.vgpu.tell(&vgpu::Event::Lost);
        self.slot.life().step(step)?;
        self.vgpu.quiesce();
        empty(&self.slot);
        Ok(())
    }

    /// Takes `step`, which leads to a phase in which the GPU is booted, and boots the GPU again.
    ///
    /// # Errors
    ///
    /// `EINVAL` as for [`Self::stop`], and those of [`gpu::Gpu::new`]; reported. The GPU is lost then.
    fn start(&self, pdev: &pci::Device<Core<'_>>, step: Step) -> Result {
        self.slot.life().step(step)?;
        pdev.set_master();
        self.slot
            .boot(|core| self.vgpu.again(core))
            .inspect_err(|e| {
                self.slot.life().boot_failed();
                dev_err!(
                    pdev,
                    "GSP is lost: it does not boot again ({:?}); reset the PF (echo 1 > /sys/bus/pci/devices/{}/reset) or unbind and bind the driver\n",
                    e,
                    pdev.as_ref().name()
                );
            })?;
        self.vgpu.begin();
        self.vgpu.tell(&vgpu::Event::Restored);
        Ok(())
    }
}

/// The driver.
pub(crate) struct NovaCoreVgpuDriver;

static SLOT: pci_ext::DriverSlot = pci_ext::DriverSlot::new();

/// Boards with vGPU (OGKM 570.144 `g_nv_name_released.h`).
const DEVICE_IDS: [u16; 9] = [
    0x26b1, // RTX 6000 Ada
    0x26b2, // RTX 5000 Ada
    0x26b3, // RTX 5880 Ada
    0x26b5, // L40
    0x26b8, // L40G
    0x26b9, // L40S
    0x26ba, // L20
    0x27b6, // L2
    0x27b8, // L4
];

macro_rules! table {
    ($($index:literal),*) => {
        kernel::pci_device_table!(
            PCI_TABLE,
            (),
            [$((
                pci::DeviceId::from_id(pci::Vendor::NVIDIA, DEVICE_IDS[$index] as u32),
                ()
            )),*]
        );
    };
}

table!(0, 1, 2, 3, 4, 5, 6, 7, 8);

/// The board is one that vGPU exists for. Others can be bound through `driver_override`.
pub(crate) fn supports_vgpu(device_id: u16) -> bool {
    DEVICE_IDS.contains(&device_id)
}

#[vtable]
impl pci_ext::Driver for NovaCoreVgpuDriver {
    type IdInfo = ();
    type Data<'bound> = NovaCoreVgpu<'bound>;

    const ID_TABLE: pci::IdTable<Self::IdInfo> = &PCI_TABLE;

    fn slot() -> &'static pci_ext::DriverSlot {
        &SLOT
    }

    fn probe<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound Self::IdInfo>,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound {
        pin_init::pin_init_scope(move || {
            // VFs have the ids of their PF; they are for the VF driver.
            if pdev.is_virtfn() {
                return Err(ENODEV);
            }
            pdev.enable_device_mem()?;
            pdev.set_master();
            gpu::set_dma_limits(pdev)?;

            Ok(try_pin_init!(NovaCoreVgpu {
                bar: pdev.iomap_region_sized::<BAR0_SIZE>(0, c"nova_core_vgpu/bar0")?,
                // SAFETY: `bar` is initialised, pinned with the whole, and dropped after `slot`.
                slot <- Slot::new(pdev, unsafe { &*core::ptr::from_ref(bar) }),
                vgpu: slot.boot(|core| KBox::pin_init(
                    vgpu::Registration::new(core, slot.gate().clone()),
                    GFP_KERNEL,
                ))?,
                _: {
                    vgpu.begin();
                },
            }))
        })
    }

    fn unbind<'bound>(pdev: &'bound pci::Device<Core<'_>>, data: Pin<&Self::Data<'bound>>) {
        data.vgpu.unbind(pdev);
        // From `Gone` alone this step is not possible, and then it is done.
        let _ = data.stop(Step::Remove);
        pdev.clear_master();
    }

    fn shutdown<'bound>(pdev: &'bound pci::Device<Core<'_>>, data: Pin<&Self::Data<'bound>>) {
        // The next kernel must neither find its memory written to by GSP, nor WPR2 up.
        let _ = data.stop(Step::Remove);
        pdev.clear_master();
    }

    fn suspend<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
    ) -> Result {
        let handle = data.vgpu.handle();
        handle.begin_suspend().inspect_err(|e| {
            dev_err!(
                pdev,
                "cannot sleep: {:?}; in use: {}; close them or move their VMs away first\n",
                e,
                handle.open_vfs()
            );
        })?;
        data.stop(Step::Sleep)
    }

    fn resume<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
    ) -> Result {
        let result = data.start(pdev, Step::Wake);
        data.vgpu.handle().end_suspend();
        result
    }

    fn reset_prepare<'bound>(pdev: &'bound pci::Device<Core<'_>>, data: Pin<&Self::Data<'bound>>) {
        let handle = data.vgpu.handle();
        let open = handle.open_vfs();
        if open.count() != 0 {
            dev_warn!(pdev, "reset of the PF: vGPUs of {} are lost\n", open);
        }
        handle.begin_reset();
        let _ = data.stop(Step::Reset);
    }

    fn reset_done<'bound>(pdev: &'bound pci::Device<Core<'_>>, data: Pin<&Self::Data<'bound>>) {
        // Reported; the GPU is lost then, and another reset may help.
        let _ = data.start(pdev, Step::ResetDone);
        data.vgpu.handle().end_reset();
    }

    fn error_detected<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
        channel: Channel,
    ) -> Recovery {
        let open = data.vgpu.handle().open_vfs();
        let (vgpus, are_lost) = match open.count() {
            0 => ("", ""),
            _ => ("; vGPUs of ", " are lost"),
        };
        match channel {
            // The registers will tell whether it matters.
            Channel::Normal => Recovery::CanRecover,
            Channel::Frozen => {
                dev_err!(
                    pdev,
                    "PCI error: the link needs a reset{}{}{}\n",
                    vgpus,
                    open,
                    are_lost
                );
                data.cut_off(pdev);
                Recovery::NeedReset
            }
            Channel::Failed => {
                data.cut_off(pdev);
                data.slot.life().reset_failed();
                data.vgpu.handle().end_reset();
                dev_err!(
                    pdev,
                    "PCI error: the PCI core could not recover the link{}{}{}; reset the PF (echo 1 > /sys/bus/pci/devices/{}/reset)\n",
                    vgpus,
                    open,
                    are_lost,
                    pdev.as_ref().name()
                );
                Recovery::Disconnect
            }
        }
    }

    fn mmio_enabled<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
    ) -> Recovery {
        match data.slot.registers() {
            Ok(None) => Recovery::Recovered,
            Ok(Some(loss)) => {
                dev_err!(pdev, "PCI error: GSP is lost: {}; resetting\n", loss);
                data.cut_off(pdev);
                Recovery::NeedReset
            }
            // There is no GPU that the error could have hit.
            Err(_) => Recovery::Recovered,
        }
    }

    fn slot_reset<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
    ) -> Recovery {
        // If another function has asked for it, there was a GSP until now.
        data.cut_off(pdev);
        let result = data.start(pdev, Step::ResetDone);
        data.vgpu.handle().end_reset();
        match result {
            Ok(()) => Recovery::Recovered,
            Err(_) => Recovery::Disconnect,
        }
    }

    fn error_resume<'bound>(pdev: &'bound pci::Device<Core<'_>>, data: Pin<&Self::Data<'bound>>) {
        let phase = data.slot.life().phase();
        dev_info!(pdev, "PCI error: over, GSP is {}\n", phase.name());
    }

    fn sriov_configure<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
        num_vfs: u16,
    ) -> Result<u16> {
        crate::sriov::configure(pdev, data.vgpu.handle(), num_vfs)
    }
}

/// The handle of the PF that `vf` belongs to.
///
/// # Errors
///
/// `EINVAL` when `vf` is not a VF, `ENODEV` when this driver does not drive its PF.
#[inline(never)]
pub(crate) fn handle_of_vf(vf: &pci::Device<Bound>) -> Result<Arc<vgpu::Handle>> {
    pci_ext::with_pf_data::<NovaCoreVgpuDriver, _>(vf, |data| data.vgpu.handle().clone())
}
