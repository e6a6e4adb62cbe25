#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A machine without an IOMMU: VFs can be enabled, but the VF driver does not take
# them, whatever VFIO has been told about such devices, and says why.
#
#   lab run --kernel-args intel_iommu=off -- tools/testing/selftests/nvidia-vgpu/vgpu_no_iommu.sh
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

has_driver() {
	[ -e "/sys/bus/pci/devices/$vf/driver" ]
}

# The message of the driver, and not the one of VFIO, which comes later.
is_refused() {
	mark_log
	host_bind_vf "$vf"
	! has_driver && logged "$vf: is not behind an IOMMU, which a vGPU needs"
}

begin 4
[ ! -e "/sys/bus/pci/devices/$pf/iommu_group" ] || {
	for ((i = 0; i < 4; i++)); do
		ktap_test_skip "there is an IOMMU"
	done
	finish
}
echo 1 >"$numvfs" || ktap_exit_fail_msg "cannot enable a VF"
vf=$(host_vf "$pf" 0)
result "a VF is not bound" is_refused
unsafe=/sys/module/vfio/parameters/enable_unsafe_noiommu_mode
if [ -e "$unsafe" ]; then
	echo 1 >"$unsafe"
	result "not even in the mode without IOMMU" is_refused
	echo 0 >"$unsafe"
else
	ktap_test_skip "the kernel has no CONFIG_VFIO_NOIOMMU"
fi
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
