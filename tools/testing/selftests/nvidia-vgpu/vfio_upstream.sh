#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own tests of VFIO devices, unmodified, on VFs with a type: what
# holds for every VFIO device has to hold for a vGPU, in every way in which a
# VMM can open one:
#
#   vfio_type1_iommu, vfio_type1v2_iommu                 group and container
#   iommufd_compat_type1, iommufd_compat_type1v2         group, container of iommufd
#   iommufd                                              character device
#
# Huge pages of both sizes are to be reserved at boot (suites/52-vfio), or
# what needs them is skipped by upstream's tests.
#
# Not here: vfio_pci_driver_test drives a device with a driver of its own, of
# which there is none for a VF (what it has for NVIDIA needs the PF's falcons);
# vfio_pci_sriov_uapi_test wants a PF that is bound to vfio-pci.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE=942
VFS=4

# judge PROGRAM VF…: what it prints, as TAP of its own.
judge() {
	local program=$1
	shift

	echo "# $program"
	"$BUILD/selftests/$program" "$@" >"$scratch/$program" 2>&1 </dev/null
	sed -E '/^(TAP version|1\.\.|ok|not ok|#)/!s/^/# /' "$scratch/$program"
}

# judged PROGRAM COUNT [SKIPPED]: so many tests, all passed but for those that
# match SKIPPED, which cannot run here. A program that ends in the middle has
# results missing.
judged() {
	local file=$scratch/$1 skipped=${3:-none}

	[ "$(grep -c '^ok ' "$file")" = "$2" ] || { echo "not $2 results"; return 1; }
	! grep -E '^ok .*# *SKIP' "$file" | grep -vE "$skipped" || return 1
	! grep '^not ok ' "$file"
}

select_types() {
	local vf

	for vf in "${vfs[@]}"; do
		writes "$1" "$(vgpu_file "$vf" current_vgpu_type)" || return 1
	done
}

baseline
if ! enable_vfs $VFS || ! select_types $TYPE; then
	ktap_exit_fail_msg "cannot enable $VFS VFs with a type"
fi
vf=${vfs[0]}
no_huge_pages=none
[ "$(cat /sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages)" -gt 0 ] || no_huge_pages=hugetlb

judge vfio_pci_device_test "$vf"
judge vfio_dma_mapping_test "$vf"
judge vfio_dma_mapping_mmio_test "$vf"
judge vfio_iommufd_setup_test "$vf"
judge vfio_pci_device_init_perf_test "${vfs[@]}"

begin 8
# VFs of this GPU have MSI-X only.
result "vfio_pci_device_test passes (R21, R25)" judged vfio_pci_device_test 5 "vfio_pci_irq_test\.msi\."
result "vfio_dma_mapping_test passes (R21)" judged vfio_dma_mapping_test 30 $no_huge_pages
result "vfio_dma_mapping_mmio_test passes (R21)" judged vfio_dma_mapping_mmio_test 15
result "vfio_iommufd_setup_test passes (R21)" judged vfio_iommufd_setup_test 6
result "vfio_pci_device_init_perf_test passes, $VFS at once (R21)" judged vfio_pci_device_init_perf_test 5
select_types 0
disable_vfs
result "the VFs were freed" reads 0 "$numvfs"
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
