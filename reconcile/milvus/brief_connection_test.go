package milvus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// TestABriefConnectionTellsTheSame: what a process that observes or acts once sees of a cluster,
// and in a round of a candidate, is what every other sees, however the cluster is: over a brief
// connection only a usual answer counts.
func TestABriefConnectionTellsTheSame(t *testing.T) {
	fault := func(kind milvussim.FaultKind, code codes.Code, times int) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			must(t, w.AddFault("b", milvussim.Fault{Method: "GetReplicateConfiguration", Kind: kind, Code: code, Times: times}))
		}
	}
	token := func(read func() (string, error)) func(*testing.T, *world) {
		return func(_ *testing.T, w *world) { w.config.Credentials[1].Token = read }
	}
	reaching := func(address string) func(*testing.T, *world) {
		return func(_ *testing.T, w *world) {
			b := w.cluster("b")
			b.ClientAddress, b.URI, w.config.Credentials[1].Address = address, "http://"+address, address
		}
	}
	for name, c := range map[string]struct {
		profile string
		change  func(*testing.T, *world)
		reach   plan.Reach
	}{
		"as usual":                   {change: func(*testing.T, *world) {}, reach: plan.ReachUp},
		"no such call":               {profile: "2.6.14", change: func(*testing.T, *world) {}, reach: plan.ReachUp},
		"stopped":                    {change: func(t *testing.T, w *world) { must(t, w.Stop("b")) }, reach: plan.ReachUnreachable},
		"a coordinator that is gone": {change: func(t *testing.T, w *world) { must(t, w.Coordinator("b", milvussim.CoordinatorGone)) }, reach: plan.ReachDegraded},
		"not ready":                  {change: func(t *testing.T, w *world) { must(t, w.Coordinator("b", milvussim.CoordinatorNotReady)) }, reach: plan.ReachDegraded},
		"a configuration that hangs": {change: fault(milvussim.FaultHang, codes.OK, 0), reach: plan.ReachUp},
		"every call hangs": {change: func(t *testing.T, w *world) {
			must(t, w.AddFault("b", milvussim.Fault{Method: milvussim.AnyMethod, Kind: milvussim.FaultHang}))
		}, reach: plan.ReachDegraded},
		"one that hangs once":            {change: fault(milvussim.FaultHang, codes.OK, 1), reach: plan.ReachUp},
		"an answer that does not arrive": {change: fault(milvussim.FaultDropReply, codes.OK, 1), reach: plan.ReachUp},
		"an error":                       {change: fault(milvussim.FaultError, codes.Internal, 0), reach: plan.ReachUp},
		"unavailable":                    {change: fault(milvussim.FaultError, codes.Unavailable, 0), reach: plan.ReachUp},
		"a wrong token":                  {change: token(func() (string, error) { return "root:wrong", nil }), reach: plan.ReachUp},
		"a token that cannot be read":    {change: token(func() (string, error) { return "", errors.New("no such file") })},
		"silence":                        {change: func(t *testing.T, w *world) { reaching(listen(t, func(net.Conn) {}))(t, w) }, reach: plan.ReachUnreachable},
		"garbage": {change: func(t *testing.T, w *world) {
			reaching(listen(t, func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n")) }))(t, w)
		}},
		"an end": {change: func(t *testing.T, w *world) { reaching(listen(t, func(c net.Conn) { _ = c.Close() }))(t, w) }},
		"another member": {change: func(_ *testing.T, w *world) {
			reaching(w.cluster("a").ClientAddress)(nil, w)
		}, reach: plan.ReachUp},
		"channels of nobody": {change: func(_ *testing.T, w *world) {
			w.cluster("b").PChannels = milvussim.PChannels("x_", milvussim.DefaultPChannels)
		}, reach: plan.ReachUp},
	} {
		for what, depth := range map[string]plan.Depth{"": {}, ", with progress": {Progress: true}} {
			t.Run(name+what, func(t *testing.T) {
				t.Parallel()
				type reads struct{ observed, candidate plan.View }
				seen := func(brief bool) (view reads) {
					w := pair(t, c.profile)
					w.config.ReadTimeout, w.config.OneShot = time.Second, brief
					c.change(t, w)
					f := w.fleet()
					for _, v := range f.Reader().Observe(w.ctx(), []plan.Topology{w.topology}, depth) {
						if v.Cluster == "b" {
							view.observed = withoutTimes(v)
						}
					}
					if !depth.Progress {
						view.candidate = withoutTimes(f.Reader().ReadCandidate(w.ctx(), w.topology, "b"))
					}
					same(t, len(f.open)+len(f.kept), 0)
					return view
				}
				whole, brief := seen(false), seen(true)
				// On a busy machine a call may take longer than its second.
				for range 5 {
					if brief.observed.Reach == c.reach && cmp.Equal(whole, brief, cmpopts.EquateEmpty(), cmp.AllowUnexported(reads{})) {
						break
					}
					whole, brief = seen(false), seen(true)
				}
				same(t, brief.observed, whole.observed)
				same(t, brief.candidate, whole.candidate)
				same(t, brief.observed.Reach, c.reach)
			})
		}
	}
}

// withoutTimes is a view without what differs between two worlds: addresses, times and ticks.
func withoutTimes(v plan.View) plan.View {
	v.At, v.SourceAt, v.Error, v.Belief.Configuration = time.Time{}, time.Time{}, "", plan.Configuration{}
	v.Progress = slices.Clone(v.Progress)
	for i, p := range v.Progress {
		v.Progress[i] = plan.ChannelProgress{Channel: p.Channel, Known: p.Known, SourceCluster: p.SourceCluster, SourceChannel: p.SourceChannel, Salvage: p.Salvage}
		if p.CaughtUpAt != nil {
			v.Progress[i].CaughtUpAt = &time.Time{}
		}
		if p.Unsent != nil {
			v.Progress[i].Unsent = &time.Time{}
		}
	}
	return v
}

// TestABriefObservationMakesNoOtherConnection: what is usual is read over one connection to
// each cluster, and at rest three calls are all.
func TestABriefObservationMakesNoOtherConnection(t *testing.T) {
	w := trio(t)
	w.config.OneShot = true
	f := w.fleetWithLongWait()
	before := w.accepted()
	views, calls := w.sweep(f, plan.Depth{})
	same(t, calls, map[string]int{"Connect": 3, "GetReplicateConfiguration": 3, "GetReplicateInfo": 3})
	same(t, w.accepted()-before, 3)
	for id, v := range views {
		if v.Reach != plan.ReachUp || !v.IdentityProven || v.Version == "" {
			t.Errorf("%s: %+v", id, v)
		}
	}
	before = w.accepted()
	_, calls = w.sweep(f, plan.Depth{Progress: true}) // of drift
	same(t, calls, map[string]int{"Connect": 3, "GetReplicateConfiguration": 3, "AllocTimestamp": 1, "GetReplicateInfo": 1 + 2*16, "DumpMessages": 16 + 2})
	same(t, w.accepted()-before, 3)
	before = w.accepted()
	w.sweep(f, plan.Depth{Fresh: true}) // over what all others use
	same(t, w.accepted()-before, 3)
	before = w.accepted()
	candidate := f.Reader().ReadCandidate(w.ctx(), w.topology, "b") // of a round
	same(t, w.accepted()-before, 1)
	same(t, len(candidate.Progress), 16)
}

// TestAHangingClusterCostsOneConnection: one that speaks and answers nothing until the deadline
// is told by its brief connection alone, over which its coordinator was asked too.
func TestAHangingClusterCostsOneConnection(t *testing.T) {
	t.Parallel()
	unhurried(t, func(w *world) error {
		w.config.OneShot = true
		must(t, w.AddFault("b", milvussim.Fault{Method: milvussim.AnyMethod, Kind: milvussim.FaultHang}))
		before := w.accepted()
		views, calls := w.sweep(w.fleet(), plan.Depth{})
		if b := views["b"]; b.Reach != plan.ReachDegraded || b.Class != plan.ClassTimeout || b.Error == "" {
			return fmt.Errorf("%+v", b)
		}
		return errors.Join(differ(w.accepted()-before, 2), differ(calls["ListDatabases"], 1), differ(calls["GetReplicateConfiguration"], 2))
	})
}

// TestWhatWasReadHoldsNoConnection while another cluster of the topology is waited for.
func TestWhatWasReadHoldsNoConnection(t *testing.T) {
	w := trio(t)
	w.config.OneShot, w.config.ReadTimeout = true, time.Hour
	must(t, w.AddFault("b", milvussim.Fault{Method: milvussim.AnyMethod, Kind: milvussim.FaultHang}))
	f := w.fleetWithLongWait()
	ctx, cancel := context.WithCancel(w.ctx())
	ended := make(chan []plan.View, 1)
	go func() { ended <- f.Reader().Observe(ctx, []plan.Topology{w.topology}, plan.Depth{Progress: true}) }()
	w.await(func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return w.calls("c", "GetReplicateInfo") == len(w.cluster("c").PChannels) && w.calls("b", "Connect") == 1 && len(f.open) == 2 // of a, and of b
	})
	cancel()
	for _, v := range <-ended {
		same(t, v.Reach == plan.ReachUp, v.Cluster != "b")
	}
	same(t, len(f.open), 0)
}

// accepted is how many connections the clusters took.
func (w *world) accepted() int {
	w.t.Helper()
	answer := httptest.NewRecorder()
	w.ControlHandler().ServeHTTP(answer, httptest.NewRequest("GET", "/connections", nil))
	var known struct{ Accepted int }
	must(w.t, json.Unmarshal(answer.Body.Bytes(), &known))
	return known.Accepted
}
