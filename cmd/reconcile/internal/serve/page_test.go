package serve

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
)

func withEdge(t daemon.TopologyStatus, from, to string, believers ...string) daemon.TopologyStatus {
	for i, c := range t.Plan.Clusters {
		for _, b := range believers {
			if c.ID == b {
				t.Plan.Clusters[i].View.Belief.Configuration.Edges = []plan.Edge{{From: from, To: to}}
			}
		}
	}
	return t
}

// gallery are topologies in several states, for eyes and for tests.
func gallery() *board {
	failover := withEdge(lost(), "cluster-a", "cluster-b", "cluster-b")
	failover.Plan.Digest = "sha256:3f9c"
	failover.Plan.Steps = []plan.Step{{ID: 1, Wave: 1, Action: plan.ActionForcePromote, Cluster: "cluster-b", Reason: plan.ReasonPrimaryLost}}
	failover.Plan.DataLoss = &plan.Window{Lower: seconds(0), Upper: seconds(4.2), Method: plan.MethodRecorded}
	failover.Decision = approval.Decision{Verdict: approval.VerdictApproved, Detail: "approved by Alice Smith <alice@example.com>", By: []string{"Alice Smith <alice@example.com>"}}
	failover.Name = "payments"
	stale := withEdge(failedOver(), "cluster-a", "cluster-b", "cluster-a")
	stale.Name = "catalog"
	return boardOf(stale, withEdge(pair(7), "cluster-a", "cluster-b", "cluster-a", "cluster-b"), failover)
}

func ledgerOf(context.Context) map[string][]Record {
	return map[string][]Record{"payments": {{noon, "intent of payments"}, {noon.Add(-time.Hour), "matched"}}}
}

func TestPageSaysItAll(t *testing.T) {
	code, html := get(t, NewPage(gallery(), ledgerOf), "/")
	if code != http.StatusOK {
		t.Fatalf("status %d", code)
	}
	for _, want := range []string{
		"3 topologies: 1 in sync, 1 blocked, 1 drifted.",
		"cluster-b is PROMOTED BY FORCE", "Alice Smith &lt;alice@example.com&gt;", "sha256:3f9c",
		"PRIMARY_NOT_PROBED", "STALE_PRIMARY", "intent of payments", `aria-label="As the clusters that answer believe: cluster-a replicates to cluster-b."`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if e, _ := explain.Lookup("STALE_PRIMARY"); !strings.Contains(html, e.Title) {
		t.Errorf("STALE_PRIMARY is not explained")
	}
	if strings.Index(html, `id="orders"`) < strings.Index(html, `id="payments"`) {
		t.Error("what is in sync stands before what is blocked")
	}
}

// TestPageLoadsNothing holds that the page refers to nothing elsewhere, and
// that its policy allows its own style and script alone.
func TestPageLoadsNothing(t *testing.T) {
	w := httptest.NewRecorder()
	NewPage(gallery(), nil).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	html := w.Body.String()
	for _, tag := range regexp.MustCompile(`(?:src|href|action|url)\s*[=(]\s*["']?([^"'\s>)]+)`).FindAllStringSubmatch(html, -1) {
		if !strings.HasPrefix(tag[1], "/") && !strings.HasPrefix(tag[1], "#") {
			t.Errorf("the page refers to %s", tag[1])
		}
	}
	if strings.Contains(html, " style=") || regexp.MustCompile(` on[a-z]+=`).MatchString(html) {
		t.Error("the page has inline styles or handlers, which its policy forbids")
	}
	policy := w.Header().Get("Content-Security-Policy")
	for element, directive := range map[string]string{"style": "style-src", "script": "script-src"} {
		text := regexp.MustCompile(`(?s)<` + element + `>(.*?)</` + element + `>`).FindStringSubmatch(html)
		if text == nil || !strings.Contains(policy, directive+" "+hashOf(text[1])) {
			t.Errorf("the policy %q does not allow the page's own %s", policy, element)
		}
	}
	if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
}

func TestPageShowsHostileTextAsText(t *testing.T) {
	s := lost()
	s.Plan.Findings[1].Message = "<script>alert(1)</script>\x1b[2J\u202e"
	s.Plan.Clusters[0].ID = `"><svg onload=x>`
	s.Error = "<img src=x>"
	_, html := get(t, NewPage(boardOf(s), nil), "/")
	for _, bad := range []string{"<script>alert", "\x1b", "\u202e", "<img", "<svg onload"} {
		if strings.Contains(html, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

// TestColoursCanBeRead holds the contrast of every colour of text on every
// ground at 4.5 to 1 or more (WCAG 2.2, 1.4.3), light and dark.
func TestColoursCanBeRead(t *testing.T) {
	css := asset("page/page.css")
	for i, theme := range regexp.MustCompile(`:root\{([^}]*)\}`).FindAllStringSubmatch(css, -1) {
		colours := map[string]float64{}
		for _, c := range regexp.MustCompile(`--([a-z]+):#([0-9a-f]{3,6})`).FindAllStringSubmatch(theme[1], -1) {
			colours[c[1]] = luminance(t, c[2])
		}
		for _, ground := range []string{"ground", "panel"} {
			for _, text := range []string{"text", "quiet", "good", "warn", "bad", "link"} {
				a, b := colours[ground], colours[text]
				if ratio := (max(a, b) + .05) / (min(a, b) + .05); ratio < 4.5 {
					t.Errorf("theme %d: %s on %s has a contrast of %.2f", i, text, ground, ratio)
				}
			}
		}
	}
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	sum := 0.0
	for i, weight := range []float64{.2126, .7152, .0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= .04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+.055)/1.055, 2.4)
		}
	}
	return sum
}
