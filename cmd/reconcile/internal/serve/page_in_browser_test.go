package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/daemon"
)

func servePage(t *testing.T, b *board) string {
	t.Helper()
	return serveUntilEnd(t, b).URL
}

func serveUntilEnd(t *testing.T, b *board) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(pages(b))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

// star is a primary with long-named standbys, one of them lost and one far behind.
func star(name string) daemon.TopologyStatus {
	t := healthy(name)
	t.State, t.Plan.InSync = daemon.StateUnknown, false
	edges := []plan.Edge{{From: "cluster-a", To: "cluster-b"}}
	for i, id := range []string{"a-cluster-with-a-name-that-is-quite-long-1", "cluster-with-another-name-in-frankfurt"} {
		c := member(id, plan.RoleStandby, plan.ReachUp, plan.BeliefStandby)
		c.View.Belief.Source, c.Lag = "cluster-a", &plan.Window{Lower: seconds(2), Upper: seconds(51)}
		if i == 1 {
			c.View.Reach, c.View.Belief, c.Lag = plan.ReachUnreachable, plan.Belief{}, nil
		}
		t.Plan.Clusters = append(t.Plan.Clusters, c)
		edges = append(edges, plan.Edge{From: "cluster-a", To: id})
	}
	t.Plan.Clusters[0].View.Belief.Configuration.Edges = edges
	t.Plan.Clusters[0].View.Version = "2.6.19"
	t.Plan.Findings = []plan.Finding{
		plan.NewFinding(plan.CodeLagObjective, "a-cluster-with-a-name-that-is-quite-long-1", "a-cluster-with-a-name-that-is-quite-long-1 is up to 51 s behind; the objective is 10 s", "check CDC on the primary and the network between, and watch it with 'reconcile status "+name+" --watch': a failover now may lose that much"),
		plan.NewFinding(plan.CodeReplicationStalled, "a-cluster-with-a-name-that-is-quite-long-1", "16 of 16 channels of a-cluster-with-a-name-that-is-quite-long-1 stand still", "check whether the cdc component of cluster-a runs and what it logs"),
		plan.NewFinding(plan.CodeClusterUnreachable, "cluster-with-another-name-in-frankfurt", "it refuses connections", "start it"),
	}
	t.Result = &reconcile.Result{Topology: name, Outcome: reconcile.OutcomeApplied}
	return t
}

// exhibition has a page of every kind among its topologies.
func exhibition(n int) *board {
	all := fleet(n)
	all.s.Topologies[3], all.s.Topologies[7] = star("orders-0003"), applying("orders-0007")
	told := silentFor(3)
	told.Name, told.Plan.Name = all.s.Topologies[n/2].Name, all.s.Topologies[n/2].Name
	all.s.Topologies[n/2] = told
	all.s.Topologies[3].MaxLag, all.s.Topologies[n/2].MaxLag = 10*time.Second, 10*time.Second
	all.s.Problems = []string{"topologies/users.yaml:6: spec.clusters holds no cluster"}
	slow := []float64{1, 1.5, 1, 1, 2, 3, 8, 12, 9, 4, 2, 1, 1, -1, -1, -1, -1, -1, 1, 1.2, 1, 9, 20, 31, 40, 51}
	all.lags = map[string][]daemon.LagCurve{
		"orders-0003": {curve("a-cluster-with-a-name-that-is-quite-long-1", slow...), curve("cluster-b", 1, 1, 1.5), curve("cluster-with-another-name-in-frankfurt", 1, 1, 2, -1, -1, -1, -1)},
		told.Name:     {curve("cluster-b", 1, 1, 1.5, 1, -1)},
	}
	return all
}

var axe = filepath.Join("..", "..", "..", "..", ".ci", "tools", "axe", "node_modules", "axe-core", "axe.min.js")

// axeOf returns the text of axe-core. It skips the test where that is not installed, but
// never in CI.
func axeOf(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(axe)
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("axe-core is not installed: npm ci --ignore-scripts in .ci/tools/axe")
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// accessible fails for every violation that axe, which the page must hold, finds in it.
func (b browser) accessible() {
	b.t.Helper()
	var answer string
	b.call(http.MethodPost, "/execute/async", map[string]any{"args": []any{}, "script": `const done = arguments[0];
		axe.run(document, {resultTypes: ["violations"]}).then(
			(r) => done(JSON.stringify(r.violations.map((v) => ({id: v.id, help: v.help, at: v.nodes.slice(0, 3).map((n) => n.target.join(" ") + ": " + n.failureSummary)})))),
			(e) => done(JSON.stringify([{id: "axe", help: String(e)}])))`}, &answer)
	var violations []struct {
		ID, Help string
		At       []string
	}
	if err := json.Unmarshal([]byte(answer), &violations); err != nil {
		b.t.Fatal(err)
	}
	for _, v := range violations {
		b.t.Errorf("axe: %s: %s\n%s", v.ID, v.Help, strings.Join(v.At, "\n"))
	}
}

// device makes the page as wide and high as one.
func (b browser) device(width, height int) {
	b.t.Helper()
	b.devtools("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
}

func (b browser) scheme(scheme string) {
	b.t.Helper()
	b.devtools("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// TestInABrowser uses one browser for all that needs one. SCREENSHOTS names a folder that
// keeps a picture of each page and message.
func TestInABrowser(t *testing.T) {
	b := startBrowser(t)
	b.call(http.MethodPost, "/timeouts", map[string]any{"script": 120_000}, nil)
	for _, part := range []struct {
		name string
		test func(*testing.T, browser)
	}{{"pages in every form", testForms}, {"messages", testMessages}, {"a thousand", testThousand}, {"a person at the page", testPage}} {
		t.Run(part.name, func(t *testing.T) { part.test(t, b.of(t)) })
	}
}

// form is how a page is looked at.
type form struct {
	scheme, device string
	ground         uint32 // of the scheme
	width, height  int
	axe            bool // it judges colours by the scheme and places by the device, each alone
}

var forms = []form{
	{"light", "wide", 0xffff, 1280, 800, true},
	{"dark", "wide", 0x0d0d, 1280, 800, false},
	{"dark", "phone", 0x0d0d, 360, 740, true},
	{"light", "phone", 0xffff, 360, 740, false},
}

// testForms looks at each page in light and dark, wide and on a phone: axe finds nothing,
// nothing stands beyond the right edge, and every column can be seen.
func testForms(t *testing.T, b browser) {
	axe := axeOf(t)
	url := servePage(t, exhibition(30))
	for _, page := range []struct{ name, path string }{
		{"overview", "/?q=orders-0"},
		{"overview-problems", "/?show=problems"},
		{"waiting", "/topologies/orders-0015"},
		{"under-way", "/topologies/orders-0007"},
		{"split", "/topologies/orders-0029"},
		{"star", "/topologies/orders-0003"},
		{"site", "/sites/eu-1"},
		{"unknown", "/topologies/none"},
	} {
		b.open(url + page.path)
		b.call(http.MethodPost, "/execute/sync", map[string]any{"script": axe, "args": []any{}}, nil)
		for _, f := range forms {
			name := strings.Join([]string{page.name, f.scheme, f.device}, "-")
			t.Run(name, func(t *testing.T) {
				b := b.of(t)
				b.device(f.width, f.height)
				b.scheme(f.scheme)
				wait(t, "the ground of the scheme", func() bool {
					r, _, _ := b.pixel()
					return r == f.ground
				})
				b.keep(name, "html")
				if got := b.text("document.documentElement.scrollWidth"); got != fmt.Sprint(f.width) {
					t.Errorf("the page is %s wide", got)
				}
				if cells := b.text(`[...document.querySelectorAll("main tbody > *:first-child > *, figure")].filter((c) => { const r = c.getBoundingClientRect(); return !r.width || r.left < 0 || r.right > innerWidth + 1 }).map((c) => c.className + c.textContent)`); cells != "" {
					t.Errorf("cells that cannot be seen: %s", cells)
				}
				if f.axe {
					b.accessible()
				}
			})
		}
	}
}

func testThousand(t *testing.T, b browser) {
	source := exhibition(1000)
	url := servePage(t, source)
	b.scheme("light")
	b.open(url)
	shown := func(n string) {
		t.Helper()
		wait(t, n+" rows", func() bool { return b.text(`document.querySelectorAll(".rows tbody tr").length`) == n })
	}
	t.Run("one screenful that scrolls", func(t *testing.T) {
		b := b.of(t)
		for _, size := range [][2]int{{360, 740}, {1280, 800}} {
			b.device(size[0], size[1])
			wait(t, "a page as high as the device", func() bool {
				return b.text("document.documentElement.scrollHeight + ' ' + innerWidth") == fmt.Sprint(size[1], " ", size[0])
			})
			b.keep(fmt.Sprintf("thousand-%d", size[0]), "html")
			if b.text(`document.querySelector("main").scrollHeight > 20000 && document.querySelector("main").clientHeight > 220`) != "true" {
				t.Error("the list does not scroll")
			}
		}
	})
	t.Run("filter", func(t *testing.T) {
		shown("1000")
		b.eval(`document.querySelector("#_show-problems a").click()`, nil)
		shown("4")
		if got := b.text("location.search"); got != "?show=problems" {
			t.Errorf("the address says %q", got)
		}
		if got := b.text(`document.querySelector("[aria-current]").textContent.trim()`); got != "problems 4" {
			t.Errorf("the filter in force is %q", got)
		}
		b.eval("history.back()", nil)
		shown("1000")
	})
	t.Run("search", func(t *testing.T) {
		b.press("/")
		if got := b.text("document.activeElement.id"); got != "_search" {
			t.Fatalf("the slash goes to %q", got)
		}
		for _, letter := range "stale_primary" {
			b.press(string(letter))
		}
		shown("3")
		b.press(keyDown)
		if got := b.text("document.activeElement.textContent"); got != "orders-0999" {
			t.Errorf("the arrow goes to %q", got)
		}
		source.publish(source.s.Topologies...)
		b.press(keyDown)
		b.press(keyUp)
		b.press(keyUp)
		if got := b.text("document.activeElement.id + document.activeElement.value"); got != "_searchstale_primary" {
			t.Errorf("the arrow goes back to %q", got)
		}
		b.press(keyEnter)
		b.press(keyDown)
		b.press(keyEnter)
		wait(t, "Enter to open the page of a topology", func() bool { return b.text("location.pathname") == "/topologies/orders-0999" })
	})
}

func testPage(t *testing.T, b browser) {
	source := gallery()
	server := serveUntilEnd(t, source)
	url := server.URL
	t.Run("an old link", func(t *testing.T) {
		b.open(url + "/#payments")
		wait(t, "the page of the topology", func() bool { return b.text("location.pathname") == "/topologies/payments" })
	})
	b.open(url)

	t.Run("keyboard", func(t *testing.T) {
		var stops []string
		for range 14 {
			b.tab()
			stops = append(stops, b.text("document.activeElement.className || document.activeElement.textContent.trim() || document.activeElement.id"))
			if outline := b.text("getComputedStyle(document.activeElement).outlineWidth"); outline != "3px" {
				t.Errorf("the focus on %q shows by an outline of %q", stops[len(stops)-1], outline)
			}
		}
		want := "skip, _search, Search, all 3, bad, bad, bad, good, catalog, payments, orders, This daemon, JSON, metrics"
		if got := strings.Join(stops, ", "); got != want {
			t.Errorf("the stops are %s\nwant %s", got, want)
		}
		b.open(url + "/topologies/catalog")
		b.tab()
		b.press(keyEnter)
		wait(t, "the link past the head", func() bool { return b.text("document.activeElement.id") == "_main" })
		b.tab()
		if got := b.text("document.activeElement.tagName"); got != "SUMMARY" {
			t.Errorf("the stop after the beginning of the topology is %q, not an explanation", got)
		}
		b.press(keyEnter)
		wait(t, "Enter to open an explanation", func() bool { return b.text("document.querySelector('.findings details').open") == "true" })
	})
	t.Run("follows", func(t *testing.T) {
		b.open(url + "/topologies/catalog")
		b.eval("document.querySelector('.findings summary').click()", nil)
		b.eval("document.querySelector('.findings summary').focus()", nil)
		changed := split("catalog")
		changed.Error = "the region burns"
		source.publish(changed, waiting("orders"))
		wait(t, "the page to follow", func() bool { return strings.Contains(b.text("document.body.innerText"), "the region burns") })
		if b.text("document.querySelector('.findings details').open && document.activeElement.tagName") != "SUMMARY" {
			t.Error("what was open is closed, or lost the focus")
		}
		source.publish(waiting("orders"))
		wait(t, "the page to say that the topology is gone", func() bool { return strings.Contains(b.text("document.body.innerText"), "No document") })
		b.open(url)
		source.publish(waiting("orders"), healthy("users"))
		wait(t, "the overview to follow", func() bool {
			return b.text(`[...document.querySelectorAll(".rows tbody a")].map((a) => a.textContent)`) == "orders,users"
		})
	})
	t.Run("without JavaScript", func(t *testing.T) {
		source.publish(gallery().s.Topologies...)
		b.devtools("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
		b.open(url + "/?show=pending")
		wait(t, "the overview without JavaScript", func() bool {
			return strings.Contains(b.html(), "1 of 3 shown.")
		})
		b.open(url + "/topologies/payments")
		wait(t, "the page without JavaScript", func() bool { return strings.Contains(b.html(), "promotes cluster-b BY FORCE") })
	})
	t.Run("the daemon is gone", func(t *testing.T) {
		b.devtools("Emulation.setScriptExecutionDisabled", map[string]any{"value": false}, nil)
		b.devtools("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": "const later = setTimeout; window.setTimeout = (f, ms) => later(f, ms / 100)"}, nil)
		b.open(url)
		hidden := func() string { return b.text(`document.querySelector("#_lost").hidden`) }
		if hidden() != "true" {
			t.Error("a page that follows says that it does not")
		}
		server.CloseClientConnections()
		server.Listener.Close() //nolint:errcheck // closed again at the end
		wait(t, "the page to say that the daemon does not answer", func() bool { return hidden() == "false" })
		b.keep("lost", "html")
	})
}
