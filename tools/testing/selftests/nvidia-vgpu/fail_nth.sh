#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Memory runs out at each allocation in turn, in everything that somebody can ask
# the drivers for: the answer is ENOMEM or what was wanted, nothing is left behind,
# and the next turn, which gets one allocation further, works (R6, R14).
#
# Every allocation counts that the operation needs, those of the kernel around the
# drivers as well: what fails in between is undone by both. Which one a failed turn
# was about is told in the log with FAIL_VERBOSE=2.
#
# Others of the kernel may warn when it is their allocation that fails, and the PCI
# core does not survive it when VFs are enabled. There, what comes before is tried, and
# then, as where a turn takes long, what a driver needs itself.
#
# Needs CONFIG_FAILSLAB, which the lab's debug kernel has.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE=942
FAULTS=/sys/kernel/debug/failslab
FAIL_NTH=$BUILD/selftests/fail_nth

prepare() {
	# Nobody's allocations fail but those of who asks for it.
	echo 0 >$FAULTS/probability && echo N >$FAULTS/ignore-gfp-wait &&
		echo "${FAIL_VERBOSE:-0}" >$FAULTS/verbose
}

# fails OPERATION [ARGUMENT…]: each allocation of it
fails() {
	local status=0

	"$FAIL_NTH" "$COUNTS" "$@" >"$scratch/turns" || status=1
	sed 's/^/# /' "$scratch/turns" >&3
	return $status
}

# fails_with NAME=VALUE OPERATION [ARGUMENT…]: with a variable for fail_nth.c
fails_with() {
	local -x "$1"
	shift

	fails "$@"
}

# only_of MODULE: from now on count allocations that it makes, or has made by the next
# two functions that it calls. The kernel's own three are above these.
only_of() {
	local first last

	{ read -r first && read -r last; } < <(awk -v module="[$1]" '
		$4 == module && $2 ~ /[tT]/ { print $1 }' /proc/kallsyms | sort | sed -n '1p;$p')
	printf '0x%s' "$first" >$FAULTS/require-start &&
		# Of the last function only the start is known.
		printf '0x%x' $((0x$last | 0xfff)) >$FAULTS/require-end &&
		echo 6 >$FAULTS/stacktrace-depth
}

if [ ! -e /proc/self/fail-nth ] || [ ! -e $FAULTS ]; then
	skip_test "the kernel has no CONFIG_FAILSLAB"
fi
exec 3>&1
begin 21
COUNTS=/sys/kernel/debug/$PF_DRIVER/$pf/stats
prepare || ktap_exit_fail_msg "cannot set up the faults"
enable_vfs 1 || ktap_exit_fail_msg "cannot enable a VF"
vf=${vfs[0]}
type_file=$(vgpu_file "$vf" current_vgpu_type)
driver=/sys/bus/pci/drivers/$VF_DRIVER
pf_driver=/sys/bus/pci/drivers/$PF_DRIVER
pf_dir=/sys/bus/pci/devices/$pf
result "choosing a type" fails write "$type_file" $TYPE "$type_file" 0
writes $TYPE "$type_file"
remember selected
result "opening a vGPU (R6)" fails open "$vf"
# The IOMMU core warns when there is no memory to take the device out of its domain,
# which comes after these.
result "closing it (R14)" fails_with TURNS=22 close "$vf"
# A vGPU that is not as it was before its guest does not survive.
result "resetting it" fails_with ERROR=EIO reset "$vf"
result "what a VMM does with it" fails use "$vf"
result "reading what can be created" fails read "$(vgpu_file "$vf" creatable_vgpu_types)"
result "nothing is left behind" settled selected
writes 0 "$type_file"
echo "$vf" >"$driver/unbind"
# VFIO's core warns when there is no memory for a group, which comes after these.
result "binding a VF" fails_with TURNS=60 write "$driver/bind" "$vf" "$driver/unbind" "$vf"
host_bind_vf "$vf"
result "unbinding it" fails write "$driver/unbind" "$vf" "$driver/bind" "$vf"
disable_vfs
echo 1 >"$numvfs"
result "disabling it" fails write "$numvfs" 0 "$numvfs" 1
disable_vfs
result "nothing is left behind" settled

# What a driver needs itself, where not all of the kernel's can be tried.
for module in "$VF_DRIVER" "$PF_DRIVER"; do
	only_of "$module"
	result "enabling VFs, $module" fails write "$numvfs" 2 "$numvfs" 0
	enable_vfs 1 && select_all $TYPE
	result "closing a vGPU, $module" fails close "$vf"
	disable_vfs
done
COUNTS=/dev/null
result "resetting the PF" fails_with EVERY=5 write "$pf_dir/reset" 1 "$pf_dir/reset" 1
pf_unbind
# To the PCI core, a resource without memory for it is one in use.
result "booting GSP" fails_with ERROR=EBUSY write "$pf_driver/bind" "$pf" "$pf_driver/unbind" "$pf"
pf_back
result "stopping GSP" fails write "$pf_driver/unbind" "$pf" "$pf_driver/bind" "$pf"
result "nothing is left behind" settled
result "GSP answers" gsp_answers
# A reply for which there is no memory is asked for again, and then there is nothing.
# What cannot be given back for want of memory goes with GSP, and GSP goes when what it
# asks for at its boot is lost.
result "the GPU refused nothing else" \
	no_refusals client gfid-unknown unload-leftovers sequencer-order
finish
