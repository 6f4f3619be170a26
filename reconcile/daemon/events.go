package daemon

import (
	"log/slog"
	"time"

	"milvus-reconcile/plan"
)

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	EventDriftRaised   EventKind = "drift_raised"   // a drift was seen by two sweeps in a row
	EventDriftResolved EventKind = "drift_resolved" // a drift that was raised is gone
	EventFault         EventKind = "fault"          // something began to fail: a cluster, Git's server, the ledger
	EventFaultOver     EventKind = "fault_over"     // it works again
	EventState         EventKind = "state"          // the state of a topology is another one
	EventResult        EventKind = "result"         // an apply did something, or ended in doubt
	EventLost          EventKind = "primary_lost"   // the rounds of evidence are complete
	EventLapsed        EventKind = "lapsed"         // an approval met a living primary
	EventLeader        EventKind = "leader"         // this process may act, or may not any more
	EventShard         EventKind = "shard"          // a topology changes its shard, or no one shard takes it
	EventGit           EventKind = "git"            // Git could not be read, can be again, or was rewritten
	EventConfig        EventKind = "config"         // a configuration was taken over, or refused
)

// Event is something that people or machines may want to know. Texts hold no secrets.
type Event struct {
	At       time.Time
	Kind     EventKind
	Severity plan.Severity // info, warning or critical
	Topology string        // empty: of no one topology
	Cluster  string
	Code     string // of a finding, denial or drift
	Commit   string
	Trace    string // of the pass that found it; empty: no pass did
	Text     string // one sentence
	Remedy   string // what a person does now; empty: nothing
	// Quiet: another event reports the same cause, so the log holds this one only at
	// level debug.
	Quiet bool
}

// logLevels maps the severity of an event to how it is logged.
var logLevels = map[plan.Severity]func(*slog.Logger, string, ...any){
	plan.SeverityInfo: (*slog.Logger).Info, plan.SeverityWarning: (*slog.Logger).Warn,
	plan.SeverityCritical: (*slog.Logger).Error, plan.SeverityBlocking: (*slog.Logger).Error,
}

// emit logs an event and calls OnEvent with it.
func (l *Loop) emit(e Event) {
	e.At = l.clock.Now()
	var attrs []any
	for _, a := range []slog.Attr{
		slog.String("event", string(e.Kind)), slog.String("topology", e.Topology), slog.String("cluster", e.Cluster),
		slog.String("code", e.Code), slog.String("commit", e.Commit), slog.String("trace", e.Trace), slog.String("remedy", e.Remedy),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if e.Quiet {
		l.log.Debug(e.Text, attrs...)
	} else {
		logLevels[e.Severity](l.log.With(attrs...), e.Text)
	}
	if l.onEvent != nil {
		l.onEvent(e)
	}
}
