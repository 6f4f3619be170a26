package gitsource

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/ssh"

	"milvus-reconcile/reconcile/approval"
)

// trust is what the operator's keys say.
type trust struct {
	signers    []signerLine
	keyring    *keyring
	noKeys     bool              // no key is there at all
	parsedFrom [sha256.Size]byte // what they were parsed from
	parsed     bool              // they could be
	problem    error             // why they cannot be read: then no signature is anybody's
}

// Check says why the keys cannot be read.
func (k Keys) Check() error { return k.trust().problem }

// trust parses the keys.
func (k Keys) trust() trust {
	signers, err := parseAllowedSigners(k.AllowedSigners)
	if err != nil {
		return trust{problem: fmt.Errorf("approval.allowedSigners: %w", err)}
	}
	ring, err := parseKeyring(k.Keyring)
	if err != nil {
		return trust{problem: fmt.Errorf("approval.keyring: %w", err)}
	}
	return trust{signers: signers, keyring: ring, noKeys: len(k.AllowedSigners)+len(k.Keyring) == 0}
}

// hash tells keys apart.
func (k Keys) hash() [sha256.Size]byte {
	one, other := sha256.Sum256(k.AllowedSigners), sha256.Sum256(k.Keyring)
	return sha256.Sum256(append(one[:], other[:]...))
}

// reloadKeys reads the keys again, and forgets who signed what if they are others.
func (r *Repo) reloadKeys() {
	if r.keys == nil {
		return
	}
	k, err := r.keys()
	hash := k.hash()
	if err == nil && r.trust.parsed && r.trust.parsedFrom == hash {
		return
	}
	next := trust{problem: err}
	if err == nil {
		next = k.trust()
		next.parsedFrom, next.parsed = hash, next.problem == nil
	}
	r.trust = next
	r.clearSignatureCaches()
}

// markKeys notes what the keys mean for a change.
func (t *trust) markKeys(c *approval.Change) {
	c.NoKeys = t.noKeys
	if t.problem != nil {
		c.KeysUnreadable = strings.ReplaceAll(t.problem.Error(), "\n", "; ")
	}
}

// Approvers lists the keys that the operator's files allow to sign, in the order
// of the files, each with every line that ties it to people. A key that could
// sign nothing at that time says why. It reads nothing but its arguments.
func Approvers(allowedSigners, ring []byte, at time.Time) ([]approval.Key, error) {
	signers, err := parseAllowedSigners(allowedSigners)
	if err != nil {
		return nil, err
	}
	pgp, err := parseKeyring(ring)
	if err != nil {
		return nil, err
	}
	out := sshApprovers(signers)
	if pgp != nil {
		for _, e := range pgp.entities {
			out = append(out, pgpApprover(e, at))
		}
	}
	return out, nil
}

// sshApprovers puts the lines of one key together. An authority is no signer's
// key: each of its lines stands for itself.
func sshApprovers(signers []signerLine) []approval.Key {
	var out []approval.Key
	for i, l := range signers {
		k := approval.Key{Kind: approval.SignatureSSH, Fingerprint: ssh.FingerprintSHA256(l.key), Lines: []approval.AllowedLine{l.AllowedLine}}
		known := false
		for j, o := range signers {
			if j == i || l.CertAuthority || o.CertAuthority || !bytes.Equal(o.key.Marshal(), l.key.Marshal()) {
				continue
			}
			known = known || j < i
			k.Lines = append(k.Lines, o.AllowedLine)
		}
		if l.CertAuthority {
			k.Fingerprint = "authority " + l.ID
		}
		if !known {
			out = append(out, k)
		}
	}
	return out
}

func pgpApprover(e *openpgp.Entity, at time.Time) approval.Key {
	k := approval.Key{Kind: approval.SignatureOpenPGP, Fingerprint: fmt.Sprintf("%X", e.PrimaryKey.Fingerprint)}
	signing, ok := e.SigningKey(at)
	if !ok {
		k.Problem = "it is revoked or expired, or has no part that may sign"
		return k
	}
	if k.Problem = weakPGPKey(e, signing.PublicKey.KeyId); k.Problem != "" {
		return k
	}
	k.Lines, k.Problem = linesOfKey(e, &packet.Signature{IssuerKeyId: &signing.PublicKey.KeyId, CreationTime: at})
	return k
}
