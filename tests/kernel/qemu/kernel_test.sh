#!/bin/bash
# kernel_test.sh SERIES BINARY [ARGUMENT]...: runs a GoogleTest binary as root in a guest with that kernel; its cases are
# this test's. KERNEL_TEST_PROGRAMS are programs of this machine that it starts, KERNEL_TEST_MODULES kernel modules that it
# needs beside veth.
set -euo pipefail
here=$(dirname "$0")
series=$1
binary=$2
shift 2

options=()
for program in ${KERNEL_TEST_PROGRAMS:-}; do
	options+=(--file "$(PATH=$PATH:/usr/sbin:/sbin command -v "$program"):/opt/bin/$program")
done
for module in ${KERNEL_TEST_MODULES:-}; do options+=(--module "$module"); done
# Before busybox's own.
[ -z "${KERNEL_TEST_PROGRAMS:-}" ] || options+=(--env PATH=/opt/bin:/bin:/sbin)
fetch=()
[ -z "${XML_OUTPUT_FILE:-}" ] || fetch=(--fetch "/tmp/test.xml:$XML_OUTPUT_FILE")
"$here/boot.sh" --kernel "$series" --file "$binary:/opt/test" --module veth --env TEST_TMPDIR=/tmp \
	--timeout "${KERNEL_TEST_TIMEOUT:-270}" ${fetch[@]+"${fetch[@]}"} ${options[@]+"${options[@]}"} -- \
	/opt/test --gtest_output=xml:/tmp/test.xml "$@"
