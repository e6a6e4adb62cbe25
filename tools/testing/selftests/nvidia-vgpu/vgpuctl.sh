#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# vgpuctl on the real sysfs: VFs, types, waiting, what it says of refusals, and
# that a saved configuration comes back after the drivers were reloaded (R37, R41).
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE_48Q=950 # one fills the GPU
TYPE_2Q=942
TYPE_8Q=946
NAME_2Q="NVIDIA RTX6000-Ada-2Q"
config=$scratch/etc/vgpuctl.toml

# exits STATUS TEXT ARGS…: vgpuctl ends with STATUS and says TEXT.
exits() {
	local expected=$1 text=$2 status=0 output
	shift 2

	output=$(vgpuctl "$@" 2>&1) || status=$?
	printf '%s\n' "$output"
	if [ $status -ne "$expected" ]; then
		echo "vgpuctl $*: status $status, expected $expected"
		return 1
	fi
	[[ $output == *"$text"* ]] || { echo "expected: $text"; return 1; }
}

# json EXPRESSION: of the object g, the GPU under test.
json() {
	vgpuctl list --gpu "$pf" --json |
		python3 -c "import json, sys; d = json.load(sys.stdin); g = d['gpus'][0]; print($1)"
}

has() {
	local found

	found=$(json "$1") && [ "$found" = "$2" ] && return 0
	echo "$1: $found, expected $2"
	return 1
}

vf() {
	host_vf "$pf" "$1"
}

type_file() {
	vgpu_file "$(vf "$1")" current_vgpu_type
}

enables() {
	vgpuctl enable "$pf" -n 3 && reads 3 "$numvfs" && has "[v['driver'] for v in g['vfs']]" \
		"['$VF_DRIVER', '$VF_DRIVER', '$VF_DRIVER']" &&
		reads 1 "/sys/bus/pci/devices/$pf/sriov_drivers_autoprobe"
}

lists_all_types() {
	diff <(board_types | awk '{ print $1, $2, $3 }') \
		<(vgpuctl list types --gpu "$pf" | awk 'NR > 1 { print $2, $3, $4 }')
}

selects_by_name() {
	exits 0 "$(vf 0): selected: $TYPE_2Q ($NAME_2Q)" select rtx6000-ada-2q --gpu "$pf" &&
		reads $TYPE_2Q "$(type_file 0)" &&
		exits 0 "$(vf 1): selected" select $TYPE_2Q --gpu "$pf"
}

says_what_is_left() {
	vgpuctl select $TYPE_48Q --vf "$(vf 0)" >/dev/null || return 1
	exits 1 "types that can be created on $pf now: none" select $TYPE_2Q --vf "$(vf 1)"
	local status=$?
	vgpuctl clear "$(vf 0)" || return 1
	return $status
}

names_the_user() {
	vgpuctl select $TYPE_2Q --vf "$(vf 0)" >/dev/null || return 1
	hold_vf "$(vf 0)"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	# shellcheck disable=SC2153 # HOLD_PID is set by coproc
	local status=0 user="vfio_hold (pid $HOLD_PID)"
	exits 1 "$user" clear "$(vf 0)" &&
		exits 1 "$user" disable "$pf" --force &&
		has "g['vfs'][0]['open_by'][0]['command']" vfio_hold || status=1
	release_vf
	return $status
}

# Of the attributes that not every driver has.
tells_all() {
	has "g['vfs'][0]['vgpu']['type']['name']" "$NAME_2Q" &&
		has "g['vfs'][0]['vgpu']['state']" absent &&
		has "sorted(g['vfs'][0]['vgpu']['stats'])[0]" channel_errors &&
		has "len(g['vfs'][0]['vgpu']['uuid'])" 36
}

# An event of the driver, not a look every second.
waits_for_state() {
	local waiter status=0

	vgpuctl wait --timeout $((20 * TIME_FACTOR)) state "$(vf 0)" running &
	waiter=$!
	hold_vf "$(vf 0)"
	[ "$held" = open ] && wait $waiter || status=1
	release_vf
	return $status
}

# 2 GiB and 8 GiB on one GPU, the second at a place of its own.
places() {
	vgpuctl select $TYPE_8Q --vf "$(vf 1)" --placement 16 && has "g['vfs'][1]['vgpu']['placement_id']" 16 &&
		exits 1 "cannot be there" select $TYPE_8Q --vf "$(vf 2)" --placement 17 &&
		reads 0 "$(type_file 2)" && vgpuctl clear "$(vf 1)"
}

comes_back() {
	vgpuctl select $TYPE_2Q --vf "$(vf 2)" >/dev/null && vgpuctl save -o "$config" || return 1
	host_unload_modules && host_load_modules || return 1
	reads 0 "$numvfs" || return 1
	vgpuctl restore -c "$config" --dry-run && reads 0 "$numvfs" || return 1
	vgpuctl restore -c "$config" --timeout $((30 * TIME_FACTOR)) || return 1
	reads 3 "$numvfs" && reads $TYPE_2Q "$(type_file 0)" && reads 0 "$(type_file 1)" &&
		reads $TYPE_2Q "$(type_file 2)" && diff "$config" <(vgpuctl save -o -)
}

restores_once() {
	local output

	output=$(vgpuctl restore -c "$config") || return 1
	[ -z "$output" ] || { echo "a second restore did: $output"; return 1; }
}

spares_others() {
	vgpuctl clear "$(vf 2)" && vgpuctl select 941 --replace --vf "$(vf 0)" || return 1
	exits 1 "has the vGPU type 941" restore -c "$config"
	reads 941 "$(type_file 0)"
}

# The waiter listens before it looks, so nothing of what follows is missed.
waits_for() {
	local waiter
	local -a change=()

	while [ "$1" != -- ]; do
		change+=("$1")
		shift
	done
	shift
	vgpuctl wait --timeout $((20 * TIME_FACTOR)) "$@" &
	waiter=$!
	"${change[@]}" >/dev/null && wait $waiter
}

rebinds() {
	local first
	first=$(vf 0)

	vgpuctl clear "$first" || return 1
	vgpuctl unbind "$first" && [ -z "$(host_driver "$first")" ] || return 1
	exits 1 "vgpuctl bind $first" select $TYPE_2Q --vf "$first" || return 1
	echo vfio-pci >"/sys/bus/pci/devices/$first/driver_override"
	echo "$first" >/sys/bus/pci/drivers_probe
	[ "$(host_driver "$first")" = vfio-pci ] || return 1
	vgpuctl bind --gpu "$pf" && [ "$(host_driver "$first")" = "$VF_DRIVER" ]
}

begin 21
result "VFs are enabled and bound" enables
result "enabling them again changes nothing" vgpuctl enable "$pf" -n 3
result "another number of VFs is refused" exits 1 "3 are enabled" enable "$pf" -n 2
result "all types of the board are listed" lists_all_types
result "a type is selected by name, on the first free VF" selects_by_name
result "VFs that have types are not disabled" exits 1 "--force" disable "$pf"
result "types are taken away" vgpuctl clear "$(vf 0)" "$(vf 1)" "$(vf 2)"
result "a refusal says what can be created" says_what_is_left
result "an open device names its user" names_the_user
result "type, state, counts and UUID are told" tells_all
result "waiting for a state" waits_for_state
result "another size at a place that is asked for" places
result "a configuration comes back after the drivers were reloaded" comes_back
result "restoring twice changes nothing" restores_once
result "restoring takes nothing away from others" spares_others
result "a VF is bound to no driver, to another, and back" rebinds
result "waiting for a type" waits_for vgpuctl select $TYPE_2Q --vf "$(vf 1)" -- type "$(vf 1)" $TYPE_2Q
vgpuctl disable "$pf" --force
result "waiting for VFs" waits_for vgpuctl enable "$pf" -n 2 -- vfs "$pf" -n 2
result "what does not come in time is status 3" \
	exits 3 "2 VFs are bound" wait --timeout 1 vfs "$pf" -n 3
vgpuctl disable "$pf" --force
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
