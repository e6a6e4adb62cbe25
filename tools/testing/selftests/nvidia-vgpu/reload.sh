#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Both modules unload and load again; the PF is unbound and bound; the core goes
# without the VFIO driver, and that not without the core (R1, R4, R11).
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

ROUNDS=${TEST_ROUNDS:-5}
BINDS=${TEST_BINDS:-50}

# The next driver finds the board as it was before the first: GSP does not run,
# its protected memory (WPR2) is free, and nothing does DMA.
board_is_off() {
	local on

	have_model || return 0
	on=$(gpu_ctl stats board | grep -v ' 0$') || return 0
	echo "still on: $on"
	return 1
}

reload() {
	local i

	for ((i = 0; i < ROUNDS; i++)); do
		host_unload_modules && board_is_off && host_load_modules || return 1
		[ "$(host_find_pf)" = "$pf" ] || { echo "round $i: the PF is not bound"; return 1; }
	done
}

rebind() {
	pf_unbind || return 1
	[ ! -e "/sys/bus/pci/devices/$pf/driver" ] || return 1
	board_is_off || return 1
	echo "$pf" >"/sys/bus/pci/drivers/$PF_DRIVER/bind"
}

# The VFs go with the PF, whatever was chosen on them.
rebind_with_vfs() {
	enable_vfs 2 && writes 942 "$(vgpu_file "${vfs[0]}" current_vgpu_type)" || return 1
	rebind || return 1
	[ ! -e "/sys/bus/pci/devices/${vfs[0]}" ] || { echo "${vfs[0]} is still there"; return 1; }
	reads 0 "$numvfs"
}

core_without_vfio_driver() {
	rmmod "$VF_DRIVER" || return 1
	echo 2 >"$numvfs" && echo 0 >"$numvfs" || return 1
	insmod "$MODULES_DIR/$VF_DRIVER.ko"
}

core_is_pinned() {
	! rmmod "$PF_DRIVER" 2>/dev/null || { echo "the core driver was removed under the VFIO driver"; return 1; }
}

# A function whose PF our core does not drive is refused with one line.
refuses_others() {
	mark_log
	echo "$VF_DRIVER" >"/sys/bus/pci/devices/$pf/driver_override" || return 1
	pf_unbind
	local status=0
	{ echo "$pf" >"/sys/bus/pci/drivers/$VF_DRIVER/bind"; } 2>/dev/null || status=1
	echo >"/sys/bus/pci/devices/$pf/driver_override"
	echo "$pf" >"/sys/bus/pci/drivers/$PF_DRIVER/bind"
	[ $status -ne 0 ] || { echo "the PF was bound to $VF_DRIVER"; return 1; }
	# One line of the driver, beside the one that the driver core adds.
	[ "$(log_since_mark | grep "$VF_DRIVER $pf" | grep -vc 'probe with driver')" -eq 1 ] &&
		logged "$VF_DRIVER $pf: is not a VF of a GPU that $PF_DRIVER drives"
}

# An alias of PCI's own would give VFs to this driver that nobody has asked for.
has_aliases_of_vfio() {
	modinfo -F alias "$MODULES_DIR/$VF_DRIVER.ko" >"$scratch/aliases" && [ -s "$scratch/aliases" ] &&
		! grep -v '^vfio_pci:v000010DEd' "$scratch/aliases"
}

bind_and_unbind() {
	echo "$1" >"/sys/bus/pci/drivers/$VF_DRIVER/unbind" && host_bind_vf "$1"
}

# Two VFs at once, each again and again.
binds() {
	enable_vfs 2 || return 1
	in_turn "$BINDS" bind_and_unbind "${vfs[1]}" &
	in_turn "$BINDS" bind_and_unbind "${vfs[0]}" || { wait $!; return 1; }
	wait $! && disable_vfs
}

begin 12
result "unload and load both modules $ROUNDS times (R4)" reload
result "counts are as after the first load" settled
result "unbind and bind the PF" rebind
result "unbind and bind it with VFs in use (R4, R11)" rebind_with_vfs
result "counts are as before" settled
result "the core works without the VFIO driver (R1)" core_without_vfio_driver
result "the core cannot be removed under the VFIO driver (R4)" core_is_pinned
result "the VFIO driver refuses a function that is no VF of our core (R1)" refuses_others
result "the VFIO driver is found only by those who ask for it" has_aliases_of_vfio
result "bind and unbind each of two VFs $BINDS times (R4)" binds
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
