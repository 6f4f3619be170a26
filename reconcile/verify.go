package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// Verify checks the primary of every topology that has no transition, as after a
// promotion. It returns the report with what it found, and whether every check held. A
// topology that waits for a change is not checked.
func (p Pass) Verify(ctx context.Context, v Verifier, report Report) (Report, bool) {
	found := make([][]plan.Finding, len(report.Plan.Topologies))
	p.inParallel(len(found), func(i int) { found[i] = p.verifyOne(ctx, v, report.Plan.Topologies[i], report.remembered) })
	held := true
	report.Plan.Topologies = slices.Clone(report.Plan.Topologies)
	for i, t := range report.Plan.Topologies {
		if len(found[i]) > 0 {
			t.Findings = append(slices.Clone(t.Findings), found[i]...)
			t.InSync = t.InSync && !slices.ContainsFunc(found[i], func(f plan.Finding) bool { return t.DriftOf(f) != plan.DriftNone })
			report.Plan.Topologies[i] = t
		}
		held = held && !t.Has(plan.CodeVerificationFailed)
	}
	return report, held
}

// verifyOne checks one topology.
func (p Pass) verifyOne(ctx context.Context, v Verifier, t plan.TopologyPlan, r Remembered) []plan.Finding {
	switch {
	case t.Primary == "":
		return nil
	case t.Transition != plan.TransitionNone:
		p.tell(t.Name, "not verified: its "+t.Transition.String()+" comes first")
		return nil
	}
	topology := p.topology(t.Name)
	level := topology.VerifyLevel(p.Desired.Limits)
	var verified Verified
	var err error
	p.tellWhile(ctx, t.Name, fmt.Sprintf("verifying %s (%s)", t.Primary, level), 0, func() {
		verified, err = v.Verify(ctx, topology, t.Primary, level, collectionsOf(r, t.Primary))
	})
	if err != nil {
		return []plan.Finding{plan.VerificationFailed(t.Name, t.Primary, level, err)}
	}
	return collectionFindings(t, t.Primary, verified)
}

// collectionsOf returns the collections that the ledger last knew on a cluster.
func collectionsOf(r Remembered, cluster string) []string {
	for _, p := range r.Memory.Progress {
		if p.Cluster == cluster {
			return p.Collections
		}
	}
	return nil
}

// collectionFindings says which collections are missing, or do not answer, and what is not
// in place to serve. Neither undoes a promotion or holds back its redirect.
func collectionFindings(t plan.TopologyPlan, cluster string, v Verified) []plan.Finding {
	var parts []string
	if len(v.Missing) > 0 {
		parts = append(parts, "seen before and not on "+cluster+": "+strings.Join(v.Missing, ", "))
	}
	if len(v.Silent) > 0 {
		parts = append(parts, "on "+cluster+" and not answering: "+strings.Join(v.Silent, ", "))
	}
	var out []plan.Finding
	if f, ok := plan.ContentMissing(t.Name, cluster, v.Readiness); ok {
		out = append(out, f)
	}
	if len(parts) == 0 {
		return out
	}
	return append(out, plan.NewFinding(plan.CodeCollectionsMissing, cluster, strings.Join(parts, "; "),
		"ask their owners whether they were dropped or released on purpose; if not, see what the old primary still holds: '"+t.Salvage(t.Replaced())+"'; or take them from a backup"))
}
