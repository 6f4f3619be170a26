package approval

import (
	"slices"
	"time"
)

// Statement is what one person once said about a change, for its story. Whether it counts
// is not said: [Evaluate] decides that.
type Statement struct {
	At        time.Time
	By        Person
	Reason    string
	Withdrawn bool // the person took all own approvals back
}

// StatementOf reads what a carrier says about a topology. False: it says nothing, or it is
// not proven that the person whom it names signed it. unsigned takes the word of one that
// is not signed, where the operator's configuration does.
func StatementOf(c Carrier, topology string, unsigned bool) (Statement, bool) {
	claim, err := ParseTrailers(c.Message)
	if err != nil || carrierProblem(c) != "" || c.Date.IsZero() {
		return Statement{}, false
	}
	if _, ok := claim.target(topology); !ok || !provenBy(c, claim.By, unsigned) {
		return Statement{}, false
	}
	v := vote{carrier: c, claim: claim}
	return Statement{At: c.Date, By: claim.By, Reason: claim.Reason, Withdrawn: v.withdraws()}, true
}

// provenBy says whether a key of that person signed the carrier.
func provenBy(c Carrier, by Person, unsigned bool) bool {
	if c.Signature.Kind == SignatureNone {
		return unsigned
	}
	return c.Signature.Valid && slices.ContainsFunc(c.Signature.Principals, func(l AllowedLine) bool {
		return l.matchesEmail(by.Email) && l.signsGit() && l.validAt(c.Date)
	})
}
