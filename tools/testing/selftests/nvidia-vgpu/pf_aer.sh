#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Errors that PCI functions report (AER), injected into the kernel by its
# aer_inject module: what the PF's driver makes of them, and who is told.
#
#   correctable          nobody is told
#   not fatal            users of VFs are told; GSP lives: everything goes on
#                        GSP is dead: the slot is reset, GSP is booted again
#   fatal                the slot is reset, GSP is booted again, vGPUs are lost
#   not recoverable      the GPU is lost, and says so; a reset of the PF helps
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE=942
DONE_MS=$((30000 * TIME_FACTOR))
AER_INJECT=$BUILD/selftests/aer_inject

# One function's error is everybody's below the port: there must be nobody else.
needs_model
modprobe aer_inject 2>/dev/null
[ -e /dev/aer_inject ] || skip_test "needs the aer_inject module"

life() {
	pf_value life "$1"
}

# ends_with WORD: the PCI core says how the recovery of the injected error ends.
ends_with() {
	within $DONE_MS logged "device recovery" && logged "device recovery $1"
}

# answers LINE ANSWER: what the user of the VF does, and gets.
answers() {
	local answer

	answer=$(hold_line "$1")
	[ "$answer" = "$2" ] || { echo "$1: $answer, expected: $2"; return 1; }
}

open_vf() {
	enable_vfs 2 || return 1
	writes $TYPE "$(vgpu_file "${vfs[0]}" current_vgpu_type)" || return 1
	remember idle
	hold_vf "${vfs[0]}"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	answers "watch error" ok
}

# The same VF has a vGPU of the same type again.
opens_again() {
	reads $TYPE "$(vgpu_file "${vfs[0]}" current_vgpu_type)" || return 1
	settled idle || return 1
	hold_vf "${vfs[0]}"
	[ "$held" = open ] || { echo "open again: $held"; log_since_mark; return 1; }
	answers reset ok || return 1
	release_vf && settled idle
}

gone() {
	disable_vfs && settled begin
}

inject() {
	"$AER_INJECT" "$1" "$2"
}

function_of() {
	case $1 in
	pf) echo "$pf" ;;
	vf) echo "${vfs[0]}" ;;
	other) echo "${vfs[1]}" ;;
	esac
}

correctable() {
	local losses boots

	boots=$(life boots)
	losses=$(life losses)
	mark_log
	open_vf && inject "$pf" correctable || return 1
	within $DONE_MS logged 'PCIe Bus Error: severity=Correct' && answers "no error" ok || return 1
	is_phase running && answers reset ok && release_vf || return 1
	[ "$(life boots) $(life losses)" = "$boots $losses" ] && gone
}

# The error is reported by the PF, by the VF, or by one that nobody uses.
nonfatal() {
	local boots status=0

	boots=$(life boots)
	mark_log
	open_vf || return 1
	inject "$(function_of "$1")" nonfatal && ends_with successful || status=1
	is_phase running || status=1
	[ "$(life boots)" = "$boots" ] || { echo "GSP was booted again"; status=1; }
	answers "wait error" ok || status=1
	answers "bme on" ok && answers reset ok || status=1
	release_vf && gone || status=1
	return $status
}

# The error that is not fatal for the link is found to have killed GSP.
nonfatal_dead() {
	local boots status=0

	boots=$(life boots)
	mark_log
	open_vf || return 1
	# The health check looks every two seconds, and may be first.
	gpu_ctl fault gsp-death && inject "$pf" nonfatal && ends_with successful || status=1
	gpu_ctl fault clear
	is_phase running || status=1
	[ "$(life boots)" -eq $((boots + 1)) ] || { echo "boots: $(life boots), were $boots"; status=1; }
	logged "$PF_DRIVER $pf: PCI error: GSP is lost: its core has stopped" || status=1
	answers "wait error" ok && answers reset "error EIO" || status=1
	release_vf && opens_again && gone || status=1
	return $status
}

fatal() {
	local boots status=0

	boots=$(life boots)
	mark_log
	open_vf || return 1
	inject "$(function_of "$1")" fatal && ends_with successful || status=1
	is_phase running || status=1
	[ "$(life boots)" -eq $((boots + 1)) ] || { echo "boots: $(life boots), were $boots"; status=1; }
	logged "$PF_DRIVER $pf: PCI error: .*vGPUs of VF 0 are lost" || status=1
	answers "wait error" ok && answers reset "error EIO" && answers "bme on" "error EIO" || status=1
	release_vf && opens_again && gone || status=1
	return $status
}

fatal_idle() {
	mark_log
	inject "$pf" fatal && ends_with successful && is_phase running && settled begin
}

# A function without a driver cannot take part, and the PCI core gives up.
not_recoverable() {
	local status=0

	mark_log
	open_vf || return 1
	echo "${vfs[1]}" >"/sys/bus/pci/drivers/$VF_DRIVER/unbind" || return 1
	inject "$pf" "$1" && ends_with failed || status=1
	is_phase lost || status=1
	logged "$PF_DRIVER $pf: PCI error: the PCI core could not recover the link" || status=1
	answers "wait error" ok && answers reset "error EIO" || status=1
	release_vf
	hold_vf "${vfs[0]}"
	[ "$held" = "error EIO" ] || { echo "open while lost: $held"; status=1; }
	echo 1 >"/sys/bus/pci/devices/$pf/reset" || status=1
	is_phase running || status=1
	remember idle
	opens_again && gone || status=1
	return $status
}

# GSP does not boot after the reset of the slot: cleanly dead, until it does.
boot_fails() {
	local status=0

	mark_log
	enable_vfs 1 || return 1
	gpu_ctl fault "booter-error=0x35" || return 1
	inject "$pf" fatal && ends_with failed || status=1
	gpu_ctl fault clear
	is_phase lost || status=1
	hold_vf "${vfs[0]}"
	[ "$held" = "error ENODEV" ] || { echo "open without a type while lost: $held"; status=1; }
	echo 1 >"/sys/bus/pci/devices/$pf/reset" || status=1
	is_phase running && gone || status=1
	return $status
}

begin 11
result "a correctable error of the PF" correctable
result "an error of the PF that is not fatal" nonfatal pf
result "one of a VF" nonfatal vf
result "one of a VF that nobody uses (R38)" nonfatal other
result "one that has killed GSP (R40)" nonfatal_dead
result "a fatal error of the PF without vGPU (R40)" fatal_idle
result "a fatal error of the PF (R40)" fatal pf
result "a fatal error of the VF (R40)" fatal vf
result "an error that the PCI core cannot recover from (R40)" not_recoverable nonfatal
result "GSP does not boot after the slot was reset" boot_fails
rmmod aer_inject
result "the GPU refused nothing" no_refusals fault-injected
finish
