#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The first thing that runs in the VM, as root and without udev or systemd:
#
#   output to the port lab.out -> modules -> VFs -> CMD -> kernel's own checks -> status
#
#   run.sh DIR     DIR/env: variables   DIR/cmd: what to run   DIR/status: how it ended
run=$1

set -a
# shellcheck source=/dev/null
. "$run/env"
set +a

# port NAME: device node of the virtio port with that name
port() {
	local dir name

	for dir in /sys/class/virtio-ports/*; do
		read -r name <"$dir/name"
		if [ "$name" = "$1" ]; then
			echo "/dev/${dir##*/}"
			return
		fi
	done
}

# finish STATUS: tell the host and let init power the machine off
finish() {
	echo "$1" >"$run/status"
	sync
	exit 0
}

fail() {
	echo "lab: $1: $2: $3"
	finish 97
}

# The host's files are read-only here. What programs expect to write gets a layer
# in memory; build/ stays the host's, also when it lies below one of these.
writable_copies() {
	local dir layers=/run/lab/layers

	mkdir -p /run/lab/build "$layers"/{etc,usr,var,tmp}/{upper,work}
	mount --bind "$1" /run/lab/build
	for dir in etc usr var tmp; do
		mount -t overlay "lab-$dir" "/$dir" \
			-o "lowerdir=/$dir,upperdir=$layers/$dir/upper,workdir=$layers/$dir/work"
	done
	# Always: a mount that a layer now hides is still in the mount table.
	mount --bind /run/lab/build "$1"
}

memory_leaks() {
	[ -e /sys/kernel/debug/kmemleak ] || return 0
	# Objects younger than five seconds are not reported, so scan twice.
	echo scan >/sys/kernel/debug/kmemleak
	sleep 6
	echo scan >/sys/kernel/debug/kmemleak
	cat /sys/kernel/debug/kmemleak >"$run/kmemleak"
	if [ -s "$run/kmemleak" ]; then
		echo "lab: memory leaks:"
		cat "$run/kmemleak"
		echo "kmemleak: $(grep -c '^unreferenced' "$run/kmemleak") new suspected memory leaks" >/dev/kmsg
	fi
}

load_modules() {
	# shellcheck source=/dev/null
	. "$1/tools/testing/lib/host.sh"
	host_load_modules ||
		fail "modules" "loading them failed" "see the kernel's messages: $(dmesg | tail -n 5)"
}

enable_vfs() {
	local pf i
	pf=$(host_find_pf) ||
		fail "$LAB_VFS VFs" "no GPU is bound to the driver" "see the kernel's messages: $(dmesg | tail -n 5)"
	echo "$LAB_VFS" >"/sys/bus/pci/devices/$pf/sriov_numvfs" ||
		fail "$LAB_VFS VFs" "the driver refused" "see the kernel's messages: $(dmesg | tail -n 5)"
	for ((i = 0; i < LAB_VFS; i++)); do
		host_bind_vf "$(host_vf "$pf" "$i")" ||
			fail "VF $i" "its driver did not bind" "see the kernel's messages: $(dmesg | tail -n 5)"
	done
}

main() {
	local repo

	repo=$(cd "$(dirname "$0")/../../../.." && pwd)
	cd "$repo" || finish 97
	ulimit -l unlimited
	mkdir -p /dev/virtio-ports
	LAB_QMP=/dev/virtio-ports/org.qemu.qmp
	ln -sf "$(port org.qemu.qmp)" "$LAB_QMP"
	export LAB_QMP
	writable_copies "$repo/build"
	mkdir -p "/lib/modules/${LAB_STAGED##*/}"
	mount --bind "$LAB_STAGED" "/lib/modules/${LAB_STAGED##*/}"

	[ "$LAB_LOAD_MODULES" = 0 ] || load_modules "$repo"
	[ "$LAB_VFS" = 0 ] || enable_vfs
	if [ "$LAB_MODE" = shell ]; then
		local rows cols
		read -r rows cols <<<"$LAB_TTY_SIZE"
		socat "SYSTEM:stty rows $rows cols $cols; exec bash -l,pty,setsid,ctty,stderr,sane" "$out"
	else
		bash "$run/cmd" </dev/null
	fi
	local status=$?
	memory_leaks
	dmesg >"$run/dmesg"
	finish "$status"
}

out=$(port lab.out)
if [ "$LAB_MODE" = shell ]; then
	main >"$run/output.log" 2>&1
else
	main >"$out" 2>&1
fi
