#!/bin/bash
# check.sh [BASE]: the checks before landing. Format, layering, orphans and protos over the whole tree; everything built
# with clang (-Wthread-safety, layering_check); clang-tidy over what changed since BASE (main), remembered by content.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
. tools/dev/common.sh

base=${1:-main}
tools/dev/setup.sh
trap stop_bazel_in_ci EXIT
failed=0
tools/dev/cheap_checks.sh || failed=1

say "building everything with clang"
kd_bazel build --config=clang --keep_going --experimental_convenience_symlinks=ignore //... || failed=1

say "clang-tidy over what changed since $base"
tools/dev/tidy.sh "$base" || failed=1

[ $failed -eq 0 ] || die "some checks failed; see above"
say "all checks passed"
