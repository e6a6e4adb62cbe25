# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What a run of the VM consists of: its options, what is built for it, what
# guest/run.sh is told, and the command line. vm-run.sh runs it.
#
#   pcie.0 -+- rp0 --- ada-gpu (01:00.0, VFs from 01:00.4)
#           |   '- AER and hot plug are Linux's own, as on a server
#           +- lab-serial: ports lab.out (output), org.qemu.qmp (QMP)
#           '- what virtme-run adds: 9p root, 9p build/, ttyS0

# PF and VF BARs must fit: 32 VFs with the largest BAR1 need 64 GiB, aligned.
VM_PREF64_RESERVE=160G
VM_MEM_RESERVE=64M

vm_options() {
	VM_FLAVOUR=release VM_GPU="" VM_WITH_GPU=1 VM_VFS=0 VM_MODULES=1 VM_BUILD=1 VM_TIMEOUT=
	VM_MEMORY=4G VM_KERNEL_ARGS="" VM_QEMU_ARGS=() VM_CMD=()

	while [ $# -gt 0 ]; do
		case $1 in
		--*=*)
			set -- "${1%%=*}" "${1#*=}" "${@:2}"
			continue
			;;
		--flavour | --gpu | --vfs | --timeout | --memory | --kernel-args | --qemu-args)
			[ $# -ge 2 ] || die "option $1" "its value is missing" "see lab --help"
			;;
		esac
		case $1 in
		--flavour) VM_FLAVOUR=$2 && shift ;;
		--gpu) VM_GPU=${VM_GPU:+$VM_GPU,}$2 && shift ;;
		--no-gpu) VM_WITH_GPU=0 VM_MODULES=0 ;;
		--vfs) VM_VFS=$2 && shift ;;
		--no-modules) VM_MODULES=0 ;;
		--no-build) VM_BUILD=0 ;;
		--timeout) VM_TIMEOUT=$2 && shift ;;
		--memory) VM_MEMORY=$2 && shift ;;
		--kernel-args) VM_KERNEL_ARGS+=" $2" && shift ;;
		--qemu-args)
			local words
			read -ra words <<<"$2"
			VM_QEMU_ARGS+=("${words[@]}")
			shift
			;;
		--)
			shift
			VM_CMD=("$@")
			break
			;;
		-*) die "option $1" "unknown" "see lab --help" ;;
		*)
			VM_CMD=("$@")
			break
			;;
		esac
		shift
	done
	kernel_check_flavour "$VM_FLAVOUR"
	VM_TIMEOUT=${VM_TIMEOUT:-$(vm_default_timeout)}
	if ! [[ $VM_VFS =~ ^[0-9]+$ && $VM_TIMEOUT =~ ^[0-9]+$ ]]; then
		die "--vfs $VM_VFS --timeout $VM_TIMEOUT" "not numbers" "give whole numbers"
	fi
}

vm_default_timeout() {
	case $VM_MODE,$VM_FLAVOUR in
	# Nobody watches the clock in a shell.
	shell,*) echo 604800 ;;
	# What KASAN and lockdep check takes longer than all else.
	*,debug) echo 3600 ;;
	*) echo 900 ;;
	esac
}

# KVM only where it works: some machines have the node without the CPU's help,
# and an unmodified kernel then hangs in its boot loader.
vm_has_kvm() {
	[ -r /dev/kvm ] && [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo
}

vm_main() {
	VM_MODE=$1
	shift
	vm_options "$@"
	if [ "$VM_MODE" = run ] && [ "${#VM_CMD[@]}" = 0 ]; then
		die "lab run" "no command" "give one after --"
	fi
	if [ "$VM_MODE" = shell ] && [ ! -t 0 ]; then
		die "lab shell" "standard input is not a terminal" "use lab run -- CMD"
	fi

	vm_prepare
	vm_run "$VM_MODE"
}

vm_prepare() {
	local kind todo="run lab setup"

	[ "$VM_FLAVOUR" = release ] || todo="run lab setup --flavour $VM_FLAVOUR"
	for kind in python qemu qemu-source firmware "kernel-$VM_FLAVOUR"; do
		[ -n "$(cache_current "$kind")" ] || die "$kind" "not in $LAB_CACHE" "$todo"
	done
	[ "$VM_BUILD" = 1 ] || return 0
	build_lock
	firmware_generate
	[ "$VM_WITH_GPU" = 0 ] || gpu_build
	[ "$VM_MODULES" = 0 ] || modules_build "$VM_FLAVOUR"
	build_unlock
}

# What guest/run.sh reads: the command and the variables.
vm_write_orders() {
	local name

	{
		printf 'cd %q\n' "$REPO"
		[ "${#VM_CMD[@]}" = 0 ] || printf '%q ' "${VM_CMD[@]}"
		echo
	} >"$VM_RUN/cmd"
	{
		cmd_env
		env_line FLAVOUR "$VM_FLAVOUR"
		env_line MODULES_DIR "$(modules_dir "$VM_FLAVOUR")"
		env_line LAB_RUN "$VM_RUN"
		env_line LAB_VFS "$VM_VFS"
		env_line LAB_LOAD_MODULES "$VM_MODULES"
		env_line LAB_MODE "$1"
		env_line LAB_STAGED "$(kernel_staged "$VM_FLAVOUR")"
		env_line HOME "${HOME:-/root}"
		env_line TERM "${TERM:-linux}"
		env_line LAB_TTY_SIZE "$(stty size 2>/dev/null || echo 24 80)"
		env_line PATH "$REPO/build/host/release:$REPO/build/ada-gpu:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
		# Settings of tests reach the VM under these names.
		while IFS='=' read -r name _; do
			if [[ $name =~ ^(KUNIT|SUITES|TEST_[A-Z_]+|GUEST_[A-Z_]+)$ ]]; then
				env_line "$name" "${!name}"
			fi
		done < <(env)
	} >"$VM_RUN/env"
}

vm_qemu_args() {
	local gpu=ada-gpu,id=gpu0,bus=rp0 size=() out

	if [ "$1" = shell ]; then
		out=socket,id=lab-out,path=$VM_SOCKETS/out,server=on,wait=off
	else
		out=file,id=lab-out,path=$VM_SOCKETS/out
	fi
	# With a thread for each CPU, QEMU 10.0.2 now and then leaves the timer
	# interrupt of a CPU in service for ever, and the VM hangs.
	vm_has_kvm || size=(-accel "tcg,thread=${LAB_TCG_THREAD:-single}")
	printf '%s\n' "${size[@]}" \
		-M q35,kernel-irqchip=split \
		-device intel-iommu,intremap=on,caching-mode=on,aw-bits=48 \
		-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off \
		-device "pcie-root-port,id=rp0,bus=pcie.0,chassis=1,slot=1,pref64-reserve=$VM_PREF64_RESERVE,mem-reserve=$VM_MEM_RESERVE" \
		-chardev "$out" \
		-device virtio-serial-pci,id=lab-serial \
		-device virtserialport,bus=lab-serial.0,chardev=lab-out,name=lab.out \
		-chardev "socket,id=qmp-s,path=$VM_SOCKETS/qmp,server=on,wait=off" \
		-mon chardev=qmp-s,mode=control \
		-chardev "socket,id=qmp-c,path=$VM_SOCKETS/qmp" \
		-device virtserialport,bus=lab-serial.0,chardev=qmp-c,name=org.qemu.qmp
	[ "$VM_WITH_GPU" = 0 ] || printf '%s\n' -device "$gpu${VM_GPU:+,$VM_GPU}"
	[ "${#VM_QEMU_ARGS[@]}" = 0 ] || printf '%s\n' "${VM_QEMU_ARGS[@]}"
}

# QEMU's own executable, with the emulated GPU in it.
vm_write_qemu() {
	{
		echo '#!/bin/sh'
		[ "$VM_WITH_GPU" = 0 ] || echo "export LAB_QEMU_PRELOAD='$(gpu_library)'"
		echo "exec '$(cache_current qemu)/qemu-system-x86_64' \"\$@\""
	} >"$VM_RUN/qemu"
	chmod +x "$VM_RUN/qemu"
}

vm_kernel_args() {
	# The host's files do not change under a run, so the root may be cached.
	# Without power saving of links (PCIEASPM) Linux does not even ask the
	# firmware for AER and hot plug.
	printf '%s\n' intel_iommu=on pcie_ports=native root=/dev/root \
		rootflags=version=9p2000.L,trans=virtio,access=any,msize=524288,cache=loose \
		loglevel=7 log_buf_len=4M panic=-1 modprobe.blacklist=nova_core \
		"firmware_class.path=$(cache_current firmware)"
	if ! vm_has_kvm; then
		# On a busy host an emulated CPU is off for so long that the kernel
		# measures a wrong TSC, and its time then runs several times too fast.
		printf '%s\n' tsc=unstable clocksource=hpet no_timer_check
	fi
	# With five levels, KASAN's address check depends on a capability bit that
	# the kernel rewrites early, and an interrupt then is reported as a fault.
	[ "$VM_FLAVOUR" != debug ] || echo no5lvl
	# shellcheck disable=SC2086 # words of one option
	[ -z "$VM_KERNEL_ARGS" ] || printf '%s\n' $VM_KERNEL_ARGS
}

# The command line, into the array VM_COMMAND.
vm_compose() {
	local kvm=() appends=() qemu_args arg

	vm_has_kvm || kvm=(--disable-kvm)
	while read -r arg; do
		appends+=(-a "$arg")
	done < <(vm_kernel_args)
	mapfile -t qemu_args < <(vm_qemu_args "$1")
	VM_COMMAND=(
		"$(cache_current python)/bin/virtme-run" "${kvm[@]}" --disable-microvm --force-9p
		--kimg "$(kernel_image "$VM_FLAVOUR")" --mods none
		--name lab --qemu-bin "$VM_RUN/qemu" --user root --cpus 2 --memory "$VM_MEMORY"
		--show-boot-console --rwdir "$REPO/build" "${appends[@]}"
		--script-sh "exec $LAB_DIR/guest/run.sh $VM_RUN"
		--qemu-opts "${qemu_args[@]}"
	)
	printf '%q ' "${VM_COMMAND[@]}" >"$VM_RUN/command"
}
