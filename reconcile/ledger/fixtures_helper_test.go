package ledger

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"milvus-reconcile/plan"
)

type fixture struct {
	t      *testing.T
	reopen func() *Ledger
	*Ledger
	now time.Time
}

var start = time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)

func newFixture(t *testing.T, open opener) *fixture {
	f := &fixture{t: t, now: start}
	var mu sync.Mutex
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		f.now = f.now.Add(time.Second)
		return f.now
	}
	again := open(t)
	f.reopen = func() *Ledger { return again(Options{Clock: clock, Process: "test", Host: "here"}) }
	f.Ledger = f.reopen()
	return f
}

func (f *fixture) lock(topology string) *Lock {
	f.t.Helper()
	k, err := f.Lock(f.t.Context(), topology, 0)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { must(f.t, k.Release()) })
	return k
}

// read goes through a second opening: what counts is what is durable.
func (f *fixture) read() Snapshot {
	f.t.Helper()
	s, err := f.reopen().Read(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func (f *fixture) kinds(topology string) []Kind {
	f.t.Helper()
	var out []Kind
	for _, r := range f.read().History(topology) {
		out = append(out, r.Kind)
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("(-want +got)\n%s", d)
	}
}

// payload is the hash of a made-up signed payload.
func payload(text string) string { return hashOf([]byte(text)) }

func failover(topology string, generation int64, digest string) Beginning {
	after := &plan.Configuration{Clusters: []plan.Member{{ID: "b", URI: "http://b:1", PChannels: []string{"b_0"}}}}
	before := &plan.Configuration{
		Clusters: []plan.Member{{ID: "a", URI: "http://a:1", PChannels: []string{"a_0"}}, after.Clusters[0]},
		Edges:    []plan.Edge{{From: "a", To: "b"}},
	}
	return Beginning{
		Intent: plan.Intent{
			Topology: topology, Transition: plan.TransitionFailover, Generation: generation, Commit: "c" + digest, Digest: digest,
			Steps: []plan.Step{
				{ID: 1, Wave: 1, Action: plan.ActionRecordStale, Cluster: "a", Reason: plan.ReasonRemember},
				{ID: 2, Wave: 2, Action: plan.ActionForcePromote, Cluster: "b", Reason: plan.ReasonPrimaryLost, Before: before, After: after},
				{ID: 3, Wave: 3, Action: plan.ActionVerify, Cluster: "b", Verify: plan.VerifyDDL},
			},
		},
		Document: "doc" + digest, Payloads: []string{payload(topology + digest)}, By: []string{"alice@example.com"},
		Stale: []plan.StaleMark{{
			Cluster: "a", Topology: topology, Since: start, Promoted: "b", Commit: "c" + digest, SeenBy: "process 7 on ops-1",
			Checkpoints: []plan.Salvage{{SourceCluster: "a", SourceChannel: "a_0", MessageID: "0a", TimeTick: 1 << 60}},
		}},
	}
}

// counted is a count of what the failover of orders lost.
func counted(messages, rows int64) plan.CountedLoss {
	return plan.CountedLoss{
		Topology: "orders", Cluster: "a", Promoted: "b", Since: start, Until: start.Add(time.Hour),
		Lost: []plan.LossCount{{Kind: "insert", Messages: messages, Rows: rows}}, First: start.Add(-time.Minute), Last: start,
	}
}
