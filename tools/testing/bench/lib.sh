# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the benchmarks in the VM share. Sourced.

bdf=$(basename "$(readlink -f /sys/bus/pci/devices/*:01:00.0)")
debugfs=/sys/kernel/debug/nova_core_vgpu/$bdf

# row NAME WHAT "MEASURED UNIT" "PEER NAME" "BOUND LIMIT"
row() {
	echo "bench: $1 | $2 | $3 | $4 | $5"
}

die() {
	echo "benchmark: $*" >&2
	exit 1
}

now_ns() {
	date +%s%N
}

# Accesses of the CPU to the GPU so far.
mmio() {
	local reads writes

	reads=$(ada-gpu-ctl stats counts.mmio-read)
	writes=$(ada-gpu-ctl stats counts.mmio-write)
	echo $((reads + writes))
}

# The value of KEY in "key value" lines.
value() {
	awk -v key="$1" '$1 == key { print $2; found = 1 } END { exit !found }'
}

# The median of the numbers on standard input.
median() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# fb SUBJECT NAME: a figure of the frame buffer.
fb() {
	awk -v name="$1 $2" '$1 " " $2 == name { print $3 }' "$debugfs/fb"
}

# Returns when no frame buffer waits for a scrub.
clean() {
	until [ "$(fb state dirty)" = 0 ] && [ "$(fb state scrubbing)" = 0 ]; do
		sleep 0.02
	done
}

# irq_cpu NAME: the CPU that the interrupt goes to.
irq_cpu() {
	local dir

	for dir in /proc/irq/*; do
		if [ -d "$dir/$1" ]; then
			cat "$dir/effective_affinity_list"
			return
		fi
	done
	return 1
}

# other_cpu CPU: a CPU that is not this one, if there is any.
other_cpu() {
	local last

	last=$(($(nproc --all) - 1))
	echo $(($1 == last ? 0 : last))
}
