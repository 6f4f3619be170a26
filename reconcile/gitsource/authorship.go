package gitsource

import (
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"

	"milvus-reconcile/reconcile/approval"
)

// Authorship says who wrote an earlier version of a document.
type Authorship struct {
	Authors []approval.Person
	// Carriers are the commit that brought the version, and those of its branch that claim
	// to approve it. Tags are not among them.
	Carriers []approval.Carrier
}

// Authorship returns who wrote an earlier version of a topology.
func (r *Repo) Authorship(topology string, v Version, keys KeysFunc) (Authorship, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.store == nil {
		return Authorship{}, errClosed
	}
	if !plumbing.IsHash(v.Commit) {
		return Authorship{}, fmt.Errorf("%+q is not a commit id", v.Commit)
	}
	s, err := r.findSource(&record{name: topology, key: v.Hash, governs: plumbing.NewHash(v.Commit)}, keys)
	if err != nil {
		return Authorship{}, fmt.Errorf("who wrote topology %s as of %.12s: %w", topology, v.Commit, err)
	}
	return Authorship{Authors: s.authors, Carriers: s.carriers}, nil
}

// FailoverTags returns the tags below failover/ by the topologies that they name, whatever
// version they point at.
func (r *Repo) FailoverTags() (map[string][]approval.Carrier, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	refs, err := r.failoverRefs()
	if err != nil {
		return nil, err
	}
	tags := r.tagsOf(refs)
	out := make(map[string][]approval.Carrier, len(tags))
	for topology, named := range tags {
		for _, t := range named {
			out[topology] = append(out[topology], t.carrier)
		}
	}
	return out, nil
}
