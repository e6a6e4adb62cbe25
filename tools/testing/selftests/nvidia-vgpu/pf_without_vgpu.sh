#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A board that cannot have vGPUs: the PF works all the same, says once why vGPU
# is off, and refuses VFs (R2). Which board that is, and so the reason, is up to
# who starts the machine:
#
#   pf_without_vgpu.sh REASON
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

reason=${1:?usage: pf_without_vgpu.sh REASON}

# A board that is not on the list is bound by hand.
for device in /sys/bus/pci/devices/*; do
	if ! host_find_pf >/dev/null && [ "$(cat "$device/vendor")" = 0x10de ]; then
		echo "$PF_DRIVER" >"$device/driver_override"
		echo "${device##*/}" >/sys/bus/pci/drivers_probe
	fi
done

says_why() {
	[ "$(dmesg | grep -c "$PF_DRIVER $pf: vGPU is not available: ")" -eq 1 ] || {
		dmesg | grep "$PF_DRIVER"
		return 1
	}
	dmesg | grep "$PF_DRIVER $pf: vGPU is not available: $reason"
}

# Without the capability there is no file; with it, the driver says no.
refuses_vfs() {
	[ ! -e "$numvfs" ] || writes 1 "$numvfs" "Operation not supported"
}

begin 6
result "GSP runs" sh -c "dmesg | grep '$PF_DRIVER $pf: GSP .* runs on '"
result "the log says why vGPU is off: $reason (R2)" says_why
result "VFs are refused (R2)" refuses_vfs
result "the CPU reaches FB" reads ok "/sys/kernel/debug/$PF_DRIVER/$pf/bar1_selftest"
result "unload and load both modules" sh -c ". tools/testing/lib/host.sh; host_unload_modules && host_load_modules"
result "the GPU refused nothing" no_refusals
finish
