#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The plugin task of a vGPU, and one that misbehaves (R18, R20, R38): who
# waits for it can be killed, a crash is noticed at once at every message, no
# other VF waits with it, and nothing that it writes is believed.
#
#   VF 0  the task that misbehaves          VF 1  its neighbour
#
# The deadline of a message is half a minute here: nothing below may take as long.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE=942
SETUP=2
RESET=3
BME=13
# Seconds in which what does not wait for a deadline is over.
SOON=$((5 * TIME_FACTOR))

needs_model

# plugin_file VF FILE: what the driver shows of a plugin task.
plugin_file() {
	echo "/sys/kernel/debug/$VF_DRIVER/$1/$2"
}

# value VF NAME: a line of the file "plugin".
value() {
	awk -v name="$2" '$1 == name { print $2 }' "$(plugin_file "$1" plugin)"
}

# is VF NAME VALUE
is() {
	local found

	found=$(value "$1" "$2")
	[ "$found" = "$3" ] && return 0
	echo "$2 is '$found', not '$3':"
	cat "$(plugin_file "$1" plugin)"
	return 1
}

# message VF TYPE COLUMN: a number of the file "messages".
message() {
	awk -v type="$2" -v column="$3" '
		$1 == type {
			for (i = 2; i < NF; i += 2)
				if ($i == column)
					print $(i + 1)
		}' "$(plugin_file "$1" messages)"
}

# soon CMD…: it succeeds, and well before the deadline of a message.
soon() {
	local start=$SECONDS

	"$@" || return 1
	[ $((SECONDS - start)) -le $SOON ] && return 0
	echo "$* took $((SECONDS - start)) s"
	return 1
}

opens() {
	hold_vf "$1"
	[ "$held" = open ] && return 0
	echo "open: $held"
	return 1
}

works() {
	gpu_ctl fault clear && "$VFIO_HOLD" "${vfs[0]}" 1 && settled selected
}

# refused FAULT ERROR LOG: an open fails with ERROR, the log says why, and the
# next one works.
refused() {
	mark_log
	fault "$1" || return 1
	hold_vf "${vfs[0]}"
	gpu_ctl fault clear
	[ "$held" = "error $2" ] || {
		[ "$held" != open ] || release_vf
		echo "open: $held"
		return 1
	}
	logged "$VF_DRIVER ${vfs[0]}: cannot create a vGPU: plugin: $3" && works
}

# What a running task tells, and what is left of it.
logs_are_live_and_kept() {
	local vf=${vfs[0]} file live kept

	opens "$vf" || return 1
	is "$vf" area live && is "$vf" task running && is "$vf" version 1 || return 1
	is "$vf" sequence 0x3 && is "$vf" processed 0x3 && is "$vf" guest_rpc_version 0x290c0000 || return 1
	for file in init_task_log vgpu_task_log kernel_log; do
		live=$(od -An -tu8 -N8 "$(plugin_file "$vf" $file)")
		[ $((live)) -ge 3 ] || { echo "$file: $live words"; return 1; }
		stat -c %a "$(plugin_file "$vf" $file)" | grep -qx 400 || return 1
	done
	[ "$(stat -c %a "$(plugin_file "$vf" plugin)")" = 400 ] || return 1
	[ "$(wc -c <"$(plugin_file "$vf" vgpu_task_log)")" = $((256 << 10)) ] || return 1
	release_vf || return 1
	is "$vf" area kept && is "$vf" task none || return 1
	# One more than when it was open: the entry of its end.
	for file in init_task_log vgpu_task_log kernel_log; do
		kept=$(od -An -tu8 -N8 "$(plugin_file "$vf" $file)")
		[ "$(wc -c <"$(plugin_file "$vf" $file)")" = $((8 * kept + 8)) ] || return 1
	done
	kept=$(od -An -tu8 -w24 -j8 -v "$(plugin_file "$vf" vgpu_task_log)" | awk '{ printf "%s ", $2 }')
	# Booted, four messages with that of the close, unloaded.
	[ "$kept" = "1 2 2 2 2 5 " ] || { echo "texts of the log: $kept"; return 1; }
}

messages_are_counted() {
	local vf=${vfs[0]} sent

	sent=$(message "$vf" UPDATE_BME_STATE sent)
	"$VFIO_HOLD" "$vf" 1 || return 1
	[ "$(message "$vf" UPDATE_BME_STATE sent)" = $((sent + 2)) ] &&
		[ "$(message "$vf" VERSION_NEGOTIATION failed)" = 0 ] &&
		[ "$(message "$vf" SETUP_CONFIG_PARAMS_AND_INIT p50_ns)" -gt 0 ] && return 0
	cat "$(plugin_file "$vf" messages)"
	return 1
}

# stat_is VF NAME NUMBER: a line of nvidia/stats.
stat_is() {
	grep -qx "$2 $3" "$(vgpu_file "$1" stats)" && return 0
	echo "$2 is not $3:"
	cat "$(vgpu_file "$1" stats)"
	return 1
}

# guest_is NAME VALUE: a line of the file "guest" of VF 0.
guest_is() {
	grep -qx "$1 $2" "$(plugin_file "${vfs[0]}" guest)" && return 0
	echo "$1 is not $2:"
	cat "$(plugin_file "${vfs[0]}" guest)"
	return 1
}

guest_is_shown() {
	local vf=${vfs[0]}

	opens "$vf" || return 1
	stat_is "$vf" license_state 0 && stat_is "$vf" guest_driver 0 || return 1
	gpu_ctl event guest:1:2:0x10 && is "$vf" license_state 0x2 && is "$vf" guest_os 0x10 || return 1
	stat_is "$vf" license_state 2 && stat_is "$vf" guest_os 16 &&
		stat_is "$vf" guest_rpc_version $((0x290c0000)) || return 1
	gpu_ctl event plugin:1:3 && until_stat "$vf" guest_driver 1 || return 1
	guest_is driver_version 570.172.08 && guest_is driver_branch r570_00 && guest_is license_state 0x2 &&
		guest_is driver_loaded 1 || return 1
	grep -qx none "$(plugin_file "${vfs[1]}" guest)" || return 1
	# It ends as it should.
	release_vf && stat_is "$vf" task_crashes 0 || return 1
	is "$vf" license_state 0x2 && stat_is "$vf" license_state 2 && until_stat "$vf" guest_driver 0 &&
		stat_is "${vfs[1]}" guest_driver 0
}

# An event is on its way.
until_stat() {
	within $((SOON * 1000)) stat_is "$@"
}

# A message that fails: an entry in the error buffer, taken notice of.
errors_are_shown() {
	local vf=${vfs[0]} before

	before=$(value "$vf" error_reports)
	mark_log
	opens "$vf" || return 1
	fault "plugin-result=$BME:0x1f" || return 1
	[[ $(hold_line "bme on") == "error "* ]] || [[ $(hold_line "bme off") == "error "* ]] ||
		{ echo "BME did not fail"; return 1; }
	gpu_ctl fault clear
	is "$vf" error_reports $((before + 1)) && is "$vf" error_put 0x18 &&
		is "$vf" error_get 0x18 || return 1
	stat_is "$vf" error_reports 1 && until_stat "$vf" task_errors 1 || return 1
	head -c 24 "$(plugin_file "$vf" error_buffer)" | grep -x "message 13 failed: 0x1f" || return 1
	release_vf && head -c 24 "$(plugin_file "$vf" error_buffer)" | grep -qx "message 13 failed: 0x1f" || return 1
	# Of a vGPU, not of the VF.
	opens "$vf" && stat_is "$vf" error_reports 0 && stat_is "$vf" task_errors 0 && release_vf
}

# Killed while the task keeps it waiting: gone at once, with all it had.
killed() {
	local pid

	fault "plugin-no-answer=$SETUP" || return 1
	"$VFIO_HOLD" "${vfs[0]}" >/dev/null </dev/null &
	pid=$!
	waits_for_answer || return 1
	kill -9 $pid
	soon wait_gone $pid || return 1
	gpu_ctl fault clear
	# The VF is free again when its task is.
	soon until_settled && works
}

wait_gone() {
	wait "$1" 2>/dev/null
	[ $? = $((128 + 9)) ]
}

until_settled() {
	within $((2500 * TIME_FACTOR)) settled selected
}

# The message was taken up and is not done.
is_under_way() {
	[ "$(value "${vfs[0]}" received)" = 0x2 ] || [ "$(value "${vfs[0]}" sequence)" = 0x2 ] && return 0
	cat "$(plugin_file "${vfs[0]}" plugin)"
	return 1
}

waits_for_answer() {
	within $((5000 * TIME_FACTOR)) is_under_way
}

# While one task is silent, its neighbour's vGPU is made, reset and undone, and
# nobody who only looks has to wait.
neighbour_does_not_wait() {
	local pid ended=0

	fault "plugin-late=$SETUP:20000" || return 1
	"$VFIO_HOLD" "${vfs[0]}" 1 >"$scratch/late" &
	pid=$!
	waits_for_answer || return 1
	gpu_ctl fault clear
	soon "$VFIO_HOLD" "${vfs[1]}" 3 && soon opens "${vfs[1]}" && [ "$(soon hold_line reset)" = ok ] &&
		soon release_vf || ended=1
	soon cat "$(plugin_file "${vfs[0]}" plugin)" >/dev/null || ended=1
	kill -0 $pid || { echo "the late one is done: nothing was shown"; ended=1; }
	kill -9 $pid
	wait_gone $pid && soon until_settled && return $ended
}

crash_at_reset() {
	local answer

	opens "${vfs[0]}" || return 1
	mark_log
	fault "plugin-crash=$RESET" || return 1
	answer=$(soon hold_line reset) || return 1
	gpu_ctl fault clear
	release_vf
	[ "$answer" = "error EIO" ] || { echo "reset: $answer"; return 1; }
	logged "did not survive a reset: plugin: RESET: the task has crashed" && is "${vfs[0]}" area kept && works
}

crash_at_bme() {
	local answer

	opens "${vfs[0]}" || return 1
	hold_line "bme on" >/dev/null
	fault "plugin-crash=$BME" || return 1
	answer=$(soon hold_line "bme off") || return 1
	[ "$answer" = "error EIO" ] || { echo "bme off: $answer"; return 1; }
	# A guest whose vGPU is dead must not begin to do DMA.
	[ "$(hold_line "bme on")" = "error EIO" ] || return 1
	soon release_vf
	works
}

bme_garbage() {
	local answer

	opens "${vfs[0]}" || return 1
	[ "$(hold_line "bme off")" = ok ] || return 1
	fault "plugin-garbage=$BME" || return 1
	answer=$(hold_line "bme on")
	gpu_ctl fault clear
	[ "$answer" = "error EPERM" ] || { echo "bme on: $answer"; return 1; }
	release_vf && works
}

# The GPU goes while a task keeps somebody waiting.
lost_gpu_ends_the_wait() {
	fault "plugin-no-answer=$SETUP" || return 1
	"$VFIO_HOLD" "${vfs[0]}" >"$scratch/lost" </dev/null &
	waits_for_answer || return 1
	gpu_ctl fault gsp-death || return 1
	soon wait $!
	cat "$scratch/lost"
	gpu_ctl fault clear
	grep -qE '^error (EIO|ENODEV)$' "$scratch/lost" || return 1
	echo 1 >"/sys/bus/pci/devices/$pf/reset" && works
}

# Everything that the task has written is all ones: indices, payload, texts.
garbage() {
	local vf=${vfs[0]} file bad bytes

	bad=$(value "$vf" bad_error_indices)
	opens "$vf" || return 1
	fault "plugin-garbage=$RESET" || return 1
	[ "$(hold_line reset)" = ok ] || { echo "reset: failed"; return 1; }
	gpu_ctl fault clear
	is "$vf" error_put 0xffffffff && is "$vf" license_state 0xffffffff || return 1
	stat_is "$vf" license_state $((0xffffffff)) || return 1
	! grep -vE '^[a-z_]+ [0-9]+$' "$(vgpu_file "$vf" stats)" || return 1
	is "$vf" bad_error_indices $((bad + 1)) && is "$vf" error_get 0x0 || return 1
	soon release_vf && is "$vf" area kept || return 1
	# The indices of these logs say that all of them is written, and more.
	for file in init_task_log:128 kernel_log:64; do
		bytes=$(wc -c <"$(plugin_file "$vf" "${file%:*}")")
		[ "$bytes" = $((${file#*:} << 10)) ] || { echo "$file: $bytes bytes"; return 1; }
	done
	works
}

begin 19
enable_vfs 2 || ktap_exit_fail_msg "cannot enable VFs"
for vf in "${vfs[@]}"; do
	echo $TYPE >"$(vgpu_file "$vf" current_vgpu_type)"
done
remember selected
result "logs are shown while the task runs, and kept" logs_are_live_and_kept
result "messages are counted and timed" messages_are_counted
result "the guest's licence and system are shown" guest_is_shown
result "errors of the task are shown and taken notice of (R18)" errors_are_shown
result "who waits for a task can be killed (R20)" killed
result "a neighbour does not wait with it (R38)" neighbour_does_not_wait
result "the task crashes while it boots (R20)" soon refused plugin-crash=0 EIO "boot: the task has crashed"
result "the task crashes at VERSION_NEGOTIATION (R20)" \
	soon refused plugin-crash=1 EIO "VERSION_NEGOTIATION: the task has crashed"
result "the task crashes at SETUP_CONFIG_PARAMS_AND_INIT (R20)" \
	soon refused plugin-crash=2 EIO "SETUP_CONFIG_PARAMS_AND_INIT: the task has crashed"
result "the task crashes at UPDATE_BME_STATE (R20)" soon refused plugin-crash=13 EIO "UPDATE_BME_STATE: the task has crashed"
result "the task crashes at RESET (R38)" crash_at_reset
result "the task crashes at UPDATE_BME_STATE of a running vGPU (R38)" crash_at_bme
result "there is no common version" \
	refused plugin-version=2 EPROTONOSUPPORT "VERSION_NEGOTIATION: no common version: the firmware wants 2, this driver has 1 to 1"
result "the versions of the task make no sense" refused plugin-garbage=1 EPROTONOSUPPORT "VERSION_NEGOTIATION: no common version"
result "an answer to UPDATE_BME_STATE that makes no sense is a no" bme_garbage
result "what the task writes is not believed (R38)" garbage
result "the GPU refused nothing" no_refusals
result "the loss of the GPU ends the wait for a task" lost_gpu_ends_the_wait
for vf in "${vfs[@]}"; do
	echo 0 >"$(vgpu_file "$vf" current_vgpu_type)"
done
disable_vfs
result "nothing is left behind" settled
finish
