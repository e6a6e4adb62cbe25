# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For tests with many guests, each on a VF of its own, half of them through a VFIO
# group and half through iommufd. Their names are their numbers. Sourced instead
# of lib.sh.
#
#   start_guests              VFs, types, and a QEMU for each
#   all_ready                 waits for all of them
#   all PATTERN COMMAND…      all of them at once, each with its seed for the word N;
#                             each has to answer so
#   seed_of NUMBER
#
# TEST_GUESTS of them (default 8): to boot takes each a minute of an emulated CPU.
. tools/testing/selftests/nvidia-vgpu/lib.sh

GUESTS=${TEST_GUESTS:-8}
# They boot at once, on the same CPUs.
: "${GUEST_BOOT_TIMEOUT:=$((120 * GUESTS * TIME_FACTOR))}"
. tools/testing/guest/guest.sh

TYPE=942
# 512 words over the first 64 MiB of BAR1.
# shellcheck disable=SC2034 # for the tests
SPOTS="0 512 131072"
backends=(group iommufd)

seed_of() {
	printf '0x%08x' $((0x01010101 * ($1 + 1)))
}

start_guests() {
	local i

	enable_vfs "$GUESTS" || ktap_exit_fail_msg "cannot enable $GUESTS VFs"
	select_all $TYPE || ktap_exit_fail_msg "cannot select a type for each"
	at_exit+=(guest_kill_all)
	for ((i = 0; i < GUESTS; i++)); do
		GUEST_BACKEND=${backends[i % 2]} guest_start "$i" "${vfs[i]}"
	done
}

all_ready() {
	local i status=0

	for ((i = 0; i < GUESTS; i++)); do
		guest_ready "$i" || status=1
	done
	return $status
}

all() {
	local i pattern=$1 reply status=0
	shift

	for ((i = 0; i < GUESTS; i++)); do
		guest_tell "$i" "${@/#N/$(seed_of "$i")}"
	done
	for ((i = 0; i < GUESTS; i++)); do
		reply=$(guest_answer "$i")
		# shellcheck disable=SC2053 # the answer is a pattern
		[[ $reply == $pattern ]] || { echo "guest $i: $*: $reply"; status=1; }
	done
	return $status
}
