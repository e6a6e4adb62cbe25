#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# GSP dies in each way that there is: the driver notices by itself and in time,
# tells whoever uses a vGPU, keeps the logs, and works again after a reset of
# the PF or after unbind and bind, without a reboot (R40). What one VF does has
# no part in it (R38).
#
#   fault -> phase "lost" within a deadline -> one line, one device coredump
#         -> operations fail at once -> reset -> phase "running", nothing is left
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

FN_RM_CONTROL=76
# A look at the registers every 2 s; a question every 2 s of silence, and 5 s
# for the answer. Twice as long for a slow machine.
LOOK_MS=$((4000 * TIME_FACTOR))
ASK_MS=$((14000 * TIME_FACTOR))
TYPE=942
CMD_CLEANUP=0x20804008
NV_ERR_TIMEOUT=0x65

needs_model

debugfs() {
	cat "/sys/kernel/debug/$PF_DRIVER/$pf/$1"
}

# lost_within MS: the GPU is found to be lost, not later than that.
lost_within() {
	local begin

	begin=$(now_ms)
	within "$1" is_phase lost || return 1
	echo "# found after $(($(now_ms) - begin)) ms" >&3
}

coredump() {
	local dump

	for dump in /sys/class/devcoredump/devcd*; do
		if [ "$(readlink -f "$dump/failing_device")" = "$(readlink -f "/sys/bus/pci/devices/$pf")" ]; then
			echo "$dump/data"
			return 0
		fi
	done
	return 1
}

# Whatever is written to a dump takes it away.
drop_coredump() {
	local dump

	while dump=$(coredump); do
		echo 1 >"$dump" || return 1
	done
}

# one_coredump REASON: its text says why, and the logs are all there.
one_coredump() {
	local dump size end

	dump=$(coredump) || { echo "no device coredump"; return 1; }
	cat "$dump" >"$scratch/coredump"
	size=$(stat -c %s "$scratch/coredump")
	head -n 1 "$scratch/coredump" | grep -q '^nova-core-vgpu coredump 1$' || { echo "no header"; return 1; }
	grep -a -m 1 '^reason ' "$scratch/coredump" | grep -q "$1" || { grep -a -m 1 '^reason ' "$scratch/coredump"; return 1; }
	end=$(grep -a '^section ' "$scratch/coredump" | awk '{ end = $3 + $4 } END { print end }')
	if [ "$(grep -a -c '^section ' "$scratch/coredump")" -ne 4 ] || [ "$end" -ne "$size" ]; then
		echo "sections end at $end of $size bytes"
		return 1
	fi
}

# One line of the PF driver that names the reason and says what to do.
one_line() {
	[ "$(log_since_mark | grep -c "$PF_DRIVER $pf: GSP is lost: ")" -eq 1 ] || {
		echo "not one line:"
		log_since_mark
		return 1
	}
	logged "$PF_DRIVER $pf: GSP is lost: .*$1.*/reset"
}

reset_pf() {
	echo 1 >"/sys/bus/pci/devices/$pf/reset"
}

rebind_pf() {
	pf_unbind &&
		echo "$pf" >"/sys/bus/pci/drivers/$PF_DRIVER/bind"
}

# The firmware answers: it is asked whenever a VF driver attaches.
works() {
	is_phase running && enable_vfs 1 && disable_vfs
}

# The same with VFs enabled.
answers() {
	is_phase running
}

# A vGPU can be made and lets itself be reset.
vgpu_works() {
	local answer

	hold_vf "$1"
	[ "$held" = open ] || { echo "open: $held"; log_since_mark; return 1; }
	answer=$(hold_line reset)
	release_vf
	[ "$answer" = ok ] || { echo "reset: $answer"; return 1; }
}

# dies FAULT MS REASON RECOVERY…: nobody uses the GPU.
dies() {
	local injected=$1 ms=$2 reason=$3 status=0
	shift 3

	drop_coredump
	mark_log
	fault "$injected" || return 1
	lost_within "$ms" || status=1
	gpu_ctl fault clear
	# The line and the dump follow the phase.
	udevadm settle 2>/dev/null || sleep 0.5
	one_line "$reason" || status=1
	one_coredump "$reason" || status=1
	writes 1 "$numvfs" "Input/output error" || status=1
	"$@" || status=1
	works || status=1
	settled begin || status=1
	return $status
}

# A vGPU runs when GSP dies: its user is told, all that it asks fails at once,
# and after the reset the same VF has a vGPU of the same type again.
dies_under_vgpu() {
	local status=0 begin answer

	drop_coredump
	mark_log
	enable_vfs 2 || return 1
	writes $TYPE "$(vgpu_file "${vfs[0]}" current_vgpu_type)" || return 1
	vgpu_works "${vfs[0]}" || status=1
	remember idle
	hold_vf "${vfs[0]}"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	answer=$(hold_line "watch error")
	[ "$answer" = ok ] || { echo "watch error: $answer"; status=1; }
	gpu_ctl fault "$1" || return 1
	lost_within "$2" || status=1
	gpu_ctl fault clear
	answer=$(hold_line "wait error")
	[ "$answer" = ok ] || { echo "the user was not told: $answer"; status=1; }
	begin=$(now_ms)
	answer=$(hold_line reset)
	[ "$answer" = "error EIO" ] || { echo "reset of the dead vGPU: $answer"; status=1; }
	[ $(($(now_ms) - begin)) -lt $((1000 * TIME_FACTOR)) ] || { echo "that took $(($(now_ms) - begin)) ms"; status=1; }
	logged "$PF_DRIVER $pf: GSP is lost: .*vGPUs of VF 0 are lost" || status=1
	if [ "$3" = close-first ]; then
		release_vf
		hold_vf "${vfs[0]}"
		[ "$held" = "error EIO" ] || { echo "open while lost: $held"; status=1; }
	fi
	reset_pf || status=1
	answers || status=1
	if [ "$3" = close-last ]; then
		answer=$(hold_line reset)
		[ "$answer" = "error EIO" ] || { echo "dead vGPU after the reset: $answer"; status=1; }
		release_vf
	fi
	reads $TYPE "$(vgpu_file "${vfs[0]}" current_vgpu_type)" || status=1
	settled idle || status=1
	vgpu_works "${vfs[0]}" || status=1
	settled idle || status=1
	disable_vfs || status=1
	settled begin || status=1
	return $status
}

# Somebody waits for GSP when it is found to be dead: he is not left waiting
# for his own deadline.
waiters_fail_at_once() {
	local begin status=0

	mark_log
	enable_vfs 1 || return 1
	writes $TYPE "$(vgpu_file "${vfs[0]}" current_vgpu_type)" || return 1
	fault "gsp-panic=0xe0010203:500;gsp-no-reply=$FN_RM_CONTROL" || return 1
	begin=$(now_ms)
	hold_vf "${vfs[0]}"
	[ "$held" = "error EIO" ] || { echo "open: $held"; status=1; }
	[ $(($(now_ms) - begin)) -lt $((4500 * TIME_FACTOR)) ] || { echo "that took $(($(now_ms) - begin)) ms"; status=1; }
	gpu_ctl fault clear
	is_phase lost || status=1
	reset_pf || status=1
	answers || status=1
	vgpu_works "${vfs[0]}" || status=1
	disable_vfs || status=1
	settled begin || status=1
	return $status
}

# A reset of a GPU that is well, with and without a vGPU that runs.
reset_under_vgpu() {
	local answer status=0

	mark_log
	enable_vfs 2 || return 1
	writes $TYPE "$(vgpu_file "${vfs[1]}" current_vgpu_type)" || return 1
	hold_vf "${vfs[1]}"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	reset_pf || status=1
	answers || status=1
	answer=$(hold_line reset)
	[ "$answer" = "error EIO" ] || { echo "vGPU from before the reset: $answer"; status=1; }
	logged "$PF_DRIVER $pf: reset of the PF: vGPUs of VF 1 are lost" || status=1
	release_vf
	reads $TYPE "$(vgpu_file "${vfs[1]}" current_vgpu_type)" || status=1
	vgpu_works "${vfs[1]}" || status=1
	disable_vfs || status=1
	settled begin || status=1
	return $status
}

reset_again() {
	local i

	for ((i = 0; i < ${TEST_ROUNDS:-5}; i++)); do
		if ! reset_pf || ! works; then
			echo "round $i"
			return 1
		fi
	done
	settled begin
}

# A vGPU has all frame buffer that one can have, and keeps it over the reset:
# what the driver needs for itself it has.
reset_with_full_fb() {
	local status=0 type

	type=$(board_types | awk '$3 ~ /-48Q$/ { print $1 }')
	enable_vfs 1 || return 1
	writes "$type" "$(vgpu_file "${vfs[0]}" current_vgpu_type)" || return 1
	remember idle
	hold_vf "${vfs[0]}"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	reset_pf || status=1
	answers || status=1
	release_vf
	scrubbed && settled idle && vgpu_works "${vfs[0]}" && settled idle || status=1
	disable_vfs && settled begin || status=1
	return $status
}

quarantined() {
	pf_value stats fb_quarantined
}

# lists VF TYPE
lists() {
	grep -q "^$2 " "$(vgpu_file "$1" creatable_vgpu_types)"
}

unbind_vf() {
	echo "$1" >"/sys/bus/pci/drivers/$VF_DRIVER/unbind"
}

# reset_ends_quarantine bound|anew: what firmware does not let go of stays out of
# use, until firmware is gone: also for a VF that stays bound all the time, and
# for one that is bound after the loss.
reset_ends_quarantine() {
	local status=0 whole

	whole=$(board_types | awk '$3 ~ /-48Q$/ { print $1 }')
	enable_vfs 2 || return 1
	lists "${vfs[1]}" "$whole" || { echo "no type has all of the GPU"; return 1; }
	writes $TYPE "$(vgpu_file "${vfs[0]}" current_vgpu_type)" || return 1
	hold_vf "${vfs[0]}"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	fault "control-status=$CMD_CLEANUP:$NV_ERR_TIMEOUT" || return 1
	release_vf
	# The last that could ask firmware again.
	unbind_vf "${vfs[0]}" || status=1
	gpu_ctl fault clear
	[ "$(quarantined)" -gt 0 ] || { driver_counts; status=1; }
	if [ "$1" = anew ]; then
		unbind_vf "${vfs[1]}" && host_bind_vf "${vfs[1]}" || status=1
	fi
	! lists "${vfs[1]}" "$whole" || { echo "what is out of use is offered"; status=1; }
	reset_pf && answers && scrubbed || status=1
	[ "$(quarantined)" -eq 0 ] || { driver_counts; status=1; }
	host_bind_vf "${vfs[0]}" || return 1
	writes $TYPE "$(vgpu_file "${vfs[0]}" current_vgpu_type)" && vgpu_works "${vfs[0]}" || status=1
	writes 0 "$(vgpu_file "${vfs[0]}" current_vgpu_type)" || status=1
	# All places are there again, and all of FB.
	writes "$whole" "$(vgpu_file "${vfs[1]}" current_vgpu_type)" && vgpu_works "${vfs[1]}" || status=1
	disable_vfs && settled begin || status=1
	return $status
}

# A guest can have its own channels stopped as often as it likes (R38).
storm_of_a_guest() {
	gpu_ctl fault "rc-storm=500:1:70:1" || return 1
	sleep 3
	gpu_ctl fault clear
	works
}

# A reset that leads to nothing: the GPU stays lost, and the next one helps.
boot_fails_after_reset() {
	local status=0

	mark_log
	gpu_ctl fault "booter-error=0x35" || return 1
	reset_pf
	gpu_ctl fault clear
	is_phase lost || status=1
	logged "$PF_DRIVER $pf: GSP is lost: it does not boot again.*/reset" || status=1
	reset_pf || status=1
	works || status=1
	settled begin || status=1
	return $status
}

exec 3>&1
begin 17
result "GSP halts silently; reset (R40)" dies gsp-death $LOOK_MS "its core has stopped" reset_pf
result "GSP panics; reset (R40)" dies gsp-panic $LOOK_MS "one of its tasks has died .mailbox 0xe0010203: task 1, reason 0x2, code 0x3" reset_pf
result "GSP does not answer; reset (R40)" dies "gsp-no-reply=$FN_RM_CONTROL" $ASK_MS "it does not answer" reset_pf
result "GSP stops every channel; reset (R40)" dies "rc-storm=100" $LOOK_MS "it stops every channel" reset_pf
result "a message has an impossible length; reset (R40)" dies "bad-length" $ASK_MS "its messages make no sense" reset_pf
result "GSP panics; unbind and bind (R40)" dies gsp-panic $LOOK_MS "one of its tasks has died" rebind_pf
result "GSP dies under a vGPU that is closed first (R40)" dies_under_vgpu gsp-death $LOOK_MS close-first
result "GSP dies under a vGPU that is closed after the reset (R40)" dies_under_vgpu gsp-panic $LOOK_MS close-last
result "who waits for GSP fails at once (R40)" waiters_fail_at_once
result "a guest's stopped channels do not take the GPU away (R38)" storm_of_a_guest
result "resets of a GPU that is well" reset_again
result "a reset under a vGPU that runs" reset_under_vgpu
result "GSP does not boot after a reset, and does after the next (R40)" boot_fails_after_reset
result "a reset while a vGPU has all frame buffer (R14)" reset_with_full_fb
result "a reset ends quarantine (R38)" reset_ends_quarantine bound
result "and that of a VF driver that was not there before (R38)" reset_ends_quarantine anew
drop_coredump
result "nothing is left behind" settled
finish
