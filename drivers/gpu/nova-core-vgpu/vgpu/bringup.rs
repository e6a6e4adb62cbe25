// SPDX-License-Identifier: GPL-2.0

//! From a booted GPU to the operations of the handle.
//!
//! ```text
//!   static info --> frame buffer manager --> memory manager --> Bar1
//!
//!   vGPU mode on? --> client --> questions to GSP-RM --> channel pool, engines, segment size, ...
//!        |                            |                |
//!        |                            |                '--> copy engine fills a page
//!        |                            |                          |
//!        no: reason                   one fails: reason, the PF stays up without vGPU
//! ```

use kernel::{
    new_mutex,
    prelude::*,
    sync::Arc, //
};

use super::{
    Gpu,
    Info,
    RmError,
    Support,
    Wait,
    BAR1, //
};
use crate::{
    ce::{
        self,
        CopyEngine, //
    },
    fb::{
        guest,
        manager::{
            FbOwner,
            FbRequest,
            Manager, //
        }, //
    },
    fifo::{
        self,
        channel::Parts,
        engines::EngineBitmap,
        ChannelPool, //
    },
    gpu::{
        self,
        gate::Gate,
        vgpu_mode::VgpuMode, //
    },
    gsp::rm::{
        queries,
        ClientIds,
        ClientObjects,
        Target, //
    },
    mm::{
        bar1::Bar1,
        pagetable::PAGE_SIZE,
        Mm, //
    },
};

/// Firmware tasks that GSP-RM can run for VFs (`MAX_PARTITIONS_WITH_GFID`, OGKM 570.144
/// `nv_sriov_defines.h`); the heap of the firmware is sized for as many.
const MAX_VFS: u16 = 32;

/// What GSP-RM answers to the questions about vGPU.
struct Facts {
    vmmu_segment_size: u64,
    ecc_enabled: bool,
    engines: EngineBitmap,
    pool: ChannelPool,
    /// `None` if no copy engine has a runlist for itself.
    copy: Option<ce::Setup>,
}

/// Makes the operations of `core`, which are to be reached through `gate`.
pub(super) fn operations(core: &gpu::Gpu<'_>, gate: Arc<Gate>) -> Result<(Arc<Gpu>, Support)> {
    let pdev = core.pdev();
    let info = core.static_info();

    let fb = Manager::new(info.fb_regions().iter().map(|r| r.start..r.end))?;
    let fb = Arc::pin_init(new_mutex!(fb), GFP_KERNEL)?;
    let mm = Arc::pin_init(Mm::new(pdev.into(), fb.clone()), GFP_KERNEL)?;
    let bar1 = Bar1::new(&mm, pdev.resource_len(BAR1)?, info.bar1_pde_base)?;

    let mut ids = ClientIds::new();
    let (facts, support, total_vfs) = match check(core, &mut ids) {
        Ok((facts, total_vfs)) => (Some(facts), Support::Supported, total_vfs),
        Err(reason) => {
            dev_info!(pdev, "vGPU is not available: {}\n", reason);
            (None, Support::NotSupported(reason), 0)
        }
    };
    let info = describe(core, fb.lock().total(), facts.as_ref(), total_vfs);
    if facts.is_some() {
        dev_info!(
            pdev,
            "vGPU: {} VFs, {} MiB FB in segments of {} MiB, {} channels, {} engines, ECC {}\n",
            info.total_vfs,
            (info.vgpu_fb.end - info.vgpu_fb.start) >> 20,
            info.vmmu_segment_size >> 20,
            info.channels.len(),
            info.engines.iter().count(),
            if info.ecc_enabled { "on" } else { "off" }
        );
    }
    let bar1 = Arc::pin_init(new_mutex!(bar1), GFP_KERNEL)?;
    let copy = facts.as_ref().and_then(|f| f.copy);
    let channels = Arc::pin_init(new_mutex!(facts.map(|f| f.pool)), GFP_KERNEL)?;
    let ids = Arc::pin_init(new_mutex!(ids), GFP_KERNEL)?;
    let gpu = Arc::pin_init(
        try_pin_init!(Gpu {
            pdev: pdev.into(),
            gate,
            info,
            ce: CopyEngine::new(
                pdev.as_ref(),
                copy,
                Parts {
                    fb: fb.clone(),
                    mm: mm.clone(),
                    channels: channels.clone(),
                    ids: ids.clone(),
                    bar1: bar1.clone(),
                },
            )?,
            fb,
            mm,
            channels,
            ids,
            bar1,
        }),
        GFP_KERNEL,
    )?;
    Ok((gpu, support))
}

/// Fills a page with the copy engine, without which nothing could be scrubbed, and so nothing be
/// given to a vGPU. Returns whether there can be any.
///
/// Not part of [`operations`]: making a channel takes much of the stack.
#[inline(never)]
pub(super) fn try_to_fill(core: &gpu::Gpu<'_>, gpu: &Gpu) -> Support {
    let dev = gpu.dev();
    let request = FbRequest {
        size: PAGE_SIZE,
        align: PAGE_SIZE,
        fixed: None,
        top_down: true,
        owner: FbOwner::Pf,
    };
    // A statement of its own: the lock must not be held below.
    let page = gpu.fb.lock().reserve(dev, &request);
    let filled = page.and_then(|page| {
        let filled = gpu
            .ce
            .prepare(core)
            .and_then(|()| gpu.ce.fill(core, page.clone(), 0));
        if filled.is_ok() || gpu.ce.settle(core) {
            gpu.fb.lock().release(dev, &page);
        }
        filled
    });
    match filled {
        Ok(()) => Support::Supported,
        Err(e) => {
            let reason = "no copy engine works, so that frame buffer cannot be scrubbed";
            dev_err!(dev, "cannot fill frame buffer: {:?}\n", e);
            dev_info!(dev, "vGPU is not available: {}\n", reason);
            Support::NotSupported(reason)
        }
    }
}

/// Fits the operations of `gpu` to the GPU, which has been booted again: accounting that VF drivers
/// take part in stays, what firmware and page tables knew begins anew.
///
/// # Errors
///
/// `ENODEV` when the GPU is not what it was, as after a change of ECC, and those of
/// [`operations`]; reported.
pub(super) fn again(core: &gpu::Gpu<'_>, gpu: &Gpu, support: Support) -> Result {
    let pdev = core.pdev();
    let info = core.static_info();

    let mut ids = ClientIds::new();
    let (facts, total_vfs) = match support {
        Support::NotSupported(_) => (None, 0),
        Support::Supported => check(core, &mut ids)
            .map(|(facts, total_vfs)| (Some(facts), total_vfs))
            .map_err(|reason| {
                dev_err!(pdev, "vGPU is not available any more: {}\n", reason);
                ENODEV
            })?,
    };
    let fb_total = info.fb_regions().iter().map(|r| r.end - r.start).sum();
    if describe(core, fb_total, facts.as_ref(), total_vfs) != gpu.info {
        dev_err!(
            pdev,
            "the GPU has other properties than before; unbind and bind the driver\n"
        );
        return Err(ENODEV);
    }
    // Mappings from before are not unmapped any more: they belong to another boot.
    gpu.bar1
        .lock()
        .restart(pdev.resource_len(BAR1)?, info.bar1_pde_base)?;
    *gpu.ids.lock() = ids;
    if let Some(pool) = (*gpu.channels.lock()).as_mut() {
        pool.end_quarantine();
    }
    gpu.fb_is_lost();
    Ok(())
}

fn describe(core: &gpu::Gpu<'_>, fb_total: u64, facts: Option<&Facts>, total_vfs: u16) -> Info {
    let regions = core.static_info().fb_regions().iter();
    Info {
        device_id: core.pdev().device_id(),
        chip: core.spec().chipset.name(),
        firmware_version: core.firmware_version(),
        fb_total,
        vgpu_fb: facts.map_or(0..0, |f| {
            guest::window(regions.map(|r| r.start..r.end), f.vmmu_segment_size)
        }),
        vmmu_segment_size: facts.map_or(0, |f| f.vmmu_segment_size),
        ecc_enabled: facts.is_some_and(|f| f.ecc_enabled),
        channels: facts.map_or(0..0, |f| f.pool.vgpus()),
        engines: facts.map_or(EngineBitmap::default(), |f| f.engines),
        total_vfs,
    }
}

/// The conditions for vGPU: the GPU was booted for it, the firmware is the expected version, and
/// GSP-RM answers. Returns the facts and how many VFs there can be.
fn check(core: &gpu::Gpu<'_>, ids: &mut ClientIds) -> Result<(Facts, u16), &'static str> {
    let sriov = match core.vgpu_mode() {
        VgpuMode::On(sriov) => sriov,
        VgpuMode::Off(reason) => return Err(reason),
    };
    let info = core.static_info();
    // Zero: firmware does not say.
    let by_gfid = match u16::try_from(info.sriov_max_gfid) {
        Ok(0) | Err(_) => MAX_VFS,
        Ok(max) => max,
    };
    let total_vfs = sriov.total_vfs.min(by_gfid).min(MAX_VFS);

    let dev = core.pdev().as_ref();
    let failed = |Failed(step, e): Failed| {
        dev_err!(dev, "vGPU: {}: {}\n", step, e);
        "GSP-RM does not answer questions about vGPU"
    };
    let id = ids.take().ok_or("no RM client id is free")?;
    let client =
        ClientObjects::alloc(core.cmdq(), id, Wait::UNINTERRUPTIBLE).map_err(|(e, reusable)| {
            if reusable {
                ids.put(id);
            } else {
                ids.lose(id);
            }
            failed(Failed("RM client", e))
        })?;
    let facts = questions(core, client.subdevice());
    match client.free(core.cmdq()) {
        Ok(()) => ids.put(id),
        Err(e) => {
            ids.lose(id);
            dev_err!(dev, "cannot free RM client {:#x}: {}\n", client.handle(), e);
        }
    }
    match facts.map_err(failed)? {
        Some(facts) => Ok((facts, total_vfs)),
        None => Err("the running GSP firmware is not the version that this driver knows"),
    }
}

/// The question that failed, and why.
struct Failed(&'static str, RmError);

trait Question<T> {
    fn question(self, name: &'static str) -> Result<T, Failed>;
}

impl<T> Question<T> for Result<T, RmError> {
    fn question(self, name: &'static str) -> Result<T, Failed> {
        self.map_err(|e| Failed(name, e))
    }
}

/// Asks; `None` if the firmware is another version.
fn questions(core: &gpu::Gpu<'_>, subdevice: Target) -> Result<Option<Facts>, Failed> {
    let cmdq = core.cmdq();
    let info = core.static_info();
    let expected = core.firmware_version();
    if !queries::firmware_version_is(cmdq, subdevice, expected).question("firmware version")? {
        return Ok(None);
    }
    let engines = queries::engines(cmdq, subdevice).question("device-info table")?;
    core.events().set_engines(&engines);
    if engines.unknown != 0 {
        dev_info!(core.pdev(), "{} engines are not known\n", engines.unknown);
    }
    // Sizes of runlists are told only to GSP-RM's own subdevice.
    let internal = Target {
        client: info.h_client,
        object: info.h_subdevice,
    };
    let copy = match engines.copy_unit() {
        Some(unit) => Some(ce::Setup {
            unit,
            method_buffer: queries::ce_method_buffer_size(cmdq, internal)
                .question("method buffer of copy engines")?,
        }),
        None => None,
    };
    let segment_size = queries::vmmu_segment_size(cmdq, subdevice);
    Ok(Some(Facts {
        vmmu_segment_size: segment_size.question("VMMU segment size")?,
        ecc_enabled: queries::ecc_enabled(cmdq, subdevice).question("ECC state")?,
        pool: fifo::channel_pool(cmdq, internal, &engines).question("channel IDs of runlists")?,
        engines: engines.bitmap,
        copy,
    }))
}
