package gitsource

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/plumbing/transport/client"
	"github.com/go-git/go-git/v5/plumbing/transport/git"
	"github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"github.com/go-git/go-git/v5/storage/memory"
)

// maxAttempts bounds how often one fetch asks for parts of the tags, and maxTold of how
// many that are left out it tells.
const maxAttempts, maxTold = 64, 10

// update brings a copy up to date. A remote that lists a failover tag and cannot send
// it, since a file of it is empty or an object damaged there, refuses the whole fetch.
// So the tracked ref is fetched without new tags then, and the tags in halves, until
// those are found that cannot be had. They are left out, as if they were not there.
func (r *Repo) update(ctx context.Context, l login, c *gitCopy) error {
	before := r.leftOut
	if r.leftOutAgain.elapsed(r.now()) {
		r.leftOut = nil // the remote may be mended
	}
	all := r.choose(c, nil)
	err := r.attempt(ctx, l, c, all)
	if err != nil && r.isOfTags(ctx, c, all, err) {
		if r.attempt(ctx, l, c, r.choose(c, map[plumbing.ReferenceName]bool{})) == nil {
			err = r.updateByHalves(ctx, l, c, all.fresh, err)
		}
	}
	switch {
	case err != nil:
		r.leftOut = before
	case len(r.leftOut) == 0:
		r.leftOutAgain = backoff{}
	default:
		r.tellLeftOut(before)
	}
	return err
}

// isOfTags says whether a fetch may have failed for one of the new tags. A copy that is
// at fault itself is fetched again first.
func (r *Repo) isOfTags(ctx context.Context, c *gitCopy, all *choice, err error) bool {
	switch {
	case !stillWorth(ctx, err), !all.listed, len(all.fresh) == 0:
		return false
	case c.dir == "":
		return true
	case errors.Is(err, errNotAll) && len(all.have) > 0 && r.renewBackoff.elapsed(r.now()):
		return false
	}
	return c.checkAll() == nil
}

// stillWorth says whether a fetch of less may succeed where one failed.
func stillWorth(ctx context.Context, err error) bool {
	var refused diskFault
	return ctx.Err() == nil && !errors.As(err, &refused)
}

// updateByHalves fetches tags although at least one cannot be had. It leaves out those
// that fail alone.
func (r *Repo) updateByHalves(ctx context.Context, l login, c *gitCopy, tags []*plumbing.Reference, why error) error {
	type part struct {
		tags []*plumbing.Reference
		err  error // of the fetch of all of them
	}
	todo := []part{{tags, why}}
	for attempts := 0; len(todo) > 0 && attempts < maxAttempts; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if len(p.tags) == 1 {
			r.leaveOut(p.tags[0], p.err)
			continue
		}
		half := len(p.tags) / 2
		for _, some := range [][]*plumbing.Reference{p.tags[half:], p.tags[:half]} {
			only := map[plumbing.ReferenceName]bool{}
			for _, tag := range some {
				only[tag.Name()] = true
			}
			attempts++
			switch err := r.attempt(ctx, l, c, r.choose(c, only)); {
			case err == nil:
			case stillWorth(ctx, err):
				todo = append(todo, part{some, err})
			default:
				return err
			}
		}
	}
	return nil // what was not tried is fetched, or found, at the next poll
}

// absent is a tag that the remote cannot send.
type absent struct {
	id  plumbing.Hash
	why error
}

// leaveOut notes that the remote cannot send a tag.
func (r *Repo) leaveOut(tag *plumbing.Reference, why error) {
	if r.leftOut == nil {
		r.leftOut = map[plumbing.ReferenceName]absent{}
		r.leftOutAgain.failed(r.now())
	}
	r.leftOut[tag.Name()] = absent{tag.Hash(), why}
}

// tellLeftOut tells of each tag that is left out once.
func (r *Repo) tellLeftOut(before map[plumbing.ReferenceName]absent) {
	told := 0
	for _, name := range slices.Sorted(maps.Keys(r.leftOut)) {
		a := r.leftOut[name]
		if was, ok := before[name]; ok && was.id == a.id {
			continue
		}
		if told++; told > maxTold {
			r.tell("more tags are left out, since the remote cannot send them")
			return
		}
		r.tell(fmt.Sprintf("the remote cannot send %+q, which approves nothing until it can: %v (hint: 'git fsck' in the remote tells more; to delete it: git push origin --delete %s)", name, a.why, name))
	}
}

// choice is which refs of a remote one fetch takes: all but failover tags that are left
// out. It notes what the remote listed. It shares nothing with the repository, since
// an abandoned fetch may still use it.
type choice struct {
	have    memory.ReferenceStorage           // tags that the copy has are always taken
	leftOut map[plumbing.ReferenceName]absent // those are never taken
	only    map[plumbing.ReferenceName]bool   // of the others; nil: all
	listed  bool
	fresh   []*plumbing.Reference // tags that were taken and that the copy lacks
	broken  []*plumbing.Reference // tags without an id
}

// choose takes all tags, or only those named.
func (r *Repo) choose(c *gitCopy, only map[plumbing.ReferenceName]bool) *choice {
	return &choice{have: maps.Clone(c.inMemory.ReferenceStorage), leftOut: maps.Clone(r.leftOut), only: only}
}

// from removes from a list of refs what is not taken. A ref without an id is one that
// the remote cannot read itself.
func (c *choice) from(list *packp.AdvRefs) {
	c.listed, c.fresh, c.broken = true, nil, nil
	for text, id := range list.References {
		ref := plumbing.NewHashReference(plumbing.ReferenceName(text), id)
		tag, have := strings.HasPrefix(text, tagPrefix), c.have[ref.Name()]
		left, isLeft := c.leftOut[ref.Name()]
		switch {
		case id.IsZero():
			delete(list.References, text)
			if tag {
				c.broken = append(c.broken, ref)
			}
		case !tag || have != nil && have.Hash() == id:
		case isLeft && left.id == id, c.only != nil && !c.only[ref.Name()]:
			delete(list.References, text)
		default:
			c.fresh = append(c.fresh, ref)
		}
	}
	slices.SortFunc(c.fresh, func(a, b *plumbing.Reference) int { return strings.Compare(string(a.Name()), string(b.Name())) })
}

// choiceKey is where the context of a fetch holds its choice.
type choiceKey struct{}

// choosing has each fetch take only the refs of its choice.
type choosing struct{ transport.Transport }

func init() {
	client.InstallProtocol("ssh", choosing{ssh.DefaultClient})
	client.InstallProtocol("git", choosing{git.DefaultClient})
}

// NewUploadPackSession implements transport.Transport.
func (c choosing) NewUploadPackSession(at *transport.Endpoint, auth transport.AuthMethod) (transport.UploadPackSession, error) {
	s, err := c.Transport.NewUploadPackSession(at, auth)
	if err != nil {
		return nil, err //nolint:wrapcheck // as go-git gives it to itself
	}
	return choosingSession{s}, nil
}

type choosingSession struct{ transport.UploadPackSession }

// AdvertisedReferencesContext implements transport.Session.
func (s choosingSession) AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error) {
	list, err := s.UploadPackSession.AdvertisedReferencesContext(ctx)
	if c, ok := ctx.Value(choiceKey{}).(*choice); ok && err == nil {
		c.from(list)
	}
	return list, err //nolint:wrapcheck // as go-git gives it to itself
}
