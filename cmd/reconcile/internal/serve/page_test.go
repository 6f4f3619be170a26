package serve

import (
	"context"
	"fmt"
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
				t.Plan.Clusters[i].View.Belief.Configuration = plan.Configuration{Clusters: []plan.Member{{ID: from}, {ID: to}}, Edges: []plan.Edge{{From: from, To: to}}}
			}
		}
	}
	return t
}

// healthy, waiting and split are a pair that is well, one whose failover waits for its
// approval, and one whose two clusters both take writes.
func healthy(name string) daemon.TopologyStatus {
	t := withEdge(pair(7), "cluster-a", "cluster-b", "cluster-a", "cluster-b")
	t.Name, t.Plan.Name = name, name
	return t
}

func waiting(name string) daemon.TopologyStatus {
	t := withEdge(lost(), "cluster-a", "cluster-b", "cluster-b")
	t.Name, t.Plan.Name, t.State = name, name, daemon.StatePending
	t.Plan.Digest = "sha256:3f9c"
	t.Plan.Findings = append(t.Plan.Findings[:1], plan.NewFinding(plan.CodeForcePromote, "cluster-b", "cluster-b will be promoted by force in place of cluster-a", "cut applications off cluster-a"))
	t.Plan.Steps = []plan.Step{{ID: 1, Wave: 1, Action: plan.ActionForcePromote, Cluster: "cluster-b", Reason: plan.ReasonPrimaryLost}}
	t.Plan.DataLoss = &plan.Window{Lower: seconds(0), Upper: seconds(4.2), Method: plan.MethodRecorded}
	t.Decision = approval.Decision{Code: approval.CodeMissing, Detail: "commit c8, which governs " + name + ", carries no approval of this failover. To approve, run `reconcile approve " + name + "/cluster-b`, or sign a tag", Commit: "c8", Needed: 1}
	return t
}

// applying is a failover under way.
func applying(name string) daemon.TopologyStatus {
	t := waiting(name)
	t.State, t.IntentOpen = daemon.StateApplying, true
	t.Decision = approval.Decision{Verdict: approval.VerdictApproved, Detail: "approved by Alice Smith <alice@example.com>", By: []string{"Alice Smith <alice@example.com>"}}
	t.Plan.UnderWay = &plan.UnderWay{Transition: plan.TransitionFailover, Generation: 8, By: "this daemon (process 4711 on ops-1)", Since: noon.Add(-5 * time.Second), Step: "sends the force promote of cluster-b and reads it back", StepSince: noon.Add(-2 * time.Second)}
	t.Plan.FailedAt = noon.Add(-40 * time.Second)
	return t
}

func split(name string) daemon.TopologyStatus {
	t := withEdge(failedOver(), "cluster-a", "cluster-b", "cluster-a")
	t.Name, t.Plan.Name = name, name
	t.Plan.Findings = append(t.Plan.Findings, plan.NewFinding(plan.CodeSplitBrain, "", "cluster-a and cluster-b can take writes at the same time",
		"stop writes to cluster-a by network or load balancer now, and make it refuse them: 'reconcile fence "+name+"/cluster-a'"))
	return t
}

// gallery are topologies in several states, for eyes and for tests.
func gallery() *board {
	return boardOf(split("catalog"), healthy("orders"), waiting("payments"))
}

// fleet is many topologies; two of them have a problem.
func fleet(n int) *board {
	all := make([]daemon.TopologyStatus, n)
	for i := range all {
		all[i] = healthy(fmt.Sprintf("orders-%04d", i))
	}
	all[n/2], all[n-1] = waiting(all[n/2].Name), split(all[n-1].Name)
	return boardOf(all...)
}

func recordsOf(_ context.Context, topology string) []Record {
	switch topology {
	case "payments":
	case "orders-0007":
		return []Record{
			{At: noon.Add(-40 * time.Second), Text: "cluster-a was silent from here on"},
			{At: noon.Add(-5 * time.Second), Text: "failover to cluster-b begun, generation 8, commit 3f9c1a\nproposed by Bob <bob@example.com>\napproved by Alice Smith <alice@example.com>: INC-4711"},
			{At: noon.Add(-2 * time.Second), Text: "sent: from here on a request of the failover may have left"},
		}
	case "orders-0999", "orders-0029":
		return []Record{
			{At: noon.Add(-4 * time.Minute), Text: "cluster-a was silent from here on"},
			{At: noon.Add(-3 * time.Minute), Text: "failover to cluster-b begun, generation 8, commit 3f9c1a\nproposed by Bob <bob@example.com>\napproved by Alice <alice@example.com>: INC-4711, the region burns"},
			{At: noon.Add(-2 * time.Minute), Text: "sent: from here on a request of the failover may have left"},
			{At: noon.Add(-2 * time.Minute), Text: "read back: the failover took effect"},
			{At: noon.Add(-time.Minute), Text: "the failover is done, generation 8\ncluster-b works as the primary (dml)\ntraffic points at cluster-b by file\nlost: up to 2 s of the writes to cluster-a"},
		}
	default:
		return nil
	}
	return []Record{{At: noon.Add(-time.Hour), Text: "seen to be as Git says"}, {At: noon, Text: "the failover to cluster-b began"}}
}

// pages serves the pages of a source as the daemon does.
func pages(b *board) http.Handler {
	mux, p := http.NewServeMux(), NewPage(b, recordsOf, siteOf)
	mux.Handle("GET /{$}", p.Overview())
	mux.Handle("GET /topologies/{topology}", p.Topology())
	mux.Handle("GET /sites/{site}", p.Site())
	mux.Handle("GET /api/v1/sites/{site}", SiteStatus(b, siteOf))
	mux.Handle("GET /events", NewEvents(b, 4))
	return mux
}

func TestOverviewSaysTheWorstFirst(t *testing.T) {
	code, html := get(t, pages(gallery()), "/")
	if code != http.StatusOK {
		t.Fatalf("status %d", code)
	}
	for _, want := range []string{
		"3 topologies: 1 WITH TWO PRIMARIES · 1 WITHOUT A PRIMARY · 1 in sync", "<title>(!) reconcile</title>",
		"NO PRIMARY: FAILOVER to cluster-b · WAITS FOR APPROVAL", "SPLIT_BRAIN: cluster-a and cluster-b can take writes", "cluster-a → cluster-b", "≤ 1.5 s",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	slow := healthy("slow")
	slow.State, slow.Plan.InSync = daemon.StateBlocked, false
	slow.Plan.Findings = []plan.Finding{plan.NewFinding(plan.CodeReplicationStalled, "cluster-b", "it does not move", "")}
	_, html = get(t, pages(boardOf(applying("begun"), split("catalog"), healthy("orders"), waiting("payments"), slow)), "/")
	var got []string
	for _, r := range regexp.MustCompile(`<tr role="row" id="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		got = append(got, r[1])
	}
	if got, want := strings.Join(got, " "), "catalog payments begun slow orders"; got != want {
		t.Errorf("the order is %s, want %s", got, want)
	}
}

// TestOverviewIsNeverTooCheerful holds that a topology is well only if nothing says
// otherwise.
func TestOverviewIsNeverTooCheerful(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*daemon.TopologyStatus)
		want   string
	}{
		{"well", func(*daemon.TopologyStatus) {}, "1 topology: 1 in sync"},
		{"a critical finding", func(t *daemon.TopologyStatus) {
			t.Plan.Findings = []plan.Finding{{Code: plan.CodeReplicationStalled, Severity: plan.SeverityCritical, Message: "it does not move"}}
		}, "1 topology: 1 behind"},
		{"a warning", func(t *daemon.TopologyStatus) {
			t.Plan.Findings = []plan.Finding{{Code: plan.CodeLagObjective, Severity: plan.SeverityWarning}}
		}, "1 topology: 1 behind"},
		{"a remark", func(t *daemon.TopologyStatus) {
			t.Plan.Findings = []plan.Finding{{Code: plan.CodeConfigOrder, Severity: plan.SeverityInfo}}
		}, "1 topology: 1 in sync"},
		{"a pass that failed", func(t *daemon.TopologyStatus) { t.Error = "the region burns" }, "1 topology: 1 whose newest pass failed"},
		{"no primary", func(t *daemon.TopologyStatus) {
			t.Plan.Clusters[0] = member("cluster-a", plan.RolePrimary, plan.ReachUnreachable, plan.BeliefUnknown)
			t.Plan.Findings = []plan.Finding{plan.NewFinding(plan.CodeNoPrimary, "", "cluster-a refuses connections", "")}
		}, "1 topology: 1 WITHOUT A PRIMARY"},
		{"never observed", func(t *daemon.TopologyStatus) { *t = daemon.TopologyStatus{Name: t.Name} }, "1 topology: 1 not observed yet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := healthy("orders")
			c.change(&s)
			_, all := get(t, pages(boardOf(s)), "/")
			_, one := get(t, pages(boardOf(s)), "/topologies/orders")
			if well := strings.HasSuffix(c.want, "1 in sync"); !strings.Contains(all, c.want+"<") || strings.Contains(one, "Everything is as Git says") != well {
				t.Errorf("want %q, and the headline of a topology that is well: %t", c.want, well)
			}
		})
	}
}

func TestOverviewFilters(t *testing.T) {
	for _, c := range []struct{ query, found, first string }{
		{"?show=problems", "2 of 1,000 shown.", "orders-0999"},
		{"?show=in_sync", "998 of 1,000 shown.", "orders-0000"},
		{"?q=orders-012", "10 of 1,000 shown.", "orders-0120"},
		{"?q=ORDERS-05++failover", "1 of 1,000 shown.", "orders-0500"},
		{"?q=stale_primary&show=drifted", "1 of 1,000 shown.", "orders-0999"},
		{"?q=cluster-b&show=pending", "1 of 1,000 shown.", "orders-0500"},
		{"?q=no-such", "0 of 1,000 shown.", ""},
		{"?show=none", "0 of 1,000 shown.", ""},
		{"?q=%3Cscript%3E", "0 of 1,000 shown.", ""},
	} {
		t.Run(c.query, func(t *testing.T) {
			_, html := get(t, pages(fleet(1000)), "/"+c.query)
			first := ""
			if found := regexp.MustCompile(`<tr role="row" id="([^"]*)"`).FindStringSubmatch(html); found != nil {
				first = found[1]
			}
			if !strings.Contains(html, c.found) || first != c.first {
				t.Errorf("the first is %q, want %q, and %q", first, c.first, c.found)
			}
			if n := strings.Count(html, "<script>"); n != 1 {
				t.Errorf("the page has %d scripts", n)
			}
		})
	}
}

func TestPageOfATopologySaysItAll(t *testing.T) {
	code, html := get(t, pages(gallery()), "/topologies/payments")
	if code != http.StatusOK {
		t.Fatalf("status %d", code)
	}
	for _, want := range []string{
		"FAILOVER to cluster-b · WAITS FOR APPROVAL", "promotes cluster-b BY FORCE", "up to 4.2 s of writes", "<code>reconcile approve payments/cluster-b --reason &#34;WHY&#34; --push</code>", "sha256:3f9c",
		"STALE_PRIMARY", "seen to be as Git says", "the failover to cluster-b began", "standby, lag unknown",
		`aria-label="No cluster was seen to take writes. cluster-b is a standby of cluster-a, which does not answer."`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if _, html := get(t, pages(gallery()), "/topologies/catalog"); !strings.Contains(html, "make it refuse them: <code>reconcile fence catalog/cluster-a</code></p>") {
		t.Error("the command of a finding cannot be copied alone")
	}
	if e, _ := explain.Lookup("STALE_PRIMARY"); !strings.Contains(html, e.Title) {
		t.Errorf("STALE_PRIMARY is not explained")
	}
	if code, html := get(t, pages(gallery()), "/topologies/paymets"); code != http.StatusNotFound || !strings.Contains(html, `href="../?q=paymets"`) || !strings.Contains(html, `Did you mean <a href="payments">payments</a>?`) {
		t.Errorf("status %d for a topology that nobody knows", code)
	}
}

// TestPageNeverContradictsItself holds that all pages tell the lag that the plan tells, with
// a dead primary that at its death, and that a topology with a problem is not called in
// sync.
func TestPageNeverContradictsItself(t *testing.T) {
	silent := waiting("orders")
	silent.Plan.Clusters[1].Lag = &plan.Window{Upper: seconds(151)}
	stale := healthy("users")
	stale.Plan.Findings = []plan.Finding{plan.NewFinding(plan.CodeStalePrimary, "cluster-c", "it takes writes", "")}
	b := boardOf(silent, stale)
	for _, path := range []string{"/", "/topologies/orders"} {
		if _, html := get(t, pages(b), path); !strings.Contains(html, "2 min 31 s") {
			t.Errorf("%s does not tell the lag", path)
		}
	}
	_, all := get(t, pages(b), "/?show=findings")
	_, well := get(t, pages(b), "/?show=in_sync")
	_, one := get(t, pages(b), "/topologies/users")
	if !strings.Contains(all, `class="state">! critical<`) || !strings.Contains(one, "! critical<") || strings.Contains(all, "✓") || strings.Contains(one, "✓") {
		t.Error("what is not well is called in sync")
	}
	if !strings.Contains(well, "0 of 2 shown.") || !strings.Contains(all, "1 of 2 shown.") {
		t.Error("a topology with a problem is counted as in sync too")
	}
}

// TestDiagramShowsWhatReplicates holds that an arrow is drawn only where no cluster
// contradicts it: never between two that take writes.
func TestDiagramShowsWhatReplicates(t *testing.T) {
	none := lost()
	none.Plan.Clusters[1].View.Reach, none.Plan.Clusters[1].View.Belief = plan.ReachUnreachable, plan.Belief{}
	reversed := withEdge(pair(7), "cluster-b", "cluster-a", "cluster-b") // both say that they are the standby of the other
	reversed.Plan.Clusters[0].View.Belief = plan.Belief{Kind: plan.BeliefStandby, Source: "cluster-b"}
	reversed.Plan.Clusters[1].View.Belief = plan.Belief{Kind: plan.BeliefStandby, Source: "cluster-a"}
	waits := healthy("orders")
	waits.Plan.Clusters[0].View.Belief = plan.Belief{Kind: plan.BeliefStandalone}
	silent := healthy("orders")
	silent.Plan.Clusters[1].View.Reach, silent.Plan.Clusters[1].View.Belief = plan.ReachUnreachable, plan.Belief{}
	still := healthy("orders")
	still.Plan.Findings = []plan.Finding{plan.NewFinding(plan.CodeReplicationStalled, "cluster-b", "it does not move", "")}
	for _, c := range []struct {
		name            string
		t               daemon.TopologyStatus
		solid, unproven int
		caption         string
	}{
		{"a pair", healthy("orders"), 1, 0, "cluster-a takes writes. cluster-a replicates to cluster-b."},
		{"two writers, and one stores an edge to the other", split("orders"), 0, 0, "cluster-a and cluster-b take writes, and none of them replicates to another."},
		{"the primary is lost", waiting("orders"), 0, 1, "No cluster was seen to take writes. cluster-b is a standby of cluster-a, which does not answer."},
		{"the standby is lost", silent, 0, 1, "cluster-a takes writes. cluster-a says that it replicates to cluster-b, which does not answer."},
		{"nothing moves", still, 0, 0, "cluster-a takes writes. The replication from cluster-a to cluster-b stands still."},
		{"both are lost", none, 0, 0, "No cluster was seen to take writes."},
		{"two standbys", reversed, 0, 0, "No cluster was seen to take writes. cluster-a waits for cluster-b, which does not replicate to it. cluster-b waits for cluster-a, which does not replicate to it."},
		{"a standby of one that sends nothing", waits, 0, 0, "cluster-a takes writes. cluster-b waits for cluster-a, which does not replicate to it."},
	} {
		t.Run(c.name, func(t *testing.T) {
			svg := string(diagram(c.t.Plan))
			solid, unproven := strings.Count(svg, `class="link"`), strings.Count(svg, `class="link unknown"`)
			if got := caption(c.t.Plan); solid != c.solid || unproven != c.unproven || got != c.caption {
				t.Errorf("%d arrows and %d that one of two says, %q", solid, unproven, got)
			}
		})
	}
}

// TestPageLoadsNothing holds that the pages refer to nothing elsewhere, and
// that their policy allows their own style and script alone.
func TestPageLoadsNothing(t *testing.T) {
	for _, path := range []string{"/", "/topologies/payments", "/topologies/none", "/sites/eu-1", "/sites/none"} {
		w := httptest.NewRecorder()
		pages(gallery()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		html := w.Body.String()
		for _, tag := range regexp.MustCompile(`(?:src|href|action|url)\s*=\s*["']([^"']+)|url\(([^)]+)`).FindAllStringSubmatch(html, -1) {
			if regexp.MustCompile(`^[a-z]+:|^//`).MatchString(tag[1]) {
				t.Errorf("%s refers to %s", path, tag[1])
			}
		}
		if strings.Contains(html, " style=") || regexp.MustCompile(` on[a-z]+=`).MatchString(html) {
			t.Errorf("%s has inline styles or handlers, which its policy forbids", path)
		}
		policy := w.Header().Get("Content-Security-Policy")
		for element, directive := range map[string]string{"style": "style-src", "script": "script-src"} {
			text := regexp.MustCompile(`(?s)<` + element + `>(.*?)</` + element + `>`).FindStringSubmatch(html)
			if text == nil || !strings.Contains(policy, directive+" "+hashOf(text[1])) {
				t.Errorf("the policy %q does not allow the own %s of %s", policy, element, path)
			}
		}
		if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("policy %q", policy)
		}
	}
}

func TestPageShowsHostileTextAsText(t *testing.T) {
	s := lost()
	s.Plan.Findings[1].Message = "<script>alert(1)</script>\x1b[2J\u202e"
	s.Plan.Clusters[0].ID = `"><svg onload=x>`
	s.Error = "<img src=x>"
	for _, path := range []string{"/", "/topologies/orders", "/topologies/%3Cimg%20src=x%3E", "/sites/%3Cimg%20src=x%3E", "/sites/eu-1", "/?q=%22%3E%3Cimg%20src=x%3E"} {
		_, html := get(t, pages(boardOf(s)), path)
		for _, bad := range []string{"<script>alert", "\x1b", "\u202e", "<img", "<svg onload"} {
			if strings.Contains(html, bad) {
				t.Errorf("%s holds %q", path, bad)
			}
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
