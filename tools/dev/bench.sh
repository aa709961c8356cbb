#!/bin/bash
# bench.sh NAME [ARGUMENT]...: runs tests/load/NAME.py, as root if it captures; one JSON object on standard output,
# the rest on standard error.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
. tools/dev/common.sh

bench=tests/load/${1:-}.py
if [ $# -eq 0 ] || [ ! -f "$bench" ]; then
	die "usage: ./dev bench NAME; there is: $(cd tests/load 2>/dev/null &&
	grep -l -e --bin-dir -- *.py | sed 's/\.py$//' | tr '\n' ' ')"
fi
shift
tools/dev/setup.sh packages >&2
run=()
case $bench in
*/overhead.py)
	tools=(//tests/load:paced //tests/load:syscall_clock)
	run=(as_root)
	;;
*/network.py)
	tools=(//tests/load:net_load)
	run=(as_root)
	;;
*/capture.py)
	tools=(//tests/load:capture_packets //tests/load:udp_load)
	run=(as_root)
	;;
*/store.py)
	tools=(//tests/load/store:make_load //tests/load/store:send_load //tests/load/store:query_load
		//tests/load/store:row_store //tests/load/store:store_probe)
	;;
*) die "bench.sh: no list of programs for $bench" ;;
esac
programs=$(tools/dev/programs.sh "${tools[@]}")
# A build server that is only waiting still wakes up.
bazel shutdown >/dev/null 2>&1 || true
ulimit -n "$(ulimit -H -n)" || true
"${run[@]}" /usr/bin/python3 -B "$bench" --bin-dir "$programs" "$@"
