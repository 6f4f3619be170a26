package desired

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/gitsource"
)

// Event is an event of a topology in Git: a change was proposed, approved or taken back, or
// an approval was withdrawn.
type Event struct {
	At       time.Time
	Topology string
	Who      []string
	Kind     EventKind
	Text     string // the change, or why it was approved
	// Commit holds the version that it is about, and Generation is of that; empty and 0: the
	// version is not known.
	Commit     string
	Generation int64
	Said       approval.Statement // of an approval or a withdrawal
}

// EventKind is what happened in Git.
type EventKind string

// The kinds of events.
const (
	EventProposed  EventKind = "proposed"
	EventTakenBack EventKind = "taken back" // a change that was never begun
	EventApproved  EventKind = "approved"
	EventWithdrawn EventKind = "withdrawn"
)

// EventQuery says which events of Git are asked for.
type EventQuery struct {
	Topology string    // empty: of all
	Since    time.Time // older ones are left out
	// Begun says whether a change was begun or live. A later change did not take back such a
	// change.
	Begun  func(topology string, generation int64) bool
	Policy approval.Policy // by which approvals count
}

// edition is one version of a document with who wrote it.
type edition struct {
	plan.Topology
	commit   string
	authors  []approval.Person
	carriers []approval.Carrier
}

// Events returns the events in Git of the topologies of a revision, by time and generation, since
// Git keeps whole seconds. It reads the repository, which must be open still.
func (l *Loader) Events(repo *gitsource.Repo, rev Revision, q EventQuery) ([]Event, error) {
	tags, err := repo.FailoverTags()
	if err != nil {
		return nil, err
	}
	var out []Event
	for _, t := range rev.Desired.Topologies {
		if q.Topology != "" && t.Name != q.Topology {
			continue
		}
		editions, err := l.editions(repo, rev, t, q.Since)
		if err != nil {
			return nil, err
		}
		out = append(out, q.proposals(editions)...)
		out = append(out, q.statements(t.Name, editions, tags[t.Name])...)
	}
	slices.SortStableFunc(out, func(a, b Event) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Generation, b.Generation), cmp.Compare(len(a.Said.Ref), len(b.Said.Ref)), strings.Compare(a.Said.Ref, b.Said.Ref))
	})
	return out, nil
}

// editions returns the versions of a topology, the newest first, up to the first that is
// older than since.
func (l *Loader) editions(repo *gitsource.Repo, rev Revision, newest plan.Topology, since time.Time) ([]edition, error) {
	c := rev.Changes[newest.Name]
	out := []edition{{newest, c.Commit, c.Authors, c.Carriers}}
	for v := range rev.earlier(newest.Name) {
		t, err := l.version(repo, newest.Name, v)
		if err != nil {
			return nil, err
		}
		if t == nil {
			continue // it was not valid
		}
		by, err := repo.Authorship(newest.Name, v, l.documents)
		if err != nil {
			return nil, err
		}
		out = append(out, edition{*t, v.Commit, by.Authors, by.Carriers})
		if out[len(out)-1].at().Before(since) {
			break
		}
	}
	return out, nil
}

// at is when the version was committed.
func (e edition) at() time.Time {
	i := slices.IndexFunc(e.carriers, func(c approval.Carrier) bool { return c.Kind == approval.CarrierCommit && c.Commit == e.commit })
	if i < 0 {
		return time.Time{}
	}
	return e.carriers[i].Date
}

// roles are the roles by cluster.
func (e edition) roles() map[string]plan.Role {
	out := map[string]plan.Role{}
	for _, c := range e.Clusters {
		out[c.ID] = c.Role
	}
	return out
}

// proposals are the versions, the oldest first, each as the change that it asked for.
func (q EventQuery) proposals(editions []edition) []Event {
	var out []Event
	kind := EventProposed
	for i, e := range slices.Backward(editions) {
		if kind == EventProposed && q.takesBack(editions[i:]) {
			kind = EventTakenBack // asking again for what was taken back is a proposal
		} else {
			kind = EventProposed
		}
		if e.at().Before(q.Since) || len(e.authors) == 0 {
			continue
		}
		out = append(out, Event{
			At: e.at(), Topology: e.Name, Kind: kind, Who: names(e.authors),
			Text: changeText(editions[i:]), Commit: e.commit, Generation: e.Generation,
		})
	}
	return out
}

// changeText says what the first of the versions changed; of the only one, what it holds.
func changeText(editions []edition) string {
	is := editions[0].Topology
	if len(editions) > 1 {
		is.PrimaryUnproven = false
		return strings.Join(RoleChanges(&editions[1].Topology, is), ", ")
	}
	var parts []string
	for _, c := range is.Clusters {
		parts = append(parts, fmt.Sprintf("%s as %s", c.ID, c.Role))
	}
	return strings.Join(append(parts, fmt.Sprintf("generation %d", is.Generation)), ", ")
}

// takesBack says whether the first version gives the clusters the roles of the third, and
// the change between was never begun.
func (q EventQuery) takesBack(editions []edition) bool {
	if len(editions) < 3 || q.Begun != nil && q.Begun(editions[1].Name, editions[1].Generation) {
		return false
	}
	is, was, before := editions[0].roles(), editions[1].roles(), editions[2].roles()
	return maps.Equal(is, before) && !maps.Equal(is, was)
}

// statements are the approvals and withdrawals of people.
func (q EventQuery) statements(topology string, editions []edition, tags []approval.Carrier) []Event {
	var out []Event
	seen := map[string]bool{}
	carriers := slices.Clone(tags)
	for _, e := range editions {
		carriers = append(carriers, e.carriers...)
	}
	for _, c := range carriers {
		rules := approval.StatementRules{Policy: q.Policy, Topology: topology}
		i := slices.IndexFunc(editions, func(e edition) bool { return e.holds(c) })
		if i >= 0 {
			rules.Primary, rules.Authors, rules.Transition = editions[i].ToApprove(), editions[i].authors, transition(editions[i:])
		}
		said, ok := approval.StatementOf(c, rules)
		if !ok || seen[c.Object] || said.At.Before(q.Since) {
			continue
		}
		seen[c.Object] = true
		e := Event{At: said.At, Topology: topology, Kind: EventApproved, Who: []string{said.By.String()}, Text: said.Reason, Said: said}
		if said.Withdrawn {
			e.Kind = EventWithdrawn
		}
		if i >= 0 {
			e.Commit, e.Generation = editions[i].commit, editions[i].Generation
		}
		out = append(out, e)
	}
	return out
}

// holds reports whether an approval is about the version: it is on a commit that holds it, or
// a tag whose name says its generation.
func (e edition) holds(c approval.Carrier) bool {
	on := func(own approval.Carrier) bool {
		return own.Object == c.Object || own.Kind == approval.CarrierCommit && own.Commit == c.Commit
	}
	return e.commit == c.Commit || slices.ContainsFunc(e.carriers, on) ||
		c.Kind == approval.CarrierTag && strings.Contains(c.Ref, fmt.Sprintf("/%s/%d/", e.Name, e.Generation))
}

func primaryOf(e edition) string {
	primary, _ := e.Primary()
	return primary.ID
}

// transition is the kind of change that the first of the versions asked for, as far as it
// matters for how long an approval holds.
func transition(editions []edition) plan.Transition {
	if len(editions) < 2 {
		return plan.TransitionBootstrap
	}
	before := primaryOf(editions[1])
	if role := editions[0].roles()[before]; role == plan.RoleStale {
		return plan.TransitionFailover
	}
	return plan.TransitionSwitchover
}

// names are the people, in their order.
func names(people []approval.Person) []string {
	out := make([]string, len(people))
	for i, p := range people {
		out[i] = p.String()
	}
	return out
}
