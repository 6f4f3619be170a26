package gitsource

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// TestAllowedSignersAsOpenSSHReadsThem compares with ssh-keygen, which decides
// for the same file, signature, principal and time.
func TestAllowedSignersAsOpenSSHReadsThem(t *testing.T) {
	s := newShell(t)
	keygen := needs.Program(t, "ssh-keygen")
	s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	s.sshKey(alice)
	s.sshKey(carol)
	payload := s.tagPayload(tagName, s.head(), "commit", approve(alice))
	armored := s.sign(alice, payload)
	s.ref(tagName, s.object("tag", payload+armored))
	signature := filepath.Join(t.TempDir(), "signature")
	if err := os.WriteFile(signature, []byte(armored), 0o600); err != nil {
		t.Fatal(err)
	}
	theirs := func(file string) bool {
		allowed := filepath.Join(t.TempDir(), "allowed")
		if err := os.WriteFile(allowed, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(keygen, "-Y", "verify", "-f", allowed, "-I", alice.Email, "-n", "git", "-s", signature, "-O", "verify-time="+s.now.Format("20060102150405")+"Z")
		cmd.Env = append(os.Environ(), "TZ=UTC")
		cmd.Stdin = strings.NewReader(payload)
		return cmd.Run() == nil
	}
	ours := func(file string) bool {
		d := decide(changeOf(t, s.openWith(Config{AllowedSigners: []byte(file)}), "orders"), s.now, approval.Policy{})
		return d.Code != approval.CodeSignerMismatch && d.Code != approval.CodeSignerNotAllowed
	}
	key, other := s.line[alice.Email], s.line[carol.Email]
	accepted := 0
	for _, file := range []string{
		"alice@example.com KEY", "bob@example.com KEY", "alice@example.com OTHER", "# none\n",
		"bob@example.com,alice@example.com KEY", "*@example.com KEY", "a?ice@example.com KEY", "alice@* KEY", "* KEY",
		"!alice@example.com,* KEY", "*,!alice@example.com KEY", "!bob@example.com,*@example.com KEY", "*@example.org KEY",
		`"alice@example.com" KEY`, `"alice@example.com,x" KEY comment here`, "alice@example.com\tKEY",
		`alice@example.com namespaces="git" KEY`, `alice@example.com namespaces="file" KEY`, `alice@example.com namespaces="file,git" KEY`,
		`alice@example.com namespaces="g*" KEY`, `alice@example.com namespaces="!git,*" KEY`,
		`alice@example.com valid-after="20260101" KEY`, `alice@example.com valid-after="20270101" KEY`,
		`alice@example.com valid-before="20260101" KEY`, `alice@example.com valid-before="202701010000" KEY`,
		`alice@example.com valid-before="20261120000000" KEY`, `alice@example.com valid-after="20260101",valid-before="20270101",namespaces="git" KEY`,
		"alice@example.com cert-authority KEY", "bob@example.com KEY\nalice@example.com KEY", "alice@example.com OTHER\nalice@example.com KEY",
		`alice@example.com VALID-AFTER="20260101" KEY`, "alice@example.com.evil KEY", "xalice@example.com KEY",
	} {
		file = strings.NewReplacer("KEY", key, "OTHER", other).Replace(file) + "\n"
		want := theirs(file)
		if got := ours(file); got != want {
			t.Errorf("ssh-keygen accepts: %t, we: %t\n%s", want, got, file)
		}
		if want {
			accepted++
		}
	}
	if accepted < 10 {
		t.Errorf("only %d were accepted", accepted)
	}
}
