package gitsource

import (
	"strings"
	"time"

	"milvus-reconcile/reconcile/approval"
)

// attacksByHistory are tries on the order of commits. R15 and the like
// are rows of scenarios.md.
func attacksByHistory() []attackCase {
	return []attackCase{
		{
			"an approval in an earlier commit of a branch (R15)", approval.CodeMissing,
			"that commit's document is not the one at the tip", func(a *attack) {
				a.branch("feature", "main")
				a.signedCommit(alice, approve(alice), ordersFile, doc("orders", 3))
				a.commit(mallory, "Tweak", ordersFile, doc("orders", 3, "cluster c primary"))
				a.checkout("main")
				a.merge("feature")
			},
		},
		{
			"a hand-made merge with an approved commit as second parent (R16)", approval.CodeMissing,
			"that commit's document is not the one at the tip", func(a *attack) {
				a.branch("feature", "main")
				approved := a.signedCommit(alice, approve(alice), ordersFile, doc("orders", 3))
				a.checkout("main")
				a.write(ordersFile, doc("orders", 4, "cluster c primary"))
				a.git("add", "-A")
				a.git("reset", "-q", "--hard", a.as(mallory, "commit-tree", "-p", "main", "-p", approved, "-m", "Merge", a.git("write-tree")))
			},
		},
		{
			"an approval of a commit whose branch later changed the document and restored it", approval.CodeMissing,
			"a commit of a branch approves only if no later commit of the branch had another document", func(a *attack) {
				a.branch("feature", "main")
				a.signedCommit(alice, approve(alice), ordersFile, doc("orders", 3))
				a.commit(alice, "Back", ordersFile, doc("orders", 2))
				a.commit(mallory, "Again", ordersFile, doc("orders", 3))
				a.checkout("main")
				a.merge("feature")
			},
		},
		{
			"the same, with the document restored in the merge", approval.CodeMissing,
			"a commit of a branch approves only if no later commit of the branch had another document", func(a *attack) {
				a.branch("feature", "main")
				a.signedCommit(alice, approve(alice), ordersFile, doc("orders", 3))
				back := a.commit(alice, "Back", ordersFile, doc("orders", 2))
				a.checkout("main")
				a.write(ordersFile, doc("orders", 3))
				a.git("add", "-A")
				a.git("reset", "-q", "--hard", a.as(mallory, "commit-tree", "-p", "main", "-p", back, "-m", "Merge", a.git("write-tree")))
			},
		},
		{
			"an unsigned commit on a signed one", approval.CodeUnsigned,
			"a signature covers its own object, not its children", func(a *attack) {
				a.signedCommit(alice, "Docs", "README", "x")
				a.commit(mallory, approve(alice), ordersFile, doc("orders", 3))
			},
		},
		{
			"an approved commit picked onto another branch", approval.CodeUnsigned,
			"the copy has the trailers but not the signature", func(a *attack) {
				a.branch("feature", a.base)
				approved := a.signedCommit(alice, approve(alice), ordersFile, doc("orders", 3))
				a.checkout("main")
				a.as(mallory, "cherry-pick", "-X", "theirs", approved)
			},
		},
		{
			"an approved branch that was not merged", approval.CodeMissing,
			"a commit governs only if the tracked branch contains it; the merge starts the change", func(a *attack) {
				a.branch("feature", "main")
				a.signedCommit(alice, approve(alice), ordersFile, doc("orders", 3))
				a.tag(alice, "failover/orders/3/alice", "HEAD", approve(alice))
				a.checkout("main")
			},
		},
		{
			"an approval in a note", approval.CodeMissing,
			"notes are neither commits nor tags", func(a *attack) {
				a.as(alice, "notes", "add", "-m", approve(alice), a.head)
			},
		},
		{
			"a commit replaced by a signed one (refs/replace)", approval.CodeMissing,
			"objects are read by their own ids; replacements have no effect", func(a *attack) {
				a.branch("feature", a.base)
				signed := a.signedCommit(alice, approve(alice), ordersFile, doc("orders", 2))
				a.checkout("main")
				a.git("replace", a.head, signed)
			},
		},
	}
}

// attacksByTag are tries with tags and time.
func attacksByTag() []attackCase {
	return []attackCase{
		{
			"an approval made in another repository, over an equal document", approval.CodeWrongRepository,
			"if the operator names the repository, every approval must name it", func(a *attack) {
				a.policy.Repository = "prod/topologies"
				a.tag(alice, tagName, a.head, strings.Replace(approve(alice), "\nFailover-Reason", "\nFailover-Repository: staging/topologies\nFailover-Reason", 1))
			},
		},
		{
			"the same, if approvals name no repository", approval.CodeWrongRepository,
			"if the operator names the repository, every approval must name it", func(a *attack) {
				a.policy.Repository = "prod/topologies"
				a.tag(alice, tagName, a.head, approve(alice))
			},
		},
		{
			"an older approval that allows more, in addition to a newer one", approval.CodeLossTooLarge,
			"only the newest approval of a person counts, with its limits", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice))
				a.tag(alice, tagName+"-2", a.head, strings.Replace(approve(alice), "\nFailover-Reason", "\nFailover-Max-Data-Loss: 1s\nFailover-Reason", 1))
			},
		},
		{
			"a newer approval in Alice's name, with an unknown key, that allows less", "",
			"only an approval with a key of the same person replaces an older one", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice))
				forged := strings.Replace(approve(alice), "\nFailover-Reason", "\nFailover-Max-Data-Loss: 1s\nFailover-Reason", 1)
				a.ref(tagName+"-2", a.object("tag", a.tagPayload(tagName+"-2", a.head, "commit", forged)))
			},
		},
		{
			"a tag under another name than its own", approval.CodeMalformed,
			"the name inside the signed object must equal the name of the ref", func(a *attack) {
				a.tag(alice, "failover/orders/1/alice", a.head, approve(alice))
				a.git("update-ref", "refs/tags/failover/orders/2/bob", "refs/tags/failover/orders/1/alice")
				a.git("tag", "-d", "failover/orders/1/alice")
			},
		},
		{
			"a tag outside failover/", approval.CodeMissing,
			"only tags below refs/tags/failover/ carry approvals", func(a *attack) {
				a.tag(alice, "approved/orders", a.head, approve(alice))
			},
		},
		{
			"a branch below failover/", approval.CodeMissing,
			"only tags below refs/tags/failover/ carry approvals", func(a *attack) {
				a.tag(alice, "x", a.head, approve(alice))
				a.git("update-ref", "refs/heads/failover/orders/2/alice", a.head)
			},
		},
		{
			"a lightweight tag", approval.CodeMalformed,
			"it holds neither message nor signature", func(a *attack) {
				a.git("tag", tagName, a.head)
			},
		},
		{
			"a tag of a tag", approval.CodeMalformed,
			"a tag points directly at a commit", func(a *attack) {
				a.tag(alice, "inner", a.head, approve(alice))
				a.tag(alice, tagName, "inner", approve(alice))
			},
		},
		{
			"a tag of a tree", approval.CodeMalformed,
			"a tag points directly at a commit", func(a *attack) {
				a.tag(alice, tagName, a.head+"^{tree}", approve(alice))
			},
		},
		{
			"a tag of a commit that is not there", approval.CodeMissing,
			"there is no document to compare", func(a *attack) {
				payload := a.tagPayload(tagName, strings.Repeat("12", 20), "commit", approve(alice))
				a.ref(tagName, a.object("tag", payload+a.sign(alice, payload)))
			},
		},
		{
			"a tag moved to an unsigned one", approval.CodeUnsigned,
			"only the present tag counts", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice))
				a.as(mallory, "tag", "-f", "-a", "-m", approve(alice), tagName, a.head)
			},
		},
		{
			"a withdrawn tag", approval.CodeMissing,
			"every fetch removes tags that the remote no longer has", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice))
				a.git("tag", "-d", tagName)
			},
		},
		{
			"a tag from the future", approval.CodeExpired,
			"more than five minutes ahead of our clock is denied", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice))
				a.request.Now = a.now.Add(-6 * time.Minute)
			},
		},
		{
			"a clock that was moved back", approval.CodeExpired,
			"now is never earlier than the ledger's newest record", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice))
				a.request.NewestRecord = a.now.Add(3 * time.Hour)
			},
		},
		{
			"a stolen key that expired, and a tag dated before (R36)", approval.CodeSignerNotAllowed,
			"the key must be valid at the signed date and now", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice))
				line := strings.Replace(AllowedSignersLine(alice.Email, a.line[alice.Email]), "namespaces", `valid-before="20261122121000Z",namespaces`, 1)
				a.keys, a.request.Now = []byte(line), a.now.Add(time.Hour)
			},
		},
		{
			"a plan that is not the one approved", approval.CodePlanChanged,
			"a digest in the approval must be the digest of the plan", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice, approval.KeyPlan+": sha256:"+strings.Repeat("a", 64)))
			},
		},
		{
			"escape codes in the approver's name", approval.CodeMalformed,
			"a value with control characters is malformed", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(approval.Person{Name: "\x1b]0;x\x07Alice", Email: alice.Email}))
			},
		},
		{
			"a name that reads backwards", approval.CodeMalformed,
			"a value with marks of direction is malformed", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(approval.Person{Name: "\u202eecila", Email: alice.Email}))
			},
		},
		{
			"an e-mail with a Cyrillic letter", approval.CodeMalformed,
			"e-mails are plain ASCII", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(approval.Person{Name: "Alice", Email: "аlice@example.com"}))
			},
		},
		{
			"an e-mail that folds to another's by Unicode", approval.CodeMalformed,
			"e-mails are plain ASCII, and fold by ASCII alone", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(approval.Person{Name: "Alice", Email: "alice@example.com\u212a"}))
			},
		},
		{
			"a key with a Cyrillic letter", approval.CodeMalformed,
			"it is not a failover trailer, and a tag below failover/ without one is malformed", func(a *attack) {
				a.tag(alice, tagName, a.head, strings.ReplaceAll(approve(alice), "Failover", "Fаilover"))
			},
		},
		{
			"a line of wildcards", approval.CodeQuorumNotMet,
			"the line does not say whose key it is, so it counts for no quorum", func(a *attack) {
				a.keys = []byte(AllowedSignersLine("*@example.com", a.line[carol.Email]))
				a.tag(carol, tagName, a.head, approve(carol))
			},
		},
		{
			"one person with two tags, for a quorum of two", approval.CodeQuorumNotMet,
			"a quorum counts people", func(a *attack) {
				a.policy.Quorum.Failover = 2
				a.tag(alice, tagName, a.head, approve(alice))
				a.tag(alice, tagName+"2", a.head, approve(alice))
			},
		},
		{
			"one key with two principals, for a quorum of two (R33)", approval.CodeQuorumNotMet,
			"a key belongs to one person", func(a *attack) {
				a.policy.Quorum.Failover = 2
				a.keys = []byte(AllowedSignersLine("alice@example.com", a.line[alice.Email]) + AllowedSignersLine("carol@example.com", a.line[alice.Email]))
				a.key[carol.Email] = a.key[alice.Email]
				a.tag(alice, tagName, a.head, approve(alice))
				a.tag(carol, tagName+"2", a.head, approve(carol))
			},
		},
		{
			"a tag of the same name as the tracked branch", approval.CodeMissing,
			"a short name always means the branch", func(a *attack) {
				a.branch("feature", "main")
				a.signedCommit(alice, approve(alice), ordersFile, doc("orders", 3))
				a.git("tag", "main", "feature")
				a.git("tag", "HEAD", "feature")
				a.git("checkout", "-q", "refs/heads/main", "-B", "main")
			},
		},
		{
			"a malformed tag in addition to a good one (R35)", "",
			"a malformed tag denies only itself; Alice's approval counts", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice))
				a.ref("failover/orders/2/x", a.object("tag", "rubbish"))
				a.ref("failover/x", a.object("blob", "rubbish"))
				a.tag(mallory, "failover/orders/2/mallory", a.head, "Failover-Approved: \x1b[2J")
			},
		},
		{
			"a change of another topology after a good approval", "",
			"later unrelated commits do not matter; Alice's approval counts", func(a *attack) {
				a.tag(alice, tagName, a.head, approve(alice))
				a.commit(mallory, "Other", "topologies/other.yaml", doc("payments", 1))
			},
		},
	}
}
