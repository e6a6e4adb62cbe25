#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Eight threads that call random ioctls, reads, writes and mappings on one vGPU
# (tools/testing/fuzz/vfio_fuzz.c), as a hostile VMM could: the kernel says
# nothing, the vGPU's neighbour keeps what it has, and the VF can be used again.
#
#   TEST_FUZZ_SECONDS   how long (default 15; "make fuzz": 20 minutes)
#   TEST_FUZZ_SEED      repeats the calls of each thread (default: by chance)
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE=942
SECONDS_OF_CALLS=${TEST_FUZZ_SECONDS:-15}
SEED=${TEST_FUZZ_SEED:-$((RANDOM << 15 | RANDOM))}
# What a guest does to its registers is refused by the GPU, and nobody else's.
GUESTS="vf-"

calls() {
	"$BUILD/selftests/vfio_fuzz" "${vfs[0]}" "$SECONDS_OF_CALLS" "$SEED"
}

# The log of the calls is the record of a run by chance.
all_answered() {
	echo "# TEST_FUZZ_SEED=$SEED TEST_FUZZ_SECONDS=$SECONDS_OF_CALLS"
	calls >"$scratch/calls"
	status=$?
	sed 's/^/# /' "$scratch/calls"
}

every_kind_worked() {
	awk '
		$(NF - 2) == "calls" && $(NF - 3) == 0 { print "never called: " $0; bad = 1 }
		# Of some the device has none, or only wrong ones can be made.
		/^(get_pci_hot_reset_info|pci_hot_reset|ioeventfd|bind|other|attach|detach)/ { next }
		$NF == "worked" && $(NF - 1) == 0 { print "never worked: " $0; bad = 1 }
		END { exit bad }' "$scratch/calls"
}

begin 8
enable_vfs 2 || ktap_exit_fail_msg "cannot enable VFs"
for vf in "${vfs[@]}"; do
	echo $TYPE >"$(vgpu_file "$vf" current_vgpu_type)"
done
remember selected
hold_vf "${vfs[1]}"
result "a neighbour is open" test "$held" = open
remember neighbour
mark_log
all_answered
result "every call is answered" test "$status" = 0
result "the kernel has nothing to say" kernel_is_silent
result "every kind of call was made" every_kind_worked
result "the neighbour's vGPU works" test "$(hold_line reset)" = ok
release_vf
result "the VF can be used again" "$VFIO_HOLD" "${vfs[0]}" 2
for vf in "${vfs[@]}"; do
	echo 0 >"$(vgpu_file "$vf" current_vgpu_type)"
done
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing but to the guest" no_refusals "$GUESTS.*"
finish
