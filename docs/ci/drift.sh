#!/usr/bin/env bash
# One drift pass, told in issue.md for forge.sh to post.
#
# Exit code: that of `reconcile drift`: 0 in sync, 1 error or something could
# not be judged, 2 drift. Only 0 may close an issue: what could not be judged
# is neither drift nor in sync.
set -euo pipefail
out=${OUT:-.}
code=0
reconcile drift -o markdown --output-file "json=$out/drift.json" --color never >"$out/drift.md" 2>"$out/drift.log" || code=$?
{
	echo '<!-- reconcile drift -->'
	case $code in
	0) echo 'Every topology is as Git says.' ;;
	2) echo 'The live clusters differ from Git. Nothing was changed.' ;;
	*) echo "Not everything could be judged (exit code $code)." ;;
	esac
	echo
	if [ -s "$out/drift.md" ]; then cat "$out/drift.md"; else tail -c 4000 "$out/drift.log" | tr -d '\000' | sed 's/^/    /'; fi
} | head -c 65000 >"$out/issue.md"
cat "$out/drift.log" >&2
exit "$code"
