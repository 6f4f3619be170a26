package ledger

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

var latestCases = map[string]func(*testing.T, *fixture){
	"a lapse is recorded once for each payload": func(t *testing.T, f *fixture) {
		p := Lapse{Topology: "orders", Generation: 8, Commit: "c8", Payloads: []string{payload("a"), payload("b")}}
		must(t, f.RecordLapse(t.Context(), p))
		must(t, f.RecordLapse(t.Context(), p))
		p.Payloads = []string{"sha256:" + payload("b"), payload("c")}
		must(t, f.RecordLapse(t.Context(), p))
		s := f.read()
		got := s.Lapsed("orders")
		same(t, len(got), 2)
		same(t, got[0].Payloads, []string{payload("a"), payload("b")})
		same(t, got[1].Payloads, []string{payload("c")})
		same(t, got[1].Generation, int64(8))
		same(t, got[1].At, s.Newest())
		same(t, s.Lapsed("users"), []Lapse(nil))
		same(t, f.kinds("orders"), []Kind{KindLapsed, KindLapsed})
	},
	"a lapse spends nothing": func(t *testing.T, f *fixture) {
		must(t, f.RecordLapse(t.Context(), Lapse{Topology: "orders", Generation: 8, Payloads: []string{payload("ordersd1")}}))
		must(t, f.lock("orders").Begin(t.Context(), failover("orders", 8, "d1")))
	},
	"a lapse without a payload is refused": func(t *testing.T, f *fixture) {
		for _, p := range []Lapse{{Topology: "orders"}, {Payloads: []string{payload("a")}}, {Topology: "orders", Payloads: []string{"root:Milvus"}}} {
			if err := f.RecordLapse(t.Context(), p); !errors.Is(err, ErrTransition) {
				t.Errorf("%+v: %v", p, err)
			}
		}
	},
	"a served version never goes back": func(t *testing.T, f *fixture) {
		for _, version := range []int64{7, 7, 9} {
			must(t, f.RecordServed(t.Context(), "orders", Served{Version: version}))
		}
		if err := f.RecordServed(t.Context(), "orders", Served{Version: 8}); !errors.Is(err, ErrTransition) {
			t.Fatal(err)
		}
		same(t, f.read().Served()["orders"].Version, int64(9))
		same(t, f.read().Served()["users"].Version, int64(0))
		same(t, f.kinds("orders"), []Kind{KindServed, KindServed})
	},
	"a Git head is the last one seen, by url and ref": func(t *testing.T, f *fixture) {
		a := GitHead{URL: "ssh://git.example/t.git", Ref: "refs/heads/main", Commit: "c1", At: start}
		must(t, f.RecordGitHead(t.Context(), a))
		b := a
		b.Ref, b.Commit = "refs/heads/other", "c2"
		must(t, f.RecordGitHead(t.Context(), b))
		a.Commit, a.At = "c3", start.Add(time.Minute)
		must(t, f.RecordGitHead(t.Context(), a))
		unchanged := a
		unchanged.At = start.Add(time.Hour)
		must(t, f.RecordGitHead(t.Context(), unchanged))
		s := f.read()
		for _, want := range []GitHead{a, b} {
			got, ok := s.GitHead(want.URL, want.Ref)
			if !ok {
				t.Fatal("not there")
			}
			same(t, got, want)
		}
		if _, ok := s.GitHead(a.URL, "refs/heads/none"); ok {
			t.Fatal("there")
		}
		same(t, f.kinds(""), []Kind{KindBorn})
	},
	"a Git head names its place": func(t *testing.T, f *fixture) {
		if err := f.RecordGitHead(t.Context(), GitHead{URL: "u", Ref: "r"}); !errors.Is(err, ErrTransition) {
			t.Fatal(err)
		}
	},
	"an audit keeps when a standby was last proven equal": func(t *testing.T, f *fixture) {
		equal := plan.AuditMark{Topology: "orders", Primary: "a", Standby: "b", At: start, Verdict: plan.ContentEqual, EqualAt: start, EqualRows: 7, EqualSampled: 2}
		_ = f.RecordAudit(t.Context(), equal) // it has no folder, or there is none to record
		if _, exists := f.read().Born(); exists {
			t.Fatal("an audit made a ledger")
		}
		must(t, f.RecordHome(t.Context(), plan.Home{Cluster: "b", Topology: "orders"}))
		must(t, f.RecordAudit(t.Context(), equal))
		must(t, f.RecordAudit(t.Context(), plan.AuditMark{Topology: "orders", Primary: "a", Standby: "b", At: start.Add(time.Hour), Found: []string{"it lags"}, More: 1}))
		want := equal
		want.At, want.Verdict, want.Found, want.More = start.Add(time.Hour), plan.ContentUnproven, []string{"it lags"}, 1
		same(t, f.read().Memory().Audits, []plan.AuditMark{want})
		if err := f.RecordAudit(t.Context(), plan.AuditMark{Standby: "b"}); !errors.Is(err, ErrTransition) {
			t.Fatal(err)
		}
		same(t, f.kinds("orders"), []Kind{KindHome})
	},
	"what a primary serves and a standby lacks is kept as it was read last": func(t *testing.T, f *fixture) {
		mark := plan.ServingMark{Topology: "orders", Primary: "a", At: start.Add(time.Hour), Collections: []plan.ServedCollection{
			{Name: "default/cold"},
			{Name: "default/hot", Loaded: true, Replicas: 2, Indexes: []plan.CollectionIndex{{Name: "v", Field: "vector", Params: []plan.IndexParam{{Key: "index_type", Value: "HNSW"}}}}},
		}}
		_ = f.RecordServing(t.Context(), mark) // it has no folder, or there is none to record
		if _, exists := f.read().Born(); exists {
			t.Fatal("it made a ledger")
		}
		must(t, f.RecordHome(t.Context(), plan.Home{Cluster: "a", Topology: "orders"}))
		must(t, f.RecordServing(t.Context(), mark))
		must(t, f.RecordServing(t.Context(), plan.ServingMark{Topology: "orders", Primary: "b", At: start}))
		same(t, f.read().Memory().Serving, []plan.ServingMark{mark})
		if err := f.RecordServing(t.Context(), plan.ServingMark{Topology: "orders"}); !errors.Is(err, ErrTransition) {
			t.Fatal(err)
		}
		audit := plan.AuditMark{Topology: "orders", Primary: "a", Standby: "b", At: start, Readiness: plan.Readiness{Asked: true, Unloaded: []string{"default/hot"}}}
		must(t, f.RecordAudit(t.Context(), audit))
		same(t, f.read().Memory().Audits, []plan.AuditMark{audit})
	},
	"an outage keeps its first failed probe when another process looks again": func(t *testing.T, f *fixture) {
		seen := func(since, until time.Duration) plan.Outage {
			return plan.Outage{Cluster: "a", Topology: "orders", Since: start.Add(since), Until: start.Add(until)}
		}
		must(t, f.RecordHome(t.Context(), plan.Home{Cluster: "a", Topology: "orders"}))
		must(t, f.RecordOutages(t.Context(), []plan.Outage{seen(0, time.Second), {Cluster: "z", Topology: "users", Since: start, Until: start}}, nil))
		must(t, f.RecordOutages(t.Context(), []plan.Outage{seen(time.Minute, 2*time.Minute)}, nil))
		must(t, f.RecordOutages(t.Context(), []plan.Outage{seen(time.Second, time.Minute)}, nil))
		got := f.read().Memory().Outages
		same(t, len(got), 2)
		same(t, got[0], seen(0, 2*time.Minute))
		must(t, f.RecordOutages(t.Context(), nil, []string{"a", "no-such"}))
		got = f.read().Memory().Outages
		same(t, len(got), 1)
		same(t, got[0].Cluster, "z")
		must(t, f.RecordOutages(t.Context(), []plan.Outage{seen(time.Hour, time.Hour)}, nil))
		same(t, f.read().Memory().Outages[0], seen(time.Hour, time.Hour))
		same(t, f.kinds("orders"), []Kind{KindHome})
	},
	"outages that ended without a failover are kept, the newest of them": func(t *testing.T, f *fixture) {
		must(t, f.RecordHome(t.Context(), plan.Home{Cluster: "a", Topology: "orders"}))
		down := func(i int) plan.Outage {
			at := start.Add(time.Duration(i) * time.Hour)
			return plan.Outage{Cluster: "a", Topology: "orders", Since: at, Until: at.Add(time.Minute), LivedAt: at.Add(-time.Second)}
		}
		for i := range endedKept + 2 {
			must(t, f.RecordOutages(t.Context(), []plan.Outage{down(i)}, nil)) // it lived after the one before
		}
		must(t, f.RecordOutages(t.Context(), nil, []string{"a", "no-such"}))
		ended := f.read().Memory().Ended
		same(t, len(ended), endedKept)
		last := ended[endedKept-1]
		same(t, []any{last.Cluster, last.Topology, last.Since, last.Until}, []any{"a", "orders", down(endedKept + 1).Since, down(endedKept + 1).Until})
		same(t, ended[0].UpAt, down(3).LivedAt)
		same(t, len(EndedOutages(ended, "orders")), endedKept)
		same(t, len(EndedOutages(ended, "users")), 0)
	},
	"an outage that a failover ended is told by the failover": func(t *testing.T, f *fixture) {
		k := f.lock("orders")
		must(t, f.RecordOutages(t.Context(), []plan.Outage{{Cluster: "a", Topology: "orders", Since: start.Add(-time.Hour), Until: start}}, nil))
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		must(t, f.RecordOutages(t.Context(), nil, []string{"a"}))
		m := f.read().Memory()
		same(t, len(m.Outages)+len(m.Ended), 0)
	},
	"of each topology the newest drift is kept": func(t *testing.T, f *fixture) {
		must(t, f.RecordHome(t.Context(), plan.Home{Cluster: "a", Topology: "orders"}))
		found := plan.DriftMark{Topology: "orders", At: start, Drifted: true, Codes: []plan.Code{plan.CodeReplicationStalled}}
		must(t, f.RecordDrifts(t.Context(), []plan.DriftMark{found, {Topology: "users", At: start, InSync: true}}))
		same(t, f.read().Memory().Drifts, []plan.DriftMark{found, {Topology: "users", At: start, InSync: true}})
		must(t, f.RecordDrifts(t.Context(), []plan.DriftMark{{Topology: "users", At: start.Add(time.Second), InSync: true}})) // the same, within a minute
		over := plan.DriftMark{Topology: "orders", At: start.Add(time.Second), InSync: true}
		must(t, f.RecordDrifts(t.Context(), []plan.DriftMark{over}))
		must(t, f.RecordDrifts(t.Context(), []plan.DriftMark{found})) // of before
		same(t, f.read().Memory().Drifts, []plan.DriftMark{over, {Topology: "users", At: start, InSync: true}})
		same(t, f.kinds("orders"), []Kind{KindHome})
	},
	"a drift from before the newest record of a change is not told": func(t *testing.T, f *fixture) {
		must(t, f.RecordHome(t.Context(), plan.Home{Cluster: "a", Topology: "orders"}))
		before := []plan.DriftMark{{Topology: "orders", At: start.Add(-time.Hour), InSync: true}, {Topology: "users", At: start.Add(-time.Hour), InSync: true}}
		must(t, f.RecordDrifts(t.Context(), before))
		same(t, f.read().Memory().Drifts, before)
		k := f.lock("orders")
		must(t, k.Begin(t.Context(), failover("orders", 8, "d1")))
		same(t, f.read().Memory().Drifts, before[1:])
		must(t, k.Sent(t.Context()))
		must(t, f.RecordDrifts(t.Context(), []plan.DriftMark{{Topology: "orders", At: f.read().Newest(), Drifted: true}}))
		same(t, f.read().Memory().Drifts, before[1:])
		after := plan.DriftMark{Topology: "orders", At: f.read().Newest().Add(time.Second), Drifted: true, Codes: []plan.Code{plan.CodeNoPrimary}}
		must(t, f.RecordDrifts(t.Context(), []plan.DriftMark{after}))
		same(t, f.read().Memory().Drifts, []plan.DriftMark{after, before[1]})
	},
	"what was proven of a standby joins what a sweep recorded": func(t *testing.T, f *fixture) {
		must(t, f.RecordHome(t.Context(), plan.Home{Cluster: "b", Topology: "orders"}))
		swept := plan.ProgressRecord{Cluster: "b", Source: "a", At: start, NoBacklogAt: start, Collections: []string{"default/orders"}}
		must(t, f.RecordProgress(t.Context(), swept))
		must(t, f.RecordProven(t.Context(), []plan.ProgressRecord{{Cluster: "b", Source: "a", At: start.Add(time.Millisecond)}}))
		same(t, f.read().Memory().Progress, []plan.ProgressRecord{swept})
		must(t, f.RecordProven(t.Context(), []plan.ProgressRecord{{Cluster: "b", Source: "a", At: start.Add(time.Minute)}}))
		want := swept
		want.At = start.Add(time.Minute)
		same(t, f.read().Memory().Progress, []plan.ProgressRecord{want})
		same(t, f.kinds("orders"), []Kind{KindHome})
	},
	"what was proven makes no ledger": func(t *testing.T, f *fixture) {
		_ = f.RecordProven(t.Context(), []plan.ProgressRecord{{Cluster: "b", Source: "a", At: start}}) // it has no folder, or there is none to record
		if _, exists := f.read().Born(); exists {
			t.Fatal("there is one now")
		}
	},
	"an outage with a sign of life since begins again": func(t *testing.T, f *fixture) {
		must(t, f.RecordHome(t.Context(), plan.Home{Cluster: "a", Topology: "orders"}))
		must(t, f.RecordOutages(t.Context(), []plan.Outage{{Cluster: "a", Topology: "orders", Since: start, Until: start}}, nil))
		again := plan.Outage{
			Cluster: "a", Topology: "orders", Since: start.Add(time.Hour), Until: start.Add(time.Hour),
			SeenUp: start.Add(time.Minute), LivedAt: start.Add(2 * time.Minute), Unwatched: 0,
		}
		must(t, f.RecordOutages(t.Context(), []plan.Outage{again}, nil))
		same(t, f.read().Memory().Outages, []plan.Outage{again})
	},
	"an outage makes no ledger": func(t *testing.T, f *fixture) {
		_ = f.RecordOutages(t.Context(), []plan.Outage{{Cluster: "a", Topology: "orders", Since: start, Until: start}}, []string{"b"}) // it has no folder, or there is none to record
		if _, exists := f.read().Born(); exists {
			t.Fatal("there is one now")
		}
		before := f.read().Memory().Outages // a file keeps them
		_, _, err := f.Ensure(t.Context())
		must(t, err)
		same(t, f.read().Memory().Outages, before)
	},
	"the sweep of a large fleet is stored": func(t *testing.T, f *fixture) {
		var sweep []plan.ProgressRecord
		for i := range 3*f.store.batch() + 1 {
			sweep = append(sweep, wide(fmt.Sprintf("c%04d", i), max(3, 64*50/f.store.batch())))
		}
		must(t, f.RecordProgress(t.Context(), sweep...))
		same(t, f.read().Memory().Progress, sweep)
	},
	"thousands of records are read again": func(t *testing.T, f *fixture) {
		const many = 1500
		im := longChain(t, f.Ledger, many)
		must(t, f.store.commit(t.Context(), nil, func(image) (change, error) {
			return change{format: formatVersion, head: headOf(im.chain, nil), append: im.chain[:bulk]}, nil
		}))
		for rest := im.chain[bulk:]; len(rest) > 0; {
			n := min(bulk, len(rest))
			must(t, f.store.commit(t.Context(), nil, func(image) (change, error) {
				return change{format: formatVersion, head: headOf(im.chain, nil), append: rest[:n]}, nil
			}))
			rest = rest[n:]
		}
		same(t, len(f.read().History("")), many)
		must(t, f.RecordHome(t.Context(), plan.Home{Cluster: "z", Topology: "users"}))
		same(t, len(f.read().History("")), many+1)
	},
	"an intent of a wide topology is stored": func(t *testing.T, f *fixture) {
		b := failover("orders", 8, "d1")
		var big plan.Configuration
		for i := range 10 {
			m := plan.Member{ID: fmt.Sprint("cluster-", i), URI: "http://x:1"}
			for c := range 256 {
				m.PChannels = append(m.PChannels, fmt.Sprintf("cluster-%d-rootcoord-dml_%d", i, c))
			}
			big.Clusters = append(big.Clusters, m)
		}
		for i := range 10 {
			b.Intent.Steps = append(b.Intent.Steps, plan.Step{ID: 10 + i, Wave: 4, Action: plan.ActionUpdate, Cluster: "b", Before: &big, After: &big})
		}
		must(t, f.lock("orders").Begin(t.Context(), b))
		same(t, f.read().Memory().Intents[0].Steps, b.Intent.Steps)
	},
}

// bulk is how many records the tests write at once.
const bulk = 100

// wide is the progress of a standby with so many channels.
func wide(cluster string, channels int) plan.ProgressRecord {
	p := plan.ProgressRecord{Cluster: cluster, Source: "a", At: start, NoBacklogAt: start}
	for i := range channels {
		p.Channels = append(p.Channels, plan.ChannelProgress{
			Channel: fmt.Sprintf("%s-rootcoord-dml_%d", cluster, i), Known: true, SourceCluster: "a",
			SourceChannel: fmt.Sprintf("a-rootcoord-dml_%d", i), MessageID: "0a0b0c", TimeTick: 1 << 60,
		})
	}
	return p
}

// longChain is a chain of n records, made without a store.
func longChain(t testing.TB, l *Ledger, n int) image {
	t.Helper()
	im := image{format: formatVersion}
	var last sealed
	for i := range n {
		e := entry{Kind: KindHome, Topology: "orders", Cluster: fmt.Sprint("c", i), At: start}
		if i == 0 {
			e = entry{Kind: KindBorn, At: start}
		}
		next, err := seal(last, e)
		if err != nil {
			t.Fatal(err)
		}
		im.chain, last = append(im.chain, next), next
	}
	return im
}

var leaderCases = map[string]func(*testing.T, *fixture){
	"one leads, the other is told who": func(t *testing.T, f *fixture) {
		_, led, err := f.Leader(t.Context())
		must(t, err)
		same(t, led, false)
		first, err := f.Campaign(t.Context(), Holder{Process: "first"})
		must(t, err)
		h, led, err := f.reopen().Leader(t.Context())
		must(t, err)
		if !led || h.Process != "first" || h.Host != "here" || h.Since.IsZero() {
			t.Fatalf("%v %+v", led, h)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err = f.reopen().Campaign(ctx, Holder{Process: "second"})
		var held *HeldError
		if !errors.As(err, &held) || held.Holder.Process != "first" || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		must(t, first.Resign(t.Context()))
	},
	"a resigned leader is followed at once": func(t *testing.T, f *fixture) {
		first, err := f.Campaign(t.Context(), Holder{})
		must(t, err)
		got := make(chan error, 1)
		go func() {
			second, err := f.reopen().Campaign(t.Context(), Holder{})
			if err == nil {
				err = second.Resign(t.Context())
			}
			got <- err
		}()
		must(t, first.Resign(t.Context()))
		must(t, first.Resign(t.Context()))
		<-first.Lost()
		must(t, <-got)
		_, led, err := f.Leader(t.Context())
		must(t, err)
		same(t, led, false)
	},
	"leading is not a lock": func(t *testing.T, f *fixture) {
		first, err := f.Campaign(t.Context(), Holder{})
		must(t, err)
		k, err := f.reopen().Lock(t.Context(), "orders", 0)
		must(t, err)
		must(t, k.Release())
		must(t, first.Resign(t.Context()))
	},
}
