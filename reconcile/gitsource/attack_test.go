package gitsource

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// mallory may open and merge pull requests and push tags, and has a key that
// the operator does not know.
var mallory = approval.Person{Name: "Mallory", Email: "mallory@example.com"}

// attack is a try to have generation 2 of orders, by Bob, applied.
type attack struct {
	*shell
	policy  approval.Policy
	request approval.Request // its other fields are filled in
	base    string           // generation 1
	head    string           // generation 2, unless the attack goes on
	keys    []byte
}

// scene is where every attack begins.
func scene(t *testing.T) *attack {
	s := newShell(t)
	program(t, "ssh-keygen")
	s.sshKey(alice)
	s.sshKey(carol)
	a := &attack{shell: s, policy: approval.Policy{Configured: true}}
	a.base = s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	a.head = s.commit(bob, "Want cluster-b", ordersFile, doc("orders", 2))
	a.keys = s.allowed()
	return a
}

// judge evaluates the failover of orders at the tip.
func (a *attack) judge() approval.Decision {
	a.t.Helper()
	r := a.openWith(Config{AllowedSigners: a.keys})
	c := changeOf(a.t, r, "orders")
	q := a.request
	q.Change, q.Policy = c.Change, a.policy
	q.Plan = plan.TopologyPlan{Name: "orders", Generation: c.Generation, Transition: plan.TransitionFailover, Primary: "cluster-b", Digest: "sha256:1"}
	if q.Now.IsZero() {
		q.Now = a.now
	}
	return approval.Evaluate(q)
}

// object stores bytes as an object, however odd.
func (s *shell) object(kind, data string) string {
	s.t.Helper()
	cmd := exec.Command("git", "hash-object", "-w", "-t", kind, "--stdin", "--literally")
	cmd.Dir, cmd.Env, cmd.Stdin = s.dir, s.env(), strings.NewReader(data)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("hash-object: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// sign signs as git would, by a person's key.
func (s *shell) sign(p approval.Person, payload string) string {
	s.t.Helper()
	data, err := os.ReadFile(s.sshKey(p))
	if err != nil {
		s.t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(data)
	if err != nil {
		s.t.Fatal(err)
	}
	armored, err := signPayload([]byte(payload), signer)
	if err != nil {
		s.t.Fatal(err)
	}
	return armored
}

// tagPayload is what a tag's signature is over.
func (s *shell) tagPayload(name, target, kind, message string) string {
	s.now = s.now.Add(time.Minute)
	return fmt.Sprintf("object %s\ntype %s\ntag %s\ntagger %s %d +0000\n\n%s", target, kind, name, alice, s.now.Unix(), message)
}

// ref puts an object under a tag's name, one that git would refuse too.
func (s *shell) ref(name, object string) { s.write(".git/refs/tags/"+name, object+"\n") }

// tip moves main to a commit made by hand.
func (s *shell) tip(commit string) { s.git("update-ref", "refs/heads/main", commit) }

// commitPayload is a commit of the work tree as it is, on main.
func (s *shell) commitPayload(author approval.Person, headers, message string) string {
	s.t.Helper()
	s.now = s.now.Add(time.Minute)
	s.git("add", "-A")
	return fmt.Sprintf("tree %s\nparent %s\nauthor %s %d +0000\ncommitter %s %d +0000\n%s\n%s",
		s.git("write-tree"), s.head(), author, s.now.Unix(), alice, s.now.Unix(), headers, message)
}

// withSignature puts a signature into the header of a commit.
func withSignature(payload, armored string) string {
	head, body, _ := strings.Cut(payload, "\n\n")
	return head + "\ngpgsig " + strings.ReplaceAll(strings.TrimSpace(armored), "\n", "\n ") + "\n\n" + body
}

const tagName = "failover/orders/2/alice"

// TestAttacks are tries to have a failover without a true approval. code is
// what stops it; empty: the attack is on somebody else's approval, which holds.
func TestAttacks(t *testing.T) {
	start := scene(t)
	for _, c := range []struct {
		name string
		code string
		try  func(a *attack)
	}{
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
		{"a re-armoured signature on a spent payload (R11)", approval.CodeAlreadyUsed, func(a *attack) {
			payload := a.tagPayload(tagName, a.head, "commit", approve(alice))
			block, _ := pem.Decode([]byte(a.sign(alice, payload)))
			used, err := parseTag([]byte(payload))
			if err != nil {
				a.t.Fatal(err)
			}
			a.request.Spent = []approval.SpentMark{{Topology: "orders", Generation: 1, PayloadHash: used.payloadHash()}}
			a.ref(tagName, a.object("tag", payload+strings.Replace(string(pem.EncodeToMemory(block)), "\n", "\n\n", 1)))
		}},
		{"a header that nobody knows (R11)", approval.CodeMalformed, func(a *attack) {
			a.write(ordersFile, doc("orders", 3))
			payload := a.commitPayload(bob, "x-nonce 1\n", approve(alice))
			a.tip(a.object("commit", withSignature(payload, a.sign(alice, payload))))
		}},
		{"a header that git skips when it verifies", approval.CodeMalformed, func(a *attack) {
			a.write(ordersFile, doc("orders", 3))
			payload := a.commitPayload(bob, "", approve(alice))
			signed := withSignature(payload, a.sign(alice, payload))
			a.tip(a.object("commit", strings.Replace(signed, "\n\n", "\ngpgsig-sha256 nonce\n\n", 1)))
		}},
		{"two signatures in a commit", approval.CodeMalformed, func(a *attack) {
			a.write(ordersFile, doc("orders", 3))
			payload := a.commitPayload(bob, "", approve(alice))
			a.tip(a.object("commit", withSignature(withSignature(payload, a.sign(mallory, payload)), a.sign(alice, payload))))
		}},
		{"two signatures in a tag", approval.CodeMalformed, func(a *attack) {
			payload := a.tagPayload(tagName, a.head, "commit", approve(alice))
			inner := payload + a.sign(mallory, payload)
			a.ref(tagName, a.object("tag", inner+a.sign(alice, inner)))
		}},
		{"something behind the signature of a tag", approval.CodeUnsigned, func(a *attack) {
			payload := a.tagPayload(tagName, a.head, "commit", approve(alice))
			a.ref(tagName, a.object("tag", payload+a.sign(alice, payload)+"Failover-Accept: SPLIT_BRAIN\n"))
		}},
		{"a signature over other content", approval.CodeUnsigned, func(a *attack) {
			payload := a.tagPayload(tagName, a.head, "commit", approve(alice))
			a.ref(tagName, a.object("tag", payload+a.sign(alice, payload+" ")))
		}},
		{"a signed approval with its date written anew", approval.CodeUnsigned, func(a *attack) {
			payload := a.tagPayload(tagName, a.head, "commit", approve(alice))
			armored := a.sign(alice, payload)
			later := strings.Replace(payload, fmt.Sprint(a.now.Unix()), fmt.Sprint(a.now.Unix()+1), 1)
			a.ref(tagName, a.object("tag", later+armored))
		}},
		{"a signature moved from one commit to another", approval.CodeUnsigned, func(a *attack) {
			payload := a.commitPayload(alice, "", approve(alice))
			armored := a.sign(alice, payload)
			a.write(ordersFile, doc("orders", 3))
			a.tip(a.object("commit", withSignature(a.commitPayload(bob, "", approve(alice)), armored)))
		}},
		{"a signature made for a file", approval.CodeUnsigned, func(a *attack) {
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
		}},
		{"a NUL byte that hides the rest of a message", approval.CodeMalformed, func(a *attack) {
			payload := a.tagPayload(tagName, a.head, "commit", "Looks harmless\n\x00\n\n"+approve(alice))
			a.ref(tagName, a.object("tag", payload+a.sign(alice, payload)))
		}},
		{"a message in another encoding", approval.CodeMalformed, func(a *attack) {
			a.write(ordersFile, doc("orders", 3))
			payload := a.commitPayload(bob, "encoding UTF-7\n", approve(alice))
			a.tip(a.object("commit", withSignature(payload, a.sign(alice, payload))))
		}},
		{"a signed tag inside the header of an unsigned merge", approval.CodeUnsigned, func(a *attack) {
			tag := a.tagPayload("v1", a.head, "commit", approve(alice))
			tag += a.sign(alice, tag)
			a.write(ordersFile, doc("orders", 3))
			a.tip(a.object("commit", a.commitPayload(bob, "mergetag "+strings.ReplaceAll(strings.TrimSuffix(tag, "\n"), "\n", "\n ")+"\n", approve(alice))))
		}},
		{"a key that nobody allowed", approval.CodeSignerNotAllowed, func(a *attack) {
			a.tag(mallory, tagName, a.head, approve(alice))
		}},
		{"an approver's key in the repository itself", approval.CodeSignerNotAllowed, func(a *attack) {
			a.sshKey(mallory)
			line := AllowedSignersLine(alice.Email, a.line[mallory.Email])
			a.head = a.commit(mallory, "Allow", "keyssigners", line)
			a.commit(mallory, "Allow", "topologies/keyssigners", line)
			a.git("config", "gpg.ssh.allowedSignersFile", "keyssigners")
			a.tag(mallory, tagName, a.head, approve(alice))
		}},
		{"one's own allowed key in another's name", approval.CodeSignerMismatch, func(a *attack) {
			a.tag(carol, tagName, a.head, approve(alice))
		}},
		{"the author, under the second e-mail of the key", approval.CodeSelfApproved, func(a *attack) {
			a.sshKey(bob)
			a.keys = []byte(AllowedSignersLine("bob@example.com", a.line[bob.Email]) + AllowedSignersLine("robert@example.com", a.line[bob.Email]))
			robert := approval.Person{Name: "Robert", Email: "robert@example.com"}
			a.key[robert.Email] = a.key[bob.Email]
			a.tag(robert, tagName, a.head, approve(robert))
		}},
		{"a co-author", approval.CodeSelfApproved, func(a *attack) {
			a.head = a.commit(bob, "Up\n\nco-authored-by: A. Smith <ALICE@example.com>", ordersFile, doc("orders", 3))
			a.tag(alice, tagName, a.head, approve(alice))
		}},
		{"an author behind a crooked name", approval.CodeSelfApproved, func(a *attack) {
			a.write(ordersFile, doc("orders", 3))
			payload := a.commitPayload(bob, "", "Up\n")
			payload = strings.Replace(payload, "author Bob Jones <bob@example.com>", "author x <alice@example.com> <bob@example.com>", 1)
			a.head = a.object("commit", payload)
			a.tip(a.head)
			a.tag(alice, tagName, a.head, approve(alice))
		}},
		{"an author in a branch that somebody else finished and merged", approval.CodeSelfApproved, func(a *attack) {
			a.branch("feature", "main")
			a.commit(alice, "Up", ordersFile, doc("orders", 3, "cluster c"))
			a.commit(bob, "Up", ordersFile, doc("orders", 3))
			a.checkout("main")
			a.tag(alice, tagName, a.merge("feature"), approve(alice))
		}},
		{"an author who hides the change in a merge", approval.CodeSelfApproved, func(a *attack) {
			a.branch("feature", "main")
			a.commit(bob, "Docs", "README", "x")
			a.checkout("main")
			a.as(alice, "merge", "-q", "--no-ff", "--no-commit", "feature")
			head := a.commit(alice, "Merge", ordersFile, doc("orders", 3))
			a.tag(alice, tagName, head, approve(alice))
		}},
		{"an approval in an earlier commit of a branch (R15)", approval.CodeMissing, func(a *attack) {
			a.branch("feature", "main")
			a.signedCommit(alice, approve(alice), ordersFile, doc("orders", 3))
			a.commit(mallory, "Tweak", ordersFile, doc("orders", 3, "cluster c primary"))
			a.checkout("main")
			a.merge("feature")
		}},
		{"a hand-made merge with an approved commit as second parent (R16)", approval.CodeMissing, func(a *attack) {
			a.branch("feature", "main")
			approved := a.signedCommit(alice, approve(alice), ordersFile, doc("orders", 3))
			a.checkout("main")
			a.write(ordersFile, doc("orders", 4, "cluster c primary"))
			a.git("add", "-A")
			a.git("reset", "-q", "--hard", a.as(mallory, "commit-tree", "-p", "main", "-p", approved, "-m", "Merge", a.git("write-tree")))
		}},
		{"an unsigned commit on a signed one", approval.CodeUnsigned, func(a *attack) {
			a.signedCommit(alice, "Docs", "README", "x")
			a.commit(mallory, approve(alice), ordersFile, doc("orders", 3))
		}},
		{"an approved commit picked onto another branch", approval.CodeUnsigned, func(a *attack) {
			a.branch("feature", a.base)
			approved := a.signedCommit(alice, approve(alice), ordersFile, doc("orders", 3))
			a.checkout("main")
			a.as(mallory, "cherry-pick", "-X", "theirs", approved)
		}},
		{"an approved branch that was not merged", approval.CodeMissing, func(a *attack) {
			a.branch("feature", "main")
			a.signedCommit(alice, approve(alice), ordersFile, doc("orders", 3))
			a.tag(alice, "failover/orders/3/alice", "HEAD", approve(alice))
			a.checkout("main")
		}},
		{"an approval in a note", approval.CodeMissing, func(a *attack) {
			a.as(alice, "notes", "add", "-m", approve(alice), a.head)
		}},
		{"a commit replaced by a signed one (refs/replace)", approval.CodeMissing, func(a *attack) {
			a.branch("feature", a.base)
			signed := a.signedCommit(alice, approve(alice), ordersFile, doc("orders", 2))
			a.checkout("main")
			a.git("replace", a.head, signed)
		}},
		{"a tag under another name than its own", approval.CodeMalformed, func(a *attack) {
			a.tag(alice, "failover/orders/1/alice", a.head, approve(alice))
			a.git("update-ref", "refs/tags/failover/orders/2/bob", "refs/tags/failover/orders/1/alice")
			a.git("tag", "-d", "failover/orders/1/alice")
		}},
		{"a tag outside failover/", approval.CodeMissing, func(a *attack) {
			a.tag(alice, "approved/orders", a.head, approve(alice))
		}},
		{"a branch below failover/", approval.CodeMissing, func(a *attack) {
			a.tag(alice, "x", a.head, approve(alice))
			a.git("update-ref", "refs/heads/failover/orders/2/alice", a.head)
		}},
		{"a lightweight tag", approval.CodeMalformed, func(a *attack) {
			a.git("tag", tagName, a.head)
		}},
		{"a tag of a tag", approval.CodeMalformed, func(a *attack) {
			a.tag(alice, "inner", a.head, approve(alice))
			a.tag(alice, tagName, "inner", approve(alice))
		}},
		{"a tag of a tree", approval.CodeMalformed, func(a *attack) {
			a.tag(alice, tagName, a.head+"^{tree}", approve(alice))
		}},
		{"a tag of a commit that is not there", approval.CodeMissing, func(a *attack) {
			payload := a.tagPayload(tagName, strings.Repeat("12", 20), "commit", approve(alice))
			a.ref(tagName, a.object("tag", payload+a.sign(alice, payload)))
		}},
		{"a tag moved to an unsigned one", approval.CodeUnsigned, func(a *attack) {
			a.tag(alice, tagName, a.head, approve(alice))
			a.as(mallory, "tag", "-f", "-a", "-m", approve(alice), tagName, a.head)
		}},
		{"a withdrawn tag", approval.CodeMissing, func(a *attack) {
			a.tag(alice, tagName, a.head, approve(alice))
			a.git("tag", "-d", tagName)
		}},
		{"a tag from the future", approval.CodeExpired, func(a *attack) {
			a.tag(alice, tagName, a.head, approve(alice))
			a.request.Now = a.now.Add(-6 * time.Minute)
		}},
		{"a clock that was moved back", approval.CodeExpired, func(a *attack) {
			a.tag(alice, tagName, a.head, approve(alice))
			a.request.NewestRecord = a.now.Add(3 * time.Hour)
		}},
		{"a stolen key that expired, and a tag dated before (R36)", approval.CodeSignerNotAllowed, func(a *attack) {
			a.tag(alice, tagName, a.head, approve(alice))
			line := strings.Replace(AllowedSignersLine(alice.Email, a.line[alice.Email]), "namespaces", `valid-before="20261122121000Z",namespaces`, 1)
			a.keys, a.request.Now = []byte(line), a.now.Add(time.Hour)
		}},
		{"a plan that is not the one approved", approval.CodePlanChanged, func(a *attack) {
			a.tag(alice, tagName, a.head, approve(alice, approval.KeyPlan+": sha256:"+strings.Repeat("a", 64)))
		}},
		{"escape codes in the approver's name", approval.CodeMalformed, func(a *attack) {
			a.tag(alice, tagName, a.head, approve(approval.Person{Name: "\x1b]0;x\x07Alice", Email: alice.Email}))
		}},
		{"a name that reads backwards", approval.CodeMalformed, func(a *attack) {
			a.tag(alice, tagName, a.head, approve(approval.Person{Name: "\u202eecila", Email: alice.Email}))
		}},
		{"an e-mail with a Cyrillic letter", approval.CodeMalformed, func(a *attack) {
			a.tag(alice, tagName, a.head, approve(approval.Person{Name: "Alice", Email: "аlice@example.com"}))
		}},
		{"an e-mail that folds to another's by Unicode", approval.CodeMalformed, func(a *attack) {
			a.tag(alice, tagName, a.head, approve(approval.Person{Name: "Alice", Email: "alice@example.com\u212a"}))
		}},
		{"a key with a Cyrillic letter", approval.CodeMalformed, func(a *attack) {
			a.tag(alice, tagName, a.head, strings.ReplaceAll(approve(alice), "Failover", "Fаilover"))
		}},
		{"a line of wildcards", approval.CodeQuorumNotMet, func(a *attack) {
			a.keys = []byte(AllowedSignersLine("*@example.com", a.line[carol.Email]))
			a.tag(carol, tagName, a.head, approve(carol))
		}},
		{"one person with two tags, for a quorum of two", approval.CodeQuorumNotMet, func(a *attack) {
			a.policy.Quorum.Failover = 2
			a.tag(alice, tagName, a.head, approve(alice))
			a.tag(alice, tagName+"2", a.head, approve(alice))
		}},
		{"one key with two principals, for a quorum of two (R33)", approval.CodeQuorumNotMet, func(a *attack) {
			a.policy.Quorum.Failover = 2
			a.keys = []byte(AllowedSignersLine("alice@example.com", a.line[alice.Email]) + AllowedSignersLine("carol@example.com", a.line[alice.Email]))
			a.key[carol.Email] = a.key[alice.Email]
			a.tag(alice, tagName, a.head, approve(alice))
			a.tag(carol, tagName+"2", a.head, approve(carol))
		}},
		{"a tag of the same name as the tracked branch", approval.CodeMissing, func(a *attack) {
			a.branch("feature", "main")
			a.signedCommit(alice, approve(alice), ordersFile, doc("orders", 3))
			a.git("tag", "main", "feature")
			a.git("tag", "HEAD", "feature")
			a.git("checkout", "-q", "refs/heads/main", "-B", "main")
		}},
		{"a malformed tag beside a good one (R35)", "", func(a *attack) {
			a.tag(alice, tagName, a.head, approve(alice))
			a.ref("failover/orders/2/x", a.object("tag", "rubbish"))
			a.ref("failover/x", a.object("blob", "rubbish"))
			a.tag(mallory, "failover/orders/2/mallory", a.head, "Failover-Approved: \x1b[2J")
		}},
		{"a change of another topology after a good approval", "", func(a *attack) {
			a.tag(alice, tagName, a.head, approve(alice))
			a.commit(mallory, "Other", "topologies/other.yaml", doc("payments", 1))
		}},
	} {
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

// TestAttacksOnTheTree are tries to lead the reader out of the folder, to
// exhaust it, or to have it read what is not there.
func TestAttacksOnTheTree(t *testing.T) {
	blob := func(s *shell) []byte {
		id := s.object("blob", doc("orders", 9))
		raw, err := exec.Command("git", "-C", s.dir, "rev-parse", id).Output()
		if err != nil {
			s.t.Fatal(err)
		}
		return unhex(strings.TrimSpace(string(raw)))
	}
	entry := func(mode, name string, id []byte) string { return mode + " " + name + "\x00" + string(id) }
	// plant makes a commit whose topologies folder is this tree.
	plant := func(s *shell, tree string) string {
		folder := s.object("tree", tree)
		root := s.object("tree", entry("40000", "topologies", unhex(folder)))
		commit := s.git("commit-tree", "-m", "x", root)
		s.tip(commit)
		return commit
	}
	for _, c := range []struct {
		name    string
		tree    func(s *shell) string
		problem error // of Changes; nil: it knows of no orders
	}{
		{"a symbolic link out of the tree", func(s *shell) string { return entry("120000", "orders.yaml", blob(s)) }, nil},
		{"a submodule", func(s *shell) string { return entry("160000", "orders.yaml", blob(s)) }, nil},
		{"a file of a mode that git does not have", func(s *shell) string { return entry("060000", "orders.yaml", blob(s)) }, nil},
		{"the name ..", func(s *shell) string { return entry("100644", "..", blob(s)) }, errTree},
		{"a name with a slash", func(s *shell) string { return entry("100644", "../x.yaml", blob(s)) }, errTree},
		{"an empty name", func(s *shell) string { return entry("100644", "", blob(s)) }, errTree},
		{"a name that stands twice", func(s *shell) string {
			return entry("100644", "a.yaml", blob(s)) + entry("100755", "a.yaml", blob(s))
		}, errTree},
		{"a name that is not UTF-8", func(s *shell) string { return entry("100644", "\xff.yaml", blob(s)) }, nil},
		{"a huge file", func(s *shell) string {
			id := s.object("blob", doc("orders", 9, strings.Repeat("x", MaxBlob)))
			return entry("100644", "orders.yaml", unhex(id))
		}, nil},
		{"a folder that unfolds to billions of files", func(s *shell) string {
			tree := entry("100644", "a.yaml", blob(s))
			for range 8 {
				id := unhex(s.object("tree", tree))
				tree = ""
				for i := range 10 {
					tree += entry("40000", fmt.Sprint("d", i), id)
				}
			}
			return tree
		}, errTooMany},
		{"a folder deeper than any", func(s *shell) string {
			tree := entry("100644", "a.yaml", blob(s))
			for range maxDepth {
				tree = entry("40000", "d", unhex(s.object("tree", tree)))
			}
			return tree
		}, errTooMany},
		{"a pointer of Git LFS", func(s *shell) string {
			return entry("100644", "orders.yaml", unhex(s.object("blob", "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n")))
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShell(t)
			at := plant(s, c.tree(s))
			r := s.open()
			got, err := r.Changes(t.Context(), at, keysOf)
			if c.problem != nil {
				if err == nil || !strings.Contains(err.Error(), c.problem.Error()) {
					t.Errorf("got %v, want %v", err, c.problem)
				}
				return
			}
			if err != nil || len(got) > 0 {
				t.Errorf("it knows %v, %v", got, err)
			}
		})
	}
}

func unhex(s string) []byte {
	out := make([]byte, len(s)/2)
	for i := range out {
		fmt.Sscanf(s[2*i:2*i+2], "%02x", &out[i])
	}
	return out
}

// TestATamperedObjectIsNoticed changes the content of a loose object on disk.
func TestATamperedObjectIsNoticed(t *testing.T) {
	s := newShell(t)
	at := s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	id := s.git("rev-parse", "HEAD:"+ordersFile)
	other := s.object("blob", doc("orders", 1, "cluster-c primary"))
	path := func(id string) string { return filepath.Join(s.dir, ".git/objects", id[:2], id[2:]) }
	data, err := os.ReadFile(path(other))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path(id)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path(id), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.open().Changes(t.Context(), at, keysOf); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v", err)
	}
}

// TestPayloadWithoutSignature holds that what is marked as spent does not
// depend on who signed it, or how.
func TestPayloadWithoutSignature(t *testing.T) {
	s := newShell(t)
	payload := s.tagPayload("x", strings.Repeat("1", 40), "commit", "m\n")
	one, err := parseTag([]byte(payload + s.sign(alice, payload)))
	if err != nil {
		t.Fatal(err)
	}
	two, err := parseTag([]byte(payload + s.sign(carol, payload)))
	if err != nil {
		t.Fatal(err)
	}
	if one.payloadHash() != two.payloadHash() || !bytes.Equal(one.payload, []byte(payload)) || slices.Equal([]byte(one.signature), []byte(two.signature)) {
		t.Error("the payload depends on the signature")
	}
}
