#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The message queue of GSP: answers come by interrupt and nobody polls (R16);
# a call that is stuck, late or killed delays nobody else and leaves nothing
# behind (R38).
#
#   call -> queue -> GSP -> interrupt -> waiter
#             |       '- withheld, late, without an interrupt: faults of the
#             '- full: the caller waits       emulated GPU
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

FN_RM_ALLOC=103
CMD_BOOTLOAD=0x20804001
GSP_VECTOR=155
GSP_SUBTREE=2
# The command queue has 63 slots. Each caller more than that looks for room every
# millisecond, of which an emulated machine with checkers has few to spare.
CALLERS=66
TYPE=942
DEADLINE_S=5
# Bytes of the parameters of PGPU_ADD_VGPU_TYPE, in six elements.
ADD_TYPE_BYTES=334344

needs_model
at_exit+=(no_faults)

no_faults() {
	gpu_ctl fault clear
}

# counter NAME: a line of debugfs "gsp".
counter() {
	pf_value gsp "$1"
}

# Messages of GSP's interrupt that have come, as the kernel counts them.
interrupts() {
	awk '/nova-core-gsp|nova-core$/ { for (i = 2; i <= NF && $i ~ /^[0-9]+$/; i++) n += $i }
	     END { print n + 0 }' /proc/interrupts
}

# rpc NAME FIELD: a counter of one function, from debugfs "rpc".
rpc() {
	awk -v name="$1" -v field="$2" '
		$1 == name { for (i = 2; i < NF; i++) if ($i == field) print $(i + 1) }' \
		"/sys/kernel/debug/$PF_DRIVER/$pf/rpc"
}

# grows NAME BEFORE [BY]
grows() {
	local now

	now=$(counter "$1")
	[ "$now" -eq $(($2 + ${3:-1})) ] && return 0
	echo "$1 is $now, was $2, expected ${3:-1} more"
	return 1
}

works() {
	"$VFIO_HOLD" "${vfs[0]}" 1 && settled selected
}

# faster_than MS CMD…
faster_than() {
	local limit=$(($1 * TIME_FACTOR)) start took status=0
	shift

	start=$(now_ms)
	"$@" || status=1
	took=$(($(now_ms) - start))
	echo "took $took ms, may take $limit"
	[ $took -lt "$limit" ] && return $status
	return 1
}

are_in_flight() {
	local now

	now=$(counter in_flight)
	test "$now" "$1" "$2" || { echo "$now requests are in flight, expected $1 $2"; return 1; }
}

# in_flight N [-ge]: waits until N requests are unanswered, or at least as many.
in_flight() {
	within $((2500 * TIME_FACTOR)) are_in_flight "${2:--eq}" "$1"
}

# ended PID: waits until the process is gone, all of its work in the kernel
# included.
ended() {
	wait "$1" 2>/dev/null
	[ ! -e "/proc/$1" ]
}

calls_make_interrupts() {
	local irqs received

	irqs=$(interrupts)
	received=$(counter received)
	works || return 1
	echo "$(($(interrupts) - irqs)) interrupts for $(($(counter received) - received)) messages"
	[ "$(interrupts)" -gt "$irqs" ] && [ "$(counter received)" -gt "$received" ]
}

nobody_polls() {
	local polls

	polls=$(counter polls)
	for ((i = 0; i < 5; i++)); do
		works || return 1
	done
	grows polls "$polls" 0 && [ "$(counter lost_interrupts)" -eq 0 ]
}

# The upload of types is the longest request there is, and its reply is as long.
long_requests() {
	local out in

	out=$(rpc GSP_RM_CONTROL bytes_out)
	in=$(rpc GSP_RM_CONTROL bytes_in)
	disable_vfs
	rmmod "$VF_DRIVER" && insmod "$MODULES_DIR/$VF_DRIVER.ko" || return 1
	enable_vfs 2 && select_all $TYPE || return 1
	out=$(($(rpc GSP_RM_CONTROL bytes_out) - out))
	in=$(($(rpc GSP_RM_CONTROL bytes_in) - in))
	echo "$out bytes sent, $in received"
	[ $out -ge $ADD_TYPE_BYTES ] && [ $in -ge $ADD_TYPE_BYTES ]
}

# GSP takes nothing until all callers are there, for whom there is no room.
full_queue_is_waited_for() {
	local pid sent status=0

	sent=$(counter sent)
	gpu_ctl fault "queue-stall=60000" || return 1
	"$BUILD/selftests/callers" "/sys/kernel/debug/$PF_DRIVER/$pf/rpc_selftest" $CALLERS 1 &
	pid=$!
	# One more when somebody has asked meanwhile whether GSP lives.
	in_flight $CALLERS -ge || status=1
	sent=$(($(counter sent) - sent))
	no_faults
	wait "$pid" || status=1
	echo "$sent of $CALLERS requests found room"
	[ $sent -lt $CALLERS ] || status=1
	return $status
}

# With MSI there is one message for all subtrees, which this fault does not lose.
has_msix() {
	grep -q "^type msix$" "/sys/kernel/debug/$PF_DRIVER/$pf/irq"
}

late_reply_is_dropped() {
	local late unmatched

	late=$(counter late)
	unmatched=$(counter unmatched)
	fault "late-reply=$CMD_BOOTLOAD:$((DEADLINE_S * 1000 + 1000)):1"
	hold_vf "${vfs[0]}"
	[ "$held" = "error ETIMEDOUT" ] || { echo "open: $held"; return 1; }
	no_faults
	# The reply comes while others are under way.
	for ((try = 0; try < 30 && $(counter late) == late; try++)); do
		works || return 1
		sleep 0.1
	done
	grows late "$late" && grows unmatched "$unmatched" 0 && works
}

# killed_at FAULT: who waits for the answer that FAULT withholds is killed.
killed_at() {
	local killed pid

	killed=$(counter killed)
	fault "$1" || return 1
	"$VFIO_HOLD" "${vfs[0]}" &
	pid=$!
	in_flight 1 || { kill -9 $pid; return 1; }
	kill -9 $pid
	faster_than 1000 ended $pid || return 1
	no_faults
	grows killed "$killed" && in_flight 0 && settled selected && works
}

# others_go_on FAULT: while a call of the first VF is stuck, the second one is
# opened and closed as fast as ever.
others_go_on() {
	local pid status=0

	fault "$1" || return 1
	"$VFIO_HOLD" "${vfs[0]}" >"$scratch/first" </dev/null &
	pid=$!
	in_flight 1 || status=1
	# As many as are done before the first call ends.
	for ((i = 0; i < (TIME_FACTOR > 2 ? 1 : 3); i++)); do
		faster_than 1000 "$VFIO_HOLD" "${vfs[1]}" 1 || status=1
	done
	[ "$(counter in_flight)" -eq 1 ] || { echo "the first call is not stuck any more"; status=1; }
	no_faults
	ended $pid
	cat "$scratch/first"
	return $status
}

stuck_call_delays_nobody() {
	others_go_on "gsp-no-reply=$CMD_BOOTLOAD:1" && grep -q "error ETIMEDOUT" "$scratch/first" &&
		settled selected && works
}

slow_call_delays_nobody() {
	others_go_on "late-reply=$CMD_BOOTLOAD:4000:1" && grep -q "^open" "$scratch/first" &&
		settled selected
}

# GSP works on one request after the other, and on all of them for longer than a
# single one may take.
line_has_time() {
	local begun took status=0

	gpu_ctl set firmware-threads 1 && gpu_ctl set firmware-time-us 900000 || return 1
	begun=$(now_ms)
	hold_vfs "${vfs[@]}" || status=1
	took=$(($(now_ms) - begun))
	gpu_ctl set firmware-time-us 0 && gpu_ctl set firmware-threads 32 || status=1
	release_vfs || status=1
	echo "$took ms, for $DEADLINE_S s for each"
	[ $took -gt $((DEADLINE_S * 1000)) ] && [ $status -eq 0 ]
}

# lost_is_found FAULT: an interrupt that is lost costs one caller its deadline,
# and is the last one that does. GSP takes its time, or the caller would find the
# reply when it looks before it sleeps.
lost_is_found() {
	local lost polls

	lost=$(counter lost_interrupts)
	polls=$(counter polls)
	gpu_ctl set firmware-time-us 20000 && fault "$1" || return 1
	# At once: two seconds later the driver itself would ask whether GSP lives.
	gsp_answers || return 1
	no_faults
	grows lost_interrupts "$lost" && faster_than $((DEADLINE_S * 1000)) works &&
		gpu_ctl set firmware-time-us 0 && grows lost_interrupts "$lost" && grows polls "$polls" 0
}

begin 15
if ! enable_vfs 2 || ! select_all $TYPE; then
	ktap_exit_fail_msg "cannot enable two VFs"
fi
remember selected

result "calls are answered by interrupts (R16)" calls_make_interrupts
result "nobody polls (R16)" nobody_polls
result "the longest request and reply get through (R16)" long_requests
result "a full queue is waited for (R38)" full_queue_is_waited_for
result "a lost interrupt is found at the deadline (R38)" lost_is_found "lost-interrupt=$GSP_VECTOR:1"
if has_msix; then
	result "a lost message of the bus is found at the deadline (R38)" lost_is_found "lost-message=$GSP_SUBTREE:1"
else
	ktap_test_skip "a lost message of the bus is found at the deadline (R38)"
fi
# It waits for its interrupts as long as the driver does for replies.
result "the GPU refused nothing but interrupts that are lost" no_refusals interrupt-not-rearmed

# From here on GSP is asked to undo what it was kept from doing, and refuses.
result "a call that is never answered delays nobody (R38)" stuck_call_delays_nobody
result "a call that is answered late delays nobody (R38)" slow_call_delays_nobody
result "a reply after the deadline is recognised and dropped (R38)" late_reply_is_dropped
result "who is killed waiting for a control is gone at once (R38)" killed_at "gsp-no-reply=$CMD_BOOTLOAD:1"
result "who is killed waiting for an object is gone at once (R38)" killed_at "gsp-no-reply=$FN_RM_ALLOC:1"
result "who is killed before a late reply leaves nothing (R38)" killed_at "late-reply=$FN_RM_ALLOC:$((500 * TIME_FACTOR)):1"
disable_vfs
if ! enable_vfs 7 || ! select_all $TYPE; then
	ktap_exit_fail_msg "cannot enable seven VFs"
fi
result "who waits for its turn has its time afterwards (R38)" line_has_time
disable_vfs
result "nothing is left behind" settled
finish
