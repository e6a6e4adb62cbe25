#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Many guests at once, each on a VF of its own, half of them through a VFIO group
# and half through iommufd: each finds what it has written and nothing of any
# other, resets itself without harm to the others, and goes without leaving
# anything.
#
# TEST_GUESTS of them (default 8): each takes a minute of an emulated CPU to boot.
set -u
. tools/testing/selftests/nvidia-vgpu/many_guests.sh

# What the guest before it has written is not there.
nothing_of_another() {
	local i reply

	for ((i = 0; i < GUESTS; i++)); do
		# shellcheck disable=SC2086 # SPOTS is three words
		reply=$(guest "$i" find 1 "$(seed_of $(((i + 1) % GUESTS)))" $SPOTS)
		[[ $reply == "ok find 0 of "* ]] || { echo "guest $i: $reply"; return 1; }
	done
}

reset_of_one() {
	guest 0 reset >/dev/null || return 1
	for ((i = 1; i < GUESTS; i++)); do
		# shellcheck disable=SC2086 # SPOTS is three words
		guest "$i" check 1 "$(seed_of "$i")" $SPOTS || return 1
	done
}

stop_half_kill_half() {
	local i status=0

	for ((i = 0; i < GUESTS; i++)); do
		if ((i % 2)); then
			guest_kill "$i"
		else
			guest_stop "$i" || status=1
		fi
	done
	return $status
}

begin 9
start_guests
result "$GUESTS guests boot" all_ready
# shellcheck disable=SC2086 # SPOTS is three words
{
	result "each fills its framebuffer" all "ok fill *" fill 1 N $SPOTS
	result "each finds what it has written" all "ok check *" check 1 N $SPOTS
}
result "and nothing of another (R34)" nothing_of_another
result "the reset of one harms no other (R38)" reset_of_one
result "half of them power off, half are killed (R14)" stop_half_kill_half
select_all 0
disable_vfs
result "all FB is scrubbed afterwards (R39)" scrubbed
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
