package wire

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/notify"
)

// wireOf keeps what is posted, and answers as receivers do.
type wireOf struct {
	mu  sync.Mutex
	got []map[string]any
}

func (w *wireOf) RoundTrip(r *http.Request) (*http.Response, error) {
	var v map[string]any
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got = append(w.got, v)
	return &http.Response{StatusCode: http.StatusAccepted, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// taken returns what was posted since it was called last, once all of it was.
func (w *wireOf) taken() []map[string]any {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.got
	w.got = nil
	return out
}

// listening returns a notifier of passes with one target, in a bubble.
func listening(f notify.Format) (*passNotifier, *wireOf) {
	w := &wireOf{}
	h := newPassNotifier()
	h.environment = &Environment{}
	h.notifier = notify.New([]notify.Target{{
		Name: "t", URL: "https://receiver.example", Format: f, MinSeverity: plan.SeverityWarning,
		Secret: func() (string, error) { return "key", nil },
	}}, notify.Options{Poster: notify.Poster{Client: &http.Client{Transport: w}}})
	return h, w
}

// stage is one state that the daemon publishes.
type stage struct {
	name     string
	status   func() daemon.TopologyStatus
	lost     bool // nobody takes writes
	wanted   bool // an approval is
	applying bool // what a plan lacks then proves nothing
}

// stages are the states of a topology in and around an outage.
func stages() []stage {
	a := func(r plan.Role, reach plan.Reach, b plan.BeliefKind) plan.ClusterPlan {
		return clusterSeen("a", r, reach, b)
	}
	serving := []plan.ClusterPlan{a(plan.RolePrimary, plan.ReachUp, plan.BeliefPrimary), clusterSeen("b", plan.RoleStandby, plan.ReachUp, plan.BeliefStandby)}
	down := []plan.ClusterPlan{a(plan.RolePrimary, plan.ReachUnreachable, plan.BeliefUnknown), serving[1]}
	lives := []plan.ClusterPlan{a(plan.RoleStale, plan.ReachUp, plan.BeliefPrimary), waiting}
	two := []plan.ClusterPlan{lives[0], writer}
	risks := []plan.Code{plan.CodeForcePromote, plan.CodeDataLossRisk, plan.CodePrimaryLivenessUnproven, plan.CodeStalePrimary, plan.CodeNoStandbyLeft}
	failover := func(clusters []plan.ClusterPlan, more ...plan.Code) daemon.TopologyStatus {
		s := status(plan.TransitionFailover, clusters, append(slices.Clone(risks), more...)...)
		s.State, s.Plan.Primary, s.Plan.OldPrimary = daemon.StatePending, "b", "a"
		return s
	}
	decided := func(s daemon.TopologyStatus, v approval.Verdict, code string) daemon.TopologyStatus {
		s.Decision = approval.Decision{Verdict: v, Code: code}
		return s
	}
	after := func(s daemon.TopologyStatus, state daemon.State, o reconcile.Outcome) daemon.TopologyStatus {
		s.State, s.Result = state, &reconcile.Result{Topology: "orders", Outcome: o}
		return s
	}
	none := plan.TransitionNone
	return []stage{
		{name: "serving", status: func() daemon.TopologyStatus {
			s := status(none, serving)
			s.State, s.Plan.InSync = daemon.StateInSync, true
			return s
		}},
		{name: "lagging", status: func() daemon.TopologyStatus { return status(none, serving, plan.CodeLagObjective) }},
		{name: "down", lost: true, status: func() daemon.TopologyStatus {
			return status(none, down, plan.CodeNoPrimary, plan.CodeClusterUnreachable)
		}},
		{name: "merged", lost: true, wanted: true, status: func() daemon.TopologyStatus {
			return decided(failover(in(lostA, waiting), plan.CodePrimaryNotProbed), "", approval.CodeMissing)
		}},
		{name: "one of two", lost: true, wanted: true, status: func() daemon.TopologyStatus {
			return decided(failover(in(lostA, waiting)), "", approval.CodeQuorumNotMet)
		}},
		{name: "approved", lost: true, status: func() daemon.TopologyStatus {
			return decided(failover(in(lostA, waiting), plan.CodePrimaryNotProbed), approval.VerdictApproved, "")
		}},
		{name: "blocked", status: func() daemon.TopologyStatus {
			return decided(failover(lives, plan.CodePrimaryReachable), "", approval.CodeMissing)
		}},
		{name: "under way", lost: true, applying: true, status: func() daemon.TopologyStatus {
			s := failover(in(lostA, waiting))
			s.Plan.Resumed = true
			return decided(s, approval.VerdictApproved, "")
		}},
		{name: "failed", lost: true, status: func() daemon.TopologyStatus {
			return after(decided(failover(in(lostA, waiting)), approval.VerdictApproved, ""), daemon.StatePending, reconcile.OutcomeError)
		}},
		{name: "done", lost: true, applying: true, status: func() daemon.TopologyStatus {
			return after(decided(failover(in(lostA, waiting)), approval.VerdictApproved, ""), daemon.StateApplying, reconcile.OutcomeApplied)
		}},
		{name: "after", status: func() daemon.TopologyStatus {
			return status(none, in(lostA, writer), plan.CodeStalePrimary, plan.CodeNoStandbyLeft)
		}},
		{name: "two writers", status: func() daemon.TopologyStatus {
			return status(none, two, plan.CodeSplitBrain, plan.CodeStalePrimary)
		}},
	}
}

func in(c ...plan.ClusterPlan) []plan.ClusterPlan { return c }

// alertBook are the alerts that PagerDuty holds open.
type alertBook map[string]bool

// about is what an alert is of: its key without the severity.
func about(key string) string { return key[:strings.LastIndex(key, "/")] }

// enter follows what is posted of one state, and returns what is wrong with it.
func (b alertBook) enter(posted []map[string]any, s stage) (wrong []string) {
	findings := s.status().Plan.Findings
	for _, v := range posted {
		key := v["dedup_key"].(string)
		if v["event_action"] == "trigger" {
			b[key] = true
			continue
		}
		if !b[key] {
			wrong = append(wrong, "resolves "+key+", which is not open")
		}
		delete(b, key)
		parts := strings.Split(key, "/")
		still := slices.ContainsFunc(findings, func(f plan.Finding) bool { return string(f.Code) == parts[2] && f.Cluster == parts[3] })
		if still || s.lost && parts[2] == string(plan.CodeNoPrimary) || s.wanted && parts[2] == string(notify.KindWanted) {
			wrong = append(wrong, "resolves "+key+", which still holds")
		}
	}
	seen := map[string]bool{}
	for key := range b {
		if seen[about(key)] {
			wrong = append(wrong, "two alerts are open of "+about(key))
		}
		seen[about(key)] = true
	}
	return wrong
}

// TestAlertsFollowWhatIsSo: whatever states the daemon publishes, one after the other, each
// resolve ends an alert that is open and whose cause is over, no event has two alerts, and an
// outage that was seen twice has one. When all is well again, none is open.
func TestAlertsFollowWhatIsSo(t *testing.T) {
	all := stages()
	follow := func(t *testing.T, sequence []stage) {
		t.Helper()
		h, w := listening(notify.FormatPagerDuty)
		defer h.close(t.Context())
		book := alertBook{}
		sequence = append(slices.Clone(sequence), all[0], all[0], all[0])
		var names []string
		for i, s := range sequence {
			names = append(names, s.name)
			h.onPass(named(s.status()), true)
			wrong := book.enter(w.taken(), s)
			if twice := i > 0 && sequence[i-1].lost && s.lost && !sequence[i-1].applying && !s.applying; twice && !book["reconcile/orders/NO_PRIMARY//critical"] {
				wrong = append(wrong, "nobody is told of the outage")
			}
			if len(wrong) > 0 {
				t.Fatalf("%s: %s", strings.Join(names, ", "), strings.Join(wrong, "; "))
			}
		}
		if len(book) > 0 {
			t.Fatalf("%s: still open: %v", strings.Join(names, ", "), book)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		for _, first := range all {
			for _, second := range all {
				for _, third := range all {
					follow(t, []stage{first, second, third})
				}
			}
		}
		random := rand.New(rand.NewPCG(1, 2))
		for range 200 {
			long := make([]stage, 12)
			for i := range long {
				long[i] = all[random.IntN(len(all))]
			}
			follow(t, long)
		}
	})
}

// named is a status of topology orders.
func named(s daemon.TopologyStatus) daemon.TopologyStatus {
	s.Name, s.Plan.Name, s.Commit = "orders", "orders", "3f9c"
	return s
}

// staged returns what a target is told of some stages, by their names.
func staged(t *testing.T, f notify.Format, names ...string) (messages [][]map[string]any) {
	t.Helper()
	all := stages()
	synctest.Test(t, func(t *testing.T) {
		h, w := listening(f)
		for _, name := range names {
			i := slices.IndexFunc(all, func(s stage) bool { return s.name == name })
			h.onPass(named(all[i].status()), true)
			messages = append(messages, w.taken())
		}
		h.close(t.Context())
	})
	return messages
}

// TestAlertsOfAnUnapprovedFailover: one for the outage, one for the approval, and one for the
// cluster that it leaves behind.
func TestAlertsOfAnUnapprovedFailover(t *testing.T) {
	var got []string
	for _, pass := range staged(t, notify.FormatPagerDuty, "down", "down", "merged", "merged", "approved", "done", "after", "after") {
		for _, v := range pass {
			line := fmt.Sprint(v["event_action"], " ", v["dedup_key"])
			if p, ok := v["payload"].(map[string]any); ok {
				line += " " + p["severity"].(string)
			}
			got = append(got, line)
		}
	}
	want := []string{
		"trigger reconcile/orders/NO_PRIMARY//critical critical",
		"trigger reconcile/orders/approval.wanted//critical critical",
		"trigger reconcile/orders/NO_PRIMARY//critical warning", // that no standby is left is part of the outage
		"resolve reconcile/orders/approval.wanted//critical",
		"trigger reconcile/orders/STALE_PRIMARY/a/critical critical",
		"resolve reconcile/orders/NO_PRIMARY//critical",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// titlesOf are the titles of Slack messages.
func titlesOf(passes [][]map[string]any) []string {
	var out []string
	for _, pass := range passes {
		for _, v := range pass {
			out = append(out, v["blocks"].([]any)[0].(map[string]any)["text"].(map[string]any)["text"].(string))
		}
	}
	return out
}

// TestTitlesSayWhatHappened, and one message tells what happened at once.
func TestTitlesSayWhatHappened(t *testing.T) {
	for _, c := range []struct {
		name   string
		passes []string
		want   []string
	}{
		{"a failover", []string{"down", "down", "merged", "approved", "done", "after", "after", "serving", "serving"}, []string{
			"orders: CRITICAL: no reachable cluster can take writes",
			"orders: APPROVAL WANTED for the failover to b, and 2 more",
			"orders: no approval is wanted any more",
			"orders: the failover is done: b is the primary now, and 1 more",
			"orders: RESOLVED: a is stale, and 1 more",
		}},
		{"the failover is merged before the outage was told", []string{"merged", "merged"}, []string{
			"orders: APPROVAL WANTED for the failover to b; no reachable cluster can take writes, and 2 more",
		}},
		{"it is merged and approved before the outage was told", []string{"approved", "approved"}, []string{
			"orders: CRITICAL: no reachable cluster can take writes, and 2 more",
		}},
		{"two writers", []string{"two writers", "two writers"}, []string{"orders: CRITICAL: two clusters can take writes, and 1 more"}},
		{"a change is blocked", []string{"blocked", "blocked"}, []string{"orders: the failover is blocked: the old primary still answers (a), and 2 more"}},
		{"a change that failed in an outage", []string{"down", "failed"}, []string{
			"orders: the failover to b FAILED; no reachable cluster can take writes",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, titlesOf(staged(t, notify.FormatSlack, c.passes...))); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestAChangeThatIsDoneIsToldAlone, if no pass follows it in time or the daemon ends.
func TestAChangeThatIsDoneIsToldAlone(t *testing.T) {
	all := stages()
	done := all[slices.IndexFunc(all, func(s stage) bool { return s.name == "done" })]
	const title = "orders: the failover is done: b is the primary now"
	synctest.Test(t, func(t *testing.T) {
		h, w := listening(notify.FormatSlack)
		h.onPass(named(done.status()), true)
		if got := w.taken(); len(got) != 0 {
			t.Errorf("it does not wait for the pass that follows: %v", got)
		}
		time.Sleep(nextPassWithin) // of the bubble, where it takes no time
		if d := cmp.Diff([]string{title}, titlesOf([][]map[string]any{w.taken()})); d != "" {
			t.Error(d)
		}
		h.onPass(named(done.status()), true)
		h.close(t.Context())
		if d := cmp.Diff([]string{title}, titlesOf([][]map[string]any{w.taken()})); d != "" {
			t.Error(d)
		}
	})
}

// TestALostPrimaryIsOneItem: people are told that no cluster takes writes, and not once more that
// its primary does not answer; machines get both findings. That a standby is lost too is told.
func TestALostPrimaryIsOneItem(t *testing.T) {
	primary := clusterSeen("a", plan.RolePrimary, plan.ReachUnreachable, plan.BeliefUnknown)
	for _, c := range []struct {
		name   string
		format notify.Format
		lost   plan.ClusterPlan
		told   bool
	}{
		{"the primary, to people", notify.FormatSlack, primary, false},
		{"the primary, to machines", notify.FormatCloudEvents, primary, true},
		{"a standby, to people", notify.FormatSlack, lostStby, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, w := listening(c.format)
			for range 3 {
				s := status(plan.TransitionNone, []plan.ClusterPlan{c.lost}, plan.CodeNoPrimary, plan.CodeClusterUnreachable)
				s.Name, s.Plan.Name = "orders", "orders"
				h.onPass(s, true)
			}
			got := fmt.Sprint(w.taken())
			if !strings.Contains(got, "NO_PRIMARY") || strings.Contains(got, "CLUSTER_UNREACHABLE") != c.told {
				t.Errorf("%s: %s", c.name, got)
			}
			h.close(t.Context())
		})
	}
}
