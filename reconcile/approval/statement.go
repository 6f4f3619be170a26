package approval

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// Statement is what one person once said about a change, for its story.
type Statement struct {
	At        time.Time
	Ref       string // of the tag; empty for a commit
	By        Person
	Reason    string // empty if nobody is proven to have given it
	Withdrawn bool   // the person took all own approvals back
	Replay    string // the digest of the replay of lost rows that it approves; empty: it approves a change
	// Code says why it never counted, by the rules for when it was signed; empty: it did.
	// Whether it was enough, or still counts, [Evaluate] decides.
	Code  string
	Until time.Time // when it ended by its age or by its own word
}

// StatementRules are what a statement is judged by.
type StatementRules struct {
	Policy     Policy
	Topology   string
	Primary    string          // of the document that it is about; empty: not known
	Transition plan.Transition // of the change; decides how long an approval holds
	Authors    []Person        // of the change
}

// StatementOf reads what a carrier says about a topology. False: it says nothing, or cannot
// be a carrier.
func StatementOf(c Carrier, r StatementRules) (Statement, bool) {
	claim, err := claimOf(c.Message)
	if err != nil || carrierProblem(c) != "" || c.Date.IsZero() {
		return Statement{}, false
	}
	if _, ok := claim.target(r.Topology); !ok {
		return Statement{}, false
	}
	if claim.Replay != "" {
		r.Transition = plan.TransitionReplay
	}
	v := vote{carrier: c, claim: claim}
	e := newEvaluation(Request{
		Plan:   plan.TopologyPlan{Name: r.Topology, Primary: r.Primary, Transition: r.Transition},
		Change: Change{Topology: r.Topology, Authors: r.Authors}, Policy: r.Policy, Now: c.Date,
	})
	out := Statement{At: c.Date, Ref: c.Ref, By: claim.By, Reason: claim.Reason, Withdrawn: v.withdraws(), Replay: claim.Replay, Until: e.validUntil(v)}
	rules := []check{(*evaluation).checkRepository, (*evaluation).checkSignature, (*evaluation).checkSigner}
	if !out.Withdrawn {
		rules = append(rules, (*evaluation).checkAuthor)
		if r.Primary != "" {
			rules = append(rules, (*evaluation).checkTarget)
		}
	}
	out.Code = e.applyRules(&v, rules, 0).Code
	if !proven(out.Code) {
		out.Reason = ""
	}
	return out, true
}

// After reports whether a statement is newer than another of the same person. Git keeps whole
// seconds, and the tag of a newer one has a greater number.
func (s Statement) After(o Statement) bool {
	return cmp.Or(s.At.Compare(o.At), cmp.Compare(len(s.Ref), len(o.Ref)), strings.Compare(s.Ref, o.Ref)) > 0
}

// Proven reports whether the person whom a statement names is proven to have made it, or the
// operator takes the word of one that is not signed.
func (s Statement) Proven() bool { return proven(s.Code) }

func proven(code string) bool {
	return !slices.Contains([]string{CodeUnsigned, CodeSignerNotAllowed, CodeSignerMismatch, CodeWrongRepository}, code)
}

// Why says in a few words why a statement does not count; empty: it does.
func (s Statement) Why() string {
	switch s.Code {
	case "":
		return ""
	case CodeSelfApproved:
		return "who wrote a change cannot approve it"
	case CodeWrongTarget:
		return "it names another cluster than the change makes the primary"
	case CodeWrongRepository:
		return "it is not for this repository"
	case CodeUnsigned:
		return "it has no signature that holds"
	case CodeSignerNotAllowed:
		return "its key was of no approver"
	case CodeSignerMismatch:
		return "its key is of somebody else"
	default:
		return s.Code
	}
}
