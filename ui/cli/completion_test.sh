#!/bin/bash
# Completes command lines with the bash script, as a shell would.
set -euo pipefail
PATH=$PWD/ui/cli:$PATH
# shellcheck disable=SC1090
source <(kindlingctl completion bash)
failed=0

# expect LINE CURRENT REPLY...: CURRENT is what bash takes for the word under the cursor, which begins after = and :.
expect() {
	local line=$1 current=$2
	shift 2
	COMP_LINE=$line COMP_POINT=${#line} COMP_WORDS=("$current") COMP_CWORD=0
	_kindlingctl
	if [ "${COMPREPLY[*]}" != "$*" ]; then
		echo "completing '$line': expected '$*', found '${COMPREPLY[*]}'"
		failed=1
	fi
}

expect 'kindlingctl ' '' map top get describe capture trace store version completion help
expect 'kindlingctl g' g get
expect 'kindlingctl get se' se services series
expect 'kindlingctl get edges -o y' y yaml
expect 'kindlingctl get edges -f prot' prot protocol
expect 'kindlingctl get edges -f protocol=' = http redis mysql dns tls http2 postgresql kafka mysql_compressed unknown
expect 'kindlingctl get edges -f protocol=my' my mysql mysql_compressed
expect "kindlingctl get edges -f 'transp" "'transp" "'transport"
expect 'kindlingctl map --output=mer' mer mermaid
expect 'kindlingctl nonsense ' ''
exit $failed
