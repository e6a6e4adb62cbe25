#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The shim must not run in a QEMU it was not compiled for. Builds it against
# headers that differ from the binary in one thing each, and looks at what QEMU
# says. Runs on the host, with the variables of `lab env` set.
#
#   overlay/config-host.h          another version     --> refused
#   overlay/hw/pci/pci_device.h    one field more      --> refused
#   overlay/exec/memory.h          one field more      --> refused
#   a program without QEMU's symbols                   --> refused
#   unchanged headers                                  --> device there
set -u

HERE=$(cd "$(dirname "$0")/.." && pwd)
: "${LAB_QEMU:?run eval \"\$(tools/testing/lab/lab env)\" first}"
: "${LAB_QEMU_SRC:?}" "${LAB_QEMU_BUILD:?}"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tests=0
failed=0

# ok NAME PATTERN TEXT
ok() {
	tests=$((tests + 1))
	if grep -q -e "$2" <<<"$3"; then
		echo "ok $tests - $1"
	else
		failed=$((failed + 1))
		echo "not ok $tests - $1"
		printf '%s\n' "$3" | sed 's/^/# /'
	fi
}

build() {
	make -s -C "$HERE" QEMU_SRC="$LAB_QEMU_SRC" QEMU_BUILD="$LAB_QEMU_BUILD" \
		OUT="$tmp/out" OVERLAY="$tmp/overlay" "$tmp/out/libada_gpu.so" 2>&1 |
		grep -i error | sed 's/^/# /'
}

# what QEMU prints with the shim in it
load() {
	LAB_QEMU_PRELOAD="$tmp/out/libada_gpu.so" "$LAB_QEMU" -device help 2>&1 | grep ada-gpu
}

# overlay HEADER SED: a changed copy of one of QEMU's headers
overlay() {
	local from

	rm -rf "$tmp/overlay" "$tmp/out"
	mkdir -p "$tmp/overlay/$(dirname "$1")"
	for from in "$LAB_QEMU_BUILD/$1" "$LAB_QEMU_SRC/include/$1"; do
		[ ! -e "$from" ] || sed "$2" "$from" >"$tmp/overlay/$1"
	done
	build
}

echo "TAP version 13"
overlay none ""
ok "the right headers" 'name "ada-gpu"' "$(load)"
overlay config-host.h 's/\(QEMU_VERSION_MICRO\) .*/\1 99/'
ok "another version" 'not loaded: this QEMU is' "$(load)"
overlay hw/pci/pci_device.h 's/^ *uint32_t romsize;/uint64_t more; &/'
ok "another PCIDevice" 'not loaded: pci-device.* is at byte' "$(load)"
overlay exec/memory.h 's/^struct MemoryRegion {/&uint64_t more[2];/'
ok "another MemoryRegion" 'not loaded: pci-device.* is at byte' "$(load)"
cp "$(type -P true)" "$tmp/qemu-system-none"
ok "no QEMU symbols" 'not loaded: qemu-system-none does not export' \
	"$(LD_PRELOAD="$tmp/out/libada_gpu.so" "$tmp/qemu-system-none" 2>&1)"
cp "$tmp/qemu-system-none" "$tmp/other"
ok "not a QEMU at all" '^0$' \
	"$(LD_PRELOAD="$tmp/out/libada_gpu.so" "$tmp/other" 2>&1; echo $?)"
echo "1..$tests"
[ "$failed" = 0 ]
