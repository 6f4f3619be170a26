package gitsource

import (
	"errors"
	"strings"
	"testing"
)

// TestKeysAreReadAgain: who may sign is what the lists say when changes are read, also
// of objects that were checked before; lists that cannot be read are told as such.
func TestKeysAreReadAgain(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	s.signedCommit(alice, approve(alice), ordersFile, doc("orders", 2))
	var keys Keys
	var broken error
	r := s.openWith(Config{AllowedSigners: []byte{}, Keys: func() (Keys, error) { return keys, broken }})
	for _, c := range []struct {
		name       string
		keys       Keys
		broken     error
		principals int
		noKeys     bool
		unreadable string
	}{
		{name: "nobody", noKeys: true},
		{name: "put in", keys: Keys{AllowedSigners: s.allowed()}, principals: 1},
		{name: "gone", broken: errors.New("it is gone"), unreadable: "it is gone"},
		{name: "back", keys: Keys{AllowedSigners: s.allowed()}, principals: 1},
		{name: "a broken line", keys: Keys{AllowedSigners: append(s.allowed(), "alice@example.com ssh-ed25519 half\n"...)}, unreadable: "line 2"},
		{name: "taken out", keys: Keys{AllowedSigners: []byte("# nobody\n")}},
	} {
		keys, broken = c.keys, c.broken
		got := changeOf(t, r, "orders")
		if n := len(got.Carriers[0].Signature.Principals); n != c.principals || got.NoKeys != c.noKeys || !strings.Contains(got.KeysUnreadable, c.unreadable) || (got.KeysUnreadable == "") != (c.unreadable == "") {
			t.Errorf("%s: %d principals, no keys: %v, unreadable: %q", c.name, n, got.NoKeys, got.KeysUnreadable)
		}
	}
}

// TestBasisTellsWhetherChangesMustBeReadAgain: a reading counts for a later one exactly while
// the commit, the failover tags and the keys stay as they are, and never if something could not
// be read.
func TestBasisTellsWhetherChangesMustBeReadAgain(t *testing.T) {
	s := newShell(t)
	s.commit(bob, "Begin", ordersFile, doc("orders", 1))
	var keys Keys
	r := s.openWith(Config{AllowedSigners: []byte{}, Keys: func() (Keys, error) { return keys, nil }})
	nothing := func() {}
	var last Basis
	for _, c := range []struct {
		what string
		do   func()
		same bool
	}{
		{"at first", nothing, false},
		{"nothing", nothing, true},
		{"another branch", func() { s.git("branch", "other") }, true},
		{"an approval", func() { s.git("tag", "-a", "-m", "x", "failover/orders/1/alice", "HEAD") }, false},
		{"nothing since", nothing, true},
		{"it is withdrawn", func() { s.git("tag", "-d", "failover/orders/1/alice") }, false},
		{"a commit", func() { s.commit(bob, "Up", ordersFile, doc("orders", 2)) }, false},
		{"who may sign", func() { keys.AllowedSigners = []byte("# nobody\n") }, false},
		{"nothing but a read", nothing, true},
		{"a tag that is not there", func() { s.ref("failover/orders/2/alice", strings.Repeat("ab", 20)) }, false},
		{"it is still not there", nothing, false},
	} {
		c.do()
		if err := r.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		at, err := r.Resolve("")
		if err != nil {
			t.Fatal(err)
		}
		now, err := r.Basis(at)
		if err != nil || (now == last) != c.same {
			t.Errorf("%s: the same %v, want %v (%v)", c.what, now == last, c.same, err)
		}
		if _, last, err = r.ReadChanges(t.Context(), at, keysOf); err != nil {
			t.Fatal(err)
		}
	}
}
