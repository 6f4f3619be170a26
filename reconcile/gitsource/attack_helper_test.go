package gitsource

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// mallory may open and merge pull requests and push tags, and has a key that
// the operator does not know.
var mallory = approval.Person{Name: "Mallory", Email: "mallory@example.com"}

// attack tries to get generation 2 of orders, by Bob, applied.
type attack struct {
	*shell
	policy  approval.Policy
	request approval.Request // its other fields are filled in
	base    string           // generation 1
	head    string           // generation 2, unless the attack goes on
	keys    []byte
	keyring []byte
}

// newAttack returns the repository in which every attack begins.
func newAttack(t *testing.T) *attack {
	s := newShell(t)
	needs.Program(t, "ssh-keygen")
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
	r := a.openWith(Config{AllowedSigners: a.keys, Keyring: a.keyring})
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
