package approve

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/desired"
)

// tagName returns a name for the tag that is free in the clone and, with a remote, at the
// remote: first, or first with a number. earlier are the existing tags of that name. It
// replaces none of them: a forge may forbid that, and other clones keep what they fetched.
func (r Request) tagName(ctx context.Context, first string) (name string, earlier []string, err error) {
	taken, err := desired.Git(ctx, r.Dir, "", "for-each-ref", "--format=%(refname)", "refs/tags/failover")
	if err != nil {
		return "", nil, err
	}
	if r.Remote != "" {
		there, err := desired.Git(ctx, r.Dir, "", "ls-remote", "--refs", "--", r.Remote, "refs/tags/failover", "refs/tags/failover/*")
		if err != nil {
			return "", nil, fmt.Errorf("look for earlier approvals at %s, before anything is signed: %w (hint: without --push the tag is made in your clone)", r.Remote, err)
		}
		taken += "\n" + there
	}
	name, earlier = freeTag(first, strings.Fields(taken))
	return name, earlier, nil
}

// freeTag returns first, or first with the next number if refs has it already. Git cannot
// have both a tag a and a tag a/b: if a tag has the name of a folder of first, the slashes
// of first become hyphens.
func freeTag(first string, refs []string) (name string, earlier []string) {
	const below = "refs/tags/"
	for dir := path.Dir(first); dir != "failover" && dir != "."; dir = path.Dir(dir) {
		if slices.Contains(refs, below+dir) {
			first = "failover/" + strings.ReplaceAll(strings.TrimPrefix(first, "failover/"), "/", "-")
		}
	}
	next := 1
	for _, ref := range refs {
		rest, ours := strings.CutPrefix(ref, below+first)
		suffix, _, folder := strings.Cut(rest, "/")
		number, numbered := strings.CutPrefix(suffix, "-")
		n, err := strconv.Atoi(number)
		if suffix == "" {
			n, err = 1, nil
		}
		if !ours || err != nil || n < 1 || !numbered && suffix != "" {
			continue
		}
		next = max(next, n+1)
		if !folder && !slices.Contains(earlier, first+suffix) {
			earlier = append(earlier, first+suffix)
		}
	}
	if next == 1 {
		return first, nil
	}
	return fmt.Sprintf("%s-%d", first, next), earlier
}
