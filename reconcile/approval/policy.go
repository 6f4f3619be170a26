package approval

import (
	"time"

	"milvus-reconcile/plan"
)

// Policy is the operator's rule for approvals. The zero value denies
// everything: signatures are required and no signer is configured.
type Policy struct {
	// Configured: allowed signers or a keyring are there.
	Configured bool
	// SignatureOptional lets unsigned carriers count. An invalid signature denies all
	// the same.
	SignatureOptional bool
	// AuthorMayApprove lets the authors of a change approve it.
	AuthorMayApprove bool
	// Repository is the name that approvals must carry; empty: approvals made in another
	// repository count as well.
	Repository string
	Quorum     Quorum
	MaxAge     MaxAge
}

// Quorum is how many people each transition needs. Values below 1 count as 1.
type Quorum struct {
	Switchover int
	Failover   int
	Other      int
}

// MaxAge is how old an approval may be, from its own signed date. Values that
// are not positive count as the contract's default.
type MaxAge struct {
	Failover time.Duration
	Other    time.Duration
}

// The maximum ages if the operator sets none.
const (
	DefaultMaxAgeFailover = 2 * time.Hour
	DefaultMaxAgeOther    = 24 * time.Hour
)

// FutureSkew is how far ahead of our clock a carrier may be dated.
const FutureSkew = 5 * time.Minute

// QuorumFor returns how many people must approve a transition.
func (p Policy) QuorumFor(t plan.Transition) int {
	n := p.Quorum.Other
	switch t {
	case plan.TransitionSwitchover, plan.TransitionRehearsal:
		n = p.Quorum.Switchover
	case plan.TransitionFailover:
		n = p.Quorum.Failover
	default: // the others are alike
	}
	return max(n, 1)
}

// MaxAgeFor returns how old an approval of a transition may be.
func (p Policy) MaxAgeFor(t plan.Transition) time.Duration {
	age, fallback := p.MaxAge.Other, DefaultMaxAgeOther
	if t == plan.TransitionFailover {
		age, fallback = p.MaxAge.Failover, DefaultMaxAgeFailover
	}
	if age <= 0 {
		return fallback
	}
	return age
}
