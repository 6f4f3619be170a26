package gitsource

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"

	"milvus-reconcile/reconcile/approval"
)

// tagPrefix is the prefix of the refs of tags that approve.
const tagPrefix = "refs/tags/failover/"

// tagInfo is a tag below failover/.
type tagInfo struct {
	carrier    approval.Carrier
	target     plumbing.Hash     // zero: it does not point at a commit
	topologies []string          // of these topologies
	site       approval.Site     // that it approves; zero: none
	keys       map[string]string // of documents at the target, once asked for
}

// failoverRefs lists the refs of the tags, sorted by name.
func (r *Repo) failoverRefs() ([]*plumbing.Reference, error) {
	if r.store == nil {
		return nil, errClosed
	}
	found, err := r.store.References(tagPrefix)
	if err != nil {
		return nil, fmt.Errorf("refs: %w", err)
	}
	found = slices.DeleteFunc(found, func(ref *plumbing.Reference) bool { return ref.Type() != plumbing.HashReference })
	slices.SortFunc(found, func(a, b *plumbing.Reference) int { return strings.Compare(a.Name().String(), b.Name().String()) })
	return found, nil
}

// tagsOf reads the tags that refs name, by the topologies that the tags name.
func (r *Repo) tagsOf(refs []*plumbing.Reference) map[string][]*tagInfo {
	out := map[string][]*tagInfo{}
	for _, ref := range refs {
		info := r.tag(ref)
		for _, name := range info.topologies {
			out[name] = append(out[name], info)
		}
	}
	return out
}

// tag reads the tag that a ref names. A fault of the tag becomes the problem of its
// carrier and affects no other tag.
func (r *Repo) tag(ref *plumbing.Reference) *tagInfo {
	info, ok := r.signed.Get(ref.Hash())
	if !ok {
		var err error
		if info, err = r.readTag(ref.Hash()); err == nil || isPermanent(err) {
			r.signed.Put(ref.Hash(), info)
		} else {
			r.doubts++
		}
	}
	own := *info
	own.carrier.Ref = ref.Name().String()
	short := strings.TrimPrefix(own.carrier.Ref, "refs/tags/")
	if own.carrier.Problem == "" && info.carrier.Ref != short {
		own.carrier.Problem = fmt.Sprintf("it was signed under another name, %+q", info.carrier.Ref)
	}
	topology, _, _ := strings.Cut(strings.TrimPrefix(own.carrier.Ref, tagPrefix), "/")
	own.topologies = append(slices.Clone(info.topologies), topology)
	slices.Sort(own.topologies)
	own.topologies = slices.Compact(own.topologies)
	return &own
}

// approvedTopology finds the topologies of approvals, well formed or not.
var approvedTopology = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?mi)^failover-(?:approved|covers):\s*([a-z0-9-]+)/`)
})

// isPermanent reports whether an error is a fault of the object itself. Other errors may
// be gone at the next read.
func isPermanent(err error) bool { return isMalformedFolder(err) || errors.Is(err, errObject) }

// readTag reads a tag object; its own name stands in the carrier's Ref. The error is
// why it could not be read.
func (r *Repo) readTag(id plumbing.Hash) (*tagInfo, error) {
	info := &tagInfo{keys: map[string]string{}, carrier: approval.Carrier{Kind: approval.CarrierTag, Object: id.String()}}
	data, err := r.readObject(plumbing.TagObject, id, maxObject)
	if err != nil {
		info.carrier.Problem = "it is not a readable annotated tag"
		if !isPermanent(err) {
			info.carrier.Problem = fmt.Sprintf("it cannot be read: %v", err)
		}
		return info, err
	}
	o, err := parseTag(data)
	if err != nil {
		info.carrier.Problem = err.Error()
		return info, nil
	}
	c := &info.carrier
	c.Ref, c.Message, c.PayloadHash, c.Problem = o.headerValue("tag"), o.body, o.payloadHash(), o.problem
	c.UnknownHeaders = o.unknownHeaders("object", "type", "tag", "tagger")
	for _, m := range approvedTopology().FindAllStringSubmatch(o.body, -1) {
		info.topologies = append(info.topologies, m[1])
	}
	if claim, err := approval.ParseTrailers(o.body); err == nil {
		info.site = claim.Site
	}
	if _, c.Date, err = parseIdent(o.headerValue("tagger")); err != nil {
		c.Problem = "its tagger line cannot be read"
	}
	if o.headerValue("type") != "commit" || !plumbing.IsHash(o.headerValue("object")) {
		c.Problem = "it does not point directly at a commit"
		return info, nil
	}
	info.target = plumbing.NewHash(o.headerValue("object"))
	c.Commit = info.target.String()
	c.Signature = r.trust.verify(o)
	return info, nil
}

// approvesEarlier reports whether the tag is signed by a known key and names a lower
// generation of the topology.
func (t *tagInfo) approvesEarlier(topology string, generation int64) bool {
	if t.carrier.Problem != "" || len(t.carrier.Signature.Principals) == 0 {
		return false
	}
	if m, covered := t.site.Covers(topology); covered {
		return m.Generation < generation
	}
	words := strings.Split(strings.TrimPrefix(t.carrier.Ref, tagPrefix), "/")
	if len(words) < 2 || words[0] != topology {
		return false
	}
	approved, err := strconv.ParseInt(words[1], 10, 64)
	return err == nil && approved < generation
}

// tagMatches reports whether a tag points at a commit with the document of rec. An
// unreadable tag matches the topology in its name, so that it is shown as denied.
func (r *Repo) tagMatches(t *tagInfo, rec *record, keys KeysFunc) bool {
	if t.target.IsZero() {
		return true
	}
	key, ok := t.keys[rec.name]
	if !ok {
		var err error
		if key, err = r.keyAtTag(t, rec, keys); err != nil && !isPermanent(err) {
			r.doubts++
			return false // a later fetch may bring it
		}
		t.keys[rec.name] = key // none, if what it points at cannot be read
	}
	return key == rec.key
}

// keyAtTag returns the key of a document at a tag's commit. Anyone may push tags, so for
// a tag without a known signer it reads only one file: the one that holds the document
// now.
func (r *Repo) keyAtTag(t *tagInfo, rec *record, keys KeysFunc) (string, error) {
	c, err := r.commit(t.target)
	if err != nil {
		return "", err
	}
	if len(t.carrier.Signature.Principals) > 0 {
		return r.keyAt(c, rec.name, keys)
	}
	id, err := r.fileAt(c, rec.found[0].file)
	if err != nil {
		return "", err
	}
	docs, err := r.documents(id, keys)
	if err != nil {
		return "", err
	}
	var found []occurrence
	for _, d := range docs {
		if d.Name == rec.name {
			found = append(found, occurrence{doc: d})
		}
	}
	return documentKey(found), nil
}
