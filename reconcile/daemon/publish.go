package daemon

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/drift"
)

// passResult is what one pass came to.
type passResult struct {
	report reconcile.Report
	err    error
	acted  bool // it had the right to act
	began  time.Time
	apply  reconcile.Apply
	commit string
	sweep  time.Duration // the time between two passes
}

// patience is for how long the answers of a pass count.
func (j passResult) patience() time.Duration { return max(3*j.sweep, time.Minute) }

// publishPass publishes what a pass found, emits events for what is new, and records what
// the ledger needs.
func (w *worker) publishPass(j passResult) {
	l := w.loop
	now := l.clock.Now()
	s := w.last
	s.Name, s.Commit, s.LastAttempt, s.Took, s.Error = w.name, j.commit, j.began, now.Sub(j.began), ""
	t, known := j.report.Plan.Topology(w.name)
	if j.err != nil || !known {
		w.publishFailure(s, j)
		return
	}
	result := resultOf(j.report, w.name)
	spent := j.report.Remembered().Used(w.name, t.Generation)
	var raised []drift.Drift
	var resolved []resolvedDrift
	if result.Outcome != reconcile.OutcomeApplied { // after an apply the observation is old; the next pass is due at once
		raised, resolved = w.drift.update(drift.List(t, t.Transition != plan.TransitionNone && !spent), served(t), now)
	}
	s.LastSuccess = now
	w.passWorks()
	faulty := w.tellClusters(t, j.commit)
	s = w.statusAfter(s, t, result, j)
	l.board.noteLag(now, t, false, j.patience())
	l.log.Debug("observed it", w.attrs(s, slog.String("state", s.State.String()), slog.Duration("took", s.Took),
		slog.String("transition", s.Plan.Transition.String()), slog.String("decision", s.Decision.Code))...)
	w.emitResult(result, t, j)
	unconfirmed := s.State == StateUnknown && drift.Judge(t) == drift.Drifted // the next pass decides
	w.publishQuietly(s, s.State == StateUnknown && faulty || unconfirmed || s.onlyUnreadTokens() || s.State == StateDrifted && len(raised) > 0)
	w.reportMetrics(s, result, j)
	if w.loop.onPass != nil {
		w.loop.onPass(s, j.acted)
	}
	w.emitDrift(raised, resolved, j.commit)
	w.watch.update(j.apply, t, s.Decision)
	l.noteMove(s, result)
	if j.acted {
		w.recordPass(j, t)
	}
}

// statusAfter returns the status with all that a pass found and did.
func (w *worker) statusAfter(s TopologyStatus, t plan.TopologyPlan, result reconcile.Result, j passResult) TopologyStatus {
	s.Plan, s.Decision, s.Drifts = t, j.report.Decisions[w.name], w.drift.confirmedDrifts()
	s.Evidence = w.watch.evidence()
	for _, d := range j.apply.Desired.Topologies {
		if d.Name == w.name {
			s.MaxLag = d.MaxLag
		}
	}
	s.Authors, s.ProposedAt = proposalOf(j.apply.Changes[w.name])
	s.Failures, s.Waits, s.Stopped = 0, w.waits, w.stopped
	if j.acted && s.Waits == "" && worthRetry(result, t, j.report) && !mayNotApply(j.apply, w.name) {
		s.Failures = w.last.Failures + 1
	}
	w.failures = s.Failures
	if worthReporting(result) && !mayNotApply(j.apply, w.name) {
		s.Result = &result
	}
	s.Published = newerPublished(s.Published, j.report.Remembered().Published[w.name])
	if t.Live() || result.Outcome == reconcile.OutcomeApplied {
		s.Served = max(s.Served, t.Generation)
		s.Published = newerPublished(s.Published, publishedOf(t))
	}
	s.State = stateOf(t, s, result, j.apply)
	s.IntentOpen, s.Stale = intentOpenAfter(j.report.Remembered(), w.name, result.Outcome), staleClusters(j.report.Remembered(), w.name)
	return s
}

// proposalOf returns who wrote a change, and when its commit was made.
func proposalOf(c approval.Change) (authors []string, at time.Time) {
	for _, a := range c.Authors {
		authors = append(authors, a.String())
	}
	slices.Sort(authors)
	for _, carrier := range c.Carriers {
		if carrier.Kind == approval.CarrierCommit && carrier.Commit == c.Commit {
			at = carrier.Date
		}
	}
	return authors, at
}

// mayNotApply says whether the configuration forbids to apply a topology.
func mayNotApply(a reconcile.Apply, topology string) bool {
	return a.Observing || slices.Contains(a.Suspended, topology)
}

// worthReporting says whether an apply did something, tried something or failed. Nothing to do,
// and waiting, are no news.
func worthReporting(r reconcile.Result) bool {
	return r.Outcome == reconcile.OutcomeApplied || r.Outcome == reconcile.OutcomeUnverified || r.Outcome == reconcile.OutcomeError || len(r.Steps) > 0
}

// publishFailure publishes that the pass failed, and keeps what was known before.
func (w *worker) publishFailure(s TopologyStatus, j passResult) {
	s.Failures++
	s.Plan.UnderWay = nil
	w.failures = s.Failures
	w.loop.board.noteLag(w.loop.clock.Now(), s.Plan, true, j.patience())
	s.State, s.Error = StateUnknown, "the topology is in no document"
	if j.err != nil {
		s.Error = j.err.Error()
	}
	if j.err == nil {
		w.publish(s)
		return
	}
	w.loop.log.Debug("could not observe it", w.attrs(s, slog.String("error", s.Error))...)
	w.passFails(s, j.err)
	w.publishQuietly(s, true)
}

// passFails tells that no pass succeeds. Topologies that fail alike are told of once.
func (w *worker) passFails(s TopologyStatus, err error) {
	if unread := (reconcile.LedgerUnread{}); errors.As(err, &unread) {
		w.loop.ledgerFails(s.LastAttempt, w.name, "could not be read, so nothing is judged or applied", unread.Err)
		return
	}
	key := "pass/" + withoutDigits(err.Error())
	if w.failing != key {
		w.passWorks()
	}
	w.failing = key
	w.loop.faults.meets(key, w.name, "", Event{
		Kind: EventFault, Severity: plan.SeverityWarning, Topology: w.name, Commit: s.Commit, Trace: w.trace, Text: "the pass failed: " + err.Error(),
	})
}

// passWorks notes that a pass succeeded.
func (w *worker) passWorks() {
	w.loop.ledgerWorks(w.name)
	if w.failing != "" {
		w.loop.faults.endFor(w.failing, w.name, Event{
			Kind: EventFaultOver, Severity: plan.SeverityInfo, Topology: w.name, Commit: w.last.Commit, Trace: w.trace, Text: "passes succeed again",
		})
		w.failing = ""
	}
}

// attrs returns the attributes of a log line about this topology.
func (w *worker) attrs(s TopologyStatus, more ...any) []any {
	out := []any{slog.String("topology", s.Name), slog.String("commit", s.Commit)}
	if w.trace != "" {
		out = append(out, slog.String("trace", w.trace))
	}
	return append(out, more...)
}

// passLogger returns what logs the waits of the pass under way.
func (w *worker) passLogger(commit string) func(topology, text string) {
	attrs := w.attrs(TopologyStatus{Name: w.name, Commit: commit})
	return func(_, text string) {
		w.loop.log.Info(text, attrs...)
		w.publishStep(text)
	}
}

// publishStep publishes what the apply under way does now. It may be called by several
// goroutines.
func (w *worker) publishStep(text string) {
	now := w.loop.clock.Now()
	w.loop.board.topology(now, w.name, func(t *TopologyStatus) {
		if t.Plan.UnderWay == nil {
			return
		}
		u := *t.Plan.UnderWay
		u.Step, u.StepSince = text, now
		t.Plan.UnderWay = &u
	})
}

// publishHalfDone publishes that the promotion under way is half done, and tells it at
// once: the pass does not end before somebody acts.
func (w *worker) publishHalfDone(f plan.Finding, commit string) {
	w.loop.board.topology(w.loop.clock.Now(), w.name, func(t *TopologyStatus) {
		same := func(g plan.Finding) bool { return g.Code == f.Code && g.Cluster == f.Cluster }
		t.Plan.Findings = append(slices.DeleteFunc(slices.Clone(t.Plan.Findings), same), f)
	})
	w.emit(Event{
		Kind: EventFault, Severity: f.Severity, Topology: w.name, Cluster: f.Cluster, Code: string(f.Code), Commit: commit,
		Text: string(f.Code) + ": " + f.Message, Remedy: f.Remedy,
	})
}

// emit emits an event that the pass under way found.
func (w *worker) emit(e Event) {
	e.Trace = w.trace
	w.loop.emit(e)
}

// publishApplying publishes that this process carries a plan out from now on.
func (w *worker) publishApplying(identity string, t plan.TopologyPlan, d approval.Decision) {
	s := w.last
	t.UnderWay = &plan.UnderWay{Transition: t.Transition, Generation: t.Generation, By: "this daemon (" + identity + ")", Since: w.loop.clock.Now(), Step: "begins"}
	s.Name, s.Commit, s.State, s.Plan, s.Decision, s.Error = w.name, d.Commit, StateApplying, t, d, ""
	if s.Commit == "" {
		s.Commit = w.last.Commit
	}
	w.publish(s)
}

// publish publishes the status, and emits an event when the state or its reason changed.
func (w *worker) publish(s TopologyStatus) { w.publishQuietly(s, false) }

// publishQuietly publishes the status. told says that another event tells why the state is
// as it is; the log then does not say it again, nor that it is over.
func (w *worker) publishQuietly(s TopologyStatus, told bool) {
	l, before := w.loop, w.last
	s.HeldBy = w.heldBy()
	w.last = s
	l.board.topology(l.clock.Now(), w.name, func(t *TopologyStatus) { *t = s })
	if before.State == s.State && !before.LastAttempt.IsZero() && before.reason() == s.reason() {
		return
	}
	text := "the topology is " + s.State.String()
	if why := s.reason(); why != "" {
		text += ": " + why
	}
	w.emit(Event{
		Kind: EventState, Severity: severityOf(s.State), Topology: w.name, Commit: s.Commit, Code: s.Decision.Code, Text: text,
		Quiet: told || text == w.said,
	})
	if !told {
		w.said = text
	}
}

// reason says in a few words why the topology has its state; empty: there is nothing to
// add.
func (s TopologyStatus) reason() string {
	blocking := s.Plan.Blocking(s.Decision.Accepted)
	switch {
	case s.Error != "":
		return s.Error
	case s.Waits != "":
		return s.Waits
	case s.State == StateBlocked && len(blocking) > 0 && s.Plan.Transition == plan.TransitionNone:
		return reconcile.BlockedBy(blocking)
	case s.State == StateBlocked && len(blocking) > 0:
		return s.Plan.Transition.String() + " " + reconcile.BlockedBy(blocking)
	case s.Plan.WaitsForRebuild(s.Decision.Accepted) && s.Plan.Rebuild != nil:
		return s.Plan.Transition.String() + ", begun, waits for its " + s.Plan.Rebuild.Phase.String()
	case s.Plan.Transition != plan.TransitionNone && s.Plan.Resumed:
		return s.Plan.Transition.String() + ", begun earlier and continued"
	case s.Plan.Transition != plan.TransitionNone && s.Decision.Approved():
		return s.Plan.Transition.String() + ", approved" + s.frozenWords()
	case s.Plan.Transition != plan.TransitionNone:
		return s.Plan.Transition.String() + ", " + cmp.Or(s.Decision.Code, "not approved") + s.frozenWords()
	case s.State == StateDrifted:
		return driftCodes(s.Drifts)
	default:
		return ""
	}
}

// onlyUnreadTokens reports whether nothing blocks a topology but tokens whose file or variable
// cannot be used. One line names that for all topologies that need it.
func (s TopologyStatus) onlyUnreadTokens() bool {
	blocking := s.Plan.Blocking(s.Decision.Accepted)
	return s.State == StateBlocked && len(blocking) > 0 && !slices.ContainsFunc(blocking, func(f plan.Finding) bool {
		i := slices.IndexFunc(s.Plan.Clusters, func(c plan.ClusterPlan) bool { return c.ID == f.Cluster })
		return f.Code != plan.CodeCredentialMissing || i < 0 || !s.Plan.Clusters[i].View.TokenUnread()
	})
}

// driftCodes names the codes of the drifts that matter, each once.
func driftCodes(drifts []drift.Drift) string {
	var codes []string
	for _, d := range drifts {
		if d.Matters() && !slices.Contains(codes, string(d.Code)) {
			codes = append(codes, string(d.Code))
		}
	}
	return strings.Join(codes, ", ")
}

// emitDrift emits an event for each drift that was raised or resolved. Of what is unknown
// the fault of the cluster tells.
func (w *worker) emitDrift(raised []drift.Drift, resolved []resolvedDrift, commit string) {
	for _, d := range raised {
		severity := plan.SeverityWarning
		if d.Kind == drift.Order {
			severity = plan.SeverityInfo
		}
		if d.Kind == drift.Role || d.Kind == drift.StalePrimary || d.Kind == drift.Traffic {
			severity = plan.SeverityCritical
		}
		w.emit(Event{Kind: EventDriftRaised, Severity: severity, Topology: w.name, Cluster: d.Cluster, Code: string(d.Code), Commit: commit, Text: string(d.Kind) + ": " + d.Message, Quiet: d.Kind == drift.Unknown})
	}
	for _, d := range resolved {
		w.emit(Event{Kind: EventDriftResolved, Severity: plan.SeverityInfo, Topology: w.name, Cluster: d.Cluster, Code: string(d.Code), Commit: commit, Text: "over after " + plan.DurationText(w.loop.clock.Now().Sub(d.since)) + ": " + d.Message, Quiet: d.Kind == drift.Unknown})
	}
}

// emitResult emits an event for what an apply did. After a success the next pass follows
// at once.
func (w *worker) emitResult(r reconcile.Result, t plan.TopologyPlan, j passResult) {
	if !j.acted || !worthReporting(r) || mayNotApply(j.apply, w.name) {
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

// recordPass records what a later failover needs: the progress of standbys whose source
// lives, the generation, and which topology each cluster belongs to. It does not wait for
// the ledger, but for what clients are told from now on.
func (w *worker) recordPass(j passResult, t plan.TopologyPlan) {
	m := j.report.Remembered().Memory
	known := j.report.Remembered().Published[w.name]
	w.recordPublished(known)
	m.Now = w.loop.clock.Now()
	seen, over := plan.Outages(t, w.watch.evidence(), m)
	progress := plan.ProgressRecords(t, m, w.last.LastAttempt)
	w.loop.progress.add(func(f found) {
		for _, p := range progress {
			f.progress[p.Cluster] = p
		}
		for _, o := range seen {
			f.seen[o.Cluster] = o
		}
		for _, cluster := range over {
			f.over[cluster] = true
			delete(f.seen, cluster)
		}
		if t.Generation > newestGeneration(m, t.Name) {
			f.generations[t.Name] = plan.GenerationMark{Topology: t.Name, Generation: t.Generation, Document: t.Document}
		}
		for _, c := range t.Clusters {
			if !slices.ContainsFunc(m.Homes, func(h plan.Home) bool { return h.Cluster == c.ID }) {
				f.homes[c.ID] = plan.Home{Cluster: c.ID, Topology: t.Name}
			}
		}
		if known.Version == 0 && w.last.Published.Version > 0 {
			f.published[w.name] = w.last.Published
		}
	})
}

// recordWithin bounds the writes to the ledger outside a pass.
const recordWithin = 10 * time.Second

// newestGeneration returns the greatest generation that the ledger knows of a topology; 0:
// none.
func newestGeneration(m plan.Memory, topology string) int64 {
	var out int64
	for _, g := range m.Generations {
		if g.Topology == topology {
			out = max(out, g.Generation)
		}
	}
	return out
}
