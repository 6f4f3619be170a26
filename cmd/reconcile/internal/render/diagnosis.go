package render

import (
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/upgrade"
)

// Diagnosis answers whether a failover would work right now.
type Diagnosis struct {
	Commit     string
	At         time.Time
	Topologies []DiagnosedTopology // by name
	Checks     []Check             // in the order of their areas
	BreakGlass []string            // what to do when reconcile itself cannot act
	Upgrades   []upgrade.Advice    // by topology; nil without --upgrade-to
}

// DiagnosedTopology is one topology with its standbys.
type DiagnosedTopology struct {
	Name     string
	Primary  string
	Standbys []DiagnosedStandby // by cluster
	// PrimaryDown: the primary was seen not to serve when the diagnosis was made.
	PrimaryDown bool
	// UnderWay is the change that another process carries out now; nil: none. Then nothing
	// else is diagnosed.
	UnderWay *plan.UnderWay
	// Outage says when the primary was first seen down; nil: it was not seen down.
	Outage *plan.PrimaryOutage
	// TwoWriters says that more than one cluster takes writes now; nil: no.
	TwoWriters *Obstacle
}

// DiagnosedStandby says how a failover to one standby would end.
type DiagnosedStandby struct {
	Cluster   string
	Excluded  bool // the document says 'promotable: false'
	Obstacles []Obstacle
	Loss      *plan.Window // what would be lost if the primary were lost now
	// Objective is the most that may be lost by the document.
	Objective time.Duration
	// Waiting is on how many of its Channels messages of the primary wait for it, and Waited
	// how long the oldest of them at most; nil: not known. One read does not tell whether
	// they move.
	Waiting, Channels int
	Waited            *time.Duration
}

// waitingWords say which messages wait for the standby; "" if none was seen.
func (s DiagnosedStandby) waitingWords() string {
	if s.Waiting == 0 {
		return ""
	}
	words := fmt.Sprintf("messages wait on %d of %s, ", s.Waiting, plural(s.Channels, "channel", "channels"))
	if s.Waited == nil {
		return words + "and for how long is not known"
	}
	words += "the oldest for up to " + plan.UpperBoundText(*s.Waited)
	if s.Objective > 0 && *s.Waited <= s.Objective {
		words += ", within the objective of " + plan.DurationText(s.Objective)
	}
	return words
}

// waitsLong reports whether messages wait for longer than a busy link needs, or nobody
// knows for how long.
func (s DiagnosedStandby) waitsLong() bool {
	return s.Waiting > 0 && (s.Waited == nil || *s.Waited > waitsLong)
}

// losesTooMuch reports whether more would be lost than the objective allows, or nobody
// knows how much.
func (s DiagnosedStandby) losesTooMuch() bool {
	return s.Loss != nil && (s.Loss.Upper == nil || s.Objective > 0 && *s.Loss.Upper > s.Objective)
}

// wellReady reports whether some standby could be promoted as things are, would lose no more
// than the objective allows, and has no messages that wait for long.
func (t DiagnosedTopology) wellReady() bool {
	return t.readyWith(func(s DiagnosedStandby) bool { return !s.losesTooMuch() && !s.waitsLong() })
}

// readyWith reports whether a standby with a property could be promoted as things are.
func (t DiagnosedTopology) readyWith(holds func(DiagnosedStandby) bool) bool {
	return slices.ContainsFunc(t.Standbys, func(s DiagnosedStandby) bool { return s.Verdict() == StandbyReady && holds(s) })
}

// downWords say that the primary does not serve, and when that was first seen.
func (t DiagnosedTopology) downWords() string {
	words := t.Primary + ", its primary, does not serve now"
	if t.Outage != nil {
		words += ": " + silenceWords(*t.Outage)
	}
	return words
}

// Obstacle is one thing that would block a failover, or make it end badly.
type Obstacle struct {
	Code       plan.Code // empty: the planner cannot know of it
	Message    string
	Remedy     string
	Acceptable bool // an approver may accept it
	After      bool // the promotion would be done, and what follows it would not
}

// CheckState is how a check ended. The zero value is that it is not known.
type CheckState string

// The verdicts of checks.
const (
	CheckUnknown CheckState = ""
	CheckOK      CheckState = "ok"
	CheckWarning CheckState = "warning"
	CheckFailed  CheckState = "failed"
)

// String gives the word of the JSON.
func (v CheckState) String() string { return orElse(string(v), "unknown") }

// Check is the result of one check outside the planner.
type Check struct {
	Area    string // credentials, privileges, rpcs, channels, clocks, approvers, ledger, git, redirect, notify, location, certificates, permissions, restart, cdc
	Subject string // the cluster, topology, file or target that it is about
	Verdict CheckState
	Message string
	Remedy  string // empty when nothing is to be done
	Blocks  bool   // a failed one stops every failover
	Told    bool   // on the page, although it is fine
}

// StandbyVerdict says how a failover to a standby would end.
type StandbyVerdict string

// The verdicts of standbys, as programs read them.
const (
	StandbyReady      StandbyVerdict = "ready"
	StandbyAcceptable StandbyVerdict = "acceptable" // blocked by nothing that an approver may not accept
	StandbyBlocked    StandbyVerdict = "blocked"
	StandbyExcluded   StandbyVerdict = "excluded"
)

// Verdict says how a failover to the standby would end.
func (s DiagnosedStandby) Verdict() StandbyVerdict {
	switch {
	case s.Excluded:
		return StandbyExcluded
	case len(s.Obstacles) == 0:
		return StandbyReady
	case slices.ContainsFunc(s.Obstacles, func(o Obstacle) bool { return !o.Acceptable }):
		return StandbyBlocked
	default:
		return StandbyAcceptable
	}
}

// Promoted reports whether a failover to the standby would promote it and only a later
// step would fail.
func (s DiagnosedStandby) Promoted() bool {
	return s.Verdict() == StandbyBlocked && !slices.ContainsFunc(s.Obstacles, func(o Obstacle) bool { return !o.Acceptable && !o.After })
}

// Promotes reports whether a failover of a topology that is not ready would at least
// promote some standby.
func (t DiagnosedTopology) Promotes() bool {
	return slices.ContainsFunc(t.Standbys, DiagnosedStandby.Promoted)
}

// Ready reports whether some standby could be promoted now, no two clusters take
// writes, and no change is under way.
func (t DiagnosedTopology) Ready() bool {
	return t.TwoWriters == nil && t.UnderWay == nil && slices.ContainsFunc(t.Standbys, func(s DiagnosedStandby) bool { return s.Verdict() == StandbyReady })
}

// Acceptable reports whether some standby could be promoted if an approver accepts its
// findings.
func (t DiagnosedTopology) Acceptable() bool {
	return slices.ContainsFunc(t.Standbys, func(s DiagnosedStandby) bool { return s.Verdict() == StandbyAcceptable })
}

// Stopped reports whether something stops every failover, whatever the clusters do.
func (d Diagnosis) Stopped() bool {
	return slices.ContainsFunc(d.Checks, func(c Check) bool { return c.Blocks && c.Verdict == CheckFailed })
}

// Ready reports whether each topology could fail over now.
func (d Diagnosis) Ready() bool {
	blocked := slices.ContainsFunc(d.Topologies, func(t DiagnosedTopology) bool { return !t.Ready() })
	return !d.Stopped() && !blocked && len(d.Topologies) > 0
}

// Score counts the standbys that could be promoted now, and all standbys that the
// documents allow to be promoted.
func (d Diagnosis) Score() (could, of int) {
	for _, t := range d.Topologies {
		for _, s := range t.Standbys {
			if s.Excluded {
				continue
			}
			of++
			could += one(s.Verdict() == StandbyReady && !d.Stopped())
		}
	}
	return could, of
}

// FixFirst lists remedies, the most urgent first: of checks that stop every failover,
// of those that stop the only standby of a topology, then of the other failed checks.
func (d Diagnosis) FixFirst() []string {
	var out fixes
	out.addChecks(d.Checks, nil, func(c Check) bool { return c.Verdict == CheckFailed && c.Blocks })
	told := map[string]bool{} // obstacles that a check says too
	for _, ready := range []bool{false, true} {
		for _, t := range d.Topologies {
			if t.Ready() == ready && t.UnderWay == nil {
				out.addTopology(t, told)
			}
		}
	}
	out.addChecks(d.Checks, told, func(c Check) bool { return c.Verdict == CheckFailed && !c.Blocks })
	out.addChecks(d.Checks, told, func(c Check) bool { return c.Verdict == CheckWarning })
	return out
}

// fixes lists what to do, each thing once.
type fixes []string

func (f *fixes) add(subject, message, remedy string) {
	text := message
	if remedy != "" {
		text = remedy + " (" + message + ")"
	}
	if subject != "" {
		text = subject + ": " + text
	}
	if !slices.Contains(*f, text) {
		*f = append(*f, text)
	}
}

// addChecks adds the checks that are wanted and whose message was not told before.
func (f *fixes) addChecks(checks []Check, told map[string]bool, wanted func(Check) bool) {
	for _, c := range checks {
		if wanted(c) && !told[c.Message] {
			f.add(c.Subject, c.Message, c.Remedy)
		}
	}
}

// addTopology adds what stops the failovers of one topology, and notes the obstacles in
// told.
func (f *fixes) addTopology(t DiagnosedTopology, told map[string]bool) {
	if t.TwoWriters != nil {
		f.add(t.Name, t.TwoWriters.Message, t.TwoWriters.Remedy)
	}
	if len(t.Standbys) == 0 {
		f.add(t.Name, "it has no standby to fail over to", "add a standby")
	}
	for _, s := range t.Standbys {
		for _, o := range s.Obstacles {
			f.add(t.Name+"/"+s.Cluster, o.Message, o.Remedy)
			told[o.Message] = true
		}
	}
}
