// SPDX-License-Identifier: GPL-2.0

//! What the GPU says of FB: size, VGA workspace, WPR2.
//!
//! ```text
//!  NV_USABLE_FB_SIZE_IN_MB ─┐
//!  display fuse, VGA base  ─┴─▶ layout::Input ─▶ layout::Layout
//!  WPR2_ADDR_LO/HI         ───▶ wpr2()
//! ```

use core::ops::Range;

use kernel::{
    device,
    io::Io,
    prelude::*, //
};

use crate::{
    driver::Bar0,
    regs::{
        check::{
            check,
            BadRead, //
        },
        fuse::NV_FUSE_STATUS_OPT_DISPLAY,
        pdisp::NV_PDISP_VGA_WORKSPACE_BASE,
        pfb::{
            NV_PFB_PRI_MMU_WPR2_ADDR_HI,
            NV_PFB_PRI_MMU_WPR2_ADDR_LO, //
        },
        pgc6::NV_USABLE_FB_SIZE_IN_MB,
    },
};

use super::layout::{
    Input,
    Layout, //
};

/// WPR2 addresses are in units of 4 KiB.
const WPR2_SHIFT: u32 = 12;
/// The VGA workspace address is in units of 64 KiB.
const VGA_SHIFT: u32 = 16;

fn bad_read(dev: &device::Device, what: &str, bad: BadRead) -> Error {
    dev_err!(
        dev,
        "FB: {} reads {:#010x}: {}; reset the GPU\n",
        what,
        bad.raw(),
        bad.reason()
    );
    match bad {
        BadRead::Gone => ENODEV,
        BadRead::Blocked(_) => EIO,
    }
}

/// Usable FB in bytes.
fn fb_size(dev: &device::Device, bar: Bar0<'_>) -> Result<u64> {
    let mib =
        check(bar.read(NV_USABLE_FB_SIZE_IN_MB)).map_err(|bad| bad_read(dev, "FB size", bad))?;

    if mib.value() == 0 {
        dev_err!(
            dev,
            "FB: the boot firmware left no FB size; reset the GPU or reflash the board\n"
        );
        return Err(EIO);
    }
    Ok(u64::from(mib.value()) << 20)
}

/// Start of the VGA workspace, or `None` when the display engine has none.
fn vga_workspace(dev: &device::Device, bar: Bar0<'_>) -> Result<Option<u64>> {
    let display = check(bar.read(NV_FUSE_STATUS_OPT_DISPLAY))
        .map_err(|bad| bad_read(dev, "display fuse", bad))?;
    if display.disabled() {
        return Ok(None);
    }

    let base = check(bar.read(NV_PDISP_VGA_WORKSPACE_BASE))
        .map_err(|bad| bad_read(dev, "VGA workspace base", bad))?;
    let address: u32 = base.address().into();

    Ok(base.valid().then(|| u64::from(address) << VGA_SHIFT))
}

/// The layout of FB for a bootloader and a GSP-RM of these sizes in bytes.
///
/// # Errors
///
/// `ENOSPC` when FB is too small, `EIO` and `ENODEV` when its size cannot be read; reported.
pub(crate) fn layout(
    dev: &device::Device,
    bar: Bar0<'_>,
    boot_size: usize,
    image_size: usize,
    vgpu: bool,
) -> Result<Layout> {
    // CAST: `usize` is 64 bits wide here.
    let input = Input {
        fb_size: fb_size(dev, bar)?,
        vga_workspace: vga_workspace(dev, bar)?,
        boot_size: boot_size as u64,
        image_size: image_size as u64,
        vgpu,
    };

    Layout::new(&input).map_err(|_| {
        dev_err!(
            dev,
            "FB: {} MiB (VGA workspace at {:x?}) are not enough for GSP; this board is not supported\n",
            input.fb_size >> 20,
            input.vga_workspace
        );
        ENOSPC
    })
}

/// Where WPR2 is, or `None` while it is down. Its end counts as exclusive.
///
/// # Errors
///
/// `EIO` or `ENODEV` when the registers cannot be read; reported.
pub(crate) fn wpr2(dev: &device::Device, bar: Bar0<'_>) -> Result<Option<Range<u64>>> {
    let hi = check(bar.read(NV_PFB_PRI_MMU_WPR2_ADDR_HI))
        .map_err(|bad| bad_read(dev, "WPR2 end", bad))?;
    let hi: u32 = hi.address().into();
    if hi == 0 {
        return Ok(None);
    }

    let lo = check(bar.read(NV_PFB_PRI_MMU_WPR2_ADDR_LO))
        .map_err(|bad| bad_read(dev, "WPR2 start", bad))?;
    let lo: u32 = lo.address().into();

    Ok(Some(
        u64::from(lo) << WPR2_SHIFT..u64::from(hi) << WPR2_SHIFT,
    ))
}
