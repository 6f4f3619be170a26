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

// trust holds the operator's parsed keys.
type trust struct {
	signers    []signerLine
	keyring    *keyring
	noKeys     bool              // there is no key
	parsedFrom [sha256.Size]byte // hash of their source
	parsed     bool              // parsing succeeded
	problem    error             // why they are unreadable; then no signature counts
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

// hash identifies keys.
func (k Keys) hash() [sha256.Size]byte {
	one, other := sha256.Sum256(k.AllowedSigners), sha256.Sum256(k.Keyring)
	return sha256.Sum256(append(one[:], other[:]...))
}

// reloadKeys reads the keys again. If they changed, it clears the signature caches.
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

// markKeys marks a change if keys are missing or unreadable.
func (t *trust) markKeys(c *approval.Change) {
	c.NoKeys = t.noKeys
	if t.problem != nil {
		c.KeysUnreadable = strings.ReplaceAll(t.problem.Error(), "\n", "; ")
	}
}

// Approvers lists the keys that the operator's files allow to sign, in the order of the
// files, each with all its lines. Problem of a key says why it cannot sign at that time.
// Approvers reads no file.
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

// sshApprovers groups lines by key. Each line of a certificate authority stays separate,
// since an authority is no signer's key.
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
