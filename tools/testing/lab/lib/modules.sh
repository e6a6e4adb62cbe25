# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What a run needs from the source tree, rebuilt only where it changed:
#
#   host tools       tools/Cargo.toml       -> build/host/release/<tool>
#   emulated GPU     tools/testing/ada-gpu  -> build/ada-gpu/libada_gpu.so
#   kernel modules   Kbuild                 -> build/modules/<flavour>[-kunit]/*.ko

HOST_TOOLS=(nova-tlv vgpu-metadata vgpuctl ada-gpu-ctl)

host_tool() {
	echo "$REPO/build/host/release/$1"
}

host_tools_missing() {
	local tool

	for tool in "${HOST_TOOLS[@]}"; do
		[ -x "$(host_tool "$tool")" ] || echo "$tool"
	done
}

# build_quietly NAME COMMAND...: output only when it fails
build_quietly() {
	local log=$REPO/build/lab/build-$1.log name=$1
	shift

	mkdir -p "$REPO/build/lab"
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 40 "$log" >&2
		die "$name" "the build failed" "see $log"
	fi
}

# Builds of two runs at a time would write the same files.
build_lock() {
	mkdir -p "$REPO/build/lab"
	exec 8>"$REPO/build/lab/.build.lock"
	flock 8
}

build_unlock() {
	exec 8>&-
}

host_tools_build() {
	local args=() tool

	for tool in "${HOST_TOOLS[@]}"; do
		args+=(-p "$tool")
	done
	RUSTC=/usr/bin/rustc CARGO_TARGET_DIR=$REPO/build/host \
		/usr/bin/cargo build --release --manifest-path "$REPO/tools/Cargo.toml" "${args[@]}"
}

# By the compiler of the host tools, with which it shares crates.
gpu_build() {
	build_quietly ada-gpu env RUSTC=/usr/bin/rustc make -C "$REPO/tools/testing/ada-gpu"
}

gpu_library() {
	echo "$REPO/build/ada-gpu/libada_gpu.so"
}

modules_dir() {
	echo "build/modules/$1$([ "${KUNIT:-0}" != 1 ] || echo -kunit)"
}

modules_build() {
	build_quietly modules make -C "$REPO" modules "FLAVOUR=$1" "KUNIT=${KUNIT:-0}"
}
