package approval

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawMessage makes paragraphs out of pieces that matter to a trailer parser.
func drawMessage(t *rapid.T) string {
	pieces := []string{
		base, base, "Failover-Approved: payments/x\n", "Failover-Accept: A\n", "failover-approved: orders/b\n",
		"Signed-off-by: A <a@b>\n", "Some words\n", "# comment\n", "---\n", " folded\n", "\n", "\n", "Key : value\n",
		"Failover-Reason:none\n", "(cherry picked from commit 1234)\n", "Title\n\n", "\tx\n", "Conflicts:\n", "\r\n",
	}
	some := rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 3)
	return strings.Join(some.Draw(t, "before"), "") + "Title\n\n" + base + strings.Join(some.Draw(t, "after"), "")
}

// spoil puts odd characters into a message, one here and one there.
func spoil(t *rapid.T, message string) string {
	odd := rapid.SampledFrom([]string{" ", "\t", "\n", "\n\n", "\r", "\r\n", ":", "-", "#", "\v", "\f", "\u00a0", "\u2028", "\ufeff", "é", "F", "failover-", "Failover-Plan: x\n", "---\n", "\x1b"})
	for range rapid.IntRange(0, 3).Draw(t, "odd characters") {
		at := rapid.IntRange(0, len(message)).Draw(t, "at")
		message = message[:at] + odd.Draw(t, "odd") + message[at:]
	}
	return message
}

// sameAsGit holds that git reads the claim's trailers in a message, the same ones
// in the same order.
func sameAsGit(t testing.TB, message string, c Claim) {
	t.Helper()
	ours := failoverLines(gitTrailers(t, message))
	again, err := ParseTrailers("Title\n\n" + strings.Join(ours, ""))
	if err != nil {
		t.Fatalf("git reads %q in %q: %v", ours, message, err)
	}
	if diff := cmp.Diff(c, again); diff != "" {
		t.Fatalf("in %q: %s", message, diff)
	}
}

func failoverLines(trailers string) []string {
	var out []string
	for line := range strings.Lines(trailers) {
		if hasFailoverPrefix(line) {
			out = append(out, line)
		}
	}
	return out
}

// TestGitReadsTheSame holds that whatever we read as a claim, git reads as
// trailers too; and that what git reads as a trailer of ours is never passed over
// in silence.
func TestGitReadsTheSame(t *testing.T) {
	needGit(t)
	claims, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		message := drawMessage(rt)
		if rapid.Bool().Draw(rt, "spoilt") {
			message = spoil(rt, message)
		}
		c, err := ParseTrailers(message)
		switch {
		case err == nil:
			claims++
			sameAsGit(t, message, c)
		case errors.Is(err, ErrNoClaim):
			if theirs := failoverLines(gitTrailers(t, message)); len(theirs) > 0 {
				rt.Fatalf("git reads %q in %q, and we see nothing", theirs, message)
			}
		default:
			refused++
		}
	})
	if claims == 0 || refused == 0 {
		t.Errorf("%d messages were claims, %d were refused", claims, refused)
	}
}

// drawCarrier makes a carrier that may be good or bad in several ways.
func drawCarrier(t *rapid.T) Carrier {
	by := rapid.SampledFrom([]Person{alice, bob, carol}).Draw(t, "by")
	signer := rapid.SampledFrom([]Person{by, by, by, alice, carol}).Draw(t, "signer")
	var extra []string
	extra = append(extra, rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
		KeyAccept + ": NOT_MOST_CAUGHT_UP", KeyAccept + ": SPLIT_BRAIN", KeyPlan + ": " + digestA, KeyPlan + ": " + digestB,
		KeyMaxDataLoss + ": 2m", KeyExpires + ": 2026-11-22T13:00:00Z", "nonsense",
	}), 0, 2, func(s string) string { return s }).Draw(t, "extra")...)
	c := tagOf(by, extra...)
	c.Signature = signedBy(signer)
	c.Date = noon.Add(time.Duration(rapid.IntRange(-200, 30).Draw(t, "minutes")) * time.Minute)
	switch rapid.IntRange(0, 9).Draw(t, "flaw") {
	case 0:
		c.Signature.Valid = false
	case 1:
		c.Signature = Signature{}
	case 2:
		c.Signature.Principals = nil
	case 3:
		c.Signature.Principals[0].Patterns = []string{"*"}
	case 4:
		c.UnknownHeaders = []string{"x"}
	case 5:
		c.Signature.Principals[0].ID = "shared"
	}
	return hashed(c)
}

func drawRequest(t *rapid.T) Request {
	r := request(rapid.SliceOfN(rapid.Custom(drawCarrier), 0, 5).Draw(t, "carriers")...)
	r.Policy.Quorum.Failover = rapid.IntRange(0, 3).Draw(t, "quorum")
	r.Policy.SignatureOptional = rapid.Bool().Draw(t, "optional")
	r.Policy.AuthorMayApprove = rapid.Bool().Draw(t, "author")
	r.Now = noon.Add(time.Duration(rapid.IntRange(-10, 150).Draw(t, "now")) * time.Minute)
	return r
}

// TestOrderDoesNotMatter holds that carriers in any order give one decision.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		first := Evaluate(r)
		r.Change.Carriers = rapid.Permutation(r.Change.Carriers).Draw(t, "order")
		if diff := cmp.Diff(first, Evaluate(r), cmp.AllowUnexported(Decision{}, Grant{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestNobodyTakesAnApprovalAway holds that one more carrier, good or bad, never
// turns an approval into a denial, unless it is a newer word of an approver: by
// that person's own key, or unsigned where nothing needs to be signed.
func TestNobodyTakesAnApprovalAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		if Evaluate(r).Verdict != VerdictApproved {
			return
		}
		before, another := Evaluate(r), drawCarrier(t)
		said, err := ParseTrailers(another.Message)
		own := another.Signature.Fingerprint == signedBy(said.By).Fingerprint || another.Signature.Kind == SignatureNone && r.Policy.SignatureOptional
		if err == nil && own && slices.Contains(before.By, said.By.String()) {
			return
		}
		r.Change.Carriers = append(r.Change.Carriers, another)
		if d := Evaluate(r); d.Verdict != VerdictApproved {
			t.Fatalf("%s %s", d.Code, d.Detail)
		}
	})
}

// TestApprovalsAreEarned holds what must be true of any approval.
func TestApprovalsAreEarned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		d := Evaluate(r)
		if d.Verdict != VerdictApproved {
			if d.Grant() != (Grant{}) || d.Code == "" || d.Detail == "" {
				t.Fatalf("a denial with %+v", d)
			}
			return
		}
		if !d.Grant().Covers(r.Plan) || d.Until.Before(r.Now) || len(d.By) < r.Policy.QuorumFor(r.Plan.Transition) {
			t.Fatalf("%+v", d)
		}
		for _, by := range d.By {
			if by == bob.String() && !r.Policy.AuthorMayApprove {
				t.Fatal("the author approved")
			}
		}
		for _, code := range d.Accepted {
			if code != "NOT_MOST_CAUGHT_UP" {
				t.Fatalf("accepted %s", code)
			}
		}
		r.Spent = []SpentMark{{Topology: "orders", Generation: 7, PayloadHash: d.Payloads[0]}}
		if again := Evaluate(r); slices.Contains(again.Payloads, d.Payloads[0]) {
			t.Fatal("a spent payload counts again")
		}
		r.Policy = Policy{}
		if Evaluate(r).Approved() {
			t.Fatal("the zero policy approves")
		}
	})
}

// TestPeopleAreFewerThanWhatNamesThem holds that people are never more than
// the distinct keys, lines or e-mails.
func TestPeopleAreFewerThanWhatNamesThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var votes []vote
		keys, lines, mails := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for range rapid.IntRange(0, 6).Draw(t, "votes") {
			key := fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "key"))
			line := AllowedLine{ID: fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "line")), Patterns: []string{fmt.Sprint("m", rapid.IntRange(0, 3).Draw(t, "pattern"))}}
			v := vote{counts: true, claim: Claim{By: Person{Email: line.Patterns[0]}}}
			v.carrier.Signature = Signature{Kind: SignatureSSH, Valid: true, Fingerprint: key, Principals: []AllowedLine{line}}
			votes = append(votes, v)
			keys[key], lines[line.ID], mails[line.Patterns[0]] = true, true, true
		}
		n := people(votes, len(votes))
		if n > min(len(keys), len(lines), len(mails)) || len(votes) > 0 && n < 1 {
			t.Fatalf("%d people", n)
		}
	})
}

func TestMatchPatterns(t *testing.T) {
	for _, c := range []struct {
		name, list string
		ok         bool
	}{
		{"a@x", "a@x", true},
		{"a@x", "A@X", true},
		{"a@x", "b@x,a@x", true},
		{"a@x", "*@x", true},
		{"a@x", "?@x", true},
		{"ab@x", "?@x", false},
		{"a@x", "*", true},
		{"a@x", "**@**x", true},
		{"a@x", "!a@x,*@x", false},
		{"b@x", "!a@x,*@x", true},
		{"a@x", "!b@x", false},
		{"a@x.evil", "a@x", false},
		{"a@x", "a@*y", false},
		{"\u212a@x", "k@x", false},
		{"a@x", "", false},
	} {
		if got := MatchPatterns(c.name, strings.Split(c.list, ",")); got != c.ok {
			t.Errorf("%s in %s: %t", c.name, c.list, got)
		}
	}
}

func TestPatternsAreCheap(t *testing.T) {
	name := strings.Repeat("a", 4000) + "b"
	if matchGlob(name, strings.Repeat("a*", 2000)+"c") {
		t.Error("it matches")
	}
}
