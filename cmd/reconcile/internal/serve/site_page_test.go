package serve

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/sitepage"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile/daemon"
)

// halfMoved is a site whose first wave has moved, and whose second one has in part.
func halfMoved() sitepage.Site {
	lost, none := 300*time.Millisecond, time.Duration(0)
	move := func(name string, wave int, loss *time.Duration, blocked ...plan.Code) siteplan.Planned {
		return siteplan.Planned{
			Move: siteplan.Move{Topology: name, Generation: 8, Transition: plan.TransitionFailover, From: "cluster-a", To: "cluster-b", Digest: "sha256:3f9c"},
			Wave: wave, AtRisk: loss, Blocked: blocked,
		}
	}
	waits, blocked := move("users", 1, &none), move("wares", 1, nil, plan.CodeRoleUnknown)
	planned := siteplan.Site{Name: "eu-1", Moves: []siteplan.Planned{waits, blocked}, Digest: "sha256:77aa"}
	return sitepage.Now(planned, siteplan.Waves{{Name: "canary", Topologies: []string{"orders"}}}, []sitepage.Came{
		{Planned: move("orders", 0, &lost), Outcome: "unchanged", Done: true, Begun: noon.Add(-4 * time.Second), Promoted: noon.Add(-2 * time.Second), Traffic: "done"},
		{Planned: waits, Outcome: sitepage.OutcomeWaits, Detail: "it waits for its turn"},
		{Planned: move("tags", 1, &none), Outcome: sitepage.OutcomeUnderWay, Begun: noon},
		{Planned: blocked, Outcome: "blocked", Detail: "ROLE_UNKNOWN: <img src=x> says no role"},
	}, map[string]sitepage.Decision{"users": {Approved: true}}, "")
}

// siteOf knows the sites eu-1, which is half moved, and us-1, where all rests.
func siteOf(_ context.Context, name string) (sitepage.Site, bool) {
	switch name {
	case "eu-1":
		return halfMoved(), true
	case "us-1":
		return sitepage.Site{Name: name, Waves: []sitepage.Wave{}}, true
	default:
		return sitepage.Site{}, false
	}
}

// sited is a healthy topology whose primary is at eu-1.
func sited(name string) daemon.TopologyStatus {
	t := healthy(name)
	t.Plan.Clusters[0].Site = "eu-1"
	return t
}

// TestGoldenPageOfASite: one page has the waves, how many moved, and of each topology how long it took,
// what it lost, where its traffic goes, and what blocks it; every page leads to it.
func TestGoldenPageOfASite(t *testing.T) {
	b := boardOf(sited("cart"), healthy("elsewhere"))
	code, html := get(t, pages(b), "/sites/eu-1")
	if code != http.StatusOK {
		t.Fatalf("status %d", code)
	}
	golden(t, "site-half-moved.html", regexp.MustCompile(`(?s)<main.*</main>`).FindString(html))
	for _, want := range []string{`<title>(!) site eu-1</title>`, `href="../api/v1/sites/eu-1"`} {
		if !strings.Contains(html, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if _, html := get(t, pages(b), "/sites/us-1"); !strings.Contains(html, "No move of this site is planned or under way.") {
		t.Error("a site at rest does not say so")
	}
	if code, html := get(t, pages(b), "/sites/eu-11"); code != http.StatusNotFound || !strings.Contains(html, `Did you mean <a href="eu-1">eu-1</a>?`) {
		t.Errorf("status %d for a site that nobody knows", code)
	}
	for path, link := range map[string]string{"/": `href="sites/eu-1"`, "/topologies/cart": `href="../sites/eu-1"`} {
		if _, html := get(t, pages(b), path); !strings.Contains(html, link) {
			t.Errorf("%s does not lead to the site", path)
		}
	}
}

// TestASiteAsJSON: the API has the site as `status -o json` has it, with its topologies alone.
func TestASiteAsJSON(t *testing.T) {
	b := boardOf(sited("cart"), healthy("elsewhere"))
	code, body := get(t, pages(b), "/api/v1/sites/eu-1")
	var got struct {
		FormatVersion string
		Site          sitepage.Site
		Topologies    []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(body), &got); code != http.StatusOK || err != nil {
		t.Fatalf("status %d, %v", code, err)
	}
	if len(got.Topologies) != 1 || got.Topologies[0].Name != "cart" || got.FormatVersion == "" {
		t.Errorf("it holds %+v", got)
	}
	if want := (sitepage.Counts{Moved: 1, UnderWay: 1, Waits: 1, Failed: 1}); got.Site.Came == nil || *got.Site.Came != want || len(got.Site.Waves) != 2 {
		t.Errorf("the site is %+v", got.Site)
	}
	if code, _ := get(t, pages(b), "/api/v1/sites/nowhere"); code != http.StatusNotFound {
		t.Errorf("status %d for a site that nobody knows", code)
	}
}
