# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The host's side of a test: modules, PF, VFs. Works in the lab VM and on a
# host with a real board alike. Source it from the top of the source tree with
# the variables of `lab env` set.

: "${FLAVOUR:=release}"
: "${MODULES_DIR:=build/modules/$FLAVOUR}"
PF_DRIVER=nova_core_vgpu
VF_DRIVER=nvidia_vgpu_vfio
PCI_DEVICES=/sys/bus/pci/devices

# For guest.sh: guests run the lab's guest kernel in the lab's QEMU.
: "${GUEST_QEMU:=${LAB_QEMU:-qemu-system-x86_64}}"
: "${GUEST_QEMU_DATA:=${LAB_QEMU_DATA:-}}"
: "${GUEST_KERNEL:=${LAB_KERNEL_IMAGE_guest:-}}"
: "${GUEST_INITRAMFS:=build/guest/initramfs.cpio}"
export GUEST_QEMU GUEST_QEMU_DATA GUEST_KERNEL GUEST_INITRAMFS

host_load_modules() {
	modprobe vfio-pci
	insmod "$MODULES_DIR/$PF_DRIVER.ko"
	insmod "$MODULES_DIR/$VF_DRIVER.ko"
}

host_unload_modules() {
	rmmod "$VF_DRIVER" "$PF_DRIVER"
}

# The first PF that the core driver drives.
host_find_pf() {
	local path

	for path in "/sys/bus/pci/drivers/$PF_DRIVER"/*:*; do
		[ -e "$path" ] || return 1
		basename "$path"
		return 0
	done
}

# host_vf PF INDEX
host_vf() {
	basename "$(readlink -f "$PCI_DEVICES/$1/virtfn$2")"
}

host_driver() {
	local link

	link=$(readlink "$PCI_DEVICES/$1/driver") && basename "$link"
}

host_iommu_group() {
	basename "$(readlink -f "$PCI_DEVICES/$1/iommu_group")"
}

# A variant driver is bound through driver_override, as libvirt and driverctl
# do it: its ids match nothing on their own.
host_bind_vf() {
	[ "$(host_driver "$1")" = "$VF_DRIVER" ] && return 0
	[ ! -e "$PCI_DEVICES/$1/driver" ] || echo "$1" >"$PCI_DEVICES/$1/driver/unbind"
	echo "$VF_DRIVER" >"$PCI_DEVICES/$1/driver_override"
	echo "$1" >/sys/bus/pci/drivers_probe
	[ "$(host_driver "$1")" = "$VF_DRIVER" ]
}
