package milvus

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
	"milvus-reconcile/reconcile/permit"
)

// canary is a token that must not show anywhere.
const canary = "root:canary-7f3a9c"

// Whatever goes wrong, no view, result or error says a token, although the
// server is told some of them and says what it refuses.
func TestNoTokenIsEverSaid(t *testing.T) {
	w := pair(t, "").hasty()
	for i := range w.config.Credentials {
		w.config.Credentials[i].ReplicationToken = func() (string, error) { return canary, nil }
	}
	before, after := w.star("a"), w.star("b")
	update := plan.Step{Action: plan.ActionUpdate, Cluster: "a", Before: &before, After: &after}
	var said []string
	say := func(v any) { said = append(said, fmt.Sprintf("%+v %#v", v, v)) }
	r := w.fleet().Execute(w.ctx(), w.topology, update, permit.Permit{}) // another token than the stored one: the server refuses
	same(t, r.Status, plan.StepRefused)
	say(r)
	w.config.Credentials[0].Token = func() (string, error) { return canary, nil }
	say(w.observe(plan.Depth{Progress: true, Contents: true}))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	say(w.fleet().Verify(ctx, w.topology, "a", plan.VerifyDML, []string{"default/x"}))
	say(w.fleet().ProveReplication(ctx, w.topology, "a", "b", time.Second))
	w.config.Credentials[0].Token = func() (string, error) { return "", fmt.Errorf("the file holds %s", "nothing") }
	say(w.fleet().Execute(w.ctx(), w.topology, update, permit.Permit{}))
	for _, text := range said {
		if strings.Contains(text, "canary") {
			t.Errorf("said: %s", text)
		}
	}
}

// TestEachEntryHasTheTokenOfItsCluster: what a cluster is told of the others'
// tokens is what it stores, each with the entry that it belongs to.
func TestEachEntryHasTheTokenOfItsCluster(t *testing.T) {
	w := newWorld(t, milvussim.Options{Profile: "master"}, milvussim.Unconfigured(milvussim.Pair("a", "b"))...)
	for i := range w.config.Credentials {
		token := "repl:of-" + w.config.Credentials[i].ClusterID
		w.config.Credentials[i].ReplicationToken = func() (string, error) { return token, nil }
	}
	star := w.star("a")
	for _, id := range []string{"a", "b"} {
		same(t, w.update(id, nil, &star).Status, plan.StepDone)
		stored := map[string]string{}
		for _, c := range w.Stored(id).GetClusters() {
			stored[c.GetClusterId()] = c.GetConnectionParam().GetToken()
		}
		same(t, stored, map[string]string{"a": "repl:of-a", "b": "repl:of-b"})
	}
}

// TestNothingIsLeftRunning: connections, readers and senders end with their
// caller. It also holds that a refusal does not settle an earlier request in
// doubt, whose effect may still come.
func TestNothingIsLeftRunning(t *testing.T) {
	w := pair(t, "").hasty()
	work := func() {
		must(t, w.AddFault("b", milvussim.Fault{Method: updateMethod, Kind: milvussim.FaultHang, Times: 1}))
		must(t, w.AddFault("b", milvussim.Fault{Method: updateMethod, Kind: milvussim.FaultError, Code: codes.PermissionDenied}))
		ctx, cancel := context.WithTimeout(w.ctx(), 2*time.Second)
		got := w.fleet().Execute(ctx, w.topology, w.promote(), permit.Permit{})
		cancel()
		if got.Status != plan.StepInDoubt {
			t.Errorf("a refusal after a request in doubt ended as %q, want %q", got.Status, plan.StepInDoubt)
		}
		must(t, w.ClearFaults("b"))
		w.observe(plan.Depth{Progress: true, Contents: true})
		w.fleet().Reader().Round(w.ctx(), w.topology, wanted)
		w.verify("a", plan.VerifyDML)
	}
	work() // what the libraries start once
	before := runtime.NumGoroutine()
	for range 3 {
		work()
	}
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before+2 && time.Now().Before(deadline) {
		runtime.Gosched() // connections end shortly after they are closed
	}
	if n := runtime.NumGoroutine(); n > before+2 {
		buf := make([]byte, 1<<16)
		t.Fatalf("%d goroutines, %d before\n%s", n, before, buf[:runtime.Stack(buf, true)])
	}
}
