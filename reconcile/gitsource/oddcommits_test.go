package gitsource

import (
	"fmt"
	"strings"
	"testing"

	"milvus-reconcile/reconcile/approval"
)

// TestOddCommits has the real git, or bytes that it would store, make commits that
// are hard to read. Each governs all the same; code is what their approval comes to.
func TestOddCommits(t *testing.T) {
	byHand := func(headers, message string) func(*shell) {
		return func(s *shell) {
			payload := s.commitPayload(bob, headers, message)
			s.tip(s.object("commit", withSignature(payload, s.sign(alice, payload))))
		}
	}
	for _, c := range []struct {
		name string
		code string
		make func(s *shell)
	}{
		{"line ends of Windows", "", func(s *shell) {
			s.as(bob, append(s.signedBy(alice), "commit", "-q", "-S", "--cleanup=verbatim", "-m", strings.ReplaceAll(approve(alice), "\n", "\r\n"))...)
		}},
		{"an encoding that git declares", approval.CodeMalformed, func(s *shell) {
			s.as(bob, append(s.signedBy(alice), "-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "-S", "--cleanup=verbatim", "-m", "F\xfcr "+approve(alice))...)
		}},
		{"bytes that are not UTF-8, undeclared", approval.CodeMalformed, byHand("", "F\xfcr "+approve(alice))},
		{"bytes that are not UTF-8, and no approval", approval.CodeMissing, byHand("", "F\xfcr B\xf6b\n")},
		{"no message", approval.CodeMissing, func(s *shell) {
			s.as(bob, "commit", "-q", "--allow-empty-message", "-m", "")
		}},
		{"a message of 2 MiB before the trailers", approval.CodeMissing, byHand("", strings.Repeat("A very long story\n", 1<<17)+"\n"+approve(alice))},
		{"a message of 2 MiB behind them", approval.CodeMalformed, byHand("", approve(alice)+"\n"+strings.Repeat("A very long story\n", 1<<17))},
		{"a header of 2 MiB", approval.CodeMissing, byHand("x-story "+strings.Repeat("x", 2<<20)+"\n", approve(alice))},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t)
			program(t, "ssh-keygen")
			s.sshKey(alice)
			s.commit(bob, "Begin", ordersFile, doc("orders", 1))
			s.write(ordersFile, doc("orders", 2))
			s.git("add", "-A")
			c.make(s)
			at := s.head()
			got := s.change("orders")
			if got.Commit != at || fmt.Sprint(got.Authors) != fmt.Sprint(people(bob)) {
				t.Errorf("governed by %s, want %s; authors %v", got.Commit, at, got.Authors)
			}
			if d := decide(got, s.now, approval.Policy{AuthorMayApprove: true}); d.Code != c.code {
				t.Errorf("%q %s, want %q", d.Code, d.Detail, c.code)
			}
		})
	}
}
