package approve

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/desired"
)

// tagName returns a name for the tag that is free in the clone: first, or first with a
// number. earlier are the existing tags of that name. It replaces none of them: a forge may
// forbid that, and other clones keep what they fetched.
func (r Request) tagName(ctx context.Context, first string) (name string, earlier []string, err error) {
	taken, err := r.localTags(ctx)
	if err != nil {
		return "", nil, err
	}
	name, earlier = freeTag(first, slices.Sorted(maps.Keys(taken)))
	return name, earlier, nil
}

// localTags returns the objects of the approvals in the clone, by ref.
func (r Request) localTags(ctx context.Context) (map[string]string, error) {
	out, err := desired.Git(ctx, r.Dir, "", "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags/failover")
	return objectsByRef(out), err
}

// fetchTags brings the approvals that the remote has into the clone, so that the new tag is
// compared with all that count there. It replaces none, and does nothing without a remote. A
// withdrawal is refused if the remote has another tag under a name of the clone.
func (r Request) fetchTags(ctx context.Context) error {
	if r.Remote == "" {
		return nil
	}
	here, err := r.localTags(ctx)
	if err != nil {
		return err
	}
	listed, err := desired.Git(ctx, r.Dir, "", "ls-remote", "--refs", "--", r.Remote, "refs/tags/failover", "refs/tags/failover/*")
	if err != nil {
		return fmt.Errorf("look for earlier approvals at %s, before anything is signed: %w (hint: without --push the tag is made in your clone)", r.Remote, err)
	}
	var missing []string
	there := objectsByRef(listed)
	for _, ref := range slices.Sorted(maps.Keys(there)) {
		switch known, ok := here[ref]; {
		case !ok:
			missing = append(missing, ref+":"+ref)
		case r.Withdraw && known != there[ref] && strings.HasPrefix(ref, "refs/tags/failover/"+r.tagFolder()):
			return fmt.Errorf("%s at %s is another tag than in your clone (hint: 'git fetch %s +%s:%s' takes the one that counts)", ref, r.Remote, r.Remote, ref, ref)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := desired.Git(ctx, r.Dir, strings.Join(missing, "\n")+"\n", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--stdin", "--", r.Remote); err != nil {
		return fmt.Errorf("fetch earlier approvals from %s, before anything is signed: %w (hint: without --push the tag is made in your clone)", r.Remote, err)
	}
	return nil
}

// objectsByRef reads lines of an object and a ref.
func objectsByRef(lines string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(lines) {
		if f := strings.Fields(line); len(f) == 2 {
			out[f[1]] = f[0]
		}
	}
	return out
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
