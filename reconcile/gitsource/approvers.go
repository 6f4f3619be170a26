package gitsource

import (
	"bytes"
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/ssh"

	"milvus-reconcile/reconcile/approval"
)

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
	k.Lines, k.Problem = linesOf(e, &packet.Signature{IssuerKeyId: &signing.PublicKey.KeyId, CreationTime: at})
	return k
}
