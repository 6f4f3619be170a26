package gitsource

import (
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// decide evaluates a change as a failover of orders to cluster-b.
func decide(c Change, now time.Time, policy approval.Policy) approval.Decision {
	policy.Configured = true
	return approval.Evaluate(approval.Request{
		Plan: plan.TopologyPlan{
			Name: c.Topology, Generation: c.Generation, Transition: plan.TransitionFailover,
			Primary: "cluster-b", Digest: "sha256:1",
		},
		Change: c.Change, Policy: policy, Now: now,
	})
}

func TestApprovedByTheRealGit(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", "topologies/a.yaml", doc("orders", 1))
	s.sshKey(alice)
	s.commit(bob, "Want cluster-b", "topologies/a.yaml", doc("orders", 2))
	c := s.change("orders")
	if d := decide(c, s.now, approval.Policy{}); d.Code != approval.CodeMissing {
		t.Errorf("without an approval: %s %s", d.Code, d.Detail)
	}
	s.tag(alice, "failover/orders/2/alice", "HEAD", approve(alice))
	d := decide(s.change("orders"), s.now, approval.Policy{})
	if d.Verdict != approval.VerdictApproved {
		t.Fatalf("by a tag: %s %s", d.Code, d.Detail)
	}
	s.signedCommit(alice, approve(alice), "topologies/a.yaml", doc("orders", 3))
	if d := decide(s.change("orders"), s.now, approval.Policy{}); d.Code != approval.CodeSelfApproved {
		t.Errorf("the author's own commit: %s %s", d.Code, d.Detail)
	}
	if d := decide(s.change("orders"), s.now, approval.Policy{AuthorMayApprove: true}); d.Verdict != approval.VerdictApproved {
		t.Errorf("the author's own commit, allowed: %s %s", d.Code, d.Detail)
	}
}
