package render

import (
	"milvus-reconcile/cmd/reconcile/internal/sitepage"
	"milvus-reconcile/plan"
)

// FormatVersion is the version of the JSON document. Within a major version
// fields are only added.
const FormatVersion = "1.0"

// The wire structs are the document as other programs see it, apart from the
// model so that the model may change. A nil pointer is a value that is not
// known; it is written as null, never as 0 or an empty string.
type wireDocument struct {
	FormatVersion string         `json:"formatVersion"`
	Commit        *string        `json:"commit"`
	GeneratedAt   *string        `json:"generatedAt"`
	Digest        *string        `json:"digest"`
	Ledger        string         `json:"ledger"`
	Summary       Summary        `json:"summary"`
	Problems      []wireProblem  `json:"problems"`
	Topologies    []wireTopology `json:"topologies"`
	Kind          string         `json:"kind"`
	Observed      *string        `json:"observed"`          // live when absent
	Results       *[]wireResult  `json:"results,omitempty"` // of an apply only
	Site          *sitepage.Site `json:"site,omitempty"`    // of the moves of a site
}

type wireProblem struct {
	File    string  `json:"file"`
	Line    *int    `json:"line"`
	Column  *int    `json:"column"`
	Path    *string `json:"path"`
	Message string  `json:"message"`
	Hint    *string `json:"hint"`
}

type wireTopology struct {
	Name       string        `json:"name"`
	Generation int64         `json:"generation"`
	Transition string        `json:"transition"`
	Blocked    bool          `json:"blocked"`
	Digest     *string       `json:"digest"`
	Approval   wireApproval  `json:"approval"`
	Clusters   []wireCluster `json:"clusters"`
	Steps      *[]wireStep   `json:"steps,omitempty"` // status has none
	Findings   []wireFinding `json:"findings"`
	DataLoss   *wireLoss     `json:"dataLoss"`
	// Lost is what earlier failovers lost; absent while nothing was counted.
	Lost []wireCountedLoss `json:"lost,omitempty"`
	// Replayed is what replays brought back of it; absent while none has ended.
	Replayed []wireReplayed `json:"replayed,omitempty"`
	Rebuild  *wireRebuild   `json:"rebuild,omitempty"` // how far it is; absent: the transition is another one
	Frozen   *wireFrozen    `json:"frozen,omitempty"`  // until when the transition waits; absent: it does not
	UnderWay *wireUnderWay  `json:"underWay"`
	Outage   *wireOutage    `json:"outage"` // of the primary; null: it was not seen down
	// LastDrift is what the newest drift found, and LastOutage the newest outage that ended
	// without a failover; absent while none is recorded.
	LastDrift  *wireDrift `json:"lastDrift,omitempty"`
	LastOutage *wireEnded `json:"lastOutage,omitempty"`
	// ProvenEqual is when audits last proved standbys equal; absent while none did.
	ProvenEqual []wireEqual `json:"provenEqual,omitempty"`
	// Stays is for how long clients may still reach the old primary, by redirect target;
	// absent: not known, or no change replaces a primary.
	Stays  []wireStay `json:"clientsStay,omitempty"`
	InSync bool       `json:"inSync"`
	// State is the symbol of its page as a word: whether somebody is needed.
	State      string        `json:"state"`
	Resumed    bool          `json:"resumed"`
	Primary    *string       `json:"primary"`
	OldPrimary *string       `json:"oldPrimary"`
	At         *wirePosition `json:"at"`
	// Replication is moving, behind or unproven before a switchover, else null.
	Replication *string `json:"replication"`
}

type wireStay struct {
	Target      string   `json:"target"`
	NewSeconds  *float64 `json:"newSeconds"`  // null: not known
	OpenSeconds *float64 `json:"openSeconds"` // null: until they break, or not known
	Why         *string  `json:"why"`
	ClosesOpen  bool     `json:"closesOpen"`
	Shorter     *string  `json:"shorter"`
}

type wireApproval struct {
	Verdict string   `json:"verdict"`
	Code    *string  `json:"code"`
	By      []string `json:"by"`
	Commit  *string  `json:"commit"`
	Detail  *string  `json:"detail"`
	// Repository is what approvals must name, where the operator wants that.
	Repository string `json:"repository,omitempty"`
	// Needed is how many people must approve, and Given how many did.
	Needed int `json:"needed,omitempty"`
	Given  int `json:"given,omitempty"`
	// Until is when the approval ends.
	Until *string `json:"until,omitempty"`
}

// wireRebuild is how far the rebuild of a stale cluster is.
type wireRebuild struct {
	Cluster string   `json:"cluster"`
	Data    string   `json:"data"`
	Phase   string   `json:"phase"`
	Since   *string  `json:"since"` // null: it is not begun
	Proven  []string `json:"proven"`
	Missing []string `json:"missing"`
	Runs    bool     `json:"runs"`
}

func encodeRebuild(s *plan.RebuildState) *wireRebuild {
	if s == nil {
		return nil
	}
	return &wireRebuild{
		Cluster: s.Cluster, Data: string(s.Data), Phase: s.Phase.String(), Since: timeOrNil(s.Since),
		Proven: textList(s.Proven), Missing: textList(s.Missing), Runs: s.Runs,
	}
}

func (r *decodeReader) rebuild(w *wireRebuild) *plan.RebuildState {
	if w == nil {
		return nil
	}
	return &plan.RebuildState{
		Cluster: w.Cluster, Data: plan.ProvisionedFrom(w.Data), Phase: plan.RebuildPhase(zeroWord(w.Phase, "unknown")), Since: r.time(w.Since),
		Proven: w.Proven, Missing: w.Missing, Runs: w.Runs,
	}
}

type wireFrozen struct {
	By          []string `json:"by"`
	Until       *string  `json:"until"` // null: no end is known
	ApproveFrom *string  `json:"approveFrom"`
}

type wireCluster struct {
	ID            string             `json:"id"`
	DesiredRole   string             `json:"desiredRole"`
	Site          string             `json:"site,omitempty"` // absent: the document does not say
	Reach         string             `json:"reach"`
	BelievedRole  string             `json:"believedRole"`
	ObservedAt    *string            `json:"observedAt"`
	Version       *string            `json:"version"`
	Error         *string            `json:"error"`
	ErrorClass    string             `json:"errorClass,omitempty"`
	Configuration *wireConfiguration `json:"configuration"`
	Lag           *wireLag           `json:"lag"`
	Inferred      bool               `json:"inferred"`              // the believed role is inferred, not read
	Source        *string            `json:"source"`                // that a standby replicates from
	Observation   *wireObservation   `json:"observation,omitempty"` // of a status only
}

// wireConfiguration is plan.Configuration in the published schema of a plan. See
// ledger.configurationWire for why the ledger has its own.
type wireConfiguration struct {
	Clusters []wireMember `json:"clusters"`
	Edges    []wireEdge   `json:"edges"`
}

type wireMember struct {
	ID        string   `json:"id"`
	URI       string   `json:"uri"`
	PChannels []string `json:"pchannels"`
}

type wireEdge struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type wireUnderWay struct {
	Transition string  `json:"transition"`
	Generation int64   `json:"generation"`
	By         string  `json:"by"`
	Since      *string `json:"since"`
	Step       string  `json:"step"`
	StepSince  *string `json:"stepSince"`
}

type wireOutage struct {
	Cluster          string  `json:"cluster"`
	FirstSeenDown    *string `json:"firstSeenDown"`
	LastSeenUp       *string `json:"lastSeenUp"`
	UnwatchedSeconds float64 `json:"unwatchedSeconds"`
	// ProbedBefore is when a probe last failed before this run, and ProbedFor is who
	// prepares a change meanwhile.
	ProbedBefore *string `json:"probedBefore"`
	ProbedFor    *string `json:"probedFor"`
	ProbedSince  *string `json:"probedSince"`
}

type wireDrift struct {
	At      *string  `json:"at"`
	Verdict string   `json:"verdict"` // in_sync, drifted or unjudged
	Codes   []string `json:"codes"`
}

type wireEqual struct {
	Standby string  `json:"standby"`
	Primary string  `json:"primary"`
	At      *string `json:"at"`
	Rows    int64   `json:"rows"`
	Sampled int     `json:"sampled"`
}

type wireEnded struct {
	Cluster       string  `json:"cluster"`
	FirstSeenDown *string `json:"firstSeenDown"`
	LastSeenDown  *string `json:"lastSeenDown"`
	SeenUpAgain   *string `json:"seenUpAgain"`
}

type wireLag struct {
	LowerSeconds *float64 `json:"lowerSeconds"`
	UpperSeconds *float64 `json:"upperSeconds"`
	Method       string   `json:"method"`
	AgeSeconds   *float64 `json:"ageSeconds"`
	// ReplicatedUpTo: the standby has every write up to then.
	ReplicatedUpTo *string `json:"replicatedUpTo"`
}

type wireLoss struct {
	ReplicatedUpTo *string       `json:"replicatedUpTo"`
	LowerSeconds   *float64      `json:"lowerSeconds"`
	UpperSeconds   *float64      `json:"upperSeconds"`
	Method         string        `json:"method"`
	PerChannel     []wireChannel `json:"perChannel"`
	AgeSeconds     *float64      `json:"ageSeconds"`

	FirstSeenDown    *string `json:"firstSeenDown"`
	LastSeenUp       *string `json:"lastSeenUp"`
	UnwatchedSeconds float64 `json:"unwatchedSeconds"`
}

type wireChannel struct {
	Channel        string   `json:"channel"`
	ReplicatedUpTo *string  `json:"replicatedUpTo"`
	Started        *bool    `json:"started"`
	UpperSeconds   *float64 `json:"upperSeconds"`
}

type wireStep struct {
	ID           int                `json:"id"`
	Action       string             `json:"action"`
	Cluster      *string            `json:"cluster"`
	Reason       string             `json:"reason"`
	ForcePromote bool               `json:"forcePromote"`
	Before       *wireConfiguration `json:"before"`
	After        *wireConfiguration `json:"after"`
	Wave         int                `json:"wave"`
	Verify       *string            `json:"verify"`
	Back         bool               `json:"back,omitempty"`
}

type wireFinding struct {
	Code       string        `json:"code"`
	Severity   string        `json:"severity"`
	Cluster    *string       `json:"cluster"`
	Message    string        `json:"message"`
	Acceptable bool          `json:"acceptable"`
	Accepted   bool          `json:"accepted"`
	At         *wirePosition `json:"at"`
	Evidence   wireEvidence  `json:"evidence"`
	Remedy     *string       `json:"remedy"`
}

type wirePosition struct {
	File   string `json:"file"`
	Line   *int   `json:"line"`
	Column *int   `json:"column"`
}

// wireEvidence is {} when a finding rests on nothing more than the document.
type wireEvidence struct {
	Counted  *int         `json:"counted,omitempty"`
	Restarts *int         `json:"restarts,omitempty"`
	Rounds   []wireRound  `json:"rounds,omitempty"`
	Moved    []wireMotion `json:"moved,omitempty"`
	Window   *wireLoss    `json:"window,omitempty"`
}

type wireRound struct {
	At                *string `json:"at"`
	TookSeconds       float64 `json:"tookSeconds"`
	LimitSeconds      float64 `json:"limitSeconds"`
	Reach             string  `json:"reach"`
	Class             *string `json:"class"`
	Error             *string `json:"error"`
	CandidateAnswered bool    `json:"candidateAnswered"`
}

// wireMotion has its ticks as text: they are larger than the integers that
// many JSON readers keep exact.
type wireMotion struct {
	Channel string `json:"channel"`
	From    string `json:"from"`
	To      string `json:"to"`
}

type wireResult struct {
	Topology string           `json:"topology"`
	Outcome  string           `json:"outcome"`
	Steps    []wireStepResult `json:"steps"`
	Detail   *string          `json:"detail"`
	DataLoss *wireLoss        `json:"dataLoss"` // as measured after a failover
	Missing  []string         `json:"missing"`  // collections that were there before
	Silent   []string         `json:"silent"`   // collections that are there and do not answer
}

type wireStepResult struct {
	ID      int     `json:"id"`
	Action  string  `json:"action"`
	Cluster *string `json:"cluster"`
	Status  string  `json:"status"`
	Detail  *string `json:"detail"`
}

// wireCountedLoss is what a failover lost, as it was counted in the whole log of the old
// primary.
type wireCountedLoss struct {
	Cluster   string          `json:"cluster"`
	Promoted  string          `json:"promoted"`
	Exact     bool            `json:"exact"` // always: another count is not kept
	Rows      int64           `json:"rows"`
	Messages  int64           `json:"messages"`
	Kinds     []wireLossCount `json:"kinds"`
	First     *string         `json:"first"`
	Last      *string         `json:"last"`
	Later     []wireLossCount `json:"later"` // written after the failover began
	ReadUntil *string         `json:"readUntil"`
	Fenced    bool            `json:"fenced"`
	CountedAt *string         `json:"countedAt"`
}

type wireLossCount struct {
	Kind     string `json:"kind"`
	Messages int64  `json:"messages"`
	Rows     int64  `json:"rows"`
}

func encodeCountedLossOrNil(l *plan.CountedLoss) *wireCountedLoss {
	if l == nil {
		return nil
	}
	out := encodeCountedLoss(*l)
	return &out
}

func encodeCountedLoss(l plan.CountedLoss) wireCountedLoss {
	count := func(c plan.LossCount) wireLossCount { return wireLossCount(c) }
	sum := plan.LossTotal(l.Lost)
	return wireCountedLoss{
		Cluster: l.Cluster, Promoted: l.Promoted, Exact: true, Rows: sum.Rows, Messages: sum.Messages, Kinds: mapList(l.Lost, count),
		First: timeOrNil(l.First), Last: timeOrNil(l.Last), Later: mapList(l.Later, count),
		ReadUntil: timeOrNil(l.Until), Fenced: l.Closed, CountedAt: timeOrNil(l.At),
	}
}

// countedLosses decodes what was counted, without what only the ledger tells.
func (r *decodeReader) countedLosses(topology string, all []wireCountedLoss) []plan.CountedLoss {
	var out []plan.CountedLoss
	for _, w := range all {
		count := func(c wireLossCount) plan.LossCount { return plan.LossCount(c) }
		out = append(out, plan.CountedLoss{
			Topology: topology, Cluster: w.Cluster, Promoted: w.Promoted, Lost: mapList(w.Kinds, count), Later: mapList(w.Later, count),
			First: r.time(w.First), Last: r.time(w.Last), Until: r.time(w.ReadUntil), Closed: w.Fenced, At: r.time(w.CountedAt),
		})
	}
	return out
}
