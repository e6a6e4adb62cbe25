// SPDX-License-Identifier: GPL-2.0

//! Numbers of RM clients: one bit each.
//!
//! ```text
//!   take --> client lives --> firmware confirms that it is gone --> put
//!                                  |                                 ^
//!                                  it does not --> lose --> next_lost: asked once more
//! ```
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// Most clients with a number from here: one per vGPU, the manager's, those of channels, and room
/// for the ones that firmware did not let go.
const MAX_CLIENTS: u32 = 256;

/// Number of a client, not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientId(u32);

impl ClientId {
    /// The client of the core driver that lives as long as GSP runs. Never given out.
    pub(super) const CORE: Self = Self(MAX_CLIENTS);

    /// The number, which the handles are made of.
    pub(super) fn number(self) -> u32 {
        self.0
    }
}

/// The ids in use, one bit each.
pub(crate) struct ClientIds {
    used: Words,
    /// Of these, the ones whose client firmware has not let go.
    lost: Words,
}

type Words = [u64; MAX_CLIENTS as usize / 64];

impl ClientIds {
    /// All ids free but 0, so that no client is named by the bare base of the handles.
    pub(crate) const fn new() -> Self {
        let mut used = [0; MAX_CLIENTS as usize / 64];
        used[0] = 1;
        Self {
            used,
            lost: [0; MAX_CLIENTS as usize / 64],
        }
    }

    /// Takes the lowest free id; `None` when all are in use.
    pub(crate) fn take(&mut self) -> Option<ClientId> {
        for (i, word) in self.used.iter_mut().enumerate() {
            let bit = word.trailing_ones();
            if bit < u64::BITS {
                *word |= 1 << bit;
                // CAST: at most `MAX_CLIENTS / 64`.
                return Some(ClientId(i as u32 * u64::BITS + bit));
            }
        }
        None
    }

    /// Gives an id back.
    pub(crate) fn put(&mut self, id: ClientId) {
        if let Some(word) = self.used.get_mut(id.0 as usize / 64) {
            *word &= !(1 << (id.0 % u64::BITS));
        }
    }

    /// Keeps an id out of use because its client may still exist.
    pub(crate) fn lose(&mut self, id: ClientId) {
        if let Some(word) = self.lost.get_mut(id.0 as usize / 64) {
            *word |= 1 << (id.0 % u64::BITS);
        }
    }

    /// An id that was lost; it is not lost any more, but still in use. To be given back or lost
    /// again.
    pub(crate) fn next_lost(&mut self) -> Option<ClientId> {
        let (i, word) = self.lost.iter_mut().enumerate().find(|(_, w)| **w != 0)?;
        let bit = word.trailing_zeros();
        *word &= !(1 << bit);
        // CAST: at most `MAX_CLIENTS / 64`.
        Some(ClientId(i as u32 * u64::BITS + bit))
    }

    /// Number of ids in use, lost ones included.
    pub(crate) fn in_use(&self) -> u32 {
        self.used.iter().map(|word| word.count_ones()).sum::<u32>() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lowest_free_first_and_never_zero() {
        let mut ids = ClientIds::new();
        let (a, b) = (ids.take().unwrap(), ids.take().unwrap());
        assert_eq!((a.number(), b.number()), (1, 2));
        ids.put(a);
        assert_eq!(ids.in_use(), 1);
        assert_eq!(ids.take(), Some(a));
    }

    #[test]
    fn lost_ids_stay_in_use_until_given_back() {
        let mut ids = ClientIds::new();
        let all: Vec<_> = (0..70).filter_map(|_| ids.take()).collect();
        ids.lose(all[68]);
        assert_eq!(ids.in_use(), 70);
        assert_eq!(ids.next_lost(), Some(all[68]));
        assert_eq!(ids.next_lost(), None);
        assert_eq!(ids.in_use(), 70);
        ids.put(all[68]);
        assert_eq!(ids.take(), Some(all[68]));
    }

    #[test]
    fn they_run_out_and_come_back() {
        let mut ids = ClientIds::new();
        let all: Vec<_> = core::iter::from_fn(|| ids.take()).collect();
        assert_eq!(all.len() as u32, MAX_CLIENTS - 1);
        assert_eq!(ids.in_use(), MAX_CLIENTS - 1);
        assert!(all.windows(2).all(|w| w[0].number() < w[1].number()));
        assert!(!all.contains(&ClientId::CORE));
        ids.put(all[100]);
        assert_eq!(ids.take(), Some(all[100]));
        assert_eq!(ids.take(), None);
        for id in all {
            ids.put(id);
        }
        assert_eq!(ids.in_use(), 0);
    }
}
