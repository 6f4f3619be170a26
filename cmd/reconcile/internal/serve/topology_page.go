package serve

import (
	"cmp"
	"fmt"
	"html/template"
	"regexp"
	"strings"
	"sync"

	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/reconcile/daemon"
)

// topologyView is what the page of one topology shows.
type topologyView struct {
	Name, State, Symbol, Tone, Headline, Error, Caption string
	Missing                                             bool     // no document names it
	Meant                                               []string // names that were meant instead
	Split                                               bool     // several clusters take writes
	Diagram                                             template.HTML
	Clusters                                            []clusterView
	Lags                                                []lagView
	Rehearsals                                          *rehearsalView // nil: there was none
	Sites                                               []string       // at which it has a cluster
	Findings                                            []findingView
	Brief                                               []labelled
	Actions                                             []render.BriefAction
	Transition, Digest, Result                          string
	Steps                                               []string
	Timeline                                            []timelineEntry
	Older                                               int // records that the timeline leaves out
	Commit, ObservedAt                                  string
	Generation                                          int64
}

// labelled is what the brief says under one label.
type labelled struct {
	Label string
	Lines []render.BriefRow
}

// grouped puts rows that follow each other under their common label.
func grouped(rows []render.BriefRow) []labelled {
	var out []labelled
	for _, r := range rows {
		if n := len(out); n > 0 && out[n-1].Label == r.Label {
			out[n-1].Lines = append(out[n-1].Lines, r)
			continue
		}
		out = append(out, labelled{r.Label, []render.BriefRow{r}})
	}
	return out
}

type clusterView struct {
	ID, Desired, Believed, Reach, Lag, Version string
	Differs                                    bool
}

type findingView struct {
	Severity, Symbol, Code, Cluster, Message, Title, Cause, Risk, Todo string
	Remedy                                                             []remedyPart
}

// remedyPart is a piece of a remedy: text, or a command that can be copied as it is.
type remedyPart struct{ Text, Command string }

var quotedCommand = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("['`](reconcile [^'`\n]+)['`]")
})

func remedyParts(remedy string) []remedyPart {
	var out []remedyPart
	add := func(text string) {
		if text != "" {
			out = append(out, remedyPart{Text: text})
		}
	}
	end := 0
	for _, at := range quotedCommand().FindAllStringSubmatchIndex(remedy, -1) {
		add(remedy[end:at[0]])
		out = append(out, remedyPart{Command: remedy[at[2]:at[3]]})
		end = at[1]
	}
	add(remedy[end:])
	return out
}

func (v topologyView) title() string {
	if v.Tone == toneBad {
		return "(!) " + v.Name
	}
	return v.Name + " · reconcile"
}

func topologyViewOf(d render.Document, t daemon.TopologyStatus, records []Record) topologyView {
	p := t.Plan
	v := topologyView{
		Name: t.Name, Error: safe(t.Error), Commit: safe(t.Commit), Generation: p.Generation,
		ObservedAt: cmp.Or(clock(t.LastSuccess), "never"), Diagram: diagram(p), Caption: safe(caption(p)), Split: len(writers(p)) > 1,
	}
	condition := conditionOf(d, t)
	v.Symbol, v.Tone = toneOf(t, condition)
	v.State = stateWords(t, condition)
	if t.Waits != "" {
		v.State += "; " + safe(t.Waits)
	}
	if t.HeldBy != "" {
		v.State += "; " + safe(t.HeldBy) + " still acts on it"
	}
	brief := briefOf(d, t)
	v.Brief, v.Actions = grouped(brief.Rows), brief.Actions
	v.Headline = headline(t, condition, v.Tone, brief.Headline)
	for _, c := range p.Clusters {
		v.Clusters = append(v.Clusters, clusterViewOf(p, c))
	}
	for _, f := range append(openFindings(p), restOf(p)...) {
		v.Findings = append(v.Findings, findingViewOf(f))
	}
	v.Rehearsals, v.Sites = rehearsalsOf(p), sitesOf(t)
	if len(p.Steps) > 0 {
		v.Steps, v.Digest, v.Transition = render.Steps(p), p.Digest, render.Transition(p)
	}
	if t.Result != nil {
		v.Result = t.Result.Outcome.String() + ". " + safe(t.Result.Detail)
	}
	v.Timeline, v.Older = timelineOf(t, records)
	return v
}

// briefOf says what happens to a topology and what to type. While a change is under way
// nobody has anything to do but to wait.
func briefOf(d render.Document, t daemon.TopologyStatus) render.Brief {
	if t.Plan.Name == "" {
		return render.Brief{}
	}
	b := d.Brief(t.Plan)
	b.Headline = safe(b.Headline)
	for i := range b.Rows {
		b.Rows[i].Text = safe(b.Rows[i].Text)
	}
	for i := range b.Actions {
		b.Actions[i].Words, b.Actions[i].Command = safe(b.Actions[i].Words), safe(b.Actions[i].Command)
	}
	if t.State == daemon.StateApplying && t.Plan.UnderWay == nil { // that of a plan would say to wait
		b.Actions = nil
	}
	return b
}

// headline is the sentence that says how a topology stands. "Everything is as Git says"
// stands alone: nothing contradicts it.
func headline(t daemon.TopologyStatus, s render.TopologyCondition, tone, change string) string {
	switch {
	case t.Plan.Name == "" || t.State == daemon.StateApplying:
		return safe(s.Words)
	case t.Plan.Transition != plan.TransitionNone:
		return change
	case t.State == daemon.StateSuspended:
		return "The operator's configuration says to leave it alone."
	case t.Plan.InSync && tone == toneGood:
		return "Everything is as Git says."
	case len(writers(t.Plan)) > 1:
		return "SPLIT BRAIN · " + safe(andWords(writers(t.Plan))) + " take writes. Each write reaches only one of them."
	case !s.Good && s.More > 0:
		return fmt.Sprintf("%s, and %d more", safe(s.Words), s.More)
	case !s.Good:
		return safe(s.Words)
	default:
		return "No change is planned."
	}
}

// restOf returns the findings that openFindings leaves out.
func restOf(t plan.TopologyPlan) []plan.Finding {
	var out []plan.Finding
	for _, f := range t.Findings {
		if findingTone(f) == toneGood {
			out = append(out, f)
		}
	}
	return out
}

func clusterViewOf(t plan.TopologyPlan, c plan.ClusterPlan) clusterView {
	believed := c.View.Belief.Kind.String() + safe(render.SaysItsStandby(t, c))
	if source := sourceOf(c); c.View.Belief.Kind == plan.BeliefStandby && source != "" {
		believed += " of " + safe(source)
	}
	return clusterView{
		ID: safe(render.ClusterName(c)), Desired: string(c.DesiredRole), Believed: believed, Version: cmp.Or(safe(c.View.Version), "-"),
		Reach: c.View.Reach.String(), Lag: lagText(c), Differs: differs(c),
	}
}

func findingViewOf(f plan.Finding) findingView {
	v := findingView{
		Severity: string(f.Severity), Code: string(f.Code), Cluster: safe(f.Cluster), Message: safe(f.Message), Remedy: remedyParts(safe(f.Remedy)),
		Symbol: map[plan.Severity]string{plan.SeverityBlocking: "✗", plan.SeverityCritical: "‼", plan.SeverityWarning: "!", plan.SeverityInfo: "i"}[f.Severity],
	}
	if strings.Contains(f.Message, f.Cluster) { // the message names it
		v.Cluster = ""
	}
	if f.Accepted {
		v.Severity += ", accepted"
	}
	if e, ok := explain.Lookup(string(f.Code)); ok {
		v.Title, v.Cause, v.Risk, v.Todo = e.Title, e.Cause, e.Risk, e.Remedy
	}
	return v
}

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
