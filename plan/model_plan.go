package plan

import (
	"slices"
	"time"
)

// Window says how much a failover may lose, as a length of time: at least Lower, and up
// to Upper of what the old primary took before it was first seen down. A bound that is
// not known is nil, never 0.
//
// It is proven that the standby has every write up to ReplicatedUpTo. It is not proven
// that the old primary took no writes after SeenDown: others may reach it when we do
// not.
type Window struct {
	ReplicatedUpTo time.Time // the standby has every write up to then; zero: not known
	SeenDown       time.Time // the first failed probe of the old primary; zero: none, or it does not matter
	SeenUp         time.Time // when it last answered before SeenDown; zero: nobody looked before
	// Unwatched is how much of the time since SeenDown passed without any probe, in
	// pauses longer than [sameOutageWithin]. What was written then is not in Upper.
	Unwatched  time.Duration
	Lower      *time.Duration
	Upper      *time.Duration
	Method     LossMethod
	Age        *time.Duration // of the evidence
	PerChannel []ChannelWindow
}

// LossMethod says how the window was determined.
type LossMethod string

// The methods, best first. The zero value is unknown.
const (
	MethodUnknown    LossMethod = ""
	MethodSalvage    LossMethod = "salvage"    // exact, after the promotion
	MethodBacklog    LossMethod = "backlog"    // nothing was unsent at that time
	MethodRecorded   LossMethod = "recorded"   // the ledger's last sweep
	MethodCheckpoint LossMethod = "checkpoint" // the standby's own checkpoint
)

// String gives the contract's word.
func (m LossMethod) String() string { return wordOr(string(m), "unknown") }

// ChannelWindow is the window of one channel.
type ChannelWindow struct {
	Channel        string
	ReplicatedUpTo time.Time
	Started        bool // false: nothing was ever replicated on it, or not known
	Known          bool
	Upper          *time.Duration
}

// ClusterPlan is one cluster: its role in Git, and what was observed.
type ClusterPlan struct {
	ID          string
	DesiredRole Role
	Site        string // empty: the document does not say
	View        View
	Lag         *Window // of a standby
	// ProvenEqual is when an audit last proved that a standby holds what the primary of today
	// holds; zero: never.
	ProvenEqual time.Time
}

// TopologyPlan is the plan of one topology. Steps may be there together with findings that
// block them: people read what they would approve, and apply asks Blocked.
type TopologyPlan struct {
	Name       string
	Generation int64
	Transition Transition
	Resumed    bool // an open intent of the ledger is carried on
	Clusters   []ClusterPlan
	Steps      []Step
	Return     []Step // of the way there of a rehearsal: the way back, which follows by itself
	Findings   []Finding
	DataLoss   *Window
	Losses     []CountedLoss // of the stale clusters that Git names
	Replayed   []Replayed    // of the same
	Digest     string        // empty without a transition
	Document   string        // DocumentHash of the desired document
	Primary    string        // the cluster that is primary after the change
	OldPrimary string        // of a failover or switchover
	// AlsoJudged are the other clusters that must be judged lost before a failover: each may
	// be the primary in force, which the ledger does not hold.
	AlsoJudged []string
	At         Position
	// FailedAt is when the old primary of a failover was first seen to fail, of
	// one that is resumed when it was begun; zero: there is no failover.
	FailedAt time.Time
	// Frozen is that the transition waits for the end of a freeze; nil: it does not.
	Frozen *Frozen
	// UnderWay is the change that another process carries out now; nil: none.
	UnderWay *UnderWay
	// Outage is the outage of the primary in force; nil: it was not seen down.
	Outage *PrimaryOutage
	// Stays is for how long clients may still reach OldPrimary, by redirect target.
	Stays []ClientStay
	// LastDrift is what the newest drift found; nil: none is recorded.
	LastDrift *DriftMark
	// Rehearsals are those that the ledger keeps, the newest last.
	Rehearsals []RehearsalRecord
	// LastOutage is the newest outage that ended without a failover; nil: none is recorded.
	LastOutage  *EndedOutage
	ProvenEqual []EqualProof // when audits last proved the cluster to promote, or at rest each standby
	// Matches: no transition is open, and every cluster that matters was seen to
	// be as Git wants it, wherever the traffic goes.
	Matches bool
	// InSync: nothing is to do, everything that matters was seen to be as Git wants
	// it, and no standby is known to be behind its objective. Unknown is not in sync.
	InSync bool
	// Rebuild is how far the rebuild of a stale cluster is; nil: the transition is another one.
	Rebuild *RebuildState
	// Replication is how the old primary's writes reach the new one, before a
	// switchover.
	Replication ReplicationState
}

// Plan is the whole answer of Compute. Topologies are sorted by name.
type Plan struct {
	Commit     string
	At         time.Time // Memory.Now
	Ledger     LedgerKind
	Topologies []TopologyPlan
	Digest     string
	Wants      []Want
	// Offline: no cluster was asked; see [Offline].
	Offline bool
}

// Topology returns the plan of one topology.
func (p Plan) Topology(name string) (TopologyPlan, bool) {
	if i := placeOf(name, len(p.Topologies), func(i int) string { return p.Topologies[i].Name }); i >= 0 {
		return p.Topologies[i], true
	}
	return TopologyPlan{}, false
}

// Blocked says whether some finding blocks, given the codes that an approval accepts.
// Only this function decides what blocks: a code that is not acceptable blocks even if
// an approval accepts it.
func (t TopologyPlan) Blocked(accepted []Code) bool {
	return len(t.Blocking(accepted)) > 0
}

// Blocking returns the findings that block, given the codes that an approval accepts.
func (t TopologyPlan) Blocking(accepted []Code) []Finding {
	var out []Finding
	for _, f := range t.Findings {
		if f.Severity == SeverityBlocking && !(f.Acceptable && containsCode(accepted, f.Code)) {
			out = append(out, f)
		}
	}
	return out
}

// ToAccept returns the codes that an approval must accept so that the plan is not blocked by
// them, each once.
func (t TopologyPlan) ToAccept() []Code {
	var out []Code
	for _, f := range t.Blocking(nil) {
		if f.Acceptable && !containsCode(out, f.Code) {
			out = append(out, f.Code)
		}
	}
	return out
}

// Accept returns a copy in which the acceptable findings of those codes are marked as
// accepted. Marks are for display; Blocked decides by the codes.
func (t TopologyPlan) Accept(codes []Code) TopologyPlan {
	out := t
	out.Findings = append([]Finding(nil), t.Findings...)
	for i, f := range out.Findings {
		out.Findings[i].Accepted = f.Acceptable && containsCode(codes, f.Code)
	}
	return out
}

// Live says whether roles, configurations and traffic were seen to be as Git wants them,
// however far behind a standby is.
func (t TopologyPlan) Live() bool {
	return t.Matches && t.Transition == TransitionNone && !t.Has(CodeTrafficNotRedirected)
}

// DriftOf returns what a finding means for this topology at rest. A finding that is
// less severe here than its code usually is proves less, so it is unjudged. A code that
// the table lacks is drift.
func (t TopologyPlan) DriftOf(f Finding) DriftMeaning {
	spec, ok := specByCode()[f.Code]
	switch {
	case !ok || spec.Drift == "":
		return DriftFound
	case f.Code == CodeStalePrimary && t.staleAsGitSays(f.Cluster):
		return DriftNone
	case spec.Drift == DriftFound && f.Severity != SeverityCritical && severityRank[f.Severity] > severityRank[spec.Severity]:
		return DriftUnjudged
	default:
		return spec.Drift
	}
}

// staleAsGitSays says whether Git calls a cluster stale, and it is unreachable or fenced.
func (t TopologyPlan) staleAsGitSays(cluster string) bool {
	for _, c := range t.Clusters {
		if c.ID == cluster && c.DesiredRole == RoleStale {
			return c.View.Reach == ReachUnreachable || c.View.Belief.Kind == BeliefStandby
		}
	}
	return false
}

// undisputed says whether no finding speaks against what Git wants.
func (t TopologyPlan) undisputed() bool {
	return !slices.ContainsFunc(t.Findings, func(f Finding) bool { return t.DriftOf(f) != DriftNone })
}

// Judges says whether a cluster must be judged lost before the failover of the plan.
func (t TopologyPlan) Judges(cluster string) bool {
	return cluster == t.OldPrimary || slices.Contains(t.AlsoJudged, cluster)
}

// Has says whether the plan holds a finding of that code.
func (t TopologyPlan) Has(code Code) bool {
	for _, f := range t.Findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

// Changes says whether some step sends a configuration to a cluster.
func (t TopologyPlan) Changes() bool {
	for _, s := range t.Steps {
		if s.Action.Sends() {
			return true
		}
	}
	return false
}

// Transition is what a plan does to one topology.
type Transition string

// The transitions of contract.md §1. The zero value is none.
const (
	TransitionNone         Transition = ""
	TransitionBootstrap    Transition = "bootstrap"
	TransitionAddStandby   Transition = "add_standby"
	TransitionRebuild      Transition = "rebuild"
	TransitionDetach       Transition = "detach"
	TransitionGrowChannels Transition = "grow_channels"
	TransitionSwitchover   Transition = "switchover"
	TransitionFailover     Transition = "failover"
	TransitionFence        Transition = "fence"
	TransitionRehearsal    Transition = "rehearsal" // a switchover to a standby and back, by one approval
	// TransitionReplay writes lost rows again, as salvage --replay does. No plan of roles
	// has it.
	TransitionReplay Transition = "replay"
)

// String gives the contract's word.
func (t Transition) String() string { return wordOr(string(t), "none") }

// Action is what a step does.
type Action string

// The actions of contract.md §6.
const (
	ActionUpdate       Action = "update_replicate_configuration"
	ActionForcePromote Action = "force_promote"
	ActionFence        Action = "fence_stale_primary"
	ActionWait         Action = "wait_converged"
	ActionVerify       Action = "verify"
	ActionRedirect     Action = "redirect_traffic"
	ActionRecordStale  Action = "record_stale"
	ActionLoad         Action = "load_collections"
	ActionWipe         Action = "wipe_cluster"
	ActionRestore      Action = "restore_data"
	ActionAudit        Action = "audit_standby"
)

// Sends says whether the action sends a configuration to a cluster.
func (a Action) Sends() bool {
	return a == ActionUpdate || a == ActionForcePromote || a == ActionFence
}

// Reason is why a step is there; renderers turn it into a sentence.
type Reason string

// The reasons of steps.
const (
	ReasonPrimaryLost      Reason = "primary_lost"
	ReasonBecomesPrimary   Reason = "becomes_primary"
	ReasonBecomesStandby   Reason = "becomes_standby"
	ReasonKeepsStandby     Reason = "keeps_standby"
	ReasonNewTopology      Reason = "new_topology"
	ReasonJoins            Reason = "joins"
	ReasonLeaves           Reason = "leaves"
	ReasonChannelsGrow     Reason = "channels_grow"
	ReasonStaleReturned    Reason = "stale_returned"
	ReasonProveRole        Reason = "prove_role"
	ReasonProveReplication Reason = "prove_replication"
	ReasonMoveTraffic      Reason = "move_traffic"
	ReasonRemember         Reason = "remember"
	ReasonServeAsBefore    Reason = "serve_as_before"
	ReasonRebuilt          Reason = "rebuilt"
	ReasonProveContent     Reason = "prove_content"
)

// Step is one action of a plan: data, never code. A step that sends a configuration
// carries the whole of it in After, since the server replaces everything; Before is
// what the cluster stored when the plan was made, and apply stops if that has changed.
type Step struct {
	ID      int // from 1, in order
	Wave    int // steps of one wave run at once; waves run one after the other
	Action  Action
	Cluster string
	Reason  Reason
	Before  *Configuration // nil: nothing stored, or not a step that sends one
	After   *Configuration // nil: not a step that sends a configuration
	Verify  VerifyLevel    // of ActionVerify
}

// StepStatus is the result of one step. The zero value is not attempted.
type StepStatus string

// The statuses of a step.
const (
	StepNotAttempted StepStatus = ""
	StepDone         StepStatus = "done"     // done, and read back
	StepAlready      StepStatus = "already"  // it was already so before anything was sent
	StepSkipped      StepStatus = "skipped"  // there was nothing to do it with
	StepRefused      StepStatus = "refused"  // refused by the server or by us, and the old state was read back
	StepFailed       StepStatus = "failed"   // not done, and nothing is in doubt
	StepInDoubt      StepStatus = "in_doubt" // it may have taken effect, and no read decided
)

// String gives the word of the report.
func (s StepStatus) String() string { return wordOr(string(s), "not_attempted") }

// ForcePromote says whether the step promotes by force.
func (s Step) ForcePromote() bool { return s.Action == ActionForcePromote }

// Severity orders findings.
type Severity string

// The severities of contract.md §1; only blocking ones stop steps.
const (
	SeverityInfo     Severity = "info"
	SeverityWarning  Severity = "warning"
	SeverityCritical Severity = "critical"
	SeverityBlocking Severity = "blocking"
)

// Finding is a coded observation about one topology. What its code means in general is
// in the row of the code (SpecOf) and in package explain.
type Finding struct {
	Code     Code
	Severity Severity
	Cluster  string // the cluster it is about; may be empty
	Message  string // what was seen, in one sentence
	// Remedy is what to do next, with the command or trailer to type: clauses with "; "
	// between them, the first thing first. A command ends its clause, behind a colon. A
	// clause that begins with "else" is another way.
	Remedy     string
	Acceptable bool // an approver may accept it by Failover-Accept
	Accepted   bool
	At         Position
	Evidence   *FindingEvidence
}

// FindingEvidence is what a finding rests on.
type FindingEvidence struct {
	Rounds   []Round         `json:"rounds,omitempty"`
	Counted  int             `json:"counted,omitempty"`
	Restarts int             `json:"restarts,omitempty"`
	Moved    []ChannelMotion `json:"moved,omitempty"`
	Lag      *Window         `json:"window,omitempty"`
}

// ChannelMotion is the movement of one channel's checkpoint over the rounds of
// evidence, in Milvus time ticks.
type ChannelMotion struct {
	Channel string
	From    uint64 // first tick seen
	To      uint64 // last tick seen
}

// NewFinding makes a finding with the severity and acceptability of its code.
// cluster may be empty; message says what was seen and remedy what to type.
func NewFinding(code Code, cluster, message, remedy string) Finding {
	return Finding{
		Code: code, Severity: severityOf(code), Cluster: cluster,
		Message: message, Remedy: remedy, Acceptable: Acceptable(code),
	}
}
