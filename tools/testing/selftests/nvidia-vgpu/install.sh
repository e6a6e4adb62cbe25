#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A host on which "make install" was run: build/install/root becomes part of the
# VM's root. Which files there are, which driver gets the GPU when udev asks for
# one, and that the units' commands bring a configuration back.
#
# Needs a VM without loaded modules; not part of run_all (suites/15-install).
set -u
pf=$(basename "$(dirname "$(grep -lx 0x10de /sys/bus/pci/devices/*/vendor | head -n 1)")")
. tools/testing/selftests/nvidia-vgpu/lib.sh

root=$BUILD/install/root
modules=/lib/modules/$(uname -r)
units=/usr/lib/systemd/system
config=/etc/vgpuctl/vgpuctl.toml

# The kernel's modules are read-only here.
put_in_place() {
	mkdir "$scratch/modules" && mount -t tmpfs modules "$scratch/modules" &&
		mkdir "$scratch/modules/upper" "$scratch/modules/work" &&
		mount -t overlay modules "$modules" \
			-o "lowerdir=$modules,upperdir=$scratch/modules/upper,workdir=$scratch/modules/work" &&
		tar -C "$root" -c --exclude='modules.*' lib usr |
		tar -C / -x --keep-directory-symlink --no-overwrite-dir && depmod
}

leave_modules() {
	! mountpoint -q "$scratch/modules" || umount -l "$modules" "$scratch/modules"
}
at_exit+=(leave_modules)

expected_files() {
	printf '%s\n' "$modules/updates/nova_core_vgpu.ko" "$modules/updates/nvidia_vgpu_vfio.ko" \
		/lib/firmware/updates/nvidia/vgpu-570.144.bin \
		/usr/bin/vgpuctl /usr/bin/vgpu-metadata \
		/usr/lib/modprobe.d/nvidia-vgpu.conf \
		$units/vgpuctl-restore.service $units/vgpuctl-restore@.service \
		/usr/lib/udev/rules.d/90-nvidia-vgpu.rules \
		/usr/share/bash-completion/completions/vgpuctl \
		/usr/share/fish/vendor_completions.d/vgpuctl.fish \
		/usr/share/zsh/site-functions/_vgpuctl
	/usr/bin/vgpuctl --help | awk '/^Commands:/ { on = 1; next } !NF { on = 0 } on { print $1 }' |
		sed 's|.*|/usr/share/man/man1/vgpuctl-&.1|; s|vgpuctl-help|vgpuctl|'
	printf "/usr/share/man/man1/vgpuctl-wait-%s.1\n" creatable gpu state type vfs
}

has_all_files() {
	diff <(expected_files | sort) \
		<(find "$root" -type f ! -name 'modules.*' | sed "s|^$root||" | sort)
}

aliases() {
	modinfo -F alias "$1" | sort
}

# udev matches pci: only; vfio_pci: is for libvirt, or for whoever asks.
has_aliases() {
	[ "$(aliases nova_core_vgpu | wc -l)" -gt 0 ] &&
		! aliases nova_core_vgpu | grep -v '^pci:' &&
		diff <(aliases nova_core_vgpu) <(aliases nvidia_vgpu_vfio | sed 's/^vfio_//')
}

loaded() {
	[ -d "/sys/module/$1" ]
}

is_driver() {
	local driver

	driver=$(host_driver "$pf")
	[ "$driver" = "$1" ] || { echo "$pf is bound to '$driver', not to '$1'"; return 1; }
}

# As udev does it, with all modules that match.
loads_pf_driver() {
	modprobe -a -b "$(cat "/sys/bus/pci/devices/$pf/modalias")" && is_driver $PF_DRIVER &&
		! loaded $VF_DRIVER
}

loads_vf_driver() {
	modprobe "vfio_$(cat "/sys/bus/pci/devices/$pf/modalias")" && loaded $VF_DRIVER
}

# Upstream's driver claims all NVIDIA display controllers.
comes_first() {
	modprobe -r $VF_DRIVER $PF_DRIVER && ! loaded $PF_DRIVER || return 1
	modprobe nova_core && loaded nova_core && is_driver $PF_DRIVER && modprobe -r nova_core
}

# start UNIT [INSTANCE]: what systemd would start.
start() {
	local command

	read -ra command < <(sed -n "s/^ExecStart=//; T; s/%i/${2:-}/; p" "$units/$1")
	echo "${command[*]}"
	"${command[@]}"
}

units_are_sound() {
	systemd-analyze verify $units/vgpuctl-restore.service $units/vgpuctl-restore@.service
}

restores_at_boot() {
	modprobe $VF_DRIVER && vgpuctl enable "$pf" -n 2 &&
		vgpuctl select rtx6000-ada-2q --gpu "$pf" && vgpuctl save || return 1
	modprobe -r $VF_DRIVER $PF_DRIVER && modprobe -a $PF_DRIVER $VF_DRIVER || return 1
	reads 0 "/sys/bus/pci/devices/$pf/sriov_numvfs" || return 1
	start vgpuctl-restore.service && diff $config <(vgpuctl save -o -)
}

# The rule's event, and what the rule makes of it.
restores_after_bind() {
	local rule=/usr/lib/udev/rules.d/90-nvidia-vgpu.rules

	grep -q "^ACTION==\"bind\", SUBSYSTEM==\"pci\", DRIVER==\"$PF_DRIVER\"," $rule &&
		grep -q "start vgpuctl-restore@\$kernel.service\"\$" $rule || return 1
	pf_unbind || return 1
	echo "$pf" >"/sys/bus/pci/drivers/$PF_DRIVER/bind" || return 1
	start vgpuctl-restore@.service "$pf" && diff $config <(vgpuctl save -o -)
}

completes() {
	bash -c '. /usr/share/bash-completion/completions/vgpuctl && complete -p vgpuctl' &&
		bash -c '. /usr/share/bash-completion/completions/vgpuctl
			COMP_WORDS=(vgpuctl res) COMP_CWORD=1 COMP_LINE="vgpuctl res"
			_vgpuctl vgpuctl res vgpuctl; echo "${COMPREPLY[*]}"' | grep -qx restore
}

manual_is_clean() {
	local warnings

	warnings=$(for page in /usr/share/man/man1/vgpuctl*.1; do
		groff -man -Tutf8 -ww "$page" 2>&1 >/dev/null
	done)
	[ -z "$warnings" ] || { echo "$warnings"; return 1; }
}

has_one_version() {
	local version
	version=$(sed -n 's/^version = "\(.*\)"$/\1/p' tools/Cargo.toml)

	[ "$(vgpuctl --version)" = "vgpuctl $version" ] && grep -qx "PACKAGE_VERSION=\"$version\"" dkms.conf
}

ktap_print_header
ktap_set_plan 13
result "the tree is put in place" put_in_place
result "every file is there, and no other" has_all_files
result "aliases of the modules" has_aliases
result "udev's way loads the PF driver alone" loads_pf_driver
result "a vfio_pci alias loads the VF driver" loads_vf_driver
result "the PF driver comes before upstream's nova_core" comes_first
if command -v systemd-analyze >/dev/null; then
	result "systemd finds no fault with the units" units_are_sound
else
	ktap_test_skip "systemd-analyze is not installed"
fi
result "the configuration comes back at boot" restores_at_boot
result "and after the driver was bound again" restores_after_bind
result "bash completes commands" completes
result "man pages" manual_is_clean
result "the type file is sound" vgpu-metadata check /lib/firmware/updates/nvidia/vgpu-570.144.bin
result "one version everywhere" has_one_version
finish
