# Sourced by ./dev and its commands, with the root of the tree as working directory.

root=$PWD
export HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
# Debian's own programs first, above all its Python.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
cache=${KINDLING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kindling}
# Tests get no XDG_CACHE_HOME.
[ -z "${XDG_CACHE_HOME:-}" ] || export KINDLING_CACHE=$cache

say() { printf '%s\n' "$*" >&2; }

die() {
	say "dev: $*"
	exit 1
}

# Runs a command as root.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "this needs root, and there is no sudo: run ./dev as root"
	fi
}

# bazel COMMAND ..., with the cache outside the tree and plain output where nobody watches.
kd_bazel() {
	local command=$1
	shift
	local options=()
	case $command in
	build | test | run)
		mkdir -p "$cache/bazel"
		# Links that another user's Bazel left here would be taken for folders of the tree.
		local link output
		output=$(bazel info output_base 2>/dev/null || true)
		for link in bazel-*; do
			if [ -L "$link" ] && [[ $(readlink "$link") != "$output"/* ]]; then rm -f "$link"; fi
		done
		options+=(--disk_cache="$cache/bazel")
		if [ -n "${CI:-}" ] || [ ! -t 2 ]; then
			options+=(--color=no --curses=no --noshow_progress)
		fi
		;;
	esac
	bazel "$command" "${options[@]}" "$@"
}

# A Bazel server holds a gigabyte; leave none behind on a CI machine.
stop_bazel_in_ci() {
	[ -z "${CI:-}" ] || bazel shutdown >/dev/null 2>&1 || true
}
