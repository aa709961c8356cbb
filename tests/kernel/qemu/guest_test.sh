#!/bin/bash
# guest_test.sh SERIES: that boot.sh boots that kernel, brings output, files and exit codes out of it, and ends a guest
# that hangs.
set -euo pipefail
here=$(dirname "$0")
series=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "FAILED: $*"
	exit 1
}

# One boot: a C++ program with its libraries, a module with those it needs, a variable, a file fetched, an exit code.
code=0
"$here/boot.sh" --kernel "$series" --file "$here/guest_check:/opt/guest_check" --module veth --env GREETING="two words" \
	--fetch "/tmp/out:$work/fetched" -- \
	sh -c '/opt/guest_check "$1" && grep -q ^veth /proc/modules && echo "$GREETING" | tee /tmp/out && exit 42' sh "$series" \
	>"$work/output" || code=$?
cat "$work/output"
[ $code -eq 42 ] || fail "exit code $code, not the guest's 42"
grep -q "^release $series\..*, btf yes, 100000 bytes over loopback$" "$work/output" || fail "guest_check's line is not there"
[ "$(tail -1 "$work/output")" = "two words" ] || fail "the variable did not arrive"
[ "$(cat "$work/fetched")" = "two words" ] || fail "the file did not come back"

code=0
"$here/boot.sh" --kernel "$series" --timeout 6 -- sleep 600 2>"$work/errors" || code=$?
[ $code -eq 124 ] || fail "a guest that hangs ended with $code, not 124: $(cat "$work/errors")"
