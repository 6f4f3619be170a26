package milvus

import (
	"errors"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/permit"
)

// TestConclude: an answer proves nothing, a read does; and a refusal only while
// nothing that was sent before it is in doubt.
func TestConclude(t *testing.T) {
	for name, c := range map[string]struct {
		seen    stepState
		last    answer
		sent    bool
		doubted bool
		want    plan.StepStatus // not attempted: it goes on
	}{
		"a success that read-back denies":                {unchanged, accepted, true, false, plan.StepNotAttempted},
		"a success that nothing can be read of":          {undecided, accepted, true, false, plan.StepNotAttempted},
		"a success that read-back finds elsewhere":       {elsewhere, accepted, true, false, plan.StepFailed},
		"a lost reply, and it is done":                   {effected, doubtful, true, true, plan.StepDone},
		"'current cluster is primary', and it is done":   {effected, refused, true, true, plan.StepDone},
		"'current cluster is primary', and it is not":    {unchanged, refused, true, true, plan.StepNotAttempted},
		"'current cluster is primary', read nowhere":     {undecided, refused, true, true, plan.StepNotAttempted},
		"refused, and nothing else was ever sent":        {unchanged, refused, true, false, plan.StepRefused},
		"refused, and what is stored cannot be read":     {undecided, refused, true, false, plan.StepNotAttempted},
		"never connected, and somebody else did it":      {effected, unsent, false, false, plan.StepAlready},
		"never connected":                                {unchanged, unsent, false, false, plan.StepNotAttempted},
		"half the channels switched: still the old list": {unchanged, doubtful, true, true, plan.StepNotAttempted},
	} {
		t.Run(name, func(t *testing.T) {
			x := &execution{fleet: NewFleet(Config{}), step: plan.Step{Cluster: "b"}, last: c.last, doubted: c.doubted, lastErr: errors.New("its words")}
			x.result.Sent = c.sent
			if over := x.decide(c.seen); over != (c.want != plan.StepNotAttempted) || x.result.Status != c.want {
				t.Errorf("over %t, %s", over, x.result.Status)
			}
		})
	}
}

// TestAResetConnectionIsDecidedByReading: the cluster restarts while the request
// is under way, so that its connections are reset.
func TestAResetConnectionIsDecidedByReading(t *testing.T) {
	w := pair(t, "")
	w.config.Clock = nil
	must(t, w.AddFault("b", milvussim.Fault{Method: updateMethod, Kind: milvussim.FaultHang, Times: 1}))
	f, ctx, done := w.fleet(), w.ctx(), make(chan Result, 1)
	go func() { done <- f.Execute(ctx, w.topology, w.promote(), permit.Permit{}) }()
	w.await(func() bool { return w.calls("b", updateMethod) == 1 })
	must(t, w.Restart("b"))
	r := <-done
	if r.Status != plan.StepDone || !r.Sent || w.calls("b", updateMethod) != 2 || w.effects() != 1 {
		t.Errorf("%+v, sent %d times, %d took effect", r, w.calls("b", updateMethod), w.effects())
	}
}
