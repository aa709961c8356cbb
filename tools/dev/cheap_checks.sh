#!/bin/bash
# cheap_checks.sh [REPORT]: the checks that take seconds and need no build. Appends `ok NAME` or `failed NAME` to REPORT.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit
. tools/dev/common.sh

report=${1:-/dev/null}
failed=0
check() {
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then
		echo "ok $name" >>"$report"
	else
		failed=1
		echo "failed $name" >>"$report"
		say "check failed: $name"
		say "$output"
	fi
}

check format tools/dev/format.sh --check
check layering python3 tools/checks/check_layering.py .
check orphans python3 tools/checks/check_orphans.py .
check protos tools/dev/protos.sh
exit $failed
