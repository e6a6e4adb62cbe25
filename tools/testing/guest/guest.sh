# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Test guests: a QEMU inside the lab VM (or on a host with a real board) that
# owns one VF through `-device vfio-pci` and runs the agent of agent.c. Source
# this file; then
#
#   guest_start NAME VF [QEMU OPTION…]  boots the guest in the background; without a
#                                       function when VF is ""
#   guest_save FILE                     boots one that waits for a function, keeps it
#                                       in FILE, and ends it
#   guest_ready NAME                    waits for its agent
#   guest NAME COMMAND…                 one agent command: prints the answer,
#                                       returns 0 for "ok", 1 for "fail",
#                                       2 when the guest is gone or silent
#   guest_tell NAME COMMAND…            the same in two steps, for several guests at
#   guest_answer NAME                   a time
#   guest_qmp NAME COMMAND [EVENT]      one command to its QEMU, in JSON; waits for
#                                       the event
#   guest_reboot NAME                   reboots it and waits for its agent
#   guest_stop NAME                     powers it off and waits for QEMU
#   guest_kill NAME                     SIGKILL to QEMU, and waits
#   guest_kill_all                      the same to every guest that is left
#
# GUEST_BACKEND says how QEMU is to open the VF: "group" (default) or "iommufd".
# With GUEST_STATE, the FILE of guest_save, a guest goes on from there instead of
# booting. Its QEMU opens the VF in the same way, its kernel finds the function as
# one that was plugged in; it takes a third of the time.
#
# Needs GUEST_QEMU, GUEST_QEMU_DATA, GUEST_KERNEL and GUEST_INITRAMFS.

# Seconds. The lab's tests know how much slower their kernel is (TIME_FACTOR).
: "${GUEST_BOOT_TIMEOUT:=$((300 * ${TIME_FACTOR:-2}))}"
: "${GUEST_COMMAND_TIMEOUT:=$((60 * ${TIME_FACTOR:-2}))}"
# Emulated in an emulated machine a guest boots a hundred times slower than on
# hardware; what it does not need is what costs most: ACPI and the HPET are half.
: "${GUEST_APPEND:=console=ttyS0 quiet panic=-1 acpi=off nokaslr}"

GUEST_TOOLS=$(dirname "${BASH_SOURCE[0]}")

declare -A guest_pid guest_in guest_out guest_dir

guest_start() {
	local name=$1 vf=$2 dir in out slot=pcie-root-port,id=rp0 options=()
	shift 2
	if [ -n "$vf" ] && [ "${GUEST_BACKEND:-group}" = iommufd ]; then
		options+=(-object "iommufd,id=iommufd0" -device "vfio-pci,host=$vf,id=vgpu,bus=rp0,iommufd=iommufd0")
	elif [ -n "$vf" ]; then
		options+=(-device "vfio-pci,host=$vf,id=vgpu,bus=rp0")
	fi
	if [ -n "${GUEST_STATE:-}" ]; then
		options+=(-incoming "file:$GUEST_STATE")
	fi
	# What is plugged in later gets room when the guest boots.
	if [ -z "$vf" ] || [ -n "${GUEST_STATE:-}" ]; then
		slot+=,pref32-reserve=512M
	fi

	dir=$(mktemp -d "${TMPDIR:-/tmp}/guest-$name.XXXXXX")
	mkfifo "$dir/ctl.in" "$dir/ctl.out"
	# Opened for both directions, so that neither side blocks in open().
	exec {in}<>"$dir/ctl.in" {out}<>"$dir/ctl.out"
	# QEMU must not inherit the descriptors of this or another guest.
	(
		local fd
		for fd in "$in" "$out" "${guest_in[@]}" "${guest_out[@]}"; do
			exec {fd}>&-
		done
		exec "$GUEST_QEMU" ${GUEST_QEMU_DATA:+-L "$GUEST_QEMU_DATA"} \
			-nodefaults -no-user-config -display none -monitor none \
			-machine q35,hpet=off -accel "${GUEST_ACCEL:-tcg}" -cpu qemu64 -m 192M -smp 1 \
			-kernel "$GUEST_KERNEL" -initrd "$GUEST_INITRAMFS" \
			-append "$GUEST_APPEND" -no-reboot \
			-serial "file:$dir/console" \
			-chardev "pipe,id=ctl,path=$dir/ctl" -serial chardev:ctl \
			-qmp "unix:$dir/qmp,server=on,wait=off" \
			-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off \
			-device "$slot" "${options[@]}" "$@"
	) </dev/null >"$dir/qemu.log" 2>&1 &
	guest_pid[$name]=$!
	guest_in[$name]=$in
	guest_out[$name]=$out
	guest_dir[$name]=$dir
}

# What a person needs to see when a guest did not do what it was told.
guest_report() {
	local dir=${guest_dir[$1]}

	echo "# guest $1: QEMU said:"
	sed 's/^/#   /' "$dir/qemu.log"
	echo "# guest $1: end of its console:"
	tail -n 20 "$dir/console" 2>/dev/null | sed 's/^/#   /'
}

# Reads one line of the guest's answer within $2 seconds, in steps, so that a
# QEMU that has died is noticed at once. A step that ends in the middle of a
# line keeps what it has.
guest_read_line() {
	local name=$1 deadline=$((SECONDS + $2)) part

	line=
	while :; do
		if IFS= read -r -t 1 -u "${guest_out[$name]}" part; then
			line+=$part
			return 0
		fi
		line+=$part
		kill -0 "${guest_pid[$name]}" 2>/dev/null || return 1
		((SECONDS < deadline)) || return 1
	done
}

# guest_says NAME LINE: the first that it says when it has started.
guest_says() {
	local line

	if ! guest_read_line "$1" "$GUEST_BOOT_TIMEOUT" || [ "$line" != "$2" ]; then
		echo "# guest $1 did not start: ${line:-no answer within $GUEST_BOOT_TIMEOUT s}"
		guest_report "$1"
		return 2
	fi
}

guest_ready() {
	guest_says "$1" ready
}

guest_tell() {
	local name=$1
	shift

	printf '%s\n' "$*" >&"${guest_in[$name]}"
}

guest_answer() {
	local name=$1 line

	while guest_read_line "$name" "$GUEST_COMMAND_TIMEOUT"; do
		printf '%s\n' "$line"
		case $line in
		ok*) return 0 ;;
		fail*) return 1 ;;
		esac
	done
	echo "# guest $name: no answer"
	guest_report "$name"
	return 2
}

guest() {
	guest_tell "$@"
	guest_answer "$1"
}

guest_qmp() {
	local name=$1
	shift

	python3 "$GUEST_TOOLS/qmp.py" "${guest_dir[$name]}/qmp" "$@"
}

guest_save() {
	local status=0

	GUEST_STATE='' guest_start saved ""
	guest_says saved empty && guest_tell saved await &&
		guest_qmp saved '{"execute": "migrate-set-capabilities", "arguments": {"capabilities":
			[{"capability": "events", "state": true}]}}' &&
		guest_qmp saved '{"execute": "migrate", "arguments": {"uri": "file:'"$1"'"}}' MIGRATION=completed ||
		status=1
	guest_kill saved
	return $status
}

# QEMU ends when its guest resets the machine, unless it is told otherwise.
guest_reboot() {
	guest_qmp "$1" '{"execute": "set-action", "arguments": {"reboot": "reset"}}' || return 1
	guest_tell "$1" poweroff
	guest_ready "$1" &&
		guest_qmp "$1" '{"execute": "set-action", "arguments": {"reboot": "shutdown"}}'
}

guest_release() {
	local name=$1 in=${guest_in[$1]} out=${guest_out[$1]}

	local status=0
	wait "${guest_pid[$name]}" || status=$?
	exec {in}>&- {out}>&-
	rm -rf "${guest_dir[$name]}"
	unset "guest_pid[$name]" "guest_in[$name]" "guest_out[$name]" "guest_dir[$name]"
	return $status
}

guest_stop() {
	local deadline=$((SECONDS + GUEST_COMMAND_TIMEOUT)) pid=${guest_pid[$1]}

	guest_tell "$1" poweroff
	while kill -0 "$pid" 2>/dev/null; do
		if ((SECONDS >= deadline)); then
			echo "# guest $1 did not power off"
			guest_report "$1"
			kill -KILL "$pid"
			guest_release "$1"
			return 2
		fi
		read -r -t 0.2 -u "${guest_out[$1]}" _ || true
	done
	guest_release "$1"
}

guest_kill() {
	kill -KILL "${guest_pid[$1]}"
	guest_release "$1"
	return 0
}

guest_kill_all() {
	local name

	for name in "${!guest_pid[@]}"; do
		guest_kill "$name"
	done
}
