package approval

import (
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
)

func TestDenied(t *testing.T) {
	change := func(r Request, f func(*Request)) Request {
		f(&r)
		return r
	}
	good := tagOf(alice)
	for _, c := range []struct {
		name    string
		code    string
		says    string // part of the detail
		request Request
	}{
		{"the zero request with a transition", CodeNothingConfigured, "allowedSigners", Request{Plan: plan.TopologyPlan{Transition: plan.TransitionFailover}}},
		{"the zero policy", CodeNothingConfigured, "approval.keyring", change(request(good), func(r *Request) { r.Policy = Policy{} })},
		{"lists without a key", CodeNothingConfigured, "approval.keyring", change(request(good), func(r *Request) { r.Change.NoKeys = true })},
		{"lists that cannot be read", CodeKeysUnreadable, "line 3", change(request(good), func(r *Request) { r.Change.KeysUnreadable = "line 3" })},
		{"lists that cannot be read, where no signature is needed", CodeKeysUnreadable, "", change(request(good), func(r *Request) { r.Change.KeysUnreadable, r.Policy.SignatureOptional = "gone", true })},
		{"no carrier at all", CodeMissing, "reconcile approve orders/cluster-b", request()},
		{"a commit without trailers", CodeMissing, "Failover-Approved: orders/cluster-b", request(hashed(Carrier{Kind: CarrierCommit, Commit: "c8", Message: "Swap roles\n"}))},
		{"no governing commit", CodeMissing, "no commit", change(request(good), func(r *Request) { r.Change.Commit = "" })},
		{"a change of another topology", CodeMissing, "no commit", change(request(good), func(r *Request) { r.Change.Topology = "payments" })},
		{"a plan of another generation", CodePlanChanged, "generation 9", change(request(good), func(r *Request) { r.Plan.Generation = 9 })},
		{"a plan without a digest", CodePlanChanged, "digest", change(request(good), func(r *Request) { r.Plan.Digest = "" })},
		{"a plan without a primary", CodePlanChanged, "primary", change(request(good), func(r *Request) { r.Plan.Primary = "" })},
		{"trailers that cannot be read", CodeMalformed, KeyReason, request(with(good, func(c *Carrier) {
			c.Message = "t\n\nFailover-Approved: orders/cluster-b\nFailover-Approved-By: A <a@b>\n"
		}))},
		{"a tag without trailers", CodeMalformed, "no failover trailer", request(with(good, func(c *Carrier) { c.Message = "Looks good\n" }))},
		{"an object of unknown headers", CodeMalformed, "headers", request(with(good, func(c *Carrier) { c.UnknownHeaders = []string{"HG:rename"} }))},
		{"an object that is no carrier", CodeMalformed, "NUL", request(with(good, func(c *Carrier) { c.Problem = "it holds a NUL byte" }))},
		{"no payload hash", CodeMalformed, "hash", request(with(good, func(c *Carrier) { c.PayloadHash = "" }))},
		{"neither commit nor tag", CodeMalformed, "neither", request(with(good, func(c *Carrier) { c.Kind = "note" }))},
		{"another cluster", CodeWrongTarget, "cluster-c", request(with(good, func(c *Carrier) {
			c.Message = strings.Replace(c.Message, "cluster-b", "cluster-c", 1)
		}))},
		{"another topology", CodeWrongTarget, "payments", request(with(good, func(c *Carrier) {
			c.Message = strings.Replace(c.Message, "orders/", "payments/", 1)
		}))},
		{"a cluster in another case", CodeWrongTarget, "Cluster-B", request(with(good, func(c *Carrier) {
			c.Message = strings.Replace(c.Message, "cluster-b", "Cluster-B", 1)
		}))},
		{"no repository where one is wanted", CodeWrongRepository, "--repository prod/topologies", change(request(good), func(r *Request) { r.Policy.Repository = "prod/topologies" })},
		{"another repository", CodeWrongRepository, "for the repository staging", change(request(tagOf(alice, KeyRepository+": staging")), func(r *Request) { r.Policy.Repository = "prod/topologies" })},
		{"a repository in another case", CodeWrongRepository, "", change(request(tagOf(alice, KeyRepository+": Prod/topologies")), func(r *Request) { r.Policy.Repository = "prod/topologies" })},
		{"a repository where none has a name", CodeWrongRepository, "does not say which", request(tagOf(alice, KeyRepository+": staging"))},
		{"a repository that is no name", CodeMalformed, "name of a repository", request(tagOf(alice, KeyRepository+": https://git.example/x"))},
		{"a newer word with less", CodeLossTooLarge, "", request(good, newer(tagOf(alice, KeyMaxDataLoss+": 1ns"), time.Second))},
		{"taken back", CodeWithdrawn, "Alice", request(good, withdrawn(alice))},
		{"taken back, and nothing before", CodeWithdrawn, `reconcile approve orders/cluster-b --accept NOT_MOST_CAUGHT_UP --reason "WHY"`, request(withdrawn(alice))},
		{"one of two taken back", CodeQuorumNotMet, "does not count, WITHDRAWN", quorum(request(good, tagOf(carol), withdrawn(carol)), 2)},
		{"a newer word that ended", CodeExpired, "", request(good, newer(tagOf(alice, KeyExpires+": 2026-11-22T12:00:30Z"), time.Second))},
		{"no signature", CodeUnsigned, "not signed", request(with(good, func(c *Carrier) { c.Signature = Signature{} }))},
		{"a signature that does not verify", CodeUnsigned, "is not valid", request(with(good, func(c *Carrier) {
			c.Signature.Valid, c.Signature.Problem = false, "over other bytes\x1b"
		}))},
		{"a signature of another kind", CodeUnsigned, "SSH and OpenPGP", request(with(good, func(c *Carrier) {
			c.Signature = Signature{Kind: SignatureOther, Problem: "only SSH and OpenPGP"}
		}))},
		{"a signature that does not verify, where none is needed", CodeUnsigned, "is not valid", change(request(with(good, func(c *Carrier) { c.Signature.Valid = false })), func(r *Request) { r.Policy.SignatureOptional = true })},
		{"a key that nobody allowed", CodeSignerNotAllowed, "SHA256:alice", request(with(good, func(c *Carrier) { c.Signature.Principals = nil }))},
		{"a key that is not in the keyring", CodeSignerNotAllowed, "allows to nobody", request(with(good, func(c *Carrier) {
			c.Signature = Signature{Kind: SignatureOpenPGP, KeyUnknown: true, Fingerprint: "AB"}
		}))},
		{"a key that nobody allowed, where none is needed", CodeSignerNotAllowed, "", change(request(with(good, func(c *Carrier) { c.Signature.Principals = nil })), func(r *Request) { r.Policy = Policy{SignatureOptional: true} })},
		{"a key that is not valid yet", CodeSignerNotAllowed, "both", request(signedWithin(good, noon.Add(time.Second), time.Time{}))},
		{"a key that was valid then but is not now", CodeSignerNotAllowed, "both", request(signedWithin(good, time.Time{}, noon.Add(time.Second)))},
		{"a key for another namespace", CodeSignerNotAllowed, "for git", request(with(good, func(c *Carrier) {
			c.Signature.Principals = []AllowedLine{{ID: "1", Patterns: []string{alice.Email}, Namespaces: []string{"file"}}}
		}))},
		{"somebody else's key", CodeSignerMismatch, "carol@example.com", request(with(good, func(c *Carrier) { c.Signature = signedBy(carol) }))},
		{"a look-alike e-mail", CodeMalformed, "ASCII", request(with(good, func(c *Carrier) {
			c.Message = message(Person{"Alice", "аlice@example.com"})
		}))},
		{"a forge in its own name", CodeSignerMismatch, "forge", request(forgeCarrier())},
		{"the author", CodeSelfApproved, "quorum of two", request(tagOf(bob))},
		{"the author in another case", CodeSelfApproved, "distinctAuthor", request(with(tagOf(bob), func(c *Carrier) {
			c.Message = message(Person{"B", "BOB@example.com"})
		}))},
		{"the author under another e-mail of the same key", CodeSelfApproved, "", request(with(good, func(c *Carrier) {
			c.Signature.Principals = append(c.Signature.Principals, AllowedLine{ID: "2", Patterns: []string{bob.Email}})
		}))},
		{"a co-author", CodeSelfApproved, "", change(request(good), func(r *Request) { r.Change.Authors = append(r.Change.Authors, alice) })},
		{"too old for a failover", CodeExpired, "are valid for 2 h", change(request(good), func(r *Request) { r.Now = noon.Add(2 * time.Hour) })},
		{"expired by its own word", CodeExpired, KeyExpires, request(tagOf(alice, KeyExpires+": 2026-11-22T12:00:30Z"))},
		{"dated ahead", CodeExpired, "ahead", change(request(good), func(r *Request) { r.Now = noon.Add(-6 * time.Minute) })},
		{"without a date", CodeExpired, "no date", request(with(good, func(c *Carrier) { c.Date = time.Time{} }))},
		{"the clock was moved back", CodeExpired, "", change(request(good), func(r *Request) { r.NewestRecord = noon.Add(3 * time.Hour) })},
		{"lapsed", CodeLapsed, "up", change(request(good), func(r *Request) { r.Lapsed = []string{good.PayloadHash} })},
		{"used for this generation", CodeAlreadyUsed, "above 8", change(request(good), func(r *Request) { r.Spent = []SpentMark{{Topology: "orders", Generation: 8}} })},
		{"used for a later generation", CodeAlreadyUsed, "above 9", change(request(good), func(r *Request) { r.Spent = []SpentMark{{Topology: "orders", Generation: 9}} })},
		{"the same payload used before", CodeAlreadyUsed, "this same approval", change(request(good), func(r *Request) {
			r.Spent = []SpentMark{{Topology: "orders", Generation: 7, PayloadHash: good.PayloadHash}}
		})},
		{"older than the ledger", CodeAlreadyUsed, "ledger was made", change(request(good), func(r *Request) { born := noon.Add(time.Second); r.LedgerBorn = &born })},
		{"older than what the ledger knows", CodeAlreadyUsed, "reconcile approve", change(request(good), func(r *Request) { knows := noon.Add(time.Second); r.LedgerKnows = &knows })},
		{"another plan", CodePlanChanged, digestB, request(tagOf(alice, KeyPlan+": "+digestB))},
		{"two plans, one of them another", CodePlanChanged, digestB, request(tagOf(alice, KeyPlan+": "+digestA, KeyPlan+": "+digestB))},
		{"too great a loss", CodeLossTooLarge, "59 s, but up to 1 min may be lost: if you accept that, approve with 'Failover-Max-Data-Loss: 2m'", request(tagOf(alice, KeyMaxDataLoss+": 59s"))},
		{"time in which nobody probed the primary", CodeLossTooLarge, "up to 31 min may be lost, 30 min of it while nobody probed the old primary", change(request(tagOf(alice, KeyMaxDataLoss+": 2m")), func(r *Request) {
			w := *r.Plan.DataLoss
			w.Unwatched = 30 * time.Minute
			r.Plan.DataLoss = &w
		})},
		{"a loss that is not known", CodeLossTooLarge, "not known", change(request(tagOf(alice, KeyMaxDataLoss+": 1h")), func(r *Request) { r.Plan.DataLoss = &plan.Window{} })},
		{"no window at all", CodeLossTooLarge, "not known", change(request(tagOf(alice, KeyMaxDataLoss+": 1h")), func(r *Request) { r.Plan.DataLoss = nil })},
		{"one of two", CodeQuorumNotMet, "needs 2", quorum(request(good), 2)},
		{"the same person twice", CodeQuorumNotMet, "one person", quorum(request(good, hashed(with(good, func(c *Carrier) { c.Date = noon.Add(time.Second) }))), 2)},
		{"one key with two principals", CodeQuorumNotMet, "", quorum(request(good, with(tagOf(carol), func(c *Carrier) { c.Signature.Fingerprint = good.Signature.Fingerprint })), 2)},
		{"one line with two keys", CodeQuorumNotMet, "", quorum(request(sharing(alice), sharing(carol)), 2)},
		{"one e-mail with two keys", CodeQuorumNotMet, "", quorum(request(good, hashed(with(good, func(c *Carrier) {
			c.Date, c.Signature.Fingerprint = noon.Add(time.Second), "SHA256:other"
			c.Signature.Principals = []AllowedLine{{ID: "other", Patterns: []string{alice.Email}}}
		}))), 2)},
		{"one person by way of a third key", CodeQuorumNotMet, "", quorum(request(good, with(tagOf(carol), func(c *Carrier) {
			c.Signature.Principals = append(c.Signature.Principals, AllowedLine{ID: "3", Patterns: []string{alice.Email}})
		})), 2)},
		{"two keys whose lines have an owner in common", CodeQuorumNotMet, "", quorum(request(owned(alice, "x@example.com"), owned(carol, "x@example.com")), 2)},
		{"a line with wildcards", CodeQuorumNotMet, "wildcards", request(with(good, func(c *Carrier) {
			c.Signature.Principals = []AllowedLine{{ID: "w", Patterns: []string{"*@example.com"}}}
		}))},
		{"an authority's line with wildcards", CodeQuorumNotMet, "wildcards", request(with(good, func(c *Carrier) {
			c.Signature.Principals = []AllowedLine{{ID: "w", Patterns: []string{alice.Email}, Wildcard: true, CertAuthority: true}}
		}))},
		{"two, of whom one is the author", CodeQuorumNotMet, CodeSelfApproved, quorum(request(good, tagOf(bob)), 2)},
		{"two, of whom one is late", CodeQuorumNotMet, CodeExpired, quorum(request(good, hashed(with(tagOf(carol), func(c *Carrier) { c.Date = noon.Add(-3 * time.Hour) }))), 2)},
		{"every bad carrier at once", CodePlanChanged, "", request(badCarriers()...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Evaluate(c.request)
			if d.Verdict != VerdictDenied || d.Approved() {
				t.Fatalf("verdict %s", d.Verdict)
			}
			if d.Code != c.code || !strings.Contains(d.Detail, c.says) {
				t.Errorf("got %s %s; want %s about %q", d.Code, d.Detail, c.code, c.says)
			}
			if !slices.Contains(Codes(), d.Code) {
				t.Errorf("%s is no code of the contract", d.Code)
			}
			if d.Grant().Covers(c.request.Plan) || len(d.Payloads)+len(d.Accepted) > 0 {
				t.Error("a denial grants, spends or accepts something")
			}
			if strings.ContainsAny(d.Detail, "\x1b\x00") {
				t.Errorf("the detail would act on a terminal: %q", d.Detail)
			}
		})
	}
}

// signedWithin bounds the line of a carrier's signer.
func signedWithin(c Carrier, after, before time.Time) Carrier {
	line := lineOf(alice)
	line.ValidAfter, line.ValidBefore = after, before
	c.Signature.Principals = []AllowedLine{line}
	return c
}

// sharing is an approval by a key of a line that two people share.
func sharing(p Person) Carrier {
	return with(tagOf(p), func(c *Carrier) {
		c.Signature.Principals = []AllowedLine{{ID: "shared", Patterns: []string{alice.Email, carol.Email}, CertAuthority: true}}
	})
}

// forgeCarrier is what a forge signs for everyone who presses its button.
func forgeCarrier() Carrier {
	forge := Person{Name: "GitHub", Email: "noreply@github.com"}
	return hashed(with(tagOf(forge), func(c *Carrier) { c.Kind = CarrierCommit }))
}

// owned is a tag by a person whose key's line names somebody else too.
func owned(by Person, other string) Carrier {
	c := tagOf(by)
	c.Signature.Principals[0].Patterns = []string{by.Email, other}
	return c
}
