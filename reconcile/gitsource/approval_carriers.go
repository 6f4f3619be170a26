package gitsource

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"milvus-reconcile/reconcile/approval"
)

// changeSource holds the authors of one change, and the commits that may carry its
// approval.
type changeSource struct {
	authors  []approval.Person
	carriers []approval.Carrier
	unknown  string // why not all authors are known; empty: they are
	claims   bool   // the governing commit has failover trailers
}

// sourceKey identifies the change of a changeSource.
type sourceKey struct {
	name    string
	key     string
	governs plumbing.Hash
}

// Changes returns the newest change of every topology that the commit holds,
// or that an earlier commit of its first-parent history held.
func (r *Repo) Changes(ctx context.Context, at string, keys KeysFunc) (map[string]Change, error) {
	out, _, err := r.ReadChanges(ctx, at, keys)
	return out, err
}

// Basis is what changes that were read rest on: a commit, the failover tags and the operator's
// keys. The objects that they name never change. Two readings on equal bases give the same. The
// zero value is of a reading that another one may contradict, since something could not be
// read; it equals no Basis of [Repo.Basis].
type Basis struct {
	commit     plumbing.Hash
	tags, keys [sha256.Size]byte
}

// ReadChanges is Changes, and says on what they rest.
func (r *Repo) ReadChanges(ctx context.Context, at string, keys KeysFunc) (map[string]Change, Basis, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	basis, refs, err := r.basisOf(at)
	if err != nil {
		return nil, Basis{}, err
	}
	doubts := r.doubts
	tags := r.tagsOf(refs)
	out, err := r.changesAt(ctx, basis.commit, tags, keys)
	if errors.Is(err, errHistoryFile) {
		r.forgetHistory()
		out, err = r.changesAt(ctx, basis.commit, tags, keys)
	}
	if err != nil || r.doubts != doubts {
		basis = Basis{}
	}
	return out, basis, err
}

// Basis returns on what changes of a commit would rest if they were read now.
func (r *Repo) Basis(at string) (Basis, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	basis, _, err := r.basisOf(at)
	return basis, err
}

// basisOf reads the keys again, and lists the failover tags.
func (r *Repo) basisOf(at string) (Basis, []*plumbing.Reference, error) {
	r.reloadKeys()
	tip, err := r.commitByName(at)
	if err != nil {
		return Basis{}, nil, err
	}
	refs, err := r.failoverRefs()
	if err != nil {
		return Basis{}, nil, err
	}
	sum := sha256.New()
	for _, ref := range refs {
		fmt.Fprintf(sum, "%s %s\n", ref.Hash(), ref.Name())
	}
	return Basis{commit: tip.id, tags: [sha256.Size]byte(sum.Sum(nil)), keys: r.trust.parsedFrom}, refs, nil
}

// changesAt returns the changes at a commit.
func (r *Repo) changesAt(ctx context.Context, at plumbing.Hash, tags map[string][]*tagInfo, keys KeysFunc) (map[string]Change, error) {
	s, err := r.stateAt(ctx, at, keys)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Change, len(s.records))
	for name, rec := range s.records {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out[name], err = r.change(rec, tags[name], s.unread[name], keys)
		if err != nil && rec.fromDisk {
			return nil, errors.Join(errHistoryFile, err)
		}
		if err != nil {
			return nil, fmt.Errorf("topology %s: %w", name, err)
		}
	}
	return out, nil
}

// change returns the newest change of a record.
func (r *Repo) change(rec *record, tags []*tagInfo, unread error, keys KeysFunc) (Change, error) {
	out := Change{
		Change:          approval.Change{Topology: rec.name, Commit: rec.governs.String()},
		Removed:         rec.key == "",
		GreatestEarlier: rec.greatest,
		earlier:         rec.earlier,
	}
	r.trust.markKeys(&out.Change)
	if out.Removed {
		return out, nil
	}
	out.File, out.Generation = rec.found[0].file, rec.found[0].doc.Generation
	src, err := r.findSource(rec, keys)
	if err != nil {
		return Change{}, err
	}
	out.Authors, out.Carriers = src.authors, slices.Clone(src.carriers)
	for _, t := range tags {
		if t.approvesEarlier(rec.name, out.Generation) && t.carrier.Date.After(out.Change.Earlier) {
			out.Change.Earlier = t.carrier.Date
		}
		if r.tagMatches(t, rec, keys) {
			out.Carriers = append(out.Carriers, t.carrier)
		}
	}
	src.denyUnknown(out.Carriers)
	if rec.fromDisk && (len(out.Carriers) > 1 || src.claims) {
		if err := r.proveGoverns(rec, keys); err != nil {
			return Change{}, err
		}
	}
	for i := range out.Carriers {
		if unread != nil && out.Carriers[i].Problem == "" {
			out.Carriers[i].Problem = fmt.Sprintf("an earlier version of the topology cannot be read, so it is not known what was approved before: %v", unread)
		}
	}
	return out, nil
}

// denyUnknown denies the approvals of a change with an unknown author, who may be the
// approver.
func (s changeSource) denyUnknown(carriers []approval.Carrier) {
	for i := range carriers {
		if s.unknown != "" && carriers[i].Problem == "" {
			carriers[i].Problem = s.unknown + ", so the approver may be the author: make the change again, in a commit of plain git and with a greater generation"
		}
	}
}

// findSource returns the authors and carriers of the change that a record describes.
func (r *Repo) findSource(rec *record, keys KeysFunc) (changeSource, error) {
	k := sourceKey{rec.name, rec.key, rec.governs}
	if s, ok := r.sources.Get(k); ok {
		return s, nil
	}
	governing, err := r.commit(rec.governs)
	if err != nil {
		return changeSource{}, err
	}
	stated, err := r.statement(rec.governs)
	if err != nil {
		return changeSource{}, err
	}
	s := changeSource{carriers: []approval.Carrier{stated.carrier}, claims: stated.claims}
	if len(governing.parents) > 1 {
		err = r.branchSource(&s, governing, stated, rec, keys)
		if errors.Is(err, ErrIncomplete) && !isUnreadable(err) {
			return changeSource{}, err // an incomplete clone, which the operator completes
		}
		if err != nil {
			s.unknown = fmt.Sprintf("the commits that the merge %s brought in cannot be read (%v)", governing.id, err)
		}
	}
	if len(s.authors) == 0 {
		s.addAuthors(rec.governs, stated)
	}
	if err != nil {
		r.doubts++ // it may be read the next time
		return s, nil
	}
	r.sources.Put(k, s)
	return s, nil
}

// branchSource adds the commits that a merge brought in. The authors of commits that
// changed the document are authors of the change. A commit whose document equals that of
// the merge may carry the approval, unless a later commit of the branch had another
// document: a document that was removed and restored needs an approval after that. If
// the document of the merge differs from that of every parent, the author of the merge
// is an author too.
func (r *Repo) branchSource(s *changeSource, merge *commit, itself *statement, rec *record, keys KeysFunc) error {
	branch, err := r.broughtIn(merge)
	if err != nil {
		return err
	}
	undone := map[plumbing.Hash]bool{} // a later commit had another document
	for _, id := range branch {        // children before their parents
		c, err := r.commit(id)
		if err != nil {
			return err
		}
		stated, err := r.statement(id)
		if err != nil {
			return err
		}
		key, err := r.keyAt(c, rec.name, keys)
		if err != nil {
			return err
		}
		switch {
		case key != rec.key || undone[id]:
			for _, parent := range c.parents {
				undone[parent] = true
			}
		case stated.claims:
			s.carriers = append(s.carriers, stated.carrier)
		}
		own, err := r.differsFromParents(c, key, rec.name, keys)
		if err != nil {
			return err
		}
		if own {
			s.addAuthors(id, stated)
		}
	}
	own, err := r.differsFromParents(merge, rec.key, rec.name, keys)
	if own {
		s.addAuthors(merge.id, itself)
	}
	return err
}

func (s *changeSource) addAuthors(of plumbing.Hash, stated *statement) {
	if stated.authorless && s.unknown == "" {
		s.unknown = fmt.Sprintf("the author of commit %s cannot be read", of)
	}
	for _, p := range stated.authors {
		if !slices.Contains(s.authors, p) {
			s.authors = append(s.authors, p)
		}
	}
}

// differsFromParents reports whether the document of a commit differs from that of
// every parent.
func (r *Repo) differsFromParents(c *commit, key, name string, keys KeysFunc) (bool, error) {
	if len(c.parents) == 0 {
		return key != "", nil
	}
	for _, id := range c.parents {
		p, err := r.commit(id)
		if err != nil {
			return false, err
		}
		other, err := r.keyAt(p, name, keys)
		if err != nil || other == key {
			return false, err
		}
	}
	return true, nil
}
