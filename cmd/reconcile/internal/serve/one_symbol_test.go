package serve

import (
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/reconcile/daemon"
)

// TestOneSymbolOfATopology holds that the overview, the page of a topology and a terminal
// mark it by the same symbol, and that each topology is counted by one state.
func TestOneSymbolOfATopology(t *testing.T) {
	s := gallery().Snapshot()
	v, marks, counted := overviewOf(s, filter{Show: showAll}), map[string]string{}, 0
	for _, r := range v.Rows {
		marks[r.Name] = r.Symbol
	}
	for _, c := range v.Counts {
		if c.Show != showAll && c.Show != showProblems {
			counted += c.N
		}
		if c.Show == daemon.StateInSync.String() && c.N+v.Counts[1].N > v.Counts[0].N {
			t.Errorf("%d are in sync, and %d of %d have a problem", c.N, v.Counts[1].N, v.Counts[0].N)
		}
	}
	if counted != len(v.Rows) {
		t.Errorf("%d topologies are counted %d times", len(v.Rows), counted)
	}
	for _, topology := range s.Topologies {
		if topology.Plan.Name == "" {
			continue
		}
		one := s
		one.Topologies = []daemon.TopologyStatus{topology}
		var page strings.Builder
		if err := render.Table(&page, documentOf(one), render.TableOptions{}); err != nil {
			t.Fatal(err)
		}
		mark := string([]rune(page.String())[0])
		if mark == "✓" && (topology.State != daemon.StateInSync || topology.Error != "") {
			mark = "!" // the daemon knows more
		}
		_, web := get(t, pages(boardOf(topology)), "/topologies/"+topology.Name)
		if got := marks[topology.Name]; got != mark || !strings.Contains(web, `class="state">`+mark+" ") {
			t.Errorf("%s is marked %q in the overview, and %q on a terminal", topology.Name, got, mark)
		}
	}
}

// TestPageOfAFrozenChange holds that the page says until when a change waits, and from when on
// an approval counts at that time.
func TestPageOfAFrozenChange(t *testing.T) {
	_, page := get(t, pages(boardOf(frozen())), "/topologies/orders")
	for _, want := range []string{"SWITCHOVER to cluster-b · FROZEN until 2027-01-04 07:00Z", "Waits", "CHANGE_FROZEN", "approve it after 2027-01-03 07:00Z", "cluster-a (eu-1)"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "reconcile approve") {
		t.Error("it asks for an approval that would end before the freeze does")
	}
}
