package render

import (
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/plan"
)

// TestSARIFIsAsGitHubTakesIt holds every result to what GitHub demands beyond the
// standard (docs.github.com, "SARIF support for code scanning"): it refuses a whole
// file for one result that it cannot place.
func TestSARIFIsAsGitHubTakesIt(t *testing.T) {
	docs := everyDocument(t)
	docs["hostile"] = hostileDocument()
	for _, code := range plan.AllCodes() {
		docs["nowhere "+string(code)] = document(plan.TopologyPlan{Name: "gone", Findings: []plan.Finding{plan.NewFinding(code, "", "gone", "")}})
	}
	for _, folder := range []string{".", "a/b", "été/x y", "a:b"} {
		d := document(plan.TopologyPlan{Name: "gone", Findings: []plan.Finding{plan.NewFinding(plan.CodeTopologyRemoved, "", "gone", "")}})
		d.Folder = folder
		docs["nowhere in "+folder] = d
		d.Plan.Topologies[0].Name = "../../gone"
		docs["nowhere in "+folder+", with another name"] = d
	}
	for name, d := range docs {
		t.Run(name, func(t *testing.T) {
			raw := rendered(t, func(w io.Writer) error { return SARIF(w, d) })
			var log sarifLog
			if err := json.Unmarshal(raw, &log); err != nil {
				t.Fatal(err)
			}
			if len(log.Runs) != 1 || len(raw) > 10<<20 || len(log.Runs[0].Results) > 25000 || log.Runs[0].AutomationDetails.ID == "" {
				t.Errorf("%d runs, %d bytes, %d results", len(log.Runs), len(raw), len(log.Runs[0].Results))
			}
			for _, r := range log.Runs[0].Results {
				checkGitHubResult(t, log.Runs[0].Tool.Driver.Rules, r)
			}
		})
	}
}

func checkGitHubResult(t *testing.T, rules []sarifRule, r sarifResult) {
	t.Helper()
	if r.RuleIndex < 0 || r.RuleIndex >= len(rules) || rules[r.RuleIndex].ID != r.RuleID || r.RuleID == "" || len(r.RuleID) > 255 {
		t.Errorf("%s has the rule %d", r.RuleID, r.RuleIndex)
	}
	if r.Message.Text == "" || !slices.Contains([]string{"error", "warning", "note", "none"}, r.Level) || r.PartialFingerprints["reconcile/v1"] == "" {
		t.Errorf("%s: %+v", r.RuleID, r)
	}
	if len(r.Locations) == 0 || len(r.Locations) > 1000 {
		t.Fatalf("%s has %d locations", r.RuleID, len(r.Locations))
	}
	for _, l := range r.Locations {
		at, err := url.Parse(l.PhysicalLocation.ArtifactLocation.URI)
		if err != nil || at.IsAbs() || at.Path == "" || strings.HasPrefix(at.Path, "/") || slices.Contains(strings.Split(at.Path, "/"), "..") {
			t.Errorf("%s is in %q: %v", r.RuleID, l.PhysicalLocation.ArtifactLocation.URI, err)
		}
		if l.PhysicalLocation.Region.StartLine < 1 {
			t.Errorf("%s is in line %d", r.RuleID, l.PhysicalLocation.Region.StartLine)
		}
	}
}

// TestFileOfWhatIsInNone: it lies in the folder that holds the topologies.
func TestFileOfWhatIsInNone(t *testing.T) {
	gone := document(plan.TopologyPlan{Name: "gone"})
	for folder, want := range map[string]string{"": "topologies/gone.yaml", "a/b": "a/b/gone.yaml", ".": "gone.yaml"} {
		gone.Folder = folder
		if got := gone.fileFor("gone"); got != want {
			t.Errorf("in %q it is %s, want %s", folder, got, want)
		}
	}
}

func TestSARIFPointsAtTheLineAndKeepsItsFingerprint(t *testing.T) {
	first, moved := failover(), failover()
	moved.Findings[2].At.Line, moved.Findings[2].Message = 40, "other numbers"
	a, b := sarifResults(document(first))[2], sarifResults(document(moved))[2]
	if a.Locations[0].PhysicalLocation.Region != (sarifRegion{9, 7}) || b.Locations[0].PhysicalLocation.Region != (sarifRegion{40, 7}) {
		t.Errorf("got %+v and %+v", a.Locations[0].PhysicalLocation.Region, b.Locations[0].PhysicalLocation.Region)
	}
	if a.PartialFingerprints["reconcile/v1"] != b.PartialFingerprints["reconcile/v1"] {
		t.Error("the fingerprint changed with the line")
	}
}
