package gitsource

import (
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/reconcile/approval"
)

const tagName = "failover/orders/2/alice"

// TestAttacks are tries to have a failover without a true approval. code is
// what stops it; empty: the attack is on somebody else's approval, which holds.
func TestAttacks(t *testing.T) {
	start := scene(t)
	all := slices.Concat(attacksByMessage(), attacksBySignature(), attacksByPeople(), attacksByHistory(), attacksByTag())
	if len(all) < 40 {
		t.Fatalf("%d attacks", len(all))
	}
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := &attack{shell: start.copy(t), policy: start.policy, base: start.base, head: start.head, keys: start.keys}
			c.try(a)
			d := a.judge()
			if d.Code != c.code || d.Approved() != (c.code == "") {
				t.Errorf("%s %q: %s; want %q", d.Verdict, d.Code, d.Detail, c.code)
			}
			if strings.ContainsAny(d.Detail, "\x1b\x07\u202e") {
				t.Errorf("the detail would act on a terminal: %q", d.Detail)
			}
		})
	}
}

// attackCase is one attack and what stops it.
type attackCase struct {
	name string
	code string
	try  func(a *attack)
}

// attacksByMessage are tries in what a message says.
func attacksByMessage() []attackCase {
	return []attackCase{
		{"trailers in a pull request's body, squashed and signed by the one who merges", approval.CodeSignerMismatch, func(a *attack) {
			a.signedCommit(carol, approve(alice), ordersFile, doc("orders", 3))
		}},
		{"trailers in a pull request's body, squashed by a forge", approval.CodeUnsigned, func(a *attack) {
			a.commit(mallory, approve(alice), ordersFile, doc("orders", 3))
		}},
		{"trailers in a body that others follow", approval.CodeMalformed, func(a *attack) {
			a.signedCommit(alice, approve(alice)+"\n\nSigned-off-by: Carol <carol@example.com>\n", ordersFile, doc("orders", 3))
		}},
		{"an approval of another topology", approval.CodeWrongTarget, func(a *attack) {
			a.tag(alice, tagName, a.head, strings.Replace(approve(alice), "orders/", "payments/", 1))
		}},
		{"an approval of another topology, under its own name", approval.CodeMissing, func(a *attack) {
			a.tag(alice, "failover/payments/2/alice", a.head, strings.Replace(approve(alice), "orders/", "payments/", 1))
		}},
		{"an approval of another cluster", approval.CodeWrongTarget, func(a *attack) {
			a.tag(alice, tagName, a.head, strings.Replace(approve(alice), "cluster-b", "cluster-c", 1))
		}},
		{"an approval on a commit with another document", approval.CodeMissing, func(a *attack) {
			a.tag(alice, "failover/orders/1/alice", a.base, approve(alice))
		}},
		{"the generation used again for another document (R37)", approval.CodeMissing, func(a *attack) {
			a.tag(alice, tagName, a.head, approve(alice))
			a.commit(mallory, "Swap", ordersFile, doc("orders", 2, "cluster c primary"))
		}},
		{"a replay after a revert, with the ledger", approval.CodeAlreadyUsed, func(a *attack) {
			a.tag(alice, tagName, a.head, approve(alice))
			a.commit(bob, "Back", ordersFile, doc("orders", 3))
			a.commit(mallory, "Revert", ordersFile, doc("orders", 2))
			a.request.Spent = []approval.SpentMark{{Topology: "orders", Generation: 2}}
		}},
		{"a replay after a revert, without the ledger, hours later", approval.CodeExpired, func(a *attack) {
			a.tag(alice, tagName, a.head, approve(alice))
			a.commit(bob, "Back", ordersFile, doc("orders", 3))
			a.commit(mallory, "Revert", ordersFile, doc("orders", 2))
			a.request.Now = a.now.Add(2 * time.Hour)
		}},
		{"a replay within a new ledger (R10)", approval.CodeAlreadyUsed, func(a *attack) {
			a.tag(alice, tagName, a.head, approve(alice))
			born := a.now.Add(time.Minute)
			a.request.LedgerBorn, a.request.Now = &born, born
		}},
	}
}
