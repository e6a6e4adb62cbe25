#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Nothing of a tenant survives (R8, R14, R17, R39), and scrubbing that hangs or
# fails delays nobody else (R38).
#
#   boot: all FB dirty --> scrubbed in the background --> clean
#   open: BOOTLOAD; the emulated firmware refuses FB or heap of which any byte is
#         not zero, and fills both with a tag of their owner at CLEANUP
#   close: returns at once, FB dirty --> scrubbed in the background
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

# type_named SUFFIX: ID and MiB of FB of the type of this board.
type_named() {
	board_types | awk -v suffix="-$1" '
		substr($3, length($3) - length(suffix) + 1) == suffix { print $1, $6; exit }'
}

select_type() {
	echo 0 >"$(vgpu_file "$1" current_vgpu_type)" && echo "$2" >"$(vgpu_file "$1" current_vgpu_type)"
}

# dirty_fb VF MIB: what a guest does. Its FB, through BAR1 of the VF, is zero
# and then holds something.
dirty_fb() {
	python3 - "/sys/bus/pci/devices/$1/resource1" $(($2 << 20)) <<-'EOF'
		import mmap, os, struct, sys
		fd = os.open(sys.argv[1], os.O_RDWR)
		size = min(os.fstat(fd).st_size, int(sys.argv[2]))
		bar1 = mmap.mmap(fd, size)
		word = struct.pack("<I", 0x5ec2e701)
		for at in range(0, size, 16 << 20):
		    assert bar1[at:at + 4] == bytes(4), f"left over at {at:#x}"
		    bar1[at:at + 4] = word
		    assert bar1[at:at + 4] == word
	EOF
}

# open_and_dirty VF MIB
open_and_dirty() {
	hold_vf "$1"
	[ "$held" = open ] || { echo "open of $1: $held"; return 1; }
	dirty_fb "$1" "$2" && return 0
	release_vf >/dev/null
	return 1
}

all_is_scrubbed() {
	scrubbed || return 1
	[ "$(fb_value state clean)" -gt 0 ] || { cat "$(fb_file)"; return 1; }
}

guest_range() {
	awk '$1 == "range" && $4 == "guest" { print $2, $3 }' "$(fb_file)"
}

# holds START END WHAT: bytes of the FB, as the emulated GPU has it, that hold
# WHAT: zero, or anything else.
holds() {
	gpu_ctl set fb-range "$1:$2" && gpu_ctl get fb-contents |
		python3 -c 'import json, sys
c = json.load(sys.stdin)
zero = c["zero"]
print(zero if sys.argv[1] == "zero" else c["poison"] + c["other"] + sum(c["tags"].values()))' "$3"
}

# close_comes_first TYPE MIB: with a copy engine that takes three seconds for
# the FB of a vGPU, close does not: the FB is full of its owner still. In the
# end none of it is, byte for byte.
close_comes_first() {
	local start end begun took left

	select_type "$vf" "$1" && scrubbed || return 1
	open_and_dirty "$vf" "$2" || return 1
	read -r start end <<<"$(guest_range)"
	[ $((end - start)) = $(($2 << 20)) ] || { echo "range $start $end"; return 1; }
	gpu_ctl set ce-rate $((($2 << 20) / 3000000 / TIME_FACTOR)) || return 1
	begun=$(now_ms)
	release_vf >/dev/null
	took=$(($(now_ms) - begun))
	left=$(holds "$start" "$end" rest)
	gpu_ctl set ce-rate 0 && scrubbed || return 1
	echo "close took $took ms, $left bytes were left, then $(holds "$start" "$end" rest)"
	[ "$left" -gt 0 ] && [ $took -lt $((2000 * TIME_FACTOR)) ] &&
		[ "$(holds "$start" "$end" zero)" = $(($2 << 20)) ] && no_refusals none
}

# cycles TYPE MIB: each of three tenants finds zeroes where the one before
# has written, and what it leaves is scrubbed.
cycles() {
	local i before after

	select_type "$vf" "$1" || return 1
	for i in 1 2 3; do
		before=$(fb_value scrub bytes)
		open_and_dirty "$vf" "$2" || return 1
		release_vf >/dev/null
		scrubbed || return 1
		after=$(fb_value scrub bytes)
		if [ $((after - before)) -lt $(($2 << 20)) ]; then
			echo "cycle $i: $((after - before)) bytes were scrubbed, a tenant had $2 MiB"
			return 1
		fi
	done
	no_refusals none
}

# There is only one place for the largest type: the next vGPU gets the memory
# that the one before it has left, whether or not it must wait for it.
same_memory_at_once() {
	local first

	select_type "$vf" "$type_all" && scrubbed || return 1
	open_and_dirty "$vf" "$mib_all" || return 1
	first=$(guest_range)
	release_vf >/dev/null
	open_and_dirty "$vf" "$mib_all" || return 1
	[ "$(guest_range)" = "$first" ] || { echo "$first, then $(guest_range)"; return 1; }
	release_vf >/dev/null
	[ "$(fb_value scrub gave_up)" = 0 ] || { cat "$(fb_file)"; return 1; }
	no_refusals none
}

# $1 hits the scrub of what one VF leaves. Its close returns at once, and
# meanwhile another VF gets clean memory at once.
harms_nobody() {
	local fault=$1 begun closed opened failures

	select_type "$vf" "$type_1g" && select_type "$other" "$type_1g" && scrubbed || return 1
	failures=$(fb_value scrub failures)
	open_and_dirty "$vf" "$mib_1g" || return 1
	gpu_ctl fault "$fault" || return 1
	begun=$(now_ms)
	release_vf >/dev/null
	closed=$(now_ms)
	hold_vf "$other"
	opened=$(now_ms)
	if [ "$held" != open ]; then
		echo "open of the other VF: $held"
		gpu_ctl fault clear
		return 1
	fi
	release_vf >/dev/null
	echo 0 >"$(vgpu_file "$other" current_vgpu_type)"
	echo "close took $((closed - begun)) ms, the other open $((opened - closed)) ms"
	scrubbed || return 1
	gpu_ctl fault clear
	[ "$(fb_value scrub failures)" -gt "$failures" ] || { echo "no scrub failed"; return 1; }
	# A scrub that hangs takes 4 s until it is given up.
	[ $((closed - begun)) -lt 3000 ] && [ $((opened - closed)) -lt $((3000 * TIME_FACTOR)) ]
}

# As long as nothing can be scrubbed, a tenant that needs it is refused; when
# it can be again, the next open works.
refused_until_it_works() {
	local i

	select_type "$vf" "$type_all" && scrubbed || return 1
	open_and_dirty "$vf" "$mib_all" || return 1
	gpu_ctl fault "$1" || return 1
	release_vf >/dev/null
	hold_vf "$vf"
	[ "$held" != open ] || { echo "the open succeeded"; release_vf >/dev/null; gpu_ctl fault clear; return 1; }
	echo "open: $held"
	# The copy engine makes a channel again when it can, so only FB counts here.
	[ "$(fb_value owner guest)$(fb_value owner mgmt-heap)" = 00 ] || { cat "$(fb_file)"; return 1; }
	gpu_ctl fault clear
	open_and_dirty "$vf" "$mib_all" || return 1
	release_vf >/dev/null
	scrubbed && settled selected
}

somebody_waits() {
	[ "$(fb_value state claimed)" -gt 0 ]
}

# A person who waits for memory can be killed.
killed_while_waiting() {
	local pid begun

	select_type "$vf" "$type_all" && scrubbed || return 1
	open_and_dirty "$vf" "$mib_all" || return 1
	gpu_ctl fault ce-hang || return 1
	release_vf >/dev/null
	"$VFIO_HOLD" "$vf" 1 >/dev/null &
	pid=$!
	within $((2500 * TIME_FACTOR)) somebody_waits || { gpu_ctl fault clear; return 1; }
	begun=$(now_ms)
	kill -KILL $pid
	wait $pid
	echo "died after $(($(now_ms) - begun)) ms"
	[ $(($(now_ms) - begun)) -lt 2000 ] || return 1
	[ "$(fb_value state claimed)" = 0 ] || { cat "$(fb_file)"; return 1; }
	gpu_ctl fault clear
	scrubbed && settled selected
}

# Unbinding ends what waits and what scrubs.
unbound_while_scrubbing() {
	select_type "$vf" "$type_all" && scrubbed || return 1
	open_and_dirty "$vf" "$mib_all" || return 1
	gpu_ctl fault ce-hang || return 1
	release_vf >/dev/null
	disable_vfs
	pf_unbind || return 1
	gpu_ctl fault clear
	echo "$pf" >"/sys/bus/pci/drivers/$PF_DRIVER/bind" || return 1
	scrubbed
}

begin 15
enable_vfs 2 || ktap_exit_fail_msg "cannot enable two VFs"
vf=${vfs[0]} other=${vfs[1]}
read -r type_1g mib_1g <<<"$(type_named 1Q)"
read -r type_24g mib_24g <<<"$(type_named 24Q)"
read -r type_all mib_all <<<"$(type_named 48Q)"
remember selected
result "after boot all FB is scrubbed (R39)" all_is_scrubbed
result "three vGPUs of 1 GiB, one after another (R8, R39)" cycles "$type_1g" "$mib_1g"
result "three vGPUs of 24 GiB, one after another (R8, R39)" cycles "$type_24g" "$mib_24g"
result "the next vGPU at once, in the same memory (R39)" same_memory_at_once
result "counts after them" settled selected
if have_model; then
	result "closing 1 GiB waits for no scrub, which leaves no byte (R38, R39)" close_comes_first "$type_1g" "$mib_1g"
	result "closing 24 GiB waits for no scrub, which leaves no byte (R38, R39)" close_comes_first "$type_24g" "$mib_24g"
	result "a scrub that hangs delays neither close nor another VF (R38)" harms_nobody ce-hang=1
	result "a scrub that faults delays neither close nor another VF (R38)" harms_nobody ce-fault=1
	result "while scrubs hang, nothing dirty is handed out (R39)" refused_until_it_works ce-hang
	result "while scrubs fault, nothing dirty is handed out (R39)" refused_until_it_works ce-fault
	result "who waits for a scrub can be killed" killed_while_waiting
	result "the GPU refused nothing" no_refusals
	result "unbinding while a scrub hangs" unbound_while_scrubbing
else
	for i in 6 7 8 9 10 11 12 13 14; do
		ktap_test_skip "needs the faults of the emulated GPU"
	done
	disable_vfs
fi
result "nothing is left behind" settled
finish
