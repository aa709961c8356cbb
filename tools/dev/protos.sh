#!/bin/bash
# protos.sh [--accept]: buf's lint over api/ and its breaking-change check against api/breaking.binpb.
# --accept writes that descriptor set anew: only for a change that breaks nobody, or one decided on in docs/adr/.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
. tools/dev/common.sh

[ -e api/buf.yaml ] || exit 0
buf=$(tools/dev/install_npm.sh)/node_modules/@bufbuild/buf-linux-x64/bin/buf
export BUF_CACHE_DIR=$cache/buf
if [ "${1:-}" = --accept ]; then
	"$buf" build api --as-file-descriptor-set --exclude-source-info -o api/breaking.binpb
	exit
fi
"$buf" lint api
"$buf" breaking api --against api/breaking.binpb ||
	die "api/ breaks what is recorded in api/breaking.binpb; if that is decided: tools/dev/protos.sh --accept"
