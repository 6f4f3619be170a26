package render

import (
	"io"
	"strconv"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/jsonyaml"
	"milvus-reconcile/plan"
)

// JSON writes the document of contract.md §6, indented, with one line
// end. Values that are not known are null and lists are never null.
func JSON(w io.Writer, d Document) error { return jsonyaml.WriteJSON(w, encode(d)) }

// YAML writes the same document as JSON, with the fields in the same order.
func YAML(w io.Writer, d Document) error { return jsonyaml.WriteYAML(w, encode(d)) }

// encode builds the document that leaves the program.
func encode(d Document) wireDocument {
	out := wireDocument{
		FormatVersion: FormatVersion,
		Commit:        textOrNil(d.Plan.Commit),
		GeneratedAt:   timeOrNil(d.generatedAt()),
		Digest:        textOrNil(d.Plan.Digest),
		Ledger:        d.Plan.Ledger.String(),
		Summary:       d.Summary(),
		Problems:      mapList(d.Problems, encodeProblem),
		Topologies:    []wireTopology{},
		Kind:          string(d.kind()),
		Observed:      textOrNil(string(d.observed())),
		Site:          d.Site,
	}
	for _, t := range d.topologies() {
		w := encodeTopology(t, d.approval(t), t.Blocked(d.accepted(t)))
		w.State = stateWord(d.symbol(t))
		if d.kind() == KindStatus {
			w.Steps = nil
			for i, c := range t.Clusters {
				w.Clusters[i].Observation = encodeObservation(c.View)
			}
		}
		out.Topologies = append(out.Topologies, w)
	}
	return out
}

func encodeProblem(p Problem) wireProblem {
	return wireProblem{
		File: p.File, Line: countOrNil(p.Line), Column: countOrNil(p.Column),
		Path: textOrNil(p.Path), Message: p.Message, Hint: textOrNil(p.Hint),
	}
}

func encodeTopology(t plan.TopologyPlan, a Approval, blocked bool) wireTopology {
	steps := mapList(t.Steps, encodeStep)
	for _, s := range mapList(t.Return, encodeStep) {
		s.Back = true
		steps = append(steps, s)
	}
	return wireTopology{
		Name:        t.Name,
		Generation:  t.Generation,
		Transition:  t.Transition.String(),
		Blocked:     blocked,
		Digest:      textOrNil(t.Digest),
		Approval:    encodeApproval(a),
		Clusters:    mapList(t.Clusters, encodeCluster),
		Steps:       &steps,
		Findings:    mapList(t.Findings, encodeFinding),
		DataLoss:    encodeLoss(t.DataLoss),
		Lost:        mapList(t.Losses, encodeCountedLoss),
		Replayed:    mapList(t.Replayed, encodeReplayed),
		Rebuild:     encodeRebuild(t.Rebuild),
		Frozen:      encodeFrozen(t.Frozen),
		UnderWay:    encodeUnderWay(t.UnderWay),
		Outage:      encodeOutage(t.Outage),
		LastDrift:   encodeDrift(t.LastDrift),
		LastOutage:  encodeEnded(t.LastOutage),
		ProvenEqual: mapList(t.ProvenEqual, encodeEqual),
		Stays:       mapList(t.Stays, encodeStay),
		InSync:      t.InSync,
		Resumed:     t.Resumed,
		Primary:     textOrNil(t.Primary),
		OldPrimary:  textOrNil(t.OldPrimary),
		At:          encodePosition(t.At),

		Replication: textOrNil(string(t.Replication)),
	}
}

func encodeStay(s plan.ClientStay) wireStay {
	out := wireStay{Target: s.Target, Why: textOrNil(s.Why), ClosesOpen: s.Closes, Shorter: textOrNil(s.Shorter)}
	if s.Known {
		out.NewSeconds = secondsOrNil(&s.New)
	}
	if s.Open > 0 {
		out.OpenSeconds = secondsOrNil(&s.Open)
	}
	return out
}

// stateWord is a symbol of a topology as programs read it.
func stateWord(s style) string {
	switch s {
	case good:
		return "well"
	case bad:
		return "trouble"
	case attention:
		return "attention"
	default:
		return "not_observed"
	}
}

func encodeApproval(a Approval) wireApproval {
	return wireApproval{
		Verdict: a.Verdict.String(), Code: textOrNil(a.Code), By: textList(a.By),
		Commit: textOrNil(a.Commit), Detail: textOrNil(a.Detail), Repository: a.Repository,
		Needed: a.Needed, Given: a.Given, Until: timeOrNil(a.Until),
	}
}

func encodeCluster(c plan.ClusterPlan) wireCluster {
	out := wireCluster{
		ID:           c.ID,
		DesiredRole:  c.DesiredRole.String(),
		Site:         c.Site,
		Reach:        c.View.Reach.String(),
		BelievedRole: c.View.Belief.Kind.String(),
		ObservedAt:   timeOrNil(c.View.At),
		Version:      textOrNil(c.View.Version),
		Error:        textOrNil(c.View.Error),
		ErrorClass:   string(c.View.Class),
		Lag:          encodeLag(c.Lag),
		Inferred:     c.View.Belief.Inferred,
		Source:       textOrNil(c.View.Belief.Source),
	}
	if stored := c.View.Belief.Configuration; len(stored.Clusters) > 0 {
		out.Configuration = encodeConfiguration(&stored)
	}
	return out
}

func encodeConfiguration(c *plan.Configuration) *wireConfiguration {
	if c == nil {
		return nil
	}
	return &wireConfiguration{
		Clusters: mapList(c.Clusters, func(m plan.Member) wireMember {
			return wireMember{ID: m.ID, URI: m.URI, PChannels: textList(m.PChannels)}
		}),
		Edges: mapList(c.Edges, func(e plan.Edge) wireEdge { return wireEdge{From: e.From, To: e.To} }),
	}
}

func encodeStep(s plan.Step) wireStep {
	return wireStep{
		ID: s.ID, Action: string(s.Action), Cluster: textOrNil(s.Cluster), Reason: string(s.Reason),
		ForcePromote: s.ForcePromote(),
		Before:       encodeConfiguration(s.Before),
		After:        encodeConfiguration(s.After),
		Wave:         s.Wave,
		Verify:       textOrNil(string(s.Verify)),
	}
}

func encodeFinding(f plan.Finding) wireFinding {
	return wireFinding{
		Code: string(f.Code), Severity: string(f.Severity), Cluster: textOrNil(f.Cluster),
		Message: f.Message, Acceptable: f.Acceptable, Accepted: f.Accepted,
		At: encodePosition(f.At), Evidence: encodeEvidence(f.Evidence), Remedy: textOrNil(f.Remedy),
	}
}

func encodePosition(p plan.Position) *wirePosition {
	if p.File == "" {
		return nil
	}
	return &wirePosition{File: p.File, Line: countOrNil(p.Line), Column: countOrNil(p.Column)}
}

func encodeFrozen(f *plan.Frozen) *wireFrozen {
	if f == nil {
		return nil
	}
	return &wireFrozen{By: textList(f.By), Until: timeOrNil(f.Until), ApproveFrom: timeOrNil(f.ApproveFrom)}
}

func encodeUnderWay(u *plan.UnderWay) *wireUnderWay {
	if u == nil {
		return nil
	}
	return &wireUnderWay{
		Transition: u.Transition.String(), Generation: u.Generation, By: u.By,
		Since: timeOrNil(u.Since), Step: u.Step, StepSince: timeOrNil(u.StepSince),
	}
}

func encodeOutage(o *plan.PrimaryOutage) *wireOutage {
	if o == nil {
		return nil
	}
	return &wireOutage{
		Cluster: o.Cluster, FirstSeenDown: timeOrNil(o.Since), LastSeenUp: timeOrNil(o.SeenUp),
		UnwatchedSeconds: o.Unwatched.Seconds(), ProbedBefore: timeOrNil(o.ProbedAt), ProbedFor: textOrNil(o.HeldBy), ProbedSince: timeOrNil(o.HeldFrom),
	}
}

func encodeLag(w *plan.Window) *wireLag {
	if w == nil {
		return nil
	}
	return &wireLag{
		LowerSeconds: secondsOrNil(w.Lower), UpperSeconds: secondsOrNil(w.Upper),
		Method: w.Method.String(), AgeSeconds: secondsOrNil(w.Age), ReplicatedUpTo: timeOrNil(w.ReplicatedUpTo),
	}
}

func encodeLoss(w *plan.Window) *wireLoss {
	if w == nil {
		return nil
	}
	return &wireLoss{
		ReplicatedUpTo: timeOrNil(w.ReplicatedUpTo),
		LowerSeconds:   secondsOrNil(w.Lower),
		UpperSeconds:   secondsOrNil(w.Upper),
		Method:         w.Method.String(),
		PerChannel:     mapList(w.PerChannel, encodeChannel),
		AgeSeconds:     secondsOrNil(w.Age),

		FirstSeenDown:    timeOrNil(w.SeenDown),
		LastSeenUp:       timeOrNil(w.SeenUp),
		UnwatchedSeconds: w.Unwatched.Seconds(),
	}
}

// encodeChannel leaves out what a channel that was not read does not tell:
// "nothing was ever replicated" is a fact, not the absence of one.
func encodeChannel(c plan.ChannelWindow) wireChannel {
	out := wireChannel{Channel: c.Channel}
	if c.Known {
		out.ReplicatedUpTo = timeOrNil(c.ReplicatedUpTo)
		out.Started = &c.Started
		out.UpperSeconds = secondsOrNil(c.Upper)
	}
	return out
}

func encodeEvidence(e *plan.FindingEvidence) wireEvidence {
	if e == nil {
		return wireEvidence{}
	}
	return wireEvidence{
		Counted: &e.Counted, Restarts: &e.Restarts,
		Rounds: mapList(e.Rounds, encodeRound),
		Moved: mapList(e.Moved, func(m plan.ChannelMotion) wireMotion {
			return wireMotion{Channel: m.Channel, From: tick(m.From), To: tick(m.To)}
		}),
		Window: encodeLoss(e.Lag),
	}
}

func encodeRound(r plan.Round) wireRound {
	return wireRound{
		At: timeOrNil(r.At), TookSeconds: r.Took.Seconds(), LimitSeconds: r.Limit.Seconds(),
		Reach: r.Reach.String(), Class: textOrNil(string(r.Class)), Error: textOrNil(r.Error),
		CandidateAnswered: r.CandidateAnswered,
	}
}

func tick(t uint64) string { return strconv.FormatUint(t, 10) }

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func countOrNil(n int) *int {
	if n <= 0 {
		return nil
	}
	return &n
}

func timeOrNil(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return textOrNil(t.UTC().Format(time.RFC3339Nano))
}

func secondsOrNil(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	s := d.Seconds()
	return &s
}

// mapList never returns nil: an empty list is written as [], not as null.
func mapList[A, B any](in []A, f func(A) B) []B {
	out := make([]B, 0, len(in))
	for _, a := range in {
		out = append(out, f(a))
	}
	return out
}

func same(s string) string { return s }

// textList is never nil, as mapList.
func textList(in []string) []string {
	if in == nil {
		return []string{}
	}
	return in
}
