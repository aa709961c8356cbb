#!/bin/bash
# test.sh [BAZEL ARGUMENT]...: the cheap checks and every test, or only the tests that the arguments name.
# The last line counts test cases: `N passed, N failed`.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
. tools/dev/common.sh

tools/dev/setup.sh
# Root is asked for now, while somebody may be at the terminal.
if [ "$(id -u)" -ne 0 ]; then
	as_root true
	setsid sudo -n true 2>/dev/null ||
		die "tests that need root run under sudo without a terminal, and sudo asks for a password here: run \`sudo ./dev test\`"
fi
mountpoint -q /sys/kernel/tracing || as_root mount -t tracefs tracefs /sys/kernel/tracing ||
	say "tracefs could not be mounted: tests that trace will fail"
ulimit -n "$(ulimit -H -n)" || true

results=$(mktemp -d)
trap 'stop_bazel_in_ci; rm -rf "$results"' EXIT

run=0
# bazel_test NAME ARGUMENT...: one run of bazel test whose cases are counted in the end. Having no test to run is fine.
bazel_test() {
	run=$((run + 1))
	local options=(--keep_going --build_event_json_file="$results/$run.json") code=0
	[ -z "${CI:-}" ] || options+=(--nocache_test_results)
	kd_bazel test "${options[@]}" "$@" || code=$?
	[ $code -ne 8 ] || exit 130 # Bazel was interrupted
	[ $code -eq 4 ] || echo "$code" >"$results/$run.exit"
}

if [ $# -gt 0 ]; then
	selection=("$@")
else
	tools/dev/cheap_checks.sh "$results/checks" || true
	selection=(//...)
fi

if [ "$(id -u)" -eq 0 ]; then
	bazel_test "${selection[@]}"
else
	bazel_test --test_tag_filters=-requires_bpf,-requires_root "${selection[@]}"
	bazel_test --test_tag_filters=requires_bpf,requires_root --run_under="$root/tools/dev/as_root.sh" "${selection[@]}"
fi
if [ $# -eq 0 ] && [ -s tools/dev/sanitized.txt ]; then
	mapfile -t sanitized < <(grep -v '^#' tools/dev/sanitized.txt)
	[ ${#sanitized[@]} -eq 0 ] ||
		bazel_test --config=asan-ubsan --build_tests_only --experimental_convenience_symlinks=ignore \
			--test_tag_filters=-requires_bpf,-requires_root,-local "${sanitized[@]}"
fi

stop_bazel_in_ci
python3 tools/dev/count_tests.py "$results"
