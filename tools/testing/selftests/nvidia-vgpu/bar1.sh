#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# CPU mappings of frame buffer through BAR1 (R9): the driver's own test of the
# whole path, again and again, beside itself, and while a vGPU is open.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

begin 6
selftest=/sys/kernel/debug/$PF_DRIVER/$pf/bar1_selftest

twenty_times() {
	local i

	for i in $(seq 20); do
		reads ok "$selftest" || { echo "in turn $i"; return 1; }
	done
}

# Mappings are made and removed under a lock that all of them share.
side_by_side() {
	local i pids=() status=0

	for i in 1 2 3 4; do
		reads ok "$selftest" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || status=1
	done
	return $status
}

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

result "mappings show what they should, twenty times" twenty_times
result "four at a time" side_by_side
result "enable a VF" enable_vfs 1
result "while a vGPU is open" beside_a_vgpu
writes 0 "$numvfs"
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
