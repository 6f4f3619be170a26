package milvus

import (
	"context"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestSample: any answer of the old primary is one, also to a sample that was under
// way when no more were wanted; no failure is.
func TestSample(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*testing.T, *world)
		lives  bool
	}{
		"it serves":             {func(*testing.T, *world) {}, true},
		"it refuses our token":  {func(_ *testing.T, w *world) { w.config.Credentials = w.config.Credentials[1:] }, true},
		"it is stopped":         {func(t *testing.T, w *world) { must(t, w.Stop("a")) }, false},
		"it drops everything":   {func(t *testing.T, w *world) { w.move("a", blackHole(t)) }, false},
		"it is not ready":       {func(t *testing.T, w *world) { must(t, w.Coordinator("a", milvussim.CoordinatorNotReady)) }, false},
		"it is bound elsewhere": {func(_ *testing.T, w *world) { w.cluster("a").URI = "http://evil:1" }, false},
		"it is in no topology":  {func(_ *testing.T, w *world) { w.topology.Clusters = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pair(t, "")
			w.config.ReadTimeout, w.config.Clock = 2*time.Second, nil
			c.change(t, w)
			over := make(chan struct{})
			if !c.lives {
				time.AfterFunc(200*time.Millisecond, func() { close(over) })
			}
			want := wanted
			want.Span = time.Second
			r, ok := w.fleet().Reader().Sample(w.ctx(), w.topology, want, over)
			if ok != c.lives || ok != r.Lives() || r.CandidateAnswered {
				t.Errorf("%v: %+v", ok, r)
			}
			same(t, w.calls("b", ""), 0) // the candidate has nothing to do with it
		})
	}
	w := pair(t, "")
	if r, ok := w.fleet().Reader().Sample(w.ctx(), w.topology, plan.Want{Primary: "a"}, nil); ok {
		t.Errorf("without a span: %+v", r)
	}
	ended, cancel := context.WithCancel(w.ctx())
	cancel()
	if r, ok := w.fleet().Reader().Sample(ended, w.topology, wanted, nil); ok {
		t.Errorf("at the end: %+v", r)
	}
}
