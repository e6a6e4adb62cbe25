#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# What the emulated GPU looks like on the PCI bus, seen from inside its VM, and
# what SR-IOV and FLR do to it. Needs the PF without a driver: pci-pf-stub is
# bound to it for the time of the test.
#
#   lab run --no-modules -- tools/testing/ada-gpu/tests/pci-layout.sh
#
#   PF  devfn 0    BAR0 16M  BAR1 256M  BAR3 32M  BAR5 128 I/O
#   VF  devfn 4..  BAR0 256K BAR1 256M  BAR3 32M
#
# Prints TAP. Offsets are those of caps.c and sriov.c, taken from the outside.
set -u

DEVICES=/sys/bus/pci/devices
STUB=/sys/bus/pci/drivers/pci-pf-stub
CTL=${ADA_GPU_CTL:-$(dirname "$0")/../../../../build/ada-gpu/ada-gpu-ctl}

CAP_PM=01 CAP_MSI=05 CAP_VENDOR=09 CAP_PCIE=10 CAP_MSIX=11
EXT_AER=0001 EXT_VC=0002 EXT_SERIAL=0003 EXT_ARI=000e EXT_SRIOV=0010
FLR_CAPABLE=$((1 << 28))

tests=0
failed=0

# ok NAME ACTUAL EXPECTED
ok() {
	tests=$((tests + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $tests - $1"
	else
		failed=$((failed + 1))
		echo "not ok $tests - $1"
		echo "# is '$2', must be '$3'"
	fi
}

# config BDF OFFSET BYTES: little-endian number from config space, as hex
config() {
	od -An -v -tx1 -j "$(($2))" -N "$3" "$DEVICES/$1/config" |
		awk '{ for (i = NF; i > 0; i--) printf "%s", $i }'
}

# config_write BDF OFFSET BYTE...: bytes as two hex digits
config_write() {
	local file=$DEVICES/$1/config offset=$(($2))

	shift 2
	printf '%b' "$(printf '\\x%s' "$@")" |
		dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
}

number() {
	echo $((0x$(config "$@")))
}

# "offset:id" of each capability, in list order
capabilities() {
	local at

	at=$(config "$1" 0x34 1)
	while [ "$at" != 00 ]; do
		printf '%s:%s ' "$at" "$(config "$1" "0x$at" 1)"
		at=$(config "$1" "0x$at + 1" 1)
	done
}

ext_capabilities() {
	local at=100 header

	while [ "$at" != 000 ]; do
		header=$(config "$1" "0x$at" 4)
		printf '%s:%s ' "$at" "${header:4:4}"
		at=${header:0:3}
	done
}

# bar BDF RESOURCE: size and the type bits of the register
bar() {
	local start end flags

	read -r start end flags < <(sed -n "$(($2 + 1))p" "$DEVICES/$1/resource")
	echo "$((end - start + 1)) $((flags & 0xf))"
}

find_pf() {
	local dev

	for dev in "$DEVICES"/*; do
		if [ "$(cat "$dev/vendor")" = 0x10de ] && [ -e "$dev/sriov_totalvfs" ]; then
			basename "$dev"
			return 0
		fi
	done
	return 1
}

check_pf() {
	ok "PF vendor and device" "$(config "$pf" 0 4)" 26b110de
	ok "PF revision" "$(config "$pf" 8 1)" a1
	ok "PF class: VGA controller" "$(config "$pf" 9 3)" 030000
	ok "PF subsystem" "$(config "$pf" 0x2c 4)" 16a110de
	ok "PF devfn" "${pf##*:}" 00.0
	ok "PF BAR0: 16M, 32-bit" "$(bar "$pf" 0)" "$((16 << 20)) 0"
	ok "PF BAR1: 256M, 64-bit prefetchable" "$(bar "$pf" 1)" "$((256 << 20)) 12"
	ok "PF BAR3: 32M, 64-bit prefetchable" "$(bar "$pf" 3)" "$((32 << 20)) 12"
	ok "PF BAR5: 128 bytes of I/O" "$(bar "$pf" 5)" "128 1"
	ok "PF capabilities" "$(capabilities "$pf")" \
		"60:$CAP_PM 68:$CAP_MSI 78:$CAP_PCIE c8:$CAP_MSIX "
	ok "PF extended capabilities" "$(ext_capabilities "$pf")" \
		"100:$EXT_VC 420:$EXT_AER bcc:$EXT_SRIOV c14:$EXT_ARI "
	ok "PF can FLR" "$(($(number "$pf" 0x7c 4) & FLR_CAPABLE))" "$FLR_CAPABLE"
	ok "PF MSI-X: 6 entries" "$(($(number "$pf" 0xca 2) & 0x7ff))" 5
	ok "PF MSI-X table" "$(config "$pf" 0xcc 4)" 00b90000
	ok "PF MSI-X PBA" "$(config "$pf" 0xd0 4)" 00ba0000
}

check_sriov() {
	ok "InitialVFs and TotalVFs" "$(config "$pf" 0xbd8 4)" 00200020
	ok "First VF offset and stride" "$(config "$pf" 0xbe0 4)" 00010004
	ok "VF device id" "$(config "$pf" 0xbe6 2)" 26b1
	ok "supported page sizes" "$(config "$pf" 0xbe8 4)" 00000573
	ok "VF BAR0 is 32-bit" "$(($(number "$pf" 0xbf0 4) & 0xf))" 0
	ok "VF BAR1 is 64-bit prefetchable" "$(($(number "$pf" 0xbf4 4) & 0xf))" 12
	ok "VF BAR3 is 64-bit prefetchable" "$(($(number "$pf" 0xbfc 4) & 0xf))" 12
}

# Past the kernel, which would not write this.
check_too_many() {
	config_write "$pf" 0xbdc ff 00
	config_write "$pf" 0xbd4 09 00
	ok "VF Enable with NumVFs above TotalVFs" "$(config "$pf" 0xbd4 2)" 0008
	config_write "$pf" 0xbd4 00 00
	config_write "$pf" 0xbdc 00 00
	ok "NumVFs back to 0" "$(config "$pf" 0xbdc 2)" 0000
}

vf_count() {
	find "$DEVICES/$pf/" -maxdepth 1 -name 'virtfn*' | wc -l
}

# set_vfs N: what the kernel answers
set_vfs() {
	if echo "$1" 2>/dev/null >"$DEVICES/$pf/sriov_numvfs"; then
		echo accepted
	else
		echo refused
	fi
}

check_vf() {
	local vf=$1

	ok "VF ids read as all ones" "$(config "$vf" 0 4)" ffffffff
	ok "VF ids come from the PF" "$(cat "$DEVICES/$vf/vendor" "$DEVICES/$vf/device" | xargs)" \
		"0x10de 0x26b1"
	ok "VF class and revision: 3D controller" "$(config "$vf" 8 4)" 030200a1
	ok "VF subsystem" "$(config "$vf" 0x2c 4)" 16a110de
	ok "VF BAR0: 256K, 32-bit" "$(bar "$vf" 0)" "$((256 << 10)) 0"
	ok "VF BAR1: 256M, 64-bit prefetchable" "$(bar "$vf" 1)" "$((256 << 20)) 12"
	ok "VF BAR3: 32M, 64-bit prefetchable" "$(bar "$vf" 3)" "$((32 << 20)) 12"
	ok "VF capabilities" "$(capabilities "$vf")" "40:$CAP_PCIE b0:$CAP_VENDOR 7c:$CAP_MSIX "
	ok "VF extended capabilities" "$(ext_capabilities "$vf")" \
		"100:$EXT_AER 148:$EXT_ARI 180:$EXT_SERIAL "
	ok "VF can FLR" "$(($(number "$vf" 0x44 4) & FLR_CAPABLE))" "$FLR_CAPABLE"
	ok "VF MSI-X: 6 entries" "$(($(number "$vf" 0x7e 2) & 0x7ff))" 5
	ok "VF MSI-X table" "$(config "$vf" 0x80 4)" 00010000
	ok "VF MSI-X PBA" "$(config "$vf" 0x84 4)" 00020000
	ok "VF FLR" "$(cut -d" " -f1 "$DEVICES/$vf/reset_method") $(
		echo 1 2>/dev/null >"$DEVICES/$vf/reset" && echo accepted
	)" "flr accepted"
}

# Routing ids: PF devfn + 4 + index, into function numbers that need ARI.
check_routing() {
	local i want="" got=""

	for i in $(seq 0 31); do
		want+=$(printf '%s:%02x.%x ' "${pf%:*}" $(((i + 4) / 8)) $(((i + 4) % 8)))
		got+="$(basename "$(readlink -f "$DEVICES/$pf/virtfn$i")") "
	done
	ok "32 VFs at functions 4 to 35" "$got" "$want"
	ok "BAR1 of VF 31 follows that of VF 30" \
		"$(($(vf_bar1 31) - $(vf_bar1 30)))" "$((256 << 20))"
}

vf_bar1() {
	cut -d' ' -f1 "$DEVICES/$pf/virtfn$1/resource" | sed -n 2p
}

# The model's own count of what the bus did to it.
check_control() {
	if [ ! -x "$CTL" ]; then
		tests=$((tests + 1))
		echo "ok $tests - the model answers # SKIP no $CTL"
		return
	fi
	ok "the model answers" "$("$CTL" get total-vfs)" 32
	ok "a fixed property cannot be changed" "$("$CTL" set vram 1G 2>&1; echo $?)" \
		"ada-gpu-ctl: property 'vram' cannot be changed while running
1"
	ok "a fault can be set" "$("$CTL" fault no-init-done && "$CTL" get fault)" no-init-done
	ok "faults can be cleared" "$("$CTL" fault clear && "$CTL" get fault)" ""
}

if ! pf=$(find_pf); then
	echo "1..0 # SKIP no NVIDIA device with SR-IOV"
	exit 4
fi
if [ -e "$DEVICES/$pf/driver" ]; then
	echo "1..0 # SKIP $pf has a driver; run with --no-modules"
	exit 4
fi

echo "TAP version 13"
check_pf
check_sriov
check_too_many

modprobe pci-pf-stub
echo pci-pf-stub >"$DEVICES/$pf/driver_override"
echo "$pf" >"$STUB/bind"
echo 0 >"$DEVICES/$pf/sriov_drivers_autoprobe"

ok "one VF" "$(set_vfs 1) $(vf_count)" "accepted 1"
check_vf "$(basename "$(readlink -f "$DEVICES/$pf/virtfn0")")"
ok "no VFs" "$(set_vfs 0) $(vf_count)" "accepted 0"
ok "all VFs" "$(set_vfs 32) $(vf_count)" "accepted 32"
check_routing
ok "no VFs again" "$(set_vfs 0) $(vf_count)" "accepted 0"
ok "more than TotalVFs" "$(set_vfs 33) $(vf_count)" "refused 0"
ok "PF FLR" "$(echo 1 >"$DEVICES/$pf/reset" && config "$pf" 0 4)" 26b110de
ok "one VF after a reset of the PF" "$(set_vfs 1) $(vf_count) $(set_vfs 0)" "accepted 1 accepted"
check_control

echo "$pf" >"$STUB/unbind"
echo >"$DEVICES/$pf/driver_override"
echo "1..$tests"
[ "$failed" = 0 ]
