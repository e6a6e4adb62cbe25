// SPDX-License-Identifier: GPL-2.0

//! One function's register space: interrupt tree, scratch, doorbells.
//!
//! A VF has it at BAR0 + 0, the PF sees its own at BAR0 + 0xb80000
//! (OGKM 570.144, ampere/ga102/dev_vm.h):
//!
//! ```text
//! 0x01000 + 4i  LEAF      latched interrupts, write 1 clears      i < 8
//! 0x01200 + 4i  LEAF_EN   set     0x01400 + 4i  clear
//! 0x01600       TOP       computed, read only
//! 0x01608       TOP_EN    set     0x01610       clear
//! 0x01640       LEAF_TRIGGER      latch the vector written
//! 0x02100 + 4i  SCRATCH           guest and plugin mailboxes      i < 64
//! ```

/// Leaves of the interrupt tree on Ada.
const LEAVES: usize = 8;
/// Scratch registers of a function.
const SCRATCHES: usize = 64;

const LEAF: u32 = 0x1000;
const LEAF_EN_SET: u32 = 0x1200;
const LEAF_EN_CLEAR: u32 = 0x1400;
const TOP: u32 = 0x1600;
const TOP_EN_SET: u32 = 0x1608;
const TOP_EN_CLEAR: u32 = 0x1610;
const LEAF_TRIGGER: u32 = 0x1640;
const SCRATCH: u32 = 0x2100;

/// The registers one function has for itself.
#[derive(Default, Clone)]
pub struct FuncRegs {
    leaf: [u32; LEAVES],
    enable: [u32; LEAVES],
    top_enable: u32,
    delivered: u32,
    scratch: Vec<u32>,
}

/// Index of `off` in an array of words at `base`.
fn index(off: u32, base: u32, count: usize) -> Option<usize> {
    let i = off.checked_sub(base)? as usize / 4;
    (off % 4 == 0 && i < count).then_some(i)
}

impl FuncRegs {
    /// Reads the register at `off`; `None` when this block has none there.
    pub fn read(&self, off: u32) -> Option<u32> {
        if let Some(i) = index(off, LEAF, LEAVES) {
            return Some(self.leaf[i]);
        }
        if let Some(i) = index(off, LEAF_EN_SET, LEAVES).or(index(off, LEAF_EN_CLEAR, LEAVES)) {
            return Some(self.enable[i]);
        }
        if let Some(i) = index(off, SCRATCH, SCRATCHES) {
            return Some(self.scratch.get(i).copied().unwrap_or(0));
        }
        match off {
            TOP => Some(self.top()),
            TOP_EN_SET | TOP_EN_CLEAR => Some(self.top_enable),
            LEAF_TRIGGER => Some(0),
            _ => None,
        }
    }

    /// Writes the register at `off`. Returns the subtrees whose MSI-X vector
    /// must be sent now, or `None` when this block has no such register.
    pub fn write(&mut self, off: u32, v: u32) -> Option<u32> {
        if let Some(i) = index(off, LEAF, LEAVES) {
            self.leaf[i] &= !v;
        } else if let Some(i) = index(off, LEAF_EN_SET, LEAVES) {
            self.enable[i] |= v;
        } else if let Some(i) = index(off, LEAF_EN_CLEAR, LEAVES) {
            self.enable[i] &= !v;
        } else if let Some(i) = index(off, SCRATCH, SCRATCHES) {
            self.scratch.resize(SCRATCHES, 0);
            self.scratch[i] = v;
        } else {
            match off {
                TOP => {}
                // Enabling a subtree that is already pending counts as an edge.
                TOP_EN_SET => {
                    self.top_enable |= v;
                    self.delivered &= !v;
                }
                TOP_EN_CLEAR => self.top_enable &= !v,
                LEAF_TRIGGER => return Some(self.raise(v & 0xfff)),
                _ => return None,
            }
        }
        Some(self.evaluate())
    }

    /// Latches interrupt `vector`; returns the subtrees to deliver.
    pub fn raise(&mut self, vector: u32) -> u32 {
        if let Some(leaf) = self.leaf.get_mut(vector as usize / 32) {
            *leaf |= 1 << (vector % 32);
        }
        self.evaluate()
    }

    fn top(&self) -> u32 {
        (0..LEAVES).fold(0, |top, i| {
            top | u32::from(self.leaf[i] & self.enable[i] != 0) << (i / 2)
        })
    }

    /// Vectors that are latched and enabled, whatever their subtree is.
    pub fn waiting(&self) -> impl Iterator<Item = u32> + '_ {
        let leaves = self.leaf.iter().zip(&self.enable).zip(0..);
        leaves.flat_map(|((latched, enabled), leaf)| {
            let mut set = latched & enabled;
            std::iter::from_fn(move || {
                let bit = set.trailing_zeros();
                set &= set.checked_sub(1)?;
                Some(32 * leaf + bit)
            })
        })
    }

    /// Whether the subtree of `vector` is enabled.
    pub fn subtree_enabled(&self, vector: u32) -> bool {
        self.top_enable & 1 << (vector / 64) != 0
    }

    /// Subtrees that are pending and enabled.
    pub fn pending(&self) -> u32 {
        self.top() & self.top_enable
    }

    /// Subtrees that became pending and enabled since the last evaluation.
    fn evaluate(&mut self) -> u32 {
        let now = self.pending();
        let edges = now & !self.delivered;
        self.delivered = now;
        edges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tree_delivers_edges_once() {
        let mut f = FuncRegs::default();
        assert_eq!(f.raise(155), 0);
        assert_eq!(f.write(LEAF_EN_SET + 16, 1 << 27), Some(0));
        assert_eq!(f.read(TOP), Some(1 << 2));
        assert_eq!(f.write(TOP_EN_SET, 0xf), Some(1 << 2));
        assert_eq!(f.raise(155), 0);
        assert_eq!(f.write(LEAF + 16, 1 << 27), Some(0));
        assert_eq!(f.write(LEAF_TRIGGER, 155), Some(1 << 2));
        // Rearming with the leaf still set is a new edge.
        assert_eq!(f.write(TOP_EN_CLEAR, 1 << 2), Some(0));
        assert_eq!(f.write(TOP_EN_SET, 1 << 2), Some(1 << 2));
    }

    #[test]
    fn unknown_offsets_are_not_ours() {
        let mut f = FuncRegs::default();
        assert_eq!(f.read(0x1020), None);
        assert_eq!(f.write(0x3000, 1), None);
        assert_eq!(f.write(SCRATCH + 8, 5), Some(0));
        assert_eq!(f.read(SCRATCH + 8), Some(5));
    }
}
