package plan

import (
	"strings"
	"testing"
	"time"
)

// TestBeyondRetention: a standby that last replicated longer ago than Milvus
// keeps its log may have a gap that nothing closes (milvus.md S62).
func TestBeyondRetention(t *testing.T) {
	const day = 24 * time.Hour
	recorded := func(source string, checkpoint, noBacklog time.Duration) Memory {
		r := ProgressRecord{Cluster: "b", Source: source, At: now.Add(-noBacklog), Channels: progress("b", checkpoint, checkpoint), NoBacklogAt: now.Add(-noBacklog)}
		return Memory{Progress: []ProgressRecord{r}}
	}
	stalled := func(checkpoint, waited time.Duration) View {
		v := standbyOf("a", "b")
		v.Progress = progress("b", checkpoint, checkpoint)
		for i := range v.Progress {
			v.Progress[i].Unsent = ptr(now.Add(-waited))
		}
		return v
	}
	for _, c := range []struct {
		name string
		b    View
		memo Memory
		code Code
		gone bool
	}{
		{"away for two days", down("b"), recorded("a", 2*day, 2*day), CodeClusterUnreachable, false},
		{"away for four days", down("b"), recorded("a", 4*day, 4*day), CodeClusterUnreachable, true},
		{"away for four days, behind another source before", down("b"), recorded("c", 4*day, 2*day), CodeClusterUnreachable, true},
		{"idle, and away for an hour", down("b"), recorded("a", 4*day, time.Hour), CodeClusterUnreachable, false},
		{"away, and nobody knows since when", down("b"), Memory{}, CodeClusterUnreachable, false},
		{"stalled since an hour", stalled(time.Hour, time.Hour), Memory{}, CodeReplicationStalled, false},
		{"stalled since four days", stalled(4*day, 71*time.Hour), recorded("a", 4*day, 4*day), CodeReplicationStalled, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := world{t: pairOf("a", "b"), views: []View{primaryOf("a", "b"), c.b}, memory: c.memo}.plan(t)
			if !p.Has(c.code) || p.Changes() {
				t.Fatalf("no %s: %+v", c.code, p.Findings)
			}
			for _, f := range p.Findings {
				said := strings.Contains(f.Message, "(#48779)") && strings.Contains(f.Remedy, "set b to 'role: detached'")
				if f.Code == c.code && said != c.gone {
					t.Errorf("a gap is told %t, want %t: %s; %s", said, c.gone, f.Message, f.Remedy)
				}
			}
		})
	}
}
