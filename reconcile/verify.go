package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// verify repeats the checks of a promotion until they hold, and tells which
// collections did not come with it.
func (r run) verify(ctx context.Context, prep prepared, s plan.Step, res *Result) StepResult {
	var found Verified
	var err error
	r.apply.tellWhile(ctx, r.name, fmt.Sprintf("verifying %s (%s)", s.Cluster, s.Verify), 0, func() {
		found, err = r.apply.Actor.Verify(ctx, prep.topology, s.Cluster, s.Verify, expectedCollections(prep, s.Cluster))
	})
	if err != nil {
		return StepResult{Status: StepFailed, Detail: err.Error()}
	}
	res.Verified = found
	detail := fmt.Sprintf("%s works as the primary (%s)", s.Cluster, s.Verify)
	for _, f := range collectionFindings(s.Cluster, found) {
		detail += "; " + f.Message
	}
	return StepResult{Status: StepDone, Detail: detail}
}

// expectedCollections are the collections that the ledger last saw on a cluster, and those
// that it held when this run looked at it, before it changed anything.
func expectedCollections(prep prepared, cluster string) []string {
	out := slices.Clone(collectionsOf(prep.remembered, cluster))
	if c := prep.observed.View(cluster).Contents; c.Known {
		out = append(out, c.Collections...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func collectionsOf(r Remembered, cluster string) []string {
	for _, p := range r.Memory.Progress {
		if p.Cluster == cluster {
			return p.Collections
		}
	}
	return nil
}

// collectionFindings say which collections are not there, or do not answer.
// Neither undoes a promotion, nor holds back its redirect.
func collectionFindings(cluster string, v Verified) []plan.Finding {
	var parts []string
	if len(v.Missing) > 0 {
		parts = append(parts, "seen before and not on "+cluster+": "+strings.Join(v.Missing, ", "))
	}
	if len(v.Silent) > 0 {
		parts = append(parts, "on "+cluster+" and not answering: "+strings.Join(v.Silent, ", "))
	}
	if len(parts) == 0 {
		return nil
	}
	return []plan.Finding{plan.NewFinding(plan.CodeCollectionsMissing, cluster, strings.Join(parts, "; "),
		"ask their owners whether they were dropped or released on purpose; if not, take them from the old primary by 'reconcile salvage', or from a backup")}
}

// Verify repeats the checks of a promotion on the primary of each topology for
// which nothing is to be done, and adds what it finds to the report. It says
// whether every check held; a topology that waits for a change has none.
func (p Pass) Verify(ctx context.Context, v Verifier, report Report) (Report, bool) {
	found := make([][]plan.Finding, len(report.Plan.Topologies))
	p.inParallel(len(found), func(i int) { found[i] = p.verifyOne(ctx, v, report.Plan.Topologies[i], report.remembered) })
	held := true
	report.Plan.Topologies = slices.Clone(report.Plan.Topologies)
	for i, t := range report.Plan.Topologies {
		if len(found[i]) > 0 {
			t.Findings, t.InSync = append(slices.Clone(t.Findings), found[i]...), false
			report.Plan.Topologies[i] = t
		}
		held = held && !t.Has(plan.CodeVerificationFailed)
	}
	return report, held
}

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
	return collectionFindings(t.Primary, verified)
}
