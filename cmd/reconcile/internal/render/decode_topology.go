package render

import (
	"math"
	"strconv"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

func (r *decodeReader) topology(w wireTopology) plan.TopologyPlan {
	t := plan.TopologyPlan{
		Name:       w.Name,
		Generation: w.Generation,
		Transition: plan.Transition(zeroWord(w.Transition, "none")),
		Digest:     r.digest(w.Digest),
		DataLoss:   r.loss(w.DataLoss),
		InSync:     w.InSync,
		Resumed:    w.Resumed,
		Primary:    text(w.Primary),
		OldPrimary: text(w.OldPrimary),
		At:         decodePosition(w.At),

		Replication: plan.ReplicationState(text(w.Replication)),
	}
	for _, c := range w.Clusters {
		t.Clusters = append(t.Clusters, r.cluster(c))
	}
	if w.Steps != nil {
		for _, s := range *w.Steps {
			t.Steps = append(t.Steps, decodeStep(s))
		}
	}
	for _, f := range w.Findings {
		t.Findings = append(t.Findings, r.finding(f))
	}
	if w.Transition == "" {
		r.fail("topology %q has no transition", w.Name)
	}
	return t
}

func decodeApproval(w wireTopology) Approval {
	a := Approval{
		Verdict: verdictOf(w.Approval.Verdict), Code: text(w.Approval.Code),
		By: w.Approval.By, Commit: text(w.Approval.Commit), Detail: text(w.Approval.Detail), Repository: w.Approval.Repository,
	}
	for _, f := range w.Findings {
		if f.Accepted {
			a.Accepted = append(a.Accepted, plan.Code(f.Code))
		}
	}
	return a
}

func (r *decodeReader) cluster(w wireCluster) plan.ClusterPlan {
	view := plan.View{
		Cluster: w.ID,
		At:      r.time(w.ObservedAt),
		Reach:   plan.Reach(zeroWord(w.Reach, "unknown")),
		Error:   text(w.Error),
		Version: text(w.Version),
		Belief: plan.Belief{
			Kind:     plan.BeliefKind(zeroWord(w.BelievedRole, "unknown")),
			Inferred: w.Inferred,
			Source:   text(w.Source),
		},
	}
	if c := decodeConfiguration(w.Configuration); c != nil {
		view.Belief.Configuration = *c
	}
	r.observation(&view, w.Observation)
	out := plan.ClusterPlan{ID: w.ID, DesiredRole: plan.Role(zeroWord(w.DesiredRole, "unknown")), View: view}
	if w.Lag != nil {
		out.Lag = &plan.Window{
			Lower: duration(w.Lag.LowerSeconds), Upper: duration(w.Lag.UpperSeconds),
			Method: method(w.Lag.Method), Age: duration(w.Lag.AgeSeconds),
		}
	}
	return out
}

func decodeConfiguration(w *wireConfiguration) *plan.Configuration {
	if w == nil {
		return nil
	}
	out := &plan.Configuration{}
	for _, m := range w.Clusters {
		out.Clusters = append(out.Clusters, plan.Member{ID: m.ID, URI: m.URI, PChannels: m.PChannels})
	}
	for _, e := range w.Edges {
		out.Edges = append(out.Edges, plan.Edge{From: e.From, To: e.To})
	}
	return out
}

func decodeStep(w wireStep) plan.Step {
	return plan.Step{
		ID: w.ID, Wave: w.Wave, Action: plan.Action(w.Action), Cluster: text(w.Cluster),
		Reason: plan.Reason(w.Reason), Verify: plan.VerifyLevel(text(w.Verify)),
		Before: decodeConfiguration(w.Before), After: decodeConfiguration(w.After),
	}
}

func (r *decodeReader) finding(w wireFinding) plan.Finding {
	return plan.Finding{
		Code: plan.Code(w.Code), Severity: plan.Severity(w.Severity), Cluster: text(w.Cluster),
		Message: w.Message, Remedy: text(w.Remedy), Acceptable: w.Acceptable, Accepted: w.Accepted,
		At: decodePosition(w.At), Evidence: r.evidence(w.Evidence),
	}
}

func (r *decodeReader) evidence(w wireEvidence) *plan.FindingEvidence {
	if w.Counted == nil {
		return nil
	}
	out := &plan.FindingEvidence{Counted: *w.Counted, Restarts: count(w.Restarts), Lag: r.loss(w.Window)}
	for _, p := range w.Rounds {
		out.Rounds = append(out.Rounds, plan.Round{
			At: r.time(p.At), Took: *duration(&p.TookSeconds), Limit: *duration(&p.LimitSeconds),
			Reach: plan.Reach(zeroWord(p.Reach, "unknown")), Class: plan.ErrorClass(text(p.Class)),
			Error: text(p.Error), CandidateAnswered: p.CandidateAnswered,
		})
	}
	for _, m := range w.Moved {
		out.Moved = append(out.Moved, plan.ChannelMotion{Channel: m.Channel, From: r.tick(m.From), To: r.tick(m.To)})
	}
	return out
}

func (r *decodeReader) tick(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		r.fail("%q is no time tick", s)
	}
	return n
}

func (r *decodeReader) loss(w *wireLoss) *plan.Window {
	if w == nil {
		return nil
	}
	out := &plan.Window{
		ReplicatedUpTo: r.time(w.ReplicatedUpTo), Lower: duration(w.LowerSeconds),
		Upper: duration(w.UpperSeconds), Method: method(w.Method), Age: duration(w.AgeSeconds),
	}
	for _, c := range w.PerChannel {
		out.PerChannel = append(out.PerChannel, plan.ChannelWindow{
			Channel: c.Channel, ReplicatedUpTo: r.time(c.ReplicatedUpTo), Known: c.Started != nil,
			Started: c.Started != nil && *c.Started, Upper: duration(c.UpperSeconds),
		})
	}
	return out
}

func method(word string) plan.LossMethod { return plan.LossMethod(zeroWord(word, "unknown")) }

// duration rounds to the nanosecond: seconds as a decimal fraction come back
// as the duration that they were written from.
func duration(seconds *float64) *time.Duration {
	if seconds == nil {
		return nil
	}
	d := time.Duration(math.Round(*seconds * float64(time.Second)))
	return &d
}

func decodePosition(w *wirePosition) plan.Position {
	if w == nil {
		return plan.Position{}
	}
	return plan.Position{File: w.File, Line: count(w.Line), Column: count(w.Column)}
}

// verdictOf reads the word of a verdict. One that is not known is denied.
func verdictOf(word string) approval.Verdict {
	switch v := approval.Verdict(word); v {
	case approval.VerdictApproved, approval.VerdictNotRequired:
		return v
	default:
		return approval.VerdictDenied
	}
}
