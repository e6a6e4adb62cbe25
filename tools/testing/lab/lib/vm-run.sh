# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# One run: boot the VM on the host's root file system, let guest/run.sh do the
# rest, and judge the result.
#
#   host                                         VM
#   virtme-run -> QEMU [+ libada_gpu.so] ------> init -> guest/run.sh
#   build/lab/run-<pid>/                           reads  cmd, env
#     output.log <-- FIFO out <------------------- virtserialport lab.out
#     console.log <-- console.py <-- FIFO console  ttyS0 (kernel messages)
#     status <------------------------------------ exit status of CMD
#   QMP socket <---------------------------------- virtserialport org.qemu.qmp
#
# Exit status: that of CMD; 99 when the kernel reported a fault, 98 when the VM
# ended before CMD did, 124 when the time was up.

VM_STATUS_DIED=98
VM_STATUS_REPORT=99
VM_STATUS_TIMEOUT=124

vm_run() {
	local mode=$1 status=0

	VM_RUN=$REPO/build/lab/run-$$
	rm -rf "$VM_RUN"
	mkdir -p "$VM_RUN"
	ln -sfn "run-$$" "$REPO/build/lab/last"
	# Paths of sockets are short-lived and limited to 107 bytes.
	VM_SOCKETS=$(mktemp -d "${TMPDIR:-/tmp}/lab.XXXXXX")
	trap vm_cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	vm_write_orders "$mode"
	vm_write_qemu
	vm_compose "$mode"

	vm_launch "$mode"
	if vm_qemu_failed; then
		echo "lab: QEMU failed an assertion of its own before the command ran; starting the VM again" >&2
		mv "$VM_RUN/console.log" "$VM_RUN/console-first.log"
		vm_launch "$mode"
	fi
	vm_judge "$mode" || status=$?
	exit "$status"
}

# Boots the VM and comes back when it is gone and all its output is kept.
vm_launch() {
	rm -f "$VM_SOCKETS"/*
	mkfifo "$VM_SOCKETS/console"
	[ "$1" = shell ] || mkfifo "$VM_SOCKETS/out"
	/usr/bin/python3 "$LAB_DIR/lib/console.py" "$VM_RUN/console.log" "$VM_RUN/reports" \
		<"$VM_SOCKETS/console" &
	VM_CONSOLE=$!
	# A process group of its own, so that nothing of it outlives the run.
	PATH="${VM_COMMAND[0]%/*}:$PATH" setsid "${VM_COMMAND[@]}" </dev/null >/dev/null \
		2>"$VM_SOCKETS/console" &
	VM_PID=$!
	vm_watchdog &
	VM_WATCHDOG=$!

	if [ "$1" = shell ]; then
		vm_attach_terminal
	else
		tee "$VM_RUN/output.log" <"$VM_SOCKETS/out" &
		VM_READER=$!
	fi
	wait "$VM_PID" 2>/dev/null || true
	VM_PID=
	kill -TERM "$VM_WATCHDOG" 2>/dev/null || true
	VM_WATCHDOG=
	if [ -n "${VM_READER:-}" ]; then
		# A reader that no writer ever met would wait for ever.
		exec 7<>"$VM_SOCKETS/out" && exec 7>&-
		wait "$VM_READER" || true
		VM_READER=
	fi
	wait "$VM_CONSOLE" || true
}

# A machine as busy as a test host meets a race in QEMU's emulation of a changing
# memory map about once in a hundred boots. Nothing of the run has happened then.
vm_qemu_failed() {
	[ ! -s "$VM_RUN/output.log" ] && [ ! -e "$VM_RUN/timeout" ] && [ ! -e "$VM_RUN/status" ] &&
		grep -q '^qemu-system.*: Assertion .* failed\.' "$VM_RUN/console.log"
}

vm_watchdog() {
	trap - EXIT INT HUP
	sleep "$VM_TIMEOUT" &
	local sleeper=$!
	trap 'kill "$sleeper" 2>/dev/null; exit 0' TERM
	wait "$sleeper"
	touch "$VM_RUN/timeout"
	kill -KILL -- "-$VM_PID" 2>/dev/null || true
}

vm_attach_terminal() {
	local tries=0

	until [ -S "$VM_SOCKETS/out" ] || [ "$tries" -ge 100 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	echo "lab: the shell comes when the VM is up; Ctrl-] or exit ends it" >&2
	socat -,raw,echo=0,escape=0x1d "UNIX-CONNECT:$VM_SOCKETS/out" || true
	kill -TERM -- "-$VM_PID" 2>/dev/null || true
}

vm_cleanup() {
	trap - EXIT INT TERM HUP
	[ -z "${VM_PID:-}" ] || kill -KILL -- "-$VM_PID" 2>/dev/null || true
	[ -z "${VM_WATCHDOG:-}" ] || kill -TERM "$VM_WATCHDOG" 2>/dev/null || true
	[ -z "${VM_READER:-}" ] || kill "$VM_READER" 2>/dev/null || true
	wait 2>/dev/null || true
	rm -rf "${VM_SOCKETS:-}"
	vm_forget_old
}

# The last twenty runs stay for reading, and those that are still going on.
vm_forget_old() {
	local dir

	find "$REPO/build/lab" -maxdepth 1 -name 'run-*' -printf '%T@ %p\n' 2>/dev/null |
		sort -rn | tail -n +21 | cut -d' ' -f2- | while read -r dir; do
		kill -0 "${dir##*-}" 2>/dev/null || rm -rf "$dir"
	done
}

vm_last_lines() {
	echo "lab: the last lines of the console:" >&2
	tail -n "$1" "$VM_RUN/console.log" | sed 's/^/  | /' >&2
}

# Ends the run: the exit status by what was found.
vm_judge() {
	local status

	if [ -e "$VM_RUN/timeout" ]; then
		echo "lab: VM killed: not done after $VM_TIMEOUT s: raise --timeout, or read $VM_RUN/console.log" >&2
		vm_last_lines 15
		return "$VM_STATUS_TIMEOUT"
	fi
	if [ -s "$VM_RUN/reports" ]; then
		echo "lab: the kernel reported a fault (above; all of it in $VM_RUN/console.log)" >&2
		return "$VM_STATUS_REPORT"
	fi
	if [ ! -s "$VM_RUN/status" ]; then
		[ "$1" != shell ] || return 0
		echo "lab: VM ended early: the command gave no status: read $VM_RUN/console.log" >&2
		vm_last_lines 15
		return "$VM_STATUS_DIED"
	fi
	status=$(<"$VM_RUN/status")
	[ "$status" = 0 ] || echo "lab: the command ended with status $status (console: $VM_RUN/console.log)" >&2
	return "$status"
}
