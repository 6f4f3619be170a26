#!/usr/bin/env bash
# Keeps one comment on a pull request, or one issue, up to date on GitHub or
# GitLab. What is posted is found again by the HTML comment in its first line and
# by its author: what somebody else wrote is never taken for ours, whatever it
# begins with, since its author could change it afterwards.
#
#   forge.sh comment NUMBER FILE        make or update the comment
#   forge.sh issue TITLE FILE           open or update the one issue
#   forge.sh close-issue FILE           close it, if it is open
#
# FORGE         github or gitlab
# FORGE_API     https://api.github.com, or https://gitlab.example/api/v4
# FORGE_REPO    owner/name, or the numeric id of the project
# FORGE_TOKEN   may write comments and issues; it is handed over on standard
#               input, never as an argument
# FORGE_USER    the name under which it posts; default: asked of the forge, and
#               github-actions[bot] where GitHub does not tell a job's own token
set -euo pipefail
shopt -s inherit_errexit # a list that was not read is not an empty one
: "${FORGE:?}" "${FORGE_API:?}" "${FORGE_REPO:?}" "${FORGE_TOKEN:?}"

case $FORGE in
github) base=$FORGE_API/repos/$FORGE_REPO header="Authorization: Bearer $FORGE_TOKEN" change=PATCH text=body ;;
gitlab) base=$FORGE_API/projects/$FORGE_REPO header="PRIVATE-TOKEN: $FORGE_TOKEN" change=PUT text=description ;;
*) echo "FORGE is $FORGE; use github or gitlab" >&2 && exit 1 ;;
esac

# call METHOD URL [JSON FILE]
call() {
	local data=()
	[ $# -lt 3 ] || data=(--data-binary "@$3" -H 'Content-Type: application/json')
	printf 'header = "%s"\n' "$header" |
		curl --config - -sS --fail-with-body --max-time 60 --retry 3 -X "$1" "${data[@]}" "$2"
}

# user: the name under which the token posts
user() {
	local said
	if [ -n "${FORGE_USER:-}" ]; then
		printf '%s' "$FORGE_USER"
	elif said=$(call GET "$FORGE_API/user" 2>/dev/null) && said=$(jq -er '.login // .username' <<<"$said"); then
		printf '%s' "$said"
	elif [ "$FORGE" = github ]; then
		printf 'github-actions[bot]'
	else
		echo "the forge does not say whose FORGE_TOKEN is; set FORGE_USER" >&2 && return 1
	fi
}

# find URL MARKER: the id of our own first entry that begins with the marker
find() {
	local page=1 entries me
	me=$(user)
	[ -n "$me" ] || { echo "the forge names no user; set FORGE_USER" >&2 && return 1; }
	while :; do
		entries=$(call GET "$1$([[ $1 = *\?* ]] && echo '&' || echo '?')per_page=100&page=$page")
		jq -er --arg m "$2" --arg me "$me" 'map(select(((.body // .description // "") | startswith($m)) and (has("pull_request") | not)
			and (.user.login // .author.username // "" | ascii_downcase) == ($me | ascii_downcase))) | first | (.iid // .number // .id) // empty' <<<"$entries" && return
		[ "$(jq length <<<"$entries")" -eq 100 ] || return 0
		page=$((page + 1))
	done
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command=$1
case $command in
comment)
	number=$2 file=$3
	[[ $number =~ ^[0-9]+$ ]] || { echo "no number of a pull request: $number" >&2; exit 1; }
	if [ "$FORGE" = github ]; then list=$base/issues/$number/comments one=$base/issues/comments; else list=$base/merge_requests/$number/notes one=$list; fi
	jq -n --rawfile t "$file" '{body: $t}' >"$work/body.json"
	id=$(find "$list" "$(head -n 1 "$file")")
	if [ -n "$id" ]; then call "$change" "$one/$id" "$work/body.json"; else call POST "$list" "$work/body.json"; fi >/dev/null
	;;
issue | close-issue)
	title=reconcile
	[ "$command" = close-issue ] || { title=$2; shift; }
	file=$2
	if [ "$FORGE" = github ]; then state=open done='{state: "closed"}'; else state=opened done='{state_event: "close"}'; fi
	id=$(find "$base/issues?state=$state" "$(head -n 1 "$file")")
	if [ "$command" = close-issue ]; then
		[ -n "$id" ] || exit 0
		jq -n --rawfile t "$file" "{$text: \$t} + $done" >"$work/body.json"
		call "$change" "$base/issues/$id" "$work/body.json" >/dev/null
		exit 0
	fi
	jq -n --rawfile t "$file" --arg title "$title" "{title: \$title, $text: \$t}" >"$work/body.json"
	if [ -n "$id" ]; then call "$change" "$base/issues/$id" "$work/body.json"; else call POST "$base/issues" "$work/body.json"; fi >/dev/null
	;;
*) echo "unknown command $command" >&2 && exit 1 ;;
esac
