#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The PF goes while eight guests run:
#
#   sriov_numvfs 0, rmmod    refused; the guests notice nothing
#   unbind, sysfs remove     every QEMU is asked at once (request event) and asks its
#                            guest; over when the last guest has let go
#   button of the slot       asked one after the other; who does not let go is waited
#                            for, until QEMU is killed
#
# A guest that has lost its function goes on. A new one can be plugged into it, and
# holds nothing of the old one.
#
# Not part of run_all: the machine has no GPU after this.
set -u
. tools/testing/selftests/nvidia-vgpu/many_guests.sh

# Pressing the button of a slot is slow: in the guest, and five seconds in the host.
GOES_MS=$((60000 * TIME_FACTOR))
NO_FUNCTION="fail config: No such file or directory"

needs_model

# They go on from one that has booted: eight times to boot is what guests.sh does.
run_guests() {
	guest_save "$scratch/state" || return 1
	GUEST_STATE=$scratch/state start_guests
	# shellcheck disable=SC2086 # SPOTS is three words
	all_ready && all "ok fill *" fill 1 N $SPOTS
}

stays() {
	# shellcheck disable=SC2086 # SPOTS is three words
	refused_in_use && all "ok check *" check 1 N $SPOTS &&
		all "ok reset" reset && all "ok fill *" fill 1 N $SPOTS && all "ok check *" check 1 N $SPOTS
}

# goes HOW
goes() {
	local pid status=0

	"$1" &
	pid=$!
	# Nobody but QEMU can press the button that they wait for.
	all "ok unplug" unplug || status=1
	ends $pid $GOES_MS || status=1
	[ ! -e "/sys/bus/pci/devices/${vfs[0]}" ] || { echo "VFs are still there"; status=1; }
	all "$NO_FUNCTION" config 0 || status=1
	pf_back && settled begin || status=1
	return $status
}

comes_back() {
	local i iommufd

	enable_vfs "$GUESTS" && select_all $TYPE || return 1
	for ((i = 0; i < GUESTS; i++)); do
		iommufd=''
		((i % 2 == 0)) || iommufd=', "iommufd": "iommufd0"'
		guest_qmp "$i" '{"execute": "device_add", "arguments": {"driver": "vfio-pci", "id": "vgpu",
			"bus": "rp0", "host": "'"${vfs[i]}"'"'"$iommufd"'}}' || return 1
	done
	# shellcheck disable=SC2086 # SPOTS is three words
	all "ok plug" plug && all "ok find 0 of *" find 1 N $SPOTS &&
		all "ok fill *" fill 1 N $SPOTS && all "ok check *" check 1 N $SPOTS
}

# Of a request that reaches its user, VFIO tells.
asked() {
	logged "$1: Relaying device request"
}

# Hot plug removes the last function first.
button() {
	local i status=0

	mark_log
	slot_button && within $GOES_MS asked "${vfs[-1]}" || return 1
	# shellcheck disable=SC2086 # SPOTS is three words
	all "ok check *" check 1 N $SPOTS || status=1
	[ -e "/sys/bus/pci/devices/$pf" ] || { echo "nobody was waited for"; status=1; }
	for ((i = 1; i < GUESTS; i += 2)); do
		guest_kill "$i"
	done
	for ((i = 0; i < GUESTS; i += 2)); do
		guest_tell "$i" unplug
	done
	for ((i = 0; i < GUESTS; i += 2)); do
		guest_answer "$i" || status=1
	done
	taken_out $GOES_MS || status=1
	return $status
}

go_on() {
	local i reply status=0

	for ((i = 0; i < GUESTS; i += 2)); do
		reply=$(guest "$i" config 0)
		[ "$reply" = "$NO_FUNCTION" ] || { echo "guest $i: $reply"; status=1; }
		guest_stop "$i" || status=1
	done
	return $status
}

begin 10
result "$GUESTS guests run" run_guests
result "SR-IOV off and rmmod are refused, the guests go on (R26)" stays
result "PF unbound, guests let go (R4, R11)" goes pf_unbind
result "they get new vGPUs, with nothing of the old (R39)" comes_back
result "PF removed, guests let go (R4, R11)" goes pf_remove
result "they get new vGPUs again (R39)" comes_back
result "the GPU refused nothing" no_refusals
result "button of the slot: some let go, some are killed (R4)" button
result "those that are left go on" go_on
result "the modules can be unloaded" host_unload_modules
finish
