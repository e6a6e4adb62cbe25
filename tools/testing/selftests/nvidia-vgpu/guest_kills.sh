#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# QEMUs, through a VFIO group and through iommufd in turn, are killed (SIGKILL) at
# random moments between their exec and their running guest. Each leaves a VF that
# works for the next one, and nothing else (R14, R20, R39).
#
#   exec -- open: the vGPU is made -- firmware, kernel -- guest uses it ->
#   |<------- seven of eight die here ------->|                        |
#   |<------- in a long run, the eighth dies anywhere here ----------->|
#
# That one goes on from a guest that has been saved, to be there soon.
#
# TEST_GUEST_KILLS kills (default 4; 500 with make guest-kills), of which some guests
# run from 100 on. TEST_GUEST_SEED repeats the order and the moments of an earlier run,
# as far as the scheduler does. Moments are shares of what one QEMU alone takes.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh
. tools/testing/guest/guest.sh

KILLS=${TEST_GUEST_KILLS:-4}
SEED=${TEST_GUEST_SEED:-$$}
WITH_RUNNING=100
BATCH=50
WORKERS=$((KILLS < WITH_RUNNING ? 2 : 4))
TYPE=942
SPOTS="0 64 1048576"

backends=(group iommufd)
# What a guest does until it is killed.
uses=("fill 1 0x5eed $SPOTS" "check 1 0x5eed $SPOTS" reset)
# What an open that was killed may have begun: see soak.
undone=(gfid-unknown cleanup-running shutdown-twice)

opens_alone() {
	local begun status=0

	watch_vf "${vfs[0]}" || return 1
	begun=$(now_ms)
	guest_start alone "${vfs[0]}"
	watched 30 "poll state running" >/dev/null || { guest_report alone; status=1; }
	OPENS_MS=$(($(now_ms) - begun))
	guest_kill alone
	unwatch_vf
	return $status
}

runs_alone() {
	local begun

	guest_save "$scratch/state" || return 1
	begun=$(now_ms)
	GUEST_STATE=$scratch/state guest_start alone "${vfs[0]}"
	guest_ready alone || return 1
	RUNS_MS=$(($(now_ms) - begun))
	guest_kill alone
}

# use_until MS NAME: until then the guest is told what to do next. The last that it
# has said is in $said.
use_until() {
	local left line step=0

	said=
	while left=$(($1 - $(now_ms))); ((left > 0)); do
		IFS= read -r -t "$(printf '%d.%03d' $((left / 1000)) $((left % 1000)))" -u "${guest_out[$2]}" line || return 0
		said=$line
		case $line in
		ready | ok*) printf '%s\n' "${uses[step++ % ${#uses[@]}]}" >&"${guest_in[$2]}" ;;
		*) return 1 ;;
		esac
	done
}

# kill_one NUMBER VF: nothing but the kill may end QEMU, and nothing of it may fail.
kill_one() {
	local said state='' status=0 span=$((OPENS_MS * 2)) moment GUEST_STATE='' GUEST_BACKEND=${backends[($1 + $1 / WORKERS) % 2]}

	# One of eight, by each worker in turn.
	if ((KILLS >= WITH_RUNNING && $1 / 8 % 8 == $1 % 8)); then
		GUEST_STATE=$scratch/state span=$((RUNS_MS * 2))
	fi
	# Others have the CPU, too. First half and second half of the time in turn.
	span=$((span * WORKERS / 2))
	moment=$(((RANDOM << 15 | RANDOM) % span + $1 / WORKERS % 2 * span))
	guest_start "$1" "$2"
	use_until $(($(now_ms) + moment)) "$1" || status=1
	read -r state <"$(vgpu_file "$2" state)" || status=1
	if [ $status != 0 ] || ! kill -0 "${guest_pid[$1]}"; then
		guest_report "$1"
	fi
	kill -KILL "${guest_pid[$1]}"
	guest_release "$1"
	if [ $? != 137 ] || [ $status != 0 ]; then
		echo "failed: $GUEST_BACKEND $2 after $moment ms, $state: $said"
	else
		echo "killed: $GUEST_BACKEND, vGPU $state${said:+, guest runs}"
	fi
}

# killer WORKER FIRST LAST: two VFs of its own, on either of which the next QEMU
# comes when the one before is dead.
killer() {
	local i

	RANDOM=$((SEED + $1 + $2))
	for ((i = $2 + $1; i < $3; i += WORKERS)); do
		kill_one "$i" "${vfs[$1 + WORKERS * (RANDOM % 2)]}"
	done
}

# batch FIRST LAST
batch() {
	local i pids=()

	for ((i = 0; i < WORKERS; i++)); do
		killer "$i" "$1" "$2" >"$scratch/batch.$i" 2>"$scratch/errors.$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	cat "$scratch"/batch.? >>"$scratch/killed"
	[ "$(grep -h -c '^killed:' "$scratch/killed")" = "$2" ] || { cat "$scratch"/batch.? "$scratch"/errors.?; return 1; }
	settled selected && scrubbed && all_open && settled selected && no_refusals "${undone[@]}"
}

# Of many. Chance, or a busy host, may have it that a few all die early, or late.
different_moments() {
	grep -q "vGPU absent" "$scratch/killed" && grep -q "vGPU running$" "$scratch/killed" &&
		grep -q "guest runs" "$scratch/killed"
}

begin $(((KILLS + BATCH - 1) / BATCH + (KILLS >= WITH_RUNNING ? 2 : 0) + 4))
ktap_print_msg "seed $SEED"
enable_vfs $((WORKERS * 2)) || ktap_exit_fail_msg "cannot enable VFs"
select_all $TYPE || ktap_exit_fail_msg "cannot select a type for each"
at_exit+=(guest_kill_all)
remember selected
result "a QEMU opens its VF" opens_alone
ktap_print_msg "the VF is open after $OPENS_MS ms"
if [ "$KILLS" -ge $WITH_RUNNING ]; then
	result "a guest runs" runs_alone
	ktap_print_msg "a guest runs after $RUNS_MS ms"
fi
for ((first = 0; first < KILLS; first += BATCH)); do
	last=$((first + BATCH < KILLS ? first + BATCH : KILLS))
	result "QEMUs killed at random moments, $last of $KILLS (R14, R20)" batch $first $last
done
ktap_print_msg "seed $SEED: $(sort "$scratch/killed" | uniq -c | tr -s ' \n' ' ')"
if [ "$KILLS" -ge $WITH_RUNNING ]; then
	result "they were killed at different moments" different_moments
fi
result "every type is given back" select_all 0
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing else" no_refusals "${undone[@]}"
finish
