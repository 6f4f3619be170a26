package approval

import (
	"testing"

	"milvus-reconcile/plan"
)

func TestFence(t *testing.T) {
	marked := plan.StaleMark{Cluster: "cluster-a", Topology: "orders", Promoted: "cluster-b", Commit: "c8", Effected: true}
	fence := func(f func(*Request)) Request {
		r := request()
		r.Plan.Transition = plan.TransitionFence
		r.Plan.Steps = []plan.Step{{Action: plan.ActionFence, Cluster: "cluster-a"}, {Action: plan.ActionVerify, Cluster: "cluster-b"}}
		r.Plan.Clusters = []plan.ClusterPlan{{ID: "cluster-a", DesiredRole: plan.RoleStale}}
		r.Stale = []plan.StaleMark{marked}
		r.Policy = Policy{}
		f(&r)
		return r
	}
	for _, c := range []struct {
		name string
		ok   bool
		f    func(*Request)
	}{
		{"after an effected failover", true, func(*Request) {}},
		{"after one that was not effected", false, func(r *Request) { r.Stale[0].Effected = false }},
		{"without a record", false, func(r *Request) { r.Stale = nil }},
		{"of another cluster", false, func(r *Request) { r.Plan.Steps[0].Cluster = "cluster-c" }},
		{"of one more cluster", false, func(r *Request) {
			r.Plan.Steps = append(r.Plan.Steps, plan.Step{Action: plan.ActionFence, Cluster: "cluster-c"})
		}},
		{"by a force promote", false, func(r *Request) { r.Plan.Steps[0].Action = plan.ActionForcePromote }},
		{"a record of another topology", false, func(r *Request) { r.Stale[0].Topology = "payments" }},
		{"a record of another promotion", false, func(r *Request) { r.Stale[0].Promoted = "cluster-c" }},
		{"the file no longer keeps it stale", false, func(r *Request) { r.Plan.Clusters[0].DesiredRole = plan.RoleStandby }},
		{"a fence that sends nothing", false, func(r *Request) { r.Plan.Steps = r.Plan.Steps[1:] }},
		{"a record without a promotion", false, func(r *Request) { r.Stale[0].Promoted, r.Plan.Primary = "", "" }},
		{"another transition", false, func(r *Request) { r.Plan.Transition = plan.TransitionFailover }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := fence(c.f)
			d := Evaluate(r)
			if ok := d.Verdict == VerdictNotRequired && d.Grant().Covers(r.Plan); ok != c.ok {
				t.Errorf("verdict %s %s, want covered: %t", d.Verdict, d.Code, c.ok)
			}
		})
	}
}

func TestGrants(t *testing.T) {
	p := request().Plan
	intent := plan.Intent{Topology: "orders", Generation: 7, Digest: digestA}
	changed := func(f func(*plan.TopologyPlan)) plan.TopologyPlan {
		q := p
		f(&q)
		return q
	}
	for _, c := range []struct {
		name  string
		grant Grant
		plan  plan.TopologyPlan
		ok    bool
	}{
		{"the plan itself", grantFor(p), p, true},
		{"another digest", grantFor(p), changed(func(q *plan.TopologyPlan) { q.Digest = digestB }), false},
		{"another topology", grantFor(p), changed(func(q *plan.TopologyPlan) { q.Name = "payments" }), false},
		{"another generation", grantFor(p), changed(func(q *plan.TopologyPlan) { q.Generation = 9 }), false},
		{"the zero grant", Grant{}, plan.TopologyPlan{}, false},
		{"a plan without a digest", grantFor(changed(func(q *plan.TopologyPlan) { q.Digest = "" })), changed(func(q *plan.TopologyPlan) { q.Digest = "" }), false},
		{"a resumed intent, a later generation", ResumeGrant(intent), p, true},
		{"a resumed intent of another digest", ResumeGrant(intent), changed(func(q *plan.TopologyPlan) { q.Digest = digestB }), false},
		{"a resumed intent without a digest", ResumeGrant(plan.Intent{Topology: "orders"}), changed(func(q *plan.TopologyPlan) { q.Digest = "" }), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.grant.Covers(c.plan); got != c.ok {
				t.Errorf("covers: %t", got)
			}
		})
	}
}
