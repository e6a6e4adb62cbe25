# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Where the time of a control of GSP-RM goes. Sourced.
#
#   request ─▶ asleep ─▶ hard interrupt ─▶ thread runs ─▶ caller woken ─▶ caller runs ─▶ reply
#           │         │                 │              │               │              │
#          queue,    GSP, and its      thread         registers,      thread done,    reply
#          doorbell  interrupt         woken          queue read      CPU changes     taken

tracing=/sys/kernel/tracing

# The time stamp counter is the one clock that costs nothing to read in a VM.
trace_events() {
	local event

	for event in irq/irq_handler_entry sched/sched_waking sched/sched_switch \
		nova_core_vgpu/nova_gsp_request nova_core_vgpu/nova_gsp_reply; do
		echo "$1" >"$tracing/events/$event/enable"
	done
}

# profile COMMAND...: the medians of the steps of every control that slept, while
# COMMAND runs, as comment lines. What the tracing itself takes is in them.
profile() {
	local mhz reader=${*: -2:1}

	mhz=$(awk '/^cpu MHz/ { print $4; exit }' /proc/cpuinfo)
	echo x86-tsc >"$tracing/trace_clock"
	echo >"$tracing/trace"
	trace_events 1
	"$@" >/dev/null
	trace_events 0
	awk -v mhz="$mhz" -v me="comm=$reader" '
		function at(step) { if (next_step == step) { t[step] = now; next_step++ } }
		function median(step,    i, j, n, v, x) {
			n = 0
			for (i = 1; i <= calls; i++) {
				x = took[i, step]
				for (j = n++; j > 0 && v[j] > x; j--)
					v[j + 1] = v[j]
				v[j + 1] = x
			}
			return v[int((n + 1) / 2)]
		}
		/^#/ { next }
		{
			for (i = 1; i <= NF; i++)
				if ($i ~ /^[0-9]+:$/) { now = $i + 0; event = $(i + 1) }
		}
		event == "nova_gsp_request:" { next_step = 0; at(0) }
		event == "sched_switch:" && index($0, "prev_" me " ") { at(1) }
		event == "irq_handler_entry:" && /nova-core/ { at(2) }
		event == "sched_switch:" && /next_comm=irq\/[0-9]+-nova/ { at(3) }
		event == "sched_waking:" && index($0, " " me " ") { at(4) }
		event == "sched_switch:" && index($0, "next_" me " ") { at(5) }
		event == "nova_gsp_reply:" && next_step == 6 {
			at(6)
			calls++
			for (i = 1; i <= 6; i++)
				took[calls, i] = t[i] - t[i - 1]
		}
		END {
			split("queue, doorbell, going to sleep|GSP and its interrupt|" \
			      "thread of the interrupt woken|registers and queue read, caller woken|" \
			      "caller runs|reply taken", name, "|")
			for (i = 1; calls && i <= 6; i++)
				printf "#   %-40s %6.1f us\n", name[i], median(i) / mhz
			if (!calls)
				print "#   no control slept"
		}' "$tracing/trace"
}
