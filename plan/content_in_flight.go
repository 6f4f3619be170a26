package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Readiness is what of a cluster's contents is not in place to serve. The zero value:
// nobody asked.
type Readiness struct {
	Asked    bool
	Imports  []string // that are under way, or wait for their commit, with their collection
	Unloaded []string // "database/collection" that is not loaded, or not wholly
	Indexes  []string // of loaded collections that are not finished
	Unknown  []string // what did not answer, and why
}

// mostNamed bounds the names of each kind in a finding.
const mostNamed = 5

// parts says what is not in place on a cluster, a part for each kind.
func (r Readiness) parts(cluster string) []string {
	var out []string
	add := func(what string, names []string) {
		if len(names) > 0 {
			out = append(out, what+": "+firstNames(names))
		}
	}
	add("imports in flight on "+cluster, r.Imports)
	add("not loaded on "+cluster, r.Unloaded)
	add("indexes not finished on "+cluster, r.Indexes)
	add("not known of "+cluster, r.Unknown)
	return out
}

// firstNames names the first of some things and counts the rest.
func firstNames(names []string) string {
	if len(names) <= mostNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNamed], ", "), len(names)-mostNamed)
}

// found says whether anything is known not to be in place.
func (r Readiness) found() bool { return len(r.Imports)+len(r.Unloaded)+len(r.Indexes) > 0 }

// inFlightFindings say what is not in place on the cluster that a failover or a switchover
// promotes. They block nothing. What only could not be read is information.
func (s situation) inFlightFindings(d decision) []Finding {
	next, old := s.view(d.primary.ID).Readiness, s.view(d.lost).Readiness
	switch {
	case !next.Asked:
		return nil
	case s.view(d.primary.ID).Contents.Hidden != "":
		next.Unknown = append(slices.Clone(next.Unknown), s.view(d.primary.ID).Contents.Hidden)
	}
	switch {
	case d.transition == TransitionFailover:
		return inFlight(next, next.parts(d.primary.ID), d.primary.ID,
			"a failover need not wait for it; what is still missing after it is told then, with what mends it: 'reconcile status "+s.topology.Name+" --verify'")
	case d.transition != TransitionSwitchover:
		return nil
	}
	if old.Asked && len(old.Unknown) == 0 { // what was released on purpose is loaded on neither
		next.Unloaded = without(next.Unloaded, old.Unloaded)
	}
	before := Readiness{Imports: old.Imports, Unknown: old.Unknown}
	parts := append(before.parts(d.lost), next.parts(d.primary.ID)...)
	next.Imports = append(slices.Clone(next.Imports), old.Imports...)
	return inFlight(next, parts, d.primary.ID,
		"wait until it is done: commit or abort the imports on "+d.lost+", and see what is left: 'reconcile plan "+s.topology.Name+"'")
}

// inFlight makes the finding of a change that is planned.
func inFlight(r Readiness, parts []string, cluster, remedy string) []Finding {
	if len(parts) == 0 {
		return nil
	}
	f := NewFinding(CodeContentInFlight, cluster, strings.Join(parts, "; "), remedy)
	if !r.found() {
		f.Severity = SeverityInfo
	}
	return []Finding{f}
}

// ContentMissing is what is not in place on a cluster after it was promoted, with the calls
// that mend it. ok is false if nothing is known to be missing.
func ContentMissing(topology, cluster string, r Readiness) (f Finding, ok bool) {
	if !r.found() {
		return Finding{}, false
	}
	var mends []string
	if len(r.Unloaded) > 0 {
		database, collection, _ := strings.Cut(r.Unloaded[0], "/")
		mends = append(mends, fmt.Sprintf(`load what your applications query, in Python: MilvusClient(…, db_name=%q).load_collection(%q)`, database, collection))
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
