// SPDX-License-Identifier: GPL-2.0

//! The PCI driver of the PF.
//!
//! ```text
//!  probe            BAR0 ─▶ Gpu ─▶ vgpu::Registration
//!  sriov_configure  VFs come and go
//!  unbind           VFs gone ─▶ vgpu::Registration ─▶ Gpu ─▶ BAR0
//! ```

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
    DeviceExt as _, //
};

use crate::{
    gpu::Gpu,
    vgpu, //
};

/// Size of the register BAR in bytes.
pub(crate) const BAR0_SIZE: usize = SZ_16M;

/// Registers.
pub(crate) type Bar0<'a> = &'a pci::Bar<'a, BAR0_SIZE>;

/// The driver's data of one PF. Fields are dropped in order of declaration.
#[pin_data]
pub(crate) struct NovaCoreVgpu<'bound> {
    /// What a VF driver sees; keeps everybody out of `gpu` once it is dropped.
    vgpu: vgpu::Registration<'bound>,
    #[pin]
    gpu: Gpu<'bound>,
    /// Last: everything above uses it.
    bar: pci::Bar<'bound, BAR0_SIZE>,
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

            Ok(try_pin_init!(NovaCoreVgpu {
                bar: pdev.iomap_region_sized::<BAR0_SIZE>(0, c"nova_core_vgpu/bar0")?,
                // SAFETY: `bar` is initialised, pinned with the whole, and dropped after `gpu`.
                gpu <- Gpu::new(pdev, unsafe { &*core::ptr::from_ref(bar) }),
                // SAFETY: `gpu` is pinned with the whole, and dropped after this field.
                vgpu: unsafe { vgpu::Registration::new(gpu.as_ref().get_ref())? },
            }))
        })
    }

    fn unbind<'bound>(pdev: &'bound pci::Device<Core<'_>>, data: Pin<&Self::Data<'bound>>) {
        data.vgpu.unbind(pdev);
    }

    fn shutdown<'bound>(_pdev: &'bound pci::Device<Core<'_>>, data: Pin<&Self::Data<'bound>>) {
        // The next kernel must not find its memory written to by GSP.
        data.gpu.gsp().stop();
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
