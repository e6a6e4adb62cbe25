# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Compilers and tools: Debian's Rust (compiler, core sources, clippy, rustfmt and
# cargo of one version, because Rust metadata binds to one exact compiler), the
# bindgen the kernel asks for, and Python tools in an environment of their own.
#
#   /usr/bin/{rustc,cargo,clippy-driver,rustfmt}   packages rustc-web or rustc
#   $LAB_CACHE/bindgen-0.72.1/bin/bindgen   unless the host's is new enough
#   $LAB_CACHE/python-<hash>/bin/python3           virtme-ng, meson

RUST_MINIMUM=1.85.0
BINDGEN_MINIMUM=0.71.1
BINDGEN_VERSION=0.72.1
PYTHON_PACKAGES=(virtme-ng==1.42 meson==1.5.0 pycotap==1.3.1)

BUILD_PACKAGES=(
	gcc make flex bison bc libelf-dev libssl-dev kmod cpio zstd xz-utils rsync
	dwarves libclang-19-dev pkg-config ca-certificates git
	libpixman-1-dev libglib2.0-dev libfdt-dev libcap-ng-dev libattr1-dev uuid-dev ninja-build
	python3 python3-venv procps socat libc6-dev perl shellcheck
)

# version_ge A B
version_ge() {
	[ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | sed -n 1p)" = "$2" ]
}

# Packages of the Rust toolchain: rustc-web where the release's own is too old.
rust_packages() {
	if [ "$(apt_codename)" = bookworm ]; then
		echo rustc-web rust-web-src cargo-web rust-web-clippy rustfmt-web
	else
		echo rustc rust-src cargo rust-clippy rustfmt bindgen
	fi
}

rust_version() {
	/usr/bin/rustc --version 2>/dev/null | cut -d' ' -f2
}

rust_lib_src() {
	echo "/usr/src/rustc-$(rust_version)/library"
}

host_bindgen() {
	local version

	version=$(/usr/bin/bindgen --version 2>/dev/null | cut -d' ' -f2) || return 0
	if [ -n "$version" ] && version_ge "$version" "$BINDGEN_MINIMUM"; then
		echo /usr/bin/bindgen
	fi
}

bindgen_path() {
	local dir

	dir=$(cache_current bindgen)
	if [ -n "$dir" ]; then
		echo "$dir/bin/bindgen"
	else
		host_bindgen
	fi
}

toolchain_setup() {
	local rust missing

	[ "$(id -u)" = 0 ] || [ -z "$(apt_missing "${BUILD_PACKAGES[@]}")" ] ||
		die "packages" "only root can install them" "run lab setup as root"
	read -ra rust <<<"$(rust_packages)"
	mapfile -t missing < <(apt_missing "${BUILD_PACKAGES[@]}" "${rust[@]}")
	if [ "${#missing[@]}" -gt 0 ]; then
		step packages "packages (${#missing[@]})" apt_install "${missing[@]}"
	fi
	version_ge "$(rust_version)" "$RUST_MINIMUM" ||
		die "rustc $(rust_version)" "the kernel needs $RUST_MINIMUM" "use Debian 12 with security updates, or 13"
	[ -e "$(rust_lib_src)/core/src/lib.rs" ] ||
		die "Rust core sources" "$(rust_lib_src) is missing" "install the sources of rustc $(rust_version)"
	bindgen_setup
	python_setup
}

bindgen_setup() {
	local name

	[ -z "$(host_bindgen)" ] || return 0
	name=bindgen-$BINDGEN_VERSION
	if ! cache_has "$name"; then
		cache_begin "$name"
		step bindgen "bindgen $BINDGEN_VERSION" bindgen_build "$name"
		cache_finish "$name"
	fi
	cache_select bindgen "$name"
}

bindgen_build() {
	# It runs for seconds and builds for minutes, so little optimisation is best.
	RUSTC=/usr/bin/rustc CARGO_TARGET_DIR=$LAB_CACHE/$1/target \
		CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
		/usr/bin/cargo install bindgen-cli --version "$BINDGEN_VERSION" --locked --root "$LAB_CACHE/$1" ||
		die "bindgen $BINDGEN_VERSION" "cargo install failed" "check that the crates registry is reachable"
	rm -rf "$LAB_CACHE/$1/target"
}

python_setup() {
	local name

	name=python-$(hash_of "${PYTHON_PACKAGES[*]}" "$(/usr/bin/python3 --version)")
	if ! cache_has "$name"; then
		cache_begin "$name"
		step python "Python tools (virtme-ng, meson)" python_build "$name"
		cache_finish "$name"
	fi
	cache_select python "$name"
}

python_build() {
	{
		/usr/bin/python3 -m venv "$LAB_CACHE/$1" &&
			"$LAB_CACHE/$1/bin/pip" install -q --disable-pip-version-check "${PYTHON_PACKAGES[@]}"
	} ||
		die "Python tools" "pip install failed" "check that the Python package index is reachable"
}

# Arguments of every make that builds kernel code, one to a line.
toolchain_make_args() {
	printf '%s\n' \
		RUSTC=/usr/bin/rustc HOSTRUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc \
		RUSTFMT=/usr/bin/rustfmt CLIPPY_DRIVER=/usr/bin/clippy-driver \
		BINDGEN="$(bindgen_path)" RUST_LIB_SRC="$(rust_lib_src)"
}

toolchain_env() {
	env_line LAB_RUSTC /usr/bin/rustc
	env_line LAB_CARGO /usr/bin/cargo
	env_line LAB_CLIPPY_DRIVER /usr/bin/clippy-driver
	env_line LAB_RUSTFMT /usr/bin/rustfmt
	env_line LAB_RUST_LIB_SRC "$(rust_lib_src)"
	env_line LAB_BINDGEN "$(bindgen_path)"
	env_line LAB_LIBCLANG "$(dirname "$(find /usr/lib/llvm-19/lib -name 'libclang*.so*' 2>/dev/null | sed -n 1p)")"
	env_line LAB_PYTHON "$(cache_current python)/bin/python3"
}

toolchain_status() {
	local version

	version=$(rust_version || true)
	echo "toolchain: rustc ${version:-missing}, bindgen $(basename "$(dirname "$(dirname "$(bindgen_path || echo /missing/x/y)")")")"
	status_line "python tools" "$(cache_current python)"
}
