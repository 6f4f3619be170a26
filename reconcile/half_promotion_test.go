package reconcile_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/permit"
	"milvus-reconcile/reconcile/reconciletest"
)

// halfway is an actor whose promotion is half done for as long as told, once
// a second, unless it is restarted.
type halfway struct {
	*reconciletest.Actor
	seconds   int
	restarter *restarter
}

func (h halfway) Execute(ctx context.Context, t plan.Topology, s plan.Step, p permit.Permit) reconcile.StepResult {
	for i := range h.seconds {
		if s.ForcePromote() && h.restarter.works() < 1 {
			p.HalfPromoted(ctx, time.Duration(i)*time.Second)
		}
	}
	return h.Actor.Execute(ctx, t, s, p)
}

// restarter restarts one cluster, or does not.
type restarter struct {
	cluster string
	err     error
	made    []string
}

func (r *restarter) works() int {
	if r.err != nil {
		return 0
	}
	return len(r.made)
}

func (r *restarter) Knows(cluster string) bool { return cluster == r.cluster }

func (r *restarter) Restart(_ context.Context, topology, cluster string) (bool, error) {
	r.made = append(r.made, topology+"/"+cluster)
	return true, r.err
}

// TestHalfPromotionInAnApply: it is said once, with what ends it, and ended where
// the operator's configuration tells how, after it has lasted.
func TestHalfPromotionInAnApply(t *testing.T) {
	for _, test := range []struct {
		name     string
		cluster  string // that can be restarted
		seconds  int
		err      error
		restarts int
		told     []string
		detail   string
	}{
		{"no restart is configured", "", 30, nil, 0, []string{"PROMOTION_HALF_DONE", "hint: restart the coordinator of cluster-b"}, ""},
		{"one of another cluster is", "cluster-a", 30, nil, 0, []string{"PROMOTION_HALF_DONE", "hint: restart"}, ""},
		{"it ends by itself", "cluster-b", 9, nil, 0, []string{"is restarted if that lasts for 10 s"}, ""},
		{"it is restarted", "cluster-b", 30, nil, 1, []string{"is restarted if that lasts for 10 s", "was restarted; the promotion ends"}, "restarted the coordinator of cluster-b once"},
		{"the program fails", "cluster-b", 12, errors.New("no such deployment"), 2, []string{"PROMOTION_HALF_DONE", "no such deployment"}, "no such deployment"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := reconciletest.NewFixture(t)
			r := &restarter{cluster: test.cluster, err: test.err}
			s.Apply.Actor, s.Apply.Restart = halfway{s.Actor, test.seconds, r}, r
			var told []string
			s.Apply.Tell = func(_, text string) { told = append(told, text) }
			res := s.Run(t)
			if len(r.made) != test.restarts || res.Outcome != reconcile.OutcomeApplied || !strings.Contains(res.Detail, test.detail) || test.detail == "" && res.Detail != "" {
				t.Errorf("restarted %v, %s: %s", r.made, res.Outcome, res.Detail)
			}
			all := strings.Join(told, "\n")
			for _, words := range test.told {
				if strings.Count(all, words) != 1 {
					t.Errorf("%q is not told once:\n%s", words, all)
				}
			}
		})
	}
}
