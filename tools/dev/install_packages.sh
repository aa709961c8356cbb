#!/bin/bash
# install_packages.sh PACKAGE...: as root, installs Debian packages without starting anything, now or at the next boot.
set -euo pipefail

policy=/usr/sbin/policy-rc.d
mark='# put here by Kindling while it installs packages'
log=$(mktemp)

exec 9>/run/lock/kindling-setup.lock
flock 9

say() { printf '%s\n' "$*" >&2; }

restore_policy() {
	if grep -qsxF "$mark" "$policy"; then rm -f "$policy"; fi
	if [ -e "$policy.kindling-saved" ] || [ -L "$policy.kindling-saved" ]; then
		mv -f "$policy.kindling-saved" "$policy"
	fi
}

# What starts at boot: systemd's links and the run-level links.
start_links() {
	find /etc/systemd/system /etc/rc[2-5].d \
		\( -path '*.wants/*' -o -path '*.requires/*' -o -path '/etc/rc?.d/S*' \) 2>/dev/null | sort
}

# Disables every service whose start link appeared since $1 was listed; the base system's own stay.
disable_new_services() {
	local link unit owner
	comm -13 "$1" <(start_links) | while read -r link; do
		unit=$(basename "$link")
		case $link in
		/etc/rc*) unit=${unit#S[0-9][0-9]} ;;
		esac
		owner=$(dpkg-query -S "*/$unit" 2>/dev/null | head -1 | cut -d: -f1)
		case $owner in
		systemd* | dbus* | udev | init* | e2fsprogs | util-linux) continue ;;
		esac
		case $link in
		/etc/rc*) update-rc.d "$unit" disable >/dev/null 2>&1 || true ;;
		*)
			if command -v systemctl >/dev/null; then
				systemctl disable "$unit" >/dev/null 2>&1 || true
			fi
			deb-systemd-helper disable "$unit" >/dev/null 2>&1 || true
			;;
		esac
	done
}

links_before=$(mktemp)
trap 'restore_policy; rm -f "$log" "$links_before"' EXIT
trap 'exit 130' INT TERM HUP

restore_policy # of a run that was killed
if [ -e "$policy" ] || [ -L "$policy" ]; then mv "$policy" "$policy.kindling-saved"; fi
printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
chmod 755 "$policy"
start_links >"$links_before"

apt=(apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=600 -o APT::Install-Suggests=false
	-o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold)
export DEBIAN_FRONTEND=noninteractive

# What an interrupted run, of anybody, left half done.
dpkg --configure -a >"$log" 2>&1 || true

say "installing $# Debian packages: $*"
updated=
if ! apt-get -s -qq --no-install-recommends install "$@" >/dev/null 2>&1; then
	"${apt[@]}" update >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
	updated=1
fi
if ! "${apt[@]}" install "$@" >"$log" 2>&1; then
	# The lists may name versions that the archive has since replaced.
	[ -n "$updated" ] || "${apt[@]}" update >/dev/null 2>&1 || true
	"${apt[@]}" install "$@" >"$log" 2>&1 || {
		cat "$log" >&2
		say "dev: apt-get could not install these packages; its output is above"
		exit 1
	}
fi
disable_new_services "$links_before"
