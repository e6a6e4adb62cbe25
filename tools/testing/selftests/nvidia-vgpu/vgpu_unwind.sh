#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Creating a vGPU fails at each step in turn: the open reports an error and the
# log says which step and what the firmware answered, what was done is undone,
# and the next open works (R6, R14, R20, R38). The faults are the emulated GPU's.
#
#   RM client: root, device, subdevice -> BOOTLOAD -> boot marker -> messages 1, 2, 13
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

CMD_BOOTLOAD=0x20804001
CMD_SHUTDOWN=0x20804002
CMD_CLEANUP=0x20804008
FN_RM_ALLOC=103
FN_RM_CONTROL=76
NV_ERR_INSUFFICIENT_RESOURCES=0x1a
NV_ERR_TIMEOUT=0x65
TYPE=942

needs_model

# fails_with FAULT LOG: an open under FAULT is refused and the log says why;
# nothing is held; without the fault the same open works.
fails_with() {
	local fault=$1 pattern=$2

	mark_log
	fault "$fault" || return 1
	hold_vf "$vf"
	[ "$held" != open ] || release_vf >/dev/null
	gpu_ctl fault clear || return 1
	[ "$held" != open ] || { echo "the open succeeded under $fault"; return 1; }
	echo "open: $held"
	# A late reply is later than this.
	within $((2500 * TIME_FACTOR)) logged "$pattern" && settled selected && works
}

# What RM or the plugin says to a step is in the line that names the VF.
vf_line() {
	echo "$VF_DRIVER $vf: cannot create a vGPU: $1"
}

works() {
	"$VFIO_HOLD" "$vf" 1 && settled selected
}

# closes_despite FAULT LOG: firmware that fails at closing does not keep the
# VF: the next open works.
closes_despite() {
	hold_vf "$vf"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	mark_log
	fault "$1" || return 1
	release_vf >/dev/null
	gpu_ctl fault clear
	logged "$2" && works
}

# Firmware that refuses CLEANUP may still use memory and channels: they stay
# reserved, and unbinding the VF tries again.
remains_until_unbind() {
	hold_vf "$vf"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
	gpu_ctl fault "control-status=$CMD_CLEANUP:$NV_ERR_TIMEOUT" || return 1
	release_vf >/dev/null
	gpu_ctl fault clear
	if settled selected >/dev/null; then
		echo "FB and channels were given back although CLEANUP failed"
		return 1
	fi
	echo "$vf" >"/sys/bus/pci/drivers/$VF_DRIVER/unbind" || return 1
	host_bind_vf "$vf" && writes $TYPE "$type_file" && works
}

begin 19
# Waiting half a minute for a plugin that stays silent shows nothing more.
rmmod "$VF_DRIVER"
insmod "$MODULES_DIR/$VF_DRIVER.ko" message_timeout_ms=2000 ||
	ktap_exit_fail_msg "cannot load $VF_DRIVER with a shorter timeout"
enable_vfs 1 || ktap_exit_fail_msg "cannot enable a VF"
vf=${vfs[0]}
type_file=$(vgpu_file "$vf" current_vgpu_type)
echo $TYPE >"$type_file"
remember selected
result "an open without a fault works (R20)" works
result "RM refuses the client (R6)" \
	fails_with "rpc-result=$FN_RM_ALLOC:$NV_ERR_INSUFFICIENT_RESOURCES:1" "$(vf_line "RM client: .*0x0*1a")"
result "RM refuses the device (R6)" \
	fails_with "rpc-result=$FN_RM_ALLOC:$NV_ERR_INSUFFICIENT_RESOURCES:1:1" "$(vf_line "RM client: .*0x0*1a")"
result "RM refuses the subdevice (R6)" \
	fails_with "rpc-result=$FN_RM_ALLOC:$NV_ERR_INSUFFICIENT_RESOURCES:1:2" "$(vf_line "RM client: .*0x0*1a")"
result "GSP refuses BOOTLOAD (R6)" \
	fails_with "control-status=$CMD_BOOTLOAD:$NV_ERR_INSUFFICIENT_RESOURCES" "$(vf_line "BOOTLOAD: .*0x0*1a")"
result "version negotiation fails (R20)" fails_with "plugin-result=1:5" "$(vf_line "plugin: VERSION_NEGOTIATION: .*0x5")"
result "the configuration is refused" fails_with "plugin-result=2:5" "$(vf_line "plugin: SETUP_CONFIG.*: .*0x5")"
result "bus master enable is refused" fails_with "plugin-result=13:5" "$(vf_line "plugin: UPDATE_BME_STATE: .*0x5")"
result "the plugin does not answer (R20, R38)" fails_with "plugin-no-answer=2" "$(vf_line "plugin: SETUP_CONFIG.*: no answer")"
result "the plugin answers another message" \
	fails_with "plugin-wrong-sequence=1" "$(vf_line "plugin: VERSION_NEGOTIATION: no answer")"
result "the reply to BOOTLOAD has a wrong checksum" \
	fails_with "bad-checksum=$CMD_BOOTLOAD:1" "$(vf_line "BOOTLOAD: no answer [(]EIO[)]")"
result "the reply to BOOTLOAD is damaged" \
	fails_with "corrupt-element=$CMD_BOOTLOAD:1" "$(vf_line "BOOTLOAD: no answer [(]EIO[)]")"
result "the GPU refused nothing" no_refusals

# From here on the GPU refuses requests because of what the faults kept from it.
result "SHUTDOWN fails at close" \
	closes_despite "control-status=$CMD_SHUTDOWN:$NV_ERR_TIMEOUT" "$VF_DRIVER $vf: SHUTDOWN .*0x0*65"
result "CLEANUP fails at close" \
	closes_despite "control-status=$CMD_CLEANUP:$NV_ERR_TIMEOUT" "$VF_DRIVER $vf: CLEANUP .*0x0*65"
result "CLEANUP fails at close and the VF is unbound (R14, R38)" remains_until_unbind
result "the plugin never boots" fails_with "plugin-no-boot" "$(vf_line "plugin: boot: no answer")"
result "a late reply to BOOTLOAD is not taken for the next one" \
	fails_with "late-reply=$CMD_BOOTLOAD:$((5000 + 500 * TIME_FACTOR)):1" "late reply to function $FN_RM_CONTROL "
echo 0 >"$type_file"
disable_vfs
result "nothing is left behind" settled
finish
