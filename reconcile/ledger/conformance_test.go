package ledger

import (
	"context"
	"errors"
	"testing"

	"milvus-reconcile/plan"
)

// opener makes a fresh store; what it returns opens that store once more, as
// another process would.
type opener func(t *testing.T) func(Options) *Ledger

// conformance is what every ledger must do, whatever keeps it.
func conformance(t *testing.T, open opener) {
	for _, suite := range []map[string]func(*testing.T, *fixture){birthCases, beginCases, carryOnCases, recordCases, latestCases, formatCases, lockCases, leaderCases, shardCases} {
		for name, run := range suite {
			t.Run(name, func(t *testing.T) { run(t, newFixture(t, open)) })
		}
	}
}

var birthCases = map[string]func(*testing.T, *fixture){
	"reading does not make a ledger": func(t *testing.T, f *fixture) {
		s := f.read()
		if at, ok := s.Born(); ok || !s.Newest().IsZero() {
			t.Fatalf("born %v", at)
		}
		same(t, s.Memory(), plan.Memory{Ledger: f.store.kind()})
	},
	"it is born once": func(t *testing.T, f *fixture) {
		first, isNew, err := f.Ensure(t.Context())
		must(t, err)
		again, isNewAgain, err := f.reopen().Ensure(t.Context())
		must(t, err)
		if !isNew || isNewAgain || !first.Equal(again) || first.IsZero() {
			t.Fatalf("%v %v, then %v %v", first, isNew, again, isNewAgain)
		}
		same(t, f.kinds(""), []Kind{KindBorn})
	},
	"the first record brings its birth": func(t *testing.T, f *fixture) {
		must(t, f.RecordHome(t.Context(), plan.Home{Cluster: "a", Topology: "orders"}))
		same(t, f.kinds(""), []Kind{KindBorn, KindHome})
	},
	"a cancelled caller writes nothing": func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := f.Ensure(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		same(t, f.kinds(""), []Kind(nil))
	},
}

var beginCases = map[string]func(*testing.T, *fixture){
	"one transaction holds intent, approval, stale marks and provisions": func(t *testing.T, f *fixture) {
		b := failover("orders", 8, "d1")
		b.Provisions = []plan.UsedProvision{{Cluster: "n", At: start}}
		must(t, f.lock("orders").Begin(t.Context(), b))
		s := f.read()
		want := b.Intent
		want.At, want.StepAt = s.Newest(), s.Newest()
		same(t, s.Memory(), plan.Memory{
			Ledger: f.store.kind(), Intents: []plan.Intent{want}, Stale: b.Stale, Provisions: b.Provisions,
			Generations: []plan.GenerationMark{{Topology: "orders", Generation: 8, Document: "docd1"}},
			Settled:     []plan.SettledMark{{Topology: "orders", At: s.Newest()}},
		})
		same(t, s.Spent("orders"), []Mark{{Topology: "orders", Generation: 8, PayloadHash: b.Payloads[0], Commit: "cd1", At: s.Newest()}})
		same(t, f.kinds("orders"), []Kind{KindIntent})
	},
	"the same intent is resumed without a record": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		must(t, k.Sent(t.Context()))
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		same(t, f.kinds("orders"), []Kind{KindIntent, KindSent})
	},
	"another intent waits for the open one": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		var open *OpenIntentError
		if err := k.Begin(t.Context(), failover("orders", 9, "d2")); !errors.As(err, &open) || open.Intent.Generation != 8 {
			t.Fatal(err)
		}
	},
	"an approval serves one generation once": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		must(t, k.Finish(t.Context(), "done", ""))
		again := failover("orders", 8, "d2")
		wantSpent(t, k.Begin(t.Context(), again), 8)
	},
	"a signed payload serves once, whatever its prefix": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		must(t, k.Finish(t.Context(), "done", ""))
		again := failover("orders", 9, "d2")
		again.Payloads = []string{"sha256:" + payload("ordersd1")}
		wantSpent(t, k.Begin(t.Context(), again), 8)
	},
	"one payload may approve two topologies": func(t *testing.T, f *fixture) {
		must(t, f.lock("orders").Begin(t.Context(), failover("orders", 8, "d1")))
		other := failover("users", 3, "d2")
		other.Payloads = []string{payload("ordersd1")}
		must(t, f.lock("users").Begin(t.Context(), other))
	},
	"a generation below the greatest seen is refused": func(t *testing.T, f *fixture) {
		must(t, f.RecordGeneration(t.Context(), plan.GenerationMark{Topology: "orders", Generation: 9, Document: "x"}))
		refused(t, f, failover("orders", 8, "d1"))
	},
	"without an approval is refused": func(t *testing.T, f *fixture) {
		b := failover("orders", 8, "d1")
		b.Payloads = nil
		refused(t, f, b)
	},
	"a payload that is not a hash is refused": func(t *testing.T, f *fixture) {
		b := failover("orders", 8, "d1")
		b.Payloads = []string{"root:Milvus"}
		refused(t, f, b)
	},
	"without a digest is refused": func(t *testing.T, f *fixture) { refused(t, f, failover("orders", 8, "")) },
	"without a transition is refused": func(t *testing.T, f *fixture) {
		b := failover("orders", 8, "d1")
		b.Intent.Transition = plan.TransitionNone
		refused(t, f, b)
	},
	"a fence rests on the failover and spends nothing": func(t *testing.T, f *fixture) {
		must(t, f.lock("orders").Begin(t.Context(), fence(8)))
		same(t, f.read().Spent("orders"), []Mark(nil))
	},
}

func refused(t *testing.T, f *fixture, b Beginning) {
	t.Helper()
	before := f.kinds("orders")
	if err := f.lock("orders").Begin(t.Context(), b); !errors.Is(err, ErrTransition) {
		t.Fatal(err)
	}
	same(t, f.kinds("orders"), before)
}

func fence(generation int64) Beginning {
	b := failover("orders", generation, "f1")
	b.Intent.Transition, b.Payloads, b.Stale = plan.TransitionFence, nil, nil
	b.Intent.Steps = []plan.Step{{ID: 1, Wave: 1, Action: plan.ActionFence, Cluster: "a"}}
	return b
}

func wantSpent(t *testing.T, err error, generation int64) {
	t.Helper()
	var spent *SpentError
	if !errors.As(err, &spent) || spent.Mark.Generation != generation {
		t.Fatal(err)
	}
}
