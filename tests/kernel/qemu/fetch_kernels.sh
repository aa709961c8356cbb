#!/bin/bash
# fetch_kernels.sh [SERIES...]: unpacks the newest cloud kernel of each Debian series (6.1 and 6.12) that the package
# lists offer into the cache, and prints each one's folder. Nothing is installed. With nothing new, no network.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../../.."
. tools/dev/common.sh

# The newest package of a series by the package lists, or nothing.
newest() {
	local series=${1//./\\.}
	apt-cache pkgnames "linux-image-$1." | grep -E "^linux-image-${series}\.[0-9]+[-+].*cloud-amd64$" |
		grep -v -e -dbg -e -unsigned | sort -V | tail -1
}

fetch() {
	local series=$1 folder=$cache/kernels/$1 package work
	package=$(newest "$series")
	if [ -n "$package" ] && [ -e "$folder/$package/done" ]; then
		echo "$folder/$package"
		return
	fi
	say "fetching the newest Debian kernel of series $series"
	mkdir -p "$folder"
	work=$(mktemp -d "$folder/new.XXXXXX")
	if [ -z "$package" ] || ! (cd "$work" && apt-get -qq download "$package") >"$work/log" 2>&1; then
		as_root apt-get -qq -o DPkg::Lock::Timeout=600 update >"$work/log" 2>&1 || true
		package=$(newest "$series")
		if [ -z "$package" ] || ! (cd "$work" && apt-get -qq download "$package") >>"$work/log" 2>&1; then
			local had
			had=$(find "$folder" -mindepth 2 -maxdepth 2 -name done | sort -V | tail -1)
			[ -n "$had" ] || {
				cat "$work/log" >&2
				rm -rf "$work"
				die "no Debian kernel of series $series could be fetched"
			}
			say "could not fetch a newer kernel of series $series; using ${had%/done}"
			rm -rf "$work"
			echo "${had%/done}"
			return
		fi
	fi
	if [ -e "$folder/$package/done" ]; then
		rm -rf "$work"
	else
		dpkg-deb -x "$work"/linux-image-*.deb "$work/root"
		find "$work/root/boot" "$work/root/lib/modules" -maxdepth 1 -name '*cloud-amd64' | grep -q . ||
			die "$package holds no kernel"
		depmod -b "$work/root" "${package#linux-image-}"
		touch "$work/root/done"
		rm -rf "${folder:?}/$package"
		mv "$work/root" "$folder/$package"
		rm -rf "$work"
		# Older ones of the series.
		find "$folder" -mindepth 1 -maxdepth 1 -name 'linux-image-*' ! -name "$package" -mmin +180 -exec rm -rf {} +
	fi
	echo "$folder/$package"
}

[ $# -gt 0 ] || {
	set -- 6.1 6.12
	exec >/dev/null
}
for series in "$@"; do fetch "$series"; done
