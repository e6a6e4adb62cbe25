#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# What another device reaches of a vGPU: vgpu_dma_buf_test for a type that shares
# the GPU and for one that does not. The other device is QEMU's edu, if the machine
# has one:
#
#   lab run --qemu-args "-device edu" -- tools/testing/selftests/nvidia-vgpu/vgpu_dma_buf.sh
#
# The output of the program stands before this script's own results, with a plan
# of its own each time.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

EDU="0x1234 0x11e8"

# A function with these ids that vfio-pci can have; its DMA is what is tested with.
bind_edu() {
	local path bdf

	for path in "$PCI_DEVICES"/*; do
		[ "$(cat "$path/vendor" "$path/device" | xargs)" = "$EDU" ] || continue
		bdf=$(basename "$path")
		echo vfio-pci >"$path/driver_override"
		echo "$bdf" >/sys/bus/pci/drivers_probe
		[ "$(host_driver "$bdf")" = vfio-pci ] || return 1
		export DMA_DEVICE=$bdf
	done
}

passed() {
	[ "${#failed[@]}" -eq 0 ] && return 0
	printf 'type %s\n' "${failed[@]}"
	return 1
}

baseline
enable_vfs 1 || ktap_exit_fail_msg "cannot enable a VF"
bind_edu || ktap_exit_fail_msg "cannot bind edu to vfio-pci"
vf=${vfs[0]}
type_file=$(vgpu_file "$vf" current_vgpu_type)
failed=()
while read -r id rest; do
	read -ra arguments <<<"$rest"
	# What is different for a type that has the GPU for itself.
	[ "${arguments[4]}" -gt 1 ] || arguments+=(-t bounds -t contents_of_bar0)
	echo "# type $id, BAR1 of ${arguments[2]} MiB, DMA by ${DMA_DEVICE:-nobody}"
	writes "$id" "$type_file" &&
		"$BUILD/selftests/vgpu_dma_buf_test" "${arguments[@]}" "$vf" </dev/null ||
		failed+=("$id")
done < <(type_arguments 6Q 48Q)

begin 3
result "exports end where mappings do, and when (R28, R29)" passed
writes 0 "$type_file"
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
