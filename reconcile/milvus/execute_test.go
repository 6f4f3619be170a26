package milvus

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/milvus/parallel"
	"milvus-reconcile/reconcile/permit"
)

const updateMethod = "UpdateReplicateConfiguration"

// promote is the step of a failover from a to b.
func (w *world) promote() plan.Step {
	before, after := w.star("a"), plan.Configuration{Clusters: []plan.Member{w.member("b")}}
	return plan.Step{ID: 1, Action: plan.ActionForcePromote, Cluster: "b", Before: &before, After: &after}
}

// effects counts the force promotes that took effect.
func (w *world) effects() int {
	n := 0
	for _, c := range w.Calls() {
		if c.ForcePromote && (c.Code == int32(0) || c.Code == 0) {
			n++
		}
	}
	return n
}

func TestForcePromote(t *testing.T) {
	fault := func(kind milvussim.FaultKind, times int, code codes.Code) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			w.hasty()
			must(t, w.AddFault("b", milvussim.Fault{Method: updateMethod, Kind: kind, Times: times, Code: code}))
		}
	}
	cases := map[string]struct {
		before func(*testing.T, *world)
		want   plan.StepStatus
		sends  int
		sent   bool
		detail string
	}{
		"done":                         {nil, plan.StepDone, 1, true, "read back"},
		"the reply is lost":            {fault(milvussim.FaultDropReply, 1, 0), plan.StepDone, 1, true, "read back"},
		"it hangs once and goes again": {fault(milvussim.FaultHang, 1, 0), plan.StepDone, 2, true, "read back"},
		"an unclear error twice":       {fault(milvussim.FaultError, 2, codes.Unavailable), plan.StepDone, 3, true, "read back"},
		"the server says no":           {fault(milvussim.FaultError, 0, codes.PermissionDenied), plan.StepRefused, 1, true, "PermissionDenied"},
		"promoted before": {func(t *testing.T, w *world) {
			same(t, w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{}).Status, plan.StepDone)
		}, plan.StepAlready, 1, false, "before anything"},
		"on 2.6.13, which would ignore the flag": {func(t *testing.T, w *world) { must(t, w.SetProfile("b", "2.6.13")) }, plan.StepRefused, 0, false, "force_promote"},
		"the cluster is gone":                    {func(t *testing.T, w *world) { must(t, w.Stop("b")) }, plan.StepFailed, 0, false, "unreachable"},
		"no credential":                          {func(_ *testing.T, w *world) { w.config.Credentials = w.config.Credentials[:1] }, plan.StepFailed, 0, false, "no credential"},
		"a mismatch elsewhere in the topology":   {func(_ *testing.T, w *world) { w.config.Credentials[0].URI = "http://x:1" }, plan.StepFailed, 0, false, "no cluster of this topology"},
		"the live pchannels grew":                {func(t *testing.T, w *world) { must(t, w.Grow("b", "b-rootcoord-dml_16")) }, plan.StepRefused, 1, true, "current pchannels"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := pair(t, "")
			must(t, w.SetLink("a", "b", false))
			if c.before != nil {
				c.before(t, w)
			}
			r := w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{})
			if r.Status != c.want || r.Sent != c.sent || !strings.Contains(r.Detail, c.detail) || w.calls("b", updateMethod) != c.sends {
				t.Errorf("%+v, sent %d times", r, w.calls("b", updateMethod))
			}
			if done := r.Status == plan.StepDone || r.Status == plan.StepAlready; done != (r.Err == nil) || done != (r.After.Belief.Kind == plan.BeliefStandalone) {
				t.Errorf("%v, read back %+v", r.Err, r.After)
			}
			if n := w.effects(); n > 1 {
				t.Errorf("%d force promotes took effect", n)
			}
		})
	}
}

func TestForcePromoteOfAPrimaryIsNeverSent(t *testing.T) {
	w := pair(t, "")
	before, after := w.star("a"), plan.Configuration{Clusters: []plan.Member{w.member("a")}}
	s := plan.Step{Action: plan.ActionForcePromote, Cluster: "a", Before: &before, After: &after}
	before.Edges = []plan.Edge{{From: "b", To: "a"}}
	r := w.fleet().Execute(w.ctx(), w.topology, s, permit.Permit{})
	if r.Status != plan.StepFailed || r.Sent || w.calls("a", updateMethod) != 0 {
		t.Errorf("%+v", r)
	}
}

// A force promote names the cluster itself, once, and no edge. Any other form is
// refused before anybody is called.
func TestForcePromoteInAnotherFormIsNeverSent(t *testing.T) {
	cases := map[string]func(*world, *plan.Step){
		"no configuration":   func(_ *world, s *plan.Step) { s.After = nil },
		"no cluster":         func(_ *world, s *plan.Step) { s.After.Clusters = nil },
		"another cluster":    func(w *world, s *plan.Step) { s.After.Clusters[0] = w.member("a") },
		"two clusters":       func(w *world, s *plan.Step) { s.After.Clusters = append(s.After.Clusters, w.member("a")) },
		"itself twice":       func(w *world, s *plan.Step) { s.After.Clusters = append(s.After.Clusters, w.member("b")) },
		"an edge to itself":  func(_ *world, s *plan.Step) { s.After.Edges = []plan.Edge{{From: "b", To: "b"}} },
		"an edge to another": func(_ *world, s *plan.Step) { s.After.Edges = []plan.Edge{{From: "b", To: "a"}} },
		"the pair as it is":  func(w *world, s *plan.Step) { *s.After = w.star("a") },
		"the pair reversed":  func(w *world, s *plan.Step) { *s.After = w.star("b") },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			w := pair(t, "")
			s := w.promote()
			change(w, &s)
			r := w.fleet().Execute(w.ctx(), w.topology, s, permit.Permit{})
			if r.Status != plan.StepFailed || r.Sent || w.calls("b", updateMethod) != 0 {
				t.Errorf("%+v, sent %d times", r, w.calls("b", updateMethod))
			}
			same(t, w.State("b").BelievedRole, "standby")
		})
	}
}

func TestForcePromoteBeforeReadsIsJudgedByADDL(t *testing.T) {
	w := pair(t, "2.6.14").hasty()
	must(t, w.Stop("a"))
	w.topology.Previous = &plan.Topology{Clusters: []plan.Cluster{{ID: "a", Role: plan.RolePrimary}, {ID: "b", Role: plan.RoleStandby}}}
	s := w.promote()
	s.Before = nil
	r := w.fleet().Execute(w.ctx(), w.topology, s, permit.Permit{})
	same(t, r.Status, plan.StepDone)
	same(t, w.State("b").BelievedRole, "standalone")
	same(t, w.fleet().Execute(w.ctx(), w.topology, s, permit.Permit{}).Status, plan.StepAlready)
}

// The channels took the message, the coordinator cannot finish (#50871): reads
// show the old state and the call hangs. It is in doubt, not failed.
func TestStuckPromotionIsInDoubt(t *testing.T) {
	w := pair(t, "").hasty()
	must(t, w.HoldCallbacks("b", true))
	ctx, cancel := context.WithCancel(w.ctx())
	r := w.fleet().Execute(ctx, w.topology, w.promote(), permit.Permit{HalfPromoted: func(context.Context, time.Duration) { cancel() }})
	if r.Status != plan.StepInDoubt || !r.Sent || r.Err == nil || !strings.Contains(r.Detail, string(plan.CodePromotionHalfDone)) {
		t.Fatalf("%+v", r)
	}
	must(t, w.HoldCallbacks("b", false))
	same(t, w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{}).After.Belief.Kind, plan.BeliefStandalone)
	if n := w.effects(); n > 1 {
		t.Errorf("%d force promotes took effect", n)
	}
}

func TestTheCallerMayForbidAnotherTry(t *testing.T) {
	w := pair(t, "").hasty()
	must(t, w.AddFault("b", milvussim.Fault{Method: updateMethod, Kind: milvussim.FaultError}))
	r := w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{Recheck: func(context.Context) error { return errors.New("the approval expired") }})
	if r.Status != plan.StepInDoubt || w.calls("b", updateMethod) != 1 || !strings.Contains(r.Detail, "the approval expired") {
		t.Errorf("%+v", r)
	}
}

// What was true when the plan was made may not be after a slow read at the
// cluster: the caller is asked before anything is sent.
func TestASlowLookIsFollowedByAQuestion(t *testing.T) {
	for name, slow := range map[string]time.Duration{"soon": time.Millisecond, "slow": 700 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			w := pair(t, "")
			w.config.ReadTimeout, w.config.Clock = time.Second, nil
			for _, method := range []string{"GetReplicateConfiguration", "GetReplicateInfo"} {
				must(t, w.AddFault("b", milvussim.Fault{Method: method, Kind: milvussim.FaultDelay, For: slow}))
			}
			asked := 0
			r := w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{Recheck: func(context.Context) error {
				asked++
				return errors.New("the old primary is back")
			}})
			if name == "soon" {
				same(t, r.Status, plan.StepDone)
				same(t, asked, 0)
				return
			}
			if r.Status != plan.StepRefused || r.Sent || asked != 1 || !strings.Contains(r.Detail, "the old primary is back") {
				t.Errorf("%+v, asked %d times", r, asked)
			}
			same(t, w.calls("b", updateMethod), 0)
		})
	}
}

func TestPausesBetweenTries(t *testing.T) {
	w := pair(t, "")
	must(t, w.AddFault("b", milvussim.Fault{Method: updateMethod, Kind: milvussim.FaultError, Times: 5}))
	same(t, w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{}).Status, plan.StepDone)
	pauses := slices.DeleteFunc(w.clock.pauses, func(d time.Duration) bool { return d == readEvery })
	same(t, pauses, []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second}) // after the first, of one second
}

func (w *world) update(cluster string, before, after *plan.Configuration) Result {
	w.t.Helper()
	return w.fleet().Execute(w.ctx(), w.topology, plan.Step{Action: plan.ActionUpdate, Cluster: cluster, Before: before, After: after}, permit.Permit{})
}

func TestBootstrapAndSwitchover(t *testing.T) {
	w := newWorld(t, milvussim.Options{}, milvussim.Unconfigured(milvussim.Pair("a", "b"))...)
	w.config.ReadTimeout = 500 * time.Millisecond
	ab, ba := w.star("a"), w.star("b")
	for _, cluster := range []string{"a", "b"} {
		r := w.update(cluster, nil, &ab)
		if r.Status != plan.StepDone || !r.Sent {
			t.Fatalf("%s: %+v", cluster, r)
		}
	}
	same(t, w.update("b", nil, &ab).Status, plan.StepAlready)
	must(t, w.fleet().ProveReplication(w.ctx(), w.topology, "a", "b", 20*time.Second))
	results := make([]Result, 2)
	parallel.Run(
		func() { results[0] = w.update("a", &ab, &ba) },
		func() { results[1] = w.update("b", &ab, &ba) },
	)
	for _, r := range results {
		if r.Status != plan.StepDone && r.Status != plan.StepAlready {
			t.Fatalf("%+v", r)
		}
	}
	same(t, w.stored("a"), ba)
	same(t, w.stored("b"), ba)
}

func TestUpdateIsRefusedLocally(t *testing.T) {
	cases := map[string]struct {
		change func(*world, *plan.Step)
		detail string
	}{
		"a stranger in the list": {func(w *world, s *plan.Step) {
			s.After.Clusters = append(s.After.Clusters, plan.Member{ID: "c", URI: "http://c:1", PChannels: w.cluster("b").PChannels})
		}, "its token stays here"},
		"a uri that is not bound":        {func(_ *world, s *plan.Step) { s.After.Clusters[1].URI = "http://elsewhere:1" }, "another uri"},
		"another state than planned for": {func(_ *world, s *plan.Step) { s.Before = nil }, "not in the state"},
		"no configuration":               {func(_ *world, s *plan.Step) { s.After = nil }, "no configuration"},
		"an action that sends nothing":   {func(_ *world, s *plan.Step) { s.Action = plan.ActionVerify }, "sends nothing"},
		"a cluster that is not listed":   {func(_ *world, s *plan.Step) { s.Cluster = "z" }, "not in topology"},
		"a server without reads":         {func(w *world, _ *plan.Step) { must(w.t, w.SetProfile("a", "2.6.16")); w.hasty() }, ""},
		"a fence that makes no target":   {func(_ *world, s *plan.Step) { s.Action, s.After.Edges = plan.ActionFence, nil }, "a fence"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := pair(t, "")
			before, after := w.star("a"), w.star("b")
			s := plan.Step{Action: plan.ActionUpdate, Cluster: "a", Before: &before, After: &after}
			c.change(w, &s)
			r := w.fleet().Execute(w.ctx(), w.topology, s, permit.Permit{})
			if r.Status != plan.StepFailed || r.Sent || !strings.Contains(r.Detail, c.detail) || w.calls("a", updateMethod) != 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A returning old primary is sent the edge from the promoted cluster, alone:
// it demotes itself (milvus.md S03).
func TestFence(t *testing.T) {
	w := pair(t, "")
	must(t, w.Stop("a"))
	same(t, w.fleet().Execute(w.ctx(), w.topology, w.promote(), permit.Permit{}).Status, plan.StepDone)
	must(t, w.Revive("a"))
	before, after := w.star("a"), w.star("b")
	r := w.fleet().Execute(w.ctx(), w.topology, plan.Step{Action: plan.ActionFence, Cluster: "a", Before: &before, After: &after}, permit.Permit{})
	same(t, r.Status, plan.StepDone)
	same(t, w.State("a").Writable, false)
	same(t, w.State("b").BelievedRole, "standalone")
}
