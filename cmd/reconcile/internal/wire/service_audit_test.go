package wire

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/audit"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/schema"
)

// auditorOf makes an auditor of two topologies whose audits wait for the test.
func auditorOf(now *time.Time, begun chan string, may chan struct{}, kept chan string) *auditor {
	standby := []plan.Cluster{{ID: "a", Role: plan.RolePrimary}, {ID: "b", Role: plan.RoleStandby}}
	a := &auditor{
		log: slog.New(slog.DiscardHandler), now: func() time.Time { return *now },
		last: func(context.Context) (map[string]time.Time, error) { return map[string]time.Time{"users": *now}, nil },
		audit: func(ctx context.Context, _ *Environment, t plan.Topology, _ audit.Options) ([]audit.Result, error) {
			begun <- t.Name
			select {
			case <-may:
			case <-ctx.Done():
			}
			return []audit.Result{{Primary: "a", Standby: "b"}}, ctx.Err()
		},
		keep: func(_ context.Context, topology string, _ time.Time, _ []audit.Result) error {
			kept <- topology
			return nil
		},
	}
	a.fetched([]plan.Topology{{Name: "orders", Clusters: standby}, {Name: "users", Clusters: standby}, {Name: "alone", Clusters: standby[:1]}})
	a.use(&Environment{Config: schema.Config{Audit: schema.Audit{Every: time.Hour, Budget: time.Minute}}})
	return a
}

func passOf(name string, change func(*daemon.TopologyStatus)) daemon.TopologyStatus {
	s := daemon.TopologyStatus{Name: name, State: daemon.StateInSync, Plan: plan.TopologyPlan{Transition: plan.TransitionNone}}
	if change != nil {
		change(&s)
	}
	return s
}

// TestTheDaemonAuditsWhatRests: the leader audits one topology at a time, once in each span,
// and none that changes; a transition that begins ends the audit, and nothing of it is kept.
func TestTheDaemonAuditsWhatRests(t *testing.T) {
	now := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	begun, may, kept := make(chan string, 9), make(chan struct{}), make(chan string, 9)
	a := auditorOf(&now, begun, may, kept)
	for name, s := range map[string]daemon.TopologyStatus{
		"no standby":   passOf("alone", nil),
		"not known":    passOf("other", nil),
		"a change":     passOf("orders", func(s *daemon.TopologyStatus) { s.Plan.Transition = plan.TransitionSwitchover }),
		"in doubt":     passOf("orders", func(s *daemon.TopologyStatus) { s.IntentOpen = true }),
		"being judged": passOf("orders", func(s *daemon.TopologyStatus) { s.State = daemon.StateUnknown }),
	} {
		if a.onPass(s, true); a.running != "" {
			t.Fatalf("audited: %s", name)
		}
	}
	if a.onPass(passOf("orders", nil), false); a.running != "" {
		t.Fatal("audited by a process that does not lead")
	}

	// A transition that begins ends it.
	a.onPass(passOf("orders", nil), true)
	if name := <-begun; name != "orders" {
		t.Fatal(name)
	}
	a.onPass(passOf("users", nil), true) // one at a time
	a.onPass(passOf("orders", func(s *daemon.TopologyStatus) { s.Plan.Transition = plan.TransitionFailover }), true)
	a.ended.Wait()
	if len(kept) > 0 || len(begun) > 0 {
		t.Fatalf("kept %d, begun %d", len(kept), len(begun))
	}

	// It is due still, and once only.
	a.onPass(passOf("orders", nil), true)
	<-begun
	may <- struct{}{}
	a.ended.Wait()
	if name := <-kept; name != "orders" {
		t.Fatal(name)
	}
	a.onPass(passOf("orders", nil), true)
	a.onPass(passOf("users", nil), true) // another process has audited it
	a.ended.Wait()
	if len(begun) > 0 {
		t.Fatalf("audited again: %s", <-begun)
	}
	now = now.Add(time.Hour)
	a.onPass(passOf("orders", nil), true)
	<-begun
	a.close()
	if len(kept) > 0 {
		t.Fatal("an audit that the end of the process cut short is kept")
	}
}

// TestAuditsAreSpread: topologies have beginnings of their own, and each is audited once in
// every span.
func TestAuditsAreSpread(t *testing.T) {
	const every = 6 * time.Hour
	at := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	perHour := make([]int, 6)
	for i := range 120 {
		name := "topology-" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		changes := 0
		for hour := range 6 {
			before, after := at.Add(time.Duration(hour)*time.Hour), at.Add(time.Duration(hour+1)*time.Hour)
			if auditSlot(name, before, every) != auditSlot(name, after, every) {
				perHour[hour]++
				changes++
			}
		}
		if changes != 1 {
			t.Errorf("%s is due %d times", name, changes)
		}
	}
	if slices.Min(perHour) == 0 || slices.Max(perHour) > 60 {
		t.Errorf("by hour: %v", perHour)
	}
}
