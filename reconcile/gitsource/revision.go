package gitsource

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"milvus-reconcile/reconcile/gitsource/gitdir"
)

// ErrNotFound marks a revision that the repository does not have.
var ErrNotFound = errors.New("no such revision")

// Resolve returns the commit that a revision names: a full or short hash, a
// branch, a tag or a full ref, with ~N or ^ behind it for a first parent; an
// empty one is the tip of the tracked ref.
// With a path below failover/ a tag's commit is meant, as for any tag.
func (r *Repo) Resolve(rev string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	base, back, err := splitAncestor(rev)
	if err != nil {
		return "", err
	}
	id, err := r.resolve(base)
	if err != nil {
		return "", err
	}
	if id, err = r.ancestor(id, back); err != nil {
		return "", fmt.Errorf("revision %+q: %w", rev, err)
	}
	c, err := r.peel(id)
	if err != nil {
		return "", fmt.Errorf("revision %+q: %w", rev, err)
	}
	return c.id.String(), nil
}

func (r *Repo) resolve(rev string) (plumbing.Hash, error) {
	if r.store == nil {
		return plumbing.ZeroHash, errClosed
	}
	if rev == "" || rev == "HEAD" && r.copied != nil { // a copy has no other HEAD
		return r.tip()
	}
	if plumbing.IsHash(rev) {
		return plumbing.NewHash(rev), nil
	}
	if id, err := r.lookup(rev); !errors.Is(err, plumbing.ErrReferenceNotFound) {
		return id, err
	}
	return r.byPrefix(rev)
}

// tip returns the commit or tag of the tracked ref.
func (r *Repo) tip() (plumbing.Hash, error) {
	name := r.ref
	if r.tracked != "" {
		name = r.tracked
	}
	if name == "" {
		name = "HEAD"
	}
	forms := []string{name}
	if name != "HEAD" && !strings.HasPrefix(name, "refs/") {
		// A branch precedes a tag of the same name: a person who may push tags must not
		// choose the tracked ref.
		forms = []string{"refs/heads/" + name, name}
	}
	for _, form := range forms {
		if id, err := r.lookup(form); !errors.Is(err, plumbing.ErrReferenceNotFound) {
			return id, err
		}
	}
	return plumbing.ZeroHash, fmt.Errorf("%w: the repository has no %+q, or no commit on it yet (hint: push the commit with the topology files to it, or let git.ref name the branch that has them)", ErrNotFound, name)
}

// lookup tries the names in git's own order. An unreadable ref is an error: another ref,
// or an earlier value, is not the requested one.
func (r *Repo) lookup(name string) (plumbing.Hash, error) {
	for _, form := range []string{"%s", "refs/%s", "refs/tags/%s", "refs/heads/%s", "refs/remotes/%s", "refs/remotes/%s/HEAD"} {
		full := plumbing.ReferenceName(fmt.Sprintf(form, name))
		if form == "%s" && full != plumbing.HEAD && !strings.HasPrefix(name, "refs/") {
			continue // other files of the git folder are no refs
		}
		if full != plumbing.HEAD && !gitdir.ValidRef(string(full)) {
			continue
		}
		ref, err := r.follow(full)
		if err == nil {
			return ref.Hash(), nil
		}
		if !errors.Is(err, plumbing.ErrReferenceNotFound) {
			return plumbing.ZeroHash, err
		}
	}
	return plumbing.ZeroHash, plumbing.ErrReferenceNotFound
}

// follow resolves symbolic refs, a few deep.
func (r *Repo) follow(name plumbing.ReferenceName) (*plumbing.Reference, error) {
	for range 5 {
		ref, err := r.store.Reference(name)
		if err != nil {
			return nil, err
		}
		if ref.Type() == plumbing.HashReference {
			return ref, nil
		}
		name = ref.Target()
	}
	return nil, plumbing.ErrReferenceNotFound
}

// minPrefix is the shortest abbreviation that git accepts.
const minPrefix = 4

// byPrefix finds the one commit or tag that an abbreviated hash names.
func (r *Repo) byPrefix(rev string) (plumbing.Hash, error) {
	if len(rev) < minPrefix || len(rev) >= 40 || strings.Trim(rev, "0123456789abcdefABCDEF") != "" {
		return plumbing.ZeroHash, fmt.Errorf("%w: %+q is neither a hash, a branch nor a tag of this repository", ErrNotFound, rev)
	}
	candidates, err := r.withPrefix(strings.ToLower(rev))
	if err != nil {
		return plumbing.ZeroHash, err
	}
	switch len(candidates) {
	case 0:
		hint := ""
		if shallow, _ := r.store.Shallow(); len(shallow) > 0 {
			hint = " (hint: the clone is shallow and lacks old commits: `git fetch --unshallow` brings them)"
		}
		return plumbing.ZeroHash, fmt.Errorf("%w: no commit begins with %s%s", ErrNotFound, rev, hint)
	case 1:
		return candidates[0], nil
	}
	return plumbing.ZeroHash, fmt.Errorf("%s is ambiguous: %d commits begin with it; give more digits", rev, len(candidates))
}

func (r *Repo) withPrefix(rev string) ([]plumbing.Hash, error) {
	var out []plumbing.Hash
	consider := func(id plumbing.Hash) {
		if strings.HasPrefix(id.String(), rev) {
			if _, err := r.peel(id); err == nil {
				out = append(out, id)
			}
		}
	}
	full := plumbing.NewHash(rev[:len(rev)&^1] + strings.Repeat("0", 40))
	ids, err := r.store.HashesWithPrefix(full[:len(rev)/2])
	for _, id := range ids {
		consider(id)
	}
	return out, err
}

// maxChain bounds tags of tags of tags.
const maxChain = 1000

// peel follows tags to their commit. It reads only the first line of a tag, so a malformed
// or huge tag does no harm.
func (r *Repo) peel(id plumbing.Hash) (*commit, error) {
	for range maxChain {
		o, err := r.findObject(id)
		if err != nil {
			return nil, err
		}
		if o.Type() != plumbing.TagObject {
			break
		}
		of := id
		if err := r.readVerified(o, plumbing.TagObject, of, func(in io.Reader) (err error) {
			id, _, err = idLine(bufio.NewReader(in), "object ")
			return err
		}); err != nil {
			return nil, fmt.Errorf("tag %s: %w", of, err)
		}
	}
	return r.commit(id)
}

// commitByName takes a full commit id.
func (r *Repo) commitByName(id string) (*commit, error) {
	if !plumbing.IsHash(id) {
		return nil, fmt.Errorf("%+q is not a commit id; resolve it first", id)
	}
	return r.commit(plumbing.NewHash(id))
}

// maxAncestor bounds how far back `~N` may count.
const maxAncestor = 10_000

// splitAncestor takes `~N`, `~` and `^` off the end of a revision, as git
// reads them (gitrevisions(7)): how many first parents to go back.
func splitAncestor(rev string) (base string, back int, err error) {
	base = strings.TrimRight(rev, "^~0123456789")
	suffix := rev[len(base):]
	cut := strings.IndexAny(suffix, "^~")
	if cut < 0 {
		return rev, 0, nil
	}
	base, suffix = base+suffix[:cut], suffix[cut:]
	for suffix != "" {
		digits := suffix[1:]
		if next := strings.IndexAny(digits, "^~"); next >= 0 {
			digits = digits[:next]
		}
		n := 1
		if digits != "" {
			if n, err = strconv.Atoi(digits); err != nil || suffix[0] == '^' && n != 1 || n > maxAncestor {
				return "", 0, fmt.Errorf("revision %+q: only ~N and ^ are known (hint: give the commit's hash)", rev)
			}
		}
		back += n
		suffix = suffix[1+len(digits):]
	}
	return base, back, nil
}

// ancestor goes back along the first parents.
func (r *Repo) ancestor(id plumbing.Hash, back int) (plumbing.Hash, error) {
	for range back {
		c, err := r.peel(id)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		if len(c.parents) == 0 {
			return plumbing.ZeroHash, fmt.Errorf("%w: commit %s has no parent", ErrNotFound, c.id)
		}
		id = c.parents[0]
	}
	return id, nil
}
