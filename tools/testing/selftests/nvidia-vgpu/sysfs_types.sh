#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Selection of types: text formats, error numbers, that a selection counts once
# whatever is written (R12, R13), that types of different sizes share a GPU
# (R37), and that creatable_vgpu_types tells the truth.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE_1Q=941
TYPE_2Q=942
TYPE_8Q=946
TYPE_16Q=948 # 3 of one size, 2 beside other sizes
TYPE_24Q=949 # two of them fill the GPU
TYPE_48Q=950 # one fills it
VFS=4

file() {
	vgpu_file "${vfs[$1]}" "$2"
}

# The list as the type file has it for this board: what the tool that prints
# the file says, in the format of the attribute.
expected_list() {
	echo "ID    : vGPU Name"
	board_types | awk '{ printf "%-5s : %s %s\n", $1, $2, $3 }'
}

has_header_and_all() {
	reads "$(expected_list)" "$(file "$1" creatable_vgpu_types)" &&
		[ "$(wc -l <"$(file "$1" creatable_vgpu_types)")" -gt 20 ]
}

# lists VF TYPE: the type is in the list of the VF.
lists() {
	grep -q "^$2 " "$(file "$1" creatable_vgpu_types)"
}

selects() {
	writes "$2" "$(file "$1" current_vgpu_type)" "${3:-}"
}

is_selected() {
	reads "$2" "$(file "$1" current_vgpu_type)"
}

deselect_all() {
	local vf

	for ((vf = 0; vf < VFS; vf++)); do
		selects $vf 0 || return 1
	done
}

# For each type of the board: it is in the list of a VF if and only if it can be
# selected there.
list_is_true() {
	local id said did list file

	list=$(cat "$(file "$1" creatable_vgpu_types)")
	file=$(file "$1" current_vgpu_type)
	for id in $ids; do
		said=no did=no
		[[ $list != *$'\n'"$id "* ]] || said=yes
		! { echo "$id" >"$file"; } 2>/dev/null || did=yes
		echo 0 >"$file" || return 1
		[ $did = $said ] || {
			echo "type $id: listed: $said, can be selected: $did"
			echo "$list"
			return 1
		}
	done
}

opens() {
	hold_vf "${vfs[$1]}"
	[ "$held" = open ] || {
		echo "open: $held"
		return 1
	}
}

begin 43
enable_vfs $VFS || ktap_exit_fail_msg "cannot enable VFs"
ids=$(board_types | awk '{ print $1 }')

result "no type is selected at first" is_selected 0 0
result "the list has the header and every type (R13)" has_header_and_all 0
modes() {
	local name

	for name in "creatable_vgpu_types 444" "current_vgpu_type 644" "vgpu_type_name 444" \
		"placement_id 644" "uuid 644" "state 444" "stats 444"; do
		[ "$(stat -c '%a' "$(file 0 "${name% *}")")" = "${name#* }" ] || {
			echo "mode of $name"
			return 1
		}
	done
}
result "modes of the files" modes
for bad in word 12x -1 "1 2"; do
	result "'$bad' is not a type id" selects 0 "$bad" "Invalid argument"
done
result "an id beyond 32 bits is out of range" selects 0 99999999999 "Numerical result out of range"
result "an unknown id is refused" selects 0 4242 "No such device"
result "refused writes select nothing" is_selected 0 0
result "0 without a type is a no-op (R13)" selects 0 0

result "select 24Q" selects 0 $TYPE_24Q
result "the id reads back" is_selected 0 $TYPE_24Q
result "and the name" reads "NVIDIA RTX6000-Ada-24Q" "$(file 0 vgpu_type_name)"
result "a VF with a type can create nothing more" reads "" "$(file 0 creatable_vgpu_types)"
result "the same id again is a no-op" selects 0 $TYPE_24Q
result "and is not counted twice: the second instance still fits" selects 1 $TYPE_24Q
result "a full GPU offers nothing" reads "" "$(file 2 creatable_vgpu_types)"
result "a full type is refused" selects 2 $TYPE_24Q "No space left on device"
result "another type beside it, too" selects 2 $TYPE_2Q "No space left on device"
result "re-selecting what does not fit fails" selects 0 $TYPE_48Q "No space left on device"
result "and leaves the old type" is_selected 0 $TYPE_24Q

reselects() {
	selects 1 0 && selects 0 $TYPE_48Q && is_selected 0 $TYPE_48Q &&
		reads "" "$(file 1 creatable_vgpu_types)"
}
result "the only holder re-selects in one write (R13)" reselects

mixes() {
	selects 0 $TYPE_24Q && selects 1 $TYPE_8Q && selects 2 $TYPE_2Q && ! lists 3 $TYPE_16Q &&
		lists 3 $TYPE_8Q && ! lists 3 $TYPE_24Q
}
result "types of three sizes at a time (R37)" mixes
result "the list is true beside them" list_is_true 3

placements() {
	reads 0 "$(file 0 placement_id)" && reads 24 "$(file 1 placement_id)" &&
		writes 40 "$(file 1 placement_id)" && reads 40 "$(file 1 placement_id)" &&
		writes 24 "$(file 0 placement_id)" "No space left on device" &&
		writes 12 "$(file 0 placement_id)" "Invalid argument" &&
		writes auto "$(file 1 placement_id)" && writes 1 "$(file 3 placement_id)" "No such device" &&
		reads "" "$(file 3 placement_id)"
}
result "placement ids are chosen, moved and refused" placements

# A size that fits three times only if all are of it.
three_of_16() {
	deselect_all && selects 0 $TYPE_16Q && selects 1 $TYPE_16Q && lists 2 $TYPE_16Q &&
		selects 2 $TYPE_16Q && reads 32 "$(file 2 placement_id)" && ! lists 3 $TYPE_2Q &&
		selects 1 0 && lists 1 $TYPE_8Q
}
result "one size has all its places while nothing is open" three_of_16

fixed_once_open() {
	selects 1 $TYPE_16Q && opens 2 || return 1
	local status=0
	selects 1 0 && selects 1 $TYPE_8Q "Invalid argument" && lists 1 $TYPE_16Q &&
		! lists 1 $TYPE_8Q && list_is_true 1 || status=1
	release_vf
	[ $status = 0 ] && lists 1 $TYPE_8Q
}
result "open vGPUs of one size leave no place for another one" fixed_once_open

two_types_open() {
	deselect_all && selects 0 $TYPE_24Q && selects 1 $TYPE_1Q && opens 0 || return 1
	local status=0
	"$VFIO_HOLD" "${vfs[1]}" 1 || status=1
	list_is_true 2 && reads running "$(file 0 state)" || status=1
	release_vf
	return $status
}
result "vGPUs of two sizes are opened at a time (R37)" two_types_open

stays_while_open() {
	local id

	deselect_all && selects 0 $TYPE_24Q && opens 0 || return 1
	local status=0
	for id in 0 $TYPE_2Q $TYPE_24Q; do
		selects 0 "$id" "Device or resource busy" || status=1
	done
	writes 24 "$(file 0 placement_id)" "Device or resource busy" &&
		writes "$UUID" "$(file 0 uuid)" "Device or resource busy" || status=1
	release_vf
	return $status
}
UUID=24ef8ff7-3ed5-11ef-ae36-9758b1cb0c87
result "an open device keeps type, place and identity (R13, R26)" stays_while_open

uuids() {
	[ "$(cat "$(file 0 uuid)")" != "$(cat "$(file 1 uuid)")" ] &&
		writes "${UUID^^}" "$(file 0 uuid)" && reads $UUID "$(file 0 uuid)" &&
		writes $UUID "$(file 0 uuid)" && writes $UUID "$(file 1 uuid)" "File exists" &&
		writes "$UUID 1" "$(file 0 uuid)" "Invalid argument" &&
		writes "" "$(file 0 uuid)" "" && reads $UUID "$(file 0 uuid)"
}
result "each VF has an identity, which can be another one" uuids

told_to_firmware() {
	have_model || return 0
	opens 0 || return 1
	gpu_ctl get vgpus >"$scratch/vgpus"
	release_vf
	grep -q "^gfid 1 type $TYPE_24Q placement 0 uuid $UUID " "$scratch/vgpus" || {
		cat "$scratch/vgpus"
		return 1
	}
}
result "firmware is told type, place and identity" told_to_firmware

result "the state of a closed device" reads absent "$(file 0 state)"
stats() {
	# What follows is what firmware says.
	[ "$(head -n 5 "$(file 0 stats)")" = "channel_errors 0
task_crashes 0
task_errors 0
guest_driver 0
error_reports 0" ] && [ "$(tail -n +6 "$(file 0 stats)" | sed 's/ [0-9]*$//')" = "license_state
guest_os
guest_rpc_version" ] && return 0
	cat "$(file 0 stats)"
	return 1
}
result "counts of a vGPU that nothing happened to (R27)" stats

# poll(2) on the state, and the uevents of an open and of a write. A reader of the
# state sees the last one: the device is open until the reader has seen that.
events() {
	watch_vf "${vfs[0]}" && opens 0 || return 1
	watched 5 "poll state running" >"$scratch/watch"
	release_vf && selects 0 0 &&
		watched 5 "uevent type 0 state absent" >>"$scratch/watch"
	unwatch_vf
	diff - <(grep uevent "$scratch/watch") <<-END && grep -qx "poll state running" "$scratch/watch"
		uevent type $TYPE_24Q state creating
		uevent type $TYPE_24Q state running
		uevent type $TYPE_24Q state destroying
		uevent type $TYPE_24Q state absent
		uevent type 0 state absent
	END
}
result "uevents and poll tell of type and state" events

# Two writers at a time: one of the two types is selected, and no place leaks.
races() {
	local i pid files=("$(file 0 current_vgpu_type)" "$(file 1 current_vgpu_type)")

	deselect_all || return 1
	(for ((i = 0; i < 200; i++)); do { echo $TYPE_24Q >"${files[0]}"; } 2>/dev/null; done) &
	pid=$!
	for ((i = 0; i < 200; i++)); do
		{ echo $TYPE_48Q >"${files[1]}"; } 2>/dev/null
		echo 0 >"${files[i % 2]}"
	done
	wait $pid
	deselect_all && has_header_and_all 0
}
result "writers at the same time lose nothing" races

result "deselecting frees the GPU for every type" has_header_and_all 3
result "what was chosen goes with the VF" selects 0 $TYPE_24Q

disable_vfs
enable_vfs 1 || ktap_exit_fail_msg "cannot enable a VF"
result "a new VF has no type" is_selected 0 0
differs() {
	! reads $UUID "$(file 0 uuid)" >/dev/null
}
result "and its default identity" differs
result "all types can be had" has_header_and_all 0
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
