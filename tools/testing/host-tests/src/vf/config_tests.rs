// SPDX-License-Identifier: GPL-2.0

//! Configuration space: every offset and width against a plain reading of the rules, and lists of
//! capabilities as no hardware would make them.

use super::capabilities::{Chain, Missing, Table};
use super::config::{ConfigSpace, Source};
use proptest::prelude::*;

const MIB: u64 = 1 << 20;
const SPACE: usize = 0x1000;

/// The configuration space of a VF.
#[derive(Clone, Debug)]
struct Hardware(Vec<u8>);

impl Hardware {
    /// A space without capabilities. Bytes that nobody describes are not 0.
    fn empty() -> Self {
        let mut space = Self(vec![0xa5; SPACE]);
        space.set(0x34, &[0]);
        space.set(0x100, &[0; 4]);
        space
    }

    /// As the model has it: PCIe, MSI-X; AER, ARI.
    fn ada() -> Self {
        let mut space = Self::empty();
        space.set(0x34, &[0x40]);
        space.set(0x40, &[0x10, 0x7c, 0x02, 0x00]);
        space.set(0x7c, &[0x11, 0x00, 0x05, 0x00, 0, 0, 1, 0, 0, 0, 2, 0]);
        space.ext(0x100, 0x0001, 2, 0x148);
        space.ext(0x148, 0x000e, 1, 0);
        space
    }

    fn set(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn ext(&mut self, at: usize, id: u32, version: u32, next: u32) {
        self.set(at, &(id | version << 16 | next << 20).to_le_bytes());
    }

    fn chain(&self) -> Result<Chain, Missing> {
        Chain::new(|at| {
            let at = usize::from(at);
            let word = self.0.get(at..at + 4);
            word.map_or(!0, |w| u32::from_le_bytes(w.try_into().unwrap()))
        })
    }

    fn view(&self, bar1_size: u64) -> View {
        View(
            ConfigSpace::new(0x26b1, 0x170a, bar1_size, &self.chain().unwrap()),
            self.clone(),
        )
    }
}

/// What a guest reads and writes, with a core that lets everything through.
struct View(ConfigSpace, Hardware);

impl View {
    fn read(&self, offset: usize, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(piece) = self
            .0
            .piece((offset + bytes.len()) as u64, len - bytes.len())
        {
            let at = offset + bytes.len();
            assert!(piece.len > 0 && piece.len <= len - bytes.len());
            match piece.source {
                Source::Core => bytes.extend_from_slice(&self.1 .0[at..at + piece.len]),
                Source::Own(own) | Source::Bar1(own) => bytes.extend_from_slice(&own[..piece.len]),
                Source::Nobody => bytes.resize(bytes.len() + piece.len, 0),
            }
        }
        bytes
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let mut done = 0;
        while let Some(piece) = self.0.piece((offset + done) as u64, bytes.len() - done) {
            let (at, data) = (offset + done, &bytes[done..done + piece.len]);
            match piece.source {
                Source::Core => self.1 .0[at..at + piece.len].copy_from_slice(data),
                Source::Bar1(_) => self.0.write_bar1(at as u64, data),
                Source::Own(_) | Source::Nobody => (),
            }
            done += piece.len;
        }
    }

    fn all(&self) -> Vec<u8> {
        self.read(0, SPACE)
    }

    /// Offset and id of each capability, as a guest finds them.
    fn capabilities(&self) -> Vec<(usize, u8)> {
        let all = self.all();
        let mut found = Vec::new();
        let mut at = usize::from(all[0x34]);
        while at != 0 {
            assert!(at >= 0x40 && at % 4 == 0 && found.len() < 48);
            found.push((at, all[at]));
            at = usize::from(all[at + 1]);
        }
        found
    }

    /// Offset, id and version of each extended capability.
    fn extended(&self) -> Vec<(usize, u16, u32)> {
        let all = self.all();
        let mut found = Vec::new();
        let mut at = 0x100;
        while at != 0 {
            assert!(at >= 0x100 && at % 4 == 0 && found.len() < 960);
            let header = u32::from_le_bytes(all[at..at + 4].try_into().unwrap());
            found.push((at, header as u16, header >> 16 & 0xf));
            at = (header >> 20) as usize;
        }
        found
    }
}

/// The rules once more, byte by byte: what a guest reads of [`Hardware::ada`].
fn expected(hardware: &Hardware, at: usize) -> u8 {
    match at {
        0x00..0x04 => [0xde, 0x10, 0xb1, 0x26][at],
        0x14..0x1c => [0x0c, 0, 0, 0, 0, 0, 0, 0][at - 0x14],
        0x2c..0x30 => [0xde, 0x10, 0x0a, 0x17][at - 0x2c],
        0x34 => 0x40,
        0x40..0x42 => [0x10, 0x7c][at - 0x40],
        0x7c..0x7e => [0x11, 0x00][at - 0x7c],
        0x100..0x104 => [0x01, 0x00, 0x02, 0x00][at - 0x100],
        0x04..0x0c | 0x10..0x14 | 0x1c..0x24 | 0x3c | 0x42..0x74 | 0x7e..0x88 | 0x104..0x12c => {
            hardware.0[at]
        }
        _ => 0,
    }
}

#[test]
fn every_offset_in_every_width() {
    let hardware = Hardware::ada();
    let view = hardware.view(256 * MIB);
    let all: Vec<u8> = (0..SPACE).map(|at| expected(&hardware, at)).collect();
    for width in [1, 2, 3, 4, 8, 64, SPACE] {
        for at in 0..SPACE {
            let end = SPACE.min(at + width);
            assert_eq!(
                view.read(at, width),
                all[at..end],
                "{width} bytes at {at:#x}"
            );
        }
    }
    assert!(view.read(SPACE, 1).is_empty() && view.read(usize::MAX, 1).is_empty());
    assert!(view.read(0, 0).is_empty());
}

#[test]
fn every_write_in_every_width() {
    let hardware = Hardware::ada();
    for width in [1, 2, 4, 8] {
        for at in 0..SPACE {
            let mut view = hardware.view(MIB);
            view.write(at, &vec![0xff; width]);
            let mut bar1 = [0u8; 8];
            for byte in at..SPACE.min(at + width) {
                let through = expected(&Hardware(vec![1; SPACE]), byte) == 1
                    && expected(&Hardware(vec![2; SPACE]), byte) == 2;
                let want = if through { 0xff } else { hardware.0[byte] };
                assert_eq!(view.1 .0[byte], want, "{width} bytes at {at:#x}, {byte:#x}");
                if (0x14..0x1c).contains(&byte) {
                    bar1[byte - 0x14] = 0xff;
                }
            }
            let bar1 = u64::from_le_bytes(bar1) & !(MIB - 1) | 0xc;
            assert_eq!(view.read(0x14, 8), bar1.to_le_bytes());
        }
    }
}

#[test]
fn bar1_is_sized_like_a_register() {
    for (size, low, high) in [
        (256 * MIB, 0xf000_000c_u32, 0xffff_ffff_u32),
        (2048 * MIB, 0x8000_000c, 0xffff_ffff),
        (8192 * MIB, 0x0000_000c, 0xffff_fffe),
    ] {
        let mut view = Hardware::ada().view(size);
        view.write(0x14, &[0xff; 4]);
        view.write(0x18, &[0xff; 4]);
        assert_eq!(view.read(0x14, 4), low.to_le_bytes());
        assert_eq!(view.read(0x18, 4), high.to_le_bytes());
        // 64 GiB is aligned for each of these sizes.
        view.write(0x14, &0_u32.to_le_bytes());
        view.write(0x18, &0x10_u32.to_le_bytes());
        assert_eq!(view.read(0x14, 8), 0x10_0000_000c_u64.to_le_bytes());
    }
}

#[test]
fn hidden_capabilities_are_out_of_the_lists() {
    let mut vf = Hardware::ada();
    // Vendor specific, PM that does not keep the state, PCIe, MSI, MSI-X once and again.
    vf.set(0x34, &[0xf0]);
    vf.set(0xf0, &[0x09, 0xe0]);
    vf.set(0xe0, &[0x01, 0x40, 3, 0, 0, 0, 0, 0]);
    vf.set(0x40, &[0x10, 0x90]);
    vf.set(0x90, &[0x05, 0x7c]);
    vf.set(0x7c, &[0x11, 0xb0]);
    vf.set(0xb0, &[0x11, 0x00, 0x07, 0x00, 3, 0, 0, 0]);
    // Serial number, AER, ARI, ATS.
    vf.ext(0x100, 3, 1, 0x200);
    vf.ext(0x200, 1, 2, 0x300);
    vf.ext(0x300, 0xe, 1, 0x400);
    vf.ext(0x400, 0xf, 1, 0);
    let view = vf.view(MIB);
    assert_eq!(view.capabilities(), [(0x40, 0x10), (0x7c, 0x11)]);
    assert_eq!(
        view.extended(),
        [(0x100, 0, 0), (0x200, 1, 2), (0x400, 0xf, 1)]
    );
    for hidden in [
        0x90..0xa0,
        0xb0..0xbc,
        0xe0..0xf8,
        0x104..0x200,
        0x300..0x400,
    ] {
        assert!(
            view.all()[hidden.clone()].iter().all(|b| *b == 0),
            "{hidden:x?}"
        );
    }
    // PM is shown when D3hot keeps the state.
    vf.set(0xe4, &[8]);
    assert_eq!(
        vf.view(MIB).capabilities(),
        [(0xe0, 1), (0x40, 0x10), (0x7c, 0x11)]
    );
}

#[test]
fn no_extended_capability_is_no_list() {
    let mut vf = Hardware::ada();
    vf.ext(0x100, 3, 1, 0);
    assert_eq!(vf.view(MIB).extended(), [(0x100, 0, 0)]);
    assert_eq!(vf.view(MIB).read(0x100, 4), [0; 4]);
}

#[test]
fn where_the_msix_table_is() {
    let mut vf = Hardware::ada();
    let table = |vf: &Hardware| vf.chain().unwrap().msix();
    assert_eq!(
        table(&vf),
        Table {
            bar: 0,
            offset: 0x1_0000,
            size: 6 * 16
        }
    );
    vf.set(0x7e, &[0xff, 0xff, 0x0b, 0x20, 0, 0]);
    assert_eq!(
        table(&vf),
        Table {
            bar: 3,
            offset: 0x2008,
            size: 2048 * 16
        }
    );
}

#[test]
fn where_a_function_level_reset_is_started() {
    let mut vf = Hardware::ada();
    let byte = |vf: &Hardware, offset, len| vf.view(MIB).0.reset_byte(offset, len);
    vf.set(0x44, &0u32.to_le_bytes());
    assert_eq!(byte(&vf, 0, SPACE), None, "the VF has none");
    vf.set(0x44, &(1u32 << 28).to_le_bytes());
    assert_eq!(byte(&vf, 0x49, 1), Some(0));
    assert_eq!(byte(&vf, 0x48, 2), Some(1));
    assert_eq!(byte(&vf, 0, SPACE), Some(0x49));
    for (offset, len) in [(0x48, 1), (0x4a, 4), (0x49, 0), (u64::MAX, usize::MAX)] {
        assert_eq!(byte(&vf, offset, len), None);
    }
}

#[test]
fn what_every_vgpu_needs() {
    let missing = |vf: &Hardware| vf.chain().unwrap_err().0;
    assert_eq!(missing(&Hardware::empty()), "PCI Express capability");
    assert_eq!(
        missing(&Hardware(vec![0xff; SPACE])),
        "PCI Express capability"
    );
    let mut vf = Hardware::ada();
    vf.set(0x41, &[0]);
    assert_eq!(missing(&vf), "MSI-X capability");
    // Where it would reach into the extended space.
    vf.set(0x41, &[0xf8]);
    vf.set(0xf8, &[0x11, 0]);
    assert_eq!(missing(&vf), "MSI-X capability");
}

#[test]
fn lists_that_do_not_end() {
    let mut vf = Hardware::ada();
    vf.set(0x7d, &[0x40]);
    vf.ext(0x148, 0xe, 1, 0x148);
    let view = vf.view(MIB);
    assert_eq!(view.capabilities(), [(0x40, 0x10), (0x7c, 0x11)]);
    assert_eq!(view.extended(), [(0x100, 1, 2)]);
}

/// Spaces whose lists go anywhere, with known and unknown members.
fn wild() -> impl Strategy<Value = Hardware> {
    let member = (
        0x10usize..0x40,
        prop_oneof![Just(0x01), Just(0x10), Just(0x11), any::<u8>()],
        any::<u8>(),
    );
    let ext = (
        0x40usize..0x400,
        prop_oneof![Just(1u32), Just(0xf), 0u32..0x40],
        0u32..0x1000,
    );
    (
        prop::collection::vec(member, 0..24),
        prop::collection::vec(ext, 0..24),
        any::<u8>(),
    )
        .prop_map(|(members, ext, first)| {
            let mut vf = Hardware::ada();
            vf.set(0x34, &[first]);
            for (at, id, next) in members {
                vf.set(4 * at, &[id, next]);
            }
            for (at, id, next) in ext {
                vf.ext(4 * at, id, 1, next);
            }
            vf
        })
}

proptest! {
    /// Whatever a VF's lists are, a guest's end, have only what is shown, and each of it once.
    #[test]
    fn any_lists(vf in wild()) {
        let Ok(chain) = vf.chain() else {
            return Ok(());
        };
        let view = View(ConfigSpace::new(1, 2, MIB, &chain), vf);
        let mut std = view.capabilities();
        prop_assert!(std.iter().all(|(at, id)| [0x01, 0x10, 0x11].contains(id) && view.1.0[*at] == *id));
        std.sort_unstable_by_key(|(_, id)| *id);
        std.dedup_by_key(|(_, id)| *id);
        prop_assert_eq!(std.len(), view.capabilities().len());
        prop_assert!(std.iter().any(|(_, id)| *id == 0x11));
        let ext = view.extended();
        let shown: Vec<_> = ext.iter().filter(|(_, id, _)| *id != 0).collect();
        prop_assert!(shown.iter().all(|(_, id, _)| [0x01, 0x0f].contains(id)) && shown.len() <= 2);
        prop_assert!(ext.iter().all(|(at, id, _)| *id != 0 || *at == 0x100));
    }

    /// However a guest slices its reads and writes, the bytes are the same.
    #[test]
    fn any_slicing(
        value in any::<u64>(),
        cuts in prop::collection::btree_set(1..64usize, 0..10),
        vf in wild(),
        reads in prop::collection::btree_set(1..SPACE, 0..40),
    ) {
        let Ok(chain) = vf.chain() else {
            return Ok(());
        };
        let mut view = View(ConfigSpace::new(1, 2, 4096, &chain), vf);
        let mut image = [0u8; 64];
        image[0x14..0x1c].copy_from_slice(&value.to_le_bytes());
        let mut start = 0;
        for end in cuts.into_iter().chain([64]) {
            view.write(start, &image[start..end]);
            start = end;
        }
        prop_assert_eq!(view.read(0x14, 8), (value & !4095 | 0xc).to_le_bytes());
        let all = view.all();
        let mut start = 0;
        for end in reads.into_iter().chain([SPACE]) {
            prop_assert_eq!(&view.read(start, end - start)[..], &all[start..end]);
            start = end;
        }
    }
}
