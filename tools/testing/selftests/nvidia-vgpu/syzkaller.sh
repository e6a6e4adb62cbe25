#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# syzkaller against the files of four VFs, and their types: system calls that it
# makes up, or makes of seeds (tools/testing/fuzz/syzkaller), four programs at a
# time. The kernel says nothing, a neighbour keeps what it has, and each VF can be
# used again.
#
#   TEST_SYZKALLER_SECONDS   how long (default 120; "make syzkaller": half an hour)
#
# The last of its programs are in build/fuzz/syzkaller.log and .log.1. Paths in the
# descriptions are those of the lab's machine.
#
# Not part of run_all: it needs "lab setup --syzkaller".
set -u
. tools/testing/selftests/nvidia-vgpu/lib.sh

TYPE=942
SECONDS_OF_CALLS=${TEST_SYZKALLER_SECONDS:-120}
# It has some thousand descriptions to read, and asks the kernel for each.
START_MS=$((300000 * TIME_FACTOR))
FILES=$PWD/tools/testing/fuzz/syzkaller
LOG=$BUILD/fuzz/syzkaller.log
# What a guest does to its registers is refused by the GPU, and nobody else's.
GUESTS="vf-"
CALLS="syz_open_dev\$vfio*,syz_open_dev\$vgpu_type,openat\$vfio,openat\$iommufd"
CALLS+=",ioctl\$VFIO_*,ioctl\$IOMMU_*,pread64\$vfio*,pwrite64\$vfio*,mmap\$vfio*"
CALLS+=",pread64\$vgpu_type,write\$vgpu_type,read\$vfio_migration,write\$vfio_migration"
CALLS+=",eventfd2,close,dup,dup3,poll,munmap,mremap,mprotect,madvise"

[ -n "$LAB_SYZKALLER" ] || skip_test "no syzkaller: run lab setup --syzkaller"
[ -e /proc/self/ns/net ] || skip_test "no network namespaces, which syzkaller needs: run on the debug kernel"

# Its programs keep their files in the working directory.
syzkaller() {
	cd "$scratch" && exec ./syz-execprog -executor ./syz-executor \
		-slowdown $((5 * TIME_FACTOR)) -enable close_fds -output -vv 1 "$@" 2>&1
}

# Each call of a seed gives what its comment says, or works: the descriptions fit
# this kernel, and get through to the vGPU.
seeds_work() {
	awk '!/^#/ && NF { print /# errno/ ? $NF : 0 }' "$FILES"/seeds/* >"$scratch/wanted"
	(syzkaller -procs 1 -repeat 1 "$FILES"/seeds/*) >"$scratch/seeds"
	awk '$3 == "CALL" { sub(/.*errno /, ""); print $1 }' "$scratch/seeds" >"$scratch/got"
	cmp -s "$scratch/wanted" "$scratch/got" || { cat "$scratch/seeds"; return 1; }
}

# Programs are in the log before they run: one may end the machine.
keep_log() {
	awk -v log_file="$LOG" -v count="$scratch/programs" '
		{ print >log_file; size += length($0) + 1 }
		/executing program/ { fflush(log_file); print ++programs >count; close(count) }
		size > 64000000 { close(log_file); system("mv " log_file " " log_file ".1"); size = 0 }'
}

programs() {
	cat "$scratch/programs" 2>/dev/null || echo 0
}

have_begun() {
	(($(programs) > 0))
}

executors_are_gone() {
	local pid pids

	# Zombies, which nobody waits for, have no files.
	pids=$(pgrep -r D,R,S,T -f syz-executor) || return 0
	for pid in $pids; do
		tail -n +1 "/proc/$pid/comm" "/proc/$pid/stack"
	done
	return 1
}

programs_run() {
	local pid status=0

	(syzkaller -procs 4 -repeat 0 -stress -syscalls "$CALLS" "$FILES"/seeds/*) > >(keep_log) &
	pid=$!
	within "$START_MS" have_begun || status=1
	# It ends when it is told to, and not before.
	[ $status != 0 ] || timeout "$SECONDS_OF_CALLS" tail -f --pid="$pid" /dev/null
	kill -INT "$pid" || status=1
	wait "$pid"
	# It does not wait for them, and one may be about to close a VF.
	within $((10000 * TIME_FACTOR)) executors_are_gone || status=1
	[ $status = 0 ] || tail -n 30 "$LOG"
	return $status
}

# A seed may have selected another type.
vfs_are_usable() {
	select_all $TYPE && all_open
}

begin 8
mkdir -p "${LOG%/*}"
rm -f "$LOG" "$LOG.1"
# Read once, and not for each run.
cp "$LAB_SYZKALLER"/syz-exec{prog,utor} "$scratch"
enable_vfs 5 || ktap_exit_fail_msg "cannot enable VFs"
select_all $TYPE || ktap_exit_fail_msg "cannot select a type for each"
hold_vf "${vfs[4]}"
result "a neighbour is open" test "$held" = open
result "each call of the seeds gives what it should" seeds_work
mark_log
result "programs run until they are told to end" programs_run
echo "# $(programs) programs in $SECONDS_OF_CALLS s"
result "the kernel has nothing to say" kernel_is_silent
result "the neighbour's vGPU works" test "$(hold_line reset)" = ok
release_vf
result "each VF can be used again" vfs_are_usable
select_all 0
disable_vfs
result "nothing is left behind" settled
result "the GPU refused nothing but to the guests" no_refusals "$GUESTS.*"
finish
