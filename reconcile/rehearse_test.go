package reconcile_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/reconciletest"
)

// rehearsing is a fixture with an approved rehearsal of a switchover to cluster-b.
func rehearsing(t *testing.T) *reconciletest.Fixture {
	s := reconciletest.NewFixture(t, plan.RolePrimary, plan.RoleStandby)
	top := s.Topology("orders")
	top.Rehearse = &plan.RehearsalRequest{To: "cluster-b", Generation: top.Generation}
	s.Approve("orders")
	return s
}

// probe is a probe client that counts.
type probe struct {
	lost  int64
	stops int
}

func (p *probe) Start(context.Context, plan.Topology, string, string) (reconcile.Probing, error) {
	return p, nil
}
func (p *probe) Gap() time.Duration { return 3 * time.Second }
func (p *probe) Stop(context.Context, string) (written, lost int64, err error) {
	p.stops++
	return 100, p.lost, nil
}

// TestRehearsal: one approval carries a switchover there and back, and the roles are as before
// after it, whatever did not work in between.
func TestRehearsal(t *testing.T) {
	both := []string{"update_replicate_configuration cluster-a", "update_replicate_configuration cluster-b"}
	twice := slices.Sorted(slices.Values(slices.Concat(both, both)))
	begin := []string{"begin", "sent", "effected"}
	whole := slices.Concat(begin, []string{"turn", "sent", "effected", "finish"})
	onProof := func(s *reconciletest.Fixture, nth int, do func()) {
		s.Actor.OnProof = func() {
			if s.Actor.Proofs == nth {
				do()
			}
		}
	}
	for _, test := range []struct {
		name    string
		arrange func(*reconciletest.Fixture)
		want    outcome
	}{
		{"all is well", func(*reconciletest.Fixture) {}, outcome{reconcile.OutcomeApplied, "", twice, whole, false, 1, 0}},
		{"no approval", func(s *reconciletest.Fixture) { s.Apply.Changes = nil }, outcome{outcome: reconcile.OutcomeNotApproved, detail: "APPROVAL_MISSING"}},
		{
			"replication to the standby is not proven", func(s *reconciletest.Fixture) { s.Actor.ReplicationErr = reconciletest.ErrInjected },
			outcome{outcome: reconcile.OutcomeBlocked, detail: "SWITCHOVER_LAG"},
		},
		{"both refuse the way there", func(s *reconciletest.Fixture) {
			s.Actor.Answers["cluster-a"], s.Actor.Answers["cluster-b"] = reconciletest.Answers(plan.StepRefused, true), reconciletest.Answers(plan.StepRefused, true)
		}, outcome{outcome: reconcile.OutcomeError, detail: "refused", sent: both, events: []string{"begin", "sent", "reverse"}}},
		{
			"a redirect target fails on both ways", func(s *reconciletest.Fixture) {
				s.Apply.Redirect = reconciletest.Redirect{Err: reconciletest.ErrInjected}
			},
			outcome{reconcile.OutcomeUnverified, "redirect_traffic", twice, slices.Concat(begin, []string{"turn", "sent", "effected"}), true, 1, 0},
		},
		{
			"replication back is not proven, and the primary stays away", func(s *reconciletest.Fixture) {
				onProof(s, 2, func() { s.Actor.ReplicationErr = reconciletest.ErrInjected })
			},
			outcome{reconcile.OutcomeUnverified, "cluster-b is the primary, and the way back waits: SWITCHOVER_LAG", both, slices.Concat(begin, []string{"turn"}), true, 1, 0},
		},
		{
			"the primary is lost before the way back", func(s *reconciletest.Fixture) {
				s.Actor.OnVerify = func() { s.Down("cluster-a") }
			},
			outcome{reconcile.OutcomeUnverified, "the way back waits: blocked by", both, slices.Concat(begin, []string{"turn"}), true, 1, 0},
		},
		{
			"both refuse the way back: it is not taken back, and stays open", func(s *reconciletest.Fixture) {
				onProof(s, 2, func() {
					s.Actor.Answers["cluster-a"], s.Actor.Answers["cluster-b"] = reconciletest.Answers(plan.StepRefused, true), reconciletest.Answers(plan.StepRefused, true)
				})
			},
			outcome{reconcile.OutcomeUnverified, "refused", twice, slices.Concat(begin, []string{"turn", "sent"}), true, 1, 0},
		},
		{"a freeze begins before it can be over", func(s *reconciletest.Fixture) {
			s.Topology("orders").Switchover.Timeout = time.Hour
			s.Approve("orders")
			frozen(2*time.Hour, 3*time.Hour)(s)
		}, outcome{outcome: reconcile.OutcomeBlocked, detail: "CHANGE_FROZEN (the rehearsal waits until"}},
		{"rows of the probe client are lost", func(s *reconciletest.Fixture) { s.Apply.Probe = &probe{lost: 2} }, outcome{reconcile.OutcomeUnverified, "2 of 100 rows of the probe client are lost", twice, whole, false, 1, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := rehearsing(t)
			test.arrange(s)
			test.want.check(t, s, s.Run(t))
		})
	}
}

// TestRehearsalThatDidNotPassGoesBack: a standby that does not work as the primary is left at
// once, and the record says so.
func TestRehearsalThatDidNotPassGoesBack(t *testing.T) {
	s := rehearsing(t)
	verified := 0
	s.Actor.OnVerify = func() {
		if verified++; verified == 1 {
			s.Actor.VerifyErr = reconciletest.ErrInjected
			return
		}
		s.Actor.VerifyErr = nil
	}
	got := s.Run(t)
	if got.Outcome != reconcile.OutcomeUnverified || !strings.Contains(got.Detail, "the roles are as before, and the rehearsal did not pass: on the way to cluster-b: verify") {
		t.Errorf("%s: %s", got.Outcome, got.Detail)
	}
	if s.Ledger.Open() || got.Rehearsal == nil || got.Rehearsal.Passed() || got.Rehearsal.There.Failed == "" {
		t.Errorf("the record is %+v", got.Rehearsal)
	}
	if got := s.Plan(t).Plan.Topologies[0]; got.Transition != plan.TransitionNone || !got.Matches {
		t.Errorf("after it the plan is a %s", got.Transition)
	}
}

// TestRehearsalReport: the record has the time of each part of each way, and the longest gap of
// writes: measured, or bounded by the steps.
func TestRehearsalReport(t *testing.T) {
	for name, client := range map[string]*probe{"without a probe client": nil, "with one": {}} {
		t.Run(name, func(t *testing.T) {
			s := rehearsing(t)
			if client != nil {
				s.Apply.Probe = client
			}
			s.Actor.OnProof = func() { s.Clusters.Clock.Pass(time.Second) }
			s.Actor.OnVerify = func() { s.Clusters.Clock.Pass(2 * time.Second) }
			r := s.Run(t).Rehearsal
			if r == nil || !r.Passed() {
				t.Fatalf("the record is %+v", r)
			}
			for _, way := range []plan.RehearsalWay{r.There, r.Back} {
				var parts []string
				for _, p := range way.Steps {
					parts = append(parts, p.Step)
				}
				if got := strings.Join(parts, " "); got != "prove_replication update_replicate_configuration wait_converged verify redirect_traffic read_back" {
					t.Errorf("its parts are %s", got)
				}
				if way.Took != 3*time.Second || way.Steps[0].Took != time.Second || way.Traffic == "" || way.Resumed {
					t.Errorf("the way is %+v", way)
				}
			}
			gap, measured := r.Gap()
			want := 2 * time.Second
			if client != nil {
				want = 3 * time.Second
			}
			if gap == nil || *gap != want || measured != (client != nil) || (r.Lost != nil) != (client != nil) {
				t.Errorf("the gap is %v, measured %t, lost %v", gap, measured, r.Lost)
			}
			if client != nil && client.stops != 1 {
				t.Errorf("the probe client was stopped %d times", client.stops)
			}
		})
	}
}

// TestRehearsalIsResumedFromEveryRecord: a process that ends at any record leaves a rehearsal
// that the next one ends with the roles as before, by the same approval.
func TestRehearsalIsResumedFromEveryRecord(t *testing.T) {
	for _, at := range []string{"effected", "turn", "finish"} {
		for nth := 1; nth <= 2; nth++ {
			t.Run(at, func(t *testing.T) {
				s := rehearsing(t)
				seen := 0
				s.Actor.OnVerify = func() {
					if seen++; seen == nth {
						s.Ledger.Refuse[at] = reconciletest.ErrInjected
					}
				}
				if at == "effected" {
					s.Actor.OnProof = func() {
						if s.Actor.Proofs == nth {
							s.Ledger.Refuse[at] = reconciletest.ErrInjected
						}
					}
				}
				first := s.Run(t)
				if at != "turn" || nth == 1 {
					if first.Outcome == reconcile.OutcomeApplied || !s.Ledger.Open() {
						t.Fatalf("the first run ends with %s (%s)", first.Outcome, first.Detail)
					}
				}
				s.Forget()
				s.Actor.OnVerify, s.Actor.OnProof, s.Ledger.Refuse = nil, nil, map[string]error{}
				s.Run(t)
				a, b := s.Clusters.Views["cluster-a"].Belief, s.Clusters.Views["cluster-b"].Belief
				if s.Ledger.Open() || a.Kind != plan.BeliefPrimary || b.Source != "cluster-a" || len(s.Ledger.Spent) != 1 {
					t.Errorf("after the second run cluster-a is %s, cluster-b follows %q, an intent is open: %t", a.Kind, b.Source, s.Ledger.Open())
				}
			})
		}
	}
}

// TestRehearsalAlone: the command carries out a rehearsal and nothing else.
func TestRehearsalAlone(t *testing.T) {
	s := reconciletest.NewFixture(t, plan.RoleStandby, plan.RolePrimary)
	report, err := s.Apply.Rehearse(t.Context(), "orders")
	if err != nil || report.Results[0].Outcome != reconcile.OutcomeBlocked || len(s.Actor.Sent) > 0 {
		t.Errorf("of a switchover: %+v, %v", report.Results, err)
	}
	s = rehearsing(t)
	if report, err := s.Apply.Rehearse(t.Context(), "orders"); err != nil || report.Results[0].Outcome != reconcile.OutcomeApplied {
		t.Errorf("%+v, %v", report.Results, err)
	}
}
