package milvus

import (
	"testing"

	"milvus-reconcile/plan"
)

// TestFewestCalls holds a look to the calls that it needs (docs/performance.md):
// a cluster that answers for its own channel is not asked for those of others,
// and channel progress proves the identity by the way.
func TestFewestCalls(t *testing.T) {
	cases := map[string]struct {
		depth Depth
		want  map[string]int // of one pair with 16 channels
	}{
		"plan at rest": {Depth{}, map[string]int{"Connect": 2, "GetReplicateConfiguration": 2, "GetReplicateInfo": 2}},
		"sweep": {Depth{Progress: true}, map[string]int{
			"Connect": 2, "GetReplicateConfiguration": 2, "AllocTimestamp": 1,
			"GetReplicateInfo": 16 + 16 + 16, "DumpMessages": 2 + 16,
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := pair(t, "")
			for _, v := range w.observe(c.depth) {
				if v.Reach != plan.ReachUp || !v.IdentityProven {
					t.Errorf("%+v", v)
				}
			}
			for method, want := range c.want {
				if got := w.calls("a", method) + w.calls("b", method); got != want {
					t.Errorf("%s: %d calls, want %d", method, got, want)
				}
			}
		})
	}
}
