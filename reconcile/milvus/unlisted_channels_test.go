package milvus

import (
	"testing"

	"milvus-reconcile/plan"
)

// TestUnlistedChannelIsFound: a cluster whose channels were raised is asked for
// the one after the last of the file when the caller says so, and until it is
// gone once it was found.
func TestUnlistedChannelIsFound(t *testing.T) {
	w := pair(t, "")
	f := w.fleet()
	observe := func(unlisted bool) map[string]plan.View {
		out := map[string]plan.View{}
		for _, v := range f.Reader().Observe(w.ctx(), []plan.Topology{w.topology}, plan.Depth{Progress: true, Unlisted: unlisted}) {
			out[v.Cluster] = v
		}
		return out
	}
	asked := func(observe func()) int {
		before := w.calls("b", "GetReplicateInfo")
		observe()
		return w.calls("b", "GetReplicateInfo") - before
	}
	usual := asked(func() { observe(false) })
	if n := asked(func() {
		if v := observe(true); len(v["a"].Unlisted)+len(v["b"].Unlisted) != 0 {
			t.Errorf("of a pair at rest: %+v", v)
		}
	}); n != usual+1 {
		t.Errorf("asked %d times more than usual", n-usual)
	}
	must(t, w.Grow("b", "b-rootcoord-dml_16"))
	if n := asked(func() { same(t, observe(false)["b"].Unlisted, []string(nil)) }); n != usual {
		t.Errorf("asked %d times more than usual, and nobody said so", n-usual)
	}
	w.await(func() bool { return len(observe(true)["b"].Unlisted) == 1 })
	w.await(func() bool {
		v := observe(false)
		same(t, v["a"].Unlisted, []string(nil))
		return len(v["b"].Unlisted) == 1
	})
	same(t, observe(false)["b"].Unlisted, []string{"b-rootcoord-dml_16"})
	w.cluster("b").PChannels = append(w.cluster("b").PChannels, "b-rootcoord-dml_16") // the file says more than is stored
	if v := observe(true); len(v["b"].Unlisted) != 0 {
		t.Errorf("channels that are to grow are no surprise: %v", v["b"].Unlisted)
	}
}

func TestNextChannel(t *testing.T) {
	for last, want := range map[string]string{
		"by-dev-rootcoord-dml_15": "by-dev-rootcoord-dml_16", "x_09": "x_10", "7": "8", "named": "", "dml_1234567": "",
	} {
		same(t, nextChannel([]string{"first", last}), want)
	}
	same(t, nextChannel(nil), "")
}
