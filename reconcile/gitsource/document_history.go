package gitsource

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// occurrence is a document and its place.
type occurrence struct {
	file string
	blob plumbing.Hash
	doc  Document
}

// record is the state of one topology at one commit of the first-parent history. Shared
// records are not modified.
type record struct {
	name     string
	found    []occurrence // by file; more than one is a mistake of the repository
	key      string       // of found; empty: it is not there
	governs  plumbing.Hash
	earlier  *earlierVersion
	greatest int64
	fromDisk bool // governs was read from the file of the history, not from objects
}

// earlierVersion is one earlier version, linked to the one before it.
type earlierVersion struct {
	Version
	earlier *earlierVersion
}

// state is every record at one commit.
type state struct {
	records map[string]*record
	lost    map[string]error // why a version is not known, by file or folder
	unread  map[string]error // the same, by topology
}

// stateKey names a state.
type stateKey struct {
	commit plumbing.Hash
}

// stateAt returns the records at a commit. It walks back along the first parents to a
// cached state or the root, then forward, comparing each folder with its predecessor. So
// its cost grows with the number of new commits.
func (r *Repo) stateAt(ctx context.Context, tip plumbing.Hash, keys KeysFunc) (*state, error) {
	chain, base, err := r.chainTo(ctx, tip)
	if err != nil {
		return nil, err
	}
	if len(chain) == 0 {
		return base, nil
	}
	next := &state{records: make(map[string]*record, len(base.records)), lost: map[string]error{}, unread: map[string]error{}}
	for name, rec := range base.records {
		next.records[name] = rec
	}
	folder, err := r.folderBefore(chain[len(chain)-1])
	if err != nil {
		return nil, err
	}
	for i, c := range slices.Backward(chain) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		changes, after, err := r.changedFiles(c, folder, i == 0)
		if err != nil {
			return nil, err
		}
		if err := r.advance(next, c, changes, keys); err != nil {
			return nil, err
		}
		folder = after
	}
	if len(next.lost) > 0 {
		r.doubts++ // a later read may succeed
		return next, nil
	}
	r.states.Put(stateKey{tip}, next)
	if len(chain) >= r.saveAfter {
		r.saveHistory(tip, next)
	}
	return next, nil
}

// chainTo lists the first parents from tip back to a cached state, newest first.
func (r *Repo) chainTo(ctx context.Context, tip plumbing.Hash) ([]*commit, *state, error) {
	r.loadHistory()
	var chain []*commit
	for id := tip; ; {
		if s, ok := r.states.Get(stateKey{id}); ok {
			return chain, s, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		c, err := r.commit(id)
		if err != nil {
			return nil, nil, fmt.Errorf("first-parent history of %s: %w", tip, err)
		}
		chain = append(chain, c)
		if len(c.parents) == 0 {
			return chain, &state{}, nil
		}
		id = c.parents[0]
	}
}

// folderBefore is the folder of a commit's first parent, zero if it has none.
func (r *Repo) folderBefore(c *commit) (plumbing.Hash, error) {
	if len(c.parents) == 0 {
		return plumbing.ZeroHash, nil
	}
	parent, err := r.commit(c.parents[0])
	if err != nil {
		return plumbing.ZeroHash, err
	}
	return r.folder(parent)
}

// advance applies the changes of one commit against its first parent.
func (r *Repo) advance(s *state, c *commit, changes []fileChange, keys KeysFunc) error {
	t := touchedNames{state: s, found: map[string][]occurrence{}}
	for _, ch := range changes {
		if err := r.apply(t, ch, keys); err != nil {
			return err
		}
	}
	for name, found := range t.found {
		s.records[name] = nextRecord(s.records[name], name, found, c.id)
	}
	return nil
}

// touchedNames collects the new occurrences of the names that a commit changes.
type touchedNames struct {
	*state
	found map[string][]occurrence
}

func (t touchedNames) touch(name string) {
	if _, ok := t.found[name]; ok {
		return
	}
	t.found[name] = nil
	if rec := t.records[name]; rec != nil {
		t.found[name] = slices.Clone(rec.found)
	}
}

// apply moves the documents of one file.
func (r *Repo) apply(t touchedNames, ch fileChange, keys KeysFunc) error {
	if ch.lost != nil {
		t.markUnread(ch.file, ch.lost, ch.wasLost)
		return nil
	}
	after, err := r.documents(ch.after, keys)
	if isUnreadable(err) {
		t.markUnread(ch.file, err, false)
		return nil
	}
	if err != nil {
		return err
	}
	before, err := r.documents(ch.before, keys)
	if isUnreadable(err) {
		t.markUnread(ch.file, err, true)
		before, err = nil, nil
	}
	if err != nil {
		return err
	}
	for _, d := range before {
		t.touch(d.Name)
		t.found[d.Name] = slices.DeleteFunc(t.found[d.Name], func(o occurrence) bool { return o.file == ch.file })
	}
	for _, d := range after {
		t.touch(d.Name)
		t.found[d.Name] = append(t.found[d.Name], occurrence{file: ch.file, blob: ch.after, doc: d})
		for place, why := range t.lost {
			if within(ch.file, place) {
				t.unread[d.Name] = why
			}
		}
	}
	return nil
}

// markUnread marks the topologies in a file, or below a folder, whose version is not
// known. Their occurrences stay, unless the next version is known (until).
func (t touchedNames) markUnread(place string, why error, until bool) {
	t.lost[place] = why
	for name, rec := range t.records {
		there := func(o occurrence) bool { return within(o.file, place) }
		if !slices.ContainsFunc(rec.found, there) {
			continue
		}
		t.unread[name] = why
		if until {
			t.touch(name)
			t.found[name] = slices.DeleteFunc(t.found[name], there)
		}
	}
}

// within reports whether file is place, or lies below it.
func within(file, place string) bool {
	return file == place || strings.HasPrefix(file, place) && (place == "" || strings.HasSuffix(place, "/"))
}

// nextRecord returns the record after a commit. A document with the same content is
// unchanged, also in another file.
func nextRecord(rec *record, name string, found []occurrence, at plumbing.Hash) *record {
	if rec == nil {
		rec = &record{name: name}
	}
	slices.SortFunc(found, func(a, b occurrence) int { return strings.Compare(a.file, b.file) })
	out := *rec
	out.found, out.key = found, documentKey(found)
	if out.key == rec.key {
		return &out
	}
	out.governs, out.fromDisk = at, false
	for _, o := range rec.found {
		out.greatest = max(out.greatest, o.doc.Generation)
	}
	if len(rec.found) > 0 {
		o := rec.found[0]
		out.earlier = &earlierVersion{earlier: rec.earlier, Version: Version{
			Commit: rec.governs.String(), File: o.file, Blob: o.blob.String(), Hash: o.doc.Hash, Generation: o.doc.Generation,
		}}
	}
	return &out
}

// documentKey returns a key that is equal for equal documents. A name with several
// documents has a combined key, which equals no single document's.
func documentKey(found []occurrence) string {
	switch len(found) {
	case 0:
		return ""
	case 1:
		return found[0].doc.Hash
	}
	hashes := make([]string, 0, len(found))
	for _, o := range found {
		hashes = append(hashes, o.doc.Hash)
	}
	slices.Sort(hashes)
	return fmt.Sprintf("%d times: %q", len(found), hashes)
}
