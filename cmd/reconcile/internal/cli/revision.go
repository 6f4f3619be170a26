package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/schema"
)

// revision is what Git wants at one commit, with who asked for it.
type revision struct {
	commit   string
	desired  plan.Desired
	changes  map[string]approval.Change
	problems schema.Problems
}

// loadRevision reads the topologies at a commit, each with the version before
// its governing commit. What was parsed for another commit, or an earlier look,
// is not parsed again.
func (g *globals) loadRevision(ctx context.Context, repo *gitsource.Repo, rev string) (revision, error) {
	commit, err := repo.Resolve(rev)
	if err != nil {
		return revision{}, err
	}
	tree, err := repo.Tree(commit)
	if err != nil {
		return revision{}, err
	}
	topologies, problems := g.reader.Load(tree, repo.Root())
	changes, err := repo.Changes(ctx, commit, g.documents)
	if err != nil {
		return revision{}, err
	}
	out := revision{commit: commit, problems: problems, changes: map[string]approval.Change{}}
	for _, t := range topologies {
		c := changes[t.Name]
		if t.Previous, err = g.previous(repo, t.Name, c); err != nil {
			return revision{}, err
		}
		t.GreatestEarlier = c.GreatestEarlier
		c.Change.Topology, c.Change.Generation = t.Name, t.Generation
		out.changes[t.Name] = c.Change
		out.desired.Topologies = append(out.desired.Topologies, t)
	}
	gone, err := g.removed(repo, changes, &out.desired)
	if err != nil {
		return revision{}, err
	}
	out.desired.Commit = commit
	markMoved(out.desired.Topologies, gone)
	return out, nil
}

// removed notes the topologies whose document is gone, sorted by name, each where
// its document was last, and returns their last valid versions.
func (g *globals) removed(repo *gitsource.Repo, changes map[string]gitsource.Change, d *plan.Desired) (gone []plan.Topology, err error) {
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		c := changes[name]
		if !c.Removed {
			continue
		}
		last, err := g.previous(repo, name, c)
		if err != nil {
			return nil, err
		}
		t := plan.RemovedTopology{Name: name}
		for v := range c.Earlier() {
			t.At = plan.Position{File: v.File, Line: 1, Column: 1}
			break
		}
		if last != nil {
			t.At, gone = last.At, append(gone, *last)
		}
		d.Removed = append(d.Removed, t)
	}
	return gone, nil
}

// documents is what the Git source may know of a file: names, hashes and
// generations.
func (g *globals) documents(blob string, data []byte) []gitsource.Document {
	known, err := g.reader.Documents(schema.Content{ID: blob, Read: func() ([]byte, error) { return data, nil }})
	if err != nil {
		return nil // never: data is at hand
	}
	out := make([]gitsource.Document, len(known))
	for i, d := range known {
		out[i] = gitsource.Document(d)
	}
	return out
}

// previous parses the version of a document before its governing commit; of
// versions that were not valid it takes the last one that was, so that passing
// through a broken document does not wash off the rules in force.
func (g *globals) previous(repo *gitsource.Repo, name string, c gitsource.Change) (*plan.Topology, error) {
	for v := range c.Earlier() {
		topologies, _, err := g.reader.Parse(v.File, schema.Content{ID: v.Blob, Read: func() ([]byte, error) { return repo.Blob(v.Blob) }})
		if err != nil {
			return nil, fmt.Errorf("read topology %s as of %.12s: %w", name, v.Commit, err)
		}
		if t := named(topologies, name); t != nil {
			return t, nil
		}
	}
	return nil, nil //nolint:nilnil // there was none, as plan.Topology.Previous says
}

// named finds a topology, nil when it is not among them.
func named(topologies []plan.Topology, name string) *plan.Topology {
	i := slices.IndexFunc(topologies, func(t plan.Topology) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &topologies[i]
}

// markMoved notes clusters that another topology held before: in the version
// before the newest change of one that is still there, or the last version of
// one that is gone.
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

// choose keeps the named topologies; none named keeps all.
func (r *revision) choose(names []string) error {
	if len(names) == 0 {
		return nil
	}
	var kept []plan.Topology
	for _, t := range r.desired.Topologies {
		if slices.Contains(names, t.Name) {
			kept = append(kept, t)
		}
	}
	for _, n := range names {
		known := slices.ContainsFunc(kept, func(t plan.Topology) bool { return t.Name == n })
		if !known && !slices.ContainsFunc(r.desired.Removed, func(t plan.RemovedTopology) bool { return t.Name == n }) {
			return fmt.Errorf("there is no valid topology %q at commit %.12s (hint: 'reconcile validate' lists problems)", n, r.commit)
		}
	}
	r.desired.Topologies = kept
	r.desired.Removed = slices.DeleteFunc(slices.Clone(r.desired.Removed), func(t plan.RemovedTopology) bool { return !slices.Contains(names, t.Name) })
	return nil
}

// differing keeps the topologies whose document is another one at base.
func (r *revision) differing(base revision) {
	r.desired.Topologies = slices.DeleteFunc(r.desired.Topologies, func(t plan.Topology) bool {
		return slices.ContainsFunc(base.desired.Topologies, func(b plan.Topology) bool {
			return b.Name == t.Name && plan.DocumentHash(b) == plan.DocumentHash(t)
		})
	})
	r.desired.Removed = slices.DeleteFunc(r.desired.Removed, func(t plan.RemovedTopology) bool {
		return slices.ContainsFunc(base.desired.Removed, func(b plan.RemovedTopology) bool { return b.Name == t.Name })
	})
}

// superseded names the newer commit for each topology whose governing commit
// here is not the one at the tip, or whose document is another one there: one
// commit may hold two documents of that name below different folders.
func (r revision) superseded(tip revision) map[string]string {
	out := map[string]string{}
	for name, c := range r.changes {
		at := tip.changes[name].Commit
		if at != c.Commit {
			out[name] = cmp.Or(at, tip.commit)
		}
	}
	for _, t := range r.desired.Topologies {
		same := slices.ContainsFunc(tip.desired.Topologies, func(x plan.Topology) bool {
			return x.Name == t.Name && plan.DocumentHash(x) == plan.DocumentHash(t)
		})
		if !same && out[t.Name] == "" {
			out[t.Name] = cmp.Or(tip.changes[t.Name].Commit, tip.commit)
		}
	}
	return out
}

// withdraw takes away the tags that stand in the clone alone and not in the
// configured repository, whose tip is given: there they were deleted, or never
// arrived.
func (r revision) withdraw(tip revision, url string) {
	for name, c := range r.changes {
		if tip.changes[name].Commit != c.Commit {
			continue // superseded
		}
		for i, own := range c.Carriers {
			there := slices.ContainsFunc(tip.changes[name].Carriers, func(x approval.Carrier) bool {
				return x.Ref == own.Ref && x.Object == own.Object
			})
			if own.Kind == approval.CarrierTag && !there && own.Problem == "" {
				c.Carriers[i].Problem = fmt.Sprintf("it stands in this clone and not in %s: it was withdrawn there, or never pushed; if it is to count, push it, or sign another by `reconcile approve --push`", url)
			}
		}
	}
}
