package gitsource

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

func TestApprovedByTheRealGit(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	s.sshKey(alice)
	s.commit(bob, "Want cluster-b", ordersFile, doc("orders", 2))
	if d := decide(s.change("orders"), s.now, approval.Policy{}); d.Code != approval.CodeMissing {
		t.Errorf("without an approval: %s %s", d.Code, d.Detail)
	}
	s.tag(alice, "failover/orders/2/alice", "HEAD", approve(alice))
	if d := decide(s.change("orders"), s.now, approval.Policy{}); d.Verdict != approval.VerdictApproved {
		t.Fatalf("by a tag: %s %s", d.Code, d.Detail)
	}
	s.signedCommit(alice, approve(alice), ordersFile, doc("orders", 3))
	if d := decide(s.change("orders"), s.now, approval.Policy{}); d.Code != approval.CodeSelfApproved {
		t.Errorf("the author's own commit: %s %s", d.Code, d.Detail)
	}
	if d := decide(s.change("orders"), s.now, approval.Policy{AuthorMayApprove: true}); d.Verdict != approval.VerdictApproved {
		t.Errorf("the author's own commit, allowed: %s %s", d.Code, d.Detail)
	}
}

// TestApprovalOnThePullRequest holds that an approval by tag on the head of a
// pull request stands for however it is merged.
func TestApprovalOnThePullRequest(t *testing.T) {
	for name, bring := range map[string]func(s *shell){
		"merge": func(s *shell) { s.merge("feature") },
		"squash": func(s *shell) {
			s.git("merge", "-q", "--squash", "feature")
			s.as(carol, "commit", "-q", "-m", "Squashed")
		},
		"rebase": func(s *shell) {
			s.checkout("feature")
			s.as(carol, "rebase", "-q", "main")
			s.checkout("main")
			s.git("merge", "-q", "--ff-only", "feature")
		},
		"cherry-pick": func(s *shell) { s.as(carol, "cherry-pick", "feature") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			s.commit(bob, "Begin", ordersFile, doc("orders", 1))
			s.branch("feature", "main")
			head := s.commit(bob, "Want cluster-b", ordersFile, doc("orders", 2))
			s.tag(alice, "failover/orders/2/alice", head, approve(alice))
			s.tag(carol, "failover/orders/2/carol", head, approve(carol))
			s.checkout("main")
			if got := s.change("orders"); len(got.Carriers) != 1 {
				t.Fatalf("before it is merged, %d carriers", len(got.Carriers))
			}
			s.commit(bob, "Meanwhile", "README", "x")
			bring(s)
			d := decide(s.change("orders"), s.now, approval.Policy{Quorum: approval.Quorum{Failover: 2}, AuthorMayApprove: true})
			if d.Verdict != approval.VerdictApproved || len(d.By) != 2 {
				t.Errorf("%s %s", d.Code, d.Detail)
			}
		})
	}
}

func TestIncompleteClones(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	base := s.head()
	s.commit(bob, "More", ordersFile, doc("orders", 2))
	s.git("config", "uploadpack.allowFilter", "true")
	clone := func(args ...string) *Repo {
		dir := filepath.Join(t.TempDir(), "clone")
		run(t, s.env(), "git", append(append([]string{"clone", "-q"}, args...), "file://"+s.dir, dir)...)
		r, err := Open(t.Context(), Config{URL: dir, Path: "topologies"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	shallow := clone("--depth=1")
	tip, err := shallow.Resolve("")
	if err != nil || tip != s.head() {
		t.Fatalf("%s, %v", tip, err)
	}
	if _, err := shallow.Changes(t.Context(), tip, keysOf); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), "git fetch --unshallow") {
		t.Errorf("a shallow clone: %v", err)
	}
	if _, err := shallow.Resolve(base); !errors.Is(err, ErrIncomplete) {
		t.Errorf("a commit that it lacks: %v", err)
	}
	partial := clone("--filter=blob:none", "--no-checkout")
	if _, err := partial.Changes(t.Context(), tip, keysOf); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), "--filter") {
		t.Errorf("a partial clone: %v", err)
	}
}

func TestChangesStopWithTheContext(t *testing.T) {
	s := newShell(t)
	tip := s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	r := s.open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Changes(ctx, tip, keysOf); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := r.Fetch(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

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
