#!/bin/bash
# tidy.sh BASE|--all: clang-tidy over the C++ files that changed since BASE, with the headers they include.
# A file that passed is not looked at again until it, a header it includes, or the configuration changes.
# Generated headers must have been built with --config=clang.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
. tools/dev/common.sh

git=(git -c safe.directory="$PWD")
changed() {
	if [ "$1" = --all ]; then
		"${git[@]}" ls-files '*.cc'
		return
	fi
	local from
	from=$("${git[@]}" merge-base "$1" HEAD 2>/dev/null) || die "no such revision: $1"
	{
		"${git[@]}" diff --name-only --diff-filter=d "$from" -- '*.cc' '*.h'
		"${git[@]}" ls-files --others --exclude-standard -- '*.cc' '*.h'
	} | while read -r file; do
		case $file in
		*.h)
			# A header is seen through the file of the same stem, or through its test.
			for sibling in "${file%.h}.cc" "${file%.h}_test.cc"; do
				[ ! -f "$sibling" ] || echo "$sibling"
			done
			;;
		*) echo "$file" ;;
		esac
	done | sort -u
}

bin=$(bazel info --config=clang bazel-bin 2>/dev/null)
flags=(-xc++ -std=c++20 -I. -I"$bin" -I"$bin/api" -Wno-unknown-warning-option)

# tidy_one FILE: runs clang-tidy unless the same content has passed before.
tidy_one() {
	local file=$1 key stamp
	key=$({
		cat .clang-tidy
		clang-tidy --version
		clang++ "${flags[@]}" -M "$file" | tr -s ' \\\n' '\n' | sed 1d | grep . | xargs sha256sum | cut -d' ' -f1
	} 2>/dev/null | sha256sum | cut -c1-32)
	stamp=$cache/tidy/$key
	if [ -e "$stamp" ]; then
		touch "$stamp"
		return
	fi
	if clang-tidy --quiet --header-filter="^$PWD/(agent|base|bpf|controller|model|storage|tests|ui)/" "$file" -- \
		"${flags[@]}" 2>"$stamp.$$.errors"; then
		touch "$stamp"
		rm -f "$stamp.$$.errors"
	else
		grep -v 'warnings\? generated' "$stamp.$$.errors" || true
		rm -f "$stamp.$$.errors"
		return 1
	fi
}

mkdir -p "$cache/tidy"
find "$cache/tidy" -mtime +30 -delete
mapfile -t files < <(changed "$1")
[ ${#files[@]} -gt 0 ] || exit 0
failed=0
running=0
for file in "${files[@]}"; do
	tidy_one "$file" &
	running=$((running + 1))
	if [ $running -ge "$(nproc)" ]; then
		wait -n || failed=1
		running=$((running - 1))
	fi
done
while [ $running -gt 0 ]; do
	wait -n || failed=1
	running=$((running - 1))
done
exit $failed
