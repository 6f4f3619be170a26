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
