#!/bin/bash
# programs.sh: builds the three programs into dist/bin and prints that folder. What runs keeps its own copy: a later
# build replaces files, it does not write into them.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
. tools/dev/common.sh

kd_bazel build //agent:kindling-agent //controller:kindling-controller //ui/cli:kindlingctl >&2
mkdir -p dist/bin
install -C -m 755 -t dist/bin bazel-bin/agent/kindling-agent bazel-bin/controller/kindling-controller \
	bazel-bin/ui/cli/kindlingctl
stop_bazel_in_ci
echo dist/bin
