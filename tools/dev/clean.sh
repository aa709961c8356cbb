#!/bin/bash
# Removes what was built in this tree; with --cache also the cache that all trees share.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
. tools/dev/common.sh

bazel clean --expunge >/dev/null 2>&1 || true
rm -rf dist
if [ "${1:-}" = --cache ]; then
	rm -rf "$cache"
fi
