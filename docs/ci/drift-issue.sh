#!/usr/bin/env bash
# One drift pass, and the one issue that tells of it: opened or updated while
# something differs or can't be judged, closed when all is as Git says.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-.}
code=0
"$here/drift.sh" || code=$?
if [ "$code" = 0 ]; then
	"$here/forge.sh" close-issue "$out/issue.md"
else
	"$here/forge.sh" issue 'reconcile: the live clusters differ from Git' "$out/issue.md"
fi
# Drift is told by the issue; the job fails only if nothing could be said.
[ "$code" = 2 ] || exit "$code"
