// SPDX-License-Identifier: GPL-2.0

//! What a plugin task writes about itself, and the limits of what is believed of it.

use super::layout::{control, response, ERROR_SIZE};
use super::report::{is_error_index, log_used, Report};
use proptest::prelude::*;

fn put(buffer: &mut [u8], offset: u32, value: u32) {
    let at = offset as usize;
    buffer[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn words_are_where_they_should_be() {
    let mut c = [0; control::USED];
    let mut r = [0; response::USED];
    for (value, offset) in [(1, 0), (13, 4), (7, 8), (40, 56)] {
        put(&mut c, offset, value);
    }
    for (value, offset) in [
        (7, 0),
        (6, 4),
        (0x1f, 8),
        (0x290c_0000, 12),
        (80, 344),
        (2, 348),
        (3, 352),
        (4, 356),
    ] {
        put(&mut r, offset, value);
    }
    let report = Report::decode(&c, &r);
    assert_eq!(
        report,
        Report {
            version: 1,
            message: 13,
            sequence: 7,
            error_get: 40,
            received: 7,
            processed: 6,
            result: 0x1f,
            guest_rpc_version: 0x290c_0000,
            error_put: 80,
            license_state: 2,
            guest_os: 3,
            frame_rate_limit: 4,
        }
    );
}

#[test]
fn logs_that_were_never_written_are_empty() {
    assert_eq!(log_used(0, 0x1_0000), 0);
    assert_eq!(log_used(1, 0x1_0000), 16);
    assert_eq!(log_used(0x1fff, 0x1_0000), 0x1_0000);
    assert_eq!(log_used(0x2000, 0x1_0000), 0x1_0000);
}

proptest! {
    #[test]
    fn no_index_leads_out_of_a_log(put: u64, size in 0usize..0x5_0000) {
        let used = log_used(put, size);
        prop_assert!(used <= size);
        prop_assert!((used == 0) == (put == 0 || size == 0));
    }

    #[test]
    fn no_index_leads_out_of_the_error_buffer(put: u32) {
        prop_assert_eq!(is_error_index(put), (put as usize) < ERROR_SIZE);
    }
}
