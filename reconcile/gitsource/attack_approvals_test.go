package gitsource

import (
	"slices"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/reconcile/approval"
)

const tagName = "failover/orders/2/alice"

// TestAttacks are tries to have a failover without a true approval.
func TestAttacks(t *testing.T) {
	start := newAttack(t)
	for _, c := range attacks() {
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

// attackCase is one attack, and the denial and the rule that stop it. Without a
// denial the attack is on somebody else's approval, which holds. A number in a
// name is a row of scenarios.md.
type attackCase struct {
	name string
	code string
	why  string
	try  func(a *attack)
}

func attacks() []attackCase {
	return slices.Concat(attacksByMessage(), attacksBySignature(), attacksByKey(), attacksByPeople(), attacksByHistory(), attacksByTag())
}

// attacksByMessage are tries in what a message says.
func attacksByMessage() []attackCase {
	return []attackCase{
		{
			"trailers in a pull request's body, squashed and signed by the one who merges", approval.CodeSignerMismatch,
			"the signature is Carol's, but the trailer names Alice", func(a *attack) {
				a.signedCommit(carol, approve(alice), ordersFile, doc("orders", 3))
			},
		},
		{
			"trailers in a pull request's body, squashed by a forge", approval.CodeUnsigned,
			"anybody can write the words; the commit has no signature", func(a *attack) {
				a.commit(mallory, approve(alice), ordersFile, doc("orders", 3))
			},
		},
		{
			"trailers in a pull request's body, with other trailers after them", approval.CodeMalformed,
			"a failover trailer counts only in the last paragraph; anywhere else it denies", func(a *attack) {
				a.signedCommit(alice, approve(alice)+"\n\nSigned-off-by: Carol <carol@example.com>\n", ordersFile, doc("orders", 3))
			},
		},
		{
			"an acceptance in an earlier paragraph", approval.CodeMalformed,
			"a failover trailer counts only in the last paragraph; anywhere else it denies", func(a *attack) {
				a.tag(alice, tagName, a.head, strings.Replace(approve(alice), "\n\n", "\n\nFailover-Accept: RECOVERY_BLOCK\n\n", 1))
			},
		},
		{
			"a folded line with another cluster", approval.CodeMalformed,
			"every line of the paragraph is a separate trailer", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice, " and orders/cluster-c"))
			},
		},
		{
			"a carriage return that writes over the line", approval.CodeMalformed,
			"a value with control characters is malformed", func(a *attack) {
				a.tag(alice, tagName, a.head, strings.Replace(approve(alice), "eu-1", "eu-1\rFailover-Reason: us-2", 1))
			},
		},
		{
			"the topology's name with a Cyrillic letter", approval.CodeMalformed,
			"names of topologies are DNS labels", func(a *attack) {
				a.tag(alice, tagName, a.head, strings.Replace(approve(alice), "orders/", "оrders/", 1))
			},
		},
		{
			"the cluster's id with another hyphen", approval.CodeMalformed,
			"cluster ids are plain ASCII", func(a *attack) {
				a.tag(alice, tagName, a.head, strings.Replace(approve(alice), "cluster-b", "cluster\u2010b", 1))
			},
		},
		{
			"a second document of the same name", approval.CodeMissing,
			"if a name appears twice, neither document counts", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice))
				a.commit(mallory, "Add", "topologies/again.yaml", doc("orders", 2, "cluster c primary"))
			},
		},
		{
			"an approval of another topology", approval.CodeWrongTarget,
			"the trailer names topology and cluster", func(a *attack) {
				a.tag(alice, tagName, a.head, strings.Replace(approve(alice), "orders/", "payments/", 1))
			},
		},
		{
			"an approval of another topology, under its own name", approval.CodeMissing,
			"a tag approves only the change that its name and trailers give", func(a *attack) {
				a.tag(alice, "failover/payments/2/alice", a.head, strings.Replace(approve(alice), "orders/", "payments/", 1))
			},
		},
		{
			"an approval of another cluster", approval.CodeWrongTarget,
			"the approval names the cluster that becomes primary", func(a *attack) {
				a.tag(alice, tagName, a.head, strings.Replace(approve(alice), "cluster-b", "cluster-c", 1))
			},
		},
		{
			"an approval on a commit with another document", approval.CodeMissing,
			"a tag counts only if the document in its commit equals the document at the tip", func(a *attack) {
				a.tag(alice, "failover/orders/1/alice", a.base, approve(alice))
			},
		},
		{
			"the generation used again for another document (R37)", approval.CodeMissing,
			"the whole document must be equal, not only its generation", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice))
				a.commit(mallory, "Swap", ordersFile, doc("orders", 2, "cluster c primary"))
			},
		},
		{
			"a replay after a revert, with the ledger", approval.CodeAlreadyUsed,
			"a generation is spent for ever", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice))
				a.commit(bob, "Back", ordersFile, doc("orders", 3))
				a.commit(mallory, "Revert", ordersFile, doc("orders", 2))
				a.request.Spent = []approval.SpentMark{{Topology: "orders", Generation: 2}}
			},
		},
		{
			"a replay after a revert, without the ledger, hours later", approval.CodeExpired,
			"an approval of a failover is valid for two hours", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice))
				a.commit(bob, "Back", ordersFile, doc("orders", 3))
				a.commit(mallory, "Revert", ordersFile, doc("orders", 2))
				a.request.Now = a.now.Add(2 * time.Hour)
			},
		},
		{
			"a replay within a new ledger (R10)", approval.CodeAlreadyUsed,
			"the daemon ignores approvals that are older than its ledger", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice))
				born := a.now.Add(time.Minute)
				a.request.LedgerBorn, a.request.Now = &born, born
			},
		},
	}
}
