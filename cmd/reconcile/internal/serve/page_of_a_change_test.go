package serve

import (
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

// TestPageOfAChangeUnderWay holds that the pages say who does what, when it began, and
// nothing to type but how to watch it.
func TestPageOfAChangeUnderWay(t *testing.T) {
	s := boardOf(applying("orders"))
	_, all := get(t, pages(s), "/")
	_, one := get(t, pages(s), "/topologies/orders")
	if want := "NO PRIMARY: FAILOVER to cluster-b · UNDER WAY"; !strings.Contains(all, want) || !strings.Contains(one, want) {
		t.Errorf("the pages do not say %q", want)
	}
	for _, want := range []string{"the failover, by this daemon (process 4711 on ops-1) since 2026-11-22 11:59:55Z: sends the force promote of cluster-b", "<code>reconcile status orders --watch</code>"} {
		if !strings.Contains(one, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, bad := range []string{"<code>reconcile apply", "<code>reconcile approve", "--accept"} {
		if strings.Contains(one, bad) {
			t.Errorf("the page advises %q", bad)
		}
	}
}

// TestPageOfAChangeBeingJudged holds that the pages say, as plan does, who probes for a change
// under its lock and since when, and nothing to type but how to watch it.
func TestPageOfAChangeBeingJudged(t *testing.T) {
	judged := waiting("orders")
	judged.Plan.Outage = &plan.PrimaryOutage{
		Outage: plan.Outage{Cluster: "cluster-a", Topology: "orders", Since: noon.Add(-time.Minute)},
		HeldBy: "reconcile (process 4711 on ops-1)", HeldFrom: noon.Add(-20 * time.Second),
	}
	s := boardOf(judged)
	_, all := get(t, pages(s), "/")
	_, one := get(t, pages(s), "/topologies/orders")
	_, api := get(t, Status(s), "/api/v1/status")
	for _, want := range []string{"FAILOVER to cluster-b · BEING JUDGED", "being judged"} {
		if !strings.Contains(all, want) || !strings.Contains(one, want) {
			t.Errorf("the pages do not say %q", want)
		}
	}
	for _, want := range []string{"reconcile (process 4711 on ops-1) since 2026-11-22 11:59:40Z judges it under the lock, and has sent nothing", "<code>reconcile status orders --watch</code>"} {
		if !strings.Contains(one, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, bad := range []string{"<code>reconcile apply", "<code>reconcile approve"} {
		if strings.Contains(one, bad) {
			t.Errorf("the page advises %q", bad)
		}
	}
	if !strings.Contains(api, `"probedFor": "reconcile (process 4711 on ops-1)"`) {
		t.Errorf("the API does not say who probes: %s", api)
	}
}
