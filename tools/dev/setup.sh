#!/bin/bash
# setup.sh [packages|npm|kernels]...: installs what is missing, of everything or of the parts named.
# Silent and quick when nothing is missing.
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

[ $# -gt 0 ] || set -- packages npm kernels
for part in "$@"; do
	case $part in
	packages)
		mapfile -t missing < <(missing_packages)
		[ ${#missing[@]} -eq 0 ] || as_root tools/dev/install_packages.sh "${missing[@]}"
		;;
	npm) tools/dev/install_npm.sh >/dev/null ;;
	kernels) tests/kernel/qemu/fetch_kernels.sh ;;
	*) die "setup has no part $part" ;;
	esac
done
