package ledger

import (
	"errors"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

var carryOnCases = map[string]func(*testing.T, *fixture){
	"sent and effected show in memory, once each": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		must(t, k.Sent(t.Context()))
		must(t, k.Sent(t.Context()))
		m := f.read().Memory()
		if in := m.Intents[0]; !in.MayHaveSent || in.Effected || m.Stale[0].Effected {
			t.Fatalf("%+v %+v", in, m.Stale)
		}
		must(t, k.Effected(t.Context()))
		must(t, k.Effected(t.Context()))
		m = f.read().Memory()
		if in := m.Intents[0]; !in.Effected || !m.Stale[0].Effected || m.Stale[0].Fenced {
			t.Fatalf("%+v %+v", in, m.Stale)
		}
		same(t, f.kinds("orders"), []Kind{KindIntent, KindSent, KindEffected})
	},
	"an intent remembers when the failure began": func(t *testing.T, f *fixture) {
		b := failover("orders", 8, "d1")
		b.Intent.FailedAt = start.Add(-time.Minute)
		must(t, f.lock("orders").Begin(t.Context(), b))
		same(t, f.read().Memory().Intents[0].FailedAt, b.Intent.FailedAt)
		must(t, f.lock("users").Begin(t.Context(), failover("users", 8, "d1")))
		same(t, f.read().Memory().Intents[1].FailedAt.IsZero(), true)
	},
	"a finished failover is the last one, from when it took effect": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		must(t, k.Effected(t.Context()))
		at := f.read().Newest()
		same(t, f.read().Memory().Failovers, []plan.LastFailover(nil))
		must(t, k.Finish(t.Context(), "done", "verified"))
		m := f.read().Memory()
		same(t, m.Failovers, []plan.LastFailover{{Topology: "orders", Promoted: "b", Commit: "cd1", At: at}})
		same(t, m.Intents, []plan.Intent(nil))
		same(t, m.Freed, []plan.FreedMark{{Cluster: "b", At: at}})
	},
	"what may have been sent is free from then, and what took effect from there": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		same(t, f.read().Memory().Freed, []plan.FreedMark(nil))
		must(t, k.Sent(t.Context()))
		same(t, f.read().Memory().Freed, []plan.FreedMark{{Cluster: "b", At: f.read().Newest()}})
		must(t, k.Effected(t.Context()))
		same(t, f.read().Memory().Freed, []plan.FreedMark{{Cluster: "b", At: f.read().Newest()}})
	},
	"a failover that took no effect is not the last one": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		must(t, k.Finish(t.Context(), "failed", "gave up"))
		same(t, f.read().Memory().Failovers, []plan.LastFailover(nil))
	},
	"a reversal takes back its own transaction only": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		must(t, k.Effected(t.Context()))
		must(t, k.Finish(t.Context(), "done", ""))
		before := f.read()
		b := failover("orders", 9, "d2")
		b.Provisions = []plan.UsedProvision{{Cluster: "n", At: start}}
		must(t, k.Begin(t.Context(), b))
		must(t, k.Sent(t.Context()))
		must(t, k.Reverse(t.Context(), "not a secondary"))
		after := f.read()
		same(t, after.Spent("orders"), before.Spent("orders"))
		same(t, after.Memory().Stale, before.Memory().Stale)
		same(t, after.Memory().Provisions, before.Memory().Provisions)
		same(t, after.Memory().Freed, before.Memory().Freed)
		must(t, k.Begin(t.Context(), b))
	},
	"an effected intent is not reversed": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		must(t, k.Effected(t.Context()))
		if err := k.Reverse(t.Context(), "x"); !errors.Is(err, ErrTransition) {
			t.Fatal(err)
		}
	},
	"nothing goes on without an intent": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		for _, err := range []error{k.Sent(t.Context()), k.Effected(t.Context()), k.Reverse(t.Context(), "x"), k.Finish(t.Context(), "done", "")} {
			if !errors.Is(err, ErrNoIntent) {
				t.Fatal(err)
			}
		}
	},
	"a result has a word": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		if err := k.Finish(t.Context(), "", ""); !errors.Is(err, ErrTransition) {
			t.Fatal(err)
		}
	},
	"an effected fence marks the stale cluster": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		must(t, k.Effected(t.Context()))
		must(t, k.Finish(t.Context(), "done", ""))
		must(t, k.Begin(t.Context(), fence(8)))
		must(t, k.Effected(t.Context()))
		must(t, k.Finish(t.Context(), "done", ""))
		m := f.read().Memory()
		if !m.Stale[0].Fenced || len(m.Failovers) != 1 {
			t.Fatalf("%+v %+v", m.Stale, m.Failovers)
		}
	},
}
