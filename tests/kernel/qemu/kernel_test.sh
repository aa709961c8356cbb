#!/bin/bash
# kernel_test.sh SERIES BINARY [ARGUMENT]...: runs a GoogleTest binary as root in a guest with that kernel; its cases are
# this test's.
set -euo pipefail
here=$(dirname "$0")
series=$1
binary=$2
shift 2

fetch=()
[ -z "${XML_OUTPUT_FILE:-}" ] || fetch=(--fetch "/tmp/test.xml:$XML_OUTPUT_FILE")
"$here/boot.sh" --kernel "$series" --file "$binary:/opt/test" --module veth --env TEST_TMPDIR=/tmp \
	--timeout "${KERNEL_TEST_TIMEOUT:-270}" ${fetch[@]+"${fetch[@]}"} -- \
	/opt/test --gtest_output=xml:/tmp/test.xml "$@"
