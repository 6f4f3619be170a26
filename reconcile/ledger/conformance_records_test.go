package ledger

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

var recordCases = map[string]func(*testing.T, *fixture){
	"a match spends the approval, once": func(t *testing.T, f *fixture) {
		g := plan.GenerationMark{Topology: "orders", Generation: 8, Document: "x"}
		must(t, f.SpendOnMatch(t.Context(), g, "c1"))
		must(t, f.SpendOnMatch(t.Context(), g, "c1"))
		same(t, f.kinds("orders"), []Kind{KindMatched})
		same(t, f.read().Memory().Generations, []plan.GenerationMark{g})
		wantSpent(t, f.lock("orders").Begin(t.Context(), failover("orders", 8, "d1")), 8)
	},
	"a match says nothing while an intent is open": func(t *testing.T, f *fixture) {
		must(t, f.lock("orders").Begin(t.Context(), failover("orders", 8, "d1")))
		var open *OpenIntentError
		if err := f.SpendOnMatch(t.Context(), plan.GenerationMark{Topology: "orders", Generation: 8}, "c1"); !errors.As(err, &open) {
			t.Fatal(err)
		}
	},
	"a generation only rises and keeps its first document": func(t *testing.T, f *fixture) {
		for _, g := range []plan.GenerationMark{{Generation: 7, Document: "x"}, {Generation: 7, Document: "y"}, {Generation: 3, Document: "z"}} {
			g.Topology = "orders"
			must(t, f.RecordGeneration(t.Context(), g))
		}
		same(t, f.read().Memory().Generations, []plan.GenerationMark{{Topology: "orders", Generation: 7, Document: "x"}})
		same(t, f.kinds("orders"), []Kind{KindGeneration})
	},
	"a home is recorded when it changes": func(t *testing.T, f *fixture) {
		for _, name := range []string{"orders", "orders", "users"} {
			must(t, f.RecordHome(t.Context(), plan.Home{Cluster: "a", Topology: name}))
		}
		same(t, f.read().Memory().Homes, []plan.Home{{Cluster: "a", Topology: "users"}})
		same(t, f.kinds(""), []Kind{KindBorn, KindHome, KindHome})
	},
	"progress replaces itself and is not history": func(t *testing.T, f *fixture) {
		at := start.Add(time.Minute)
		must(t, f.RecordProgress(t.Context(), plan.ProgressRecord{Cluster: "c", Source: "a", At: start}, plan.ProgressRecord{Cluster: "b", Source: "a", At: start}))
		newer := plan.ProgressRecord{
			Cluster: "b", Source: "a", At: at, NoBacklogAt: at, Collections: []string{"db/x"},
			Channels: []plan.ChannelProgress{{
				Channel: "b_0", Known: true, SourceCluster: "a", SourceChannel: "a_0", MessageID: "0a", TimeTick: 1 << 60,
				CaughtUpAt: &at, Salvage: []plan.Salvage{{SourceCluster: "z", SourceChannel: "z_0", MessageID: "0b", TimeTick: 2}},
			}},
		}
		must(t, f.RecordProgress(t.Context(), newer))
		same(t, f.read().Memory().Progress, []plan.ProgressRecord{newer, {Cluster: "c", Source: "a", At: start}})
		same(t, f.kinds(""), []Kind{KindBorn})
	},
	"history is a chain that names who and what": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, f.RecordHome(t.Context(), plan.Home{Cluster: "z", Topology: "users"}))
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		must(t, k.Finish(t.Context(), "done", "verified"))
		all := f.read().History("")
		prev := ""
		for i, r := range all {
			if r.Seq != uint64(i+1) || r.PrevHash != prev || len(r.Hash) != 64 {
				t.Fatalf("%+v", r)
			}
			prev = r.Hash
		}
		own := f.read().History("orders")
		if len(own) != 2 || !slices.Equal(own[0].By, []string{"alice@example.com"}) || own[0].Transition != plan.TransitionFailover ||
			own[1].Result != "done" || own[1].Detail != "verified" || own[1].Commit != "cd1" || own[1].Generation != 8 {
			t.Fatalf("%+v", own)
		}
	},
	"what another stale cluster holds is no loss of the failover": func(t *testing.T, f *fixture) {
		k, begun := f.lock("orders"), failover("orders", 8, "d1")
		other := begun.Stale[0]
		other.Cluster, other.Checkpoints = "0", nil // a standby before, and the first by name
		begun.Stale = append([]plan.StaleMark{other}, begun.Stale...)
		begun.Intent.FailedAt, begun.Intent.Steps = start.Add(-time.Second), begun.Intent.Steps[:1]
		must(t, k.Begin(t.Context(), begun))
		must(t, k.Effected(t.Context()))
		must(t, k.Finish(t.Context(), "applied", "b works"))
		c := counted(3, 50)
		c.Cluster = "0"
		must(t, f.RecordLoss(t.Context(), c))
		own := f.read().History("orders")
		if own[0].Primary != "b" || own[0].Lost != "a" || own[2].Loss != nil {
			t.Errorf("primary %q, lost %q, loss %+v", own[0].Primary, own[0].Lost, own[2].Loss)
		}
		must(t, f.RecordLoss(t.Context(), counted(1, 2)))
		if own = f.read().History("orders"); own[2].Loss == nil || own[2].Loss.Cluster != "a" {
			t.Errorf("loss %+v", own[2].Loss)
		}
	},
	"a count of a loss is bound to its failover": func(t *testing.T, f *fixture) {
		c := counted(3, 37)
		refused := func(why string, c plan.CountedLoss) {
			t.Helper()
			if err := f.RecordLoss(t.Context(), c); !errors.Is(err, ErrTransition) {
				t.Errorf("%s: %v", why, err)
			}
		}
		refused("there is no failover", c)
		k := f.lock("orders")
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		refused("it has not taken effect", c)
		must(t, k.Effected(t.Context()))
		must(t, k.Finish(t.Context(), "applied", "b works; lost: up to 3 s of the writes to a: …"))
		for why, edit := range map[string]func(*plan.CountedLoss){
			"another cluster was promoted":               func(c *plan.CountedLoss) { c.Promoted = "z" },
			"another cluster became stale":               func(c *plan.CountedLoss) { c.Cluster = "b" },
			"it is of another failover":                  func(c *plan.CountedLoss) { c.Since = c.Since.Add(time.Second) },
			"it is of another topology":                  func(c *plan.CountedLoss) { c.Topology = "users" },
			"a kind without a name":                      func(c *plan.CountedLoss) { c.Lost = []plan.LossCount{{Messages: 1}} },
			"messages without a time":                    func(c *plan.CountedLoss) { c.First = time.Time{} },
			"it does not say up to which time it counts": func(c *plan.CountedLoss) { c.Until = time.Time{} },
		} {
			odd := c
			edit(&odd)
			refused(why, odd)
		}
		must(t, f.RecordLoss(t.Context(), c))
		must(t, f.RecordLoss(t.Context(), c))
		same(t, f.kinds("orders"), []Kind{KindIntent, KindEffected, KindResult, KindCounted})
		refused("less than before", counted(2, 30))
		fenced := counted(4, 40)
		fenced.Closed, fenced.Later = true, []plan.LossCount{{Kind: "delete", Messages: 2, Rows: 5}}
		must(t, f.RecordLoss(t.Context(), fenced))
		s := f.read()
		fenced.At = s.Newest()
		same(t, s.Memory().Losses, []plan.CountedLoss{fenced})
		own := s.History("orders")
		same(t, len(own), 5)
		same(t, []int64{own[4].Generation, own[3].Generation}, []int64{8, 8})
		same(t, own[2].Lines(), []string{
			"the failover is done, generation 8", "b works",
			"lost: 40 rows in 4 messages, exactly, counted " + fenced.At.UTC().Format(time.RFC3339) + ", apart from 5 rows in 2 messages that a took after the failover began",
		})
	},
	"writers that race record one fact once": func(t *testing.T, f *fixture) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := f.reopen().SpendOnMatch(t.Context(), plan.GenerationMark{Topology: "orders", Generation: 1}, "c"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		same(t, f.kinds(""), []Kind{KindBorn, KindMatched})
	},
}
