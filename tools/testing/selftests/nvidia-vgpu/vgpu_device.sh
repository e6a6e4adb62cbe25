#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The VFIO device of a vGPU as a VMM finds it: vgpu_device_test for several
# types, and what the plugin is told of bus mastering and resets.
#
# The output of the program stands before this script's own results, with a plan
# of its own each time.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

baseline
enable_vfs 1 || ktap_exit_fail_msg "cannot enable a VF"
vf=${vfs[0]}
type_file=$(vgpu_file "$vf" current_vgpu_type)

programs_ok() {
	[ "$failed_programs" -eq 0 ]
}

failed_programs=0
# Through the VFIO group and a container, as QEMU does it without iommufd, and
# through the device file with iommufd.
modes="vfio_type1v2_iommu iommufd"
while read -r id rest; do
	read -ra arguments <<<"$rest"
	echo "$id" >"$type_file" || failed_programs=$((failed_programs + 1))
	for mode in $modes; do
		echo "# type $id, BAR1 of ${arguments[2]} MiB, $mode"
		IOMMU_MODE=$mode "$BUILD/selftests/vgpu_device_test" "${arguments[@]}" "$vf" </dev/null ||
			failed_programs=$((failed_programs + 1))
	done
	modes=iommufd # once is enough for the group
done < <(type_arguments 2Q 6Q 48Q)

# told STATE LINE: after LINE the plugin knows bus mastering to be STATE.
told() {
	local answer

	answer=$(hold_line "$2")
	[ "$answer" = ok ] || { echo "$2: $answer"; return 1; }
	[ "$(gpu_ctl stats live.bus-masters)" = "$1" ] || { gpu_ctl stats live; return 1; }
}

begin 9
result "ids, BARs, registers, MSI-X and reset are those of the types (R24, R25, R28)" programs_ok
if have_model; then
	hold_vf "$vf"
	result "open for bus mastering" test "$held" = open
	result "the plugin is told that it is off" told 0 "bme off"
	result "and that it is on again" told 1 "bme on"
	result "a reset keeps it on" told 1 "reset"
	result "and twenty more do" in_turn 20 told 1 "reset"
	release_vf >/dev/null
	result "closing switches it off" test "$(gpu_ctl stats live.bus-masters)" = 0
else
	for skipped in 1 2 3 4 5 6; do
		ktap_test_skip "what the plugin knows ($skipped)"
	done
fi
echo 0 >"$type_file"
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing but BAR1 behind FB" no_refusals vf-bar1
finish
