#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Copy engine (R10): the driver's own test of fill and copy, again and again and
# beside itself; then an engine that hangs, faults, or loses its interrupts, and
# firmware that does not let a channel go.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

FN_FREE=10
# NV_ERR_INVALID_STATE
REFUSED=0x40
# The driver's deadline is 4 s without progress; the emulated CPU is slow.
DEADLINE_MS=8000
AT_ONCE_MS=2000

# Bytes in a microsecond: 24 GiB take ten seconds.
SLOW=2500

begin 17
selftest=/sys/kernel/debug/$PF_DRIVER/$pf/ce_selftest
rate=/sys/kernel/debug/$PF_DRIVER/$pf/ce_rate

# A number of the driver's.
ce() {
	pf_value ce "$1"
}

# A number of the emulated GPU's; absent until something has happened.
model() {
	local value

	value=$(gpu_ctl stats "counts.$1" 2>/dev/null)
	echo "${value:-0}"
}

# What driver and engine have done so far, in the same order.
driver_did() {
	echo "$(ce launches) $(ce filled) $(ce copied)"
}

model_did() {
	echo "$(model ce-launches) $(model ce-bytes-filled) $(model ce-bytes-copied)"
}

# since BEFORE AFTER: the difference, number by number.
since() {
	paste -d ' ' <(tr ' ' '\n' <<<"$1") <(tr ' ' '\n' <<<"$2") | awk '{ print $2 - $1 }' | xargs
}

# What the driver says that it has given to the engine is what the engine did.
agrees_with_the_model() {
	local driver model filled

	scrubbed || return 1
	driver=$(driver_did)
	model=$(model_did)
	reads ok "$selftest" && scrubbed || return 1
	driver=$(since "$driver" "$(driver_did)")
	model=$(since "$model" "$(model_did)")
	echo "launches, bytes filled, copied: driver $driver, engine $model"
	read -r _ filled _ <<<"$driver"
	[ "$driver" = "$model" ] && [ "$filled" -gt 536870912 ]
}

# The channel is in a group that the driver has made, not in one of RM's own.
in_a_group() {
	local channels groups

	channels=$(gpu_ctl stats live.host-channels)
	groups=$(gpu_ctl stats live.channel-groups)
	echo "channels $channels, groups $groups"
	[ "$channels" -gt 0 ] && [ "$groups" = "$channels" ]
}

# Of the pieces that were done since, at most a tenth was found by looking: a
# look and an interrupt can come at the same time.
interrupts_tell() {
	local polled=$1 finished=$2

	polled=$(($(ce polled) - polled))
	finished=$(($(ce finished) - finished))
	echo "$polled of $finished found by looking, $(ce interrupts) interrupts"
	[ "$finished" -gt 0 ] && [ $((polled * 10)) -le "$finished" ]
}

# fails_with ERROR MS [FAULT]: the test fails with ERROR within so many
# milliseconds.
fails_with() {
	local error=$1 limit=$2 start

	mark_log
	gpu_ctl fault "$3" || return 1
	start=$(now_ms)
	grep "($error)" "$selftest"
	local status=$? took=$(($(now_ms) - start))
	gpu_ctl fault clear
	echo "after $took ms"
	[ $status = 0 ] || { cat "$selftest"; return 1; }
	[ "$took" -lt "$limit" ]
}

hangs() {
	local timeouts

	scrubbed || return 1
	made=$(ce channels)
	timeouts=$(ce timeouts)
	fails_with ETIMEDOUT $DEADLINE_MS ce-hang=1 || return 1
	[ "$(ce timeouts)" = $((timeouts + 1)) ] || { echo "timeouts $(ce timeouts)"; return 1; }
	logged "no progress on channel"
}

faults() {
	local errors

	scrubbed || return 1
	made=$(ce channels)
	errors=$(ce errors)
	fails_with EIO $AT_ONCE_MS ce-fault=1 || return 1
	[ "$(ce errors)" = $((errors + 1)) ] || { echo "errors $(ce errors)"; return 1; }
	logged "firmware has stopped channel"
}

# One more channel was made since the last failure: by the test, or for what is
# scrubbed behind it.
works_again() {
	reads ok "$selftest" && scrubbed || return 1
	[ "$(ce channels)" = $((made + 1)) ] || { echo "channels $made, then $(ce channels)"; return 1; }
}

# Without any interrupt all is done all the same.
lost_interrupts() {
	local polled status

	polled=$(ce polled)
	gpu_ctl fault lost-nonstall || return 1
	reads ok "$selftest"
	status=$?
	gpu_ctl fault clear
	[ $status = 0 ] && [ "$(ce polled)" -gt "$polled" ]
}

# The failed channel cannot be freed: its ID stays out of use, and another one
# serves. (Not one that hangs: it would keep the engine from all others.)
stays_out_of_use() {
	local before status

	scrubbed || return 1
	before=$(ce channel)
	gpu_ctl fault "ce-fault=1;rpc-result=$FN_FREE:$REFUSED" || return 1
	grep "(EIO)" "$selftest" && reads ok "$selftest"
	status=$?
	gpu_ctl fault clear
	[ $status = 0 ] || return 1
	[ "$(ce retired)" = 1 ] || { echo "retired $(ce retired)"; return 1; }
	[ "$(ce channel)" != "$before" ] || { echo "channel $before again"; return 1; }
	grep "range $before .* quarantine" "/sys/kernel/debug/$PF_DRIVER/$pf/channels"
}

# It is asked for again when a channel is made next.
comes_back() {
	faults || return 1
	works_again || return 1
	[ "$(ce retired)" = 0 ] || { echo "retired $(ce retired)"; return 1; }
	! grep quarantine "/sys/kernel/debug/$PF_DRIVER/$pf/channels"
}

in_flight() {
	[ "$(ce in_flight)" -gt 0 ]
}

# while_filling CMD…: CMD while a fill of 24 GiB takes some ten seconds. Leaves
# what the fill has reported in $scratch/rate. Its process is $filler.
while_filling() {
	local status

	gpu_ctl set ce-rate $SLOW || return 1
	cat "$rate" >"$scratch/rate" 2>&1 &
	filler=$!
	within $((2500 * TIME_FACTOR)) in_flight && "$@"
	status=$?
	wait "$filler" 2>/dev/null
	gpu_ctl set ce-rate 0
	return $status
}

kill_filler() {
	local start

	start=$(now_ms)
	kill -9 "$filler"
	wait "$filler" 2>/dev/null
	echo "gone after $(($(now_ms) - start)) ms"
	[ $(($(now_ms) - start)) -lt 4000 ]
}

# Killed, a caller gives the engine nothing more: it ends with the pieces that it
# had, which take a second, and not with the fill.
killed() {
	while_filling kill_filler
}

# As long as two want the engine, each has half of it. The second one fills less,
# so it never has it alone.
shares() {
	local speed

	while_filling cat "$rate" >"$scratch/second" || return 1
	speed=$(awk '$1 == "bytes" { print int($2 * 1000 / $4) }' "$scratch/second")
	echo "$speed bytes in a microsecond, of $SLOW"
	cat "$scratch/rate" "$scratch/second"
	[ "${speed:-0}" -gt $((SLOW * 45 / 100)) ] && [ "$speed" -lt $((SLOW * 55 / 100)) ]
}

with_model() {
	local description=$1
	shift

	if have_model; then
		result "$description" "$@"
	else
		ktap_test_skip "$description"
	fi
}

polled=$(ce polled)
finished=$(ce finished)
result "fills and copies, five times (R9, R10)" in_turn 5 reads ok "$selftest"
# They share the engine, piece by piece.
result "four at a time (R10)" side_by_side 4 reads ok "$selftest"
result "interrupts tell when work is done" interrupts_tell "$polled" "$finished"
with_model "the engine did what it was asked (R10)" agrees_with_the_model
with_model "its channel is in a group of its own (R10)" in_a_group
with_model "an engine that hangs times out (R10, R38)" hangs
with_model "and works again" works_again
with_model "a channel error is told at once" faults
with_model "and the engine works again" works_again
with_model "lost interrupts do not matter" lost_interrupts
with_model "a channel that firmware keeps stays out of use" stays_out_of_use
with_model "until firmware lets it go" comes_back
idle() {
	scrubbed && [ "$(ce in_flight)" = 0 ]
}
with_model "a killed caller begins nothing more" killed
with_model "two callers share the engine (R38)" shares
result "nothing is in flight" idle
result "nothing is left behind" settled
result "the GPU refused nothing" no_refusals
finish
