#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The VFIO device of a vGPU used wrongly in every way that the user API has:
# wrong sizes, flags, numbers, alignments and pointers give the right error, and
# change nothing. Through a group and through iommufd.
#
# The output of the programs stands before this script's own results, each with
# its own plan.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE=942
PROGRAMS="vfio_ioctl_test vfio_irq_test vfio_feature_test vfio_access_test"

baseline
enable_vfs 1 || ktap_exit_fail_msg "cannot enable a VF"
vf=${vfs[0]}
echo $TYPE >"$(vgpu_file "$vf" current_vgpu_type)" || ktap_exit_fail_msg "cannot select a type"

failed=""
for mode in vfio_type1v2_iommu iommufd; do
	for program in $PROGRAMS; do
		echo "# $program, $mode"
		IOMMU_MODE=$mode "$BUILD/selftests/$program" "$vf" </dev/null || failed+=" $program"
	done
done

begin 3
result "wrong uses give the right errors and change nothing (R21, R24, R25, R29)" test -z "$failed"
echo 0 >"$(vgpu_file "$vf" current_vgpu_type)"
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
