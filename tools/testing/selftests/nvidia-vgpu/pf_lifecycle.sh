#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# What a VF driver finds at the handle of its PF, who may go when, and sleep:
#
#   R1 one handle for all VFs   R2 supported, and why not (pf_without_vgpu)
#   R3 status and capabilities  R4 attach and detach against every way to go
#   R5 enumeration              R11 SR-IOV change and unbind are told
#   R19 sleep is told, and refused while a VF is open
#
# Every order of unbind, removal and kill with a VF open ends with nothing left.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE=942
SLEEP_PCI=$BUILD/selftests/sleep_pci/sleep_pci.ko
# Until a device is closed that its user holds, VFIO makes an unbind wait.
GOES_MS=20000

stats() {
	pf_value stats "$1"
}

stat_is() {
	[ "$(stats "$1")" = "$2" ] || { echo "$1 is $(stats "$1"), not $2"; return 1; }
}

open_one() {
	writes $TYPE "$(vgpu_file "$1" current_vgpu_type)" || return 1
	hold_vf "$1"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
}

# One client for all VFs, from the first that attaches to the last that detaches.
one_handle() {
	local clients

	stat_is attached 0 && enable_vfs 1 && stat_is attached 1 || return 1
	clients=$(stats clients)
	disable_vfs && enable_vfs 4 || return 1
	stat_is attached 4 && stat_is clients "$clients" || return 1
	echo "${vfs[0]}" >"/sys/bus/pci/drivers/$VF_DRIVER/unbind" || return 1
	stat_is attached 3 && stat_is clients "$clients" || return 1
	disable_vfs && stat_is attached 0 && settled begin
}

# The engines of AD102: graphics, 5 copy, 3 video decoders, 3 encoders, security,
# 4 JPEG, optical flow, and the one of software.
ENGINES=19
# Channel IDs of a runlist, and those that are not for vGPUs.
CHANNELS=2048
HOST_CHANNELS=64

# What the emulated GPU has been told to be is what the driver says.
is_what_the_model_has() {
	local vram fb=$1 channels=$2 engines=$3

	have_model || return 0
	vram=$(numfmt --from=iec "$(gpu_ctl get vram)") || return 1
	# Firmware keeps some for itself, up to a gigabyte.
	if [ "$fb" -ge "$vram" ] || [ "$fb" -lt $((vram - (1 << 30))) ]; then
		echo "FB $fb of $vram"
		return 1
	fi
	[ "$channels" -eq $((CHANNELS - HOST_CHANNELS)) ] || { echo "$channels channels"; return 1; }
	[ "$engines" -eq $ENGINES ] || { echo "$engines engines"; return 1; }
}

enumeration() {
	local line total

	total=$(($(stats fb_total) >> 20))
	line=$(dmesg | grep "$PF_DRIVER $pf: vGPU: " | tail -n 1)
	[[ $line =~ vGPU:\ ([0-9]+)\ VFs,\ ([0-9]+)\ MiB\ FB\ in\ segments\ of\ ([0-9]+)\ MiB,\ ([0-9]+)\ channels,\ ([0-9]+)\ engines,\ ECC\ (on|off) ]] ||
		{ echo "no line with the facts: $line"; return 1; }
	[ "${BASH_REMATCH[1]}" -eq "$(cat "/sys/bus/pci/devices/$pf/sriov_totalvfs")" ] || { echo "VFs: $line"; return 1; }
	# What vGPUs can have is whole segments: at each end less than one is left over.
	if [ $((BASH_REMATCH[2] % BASH_REMATCH[3])) -ne 0 ] || [ "${BASH_REMATCH[2]}" -gt $total ] ||
		[ $((BASH_REMATCH[2] + 2 * BASH_REMATCH[3])) -le $total ]; then
		echo "FB of $total MiB: $line"
		return 1
	fi
	[ "${BASH_REMATCH[4]}" -eq "$(stats channels_available)" ] || { echo "channels: $line"; return 1; }
	if [ "${BASH_REMATCH[3]}" -eq 0 ] || [ "${BASH_REMATCH[5]}" -eq 0 ]; then
		echo "$line"
		return 1
	fi
	is_what_the_model_has "$(stats fb_total)" "${BASH_REMATCH[4]}" "${BASH_REMATCH[5]}" &&
		grep -q '^vgpu supported$' "/sys/kernel/debug/$PF_DRIVER/$pf/stats" &&
		dmesg | grep -q "$PF_DRIVER $pf: GSP 570.144 runs on " &&
		dmesg | grep -q "$PF_DRIVER $pf: NVIDIA AD10[2-7] revision "
}

# stopped_while_open COMMAND…: the command waits for the VFIO device, whose
# user closes it a second later; then it ends in time.
stopped_while_open() {
	local pid

	"$@" &
	pid=$!
	sleep 1
	kill -0 "$pid" 2>/dev/null || { echo "'$*' did not wait"; release_vf; return 1; }
	release_vf
	ends "$pid" $GOES_MS
}

# killed_while_open COMMAND…: the same, but the user is killed.
killed_while_open() {
	local pid

	"$@" &
	pid=$!
	sleep 1
	kill -KILL "$HOLD_PID"
	wait "$HOLD_PID" 2>/dev/null
	ends "$pid" $GOES_MS
}

unbind() {
	echo "$2" >"/sys/bus/pci/drivers/$1/unbind"
}

unplug() {
	echo 1 >"/sys/bus/pci/devices/$1/remove"
}

bound_again() {
	[ "$(host_driver "$pf")" = "$PF_DRIVER" ] || echo "$pf" >"/sys/bus/pci/drivers/$PF_DRIVER/bind" || return 1
	settled begin
}

# goes HOW COMMAND…: with a VF open.
goes() {
	local how=$1
	shift

	enable_vfs 2 && open_one "${vfs[0]}" || return 1
	"$how" "$@" || return 1
}

pf_unbound() {
	goes "$1" unbind "$PF_DRIVER" "$pf" && bound_again
}

vf_unbound() {
	enable_vfs 2 && open_one "${vfs[0]}" || return 1
	"$1" unbind "$VF_DRIVER" "${vfs[0]}" && stat_is attached 1 && disable_vfs && settled begin
}

pf_unplugged() {
	goes "$1" unplug "$pf" || return 1
	echo 1 >/sys/bus/pci/rescan
	bound_again
}

# Both modules are in use, so they stay.
modules_stay() {
	local status=0

	enable_vfs 1 && open_one "${vfs[0]}" || return 1
	! rmmod "$VF_DRIVER" 2>/dev/null || { echo "$VF_DRIVER was removed"; status=1; }
	! rmmod "$PF_DRIVER" 2>/dev/null || { echo "$PF_DRIVER was removed"; status=1; }
	release_vf && disable_vfs && settled begin || status=1
	return $status
}

# A VFIO driver that is not there does not keep the PF.
without_vf_driver() {
	rmmod "$VF_DRIVER" && echo 2 >"$numvfs" && unbind "$PF_DRIVER" "$pf" &&
		insmod "$MODULES_DIR/$VF_DRIVER.ko" && bound_again && reads 0 "$numvfs"
}

# sleeps ERROR: the PF goes to sleep and wakes up, or refuses (see sleep_pci.c).
sleeps() {
	local output

	output=$(insmod "$SLEEP_PCI" "device=$pf" 2>&1)
	[[ $output == *"$1"* ]] || { echo "sleep: ${output:-no error}, expected: $1"; log_since_mark; return 1; }
}
SLEPT="No data available"

phase_is() {
	stat_is phase "$1"
}

sleep_idle() {
	mark_log
	sleeps "$SLEPT" && phase_is running && enable_vfs 1 && disable_vfs && settled begin
}

# VFs that are not open sleep too; types and selections are there afterwards.
sleep_with_vfs() {
	local answer

	mark_log
	enable_vfs 2 && writes $TYPE "$(vgpu_file "${vfs[1]}" current_vgpu_type)" || return 1
	sleeps "$SLEPT" && phase_is running && reads 2 "$numvfs" || return 1
	reads $TYPE "$(vgpu_file "${vfs[1]}" current_vgpu_type)" || return 1
	hold_vf "${vfs[1]}"
	[ "$held" = open ] || { echo "open: $held"; log_since_mark; return 1; }
	answer=$(hold_line reset)
	release_vf
	[ "$answer" = ok ] || { echo "reset: $answer"; return 1; }
	disable_vfs && settled begin
}

sleep_refused() {
	local answer

	mark_log
	enable_vfs 2 && open_one "${vfs[1]}" || return 1
	sleeps "Device or resource busy" || { release_vf; return 1; }
	logged "$PF_DRIVER $pf: cannot sleep: .*in use: VF 1;" || { release_vf; return 1; }
	answer=$(hold_line reset)
	release_vf
	[ "$answer" = ok ] || { echo "the vGPU did not survive: $answer"; return 1; }
	disable_vfs && settled begin
}

# sleep_test DESC CMD: where the kernel can sleep.
sleep_test() {
	if [ -e /sys/power/state ] && [ -e "$SLEEP_PCI" ]; then
		result "$@"
	else
		ktap_test_skip "$1 (a kernel without sleep)"
	fi
}

begin 14
result "all VFs share one handle (R1, R4)" one_handle
result "the facts about the GPU are complete (R3, R5)" enumeration
for how in stopped_while_open killed_while_open; do
	result "unbind the PF with a VF open: $how (R4, R11)" pf_unbound $how
	result "unbind the VF while it is open: $how (R4)" vf_unbound $how
	result "remove the PF with a VF open: $how (R4, R11)" pf_unplugged $how
done
result "modules in use stay (R4)" modules_stay
result "unbind the PF without a driver for its VFs (R11)" without_vf_driver
sleep_test "sleep (R19)" sleep_idle
sleep_test "sleep with VFs that are not open (R19)" sleep_with_vfs
sleep_test "sleep is refused while a VF is open (R19)" sleep_refused
result "the GPU refused nothing" no_refusals
finish
