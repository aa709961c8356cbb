#!/bin/bash
# as_root.sh TEST [ARGUMENT]...: what `bazel test --run_under` uses for tests that need root when the user has none.
# The files that the test leaves in its folders become the user's again, or Bazel could not remove them.
set -uo pipefail
[ "$(id -u)" -ne 0 ] || exec "$@"
mapfile -d '' -t environment < <(env -0)
sudo -n env "${environment[@]}" "$@"
code=$?
for folder in "${TEST_TMPDIR:-}" "${TEST_UNDECLARED_OUTPUTS_DIR:-}" "${XML_OUTPUT_FILE:-}"; do
	[ -z "$folder" ] || [ ! -e "$folder" ] || sudo -n chown -R "$(id -u):$(id -g)" "$folder"
done
exit $code
