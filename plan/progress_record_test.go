package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestProgressIsKeptWhileTheSourceAnswers: what is seen of a standby after its source is
// lost does not replace what was seen before, and the newest proof of no backlog is kept.
func TestProgressIsKeptWhileTheSourceAnswers(t *testing.T) {
	proven := moving(standbyOf("a", "b"))
	for i := range proven.Progress {
		at := now.Add(-time.Duration(i) * time.Second)
		proven.Progress[i].CaughtUpAt = &at
	}
	empty := moving(standbyOf("a", "b"))
	empty.Contents = Contents{Known: true}
	unreadChannels := standbyOf("a", "b")
	unreadChannels.Progress = nil
	undated := moving(standbyOf("a", "b"))
	undated.At = time.Time{}
	for _, c := range []struct {
		name        string
		a, b        View
		kept        bool
		noBacklogAt time.Time
		collections []string
	}{
		{name: "both answer", a: primaryOf("a", "b"), b: moving(standbyOf("a", "b")), kept: true},
		{name: "every channel has nothing unsent", a: primaryOf("a", "b"), b: proven, kept: true, noBacklogAt: now.Add(-time.Second)},
		{name: "it holds nothing, which is known", a: primaryOf("a", "b"), b: empty, kept: true, collections: []string{}},
		{name: "the view bears no time", a: primaryOf("a", "b"), b: undated, kept: true},
		{name: "the source is lost", a: down("a"), b: proven},
		{name: "nothing was read of its channels", a: primaryOf("a", "b"), b: unreadChannels},
		{name: "no standby", a: primaryOf("a", "b"), b: primaryOf("b")},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := TopologyPlan{Name: "orders", Clusters: []ClusterPlan{{ID: "a", View: c.a}, {ID: "b", View: c.b}}}
			got := ProgressRecords(p, Memory{}, now)
			if len(got) == 1 != c.kept {
				t.Fatalf("kept %v", got)
			}
			if !c.kept {
				return
			}
			r := got[0]
			if r.Cluster != "b" || r.Source != "a" || r.At.IsZero() || !r.NoBacklogAt.Equal(c.noBacklogAt) {
				t.Errorf("the record is %+v", r)
			}
			if d := cmp.Diff(c.collections, r.Collections); d != "" {
				t.Errorf("collections (-want +got):\n%s", d)
			}
		})
	}
}
