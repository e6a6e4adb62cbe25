// SPDX-License-Identifier: GPL-2.0

//! Pushbuffer: methods for the engine of a channel.
//!
//! ```text
//!   | header | data | data | header | data |
//!     31:29 operation: 1, the method address grows with each dword of data
//!     28:16 dwords of data   15:13 sub-channel   11:0 address / 4
//! ```
//!
//! A [`Run`] is a group of registers that follow each other, as one value with a name; the builder
//! makes a header and data of it. So nobody who builds a stream handles method addresses.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `kernel-open/nvidia-uvm/clc56f.h`.

/// Operation "address grows with each dword".
const INCREMENTING: u32 = 1;
const OPERATION_SHIFT: u32 = 29;
const COUNT_SHIFT: u32 = 16;
const SUBCHANNEL_SHIFT: u32 = 13;

/// Registers of an engine that follow each other.
pub(crate) trait Run {
    /// Address of the first one in bytes, a multiple of 4 below 0x4000.
    const METHOD: u32;
    /// Their values, at least one and below 0x2000.
    type Values: AsRef<[u32]>;

    /// The values.
    fn values(&self) -> Self::Values;
}

/// Which of the eight engine bindings of a channel methods go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subchannel(u32);

impl Subchannel {
    /// Where copy engines expect theirs (`NVA06F_SUBCHANNEL_COPY_ENGINE`). An engine that shares
    /// the runlist of graphics listens on no other, the rest do not care.
    pub(crate) const COPY: Self = Self(4);
}

/// Binds an engine class to a sub-channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SetObject(pub(crate) u32);

impl Run for SetObject {
    const METHOD: u32 = 0x0000;
    type Values = [u32; 1];

    fn values(&self) -> [u32; 1] {
        [self.0]
    }
}

/// The stream does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// A stream of at most `N` dwords.
pub(crate) struct Stream<const N: usize> {
    subchannel: Subchannel,
    words: [u32; N],
    len: usize,
}

impl<const N: usize> Stream<N> {
    /// An empty stream for `subchannel`.
    pub(crate) const fn new(subchannel: Subchannel) -> Self {
        Self {
            subchannel,
            words: [0; N],
            len: 0,
        }
    }

    /// Appends registers. If they do not fit, the stream is as it was.
    pub(crate) fn push<R: Run>(&mut self, run: &R) -> Result<(), Full> {
        const { assert!(R::METHOD % 4 == 0 && R::METHOD < 0x4000) };
        let values = run.values();
        let values = values.as_ref();
        let rest = self.words.get_mut(self.len..).unwrap_or(&mut []);
        let (Some((header, data)), true) = (rest.split_first_mut(), values.len() < 0x2000) else {
            return Err(Full);
        };
        let data = data.get_mut(..values.len()).ok_or(Full)?;

        data.copy_from_slice(values);
        // CAST: below 0x2000.
        *header = (INCREMENTING << OPERATION_SHIFT)
            | ((values.len() as u32) << COUNT_SHIFT)
            | (self.subchannel.0 << SUBCHANNEL_SHIFT)
            | (R::METHOD / 4);
        self.len += 1 + values.len();
        Ok(())
    }

    /// The stream.
    pub(crate) fn words(&self) -> &[u32] {
        self.words.get(..self.len).unwrap_or(&[])
    }
}

/// Takes streams apart, for tests.
#[cfg(test)]
pub(crate) mod decode {
    /// One register write: sub-channel, method, value.
    pub(crate) type Write = (u32, u32, u32);

    /// All register writes of a stream, in order; panics on what is no stream.
    pub(crate) fn writes(stream: &[u32]) -> Vec<Write> {
        let mut writes = Vec::new();
        let mut words = stream.iter().copied();
        while let Some(header) = words.next() {
            if header == 0 {
                continue;
            }
            assert_eq!(header >> 29, 1, "incrementing");
            assert_eq!(header >> 12 & 1, 0);
            let (count, sub) = (header >> 16 & 0x1fff, header >> 13 & 7);
            for i in 0..count {
                let value = words.next().expect("data ends early");
                writes.push((sub, ((header & 0xfff) + i) * 4, value));
            }
        }
        writes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Four;

    impl Run for Four {
        const METHOD: u32 = 0x410;
        type Values = [u32; 4];

        fn values(&self) -> [u32; 4] {
            [1, 2, 3, 4]
        }
    }

    #[test]
    fn header() {
        let mut stream = Stream::<16>::new(Subchannel::COPY);
        stream.push(&Four).unwrap();
        stream.push(&SetObject(0xc7b5)).unwrap();
        assert_eq!(
            stream.words(),
            [0x2004_8104, 1, 2, 3, 4, 0x2001_8000, 0xc7b5]
        );
        assert_eq!(
            decode::writes(stream.words()),
            [
                (4, 0x410, 1),
                (4, 0x414, 2),
                (4, 0x418, 3),
                (4, 0x41c, 4),
                (4, 0, 0xc7b5)
            ]
        );
    }

    #[test]
    fn bounds() {
        let mut stream = Stream::<7>::new(Subchannel::COPY);
        stream.push(&Four).unwrap();
        assert_eq!(stream.push(&Four), Err(Full));
        assert_eq!(stream.words().len(), 5, "nothing of it was taken");
        stream.push(&SetObject(1)).unwrap();
        assert_eq!(stream.push(&SetObject(2)), Err(Full));
        assert_eq!(stream.words().len(), 7);
        assert_eq!(
            Stream::<0>::new(Subchannel::COPY).push(&SetObject(1)),
            Err(Full)
        );
    }
}
