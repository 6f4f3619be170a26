package plan

import (
	"slices"
	"time"

	"pgregory.net/rapid"
)

// drawBegun carries out some of the steps of what is planned, and remembers
// that it was begun.
func drawBegun(t *rapid.T, d Desired, o Observed, m Memory) ([]Intent, Observed) {
	p := Compute(d, o, m).Topologies[0]
	if !p.Changes() || p.Blocked(nil) {
		return nil, o
	}
	whole := p.Steps
	p.Steps = slices.DeleteFunc(slices.Clone(whole), func(s Step) bool { return rapid.Bool().Draw(t, "undone") })
	after, _ := applied(p, o, m)
	return []Intent{{
		Topology: p.Name, Transition: p.Transition, Generation: p.Generation, Digest: p.Digest,
		Steps: whole, At: now.Add(-time.Minute), MayHaveSent: true,
	}}, after
}

// drawIntent is an intent that some other state of the world gave rise to.
func drawIntent(t *rapid.T, d Desired, n int) []Intent {
	var o Observed
	for _, id := range ids[:n] {
		o.Views = append(o.Views, drawView(t, id, n))
	}
	p := Compute(d, o, Memory{Now: now}).Topologies[0]
	if p.Transition == TransitionNone {
		return nil
	}
	sent := rapid.Bool().Draw(t, "sent")
	return []Intent{{
		Topology: p.Name, Transition: p.Transition, Generation: p.Generation - int64(rapid.IntRange(0, 1).Draw(t, "older")),
		Digest: p.Digest, Steps: p.Steps, At: now.Add(-time.Minute), MayHaveSent: sent,
		Effected: sent && rapid.IntRange(0, 3).Draw(t, "effected") == 0,
	}}
}
