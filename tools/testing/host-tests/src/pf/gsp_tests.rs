// SPDX-License-Identifier: GPL-2.0

//! Messages from GSP as a hostile GSP would send them.

use proptest::prelude::*;
use zerocopy::IntoBytes;

use super::gsp::{
    cmdq::element,
    fw::r570_144::{
        registry,
        rpc::{HEADERS_SIZE, MAX_PAYLOAD, MAX_SLOTS},
        sequencer::Ops,
        static_info::{StaticInfo, SIZE},
    },
};

const FB: u64 = 48 << 30;

fn put64(data: &mut [u8], at: usize, value: u64) {
    data[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn static_info() -> Vec<u8> {
    let mut raw = vec![0; SIZE];
    raw[0x158] = 2;
    put64(&mut raw, 0x160, 0);
    put64(&mut raw, 0x168, 0xb_d7a0_0000 - 1);
    raw[0x17c] = 1;
    raw[0x17d] = 1;
    // A protected region is not for us.
    put64(&mut raw, 0x190, 0xb_d7a0_0000);
    put64(&mut raw, 0x198, FB - 1);
    raw[0x190 + 0x1e] = 1;
    raw[0x460] = 32;
    raw[0x464] = 4;
    put64(&mut raw, 0x460 + 0x30, 256 << 20);
    raw[0x460 + 0x43] = 1;
    put64(&mut raw, 0x4c8, FB);
    raw[0x4ec..0x4ec + 7].copy_from_slice(b"NVIDIA\0");
    raw
}

#[test]
fn static_info_is_decoded() {
    let info = StaticInfo::decode(&static_info(), FB).unwrap();
    assert_eq!(info.fb_regions().len(), 1);
    assert_eq!(info.fb_regions()[0].end, 0xb_d7a0_0000);
    assert_eq!(info.gpu_name(), "NVIDIA");
    assert!(info.sriov.enabled);
    assert_eq!((info.sriov.total_vfs, info.sriov.first_vf_offset), (32, 4));
    assert_eq!(info.sriov.bar_size[1], 256 << 20);
}

#[test]
fn static_info_is_not_trusted() {
    let reject = |at: usize, bytes: &[u8]| {
        let mut raw = static_info();
        raw[at..at + bytes.len()].copy_from_slice(bytes);
        StaticInfo::decode(&raw, FB).err().map(|e| e.0)
    };
    assert_eq!(reject(0x158, &[17]), Some("FB region count"));
    assert_eq!(reject(0x168, &u64::MAX.to_le_bytes()), Some("FB region"));
    assert_eq!(reject(0x168, &FB.to_le_bytes()), Some("FB region"));
    // The second region overlaps the first one once it counts.
    let mut raw = static_info();
    put64(&mut raw, 0x190, 0x1000);
    raw[0x1ac..0x1af].copy_from_slice(&[1, 1, 0]);
    assert_eq!(StaticInfo::decode(&raw, FB).unwrap_err().0, "FB region");
    assert_eq!(
        StaticInfo::decode(&static_info()[..SIZE - 1], FB)
            .unwrap_err()
            .0,
        "length"
    );
    let mut raw = static_info();
    raw[0x4ec..0x4ec + 64].fill(0xff);
    assert_eq!(StaticInfo::decode(&raw, FB).unwrap().gpu_name(), "");
}

proptest! {
    #[test]
    fn framing_never_leaves_the_available_slots(
        first in prop::collection::vec(any::<u8>(), 0..HEADERS_SIZE + 1),
        available in 0usize..=MAX_SLOTS,
    ) {
        if let Ok(frame) = element::peek(&first, available) {
            prop_assert!(frame.slots <= available);
            prop_assert!(frame.len() <= available * 4096);
        }
    }

    #[test]
    fn length_field_is_bounded(length in any::<u32>(), slots in any::<u32>(), available in 1usize..=MAX_SLOTS) {
        let mut bytes = element::headers(0, 76, 1, &[]).unwrap().as_bytes().to_vec();
        bytes[0x28..0x2c].copy_from_slice(&slots.to_le_bytes());
        bytes[0x38..0x3c].copy_from_slice(&length.to_le_bytes());
        if let Ok(frame) = element::peek(&bytes, available) {
            prop_assert!(frame.payload <= MAX_PAYLOAD && frame.slots <= available);
        }
    }

    #[test]
    fn elements_verify(payload in prop::collection::vec(any::<u8>(), 0..9000), seq in any::<u32>()) {
        let headers = element::headers(seq, 76, seq ^ 1, &payload).unwrap();
        let mut bytes = headers.as_bytes().to_vec();
        bytes.extend(&payload);
        prop_assert!(element::verify(&bytes));
        prop_assert_eq!(element::peek(&bytes, MAX_SLOTS).unwrap().element_sequence, seq);
    }

    #[test]
    fn sequences_end(payload in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(ops) = Ops::new(&payload) {
            prop_assert!(ops.count() <= payload.len() / 4);
        }
    }

    #[test]
    fn static_info_noise(edits in prop::collection::vec((0usize..SIZE, any::<u8>()), 0..64)) {
        let mut raw = static_info();
        for (at, value) in edits {
            raw[at] = value;
        }
        if let Ok(info) = StaticInfo::decode(&raw, FB) {
            prop_assert!(info.fb_regions().iter().all(|r| r.start < r.end && r.end <= FB));
            let _ = info.gpu_name();
        }
    }

    #[test]
    fn registry_fits_or_says_so(len in 0usize..registry::MAX_SIZE, vgpu in any::<bool>()) {
        let mut out = vec![0; len];
        if let Some(used) = registry::write(&mut out, registry::keys(vgpu)) {
            prop_assert!(used <= len);
        }
    }
}
