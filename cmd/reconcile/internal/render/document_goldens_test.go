package render

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

var update = flag.Bool("update", false, "renew the golden files")

// goldens are the documents that are kept in every form; read them as the
// engineer who gets them.
func goldens() map[string]Document {
	elsewhere := document(failover())
	elsewhere.Observed = ObservedElsewhere
	unasked := Document{Plan: offline(), GeneratedAt: night}
	unasked.Plan.Topologies = unasked.Plan.Topologies[1:] // without billing
	waits := night.Add(-2 * time.Minute)

	drifted := document(switchover())
	drifted.Kind = KindDrift
	status := document(standing())
	status.Kind = KindStatus
	broken := document(inSync("orders"))
	broken.Problems = []Problem{
		{File: "topologies/carts.yaml", Line: 12, Column: 13, Path: "spec.clusters[1].uri", Message: "the uri has no scheme", Hint: "write http://cluster-d.example:19530"},
		{File: "topologies/users.yaml", Message: "the file is empty"},
	}
	return map[string]Document{
		"in_sync":               document(inSync("billing"), inSync("orders")),
		"bootstrap":             document(must(bootstrap(), plan.TransitionBootstrap)),
		"add_standby":           document(must(addStandby(), plan.TransitionAddStandby)),
		"detach":                document(must(detach(), plan.TransitionDetach, plan.CodeStandbyBecomesWritable)),
		"grow_channels":         document(must(growChannels(), plan.TransitionGrowChannels)),
		"switchover":            document(must(switchover(), plan.TransitionSwitchover)).approve("orders", approved()),
		"switchover_behind":     document(swapping(time.Second, &waits)).approve("orders", approved()),
		"switchover_unproven":   document(swapping(5*time.Minute, nil)).approve("orders", approved()),
		"switchover_by_dns":     document(must(byName(), plan.TransitionSwitchover)).approve("orders", approved()),
		"failover":              document(must(failover(), plan.TransitionFailover, plan.CodeForcePromote)),
		"failover_approved":     document(failover()).approve("orders", approved()),
		"failover_blocked":      document(must(notProbed(), plan.TransitionFailover, plan.CodePrimaryNotProbed)),
		"failover_behind":       document(must(behindAnother(), plan.TransitionFailover, plan.CodeNotMostCaughtUp)).approve("orders", Approval{Verdict: approval.VerdictDenied, Code: "SELF_APPROVED", Detail: "alice@example.com wrote the change herself"}),
		"failover_accepted":     document(behindAnother()).approve("orders", approved("NOT_MOST_CAUGHT_UP")),
		"failover_unaccepted":   document(must(behindAnotherKept(), plan.TransitionFailover, plan.CodeNotMostCaughtUp)).approve("orders", approved()),
		"failover_serving":      document(must(stillServing(), plan.TransitionFailover, plan.CodePrimaryReachable)),
		"failover_loss_unknown": document(unbounded()),
		"failover_resumed":      document(resumed()).approve("orders", Approval{Verdict: approval.VerdictNotRequired, Detail: "it was granted when the change began"}),
		"failover_under_way":    document(underWay()),
		"under_way_overtaken":   document(overtaken()),
		"switchover_under_way":  document(must(swapsNow(), plan.TransitionSwitchover)),
		"primary_lost":          document(must(primaryLost("orders"), plan.TransitionNone, plan.CodeNoPrimary)),
		"all_lost":              document(must(allLost("orders"), plan.TransitionNone)),
		"primary_unnamed":       document(must(primaryUnnamed("orders"), plan.TransitionNone, plan.CodeNoPrimary)),
		"switchover_stuck":      document(must(stuck("orders"), plan.TransitionSwitchover, plan.CodeNoPrimary)),
		"failover_offline":      unasked,
		"failover_elsewhere":    elsewhere,
		"fence":                 document(must(fence(), plan.TransitionFence, plan.CodeStalePrimary)).approve("orders", Approval{Verdict: approval.VerdictNotRequired, Detail: "the failover that made cluster-a stale was approved"}),
		"stale_primary":         document(must(standing(), plan.TransitionNone, plan.CodeStalePrimary)),
		"stale_counted":         document(must(counted(), plan.TransitionNone, plan.CodeStalePrimary)),
		"stale_replayed":        document(must(broughtPartly(), plan.TransitionNone, plan.CodeStalePrimary)),
		"stale_several":         document(must(fencedStar(), plan.TransitionNone, plan.CodeStalePrimary)),
		"stale_never_fenced":    document(must(promotedFirst().planned(), plan.TransitionNone, plan.CodeSplitBrain, plan.CodeStalePrimary)),
		"stale_never_followed":  document(must(promotedFirstOfStar().planned(), plan.TransitionNone, plan.CodeSplitBrain, plan.CodeStalePrimary)),
		"stale_lost":            document(must(staleLost(), plan.TransitionNone, plan.CodeStalePrimary)),
		"failover_pair_lost":    document(must(pairLost(), plan.TransitionFailover, plan.CodeCandidateUnreachable)),
		"failover_effected":     document(must(effected(), plan.TransitionFailover)).approve("orders", Approval{Verdict: approval.VerdictNotRequired, Detail: "it was granted when the change began"}),
		"failover_judged":       document(must(judged(), plan.TransitionFailover, plan.CodePrimaryNotProbed)).approve("orders", approved()),
		"split_brain":           document(must(splitBrain(), plan.TransitionAddStandby, plan.CodeSplitBrain, plan.CodeOutOfBandFailover)),
		"unseen":                document(must(unseen(), plan.TransitionNone, plan.CodeClusterUnreachable)),
		"drift":                 drifted,
		"status":                status,
		"problems":              broken,
	}
}

// kept says which documents are kept in which form; every one is kept as the
// pages that people read, a table and Markdown.
var kept = map[string][]string{
	FormJSON:  {"in_sync", "switchover", "switchover_by_dns", "failover_blocked", "failover_accepted", "failover_loss_unknown", "failover_under_way", "failover_offline", "stale_counted", "stale_replayed", "status", "problems"},
	FormYAML:  {"in_sync", "failover_blocked"},
	FormJUnit: {"in_sync", "failover_blocked", "failover_accepted", "drift", "problems"},
	FormSARIF: {"in_sync", "failover_blocked", "failover_accepted", "problems"},
}

func TestGoldens(t *testing.T) {
	for name, d := range goldens() {
		for form, write := range forms(d) {
			if form == FormTable || form == FormMarkdown || slices.Contains(kept[form], name) {
				t.Run(name+" "+form, func(t *testing.T) { compare(t, name+"."+form, write) })
			}
		}
	}
}

func rendered(t *testing.T, write func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compare(t *testing.T, name string, write func(io.Writer) error) {
	t.Helper()
	if !strings.HasPrefix(t.Name(), "TestGolden") {
		t.Errorf("%s compares with a golden file, and .ci/generate renews those of TestGolden… only", t.Name())
	}
	got := rendered(t, write)
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from the golden file (renew it with -update):\n--- got\n%s--- want\n%s", name, got, want)
	}
}
