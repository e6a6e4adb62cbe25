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
    /// A vGPU plugin task wants attention.
    pub(crate) const VGPU_GSP_PLUGIN_TRIGGERED: u32 = 0x100d;
    /// vGPU configuration changed.
    pub(crate) const VGPU_CONFIG: u32 = 0x1010;
    /// Trouble with the trace buffer of a graphics engine.
    pub(crate) const FECS_ERROR: u32 = 0x1021;
    /// Something must be done about the GPU as a whole.
    pub(crate) const RECOVERY_ACTION: u32 = 0x1022;

    /// Names of all events there are, from the one after [`FIRST`] on.
    const NAMES: [&str; 0x22] = [
        "GSP_INIT_DONE",
        "GSP_RUN_CPU_SEQUENCER",
        "POST_EVENT",
        "RC_TRIGGERED",
        "MMU_FAULT_QUEUED",
        "OS_ERROR_LOG",
        "RG_LINE_INTR",
        "GPUACCT_PERFMON_UTIL_SAMPLES",
        "SIM_READ",
        "SIM_WRITE",
        "SEMAPHORE_SCHEDULE_CALLBACK",
        "UCODE_LIBOS_PRINT",
        "VGPU_GSP_PLUGIN_TRIGGERED",
        "PERF_GPU_BOOST_SYNC_LIMITS_CALLBACK",
        "PERF_BRIDGELESS_INFO_UPDATE",
        "VGPU_CONFIG",
        "DISPLAY_MODESET",
        "EXTDEV_INTR_SERVICE",
        "NVLINK_INBAND_RECEIVED_DATA_256",
        "NVLINK_INBAND_RECEIVED_DATA_512",
        "NVLINK_INBAND_RECEIVED_DATA_1024",
        "NVLINK_INBAND_RECEIVED_DATA_2048",
        "NVLINK_INBAND_RECEIVED_DATA_4096",
        "TIMED_SEMAPHORE_RELEASE",
        "NVLINK_IS_GPU_DEGRADED",
        "PFM_REQ_HNDLR_STATE_SYNC_CALLBACK",
        "NVLINK_FAULT_UP",
        "GSP_LOCKDOWN_NOTICE",
        "MIG_CI_CONFIG_UPDATE",
        "UPDATE_GSP_TRACE",
        "NVLINK_FATAL_ERROR_RECOVERY",
        "GSP_POST_NOCAT_RECORD",
        "FECS_ERROR",
        "RECOVERY_ACTION",
    ];

    /// Number of events with a name.
    pub(crate) const COUNT: usize = NAMES.len();

    /// Position of `id` among the events with a name.
    pub(crate) fn index(id: u32) -> Option<usize> {
        let index = usize::try_from(id.checked_sub(FIRST + 1)?).ok()?;

        (index < COUNT).then_some(index)
    }

    /// Name of the event at `index`.
    pub(crate) fn name(index: usize) -> Option<&'static str> {
        NAMES.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_events() {
        let name = |id| event::index(id).and_then(event::name);
        for (id, published) in [
            (event::GSP_INIT_DONE, "GSP_INIT_DONE"),
            (event::RC_TRIGGERED, "RC_TRIGGERED"),
            (event::OS_ERROR_LOG, "OS_ERROR_LOG"),
            (
                event::GPUACCT_PERFMON_UTIL_SAMPLES,
                "GPUACCT_PERFMON_UTIL_SAMPLES",
            ),
            (
                event::VGPU_GSP_PLUGIN_TRIGGERED,
                "VGPU_GSP_PLUGIN_TRIGGERED",
            ),
            (event::VGPU_CONFIG, "VGPU_CONFIG"),
            (0x101b, "NVLINK_FAULT_UP"),
            (0x101c, "GSP_LOCKDOWN_NOTICE"),
            (0x1020, "GSP_POST_NOCAT_RECORD"),
            (event::RECOVERY_ACTION, "RECOVERY_ACTION"),
        ] {
            assert_eq!(name(id), Some(published));
        }
        for id in [0, event::FIRST, event::RECOVERY_ACTION + 1, u32::MAX] {
            assert_eq!(name(id), None);
        }
    }

    #[test]
    fn every_function_has_one_index() {
        for index in 0..function::COUNT {
            assert!(function::name(index).is_some());
        }
        assert_eq!(
            function::index(function::GSP_RM_ALLOC).and_then(function::name),
            Some("GSP_RM_ALLOC")
        );
        assert_eq!(function::index(0), None);
    }
}
