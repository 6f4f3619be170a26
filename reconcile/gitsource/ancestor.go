package gitsource

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

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
