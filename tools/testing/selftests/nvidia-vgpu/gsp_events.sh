#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# What the GPU's firmware says by itself reaches its owner, the counters, the
# log and the tracepoints: channel errors (R7), notifiers that the driver has
# registered (R11), error logs, plugin tasks and samples of use (R18). So does
# what makes no sense.
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE_6Q=945
COPY0=9  # NV2080_ENGINE_TYPE_COPY0
CHID=700 # no host channel has it

needs_model
begin 22
debugfs=/sys/kernel/debug/$PF_DRIVER/$pf
tracefs=/sys/kernel/tracing

# Events take their time: an interrupt, and a thread.
soon() {
	within $((2500 * TIME_FACTOR)) "$@"
}

# counts NUMBER NAME: what nvidia/stats of $vf says.
counts() {
	grep -qx "$2 $1" "$(vgpu_file "$vf" stats)" || {
		cat "$(vgpu_file "$vf" stats)"
		return 1
	}
}

# count FILE KEY… NAME: the number after NAME in the line that begins with KEY….
count() {
	local file=$1 name=${*: -1} key

	shift
	set -- "${@:1:$#-1}"
	key="$* "
	awk -v key="$key" -v name="$name" '
		index($0 " ", key) == 1 {
			for (i = 1; i < NF; i++)
				if ($i == name)
					n = $(i + 1)
		}
		END { print n + 0 }' "$debugfs/$file"
}

is() {
	local wanted=$1 found

	shift
	found=$("$@")
	[ "$found" = "$wanted" ] && return 0
	echo "$* says $found, not $wanted"
	return 1
}

# rises BY EVENT FILE KEY… NAME: the event makes the number rise by so much.
rises() {
	local by=$1 event=$2 before

	shift 2
	before=$(count "$@")
	gpu_ctl event "$event" || return 1
	soon is $((before + by)) count "$@"
}

samples() {
	rises 72 perfmon:72 utilisation samples samples || return 1
	grep -E '^pid [0-9]+ sub_pid [0-9]+ .*gr last [0-9]+ mean [0-9]+ max [0-9]+ ' "$debugfs/utilisation"
}

# Each process has at most 100 % of an engine.
samples_make_sense() {
	awk '/^pid/ { for (i = 1; i < NF; i++) if ($i ~ /last|mean|max/ && $(i + 1) > 10000) exit 1 }' \
		"$debugfs/utilisation"
}

xid() {
	mark_log
	rises 1 "os-error:79:GPU has fallen off: the bus" events event OS_ERROR_LOG seen &&
		soon logged "$pf.*Xid 79: GPU has fallen off: the bus"
}

# A guest can cause them without end: the log must not. Each line, and each one
# that was held back, is accounted for.
xids_are_limited() {
	local i lines held

	mark_log
	for i in $(seq 60); do
		gpu_ctl event "os-error:13:flood $i" || return 1
	done
	sleep 6 # the window of the limit
	rises 1 os-error:13:last events event OS_ERROR_LOG seen || return 1
	soon logged 'Xid 13: last' || return 1
	lines=$(log_since_mark | grep -c 'Xid 13: ')
	held=$(log_since_mark | awk '{
		if (match($0, /\([0-9]+ such messages not shown\)/))
			n += substr($0, RSTART + 1)
	} END { print n + 0 }')
	[ "$held" -gt 0 ] && [ $((lines + held)) -eq 61 ] && return 0
	echo "$lines lines, $held held back"
	return 1
}

nobodys_channel() {
	mark_log
	rises 1 "rc:$COPY0:$CHID:0" events rc host &&
		soon logged "channel $CHID on engine 0x9 of gfid 0 was stopped .error 31., and nobody owns it"
}

# Not about a channel, although it looks so.
fast_path() {
	rises 1 "rc:$COPY0:$CHID:0:141" events rc fast_path
}

vf_without_vgpu() {
	rises 1 "rc:$COPY0:$CHID:1" events event RC_TRIGGERED unclaimed
}

notifiers() {
	rises 1 post:111 events notifier 111 ecc-corrected seen &&
		rises 1 post:187 events notifier 187 ecc-corrected seen &&
		is 0 count events event POST_EVENT unclaimed &&
		is 0 count events event POST_EVENT malformed
}

data_lost() {
	local notifier

	mark_log
	for notifier in 112 155 156; do
		rises 1 post:$notifier events notifier $notifier data-lost seen &&
			soon logged "$pf.*data-lost .notifier $notifier" || return 1
	done
}

# What firmware tells of without being asked, or by an interrupt, has no
# notifier. What comes after it in the queue shows that nothing came.
not_registered() {
	local seen unheard notifier

	seen=$(count events event POST_EVENT seen)
	unheard=$(gpu_ctl stats counts.notifiers-unheard 2>/dev/null || echo 0)
	for notifier in 12 23 35 37 191; do
		gpu_ctl event post:$notifier || return 1
	done
	rises 1 raw:0x10fd:0 events unknown 0x10fd seen &&
		is $((unheard + 5)) gpu_ctl stats counts.notifiers-unheard &&
		is "$seen" count events event POST_EVENT seen
}

# Firmware is not to be trusted: neither with the handles of others' objects, nor
# with one of ours for another notifier.
not_ours() {
	local client=0xc1d00100

	mark_log
	rises 1 "post:112:0xc1d00001:0x7e0070" events event POST_EVENT unclaimed &&
		rises 1 "post:112:$client:0x7e006f" events event POST_EVENT unclaimed &&
		rises 1 "post:23:$client:0x7e0017" events event POST_EVENT unclaimed &&
		soon logged "notifier 23 of object 0x7e0017 of client $client, which was not registered" || return 1
	! log_since_mark | grep 'data-lost' &&
		rises 1 "post:112:$client:0x7e0070" events notifier 112 data-lost seen &&
		soon logged "$pf.*data-lost .notifier 112"
}

no_sense() {
	mark_log
	rises 1 raw:0x1004:20 events event RC_TRIGGERED malformed &&
		rises 1 post:4000:1:1 events event POST_EVENT malformed &&
		soon logged 'event 0x1004 with 20 bytes makes no sense'
}

unknown() {
	mark_log
	rises 1 raw:0x10ff:100 events unknown 0x10ff seen &&
		rises 1 raw:0x10ff:0 events event unknown seen &&
		soon logged 'event 0x10ff with 100 bytes is not known'
}

# More than one element of the queue can hold.
long_unknown() {
	rises 1 raw:0x10fe:100000 events unknown 0x10fe seen
}

open_vf() {
	enable_vfs 1 && vf=${vfs[0]} && echo $TYPE_6Q >"$(vgpu_file "$vf" current_vgpu_type)" || return 1
	hold_vf "$vf"
	[ "$held" = open ] || { echo "open: $held"; return 1; }
}

close_vf() {
	release_vf
	echo 0 >"$(vgpu_file "$vf" current_vgpu_type)" && disable_vfs
}

channel_of_vf() {
	local unclaimed

	open_vf || return 1
	unclaimed=$(count events event RC_TRIGGERED unclaimed)
	mark_log
	rises 1 "rc:$COPY0:$CHID:1:43" events rc guest &&
		soon counts 1 channel_errors &&
		is "$unclaimed" count events event RC_TRIGGERED unclaimed &&
		soon logged "vGPU of VF 0: channel $CHID on engine 0x9 was stopped with Xid 43"
}

plugin_of_vf() {
	mark_log
	gpu_ctl event plugin:1:3
	soon logged 'vGPU of VF 0: guest driver loaded' || return 1
	counts 0 task_crashes || return 1
	gpu_ctl event plugin:1:2
	soon counts 1 task_crashes &&
		soon logged 'vGPU of VF 0: its plugin task has crashed: shut the VM down'
}

# The next vGPU has a life of its own.
next_vgpu() {
	close_vf && open_vf || return 1
	counts 0 channel_errors && counts 0 task_crashes
	close_vf
}

# traced PATTERN: a line of the trace.
traced() {
	grep -qE "$1" "$tracefs/trace" && return 0
	echo "nothing in the trace matches '$1':"
	tail -n 20 "$tracefs/trace"
	return 1
}

trace_off() {
	echo 0 >"$tracefs/events/$PF_DRIVER/enable"
}

traces() {
	echo >"$tracefs/trace"
	echo 1 >"$tracefs/events/$PF_DRIVER/enable" || return 1
	at_exit+=(trace_off)
	open_vf || return 1
	gpu_ctl event "rc:$COPY0:$CHID:1"
	soon traced "nova_gsp_event: dev=$pf function=0x1004 gfid=1 bytes=48" || return 1
	close_vf || return 1
	trace_off
	# The control that boots the plugin task, and its answer.
	traced "nova_gsp_request: dev=$pf function=76 gfid=1 sequence=[1-9][0-9]* bytes=6640" &&
		traced "nova_gsp_reply: dev=$pf function=76 gfid=1 sequence=[1-9][0-9]* bytes=6640 latency_ns=[1-9][0-9]* status=(0|0x0)\$" &&
		traced "nova_gsp_request: dev=$pf function=103 gfid=0 "
}

trace_test() {
	mountpoint -q "$tracefs" || mount -t tracefs tracefs "$tracefs" 2>/dev/null
	if [ ! -d "$tracefs/events/$PF_DRIVER" ]; then
		ktap_test_skip "the kernel has no CONFIG_EVENT_TRACING, or no tracefs"
		return
	fi
	result "requests, replies and events are traced" traces
}

# Every request has ended, and latencies are in order.
latencies() {
	awk '
		{
			for (i = 2; i < NF; i += 2)
				v[$i] = $(i + 1)
			if (v["requests"] < v["replies"] + v["failures"] || v["p50_ns"] > v["p99_ns"] ||
			    v["p99_ns"] > v["max_ns"] || v["errors"] > v["replies"])
				bad = 1
		}
		$1 == "GSP_RM_CONTROL" && v["replies"] && v["p50_ns"] { controls = 1 }
		{ print }
		END { exit bad || !controls }' "$debugfs/rpc"
}

# Nobody waits, and both sides have read everything.
queues_at_rest() {
	awk '
		{ print }
		$1 == "state" && $2 == "alive" { alive = 1 }
		$1 == "command_queue" && $3 == $5 { command = 1 }
		$1 == "status_queue" && $3 == $5 && $7 == 0 { status = 1 }
		$1 == "in_flight" && $2 != 0 || $1 == "oldest" { waiting = 1 }
		END { exit !alive || !command || !status || waiting }' "$debugfs/gsp"
}

result "samples of use are kept (R18)" samples
result "samples of use make sense (R18)" samples_make_sense
result "an error log reaches the log (R18)" xid
if [ "$TIME_FACTOR" -le 2 ]; then
	result "error logs do not flood the log" xids_are_limited
else
	ktap_test_skip "error logs do not flood the log (they come too slowly here)"
fi
result "the error of a host channel that nobody owns is told (R7)" nobodys_channel
result "the fast path message is no channel error" fast_path
result "the channel error of a VF without vGPU is counted (R7)" vf_without_vgpu
result "notifiers are told apart (R11, R18)" notifiers
result "lost data reach the log (R18)" data_lost
result "no other notifier is registered" not_registered
result "notifiers of other objects are nobody's" not_ours
result "events that make no sense are counted" no_sense
result "unknown events are counted one by one" unknown
result "unknown events of any length are counted" long_unknown
result "the channel error of a VF reaches its driver (R3, R7, R18)" channel_of_vf
result "the plugin task of a VF reaches its driver (R3, R18)" plugin_of_vf
result "counts of a VF begin again with its next vGPU" next_vgpu
trace_test
result "every request is accounted for" latencies
result "the queues are at rest" soon queues_at_rest
result "everything is given back" settled
result "the GPU refused nothing" no_refusals
finish
