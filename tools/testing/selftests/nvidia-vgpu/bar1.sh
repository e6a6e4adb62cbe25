#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# CPU mappings of frame buffer through BAR1 (R9): the driver's own test of the
# whole path, again and again, beside itself, and while a vGPU is open.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

begin 6
selftest=/sys/kernel/debug/$PF_DRIVER/$pf/bar1_selftest

beside_a_vgpu() {
	local status

	writes 942 "$(vgpu_file "${vfs[0]}" current_vgpu_type)" || return 1
	hold_vf "${vfs[0]}"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	reads ok "$selftest"
	status=$?
	release_vf
	return $status
}

result "mappings show what they should, twenty times (R9)" in_turn 20 reads ok "$selftest"
# Mappings are made and removed under a lock that all of them share.
result "four at a time (R9)" side_by_side 4 reads ok "$selftest"
result "enable a VF" enable_vfs 1
result "while a vGPU is open" beside_a_vgpu
writes 0 "$numvfs"
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
