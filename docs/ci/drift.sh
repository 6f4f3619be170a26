#!/usr/bin/env bash
# One drift pass, told in issue.md for forge.sh to post. Runs in a clone, of
# which the branch to judge by is checked out: Git is read there and not at
# git.url of the configuration, so that the job needs no key for it.
#
# Exit code: that of `reconcile drift`: 0 in sync, 1 error or something could
# not be judged, 2 drift. Only 0 may close an issue: what could not be judged
# is neither drift nor in sync.
set -euo pipefail
out=${OUT:-.}
code=0
reconcile drift --repo "${REPO:-.}" --ref HEAD -o markdown \
	--output-file "json=$out/drift.json" --color never >"$out/drift.md" 2>"$out/drift.log" || code=$?
{
	echo '<!-- reconcile drift -->'
	case $code in
	0) echo 'Every topology is as Git says.' ;;
	2) echo 'The live clusters differ from Git. Nothing was changed.' ;;
	*) echo "Not everything could be judged (exit code $code)." ;;
	esac
	echo
	if [ -s "$out/drift.md" ]; then
		cat "$out/drift.md"
	else
		# Not from the middle of a character.
		tail -c 4000 "$out/drift.log" | tr -d '\000' | LC_ALL=C sed -e $'1s/^[\x80-\xbf]*//' -e 's/^/    /'
	fi
} >"$out/issue.md"
cat "$out/drift.log" >&2
exit "$code"
