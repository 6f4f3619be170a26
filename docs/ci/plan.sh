#!/usr/bin/env bash
# Checks and plans what a change to the topologies would do, for a pull
# request. Runs in a clone; reads the change from git objects and never checks
# it out, so that nothing of it can be executed.
#
#   plan.sh BASE HEAD [offline]
#
# BASE, HEAD   commits; only topologies that differ between them are planned
# offline      no call to a cluster and no configuration: for forks
#
# Writes comment.md (below 65,536 bytes: reconcile leaves out what does not fit,
# and says so), plan.json and plan.sarif into $OUT
# (default: the current folder). The exit code is the one of `reconcile plan`:
# 0 planned, 1 error or problems, 4 blocked.
set -euo pipefail
head=$2 mode=${3:-}
# What the base branch gained since is not part of the change.
base=$(git -C "${REPO:-.}" merge-base "$1" "$head")
out=${OUT:-.}
marker='<!-- reconcile plan -->'

args=(plan --repo "${REPO:-.}" --commit "$head" --base "$base" -o markdown
	--output-file "json=$out/plan.json" --output-file "sarif=$out/plan.sarif" --color never)
if [ "$mode" = offline ]; then
	args+=(--offline)
fi
code=0
reconcile "${args[@]}" >"$out/plan.md" 2>"$out/plan.log" || code=$?

{
	echo "$marker"
	if [ -s "$out/plan.md" ]; then
		cat "$out/plan.md"
	else
		echo "\`reconcile plan\` ended with exit code $code before it could plan:"
		echo
		# Not from the middle of a character.
		tail -c 4000 "$out/plan.log" | tr -d '\000' | LC_ALL=C sed -e $'1s/^[\x80-\xbf]*//' -e 's/^/    /'
	fi
} >"$out/comment.md"
if [ -n "${GITHUB_OUTPUT:-}" ] && [ -s "$out/plan.sarif" ]; then
	echo sarif=true >>"$GITHUB_OUTPUT"
fi
cat "$out/plan.log" >&2
exit "$code"
