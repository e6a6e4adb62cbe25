#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A damaged vGPU type file, in every way the parser checks for: binding a VF
# fails with one line that names the field, no type is kept, and with the good
# file the next bind works (R12).
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

search_path=/sys/module/firmware_class/parameters/path
good_path=$(cat "$search_path")
at_exit+=(restore_path)

restore_path() {
	printf '%s' "$good_path" >"$search_path"
}

bind_fails() {
	local field=$1 vf

	mark_log
	printf '%s' "$scratch/$2" >"$search_path"
	vf=$(host_vf "$pf" 0)
	if host_bind_vf "$vf" 2>/dev/null; then
		echo "$vf was bound"
		return 1
	fi
	restore_path
	[ ! -e "/sys/bus/pci/devices/$vf/nvidia" ] || { echo "nvidia/ is there"; return 1; }
	logged "$pf: vGPU types.*nvidia/vgpu-570.144.bin.*$field" || return 1
	[ "$(log_since_mark | grep -c "$pf: vGPU types")" -eq 1 ] || {
		log_since_mark
		return 1
	}
	settled with_vf
}

vgpu-metadata-corrupt tools/vgpu-metadata/types.toml "$scratch" || ktap_exit_fail_msg "cannot make the damaged files"
mapfile -t cases <"$scratch/cases"
begin $((${#cases[@]} + 4))
echo 1 >"$numvfs"
remember with_vf
for line in "${cases[@]}"; do
	read -r name field <<<"$line"
	result "damaged: $name" bind_fails "$field" "$name"
done
mkdir -p "$scratch/none"
result "no file at all (R12)" bind_fails ENOENT none
result "the good file works afterwards (R12)" host_bind_vf "$(host_vf "$pf" 0)"
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
