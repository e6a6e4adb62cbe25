#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A vGPU is reset in each way that there is, and its user hears what a VMM has
# to hear (R16, R17, R31).
#
#   reset   ioctl, the guest's FLR, sysfs     plugin told, versions negotiated
#                                             again, FB zero, bus mastering as
#                                             it was
#           hot reset                         refused: slot and bus are the PF's, too
#           at the same time                  each happens, the guest's after the other
#           FLR that cannot be done           as if it had failed
#   fails   plugin, copy engine               error event, a line in the log, EIO
#                                             until the device is closed
#   crash   of the plugin task                the same
#   wanted back: VF or PF is unbound          request event
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE=942
GOES_MS=$((20000 * TIME_FACTOR))

needs_model

# answers LINE ANSWER: what the user of the VF does, and gets.
answers() {
	local answer

	answer=$(hold_line "$1")
	[ "$answer" = "$2" ] || { echo "$1: $answer, expected: $2"; log_since_mark; return 1; }
}

open_vf() {
	mark_log
	hold_vf "$vf"
	[ "$held" = open ] || { echo "open: $held"; log_since_mark; return 1; }
	answers "watch error" ok && answers "watch request" ok
}

# The next vGPU of the VF works: every test opens it again.
close_vf() {
	release_vf && settled selected
}

# messages N CMD…: the plugin task gets that many during CMD.
messages() {
	local wanted=$1 before now
	shift

	before=$(gpu_ctl stats counts.plugin-messages) && "$@" || return 1
	now=$(gpu_ctl stats counts.plugin-messages)
	[ $((now - before)) -eq "$wanted" ] || { echo "$((now - before)) messages, expected $wanted"; return 1; }
}

bus_masters() {
	[ "$(gpu_ctl stats live.bus-masters)" = "$1" ] || { gpu_ctl stats live; return 1; }
}

sysfs_reset() {
	echo 1 >"/sys/bus/pci/devices/$vf/reset"
}

# resets CMD…: with bus mastering off (RESET, VERSION_NEGOTIATION), and on
# (UPDATE_BME_STATE).
resets() {
	local status=0

	open_vf && answers "bme off" ok && answers fill ok && answers clean "error EEXIST" || return 1
	messages 2 "$@" && answers clean ok && bus_masters 0 || status=1
	answers "bme on" ok && answers fill ok && messages 3 "$@" || status=1
	answers clean ok && bus_masters 1 && answers "no error" ok || status=1
	close_vf || status=1
	return $status
}

hot_reset() {
	local status=0

	open_vf && answers fill ok || return 1
	messages 0 answers "hot reset" "error EINVAL" || status=1
	# There is more in the slot than what the caller has room for.
	answers "hot reset info" "error ENOSPC" && answers clean "error EEXIST" || status=1
	close_vf || status=1
	return $status
}

# The user knows that the vGPU is dead, and it stays so: nothing asks the plugin.
is_dead() {
	answers "wait error" ok && answers "no error" ok && reads failed "$(vgpu_file "$vf" state)" &&
		messages 0 answers reset "error EIO" && answers "bme on" "error EIO" && answers flr ok &&
		answers "no error" ok
}

# fails_with FAULT REASON LINE ANSWER: a reset under FAULT.
fails_with() {
	local status=0

	open_vf && answers "bme on" ok && answers fill ok || return 1
	gpu_ctl fault "$1" || return 1
	answers "$3" "$4" || status=1
	gpu_ctl fault clear
	logged "$VF_DRIVER $vf: the vGPU did not survive a reset: $2; close and open it again" || status=1
	is_dead || status=1
	scrubbed || status=1
	close_vf || status=1
	return $status
}

# The core does not reset what somebody else resets, and does not say so.
guest_resets_while_host_does() {
	local pid before status=0

	open_vf && answers "bme on" ok && answers fill ok || return 1
	before=$(gpu_ctl stats counts.plugin-messages) && gpu_ctl fault plugin-late=3:300 || return 1
	sysfs_reset &
	pid=$!
	until [ "$(gpu_ctl stats counts.plugin-messages)" -gt "$before" ] || ! kill -0 $pid; do
		:
	done
	gpu_ctl fault clear
	answers flr ok && answers clean ok && bus_masters 1 && answers "no error" ok || status=1
	wait $pid || status=1
	answers clean ok && reads running "$(vgpu_file "$vf" state)" || status=1
	close_vf || status=1
	return $status
}

# The guest is not left with the belief that what it had is gone.
no_reset() {
	local methods=/sys/bus/pci/devices/$vf/reset_method status=0

	open_vf && answers "bme on" ok && answers fill ok || return 1
	echo >"$methods" || return 1
	messages 0 answers flr ok || status=1
	echo default >"$methods" || status=1
	logged "$VF_DRIVER $vf: the guest's function level reset is not possible" && is_dead || status=1
	close_vf || status=1
	return $status
}

# Nor does it get what the last one has left.
no_reset_at_open() {
	local methods=/sys/bus/pci/devices/$vf/reset_method status=0

	mark_log
	echo >"$methods" || return 1
	hold_vf "$vf"
	echo default >"$methods" || status=1
	[ "$held" = "error EIO" ] || { echo "open: $held"; status=1; }
	[ "$held" != open ] || release_vf
	logged "$VF_DRIVER $vf: cannot create a vGPU: the VF cannot be reset" && settled selected || status=1
	open_vf && close_vf || status=1
	return $status
}

# task_dies EVENT LOG: the user is told by EVENT of the task.
task_dies() {
	local status=0

	open_vf && answers "bme on" ok || return 1
	gpu_ctl event "plugin:1:$1" && answers "wait error" ok && logged "vGPU of VF 0: its plugin task $2" || return 1
	messages 0 answers reset "error EIO" && answers "bme off" ok && answers "bme on" "error EIO" || status=1
	grep -qx "task_crashes 1" "$(vgpu_file "$vf" stats)" && reads failed "$(vgpu_file "$vf" state)" || status=1
	# Nor is the plugin asked when the device is closed.
	messages 0 release_vf && settled selected || status=1
	return $status
}

# wanted_back DRIVER FUNCTION ANSWER: the user is asked, the device works until it is
# given back, but for a reset, which gets ANSWER, and then the unbind ends.
wanted_back() {
	local pid status=0

	open_vf && answers "no request" ok || return 1
	echo "$2" >"/sys/bus/pci/drivers/$1/unbind" &
	pid=$!
	answers "wait request" ok && answers "bme on" ok && answers "no error" ok || status=1
	answers reset "$3" || status=1
	release_vf
	ends $pid $GOES_MS || status=1
	return $status
}

vf_wanted_back() {
	# The device is locked by who takes it away.
	wanted_back "$VF_DRIVER" "$vf" "error EAGAIN" && host_bind_vf "$vf" && writes $TYPE "$(vgpu_file "$vf" current_vgpu_type)" &&
		settled selected
}

pf_wanted_back() {
	wanted_back "$PF_DRIVER" "$pf" ok || return 1
	echo "$pf" >"/sys/bus/pci/drivers/$PF_DRIVER/bind" && settled begin
}

begin 20
# Waiting half a minute for a plugin that stays silent shows nothing more.
rmmod "$VF_DRIVER"
insmod "$MODULES_DIR/$VF_DRIVER.ko" message_timeout_ms=2000 ||
	ktap_exit_fail_msg "cannot load $VF_DRIVER with a shorter timeout"
enable_vfs 1 || ktap_exit_fail_msg "cannot enable a VF"
vf=${vfs[0]}
writes $TYPE "$(vgpu_file "$vf" current_vgpu_type)" || ktap_exit_fail_msg "cannot select a type"
remember selected
result "VFIO_DEVICE_RESET (R39)" resets answers reset ok
result "function level reset by the guest (R39)" resets answers flr ok
result "reset through sysfs (R39)" resets sysfs_reset
result "hot reset" hot_reset
result "function level reset while the host resets the VF" guest_resets_while_host_does
result "function level reset that cannot be done" no_reset
result "open of a VF that cannot be reset" no_reset_at_open
result "the plugin refuses the reset" \
	fails_with "plugin-result=3:5" "plugin: RESET: result 0x5" reset "error EIO"
result "the plugin does not answer the guest's FLR" \
	fails_with "plugin-no-answer=3" "plugin: RESET: no answer in time" flr ok
result "versions are not negotiated again" \
	fails_with "plugin-result=1:5" "plugin: VERSION_NEGOTIATION: result 0x5" reset "error EIO"
result "bus mastering is refused" \
	fails_with "plugin-result=13:5" "plugin: UPDATE_BME_STATE: result 0x5" reset "error EIO"
result "FB cannot be scrubbed (R39)" fails_with "ce-fault=1" "FB is not scrubbed: EIO" reset "error EIO"
result "the plugin task crashes (R18)" task_dies 2 "has crashed"
result "the plugin task ends by itself (R18)" task_dies 1 "has ended by itself"
for message in 3:RESET 1:VERSION_NEGOTIATION 13:UPDATE_BME_STATE; do
	result "it crashes at ${message#*:} of a reset" \
		fails_with "plugin-crash=${message%:*}" "plugin: ${message#*:}: the task has crashed" reset "error EIO"
done
result "the VF is wanted back" vf_wanted_back
result "the PF is wanted back (R11)" pf_wanted_back
rmmod "$VF_DRIVER"
insmod "$MODULES_DIR/$VF_DRIVER.ko"
result "the GPU refused nothing" no_refusals
finish
