#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# select → open → close → deselect, again and again, on one VF and on eight in
# turn: every count is at its start afterwards (R14, R20).
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

CYCLES=${TEST_CYCLES:-100}
TYPE_6Q=945 # eight of them fill the GPU

cycle_one() {
	local file i

	file=$(vgpu_file "$1" current_vgpu_type)
	for ((i = 0; i < CYCLES; i++)); do
		echo $TYPE_6Q >"$file" || return 1
		"$VFIO_HOLD" "$1" 1 >/dev/null || { "$VFIO_HOLD" "$1" 1; return 1; }
		echo 0 >"$file" || return 1
	done
}

open_without_type() {
	hold_vf "${vfs[0]}"
	[ "$held" = "error ENODEV" ] || { echo "open: $held"; return 1; }
}

second_open_fails() {
	hold_vf "${vfs[0]}"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	second=$("$VFIO_HOLD" "${vfs[0]}" 1)
	release_vf
	[ "$second" != ok ] || { echo "a second open succeeded"; return 1; }
}

driver_count() {
	driver_counts | awk -v key="$1" '$1 == key { print $2 }'
}

# What the driver has handed out since $1 (FB bytes, channels, clients) is what
# the firmware counts.
agrees_with_firmware() {
	local fb free clients

	have_model || return 0
	read -r fb free clients <<<"$1"
	diff <(echo "fb_bytes $(($(driver_count fb_used) - fb))"
		echo "channels $((free - $(driver_count channels_free)))"
		echo "clients $(($(driver_count clients) - clients))") \
		<(echo "fb_bytes $(gpu_ctl stats live.fb_bytes)"
		echo "channels $(gpu_ctl stats live.channels)"
		echo "clients $(($(gpu_ctl stats live.clients) - $2))")
}

# Each vGPU has whole segments of FB, and no byte has two owners.
segments_are_exclusive() {
	local segment

	segment=$(dmesg | sed -n 's/.* MiB FB in segments of \([0-9]*\) MiB.*/\1/p' | tail -n 1)
	[ "${segment:-0}" -gt 0 ] || { echo "no size of segments in the log"; return 1; }
	awk '$1 == "range" { print $2, $3, $4 }' "$(fb_file)" | while read -r start end owner; do
		echo $((start)) $((end)) "$owner"
	done | sort -n | awk -v segment=$((segment << 20)) -v vgpus="$1" '
		{ print }
		$1 < last { bad = 1 }
		$3 == "guest" && ($1 % segment || $2 % segment || $2 <= $1) { bad = 1 }
		{ last = $2; n += $3 == "guest" }
		END { exit bad || n != vgpus }'
}

open_eight() {
	local pids=() dir stdin vf line driver firmware

	driver="$(driver_count fb_used) $(driver_count channels_free) $(driver_count clients)"
	have_model && firmware=$(gpu_ctl stats live.clients)

	dir=$(mktemp -d)
	mkfifo "$dir/in" "$dir/out"
	exec {stdin}<>"$dir/in"
	for vf in "${vfs[@]}"; do
		echo $TYPE_6Q >"$(vgpu_file "$vf" current_vgpu_type)" || return 1
		"$VFIO_HOLD" "$vf" <&"$stdin" >"$dir/out" &
		pids+=($!)
		read -r line <"$dir/out"
		[ "$line" = open ] || { echo "$vf: $line"; return 1; }
	done
	if have_model && [ "$(gpu_ctl stats live.vgpus)" != 8 ]; then
		echo "the model has $(gpu_ctl stats live.vgpus) vGPUs, not 8"
		return 1
	fi
	agrees_with_firmware "$driver" "${firmware:-0}" && segments_are_exclusive 8 || return 1
	kill -KILL "${pids[@]}"
	wait "${pids[@]}"
	exec {stdin}>&-
	rm -r "$dir"
	for vf in "${vfs[@]}"; do
		echo 0 >"$(vgpu_file "$vf" current_vgpu_type)" || return 1
	done
}

# BAR1 of the VF through sysfs, past VFIO: the FB of its vGPU while there is
# one, nothing afterwards.
bar1_word() {
	python3 - "/sys/bus/pci/devices/${vfs[0]}/resource1" "$@" <<-'EOF'
		import mmap, os, struct, sys
		fd = os.open(sys.argv[1], os.O_RDWR)
		bar1 = mmap.mmap(fd, 4096)
		if len(sys.argv) > 2:
		    bar1[:4] = struct.pack("<I", int(sys.argv[2], 16))
		print(f"{struct.unpack('<I', bar1[:4])[0]:08x}")
	EOF
}

bar1_ends_with_the_vgpu() {
	local word

	echo $TYPE_6Q >"$(vgpu_file "${vfs[0]}" current_vgpu_type)" || return 1
	hold_vf "${vfs[0]}"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	word=$(bar1_word c0ffee00)
	release_vf >/dev/null
	echo 0 >"$(vgpu_file "${vfs[0]}" current_vgpu_type)"
	[ "$word" = c0ffee00 ] || { echo "with a vGPU: $word"; return 1; }
	word=$(bar1_word)
	[ "$word" = ffffffff ] || { echo "after it: $word"; return 1; }
	have_model || return 0
	[ "$(gpu_ctl stats refusals.vf-no-vgpu)" -gt 0 ] || { echo "the GPU was not asked"; return 1; }
}

begin 9
enable_vfs 8 || ktap_exit_fail_msg "cannot enable eight VFs"
remember enabled
result "open without a type is refused" open_without_type
result "$CYCLES cycles on one VF" cycle_one "${vfs[0]}"
result "counts after them (R6, R8)" settled enabled
turn() {
	local vf

	for vf in "${vfs[@]}"; do
		CYCLES=3 cycle_one "$vf" || return 1
	done
}
result "three cycles on each of eight VFs in turn" turn
result "eight vGPUs at once, their holders killed (R6, R14, R17)" open_eight
result "counts after those" settled enabled
result "the GPU refused nothing" no_refusals
result "BAR1 reaches FB only as long as the vGPU is there (R14, R34)" bar1_ends_with_the_vgpu
disable_vfs
result "nothing is left behind" settled
finish
