package plan

import (
	"strings"
	"testing"
	"time"
)

// TestUnderWay: while another process holds the lock of an open intent, a plan says what
// it does, asks for no rounds, and offers nothing to accept.
func TestUnderWay(t *testing.T) {
	failover := world{t: failingOver("b", "a"), views: []View{down("a"), idle(standbyOf("a", "b"))}, evidence: []Evidence{lost("a", "b")}}
	other := failingOver("b", "a")
	other.Generation++
	back := pairOf("a", "b").after(failingOver("b", "a"))
	back.Generation = other.Generation
	for name, c := range map[string]struct {
		document Topology
		intent   func(*Intent)
		held     bool
		step     string // empty: nothing is under way
		doubt    bool
	}{
		"nobody works at it":                {failover.t, func(i *Intent) { i.MayHaveSent = true }, false, "", false},
		"it sends":                          {failover.t, func(i *Intent) { i.MayHaveSent = true }, true, "sends the force promote of b", false},
		"it sent nothing as yet":            {failover.t, func(i *Intent) { i.MayHaveSent = false }, true, "sends it next", false},
		"it took effect":                    {failover.t, func(i *Intent) { i.Effected = true }, true, "it took effect", false},
		"another document meanwhile":        {back, func(i *Intent) { i.MayHaveSent = true }, true, "sends the force promote of b", true},
		"another document, and nobody":      {back, func(i *Intent) { i.MayHaveSent = true }, false, "", true},
		"the lock of another topology":      {failover.t, nil, true, "", false},
		"the same document, not yet probed": {failover.t, func(i *Intent) { i.MayHaveSent = true }, true, "sends the force promote of b", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := failover
			w.memory = Memory{}
			if c.intent != nil {
				w.memory = begun(t, failover, c.intent)
				w.memory.Intents[0].StepAt = now.Add(-time.Second)
			}
			w.t, w.evidence = c.document, nil
			if c.held {
				w.memory.Holders = []LockHolder{{Topology: "orders", By: "reconcile (process 7 on ops-1)"}}
			}
			p := w.plan(t)
			switch u := p.UnderWay; {
			case (u == nil) != (c.step == ""):
				t.Fatalf("under way: %+v", u)
			case u != nil && (!strings.Contains(u.Step, c.step) || u.By != "reconcile (process 7 on ops-1)" || u.Since.IsZero() || !u.StepSince.Equal(now.Add(-time.Second))):
				t.Errorf("under way: %+v", u)
			}
			if p.UnderWay != nil && (len(w.wants()) > 0 || p.Has(CodePrimaryNotProbed)) {
				t.Errorf("it asks for rounds: %+v, %v", w.wants(), codesOf(p))
			}
			f := find(p, CodePromotionInDoubt, "b")
			if (f != nil) != c.doubt {
				t.Fatalf("in doubt: %+v", f)
			}
			if f != nil && f.Acceptable == (p.UnderWay != nil) {
				t.Errorf("acceptable: %t, %s", f.Acceptable, f.Remedy)
			}
			for _, f := range p.Findings {
				if p.UnderWay != nil && strings.Contains(f.Remedy, "Failover-Accept") {
					t.Errorf("it offers to accept: %s", f.Remedy)
				}
			}
		})
	}
}
