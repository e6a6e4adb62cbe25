#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# sriov_numvfs of the PF: counts, refusals, and that VFs which are in use are
# not pulled away (R13, R17).
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

total=$(cat /sys/bus/pci/devices/*/sriov_totalvfs 2>/dev/null | sort -n | tail -n 1)

has_vfs() {
	reads "$1" "$numvfs" && [ "$(find "/sys/bus/pci/devices/$pf/" -name 'virtfn*' | wc -l)" -eq "$1" ]
}

enables() {
	writes "$1" "$numvfs" && has_vfs "$1" && writes 0 "$numvfs" && has_vfs 0
}

begin 11
for n in 1 8 "$total"; do
	result "enable and disable $n VFs" enables "$n"
done
result "one VF more than there are is out of range" \
	writes $((total + 1)) "$numvfs" "Numerical result out of range"
result "a count that is no number is invalid" writes many "$numvfs" "Invalid argument"

result "enable four VFs" enable_vfs 4
refused_while_open() {
	writes 942 "$(vgpu_file "${vfs[1]}" current_vgpu_type)" || return 1
	hold_vf "${vfs[1]}"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	writes 0 "$numvfs" "Device or resource busy" && has_vfs 4
	local status=$?
	release_vf
	return $status
}
result "disabling is refused while a VF is open (R11, R26)" refused_while_open
changes_refused() {
	writes 2 "$numvfs" "Device or resource busy"
}
result "changing the count without disabling is refused" changes_refused
result "disabling forgets the selection" writes 0 "$numvfs"
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
