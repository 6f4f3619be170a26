package gitsource

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"milvus-reconcile/reconcile/approval"
)

// trust is what the operator's keys say.
type trust struct {
	signers []signerLine
	keyring *keyring
	nobody  bool              // no key is there at all
	of      [sha256.Size]byte // what they were parsed from
	known   bool              // they could be
	bad     error             // why they cannot be read: then no signature is anybody's
}

// Check says why the keys cannot be read.
func (k Keys) Check() error { return k.trust().bad }

// trust parses the keys.
func (k Keys) trust() trust {
	signers, err := parseAllowedSigners(k.AllowedSigners)
	if err != nil {
		return trust{bad: fmt.Errorf("approval.allowedSigners: %w", err)}
	}
	ring, err := parseKeyring(k.Keyring)
	if err != nil {
		return trust{bad: fmt.Errorf("approval.keyring: %w", err)}
	}
	return trust{signers: signers, keyring: ring, nobody: len(k.AllowedSigners)+len(k.Keyring) == 0}
}

// hash tells keys apart.
func (k Keys) hash() [sha256.Size]byte {
	one, other := sha256.Sum256(k.AllowedSigners), sha256.Sum256(k.Keyring)
	return sha256.Sum256(append(one[:], other[:]...))
}

// trustNow reads the keys again, and forgets who signed what if they are others.
func (r *Repo) trustNow() {
	if r.keys == nil {
		return
	}
	k, err := r.keys()
	of := k.hash()
	if err == nil && r.trust.known && r.trust.of == of {
		return
	}
	next := trust{bad: err}
	if err == nil {
		next = k.trust()
		next.of, next.known = of, next.bad == nil
	}
	r.trust = next
	r.forgetSigned()
}

// judged notes what the keys mean for a change.
func (t *trust) judged(c *approval.Change) {
	c.NoKeys = t.nobody
	if t.bad != nil {
		c.KeysUnreadable = strings.ReplaceAll(t.bad.Error(), "\n", "; ")
	}
}
