package approval

import (
	"time"

	"milvus-reconcile/plan"
)

// Verdict is the outcome of an evaluation. The zero value is denied.
type Verdict string

// The verdicts of contract.md §6.
const (
	VerdictDenied      Verdict = ""
	VerdictApproved    Verdict = "approved"
	VerdictNotRequired Verdict = "not_required"
)

// String gives the contract's word.
func (v Verdict) String() string {
	if v == VerdictDenied {
		return "denied"
	}
	return string(v)
}

// The codes of denials (contract.md §4).
const (
	CodeMissing           = "APPROVAL_MISSING"
	CodeMalformed         = "APPROVAL_MALFORMED"
	CodeWrongTarget       = "WRONG_TARGET"
	CodeWrongRepository   = "WRONG_REPOSITORY"
	CodeUnsigned          = "UNSIGNED"
	CodeSignerNotAllowed  = "SIGNER_NOT_ALLOWED"
	CodeSignerMismatch    = "SIGNER_MISMATCH"
	CodeSelfApproved      = "SELF_APPROVED"
	CodeQuorumNotMet      = "QUORUM_NOT_MET"
	CodeExpired           = "EXPIRED"
	CodeWithdrawn         = "WITHDRAWN"
	CodeLapsed            = "LAPSED"
	CodeAlreadyUsed       = "ALREADY_USED"
	CodePlanChanged       = "PLAN_CHANGED"
	CodeLossTooLarge      = "LOSS_TOO_LARGE"
	CodeNothingConfigured = "NOTHING_CONFIGURED"
	// CodeGitUnreadable denies while Git is unreadable, also after an earlier approval.
	CodeGitUnreadable = "GIT_UNREADABLE"
	// CodeKeysUnreadable denies while the operator's lists of keys are unreadable.
	CodeKeysUnreadable = "KEYS_UNREADABLE"
)

// Codes lists every code of a denial, in the order of contract.md §4.
func Codes() []string {
	return []string{
		CodeMissing, CodeMalformed, CodeWrongTarget, CodeWrongRepository, CodeUnsigned, CodeSignerNotAllowed,
		CodeSignerMismatch, CodeSelfApproved, CodeQuorumNotMet, CodeExpired, CodeWithdrawn, CodeLapsed,
		CodeAlreadyUsed, CodePlanChanged, CodeLossTooLarge, CodeNothingConfigured, CodeGitUnreadable, CodeKeysUnreadable,
	}
}

// SpentMark is one approval that was used.
type SpentMark struct {
	Topology    string
	Generation  int64
	PayloadHash string // empty: spent by generation alone
}

// Request holds everything that a decision depends on.
type Request struct {
	Plan plan.TopologyPlan
	// Replay is the digest of the replay of lost rows that is to be approved; empty: the
	// plan is. A statement that approves the one never counts for the other. The plan of
	// a replay has that digest too, and no steps.
	Replay string
	Change Change
	Policy Policy
	Now    time.Time
	// NewestRecord is the time of the ledger's newest record. It replaces Now if the
	// clock is behind it.
	NewestRecord time.Time
	Spent        []SpentMark
	// LedgerBorn is set by the daemon only: an approval dated before the ledger's first
	// record may have been used under an earlier ledger.
	LedgerBorn *time.Time
	// LedgerKnows is the time from which the ledger knows all used approvals, if an
	// earlier ledger, or its end, is lost; nil: none is.
	LedgerKnows *time.Time
	// Lapsed are the payload hashes whose approval lapsed; set by the daemon only.
	Lapsed []string
	// Stale are the ledger's stale marks: an effected failover among them
	// lets a plan fence what it left behind.
	Stale []plan.StaleMark
}

// Denial says why one carrier does not count.
type Denial struct {
	Code    string
	Carrier string // the tag's name or the commit
	Detail  string
}

// Decision is the answer to a request. The zero value denies and grants nothing.
type Decision struct {
	Verdict Verdict
	Code    string // of a denial; empty otherwise
	Detail  string // which rule failed, and what would satisfy it
	By      []string
	Reasons []string // for each of By
	Commit  string   // the governing commit
	// Accepted are the findings that the approvers accept.
	Accepted []plan.Code
	// Payloads are the hashes to mark as spent together with the intent.
	Payloads []string
	// Since is when the approval became complete: the newest signed date.
	Since time.Time
	// Until is when it ends. Zero unless approved.
	Until time.Time
	// Repository is what approvals must be for; empty: the operator names none.
	Repository string
	// Site is the approval of a site that covers the change, by which it moves in waves;
	// zero: none does, or enough people approved the topology alone. It is also set while
	// the approval does not suffice yet.
	Site Site
	// Needed is how many people must approve, and Given how many did; 0 and 0: no
	// approval is needed.
	Needed, Given int
	// Denials are the carriers that did not count, for whatever verdict.
	Denials []Denial
	// Notes are remarks that change nothing, as an acceptance without effect.
	Notes []string

	grant Grant
}

// Approved says whether the plan may be carried out: it was approved, or
// needs no approval.
func (d Decision) Approved() bool {
	return d.Verdict == VerdictApproved || d.Verdict == VerdictNotRequired
}

// Grant returns the right to carry out the evaluated plan. It is the zero Grant unless the
// plan was approved, or an earlier approval covers it.
func (d Decision) Grant() Grant { return d.grant }

// Grant is the right to carry out exactly one plan. The zero value covers
// nothing, and no other package can make one that does.
type Grant struct {
	topology   string
	generation int64
	anyGen     bool
	digest     string
}

// Covers says whether the grant is for this plan: the same topology,
// generation and digest. A plan without a digest is never covered.
func (g Grant) Covers(t plan.TopologyPlan) bool {
	if g.topology == "" || g.digest == "" {
		return false
	}
	return g.topology == t.Name && g.digest == t.Digest && (g.anyGen || g.generation == t.Generation)
}

// ResumeGrant returns the right to continue an open intent of the ledger, whose approval
// was spent with it. It covers the same topology and digest only; the generation may have
// increased since.
func ResumeGrant(intent plan.Intent) Grant {
	return Grant{topology: intent.Topology, digest: intent.Digest, anyGen: true}
}

func grantFor(t plan.TopologyPlan) Grant {
	return Grant{topology: t.Name, generation: t.Generation, digest: t.Digest}
}
