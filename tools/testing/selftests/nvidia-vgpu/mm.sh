#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The GPU's MMU: mappings of frame buffer with an offset, a size, a page size and
# a kind (R9), what they cost, what they leave behind, and that memory is only
# seen where it is mapped (R34).
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

baseline
debugfs=/sys/kernel/debug/$PF_DRIVER/$pf
bar1=/sys/bus/pci/devices/$pf/resource1
# Mapping and unmapping a vGPU's communication area takes this long at most.
TLB_DEADLINE=2

value() {
	awk -v name="$1" '$1 == name { print $2 }' "$2"
}

mm() {
	value "$1" "$debugfs/mm"
}

# What may differ after everything is unmapped: counters that only grow.
mm_state() {
	grep -vE '^(table_bytes_|invalidates)' "$debugfs/mm"
	cat "$debugfs/bar1"
}

selftest() {
	mm_state >"$scratch/mm.before"
	reads ok "$debugfs/bar1_selftest" && diff "$scratch/mm.before" <(mm_state)
}

# One leaf of 8 bytes for each 2 MiB, or whole tables where those are new. Once
# more costs the same: nothing piles up.
cost() {
	local turn size tables needed step

	for turn in 1 2; do
		cat "$debugfs/bar1_map_cost" >"$scratch/cost"
		cat "$scratch/cost"
		size=$(value size "$scratch/cost")
		tables=$(value table_bytes "$scratch/cost")
		[ "${size:-0}" -ge $((64 << 20)) ] || { echo "in turn $turn: size"; return 1; }
		needed=$((size * 8 / (2 << 20)))
		[ "$tables" -gt "$needed" ] && needed=$tables
		for step in map unmap; do
			[ "$(value ${step}_invalidates "$scratch/cost")" = 1 ] ||
				{ echo "in turn $turn: invalidations to $step"; return 1; }
			[ $(($(value ${step}_bytes_written "$scratch/cost") * 10)) -le $((needed * 12)) ] ||
				{ echo "in turn $turn: bytes to $step"; return 1; }
		done
	done
	diff "$scratch/mm.before" <(mm_state)
}

peek() {
	"$BUILD/selftests/bar_read" "$bar1" "$@"
}

faults() {
	gpu_ctl stats refusals.window-fault
}

# faulting OFFSET…: the GPU has nothing to show there. A real one answers a
# fault with a pattern of its own.
faulting() {
	local before offset

	have_model || return 0
	for offset in "$@"; do
		before=$(faults)
		[ "$(peek "$offset")" = 0xffffffff ] || { echo "$offset: $(peek "$offset")"; return 1; }
		[ "$(faults)" -gt "${before:-0}" ] || { echo "$offset does not fault"; return 1; }
	done
}

# Windows that are not the driver's own, which it has all the time.
windows() {
	grep -vxFf "$scratch/bar1.own" "$debugfs/bar1"
}

# The host's window on a vGPU's memory ends where that part of the memory ends,
# and with the vGPU. The part does not fill its last 2 MiB page table.
window_of_a_vgpu() {
	local start end before

	# The file has a line at least, so that grep has a pattern.
	{ cat "$debugfs/bar1"; echo none; } >"$scratch/bar1.own"
	faulting 0x6000000 || return 1
	writes 942 "$(vgpu_file "${vfs[0]}" current_vgpu_type)" || return 1
	hold_vf "${vfs[0]}"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	read -r _ start end _ <<<"$(windows)"
	before=$(faults)
	echo "vGPU's window: $start $end: $(peek "$start" $((end - 4)))"
	if ! [ "$(peek "$start" $((end - 4)) | wc -l)" = 2 ] ||
		! [ "$(faults)" = "$before" ] || ! faulting "$end"; then
		release_vf
		return 1
	fi
	release_vf
	[ -z "$(windows)" ] || { windows; return 1; }
	faulting "$start" $((end - 4))
}

# tlb_fails COUNT STATE: the self-test meets COUNT invalidations that never
# complete. Then the TLBs may know addresses and tables, which must not be used
# before an invalidation has worked: STATE.
tlb_fails() {
	local failed took

	failed=$(mm invalidates_failed)
	gpu_ctl fault "tlb-timeout=$1" || return 1
	took=$SECONDS
	reads "failed: map through BAR1 (ETIMEDOUT)" "$debugfs/bar1_selftest" || return 1
	took=$((SECONDS - took))
	gpu_ctl fault clear
	[ $(($(mm invalidates_failed) - failed)) = "$1" ] || { cat "$debugfs/mm"; return 1; }
	[ $took -le $((TLB_DEADLINE * ($1 + 1) + 5)) ] || { echo "took $took s"; return 1; }
	[ "$(windows | awk '{ print $4 }' | sort -u)" = "$2" ] || { windows; return 1; }
	# Whatever comes next works, and the rest is free again.
	reads ok "$debugfs/bar1_selftest" && diff "$scratch/mm.before" <(mm_state)
}

begin 10
result "pages of each size, offsets, kinds, addresses used again (R9)" selftest
result "a large mapping writes its tables once, and invalidates once" cost
result "enable a VF" enable_vfs 1
result "a window shows its memory and nothing else (R34)" window_of_a_vgpu
writes 0 "$(vgpu_file "${vfs[0]}" current_vgpu_type)"
writes 0 "$numvfs"
if have_model; then
	result "an invalidation fails, clearing up works" tlb_fails 1 ""
	result "clearing up fails too: addresses wait for the next one" tlb_fails 2 stale
	result "the failures are in the log" eval 'dmesg | grep -q "TLB invalidation .* failed"'
else
	for _ in 1 2 3; do ktap_test_skip "needs the faults of the emulated GPU"; done
fi
result "PRAMIN is where it was" test "$(mm pramin_window)" = "$(value pramin_window "$scratch/mm.before")"
result "nothing is left behind" settled
result "the GPU refused nothing but what was to fault" no_refusals window-fault
finish
