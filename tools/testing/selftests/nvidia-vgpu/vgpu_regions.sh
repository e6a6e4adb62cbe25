#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Configuration space byte by byte, the memory of a vGPU, and who holds it:
# vgpu_config_test, vgpu_open_test and vgpu_region_test for a type that shares the GPU,
# and what is different for one that does not.
#
# The output of the programs stands before this script's own results, each with
# its own plan.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

# The 6Q and 48Q of this board: id, device:subsystem, BAR1 and FB in MiB, instances.
types() {
	board_types | awk '$3 ~ /-(6|48)Q$/ { print $1, $4, $8, $6, $5 }'
}

baseline
enable_vfs 1 || ktap_exit_fail_msg "cannot enable a VF"
vf=${vfs[0]}
type_file=$(vgpu_file "$vf" current_vgpu_type)
# "start end flags" of BAR1
read -r start end _ < <(sed -n 2p "/sys/bus/pci/devices/$vf/resource")
physical_mib=$(((end - start + 1) >> 20))
failed_programs=()

# run PROGRAM [OPTION…]: for the type that was read last
run() {
	local program=$1
	shift

	echo "# $program, type $id, BAR1 of $bar1_mib MiB"
	"$BUILD/selftests/$program" "${pci_ids%:*}" "${pci_ids#*:}" "$bar1_mib" "$fb_mib" \
		"$max" "$@" "$vf" </dev/null ||
		failed_programs+=("$program for type $id")
}

passed() {
	[ "${#failed_programs[@]}" -eq 0 ] && return 0
	printf '%s\n' "${failed_programs[@]}"
	return 1
}

while read -r id pci_ids bar1_mib fb_mib max; do
	[ "$bar1_mib" -le "$physical_mib" ] || bar1_mib=$physical_mib
	echo "$id" >"$type_file" || failed_programs+=("selecting type $id")
	if [ "$max" -gt 1 ]; then
		run vgpu_config_test
		run vgpu_open_test
		run vgpu_region_test
	else
		run vgpu_region_test -t bar0_is_mapped_as_it_says -t dma_buf
	fi
done < <(types)

begin 3
result "what is shown, what is mapped, and until when (R24, R28, R29)" passed
echo 0 >"$type_file"
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing but BAR1 behind FB" no_refusals vf-bar1
finish
