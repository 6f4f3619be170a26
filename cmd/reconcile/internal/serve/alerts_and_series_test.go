package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/reconciletest/freeport"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

func docs(name string) string { return filepath.Join("..", "..", "..", "..", "docs", name) }

func read(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(docs(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

type ruleGroups struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []struct {
			Alert       string            `json:"alert"`
			Expr        string            `json:"expr"`
			Annotations map[string]string `json:"annotations"`
		} `json:"rules"`
	} `json:"groups"`
}

// TestAlertsAreProven has promtool check every alert and run its cases.
func TestAlertsAreProven(t *testing.T) {
	promtool := needs.Program(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = docs("observability")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestEveryAlertHasACaseAndARunbook holds the rules, their tests, the runbook
// and the manifest for the Prometheus Operator together.
func TestEveryAlertHasACaseAndARunbook(t *testing.T) {
	var rules ruleGroups
	if err := yaml.Unmarshal([]byte(read(t, "observability/alerts.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	cases, runbooks := read(t, "observability/alerts_test.yaml"), read(t, "runbooks.md")
	n := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			n++
			if !strings.Contains(cases, r.Alert+" fires") || !strings.Contains(cases, r.Alert+" is silent") {
				t.Errorf("%s has no case in which it fires and one in which it does not", r.Alert)
			}
			if want := runbookOf(r.Alert); r.Annotations["runbook_url"] != want || !strings.Contains(runbooks, "\n## "+r.Alert+"\n") {
				t.Errorf("%s points to %q; want %q with a section", r.Alert, r.Annotations["runbook_url"], want)
			}
		}
	}
	if n < 11 {
		t.Errorf("%d alerts", n)
	}
	var plain, operator struct {
		Groups any `json:"groups"`
		Spec   struct {
			Groups any `json:"groups"`
		} `json:"spec"`
	}
	for name, into := range map[string]any{"observability/alerts.yaml": &plain, "deploy/kubernetes/rules.yaml": &operator} {
		if err := yaml.Unmarshal([]byte(read(t, name)), into); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(plain.Groups) != fmt.Sprint(operator.Spec.Groups) {
		t.Error("docs/deploy/kubernetes/rules.yaml has other rules than docs/observability/alerts.yaml")
	}
}

// docsBase is what people replace with where they serve docs/.
const docsBase = "https://docs.example/reconcile"

func runbookOf(alert string) string { return docsBase + "/runbooks.md#" + strings.ToLower(alert) }

// TestDocsBaseIsOneSetting types the command of docs/observability.md: afterwards no
// alert and no panel leads to the example.
func TestDocsBaseIsOneSetting(t *testing.T) {
	typed := regexp.MustCompile(`(?m)^sed -i '[^']+' (.*)$`).FindStringSubmatch(read(t, "observability.md"))
	if typed == nil {
		t.Fatal("docs/observability.md has no such command")
	}
	dir := t.TempDir()
	for _, name := range []string{"observability/alerts.yaml", "observability/alerts_test.yaml", "observability/dashboard.json", "deploy/kubernetes/rules.yaml"} {
		file := filepath.Join(dir, "docs", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(read(t, name)), 0o600)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(read(t, name), docsBase) {
			t.Errorf("%s leads nowhere below %s", name, docsBase)
		}
	}
	cmd := exec.Command("sh", "-c", typed[0])
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd = exec.Command("grep", "-rlF", docsBase, dir)
	if out, _ := cmd.Output(); len(out) > 0 {
		t.Errorf("these files still lead to the example:\n%s", out)
	}
}

// dashboard is what people see of docs/observability/dashboard.json.
type dashboard struct {
	Links      []dashboardLink `json:"links"`
	Templating struct {
		List []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Query any    `json:"query"`
		} `json:"list"`
	} `json:"templating"`
	Panels []struct {
		Title       string          `json:"title"`
		Description string          `json:"description"`
		Links       []dashboardLink `json:"links"`
		FieldConfig struct {
			Defaults struct {
				Unit       string          `json:"unit"`
				Links      []dashboardLink `json:"links"`
				Thresholds struct {
					Mode  string `json:"mode"`
					Steps []struct {
						Color string   `json:"color"`
						Value *float64 `json:"value"`
					} `json:"steps"`
				} `json:"thresholds"`
			} `json:"defaults"`
		} `json:"fieldConfig"`
	} `json:"panels"`
}

type dashboardLink struct{ Title, URL string }

// TestDashboardIsComplete: each panel says what it shows, in a unit, with thresholds that
// rise, and leads to a page or a runbook that exists.
func TestDashboardIsComplete(t *testing.T) {
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, "observability/dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	variables := map[string]any{}
	for _, v := range d.Templating.List {
		variables[v.Name] = v.Query
	}
	if variables["docs"] != docsBase || variables["page"] == nil || len(d.Links) < 2 || len(d.Panels) < 13 {
		t.Errorf("variables %v, %d links, %d panels", variables, len(d.Links), len(d.Panels))
	}
	for _, p := range d.Panels {
		defaults := p.FieldConfig.Defaults
		if p.Description == "" || defaults.Unit == "" || defaults.Thresholds.Mode != "absolute" || len(p.Links) == 0 {
			t.Errorf("panel %q lacks a description, a unit, thresholds or links: %+v", p.Title, p)
		}
		for i, s := range defaults.Thresholds.Steps {
			if (s.Value == nil) != (i == 0) || s.Color == "" || i > 1 && *s.Value <= *defaults.Thresholds.Steps[i-1].Value {
				t.Errorf("panel %q: threshold %d is not right", p.Title, i)
			}
		}
		for _, l := range slices.Concat(d.Links, p.Links, defaults.Links) {
			if !leadsSomewhere(t, l.URL) {
				t.Errorf("panel %q: %q leads to %s", p.Title, l.Title, l.URL)
			}
		}
	}
}

// leadsSomewhere reports whether a link of the dashboard goes to the status page, or to
// a section of our pages that is there.
func leadsSomewhere(t *testing.T, url string) bool {
	t.Helper()
	if strings.HasPrefix(url, "${page}/") {
		return true
	}
	name, ours := strings.CutPrefix(url, "${docs}/")
	name, section, _ := strings.Cut(name, "#")
	headings := regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(read(t, name), -1)
	return ours && (section == "" || slices.ContainsFunc(headings, func(h []string) bool {
		return strings.ReplaceAll(strings.ToLower(h[1]), " ", "-") == section
	}))
}

// TestOnlySeriesThatExistAreAsked holds alerts and dashboard to the metrics.
func TestOnlySeriesThatExistAreAsked(t *testing.T) {
	m := NewMetrics(boardOf(withStale(pair(7))))
	m.ShowView()
	m.Planned(plan.TransitionFailover)
	m.Applied(plan.TransitionFailover, reconcile.OutcomeApplied)
	m.Stepped(plan.ActionVerify, time.Second)
	m.Unusable([]string{"serve.tls"})
	_, text := get(t, m.Handler(), "/metrics")
	if !json.Valid([]byte(read(t, "observability/dashboard.json"))) {
		t.Error("the dashboard is no JSON")
	}
	for _, file := range []string{"observability/alerts.yaml", "observability/dashboard.json"} {
		for _, name := range regexp.MustCompile(`reconcile_[a-z_]+`).FindAllString(read(t, file), -1) {
			if !strings.Contains(text, "\n"+name+"{") && !strings.Contains(text, "\n"+name+" ") {
				t.Errorf("%s asks for %s, which is no series", file, name)
			}
		}
	}
}

// TestEverySeriesIsDocumented holds the table for users and the list of the contract to
// the metrics: each series with its labels, and nothing else.
func TestEverySeriesIsDocumented(t *testing.T) {
	var samples strings.Builder
	for _, status := range []daemon.TopologyStatus{pair(7), failedOver(), frozen(), rehearsed(), heldUp()} {
		m := NewMetrics(boardOf(status))
		m.ShowView()
		m.Planned(plan.TransitionFailover)
		m.Applied(plan.TransitionFailover, reconcile.OutcomeApplied)
		m.Stepped(plan.ActionVerify, time.Second)
		m.Unusable([]string{"serve.tls"})
		_, text := get(t, m.Handler(), "/metrics")
		samples.WriteString(text)
	}
	got := map[string]string{}
	for _, s := range regexp.MustCompile(`(?m)^(reconcile_[a-z_]+?)(?:_count)?(?:\{(.*)\})? `).FindAllStringSubmatch(samples.String(), -1) {
		if strings.HasSuffix(s[1], "_bucket") || strings.HasSuffix(s[1], "_sum") {
			continue
		}
		var labels []string
		for _, l := range regexp.MustCompile(`([a-z]+)="`).FindAllStringSubmatch(s[2], -1) {
			labels = append(labels, l[1])
		}
		got[s[1]] = strings.Join(labels, " ")
	}
	for page, entry := range map[string]string{
		"observability.md":   "(?m)^\\| `(reconcile_[a-z_]+)` \\|([^|]*)\\|",
		"design/contract.md": "`(reconcile_[a-z_]+)(?:\\{([a-z,]*)\\})?`",
	} {
		text := read(t, page)
		if page == "design/contract.md" {
			_, text, _ = strings.Cut(text, "\nMetrics:\n")
			text, _, _ = strings.Cut(text, "\nOther series")
		}
		if diff := cmp.Diff(documentedSeries(text, entry), got); diff != "" || len(got) < 16 {
			t.Errorf("docs/%s and %d series differ: %s", page, len(got), diff)
		}
	}
}

// documentedSeries returns the series that a text names, each with its labels, sorted. A
// match of entry holds the name and the labels.
func documentedSeries(text, entry string) map[string]string {
	out := map[string]string{}
	for _, match := range regexp.MustCompile(entry).FindAllStringSubmatch(text, -1) {
		labels := regexp.MustCompile(`[a-z]+`).FindAllString(match[2], -1)
		slices.Sort(labels)
		out[match[1]] = strings.Join(labels, " ")
	}
	return out
}

func withStale(t daemon.TopologyStatus) daemon.TopologyStatus {
	t.Plan.Findings = []plan.Finding{plan.NewFinding(plan.CodeStalePrimary, "cluster-a", "", "")}
	return t
}

// TestPrometheusScrapes has a real Prometheus read the metrics and fire.
func TestPrometheusScrapes(t *testing.T) {
	prometheus := needs.Program(t, "prometheus")
	source := boardOf(failedOver())
	server := httptest.NewServer(NewMetrics(source).Handler())
	t.Cleanup(server.Close)
	dir := t.TempDir()
	rules, err := filepath.Abs(docs("observability/alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global: {scrape_interval: 100ms, evaluation_interval: 100ms}\nrule_files: [%s]\nscrape_configs: [{job_name: reconcile, metrics_path: /metrics, static_configs: [{targets: [%q]}]}]\n",
		rules, strings.TrimPrefix(server.URL, "http://"))
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeport.Address(t)
	cmd := exec.Command(prometheus, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address="+address)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	ask := func(path string) string {
		r, err := http.Get("http://" + address + path)
		if err != nil {
			return ""
		}
		defer r.Body.Close() //nolint:errcheck // read to its end
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return ""
		}
		return string(body)
	}
	wait(t, "Prometheus to scrape", func() bool {
		return strings.Contains(ask("/api/v1/query?query=reconcile_writable_primaries"), `"topology":"orders"},"value":[`)
	})
	wait(t, "the alert about a stale primary", func() bool {
		return strings.Contains(ask("/api/v1/alerts"), "ReconcileStalePrimary")
	})
}
