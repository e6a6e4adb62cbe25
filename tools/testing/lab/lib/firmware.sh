# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The directory that the VM's kernel gets as firmware_class.path:
#
#   firmware-570.144-<hash>/nvidia/
#     ad102/gsp/{gsp,bootloader,booter_load,booter_unload,scrubber}-570.144.bin
#                                   from firmware-nvidia-graphics, as they are
#     ad102/gsp/{gsp,gsp_bootloader,booter_load,booter_unload}.tlv, gsp.bin
#                                   the same images for upstream's nova-core
#     vgpu-570.144.bin              vGPU types, from tools/vgpu-metadata/types.toml

FIRMWARE_VERSION=570.144
FIRMWARE_PACKAGE=firmware-nvidia-graphics

firmware_setup() {
	local state version name

	if [ -z "$(cache_current firmware)" ]; then
		apt_refresh near
		read -r state version <<<"$(firmware_candidate)"
		name=firmware-$FIRMWARE_VERSION-$(hash_of "$FIRMWARE_PACKAGE=$version")
		if ! cache_has "$name"; then
			cache_begin "$name"
			step firmware "NVIDIA firmware $FIRMWARE_VERSION" firmware_fetch "$state" "$version" "$name"
			cache_finish "$name"
		fi
		cache_select firmware "$name"
	fi
	# The first build of the tools takes a while; later ones are quick.
	if [ -n "$(host_tools_missing)" ]; then
		step host-tools "host tools" host_tools_build
	fi
	firmware_generate
}

# Versions are dates: 570.144 came with 2025-04; newest first, all suites.
firmware_candidate() {
	local state found

	for state in near far; do
		found=$(apt_offers "$state" "$FIRMWARE_PACKAGE" | sort -rV | sed -n 1p)
		if [ -n "$found" ]; then
			echo "$state ${found% *}"
			return
		fi
	done
	die "$FIRMWARE_PACKAGE" "in none of the suites" "check the archive's non-free-firmware component"
}

firmware_fetch() {
	local dir=$LAB_CACHE/$3/nvidia/ad102/gsp tmp=$LAB_CACHE/$3.tmp image

	rm -rf "$tmp"
	apt_download "$1" "$FIRMWARE_PACKAGE" "$2" "$tmp" ||
		die "$FIRMWARE_PACKAGE" "download failed" "try again later"
	mkdir -p "$dir" "$tmp/root"
	# AD102's GSP image is a link to GA102's file.
	dpkg-deb --fsys-tarfile "$tmp"/*.deb | tar -x -C "$tmp/root" --strip-components=2 --wildcards \
		"*/firmware/nvidia/ad102/gsp/*-$FIRMWARE_VERSION.bin*" \
		"*/firmware/nvidia/ga102/gsp/*-$FIRMWARE_VERSION.bin*" || true
	for image in gsp bootloader booter_load booter_unload scrubber; do
		cp -L "$(find "$tmp/root" -path "*/ad102/gsp/$image-$FIRMWARE_VERSION.bin")" "$dir/" ||
			die "firmware $image-$FIRMWARE_VERSION.bin" "not in $FIRMWARE_PACKAGE $2" \
				"check that the package still has version $FIRMWARE_VERSION"
	done
	rm -rf "$tmp"
}

# Files made from the images by tools of this tree; made again when a tool or
# the table is newer. Several checkouts may share the cache.
firmware_generate() {
	local dir tool table lock
	dir=$(cache_current firmware)/nvidia

	build_quietly host-tools host_tools_build
	exec {lock}>"$(cache_current firmware)/.lock"
	flock "$lock"
	tool=$(host_tool nova-tlv)
	if [ ! -e "$dir/ad102/gsp/gsp.tlv" ] || [ "$tool" -nt "$dir/ad102/gsp/gsp.tlv" ]; then
		"$tool" "$dir/ad102/gsp" --version "$FIRMWARE_VERSION" >/dev/null ||
			die "TLV files" "nova-tlv failed" "see the line above"
	fi
	tool=$(host_tool vgpu-metadata)
	table=$REPO/tools/vgpu-metadata/types.toml
	if [ ! -e "$dir/vgpu-$FIRMWARE_VERSION.bin" ] || [ "$tool" -nt "$dir/vgpu-$FIRMWARE_VERSION.bin" ] ||
		[ "$table" -nt "$dir/vgpu-$FIRMWARE_VERSION.bin" ]; then
		"$tool" build "$table" -o "$dir/vgpu-$FIRMWARE_VERSION.bin" >/dev/null ||
			die "vGPU type metadata" "vgpu-metadata failed" "see the line above"
	fi
	exec {lock}>&-
}

firmware_env() {
	env_line LAB_FIRMWARE "$(cache_current firmware)"
}

firmware_status() {
	status_line "firmware $FIRMWARE_VERSION" "$(cache_current firmware)"
}
