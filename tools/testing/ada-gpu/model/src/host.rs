// SPDX-License-Identifier: GPL-2.0

//! What the model may do to the machine it is plugged into.

/// A PCI function of the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Function {
    /// The physical function.
    Pf,
    /// A virtual function, by index 0..=31; its GFID is the index plus one.
    Vf(u8),
}

impl Function {
    /// Graphics function id: 0 for the PF, VF index + 1 for a VF.
    pub fn gfid(self) -> u32 {
        match self {
            Function::Pf => 0,
            Function::Vf(i) => u32::from(i) + 1,
        }
    }
}

/// A memory BAR, named by its Linux resource index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bar {
    /// Registers.
    Bar0,
    /// Frame-buffer window.
    Bar1,
    /// Instance-memory window ("BAR2" in NVIDIA's words).
    Bar3,
}

/// A bus-master access that did not complete (no memory there, IOMMU refused
/// it, or bus mastering is off).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DmaFault;

/// The machine around the GPU. Implemented over C callbacks by the QEMU shim and
/// by a plain struct with RAM in tests.
pub trait Host: Send {
    /// Bus-master read by the PF from DMA address `addr`.
    fn dma_read(&self, addr: u64, buf: &mut [u8]) -> Result<(), DmaFault>;
    /// Bus-master write by the PF to DMA address `addr`.
    fn dma_write(&self, addr: u64, buf: &[u8]) -> Result<(), DmaFault>;
    /// Current value of the aligned 32-bit configuration register at `offset`.
    fn config_read(&self, function: Function, offset: u16) -> u32;
    /// Raises MSI-X vector `vector` of `function`.
    fn msix(&self, function: Function, vector: u16);
    /// The machine's virtual clock, in nanoseconds.
    fn now_ns(&self) -> u64;
    /// Arms the one-shot timer that ends in [`crate::Gpu::timer`]; `None` disarms it.
    fn set_timer(&self, deadline_ns: Option<u64>);
}
