package approval

import (
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

func TestApproved(t *testing.T) {
	for _, c := range []struct {
		name     string
		request  Request
		by       []string
		accepted []plan.Code
	}{
		{"by one tag", request(tagOf(alice)), []string{alice.String()}, nil},
		{"by the commit's committer", request(hashed(with(tagOf(alice), func(c *Carrier) { c.Kind, c.Ref = CarrierCommit, "" }))), []string{alice.String()}, nil},
		{"by two people where one suffices", request(tagOf(carol), tagOf(alice)), []string{alice.String(), carol.String()}, nil},
		{"with the plan pinned", request(tagOf(alice, KeyPlan+": "+digestA)), []string{alice.String()}, nil},
		{"with a loss that fits", request(tagOf(alice, KeyMaxDataLoss+": 60s")), []string{alice.String()}, nil},
		{"with a finding accepted", request(tagOf(alice, KeyAccept+": NOT_MOST_CAUGHT_UP")), []string{alice.String()}, []plan.Code{"NOT_MOST_CAUGHT_UP"}},
		{"a second tag accepts what the first did not", request(tagOf(carol), tagOf(alice, KeyAccept+": NOT_MOST_CAUGHT_UP")), []string{alice.String()}, []plan.Code{"NOT_MOST_CAUGHT_UP"}},
		{"e-mail in another case", request(with(tagOf(alice), func(c *Carrier) {
			c.Message = message(Person{"Alice", "ALICE@Example.com"})
		})), []string{"Alice <ALICE@Example.com>"}, nil},
		{"for several topologies at once", request(hashed(with(tagOf(alice), func(c *Carrier) {
			c.Message = "t\n\n" + Claim{Approved: []Target{{"payments", "x"}, {"orders", "cluster-b"}}, By: alice, Reason: "r"}.Trailers()
		}))), []string{alice.String()}, nil},
		{"unsigned, next to the same statement signed by a key that names nobody", optional(request(wildcard(tagOf(alice)), unsigned(tagOf(alice)))), []string{alice.String()}, nil},
		{"by two people, next to a key that both own", quorum(request(tagOf(alice), tagOf(carol), with(tagOf(carol), func(c *Carrier) {
			c.Signature.Fingerprint = "SHA256:shared"
			c.Signature.Principals = []AllowedLine{{ID: "shared", Patterns: []string{alice.Email, carol.Email}}}
		})), 2), []string{alice.String(), carol.String()}, nil},
		{"next to every kind of bad carrier", request(append(badCarriers(), tagOf(alice))...), []string{alice.String()}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Evaluate(c.request)
			if d.Verdict != VerdictApproved || !d.Approved() || d.Code != "" {
				t.Fatalf("%s: %s %s", d.Verdict, d.Code, d.Detail)
			}
			if !slices.Equal(d.By, c.by) {
				t.Errorf("by %q, want %q", d.By, c.by)
			}
			if !slices.Equal(d.Accepted, c.accepted) {
				t.Errorf("accepted %q, want %q", d.Accepted, c.accepted)
			}
			if !d.Grant().Covers(c.request.Plan) {
				t.Error("the grant does not cover the plan")
			}
			if len(d.Payloads) == 0 || slices.Contains(d.Payloads, "") {
				t.Errorf("payloads to spend: %q", d.Payloads)
			}
			if d.Since.IsZero() || !d.Until.After(d.Since) {
				t.Errorf("it holds from %s until %s", d.Since, d.Until)
			}
		})
	}
}

func quorum(r Request, people int) Request {
	r.Policy.Quorum.Failover = people
	return r
}

func optional(r Request) Request {
	r.Policy.SignatureOptional = true
	return r
}

func unsigned(c Carrier) Carrier {
	c.Signature = Signature{}
	return c
}

func wildcard(c Carrier) Carrier {
	c.Signature.Principals = []AllowedLine{{ID: "w", Patterns: []string{"*@example.com"}}}
	return c
}

// badCarriers are carriers, and each must count for nothing.
func badCarriers() []Carrier {
	return []Carrier{
		{},
		{Kind: CarrierTag, Ref: "refs/tags/failover/orders/x", Problem: "not an annotated tag"},
		hashed(Carrier{Kind: CarrierCommit, Commit: "c8", Message: "Just a change\n"}),
		hashed(with(tagOf(carol), func(c *Carrier) { c.Signature = Signature{} })),
		hashed(with(tagOf(carol), func(c *Carrier) { c.Signature.Valid = false })),
		hashed(with(tagOf(carol), func(c *Carrier) { c.Signature.Principals = nil })),
		hashed(with(tagOf(carol), func(c *Carrier) { c.Message = "t\n\nFailover-Approved: \x1b[2J\n" })),
		hashed(with(tagOf(carol), func(c *Carrier) { c.UnknownHeaders = []string{"x"} })),
		hashed(with(tagOf(carol), func(c *Carrier) { c.Date = noon.Add(-3 * time.Hour) })),
		tagOf(bob),
		tagOf(carol, KeyPlan+": "+digestB),
	}
}

func TestQuorum(t *testing.T) {
	r := request(tagOf(alice), tagOf(carol))
	r.Policy.Quorum = Quorum{Failover: 2, Switchover: 3}
	if d := Evaluate(r); d.Verdict != VerdictApproved || len(d.By) != 2 {
		t.Errorf("two of two: %s %s", d.Code, d.Detail)
	}
	r.Plan.Transition = plan.TransitionSwitchover
	if d := Evaluate(r); d.Code != CodeQuorumNotMet {
		t.Errorf("two of three: %s", d.Code)
	}
	r.Plan.Transition = plan.TransitionBootstrap
	r.Policy.Quorum.Other = -1
	if d := Evaluate(r); d.Verdict != VerdictApproved {
		t.Errorf("a quorum below 1 counts as 1: %s", d.Code)
	}
}

func TestAcceptanceOfAQuorum(t *testing.T) {
	const accept = KeyAccept + ": NOT_MOST_CAUGHT_UP"
	r := request(tagOf(alice, accept), tagOf(carol))
	r.Policy.Quorum.Failover = 2
	if d := Evaluate(r); d.Verdict != VerdictApproved || len(d.Accepted) != 0 || len(d.Notes) == 0 {
		t.Errorf("one of two accepts: %s %q, notes %q", d.Verdict, d.Accepted, d.Notes)
	}
	r = request(tagOf(alice, accept), tagOf(carol, accept))
	r.Policy.Quorum.Failover = 2
	if d := Evaluate(r); len(d.Accepted) != 1 {
		t.Errorf("two of two accept: %q", d.Accepted)
	}
	d := Evaluate(request(tagOf(alice, KeyAccept+": SPLIT_BRAIN")))
	if d.Verdict != VerdictApproved || len(d.Accepted) != 0 || len(d.Notes) != 1 {
		t.Errorf("what cannot be accepted: %s %q, notes %q", d.Verdict, d.Accepted, d.Notes)
	}
}

func TestUntilIsTheStrictest(t *testing.T) {
	r := request(tagOf(alice, KeyExpires+": 2026-11-22T13:00:00Z"), hashed(with(tagOf(carol), func(c *Carrier) { c.Date = noon.Add(-90 * time.Minute) })))
	r.Policy.Quorum.Failover = 2
	d := Evaluate(r)
	if want := noon.Add(30 * time.Minute); !d.Until.Equal(want) || !d.Since.Equal(noon) {
		t.Errorf("it holds from %s until %s, want until %s", d.Since, d.Until, want)
	}
}

// TestTheNewestWordOfAPersonCounts: a person who approves once more says what holds,
// for more or for less; what is not that person's own word replaces nothing.
func TestTheNewestWordOfAPersonCounts(t *testing.T) {
	strict, free := tagOf(alice, KeyMaxDataLoss+": 1ns"), tagOf(alice)
	forged := func(change func(*Carrier)) Carrier { return with(newer(strict, time.Second), change) }
	for _, c := range []struct {
		name     string
		code     string
		payloads int
		carriers []Carrier
	}{
		{"more", "", 2, []Carrier{strict, newer(free, time.Second)}},
		{"less", CodeLossTooLarge, 0, []Carrier{free, newer(strict, time.Second)}},
		{"less, in the same second", CodeLossTooLarge, 0, []Carrier{free, newer(strict, 0)}},
		{"less, by a key that nobody knows", "", 1, []Carrier{free, forged(func(c *Carrier) { c.Signature.Principals = nil })}},
		{"less, with a signature that does not hold", "", 1, []Carrier{free, forged(func(c *Carrier) { c.Signature.Valid = false })}},
		{"less, by somebody else", "", 1, []Carrier{free, forged(func(c *Carrier) { c.Signature = signedBy(carol) })}},
		{"less, by a key of a line with wildcards", "", 1, []Carrier{free, forged(func(c *Carrier) {
			c.Signature.Principals = []AllowedLine{{ID: "w", Patterns: []string{"*@example.com"}}}
		})}},
		{"less, for another cluster", "", 1, []Carrier{free, forged(func(c *Carrier) { c.Message = strings.ReplaceAll(c.Message, "cluster-b", "cluster-c") })}},
		{"less, dated next year", "", 1, []Carrier{free, newer(strict, 365*24*time.Hour)}},
		{"less, by another person", "", 1, []Carrier{free, newer(tagOf(carol, KeyMaxDataLoss+": 1ns"), time.Second)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 {
				d := Evaluate(request(c.carriers...))
				if d.Code != c.code || len(d.Payloads) != c.payloads || d.Approved() != (c.code == "") {
					t.Errorf("%s %q by %q with %d payloads, want %q with %d", d.Verdict, d.Code, d.By, len(d.Payloads), c.code, c.payloads)
				}
				slices.Reverse(c.carriers)
			}
		})
	}
	accepting := newer(tagOf(alice, KeyAccept+": NOT_MOST_CAUGHT_UP", KeyExpires+": 2026-11-22T13:30:00Z"), time.Second)
	d := Evaluate(request(tagOf(alice, KeyExpires+": 2026-11-22T12:10:00Z"), accepting))
	if len(d.Accepted) != 1 || !d.Until.Equal(noon.Add(90*time.Minute)) {
		t.Errorf("what the older one says still counts: accepted %q until %s", d.Accepted, d.Until)
	}
}

func TestAuthorMayApproveIfTold(t *testing.T) {
	r := request(tagOf(bob))
	r.Policy.AuthorMayApprove = true
	if d := Evaluate(r); d.Verdict != VerdictApproved {
		t.Errorf("%s %s", d.Code, d.Detail)
	}
}

func TestUnsignedCountsIfTold(t *testing.T) {
	r := request(with(tagOf(alice), func(c *Carrier) { c.Signature = Signature{} }))
	r.Policy = Policy{SignatureOptional: true}
	if d := Evaluate(r); d.Verdict != VerdictApproved {
		t.Errorf("%s %s", d.Code, d.Detail)
	}
	r.Policy.Quorum.Failover = 2
	if d := Evaluate(r); d.Code != CodeQuorumNotMet {
		t.Errorf("one person: %s", d.Code)
	}
}

func TestNotRequired(t *testing.T) {
	d := Evaluate(Request{Plan: plan.TopologyPlan{Name: "orders", Digest: digestA}})
	if d.Verdict != VerdictNotRequired || d.Grant().Covers(plan.TopologyPlan{Name: "orders", Digest: digestA}) {
		t.Errorf("without a transition: %s, and a grant", d.Verdict)
	}
}
