package gitsource

import (
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"milvus-reconcile/reconcile/approval"
)

// attacksBySignature are tries on signatures and raw objects. R11 and the
// like are rows of scenarios.md.
func attacksBySignature() []attackCase {
	return []attackCase{
		{
			"a re-armoured signature on a spent payload (R11)", approval.CodeAlreadyUsed,
			"the ledger remembers the hash of the signed content without the signature", func(a *attack) {
				payload := a.tagPayload(tagName, a.head, "commit", approve(alice))
				block, _ := pem.Decode([]byte(a.sign(alice, payload)))
				used, err := parseTag([]byte(payload))
				if err != nil {
					a.t.Fatal(err)
				}
				a.request.Spent = []approval.SpentMark{{Topology: "orders", Generation: 1, PayloadHash: used.payloadHash()}}
				a.ref(tagName, a.object("tag", payload+strings.Replace(string(pem.EncodeToMemory(block)), "\n", "\n\n", 1)))
			},
		},
		{
			"an unknown header (R11)", approval.CodeMalformed,
			"an object with an unknown header carries no approval", func(a *attack) {
				a.write(ordersFile, doc("orders", 3))
				payload := a.commitPayload(bob, "x-nonce 1\n", approve(alice))
				a.tip(a.object("commit", withSignature(payload, a.sign(alice, payload))))
			},
		},
		{
			"a header that git skips when it verifies", approval.CodeMalformed,
			"otherwise the same signature would fit a new object id", func(a *attack) {
				a.write(ordersFile, doc("orders", 3))
				payload := a.commitPayload(bob, "", approve(alice))
				signed := withSignature(payload, a.sign(alice, payload))
				a.tip(a.object("commit", strings.Replace(signed, "\n\n", "\ngpgsig-sha256 nonce\n\n", 1)))
			},
		},
		{
			"two signatures in a commit", approval.CodeMalformed,
			"it is not clear which of the two counts", func(a *attack) {
				a.write(ordersFile, doc("orders", 3))
				payload := a.commitPayload(bob, "", approve(alice))
				a.tip(a.object("commit", withSignature(withSignature(payload, a.sign(mallory, payload)), a.sign(alice, payload))))
			},
		},
		{
			"two signatures in a tag", approval.CodeMalformed,
			"it is not clear which of the two counts", func(a *attack) {
				payload := a.tagPayload(tagName, a.head, "commit", approve(alice))
				inner := payload + a.sign(mallory, payload)
				a.ref(tagName, a.object("tag", inner+a.sign(alice, inner)))
			},
		},
		{
			"text after the signature of a tag", approval.CodeUnsigned,
			"nothing may follow the signature", func(a *attack) {
				payload := a.tagPayload(tagName, a.head, "commit", approve(alice))
				a.ref(tagName, a.object("tag", payload+a.sign(alice, payload)+"Failover-Accept: SPLIT_BRAIN\n"))
			},
		},
		{
			"a signature made for other content", approval.CodeUnsigned,
			"the signature is checked over the raw bytes of this object", func(a *attack) {
				payload := a.tagPayload(tagName, a.head, "commit", approve(alice))
				a.ref(tagName, a.object("tag", payload+a.sign(alice, payload+" ")))
			},
		},
		{
			"a signed approval with its date rewritten", approval.CodeUnsigned,
			"the signature covers the date", func(a *attack) {
				payload := a.tagPayload(tagName, a.head, "commit", approve(alice))
				armored := a.sign(alice, payload)
				later := strings.Replace(payload, fmt.Sprint(a.now.Unix()), fmt.Sprint(a.now.Unix()+1), 1)
				a.ref(tagName, a.object("tag", later+armored))
			},
		},
		{
			"a signature moved from one commit to another", approval.CodeUnsigned,
			"the signature covers tree and parents", func(a *attack) {
				payload := a.commitPayload(alice, "", approve(alice))
				armored := a.sign(alice, payload)
				a.write(ordersFile, doc("orders", 3))
				a.tip(a.object("commit", withSignature(a.commitPayload(bob, "", approve(alice)), armored)))
			},
		},
		{
			"a signature made for a file", approval.CodeUnsigned,
			"only the namespace git counts", func(a *attack) {
				payload := a.tagPayload(tagName, a.head, "commit", approve(alice))
				file := filepath.Join(a.t.TempDir(), "payload")
				if err := os.WriteFile(file, []byte(payload), 0o600); err != nil {
					a.t.Fatal(err)
				}
				run(a.t, nil, "ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", a.sshKey(alice), file)
				armored, err := os.ReadFile(file + ".sig")
				if err != nil {
					a.t.Fatal(err)
				}
				a.ref(tagName, a.object("tag", payload+string(armored)))
			},
		},
		{
			"a NUL byte that hides the rest of a message", approval.CodeMalformed,
			"git shows a message only up to the NUL; such an object carries no approval", func(a *attack) {
				payload := a.tagPayload(tagName, a.head, "commit", "Looks harmless\n\x00\n\n"+approve(alice))
				a.ref(tagName, a.object("tag", payload+a.sign(alice, payload)))
			},
		},
		{
			"a message in another encoding", approval.CodeMalformed,
			"people must see exactly the text that is parsed, so only UTF-8 counts", func(a *attack) {
				a.write(ordersFile, doc("orders", 3))
				payload := a.commitPayload(bob, "encoding UTF-7\n", approve(alice))
				a.tip(a.object("commit", withSignature(payload, a.sign(alice, payload))))
			},
		},
		{
			"a signed tag inside the header of an unsigned merge", approval.CodeUnsigned,
			"a mergetag header quotes a tag; it does not sign the merge", func(a *attack) {
				tag := a.tagPayload("v1", a.head, "commit", approve(alice))
				tag += a.sign(alice, tag)
				a.write(ordersFile, doc("orders", 3))
				a.tip(a.object("commit", a.commitPayload(bob, "mergetag "+strings.ReplaceAll(strings.TrimSuffix(tag, "\n"), "\n", "\n ")+"\n", approve(alice))))
			},
		},
	}
}

// attacksByPeople are tries to be somebody else.
func attacksByPeople() []attackCase {
	return []attackCase{
		{
			"a key that nobody allowed", approval.CodeSignerNotAllowed,
			"the signature is valid, but no approver has this key", func(a *attack) {
				a.tag(mallory, tagName, a.head, approve(alice))
			},
		},
		{
			"an approver's key in the repository itself", approval.CodeSignerNotAllowed,
			"only the operator's configuration lists signers", func(a *attack) {
				a.sshKey(mallory)
				line := AllowedSignersLine(alice.Email, a.line[mallory.Email])
				a.head = a.commit(mallory, "Allow", "keyssigners", line)
				a.commit(mallory, "Allow", "topologies/keyssigners", line)
				a.git("config", "gpg.ssh.allowedSignersFile", "keyssigners")
				a.tag(mallory, tagName, a.head, approve(alice))
			},
		},
		{
			"an allowed key, used in another person's name", approval.CodeSignerMismatch,
			"the key must belong to the e-mail in the trailer", func(a *attack) {
				a.tag(carol, tagName, a.head, approve(alice))
			},
		},
		{
			"the author, under the second e-mail of the key", approval.CodeSelfApproved,
			"all e-mails that the configuration gives to a key belong to one person", func(a *attack) {
				a.sshKey(bob)
				a.keys = []byte(AllowedSignersLine("bob@example.com", a.line[bob.Email]) + AllowedSignersLine("robert@example.com", a.line[bob.Email]))
				robert := approval.Person{Name: "Robert", Email: "robert@example.com"}
				a.key[robert.Email] = a.key[bob.Email]
				a.tag(robert, tagName, a.head, approve(robert))
			},
		},
		{
			"a co-author", approval.CodeSelfApproved,
			"co-authors are authors, in whatever case they are written", func(a *attack) {
				a.head = a.commit(bob, "Up\n\nco-authored-by: A. Smith <ALICE@example.com>", ordersFile, doc("orders", 3))
				a.tag(alice, tagName, a.head, approve(alice))
			},
		},
		{
			"an author behind a malformed name", approval.CodeSelfApproved,
			"every e-mail that a broken author line could mean counts as an author's", func(a *attack) {
				a.write(ordersFile, doc("orders", 3))
				payload := a.commitPayload(bob, "", "Up\n")
				payload = strings.Replace(payload, "author Bob Jones <bob@example.com>", "author x <alice@example.com> <bob@example.com>", 1)
				a.head = a.object("commit", payload)
				a.tip(a.head)
				a.tag(alice, tagName, a.head, approve(alice))
			},
		},
		{
			"an author of a branch that somebody else finished and merged", approval.CodeSelfApproved,
			"the authors of all commits that a merge brings in and that changed the document count", func(a *attack) {
				a.branch("feature", "main")
				a.commit(alice, "Up", ordersFile, doc("orders", 3, "cluster c"))
				a.commit(bob, "Up", ordersFile, doc("orders", 3))
				a.checkout("main")
				a.tag(alice, tagName, a.merge("feature"), approve(alice))
			},
		},
		{
			"an author who hides the change in a merge", approval.CodeSelfApproved,
			"if a merge changes the document itself, its author counts as an author", func(a *attack) {
				a.branch("feature", "main")
				a.commit(bob, "Docs", "README", "x")
				a.checkout("main")
				a.as(alice, "merge", "-q", "--no-ff", "--no-commit", "feature")
				head := a.commit(alice, "Merge", ordersFile, doc("orders", 3))
				a.tag(alice, tagName, head, approve(alice))
			},
		},
	}
}
