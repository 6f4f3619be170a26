package daemon

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
)

// judged is what one pass came to.
type judged struct {
	report reconcile.Report
	err    error
	acted  bool // with the right to act
	began  time.Time
	apply  reconcile.Apply
	commit string
}

// take remembers what a pass found, publishes it and tells what is new.
func (w *worker) take(j judged) {
	l := w.loop
	now := l.clock.Now()
	s := w.last
	s.Name, s.Commit, s.LastAttempt, s.Took, s.Error = w.name, j.commit, j.began, now.Sub(j.began), ""
	t, known := j.report.Plan.Topology(w.name)
	if j.err != nil || !known {
		w.failed(s, j)
		return
	}
	result := resultOf(j.report, w.name)
	spent := j.report.Remembered().Used(w.name, t.Generation)
	var raised, resolved []reconcile.Drift
	if result.Outcome != reconcile.OutcomeApplied { // what was seen before it says nothing any more; the next look is due at once
		raised, resolved = w.drift.next(reconcile.Drifts(t, t.Transition != plan.TransitionNone && !spent))
	}
	s.LastSuccess = now
	s = w.learned(s, t, result, j)
	l.log.Debug("looked at it", w.attrs(s, slog.String("state", s.State.String()), slog.Duration("took", s.Took),
		slog.String("transition", s.Plan.Transition.String()), slog.String("decision", s.Decision.Code))...)
	w.tellResult(result, t, j)
	w.publish(s)
	w.measure(s, result, j)
	if w.loop.judged != nil {
		w.loop.judged(s, j.acted)
	}
	w.tellDrift(raised, resolved, j.commit)
	w.watch.follow(j.apply, t, s.Decision)
	if j.acted {
		w.record(j, t)
	}
}

// learned is the status with all that a pass which could judge the topology
// found and did.
func (w *worker) learned(s TopologyStatus, t plan.TopologyPlan, result reconcile.Result, j judged) TopologyStatus {
	s.Plan, s.Decision, s.Drifts = t, j.report.Decisions[w.name], w.drift.standing()
	s.Evidence = w.watch.evidence()
	s.Failures = 0
	if j.acted && unsettled(result, t, j.report) && !holds(j.apply, w.name) {
		s.Failures = w.last.Failures + 1
	}
	w.failures = s.Failures
	if tells(result) && !holds(j.apply, w.name) {
		s.Result = &result
	}
	s.Published = newest(s.Published, j.report.Remembered().Published[w.name])
	if t.InSync || result.Outcome == reconcile.OutcomeApplied {
		s.Served = max(s.Served, t.Generation)
		s.Published = newest(s.Published, publishedOf(t))
	}
	s.State = stateOf(t, s, result, j.apply)
	s.IntentOpen, s.Stale = openAfter(j.report.Remembered(), w.name, result.Outcome), staleOf(j.report.Remembered(), w.name)
	return s
}

// holds says whether the configuration forbids to apply a topology.
func holds(a reconcile.Apply, topology string) bool {
	return a.Observing || slices.Contains(a.Suspended, topology)
}

// tells says whether a result is more than that there was nothing to do, or
// that it waits.
func tells(r reconcile.Result) bool {
	return r.Outcome == reconcile.OutcomeApplied || r.Outcome == reconcile.OutcomeUnverified || r.Outcome == reconcile.OutcomeError || len(r.Steps) > 0
}

// failed keeps what was known, and says that it could not be renewed.
func (w *worker) failed(s TopologyStatus, j judged) {
	s.Failures++
	w.failures = s.Failures
	s.State, s.Error = StateUnknown, "the topology is in no document"
	if j.err != nil {
		s.Error = j.err.Error()
	}
	if s.Error != w.last.Error {
		w.loop.log.Warn("the pass failed", w.attrs(s, slog.String("error", s.Error))...)
	}
	w.publish(s)
}

func (w *worker) attrs(s TopologyStatus, more ...any) []any {
	out := []any{slog.String("topology", s.Name), slog.String("commit", s.Commit)}
	if w.trace != "" {
		out = append(out, slog.String("trace", w.trace))
	}
	return append(out, more...)
}

// teller logs what goes on during the pass under way.
func (w *worker) teller(commit string) func(topology, text string) {
	attrs := w.attrs(TopologyStatus{Name: w.name, Commit: commit})
	return func(_, text string) { w.loop.log.Info(text, attrs...) }
}

// emit tells something that a pass found.
func (w *worker) emit(e Event) {
	e.Trace = w.trace
	w.loop.emit(e)
}

// begins tells that what a pass planned is carried out now.
func (w *worker) begins(t plan.TopologyPlan, d approval.Decision) {
	s := w.last
	s.Name, s.Commit, s.State, s.Plan, s.Decision, s.Error = w.name, d.Commit, StateApplying, t, d, ""
	if s.Commit == "" {
		s.Commit = w.last.Commit
	}
	w.publish(s)
}

// publish shows the status, and tells when the state is another one.
func (w *worker) publish(s TopologyStatus) {
	l, before := w.loop, w.last
	w.last = s
	l.board.topology(l.clock.Now(), w.name, func(t *TopologyStatus) { *t = s })
	if before.State == s.State && !before.LastAttempt.IsZero() && before.why() == s.why() {
		return
	}
	text := "the topology is " + s.State.String()
	if why := s.why(); why != "" {
		text += ": " + why
	}
	w.emit(Event{Kind: EventState, Severity: severityOf(s.State), Topology: w.name, Commit: s.Commit, Code: s.Decision.Code, Text: text})
}

// why says in a few words what a state rests on.
func (s TopologyStatus) why() string {
	blocking := s.Plan.Blocking(s.Decision.Accepted)
	switch {
	case s.Error != "":
		return s.Error
	case s.State == StateBlocked && len(blocking) > 0:
		return s.Plan.Transition.String() + " " + reconcile.BlockedBy(blocking)
	case s.Plan.Transition != plan.TransitionNone && s.Plan.Resumed:
		return s.Plan.Transition.String() + ", begun earlier and carried on"
	case s.Plan.Transition != plan.TransitionNone && s.Decision.Approved():
		return s.Plan.Transition.String() + ", approved"
	case s.Plan.Transition != plan.TransitionNone:
		return s.Plan.Transition.String() + ", " + cmp.Or(s.Decision.Code, "not approved")
	default:
		return ""
	}
}

func (w *worker) tellDrift(raised, resolved []reconcile.Drift, commit string) {
	for _, d := range raised {
		severity := plan.SeverityWarning
		if d.Kind == reconcile.DriftOrder {
			severity = plan.SeverityInfo
		}
		if d.Kind == reconcile.DriftRole || d.Kind == reconcile.DriftStalePrimary || d.Kind == reconcile.DriftTraffic {
			severity = plan.SeverityCritical
		}
		w.emit(Event{Kind: EventDriftRaised, Severity: severity, Topology: w.name, Cluster: d.Cluster, Code: string(d.Code), Commit: commit, Text: string(d.Kind) + ": " + d.Message})
	}
	for _, d := range resolved {
		w.emit(Event{Kind: EventDriftResolved, Severity: plan.SeverityInfo, Topology: w.name, Cluster: d.Cluster, Code: string(d.Code), Commit: commit, Text: string(d.Kind) + " is no more"})
	}
}

// tellResult tells what an apply did, once.
func (w *worker) tellResult(r reconcile.Result, t plan.TopologyPlan, j judged) {
	if !j.acted || !tells(r) || holds(j.apply, w.name) {
		return
	}
	severity, text := plan.SeverityWarning, t.Transition.String()+": "+r.Outcome.String()
	if r.Outcome == reconcile.OutcomeApplied {
		severity = plan.SeverityInfo
	}
	if r.Detail != "" {
		text += ": " + r.Detail
	}
	w.emit(Event{Kind: EventResult, Severity: severity, Topology: w.name, Cluster: t.Primary, Commit: j.commit, Text: text})
	if r.Outcome == reconcile.OutcomeApplied {
		w.wake() // what is live now is seen at once
	}
}

// record writes the black box: the progress of standbys whose source lives,
// the generation, and where the clusters belong.
func (w *worker) record(j judged, t plan.TopologyPlan) {
	ctx, cancel := context.WithTimeout(w.loop.workContext(), recordWithin)
	defer cancel()
	m := j.report.Remembered().Memory
	w.recordPublished(ctx, j.report.Remembered().Published[w.name])
	w.loop.progress.add(append(progressOf(t, m, w.last.LastAttempt), failingOf(t, m, w.watch.evidence(), w.loop.clock.Now())...))
	if g := greatest(m, t.Name); t.Generation > g {
		w.loop.recorded(w.loop.records.RecordGeneration(ctx, plan.GenerationMark{Topology: t.Name, Generation: t.Generation, Document: t.Document}))
	}
	var homes []plan.Home
	for _, c := range t.Clusters {
		if !slices.ContainsFunc(m.Homes, func(h plan.Home) bool { return h.Cluster == c.ID }) {
			homes = append(homes, plan.Home{Cluster: c.ID, Topology: t.Name})
		}
	}
	if len(homes) > 0 {
		w.loop.recorded(w.loop.records.RecordHome(ctx, homes...))
	}
}

// recordWithin bounds the writes beside a pass.
const recordWithin = 10 * time.Second

func greatest(m plan.Memory, topology string) int64 {
	var out int64
	for _, g := range m.Generations {
		if g.Topology == topology {
			out = max(out, g.Generation)
		}
	}
	return out
}
