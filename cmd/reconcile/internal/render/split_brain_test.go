package render

import (
	"io"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// TestASplitBrainHeadsEachPage: whenever more than one cluster takes writes, the first line of
// the page says so, with the cross, whatever is planned, under way or done; so does the comment
// on a pull request.
func TestASplitBrainHeadsEachPage(t *testing.T) {
	split := 0
	heads := func(name string, topology plan.TopologyPlan, draw func(io.Writer) error) {
		if !topology.Has(plan.CodeSplitBrain) {
			return
		}
		split++
		page := string(rendered(t, draw))
		first, _, _ := strings.Cut(page, "\n")
		if !strings.HasPrefix(first, "✗ "+topology.Name+"  SPLIT BRAIN · ") {
			t.Errorf("%s is not headed by the split brain:\n%s", name, page)
		}
	}
	for name, d := range everyDocument(t) {
		for _, kind := range []Kind{KindPlan, KindDrift, KindStatus} {
			for _, topology := range d.Plan.Topologies {
				single := d
				single.Kind, single.Plan.Topologies = kind, []plan.TopologyPlan{topology}
				heads(name+" "+string(kind), topology, func(w io.Writer) error { return Table(w, single, TableOptions{}) })
				if comment := single.markdownTopology(topology); topology.Has(plan.CodeSplitBrain) && !strings.Contains(comment, "### ✗ "+topology.Name+": SPLIT BRAIN · ") {
					t.Errorf("%s: the comment is not headed by the split brain:\n%s", name, comment)
				}
			}
		}
	}
	for name, c := range applyGoldens() {
		for _, r := range c.results {
			topology, _ := c.document.Plan.Topology(r.Topology)
			topology.Findings = c.document.findingsAfter(topology, r)
			single := c.document
			single.Plan.Topologies = []plan.TopologyPlan{topology}
			heads(name, topology, func(w io.Writer) error { return Apply(w, FormTable, single, []Result{r}, TableOptions{}) })
		}
	}
	if split == 0 {
		t.Error("no page has a split brain")
	}
}

// TestASplitBrainIsHeadedInEachChange: the same with each kind of change, and with one that
// another process carries out.
func TestASplitBrainIsHeadedInEachChange(t *testing.T) {
	for _, transition := range transitions {
		for _, changed := range []plan.TopologyPlan{failover(), underWay()} {
			changed.Transition = transition
			changed.Findings = append(changed.Findings[:len(changed.Findings):len(changed.Findings)], splitBrain().Findings...)
			if words, s := document(changed).headline(changed); s != bad || !strings.HasPrefix(words, "SPLIT BRAIN · ") {
				t.Errorf("%s: %q, %v", transition, words, s)
			}
		}
	}
}

// TestASplitBrainHasOneWayOut: what would end a denial, or another finding, is not advised
// before the split brain has ended.
func TestASplitBrainHasOneWayOut(t *testing.T) {
	p := splitBrain()
	for _, kind := range []Kind{KindPlan, KindDrift, KindStatus} {
		d := document(p).approve("orders", Approval{
			Verdict: approval.VerdictDenied, Code: approval.CodeAlreadyUsed, Commit: fixtureCommit,
			Detail: "the approval of generation 1 of orders was used: commit the change again with a generation above 1, and have that approved",
		})
		d.Kind = kind
		page := fitsAScreen(t, string(kind), func(w io.Writer) error { return Table(w, d, TableOptions{}) })
		if strings.Contains(page, "generation") || !strings.Contains(page, "stop writes to all but one") || !strings.Contains(page, "reconcile adopt orders --primary cluster-b") {
			t.Errorf("%s advises otherwise:\n%s", kind, page)
		}
	}
	mixed := append(p.Findings[:1:1], plan.NewFinding(plan.CodeMixedChange, "", "two changes at once", "take one of them back: 'git revert c0ffee'"))
	p.Findings = mixed
	if out := document(p).actions(p); len(out) == 0 || out[0].remedy != p.Findings[0].Remedy {
		t.Errorf("the split brain's remedy does not lead: %+v", out)
	}
}
