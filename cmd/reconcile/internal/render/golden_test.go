package render

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"milvus-reconcile/plan"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldens are the documents that are kept in every form; read them as the
// engineer who gets them.
func goldens() map[string]Document {
	blockedFailover := failover()
	blockedFailover.Findings = append(blockedFailover.Findings, notProbed())
	behind := failover()
	behind.Findings = append(behind.Findings, notMostCaughtUp())
	unbounded := failover()
	unbounded.DataLoss.Upper, unbounded.DataLoss.PerChannel[1].Started = nil, false
	resumed := failover()
	resumed.Resumed = true
	offline := failover()
	offline.DataLoss = &plan.Window{}
	for i := range offline.Clusters {
		offline.Clusters[i].View = plan.View{Cluster: offline.Clusters[i].ID}
		offline.Clusters[i].Lag = nil
	}
	unchanged := inSync("billing")
	unchanged.InSync = false
	for i := range unchanged.Clusters {
		unchanged.Clusters[i].View = plan.View{Cluster: unchanged.Clusters[i].ID}
	}
	unasked := document(unchanged, offline)
	unasked.Plan.Offline, unasked.Plan.Ledger = true, plan.LedgerNone
	elsewhere := document(failover())
	elsewhere.Observed = ObservedElsewhere
	standing := fence()
	standing.Transition, standing.Steps, standing.Digest = plan.TransitionNone, nil, ""

	drifted := document(inSync("billing"), switchover())
	drifted.Kind = KindDrift
	status := document(inSync("billing"), standing)
	status.Kind = KindStatus
	broken := document(inSync("orders"))
	broken.Problems = []Problem{
		{File: "topologies/carts.yaml", Line: 12, Column: 13, Path: "spec.clusters[1].uri", Message: "the uri has no scheme", Hint: "write http://cluster-d.example:19530"},
		{File: "topologies/users.yaml", Message: "the file is empty"},
	}
	return map[string]Document{
		"in_sync":               document(inSync("billing"), inSync("orders")),
		"bootstrap":             document(bootstrap()),
		"add_standby":           document(addStandby()),
		"detach":                document(detach()),
		"grow_channels":         document(growChannels()),
		"switchover":            document(switchover()).approve("orders", approved()),
		"switchover_behind":     document(replicating(plan.ReplicationBehind)).approve("orders", approved()),
		"switchover_unproven":   document(replicating(plan.ReplicationUnproven)).approve("orders", approved()),
		"failover":              document(inSync("billing"), failover()),
		"failover_approved":     document(failover()).approve("orders", approved()),
		"failover_blocked":      document(blockedFailover),
		"failover_behind":       document(behind).approve("orders", Approval{Verdict: VerdictDenied, Code: "SELF_APPROVED", Detail: "alice@example.com wrote the change herself"}),
		"failover_accepted":     document(behind).approve("orders", approved("NOT_MOST_CAUGHT_UP")),
		"failover_loss_unknown": document(unbounded),
		"failover_resumed":      document(resumed).approve("orders", Approval{Verdict: VerdictNotRequired, Detail: "it was granted when the change began"}),
		"failover_offline":      unasked,
		"failover_elsewhere":    elsewhere,
		"fence":                 document(fence()).approve("orders", Approval{Verdict: VerdictNotRequired, Detail: "the failover that made cluster-a stale was approved"}),
		"stale_primary":         document(standing),
		"split_brain":           document(splitBrain()),
		"unseen":                document(unseen()),
		"drift":                 drifted,
		"status":                status,
		"problems":              broken,
	}
}

// kept says which documents are kept in which form; every one is kept as the
// pages that people read, a table and Markdown.
var kept = map[string][]string{
	FormJSON:  {"in_sync", "switchover", "failover_blocked", "failover_accepted", "failover_loss_unknown", "failover_offline", "status", "problems"},
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
		t.Errorf("%s differs from the golden file (write it anew by -update):\n--- got\n%s--- want\n%s", name, got, want)
	}
}
