package approval

import (
	"fmt"
	"slices"
	"strings"
)

// checkSignature requires a valid signature by a configured key.
func (e *evaluation) checkSignature(v *vote) (string, string) {
	s := v.carrier.Signature
	switch {
	case s.Kind == SignatureNone && e.Policy.SignatureOptional:
		v.counts = true
		return "", ""
	case s.Kind == SignatureNone:
		return CodeUnsigned, "it is not signed. The approver signs a tag that counts with `" + e.command() + "`"
	case !s.Valid && s.KeyUnknown:
		return CodeSignerNotAllowed, e.notAllowed(s)
	case !s.Valid && s.Problem != "":
		return CodeUnsigned, fmt.Sprintf("its signature is not valid: %+q", clip(s.Problem))
	case !s.Valid:
		return CodeUnsigned, "its signature is not valid"
	case len(s.Principals) == 0:
		return CodeSignerNotAllowed, e.notAllowed(s)
	case s.Fingerprint == "":
		return CodeUnsigned, "the key of its signature is not known"
	}
	return "", ""
}

func (e *evaluation) notAllowed(s Signature) string {
	why := ""
	if s.Problem != "" {
		why = fmt.Sprintf(" (%+q)", clip(s.Problem))
	}
	return fmt.Sprintf("it is signed by key %+q, which the operator's configuration allows to nobody%s: add a line for its owner to approval.allowedSigners, or have an approver sign", clip(s.Fingerprint), why)
}

// forges lists the e-mails in whose name forges sign merges. Such a signature says nothing
// about the person.
var forges = []string{"noreply@github.com", "noreply@gitlab.com"}

// checkSigner requires that the key belongs to the person in -By, at the signed date and
// now.
func (e *evaluation) checkSigner(v *vote) (string, string) {
	s, by := v.carrier.Signature, v.claim.By
	if slices.Contains(forges, foldEmail(by.Email)) {
		return CodeSignerMismatch, fmt.Sprintf("%s is a forge, not a person: the approver signs with their own key", by.Email)
	}
	if s.Kind == SignatureNone {
		return "", ""
	}
	named := 0
	for _, l := range s.Principals {
		if !l.matchesEmail(by.Email) {
			continue
		}
		named++
		if l.signsGit() && l.validAt(v.carrier.Date) && l.validAt(e.now) {
			v.lines = append(v.lines, l)
			v.counts = v.counts || !l.hasWildcards()
		}
	}
	switch {
	case named == 0:
		return CodeSignerMismatch, fmt.Sprintf("%s says %s, but its key is the one of %s", KeyBy, by, owners(s.Principals))
	case len(v.lines) == 0:
		return CodeSignerNotAllowed, fmt.Sprintf("the key of %s is not allowed to sign for git both at %s, when it was signed, and now: have its line renewed, or another approver sign", by, stamp(v.carrier.Date))
	}
	return "", ""
}

func owners(lines []AllowedLine) string {
	var all []string
	for _, l := range lines {
		all = appendNew(all, fmt.Sprintf("%+q", clip(strings.Join(l.Patterns, ","))))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// checkAuthor requires that the approver is not an author of the change, under any of
// their e-mails.
func (e *evaluation) checkAuthor(v *vote) (string, string) {
	if e.Policy.AuthorMayApprove {
		return "", ""
	}
	for _, a := range e.Change.Authors {
		if v.belongsTo(a.Email) {
			return CodeSelfApproved, fmt.Sprintf("%s wrote the change (as %+q) and cannot approve it (approval.distinctAuthor). Nothing proves an author's name; only a quorum of two ensures that two people agreed. To approve, somebody else runs `%s`", v.claim.By, clip(a.Email), e.command())
		}
	}
	return "", ""
}

// belongsTo reports whether an e-mail is the voter's: the claimed one, or one that the
// configuration ties to the key. Expired lines count here, since the owner is the same.
func (v vote) belongsTo(email string) bool {
	if foldEmail(email) == foldEmail(v.claim.By.Email) {
		return true
	}
	return slices.ContainsFunc(v.carrier.Signature.Principals, func(l AllowedLine) bool {
		return !l.hasWildcards() && l.matchesEmail(email)
	})
}

// samePerson says whether two votes may be one person's: the same e-mail or
// key, a line of the allowed signers in common, or lines that name a person in
// common.
func samePerson(a, b vote) bool {
	sa, sb := a.carrier.Signature, b.carrier.Signature
	if a.belongsTo(b.claim.By.Email) || b.belongsTo(a.claim.By.Email) {
		return true
	}
	if sa.Kind != SignatureNone && sa.Kind == sb.Kind && sa.Fingerprint == sb.Fingerprint {
		return true
	}
	return slices.ContainsFunc(sa.Principals, func(l AllowedLine) bool {
		return slices.ContainsFunc(sb.Principals, func(o AllowedLine) bool { return l.ID == o.ID || l.sharesOwner(o) })
	})
}

// sharesOwner says whether a name without wildcards stands in both lines.
func (l AllowedLine) sharesOwner(o AllowedLine) bool {
	if l.hasWildcards() || o.hasWildcards() {
		return false
	}
	return slices.ContainsFunc(l.Patterns, func(p string) bool {
		return slices.ContainsFunc(o.Patterns, func(q string) bool { return foldEmail(p) == foldEmail(q) })
	})
}

// people counts the distinct people among the votes that count, up to enough. It is the
// size of the largest set of votes in which no two may be one person's. A further vote
// never lowers the number.
func people(votes []vote, enough int) int {
	var counted []vote
	for _, v := range votes {
		if v.counts && !slices.ContainsFunc(counted, func(o vote) bool { return sameIdentity(v, o) }) {
			counted = append(counted, v)
		}
	}
	return distinct(counted, enough)
}

// sameIdentity reports whether two votes have the same e-mail, key and lines, so that one
// of them suffices for counting.
func sameIdentity(a, b vote) bool {
	sa, sb := a.carrier.Signature, b.carrier.Signature
	return a.claim.By.SameEmail(b.claim.By) &&
		sa.Kind == sb.Kind && sa.Fingerprint == sb.Fingerprint &&
		slices.EqualFunc(sa.Principals, sb.Principals, func(l, o AllowedLine) bool {
			return l.ID == o.ID && slices.Equal(l.Patterns, o.Patterns)
		})
}

// distinct returns the size, up to enough, of the largest set of votes of pairwise
// different people. It tries the sets with the first vote, then those without it.
func distinct(votes []vote, enough int) int {
	if len(votes) == 0 || enough <= 0 {
		return 0
	}
	first, rest := votes[0], votes[1:]
	var others []vote
	for _, v := range rest {
		if !samePerson(first, v) {
			others = append(others, v)
		}
	}
	with := 1 + distinct(others, enough-1)
	if with >= enough || len(others) == len(rest) {
		return with
	}
	return max(with, distinct(rest, enough))
}
