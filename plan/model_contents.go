package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ServedCollection is a collection of a cluster with what it needs to serve.
type ServedCollection struct {
	Name     string // database/collection
	Loaded   bool
	Replicas int               // of a loaded one; 0: not known
	Indexes  []CollectionIndex // by name
}

// CollectionIndex is an index as a client made it.
type CollectionIndex struct {
	Name   string
	Field  string
	Params []IndexParam // by key
}

// IndexParam is one parameter of an index, such as its type or its metric.
type IndexParam struct{ Key, Value string }

// ServingMark is what the primary of a topology was last seen to have loaded and indexed: the
// check-list of the cluster that takes its place.
type ServingMark struct {
	Topology    string
	Primary     string
	At          time.Time
	Collections []ServedCollection // all that it held, by name
}

// Loads returns the collections that were loaded.
func (m ServingMark) Loads() []ServedCollection {
	return slices.DeleteFunc(slices.Clone(m.Collections), func(c ServedCollection) bool { return !c.Loaded })
}

// collection returns a collection by its name.
func (m ServingMark) collection(name string) (ServedCollection, bool) {
	i := slices.IndexFunc(m.Collections, func(c ServedCollection) bool { return c.Name == name })
	if i < 0 {
		return ServedCollection{}, false
	}
	return m.Collections[i], true
}

// ServedBy returns what a primary of a topology was last seen to serve; false: nobody read it.
func (m Memory) ServedBy(topology, primary string) (ServingMark, bool) {
	mark, ok := m.lastServing(topology)
	return mark, ok && primary != "" && mark.Primary == primary
}

// lastServing returns what the primary of a topology served when that was last read, whichever
// cluster it was.
func (m Memory) lastServing(topology string) (ServingMark, bool) {
	i := slices.IndexFunc(m.Serving, func(s ServingMark) bool { return s.Topology == topology })
	if i < 0 {
		return ServingMark{}, false
	}
	return m.Serving[i], true
}

// LastServing returns what the newest primary that was read served. The zero mark: none was.
func (m Memory) LastServing(topology string) ServingMark {
	mark, _ := m.lastServing(topology)
	return mark
}

// Against compares what is in place on a cluster with what its predecessor had in place. What
// that one had released, or had not indexed, is so on purpose and is not named.
func (r Readiness) Against(had ServingMark) Readiness {
	r.Unloaded = slices.DeleteFunc(slices.Clone(r.Unloaded), func(name string) bool {
		c, known := had.collection(name)
		return known && !c.Loaded
	})
	r.Unindexed = nil
	for _, c := range had.Loads() {
		i := slices.IndexFunc(r.Held, func(h ServedCollection) bool { return h.Name == c.Name })
		if i < 0 {
			continue // it is not there, or its indexes were not read
		}
		for _, x := range c.Indexes {
			if !slices.ContainsFunc(r.Held[i].Indexes, func(h CollectionIndex) bool { return h.Field == x.Field }) {
				r.Unindexed = append(r.Unindexed, x.Name+" of "+c.Name)
			}
		}
	}
	return r
}

// loadCall is the call that loads a collection as its predecessor had it.
func loadCall(name string, had ServingMark) string {
	database, collection, _ := strings.Cut(name, "/")
	replicas := ""
	if c, _ := had.collection(name); c.Replicas > 1 {
		replicas = fmt.Sprintf(", replica_number=%d", c.Replicas)
	}
	return fmt.Sprintf(`MilvusClient(…, db_name=%q).load_collection(%q%s)`, database, collection, replicas)
}

// indexCall is the call that makes an index as the predecessor had it. unindexed is "INDEX of
// DATABASE/COLLECTION".
func indexCall(unindexed string, had ServingMark) string {
	at := strings.LastIndex(unindexed, " of ")
	c, _ := had.collection(unindexed[at+len(" of "):])
	i := slices.IndexFunc(c.Indexes, func(x CollectionIndex) bool { return x.Name == unindexed[:at] })
	if i < 0 {
		return "MilvusClient(…).create_index(…)"
	}
	args := []string{fmt.Sprintf("%q", c.Indexes[i].Field), fmt.Sprintf("index_name=%q", c.Indexes[i].Name)}
	for _, p := range c.Indexes[i].Params {
		value := fmt.Sprintf("%q", p.Value)
		if p.Key == "params" { // a JSON object
			value = p.Value
		}
		args = append(args, p.Key+"="+value)
	}
	database, collection, _ := strings.Cut(c.Name, "/")
	return fmt.Sprintf(`MilvusClient(…, db_name=%q).create_index(%q, MilvusClient.prepare_index_params(%s))`, database, collection, strings.Join(args, ", "))
}

// ContentVerdict is what an audit says of what a standby holds; the zero value is that it
// proves nothing.
type ContentVerdict string

// The verdicts.
const (
	ContentUnproven ContentVerdict = ""
	ContentEqual    ContentVerdict = "equal"    // all that was compared is equal
	ContentDiverged ContentVerdict = "diverged" // the standby lacks something, or holds something else
)

// String returns the verdict as programs read it.
func (v ContentVerdict) String() string { return wordOr(string(v), "unproven") }

// AuditMark is what the newest audit of a standby found, and when it was last proven equal.
type AuditMark struct {
	Topology string
	Primary  string // with which it was compared
	Standby  string
	At       time.Time
	Verdict  ContentVerdict
	Found    []string // what differs, or why it is not proven: the first that matter
	More     int      // of them that are left out

	EqualAt      time.Time // when it was last proven equal to this primary; zero: never
	EqualRows    int64     // that were counted on both then
	EqualSampled int       // that were compared bit by bit then

	// Readiness is what was not in place on the standby to serve. Held is empty.
	Readiness Readiness
}

// Then returns the mark after a later audit. What was proven of the same pair is kept: an
// audit that proves nothing takes no difference back.
func (m AuditMark) Then(later AuditMark) AuditMark {
	if later.At.Before(m.At) || m.Primary == later.Primary && m.Verdict == ContentDiverged && later.Verdict == ContentUnproven {
		return m
	}
	if later.Verdict != ContentEqual && m.Primary == later.Primary {
		later.EqualAt, later.EqualRows, later.EqualSampled = m.EqualAt, m.EqualRows, m.EqualSampled
	}
	return later
}

// EqualProof is what an audit proved when it last found a standby equal to its primary.
type EqualProof struct {
	Standby, Primary string
	At               time.Time
	Rows             int64 // that were counted on both
	Sampled          int   // that were compared bit by bit
}

// Text says it to a person.
func (p EqualProof) Text() string {
	return fmt.Sprintf("%s was last proven equal to %s %s by %d rows, %d of them bit by bit", p.Standby, p.Primary, auditTime(p.At), p.Rows, p.Sampled)
}

// LastEqual says when the standby was last proven equal, and by how much; empty: never.
func (m AuditMark) LastEqual() string {
	if m.EqualAt.IsZero() {
		return ""
	}
	return fmt.Sprintf("last proven equal %s by %d rows, %d of them bit by bit", auditTime(m.EqualAt), m.EqualRows, m.EqualSampled)
}

// Lines says what an audit found, to a person.
func (m AuditMark) Lines() []string {
	switch m.Verdict {
	case ContentDiverged:
		return append([]string{fmt.Sprintf("an audit found that %s differs from %s", m.Standby, m.Primary)}, m.Found...)
	case ContentEqual:
		return []string{fmt.Sprintf("an audit proved that %s equals %s, by %d rows, %d of them bit by bit", m.Standby, m.Primary, m.EqualRows, m.EqualSampled)}
	default:
		return append([]string{fmt.Sprintf("an audit could not prove that %s equals %s", m.Standby, m.Primary)}, m.Found...)
	}
}

func auditTime(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05Z") }

// found lists what an audit found.
func (m AuditMark) found() string {
	text := strings.Join(m.Found, "; ")
	if m.More > 0 {
		text += fmt.Sprintf("; and %d more", m.More)
	}
	return wordOr(text, "the reason is not recorded")
}

// OpenReplay is a replay of lost rows that has begun and not ended, whether a process
// carries it out now or not.
type OpenReplay struct {
	Topology        string
	Stale, Promoted string
	By              []string // who approved it
	Since           time.Time
	// Runner is the process that carries it out now; nil: none was found. Asked is false if nobody
	// knows.
	Runner *LockHolder
	Asked  bool
	// Written is how many of Of rows were written into Promoted when that was last noted; Of is 0
	// if it never was.
	Written, Of int64
	NotedAt     time.Time
}

// Words says what only a stale cluster holds goes where, and whether that goes on now.
func (r OpenReplay) Words() string {
	text := "a replay has been writing its rows into " + r.Promoted + " since " + r.Since.UTC().Format(time.RFC3339) + ", approved by " + strings.Join(r.By, ", ") + ", and has not ended"
	switch {
	case r.Runner != nil:
		text += "; " + r.Runner.By + " carries it out now"
	case r.Asked:
		text += "; no process carries it out now"
	}
	if r.Of > 0 {
		text += fmt.Sprintf("; %d of %d rows were written by %s", r.Written, r.Of, r.NotedAt.UTC().Format(time.RFC3339))
	}
	return text
}

// openReplay returns the open replay of what a stale cluster holds.
func (m Memory) openReplay(topology, stale string) (OpenReplay, bool) {
	i := slices.IndexFunc(m.Replays, func(r OpenReplay) bool { return r.Topology == topology && r.Stale == stale })
	if i < 0 {
		return OpenReplay{}, false
	}
	return m.Replays[i], true
}

// remedy says what to do while a replay is open: to watch it, or to go on with it.
func (r OpenReplay) remedy() string {
	carryOn := "'" + salvageCommand(r.Topology, r.Stale) + " --replay'"
	switch {
	case r.Runner != nil:
		return "wipe nothing before the replay has ended, and watch it: 'reconcile status " + r.Topology + " --watch'"
	case r.Asked:
		return "wipe nothing before the replay has ended; go on with it, which needs no further approval: " + carryOn
	default:
		return "wipe nothing before the replay has ended; unless a process carries it out now, go on with it, which needs no further approval: " + carryOn
	}
}

// Replayed is how a replay of lost rows ended: what came back, and what did not.
type Replayed struct {
	Topology string
	Cluster  string    // the stale one
	Promoted string    // its successor, which has the rows again
	Since    time.Time // of the stale mark
	At       time.Time // when it ended
	Until    time.Time // what the stale cluster wrote later, by its own clock, is not in it
	Closed   bool      // the stale cluster was fenced: nothing comes on top
	There    int64     // lost rows that the successor has
	HeldBack int64     // lost rows that it has newer writes of
	Rest     int64     // lost rows and messages that no replay writes
	Unread   int64     // channels whose lost rows could not be read
	Exported bool      // what did not come back was exported to a file
}

// Whole says whether all came back.
func (r Replayed) Whole() bool { return r.HeldBack+r.Rest+r.Unread == 0 }

// saves says whether nothing is left that only the stale cluster holds. A count after the
// replay that may have found later writes says nothing of those.
func (r Replayed) saves(l CountedLoss) bool {
	covered := !l.At.After(r.At) || len(l.Later) == 0 && !l.Last.After(r.Until)
	return r.Closed && covered && (r.Whole() || r.Exported && r.Unread == 0)
}

// Text says what came back, and what did not.
func (r Replayed) Text() string {
	l := r.Lines()
	return l[0] + ", by the replay that ended " + r.At.UTC().Format(time.RFC3339) + "; " + l[1]
}

// Lines says in one line what came back, and in another what did not.
func (r Replayed) Lines() []string {
	return []string{"brought back: " + countText(r.There, "row"), r.missing()}
}

func (r Replayed) missing() string {
	if r.Whole() {
		return "nothing is missing"
	}
	var out []string
	if r.HeldBack > 0 {
		out = append(out, countText(r.HeldBack, "row")+" that "+r.Promoted+" has newer writes of")
	}
	if r.Rest > 0 {
		out = append(out, countText(r.Rest, "write")+" that no replay makes")
	}
	text := strings.Join(out, ", ")
	if r.Exported && len(out) > 0 {
		text += ", which a file holds"
	}
	if r.Unread > 0 {
		text = strings.TrimPrefix(text+", and what is on "+countText(r.Unread, "channel")+" that could not be read", ", and ")
	}
	return "not brought back: " + text
}
