package gitsource

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"milvus-reconcile/reconcile/approval"
)

// tagPrefix is where approvals by tag stand.
const tagPrefix = "refs/tags/failover/"

// source is what the commits say about one change: who made it, and which of
// them may carry its approval.
type source struct {
	authors  []approval.Person
	carriers []approval.Carrier
}

// sourceKey names the change that a source belongs to.
type sourceKey struct {
	name    string
	key     string
	governs plumbing.Hash
}

// Changes returns the newest change of every topology that the commit holds,
// or that an earlier commit of its first-parent history held.
func (r *Repo) Changes(ctx context.Context, at string, keys KeysFunc) (map[string]Change, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	tip, err := r.commitByName(at)
	if err != nil {
		return nil, err
	}
	s, err := r.stateAt(ctx, tip.id, keys)
	if err != nil {
		return nil, err
	}
	tags, err := r.failoverTags()
	if err != nil {
		return nil, err
	}
	out := make(map[string]Change, len(s.records))
	for name, rec := range s.records {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if out[name], err = r.change(rec, tags[name], keys); err != nil {
			return nil, fmt.Errorf("topology %s: %w", name, err)
		}
	}
	return out, nil
}

// change turns a record into the facts about its newest change.
func (r *Repo) change(rec *record, tags []*tagInfo, keys KeysFunc) (Change, error) {
	out := Change{
		Change:          approval.Change{Topology: rec.name, Commit: rec.governs.String()},
		Removed:         rec.key == "",
		GreatestEarlier: rec.greatest,
	}
	for p := rec.earlier; p != nil; p = p.earlier {
		out.Versions = append(out.Versions, p.Version)
	}
	slices.Reverse(out.Versions)
	if p := rec.earlier; p != nil {
		data, err := r.raw(plumbing.BlobObject, plumbing.NewHash(p.Blob), MaxBlob)
		if err != nil {
			return Change{}, err
		}
		out.PreviousFile, out.Previous = p.File, data
	}
	if out.Removed {
		return out, nil
	}
	out.File, out.Generation = rec.found[0].file, rec.found[0].doc.Generation
	src, err := r.sourceOf(rec, keys)
	if err != nil {
		return Change{}, err
	}
	out.Authors, out.Carriers = src.authors, slices.Clone(src.carriers)
	for _, t := range tags {
		if ok, err := r.tagHolds(t, rec, keys); err != nil {
			return Change{}, err
		} else if ok {
			out.Carriers = append(out.Carriers, t.carrier)
		}
	}
	return out, nil
}

// sourceOf finds the authors and the carriers among commits.
func (r *Repo) sourceOf(rec *record, keys KeysFunc) (source, error) {
	k := sourceKey{rec.name, rec.key, rec.governs}
	if s, ok := r.sources.get(k); ok {
		return s, nil
	}
	governing, err := r.commit(rec.governs)
	if err != nil {
		return source{}, err
	}
	s := source{carriers: []approval.Carrier{governing.carrier}}
	if len(governing.parents) > 1 {
		if err := r.branchSource(&s, governing, rec, keys); err != nil {
			return source{}, err
		}
	}
	if len(s.authors) == 0 {
		s.authors = governing.authors
	}
	r.sources.put(k, s)
	return s, nil
}

// branchSource adds what a merge brought in: commits of the other parents
// that changed the document are its authors', those with a document equal to
// the merge's may carry its approval. If the merge itself says something that
// none of its parents said, its author is one of them.
func (r *Repo) branchSource(s *source, merge *commit, rec *record, keys KeysFunc) error {
	branch, err := r.broughtIn(merge)
	if err != nil {
		return err
	}
	for _, id := range branch {
		c, err := r.commit(id)
		if err != nil {
			return err
		}
		key, err := r.keyAt(c, rec.name, keys)
		if err != nil {
			return err
		}
		if key == rec.key && c.claims {
			s.carriers = append(s.carriers, c.carrier)
		}
		own, err := r.differsFromParents(c, key, rec.name, keys)
		if err != nil {
			return err
		}
		if own {
			s.addAuthors(c.authors)
		}
	}
	own, err := r.differsFromParents(merge, rec.key, rec.name, keys)
	if own {
		s.addAuthors(merge.authors)
	}
	return err
}

func (s *source) addAuthors(people []approval.Person) {
	for _, p := range people {
		if !slices.Contains(s.authors, p) {
			s.authors = append(s.authors, p)
		}
	}
}

// differsFromParents says whether a commit itself changed the document: no
// parent has it like that.
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

// tagInfo is a tag below failover/.
type tagInfo struct {
	carrier approval.Carrier
	target  plumbing.Hash // zero: it does not point at a commit
	speaks  []string      // of these topologies
}

// failoverTags returns the tags by the topologies that they speak of.
func (r *Repo) failoverTags() (map[string][]*tagInfo, error) {
	refs, err := r.git.References()
	if err != nil {
		return nil, fmt.Errorf("refs: %w", err)
	}
	defer refs.Close()
	var found []*plumbing.Reference
	if err := refs.ForEach(func(ref *plumbing.Reference) error {
		if strings.HasPrefix(ref.Name().String(), tagPrefix) && ref.Type() == plumbing.HashReference {
			found = append(found, ref)
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("refs: %w", err)
	}
	slices.SortFunc(found, func(a, b *plumbing.Reference) int { return strings.Compare(a.Name().String(), b.Name().String()) })
	out := map[string][]*tagInfo{}
	for _, ref := range found {
		info := r.tag(ref)
		for _, name := range info.speaks {
			out[name] = append(out[name], info)
		}
	}
	return out, nil
}

// tag reads the tag that a ref names. What is wrong with it is said in the
// carrier, and is nobody else's matter.
func (r *Repo) tag(ref *plumbing.Reference) *tagInfo {
	info, ok := r.signed.get(ref.Hash())
	if !ok {
		info = r.readTag(ref.Hash())
		r.signed.put(ref.Hash(), info)
	}
	own := *info
	own.carrier.Ref = ref.Name().String()
	short := strings.TrimPrefix(own.carrier.Ref, "refs/tags/")
	if own.carrier.Problem == "" && info.carrier.Ref != short {
		own.carrier.Problem = fmt.Sprintf("it was signed under another name, %+q", info.carrier.Ref)
	}
	topology, _, _ := strings.Cut(strings.TrimPrefix(own.carrier.Ref, tagPrefix), "/")
	own.speaks = append(slices.Clone(info.speaks), topology)
	slices.Sort(own.speaks)
	own.speaks = slices.Compact(own.speaks)
	return &own
}

// speaksOf finds the topologies of approvals, well formed or not.
var speaksOf = regexp.MustCompile(`(?mi)^failover-approved:\s*([a-z0-9-]+)/`)

// readTag reads a tag object; its own name stands in the carrier's Ref.
func (r *Repo) readTag(id plumbing.Hash) *tagInfo {
	info := &tagInfo{carrier: approval.Carrier{Kind: approval.CarrierTag, Object: id.String()}}
	data, err := r.raw(plumbing.TagObject, id, maxObject)
	if err != nil {
		info.carrier.Problem = "it is not a readable annotated tag"
		return info
	}
	o, err := parseTag(data)
	if err != nil {
		info.carrier.Problem = err.Error()
		return info
	}
	c := &info.carrier
	c.Ref, c.Message, c.PayloadHash, c.Problem = o.first("tag"), o.body, o.payloadHash(), o.problem
	c.UnknownHeaders = o.unknownHeaders("object", "type", "tag", "tagger")
	for _, m := range speaksOf.FindAllStringSubmatch(o.body, -1) {
		info.speaks = append(info.speaks, m[1])
	}
	if _, c.Date, err = parseIdent(o.first("tagger")); err != nil {
		c.Problem = "its tagger line cannot be read"
	}
	if o.first("type") != "commit" || !plumbing.IsHash(o.first("object")) {
		c.Problem = "it does not point directly at a commit"
		return info
	}
	info.target = plumbing.NewHash(o.first("object"))
	c.Commit = info.target.String()
	c.Signature = r.trust.verify(o)
	return info
}

// tagHolds says whether a tag speaks for this very document: it points at a
// commit that has it as it is now. A tag that cannot be read belongs to the
// topology of its name, so that it is shown as denied.
func (r *Repo) tagHolds(t *tagInfo, rec *record, keys KeysFunc) (bool, error) {
	if t.target.IsZero() {
		return true, nil
	}
	c, err := r.commit(t.target)
	if err != nil {
		return false, nil // not a commit, or not there: it says nothing
	}
	key, err := r.keyAt(c, rec.name, keys)
	if err != nil {
		return false, nil // what it points at cannot be read: so too
	}
	return key == rec.key, nil
}
