package serve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/reconcile/daemon"
)

//go:embed page
var assets embed.FS

// Record is a ledger record as the page shows it.
type Record struct {
	At   time.Time
	Text string
}

// Page answers GET / with the status of every topology. The HTML is complete without
// JavaScript; with it, the page follows changes. It loads nothing from other servers, and
// its content security policy forbids that.
type Page struct {
	source  Source
	records func(context.Context) map[string][]Record
	shell   *template.Template
	style   template.CSS
	script  template.JS
	policy  string
}

// NewPage returns the page of a source. records returns the newest ledger records by
// topology, newest first; nil shows none.
func NewPage(source Source, records func(context.Context) map[string][]Record) *Page {
	style, script := asset("page/page.css"), asset("page/page.js")
	return &Page{
		source: source, records: records,
		shell:  template.Must(template.ParseFS(assets, "page/page.html")),
		style:  template.CSS(style), //nolint:gosec // embedded
		script: template.JS(script), //nolint:gosec // embedded
		policy: "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" +
			"; style-src " + hashOf(style) + "; script-src " + hashOf(script),
	}
}

// asset reads an embedded file. It panics if the build lacks it.
func asset(name string) string {
	raw, err := assets.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// hashOf returns the CSP source expression of an inline element (CSP level 2, 4.2.5).
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// ServeHTTP renders the page.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var records map[string][]Record
	if p.records != nil {
		records = p.records(r.Context())
	}
	v := viewOf(p.source.Snapshot(), records)
	v.Style, v.Script = p.style, p.script
	var out bytes.Buffer
	if err := p.shell.Execute(&out, v); err != nil {
		http.Error(w, "the page could not be rendered", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write(out.Bytes()) // the client is gone if this fails
}

// view is what the template of the page shows.
type view struct {
	Title, Summary, At string
	Facts              []fact
	Topologies         []topologyView
	Style              template.CSS
	Script             template.JS
}

type fact struct {
	Name, Value string
	Bad         bool
}

type topologyView struct {
	Name, State, Symbol, Tone, Headline, Error, Caption string
	Diagram                                             template.HTML
	Clusters                                            []clusterView
	Findings                                            []findingView
	Transition, Digest, Approval, Result                string
	Steps                                               []string
	Records                                             []recordView
	Commit, ObservedAt                                  string
	Generation                                          int64
}

type clusterView struct {
	ID, Desired, Believed, Reach, Lag string
	Differs                           bool
}

type findingView struct {
	Severity, Symbol, Code, Cluster, Message, Remedy, Title, Cause, Risk, Todo string
}

type recordView struct{ At, Text string }

func viewOf(s daemon.Snapshot, records map[string][]Record) view {
	v := view{Title: "reconcile", At: clock(s.At)}
	counts := map[daemon.State]int{}
	for _, t := range s.Topologies {
		counts[t.State]++
		v.Topologies = append(v.Topologies, topologyViewOf(t, records[t.Name]))
	}
	// Topologies that need a person come first.
	slices.SortStableFunc(v.Topologies, func(a, b topologyView) int { return urgency(a.Tone) - urgency(b.Tone) })
	v.Summary = summary(counts, len(s.Topologies))
	if counts[daemon.StateBlocked]+counts[daemon.StateDrifted] > 0 {
		v.Title = "(!) reconcile"
	}
	v.Facts = factsOf(s)
	return v
}

func summary(counts map[daemon.State]int, all int) string {
	var parts []string
	for _, state := range daemon.States() {
		if n := counts[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, words(state.String())))
		}
	}
	if len(parts) == 0 {
		return "No topology is known yet."
	}
	return fmt.Sprintf("%d topologies: %s.", all, strings.Join(parts, ", "))
}

func factsOf(s daemon.Snapshot) []fact {
	lead := "this process leads"
	if !s.Leader {
		lead = "another process leads"
		if s.Leading != "" {
			lead = s.Leading
		}
	}
	facts := []fact{
		{Name: "Mode", Value: s.Mode},
		{Name: "Leader", Value: lead},
		{Name: "Ledger", Value: orNone(string(s.Ledger))},
		{Name: "Commit", Value: orNone(s.Commit)},
		{Name: "Git fetched", Value: orNone(clock(s.GitFetch))},
	}
	for name, problem := range map[string]string{"Git": s.GitError, "Copy of Git": s.GitCopy, "Configuration": s.Config} {
		if problem != "" {
			facts = append(facts, fact{name, safe(problem), true})
		}
	}
	for _, problem := range s.Problems {
		facts = append(facts, fact{"File", safe(problem), true})
	}
	slices.SortStableFunc(facts[5:], func(a, b fact) int { return strings.Compare(a.Name, b.Name) })
	return facts
}

func topologyViewOf(t daemon.TopologyStatus, records []Record) topologyView {
	p := t.Plan
	v := topologyView{
		Name: t.Name, State: words(t.State.String()), Error: safe(t.Error), Commit: safe(t.Commit), Generation: p.Generation,
		ObservedAt: orNone(clock(t.LastSuccess)), Diagram: diagram(p), Caption: caption(p),
	}
	v.Symbol, v.Tone = stateStyle(t.State)
	v.Headline = render.Happening(p)
	if p.Transition == plan.TransitionNone && p.InSync {
		v.Headline = "Everything is as Git says."
	}
	if p.Transition == plan.TransitionFailover {
		v.Headline += " What may be lost: " + render.Loss(p)
	}
	for _, c := range p.Clusters {
		v.Clusters = append(v.Clusters, clusterView{
			ID: safe(c.ID), Desired: string(c.DesiredRole), Believed: c.View.Belief.Kind.String(),
			Reach: c.View.Reach.String(), Lag: render.Lag(c), Differs: differs(c),
		})
	}
	for _, f := range p.Findings {
		v.Findings = append(v.Findings, findingViewOf(f))
	}
	if len(p.Steps) > 0 {
		v.Steps, v.Digest, v.Transition = render.Steps(p), p.Digest, render.Transition(p)
	}
	if p.Transition != plan.TransitionNone {
		v.Approval = t.Decision.Verdict.String() + ": " + safe(t.Decision.Detail)
	}
	if t.Result != nil {
		v.Result = t.Result.Outcome.String() + ". " + safe(t.Result.Detail)
	}
	for _, r := range records {
		v.Records = append(v.Records, recordView{clock(r.At), safe(r.Text)})
	}
	return v
}

func findingViewOf(f plan.Finding) findingView {
	v := findingView{
		Severity: string(f.Severity), Code: string(f.Code), Cluster: safe(f.Cluster), Message: safe(f.Message), Remedy: safe(f.Remedy),
		Symbol: map[plan.Severity]string{plan.SeverityBlocking: "✗", plan.SeverityCritical: "‼", plan.SeverityWarning: "!", plan.SeverityInfo: "i"}[f.Severity],
	}
	if f.Accepted {
		v.Severity += ", accepted"
	}
	if e, ok := explain.Lookup(string(f.Code)); ok {
		v.Title, v.Cause, v.Risk, v.Todo = e.Title, e.Cause, e.Risk, e.Remedy
	}
	return v
}

// stateStyle returns the symbol and the colour class of a state. The page always shows the
// state's name too.
func stateStyle(s daemon.State) (symbol, class string) {
	switch s {
	case daemon.StateInSync:
		return "✓", "good"
	case daemon.StateBlocked, daemon.StateDrifted:
		return "✗", "bad"
	case daemon.StatePending, daemon.StateApplying:
		return "→", "warn"
	case daemon.StateSuspended:
		return "‖", "warn"
	default:
		return "?", "warn"
	}
}

func urgency(class string) int { return slices.Index([]string{"bad", "warn", "good"}, class) }

// differs reports whether a cluster stores another role than Git gives it.
func differs(c plan.ClusterPlan) bool {
	switch c.View.Belief.Kind {
	case plan.BeliefUnknown:
		return false
	case plan.BeliefStandby:
		return c.DesiredRole != plan.RoleStandby && c.DesiredRole != plan.RoleStale
	default:
		return c.DesiredRole == plan.RoleStandby || c.DesiredRole == plan.RoleStale
	}
}

// safe escapes control characters, but keeps line ends.
func safe(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = render.Safe(line)
	}
	return strings.Join(lines, "\n")
}

func words(s string) string { return strings.ReplaceAll(s, "_", " ") }

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func clock(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}
