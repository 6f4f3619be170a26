package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// maxSaved bounds a saved plan: thousands of topologies fit, a disk does not.
const maxSaved = 64 << 20

// Decode reads a document that JSON wrote, for `show` and for the digests of
// `apply --plan`. It refuses another major version, and never guesses: it
// ignores additions of a newer minor version. Time ticks of single channels are
// not part of the document, so a decoded plan can be shown, but nothing can be
// computed from it.
func Decode(r io.Reader) (Document, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxSaved+1))
	if err != nil {
		return Document{}, fmt.Errorf("read the saved plan: %w", err)
	}
	if len(raw) > maxSaved {
		return Document{}, fmt.Errorf("the saved plan is larger than %d MiB", maxSaved>>20)
	}
	if err := checkVersion(raw); err != nil {
		return Document{}, err
	}
	var wire wireDocument
	if err := json.Unmarshal(raw, &wire); err != nil {
		return Document{}, fmt.Errorf("the saved plan does not match its version: %w", err)
	}
	d := decodeReader{}
	doc := d.document(wire)
	if d.err != nil {
		return Document{}, fmt.Errorf("the saved plan: %w", d.err)
	}
	return doc, nil
}

// checkVersion comes first, so that a plan of another version is called that
// and not a plan with a wrong field.
func checkVersion(raw []byte) error {
	var head struct {
		FormatVersion *string          `json:"formatVersion"`
		Topologies    *json.RawMessage `json:"topologies"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return fmt.Errorf("the saved plan is not JSON: %w", err)
	}
	if head.FormatVersion == nil || head.Topologies == nil {
		return errors.New("not a saved plan: formatVersion or topologies is missing; save one by `reconcile plan -o json`")
	}
	major, _, _ := strings.Cut(*head.FormatVersion, ".")
	want, _, _ := strings.Cut(FormatVersion, ".")
	if major != want {
		return fmt.Errorf("the saved plan has format version %q, this program reads %s.x: plan again", *head.FormatVersion, want)
	}
	return nil
}

// decodeReader keeps the first error, so that reading stays a list of fields.
type decodeReader struct{ err error }

func (r *decodeReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *decodeReader) document(w wireDocument) Document {
	d := Document{
		Plan: plan.Plan{
			Commit: text(w.Commit), At: r.time(w.GeneratedAt),
			Ledger: plan.LedgerKind(zeroWord(w.Ledger, "none")), Digest: r.digest(w.Digest),
		},
		Approvals:   map[string]Approval{},
		GeneratedAt: r.time(w.GeneratedAt),
		Kind:        Kind(w.Kind),
		Observed:    r.observed(w.Observed),
	}
	d.Plan.Offline = d.Observed == ObservedNone
	for _, p := range w.Problems {
		d.Problems = append(d.Problems, Problem{
			File: p.File, Line: count(p.Line), Column: count(p.Column),
			Path: text(p.Path), Message: p.Message, Hint: text(p.Hint),
		})
	}
	for _, t := range w.Topologies {
		if _, twice := d.Approvals[t.Name]; twice || t.Name == "" {
			r.fail("topology %q has no name or appears twice", t.Name)
		}
		d.Plan.Topologies = append(d.Plan.Topologies, r.topology(t))
		d.Approvals[t.Name] = r.approval(t)
	}
	return d
}

// observed is live in documents of versions that did not say.
func (r *decodeReader) observed(s *string) Observation {
	switch o := Observation(text(s)); o {
	case "", ObservedLive:
		return ObservedLive
	case ObservedNone, ObservedElsewhere:
		return o
	default:
		r.fail("observed is %q", o)
		return o
	}
}

func (r *decodeReader) time(s *string) time.Time {
	if s == nil {
		return time.Time{}
	}
	t, err := plan.ParseTime(*s)
	if err != nil {
		r.fail("%q is no time of RFC 3339", *s)
	}
	return t
}

// digest refuses what a digest cannot look like: `apply --plan` compares it,
// and an empty or shortened one must not pass for a match.
func (r *decodeReader) digest(s *string) string {
	if s == nil {
		return ""
	}
	hex, ok := strings.CutPrefix(*s, "sha256:")
	if !ok || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
		r.fail("%q is no digest (sha256: and 64 hexadecimal digits)", *s)
	}
	return *s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func count(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// zeroWord turns the word for the zero value back into it.
func zeroWord(word, zero string) string {
	if word == zero {
		return ""
	}
	return word
}

func (r *decodeReader) topology(w wireTopology) plan.TopologyPlan {
	t := plan.TopologyPlan{
		Name:        w.Name,
		Generation:  w.Generation,
		Transition:  plan.Transition(zeroWord(w.Transition, "none")),
		Digest:      r.digest(w.Digest),
		DataLoss:    r.loss(w.DataLoss),
		Losses:      r.countedLosses(w.Name, w.Lost),
		Replayed:    r.replayedLosses(w.Name, w.Replayed),
		Rebuild:     r.rebuild(w.Rebuild),
		Frozen:      r.frozen(w.Frozen),
		UnderWay:    r.underWay(w.UnderWay),
		Outage:      r.outage(w.Outage),
		LastDrift:   r.lastDrift(w.Name, w.LastDrift),
		LastOutage:  r.lastOutage(w.Name, w.LastOutage),
		ProvenEqual: r.provenEqual(w.ProvenEqual),
		InSync:      w.InSync,
		Resumed:     w.Resumed,
		Primary:     text(w.Primary),
		OldPrimary:  text(w.OldPrimary),
		At:          decodePosition(w.At),

		Replication: plan.ReplicationState(text(w.Replication)),
	}
	for _, s := range w.Stays {
		t.Stays = append(t.Stays, decodeStay(s))
	}
	for _, c := range w.Clusters {
		t.Clusters = append(t.Clusters, r.cluster(c))
	}
	if w.Steps != nil {
		for _, s := range *w.Steps {
			if s.Back {
				t.Return = append(t.Return, decodeStep(s))
				continue
			}
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

func decodeStay(w wireStay) plan.ClientStay {
	out := plan.ClientStay{Target: w.Target, Stay: plan.Stay{Why: text(w.Why), Closes: w.ClosesOpen, Shorter: text(w.Shorter)}}
	if d := duration(w.NewSeconds); d != nil {
		out.Known, out.New = true, *d
	}
	if d := duration(w.OpenSeconds); d != nil {
		out.Open = *d
	}
	return out
}

func (r *decodeReader) approval(w wireTopology) Approval {
	a := Approval{
		Verdict: verdictOf(w.Approval.Verdict), Code: text(w.Approval.Code),
		By: w.Approval.By, Commit: text(w.Approval.Commit), Detail: text(w.Approval.Detail), Repository: w.Approval.Repository,
		Needed: w.Approval.Needed, Given: w.Approval.Given, Until: r.time(w.Approval.Until),
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
		Class:   plan.ErrorClass(w.ErrorClass),
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
	out := plan.ClusterPlan{ID: w.ID, DesiredRole: plan.Role(zeroWord(w.DesiredRole, "unknown")), Site: w.Site, View: view}
	if w.Lag != nil {
		out.Lag = &plan.Window{
			Lower: duration(w.Lag.LowerSeconds), Upper: duration(w.Lag.UpperSeconds),
			Method: method(w.Lag.Method), Age: duration(w.Lag.AgeSeconds), ReplicatedUpTo: r.time(w.Lag.ReplicatedUpTo),
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

func (r *decodeReader) frozen(w *wireFrozen) *plan.Frozen {
	if w == nil {
		return nil
	}
	return &plan.Frozen{By: w.By, Until: r.time(w.Until), ApproveFrom: r.time(w.ApproveFrom)}
}

func (r *decodeReader) underWay(w *wireUnderWay) *plan.UnderWay {
	if w == nil {
		return nil
	}
	return &plan.UnderWay{
		Transition: plan.Transition(zeroWord(w.Transition, "none")), Generation: w.Generation, By: w.By,
		Since: r.time(w.Since), Step: w.Step, StepSince: r.time(w.StepSince),
	}
}

func (r *decodeReader) outage(w *wireOutage) *plan.PrimaryOutage {
	if w == nil {
		return nil
	}
	out := &plan.PrimaryOutage{Outage: plan.Outage{
		Cluster: w.Cluster, Since: r.time(w.FirstSeenDown), SeenUp: r.time(w.LastSeenUp), Unwatched: *duration(&w.UnwatchedSeconds),
	}, ProbedAt: r.time(w.ProbedBefore)}
	if w.ProbedFor != nil {
		out.HeldBy, out.HeldFrom = *w.ProbedFor, r.time(w.ProbedSince)
	}
	return out
}

func (r *decodeReader) loss(w *wireLoss) *plan.Window {
	if w == nil {
		return nil
	}
	out := &plan.Window{
		ReplicatedUpTo: r.time(w.ReplicatedUpTo), Lower: duration(w.LowerSeconds),
		Upper: duration(w.UpperSeconds), Method: method(w.Method), Age: duration(w.AgeSeconds),
		SeenDown: r.time(w.FirstSeenDown), SeenUp: r.time(w.LastSeenUp), Unwatched: *duration(&w.UnwatchedSeconds),
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
