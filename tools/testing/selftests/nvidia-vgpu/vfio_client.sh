#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A VMM that is made of rust-vmm's crates finds what it needs: vfio-client does
# with a vGPU what those crates do, through a container and through iommufd.
#
# The output of the program stands before this script's own results, with a plan
# of its own each time.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE=942

baseline
enable_vfs 1 || ktap_exit_fail_msg "cannot enable a VF"
vf=${vfs[0]}
echo $TYPE >"$(vgpu_file "$vf" current_vgpu_type)" || ktap_exit_fail_msg "cannot select a type"

failed=""
for mode in container iommufd; do
	vfio-client --mode $mode "$vf" || failed+=" $mode"
done

begin 3
result "rust-vmm's crates can use a vGPU (R21, R25, R28)" test -z "$failed"
echo 0 >"$(vgpu_file "$vf" current_vgpu_type)"
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
