#!/bin/bash
# programs.sh [TARGET]...: builds the three programs and the targets given into dist/bin and prints that folder. What
# runs keeps its own copy: a later build replaces files, it does not write into them.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
. tools/dev/common.sh

targets=(//agent:kindling-agent //controller:kindling-controller //ui/cli:kindlingctl "$@")
kd_bazel build "${targets[@]}" >&2
mkdir -p dist/bin
for target in "${targets[@]}"; do
	file=${target#//}
	install -C -m 755 "bazel-bin/${file/://}" dist/bin/
done
stop_bazel_in_ci
echo dist/bin
