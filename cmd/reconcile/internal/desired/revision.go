// Package desired reads what Git wants: the topologies of a commit with who asked
// for them, and the files of a user's own work tree.
package desired

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/schema"
	"milvus-reconcile/schema/recent"
)

// Revision is what Git wants at one commit, with who asked for it.
type Revision struct {
	Commit   string // full id
	Desired  plan.Desired
	Changes  map[string]approval.Change // the governing change, by topology
	Problems schema.Problems            // of the files that are not valid
	Folder   string                     // of the topology files, from the top of the repository

	basis gitsource.Basis // on what it rests; zero: reading it once more may give more

	// earlierPrimary says whether an earlier version of a topology names another primary.
	earlierPrimary func(name, primary string) bool
	// earlier yields the earlier versions of a topology, newest first.
	earlier func(name string) iter.Seq[gitsource.Version]
}

// Loader reads revisions. It parses each blob once, across repositories and commits. The
// zero value is ready to use, and safe for concurrent use.
type Loader struct {
	reader schema.Reader

	mu        sync.Mutex
	primaries *recent.Map[documentOf, string] // nil: none yet
}

// documentOf names a document in a file of that content.
type documentOf struct{ blob, name string }

// keepPrimaries is what the primaries weigh that are kept, about in bytes: those of a
// history that has many more versions than are kept parsed.
const keepPrimaries = 4 << 20

// keepPrimary keeps which cluster is the primary of a document.
func (l *Loader) keepPrimary(of documentOf, primary string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.primaries == nil {
		l.primaries = recent.NewWeighed[documentOf](keepPrimaries, func(string) int { return 200 })
	}
	l.primaries.Put(of, primary)
}

// primaryOf returns the primary of a version that is valid. It does not parse what it
// parsed before.
func (l *Loader) primaryOf(repo *gitsource.Repo, name string, v gitsource.Version) (id string, valid bool, err error) {
	l.mu.Lock()
	if l.primaries != nil {
		id, valid = l.primaries.Get(documentOf{v.Blob, name})
	}
	l.mu.Unlock()
	if valid {
		return id, true, nil
	}
	t, err := l.version(repo, name, v)
	if t == nil {
		return "", false, err
	}
	primary, _ := t.Primary()
	return primary.ID, true, nil
}

// Load reads the topologies at a commit, each with the version before its governing
// commit. It does not parse again what it parsed before.
func (l *Loader) Load(ctx context.Context, repo *gitsource.Repo, rev string) (Revision, error) {
	commit, err := repo.Resolve(rev)
	if err != nil {
		return Revision{}, err
	}
	tree, err := repo.Tree(commit)
	if err != nil {
		return Revision{}, err
	}
	topologies, problems := l.reader.Load(tree, repo.Root())
	changes, basis, err := repo.ReadChanges(ctx, commit, l.documents)
	if err != nil {
		return Revision{}, err
	}
	out := Revision{Commit: commit, Problems: problems, Folder: repo.Root(), Changes: map[string]approval.Change{}, basis: basis}
	for _, t := range topologies {
		c := changes[t.Name]
		if t.Previous, err = l.previous(repo, t.Name, c); err != nil {
			out.Problems = append(out.Problems, schema.Problem{File: c.File, Message: err.Error()})
			continue // the previous rules are not known
		}
		t.GreatestEarlier = c.GreatestEarlier
		c.Change.Topology, c.Change.Generation = t.Name, t.Generation
		out.Changes[t.Name] = c.Change
		out.Desired.Topologies = append(out.Desired.Topologies, t)
	}
	gone := l.removed(repo, changes, &out)
	out.Desired.Commit = commit
	out.earlier = func(name string) iter.Seq[gitsource.Version] { return changes[name].Earlier() }
	out.earlierPrimary = func(name, primary string) bool {
		return slices.ContainsFunc(slices.Collect(changes[name].Earlier()), func(v gitsource.Version) bool {
			was, valid, err := l.primaryOf(repo, name, v)
			return err != nil || valid && was != primary // not read is not proven
		})
	}
	markMoved(out.Desired.Topologies, gone)
	return out, nil
}

// LoadAgain is Load for who has read a revision of the same repository already, and changed
// nothing in it. It asks the repository which commit, failover tags and keys there are now, and
// returns what is known if they are the same.
func (l *Loader) LoadAgain(ctx context.Context, repo *gitsource.Repo, rev string, known Revision) (Revision, error) {
	commit, err := repo.Resolve(rev)
	if err != nil {
		return Revision{}, err
	}
	if now, err := repo.Basis(commit); err == nil && now == known.basis && len(known.Problems) == 0 {
		return known, nil
	}
	return l.Load(ctx, repo, rev)
}

// removed adds the topologies whose document is gone to out, sorted by name, each with the
// last position of its document. It returns their last valid versions. One that cannot be
// read becomes a problem.
func (l *Loader) removed(repo *gitsource.Repo, changes map[string]gitsource.Change, out *Revision) (gone []plan.Topology) {
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		c := changes[name]
		if !c.Removed {
			continue
		}
		t := plan.RemovedTopology{Name: name}
		for v := range c.Earlier() {
			t.At = plan.Position{File: v.File, Line: 1, Column: 1}
			break
		}
		last, err := l.previous(repo, name, c)
		if err != nil {
			out.Problems = append(out.Problems, schema.Problem{File: t.At.File, Message: err.Error()})
		}
		if last != nil {
			t.At, t.Labels, gone = last.At, last.Labels, append(gone, *last)
		}
		out.Desired.Removed = append(out.Desired.Removed, t)
	}
	return gone
}

// documents returns what the Git source needs of a file: names, hashes and generations.
func (l *Loader) documents(blob string, data []byte) []gitsource.Document {
	known, err := l.reader.Documents(schema.Content{ID: blob, Read: func() ([]byte, error) { return data, nil }})
	if err != nil {
		return nil // never: data is at hand
	}
	out := make([]gitsource.Document, len(known))
	for i, d := range known {
		out[i] = gitsource.Document{Name: d.Name, Hash: d.Hash, Generation: d.Generation}
		if d.Primary != "" {
			l.keepPrimary(documentOf{blob, d.Name}, strings.Clone(d.Primary))
		}
	}
	return out
}

// previous returns the last valid version of a document before its governing commit. It
// skips invalid versions, so that a broken document in between does not remove the rules
// of the version before it.
func (l *Loader) previous(repo *gitsource.Repo, name string, c gitsource.Change) (*plan.Topology, error) {
	for v := range c.Earlier() {
		if t, err := l.version(repo, name, v); t != nil || err != nil {
			return t, err
		}
	}
	return nil, nil //nolint:nilnil // there was none, as plan.Topology.Previous says
}

// version returns one version of a document, or nil if it was not valid.
func (l *Loader) version(repo *gitsource.Repo, name string, v gitsource.Version) (*plan.Topology, error) {
	topologies, _, err := l.reader.Parse(v.File, schema.Content{ID: v.Blob, Read: func() ([]byte, error) { return repo.Blob(v.Blob) }})
	if err != nil {
		return nil, fmt.Errorf("read topology %s as of %.12s: %w", name, v.Commit, err)
	}
	return named(topologies, name), nil
}

// MarkUnproven sets PrimaryUnproven of each topology, by the history of this revision. It
// reads the repository, which must be open still.
func (r Revision) MarkUnproven(topologies []plan.Topology) {
	for i, t := range topologies {
		if t.Previous == nil || r.earlierPrimary == nil {
			continue
		}
		before, _ := t.Previous.Primary()
		topologies[i].PrimaryUnproven = r.earlierPrimary(t.Name, before.ID)
	}
}

// named returns the topology of that name, or nil.
func named(topologies []plan.Topology, name string) *plan.Topology {
	i := slices.IndexFunc(topologies, func(t plan.Topology) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &topologies[i]
}

// markMoved sets Moved for clusters that another topology listed before: in the version
// before its newest change, or in its last version if it is gone.
func markMoved(topologies []plan.Topology, gone []plan.Topology) {
	home := map[string]string{}
	note := func(t plan.Topology) {
		for _, c := range t.Clusters {
			home[c.ID] = t.Name
		}
	}
	for _, t := range topologies {
		if t.Previous != nil {
			note(*t.Previous)
		}
	}
	for _, t := range gone {
		note(t)
	}
	for i, t := range topologies {
		for _, c := range t.Clusters {
			if was, ok := home[c.ID]; ok && was != t.Name {
				if topologies[i].Moved == nil {
					topologies[i].Moved = map[string]string{}
				}
				topologies[i].Moved[c.ID] = was
			}
		}
	}
}

// KeepChanged keeps the topologies whose document differs from that at base.
func (r *Revision) KeepChanged(base Revision) {
	r.Desired.Topologies = slices.DeleteFunc(r.Desired.Topologies, func(t plan.Topology) bool {
		return slices.ContainsFunc(base.Desired.Topologies, func(b plan.Topology) bool {
			return b.Name == t.Name && plan.DocumentHash(b) == plan.DocumentHash(t)
		})
	})
	r.Desired.Removed = slices.DeleteFunc(r.Desired.Removed, func(t plan.RemovedTopology) bool {
		return slices.ContainsFunc(base.Desired.Removed, func(b plan.RemovedTopology) bool { return b.Name == t.Name })
	})
}

// Superseded returns the newer commit of each topology whose governing commit or document
// differs at the tip. Both are compared, since one commit may hold two documents of a name
// in different folders.
func (r Revision) Superseded(tip Revision) map[string]string {
	out := map[string]string{}
	for name, c := range r.Changes {
		at := tip.Changes[name].Commit
		if at != c.Commit {
			out[name] = cmp.Or(at, tip.Commit)
		}
	}
	oneTree := r.Commit != "" && r.Commit == tip.Commit && r.Folder == tip.Folder // one place in it holds one document
	there := map[string][]int{}                                                   // several files may hold one name
	for i := range tip.Desired.Topologies {
		name := tip.Desired.Topologies[i].Name
		there[name] = append(there[name], i)
	}
	for _, t := range r.Desired.Topologies {
		same := slices.ContainsFunc(there[t.Name], func(i int) bool {
			x := tip.Desired.Topologies[i]
			return oneTree && x.At == t.At || plan.DocumentHash(x) == plan.DocumentHash(t)
		})
		if !same && out[t.Name] == "" {
			out[t.Name] = cmp.Or(tip.Changes[t.Name].Commit, tip.Commit)
		}
	}
	return out
}

// RefuseWithdrawn refuses tags that exist in the clone but not in the configured
// repository, whose tip is given. They were deleted there, or never pushed.
func (r Revision) RefuseWithdrawn(tip Revision, url string) {
	for name, c := range r.Changes {
		if tip.Changes[name].Commit != c.Commit {
			continue // superseded
		}
		for i, own := range c.Carriers {
			there := slices.ContainsFunc(tip.Changes[name].Carriers, func(x approval.Carrier) bool {
				return x.Ref == own.Ref && x.Object == own.Object
			})
			if own.Kind == approval.CarrierTag && !there && own.Problem == "" {
				c.Carriers[i].Problem = fmt.Sprintf("it is in this clone but not in %s: it was withdrawn there, or never pushed; if it is to count, push it, or sign another by `reconcile approve --push`", url)
			}
		}
	}
}

// UseAsPrevious sets the documents of a base as the previous versions, since a branch of
// several commits is merged as one change.
func (r *Revision) UseAsPrevious(base Revision) {
	for i, t := range r.Desired.Topologies {
		t.Previous = nil
		if j := slices.IndexFunc(base.Desired.Topologies, func(b plan.Topology) bool { return b.Name == t.Name }); j >= 0 {
			before := base.Desired.Topologies[j]
			t.Previous = &before
			t.GreatestEarlier = max(before.Generation, before.GreatestEarlier)
		}
		r.Desired.Topologies[i] = t
	}
}
