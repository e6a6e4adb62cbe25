#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Two guests on two VFs of one type, one through a VFIO group and one through
# iommufd: PCI identity, BAR sizes, isolation of the framebuffer, function level
# reset, hot-unplug (because QEMU wants it, or whoever unbinds the VF), hot-plug,
# reboot, and a QEMU that is killed.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh
. tools/testing/guest/guest.sh

TYPE=942
DEVICE=26b1 SUBSYSTEM=170b # of RTX6000-Ada-2Q
SEED_A=0x11111111 SEED_B=0x22222222
SPOTS="0 2048 32768"

answers() {
	local name=$1 pattern=$2 reply
	shift 2

	reply=$(guest "$name" "$@")
	# shellcheck disable=SC2053 # the answer is a pattern
	[[ ${reply##*$'\n'} == $pattern ]] && return 0
	echo "guest $name: $*: $reply, expected $pattern"
	return 1
}

# describes GUEST PATTERN: one line of what the guest says of its function.
describes() {
	local reply

	reply=$(guest "$1" pci) && grep -qE "$2" <<<"$reply" && return 0
	echo "guest $1: $reply, expected $2"
	return 1
}

identity() {
	describes "$1" "^pci .* 10de:$DEVICE 10de:$SUBSYSTEM 0x0302"
}

bar1_is() {
	describes "$1" "^bar 1 $(printf '0x%x' $(($2 << 20)))$"
}

isolated() {
	# shellcheck disable=SC2086 # SPOTS is three words
	answers A "ok fill *" fill 1 $SEED_A $SPOTS &&
		answers B "ok find 0 of *" find 1 $SEED_A $SPOTS &&
		answers B "ok fill *" fill 1 $SEED_B $SPOTS &&
		answers A "ok check *" check 1 $SEED_A $SPOTS &&
		answers B "ok check *" check 1 $SEED_B $SPOTS &&
		answers A "ok find 0 of *" find 1 $SEED_B $SPOTS
}

# Bus master enable, as the guest sets it in COMMAND, reaches GSP.
bus_master() {
	answers A "ok setconfig" setconfig 4 0x0006 2 && answers A "ok config 0x*6" config 4 2
}

survives_reset() {
	answers A "ok reset" reset && identity A &&
		answers A "ok write" write 1 0 0x12345678 && answers A "ok read 0x12345678" read 1 0
}

beyond_is_refused() {
	answers A "fail read:*" read 1 $((256 << 20))
}

# open_vfs N: so many are open.
open_vfs() {
	local open

	open=$(pf_value stats open_vfs)
	[ "$open" = "$1" ] || { echo "$open VFs are open, not $1"; return 1; }
}

# taken_by COMMAND…: COMMAND wants the function of guest A, and ends when the
# guest has let it go.
taken_by() {
	local pid status=0

	"$@" &
	pid=$!
	answers A "ok unplug" unplug || status=1
	wait "$pid" && open_vfs 1 || status=1
	return $status
}

hot_unplug() {
	guest_qmp A '{"execute": "device_del", "arguments": {"id": "vgpu"}}' DEVICE_DELETED
}

# The VFIO core asks the user of the VF for it, and QEMU its guest.
unbind() {
	echo "${vfs[0]}" >"/sys/bus/pci/drivers/$VF_DRIVER/unbind"
}

hot_plugs() {
	guest_qmp A '{"execute": "device_add", "arguments": {"driver": "vfio-pci", "id": "vgpu",
		"bus": "rp0", "host": "'"${vfs[0]}"'"}}' || return 1
	open_vfs 2 && answers A "ok plug" plug && identity A && bar1_is A 256 &&
		answers A "ok write" write 1 0 0x600df00d && answers A "ok read 0x600df00d" read 1 0
}

binds_again() {
	host_bind_vf "${vfs[0]}" && writes $TYPE "$(vgpu_file "${vfs[0]}" current_vgpu_type)" && hot_plugs
}

# The function that a rebooted guest finds does no DMA yet: bit 2 of COMMAND.
reboots() {
	answers B "ok setconfig" setconfig 4 0x0006 2 && guest_reboot B && identity B && bar1_is B 256 &&
		answers B "ok config 0x*[012389ab]" config 4 2 &&
		answers B "ok write" write 1 0 0x12345678 && answers B "ok read 0x12345678" read 1 0
}

begin 19
enable_vfs 2 || ktap_exit_fail_msg "cannot enable two VFs"
for vf in "${vfs[@]}"; do
	echo $TYPE >"$(vgpu_file "$vf" current_vgpu_type)"
done
at_exit+=(guest_kill_all)
guest_start A "${vfs[0]}"
GUEST_BACKEND=iommufd guest_start B "${vfs[1]}"
both_ready() {
	guest_ready A && guest_ready B
}
result "both guests boot" both_ready
result "guest A sees the ids of its type" identity A
result "guest B sees the ids of its type" identity B
result "guest A sees a BAR1 of the type's size" bar1_is A 256
result "guest B sees a BAR1 of the type's size" bar1_is B 256
result "each guest's framebuffer is its own (R14, R34)" isolated
result "a guest cannot reach beyond its BAR1 (R34)" beyond_is_refused
result "a guest turns bus mastering on" bus_master
result "a guest resets its function" survives_reset
result "QEMU takes the function from its guest (R26)" taken_by hot_unplug
result "and gives it back" hot_plugs
result "unbinding the VF takes it from QEMU and its guest (R26)" taken_by unbind
result "and it can be bound and plugged again" binds_again
result "a guest reboots (R21)" reboots
result "guest A powers off" guest_stop A
result "guest B's QEMU is killed" guest_kill B
deselects() {
	local vf

	for vf in "${vfs[@]}"; do
		writes 0 "$(vgpu_file "$vf" current_vgpu_type)" || return 1
	done
}
result "both types are given back" deselects
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
