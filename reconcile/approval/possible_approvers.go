package approval

import (
	"fmt"
	"slices"
	"time"
)

// Key is a key that the operator's configuration allows to sign, with every
// line that ties it to people.
type Key struct {
	Kind        SignatureKind
	Fingerprint string
	Lines       []AllowedLine
	Problem     string // why the key stands for nobody (revoked, no e-mail); empty: none
}

// Electorate holds the people who could approve at one time, by their keys alone.
type Electorate struct {
	// People counts those who count for a quorum as distinct people, up to the
	// number that was asked for.
	People int
	// Names are the e-mails that count, sorted; several may be one person's.
	Names []string
	// Unusable lists the lines and keys that count for no person now, with the reason.
	Unusable []Unusable
	// Ending lists the lines that count now and expire soon, by line.
	Ending []Ending
}

// Unusable is a line or key that counts for nobody.
type Unusable struct{ Line, Why string }

// Ending is a line whose time ends.
type Ending struct {
	Line string
	At   time.Time
}

// Elect counts the distinct people, up to enough, who could approve with keys at a time,
// by the rules that count the votes of a quorum. A line with wildcards names no person. A
// certificate authority counts as one person, since approvals that share a line count as
// one person's. A line that expires within soon is in Ending.
func Elect(keys []Key, now time.Time, enough int, soon time.Duration) Electorate {
	var out Electorate
	var votes []vote
	for _, k := range keys {
		if k.Problem != "" {
			out.Unusable = append(out.Unusable, Unusable{k.Fingerprint, k.Problem})
		}
		for _, l := range k.Lines {
			if why := l.unusable(now); why != "" {
				out.Unusable = append(out.Unusable, Unusable{l.ID, why})
				continue
			}
			if !l.ValidBefore.IsZero() && l.ValidBefore.Sub(now) < soon {
				out.Ending = append(out.Ending, Ending{l.ID, l.ValidBefore})
			}
			for _, email := range l.emails() {
				out.Names = appendNew(out.Names, foldEmail(email))
				votes = append(votes, k.vote(email))
			}
		}
	}
	slices.Sort(out.Names)
	out.People = people(votes, enough)
	return out
}

// vote returns the vote of an approval that the key would sign for that e-mail.
func (k Key) vote(email string) vote {
	return vote{
		carrier: Carrier{Signature: Signature{Kind: k.Kind, Valid: true, Fingerprint: k.Fingerprint, Principals: k.Lines}},
		claim:   Claim{By: Person{Email: email}},
		counts:  true,
	}
}

// emails are the principals of a line without wildcards that a person could sign
// as.
func (l AllowedLine) emails() []string {
	return slices.DeleteFunc(slices.Clone(l.Patterns), func(p string) bool {
		return slices.Contains(forges, foldEmail(p)) || !AllowedLine{Patterns: []string{p}}.CanMatch()
	})
}

// unusable returns why a line counts for no person at a time; empty: it counts.
func (l AllowedLine) unusable(now time.Time) string {
	switch {
	case !l.signsGit():
		return "its namespaces leave out git"
	case !l.ValidAfter.IsZero() && now.Before(l.ValidAfter):
		return fmt.Sprintf("it is valid only from %s", stamp(l.ValidAfter))
	case !l.validAt(now):
		return fmt.Sprintf("it expired at %s", stamp(l.ValidBefore))
	case len(l.emails()) == 0:
		return "none of its principals is a person's e-mail"
	case l.hasWildcards():
		return "it has wildcards and names nobody, so it counts for no quorum"
	}
	return ""
}
