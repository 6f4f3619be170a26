package render

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

func TestSummary(t *testing.T) {
	behind := behindAnother()
	again := fence()
	again.Name = "carts"
	again.Findings = append(again.Findings, again.Findings[0])
	d := document(inSync("billing"), behind, again, splitBrain(), unseen())
	want := Summary{Topologies: 5, InSync: 1, Changed: 3, Blocked: 2, ForcePromote: 1, StalePrimaries: 2, Well: 1, Trouble: 3}
	if got := d.Summary(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	d = d.approve("orders", approved("NOT_MOST_CAUGHT_UP"))
	d.Plan.Topologies = d.Plan.Topologies[:2]
	if got := d.Summary(); got.Blocked != 0 {
		t.Errorf("an accepted finding still blocks: %+v", got)
	}
}

// Nothing may look approved or accepted that was not.
func TestApprovalFailsClosed(t *testing.T) {
	behind := behindAnother()
	cases := []struct {
		name    string
		decided map[string]Approval
		topo    plan.TopologyPlan
		verdict string
		blocked bool
	}{
		{"nobody decided", nil, behind, "denied", true},
		{"decided without a verdict", map[string]Approval{"orders": {By: []string{"Alice"}, Accepted: []plan.Code{"NOT_MOST_CAUGHT_UP"}}}, behind, "denied", true},
		{"another topology was approved", map[string]Approval{"carts": approved()}, behind, "denied", true},
		{"a denial accepts nothing", map[string]Approval{"orders": {Verdict: approval.VerdictDenied, Accepted: []plan.Code{"NOT_MOST_CAUGHT_UP"}}}, behind, "denied", true},
		{"what was not named still blocks", map[string]Approval{"orders": approved("RECOVERY_BLOCK")}, behind, "approved", true},
		{"approved and accepted", map[string]Approval{"orders": approved("NOT_MOST_CAUGHT_UP")}, behind, "approved", false},
		{"nothing to approve", nil, inSync("orders"), "not_required", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := Document{Plan: plan.Plan{Topologies: []plan.TopologyPlan{c.topo}}, Approvals: c.decided}
			got := encode(d).Topologies[0]
			if got.Approval.Verdict != c.verdict || got.Blocked != c.blocked {
				t.Errorf("got %s, blocked %t; want %s, %t", got.Approval.Verdict, got.Blocked, c.verdict, c.blocked)
			}
			for _, f := range got.Findings {
				if f.Accepted && c.blocked {
					t.Errorf("%s is shown as accepted", f.Code)
				}
			}
		})
	}
}

func TestTrailersAreCompleteButForTheName(t *testing.T) {
	got := Trailers(failover(), "")
	want := []string{"Failover-Approved: orders/cluster-b", "Failover-Plan: " + failover().Digest}
	for _, line := range want {
		if !strings.Contains(strings.Join(got, "\n"), line) {
			t.Errorf("%q is not in %q", line, got)
		}
	}
	if _, err := approval.ParseTrailers("Fail over\n\n" + strings.Join(got, "\n") + "\n"); err == nil {
		t.Error("the lines approve before a person has filled in a name")
	}
	filled := strings.NewReplacer("YOUR E-MAIL", "alice@example.com").Replace(strings.Join(got, "\n"))
	if _, err := approval.ParseTrailers("Fail over\n\n" + filled + "\n"); err != nil {
		t.Errorf("filled in, they do not parse: %v", err)
	}
	noDigest := failover()
	noDigest.Digest = ""
	if len(Trailers(noDigest, "")) != 3 {
		t.Errorf("a plan without a digest is pinned: %q", Trailers(noDigest, ""))
	}
}

// A line that is to be copied begins at the first column: spaces before it
// would make the trailer malformed.
func TestTrailersAreNotIndented(t *testing.T) {
	out := rendered(t, func(w io.Writer) error {
		return Table(w, document(failover()), TableOptions{Parts: Parts{Trailers: true}})
	})
	if !bytes.Contains(out, []byte("\nFailover-Approved: orders/cluster-b\n")) ||
		!bytes.Contains(out, []byte("\nFailover-Plan: "+failover().Digest+"\n")) {
		t.Errorf("the trailers cannot be copied:\n%s", out)
	}
}

// Lists are never null, whatever is missing.
func TestAnEmptyDocumentIsWhole(t *testing.T) {
	for form, write := range forms(Document{}) {
		t.Run(form, func(t *testing.T) {
			if out := rendered(t, write); len(out) == 0 {
				t.Error("nothing was written")
			}
		})
	}
	out := rendered(t, func(w io.Writer) error {
		return JSON(w, Document{Plan: plan.Plan{Topologies: []plan.TopologyPlan{{Name: "bare", Clusters: []plan.ClusterPlan{{ID: "c"}}}}}})
	})
	var tree any
	if err := json.Unmarshal(out, &tree); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"problems", "topologies", "by", "steps", "findings", "clusters"} {
		if bytes.Contains(out, []byte(`"`+list+`": null`)) {
			t.Errorf("%s is null in:\n%s", list, out)
		}
	}
	for _, unknown := range []string{"version", "observedAt", "lag", "dataLoss", "digest", "commit", "generatedAt"} {
		if !bytes.Contains(out, []byte(`"`+unknown+`": null`)) {
			t.Errorf("%s is not null in:\n%s", unknown, out)
		}
	}
}

func TestStatusHasNoSteps(t *testing.T) {
	d := document(failover())
	d.Kind = KindStatus
	for form, write := range forms(d) {
		if out := rendered(t, write); bytes.Contains(out, []byte("throwaway")) || bytes.Contains(out, []byte(`"steps"`)) {
			t.Errorf("%s shows steps", form)
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAFailedWriteIsReported(t *testing.T) {
	for form, write := range forms(document(failover())) {
		if err := write(failing{}); err == nil {
			t.Errorf("%s: the error was swallowed", form)
		}
	}
}
