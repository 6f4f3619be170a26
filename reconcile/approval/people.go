package approval

import (
	"fmt"
	"slices"
	"strings"
)

// checkSignature asks for a true signature by a key that somebody configured.
func (e *evaluation) checkSignature(v *vote) (string, string) {
	s := v.carrier.Signature
	switch {
	case s.Kind == SignatureNone && e.Policy.SignatureOptional:
		v.counts = true
		return "", ""
	case s.Kind == SignatureNone:
		return CodeUnsigned, "it is not signed: sign it with the key of the approver, as `reconcile approve` and `git tag -s` do"
	case !s.Valid && s.KeyUnknown:
		return CodeSignerNotAllowed, e.notAllowed(s)
	case !s.Valid && s.Problem != "":
		return CodeUnsigned, fmt.Sprintf("its signature does not hold: %+q", clip(s.Problem))
	case !s.Valid:
		return CodeUnsigned, "its signature does not hold"
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
	return fmt.Sprintf("it is signed by key %+q, which the operator's configuration allows for nobody%s: add a line for its owner to approval.allowedSigners, or have an approver sign", clip(s.Fingerprint), why)
}

// forges sign in their own name for whoever presses a button; such a
// signature says nothing about the person.
var forges = []string{"noreply@github.com", "noreply@gitlab.com"}

// checkSigner asks that the key is the one of the person in -By, at the
// signed date and now.
func (e *evaluation) checkSigner(v *vote) (string, string) {
	s, by := v.carrier.Signature, v.claim.By
	if slices.Contains(forges, FoldEmail(by.Email)) {
		return CodeSignerMismatch, fmt.Sprintf("%s is a forge, not a person: the approver signs with their own key", by.Email)
	}
	if s.Kind == SignatureNone {
		return "", ""
	}
	named := 0
	for _, l := range s.Principals {
		if !l.names(by.Email) {
			continue
		}
		named++
		if l.signsGit() && l.validAt(v.carrier.Date) && l.validAt(e.now) {
			v.lines = append(v.lines, l)
			v.counts = v.counts || !l.wild()
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

// checkAuthor asks that the approver did not write the change, under whatever
// of their e-mails.
func (e *evaluation) checkAuthor(v *vote) (string, string) {
	if e.Policy.AuthorMayApprove {
		return "", ""
	}
	for _, a := range e.Change.Authors {
		if v.is(a.Email) {
			return CodeSelfApproved, fmt.Sprintf("%s wrote the change (as %+q) and cannot approve it (approval.distinctAuthor): have somebody else sign a tag with `reconcile approve`. An author's name is not proven by anything; only a quorum of two makes sure of four eyes", v.claim.By, clip(a.Email))
		}
	}
	return "", ""
}

// is says whether an e-mail stands for the voter: the claimed one, or one of
// those that the configuration gives to the key. Lines that don't apply now
// tie a key to its owner all the same.
func (v vote) is(email string) bool {
	if FoldEmail(email) == FoldEmail(v.claim.By.Email) {
		return true
	}
	return slices.ContainsFunc(v.carrier.Signature.Principals, func(l AllowedLine) bool {
		return !l.wild() && l.names(email)
	})
}

// samePerson says whether two votes may be one person's: the same e-mail,
// key or line, or an e-mail that belongs to the other's key.
func samePerson(a, b vote) bool {
	sa, sb := a.carrier.Signature, b.carrier.Signature
	if a.is(b.claim.By.Email) || b.is(a.claim.By.Email) {
		return true
	}
	if sa.Kind != SignatureNone && sa.Kind == sb.Kind && sa.Fingerprint == sb.Fingerprint {
		return true
	}
	return slices.ContainsFunc(sa.Principals, func(l AllowedLine) bool {
		return slices.ContainsFunc(sb.Principals, func(o AllowedLine) bool { return l.ID == o.ID })
	})
}

// people counts the distinct people among votes that count: votes that may be
// one person's, also by way of a third, are one.
func people(votes []vote) int {
	group := make([]int, len(votes))
	for i := range group {
		group[i] = i
	}
	root := func(i int) int {
		for group[i] != i {
			i = group[i]
		}
		return i
	}
	n := 0
	for i := range votes {
		if votes[i].counts {
			n++
		}
		for j := range i {
			if votes[i].counts && votes[j].counts && samePerson(votes[i], votes[j]) && root(i) != root(j) {
				group[root(j)] = root(i)
				n--
			}
		}
	}
	return n
}
