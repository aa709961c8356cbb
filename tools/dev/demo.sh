#!/bin/bash
# demo.sh [ARGUMENT]...: installs and builds what the demo needs and runs it; `./dev demo --help` lists the arguments.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
. tools/dev/common.sh

root_runner=as_root
build=1
json=
previous=
for argument in "$@"; do
	case $argument in
	--replay) root_runner= ;;
	--stop) build= ;;
	-h | --help)
		root_runner=
		build=
		;;
	--json=*) json=${argument#--json=} ;;
	esac
	[ "$previous" != --json ] || json=$argument
	previous=$argument
done
# Without any way to root the demo itself says what it lacks.
command -v sudo >/dev/null || root_runner=

programs=dist/bin
if [ -n "$build" ]; then
	tools/dev/setup.sh packages
	programs=$(tools/dev/programs.sh)
fi
ulimit -n "$(ulimit -H -n)" || true

code=0
$root_runner /usr/bin/python3 -B tests/workloads/demo.py --bin-dir "$programs" "$@" || code=$?
# What root wrote for the user is the user's.
if [ "$(id -u)" -ne 0 ] && [ -f "$json" ] && [ ! -O "$json" ]; then
	as_root chown "$(id -u):$(id -g)" "$json"
fi
exit $code
