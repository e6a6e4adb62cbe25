# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The cache: one directory for each artefact, named by kind, version and a hash
# of its inputs, so that a changed input never meets a stale result.
#
#   $LAB_CACHE/
#     linux-source-7.3.4-d582cd5b/   an artefact; complete when .complete is there
#     kernel-7.3.4-release-6a0cbbc5/
#     current/kernel-release         symlink: what setup found or made last
#     apt/<state>/                   private package lists, see apt.sh
#     log/<step>.log

cache_init() {
	mkdir -p "$LAB_CACHE/current" "$LAB_CACHE/log" 2>/dev/null ||
		die "cache $LAB_CACHE" "cannot be created" "set LAB_CACHE to a directory you may write"
}

# Two set-ups of one cache would build into the same directories.
cache_lock() {
	local free

	exec 9>"$LAB_CACHE/.lock"
	if ! flock -n 9; then
		say "another set-up is working on $LAB_CACHE, waiting for it ..."
		flock 9
	fi
	free=$(df -Pk "$LAB_CACHE" | awk 'NR == 2 { print int($4 / 1048576) }')
	[ "$free" -ge 6 ] || cache_complete_already ||
		die "cache $LAB_CACHE" "$free GiB free, about 6 needed" "make room or set LAB_CACHE"
}

cache_complete_already() {
	[ -e "$LAB_CACHE/current/firmware/.complete" ]
}

# hash_of TEXT...: eight hexadecimal digits
hash_of() {
	printf '%s' "$*" | sha256sum | cut -c1-8
}

# cache_dir NAME: path of the artefact NAME
cache_dir() {
	echo "$LAB_CACHE/$1"
}

cache_has() {
	[ -e "$LAB_CACHE/$1/.complete" ]
}

# cache_begin NAME: an empty directory for an artefact that is not complete
cache_begin() {
	[ -z "$UI_LOOK" ] || exit "$UI_WORK"
	rm -rf "${LAB_CACHE:?}/$1"
	mkdir -p "$LAB_CACHE/$1"
}

# cache_finish NAME: written last, so an interrupted step starts again
cache_finish() {
	touch "$LAB_CACHE/$1/.complete"
}

# cache_select KIND NAME: NAME is what KIND means from now on
cache_select() {
	ln -sfn "../$2" "$LAB_CACHE/current/$1"
}

# cache_current KIND: path of the complete artefact that KIND means, or nothing
cache_current() {
	local path

	path=$(readlink -f "$LAB_CACHE/current/$1" 2>/dev/null) || return 0
	[ ! -e "$path/.complete" ] || echo "$path"
}

cache_status() {
	echo "cache $LAB_CACHE: $(dir_size "$LAB_CACHE")"
}

# cache_clean [--all]: without --all only what no current/ link names
cache_clean() {
	local dir link keep

	mkdir -p "$LAB_CACHE"
	exec 9>"$LAB_CACHE/.lock"
	flock -n 9 || die "lab clean" "a set-up is working on $LAB_CACHE" "wait for it or stop it"
	case ${1:-} in
	--all)
		rm -rf "${LAB_CACHE:?}" "$REPO/build"
		return
		;;
	"") ;;
	*) die "lab clean: unknown argument $1" "it is not an option" "use --all or nothing" ;;
	esac
	for dir in "$LAB_CACHE"/*-*/; do
		[ -d "$dir" ] || continue
		keep=
		for link in "$LAB_CACHE"/current/*; do
			[ "$(readlink -f "$link")" = "$(readlink -f "$dir")" ] && keep=1
		done
		if [ -z "$keep" ]; then
			echo "removing $dir"
			rm -rf "$dir"
		fi
	done
	rm -rf "$LAB_CACHE"/apt/*/archives "$LAB_CACHE"/log "$REPO/build/lab"
}
