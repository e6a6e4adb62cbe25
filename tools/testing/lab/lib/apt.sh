# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Debian packages through private apt states: own source lists, own indexes and
# own downloads in the cache, so the host's apt configuration stays as it is.
# The address of the archive is the one the host itself uses; its signatures are
# checked by apt as always.
#
#   state  suites                                            used for
#   host   the host's release, its security and backports    packages to install
#   near   the two supported releases and their backports    downloads
#   far    testing, unstable                                 when a package has left
#                                                            all of the above
#
# apt still reads the host's /etc/apt/apt.conf.d: proxies keep working.

APT_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
APT_RELEASES=(bookworm trixie)
declare -A APT_FRESH=()

apt_codename() {
	# shellcheck source=/dev/null
	(. /etc/os-release && echo "${VERSION_CODENAME:-}")
}

# apt_uri main|security: the address that the host uses for this archive. Asked
# of apt itself, so one-line and deb822 sources, and no fetched lists, all do.
apt_uri() {
	local codename uri

	codename=$(apt_codename)
	uri=$(apt-get --print-uris update | awk -v kind="$1" -v codename="$codename" '
		match($1, /\/dists\/.*\/InRelease/) {
			suite = substr($1, RSTART + 7, RLENGTH - 17)
			base = substr($1, 2, RSTART - 2)
			if (suite ~ /(-security|\/updates)$/)
				found = kind == "security"
			else
				found = kind == "main" && (suite == codename || suite ~ /^(stable|oldstable)$/)
			if (found && !done++)
				print base
		}')
	[ -n "$uri" ] || [ "$1" = security ] ||
		die "Debian archive" "no source of $codename in the host's apt configuration" \
			"configure the host's apt for Debian $codename"
	echo "$uri"
}

apt_source() {
	printf 'Types: deb deb-src\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: %s\n\n' \
		"$1" "$2" "$3" "$APT_KEYRING"
}

apt_sources() {
	local codename security release

	codename=$(apt_codename)
	case $1 in
	host)
		apt_source "$(apt_uri main)" "$codename $codename-updates $codename-backports" main
		security=$(apt_uri security)
		[ -z "$security" ] || apt_source "$security" "$codename-security" main
		;;
	near)
		for release in "${APT_RELEASES[@]}"; do
			apt_source "$(apt_uri main)" "$release $release-backports" "main non-free-firmware"
		done
		;;
	far)
		apt_source "$(apt_uri main)" "testing sid" "main non-free-firmware"
		;;
	esac
}

# apt_state STATE: path of its configuration, written when missing
apt_state() {
	local dir=$LAB_CACHE/apt/$1

	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	if [ ! -e "$dir/apt.conf" ]; then
		cat >"$dir/apt.conf" <<-EOF
			Dir::Etc::sourcelist "$dir/debian.sources";
			Dir::Etc::sourceparts "/dev/null";
			Dir::Etc::preferences "/dev/null";
			Dir::Etc::preferencesparts "/dev/null";
			Dir::State::lists "$dir/lists";
			Dir::Cache "$dir";
			Dir::Cache::archives "$dir/archives";
			APT::Sandbox::User "root";
			APT::Install-Recommends "false";
			Acquire::Languages "none";
			Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
			Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
			Acquire::Retries "3";
		EOF
	fi
	echo "$dir/apt.conf"
}

# apt_in STATE COMMAND...: an apt command with that state, fresh at first use
apt_in() {
	local state=$1 conf sources
	shift

	[ -r "$APT_KEYRING" ] ||
		die "Debian archive keyring" "$APT_KEYRING is missing" "apt-get install debian-archive-keyring"
	conf=$(apt_state "$state")
	if [ -z "${APT_FRESH["$state"]:-}" ]; then
		sources=$(apt_sources "$state")
		printf '%s\n' "$sources" >"${conf%/*}/debian.sources"
		APT_CONFIG=$conf apt-get -q update >&2 ||
			die "package lists ($state)" "apt-get update failed" "check the network and the host's apt sources"
		APT_FRESH["$state"]=1
	fi
	APT_CONFIG=$conf DEBIAN_FRONTEND=noninteractive "$@"
}

# apt_refresh STATE: the package lists of a state, as a step of its own
apt_refresh() {
	[ -z "${APT_FRESH["$1"]:-}" ] || return 0
	step "lists-$1" "package lists ($1)" apt_in "$1" true
	APT_FRESH["$1"]=1
}

# apt_offers STATE PACKAGE [VERSION-PREFIX]: "version suite" lines, best first
apt_offers() {
	apt_in "$1" apt-cache madison "$2" |
		awk -F'|' -v want="${3:-}" '
			/ Packages/ {
				gsub(/ /, "", $2)
				split($3, where, " ")
				sub(/\/.*/, "", where[2])
				version = $2
				sub(/^[0-9]+:/, "", version)
				if (index(version, want) == 1) print $2, where[2]
			}'
}

# apt_find PACKAGE [VERSION-PREFIX] [STATE...]: "state version" of the first
# state that has it
apt_find() {
	local package=$1 prefix=${2:-} state version
	shift $(($# < 2 ? $# : 2))

	for state in "${@:-near}"; do
		version=$(apt_offers "$state" "$package" "$prefix" | sed -n '1s/ .*//p')
		if [ -n "$version" ]; then
			echo "$state $version"
			return
		fi
	done
	die "package $package${prefix:+ $prefix}" "in none of the suites looked at ($*)" \
		"check the archive, or give the artefact by KERNEL_SRC= or QEMU="
}

# apt_download STATE PACKAGE VERSION DIR: the verified .deb in DIR
apt_download() {
	mkdir -p "$4"
	(cd "$4" && apt_in "$1" apt-get -q download "$2=$3")
}

# apt_install PACKAGE...: into the host, from the host's own release
apt_install() {
	apt_in host apt-get -q install -y --no-install-recommends "$@"
	apt_in host apt-get -q clean
}

# apt_missing PACKAGE...: those that are not installed
apt_missing() {
	local package

	for package; do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
			echo "$package"
	done
}
