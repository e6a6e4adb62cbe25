#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The PF goes while eight VFs are open: nobody waits for ever, nobody is
# forgotten, and nothing is left (R5, R18, R20).
#
#   sriov_numvfs 0, rmmod      refused; users hear nothing and notice nothing
#   unbind, sysfs remove       every user is asked at once; over when all have
#                              closed, or are killed. No VF goes before
#   the board falls off the bus     every user is told; the same afterwards
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE=942
VFS=8
GOES_MS=$((20000 * TIME_FACTOR))

needs_model

open_all() {
	local vf

	mark_log
	enable_vfs $VFS || return 1
	for vf in "${vfs[@]}"; do
		writes $TYPE "$(vgpu_file "$vf" current_vgpu_type)" || return 1
	done
	hold_vfs "${vfs[@]}" && holders_answer "watch error" ok && holders_answer "watch request" ok
}

# Nobody has been told anything, and every vGPU works.
undisturbed() {
	holders_answer "no request" ok && holders_answer "no error" ok &&
		holders_answer "bme on" ok && holders_answer reset ok
}

stays() {
	local status=0

	open_all || return 1
	refused_in_use || status=1
	undisturbed || status=1
	release_vfs
	disable_vfs && settled begin || status=1
	return $status
}

# goes HOW RELEASE
goes() {
	local pid status=0

	open_all || return 1
	"$1" &
	pid=$!
	# All of them, although the VFs are removed one after the other.
	holders_answer "wait request" ok && holders_answer "bme on" ok && holders_answer "no error" ok || status=1
	kill -0 $pid 2>/dev/null || { echo "$1 did not wait"; status=1; }
	"$2"
	ends $pid $GOES_MS || status=1
	[ ! -e "/sys/bus/pci/devices/${vfs[0]}" ] || { echo "VFs are still there"; status=1; }
	pf_back && settled begin || status=1
	return $status
}

# The last of them goes on.
release_all_but_last() {
	local last=$((VFS - 1))
	local -a kept=("${holders[last]}" "${holders_in[last]}" "${holders_out[last]}")

	unset "holders[last]" "holders_in[last]" "holders_out[last]"
	release_vfs
	holders=("${kept[0]}") holders_in=("${kept[1]}") holders_out=("${kept[2]}")
}

# A VF that was closed stays as long as any other is open: to remove one while another
# is being closed is more than the PCI core can stand.
goes_at_once() {
	local pid vf status=0

	open_all || return 1
	pf_unbind &
	pid=$!
	holders_answer "wait request" ok || status=1
	release_all_but_last
	sleep 1
	holders_answer "bme on" ok || status=1
	for vf in "${vfs[@]}"; do
		[ -e "/sys/bus/pci/devices/$vf" ] || { echo "$vf went before the last was closed"; status=1; }
	done
	kill -0 $pid 2>/dev/null || { echo "nobody waited for the last"; status=1; }
	release_vfs
	ends $pid $GOES_MS || status=1
	pf_back && settled begin || status=1
	return $status
}

# The answer to every read is all ones from one moment to the next.
falls_off() {
	local pid status=0

	open_all || return 1
	gpu_ctl fault off-bus || return 1
	holders_answer "wait error" ok || status=1
	holders_answer reset "error EIO" && holders_answer "bme on" "error EIO" || status=1
	logged "$PF_DRIVER $pf: GSP is lost: the device is gone" || status=1
	pf_remove &
	pid=$!
	holders_answer "wait request" ok || status=1
	release_vfs
	ends $pid $GOES_MS || status=1
	gpu_ctl fault clear
	pf_back && settled begin || status=1
	return $status
}

begin 8
result "SR-IOV off and rmmod are refused (R26)" stays
result "PF unbound, VFs closed (R4, R11)" goes pf_unbind release_vfs
result "PF unbound, users killed (R4)" goes pf_unbind kill_vfs
result "PF unbound, VFs closed one after the other (R4)" goes_at_once
result "PF removed, VFs closed (R4, R11)" goes pf_remove release_vfs
result "PF removed, users killed (R4)" goes pf_remove kill_vfs
result "the GPU refused nothing" no_refusals
# A driver that cannot reach the board leaves GSP and vGPUs to the next one.
result "the board falls off the bus (R40)" falls_off
finish
