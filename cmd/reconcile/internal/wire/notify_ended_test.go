package wire

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/schema"
)

// listener is a receiver of CloudEvents.
type listener struct {
	mu  sync.Mutex
	got []map[string]any
}

func (l *listener) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var e map[string]any
	if json.NewDecoder(r.Body).Decode(&e) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got = append(l.got, e)
}

// notified returns what a receiver is told of passes over topology orders, as
// "kind code", and the data of the first event.
func notified(t *testing.T, c schema.Config, passes ...daemon.TopologyStatus) ([]string, map[string]any) {
	t.Helper()
	l := &listener{}
	server := httptest.NewServer(l)
	defer server.Close()
	c.Notify = []schema.NotifyTarget{{Name: "bus", URL: server.URL, MinSeverity: plan.SeverityWarning}}
	h := newPassNotifier()
	h.use(t.Context(), &Environment{Config: c, Policy: approval.Policy{Quorum: c.Approval.Quorum, Repository: c.Approval.Repository}})
	for _, p := range passes {
		p.Name, p.Plan.Name, p.Commit = "orders", "orders", "3f9c"
		h.onPass(p, true)
	}
	h.close(t.Context())
	var out []string
	var first map[string]any
	for _, e := range l.got {
		data := e["data"].(map[string]any)
		if first == nil {
			first = data
		}
		code, _ := data["code"].(string)
		out = append(out, strings.TrimPrefix(e["type"].(string), "reconcile.")+" "+code)
	}
	return out, first
}

func clusterSeen(id string, role plan.Role, reach plan.Reach, belief plan.BeliefKind) plan.ClusterPlan {
	return plan.ClusterPlan{ID: id, DesiredRole: role, View: plan.View{Cluster: id, Reach: reach, Belief: plan.Belief{Kind: belief}}}
}

var (
	writer   = clusterSeen("b", plan.RolePrimary, plan.ReachUp, plan.BeliefStandalone)
	waiting  = clusterSeen("b", plan.RolePrimary, plan.ReachUp, plan.BeliefStandby)
	lostA    = clusterSeen("a", plan.RoleStale, plan.ReachUnreachable, plan.BeliefUnknown)
	fencedA  = clusterSeen("a", plan.RoleStale, plan.ReachUp, plan.BeliefStandby)
	standbyA = clusterSeen("a", plan.RoleStandby, plan.ReachUp, plan.BeliefStandby)
	lostStby = clusterSeen("a", plan.RoleStandby, plan.ReachUnreachable, plan.BeliefUnknown)
)

func status(t plan.Transition, clusters []plan.ClusterPlan, codes ...plan.Code) daemon.TopologyStatus {
	out := daemon.TopologyStatus{State: daemon.StateUnknown, Plan: plan.TopologyPlan{Transition: t, Clusters: clusters}}
	for _, c := range codes {
		cluster := "a"
		if c == plan.CodeNoPrimary || c == plan.CodeSplitBrain { // they are about the topology
			cluster = ""
		}
		out.Plan.Findings = append(out.Plan.Findings, plan.NewFinding(c, cluster, "seen", "look"))
	}
	return out
}

// TestOverIsWhatWasSeenToBeOver: that a pass does not find something proves nothing where
// its clusters were not seen, or while a change is under way.
func TestOverIsWhatWasSeenToBeOver(t *testing.T) {
	const none, failover = plan.TransitionNone, plan.TransitionFailover
	in := func(c ...plan.ClusterPlan) []plan.ClusterPlan { return c }
	resumed := status(failover, in(lostA, writer))
	resumed.Plan.Resumed = true
	for _, c := range []struct {
		name  string
		code  plan.Code
		first []plan.ClusterPlan
		then  daemon.TopologyStatus
		over  bool
	}{
		{"the failover is merged and nobody takes writes", plan.CodeNoPrimary, in(lostA, waiting), status(failover, in(lostA, waiting)), false},
		{"the failover is under way", plan.CodeNoPrimary, in(lostA, waiting), resumed, false},
		{"the new primary takes writes", plan.CodeNoPrimary, in(lostA, waiting), status(none, in(lostA, writer)), true},
		{"the other writer is not observed", plan.CodeSplitBrain, in(fencedA, writer), status(none, in(lostA, writer)), false},
		{"the other writer is fenced", plan.CodeSplitBrain, in(fencedA, writer), status(none, in(fencedA, writer)), true},
		{"the stale one is not observed", plan.CodeStalePrimary, in(fencedA, writer), status(none, in(lostA, writer)), false},
		{"the stale one left the file", plan.CodeStalePrimary, in(fencedA, writer), status(none, in(writer)), true},
		{"the standby that lagged is not observed", plan.CodeLagObjective, in(standbyA, writer), status(none, in(lostStby, writer)), false},
		{"the standby caught up", plan.CodeLagObjective, in(standbyA, writer), status(none, in(standbyA, writer)), true},
		{"the standby that lagged became stale", plan.CodeReplicationStalled, in(standbyA, writer), status(none, in(lostA, writer)), true},
		{"the lost cluster was merged away, and is still lost", plan.CodeClusterUnreachable, in(lostA, waiting), status(failover, in(lostA, waiting)), false},
		{"the lost cluster is stale, and is still lost", plan.CodeClusterUnreachable, in(lostA, waiting), status(none, in(lostA, writer)), false},
		{"the lost cluster is back", plan.CodeClusterUnreachable, in(lostA, waiting), status(none, in(fencedA, writer)), true},
		{"the failover that leaves no standby is done", plan.CodeNoStandbyLeft, in(lostA, waiting), status(none, in(lostA, writer)), false},
		{"there is a standby again", plan.CodeNoStandbyLeft, in(lostA, waiting), status(none, in(standbyA, writer)), true},
		{"what blocked a change", plan.CodePrimaryReachable, in(fencedA, writer), status(none, in(lostA, writer)), true},
	} {
		first := status(none, c.first, c.code)
		got, _ := notified(t, schema.Config{}, first, first, c.then, c.then)
		got = slices.DeleteFunc(got, func(told string) bool { return !strings.HasSuffix(told, " "+string(c.code)) })
		want := []string{"finding.raised " + string(c.code)}
		if c.over {
			want = append(want, "finding.resolved "+string(c.code))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// TestFlappingIsNotToldTwice: what was told and comes back before it is over is one thing.
func TestFlappingIsNotToldTwice(t *testing.T) {
	lost := []plan.ClusterPlan{lostA, waiting}
	outage, merged := status(plan.TransitionNone, lost, plan.CodeNoPrimary), status(plan.TransitionFailover, lost)
	got, _ := notified(t, schema.Config{}, outage, outage, merged, outage, merged, outage)
	if d := cmp.Diff([]string{"finding.raised NO_PRIMARY"}, got); d != "" {
		t.Error(d)
	}
}

// TestStalePrimaryIsToldOnceItIsOne: not while its failover is only wanted.
func TestStalePrimaryIsToldOnceItIsOne(t *testing.T) {
	planned := status(plan.TransitionFailover, []plan.ClusterPlan{lostA, waiting}, plan.CodeStalePrimary)
	planned.Plan.OldPrimary = "a"
	done := status(plan.TransitionNone, []plan.ClusterPlan{lostA, writer}, plan.CodeStalePrimary)
	got, _ := notified(t, schema.Config{}, planned, planned, planned)
	if d := cmp.Diff([]string{"finding.raised NO_PRIMARY"}, got); d != "" {
		t.Error(d)
	}
	got, _ = notified(t, schema.Config{}, planned, planned, done, done)
	if d := cmp.Diff([]string{"finding.raised NO_PRIMARY", "finding.raised STALE_PRIMARY", "finding.resolved NO_PRIMARY"}, got); d != "" {
		t.Error(d)
	}
}

// TestApprovalIsWanted where people are all that is missing, with what they need to know.
func TestApprovalIsWanted(t *testing.T) {
	open := func(transition plan.Transition, code string, blocking ...plan.Code) daemon.TopologyStatus {
		s := status(transition, []plan.ClusterPlan{lostA, waiting}, blocking...)
		s.State, s.Plan.Primary, s.Plan.OldPrimary = daemon.StatePending, "b", "a"
		s.Decision = approval.Decision{Code: code, Detail: "the reason"}
		return s
	}
	resumed, suspended := open(plan.TransitionFailover, approval.CodeMissing), open(plan.TransitionFailover, approval.CodeMissing)
	resumed.Plan.Resumed, suspended.State = true, daemon.StateSuspended
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	frozen := open(plan.TransitionSwitchover, approval.CodeMissing, plan.CodeChangeFrozen)
	frozen.LastSuccess, frozen.Plan.Frozen = now, &plan.Frozen{Until: now.Add(time.Hour), ApproveFrom: now.Add(-time.Hour)}
	tooEarly, endless := frozen, frozen
	tooEarly.Plan.Frozen, endless.Plan.Frozen = &plan.Frozen{Until: now.Add(time.Hour), ApproveFrom: now.Add(time.Minute)}, &plan.Frozen{}
	halfway := open(plan.TransitionFailover, approval.CodeQuorumNotMet)
	halfway.Decision.Given = 1
	halfway.Decision.Detail = "1 approved. To approve, others run `reconcile approve orders/b --reason \"WHY\" --repository platform/topologies --push`"
	approved := open(plan.TransitionFailover, "")
	approved.Decision.Verdict = approval.VerdictApproved
	for _, c := range []struct {
		name   string
		status daemon.TopologyStatus
		want   string // what the message, remedy or command holds; empty: none is wanted
	}{
		{"nobody approved", open(plan.TransitionFailover, approval.CodeMissing), `reconcile approve orders/b --reason "WHY" --repository platform/topologies --push`},
		{"how many", open(plan.TransitionFailover, approval.CodeMissing), "approval.allowedSigners: 2, but not the author of the change"},
		{"the loss is not known", open(plan.TransitionFailover, approval.CodeMissing), "How many writes are lost is not known."},
		{"isolate first", open(plan.TransitionFailover, approval.CodeMissing), "First cut applications off a."},
		{"it expired", open(plan.TransitionSwitchover, approval.CodeExpired), "EXPIRED: the reason"},
		{"one of two", open(plan.TransitionFailover, approval.CodeQuorumNotMet), "QUORUM_NOT_MET: the reason"},
		{"one more of two", halfway, "approval.allowedSigners: one more, but not the author of the change or who approved it already.\nQUORUM_NOT_MET: 1 approved.\n"},
		{"while it is probed", open(plan.TransitionFailover, approval.CodeMissing, plan.CodePrimaryNotProbed), "reconcile approve orders/b"},
		{"what people can accept", open(plan.TransitionFailover, approval.CodeMissing, plan.CodeNotMostCaughtUp), "--accept NOT_MOST_CAUGHT_UP"},
		{"an observer applies nothing", open(plan.TransitionFailover, approval.CodeMissing), "'reconcile apply orders': this daemon only observes"},
		{"an approval of now outlasts the freeze", frozen, "'reconcile apply orders' when the freeze is over, 2026-11-22T13:00:00Z, since"},
		{"an approval of now ends before the freeze", tooEarly, ""},
		{"a freeze without a known end", endless, ""},
		{"something else blocks it", open(plan.TransitionFailover, approval.CodeMissing, plan.CodePrimaryReachable), ""},
		{"it was used", open(plan.TransitionFailover, approval.CodeAlreadyUsed), ""},
		{"Git cannot be read", open(plan.TransitionFailover, approval.CodeGitUnreadable), ""},
		{"no change is open", status(plan.TransitionNone, nil), ""},
		{"it is carried on", resumed, ""},
		{"it is suspended", suspended, ""},
		{"it is approved", approved, ""},
	} {
		config := schema.Config{Mode: schema.ModeObserve, Approval: schema.Approval{Quorum: approval.Quorum{Failover: 2}, Repository: "platform/topologies", AllowedSigners: schema.DefaultAllowedSigners}}
		got, data := notified(t, config, c.status)
		told := len(got) > 0 && strings.HasPrefix(got[0], "approval.wanted ")
		if told != (c.want != "") {
			t.Errorf("%s: told %q", c.name, got)
			continue
		}
		if !told {
			continue
		}
		if text := strings.Join([]string{data["message"].(string), data["remedy"].(string), data["command"].(string)}, "\n"); !strings.Contains(text, c.want) {
			t.Errorf("%s: %s lacks %s", c.name, text, c.want)
		}
	}
}

// TestAFailoverThatIsDoneSaysWhatItLost, and where applications must go.
func TestAFailoverThatIsDoneSaysWhatItLost(t *testing.T) {
	upper := 5 * time.Second
	r := reconcile.Result{Topology: "orders", Outcome: reconcile.OutcomeApplied, DataLoss: &plan.Window{Upper: &upper}, Steps: []reconcile.StepResult{
		{Step: plan.Step{Action: plan.ActionForcePromote}, Detail: "sent"},
		{Step: plan.Step{Action: plan.ActionRedirect}, Detail: "point applications at b yourself"},
	}}
	e, ok := appliedEvent(r, plan.TopologyPlan{Name: "orders", Transition: plan.TransitionFailover, Primary: "b", OldPrimary: "a"}, "3f9c")
	if want := "b is the primary now; point applications at b yourself; lost: up to 5 s of the writes to a: "; !ok || !strings.HasPrefix(e.Message, want) {
		t.Errorf("%q, want %q", e.Message, want)
	}
}

// TestAHalfDonePromotionIsToldWhileItIsUnderWay: the event of the pass under way is told as a
// critical finding, and a later pass tells that it is over.
func TestAHalfDonePromotionIsToldWhileItIsUnderWay(t *testing.T) {
	l := &listener{}
	server := httptest.NewServer(l)
	defer server.Close()
	c := schema.Config{Notify: []schema.NotifyTarget{{Name: "bus", URL: server.URL, MinSeverity: plan.SeverityWarning}}}
	h := newPassNotifier()
	h.use(t.Context(), &Environment{Config: c})
	h.onEvent(daemon.Event{
		Kind: daemon.EventFault, Severity: plan.SeverityCritical, Topology: "orders", Cluster: "b", Code: "PROMOTION_HALF_DONE",
		Text: "PROMOTION_HALF_DONE: it is half done", Remedy: "restart the coordinator of b",
	})
	over := status(plan.TransitionNone, []plan.ClusterPlan{clusterSeen("b", plan.RolePrimary, plan.ReachUp, plan.BeliefPrimary)})
	over.Name, over.Plan.Name = "orders", "orders"
	h.onPass(over, true)
	h.close(t.Context())
	var told []string
	for _, e := range l.got {
		data := e["data"].(map[string]any)
		told = append(told, fmt.Sprint(e["type"], " ", data["severity"], " ", data["message"], " ", data["remedy"]))
	}
	if len(told) != 2 || told[0] != "reconcile.finding.raised critical it is half done restart the coordinator of b" || !strings.HasPrefix(told[1], "reconcile.finding.resolved") {
		t.Errorf("told %q", told)
	}
}
