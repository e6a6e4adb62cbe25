# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Linux source and the kernels built from it.
#
#   linux-source-7.3 (.deb, or KERNEL_SRC=)
#      | kernel/base.config [+ kernel/debug.config]
#      v
#   kernel-<version>-<flavour>-<hash>/   the O= tree that out-of-tree modules use
#      staged/lib/modules/<release>/     modules for the VM, with modules.dep
#      headers/include/                  user-space headers (headers_install)
#
# kernel/guest.config alone makes the small kernel of the guests inside the VM.

KERNEL_SERIES=7.3
KERNEL_FLAVOURS=(release debug)

kernel_check_flavour() {
	local flavour

	for flavour in "${KERNEL_FLAVOURS[@]}"; do
		[ "$flavour" != "$1" ] || return 0
	done
	die "flavour '$1'" "there are ${KERNEL_FLAVOURS[*]}" "choose one of them"
}

kernel_fragments() {
	case $1 in
	guest) echo "$LAB_DIR/kernel/guest.config" ;;
	release) echo "$LAB_DIR/kernel/base.config" ;;
	debug) printf '%s\n' "$LAB_DIR/kernel/base.config" "$LAB_DIR/kernel/debug.config" ;;
	esac
}

# KASAN and Rust together need clang, and one LLVM for both is the tested pair.
kernel_llvm() {
	[ "$1" != debug ] || echo -19
}

kernel_source() {
	if [ -n "${KERNEL_SRC:-}" ]; then
		readlink -f "$KERNEL_SRC"
	else
		cache_current linux-source
	fi
}

kernel_source_setup() {
	local state version name

	if [ -n "${KERNEL_SRC:-}" ]; then
		[ -e "$KERNEL_SRC/rust/kernel/lib.rs" ] ||
			die "KERNEL_SRC=$KERNEL_SRC" "no Linux source with Rust there" "give the top of a $KERNEL_SERIES tree"
		return
	fi
	[ -z "$(cache_current linux-source)" ] || return 0
	apt_refresh near
	read -r state version <<<"$(apt_find "linux-source-$KERNEL_SERIES" "" near far)"
	name=linux-source-${version%%-*}-$(hash_of "linux-source-$KERNEL_SERIES=$version")
	if ! cache_has "$name"; then
		cache_begin "$name"
		step kernel-source "Linux ${version%%-*} source" kernel_source_fetch "$state" "$version" "$name"
		cache_finish "$name"
	fi
	cache_select linux-source "$name"
}

kernel_source_fetch() {
	local tmp=$LAB_CACHE/$3.tmp

	rm -rf "$tmp"
	{
		apt_download "$1" "linux-source-$KERNEL_SERIES" "$2" "$tmp" &&
			dpkg-deb -x "$tmp"/*.deb "$tmp" &&
			tar -xJf "$tmp"/usr/src/linux-source-*.tar.xz -C "$LAB_CACHE/$3" --strip-components=1
	} ||
		die "Linux source" "linux-source-$KERNEL_SERIES could not be fetched or unpacked" \
			"try again, or give a source tree by KERNEL_SRC="
	rm -rf "$tmp"
}

kernel_version() {
	awk -F' *= *' '/^VERSION/ { v = $2 } /^PATCHLEVEL/ { p = $2 } /^SUBLEVEL/ { s = $2 } END { print v "." p "." s }' \
		"$1/Makefile"
}

kernel_name() {
	local source inputs

	source=$(kernel_source)
	inputs=$(
		if [ -n "${KERNEL_SRC:-}" ]; then echo "$source"; else basename "$source"; fi
		kernel_fragments "$1" | xargs cat | grep '^CONFIG_'
		/usr/bin/rustc -V
		"$(bindgen_path)" -V
		gcc --version | sed -n 1p
	)
	echo "kernel-$(kernel_version "$source")-$1-$(hash_of "$inputs"$'\n')"
}

# kernel_make BUILD FLAVOUR ARGUMENTS...
kernel_make() {
	local build=$1 llvm args
	llvm=$(kernel_llvm "$2")
	shift 2

	mapfile -t args < <(toolchain_make_args)
	[ -z "$llvm" ] || args+=("LLVM=$llvm")
	make -C "$(kernel_source)" O="$build" "${args[@]}" "$@"
}

kernel_setup() {
	local flavour=$1 name
	local packages=(clang-19 lld-19 llvm-19) missing

	if [ -n "$(kernel_llvm "$flavour")" ]; then
		mapfile -t missing < <(apt_missing "${packages[@]}")
		[ "${#missing[@]}" = 0 ] || step packages-llvm "packages (${#missing[@]})" apt_install "${missing[@]}"
	fi
	name=$(kernel_name "$flavour")
	# What changes in a source tree of the user's own is left to make.
	if [ -n "${KERNEL_SRC:-}" ] || ! cache_has "$name"; then
		# Kept when interrupted: make goes on where it was.
		mkdir -p "$LAB_CACHE/$name"
		step "kernel-$flavour-config" "kernel $flavour: configuration" kernel_configure "$name" "$flavour"
		grep '^lab: ' "$LAB_CACHE/log/kernel-$flavour-config.log" >&2 || true
		step "kernel-$flavour" "kernel $flavour: build (some minutes)" kernel_build "$name" "$flavour"
		cache_finish "$name"
	fi
	cache_select "kernel-$flavour" "$name"
}

kernel_configure() {
	local build=$LAB_CACHE/$1 wanted=$LAB_CACHE/$1/wanted.config

	kernel_fragments "$2" | xargs cat >"$wanted"
	{
		kernel_make "$build" "$2" KCONFIG_ALLCONFIG="$wanted" allnoconfig &&
			kernel_make "$build" "$2" rustavailable
	} ||
		die "kernel $2" "configuration failed" "see $LAB_CACHE/log/kernel-$2-config.log"
	kernel_check_config "$wanted" "$build/.config"
}

# Every option of the fragments must be as asked for: the last line for an
# option counts. Kconfig drops what it does not like without a word.
kernel_check_config() {
	local line option have

	tac "$1" | awk -F= '/^CONFIG_/ && !seen[$1]++' | while IFS= read -r line; do
		option=${line%%=*}
		have=$(grep "^$option=" "$2" || true)
		case $line in
		*=n) [ -z "$have" ] || warn "kernel option $option" "asked for n, got $have" "correct kernel/*.config" ;;
		*) [ "$have" = "$line" ] ||
			warn "kernel option $option" "asked for ${line#*=}, got ${have:-n}" "correct kernel/*.config" ;;
		esac
	done
}

kernel_build() {
	local build=$LAB_CACHE/$1

	if [ "$2" = guest ]; then
		kernel_make "$build" "$2" -j"$(nproc)" bzImage ||
			die "kernel $2" "the build failed" "see $LAB_CACHE/log/kernel-$2.log"
		return
	fi
	{
		kernel_make "$build" "$2" -j"$(nproc)" &&
			kernel_make "$build" "$2" modules_install INSTALL_MOD_PATH="$build/staged" INSTALL_MOD_STRIP=1 &&
			kernel_make "$build" "$2" headers_install INSTALL_HDR_PATH="$build/headers"
	} ||
		die "kernel $2" "the build failed" "see $LAB_CACHE/log/kernel-$2.log"
	rm -f "$build/staged/lib/modules"/*/{build,source}
}

kernel_image() {
	echo "$(cache_current "kernel-$1")/arch/x86/boot/bzImage"
}

# Modules of a flavour; the last part of the path is the kernel's release.
kernel_staged() {
	printf '%s\n' "$(cache_current "kernel-$1")"/staged/lib/modules/*
}

kernel_env() {
	local flavour build

	# The source that the kernel was built from, whatever is in the cache now.
	build=$(cache_current kernel-release)
	env_line LAB_KERNEL_SRC "$(readlink -f "${build:-/nonexistent}/source" || kernel_source)"
	for flavour in "${KERNEL_FLAVOURS[@]}"; do
		build=$(cache_current "kernel-$flavour")
		env_line "LAB_KERNEL_BUILD_$flavour" "$build"
		env_line "LAB_KERNEL_IMAGE_$flavour" "${build:+$build/arch/x86/boot/bzImage}"
		env_line "LAB_LLVM_$flavour" "$(kernel_llvm "$flavour")"
	done
	build=$(cache_current kernel-guest)
	env_line LAB_KERNEL_IMAGE_guest "${build:+$build/arch/x86/boot/bzImage}"
	build=$(cache_current kernel-release)
	env_line LAB_KERNEL_HEADERS "${build:+$build/headers}"
}

kernel_status() {
	status_line "Linux source" "$(kernel_source)"
	status_line "kernel release" "$(cache_current kernel-release)"
	status_line "kernel of the guests" "$(cache_current kernel-guest)"
	status_line "kernel debug" "$(cache_current kernel-debug)" "--flavour debug (only when wanted)"
}
