package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Readiness is what of a cluster's contents is not in place to serve. The zero value:
// nobody asked.
type Readiness struct {
	Asked    bool
	Imports  []string // that are under way, or wait for their commit, with their collection
	Unloaded []string // "database/collection" that is not loaded, or not wholly
	Indexes  []string // of loaded collections that are not finished
	Unknown  []string // what did not answer, and why

	// Unindexed are indexes that the predecessor had and this cluster lacks; only [Readiness.Against]
	// knows them.
	Unindexed []string
	// Unserved says that a load that the operator wants will not happen, and why; empty: it
	// will, or is not wanted.
	Unserved string
	// Held are the collections whose indexes were read.
	Held []ServedCollection
}

// mostNamed bounds the names of each kind in a finding.
const mostNamed = 5

// parts says what is not in place on a cluster, a part for each kind.
func (r Readiness) parts(cluster string) []string {
	var out []string
	add := func(what string, names []string) {
		if len(names) > 0 {
			out = append(out, what+": "+FirstNames(names))
		}
	}
	add("imports in flight on "+cluster, r.Imports)
	add("not loaded on "+cluster, r.Unloaded)
	add("indexes missing on "+cluster, r.Unindexed)
	add("indexes not finished on "+cluster, r.Indexes)
	add("not known about "+cluster, r.Unknown)
	if r.Unserved != "" {
		out = append(out, "not known: "+r.Unserved)
	}
	return out
}

// FirstNames names the first of some things and counts the rest.
func FirstNames(names []string) string {
	if len(names) <= mostNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNamed], ", "), len(names)-mostNamed)
}

// found says whether anything is known not to be in place.
func (r Readiness) found() bool {
	return len(r.Imports)+len(r.Unloaded)+len(r.Indexes)+len(r.Unindexed) > 0
}

// inFlightFindings say what is not in place on the cluster that a failover or a switchover
// promotes. They block nothing. What only could not be read is information.
func (s situation) inFlightFindings(d decision) []Finding {
	next, old := s.view(d.primary.ID).Readiness, s.view(d.lost).Readiness
	since := ""
	if !next.Asked {
		next, since = s.auditedReadiness(d)
	}
	had, known := s.memory.ServedBy(s.topology.Name, d.lost)
	if next = next.Against(had); !known && s.loads && d.transition == TransitionFailover {
		next.Unserved = "what " + d.lost + " had loaded, since it was never read: nothing will be loaded"
	}
	if d.transition != TransitionFailover && d.transition != TransitionSwitchover || !next.Asked && next.Unserved == "" {
		return nil
	}
	if hidden := s.view(d.primary.ID).Contents.Hidden; hidden != "" {
		next.Unknown = append(slices.Clone(next.Unknown), hidden)
	}
	if d.transition == TransitionFailover {
		return inFlight(next, next.parts(d.primary.ID), since, d.primary.ID,
			"a failover does not have to wait; after it, see what is missing and the remedy: 'reconcile status "+s.topology.Name+" --verify'")
	}
	if old.Asked && len(old.Unknown) == 0 { // what was released on purpose is loaded on neither
		next.Unloaded = without(next.Unloaded, old.Unloaded)
	}
	before := Readiness{Imports: old.Imports, Unknown: old.Unknown}
	parts := append(before.parts(d.lost), next.parts(d.primary.ID)...)
	next.Imports = append(slices.Clone(next.Imports), old.Imports...)
	return inFlight(next, parts, since, d.primary.ID,
		"wait until it is done: commit or abort the imports on "+d.lost+", and see what is left: 'reconcile plan "+s.topology.Name+"'")
}

// auditedReadiness is what the newest audit read of the cluster to promote, and when. A pass
// that does not ask the cluster itself, as a sweep of the daemon, goes by it.
func (s situation) auditedReadiness(d decision) (r Readiness, since string) {
	m, audited := s.newestAudit(d.lost, d.primary.ID)
	if !audited {
		return Readiness{}, ""
	}
	return m.Readiness, "; as the audit of " + auditTime(m.At) + " found it"
}

// inFlight makes the finding of a change that is planned.
func inFlight(r Readiness, parts []string, since, cluster, remedy string) []Finding {
	if len(parts) == 0 {
		return nil
	}
	f := NewFinding(CodeContentInFlight, cluster, strings.Join(parts, "; ")+since, remedy)
	if !r.found() && r.Unserved == "" {
		f.Severity = SeverityInfo
	}
	return []Finding{f}
}

// ContentMissing lists what is missing on a cluster after its promotion, by what its
// predecessor had in place, with the calls that repair it. ok is false if nothing is known to be
// missing.
func ContentMissing(topology, cluster string, r Readiness, had ServingMark) (f Finding, ok bool) {
	r = r.Against(had)
	if !r.found() {
		return Finding{}, false
	}
	var mends []string
	if len(r.Unindexed) > 0 {
		mends = append(mends, "make the indexes first, in Python: "+indexCall(r.Unindexed[0], had))
	}
	if len(r.Unloaded) > 0 {
		mends = append(mends, "load what your applications query, in Python: "+loadCall(r.Unloaded[0], had))
	}
	if len(r.Imports) > 0 {
		mends = append(mends, "commit or abort each import on "+cluster+": POST /v2/vectordb/jobs/import/commit or abort")
	}
	if len(r.Indexes) > 0 {
		mends = append(mends, "wait for the indexes, and create one that failed once more")
	}
	mends = append(mends, "then see what is left: 'reconcile status "+topology+" --verify'")
	return NewFinding(CodeContentInFlight, cluster, strings.Join(r.parts(cluster), "; "), strings.Join(mends, "; ")), true
}

// without returns the names that are not among others.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(others, n) })
}

// schedule is how often audits are wanted, and since when they can have been made.
type schedule struct {
	every time.Duration
	since time.Time
}

// newestAudit returns the newest audit of a standby with a primary. One of before the standby was
// rebuilt says nothing of it.
func (s situation) newestAudit(primary, standby string) (AuditMark, bool) {
	for _, m := range s.memory.Audits {
		if m.Topology == s.topology.Name && m.Primary == primary && m.Standby == standby && !s.memory.rebuiltSince(standby, m.At) {
			return m, true
		}
	}
	return AuditMark{}, false
}

// provenEqual are the proofs of the cluster that is promoted, or of the standbys at rest.
func (s situation) provenEqual(d decision) []EqualProof {
	var out []EqualProof
	for _, c := range s.topology.Clusters {
		primary := d.primary.ID
		switch promotes := d.transition == TransitionFailover || d.transition == TransitionSwitchover; {
		case promotes && c.ID == d.primary.ID:
			primary = d.lost
		case promotes, c.Role != RoleStandby:
			continue
		}
		if m, audited := s.newestAudit(primary, c.ID); audited && !m.EqualAt.IsZero() {
			out = append(out, EqualProof{Standby: c.ID, Primary: primary, At: m.EqualAt, Rows: m.EqualRows, Sampled: m.EqualSampled})
		}
	}
	return out
}

// unaudited are the findings of standbys that no audit has compared, although one is due more
// often than that they have been standbys.
func (s situation) unaudited(primary string) []Finding {
	since := s.memory.settledAt(s.topology.Name)
	if s.audits.every <= 0 || since.IsZero() {
		return nil
	}
	if s.audits.since.After(since) {
		since = s.audits.since
	}
	if s.memory.Now.Sub(since) <= s.audits.every {
		return nil
	}
	var out []Finding
	for _, c := range s.topology.withRole(RoleStandby) {
		if _, audited := s.newestAudit(primary, c.ID); audited || s.memory.rebuiltSince(c.ID, s.memory.Now.Add(-s.audits.every)) {
			continue
		}
		out = append(out, NewFinding(CodeContentUnproven, c.ID,
			fmt.Sprintf("whether %s holds what %s holds was never proven: no audit has compared them, although one is wanted every %s", c.ID, primary, DurationText(s.audits.every)),
			"audit it: 'reconcile audit "+s.topology.Name+"'"))
	}
	return out
}

// contentFindings say what the newest audit found of the standbys, or of the one that is
// promoted. An audit of before the cluster was rebuilt says nothing of it.
func (s situation) contentFindings(d decision) []Finding {
	promotes := d.transition == TransitionFailover || d.transition == TransitionSwitchover
	var out []Finding
	if d.transition == TransitionNone && d.primary.ID != "" {
		out = s.unaudited(d.primary.ID)
	}
	for _, m := range s.memory.Audits {
		c, listed := s.topology.Cluster(m.Standby)
		concerns := c.Role == RoleStandby && m.Primary == d.primary.ID
		if promotes {
			concerns = m.Standby == d.primary.ID
		}
		if m.Topology != s.topology.Name || !listed || !concerns || s.memory.rebuiltSince(m.Standby, m.At) {
			continue
		}
		switch m.Verdict {
		case ContentDiverged:
			out = append(out, NewFinding(CodeContentDiverged, m.Standby,
				fmt.Sprintf("%s did not hold the same data as %s (audit of %s): %s", m.Standby, m.Primary, auditTime(m.At), m.found()),
				"see every difference and its remedy: 'reconcile audit "+s.topology.Name+"'; if nothing does, promote another standby, and rebuild this one (docs/rebuild.md)"))
		case ContentUnproven:
			message := fmt.Sprintf("it was not proven that %s held the same data as %s (audit of %s): %s", m.Standby, m.Primary, auditTime(m.At), m.found())
			if last := m.LastEqual(); last != "" {
				message += "; " + last
			}
			out = append(out, NewFinding(CodeContentUnproven, m.Standby, message, "remove the cause, and audit again: 'reconcile audit "+s.topology.Name+"'"))
		case ContentEqual:
		}
	}
	return out
}

// rebuiltSince says whether a cluster joined as a rebuilt one after a time.
func (m Memory) rebuiltSince(cluster string, at time.Time) bool {
	for _, p := range m.Provisions {
		if p.Cluster == cluster && p.At.After(at) {
			return true
		}
	}
	return false
}
