// SPDX-License-Identifier: GPL-2.0

//! Engines and runlists of the GPU, from the device-info table of GSP-RM.
//!
//! ```text
//!   table entry  (RM engine type, runlist, host driven?)
//!        |              |
//!        v              v
//!   NV2080 engine     runlist table: which ID spaces exist
//!   bitmap: what a vGPU can be given
//!        \______________/
//!               v
//!   copy engines, and which of them do not share the runlist of graphics
//! ```
//!
//! The table names engines in RM's own numbering, everything that is sent to firmware uses
//! `NV2080_ENGINE_TYPE`; the two differ from the eleventh copy engine on.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `src/nvidia/inc/kernel/gpu/gpu_engine_type.h`,
//! `src/common/sdk/nvidia/inc/class/cl2080_notification.h`; Linux 7.3 nouveau
//! `nvkm/subdev/gsp/rm/r570/nvrm/engine.h`.

/// Number of engine types (`NV2080_ENGINE_TYPE_LAST`).
pub(crate) const ENGINE_TYPES: usize = 0x54;

/// Most runlists a GPU can have here: one per engine type would be the extreme; AD102 has about
/// twenty engines.
pub(crate) const MAX_RUNLISTS: usize = 64;

/// A set of engines: bit n is `NV2080_ENGINE_TYPE` n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineBitmap([u64; ENGINE_TYPES.div_ceil(64)]);

impl EngineBitmap {
    /// Number of bits.
    pub const BITS: usize = ENGINE_TYPES;

    /// Whether engine `nv2080` is in the set; false for numbers that are none.
    pub fn contains(&self, nv2080: usize) -> bool {
        nv2080 < Self::BITS && self.0[nv2080 / 64] >> (nv2080 % 64) & 1 != 0
    }

    /// The engines in the set, in rising order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..Self::BITS).filter(|&engine| self.contains(engine))
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }

    /// Adds an engine; numbers that are none are ignored.
    pub(crate) fn insert(&mut self, nv2080: usize) {
        if nv2080 < Self::BITS {
            self.0[nv2080 / 64] |= 1 << (nv2080 % 64);
        }
    }
}

/// `NV2080_ENGINE_TYPE` of an engine in RM's numbering; `None` for one that has none or is not
/// known.
pub(crate) fn nv2080_from_rm(rm: u32) -> Option<usize> {
    /// (first RM type, last RM type, NV2080 type of the first).
    const MAP: &[(u32, u32, u32)] = &[
        (0x01, 0x12, 0x01), // GR0-7, COPY0-9
        (0x13, 0x1c, 0x34), // COPY10-19
        (0x1d, 0x24, 0x13), // NVDEC0-7
        (0x25, 0x27, 0x1b), // NVENC0-2
        (0x28, 0x28, 0x3f), // NVENC3
        (0x29, 0x35, 0x1e), // VP, ME, PPP, MPEG, SW, TSEC, VIC, MP, SEC2, HOST, DPU, PMU, FBFLCN
        (0x36, 0x3d, 0x2b), // NVJPEG0-7
        (0x3e, 0x3e, 0x33), // OFA0
        (0x3f, 0x3f, 0x3e), // OFA1
    ];
    MAP.iter()
        .find(|&&(first, last, _)| (first..=last).contains(&rm))
        // CAST: below 0x54.
        .map(|&(first, _, nv2080)| (nv2080 + rm - first) as usize)
}

/// RM types of the graphics engines.
const RM_GRAPHICS: core::ops::RangeInclusive<u32> = 0x01..=0x08;
/// RM types of the copy engines that every numbering has in one piece.
const RM_COPY: core::ops::RangeInclusive<u32> = 0x09..=0x12;
const COPY_ENGINES: usize = 10;

/// A copy engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CopyUnit {
    /// Number among the copy engines.
    pub(crate) instance: u32,
    /// `NV2080_ENGINE_TYPE`.
    pub(crate) nv2080: u32,
    /// Runlist its channels are on.
    pub(crate) runlist: u32,
}

/// What one entry of the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Engine {
    /// Engine in RM's numbering.
    pub(crate) rm_type: u32,
    /// Runlist its channels are on.
    pub(crate) runlist: u32,
    /// Whether channels run on it at all.
    pub(crate) host_driven: bool,
}

/// Engines and runlists, collected entry by entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Engines {
    /// Engines that vGPUs can use.
    pub(crate) bitmap: EngineBitmap,
    runlists: [u32; MAX_RUNLISTS],
    runlist_count: usize,
    /// By their number.
    copy: [Option<CopyUnit>; COPY_ENGINES],
    /// Runlists of graphics, by position in `runlists`.
    graphics: u64,
    /// Runlist of each engine that has one, by `NV2080_ENGINE_TYPE`.
    runlist_of: [Option<u32>; ENGINE_TYPES],
    /// Entries whose engine type is not known to this driver.
    pub(crate) unknown: u32,
}

impl Engines {
    /// Empty.
    pub(crate) const fn new() -> Self {
        Self {
            bitmap: EngineBitmap([0; ENGINE_TYPES.div_ceil(64)]),
            runlists: [0; MAX_RUNLISTS],
            runlist_count: 0,
            copy: [None; COPY_ENGINES],
            graphics: 0,
            runlist_of: [None; ENGINE_TYPES],
            unknown: 0,
        }
    }

    /// Adds an entry. Returns false if there are more runlists than any known GPU has.
    ///
    /// An engine without host interface (the software engine) gets its bit, because firmware
    /// expects an ID offset for it, but has no runlist.
    pub(crate) fn add(&mut self, engine: &Engine) -> bool {
        match nv2080_from_rm(engine.rm_type) {
            Some(nv2080) => {
                self.bitmap.insert(nv2080);
                if let Some(runlist) = self.runlist_of.get_mut(nv2080) {
                    *runlist = engine.host_driven.then_some(engine.runlist);
                }
            }
            None => self.unknown += 1,
        }
        if !engine.host_driven {
            return true;
        }
        let Some(position) = self.add_runlist(engine.runlist) else {
            return false;
        };
        if RM_GRAPHICS.contains(&engine.rm_type) {
            self.graphics |= 1 << position;
        }
        if RM_COPY.contains(&engine.rm_type) {
            let instance = engine.rm_type - RM_COPY.start();
            self.copy[instance as usize] = Some(CopyUnit {
                instance,
                // Both numberings begin with graphics and these.
                nv2080: engine.rm_type,
                runlist: engine.runlist,
            });
        }
        true
    }

    /// Position of a runlist in the list; `None` if it is full.
    fn add_runlist(&mut self, id: u32) -> Option<usize> {
        if let Some(position) = self.runlists().iter().position(|known| *known == id) {
            return Some(position);
        }
        let position = self.runlist_count;
        *self.runlists.get_mut(position)? = id;
        self.runlist_count += 1;
        Some(position)
    }

    /// A copy engine that has a runlist for itself: one that shares it with graphics would wait
    /// for graphics, and takes methods differently.
    pub(crate) fn copy_unit(&self) -> Option<CopyUnit> {
        self.copy.into_iter().flatten().find(|unit| {
            let mut graphics = (0..self.runlist_count).filter(|i| self.graphics >> i & 1 != 0);
            !graphics.any(|i| self.runlists[i] == unit.runlist)
        })
    }

    /// Numbers of the runlists, each once.
    pub(crate) fn runlists(&self) -> &[u32] {
        &self.runlists[..self.runlist_count]
    }

    /// For each `NV2080_ENGINE_TYPE` the lowest one that has the same runlist; itself for an engine
    /// without a runlist.
    pub(crate) fn first_on_runlist(&self) -> [u32; ENGINE_TYPES] {
        core::array::from_fn(|engine| {
            let first = self.runlist_of[engine]
                .and_then(|runlist| self.runlist_of.iter().position(|r| *r == Some(runlist)));
            // CAST: below 0x54.
            first.unwrap_or(engine) as u32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbering() {
        for (rm, nv2080) in [
            (0x01, Some(0x01)), // GR0
            (0x09, Some(0x09)), // COPY0
            (0x12, Some(0x12)), // COPY9
            (0x13, Some(0x34)), // COPY10
            (0x1c, Some(0x3d)), // COPY19
            (0x1d, Some(0x13)), // NVDEC0
            (0x24, Some(0x1a)), // NVDEC7
            (0x25, Some(0x1b)), // NVENC0
            (0x27, Some(0x1d)), // NVENC2
            (0x28, Some(0x3f)), // NVENC3
            (0x2d, Some(0x22)), // SW
            (0x31, Some(0x26)), // SEC2
            (0x35, Some(0x2a)), // FBFLCN
            (0x36, Some(0x2b)), // NVJPEG0
            (0x3d, Some(0x32)), // NVJPEG7
            (0x3e, Some(0x33)), // OFA0
            (0x3f, Some(0x3e)), // OFA1
            (0x00, None),
            (0x40, None),
            (u32::MAX, None),
        ] {
            assert_eq!(nv2080_from_rm(rm), nv2080, "{rm:#x}");
        }
    }

    #[test]
    fn no_two_engines_share_a_number() {
        let mut seen = EngineBitmap::default();
        for rm in 0..0x54 {
            if let Some(nv2080) = nv2080_from_rm(rm) {
                assert!(!seen.contains(nv2080), "{rm:#x}");
                seen.insert(nv2080);
            }
        }
    }

    #[test]
    fn runlists_are_listed_once() {
        let mut engines = Engines::new();
        let add = |e: &mut Engines, rm_type, runlist, host_driven| {
            e.add(&Engine {
                rm_type,
                runlist,
                host_driven,
            })
        };
        assert!(add(&mut engines, 1, 0, true));
        assert!(add(&mut engines, 9, 0, true)); // GRCE shares the runlist of GR0
        assert!(add(&mut engines, 11, 4, true));
        assert!(add(&mut engines, 0x2d, 77, false)); // SW: no runlist
        assert!(add(&mut engines, 0x50, 9, true)); // unknown engine on a real runlist
        assert_eq!(engines.runlists(), [0, 4, 9]);
        assert_eq!(engines.unknown, 1);
        assert!(engines.bitmap.iter().eq([1, 9, 11, 0x22]));
        let first = engines.first_on_runlist();
        assert_eq!((first[1], first[9], first[11]), (1, 1, 11));
        assert_eq!((first[0x22], first[0]), (0x22, 0));
        for i in 0..MAX_RUNLISTS as u32 - 3 {
            assert!(add(&mut engines, 1, 100 + i, true));
        }
        assert!(!add(&mut engines, 1, 500, true));
    }

    #[test]
    fn copy_engine_without_graphics() {
        let mut engines = Engines::new();
        let add = |e: &mut Engines, rm_type, runlist, host_driven| {
            let engine = Engine {
                rm_type,
                runlist,
                host_driven,
            };
            assert!(e.add(&engine));
        };
        assert_eq!(engines.copy_unit(), None);
        // The copy engines come first here: what they share is known only at the end.
        add(&mut engines, 0x09, 5, true);
        add(&mut engines, 0x0a, 5, true);
        add(&mut engines, 0x13, 9, true); // COPY10: not one of those looked at
        add(&mut engines, 0x01, 5, true);
        assert_eq!(engines.copy_unit(), None);
        add(&mut engines, 0x0c, 7, false);
        assert_eq!(engines.copy_unit(), None, "no channels run on it");
        add(&mut engines, 0x0d, 7, true);
        add(&mut engines, 0x0b, 6, true);
        let unit = CopyUnit {
            instance: 2,
            nv2080: 0x0b,
            runlist: 6,
        };
        assert_eq!(engines.copy_unit(), Some(unit));
        assert_eq!(nv2080_from_rm(0x0b), Some(0x0b));
    }

    #[test]
    fn bitmap_bounds() {
        let mut bitmap = EngineBitmap::default();
        assert!(bitmap.is_empty());
        bitmap.insert(0x53);
        bitmap.insert(0x54);
        bitmap.insert(usize::MAX);
        assert!(bitmap.contains(0x53));
        assert!(!bitmap.contains(0x54));
        assert!(!bitmap.contains(usize::MAX));
        assert_eq!(bitmap.iter().count(), 1);
    }
}
