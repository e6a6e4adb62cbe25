// SPDX-License-Identifier: GPL-2.0

//! Numbers of RPC functions and events (OGKM 570.144 `rpc_global_enums.h`).

/// Functions that the CPU asks GSP for.
pub(crate) mod function {
    /// Frees an object.
    pub(crate) const FREE: u32 = 10;
    /// The driver goes away.
    pub(crate) const UNLOADING_GUEST_DRIVER: u32 = 47;
    /// Facts about the GPU.
    pub(crate) const GET_GSP_STATIC_INFO: u32 = 65;
    /// Carries on the message in the element before.
    pub(crate) const CONTINUATION_RECORD: u32 = 71;
    /// Facts about the system, before boot completes; not answered.
    pub(crate) const GSP_SET_SYSTEM_INFO: u32 = 72;
    /// Registry keys, before boot completes; not answered.
    pub(crate) const SET_REGISTRY: u32 = 73;
    /// A control on an object.
    pub(crate) const GSP_RM_CONTROL: u32 = 76;
    /// Allocates an object.
    pub(crate) const GSP_RM_ALLOC: u32 = 103;

    /// Functions with a name.
    const NAMES: [(u32, &str); 8] = [
        (FREE, "FREE"),
        (UNLOADING_GUEST_DRIVER, "UNLOADING_GUEST_DRIVER"),
        (GET_GSP_STATIC_INFO, "GET_GSP_STATIC_INFO"),
        (CONTINUATION_RECORD, "CONTINUATION_RECORD"),
        (GSP_SET_SYSTEM_INFO, "GSP_SET_SYSTEM_INFO"),
        (SET_REGISTRY, "SET_REGISTRY"),
        (GSP_RM_CONTROL, "GSP_RM_CONTROL"),
        (GSP_RM_ALLOC, "GSP_RM_ALLOC"),
    ];

    /// Number of functions with a name.
    pub(crate) const COUNT: usize = NAMES.len();

    /// Position of `id` among the functions with a name.
    pub(crate) fn index(id: u32) -> Option<usize> {
        NAMES.iter().position(|(known, _)| *known == id)
    }

    /// Name of the function at `index`.
    pub(crate) fn name(index: usize) -> Option<&'static str> {
        NAMES.get(index).map(|(_, name)| *name)
    }
}

/// Events that GSP sends by itself.
pub(crate) mod event {
    /// Everything from here on is an event.
    pub(crate) const FIRST: u32 = 0x1000;
    /// GSP-RM is ready for requests.
    pub(crate) const GSP_INIT_DONE: u32 = 0x1001;
    /// Register operations that the CPU must do for GSP.
    pub(crate) const GSP_RUN_CPU_SEQUENCER: u32 = 0x1002;
    /// An event object fired.
    pub(crate) const POST_EVENT: u32 = 0x1003;
    /// A channel was torn down by robust channel recovery.
    pub(crate) const RC_TRIGGERED: u32 = 0x1004;
    /// MMU faults were put into the shadow buffer.
    pub(crate) const MMU_FAULT_QUEUED: u32 = 0x1005;
    /// An Xid message.
    pub(crate) const OS_ERROR_LOG: u32 = 0x1006;
    /// Samples of GPU use.
    pub(crate) const GPUACCT_PERFMON_UTIL_SAMPLES: u32 = 0x1008;
    /// Text from another ucode.
    pub(crate) const UCODE_LIBOS_PRINT: u32 = 0x100c;
    /// A vGPU plugin task wants attention.
    pub(crate) const VGPU_GSP_PLUGIN_TRIGGERED: u32 = 0x100d;
    /// Bridgeless SLI state.
    pub(crate) const PERF_BRIDGELESS_INFO_UPDATE: u32 = 0x100f;
    /// vGPU configuration changed.
    pub(crate) const VGPU_CONFIG: u32 = 0x1010;
    /// Lockdown of the GSP registers begins or ends.
    pub(crate) const GSP_LOCKDOWN_NOTICE: u32 = 0x101c;
    /// A diagnostic record.
    pub(crate) const GSP_POST_NOCAT_RECORD: u32 = 0x1020;

    /// Events with a name, in order.
    const NAMES: [(u32, &str); 13] = [
        (GSP_INIT_DONE, "GSP_INIT_DONE"),
        (GSP_RUN_CPU_SEQUENCER, "GSP_RUN_CPU_SEQUENCER"),
        (POST_EVENT, "POST_EVENT"),
        (RC_TRIGGERED, "RC_TRIGGERED"),
        (MMU_FAULT_QUEUED, "MMU_FAULT_QUEUED"),
        (OS_ERROR_LOG, "OS_ERROR_LOG"),
        (GPUACCT_PERFMON_UTIL_SAMPLES, "GPUACCT_PERFMON_UTIL_SAMPLES"),
        (UCODE_LIBOS_PRINT, "UCODE_LIBOS_PRINT"),
        (VGPU_GSP_PLUGIN_TRIGGERED, "VGPU_GSP_PLUGIN_TRIGGERED"),
        (PERF_BRIDGELESS_INFO_UPDATE, "PERF_BRIDGELESS_INFO_UPDATE"),
        (VGPU_CONFIG, "VGPU_CONFIG"),
        (GSP_LOCKDOWN_NOTICE, "GSP_LOCKDOWN_NOTICE"),
        (GSP_POST_NOCAT_RECORD, "GSP_POST_NOCAT_RECORD"),
    ];

    /// Number of events with a name.
    pub(crate) const COUNT: usize = NAMES.len();

    /// Position of `id` among the events with a name.
    pub(crate) fn index(id: u32) -> Option<usize> {
        NAMES.iter().position(|(known, _)| *known == id)
    }

    /// Name of the event at `index`.
    pub(crate) fn name(index: usize) -> Option<&'static str> {
        NAMES.get(index).map(|(_, name)| *name)
    }
}
