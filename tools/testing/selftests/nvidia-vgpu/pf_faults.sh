#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Booting the GPU fails at each stage in turn, also because of the firmware
# files: probe fails with one line that says where, leaves nothing behind, and
# the next load works (R2, R16). Then a GSP that misbehaves while it runs.
#
#   GFW wait -> scrubber -> FWSEC-FRTS -> booter -> GSP: sequencer, INIT_DONE -> questions
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

FN_GET_STATIC_INFO=65
FN_RM_CONTROL=76
CMD_EVENT_SET_NOTIFICATION=0x20800301
FN_UNLOADING=47
SCRATCH_15=0x1180fc # holds the progress of the scrubber
GSP_FILES=nvidia/ad102/gsp

needs_model
search_path=/sys/module/firmware_class/parameters/path
good_path=$(cat "$search_path")
at_exit+=(restore_path)

restore_path() {
	printf '%s' "$good_path" >"$search_path"
}

bound() {
	[ "$(host_driver "$pf")" = "$PF_DRIVER" ]
}

load() {
	insmod "$MODULES_DIR/$PF_DRIVER.ko"
}

# The next load works, and nothing of the failed one is left.
recovers() {
	rmmod "$PF_DRIVER" 2>/dev/null
	[ ! -e "/sys/kernel/debug/$PF_DRIVER" ] || { echo "debugfs files are left"; return 1; }
	load
	bound || { echo "the next load does not work:"; log_since_mark; return 1; }
	settled begin
	local status=$?
	rmmod "$PF_DRIVER"
	return $status
}

# Lines of the driver that are no progress report: dev_err() and worse, without
# the one that the driver core adds to each failed probe.
errors() {
	dmesg --notime --level=emerg,alert,crit,err | grep "$PF_DRIVER $pf: " | grep -v ": probe with driver "
}

# not_bound PATTERN: the load that was just done failed, for this reason, in
# one line.
not_bound() {
	if bound; then
		echo "the driver is bound"
		return 1
	fi
	logged "$PF_DRIVER $pf: .*$1" || return 1
	[ "$(errors | wc -l)" -eq 1 ] || { echo "not one line but:"; errors; return 1; }
}

# fails_with FAULT PATTERN
fails_with() {
	local status=0

	dmesg --clear
	mark_log
	gpu_ctl fault "$1" || return 1
	load
	gpu_ctl fault clear
	not_bound "$2" || status=1
	recovers || status=1
	return $status
}

# firmware_with FILE [COMMAND…]: the search path leads to firmware where FILE is
# what COMMAND makes of it from standard input, or missing without a command.
firmware_with() {
	local file=$GSP_FILES/$1-570.144.bin other
	shift

	rm -rf "$scratch/nvidia"
	mkdir -p "$scratch/$GSP_FILES"
	for other in "$good_path/$GSP_FILES"/*-570.144.bin; do
		ln -s "$other" "$scratch/$GSP_FILES/"
	done
	rm "$scratch/$file"
	[ $# -eq 0 ] || "$@" <"$good_path/$file" >"$scratch/$file"
	printf '%s' "$scratch" >"$search_path"
}

# file_fails FILE PATTERN [COMMAND…]
file_fails() {
	local name=$1 pattern=$2 status=0
	shift 2

	firmware_with "$name" "$@"
	dmesg --clear
	mark_log
	load
	restore_path
	not_bound "firmware .*/$name-570.144.bin.*$pattern" || status=1
	recovers || status=1
	return $status
}

# number AT FILE: the 64-bit number there.
number() {
	od -An -v -t u8 -j "$1" -N 8 "$2" | tr -d ' '
}

# The ELF file of standard input with its first section moved to the end, which is
# not where a page begins.
image_at_the_end() {
	local file=$scratch/elf header i at size

	cat >"$file"
	# e_shoff, and sh_offset and sh_size of the section after the null one.
	header=$(($(number 0x28 "$file") + 64))
	at=$(number $((header + 0x18)) "$file")
	size=$(number $((header + 0x20)) "$file")
	head -c $((header + 0x18)) "$file"
	for ((i = 0; i < 64; i += 8)); do
		printf '%b' "\\0$(printf '%o' $(($(stat -c %s "$file") >> i & 0xff)))"
	done
	tail -c +$((header + 0x18 + 8 + 1)) "$file"
	tail -c +$((at + 1)) "$file" | head -c "$size"
	rm "$file"
}

# The driver reads the file to where it uses it; this one is too large for that,
# and the image not where it must be.
works_with_another_layout() {
	local status=0

	firmware_with gsp image_at_the_end
	load
	restore_path
	bound || { echo "not bound"; log_since_mark; status=1; }
	recovers || status=1
	return $status
}

# vGPU needs the scrubber; the GPU itself does not.
works_without_scrubber() {
	local status=0

	firmware_with scrubber
	mark_log
	load
	restore_path
	bound || { echo "not bound"; log_since_mark; status=1; }
	logged "$PF_DRIVER $pf: vGPU is not available: scrubber firmware is missing" || status=1
	writes 1 "$numvfs" "Operation not supported" || status=1
	recovers || status=1
	return $status
}

# works_despite FAULT PATTERN: vGPU or not, the PF is bound; the log says what
# is the matter.
works_despite() {
	local status=0

	mark_log
	gpu_ctl fault "$1" || return 1
	load
	gpu_ctl fault clear
	bound || { echo "not bound"; log_since_mark; status=1; }
	logged "$PF_DRIVER $pf: .*$2" || status=1
	recovers || status=1
	return $status
}

# unloads_despite FAULT PATTERN: a GSP that does not stop when asked is stopped.
unloads_despite() {
	local status=0

	load && bound || return 1
	mark_log
	gpu_ctl fault "$1" || return 1
	rmmod "$PF_DRIVER" || status=1
	gpu_ctl fault clear
	logged "$PF_DRIVER $pf: $2" || status=1
	recovers || status=1
	return $status
}

begin 26
rmmod "$VF_DRIVER" "$PF_DRIVER"

result "the boot firmware of the board does not finish" fails_with "register=0x118234:0" "boot firmware of the GPU did not finish"
# Once per power-on is enough for scrubbing, so that the driver has to be told
# that it never happened.
result "the scrubber hangs" fails_with "register=$SCRATCH_15:0;scrubber-hang" "scrubber"
result "the scrubber stops half way" fails_with "register=$SCRATCH_15:0;scrubber-handoff=1" "scrubber stopped at hand-off"
result "FWSEC-FRTS reports an error" fails_with "frts-error=3" "FWSEC-FRTS failed with error 0x3"
result "booter refuses (R16)" fails_with "booter-error=0x35" "booter-load failed with 0x35"
result "GSP never gets to INIT_DONE (R16)" fails_with "no-init-done" "no INIT_DONE from GSP"
result "every message of GSP has a wrong checksum" fails_with "bad-checksum" "no INIT_DONE from GSP .*[1-9][0-9]* damaged"
result "messages of GSP are damaged" fails_with "corrupt-element" "no INIT_DONE from GSP .*[1-9][0-9]* damaged"
result "a message has an impossible length" fails_with "bad-length" "messages cannot be told apart"
result "GSP gives no static information" fails_with "gsp-no-reply=$FN_GET_STATIC_INFO" "no reply to function $FN_GET_STATIC_INFO"
result "GSP refuses the static information" fails_with "rpc-result=$FN_GET_STATIC_INFO:0x56" "no static information: NV_STATUS 0x0056"
result "the identification is no Ada chip" fails_with "register=0xa00:0x0a400000" "not supported"

for name in gsp bootloader booter_load; do
	result "$name is missing" file_fails "$name" "cannot be loaded"
done
result "gsp is truncated" file_fails gsp "bad" head -c 1000000
result "bootloader is truncated" file_fails bootloader "bad" head -c 900
result "booter_load is truncated" file_fails booter_load "bad" head -c 900

result "gsp is larger, its image elsewhere" works_with_another_layout
result "scrubber is missing: no vGPU (R2)" works_without_scrubber
result "GSP does not answer questions about vGPU (R2)" works_despite "gsp-no-reply=$FN_RM_CONTROL" "vGPU is not available: "
result "GSP takes no notifiers (R18)" works_despite "control-status=$CMD_EVENT_SET_NOTIFICATION:0x40" "GSP: no notifications of ECC errors: "
result "GSP does not answer the unload request" unloads_despite "gsp-no-reply=$FN_UNLOADING" "unload: GSP cannot be asked to stop"
result "GSP refuses the unload request" unloads_despite "rpc-result=$FN_UNLOADING:0x65" "unload: GSP refuses to stop: .*0x0*65"

host_load_modules
result "nothing is left behind" settled
result "both modules work again (R16)" bound
finish
