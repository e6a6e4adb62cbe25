// SPDX-License-Identifier: GPL-2.0

//! Boots GSP.
//!
//! ```text
//!  nothing touched   VBIOS, firmware files, FB layout, all images patched and in memory
//!  WPR2 must be down
//!                    GSP_SET_SYSTEM_INFO and SET_REGISTRY in the command queue
//!  frts              FWSEC-FRTS on GSP               -> WPR2 up
//!  prime             GSP reset, libos arguments in its mailboxes
//!  scrub             scrubber on SEC2, if the reservation exceeds what is pre-scrubbed
//!  booter            booter-load on SEC2             -> RISC-V core active
//!  init_done         RUN_CPU_SEQUENCER events, then GSP_INIT_DONE
//! ```
//!
//! From frts on a failure runs the [`Teardown`], so that the next attempt finds the GPU as this
//! one did. Order of OGKM 570.144 `kernel_gsp_tu102.c` (`kgspBootstrap`).

mod frts;
mod scrub;

use kernel::{
    device,
    dma::Coherent,
    prelude::*,
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    },
    types::ScopeGuard,
};

use crate::{
    falcon::{
        dma::Image,
        Mailboxes, //
    },
    fb,
    fb::layout::Layout,
    firmware,
    firmware::{
        gsp::GspImages,
        Errno,
        File, //
    },
    vbios::{
        fwsec::Command,
        Vbios, //
    },
};

use super::{
    cmdq::Cmdq,
    commands,
    fw::r570_144::{
        event,
        wpr_meta::WprMeta, //
    },
    nv_status::NvStatus,
    sequencer::Sequencer,
    unload::Teardown,
    Booted,
    Engines,
    Params, //
};

/// Longest silence of GSP while it initialises.
const MESSAGE_TIMEOUT: Delta = Delta::from_secs(5);
/// Longest time from booter to INIT_DONE.
const INIT_TIMEOUT: Delta = Delta::from_secs(30);
const POLL: Delta = Delta::from_millis(1);

/// One boot.
pub(super) struct Boot<'a, 'gpu> {
    engines: &'a Engines<'gpu>,
    cmdq: &'a Cmdq<'gpu>,
    libos: &'a Coherent<[u8]>,
    params: &'a Params,
}

/// Everything that a boot needs, in memory.
struct Prepared {
    layout: Layout,
    images: Pin<KBox<GspImages>>,
    meta: Coherent<[u8]>,
    frts: Image,
    scrubber: Option<Image>,
    booter: Image,
    teardown: Teardown,
}

impl<'a, 'gpu> Boot<'a, 'gpu> {
    pub(super) fn new(
        engines: &'a Engines<'gpu>,
        cmdq: &'a Cmdq<'gpu>,
        libos: &'a Coherent<[u8]>,
        params: &'a Params,
    ) -> Self {
        Self {
            engines,
            cmdq,
            libos,
            params,
        }
    }

    fn dev(&self) -> &'gpu device::Device<device::Bound> {
        self.engines.dev()
    }

    /// Boots.
    pub(super) fn run(&self) -> Result<Booted> {
        let Prepared {
            layout,
            images,
            meta,
            frts,
            scrubber,
            booter,
            teardown,
        } = self.prepare()?;

        frts::make_sure_wpr2_is_down(self.engines, &teardown)?;
        self.queue_init_commands()?;

        let teardown = ScopeGuard::new_with_data(teardown, |teardown| {
            self.cmdq.close();
            let _ = teardown.run(self.engines);
        });

        // GSP's interrupt is not used yet, but a stale one must not be there when it is.
        self.engines.gsp.clear_swgen0();
        frts::run(self.engines, &frts, &layout)?;
        self.prime()?;
        if let Some(scrubber) = &scrubber {
            scrub::run(self.engines, scrubber, &layout)?;
        }
        self.booter_load(&booter, &meta)?;
        self.wait_riscv(images.app_version)?;
        self.wait_init_done(images.app_version)
            .inspect_err(|e| self.report_state(e, &layout))?;

        Ok(Booted {
            layout,
            teardown: teardown.dismiss(),
        })
    }

    /// Reads and checks all inputs. Nothing of the GPU has been changed when this fails.
    fn prepare(&self) -> Result<Prepared> {
        let dev = self.dev();
        let bar = self.engines.bar;

        let vbios = Vbios::read(dev, bar)?;
        let images = KBox::pin_init(GspImages::new(dev), GFP_KERNEL)?;
        let layout = fb::layout(
            dev,
            bar,
            images.bootloader_size(),
            images.image_size(),
            self.params.vgpu,
        )?;
        let scrubber = if layout.needs_scrubber() {
            Some(firmware::booter::prepare(dev, bar, File::Scrubber)?)
        } else {
            None
        };
        let frts = Command::Frts {
            addr: layout.frts.start,
            size: layout.frts.size,
        };
        let meta = WprMeta::new(&layout, &images.images());

        Ok(Prepared {
            meta: Coherent::from_slice(dev, meta.as_bytes(), GFP_KERNEL)?,
            frts: firmware::fwsec::prepare(dev, bar, &vbios, frts)?,
            scrubber,
            booter: firmware::booter::prepare(dev, bar, File::BooterLoad)?,
            teardown: Teardown::prepare(dev, bar, &vbios)?,
            layout,
            images,
        })
    }

    /// GSP finds these when it looks at its queue for the first time.
    fn queue_init_commands(&self) -> Result {
        let info = commands::SetSystemInfo::new(self.engines.pdev)?;

        self.cmdq.send(&info)?;
        self.cmdq.send(&commands::SetRegistry {
            vgpu: self.params.vgpu,
        })
    }

    /// Leaves GSP ready for booter, which starts it.
    fn prime(&self) -> Result {
        self.engines.gsp.reset_into_riscv()?;
        self.engines.gsp.clear_panic_mailbox();
        self.engines
            .gsp
            .write_mailboxes(Mailboxes::from_address(self.libos.dma_address()));
        Ok(())
    }

    fn booter_load(&self, booter: &Image, meta: &Coherent<[u8]>) -> Result {
        let arg = Mailboxes::from_address(meta.dma_address());
        let Mailboxes(status, _) = self.engines.sec2.run(booter, Some(arg))?;
        if status != 0 {
            dev_err!(
                self.dev(),
                "boot: booter-load failed with {:#x}; reset the GPU, and check that VBIOS and firmware match\n",
                status
            );
            return Err(EIO);
        }
        Ok(())
    }

    fn wait_riscv(&self, app_version: u32) -> Result {
        self.engines.gsp.write_os_version(app_version);
        self.engines.gsp.wait_riscv_active().inspect_err(|e| {
            dev_err!(
                self.dev(),
                "boot: the RISC-V core of GSP does not start: {}; reset the GPU\n",
                Errno(*e)
            );
        })
    }

    /// Executes sequencer events until GSP says that it is ready.
    fn wait_init_done(&self, app_version: u32) -> Result {
        let start = Instant::<Monotonic>::now();
        let mut last = start;
        let mut sequencer = Sequencer::new(self.engines, self.libos.dma_address(), app_version);

        loop {
            let late = last.elapsed() > MESSAGE_TIMEOUT || start.elapsed() > INIT_TIMEOUT;

            self.cmdq.receive()?;
            while let Some(event) = self.cmdq.next_event() {
                last = Instant::now();
                match event.function {
                    event::GSP_INIT_DONE if event.result == 0 => return Ok(()),
                    event::GSP_INIT_DONE => {
                        dev_err!(
                            self.dev(),
                            "boot: GSP-RM failed to initialise: {}; check that VBIOS and firmware match\n",
                            NvStatus(event.result)
                        );
                        return Err(EIO);
                    }
                    event::GSP_RUN_CPU_SEQUENCER => sequencer.run(&event.payload)?,
                    _ => self.cmdq.route(&event),
                }
            }
            if self.cmdq.stats().0.events_dropped > 0 {
                // What was lost may be what is waited for, and GSP says nothing twice.
                dev_err!(
                    self.dev(),
                    "boot: no memory for a message from GSP; load the driver again when there is\n"
                );
                return Err(ENOMEM);
            }
            if late {
                return Err(ETIMEDOUT);
            }
            fsleep(POLL);
        }
    }

    /// One line with all that helps to tell why GSP fell silent. Other errors have been reported.
    fn report_state(&self, error: &Error, layout: &Layout) {
        if *error != ETIMEDOUT {
            return;
        }
        let handoff = scrub::handoff(self.engines).ok();
        let riscv = self.engines.gsp.riscv().ok().map(|r| r.into_raw());
        let (stats, _) = self.cmdq.stats();

        dev_err!(
            self.dev(),
            "boot: no INIT_DONE from GSP (RISC-V state {:x?}, {} messages, {} damaged, {} MiB reserved, scrubber hand-off {:?}); reset the GPU\n",
            riscv,
            stats.received,
            stats.corrupt,
            layout.reserved() >> 20,
            handoff
        );
    }
}
