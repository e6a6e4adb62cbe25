# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# syzkaller, only when asked for: the programs that run in the VM, built with this
# project's descriptions of a VFIO device (tools/testing/fuzz/syzkaller).
#
#   $LAB_CACHE/syzkaller-<hash>/bin/syz-execprog   makes and mutates programs
#                                  /syz-executor   runs them

SYZKALLER_URL=https://github.com/google/syzkaller
# The last revision (January 2025) that carries the Go packages it needs: later
# ones fetch some hundred of them.
SYZKALLER_COMMIT=a44b0418acb3ae8fdad9277c2f2aaa6446b97530
GO_MINIMUM=1.22.1

syzkaller_descriptions() {
	printf '%s\n' "$REPO"/tools/testing/fuzz/syzkaller/dev_vfio_pci.txt{,.const}
}

# go_path: the first Go that is new enough, or nothing
go_path() {
	local go version

	for go in "${GO:-}" "$(command -v go || true)" /usr/lib/go-*/bin/go; do
		[ -x "$go" ] || continue
		version=$("$go" env GOVERSION)
		if version_ge "${version#go}" "$GO_MINIMUM"; then
			echo "$go"
			return
		fi
	done
}

# Debian 12 has a Go that is new enough in its backports, under another name.
go_package() {
	if [ "$(apt_codename)" = bookworm ]; then echo golang-1.23-go; else echo golang-go; fi
}

syzkaller_setup() {
	local missing name go

	mapfile -t missing < <(apt_missing g++; [ -n "$(go_path)" ] || go_package)
	[ "${#missing[@]}" = 0 ] || step packages-go "packages (${missing[*]})" apt_install "${missing[@]}"
	go=$(go_path)
	[ -n "$go" ] || die "Go" "none of $GO_MINIMUM or newer" "install one, or give it by GO="
	name=syzkaller-$(hash_of "$SYZKALLER_COMMIT ${SYZKALLER_SRC:-}" "$("$go" env GOVERSION)" \
		"$(syzkaller_descriptions | xargs cat)")
	if ! cache_has "$name"; then
		cache_begin "$name"
		step syzkaller-source "syzkaller source" syzkaller_fetch "$name"
		step syzkaller "syzkaller: build (some minutes)" syzkaller_build "$name" "$go"
		cache_finish "$name"
	fi
	cache_select syzkaller "$name"
}

syzkaller_fetch() {
	local source=$LAB_CACHE/$1/source

	mkdir -p "$source"
	if [ -n "${SYZKALLER_SRC:-}" ]; then
		[ -d "$SYZKALLER_SRC/vendor" ] ||
			die "SYZKALLER_SRC=$SYZKALLER_SRC" "no source of syzkaller with vendor/ there" \
				"check out $SYZKALLER_COMMIT, or run 'go mod vendor' in a newer one"
		rsync -a --exclude .git --exclude bin "$SYZKALLER_SRC/" "$source/"
		return
	fi
	{
		git -C "$source" init -q &&
			git -C "$source" fetch -q --depth 1 "$SYZKALLER_URL" "$SYZKALLER_COMMIT" &&
			git -C "$source" checkout -q FETCH_HEAD
	} ||
		die "syzkaller" "$SYZKALLER_URL could not be fetched" \
			"check the network, or give its source by SYZKALLER_SRC="
}

syzkaller_build() {
	local dir=$LAB_CACHE/$1 go=$2

	syzkaller_descriptions | xargs cp -t "$dir/source/sys/linux"
	# The two programs refuse each other when their revisions differ.
	PATH=${go%/*}:$PATH GOCACHE=$dir/go GOTOOLCHAIN=local \
		make -C "$dir/source" REV="$SYZKALLER_COMMIT" execprog executor ||
		die "syzkaller" "the build failed" "see $LAB_CACHE/log/syzkaller.log"
	mv "$dir/source/bin/linux_amd64" "$dir/bin"
	# Packages of Go are not writable.
	chmod -R u+w "$dir/go"
	rm -rf "$dir/source" "$dir/go"
}

syzkaller_env() {
	local dir

	dir=$(cache_current syzkaller)
	env_line LAB_SYZKALLER "${dir:+$dir/bin}"
}

syzkaller_status() {
	status_line "syzkaller" "$(cache_current syzkaller)" "--syzkaller (only when wanted)"
}
