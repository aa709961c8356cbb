#!/bin/bash
# format.sh [--check]: formats every C and C++ file of the tree, or names those that are not formatted.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit

sources() {
	git -c safe.directory="$PWD" ls-files -z --cached --others --exclude-standard '*.cc' '*.h' '*.c' |
		while IFS= read -r -d '' file; do [ ! -f "$file" ] || printf '%s\0' "$file"; done
}

case ${1:-} in
--check)
	if sources | xargs -0 -r -n 16 -P "$(nproc)" clang-format --dry-run -Werror 2>&1 |
		sed -n 's/^\([^:]*\):.*code should be clang-formatted.*/\1/p' | sort -u | grep .; then
		echo "not formatted: run tools/dev/format.sh"
		exit 1
	fi
	;;
'') sources | xargs -0 -r -n 16 -P "$(nproc)" clang-format -i ;;
*)
	echo "usage: format.sh [--check]" >&2
	exit 2
	;;
esac
