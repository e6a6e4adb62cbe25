#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Channel IDs (R5, R7): who has which, and that ranges are what firmware and the
# guest rely on: a power of two, naturally aligned, above what the driver and
# firmware keep for themselves, nobody else's.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE_6Q=945
HOST_IDS=64

begin 7
channels=/sys/kernel/debug/$PF_DRIVER/$pf/channels
pids=()

# Ranges of an owner: "START END" each.
ranges_of() {
	awk -v owner="$*" '
		$1 == "range" && $4 == "all" { who = $5 " " $6 " " $7 }
		$1 == "range" && $4 == "runlist" { who = $6 " " $7 " " $8 }
		$1 == "range" { sub(/ +$/, "", who); if (who == owner) print $2, $3 }' "$channels"
}

# The driver has one ID, on the runlist of its copy engine.
driver_has_one() {
	local start end

	cat "$channels"
	read -r start end < <(ranges_of pf)
	[ "$start" -ge 1 ] && [ "$end" -le $HOST_IDS ] && [ $((end - start)) = 1 ] &&
		[ "$(ranges_of pf | wc -l)" = 1 ]
}

# A vGPU has one range, on all runlists.
guest_has_a_range() {
	local start end count

	cat "$channels"
	[ "$(ranges_of "guest gfid $1" | wc -l)" = 1 ] || return 1
	read -r start end < <(ranges_of "guest gfid $1")
	count=$((end - start))
	[ "$start" -ge $HOST_IDS ] && [ $((count & (count - 1))) = 0 ] && [ $((start % count)) = 0 ]
}

no_id_twice() {
	cat "$channels"
	awk '$1 == "range" && $4 == "all" { for (i = $2; i < $3; i++) if (seen[i]++) exit 1 }' "$channels"
}

# What the driver and the emulated firmware say is the same.
firmware_agrees() {
	local ours

	have_model || return 0
	ours=$(awk '$1 == "range" && $4 == "all" { n += $3 - $2 } END { print n + 0 }' "$channels")
	echo "driver $ours, firmware $(gpu_ctl stats live.channels)"
	[ "$ours" = "$(gpu_ctl stats live.channels)" ]
}

open_two() {
	local vf line

	mkfifo "$scratch/in" "$scratch/out"
	exec {stdin}<>"$scratch/in"
	for vf in "${vfs[@]}"; do
		echo $TYPE_6Q >"$(vgpu_file "$vf" current_vgpu_type)" || return 1
		"$VFIO_HOLD" "$vf" <&"$stdin" >"$scratch/out" &
		pids+=($!)
		read -r line <"$scratch/out"
		[ "$line" = open ] || { echo "$vf: $line"; return 1; }
	done
}

two_vgpus() {
	open_two && guest_has_a_range 1 && guest_has_a_range 2 && no_id_twice && firmware_agrees
}

close_two() {
	kill -KILL "${pids[@]}"
	wait "${pids[@]}"
	exec {stdin}>&-
	cat "$channels"
	! grep -E 'guest|quarantine' "$channels"
}

result "the driver keeps one ID for itself (R7)" driver_has_one
result "enable two VFs" enable_vfs 2
result "each vGPU has a range of its own (R7, R17)" two_vgpus
result "the driver's ID is still its own" driver_has_one
result "ranges go with their vGPUs (R7)" close_two
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
