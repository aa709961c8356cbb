#!/bin/bash
# package.sh: builds the three programs and makes a Debian package of them in dist/.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
. tools/dev/common.sh

tools/dev/setup.sh packages
trap stop_bazel_in_ci EXIT
kd_bazel build //agent:kindling-agent //controller:kindling-controller //ui/cli:kindlingctl

git=(git -c safe.directory="$PWD")
SOURCE_DATE_EPOCH=$("${git[@]}" log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH
version=$(sed -n 's/.*kSoftwareVersion = "\(.*\)";/\1/p' base/version.h)
[ -n "$version" ] || die "base/version.h does not say the version"
if commit=$("${git[@]}" rev-parse --short HEAD 2>/dev/null); then
	version+="+$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M).$commit"
fi
package=$(packaging/build_deb.sh --version "$version" --out dist bazel-bin/agent/kindling-agent \
	bazel-bin/controller/kindling-controller bazel-bin/ui/cli/kindlingctl)
say "install it with: sudo apt-get install ./$package"
echo "$package"
