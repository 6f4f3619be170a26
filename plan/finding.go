package plan

// Severity orders findings.
type Severity string

// The severities of contract.md §1; only blocking ones stop steps.
const (
	SeverityInfo     Severity = "info"
	SeverityWarning  Severity = "warning"
	SeverityCritical Severity = "critical"
	SeverityBlocking Severity = "blocking"
)

// Finding is a coded observation about one topology.
type Finding struct {
	Code       Code
	Severity   Severity
	Cluster    string // the cluster it is about; may be empty
	Message    string // what was seen, in one sentence
	Remedy     string // what to do next, with the command or trailer to type
	Acceptable bool   // an approver may accept it by Failover-Accept
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

// ChannelMotion is one channel's checkpoint over the rounds.
type ChannelMotion struct {
	Channel string
	From    uint64 // first tick seen
	To      uint64 // last tick seen
}

// NewFinding makes a finding with the severity and acceptability of its code.
// cluster may be empty; message says what was seen and remedy what to type.
func NewFinding(code Code, cluster, message, remedy string) Finding {
	return Finding{
		Code: code, Severity: SeverityOf(code), Cluster: cluster,
		Message: message, Remedy: remedy, Acceptable: Acceptable(code),
	}
}
