# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the tests of this directory share. A test sources it from the top of
# the source tree, as root, where the GPU is: in the lab VM, or on a host with
# a real board (what needs the emulated GPU's own counts is then skipped).
#
#   skip_test REASON            the whole test is skipped
#   needs_model                 skips the test without an emulated GPU
#   begin N                     TAP header and plan, and baseline
#   baseline                    picks $pf, enables no VF, remembers the counts
#   result DESC CMD…            one test: passes when CMD returns 0
#   type_arguments SUFFIX…      what vgpu_test.h programs are told of these types
#   writes VALUE FILE [ERROR]   the write succeeds, or fails with ERROR's text
#   remember NAME               keeps the counts of live things under NAME
#   settled [NAME]              nothing is held: driver's and model's counts are
#                               what they were at begin, or at remember NAME
#   pf_value FILE NAME          a line of the PF's debugfs FILE
#   is_phase PHASE              where the driver says GSP is
#   kernel_is_silent            no warning, oops, stuck task, wrong lock since mark_log
#   no_refusals [KIND…]         the emulated GPU refused nothing since begin,
#                               but for these kinds
#   gsp_answers                 to every control that it is asked
#   fault FAULT                 a fault of the next requests of this test
#   scrubbed                    waits until no FB is dirty
#   now_ms                      a clock, in milliseconds
#   within MS CMD…              waits until CMD passes, at most so long
#   ends PID MS                 the process ends with success within so long
#   pf_unbind, pf_remove        the PF goes, by its driver or altogether
#   pf_back                     and is driven again
#   refused_in_use              SR-IOV off and rmmod, while a VF is open
#   slot_button                 of the emulated GPU's slot, as if it was pressed
#   taken_out MS                the emulated GPU leaves its slot, within so many ms
#   in_turn N CMD…              CMD passes N times
#   side_by_side N CMD…         CMD passes N times at once
#   finish                      totals, exit status
#   $TIME_FACTOR                what limits of time are to be multiplied by

eval "$(tools/testing/lab/lab env)"
# shellcheck source=/dev/null
. "$LAB_KERNEL_SRC/tools/testing/selftests/kselftest/ktap_helpers.sh"
. tools/testing/lib/host.sh

export LC_ALL=C
BUILD=$PWD/build
VFIO_HOLD=$BUILD/selftests/vfio_hold
QMP_PORT=/dev/virtio-ports/org.qemu.qmp
# How many times as long things may take: a host may be busy, and a kernel that
# checks itself is slow.
TIME_FACTOR=2
# shellcheck disable=SC2034 # for the tests
[ ! -e /sys/kernel/debug/kmemleak ] || TIME_FACTOR=6

scratch=$(mktemp -d)
# What a test must undo when it ends early is added to this function's list.
at_exit=()
leave() {
	local action

	for action in "${at_exit[@]}"; do
		$action
	done
	# What has lost GSP and ends early does not take other tests along.
	if [ -n "${pf:-}" ] && is_phase lost >/dev/null 2>&1; then
		echo 1 >"/sys/bus/pci/devices/$pf/reset"
	fi
	rm -rf "$scratch"
}
trap leave EXIT

have_model() {
	[ -c "$QMP_PORT" ]
}

# For a whole test, before it begins.
skip_test() {
	ktap_print_header
	ktap_skip_all "$1"
	exit "$KSFT_SKIP"
}

# Nothing else can be made to fail on request.
needs_model() {
	have_model || skip_test "needs the faults of the emulated GPU"
}

gpu_ctl() {
	"$BUILD/ada-gpu/ada-gpu-ctl" "$@"
}

# The driver's watch over GSP asks nothing for two seconds after other traffic: a
# fault that is counted then meets the request that it is meant for.
fault() {
	gsp_answers && gpu_ctl fault "$1"
}

gsp_answers() {
	grep -q '^errors 0$' "/sys/kernel/debug/$PF_DRIVER/$pf/rpc_selftest"
}

# Counts of live things as the driver sees them.
driver_counts() {
	cat "/sys/kernel/debug/$PF_DRIVER/$pf/stats"
}

# The same as the emulated firmware sees them. No control takes types out of
# the firmware's table again: it keeps them until it is unloaded.
model_counts() {
	if have_model; then
		gpu_ctl stats live | grep -v '^types '
	fi
}

model_refusals() {
	if have_model; then
		gpu_ctl stats refusals
	fi
}

pf_value() {
	awk -v name="$2" '$1 == name { print $2 }' "/sys/kernel/debug/$PF_DRIVER/$pf/$1"
}

is_phase() {
	[ "$(pf_value life phase)" = "$1" ] && return 0
	echo "phase is $(pf_value life phase), not $1"
	return 1
}

begin() {
	ktap_print_header
	ktap_set_plan "$1"
	# Memory of a vGPU that is not zero is a refusal, in every test.
	! have_model || gpu_ctl set fb-check refuse
	[ -n "${pf:-}" ] || baseline
}

baseline() {
	pf=$(host_find_pf) || ktap_exit_fail_msg "no PF is bound to $PF_DRIVER"
	numvfs=/sys/bus/pci/devices/$pf/sriov_numvfs
	model_refusals >"$scratch/refusals"
	remember begin
}

# ktap_test_result splits its words again; this one keeps arguments whole and
# prints what the command said when it failed. Not in a subshell: a test may
# start and end background processes.
result() {
	local description=$1
	shift

	if "$@" >"$scratch/output" 2>&1; then
		ktap_test_pass "$description"
	else
		sed 's/^/# /' "$scratch/output"
		ktap_test_fail "$description"
	fi
}

# The types of this board in the metadata file, one line each:
# ID NVIDIA NAME DEVICE:SUBSYSTEM MAX FB HEAP BAR1 …
board_types() {
	local device

	device=$(cat "/sys/bus/pci/devices/$pf/device")
	vgpu-metadata print "$LAB_FIRMWARE/nvidia/vgpu-570.144.bin" |
		awk -v device="device 10de:${device#0x}," '
			/^device / { this = index($0, device) == 1 }
			this && /^[0-9]+ /'
}

# type_arguments SUFFIX…: for types of this board whose names end so, one line
# each: the id, and what the programs of vgpu_test.h are told: device, subsystem,
# MiB of BAR1 and FB, instances. A VF whose BAR1 is smaller than the type's shows
# all of it.
type_arguments() {
	local suffixes start end

	suffixes=$(IFS="|" && echo "$*")
	# "start end flags" of BAR1
	read -r start end _ < <(sed -n 2p "$PCI_DEVICES/$vf/resource")
	board_types | awk -v suffixes="-($suffixes)\$" -v physical=$(((end - start + 1) >> 20)) '
		$3 ~ suffixes {
			split($4, ids, ":")
			print $1, ids[1], ids[2], ($8 < physical ? $8 : physical), $6, $5
		}'
}

writes() {
	local value=$1 file=$2 error=${3:-} output

	if output=$( (printf '%s' "$value" >"$file") 2>&1); then
		[ -z "$error" ] && return 0
		echo "writing '$value' to $file succeeded, expected: $error"
		return 1
	fi
	[ -n "$error" ] && [[ $output == *"$error"* ]] && return 0
	echo "writing '$value' to $file: ${output##*: }, expected: ${error:-success}"
	return 1
}

reads() {
	local expected=$1 file=$2 text

	text=$(cat "$file") || return 1
	[ "$text" = "$expected" ] && return 0
	printf 'reading %s:\n%s\nexpected:\n%s\n' "$file" "$text" "$expected"
	return 1
}

remember() {
	driver_counts >"$scratch/counts.$1" && model_counts >>"$scratch/counts.$1"
}

settled() {
	diff "$scratch/counts.${1:-begin}" <(driver_counts; model_counts)
}

# A real GPU keeps no such record.
no_refusals() {
	local ignored

	ignored=$(printf '^%s |' "${@:-none}")
	diff <(grep -vE "${ignored%|}" "$scratch/refusals") <(model_refusals | grep -vE "${ignored%|}") || {
		gpu_ctl get refusals
		return 1
	}
}

# The lines that the drivers have logged since mark_log.
mark_log() {
	echo "selftest-mark-$BASHPID-$RANDOM" | tee /dev/kmsg >"$scratch/mark"
}

log_since_mark() {
	dmesg --notime | awk -v mark="$(cat "$scratch/mark")" 'found { print } index($0, mark) { found = 1 }'
}

logged() {
	log_since_mark | grep -qE "$1" && return 0
	echo "nothing in the log matches '$1':"
	log_since_mark
	return 1
}

kernel_is_silent() {
	! log_since_mark | grep -E 'BUG|WARNING|Oops|RIP:|panic|INFO: task|stack-protector|refcount_t|general protection|UBSAN|KASAN|lockdep'
}

# vgpu_file VF FILE: a file of the VF's nvidia/ directory.
vgpu_file() {
	echo "/sys/bus/pci/devices/$1/nvidia/$2"
}

enable_vfs() {
	local i vf

	echo "$1" >"$numvfs" || return 1
	vfs=()
	for ((i = 0; i < $1; i++)); do
		vf=$(host_vf "$pf" "$i")
		host_bind_vf "$vf" || return 1
		vfs+=("$vf")
	done
}

disable_vfs() {
	echo 0 >"$numvfs"
}

# select_all TYPE: the same for each VF.
select_all() {
	local vf

	for vf in "${vfs[@]}"; do
		echo "$1" >"$(vgpu_file "$vf" current_vgpu_type)" || return 1
	done
}

# Each VF can be opened, and closed again.
all_open() {
	local vf answer

	for vf in "${vfs[@]}"; do
		answer=$("$VFIO_HOLD" "$vf" 1)
		[ "$answer" = ok ] || { echo "$vf: $answer"; return 1; }
	done
}

# hold_vf VF: opens the VFIO device in the background; returns when it is open
# or refused. $held is "open" or "error ENAME".
hold_vf() {
	coproc HOLD { exec "$VFIO_HOLD" "$1"; }
	# shellcheck disable=SC2034 # for the tests
	IFS= read -r -u "${HOLD[0]}" held
}

# hold_line LINE: one command to the holder; prints its answer.
hold_line() {
	local answer

	printf '%s\n' "$1" >&"${HOLD[1]}"
	IFS= read -r -u "${HOLD[0]}" answer
	printf '%s\n' "$answer"
}

release_vf() {
	# shellcheck disable=SC2153 # HOLD_PID is set by coproc
	local pid=$HOLD_PID

	printf 'close\n' >&"${HOLD[1]}"
	wait "$pid"
}

# watch_vf VF: what is told of a VF unasked (vgpu_watch), from now to unwatch_vf.
watch_vf() {
	exec {watch}< <(exec "$BUILD/selftests/vgpu_watch" "$1")
	watch_pid=$!
	watched 5 ready >/dev/null
}

# watched S LINE: what was told, to that line, which comes within so many seconds
# on a machine of usual speed.
watched() {
	local line

	while IFS= read -r -t $(($1 * TIME_FACTOR)) -u "$watch" line; do
		printf '%s\n' "$line"
		[ "$line" != "$2" ] || return 0
	done
	return 1
}

unwatch_vf() {
	kill "$watch_pid"
	wait "$watch_pid"
	exec {watch}<&-
}

# hold_vfs VF…: the same for many at once, which have to be opened.
hold_vfs() {
	local vf fd line status=0

	holders=() holders_in=() holders_out=()
	for vf in "$@"; do
		rm -f "$scratch"/hold.{in,out}
		mkfifo "$scratch"/hold.{in,out} || return 1
		"$VFIO_HOLD" "$vf" <"$scratch/hold.in" >"$scratch/hold.out" &
		holders+=($!)
		exec {fd}>"$scratch/hold.in"
		holders_in+=("$fd")
		exec {fd}<"$scratch/hold.out"
		holders_out+=("$fd")
	done
	for fd in "${holders_out[@]}"; do
		IFS= read -r -u "$fd" line
		[ "$line" = open ] || { echo "open: $line"; status=1; }
	done
	return $status
}

# holders_answer LINE ANSWER: the same command to each of them.
holders_answer() {
	local fd answer status=0

	for fd in "${holders_in[@]}"; do
		printf '%s\n' "$1" >&"$fd"
	done
	for fd in "${holders_out[@]}"; do
		IFS= read -r -u "$fd" answer
		[ "$answer" = "$2" ] || { echo "$1: $answer, expected: $2"; status=1; }
	done
	return $status
}

# Closes all of them.
release_vfs() {
	local fd

	for fd in "${holders_in[@]}"; do
		# Who could not open its device is gone.
		(printf 'close\n' >&"$fd") 2>/dev/null
	done
	forget_holders
}

# The users of all of them are killed.
kill_vfs() {
	kill -KILL "${holders[@]}"
	forget_holders
}

forget_holders() {
	local fd

	wait "${holders[@]}" 2>/dev/null
	for fd in "${holders_in[@]}" "${holders_out[@]}"; do
		exec {fd}>&-
	done
}

# What the driver tells about frame buffer.
fb_file() {
	echo "/sys/kernel/debug/$PF_DRIVER/$pf/fb"
}

# fb_value WORD WORD: "state dirty", "scrub failures", …
fb_value() {
	awk -v a="$1" -v b="$2" '$1 == a && $2 == b { print $3 }' "$(fb_file)"
}

# All that nobody has is clean, sooner or later: the copy engine gives up after
# 4 s without progress, this after a minute.
scrubbed() {
	within $((30000 * TIME_FACTOR)) nothing_dirty
}

# Of one moment: a scrub that fails makes dirty what was being scrubbed.
nothing_dirty() {
	awk '{ print }
		$1 == "state" && ($2 == "dirty" || $2 == "scrubbing") { left += $3; ++states }
		END { exit states != 2 || left }' "$(fb_file)"
}

# Nobody sets this clock. It counts hundredths of a second.
now_ms() {
	local up

	read -r up _ </proc/uptime
	echo $((${up/./} * 10))
}

# For what nobody is woken by: counters, the log, files of debugfs. CMD is tried
# at least once, and what it says the last time is shown.
within() {
	local ms=$1 begin said=$scratch/within.$BASHPID
	shift

	begin=$(now_ms)
	until "$@" >"$said" 2>&1; do
		if [ $(($(now_ms) - begin)) -ge "$ms" ]; then
			cat "$said"
			echo "not within $ms ms: $*"
			return 1
		fi
		sleep 0.05
	done
}

is_over() {
	! kill -0 "$1" 2>/dev/null
}

ends() {
	within "$2" is_over "$1" || { cat "/proc/$1/stack"; return 1; }
	wait "$1"
}

pf_unbind() {
	echo "$pf" >"/sys/bus/pci/drivers/$PF_DRIVER/unbind"
}

pf_remove() {
	echo 1 >"/sys/bus/pci/devices/$pf/remove"
}

pf_back() {
	[ -e "/sys/bus/pci/devices/$pf" ] || echo 1 >/sys/bus/pci/rescan
	[ "$(host_driver "$pf")" = "$PF_DRIVER" ] || echo "$pf" >"/sys/bus/pci/drivers/$PF_DRIVER/bind"
}

refused_in_use() {
	local module status=0

	writes 0 "$numvfs" "Device or resource busy" && writes 4 "$numvfs" "Device or resource busy" || status=1
	for module in "$VF_DRIVER" "$PF_DRIVER"; do
		! rmmod "$module" 2>/dev/null || { echo "$module was removed"; status=1; }
	done
	return $status
}

# The board itself goes when its slot is without power.
board_is_gone() {
	! gpu_ctl stats >/dev/null 2>&1 || { dmesg | tail -n 20; return 1; }
}

# Whatever is in the slot, lockdep reports pciehp for its removal: between two
# functions pciehp_unconfigure_device() takes reset_lock while it holds
# pci_rescan_remove_lock, which it had taken the other way round. Removal by the
# attribute "remove" takes all other locks of this, and is proved (pf_gone).
slot_button() {
	local prove=/proc/sys/kernel/prove_locking

	[ ! -e $prove ] || echo 0 >$prove || return 1
	gpu_ctl unplug
}

taken_out() {
	within "$1" board_is_gone && [ ! -e "/sys/bus/pci/devices/$pf" ]
}

in_turn() {
	local i count=$1
	shift

	for ((i = 1; i <= count; i++)); do
		"$@" || { echo "in turn $i"; return 1; }
	done
}

side_by_side() {
	local i count=$1 pids=() status=0
	shift

	for ((i = 0; i < count; i++)); do
		"$@" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || status=1
	done
	return $status
}

finish() {
	ktap_finished
}
