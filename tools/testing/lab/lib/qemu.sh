# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A stock QEMU 10.x and the headers it was built from. The emulated GPU is loaded
# into that binary, so headers and binary must be of one version.
#
#   qemu-<version>-<hash>/
#     root/usr/bin/qemu-system-x86_64   Debian's packages, extracted, not installed
#     qemu-system-x86_64                starts it with its own libraries and data
#   qemu-source-<version>-<hash>/
#     src/                              the source package's upstream tarball
#     build/                            configured; only generated headers are built

QEMU_SERIES=10.
QEMU_PACKAGES=(qemu-system-x86 qemu-system-common qemu-system-data seabios ipxe-qemu)
QEMU_CONFIGURE=(
	--target-list=x86_64-softmmu --enable-modules --without-default-features
	--enable-system --enable-tcg --enable-kvm --enable-fdt=system --enable-pixman
	--disable-install-blobs --disable-docs --disable-tools --disable-guest-agent
	--disable-werror --disable-download
)

qemu_setup() {
	local dir version

	if [ -n "${QEMU:-}" ]; then
		qemu_adopt
	elif [[ $(cache_current qemu) != */qemu-"$QEMU_SERIES"* ]]; then
		apt_refresh host
		qemu_fetch
	fi
	dir=$(cache_current qemu)
	version=$(<"$dir/version")
	qemu_source_setup "$version"
}

# QEMU= names a binary of the host: only the starter is made for it.
qemu_adopt() {
	local version name

	version=$("$QEMU" --version 2>/dev/null | awk 'NR == 1 { print $4 }') || version=
	case $version in
	"$QEMU_SERIES"*) ;;
	*) die "QEMU=$QEMU" "version '${version:-none}', not ${QEMU_SERIES}x" "give a QEMU ${QEMU_SERIES}x built with modules" ;;
	esac
	name=qemu-host-$version-$(hash_of "$QEMU $version")
	if ! cache_has "$name"; then
		cache_begin "$name"
		qemu_starter "$LAB_CACHE/$name" "$(readlink -f "$QEMU")"
		echo "$version" >"$LAB_CACHE/$name/version"
		cache_finish "$name"
	fi
	cache_select qemu "$name"
}

qemu_fetch() {
	local version suite upstream name

	read -r version suite <<<"$(apt_offers host qemu-system-x86 "$QEMU_SERIES" | sed -n 1p)"
	[ -n "${version:-}" ] ||
		die "QEMU ${QEMU_SERIES}x" "not in this release or its backports" "give one by QEMU="
	upstream=${version#*:}
	upstream=${upstream%%[+-]*}
	name=qemu-$upstream-$(hash_of "qemu-system-x86=$version")
	if ! cache_has "$name"; then
		cache_begin "$name"
		step qemu "QEMU $upstream" qemu_extract "$name" "$version" "$suite"
		echo "$upstream" >"$LAB_CACHE/$name/version"
		cache_finish "$name"
	fi
	cache_select qemu "$name"
}

# The packages and every library that the host lacks, into a directory.
qemu_extract() {
	local dir=$LAB_CACHE/$1 deb

	mkdir -p "$dir/debs/partial" "$dir/root"
	apt_in host apt-get -q install -y --no-install-recommends --download-only --reinstall \
		--allow-downgrades -o "Dir::Cache::archives=$dir/debs" -t "$3" \
		"qemu-system-x86=$2" "${QEMU_PACKAGES[@]:1}" ||
		die "QEMU $2" "its packages could not be fetched" "try again, or give a QEMU by QEMU="
	for deb in "$dir"/debs/*.deb; do
		dpkg-deb -x "$deb" "$dir/root"
	done
	rm -r "$dir/debs"
	qemu_starter "$dir"
	"$dir/qemu-system-x86_64" --version ||
		die "QEMU $2" "the extracted binary does not start" "see the line above in the log"
}

# qemu_starter DIR [BINARY]: LAB_QEMU_PRELOAD is preloaded into QEMU alone; a
# shell or timeout in front of it could not resolve the object's symbols.
qemu_starter() {
	{
		echo '#!/bin/sh'
		echo '# SPDX-License-Identifier: GPL-2.0'
		echo '# Starts QEMU with its own libraries; LAB_QEMU_PRELOAD goes into QEMU alone.'
		if [ $# -gt 1 ]; then
			printf 'binary=%q\nset -- "$@"\n' "$2"
		else
			cat <<-'EOF'
				root=$(dirname "$(readlink -f "$0")")/root
				lib=$root/usr/lib/x86_64-linux-gnu
				export LD_LIBRARY_PATH="$lib:$root/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
				export QEMU_MODULE_DIR="$lib/qemu"
				binary=$root/usr/bin/qemu-system-x86_64
				set -- -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" -L "$root/usr/lib/ipxe/qemu" "$@"
			EOF
		fi
		cat <<-'EOF'
			if [ -n "${LAB_QEMU_PRELOAD:-}" ]; then
				export LD_PRELOAD="$LAB_QEMU_PRELOAD"
			fi
			exec "$binary" "$@"
		EOF
	} >"$1/qemu-system-x86_64"
	chmod +x "$1/qemu-system-x86_64"
}

qemu_source_setup() {
	local version=$1 state found="" debian hash file name dir

	for dir in "$LAB_CACHE/qemu-source-$version"-*/; do
		if [ -e "$dir.complete" ]; then
			cache_select qemu-source "$(basename "$dir")"
			return
		fi
	done
	for state in host near far; do
		apt_refresh "$state"
		found=$(apt_in "$state" apt-cache showsrc qemu | awk -v want="$version" '
			/^Version:/ { version = $2; bare = $2; sub(/^[0-9]+:/, "", bare); sub(/[+-].*/, "", bare) }
			/^Checksums-Sha256:/ { sums = 1; next }
			/^[^ ]/ { sums = 0 }
			sums && bare == want && !done && $3 ~ /\.orig\.tar\.[a-z0-9]+$/ { print version, $1, $3; done = 1 }')
		[ -z "$found" ] || break
	done
	[ -n "$found" ] ||
		die "QEMU $version source" "in none of the suites" "use a QEMU whose source the archive has, by QEMU="
	read -r debian hash file <<<"$found"
	name=qemu-source-$version-$(hash_of "$file $hash")
	cache_begin "$name"
	step qemu-source "QEMU $version source" qemu_source_fetch "$name" "$state" "$debian" "$file" "$hash"
	step qemu-headers "QEMU $version headers" qemu_headers "$name"
	cache_finish "$name"
	cache_select qemu-source "$name"
}

# Only the upstream tarball: Debian's patch tarball is sometimes gone from the
# pool and is not needed for headers.
qemu_source_fetch() {
	local dir=$LAB_CACHE/$1

	mkdir -p "$dir/src"
	{
		(cd "$dir" && apt_in "$2" apt-get -q source --download-only --tar-only "qemu=$3") &&
			echo "$5  $dir/$4" | sha256sum -c
	} ||
		die "QEMU source $4" "fetch or checksum failed" "try again later, or use another QEMU by QEMU="
	tar -xJf "$dir/$4" -C "$dir/src" --strip-components=1
	rm "$dir/$4"
}

qemu_headers() {
	local dir=$LAB_CACHE/$1 blob python
	python=$(cache_current python)/bin/python3

	# Firmware images that Debian removes from the tarball but meson looks for.
	grep -o "edk2-[a-z0-9_-]*\.fd" "$dir/src/pc-bios/meson.build" | sort -u | while read -r blob; do
		[ -e "$dir/src/pc-bios/$blob.bz2" ] || : >"$dir/src/pc-bios/$blob.bz2"
	done
	mkdir -p "$dir/build"
	cd "$dir/build" || return
	../src/configure --python="$python" "${QEMU_CONFIGURE[@]}" ||
		die "QEMU headers" "configure failed" "see $LAB_CACHE/log/qemu-headers.log"
	ninja -t targets all | sed -n 's/^\([^ ]*\.h\): CUSTOM_COMMAND.*/\1/p' | xargs ninja ||
		die "QEMU headers" "generating them failed" "see $LAB_CACHE/log/qemu-headers.log"
}

qemu_env() {
	local dir source

	dir=$(cache_current qemu)
	source=$(cache_current qemu-source)
	env_line LAB_QEMU "${dir:+$dir/qemu-system-x86_64}"
	# Empty for a QEMU of the host: it finds its own data.
	[ -d "$dir/root/usr/share/qemu" ] || dir=
	env_line LAB_QEMU_DATA "${dir:+$dir/root/usr/share/qemu}"
	env_line LAB_QEMU_SRC "${source:+$source/src}"
	env_line LAB_QEMU_BUILD "${source:+$source/build}"
}

qemu_status() {
	status_line "QEMU" "$(cache_current qemu)"
	status_line "QEMU headers" "$(cache_current qemu-source)"
}
