package replay

import (
	"fmt"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// Decision says whether a replay may begin. The zero value denies.
type Decision struct {
	approval.Decision
	// Blocked is why no approval would help; empty: one may. Detail says more.
	Blocked plan.Code
}

// Allowed says whether the replay may begin.
func (d Decision) Allowed() bool { return d.Blocked == "" && d.Approved() }

// Reason is the code of what forbids the replay; empty: nothing does.
func (d Decision) Reason() string {
	if d.Blocked != "" {
		return string(d.Blocked)
	}
	return d.Code
}

func blocked(code plan.Code, why string) *Decision {
	return &Decision{Decision: approval.Decision{Detail: why}, Blocked: code}
}

// codeSuspended is no code of a finding: a plan does not know what the operator suspended.
const codeSuspended plan.Code = "SUSPENDED"

// Reread is what Git and the operator's configuration say of a topology when they are read
// once more, just before a replay begins.
type Reread struct {
	Topology   string
	Superseded string // the commit that governs it now; empty: the one that was read first
	Rewritten  string // the commit that a rewritten history leads to; empty: it is not
	Suspended  bool   // the operator wants it left alone
}

// Block returns why a replay may not begin, with any approval; nil: nothing forbids it.
func (x Reread) Block() *Decision {
	switch {
	case x.Superseded != "":
		return blocked(plan.CodeSuperseded, fmt.Sprintf("commit %.12s governs %s now: run the command again", x.Superseded, x.Topology))
	case x.Rewritten != "":
		f := plan.HistoryRewritten(x.Rewritten)
		return blocked(f.Code, f.Message+": check who moved it and why, then accept it: 'reconcile apply "+x.Topology+"'")
	case x.Suspended:
		return blocked(codeSuspended, x.Topology+" is suspended by the operator's configuration: take it out of 'suspend' when the work on it is done")
	default:
		return nil
	}
}

// Continue is the decision about a replay that an earlier run began: it goes on without
// another approval.
func Continue(by []string) Decision {
	return Decision{Decision: approval.Decision{
		Verdict: approval.VerdictNotRequired, Detail: "an earlier run began it, with an approval that was used then", By: by,
	}}
}

// Obstacle says why a replay may not begin, before anybody is asked to approve it; empty:
// nothing of what the logs say forbids it.
func (r Report) Obstacle() string {
	switch {
	case r.Refused != "":
		return r.Refused
	case r.ToWrite() > 0 && !r.Fenced:
		return fmt.Sprintf("%s still takes writes, so what is lost is not final (hint: 'reconcile fence %s/%s')", r.Stale, r.Topology, r.Stale)
	default:
		return ""
	}
}

// NothingToWrite is the decision about a replay that would write nothing.
func NothingToWrite() Decision {
	return Decision{Decision: approval.Decision{Verdict: approval.VerdictNotRequired, Detail: "nothing is to be written"}}
}
