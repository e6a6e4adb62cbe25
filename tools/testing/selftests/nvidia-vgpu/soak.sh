#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Create, scrub, destroy over 32 VFs while faults come and go: whatever fails, at
# the end every VF works and every count is at its start (R14, R38, R39).
#
#   WORKERS at a time   open and close a VF, some of them killed while it is open
#   one more            a fault of the list, for a moment, then another
#   afterwards          no fault: every VF opens, all is given back
#
# Then users are killed (SIGKILL) at random moments of opening, resets, messages,
# and closing, without any other fault: each of them leaves a VF that works.
#
# TEST_SOAK_CYCLES opens in all (default 64; 1000 for a soak), TEST_SOAK_KILLS
# kills (default 24; 500 for a soak). TEST_SOAK_SEED repeats the order and the
# moments of an earlier run, as far as the scheduler does.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

CYCLES=${TEST_SOAK_CYCLES:-64}
KILLS=${TEST_SOAK_KILLS:-24}
SEED=${TEST_SOAK_SEED:-$$}
# An open takes about a third of it.
KILL_MS=$((400 * TIME_FACTOR))
WORKERS=4
TYPE_1Q=941 # 32 of them fill the GPU

# What firmware, plugin and copy engine may do wrong and be forgiven. Those that
# a driver only sees by waiting are left to the tests that measure the wait.
FAULTS=(
	"control-status=0x20804001:0x1a:1"	# BOOTLOAD: no resources
	"control-status=0x20804002:0x65:1"	# SHUTDOWN: timeout
	"control-status=0x20804008:0x65:1"	# CLEANUP: timeout
	"rpc-result=103:0x1a:1:1"		# allocating an object
	"rpc-result=76:0x1a:1:2"		# a control
	"plugin-result=1:1"
	"plugin-result=2:1"
	"plugin-result=13:1"
	"late-reply=76:30:2"
	"plugin-late=2:30"
	"ce-fault=1"
	"lost-nonstall=1"
)

needs_model

# One open and close, or one that is killed on the way. Failing is allowed, hanging is not.
cycle() {
	local vf=$1

	if ((RANDOM % 4)); then
		timeout 120 "$VFIO_HOLD" "$vf" 1
	else
		timeout -s KILL 0.$((RANDOM % 9 + 1)) "$VFIO_HOLD" "$vf" <>"$scratch/pause"
	fi >/dev/null 2>&1
	case $? in
	0) echo worked ;;
	124) echo hung ;;
	137) echo killed ;;
	*) echo failed ;;
	esac
}

# worker N: every WORKERS-th VF belongs to it.
worker() {
	local i first=$1

	RANDOM=$((SEED + first))
	for ((i = first; i < CYCLES; i += WORKERS)); do
		cycle "${vfs[(i + RANDOM % 8 * WORKERS) % ${#vfs[@]}]}"
	done
}

trouble() {
	RANDOM=$((SEED - 1))
	until [ -e "$scratch/enough" ]; do
		gpu_ctl fault "${FAULTS[RANDOM % ${#FAULTS[@]}]}" || return 1
		read -r -t 0.$((RANDOM % 5 + 1)) <>"$scratch/pause"
		gpu_ctl fault clear || return 1
		read -r -t 0.$((RANDOM % 5 + 1)) <>"$scratch/pause"
	done
	return 0
}

soak() {
	local i pids=() trouble

	mkfifo "$scratch/pause"
	trouble &
	trouble=$!
	for ((i = 0; i < WORKERS; i++)); do
		worker "$i" >"$scratch/worker.$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	# It ends by itself: a fault that it is about to set must not come after the last clear.
	touch "$scratch/enough"
	wait "$trouble" || { echo "faults could not be set"; return 1; }
	[ "$(cat "$scratch"/worker.* | wc -l)" = "$CYCLES" ] && ! grep -q hung "$scratch"/worker.*
}

# kill_one VF: its user, busy with all that has an effect on firmware. Nothing
# but the kill may end him, and nothing that he does may fail.
kill_one() {
	local pid moment=$((RANDOM % KILL_MS)) said=$scratch/said.$BASHPID

	"$VFIO_HOLD" "$1" <"$scratch/busy" >"$said" &
	pid=$!
	read -r -t "$(printf '%d.%03d' $((moment / 1000)) $((moment % 1000)))" <>"$scratch/pause"
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	if grep -q error "$said"; then
		echo "failed $1 after $moment ms: $(grep -m 1 error "$said")"
	elif grep -q open "$said"; then
		echo "killed while open"
	else
		echo "killed before"
	fi
}

killer() {
	local i first=$1

	RANDOM=$((SEED + 1000 + first))
	for ((i = first; i < KILLS; i += WORKERS)); do
		kill_one "${vfs[(i + RANDOM % 8 * WORKERS) % ${#vfs[@]}]}"
	done
}

kills() {
	local i pids=()

	for ((i = 0; i < 200; i++)); do
		printf '%s\n' "bme on" fill reset flr clean "bme off"
	done >"$scratch/busy"
	for ((i = 0; i < WORKERS; i++)); do
		killer "$i" >"$scratch/killer.$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(cat "$scratch"/killer.* | grep -c killed)" = "$KILLS" ] || { grep -h failed "$scratch"/killer.*; return 1; }
}

some_succeeded() {
	grep -q worked "$scratch"/worker.*
}

begin 10
ktap_print_msg "seed $SEED"
enable_vfs 32 || ktap_exit_fail_msg "cannot enable 32 VFs"
select_all $TYPE_1Q || ktap_exit_fail_msg "cannot select a type for each"
remember selected
result "$CYCLES cycles over ${#vfs[@]} VFs with faults (R38)" soak
ktap_print_msg "seed $SEED: $(sort "$scratch"/worker.* | uniq -c | tr -s ' \n' ' ')"
result "some of them succeeded" some_succeeded
result "every VF works afterwards (R14, R16, R38)" all_open
result "counts after them" settled selected
result "$KILLS users killed at random moments (R20)" kills
ktap_print_msg "seed $SEED: $(sort "$scratch"/killer.* | uniq -c | tr -s ' \n' ' ')"
result "every VF works after that (R20)" all_open
result "counts after that" settled selected
result "every type is given back" select_all 0
disable_vfs
result "nothing is left behind" settled
# Where a fault or a kill leaves open whether BOOTLOAD, SHUTDOWN or CLEANUP has
# happened, the driver undoes it, and firmware refuses what there is not.
result "the GPU refused nothing else" no_refusals gfid-unknown cleanup-running shutdown-twice
finish
