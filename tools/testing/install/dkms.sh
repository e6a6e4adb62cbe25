#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Adds, builds and installs the modules with DKMS for the lab's kernel, in
# directories of its own below build/: nothing of the host's DKMS is touched.
#
#   DKMS=PROGRAM tools/testing/install/dkms.sh     (default: dkms)
set -euo pipefail

cd "$(dirname "$0")/../../.."
eval "$(tools/testing/lab/lab env)"
DKMS=${DKMS:-dkms}
top=$PWD/build/install/dkms
# shellcheck disable=SC2154 # from lab env
release=$(cat "$LAB_KERNEL_BUILD_release/include/config/kernel.release")
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)

rm -rf "$top"
mkdir -p "$top/bin" "$top/tree" "$top/modules/$release"
make -s install-dkms DESTDIR="$top"
# As on a host that builds for its own kernel: the kernel's compiler is the one that is found.
ln -s "$LAB_RUSTC" "$top/bin/rustc"
ln -s "$LAB_BINDGEN" "$top/bin/bindgen"

dkms() {
	PATH=$top/bin:$PATH "$DKMS" "$@" -m nova-core-vgpu -v "$version" \
		--dkmstree "$top/tree" --sourcetree "$top/usr/src" --installtree "$top/modules"
}

for_kernel=(-k "$release" --kernelsourcedir "$LAB_KERNEL_BUILD_release")
dkms add
dkms build "${for_kernel[@]}" || {
	tail -n 40 "$top/tree/nova-core-vgpu/$version/build/make.log"
	exit 1
}
# depmod would look into the host's own directory of modules.
dkms install "${for_kernel[@]}" --no-depmod
for module in nova_core_vgpu nvidia_vgpu_vfio; do
	[ "$(modinfo -F vermagic "$top/modules/$release/updates/dkms/$module.ko" | cut -d' ' -f1)" = "$release" ]
done
dkms remove --all --no-depmod
! find "$top/modules" -name '*.ko' | grep .
