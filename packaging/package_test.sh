#!/bin/bash
# package_test.sh AGENT CONTROLLER CTL: that the package of these programs installs, keeps an edited configuration over an
# upgrade, keeps data on removal and leaves nothing after a purge. It goes into a folder of its own, not this machine.
set -euo pipefail
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
export SOURCE_DATE_EPOCH=1700000000 DEB_COMPRESSION=gzip

fail() {
	echo "FAILED: $*"
	exit 1
}

dpkg_in_root() {
	dpkg --root="$root" --log=/dev/null --force-script-chrootless --force-depends --force-not-root --force-confold "$@" \
		>"$work/dpkg.log" 2>&1 || {
		cat "$work/dpkg.log"
		fail "dpkg $*"
	}
}

# Everything in the root but dpkg's own books.
left() { (cd "$root" && find . -mindepth 1 -path ./var/lib/dpkg -prune -o ! -type d -print | sort); }

first=$("$here/build_deb.sh" --version 0.1.0 --out "$work" "$@")
again=$("$here/build_deb.sh" --version 0.1.0 --out "$work/again" "$@")
second=$("$here/build_deb.sh" --version 0.1.1 --out "$work" "$@")
cmp "$first" "$again" || fail "two builds of the same input differ"

dpkg-deb --field "$first" Depends | tee "$work/depends"
grep -q 'libc6 (>= ' "$work/depends" || fail "Depends lacks libc6"
dpkg-deb --contents "$first" | awk '{ print $1, $2, $6 }' >"$work/contents"
for path in ./usr/bin/kindling-agent ./usr/bin/kindling-controller ./usr/bin/kindlingctl ./etc/kindling/agent.yaml \
	./etc/kindling/controller.yaml ./lib/systemd/system/kindling-agent.service \
	./lib/systemd/system/kindling-controller.service ./usr/share/bash-completion/completions/kindlingctl; do
	grep -q " root/root $path$" "$work/contents" || fail "$path is not in the package"
done
grep -v -q -E '^[-d]rw[-x]r-[-x]r-[-x] root/root ' "$work/contents" && fail "a file has another owner or mode"

mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/etc/systemd/system/multi-user.target.wants"
touch "$root/var/lib/dpkg/status" "$root/var/lib/dpkg/available"
dpkg_in_root --install "$first"
[ -x "$root/usr/bin/kindling-agent" ] || fail "kindling-agent is not installed"
find "$root/etc/systemd" -type l | grep . && fail "a unit is enabled by installing"
grep -q '^scope:' "$root/etc/kindling/agent.yaml" && fail "the agent's configuration has a scope"

# As a user would leave it: edited, enabled, with data.
echo '# edited' >>"$root/etc/kindling/agent.yaml"
ln -s /lib/systemd/system/kindling-agent.service "$root/etc/systemd/system/multi-user.target.wants/"
mkdir -p "$root/var/lib/kindling/agent/spool" "$root/var/lib/private/kindling/controller" \
	"$root/etc/systemd/system/kindling-agent.service.d"
ln -s ../private/kindling/controller "$root/var/lib/kindling/controller"
touch "$root/var/lib/kindling/agent/spool/1" "$root/var/lib/private/kindling/controller/CURRENT" \
	"$root/etc/systemd/system/kindling-agent.service.d/override.conf"

dpkg_in_root --install "$second"
[ "$(dpkg --root="$root" -s kindling | sed -n 's/^Version: //p')" = 0.1.1 ] || fail "the upgrade is not there"
grep -q '^# edited' "$root/etc/kindling/agent.yaml" || fail "the upgrade lost an edited configuration"
[ -e "$root/var/lib/kindling/agent/spool/1" ] || fail "the upgrade lost the spool"

dpkg_in_root --remove kindling
[ ! -e "$root/usr/bin/kindling-agent" ] || fail "removal left the program"
[ -e "$root/etc/kindling/agent.yaml" ] || fail "removal took the configuration"
[ -e "$root/var/lib/private/kindling/controller/CURRENT" ] || fail "removal took the data"

dpkg_in_root --purge kindling
if left | grep .; then fail "the purge left the files above"; fi
for folder in etc/kindling var/lib/kindling var/lib/private/kindling; do
	[ ! -e "$root/$folder" ] || fail "the purge left $folder"
done
echo "package installs, upgrades, removes and purges"
