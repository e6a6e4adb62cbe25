#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A machine without an IOMMU: VFs can be enabled, but the VF driver does not take
# them, whatever VFIO has been told about such devices, and says why.
#
#   lab run --kernel-args intel_iommu=off -- tools/testing/selftests/nvidia-vgpu/vgpu_no_iommu.sh
#
# In VFIO's mode without IOMMU, stock vfio-pci takes the same VF, and the kernel
# gives it an IOMMU group for as long: the VF driver must not take that for one.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

unsafe=/sys/module/vfio/parameters/enable_unsafe_noiommu_mode

has_driver() {
	[ -e "$PCI_DEVICES/$vf/driver" ]
}

# The message of the driver, and not the one of VFIO, which comes later.
is_refused() {
	mark_log
	host_bind_vf "$vf"
	! has_driver && logged "$vf: is not behind an IOMMU, which a vGPU needs"
}

# The mode is really on: both files are those of a device without IOMMU.
stock_driver_takes_it() {
	echo vfio-pci >"$PCI_DEVICES/$vf/driver_override"
	echo "$vf" >/sys/bus/pci/drivers_probe
	[ "$(host_driver "$vf")" = vfio-pci ] || { echo "vfio-pci does not take it"; return 1; }
	ls /dev/vfio/noiommu-* /dev/vfio/devices/noiommu-vfio*
}

is_refused_afterwards() {
	echo "$vf" >"$PCI_DEVICES/$vf/driver/unbind"
	is_refused
}

begin 6
[ ! -e "$PCI_DEVICES/$pf/iommu_group" ] || {
	for ((i = 0; i < 6; i++)); do
		ktap_test_skip "there is an IOMMU"
	done
	finish
}
echo 1 >"$numvfs" || ktap_exit_fail_msg "cannot enable a VF"
vf=$(host_vf "$pf" 0)
result "a VF is not bound" is_refused
if [ -e "$unsafe" ]; then
	echo 1 >"$unsafe"
	result "not even in the mode without IOMMU" is_refused
	result "in which stock vfio-pci takes it" stock_driver_takes_it
	result "and not after vfio-pci either" is_refused_afterwards
	echo 0 >"$unsafe"
else
	for ((i = 0; i < 3; i++)); do
		ktap_test_skip "the kernel has no CONFIG_VFIO_NOIOMMU"
	done
fi
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
