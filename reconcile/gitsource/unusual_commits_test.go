package gitsource

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest/needs"
)

// TestMangledCommits has a commit whose bytes stop no other program: git reads its
// place in the history, git log goes on. It governs, or is merged, or lies behind,
// and nothing but its own approval is denied.
func TestMangledCommits(t *testing.T) {
	needs.Program(t, "ssh-keygen")
	author := fmt.Sprintf("author %s 1700000000 +0000\n", bob)
	for _, c := range []struct {
		name    string
		mangle  func(payload string) string
		authors []approval.Person
		byTag   string // what a good tag by somebody else comes to
	}{
		{"a second author", func(p string) string {
			return strings.Replace(p, "\ncommitter", "\nauthor "+mallory.String()+" 1700000000 +0000\ncommitter", 1)
		}, people(bob, mallory), ""},
		{"a second committer", func(p string) string {
			return strings.Replace(p, "\ncommitter", "\ncommitter x <x@example.com> 1 +0000\ncommitter", 1)
		}, people(bob), ""},
		{"the committer first", func(p string) string {
			_, rest, _ := strings.Cut(p, "author ")
			line, after, _ := strings.Cut(rest, "\n")
			head, body, _ := strings.Cut(after, "\n")
			return p[:len(p)-len(rest)-len("author ")] + head + "\nauthor " + line + "\n" + body
		}, people(bob), ""},
		{"a date out of range", func(p string) string { return authored(p, bob.String()+" 99999999999999999999 +0000") }, people(approval.Person{Email: bob.Email}), ""},
		{"a date before 1970", func(p string) string { return authored(p, bob.String()+" -99 +0000") }, people(approval.Person{Email: bob.Email}), ""},
		{"no date", func(p string) string { return authored(p, bob.String()) }, people(approval.Person{Email: bob.Email}), ""},
		{"an e-mail without @", func(p string) string { return authored(p, "Bob <bob>") }, people(approval.Person{Email: "bob"}), ""},
		{"an author's name of 600 KiB", func(p string) string {
			return authored(p, strings.Repeat("Bob ", 150<<10)+"<"+bob.Email+"> 1700000000 +0000")
		}, people(approval.Person{Email: bob.Email}), ""},
		{"an author line of 2 MiB", func(p string) string {
			return authored(p, strings.Repeat("Bob ", 1<<19)+"<"+bob.Email+"> 1700000000 +0000")
		}, nil, approval.CodeMalformed},
		{"an author without an e-mail", func(p string) string { return authored(p, "Bob") }, nil, approval.CodeMalformed},
		{"an author with an empty e-mail", func(p string) string { return authored(p, "Bob <> 1700000000 +0000") }, people(approval.Person{Name: "Bob"}), approval.CodeMalformed},
		{"no author", func(p string) string { return regexp.MustCompile("(?m)^author .*\n").ReplaceAllString(p, "") }, nil, approval.CodeMalformed},
		{"no message", func(p string) string { return strings.SplitAfter(p, "\n\n")[0] }, people(bob), ""},
		{"no end of the headers", func(p string) string { return strings.TrimSuffix(strings.SplitAfter(p, "\n\n")[0], "\n\n") }, people(bob), ""},
		{"NUL bytes in the message", func(p string) string { return p + "\x00\x00rest" }, people(bob), ""},
		{"a tree that stands twice", func(p string) string {
			return strings.Replace(p, "\nauthor", "\ntree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor", 1)
		}, people(bob), ""},
		{"the same parent 25,000 times", func(p string) string {
			line := regexp.MustCompile("(?m)^parent .*\n").FindString(p)
			return strings.Replace(p, line, strings.Repeat(line, 25_000), 1)
		}, people(bob), ""},
		{"a merged tag and a signature for SHA-256", func(p string) string {
			return strings.Replace(p, "\n\n", "\nmergetag object 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n type commit\n tag x\ngpgsig-sha256 -----BEGIN SSH SIGNATURE-----\n x\nHG:extra y\n\n", 1)
		}, people(bob), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t)
			s.sshKey(alice)
			s.commit(carol, "Begin", ordersFile, doc("orders", 1))
			before := s.commit(carol, "Other", "topologies/other.yaml", doc("other", 1))
			s.write(ordersFile, doc("orders", 2))
			payload := regexp.MustCompile("(?m)^author .*\n").ReplaceAllString(s.commitPayload(bob, "", approve(alice)), author)
			odd := s.object("commit", c.mangle(payload))

			s.tip(odd)
			got := s.change("orders")
			if got.Commit != odd || fmt.Sprint(got.Authors) != fmt.Sprint(c.authors) {
				t.Errorf("governing: by %s, want %s; authors %v, want %v", got.Commit, odd, got.Authors, c.authors)
			}
			if d := decide(got, s.now, approval.Policy{}); d.Code == "" {
				t.Error("it approved itself")
			}
			s.tag(alice, tagName, odd, approve(alice))
			if d := decide(s.change("orders"), s.now, approval.Policy{}); d.Code != c.byTag {
				t.Errorf("a tag on it: %q %s, want %q", d.Code, d.Detail, c.byTag)
			}
			s.git("tag", "-d", tagName)

			merge := s.as(carol, "commit-tree", "-m", "Merge", "-p", before, "-p", odd, odd+"^{tree}")
			s.tip(merge)
			s.tag(alice, tagName, merge, approve(alice))
			got = s.change("orders")
			if d := decide(got, s.now, approval.Policy{}); got.Commit != merge || d.Code != c.byTag {
				t.Errorf("merged: governed by %s, %q %s, want %q", got.Commit, d.Code, d.Detail, c.byTag)
			}
			s.git("tag", "-d", tagName)

			later := s.as(carol, "commit-tree", "-m", "Later", "-p", merge, merge+"^{tree}")
			s.tip(later)
			r := s.open()
			if other := changeOf(t, r, "other"); other.Commit != before || fmt.Sprint(other.Authors) != fmt.Sprint(people(carol)) {
				t.Errorf("of another topology: governed by %s, authors %v", other.Commit, other.Authors)
			}
			if ok, err := r.IsAncestor(odd, later); err != nil || !ok {
				t.Errorf("IsAncestor: %v, %v", ok, err)
			}
			if _, err := r.Tree(odd); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestABranchThatCannotBeRead has a merge bring in a commit that git cannot read
// either. It denies the approval of what the merge changed, and nothing else.
func TestABranchThatCannotBeRead(t *testing.T) {
	s := newShell(t)
	needs.Program(t, "ssh-keygen")
	s.sshKey(alice)
	s.commit(carol, "Begin", ordersFile, doc("orders", 1))
	before := s.commit(carol, "Other", "topologies/other.yaml", doc("other", 1))
	s.write(ordersFile, doc("orders", 2))
	payload := s.commitPayload(bob, "", "Odd\n")
	odd := s.object("commit", strings.Replace(payload, "parent "+before, "parent nothing", 1))
	tree, _, _ := strings.Cut(payload, "\n")
	who := fmt.Sprintf("%s 1700000000 +0000\n", carol)
	merge := s.object("commit", tree+"\nparent "+before+"\nparent "+odd+"\nauthor "+who+"committer "+who+"\nMerge\n")
	s.git("update-ref", "refs/heads/main", merge)
	s.git("update-ref", tagRef, s.signedTag(alice, tagName, merge, approve(alice)))
	r := s.open()
	if d := decide(changeOf(t, r, "orders"), s.now, approval.Policy{}); d.Code != approval.CodeMalformed || !strings.Contains(fmt.Sprint(d.Denials), "the commits that the merge "+merge+" brought in cannot be read") {
		t.Errorf("%q %v", d.Code, d.Denials)
	}
	if other := changeOf(t, r, "other"); other.Commit != before {
		t.Errorf("other is governed by %s", other.Commit)
	}
	if ok, err := r.IsAncestor(before, merge); err != nil || !ok {
		t.Errorf("IsAncestor: %v, %v", ok, err)
	}
}

// tagRef is where a tag of alice stands.
const tagRef = tagPrefix + "orders/2/alice"

// signedTag stores a tag that git would not make, and signs it.
func (s *shell) signedTag(by approval.Person, name, target, message string) string {
	s.t.Helper()
	payload := s.tagPayload(name, target, "commit", message)
	return s.object("tag", payload+s.sign(by, payload))
}

// authored gives a commit another author line.
func authored(payload, line string) string {
	return regexp.MustCompile("(?m)^author .*$").ReplaceAllLiteralString(payload, "author "+line)
}

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
			needs.Program(t, "ssh-keygen")
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
