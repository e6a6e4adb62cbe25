#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# nvidia/creatable_vgpu_types and nvidia/current_vgpu_type: text formats, error
# numbers, and that a selection counts once whatever is written (R12, R13).
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE_24Q=949 # two of them fill the GPU
TYPE_48Q=950 # one fills it
TYPE_2Q=942

lists_only() {
	reads "$(printf '%-5d : %s' "$1" "$2")" "$3"
}

# The list as the type file has it for this board: what the tool that prints
# the file says, in the format of the attribute.
expected_list() {
	echo "ID    : vGPU Name"
	board_types | awk '{ printf "%-5s : %s %s\n", $1, $2, $3 }'
}

has_header_and_all() {
	reads "$(expected_list)" "$1" && [ "$(wc -l <"$1")" -gt 20 ]
}

begin 27
enable_vfs 3 || ktap_exit_fail_msg "cannot enable three VFs"
a=$(vgpu_file "${vfs[0]}" current_vgpu_type) a_list=$(vgpu_file "${vfs[0]}" creatable_vgpu_types)
b=$(vgpu_file "${vfs[1]}" current_vgpu_type) b_list=$(vgpu_file "${vfs[1]}" creatable_vgpu_types)
c=$(vgpu_file "${vfs[2]}" current_vgpu_type) c_list=$(vgpu_file "${vfs[2]}" creatable_vgpu_types)

result "no type is selected at first" reads 0 "$a"
result "the list has the header and every type (R13)" has_header_and_all "$a_list"
result "creatable_vgpu_types is read-only" test "$(stat -c %a "$a_list")" = 444
for bad in word 12x -1 "1 2"; do
	result "'$bad' is not a type id" writes "$bad" "$a" "Invalid argument"
done
result "an id beyond 32 bits is out of range" writes 99999999999 "$a" "Numerical result out of range"
result "an unknown id is refused" writes 4242 "$a" "No such device"
result "refused writes select nothing" reads 0 "$a"
result "0 without a type is a no-op (R13)" writes 0 "$a"

result "select 24Q" writes $TYPE_24Q "$a"
result "the id reads back" reads $TYPE_24Q "$a"
result "a VF with a type can create nothing more" reads "" "$a_list"
result "the other VF is offered only that type" lists_only $TYPE_24Q "NVIDIA RTX6000-Ada-24Q" "$b_list"
result "the same id again is a no-op" writes $TYPE_24Q "$a"
result "and is not counted twice: the second instance still fits" writes $TYPE_24Q "$b"
result "a full type is not offered" reads "" "$c_list"
result "a full type is refused" writes $TYPE_24Q "$c" "No space left on device"
result "another type beside it is refused" writes $TYPE_2Q "$c" "Invalid argument"
result "re-selecting while another VF pins the type fails" writes $TYPE_48Q "$a" "Invalid argument"
result "and leaves the old type" reads $TYPE_24Q "$a"

reselects() {
	writes 0 "$b" && writes $TYPE_48Q "$a" && reads $TYPE_48Q "$a" && reads "" "$b_list"
}
result "the only holder re-selects in one write (R13)" reselects

stays_while_open() {
	hold_vf "${vfs[0]}"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	writes 0 "$a" "Device or resource busy" && writes $TYPE_2Q "$a" "Device or resource busy"
	local status=$?
	release_vf
	return $status
}
result "an open device keeps its type (R13, R26)" stays_while_open

gives_back() {
	writes 0 "$a" && reads 0 "$a" && has_header_and_all "$a_list"
}
result "deselecting frees the GPU for every type" gives_back

disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
