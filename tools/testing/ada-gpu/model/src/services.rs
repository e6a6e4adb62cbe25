// SPDX-License-Identifier: GPL-2.0

//! What GSP-RM ([`crate::rm`]) may use of the board it runs on.
//!
//! ```text
//! doorbell / timer -> Gpu -> Services { memory, host, log, counts, faults, ... }
//!                              |  lent for the length of one call
//!                              v
//!                           rm::Rm  -- RpcOutcome --> transport --> status queue
//!                              \---- events ---------^
//! ```

use crate::config::Config;
use crate::fault::Faults;
use crate::fifo::Fifo;
use crate::host::Host;
use crate::stats::Stats;
use crate::trace::Trace;
use crate::vram::Vram;
use std::collections::BTreeMap;
use std::fmt::Arguments;
use std::ops::Range;

/// The frame-buffer layout the driver chose, as booter verified it. Byte ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FbLayout {
    /// Usable frame-buffer size.
    pub fb_size: u64,
    /// Everything from here up is reserved for firmware (gspFwRsvdStart).
    pub reserved_start: u64,
    /// Heap outside of WPR2, just below it.
    pub non_wpr_heap: Range<u64>,
    /// WPR2 as widened by booter.
    pub wpr: Range<u64>,
    /// GSP-RM's heap inside WPR2.
    pub heap: Range<u64>,
    /// FRTS region.
    pub frts: Range<u64>,
    /// VGA workspace at the top.
    pub vga: Range<u64>,
}

/// `GSP_VF_INFO` of SET_SYSTEM_INFO (OGKM 570.144, g_rpc-structures.h).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VfInfo {
    /// SR-IOV TotalVFs.
    pub total_vfs: u32,
    /// SR-IOV First VF Offset.
    pub first_vf_offset: u32,
    /// Bus address of VF 0's BAR0, BAR1 and BAR3.
    pub first_vf_bar: [u64; 3],
    /// Which of the three are 64-bit BARs.
    pub bar_is_64bit: [bool; 3],
}

/// What the driver told GSP-RM in SET_SYSTEM_INFO.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemInfo {
    /// Bus addresses of the PF's BAR0, BAR1 and BAR3.
    pub bars: [u64; 3],
    /// PCI domain, bus, device and function as the driver encoded them.
    pub dbdf: u64,
    /// Hypervisor type (0 Xen … 3 KVM, 4 unknown).
    pub hypervisor: u32,
    /// SR-IOV geometry; all zero when the driver did not fill it.
    pub vf: VfInfo,
}

/// A value of the registry table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryValue {
    /// 32-bit number.
    Dword(u32),
    /// Uninterpreted bytes.
    Binary(Vec<u8>),
    /// Text.
    String(String),
}

/// Everything GSP-RM learned before it reported INIT_DONE.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BootInfo {
    /// Frame-buffer layout from the WPR metadata.
    pub layout: FbLayout,
    /// gspFwHeapVfPartitionCount of the WPR metadata.
    pub partitions: u8,
    /// SET_SYSTEM_INFO.
    pub system: SystemInfo,
    /// SET_REGISTRY.
    pub registry: BTreeMap<String, RegistryValue>,
    /// GSP runs in vGPU mode: SR-IOV board, RMSetSriovMode = 1, partitions set.
    pub vgpu: bool,
    /// Video-memory address of the BAR1 root page directory.
    pub bar1_pde_base: u64,
    /// Video-memory address of the BAR2 root page directory.
    pub bar2_pde_base: u64,
}

/// A message GSP sends on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GspEvent {
    /// Event number, 0x1001 and up.
    pub function: u32,
    /// Payload after the RPC header.
    pub payload: Vec<u8>,
}

/// How GSP-RM answers an RPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RpcOutcome {
    /// Answer with this `rpc_result` and payload.
    Reply {
        /// 0 for success.
        result: u32,
        /// Payload after the RPC header.
        payload: Vec<u8>,
    },
    /// No answer, now or later.
    NoReply,
}

/// State of the PCI functions that GSP-RM can see.
#[derive(Debug, Clone, Default)]
pub struct PciState {
    /// Number of VFs enabled.
    pub num_vfs: u16,
    /// Bus mastering of the PF.
    pub pf_bus_master: bool,
    /// Bus mastering of each VF, by index.
    pub vf_bus_master: u32,
}

/// The board, lent to GSP-RM for one call.
pub struct Services<'a> {
    /// Video memory.
    pub vram: &'a mut Vram,
    /// Channels and their address spaces.
    pub fifo: &'a mut Fifo,
    /// The machine.
    pub host: &'a dyn Host,
    /// The log.
    pub trace: &'a mut Trace,
    /// The counts.
    pub stats: &'a mut Stats,
    /// The faults in force.
    pub faults: &'a mut Faults,
    /// The board's properties.
    pub config: &'a Config,
    /// What was learned at boot.
    pub boot: &'a BootInfo,
    /// The PCI functions.
    pub pci: &'a PciState,
    /// Messages to send after this call, in order.
    pub events: &'a mut Vec<GspEvent>,
    /// Earliest time [`crate::rm::Rm::timer`] wants to be called.
    pub wake_ns: &'a mut Option<u64>,
}

impl Services<'_> {
    /// The machine's clock, in nanoseconds.
    pub fn now_ns(&self) -> u64 {
        self.host.now_ns()
    }

    /// Logs and counts something hardware or firmware refuses. `kind` is a
    /// stable name made of lower-case words and hyphens.
    pub fn refuse(&mut self, kind: &str, text: Arguments<'_>) {
        self.stats.refused(kind);
        self.trace.refusal(kind, text);
    }

    /// Asks for a call of [`crate::rm::Rm::timer`] at `deadline_ns` or earlier.
    pub fn wake_at(&mut self, deadline_ns: u64) {
        *self.wake_ns = Some(self.wake_ns.map_or(deadline_ns, |t| t.min(deadline_ns)));
    }

    /// Queues an event message.
    pub fn post(&mut self, function: u32, payload: Vec<u8>) {
        self.events.push(GspEvent { function, payload });
    }
}
