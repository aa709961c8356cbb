#!/bin/bash
# Unpacks the npm packages of tools/buf/package-lock.json into the cache and prints the folder.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
. tools/dev/common.sh

# npm otherwise trusts only the authorities it brings along, not those of this machine.
export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}
key=$(cat tools/buf/package.json tools/buf/package-lock.json | sha256sum | cut -c1-16)
folder=$cache/npm/$key
if [ ! -e "$folder/done" ]; then
	say "installing npm packages: $(sed -n 's/^ *"\(@[^"]*\)": .*/\1/p' tools/buf/package.json | tr '\n' ' ')"
	mkdir -p "$cache/npm"
	work=$(mktemp -d "$cache/npm/new.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	cp tools/buf/package.json tools/buf/package-lock.json "$work"
	(cd "$work" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >log 2>&1) || {
		cat "$work/log" >&2
		die "npm could not install the packages of tools/buf; its output is above"
	}
	touch "$work/done"
	rm -rf "$folder"
	mv "$work" "$folder"
fi
echo "$folder"
