#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Two tenants in turn on one VF (R39): the second one looks for the first one's
# marks wherever it can read, and so does whoever reads what the driver shows of
# its plugin task. The VF is closed, or its tenant killed, between them.
#
#   tenant 1   marks in frame buffer, registers, MSI-X table, config space;
#              marks in what the plugin task says of its guest and its errors
#   tenant 2   the same memory, another vGPU: finds nothing
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TENANT=$BUILD/selftests/vfio_tenant
# Marks in the shared area, told by the task: licence, operating system.
LICENSE=0x5ca1ab1e
GUEST_OS=0x0ddba11

area() {
	echo "/sys/kernel/debug/$VF_DRIVER/$vf"
}

# Whether a file of the shared area has anything of the last vGPU's.
clean() {
	local found

	found=$(awk '$1 == "license_state" || $1 == "guest_os" || $1 == "error_put" { print $2 }' \
		"$(area)/plugin" | sort -u)
	[ "$found" = 0x0 ] || { cat "$(area)/plugin"; return 1; }
	[ "$(tr -d '\0' <"$(area)/error_buffer" | wc -c)" = 0 ] || { echo "errors of the last vGPU"; return 1; }
	# A log begins anew: the task has booted, was told of three messages, and nothing else.
	[ "$(od -An -tu8 -N8 "$(area)/vgpu_task_log" | tr -d ' ')" = 12 ] || return 1
	[ "$(tail -c +105 "$(area)/vgpu_task_log" | tr -d '\0' | wc -c)" = 0 ] ||
		{ echo "entries of the last vGPU"; return 1; }
}

# What the plugin task of a tenant leaves in the shared area.
mark_area() {
	gpu_ctl event "guest:1:$LICENSE:$GUEST_OS" && fault "plugin-result=13:0x1f" || return 1
	[ "$(hold_line "bme off")" != ok ] || { echo "no error to be told of"; return 1; }
	gpu_ctl fault clear
	grep -q "^license_state $LICENSE" "$(area)/plugin" && grep -aq "message 13" "$(area)/error_buffer"
}

next_tenant() {
	"$TENANT" "$vf" search "$1"
}

# The search finds what is there: marks of the same vGPU.
search_finds() {
	"$TENANT" "$vf" mark 17
}

closed() {
	"$TENANT" "$vf" mark "$1" && next_tenant "$1"
}

killed() {
	local line pid

	mkfifo "$scratch/tenant" || return 1
	"$TENANT" "$vf" stay "$1" >"$scratch/tenant" &
	pid=$!
	# Until it has written everything.
	while read -r line; do
		[[ $line != written* ]] || break
	done <"$scratch/tenant"
	kill -9 $pid
	wait $pid
	echo "$line"
	next_tenant "$1"
}

shared_area() {
	hold_vf "$vf"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	mark_area || return 1
	release_vf || return 1
	hold_vf "$vf"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	clean || return 1
	release_vf
}

begin 6
enable_vfs 1 || ktap_exit_fail_msg "cannot enable a VF"
vf=${vfs[0]}
# The largest type: two of them have the same memory.
type=$(board_types | sort -k6,6nr | awk '$3 ~ /Q$/ { print $1; exit }')
echo "$type" >"$(vgpu_file "$vf" current_vgpu_type)" || ktap_exit_fail_msg "no type $type"
result "a tenant finds its own marks" search_finds
result "the next tenant finds none of the last one (R39)" closed 18
result "nor of one that was killed (R39)" killed 19
if have_model; then
	result "nor is there any in the memory shared with the plugin task (R39)" shared_area
else
	ktap_test_skip "nor is there any in the memory shared with the plugin task (R39)"
fi
echo 0 >"$(vgpu_file "$vf" current_vgpu_type)"
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
