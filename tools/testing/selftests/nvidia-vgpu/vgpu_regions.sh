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

baseline
enable_vfs 1 || ktap_exit_fail_msg "cannot enable a VF"
vf=${vfs[0]}
type_file=$(vgpu_file "$vf" current_vgpu_type)
failed_programs=()

# run PROGRAM [OPTION…]: for the type that was read last
run() {
	local program=$1
	shift

	echo "# $program, type $id, BAR1 of ${arguments[2]} MiB"
	"$BUILD/selftests/$program" "${arguments[@]}" "$@" "$vf" </dev/null ||
		failed_programs+=("$program for type $id")
}

passed() {
	[ "${#failed_programs[@]}" -eq 0 ] && return 0
	printf '%s\n' "${failed_programs[@]}"
	return 1
}

while read -r id rest; do
	read -ra arguments <<<"$rest"
	echo "$id" >"$type_file" || failed_programs+=("selecting type $id")
	if [ "${arguments[4]}" -gt 1 ]; then
		run vgpu_config_test
		run vgpu_open_test
		run vgpu_region_test
	else
		run vgpu_region_test -t bar0_is_mapped_as_it_says
	fi
done < <(type_arguments 6Q 48Q)

begin 3
result "what is shown, what is mapped, and until when (R24, R28, R29)" passed
echo 0 >"$type_file"
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing but BAR1 behind FB" no_refusals vf-bar1
finish
