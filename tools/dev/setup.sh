#!/bin/bash
# Installs what is missing. Silent and quick when nothing is.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
. tools/dev/common.sh

[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] ||
	die "this tree builds on Debian 12, amd64; this machine is something else"

# Prints the packages of tools/deps/apt.txt that are not installed.
missing_packages() {
	local wanted=() line condition package
	while read -r line; do
		case $line in
		'' | '#'*) continue ;;
		command:*)
			read -r condition package <<<"$line"
			command -v "${condition#command:}" >/dev/null || wanted+=("$package")
			;;
		*) wanted+=("$line") ;;
		esac
	done <tools/deps/apt.txt
	local installed
	installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
		sed -n 's/^installed //p') || true # non-zero when a package is unknown
	printf '%s\n' "${wanted[@]}" | grep -vxF -f <(printf '%s\n' "$installed") || true
}

mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -gt 0 ]; then
	as_root tools/dev/install_packages.sh "${missing[@]}"
fi

tools/dev/install_npm.sh >/dev/null
tests/kernel/qemu/fetch_kernels.sh
