#!/bin/bash
# build_deb.sh --version V --out FOLDER AGENT CONTROLLER CTL: makes FOLDER/kindling_V_amd64.deb of the three programs
# and prints its path. Needs no root and no network; the same input gives the same bytes (SOURCE_DATE_EPOCH is honoured).
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")

version='' out=''
while [ $# -gt 3 ]; do
	case $1 in
	--version) version=$2 ;;
	--out) out=$2 ;;
	*) break ;;
	esac
	shift 2
done
if [ $# -ne 3 ] || [ -z "$version" ] || [ -z "$out" ]; then
	sed -n 's/^# //p' "$0" | head -2 >&2
	exit 2
fi
agent=$1 controller=$2 ctl=$3
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(date +%s)}
umask 022

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The layout that dpkg-shlibdeps knows.
tree=$work/debian/kindling
docs=$tree/usr/share/doc/kindling

install -D -m 755 "$agent" "$tree/usr/bin/kindling-agent"
install -D -m 755 "$controller" "$tree/usr/bin/kindling-controller"
install -D -m 755 "$ctl" "$tree/usr/bin/kindlingctl"
strip --strip-unneeded "$tree"/usr/bin/*
install -D -m 644 -t "$tree/etc/kindling" "$here/etc/agent.yaml" "$here/etc/controller.yaml"
install -D -m 644 -t "$tree/lib/systemd/system" "$here/systemd/kindling-agent.service" \
	"$here/systemd/kindling-controller.service"
install -D -m 644 "$here/debian/copyright" "$docs/copyright"
install -D -m 644 "$here/debian/README.Debian" "$docs/README.Debian"
printf 'kindling (%s) unstable; urgency=medium\n\n  * Built from source.\n\n -- %s  %s\n' "$version" \
	"Kindling maintainers <maintainers@kindling.invalid>" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" |
	gzip -9n >"$work/changelog.gz"
install -D -m 644 "$work/changelog.gz" "$docs/changelog.gz"

# completion SHELL FILE: what kindlingctl prints for that shell.
completion() {
	"$ctl" completion "$1" >"$work/completion" || {
		echo "build_deb.sh: kindlingctl has no completion for $1" >&2
		exit 1
	}
	install -D -m 644 "$work/completion" "$tree$2"
}
completion bash /usr/share/bash-completion/completions/kindlingctl
completion zsh /usr/share/zsh/vendor-completions/_kindlingctl
completion fish /usr/share/fish/vendor_completions.d/kindlingctl.fish

mkdir -p "$tree/DEBIAN"
printf 'Source: kindling\n\nPackage: kindling\nArchitecture: amd64\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O --warnings=0 debian/kindling/usr/bin/* | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || {
	echo "build_deb.sh: dpkg-shlibdeps found no dependency" >&2
	exit 1
}

sed -e "s|@VERSION@|$version|" -e "s|@DEPENDS@|$depends|" \
	-e "s|@INSTALLED_SIZE@|$(du -sk --apparent-size "$tree" | cut -f1)|" "$here/debian/control.in" >"$tree/DEBIAN/control"
install -m 644 "$here/debian/conffiles" "$tree/DEBIAN/conffiles"
install -m 755 -t "$tree/DEBIAN" "$here/debian/postinst" "$here/debian/prerm" "$here/debian/postrm"
(cd "$tree" && find usr lib -type f -print0 | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
find "$tree" -print0 | xargs -0 touch -h -d "@$SOURCE_DATE_EPOCH"

mkdir -p "$out"
package=$out/kindling_${version}_amd64.deb
dpkg-deb --root-owner-group -Z"${DEB_COMPRESSION:-xz}" --build "$tree" "$package" >/dev/null
echo "$package"
