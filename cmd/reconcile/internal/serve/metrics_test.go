package serve

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got\n%s", file, got)
	}
}

// ours drops the series of the process and of Go.
func ours(exposition string) string {
	var b strings.Builder
	for line := range strings.Lines(exposition) {
		if strings.Contains(line, "reconcile_") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestMetricsOfASnapshot(t *testing.T) {
	for name, status := range map[string]daemon.TopologyStatus{"healthy": pair(7), "lost": lost(), "stale": failedOver(), "unseen": {Name: "orders"}} {
		t.Run(name, func(t *testing.T) {
			m := NewMetrics(boardOf(status))
			if name == "stale" {
				m.Planned(plan.TransitionFailover)
				m.Applied(plan.TransitionFailover, reconcile.OutcomeApplied)
				m.Stepped(plan.ActionForcePromote, 120*time.Millisecond)
				m.Swept(30 * time.Millisecond)
			}
			code, text := get(t, m.Handler(), "/metrics")
			if code != http.StatusOK {
				t.Fatalf("status %d: %s", code, text)
			}
			golden(t, "metrics-"+name+".txt", ours(text))
		})
	}
}

// TestMetricsHoldNothingForeign: what a library registers for everybody, as the
// Milvus client does, is not shown.
// heldUp has an open rebuild that waits, and a move that waits for a wave.
func heldUp() daemon.TopologyStatus {
	t := failedOver()
	t.Plan.Transition = plan.TransitionRebuild
	t.Plan.Rebuild = &plan.RebuildState{Cluster: "cluster-a", Phase: plan.RebuildWipe, Since: time.Unix(1764500000, 0)}
	t.Plan.Findings = []plan.Finding{plan.NewFinding(plan.CodeRebuildWaits, "cluster-a", "it waits", "wipe it")}
	t.Waits, t.Decision.Site = "it waits for wave canary", approval.Site{Name: "eu-1"}
	return t
}

// TestMetricsOfWhatWaits: a rebuild that waits has its phase and its begin, and a move that
// waits for a wave has its site. What is not begun, or waits for nothing, has no series.
func TestMetricsOfWhatWaits(t *testing.T) {
	free := failedOver()
	free.Plan.Rebuild = &plan.RebuildState{Cluster: "cluster-a", Phase: plan.RebuildWipe}
	series := []string{
		`reconcile_rebuild_begun_timestamp_seconds{cluster="cluster-a",phase="wipe",topology="orders"} 1.7645e+09`,
		`reconcile_findings{code="REBUILD_WAITS",severity="blocking",topology="orders"} 1`,
		`reconcile_site_wave_waits{site="eu-1",topology="orders"} 1`,
	}
	for _, c := range []struct {
		status daemon.TopologyStatus
		want   bool
	}{{heldUp(), true}, {free, false}} {
		_, text := get(t, NewMetrics(boardOf(c.status)).Handler(), "/metrics")
		for _, s := range series {
			if strings.Contains(text, s) != c.want {
				t.Errorf("%s: want %t in\n%s", s, c.want, ours(text))
			}
		}
	}
}

func TestMetricsHoldNothingForeign(t *testing.T) {
	foreign := prometheus.NewCounter(prometheus.CounterOpts{Name: "milvus_of_a_library_total", Help: "A series that is not ours."})
	prometheus.MustRegister(foreign)
	t.Cleanup(func() { prometheus.Unregister(foreign) })
	h := NewMetrics(boardOf(failedOver())).Handler()
	get(t, h, "/metrics") // a handler may count its own answers from the second on
	_, text := get(t, h, "/metrics")
	prefixes := map[string]int{}
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			prefix, _, _ := strings.Cut(name, "_")
			prefixes[prefix]++
		}
	}
	for _, documented := range []string{"reconcile", "go", "process"} {
		if prefixes[documented] == 0 {
			t.Errorf("no series of %s_", documented)
		}
		delete(prefixes, documented)
	}
	if len(prefixes) > 0 {
		t.Errorf("foreign series: %v", prefixes)
	}
}

// TestPromtoolAcceptsTheMetrics has Prometheus' own checker read them.
func TestPromtoolAcceptsTheMetrics(t *testing.T) {
	promtool := needs.Program(t, "promtool")
	_, text := get(t, NewMetrics(boardOf(failedOver())).Handler(), "/metrics")
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(ours(text))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil || out.Len() > 0 {
		t.Errorf("%v\n%s", err, out.String())
	}
}
