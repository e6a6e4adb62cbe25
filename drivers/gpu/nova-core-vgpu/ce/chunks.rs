// SPDX-License-Identifier: GPL-2.0

//! Long work in pieces.
//!
//! ```text
//!   |------------------- len --------------------|
//!   | CHUNK | CHUNK | CHUNK | CHUNK | CHUNK | rest|
//! ```
//!
//! A piece is small enough that another caller's turn comes soon and that the deadline, which is
//! about pieces, means something; and large enough that the time between two pieces does not
//! count. It is also what bounds the one line that each launch has.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// Most bytes of a piece; a multiple of every alignment there is.
pub(crate) const CHUNK: u64 = 512 << 20;

/// One piece: where it begins, counted from the beginning of the whole, and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// The pieces of `len` bytes, in order.
pub(crate) fn chunks(len: u64) -> impl Iterator<Item = Chunk> {
    let count = len.div_ceil(CHUNK);

    (0..count).map(move |i| Chunk {
        offset: i * CHUNK,
        len: (len - i * CHUNK).min(CHUNK),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn edges() {
        assert_eq!(chunks(0).count(), 0);
        assert!(chunks(4).eq([Chunk { offset: 0, len: 4 }]));
        assert!(chunks(CHUNK).eq([Chunk {
            offset: 0,
            len: CHUNK
        }]));
        assert!(chunks(CHUNK + 4).eq([
            Chunk {
                offset: 0,
                len: CHUNK
            },
            Chunk {
                offset: CHUNK,
                len: 4
            }
        ]));
        assert_eq!(chunks(24 << 30).count(), 48);
        assert_eq!(
            chunks(u64::MAX).next(),
            Some(Chunk {
                offset: 0,
                len: CHUNK
            })
        );
    }

    proptest! {
        /// The pieces cover all of it, once, and each fits a launch.
        #[test]
        fn cover(len in 0u64..1 << 40) {
            let mut at = 0;
            for chunk in chunks(len) {
                prop_assert_eq!(chunk.offset, at);
                prop_assert!(chunk.len > 0 && chunk.len <= CHUNK);
                prop_assert!(u32::try_from(chunk.len).is_ok());
                at += chunk.len;
            }
            prop_assert_eq!(at, len);
        }
    }
}
